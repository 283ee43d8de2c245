/*
 * Flushes that only the pager can ask for: what a program remembers of its own pages is gone when
 * they are moved, replaced or given to somebody else.
 *
 * A missing flush is seen by the program alone, so nothing here forks between the change and the
 * look at it.  Most emulators forget by themselves; the shadow build (docs/shadow-tlb.md) does not.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define THERE 0x210000000000ull
#define ELSEWHERE 0x218000000000ull

static void *address(const volatile void *memory)
{
	return (void *)(uintptr_t)memory;
}

/* Fresh pages exactly there. */
static volatile uint8_t *pages_at(uint64_t at, size_t count)
{
	void *memory = mmap(
		(void *)at, PAGES(count), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK((uint64_t)memory == at);
	return memory;
}

/* Four of eight pages go elsewhere; the others keep the tables, whose end would flush by itself. */
static void move_four(volatile uint8_t *from, volatile uint8_t *to)
{
	void *moved;

	pattern_fill(from, PAGES(8), 1);
	moved = mremap(address(from), PAGES(4), PAGES(4), MREMAP_MAYMOVE | MREMAP_FIXED,
		address(to));
	CHECK(moved == address(to));
}

static void the_place_that_pages_were_moved_from_is_forgotten(void)
{
	volatile uint8_t *from = pages_at(THERE, 8), *to = (volatile uint8_t *)ELSEWHERE;

	move_four(from, to);
	CHECK(pages_at(THERE, 4) == from);
	CHECK(all_bytes_are(from, PAGES(4), 0));
	CHECK(pattern_holds(to, PAGES(4), 1));
}

static void what_pages_were_moved_over_is_forgotten(void)
{
	volatile uint8_t *from = pages_at(THERE, 8), *to = pages_at(ELSEWHERE, 8);

	pattern_fill(to, PAGES(8), 2);
	move_four(from, to);
	CHECK(pattern_holds(to, PAGES(4), 1));
}

static void what_was_unmapped_is_forgotten(void)
{
	volatile uint8_t *pages = pages_at(THERE, 8);

	pattern_fill(pages, PAGES(8), 1);
	CHECK_EQUAL(munmap(address(pages), PAGES(4)), 0);
	CHECK(pages_at(THERE, 4) == pages);
	CHECK(all_bytes_are(pages, PAGES(4), 0));
}

static void what_was_dropped_is_forgotten(void)
{
	volatile uint8_t *pages = pages_at(THERE, 8);

	pattern_fill(pages, PAGES(8), 1);
	CHECK_EQUAL(madvise(address(pages), PAGES(4), MADV_DONTNEED), 0);
	CHECK(all_bytes_are(pages, PAGES(4), 0));
}

/* The first page was read, so it is the zero page or a relative's; fetching gives it a page of its
   own, without a fault of ours. */
static void a_page_that_is_fetched_replaces_what_was_read(void)
{
	volatile uint8_t *pages = pages_at(THERE, 4);

	CHECK_EQUAL(pages[0], 0);
	CHECK_EQUAL(madvise(address(pages), PAGES(4), MADV_WILLNEED), 0);
	CHECK_EQUAL(pages[0], 0);
	pages[0] = 7;
	CHECK_EQUAL(pages[0], 7);
}

static volatile uint32_t *turn;

static void fetch_and_read(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK_EQUAL(pages[0], 1);
	CHECK_EQUAL(madvise(address(pages), PAGES(1), MADV_WILLNEED), 0);
	turn[0] = 1;
	wait_until(&turn[1], 1);
	CHECK_EQUAL(pages[0], 1);
}

/* The same with a relative, who then is the only owner of the page that was read, and writes it. */
static void a_page_that_is_fetched_is_no_longer_the_relatives(void)
{
	volatile uint8_t *pages = pages_at(THERE, 1);
	pid_t child;

	turn = (volatile uint32_t *)(uintptr_t)shared_pages(1);
	turn[0] = turn[1] = 0;
	pages[0] = 1;
	child = child_start(fetch_and_read, address(pages));
	wait_until(&turn[0], 1);
	pages[0] = 2;
	turn[1] = 1;
	child_finish(child);
}

const struct test tests_flush[] = {
	TEST(the_place_that_pages_were_moved_from_is_forgotten),
	TEST(what_pages_were_moved_over_is_forgotten),
	TEST(what_was_unmapped_is_forgotten),
	TEST(what_was_dropped_is_forgotten),
	TEST(a_page_that_is_fetched_replaces_what_was_read),
	TEST(a_page_that_is_fetched_is_no_longer_the_relatives),
	{0},
};
