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

const struct test tests_large[] = {
	TEST(first_writes_bring_zeros),
	TEST(a_part_is_unmapped),
	TEST(a_part_is_protected),
	TEST(all_is_protected_and_written_again),
	TEST(a_part_is_discarded),
	TEST(all_and_parts_are_moved),
	TEST(relatives_write_their_own),
	TEST(relatives_let_go_of_it),
	{0},
};
