/*
 * Blocks of frames (model and rules: blocks.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "blocks.h"

#include "check.h"
#include "stock.h"

extern bool job_work_left; /* job.h */

#define BROKEN_AT_ONCE 4u
#define CLEAN_SHARE    4u  /* one block in so many is to be clean ... */
#define CLEAN_MOST     32u /* ... but no more than 64 MiB */
#define CLEAR_PAGES    32u /* in one step */

struct blocks blocks;

static void set_kinds(pfn_t head, enum frame_kind kind)
{
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		frame_pool.info[head + i].kind = (uint8_t)kind;
}

/* OP_BLOCK: kept, or no longer. */
static status_t keep(pfn_t head, bool is_kept)
{
	mmu_add(op_head(OP_BLOCK, 0, head, 0, 0), is_kept, 0);
	return mmu_run();
}

/* See the header. */
void blocks_give(pfn_t head)
{
	frame_pool.info[head].next = blocks.first;
	blocks.first = head;
	blocks.count++;
	blocks.cleared = 0;
}

/* See the header. */
status_t blocks_add(pfn_t head)
{
	status_t status = keep(head, true);

	if (status != ST_OK)
		return status;
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		frame_pool.info[head + i] = (struct frame_info){ .kind = KIND_BLOCK };
	blocks_give(head);
	return ST_OK;
}

/* See the header. */
pfn_t blocks_take(bool *is_clean)
{
	pfn_t head;

	*is_clean = blocks.first == 0 || (*is_clean && blocks.clean != 0);
	head = *is_clean ? blocks.clean : blocks.first;
	blocks.count--;
	if (*is_clean) {
		blocks.clean = frame_pool.info[head].next;
		blocks.clean_count--;
		stock_rouse();
	} else {
		blocks.first = frame_pool.info[head].next;
		blocks.cleared = 0;
	}
	return head;
}

/* See the header.  Before the first part all translations go: nobody writes to what is zeros. */
bool blocks_clear_step(void)
{
	pfn_t head = blocks.first;

	if (head == 0 || blocks.clean_count >= CLEAN_MOST ||
		blocks.clean_count >= blocks.count / CLEAN_SHARE)
		return false;
	if (blocks.cleared == 0)
		mmu_add(op_head(OP_FLUSH, 0, 0, 0, 0), 0, 0);
	mmu_add(op_head(OP_ZERO, 0, head + blocks.cleared, 0, CLEAR_PAGES), 0, 0);
	if (mmu_run() != ST_OK)
		return false; /* pager_check() reports what is wrong with it */
	blocks.cleared += CLEAR_PAGES;
	if (blocks.cleared < BLOCK_FRAMES)
		return true;
	blocks.cleared = 0;
	blocks.first = frame_pool.info[head].next;
	frame_pool.info[head].next = blocks.clean;
	blocks.clean = head;
	blocks.clean_count++;
	return true;
}

/* See the header. */
void blocks_drop(pfn_t head)
{
	frame_pool.info[head].next = blocks.dropped;
	blocks.dropped = head;
	blocks.dropped_count++;
	job_work_left = true;
}

static bool is_unused(pfn_t head)
{
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		if (mmu_frame(head + i)->refs != 0)
			return false;
	return true;
}

/* The block is no more: what is still mapped are ordinary pages, the rest is free. */
static void queue_frames(pfn_t head)
{
	for (pfn_t pfn = head; pfn < head + BLOCK_FRAMES; pfn++) {
		if (mmu_frame(pfn)->refs != 0)
			frame_pool_set_kind(pfn, KIND_ANONYMOUS);
		else
			frame_pool_put_run(pfn, 1);
	}
}

/* See the header. */
void blocks_reap(void)
{
	pfn_t head = blocks.dropped;

	blocks.dropped = frame_pool.info[head].next;
	blocks.dropped_count--;
	if (is_unused(head))
		blocks_give(head);
	else if (keep(head, false) == ST_OK)
		queue_frames(head);
}

/* See the header. */
void blocks_split(pfn_t head, bool is_last)
{
	if (!is_last)
		return;
	set_kinds(head, KIND_ANONYMOUS);
	frames_taken.frames[frames_taken.count++] = head | FRAMES_TAKEN_SPLIT;
}

/* See the header. */
void blocks_unsplit(pfn_t head)
{
	if (mmu_frame(head)->flags & FRAME_BLOCK)
		set_kinds(head, KIND_BLOCK);
}

/* See the header. */
void blocks_break(void)
{
	for (uint32_t i = 0; i < BROKEN_AT_ONCE && blocks_are_wanted(); i++) {
		bool is_clean = false;
		pfn_t head;

		if (gather.aside != 0) {
			gather.left = 0;
			gather_give_back();
			continue;
		}
		head = blocks_take(&is_clean);
		if (keep(head, false) != ST_OK) {
			blocks_give(head);
			return;
		}
		frame_pool_put_run(head, BLOCK_FRAMES);
	}
}

/* Frames in a list of blocks that nothing maps by 2 MiB; UINT64_MAX: one is wrong. */
static uint64_t list_length(pfn_t head, bool is_free, uint64_t *where)
{
	uint64_t length = 0;

	for (; head != 0; head = frame_pool.info[head].next, length++) {
		*where = head;
		if (head % BLOCK_FRAMES != 0 || length > frame_pool.frame_count ||
			!(mmu_frame(head)->flags & FRAME_KEPT) || mmu_frame(head)->live != 0 ||
			(is_free && !is_unused(head)))
			return UINT64_MAX;
	}
	return length;
}

/* See the header. */
uint32_t blocks_check(uint64_t taken, uint64_t *where)
{
	uint64_t idle = 0;

	if (list_length(blocks.first, true, where) != blocks.count - blocks.clean_count ||
		list_length(blocks.clean, true, where) != blocks.clean_count ||
		list_length(blocks.dropped, false, where) != blocks.dropped_count)
		return CHECK_BLOCKS;
	for (pfn_t pfn = 0; pfn < frame_pool.frame_count; pfn++) {
		const struct frame *frame = mmu_frame(pfn);

		*where = pfn;
		if ((frame_kind(pfn) == KIND_BLOCK) != ((frame->flags & FRAME_BLOCK) != 0))
			return CHECK_BLOCKS;
		idle += frame->flags & FRAME_KEPT && frame->live == 0 ? 1 : 0;
	}
	*where = 0;
	return idle == blocks.count + blocks.dropped_count + taken ? CHECK_OK : CHECK_BLOCKS;
}
