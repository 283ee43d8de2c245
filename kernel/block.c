/*
 * 2 MiB entries and the blocks of frames that they map.
 *
 * A block is 512 frames, aligned, DATA of one pool and not lent.  While a 2 MiB entry maps it, all
 * of its frames have FRAME_BLOCK, which keeps their type and pool, and the first, its head, counts
 * such entries in `live`.  Each frame still counts its own 4 KiB entries.  Forming and dissolving
 * a block touches 512 frames, and is paid for as such.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"

static status_t block_check_frame(const struct frame *frame, uint16_t pool)
{
	if (frame->type == FRAME_NONE || frame->pool != pool)
		return ST_BAD_FRAME;
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	return frame->flags & FRAME_LENT ? ST_BUSY : ST_OK;
}

/* May the caller map this block, and can it be one? */
status_t block_check(struct batch *batch, uint64_t entry)
{
	const struct frame *head;
	status_t status = ST_OK;

	if ((entry & ~ENTRY_LARGE) || pte_pfn(entry) % BLOCK_FRAMES != 0)
		return ST_BAD_ARGUMENT;
	if (frame_count < BLOCK_FRAMES || pte_pfn(entry) > frame_count - BLOCK_FRAMES)
		return ST_BAD_FRAME;
	head = entry_target(entry);
	if (!batch_owns(batch, head))
		return ST_BAD_FRAME;
	if (head->flags & FRAME_BLOCK)
		return ST_OK;
	if (!batch_take_work(batch, BLOCK_FRAMES))
		return ST_MORE;
	for (uint32_t i = 0; i < BLOCK_FRAMES && status == ST_OK; i++)
		status = block_check_frame(&head[i], head->pool);
	return status;
}

/* May one more 2 MiB entry to this block exist? */
status_t block_can_count(uint64_t entry)
{
	const struct frame *head = entry_target(entry);

	return head->flags & FRAME_BLOCK && head->live >= frame_short_limit() ? ST_LIMIT : ST_OK;
}

/* Count a 2 MiB entry; the first forms the block, after a flush if one of its frames needs it. */
void block_count(uint64_t entry)
{
	struct frame *head = entry_target(entry);
	bool stale = false;

	if (head->live++ != 0)
		return;
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++) {
		stale |= head[i].refs == 0 && head[i].epoch == flush_epoch;
		head[i].flags = (uint8_t)((head[i].flags & ~FRAME_BLANK) | FRAME_BLOCK);
	}
	if (stale)
		flush_everything();
}

/* Can the end of a 2 MiB entry be reported, and paid for? */
status_t block_can_drop(struct batch *batch, uint64_t entry)
{
	if (entry_target(entry)->live > 1)
		return ST_OK;
	return batch_has_room(batch, 1) && batch_take_work(batch, BLOCK_FRAMES) ? ST_OK : ST_MORE;
}

/* A 2 MiB entry is no more; the last one dissolves the block.  The head's DIRTY was that of all. */
void block_drop(struct batch *batch, uint64_t entry)
{
	struct frame *head = entry_target(entry);
	uint8_t dirty;

	if (entry & PTE_D)
		head->flags |= FRAME_DIRTY;
	if (--head->live != 0)
		return;
	dirty = head->flags & FRAME_DIRTY;
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++) {
		head[i].flags = (uint8_t)((head[i].flags & ~FRAME_BLOCK) | dirty);
		if (head[i].refs == 0)
			head[i].epoch = flush_epoch;
	}
	batch_result(batch, ((uint64_t)RESULT_FRAME << 60) | RESULT_BLOCK |
				    ((uint64_t)dirty << 32) | pte_pfn(entry));
}
