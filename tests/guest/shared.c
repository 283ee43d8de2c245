/*
 * Shared anonymous memory: one set of pages for a process and all its descendants.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"

static void add_atomically(volatile uint64_t *word, uint64_t value)
{
	__atomic_add_fetch((uint64_t *)(uintptr_t)word, value, __ATOMIC_SEQ_CST);
}

static void check_and_answer(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK(pattern_holds(pages, PAGES(4), 1));
	pattern_fill(pages, PAGES(4), 2);
}

static void child_writes_are_seen_by_the_parent(void)
{
	volatile uint8_t *pages = shared_pages(4);

	CHECK(all_bytes_are(pages, PAGES(4), 0));
	pattern_fill(pages, PAGES(4), 1);
	child_run(check_and_answer, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(4), 2));
}

/* Both run, and take turns. */
static void play(void *argument)
{
	volatile uint32_t *ball = argument;

	for (uint32_t turn = 0; turn < 200; turn += 2) {
		wait_until(ball, turn + 1);
		*ball = turn + 2;
	}
}

static void values_go_both_ways(void)
{
	volatile uint32_t *ball = (volatile uint32_t *)shared_pages(1);
	pid_t child = child_start(play, (void *)(uintptr_t)ball);

	for (uint32_t turn = 0; turn < 200; turn += 2) {
		*ball = turn + 1;
		wait_until(ball, turn + 2);
	}
	child_finish(child);
}

static void touch_first(void *argument)
{
	volatile uint8_t *pages = argument;

	for (size_t i = 0; i < 100; i++)
		pages[PAGES(i)] = (uint8_t)(i + 1);
}

/* Pages that neither had touched at the fork are common, too. */
static void untouched_pages_are_shared(void)
{
	volatile uint8_t *pages = shared_pages(100);

	child_run(touch_first, (void *)(uintptr_t)pages);
	for (size_t i = 0; i < 100; i++)
		CHECK_EQUAL(pages[PAGES(i)], i + 1);
}

/* Read by the one before the other writes: no common zero frame may stay behind. */
static void read_first_then_written_by_the_child(void)
{
	volatile uint8_t *pages = shared_pages(100);

	for (size_t i = 0; i < 100; i++)
		CHECK_EQUAL(pages[PAGES(i)], 0);
	child_run(touch_first, (void *)(uintptr_t)pages);
	for (size_t i = 0; i < 100; i++)
		CHECK_EQUAL(pages[PAGES(i)], i + 1);
}

static void write_counted(void *argument)
{
	volatile uint8_t *pages = argument;
	struct cost cost;

	cost_begin();
	for (size_t i = 0; i < 20; i++)
		pages[PAGES(i)] = 7;
	cost = cost_end();
	CHECK(cost.faults <= 20);
	CHECK_EQUAL(cost.frames_copied, 0);
}

static void shared_pages_are_never_copied(void)
{
	volatile uint8_t *pages = shared_pages(20);
	uint64_t before;

	pattern_fill(pages, PAGES(20), 3);
	before = frames_free();
	child_run(write_counted, (void *)(uintptr_t)pages);
	CHECK(before - frames_free() <= 2);
	for (size_t i = 0; i < 20; i++)
		CHECK_EQUAL(pages[PAGES(i)], 7);
}

static void unmap_all(void *argument)
{
	CHECK_EQUAL(munmap(argument, PAGES(8)), 0);
	CHECK_KILLED(load_child, argument, SIGSEGV);
}

static void child_unmaps_what_stays_shared(void)
{
	volatile uint8_t *pages = shared_pages(8);

	pattern_fill(pages, PAGES(8), 4);
	child_run(unmap_all, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(8), 4));
	child_run(store_child, (void *)(uintptr_t)pages);
	CHECK_EQUAL(pages[0], 1);
}

static void read_after_unmap(void *argument)
{
	volatile uint8_t **pages = argument;

	wait_until((volatile uint32_t *)pages[1], 1);
	CHECK(pattern_holds(pages[0], PAGES(8), 5));
	pattern_fill(pages[0], PAGES(8), 6);
}

static void parent_unmaps_what_the_child_uses(void)
{
	volatile uint8_t *pages[2] = {shared_pages(8), shared_pages(1)};
	uint64_t full;
	pid_t child;

	pattern_fill(pages[0], PAGES(8), 5);
	child = child_start(read_after_unmap, (void *)(uintptr_t)pages);
	CHECK_EQUAL(munmap((void *)(uintptr_t)pages[0], PAGES(8)), 0);
	full = frames_free();
	*(volatile uint32_t *)pages[1] = 1;
	child_finish(child);
	CHECK(frames_free() - full >= 8); /* with the last user they go */
}

static void part_of_it(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK_EQUAL(munmap((void *)(uintptr_t)(pages + PAGES(2)), PAGES(4)), 0);
	pages[0] = 1;
	CHECK_EQUAL(pages[PAGES(6)], pattern(PAGES(6), 7));
	pages[PAGES(7)] = 2; /* nobody has touched this one before */
}

static void parts_keep_their_offset(void)
{
	volatile uint8_t *pages = shared_pages(8);

	pattern_fill(pages, PAGES(7), 7);
	child_run(part_of_it, (void *)(uintptr_t)pages);
	CHECK_EQUAL(pages[0], 1);
	CHECK_EQUAL(pages[PAGES(7)], 2);
	CHECK_EQUAL(pages[PAGES(7) + 1], 0);
	CHECK_EQUAL(pages[PAGES(3)], pattern(PAGES(3), 7));
}

static void protect_own_view(void *argument)
{
	CHECK_EQUAL(mprotect(argument, PAGES(2), PROT_READ), 0);
	CHECK_KILLED(store_child, argument, SIGSEGV);
	CHECK_EQUAL(load((uint64_t)argument), 9);
}

static void rights_are_each_process_own(void)
{
	volatile uint8_t *pages = shared_pages(2);

	pages[0] = 9;
	child_run(protect_own_view, (void *)(uintptr_t)pages);
	pages[0] = 10;
	CHECK_LIVES(store_child, (void *)(uintptr_t)pages);
}

static void count_up(void *argument)
{
	for (int i = 0; i < 5000; i++)
		add_atomically(argument, 1);
}

static void atomic_counters_lose_nothing(void)
{
	volatile uint64_t *word = (volatile uint64_t *)shared_pages(1);
	pid_t children[6];

	for (size_t i = 0; i < 6; i++)
		children[i] = child_start(count_up, (void *)(uintptr_t)word);
	for (size_t i = 0; i < 6; i++)
		child_finish(children[i]);
	CHECK_EQUAL(*word, 30000);
}

static void pass_down(volatile uint64_t *word, unsigned left)
{
	pid_t child;

	add_atomically(word, 1);
	if (!left)
		return;
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		pass_down(word, left - 1);
		_exit(0);
	}
	child_finish(child);
}

static void shared_through_twenty_generations(void)
{
	volatile uint64_t *word = (volatile uint64_t *)shared_pages(1);

	pass_down(word, 20);
	CHECK_EQUAL(*word, 21);
}

/* Private and shared pages side by side, in one page table. */
static void mixed_children(void *argument)
{
	volatile uint8_t *pages = argument;

	for (size_t i = 0; i < 16; i++)
		pages[PAGES(i)] = 200;
}

static void shared_and_private_side_by_side(void)
{
	volatile uint8_t *pages = private_pages(16);

	for (size_t i = 0; i < 16; i += 2)
		CHECK(mmap((void *)(uintptr_t)(pages + PAGES(i)), PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	for (size_t i = 0; i < 16; i++)
		pages[PAGES(i)] = (uint8_t)i;
	child_run(mixed_children, (void *)(uintptr_t)pages);
	for (size_t i = 0; i < 16; i++)
		CHECK_EQUAL(pages[PAGES(i)], i % 2 ? i : 200);
}

const struct test tests_shared[] = {
	TEST(child_writes_are_seen_by_the_parent),
	TEST(values_go_both_ways),
	TEST(untouched_pages_are_shared),
	TEST(read_first_then_written_by_the_child),
	TEST(shared_pages_are_never_copied),
	TEST(child_unmaps_what_stays_shared),
	TEST(parent_unmaps_what_the_child_uses),
	TEST(parts_keep_their_offset),
	TEST(rights_are_each_process_own),
	TEST(atomic_counters_lose_nothing),
	TEST(shared_through_twenty_generations),
	TEST(shared_and_private_side_by_side),
	{0},
};
