/*
 * Blocks: aligned 2 MiB of frames for large pages, kept apart from the queue of free frames.
 *
 *   start:  up to half of each range ---> free blocks ---take---> [being cleared] ---> mapped
 *                                            ^  |                                         |
 *                            nothing else uses  | the queue runs low          last 2 MiB entry goes, or
 *                               its frames |    v                                   is split
 *                                          |  (queue)                                     |
 *                                        dropped <----------------------------------------'
 *
 * The kernel knows them as blocks that are kept (OP_BLOCK), so a first touch maps one without a look at 512
 * frames.  All frames of a block have KIND_BLOCK from its forming to its end, so no page of one is anybody's
 * sole page.  A block ends when its last 2 MiB entry is split, or when that goes while relatives still map some
 * of its pages by leaf tables: these become KIND_ANONYMOUS, and the rest is queued.  When the machine is idle blocks are
 * formed again (gather.h).
 *
 * Some of the free ones are clean: all zeros, cleared in idle time, so that a first touch need not.
 *
 * Frames of free blocks are not counted in frame_pool.free, which the reserves are about: blocks are given
 * for large pages only as long as the queue is longer than these.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_BLOCKS_H
#define PAGER_BLOCKS_H

#include "frame_pool.h"
#include "gather.h"

#define BLOCK_FRAMES 512u

struct blocks {
	pfn_t first;	/* free ones, linked by frame_info.next of their heads; 0: none ... */
	pfn_t clean;	/* ... and those that are zeros */
	uint64_t count; /* of both */
	uint64_t clean_count;
	uint32_t cleared; /* pages of the first one so far */
	pfn_t dropped;	/* likewise, those that the reaper has to look at */
	uint64_t dropped_count;
	uint64_t low;	/* with fewer frames in the queue a block is given to it */
};
extern struct blocks blocks;

/* An aligned run of unused frames, typed DATA, becomes a free block. */
MUST_CHECK status_t blocks_add(pfn_t head);

/* Is there one, and is memory not short? */
static inline bool blocks_has(void)
{
	return blocks.count != 0 && frame_pool.free >= blocks.low && frame_pool_has(1);
}

/* Take a free one, *is_clean or not, if there is such; what it is, is *is_clean. */
pfn_t blocks_take(bool *is_clean);

/* Take one back that is not mapped. */
void blocks_give(pfn_t head);

/* Clear a part of one; for idle time.  False: there are clean ones enough.  Nothing may have been collected. */
bool blocks_clear_step(void);

/* The last 2 MiB entry of a block went. */
void blocks_drop(pfn_t head);

/* Look at one of these: it is free again, or ends.  Nothing may have been collected. */
void blocks_reap(void);

/* The operation that splits a 2 MiB entry was collected; `is_last`: it will be the end of the block. */
void blocks_split(pfn_t head, bool is_last);

/* The operations were refused after all (frame_pool_undo()). */
void blocks_unsplit(pfn_t head);

/* Does the queue run low while there are blocks? */
static inline bool blocks_are_wanted(void)
{
	return frame_pool.free < blocks.low && (blocks.count != 0 || gather.aside != 0);
}

/* Then give it some.  Nothing may have been collected. */
void blocks_break(void);
static inline void blocks_refill(void)
{
	if (__builtin_expect(blocks_are_wanted(), 0))
		blocks_break();
}

/* Frames that are free, those of blocks, and to become such, with them. */
static inline uint64_t blocks_frames_free(void)
{
	return frame_pool.free + blocks.count * BLOCK_FRAMES + gather.aside;
}

/* The lists are what the counts say, and the frames what their kinds say; `taken` blocks are neither mapped
   nor in a list.  0, or a rule of check.h. */
uint32_t blocks_check(uint64_t taken, uint64_t *where);

#endif
