/*
 * Windows: the neighbours that come along with a page (window.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "window.h"

#include "blocks.h"
#include "fault_quick.h"
#include "large.h"

#define FRAMES_LEFT   64u /* windows are for times when memory is not short */
#define LOOK_EVERY    16u /* full windows to a look at what was used */
#define RUNS_MOST     8u  /* of frames in a window that are operations of their own: a reply has 63 */

/* Which pages: the aligned window around the address, cut to the region. */
static void window_place(
	struct window *window, const struct region *region, uint64_t address, uint64_t *first_page)
{
	uint64_t bytes = OBJECT_WINDOW * PAGE_SIZE;
	uint64_t start = address & ~(bytes - 1), end = start + bytes;

	start = start < region->start ? region->start : start;
	end = end > region->end ? region->end : end;
	window->index = level_index(start, 1);
	window->count = (uint32_t)((end - start) / PAGE_SIZE);
	*first_page = (region->offset + (start - region->start)) / PAGE_SIZE;
}

/* See the header. */
bool window_fill(struct window *window, const struct path *path, const struct region *region,
	struct object *object)
{
	uint64_t page;
	uint32_t found;

	window_place(window, region, path->address, &page);
	found = object_read(object, page, window->count, window->frames);
	if (window->index + found <= level_index(path->address, 1))
		return false; /* the object's leaf table ends in front of it */
	window->count = found;
	if (path->table[1] != 0) {
		const uint64_t *entries;

		if (tables_read(path->table[1], window->index, window->count, &entries) != ST_OK)
			return false;
		for (uint32_t i = 0; i < window->count; i++)
			if (entries[i] != 0)
				window->frames[i] = 0;
	}
	return true;
}

/* OP_FILL of a list of frames, which has 0s up to a multiple of six behind it. */
static void add_fill(uint64_t head, uint64_t bits, const uint32_t *list, uint32_t count)
{
	mmu_add(head, bits, 0);
	for (uint32_t i = 0; i < count; i += 6)
		mmu_add(list[i] | (uint64_t)list[i + 1] << 32,
			list[i + 2] | (uint64_t)list[i + 3] << 32,
			list[i + 4] | (uint64_t)list[i + 5] << 32);
}

/* See the header. */
uint64_t window_add(const struct window *window, const struct path *path, uint64_t bits)
{
	uint32_t list[OBJECT_WINDOW + 6] = { 0 };
	uint64_t pages = 0;

	for (uint32_t i = 0; i < window->count; i++) {
		list[i] = window->frames[i];
		pages += list[i] != 0 ? 1 : 0;
	}
	add_fill(op_head(OP_FILL, 0, path->table[1], window->index, window->count), bits, list,
		window->count);
	return pages;
}

/* ---- without a look ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What a window in `table` records. */
static void window_begin(
	struct space *space, pfn_t table, uint64_t address, uint64_t access, uint64_t pages)
{
	cure_begin(space);
	cure.filled = table;
	cure.live = mmu_frame(table)->live;
	cure.address = address;
	cure.access = (uint32_t)access;
	add_resident(space, pages);
}

/* The object's entries, copied as they are; programs' text gets its right to be executed behind. */
static uint32_t quick_file(struct space *space, const struct region *region, struct object *object,
	uint64_t address, uint64_t access, pfn_t table)
{
	uint64_t bytes = WINDOW_PAGES * PAGE_SIZE, start = address & ~(bytes - 1), end = start + bytes, page;
	uint32_t source, index, count;
	pfn_t leaf;

	start = start < region->start ? region->start : start;
	page = (region->offset + (start - region->start)) / PAGE_SIZE;
	leaf = object_leaf_complete(object, page);
	if (leaf == 0 || page >= object_pages(object))
		return 0;
	source = page % TABLE_ENTRIES;
	count = (uint32_t)least(least((least(end, region->end) - start) / PAGE_SIZE, TABLE_ENTRIES - source),
		object_pages(object) - page);
	index = level_index(start, 1);
	if (start + count * PAGE_SIZE <= address)
		return 0;
	window_begin(space, table, address, access, count);
	cure.is_guess = true;
	mmu_add(op_head(OP_COPY, 0, leaf, source, count), op_head(0, 0, table, index, 0), 0);
	if (region->protection & MAP_EXEC)
		mmu_add(op_head(OP_PROTECT, 0, table, index, count), PTE_NX, 0);
	space->counters.faults_file++;
	return mmu_count;
}

/* Were half of the pages in front of the entry used? */
static bool is_used(pfn_t table, uint32_t index, uint32_t pages)
{
	const uint64_t *entries;
	uint32_t used = 0;

	if (index < pages || tables_read(table, index - pages, pages, &entries) != ST_OK)
		return true;
	for (uint32_t i = 0; i < pages; i++)
		used += entries[i] & PTE_A ? 1 : 0;
	return used * 2 >= pages;
}

/* How many pages the stream gets now: twice as many as before. */
static uint32_t stream_pages(struct stream *stream, pfn_t table, uint32_t index)
{
	if (stream->next != stream->behind)
		stream->pages = 2;
	else if (stream->pages < WINDOW_PAGES)
		stream->pages *= 2;
	else if (++stream->windows % LOOK_EVERY == 0 && !is_used(table, index, WINDOW_PAGES))
		stream->pages = 1;
	return stream->pages;
}

/* Frames that do not follow one another, by a list. */
static void fill_by_list(pfn_t table, uint32_t index, uint32_t pages, uint64_t bits)
{
	uint32_t list[WINDOW_LARGE + 6] = { 0 };

	for (uint32_t i = 0; i < pages; i++)
		list[i] = frame_pool_take(KIND_ANONYMOUS);
	add_fill(op_head(OP_FILL, FILL_CLEAR, table, index, pages), bits, list, pages);
}

/* A run of empty entries, as far as they are: cleared frames, as many operations as runs of frames, or, if
   these are too many, a list. */
static uint32_t fill_zeroes(
	const struct region *region, pfn_t table, uint32_t index, uint32_t pages)
{
	uint64_t bits = region_leaf_bits(region) | PTE_W;
	uint32_t count;

	for (; pages > 0; pages -= count, index += count) {
		pfn_t first;

		count = pages;
		if (__builtin_expect(mmu_count == RUNS_MOST, 0)) {
			fill_by_list(table, index, pages, bits);
			break;
		}
		first = frame_pool_take_run_for_zeroes(KIND_ANONYMOUS, &count);
		mmu_add(op_head(OP_FILL, FILL_CLEAR, table, index, count), pte_make(first, bits), 0);
	}
	return mmu_count;
}

/* Is there memory for so many? */
static bool has_frames(const struct space *space, uint32_t pages)
{
	return frame_pool_has_for((enum frame_class)space->class, pages + FRAMES_LEFT);
}

static uint32_t quick_stream(struct space *space, const struct region *region, uint64_t address,
	uint64_t access, pfn_t table)
{
	struct stream *stream = &space->stream;
	uint32_t index = level_index(address, 1), pages;

	if (stream_place(table, index) != stream->next)
		return 0;
	if (has_frames(space, WINDOW_PAGES))
		pages = stream_pages(stream, table, index);
	else if (frame_pool_has_one((enum frame_class)space->class))
		pages = 1;
	else
		return 0;
	pages = (uint32_t)least(
		least(pages, TABLE_ENTRIES - index), (region->end - address + PAGE_SIZE - 1) / PAGE_SIZE);
	stream->next = stream->behind = stream_place(table, index) + stream_place(0, pages);
	window_begin(space, table, address, access, pages);
	space->counters.faults_zero++;
	return fill_zeroes(region, table, index, pages);
}

static uint32_t quick_large(struct space *space, const struct region *region, uint64_t address,
	uint64_t access, pfn_t table)
{
	uint64_t bytes = WINDOW_LARGE * PAGE_SIZE, start = address & ~(bytes - 1), end = start + bytes;
	uint32_t pages;

	if (blocks.count != 0 && large_may_be_due(region, address, table))
		return 0;
	start = start < region->start ? region->start : start;
	end = end > region->end ? region->end : end;
	pages = (uint32_t)((end - start) / PAGE_SIZE);
	if (!has_frames(space, pages))
		return 0;
	window_begin(space, table, address, access, pages);
	space->counters.faults_zero++;
	return fill_zeroes(region, table, level_index(start, 1), pages);
}

/* The operations, collected; 0: nothing has changed. */
static uint32_t window_of(struct space *space, uint64_t address, uint64_t access, pfn_t table)
{
	const struct region *region = &space->last;
	struct object *object;

	if (region->protection & MAP_SHARED || access & (FAULT_RESERVED | FAULT_PRESENT))
		return 0;
	if (region->object == 0) {
		if (!(access & FAULT_WRITE) || !(region->protection & MAP_WRITE))
			return 0;
		if (region->protection & MAP_LARGE)
			return quick_large(space, region, address, access, table);
		return quick_stream(space, region, address, access, table);
	}
	object = object_find(region->object);
	if (!object || object->kind != &object_kind_file || access & FAULT_WRITE ||
		!(region->protection & REGION_RIGHTS) ||
		(access & FAULT_FETCH && !(region->protection & MAP_EXEC)))
		return 0;
	return quick_file(space, region, object, address, access, table);
}

/* See the header. */
bool fault_window(struct message *message)
{
	struct space *space;
	uint32_t count;

	if (message->tag != (LABEL_FAULT | TAG_KERNEL) || message->w[6] != 0)
		return false;
	space = space_of_fault(message->badge);
	if (!space || !is_at_rest(space, message))
		return false;
	count = window_of(space, message->w[0], message->w[1], pte_pfn(message->w[5]));
	if (count == 0)
		return false;
	space->counters.faults++;
	reply_with_two(message, mmu_ops);
	message->tag = (uint64_t)count << TAG_OPS_SHIFT;
	if (count > OPS_IN_REGISTERS)
		message->tag |= TAG_OPS_IN_PAGE;
	return true;
}
