/*
 * The break: a region of kind heap from the first page behind the program to the page of the break.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "request.h"

/* Is [start, end) free, and not the gap of a stack? */
static bool is_free_for_heap(const struct space *space, uint64_t start, uint64_t end)
{
	uint64_t address;

	return end <= LAYOUT_USER_END && region_map_find_gap(space->regions, end - start, start,
						 end, REGION_BOTTOM_UP, &address) == ST_OK;
}

static status_t heap_extend(struct space *space, uint64_t start, uint64_t end)
{
	const struct region region = {
		.start = start,
		.end = end,
		.protection = MAP_READ | MAP_WRITE,
		.kind = REGION_HEAP,
	};
	status_t status;

	if (!is_free_for_heap(space, start, end))
		return ST_NO_MEMORY;
	status = account_check(space, (end - start) / PAGE_SIZE);
	if (status == ST_OK)
		status = region_map_reserve(space->regions, 1);
	if (status == ST_OK)
		status = region_map_insert(&space->regions, &region);
	space_regions_changed(space);
	return status;
}

/* PAGER_BRK */
status_t request_brk(struct request *request)
{
	struct space *space = request->space;
	uint64_t wanted = request->w[0], old = space->brk_now;
	uint64_t old_end = request_page_up(old), new_end = request_page_up(wanted);
	status_t status = ST_OK;

	request->w[0] = old;
	if (wanted == 0)
		return ST_OK;
	if (space->brk_start == 0 || wanted < space->brk_start || wanted > LAYOUT_USER_END)
		return ST_BAD_ARGUMENT;
	if (new_end > old_end)
		status = heap_extend(space, old_end, new_end);
	else if (new_end < old_end)
		status = request_unmap(request, new_end, old_end, wanted);
	if (status != ST_OK)
		return status;
	space->brk_now = wanted;
	request->w[0] = wanted;
	return ST_OK;
}
