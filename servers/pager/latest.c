/*
 * The latest mapping (model and rules: latest.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "latest.h"

#include "account.h"
#include "request.h"

#define QUICK_FLAGS (REGION_RIGHTS | (uint32_t)MAP_NO_RESERVE)

struct latest latest;

/* See the header. */
void latest_start(void)
{
	latest.space = 0;
}

/* See the header. */
void latest_put(void)
{
	struct space *space = latest.space;
	struct room room = space->room;
	status_t status = region_map_insert(&space->regions, &latest.region);

	if (status != ST_OK)
		return; /* its nodes were asked for: cannot be, and pager_check() reports it */
	latest.space = 0;
	space_regions_changed(space);
	room.to = latest.region.start; /* it was the highest part */
	space->room = room;
	space->untouched = (struct untouched){ latest.region.start, latest.region.end };
}

/* Is there room of this size in the gap found last?  No higher one has it. */
static inline bool room_fits(const struct room *room, uint64_t bytes)
{
	return bytes >= room->least && bytes + room->from <= room->to;
}

/* Look for the highest gap. */
static bool find_room(struct space *space, uint64_t bytes)
{
	struct region_gap gap;

	if (region_map_find_whole_gap(space->regions, bytes, LAYOUT_USER_MIN, LAYOUT_MMAP_TOP,
		    REGION_TOP_DOWN, &gap) != ST_OK)
		return false;
	space->room = (struct room){ .from = gap.from, .to = gap.to, .least = bytes };
	return true;
}

/* See the header. */
uint64_t latest_map(uint64_t badge, uint64_t bytes, uint64_t flags)
{
	struct space *space = latest_asker(badge);
	uint64_t pages;

	bytes = request_page_up(bytes);
	if (!space || flags & ~(uint64_t)QUICK_FLAGS || bytes - 1 >= LAYOUT_USER_END ||
		request_rights_are_mixed(flags))
		return 0;
	latest_settle();
	pages = (flags & (MAP_WRITE | MAP_NO_RESERVE)) == MAP_WRITE ? bytes / PAGE_SIZE : 0;
	if (account_check(space, pages) != ST_OK || !region_map_is_reserved(space->regions))
		return 0;
	if (!room_fits(&space->room, bytes) && !find_room(space, bytes))
		return 0;
	latest.region = (struct region){
		.start = space->room.to - bytes,
		.end = space->room.to,
		.protection = (uint32_t)flags,
	};
	latest.promise = pages;
	latest.space = space;
	account_promise(space, pages);
	request_count();
	return latest.region.start;
}

/* See the header. */
uint64_t latest_unmap(uint64_t badge, uint64_t address, uint64_t bytes)
{
	struct space *space = latest.space;

	bytes = request_page_up(bytes);
	if (!space || space->id != badge || address != latest.region.start ||
		address + bytes != latest.region.end)
		return 0;
	latest.space = 0;
	account_promise(space, 0 - latest.promise);
	request_count();
	return address;
}

/* See the header. */
bool latest_ok(void)
{
	const struct region *region = &latest.region, *next;
	const struct space *space = latest.space;

	if (!space)
		return true;
	next = region_map_next(space->regions, region->start);
	return region_is_valid(region) && region->end == space->room.to &&
	       region->start >= space->room.from && (!next || region->end <= next->start) &&
	       latest.promise == region_committed(region) / PAGE_SIZE &&
	       region_map_is_reserved(space->regions) && space->job.kind == JOB_NONE;
}
