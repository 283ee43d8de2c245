/*
 * Holders: who refers to which frame, by a walk of our own.
 *
 * For each table there is a copy of the frames that its entries name.  After each operation the
 * entries that it was about are read again, and what changed is compared with what the frame
 * table counts: references of each frame named or no longer named, live entries of the table.  At
 * intervals everything is walked: so changes that no operation asked for are seen, too, and frames
 * that nobody holds.
 *
 * A frame that gets its first reference, another type or another pool must be out of all
 * processors' memories (stale use), whatever flushes the pager asked for.
 *
 * Written from docs/frames.md; shares no code with kernel/frame_check.c or servers/pager/check.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_HOLDERS_H
#define MODEL_HOLDERS_H

#include <faultline/frame.h>
#include <faultline/op.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define HOLDERS_FRAMES_MAX 4096u

/* Walk everything, and look on from here (pager_machine.h: machine_watch).  The frames from
   `own_end` on are not the pager's. */
void holders_start(uint32_t frames, pfn_t own_end);

/* Before and after one operation. */
void holders_before(const struct op *op);
void holders_after(const struct op *op, status_t status);

/* Everything.  `idle`: frames that the pager says are free; `spaces`: how many it has. */
void holders_check(uint64_t idle, uint64_t spaces, bool is_settled);

/* The entries that name a frame: at most `max`; returns how many there are. */
struct holder {
	pfn_t table;
	uint32_t index;
};
uint32_t holders_find(pfn_t frame, struct holder *found, uint32_t max);

/* Entries that name it. */
uint32_t holders_count(pfn_t frame);

#endif
