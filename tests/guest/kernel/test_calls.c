/*
 * Tests of calls and replies as a protocol: tokens, queues, order, interruption, and death of
 * either side.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define SLOT_A 20u
#define SLOT_B 21u
#define LABEL  0x4321u
#define MANY   400u /* more waiters than one OP_DESTROY of a port takes care of */

/* A sub that has called our port; its message was received. */
static bool sub_that_called(struct sub *sub, struct message *message)
{
	CHECK(sub_make(sub, NULL));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(sub, program_steps, 0, 0));
	CHECK_OK(receive_now(message));
	CHECK_EQUAL(message->badge, sub->badge);
	return true;
}

static bool receive_without_a_message_is_empty(void)
{
	struct message message;

	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

static bool receive_refuses(void)
{
	struct message message = { 0 };

	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_SELF, SLOT_A,
		RIGHT_SEND | RIGHT_GIVE | RIGHT_MINT, 0));
	CHECK_EQUAL(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message), ST_NO_RIGHT);
	CHECK_EQUAL(reply_receive(SLOT_B | RR_RECEIVE | RR_NONBLOCK, &message), ST_BAD_HANDLE);
	CHECK_EQUAL(reply_receive(0xffff | RR_RECEIVE | RR_NONBLOCK, &message), ST_BAD_HANDLE);
	return true;
}

static bool call_refuses(void)
{
	struct step *none, *stale, *receive_only;
	struct sub sub;
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_A, RIGHT_SEND, 0));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	CHECK_OK(sub_give(&sub, SUB_SLOT_B, SLOT_SELF, RIGHT_RECEIVE, 0));
	none = step_call(0, 99, LABEL, 0, 0);
	stale = step_call(0, SUB_SLOT_A, LABEL, 0, 0);
	receive_only = step_call(0, SUB_SLOT_B, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(none->out.rax, ST_BAD_HANDLE);
	CHECK_EQUAL(stale->out.rax, ST_BAD_HANDLE);
	CHECK_EQUAL(receive_only->out.rax, ST_NO_RIGHT);
	return true;
}

static bool a_reply_and_the_next_message_come_in_one_call(void)
{
	struct message message;
	struct sub_wish wish = { .priority = PRIORITY_BELOW };
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	step_call(0, SUB_SLOT_MAIN, LABEL, 1, 0);
	step_call(0, SUB_SLOT_MAIN, LABEL, 2, 0);
	step_call(0, SUB_SLOT_MAIN, LABEL, 3, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_soon(&message));
	for (uint64_t i = 1; i <= 3; i++) {
		CHECK_EQUAL(message.w[0], i);
		CHECK_EQUAL(message.tag, LABEL);
		message.tag = 0;
		message.w[0] = i * 10;
		if (i < 3) {
			CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
		} else {
			CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &message));
		}
	}
	CHECK_EQUAL(receive_soon(&message), ST_EMPTY);
	CHECK_EQUAL(shared_page.steps_done[0], 3);
	CHECK_EQUAL(shared_page.steps[0][1].out.rdx, 20);
	return true;
}

static bool replies_come_in_any_order(void)
{
	struct message first, second;
	struct sub one, two;

	CHECK(sub_make(&one, NULL) && sub_make(&two, NULL));
	step_call(0, SUB_SLOT_MAIN, LABEL, 1, 0);
	step_call(1, SUB_SLOT_MAIN, LABEL, 2, 0);
	CHECK(sub_start(&one, program_steps, 0, 0));
	CHECK(sub_start(&two, program_steps, 1, 0));
	CHECK_OK(receive_now(&first));
	CHECK_OK(receive_now(&second));
	CHECK(first.badge == one.badge && second.badge == two.badge);
	CHECK(first.token != second.token);
	CHECK_OK(reply(second.token, 0, 22));
	CHECK_OK(reply(first.token, 0, 11));
	CHECK_EQUAL(shared_page.steps[0][0].out.rdx, 11);
	CHECK_EQUAL(shared_page.steps[1][0].out.rdx, 22);
	return true;
}

/* ---- tokens ---- */

static bool a_token_is_good_once(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(reply(message.token, 0, 0), ST_BAD_TOKEN);
	return true;
}

static bool an_old_token_does_not_fit_the_next_call(void)
{
	struct message message, next;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&next));
	CHECK(next.token != message.token);
	CHECK_EQUAL(reply(message.token, 0, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_OK(reply(next.token, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 2);
	return true;
}

static bool forged_tokens_are_refused(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	for (uint32_t bit = 0; bit < 64; bit++) {
		CHECK_EQUAL(reply(message.token ^ 1ull << bit, 0, 0), ST_BAD_TOKEN);
	}
	CHECK_EQUAL(reply(0, 0, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(reply(~0ull, 0, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(reply(boot->thread, 0, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(shared_page.steps_done[0], 0);
	CHECK_OK(reply(message.token, 0, 0));
	return true;
}

static bool a_token_of_another_port_is_refused(void)
{
	struct message message, wrong = { 0 };
	struct sub sub;
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK(sub_that_called(&sub, &message));
	wrong.token = message.token;
	CHECK_EQUAL(reply_receive(SLOT_A | RR_REPLY, &wrong), ST_BAD_TOKEN);
	CHECK_OK(reply(message.token, 0, 0));
	return true;
}

static bool a_queued_caller_cannot_be_answered(void)
{
	struct message message;
	struct sub sub;
	uint64_t next;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	next = message.token + (1ull << FRAME_NUMBER_BITS);
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(reply(next, 0, 0), ST_BAD_TOKEN);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.token, next);
	return true;
}

static bool a_reply_to_a_dead_thread_is_refused(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_EQUAL(FRAMES[sub.thread].type, FRAME_FREE);
	CHECK_EQUAL(FRAMES[sub.message].holds, 0);
	CHECK_EQUAL(reply(message.token, 0, 0), ST_BAD_TOKEN);
	return true;
}

static bool a_reply_to_a_stopped_thread_is_refused(void)
{
	struct message message;
	struct registers registers;
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	CHECK_OK(op_on(OP_THREAD_STOP, sub.thread, 0, 0));
	CHECK_EQUAL(reply(message.token, 0, 0), ST_BAD_TOKEN);
	CHECK(sub_registers(&sub, &registers));
	CHECK_EQUAL(registers.rax, ST_INTERRUPTED);
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_INTERRUPTED);
	return true;
}

static bool a_refused_batch_leaves_the_token_valid(void)
{
	struct message message;
	struct op bad = { op_head(OP_RETYPE, 0, boot->init_space, 0, 1), FRAME_DATA, 0 };
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	CHECK_EQUAL(reply_with(message.token, 1, &bad), ST_BAD_FRAME);
	CHECK_EQUAL(shared_page.steps_done[0], 0);
	CHECK_OK(reply(message.token, 0, 7));
	CHECK_EQUAL(shared_page.steps[0][0].out.rdx, 7);
	return true;
}

static bool results_of_a_reply_are_taken_before_receiving(void)
{
	struct message message;
	struct op read = { op_head(OP_READ, 0, boot->top, 0, 1), 0, 0 };
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	message.tag = 1ull << TAG_OPS_SHIFT;
	message.w[0] = read.head;
	message.w[1] = message.w[2] = 0;
	CHECK_EQUAL(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE | RR_NONBLOCK, &message),
		ST_RESULTS);
	CHECK_EQUAL(message.w[0], 1);
	CHECK_EQUAL(message.w[2], 1);
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

/* ---- a reply that changes rights ---- */

/* Below us: so each reply that also receives lets it run at once, on the short path where there is one. */
static bool sub_that_called_below(struct sub *sub, struct message *message, uint64_t program_argument)
{
	struct sub_wish wish = { .priority = PRIORITY_BELOW };

	CHECK(sub_make(sub, &wish));
	for (uint32_t i = 0; i < 4; i++)
		step_call(0, SUB_SLOT_MAIN, LABEL, 1, 2);
	if (program_argument == 0)
		CHECK(sub_start(sub, program_steps, 0, 0));
	else
		CHECK(sub_start(sub, program_write_call_write, program_argument, 5));
	CHECK_OK(receive_soon(message));
	return true;
}

static status_t reply_change(struct message *message, uint64_t tag, uint64_t head, uint64_t a, uint64_t b)
{
	message->tag = tag | 1ull << TAG_OPS_SHIFT;
	message->w[0] = head;
	message->w[1] = a;
	message->w[2] = b;
	message->w[3] = message->w[4] = message->w[5] = 99;
	return ipc_reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, message);
}

static bool a_reply_with_an_operation_brings_its_label_and_no_words(void)
{
	struct message message;
	pfn_t table = frame_take_as(FRAME_L1);
	struct sub sub;

	CHECK(sub_that_called_below(&sub, &message, 0));
	for (uint32_t i = 0; i < 3; i++) {
		const struct call_registers *out = &shared_page.steps[0][i].out;
		uint32_t flags = i == 0 ? 0 : i == 1 ? FLUSH_SPACE : FLUSH_ALL;

		CHECK_OK(reply_change(&message, 7 + i, op_head(OP_PROTECT, flags, table, 0, 4), PTE_W, 0));
		CHECK_EQUAL(TAG_LABEL(message.tag), LABEL);
		CHECK_EQUAL(message.w[1], 2);
		CHECK_EQUAL(shared_page.steps_done[0], i + 1);
		CHECK_EQUAL(out->rax, ST_OK);
		CHECK_EQUAL(out->rsi, 7 + i);
		CHECK_EQUAL(out->rdx | out->r10 | out->r8 | out->r9 | out->r12 | out->r13, 0);
	}
	CHECK_EQUAL(reply_change(&message, 7, op_head(OP_PROTECT, 0, table, 0, 4), PTE_P, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(reply_change(&message, 7, op_head(OP_PROTECT, 3, table, 0, 4), PTE_W, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(reply_change(&message, 7, op_head(OP_PROTECT, 0, table, 511, 2), PTE_W, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(shared_page.steps_done[0], 3);
	CHECK_OK(reply(message.token, 0, 0)); /* the token was good all the time */
	return true;
}

static bool a_reply_that_takes_rights_flushes_its_caller(void)
{
	struct message message;
	struct sub sub;
	uint64_t head;

	CHECK(sub_that_called_below(&sub, &message, SUB_PRIVATE));
	head = op_head(OP_PROTECT, FLUSH_SPACE, sub.image_table, sub_index(SUB_PRIVATE), 1);
	CHECK_OK(reply_change(&message, 0, head, PTE_W, 0));
	CHECK_EQUAL(message.tag, LABEL_FAULT | TAG_KERNEL);
	CHECK_EQUAL(message.w[0], SUB_PRIVATE);
	CHECK(message.w[1] & FAULT_WRITE);
	CHECK_EQUAL(message.w[6] & (PTE_P | PTE_W), PTE_P);
	return true;
}

/* ---- order ---- */

static bool the_more_important_caller_is_received_first(void)
{
	struct sub_wish low = { .priority = PRIORITY_ABOVE },
			high = { .priority = PRIORITY_ABOVE + 5 };
	struct message message;
	struct sub one, two, three;

	CHECK(sub_make(&one, &low) && sub_make(&two, &high) && sub_make(&three, &low));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&one, program_steps, 0, 0));
	CHECK(sub_start(&two, program_steps, 0, 0));
	CHECK(sub_start(&three, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.badge, two.badge);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.badge, one.badge);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.badge, three.badge);
	return true;
}

/* ---- interrupt ---- */

static bool interrupt_withdraws_a_queued_call(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, LABEL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub.thread, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_INTERRUPTED);
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

static bool interrupt_announces_a_served_call_as_cancel(void)
{
	struct message message, cancel;
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub.thread, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 0);
	CHECK_OK(receive_now(&cancel));
	CHECK_EQUAL(cancel.tag & TAG_KERNEL_BITS, TAG_CANCEL);
	CHECK_EQUAL(cancel.token, message.token);
	CHECK_EQUAL(cancel.badge, sub.badge);
	CHECK_EQUAL(receive_now(&cancel), ST_EMPTY);
	CHECK_OK(reply(message.token, ST_INTERRUPTED, 0));
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_OK);
	CHECK_EQUAL(shared_page.steps[0][0].out.rsi, ST_INTERRUPTED);
	return true;
}

static bool a_cancel_can_be_overtaken_by_the_reply(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_that_called(&sub, &message));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub.thread, 0, 0));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub.thread, 0, 0));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

static bool interrupt_ends_a_receive(void)
{
	struct sub sub;
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_A, RIGHT_RECEIVE, 0));
	step_add(0, CALL_REPLY_RECEIVE, SUB_SLOT_A | RR_RECEIVE, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub.thread, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_INTERRUPTED);
	return true;
}

static bool interrupt_of_a_thread_that_waits_for_nothing_does_nothing(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub.thread, 0, 0));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, boot->thread, 0, 0));
	CHECK_EQUAL(op_on(OP_THREAD_INTERRUPT, sub.space, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_INTERRUPT, boot->init_space, 0, 0), ST_BAD_FRAME);
	return true;
}

/* ---- death of the server ---- */

/* A sub that has called port SLOT_A of ours. */
static bool sub_calls_port_a(struct sub *sub, uint32_t list)
{
	CHECK(sub_make(sub, NULL));
	CHECK_OK(sub_give(sub, SUB_SLOT_A, SLOT_A, RIGHT_SEND, sub->badge));
	step_call(list, SUB_SLOT_A, LABEL, 0, 0);
	CHECK(sub_start(sub, program_steps, list, 0));
	return true;
}

static bool a_port_destroyed_in_mid_call_fails_the_callers(void)
{
	struct message message = { 0 };
	struct sub served, queued;
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK(sub_calls_port_a(&served, 0) && sub_calls_port_a(&queued, 1));
	CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message));
	CHECK_EQUAL(message.badge, served.badge);
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_DEAD);
	CHECK_EQUAL(shared_page.steps_done[1], 1);
	CHECK_EQUAL(shared_page.steps[1][0].out.rax, ST_DEAD);
	CHECK_EQUAL(reply(message.token, 0, 0), ST_BAD_TOKEN);
	return true;
}

static bool a_port_destroyed_while_somebody_receives_ends_the_receive(void)
{
	struct sub sub;
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_A, RIGHT_RECEIVE, 0));
	step_add(0, CALL_REPLY_RECEIVE, SUB_SLOT_A | RR_RECEIVE, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_DEAD);
	return true;
}

/* Threads of one space that queue at port A.  They need no stack: they never come back from their
   call. */
static bool many_callers(struct sub *sub)
{
	CHECK(sub_make(sub, NULL));
	CHECK_OK(sub_give(sub, SUB_SLOT_A, SLOT_A, RIGHT_SEND, 0));
	step_call(0, SUB_SLOT_A, LABEL, 0, 0);
	for (uint32_t i = 0; i < MANY; i++) {
		struct sub caller = *sub;

		caller.thread = frame_take();
		CHECK_OK(op_on(OP_THREAD_CREATE, caller.thread, sub->space, PRIORITY_ABOVE));
		CHECK(sub_set(&caller, THREAD_FIELD_START, (uint64_t)blob_call_and_stop,
			SUB_STACK_TOP - 8));
		CHECK(sub_set(&caller, THREAD_FIELD_ARGUMENTS, SUB_SLOT_A,
			(uint64_t)&shared_page.word[0]));
		CHECK_OK(op_on(OP_THREAD_START, caller.thread, 0, 0));
	}
	let_others_run();
	return true;
}

static bool a_port_with_many_callers_is_destroyed_in_pieces(void)
{
	struct sub sub;
	status_t status;
	uint32_t pieces = 1;
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK(many_callers(&sub));
	while ((status = op_on(OP_DESTROY, port, 0, 0)) == ST_MORE) {
		CHECK_EQUAL(call4(CALL_NOTIFY, SLOT_A, 1, 0, 0, 0), ST_BAD_HANDLE);
		pieces++;
	}
	CHECK_OK(status);
	CHECK(pieces > 1);
	let_others_run();
	CHECK_EQUAL(shared_page.word[ST_DEAD], MANY);
	return true;
}

static bool port_reset_fails_served_calls_and_requeues_faults(void)
{
	struct message message = { 0 };
	struct sub caller, faulter, queued;
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK(sub_calls_port_a(&caller, 0));
	CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message));
	CHECK(sub_make(&faulter, NULL));
	CHECK(sub_set(&faulter, THREAD_FIELD_FAULT_PORT, SLOT_A, faulter.badge));
	CHECK(sub_start(&faulter, program_read, SUB_UNUSED, 0));
	CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message));
	CHECK_EQUAL(message.badge, faulter.badge);
	CHECK(sub_calls_port_a(&queued, 1));
	CHECK_OK(op_on(OP_PORT_RESET, port, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_DEAD);
	CHECK_EQUAL(shared_page.steps_done[1], 0);
	CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message));
	CHECK_EQUAL(message.badge, queued.badge);
	CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message));
	CHECK_EQUAL(message.badge, faulter.badge);
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	return true;
}

static bool port_reset_is_bounded_and_refuses(void)
{
	struct message message = { 0 };
	struct sub sub;
	status_t status;
	uint32_t pieces = 1;
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_EQUAL(op_on(OP_PORT_RESET, boot->init_space, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_PORT_RESET, boot->thread, 0, 0), ST_WRONG_TYPE);
	CHECK(many_callers(&sub));
	for (uint32_t i = 0; i < MANY; i++) {
		CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message));
	}
	while ((status = op_on(OP_PORT_RESET, port, 0, 0)) == ST_MORE) {
		pieces++;
	}
	CHECK_OK(status);
	CHECK(pieces > 1);
	let_others_run();
	CHECK_EQUAL(shared_page.word[ST_DEAD], MANY);
	return true;
}

/* A served caller whose cancel is still to be announced, at port SLOT_A. */
static bool sub_with_cancel(struct sub *sub, struct message *message, pfn_t *port)
{
	CHECK(port_make(SLOT_A, port));
	CHECK(sub_calls_port_a(sub, 0));
	*message = (struct message){ 0 };
	CHECK_OK(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, message));
	CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub->thread, 0, 0));
	return true;
}

static bool a_pending_cancel_ends_with_its_port(void)
{
	struct message message;
	struct sub sub;
	pfn_t port;

	CHECK(sub_with_cancel(&sub, &message, &port));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_DEAD);
	return true;
}

static bool a_pending_cancel_ends_with_a_reset(void)
{
	struct message message;
	struct sub sub;
	pfn_t port;

	CHECK(sub_with_cancel(&sub, &message, &port));
	CHECK_OK(op_on(OP_PORT_RESET, port, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_DEAD);
	CHECK_EQUAL(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message), ST_EMPTY);
	return true;
}

static bool a_pending_cancel_ends_with_its_thread(void)
{
	struct message message;
	struct sub sub;
	pfn_t port;

	CHECK(sub_with_cancel(&sub, &message, &port));
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_EQUAL(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message), ST_EMPTY);
	return true;
}

static bool two_receivers_of_a_port_get_a_message_each(void)
{
	struct step *calls[2];
	struct sub one, two, caller[2];
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK(sub_make(&one, NULL) && sub_make(&two, NULL));
	CHECK_OK(sub_give(&one, SUB_SLOT_A, SLOT_A, RIGHT_RECEIVE, 0));
	CHECK_OK(sub_give(&two, SUB_SLOT_A, SLOT_A, RIGHT_RECEIVE, 0));
	calls[0] = step_add(0, CALL_REPLY_RECEIVE, SUB_SLOT_A | RR_RECEIVE, 0, 0, 0);
	calls[1] = step_add(1, CALL_REPLY_RECEIVE, SUB_SLOT_A | RR_RECEIVE, 0, 0, 0);
	CHECK(sub_start(&one, program_steps, 0, 0) && sub_start(&two, program_steps, 1, 0));
	for (uint32_t i = 0; i < 2; i++) {
		CHECK(sub_make(&caller[i], NULL));
		CHECK_OK(sub_give(&caller[i], SUB_SLOT_A, SLOT_A, RIGHT_SEND, 100 + i));
		CHECK(sub_start(&caller[i], blob_call_and_stop, SUB_SLOT_A,
			(uint64_t)&shared_page.word[0]));
		CHECK_EQUAL(calls[i]->out.rax, ST_OK);
		CHECK_EQUAL(calls[i]->out.rdi, 100 + i);
	}
	return true;
}

static bool a_fault_port_that_dies_parks_the_thread(void)
{
	struct message message;
	struct sub sub;
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(op_on(OP_POOL_SET, 0, boot->pool, SLOT_SELF | 0x20ull << 32));
	CHECK(sub_make(&sub, NULL));
	CHECK(sub_set(&sub, THREAD_FIELD_FAULT_PORT, SLOT_A, sub.badge));
	CHECK(sub_start(&sub, program_write, SUB_UNUSED, 1));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_EQUAL(message.w[0], 0x20);
	CHECK(sub_set(&sub, THREAD_FIELD_FAULT_PORT, SLOT_SELF, sub.badge));
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_OK(op_on(OP_POOL_SET, 0, boot->pool, 0));
	return true;
}

const struct test tests_calls[] = {
	{ "receive_without_a_message_is_empty", receive_without_a_message_is_empty },
	{ "receive_refuses", receive_refuses },
	{ "call_refuses", call_refuses },
	{ "a_reply_and_the_next_message_come_in_one_call",
		a_reply_and_the_next_message_come_in_one_call },
	{ "replies_come_in_any_order", replies_come_in_any_order },
	{ "a_token_is_good_once", a_token_is_good_once },
	{ "an_old_token_does_not_fit_the_next_call", an_old_token_does_not_fit_the_next_call },
	{ "forged_tokens_are_refused", forged_tokens_are_refused },
	{ "a_token_of_another_port_is_refused", a_token_of_another_port_is_refused },
	{ "a_queued_caller_cannot_be_answered", a_queued_caller_cannot_be_answered },
	{ "a_reply_to_a_dead_thread_is_refused", a_reply_to_a_dead_thread_is_refused },
	{ "a_reply_to_a_stopped_thread_is_refused", a_reply_to_a_stopped_thread_is_refused },
	{ "a_refused_batch_leaves_the_token_valid", a_refused_batch_leaves_the_token_valid },
	{ "a_reply_with_an_operation_brings_its_label_and_no_words",
		a_reply_with_an_operation_brings_its_label_and_no_words },
	{ "a_reply_that_takes_rights_flushes_its_caller",
		a_reply_that_takes_rights_flushes_its_caller },
	{ "results_of_a_reply_are_taken_before_receiving",
		results_of_a_reply_are_taken_before_receiving },
	{ "the_more_important_caller_is_received_first",
		the_more_important_caller_is_received_first },
	{ "interrupt_withdraws_a_queued_call", interrupt_withdraws_a_queued_call },
	{ "interrupt_announces_a_served_call_as_cancel",
		interrupt_announces_a_served_call_as_cancel },
	{ "a_cancel_can_be_overtaken_by_the_reply", a_cancel_can_be_overtaken_by_the_reply },
	{ "interrupt_ends_a_receive", interrupt_ends_a_receive },
	{ "interrupt_of_a_thread_that_waits_for_nothing_does_nothing",
		interrupt_of_a_thread_that_waits_for_nothing_does_nothing },
	{ "a_port_destroyed_in_mid_call_fails_the_callers",
		a_port_destroyed_in_mid_call_fails_the_callers },
	{ "a_port_destroyed_while_somebody_receives_ends_the_receive",
		a_port_destroyed_while_somebody_receives_ends_the_receive },
	{ "a_port_with_many_callers_is_destroyed_in_pieces",
		a_port_with_many_callers_is_destroyed_in_pieces },
	{ "port_reset_fails_served_calls_and_requeues_faults",
		port_reset_fails_served_calls_and_requeues_faults },
	{ "port_reset_is_bounded_and_refuses", port_reset_is_bounded_and_refuses },
	{ "a_pending_cancel_ends_with_its_port", a_pending_cancel_ends_with_its_port },
	{ "a_pending_cancel_ends_with_a_reset", a_pending_cancel_ends_with_a_reset },
	{ "a_pending_cancel_ends_with_its_thread", a_pending_cancel_ends_with_its_thread },
	{ "two_receivers_of_a_port_get_a_message_each",
		two_receivers_of_a_port_get_a_message_each },
	{ "a_fault_port_that_dies_parks_the_thread", a_fault_port_that_dies_parks_the_thread },
	{ 0 },
};
