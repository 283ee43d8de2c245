/*
 * A malicious pager: pools, priorities, devices, long work.  See malice.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"

/* ---- pools of others ---- */

static bool malice_pools_of_others(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t data, space, top;

	CHECK(malice_begin(&attacker, &victim));
	data = attacker_frame(&attacker, FRAME_DATA);
	space = attacker_frame(&attacker, FRAME_DATA);
	top = attacker_frame(&attacker, FRAME_DATA);
	const uint64_t others[] = { 0, boot->root_pool, boot->pool, victim.pool, 200, 255, 256,
		1ull << 32, ~0ull };

	for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const bool above = others[i] == boot->root_pool || others[i] == boot->pool;

		CHECK_EQUAL(
			attack_on(&attacker, OP_POOL_SET, 0, others[i], SUB_SLOT_MAIN | 1ull << 32),
			ST_NO_RIGHT);
		CHECK_EQUAL(attack_on(&attacker, OP_POOL_SET, 0, others[i], 0), ST_NO_RIGHT);
		CHECK_EQUAL(attack_on(&attacker, OP_POOL_DESTROY, 0, others[i], 0), ST_NO_RIGHT);
		CHECK_EQUAL(
			attack_on(&attacker, OP_POOL_DEVICE, 0xfec00, others[i], 1), ST_NO_RIGHT);
		CHECK(attack_on(&attacker, OP_SPACE_CREATE, space, top,
			      others[i] << SPACE_POOL_SHIFT) != ST_OK ||
			(others[i] & UINT32_MAX) == 0);
		if (FRAMES[space].type == FRAME_SPACE) { /* pool 0: none, as anybody may ask */
			CHECK_OK(attack_on(&attacker, OP_DESTROY, space, 0, 0));
		}
		if (!above && others[i] != 0) {
			CHECK_EQUAL(
				attack_on(&attacker, OP_TRANSFER, data, others[i], 0), ST_NO_RIGHT);
			CHECK_EQUAL(attack_on(&attacker, OP_LEND, data, others[i], 0), ST_NO_RIGHT);
		}
	}
	CHECK_EQUAL(attack_on(&attacker, OP_TRANSFER, victim.data, attacker.pool, 0), ST_BAD_FRAME);
	CHECK_EQUAL(attack_on(&attacker, OP_LEND, victim.data, attacker.pool, 0), ST_BAD_FRAME);
	return malice_end(&attacker, &victim);
}

/* A loan must not keep the borrower's pool from ending when its owner wants that. */
static bool malice_loans_to_keep_a_pool_from_ending(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t data;
	uint16_t pool;

	CHECK(malice_begin(&attacker, &victim));
	CHECK_OK(pool_make(&pool));
	data = attacker_frame(&attacker, FRAME_DATA);
	CHECK_EQUAL(attack_on(&attacker, OP_LEND, data, pool, 0), ST_NO_RIGHT);
	CHECK_OK(attack_on(
		&attacker, OP_LEND, data, boot->pool, 0)); /* up is allowed: ours to end */
	CHECK_OK(op_on(OP_LEND, data, 0, 0));
	CHECK_OK(op_on(OP_POOL_DESTROY, 0, pool, 0));
	return malice_end(&attacker, &victim);
}

/* In the attacker: pools until it is refused; word[0] = how many. */
static void program_make_pools(uint64_t unused, uint64_t unused2)
{
	struct op *op = MESSAGE_PAGE;

	(void)unused;
	(void)unused2;
	for (uint32_t i = 0; i < 400; i++) {
		*op = (struct op){ op_head(OP_POOL_CREATE, 0, 0, 0, 0), 0, 0 };
		shared_page.word[1] = kernel_call(CALL_BATCH, 1, 0, 0, 0, 0, 0, NULL);
		shared_page.word[0] += shared_page.word[1] == ST_OK;
	}
	program_stop();
}

static bool malice_all_numbers_of_pools(void)
{
	struct attacker attacker;
	struct victim victim;
	uint16_t pool;

	CHECK(malice_begin(&attacker, &victim));
	test_undo();
	CHECK(attacker_make(&attacker, EXPOSED, POOL_LIMITED | 50 | 5 << POOL_BELOW_SHIFT) &&
		victim_make(&victim));
	CHECK(victim_answers(&victim) && malice_keep(&attacker));
	shared_page.word[0] = 0;
	CHECK(attacker_run(&attacker, program_make_pools, 0, 0));
	CHECK_EQUAL(shared_page.word[0], 5);
	CHECK_EQUAL(shared_page.word[1], ST_LIMIT);
	CHECK_OK(pool_make(&pool)); /* there are others left */
	for (uint16_t made = 1; made < 256; made++) {
		if (made != pool && made != attacker.pool && made != victim.pool) {
			(void)op_on(OP_POOL_DESTROY, 0, made, 0);
		}
	}
	return malice_end(&attacker, &victim);
}

/* ---- priorities ---- */

static bool malice_priorities(void)
{
	const uint64_t greatest = 30;
	struct attacker attacker;
	struct victim victim;
	pfn_t pfn;

	CHECK(malice_begin(&attacker, &victim));
	test_undo();
	CHECK(attacker_make(&attacker, EXPOSED, POOL_LIMITED | greatest) && victim_make(&victim));
	CHECK(victim_answers(&victim) && malice_keep(&attacker));
	pfn = attacker_frame(&attacker, FRAME_FREE);
	for (uint64_t priority = 63; priority > greatest; priority--) {
		CHECK_EQUAL(
			attack_on(&attacker, OP_THREAD_CREATE, pfn, attacker.sub.space, priority),
			ST_NO_RIGHT);
	}
	CHECK_EQUAL(attack_on(&attacker, OP_THREAD_CREATE, pfn, attacker.sub.space, 64),
		ST_BAD_ARGUMENT);
	CHECK_OK(attack_on(&attacker, OP_THREAD_CREATE, pfn, attacker.sub.space, greatest));
	for (uint64_t priority = 0; priority < 64; priority++) {
		CHECK_EQUAL(attack_at(&attacker, OP_THREAD_SET, pfn, THREAD_FIELD_PRIORITY,
				    priority, 0),
			priority <= greatest ? ST_OK : ST_NO_RIGHT);
	}
	CHECK_EQUAL(attack_on(&attacker, OP_POOL_CREATE, 0, POOL_LIMITED | (greatest + 1), 0),
		ST_NO_RIGHT);
	return malice_end(&attacker, &victim);
}

/* A program that never stops, as important as its pool lets it be: whoever is more important goes
 * on. */
static bool malice_a_program_that_never_stops(void)
{
	struct attacker attacker;
	struct victim victim;
	struct sub_wish wish = { .priority = 30 };
	struct message message;
	struct sub spinner;
	uint64_t before;
	bool made;

	CHECK(malice_begin(&attacker, &victim));
	frame_pool = attacker.pool;
	made = sub_make(&spinner, &wish);
	frame_pool = 0;
	CHECK(made && malice_keep(&attacker));
	CHECK(sub_start(&spinner, program_spin, 20, 0));
	for (uint32_t i = 0; i < 5; i++) {
		before = shared_page.word[20];
		CHECK_EQUAL(receive_soon(&message), ST_EMPTY); /* nobody else wants to run */
		CHECK(shared_page.word[20] > before);
		CHECK(victim_answers(&victim));
	}
	CHECK_OK(op_on(OP_DESTROY, spinner.thread, 0, 0));
	return kernel_is_well();
}

/* ---- devices and rights ---- */

static bool malice_devices_and_rights(void)
{
	static const uint64_t pages[] = { 0xfee00, 0xfec00, 0xb8, 0xa0, 0xfffff, 0x100, 0x1000000 };
	static const struct call_registers calls[] = {
		{ .rax = CALL_IRQ,
			.rdi = IRQ_BIND,
			.rsi = RAW_IRQ_LINE,
			.rdx = SUB_SLOT_MAIN,
			.r10 = 1 },
		{ .rax = CALL_IRQ, .rdi = IRQ_ACK, .rsi = 0 },
		{ .rax = CALL_IO, .rdi = IO_OUT8, .rsi = 0xf4, .rdx = 1 },
		{ .rax = CALL_IO, .rdi = IO_OUT8, .rsi = 0x64, .rdx = 0xfe },
		{ .rax = CALL_IO, .rdi = IO_IN8, .rsi = 0x3f8 },
		{ .rax = CALL_TIMER, .rdi = TIMER_BIND, .rsi = SUB_SLOT_MAIN, .rdx = 1 },
		{ .rax = CALL_TIMER, .rdi = TIMER_SET, .rsi = 1 },
		{ .rax = CALL_INFO, .rdi = INFO_RECORDS },
		{ .rax = CALL_DEBUG, .rdi = DEBUG_LOG },
		{ .rax = CALL_DEBUG, .rdi = DEBUG_KERNEL_OK },
		{ .rax = CALL_DEBUG,
			.rdi = DEBUG_HOOK,
			.rsi = DEBUG_HOOK_PANIC,
			.rdx = DEBUG_PANIC },
		{ .rax = CALL_DEBUG, .rdi = DEBUG_SUMS },
		{ .rax = CALL_SHUTDOWN },
	};
	struct attacker attacker;
	struct victim victim;
	pfn_t table, space, top;

	CHECK(malice_begin(&attacker, &victim));
	table = attacker_frame(&attacker, FRAME_L1);
	for (uint32_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		for (uint64_t bits = 0; bits < 4; bits++) {
			uint64_t entry = PTE_P | PTE_U | PTE_W | PTE_PCD | (bits & 1 ? PTE_NX : 0) |
					 (bits & 2 ? PTE_PWT : 0);

			CHECK(attack_at(&attacker, OP_SET, table, i, pages[i] << PAGE_SHIFT | entry,
				      0) != ST_OK);
		}
	}
	for (uint32_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		CHECK_EQUAL(attack_call(&attacker, &calls[i]).rax, ST_NO_RIGHT);
	}
	space = attacker_frame(&attacker, FRAME_FREE);
	top = attacker_frame(&attacker, FRAME_FREE);
	CHECK_EQUAL(attack_on(&attacker, OP_SPACE_CREATE, space, top, SPACE_DEBUG), ST_NO_RIGHT);
	CHECK_EQUAL(attack_on(&attacker, OP_SPACE_CREATE, space, top, SPACE_SHUTDOWN), ST_NO_RIGHT);
	CHECK_OK(attack_on(&attacker, OP_SPACE_CREATE, space, top, SPACE_SEES_FRAMES));
	CHECK_EQUAL(attack_on(&attacker, OP_SPACE_GRANT, space, 0xf4 | 4ull << 32, 0), ST_NO_RIGHT);
	CHECK_EQUAL(attack_on(&attacker, OP_SPACE_GRANT, space, 0, 1), ST_NO_RIGHT);
	CHECK_OK(attack_on(&attacker, OP_SPACE_GRANT, space, 0, 0));
	return malice_end(&attacker, &victim);
}

/* ---- long work ---- */

#define LONGEST_NANOSECONDS (3000000u * TIME_FACTOR)

/* In the attacker: 64 times one operation, as dear as it can be.  word[0] = the longest batch,
   word[1] = its operation. */
static void program_long_batches(uint64_t first, uint64_t table)
{
	struct op *ops = MESSAGE_PAGE;
	uint64_t before[3], after[3];

	for (uint32_t code = 0; code < OP_COUNT; code++) {
		for (uint32_t i = 0; i < OP_MAX_IN_PAGE; i++) {
			pfn_t pfn = (pfn_t)(first + i);

			ops[i] = (struct op){ op_head(code, 0, pfn, 0, 1), 0, 0 };
			if (code == OP_RETYPE) {
				ops[i].a = i % 2 ? FRAME_L1 : FRAME_DATA;
			} else if (code >= OP_FILL && code <= OP_HARVEST) {
				ops[i].head = op_head(code, 0, (pfn_t)table, 0, 512);
			} else if (code == OP_COPY_FRAME) {
				ops[i].a = first;
			} else if (code == OP_SPACE_CREATE) {
				ops[i] = i % 2 ? (struct op){ op_head(OP_DESTROY, 0, (pfn_t)first,
								      0, 0),
					0, 0 }
					       : (struct op){ op_head(code, 0, (pfn_t)first, 0, 0),
							 first + 1, 0 };
			} else if (code == OP_FLUSH) {
				ops[i].head = op_head(code, 0, 0, 0, 0);
			}
		}
		(void)kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, before);
		(void)kernel_call(CALL_BATCH, OP_MAX_IN_PAGE, 0, 0, 0, 0, 0, NULL);
		(void)kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, after);
		if (after[0] - before[0] > shared_page.word[0]) {
			shared_page.word[0] = after[0] - before[0];
			shared_page.word[1] = code;
		}
	}
	program_stop();
}

static bool malice_the_longest_batches(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t table;

	CHECK(malice_begin(&attacker, &victim));
	table = attacker_frame(&attacker, FRAME_L1);
	shared_page.word[0] = 0;
	CHECK(attacker_run(&attacker, program_long_batches, attacker.spare[20], table));
	CHECK(shared_page.word[0] > 0);
	if (shared_page.word[0] > LONGEST_NANOSECONDS && command_line_has("icount")) {
		return fail(__FILE__, __LINE__, "time of the longest batch, its operation",
			shared_page.word[0], shared_page.word[1]);
	}
	return malice_end(&attacker, &victim);
}

#define ROW(name)           \
	{                   \
#name, name \
	}

const struct test tests_malice_pools[] = {
	ROW(malice_pools_of_others),
	ROW(malice_loans_to_keep_a_pool_from_ending),
	ROW(malice_all_numbers_of_pools),
	ROW(malice_priorities),
	ROW(malice_a_program_that_never_stops),
	ROW(malice_devices_and_rights),
	ROW(malice_the_longest_batches),
	{ 0 },
};
