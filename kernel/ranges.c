/*
 * From a firmware's memory map to runs of frames.
 *
 * First all RAM is put in order and joined, then everything else is cut out of it: what two entries
 * contradict each other about is not RAM.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "ranges.h"
#include <faultline/layout.h>
#include <stddef.h>

#define FRAMES_END (1ull << FRAME_NUMBER_BITS)

/* See ranges.h. */
bool ranges_add(struct memory_map *map, uint64_t start, uint64_t bytes, uint32_t kind)
{
	struct info_range *last = map->count ? &map->ranges[map->count - 1] : NULL;

	if (bytes > UINT64_MAX - start)
		bytes = UINT64_MAX - start;
	if (bytes == 0)
		return true;
	if (last && last->kind == kind && last->start + last->bytes == start) {
		last->bytes += bytes;
		return true;
	}
	if (map->count == MEMORY_MAP_MAX)
		return false;
	map->ranges[map->count++] =
		(struct info_range){ .start = start, .bytes = bytes, .kind = kind };
	return true;
}

static pfn_t frame_clamp(uint64_t frame)
{
	return (pfn_t)(frame < FRAMES_END ? frame : FRAMES_END);
}

/* Frames wholly inside the range, without frame 0. */
static struct frame_run run_inside(const struct info_range *range)
{
	uint64_t first = range->start / PAGE_SIZE + (range->start % PAGE_SIZE != 0);

	return (struct frame_run){ frame_clamp(first ? first : 1),
		frame_clamp((range->start + range->bytes) / PAGE_SIZE) };
}

/* Frames touched by the range. */
static struct frame_run run_touched(const struct info_range *range)
{
	uint64_t last = range->start + range->bytes - 1;

	return (struct frame_run){ frame_clamp(range->start / PAGE_SIZE),
		frame_clamp(last / PAGE_SIZE + 1) };
}

static void run_insert(struct frame_run *runs, uint32_t count, struct frame_run run)
{
	uint32_t at = count;

	for (; at > 0 && runs[at - 1].first > run.first; at--)
		runs[at] = runs[at - 1];
	runs[at] = run;
}

/* Joins sorted runs that overlap or touch. */
static uint32_t runs_join(struct frame_run *runs, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (kept && runs[i].first <= runs[kept - 1].end) {
			if (runs[i].end > runs[kept - 1].end)
				runs[kept - 1].end = runs[i].end;
		} else {
			runs[kept++] = runs[i];
		}
	}
	return kept;
}

static uint32_t run_remove(struct frame_run *runs, uint32_t count, uint32_t at)
{
	for (uint32_t i = at + 1; i < count; i++)
		runs[i - 1] = runs[i];
	return count - 1;
}

/* Cuts the frames out of one run; returns the new count. */
static uint32_t run_cut(struct frame_run *runs, uint32_t count, uint32_t at, struct frame_run cut)
{
	struct frame_run run = runs[at];

	if (cut.end <= run.first || cut.first >= run.end)
		return count;
	if (cut.first <= run.first && cut.end >= run.end)
		return run_remove(runs, count, at);
	if (cut.first <= run.first) {
		runs[at].first = cut.end;
		return count;
	}
	runs[at].end = cut.first;
	if (cut.end < run.end) {
		run.first = cut.end;
		run_insert(runs, count++, run);
	}
	return count;
}

/* See ranges.h. */
uint32_t ranges_ram(const struct memory_map *map, struct frame_run *runs)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < map->count; i++) {
		struct frame_run run = run_inside(&map->ranges[i]);

		if (map->ranges[i].kind == RANGE_RAM && run.first < run.end)
			run_insert(runs, count++, run);
	}
	count = runs_join(runs, count);
	for (uint32_t i = 0; i < map->count; i++) {
		if (map->ranges[i].kind == RANGE_RAM)
			continue;
		for (uint32_t at = count; at-- > 0;)
			count = run_cut(runs, count, at, run_touched(&map->ranges[i]));
	}
	return count;
}
