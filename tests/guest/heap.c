/*
 * The heap: brk up and down, and what malloc makes of it (USR-3).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

/* The break, moved up to a page border. */
static volatile uint8_t *heap_end(void)
{
	uint64_t now = (uint64_t)sbrk(0);
	uint64_t rest = now % PAGE_SIZE;

	CHECK((void *)now != (void *)-1);
	if (rest)
		CHECK(sbrk((ptrdiff_t)(PAGE_SIZE - rest)) == (void *)now);
	return sbrk(0);
}

static volatile uint8_t *grow(size_t pages)
{
	volatile uint8_t *old = heap_end();

	CHECK(sbrk((ptrdiff_t)PAGES(pages)) == (void *)(uintptr_t)old);
	return old;
}

static void shrink(size_t pages)
{
	CHECK(sbrk(-(ptrdiff_t)PAGES(pages)) != (void *)-1);
}

static void break_grows_with_zero_pages(void)
{
	volatile uint8_t *heap = grow(10);
	struct cost cost;

	CHECK_EQUAL((uint64_t)sbrk(0) - (uint64_t)heap, PAGES(10));
	CHECK(all_bytes_are(heap, PAGES(10), 0));
	cost_begin();
	for (size_t i = 0; i < 10; i++)
		heap[PAGES(i)] = (uint8_t)(i + 1);
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 10);
	for (size_t i = 0; i < 10; i++)
		CHECK_EQUAL(heap[PAGES(i)], i + 1);
}

static void growing_touches_nothing(void)
{
	uint64_t before = frames_free();

	grow(2000);
	CHECK(before - frames_free() <= 1);
}

static void pages_appear_on_touch(void)
{
	volatile uint8_t *heap = grow(300);
	struct cost cost;
	uint64_t before;

	heap[0] = 1;
	before = frames_free();
	cost_begin();
	for (size_t i = 1; i < 300; i += 3)
		heap[PAGES(i)] = 1;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 100);
	CHECK(before - frames_free() >= 100 && before - frames_free() <= 102);
}

static void shrinking_frees_the_frames(void)
{
	volatile uint8_t *heap = grow(200);
	uint64_t full;

	for (size_t i = 0; i < 200; i++)
		heap[PAGES(i)] = 1;
	full = frames_free();
	shrink(150);
	CHECK(frames_free() - full >= 150);
	CHECK_EQUAL(heap[PAGES(49)], 1);
}

static void memory_behind_the_break_is_gone(void)
{
	volatile uint8_t *heap = grow(4);

	pattern_fill(heap, PAGES(4), 1);
	CHECK_KILLED(load_child, sbrk(0), SIGSEGV);
	shrink(2);
	CHECK_KILLED(load_child, (void *)(uintptr_t)(heap + PAGES(2)), SIGSEGV);
	CHECK_KILLED(store_child, (void *)(uintptr_t)(heap + PAGES(3)), SIGSEGV);
	CHECK(pattern_holds(heap, PAGES(2), 1));
}

static void grown_again_reads_zero(void)
{
	volatile uint8_t *heap = grow(8);

	pattern_fill(heap, PAGES(8), 2);
	shrink(5);
	CHECK(sbrk((ptrdiff_t)PAGES(5)) == (void *)(uintptr_t)(heap + PAGES(3)));
	CHECK(pattern_holds(heap, PAGES(3), 2));
	CHECK(all_bytes_are(heap + PAGES(3), PAGES(5), 0));
}

static void break_counts_bytes(void)
{
	volatile uint8_t *heap = heap_end();

	CHECK(sbrk(10) == (void *)(uintptr_t)heap);
	CHECK(sbrk(20) == (void *)(uintptr_t)(heap + 10));
	CHECK(sbrk(0) == (void *)(uintptr_t)(heap + 30));
	heap[29] = 1;
	CHECK(sbrk(-30) == (void *)(uintptr_t)(heap + 30));
	CHECK_KILLED(load_child, (void *)(uintptr_t)heap, SIGSEGV);
}

static void heap_stays_one_region(void)
{
	struct pager_region region;
	volatile uint8_t *heap = grow(1);
	size_t regions;

	heap[0] = 1;
	regions = region_count();
	for (int i = 0; i < 100; i++) {
		volatile uint8_t *more = grow(1);

		more[0] = (uint8_t)i;
	}
	CHECK_EQUAL(region_count(), regions);
	CHECK(region_at(heap, &region));
	CHECK_EQUAL(region.end, (uint64_t)sbrk(0));
	CHECK(!strcmp(region.name, "heap"));
	CHECK_EQUAL(region.protection & (MAP_READ | MAP_WRITE | MAP_EXEC), MAP_READ | MAP_WRITE);
}

static void statistics_know_the_break(void)
{
	struct pager_space_stat stat;

	grow(3);
	CHECK_EQUAL(system_space_stat(&stat), 0);
	CHECK_EQUAL(stat.brk_now, (uint64_t)sbrk(0));
	CHECK(stat.brk_start <= stat.brk_now - PAGES(3));
}

static void break_below_the_heap_is_refused(void)
{
	struct pager_space_stat stat;
	void *now = sbrk(0);

	CHECK_EQUAL(system_space_stat(&stat), 0);
	CHECK_ERRNO(brk((void *)(stat.brk_start - 1)), ENOMEM);
	CHECK_ERRNO(brk((void *)1), ENOMEM);
	CHECK(sbrk(0) == now);
}

/* USR-3 (-) */
static void break_into_a_mapping_is_refused(void)
{
	volatile uint8_t *heap = grow(1);
	uint64_t place = (uint64_t)heap + PAGES(50);
	volatile uint8_t *mapping = mmap((void *)place, PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	void *now = sbrk(0);

	CHECK((uint64_t)mapping == place);
	mapping[0] = 5;
	CHECK(sbrk((ptrdiff_t)PAGES(60)) == (void *)-1);
	CHECK_EQUAL(errno, ENOMEM);
	CHECK(sbrk(0) == now);
	CHECK_EQUAL(mapping[0], 5);
	heap[0] = 1;
	CHECK(sbrk((ptrdiff_t)PAGES(20)) == now);
}

static void break_beyond_all_limits_is_refused(void)
{
	void *now = sbrk(0);

	CHECK(sbrk((ptrdiff_t)1 << 46) == (void *)-1);
	CHECK_EQUAL(errno, ENOMEM);
	CHECK(sbrk(INTPTR_MAX) == (void *)-1);
	CHECK_ERRNO(brk((void *)LAYOUT_DIRECT_MAP), ENOMEM);
	CHECK(sbrk(0) == now);
}

static void move_own_break(void *argument)
{
	volatile uint8_t *heap = argument;

	CHECK(pattern_holds(heap, PAGES(4), 3));
	shrink(3);
	CHECK_KILLED(load_child, (void *)(uintptr_t)(heap + PAGES(1)), SIGSEGV);
	grow(100)[0] = 1;
}

static void break_is_each_process_own(void)
{
	volatile uint8_t *heap = grow(4);
	void *now = sbrk(0);

	pattern_fill(heap, PAGES(4), 3);
	child_run(move_own_break, (void *)(uintptr_t)heap);
	CHECK(sbrk(0) == now);
	CHECK(pattern_holds(heap, PAGES(4), 3));
	CHECK_KILLED(load_child, (void *)(uintptr_t)(heap + PAGES(4)), SIGSEGV);
}

/* Shrinking in the child must not free what the parent still has, nor the other way round. */
static void break_down_while_shared(void)
{
	volatile uint8_t *heap = grow(64);
	pid_t child;
	volatile uint32_t *gate = (volatile uint32_t *)shared_pages(1);

	pattern_fill(heap, PAGES(64), 4);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		wait_until(gate, 1);
		CHECK(pattern_holds(heap, PAGES(64), 4));
		_exit(0);
	}
	shrink(64);
	CHECK(all_bytes_are(grow(64), PAGES(64), 0));
	*gate = 1;
	child_finish(child);
}

/* ---- malloc ---- */

#define BLOCKS 200

static void check_block(const uint8_t *block, size_t bytes, unsigned seed)
{
	CHECK_EQUAL(block[0], pattern(0, seed));
	CHECK_EQUAL(block[bytes / 2], pattern(bytes / 2, seed));
	CHECK_EQUAL(block[bytes - 1], pattern(bytes - 1, seed));
}

/* Blocks of many sizes come and go; each keeps what was written to it. */
static void malloc_blocks_keep_their_contents(void)
{
	static uint8_t *blocks[BLOCKS];
	static size_t sizes[BLOCKS];
	uint32_t random = 12345;

	for (int round = 0; round < 5000; round++) {
		random = random * 1664525 + 1013904223;
		size_t i = random >> 8 & 0xffff;

		i %= BLOCKS;
		if (blocks[i]) {
			check_block(blocks[i], sizes[i], (unsigned)i);
			free(blocks[i]);
		}
		sizes[i] = 1 + (random >> 5) % (round % 50 ? 2000 : 300000);
		blocks[i] = malloc(sizes[i]);
		CHECK(blocks[i]);
		pattern_fill(blocks[i], sizes[i], (unsigned)i);
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		if (blocks[i])
			check_block(blocks[i], sizes[i], (unsigned)i);
		free(blocks[i]);
	}
}

static void realloc_moves_contents(void)
{
	uint8_t *block = NULL;
	size_t bytes = 1;

	for (; bytes < 2000000; bytes *= 3) {
		block = realloc(block, bytes);
		CHECK(block);
		CHECK(pattern_holds(block, bytes / 3, 5));
		pattern_fill(block, bytes, 5);
	}
	for (bytes /= 3; bytes; bytes /= 2) {
		block = realloc(block, bytes);
		CHECK(block && pattern_holds(block, bytes, 5));
	}
	free(block);
}

static void calloc_gives_zeros(void)
{
	uint8_t *dirty = malloc(100000), *clean;

	CHECK(dirty);
	memset(dirty, 0xff, 100000);
	free(dirty);
	clean = calloc(1000, 100);
	CHECK(clean && all_bytes_are(clean, 100000, 0));
	free(clean);
}

static void large_malloc_is_used_in_part(void)
{
	size_t bytes = (size_t)64 << 20;
	uint64_t before = frames_free();
	volatile uint8_t *block = malloc(bytes);

	CHECK(block);
	for (size_t i = 0; i < bytes; i += (size_t)1 << 20)
		block[i] = (uint8_t)(i >> 20);
	for (size_t i = 0; i < bytes; i += (size_t)1 << 20)
		CHECK_EQUAL(block[i], (uint8_t)(i >> 20));
	CHECK(before - frames_free() <= 64 + 40); /* and tables */
	free((void *)(uintptr_t)block);
}

static void impossible_malloc_is_refused(void)
{
	volatile size_t bytes = (size_t)1 << 50;

	errno = 0;
	CHECK(!malloc(bytes));
	CHECK_EQUAL(errno, ENOMEM);
	free(malloc(100));
}

const struct test tests_heap[] = {
	TEST(break_grows_with_zero_pages),
	TEST(growing_touches_nothing),
	TEST(pages_appear_on_touch),
	TEST(shrinking_frees_the_frames),
	TEST(memory_behind_the_break_is_gone),
	TEST(grown_again_reads_zero),
	TEST(break_counts_bytes),
	TEST(heap_stays_one_region),
	TEST(statistics_know_the_break),
	TEST(break_below_the_heap_is_refused),
	TEST(break_into_a_mapping_is_refused),
	TEST(break_beyond_all_limits_is_refused),
	TEST(break_is_each_process_own),
	TEST(break_down_while_shared),
	TEST(malloc_blocks_keep_their_contents),
	TEST(realloc_moves_contents),
	TEST(calloc_gives_zeros),
	TEST(large_malloc_is_used_in_part),
	TEST(impossible_malloc_is_refused),
	{0},
};
