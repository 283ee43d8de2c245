/*
 * Tests of large pages: 2 MiB that come by one fault, and everything that touches a part of them.
 *
 * Each test starts with a machine of 64 MiB and a pager without spaces, and ends with all spaces
 * destroyed and every frame back.  All rules are checked behind each step.  The random histories
 * compare each page with a plain table of values, on processors that forget no translation by themselves.
 *
 * Usage: pager_large [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include "machine/memory.h"
#include "sim/processor.h"
#include <faultline/frame.h>

#include "../../servers/pager/blocks.h"
#include "../../servers/pager/fault.h"
#include "../../servers/pager/gather.h"
#include "../../servers/pager/mmu.h"
#include "../../servers/pager/space.h"

#define FRAMES 16384u
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define TABLE  512u /* pages of a large one */

static uint64_t space, frames_at_start;
static uint64_t idle_token; /* of the idle thread's call that waits; 0: none does */

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static uint64_t at(uint64_t page)
{
	return BASE + page * PAGE;
}

static status_t ask(uint64_t who, uint32_t label, uint64_t page, uint64_t pages, uint64_t w2, uint64_t w3,
	uint64_t w4)
{
	status_t status = machine_program(who, label, at(page), pages * PAGE, w2, w3, w4)->status;

	machine_check();
	return status;
}

static void advise(uint64_t page, uint64_t pages, uint64_t advice)
{
	CHECK_EQUAL(ask(space, PAGER_MADVISE, page, pages, advice, 0, 0), ST_OK);
}

/* Memory for large pages. */
static void map_large(uint64_t pages)
{
	CHECK_EQUAL(ask(space, PAGER_MMAP, 0, pages, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
	advise(0, pages, ADVICE_LARGE);
}

static uint32_t write_as(uint64_t who, uint64_t page, uint64_t word)
{
	uint32_t reason = machine_access(who, at(page), FAULT_WRITE, &word);

	machine_check();
	return reason;
}

static void write_page(uint64_t who, uint64_t page, uint64_t word)
{
	CHECK_EQUAL(write_as(who, page, word), REASON_NONE);
}

static uint64_t read_page(uint64_t who, uint64_t page)
{
	uint64_t word = UINT64_MAX;

	CHECK_EQUAL(machine_access(who, at(page), 0, &word), REASON_NONE);
	machine_check();
	return word;
}

static uint64_t fork_of(uint64_t who)
{
	const struct machine_answer *answer = machine_system(PAGER_SPACE_FORK, who, 2000, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	machine_check();
	return answer->w[0];
}

static void destroy(uint64_t who)
{
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, who, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle();
	machine_check();
}

static uint64_t resident(uint64_t who)
{
	return space_find(who)->resident;
}

/* Is the page a part of a large one? */
static bool is_large(uint64_t who, uint64_t page)
{
	pfn_t pfn = pte_pfn(machine_entry(who, at(page)));

	return pfn != 0 && mmu_frame(pfn)->flags & FRAME_BLOCK && mmu_frame(pfn)->refs == 0;
}

static void before(void)
{
	machine_awaited = false;
	idle_token = 0;
	machine_start(FRAMES);
	frames_at_start = stats().frames_free;
	space = machine_system(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0, 0, 0, 0)->w[0];
}

static void after(void)
{
	machine_awaited = false;
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0, 0, 0);
	if (space != 0)
		destroy(space);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

/* ---- the first touch ---- */

static void test_first_write_brings_two_megabytes(void)
{
	map_large(2 * TABLE);
	write_page(space, 100, 7);
	CHECK_EQUAL(resident(space), TABLE);
	CHECK(is_large(space, 0) && is_large(space, TABLE - 1) && !is_large(space, TABLE));
	for (uint64_t page = 0; page < TABLE; page++)
		CHECK_EQUAL(read_page(space, page), page == 100 ? 7 : 0);
	write_page(space, 101, 8);
	CHECK_EQUAL(machine_faults, 1);
	write_page(space, 2 * TABLE - 1, 9);
	CHECK_EQUAL(machine_faults, 2);
	CHECK_EQUAL(resident(space), 2 * TABLE);
}

static void test_a_block_that_was_used_is_cleared(void)
{
	pfn_t head;

	for (uint32_t round = 0; round < 2; round++) {
		map_large(TABLE);
		write_page(space, 0, 1);
		for (uint64_t page = 0; page < TABLE; page++) {
			CHECK_EQUAL(read_page(space, page), page == 0 ? 1 : 0);
			write_page(space, page, page + 5);
		}
		if (round == 1)
			CHECK_EQUAL(pte_pfn(machine_entry(space, at(0))), head);
		head = pte_pfn(machine_entry(space, at(0)));
		CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, TABLE, 0, 0, 0), ST_OK);
		machine_settle();
	}
}

static void test_the_region_must_hold_it_all(void)
{
	map_large(2 * TABLE - 1);
	write_page(space, TABLE, 1);
	CHECK(!is_large(space, TABLE));
	write_page(space, 5, 1);
	CHECK(is_large(space, 5));
	advise(0, 2 * TABLE - 1, ADVICE_SMALL);
	CHECK(is_large(space, 5));
}

/* All blocks are given to the queue. */
static void break_blocks(void)
{
	uint64_t low = blocks.low;

	while (blocks.count != 0) {
		blocks.low = frame_pool.free + 1;
		blocks_refill();
	}
	blocks.low = low;
}

static void test_without_blocks_pages_are_small(void)
{
	break_blocks();
	map_large(TABLE);
	write_page(space, 0, 1);
	CHECK(!is_large(space, 0));
	write_page(space, 64, 1);
	CHECK_EQUAL(resident(space), 65);
	machine_check();
}

static void test_blocks_help_out_when_frames_are_few(void)
{
	uint64_t blocks_before = blocks.count, reserve = frame_pool.reserve[FRAMES_SERVER];

	CHECK(blocks_before > 8);
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, frame_pool.free - reserve, 0, 0, 0, 0);
	map_large(TABLE);
	write_page(space, 0, 1);
	CHECK(blocks.count < blocks_before);
	machine_check();
}

/* Somebody waits: the fault is cured slice by slice. */
static struct machine_access begin_slowly(uint64_t page)
{
	struct machine_access write = {
		.space = space, .address = at(page), .access = FAULT_WRITE, .word = 3
	};

	machine_awaited = true;
	CHECK_EQUAL(machine_try(&write), MACHINE_WAITS);
	machine_check();
	return write;
}

static void test_others_are_served_between_slices(void)
{
	struct machine_access write;
	uint32_t label = 99, slices = 0;
	uint64_t word;

	map_large(TABLE);
	write = begin_slowly(9);
	CHECK(machine_is_busy(space));
	CHECK_EQUAL(machine_program(space, PAGER_MUNMAP, at(0), PAGE, 0, 0, 0)->status, ST_AGAIN);
	while (!machine_take_late(write.token, &label, &word)) {
		CHECK(machine_slice());
		machine_check();
		slices++;
	}
	CHECK(slices == 7 && label == FAULT_RESUME);
	CHECK(is_large(space, 9) && resident(space) == TABLE);
	CHECK_EQUAL(read_page(space, 9), 0);
}

static void test_a_space_that_ends_meanwhile_gives_the_block_back(void)
{
	uint64_t count;

	map_large(TABLE);
	count = blocks.count;
	(void)begin_slowly(9);
	CHECK(machine_slice());
	CHECK_EQUAL(blocks.count, count - 1);
	destroy(space);
	space = 0;
	CHECK_EQUAL(blocks.count, count);
}

static void test_a_cure_for_a_thread_that_is_gone_is_taken_back(void)
{
	struct machine_access write = {
		.space = space, .address = at(5), .access = FAULT_WRITE, .word = 3, .lost = true
	};
	uint64_t count;

	map_large(TABLE);
	count = blocks.count;
	CHECK_EQUAL(machine_try(&write), MACHINE_WAITS);
	machine_check();
	CHECK_EQUAL(blocks.count, count);
	CHECK_EQUAL(resident(space), 0);
	write_page(space, 5, 1);
	CHECK(is_large(space, 5));
}

/* ---- a part of it ---- */

static void fill_large(uint64_t pages)
{
	map_large(pages);
	for (uint64_t page = 0; page < pages; page++)
		write_page(space, page, page + 1);
	CHECK(is_large(space, 0));
}

static void test_unmapping_a_part(void)
{
	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MUNMAP, 100, 50, 0, 0, 0), ST_OK);
	CHECK_EQUAL(resident(space), TABLE - 50);
	for (uint64_t page = 0; page < TABLE; page++)
		if (page < 100 || page >= 150)
			CHECK_EQUAL(read_page(space, page), page + 1);
	CHECK_EQUAL(write_as(space, 120, 1), REASON_NO_REGION);
	write_page(space, 99, 77);
	CHECK_EQUAL(machine_faults, 2);
}

static void test_unmapping_all_gives_the_block_back(void)
{
	uint64_t count = blocks.count;

	fill_large(2 * TABLE);
	CHECK_EQUAL(blocks.count, count - 2);
	CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, 2 * TABLE, 0, 0, 0), ST_OK);
	machine_settle();
	CHECK_EQUAL(blocks.count, count);
	CHECK_EQUAL(resident(space), 0);
}

static void test_protecting_a_part(void)
{
	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 10, 5, MAP_READ, 0, 0), ST_OK);
	CHECK(!is_large(space, 0));
	CHECK_EQUAL(write_as(space, 12, 1), REASON_PROTECTION);
	CHECK_EQUAL(read_page(space, 12), 13);
	write_page(space, 9, 5);
	write_page(space, 15, 5);
	CHECK_EQUAL(resident(space), TABLE);
}

static void test_protecting_all_keeps_it_large(void)
{
	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, TABLE, 0, 0, 0), ST_OK);
	CHECK_EQUAL(write_as(space, 12, 1), REASON_PROTECTION);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, TABLE, RW, 0, 0), ST_OK);
	CHECK_EQUAL(read_page(space, 12), 13);
	write_page(space, 12, 14);
	CHECK(is_large(space, 12));
	write_page(space, 13, 15);
	CHECK_EQUAL(read_page(space, 13), 15);
	CHECK_EQUAL(machine_faults, 4);
}

/* Rights that came to a part are given to that part alone. */
static void test_rights_for_a_part(void)
{
	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, TABLE, 0, 0, 0), ST_OK);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, 256, MAP_READ, 0, 0), ST_OK);
	CHECK_EQUAL(read_page(space, 12), 13);
	CHECK_EQUAL(write_as(space, 12, 1), REASON_PROTECTION);
	CHECK_EQUAL(write_as(space, 300, 1), REASON_PROTECTION);
}

static void test_discarding_a_part(void)
{
	fill_large(TABLE);
	advise(64, 64, ADVICE_DISCARD);
	CHECK_EQUAL(resident(space), TABLE - 64);
	CHECK_EQUAL(read_page(space, 63), 64);
	CHECK_EQUAL(read_page(space, 64), 0);
	CHECK_EQUAL(read_page(space, 128), 129);
}

static void test_moving_all_and_a_part(void)
{
	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MREMAP, 0, TABLE, TABLE * PAGE, REMAP_MAY_MOVE | REMAP_FIXED, at(4 * TABLE)),
		ST_OK);
	machine_settle();
	CHECK(is_large(space, 4 * TABLE));
	CHECK_EQUAL(read_page(space, 4 * TABLE + 3), 4);
	CHECK_EQUAL(ask(space, PAGER_MREMAP, 4 * TABLE + 8, 16, 16 * PAGE, REMAP_MAY_MOVE | REMAP_FIXED,
			    at(TABLE + 1)),
		ST_OK);
	machine_settle();
	machine_check();
	for (uint64_t page = 0; page < 16; page++)
		CHECK_EQUAL(read_page(space, TABLE + 1 + page), page + 9);
	CHECK_EQUAL(read_page(space, 4 * TABLE + 7), 8);
	CHECK_EQUAL(write_as(space, 4 * TABLE + 8, 1), REASON_NO_REGION);
	CHECK_EQUAL(resident(space), TABLE);
}

static void test_moving_into_a_part(void)
{
	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MMAP, TABLE, 8, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
	write_page(space, TABLE + 2, 55);
	CHECK_EQUAL(ask(space, PAGER_MREMAP, TABLE, 8, 8 * PAGE, REMAP_MAY_MOVE | REMAP_FIXED, at(40)), ST_OK);
	machine_settle();
	machine_check();
	CHECK_EQUAL(read_page(space, 39), 40);
	CHECK_EQUAL(read_page(space, 42), 55);
	CHECK_EQUAL(read_page(space, 40), 0);
	CHECK_EQUAL(read_page(space, 48), 49);
}

static void test_system_servers_write_and_read_it(void)
{
	uint64_t word = 4711;
	struct machine_request request = {
		.badge = BADGE_SYSTEM | 1,
		.label = PAGER_SPACE_WRITE,
		.w = { space, at(30) },
		.payload = &word,
		.bytes = sizeof(word),
	};

	fill_large(TABLE);
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	CHECK_EQUAL(read_page(space, 30), 4711);
	memcpy(&word, machine_system(PAGER_SPACE_READ, space, at(31), 8, 0, 0, 0)->payload, 8);
	CHECK_EQUAL(word, 32);
	CHECK(is_large(space, 30));
}

/* Small pages from page 0 on: written before they are advised, each with its number + 1. */
static void map_small(uint64_t mapped, uint64_t written)
{
	CHECK_EQUAL(ask(space, PAGER_MMAP, 0, mapped, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
	for (uint64_t page = written; page-- > 0;) /* from above: no windows */
		CHECK_EQUAL(machine_access(space, at(page), FAULT_WRITE, &(uint64_t){ page + 1 }), REASON_NONE);
	machine_check();
}

/* ---- blocks are formed again ---- */

/* One call of the idle thread's.  False: it waits. */
static bool idle_step(void)
{
	static const struct machine_request request = { .badge = BADGE_SYSTEM, .label = PAGER_IDLE };
	const struct machine_answer *answer;
	uint32_t label;
	uint64_t word;

	if (idle_token != 0 && !machine_take_late(idle_token, &label, &word))
		return false;
	idle_token = machine_send(&request, &answer);
	machine_check();
	return idle_token == 0;
}

static void idle(void)
{
	while (idle_step())
		continue;
}

static void test_idle_time_forms_blocks_again(void)
{
	break_blocks();
	idle();
	CHECK(blocks.count >= frame_pool.free / 5 / TABLE);
	CHECK_EQUAL(gather.aside, 0);
	fill_large(4 * TABLE);
	for (uint64_t page = 0; page < 4 * TABLE; page++)
		CHECK_EQUAL(read_page(space, page), page + 1);
}

static uint32_t clearings;

static void count_clearings(const struct op *op)
{
	clearings += OP_CODE(op->head) == OP_ZERO ? 1 : 0;
}

/* Then a first write finds zeros that nobody has to wait for. */
static void test_idle_time_clears_some_blocks(void)
{
	uint64_t clean;

	fill_large(4 * TABLE);
	CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, 4 * TABLE, 0, 0, 0), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().blocks_clean, 0);
	idle();
	clean = stats().blocks_clean;
	CHECK_EQUAL(clean, blocks.count / 4);
	map_large(5 * TABLE);
	clearings = 0;
	machine_watch.before = count_clearings;
	for (uint64_t page = 0; page < clean && page < 5; page++)
		write_page(space, page * TABLE + 7, 1);
	machine_watch.before = NULL;
	CHECK_EQUAL(clearings, 0);
	CHECK(is_large(space, 0));
	for (uint64_t page = 0; page < TABLE; page++)
		CHECK_EQUAL(read_page(space, page), page == 7);
	machine_settle(); /* the call that waits is answered */
	idle();
	CHECK_EQUAL(stats().blocks_clean, blocks.count / 4);
}

/* Those are left to first touches, as long as there are others; and one that was begun is not taken for clean. */
static void test_promotion_takes_a_block_that_is_not_clean(void)
{
	uint64_t clean;

	while (blocks.cleared == 0)
		CHECK(idle_step());
	map_small(TABLE, 100);
	advise(0, TABLE, ADVICE_LARGE);
	idle();
	clean = stats().blocks_clean;
	write_page(space, 200, 201);
	CHECK(is_large(space, 0));
	CHECK_EQUAL(stats().blocks_clean, clean);
	for (uint64_t page = 0; page < TABLE; page++)
		CHECK_EQUAL(read_page(space, page), page < 100 || page == 200 ? page + 1 : 0);
}

static void test_clean_blocks_are_memory_as_any_other(void)
{
	idle();
	CHECK(stats().blocks_clean > 0);
	break_blocks();
	CHECK(blocks.count == 0 && stats().blocks_clean == 0);
	machine_check();
}

/* The idle thread waits, and no frame is cleared: whoever lacks a block has it woken. */
static void test_who_wants_a_block_wakes_the_idle_thread(void)
{
	uint32_t label;
	uint64_t word;

	break_blocks();
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, frame_pool.free, 0, 0, 0, 0);
	idle(); /* memory is short: no blocks */
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0, 0, 0);
	CHECK(blocks.count == 0 && !idle_step());
	map_large(TABLE);
	write_page(space, 0, 1);
	CHECK(!is_large(space, 0));
	machine_settle();
	CHECK(machine_take_late(idle_token, &label, &word) && label == ST_OK);
	idle_token = 0;
	idle();
	CHECK(blocks.count > 0);
	write_page(space, 300, 1);
	CHECK(is_large(space, 0));
}

/* Frames are used here and there: blocks are formed of what is whole, and the others are as free as before. */
static void test_only_whole_blocks_are_formed(void)
{
	uint64_t free, other = machine_system(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0, 0, 0, 0)->w[0];

	break_blocks();
	CHECK_EQUAL(ask(space, PAGER_MMAP, 0, 20 * TABLE, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
	CHECK_EQUAL(ask(other, PAGER_MMAP, 0, 20 * TABLE, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
	for (uint64_t page = 0; page < 20 * TABLE; page++) {
		uint64_t word = page;

		CHECK_EQUAL(machine_access(page % 700 == 0 ? other : space, at(page), FAULT_WRITE, &word), REASON_NONE);
	}
	CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, 20 * TABLE, 0, 0, 0), ST_OK);
	machine_settle();
	free = stats().frames_free;
	idle();
	CHECK(blocks.count > 0);
	CHECK_EQUAL(stats().frames_free, free);
	destroy(other);
}

/* Whoever needs memory has what is aside. */
static void test_gathered_frames_go_back_when_memory_is_short(void)
{
	uint64_t free;

	break_blocks();
	free = stats().frames_free;
	while (gather.aside < 2 * TABLE)
		CHECK(idle_step());
	CHECK_EQUAL(stats().frames_free, free);
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, free, 0, 0, 0, 0);
	for (uint32_t n = 0; n < 20; n++) {
		machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0);
		machine_check();
	}
	CHECK(gather.aside == 0 && blocks.count == 0);
	CHECK_EQUAL(stats().frames_free, free);
	idle();
	CHECK_EQUAL(blocks.count, 0);
}

/* ---- promotion ---- */

static void check_pages(uint64_t who, uint64_t pages, uint64_t written)
{
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t word = UINT64_MAX;

		CHECK_EQUAL(machine_access(who, at(page), 0, &word), REASON_NONE);
		CHECK_EQUAL(word, page < written ? page + 1 : 0);
	}
	machine_check();
}

static void test_pages_that_are_there_are_promoted_by_the_next_first_write(void)
{
	uint64_t free = stats().frames_free;

	map_small(TABLE, TABLE / 2);
	advise(0, TABLE, ADVICE_LARGE);
	CHECK(!is_large(space, 0) && resident(space) == TABLE / 2);
	machine_faults = 0;
	write_page(space, 300, 301);
	CHECK_EQUAL(machine_faults, 1);
	CHECK(is_large(space, 0) && is_large(space, TABLE - 1));
	CHECK_EQUAL(resident(space), TABLE);
	CHECK_EQUAL(stats().promotions, 1);
	for (uint64_t page = 0; page < TABLE; page++)
		CHECK_EQUAL(read_page(space, page), page < TABLE / 2 || page == 300 ? page + 1 : 0);
	CHECK_EQUAL(machine_faults, 1);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().frames_free, free - TABLE - 2); /* two tables above it, no leaf table */
}

static void test_what_was_read_is_zeros_in_a_promoted_page(void)
{
	map_large(TABLE);
	CHECK_EQUAL(read_page(space, 3), 0);
	CHECK_EQUAL(resident(space), 1);
	write_page(space, 4, 5);
	CHECK(is_large(space, 3) && resident(space) == TABLE);
	for (uint64_t page = 0; page < TABLE; page++)
		CHECK_EQUAL(read_page(space, page), page == 4 ? 5 : 0);
	write_page(space, 3, 4);
	CHECK_EQUAL(machine_faults, 2);
}

static void test_a_fault_copies_no_more_than_it_brings(void)
{
	map_small(TABLE, TABLE / 2 + 1);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, 1, MAP_READ, 0, 0), ST_OK); /* advice alone changes nothing */
	advise(0, TABLE, ADVICE_LARGE);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, 1, RW, 0, 0), ST_OK);
	write_page(space, 400, 401);
	CHECK(!is_large(space, 0));
	CHECK_EQUAL(stats().promotions, 0);
}

static void test_advice_promotes_what_is_mostly_there(void)
{
	map_small(3 * TABLE, 2 * TABLE - 100);
	machine_faults = 0;
	advise(0, 3 * TABLE, ADVICE_LARGE);
	CHECK(is_large(space, 0) && is_large(space, TABLE));
	CHECK_EQUAL(resident(space), 2 * TABLE);
	check_pages(space, 2 * TABLE, 2 * TABLE - 100);
	CHECK_EQUAL(machine_faults, 0);
	CHECK_EQUAL(stats().promotions, 2);
	advise(0, 3 * TABLE, ADVICE_LARGE);
	CHECK_EQUAL(stats().promotions, 2);
}

static void test_advice_leaves_alone_what_is_not_suitable(void)
{
	map_small(3 * TABLE - 1, 3 * TABLE - 1);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, TABLE + 5, 1, MAP_READ, 0, 0), ST_OK);
	advise(1, 3 * TABLE - 2, ADVICE_LARGE);
	CHECK(!is_large(space, 0) && !is_large(space, TABLE) && !is_large(space, 2 * TABLE));
	advise(0, 3 * TABLE - 1, ADVICE_LARGE);
	CHECK(is_large(space, 0) && !is_large(space, TABLE) && !is_large(space, 2 * TABLE));
	check_pages(space, 3 * TABLE - 1, 3 * TABLE - 1);
	CHECK_EQUAL(write_as(space, TABLE + 5, 1), REASON_PROTECTION);
}

static void test_advice_for_a_range_without_tables_ends_at_once(void)
{
	CHECK_EQUAL(ask(space, PAGER_MMAP, 0, 1ull << 26, RW | MAP_NO_REPLACE | MAP_NO_RESERVE, 0, 0), ST_OK);
	machine_operations = 0;
	advise(0, 1ull << 26, ADVICE_LARGE);
	CHECK(machine_operations < 20);
}

static void test_collapse_makes_all_of_a_range_large(void)
{
	map_small(4 * TABLE, 700);
	advise(5, 4 * TABLE - 5, ADVICE_COLLAPSE);
	CHECK(!is_large(space, 0));
	CHECK(is_large(space, TABLE) && is_large(space, 2 * TABLE) && is_large(space, 4 * TABLE - 1));
	check_pages(space, 4 * TABLE, 700);
	CHECK_EQUAL(resident(space), 4 * TABLE); /* the first have been read now */
	advise(0, 4 * TABLE, ADVICE_COLLAPSE);
	CHECK(is_large(space, 0));
	check_pages(space, 4 * TABLE, 700);
	advise(0, 4 * TABLE, ADVICE_COLLAPSE); /* they are large already */
}

/* A mapping of which no page was ever asked for goes without a look at its tables: this one is no such. */
static void test_what_was_collapsed_or_filled_is_unmapped(void)
{
	static const uint8_t advices[] = { ADVICE_COLLAPSE, ADVICE_POPULATE };

	for (uint32_t i = 0; i < 2; i++) {
		CHECK_EQUAL(ask(space, PAGER_MMAP, 0, 2 * TABLE, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
		if (i == 1)
			advise(0, 2 * TABLE, ADVICE_LARGE);
		advise(0, 2 * TABLE, advices[i]);
		CHECK_EQUAL(resident(space), 2 * TABLE);
		CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, 2 * TABLE, 0, 0, 0), ST_OK);
		CHECK_EQUAL(resident(space), 0);
		machine_settle();
		machine_check();
		CHECK_EQUAL(machine_entry(space, at(5)), 0);
	}
}

static status_t collapse(uint64_t page, uint64_t pages)
{
	return ask(space, PAGER_MADVISE, page, pages, ADVICE_COLLAPSE, 0, 0);
}

static void test_collapse_says_why_not(void)
{
	uint64_t most;

	map_small(2 * TABLE, 3);
	CHECK_EQUAL(collapse(1, TABLE), ST_BAD_ARGUMENT); /* no aligned part */
	CHECK_EQUAL(collapse(TABLE, TABLE + 1), ST_NOT_FOUND);
	CHECK_EQUAL(ask(space, PAGER_MPROTECT, 0, 2 * TABLE, MAP_READ, 0, 0), ST_OK);
	CHECK_EQUAL(collapse(0, TABLE), ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(space, PAGER_MMAP, 2 * TABLE, TABLE, RW | MAP_SHARED | MAP_NO_REPLACE, 0, 0), ST_OK);
	CHECK_EQUAL(collapse(2 * TABLE, TABLE), ST_BAD_ARGUMENT);
	most = blocks.count + 2;
	CHECK_EQUAL(ask(space, PAGER_MMAP, 4 * TABLE, most * TABLE, RW | MAP_NO_REPLACE | MAP_NO_RESERVE, 0, 0),
		ST_OK);
	CHECK_EQUAL(collapse(4 * TABLE, most * TABLE), ST_NO_MEMORY);
	CHECK(is_large(space, 4 * TABLE) && resident(space) > TABLE);
}

static void test_populating_makes_large_pages_where_advised(void)
{
	map_small(4 * TABLE, 1);
	advise(0, 3 * TABLE, ADVICE_LARGE);
	advise(0, 4 * TABLE, ADVICE_POPULATE);
	CHECK(is_large(space, 0) && is_large(space, TABLE) && is_large(space, 2 * TABLE));
	CHECK(!is_large(space, 3 * TABLE));
	CHECK_EQUAL(resident(space), 4 * TABLE);
	check_pages(space, 4 * TABLE, 1);
}

static void test_a_promotion_is_done_in_slices(void)
{
	struct machine_access write;
	uint32_t label = 99, slices = 0;
	uint64_t word;

	map_small(TABLE, 100);
	advise(0, TABLE, ADVICE_LARGE);
	write = begin_slowly(200);
	CHECK(machine_is_busy(space));
	while (!machine_take_late(write.token, &label, &word)) {
		CHECK(machine_slice());
		machine_check();
		slices++;
	}
	CHECK(slices == 15 && label == FAULT_RESUME);
	CHECK(is_large(space, 200));
	check_pages(space, TABLE, 100);
}

static void test_a_space_that_ends_in_a_promotion_keeps_nothing(void)
{
	uint64_t count = blocks.count;

	map_small(TABLE, 100);
	advise(0, TABLE, ADVICE_LARGE);
	(void)begin_slowly(200);
	CHECK(machine_slice());
	CHECK_EQUAL(blocks.count, count - 1);
	destroy(space);
	space = 0;
	CHECK_EQUAL(blocks.count, count);
}

/* The fault has a small page, at once or as a job. */
static void test_a_page_that_is_held_is_not_moved(void)
{
	for (uint32_t slowly = 0; slowly < 2; slowly++) {
		uint64_t count = blocks.count;
		struct frame *held;

		map_small(TABLE, 200);
		advise(0, TABLE, ADVICE_LARGE);
		held = &sim_frame_table[pte_pfn(machine_entry(space, at(150)))];
		held->holds++;
		machine_awaited = slowly;
		write_page(space, 300, 301);
		CHECK(!is_large(space, 300) && resident(space) < TABLE);
		CHECK_EQUAL(collapse(0, TABLE), ST_BUSY);
		CHECK_EQUAL(blocks.count, count);
		held->holds--;
		check_pages(space, 200, 200);
		CHECK_EQUAL(read_page(space, 300), 301);
		CHECK_EQUAL(collapse(0, TABLE), ST_OK);
		check_pages(space, 200, 200);
		CHECK_EQUAL(read_page(space, 300), 301);
		CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, TABLE, 0, 0, 0), ST_OK);
		machine_settle();
		machine_awaited = false;
	}
}

static void test_pages_shared_with_relatives_are_promoted_apart(void)
{
	uint64_t child;

	map_small(2 * TABLE, TABLE + 100);
	child = fork_of(space);
	advise(0, 2 * TABLE, ADVICE_LARGE);
	CHECK(is_large(space, 0) && !is_large(child, 0));
	write_page(space, TABLE + 200, 1);
	CHECK(is_large(space, TABLE) && !is_large(child, TABLE));
	for (uint64_t page = 0; page < TABLE + 100; page++)
		write_page(space, page, 5000 + page);
	check_pages(child, 2 * TABLE, TABLE + 100);
	for (uint64_t page = 0; page < TABLE + 100; page++) {
		write_page(child, page, 9000 + page);
		CHECK_EQUAL(read_page(space, page), 5000 + page);
	}
	destroy(child);
}

static void test_populating_leaves_it_as_it_is(void)
{
	fill_large(TABLE);
	advise(0, TABLE, ADVICE_POPULATE);
	machine_settle();
	CHECK(is_large(space, 30) && resident(space) == TABLE);
}

/* ---- fork ---- */

static void test_fork_shares_it_until_a_write(void)
{
	uint64_t child;

	fill_large(TABLE);
	child = fork_of(space);
	CHECK_EQUAL(read_page(child, 8), 9);
	CHECK(is_large(child, 8));
	write_page(child, 8, 80);
	CHECK(is_large(space, 8) && !is_large(child, 8));
	CHECK_EQUAL(read_page(space, 8), 9);
	CHECK_EQUAL(read_page(child, 9), 10);
	write_page(space, 9, 90); /* splits, too, and that was the last */
	CHECK_EQUAL(read_page(child, 9), 10);
	CHECK_EQUAL(read_page(space, 9), 90);
	for (uint64_t page = 0; page < TABLE; page++) {
		write_page(space, page, 1000 + page);
		write_page(child, page, 2000 + page);
	}
	for (uint64_t page = 0; page < TABLE; page++) {
		CHECK_EQUAL(read_page(space, page), 1000 + page);
		CHECK_EQUAL(read_page(child, page), 2000 + page);
	}
	CHECK(resident(space) == TABLE && resident(child) == TABLE);
	destroy(child);
}

static void test_the_last_owner_takes_it_back_whole(void)
{
	uint64_t child, copies;

	fill_large(TABLE);
	CHECK_EQUAL(ask(space, PAGER_MMAP, 2 * TABLE, 1, RW | MAP_NO_REPLACE, 0, 0), ST_OK);
	child = fork_of(space);
	write_page(child, 2 * TABLE, 1); /* splits the tables above */
	write_page(space, 2 * TABLE, 1);
	destroy(child);
	copies = stats().frames_copied;
	write_page(space, 8, 80);
	CHECK(is_large(space, 8) && machine_entry(space, at(9)) & PTE_W);
	CHECK_EQUAL(stats().frames_copied, copies);
	CHECK_EQUAL(read_page(space, 9), 10);
}

static void test_what_relatives_have_split_is_not_taken_back(void)
{
	uint64_t child;

	fill_large(TABLE);
	child = fork_of(space);
	write_page(child, 8, 80);
	write_page(space, 300, 5); /* the child has the other 511 still */
	CHECK_EQUAL(read_page(child, 300), 301);
	destroy(child);
	write_page(space, 301, 6);
	CHECK_EQUAL(read_page(space, 302), 303);
}

static void test_a_block_ends_when_relatives_keep_pages_of_it(void)
{
	uint64_t child, count = blocks.count;

	fill_large(TABLE);
	child = fork_of(space);
	write_page(child, 8, 80);
	CHECK_EQUAL(ask(space, PAGER_MUNMAP, 0, TABLE, 0, 0, 0), ST_OK);
	machine_settle();
	machine_check();
	CHECK_EQUAL(blocks.count, count - 1);
	write_page(child, 9, 90); /* nobody else has it now */
	CHECK_EQUAL(read_page(child, 9), 90);
	CHECK_EQUAL(read_page(child, 10), 11);
	destroy(child);
}

/* ---- refusals ---- */

static void hook_frames(uint64_t at_asking)
{
	CHECK_EQUAL(machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, at_asking, 0, 0, 0, 0)->status, ST_OK);
}

static uint32_t refuse_at, operations_run; /* the n-th operation is refused; 0: none */
static struct frame *lent;		   /* to another pool, so that it is */
static uint16_t lent_pool;

static void before_operation(const struct op *op)
{
	if (++operations_run != refuse_at || OP_CODE(op->head) == OP_READ)
		return;
	lent = &sim_frame_table[OP_PFN(op->head)];
	lent_pool = lent->pool;
	lent->pool = 2;
}

static void after_operation(const struct op *op, status_t status)
{
	(void)op;
	(void)status;
	if (lent)
		lent->pool = lent_pool;
	lent = NULL;
}

static void refuse_operation(uint32_t n)
{
	operations_run = 0;
	refuse_at = n;
	machine_watch.before = before_operation;
	machine_watch.after = after_operation;
}

static void refuse_no_more(void)
{
	refuse_at = 0;
	machine_watch.before = NULL;
	machine_watch.after = NULL;
}

/* Each of these touches a part of a large page, shared or not.  Answers whether it was done. */
static bool do_action(uint32_t action)
{
	switch (action) {
	case 0:
		return ask(space, PAGER_MUNMAP, 100, 300, 0, 0, 0) == ST_OK;
	case 1:
		return ask(space, PAGER_MPROTECT, 100, 300, MAP_READ, 0, 0) == ST_OK;
	case 2:
		return ask(space, PAGER_MADVISE, 100, 300, ADVICE_DISCARD, 0, 0) == ST_OK;
	case 3:
		return ask(space, PAGER_MREMAP, 100, 300, 300 * PAGE, REMAP_MAY_MOVE | REMAP_FIXED, at(4 * TABLE + 7)) ==
		       ST_OK;
	case 4:
		return ask(space, PAGER_MPROTECT, 0, TABLE, MAP_READ, 0, 0) == ST_OK;
	case 5:
		return write_as(space, 100, 9) == REASON_NONE;
	default:
		return write_as(space, TABLE, 9) == REASON_NONE; /* a new large page */
	}
}

/* All pages that the action leaves alone are as they were, for the space and its child. */
static void check_values(uint64_t child, bool is_moved)
{
	for (uint64_t page = 0; page < TABLE; page += 33) {
		if (page < 100 || page >= 400)
			CHECK_EQUAL(read_page(space, page), page + 1);
		if (child != 0)
			CHECK_EQUAL(read_page(child, page), page + 1);
	}
	if (is_moved)
		CHECK_EQUAL(read_page(space, 4 * TABLE + 8), 102);
}

static bool try_refusal(uint32_t action, bool is_shared, uint32_t n, bool of_frames)
{
	uint64_t child = 0;
	bool is_done, was_met;

	before();
	map_large(2 * TABLE);
	for (uint64_t page = 0; page < TABLE; page++)
		CHECK_EQUAL(machine_access(space, at(page), FAULT_WRITE, &(uint64_t){ page + 1 }), REASON_NONE);
	if (is_shared)
		child = fork_of(space);
	refuse_operation(of_frames ? 0 : n);
	if (of_frames)
		hook_frames(n);
	is_done = do_action(action);
	was_met = of_frames ? frame_pool.failed != 0 : operations_run >= n;
	machine_settle();
	refuse_no_more();
	if (!is_done && action >= 5) {
		hook_frames(0);
		CHECK(do_action(action));
	}
	hook_frames(0);
	machine_check();
	check_values(child, action == 3 && is_done);
	if (child != 0)
		destroy(child);
	after();
	space = 0;
	return was_met;
}

/* Whichever asking for frames is refused, all is done or none of it, and nothing is lost. */
static void test_any_asking_for_frames_may_be_refused(void)
{
	after();
	for (uint32_t action = 0; action < 7; action++)
		for (uint32_t shared = 0; shared < 2; shared++)
			for (uint32_t n = 1; n < 20 && try_refusal(action, shared, n, true); n++)
				continue;
	before();
}

/* Whichever operation of a write's cure is refused, the write is, and the next one is not. */
static void test_any_operation_of_a_write_may_be_refused(void)
{
	after();
	for (uint32_t action = 5; action < 7; action++)
		for (uint32_t shared = 0; shared < 2; shared++)
			for (uint32_t n = 1; n < 30 && try_refusal(action, shared, n, false); n++)
				continue;
	before();
}

/* The n-th operation of a promotion by a write (0), advice (1), or collapse (2), of pages shared or not, is refused:
   nothing is lost, and the next one is done.  Returns how many there were. */
static uint32_t try_promotion(uint32_t action, bool is_shared, uint32_t n)
{
	uint64_t child = 0;
	uint32_t count;

	before();
	map_small(TABLE, action == 1 ? 260 : 40);
	if (action == 0)
		advise(0, TABLE, ADVICE_LARGE);
	if (is_shared)
		child = fork_of(space);
	refuse_operation(n);
	if (action == 0)
		(void)write_as(space, 300, 0);
	else
		(void)ask(space, PAGER_MADVISE, 0, TABLE, action == 1 ? ADVICE_LARGE : ADVICE_COLLAPSE, 0, 0);
	count = operations_run;
	refuse_no_more();
	machine_settle();
	machine_check();
	check_pages(space, TABLE, action == 1 ? 260 : 40);
	CHECK_EQUAL(collapse(0, TABLE), ST_OK);
	CHECK(is_large(space, 0));
	check_pages(space, TABLE, action == 1 ? 260 : 40);
	if (child != 0) {
		check_pages(child, TABLE, action == 1 ? 260 : 40);
		destroy(child);
	}
	after();
	space = 0;
	return count;
}

/* Of the many that copy some will do. */
static void test_any_operation_of_a_promotion_may_be_refused(void)
{
	after();
	for (uint32_t action = 0; action < 3; action++)
		for (uint32_t shared = 0; shared < 2; shared++) {
			uint32_t count = try_promotion(action, shared, UINT32_MAX);

			CHECK(count > 60);
			for (uint32_t n = 1; n <= count; n += n < 12 || n + 16 > count ? 1 : 7)
				try_promotion(action, shared, n);
		}
	before();
}

/* ---- random histories ---- */

#define CHUNKS	  6u
#define PAGES	  (CHUNKS * TABLE)
#define PROCESSES 3u
#define STEPS	  1500u

struct process {
	uint64_t space; /* 0: none */
	uint64_t value[PAGES];
	uint8_t rights[PAGES]; /* MAP_READ, MAP_WRITE */
	bool is_mapped[PAGES];
};
static struct process processes[PROCESSES];
static uint64_t draws;

static uint32_t below(uint32_t n)
{
	draws ^= draws << 13;
	draws ^= draws >> 7;
	draws ^= draws << 17;
	return (uint32_t)(draws >> 20) % n;
}

static void set_pages(struct process *process, uint32_t page, uint32_t count, bool is_mapped, uint8_t rights)
{
	for (uint32_t i = page; i < page + count; i++) {
		if (!is_mapped || !process->is_mapped[i])
			process->value[i] = 0;
		process->is_mapped[i] = is_mapped;
		process->rights[i] = is_mapped ? rights : 0;
	}
}

/* A range: mostly whole tables, or a few pages. */
static uint32_t any_range(uint32_t *count)
{
	uint32_t page = below(CHUNKS) * TABLE;

	*count = TABLE;
	if (below(3) == 0)
		return page;
	page += below(TABLE);
	*count = 1 + below(below(2) ? 8 : TABLE);
	*count = *count < PAGES - page ? *count : PAGES - page;
	return page;
}

static void step_access(struct process *process)
{
	uint32_t page = below(PAGES), write = below(2);
	uint64_t word = draws;
	uint32_t reason = machine_access(process->space, at(page), write ? FAULT_WRITE : 0, &word);

	if (!process->is_mapped[page]) {
		CHECK_EQUAL(reason, REASON_NO_REGION);
	} else if (!(process->rights[page] & (write ? MAP_WRITE : MAP_READ))) {
		CHECK_EQUAL(reason, REASON_PROTECTION);
	} else {
		CHECK_EQUAL(reason, REASON_NONE);
		if (write)
			process->value[page] = word;
		else
			CHECK_EQUAL(word, process->value[page]);
	}
}

static bool is_mapped_all(const struct process *process, uint32_t page, uint32_t count)
{
	for (uint32_t i = page; i < page + count; i++)
		if (!process->is_mapped[i])
			return false;
	return true;
}

static void step_map(struct process *process)
{
	uint32_t count, page = any_range(&count);

	CHECK_EQUAL(ask(process->space, PAGER_MMAP, page, count, RW | MAP_FIXED_AT, 0, 0), ST_OK);
	set_pages(process, page, count, false, 0);
	set_pages(process, page, count, true, RW);
	if (is_mapped_all(process, page / TABLE * TABLE, TABLE))
		CHECK_EQUAL(ask(process->space, PAGER_MADVISE, page / TABLE * TABLE, TABLE, ADVICE_LARGE, 0, 0),
			ST_OK);
}

static void step_rights(struct process *process)
{
	static const uint8_t rights[] = { 0, MAP_READ, RW, RW };
	uint32_t count, page = any_range(&count), choice = below(4);

	if (!is_mapped_all(process, page, count))
		return;
	CHECK_EQUAL(ask(process->space, PAGER_MPROTECT, page, count, rights[choice], 0, 0), ST_OK);
	set_pages(process, page, count, true, rights[choice]);
}

static void step_unmap(struct process *process)
{
	uint32_t count, page = any_range(&count);

	if (below(2)) {
		CHECK_EQUAL(ask(process->space, PAGER_MUNMAP, page, count, 0, 0, 0), ST_OK);
		set_pages(process, page, count, false, 0);
	} else if (is_mapped_all(process, page, count)) {
		CHECK_EQUAL(ask(process->space, PAGER_MADVISE, page, count, ADVICE_DISCARD, 0, 0), ST_OK);
		for (uint32_t i = page; i < page + count; i++)
			process->value[i] = 0;
	}
}

/* They are made large, now or by and by. */
static void step_advise(struct process *process)
{
	static const uint8_t advices[] = { ADVICE_LARGE, ADVICE_COLLAPSE, ADVICE_POPULATE, ADVICE_SMALL };
	uint32_t count, page = any_range(&count), choice = below(4);
	status_t status;

	if (!is_mapped_all(process, page, count))
		return;
	status = ask(process->space, PAGER_MADVISE, page, count, advices[choice], 0, 0);
	if (advices[choice] == ADVICE_COLLAPSE)
		CHECK(status == ST_OK || status == ST_BAD_ARGUMENT || status == ST_NO_MEMORY);
	else
		CHECK_EQUAL(status, ST_OK);
}

static void step_move(struct process *process)
{
	uint32_t count, page = any_range(&count), target = below(2) ? page % TABLE + below(CHUNKS) * TABLE : below(PAGES);
	status_t status;

	if (target + count > PAGES || (page < target + count && target < page + count))
		return;
	status = ask(process->space, PAGER_MREMAP, page, count, count * PAGE, REMAP_MAY_MOVE | REMAP_FIXED, at(target));
	if (status != ST_OK) {
		CHECK_EQUAL(status, ST_NOT_FOUND); /* a hole, or several regions */
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		process->value[target + i] = process->value[page + i];
		process->rights[target + i] = process->rights[page + i];
		process->is_mapped[target + i] = true;
	}
	set_pages(process, page, count, false, 0);
}

static void step_fork(struct process *process)
{
	struct process *child = &processes[below(PROCESSES)];

	if (child == process)
		return;
	if (child->space != 0)
		destroy(child->space);
	*child = *process;
	child->space = fork_of(process->space);
}

static void step_server(struct process *process)
{
	uint32_t page = below(PAGES);
	uint64_t word = draws;
	struct machine_request request = {
		.badge = BADGE_SYSTEM | 1,
		.label = PAGER_SPACE_WRITE,
		.w = { process->space, at(page) },
		.payload = &word,
		.bytes = sizeof(word),
	};
	status_t status = machine_call(&request)->status;

	CHECK_EQUAL(status == ST_OK, process->is_mapped[page] && process->rights[page] & MAP_WRITE);
	if (status == ST_OK)
		process->value[page] = word;
}

static void random_history(uint64_t seed)
{
	uint32_t large = 0;

	draws = seed * 0x9e3779b97f4a7c15ull;
	memset(processes, 0, sizeof(processes));
	processes[0].space = space;
	machine_shoots_down = true;
	processors_disturb(seed);
	for (uint32_t step = 0; step < STEPS; step++) {
		struct process *process = &processes[below(PROCESSES)];
		uint32_t choice = below(40);

		if (process->space == 0)
			continue;
		machine_awaited = below(4) == 0;
		if (choice < 4)
			step_map(process);
		else if (choice < 6)
			step_rights(process);
		else if (choice < 8)
			step_unmap(process);
		else if (choice < 10)
			step_move(process);
		else if (choice < 12)
			step_fork(process);
		else if (choice < 14)
			step_server(process);
		else if (choice < 16)
			step_advise(process);
		else if (choice < 18)
			for (uint32_t calls = below(20); calls > 0 && idle_step(); calls--)
				continue;
		else
			step_access(process);
		machine_check();
		for (uint32_t page = 0; page < PAGES && step % 4 == 0; page += TABLE)
			large += is_large(process->space, page);
	}
	CHECK(large > 10);
	machine_shoots_down = false;
	space = 0;
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[i].space != 0)
			destroy(processes[i].space);
}

static void test_random_histories(void)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		if (seed != 1)
			before();
		random_history(seed);
		if (seed != 12)
			after();
	}
}

static const struct check_test tests[] = {
	CHECK_TEST(first_write_brings_two_megabytes),
	CHECK_TEST(a_block_that_was_used_is_cleared),
	CHECK_TEST(the_region_must_hold_it_all),
	CHECK_TEST(idle_time_forms_blocks_again),
	CHECK_TEST(idle_time_clears_some_blocks),
	CHECK_TEST(promotion_takes_a_block_that_is_not_clean),
	CHECK_TEST(clean_blocks_are_memory_as_any_other),
	CHECK_TEST(who_wants_a_block_wakes_the_idle_thread),
	CHECK_TEST(only_whole_blocks_are_formed),
	CHECK_TEST(gathered_frames_go_back_when_memory_is_short),
	CHECK_TEST(pages_that_are_there_are_promoted_by_the_next_first_write),
	CHECK_TEST(what_was_read_is_zeros_in_a_promoted_page),
	CHECK_TEST(a_fault_copies_no_more_than_it_brings),
	CHECK_TEST(advice_promotes_what_is_mostly_there),
	CHECK_TEST(advice_leaves_alone_what_is_not_suitable),
	CHECK_TEST(advice_for_a_range_without_tables_ends_at_once),
	CHECK_TEST(collapse_makes_all_of_a_range_large),
	CHECK_TEST(what_was_collapsed_or_filled_is_unmapped),
	CHECK_TEST(collapse_says_why_not),
	CHECK_TEST(populating_makes_large_pages_where_advised),
	CHECK_TEST(a_promotion_is_done_in_slices),
	CHECK_TEST(a_space_that_ends_in_a_promotion_keeps_nothing),
	CHECK_TEST(a_page_that_is_held_is_not_moved),
	CHECK_TEST(pages_shared_with_relatives_are_promoted_apart),
	CHECK_TEST(any_operation_of_a_promotion_may_be_refused),
		CHECK_TEST(without_blocks_pages_are_small),
	CHECK_TEST(blocks_help_out_when_frames_are_few),
	CHECK_TEST(others_are_served_between_slices),
	CHECK_TEST(a_space_that_ends_meanwhile_gives_the_block_back),
	CHECK_TEST(a_cure_for_a_thread_that_is_gone_is_taken_back),
	CHECK_TEST(unmapping_a_part),
	CHECK_TEST(unmapping_all_gives_the_block_back),
	CHECK_TEST(protecting_a_part),
	CHECK_TEST(protecting_all_keeps_it_large),
	CHECK_TEST(rights_for_a_part),
	CHECK_TEST(discarding_a_part),
	CHECK_TEST(moving_all_and_a_part),
	CHECK_TEST(moving_into_a_part),
	CHECK_TEST(system_servers_write_and_read_it),
	CHECK_TEST(populating_leaves_it_as_it_is),
	CHECK_TEST(fork_shares_it_until_a_write),
	CHECK_TEST(the_last_owner_takes_it_back_whole),
	CHECK_TEST(what_relatives_have_split_is_not_taken_back),
	CHECK_TEST(a_block_ends_when_relatives_keep_pages_of_it),
	CHECK_TEST(any_asking_for_frames_may_be_refused),
	CHECK_TEST(any_operation_of_a_write_may_be_refused),
	CHECK_TEST(random_histories),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
