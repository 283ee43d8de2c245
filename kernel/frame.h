/*
 * The frame table: types, references, holds, flush epochs.
 *
 * The one safety mechanism of the kernel.  Rules (checked by frame_check_all, part of kernel_ok):
 *   - a frame has one type; refs = present entries that point to it; ZERO is not counted
 *   - a type changes only with refs, holds and live 0, after a flush since the last reference
 *   - a frame is cleared when it goes into or comes out of a kernel-interpreted type
 *   - counters refuse at their limit, they never wrap
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include <stdbool.h>
#include <faultline/frame.h>
#include <faultline/status.h>
#include <machine/memory.h>

extern uint32_t frame_count;     /* entries of the table */
extern pfn_t frame_zero;         /* the ZERO frame */
extern uint32_t frame_refs_limit; /* counters refuse at this value; lowered by a test hook */

/* The entry of a frame, or NULL when it is no RAM. */
static inline struct frame *frame_get(pfn_t pfn)
{
	return pfn < frame_count && frame_table[pfn].type != FRAME_NONE ? &frame_table[pfn] : 0;
}

/* Types whose contents the kernel (or the MMU) interprets. */
bool frame_type_is_table(frame_type_t type);
bool frame_type_is_interpreted(frame_type_t type); /* tables, TOP, SPACE, THREAD, PORT */

/* Nothing uses the frame, and it may be given another use: flushes everything itself when the last
   reference went in the current epoch.  False: in use. */
bool frame_make_quiet(pfn_t pfn);

/* Change the type of an unused frame (also of objects, by the kernel itself), clearing as the rules ask.
   BUSY when in use. */
status_t frame_retype(pfn_t pfn, frame_type_t type) MUST_CHECK;

/* Count a hold; LIMIT at the limit.  frame_release panics when there is none. */
status_t frame_hold(pfn_t pfn) MUST_CHECK;
void frame_release(pfn_t pfn);

/* Walks all frames and tables: refs, live, holds-free types, rights of entries.  Returns 0 or the number of the rule
   violated (enum in frame.c's header comment and docs/frames.md), with *where = frame.  Host and kernel. */
uint32_t frame_check_all(pfn_t *where);

#endif
