/*
 * The frame table: changes of type, holds, and when a frame is at rest.
 *
 * A frame is *unused* when nothing refers to it, and *quiet* when, in addition, no processor can
 * still hold a translation to it: its last reference went in an earlier flush epoch than the
 * current one.  Only quiet frames change type or pool, or get a first reference.  Quiet is made
 * here, by a full flush if need be; frees go through queues, so this is nearly always so already.
 *
 * An empty table (live = 0) is a page of zeros, so it needs no clearing when it stops being a
 * table.  What has been cleared is remembered (BLANK) until somebody may have written it: until its
 * last reference goes, it is held, copied to, or part of a block.  So an object's frame is cleared when
 * the object ends, and not again when it becomes another's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "frame.h"
#include "flush.h"
#include "log.h"
#include "percpu.h"

uint32_t frame_count;
pfn_t frame_zero;
uint32_t frame_device_limit;
pfn_t frame_device_kernel;
uint32_t frame_refs_limit = FRAME_REFS_MAX;

/* Is it a level of page tables, the top included? */
bool frame_type_is_table(frame_type_t type)
{
	return type >= FRAME_L1 && type <= FRAME_TOP;
}

/* Does the kernel or the MMU act on what the frame contains? */
bool frame_type_is_interpreted(frame_type_t type)
{
	return type >= FRAME_L1 && type <= FRAME_PORT;
}

/* An unused table is empty.  (A TOP has the kernel's entries even then.) */
static bool type_leaves_zeros(frame_type_t type)
{
	return frame_type_is_table(type) && type != FRAME_TOP;
}

/* See frame.h. */
bool frame_type_change_clears(frame_type_t from, frame_type_t to)
{
	if (type_leaves_zeros(from))
		return false;
	return frame_type_is_interpreted(from) || frame_type_is_interpreted(to);
}

/* See frame.h.  (A lending counts a hold, and has its borrower in `live`.) */
bool frame_is_unused(const struct frame *frame)
{
	return frame->refs == 0 && frame->holds == 0 && frame->live == 0 &&
	       !(frame->flags & FRAME_BLOCK);
}

/* See frame.h. */
bool frame_make_quiet(pfn_t pfn)
{
	const struct frame *frame = frame_get(pfn);

	if (!frame || !frame_is_unused(frame))
		return false;
	if (unlikely(frame->epoch == flush_epoch))
		flush_everything();
	return true;
}

/* See frame.h. */
status_t frame_retype(pfn_t pfn, frame_type_t type)
{
	struct frame *frame = &frame_table[pfn];
	bool blank;

	if (!frame_make_quiet(pfn))
		return ST_BUSY;
	blank = frame->flags & FRAME_BLANK || type_leaves_zeros((frame_type_t)frame->type);
	if (!blank && frame_type_change_clears((frame_type_t)frame->type, type)) {
		memory_fill_words(frame_memory(pfn), 0, TABLE_ENTRIES);
		counters.frames_cleared++;
		blank = true;
	}
	frame->type = (uint8_t)type;
	frame->flags = 0;
	if (blank && (type == FRAME_FREE || type == FRAME_DATA))
		frame->flags = FRAME_BLANK;
	return ST_OK;
}

/* See frame.h. */
status_t frame_hold(pfn_t pfn)
{
	struct frame *frame = &frame_table[pfn];

	if (frame->holds >= frame_short_limit())
		return ST_LIMIT;
	frame->holds++;
	frame->flags &= (uint8_t)~FRAME_BLANK;
	return ST_OK;
}

/* See frame.h. */
void frame_release(pfn_t pfn)
{
	struct frame *frame = &frame_table[pfn];

	if (frame->holds == 0)
		panic("frame %u (type %u) released without a hold", pfn, frame->type);
	frame->holds--;
}
