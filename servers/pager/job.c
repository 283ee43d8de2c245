/*
 * Jobs and the reaper (model and rules: job.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "job.h"

#include "account.h"
#include "blocks.h"
#include "fault.h"
#include "large.h"
#include "latest.h"
#include "populate.h"
#include "remap.h"
#include "stock.h"
#include "tables.h"

/* Steps of one slice, if they are short; each is some batches of a few hundred entries. */
#define SLICE_STEPS	  8u
#define REGIONS_AT_ONCE	  2u /* of a range that is unmapped; more are left to the reaper */
#define REGIONS_PER_SLICE 128u
#define REGIONS_PER_STEP  32u /* to be changed: for each eight of them nodes for a change are asked for */
#define EFFORT_REGION	  50u /* to take one apart */
#define REAP_EFFORT	  12000u /* then no further table is begun: the next slice takes it whole */
#define SETTLERS_MAX	  16u

/* Spaces with a job, in the order of their turns. */
static struct {
	struct space *first, *last;
	uint64_t count;
} jobs;

/* Who waits for all jobs to end. */
static struct {
	uint32_t count;
	uint64_t tokens[SETTLERS_MAX];
} settlers;

static bool regions_left; /* released region maps wait to be taken apart */
bool job_work_left;

static void queue_append(struct space *space)
{
	job_work_left = true;
	space->job_next = 0;
	if (jobs.count++ == 0)
		jobs.first = space;
	else
		jobs.last->job_next = space;
	jobs.last = space;
}

static struct space *queue_take(void)
{
	struct space *space = jobs.first;

	jobs.first = space->job_next;
	jobs.count--;
	return space;
}

static void queue_remove(struct space *space)
{
	uint64_t count = jobs.count;

	while (count-- != 0) {
		struct space *first = queue_take();

		if (first != space)
			queue_append(first);
	}
}

/* See the header. */
void job_release_regions(struct region_node **regions)
{
	region_map_release(regions);
	if (region_map_reap(REGIONS_AT_ONCE))
		regions_left = job_work_left = true;
}

/* ---- the kinds ---- */

static status_t step_unmap(struct space *space, bool *done)
{
	struct job *job = &space->job;
	const struct clearing range = { job->start, job->end, job->floor, job->ceiling, false };
	status_t status = tables_clear_step(space, &job->cursor, &range);

	if (status != ST_OK || job->cursor < job->end)
		return status;
	job_release_regions(&job->removed);
	if (job->populate) {
		job->kind = JOB_POPULATE;
		job->cursor = job->start;
		return ST_OK;
	}
	*done = true;
	return ST_OK;
}

/* The rights of the region are a limit for the pages': so pages first, regions after. */
static status_t step_protect(struct space *space, bool *done)
{
	struct job *job = &space->job;
	uint32_t changes = job->change.is_one ? 2 : 1 + REGIONS_PER_STEP / 8;
	status_t status;

	if (!job->regions_next) {
		status = tables_protect_step(space, &job->cursor, job->end, &job->change);
		if (status == ST_OK && job->cursor >= job->end) {
			job->regions_next = true;
			job->cursor = job->start;
		}
		return status;
	}
	status = region_map_reserve(space->regions, changes);
	if (status == ST_OK)
		status = region_map_protect(&space->regions, job->cursor, job->end, job->rights,
			REGIONS_PER_STEP, &job->cursor);
	space_forget_last(space);
	space_rights_changed(space);
	*done = status == ST_OK && job->cursor >= job->end;
	return status;
}

static status_t step_advise(struct space *space, bool *done)
{
	struct job *job = &space->job;
	status_t status = region_map_reserve(space->regions, 1 + REGIONS_PER_STEP / 8);

	if (status == ST_OK)
		status = region_map_advise(&space->regions, job->cursor, job->end, job->rights,
			REGIONS_PER_STEP, &job->cursor);
	space_regions_changed(space);
	if (status != ST_OK || job->cursor < job->end)
		return status;
	if (job->rights != MAP_LARGE) {
		*done = true;
		return ST_OK;
	}
	job->kind = JOB_LARGE;
	job->rights = ADVICE_LARGE;
	job->cursor = job->start;
	return ST_OK;
}

/* Like unmap, but the regions stay: so it may as well stop half way. */
static status_t step_discard(struct space *space, bool *done)
{
	struct job *job = &space->job;
	const struct clearing range = { job->start, job->end, job->start, job->end, false };
	status_t status = tables_clear_step(space, &job->cursor, &range);

	*done = job->cursor >= job->end;
	return status;
}

/* One step.  *done: the job has ended, and so has the space after a teardown. */
static status_t job_step(struct space *space, bool *done)
{
	*done = false;
	frame_pool_class = space->class == CLASS_SERVER ? FRAMES_SERVER : FRAMES_PROGRAM;
	switch (space->job.kind) {
	case JOB_UNMAP:
		frame_pool_class = FRAMES_PAGER; /* it gives back more than it takes */
		return step_unmap(space, done);
	case JOB_PROTECT:
		return step_protect(space, done);
	case JOB_ADVISE:
		return step_advise(space, done);
	case JOB_DISCARD:
		frame_pool_class = FRAMES_PAGER; /* as unmap */
		return step_discard(space, done);
	case JOB_REMAP:
	case JOB_TRIM:
		return remap_step(space, done);
	case JOB_MOVE:
		regions_left = job_work_left = true; /* of the target, which the commit released */
		return remap_move_step(space);
	case JOB_POPULATE:
		/* Filling ahead is a service: the mapping stands if memory ends it early. */
		if (populate_step(space, done) != ST_OK)
			*done = true;
		return ST_OK;
	case JOB_LARGE:
		return large_step(space, done);
	default:
		return space_teardown_step(space, done);
	}
}

enum slice { SLICE_MORE, SLICE_ENDED, SLICE_KILLED };

/* The regions have changed and the pages must follow. */
static bool has_no_way_back(const struct space *space)
{
	return space->job.kind == JOB_UNMAP || space->job.kind == JOB_MOVE;
}

/*
 * Some steps.  ENDED: with *status.  KILLED: pages that must go cannot, for lack of frames for the
 * tables at the ends of their range; the frames were asked for when the job began and the pager's
 * reserve is there for it, so this is the last resort, and always brings memory back.
 */
static enum slice job_slice(struct space *space, status_t *status)
{
	enum job_kind kind = (enum job_kind)space->job.kind;

	for (uint32_t i = 0; i < SLICE_STEPS && tables_effort < EFFORT_SLICE; i++) {
		bool done;

		*status = job_step(space, &done);
		if (*status != ST_OK && has_no_way_back(space)) {
			account_kill(space);
			return SLICE_KILLED;
		}
		if (!done && *status == ST_OK)
			continue;
		if (kind == JOB_TEARDOWN)
			regions_left = job_work_left = true;
		space->job.kind = JOB_NONE;
		return SLICE_ENDED;
	}
	return SLICE_MORE;
}

/* The fault that came while the space was busy, or that the job was for, is to be tried again. */
static void wake_fault(struct space *space)
{
	uint64_t token = space->waiting;

	if (token == 0 || space->waits_for_memory)
		return;
	space->waiting = 0;
	mmu_answer(token, FAULT_RESUME, 0, 0);
}

/* See the header. */
bool job_begin(struct space *space, status_t *status)
{
	enum slice slice = SLICE_MORE;

	*status = ST_OK;
	if (space->job.kind != JOB_TEARDOWN && space->job.kind != JOB_LARGE)
		slice = job_slice(space, status);
	if (slice == SLICE_MORE)
		queue_append(space);
	return slice == SLICE_ENDED;
}

/* See the header. */
void job_drop(struct space *space)
{
	struct job job = space->job;

	if (job.kind == JOB_NONE)
		return;
	queue_remove(space);
	large_drop(space);
	space->job.kind = JOB_NONE;
	region_map_release(&job.removed);
	job_reap_regions();
	if (job.token != 0)
		mmu_answer(job.token, ST_NOT_FOUND, 0, 0);
}

static void run_space_slice(void)
{
	struct space *space = queue_take();
	bool is_live = space->state == SPACE_LIVE;
	status_t status;
	enum slice slice = job_slice(space, &status);

	if (slice == SLICE_MORE)
		queue_append(space);
	if (slice != SLICE_ENDED || !is_live)
		return;
	if (space->job.token != 0)
		mmu_answer(space->job.token, (uint32_t)status, space->job.word, 0);
	wake_fault(space);
}

static void answer_settlers(void)
{
	for (uint32_t i = 0; i < settlers.count; i++)
		mmu_answer(settlers.tokens[i], ST_OK, 0, 0);
	settlers.count = 0;
}

static void reap_tables(void)
{
	uint32_t enough = EFFORT_SLICE;

	while (tables_orphans_left() && tables_effort < enough) {
		tables_reap_step();
		enough = REAP_EFFORT;
	}
}

/* See the header. */
void job_reap_regions(void)
{
	regions_left = job_work_left = true;
}

/* See the header. */
void job_run_slice(void)
{
	tables_effort = 0;
	fault_settle();
	latest_settle();
	blocks_refill();
	if (jobs.count != 0) {
		run_space_slice();
	} else if (regions_left) {
		tables_effort += REGIONS_PER_SLICE * EFFORT_REGION;
		regions_left = region_map_reap(REGIONS_PER_SLICE);
	}
	reap_tables();
	stock_wake();
	account_retry();
	if (jobs.count != 0 || regions_left || tables_orphans_left())
		return;
	if (account_is_waiting() && blocks_are_wanted())
		return;
	job_work_left = false;
	if (account_is_waiting())
		account_relieve();
	if (!job_work_left) /* else a victim is to be taken apart */
		answer_settlers();
}

/* See the header. */
bool job_cancel(uint64_t token)
{
	for (struct space *space = space_first; space; space = space->next) {
		if (space->job.kind != JOB_NONE && space->job.token == token) {
			space->job.token = 0;
			return true;
		}
	}
	if (stock_cancel(token))
		return true;
	for (uint32_t i = 0; i < settlers.count; i++) {
		if (settlers.tokens[i] == token) {
			settlers.tokens[i] = settlers.tokens[--settlers.count];
			return true;
		}
	}
	return false;
}

/* See the header. */
status_t job_settle(uint64_t token)
{
	if (settlers.count == SETTLERS_MAX)
		return ST_LIMIT;
	settlers.tokens[settlers.count++] = token;
	job_work_left = true;
	return ST_OK;
}

/* See the header. */
uint64_t job_count(void)
{
	return jobs.count + (regions_left || tables_orphans_left() ? 1 : 0);
}
