/*
 * The operations on frames: type, contents, holds, owner.
 *
 * Those that work on `count` frames stop at the first that refuses, with the ones before it done.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch.h"
#include "entry.h"
#include "flush.h"
#include "percpu.h"
#include "pool.h"
#include <stddef.h>

/* One frame of a run. */
typedef status_t frame_step_t(struct batch *batch, pfn_t pfn, uint64_t a);

static status_t frame_run(struct batch *batch, const struct op *op, frame_step_t *step)
{
	uint32_t count = OP_ENTRIES(op->head);
	status_t status = ST_OK;

	if (count == 0 || count > TABLE_ENTRIES)
		return ST_BAD_ARGUMENT;
	for (uint32_t i = 0; i < count; i++) {
		status = step(batch, OP_PFN(op->head) + i, op->a);
		if (status != ST_OK)
			break;
		batch->done = i + 1;
	}
	return status;
}

/* The types that operations give and take; the others belong to the kernel. */
static bool type_is_free_to_choose(uint64_t type)
{
	return type == FRAME_FREE || type == FRAME_DATA || type == FRAME_MSG ||
	       type == FRAME_TRACE || (type >= FRAME_L1 && type < FRAME_L1 + LAYOUT_LEVELS - 1);
}

static status_t retype_step(struct batch *batch, pfn_t pfn, uint64_t type)
{
	const struct frame *frame = batch_frame(batch, pfn);
	bool clears;

	if (!frame)
		return ST_BAD_FRAME;
	if (!type_is_free_to_choose(frame->type))
		return ST_WRONG_TYPE;
	if (!frame_is_unused(frame))
		return ST_BUSY;
	clears = frame_type_change_clears((frame_type_t)frame->type, (frame_type_t)type);
	if (!batch_take_work(batch, clears ? OP_WORK_CLEAR : 1))
		return ST_MORE;
	return frame_retype(pfn, (frame_type_t)type);
}

/* Change the type of unused frames. */
status_t frame_op_retype(struct batch *batch, const struct op *op)
{
	if (op->b || !type_is_free_to_choose(op->a))
		return ST_BAD_ARGUMENT;
	return frame_run(batch, op, retype_step);
}

static status_t zero_step(struct batch *batch, pfn_t pfn, uint64_t unused)
{
	struct frame *frame = batch_frame(batch, pfn);
	bool is_quiet;

	(void)unused;
	if (!frame)
		return ST_BAD_FRAME;
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (!batch_take_work(batch, OP_WORK_CLEAR))
		return ST_MORE;
	is_quiet = frame_make_quiet(pfn); /* through an old translation it could be written once more */
	if (is_quiet && frame->flags & FRAME_BLANK)
		return ST_OK;
	memory_fill_words(frame_memory(pfn), 0, TABLE_ENTRIES);
	counters.frames_cleared++;
	if (is_quiet)
		frame->flags |= FRAME_BLANK;
	return ST_OK;
}

/* Do these frames belong to one block of the caller's?  Then they are DATA of its, and none is unused. */
static bool is_in_block(const struct batch *batch, pfn_t pfn, uint32_t count)
{
	return pfn < frame_count && frame_table[pfn].flags & FRAME_BLOCK && count != 0 &&
	       pfn % BLOCK_FRAMES + count <= BLOCK_FRAMES && batch_owns(batch, &frame_table[pfn]);
}

/* What zero_step() does to each of them. */
static status_t zero_in_block(struct batch *batch, pfn_t pfn, uint32_t count)
{
	uint32_t most = batch->work_left / OP_WORK_CLEAR, now = count < most ? count : most;

	batch->work_left -= now * OP_WORK_CLEAR;
	memory_fill_words(frame_memory(pfn), 0, (uint64_t)now * TABLE_ENTRIES);
	counters.frames_cleared += now;
	batch->done = now;
	return now == count ? ST_OK : ST_MORE;
}

/* Fill frames with zeros. */
status_t frame_op_zero(struct batch *batch, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);

	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	if (is_in_block(batch, pfn, OP_ENTRIES(op->head)))
		return zero_in_block(batch, pfn, OP_ENTRIES(op->head));
	return frame_run(batch, op, zero_step);
}

static bool type_has_bytes(uint32_t type)
{
	return type == FRAME_DATA || type == FRAME_MSG;
}

static status_t copy_part(struct batch *batch, const struct op *op)
{
	uint64_t from = op->b & 0xfff, to = (op->b >> 16) & 0xfff, bytes = (op->b >> 32) & 0x1fff;
	const uint8_t *source = frame_memory(OP_PFN(op->head));
	uint8_t *target = frame_memory((pfn_t)op->a);

	if ((op->b & ~0x1fff0fff0fffull) || bytes == 0 || from + bytes > PAGE_SIZE ||
		to + bytes > PAGE_SIZE || OP_PFN(op->head) == op->a)
		return ST_BAD_ARGUMENT;
	if (!batch_take_work(batch, (uint32_t)(bytes + 7) / 8))
		return ST_MORE;
	frame_table[op->a].flags &= (uint8_t)~FRAME_BLANK;
	__builtin_memcpy(target + to, source + from, bytes);
	return ST_OK;
}

/* Copy a frame's bytes, all or a part, through the direct map. */
status_t frame_op_copy(struct batch *batch, const struct op *op)
{
	const struct frame *source = frame_get(OP_PFN(op->head));
	const struct frame *target = op->a < frame_count ? frame_get((pfn_t)op->a) : NULL;

	if (!source || !target)
		return ST_BAD_FRAME;
	if (source->type != FRAME_ZERO && !batch_may_map(batch, source))
		return ST_BAD_FRAME;
	if (!batch_may_map(batch, target))
		return ST_BAD_FRAME;
	if (!type_has_bytes(target->type) ||
		(source->type != FRAME_ZERO && !type_has_bytes(source->type)))
		return ST_WRONG_TYPE;
	if (op->b != 0)
		return copy_part(batch, op);
	if (!batch_take_work(batch, TABLE_ENTRIES))
		return ST_MORE;
	frame_table[op->a].flags &= (uint8_t)~FRAME_BLANK;
	memory_copy_words(
		frame_memory((pfn_t)op->a), frame_memory(OP_PFN(op->head)), TABLE_ENTRIES);
	counters.frames_copied++;
	return ST_OK;
}

/* The holds of other types are the kernel's own: a message page is held by its thread. */
static bool type_may_be_held(uint32_t type)
{
	return type == FRAME_DATA || (type >= FRAME_L1 && type < FRAME_TOP);
}

/* Count one more user of a DATA frame or table. */
status_t frame_op_hold(struct batch *batch, const struct op *op)
{
	const struct frame *frame = batch_frame(batch, OP_PFN(op->head));

	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	if (!frame)
		return ST_BAD_FRAME;
	return type_may_be_held(frame->type) ? frame_hold(OP_PFN(op->head)) : ST_WRONG_TYPE;
}

/* Undo a hold; MISMATCH when there is none.  A lent frame keeps the hold of its lending. */
status_t frame_op_release(struct batch *batch, const struct op *op)
{
	const struct frame *frame = batch_frame(batch, OP_PFN(op->head));

	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	if (!frame)
		return ST_BAD_FRAME;
	if (!type_may_be_held(frame->type))
		return ST_WRONG_TYPE;
	if (frame->holds == (frame->flags & FRAME_LENT ? 1 : 0))
		return ST_MISMATCH;
	frame_release(OP_PFN(op->head));
	return ST_OK;
}

static status_t transfer_step(struct batch *batch, pfn_t pfn, uint64_t pool)
{
	struct frame *frame = batch_frame(batch, pfn);

	if (!frame)
		return ST_BAD_FRAME;
	if (frame->type != FRAME_FREE && frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (!batch_take_work(batch, 1))
		return ST_MORE;
	if (!frame_make_quiet(pfn))
		return ST_BUSY;
	pool_table[frame->pool].frames--;
	pool_table[pool].frames++;
	frame->pool = (uint16_t)pool;
	frame->flags = 0;
	return ST_OK;
}

/* Is it a pool above or below the caller's?  No other may be given anything: a frame that it has not
   asked for would keep it from ending. */
static bool pool_is_related(const struct batch *batch, uint64_t pool)
{
	return pool < POOL_COUNT && (pool_is_within((uint16_t)pool, batch->pool) ||
					    pool_is_within(batch->pool, (uint16_t)pool));
}

/* Give unused frames to a pool above or below the caller's. */
status_t frame_op_transfer(struct batch *batch, const struct op *op)
{
	if (op->b)
		return ST_BAD_ARGUMENT;
	if (!pool_is_related(batch, op->a))
		return ST_NO_RIGHT;
	return frame_run(batch, op, transfer_step);
}

static status_t lend_end(pfn_t pfn, struct frame *frame)
{
	if (!(frame->flags & FRAME_LENT))
		return ST_MISMATCH;
	if (frame->refs != 0)
		return ST_BUSY;
	if (frame->epoch == flush_epoch)
		flush_everything(); /* the borrower may still reach it */
	pool_table[frame->live].borrowed--;
	frame->live = 0;
	frame->flags &= (uint8_t)~FRAME_LENT;
	frame_release(pfn);
	return ST_OK;
}

/* Let a pool above or below map a DATA frame, or end that. */
status_t frame_op_lend(struct batch *batch, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	struct frame *frame = batch_frame(batch, pfn);
	status_t status;

	if (op->b)
		return ST_BAD_ARGUMENT;
	if (!frame)
		return ST_BAD_FRAME;
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (op->a == 0)
		return lend_end(pfn, frame);
	if (!pool_is_related(batch, op->a))
		return ST_NO_RIGHT;
	if (frame->flags & (FRAME_LENT | FRAME_BLOCK))
		return ST_BUSY;
	status = frame_hold(pfn);
	if (status != ST_OK)
		return status;
	pool_table[op->a].borrowed++;
	frame->live = (uint16_t)op->a;
	frame->flags |= FRAME_LENT;
	return ST_OK;
}
