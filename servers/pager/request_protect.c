/*
 * Rights: mprotect.
 *
 * All checks first; then pages, then regions (job.h), so that the region's rights are a limit for the pages' at
 * each step.  A writable page is never executable: WRITE with EXEC is refused with NO_ACCESS.
 *
 * Mostly a program asks it for a range within one region and one leaf table, which the pager knows.  That is a
 * quick request: one operation at most, which the reply carries (request_quick.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "object.h"
#include "request.h"
#include "request_quick.h"
#include "stat.h"

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
static inline struct rights_change change_of(const struct region *one, uint64_t rights)
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

/* ---- the quick request ---- */

struct op request_quick_op;
uint64_t request_quick_token;

/* The one operation on `count` pages of a leaf table, from path->address on; head 0: none is needed.
   *withheld: what the table is before and after.  False: there is more to it. */
static bool quick_operation(const struct path *path, uint32_t count,
	const struct rights_change *change, struct op *op, bool *withheld)
{
	uint64_t leaf = op_head(OP_PROTECT, 0, path->table[1], level_index(path->address, 1), count);
	uint64_t link = op_head(OP_PROTECT, 0, path->table[2], level_index(path->address, 2), 1);
	uint64_t flush = op_head(0, FLUSH_SPACE, 0, 0, 0), sole = op_head(0, OP_PROTECT_SOLE, 0, 0, 0);
	bool takes = change->remove != 0 || change->add != 0, is_whole = count == TABLE_ENTRIES;

	if (change->opens && (takes || (*withheld && !is_whole)))
		return false;
	op->head = 0;
	if (is_whole && change->remove == PTE_W && change->add == 0) {
		*op = (struct op){ link | flush, PTE_W, 0 };
		*withheld = true;
	} else if (takes) {
		*op = (struct op){ leaf | flush, change->remove, change->add };
	} else if (change->opens && *withheld) {
		*op = (struct op){ link, 0, PTE_W };
		*withheld = false;
	} else if (change->grants) {
		*op = (struct op){ leaf | sole, 0, PTE_W };
	}
	return true;
}

/* What is remembered of a region that a range at one end of it leaves; nothing of others. */
static inline void keep_rest(struct space *space, uint64_t start, uint64_t end)
{
	struct region *last = &space->last;

	if (start == last->start) {
		last->offset += last->object ? end - start : 0;
		last->start = end;
	} else if (end == last->end) {
		last->end = start;
	} else {
		last->end = last->start;
	}
	space->last_bytes = last->end - last->start;
}

/* See request_quick.h. */
enum reply_kind request_quick_protect(
	uint64_t badge, uint64_t start, uint64_t bytes, uint64_t rights)
{
	struct space *space = latest_asker(badge);
	uint64_t end = start + request_page_up(bytes);
	const struct region *region;
	struct rights_change change;
	struct path path;
	bool withheld, is_last;

	if (!space || start % PAGE_SIZE != 0 || end <= start || (start ^ (end - 1)) >= level_span(2) ||
		rights & ~(uint64_t)REGION_RIGHTS || request_rights_are_mixed(rights))
		return REPLY_NONE;
	latest_settle();
	path.address = start;
	is_last = start - space->last.start < space->last.end - space->last.start;
	region = is_last ? &space->last : region_map_lookup(space->regions, start);
	if (!region || end > region->end || region->protection & MAP_SHARED ||
		!path_is_known(space, &path))
		return REPLY_NONE;
	if (rights & MAP_WRITE && will_promise(region) &&
		account_check(space, (end - start) / PAGE_SIZE) != ST_OK)
		return REPLY_NONE;
	change = change_of(region, rights);
	withheld = frame_pool.info[path.table[1]].withheld;
	if (!quick_operation(&path, (uint32_t)((end - start) / PAGE_SIZE), &change, &request_quick_op,
		    &withheld) ||
		!region_map_protect_within(&space->regions, start, end, (uint32_t)rights))
		return REPLY_NONE;
	frame_pool.info[path.table[1]].withheld = withheld;
	if (is_last && (space->last.protection & REGION_RIGHTS) != rights)
		keep_rest(space, start, end);
	else
		space_forget_last(space);
	space_rights_changed(space);
	request_count();
	return request_quick_op.head != 0 ? REPLY_CHANGE : REPLY_PLAIN;
}
