/*
 * Tests of the frame table, its operations, pools and the interpreter of operations.
 *
 * Usage: frame [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch.h"
#include "fixture.h"
#include "object.h"
#include "percpu.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const frame_type_t chosen[] = { FRAME_FREE, FRAME_DATA, FRAME_MSG, FRAME_TRACE, FRAME_L1,
	FRAME_L2, FRAME_L3 };
#define CHOSEN_COUNT (sizeof(chosen) / sizeof(chosen[0]))

static status_t op(uint32_t code, pfn_t pfn, uint64_t a, uint64_t b)
{
	return sim_op(POOL_ROOT, op_head(code, 0, pfn, 0, 1), a, b);
}

static bool is_zero(pfn_t pfn)
{
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		if (entries(pfn)[i] != 0)
			return false;
	return true;
}

/* ---- retype ---- */

static void test_retype_goes_between_all_chosen_types(void)
{
	for (size_t i = 0; i < CHOSEN_COUNT; i++) {
		for (size_t j = 0; j < CHOSEN_COUNT; j++) {
			CHECK_EQUAL(retype(MORE_FIRST, 1, chosen[i]), ST_OK);
			CHECK_EQUAL(retype(MORE_FIRST, 1, chosen[j]), ST_OK);
			CHECK_EQUAL(frame_table[MORE_FIRST].type, chosen[j]);
		}
	}
}

static void test_retype_clears_forged_entries(void)
{
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_DATA), ST_OK);
	memset(frame_memory(MORE_FIRST), 0xff, PAGE_SIZE);
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_L1), ST_OK);
	CHECK(is_zero(MORE_FIRST));
	CHECK_EQUAL(frame_table[MORE_FIRST].live, 0);
}

static void test_retype_keeps_data_between_plain_types(void)
{
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_DATA), ST_OK);
	memset(frame_memory(MORE_FIRST), 0x5a, PAGE_SIZE);
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_FREE), ST_OK);
	CHECK_EQUAL(entries(MORE_FIRST)[7], 0x5a5a5a5a5a5a5a5aull);
}

static void test_retype_of_an_emptied_table_leaves_zeros(void)
{
	CHECK_EQUAL(set(L1_TWO, 5, page(0), 0), ST_OK);
	CHECK_EQUAL(retype(L1_TWO, 1, FRAME_FREE), ST_BUSY);
	CHECK_EQUAL(set(L1_TWO, 5, 0, page(0)), ST_OK);
	CHECK_EQUAL(retype(L1_TWO, 1, FRAME_DATA), ST_OK);
	CHECK(is_zero(L1_TWO));
}

/* ---- blank frames ---- */

static bool is_blank(pfn_t pfn)
{
	return frame_table[pfn].flags & FRAME_BLANK;
}

/* A DATA frame that the kernel knows to be zeros. */
static pfn_t make_blank(void)
{
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_L1), ST_OK);
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_DATA), ST_OK);
	CHECK(is_blank(MORE_FIRST) && is_zero(MORE_FIRST));
	return MORE_FIRST;
}

static void test_what_was_a_table_is_not_cleared_again(void)
{
	uint64_t cleared;

	(void)make_blank();
	cleared = counters.frames_cleared;
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_FREE), ST_OK);
	CHECK(is_blank(MORE_FIRST));
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_L2), ST_OK);
	CHECK(!is_blank(MORE_FIRST) && is_zero(MORE_FIRST));
	CHECK_EQUAL(counters.frames_cleared, cleared);
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_MSG), ST_OK);
	CHECK(!is_blank(MORE_FIRST));
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_DATA), ST_OK);
	CHECK(!is_blank(MORE_FIRST)); /* a message page was written by who had it */
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_L1), ST_OK);
	CHECK_EQUAL(counters.frames_cleared, cleared + 1);
}

static void test_zeroes_make_an_unused_frame_blank(void)
{
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST, 0, 0), ST_OK);
	CHECK(is_blank(DATA_FIRST));
	CHECK_EQUAL(set(L1, 0, page(1), 0), ST_OK);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST + 1, 0, 0), ST_OK);
	CHECK(!is_blank(DATA_FIRST + 1));
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST + 2, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST + 2, 0, 0), ST_OK);
	CHECK(!is_blank(DATA_FIRST + 2));
}

static void test_zeroes_of_a_blank_frame_clear_nothing(void)
{
	uint64_t cleared = counters.frames_cleared;

	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(counters.frames_cleared, cleared + 1);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST, 0, 0), ST_OK);
	CHECK(is_blank(DATA_FIRST));
	CHECK_EQUAL(counters.frames_cleared, cleared + 1);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	memset(frame_memory(DATA_FIRST), 0xff, PAGE_SIZE);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST, 0, 0), ST_OK); /* the flag says nothing while it is in use */
	CHECK_EQUAL(counters.frames_cleared, cleared + 2);
	CHECK(is_zero(DATA_FIRST));
}

/* Through a translation that a processor remembers it could be written after it was cleared. */
static void test_a_frame_is_blank_after_a_flush_only(void)
{
	uint64_t before = sim_flushes.everything;

	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST + 9, 0, 0), ST_OK); /* never mapped */
	CHECK_EQUAL(sim_flushes.everything, before);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, before);
	CHECK_EQUAL(set(L1, 0, 0, page(0)), ST_OK);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, before + 1);
	CHECK(is_blank(DATA_FIRST) && is_zero(DATA_FIRST));
}

static void test_a_blank_frame_that_was_mapped_is_none(void)
{
	pfn_t pfn = make_blank();

	CHECK_EQUAL(set(L1, 0, pte_make(pfn, PAGE_RW), 0), ST_OK);
	memset(frame_memory(pfn), 0xff, PAGE_SIZE);
	CHECK_EQUAL(set(L1, 0, 0, pte_make(pfn, PAGE_RW)), ST_OK);
	CHECK(!is_blank(pfn));
	CHECK_EQUAL(retype(pfn, 1, FRAME_L1), ST_OK);
	CHECK(is_zero(pfn));
}

static void test_a_blank_frame_that_was_held_is_none(void)
{
	pfn_t pfn = make_blank();

	CHECK_EQUAL(op(OP_HOLD, pfn, 0, 0), ST_OK);
	memset(frame_memory(pfn), 0xff, PAGE_SIZE); /* a device did */
	CHECK_EQUAL(op(OP_RELEASE, pfn, 0, 0), ST_OK);
	CHECK(!is_blank(pfn));
	CHECK_EQUAL(op(OP_LEND, make_blank(), child_pool(POOL_ROOT), 0), ST_OK);
	CHECK(!is_blank(pfn));
}

static void test_a_blank_frame_that_was_copied_to_is_none(void)
{
	pfn_t pfn = make_blank();

	memset(frame_memory(DATA_FIRST), 0xff, PAGE_SIZE);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, pfn, 5000), ST_BAD_ARGUMENT);
	CHECK(is_blank(pfn));
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, pfn, 8ull << 32), ST_OK);
	CHECK(!is_blank(pfn));
	pfn = make_blank();
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, pfn, 0), ST_OK);
	CHECK(!is_blank(pfn));
}

static void test_a_blank_frame_of_a_block_is_none(void)
{
	uint64_t large = pte_make(BLOCK_HEAD, PAGE_RW | PTE_PS);

	CHECK_EQUAL(retype(BLOCK_HEAD, 512, FRAME_DATA), ST_OK);
	CHECK_EQUAL(op(OP_ZERO, BLOCK_HEAD + 3, 0, 0), ST_OK);
	CHECK(is_blank(BLOCK_HEAD + 3));
	CHECK_EQUAL(set(L2, 1, large, 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, 0, large), ST_OK);
	CHECK(!is_blank(BLOCK_HEAD + 3));
}

static void test_retype_refuses_used_frames(void)
{
	CHECK_EQUAL(retype(L3, 1, FRAME_FREE), ST_BUSY); /* linked and not empty */
	CHECK_EQUAL(retype(L1, 1, FRAME_FREE), ST_BUSY); /* linked */
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(retype(DATA_FIRST, 1, FRAME_FREE), ST_BUSY); /* mapped */
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST + 1, 0, 0), ST_OK);
	CHECK_EQUAL(retype(DATA_FIRST + 1, 1, FRAME_FREE), ST_BUSY); /* held */
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST + 2, child_pool(POOL_ROOT), 0), ST_OK);
	CHECK_EQUAL(retype(DATA_FIRST + 2, 1, FRAME_FREE), ST_BUSY); /* lent */
	CHECK_EQUAL(set(L1_TWO, 9, 2, 0), ST_OK);
	CHECK_EQUAL(retype(L1_TWO, 1, FRAME_FREE), ST_BUSY); /* holds a not-present word */
}

static void test_retype_refuses_frames_of_the_kernel_and_objects(void)
{
	CHECK_EQUAL(retype(0, 1, FRAME_DATA), ST_BAD_FRAME);
	CHECK_EQUAL(retype(SIM_KERNEL_FRAME, 1, FRAME_DATA), ST_BAD_FRAME);
	CHECK_EQUAL(retype(SIM_ZERO_FRAME, 1, FRAME_DATA), ST_BAD_FRAME);
	CHECK_EQUAL(retype(FRAMES, 1, FRAME_DATA), ST_BAD_FRAME);
	CHECK_EQUAL(retype(0xfffffff, 1, FRAME_DATA), ST_BAD_FRAME);
	CHECK_EQUAL(retype(TOP_TWO, 1, FRAME_DATA), ST_WRONG_TYPE);
	CHECK_EQUAL(retype(SPACE_TWO, 1, FRAME_DATA), ST_WRONG_TYPE);
}

static void test_retype_refuses_bad_arguments(void)
{
	static const frame_type_t refused[] = { FRAME_NONE, FRAME_ZERO, FRAME_L4, FRAME_TOP,
		FRAME_SPACE, FRAME_THREAD, FRAME_PORT, FRAME_KERNEL, FRAME_TYPES };

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		CHECK_EQUAL(retype(MORE_FIRST, 1, refused[i]), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_RETYPE, MORE_FIRST, 1ull << 32 | FRAME_DATA, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_RETYPE, MORE_FIRST, FRAME_DATA, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(retype(MORE_FIRST, 0, FRAME_DATA), ST_BAD_ARGUMENT);
	CHECK_EQUAL(retype(MORE_FIRST, 513, FRAME_DATA), ST_BAD_ARGUMENT);
}

static void test_retype_stops_inside_its_run(void)
{
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST + 3, 0, 0), ST_OK);
	CHECK_EQUAL(retype(DATA_FIRST, 8, FRAME_FREE), ST_BUSY);
	CHECK_EQUAL(sim_last.index, 0);
	CHECK_EQUAL(sim_last.done, 3);
	CHECK_EQUAL(data(2)->type, FRAME_FREE);
	CHECK_EQUAL(data(3)->type, FRAME_DATA);
	CHECK_EQUAL(data(4)->type, FRAME_DATA);
}

static void test_retype_that_clears_is_bounded(void)
{
	CHECK_EQUAL(retype(MORE_FIRST, 80, FRAME_L1), ST_MORE);
	CHECK_EQUAL(sim_last.done, OP_WORK_MAX / OP_WORK_CLEAR);
	CHECK_EQUAL(frame_table[MORE_FIRST + 63].type, FRAME_L1);
	CHECK_EQUAL(frame_table[MORE_FIRST + 64].type, FRAME_FREE);
	CHECK_EQUAL(retype(MORE_FIRST, 512, FRAME_FREE), ST_OK); /* nothing to clear: not so dear */
}

static void test_retype_waits_for_a_flush_after_the_last_reference(void)
{
	uint64_t before = sim_flushes.everything;

	CHECK_EQUAL(retype(DATA_FIRST + 9, 1, FRAME_FREE), ST_OK); /* never mapped */
	CHECK_EQUAL(sim_flushes.everything, before);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(1), 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 2, 0, 0), ST_OK);
	CHECK_EQUAL(retype(DATA_FIRST, 2, FRAME_FREE), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, before + 1); /* one flush serves both */
}

static void test_retype_of_an_unlinked_table_waits_for_a_flush(void)
{
	uint64_t before = sim_flushes.everything;

	CHECK_EQUAL(set(L2, 0, 0, link_to(L1)), ST_OK);
	CHECK_EQUAL(retype(L1, 1, FRAME_DATA), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, before + 1);
}

static void test_retype_forgets_flags(void)
{
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, page(0)), ST_OK);
	CHECK_EQUAL(data(0)->flags, FRAME_DIRTY);
	CHECK_EQUAL(retype(DATA_FIRST, 1, FRAME_DATA), ST_OK);
	CHECK_EQUAL(data(0)->flags, 0);
}

/* ---- contents ---- */

static void test_zero_fills_data_frames(void)
{
	memset(frame_memory(DATA_FIRST), 1, PAGE_SIZE * 2);
	CHECK_EQUAL(run(OP_ZERO, DATA_FIRST, 0, 2, 0, 0), ST_OK);
	CHECK(is_zero(DATA_FIRST) && is_zero(DATA_FIRST + 1));
}

static void test_zero_refuses(void)
{
	CHECK_EQUAL(run(OP_ZERO, L1, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(run(OP_ZERO, MORE_FIRST, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(run(OP_ZERO, SIM_ZERO_FRAME, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_ZERO, DATA_FIRST, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_ZERO, DATA_FIRST, 0, 1, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(retype(MORE_FIRST, 80, FRAME_DATA), ST_OK);
	CHECK_EQUAL(run(OP_ZERO, MORE_FIRST, 0, 80, 0, 0), ST_MORE);
	CHECK_EQUAL(sim_last.done, OP_WORK_MAX / OP_WORK_CLEAR);
}

static void test_copy_frame_copies_all(void)
{
	memset(frame_memory(DATA_FIRST), 0x77, PAGE_SIZE);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, 0), ST_OK);
	CHECK(memcmp(frame_memory(DATA_FIRST), frame_memory(DATA_FIRST + 1), PAGE_SIZE) == 0);
	CHECK_EQUAL(op(OP_COPY_FRAME, SIM_ZERO_FRAME, DATA_FIRST, 0), ST_OK);
	CHECK(is_zero(DATA_FIRST));
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST + 1, MSG, 0), ST_OK);
	CHECK_EQUAL(op(OP_COPY_FRAME, MSG, DATA_FIRST, 0), ST_OK);
	CHECK_EQUAL(entries(DATA_FIRST)[511], 0x7777777777777777ull);
}

static uint64_t part(uint64_t from, uint64_t to, uint64_t bytes)
{
	return from | to << 16 | bytes << 32;
}

static void test_copy_frame_copies_a_part(void)
{
	uint8_t *source = frame_memory(DATA_FIRST), *copy = frame_memory(DATA_FIRST + 1);

	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		source[i] = (uint8_t)(i * 7);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(3, 100, 5)), ST_OK);
	CHECK(memcmp(copy + 100, source + 3, 5) == 0 && copy[99] == 0 && copy[105] == 0);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(0, 0, 4096)), ST_OK);
	CHECK(memcmp(copy, source, PAGE_SIZE) == 0);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(4095, 0, 1)), ST_OK);
	CHECK_EQUAL(copy[0], source[4095]);
}

static void test_copy_frame_refuses(void)
{
	uint16_t pool = child_pool(POOL_ROOT);

	CHECK_EQUAL(
		op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(4000, 0, 97)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(0, 4000, 97)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(1, 0, 0)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(0, 0, 1) | 1 << 12),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST + 1, part(0, 0, 1) | 1ull << 63),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, DATA_FIRST, part(0, 8, 8)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, L1, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_COPY_FRAME, L1, DATA_FIRST, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, MORE_FIRST, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, SIM_ZERO_FRAME, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, SIM_KERNEL_FRAME, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_COPY_FRAME, SIM_KERNEL_FRAME, DATA_FIRST, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_COPY_FRAME, DATA_FIRST, (1ull << 32) + DATA_FIRST + 1, 0), ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(pool, op_head(OP_COPY_FRAME, 0, DATA_FIRST, 0, 0), DATA_FIRST + 1, 0),
		ST_BAD_FRAME);
}

/* ---- holds ---- */

static void test_holds_are_counted(void)
{
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(data(0)->holds, 2);
	CHECK_EQUAL(op(OP_RELEASE, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_RELEASE, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_RELEASE, DATA_FIRST, 0, 0), ST_MISMATCH);
	CHECK_EQUAL(op(OP_HOLD, L1, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_RELEASE, L1, 0, 0), ST_OK);
}

static void test_holds_refuse_at_the_limit(void)
{
	frame_refs_limit = 2;
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST, 0, 0), ST_LIMIT);
	frame_refs_limit = FRAME_REFS_MAX;
	data(1)->holds = FRAME_HOLDS_MAX;
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST + 1, 0, 0), ST_LIMIT);
}

static void test_holds_of_message_pages_are_the_kernels(void)
{
	CHECK_EQUAL(op(OP_THREAD_CREATE, MORE_FIRST, SPACE, 1), ST_OK);
	CHECK_EQUAL(sim_op(POOL_ROOT,
			    op_head(OP_THREAD_SET, 0, MORE_FIRST, THREAD_FIELD_MESSAGE, 0), MSG, 0),
		ST_OK);
	CHECK_EQUAL(frame_table[MSG].holds, 1);
	CHECK_EQUAL(op(OP_RELEASE, MSG, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_HOLD, MSG, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(retype(MSG, 1, FRAME_DATA), ST_BUSY);
	CHECK_EQUAL(op(OP_DESTROY, MORE_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(retype(MSG, 1, FRAME_DATA), ST_OK);
}

static void test_hold_refuses(void)
{
	CHECK_EQUAL(op(OP_HOLD, MORE_FIRST, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_HOLD, TOP, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_HOLD, SPACE, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_HOLD, SIM_KERNEL_FRAME, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_HOLD, DATA_FIRST, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_RELEASE, MORE_FIRST, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_RELEASE, DATA_FIRST, 0, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_RELEASE, FRAMES, 0, 0), ST_BAD_FRAME);
}

/* Runs a function in a child process; true when a panic ended it. */
static bool panics(void (*function)(void))
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		function();
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGABRT;
}

static void release_without_hold(void)
{
	frame_release(DATA_FIRST);
}

static void test_frame_release_without_a_hold_panics(void)
{
	CHECK(panics(release_without_hold));
}

/* ---- transfer and lending ---- */

static void test_transfer_changes_the_owner(void)
{
	uint16_t pool = child_pool(POOL_ROOT);
	uint32_t owned = pool_table[POOL_ROOT].frames;

	CHECK_EQUAL(give(pool, MORE_FIRST, 10), ST_OK);
	CHECK_EQUAL(frame_table[MORE_FIRST + 9].pool, pool);
	CHECK_EQUAL(pool_table[pool].frames, 10);
	CHECK_EQUAL(pool_table[POOL_ROOT].frames, owned - 10);
	CHECK_EQUAL(sim_op(pool, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 10), FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_TRANSFER, 0, MORE_FIRST, 0, 4), POOL_ROOT, 0),
		ST_OK); /* back */
	CHECK_EQUAL(pool_table[pool].frames, 6);
	CHECK_EQUAL(give(POOL_ROOT, MORE_FIRST + 4, 6), ST_OK); /* taken by the pool above */
	CHECK_EQUAL(pool_table[POOL_ROOT].frames, owned);
}

static void test_transfer_refuses(void)
{
	uint16_t pool = child_pool(POOL_ROOT), sibling = child_pool(POOL_ROOT);

	CHECK_EQUAL(give(pool, MORE_FIRST, 2), ST_OK);
	CHECK_EQUAL(
		sim_op(pool, op_head(OP_TRANSFER, 0, MORE_FIRST, 0, 1), sibling, 0), ST_NO_RIGHT);
	CHECK_EQUAL(sim_op(pool, op_head(OP_TRANSFER, 0, DATA_FIRST, 0, 1), pool, 0), ST_BAD_FRAME);
	CHECK_EQUAL(give(0, MORE_FIRST, 1), ST_NO_RIGHT);
	CHECK_EQUAL(give(77, MORE_FIRST, 1), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_TRANSFER, MORE_FIRST, POOL_COUNT, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_TRANSFER, MORE_FIRST, pool | 1ull << 32, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_TRANSFER, MORE_FIRST, pool, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(give(pool, MORE_FIRST, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(give(pool, L1, 1), ST_WRONG_TYPE);
	CHECK_EQUAL(give(pool, MSG, 1), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L1, 0, page(1), 0), ST_OK);
	CHECK_EQUAL(give(pool, DATA_FIRST, 2), ST_BUSY);
	CHECK_EQUAL(sim_last.done, 1);
}

static void test_transfer_waits_for_a_flush_and_forgets_flags(void)
{
	uint16_t pool = child_pool(POOL_ROOT);
	uint64_t before = sim_flushes.everything;

	CHECK_EQUAL(set(L1, 0, page(0) | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, page(0)), ST_OK);
	CHECK_EQUAL(give(pool, DATA_FIRST, 1), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, before + 1);
	CHECK_EQUAL(data(0)->flags, 0);
}

static void test_lent_frames_can_be_mapped_by_the_borrower(void)
{
	uint16_t lender = POOL_ROOT, borrower = child_pool(POOL_ROOT),
		 stranger = child_pool(lender);
	uint64_t head = op_head(OP_SET, 0, MORE_FIRST, 0, 0), entry = page(0);

	CHECK_EQUAL(give(borrower, MORE_FIRST, 1), ST_OK);
	CHECK_EQUAL(sim_op(borrower, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 1), FRAME_L1, 0), ST_OK);
	CHECK_EQUAL(sim_op(borrower, head, entry, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, borrower, 0), ST_OK);
	CHECK_EQUAL(data(0)->holds, 1);
	CHECK_EQUAL(data(0)->live, borrower);
	CHECK_EQUAL(sim_op(borrower, head, entry, 0), ST_OK);
	CHECK_EQUAL(sim_op(lender, op_head(OP_LEND, 0, DATA_FIRST, 0, 0), 0, 0), ST_BUSY);
	CHECK_EQUAL(sim_op(borrower, op_head(OP_RETYPE, 0, DATA_FIRST, 0, 1), FRAME_FREE, 0),
		ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(borrower, head, 0, entry), ST_OK);
	CHECK_EQUAL(give(stranger, MORE_FIRST + 1, 1), ST_OK);
	CHECK_EQUAL(
		sim_op(stranger, op_head(OP_RETYPE, 0, MORE_FIRST + 1, 0, 1), FRAME_L1, 0), ST_OK);
	CHECK_EQUAL(
		sim_op(stranger, op_head(OP_SET, 0, MORE_FIRST + 1, 0, 0), entry, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(data(0)->holds, 0);
	CHECK_EQUAL(sim_op(borrower, head, entry, 0), ST_BAD_FRAME);
}

static void test_lending_ends_after_a_flush(void)
{
	uint16_t borrower = child_pool(POOL_ROOT);
	uint64_t before = sim_flushes.everything;

	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, borrower, 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, page(0)), ST_OK);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, before + 1);
}

static void test_lend_refuses(void)
{
	uint16_t borrower = child_pool(POOL_ROOT);

	CHECK_EQUAL(op(OP_LEND, MORE_FIRST, borrower, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_LEND, MSG, borrower, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_LEND, SIM_ZERO_FRAME, borrower, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 99, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 1ull << 40 | borrower, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, borrower, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 0, 0), ST_MISMATCH);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, borrower, 0), ST_OK);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, borrower, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_RELEASE, DATA_FIRST, 0, 0), ST_MISMATCH); /* the hold of the lending */
	CHECK_EQUAL(give(borrower, DATA_FIRST, 1), ST_BUSY);
	frame_refs_limit = 0;
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST + 1, borrower, 0), ST_LIMIT);
}

/* ---- pools ---- */

static void test_pools_form_a_tree(void)
{
	uint16_t child = child_pool(POOL_ROOT), grandchild = child_pool(child),
		 other = child_pool(POOL_ROOT);

	CHECK(pool_is_within(grandchild, POOL_ROOT) && pool_is_within(grandchild, child));
	CHECK(pool_is_within(grandchild, grandchild));
	CHECK(!pool_is_within(child, grandchild) && !pool_is_within(grandchild, other));
	CHECK(!pool_is_within(0, 0) && !pool_is_within(0, POOL_ROOT) &&
		!pool_is_within(POOL_COUNT, POOL_ROOT));
}

static void test_pools_have_a_greatest_depth_and_number(void)
{
	uint16_t pool = POOL_ROOT, created = 0;
	status_t status;

	for (uint32_t depth = 1; depth < POOL_DEPTH_MAX; depth++)
		pool = child_pool(pool);
	CHECK(pool_is_within(pool, POOL_ROOT));
	CHECK_EQUAL(op(OP_POOL_CREATE, 0, 0, 0), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_POOL_CREATE, 0, 0, 0, 0), 0, 0), ST_LIMIT);
	while ((status = pool_create(POOL_ROOT, &pool)) == ST_OK)
		created++;
	CHECK_EQUAL(status, ST_LIMIT);
	CHECK_EQUAL(created, POOL_COUNT - 2 - POOL_DEPTH_MAX);
}

static void test_lending_goes_up_or_down_only(void)
{
	uint16_t lender = child_pool(POOL_ROOT), sibling = child_pool(POOL_ROOT);

	CHECK_EQUAL(give(lender, DATA_FIRST, 1), ST_OK);
	CHECK_EQUAL(sim_op(lender, op_head(OP_LEND, 0, DATA_FIRST, 0, 0), sibling, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, sibling, 0), ST_OK); /* by a pool above both */
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(sim_op(lender, op_head(OP_LEND, 0, DATA_FIRST, 0, 0), POOL_ROOT, 0), ST_OK);
}

static status_t limited_pool(uint16_t parent, uint64_t limits)
{
	return sim_op(parent, op_head(OP_POOL_CREATE, 0, 0, 0, 0), limits, 0);
}

static void test_limits_of_a_pool_bind_all_below_it(void)
{
	uint64_t below_two = POOL_LIMITED | 10 | 2 << POOL_BELOW_SHIFT;
	uint16_t pool, child;

	CHECK_EQUAL(limited_pool(POOL_ROOT, below_two), ST_OK);
	pool = (uint16_t)sim_last.results[0];
	CHECK_EQUAL(pool_table[pool].priority, 10);
	CHECK_EQUAL(limited_pool(pool, POOL_LIMITED | 11), ST_NO_RIGHT);
	CHECK_EQUAL(limited_pool(pool, 10), ST_BAD_ARGUMENT);
	CHECK_EQUAL(limited_pool(pool, POOL_LIMITED | 1 << 6), ST_BAD_ARGUMENT);
	CHECK_EQUAL(limited_pool(pool, POOL_LIMITED | 1 << 16), ST_BAD_ARGUMENT);
	child = child_pool(pool); /* with its parent's limits */
	CHECK_EQUAL(pool_table[child].priority, 10);
	(void)child_pool(child);
	CHECK_EQUAL(limited_pool(child, 0), ST_LIMIT);
	CHECK_EQUAL(limited_pool(pool, 0), ST_LIMIT);
	CHECK_EQUAL(pool_table[pool].below, 2);
	CHECK_EQUAL(pool_destroy((uint16_t)(child + 1), POOL_ROOT), ST_OK);
	CHECK_EQUAL(pool_table[pool].below, 1);
	CHECK_EQUAL(limited_pool(pool, 0), ST_OK);
}

static void test_pool_destroy_refuses_pools_in_use(void)
{
	uint16_t pool = child_pool(POOL_ROOT), child = child_pool(pool);

	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY); /* has a child */
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, child, 0), ST_OK);
	CHECK_EQUAL(give(pool, MORE_FIRST, 1), ST_OK);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY); /* owns a frame */
	CHECK_EQUAL(give(POOL_ROOT, MORE_FIRST, 1), ST_OK);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, pool, 0), ST_OK);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY); /* was lent a frame */
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST, 0, 0), ST_OK);
	pool_add_user(pool);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY); /* is some space's authority */
	pool_remove_user(pool);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, pool, 0), ST_OK);
	CHECK(!pool_is_within(pool, POOL_ROOT));
}

static void test_pool_destroy_refuses_others_pools(void)
{
	uint16_t pool = child_pool(POOL_ROOT), sibling = child_pool(POOL_ROOT);
	uint64_t head = op_head(OP_POOL_DESTROY, 0, 0, 0, 0);

	CHECK_EQUAL(sim_op(pool, head, sibling, 0), ST_NO_RIGHT);
	CHECK_EQUAL(sim_op(pool, head, pool, 0), ST_NO_RIGHT);
	CHECK_EQUAL(sim_op(pool, head, POOL_ROOT, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, 200, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, POOL_COUNT, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, pool, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_POOL_CREATE, 0, 1, 0), ST_BAD_ARGUMENT);
}

static void user_removed_twice(void)
{
	pool_remove_user(POOL_ROOT);
}

static void test_pool_users_never_go_below_none(void)
{
	pool_add_user(0);
	pool_remove_user(0);
	CHECK(panics(user_removed_twice));
}

static void test_pool_tag_remembers_how_far_a_batch_got(void)
{
	struct op ops[] = {
		{ op_head(OP_NOP, 0, 0, 0, 0), 0, 0 },
		{ op_head(OP_POOL_TAG, 0, 0, 0, 0), 0xfeedfacecafebeefull, 0 },
		{ op_head(OP_NOP, 0, 0, 0, 0), 0, 0 },
		{ op_head(OP_HOLD, 0, MORE_FIRST, 0, 0), 0, 0 },
	};

	CHECK_EQUAL(sim_batch(POOL_ROOT, ops, 4, &sim_last), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_POOL_TAG, 0, 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 2);
	CHECK_EQUAL(sim_last.results[0], 0xfeedfacecafebeefull);
	CHECK_EQUAL(sim_last.results[1], 3);
	CHECK_EQUAL(op(OP_POOL_TAG, 0, 1, 1), ST_BAD_ARGUMENT);
}

static void test_pool_set_names_a_port(void)
{
	static struct space space;
	static struct thread thread;
	uint16_t pool = child_pool(POOL_ROOT);
	struct op ops = { op_head(OP_POOL_SET, 0, 0, 0, 0), pool, 5 | 6ull << 32 };
	struct batch batch = { .pool = POOL_ROOT, .caller = &thread, .work_left = 1 };
	uint32_t index;

	CHECK_EQUAL(op(OP_POOL_SET, 0, pool, 5), ST_BAD_HANDLE); /* no caller */
	CHECK_EQUAL(op(OP_POOL_SET, 0, 99, 0), ST_NO_RIGHT);
	thread.space = &space;
	space.handles[5] = (struct handle){ .pfn = MORE_FIRST, .rights = RIGHT_RECEIVE, .id = 12 };
	CHECK_EQUAL(batch_run(&batch, &ops, 1, &index), ST_NO_RIGHT);
	space.handles[5].rights = RIGHT_SEND;
	CHECK_EQUAL(batch_run(&batch, &ops, 1, &index), ST_OK);
	CHECK(pool_table[pool].port_pfn == MORE_FIRST && pool_table[pool].port_id == 12);
	CHECK_EQUAL(pool_table[pool].port_bits, 6);
	ops.b = HANDLE_SLOTS;
	CHECK_EQUAL(batch_run(&batch, &ops, 1, &index), ST_BAD_HANDLE);
	ops.b = 7;
	CHECK_EQUAL(batch_run(&batch, &ops, 1, &index), ST_BAD_HANDLE);
	ops.b = 0;
	CHECK_EQUAL(batch_run(&batch, &ops, 1, &index), ST_OK);
	CHECK_EQUAL(pool_table[pool].port_pfn, 0);
}

/* ---- the interpreter ---- */

static void test_batch_runs_in_order_and_stops_at_the_first_refusal(void)
{
	struct op ops[] = {
		{ op_head(OP_SET, 0, L1, 0, 0), page(0), 0 },
		{ op_head(OP_SET, 0, L1, 1, 0), page(1), 5 },
		{ op_head(OP_SET, 0, L1, 2, 0), page(2), 0 },
	};

	CHECK_EQUAL(sim_batch(POOL_ROOT, ops, 3, &sim_last), ST_MISMATCH);
	CHECK_EQUAL(sim_last.index, 1);
	CHECK(entries(L1)[0] == page(0) && entries(L1)[1] == 0 && entries(L1)[2] == 0);
	ops[0].b = page(0);
	ops[1].b = 0;
	CHECK_EQUAL(sim_batch(POOL_ROOT, ops, 3, &sim_last), ST_OK);
	CHECK_EQUAL(sim_last.index, 3);
	CHECK_EQUAL(sim_last.done, 0);
}

static void test_batch_refuses_unknown_operations_and_bits(void)
{
	CHECK_EQUAL(sim_op(POOL_ROOT, OP_NOP, 0, 0), ST_OK);
	CHECK_EQUAL(sim_op(POOL_ROOT, OP_COUNT, 0, 0), ST_BAD_CALL);
	CHECK_EQUAL(sim_op(POOL_ROOT, 255, 0, 0), ST_BAD_CALL);
	CHECK_EQUAL(sim_op(POOL_ROOT, OP_NOP | 1ull << 35, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_NOP, 1, 0, 0, 0), 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_SET, 3, L1, 0, 0), page(0), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_SET, 4, L1, 0, 0), page(0), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		sim_op(POOL_ROOT, op_head(OP_READ, FLUSH_ALL, L1, 0, 1), 0, 0), ST_BAD_ARGUMENT);
}

static void test_batch_without_a_pool_has_no_right(void)
{
	CHECK_EQUAL(sim_op(0, op_head(OP_NOP, 0, 0, 0, 0), 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(sim_op(0, op_head(OP_SET, 0, SIM_KERNEL_FRAME, 0, 0), 0, 0), ST_NO_RIGHT);
}

static void test_batch_work_is_bounded(void)
{
	struct op ops[64];

	for (uint32_t i = 0; i < 64; i++)
		ops[i] = (struct op){ op_head(OP_COPY_FRAME, 0, DATA_FIRST, 0, 0), DATA_FIRST + 1,
			0 };
	CHECK_EQUAL(sim_batch(POOL_ROOT, ops, 64, &sim_last), ST_MORE);
	CHECK_EQUAL(sim_last.index, OP_WORK_MAX / TABLE_ENTRIES);
	CHECK_EQUAL(sim_last.done, 0);
}

static void test_batch_gives_objects_to_the_kernel(void)
{
	CHECK_EQUAL(op(OP_PORT_CREATE, MORE_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(frame_table[MORE_FIRST].type, FRAME_PORT);
	CHECK_EQUAL(op(OP_DESTROY, MORE_FIRST, 0, 0), ST_OK);
	CHECK_EQUAL(frame_table[MORE_FIRST].type, FRAME_FREE);
}

static void test_flush_operation(void)
{
	CHECK_EQUAL(op(OP_FLUSH, SPACE, 0, 0), ST_OK);
	CHECK(sim_flushes.space == 1 && sim_flushes.last_space == space_of(SPACE));
	CHECK_EQUAL(op(OP_FLUSH, 0, 0, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.hinted_all, 1);
	CHECK_EQUAL(op(OP_FLUSH, 0, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_FLUSH, TOP, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_FLUSH, FRAMES, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(child_pool(POOL_ROOT), op_head(OP_FLUSH, 0, SPACE, 0, 0), 0, 0),
		ST_BAD_FRAME);
}

static void test_space_with_entries_cannot_end(void)
{
	CHECK_EQUAL(op(OP_DESTROY, SPACE, 0, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0), ST_OK);
	CHECK(frame_table[TOP_TWO].type == FRAME_FREE && is_zero(TOP_TWO));
}

/* ---- frame_check_all sees each rule broken ---- */

static void broken(uint32_t rule, pfn_t expected)
{
	struct frame before[FRAMES];
	pfn_t where = 0;

	memcpy(before, frame_table, sizeof(before));
	CHECK_EQUAL(frame_check_all(&where), rule);
	CHECK_EQUAL(where, expected);
	CHECK(memcmp(before, frame_table, sizeof(before)) == 0); /* it changed nothing */
}

#define BREAK(lvalue, value, rule, where)         \
	do {                                      \
		__typeof__(lvalue) kept = lvalue; \
		lvalue = (value);                 \
		broken(rule, where);              \
		lvalue = kept;                    \
		broken(0, 0);                     \
	} while (0)

static void test_check_sees_broken_frames(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(op(OP_LEND, DATA_FIRST + 1, child_pool(POOL_ROOT), 0), ST_OK);
	BREAK(data(5)->type, FRAME_TYPES, FRAME_RULE_TYPE, DATA_FIRST + 5);
	BREAK(data(5)->pool, 0, FRAME_RULE_TYPE, DATA_FIRST + 5);
	BREAK(data(5)->pool, 99, FRAME_RULE_TYPE, DATA_FIRST + 5);
	BREAK(frame_table[SIM_KERNEL_FRAME].pool, 1, FRAME_RULE_TYPE, SIM_KERNEL_FRAME);
	BREAK(frame_table[MORE_FIRST].refs, 1, FRAME_RULE_UNUSED, MORE_FIRST);
	BREAK(frame_table[MORE_FIRST].holds, 1, FRAME_RULE_UNUSED, MORE_FIRST);
	BREAK(frame_table[MSG].refs, 2, FRAME_RULE_UNUSED, MSG);
	BREAK(frame_table[TOP].refs, 1, FRAME_RULE_UNUSED, TOP);
	BREAK(data(5)->live, 1, FRAME_RULE_UNUSED, DATA_FIRST + 5);
	BREAK(data(5)->flags, FRAME_SPECIAL, FRAME_RULE_FLAGS, DATA_FIRST + 5);
	BREAK(frame_table[L1].flags, FRAME_DIRTY, FRAME_RULE_FLAGS, L1);
	BREAK(frame_table[L1].flags, FRAME_BLANK, FRAME_RULE_FLAGS, L1);
	CHECK_EQUAL(op(OP_ZERO, DATA_FIRST + 5, 0, 0), ST_OK);
	BREAK(entries(DATA_FIRST + 5)[511], 1, FRAME_RULE_FLAGS, DATA_FIRST + 5);
	BREAK(data(1)->holds, 0, FRAME_RULE_LENT, DATA_FIRST + 1);
	BREAK(data(1)->live, 99, FRAME_RULE_LENT, DATA_FIRST + 1);
	BREAK(data(5)->flags, FRAME_BLOCK, FRAME_RULE_BLOCK, DATA_FIRST + 5);
	BREAK(data(0)->refs, 2, FRAME_RULE_REFS, DATA_FIRST);
	BREAK(data(0)->refs, 0, FRAME_RULE_REFS, DATA_FIRST);
	BREAK(frame_table[L2].refs, 0, FRAME_RULE_REFS, L2);
	BREAK(frame_table[L1].live, 0, FRAME_RULE_LIVE, L1);
	BREAK(frame_table[TOP].live, 2, FRAME_RULE_LIVE, TOP);
}

static void test_check_sees_broken_entries(void)
{
	uint64_t *leaf = &entries(L1)[0], *link = &entries(L2)[0];

	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	BREAK(*leaf, page(0) | PTE_G, FRAME_RULE_ENTRY_BITS, L1);
	BREAK(*leaf, page(0) | PTE_PCD, FRAME_RULE_ENTRY_BITS, L1);
	BREAK(*leaf, page(0) | PTE_PS, FRAME_RULE_ENTRY_BITS, L1);
	BREAK(*leaf, page(0) | 1ull << 45, FRAME_RULE_ENTRY_BITS, L1);
	BREAK(*leaf, pte_make(FRAMES, PAGE_RW), FRAME_RULE_ENTRY_TARGET, L1);
	BREAK(*leaf, pte_make(0, PAGE_RW), FRAME_RULE_ENTRY_TARGET, L1);
	BREAK(*leaf, pte_make(L1, PAGE_RO), FRAME_RULE_ENTRY_TARGET, L1);
	BREAK(*leaf, pte_make(MORE_FIRST, PAGE_RO), FRAME_RULE_ENTRY_TARGET, L1);
	BREAK(*leaf, pte_make(MSG, PAGE_RW), FRAME_RULE_FLAGS, L1);
	BREAK(*leaf, pte_make(SIM_ZERO_FRAME, PAGE_RW), FRAME_RULE_ENTRY_WRITE, L1);
	BREAK(*leaf, pte_make(SIM_KERNEL_FRAME, PAGE_RO), FRAME_RULE_ENTRY_TARGET, L1);
	BREAK(*leaf, 0, FRAME_RULE_LIVE, L1);
	BREAK(*link, link_to(L1) & ~PTE_U, FRAME_RULE_ENTRY_BITS, L2);
	BREAK(*link, link_to(L1) | PTE_NX, FRAME_RULE_ENTRY_BITS, L2);
	BREAK(*link, link_to(L2), FRAME_RULE_ENTRY_TARGET, L2);
	BREAK(*link, link_to(L3), FRAME_RULE_ENTRY_TARGET, L2);
	BREAK(*link, pte_make(BLOCK_HEAD, LINK | PTE_PS), FRAME_RULE_ENTRY_TARGET, L2);
	BREAK(entries(TOP)[0], link_to(L2), FRAME_RULE_ENTRY_TARGET, TOP);
	BREAK(entries(TOP)[LAYOUT_DIRECT_FIRST_SLOT], link_to(SIM_KERNEL_FRAME), 0,
		0); /* not the calls' */
}

static void test_check_sees_broken_blocks(void)
{
	uint64_t large = pte_make(BLOCK_HEAD, PAGE_RW | PTE_PS);

	CHECK_EQUAL(retype(BLOCK_HEAD, 512, FRAME_DATA), ST_OK);
	CHECK_EQUAL(set(L2, 1, large, 0), ST_OK);
	BREAK(frame_table[BLOCK_HEAD + 7].flags, 0, FRAME_RULE_BLOCK, BLOCK_HEAD + 7);
	BREAK(frame_table[BLOCK_HEAD + 7].pool, child_pool(POOL_ROOT), FRAME_RULE_BLOCK,
		BLOCK_HEAD + 7);
	BREAK(frame_table[BLOCK_HEAD].live, 2, FRAME_RULE_LIVE, BLOCK_HEAD);
	BREAK(frame_table[BLOCK_HEAD].live, 0, FRAME_RULE_BLOCK, BLOCK_HEAD);
	BREAK(frame_table[L2].flags, 0, FRAME_RULE_FLAGS, L2);
	BREAK(entries(L2)[1], large | PTE_G, FRAME_RULE_ENTRY_BITS, L2);
	BREAK(entries(L2)[1], large + (1ull << PAGE_SHIFT), FRAME_RULE_ENTRY_TARGET, L2);
}

static const struct check_test tests[] = {
	CHECK_TEST(retype_goes_between_all_chosen_types),
	CHECK_TEST(retype_clears_forged_entries),
	CHECK_TEST(retype_keeps_data_between_plain_types),
	CHECK_TEST(retype_of_an_emptied_table_leaves_zeros),
	CHECK_TEST(what_was_a_table_is_not_cleared_again),
	CHECK_TEST(zeroes_make_an_unused_frame_blank),
	CHECK_TEST(zeroes_of_a_blank_frame_clear_nothing),
	CHECK_TEST(a_frame_is_blank_after_a_flush_only),
	CHECK_TEST(a_blank_frame_that_was_mapped_is_none),
	CHECK_TEST(a_blank_frame_that_was_held_is_none),
	CHECK_TEST(a_blank_frame_that_was_copied_to_is_none),
	CHECK_TEST(a_blank_frame_of_a_block_is_none),
	CHECK_TEST(retype_refuses_used_frames),
	CHECK_TEST(retype_refuses_frames_of_the_kernel_and_objects),
	CHECK_TEST(retype_refuses_bad_arguments),
	CHECK_TEST(retype_stops_inside_its_run),
	CHECK_TEST(retype_that_clears_is_bounded),
	CHECK_TEST(retype_waits_for_a_flush_after_the_last_reference),
	CHECK_TEST(retype_of_an_unlinked_table_waits_for_a_flush),
	CHECK_TEST(retype_forgets_flags),
	CHECK_TEST(zero_fills_data_frames),
	CHECK_TEST(zero_refuses),
	CHECK_TEST(copy_frame_copies_all),
	CHECK_TEST(copy_frame_copies_a_part),
	CHECK_TEST(copy_frame_refuses),
	CHECK_TEST(holds_are_counted),
	CHECK_TEST(holds_refuse_at_the_limit),
	CHECK_TEST(holds_of_message_pages_are_the_kernels),
	CHECK_TEST(hold_refuses),
	CHECK_TEST(frame_release_without_a_hold_panics),
	CHECK_TEST(transfer_changes_the_owner),
	CHECK_TEST(transfer_refuses),
	CHECK_TEST(transfer_waits_for_a_flush_and_forgets_flags),
	CHECK_TEST(lent_frames_can_be_mapped_by_the_borrower),
	CHECK_TEST(lending_ends_after_a_flush),
	CHECK_TEST(lend_refuses),
	CHECK_TEST(pools_form_a_tree),
	CHECK_TEST(pools_have_a_greatest_depth_and_number),
	CHECK_TEST(lending_goes_up_or_down_only),
	CHECK_TEST(limits_of_a_pool_bind_all_below_it),
	CHECK_TEST(pool_destroy_refuses_pools_in_use),
	CHECK_TEST(pool_destroy_refuses_others_pools),
	CHECK_TEST(pool_users_never_go_below_none),
	CHECK_TEST(pool_tag_remembers_how_far_a_batch_got),
	CHECK_TEST(pool_set_names_a_port),
	CHECK_TEST(batch_runs_in_order_and_stops_at_the_first_refusal),
	CHECK_TEST(batch_refuses_unknown_operations_and_bits),
	CHECK_TEST(batch_without_a_pool_has_no_right),
	CHECK_TEST(batch_work_is_bounded),
	CHECK_TEST(batch_gives_objects_to_the_kernel),
	CHECK_TEST(flush_operation),
	CHECK_TEST(space_with_entries_cannot_end),
	CHECK_TEST(check_sees_broken_frames),
	CHECK_TEST(check_sees_broken_entries),
	CHECK_TEST(check_sees_broken_blocks),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), fixture_start, fixture_check, argc, argv);
}
