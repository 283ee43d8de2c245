/*
 * Tests of what a message carries: words, payload, handles, badge; and of notifications.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define SLOT_A 20u
#define SLOT_B 21u
#define SLOT_C 22u
#define LABEL  0x1234u

static uint8_t *const page = MESSAGE_PAGE;

/* Pattern of the payload tests: a different byte at each place, another for each seed. */
static uint8_t pattern(uint32_t at, uint32_t seed)
{
	return (uint8_t)(at * 7 + (at >> 8) + seed);
}

static bool words_and_badge_arrive(void)
{
	struct message message;
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step = step_call(0, SUB_SLOT_MAIN, LABEL, 0x1111111111111111, 0x2222222222222222);
	step->in.r8 = 0x3333333333333333;
	step->in.r9 = 0x4444444444444444;
	step->in.r12 = 0x5555555555555555;
	step->in.r13 = 0x6666666666666666;
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, LABEL);
	CHECK_EQUAL(message.badge, sub.badge);
	CHECK(message.token != 0);
	for (uint32_t i = 0; i < 6; i++) {
		CHECK_EQUAL(message.w[i], 0x1111111111111111 * (i + 1));
	}
	return true;
}

static bool a_reply_changes_words_and_tag_only(void)
{
	struct message message, answer = { .tag = 0x77, .w = { 1, 2, 3, 4, 5, 6 } };
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step = step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	step->in.rbx = 0xb;
	step->in.r14 = 0xe;
	step->in.r15 = 0xf;
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(step->out.rax, ST_OK);
	CHECK_EQUAL(step->out.rdi, SUB_SLOT_MAIN);
	CHECK_EQUAL(step->out.rsi, 0x77);
	CHECK(step->out.rdx == 1 && step->out.r10 == 2 && step->out.r8 == 3);
	CHECK(step->out.r9 == 4 && step->out.r12 == 5 && step->out.r13 == 6);
	CHECK(step->out.rbx == 0xb && step->out.r14 == 0xe && step->out.r15 == 0xf);
	return true;
}

/* Does the page hold `bytes` of one pattern and another behind? */
static bool page_is(const uint8_t *bytes, uint32_t count, uint32_t seed, uint32_t seed_behind)
{
	for (uint32_t i = 0; i < PAGE_SIZE; i++) {
		CHECK_EQUAL(bytes[i], pattern(i, i < count ? seed : seed_behind));
	}
	return true;
}

static void page_fill(uint8_t *bytes, uint32_t seed)
{
	for (uint32_t i = 0; i < PAGE_SIZE; i++) {
		bytes[i] = pattern(i, seed);
	}
}

/* The sub sends `bytes` of a pattern; we look, and answer with as many of another. */
static bool payload_goes_and_comes(struct sub *sub, uint32_t bytes)
{
	struct message message, answer = { 0 };
	struct step *step = step_call(0, SUB_SLOT_MAIN, tag_make(LABEL, bytes), bytes, 0);

	page_fill(message_open(sub->message), 1);
	message_close(sub->message);
	CHECK(sub_start(sub, program_steps, 0, 0));
	page_fill(page, 3);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_BYTES(message.tag), bytes);
	CHECK(page_is(page, bytes, 1, 3));
	page_fill(page, 2);
	answer.tag = tag_make(0, bytes);
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	CHECK_EQUAL(step->out.rsi, tag_make(0, bytes));
	CHECK(page_is(message_open(sub->message), bytes, 2, 1));
	message_close(sub->message);
	steps_clear();
	return true;
}

static bool payload_arrives_from_0_to_4096_bytes(void)
{
	static const uint32_t sizes[] = { 0, 1, 7, 8, 9, 63, 64, 100, 511, 512, 1536, 4088, 4095,
		4096 };
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!payload_goes_and_comes(&sub, sizes[i])) {
			return false;
		}
	}
	return true;
}

static bool payload_over_a_page_is_refused(void)
{
	struct message message, answer = { 0 };
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step = step_call(0, SUB_SLOT_MAIN, tag_make(LABEL, 4097), 0, 0);
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(step->out.rax, ST_BAD_ARGUMENT);
	CHECK_OK(receive_now(&message));
	answer.tag = tag_make(0, 8191);
	answer.token = message.token;
	CHECK_EQUAL(reply_receive(SLOT_SELF | RR_REPLY, &answer), ST_BAD_ARGUMENT);
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 2);
	return true;
}

static bool payload_without_a_message_page_is_refused(void)
{
	struct sub_wish wish = { .no_message_page = true };
	struct message message, answer = { 0 };
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	step = step_call(0, SUB_SLOT_MAIN, tag_make(LABEL, 8), 0, 0);
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(step->out.rax, ST_NO_PAGE);
	CHECK_OK(receive_now(&message));
	answer.tag = tag_make(0, 8);
	answer.token = message.token;
	CHECK_EQUAL(reply_receive(SLOT_SELF | RR_REPLY, &answer), ST_NO_PAGE);
	CHECK_OK(reply(message.token, 0, 0));
	return true;
}

static bool kernel_bits_of_a_tag_are_not_forwarded(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN,
		LABEL | TAG_KERNEL_BITS | TAG_OPS_IN_PAGE | 63ull << TAG_OPS_SHIFT, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, LABEL);
	return true;
}

/* ---- handles along with a message ---- */

static uint64_t tag_with_handle(uint32_t label, uint32_t slot)
{
	return label | (uint64_t)slot << TAG_HANDLE_SHIFT;
}

static status_t receive_into(uint32_t slot, struct message *message)
{
	*message = (struct message){ 0 };
	return reply_receive(
		SLOT_SELF | RR_RECEIVE | RR_NONBLOCK | (uint64_t)slot << RR_SLOT_SHIFT, message);
}

static bool a_handle_goes_along_into_the_named_slot(void)
{
	struct message message;
	struct sub sub;
	uint64_t out[3];
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_A, RIGHT_SEND | RIGHT_GIVE, 0xbad9e));
	step_call(0, SUB_SLOT_MAIN, tag_with_handle(LABEL, SUB_SLOT_A), 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_into(SLOT_B, &message));
	CHECK_EQUAL(message.tag, LABEL | TAG_GOT_HANDLE);
	CHECK_OK(call(CALL_HANDLE, HANDLE_LOOK, SLOT_B, 0, 0, out));
	CHECK_EQUAL(out[0], RIGHT_SEND | RIGHT_GIVE);
	CHECK_EQUAL(out[1], 0xbad9e);
	return true;
}

static bool a_handle_is_refused_without_a_receive_slot(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, tag_with_handle(LABEL, SUB_SLOT_MAIN), 5, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, LABEL);
	CHECK_EQUAL(message.w[0], 5);
	return true;
}

static bool a_handle_does_not_overwrite_a_live_one(void)
{
	struct message message;
	struct sub sub;
	uint64_t out[3];
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	step_call(0, SUB_SLOT_MAIN, tag_with_handle(LABEL, SUB_SLOT_MAIN), 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_into(SLOT_A, &message));
	CHECK_EQUAL(message.tag, LABEL);
	CHECK_OK(call(CALL_HANDLE, HANDLE_LOOK, SLOT_A, 0, 0, out));
	CHECK_EQUAL(out[0], RIGHT_ALL);
	return true;
}

static bool a_handle_without_the_right_to_give_stays(void)
{
	struct message message;
	struct step *first, *second;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_SELF, RIGHT_SEND, 1));
	first = step_call(0, SUB_SLOT_MAIN, tag_with_handle(LABEL, SUB_SLOT_A), 0, 0);
	second = step_call(0, SUB_SLOT_MAIN, tag_with_handle(LABEL, SUB_SLOT_B), 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(first->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(second->out.rax, ST_BAD_HANDLE);
	CHECK_EQUAL(receive_into(SLOT_B, &message), ST_EMPTY);
	return true;
}

/* What is in the slot when the message is taken counts, with its rights. */
static bool a_handle_swapped_while_queued_needs_the_right_too(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_SELF, RIGHT_SEND | RIGHT_GIVE, 1));
	step_call(0, SUB_SLOT_MAIN, tag_with_handle(LABEL, SUB_SLOT_A), 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_SELF, RIGHT_SEND, 2));
	CHECK_OK(receive_into(SLOT_B, &message));
	CHECK_EQUAL(message.tag, LABEL);
	CHECK_EQUAL(call4(CALL_HANDLE, HANDLE_LOOK, SLOT_B, 0, 0, 0), ST_BAD_HANDLE);
	return true;
}

/* Answer the call that the server of the next test makes, and say to whom its next reply goes. */
static bool answer_server(struct step *next, const struct step *received)
{
	struct message message, answer = { 0 };

	CHECK_OK(receive_now(&message));
	next->in.rbx = received->out.rbx;
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	return true;
}

/* A server that calls in between, with a slot for that reply, receives into its own slot. */
static bool the_slot_of_a_call_is_not_that_of_a_receive(void)
{
	const uint64_t here = SUB_SLOT_A | RR_RECEIVE | (uint64_t)SUB_SLOT_B << RR_SLOT_SHIFT;
	struct sub_wish wish = { .flags = SPACE_FPU_NONE }; /* as short paths want it */
	struct step *first, *second, *third, *look;
	struct sub server, client;
	pfn_t port;

	CHECK(sub_make(&server, &wish) && sub_make(&client, &wish) && port_make(SLOT_A, &port));
	CHECK_OK(sub_give(&server, SUB_SLOT_A, SLOT_A, RIGHT_RECEIVE, 0));
	CHECK_OK(sub_give(&client, SUB_SLOT_A, SLOT_A, RIGHT_SEND, 7));
	first = step_add(0, CALL_REPLY_RECEIVE, here, 0, 0, 0);
	step_call(0, SUB_SLOT_MAIN | SUB_SLOT_C << RR_SLOT_SHIFT, LABEL, 0, 0);
	second = step_add(0, CALL_REPLY_RECEIVE, here | RR_REPLY, 0, 0, 0);
	step_call(0, SUB_SLOT_MAIN | SUB_SLOT_C << RR_SLOT_SHIFT, LABEL, 0, 0);
	third = step_add(0, CALL_REPLY_RECEIVE, here | RR_REPLY, 0, 0, 0);
	look = step_add(0, CALL_HANDLE, HANDLE_LOOK, SUB_SLOT_B, 0, 0);
	step_call(1, SUB_SLOT_A, LABEL, 0, 0);
	step_call(1, SUB_SLOT_A, LABEL, 0, 0);
	step_call(1, SUB_SLOT_A, tag_with_handle(LABEL, SUB_SLOT_MAIN), 0, 0);
	CHECK(sub_start(&server, program_steps, 0, 0) && sub_start(&client, program_steps, 1, 0));
	CHECK(answer_server(second, first) && answer_server(third, second));
	CHECK_EQUAL(third->out.rsi, LABEL | TAG_GOT_HANDLE);
	CHECK_EQUAL(look->out.rax, ST_OK);
	return true;
}

static bool a_reply_brings_a_handle(void)
{
	struct message message, answer = { 0 };
	struct step *call_step, *look;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(call4(CALL_HANDLE, HANDLE_MINT, SLOT_SELF, SLOT_A, RIGHT_SEND | RIGHT_GIVE, 4321));
	call_step = step_call(0, SUB_SLOT_MAIN | SUB_SLOT_C << RR_SLOT_SHIFT, LABEL, 0, 0);
	look = step_add(0, CALL_HANDLE, HANDLE_LOOK, SUB_SLOT_C, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	answer.tag = tag_with_handle(9, SLOT_A);
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	CHECK_EQUAL(call_step->out.rsi, 9 | TAG_GOT_HANDLE);
	CHECK_EQUAL(look->out.rax, ST_OK);
	CHECK_EQUAL(look->out.rdx, RIGHT_SEND | RIGHT_GIVE);
	CHECK_EQUAL(look->out.r10, 4321);
	return true;
}

static bool a_reply_with_a_bad_handle_is_refused_and_the_token_stays(void)
{
	struct message message, answer = { 0 };
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_SELF, SLOT_A, RIGHT_SEND, 0));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	answer.tag = tag_with_handle(0, SLOT_A);
	answer.token = message.token;
	CHECK_EQUAL(reply_receive(SLOT_SELF | RR_REPLY, &answer), ST_NO_RIGHT);
	answer.tag = tag_with_handle(0, SLOT_C);
	answer.token = message.token;
	CHECK_EQUAL(reply_receive(SLOT_SELF | RR_REPLY, &answer), ST_BAD_HANDLE);
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	return true;
}

/* ---- notifications ---- */

static bool notifications_before_waiting_are_combined(void)
{
	struct message message;

	CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 1, 0, 0, 0));
	CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 0x8000000000000000, 0, 0, 0));
	CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 4, 0, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_EQUAL(message.w[0], 0x8000000000000005);
	CHECK_EQUAL(message.badge, 0);
	CHECK_EQUAL(message.token, 0);
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

static bool a_notification_wakes_who_waits(void)
{
	struct message message;
	struct sub_wish wish = { .priority = PRIORITY_BELOW };
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	step_add(0, CALL_NOTIFY, SUB_SLOT_MAIN, 0x40, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 0);
	CHECK_OK(receive_soon(&message));
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_EQUAL(message.w[0], 0x40);
	return true;
}

static bool a_notification_comes_before_messages(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 2, 0, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, LABEL);
	return true;
}

static bool notify_refuses(void)
{
	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_SELF, SLOT_A, RIGHT_RECEIVE, 0));
	CHECK_EQUAL(call4(CALL_NOTIFY, SLOT_A, 1, 0, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(call4(CALL_NOTIFY, SLOT_B, 1, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_NOTIFY, ~0ull, 1, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_NOTIFY, SLOT_SELF, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	return true;
}

const struct test tests_messages[] = {
	{ "words_and_badge_arrive", words_and_badge_arrive },
	{ "a_reply_changes_words_and_tag_only", a_reply_changes_words_and_tag_only },
	{ "payload_arrives_from_0_to_4096_bytes", payload_arrives_from_0_to_4096_bytes },
	{ "payload_over_a_page_is_refused", payload_over_a_page_is_refused },
	{ "payload_without_a_message_page_is_refused", payload_without_a_message_page_is_refused },
	{ "kernel_bits_of_a_tag_are_not_forwarded", kernel_bits_of_a_tag_are_not_forwarded },
	{ "a_handle_goes_along_into_the_named_slot", a_handle_goes_along_into_the_named_slot },
	{ "a_handle_is_refused_without_a_receive_slot",
		a_handle_is_refused_without_a_receive_slot },
	{ "a_handle_does_not_overwrite_a_live_one", a_handle_does_not_overwrite_a_live_one },
	{ "a_handle_without_the_right_to_give_stays", a_handle_without_the_right_to_give_stays },
	{ "a_handle_swapped_while_queued_needs_the_right_too",
		a_handle_swapped_while_queued_needs_the_right_too },
	{ "a_reply_brings_a_handle", a_reply_brings_a_handle },
	{ "the_slot_of_a_call_is_not_that_of_a_receive", the_slot_of_a_call_is_not_that_of_a_receive },
	{ "a_reply_with_a_bad_handle_is_refused_and_the_token_stays",
		a_reply_with_a_bad_handle_is_refused_and_the_token_stays },
	{ "notifications_before_waiting_are_combined", notifications_before_waiting_are_combined },
	{ "a_notification_wakes_who_waits", a_notification_wakes_who_waits },
	{ "a_notification_comes_before_messages", a_notification_comes_before_messages },
	{ "notify_refuses", notify_refuses },
	{ 0 },
};
