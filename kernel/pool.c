/*
 * The tree of pools.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "pool.h"
#include "log.h"

struct pool pool_table[POOL_COUNT];

static bool pool_exists(uint16_t pool)
{
	return pool != 0 && pool < POOL_COUNT && pool_table[pool].live;
}

/* Forget all pools but the root's. */
void pool_init(void)
{
	for (uint32_t i = 0; i < POOL_COUNT; i++)
		pool_table[i] = (struct pool){ .live = i == POOL_ROOT };
	pool_table[POOL_ROOT].priority = POOL_PRIORITY_MAX;
	pool_table[POOL_ROOT].below_max = POOL_BELOW_MAX;
}

/* See pool.h. */
bool pool_is_within(uint16_t pool, uint16_t holder)
{
	for (uint32_t depth = 0; depth < POOL_DEPTH_MAX && pool_exists(pool); depth++) {
		if (pool == holder)
			return true;
		pool = pool_table[pool].parent;
	}
	return false;
}

/* Pools on the way from this one to the root, itself included. */
static uint32_t pool_depth(uint16_t pool)
{
	uint32_t depth = 0;

	for (; pool_exists(pool); pool = pool_table[pool].parent)
		depth++;
	return depth;
}

/* May there be one more pool below this one, and so below all above it? */
static bool pool_has_number(uint16_t pool)
{
	for (; pool_exists(pool); pool = pool_table[pool].parent)
		if (pool_table[pool].below >= pool_table[pool].below_max)
			return false;
	return true;
}

/* A pool below this one begins or ends: all above count it. */
static void pool_count_below(uint16_t pool, int change)
{
	for (; pool_exists(pool); pool = pool_table[pool].parent)
		pool_table[pool].below = (uint8_t)(pool_table[pool].below + change);
}

/* A new, empty pool below `parent`, which must exist.  LIMIT: no number left, or too deep. */
status_t pool_create(uint16_t parent, uint16_t *pool)
{
	uint16_t i = POOL_ROOT + 1;

	if (pool_depth(parent) >= POOL_DEPTH_MAX || !pool_has_number(parent))
		return ST_LIMIT;
	while (pool_table[i].live)
		i++; /* the root's limit leaves a number */
	pool_table[i] = (struct pool){ .live = true,
		.parent = parent,
		.priority = pool_table[parent].priority,
		.below_max = pool_table[parent].below_max };
	pool_count_below(parent, 1);
	*pool = i;
	return ST_OK;
}

static bool pool_has_child(uint16_t pool)
{
	for (uint32_t i = 1; i < POOL_COUNT; i++)
		if (pool_table[i].live && pool_table[i].parent == pool)
			return true;
	return false;
}

/* See pool.h. */
status_t pool_destroy(uint16_t pool, uint16_t holder)
{
	struct pool *entry = &pool_table[pool < POOL_COUNT ? pool : 0];

	if (pool == holder || !pool_is_within(pool, holder))
		return ST_NO_RIGHT;
	if (entry->frames || entry->borrowed || entry->users || pool_has_child(pool))
		return ST_BUSY;
	entry->live = false;
	pool_count_below(entry->parent, -1);
	return ST_OK;
}

/* See pool.h. */
bool pool_has_device(uint16_t pool, uint64_t first, uint64_t count)
{
	const struct pool *entry = &pool_table[pool];

	if (pool == POOL_ROOT)
		return true;
	return first >= entry->device_first && count <= entry->device_count &&
	       first - entry->device_first <= entry->device_count - count;
}

/* See pool.h. */
void pool_add_user(uint16_t pool)
{
	if (pool != 0)
		pool_table[pool].users++;
}

/* See pool.h. */
void pool_remove_user(uint16_t pool)
{
	if (pool == 0)
		return;
	if (pool_table[pool].users == 0)
		panic("pool %u has no user left to remove", pool);
	pool_table[pool].users--;
}
