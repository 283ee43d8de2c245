/*
 * What broke elsewhere in copy-on-write, fork and mapping: one test for each lesson that the pager
 * answers for (docs/lessons.md).
 *
 * The machine's processor keeps every translation until it is flushed, and every table in the
 * caches of upper levels, so a flush that is left out is a wrong value here.  tests/lessons has the
 * rule of each test: removed, it fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include "sim/sim.h"

#include "../../servers/pager/fault.h"
#include "../../servers/pager/object.h"
#include "../../servers/pager/request.h"
#include "pool.h"
#include <machine/memory.h>

#define FRAMES	  4096
#define BASE	  0x10000000ull
#define RW	  (MAP_READ | MAP_WRITE)
#define MEBI	  0x100000ull
#define PAGE(n)	  ((uint64_t)(n)*4096)
#define SECRET	  0x5ec2e75ec2e7ull
#define STACK_TOP LAYOUT_STACK_TOP

static uint64_t badge_next = 1000;

static uint64_t create(void)
{
	const struct machine_answer *answer =
		machine_system(PAGER_SPACE_CREATE, badge_next++, CLASS_PROGRAM, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	return answer->w[0];
}

static uint64_t fork_of(uint64_t parent)
{
	const struct machine_answer *answer =
		machine_system(PAGER_SPACE_FORK, parent, badge_next++, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	return answer->w[0];
}

static void destroy(uint64_t space)
{
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, space, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle();
}

static status_t map_at(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags)
{
	return machine_program(space, PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, 0, 0)
		->status;
}

static status_t unmap(uint64_t space, uint64_t address, uint64_t bytes)
{
	return machine_program(space, PAGER_MUNMAP, address, bytes, 0, 0, 0)->status;
}

static uint32_t write_word(uint64_t space, uint64_t address, uint64_t word)
{
	return machine_access(space, address, FAULT_WRITE, &word);
}

static uint64_t read_word(uint64_t space, uint64_t address)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
	return word;
}

static uint32_t read_reason(uint64_t space, uint64_t address)
{
	uint64_t word;

	return machine_access(space, address, 0, &word);
}

static void fill(uint64_t space, uint64_t address, uint32_t pages, uint64_t word)
{
	for (uint32_t i = 0; i < pages; i++)
		CHECK_EQUAL(write_word(space, address + PAGE(i), word + i), REASON_NONE);
}

static void expect(uint64_t space, uint64_t address, uint32_t pages, uint64_t word)
{
	for (uint32_t i = 0; i < pages; i++)
		CHECK_EQUAL(read_word(space, address + PAGE(i)), word + i);
}

/* A space that takes every frame that is free, and writes a secret into each. */
static uint64_t hoard(uint32_t pages)
{
	uint64_t space = create();

	CHECK_EQUAL(map_at(space, 64 * MEBI, PAGE(pages), RW), ST_OK);
	for (uint32_t i = 0; i < pages; i++)
		CHECK_EQUAL(write_word(space, 64 * MEBI + PAGE(i), SECRET), REASON_NONE);
	return space;
}

static uint64_t make_file(uint64_t word)
{
	const struct machine_answer *answer =
		machine_system(PAGER_OBJECT_CREATE, 4096, 0x656c6966, 0, 0, 0, 0);
	uint64_t content[512];
	struct machine_request request = { .badge = BADGE_SYSTEM,
		.label = PAGER_OBJECT_WRITE,
		.w = { answer->w[0], 0 },
		.payload = content,
		.bytes = 4096 };

	CHECK_EQUAL(answer->status, ST_OK);
	for (uint32_t i = 0; i < 512; i++)
		content[i] = word;
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	return request.w[0];
}

static void map_file(uint64_t space, uint64_t address, uint64_t flags, uint64_t object)
{
	CHECK_EQUAL(
		machine_program(space, PAGER_MMAP, address, 4096, flags | MAP_NO_REPLACE, object, 0)
			->status,
		ST_OK);
}

static void before(void)
{
	machine_start(FRAMES);
}

static void after(void)
{
	machine_settle();
	machine_check();
}

/* CVE-2016-5195: the write was tried again without the intent to write, and reached the file's
 * page. */
static void test_lesson_cve_2016_5195_a_private_write_never_reaches_the_file(void)
{
	uint64_t writer = create(), reader = create(), file = make_file(7);

	map_file(reader, BASE, MAP_READ, file);
	map_file(writer, BASE, RW, file);
	for (uint64_t round = 0; round < 40; round++) {
		CHECK_EQUAL(read_word(writer, BASE), 7); /* the file's own page, read-only */
		CHECK_EQUAL(write_word(writer, BASE, 100 + round), REASON_NONE);
		CHECK_EQUAL(read_word(writer, BASE), 100 + round);
		CHECK_EQUAL(read_word(reader, BASE), 7);
		if (round % 2) {
			CHECK_EQUAL(machine_program(
					    writer, PAGER_MADVISE, BASE, 4096, ADVICE_DISCARD, 0, 0)
					    ->status,
				ST_OK);
		} else {
			CHECK_EQUAL(unmap(writer, BASE, 4096), ST_OK);
			map_file(writer, BASE, RW, file);
		}
		machine_check();
	}
}

/* CVE-2020-29374: the child kept the page by other means than a mapping; the parent, its only
   mapper, wrote in place.  (The hold is taken below a table of the child's own, as whoever holds
   for a reader must: W of an upper level is given back without a look at the pages below.) */
static void test_lesson_cve_2020_29374_who_holds_a_page_keeps_its_contents(void)
{
	uint64_t parent = create(), child;
	pfn_t frame;

	CHECK_EQUAL(map_at(parent, BASE, PAGE(2), RW), ST_OK);
	fill(parent, BASE, 2, 7);
	child = fork_of(parent);
	CHECK_EQUAL(read_word(child, BASE), 7);
	CHECK_EQUAL(write_word(child, BASE + PAGE(1), 1), REASON_NONE);
	frame = pte_pfn(machine_entry(child, BASE));
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_HOLD, 0, frame, 0, 0), 0, 0), ST_OK);
	destroy(child);
	CHECK_EQUAL(write_word(parent, BASE, 8), REASON_NONE);
	CHECK_EQUAL(read_word(parent, BASE), 8);
	CHECK_EQUAL(*(const uint64_t *)frame_memory(frame), 7);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_RELEASE, 0, frame, 0, 0), 0, 0), ST_OK);
}

/* CVE-2021-29626: when one descendant broke the sharing, mappings of others stayed, and outlived
   the frame. */
static void test_lesson_cve_2021_29626_no_descendant_sees_a_reused_frame(void)
{
	uint64_t space[4];

	space[0] = create();
	CHECK_EQUAL(map_at(space[0], BASE, PAGE(32), RW), ST_OK);
	fill(space[0], BASE, 32, 100);
	for (uint32_t i = 1; i < 4; i++) {
		space[i] = fork_of(space[i - 1]);
		expect(space[i], BASE, 32, 100);		 /* each has its translations */
		fill(space[i - 1], BASE + PAGE(i), 1, 1000 * i); /* and each elder writes again */
	}
	for (uint32_t i = 1; i < 4; i++)
		CHECK_EQUAL(read_word(space[3], BASE + PAGE(i)), 100 + i);
	CHECK_EQUAL(read_word(space[0], BASE + PAGE(1)), 1000);
	CHECK_EQUAL(read_word(space[1], BASE + PAGE(1)), 101);
	fill(space[2], BASE, 16, 500);
	destroy(space[0]);
	destroy(space[1]);
	(void)hoard(200);
	expect(space[3], BASE, 32, 100);
	expect(space[2], BASE, 16, 500);
	machine_check();
}

/* CVE-2018-18281: a moved page was still reached at its old address after others had its frame. */
static void test_lesson_cve_2018_18281_a_moved_page_is_gone_from_its_old_place(void)
{
	uint64_t space = create(), moved;
	const struct machine_answer *answer;

	CHECK_EQUAL(map_at(space, BASE, PAGE(4), RW), ST_OK);
	CHECK_EQUAL(map_at(space, BASE + PAGE(4), PAGE(1), MAP_READ), ST_OK); /* it cannot grow */
	CHECK_EQUAL(read_word(space, BASE + PAGE(4)), 0); /* and its table stays in use */
	fill(space, BASE, 4, 10);
	answer = machine_program(space, PAGER_MREMAP, BASE, PAGE(4), PAGE(8), REMAP_MAY_MOVE, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	moved = answer->w[0];
	CHECK(moved != BASE);
	CHECK_EQUAL(write_word(space, BASE, 99), REASON_NO_REGION);
	expect(space, moved, 4, 10);
	CHECK_EQUAL(unmap(space, moved, PAGE(8)), ST_OK);
	(void)hoard(200);
	CHECK_EQUAL(read_reason(space, BASE), REASON_NO_REGION);
	CHECK_EQUAL(read_reason(space, moved), REASON_NO_REGION);
}

/* Linux 3ea277194daa: mprotect found nothing present and promised, while the flush of those who had
   unmapped was still to come. */
static void test_lesson_mprotect_promises_after_the_flush(void)
{
	uint64_t space = create();

	CHECK_EQUAL(map_at(space, BASE, PAGE(8), RW), ST_OK);
	fill(space, BASE, 8, 1);
	CHECK_EQUAL(
		machine_program(space, PAGER_MADVISE, BASE, PAGE(4), ADVICE_DISCARD, 0, 0)->status,
		ST_OK);
	fill(space, BASE + PAGE(4), 4, 5); /* the translations are there again */
	CHECK_EQUAL(machine_program(space, PAGER_MPROTECT, BASE, PAGE(8), MAP_READ, 0, 0)->status,
		ST_OK);
	for (uint32_t i = 0; i < 8; i++)
		CHECK_EQUAL(write_word(space, BASE + PAGE(i), 9), REASON_PROTECTION);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(read_word(space, BASE + PAGE(i)), 0);
	expect(space, BASE + PAGE(4), 4, 5);
}

/* Linux 706a1ea65e: tables were freed while walkers still used them. */
static void test_lesson_tables_are_free_after_the_flush(void)
{
	uint64_t space = create();

	CHECK_EQUAL(map_at(space, 1024 * MEBI, 8 * MEBI, RW), ST_OK);
	for (uint32_t i = 0; i < 4; i++)
		fill(space, 1024 * MEBI + 2 * MEBI * i, 3, 40);
	CHECK_EQUAL(unmap(space, 1024 * MEBI, 8 * MEBI), ST_OK);
	machine_settle();
	(void)hoard(400); /* what was a table or a page is a page with a secret now */
	for (uint32_t i = 0; i < 12; i++) {
		uint64_t address = 1024 * MEBI + 2 * MEBI * (i / 3) + PAGE(i % 3);

		CHECK_EQUAL(read_reason(space, address), REASON_NO_REGION);
		CHECK_EQUAL(write_word(space, address, 1), REASON_NO_REGION);
	}
}

/* StackRot, CVE-2023-3269: growing a stack changed the tree of regions that others were walking. */
static void test_lesson_cve_2023_3269_growing_a_stack_is_a_change_of_structure(void)
{
	uint64_t parent = create(), child, third;

	CHECK_EQUAL(map_at(parent, STACK_TOP - PAGE(4), PAGE(4), RW | MAP_STACK), ST_OK);
	for (uint32_t i = 0; i < 40; i++) /* a tree of some height, shared from here on */
		CHECK_EQUAL(
			map_at(parent, BASE + PAGE(3 * i), PAGE(1), i % 2 ? RW : MAP_READ), ST_OK);
	CHECK_EQUAL(write_word(parent, STACK_TOP - 8, 1), REASON_NONE);
	child = fork_of(parent);
	CHECK_EQUAL(write_word(child, STACK_TOP - PAGE(40), 2), REASON_NONE);
	third = fork_of(child);
	/* Where the child's stack is now, the parent has room, and the third, forked after, has
	 * not. */
	CHECK_EQUAL(map_at(parent, STACK_TOP - PAGE(40), PAGE(1), RW), ST_OK);
	CHECK_EQUAL(map_at(third, STACK_TOP - PAGE(40), PAGE(1), RW), ST_EXISTS);
	CHECK_EQUAL(read_word(child, STACK_TOP - PAGE(40)), 2);
	CHECK_EQUAL(read_word(parent, STACK_TOP - PAGE(40)), 0);
	CHECK_EQUAL(write_word(parent, STACK_TOP - PAGE(20), 1), REASON_GUARD);
	machine_check();
}

/* Stack Clash: one guard page below a stack could be jumped over by a large frame. */
static void test_lesson_a_large_frame_does_not_jump_over_the_gap(void)
{
	uint64_t space = create(), below = STACK_TOP - 4 * MEBI;

	CHECK_EQUAL(map_at(space, STACK_TOP - PAGE(4), PAGE(4), RW | MAP_STACK), ST_OK);
	CHECK_EQUAL(map_at(space, below - MEBI, MEBI, RW), ST_OK);
	CHECK_EQUAL(write_word(space, below + LAYOUT_STACK_GAP, 1),
		REASON_NONE); /* grown to the limit */
	for (uint64_t frame = 4096; frame < LAYOUT_STACK_GAP; frame += 4096)
		CHECK_EQUAL(write_word(space, below + LAYOUT_STACK_GAP - frame, 1), REASON_GUARD);
	CHECK_EQUAL(read_word(space, below - 8), 0); /* nobody has written there */
}

static const struct check_test tests[] = {
	CHECK_TEST(lesson_cve_2016_5195_a_private_write_never_reaches_the_file),
	CHECK_TEST(lesson_cve_2020_29374_who_holds_a_page_keeps_its_contents),
	CHECK_TEST(lesson_cve_2021_29626_no_descendant_sees_a_reused_frame),
	CHECK_TEST(lesson_cve_2018_18281_a_moved_page_is_gone_from_its_old_place),
	CHECK_TEST(lesson_mprotect_promises_after_the_flush),
	CHECK_TEST(lesson_tables_are_free_after_the_flush),
	CHECK_TEST(lesson_cve_2023_3269_growing_a_stack_is_a_change_of_structure),
	CHECK_TEST(lesson_a_large_frame_does_not_jump_over_the_gap),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
