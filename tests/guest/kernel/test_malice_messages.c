/*
 * A malicious pager: tokens, ports, death, objects used again.  See malice.h.
 *
 * Clients are programs of the victim's pool that have a handle of the attacker's port: as programs
 * have of their pager's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"

#define PORT_SLOT 20u /* of the attacker: its port, with all rights */
#define LENT_SLOT 61u /* of the tests: to pass handles on */

/* The attacker makes a port; the tests get a handle of it. */
static bool attacker_port(struct attacker *attacker, pfn_t *port)
{
	const struct message none = { 0 };
	struct call_registers give = { .rax = CALL_CALL,
		.rdi = SUB_SLOT_MAIN,
		.rsi = 1 | (uint64_t)PORT_SLOT << TAG_HANDLE_SHIFT };
	struct message message = none;
	struct step *step;

	*port = attacker_frame(attacker, FRAME_FREE);
	CHECK_OK(attack_at(attacker, OP_PORT_CREATE, *port, PORT_SLOT, 0, 0));
	steps_clear();
	step = step_add(0, 0, 0, 0, 0, 0);
	step->in = give;
	CHECK(sub_start(&attacker->sub, program_steps, 0, 0));
	CHECK_OK(reply_receive(
		SLOT_SELF | LENT_SLOT << RR_SLOT_SHIFT | RR_RECEIVE | RR_NONBLOCK, &message));
	CHECK(message.tag & TAG_GOT_HANDLE);
	CHECK_OK(reply(message.token, 0, 0));
	return true;
}

/* A program of the victim's pool that has the attacker's port in SUB_SLOT_B. */
static bool client_make(const struct victim *victim, struct sub *client)
{
	struct sub_wish wish = { .flags = SPACE_FPU_NONE };
	bool made;

	frame_pool = victim->pool;
	made = sub_make(client, &wish);
	frame_pool = 0;
	return made && sub_give(client, SUB_SLOT_B, LENT_SLOT, RIGHT_SEND, 77) == ST_OK;
}

/* The client's kernel objects and stack change when it calls. */
static void client_may_change(const struct sub *client)
{
	outside_may_change(client->thread);
	outside_may_change(client->message);
	outside_may_change(client->private);
	outside_may_change(client->stack[0]);
	outside_may_change(client->stack[1]);
}

/* Calls slot SUB_SLOT_B; word[STATUS] = what came of it, counted in word[1]. */
static void program_client(uint64_t word0, uint64_t unused)
{
	struct message message = { .tag = 5, .w = { word0 } };

	(void)unused;
	shared_page.word[2] = ipc_call(SUB_SLOT_B, &message);
	shared_page.word[3] = message.w[0];
	shared_page.word[1]++;
	program_stop();
}

/* The attacker's REPLY_RECEIVE with this token; its registers afterwards. */
static struct call_registers attack_reply(const struct attacker *attacker, uint64_t token,
	uint64_t flags, uint64_t tag, uint64_t word0)
{
	struct call_registers in = { .rax = CALL_REPLY_RECEIVE,
		.rdi = PORT_SLOT | flags | RR_NONBLOCK,
		.rsi = tag,
		.rdx = word0,
		.rbx = token };

	return attack_call(attacker, &in);
}

/* ---- tokens ---- */

static bool malice_tokens_forged_replayed_and_doubled(void)
{
	struct attacker attacker;
	struct victim victim;
	struct sub client, served;
	struct message message;
	struct call_registers got;
	pfn_t port;

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port));
	CHECK(client_make(&victim, &client) && client_make(&victim, &served));
	CHECK_OK(sub_give(&served, SUB_SLOT_B, SLOT_SELF, RIGHT_SEND, served.badge));
	steps_clear();
	CHECK(sub_start(&served, program_client, 1, 0));
	CHECK_OK(receive_now(&message)); /* served by us, not by the attacker */
	CHECK(malice_keep(&attacker));
	client_may_change(&client);
	for (uint64_t guess = 0; guess < 40; guess++) {
		uint64_t token = message.token + (guess - 20) * (1ull << FRAME_NUMBER_BITS);

		CHECK_EQUAL(attack_reply(&attacker, token, RR_REPLY, 0, 666).rax, ST_BAD_TOKEN);
		CHECK_EQUAL(attack_reply(&attacker, 1ull << (guess + 20) | served.thread, RR_REPLY,
				    0, 666)
				    .rax,
			ST_BAD_TOKEN);
	}
	CHECK_EQUAL(attack_reply(&attacker, boot->frames, RR_REPLY, 0, 0).rax, ST_BAD_TOKEN);
	CHECK_EQUAL(attack_reply(&attacker, victim.data, RR_REPLY, 0, 0).rax, ST_BAD_TOKEN);
	CHECK_EQUAL(attack_reply(&attacker, ~0ull, RR_REPLY, 0, 0).rax, ST_BAD_TOKEN);
	shared_page.word[1] = 0;
	CHECK(sub_start(&client, program_client, 2, 0)); /* one that it may answer, once */
	got = attack_reply(&attacker, 0, RR_RECEIVE, 0, 0);
	CHECK_OK(got.rax);
	CHECK_EQUAL(got.rdi, 77);
	CHECK_OK(attack_reply(&attacker, got.rbx, RR_REPLY, 0, 0x1234).rax);
	for (uint32_t again = 0; again < 3; again++) {
		CHECK_EQUAL(
			attack_reply(&attacker, got.rbx, RR_REPLY, 0, 0x9999).rax, ST_BAD_TOKEN);
	}
	CHECK_EQUAL(shared_page.word[1], 1);
	CHECK_EQUAL(shared_page.word[3], 0x1234);
	CHECK(outside_is_kept());
	CHECK_OK(reply(message.token, 0, 0x4321)); /* nobody took it from us */
	CHECK_EQUAL(shared_page.word[3], 0x4321);
	return kernel_is_well() && victim_answers(&victim);
}

/* ---- many callers ---- */

/* `count` threads of the attacker that all call its port; they need no stack. */
#define MANY 10000u
static pfn_t callers[MANY];

static bool callers_make(const struct attacker *attacker, uint32_t count)
{
	frame_pool = attacker->pool;
	for (uint32_t i = 0; i < count; i++) {
		pfn_t pfn = frame_take();

		callers[i] = pfn;
		batch_begin();
		batch_add(op_head(OP_THREAD_CREATE, 0, pfn, 0, 0), attacker->sub.space,
			PRIORITY_ABOVE);
		batch_add(op_head(OP_THREAD_SET, 0, pfn, THREAD_FIELD_START, 0),
			(uint64_t)blob_call_and_stop, SUB_STACK_TOP - 8);
		batch_add(op_head(OP_THREAD_SET, 0, pfn, THREAD_FIELD_ARGUMENTS, 0), PORT_SLOT,
			(uint64_t)&shared_page.word[0]);
		batch_add(op_head(OP_THREAD_START, 0, pfn, 0, 0), 0, 0);
		CHECK_OK(batch_end());
	}
	frame_pool = 0;
	let_others_run();
	return true;
}

#define PIECE_TIME \
	(1000000u * TIME_FACTOR) /* nanoseconds that one piece of the port's end may take */

/* In the attacker: ends the port piece by piece. word[20] = pieces, word[21] = the longest. */
static void program_end_port(uint64_t port, uint64_t unused)
{
	struct op *op = MESSAGE_PAGE;
	uint64_t status = ST_MORE, before[3], after[3];

	(void)unused;
	while (status == ST_MORE) {
		*op = (struct op){ op_head(OP_DESTROY, 0, (pfn_t)port, 0, 0), 0, 0 };
		(void)kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, before);
		status = kernel_call(CALL_BATCH, 1, 0, 0, 0, 0, 0, NULL);
		(void)kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, after);
		shared_page.word[20]++;
		if (after[0] - before[0] > shared_page.word[21]) {
			shared_page.word[21] = after[0] - before[0];
		}
	}
	shared_page.word[22] = status;
	program_stop();
}

static bool malice_a_port_destroyed_with_10000_callers(void)
{
	struct attacker attacker;
	struct victim victim;
	struct sub client;
	pfn_t port;

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port) &&
		client_make(&victim, &client));
	steps_clear();
	CHECK(callers_make(&attacker, MANY) && sub_start(&client, program_client, 3, 0));
	CHECK(malice_keep(&attacker));
	client_may_change(&client);
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, port, 0, 0), ST_MORE);
	CHECK(kernel_is_well()); /* between two pieces */
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, port, 0, 0), ST_MORE);
	CHECK(attacker_run(&attacker, program_end_port, port, 0));
	CHECK_OK(shared_page.word[22]);
	CHECK(shared_page.word[20] >= MANY / 300);
	CHECK(shared_page.word[21] < PIECE_TIME || !command_line_has("icount"));
	let_others_run();
	CHECK_EQUAL(shared_page.word[ST_DEAD], MANY);
	CHECK_EQUAL(shared_page.word[2], ST_DEAD);
	return malice_end(&attacker, &victim);
}

/* While a port ends in pieces everything is tried on it, and on those that still wait at it. */
static bool malice_messages_during_the_death_of_a_port(void)
{
	static const struct call_registers calls[] = {
		{ .rax = CALL_NOTIFY, .rdi = PORT_SLOT, .rsi = 1 },
		{ .rax = CALL_CALL, .rdi = PORT_SLOT, .rsi = 1 },
		{ .rax = CALL_REPLY_RECEIVE, .rdi = PORT_SLOT | RR_RECEIVE | RR_NONBLOCK },
		{ .rax = CALL_HANDLE,
			.rdi = HANDLE_COPY,
			.rsi = PORT_SLOT,
			.rdx = 30,
			.r10 = RIGHT_ALL },
		{ .rax = CALL_HANDLE,
			.rdi = HANDLE_MINT,
			.rsi = PORT_SLOT,
			.rdx = 31,
			.r10 = RIGHT_ALL,
			.r8 = 5 },
		{ .rax = CALL_HANDLE, .rdi = HANDLE_LOOK, .rsi = PORT_SLOT },
	};
	struct attacker attacker;
	struct victim victim;
	pfn_t port;

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port));
	CHECK(callers_make(&attacker, 900) && malice_keep(&attacker));
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, port, 0, 0), ST_MORE);
	for (uint32_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		CHECK_EQUAL(attack_call(&attacker, &calls[i]).rax, ST_BAD_HANDLE);
	}
	CHECK_EQUAL(attack_at(&attacker, OP_HANDLE_SET, attacker.sub.space, 32,
			    PORT_SLOT | RIGHT_ALL << 16, 0),
		ST_BAD_HANDLE);
	CHECK_EQUAL(attack_at(&attacker, OP_THREAD_SET, callers[800], THREAD_FIELD_FAULT_PORT,
			    PORT_SLOT, 0),
		ST_BAD_HANDLE);
	CHECK_EQUAL(attack_on(&attacker, OP_RETYPE, port, FRAME_FREE, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_at(&attacker, OP_PORT_CREATE, port, 33, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_on(&attacker, OP_TRANSFER, port, boot->pool, 0), ST_WRONG_TYPE);
	CHECK_OK(attack_on(&attacker, OP_PORT_RESET, port, 0, 0));
	CHECK_OK(attack_on(&attacker, OP_THREAD_INTERRUPT, callers[890], 0, 0));
	CHECK_OK(attack_on(&attacker, OP_THREAD_STOP, callers[891], 0, 0));
	CHECK_OK(attack_on(&attacker, OP_DESTROY, callers[892], 0, 0));
	CHECK_OK(attack_at(&attacker, OP_THREAD_SET, callers[893], THREAD_FIELD_PRIORITY, 3, 0));
	CHECK(kernel_is_well());
	shared_page.word[20] = shared_page.word[22] = 0;
	CHECK(attacker_run(&attacker, program_end_port, port, 0));
	CHECK_OK(shared_page.word[22]);
	return malice_end(&attacker, &victim);
}

/* ---- death in mid-call ---- */

enum death { DEATH_OF_THREAD, DEATH_OF_SPACE, DEATH_OF_PORT, DEATHS };

/* A second program of the attacker, which serves at its port. */
static bool server_make(const struct attacker *attacker, struct sub *server)
{
	bool made;

	frame_pool = attacker->pool;
	made = sub_make(server, NULL);
	frame_pool = 0;
	return made && sub_give(server, SUB_SLOT_A, LENT_SLOT, RIGHT_RECEIVE, 0) == ST_OK;
}

static void program_serve_and_wait(uint64_t unused, uint64_t unused2)
{
	struct message message = { 0 };

	(void)unused;
	(void)unused2;
	(void)ipc_reply_receive(SUB_SLOT_A | RR_RECEIVE, &message);
	shared_page.word[4] = message.w[0];
	(void)ipc_reply_receive(SUB_SLOT_A | RR_RECEIVE, &message);
	program_stop();
}

static bool server_dies(
	struct attacker *attacker, const struct sub *server, pfn_t port, enum death death)
{
	if (death == DEATH_OF_PORT) {
		return attack_on(attacker, OP_DESTROY, port, 0, 0) == ST_OK;
	}
	CHECK_OK(attack_on(attacker, OP_DESTROY, server->thread, 0, 0));
	if (death == DEATH_OF_SPACE) {
		CHECK_OK(attack_op(attacker, op_head(OP_CLEAR, 0, server->top, 0, 1), 0, 0));
		CHECK_OK(attack_op(
			attacker, op_head(OP_CLEAR, 0, server->top, LAYOUT_MESSAGE_SLOT, 1), 0, 0));
		CHECK_OK(attack_on(attacker, OP_DESTROY, server->space, 0, 0));
	}
	return true;
}

static bool malice_servers_that_die_in_mid_call(void)
{
	struct attacker attacker;
	struct victim victim;

	CHECK(malice_begin(&attacker, &victim));
	for (enum death death = 0; death < DEATHS; death++) {
		struct sub client, server;
		pfn_t port;

		CHECK(attacker_port(&attacker, &port) && server_make(&attacker, &server));
		CHECK(client_make(&victim, &client) && malice_keep(&attacker));
		client_may_change(&client);
		steps_clear();
		CHECK(sub_start(&server, program_serve_and_wait, 0, 0));
		CHECK(sub_start(&client, program_client, 0x77, 0));
		CHECK_EQUAL(shared_page.word[4], 0x77);
		shared_page.word[1] = 0;
		CHECK(server_dies(&attacker, &server, port, death));
		let_others_run();
		CHECK_EQUAL(shared_page.word[1], death == DEATH_OF_PORT);
		CHECK(outside_is_kept() && kernel_is_well());
		if (death != DEATH_OF_PORT) { /* whoever is above can always free the client */
			CHECK_OK(op_on(OP_PORT_RESET, port, 0, 0));
			let_others_run();
		}
		CHECK_EQUAL(shared_page.word[1], 1);
		CHECK_EQUAL(shared_page.word[2], ST_DEAD);
		if (death != DEATH_OF_PORT) {
			CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
		}
		CHECK(victim_answers(&victim));
	}
	return true;
}

/* ---- handles ---- */

static bool malice_handles_that_nobody_asked_for(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t port;
	struct call_registers in = { .rax = CALL_CALL, .rdi = 25 };

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port));
	CHECK_OK(sub_give(&attacker.sub, 25, VICTIM_SLOT, RIGHT_SEND, 0xa77ac));
	CHECK(malice_keep(&attacker));
	client_may_change(&victim.sub); /* its thread and stack, not its space with the handles */
	outside_may_change(victim.port);
	for (uint32_t slot = 0; slot < 256; slot += 5) {
		struct message message;
		struct step *step;

		shared_page.step_count[0] = shared_page.steps_done[0] = 0;
		step = step_add(0, 0, 0, 0, 0, 0);
		step->in = in;
		step->in.rsi = 1 | (uint64_t)(slot ? slot : PORT_SLOT) << TAG_HANDLE_SHIFT |
			       (uint64_t)(slot * 17 % 4200) << TAG_BYTES_SHIFT | TAG_KERNEL_BITS;
		CHECK(sub_start(&attacker.sub, program_steps, 0, 0));
		while (receive_now(&message) == ST_OK) { /* the victim asks as it always does */
			CHECK_EQUAL(message.badge, victim.sub.badge);
			CHECK_OK(reply(message.token, 0, 0));
		}
		CHECK_OK(op_on(OP_THREAD_STOP, attacker.sub.thread, 0, 0));
		let_others_run();
	}
	return malice_end(&attacker, &victim);
}

/* ---- the ground under its own feet ---- */

static bool malice_batches_that_end_what_they_stand_on(void)
{
	struct attacker attacker;
	struct victim victim;
	struct message message;
	struct op ops[4];
	pfn_t port;

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port) &&
		malice_keep(&attacker));
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, attacker.sub.thread, 0, 0), ST_BUSY);
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, attacker.sub.space, 0, 0), ST_BUSY);
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, attacker.sub.top, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_on(&attacker, OP_RETYPE, attacker.sub.message, FRAME_DATA, 0), ST_BUSY);
	CHECK_EQUAL(
		attack_on(&attacker, OP_RETYPE, attacker.sub.image_table, FRAME_DATA, 0), ST_BUSY);
	CHECK_EQUAL(
		attack_on(&attacker, OP_RETYPE, attacker.sub.top, FRAME_DATA, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_on(&attacker, OP_POOL_DESTROY, 0, attacker.pool, 0), ST_NO_RIGHT);
	CHECK_OK(attack_on(&attacker, OP_DESTROY, port, 0, 0));
	/* its message page goes, and becomes data; the results of the same batch have a place all
	 * the same */
	ops[0] = (struct op){
		op_head(OP_THREAD_SET, 0, attacker.sub.thread, THREAD_FIELD_MESSAGE, 0), 0, 0
	};
	ops[1] = (struct op){ op_head(OP_CLEAR, 0, attacker.sub.message_table, 0, 1), 0, 0 };
	ops[2] = (struct op){ op_head(OP_RETYPE, 0, attacker.sub.message, 0, 1), FRAME_L1, 0 };
	CHECK_EQUAL(attack_batch(&attacker, ops, 3), ST_BUSY);
	CHECK(kernel_is_well());
	/* then what it runs on: its program, its stack, all of its tables */
	CHECK_OK(op_at(
		OP_THREAD_SET, attacker.sub.thread, THREAD_FIELD_MESSAGE, attacker.sub.message, 0));
	ops[0] = (struct op){ op_head(OP_THREAD_STOP, 0, attacker.sub.thread, 0, 0), 0, 0 };
	ops[1] = (struct op){ op_head(OP_THREAD_START, 0, attacker.sub.thread, 0, 0), 0, 0 };
	ops[2] = (struct op){ op_head(OP_CLEAR, 0, attacker.sub.top, 0, 256), 0, 0 };
	ops[3] = (struct op){ op_head(OP_FLUSH, 0, attacker.sub.space, 0, 0), 0, 0 };
	CHECK_EQUAL(attack_batch(&attacker, ops, 4), ST_AGAIN); /* it never comes back */
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_OK(op_on(OP_THREAD_STOP, attacker.sub.thread, 0, 0));
	return malice_end(&attacker, &victim);
}

/* A reply whose batch ends the client, its space, the port of the reply, and uses their frames
 * again. */
static bool malice_replies_that_end_what_they_answer(void)
{
	struct attacker attacker;
	struct victim victim;
	struct sub client;
	struct call_registers got, in;
	struct op *page;
	pfn_t port;

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port) &&
		server_make(&attacker, &client));
	CHECK(sub_set(&client, THREAD_FIELD_FAULT_PORT, LENT_SLOT, 5) && malice_keep(&attacker));
	CHECK(sub_start(&client, program_read, SUB_UNUSED, 0));
	got = attack_reply(&attacker, 0, RR_RECEIVE, 0, 0);
	CHECK_OK(got.rax);
	CHECK_OK(attack_op(&attacker, op_head(OP_CLEAR, 0, client.top, 0, 1), 0, 0));
	CHECK_OK(attack_op(
		&attacker, op_head(OP_CLEAR, 0, client.top, LAYOUT_MESSAGE_SLOT, 1), 0, 0));
	page = message_open(attacker.sub.message);
	page[0] = (struct op){ op_head(OP_DESTROY, 0, client.thread, 0, 0), 0, 0 };
	page[1] = (struct op){ op_head(OP_DESTROY, 0, client.space, 0, 0), 0, 0 };
	page[2] = (struct op){ op_head(OP_RETYPE, 0, client.space, 0, 1), FRAME_L1, 0 };
	page[3] = (struct op){ op_head(OP_RETYPE, 0, client.top, 0, 1), FRAME_L2, 0 };
	page[4] = (struct op){ op_head(OP_SET, FLUSH_SPACE, client.top, 5, 0),
		pte_make(client.space, LINK_BITS), 0 };
	page[5] = (struct op){ op_head(OP_DESTROY, 0, port, 0, 0), 0, 0 };
	page[6] = (struct op){ op_head(OP_THREAD_CREATE, 0, client.thread, 0, 0),
		attacker.sub.space, 1 };
	page[7] = (struct op){ op_head(OP_PORT_CREATE, 0, port, PORT_SLOT, 0), 0, 0 };
	page[8] = (struct op){ op_head(OP_SET, FLUSH_SPACE, client.space, 6, 0), 0x4440, 0 };
	message_close(attacker.sub.message);
	in = (struct call_registers){ .rax = CALL_REPLY_RECEIVE,
		.rbx = got.rbx,
		.rdi = PORT_SLOT | RR_REPLY | RR_RECEIVE | RR_NONBLOCK,
		.rsi = 9ull << TAG_OPS_SHIFT | TAG_OPS_IN_PAGE };
	CHECK_EQUAL(attack_call(&attacker, &in).rax, ST_EMPTY);
	CHECK_EQUAL(table_entry(client.space, 5), 0);
	CHECK_EQUAL(table_entry(client.space, 6), 0x4440);
	return malice_end(&attacker, &victim);
}

/* ---- objects used again ---- */

/* The attacker's port frame goes back, and becomes a port of the victim; its thread frame a thread.
 */
static bool malice_references_to_what_was_there_before(void)
{
	struct attacker attacker;
	struct victim victim;
	struct sub faulter;
	struct message message;
	pfn_t port, thread;
	const struct call_registers notify = { .rax = CALL_NOTIFY, .rdi = PORT_SLOT, .rsi = 1 };

	CHECK(malice_begin(&attacker, &victim) && attacker_port(&attacker, &port) &&
		server_make(&attacker, &faulter));
	CHECK(sub_set(&faulter, THREAD_FIELD_FAULT_PORT, LENT_SLOT, 1));
	CHECK(sub_set(&faulter, THREAD_FIELD_EXCEPTION_PORT, LENT_SLOT, 1));
	CHECK_OK(attack_on(&attacker, OP_POOL_SET, 0, attacker.pool, PORT_SLOT | 0xffull << 32));
	thread = attacker_frame(&attacker, FRAME_FREE);
	CHECK_OK(attack_on(&attacker, OP_THREAD_CREATE, thread, attacker.sub.space, 1));
	CHECK_OK(attack_on(&attacker, OP_DESTROY, port, 0, 0));
	CHECK_OK(attack_on(&attacker, OP_DESTROY, thread, 0, 0));
	CHECK_OK(attack_on(&attacker, OP_TRANSFER, port, boot->pool, 0));
	CHECK_OK(attack_on(&attacker, OP_TRANSFER, thread, boot->pool, 0));
	CHECK_OK(op_on(OP_TRANSFER, port, victim.pool, 0));
	CHECK_OK(op_on(OP_TRANSFER, thread, victim.pool, 0));
	CHECK_OK(op_at(OP_PORT_CREATE, port, LENT_SLOT + 1, 0, 0));
	CHECK_OK(op_on(OP_THREAD_CREATE, thread, victim.sub.space, 2));
	CHECK(malice_keep(&attacker));
	CHECK_EQUAL(attack_call(&attacker, &notify).rax, ST_BAD_HANDLE);
	CHECK_EQUAL(attack_on(&attacker, OP_THREAD_START, thread, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(attack_on(&attacker, OP_DESTROY, port, 0, 0), ST_BAD_FRAME);
	CHECK(sub_start(&faulter, program_read, SUB_UNUSED,
		0)); /* fault, exception, pool: all to that port */
	CHECK_EQUAL(reply_receive((LENT_SLOT + 1) | RR_RECEIVE | RR_NONBLOCK, &message), ST_EMPTY);
	CHECK_EQUAL(attack_call(&attacker, &notify).rax, ST_BAD_HANDLE);
	return malice_end(&attacker, &victim);
}

#define ROW(name)           \
	{                   \
#name, name \
	}

const struct test tests_malice_messages[] = {
	ROW(malice_tokens_forged_replayed_and_doubled),
	ROW(malice_a_port_destroyed_with_10000_callers),
	ROW(malice_messages_during_the_death_of_a_port),
	ROW(malice_servers_that_die_in_mid_call),
	ROW(malice_handles_that_nobody_asked_for),
	ROW(malice_batches_that_end_what_they_stand_on),
	ROW(malice_replies_that_end_what_they_answer),
	ROW(malice_references_to_what_was_there_before),
	{ 0 },
};
