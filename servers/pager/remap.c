/*
 * Moving a mapping: the steps of the job (model and rules: remap.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "remap.h"
#include "tables.h"

#define COMMIT_CHANGES 3u /* of the region map: old range out, new range out, new region in */

/* See the header. */
void remap_prepare(struct space *space, const struct remap *remap)
{
	uint64_t bytes = remap->bytes < remap->new_bytes ? remap->bytes : remap->new_bytes;

	space->job = (struct job){
		.kind = JOB_REMAP,
		.start = remap->start,
		.end = remap->start + remap->bytes,
		.target_end = remap->new_start + remap->new_bytes,
		.move = {
			.source = remap->start,
			.source_bytes = bytes,
			.target = remap->new_start,
			.target_bytes = remap->replace ? remap->new_bytes : 0,
		},
	};
}

/* See the header. */
status_t remap_check_commit(const struct space *space, const struct remap *remap)
{
	struct region part = *region_map_lookup(space->regions, remap->start);
	uint64_t gone = 0, now, then;

	part.end = part.start + remap->bytes;
	now = region_committed(&part);
	part.end = part.start + remap->new_bytes;
	then = region_committed(&part);
	if (remap->replace)
		gone = region_map_totals_within(space->regions, remap->new_start,
			remap->new_start + remap->new_bytes)
			       .committed_bytes;
	return then > now + gone ? account_check(space, (then - now - gone) / PAGE_SIZE) : ST_OK;
}

/* The region as it is to be at the new place.  Not of the heap any more: brk does not move. */
static struct region region_there(const struct space *space)
{
	const struct job *job = &space->job;
	struct region region = *region_map_lookup(space->regions, job->start);

	if (region.object != 0)
		region.offset += job->start - region.start;
	if (region.kind == REGION_HEAP)
		region.kind = REGION_PLAIN;
	region.start = job->move.target;
	region.end = job->target_end;
	return region;
}

/* The old range, which will be unmapped when the new one is in the map.  Its tables are made ready
   for that, also with the pager's reserve: more comes back than goes. */
static status_t prepare_unmap(struct space *space, const struct region *there)
{
	struct job *job = &space->job;
	struct clearing range = tables_clearing(space, job->start, job->end);

	if (there->end <= range.start && there->end > range.floor)
		range.floor = there->end;
	if (there->start >= range.end && there->start < range.ceiling)
		range.ceiling = there->start;
	job->floor = range.floor;
	job->ceiling = range.ceiling;
	frame_pool_class = FRAMES_PAGER;
	return tables_own_edges(space, &range);
}

/* The last checks; between the first change and the last nothing can fail. */
static status_t check_commit(struct space *space, const struct region *there)
{
	const struct job *job = &space->job;
	status_t status;
	const struct remap remap = {
		.start = job->start,
		.bytes = job->end - job->start,
		.new_start = there->start,
		.new_bytes = there->end - there->start,
		.replace = job->move.target_bytes != 0,
	};

	if (!region_is_valid(there))
		return ST_BAD_ARGUMENT;
	if (remap_check_commit(space, &remap) != ST_OK)
		return ST_NO_MEMORY;
	status = region_map_reserve(space->regions, COMMIT_CHANGES);
	return status == ST_OK ? prepare_unmap(space, there) : status;
}

/* The regions change places.  What was in the new range is released at once: objects behind its
   pages may go, the pages stay counted until they are cleared. */
static status_t commit(struct space *space)
{
	struct job *job = &space->job;
	struct region there = region_there(space);
	struct region_node *replaced = 0;
	status_t status = check_commit(space, &there);

	if (status == ST_OK)
		status = region_map_cut(&space->regions, job->start, job->end, &job->removed);
	if (status == ST_OK)
		status = region_map_cut(&space->regions, there.start, there.end, &replaced);
	if (status == ST_OK)
		status = region_map_insert(&space->regions, &there);
	region_map_release(&replaced);
	space_regions_changed(space);
	return status;
}

/* The pages are moved: what is left of the old range goes, and its tables. */
static void unmap_rest(struct space *space)
{
	space->job.kind = JOB_UNMAP;
	space->job.cursor = space->job.start;
}

static void refuse(struct job *job, status_t status)
{
	job->kind = JOB_TRIM;
	job->status = status;
	job->cursor = job->move.target;
}

/* See the header. */
status_t remap_step(struct space *space, bool *done)
{
	struct job *job = &space->job;
	status_t status;

	if (job->kind == JOB_TRIM) {
		*done = tables_trim_step(space, &job->cursor) != ST_OK ||
			job->cursor >= job->target_end;
		return *done ? job->status : ST_OK;
	}
	status = move_prepare_step(space, &job->move, &job->cursor);
	if (status == ST_OK && job->cursor < move_length(&job->move))
		return ST_OK;
	if (status == ST_OK)
		status = commit(space);
	if (status != ST_OK) {
		refuse(job, status);
		return ST_OK;
	}
	job->kind = JOB_MOVE;
	job->cursor = 0;
	return ST_OK;
}

/* See the header. */
status_t remap_move_step(struct space *space)
{
	struct job *job = &space->job;
	status_t status = move_step(space, &job->move, &job->cursor);

	if (status == ST_OK && job->cursor >= move_length(&job->move))
		unmap_rest(space);
	return status;
}
