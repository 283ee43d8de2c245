/*
 * The stack: grows by faults, one for each page, to its limit, above a gap that stays empty (USR-2).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"

#define STACK_LOW (LAYOUT_STACK_TOP - LAYOUT_STACK_LIMIT)
#define GAP_LOW (STACK_LOW - LAYOUT_STACK_GAP)

/* Where the stack pointer is, a page and more below it. */
static uint64_t below_stack_pointer(size_t pages)
{
	return ((uint64_t)__builtin_frame_address(0) & ~(uint64_t)(PAGE_SIZE - 1)) - PAGES(pages);
}

static void one_fault_for_each_page(void *argument)
{
	struct cost cost;
	uint64_t page = below_stack_pointer(20);

	(void)argument;
	cost_begin();
	for (size_t i = 0; i < 100; i++)
		store(page - PAGES(i), (uint8_t)i);
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 100);
	for (size_t i = 0; i < 100; i++)
		CHECK_EQUAL(load(page - PAGES(i)), i);
	CHECK_EQUAL(load(page - PAGES(50) + 1), 0);
}

static void stack_grows_by_a_fault_per_page(void)
{
	child_run(one_fault_for_each_page, NULL);
}

/* Uses `left` kilobytes of stack and checks all of it on the way back. */
static uint64_t __attribute__((noinline)) descend(unsigned left)
{
	volatile uint8_t frame[1024];
	uint64_t sum;

	pattern_fill(frame, sizeof(frame), left);
	sum = left ? descend(left - 1) : 0;
	CHECK(pattern_holds(frame, sizeof(frame), left));
	return sum + 1;
}

static void deep_recursion(void)
{
	CHECK_EQUAL(descend(6000), 6001);
}

/* One frame larger than many pages: its far end is touched first. */
static void __attribute__((noinline)) use_big_frame(void *argument)
{
	volatile uint8_t frame[4 << 20];

	(void)argument;
	frame[0] = 1;
	frame[2 << 20] = 2;
	frame[sizeof(frame) - 1] = 3;
	CHECK_EQUAL(frame[0] + frame[2 << 20] + frame[sizeof(frame) - 1], 6);
	CHECK_EQUAL(frame[1 << 20], 0);
}

static void big_frames(void)
{
	child_run(use_big_frame, NULL);
}

static volatile uint32_t *depth_reached;

static uint64_t recurse_for_ever(uint64_t depth)
{
	volatile uint8_t frame[4096];

	frame[0] = (uint8_t)depth;
	*depth_reached = (uint32_t)depth;
	return *depth_reached == UINT32_MAX ? 0 : recurse_for_ever(depth + 1) + frame[0];
}

static void overflow(void *argument)
{
	(void)argument;
	recurse_for_ever(0);
}

/* USR-2: it ends at the limit; what is mapped below is untouched. */
static void endless_recursion_ends_at_the_limit(void)
{
	uint64_t place = GAP_LOW - PAGES(2);
	volatile uint8_t *below = mmap((void *)place, PAGES(2), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK((uint64_t)below == place);
	pattern_fill(below, PAGES(2), 1);
	depth_reached = (volatile uint32_t *)shared_pages(1);
	CHECK_KILLED(overflow, NULL, SIGSEGV);
	CHECK(*depth_reached > 1800 && *depth_reached < 2048); /* frames of somewhat over a page */
	CHECK(pattern_holds(below, PAGES(2), 1));
}

static void last_page_of_the_stack(void)
{
	CHECK_LIVES(store_child, (void *)STACK_LOW);
	CHECK_LIVES(store_child, (void *)(LAYOUT_STACK_TOP - 1));
	CHECK_KILLED(store_child, (void *)(STACK_LOW - 1), SIGSEGV);
	CHECK_KILLED(load_child, (void *)(STACK_LOW - 1), SIGSEGV);
	CHECK_KILLED(load_child, (void *)GAP_LOW, SIGSEGV);
}

/* mmap keeps out of the gap, even when asked for a place in it. */
static void gap_is_never_given_away(void)
{
	uint64_t hints[] = {STACK_LOW - PAGES(1), STACK_LOW - PAGES(100), GAP_LOW, GAP_LOW - PAGES(1)};

	for (size_t i = 0; i < 4; i++) {
		void *place = mmap((void *)hints[i], PAGES(4), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(place != MAP_FAILED);
		CHECK((uint64_t)place + PAGES(4) <= GAP_LOW);
	}
}

static void stack_region_is_described(void)
{
	struct pager_region region;
	volatile uint8_t here = 1;

	CHECK(region_at(&here, &region));
	CHECK(region.name[0] == 's' && region.name[1] == 't');
	CHECK_EQUAL(region.end, LAYOUT_STACK_TOP);
	CHECK_EQUAL(region.protection & (MAP_READ | MAP_WRITE | MAP_EXEC), MAP_READ | MAP_WRITE);
	CHECK(region.resident >= 1 && region.resident < 1000);
}

static void grow_own_stack(void *argument)
{
	uint64_t page = *(uint64_t *)argument;

	CHECK_EQUAL(load(page), 1);
	for (size_t i = 0; i < 50; i++)
		store(page - PAGES(i), 2);
}

/* Both sides grow their stacks after a fork, over the same addresses. */
static void stacks_grow_apart_after_fork(void)
{
	uint64_t page = below_stack_pointer(20);

	store(page, 1);
	child_run(grow_own_stack, &page);
	CHECK_EQUAL(load(page), 1);
	for (size_t i = 1; i < 50; i++)
		CHECK_EQUAL(load(page - PAGES(i)), 0);
}

static void untouched_stack_takes_no_frames(void)
{
	uint64_t page = below_stack_pointer(100), before = frames_free();

	store(page - PAGES(1000), 1);
	CHECK(before - frames_free() <= 3); /* a page, and tables on the way to it */
	CHECK_EQUAL(load(page), 0);
}

/* A stack made with mmap behaves like the first one: it grows below its start while there is room. */
static void mapped_stack_grows(void)
{
	volatile uint8_t *stack = mmap(NULL, PAGES(64), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	CHECK((void *)(uintptr_t)stack != MAP_FAILED);
	for (size_t i = 64; i-- > 0;)
		stack[PAGES(i)] = (uint8_t)i;
	CHECK_LIVES(store_child, (void *)(uintptr_t)(stack - 1));
	CHECK_LIVES(store_child, (void *)(uintptr_t)(stack - PAGES(300)));
	CHECK_KILLED(store_child, (void *)(uintptr_t)(stack + PAGES(64) - LAYOUT_STACK_LIMIT - 1), SIGSEGV);
	for (size_t i = 0; i < 64; i++)
		CHECK_EQUAL(stack[PAGES(i)], i);
	CHECK_EQUAL(munmap((void *)(uintptr_t)stack, PAGES(64)), 0);
}

/* With something right below the gap it cannot grow any more. */
static void mapped_stack_keeps_its_gap(void)
{
	volatile uint8_t *stack = mmap(NULL, PAGES(64), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	volatile uint8_t *next = private_pages(4);

	CHECK_EQUAL((uint64_t)stack - LAYOUT_STACK_GAP - PAGES(4), (uint64_t)next);
	stack[0] = 1;
	CHECK_KILLED(store_child, (void *)(uintptr_t)(stack - 1), SIGSEGV);
	CHECK_KILLED(store_child, (void *)(uintptr_t)(next + PAGES(4)), SIGSEGV);
	CHECK(all_bytes_are(next, PAGES(4), 0));
}

const struct test tests_stack[] = {
	TEST(stack_grows_by_a_fault_per_page),
	TEST(deep_recursion),
	TEST(big_frames),
	TEST(endless_recursion_ends_at_the_limit),
	TEST(last_page_of_the_stack),
	TEST(gap_is_never_given_away),
	TEST(stack_region_is_described),
	TEST(stacks_grow_apart_after_fork),
	TEST(untouched_stack_takes_no_frames),
	TEST(mapped_stack_grows),
	TEST(mapped_stack_keeps_its_gap),
	{0},
};
