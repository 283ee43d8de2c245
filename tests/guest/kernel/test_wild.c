/*
 * Tests with wild input: any register contents with any call number, any operations.
 *
 * The generator is fixed (xorshift with a constant seed), so a failure comes again.  Values are
 * drawn from what is interesting: small numbers, powers of two, edges of the address space,
 * existing frames and handles, and plain noise.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define WILD_CALLS     10000u
#define WILD_BATCHES   2500u
#define WILD_FRAMES    48u
#define FLAG_ALIGNMENT (1ull << 18)
#define FLAG_DIRECTION (1ull << 10)
#define FLAGS_PLAIN    0x202ull

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	return random_next(state) % limit;
}

static uint64_t random_value(uint64_t *state)
{
	uint64_t noise = random_next(state);

	switch (random_below(state, 10)) {
	case 0:
		return 0;
	case 1:
		return noise % 16;
	case 2:
		return noise % 128;
	case 3:
		return 1ull << (noise % 64);
	case 4:
		return (1ull << (noise % 64)) - 1;
	case 5:
		return ~0ull << (noise % 64);
	case 6:
		return 0x0000800000000000 - noise % 3;
	case 7:
		return LAYOUT_DIRECT_MAP + noise % 0x10000000;
	case 8:
		return noise % 16 | (noise & (RR_REPLY | RR_RECEIVE | RR_NONBLOCK));
	default:
		return noise;
	}
}

/* Runs in a sub: word[0] = calls made.  After each it takes a handler back that it may have
   registered. */
static void program_wild_calls(uint64_t count, uint64_t seed)
{
	uint64_t values[17];

	for (uint64_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < 16; k++) {
			values[k] = random_value(&seed);
		}
		values[16] = FLAGS_PLAIN | (seed & (FLAG_ALIGNMENT | FLAG_DIRECTION));
		values[0] =
			random_below(&seed, 20) == 0 ? values[0] : random_below(&seed, CALL_COUNT);
		(void)wild_call(values);
		(void)kernel_call(CALL_THREAD, THREAD_SELF_UPCALL, 0, 0, 0, 0, 0, NULL);
		shared_page.word[0] = i + 1;
	}
	program_stop();
}

/* Answer what the wild thread sent, or start it again when it stopped itself. */
static bool wild_go_on(const struct sub *sub)
{
	struct message message;
	status_t status = receive_now(&message);

	if (status == ST_OK && !(message.tag & TAG_NOTIFICATION)) {
		message.tag = TAG_LABEL(message.tag) == LABEL_EXCEPTION ? FAULT_RESUME : 0;
		CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &message));
	} else if (status == ST_EMPTY) {
		status = op_on(OP_THREAD_START, sub->thread, 0, 0);
		if (status == ST_BUSY) { /* it waits in a receive of its own port, or for ever */
			CHECK_OK(op_on(OP_THREAD_INTERRUPT, sub->thread, 0, 0));
		}
	}
	let_others_run();
	return true;
}

static bool any_registers_with_any_call_number(void)
{
	struct sub sub;
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(20, &port));
	CHECK_OK(sub_give(&sub, 2, 20, RIGHT_ALL, 7));
	CHECK_OK(sub_give(&sub, 3, SLOT_SELF, RIGHT_SEND | RIGHT_MINT, 8));
	CHECK(sub_start(&sub, program_wild_calls, WILD_CALLS, 0x9e3779b97f4a7c15));
	for (uint32_t turn = 0; shared_page.word[0] < WILD_CALLS; turn++) {
		uint64_t before = shared_page.word[0];

		CHECK(wild_go_on(&sub));
		CHECK(turn < 100 * WILD_CALLS);
		if (before / 1000 != shared_page.word[0] / 1000) {
			CHECK_OK(call4(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0));
		}
	}
	return true;
}

/* ---- operations ---- */

/* What the program of wild batches works with; in the shared page's words. */
enum { WORD_DONE, WORD_FIRST_FRAME, WORD_OK };

#define TYPE(type) (1u << (type))
#define TYPES_TABLE \
	(TYPE(FRAME_L1) | TYPE(FRAME_L2) | TYPE(FRAME_L3) | TYPE(FRAME_L4) | TYPE(FRAME_TOP))
#define TYPES_UNUSED (TYPE(FRAME_FREE) | TYPE(FRAME_DATA))
#define TYPES_BYTES  (TYPE(FRAME_DATA) | TYPE(FRAME_MSG))
#define TYPES_ALL    ((1u << FRAME_TYPES) - 1)

/* The types of frame that an operation is about. */
static uint32_t operation_types(uint32_t op)
{
	switch (op) {
	case OP_ZERO:
	case OP_COPY_FRAME:
	case OP_LEND:
	case OP_HOLD:
	case OP_RELEASE:
		return TYPES_BYTES;
	case OP_TRANSFER:
	case OP_SPACE_CREATE:
	case OP_THREAD_CREATE:
	case OP_PORT_CREATE:
		return TYPES_UNUSED;
	case OP_SPACE_GRANT:
	case OP_HANDLE_SET:
	case OP_FLUSH:
		return TYPE(FRAME_SPACE);
	case OP_PORT_RESET:
		return TYPE(FRAME_PORT);
	case OP_DESTROY:
		return TYPE(FRAME_THREAD) | TYPE(FRAME_PORT) | TYPE(FRAME_SPACE);
	default:
		if (op >= OP_THREAD_SET && op <= OP_THREAD_INTERRUPT) {
			return TYPE(FRAME_THREAD);
		}
		return op >= OP_SET && op <= OP_HARVEST ? TYPES_TABLE : TYPES_ALL;
	}
}

/* The type of one of the pool's frames; of others, which may be no RAM at all, NONE. */
static uint32_t type_of(pfn_t pfn)
{
	uint64_t number = pfn - shared_page.word[WORD_FIRST_FRAME];

	return number < WILD_FRAMES ? FRAMES[pfn].type : FRAME_NONE;
}

/* A frame, mostly one of the pool's, and mostly of one of these types. */
static pfn_t random_frame(uint64_t *state, uint32_t types)
{
	pfn_t pfn = (pfn_t)(random_next(state) % 40000);

	if (random_below(state, 40) == 0) {
		return pfn;
	}
	for (uint32_t tries = 0; tries < 20; tries++) {
		pfn = (pfn_t)(shared_page.word[WORD_FIRST_FRAME] +
			      random_below(state, WILD_FRAMES));
		if (types & TYPE(type_of(pfn))) {
			break;
		}
	}
	return pfn;
}

/* An entry, mostly one that may stand in this table. */
static uint64_t random_entry(uint64_t *state, pfn_t table)
{
	static const uint64_t rights[] = { PTE_P | PTE_U, PTE_P | PTE_U | PTE_W,
		PTE_P | PTE_U | PTE_W | PTE_D, PTE_P | PTE_U | PTE_W | PTE_SHARED, PTE_P | PTE_NX };
	uint32_t type = type_of(table);
	uint32_t below = type == FRAME_L1    ? TYPES_BYTES
			 : type == FRAME_TOP ? TYPE(FRAME_L1 + LAYOUT_LEVELS - 2)
					     : TYPE((type - 1) % FRAME_TYPES);

	switch (random_below(state, 12)) {
	case 0:
		return 0;
	case 1:
		return random_next(state) & ~PTE_P;
	case 2:
		return random_next(state);
	default:
		return pte_make(random_frame(state, below), rights[random_below(state, 5)]);
	}
}

/* Words a and b of an operation on this frame, often such that make sense. */
static void random_arguments(uint64_t *state, struct op *op, pfn_t pfn)
{
	op->a = op->b = 0;
	switch (OP_CODE(op->head)) {
	case OP_RETYPE:
		op->a = random_below(state, 5) == 0
				? random_below(state, FRAME_TYPES)
				: FRAME_DATA + 2 * random_below(state, 2) + random_below(state, 3);
		break;
	case OP_SET:
		op->a = random_entry(state, pfn);
		break;
	case OP_COPY:
	case OP_MOVE:
		op->a = (uint64_t)random_frame(state, TYPE(type_of(pfn))) << OP_PFN_SHIFT |
			random_below(state, 16) << OP_INDEX_SHIFT;
		break;
	case OP_SPLIT:
		op->a = random_frame(state, TYPES_UNUSED);
		op->b = random_entry(state, pfn);
		break;
	case OP_COPY_FRAME:
		op->a = random_frame(state, TYPES_BYTES);
		break;
	case OP_SPACE_CREATE:
		op->a = random_frame(state, TYPES_UNUSED);
		break;
	case OP_THREAD_CREATE:
		op->a = random_frame(state, TYPE(FRAME_SPACE));
		op->b = random_below(state, 66);
		break;
	case OP_THREAD_CLONE:
		op->a = random_frame(state, TYPE(FRAME_THREAD));
		break;
	case OP_THREAD_SET:
		op->a = random_below(state, 2) ? random_frame(state, TYPE(FRAME_MSG))
					       : random_below(state, 64);
		break;
	case OP_PROTECT:
		op->a = PTE_W;
		break;
	case OP_HANDLE_SET:
		op->a = random_below(state, 16) | random_below(state, 16) << 16;
		break;
	default:
		break;
	}
	if (random_below(state, 20) == 0) {
		op->a = random_value(state);
	}
}

/* Operations that would end or move the program itself, or take very long, are left out. */
static uint32_t random_operation(uint64_t *state)
{
	for (;;) {
		uint32_t op = (uint32_t)random_below(state, OP_COUNT + 1);

		if (op != OP_POOL_DESTROY && op != OP_POOL_CREATE && op != OP_POOL_SET) {
			return op;
		}
	}
}

static void program_wild_batches(uint64_t count, uint64_t seed)
{
	struct op *ops = MESSAGE_PAGE;
	struct batch_outcome progress;

	for (uint64_t i = 0; i < count; i++) {
		uint32_t length = (uint32_t)(1 + random_below(&seed, 6));

		for (uint32_t k = 0; k < length; k++) {
			uint32_t op = random_operation(&seed);
			pfn_t pfn = random_frame(&seed, operation_types(op));
			uint32_t flags = (uint32_t)random_below(&seed, 20);
			uint32_t index = (uint32_t)random_below(&seed, 24);

			index = op == OP_THREAD_SET ? index % (THREAD_FIELDS + 1) : index;
			ops[k].head = op_head(op, flags < 4 ? flags : 0, pfn, index,
				(uint32_t)random_below(&seed, 6) + 1);
			random_arguments(&seed, &ops[k], pfn);
		}
		(void)kernel_batch_in_page(length, &progress);
		shared_page.word[WORD_OK] += progress.done;
		shared_page.word[WORD_DONE] = i + 1;
	}
	program_stop();
}

static bool any_operations_on_the_frames_of_a_pool(void)
{
	struct sub_wish wish = { 0 };
	struct message message;
	struct sub sub;
	uint16_t pool;
	pfn_t row = frame_take_row(WILD_FRAMES, 1);

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_many(OP_TRANSFER, row, 0, WILD_FRAMES, pool, 0));
	wish.pool = pool;
	wish.flags = SPACE_SEES_FRAMES;
	CHECK(sub_make(&sub, &wish));
	shared_page.word[WORD_FIRST_FRAME] = row;
	for (uint64_t done = 0; done < WILD_BATCHES; done += 100) {
		CHECK(sub_start(&sub, program_wild_batches, 100, 0x2545f4914f6cdd1d + done));
		CHECK_EQUAL(shared_page.word[WORD_DONE], 100);
		CHECK_OK(call4(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0));
		while (receive_now(&message) == ST_OK) {
		}
	}
	CHECK(shared_page.word[WORD_OK] > WILD_BATCHES / 3);
	return true;
}

static bool any_tag_and_token_in_a_reply(void)
{
	struct message message;
	struct sub sub;
	uint64_t state = 0x123456789, answered = 0;

	CHECK(sub_make(&sub, NULL));
	for (uint32_t round = 0; round < 2000; round++) {
		struct message answer;

		steps_clear();
		step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
		CHECK_OK(op_on(OP_THREAD_STOP, sub.thread, 0, 0));
		CHECK(sub_start(&sub, program_steps, 0, 0));
		CHECK_OK(receive_now(&message));
		answer.tag = random_value(&state);
		answer.tag &= ~(0x3full << TAG_OPS_SHIFT); /* batches have their own test */
		for (uint32_t i = 0; i < 6; i++) {
			answer.w[i] = random_value(&state);
		}
		answer.token = random_below(&state, 2) ? message.token
						       : message.token ^ random_value(&state);
		answered += reply_receive(SLOT_SELF | RR_REPLY, &answer) == ST_OK;
		let_others_run();
	}
	CHECK(answered > 100);
	return true;
}

const struct test tests_wild[] = {
	{ "any_registers_with_any_call_number", any_registers_with_any_call_number },
	{ "any_operations_on_the_frames_of_a_pool", any_operations_on_the_frames_of_a_pool },
	{ "any_tag_and_token_in_a_reply", any_tag_and_token_in_a_reply },
	{ 0 },
};
