/*
 * Tests of page faults as messages: what they say, how they are cured or refused.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define DATA_BITS     (PTE_P | PTE_W | PTE_U | PTE_NX)
#define TABLE_BITS    (PTE_P | PTE_W | PTE_U)
#define FAR_AWAY      0x0000123456789000ull /* in a top-level slot where a sub has nothing */
#define HARDWARE_BITS (FAULT_PRESENT | FAULT_WRITE | FAULT_USER | FAULT_RESERVED | FAULT_FETCH)

static bool run(struct sub *sub, program_t program, uint64_t first, uint64_t second)
{
	return sub_make(sub, NULL) && sub_start(sub, program, first, second);
}

/* The next message is a fault of the sub, of this address, access and refusing level. */
static bool fault_is(const struct sub *sub, struct message *message, uint64_t address,
	uint64_t access, uint32_t level)
{
	CHECK_OK(receive_now(message));
	CHECK_EQUAL(message->tag & ~(uint64_t)UINT32_MAX, TAG_KERNEL);
	CHECK_EQUAL(TAG_LABEL(message->tag), LABEL_FAULT);
	CHECK_EQUAL(message->badge, sub->badge);
	CHECK_EQUAL(message->w[0], address);
	CHECK_EQUAL(message->w[1] & HARDWARE_BITS, access);
	CHECK_EQUAL(FAULT_LEVEL(message->w[1]), level);
	CHECK_EQUAL(FAULT_LEVELS(message->w[1]), LAYOUT_LEVELS);
	return true;
}

/* What a resumed read left in the shared page. */
static bool was_read(uint64_t value)
{
	CHECK_EQUAL(shared_page.word[1], 1);
	CHECK_EQUAL(shared_page.word[0], value);
	return true;
}

static bool a_read_of_an_absent_page_shows_the_whole_walk(void)
{
	struct registers registers;
	struct message message;
	struct sub sub;

	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	for (uint32_t level = LAYOUT_LEVELS; level >= 1; level--) {
		pfn_t table = walk_table(sub.top, SUB_UNUSED, level);

		CHECK_EQUAL(message.w[3 + LAYOUT_LEVELS - level] & ~(PTE_A | PTE_D),
			table_entry(table, table_index(SUB_UNUSED, level)) & ~(PTE_A | PTE_D));
	}
	CHECK_EQUAL(message.w[7], 0);
	CHECK(sub_registers(&sub, &registers));
	CHECK_EQUAL(message.w[2], registers.rip);
	CHECK_EQUAL(shared_page.word[1], 0);
	return true;
}

static bool a_write_to_a_read_only_page_is_refused_by_rights(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_many(OP_PROTECT, sub.image_table, sub_index(SUB_PRIVATE), 1, PTE_W, 0));
	CHECK(sub_start(&sub, program_write, SUB_PRIVATE, 5));
	CHECK(fault_is(&sub, &message, SUB_PRIVATE, FAULT_USER | FAULT_WRITE | FAULT_PRESENT, 1));
	return true;
}

static bool a_fetch_from_data_is_refused_by_rights(void)
{
	struct message message;
	struct sub sub;

	CHECK(run(&sub, program_jump, SUB_PRIVATE + 8, 0));
	CHECK(fault_is(
		&sub, &message, SUB_PRIVATE + 8, FAULT_USER | FAULT_FETCH | FAULT_PRESENT, 1));
	CHECK_EQUAL(message.w[2], SUB_PRIVATE + 8);
	return true;
}

static bool a_page_without_user_access_is_refused_by_rights(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_many(OP_PROTECT, sub.image_table, sub_index(SUB_PRIVATE), 1, PTE_U | PTE_W, 0));
	CHECK(sub_start(&sub, program_read, SUB_PRIVATE, 0));
	CHECK(fault_is(&sub, &message, SUB_PRIVATE, FAULT_USER | FAULT_PRESENT, 1));
	CHECK_EQUAL(FRAMES[sub.private].refs, 1);
	return true;
}

static bool the_refusing_level_is_the_first_absent_from_the_top(void)
{
	struct message message;
	struct sub sub;
	pfn_t table;

	CHECK(run(&sub, program_read, FAR_AWAY, 0));
	table = sub.top;
	for (uint32_t level = LAYOUT_LEVELS; level > 1; level--) {
		pfn_t below = frame_take_as((frame_type_t)(FRAME_L1 + level - 2));

		CHECK(fault_is(&sub, &message, FAR_AWAY, FAULT_USER, level));
		CHECK_EQUAL(message.w[3 + LAYOUT_LEVELS - level], 0);
		CHECK_OK(op_at(OP_SET, table, table_index(FAR_AWAY, level),
			pte_make(below, TABLE_BITS), 0));
		CHECK_OK(reply(message.token, FAULT_RESUME, 0));
		table = below;
	}
	CHECK(fault_is(&sub, &message, FAR_AWAY, FAULT_USER, 1));
	return true;
}

static bool the_refusing_level_is_the_first_without_write_from_the_top(void)
{
	struct message message;
	struct sub sub;

	for (uint32_t level = 1; level <= LAYOUT_LEVELS; level++) {
		pfn_t table;

		CHECK(sub_make(&sub, NULL));
		CHECK(map_page(sub.top, FAR_AWAY, sub.private, DATA_BITS));
		table = walk_table(sub.top, FAR_AWAY, level);
		CHECK_OK(op_many(OP_PROTECT, table, table_index(FAR_AWAY, level), 1, PTE_W, 0));
		CHECK(sub_start(&sub, program_write, FAR_AWAY, 1));
		CHECK(fault_is(
			&sub, &message, FAR_AWAY, FAULT_USER | FAULT_WRITE | FAULT_PRESENT, level));
	}
	return true;
}

static bool a_not_present_word_is_handed_back(void)
{
	const uint64_t word = 0xfedcba9876543210;
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_at(OP_SET, sub.image_table, sub_index(SUB_UNUSED), word, 0));
	CHECK(sub_start(&sub, program_write, SUB_UNUSED + 16, 1));
	CHECK(fault_is(&sub, &message, SUB_UNUSED + 16, FAULT_USER | FAULT_WRITE, 1));
	CHECK_EQUAL(message.w[2 + LAYOUT_LEVELS], word);
	return true;
}

static bool the_walk_is_made_at_delivery(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_read, SUB_UNUSED, 0));
	CHECK_OK(op_at(OP_SET, sub.image_table, sub_index(SUB_UNUSED), 0x7770, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	CHECK_EQUAL(message.w[2 + LAYOUT_LEVELS], 0x7770);
	return true;
}

static bool a_fault_cured_while_queued_costs_no_message(void)
{
	struct info_counters before = counters_now(), after;
	struct message message;
	struct sub sub;
	pfn_t frame = frame_take_as(FRAME_DATA);

	frame_fill(frame, 0x4444);
	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK_OK(op_at(
		OP_SET, sub.image_table, sub_index(SUB_UNUSED), pte_make(frame, DATA_BITS), 0));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	let_others_run();
	after = counters_now();
	CHECK_EQUAL(after.faults_cured_at_delivery, before.faults_cured_at_delivery + 1);
	CHECK_EQUAL(after.faults_delivered, before.faults_delivered);
	return was_read(0x4444);
}

/* ---- cures ---- */

static bool a_cure_of_one_operation_in_the_reply(void)
{
	struct message message;
	struct sub sub;
	struct op cure;
	pfn_t frame = frame_take_as(FRAME_DATA);

	frame_fill(frame, 0x1234567);
	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	cure = (struct op){ op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1),
		pte_make(frame, DATA_BITS), 0 };
	CHECK_OK(reply_with(message.token, 1, &cure));
	return was_read(0x1234567);
}

static bool a_cure_of_two_operations_in_the_reply(void)
{
	struct message message;
	struct sub sub;
	struct op cure[2];
	pfn_t frame = frame_take();

	CHECK(run(&sub, program_write, SUB_UNUSED, 77));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER | FAULT_WRITE, 1));
	cure[0] = (struct op){ op_head(OP_RETYPE, 0, frame, 0, 1), FRAME_DATA, 0 };
	cure[1] = (struct op){ op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1),
		pte_make(frame, DATA_BITS), 0 };
	CHECK_OK(reply_with(message.token, 2, cure));
	CHECK_EQUAL(shared_page.word[1], 1);
	CHECK_EQUAL(*window_open(0, frame), 77);
	window_close(0);
	return true;
}

/* A cure that copies to a frame which is known to be zeros, and maps another: it is zeros no more. */
static bool a_frame_copied_to_by_a_cure_is_blank_no_more(void)
{
	struct message message;
	struct sub sub;
	pfn_t source = frame_take_as(FRAME_DATA), target = frame_take_as(FRAME_L1),
	      other = frame_take_as(FRAME_DATA);

	frame_fill(source, pte_make(boot->init_space, DATA_BITS));
	CHECK_OK(op_on(OP_RETYPE, target, FRAME_DATA, 0));
	CHECK_EQUAL(FRAMES[target].flags, FRAME_BLANK);
	CHECK(run(&sub, program_write_call_write, SUB_UNUSED, 77));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER | FAULT_WRITE, 1));
	message.tag = FAULT_RESUME; /* in vain, but from here on the short path knows the request */
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
	message.tag = FAULT_RESUME | 2ull << TAG_OPS_SHIFT;
	message.w[0] = op_head(OP_COPY_FRAME, 0, source, 0, 0);
	message.w[1] = target;
	message.w[2] = 0;
	message.w[3] = op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1);
	message.w[4] = pte_make(other, DATA_BITS);
	message.w[5] = 0;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
	CHECK_EQUAL(TAG_LABEL(message.tag), 1); /* its call */
	CHECK_EQUAL(FRAMES[target].flags, 0);
	CHECK_OK(op_on(OP_RETYPE, target, FRAME_L1, 0));
	CHECK_OK(op_many(OP_READ, target, 0, 1, 0, 0));
	CHECK_EQUAL(results[0], 0);
	return true;
}

/* The short path's window, of a run of frames some of which are blank: those are not cleared. */
static bool window_of(uint32_t blank_ones)
{
	struct info_counters before;
	struct message message;
	struct sub sub;
	pfn_t row = frame_take_row(4, 1);
	uint32_t blank_count = 0;

	CHECK_OK(op_many(OP_RETYPE, row, 0, 4, FRAME_DATA, 0));
	for (uint32_t i = 0; i < 4; i++) {
		frame_fill(row + i, 0xa5a5a5a5a5a5a5a5);
		if (!(blank_ones >> i & 1))
			continue;
		blank_count++;
		CHECK_OK(op_many(OP_ZERO, row + i, 0, 1, 0, 0));
	}
	CHECK(run(&sub, program_write_call_write, SUB_UNUSED, 77));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER | FAULT_WRITE, 1));
	message.tag = FAULT_RESUME; /* in vain, but from here on the short path knows the request */
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
	before = counters_now();
	message.tag = FAULT_RESUME | 1ull << TAG_OPS_SHIFT;
	message.w[0] = op_head(OP_FILL, FILL_CLEAR, sub.image_table, sub_index(SUB_UNUSED), 4);
	message.w[1] = pte_make(row, DATA_BITS);
	message.w[2] = 0;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
	CHECK_EQUAL(TAG_LABEL(message.tag), 1); /* its call */
	CHECK_EQUAL(counters_now().frames_cleared - before.frames_cleared,
		4u - blank_count);
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQUAL(FRAMES[row + i].refs, 1);
		CHECK(i == 0 || frame_holds(row + i, 0));
	}
	CHECK_EQUAL(*window_open(0, row), 77);
	window_close(0);
	return true;
}

static bool a_window_of_blank_frames_is_not_cleared(void)
{
	return window_of(0xf);
}

static bool a_window_of_which_some_frames_are_blank(void)
{
	return window_of(0x9);
}

/* r8 of a batch of nothing, with BATCH_LOOK or without. */
static uint64_t results_of_a_batch(uint64_t look)
{
	struct batch_outcome got;

	((struct op *)MESSAGE_PAGE)[0] = (struct op){ op_head(OP_NOP, 0, 0, 0, 0), 0, 0 };
	return kernel_batch_in_page(1 | look, &got) == ST_OK ? got.results : 1;
}

static bool a_batch_says_when_nothing_waits(void)
{
	struct message message, none;
	struct sub sub;

	CHECK(run(&sub, program_write_call_write, SUB_UNUSED, 77));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER | FAULT_WRITE, 1));
	message.tag = FAULT_RESUME; /* in vain, but from here on it is known where we receive */
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
	CHECK_EQUAL(results_of_a_batch(BATCH_LOOK), BATCH_NOTHING_WAITS);
	CHECK_EQUAL(results_of_a_batch(0), 0);
	CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 1, 0, 0, 0));
	CHECK_EQUAL(results_of_a_batch(BATCH_LOOK), 0);
	CHECK_OK(reply_receive(SLOT_SELF | RR_RECEIVE | RR_NONBLOCK, &none));
	CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	let_others_run(); /* it faults once more, and waits */
	CHECK_EQUAL(results_of_a_batch(BATCH_LOOK), 0);
	return true;
}

static bool a_cure_in_the_message_page(void)
{
	struct op *ops = MESSAGE_PAGE;
	struct message message, answer = { 0 };
	struct sub sub;
	pfn_t frame = frame_take();

	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	ops[0] = (struct op){ op_head(OP_RETYPE, 0, frame, 0, 1), FRAME_DATA, 0 };
	ops[1] = (struct op){ op_head(OP_ZERO, 0, frame, 0, 1), 0, 0 };
	ops[2] = (struct op){ op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1),
		pte_make(frame, DATA_BITS), 0 };
	answer.tag = FAULT_RESUME | 3ull << TAG_OPS_SHIFT | TAG_OPS_IN_PAGE;
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	return was_read(0);
}

static bool more_operations_than_registers_go_on_in_the_message_page(void)
{
	struct op *ops = MESSAGE_PAGE;
	struct message message, answer = { 0 };
	struct sub sub;
	pfn_t frame = frame_take();

	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	ops[0] = (struct op){ op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1),
		pte_make(frame, DATA_BITS), 0 };
	answer.tag = FAULT_RESUME | 3ull << TAG_OPS_SHIFT;
	answer.w[0] = op_head(OP_RETYPE, 0, frame, 0, 1);
	answer.w[1] = FRAME_DATA;
	answer.w[3] = op_head(OP_ZERO, 0, frame, 0, 1);
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	return was_read(0);
}

static bool a_refused_cure_resumes_nobody_and_leaves_the_token_valid(void)
{
	struct message message;
	struct sub sub;
	struct op cure;
	pfn_t frame = frame_take_as(FRAME_DATA);

	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	cure = (struct op){ op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1),
		pte_make(frame, DATA_BITS), 99 };
	CHECK_EQUAL(reply_with(message.token, 1, &cure), ST_MISMATCH);
	CHECK_EQUAL(shared_page.word[1], 0);
	cure.b = 0;
	CHECK_OK(reply_with(message.token, 1, &cure));
	CHECK_EQUAL(shared_page.word[1], 1);
	return true;
}

static bool a_cure_that_cures_nothing_faults_again(void)
{
	struct message message;
	struct sub sub;

	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	for (uint32_t i = 0; i < 5; i++) {
		CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
		CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	}
	return true;
}

static bool a_fault_takes_no_other_answers(void)
{
	struct message message;
	struct sub sub;

	CHECK(run(&sub, program_read, SUB_UNUSED, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED, FAULT_USER, 1));
	CHECK_EQUAL(reply(message.token, FAULT_SET_REGISTERS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(reply(message.token, FAULT_PARK, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(reply(message.token, 0x80000000, 0), ST_BAD_ARGUMENT);
	CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	return true;
}

static bool a_refusal_becomes_an_exception_with_the_reasons(void)
{
	struct message message, answer = { .tag = FAULT_REFUSE, .w = { 5, 0xabcdef } };
	struct sub sub;

	CHECK(run(&sub, program_write, SUB_UNUSED + 8, 0));
	CHECK(fault_is(&sub, &message, SUB_UNUSED + 8, FAULT_USER | FAULT_WRITE, 1));
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
	CHECK_EQUAL(message.w[0], VECTOR_PAGE_FAULT);
	CHECK_EQUAL(message.w[1], FAULT_USER | FAULT_WRITE);
	CHECK_EQUAL(message.w[3], SUB_UNUSED + 8);
	CHECK_EQUAL(message.w[4], 5);
	CHECK_EQUAL(message.w[5], 0xabcdef);
	return true;
}

static bool a_fault_without_a_fault_port_is_an_exception(void)
{
	struct sub_wish wish = { .no_fault_port = true };
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	CHECK(sub_start(&sub, program_read, SUB_UNUSED, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
	CHECK_EQUAL(message.w[0], VECTOR_PAGE_FAULT);
	CHECK_EQUAL(message.w[3], SUB_UNUSED);
	return true;
}

/* ---- PT-3: all combinations at the leaf ---- */

enum { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

static bool access_is_allowed(uint64_t bits, uint32_t access)
{
	return (bits & PTE_U) && (access != ACCESS_WRITE || (bits & PTE_W)) &&
	       (access != ACCESS_FETCH || !(bits & PTE_NX));
}

static bool one_combination(const struct sub *sub, pfn_t frame, uint64_t bits, uint32_t access)
{
	static const program_t programs[] = { program_read, program_write, program_jump };
	static const uint64_t hardware[] = { FAULT_USER, FAULT_USER | FAULT_WRITE,
		FAULT_USER | FAULT_FETCH };
	static const uint8_t returns = 0xc3;
	struct message message;
	status_t status;

	*window_open(0, frame) = returns;
	window_close(0);
	shared_page.word[1] = 0;
	CHECK_OK(op_at(
		OP_SET, sub->image_table, sub_index(SUB_UNUSED), pte_make(frame, PTE_P | bits), 0));
	CHECK(sub_start(sub, programs[access], SUB_UNUSED, returns));
	status = receive_now(&message);
	CHECK_EQUAL(status, access_is_allowed(bits, access) ? ST_EMPTY : ST_OK);
	CHECK_EQUAL(shared_page.word[1], access_is_allowed(bits, access));
	if (status == ST_OK) {
		CHECK_EQUAL(message.w[1] & HARDWARE_BITS, hardware[access] | FAULT_PRESENT);
	}
	CHECK_OK(op_on(OP_THREAD_STOP, sub->thread, 0, 0));
	CHECK_OK(op_flagged(OP_CLEAR, FLUSH_ALL, sub->image_table, sub_index(SUB_UNUSED), 1, 0, 0));
	return true;
}

static bool rights_at_the_leaf_give_exactly_their_faults(void)
{
	struct sub sub;
	pfn_t frame = frame_take_as(FRAME_DATA);

	CHECK(sub_make(&sub, NULL));
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t bits = (i & 1 ? PTE_W : 0) | (i & 2 ? PTE_U : 0) | (i & 4 ? PTE_NX : 0);

		for (uint32_t access = ACCESS_READ; access <= ACCESS_FETCH; access++) {
			if (!one_combination(&sub, frame, bits, access)) {
				return fail(__FILE__, __LINE__, "combination", i, access);
			}
		}
	}
	return true;
}

/* ---- addresses of the kernel ---- */

static bool kernel_entries_are_not_shown(void)
{
	static const uint64_t addresses[] = {
		LAYOUT_DIRECT_MAP,
		LAYOUT_KERNEL + 0x100000,
		LAYOUT_FRAME_TABLE,
		LAYOUT_VMEMMAP,
		0xffff800000000000,
		0xffffffffffffff00,
	};
	struct message message;
	struct sub sub;

	for (uint32_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		CHECK(run(&sub, program_read, addresses[i], 0));
		CHECK_OK(receive_now(&message));
		CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
		CHECK_EQUAL(message.w[0], addresses[i]);
		for (uint32_t k = 3; k < 8; k++) {
			CHECK_EQUAL(message.w[k], 0);
		}
		CHECK_EQUAL(shared_page.word[1], 0);
	}
	return true;
}

static bool the_frame_table_is_read_only_for_who_sees_it(void)
{
	struct sub_wish wish = { .flags = SPACE_SEES_FRAMES };
	struct message message;
	struct sub sub;
	uint64_t entry = (uint64_t)&FRAMES[boot->top];

	CHECK(sub_make(&sub, &wish));
	CHECK(sub_start(&sub, program_read, entry, 0));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	CHECK(was_read(*(const uint64_t *)entry));
	CHECK(sub_make(&sub, &wish));
	CHECK(sub_start(&sub, program_write, entry, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[1] & HARDWARE_BITS, FAULT_USER | FAULT_WRITE | FAULT_PRESENT);
	return true;
}

static bool a_non_canonical_address_is_no_page_fault(void)
{
	struct message message;
	struct sub sub;

	CHECK(run(&sub, program_read, 0x0000800000000000, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
	CHECK_EQUAL(message.w[0], VECTOR_PROTECTION);
	return true;
}

/* ---- cost ---- */

/* Reads one word of each of count pages from SUB_UNUSED on. */
static void program_touch(uint64_t address, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		(void)*(volatile uint64_t *)(address + i * PAGE_SIZE);
	}
	program_stop();
}

/* Serves `count` faults as a pager does, reply and receive in one call. */
static bool faults_served(
	struct sub *sub, uint32_t count, struct info_counters *before, struct info_counters *after)
{
	struct sub_wish wish = { .priority = PRIORITY_BELOW };
	struct message message;
	pfn_t frame = frame_take_as(FRAME_DATA);

	CHECK(sub_make(sub, &wish));
	CHECK(sub_start(sub, program_touch, SUB_UNUSED, count + 1));
	CHECK_OK(receive_soon(&message));
	*before = counters_now();
	for (uint32_t i = 0; i < count; i++) {
		message.tag = FAULT_RESUME | 1ull << TAG_OPS_SHIFT;
		message.w[0] = op_head(OP_SET, 0, sub->image_table, sub_index(SUB_UNUSED) + i, 1);
		message.w[1] = pte_make(frame, PTE_P | PTE_U | PTE_NX);
		message.w[2] = 0;
		CHECK_OK(ipc_reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
		CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	}
	*after = counters_now();
	return true;
}

static bool a_fault_costs_two_kernel_entries_and_two_space_switches(void)
{
	struct info_counters before[2], after[2];
	struct sub sub;
	uint64_t entries[2], loads[2];

	for (uint32_t i = 0; i < 2; i++) {
		CHECK(faults_served(&sub, i == 0 ? 4 : 20, &before[i], &after[i]));
		entries[i] = after[i].kernel_entries - before[i].kernel_entries -
			     (after[i].interrupts - before[i].interrupts);
		loads[i] = after[i].cr3_loads - before[i].cr3_loads;
	}
	CHECK_EQUAL(entries[1] - entries[0], 16 * 2);
	CHECK_EQUAL(loads[1] - loads[0], 16 * 2);
	return true;
}

const struct test tests_faults[] = {
	{ "a_read_of_an_absent_page_shows_the_whole_walk",
		a_read_of_an_absent_page_shows_the_whole_walk },
	{ "a_write_to_a_read_only_page_is_refused_by_rights",
		a_write_to_a_read_only_page_is_refused_by_rights },
	{ "a_fetch_from_data_is_refused_by_rights", a_fetch_from_data_is_refused_by_rights },
	{ "a_page_without_user_access_is_refused_by_rights",
		a_page_without_user_access_is_refused_by_rights },
	{ "the_refusing_level_is_the_first_absent_from_the_top",
		the_refusing_level_is_the_first_absent_from_the_top },
	{ "the_refusing_level_is_the_first_without_write_from_the_top",
		the_refusing_level_is_the_first_without_write_from_the_top },
	{ "a_not_present_word_is_handed_back", a_not_present_word_is_handed_back },
	{ "the_walk_is_made_at_delivery", the_walk_is_made_at_delivery },
	{ "a_fault_cured_while_queued_costs_no_message",
		a_fault_cured_while_queued_costs_no_message },
	{ "a_cure_of_one_operation_in_the_reply", a_cure_of_one_operation_in_the_reply },
	{ "a_cure_of_two_operations_in_the_reply", a_cure_of_two_operations_in_the_reply },
	{ "a_frame_copied_to_by_a_cure_is_blank_no_more",
		a_frame_copied_to_by_a_cure_is_blank_no_more },
	{ "a_window_of_blank_frames_is_not_cleared", a_window_of_blank_frames_is_not_cleared },
	{ "a_window_of_which_some_frames_are_blank", a_window_of_which_some_frames_are_blank },
	{ "a_batch_says_when_nothing_waits", a_batch_says_when_nothing_waits },
	{ "a_cure_in_the_message_page", a_cure_in_the_message_page },
	{ "more_operations_than_registers_go_on_in_the_message_page",
		more_operations_than_registers_go_on_in_the_message_page },
	{ "a_refused_cure_resumes_nobody_and_leaves_the_token_valid",
		a_refused_cure_resumes_nobody_and_leaves_the_token_valid },
	{ "a_cure_that_cures_nothing_faults_again", a_cure_that_cures_nothing_faults_again },
	{ "a_fault_takes_no_other_answers", a_fault_takes_no_other_answers },
	{ "a_refusal_becomes_an_exception_with_the_reasons",
		a_refusal_becomes_an_exception_with_the_reasons },
	{ "a_fault_without_a_fault_port_is_an_exception",
		a_fault_without_a_fault_port_is_an_exception },
	{ "rights_at_the_leaf_give_exactly_their_faults",
		rights_at_the_leaf_give_exactly_their_faults },
	{ "kernel_entries_are_not_shown", kernel_entries_are_not_shown },
	{ "the_frame_table_is_read_only_for_who_sees_it",
		the_frame_table_is_read_only_for_who_sees_it },
	{ "a_non_canonical_address_is_no_page_fault", a_non_canonical_address_is_no_page_fault },
	{ "a_fault_costs_two_kernel_entries_and_two_space_switches",
		a_fault_costs_two_kernel_entries_and_two_space_switches },
	{ 0 },
};
