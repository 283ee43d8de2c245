/*
 * Tests of entries: what may stand in a table, by set, fill, clear, protect, read and harvest.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define DATA_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)
#define LINK_BITS (PTE_P | PTE_W | PTE_U)
#define HARDWARE  (PTE_A | PTE_D)

/* The one result of the last operation names this frame. */
static bool reported(uint32_t kind, pfn_t pfn)
{
	CHECK_EQUAL(outcome.results, 1);
	CHECK_EQUAL(RESULT_KIND(results[0]), kind);
	CHECK_EQUAL(RESULT_PFN(results[0]), pfn);
	return true;
}

/* ---- PT-1: a walk shows what was done ---- */

static bool mapping_a_page_shows_in_every_level(void)
{
	struct sub sub;
	const uint64_t address = 0x0000765432109000;
	pfn_t pfn = frame_take_as(FRAME_DATA), table;

	CHECK(sub_make(&sub, NULL));
	CHECK(map_page(sub.top, address, pfn, DATA_BITS));
	table = sub.top;
	for (uint32_t level = LAYOUT_LEVELS; level > 1; level--) {
		uint64_t entry = table_entry(table, table_index(address, level));

		CHECK_EQUAL(entry & ~PTE_FRAME & ~HARDWARE, LINK_BITS);
		table = pte_pfn(entry);
		CHECK_EQUAL(FRAMES[table].type, FRAME_L1 + level - 2);
		CHECK_EQUAL(FRAMES[table].refs, 1);
		CHECK_EQUAL(FRAMES[table].live, 1);
	}
	CHECK_EQUAL(table_entry(table, table_index(address, 1)), pte_make(pfn, DATA_BITS));
	CHECK_EQUAL(FRAMES[pfn].refs, 1);
	return true;
}

static bool unmapping_frees_the_tables_from_below(void)
{
	struct sub sub;
	const uint64_t address = 0x0000765432109000;
	pfn_t pfn = frame_take_as(FRAME_DATA), tables[LAYOUT_LEVELS + 1];

	CHECK(sub_make(&sub, NULL));
	CHECK(map_page(sub.top, address, pfn, DATA_BITS));
	for (uint32_t level = 1; level <= LAYOUT_LEVELS; level++) {
		tables[level] = walk_table(sub.top, address, level);
	}
	CHECK_OK(op_many(OP_CLEAR, tables[1], table_index(address, 1), 1, 0, 0));
	CHECK(reported(RESULT_FRAME, pfn));
	for (uint32_t level = 2; level <= LAYOUT_LEVELS; level++) {
		CHECK_EQUAL(FRAMES[tables[level - 1]].live, 0);
		CHECK_OK(op_many(OP_CLEAR, tables[level], table_index(address, level), 1, 0, 0));
		CHECK(reported(RESULT_TABLE, tables[level - 1]));
		CHECK_OK(op_on(OP_RETYPE, tables[level - 1], FRAME_FREE, 0));
	}
	CHECK_EQUAL(walk_table(sub.top, address, LAYOUT_LEVELS - 1), 0);
	return true;
}

static bool protecting_a_page_changes_its_entry_only(void)
{
	struct sub sub;
	uint64_t before[LAYOUT_LEVELS + 1];

	CHECK(sub_make(&sub, NULL));
	for (uint32_t level = 1; level <= LAYOUT_LEVELS; level++) {
		before[level] = table_entry(
			walk_table(sub.top, SUB_PRIVATE, level), table_index(SUB_PRIVATE, level));
	}
	CHECK_OK(op_many(OP_PROTECT, sub.image_table, sub_index(SUB_PRIVATE), 1, PTE_W, 0));
	CHECK_EQUAL(sub_entry(&sub, SUB_PRIVATE), before[1] & ~PTE_W);
	for (uint32_t level = 2; level <= LAYOUT_LEVELS; level++) {
		CHECK_EQUAL(table_entry(walk_table(sub.top, SUB_PRIVATE, level),
				    table_index(SUB_PRIVATE, level)),
			before[level]);
	}
	CHECK_EQUAL(FRAMES[sub.private].refs, 1);
	return true;
}

/* PT-2, as far as a pager can see it: nothing in common but what it linked itself. */
static bool two_new_spaces_have_nothing_in_common(void)
{
	pfn_t space[2] = { frame_take(), frame_take() }, top[2] = { frame_take(), frame_take() };

	for (uint32_t i = 0; i < 2; i++) {
		CHECK_OK(op_on(OP_SPACE_CREATE, space[i], top[i], 0));
		CHECK_EQUAL(FRAMES[top[i]].live, 0);
		for (uint32_t slot = 0; slot <= LAYOUT_MESSAGE_SLOT; slot++) {
			bool open = slot <= LAYOUT_USER_LAST_SLOT || slot == LAYOUT_MESSAGE_SLOT ||
				    (slot >= LAYOUT_VMALLOC_FIRST_SLOT &&
					    slot <= LAYOUT_VMALLOC_LAST_SLOT);

			CHECK_EQUAL(op_many(OP_READ, top[i], slot, 1, 0, 0),
				open ? ST_OK : ST_NO_RIGHT);
			CHECK_EQUAL(open ? results[0] : 0, 0);
		}
	}
	return true;
}

/* PT-4: the slots of the kernel, each with its neighbours. */
static bool kernel_slots_cannot_be_touched(void)
{
	static const uint32_t closed[] = {
		256,
		272,
		LAYOUT_DIRECT_FIRST_SLOT,
		LAYOUT_DIRECT_LAST_SLOT,
		401,
		LAYOUT_FRAME_TABLE_SLOT,
		LAYOUT_VMEMMAP_SLOT,
		469,
		510,
		LAYOUT_KERNEL_SLOT,
	};
	pfn_t table = frame_take_as(FRAME_L3);
	struct sub sub;
	uint64_t link = pte_make(table, LINK_BITS);

	CHECK(sub_make(&sub, NULL));
	for (uint32_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		uint32_t slot = closed[i];
		uint64_t target = (uint64_t)sub.top << OP_PFN_SHIFT | (uint64_t)slot
									      << OP_INDEX_SHIFT;
		uint32_t list[1] = { table };

		CHECK_EQUAL(op_at(OP_SET, sub.top, slot, link, 0), ST_NO_RIGHT);
		CHECK_EQUAL(op_fill(sub.top, slot, 1, LINK_BITS, 0, list), ST_NO_RIGHT);
		CHECK_EQUAL(op_many(OP_COPY, sub.top, 0, 1, target, 0), ST_NO_RIGHT);
		CHECK_EQUAL(
			op_many(OP_COPY, sub.top, slot, 1, (uint64_t)sub.top << OP_PFN_SHIFT, 0),
			ST_NO_RIGHT);
		CHECK_EQUAL(op_many(OP_MOVE, sub.top, 0, 1, target, 0), ST_NO_RIGHT);
		CHECK_EQUAL(op_at(OP_SPLIT, sub.top, slot, frame_take(), 0), ST_NO_RIGHT);
		CHECK_EQUAL(op_many(OP_CLEAR, sub.top, slot, 1, 0, 0), ST_NO_RIGHT);
		CHECK_EQUAL(op_many(OP_PROTECT, sub.top, slot, 1, PTE_W, 0), ST_NO_RIGHT);
		CHECK_EQUAL(op_many(OP_READ, sub.top, slot, 1, 0, 0), ST_NO_RIGHT);
		CHECK_EQUAL(op_many(OP_HARVEST, sub.top, slot, 1, 0, 0), ST_NO_RIGHT);
	}
	CHECK_EQUAL(op_many(OP_CLEAR, sub.top, 0, 512, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_many(OP_CLEAR, sub.top, 255, 2, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_many(OP_CLEAR, sub.top, 465, 2, 0, 0), ST_NO_RIGHT);
	return true;
}

static bool open_slots_take_tables(void)
{
	static const uint32_t open[] = { 0, 1, 255, LAYOUT_VMALLOC_FIRST_SLOT,
		LAYOUT_VMALLOC_LAST_SLOT, LAYOUT_MESSAGE_SLOT };
	pfn_t space = frame_take(), top = frame_take(), table = frame_take_as(FRAME_L3);

	CHECK_OK(op_on(OP_SPACE_CREATE, space, top, 0));
	for (uint32_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		CHECK_OK(op_at(OP_SET, top, open[i], pte_make(table, LINK_BITS), 0));
		CHECK_EQUAL(FRAMES[table].refs, i + 1);
		CHECK_EQUAL(FRAMES[top].live, i + 1);
	}
	return true;
}

/* ---- set ---- */

static bool set_replaces_only_what_is_expected(void)
{
	pfn_t table = frame_take_as(FRAME_L1), one = frame_take_as(FRAME_DATA),
	      two = frame_take_as(FRAME_DATA);

	CHECK_EQUAL(op_at(OP_SET, table, 5, pte_make(one, DATA_BITS), 2), ST_MISMATCH);
	CHECK_OK(op_at(OP_SET, table, 5, pte_make(one, DATA_BITS), 0));
	CHECK_EQUAL(op_at(OP_SET, table, 5, pte_make(two, DATA_BITS), 0), ST_MISMATCH);
	CHECK_EQUAL(op_at(OP_SET, table, 5, pte_make(two, DATA_BITS),
			    pte_make(one, PTE_P | PTE_U | PTE_NX)),
		ST_MISMATCH);
	CHECK_EQUAL(op_at(OP_SET, table, 5, pte_make(two, DATA_BITS), pte_make(two, DATA_BITS)),
		ST_MISMATCH);
	CHECK_OK(op_at(OP_SET, table, 5, pte_make(two, DATA_BITS), pte_make(one, DATA_BITS)));
	CHECK(reported(RESULT_FRAME, one));
	CHECK_EQUAL(FRAMES[one].refs, 0);
	CHECK_EQUAL(FRAMES[two].refs, 1);
	CHECK_EQUAL(FRAMES[table].live, 1);
	return true;
}

static bool set_ignores_accessed_and_dirty_of_a_present_entry(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS | PTE_A | PTE_D), 0));
	CHECK_OK(op_at(
		OP_SET, table, 0, pte_make(pfn, PTE_P | PTE_U | PTE_NX), pte_make(pfn, DATA_BITS)));
	CHECK_EQUAL(outcome.results, 0);
	CHECK_EQUAL(FRAMES[pfn].refs, 1);
	CHECK(FRAMES[pfn].flags & FRAME_DIRTY);
	CHECK_OK(op_at(OP_SET, table, 1, PTE_A, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 1, 0, 0),
		ST_MISMATCH); /* A of a not-present word does count */
	return true;
}

static bool a_not_present_word_keeps_all_its_bits(void)
{
	pfn_t table = frame_take_as(FRAME_L1);

	for (uint32_t bit = 1; bit < 64; bit++) {
		CHECK_OK(op_at(OP_SET, table, bit, 1ull << bit, 0));
		CHECK_EQUAL(table_entry(table, bit), 1ull << bit);
		CHECK_EQUAL(FRAMES[table].live, bit);
	}
	CHECK_OK(op_at(OP_SET, table, 1, 0, 2));
	CHECK_EQUAL(FRAMES[table].live, 62);
	return true;
}

static bool only_whitelisted_bits_stand_in_a_leaf(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t entry = pte_make(pfn, PTE_P) | 1ull << bit;
		bool allowed = (1ull << bit) & (PTE_ALLOWED & ~PTE_PS);

		if ((1ull << bit) & PTE_FRAME) {
			continue;
		}
		CHECK_EQUAL(op_at(OP_SET, table, 0, entry, 0), allowed ? ST_OK : ST_BAD_ARGUMENT);
		CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	}
	return true;
}

static bool only_whitelisted_bits_stand_in_a_link(void)
{
	pfn_t upper = frame_take_as(FRAME_L3), table = frame_take_as(FRAME_L2);
	const uint64_t allowed = PTE_P | PTE_W | PTE_U | PTE_A | PTE_SOFT;

	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t entry = pte_make(table, PTE_P | PTE_U) | 1ull << bit;

		if ((1ull << bit) & PTE_FRAME) {
			continue;
		}
		CHECK_EQUAL(op_at(OP_SET, upper, 0, entry, 0),
			(1ull << bit) & allowed ? ST_OK : ST_BAD_ARGUMENT);
		CHECK_OK(op_many(OP_CLEAR, upper, 0, 1, 0, 0));
	}
	CHECK_EQUAL(op_at(OP_SET, upper, 0, pte_make(table, PTE_P | PTE_W), 0), ST_BAD_ARGUMENT);
	return true;
}

static bool frame_numbers_beyond_memory_are_refused(void)
{
	pfn_t table = frame_take_as(FRAME_L1), upper = frame_take_as(FRAME_L2);

	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make(boot->frames, DATA_BITS), 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make((1u << FRAME_NUMBER_BITS) - 1, DATA_BITS), 0),
		ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make(1u << FRAME_NUMBER_BITS, DATA_BITS), 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_SET, table, 0, 1ull << 51 | DATA_BITS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_SET, upper, 0, pte_make(boot->frames, LINK_BITS), 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_SET, table, 0, DATA_BITS, 0), ST_BAD_FRAME);
	return true;
}

static bool only_pages_stand_in_a_leaf_table(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn;

	for (uint32_t level = 1; level < LAYOUT_LEVELS; level++) {
		pfn = frame_take_as((frame_type_t)(FRAME_L1 + level - 1));
		CHECK_EQUAL(
			op_at(OP_SET, table, 0, pte_make(pfn, PTE_P | PTE_U), 0), ST_WRONG_TYPE);
	}
	CHECK_EQUAL(
		op_at(OP_SET, table, 0, pte_make(boot->thread, PTE_P | PTE_U), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(
		op_at(OP_SET, table, 0, pte_make(boot->space, PTE_P | PTE_U), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make(boot->top, PTE_P | PTE_U), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(
		op_at(OP_SET, table, 0, pte_make(frame_take(), PTE_P | PTE_U), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make(boot->init_space, PTE_P | PTE_U), 0),
		ST_BAD_FRAME);
	return true;
}

static bool the_zero_frame_is_mapped_read_only_and_not_counted(void)
{
	pfn_t table = frame_take_as(FRAME_L1);

	CHECK_EQUAL(
		op_at(OP_SET, table, 0, pte_make(boot->zero_frame, DATA_BITS), 0), ST_WRONG_TYPE);
	CHECK_OK(op_at(OP_SET, table, 0, pte_make(boot->zero_frame, PTE_P | PTE_U | PTE_NX), 0));
	CHECK_EQUAL(FRAMES[boot->zero_frame].refs, 0);
	CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, 0, PTE_W), ST_WRONG_TYPE);
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	CHECK_EQUAL(outcome.results, 0);
	return true;
}

static bool a_trace_frame_is_mapped_read_only(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_TRACE);

	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0), ST_WRONG_TYPE);
	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, PTE_P | PTE_U | PTE_NX), 0));
	CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, 0, PTE_W), ST_WRONG_TYPE);
	return true;
}

static bool a_message_page_is_mapped_once(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_MSG),
	      upper = frame_take_as(FRAME_L2);

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	CHECK_EQUAL(op_at(OP_SET, table, 1, pte_make(pfn, DATA_BITS), 0), ST_LIMIT);
	CHECK_EQUAL(op_many(OP_COPY, table, 0, 1,
			    (uint64_t)table << OP_PFN_SHIFT | 1 << OP_INDEX_SHIFT, 0),
		ST_LIMIT);
	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(table, LINK_BITS), 0));
	CHECK_OK(op_at(OP_SET, upper, 1, pte_make(table, LINK_BITS), 0));
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, frame_take(), pte_make(table, LINK_BITS)), ST_LIMIT);
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	CHECK_OK(op_at(OP_SET, table, 1, pte_make(pfn, DATA_BITS), 0));
	return true;
}

static bool links_go_down_exactly_one_level(void)
{
	for (uint32_t level = 2; level < LAYOUT_LEVELS; level++) {
		pfn_t table = frame_take_as((frame_type_t)(FRAME_L1 + level - 1));

		for (uint32_t other = 1; other < LAYOUT_LEVELS; other++) {
			pfn_t target = frame_take_as((frame_type_t)(FRAME_L1 + other - 1));

			CHECK_EQUAL(op_at(OP_SET, table, other, pte_make(target, LINK_BITS), 0),
				other == level - 1 ? ST_OK : ST_WRONG_TYPE);
		}
		CHECK_EQUAL(
			op_at(OP_SET, table, 10, pte_make(boot->top, LINK_BITS), 0), ST_WRONG_TYPE);
		CHECK_EQUAL(
			op_at(OP_SET, table, 11, pte_make(frame_take_as(FRAME_DATA), LINK_BITS), 0),
			ST_WRONG_TYPE);
	}
	return true;
}

static bool a_table_cannot_link_itself(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_EQUAL(op_at(OP_SET, sub.top, 100, pte_make(sub.top, LINK_BITS), 0), ST_WRONG_TYPE);
	for (uint32_t level = 1; level < LAYOUT_LEVELS; level++) {
		pfn_t table = frame_take_as((frame_type_t)(FRAME_L1 + level - 1));

		CHECK_EQUAL(
			op_at(OP_SET, table, 0, pte_make(table, PTE_P | PTE_U), 0), ST_WRONG_TYPE);
		CHECK_EQUAL(FRAMES[table].refs, 0);
	}
	return true;
}

static bool tables_of_other_pools_are_out_of_reach(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA), foreign = boot->init_space;
	uint32_t list[1] = { pfn };

	CHECK_EQUAL(op_at(OP_SET, foreign, 0, pte_make(pfn, DATA_BITS), 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_fill(foreign, 0, 1, DATA_BITS, 0, list), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_CLEAR, foreign, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_PROTECT, foreign, 0, 1, PTE_W, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_READ, foreign, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_HARVEST, foreign, 0, 1, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_SPLIT, foreign, 0, pfn, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_COPY, foreign, 0, 1, (uint64_t)boot->top << OP_PFN_SHIFT, 0),
		ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_MOVE, foreign, 0, 1, (uint64_t)boot->top << OP_PFN_SHIFT, 0),
		ST_BAD_FRAME);
	return true;
}

static bool what_is_no_table_has_no_entries(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);
	uint32_t list[1] = { pfn };

	CHECK_EQUAL(op_at(OP_SET, pfn, 0, 2, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_fill(pfn, 0, 1, DATA_BITS, 0, list), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_CLEAR, pfn, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_PROTECT, pfn, 0, 1, PTE_W, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_READ, boot->thread, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_HARVEST, boot->message, 0, 1, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SPLIT, pfn, 0, frame_take(), 0), ST_WRONG_TYPE);
	return true;
}

/* ---- 2 MiB entries ---- */

static bool a_block_is_mapped_by_one_entry(void)
{
	pfn_t table = frame_take_as(FRAME_L2), small = frame_take_as(FRAME_L1);
	pfn_t block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS);

	CHECK(block != 0);
	CHECK_EQUAL(op_at(OP_SET, table, 0, large, 0), ST_WRONG_TYPE);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, pte_make(block + 1, DATA_BITS | PTE_PS), 0),
		ST_BAD_ARGUMENT);
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_OK(op_at(OP_SET, table, 1, large, 0));
	CHECK_EQUAL(FRAMES[block].live, 2);
	CHECK(FRAMES[block + 511].flags & FRAME_BLOCK);
	CHECK_OK(op_at(OP_SET, small, 3, pte_make(block + 3, DATA_BITS), 0));
	CHECK_EQUAL(FRAMES[block + 3].refs, 1);
	CHECK_EQUAL(op_on(OP_RETYPE, block + 4, FRAME_FREE, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_LEND, block + 4, boot->root_pool, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, table, 0, 2, 0, 0));
	CHECK_EQUAL(outcome.results, 1);
	CHECK_EQUAL(results[0], (uint64_t)RESULT_FRAME << 60 | RESULT_BLOCK | block);
	CHECK(!(FRAMES[block + 511].flags & FRAME_BLOCK) && FRAMES[block].live == 0);
	CHECK_EQUAL(FRAMES[block + 3].refs, 1);
	return true;
}

static bool a_block_needs_512_data_frames_of_one_pool(void)
{
	pfn_t table = frame_take_as(FRAME_L2), block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS);
	uint16_t pool;

	CHECK(block != 0);
	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_OK(op_on(OP_RETYPE, block + 511, FRAME_FREE, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, large, 0), ST_WRONG_TYPE);
	CHECK_OK(op_on(OP_RETYPE, block + 511, FRAME_DATA, 0));
	CHECK_OK(op_on(OP_LEND, block + 300, pool, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, large, 0), ST_BUSY);
	CHECK_OK(op_on(OP_LEND, block + 300, 0, 0));
	CHECK_OK(op_on(OP_TRANSFER, block + 200, pool, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, large, 0), ST_BAD_FRAME);
	CHECK_OK(op_on(OP_TRANSFER, block + 200, boot->pool, 0));
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	return true;
}

static bool the_page_size_changes_only_through_not_present(void)
{
	pfn_t table = frame_take_as(FRAME_L2), lower = frame_take_as(FRAME_L1);
	pfn_t block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS), link = pte_make(lower, LINK_BITS);

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, link, large), ST_BUSY);
	CHECK_OK(op_at(OP_SET, table, 0, 0, large));
	CHECK_OK(op_at(OP_SET, table, 0, link, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, large, link), ST_BUSY);
	return true;
}

static bool large_entries_stand_at_level_2_only(void)
{
	pfn_t block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_EQUAL(
		op_at(OP_SET, frame_take_as(FRAME_L1), 0, pte_make(block, DATA_BITS | PTE_PS), 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		op_at(OP_SET, frame_take_as(FRAME_L3), 0, pte_make(block, DATA_BITS | PTE_PS), 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_SET, frame_take_as(FRAME_L2), 0,
			    pte_make(block, DATA_BITS | PTE_PS | PTE_G), 0),
		ST_BAD_ARGUMENT);
	return true;
}

static bool large_entries_are_counted_and_paid_for(void)
{
	pfn_t table = frame_take_as(FRAME_L2), block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS);

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 2, 0, 0));
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_OK(op_at(OP_SET, table, 1, large, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 2, large, 0), ST_LIMIT);
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 0, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, table, 0, 2, 0, 0));
	batch_begin();
	for (uint32_t i = 0; i < 10; i++) { /* each turn forms and dissolves the block: 2 x 512 */
		batch_add(op_head(OP_SET, 0, table, 0, 1), large, 0);
		batch_add(op_head(OP_CLEAR, 0, table, 0, 1), 0, 0);
	}
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK(outcome.done >= 6 && outcome.done <= 8);
	return true;
}

static bool a_kept_block_stays_without_entries(void)
{
	pfn_t table = frame_take_as(FRAME_L2), block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS);
	uint16_t pool;

	CHECK(block != 0);
	CHECK_OK(pool_make(&pool));
	CHECK_EQUAL(op_at(OP_BLOCK, block, 0, 1, 0), ST_WRONG_TYPE);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_EQUAL(op_at(OP_BLOCK, block + 8, 0, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_BLOCK, block, 0, 2, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_BLOCK, 1u << 27, 0, 1, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_BLOCK, block, 0, 0, 0), ST_MISMATCH);
	CHECK_OK(op_on(OP_LEND, block + 300, pool, 0));
	CHECK_EQUAL(op_at(OP_BLOCK, block, 0, 1, 0), ST_BUSY);
	CHECK_OK(op_on(OP_LEND, block + 300, 0, 0));
	CHECK_OK(op_at(OP_BLOCK, block, 0, 1, 0));
	CHECK_EQUAL(op_at(OP_BLOCK, block, 0, 1, 0), ST_MISMATCH);
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	CHECK_EQUAL(results[0], (uint64_t)RESULT_FRAME << 60 | RESULT_BLOCK | block);
	CHECK_EQUAL(op_on(OP_RETYPE, block + 4, FRAME_FREE, 0), ST_BUSY);
	CHECK_OK(op_at(OP_BLOCK, block, 0, 0, 0));
	batch_begin();
	for (uint32_t i = 0; i < 20; i++)
		batch_add(op_head(OP_BLOCK, 0, block, 0, 0), i % 2 == 0, 0);
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK(outcome.done == 8);
	CHECK_OK(op_on(OP_RETYPE, block + 4, FRAME_FREE, 0));
	return true;
}

static bool a_large_entry_is_split_into_its_pages(void)
{
	pfn_t table = frame_take_as(FRAME_L2), block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	pfn_t first = frame_take_as(FRAME_DATA), second = frame_take_as(FRAME_DATA);
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS);
	const uint64_t *entries = results;

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_BLOCK, block, 0, 1, 0));
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_OK(op_at(OP_SET, table, 1, large, 0));
	CHECK_EQUAL(op_at(OP_SPLIT, table, 0, first, large ^ PTE_W), ST_MISMATCH);
	CHECK_EQUAL(op_at(OP_SPLIT, table, 0, block + 9, large), ST_BUSY);
	CHECK_OK(op_at(OP_SPLIT, table, 0, first, large));
	CHECK(FRAMES[first].type == FRAME_L1 && FRAMES[first].live == TABLE_ENTRIES);
	CHECK(FRAMES[block].live == 1 && FRAMES[block + 5].refs == 1);
	CHECK_OK(op_many(OP_READ, first, 5, 1, 0, 0));
	CHECK_EQUAL(entries[0], pte_make(block + 5, DATA_BITS));
	CHECK_OK(op_at(OP_SPLIT, table, 1, second, large));
	CHECK(!(FRAMES[block].flags & (FRAME_BLOCK | FRAME_KEPT)) && FRAMES[block + 5].refs == 2);
	CHECK_OK(op_many(OP_CLEAR, first, 0, TABLE_ENTRIES, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, second, 0, 256, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, second, 256, 256, 0, 0));
	CHECK_EQUAL(FRAMES[block + 5].refs, 0);
	return true;
}

static bool a_program_reads_and_writes_through_a_large_entry(void)
{
	pfn_t block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES), table;
	const uint64_t address = 0x0000004000200000;
	struct sub sub;

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	frame_fill(block + 77, 0x7777);
	CHECK(sub_make(&sub, NULL));
	CHECK(map_page(sub.top, address - 0x200000, sub.private, DATA_BITS));
	table = walk_table(sub.top, address, 2);
	CHECK_OK(op_at(
		OP_SET, table, table_index(address, 2), pte_make(block, DATA_BITS | PTE_PS), 0));
	CHECK(sub_start(&sub, program_read, address + 77 * PAGE_SIZE, 0));
	CHECK_EQUAL(shared_page.word[0], 0x7777);
	CHECK(sub_start(&sub, program_write, address + 78 * PAGE_SIZE, 0x8888));
	CHECK_EQUAL(*window_open(0, block + 78), 0x8888);
	window_close(0);
	CHECK_OK(op_many(OP_CLEAR, table, table_index(address, 2), 1, 0, 0));
	CHECK(results[0] & RESULT_DIRTY);
	CHECK(FRAMES[block + 300].flags & FRAME_DIRTY);
	return true;
}

/* ---- fill ---- */

static bool fill_sets_a_run_where_it_is_as_expected(void)
{
	pfn_t table = frame_take_as(FRAME_L1);
	uint32_t list[13];

	for (uint32_t i = 0; i < 13; i++) {
		list[i] = i == 4 ? 0 : frame_take_as(FRAME_DATA);
	}
	CHECK_OK(op_at(OP_SET, table, 107, 0x1230, 0));
	CHECK_OK(op_fill(table, 100, 13, PTE_P | PTE_U, 0, list));
	CHECK_EQUAL(outcome.done, 4);
	for (uint32_t i = 0; i < 13; i++) {
		uint64_t wanted = i == 7 ? 0x1230 : i == 4 ? 0 : pte_make(list[i], PTE_P | PTE_U);

		CHECK_EQUAL(table_entry(table, 100 + i), wanted);
	}
	CHECK_EQUAL(FRAMES[table].live, 12);
	return true;
}

/* Frames in a row, cleared or not; the words behind are no list. */
static bool fill_maps_a_run(void)
{
	pfn_t table = frame_take_as(FRAME_L1), row = frame_take_row(4, 1);

	CHECK_OK(op_many(OP_RETYPE, row, 0, 4, FRAME_DATA, 0));
	for (uint32_t i = 0; i < 4; i++) {
		frame_fill(row + i, 0xa5a5a5a5a5a5a5a5);
	}
	CHECK_OK(op_many(OP_SET, table, 101, 1, 0x1230, 0));
	CHECK_OK(op_flagged(OP_FILL, FILL_CLEAR, table, 100, 3, pte_make(row, DATA_BITS), 0));
	CHECK_EQUAL(table_entry(table, 100), pte_make(row, DATA_BITS));
	CHECK_EQUAL(table_entry(table, 101), 0x1230);
	CHECK_EQUAL(table_entry(table, 102), pte_make(row + 2, DATA_BITS));
	CHECK(frame_holds(row, 0) && frame_holds(row + 2, 0));
	CHECK(!frame_holds(row + 1, 0) && FRAMES[row + 1].refs == 0);
	CHECK_EQUAL(op_flagged(OP_FILL, FILL_CLEAR, table, 0, 1, pte_make(row, DATA_BITS), 0), ST_BUSY);
	CHECK_OK(op_many(OP_FILL, table, 103, 1, pte_make(row + 3, DATA_BITS), 0));
	CHECK(!frame_holds(row + 3, 0));
	return true;
}

static bool fill_refuses(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	uint32_t list[2] = { pfn, boot->init_space };

	CHECK_EQUAL(op_fill(table, 0, 1, PTE_U, 0, list), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		op_many(OP_FILL, table, 0, 1, DATA_BITS, 0), ST_BAD_ARGUMENT); /* no list behind */
	CHECK_EQUAL(op_many(OP_FILL, table, 0, 0, DATA_BITS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_FILL, table, 511, 2, DATA_BITS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_fill(table, 0, 2, DATA_BITS, 0, list), ST_BAD_FRAME);
	CHECK_EQUAL(outcome.entries, 1);
	list[1] = boot->thread;
	CHECK_EQUAL(op_fill(table, 1, 2, DATA_BITS, 0, list), ST_WRONG_TYPE);
	list[1] = 0xffffffff;
	CHECK_EQUAL(op_fill(table, 2, 2, DATA_BITS, 0, list), ST_BAD_ARGUMENT);
	return true;
}

static bool a_fill_over_tables_stops_where_it_may_not_change_the_page_size(void)
{
	pfn_t table = frame_take_as(FRAME_L2), block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	pfn_t lower = frame_take_as(FRAME_L1);
	uint32_t list[1] = { lower };
	uint64_t large = pte_make(block, DATA_BITS | PTE_PS);

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_EQUAL(op_fill(table, 0, 1, LINK_BITS, large, list), ST_BUSY);
	return true;
}

/* ---- clear ---- */

static bool clear_reports_frames_dirt_and_words(void)
{
	pfn_t table = frame_take_as(FRAME_L1), one = frame_take_as(FRAME_DATA),
	      two = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, table, 10, pte_make(one, DATA_BITS | PTE_D), 0));
	CHECK_OK(op_at(OP_SET, table, 11, 0xabc0, 0));
	CHECK_OK(op_at(OP_SET, table, 12, pte_make(two, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, table, 13, pte_make(two, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, table, 14, pte_make(boot->zero_frame, PTE_P | PTE_U), 0));
	CHECK_OK(op_many(OP_CLEAR, table, 0, TABLE_ENTRIES, 0, 0));
	CHECK_EQUAL(outcome.results, 4);
	CHECK_EQUAL(results[0], (uint64_t)RESULT_FRAME << 60 | RESULT_DIRTY | one);
	CHECK_EQUAL(results[1], (uint64_t)RESULT_WORD << 60);
	CHECK_EQUAL(results[2], 0xabc0);
	CHECK_EQUAL(results[3], (uint64_t)RESULT_FRAME << 60 | two);
	CHECK_EQUAL(FRAMES[table].live, 0);
	return true;
}

static bool clear_stops_when_the_results_are_full(void)
{
	pfn_t table = frame_take_as(FRAME_L1);
	uint32_t cleared = 0;

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		CHECK_OK(op_at(OP_SET, table, i, 0x1000 + i * 2, 0));
	}
	CHECK_EQUAL(op_many(OP_CLEAR, table, 0, TABLE_ENTRIES, 0, 0), ST_MORE);
	CHECK_EQUAL(outcome.results, OP_RESULTS_MAX);
	CHECK_EQUAL(outcome.entries, OP_RESULTS_MAX / 2);
	while (cleared < TABLE_ENTRIES) {
		status_t status;

		cleared += (uint32_t)outcome.entries;
		if (cleared == TABLE_ENTRIES) {
			break;
		}
		status = op_many(OP_CLEAR, table, cleared, TABLE_ENTRIES - cleared, 0, 0);
		CHECK(status == ST_OK || status == ST_MORE);
		CHECK_EQUAL(results[1], 0x1000 + cleared * 2);
		outcome.entries = status == ST_OK ? TABLE_ENTRIES - cleared : outcome.entries;
	}
	CHECK_EQUAL(FRAMES[table].live, 0);
	return true;
}

static bool unlinking_a_table_with_entries_reports_an_orphan(void)
{
	pfn_t upper = frame_take_as(FRAME_L2), table = frame_take_as(FRAME_L1),
	      pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, table, 9, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(table, LINK_BITS), 0));
	CHECK_OK(op_many(OP_CLEAR, upper, 0, 1, 0, 0));
	CHECK(reported(RESULT_TABLE, table));
	CHECK_EQUAL(FRAMES[table].live, 1);
	CHECK_EQUAL(FRAMES[pfn].refs, 1);
	CHECK_EQUAL(op_on(OP_RETYPE, table, FRAME_FREE, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, table, 9, 1, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_FREE, 0));
	return true;
}

static bool runs_are_checked(void)
{
	static const uint32_t runs[] = { OP_CLEAR, OP_PROTECT, OP_READ, OP_HARVEST, OP_COPY,
		OP_MOVE };
	pfn_t table = frame_take_as(FRAME_L1);
	uint64_t target = (uint64_t)frame_take_as(FRAME_L1) << OP_PFN_SHIFT;

	for (uint32_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		uint64_t a = runs[i] == OP_COPY || runs[i] == OP_MOVE ? target : 0;

		CHECK_EQUAL(op_many(runs[i], table, 0, 0, a, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(runs[i], table, 1, 512, a, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(runs[i], table, 511, 2, a, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(runs[i], table, 0, 1023, a, 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(runs[i], table, 0, 1, a, 1), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(runs[i], table, 0, 1, a | 1, 0), ST_BAD_ARGUMENT);
	}
	return true;
}

/* ---- protect ---- */

static bool protect_changes_rights_of_present_entries(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, PTE_P | PTE_W | PTE_U | PTE_SOFT1), 0));
	CHECK_OK(op_at(OP_SET, table, 2, 0xff0, 0));
	CHECK_OK(op_many(OP_PROTECT, table, 0, 3, PTE_W, PTE_NX));
	CHECK_EQUAL(table_entry(table, 0), pte_make(pfn, PTE_P | PTE_U | PTE_NX | PTE_SOFT1));
	CHECK_EQUAL(table_entry(table, 1), 0);
	CHECK_EQUAL(table_entry(table, 2), 0xff0);
	CHECK_OK(op_many(OP_PROTECT, table, 0, 3, PTE_U, 0));
	CHECK_EQUAL(table_entry(table, 0), pte_make(pfn, PTE_P | PTE_NX | PTE_SOFT1));
	CHECK_OK(op_many(OP_PROTECT, table, 0, 3, PTE_NX, PTE_U | PTE_W));
	CHECK_EQUAL(table_entry(table, 0), pte_make(pfn, PTE_P | PTE_W | PTE_U | PTE_SOFT1));
	CHECK_EQUAL(FRAMES[pfn].refs, 1);
	return true;
}

static bool protect_refuses(void)
{
	pfn_t table = frame_take_as(FRAME_L1), upper = frame_take_as(FRAME_L2);

	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(table, LINK_BITS), 0));
	CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, PTE_P, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, 0, PTE_G), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, PTE_FRAME, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_PROTECT, upper, 0, 1, PTE_U, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_many(OP_PROTECT, upper, 0, 1, 0, PTE_NX), ST_BAD_ARGUMENT);
	CHECK_OK(op_many(OP_PROTECT, upper, 0, 1, PTE_W, 0));
	CHECK_EQUAL(table_entry(upper, 0), pte_make(table, PTE_P | PTE_U));
	return true;
}

static bool protect_gives_no_write_to_what_the_caller_may_not_map(void)
{
	pfn_t table = frame_take_as(FRAME_DATA), pfn = frame_take_as(FRAME_DATA),
	      trace = frame_take_as(FRAME_TRACE);
	pfn_t below = frame_take_as(FRAME_L1);
	struct step *step;
	struct sub_wish wish = { 0 };
	struct sub sub;
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_on(OP_TRANSFER, table, pool, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_L1, 0));
	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, PTE_P | PTE_U),
		0)); /* ours, in the table of a pool below */
	wish.pool = pool;
	CHECK(sub_make(&sub, &wish));
	*(struct op *)message_open(sub.message) =
		(struct op){ op_head(OP_PROTECT, 0, table, 0, 1), 0, PTE_W };
	message_close(sub.message);
	step = step_add(0, CALL_BATCH, 1, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(step->out.rax, ST_BAD_FRAME);
	coverage_operation(OP_PROTECT, ST_BAD_FRAME);
	CHECK_EQUAL(table_entry(table, 0), pte_make(pfn, PTE_P | PTE_U));
	CHECK_OK(op_at(OP_SET, below, 0, pte_make(trace, PTE_P | PTE_U), 0));
	CHECK_EQUAL(op_many(OP_PROTECT, below, 0, 1, 0, PTE_W), ST_WRONG_TYPE);
	return true;
}

/* ---- read and harvest ---- */

static bool read_gives_as_many_entries_as_there_is_room_for(void)
{
	pfn_t table = frame_take_as(FRAME_L1);

	CHECK_OK(op_at(OP_SET, table, 511, 0x8000000000000000, 0));
	CHECK_EQUAL(op_many(OP_READ, table, 0, TABLE_ENTRIES, 0, 0), ST_MORE);
	CHECK_EQUAL(outcome.entries, OP_RESULTS_MAX);
	CHECK_OK(op_many(OP_READ, table, OP_RESULTS_MAX, TABLE_ENTRIES - OP_RESULTS_MAX, 0, 0));
	CHECK_EQUAL(results[TABLE_ENTRIES - OP_RESULTS_MAX - 1], 0x8000000000000000);
	return true;
}

static bool harvest_reads_and_clears_accessed_and_dirty(void)
{
	struct sub sub;
	uint32_t index = sub_index(SUB_PRIVATE);

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_write, SUB_PRIVATE, 1));
	CHECK_OK(op_flagged(OP_HARVEST, FLUSH_ALL, sub.image_table, index, 1, 0, 0));
	CHECK_EQUAL(outcome.results, 1);
	CHECK_EQUAL(results[0], (uint64_t)index << OP_INDEX_SHIFT | PTE_A | PTE_D);
	CHECK_EQUAL(sub_entry(&sub, SUB_PRIVATE) & HARDWARE, 0);
	CHECK_OK(op_flagged(OP_HARVEST, FLUSH_ALL, sub.image_table, index, 1, 0, 0));
	CHECK_EQUAL(outcome.results, 0);
	CHECK(sub_start(&sub, program_read, SUB_PRIVATE, 0));
	CHECK_EQUAL(sub_entry(&sub, SUB_PRIVATE) & HARDWARE, PTE_A);
	return true;
}

static bool harvest_stops_when_the_results_are_full(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	for (uint32_t i = 0; i < 400; i++) {
		CHECK_OK(op_at(OP_SET, table, i, pte_make(pfn, PTE_P | PTE_U | PTE_A), 0));
	}
	CHECK_EQUAL(op_many(OP_HARVEST, table, 0, TABLE_ENTRIES, 0, 0), ST_MORE);
	CHECK_EQUAL(outcome.entries, OP_RESULTS_MAX);
	CHECK_OK(op_many(OP_HARVEST, table, OP_RESULTS_MAX, TABLE_ENTRIES - OP_RESULTS_MAX, 0, 0));
	CHECK_EQUAL(outcome.results, 400 - OP_RESULTS_MAX);
	return true;
}

static bool a_removed_dirty_entry_leaves_the_frame_dirty(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS | PTE_D), 0));
	CHECK_OK(op_at(OP_SET, table, 1, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	CHECK(FRAMES[pfn].flags & FRAME_DIRTY);
	CHECK_OK(op_many(OP_CLEAR, table, 1, 1, 0, 0));
	CHECK(results[0] & RESULT_DIRTY);
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_FREE, 0));
	CHECK_EQUAL(FRAMES[pfn].flags, 0);
	return true;
}

const struct test tests_tables[] = {
	{ "mapping_a_page_shows_in_every_level", mapping_a_page_shows_in_every_level },
	{ "unmapping_frees_the_tables_from_below", unmapping_frees_the_tables_from_below },
	{ "protecting_a_page_changes_its_entry_only", protecting_a_page_changes_its_entry_only },
	{ "two_new_spaces_have_nothing_in_common", two_new_spaces_have_nothing_in_common },
	{ "kernel_slots_cannot_be_touched", kernel_slots_cannot_be_touched },
	{ "open_slots_take_tables", open_slots_take_tables },
	{ "set_replaces_only_what_is_expected", set_replaces_only_what_is_expected },
	{ "set_ignores_accessed_and_dirty_of_a_present_entry",
		set_ignores_accessed_and_dirty_of_a_present_entry },
	{ "a_not_present_word_keeps_all_its_bits", a_not_present_word_keeps_all_its_bits },
	{ "only_whitelisted_bits_stand_in_a_leaf", only_whitelisted_bits_stand_in_a_leaf },
	{ "only_whitelisted_bits_stand_in_a_link", only_whitelisted_bits_stand_in_a_link },
	{ "frame_numbers_beyond_memory_are_refused", frame_numbers_beyond_memory_are_refused },
	{ "only_pages_stand_in_a_leaf_table", only_pages_stand_in_a_leaf_table },
	{ "the_zero_frame_is_mapped_read_only_and_not_counted",
		the_zero_frame_is_mapped_read_only_and_not_counted },
	{ "a_trace_frame_is_mapped_read_only", a_trace_frame_is_mapped_read_only },
	{ "a_message_page_is_mapped_once", a_message_page_is_mapped_once },
	{ "links_go_down_exactly_one_level", links_go_down_exactly_one_level },
	{ "a_table_cannot_link_itself", a_table_cannot_link_itself },
	{ "tables_of_other_pools_are_out_of_reach", tables_of_other_pools_are_out_of_reach },
	{ "what_is_no_table_has_no_entries", what_is_no_table_has_no_entries },
	{ "a_block_is_mapped_by_one_entry", a_block_is_mapped_by_one_entry },
	{ "a_block_needs_512_data_frames_of_one_pool", a_block_needs_512_data_frames_of_one_pool },
	{ "a_kept_block_stays_without_entries", a_kept_block_stays_without_entries },
	{ "a_large_entry_is_split_into_its_pages", a_large_entry_is_split_into_its_pages },
	{ "the_page_size_changes_only_through_not_present",
		the_page_size_changes_only_through_not_present },
	{ "large_entries_stand_at_level_2_only", large_entries_stand_at_level_2_only },
	{ "large_entries_are_counted_and_paid_for", large_entries_are_counted_and_paid_for },
	{ "a_program_reads_and_writes_through_a_large_entry",
		a_program_reads_and_writes_through_a_large_entry },
	{ "fill_sets_a_run_where_it_is_as_expected", fill_sets_a_run_where_it_is_as_expected },
	{ "fill_maps_a_run", fill_maps_a_run },
	{ "fill_refuses", fill_refuses },
	{ "a_fill_over_tables_stops_where_it_may_not_change_the_page_size",
		a_fill_over_tables_stops_where_it_may_not_change_the_page_size },
	{ "clear_reports_frames_dirt_and_words", clear_reports_frames_dirt_and_words },
	{ "clear_stops_when_the_results_are_full", clear_stops_when_the_results_are_full },
	{ "unlinking_a_table_with_entries_reports_an_orphan",
		unlinking_a_table_with_entries_reports_an_orphan },
	{ "runs_are_checked", runs_are_checked },
	{ "protect_changes_rights_of_present_entries", protect_changes_rights_of_present_entries },
	{ "protect_refuses", protect_refuses },
	{ "protect_gives_no_write_to_what_the_caller_may_not_map",
		protect_gives_no_write_to_what_the_caller_may_not_map },
	{ "read_gives_as_many_entries_as_there_is_room_for",
		read_gives_as_many_entries_as_there_is_room_for },
	{ "harvest_reads_and_clears_accessed_and_dirty",
		harvest_reads_and_clears_accessed_and_dirty },
	{ "harvest_stops_when_the_results_are_full", harvest_stops_when_the_results_are_full },
	{ "a_removed_dirty_entry_leaves_the_frame_dirty",
		a_removed_dirty_entry_leaves_the_frame_dirty },
	{ 0 },
};
