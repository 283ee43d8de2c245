/*
 * The operations on pools.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch.h"
#include "pool.h"
#include "thread.h"

/* The limits in a: a priority and a number of pools, or nothing.  No wider than the caller's. */
static status_t limits_check(const struct batch *batch, uint64_t a)
{
	if (a & ~(POOL_LIMITED | POOL_LIMIT_PRIORITY | POOL_LIMIT_BELOW))
		return ST_BAD_ARGUMENT;
	if (a && !(a & POOL_LIMITED))
		return ST_BAD_ARGUMENT;
	return (a & POOL_LIMIT_PRIORITY) > pool_table[batch->pool].priority ? ST_NO_RIGHT : ST_OK;
}

/* A pool below the caller's; its number is the result. */
status_t pool_op_create(struct batch *batch, const struct op *op)
{
	uint16_t pool;
	status_t status = limits_check(batch, op->a);

	if (op->b)
		return ST_BAD_ARGUMENT;
	if (status != ST_OK)
		return status;
	if (!batch_has_room(batch, 1))
		return ST_MORE;
	status = pool_create(batch->pool, &pool);
	if (status != ST_OK)
		return status;
	if (op->a) {
		pool_table[pool].priority = (uint8_t)(op->a & POOL_LIMIT_PRIORITY);
		pool_table[pool].below_max =
			(uint8_t)((op->a & POOL_LIMIT_BELOW) >> POOL_BELOW_SHIFT);
	}
	batch_result(batch, pool);
	return ST_OK;
}

static const struct handle *caller_handle(const struct batch *batch, uint32_t slot)
{
	if (!batch->caller || slot >= HANDLE_SLOTS || batch->caller->space->handles[slot].pfn == 0)
		return NULL;
	return &batch->caller->space->handles[slot];
}

/* Who is told when a thread of the pool is parked: a port and notification bits; slot 0: nobody. */
status_t pool_op_set(struct batch *batch, const struct op *op)
{
	uint32_t slot = (uint32_t)op->b;
	const struct handle *handle = caller_handle(batch, slot);
	struct pool *pool;

	if (op->a >= POOL_COUNT || !pool_is_within((uint16_t)op->a, batch->pool))
		return ST_NO_RIGHT;
	pool = &pool_table[op->a];
	if (slot == 0) {
		pool->port_pfn = 0;
		return ST_OK;
	}
	if (!handle)
		return ST_BAD_HANDLE;
	if (!(handle->rights & RIGHT_SEND))
		return ST_NO_RIGHT;
	pool->port_pfn = handle->pfn;
	pool->port_id = handle->id;
	pool->port_bits = op->b >> 32;
	return ST_OK;
}

/* End a pool below the caller's. */
status_t pool_op_destroy(struct batch *batch, const struct op *op)
{
	if (op->b)
		return ST_BAD_ARGUMENT;
	return op->a < POOL_COUNT ? pool_destroy((uint16_t)op->a, batch->pool) : ST_NO_RIGHT;
}

/* Leave the commit tag of this batch, or read the last one. */
status_t pool_op_tag(struct batch *batch, const struct op *op)
{
	struct pool *pool = &pool_table[batch->pool];

	if (op->b)
		return ST_BAD_ARGUMENT;
	if (op->a != 0) {
		pool->tag = op->a;
		batch->tagged = 1;
		return ST_OK;
	}
	if (!batch_has_room(batch, 2))
		return ST_MORE;
	batch_result(batch, pool->tag);
	batch_result(batch, pool->tag_index);
	return ST_OK;
}
