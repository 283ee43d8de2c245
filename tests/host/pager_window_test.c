/*
 * Tests of windows: what a fault brings with it, in memory that is written in order and in files.
 *
 * Each test starts with a machine of 4,096 frames and a pager without spaces, and ends with all
 * spaces destroyed and every frame back.  All rules are checked behind each access.
 *
 * Usage: pager_window [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include <faultline/frame.h>

#include "../../servers/pager/fault.h"
#include "../../servers/pager/mmu.h"

#define FRAMES 4096
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define MOST   16u /* pages of a window */

static uint64_t space, frames_at_start;

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

/* Of all regions. */
static uint64_t resident(void)
{
	const struct machine_answer *answer = machine_system(PAGER_MAPS, space, 0, 0, 0, 0, 0);
	uint64_t pages = 0;

	for (uint64_t i = 0; i < answer->w[0]; i++) {
		struct pager_region region;

		memcpy(&region, answer->payload + i * sizeof(region), sizeof(region));
		pages += region.resident;
	}
	return pages;
}

static void map_at(uint64_t page, uint64_t pages, uint64_t rights, uint64_t file, uint64_t offset)
{
	CHECK_EQUAL(machine_program(space, PAGER_MMAP, BASE + page * PAGE, pages * PAGE,
			    rights | MAP_NO_REPLACE, file, offset)
			    ->status,
		ST_OK);
}

static void write_page(uint64_t page)
{
	uint64_t word = page + 1;

	CHECK_EQUAL(machine_access(space, BASE + page * PAGE, FAULT_WRITE, &word), REASON_NONE);
	machine_check();
}

static uint64_t access_page(uint64_t page, uint32_t access)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, BASE + page * PAGE + 8, access, &word), REASON_NONE);
	machine_check();
	return word;
}

/* Pages that are there from `page` on. */
static uint32_t present(uint64_t page)
{
	uint32_t count = 0;

	while (machine_entry(space, BASE + (page + count) * PAGE) != 0)
		count++;
	return count;
}

/* A file: the second word of page p is p * 1000. */
static uint64_t make_file(uint64_t pages)
{
	uint64_t file =
		machine_system(PAGER_OBJECT_CREATE, pages * PAGE, 0x656c6966, 0, 0, 0, 0)->w[0];

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t word = page * 1000;
		struct machine_request request = {
			.badge = BADGE_SYSTEM,
			.label = PAGER_OBJECT_WRITE,
			.w = { file, page * PAGE + 8 },
			.payload = &word,
			.bytes = sizeof(word),
		};

		CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	}
	return file;
}

static void end_file(uint64_t file)
{
	CHECK_EQUAL(machine_system(PAGER_OBJECT_DESTROY, file, 0, 0, 0, 0, 0)->status, ST_OK);
}

static void before(void)
{
	machine_start(FRAMES);
	frames_at_start = stats().frames_free;
	space = machine_system(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0, 0, 0, 0)->w[0];
}

static void after(void)
{
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0, 0, 0);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, space, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

/* ---- anonymous memory ---- */

static void test_writes_in_order_bring_more_and_more(void)
{
	uint64_t page = 0;

	map_at(0, 200, RW, 0, 0);
	write_page(page++);
	for (uint32_t pages = 2; pages <= 2 * MOST; pages *= 2) {
		uint32_t expected = pages < MOST ? pages : MOST;

		CHECK_EQUAL(present(page), 0);
		write_page(page);
		CHECK_EQUAL(present(page), expected);
		page += expected;
	}
	CHECK_EQUAL(resident(), page);
	for (uint64_t i = 0; i < page; i++)
		CHECK_EQUAL(access_page(i, 0), 0);
	CHECK_EQUAL(machine_faults, 6);
}

/* What nobody has asked for must not look used. */
static void test_neighbours_come_without_the_accessed_bit(void)
{
	map_at(0, 10, RW, 0, 0);
	write_page(0);
	write_page(1);
	CHECK(machine_entry(space, BASE + PAGE) & PTE_A);
	CHECK_EQUAL(machine_entry(space, BASE + 2 * PAGE) & (PTE_A | PTE_D | PTE_W | PTE_NX),
		PTE_W | PTE_NX);
	CHECK_EQUAL(access_page(2, FAULT_WRITE), 0);
	CHECK_EQUAL(machine_faults, 2);
}

static void test_writes_out_of_order_bring_one_page(void)
{
	static const uint64_t pages[] = { 9, 8, 20, 30, 21, 10, 40, 4 };

	map_at(0, 50, RW, 0, 0);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		write_page(pages[i]);
		CHECK_EQUAL(resident(), i + 1);
	}
}

static void test_a_window_ends_with_its_region(void)
{
	map_at(0, 10, RW, 0, 0);
	for (uint64_t page = 0; page < 10; page++)
		write_page(page);
	CHECK_EQUAL(resident(), 10);
	CHECK_EQUAL(machine_faults, 4); /* 1, 2, 4 and 3 */
}

static void test_a_window_ends_with_its_table(void)
{
	map_at(500, 40, RW, 0, 0);
	for (uint64_t page = 500; page < 540; page++)
		write_page(page);
	CHECK_EQUAL(resident(), 40);
	CHECK_EQUAL(machine_faults, 9); /* 1, 2, 4, 5; in a new table 1, 2, 4, 8, 13 */
}

/* Pages that are there stay, and the frames meant for them go back. */
static void test_a_window_leaves_out_what_is_there(void)
{
	map_at(0, 30, RW, 0, 0);
	write_page(5);
	write_page(12);
	write_page(9);
	for (uint64_t page = 0; page < 20; page++)
		write_page(page);
	CHECK_EQUAL(access_page(12, 0), 0);
	CHECK_EQUAL(resident(), present(0));
	CHECK_EQUAL(stats().frames_free + resident() + 6, frames_at_start); /* 3 tables, 3 objects */
}

/* After windows whose pages were not used the next write brings one alone. */
static void test_windows_that_are_not_used_shrink(void)
{
	uint64_t page = 0, windows;

	map_at(0, 512, RW, 0, 0);
	while (present(page) < MOST) {
		page += present(page);
		write_page(page);
	}
	for (windows = 0; present(page) == MOST && windows < 100; windows++) {
		page += MOST;
		write_page(page);
	}
	CHECK_EQUAL(present(page), 1);
	CHECK(windows <= 17);
}

static void test_windows_that_are_used_stay(void)
{
	map_at(0, 512, RW, 0, 0);
	for (uint64_t page = 0; page < 512; page++)
		write_page(page);
	CHECK_EQUAL(machine_faults, 36); /* 1, 2, 4, 8, and 31 of 16; the last is cut to 1 */
}

/* When memory is short a page comes alone. */
static void test_no_window_when_frames_are_few(void)
{
	map_at(0, 60, RW, 0, 0);
	write_page(0);
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, stats().frames_free - 140, 0, 0, 0, 0);
	for (uint64_t page = 1; page < 20; page++) {
		write_page(page);
		CHECK_EQUAL(resident(), page + 1);
	}
}

/* Frames that do not follow one another: a window of several operations. */
static void test_a_window_of_scattered_frames(void)
{
	map_at(0, FRAMES / 2, RW, 0, 0);
	for (uint64_t page = FRAMES / 2; page-- > 0;)
		write_page(page);
	CHECK_EQUAL(machine_program(space, PAGER_MUNMAP, BASE, FRAMES / 2 * PAGE, 0, 0, 0)->status,
		ST_OK);
	map_at(0, FRAMES / 2, RW, 0, 0);
	for (uint64_t page = 0; page < FRAMES / 2; page++)
		write_page(page);
	CHECK_EQUAL(resident(), FRAMES / 2);
	CHECK(machine_operations > 2);
}

/* ---- where many may come ---- */

#define LARGE 64u

static void advise(uint64_t page, uint64_t pages, uint64_t advice)
{
	CHECK_EQUAL(machine_program(space, PAGER_MADVISE, BASE + page * PAGE, pages * PAGE, advice,
			    0, 0)
			    ->status,
		ST_OK);
	machine_check();
}

static void test_large_windows_come_whole_at_any_write(void)
{
	map_at(0, 511, RW, 0, 0); /* no room for a large page */
	advise(0, 511, ADVICE_LARGE);
	write_page(200); /* makes the table, too */
	CHECK_EQUAL(resident(), 1);
	write_page(300);
	CHECK_EQUAL(present(4 * LARGE), LARGE);
	write_page(201);
	CHECK_EQUAL(present(3 * LARGE), 2 * LARGE);
	CHECK_EQUAL(resident(), 2 * LARGE);
	for (uint64_t page = 3 * LARGE; page < 5 * LARGE; page++)
		CHECK_EQUAL(access_page(page, FAULT_WRITE), 0);
	CHECK_EQUAL(machine_faults, 3);
}

/* The first frames of the queue do not follow one another any more. */
static void scatter_frames(void)
{
	pfn_t frames[256], pfn = frame_pool.first;

	for (uint32_t i = 0; i < 256; i++, pfn = frame_pool.info[pfn].next)
		frames[i] = pfn;
	for (uint32_t i = 0; i < 255; i++)
		frame_pool.info[frames[i * 3 % 256]].next = frames[(i + 1) * 3 % 256];
	frame_pool.info[frames[255 * 3 % 256]].next = pfn;
	frame_pool.first = frames[0];
}

/* More runs of frames than a reply has operations. */
static void test_large_windows_of_scattered_frames_are_one_fault_each(void)
{
	map_at(0, 511, RW, 0, 0);
	write_page(510);
	advise(0, 511, ADVICE_LARGE);
	write_page(3 * LARGE - 1); /* alone: the first in its region */
	scatter_frames();
	write_page(0);
	CHECK_EQUAL(machine_faults, 3);
	CHECK_EQUAL(present(0), LARGE);
	CHECK_EQUAL(resident(), LARGE + 2);
	for (uint64_t page = 0; page < LARGE; page++)
		CHECK_EQUAL(access_page(page, FAULT_WRITE), 0);
	CHECK_EQUAL(machine_faults, 3);
}

static void test_large_windows_end_where_the_advice_ends(void)
{
	map_at(0, 300, RW, 0, 0);
	write_page(299);
	advise(70, 20, ADVICE_LARGE);
	write_page(80); /* alone: the first in its region */
	write_page(81);
	CHECK(present(70) == 20 && present(69) == 0);
	write_page(100);
	CHECK_EQUAL(present(100), 1);
	advise(0, 300, ADVICE_LARGE);
	advise(0, 300, ADVICE_SMALL);
	write_page(200);
	CHECK_EQUAL(present(200), 1);
	CHECK_EQUAL(resident(), 23);
}

/* Advice is not a right, and is told with the region; equal neighbours are one region again. */
static void test_advice_divides_and_joins_regions(void)
{
	const struct machine_answer *answer;
	struct pager_region region;

	map_at(0, 30, RW, 0, 0);
	advise(10, 10, ADVICE_LARGE);
	answer = machine_system(PAGER_MAPS, space, 0, 0, 0, 0, 0);
	CHECK_EQUAL(answer->w[0], 3);
	memcpy(&region, answer->payload + sizeof(region), sizeof(region));
	CHECK(region.start == BASE + 10 * PAGE && region.end == BASE + 20 * PAGE);
	CHECK_EQUAL(region.protection, RW | MAP_LARGE);
	advise(0, 30, ADVICE_SMALL);
	CHECK_EQUAL(machine_system(PAGER_MAPS, space, 0, 0, 0, 0, 0)->w[0], 1);
	CHECK_EQUAL(machine_program(space, PAGER_MMAP, 0, PAGE, RW | MAP_LARGE, 0, 0)->status,
		ST_BAD_ARGUMENT);
}

static void test_large_windows_leave_relatives_alone(void)
{
	uint64_t child, word = 5;

	map_at(0, 200, RW, 0, 0);
	advise(0, 200, ADVICE_LARGE);
	write_page(0);
	write_page(1);
	child = machine_system(PAGER_SPACE_FORK, space, 2000, 0, 0, 0, 0)->w[0];
	CHECK_EQUAL(machine_access(child, BASE + 2 * PAGE, FAULT_WRITE, &word), REASON_NONE);
	CHECK_EQUAL(machine_access(child, BASE + 150 * PAGE, FAULT_WRITE, &word), REASON_NONE);
	machine_check();
	CHECK_EQUAL(present(128), 0);
	CHECK_EQUAL(access_page(2, 0), 0);
	CHECK_EQUAL(machine_entry(child, BASE + 191 * PAGE) & PTE_W, PTE_W);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, child, 0, 0, 0, 0, 0)->status, ST_OK);
}

/* ---- files ---- */

static void test_reads_of_a_file_bring_windows_by_one_operation(void)
{
	uint64_t file = make_file(100);

	map_at(0, 100, MAP_READ, file, 0);
	for (uint64_t page = 0; page < 100; page++)
		CHECK_EQUAL(access_page(page, 0), page * 1000);
	CHECK_EQUAL(resident(), 100);
	CHECK_EQUAL(machine_faults, 7);
	CHECK_EQUAL(machine_operations, 1);
	end_file(file);
}

static void test_text_of_a_file_can_be_executed(void)
{
	uint64_t file = make_file(40);

	map_at(0, 40, MAP_READ | MAP_EXEC, file, 0);
	for (uint64_t page = 0; page < 40; page++)
		CHECK_EQUAL(access_page(page, FAULT_FETCH), page * 1000);
	CHECK_EQUAL(machine_entry(space, BASE + 39 * PAGE) & (PTE_NX | PTE_W), 0);
	CHECK_EQUAL(machine_faults, 3);
	CHECK_EQUAL(machine_operations, 2);
	end_file(file);
}

/* The guess that a window is empty is wrong: the page comes all the same, with the others. */
static void test_a_window_of_a_file_leaves_out_what_is_there(void)
{
	uint64_t file = make_file(64);

	map_at(0, 64, RW, file, 0);
	CHECK_EQUAL(access_page(0, 0), 0);
	write_page(20);
	CHECK_EQUAL(access_page(30, 0), 30000);
	CHECK_EQUAL(machine_entry(space, BASE + 20 * PAGE) & PTE_W, PTE_W);
	CHECK_EQUAL(resident(), 32);
	CHECK_EQUAL(access_page(16, 0), 16000);
	CHECK_EQUAL(machine_faults, 3);
	end_file(file);
}

/* Neither beyond the end of the file, nor of the region, nor of the object's leaf table. */
static void test_a_window_of_a_file_ends_with_all_that_bounds_it(void)
{
	uint64_t file = make_file(530), word;

	map_at(3, 600, MAP_READ, file, 500 * PAGE);
	CHECK_EQUAL(access_page(3, 0), 500000);
	CHECK_EQUAL(present(3), 12); /* pages 500 to 511 */
	CHECK_EQUAL(access_page(15, 0), 512000);
	CHECK_EQUAL(access_page(16, 0), 513000);
	CHECK_EQUAL(access_page(32, 0), 529000);
	CHECK_EQUAL(present(3), 30);
	CHECK_EQUAL(machine_access(space, BASE + 33 * PAGE, 0, &word), REASON_PAST_END);
	machine_check();
	end_file(file);
}

/* A hole may become a page later: it is not guessed. */
static void test_a_file_with_holes_is_looked_at(void)
{
	uint64_t file = make_file(8);
	uint64_t holes =
		machine_system(PAGER_OBJECT_CREATE, 64 * PAGE, 0x656c6f68, 0, 0, 0, 0)->w[0];

	map_at(0, 64, MAP_READ, holes, 0);
	map_at(100, 8, MAP_READ, file, 0);
	for (uint64_t page = 0; page < 40; page++)
		CHECK_EQUAL(access_page(page, 0), 0);
	CHECK_EQUAL(access_page(100, 0), 0);
	CHECK_EQUAL(resident(), 48);
	end_file(file);
	end_file(holes);
}

static const struct check_test tests[] = {
	CHECK_TEST(writes_in_order_bring_more_and_more),
	CHECK_TEST(neighbours_come_without_the_accessed_bit),
	CHECK_TEST(writes_out_of_order_bring_one_page),
	CHECK_TEST(a_window_ends_with_its_region),
	CHECK_TEST(a_window_ends_with_its_table),
	CHECK_TEST(a_window_leaves_out_what_is_there),
	CHECK_TEST(windows_that_are_not_used_shrink),
	CHECK_TEST(windows_that_are_used_stay),
	CHECK_TEST(no_window_when_frames_are_few),
	CHECK_TEST(a_window_of_scattered_frames),
	CHECK_TEST(large_windows_come_whole_at_any_write),
	CHECK_TEST(large_windows_of_scattered_frames_are_one_fault_each),
	CHECK_TEST(large_windows_end_where_the_advice_ends),
	CHECK_TEST(advice_divides_and_joins_regions),
	CHECK_TEST(large_windows_leave_relatives_alone),
	CHECK_TEST(reads_of_a_file_bring_windows_by_one_operation),
	CHECK_TEST(text_of_a_file_can_be_executed),
	CHECK_TEST(a_window_of_a_file_leaves_out_what_is_there),
	CHECK_TEST(a_window_of_a_file_ends_with_all_that_bounds_it),
	CHECK_TEST(a_file_with_holes_is_looked_at),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
