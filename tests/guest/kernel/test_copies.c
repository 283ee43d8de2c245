/*
 * Tests of copy, move and split: the steps of fork and of what it leaves behind.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define DATA_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)
#define LINK_BITS (PTE_P | PTE_W | PTE_U)

static uint64_t target(pfn_t table, uint32_t index)
{
	return (uint64_t)table << OP_PFN_SHIFT | (uint64_t)index << OP_INDEX_SHIFT;
}

static bool copy_takes_write_from_both_sides(void)
{
	pfn_t from = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1),
	      pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, from, 4, pte_make(pfn, DATA_BITS | PTE_D | PTE_SOFT2), 0));
	CHECK_OK(op_many(OP_COPY, from, 4, 1, target(to, 9), 0));
	CHECK_EQUAL(table_entry(from, 4) & ~(PTE_A | PTE_D),
		pte_make(pfn, PTE_P | PTE_U | PTE_NX | PTE_SOFT2));
	CHECK_EQUAL(table_entry(to, 9) & ~(PTE_A | PTE_D),
		pte_make(pfn, PTE_P | PTE_U | PTE_NX | PTE_SOFT2));
	CHECK_EQUAL(FRAMES[pfn].refs, 2);
	CHECK_EQUAL(FRAMES[to].live, 1);
	return true;
}

static bool copy_keeps_write_of_shared_entries(void)
{
	pfn_t from = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1),
	      pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_at(OP_SET, from, 0, pte_make(pfn, DATA_BITS | PTE_SHARED), 0));
	CHECK_OK(op_many(OP_COPY, from, 0, TABLE_ENTRIES, target(to, 0), 0));
	CHECK_EQUAL(table_entry(from, 0), pte_make(pfn, DATA_BITS | PTE_SHARED));
	CHECK_EQUAL(table_entry(to, 0), pte_make(pfn, DATA_BITS | PTE_SHARED));
	return true;
}

static bool copy_keeps_words_and_does_not_count_the_zero_frame(void)
{
	pfn_t from = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1);

	CHECK_OK(op_at(OP_SET, from, 1, 0xdead0, 0));
	CHECK_OK(op_at(OP_SET, from, 500, pte_make(boot->zero_frame, PTE_P | PTE_U), 0));
	CHECK_OK(op_many(OP_COPY, from, 0, TABLE_ENTRIES, target(to, 0), 0));
	CHECK_EQUAL(table_entry(to, 1), 0xdead0);
	CHECK_EQUAL(table_entry(from, 1), 0xdead0);
	CHECK_EQUAL(table_entry(to, 500), pte_make(boot->zero_frame, PTE_P | PTE_U));
	CHECK_EQUAL(FRAMES[boot->zero_frame].refs, 0);
	CHECK_EQUAL(FRAMES[to].live, 2);
	return true;
}

static bool copied_links_share_the_tables_below(void)
{
	struct sub parent, child;
	pfn_t shared;

	CHECK(sub_make(&parent, NULL) && sub_make(&child, NULL));
	shared = walk_table(parent.top, SUB_PRIVATE, LAYOUT_LEVELS - 1);
	CHECK_EQUAL(op_many(OP_COPY, parent.top, 0, 1, target(child.top, 0), 0), ST_MISMATCH);
	CHECK_OK(op_many(OP_COPY, parent.top, 0, 200, target(child.top, 20), 0));
	CHECK_EQUAL(FRAMES[shared].refs, 2);
	CHECK(!(table_entry(parent.top, 0) & PTE_W) && !(table_entry(child.top, 20) & PTE_W));
	CHECK_EQUAL(FRAMES[parent.private].refs, 1);
	return true;
}

static bool the_message_slot_is_never_copied(void)
{
	struct sub parent, child;

	CHECK(sub_make(&parent, NULL) && sub_make(&child, NULL));
	CHECK_OK(op_many(OP_CLEAR, child.top, LAYOUT_MESSAGE_SLOT, 1, 0, 0));
	CHECK_EQUAL(op_many(OP_COPY, parent.top, LAYOUT_MESSAGE_SLOT, 1,
			    target(child.top, LAYOUT_MESSAGE_SLOT), 0),
		ST_NO_RIGHT);
	CHECK_EQUAL(op_many(OP_MOVE, parent.top, LAYOUT_MESSAGE_SLOT, 1,
			    target(child.top, LAYOUT_MESSAGE_SLOT), 0),
		ST_NO_RIGHT);
	CHECK_EQUAL(op_many(OP_COPY, parent.top, LAYOUT_MESSAGE_SLOT, 1, target(child.top, 100), 0),
		ST_NO_RIGHT);
	CHECK_EQUAL(op_at(OP_SPLIT, parent.top, LAYOUT_MESSAGE_SLOT, frame_take(),
			    table_entry(parent.top, LAYOUT_MESSAGE_SLOT)),
		ST_NO_RIGHT);
	return true;
}

static bool copy_and_move_refuse(void)
{
	static const uint32_t both[] = { OP_COPY, OP_MOVE };
	pfn_t one = frame_take_as(FRAME_L1), two = frame_take_as(FRAME_L1),
	      upper = frame_take_as(FRAME_L2);

	CHECK_OK(op_at(OP_SET, one, 3, 0x10, 0));
	CHECK_OK(op_at(OP_SET, two, 7, 0x20, 0));
	for (uint32_t i = 0; i < 2; i++) {
		CHECK_EQUAL(op_many(both[i], one, 0, 8, target(two, 0), 0), ST_MISMATCH);
		CHECK_EQUAL(op_many(both[i], one, 0, 8, target(upper, 0), 0), ST_WRONG_TYPE);
		CHECK_EQUAL(
			op_many(both[i], one, 0, 8, target(boot->message, 0), 0), ST_WRONG_TYPE);
		CHECK_EQUAL(
			op_many(both[i], one, 0, 8, target(boot->init_space, 0), 0), ST_BAD_FRAME);
		CHECK_EQUAL(op_many(both[i], one, 0, 8, target(two, 505), 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(both[i], one, 0, 8, target(one, 7), 0),
			ST_BAD_ARGUMENT); /* overlap */
		CHECK_EQUAL(op_many(both[i], one, 0, 8, target(two, 8) | 1ull << 25, 0),
			ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(both[i], one, 0, 8, target(two, 8) | 5, 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(table_entry(one, 3), 0x10);
	return true;
}

static bool move_keeps_rights_and_counts(void)
{
	pfn_t from = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1),
	      pfn = frame_take_as(FRAME_DATA);
	const uint64_t entry = pte_make(pfn, DATA_BITS | PTE_A | PTE_D);

	CHECK_OK(op_at(OP_SET, from, 0, entry, 0));
	CHECK_OK(op_at(OP_SET, from, 2, 0x30, 0));
	CHECK_OK(op_many(OP_MOVE, from, 0, 4, target(to, 100), 0));
	CHECK_EQUAL(table_entry(from, 0), 0);
	CHECK_EQUAL(table_entry(from, 2), 0);
	CHECK_EQUAL(table_entry(to, 100), entry);
	CHECK_EQUAL(table_entry(to, 102), 0x30);
	CHECK(FRAMES[from].live == 0 && FRAMES[to].live == 2);
	CHECK_EQUAL(FRAMES[pfn].refs, 1);
	return true;
}

static bool move_works_inside_one_table(void)
{
	pfn_t table = frame_take_as(FRAME_L1);

	for (uint32_t i = 0; i < 10; i++) {
		CHECK_OK(op_at(OP_SET, table, i, (i + 1) * 0x100, 0));
	}
	CHECK_OK(op_many(OP_MOVE, table, 0, 10, target(table, 10), 0));
	CHECK_EQUAL(FRAMES[table].live, 10);
	CHECK_EQUAL(table_entry(table, 19), 0xa00);
	CHECK_EQUAL(table_entry(table, 9), 0);
	return true;
}

/* ---- split ---- */

/* Two parents (entries 0 and 1 of *upper) share *table with one writable page, as copies leave
   it. */
static bool shared_table(pfn_t *upper, pfn_t *table, pfn_t *page)
{
	*upper = frame_take_as(FRAME_L2);
	*table = frame_take_as(FRAME_L1);
	*page = frame_take_as(FRAME_DATA);
	CHECK_OK(op_at(OP_SET, *table, 33, pte_make(*page, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, *table, 34, 0x99990, 0));
	CHECK_OK(op_at(OP_SET, *upper, 0, pte_make(*table, LINK_BITS), 0));
	CHECK_OK(op_many(OP_COPY, *upper, 0, 1, target(*upper, 1), 0));
	return true;
}

static bool split_gives_one_parent_a_copy_of_its_own(void)
{
	pfn_t upper, table, page, fresh = frame_take();

	CHECK(shared_table(&upper, &table, &page));
	CHECK_OK(op_at(OP_SPLIT, upper, 1, fresh, pte_make(table, PTE_P | PTE_U)));
	CHECK_EQUAL(outcome.results, 0);
	CHECK_EQUAL(FRAMES[fresh].type, FRAME_L1);
	CHECK(FRAMES[fresh].refs == 1 && FRAMES[table].refs == 1);
	CHECK_EQUAL(FRAMES[fresh].live, 2);
	CHECK_EQUAL(FRAMES[page].refs, 2);
	CHECK_EQUAL(table_entry(upper, 0), pte_make(table, PTE_P | PTE_U));
	CHECK_EQUAL(table_entry(upper, 1), pte_make(fresh, LINK_BITS));
	CHECK_EQUAL(table_entry(table, 33), pte_make(page, PTE_P | PTE_U | PTE_NX));
	CHECK_EQUAL(table_entry(fresh, 33), pte_make(page, PTE_P | PTE_U | PTE_NX));
	CHECK_EQUAL(table_entry(fresh, 34), 0x99990);
	CHECK_EQUAL(table_entry(fresh, 32), 0);
	return true;
}

static bool split_needs_no_cleared_frame(void)
{
	pfn_t upper, table, page, fresh = frame_take_as(FRAME_DATA);

	CHECK(shared_table(&upper, &table, &page));
	frame_fill(fresh, pte_make(boot->top, LINK_BITS));
	CHECK_OK(op_at(OP_SPLIT, upper, 0, fresh, pte_make(table, PTE_P | PTE_U)));
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		CHECK_EQUAL(table_entry(fresh, i), table_entry(table, i));
	}
	return true;
}

static bool copies_of_a_2_mib_entry_are_counted(void)
{
	pfn_t upper = frame_take_as(FRAME_L3), table = frame_take_as(FRAME_L2),
	      fresh = frame_take();
	pfn_t block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);
	const uint64_t large = pte_make(block, DATA_BITS | PTE_PS);

	CHECK(block != 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_SET, table, 0, large, 0));
	CHECK_OK(op_many(OP_COPY, table, 0, 1, target(table, 1), 0));
	CHECK_EQUAL(FRAMES[block].live, 2);
	CHECK_EQUAL(table_entry(table, 1), large & ~PTE_W);
	CHECK_OK(op_many(OP_MOVE, table, 1, 1, target(table, 7), 0));
	CHECK_EQUAL(FRAMES[block].live, 2);
	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(table, LINK_BITS), 0));
	CHECK_OK(op_many(OP_COPY, upper, 0, 1, target(upper, 1), 0));
	CHECK_OK(op_at(OP_SPLIT, upper, 1, fresh, pte_make(table, PTE_P | PTE_U)));
	CHECK_EQUAL(FRAMES[block].live, 4);
	CHECK_EQUAL(table_entry(fresh, 7), large & ~PTE_W);
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 4, 0, 0));
	CHECK_EQUAL(op_many(OP_COPY, table, 0, 1, target(table, 2), 0), ST_LIMIT);
	CHECK_EQUAL(FRAMES[block].live, 4);
	return true;
}

static bool split_refuses(void)
{
	pfn_t upper, table, page, fresh = frame_take(), busy = frame_take_as(FRAME_DATA);
	uint64_t link;

	CHECK(shared_table(&upper, &table, &page));
	link = pte_make(table, PTE_P | PTE_U);
	CHECK_OK(op_many(OP_HOLD, busy, 0, 0, 0, 0));
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, fresh, link | PTE_W), ST_MISMATCH);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 5, fresh, 0), ST_MISMATCH);
	CHECK_EQUAL(op_at(OP_SPLIT, table, 33, fresh, table_entry(table, 33)), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, table, link), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, boot->thread, link), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, busy, link), ST_BUSY);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, boot->init_space, link), ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, ~0ull, link), ST_BAD_FRAME);
	CHECK_OK(op_many(OP_CLEAR, upper, 1, 1, 0, 0));
	CHECK_EQUAL(op_at(OP_SPLIT, upper, 0, fresh, link), ST_MISMATCH); /* nobody to split from */
	CHECK_EQUAL(FRAMES[fresh].type, FRAME_FREE);
	return true;
}

static bool split_is_paid_for(void)
{
	pfn_t upper, table, page, fresh[10];

	CHECK(shared_table(&upper, &table, &page));
	for (uint32_t i = 0; i < 10; i++) {
		fresh[i] = frame_take();
		CHECK_OK(op_at(OP_SET, upper, 10 + i, pte_make(table, LINK_BITS), 0));
	}
	batch_begin();
	for (uint32_t i = 0; i < 10; i++) {
		batch_add(op_head(OP_SPLIT, 0, upper, 10 + i, 1), fresh[i],
			pte_make(table, LINK_BITS));
	}
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK_EQUAL(outcome.done, OP_WORK_MAX / TABLE_ENTRIES);
	CHECK_EQUAL(FRAMES[page].refs, 1 + OP_WORK_MAX / TABLE_ENTRIES);
	return true;
}

/* Fork by hand: copy the top entry, then cure the parent's write by splits down to a copied page.
   */
static bool a_write_after_a_structural_fork_copies_one_page(void)
{
	struct message message;
	struct sub parent, child;
	pfn_t fresh[LAYOUT_LEVELS], page = frame_take_as(FRAME_DATA), upper;

	CHECK(sub_make(&parent, NULL));
	frame_fill(parent.private, 0xaaaa);
	CHECK(sub_make(&child, NULL));
	CHECK_OK(op_many(OP_CLEAR, child.top, 0, 1, 0, 0));
	CHECK_OK(op_flagged(OP_COPY, FLUSH_ALL, parent.top, 0, 1, target(child.top, 0), 0));
	CHECK(sub_start(&parent, program_write, SUB_PRIVATE, 0xbbbb));
	CHECK_OK(receive_now(&message));
	upper = parent.top;
	for (uint32_t level = LAYOUT_LEVELS; level > 1; level--) {
		uint32_t index = table_index(message.w[0], level);

		fresh[level - 1] = frame_take();
		CHECK_OK(op_flagged(OP_SPLIT, FLUSH_ALL, upper, index, 1, fresh[level - 1],
			table_entry(upper, index)));
		upper = fresh[level - 1];
	}
	CHECK_OK(op_on(
		OP_COPY_FRAME, pte_pfn(table_entry(upper, table_index(message.w[0], 1))), page, 0));
	CHECK_OK(op_at(OP_SET, upper, table_index(message.w[0], 1), pte_make(page, DATA_BITS),
		table_entry(upper, table_index(message.w[0], 1))));
	CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	while (receive_now(&message) == ST_OK) { /* its stack, which it shares as well */
		uint32_t index = table_index(message.w[0], 1);
		pfn_t copy = frame_take_as(FRAME_DATA);

		CHECK_OK(op_on(OP_COPY_FRAME, pte_pfn(table_entry(upper, index)), copy, 0));
		CHECK_OK(op_at(OP_SET, upper, index, pte_make(copy, DATA_BITS),
			table_entry(upper, index)));
		CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	}
	CHECK(sub_start(&child, program_read, SUB_PRIVATE, 0));
	CHECK_EQUAL(
		pte_pfn(table_entry(walk_table(child.top, SUB_PRIVATE, 1), sub_index(SUB_PRIVATE))),
		parent.private);
	CHECK(frame_holds(parent.private, 0xaaaa));
	return true;
}

const struct test tests_copies[] = {
	{ "copy_takes_write_from_both_sides", copy_takes_write_from_both_sides },
	{ "copy_keeps_write_of_shared_entries", copy_keeps_write_of_shared_entries },
	{ "copy_keeps_words_and_does_not_count_the_zero_frame",
		copy_keeps_words_and_does_not_count_the_zero_frame },
	{ "copied_links_share_the_tables_below", copied_links_share_the_tables_below },
	{ "the_message_slot_is_never_copied", the_message_slot_is_never_copied },
	{ "copy_and_move_refuse", copy_and_move_refuse },
	{ "move_keeps_rights_and_counts", move_keeps_rights_and_counts },
	{ "move_works_inside_one_table", move_works_inside_one_table },
	{ "split_gives_one_parent_a_copy_of_its_own", split_gives_one_parent_a_copy_of_its_own },
	{ "split_needs_no_cleared_frame", split_needs_no_cleared_frame },
	{ "copies_of_a_2_mib_entry_are_counted", copies_of_a_2_mib_entry_are_counted },
	{ "split_refuses", split_refuses },
	{ "split_is_paid_for", split_is_paid_for },
	{ "a_write_after_a_structural_fork_copies_one_page",
		a_write_after_a_structural_fork_copies_one_page },
	{ 0 },
};
