/*
 * Rights: mprotect.
 *
 * All checks first; then pages, then regions (job.h), so that the region's rights are a limit for the pages' at
 * each step.  A writable page is never executable: WRITE with EXEC is refused with NO_ACCESS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "object.h"
#include "request.h"

/* Of so many regions what a change promises is summed exactly; of more, no less than it is. */
#define REGIONS_SUMMED 64u

/* A shared mapping of something that programs may not write, in the range? */
static bool holds_forbidden(const struct space *space, uint64_t start, uint64_t end)
{
	struct region_totals totals = region_map_totals_within(space->regions, start, end);
	const struct region *region = region_map_next(space->regions, start);

	if (totals.bytes == totals.private_bytes)
		return false;
	for (; region && region->start < end;
		region = region_map_next(space->regions, region->end)) {
		struct object *object;
		const struct object_kind *kind = object_of_region(region, &object);

		if (region->protection & MAP_SHARED && kind && !kind->programs_may_write)
			return true;
	}
	return false;
}

/* A private region that is no promise yet, and will be when it is writable. */
static bool will_promise(const struct region *region)
{
	return !(region->protection & (MAP_SHARED | MAP_WRITE | MAP_NO_RESERVE));
}

/* Pages that a range promises more when it becomes writable. */
static uint64_t promise_of(const struct space *space, uint64_t start, uint64_t end)
{
	const struct region *region = region_map_next(space->regions, start);
	uint64_t pages = 0;

	for (; region && region->start < end;
		region = region_map_next(space->regions, region->end)) {
		uint64_t from = region->start > start ? region->start : start;
		uint64_t to = region->end < end ? region->end : end;

		pages += will_promise(region) ? (to - from) / PAGE_SIZE : 0;
	}
	return pages;
}

/* May the range become writable?  `one`: the region that holds all of it, or NULL. */
static status_t check_write_right(
	struct request *request, const struct region *one, uint64_t start, uint64_t end)
{
	struct region_totals totals;

	if (one && !(one->protection & MAP_SHARED)) {
		uint64_t pages = will_promise(one) ? (end - start) / PAGE_SIZE : 0;

		return account_check(request->space, pages);
	}
	totals = region_map_totals_within(request->space->regions, start, end);
	if (!request_is_by_system(request) && holds_forbidden(request->space, start, end))
		return ST_NO_ACCESS;
	if (totals.count <= REGIONS_SUMMED)
		return account_check(request->space, promise_of(request->space, start, end));
	return account_check(
		request->space, (totals.private_bytes - totals.committed_bytes) / PAGE_SIZE);
}

/* What it means for pages; `one`: the region that all are in, or NULL.  No page has a right that its
   region does not give. */
static struct rights_change change_of(const struct region *one, uint64_t rights)
{
	uint32_t before = one ? one->protection : REGION_RIGHTS;
	uint64_t taken = before & ~rights & REGION_RIGHTS;
	bool is_one = one && !(before & MAP_SHARED);
	bool opens = is_one && (rights & MAP_WRITE) && !(before & MAP_WRITE);

	return (struct rights_change){
		.remove = (taken & MAP_WRITE ? PTE_W : 0) |
			  (rights == 0 && (before & REGION_RIGHTS) ? PTE_U : 0),
		.add = taken & MAP_EXEC ? PTE_NX : 0,
		.is_one = is_one,
		.opens = opens,
		.grants = opens && one->object == 0,
	};
}

/* PAGER_MPROTECT */
status_t request_mprotect(struct request *request)
{
	struct space *space = request->space;
	uint64_t start = request->w[0], bytes = request->w[1], rights = request->w[2];
	const struct region *region;
	struct rights_change change;
	status_t status = request_check_range(start, &bytes);

	if (status != ST_OK)
		return status;
	if (rights & ~(uint64_t)REGION_RIGHTS)
		return ST_BAD_ARGUMENT;
	if (request_rights_are_mixed(rights))
		return ST_NO_ACCESS;
	region = space_region(space, start);
	if (region && region->end < start + bytes)
		region = 0; /* more than one */
	if (!region && !region_map_covers(space->regions, start, start + bytes))
		return ST_NOT_FOUND;
	change = change_of(region, rights);
	if (rights & MAP_WRITE)
		status = check_write_right(request, region, start, start + bytes);
	if (status != ST_OK)
		return status;
	space->job = (struct job){
		.kind = JOB_PROTECT,
		.rights = (uint32_t)rights,
		.change = change,
		.regions_next = change.remove == 0 && change.add == 0 && !change.opens,
		.start = start,
		.cursor = start,
		.end = start + bytes,
	};
	return request_begin_job(request, start);
}
