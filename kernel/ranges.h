/*
 * From a firmware's memory map to runs of frames.  Pure functions, also tested on the host.
 *
 * Firmware maps are unsorted, may overlap, hold empty entries, and end anywhere within a page.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_RANGES_H
#define KERNEL_RANGES_H

#include <faultline/frame.h>
#include <faultline/info.h>
#include <stdbool.h>

#define MEMORY_MAP_MAX 512

/* The firmware's map, as it came, neighbours of one kind joined. */
struct memory_map {
	uint32_t count;
	struct info_range ranges[MEMORY_MAP_MAX];
};

extern struct memory_map memory_map; /* boot.c */

/* Frames first .. end-1. */
struct frame_run {
	pfn_t first, end;
};

/* Each range is a run, or splits one. */
#define FRAME_RUNS_MAX MEMORY_MAP_MAX

/* Adds a range: empty ones are left out, what lies beyond 64 bits is cut off.  False: the map is
   full. */
bool ranges_add(struct memory_map *map, uint64_t start, uint64_t bytes, uint32_t kind);

/*
 * The frames that are wholly RAM and not touched by any other kind of range, as ascending, disjoint
 * runs that do not touch; frame 0 and frames beyond FRAME_NUMBER_BITS are left out.  `runs` has
 * room for FRAME_RUNS_MAX.  Returns their number.
 */
uint32_t ranges_ram(const struct memory_map *map, struct frame_run *runs);

#endif
