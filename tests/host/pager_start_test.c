/*
 * Tests of how the pager starts: what it refuses to start with, whose memory it uses first, what it
 * keeps in reserve, which limits it begins with; and of batches that go on after ST_MORE.
 *
 * The pager's own memory is what heap_grow() below takes: as in the machine, the first frames of the
 * boot structure's ranges, before there are words for frames.
 *
 * Usage: pager_start [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"

#include "../../servers/pager/account.h"
#include "../../servers/pager/check.h"
#include "../../servers/pager/frame_pool.h"
#include "../../servers/pager/heap.h"
#include "../../servers/pager/request.h"
#include "../../servers/pager/start.h"
#include "machine/memory.h"
#include "pool.h"
#include "sim/sim.h"

#define FRAMES	     2048u
#define FRAMES_MANY  8192u
#define WINDOW_BYTES (1ull << 20)
#define FIRST	     SIM_FIRST_FREE
#define PAGE	     4096ull

/* ---- the pager's own memory ---- */

static _Alignas(4096) uint8_t windows[HEAP_WINDOWS][WINDOW_BYTES];
static uint32_t takes;	 /* frames that the next growth takes */
static pfn_t taken[512]; /* those that were */
static uint32_t taken_count;
static bool refuses;

/* See heap.h. */
void *heap_window(enum heap_window window)
{
	return windows[window];
}

/* See heap.h. */
status_t heap_grow(void *address, uint64_t bytes)
{
	(void)address;
	(void)bytes;
	if (refuses)
		return ST_NO_MEMORY;
	for (; takes > 0; takes--) {
		pfn_t pfn = frame_pool_take_first();

		CHECK_EQUAL(
			sim_op(POOL_ROOT, op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_DATA, 0), ST_OK);
		CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_HOLD, 0, pfn, 0, 1), 0, 0), ST_OK);
		taken[taken_count++] = pfn;
	}
	return ST_OK;
}

/* See pager_machine.h. */
void machine_clear_heap(void)
{
	memset(windows, 0, sizeof(windows));
	takes = taken_count = 0;
	refuses = false;
}

/* ---- starting ---- */

static struct pager_boot boot;

/* A machine whose pager has been started as usual; frames are free again, and another may start. */
static void machine_for(uint32_t frames)
{
	machine_start(frames);
	sim_start(frames);
	machine_clear_heap();
	boot = (struct pager_boot){
		.magic = PAGER_BOOT_MAGIC,
		.frame_count = frames,
		.zero_frame = SIM_ZERO_FRAME,
		.levels = LAYOUT_LEVELS,
		.range_count = 1,
		.ranges = { { FIRST, frames - FIRST - 1 } } /* the last is mmu_bounce */,
	};
}

static uint32_t rule(void)
{
	uint64_t where;

	return pager_check(&where);
}

static void test_a_boot_structure_of_another_kind_is_refused(void)
{
	machine_for(FRAMES);
	boot.magic++;
	CHECK_EQUAL(pager_start(&boot), ST_BAD_FORMAT);
	boot.magic--;
	boot.levels++;
	CHECK_EQUAL(pager_start(&boot), ST_BAD_FORMAT);
	mmu_levels++;
	CHECK_EQUAL(pager_start(&boot), ST_BAD_FORMAT);
	mmu_levels--;
	boot.levels--;
	CHECK_EQUAL(pager_start(&boot), ST_OK);
}

static void test_too_many_ranges_are_refused(void)
{
	machine_for(FRAMES);
	boot.range_count = PAGER_BOOT_RANGES + 1;
	CHECK_EQUAL(pager_start(&boot), ST_BAD_ARGUMENT);
}

static void test_without_memory_of_its_own_it_does_not_start(void)
{
	machine_for(FRAMES);
	refuses = true;
	CHECK_EQUAL(pager_start(&boot), ST_NO_MEMORY);
}

/* The kernel's frame is not the pager's to type, wherever it lies in the ranges. */
static void test_frames_that_are_not_its_own_are_refused(void)
{
	machine_for(FRAMES);
	boot.ranges[0] = (struct pager_boot_range){ SIM_KERNEL_FRAME, 1 };
	CHECK(pager_start(&boot) != ST_OK);
	machine_for(FRAMES);
	boot.range_count = 2;
	boot.ranges[0] = (struct pager_boot_range){ FIRST, 600 };
	boot.ranges[1] = (struct pager_boot_range){ SIM_KERNEL_FRAME, 1 };
	CHECK(pager_start(&boot) != ST_OK);
}

/* Those of the first ranges, in order, whole ranges and empty ones; the rest is free. */
static void test_its_own_memory_comes_off_the_ranges_in_order(void)
{
	machine_for(FRAMES);
	boot.range_count = 4;
	boot.ranges[0] = (struct pager_boot_range){ FIRST + 100, 3 };
	boot.ranges[1] = (struct pager_boot_range){ FIRST, 0 };
	boot.ranges[2] = (struct pager_boot_range){ FIRST + 10, 2 };
	boot.ranges[3] = (struct pager_boot_range){ FIRST + 200, 1000 };
	takes = 6;
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	CHECK_EQUAL(taken_count, 6);
	CHECK(taken[0] == FIRST + 100 && taken[2] == FIRST + 102);
	CHECK(taken[3] == FIRST + 10 && taken[4] == FIRST + 11 && taken[5] == FIRST + 200);
	for (uint32_t i = 0; i < taken_count; i++)
		CHECK_EQUAL(frame_kind(taken[i]), KIND_OWN);
	CHECK(frame_pool.total == 1005 && frame_pool.free == 999);
	CHECK_EQUAL(frame_pool.first, FIRST + 201);
	CHECK_EQUAL(frame_kind(FIRST), KIND_NONE);
	CHECK_EQUAL(rule(), CHECK_OK);
}

/* ---- what it begins with ---- */

static void test_the_reserve_is_as_told_or_a_share_of_the_frames(void)
{
	uint64_t pager = 64;

	machine_for(FRAMES);
	boot.reserve_frames = 17;
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	CHECK_EQUAL(frame_pool.reserve[FRAMES_PAGER], 0);
	CHECK_EQUAL(frame_pool.reserve[FRAMES_SERVER], pager);
	CHECK_EQUAL(frame_pool.reserve[FRAMES_PROGRAM], pager + 17);
	machine_for(FRAMES);
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	CHECK_EQUAL(frame_pool.reserve[FRAMES_PROGRAM], pager + 64); /* the least */
	machine_for(FRAMES_MANY);
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	CHECK_EQUAL(frame_pool.reserve[FRAMES_PROGRAM], pager + (FRAMES_MANY - FIRST - 1) / 64);
}

static void test_the_limits_of_promises_are_as_told(void)
{
	machine_for(FRAMES);
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	CHECK_EQUAL(account_limit, UINT64_MAX);
	CHECK_EQUAL(account_space_limit, FRAMES - FIRST - 1);
	machine_for(FRAMES);
	boot.commit_percent = 150;
	boot.commit_space = 99;
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	CHECK_EQUAL(account_limit, (FRAMES - FIRST - 1) * 150 / 100);
	CHECK_EQUAL(account_space_limit, 99);
}

static uint64_t create(void)
{
	const struct machine_answer *answer =
		machine_system(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	return answer->w[0];
}

static status_t map(uint64_t space, uint64_t pages)
{
	return machine_program(space, PAGER_MMAP, 0, pages * PAGE, MAP_READ | MAP_WRITE, 0, 0)
		->status;
}

/* All spaces together: a mapping, and a fork, which promises everything once more. */
static void test_spaces_together_promise_no_more_than_the_limit(void)
{
	uint64_t one, two;

	machine_for(FRAMES);
	boot.commit_percent = 10;
	CHECK_EQUAL(pager_start(&boot), ST_OK);
	one = create();
	two = create();
	CHECK_EQUAL(map(one, account_limit + 1), ST_NO_MEMORY);
	CHECK_EQUAL(map(one, account_limit - 5), ST_OK);
	CHECK_EQUAL(map(two, 6), ST_NO_MEMORY);
	CHECK_EQUAL(map(two, 5), ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_FORK, two, 2000, 0, 0, 0, 0)->status, ST_NO_MEMORY);
	CHECK_EQUAL(rule(), CHECK_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, one, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_FORK, two, 2000, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(rule(), CHECK_OK);
}

/* ---- the rest of a batch ---- */

static void collect(uint64_t head, uint64_t a, uint64_t b)
{
	mmu_add(head, a, b);
}

static bool is_first(uint64_t head, uint64_t a, uint64_t b)
{
	return mmu_ops[0].head == head && mmu_ops[0].a == a && mmu_ops[0].b == b;
}

static void test_what_is_done_of_a_batch_is_left_out(void)
{
	machine_for(FRAMES);
	mmu_count = 0;
	collect(op_head(OP_FLUSH, 0, 1, 0, 0), 1, 1);
	collect(op_head(OP_FLUSH, 0, 2, 0, 0), 2, 2);
	collect(op_head(OP_FLUSH, 0, 3, 0, 0), 3, 3);
	mmu_resume(1, 0);
	CHECK(mmu_count == 2 && is_first(op_head(OP_FLUSH, 0, 2, 0, 0), 2, 2));
	CHECK_EQUAL(mmu_ops[1].a, 3);
	mmu_count = 0;
}

/* Half an operation on entries goes on at the next entry, on frames at the next frame, on two tables
   at the next entry of both. */
static void test_half_an_operation_goes_on_where_it_stopped(void)
{
	static const uint32_t by_frame[] = { OP_RETYPE, OP_ZERO, OP_TRANSFER };
	static const uint32_t by_two[] = { OP_COPY, OP_MOVE };

	machine_for(FRAMES);
	mmu_count = 0;
	collect(op_head(OP_CLEAR, 0, 9, 10, 100), 5, 6);
	mmu_resume(0, 30);
	CHECK(is_first(op_head(OP_CLEAR, 0, 9, 40, 70), 5, 6));
	for (uint32_t i = 0; i < 3; i++) {
		mmu_count = 0;
		collect(op_head(by_frame[i], 0, 9, 0, 100), 5, 6);
		mmu_resume(0, 30);
		CHECK(is_first(op_head(by_frame[i], 0, 39, 0, 70), 5, 6));
	}
	for (uint32_t i = 0; i < 2; i++) {
		mmu_count = 0;
		collect(op_head(by_two[i], 0, 9, 10, 100), 7ull << 36 | 20 << 16, 0);
		mmu_resume(0, 30);
		CHECK(is_first(op_head(by_two[i], 0, 9, 40, 70), 7ull << 36 | 50 << 16, 0));
	}
	mmu_count = 0;
}

/* A fill keeps its place and count; the frames that are in the table leave its list. */
static void test_half_a_fill_goes_on_with_the_rest_of_its_list(void)
{
	const uint64_t head = op_head(OP_FILL, 0, 9, 10, 5);

	machine_for(FRAMES);
	mmu_count = 0;
	collect(head, PTE_P, 0);
	collect(1 | 2ull << 32, 3 | 4ull << 32, 5);
	mmu_resume(0, 3);
	CHECK(mmu_count == 2 && is_first(head, PTE_P, 0));
	CHECK(mmu_ops[1].head == 0 && mmu_ops[1].a == 4ull << 32 && mmu_ops[1].b == 5);
	mmu_count = 0;
}

static const struct check_test tests[] = {
	CHECK_TEST(a_boot_structure_of_another_kind_is_refused),
	CHECK_TEST(too_many_ranges_are_refused),
	CHECK_TEST(without_memory_of_its_own_it_does_not_start),
	CHECK_TEST(frames_that_are_not_its_own_are_refused),
	CHECK_TEST(its_own_memory_comes_off_the_ranges_in_order),
	CHECK_TEST(the_reserve_is_as_told_or_a_share_of_the_frames),
	CHECK_TEST(the_limits_of_promises_are_as_told),
	CHECK_TEST(spaces_together_promise_no_more_than_the_limit),
	CHECK_TEST(what_is_done_of_a_batch_is_left_out),
	CHECK_TEST(half_an_operation_goes_on_where_it_stopped),
	CHECK_TEST(half_a_fill_goes_on_with_the_rest_of_its_list),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL, argc, argv);
}
