/*
 * The interpreter of operations: one table row per operation, in order, stop at the first refusal.
 *
 * Flush hints are obeyed after the operation, also of one that stopped inside its run: what it
 * finished must be coherent before anybody acts on the answer.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch.h"
#include "flush.h"
#include "frame.h"
#include "pool.h"

#define HINTS	      3u			/* flag bits that hold a FLUSH_* */

static status_t operation_nop(struct batch *batch, const struct op *op);
static status_t operation_flush(struct batch *batch, const struct op *op);

/* flags: those it may have.  Operations on objects have theirs in object_ops.c. */
static const struct operation {
	operation_t *run;
	uint32_t flags;
} operations[] = {
	[OP_NOP] = { operation_nop, 0 },
	[OP_RETYPE] = { frame_op_retype, 0 },
	[OP_SET] = { table_op_set, HINTS },
	[OP_FILL] = { table_op_fill, HINTS | FILL_CLEAR },
	[OP_COPY] = { table_op_copy, HINTS },
	[OP_SPLIT] = { table_op_split, HINTS },
	[OP_MOVE] = { table_op_move, HINTS },
	[OP_CLEAR] = { table_op_clear, HINTS | OP_CLEAR_RUNS },
	[OP_PROTECT] = { table_op_protect, HINTS | OP_PROTECT_SOLE },
	[OP_READ] = { table_op_read, 0 },
	[OP_HARVEST] = { table_op_harvest, HINTS },
	[OP_ZERO] = { frame_op_zero, 0 },
	[OP_COPY_FRAME] = { frame_op_copy, 0 },
	[OP_HOLD] = { frame_op_hold, 0 },
	[OP_RELEASE] = { frame_op_release, 0 },
	[OP_TRANSFER] = { frame_op_transfer, 0 },
	[OP_LEND] = { frame_op_lend, 0 },
	[OP_FLUSH] = { operation_flush, 0 },
	[OP_BLOCK] = { block_op_keep, 0 },
	[OP_POOL_CREATE] = { pool_op_create, 0 },
	[OP_POOL_SET] = { pool_op_set, 0 },
	[OP_POOL_DESTROY] = { pool_op_destroy, 0 },
	[OP_POOL_TAG] = { pool_op_tag, 0 },
	[OP_SPACE_CREATE ... OP_COUNT - 1] = { object_operation, 0 },
};

static status_t operation_nop(struct batch *batch, const struct op *op)
{
	(void)batch;
	(void)op;
	return ST_OK;
}

static status_t operation_flush(struct batch *batch, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	const struct frame *frame = batch_frame(batch, pfn);

	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	if (pfn == 0) {
		flush_hinted_all();
		return ST_OK;
	}
	if (!frame)
		return ST_BAD_FRAME;
	if (frame->type != FRAME_SPACE)
		return ST_WRONG_TYPE;
	flush_space((struct space *)frame_memory(pfn));
	return ST_OK;
}

static void batch_flush(const struct batch *batch, uint32_t hint)
{
	if (hint == FLUSH_SPACE && batch->scope)
		flush_space(batch->scope);
	else
		flush_hinted_all();
}

/* The rare forms of an operation: hints, unknown bits. */
static __attribute__((noinline)) status_t batch_operation(struct batch *batch, const struct op *op)
{
	uint32_t code = OP_CODE(op->head), flags = OP_FLAGS(op->head), hint = flags & HINTS;
	status_t status;

	if (op->head & OP_HEAD_RESERVED)
		return ST_BAD_ARGUMENT;
	if (code >= OP_SPACE_CREATE)
		return code < OP_COUNT ? object_operation(batch, op) : ST_BAD_CALL;
	if ((flags & ~operations[code].flags) || hint > FLUSH_ALL)
		return ST_BAD_ARGUMENT;
	status = operations[code].run(batch, op);
	if (hint != FLUSH_NONE && (status == ST_OK || batch->done != 0))
		batch_flush(batch, hint);
	return status;
}

/* See batch.h. */
struct frame *batch_frame(const struct batch *batch, pfn_t pfn)
{
	struct frame *frame = frame_get(pfn);

	return frame && pool_is_within(frame->pool, batch->pool) ? frame : 0;
}

/* See batch.h. */
status_t batch_run(struct batch *batch, const struct op *ops, uint32_t count, uint32_t *index)
{
	const struct op *op = ops;
	status_t status = ST_OK;

	*index = 0;
	batch->done = 0;
	if (!batch->pool)
		return ST_NO_RIGHT;
	batch->end = ops + count;
	batch->list_used = 0;
	batch->tagged = 0;
	for (; op < batch->end; op++) {
		if (likely(!(op->head & OP_HEAD_RARE) && OP_CODE(op->head) < OP_COUNT))
			status = operations[OP_CODE(op->head)].run(batch, op);
		else
			status = batch_operation(batch, op);
		if (unlikely(status != ST_OK))
			break;
		batch->done = 0;
		op += batch->list_used;
		batch->list_used = 0;
	}
	*index = (uint32_t)(op - ops);
	if (unlikely(batch->tagged))
		pool_table[batch->pool].tag_index = *index;
	return status;
}
