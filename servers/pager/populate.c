/*
 * Filling a range ahead of use (populate.h).
 *
 * The first page of each leaf table is touched as the program would; that makes the tables the
 * space's own.  Empty entries behind it are then filled a run at a time, if the memory is
 * anonymous and writable; all other pages are touched one by one.  Left out are pages that nobody
 * may access, those beyond the end of an object, and those that can only be read as zeros: so the
 * work is bounded by memory, however long the range is.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "populate.h"

#include "fault.h"
#include "large.h"
#include "object.h"
#include "stat.h"

#define RUN_PAGES    28u /* within a slice */
#define EFFORT_CLEAR 550u /* to clear and map one */
#define EFFORT_TOUCH 3000u /* to do so by a fault, besides the looks at tables */

/* Collect what fills the empty ones of these entries, run by run. */
static void add_fills(pfn_t table, uint32_t index, uint32_t count, const bool *is_empty, uint64_t bits)
{
	uint32_t run;

	for (uint32_t i = 0; i < count; i += run) {
		pfn_t first;

		for (run = 0; i + run < count && is_empty[i + run]; run++)
			continue;
		if (run == 0) {
			run = 1;
			continue;
		}
		first = frame_pool_take_run_for_zeroes(KIND_ANONYMOUS, &run);
		mmu_add(op_head(OP_FILL, FILL_CLEAR, table, index + i, run), pte_make(first, bits), 0);
		pager_counters.frames_zeroed += run;
	}
}

/* Fill the empty ones of `count` entries from the cursor on. */
static status_t fill_run(
	struct space *space, const struct path *path, const struct region *region, uint32_t count)
{
	const struct frame *table = mmu_frame(path->table[1]);
	uint32_t index = level_index(path->address, 1), live = table->live;
	const uint64_t *entries;
	bool is_empty[RUN_PAGES];
	status_t status = tables_read(path->table[1], index, count, &entries);

	if (status != ST_OK)
		return status;
	for (uint32_t i = 0; i < count; i++)
		is_empty[i] = entries[i] == 0;
	tables_effort += count * EFFORT_CLEAR;
	frame_pool_begin();
	add_fills(path->table[1], index, count, is_empty, region_leaf_bits(region) | PTE_W);
	status = tables_run();
	space->resident += table->live - live;
	if (status != ST_OK)
		frame_pool_undo();
	return status;
}

/* Pages that a run may have: in one leaf table, one region, the range. */
static uint32_t run_pages(uint64_t address, uint64_t end)
{
	uint64_t pages = (end - address) / PAGE_SIZE;
	uint64_t rest = TABLE_ENTRIES - level_index(address, 1);

	pages = pages < rest ? pages : rest;
	return (uint32_t)(pages < RUN_PAGES ? pages : RUN_PAGES);
}

static status_t fill_behind(
	struct space *space, uint64_t *cursor, const struct region *region, uint64_t end)
{
	uint32_t count = run_pages(*cursor, end);
	struct path path;
	status_t status;

	if (count == 0 || *cursor % level_span(2) == 0 || !frame_pool_has(count))
		return ST_OK;
	status = path_read(&path, space, *cursor);
	if (status == ST_OK && path_is_large(&path)) {
		*cursor = entry_end(*cursor, 2) < end ? entry_end(*cursor, 2) : end;
		return ST_OK;
	}
	if (status == ST_OK)
		status = fill_run(space, &path, region, count);
	if (status == ST_OK)
		*cursor += count * PAGE_SIZE;
	return status;
}

/* Would filling save anything but the one fault that maps zeros? */
static bool is_filled(const struct region *region)
{
	return (region->protection & REGION_RIGHTS) != 0 &&
	       (region->object != 0 || (region->protection & MAP_WRITE));
}

/* See the header. */
status_t populate_step(struct space *space, bool *done)
{
	struct job *job = &space->job;
	const struct region *next = region_map_next(space->regions, job->cursor);
	struct region region;
	pfn_t frame;
	status_t status;

	if (!next || next->start >= job->end) {
		*done = true;
		return ST_OK;
	}
	region = *next;
	if (job->cursor < region.start)
		job->cursor = region.start;
	if (!is_filled(&region)) {
		job->cursor = region.end;
		return ST_OK;
	}
	if (large_populate(space, &region)) {
		*done = job->cursor >= job->end;
		return ST_OK;
	}
	tables_effort += EFFORT_TOUCH;
	status = fault_touch(
		space, job->cursor, region.protection & MAP_WRITE ? FAULT_WRITE : 0, &frame);
	if (status == ST_NOT_FOUND) { /* beyond the end of the object, as all that follows of it */
		job->cursor = region.end;
		return ST_OK;
	}
	job->cursor += PAGE_SIZE;
	if (status == ST_OK && region.object == 0 && region.protection & MAP_WRITE)
		status = fill_behind(space, &job->cursor, &region,
			region.end < job->end ? region.end : job->end);
	*done = job->cursor >= job->end;
	return status;
}
