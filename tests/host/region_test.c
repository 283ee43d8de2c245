/*
 * Tests of the pager's slabs and region maps.
 *
 * Unit tests state each rule once.  The random test drives several maps that share nodes, as
 * spaces do after forks, beside a model that is an array of pages, in a slab small enough that
 * memory runs out now and then; after every step a map must list exactly the model's runs, and the
 * other maps must not have moved.  The cost tests count node visits and copies, not time.
 *
 * Usage: region              all tests
 *        region NAME         one test
 *        region SEED STEPS   the random test alone, to repeat or prolong it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "region.h"
#include "slab.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf test_end;

#define CHECK(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);   \
			longjmp(test_end, 1);                                             \
		}                                                                         \
	} while (0)
#define CHECK_OK(call) CHECK((call) == ST_OK)

/* ---- the slab's memory ---- */

static uint8_t *window;
static uint64_t window_size, window_grown, grow_calls;
static uint64_t grow_limit; /* bytes that may be handed out */

static status_t grow(void *address, uint64_t bytes)
{
	grow_calls++;
	if ((uint8_t *)address != window + window_grown || bytes % PAGE_SIZE || !bytes)
		abort();
	if (window_grown + bytes > grow_limit || window_grown + bytes > window_size)
		return ST_NO_MEMORY;
	window_grown += bytes;
	return ST_OK;
}

static void window_open(uint64_t bytes)
{
	bytes = (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	free(window);
	window = aligned_alloc(PAGE_SIZE, bytes);
	if (!window)
		abort();
	memset(window, 0xa5, bytes);
	window_size = grow_limit = bytes;
	window_grown = grow_calls = 0;
}

static struct slab nodes;

/* Begin a test of region maps with room for this many nodes. */
static void maps_begin(uint64_t capacity)
{
	window_open(capacity * sizeof(struct region_node));
	CHECK_OK(slab_init(&nodes, window, sizeof(struct region_node), capacity, grow));
	region_map_init(&nodes);
}

static void maps_end(void)
{
	while (region_map_reap(1000))
		continue;
	CHECK(region_map_nodes() == 0);
	CHECK(slab_ok(&nodes));
}

static uint64_t random_state;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull >> 11;
}

static uint64_t random_below(uint64_t bound)
{
	return random_next() % bound;
}

/* ---- slabs ---- */

static void slab_refuses_unfit_arguments(void)
{
	struct slab slab;

	window_open(PAGE_SIZE);
	CHECK(slab_init(&slab, window + 8, 16, 4, grow) == ST_BAD_ARGUMENT);
	CHECK(slab_init(&slab, window, 0, 4, grow) == ST_BAD_ARGUMENT);
	CHECK(slab_init(&slab, window, 12, 4, grow) == ST_BAD_ARGUMENT);
	CHECK(slab_init(&slab, window, 16, 0, grow) == ST_BAD_ARGUMENT);
	CHECK(slab_init(&slab, window, 16, UINT64_MAX / 16, grow) == ST_BAD_ARGUMENT);
}

static void slab_takes_what_was_reserved(void)
{
	struct slab slab;

	window_open(100 * 48);
	CHECK_OK(slab_init(&slab, window, 48, 100, grow));
	CHECK(slab_available(&slab) == 0 && !slab_take(&slab) && slab_ok(&slab));
	CHECK_OK(slab_reserve(&slab, 100));
	CHECK(slab_available(&slab) == 100);
	grow_limit = 0;
	for (uint64_t i = 0; i < 100; i++) {
		void *item = slab_take(&slab);

		CHECK(item && slab_index(&slab, item) == i && slab_at(&slab, i) == item);
		memset(item, 0, 48);
	}
	CHECK(!slab_take(&slab) && slab.used == 100 && slab_ok(&slab));
	CHECK(slab_reserve(&slab, 1) == ST_NO_MEMORY);
}

static void slab_reserves_no_more_than_missing(void)
{
	struct slab slab;

	window_open(4096 * 64);
	CHECK_OK(slab_init(&slab, window, 64, 4096, grow));
	CHECK_OK(slab_reserve(&slab, 1));
	CHECK(window_grown == SLAB_GROW_BYTES && grow_calls == 1);
	CHECK_OK(slab_reserve(&slab, SLAB_GROW_BYTES / 64));
	CHECK(grow_calls == 1);
	CHECK_OK(slab_reserve(&slab, SLAB_GROW_BYTES / 64 + 1));
	CHECK(grow_calls == 2 && window_grown == 2 * SLAB_GROW_BYTES);
	CHECK_OK(slab_reserve(&slab, 4096));
	CHECK(window_grown == window_size && slab_ok(&slab));
}

static void slab_is_content_with_what_is_needed(void)
{
	struct slab slab;

	window_open(4096 * 64);
	grow_limit = PAGE_SIZE;
	CHECK_OK(slab_init(&slab, window, 64, 4096, grow));
	CHECK_OK(slab_reserve(&slab, 64));
	CHECK(window_grown == PAGE_SIZE && slab_available(&slab) == 64);
	CHECK(slab_reserve(&slab, 65) == ST_NO_MEMORY);
	CHECK(slab_available(&slab) == 64 && slab_ok(&slab));
}

static void slab_uses_items_again(void)
{
	struct slab slab;
	void *items[50];

	window_open(64 * 56);
	CHECK_OK(slab_init(&slab, window, 56, 64, grow));
	CHECK_OK(slab_reserve(&slab, 50));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 50; i++)
			items[i] = slab_take(&slab);
		CHECK(slab.fresh == 50 && slab.used == 50);
		for (int i = 0; i < 50; i++)
			slab_give(&slab, items[(i * 7 + round) % 50]);
		CHECK(slab.used == 0 && slab_ok(&slab));
	}
}

static void slab_check_sees_damage(void)
{
	struct slab slab;

	window_open(64 * 64);
	CHECK_OK(slab_init(&slab, window, 64, 64, grow));
	CHECK_OK(slab_reserve(&slab, 8));
	void *item = slab_take(&slab);
	void *other = slab_take(&slab);

	slab_give(&slab, item);
	CHECK(slab_ok(&slab));
	slab_give(&slab, item); /* twice: a circle */
	CHECK(!slab_ok(&slab));
	*(void **)item = 0;
	slab.used = 1;
	CHECK(slab_ok(&slab));
	*(void **)item = (uint8_t *)other + 8; /* into the middle of an item */
	CHECK(!slab_ok(&slab));
	*(void **)item = 0;
	slab.used = 5;
	CHECK(!slab_ok(&slab));
}

/* ---- region maps: helpers ---- */

#define PAGES(n) ((uint64_t)(n) * PAGE_SIZE)

enum { RW = MAP_READ | MAP_WRITE, RO = MAP_READ, RX = MAP_READ | MAP_EXEC };

static struct region pages(uint64_t first, uint64_t behind, uint32_t protection)
{
	return (struct region){
		.start = PAGES(first), .end = PAGES(behind), .protection = protection};
}

static void insert(struct region_node **root, struct region region)
{
	CHECK_OK(region_map_reserve(*root, 1));
	CHECK_OK(region_map_insert(root, &region));
	CHECK(region_map_ok(*root));
}

static status_t try_insert(struct region_node **root, struct region region)
{
	CHECK_OK(region_map_reserve(*root, 1));
	return region_map_insert(root, &region);
}

/* Cut pages out and forget them; returns how many regions there were. */
static uint64_t cut(struct region_node **root, uint64_t first, uint64_t behind)
{
	struct region_node *removed;

	CHECK_OK(region_map_reserve(*root, 1));
	CHECK_OK(region_map_cut(root, PAGES(first), PAGES(behind), &removed));
	CHECK(region_map_ok(*root) && region_map_ok(removed));

	uint64_t count = region_map_totals(removed).count;

	region_map_release(&removed);
	return count;
}

static void protect(struct region_node **root, uint64_t first, uint64_t behind, uint32_t rights)
{
	uint64_t reached;

	CHECK_OK(region_map_reserve(*root, 4));
	CHECK_OK(region_map_protect(root, PAGES(first), PAGES(behind), rights, 1000, &reached));
	CHECK(reached == PAGES(behind) && region_map_ok(*root));
}

/* The map in one line: "16-20rw 24-25r" in pages, for comparing. */
static const char *text_of(const struct region_node *root)
{
	static char text[4096];
	size_t length = 0;
	const struct region *region = region_map_next(root, 0);

	text[0] = 0;
	for (; region; region = region_map_next(root, region->end))
		length += (size_t)snprintf(
			text + length, sizeof(text) - length, "%s%llu-%llu%s%s%s",
			length ? " " : "", region->start / PAGE_SIZE, region->end / PAGE_SIZE,
			region->protection & MAP_READ ? "r" : "", region->protection & MAP_WRITE ? "w" : "",
			region->protection & MAP_EXEC ? "x" : "");
	return text;
}

static bool is_same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

#define CHECK_MAP(root, expected)                                                            \
	do {                                                                                 \
		if (!is_same_text(text_of(root), expected))                                  \
			printf("map is     %s\nexpected   %s\n", text_of(root), expected);  \
		CHECK(is_same_text(text_of(root), expected));                                \
	} while (0)

/* ---- region maps: unit tests ---- */

static void map_finds_regions_at_their_borders(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	CHECK(!region_map_lookup(root, 0) && !region_map_next(root, 0));
	CHECK(!region_map_previous(root, ~0ull));
	insert(&root, pages(16, 20, RW));
	insert(&root, pages(24, 25, RO));
	insert(&root, pages(8, 10, RX));
	CHECK_MAP(root, "8-10rx 16-20rw 24-25r");
	CHECK(!region_map_lookup(root, PAGES(16) - 1));
	CHECK(region_map_lookup(root, PAGES(16))->end == PAGES(20));
	CHECK(region_map_lookup(root, PAGES(20) - 1)->start == PAGES(16));
	CHECK(!region_map_lookup(root, PAGES(20)));
	CHECK(region_map_next(root, PAGES(20))->start == PAGES(24));
	CHECK(region_map_next(root, PAGES(19))->start == PAGES(16));
	CHECK(region_map_next(root, 0)->start == PAGES(8) && !region_map_next(root, PAGES(25)));
	CHECK(region_map_previous(root, PAGES(20))->start == PAGES(16));
	CHECK(region_map_previous(root, PAGES(20) - 1)->start == PAGES(8));
	CHECK(!region_map_previous(root, PAGES(10) - 1));
	region_map_release(&root);
	maps_end();
}

static void map_refuses_overlap_and_unfit_regions(void)
{
	struct region_node *root = 0;
	struct region bad;

	maps_begin(1000);
	insert(&root, pages(16, 20, RW));
	CHECK(try_insert(&root, pages(19, 21, RW)) == ST_EXISTS);
	CHECK(try_insert(&root, pages(10, 17, RW)) == ST_EXISTS);
	CHECK(try_insert(&root, pages(17, 18, RW)) == ST_EXISTS);
	CHECK(try_insert(&root, pages(10, 30, RW)) == ST_EXISTS);
	CHECK(try_insert(&root, pages(30, 30, RW)) == ST_BAD_ARGUMENT);
	CHECK(try_insert(&root, pages(31, 30, RW)) == ST_BAD_ARGUMENT);
	CHECK(try_insert(&root, pages(30, 31, RW | MAP_FIXED_AT)) == ST_BAD_ARGUMENT);
	bad = pages(30, 31, RW);
	bad.start++;
	CHECK(try_insert(&root, bad) == ST_BAD_ARGUMENT);
	bad = pages(30, 31, RW);
	bad.offset = PAGES(1); /* anonymous */
	CHECK(try_insert(&root, bad) == ST_BAD_ARGUMENT);
	bad.object = 1;
	bad.offset = PAGE_SIZE / 2;
	CHECK(try_insert(&root, bad) == ST_BAD_ARGUMENT);
	bad.offset = 0 - PAGES(1);
	CHECK(try_insert(&root, bad) == ST_BAD_ARGUMENT);
	CHECK_MAP(root, "16-20rw");
	region_map_release(&root);
	maps_end();
}

static void map_merges_equal_neighbours(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	insert(&root, pages(16, 20, RW));
	insert(&root, pages(20, 24, RW)); /* above */
	CHECK_MAP(root, "16-24rw");
	insert(&root, pages(12, 16, RW)); /* below */
	CHECK_MAP(root, "12-24rw");
	insert(&root, pages(28, 30, RW));
	insert(&root, pages(24, 28, RW)); /* between */
	CHECK_MAP(root, "12-30rw");
	CHECK(region_map_nodes() == 1);
	region_map_release(&root);
	maps_end();
}

static void map_keeps_unequal_neighbours_apart(void)
{
	struct region_node *root = 0;
	struct region region = pages(20, 24, RW);

	maps_begin(1000);
	insert(&root, pages(16, 20, RW));
	insert(&root, pages(12, 16, RO));
	insert(&root, pages(8, 12, RO | MAP_SHARED));
	region.kind = REGION_HEAP;
	insert(&root, region);
	region.start = PAGES(24);
	region.end = PAGES(25);
	region.tag = 1;
	insert(&root, region);
	region.start = PAGES(25);
	region.end = PAGES(26);
	region.object = 7;
	insert(&root, region);
	CHECK_MAP(root, "8-12r 12-16r 16-20rw 20-24rw 24-25rw 25-26rw");
	region_map_release(&root);
	maps_end();
}

static void map_merges_objects_by_offset(void)
{
	struct region_node *root = 0;
	struct region region = pages(16, 20, RW);

	maps_begin(1000);
	region.object = 3;
	region.offset = PAGES(100);
	insert(&root, region);
	region.start = PAGES(20);
	region.end = PAGES(22);
	region.offset = PAGES(105); /* not where the first one ends */
	insert(&root, region);
	CHECK_MAP(root, "16-20rw 20-22rw");
	CHECK(cut(&root, 20, 22) == 1);
	region.offset = PAGES(104);
	insert(&root, region);
	CHECK_MAP(root, "16-22rw");
	region_map_release(&root);
	maps_end();
}

static void map_never_merges_stacks(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	insert(&root, pages(1000, 1010, RW | MAP_STACK));
	insert(&root, pages(1010, 1020, RW | MAP_STACK));
	CHECK_MAP(root, "1000-1010rw 1010-1020rw");
	region_map_release(&root);
	maps_end();
}

static void map_cut_divides_and_moves_offsets(void)
{
	struct region_node *root = 0, *removed;
	struct region region = pages(16, 32, RX);

	maps_begin(1000);
	region.object = 5;
	region.offset = PAGES(40);
	insert(&root, region);
	CHECK_OK(region_map_reserve(root, 1));
	CHECK_OK(region_map_cut(&root, PAGES(20), PAGES(24), &removed));
	CHECK_MAP(root, "16-20rx 24-32rx");
	CHECK(region_map_next(root, PAGES(20))->offset == PAGES(48));
	CHECK(region_map_next(root, 0)->offset == PAGES(40));
	CHECK_MAP(removed, "20-24rx");
	CHECK(region_map_next(removed, 0)->offset == PAGES(44));
	CHECK(region_map_next(removed, 0)->object == 5);
	region_map_release(&removed);
	region_map_release(&root);
	maps_end();
}

static void map_cut_takes_many_and_nothing(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	for (uint64_t i = 0; i < 20; i++)
		insert(&root, pages(10 * i + 4, 10 * i + 8, RW));
	CHECK(cut(&root, 8, 14) == 0);
	CHECK(cut(&root, 300, 400) == 0);
	CHECK(cut(&root, 26, 175) == 16); /* two of them in part */
	CHECK_MAP(root, "4-8rw 14-18rw 24-26rw 175-178rw 184-188rw 194-198rw");
	CHECK(cut(&root, 0, 1000) == 6);
	CHECK(!root);
	maps_end();
}

static void map_cut_refuses_unfit_ranges(void)
{
	struct region_node *root = 0, *removed = 0;

	maps_begin(1000);
	insert(&root, pages(4, 8, RW));
	CHECK_OK(region_map_reserve(root, 1));
	CHECK(region_map_cut(&root, PAGES(5), PAGES(5), &removed) == ST_BAD_ARGUMENT);
	CHECK(region_map_cut(&root, PAGES(6), PAGES(5), &removed) == ST_BAD_ARGUMENT);
	CHECK(region_map_cut(&root, PAGES(5) + 1, PAGES(6), &removed) == ST_BAD_ARGUMENT);
	CHECK_MAP(root, "4-8rw");
	region_map_release(&root);
	maps_end();
}

static void map_protect_divides_and_merges(void)
{
	struct region_node *root = 0;

	maps_begin(10000);
	insert(&root, pages(16, 32, RW));
	protect(&root, 20, 24, RO);
	CHECK_MAP(root, "16-20rw 20-24r 24-32rw");
	protect(&root, 22, 28, RX);
	CHECK_MAP(root, "16-20rw 20-22r 22-28rx 28-32rw");
	protect(&root, 20, 28, 0);
	CHECK_MAP(root, "16-20rw 20-28 28-32rw");
	protect(&root, 18, 30, RW);
	CHECK_MAP(root, "16-32rw");
	CHECK(region_map_nodes() == 1);
	protect(&root, 20, 24, RW); /* no change */
	CHECK_MAP(root, "16-32rw");
	region_map_release(&root);
	maps_end();
}

#define WITHIN_FIRST 1000u
#define WITHIN_PAGES 400u

/* Every page has the rights that it got last, and its place in the object. */
static void check_within(const struct region_node *root, const uint32_t *rights)
{
	CHECK(region_map_ok(root));
	for (uint64_t i = 0; i < WITHIN_PAGES; i++) {
		const struct region *region = region_map_lookup(root, PAGES(WITHIN_FIRST + i));

		if (i >= 300 && i < 310) {
			CHECK(!region);
			continue;
		}
		CHECK(region && (region->protection & REGION_RIGHTS) == rights[i]);
		CHECK(region->object == (i >= 100 && i < 200 ? 7 : 0));
		CHECK(!region->object ||
			region->offset == PAGES(5) + region->start - PAGES(WITHIN_FIRST + 100));
	}
}

/* Rights of parts of regions of a deep tree that nobody shares, by the hundred: nearly all in place. */
static void map_protect_within_regions(void)
{
	static const uint32_t some[] = {RW, RO, RX};
	struct region_node *root = 0;
	uint32_t rights[WITHIN_PAGES], in_place = 0;
	struct region file = pages(WITHIN_FIRST + 100, WITHIN_FIRST + 200, RW);

	maps_begin(10000);
	random_state = 42;
	file.object = 7;
	file.offset = PAGES(5);
	insert(&root, pages(WITHIN_FIRST, WITHIN_FIRST + 100, RW));
	insert(&root, file);
	insert(&root, pages(WITHIN_FIRST + 200, WITHIN_FIRST + 300, RW | MAP_SHARED));
	insert(&root, pages(WITHIN_FIRST + 310, WITHIN_FIRST + WITHIN_PAGES, RW | MAP_STACK));
	for (uint64_t i = 0; i < WITHIN_PAGES; i++)
		rights[i] = RW;
	for (uint32_t i = 0; i < 4000; i++) {
		uint64_t page = WITHIN_FIRST + random_below(WITHIN_PAGES);
		const struct region *region = region_map_lookup(root, PAGES(page));
		uint64_t first, behind;

		if (!region)
			continue;
		first = region->start / PAGE_SIZE;
		behind = region->end / PAGE_SIZE;
		first = random_below(3) ? first + random_below(behind - first) : first;
		behind = random_below(3) ? first + 1 + random_below(behind - first) : behind;
		page = random_below(3);
		CHECK_OK(region_map_reserve(root, 4));
		if (region_map_protect_within(&root, PAGES(first), PAGES(behind), some[page]))
			in_place++;
		else
			protect(&root, first, behind, some[page]);
		for (; first < behind; first++)
			rights[first - WITHIN_FIRST] = some[page];
		check_within(root, rights);
	}
	CHECK(in_place > 2000);
	region_map_release(&root);
	maps_end();
}

static void map_protect_keeps_flags_and_skips_holes(void)
{
	struct region_node *root = 0;

	maps_begin(10000);
	insert(&root, pages(16, 20, RW | MAP_SHARED));
	insert(&root, pages(24, 28, RW));
	insert(&root, pages(600, 610, RW | MAP_STACK));
	protect(&root, 0, 700, RO);
	CHECK_MAP(root, "16-20r 24-28r 600-610r");
	CHECK(region_map_lookup(root, PAGES(16))->protection == (RO | MAP_SHARED));
	CHECK(region_map_lookup(root, PAGES(600))->protection == (RO | MAP_STACK));
	protect(&root, 100, 200, RW);
	CHECK_MAP(root, "16-20r 24-28r 600-610r");
	region_map_release(&root);
	maps_end();
}

static void map_advise_changes_nothing_else(void)
{
	struct region_node *root = 0;
	uint64_t at = 0;

	maps_begin(10000);
	insert(&root, pages(20, 30, RW | MAP_STACK));
	insert(&root, pages(30, 60, RW));
	CHECK_OK(region_map_advise(&root, PAGES(25), PAGES(40), MAP_LARGE, 1000, &at));
	CHECK(at == PAGES(40) && region_map_totals(root).count == 4);
	CHECK(region_map_lookup(root, PAGES(24))->protection == (RW | MAP_STACK));
	CHECK(region_map_lookup(root, PAGES(29))->protection == (RW | MAP_STACK | MAP_LARGE));
	CHECK(region_map_lookup(root, PAGES(39))->protection == (RW | MAP_LARGE));
	protect(&root, 30, 60, RO);
	CHECK(region_map_lookup(root, PAGES(39))->protection == (RO | MAP_LARGE));
	CHECK(region_map_advise(&root, 0, PAGES(60), MAP_SHARED, 1, &at) == ST_BAD_ARGUMENT);
	CHECK_OK(region_map_advise(&root, 0, PAGES(60), 0, 1000, &at));
	CHECK(region_map_lookup(root, PAGES(39))->protection == RO);
	CHECK(region_map_totals(root).count == 3);
	region_map_release(&root);
	maps_end();
}

static void map_protect_goes_on_where_it_stopped(void)
{
	struct region_node *root = 0;
	uint64_t at = PAGES(41), steps = 0;

	maps_begin(10000);
	for (uint64_t i = 0; i < 50; i++)
		insert(&root, pages(10 * i, 10 * i + 5, RW));
	while (at < PAGES(1000)) {
		CHECK_OK(region_map_reserve(root, 2));
		CHECK_OK(region_map_protect(&root, at, PAGES(1000), RO, 7, &at));
		CHECK(region_map_ok(root));
		steps++;
	}
	CHECK(at == PAGES(1000) && steps == 7); /* 46 regions */
	CHECK(region_map_totals(root).committed_bytes == PAGES(4 * 5 + 1));
	CHECK(region_map_protect(&root, 0, PAGES(1), RO, 0, &at) == ST_BAD_ARGUMENT);
	CHECK(region_map_protect(&root, 0, PAGES(1), MAP_SHARED, 1, &at) == ST_BAD_ARGUMENT);
	CHECK(region_map_protect(&root, 1, PAGES(1), RO, 1, &at) == ST_BAD_ARGUMENT);
	region_map_release(&root);
	maps_end();
}

static status_t resize(struct region_node **root, uint64_t at, uint64_t first, uint64_t behind)
{
	CHECK_OK(region_map_reserve(*root, 1));

	status_t status = region_map_resize(root, PAGES(at), PAGES(first), PAGES(behind));

	CHECK(region_map_ok(*root));
	return status;
}

static void map_resize_moves_both_borders(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	insert(&root, pages(16, 20, RW));
	insert(&root, pages(30, 31, RO));
	CHECK_OK(resize(&root, 17, 16, 28));
	CHECK_MAP(root, "16-28rw 30-31r");
	CHECK_OK(resize(&root, 17, 10, 28));
	CHECK_OK(resize(&root, 17, 12, 30));
	CHECK_MAP(root, "12-30rw 30-31r");
	CHECK_OK(resize(&root, 29, 29, 30));
	CHECK_MAP(root, "29-30rw 30-31r");
	CHECK(resize(&root, 29, 29, 31) == ST_EXISTS);
	CHECK(resize(&root, 30, 28, 31) == ST_EXISTS);
	CHECK(resize(&root, 28, 28, 30) == ST_NOT_FOUND);
	CHECK(resize(&root, 29, 29, 29) == ST_BAD_ARGUMENT);
	CHECK(resize(&root, 29, 20, 25) == ST_BAD_ARGUMENT);
	CHECK_MAP(root, "29-30rw 30-31r");
	region_map_release(&root);
	maps_end();
}

static void map_resize_merges_and_moves_offsets(void)
{
	struct region_node *root = 0;
	struct region region = pages(16, 20, RW);

	maps_begin(1000);
	insert(&root, region);
	insert(&root, pages(24, 28, RW));
	CHECK_OK(resize(&root, 16, 16, 24));
	CHECK_MAP(root, "16-28rw");
	region = pages(100, 110, RW);
	region.object = 2;
	region.offset = PAGES(3);
	insert(&root, region);
	CHECK(resize(&root, 100, 96, 110) == ST_BAD_ARGUMENT); /* before the object's first byte */
	CHECK_OK(resize(&root, 100, 97, 110));
	CHECK(region_map_lookup(root, PAGES(97))->offset == 0);
	CHECK_OK(resize(&root, 100, 104, 106));
	CHECK(region_map_lookup(root, PAGES(104))->offset == PAGES(7));
	region_map_release(&root);
	maps_end();
}

static uint64_t gap_page(const struct region_node *root, uint64_t length, uint64_t low,
			 uint64_t high, enum region_direction direction)
{
	uint64_t address;

	if (region_map_find_gap(root, PAGES(length), PAGES(low), PAGES(high), direction,
				&address) != ST_OK)
		return UINT64_MAX;
	return address / PAGE_SIZE;
}

static void map_finds_gaps_in_both_directions(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	CHECK(gap_page(root, 5, 10, 100, REGION_BOTTOM_UP) == 10);
	CHECK(gap_page(root, 5, 10, 100, REGION_TOP_DOWN) == 95);
	CHECK(gap_page(root, 90, 10, 100, REGION_TOP_DOWN) == 10);
	CHECK(gap_page(root, 91, 10, 100, REGION_TOP_DOWN) == UINT64_MAX);
	insert(&root, pages(20, 30, RW));
	insert(&root, pages(34, 50, RW));
	insert(&root, pages(90, 100, RW));
	CHECK(gap_page(root, 4, 15, 100, REGION_BOTTOM_UP) == 15);
	CHECK(gap_page(root, 4, 17, 100, REGION_BOTTOM_UP) == 30);
	CHECK(gap_page(root, 5, 17, 100, REGION_BOTTOM_UP) == 50);
	CHECK(gap_page(root, 4, 17, 100, REGION_TOP_DOWN) == 86);
	CHECK(gap_page(root, 4, 17, 53, REGION_TOP_DOWN) == 30);
	CHECK(gap_page(root, 41, 0, 100, REGION_TOP_DOWN) == UINT64_MAX);
	CHECK(gap_page(root, 40, 0, 100, REGION_TOP_DOWN) == 50);
	CHECK(gap_page(root, 5, 17, 53, REGION_TOP_DOWN) == UINT64_MAX);
	CHECK(gap_page(root, 2, 31, 33, REGION_TOP_DOWN) == 31); /* inside one gap */
	CHECK(gap_page(root, 2, 22, 28, REGION_BOTTOM_UP) == UINT64_MAX);
	CHECK(gap_page(root, 2, 28, 22, REGION_BOTTOM_UP) == UINT64_MAX);
	region_map_release(&root);
	maps_end();
}

static void map_keeps_the_gap_below_stacks(void)
{
	struct region_node *root = 0;
	uint64_t guard = LAYOUT_STACK_GAP / PAGE_SIZE;

	maps_begin(1000);
	insert(&root, pages(2000, 2010, RW | MAP_STACK));
	CHECK(gap_page(root, 10, 0, 2010, REGION_TOP_DOWN) == 2000 - guard - 10);
	CHECK(gap_page(root, 1, 2000 - guard, 2010, REGION_BOTTOM_UP) == UINT64_MAX);
	CHECK(gap_page(root, 1, 1990, 1999, REGION_BOTTOM_UP) == UINT64_MAX);
	CHECK(gap_page(root, 1, 1990, 2020, REGION_BOTTOM_UP) == 2010);
	insert(&root, pages(1900, 1901, RW)); /* at a fixed address it may be there */
	CHECK(gap_page(root, 1, 1901, 1990, REGION_TOP_DOWN) == UINT64_MAX);
	CHECK(gap_page(root, 1, 0, 1990, REGION_TOP_DOWN) == 1899); /* it shields what is below */
	region_map_release(&root);
	insert(&root, pages(10, 20, RW | MAP_STACK)); /* its guard would begin below 0 */
	CHECK(gap_page(root, 1, 0, 20, REGION_BOTTOM_UP) == UINT64_MAX);
	region_map_release(&root);
	maps_end();
}

static void map_sums_up(void)
{
	struct region_node *root = 0;

	maps_begin(10000);
	insert(&root, pages(10, 20, RW));
	insert(&root, pages(20, 30, RO));
	insert(&root, pages(40, 50, RW | MAP_SHARED));
	struct region_totals sum = region_map_totals(root);

	CHECK(sum.count == 3 && sum.bytes == PAGES(30));
	CHECK(sum.private_bytes == PAGES(20) && sum.committed_bytes == PAGES(10));
	sum = region_map_totals_within(root, PAGES(15), PAGES(45));
	CHECK(sum.count == 3 && sum.bytes == PAGES(20));
	CHECK(sum.private_bytes == PAGES(15) && sum.committed_bytes == PAGES(5));
	sum = region_map_totals_within(root, PAGES(12), PAGES(14));
	CHECK(sum.count == 1 && sum.bytes == PAGES(2));
	CHECK(region_map_totals_within(root, PAGES(30), PAGES(40)).count == 0);
	CHECK(region_map_totals_within(root, PAGES(45), PAGES(15)).count == 0);
	CHECK(region_map_covers(root, PAGES(10), PAGES(30)));
	CHECK(region_map_covers(root, PAGES(12), PAGES(29)));
	CHECK(!region_map_covers(root, PAGES(10), PAGES(31)));
	CHECK(!region_map_covers(root, PAGES(9), PAGES(30)));
	CHECK(!region_map_covers(root, PAGES(29), PAGES(41)));
	protect(&root, 10, 30, RW);
	CHECK(region_map_totals(root).committed_bytes == PAGES(20));
	region_map_release(&root);
	CHECK(region_map_totals(root).count == 0);
	maps_end();
}

static void shared_maps_change_apart(void)
{
	struct region_node *parent = 0, *child;

	maps_begin(10000);
	for (uint64_t i = 0; i < 10; i++)
		insert(&parent, pages(10 * i, 10 * i + 5, RW));
	child = region_map_share(parent);
	CHECK(child == parent && region_map_nodes() == 10);
	cut(&child, 13, 42);
	CHECK(region_map_totals(parent).count == 10);
	CHECK_MAP(child, "0-5rw 10-13rw 42-45rw 50-55rw 60-65rw 70-75rw 80-85rw 90-95rw");
	protect(&parent, 50, 55, RO);
	CHECK(region_map_lookup(child, PAGES(50))->protection == RW);
	insert(&child, pages(20, 21, RX));
	CHECK(region_map_lookup(parent, PAGES(20))->protection == RW);
	CHECK_OK(resize(&parent, 90, 90, 99));
	CHECK(!region_map_lookup(child, PAGES(98)));
	region_map_release(&parent);
	while (region_map_reap(1))
		continue;
	CHECK(region_map_ok(child));
	CHECK(region_map_nodes() == region_map_totals(child).count);
	region_map_release(&child);
	maps_end();
}

static void sole_owner_edits_in_place(void)
{
	struct region_node *root = 0;

	maps_begin(10000);
	for (uint64_t i = 0; i < 500; i++)
		insert(&root, pages(10 * i, 10 * i + 5, RW));

	uint64_t copies = region_map_counters()->copies;

	for (uint64_t i = 0; i < 500; i++)
		CHECK_OK(resize(&root, 10 * i, 10 * i, 10 * i + 7));
	cut(&root, 1003, 2003);
	protect(&root, 3003, 4003, RO);
	CHECK(region_map_counters()->copies == copies);
	region_map_release(&root);
	maps_end();
}

static void release_is_done_in_pieces(void)
{
	struct region_node *root = 0, *other;
	uint64_t rounds = 0;

	maps_begin(10000);
	for (uint64_t i = 0; i < 1000; i++)
		insert(&root, pages(10 * i, 10 * i + 5, RW));
	other = region_map_share(root);
	region_map_release(&root);
	CHECK(!root && !region_map_reap(0) && region_map_nodes() == 1000);
	region_map_release(&other);
	CHECK(region_map_nodes() == 1000);
	for (uint64_t left = 1000; region_map_reap(30); rounds++) {
		CHECK(region_map_nodes() == left - 30);
		left -= 30;
	}
	CHECK(rounds == 33 && region_map_nodes() == 0);
	maps_end();
}

static void reserve_takes_from_the_reaper_first(void)
{
	struct region_node *root = 0;

	maps_begin(730);
	for (uint64_t i = 0; i < 500; i++)
		insert(&root, pages(10 * i, 10 * i + 5, RW));
	grow_limit = 0;
	region_map_release(&root);
	CHECK(slab_available(&nodes) < 240);
	CHECK_OK(region_map_reserve(0, 3));
	CHECK(region_map_nodes() < 500);
	maps_end();
}

static void changes_without_memory_change_nothing(void)
{
	struct region_node *root = 0, *other, *removed;
	struct region region = pages(5000, 5001, RW);
	uint64_t reached = 0, before;

	maps_begin(10000);
	for (uint64_t i = 0; i < 100; i++)
		insert(&root, pages(10 * i, 10 * i + 5, RW));
	other = region_map_share(root);
	while (slab_available(&nodes) > 10)
		slab_take(&nodes);
	grow_limit = 0;
	before = region_map_nodes();
	CHECK(region_map_reserve(root, 1) == ST_NO_MEMORY);
	CHECK(region_map_insert(&root, &region) == ST_NO_MEMORY);
	CHECK(region_map_cut(&root, PAGES(3), PAGES(33), &removed) == ST_NO_MEMORY);
	CHECK(region_map_protect(&root, PAGES(3), PAGES(33), RO, 10, &reached) == ST_NO_MEMORY);
	CHECK(region_map_resize(&root, 0, 0, PAGES(6)) == ST_NO_MEMORY);
	CHECK(root == other && region_map_ok(root) && region_map_nodes() == before && !reached);
	CHECK(region_map_totals(root).count == 100);
	CHECK(region_map_count_references(root) + region_map_count_references(other) == 100);
	CHECK(region_map_check_references(root) && region_map_check_references(other));
}

static void map_check_sees_damage(void)
{
	struct region_node *root = 0, saved;

	maps_begin(10000);
	for (uint64_t i = 0; i < 7; i++)
		insert(&root, pages(10 * i, 10 * i + 5, RW));
	CHECK(region_map_ok(root));
	saved = *root;
#define DAMAGE(field, value)                    \
	do {                                    \
		root->field = (value);          \
		CHECK(!region_map_ok(root));    \
		*root = saved;                  \
		CHECK(region_map_ok(root));     \
	} while (0)
	DAMAGE(region.end, PAGES(55));
	DAMAGE(region.start, PAGES(1));
	DAMAGE(region.protection, 1u << 30);
	DAMAGE(gap, saved.gap + 1);
	DAMAGE(low, 1);
	DAMAGE(high, 1);
	DAMAGE(height, saved.height + 1);
	DAMAGE(references, 0);
	DAMAGE(totals.count, 8);
	DAMAGE(totals.bytes, 8);
	DAMAGE(totals.private_bytes, 8);
	DAMAGE(totals.committed_bytes, 8);
	DAMAGE(left, 0);
	DAMAGE(right, saved.left);
#undef DAMAGE
	root->left->references++;
	CHECK(region_map_count_references(root) == 7 && !region_map_check_references(root));
	root->left->references--;
	CHECK(region_map_count_references(root) == 7 && region_map_check_references(root));
	region_map_release(&root);
	maps_end();
}

static int64_t named[4]; /* by object */

static void count_object(uint32_t object, int change)
{
	named[object < 4 ? object : 0] += change;
}

static void objects_know_who_names_them(void)
{
	struct region_node *root = 0, *other;

	maps_begin(1000);
	memset(named, 0, sizeof(named));
	region_map_watch(count_object);
	for (uint32_t object = 0; object < 4; object++) {
		struct region region = pages(100 * object, 100 * object + 50, RW);

		region.object = object;
		insert(&root, region);
	}
	CHECK(named[0] == 0 && named[1] == 1 && named[2] == 1 && named[3] == 1);
	cut(&root, 110, 120); /* two parts stay; the third waits for the reaper */
	CHECK(named[1] == 3 && region_map_reap(0) && !region_map_reap(10) && named[1] == 2);
	other = region_map_share(root);
	CHECK(named[3] == 1);
	CHECK_OK(resize(&other, 300, 300, 340));
	CHECK(named[3] == 2);
	region_map_release(&root);
	region_map_release(&other);
	maps_end();
	CHECK(!named[0] && !named[1] && !named[2] && !named[3]);
}

/* ---- cost ---- */

enum { MANY = 100000 };
static uint64_t many_order[MANY];

/* A map of 10^5 regions, inserted in random order; region i is at page 4 i, two pages long. */
static struct region_node *many_regions(void)
{
	struct region_node *root = 0;

	random_state = 42;
	for (uint64_t i = 0; i < MANY; i++)
		many_order[i] = i;
	for (uint64_t i = MANY - 1; i; i--) {
		uint64_t j = random_below(i + 1), other = many_order[i];

		many_order[i] = many_order[j];
		many_order[j] = other;
	}
	for (uint64_t i = 0; i < MANY; i++) {
		struct region region = pages(4 * many_order[i], 4 * many_order[i] + 2, RW);

		CHECK_OK(region_map_reserve(root, 1));
		CHECK_OK(region_map_insert(&root, &region));
	}
	CHECK(region_map_ok(root) && region_map_totals(root).count == MANY);
	CHECK(root->height <= 24); /* 1.45 x log2(10^5) */
	return root;
}

static uint64_t visits_since(uint64_t before)
{
	return region_map_counters()->visits - before;
}

static void reading_costs_the_height(void)
{
	maps_begin(MANY + 10000);
	struct region_node *root = many_regions();
	uint64_t worst = 0, worst_gap = 0;

	cut(&root, 4 * 70000 - 1, 4 * 70000 + 1); /* the one larger gap: 3 pages */
	for (int i = 0; i < 20000; i++) {
		uint64_t page = random_below(4 * MANY), visits = region_map_counters()->visits;

		CHECK(!region_map_lookup(root, PAGES(page)) == (page % 4 >= 2 || page == 4 * 70000));
		region_map_previous(root, PAGES(page));
		worst = visits_since(visits) > worst ? visits_since(visits) : worst;
		visits = region_map_counters()->visits;
		gap_page(root, 3, page, page + random_below(4 * MANY), (enum region_direction)(i % 2));
		/* Room everywhere but in the range. */
		CHECK(gap_page(root, 2, page & ~3ull, (page & ~3ull) + 2, REGION_TOP_DOWN) == UINT64_MAX ||
		      (page & ~3ull) == 4 * 70000);
		worst_gap = visits_since(visits) > worst_gap ? visits_since(visits) : worst_gap;
	}
	CHECK(worst <= 2 * root->height);
	CHECK(worst_gap <= 12 * root->height);
	region_map_release(&root);
	maps_end();
}

/* One change of a shared map: the new root replaces *root, the costs go to the worst so far. */
static uint64_t worst_visits, worst_nodes;

static void note_cost(uint64_t visits, uint64_t used)
{
	visits = visits_since(visits);
	used = region_map_nodes() - used;
	worst_visits = visits > worst_visits ? visits : worst_visits;
	worst_nodes = used > worst_nodes ? used : worst_nodes;
}

static void change_at_random(struct region_node **root)
{
	struct region_node *removed = 0;
	uint64_t page = random_below(4 * MANY), to = page + 1 + random_below(4 * MANY), reached;
	uint64_t visits = region_map_counters()->visits, used = region_map_nodes();
	struct region region = pages(4 * (page / 4) + 2, 4 * (page / 4) + 4, RW); /* merges three */

	switch (random_below(4)) {
	case 0:
		CHECK_OK(region_map_insert(root, &region));
		break;
	case 1:
		CHECK_OK(region_map_cut(root, PAGES(page), PAGES(to), &removed));
		break;
	case 2:
		CHECK_OK(region_map_protect(root, PAGES(page), PAGES(to), RO, 1, &reached));
		break;
	default:
		CHECK_OK(region_map_resize(root, PAGES(page & ~3ull), PAGES(page & ~3ull),
					   PAGES((page & ~3ull) + 4)));
	}
	note_cost(visits, used);
	region_map_release(&removed);
}

static void changing_shared_maps_costs_the_height(void)
{
	maps_begin(MANY + 10000);
	struct region_node *root = many_regions();

	worst_visits = worst_nodes = 0;
	for (int i = 0; i < 5000; i++) {
		struct region_node *child = region_map_share(root);

		CHECK_OK(region_map_reserve(child, 1));
		change_at_random(&child);
		region_map_release(&child);
		while (region_map_reap(100))
			continue;
	}
	CHECK(region_map_ok(root) && region_map_nodes() == MANY);
	CHECK(worst_visits <= 16 * root->height);
	CHECK(worst_nodes <= 8 * root->height); /* half of what is reserved */
	region_map_release(&root);
	maps_end();
}

static void cutting_half_of_many_is_cheap(void)
{
	maps_begin(MANY + 10000);
	struct region_node *root = many_regions(), *removed;
	uint64_t visits = region_map_counters()->visits;

	CHECK_OK(region_map_reserve(root, 1));
	CHECK_OK(region_map_cut(&root, PAGES(MANY), PAGES(3 * MANY), &removed));
	CHECK(visits_since(visits) <= 300);
	CHECK(region_map_totals(removed).count == MANY / 2);
	CHECK(region_map_ok(removed) && region_map_ok(root));
	region_map_release(&removed);
	region_map_release(&root);
	maps_end();
}

static void growing_in_order_stays_balanced(void)
{
	struct region_node *root = 0;

	maps_begin(MANY + 10000);
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t place = i % 2 ? i : 2 * MANY - i;
		struct region region = pages(4 * place, 4 * place + 2, RW);

		CHECK_OK(region_map_reserve(root, 1));
		CHECK_OK(region_map_insert(&root, &region));
	}
	CHECK(region_map_ok(root) && root->height <= 24);
	region_map_release(&root);
	maps_end();
}

static void heap_growth_keeps_one_region(void)
{
	struct region_node *root = 0;

	maps_begin(1000);
	for (uint64_t i = 0; i < MANY; i++) {
		struct region region = pages(1000 + i, 1001 + i, RW);

		region.kind = REGION_HEAP;
		CHECK_OK(region_map_reserve(root, 1));
		CHECK_OK(region_map_insert(&root, &region));
	}
	CHECK(region_map_nodes() == 1 && region_map_totals(root).bytes == PAGES(MANY));
	region_map_release(&root);
	maps_end();
}

static void thousand_forks_share_one_map(void)
{
	static struct region_node *roots[1000];

	maps_begin(200000);
	for (uint64_t i = 0; i < 1000; i++)
		insert(&roots[0], pages(10 * i, 10 * i + 5, RW));
	for (uint64_t i = 1; i < 1000; i++)
		roots[i] = region_map_share(roots[i - 1]);
	CHECK(region_map_nodes() == 1000);
	for (uint64_t i = 0; i < 1000; i++) {
		CHECK_OK(region_map_reserve(roots[i], 1));
		CHECK_OK(region_map_resize(&roots[i], PAGES(10 * i), PAGES(10 * i), PAGES(10 * i + 6)));
	}
	/* Each of them owns a path now, not a map. */
	CHECK(region_map_nodes() <= 1000 + 1000 * 4 * 14);
	uint64_t met = 0;

	for (uint64_t i = 0; i < 1000; i++)
		met += region_map_count_references(roots[i]);
	while (region_map_reap(1000))
		continue;
	CHECK(met == region_map_nodes());
	for (uint64_t i = 0; i < 1000; i++)
		CHECK(region_map_check_references(roots[i]) &&
		      region_map_totals(roots[i]).bytes == PAGES(5001));
	for (uint64_t i = 0; i < 1000; i++)
		region_map_release(&roots[i]);
	maps_end();
}

/* ---- the random test: maps beside a model that is an array of pages ---- */

enum { MODEL_PAGES = 1200, MODEL_BASE = 0x1000, MAPS = 6 };

/* What the model knows of a page. */
struct model_page {
	uint32_t used, protection, object, kind, tag;
	uint32_t piece;  /* of a stack: pieces never merge */
	uint64_t offset; /* of this page */
};

struct model {
	struct region_node *root;
	struct model_page page[MODEL_PAGES];
};

static struct model models[MAPS];
static uint32_t next_piece;

static uint64_t model_address(uint64_t page)
{
	return PAGES(MODEL_BASE + page);
}

/* Do page i and the one below it belong to one region? */
static bool model_joins(const struct model *model, uint64_t i)
{
	const struct model_page *lower = &model->page[i - 1], *upper = &model->page[i];

	return lower->used && upper->used && lower->protection == upper->protection &&
	       lower->object == upper->object && lower->kind == upper->kind && lower->tag == upper->tag &&
	       lower->piece == upper->piece &&
	       (!upper->object || lower->offset + PAGE_SIZE == upper->offset);
}

static uint64_t model_run_end(const struct model *model, uint64_t i)
{
	for (i++; i < MODEL_PAGES && model_joins(model, i); i++)
		continue;
	return i;
}

/* A border in front of page i: parts of a stack stay apart from now on. */
static void model_divide(struct model *model, uint64_t i)
{
	if (i == 0 || i >= MODEL_PAGES || !model_joins(model, i) || !model->page[i].piece)
		return;
	uint64_t end = model_run_end(model, i);

	next_piece++;
	for (; i < end; i++)
		model->page[i].piece = next_piece;
}

static struct model_page random_page(void)
{
	static const uint32_t rights[] = {RW, RW, RW, RO, RX, 0};
	struct model_page page = {.used = 1, .protection = rights[random_below(6)]};

	switch (random_below(8)) {
	case 0:
		page.protection |= MAP_STACK;
		page.kind = REGION_STACK;
		page.piece = ++next_piece;
		break;
	case 1:
		page.protection |= MAP_SHARED;
		break;
	case 2:
	case 3:
		page.object = 1 + (uint32_t)random_below(2);
		page.offset = PAGES(random_below(8));
		break;
	case 4:
		page.tag = 1;
		break;
	default:
		break;
	}
	return page;
}

static bool model_is_empty(const struct model *model, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		if (model->page[from].used)
			return false;
	return true;
}

static void model_fill(struct model *model, uint64_t from, uint64_t to, struct model_page page)
{
	for (; from < to; from++) {
		model->page[from] = page;
		if (page.object)
			page.offset += PAGE_SIZE;
	}
}

static void step_insert(struct model *model, uint64_t from, uint64_t to)
{
	struct model_page page = random_page();
	struct region region = {.start = model_address(from), .end = model_address(to),
		.protection = page.protection, .object = page.object, .offset = page.offset,
		.kind = page.kind, .tag = page.tag};
	/* Half of the time, what would merge with the page below. */
	if (from && model->page[from - 1].used && !model->page[from - 1].piece && random_below(2)) {
		page = model->page[from - 1];
		page.offset += page.object ? PAGE_SIZE : 0;
		region.protection = page.protection;
		region.object = page.object;
		region.offset = page.offset;
		region.kind = page.kind;
		region.tag = page.tag;
	}
	status_t status = region_map_insert(&model->root, &region);

	CHECK(status == (model_is_empty(model, from, to) ? ST_OK : ST_EXISTS));
	if (status == ST_OK)
		model_fill(model, from, to, page);
}

static void check_against_model(const struct model *model, const struct region_node *root,
				uint64_t from, uint64_t to);

static void step_cut(struct model *model, uint64_t from, uint64_t to)
{
	struct region_node *removed;

	CHECK_OK(region_map_cut(&model->root, model_address(from), model_address(to), &removed));
	CHECK(region_map_ok(removed));
	check_against_model(model, removed, from, to);
	region_map_release(&removed);
	for (; from < to; from++)
		model->page[from] = (struct model_page){0};
}

static void step_protect(struct model *model, uint64_t from, uint64_t to)
{
	uint32_t rights = random_below(2) ? RW : RO;
	uint64_t reached, count = 0, i = from;
	uint64_t budget = 1 + random_below(16);

	CHECK_OK(region_map_protect(&model->root, model_address(from), model_address(to), rights, budget,
				    &reached));
	/* Where must it have stopped? */
	while (i < to && count < budget) {
		if (model->page[i].used) {
			i = model_run_end(model, i);
			count++;
		} else {
			i++;
		}
	}
	i = i < to ? i : to;
	CHECK(reached == model_address(i));
	model_divide(model, from);
	model_divide(model, i);
	for (; from < i; from++)
		if (model->page[from].used)
			model->page[from].protection =
				(model->page[from].protection & ~REGION_RIGHTS) | rights;
}

static void step_resize(struct model *model, uint64_t at, uint64_t from, uint64_t to)
{
	status_t status =
		region_map_resize(&model->root, model_address(at), model_address(from), model_address(to));
	struct model_page page = model->page[at];

	if (!page.used) {
		CHECK(status == ST_NOT_FOUND);
		return;
	}
	uint64_t first = at, behind = model_run_end(model, at);

	while (first && model_joins(model, first))
		first--;
	page = model->page[first];
	if (to <= first || from >= behind ||
	    (page.object && from < first && PAGES(first - from) > page.offset)) {
		CHECK(status == ST_BAD_ARGUMENT);
		return;
	}
	if ((from < first && !model_is_empty(model, from, first)) ||
	    (to > behind && !model_is_empty(model, behind, to))) {
		CHECK(status == ST_EXISTS);
		return;
	}
	CHECK_OK(status);
	model_fill(model, first, behind, (struct model_page){0});
	if (page.object)
		page.offset += PAGES(from) - PAGES(first);
	model_fill(model, from, to, page);
}

static struct region model_region(const struct model *model, uint64_t i, uint64_t end)
{
	const struct model_page *page = &model->page[i];

	return (struct region){.start = model_address(i), .end = model_address(end),
		.protection = page->protection, .object = page->object, .offset = page->offset,
		.kind = page->kind, .tag = page->tag};
}

static bool is_same_region(const struct region *a, const struct region *b)
{
	return a->start == b->start && a->end == b->end && a->protection == b->protection &&
	       a->object == b->object && a->offset == b->offset && a->kind == b->kind && a->tag == b->tag;
}

/* The map lists exactly the model's runs within [from, to). */
static void check_against_model(const struct model *model, const struct region_node *root,
				uint64_t from, uint64_t to)
{
	struct region_totals sum = {0}, found = region_map_totals(root);
	const struct region *region = region_map_next(root, 0);

	for (uint64_t i = from; i < to;) {
		uint64_t end = model_run_end(model, i);

		if (!model->page[i].used) {
			i++;
			continue;
		}
		struct region expected = model_region(model, i, end < to ? end : to);

		CHECK(region && is_same_region(region, &expected));
		CHECK(region_map_previous(root, region->end) == region);
		region = region_map_next(root, region->end);
		sum.count++;
		sum.bytes += expected.end - expected.start;
		sum.private_bytes += expected.protection & MAP_SHARED ? 0 : expected.end - expected.start;
		sum.committed_bytes += region_committed(&expected);
		i = end;
	}
	CHECK(!region);
	CHECK(found.count == sum.count && found.bytes == sum.bytes);
	CHECK(found.private_bytes == sum.private_bytes && found.committed_bytes == sum.committed_bytes);
}

/* Sums, lookups and gaps of a random range, the slow way. */
static void check_questions(const struct model *model, uint64_t from, uint64_t to)
{
	uint64_t bytes = 0, count = 0, committed = 0, at = random_below(MODEL_PAGES);
	struct region_totals sum =
		region_map_totals_within(model->root, model_address(from), model_address(to));

	for (uint64_t i = from; i < to; i++) {
		const struct model_page *page = &model->page[i];

		bytes += page->used ? PAGE_SIZE : 0;
		count += page->used && (i == from || !model_joins(model, i));
		committed += page->used && page->protection & MAP_WRITE && !(page->protection & MAP_SHARED)
				     ? PAGE_SIZE : 0;
	}
	CHECK(sum.bytes == bytes && sum.count == count && sum.committed_bytes == committed);
	CHECK(region_map_covers(model->root, model_address(from), model_address(to)) ==
	      (bytes == PAGES(to - from)));
	CHECK(!region_map_lookup(model->root, model_address(at) + random_below(PAGE_SIZE)) ==
	      !model->page[at].used);
}

static void check_gap(const struct model *model, uint64_t from, uint64_t to)
{
	static bool taken[MODEL_PAGES];
	uint64_t length = 1 + random_below(random_below(2) ? 40 : 4), found = 0, run = 0, guard = 0;
	enum region_direction direction = random_below(2) ? REGION_TOP_DOWN : REGION_BOTTOM_UP;
	uint64_t address = 0, expected = UINT64_MAX;

	for (uint64_t i = MODEL_PAGES; i-- > 0;) {
		const struct model_page *page = &model->page[i];

		taken[i] = page->used || guard;
		guard = guard && !page->used ? guard - 1 : 0;
		if (page->used && page->protection & MAP_STACK && (i == 0 || !model_joins(model, i)))
			guard = LAYOUT_STACK_GAP / PAGE_SIZE;
	}
	for (uint64_t i = from; i < to; i++) {
		run = taken[i] ? 0 : run + 1;
		if (run >= length && (!found || direction == REGION_TOP_DOWN)) {
			expected = model_address(i + 1 - length);
			found = 1;
		}
	}
	status_t status = region_map_find_gap(model->root, PAGES(length), model_address(from),
					      model_address(to), direction, &address);

	CHECK(status == (found ? ST_OK : ST_NO_MEMORY));
	CHECK(!found || address == expected);
}

static void check_all_models(void)
{
	uint64_t met = 0;

	while (region_map_reap(1000))
		continue;
	for (int i = 0; i < MAPS; i++) {
		CHECK(region_map_ok(models[i].root));
		check_against_model(&models[i], models[i].root, 0, MODEL_PAGES);
		met += region_map_count_references(models[i].root);
	}
	CHECK(met == region_map_nodes());
	for (int i = 0; i < MAPS; i++)
		CHECK(region_map_check_references(models[i].root));
	CHECK(slab_ok(&nodes));
}

static void random_change(struct model *model)
{
	uint64_t from = random_below(MODEL_PAGES);
	uint64_t length = random_below(random_below(8) ? 12 : MODEL_PAGES);
	uint64_t to = from + 1 + length < MODEL_PAGES ? from + 1 + length : MODEL_PAGES;
	uint64_t kind = random_below(10), height = model->root ? model->root->height : 0;
	uint64_t copies = region_map_counters()->copies, used = region_map_nodes();

	if (region_map_reserve(model->root, 2) != ST_OK)
		return;
	if (kind < 5)
		step_insert(model, from, to);
	else if (kind < 7)
		step_cut(model, from, to);
	else if (kind < 9)
		step_protect(model, from, to);
	else
		step_resize(model, random_below(2) ? from : random_below(MODEL_PAGES), from, to);
	CHECK(region_map_counters()->copies - copies + 2 <= 8 * height + 8 + 16 || used == 0);
	CHECK(region_map_ok(model->root));
	check_against_model(model, model->root, 0, MODEL_PAGES);
	check_questions(model, from, to);
	check_gap(model, from, to);
}

/* One run; the models and maps start and end empty. */
static void random_run(uint64_t seed, uint64_t steps)
{
	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	maps_begin(200 + random_below(3000));
	memset(models, 0, sizeof(models));
	memset(named, 0, sizeof(named));
	region_map_watch(count_object);
	for (uint64_t step = 0; step < steps; step++) {
		struct model *model = &models[random_below(MAPS)];

		if (random_below(20) == 0) { /* fork over another one */
			struct model *child = &models[random_below(MAPS)];
			struct region_node *old = child->root;

			region_map_share(model->root);
			*child = *model;
			region_map_release(&old);
		} else {
			random_change(model);
		}
		region_map_reap(random_below(8));
		if (step % 64 == 0)
			check_all_models();
	}
	check_all_models();
	for (int i = 0; i < MAPS; i++)
		region_map_release(&models[i].root);
	maps_end();
	CHECK(!named[1] && !named[2]);
}

static void random_changes_follow_the_model(void)
{
	for (uint64_t seed = 1; seed <= 24; seed++)
		random_run(seed, 1200);
}

/* ---- the table ---- */

#define TEST(name) {#name, name}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	TEST(slab_refuses_unfit_arguments),
	TEST(slab_takes_what_was_reserved),
	TEST(slab_reserves_no_more_than_missing),
	TEST(slab_is_content_with_what_is_needed),
	TEST(slab_uses_items_again),
	TEST(slab_check_sees_damage),
	TEST(map_finds_regions_at_their_borders),
	TEST(map_refuses_overlap_and_unfit_regions),
	TEST(map_merges_equal_neighbours),
	TEST(map_keeps_unequal_neighbours_apart),
	TEST(map_merges_objects_by_offset),
	TEST(map_never_merges_stacks),
	TEST(map_cut_divides_and_moves_offsets),
	TEST(map_cut_takes_many_and_nothing),
	TEST(map_cut_refuses_unfit_ranges),
	TEST(map_protect_divides_and_merges),
	TEST(map_protect_within_regions),
	TEST(map_protect_keeps_flags_and_skips_holes),
	TEST(map_advise_changes_nothing_else),
	TEST(map_protect_goes_on_where_it_stopped),
	TEST(map_resize_moves_both_borders),
	TEST(map_resize_merges_and_moves_offsets),
	TEST(map_finds_gaps_in_both_directions),
	TEST(map_keeps_the_gap_below_stacks),
	TEST(map_sums_up),
	TEST(shared_maps_change_apart),
	TEST(sole_owner_edits_in_place),
	TEST(release_is_done_in_pieces),
	TEST(reserve_takes_from_the_reaper_first),
	TEST(changes_without_memory_change_nothing),
	TEST(map_check_sees_damage),
	TEST(objects_know_who_names_them),
	TEST(reading_costs_the_height),
	TEST(changing_shared_maps_costs_the_height),
	TEST(cutting_half_of_many_is_cheap),
	TEST(growing_in_order_stays_balanced),
	TEST(heap_growth_keeps_one_region),
	TEST(thousand_forks_share_one_map),
	TEST(random_changes_follow_the_model),
};

static int repeat_random(const char *seed, const char *steps)
{
	if (setjmp(test_end))
		return 1;
	random_run(strtoull(seed, 0, 0), strtoull(steps, 0, 0));
	return 0;
}

int main(int count, char **arguments)
{
	static int passed, failed;

	if (count == 3)
		return repeat_random(arguments[1], arguments[2]);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (count == 2 && !is_same_text(arguments[1], tests[i].name))
			continue;
		if (setjmp(test_end)) {
			printf("FAIL %s\n", tests[i].name);
			failed++;
			continue;
		}
		tests[i].run();
		printf("ok %s\n", tests[i].name);
		passed++;
	}
	free(window);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
