/*
 * Requests about mappings that are there: resize and move them, drop or fetch their pages.
 *
 * PAGER_MREMAP.  The old range lies in one region, else NOT_FOUND.  Shrinking in place unmaps the
 * tail.  Growing takes the free room behind the region, if the range reaches its end and no stack
 * above may need that room; else the mapping moves, if it may.  A stack is neither resized nor
 * moved: its size is its own affair.  A part of the heap never grows in place, because the break is
 * there, and is a plain mapping once it has moved.
 *
 * PAGER_MADVISE.  The range has no hole, else NOT_FOUND.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "remap.h"
#include "request.h"

#define REMAP_FLAGS ((uint64_t)(REMAP_MAY_MOVE | REMAP_FIXED))

static bool ranges_overlap(const struct remap *remap)
{
	return remap->start < remap->new_start + remap->new_bytes &&
	       remap->new_start < remap->start + remap->bytes;
}

static status_t check_target(const struct remap *remap, uint64_t flags)
{
	uint64_t bytes = remap->new_bytes;

	if (!(flags & REMAP_FIXED))
		return ST_OK;
	if (!(flags & REMAP_MAY_MOVE) || request_check_range(remap->new_start, &bytes) != ST_OK)
		return ST_BAD_ARGUMENT;
	return ranges_overlap(remap) ? ST_BAD_ARGUMENT : ST_OK;
}

/* Lengths are rounded up. */
static status_t check_remap(const struct space *space, struct remap *remap, uint64_t flags)
{
	const struct region *region;
	status_t status;

	if (flags & ~REMAP_FLAGS || remap->new_bytes == 0 || remap->new_bytes > LAYOUT_USER_END)
		return ST_BAD_ARGUMENT;
	remap->new_bytes = request_page_up(remap->new_bytes);
	status = request_check_range(remap->start, &remap->bytes);
	if (status == ST_OK)
		status = check_target(remap, flags);
	if (status != ST_OK)
		return status;
	region = region_map_lookup(space->regions, remap->start);
	if (!region || region->end - remap->start < remap->bytes)
		return ST_NOT_FOUND;
	return region->protection & MAP_STACK ? ST_BAD_ARGUMENT : ST_OK;
}

/* The free room behind the region: false if it must move. */
static bool can_grow_in_place(const struct space *space, const struct remap *remap)
{
	const struct region *region = region_map_lookup(space->regions, remap->start);
	uint64_t end = remap->start + remap->bytes, place;

	return region->end == end && region->kind != REGION_HEAP &&
	       request_find_room(space, end, remap->new_bytes - remap->bytes, &place) == ST_OK &&
	       place == end;
}

static status_t grow_in_place(struct request *request, const struct remap *remap)
{
	struct space *space = request->space;
	struct region more = *region_map_lookup(space->regions, remap->start);
	status_t status = remap_check_commit(space, remap);

	if (more.object != 0)
		more.offset += more.end - more.start;
	more.start = more.end;
	more.end = remap->start + remap->new_bytes;
	if (status == ST_OK)
		status = region_map_reserve(space->regions, 1);
	if (status == ST_OK)
		status = region_map_insert(&space->regions, &more);
	space_regions_changed(space);
	request->w[0] = remap->start;
	return status;
}

/* To remap->new_start. */
static status_t move_mapping(struct request *request, const struct remap *remap)
{
	status_t status = remap_check_commit(request->space, remap);

	if (status != ST_OK)
		return status;
	remap_prepare(request->space, remap);
	return request_begin_job(request, remap->new_start);
}

/* The same; what is there goes. */
static status_t replace_and_move(struct request *request, struct remap *remap)
{
	const struct region *there =
		region_map_next(request->space->regions, remap->new_start);

	remap->replace = there && there->start < remap->new_start + remap->new_bytes;
	return move_mapping(request, remap);
}

/* PAGER_MREMAP */
status_t request_mremap(struct request *request)
{
	struct space *space = request->space;
	uint64_t flags = request->w[3];
	struct remap remap = {
		.start = request->w[0],
		.bytes = request->w[1],
		.new_start = request->w[4],
		.new_bytes = request->w[2],
	};
	status_t status = check_remap(space, &remap, flags);

	if (status != ST_OK)
		return status;
	if (flags & REMAP_FIXED)
		return replace_and_move(request, &remap);
	if (remap.new_bytes == remap.bytes)
		return ST_OK; /* word 0 is the address */
	if (remap.new_bytes < remap.bytes)
		return request_unmap(request, remap.start + remap.new_bytes,
			remap.start + remap.bytes, remap.start);
	if (can_grow_in_place(space, &remap))
		return grow_in_place(request, &remap);
	if (!(flags & REMAP_MAY_MOVE))
		return ST_NO_MEMORY;
	status = request_find_room(space, 0, remap.new_bytes, &remap.new_start);
	return status == ST_OK ? move_mapping(request, &remap) : status;
}

static const uint8_t job_of_advice[] = {
	[ADVICE_DISCARD] = JOB_DISCARD,
	[ADVICE_POPULATE] = JOB_POPULATE,
	[ADVICE_LARGE] = JOB_ADVISE,
	[ADVICE_SMALL] = JOB_ADVISE,
	[ADVICE_COLLAPSE] = JOB_LARGE,
};

static const uint32_t rights_of_advice[] = {
	[ADVICE_LARGE] = MAP_LARGE,
	[ADVICE_COLLAPSE] = ADVICE_COLLAPSE,
};

/* PAGER_MADVISE */
status_t request_madvise(struct request *request)
{
	struct space *space = request->space;
	uint64_t start = request->w[0], bytes = request->w[1], advice = request->w[2];
	status_t status = request_check_range(start, &bytes);

	if (status != ST_OK)
		return status;
	if (advice < ADVICE_DISCARD || advice > ADVICE_COLLAPSE)
		return ST_BAD_ARGUMENT;
	if (!region_map_covers(space->regions, start, start + bytes))
		return ST_NOT_FOUND;
	if (advice == ADVICE_DISCARD) {
		const struct clearing range = { start, start + bytes, start, start + bytes, false };

		status = request_own_edges(space, &range);
		if (status != ST_OK)
			return status;
	}
	space->job = (struct job){
		.kind = job_of_advice[advice],
		.rights = rights_of_advice[advice],
		.start = start,
		.cursor = start,
		.end = start + bytes,
	};
	return request_begin_job(request, start);
}
