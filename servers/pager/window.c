/*
 * Windows: the neighbours of a file page that come along with it (window.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "window.h"

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

/* See the header. */
uint64_t window_add(const struct window *window, const struct path *path, uint64_t bits)
{
	uint32_t list[OBJECT_WINDOW + 6] = { 0 };
	uint64_t pages = 0;

	for (uint32_t i = 0; i < window->count; i++) {
		list[i] = window->frames[i];
		pages += list[i] != 0 ? 1 : 0;
	}
	mmu_add(op_head(OP_FILL, 0, path->table[1], window->index, window->count), bits, 0);
	for (uint32_t i = 0; i < window->count; i += 6)
		mmu_add(list[i] | (uint64_t)list[i + 1] << 32,
			list[i + 2] | (uint64_t)list[i + 3] << 32,
			list[i + 4] | (uint64_t)list[i + 5] << 32);
	return pages;
}
