/*
 * Tests of the frame table: types, clearing, holds, owners, lending, epochs.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define DATA_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)

static const frame_type_t free_types[] = { FRAME_FREE, FRAME_DATA, FRAME_MSG, FRAME_TRACE, FRAME_L1,
	FRAME_L2, FRAME_L3 };
#define FREE_TYPES (sizeof(free_types) / sizeof(free_types[0]))

static bool each_type_can_become_each_other(void)
{
	pfn_t pfn = frame_take();

	for (uint32_t from = 0; from < FREE_TYPES; from++) {
		for (uint32_t to = 0; to < FREE_TYPES; to++) {
			CHECK_OK(op_on(OP_RETYPE, pfn, free_types[from], 0));
			CHECK_EQUAL(FRAMES[pfn].type, free_types[from]);
			CHECK_OK(op_on(OP_RETYPE, pfn, free_types[to], 0));
			CHECK_EQUAL(FRAMES[pfn].type, free_types[to]);
			CHECK(FRAMES[pfn].refs == 0 && FRAMES[pfn].holds == 0 &&
				FRAMES[pfn].live == 0);
		}
	}
	return true;
}

static bool types_of_the_kernel_cannot_be_chosen(void)
{
	static const uint64_t types[] = { FRAME_NONE, FRAME_ZERO, FRAME_TOP, FRAME_SPACE,
		FRAME_THREAD, FRAME_PORT, FRAME_KERNEL, FRAME_TYPES, 255, 1ull << 32 | FRAME_DATA,
		~0ull };
	pfn_t pfn = frame_take();

	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		CHECK_EQUAL(op_on(OP_RETYPE, pfn, types[i], 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(
		op_on(OP_RETYPE, pfn, FRAME_L4, 0), LAYOUT_LEVELS == 5 ? ST_OK : ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_DATA, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_RETYPE, pfn, 0, 0, FRAME_DATA, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_RETYPE, pfn, 0, 513, FRAME_DATA, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(FRAMES[pfn].type, FRAME_FREE);
	return true;
}

static bool foreign_frames_cannot_be_retyped(void)
{
	CHECK_EQUAL(op_on(OP_RETYPE, boot->init_space, FRAME_DATA, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_RETYPE, boot->zero_frame, FRAME_DATA, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_RETYPE, 0, FRAME_DATA, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_RETYPE, boot->frames, FRAME_DATA, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_RETYPE, (1u << FRAME_NUMBER_BITS) - 1, FRAME_DATA, 0), ST_BAD_FRAME);
	return true;
}

/* Operations that name a frame in their head. */
static bool operation_names_a_frame(uint32_t op)
{
	return op != OP_NOP && op != OP_POOL_DEVICE && (op < OP_POOL_CREATE || op > OP_POOL_TAG);
}

/* Operations that name another one in word a, and how. */
static bool operation_argument(uint32_t op, pfn_t pfn, uint64_t *a)
{
	switch (op) {
	case OP_SET:
		*a = pte_make(pfn, DATA_BITS);
		return true;
	case OP_COPY:
	case OP_MOVE:
		*a = (uint64_t)pfn << OP_PFN_SHIFT;
		return true;
	case OP_SPLIT:
	case OP_COPY_FRAME:
	case OP_SPACE_CREATE:
	case OP_THREAD_CREATE:
	case OP_THREAD_CLONE:
		*a = pfn;
		return true;
	default:
		return false;
	}
}

/* No operation does anything to this frame, or with it, and the kernel looks at nothing in it (it
   need not even be memory that the kernel has mapped). */
static bool frame_is_out_of_reach(pfn_t pfn, pfn_t table)
{
	uint64_t a;

	for (uint32_t op = 0; op < OP_COUNT; op++) {
		if (operation_names_a_frame(op) && (op != OP_FLUSH || pfn != 0)) {
			CHECK(op_many(op, pfn, 0, 1, 0, 0) != ST_OK);
			CHECK(op_many(op, pfn, 511, 1, 0, 0) != ST_OK);
		}
		if (operation_argument(op, pfn, &a)) {
			CHECK(op_many(op, table, 0, 1, a, 0) != ST_OK);
		}
	}
	return true;
}

static bool every_foreign_frame_is_out_of_reach_of_every_operation(void)
{
	pfn_t table = frame_take_as(FRAME_L1);

	for (pfn_t pfn = 0; pfn < boot->frames + 1000; pfn += pfn < 0x200 ? 1 : 97) {
		bool ours = pfn < boot->frames && FRAMES[pfn].pool == boot->pool;

		if (!ours && !frame_is_out_of_reach(pfn, table)) {
			return fail(__FILE__, __LINE__, "frame", pfn, 0);
		}
	}
	return true;
}

static bool objects_cannot_be_retyped(void)
{
	CHECK_EQUAL(op_on(OP_RETYPE, boot->space, FRAME_FREE, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_RETYPE, boot->thread, FRAME_FREE, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_RETYPE, boot->top, FRAME_FREE, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_RETYPE, boot->message, FRAME_FREE, 0), ST_BUSY);
	return true;
}

static bool forged_entries_do_not_become_a_table(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);

	frame_fill(pfn, pte_make(boot->top, PTE_P | PTE_W | PTE_U));
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_L1, 0));
	for (uint32_t first = 0; first < TABLE_ENTRIES; first += 128) {
		CHECK_OK(op_many(OP_READ, pfn, first, 128, 0, 0));
		for (uint32_t i = 0; i < 128; i++) {
			CHECK_EQUAL(results[i], 0);
		}
	}
	return true;
}

static bool what_a_table_held_is_not_readable_as_data(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, table, 7, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, table, 8, 0xfffffffffffffffe, 0));
	CHECK_EQUAL(op_on(OP_RETYPE, table, FRAME_DATA, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, table, 0, TABLE_ENTRIES, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_DATA, 0));
	CHECK(frame_holds(table, 0));
	return true;
}

static bool a_thread_that_was_is_not_readable_as_data(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, sub.thread, FRAME_DATA, 0));
	CHECK(frame_holds(sub.thread, 0));
	return true;
}

static bool a_mapped_frame_keeps_its_type(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	for (uint32_t i = 0; i < 4; i++) {
		CHECK_OK(op_at(OP_SET, table, i, pte_make(pfn, DATA_BITS), 0));
		CHECK_EQUAL(FRAMES[pfn].refs, i + 1);
		CHECK_EQUAL(FRAMES[table].live, i + 1);
	}
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_FREE, 0), ST_BUSY);
		CHECK_OK(op_many(OP_CLEAR, table, i, 1, 0, 0));
	}
	CHECK_EQUAL(FRAMES[table].live, 0);
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_FREE, 0));
	return true;
}

static bool a_linked_table_keeps_its_type(void)
{
	pfn_t upper = frame_take_as(FRAME_L2), table = frame_take_as(FRAME_L1);

	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(table, PTE_P | PTE_W | PTE_U), 0));
	CHECK_EQUAL(op_on(OP_RETYPE, table, FRAME_FREE, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, upper, 0, 1, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_FREE, 0));
	return true;
}

static bool a_held_frame_keeps_its_type(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_many(OP_HOLD, pfn, 0, 0, 0, 0));
	CHECK_OK(op_many(OP_HOLD, pfn, 0, 0, 0, 0));
	CHECK_EQUAL(FRAMES[pfn].holds, 2);
	CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_FREE, 0), ST_BUSY);
	CHECK_OK(op_many(OP_RELEASE, pfn, 0, 0, 0, 0));
	CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_FREE, 0), ST_BUSY);
	CHECK_OK(op_many(OP_RELEASE, pfn, 0, 0, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_FREE, 0));
	return true;
}

static bool hold_and_release_refuse(void)
{
	pfn_t pfn = frame_take(), data = frame_take_as(FRAME_DATA);

	CHECK_EQUAL(op_many(OP_RELEASE, data, 0, 0, 0, 0), ST_MISMATCH);
	CHECK_EQUAL(op_many(OP_HOLD, pfn, 0, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_RELEASE, pfn, 0, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_HOLD, boot->message, 0, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_RELEASE, boot->message, 0, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_HOLD, boot->init_space, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_RELEASE, boot->init_space, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_HOLD, data, 0, 0, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_RELEASE, data, 0, 0, 0, 1), ST_BAD_ARGUMENT);
	return true;
}

static bool counters_refuse_at_their_limit(void)
{
	pfn_t table = frame_take_as(FRAME_L1), upper = frame_take_as(FRAME_L2),
	      pfn = frame_take_as(FRAME_DATA);
	uint32_t list[6] = { pfn, pfn, pfn, pfn, pfn, pfn };

	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 3, 0, 0));
	CHECK_EQUAL(op_fill(table, 0, 6, DATA_BITS, 0, list), ST_LIMIT);
	CHECK_EQUAL(outcome.entries, 3);
	CHECK_EQUAL(FRAMES[pfn].refs, 3);
	CHECK_EQUAL(op_at(OP_SET, table, 10, pte_make(pfn, DATA_BITS), 0), ST_LIMIT);
	CHECK_EQUAL(op_many(OP_COPY, table, 0, 1,
			    (uint64_t)table << OP_PFN_SHIFT | 100 << OP_INDEX_SHIFT, 0),
		ST_LIMIT);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_OK(op_many(OP_HOLD, pfn, 0, 0, 0, 0));
		CHECK_OK(op_at(OP_SET, upper, i, pte_make(table, PTE_P | PTE_W | PTE_U), 0));
	}
	CHECK_EQUAL(op_many(OP_HOLD, pfn, 0, 0, 0, 0), ST_LIMIT);
	CHECK_EQUAL(op_on(OP_LEND, pfn, boot->root_pool, 0), ST_LIMIT);
	CHECK_EQUAL(op_at(OP_SET, upper, 3, pte_make(table, PTE_P | PTE_W | PTE_U), 0), ST_LIMIT);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, frame_take(), pte_make(table, PTE_P | PTE_W | PTE_U)),
		ST_LIMIT);
	CHECK_EQUAL(FRAMES[pfn].refs, 3);
	CHECK_EQUAL(FRAMES[pfn].holds, 3);
	return true;
}

static bool a_run_stops_at_the_first_frame_that_refuses(void)
{
	pfn_t row = frame_take_row(8, 1);

	CHECK_OK(op_on(OP_RETYPE, row + 5, FRAME_DATA, 0));
	CHECK_OK(op_many(OP_HOLD, row + 5, 0, 0, 0, 0));
	CHECK_EQUAL(op_many(OP_RETYPE, row, 0, 8, FRAME_DATA, 0), ST_BUSY);
	CHECK_EQUAL(outcome.entries, 5);
	for (uint32_t i = 0; i < 8; i++) {
		CHECK_EQUAL(FRAMES[row + i].type, i <= 5 ? FRAME_DATA : FRAME_FREE);
	}
	return true;
}

static bool clearing_is_bounded_by_the_work_of_a_call(void)
{
	enum { AT_ONCE = OP_WORK_MAX / OP_WORK_CLEAR };
	pfn_t row = frame_take_row(AT_ONCE + 4, 1);

	CHECK_EQUAL(op_many(OP_RETYPE, row, 0, AT_ONCE + 4, FRAME_L1, 0), ST_MORE);
	CHECK_EQUAL(outcome.entries, AT_ONCE);
	CHECK_EQUAL(FRAMES[row + AT_ONCE - 1].type, FRAME_L1);
	CHECK_EQUAL(FRAMES[row + AT_ONCE].type, FRAME_FREE);
	CHECK_OK(op_many(OP_RETYPE, row + AT_ONCE, 0, 4, FRAME_DATA, 0));
	CHECK_OK(op_many(OP_ZERO, row + AT_ONCE, 0, 4, 0, 0));
	CHECK_OK(op_many(OP_RETYPE, row, 0, AT_ONCE, FRAME_DATA, 0));
	CHECK_EQUAL(op_many(OP_ZERO, row, 0, AT_ONCE + 4, 0, 0), ST_MORE);
	CHECK_EQUAL(outcome.entries, AT_ONCE);
	return true;
}

/* ---- contents ---- */

static bool zero_fills_frames(void)
{
	pfn_t row = frame_take_row(3, 1);

	CHECK_OK(op_many(OP_RETYPE, row, 0, 3, FRAME_DATA, 0));
	for (uint32_t i = 0; i < 3; i++) {
		frame_fill(row + i, 0xa5a5a5a5a5a5a5a5);
	}
	CHECK_OK(op_many(OP_ZERO, row, 0, 2, 0, 0));
	CHECK(frame_holds(row, 0) && frame_holds(row + 1, 0));
	CHECK(frame_holds(row + 2, 0xa5a5a5a5a5a5a5a5));
	return true;
}

static bool zero_refuses(void)
{
	pfn_t pfn = frame_take();

	CHECK_EQUAL(op_many(OP_ZERO, pfn, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_ZERO, boot->message, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_ZERO, boot->top, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_ZERO, boot->zero_frame, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_ZERO, boot->init_space, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_ZERO, pfn, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_ZERO, pfn, 0, 1, 1, 0), ST_BAD_ARGUMENT);
	return true;
}

static uint64_t part(uint32_t from, uint32_t to, uint32_t bytes)
{
	return from | (uint64_t)to << 16 | (uint64_t)bytes << 32;
}

static bool a_frame_is_copied_whole_or_in_part(void)
{
	pfn_t from = frame_take_as(FRAME_DATA), to = frame_take_as(FRAME_DATA);
	volatile uint8_t *bytes;

	frame_fill(from, 0x1111111111111111);
	frame_fill(to, 0x2222222222222222);
	CHECK_OK(op_on(OP_COPY_FRAME, from, to, part(5, 4090, 6)));
	bytes = (volatile uint8_t *)window_open(0, to);
	for (uint32_t i = 0; i < PAGE_SIZE; i++) {
		CHECK_EQUAL(bytes[i], i >= 4090 ? 0x11 : 0x22);
	}
	window_close(0);
	CHECK_OK(op_on(OP_COPY_FRAME, from, to, 0));
	CHECK(frame_holds(to, 0x1111111111111111));
	CHECK_OK(op_on(OP_COPY_FRAME, boot->zero_frame, to, 0));
	CHECK(frame_holds(to, 0));
	return true;
}

static bool copying_frames_refuses(void)
{
	pfn_t from = frame_take_as(FRAME_DATA), to = frame_take_as(FRAME_DATA),
	      table = frame_take_as(FRAME_L1);

	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, boot->zero_frame, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, boot->init_space, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, boot->init_space, to, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, boot->frames, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, 1ull << 32 | to, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, table, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, table, to, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, boot->thread, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, frame_take(), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, to, part(1, 0, 4096)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, to, part(0, 1, 4096)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, to, part(8, 8, 0)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, to, part(0, 0, 8191)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, to, part(0, 0, 8) | 1ull << 63), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, from, from, part(0, 8, 8)), ST_BAD_ARGUMENT);
	return true;
}

static bool copying_frames_is_bounded(void)
{
	pfn_t from = frame_take_as(FRAME_DATA), to = frame_take_as(FRAME_DATA);

	batch_begin();
	for (uint32_t i = 0; i < 10; i++) {
		batch_add(op_head(OP_COPY_FRAME, 0, from, 0, 1), to, i == 8 ? part(0, 0, 8) : 0);
	}
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK_EQUAL(outcome.done, OP_WORK_MAX / TABLE_ENTRIES);
	return true;
}

/* ---- owners ---- */

static bool frames_go_to_a_pool_below_and_come_back(void)
{
	pfn_t row = frame_take_row(4, 1);
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_on(OP_RETYPE, row + 1, FRAME_DATA, 0));
	CHECK_OK(op_many(OP_TRANSFER, row, 0, 4, pool, 0));
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQUAL(FRAMES[row + i].pool, pool);
	}
	CHECK_OK(op_many(OP_RETYPE, row, 0, 4, FRAME_DATA, 0)); /* authority includes pools below */
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY);
	CHECK_OK(op_many(OP_TRANSFER, row, 0, 4, boot->pool, 0));
	CHECK_EQUAL(FRAMES[row].pool, boot->pool);
	CHECK_OK(op_on(OP_POOL_DESTROY, 0, pool, 0));
	return true;
}

static bool transfer_refuses(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA), table = frame_take_as(FRAME_L1),
	      shown = frame_take_as(FRAME_L1);
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_at(OP_SET, shown, 0, pte_make(pfn, DATA_BITS), 0));
	CHECK_EQUAL(op_on(OP_TRANSFER, pfn, pool, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_TRANSFER, table, pool, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_TRANSFER, boot->thread, pool, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_TRANSFER, boot->init_space, pool, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_TRANSFER, frame_take(), 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_TRANSFER, frame_take(), 255, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_TRANSFER, frame_take(), 1ull << 32 | pool, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_TRANSFER, frame_take(), pool, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_TRANSFER, frame_take(), 0, 0, pool, 0), ST_BAD_ARGUMENT);
	return true;
}

static bool a_lent_frame_can_be_mapped_by_the_borrower_only(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);
	struct sub_wish wish = { 0 };
	struct sub sub;
	struct step *set, *set_again;
	uint16_t pool, other;
	struct op *ops;
	pfn_t table = frame_take_as(FRAME_DATA), foreign = frame_take_as(FRAME_L1);

	CHECK_OK(pool_make(&pool) == ST_OK ? pool_make(&other) : ST_LIMIT);
	CHECK_OK(op_on(OP_TRANSFER, table, pool, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_L1, 0));
	wish.pool = pool;
	CHECK(sub_make(&sub, &wish));
	ops = message_open(sub.message);
	ops[0] = (struct op){ op_head(OP_SET, 0, table, 0, 1), pte_make(pfn, DATA_BITS), 0 };
	message_close(sub.message);
	set = step_add(0, CALL_BATCH, 1, 0, 0, 0);
	step_add(0, CALL_THREAD, THREAD_SELF_STOP, 0, 0, 0);
	set_again = step_add(0, CALL_BATCH, 1, 0, 0, 0);
	CHECK_EQUAL(op_on(OP_LEND, pfn, 0, 0), ST_MISMATCH);
	CHECK_OK(op_on(OP_LEND, pfn, other, 0));
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(set->out.rax, ST_BAD_FRAME);
	CHECK_OK(op_on(OP_LEND, pfn, 0, 0));
	CHECK_OK(op_on(OP_LEND, pfn, pool, 0));
	CHECK_EQUAL(FRAMES[pfn].live, pool);
	CHECK(FRAMES[pfn].flags & FRAME_LENT);
	CHECK_EQUAL(op_on(OP_LEND, pfn, pool, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_FREE, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_TRANSFER, pfn, pool, 0), ST_BUSY);
	CHECK_EQUAL(op_many(OP_RELEASE, pfn, 0, 0, 0, 0), ST_MISMATCH);
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY);
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	CHECK_EQUAL(set_again->out.rax, ST_OK);
	CHECK_EQUAL(FRAMES[pfn].refs, 1);
	CHECK_EQUAL(op_on(OP_LEND, pfn, 0, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	CHECK_OK(op_on(OP_LEND, pfn, 0, 0));
	CHECK(FRAMES[pfn].live == 0 && FRAMES[pfn].holds == 0 && !(FRAMES[pfn].flags & FRAME_LENT));
	CHECK_OK(op_at(OP_SET, foreign, 0, pte_make(pfn, DATA_BITS), 0));
	return true;
}

static bool lending_refuses(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_EQUAL(op_on(OP_LEND, frame_take(), pool, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_LEND, boot->message, pool, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_LEND, boot->init_space, pool, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_LEND, pfn, 255, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_LEND, pfn, ~0ull, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_LEND, pfn, pool, 1), ST_BAD_ARGUMENT);
	return true;
}

/* ---- epochs ---- */

static bool reuse_in_the_epoch_of_the_last_reference_flushes_first(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	struct info_counters before, after;

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	before = counters_now();
	batch_begin();
	batch_add(op_head(OP_CLEAR, 0, table, 0, 1), 0, 0);
	batch_add(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_L1, 0);
	CHECK_OK(batch_end());
	after = counters_now();
	CHECK_EQUAL(after.full_flushes, before.full_flushes + 1);
	return true;
}

static bool reuse_in_a_later_epoch_flushes_nothing(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	struct info_counters before, after;
	uint32_t epoch;

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	epoch = FRAMES[pfn].epoch;
	CHECK_OK(op_many(OP_FLUSH, 0, 0, 0, 0, 0));
	before = counters_now();
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_L1, 0));
	after = counters_now();
	CHECK_EQUAL(after.full_flushes, before.full_flushes);
	CHECK(epoch != 0);
	return true;
}

static bool mapping_again_in_the_same_epoch_flushes_first(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	struct info_counters before, after;

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	before = counters_now();
	batch_begin();
	batch_add(op_head(OP_CLEAR, 0, table, 0, 1), 0, 0);
	batch_add(op_head(OP_SET, 0, table, 1, 1), pte_make(pfn, DATA_BITS), 0);
	CHECK_OK(batch_end());
	after = counters_now();
	CHECK_EQUAL(after.full_flushes, before.full_flushes + 1);
	return true;
}

static bool the_first_mapping_of_a_fresh_frame_flushes_nothing(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	struct info_counters before, after;

	CHECK_OK(op_many(OP_FLUSH, 0, 0, 0, 0, 0));
	before = counters_now();
	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, table, 1, pte_make(pfn, DATA_BITS), 0));
	after = counters_now();
	CHECK_EQUAL(after.full_flushes, before.full_flushes);
	return true;
}

const struct test tests_frames[] = {
	{ "each_type_can_become_each_other", each_type_can_become_each_other },
	{ "types_of_the_kernel_cannot_be_chosen", types_of_the_kernel_cannot_be_chosen },
	{ "foreign_frames_cannot_be_retyped", foreign_frames_cannot_be_retyped },
	{ "every_foreign_frame_is_out_of_reach_of_every_operation",
		every_foreign_frame_is_out_of_reach_of_every_operation },
	{ "objects_cannot_be_retyped", objects_cannot_be_retyped },
	{ "forged_entries_do_not_become_a_table", forged_entries_do_not_become_a_table },
	{ "what_a_table_held_is_not_readable_as_data", what_a_table_held_is_not_readable_as_data },
	{ "a_thread_that_was_is_not_readable_as_data", a_thread_that_was_is_not_readable_as_data },
	{ "a_mapped_frame_keeps_its_type", a_mapped_frame_keeps_its_type },
	{ "a_linked_table_keeps_its_type", a_linked_table_keeps_its_type },
	{ "a_held_frame_keeps_its_type", a_held_frame_keeps_its_type },
	{ "hold_and_release_refuse", hold_and_release_refuse },
	{ "counters_refuse_at_their_limit", counters_refuse_at_their_limit },
	{ "a_run_stops_at_the_first_frame_that_refuses",
		a_run_stops_at_the_first_frame_that_refuses },
	{ "clearing_is_bounded_by_the_work_of_a_call", clearing_is_bounded_by_the_work_of_a_call },
	{ "zero_fills_frames", zero_fills_frames },
	{ "zero_refuses", zero_refuses },
	{ "a_frame_is_copied_whole_or_in_part", a_frame_is_copied_whole_or_in_part },
	{ "copying_frames_refuses", copying_frames_refuses },
	{ "copying_frames_is_bounded", copying_frames_is_bounded },
	{ "frames_go_to_a_pool_below_and_come_back", frames_go_to_a_pool_below_and_come_back },
	{ "transfer_refuses", transfer_refuses },
	{ "a_lent_frame_can_be_mapped_by_the_borrower_only",
		a_lent_frame_can_be_mapped_by_the_borrower_only },
	{ "lending_refuses", lending_refuses },
	{ "reuse_in_the_epoch_of_the_last_reference_flushes_first",
		reuse_in_the_epoch_of_the_last_reference_flushes_first },
	{ "reuse_in_a_later_epoch_flushes_nothing", reuse_in_a_later_epoch_flushes_nothing },
	{ "mapping_again_in_the_same_epoch_flushes_first",
		mapping_again_in_the_same_epoch_flushes_first },
	{ "the_first_mapping_of_a_fresh_frame_flushes_nothing",
		the_first_mapping_of_a_fresh_frame_flushes_nothing },
	{ 0 },
};
