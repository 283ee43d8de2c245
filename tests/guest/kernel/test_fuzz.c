/*
 * Random operations and calls of two attackers at once, against each other and a victim.
 *
 * An attacker is a program with a pool of its own (malice.h) that it has authority over: it makes
 * batches of operations on the frames of its own pool, mostly, and of the other's; threads in its
 * own space that run the same program on its own stack; ports, handles, calls to the tests,
 * replies with tokens that it makes up.  Sooner or later it takes its own tables or threads apart.
 * Both run below the priority of the tests, in turns of the clock, while the tests answer what
 * comes.
 *
 * A sequence is one batch, or one call, with all its arguments; a round is what two fresh
 * attackers do in ROUND_SLICES slices of time, or until neither can go on.  An attacker that
 * waits, is parked or has stopped begins again after each slice, if there is something left of it.
 * After a round: the kernel checks itself, the victim answers with its memory as it was, and
 * taking everything apart gives every frame back.
 *
 * The kernel's command line may ask for more: fuzz=SEED,ROUNDS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"
#include <server/string.h>

#define ROUNDS_USUAL	50u
#define ROUND_SLICES	30u
#define IDLE_SLICES	3u
#define SLICE		400000ull /* nanoseconds */
#define ATTACKERS	2u
#define POOLS_BELOW	3u
#define POOLS_ALL	255u
#define REPORT_EVERY	500u /* rounds */
#define OPERATIONS_MOST 6u
#define LIMITS		\
	(POOL_LIMITED | PRIORITY_BELOW | (uint64_t)POOLS_BELOW << POOL_BELOW_SHIFT)

/* Words of the shared page, each for attacker 0 and 1. */
enum {
	WORD_DONE,
	WORD_FIRST = 2,
	WORD_COUNT = 4,
	WORD_SPACE = 6,
	WORD_TOKEN = 8,
	WORD_OWN = 10,
	WORD_ROOT = 12 /* for both: the root's pool */
};

/* ---- choices, in the attackers: no variables but the seed ---- */

static uint64_t any(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull >> 4;
}

static uint32_t below(uint64_t *seed, uint32_t limit)
{
	return (uint32_t)(any(seed) % limit);
}

static uint64_t any_word(uint64_t *seed)
{
	switch (below(seed, 8)) {
	case 0:
		return below(seed, 16);
	case 1:
		return 1ull << below(seed, 64);
	case 2:
		return ~0ull << below(seed, 64);
	case 3:
		return 0x0000800000000000 - below(seed, 3);
	case 4:
		return LAYOUT_DIRECT_MAP + any(seed) % 0x10000000;
	case 5:
		return (uint64_t)below(seed, 4096) << 36 | below(seed, 512) << 16;
	default:
		return any(seed);
	}
}

#define TYPE(type) (1u << (type))
#define TABLES	   (TYPE(FRAME_L1) | TYPE(FRAME_L2) | TYPE(FRAME_L3) | TYPE(FRAME_TOP))
#define UNUSED	   (TYPE(FRAME_FREE) | TYPE(FRAME_DATA))
#define ANYTHING   (TYPE(FRAME_TYPES) - 1)

/* Mostly one of the attacker's pool, mostly of one of these types; seldom of what the attacker
   itself is made of. */
static pfn_t any_frame(uint64_t *seed, uint64_t self, uint32_t types)
{
	uint64_t whose = below(seed, 16) == 0 ? 1 - self : self;
	pfn_t first = (pfn_t)shared_page.word[WORD_FIRST + whose];
	uint32_t count = (uint32_t)shared_page.word[WORD_COUNT + whose];
	pfn_t pfn = first;

	if (below(seed, 200) == 0) {
		count += (uint32_t)(first - shared_page.word[WORD_OWN + whose]);
		first = (pfn_t)shared_page.word[WORD_OWN + whose];
	}

	if (below(seed, 40) == 0) {
		return below(seed, 70000);
	}
	for (uint32_t tries = 0; tries < 24; tries++) {
		pfn = first + below(seed, count);
		if (types & TYPE(FRAMES[pfn].type)) {
			break;
		}
	}
	return pfn;
}

/* The frame table's entry of one of the attackers' frames; of others (perhaps no RAM) frame 0's. */
static struct frame frame_now(pfn_t pfn)
{
	for (uint32_t i = 0; i < ATTACKERS; i++) {
		if (pfn - shared_page.word[WORD_FIRST + i] < shared_page.word[WORD_COUNT + i])
			return FRAMES[pfn];
	}
	return FRAMES[0];
}

static uint64_t any_entry(uint64_t *seed, uint64_t self, uint32_t type)
{
	static const uint64_t rights[] = { PTE_P | PTE_U, PTE_P | PTE_U | PTE_W,
		PTE_P | PTE_U | PTE_W | PTE_SHARED, PTE_P | PTE_U | PTE_W | PTE_D | PTE_A,
		PTE_P | PTE_NX };
	uint32_t names = type == FRAME_L1    ? TYPE(FRAME_DATA) | TYPE(FRAME_MSG)
			 : type == FRAME_TOP ? TYPE(FRAME_L1 + LAYOUT_LEVELS - 2)
					     : TYPE((type - 1) % FRAME_TYPES);

	switch (below(seed, 10)) {
	case 0:
		return 0;
	case 1:
		return any(seed) & ~PTE_P;
	case 2:
		return any_word(seed);
	default:
		return pte_make(any_frame(seed, self, names), rights[below(seed, 5)]);
	}
}

/* ---- operations ---- */

static uint32_t types_of(uint32_t op)
{
	switch (op) {
	case OP_SET:
	case OP_FILL:
	case OP_COPY:
	case OP_SPLIT:
	case OP_MOVE:
	case OP_CLEAR:
	case OP_PROTECT:
	case OP_READ:
	case OP_HARVEST:
		return TABLES;
	case OP_RETYPE:
	case OP_TRANSFER:
	case OP_SPACE_CREATE:
	case OP_THREAD_CREATE:
	case OP_PORT_CREATE:
		return UNUSED;
	case OP_THREAD_SET:
	case OP_THREAD_GET:
	case OP_THREAD_CLONE:
	case OP_THREAD_START:
	case OP_THREAD_STOP:
	case OP_THREAD_INTERRUPT:
		return TYPE(FRAME_THREAD);
	case OP_SPACE_GRANT:
	case OP_HANDLE_SET:
	case OP_FLUSH:
		return TYPE(FRAME_SPACE);
	case OP_PORT_RESET:
		return TYPE(FRAME_PORT);
	case OP_DESTROY:
		return TYPE(FRAME_SPACE) | TYPE(FRAME_THREAD) | TYPE(FRAME_PORT);
	default:
		return TYPE(FRAME_DATA) | TYPE(FRAME_MSG);
	}
}

static void program_attack(uint64_t self, uint64_t seed);

/* A field of a thread, often such that it can run: our program, on our own stack. */
static void make_thread_set(uint64_t *seed, uint64_t self, struct op *op, uint32_t field)
{
	if (field == THREAD_FIELD_START) {
		op->a = below(seed, 3) ? (uint64_t)program_attack : any_word(seed);
		op->b = SUB_STACK_TOP - 8 - below(seed, 4) * 1024;
	} else if (field == THREAD_FIELD_ARGUMENTS) {
		op->a = self;
		op->b = any(seed) | 1;
	} else if (field == THREAD_FIELD_MESSAGE) {
		op->a = below(seed, 3) ? any_frame(seed, self, TYPE(FRAME_MSG)) : 0;
	} else if (field == THREAD_FIELD_PRIORITY) {
		op->a = below(seed, PRIORITY_BELOW + 8);
	} else {
		op->a = below(seed, 24);
		op->b = any_word(seed);
	}
}

static void make_arguments(uint64_t *seed, uint64_t self, struct op *op, pfn_t pfn, uint32_t type)
{
	switch (OP_CODE(op->head)) {
	case OP_RETYPE:
		op->a = FRAME_FREE + below(seed, FRAME_TRACE - FRAME_FREE + 1);
		break;
	case OP_SET:
		op->a = any_entry(seed, self, type);
		op->b = below(seed, 6) ? 0 : any_entry(seed, self, type);
		break;
	case OP_COPY:
	case OP_MOVE:
		op->a = op_head(0, 0, any_frame(seed, self, TYPE(type)), below(seed, 16), 0);
		break;
	case OP_SPLIT:
		op->a = any_frame(seed, self, UNUSED);
		op->b = any_entry(seed, self, type);
		break;
	case OP_PROTECT:
		op->a = below(seed, 3) ? PTE_W : PTE_W | PTE_U;
		op->b = below(seed, 3) ? 0 : PTE_NX;
		break;
	case OP_COPY_FRAME:
	case OP_SPACE_CREATE:
	case OP_THREAD_CLONE:
		op->a = any_frame(seed, self, types_of(OP_CODE(op->head)));
		break;
	case OP_THREAD_CREATE:
		op->a = below(seed, 4) ? shared_page.word[WORD_SPACE + self]
				       : any_frame(seed, self, TYPE(FRAME_SPACE));
		op->b = below(seed, PRIORITY_BELOW + 4);
		break;
	case OP_THREAD_SET:
		make_thread_set(seed, self, op, OP_INDEX(op->head));
		break;
	case OP_HANDLE_SET:
		op->a = below(seed, 24) | (uint64_t)below(seed, 16) << 16;
		op->b = any_word(seed);
		break;
	case OP_TRANSFER:
	case OP_LEND:
	case OP_POOL_DESTROY:
	case OP_POOL_SET:
		op->a = frame_now(pfn).pool + below(seed, 4) - 1;
		break;
	default:
		break;
	}
}

static void make_operation(uint64_t *seed, uint64_t self, struct op *op)
{
	uint32_t code = below(seed, OP_COUNT + 1), flags = below(seed, 24);
	pfn_t pfn = any_frame(seed, self, types_of(code));
	uint32_t type = frame_now(pfn).type;
	uint32_t index = code == OP_THREAD_SET ? below(seed, THREAD_FIELDS) : below(seed, 24);

	/* Its own tables and threads are taken apart soon enough. */
	if ((code == OP_CLEAR || code == OP_DESTROY || code == OP_MOVE) && below(seed, 4)) {
		code = OP_RETYPE;
	}
	*op = (struct op){ op_head(code, flags < 4 ? flags : 0, pfn, index, 1 + below(seed, 6)), 0,
		0 };
	make_arguments(seed, self, op, pfn, type);
	if (below(seed, 24) == 0) {
		op->a = any_word(seed);
	}
	if (below(seed, 24) == 0) {
		op->b = any_word(seed);
	}
	/* What is given to the root, above us, is gone for good: a right, but not for a test. */
	if (code == OP_TRANSFER && op->a == shared_page.word[WORD_ROOT]) {
		op->a++;
	}
}

static void attack_by_batch(uint64_t *seed, uint64_t self)
{
	struct op *ops = MESSAGE_PAGE;
	uint32_t count = 1 + below(seed, OPERATIONS_MOST);

	for (uint32_t i = 0; i < count; i++) {
		make_operation(seed, self, &ops[i]);
	}
	(void)kernel_call(
		CALL_BATCH, below(seed, 30) ? count : any_word(seed), 0, 0, 0, 0, 0, NULL);
}

/* ---- calls ---- */

/* Any registers; what would wait for ever does not, mostly. */
static void attack_by_call(uint64_t *seed, uint64_t self)
{
	struct call_registers in;
	uint64_t *words = (uint64_t *)&in;

	for (uint32_t i = 0; i < sizeof(in) / 8; i++) {
		words[i] = below(seed, 3) ? below(seed, 24) : any_word(seed);
	}
	in.rax = below(seed, 20) ? below(seed, CALL_COUNT) : any_word(seed);
	if (in.rax == CALL_CALL) {
		in.rdi = below(seed, 4) ? SUB_SLOT_MAIN : below(seed, 24);
		in.rsi &= ~(0x3full << TAG_OPS_SHIFT);
	} else if (in.rax == CALL_REPLY_RECEIVE) {
		in.rdi |= below(seed, 50) ? RR_NONBLOCK : 0;
		in.rdi |= any(seed) & (RR_REPLY | RR_RECEIVE);
		in.rbx = below(seed, 2) ? shared_page.word[WORD_TOKEN + self] : in.rbx;
	} else if (in.rax == CALL_THREAD && below(seed, 16)) {
		in.rdi = THREAD_SELF_TLS;
	}
	raw_call(&in);
	shared_page.word[WORD_TOKEN + self] = in.rbx;
}

/* What both attackers run, and the threads that they make. */
static void program_attack(uint64_t self, uint64_t seed)
{
	for (;;) {
		if (below(&seed, 4)) {
			attack_by_batch(&seed, self);
		} else {
			attack_by_call(&seed, self);
		}
		__atomic_fetch_add(&shared_page.word[WORD_DONE + self], 1, __ATOMIC_RELAXED);
	}
}

/* ---- the tests' side ---- */

/* Answer one message of an attacker. */
static bool answer(struct message *message, uint64_t *seed)
{
	static const uint64_t replies[] = { FAULT_RESUME, FAULT_REFUSE, FAULT_REFUSE, FAULT_PARK };

	message->tag = message->tag & TAG_KERNEL ? replies[below(seed, 4)] : any(seed) & UINT32_MAX;
	message->tag |= below(seed, 8) ? 0 : tag_make(0, below(seed, 4097));
	for (uint32_t i = 0; i < 6; i++) {
		message->w[i] = any_word(seed);
	}
	(void)reply_receive(SLOT_SELF | RR_REPLY, message); /* the attacker may be gone meanwhile */
	return true;
}

/* Let the attackers run for a slice of time, and answer what comes. */
static bool slice_run(uint64_t *seed)
{
	struct message message;
	uint64_t out[3];

	CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, out));
	CHECK_OK(call(CALL_TIMER, TIMER_SET, out[0] + SLICE, 0, 0, NULL));
	for (;;) {
		message = (struct message){ 0 };
		CHECK_OK(reply_receive(
			SLOT_SELF | RR_RECEIVE | (uint64_t)40 << RR_SLOT_SHIFT, &message));
		if (message.tag & TAG_NOTIFICATION) {
			if (message.w[0] & NOTIFY_TIMER)
				return true;
			continue;
		}
		if (message.tag & TAG_GOT_HANDLE) {
			CHECK_OK(call4(CALL_HANDLE, HANDLE_DROP, 40, 0, 0, 0));
		}
		if (!(message.tag & TAG_CANCEL) || below(seed, 2))
			CHECK(answer(&message, seed));
	}
}

/* It waits for ever, or stopped, or was parked: from the beginning, if it is still a thread. */
static void attacker_revive(const struct attacker *attacker, uint32_t self, uint64_t seed)
{
	pfn_t thread = attacker->sub.thread;

	(void)op_on(OP_THREAD_STOP, thread, 0, 0);
	(void)op_at(OP_THREAD_SET, thread, THREAD_FIELD_START, (uint64_t)program_attack,
		SUB_STACK_TOP - 8);
	(void)op_at(OP_THREAD_SET, thread, THREAD_FIELD_ARGUMENTS, self, seed | 1);
	(void)op_at(OP_THREAD_SET, thread, THREAD_FIELD_MESSAGE, attacker->sub.message, 0);
	(void)op_on(OP_THREAD_START, thread, 0, 0);
}

static bool attacker_begin(struct attacker *attacker, uint32_t self, uint64_t seed)
{
	pfn_t first, last;

	CHECK(attacker_make(attacker, EXPOSED, LIMITS));
	first = attacker->spare[0];
	last = attacker->spare[MALICE_SPARE - 1];
	if (last < first || attacker->sub.space > first) {
		return true; /* the search for unused frames began anew: not in this round */
	}
	shared_page.word[WORD_OWN + self] = attacker->sub.space;
	shared_page.word[WORD_ROOT] = boot->root_pool;
	shared_page.word[WORD_DONE + self] = 0;
	shared_page.word[WORD_FIRST + self] = first;
	shared_page.word[WORD_COUNT + self] = last - first + 1;
	shared_page.word[WORD_SPACE + self] = attacker->sub.space;
	CHECK(sub_set(&attacker->sub, THREAD_FIELD_PRIORITY, PRIORITY_BELOW, 0));
	return sub_start(&attacker->sub, program_attack, self, seed | 1);
}

/* Pools that the attackers made; their frames are back. */
static void pools_end(void)
{
	for (uint32_t depth = 0; depth <= POOLS_BELOW; depth++) {
		for (uint64_t pool = 2; pool <= POOLS_ALL; pool++) {
			if (pool != boot->pool)
				(void)op_on(OP_POOL_DESTROY, 0, pool, 0);
		}
	}
}

static struct attacker attackers[ATTACKERS];

/* Which of the attackers have done something since `before`; the others are revived. */
static uint32_t attackers_tend(uint64_t *before, uint64_t *seed)
{
	uint32_t active = 0;

	for (uint32_t i = 0; i < ATTACKERS; i++) {
		if (shared_page.word[WORD_DONE + i] != before[i])
			active++;
		else
			attacker_revive(&attackers[i], i, any(seed));
		before[i] = shared_page.word[WORD_DONE + i];
	}
	return active;
}

static bool round_run(uint64_t *seed)
{
	static struct victim victim;
	uint64_t before[ATTACKERS] = { 0 };
	uint32_t idle = 0;

	CHECK(victim_make(&victim));
	for (uint32_t i = 0; i < ATTACKERS; i++) {
		CHECK(attacker_begin(&attackers[i], i, any(seed)));
	}
	for (uint32_t slice = 0; slice < ROUND_SLICES && idle < IDLE_SLICES; slice++) {
		CHECK(slice_run(seed));
		idle = attackers_tend(before, seed) == 0 ? idle + 1 : 0;
	}
	for (uint32_t i = 0; i < ATTACKERS; i++) {
		(void)op_on(OP_THREAD_STOP, attackers[i].sub.thread, 0, 0);
	}
	CHECK(kernel_is_well());
	CHECK(frame_holds(victim.data, VICTIM_PATTERN));
	return victim_answers(&victim);
}

/* What the attackers had is free again. */
static bool frames_are_free(void)
{
	for (uint32_t i = 0; i < boot->range_count; i++) {
		for (uint32_t k = 0; k < boot->ranges[i].count; k++) {
			pfn_t pfn = boot->ranges[i].first + k;
			struct frame frame = FRAMES[pfn];

			if (!frame_is_own(pfn) ||
				(frame.type == FRAME_FREE && frame.pool == boot->pool))
				continue;
			report("fuzz: frame %u type %u pool %u refs %u holds %u live %u flags %u\n",
				pfn, frame.type, frame.pool, frame.refs, frame.holds, frame.live,
				frame.flags);
			return fail(__FILE__, __LINE__, "a frame is free again", pfn, 0);
		}
	}
	return true;
}

/* "fuzz=SEED,ROUNDS" on the command line. */
static void wanted_rounds(uint64_t *seed, uint32_t *rounds)
{
	uint64_t number[2] = { 1, ROUNDS_USUAL };
	const char *at = boot->command_line;

	while (*at && strncmp(at, "fuzz=", 5) != 0) {
		at++;
	}
	if (*at) {
		at += 5;
		for (uint32_t i = 0; i < 2; i++, at += *at == ',') {
			for (number[i] = 0; *at >= '0' && *at <= '9'; at++) {
				number[i] = number[i] * 10 + (uint64_t)(*at - '0');
			}
		}
	}
	*seed = number[0] * 0x9e3779b97f4a7c15ull | 1;
	*rounds = (uint32_t)number[1];
}

static void report_round(uint32_t round, uint64_t sequences)
{
	struct info_counters counters = counters_now();

	report("fuzz: round %u, %lu sequences; since boot %lu operations, %lu batches refused\n",
		round, sequences, counters.operations, counters.operations_refused);
}

static bool random_operations_of_attackers(void)
{
	uint64_t seed, sequences = 0;
	uint32_t rounds;

	wanted_rounds(&seed, &rounds);
	for (uint32_t round = 1; round <= rounds; round++) {
		bool good;

		(void)shadow_expect(true); /* who takes its own code away runs on what is remembered */
		good = round_run(&seed);
		sequences += shared_page.word[WORD_DONE] + shared_page.word[WORD_DONE + 1];
		if (!good || round % REPORT_EVERY == 0)
			report_round(round, sequences);
		CHECK(good);
		test_undo();
		CHECK(frames_are_free());
		pools_end();
		(void)shadow_expect(false);
	}
	CHECK(sequences > rounds); /* few where time is dear in instructions */
	return true;
}

const struct test tests_fuzz[] = {
	{ "random_operations_of_attackers", random_operations_of_attackers },
	{ 0 },
};
