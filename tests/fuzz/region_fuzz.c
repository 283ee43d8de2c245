/*
 * Fuzz target `region`: region maps that share nodes, as spaces do after forks.
 *
 * Input: a header of 2 bytes (the slab's size) and records of 8 bytes: an operation on one of four
 * maps over PAGES pages, in a slab so small that memory may run out.  The model of a map is an
 * array of pages.  After each operation the map it was for lists exactly the model's pages, and
 * its sums, gaps and totals are the model's; the others are compared at the end (nobody wrote to a
 * shared node). A refusal is one that the model expects, or NO_MEMORY if nothing was reserved; it
 * changes nothing. At the end everything is released and the slab must be empty.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fuzz.h"
#include "region.h"
#include <string.h>

#define MAPS	       4u
#define PAGES	       640u
#define BASE	       0x100000000ull
#define HEADER	       2u
#define PROTECT_BUDGET 32u
#define CAPACITY       4000u

struct record {
	uint8_t code, map, protection, extra;
	uint16_t first, count;
};

FUZZ_RECORDS(HEADER, sizeof(struct record))

struct page {
	uint64_t offset; /* in the object */
	uint32_t object, protection;
	uint32_t kind, tag;
	bool present;
};

static struct page model[MAPS][PAGES];
static struct region_node *maps[MAPS];
static struct slab nodes;
static _Alignas(
	4096) uint8_t window[(CAPACITY + 32) * sizeof(struct region_node) / 4096 * 4096 + 4096];

static status_t grow(void *address, uint64_t bytes)
{
	return (uint8_t *)address + bytes <= window + sizeof(window) ? ST_OK : ST_NO_MEMORY;
}

static uint64_t address_of(uint32_t page)
{
	return BASE + page * PAGE_SIZE;
}

static uint32_t page_of(uint64_t address)
{
	return (uint32_t)((address - BASE) / PAGE_SIZE);
}

/* ---- comparing ---- */

static bool is_private(const struct page *page)
{
	return !(page->protection & MAP_SHARED);
}

static void check_page(const struct page *page, const struct region *region, uint32_t number)
{
	uint64_t offset =
		region->object ? region->offset + (address_of(number) - region->start) : 0;

	FUZZ_CHECK(page->present && page->object == region->object);
	FUZZ_CHECK(page->protection == region->protection && page->offset == offset);
	FUZZ_CHECK(page->kind == region->kind && page->tag == region->tag);
}

/* The regions in order cover the model's pages and no others. */
static uint64_t check_pages(uint32_t map)
{
	const struct region *region;
	uint64_t at = BASE, count = 0;
	uint32_t page = 0;

	for (; (region = region_map_next(maps[map], at)) != NULL; at = region->end, count++) {
		for (; page < page_of(region->start); page++)
			FUZZ_CHECK(!model[map][page].present);
		for (; page < page_of(region->end); page++)
			check_page(&model[map][page], region, page);
	}
	for (; page < PAGES; page++)
		FUZZ_CHECK(!model[map][page].present);
	return count;
}

static struct region_totals totals_within(uint32_t map, uint32_t first, uint32_t end)
{
	struct region_totals totals = { 0 };

	for (uint32_t i = first; i < end; i++) {
		const struct page *page = &model[map][i];

		if (!page->present)
			continue;
		totals.bytes += PAGE_SIZE;
		totals.private_bytes += is_private(page) ? PAGE_SIZE : 0;
		totals.committed_bytes +=
			is_private(page) && (page->protection & MAP_WRITE) ? PAGE_SIZE : 0;
	}
	return totals;
}

static void check_totals(const struct region_totals *found, struct region_totals expected)
{
	FUZZ_CHECK(found->bytes == expected.bytes);
	FUZZ_CHECK(found->private_bytes == expected.private_bytes);
	FUZZ_CHECK(found->committed_bytes == expected.committed_bytes);
}

static void check_map(uint32_t map)
{
	struct region_totals totals = region_map_totals(maps[map]);

	FUZZ_CHECK(region_map_ok(maps[map]));
	FUZZ_CHECK(check_pages(map) == totals.count);
	check_totals(&totals, totals_within(map, 0, PAGES));
}

/* ---- operations ---- */

/* What an operation is about, from a record. */
struct step {
	uint32_t map, first, end; /* pages first .. end - 1 */
	struct record record;
	bool reserved; /* NO_MEMORY is no answer */
};

static bool any_present(const struct step *step)
{
	for (uint32_t i = step->first; i < step->end; i++)
		if (model[step->map][i].present)
			return true;
	return false;
}

/* An answer that is no success: the expected one, or that memory ran out. */
static void check_refused(const struct step *step, status_t status, status_t expected)
{
	FUZZ_CHECK(status == expected || (status == ST_NO_MEMORY && !step->reserved));
	FUZZ_CHECK(status != ST_OK);
}

static void do_insert(const struct step *step)
{
	static const uint32_t kinds[] = { REGION_PLAIN, REGION_PLAIN, REGION_PLAIN, REGION_HEAP,
		REGION_STACK, REGION_MESSAGE, REGION_WINDOW, REGION_PLAIN };
	uint32_t extra = step->record.extra;
	struct region region = {
		.start = address_of(step->first),
		.end = address_of(step->end),
		.protection = step->record.protection & 7,
		.object = extra & 3,
		.kind = kinds[extra >> 2 & 7],
		.tag = extra >> 5 & 1,
	};
	status_t status;

	if (step->record.protection & 0x20)
		region.protection |= MAP_SHARED;
	if ((step->record.protection & 0xc0) == 0xc0)
		region.protection |= MAP_STACK;
	if (region.object)
		region.offset = (extra & 0x80 ? step->first : step->record.count) * PAGE_SIZE;
	status = region_map_insert(&maps[step->map], &region);
	if (any_present(step)) {
		check_refused(step, status, ST_EXISTS);
		return;
	}
	if (status != ST_OK) {
		check_refused(step, status, ST_NO_MEMORY);
		return;
	}
	for (uint32_t i = step->first; i < step->end; i++)
		model[step->map][i] = (struct page){ .present = true,
			.object = region.object,
			.protection = region.protection,
			.kind = region.kind,
			.tag = region.tag,
			.offset =
				region.object ? region.offset + (i - step->first) * PAGE_SIZE : 0 };
}

static void do_cut(const struct step *step)
{
	struct region_node *removed = NULL;
	struct region_totals totals = totals_within(step->map, step->first, step->end), found;
	status_t status = region_map_cut(
		&maps[step->map], address_of(step->first), address_of(step->end), &removed);

	if (status != ST_OK) {
		check_refused(step, status, ST_NO_MEMORY);
		return;
	}
	found = region_map_totals(removed);
	check_totals(&found, totals);
	FUZZ_CHECK(region_map_ok(removed));
	region_map_release(&removed);
	memset(&model[step->map][step->first], 0, (step->end - step->first) * sizeof(struct page));
}

static void do_protect(const struct step *step)
{
	uint32_t rights = step->record.protection & REGION_RIGHTS;
	uint64_t at = address_of(step->first), reached,
		 budget = 1 + step->record.extra % PROTECT_BUDGET;

	while (at < address_of(step->end)) {
		status_t status = region_map_protect(
			&maps[step->map], at, address_of(step->end), rights, budget, &reached);

		if (status != ST_OK) {
			/* What was reserved is for the first call. */
			FUZZ_CHECK(status == ST_NO_MEMORY);
			FUZZ_CHECK(!step->reserved || at != address_of(step->first));
			return;
		}
		FUZZ_CHECK(reached > at && reached <= address_of(step->end));
		for (uint32_t i = page_of(at); i < page_of(reached); i++)
			if (model[step->map][i].present)
				model[step->map][i].protection =
					(model[step->map][i].protection & ~REGION_RIGHTS) | rights;
		at = reached;
	}
}

/* Taken by others than the region itself? */
static bool is_taken(uint32_t map, uint32_t first, uint32_t end)
{
	const struct step all = { .map = map, .first = first, .end = end };

	return first < end && any_present(&all);
}

static void model_move_borders(const struct step *step, const struct region *old)
{
	struct page *pages = model[step->map], page = pages[page_of(old->start)];
	uint32_t first = page_of(old->start);

	memset(&pages[first], 0, (page_of(old->end) - first) * sizeof(page));
	for (uint32_t i = step->first; i < step->end; i++) {
		pages[i] = page;
		if (page.object)
			pages[i].offset = page.offset + ((uint64_t)i - first) * PAGE_SIZE;
	}
}

static void do_resize(const struct step *step)
{
	uint64_t address = address_of(step->first + (step->record.extra & 15));
	const struct region *found = region_map_lookup(maps[step->map], address);
	struct region old = found ? *found : (struct region){ 0 };
	bool common, before, taken;
	status_t status = region_map_resize(
		&maps[step->map], address, address_of(step->first), address_of(step->end));

	if (!found) {
		check_refused(step, status, ST_NOT_FOUND);
		return;
	}
	common = step->first < page_of(old.end) && step->end > page_of(old.start);
	before = old.object && address_of(step->first) < old.start &&
		 old.start - address_of(step->first) > old.offset;
	taken = is_taken(step->map, step->first, page_of(old.start)) ||
		is_taken(step->map, page_of(old.end), step->end);
	if (!common || before)
		check_refused(step, status, ST_BAD_ARGUMENT);
	else if (taken)
		check_refused(step, status, ST_EXISTS);
	else if (status != ST_OK)
		check_refused(step, status, ST_NO_MEMORY);
	else
		model_move_borders(step, &old);
}

static void do_share(const struct step *step)
{
	uint32_t other = (step->map + 1 + step->record.extra % (MAPS - 1)) % MAPS;
	struct region_node *shared = region_map_share(maps[step->map]);

	region_map_release(&maps[other]);
	maps[other] = shared;
	memcpy(model[other], model[step->map], sizeof(model[other]));
}

/* Pages that find_gap may not offer: taken, or in the gap below a stack. */
static void find_closed(uint32_t map, bool *closed)
{
	uint32_t gap = LAYOUT_STACK_GAP / PAGE_SIZE;
	const struct region *region;

	for (uint32_t i = 0; i < PAGES; i++)
		closed[i] = model[map][i].present;
	for (uint64_t at = BASE; (region = region_map_next(maps[map], at)) != NULL;
		at = region->end) {
		if (!(region->protection & MAP_STACK))
			continue;
		uint32_t start = page_of(region->start);

		for (uint32_t i = start; i-- > 0 && start - i <= gap && !model[map][i].present;)
			closed[i] = true;
	}
}

/* The lowest or highest place for `length` pages within the step's; PAGES: none. */
static uint32_t find_place(
	const struct step *step, uint32_t length, enum region_direction direction)
{
	static bool closed[PAGES];
	uint32_t run = 0, place = PAGES;

	find_closed(step->map, closed);
	for (uint32_t i = step->first; i < step->end; i++) {
		run = closed[i] ? 0 : run + 1;
		if (run >= length && (place == PAGES || direction == REGION_TOP_DOWN))
			place = i + 1 - length;
	}
	return place;
}

static void do_find_gap(const struct step *step)
{
	enum region_direction direction =
		step->record.extra & 1 ? REGION_TOP_DOWN : REGION_BOTTOM_UP;
	uint32_t length = 1 + (step->record.extra >> 1) % 40;
	uint32_t place = find_place(step, length, direction);
	uint64_t address = 0;
	status_t status = region_map_find_gap(maps[step->map], length * PAGE_SIZE,
		address_of(step->first), address_of(step->end), direction, &address);

	FUZZ_CHECK(status == (place == PAGES ? ST_NO_MEMORY : ST_OK));
	FUZZ_CHECK(status != ST_OK || address == address_of(place));
}

static void do_read(const struct step *step)
{
	struct region_totals found = region_map_totals_within(
		maps[step->map], address_of(step->first), address_of(step->end));
	bool covers = true;

	check_totals(&found, totals_within(step->map, step->first, step->end));
	for (uint32_t i = step->first; i < step->end; i++)
		covers &= model[step->map][i].present;
	FUZZ_CHECK(covers == region_map_covers(maps[step->map], address_of(step->first),
				     address_of(step->end)));
}

static void do_step(struct step *step)
{
	static void (*const operations[])(const struct step *step) = { do_insert, do_insert,
		do_insert, do_insert, do_cut, do_cut, do_protect, do_protect, do_resize, do_resize,
		do_share, do_find_gap, do_read };
	uint32_t code = step->record.code, count = sizeof(operations) / sizeof(operations[0]);

	if (code % 16 == 15)
		(void)region_map_reap(1 + step->record.extra);
	step->reserved = (code & 0xc0) != 0xc0 &&
			 region_map_reserve(maps[step->map], 2 + PROTECT_BUDGET / 16) == ST_OK;
	operations[code % count](step);
	check_map(step->map);
}

static struct step step_read(const uint8_t *data)
{
	struct step step = { 0 };
	uint32_t length;

	memcpy(&step.record, data, sizeof(step.record));
	step.map = step.record.map % MAPS;
	step.first = step.record.first % PAGES;
	length = step.record.count < 0xc000 ? 1u + step.record.count % 12
					    : 1u + step.record.count % PAGES;
	step.end = step.first + length < PAGES ? step.first + length : PAGES;
	return step;
}

static void maps_end(void)
{
	uint64_t found = 0;

	while (region_map_reap(1000))
		continue;
	for (uint32_t i = 0; i < MAPS; i++)
		found += region_map_count_references(maps[i]);
	FUZZ_CHECK(found == region_map_nodes());
	for (uint32_t i = 0; i < MAPS; i++)
		FUZZ_CHECK(region_map_check_references(maps[i]));
	for (uint32_t i = 0; i < MAPS; i++)
		region_map_release(&maps[i]);
	while (region_map_reap(1000))
		continue;
	FUZZ_CHECK(region_map_nodes() == 0 && slab_ok(&nodes));
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t count = bytes < HEADER ? 0 : (bytes - HEADER) / sizeof(struct record);
	uint64_t capacity = count == 0 || data[0] >= 64 ? CAPACITY : 8 + 8u * data[0];

	FUZZ_CHECK(slab_init(&nodes, window, sizeof(struct region_node), capacity, grow) == ST_OK);
	region_map_init(&nodes);
	memset(model, 0, sizeof(model));
	for (size_t i = 0; i < count; i++) {
		struct step step = step_read(data + HEADER + i * sizeof(struct record));

		do_step(&step);
	}
	for (uint32_t map = 0; map < MAPS; map++)
		check_map(map);
	maps_end();
	fuzz_count(count);
	fuzz_count_input();
	return 0;
}
