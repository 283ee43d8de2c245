/*
 * Gathering: blocks for large pages (blocks.h) are formed again, of frames that are free.
 *
 * When memory ran low, or a large page was split, frames of blocks came to the queue one by one.  So when nobody
 * else has work for the processor, and blocks are few, the pager looks for aligned 2 MiB all of whose frames are
 * in the queue:
 *
 *	look   at the words of some frames, and mark those of a few such candidates
 *	turn   the queue round once, some frames at a time: from its front to its end, but marked ones stay aside
 *	form   a block of each candidate that is whole; what is aside of the others goes back to the queue
 *
 * Each step is short.  Between two of them anybody may take and free frames: a candidate that lost some is not whole.
 * Frames that are aside are free, but not counted in frame_pool.free; they go back when memory runs low.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_GATHER_H
#define PAGER_GATHER_H

#include "mmu.h"
#include <stdbool.h>
#include <stdint.h>

#define GATHER_MOST 8u /* candidates at a time */

struct gather {
	enum { GATHER_LOOK, GATHER_TURN, GATHER_FORM } phase;
	pfn_t next; /* where to look on */
	uint32_t count;
	struct candidate {
		pfn_t head;
		uint32_t aside;
	} candidates[GATHER_MOST];
	uint64_t left;	/* frames of the queue that are still to come */
	uint64_t aside; /* of all candidates */
};
extern struct gather gather;

/* One step.  False: nothing is to be done just now.  Nothing may have been collected. */
bool gather_step(void);

/* Frames are few: one candidate less. */
void gather_give_back(void);

#endif
