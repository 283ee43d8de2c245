/*
 * Tests of flushes: what hints do, and what the kernel does without any.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define DATA_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)

static bool flushes_off(bool off)
{
	return call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_NO_FLUSH, off, 0, 0) == ST_OK;
}

static bool hints_flush_and_their_absence_does_not(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	struct info_counters before, after;

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, table, 1, pte_make(pfn, DATA_BITS), 0));
	before = counters_now();
	CHECK_OK(op_many(OP_PROTECT, table, 0, 1, PTE_W, 0));
	after = counters_now();
	CHECK_EQUAL(after.hinted_flushes, before.hinted_flushes);
	CHECK_OK(op_flagged(OP_PROTECT, FLUSH_ALL, table, 1, 1, PTE_W, 0));
	before = counters_now();
	CHECK_EQUAL(before.hinted_flushes, after.hinted_flushes + 1);
	return true;
}

static bool a_refused_operation_flushes_nothing(void)
{
	pfn_t table = frame_take_as(FRAME_L1);
	struct info_counters before = counters_now(), after;

	CHECK_EQUAL(op_flagged(OP_SET, FLUSH_ALL, table, 0, 1, 0x10, 0x20), ST_MISMATCH);
	after = counters_now();
	CHECK_EQUAL(after.hinted_flushes, before.hinted_flushes);
	return true;
}

static bool flush_refuses(void)
{
	CHECK_EQUAL(op_many(OP_FLUSH, boot->thread, 0, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_FLUSH, boot->init_space, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_FLUSH, boot->frames, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_OK(op_many(OP_FLUSH, boot->space, 0, 0, 0, 0));
	CHECK_OK(op_many(OP_FLUSH, 0, 0, 0, 0, 0));
	return true;
}

/* After forbid and flush, the next write of a running program faults, and goes nowhere. */
static bool a_program_that_lost_write_faults_after_the_flush(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_write_call_write, SUB_PRIVATE, 0x10));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_many(OP_PROTECT, sub.image_table, sub_index(SUB_PRIVATE), 1, PTE_W, 0));
	CHECK_OK(op_many(OP_FLUSH, sub.space, 0, 0, 0, 0));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK(frame_holds_word(sub.private, 0x10));
	return true;
}

/*
 * FORK-4: a program takes W from its own page, as fork does from its parent's, and writes again. 
 * Nothing switches spaces in between (each load of CR3 flushes in both emulators, also where
 * there is PCID).
 */
static bool takes_write_from_itself(struct sub *sub, bool without_flush)
{
	struct sub_wish wish = { .pool = (uint16_t)boot->pool };
	struct op *ops;

	CHECK(sub_make(sub, &wish));
	ops = message_open(sub->message);
	ops[0] = (struct op){ op_head(OP_PROTECT, FLUSH_ALL, sub->image_table,
				      sub_index(SUB_PRIVATE), 1),
		PTE_W, 0 };
	message_close(sub->message);
	CHECK(flushes_off(without_flush));
	CHECK(sub_start(sub, program_write_batch_write, SUB_PRIVATE, 0x10));
	CHECK(flushes_off(false));
	return true;
}

static bool with_the_flush_a_write_after_the_loss_of_write_faults(void)
{
	struct message message;
	struct sub sub;

	CHECK(takes_write_from_itself(&sub, false));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[0], SUB_PRIVATE);
	CHECK(frame_holds_word(sub.private, 0x10));
	return true;
}

static bool without_the_flush_it_goes_through_the_stale_translation(void)
{
	struct message message;
	struct sub sub;

	CHECK(takes_write_from_itself(&sub, true));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	CHECK(!(sub_entry(&sub, SUB_PRIVATE) & PTE_W));
	CHECK(frame_holds_word(sub.private, 0x11));
	return true;
}

/* A frame taken away without any hint and given another use is never reached through the old
   translation. */
static bool reuse_is_safe_without_any_hint(void)
{
	struct message message;
	struct sub sub;
	pfn_t secret;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_write_call_write, SUB_PRIVATE, 0x10));
	CHECK_OK(receive_now(&message));
	CHECK(flushes_off(true));
	CHECK_OK(op_many(OP_CLEAR, sub.image_table, sub_index(SUB_PRIVATE), 1, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, sub.private, FRAME_L1, 0));
	CHECK(flushes_off(false));
	secret = sub.private;
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(table_entry(secret, 0), 0);
	return true;
}

/* The same for a table that a stale entry of the level above could still lead to. */
static bool reuse_of_a_table_is_safe_without_any_hint(void)
{
	struct message message;
	struct sub sub;
	pfn_t upper, table;
	const uint64_t address = 0x0000004000200000;

	CHECK(sub_make(&sub, NULL));
	CHECK(map_page(sub.top, address, sub.private, DATA_BITS));
	upper = walk_table(sub.top, address, 2);
	table = walk_table(sub.top, address, 1);
	CHECK(sub_start(&sub, program_write_call_write, address, 0x10));
	CHECK_OK(receive_now(&message));
	CHECK(flushes_off(true));
	CHECK_OK(op_many(OP_CLEAR, upper, table_index(address, 2), 1, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, table, table_index(address, 1), 1, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_DATA, 0));
	CHECK(flushes_off(false));
	frame_fill(table, pte_make(sub.message, DATA_BITS)); /* what a table there would map */
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[0], address);
	return true;
}

/* More spaces than there are address-space identifiers in flight at once must not mix. */
static bool many_spaces_never_see_each_other(void)
{
	struct sub subs[40];

	for (uint32_t i = 0; i < 40; i++) {
		CHECK(sub_make(&subs[i], NULL));
		frame_fill(subs[i].private, 0x1000 + i);
	}
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 40; i++) {
			CHECK(sub_start(&subs[i], program_read, SUB_PRIVATE, 0));
			CHECK_EQUAL(shared_page.word[0], 0x1000 + i);
		}
	}
	return true;
}

const struct test tests_flushes[] = {
	{ "hints_flush_and_their_absence_does_not", hints_flush_and_their_absence_does_not },
	{ "a_refused_operation_flushes_nothing", a_refused_operation_flushes_nothing },
	{ "flush_refuses", flush_refuses },
	{ "a_program_that_lost_write_faults_after_the_flush",
		a_program_that_lost_write_faults_after_the_flush },
	{ "with_the_flush_a_write_after_the_loss_of_write_faults",
		with_the_flush_a_write_after_the_loss_of_write_faults },
	{ "without_the_flush_it_goes_through_the_stale_translation",
		without_the_flush_it_goes_through_the_stale_translation },
	{ "reuse_is_safe_without_any_hint", reuse_is_safe_without_any_hint },
	{ "reuse_of_a_table_is_safe_without_any_hint", reuse_of_a_table_is_safe_without_any_hint },
	{ "many_spaces_never_see_each_other", many_spaces_never_see_each_other },
	{ 0 },
};
