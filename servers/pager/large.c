/*
 * The first touch of a large page (model and rules: large.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "large.h"

#include "blocks.h"
#include "fault_quick.h"

#define CLEAR_PAGES ((uint32_t)(OP_WORK_MAX / OP_WORK_CLEAR)) /* by one call */

/* See the header. */
bool large_is_due(struct space *space, uint32_t access, const struct path *path)
{
	const uint32_t wanted = MAP_LARGE | MAP_WRITE;
	uint64_t base = path->address & ~(level_span(2) - 1);
	const struct region *region;

	frame_pool_class = space->class == CLASS_SERVER ? FRAMES_SERVER : FRAMES_PROGRAM;
	if ((access & (FAULT_WRITE | FAULT_PRESENT | FAULT_RESERVED)) != FAULT_WRITE ||
		path->entry[2] != 0)
		return false;
	region = space_region(space, path->address);
	return region && (region->protection & (wanted | MAP_SHARED)) == wanted &&
	       region->object == 0 && region->start <= base &&
	       region->end - base >= level_span(2) && blocks_has() &&
	       frame_pool_has(PATH_FRAMES);
}

/* See the header. */
void large_begin(struct space *space, uint64_t address)
{
	space->job = (struct job){
		.kind = JOB_LARGE,
		.start = address & ~(level_span(2) - 1),
		.block = blocks_take(),
	};
}

/* See the header. */
void large_drop(struct space *space)
{
	space->job.kind = JOB_NONE;
	blocks_give(space->job.block);
}

/* See the header. */
status_t large_clear(struct space *space, bool *done, bool *is_awaited)
{
	struct job *job = &space->job;
	status_t status;

	mmu_add(op_head(OP_ZERO, 0, job->block + (pfn_t)job->cursor, 0, CLEAR_PAGES), 0, 0);
	status = mmu_run_and_look(is_awaited);
	job->cursor += CLEAR_PAGES;
	*done = job->cursor == BLOCK_FRAMES;
	return status;
}

/* See the header. */
void large_add(struct space *space, struct path *path)
{
	uint64_t bits = region_leaf_bits(space_region(space, path->address)) | PTE_W | PTE_PS;

	cure_begin(space);
	path_own_to(space, path, true, 2);
	add_resident(space, BLOCK_FRAMES);
	cure.block = space->job.block;
	mmu_add(op_head(OP_SET, 0, path->table[2], level_index(path->address, 2), 1),
		pte_make(cure.block, bits), 0);
	space->counters.faults_zero++;
	space->job.kind = JOB_NONE;
}

/* All is cleared: the page is mapped, if nothing has changed.  If not, the fault comes again. */
static status_t map_page(struct space *space)
{
	struct path path;
	status_t status = path_read(&path, space, space->job.start);

	if (status != ST_OK || path.entry[2] != 0 || !frame_pool_has(PATH_FRAMES)) {
		large_drop(space);
		return status;
	}
	large_add(space, &path);
	status = tables_run();
	if (status != ST_OK)
		fault_undo();
	return status;
}

/* See the header. */
status_t large_step(struct space *space, bool *done)
{
	bool is_clear, is_awaited;
	status_t status = large_clear(space, &is_clear, &is_awaited);

	tables_effort += EFFORT_SLICE;
	*done = is_clear || status != ST_OK;
	if (status != ST_OK)
		large_drop(space);
	return is_clear && status == ST_OK ? map_page(space) : status;
}
