/*
 * Tests of batches: order, the first refusal, bounds, tags, and the rights a batch needs.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define DATA_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)

static status_t batch_raw(uint64_t count, uint64_t out[3])
{
	return call(CALL_BATCH, count, 0, 0, 0, out);
}

static bool a_batch_runs_in_order_and_stops_at_the_first_refusal(void)
{
	pfn_t pfn = frame_take(), table = frame_take();

	batch_begin();
	batch_add(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_DATA, 0);
	batch_add(op_head(OP_RETYPE, 0, table, 0, 1), FRAME_L1, 0);
	batch_add(op_head(OP_SET, 0, table, 0, 1), pte_make(pfn, DATA_BITS), 0);
	batch_add(op_head(OP_SET, 0, table, 0, 1), 0, 0x10);
	batch_add(op_head(OP_SET, 0, table, 1, 1), 0x20, 0);
	CHECK_EQUAL(batch_end(), ST_MISMATCH);
	CHECK_EQUAL(outcome.done, 3);
	CHECK_EQUAL(outcome.entries, 0);
	CHECK_EQUAL(FRAMES[table].live, 1);
	CHECK_EQUAL(table_entry(table, 1), 0);
	return true;
}

static bool the_number_of_operations_is_checked(void)
{
	uint64_t out[3];

	CHECK_EQUAL(batch_raw(0, out), ST_BAD_ARGUMENT);
	CHECK_EQUAL(batch_raw(OP_MAX_IN_PAGE + 1, out), ST_BAD_ARGUMENT);
	CHECK_EQUAL(batch_raw(1ull << 32 | 1, out), ST_BAD_ARGUMENT);
	CHECK_EQUAL(batch_raw(~0ull, out), ST_BAD_ARGUMENT);
	batch_begin();
	for (uint32_t i = 0; i < OP_MAX_IN_PAGE; i++) {
		batch_add(op_head(OP_NOP, 0, 0, 0, 0), 0, 0);
	}
	CHECK_EQUAL(batch_raw(OP_MAX_IN_PAGE, out), ST_OK);
	CHECK_EQUAL(out[0], OP_MAX_IN_PAGE);
	batch_begin();
	batch_add(op_head(OP_NOP, 0, 0, 0, 0), 0, 0);
	batch_add(op_head(OP_COUNT, 0, 0, 0, 0), 0, 0);
	CHECK_EQUAL(batch_raw(2, out), ST_BAD_CALL);
	CHECK_EQUAL(out[0], 1);
	return true;
}

/* The message page is held while its batch runs. */
static bool a_batch_needs_a_hold_of_the_message_page(void)
{
	struct message message;
	struct sub sub;
	status_t alone, in_reply;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 1, 0, 0));
	alone = batch_raw(1, NULL);
	message.tag = 1ull << TAG_OPS_SHIFT;
	in_reply = reply_receive(SLOT_SELF | RR_REPLY, &message);
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 0, 0, 0));
	CHECK_EQUAL(alone, ST_LIMIT);
	CHECK_EQUAL(in_reply, ST_LIMIT);
	CHECK_OK(reply(message.token, 0, 0));
	return true;
}

static bool unknown_operations_and_flags_are_refused(void)
{
	static const uint32_t plain[] = { OP_NOP, OP_RETYPE, OP_READ, OP_ZERO, OP_COPY_FRAME,
		OP_HOLD, OP_RELEASE, OP_TRANSFER, OP_LEND, OP_FLUSH, OP_POOL_CREATE, OP_POOL_SET,
		OP_POOL_DESTROY, OP_POOL_TAG };
	pfn_t table = frame_take_as(FRAME_L1);

	for (uint32_t op = OP_COUNT; op < 256; op++) {
		CHECK_EQUAL(op_run(op_head(op, 0, table, 0, 1), 0, 0), ST_BAD_CALL);
	}
	for (uint32_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		CHECK_EQUAL(op_flagged(plain[i], FLUSH_ALL, table, 0, 1, 0, 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(op_flagged(OP_SET, 3, table, 0, 1, 0x10, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_flagged(OP_SET, 4, table, 0, 1, 0x10, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_flagged(OP_CLEAR, 0x80, table, 0, 1, 0, 0), ST_BAD_ARGUMENT);
	for (uint32_t op = 0; op < OP_COUNT; op++) {
		CHECK_EQUAL(
			op_run(op_head(op, 0, table, 0, 1) | 1ull << 35, 0x10, 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(table_entry(table, 0), 0);
	CHECK_EQUAL(FRAMES[table].type, FRAME_L1);
	return true;
}

static bool a_space_without_a_pool_has_no_batches(void)
{
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step = step_add(0, CALL_BATCH, 1, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(step->out.rax, ST_NO_RIGHT);
	return true;
}

static bool a_thread_without_a_message_page_has_no_batches(void)
{
	struct sub_wish wish = { .no_message_page = true, .pool = (uint16_t)boot->pool };
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	step = step_add(0, CALL_BATCH, 1, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(step->out.rax, ST_NO_PAGE);
	return true;
}

/* Operations whose result has no place say MORE, and have done nothing. */
static bool without_room_for_results_nothing_is_done(void)
{
	pfn_t table = frame_take_as(FRAME_L1), other = frame_take_as(FRAME_L1),
	      pfn = frame_take_as(FRAME_DATA);
	static const uint32_t needs_room[] = { OP_POOL_CREATE, OP_POOL_TAG, OP_THREAD_GET, OP_SET,
		OP_CLEAR, OP_FILL, OP_READ, OP_HARVEST };
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_at(OP_SET, other, 0, pte_make(pfn, DATA_BITS | PTE_A), 0));
	for (uint32_t i = 0; i < sizeof(needs_room) / sizeof(needs_room[0]); i++) {
		uint32_t op = needs_room[i];
		uint64_t a = 0, b = 0;

		batch_begin();
		batch_add(op_head(OP_READ, 0, table, 0, OP_RESULTS_MAX), 0, 0);
		if (op == OP_SET || op == OP_FILL) {
			a = op == OP_SET ? 0 : PTE_P | PTE_U;
			b = pte_make(pfn, DATA_BITS);
		}
		batch_add(op_head(op, 0, op == OP_THREAD_GET ? sub.thread : other, 0, 1), a, b);
		batch_add(boot->zero_frame, 0, 0); /* the list of OP_FILL */
		CHECK_EQUAL(batch_end(), ST_MORE);
		CHECK_EQUAL(outcome.done, 1);
		CHECK_EQUAL(outcome.entries, 0);
		CHECK_EQUAL(outcome.results, OP_RESULTS_MAX);
		CHECK_EQUAL(table_entry(other, 0), pte_make(pfn, DATA_BITS | PTE_A));
	}
	return true;
}

static bool the_work_of_one_call_is_bounded(void)
{
	pfn_t table = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1);
	static const uint32_t runs[] = { OP_CLEAR, OP_PROTECT, OP_HARVEST, OP_COPY, OP_MOVE };

	for (uint32_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		uint64_t a =
			runs[i] == OP_COPY || runs[i] == OP_MOVE ? (uint64_t)to << OP_PFN_SHIFT : 0;

		batch_begin();
		for (uint32_t k = 0; k < 8; k++) {
			batch_add(op_head(OP_CLEAR, 0, table, 0, k == 7 ? 500 : 512), 0, 0);
		}
		batch_add(op_head(runs[i], 0, table, 0, 20), a, 0);
		CHECK_EQUAL(batch_end(), ST_MORE);
		CHECK_EQUAL(outcome.done, 8);
		CHECK_EQUAL(outcome.entries, 12);
	}
	batch_begin();
	for (uint32_t k = 0; k < 8; k++) {
		batch_add(op_head(OP_CLEAR, 0, table, 0, 512), 0, 0);
	}
	batch_add(op_head(OP_SET, 0, table, 0, 1), 0x10, 0);
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK_EQUAL(table_entry(table, 0), 0);
	return true;
}

static bool work_used_up_stops_transfers_too(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take();
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	batch_begin();
	for (uint32_t k = 0; k < 8; k++) {
		batch_add(op_head(OP_CLEAR, 0, table, 0, 512), 0, 0);
	}
	batch_add(op_head(OP_TRANSFER, 0, pfn, 0, 1), pool, 0);
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK_EQUAL(FRAMES[pfn].pool, boot->pool);
	return true;
}

/* ---- tags ---- */

static bool tag_is(uint64_t tag, uint64_t index)
{
	CHECK_OK(op_on(OP_POOL_TAG, 0, 0, 0));
	CHECK_EQUAL(outcome.results, 2);
	CHECK_EQUAL(results[0], tag);
	CHECK_EQUAL(results[1], index);
	return true;
}

static bool a_tag_remembers_how_far_its_batch_came(void)
{
	pfn_t table = frame_take_as(FRAME_L1);

	batch_begin();
	batch_add(op_head(OP_POOL_TAG, 0, 0, 0, 0), 0x123456789abcdef0, 0);
	batch_add(op_head(OP_SET, 0, table, 0, 1), 0x10, 0);
	batch_add(op_head(OP_SET, 0, table, 0, 1), 0x20, 0x30);
	batch_add(op_head(OP_SET, 0, table, 1, 1), 0x10, 0);
	CHECK_EQUAL(batch_end(), ST_MISMATCH);
	CHECK(tag_is(0x123456789abcdef0, 2));
	batch_begin();
	batch_add(op_head(OP_POOL_TAG, 0, 0, 0, 0), 77, 0);
	batch_add(op_head(OP_NOP, 0, 0, 0, 0), 0, 0);
	CHECK_OK(batch_end());
	CHECK(tag_is(77, 2));
	CHECK_OK(op_on(OP_NOP, 0, 0, 0));
	CHECK(tag_is(77, 2));
	CHECK_EQUAL(op_on(OP_POOL_TAG, 0, 5, 1), ST_BAD_ARGUMENT);
	return true;
}

/* ---- a caller that pulls the rug from under its own batch ---- */

/* A sub with a pool of its own, to which its thread and message page belong, and its message page
   in window 1. */
static bool sub_with_pool(struct sub *sub, struct op **ops, uint16_t *pool)
{
	struct sub_wish wish = { 0 };
	pfn_t thread, message;

	CHECK_OK(pool_make(pool));
	wish.pool = *pool;
	CHECK(sub_make(sub, &wish));
	CHECK_OK(op_on(OP_DESTROY, sub->thread, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, sub->message_table, 0, 1, 0, 0));
	thread = sub->thread;
	message = frame_take();
	CHECK_OK(op_on(OP_TRANSFER, thread, *pool, 0));
	CHECK_OK(op_on(OP_TRANSFER, message, *pool, 0));
	CHECK_OK(op_on(OP_RETYPE, message, FRAME_MSG, 0));
	CHECK_OK(op_on(OP_THREAD_CREATE, thread, sub->space, PRIORITY_ABOVE));
	CHECK(sub_set(sub, THREAD_FIELD_MESSAGE, message, 0));
	CHECK(sub_set(sub, THREAD_FIELD_EXCEPTION_PORT, SLOT_SELF, sub->badge));
	sub->message = message;
	*ops = (struct op *)window_open(1, message);
	return true;
}

static bool the_message_page_of_a_running_batch_stays_one(void)
{
	struct op *ops;
	struct sub sub;
	pfn_t source;
	uint16_t pool;

	CHECK(sub_with_pool(&sub, &ops, &pool));
	source = frame_take();
	CHECK_OK(op_on(OP_TRANSFER, source, pool, 0));
	CHECK_OK(op_on(OP_RETYPE, source, FRAME_L1, 0));
	CHECK_OK(op_at(OP_SET, source, 0, pte_make(boot->zero_frame, PTE_P | PTE_U | PTE_SOFT), 0));
	ops[0] =
		(struct op){ op_head(OP_THREAD_SET, 0, sub.thread, THREAD_FIELD_MESSAGE, 1), 0, 0 };
	ops[1] = (struct op){ op_head(OP_RETYPE, 0, sub.message, 0, 1), FRAME_L1, 0 };
	ops[2] = (struct op){ op_head(OP_READ, 0, source, 0, 1), 0, 0 };
	window_close(1);
	step_add(0, CALL_BATCH, 3, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	if (FRAMES[sub.message].type == FRAME_L1) {
		CHECK_EQUAL(table_entry(sub.message, OP_RESULTS_OFFSET / 8), 0);
	}
	return true;
}

static bool a_thread_that_destroys_itself_leaves_a_clean_frame(void)
{
	struct op *ops;
	struct sub sub;
	uint16_t pool;

	CHECK(sub_with_pool(&sub, &ops, &pool));
	ops[0] = (struct op){ op_head(OP_DESTROY, 0, sub.thread, 0, 1), 0, 0 };
	ops[1] = (struct op){ op_head(OP_RETYPE, 0, sub.thread, 0, 1), FRAME_L1, 0 };
	window_close(1);
	step_add(0, CALL_BATCH, 2, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	if (FRAMES[sub.thread].type == FRAME_L1) {
		for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
			CHECK_EQUAL(table_entry(sub.thread, i), 0);
		}
	} else if (FRAMES[sub.thread].type == FRAME_FREE) {
		CHECK_OK(op_on(OP_RETYPE, sub.thread, FRAME_DATA, 0));
		CHECK(frame_holds(sub.thread, 0));
	}
	return true;
}

static bool a_thread_that_stops_and_starts_itself_goes_on(void)
{
	struct op *ops;
	struct sub sub;
	uint16_t pool;

	CHECK(sub_with_pool(&sub, &ops, &pool));
	ops[0] = (struct op){ op_head(OP_THREAD_STOP, 0, sub.thread, 0, 1), 0, 0 };
	ops[1] = (struct op){ op_head(OP_THREAD_START, 0, sub.thread, 0, 1), 0, 0 };
	window_close(1);
	step_add(0, CALL_BATCH, 2, 0, 0, 0);
	step_add(0, CALL_YIELD, 0, 0, 0, 0);
	step_add(0, CALL_YIELD, 0, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 3);
	return true;
}

const struct test tests_batches[] = {
	{ "a_batch_runs_in_order_and_stops_at_the_first_refusal",
		a_batch_runs_in_order_and_stops_at_the_first_refusal },
	{ "the_number_of_operations_is_checked", the_number_of_operations_is_checked },
	{ "a_batch_needs_a_hold_of_the_message_page", a_batch_needs_a_hold_of_the_message_page },
	{ "unknown_operations_and_flags_are_refused", unknown_operations_and_flags_are_refused },
	{ "a_space_without_a_pool_has_no_batches", a_space_without_a_pool_has_no_batches },
	{ "a_thread_without_a_message_page_has_no_batches",
		a_thread_without_a_message_page_has_no_batches },
	{ "without_room_for_results_nothing_is_done", without_room_for_results_nothing_is_done },
	{ "the_work_of_one_call_is_bounded", the_work_of_one_call_is_bounded },
	{ "work_used_up_stops_transfers_too", work_used_up_stops_transfers_too },
	{ "a_tag_remembers_how_far_its_batch_came", a_tag_remembers_how_far_its_batch_came },
	{ "the_message_page_of_a_running_batch_stays_one",
		the_message_page_of_a_running_batch_stays_one },
	{ "a_thread_that_destroys_itself_leaves_a_clean_frame",
		a_thread_that_destroys_itself_leaves_a_clean_frame },
	{ "a_thread_that_stops_and_starts_itself_goes_on",
		a_thread_that_stops_and_starts_itself_goes_on },
	{ 0 },
};
