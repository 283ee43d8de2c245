/*
 * What the pager does when the kernel refuses an operation that it should not: every request and fault,
 * with the n-th operation refused, for all n.
 *
 * Frames and tables are the pager's own, so most of its operations cannot be refused, and it does not
 * rely on that: a refusal ends the undertaking with an error, or with the end of the space it was about
 * (which is told to the process server), and never with a wrong page somewhere else.  Here the frame
 * that the n-th operation is about belongs to another pool while that operation runs.
 *
 * The world: TARGET, about which the request is, and its relative OTHER, which shares memory with it.
 * After each trial:
 *
 *	- the kernel's rules hold, and OTHER reads what it has written, and may write
 *	- the pager's rules hold too, but for what a refusal leaves over: frames of an object whose end
 *	  was refused (CHECK_LEAK, or its space stays as DYING, maybe without tables: CHECK_READ), pages
 *	  counted that have gone (CHECK_RESIDENT)
 *	- when nothing is left over and all spaces are gone, all frames are free
 *
 * Usage: pager_refusal [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"

#include "../../servers/pager/check.h"
#include "../../servers/pager/frame_pool.h"
#include "../../servers/pager/space.h"
#include "machine/memory.h"
#include "sim/sim.h"
#include <faultline/fault.h>

#define FRAMES	1024
#define PAGE	4096ull
#define LEAF	(512 * PAGE)
#define BASE	0x40000000ull /* four pages over a leaf table's border, written, shared by both */
#define FILE_AT 0x50000000ull /* of a file, read by none */
#define OWN	0x60000000ull /* written after the fork: TARGET's own */
#define WIDE	0x80000000ull /* three leaf tables, a page written in each */
#define NEW	0xc0000000ull
#define STACK	0x100000000ull /* its end */
#define FIRST	(BASE + LEAF - 2 * PAGE)
#define RW	(MAP_READ | MAP_WRITE)
#define SYSTEM	(BADGE_SYSTEM | 1)

static uint64_t target, other, file, frames_at_start;

/* ---- the world ---- */

static const struct machine_answer *own(
	uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4)
{
	return machine_program(target, label, w0, w1, w2, w3, w4);
}

static const struct machine_answer *ask(uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2)
{
	return machine_system(label, w0, w1, w2, 0, 0, 0);
}

static void map(uint64_t address, uint64_t pages, uint64_t flags, uint64_t object)
{
	CHECK_EQUAL(
		own(PAGER_MMAP, address, pages * PAGE, flags | MAP_NO_REPLACE, object, 0)->status,
		ST_OK);
}

static void write_page(uint64_t space, uint64_t address)
{
	uint64_t word = address + 1;

	CHECK_EQUAL(machine_access(space, address, FAULT_WRITE, &word), REASON_NONE);
}

static const struct machine_answer *send_page(uint32_t label, uint64_t w0, uint64_t w1)
{
	static const uint64_t content[512] = { 1, 2, 3 };

	return machine_call(&(struct machine_request){ .badge = SYSTEM,
		.label = label,
		.w = { w0, w1 },
		.payload = content,
		.bytes = PAGE });
}

static void make_world(void)
{
	machine_start(FRAMES);
	frames_at_start = frame_pool.free;
	file = ask(PAGER_OBJECT_CREATE, 8 * PAGE, 0, 0)->w[0];
	for (uint64_t page = 0; page < 8; page++)
		CHECK_EQUAL(send_page(PAGER_OBJECT_WRITE, file, page * PAGE)->status, ST_OK);
	target = ask(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0)->w[0];
	CHECK_EQUAL(ask(PAGER_SPACE_LIMIT, target, 1 << 20, 0)->status, ST_OK);
	map(FIRST, 4, RW, 0);
	map(WIDE, 3 * 512, RW, 0);
	map(FILE_AT, 8, MAP_READ, file);
	map(STACK - PAGE, 1, RW | MAP_STACK, 0);
	for (uint64_t i = 0; i < 4; i++)
		write_page(target, FIRST + i * PAGE);
	for (uint64_t i = 0; i < 3; i++)
		write_page(target, WIDE + i * LEAF);
	other = ask(PAGER_SPACE_FORK, target, 2000, 0)->w[0];
	map(OWN, 8, RW, 0);
	write_page(target, OWN);
	write_page(target, OWN + PAGE);
	machine_settle();
}

static void check_other(void)
{
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t word = 0;

		CHECK_EQUAL(machine_access(other, FIRST + i * PAGE, 0, &word), REASON_NONE);
		CHECK_EQUAL(word, FIRST + i * PAGE + 1);
		write_page(other, FIRST + i * PAGE);
	}
}

static bool all_is_in_order(void)
{
	uint64_t where;
	uint32_t rule = pager_check(&where);

	sim_check();
	CHECK(rule == CHECK_OK || rule == CHECK_LEAK || rule == CHECK_RESIDENT ||
		rule == CHECK_READ);
	for (const struct space *space = space_first; space; space = space->next)
		if (space->state == SPACE_DYING)
			return false;
	return rule == CHECK_OK;
}

/* ---- a refusal ---- */

static uint32_t refuse_at; /* the n-th operation; 0: none */
static uint32_t spared;	   /* an operation that is never refused */
static uint32_t operations;
static struct frame *lent;
static uint16_t lent_pool;

static void before(const struct op *op)
{
	if (++operations != refuse_at || OP_CODE(op->head) == spared)
		return;
	lent = &sim_frame_table[OP_PFN(op->head)];
	lent_pool = lent->pool;
	lent->pool = 2;
}

static void after(const struct op *op, status_t status)
{
	(void)op;
	if (lent) {
		CHECK(status != ST_OK);
		lent->pool = lent_pool;
	}
	lent = NULL;
}

static void end_world(void)
{
	machine_settle();
	if (!all_is_in_order())
		return;
	while (space_first) {
		CHECK_EQUAL(ask(PAGER_SPACE_DESTROY, space_first->id, 0, 0)->status, ST_OK);
		machine_settle();
	}
	CHECK_EQUAL(ask(PAGER_OBJECT_DESTROY, file, 0, 0)->status, ST_OK);
	machine_settle();
	CHECK(all_is_in_order());
	CHECK_EQUAL(frame_pool.free, frames_at_start);
}

/* Returns how many operations there were. */
static uint32_t trial(void (*action)(void), uint32_t n, bool leaves)
{
	make_world();
	operations = 0;
	refuse_at = n;
	lent = NULL;
	machine_watch.before = before;
	machine_watch.after = after;
	action();
	while (machine_slice())
		;
	machine_watch.before = NULL;
	machine_watch.after = NULL;
	check_other();
	CHECK(all_is_in_order() || (leaves && n != 0));
	end_world();
	return operations;
}

/* leaves: something may be left over. */
static void all_refusals(void (*action)(void), bool leaves)
{
	uint32_t count = trial(action, 0, leaves);

	CHECK(count > 0);
	for (uint32_t n = 1; n <= count; n++)
		trial(action, n, leaves);
}

/* ---- what is done ---- */

#define ACTION(name, leaves, expression)           \
	static void do_##name(void)                \
	{                                          \
		(void)(expression);                \
	}                                          \
	static void test_##name(void)              \
	{                                          \
		all_refusals(do_##name, (leaves)); \
	}

static uint32_t touch(uint64_t address, uint32_t access)
{
	uint64_t word = 5;

	return machine_access(target, address, access, &word);
}

ACTION(read_of_nothing, false, touch(WIDE + PAGE, 0))
ACTION(read_of_nothing_without_tables, false, touch(STACK - PAGE, 0))
ACTION(write_to_nothing, false, touch(OWN + 4 * PAGE, FAULT_WRITE))
ACTION(write_to_nothing_without_tables, false, touch(STACK - PAGE, FAULT_WRITE))
ACTION(write_to_a_shared_page, false, touch(FIRST, FAULT_WRITE))
ACTION(read_of_a_file, false, touch(FILE_AT + 3 * PAGE, 0))
ACTION(growth_of_a_stack, false, touch(STACK - 5 * PAGE, FAULT_WRITE))
ACTION(all_of_the_message_page, false, touch(LAYOUT_MESSAGE, FAULT_WRITE))

/* That the thread is told of its page cannot be refused: the page has just become a MSG frame. */
static void test_message_page(void)
{
	spared = OP_THREAD_SET;
	test_all_of_the_message_page();
	spared = 0;
}

ACTION(mapping_over_pages, false, own(PAGER_MMAP, FIRST + PAGE, 2 * PAGE, RW | MAP_FIXED_AT, 0, 0))
ACTION(mapping_that_is_filled, false,
	own(PAGER_MMAP, NEW + LEAF - 4 * PAGE, 40 * PAGE, RW | MAP_POPULATE | MAP_NO_REPLACE, 0, 0))
ACTION(mapping_of_a_file_that_is_filled, false,
	own(PAGER_MMAP, NEW, 8 * PAGE, MAP_READ | MAP_POPULATE | MAP_NO_REPLACE, file, 0))
ACTION(shared_mapping_that_is_filled, false,
	own(PAGER_MMAP, NEW, 8 * PAGE, RW | MAP_SHARED | MAP_POPULATE | MAP_NO_REPLACE, 0, 0))
ACTION(unmapping_of_one_table, false, own(PAGER_MUNMAP, OWN, PAGE, 0, 0, 0))
ACTION(unmapping_over_tables, true, own(PAGER_MUNMAP, WIDE + 4 * PAGE, 2 * LEAF, 0, 0, 0))
ACTION(unmapping_of_everything, true, own(PAGER_MUNMAP, BASE, NEW - BASE, 0, 0, 0))
ACTION(protection_of_pages, false, own(PAGER_MPROTECT, FIRST + PAGE, 2 * PAGE, MAP_READ, 0, 0))
ACTION(protection_of_tables, false, own(PAGER_MPROTECT, WIDE, 3 * LEAF, MAP_READ, 0, 0))
ACTION(discarding, true, own(PAGER_MADVISE, WIDE + PAGE, 2 * LEAF, ADVICE_DISCARD, 0, 0))
ACTION(moving_of_pages, true,
	own(PAGER_MREMAP, OWN, 8 * PAGE, 16 * PAGE, REMAP_MAY_MOVE | REMAP_FIXED, NEW))
ACTION(moving_of_tables, true,
	own(PAGER_MREMAP, WIDE, 3 * LEAF, 3 * LEAF, REMAP_MAY_MOVE | REMAP_FIXED, NEW))
ACTION(moving_over_pages, true,
	own(PAGER_MREMAP, WIDE, LEAF, LEAF, REMAP_MAY_MOVE | REMAP_FIXED, FIRST - PAGE))
ACTION(maps, false, own(PAGER_MAPS, 0, 0, 0, 0, 0))
ACTION(pages, false, own(PAGER_PAGES, 0, 0, 0, 0, 0))
ACTION(making_of_a_space, false, ask(PAGER_SPACE_CREATE, 3000, CLASS_PROGRAM, 0))
ACTION(fork_of_a_space, false, ask(PAGER_SPACE_FORK, target, 3000, 0))
ACTION(end_of_a_space, true, ask(PAGER_SPACE_DESTROY, target, 0, 0))
ACTION(description, false, ask(PAGER_SPACE_DESCRIBE, target, FIRST, 0))
ACTION(start_of_a_thread, false, ask(PAGER_SPACE_START, target, 0x400000, STACK))
ACTION(interrupt_of_a_thread, false, ask(PAGER_SPACE_INTERRUPT, target, 0, 0))
ACTION(name_of_a_thread, false, ask(PAGER_SPACE_NAME, target, 1, 2))
ACTION(port_of_a_space, false, ask(PAGER_SPACE_PORT, target, 0, 0))
ACTION(writing_from_outside, false, send_page(PAGER_SPACE_WRITE, target, FIRST + 100))
ACTION(reading_from_outside, false, ask(PAGER_SPACE_READ, target, FIRST + 100, PAGE))
ACTION(writing_of_an_object, false, send_page(PAGER_OBJECT_WRITE, file, 4 * PAGE + 8))
ACTION(reading_of_an_object, false, ask(PAGER_OBJECT_READ, file, 100, PAGE))

static const struct check_test tests[] = {
	CHECK_TEST(read_of_nothing),
	CHECK_TEST(read_of_nothing_without_tables),
	CHECK_TEST(write_to_nothing),
	CHECK_TEST(write_to_nothing_without_tables),
	CHECK_TEST(write_to_a_shared_page),
	CHECK_TEST(read_of_a_file),
	CHECK_TEST(growth_of_a_stack),
	CHECK_TEST(message_page),
	CHECK_TEST(mapping_over_pages),
	CHECK_TEST(mapping_that_is_filled),
	CHECK_TEST(mapping_of_a_file_that_is_filled),
	CHECK_TEST(shared_mapping_that_is_filled),
	CHECK_TEST(unmapping_of_one_table),
	CHECK_TEST(unmapping_over_tables),
	CHECK_TEST(unmapping_of_everything),
	CHECK_TEST(protection_of_pages),
	CHECK_TEST(protection_of_tables),
	CHECK_TEST(discarding),
	CHECK_TEST(moving_of_pages),
	CHECK_TEST(moving_of_tables),
	CHECK_TEST(moving_over_pages),
	CHECK_TEST(maps),
	CHECK_TEST(pages),
	CHECK_TEST(making_of_a_space),
	CHECK_TEST(fork_of_a_space),
	CHECK_TEST(end_of_a_space),
	CHECK_TEST(description),
	CHECK_TEST(start_of_a_thread),
	CHECK_TEST(interrupt_of_a_thread),
	CHECK_TEST(name_of_a_thread),
	CHECK_TEST(port_of_a_space),
	CHECK_TEST(writing_from_outside),
	CHECK_TEST(reading_from_outside),
	CHECK_TEST(writing_of_an_object),
	CHECK_TEST(reading_of_an_object),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL, argc, argv);
}
