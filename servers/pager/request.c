/*
 * Requests: who may ask what, about whom (model: request.h).
 *
 * One row per request.  OWN: programs about their own space, system servers about the space in
 * word 5 (word 0 of PAGER_MAPS and PAGER_PAGES).  SPACE: system servers about the space in word
 * 0.  SYSTEM: system servers, no space.  ANYONE.  A space that is busy with a job takes only
 * requests that say so.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "request.h"

#include "tables.h"

enum whom { OWN, SPACE, SYSTEM, ANYONE };

struct row {
	uint32_t label;
	enum whom whom;
	bool while_busy; /* also while a job of the space runs, or it is a victim */
	request_handler_t *handler;
};

#define ROWS_PROGRAM 10
static const struct row program_rows[ROWS_PROGRAM] = {
	{ PAGER_MMAP, OWN, false, request_mmap },
	{ PAGER_MUNMAP, OWN, false, request_munmap },
	{ PAGER_MPROTECT, OWN, false, request_mprotect },
	{ PAGER_BRK, OWN, false, request_brk },
	{ PAGER_SPACE_STAT, OWN, true, request_space_stat },
	{ PAGER_MAPS, OWN, true, request_maps },
	{ PAGER_STAT, ANYONE, true, request_stat },
	{ PAGER_PAGES, OWN, true, request_pages },
	{ PAGER_MREMAP, OWN, false, request_mremap },
	{ PAGER_MADVISE, OWN, false, request_madvise },
};

static const struct row system_rows[] = {
	{ PAGER_SPACE_CREATE, SYSTEM, false, request_space_create },
	{ PAGER_SPACE_FORK, SPACE, false, request_space_fork },
	{ PAGER_SPACE_DESTROY, SPACE, true, request_space_destroy },
	{ PAGER_SPACE_MAP, SPACE, false, request_space_map },
	{ PAGER_SPACE_WRITE, SPACE, false, request_space_write },
	{ PAGER_SPACE_READ, SPACE, false, request_space_read },
	{ PAGER_SPACE_START, SPACE, false, request_space_start },
	{ PAGER_SPACE_HEAP, SPACE, false, request_space_heap },
	{ PAGER_SPACE_DESCRIBE, SPACE, true, request_describe },
	{ PAGER_SPACE_PORT, SPACE, false, request_space_port },
	{ PAGER_SPACE_HANDLE, SPACE, false, request_space_handle },
	{ PAGER_SPACE_LIMIT, SPACE, true, request_space_limit },
	{ PAGER_SPACE_NAME, SPACE, true, request_space_name },
	{ PAGER_SPACE_INTERRUPT, SPACE, true, request_space_interrupt },
	{ PAGER_TEMPLATE, SYSTEM, false, request_template },
	{ PAGER_OBJECT_CREATE, SYSTEM, false, request_object_create },
	{ PAGER_OBJECT_WRITE, SYSTEM, false, request_object_write },
	{ PAGER_OBJECT_READ, SYSTEM, false, request_object_read },
	{ PAGER_OBJECT_DESTROY, SYSTEM, false, request_object_destroy },
	{ PAGER_SETTLE, SYSTEM, false, request_settle },
	{ PAGER_CHECK, SYSTEM, false, request_check },
	{ PAGER_VICTIM, SYSTEM, false, request_victim },
	{ PAGER_TRAP_TEST, SYSTEM, false, request_trap_test },
	{ PAGER_IDLE, SYSTEM, false, request_idle },
};
#define ROWS_SYSTEM (sizeof(system_rows) / sizeof(system_rows[0]))

_Static_assert(PAGER_MADVISE - PAGER_MMAP + 1 == ROWS_PROGRAM, "a row for each request of programs");
_Static_assert(
	PAGER_IDLE - PAGER_SPACE_CREATE + 1 == ROWS_SYSTEM, "a row for each of servers");

/* Rows stand in the order of their labels. */
static const struct row *row_find(uint32_t label)
{
	if (label - PAGER_MMAP < ROWS_PROGRAM)
		return &program_rows[label - PAGER_MMAP];
	if (label - PAGER_SPACE_CREATE < ROWS_SYSTEM)
		return &system_rows[label - PAGER_SPACE_CREATE];
	return 0;
}

/* The id of the space that an OWN request is about. */
static uint64_t own_space_id(const struct request *request)
{
	bool is_map = request->label == PAGER_MAPS || request->label == PAGER_PAGES;
	uint64_t named = is_map ? request->w[0] : request->w[5];

	if (request_is_by_system(request))
		return named;
	if (is_map && named != 0 && named != request->badge)
		return 0;
	return request->badge;
}

/* Find the space; whether the caller may ask is decided here. */
static status_t request_authorize(struct request *request, const struct row *row)
{
	request->space = 0;
	if (row->whom == ANYONE)
		return ST_OK;
	if (row->whom != OWN && !request_is_by_system(request))
		return ST_NO_ACCESS;
	if (row->whom == SYSTEM)
		return ST_OK;
	request->space = space_find(row->whom == OWN ? own_space_id(request) : request->w[0]);
	if (!request->space)
		return request_is_by_system(request) ? ST_NOT_FOUND : ST_NO_ACCESS;
	if (!row->while_busy &&
		(request->space->job.kind != JOB_NONE || request->space->state != SPACE_LIVE))
		return request->space->state == SPACE_LIVE ? ST_AGAIN : ST_NOT_FOUND;
	return ST_OK;
}

/* What the reaper holds may be what this request lacks. */
static void make_room(void)
{
	while (tables_effort < EFFORT_SLICE && tables_orphans_left()) {
		if (frame_pool.free > 2 * frame_pool.reserve[FRAMES_PROGRAM])
			return;
		tables_reap_step();
	}
}

/* See the header. */
status_t request_handle(struct request *request)
{
	const struct row *row = row_find(request->label);
	status_t status;

	request->is_later = false;
	request->give = 0;
	if (!row)
		return ST_BAD_CALL;
	status = request_authorize(request, row);
	if (status == ST_OK) {
		bool is_program = request->space && request->space->class == CLASS_PROGRAM;

		frame_pool_class = is_program ? FRAMES_PROGRAM : FRAMES_SERVER;
		request_copy_bytes(mmu_bounce, mmu_payload(), request->bytes);
		make_room();
		status = row->handler(request);
	}
	if (request->got_handle)
		mmu_handle_drop(OWN_SLOT_RECEIVE);
	return status;
}

/* See the header. */
status_t request_begin_job(struct request *request, uint64_t word)
{
	status_t status;

	request->space->job.token = request->token;
	request->space->job.word = word;
	request->w[0] = word;
	if (job_begin(request->space, &status))
		return status;
	request->is_later = true;
	return ST_OK;
}

static status_t copy_frame(
	pfn_t from, uint64_t from_offset, pfn_t to, uint64_t to_offset, uint64_t bytes)
{
	mmu_add(op_head(OP_COPY_FRAME, 0, from, 0, 0), to,
		from_offset | to_offset << 16 | bytes << 32);
	return tables_run();
}

/* See the header. */
status_t request_copy_out(pfn_t frame, uint64_t offset, uint64_t bounce_offset, uint64_t bytes)
{
	return copy_frame(mmu_bounce_frame, bounce_offset, frame, offset, bytes);
}

/* See the header. */
status_t request_copy_in(pfn_t frame, uint64_t offset, uint64_t bounce_offset, uint64_t bytes)
{
	return copy_frame(frame, offset, mmu_bounce_frame, bounce_offset, bytes);
}
