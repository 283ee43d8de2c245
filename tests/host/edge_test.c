/*
 * Tests at the edges of what the frame table and its operations allow: the frame behind the last,
 * the entry behind the last, a word more than there is room for, a bit that is reserved, device
 * pages at both ends of their range.  Each asks at the edge and one beside it.
 *
 * Usage: edge [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"
#include "fixture.h"
#include <faultline/fault.h>

#define LAST	  (FRAMES - 1u)
#define CHILD_L1  (MORE_FIRST + 8u)
#define DEVICES	  8u /* device pages behind the RAM */
#define DEVICE	  (PTE_P | PTE_W | PTE_U | PTE_PCD | PTE_NX)
#define NO_MEMORY (FRAMES + DEVICES)

static uint32_t refs(pfn_t pfn)
{
	return frame_table[pfn].refs;
}

static uint32_t live(pfn_t pfn)
{
	return frame_table[pfn].live;
}

/* It needs exactly this much work and room: with less of either it changes nothing. */
static void needs(uint32_t work, uint32_t room, uint64_t head, uint64_t a, uint64_t b)
{
	if (work > 0)
		CHECK_EQUAL(sim_op_within(work - 1, room, head, a, b), ST_MORE);
	if (room > 0)
		CHECK_EQUAL(sim_op_within(work, room - 1, head, a, b), ST_MORE);
	CHECK_EQUAL(sim_op_within(work, room, head, a, b), ST_OK);
}

static uint64_t large(void)
{
	return pte_make(BLOCK_HEAD, PAGE_RW | PTE_PS);
}

/* ---- frames that are none ---- */

/* The last frame is taken out of the machine, as the type that each operation wants. */
static void without_last(frame_type_t type)
{
	frame_count = FRAMES;
	CHECK_EQUAL(retype(LAST, 1, type), ST_OK);
	frame_count = LAST;
}

static void test_no_operation_reaches_the_frame_behind_the_last(void)
{
	static const uint32_t plain[] = { OP_ZERO, OP_HOLD, OP_RELEASE };

	without_last(FRAME_DATA);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		CHECK_EQUAL(run(plain[i], LAST, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(retype(LAST, 1, FRAME_FREE), ST_BAD_FRAME);
	CHECK_EQUAL(give(child_pool(POOL_ROOT), LAST, 1), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_LEND, LAST, 0, 0, POOL_ROOT, 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_FLUSH, LAST, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_COPY_FRAME, LAST, 0, 0, DATA_FIRST, 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_COPY_FRAME, DATA_FIRST, 0, 0, LAST, 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 0, pte_make(LAST, PAGE_RW), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, pte_make(LAST, PAGE_RW), page(0)), ST_BAD_FRAME);
	CHECK(!frame_make_quiet(LAST) && !frame_get(LAST) && frame_get(LAST - 1));
	CHECK(refs(LAST) == 0 && frame_table[LAST].type == FRAME_DATA);
	frame_count = FRAMES;
}

static void test_no_operation_reaches_the_table_behind_the_last(void)
{
	static const uint32_t runs[] = { OP_CLEAR, OP_PROTECT, OP_READ, OP_HARVEST };

	without_last(FRAME_L1);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		CHECK_EQUAL(run(runs[i], LAST, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(LAST, 0, page(0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_COPY, LAST, 0, 1, target(L1, 0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_MOVE, L1, 0, 1, target(LAST, 0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L2, 1, link_to(LAST), 0), ST_BAD_FRAME);
	CHECK(table_level(LAST) == 0 && table_level(L1) == 1 && table_level(UINT32_MAX) == 0);
	without_last(FRAME_FREE);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
	CHECK_EQUAL(split(L2, 0, LAST), ST_BAD_FRAME);
	frame_count = FRAMES;
}

static void test_a_block_ends_with_the_last_frame(void)
{
	pfn_t head = FRAMES - BLOCK_FRAMES;
	uint64_t entry = pte_make(head, PAGE_RW | PTE_PS);

	CHECK_EQUAL(retype(head, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	frame_count = LAST;
	CHECK_EQUAL(set(L2, 1, entry, 0), ST_BAD_FRAME);
	frame_count = FRAMES;
	CHECK_EQUAL(set(L2, 1, entry, 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, 0, entry), ST_OK);
}

static void test_a_machine_smaller_than_a_block_has_none(void)
{
	sim_start(BLOCK_FRAMES - 1);
	CHECK_EQUAL(retype(L2, 1, FRAME_L2), ST_OK);
	CHECK_EQUAL(set(L2, 1, pte_make(0, PAGE_RW | PTE_PS), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L2, 1, pte_make(BLOCK_FRAMES, PAGE_RW | PTE_PS), 0), ST_BAD_FRAME);
}

static void test_frames_that_are_no_ram_are_refused(void)
{
	CHECK_EQUAL(run(OP_COPY_FRAME, 0, 0, 0, DATA_FIRST, 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_COPY_FRAME, DATA_FIRST, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_COPY_FRAME, DATA_FIRST, 0, 0, 1ull << 32 | DATA_FIRST, 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 0, pte_make(0, PAGE_RW), 0), ST_BAD_FRAME);
	CHECK(!frame_make_quiet(0) && !frame_make_quiet(FRAMES));
}

static void test_pool_numbers_end_at_their_count(void)
{
	uint16_t pool = child_pool(POOL_ROOT);
	uint64_t beyond[] = { POOL_COUNT, POOL_COUNT + pool, 0x10000u + pool, 1ull << 32 | pool };

	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		CHECK_EQUAL(run(OP_TRANSFER, DATA_FIRST, 0, 1, beyond[i], 0), ST_NO_RIGHT);
		CHECK_EQUAL(run(OP_LEND, DATA_FIRST, 0, 0, beyond[i], 0), ST_NO_RIGHT);
		CHECK_EQUAL(run(OP_POOL_SET, 0, 0, 0, beyond[i], 0), ST_NO_RIGHT);
		CHECK_EQUAL(run(OP_POOL_DESTROY, 0, 0, 0, beyond[i], 0), ST_NO_RIGHT);
	}
	CHECK(!pool_is_within(POOL_COUNT, POOL_ROOT) && !pool_is_within(0, 0));
	CHECK_EQUAL(run(OP_POOL_DESTROY, 0, 0, 0, pool, 0), ST_OK);
}

static void test_nobodys_pool_counts_no_users(void)
{
	pool_add_user(0);
	pool_remove_user(0);
	CHECK_EQUAL(pool_table[0].users, 0);
	pool_add_user(POOL_ROOT);
	CHECK_EQUAL(pool_table[POOL_ROOT].users, 1);
	pool_remove_user(POOL_ROOT);
	CHECK_EQUAL(pool_table[POOL_ROOT].users, 0);
}

static status_t create_pool(uint16_t parent, uint64_t limits)
{
	return sim_op(parent, op_head(OP_POOL_CREATE, 0, 0, 0, 0), limits, 0);
}

static void test_limits_of_a_pool_are_at_most_its_makers(void)
{
	const uint64_t known = POOL_LIMITED | POOL_LIMIT_PRIORITY | POOL_LIMIT_BELOW;
	uint16_t pool;

	for (uint32_t bit = 0; bit < 64; bit++) {
		CHECK_EQUAL(run(OP_POOL_CREATE, 0, 0, 0, 0, 1ull << bit), ST_BAD_ARGUMENT);
		if (1ull << bit != POOL_LIMITED)
			CHECK_EQUAL(create_pool(POOL_ROOT, 1ull << bit), ST_BAD_ARGUMENT);
		if (!(known >> bit & 1))
			CHECK_EQUAL(create_pool(POOL_ROOT, POOL_LIMITED | 1ull << bit),
				ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(create_pool(POOL_ROOT, POOL_LIMITED | 9 | 1ull << POOL_BELOW_SHIFT), ST_OK);
	pool = (uint16_t)sim_last.results[0];
	CHECK(pool_table[pool].priority == 9 && pool_table[pool].below_max == 1);
	CHECK_EQUAL(create_pool(pool, POOL_LIMITED | 10), ST_NO_RIGHT);
	CHECK_EQUAL(create_pool(pool, POOL_LIMITED | 9), ST_OK);
	CHECK_EQUAL(create_pool(pool, POOL_LIMITED | 9), ST_LIMIT);
	CHECK_EQUAL(create_pool(POOL_ROOT, 0), ST_OK);
	pool = (uint16_t)sim_last.results[0];
	CHECK_EQUAL(pool_table[pool].priority, pool_table[POOL_ROOT].priority);
}

/* ---- types ---- */

static bool is_between(frame_type_t type, frame_type_t first, frame_type_t last)
{
	return type >= first && type <= last;
}

static void test_types_are_cleared_where_the_kernel_reads_them(void)
{
	for (frame_type_t from = FRAME_NONE; from < FRAME_TYPES; from++) {
		bool leaves_zeros = is_between(from, FRAME_L1, FRAME_TOP) && from != FRAME_TOP;
		bool from_kernel = is_between(from, FRAME_L1, FRAME_TOP) || from == FRAME_SPACE ||
				   from == FRAME_THREAD || from == FRAME_PORT;

		CHECK_EQUAL(frame_type_is_table(from), is_between(from, FRAME_L1, FRAME_TOP));
		CHECK_EQUAL(frame_type_is_interpreted(from), from_kernel);
		CHECK_EQUAL(
			frame_type_change_clears(from, FRAME_DATA), from_kernel && !leaves_zeros);
		CHECK_EQUAL(frame_type_change_clears(from, FRAME_PORT), !leaves_zeros);
		CHECK_EQUAL(frame_type_change_clears(FRAME_DATA, from), from_kernel);
	}
}

static void test_a_frame_is_unused_when_nothing_counts(void)
{
	struct frame frame = { .type = FRAME_DATA };

	CHECK(frame_is_unused(&frame));
	frame.refs = 1;
	CHECK(!frame_is_unused(&frame));
	frame = (struct frame){ .type = FRAME_DATA, .holds = 1 };
	CHECK(!frame_is_unused(&frame));
	frame = (struct frame){ .type = FRAME_DATA, .live = 1 };
	CHECK(!frame_is_unused(&frame));
	frame = (struct frame){ .type = FRAME_DATA, .flags = FRAME_BLOCK };
	CHECK(!frame_is_unused(&frame));
	frame.flags = FRAME_DIRTY;
	CHECK(frame_is_unused(&frame));
}

/* ---- words that must be 0 ---- */

static void test_unused_words_are_reserved(void)
{
	static const struct {
		uint32_t code;
		pfn_t pfn;
		bool a, b; /* reserved */
	} rows[] = {
		{ OP_RETYPE, MORE_FIRST, false, true },
		{ OP_ZERO, DATA_FIRST, true, true },
		{ OP_HOLD, DATA_FIRST, true, true },
		{ OP_RELEASE, DATA_FIRST, true, true },
		{ OP_TRANSFER, DATA_FIRST, false, true },
		{ OP_LEND, DATA_FIRST, false, true },
		{ OP_CLEAR, L1, true, true },
		{ OP_READ, L1, true, true },
		{ OP_HARVEST, L1, true, true },
		{ OP_FLUSH, 0, true, true },
		{ OP_POOL_DESTROY, 0, false, true },
		{ OP_POOL_TAG, 0, false, true },
	};

	CHECK_EQUAL(run(OP_HOLD, DATA_FIRST, 0, 1, 0, 0), ST_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t bit = 0; bit < 64; bit++) {
			uint64_t word = 1ull << bit;

			if (rows[i].a)
				CHECK_EQUAL(run(rows[i].code, rows[i].pfn, 0, 1, word, 0),
					ST_BAD_ARGUMENT);
			if (rows[i].b)
				CHECK_EQUAL(run(rows[i].code, rows[i].pfn, 0, 1, 0, word),
					ST_BAD_ARGUMENT);
		}
	}
	CHECK_EQUAL(run(OP_RELEASE, DATA_FIRST, 0, 1, 0, 0), ST_OK);
}

static void test_words_of_a_target_have_no_other_bits(void)
{
	uint64_t known = target(0xfffffff, 0x1ff);

	for (uint32_t bit = 0; bit < 64; bit++) {
		if (known >> bit & 1)
			continue;
		CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L1_TWO, 0) | 1ull << bit, 0),
			ST_BAD_ARGUMENT);
		CHECK_EQUAL(run(OP_MOVE, L1, 0, 1, target(L1_TWO, 0) | 1ull << bit, 0),
			ST_BAD_ARGUMENT);
	}
	for (uint32_t bit = 0; bit < 64; bit++)
		CHECK_EQUAL(
			run(OP_COPY, L1, 0, 1, target(L1_TWO, 0), 1ull << bit), ST_BAD_ARGUMENT);
}

static void test_flags_of_an_operation_are_its_hints_only(void)
{
	static const uint32_t without[] = { OP_NOP, OP_RETYPE, OP_READ, OP_ZERO, OP_COPY_FRAME,
		OP_HOLD, OP_RELEASE, OP_TRANSFER, OP_LEND, OP_FLUSH, OP_POOL_CREATE, OP_POOL_SET,
		OP_POOL_DESTROY, OP_POOL_TAG };
	static const uint32_t with[] = { OP_SET, OP_FILL, OP_COPY, OP_SPLIT, OP_MOVE, OP_CLEAR,
		OP_PROTECT, OP_HARVEST };
	pfn_t frame = DATA_FIRST;

	for (uint32_t flags = 1; flags < 256; flags++) {
		for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
			CHECK_EQUAL(
				sim_op(POOL_ROOT, op_head(without[i], flags, frame, 0, 1), 0, 0),
				ST_BAD_ARGUMENT);
		for (size_t i = 0; i < sizeof(with) / sizeof(with[0]) && flags > FLUSH_ALL; i++)
			if ((with[i] != OP_CLEAR && with[i] != OP_PROTECT) ||
				(flags & ~(OP_CLEAR_RUNS | OP_PROTECT_SOLE)) > FLUSH_ALL)
				CHECK_EQUAL(
					sim_op(POOL_ROOT, op_head(with[i], flags, L1, 0, 1), 0, 0),
					ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(
		sim_op(POOL_ROOT, op_head(OP_NOP, 0, 0, 0, 0) | 1ull << 35, 0, 0), ST_BAD_ARGUMENT);
}

static void test_rights_that_can_be_changed_are_three(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t word = 1ull << bit;
		bool is_right = word & (PTE_W | PTE_U | PTE_NX);

		CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, word, 0), is_right ? ST_OK : ST_BAD_ARGUMENT);
		CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, 0, word), is_right ? ST_OK : ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(entries(L1)[0], page(0));
}

static void test_only_rights_that_grow_are_checked_again(void)
{
	static const struct {
		uint64_t remove, add;
		bool grows;
	} rows[] = {
		{ 0, 0, false },
		{ PTE_W, 0, false },
		{ PTE_W | PTE_U, 0, false },
		{ 0, PTE_NX, false },
		{ PTE_W, PTE_NX, false },
		{ PTE_NX, PTE_NX, false },
		{ PTE_NX, 0, true },
		{ 0, PTE_U, true },
		{ 0, PTE_W, true },
		{ PTE_U, PTE_U | PTE_NX, true },
		{ PTE_NX, PTE_W | PTE_NX, true },
	};
	uint16_t pool = child_pool(POOL_ROOT);
	uint64_t head = op_head(OP_PROTECT, 0, CHILD_L1, 0, 1);

	CHECK_EQUAL(give(pool, CHILD_L1, 1), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_RETYPE, 0, CHILD_L1, 0, 1), FRAME_L1, 0), ST_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t was = page(0), is = (was & ~rows[i].remove) | rows[i].add;

		CHECK_EQUAL(set(CHILD_L1, 0, was, entries(CHILD_L1)[0]),
			ST_OK); /* no page of the pool's */
		CHECK_EQUAL(sim_op(pool, head, rows[i].remove, rows[i].add),
			rows[i].grows ? ST_BAD_FRAME : ST_OK);
		CHECK_EQUAL(entries(CHILD_L1)[0], rows[i].grows ? was : is);
	}
	CHECK_EQUAL(set(CHILD_L1, 0, 0, entries(CHILD_L1)[0]), ST_OK);
}

static void test_of_a_link_only_write_may_go_unchecked(void)
{
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W, 0), ST_OK);
	CHECK_EQUAL(entries(L2)[0], link_to(L1) & ~PTE_W);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_U, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W | PTE_U, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W, PTE_NX), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, 0, PTE_NX), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, 0, PTE_W), ST_OK);
	CHECK_EQUAL(entries(L2)[0], link_to(L1));
}

/* ---- bits of entries ---- */

static void test_bits_of_an_entry_are_those_of_its_level(void)
{
	const uint64_t soft = PTE_SHARED | PTE_SOFT1 | PTE_SOFT2, used = PTE_A;
	const uint64_t leaf = PTE_P | PTE_W | PTE_U | PTE_NX | PTE_D | used | soft;
	const uint64_t links = PTE_P | PTE_W | PTE_U | used | soft;

	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t word = 1ull << bit, small = pte_make(DATA_FIRST, PTE_P | PTE_U) ^ word;
		uint64_t link = pte_make(L1_TWO, PTE_P | PTE_U) ^ word;
		uint64_t huge = pte_make(BLOCK_HEAD, PTE_P | PTE_U | PTE_PS) ^ word;

		if (word & (PTE_P | PTE_FRAME)) /* another frame, or none */
			continue;
		CHECK_EQUAL(set(L1, 0, small, 0), word & leaf ? ST_OK : ST_BAD_ARGUMENT);
		CHECK_EQUAL(set(L1, 0, 0, entries(L1)[0]), ST_OK);
		CHECK_EQUAL(set(L2, 1, link, 0), word & links & ~PTE_U ? ST_OK : ST_BAD_ARGUMENT);
		CHECK_EQUAL(set(L2, 1, 0, entries(L2)[1]), ST_OK);
		CHECK_EQUAL(set(L2, 2, huge, 0), word & leaf	  ? ST_OK
						 : word == PTE_PS ? ST_WRONG_TYPE
								  : ST_BAD_ARGUMENT);
		CHECK_EQUAL(set(L2, 2, 0, entries(L2)[2]), ST_OK);
	}
}

static void test_frame_numbers_of_entries_have_their_bits_only(void)
{
	for (uint32_t bit = PAGE_SHIFT + FRAME_NUMBER_BITS; bit < 52; bit++) {
		CHECK_EQUAL(set(L1, 0, page(0) | 1ull << bit, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(set(L2, 1, link_to(L1_TWO) | 1ull << bit, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(set(L2, 1, large() | 1ull << bit, 0), ST_BAD_ARGUMENT);
	}
	CHECK(live(L1) == 0 && live(L2) == 1);
}

static void test_expected_entries_differ_in_every_bit_but_two(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t word = 1ull << bit;
		bool ignored = word & (PTE_A | PTE_D);

		CHECK_EQUAL(set(L1, 0, page(0), page(0) ^ word), ignored ? ST_OK : ST_MISMATCH);
	}
	CHECK_EQUAL(set(L1, 0, 0x1234500, page(0)), ST_OK);
	for (uint32_t bit = 0; bit < 64; bit++)
		CHECK_EQUAL(set(L1, 0, 0, 0x1234500 ^ 1ull << bit), ST_MISMATCH);
	CHECK_EQUAL(entries(L1)[0], 0x1234500);
}

/* ---- ends of tables ---- */

static void test_runs_end_with_the_table(void)
{
	static const uint32_t runs[] = { OP_CLEAR, OP_PROTECT, OP_READ, OP_HARVEST };

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		CHECK_EQUAL(run(runs[i], L1, 0, 0, 0, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(run(runs[i], L1, 511, 2, 0, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(run(runs[i], L1, 511, 1, 0, 0), ST_OK);
		CHECK_EQUAL(run(runs[i], L1, 0, 513, 0, 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(run(OP_COPY, L1, 0, 2, target(L1_TWO, 511), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L1_TWO, 511), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 0, target(L1_TWO, 0), 0), ST_BAD_ARGUMENT);
}

static void test_entries_at_both_ends_of_a_run_are_its_own(void)
{
	for (uint32_t i = 0; i < 18; i++)
		CHECK_EQUAL(set(L1, i, page(i), 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 1, 16, 0, 0), ST_OK);
	CHECK(sim_last.count == 16 && live(L1) == 2);
	CHECK(entries(L1)[0] == page(0) && entries(L1)[17] == page(17));
	CHECK_EQUAL(run(OP_PROTECT, L1, 1, 16, PTE_W, 0), ST_OK);
	CHECK(entries(L1)[0] == page(0) && entries(L1)[17] == page(17));
	entries(L1)[0] |= PTE_A;
	entries(L1)[17] |= PTE_A;
	CHECK_EQUAL(run(OP_HARVEST, L1, 1, 16, 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 0);
	CHECK_EQUAL(run(OP_MOVE, L1, 1, 16, target(L1_TWO, 0), 0), ST_OK);
	CHECK(live(L1) == 2 && live(L1_TWO) == 0);
	CHECK_EQUAL(run(OP_COPY, L1, 1, 16, target(L1_TWO, 0), 0), ST_OK);
	CHECK(live(L1_TWO) == 0 && refs(DATA_FIRST) == 1);
}

static void test_runs_in_one_table_may_touch_but_not_overlap(void)
{
	CHECK_EQUAL(set(L1, 4, page(0), 0), ST_OK);
	CHECK_EQUAL(run(OP_MOVE, L1, 4, 4, target(L1, 7), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_MOVE, L1, 4, 4, target(L1, 1), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_MOVE, L1, 4, 4, target(L1, 4), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_MOVE, L1, 4, 4, target(L1, 8), 0), ST_OK);
	CHECK_EQUAL(run(OP_MOVE, L1, 8, 4, target(L1, 4), 0), ST_OK);
	CHECK(entries(L1)[4] == page(0) && live(L1) == 1);
}

static void test_top_slots_end_with_their_roles(void)
{
	static const struct {
		uint32_t first, count;
		bool open;
	} rows[] = {
		{ LAYOUT_USER_LAST_SLOT, 1, true },
		{ LAYOUT_USER_LAST_SLOT, 2, false },
		{ 0, LAYOUT_USER_LAST_SLOT + 1, true },
		{ LAYOUT_USER_LAST_SLOT + 1, 1, false },
		{ LAYOUT_VMALLOC_FIRST_SLOT - 1, 1, false },
		{ LAYOUT_VMALLOC_FIRST_SLOT - 1, 2, false },
		{ LAYOUT_VMALLOC_FIRST_SLOT,
			LAYOUT_VMALLOC_LAST_SLOT - LAYOUT_VMALLOC_FIRST_SLOT + 1, true },
		{ LAYOUT_VMALLOC_LAST_SLOT, 2, false },
		{ LAYOUT_MESSAGE_SLOT, 1, true },
		{ LAYOUT_MESSAGE_SLOT, 2, false },
		{ LAYOUT_MESSAGE_SLOT - 1, 2, false },
		{ LAYOUT_MESSAGE_SLOT + 1, 1, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_EQUAL(run(OP_READ, TOP, rows[i].first, rows[i].count, 0, 0),
			rows[i].open ? ST_OK : ST_NO_RIGHT);
}

/* ---- ends of work and room ---- */

static void test_each_operation_takes_the_work_and_room_that_it_needs(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	needs(1, 1, op_head(OP_SET, 0, L1, 0, 0), 0, page(0)); /* the frame is reported */
	needs(1, 0, op_head(OP_SET, 0, L1, 0, 0), page(1), 0);
	needs(1, 1, op_head(OP_SET, 0, L1, 0, 0), 8, page(1));
	needs(1, 2, op_head(OP_CLEAR, 0, L1, 0, 1), 0, 0); /* the word is */
	needs(OP_WORK_CLEAR, 0, op_head(OP_ZERO, 0, DATA_FIRST, 0, 1), 0, 0);
	needs(OP_WORK_CLEAR, 0, op_head(OP_FILL, FILL_CLEAR, L1, 9, 1), page(9), 0);
	needs(TABLE_ENTRIES, 0, op_head(OP_COPY_FRAME, 0, DATA_FIRST, 0, 0), DATA_FIRST + 1, 0);
	needs(2, 0, op_head(OP_COPY_FRAME, 0, DATA_FIRST, 0, 0), DATA_FIRST + 1, 9ull << 32);
	needs(1, 0, op_head(OP_COPY_FRAME, 0, DATA_FIRST, 0, 0), DATA_FIRST + 1, 8ull << 32);
	needs(1, 0, op_head(OP_TRANSFER, 0, DATA_FIRST, 0, 1), POOL_ROOT, 0);
	needs(1, 0, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 1), FRAME_DATA, 0);
	needs(OP_WORK_CLEAR, 0, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 1), FRAME_L1, 0);
	needs(1, 0, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 1), FRAME_FREE, 0);
	needs(0, 1, op_head(OP_POOL_CREATE, 0, 0, 0, 0), 0, 0);
	needs(0, 2, op_head(OP_POOL_TAG, 0, 0, 0, 0), 0, 0);
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_A, 0), ST_OK);
	needs(1, 1, op_head(OP_HARVEST, 0, L1, 0, 1), 0, 0);
	needs(1, 1, op_head(OP_READ, 0, L1, 0, 1), 0, 0);
	needs(1, 0, op_head(OP_PROTECT, 0, L1, 0, 1), PTE_W, 0);
	needs(1, 0, op_head(OP_PROTECT, 0, L1, 0, 1), 0, PTE_W);
	needs(1, 0, op_head(OP_MOVE, 0, L1, 0, 1), target(L1_TWO, 0), 0);
	needs(1, 0, op_head(OP_COPY, 0, L1_TWO, 0, 1), target(L1, 0), 0);
}

static void test_split_takes_the_work_of_a_table(void)
{
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
	needs(TABLE_ENTRIES, 0, op_head(OP_SPLIT, 0, L2, 0, 0), MORE_FIRST, entries(L2)[0]);
}

static void test_the_work_of_a_batch_is_that_of_all_its_operations(void)
{
	struct op ops[] = { { op_head(OP_READ, 0, L1, 0, 6), 0, 0 },
		{ op_head(OP_PROTECT, 0, L1, 0, 3), PTE_W, 0 },
		{ op_head(OP_SET, 0, L1, 0, 1), page(0), 0 },
		{ op_head(OP_SET, 0, L2, 5, 1), 8, 0 }, { op_head(OP_CLEAR, 0, L1, 0, 4), 0, 0 } };
	struct batch batch = { .pool = POOL_ROOT,
		.work_left = 14,
		.results = sim_last.results,
		.result_max = OP_RESULTS_MAX };
	uint32_t index;

	CHECK_EQUAL(batch_run(&batch, ops, 5, &index), ST_MORE);
	CHECK(index == 4 && batch.done == 3 && batch.work_left == 0);
}

static void test_a_batch_begins_afresh(void)
{
	struct op ops[] = { { op_head(OP_NOP, 0, 0, 0, 0), 0, 0 },
		{ op_head(OP_NOP, 0, 0, 0, 0), 0, 0 }, { op_head(OP_ZERO, 0, L1, 0, 1), 0, 0 } };
	struct batch batch = {
		.pool = POOL_ROOT, .work_left = 10, .done = 7, .list_used = 1, .tagged = 1
	};
	uint32_t index = 99;

	CHECK_EQUAL(run(OP_POOL_TAG, 0, 0, 0, 55, 0), ST_OK);
	CHECK_EQUAL(batch_run(&batch, ops, 3, &index), ST_WRONG_TYPE);
	CHECK(index == 2 && batch.done == 0);
	batch.done = 7;
	CHECK_EQUAL(batch_run(&batch, &ops[2], 1, &index), ST_WRONG_TYPE);
	CHECK(index == 0 && batch.done == 0);
	batch.list_used = 1;
	CHECK_EQUAL(batch_run(&batch, ops, 1, &index), ST_OK);
	CHECK_EQUAL(index, 1);
	CHECK_EQUAL(run(OP_POOL_TAG, 0, 0, 0, 0, 0), ST_OK);
	CHECK(sim_last.results[0] == 55 && sim_last.results[1] == 1); /* those batches had no tag */
	batch.pool = 0;
	index = 99;
	CHECK_EQUAL(batch_run(&batch, ops, 2, &index), ST_NO_RIGHT);
	CHECK_EQUAL(index, 0);
}

static void test_the_list_of_results_is_filled_to_its_end(void)
{
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(set(L1, i, page(i) | PTE_A, 0), ST_OK);
	CHECK_EQUAL(sim_op_within(100, 3, op_head(OP_READ, 0, L1, 0, 4), 0, 0), ST_MORE);
	CHECK(sim_last.count == 3 && sim_last.done == 3);
	CHECK_EQUAL(sim_op_within(100, 3, op_head(OP_HARVEST, 0, L1, 0, 4), 0, 0), ST_MORE);
	CHECK(sim_last.count == 3 && sim_last.done == 3);
	CHECK_EQUAL(sim_op_within(100, 3, op_head(OP_CLEAR, 0, L1, 0, 4), 0, 0), ST_MORE);
	CHECK(sim_last.count == 3 && sim_last.done == 3 && live(L1) == 1);
}

/* ---- counters ---- */

static void test_counters_reach_their_limit_and_stop(void)
{
	frame_refs_limit = 3;
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(set(L1, i, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 3, page(0), 0), ST_LIMIT);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(frame_hold(DATA_FIRST + 1), ST_OK);
	CHECK_EQUAL(frame_hold(DATA_FIRST + 1), ST_LIMIT);
	CHECK_EQUAL(refs(DATA_FIRST), 3);
	for (uint32_t i = 0; i < 3; i++)
		frame_release(DATA_FIRST + 1);
	frame_refs_limit = FRAME_REFS_MAX;
	CHECK_EQUAL(frame_short_limit(), UINT16_MAX);
	frame_table[DATA_FIRST + 1].holds = UINT16_MAX;
	CHECK_EQUAL(frame_hold(DATA_FIRST + 1), ST_LIMIT);
	frame_table[DATA_FIRST + 1].holds = 0;
}

static void test_a_split_that_is_refused_takes_back_all_counts(void)
{
	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L2, 2, 0x77700, 0), ST_OK);
	CHECK_EQUAL(set(L2, 3, link_to(L1_TWO), 0), ST_OK);
	CHECK_EQUAL(set(L3, 1, link_to(L2), 0), ST_OK);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(set(L2_TWO, i, link_to(L1_TWO), 0), ST_OK);
	frame_refs_limit = 4; /* the last of the entries has no room */
	CHECK_EQUAL(split(L3, 1, MORE_FIRST), ST_LIMIT);
	CHECK(live(BLOCK_HEAD) == 1 && refs(L1) == 1 && refs(L1_TWO) == 4 && refs(L2) == 2);
	CHECK_EQUAL(entries(L2)[1], large());
	frame_refs_limit = 5;
	CHECK_EQUAL(split(L3, 1, MORE_FIRST), ST_OK);
	CHECK(live(BLOCK_HEAD) == 2 && refs(L1) == 2 && refs(L1_TWO) == 5 && live(MORE_FIRST) == 4);
	CHECK_EQUAL(entries(MORE_FIRST)[2], 0x77700);
}

static void test_a_block_is_its_owners(void)
{
	uint16_t pool = child_pool(POOL_ROOT);
	uint64_t head = op_head(OP_SET, 0, CHILD_L1, 0, 0);

	CHECK_EQUAL(give(pool, CHILD_L1, 1), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_RETYPE, 0, CHILD_L1, 0, 1), FRAME_L2, 0), ST_OK);
	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	CHECK_EQUAL(sim_op(pool, head, large(), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(sim_op(pool, head, large(), 0), ST_BAD_FRAME);
	CHECK(live(BLOCK_HEAD) == 1 && live(CHILD_L1) == 0);
}

static void test_a_block_is_formed_and_dissolved_once(void)
{
	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	needs(BLOCK_FRAMES + 1, 0, op_head(OP_SET, 0, L2, 1, 0), large(), 0);
	needs(1, 0, op_head(OP_SET, 0, L2, 2, 0), large(), 0);
	needs(1, 0, op_head(OP_SET, 0, L2, 1, 0), 0, large());
	needs(BLOCK_FRAMES + 1, 1, op_head(OP_SET, 0, L2, 2, 0), 0, large());
	CHECK_EQUAL(frame_table[BLOCK_HEAD + BLOCK_FRAMES].flags, 0);
}

static void test_a_block_is_flushed_for_when_a_frame_of_it_may_be_cached(void)
{
	uint64_t flushes = sim_flushes.everything;

	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK); /* never mapped before */
	CHECK_EQUAL(sim_flushes.everything, flushes);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK); /* all of them, just now */
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
	CHECK_EQUAL(set(L1, 0, pte_make(BLOCK_HEAD + 9, PAGE_RW), 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	flush_everything();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK); /* one is mapped, the others rest */
	CHECK_EQUAL(sim_flushes.everything, flushes + 2);
}

static void test_frames_of_a_block_keep_their_own_dirty_mark(void)
{
	uint64_t small = pte_make(BLOCK_HEAD + 5, PAGE_RW | PTE_D);

	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, small, 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, small), ST_OK);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		CHECK_EQUAL(frame_table[BLOCK_HEAD + i].flags, i == 5 ? FRAME_DIRTY : 0);
}

static void test_only_links_and_large_entries_are_split(void)
{
	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L2, 2, large(), 0), ST_OK);
	CHECK_EQUAL(split(L2, 1, MORE_FIRST + 1), ST_OK);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(0), 0), ST_OK);
	CHECK_EQUAL(split(L1, 0, MORE_FIRST), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L2, 3, link_to(L1_TWO) & ~PTE_P, 0), ST_OK);
	CHECK_EQUAL(split(L2, 3, MORE_FIRST), ST_MISMATCH);
	CHECK_EQUAL(frame_table[MORE_FIRST].type, FRAME_FREE);
}

static void test_the_message_slot_is_one_of_the_top_level_only(void)
{
	uint32_t slot = LAYOUT_MESSAGE_SLOT;

	CHECK_EQUAL(set(L2, slot, link_to(L1_TWO), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L2, slot, 1, target(L2_TWO, slot), 0), ST_OK);
	CHECK_EQUAL(split(L2, slot, MORE_FIRST), ST_OK);
	CHECK_EQUAL(set(TOP, slot, link_to(L3), 0), ST_OK);
	CHECK_EQUAL(split(TOP, slot, MORE_FIRST + 1), ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_COPY, TOP, slot, 1, target(TOP_TWO, slot), 0), ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_MOVE, TOP, slot, 1, target(TOP_TWO, slot), 0), ST_NO_RIGHT);
}

static void test_a_walk_ends_at_an_entry_beyond_all_frames(void)
{
	for (uint32_t bit = PAGE_SHIFT + FRAME_NUMBER_BITS; bit < 52; bit++) {
		uint64_t *link = &entries(L2)[0], *leaf = &entries(L1)[0], was = *link;
		struct walk walk;

		*leaf = page(0);
		*link = was | 1ull << bit;
		table_walk(TOP, 0, 0, &walk);
		CHECK(walk.refusing_level == 2 && walk.entry[LAYOUT_LEVELS - 1] == 0);
		*link = was;
		*leaf = page(0) | 1ull << bit;
		table_walk(TOP, 0, 0, &walk);
		CHECK(walk.refusing_level == 1 && walk.entry[LAYOUT_LEVELS - 1] == *leaf);
		*leaf = page(0);
		table_walk(TOP, 0, FAULT_WRITE, &walk);
		CHECK_EQUAL(walk.refusing_level, 0);
		*leaf = 0;
	}
}

static uint32_t refusing(uint32_t access)
{
	struct walk walk;

	table_walk(TOP, 0, access, &walk);
	return walk.refusing_level;
}

static void test_a_walk_takes_a_word_of_the_pagers_for_nothing(void)
{
	entries(L1)[0] = page(0) & ~PTE_P; /* all bits of rights, but not there */
	CHECK(refusing(0) == 1 && refusing(FAULT_WRITE) == 1 && refusing(FAULT_USER) == 1);
	entries(L1)[0] = page(0) & ~PTE_W;
	CHECK(refusing(FAULT_USER) == 0 && refusing(FAULT_USER | FAULT_PRESENT) == 0);
	CHECK(refusing(FAULT_USER | FAULT_WRITE) == 1 && refusing(FAULT_USER | FAULT_FETCH) == 1);
	entries(L1)[0] = (page(0) & ~PTE_NX) | PTE_A | PTE_D;
	CHECK(refusing(FAULT_USER | FAULT_FETCH) == 0 && refusing(FAULT_USER | FAULT_WRITE) == 0);
	entries(L1)[0] = 0;
	entries(L2)[0] &= ~PTE_P;
	CHECK_EQUAL(refusing(FAULT_USER), 2);
	entries(L2)[0] |= PTE_P;
}

static void test_a_walk_ends_at_large_leaves(void)
{
	uint64_t *levels[] = { NULL, NULL, &entries(L2)[0], &entries(L3)[0], &entries(TOP)[0] };

	for (uint32_t level = 2; level <= LAYOUT_LEVELS; level++) {
		uint64_t was = *levels[level];

		*levels[level] = was | PTE_PS;
		CHECK_EQUAL(refusing(FAULT_USER), level <= 3 ? 0 : level);
		*levels[level] = was;
	}
}

static void test_a_split_of_a_full_table_counts_each_entry(void)
{
	uint64_t word = 0x5000;

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		CHECK_EQUAL(set(L1, i, i % 8 == 7 ? word : page(i % DATA_COUNT), 0), ST_OK);
	memset(frame_memory(MORE_FIRST), 0xff, PAGE_SIZE);
	memset(frame_memory(MORE_FIRST + 1), 0xff, PAGE_SIZE);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 3, 500, 0, 0), ST_OK);
	CHECK_EQUAL(live(L1), 12);
	CHECK_EQUAL(run(OP_COPY, L2_TWO, 0, 1, target(L2_TWO, 1), 0), ST_OK);
	CHECK_EQUAL(split(L2_TWO, 0, MORE_FIRST + 1), ST_OK);
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		CHECK_EQUAL(entries(MORE_FIRST + 1)[i], entries(L1)[i]);
	CHECK_EQUAL(live(MORE_FIRST + 1), 12);
}

static void test_a_fast_store_flushes_and_counts_as_the_slow_one(void)
{
	uint64_t flushes = sim_flushes.everything;

	/* Over a page that others map as well: the copy of copy-on-write. */
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, page(1), 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, 0, page(1)), ST_OK);
	CHECK_EQUAL(set(L1, 0, page(1), page(0)), ST_OK); /* page 1 may still be cached */
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
	CHECK(refs(DATA_FIRST) == 1 && refs(DATA_FIRST + 1) == 1);
	/* Over a word of the pager's: no entry more. */
	CHECK_EQUAL(set(L1, 3, 0x100, 0), ST_OK);
	CHECK_EQUAL(set(L1, 3, page(2), 0x100), ST_OK);
	CHECK_EQUAL(live(L1), 3);
	/* The last reference is reported, and stamped. */
	CHECK_EQUAL(set(L1, 1, page(3), page(0)), ST_OK);
	CHECK(sim_last.count == 1 && data(0)->epoch == flush_epoch);
	CHECK_EQUAL(sim_last.results[0], (uint64_t)RESULT_FRAME << 60 | DATA_FIRST);
}

static void test_a_word_with_the_number_of_a_frame_is_no_reference(void)
{
	CHECK_EQUAL(set(L2, 5, link_to(L1_TWO) & ~PTE_P, 0), ST_OK);
	CHECK_EQUAL(refs(L1_TWO), 0);
	CHECK_EQUAL(set(L2, 5, link_to(L1_TWO), link_to(L1_TWO) & ~PTE_P), ST_OK);
	CHECK(refs(L1_TWO) == 1 && live(L2) == 2);
	CHECK_EQUAL(set(L1, 5, page(0) & ~PTE_P, 0), ST_OK);
	CHECK_EQUAL(set(L1, 5, page(0), page(0) & ~PTE_P), ST_OK);
	CHECK(refs(DATA_FIRST) == 1 && live(L1) == 1);
	CHECK_EQUAL(set(L1, 5, page(0) & ~PTE_P, page(0)), ST_OK);
	CHECK(refs(DATA_FIRST) == 0 && live(L1) == 1);
}

static void test_a_lent_number_in_a_block_is_no_lending(void)
{
	uint16_t pool = child_pool(POOL_ROOT);

	CHECK_EQUAL(give(pool, CHILD_L1, 1), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_RETYPE, 0, CHILD_L1, 0, 1), FRAME_L1, 0), ST_OK);
	CHECK_EQUAL(retype(BLOCK_HEAD, BLOCK_FRAMES, FRAME_DATA), ST_OK);
	for (uint32_t i = 1; i <= pool; i++) /* the block's count is the pool's number */
		CHECK_EQUAL(set(L2, i, large(), 0), ST_OK);
	CHECK_EQUAL(live(BLOCK_HEAD), pool);
	CHECK_EQUAL(
		sim_op(pool, op_head(OP_SET, 0, CHILD_L1, 0, 0), pte_make(BLOCK_HEAD, PAGE_RW), 0),
		ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(pool, op_head(OP_COPY_FRAME, 0, BLOCK_HEAD, 0, 0), BLOCK_HEAD + 1, 0),
		ST_BAD_FRAME);
}

/* ---- device pages ---- */

static void devices_start(void)
{
	frame_device_limit = NO_MEMORY;
	frame_device_kernel = FRAMES + 3;
}

static void devices_end(void)
{
	frame_device_limit = 0;
	frame_device_kernel = 0;
}

static void test_device_pages_are_mapped_and_not_counted(void)
{
	uint64_t first = pte_make(FRAMES, DEVICE), last = pte_make(NO_MEMORY - 1, DEVICE | PTE_PWT);
	uint64_t flushes = sim_flushes.everything;

	devices_start();
	CHECK_EQUAL(set(L1, 0, first, 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, last, 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, first & ~PTE_W, 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, page(0), first & ~PTE_W), ST_OK);
	CHECK_EQUAL(set(L1, 2, first | PTE_D, page(0)), ST_OK);
	CHECK_EQUAL(sim_last.count, 1);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 3, target(L1_TWO, 0), 0), ST_OK);
	CHECK_EQUAL(entries(L1_TWO)[0], first & ~PTE_W);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1_TWO, 0, 3, 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 0);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 3, 0, 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, MORE_FIRST, 0, 3, 0, 0), ST_OK);
	for (pfn_t pfn = FRAMES; pfn < NO_MEMORY; pfn++)
		CHECK(refs(pfn) == 0 && frame_table[pfn].flags == 0 && frame_table[pfn].epoch == 0);
	CHECK_EQUAL(sim_flushes.everything, flushes);
	devices_end();
}

static void test_device_pages_are_checked(void)
{
	uint64_t entry = pte_make(FRAMES, DEVICE);

	devices_start();
	CHECK_EQUAL(set(L1, 0, pte_make(NO_MEMORY, DEVICE), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, pte_make(FRAMES + 3, DEVICE), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		set(L1, 0, pte_make(DATA_FIRST, DEVICE), 0), ST_BAD_ARGUMENT); /* RAM, uncached */
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_PWT, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, entry & ~PTE_NX, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, (entry & ~PTE_PCD) | PTE_PWT, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, entry & ~PTE_PCD, 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 0, entry | PTE_PS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, entry | PTE_G, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, entry | 1ull << 52, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 1, entry, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 1, entry | PTE_PS, 0), ST_BAD_ARGUMENT);
	CHECK(entry_is_device(entry) && !entry_is_device(page(0) | PTE_PCD));
	CHECK_EQUAL(live(L1), 0);
	/* Nor does protect make a device page executable. */
	CHECK_EQUAL(set(L1, 0, entry, 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, PTE_NX, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, PTE_W, 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, 0, PTE_W), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, entry), ST_OK);
	devices_end();
}

static void test_device_pages_belong_to_a_range_of_a_pool(void)
{
	uint16_t pool = child_pool(POOL_ROOT);
	uint64_t head = op_head(OP_SET, 0, CHILD_L1, 0, 0);

	devices_start();
	CHECK_EQUAL(give(pool, CHILD_L1, 1), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_RETYPE, 0, CHILD_L1, 0, 1), FRAME_L1, 0), ST_OK);
	CHECK_EQUAL(sim_op(pool, head, pte_make(FRAMES + 4, DEVICE), 0), ST_NO_RIGHT);
	pool_table[pool].device_first = FRAMES + 4;
	pool_table[pool].device_count = 2;
	CHECK_EQUAL(sim_op(pool, head, pte_make(FRAMES + 3, DEVICE), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(pool, head, pte_make(FRAMES + 2, DEVICE), 0), ST_NO_RIGHT);
	CHECK_EQUAL(sim_op(pool, head, pte_make(FRAMES + 6, DEVICE), 0), ST_NO_RIGHT);
	CHECK_EQUAL(sim_op(pool, head, pte_make(FRAMES + 4, DEVICE), 0), ST_OK);
	CHECK_EQUAL(sim_op(pool, head, pte_make(FRAMES + 5, DEVICE), pte_make(FRAMES + 4, DEVICE)),
		ST_OK);
	CHECK(pool_has_device(pool, FRAMES + 4, 2) && !pool_has_device(pool, FRAMES + 4, 3));
	CHECK(!pool_has_device(pool, FRAMES + 5, 2) && pool_has_device(pool, FRAMES + 5, 1));
	CHECK(!pool_has_device(pool, FRAMES + 3, 2) &&
		!pool_has_device(pool, FRAMES + 3, UINT64_MAX));
	CHECK(!pool_has_device(pool, FRAMES + 3, 1) && pool_has_device(POOL_ROOT, 0, UINT64_MAX));
	CHECK_EQUAL(sim_op(pool, head, 0, pte_make(FRAMES + 5, DEVICE)), ST_OK);
	devices_end();
}

static const struct check_test tests[] = {
	CHECK_TEST(no_operation_reaches_the_frame_behind_the_last),
	CHECK_TEST(no_operation_reaches_the_table_behind_the_last),
	CHECK_TEST(a_block_ends_with_the_last_frame),
	CHECK_TEST(a_machine_smaller_than_a_block_has_none),
	CHECK_TEST(frames_that_are_no_ram_are_refused),
	CHECK_TEST(pool_numbers_end_at_their_count),
	CHECK_TEST(nobodys_pool_counts_no_users),
	CHECK_TEST(limits_of_a_pool_are_at_most_its_makers),
	CHECK_TEST(types_are_cleared_where_the_kernel_reads_them),
	CHECK_TEST(a_frame_is_unused_when_nothing_counts),
	CHECK_TEST(unused_words_are_reserved),
	CHECK_TEST(words_of_a_target_have_no_other_bits),
	CHECK_TEST(flags_of_an_operation_are_its_hints_only),
	CHECK_TEST(rights_that_can_be_changed_are_three),
	CHECK_TEST(only_rights_that_grow_are_checked_again),
	CHECK_TEST(of_a_link_only_write_may_go_unchecked),
	CHECK_TEST(bits_of_an_entry_are_those_of_its_level),
	CHECK_TEST(frame_numbers_of_entries_have_their_bits_only),
	CHECK_TEST(expected_entries_differ_in_every_bit_but_two),
	CHECK_TEST(runs_end_with_the_table),
	CHECK_TEST(entries_at_both_ends_of_a_run_are_its_own),
	CHECK_TEST(runs_in_one_table_may_touch_but_not_overlap),
	CHECK_TEST(top_slots_end_with_their_roles),
	CHECK_TEST(each_operation_takes_the_work_and_room_that_it_needs),
	CHECK_TEST(split_takes_the_work_of_a_table),
	CHECK_TEST(the_work_of_a_batch_is_that_of_all_its_operations),
	CHECK_TEST(a_batch_begins_afresh),
	CHECK_TEST(the_list_of_results_is_filled_to_its_end),
	CHECK_TEST(counters_reach_their_limit_and_stop),
	CHECK_TEST(a_split_that_is_refused_takes_back_all_counts),
	CHECK_TEST(a_block_is_its_owners),
	CHECK_TEST(a_block_is_formed_and_dissolved_once),
	CHECK_TEST(a_block_is_flushed_for_when_a_frame_of_it_may_be_cached),
	CHECK_TEST(frames_of_a_block_keep_their_own_dirty_mark),
	CHECK_TEST(only_links_and_large_entries_are_split),
	CHECK_TEST(the_message_slot_is_one_of_the_top_level_only),
	CHECK_TEST(a_walk_ends_at_an_entry_beyond_all_frames),
	CHECK_TEST(a_walk_takes_a_word_of_the_pagers_for_nothing),
	CHECK_TEST(a_walk_ends_at_large_leaves),
	CHECK_TEST(a_split_of_a_full_table_counts_each_entry),
	CHECK_TEST(a_fast_store_flushes_and_counts_as_the_slow_one),
	CHECK_TEST(a_word_with_the_number_of_a_frame_is_no_reference),
	CHECK_TEST(a_lent_number_in_a_block_is_no_lending),
	CHECK_TEST(device_pages_are_mapped_and_not_counted),
	CHECK_TEST(device_pages_are_checked),
	CHECK_TEST(device_pages_belong_to_a_range_of_a_pool),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), fixture_start, fixture_check, argc, argv);
}
