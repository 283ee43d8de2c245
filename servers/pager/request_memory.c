/*
 * Requests about a space's regions: map, unmap.
 *
 * All checks and reservations first; then the region map changes, which cannot fail; then pages
 * go, at once or by a job.  A writable page is never executable: WRITE with EXEC is refused with
 * NO_ACCESS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "object.h"
#include "request.h"
#include "tables.h"

#define MAP_FLAGS        \
	(REGION_RIGHTS | \
		(uint32_t)(MAP_SHARED | MAP_FIXED_AT | MAP_NO_REPLACE | MAP_STACK | MAP_POPULATE | \
			MAP_NO_RESERVE))

struct mapping {
	uint64_t address, bytes;
	uint64_t flags; /* MAP_* */
	uint64_t object, offset;
	bool by_system;
};

/* See request.h. */
status_t request_check_range(uint64_t address, uint64_t *bytes)
{
	if (address % PAGE_SIZE != 0 || *bytes == 0 || *bytes > LAYOUT_USER_END)
		return ST_BAD_ARGUMENT;
	*bytes = request_page_up(*bytes);
	if (address < LAYOUT_USER_MIN || address > LAYOUT_USER_END ||
		*bytes > LAYOUT_USER_END - address)
		return ST_BAD_ARGUMENT;
	return ST_OK;
}

/* ---- unmapping ---- */

/* See request.h. */
status_t request_own_edges(struct space *space, const struct clearing *range)
{
	enum frame_class class = frame_pool_class;
	status_t status;

	frame_pool_class = FRAMES_PAGER; /* more comes back than goes */
	status = tables_own_edges(space, range);
	frame_pool_class = class;
	return status;
}

/* Describe the job that takes the pages of a range away; its regions are in `removed`. */
static void prepare_unmap(
	struct space *space, const struct clearing *range, struct region_node *removed)
{
	space->job = (struct job){
		.kind = JOB_UNMAP,
		.start = range->start,
		.cursor = range->start,
		.end = range->end,
		.floor = range->floor,
		.ceiling = range->ceiling,
		.removed = removed,
	};
}

/* See request.h. */
status_t request_unmap(struct request *request, uint64_t start, uint64_t end, uint64_t word)
{
	struct space *space = request->space;
	bool has_pages = !space_is_untouched(space, start, end);
	struct clearing range;
	struct region_node *removed;
	status_t status = region_map_reserve(space->regions, 1);

	if (status == ST_OK && has_pages) {
		range = tables_clearing(space, start, end);
		status = request_own_edges(space, &range);
	}
	if (status == ST_OK)
		status = region_map_cut(&space->regions, start, end, &removed);
	if (status != ST_OK)
		return status;
	space_regions_changed(space);
	request->w[0] = word;
	if (!removed)
		return ST_OK;
	if (!has_pages) {
		job_release_regions(&removed);
		return ST_OK;
	}
	prepare_unmap(space, &range, removed);
	return request_begin_job(request, word);
}

/* PAGER_MUNMAP */
status_t request_munmap(struct request *request)
{
	uint64_t bytes = request->w[1];
	status_t status = request_check_range(request->w[0], &bytes);

	if (status != ST_OK)
		return status;
	return request_unmap(request, request->w[0], request->w[0] + bytes, request->w[0]);
}

/* ---- mapping ---- */

/* May this object be mapped so?  Programs name files only, and write only their own private
   copies. */
static status_t check_object(const struct mapping *mapping)
{
	const struct object *object = object_find(mapping->object);

	if (!object)
		return ST_NOT_FOUND;
	if (mapping->by_system)
		return ST_OK;
	if (!object->kind->programs_may_name)
		return ST_NO_ACCESS;
	if ((mapping->flags & MAP_SHARED) && (mapping->flags & MAP_WRITE) &&
		!object->kind->programs_may_write)
		return ST_NO_ACCESS;
	return ST_OK;
}

static status_t check_mapping(struct mapping *mapping)
{
	bool is_fixed = mapping->flags & (MAP_FIXED_AT | MAP_NO_REPLACE);

	if (mapping->flags & ~(uint64_t)MAP_FLAGS || mapping->offset % PAGE_SIZE != 0)
		return ST_BAD_ARGUMENT;
	if (mapping->bytes == 0 || mapping->bytes > LAYOUT_USER_END)
		return ST_BAD_ARGUMENT;
	if (request_rights_are_mixed(mapping->flags))
		return ST_NO_ACCESS;
	mapping->bytes = request_page_up(mapping->bytes);
	if (is_fixed && request_check_range(mapping->address, &mapping->bytes) != ST_OK)
		return ST_BAD_ARGUMENT;
	if ((mapping->flags & MAP_STACK) && (mapping->object != 0 || mapping->flags & MAP_SHARED))
		return ST_BAD_ARGUMENT;
	if (mapping->object == 0)
		return mapping->offset == 0 ? ST_OK : ST_BAD_ARGUMENT;
	if (mapping->offset > OBJECT_BYTES_MAX)
		return ST_BAD_ARGUMENT;
	return check_object(mapping);
}

/* Would the range take room that a stack above may grow into, or its gap? */
static bool is_room_of_stack(const struct space *space, uint64_t start, uint64_t bytes)
{
	const struct region *above = region_map_next(space->regions, start);
	uint64_t room = LAYOUT_STACK_LIMIT + LAYOUT_STACK_GAP;

	return above && above->protection & MAP_STACK && start + bytes + room > above->end;
}

/* See request.h. */
status_t request_find_room(
	const struct space *space, uint64_t hint, uint64_t bytes, uint64_t *address)
{
	uint64_t rounded = bytes;

	hint &= ~(PAGE_SIZE - 1);
	if (hint >= LAYOUT_USER_MIN && request_check_range(hint, &rounded) == ST_OK &&
		!is_room_of_stack(space, hint, bytes) &&
		region_map_find_gap(space->regions, bytes, hint, hint + bytes, REGION_BOTTOM_UP,
			address) == ST_OK)
		return ST_OK;
	return region_map_find_gap(space->regions, bytes, LAYOUT_USER_MIN, LAYOUT_MMAP_TOP,
		REGION_TOP_DOWN, address);
}

/* The place: exactly there, or at the hint if it is free, or the highest that is. */
static status_t place_mapping(const struct space *space, struct mapping *mapping)
{
	if (mapping->flags & MAP_NO_REPLACE) {
		const struct region *next = region_map_next(space->regions, mapping->address);

		return next && next->start < mapping->address + mapping->bytes ? ST_EXISTS : ST_OK;
	}
	if (mapping->flags & MAP_FIXED_AT)
		return ST_OK;
	return request_find_room(space, mapping->address, mapping->bytes, &mapping->address);
}

/* What the mapping promises, less what it replaces. */
static status_t check_commit(const struct space *space, const struct mapping *mapping)
{
	uint64_t promise = mapping->flags & (MAP_SHARED | MAP_WRITE | MAP_NO_RESERVE);
	uint64_t end = mapping->address + mapping->bytes;
	uint64_t gone = 0, pages = 0;

	if (mapping->flags & MAP_FIXED_AT)
		gone = region_map_totals_within(space->regions, mapping->address, end)
			       .committed_bytes;
	if (promise == MAP_WRITE || (mapping->flags & MAP_SHARED && mapping->object == 0))
		pages = mapping->bytes / PAGE_SIZE;
	gone /= PAGE_SIZE;
	return pages > gone ? account_check(space, pages - gone) : ST_OK;
}

/* Anonymous shared memory gets an object of its own, which goes with the mapping. */
static status_t make_shared_object(
	struct space *space, struct mapping *mapping, struct object **made)
{
	status_t status;

	*made = 0;
	if (mapping->object != 0 || !(mapping->flags & MAP_SHARED))
		return ST_OK;
	status = object_create(&object_kind_shared, mapping->bytes, made);
	if (status != ST_OK)
		return status;
	(*made)->creator = space->id;
	space->shared += mapping->bytes / PAGE_SIZE;
	mapping->object = (*made)->id;
	return ST_OK;
}

static struct region region_of(const struct mapping *mapping)
{
	return (struct region){
		.start = mapping->address,
		.end = mapping->address + mapping->bytes,
		.protection = (uint32_t)mapping->flags & REGION_PROTECTION,
		.object = (uint32_t)mapping->object,
		.offset = mapping->offset,
		.kind = mapping->flags & MAP_STACK ? REGION_STACK : REGION_PLAIN,
	};
}

/* The region is in the map: pages that were there go, pages that are asked for come. */
static status_t finish_mapping(struct request *request, const struct mapping *mapping)
{
	struct space *space = request->space;
	uint64_t start = mapping->address, end = start + mapping->bytes;

	request->w[0] = start;
	if (space->job.kind == JOB_NONE && !(mapping->flags & MAP_POPULATE)) {
		space->untouched = (struct untouched){ start, end };
		return ST_OK;
	}
	if (space->job.kind == JOB_NONE)
		space->job = (struct job){
			.kind = JOB_POPULATE, .start = start, .cursor = start, .end = end
		};
	space->job.populate = mapping->flags & MAP_POPULATE;
	return request_begin_job(request, start);
}

static status_t map_region(struct request *request, struct mapping *mapping)
{
	struct space *space = request->space;
	struct region_node *removed = 0;
	struct clearing range;
	struct object *made;
	bool replaces = mapping->flags & MAP_FIXED_AT;
	struct region region;
	status_t status = check_mapping(mapping);

	if (status == ST_OK)
		status = place_mapping(space, mapping);
	if (status == ST_OK)
		status = check_commit(space, mapping);
	if (status == ST_OK)
		status = region_map_reserve(space->regions, 2);
	if (status != ST_OK)
		return status;
	if (replaces) {
		range = tables_clearing(
			space, mapping->address, mapping->address + mapping->bytes);
		status = request_own_edges(space, &range);
	}
	if (status == ST_OK)
		status = make_shared_object(space, mapping, &made);
	if (status != ST_OK)
		return status;
	region = region_of(mapping);
	if (replaces)
		status = region_map_cut(&space->regions, region.start, region.end, &removed);
	if (removed)
		prepare_unmap(space, &range, removed);
	if (status == ST_OK)
		status = region_map_insert(&space->regions, &region);
	if (made)
		object_doom(made);
	space_regions_changed(space);
	if (status == ST_OK)
		return finish_mapping(request, mapping);
	space->job.kind = JOB_NONE;
	return status;
}

/* PAGER_MMAP */
status_t request_mmap(struct request *request)
{
	struct mapping mapping = {
		.address = request->w[0],
		.bytes = request->w[1],
		.flags = request->w[2],
		.object = request->w[3],
		.offset = request->w[4],
		.by_system = request_is_by_system(request),
	};

	return map_region(request, &mapping);
}

/* PAGER_SPACE_MAP */
status_t request_space_map(struct request *request)
{
	struct mapping mapping = {
		.address = request->w[1],
		.bytes = request->w[2],
		.flags = request->w[3],
		.object = request->w[4],
		.offset = request->w[5],
		.by_system = true,
	};

	return map_region(request, &mapping);
}
