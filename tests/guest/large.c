/*
 * Memory that is advised to be large: 2 MiB come by one fault, if there is a block of frames, and everything
 * works on parts of them as on other pages.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define TABLE	   512u /* pages */
#define AT	   ((uint64_t)0x200000000000)

static void *address(const volatile void *memory)
{
	return (void *)(uintptr_t)memory;
}

/* So many times 2 MiB, aligned and advised, with a pattern. */
static volatile uint8_t *large_pages(size_t count)
{
	void *memory = mmap((void *)AT, PAGES(count * TABLE), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK((uint64_t)memory == AT);
	CHECK_EQUAL(madvise(memory, PAGES(count * TABLE), MADV_HUGEPAGE), 0);
	pattern_fill(memory, PAGES(count * TABLE), 1);
	return memory;
}

static void first_writes_bring_zeros(void)
{
	void *memory = mmap((void *)AT, PAGES(4 * TABLE), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	volatile uint8_t *pages = memory;

	CHECK_EQUAL(madvise(memory, PAGES(4 * TABLE), MADV_HUGEPAGE), 0);
	cost_begin();
	for (size_t i = 0; i < 4; i++)
		pages[PAGES(i * TABLE + 100)] = 1;
	CHECK(cost_end().faults <= 8); /* 4, unless somebody waited */
	for (size_t i = 0; i < 4 * TABLE; i++)
		CHECK_EQUAL(pages[PAGES(i)], i % TABLE == 100);
}

static void a_part_is_unmapped(void)
{
	volatile uint8_t *pages = large_pages(2);

	CHECK_EQUAL(munmap(address(pages + PAGES(100)), PAGES(600)), 0);
	CHECK(pattern_holds(pages, PAGES(100), 1));
	CHECK_KILLED(load_child, address(pages + PAGES(100)), SIGSEGV);
	CHECK_KILLED(load_child, address(pages + PAGES(699)), SIGSEGV);
	CHECK_EQUAL(munmap(address(pages), PAGES(2 * TABLE)), 0);
}

static void a_part_is_protected(void)
{
	volatile uint8_t *pages = large_pages(1);

	CHECK_EQUAL(mprotect(address(pages + PAGES(7)), PAGES(3), PROT_READ), 0);
	CHECK(pattern_holds(pages, PAGES(TABLE), 1));
	CHECK_KILLED(store_child, address(pages + PAGES(8)), SIGSEGV);
	pages[PAGES(6)] = pages[PAGES(10)] = 3;
	CHECK_EQUAL(mprotect(address(pages), PAGES(TABLE), PROT_READ), 0);
	CHECK_KILLED(store_child, address(pages + PAGES(6)), SIGSEGV);
	CHECK_EQUAL(mprotect(address(pages), PAGES(TABLE), READ_WRITE), 0);
	pattern_fill(pages, PAGES(TABLE), 2);
	CHECK(pattern_holds(pages, PAGES(TABLE), 2));
}

static void all_is_protected_and_written_again(void)
{
	volatile uint8_t *pages = large_pages(2);

	CHECK_EQUAL(mprotect(address(pages), PAGES(2 * TABLE), PROT_NONE), 0);
	CHECK_KILLED(load_child, address(pages + PAGES(600)), SIGSEGV);
	CHECK_EQUAL(mprotect(address(pages), PAGES(2 * TABLE), READ_WRITE), 0);
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 1));
	pattern_fill(pages, PAGES(2 * TABLE), 2);
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 2));
}

static void a_part_is_discarded(void)
{
	volatile uint8_t *pages = large_pages(1);

	CHECK_EQUAL(madvise(address(pages + PAGES(50)), PAGES(20), MADV_DONTNEED), 0);
	CHECK(pattern_holds(pages, PAGES(50), 1));
	CHECK(all_bytes_are(pages + PAGES(50), PAGES(20), 0));
}

static void all_and_parts_are_moved(void)
{
	volatile uint8_t *pages = large_pages(2), *there;

	there = mremap(address(pages), PAGES(2 * TABLE), PAGES(2 * TABLE), MREMAP_MAYMOVE | MREMAP_FIXED,
		(void *)(AT + PAGES(8 * TABLE)));
	CHECK(address(there) == (void *)(AT + PAGES(8 * TABLE)));
	CHECK(pattern_holds(there, PAGES(2 * TABLE), 1));
	pages = mremap(address(there), PAGES(300), PAGES(300), MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(AT + PAGES(5)));
	CHECK(address(pages) == (void *)(AT + PAGES(5)));
	CHECK(pattern_holds(pages, PAGES(300), 1));
	CHECK_KILLED(load_child, address(there), SIGSEGV);
	pages[0] = there[PAGES(300)] = 9;
}

/* The child writes some pages, finds all others as they were, and ends. */
static void write_some(void *memory)
{
	volatile uint8_t *pages = memory;

	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 1));
	for (size_t i = 0; i < 2 * TABLE; i += 37)
		pages[PAGES(i)] = 200;
	for (size_t i = 0; i < 2 * TABLE; i += 37)
		CHECK_EQUAL(pages[PAGES(i)], 200);
}

static void relatives_write_their_own(void)
{
	volatile uint8_t *pages = large_pages(2);

	child_run(write_some, address(pages));
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 1));
	child_run(write_some, address(pages));
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 1));
	pattern_fill(pages, PAGES(2 * TABLE), 3);
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 3));
}

/* The child goes on with memory that its parent lets go. */
static void unmap_in_child(void *memory)
{
	CHECK_EQUAL(munmap(memory, PAGES(TABLE)), 0);
	CHECK_EQUAL(munmap((uint8_t *)memory + PAGES(TABLE + 9), PAGES(9)), 0);
}

static void relatives_let_go_of_it(void)
{
	volatile uint8_t *pages = large_pages(2);

	child_run(unmap_in_child, address(pages));
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 1));
	pattern_fill(pages, PAGES(2 * TABLE), 4);
	CHECK(pattern_holds(pages, PAGES(2 * TABLE), 4));
}

/* ---- promotion ---- */

static struct pager_stat pager_now(void)
{
	struct pager_stat stat;

	CHECK_EQUAL(system_pager_stat(&stat), 0);
	return stat;
}

/* Until there are blocks of frames for so many large pages: tests before may have used memory up, and blocks are
   formed again when the machine is idle. */
static void wait_for_blocks(size_t count)
{
	void *memory = mmap(NULL, PAGES((count + 1) * TABLE), READ_WRITE, ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	while (madvise(memory, PAGES((count + 1) * TABLE), MADV_COLLAPSE) != 0)
		usleep(20000);
	CHECK_EQUAL(munmap(memory, PAGES((count + 1) * TABLE)), 0);
	(void)frames_free(); /* all work that was put off is done */
}

/* Small pages with a pattern, of which some were written by the time that they are advised. */
static volatile uint8_t *small_pages(size_t count, size_t written)
{
	void *memory;

	wait_for_blocks(count / TABLE + 1);
	memory = mmap((void *)AT, PAGES(count), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK((uint64_t)memory == AT);
	pattern_fill(memory, PAGES(written), 1);
	return memory;
}

static void a_write_promotes_what_is_there(void)
{
	volatile uint8_t *pages = small_pages(TABLE, 50);
	uint64_t promotions;

	CHECK_EQUAL(madvise(address(pages), PAGES(TABLE), MADV_HUGEPAGE), 0);
	promotions = pager_now().promotions;
	pages[PAGES(200)] = 9;
	CHECK_EQUAL(pager_now().promotions, promotions + 1);
	cost_begin();
	CHECK(pattern_holds(pages, PAGES(50), 1));
	for (size_t i = 64; i < TABLE; i++)
		CHECK_EQUAL(pages[PAGES(i)], i == 200 ? 9 : 0);
	CHECK_EQUAL(cost_end().faults, 0);
}

static void advice_promotes_what_is_mostly_there(void)
{
	volatile uint8_t *pages = small_pages(3 * TABLE, 2 * TABLE + 300);
	uint64_t promotions = pager_now().promotions;

	CHECK_EQUAL(madvise(address(pages), PAGES(3 * TABLE), MADV_HUGEPAGE), 0);
	CHECK_EQUAL(pager_now().promotions, promotions + 3);
	CHECK(pattern_holds(pages, PAGES(2 * TABLE + 300), 1));
	CHECK(all_bytes_are(pages + PAGES(2 * TABLE + 300), PAGES(TABLE - 300), 0));
	pattern_fill(pages, PAGES(3 * TABLE), 2);
	CHECK(pattern_holds(pages, PAGES(3 * TABLE), 2));
}

static void collapse_promotes_now(void)
{
	volatile uint8_t *pages = small_pages(2 * TABLE, 3);
	uint64_t promotions = pager_now().promotions;

	CHECK_EQUAL(madvise(address(pages), PAGES(2 * TABLE), MADV_COLLAPSE), 0);
	CHECK_EQUAL(pager_now().promotions, promotions + 1); /* of the other half nothing was there */
	cost_begin();
	CHECK(pattern_holds(pages, PAGES(3), 1));
	CHECK(all_bytes_are(pages + PAGES(3), PAGES(2 * TABLE - 3), 0));
	CHECK_EQUAL(cost_end().faults, 0);
	CHECK_ERRNO(madvise(address(pages + PAGES(1)), PAGES(TABLE), MADV_COLLAPSE), EINVAL);
	CHECK_EQUAL(mprotect(address(pages), PAGES(TABLE), PROT_READ), 0);
	CHECK_ERRNO(madvise(address(pages), PAGES(TABLE), MADV_COLLAPSE), EINVAL);
	CHECK_ERRNO(madvise(address(pages), PAGES(5 * TABLE), MADV_COLLAPSE), ENOMEM);
}

static void collapse_of_more_than_there_is(void)
{
	uint64_t count = pager_now().frames_free / TABLE + 4;
	volatile uint8_t *pages = mmap((void *)AT, PAGES(count * TABLE), READ_WRITE,
		ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	pages[5] = 5;
	CHECK_ERRNO(madvise(address(pages), PAGES(count * TABLE), MADV_COLLAPSE), ENOMEM);
	CHECK_EQUAL(pages[5], 5);
	CHECK_EQUAL(munmap(address(pages), PAGES(count * TABLE)), 0);
}

/* What was split by rights, by a part that went, and by relatives, is put together again. */
static void what_was_split_is_promoted_again(void)
{
	volatile uint8_t *pages;
	uint64_t promotions = pager_now().promotions;

	wait_for_blocks(6);
	pages = large_pages(3);
	CHECK_EQUAL(mprotect(address(pages + PAGES(7)), PAGES(3), PROT_READ), 0);
	CHECK_EQUAL(mprotect(address(pages + PAGES(7)), PAGES(3), READ_WRITE), 0);
	CHECK_EQUAL(madvise(address(pages + PAGES(TABLE)), PAGES(9), MADV_DONTNEED), 0);
	child_run(store_child, address(pages + PAGES(2 * TABLE + 50)));
	pages[PAGES(3 * TABLE - 1)] = 3;
	CHECK_EQUAL(madvise(address(pages), PAGES(3 * TABLE), MADV_COLLAPSE), 0);
	CHECK(pager_now().promotions >= promotions + 2);
	CHECK(pattern_holds(pages, PAGES(TABLE), 1));
	CHECK(all_bytes_are(pages + PAGES(TABLE), PAGES(9), 0));
}

static void promote_and_write(void *memory)
{
	CHECK_EQUAL(madvise(memory, PAGES(TABLE), MADV_COLLAPSE), 0);
	CHECK(pattern_holds(memory, PAGES(TABLE), 1));
	pattern_fill(memory, PAGES(TABLE), 7);
}

static void relatives_promote_their_own(void)
{
	volatile uint8_t *pages = small_pages(TABLE, TABLE);

	child_run(promote_and_write, address(pages));
	CHECK(pattern_holds(pages, PAGES(TABLE), 1));
	promote_and_write(address(pages));
	child_run(store_child, address(pages));
	CHECK(pattern_holds(pages, PAGES(TABLE), 7));
}

const struct test tests_large[] = {
	TEST(first_writes_bring_zeros),
	TEST(a_part_is_unmapped),
	TEST(a_part_is_protected),
	TEST(all_is_protected_and_written_again),
	TEST(a_part_is_discarded),
	TEST(all_and_parts_are_moved),
	TEST(relatives_write_their_own),
	TEST(relatives_let_go_of_it),
	TEST(a_write_promotes_what_is_there),
	TEST(advice_promotes_what_is_mostly_there),
	TEST(collapse_promotes_now),
	TEST(collapse_of_more_than_there_is),
	TEST(what_was_split_is_promoted_again),
	TEST(relatives_promote_their_own),
	{0},
};
