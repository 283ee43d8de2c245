/*
 * The frame table and its operations against the reference model, with random operations.
 *
 * Each step runs one operation with random authority, work limit and room for results on the
 * kernel's code and on the model, and compares the answer, all frames, and the contents that it
 * names (all tables and all memory at longer intervals).  Arguments are mostly sensible (the
 * current entry is expected, the target has the right type), so that deep states are reached, and
 * sometimes wild.  Between the steps "hardware" sets A and D, and now and then the counters' limit
 * is lowered.
 *
 * Usage: table_property [-n STEPS] [SEED ...]     default: 200000 steps over four seeds
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "flush.h"
#include "frame.h"
#include "pool.h"
#include "sim/sim.h"
#include "table_model.h"
#include <inttypes.h>
#include <stdlib.h>

#define STEPS_DEFAULT	 200000ul
#define TABLES_EVERY	 8 /* steps between comparisons of all tables; of those named: each step */
#define EVERYTHING_EVERY 4096 /* of all contents */
#define CHECK_ALL_EVERY	 64   /* of frame_check_all */
#define SMALL_FIRST	 3u   /* frames that operations mostly name; SPACE and TOP frames first */
#define SMALL_COUNT	 66u
#define SPACES		 3u
#define BLOCK		 512u
#define LIST_PLACES	 86u

static struct model model;
static struct model_call call;
static uint64_t seed, random_state;
static unsigned long steps = STEPS_DEFAULT;
static uint64_t seen[OP_POOL_CREATE]
		    [ST_RESULTS + 1]; /* how often which operation gave which status */

/* ---- random choices ---- */

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull;
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)((random_word() >> 32) % limit);
}

static bool percent(uint32_t chance)
{
	return below(100) < chance;
}

static pfn_t any_frame(void)
{
	uint32_t choice = below(100);

	if (choice < 80)
		return SMALL_FIRST + below(SMALL_COUNT);
	if (choice < 93)
		return BLOCK + (percent(50) ? below(4) : below(512));
	return choice < 98 ? below(MODEL_FRAMES) : (pfn_t)(random_word() & 0xfffffff);
}

/* A frame of this type if one is found soon, else any. */
static pfn_t frame_of_type(uint32_t type)
{
	pfn_t pfn = any_frame();

	for (uint32_t tries = 0; tries < 40; tries++) {
		if (pfn < MODEL_FRAMES && model.frame[pfn].type == type)
			break;
		pfn = any_frame();
	}
	return pfn;
}

static pfn_t any_table(void)
{
	pfn_t pfn = frame_of_type(FRAME_L1 + below(3));

	return percent(20) ? SMALL_FIRST + SPACES + below(SPACES) : pfn;
}

static uint32_t any_index(pfn_t table)
{
	static const uint32_t top[] = { 0, 1, 2, 3, 254, 255, 402, 403, 465, 466, 466, 256, 300,
		467, 511 };
	static const uint32_t other[] = { 0, 1, 2, 3, 4, 5, 6, 7, 255, 256, 509, 510, 511 };

	if (percent(5))
		return below(512);
	if (table < MODEL_FRAMES && model.frame[table].type == FRAME_TOP)
		return top[below(sizeof(top) / sizeof(top[0]))];
	return other[below(sizeof(other) / sizeof(other[0]))];
}

static uint64_t any_bits(void)
{
	static const uint64_t bits[] = { PTE_W, PTE_W, PTE_NX, PTE_A, PTE_D, PTE_SHARED, PTE_SOFT1,
		PTE_SOFT2 };
	uint64_t chosen = PTE_P | PTE_U;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (percent(25))
			chosen |= bits[i];
	if (percent(3))
		chosen ^= 1ull << below(64);
	return chosen;
}

static uint64_t any_leaf(void)
{
	static const uint32_t types[] = { FRAME_DATA, FRAME_DATA, FRAME_DATA, FRAME_DATA,
		FRAME_DATA, FRAME_MSG, FRAME_TRACE };
	uint64_t bits = any_bits();

	if (percent(8))
		return pte_make(SIM_ZERO_FRAME, percent(80) ? bits & ~PTE_W : bits);
	return pte_make(percent(4) ? any_frame() : frame_of_type(types[below(7)]), bits);
}

static uint64_t any_entry(pfn_t table)
{
	uint32_t level = model_level(&model, table);
	uint64_t link = any_bits();

	if (percent(15))
		return 0;
	if (percent(10))
		return random_word() & ~PTE_P;
	if (level <= 1)
		return any_leaf();
	if (level == 2 && percent(30))
		return pte_make(percent(95) ? BLOCK : any_frame(), any_bits() | PTE_PS);
	if (percent(90))
		link &= ~(PTE_NX | PTE_D);
	return pte_make(percent(95) ? frame_of_type(FRAME_L1 + level - 2) : any_frame(), link);
}

static uint64_t current_entry(pfn_t table, uint32_t index)
{
	uint64_t entry = table < MODEL_FRAMES ? model.word[table][index] : 0;

	if (percent(20) && (entry & PTE_P))
		entry ^= percent(50) ? PTE_A : PTE_D;
	return percent(96) ? entry : any_entry(table);
}

static uint32_t any_count(void)
{
	return percent(85) ? 1 + below(8) : percent(80) ? 1 + below(512) : below(520);
}

/* ---- one random operation ---- */

static void make(uint32_t code, pfn_t pfn, uint32_t index, uint32_t count, uint64_t a, uint64_t b)
{
	uint32_t flags = percent(10) ? 1 + below(percent(90) ? 2 : 250) : 0;

	call.op = (struct op){ op_head(code, flags, pfn, index, count), a, b };
	if (percent(1))
		call.op.head ^= 1ull << below(64) | 1ull << 35;
	if (OP_CODE(call.op.head) != code)
		call.op.head = op_head(code, 0, pfn, index, count);
}

static void make_retype(void)
{
	static const uint32_t types[] = { FRAME_DATA, FRAME_DATA, FRAME_DATA, FRAME_FREE, FRAME_L1,
		FRAME_L1, FRAME_L2, FRAME_L2, FRAME_L3, FRAME_MSG, FRAME_TRACE };
	uint32_t type = percent(97) ? types[below(11)] : below(FRAME_TYPES + 2);

	if (percent(12))
		make(OP_RETYPE, BLOCK, 0, 512, FRAME_DATA, 0);
	else
		make(OP_RETYPE, any_frame(), 0, percent(90) ? 1 : any_count(), type, percent(1));
}

static void make_set(void)
{
	pfn_t table = any_table();
	uint32_t index = any_index(table);

	make(OP_SET, table, index, 0, any_entry(table), current_entry(table, index));
}

static void make_fill(void)
{
	pfn_t table = frame_of_type(percent(80) ? FRAME_L1 : FRAME_L2);
	uint32_t index = any_index(table), count = 1 + below(percent(90) ? 8 : 512);
	uint64_t bits = any_bits();

	for (uint32_t i = 0; i < count && i < 512; i++)
		call.list[i] = percent(80) ? (uint32_t)(any_entry(table) >> 12) & 0xfffffff : 0;
	if (percent(90) && model_level(&model, table) > 1)
		bits &= ~(PTE_NX | PTE_D);
	if (percent(40)) /* a run of frames in place of the list */
		bits = any_entry(table);
	make(OP_FILL, table, index, count, bits, percent(80) ? 0 : current_entry(table, index));
	if (percent(40))
		call.op.head |= FILL_CLEAR << 8;
}

static void make_copy_or_move(uint32_t code)
{
	pfn_t from = any_table(), to;
	uint32_t index = any_index(from);

	to = percent(95) && from < MODEL_FRAMES ? frame_of_type(model.frame[from].type)
						: any_table();
	if (from < MODEL_FRAMES && model.frame[from].type == FRAME_TOP && percent(90))
		to = SMALL_FIRST + SPACES + below(SPACES);
	make(code, from, index, any_count(),
		op_head(0, 0, to, percent(50) ? index : any_index(to), 0), 0);
	if (percent(2))
		call.op.a ^= 1ull << below(64);
}

/* A parent whose entry is a table with another parent, or a large page, if one is found soon. */
static void make_split(void)
{
	pfn_t parent = any_table();
	uint32_t index = any_index(parent);

	for (uint32_t tries = 0; tries < 60; tries++) {
		uint64_t entry = parent < MODEL_FRAMES ? model.word[parent][index] : 0;

		if ((entry & PTE_P) && pte_pfn(entry) < MODEL_FRAMES &&
			model_level(&model, pte_pfn(entry)) && model.frame[pte_pfn(entry)].refs > 1)
			break;
		if ((entry & PTE_P) && (entry & PTE_PS) && percent(30))
			break;
		parent = any_table();
		index = any_index(parent);
	}
	make(OP_SPLIT, parent, index, percent(50) ? 0 : any_count(),
		frame_of_type(percent(50) ? FRAME_FREE : FRAME_DATA), current_entry(parent, index));
}

static void make_run(uint32_t code)
{
	pfn_t table = any_table();
	uint64_t a = 0, b = 0;
	static const uint64_t rights[] = { PTE_W, PTE_W, PTE_U, PTE_NX, PTE_W | PTE_U, 0, PTE_P };

	if (code == OP_PROTECT) {
		a = rights[below(percent(98) ? 6 : 7)];
		b = percent(50) ? 0 : rights[below(6)];
	}
	make(code, table, any_index(table), any_count(), a, percent(1) ? 1 : b);
	if (code == OP_CLEAR && percent(50))
		call.op.head |= op_head(0, OP_CLEAR_RUNS, 0, 0, 0);
	if (code == OP_PROTECT && percent(30)) {
		call.op.head |= op_head(0, OP_PROTECT_SOLE, 0, 0, 0);
		call.op.a = percent(95) ? 0 : call.op.a;
		call.op.b = percent(95) ? PTE_W : call.op.b;
	}
}

static void make_copy_frame(void)
{
	uint64_t part =
		(uint64_t)below(4096) | (uint64_t)below(4096) << 16 | (uint64_t)below(2000) << 32;
	pfn_t from =
		percent(5) ? SIM_ZERO_FRAME : frame_of_type(percent(80) ? FRAME_DATA : FRAME_MSG);

	if (percent(2))
		part ^= 1ull << below(64);
	make(OP_COPY_FRAME, from, 0, 0, frame_of_type(percent(80) ? FRAME_DATA : FRAME_MSG),
		percent(50) ? 0 : part);
}

static void make_operation(void)
{
	uint32_t choice = below(100);

	if (choice < 14)
		make_retype();
	else if (choice < 48)
		make_set();
	else if (choice < 54)
		make_fill();
	else if (choice < 62)
		make_copy_or_move(OP_COPY);
	else if (choice < 69)
		make_split();
	else if (choice < 70)
		make(OP_BLOCK, percent(90) ? BLOCK : any_frame(), 0, 0, below(percent(98) ? 2 : 3), 0);
	else if (choice < 74)
		make_copy_or_move(OP_MOVE);
	else if (choice < 79)
		make_run(OP_CLEAR);
	else if (choice < 84)
		make_run(OP_PROTECT);
	else if (choice < 86)
		make_run(OP_READ);
	else if (choice < 88)
		make_run(OP_HARVEST);
	else if (choice < 89)
		make(OP_ZERO, frame_of_type(FRAME_DATA), 0, 1 + below(10), 0, 0);
	else if (choice < 91)
		make_copy_frame();
	else if (choice < 93)
		make(OP_HOLD, any_frame(), 0, 0, 0, percent(1));
	else if (choice < 95)
		make(OP_RELEASE, any_frame(), 0, 0, 0, percent(1));
	else if (choice < 97)
		make(OP_TRANSFER, any_frame(), 0, percent(80) ? 1 : any_count(),
			percent(60) ? 1 : below(7), 0);
	else
		make(OP_LEND, frame_of_type(FRAME_DATA), 0, 0, percent(50) ? 0 : below(7), 0);
}

static void make_limits(void)
{
	static const uint32_t rooms[] = { 0, 1, 2, 3, OP_RESULTS_MAX };

	call.pool = percent(85) ? POOL_ROOT : 1 + below(4);
	call.work = percent(90) ? OP_WORK_MAX : below(percent(50) ? 600 : 6);
	call.room = percent(90) ? OP_RESULTS_MAX : rooms[below(5)];
	call.has_scope = percent(50);
}

/* ---- the kernel's side ---- */

static struct sim_result answer;

static void kernel_run(void)
{
	static struct op ops[1 + LIST_PLACES];
	uint32_t count = 1;
	struct batch batch = {
		.pool = (uint16_t)call.pool,
		.scope = call.has_scope ? (struct space *)frame_memory(SMALL_FIRST) : NULL,
		.work_left = (uint32_t)call.work,
		.results = answer.results,
		.result_max = (uint32_t)call.room,
	};

	ops[0] = call.op;
	if (OP_CODE(call.op.head) == OP_FILL && !(call.op.a & PTE_FRAME)) {
		memcpy(ops + 1, call.list, sizeof(call.list));
		count = 1 + (OP_ENTRIES(call.op.head) + 5) / 6;
		if (count > 1 + LIST_PLACES)
			count = 1 + LIST_PLACES;
	}
	answer.status = batch_run(&batch, ops, count, &answer.index);
	answer.done = batch.done;
	answer.count = batch.result_count;
	if (answer.status == ST_OK && answer.index != count)
		answer.status = ST_BAD_CALL; /* the list's places were not taken */
}

/* The processor sets A, and D where it may write. */
static void hardware_step(void)
{
	pfn_t table = frame_of_type(percent(80) ? FRAME_L1 : FRAME_L2);
	uint32_t index;
	uint64_t *entry;

	if (table >= MODEL_FRAMES || model_level(&model, table) == 0)
		return;
	index = any_index(table);
	entry = (uint64_t *)frame_memory(table) + index;
	if (!(*entry & PTE_P) || (model.frame[table].type == FRAME_TOP))
		return;
	*entry |= PTE_A;
	if ((*entry & PTE_W) && (model_level(&model, table) == 1 || (*entry & PTE_PS)))
		*entry |= PTE_D;
	model.word[table][index] = *entry;
}

/* ---- comparing ---- */

static bool frame_is_equal(pfn_t pfn)
{
	const struct frame *frame = &frame_table[pfn];
	const struct model_frame *expected = &model.frame[pfn];
	uint32_t flags =
		(expected->dirty ? FRAME_DIRTY : 0) | (expected->in_block ? FRAME_BLOCK : 0) |
		(expected->kept ? FRAME_KEPT : 0) | (expected->lent_to ? FRAME_LENT : 0) | (expected->special ? FRAME_SPECIAL : 0);
	uint64_t live = expected->lent_to    ? expected->lent_to
			: expected->in_block ? expected->large
					     : expected->live;

	return frame->type == expected->type && frame->refs == expected->refs &&
	       frame->holds == expected->holds && frame->pool == expected->pool &&
	       (frame->flags & ~FRAME_BLANK) == flags && frame->live == live &&
	       (frame->epoch == flush_epoch) == expected->stale;
}

static bool contents_are_equal(pfn_t pfn)
{
	return memcmp(frame_memory(pfn), model.word[pfn], PAGE_SIZE) == 0;
}

static void show_step(unsigned long step)
{
	printf("seed %" PRIu64
	       " step %lu: pool %u op %u flags %u pfn %u index %u count %u a %" PRIx64 " b %" PRIx64
	       " work %" PRIu64 " room %" PRIu64 " limit %" PRIu64 "\n",
		seed, step, call.pool, OP_CODE(call.op.head), OP_FLAGS(call.op.head),
		OP_PFN(call.op.head), OP_INDEX(call.op.head), OP_ENTRIES(call.op.head), call.op.a,
		call.op.b, call.work, call.room, model.limit);
	printf("  kernel: status %u done %u results %u; model: status %u done %u results %u\n",
		answer.status, answer.done, answer.count, call.status, call.done,
		call.result_count);
}

static void fail(unsigned long step, const char *what, pfn_t pfn)
{
	show_step(step);
	printf("FAIL %s: %s differs at frame %u\n", check_name, what, pfn);
	longjmp(check_exit, 1);
}

static void compare_answer(unsigned long step)
{
	if (answer.status != call.status || answer.done != call.done ||
		answer.count != call.result_count)
		fail(step, "the answer", 0);
	if (memcmp(answer.results, call.results, answer.count * sizeof(answer.results[0])) != 0)
		fail(step, "a result", 0);
	if (sim_flushes.everything != model.full_flushes)
		fail(step, "the number of flushes", 0);
}

static void compare_contents(unsigned long step, uint64_t pfn)
{
	if (pfn < MODEL_FRAMES && !contents_are_equal((pfn_t)pfn))
		fail(step, "the contents", (pfn_t)pfn);
}

/* What the operation names, in any of the ways in which operations name frames. */
static void compare_named(unsigned long step)
{
	const uint64_t named[] = { OP_PFN(call.op.head), call.op.a, OP_PFN(call.op.a),
		pte_pfn(call.op.a), pte_pfn(call.op.b), call.touched[0] };

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		compare_contents(step, named[i]);
}

static void compare_state(unsigned long step)
{
	bool tables = step % TABLES_EVERY == 0, everything = step % EVERYTHING_EVERY == 0;

	compare_named(step);
	for (pfn_t pfn = 0; pfn < MODEL_FRAMES; pfn++) {
		if (!frame_is_equal(pfn))
			fail(step, "the frame table", pfn);
		if (everything || (tables && model_level(&model, pfn) != 0))
			compare_contents(step, pfn);
	}
}

static void check_rules(unsigned long step)
{
	pfn_t where;
	uint32_t rule = frame_check_all(&where);

	if (rule != 0) {
		printf("rule %u\n", rule);
		fail(step, "a rule", where);
	}
}

/* ---- the run ---- */

static void machine_start(void)
{
	static const uint32_t parents[MODEL_POOLS] = { 0, 0, 1, 2, 1, 0, 0, 0 };
	uint16_t pool;

	sim_start(MODEL_FRAMES);
	model_start(&model);
	for (uint32_t i = 0; i < SPACES; i++) {
		CHECK_EQUAL(sim_space_create(SMALL_FIRST + i, SMALL_FIRST + SPACES + i), ST_OK);
		model.frame[SMALL_FIRST + i].type = FRAME_SPACE;
		model.frame[SMALL_FIRST + SPACES + i].type = FRAME_TOP;
		memcpy(model.word[SMALL_FIRST + i], frame_memory(SMALL_FIRST + i), PAGE_SIZE);
	}
	for (uint32_t i = 2; i < MODEL_POOLS && parents[i] != 0; i++) {
		model.parent[i] = parents[i];
		CHECK_EQUAL(pool_create((uint16_t)parents[i], &pool), ST_OK);
		CHECK_EQUAL(pool, i);
	}
}

static void change_limit(void)
{
	model.limit = percent(50) ? UINT32_MAX : 1 + below(8);
	frame_refs_limit = (uint32_t)model.limit;
}

static void one_step(unsigned long step)
{
	uint64_t work;

	if (percent(30))
		hardware_step();
	if (below(500) == 0)
		change_limit();
	make_limits();
	make_operation();
	work = call.work;
	kernel_run();
	model_run(&model, &call);
	call.work = work;
	compare_answer(step);
	compare_state(step);
	if (step % CHECK_ALL_EVERY == 0)
		check_rules(step);
	seen[OP_CODE(call.op.head)][call.status]++;
}

static const char *const seeds_default[] = { "1", "2", "3", "4" };
static const char *const *seeds = seeds_default;
static size_t seed_count = 4, seed_next;

/* A test per seed, in their order. */
static void test_random_operations(void)
{
	seed = strtoull(seeds[seed_next++], NULL, 0);
	random_state = seed * 0x9e3779b97f4a7c15ull | 1;
	machine_start();
	for (unsigned long step = 1; step <= steps; step++)
		one_step(step);
	check_rules(steps);
}

/* Every operation and every status it can give must have been met, or the test tests less than
   it says. */
static void test_all_statuses_were_met(void)
{
	static const struct {
		uint32_t code, statuses;
	} expected[] = {
#define S(status) (1u << ST_##status)
		{ OP_RETYPE, S(OK) | S(BAD_ARGUMENT) | S(BAD_FRAME) | S(WRONG_TYPE) | S(BUSY) |
				     S(MORE) },
		{ OP_SET, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(WRONG_TYPE) |
				  S(BUSY) | S(MISMATCH) | S(LIMIT) | S(MORE) },
		{ OP_FILL, S(OK) | S(BAD_ARGUMENT) | S(BAD_FRAME) | S(WRONG_TYPE) | S(BUSY) |
				   S(LIMIT) | S(MORE) },
		{ OP_COPY, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(WRONG_TYPE) |
				   S(MISMATCH) | S(LIMIT) | S(MORE) },
		{ OP_SPLIT, S(OK) | S(BAD_FRAME) | S(WRONG_TYPE) | S(BUSY) | S(MISMATCH) |
				    S(LIMIT) | S(MORE) },
		{ OP_MOVE, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(WRONG_TYPE) |
				   S(MISMATCH) | S(MORE) },
		{ OP_CLEAR, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(MORE) },
		{ OP_PROTECT, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(WRONG_TYPE) |
				      S(MORE) },
		{ OP_READ, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(MORE) },
		{ OP_HARVEST, S(OK) | S(BAD_ARGUMENT) | S(NO_RIGHT) | S(BAD_FRAME) | S(MORE) },
		{ OP_ZERO, S(OK) | S(BAD_FRAME) | S(MORE) },
		{ OP_COPY_FRAME, S(OK) | S(BAD_ARGUMENT) | S(BAD_FRAME) | S(MORE) },
		{ OP_HOLD, S(OK) | S(BAD_FRAME) | S(WRONG_TYPE) | S(LIMIT) },
		{ OP_RELEASE, S(OK) | S(BAD_FRAME) | S(WRONG_TYPE) | S(MISMATCH) },
		{ OP_TRANSFER, S(OK) | S(NO_RIGHT) | S(BAD_FRAME) | S(WRONG_TYPE) | S(BUSY) },
		{ OP_LEND, S(OK) | S(NO_RIGHT) | S(BAD_FRAME) | S(BUSY) | S(MISMATCH) },
#undef S
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		for (uint32_t status = 0; status <= ST_RESULTS; status++) {
			if (!(expected[i].statuses >> status & 1) || seen[expected[i].code][status])
				continue;
			printf("operation %u never gave status %u\n", expected[i].code, status);
			CHECK(seen[expected[i].code][status] != 0);
		}
	}
}

#define SEEDS_MAX 1000u

int main(int argc, char **argv)
{
	static struct check_test tests[SEEDS_MAX + 1];
	static char names[SEEDS_MAX][40];
	int first = 1;

	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		steps = strtoul(argv[2], NULL, 0);
		first = 3;
	}
	if (argc > first) {
		seeds = (const char *const *)argv + first;
		seed_count =
			(size_t)(argc - first) < SEEDS_MAX ? (size_t)(argc - first) : SEEDS_MAX;
	}
	for (size_t i = 0; i < seed_count; i++) {
		snprintf(names[i], sizeof(names[i]), "random_operations_seed_%.12s", seeds[i]);
		tests[i] = (struct check_test){ names[i], test_random_operations };
	}
	tests[seed_count] = (struct check_test)CHECK_TEST(all_statuses_were_met);
	bool enough = steps >= STEPS_DEFAULT;
	steps /= seed_count;
	return check_run(tests, seed_count + enough, NULL, NULL, 1, argv);
}
