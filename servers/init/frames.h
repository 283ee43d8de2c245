/*
 * Init's frames: those that are free, and how they get a type and an owner.
 *
 * All free RAM starts in the root pool.  Init takes what it builds with from here, and hands
 * nearly all of the rest to the pager.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_FRAMES_H
#define INIT_FRAMES_H

#include <faultline/frame.h>
#include <faultline/info.h>
#include <faultline/layout.h>
#include <faultline/status.h>
#include <stdint.h>

struct frame_range {
	pfn_t first;
	uint32_t count;
};

/* Where a table of that level has the entry for an address. */
static inline uint32_t table_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

/* Finds the free frames by the frame table, and init's own top-level table.  NOT_FOUND: no such
   table. */
status_t frames_find(const struct info_boot *boot) MUST_CHECK;

/* A run of free frames that starts at a multiple of `align`.  NO_MEMORY. */
status_t frames_take(uint32_t count, uint32_t align, pfn_t *first) MUST_CHECK;

/* The largest run there is, at most `count` frames; returns its length, 0 when nothing is left. */
uint32_t frames_take_largest(uint32_t count, pfn_t *first);

/* Frames that are left. */
uint32_t frames_left(void);

/* One frame, given to the pool and typed (DATA: zeroed).  pool may be the root pool. */
status_t frames_make(uint32_t pool, frame_type_t type, pfn_t *pfn) MUST_CHECK;

/* Gives a run of frames to a pool. */
status_t frames_give(struct frame_range range, uint32_t pool) MUST_CHECK;

/* The frame behind one of init's own addresses. */
status_t frames_behind(const void *address, pfn_t *pfn) MUST_CHECK;

/* Maps a frame at an address of init's own; the table for it must exist. */
status_t frames_map_own(void *address, pfn_t pfn, uint64_t bits) MUST_CHECK;

#endif
