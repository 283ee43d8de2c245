/*
 * Moving mappings and advice about them: mremap and madvise, alone and with relatives.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <fcntl.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define TO_PLACE (MREMAP_MAYMOVE | MREMAP_FIXED)
#define MEBIBYTE ((uint64_t)1 << 20)
#define GIBIBYTE ((uint64_t)1 << 30)
#define SLOT ((uint64_t)1 << 39)
#define TEXT_FILE "/text/default.txt"

static void *address(const volatile void *memory)
{
	return (void *)(uintptr_t)memory;
}

static volatile uint8_t *place(uint64_t at)
{
	return (volatile uint8_t *)(uintptr_t)at;
}

/* Fresh pages exactly there. */
static volatile uint8_t *pages_at(uint64_t at, size_t count)
{
	void *memory = mmap((void *)at, PAGES(count), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK((uint64_t)memory == at);
	return memory;
}

/* To this place, which must be where it comes to lie. */
static volatile uint8_t *move_to(
	const volatile void *memory, size_t count, size_t new_count, uint64_t there)
{
	void *moved = mremap(address(memory), PAGES(count), PAGES(new_count), TO_PLACE, (void *)there);

	CHECK((uint64_t)moved == there);
	return moved;
}

static void growing_and_shrinking_in_place(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 4);

	pattern_fill(pages, PAGES(4), 1);
	CHECK(mremap(address(pages), PAGES(4), PAGES(9), 0) == address(pages));
	CHECK(pattern_holds(pages, PAGES(4), 1));
	CHECK(all_bytes_are(pages + PAGES(4), PAGES(5), 0));
	pattern_fill(pages, PAGES(9), 2);
	CHECK(mremap(address(pages), PAGES(9), PAGES(3), 0) == address(pages));
	CHECK(pattern_holds(pages, PAGES(3), 2));
	CHECK_KILLED(load_child, address(pages + PAGES(3)), SIGSEGV);
	CHECK(mremap(address(pages), PAGES(3), PAGES(5), 0) == address(pages));
	CHECK(all_bytes_are(pages + PAGES(3), PAGES(2), 0));
}

static void moving_when_there_is_no_room(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 6), *moved;

	(void)pages_at(0x200000000000 + PAGES(6), 1);
	CHECK_EQUAL(mprotect(address(pages + PAGES(6)), PAGE_SIZE, PROT_READ), 0);
	pattern_fill(pages, PAGES(6), 3);
	CHECK_ERRNO((intptr_t)mremap(address(pages), PAGES(6), PAGES(7), 0), ENOMEM);
	CHECK(pattern_holds(pages, PAGES(6), 3));
	cost_begin();
	moved = mremap(address(pages), PAGES(6), PAGES(8), MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && moved != pages);
	CHECK(pattern_holds(moved, PAGES(6), 3));
	CHECK_EQUAL(cost_end().faults, 0); /* the pages came along */
	CHECK(all_bytes_are(moved + PAGES(6), PAGES(2), 0));
	CHECK_KILLED(load_child, address(pages), SIGSEGV);
	CHECK_KILLED(load_child, address(pages + PAGES(5)), SIGSEGV);
	CHECK_LIVES(load_child, address(pages + PAGES(6)));
}

static void moving_onto_something_replaces_it(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 3);
	volatile uint8_t *there = pages_at(0x210000000000, 8);

	pattern_fill(pages, PAGES(3), 4);
	pattern_fill(there, PAGES(8), 5);
	CHECK(move_to(pages, 3, 4, (uint64_t)there + PAGES(2)) == there + PAGES(2));
	CHECK(pattern_holds(there, PAGES(2), 5));
	CHECK(pattern_holds(there + PAGES(2), PAGES(3), 4));
	CHECK(all_bytes_are(there + PAGES(5), PAGES(1), 0));
	for (size_t i = PAGES(6); i < PAGES(8); i++)
		CHECK_EQUAL(there[i], pattern(i, 5));
	CHECK_KILLED(store_child, address(pages), SIGSEGV);
}

/* The old address is forgotten by the processor, too, and the frames can be used again. */
static void old_addresses_are_forgotten(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 16);

	for (unsigned round = 0; round < 20; round++) {
		uint64_t there = 0x210000000000 + round * PAGES(5);

		pattern_fill(pages, PAGES(16), round);
		CHECK(move_to(pages, 16, 16, there) == place(there));
		CHECK(pages_at((uint64_t)pages, 16) == pages);
		CHECK(all_bytes_are(pages, PAGES(16), 0));
		CHECK(pattern_holds(place(there), PAGES(16), round));
		CHECK_EQUAL(munmap((void *)there, PAGES(16)), 0);
	}
}

struct relatives {
	volatile uint8_t *pages; /* before the move */
	volatile uint8_t *there;
	size_t count;
	volatile uint32_t *gate; /* 0: the child looks on; 1: parent has written; 2: child has */
};

static void child_of_a_mover(void *argument)
{
	const struct relatives *relatives = argument;
	size_t bytes = PAGES(relatives->count);

	CHECK(pattern_holds(relatives->pages, bytes, 1));
	wait_until(relatives->gate, 1);
	CHECK(pattern_holds(relatives->pages, bytes, 1));
	pattern_fill(relatives->pages, bytes, 3);
	*relatives->gate = 2;
	CHECK_KILLED(load_child, address(relatives->there), SIGSEGV);
}

/* Parent moves, both write: each sees its own. */
static void move_with_a_child(uint64_t from, uint64_t to, size_t count)
{
	struct relatives relatives = {
		.pages = pages_at(from, count),
		.there = place(to),
		.count = count,
		.gate = (volatile uint32_t *)shared_pages(1),
	};
	pid_t child;

	pattern_fill(relatives.pages, PAGES(count), 1);
	child = child_start(child_of_a_mover, &relatives);
	CHECK(move_to(relatives.pages, count, count, to) == relatives.there);
	CHECK(pattern_holds(relatives.there, PAGES(count), 1));
	pattern_fill(relatives.there, PAGES(count), 2);
	*relatives.gate = 1;
	wait_until(relatives.gate, 2);
	CHECK(pattern_holds(relatives.there, PAGES(count), 2));
	child_finish(child);
	CHECK_EQUAL(munmap(address(relatives.there), PAGES(count)), 0);
}

static void moving_copy_on_write_pages(void)
{
	move_with_a_child(0x200000000000, 0x210000003000, 7);
}

static void moving_whole_tables_that_are_shared(void)
{
	move_with_a_child(0x200000000000, 0x210000000000, 1024);
	move_with_a_child(0x200000000000 - PAGES(3), 0x210000000000 - PAGES(3), 520);
}

static void moving_over_table_borders(void)
{
	static const uint64_t borders[] = {2 * MEBIBYTE, GIBIBYTE, SLOT};
	static const uint64_t distances[] = {0, PAGES(1), PAGES(5), 2 * MEBIBYTE, GIBIBYTE + PAGES(2)};

	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++)
		for (size_t j = 0; j < sizeof(distances) / sizeof(distances[0]); j++)
			move_with_a_child(0x200000000000 + borders[i] - PAGES(3),
					  0x300000000000 + borders[i] - PAGES(3) + distances[j], 6);
}

/* The child moves and ends; the parent keeps its pages. */
static void move_and_end(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK(move_to(pages + PAGES(2), 3, 3, 0x210000000000) == place(0x210000000000));
	pattern_fill(place(0x210000000000), PAGES(3), 9);
	CHECK_EQUAL(madvise(address(pages), PAGES(2), MADV_DONTNEED), 0);
	CHECK(all_bytes_are(pages, PAGES(2), 0));
}

static void what_a_child_moves_the_parent_keeps(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 8);

	pattern_fill(pages, PAGES(8), 6);
	child_run(move_and_end, address(pages));
	CHECK(pattern_holds(pages, PAGES(8), 6));
}

static void moving_after_mprotect(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 3), *there = place(0x210000001000);

	pattern_fill(pages, PAGES(3), 7);
	CHECK_EQUAL(mprotect(address(pages + PAGES(1)), PAGE_SIZE, PROT_READ), 0);
	CHECK_ERRNO((intptr_t)mremap(address(pages), PAGES(3), PAGES(3), TO_PLACE, address(there)), EFAULT);
	CHECK(move_to(pages + PAGES(1), 1, 1, (uint64_t)there) == there);
	CHECK_KILLED(store_child, address(there), SIGSEGV);
	CHECK_LIVES(load_child, address(there));
	CHECK_EQUAL(there[5], pattern(PAGES(1) + 5, 7));
	CHECK_EQUAL(mprotect(address(there), PAGE_SIZE, READ_WRITE), 0);
	there[5] = 1;
	CHECK_EQUAL(pages[PAGES(2)], pattern(PAGES(2), 7));
}

static void write_both_pages(void *argument)
{
	volatile uint8_t *pages = argument;

	pages[0] = 11;
	pages[PAGES(1)] = 12;
}

static void moving_shared_memory(void)
{
	volatile uint8_t *pages = shared_pages(2), *there = place(0x210000000000);

	pages[0] = 1;
	CHECK(move_to(pages, 2, 3, (uint64_t)there) == there);
	CHECK_EQUAL(there[0], 1);
	child_run(write_both_pages, address(there));
	CHECK_EQUAL(there[0], 11);
	CHECK_EQUAL(there[PAGES(1)], 12);
	CHECK_KILLED(load_child, address(there + PAGES(2)), SIGBUS); /* behind the end of the memory */
}

static void moving_a_file_mapping(void)
{
	int fd = open(TEXT_FILE, O_RDONLY);
	const uint8_t *text = mmap(NULL, PAGES(4), PROT_READ, MAP_PRIVATE, fd, 0);
	volatile uint8_t *copy = mmap(NULL, PAGES(4), READ_WRITE, MAP_PRIVATE, fd, 0), *there;

	CHECK(text != MAP_FAILED && copy != MAP_FAILED);
	copy[PAGES(2)] = (uint8_t)(text[PAGES(2)] + 1);
	there = move_to(copy + PAGES(1), 2, 3, 0x210000002000);
	for (size_t i = 0; i < PAGES(3); i++)
		CHECK_EQUAL(there[i], (uint8_t)(text[PAGES(1) + i] + (i == PAGES(1) ? 1 : 0)));
	CHECK_EQUAL(madvise(address(there), PAGES(3), MADV_DONTNEED), 0);
	CHECK_EQUAL(there[PAGES(1)], text[PAGES(2)]);
	CHECK_EQUAL(close(fd), 0);
}

static void wrong_moves_are_refused(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 4);
	uint64_t there = 0x210000000000, at = (uint64_t)pages;
	uint8_t local = 1;

	pattern_fill(pages, PAGES(4), 8);
	CHECK_ERRNO((intptr_t)mremap((void *)(at + 1), PAGES(1), PAGES(2), MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, 0, PAGES(2), MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(1), 0, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(1), PAGES(1), 4), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(1), PAGES(1), MREMAP_FIXED, there), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(2), PAGES(2), TO_PLACE, at + PAGES(1)), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(1), PAGES(1), TO_PLACE, there + 1), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(1), PAGES(1), TO_PLACE, LAYOUT_USER_END), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(1), PAGES(1), TO_PLACE, LAYOUT_MESSAGE), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)LAYOUT_MESSAGE, PAGES(1), PAGES(1), TO_PLACE, there), EINVAL);
	CHECK_ERRNO((intptr_t)mremap((void *)there, PAGES(1), PAGES(2), MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO((intptr_t)mremap((void *)at, PAGES(5), PAGES(6), MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO((intptr_t)mremap((void *)((uint64_t)&local & ~(PAGE_SIZE - 1)), PAGE_SIZE, PAGE_SIZE,
				     TO_PLACE, there),
		    EINVAL);
	CHECK(pattern_holds(pages, PAGES(4), 8));
	CHECK_EQUAL(local, 1);
}

static void dropped_pages_are_zero_and_free(void)
{
	volatile uint8_t *pages = private_pages(600);
	uint64_t full;

	pattern_fill(pages, PAGES(600), 9);
	full = frames_free();
	CHECK_EQUAL(madvise(address(pages + PAGES(10)), PAGES(580), MADV_DONTNEED), 0);
	CHECK(frames_free() >= full + 580);
	CHECK(pattern_holds(pages, PAGES(10), 9));
	CHECK(all_bytes_are(pages + PAGES(10), PAGES(580), 0));
	for (size_t i = PAGES(590); i < PAGES(600); i++)
		CHECK_EQUAL(pages[i], pattern(i, 9));
}

static void drop_and_look(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK_EQUAL(madvise(address(pages + PAGES(1)), PAGES(1022), MADV_DONTNEED), 0);
	CHECK(all_bytes_are(pages + PAGES(1), PAGES(1022), 0));
	CHECK_EQUAL(pages[0], pattern(0, 4));
	CHECK_EQUAL(pages[PAGES(1023)], pattern(PAGES(1023), 4));
	pattern_fill(pages, PAGES(1024), 5);
}

static void dropping_shared_tables_after_fork(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 1024);

	pattern_fill(pages, PAGES(1024), 4);
	child_run(drop_and_look, address(pages));
	CHECK(pattern_holds(pages, PAGES(1024), 4));
}

static void fetched_pages_do_not_fault(void)
{
	volatile uint8_t *pages = private_pages(64);

	CHECK_EQUAL(madvise(address(pages), PAGES(64), MADV_WILLNEED), 0);
	cost_begin();
	for (size_t i = 0; i < 64; i++)
		pages[PAGES(i)] = 1;
	CHECK_EQUAL(cost_end().faults, 0);
}

static void large_advice_brings_many_pages_at_once(void)
{
	volatile uint8_t *pages = private_pages(1024);

	CHECK_EQUAL(madvise(address(pages), PAGES(1024), MADV_HUGEPAGE), 0);
	cost_begin();
	for (size_t i = 0; i < 1024; i++)
		pages[PAGES(i)] = (uint8_t)i;
	CHECK(cost_end().faults <= 40);
	for (size_t i = 0; i < 1024; i++)
		CHECK(pages[PAGES(i)] == (uint8_t)i && pages[PAGES(i) + 4095] == 0);
	CHECK_EQUAL(madvise(address(pages), PAGES(1024), MADV_NOHUGEPAGE), 0);
}

static void wrong_advice_is_refused(void)
{
	volatile uint8_t *pages = pages_at(0x200000000000, 2);

	pages[0] = 1;
	CHECK_ERRNO(madvise(address(pages), PAGES(3), MADV_DONTNEED), ENOMEM);
	CHECK_ERRNO(madvise(address(pages + 1), PAGES(1), MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(address(pages), PAGES(1), 77), EINVAL);
	CHECK_EQUAL(madvise(address(pages), 0, MADV_DONTNEED), 0);
	CHECK_EQUAL(madvise(address(pages), PAGES(2), MADV_NORMAL), 0);
	CHECK_EQUAL(pages[0], 1);
}

const struct test tests_remap[] = {
	TEST(growing_and_shrinking_in_place),
	TEST(moving_when_there_is_no_room),
	TEST(moving_onto_something_replaces_it),
	TEST(old_addresses_are_forgotten),
	TEST(moving_copy_on_write_pages),
	TEST(moving_whole_tables_that_are_shared),
	TEST(moving_over_table_borders),
	TEST(what_a_child_moves_the_parent_keeps),
	TEST(moving_after_mprotect),
	TEST(moving_shared_memory),
	TEST(moving_a_file_mapping),
	TEST(wrong_moves_are_refused),
	TEST(dropped_pages_are_zero_and_free),
	TEST(dropping_shared_tables_after_fork),
	TEST(fetched_pages_do_not_fault),
	TEST(large_advice_brings_many_pages_at_once),
	TEST(wrong_advice_is_refused),
	{0},
};
