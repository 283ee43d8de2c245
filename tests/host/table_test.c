/*
 * Tests of the table operations and of the walk.
 *
 * Usage: table [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fixture.h"
#include "percpu.h"
#include <faultline/fault.h>

static uint32_t refs(pfn_t pfn)
{
	return frame_table[pfn].refs;
}

static uint32_t live(pfn_t pfn)
{
	return frame_table[pfn].live;
}

static uint64_t result_of(uint32_t kind, pfn_t pfn)
{
	return (uint64_t)kind << 60 | pfn;
}

static status_t with_work(uint32_t work, uint64_t head, uint64_t a, uint64_t b)
{
	struct op op = { head, a, b };
	struct batch batch = { .pool = POOL_ROOT,
		.work_left = work,
		.results = sim_last.results,
		.result_max = OP_RESULTS_MAX };
	status_t status = batch_run(&batch, &op, 1, &sim_last.index);

	sim_last.done = batch.done;
	sim_last.count = batch.result_count;
	return status;
}

/* ---- set ---- */

static void test_set_maps_and_unmaps(void)
{
	CHECK_EQUAL(set(L1, 7, page(0), 0), ST_OK);
	CHECK(entries(L1)[7] == page(0) && refs(DATA_FIRST) == 1 && live(L1) == 1);
	CHECK_EQUAL(sim_last.count, 0);
	CHECK_EQUAL(set(L1, 7, 0, page(0)), ST_OK);
	CHECK(entries(L1)[7] == 0 && refs(DATA_FIRST) == 0 && live(L1) == 0);
	CHECK_EQUAL(sim_last.count, 1);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, DATA_FIRST));
	CHECK_EQUAL(data(0)->epoch, flush_epoch);
}

static void test_set_compares_without_accessed_and_dirty(void)
{
	CHECK_EQUAL(set(L1, 7, page(0), 0), ST_OK);
	entries(L1)[7] |= PTE_A | PTE_D;
	CHECK_EQUAL(set(L1, 7, page(1), page(0)), ST_OK);
	CHECK_EQUAL(set(L1, 7, page(2), page(1) | PTE_A | PTE_D), ST_OK);
	CHECK_EQUAL(set(L1, 7, page(3), page(1)), ST_MISMATCH);
	CHECK_EQUAL(set(L1, 7, page(3), page(2) | PTE_SOFT1), ST_MISMATCH);
	CHECK_EQUAL(set(L1, 7, page(3), 0), ST_MISMATCH);
	CHECK_EQUAL(entries(L1)[7], page(2));
}

static void test_set_compares_absent_words_exactly(void)
{
	CHECK_EQUAL(set(L1, 7, 0x8000000000000042ull, 0), ST_OK);
	CHECK_EQUAL(live(L1), 1);
	CHECK_EQUAL(set(L1, 7, 0, 0x8000000000000002ull), ST_MISMATCH);
	CHECK_EQUAL(set(L1, 7, page(0), 0x8000000000000042ull), ST_OK);
	CHECK_EQUAL(sim_last.count, 0); /* the caller knows the word */
	CHECK_EQUAL(live(L1), 1);
	CHECK_EQUAL(set(L1, 7, 0xfffffffffffffffeull, page(0)), ST_OK);
	CHECK(live(L1) == 1 && refs(DATA_FIRST) == 0);
}

static void test_set_replaces_in_one_store(void)
{
	CHECK_EQUAL(set(L1, 7, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 8, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 7, page(1), page(0)), ST_OK);
	CHECK(refs(DATA_FIRST) == 1 && refs(DATA_FIRST + 1) == 1 && sim_last.count == 0);
	CHECK_EQUAL(set(L1, 8, page(1), page(0)), ST_OK);
	CHECK(refs(DATA_FIRST) == 0 && refs(DATA_FIRST + 1) == 2 && sim_last.count == 1);
}

static void test_set_of_the_same_frame_changes_rights_only(void)
{
	uint64_t flushes = sim_flushes.everything;

	CHECK_EQUAL(set(L1, 7, page(0), 0), ST_OK);
	frame_refs_limit = 1;
	CHECK_EQUAL(set(L1, 7, pte_make(DATA_FIRST, PTE_P | PTE_SHARED), page(0)), ST_OK);
	CHECK(refs(DATA_FIRST) == 1 && live(L1) == 1 && sim_last.count == 0);
	CHECK_EQUAL(entries(L1)[7], pte_make(DATA_FIRST, PTE_P | PTE_SHARED));
	CHECK_EQUAL(sim_flushes.everything, flushes);
	frame_refs_limit = FRAME_REFS_MAX;
}

static void test_set_keeps_dirty_bits_in_the_frame(void)
{
	CHECK_EQUAL(set(L1, 7, page(0), 0), ST_OK);
	entries(L1)[7] |= PTE_D;
	CHECK_EQUAL(set(L1, 7, page(1), page(0)), ST_OK);
	CHECK_EQUAL(data(0)->flags, FRAME_DIRTY);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, DATA_FIRST) | RESULT_DIRTY);
	entries(L1)[7] |= PTE_D;
	CHECK_EQUAL(set(L1, 7, page(1) | PTE_D, page(1)), ST_OK);
	CHECK_EQUAL(data(1)->flags, 0); /* still in the entry */
	CHECK_EQUAL(set(L1, 7, page(1), page(1)), ST_OK);
	CHECK_EQUAL(data(1)->flags, FRAME_DIRTY);
	CHECK_EQUAL(set(L1, 8, pte_make(SIM_ZERO_FRAME, PAGE_RO | PTE_D), 0), ST_OK);
	CHECK_EQUAL(
		set(L1, 8, pte_make(SIM_ZERO_FRAME, PAGE_RO), pte_make(SIM_ZERO_FRAME, PAGE_RO)),
		ST_OK);
	CHECK_EQUAL(frame_table[SIM_ZERO_FRAME].flags, 0);
}

static void test_set_refuses_bits_outside_the_whitelist(void)
{
	static const uint64_t bits[] = { PTE_G, PTE_PWT, PTE_PCD, PTE_PS, 1ull << 40, 1ull << 51,
		1ull << 52, 1ull << 62 };

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		CHECK_EQUAL(set(L1, 7, page(0) | bits[i], 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(set(L2, 7, link_to(L1_TWO) | (bits[i] == PTE_PS ? PTE_G : bits[i]), 0),
			ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(set(L2, 7, link_to(L1_TWO) | PTE_NX, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 7, link_to(L1_TWO) | PTE_D, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 7, link_to(L1_TWO) & ~PTE_U, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L3, 7, link_to(L2_TWO) | PTE_PS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(TOP, 7, link_to(L3) | PTE_PS, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		set(L1, 7, pte_make(DATA_FIRST, PTE_ALLOWED & ~(PTE_FRAME | PTE_PS)), 0), ST_OK);
}

static void test_set_checks_also_one_bit_of_a_present_entry(void)
{
	CHECK_EQUAL(set(L1, 7, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 7, page(0) | PTE_G, page(0)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 7, page(0) | 1ull << 44, page(0)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 8, pte_make(SIM_ZERO_FRAME, PAGE_RO), 0), ST_OK);
	CHECK_EQUAL(
		set(L1, 8, pte_make(SIM_ZERO_FRAME, PAGE_RW), pte_make(SIM_ZERO_FRAME, PAGE_RO)),
		ST_WRONG_TYPE);
	CHECK_EQUAL(set(L2, 0, link_to(L1) | PTE_PS, link_to(L1)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 0, link_to(L1) & ~PTE_U, link_to(L1)), ST_BAD_ARGUMENT);
}

static void test_set_refuses_targets_that_may_not_be_mapped(void)
{
	static const pfn_t typed[] = { MORE_FIRST, L1_TWO, L2, TOP, SPACE };

	for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++)
		CHECK_EQUAL(set(L1, 7, pte_make(typed[i], PAGE_RO), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L1, 7, pte_make(0, PAGE_RO), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 7, pte_make(SIM_KERNEL_FRAME, PAGE_RO), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 7, pte_make(FRAMES, PAGE_RO), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L1, 7, pte_make(0xfffffff, PAGE_RO), 0), ST_BAD_FRAME);
	/* A number that a 32-bit frame number would cut off to DATA_FIRST. */
	CHECK_EQUAL(set(L1, 7, (((1ull << 32) + DATA_FIRST) << PAGE_SHIFT) | PAGE_RO, 0),
		ST_BAD_ARGUMENT);
}

static void test_set_of_special_frames(void)
{
	uint64_t zero = pte_make(SIM_ZERO_FRAME, PAGE_RO), trace = pte_make(MORE_FIRST, PAGE_RO);

	CHECK_EQUAL(set(L1, 0, zero | PTE_W, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L1, 0, zero, 0), ST_OK);
	CHECK_EQUAL(refs(SIM_ZERO_FRAME), 0);
	CHECK_EQUAL(set(L1, 0, page(0), zero), ST_OK);
	CHECK_EQUAL(sim_last.count, 0); /* ZERO displaced is no news */
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_TRACE), ST_OK);
	CHECK_EQUAL(set(L1, 1, trace | PTE_W, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L1, 1, trace, 0), ST_OK);
	CHECK_EQUAL(refs(MORE_FIRST), 1);
	CHECK_EQUAL(retype(MORE_FIRST, 1, FRAME_DATA), ST_BUSY);
}

static void test_set_maps_a_message_page_once(void)
{
	uint64_t message = pte_make(MSG, PAGE_RW);

	CHECK_EQUAL(set(L1, 0, message, 0), ST_OK);
	CHECK_EQUAL(frame_table[L1].flags, FRAME_SPECIAL);
	CHECK_EQUAL(set(L1, 1, message, 0), ST_LIMIT);
	CHECK_EQUAL(set(L1, 0, message & ~PTE_W, message), ST_OK);
	CHECK_EQUAL(run(OP_MOVE, L1, 0, 1, target(L1_TWO, 3), 0), ST_OK);
	CHECK_EQUAL(frame_table[L1_TWO].flags, FRAME_SPECIAL);
	CHECK_EQUAL(run(OP_COPY, L1_TWO, 3, 1, target(L1, 0), 0), ST_LIMIT);
	CHECK_EQUAL(set(L1_TWO, 3, 0, message & ~PTE_W), ST_OK);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, MSG));
}

static void test_set_links_tables_of_the_next_level_only(void)
{
	CHECK_EQUAL(set(TOP, 1, link_to(L2_TWO), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(TOP, 1, link_to(TOP), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L3, 1, link_to(L3), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L3, 1, link_to(L1_TWO), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L2, 1, link_to(L2), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L2, 1, link_to(DATA_FIRST), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(L2, 1, link_to(SIM_ZERO_FRAME), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L3, 1, link_to(L2_TWO), 0), ST_OK);
	CHECK_EQUAL(set(L3, 2, link_to(L2_TWO) & ~PTE_W, 0), ST_OK);
	CHECK_EQUAL(refs(L2_TWO), 2);
	CHECK_EQUAL(set(L3, 1, 0, link_to(L2_TWO)), ST_OK);
	CHECK_EQUAL(set(L3, 2, 0, link_to(L2_TWO) & ~PTE_W), ST_OK);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_TABLE, L2_TWO));
}

static void test_set_dropping_a_table_leaves_an_orphan(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L2, 0, 0, link_to(L1)), ST_OK);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_TABLE, L1));
	CHECK(refs(DATA_FIRST) == 1 && live(L1) == 1);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 512, 0, 0), ST_OK);
	CHECK_EQUAL(retype(L1, 1, FRAME_FREE), ST_OK);
}

static void test_set_touches_open_top_slots_only(void)
{
	static const uint32_t closed[] = { 256, LAYOUT_DIRECT_FIRST_SLOT, LAYOUT_DIRECT_LAST_SLOT,
		LAYOUT_VMALLOC_FIRST_SLOT - 1, LAYOUT_FRAME_TABLE_SLOT, LAYOUT_VMEMMAP_SLOT,
		LAYOUT_KERNEL_SLOT };
	static const uint32_t open[] = { 1, LAYOUT_USER_LAST_SLOT, LAYOUT_VMALLOC_FIRST_SLOT,
		LAYOUT_VMALLOC_LAST_SLOT, LAYOUT_MESSAGE_SLOT };

	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		CHECK_EQUAL(set(TOP, closed[i], link_to(L3), 0), ST_NO_RIGHT);
		CHECK_EQUAL(run(OP_READ, TOP, closed[i], 1, 0, 0), ST_NO_RIGHT);
		CHECK(!table_top_slot_is_open(closed[i]));
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		CHECK_EQUAL(set(TOP, open[i], link_to(L3), 0), ST_OK);
		CHECK(table_top_slot_is_open(open[i]));
	}
	CHECK_EQUAL(live(TOP), 6);
	CHECK_EQUAL(run(OP_CLEAR, TOP, 0, 512, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_CLEAR, TOP, 0, 257, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_CLEAR, TOP, 0, 256, 0, 0), ST_OK);
	CHECK_EQUAL(live(TOP), 3);
}

static void test_set_refuses_what_is_no_table(void)
{
	CHECK_EQUAL(set(DATA_FIRST, 0, page(0), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(SPACE, 0, page(0), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(set(FRAMES, 0, page(0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(0, 0, page(0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(SIM_KERNEL_FRAME, 0, page(0), 0), ST_BAD_FRAME);
}

static void test_set_counts_refuse_at_the_limit(void)
{
	frame_refs_limit = 3;
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(set(L1, i, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 3, page(0), 0), ST_LIMIT);
	CHECK(entries(L1)[3] == 0 && refs(DATA_FIRST) == 3 && live(L1) == 3);
	frame_refs_limit = FRAME_REFS_MAX;
	data(1)->refs = FRAME_REFS_MAX;
	CHECK_EQUAL(set(L1, 3, page(1), 0), ST_LIMIT);
	data(1)->refs = 0;
}

static void test_set_asks_for_room_before_it_drops(void)
{
	uint64_t head = op_head(OP_SET, 0, L1, 0, 0);

	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 0, head, page(0), 0), ST_OK);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 0, head, page(1), page(0)), ST_MORE);
	CHECK_EQUAL(entries(L1)[0], page(0));
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 1, head, page(1), page(0)), ST_OK);
	CHECK_EQUAL(with_work(0, head, 0, page(1)), ST_MORE);
	CHECK_EQUAL(with_work(0, head, page(2), page(1)), ST_MORE);
}

static void test_set_of_a_just_unmapped_frame_flushes_first(void)
{
	uint64_t flushes = sim_flushes.everything;

	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(1), 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 2, 0, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes);
	CHECK_EQUAL(set(L1, 5, page(0), 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
	CHECK_EQUAL(set(L1, 6, page(1), 0), ST_OK); /* the same flush served it */
	CHECK_EQUAL(set(L1, 7, page(1), 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
}

static void test_authority_is_the_pool(void)
{
	uint16_t pool = child_pool(POOL_ROOT), below = child_pool(pool);
	uint64_t head = op_head(OP_SET, 0, MORE_FIRST, 0, 0);

	CHECK_EQUAL(give(below, MORE_FIRST, 2), ST_OK);
	CHECK_EQUAL(sim_op(below, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 1), FRAME_L1, 0), ST_OK);
	CHECK_EQUAL(
		sim_op(below, op_head(OP_RETYPE, 0, MORE_FIRST + 1, 0, 1), FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(
		sim_op(below, op_head(OP_SET, 0, L1, 0, 0), pte_make(MORE_FIRST + 1, PAGE_RW), 0),
		ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(below, head, page(0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(pool, head, page(0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(pool, head, pte_make(MORE_FIRST + 1, PAGE_RW), 0), ST_OK);
	/* With authority over both, frames and tables of different pools go together. */
	CHECK_EQUAL(set(MORE_FIRST, 1, page(0) & ~PTE_W, 0), ST_OK);
	CHECK_EQUAL(set(L2, 5, link_to(MORE_FIRST), 0), ST_OK);
	/* The lower pool may drop or weaken what it was given, but not strengthen it. */
	CHECK_EQUAL(sim_op(below, op_head(OP_SET, 0, MORE_FIRST, 1, 0), page(0), page(0) & ~PTE_W),
		ST_BAD_FRAME);
	CHECK_EQUAL(
		sim_op(below, op_head(OP_PROTECT, 0, MORE_FIRST, 1, 1), 0, PTE_W), ST_BAD_FRAME);
	CHECK_EQUAL(
		sim_op(below, op_head(OP_PROTECT, 0, MORE_FIRST, 1, 1), PTE_NX, 0), ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(below, op_head(OP_PROTECT, 0, MORE_FIRST, 1, 1), PTE_U, 0), ST_OK);
	CHECK_EQUAL(sim_op(below, op_head(OP_CLEAR, 0, MORE_FIRST, 1, 1), 0, 0), ST_OK);
}

/* ---- hints ---- */

static void test_hints_flush_what_they_say(void)
{
	struct space *space = frame_memory(SPACE);
	struct op ops[2] = { { op_head(OP_SET, FLUSH_SPACE, L1, 0, 0), page(0), 0 },
		{ op_head(OP_SET, FLUSH_ALL, L1, 1, 0), page(0), 0 } };
	struct batch batch = { .pool = POOL_ROOT, .scope = space, .work_left = 9 };
	uint32_t index;

	CHECK_EQUAL(batch_run(&batch, ops, 1, &index), ST_OK);
	CHECK(sim_flushes.space == 1 && sim_flushes.last_space == space &&
		sim_flushes.hinted_all == 0);
	CHECK_EQUAL(batch_run(&batch, ops + 1, 1, &index), ST_OK);
	CHECK(sim_flushes.space == 1 && sim_flushes.hinted_all == 1);
	CHECK_EQUAL(batch_run(&batch, ops, 1, &index), ST_MISMATCH);
	CHECK_EQUAL(sim_flushes.space, 1); /* nothing changed */
	ops[0].a = 0;
	ops[0].b = page(0);
	batch.scope = NULL;
	batch.results = sim_last.results;
	batch.result_max = 1;
	CHECK_EQUAL(batch_run(&batch, ops, 1, &index), ST_OK);
	CHECK_EQUAL(sim_flushes.hinted_all, 2); /* no scope: everything */
}

static void test_hints_count_for_the_part_that_was_done(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(1), 0), ST_OK);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 1, op_head(OP_CLEAR, FLUSH_ALL, L1, 0, 2), 0, 0), ST_MORE);
	CHECK_EQUAL(sim_last.done, 1);
	CHECK_EQUAL(sim_flushes.hinted_all, 1);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 0, op_head(OP_CLEAR, FLUSH_ALL, L1, 1, 1), 0, 0), ST_MORE);
	CHECK_EQUAL(sim_flushes.hinted_all, 1);
}

/* ---- fill ---- */

static status_t fill(uint32_t first, const uint32_t *list, uint32_t count, uint64_t a, uint64_t b)
{
	static struct op ops[100];

	memset(ops, 0, sizeof(ops));
	ops[0] = (struct op){ op_head(OP_FILL, 0, L1, first, count), a, b };
	memcpy(ops + 1, list, count * sizeof(list[0]));
	ops[1 + (count + 5) / 6] = (struct op){ op_head(OP_SET, 0, L1, 511, 0), page(9), 0 };
	return sim_batch(POOL_ROOT, ops, 2 + (count + 5) / 6, &sim_last);
}

static void test_fill_maps_a_list_of_frames(void)
{
	uint32_t list[7];

	for (uint32_t i = 0; i < 7; i++)
		list[i] = DATA_FIRST + i;
	list[2] = 0;
	CHECK_EQUAL(set(L1, 14, 0x40, 0), ST_OK);
	CHECK_EQUAL(fill(10, list, 7, PAGE_RW | PTE_SOFT1, 0), ST_OK);
	CHECK_EQUAL(sim_last.index, 4); /* itself, two places of its list, and the SET behind */
	for (uint32_t i = 0; i < 7; i++) {
		uint64_t expected = i == 2 ? 0 : i == 4 ? 0x40 : page(i) | PTE_SOFT1;

		CHECK_EQUAL(entries(L1)[10 + i], expected);
		CHECK_EQUAL(refs(DATA_FIRST + i), i != 2 && i != 4);
	}
	CHECK_EQUAL(entries(L1)[511], page(9));
	CHECK_EQUAL(live(L1), 7);
}

static void test_fill_replaces_only_what_is_expected(void)
{
	uint32_t list[3] = { DATA_FIRST, DATA_FIRST + 1, DATA_FIRST + 2 };

	CHECK_EQUAL(set(L1, 0, 0x80, 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, 0x80, 0), ST_OK);
	CHECK_EQUAL(fill(0, list, 3, PAGE_RW, 0x80), ST_OK);
	CHECK(entries(L1)[0] == page(0) && entries(L1)[1] == page(1) && entries(L1)[2] == 0);
}

static void test_fill_stops_at_a_frame_that_is_refused(void)
{
	uint32_t list[3] = { DATA_FIRST, MORE_FIRST, DATA_FIRST + 2 };

	CHECK_EQUAL(fill(0, list, 3, PAGE_RW, 0), ST_WRONG_TYPE);
	CHECK(sim_last.index == 0 && sim_last.done == 1);
	CHECK(entries(L1)[0] == page(0) && entries(L1)[1] == 0 && entries(L1)[2] == 0);
	list[1] = 0xffffffff;
	CHECK_EQUAL(fill(0, list, 3, PAGE_RW, 0), ST_BAD_ARGUMENT);
	list[1] = FRAMES;
	CHECK_EQUAL(fill(0, list, 3, PAGE_RW, 0), ST_BAD_FRAME);
	frame_refs_limit = 1;
	list[1] = DATA_FIRST;
	CHECK_EQUAL(fill(0, list, 3, PAGE_RW, 0), ST_LIMIT);
}

/* No list: what is behind is the next operation. */
static void test_fill_maps_a_run_of_frames(void)
{
	const struct op ops[2] = { { op_head(OP_FILL, 0, L1, 10, 4), page(2) | PTE_SOFT1, 0 },
		{ op_head(OP_SET, 0, L1, 511, 0), page(9), 0 } };

	CHECK_EQUAL(set(L1, 12, 0x40, 0), ST_OK);
	CHECK_EQUAL(sim_batch(POOL_ROOT, ops, 2, &sim_last), ST_OK);
	CHECK_EQUAL(sim_last.index, 2);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(entries(L1)[10 + i], i == 2 ? 0x40 : page(2 + i) | PTE_SOFT1);
	CHECK_EQUAL(refs(DATA_FIRST + 4), 0);
	CHECK_EQUAL(entries(L1)[511], page(9));
	CHECK_EQUAL(run(OP_FILL, L1, 20, 1, pte_make(0x10000000, PAGE_RW), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_FILL, L1, 20, 1, pte_make(FRAMES, PAGE_RW), 0), ST_BAD_FRAME);
}

static void write_pages(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		entries(DATA_FIRST + i)[7] = 7;
}

static status_t fill_clear(pfn_t table, uint32_t index, uint32_t count, uint64_t a)
{
	return sim_op(POOL_ROOT, op_head(OP_FILL, FILL_CLEAR, table, index, count), a, 0);
}

static void test_fill_clears_what_it_maps(void)
{
	write_pages(5);
	CHECK_EQUAL(set(L1, 2, 0x40, 0), ST_OK);
	CHECK_EQUAL(fill_clear(L1, 0, 4, page(0)), ST_OK);
	for (uint32_t i = 0; i < 5; i++) {
		bool is_mapped = i < 4 && i != 2;

		CHECK_EQUAL(entries(DATA_FIRST + i)[7], is_mapped ? 0 : 7);
		CHECK_EQUAL(refs(DATA_FIRST + i), is_mapped ? 1 : 0);
	}
}

/* What is known to be zeros is not cleared. */
static void test_fill_does_not_clear_blank_frames(void)
{
	uint64_t cleared;

	write_pages(3);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_ZERO, 0, DATA_FIRST + 1, 0, 1), 0, 0), ST_OK);
	cleared = counters.frames_cleared;
	CHECK_EQUAL(fill_clear(L1, 0, 3, page(0)), ST_OK);
	CHECK_EQUAL(counters.frames_cleared, cleared + 2);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(entries(DATA_FIRST + i)[7], 0);
}

/* A page that is in use is neither cleared nor mapped, nor any behind it. */
static void test_fill_clears_only_what_nothing_uses(void)
{
	write_pages(3);
	CHECK_EQUAL(set(L1, 100, page(1), 0), ST_OK);
	CHECK_EQUAL(fill_clear(L1, 0, 3, page(0)), ST_BUSY);
	CHECK(sim_last.index == 0 && sim_last.done == 1);
	CHECK(entries(L1)[0] == page(0) && entries(L1)[1] == 0 && entries(L1)[2] == 0);
	CHECK(entries(DATA_FIRST + 1)[7] == 7 && entries(DATA_FIRST + 2)[7] == 7);
	CHECK_EQUAL(run(OP_HOLD, DATA_FIRST + 2, 0, 0, 0, 0), ST_OK);
	CHECK_EQUAL(fill_clear(L1, 2, 1, page(2)), ST_BUSY);
	CHECK_EQUAL(fill_clear(L1, 2, 1, pte_make(MORE_FIRST, PAGE_RW)), ST_WRONG_TYPE);
	CHECK_EQUAL(fill_clear(L1, 2, 1, pte_make(SIM_ZERO_FRAME, PTE_P | PTE_U)), ST_BAD_FRAME);
	CHECK_EQUAL(fill_clear(L2, 2, 1, page(3)), ST_WRONG_TYPE);
}

/* Old translations must be gone before it is cleared, not only before it is mapped. */
static void test_fill_clears_after_a_flush(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 1, 0, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, 0);
	CHECK_EQUAL(fill_clear(L1, 0, 2, page(0)), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, 1);
}

static void test_fill_refuses_bad_arguments(void)
{
	uint32_t list[6] = { DATA_FIRST };

	CHECK_EQUAL(fill(0, list, 0, PAGE_RW, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(fill(510, list, 3, PAGE_RW, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(fill(0, list, 1, PAGE_RW & ~PTE_P, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_FILL, L1, 0, 1, PAGE_RW, 0), ST_BAD_ARGUMENT); /* no list behind */
	CHECK_EQUAL(entries(L1)[0], 0);
}

/* ---- copy ---- */

static void test_copy_shares_and_takes_write(void)
{
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_A | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(1) | PTE_SHARED, 0), ST_OK);
	CHECK_EQUAL(set(L1, 3, 0x1234568, 0), ST_OK);
	CHECK_EQUAL(set(L1, 4, pte_make(SIM_ZERO_FRAME, PAGE_RO), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 5, target(L1_TWO, 100), 0), ST_OK);
	CHECK(entries(L1)[0] == ((page(0) | PTE_A | PTE_D) & ~PTE_W) &&
		entries(L1_TWO)[100] == entries(L1)[0]);
	CHECK(entries(L1)[1] == (page(1) | PTE_SHARED) && entries(L1_TWO)[101] == entries(L1)[1]);
	CHECK(entries(L1_TWO)[102] == 0 && entries(L1_TWO)[103] == 0x1234568);
	CHECK_EQUAL(entries(L1_TWO)[104], pte_make(SIM_ZERO_FRAME, PAGE_RO));
	CHECK(refs(DATA_FIRST) == 2 && refs(DATA_FIRST + 1) == 2 && live(L1) == 4 &&
		live(L1_TWO) == 4);
}

static void test_copy_of_top_levels_is_fork(void)
{
	CHECK_EQUAL(set(TOP, 255, link_to(L3), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, TOP, 0, 256, target(TOP_TWO, 0), 0), ST_OK);
	CHECK(entries(TOP)[0] == (link_to(L3) & ~PTE_W) && entries(TOP_TWO)[0] == entries(TOP)[0]);
	CHECK(entries(TOP_TWO)[255] == entries(TOP)[255] && live(TOP_TWO) == 2);
	CHECK_EQUAL(refs(L3), 4);
}

static void test_copy_and_move_never_take_the_message_slot(void)
{
	CHECK_EQUAL(set(TOP, LAYOUT_MESSAGE_SLOT, link_to(L3), 0), ST_OK);
	CHECK_EQUAL(
		run(OP_COPY, TOP, LAYOUT_MESSAGE_SLOT, 1, target(TOP_TWO, LAYOUT_MESSAGE_SLOT), 0),
		ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_COPY, TOP, LAYOUT_MESSAGE_SLOT, 1, target(TOP_TWO, 0), 0), ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_COPY, TOP, 0, 1, target(TOP_TWO, LAYOUT_MESSAGE_SLOT), 0), ST_NO_RIGHT);
	CHECK_EQUAL(
		run(OP_MOVE, TOP, LAYOUT_MESSAGE_SLOT, 1, target(TOP_TWO, LAYOUT_MESSAGE_SLOT), 0),
		ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_COPY, TOP, LAYOUT_VMALLOC_LAST_SLOT, 2,
			    target(TOP_TWO, LAYOUT_VMALLOC_LAST_SLOT), 0),
		ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_COPY, TOP, 0, 1, target(TOP_TWO, 300), 0), ST_NO_RIGHT);
	CHECK_EQUAL(run(OP_COPY, TOP, 300, 1, target(TOP_TWO, 0), 0), ST_NO_RIGHT);
	CHECK_EQUAL(split(TOP, LAYOUT_MESSAGE_SLOT, MORE_FIRST), ST_NO_RIGHT);
	CHECK_EQUAL(live(TOP_TWO), 0);
}

static void test_copy_refuses(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 9, page(1), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L1_TWO, 9), 0), ST_MISMATCH);
	CHECK_EQUAL(
		run(OP_COPY, L1, 0, 20, target(L1_TWO, 0), 0), ST_MISMATCH); /* also below a zero */
	CHECK_EQUAL(entries(L1)[0], page(0));
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L2_TWO, 0), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(DATA_FIRST, 0), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(FRAMES, 0), 0), ST_BAD_FRAME);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 2, target(L1_TWO, 511), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 511, 2, target(L1_TWO, 0), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 0, target(L1_TWO, 0), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L1_TWO, 0) | 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L1_TWO, 0) | 1ull << 35, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 1, target(L1_TWO, 0), 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_COPY, L1, 0, 4, target(L1, 2), 0), ST_BAD_ARGUMENT); /* overlap */
	CHECK_EQUAL(run(OP_COPY, L1, 0, 2, target(L1, 2), 0), ST_OK);
}

static void test_copy_stops_at_a_full_counter(void)
{
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(set(L1, i, page(i), 0), ST_OK);
	CHECK_EQUAL(set(L1, 5, page(2), 0), ST_OK);
	frame_refs_limit = 2;
	CHECK_EQUAL(run(OP_COPY, L1, 0, 4, target(L1_TWO, 0), 0), ST_LIMIT);
	CHECK_EQUAL(sim_last.done, 2);
	CHECK(live(L1_TWO) == 2 && entries(L1)[2] == page(2) &&
		entries(L1)[1] == (page(1) & ~PTE_W));
}

static void test_runs_go_on_where_the_work_limit_stopped_them(void)
{
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(set(L1, 2 * i, page(i), 0), ST_OK);
	CHECK_EQUAL(with_work(3, op_head(OP_COPY, 0, L1, 0, 8), target(L1_TWO, 0), 0), ST_MORE);
	CHECK(sim_last.done == 3 && live(L1_TWO) == 2);
	CHECK_EQUAL(run(OP_COPY, L1, 3, 5, target(L1_TWO, 3), 0), ST_OK);
	CHECK_EQUAL(with_work(5, op_head(OP_CLEAR, 0, L1, 0, 8), 0, 0), ST_MORE);
	CHECK(sim_last.done == 5 && live(L1) == 1);
	CHECK_EQUAL(with_work(2, op_head(OP_PROTECT, 0, L1_TWO, 0, 8), PTE_U, 0), ST_MORE);
	CHECK_EQUAL(sim_last.done, 2);
	CHECK_EQUAL(with_work(6, op_head(OP_MOVE, 0, L1_TWO, 0, 8), target(L1, 100), 0), ST_MORE);
	CHECK(sim_last.done == 6 && live(L1_TWO) == 1 && live(L1) == 4);
	CHECK_EQUAL(with_work(0, op_head(OP_READ, 0, L1, 0, 8), 0, 0), ST_MORE);
	CHECK_EQUAL(sim_last.done, 0);
}

/* ---- move ---- */

static void test_move_keeps_rights_and_counts(void)
{
	uint64_t entry = page(0) | PTE_A | PTE_D;

	CHECK_EQUAL(set(L1, 0, entry, 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, 0x222, 0), ST_OK);
	CHECK_EQUAL(run(OP_MOVE, L1, 0, 3, target(L1_TWO, 7), 0), ST_OK);
	CHECK(entries(L1)[0] == 0 && entries(L1_TWO)[7] == entry && entries(L1_TWO)[9] == 0x222);
	CHECK(refs(DATA_FIRST) == 1 && live(L1) == 0 && live(L1_TWO) == 2 && sim_last.count == 0);
	CHECK_EQUAL(run(OP_MOVE, L1_TWO, 7, 3, target(L1_TWO, 10), 0), ST_OK);
	CHECK(live(L1_TWO) == 2 && entries(L1_TWO)[10] == entry);
	CHECK_EQUAL(run(OP_MOVE, L1_TWO, 10, 3, target(L1_TWO, 11), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 30, page(1), 0), ST_OK);
	CHECK_EQUAL(run(OP_MOVE, L1_TWO, 10, 1, target(L1, 30), 0), ST_MISMATCH);
}

/* ---- split ---- */

static void share_l1(void)
{
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_A, 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(1) | PTE_SHARED, 0), ST_OK);
	CHECK_EQUAL(set(L1, 300, 0x3000, 0), ST_OK);
	CHECK_EQUAL(set(L1, 511, pte_make(SIM_ZERO_FRAME, PAGE_RO), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
}

static void test_split_gives_a_copy_to_one_parent(void)
{
	share_l1();
	memset(frame_memory(MORE_FIRST), 0xee, PAGE_SIZE);
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_OK);
	CHECK_EQUAL(entries(L2)[0], link_to(MORE_FIRST));
	CHECK_EQUAL(entries(L2_TWO)[0], link_to(L1) & ~PTE_W);
	CHECK(frame_table[MORE_FIRST].type == FRAME_L1 && refs(MORE_FIRST) == 1 && refs(L1) == 1);
	CHECK(live(MORE_FIRST) == 4 && live(L1) == 4);
	CHECK(refs(DATA_FIRST) == 2 && refs(DATA_FIRST + 1) == 2);
	CHECK_EQUAL(entries(L1)[0], (page(0) | PTE_A) & ~PTE_W);
	CHECK_EQUAL(entries(L1)[1], page(1) | PTE_SHARED);
	CHECK(memcmp(entries(L1), entries(MORE_FIRST), PAGE_SIZE) == 0);
	CHECK_EQUAL(sim_last.count, 0);
}

static void test_split_works_at_each_level(void)
{
	CHECK_EQUAL(run(OP_COPY, TOP, 0, 1, target(TOP_TWO, 0), 0), ST_OK);
	CHECK_EQUAL(split(TOP, 0, MORE_FIRST), ST_OK);
	CHECK(frame_table[MORE_FIRST].type == FRAME_L3 && refs(L2) == 2);
	CHECK_EQUAL(split(MORE_FIRST, 0, MORE_FIRST + 1), ST_OK);
	CHECK(frame_table[MORE_FIRST + 1].type == FRAME_L2 && refs(L1) == 2);
	CHECK_EQUAL(split(MORE_FIRST + 1, 0, MORE_FIRST + 2), ST_OK);
	CHECK_EQUAL(set(MORE_FIRST + 2, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(entries(L1)[0], 0); /* the other space does not see it */
}

static void test_split_of_empty_and_full_tables(void)
{
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
	memset(frame_memory(MORE_FIRST), 0xee, PAGE_SIZE);
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_OK);
	for (uint32_t i = 0; i < 512; i++)
		CHECK_EQUAL(entries(MORE_FIRST)[i], 0);
	for (uint32_t i = 0; i < 512; i++)
		CHECK_EQUAL(set(MORE_FIRST, i, page(i % 60), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 1), 0), ST_OK);
	CHECK_EQUAL(split(L2, 0, MORE_FIRST + 1), ST_OK);
	CHECK(memcmp(entries(MORE_FIRST), entries(MORE_FIRST + 1), PAGE_SIZE) == 0);
	CHECK(live(MORE_FIRST + 1) == 512 && entries(MORE_FIRST)[511] == (page(511 % 60) & ~PTE_W));
}

static void test_split_copies_all_wherever_it_begins(void)
{
	for (uint32_t near = 0; near < TABLE_ENTRIES; near += 73) {
		pfn_t fresh = MORE_FIRST + near;

		CHECK_EQUAL(retype(fresh, 1, FRAME_DATA), ST_OK);
		memset(frame_memory(fresh), 0xff, PAGE_SIZE);
		CHECK_EQUAL(run(OP_CLEAR, L1, 0, TABLE_ENTRIES, 0, 0), ST_OK);
		CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
		CHECK_EQUAL(set(L1, 300, 0x10, 0), ST_OK);
		CHECK_EQUAL(set(L1, 511, page(1), 0), ST_OK);
		CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
		CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_SPLIT, 0, L2_TWO, 0, near), fresh,
				    entries(L2_TWO)[0]),
			ST_OK);
		CHECK(memcmp(entries(fresh), entries(L1), PAGE_SIZE) == 0 && live(fresh) == 3);
		CHECK(entries(fresh)[0] == (page(0) & ~PTE_W) && entries(fresh)[300] == 0x10 &&
			entries(fresh)[511] == (page(1) & ~PTE_W));
		CHECK_EQUAL(set(L2_TWO, 0, 0, entries(L2_TWO)[0]), ST_OK);
		CHECK_EQUAL(run(OP_CLEAR, fresh, 0, TABLE_ENTRIES, 0, 0), ST_OK);
	}
}

static void test_split_refuses(void)
{
	uint64_t head = op_head(OP_SPLIT, 0, L2, 0, 0), entry;

	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_MISMATCH); /* sole owner */
	share_l1();
	entry = entries(L2)[0];
	CHECK_EQUAL(sim_op(POOL_ROOT, head, MORE_FIRST, entry | PTE_W), ST_MISMATCH);
	CHECK_EQUAL(sim_op(POOL_ROOT, head, MORE_FIRST, entry | PTE_A), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 1), 0), ST_OK);
	CHECK_EQUAL(split(L2, 0, L1_TWO), ST_WRONG_TYPE);
	CHECK_EQUAL(split(L2, 0, L2), ST_WRONG_TYPE);
	CHECK_EQUAL(split(L2, 0, FRAMES), ST_BAD_FRAME);
	CHECK_EQUAL(split(L2, 0, SIM_ZERO_FRAME), ST_BAD_FRAME);
	CHECK_EQUAL(sim_op(POOL_ROOT, head, (1ull << 32) + MORE_FIRST + 3, entries(L2)[0]),
		ST_BAD_FRAME);
	CHECK_EQUAL(split(L2, 0, DATA_FIRST), ST_BUSY);
	CHECK_EQUAL(split(L1, 0, MORE_FIRST + 1), ST_WRONG_TYPE);
	CHECK_EQUAL(split(L2, 9, MORE_FIRST + 1), ST_MISMATCH); /* nothing there */
	CHECK_EQUAL(split(DATA_FIRST, 0, MORE_FIRST + 1), ST_WRONG_TYPE);
	CHECK_EQUAL(with_work(511, head, MORE_FIRST + 1, entries(L2)[0]), ST_MORE);
	CHECK_EQUAL(refs(MORE_FIRST), 2);
}

static void test_split_refuses_before_any_change_when_a_counter_is_full(void)
{
	uint64_t before[512];

	share_l1();
	CHECK_EQUAL(set(L1, 2, page(0), 0), ST_OK);
	frame_refs_limit = 2;
	memcpy(before, entries(L1), sizeof(before));
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_LIMIT);
	CHECK(memcmp(before, entries(L1), sizeof(before)) == 0 && refs(DATA_FIRST + 1) == 1);
	CHECK_EQUAL(frame_table[MORE_FIRST].type, FRAME_FREE);
}

static void test_split_counts_a_frame_that_stands_twice(void)
{
	CHECK_EQUAL(set(L1, 2, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 400, page(0), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L2, 0, 1, target(L2_TWO, 0), 0), ST_OK);
	frame_refs_limit = 3; /* room for one more, not for two */
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_LIMIT);
	CHECK(refs(DATA_FIRST) == 2 && refs(L1) == 2 && entries(L1)[2] == page(0));
	frame_refs_limit = 4;
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_OK);
	CHECK_EQUAL(refs(DATA_FIRST), 4);
}

static void test_split_refuses_a_table_of_message_pages(void)
{
	CHECK_EQUAL(set(L1, 9, pte_make(MSG, PAGE_RW), 0), ST_OK);
	share_l1();
	CHECK_EQUAL(split(L2, 0, MORE_FIRST), ST_LIMIT);
	CHECK_EQUAL(entries(L1)[0], page(0) | PTE_A);
	CHECK_EQUAL(refs(MSG), 1);
}

static void test_split_needs_authority_over_the_old_table(void)
{
	uint16_t pool = child_pool(POOL_ROOT);

	CHECK_EQUAL(give(pool, MORE_FIRST, 2), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_RETYPE, 0, MORE_FIRST, 0, 1), FRAME_L2, 0), ST_OK);
	CHECK_EQUAL(set(MORE_FIRST, 0, link_to(L1) & ~PTE_W, 0), ST_OK);
	CHECK_EQUAL(sim_op(pool, op_head(OP_SPLIT, 0, MORE_FIRST, 0, 0), MORE_FIRST + 1,
			    link_to(L1) & ~PTE_W),
		ST_BAD_FRAME);
	CHECK_EQUAL(split(MORE_FIRST, 0, MORE_FIRST + 1), ST_OK);
}

static void test_split_flushes_for_a_just_freed_frame(void)
{
	uint64_t flushes;

	share_l1();
	CHECK_EQUAL(set(L1_TWO, 0, page(20), 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 0, 0, page(20)), ST_OK);
	flushes = sim_flushes.everything;
	CHECK_EQUAL(split(L2, 0, DATA_FIRST + 20), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
}

/* ---- clear, protect, read, harvest ---- */

static void test_clear_reports_what_went(void)
{
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, 0x77e, 0), ST_OK);
	CHECK_EQUAL(set(L1, 3, page(1), 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 3, page(1), 0), ST_OK);
	CHECK_EQUAL(set(L1, 4, pte_make(SIM_ZERO_FRAME, PAGE_RO), 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 512, 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 3);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, DATA_FIRST) | RESULT_DIRTY);
	CHECK_EQUAL(sim_last.results[1], result_of(RESULT_WORD, 0));
	CHECK_EQUAL(sim_last.results[2], 0x77e);
	CHECK(live(L1) == 0 && refs(DATA_FIRST + 1) == 1);
}

static void test_clear_reports_runs_of_frames_by_one_result(void)
{
	const uint32_t runs = OP_CLEAR_RUNS | FLUSH_ALL;

	for (uint32_t i = 0; i < 6; i++) /* of six pages the fourth is shared */
		CHECK_EQUAL(set(L1, 2 * i, page(i), 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 0, page(3), 0), ST_OK);
	CHECK_EQUAL(set(L1, 12, page(7) | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 13, page(8), 0), ST_OK);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 4, op_head(OP_CLEAR, runs, L1, 0, 512), 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 4);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, DATA_FIRST) + 2 * RESULT_MORE);
	CHECK_EQUAL(RESULT_COUNT(sim_last.results[0]), 3);
	CHECK_EQUAL(sim_last.results[1], result_of(RESULT_FRAME, DATA_FIRST + 4) + RESULT_MORE);
	CHECK_EQUAL(sim_last.results[2], result_of(RESULT_FRAME, DATA_FIRST + 7) | RESULT_DIRTY);
	CHECK_EQUAL(sim_last.results[3], result_of(RESULT_FRAME, DATA_FIRST + 8));
	CHECK(live(L1) == 0 && refs(DATA_FIRST + 3) == 1 && refs(DATA_FIRST + 5) == 0);
}

/* Of these nothing ends, so nothing is reported; D is kept. */
static void test_clear_of_shared_pages_reports_nothing(void)
{
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, pte_make(SIM_ZERO_FRAME, PAGE_RO), 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, page(2), 0), ST_OK); /* twice in one table: once it is shared */
	CHECK_EQUAL(set(L1, 3, page(2), 0), ST_OK);
	CHECK_EQUAL(set(L1, 5, 0x770, 0), ST_OK);
	CHECK_EQUAL(set(L1, 6, page(3), 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 3, page(3), 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR | OP_CLEAR_RUNS << 8, L1, 0, 512, 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 3);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, DATA_FIRST + 2));
	CHECK_EQUAL(sim_last.results[1], result_of(RESULT_WORD, 0));
	CHECK(live(L1) == 0 && refs(DATA_FIRST) == 1 && refs(DATA_FIRST + 3) == 1);
	CHECK_EQUAL(frame_table[DATA_FIRST].flags, FRAME_DIRTY);
	sim_check();
}

static void test_runs_stop_when_the_list_is_full(void)
{
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(1), 0), ST_OK);
	CHECK_EQUAL(set(L1, 2, page(3), 0), ST_OK);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 2, op_head(OP_CLEAR, OP_CLEAR_RUNS, L1, 0, 3), 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 2);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, page(3), 0), ST_OK);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 1, op_head(OP_CLEAR, OP_CLEAR_RUNS, L1, 0, 3), 0, 0), ST_MORE);
	CHECK(sim_last.done == 1 && sim_last.count == 1 && live(L1) == 1);
	CHECK_EQUAL(refs(DATA_FIRST + 3), 1);
}

static void test_clear_stops_when_the_list_is_full(void)
{
	CHECK_EQUAL(set(L1, 5, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 6, 0x10, 0), ST_OK);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 2, op_head(OP_CLEAR, 0, L1, 0, 512), 0, 0), ST_MORE);
	CHECK(sim_last.done == 6 && sim_last.count == 1 && live(L1) == 1);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 2, op_head(OP_CLEAR, 0, L1, 6, 506), 0, 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 1, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 1, 0, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_CLEAR, L1, 0, 513, 0, 0), ST_BAD_ARGUMENT);
}

static void test_protect_changes_rights_of_present_entries(void)
{
	CHECK_EQUAL(set(L1, 0, page(0) | PTE_A | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, 0x2 /* W of an absent word is not W */, 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 512, PTE_W, 0), ST_OK);
	CHECK(entries(L1)[0] == ((page(0) | PTE_A | PTE_D) & ~PTE_W) && entries(L1)[1] == 2);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 2, PTE_U, 0), ST_OK); /* no access */
	CHECK(!(entries(L1)[0] & PTE_U) && refs(DATA_FIRST) == 1);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 2, PTE_NX, PTE_U | PTE_W), ST_OK);
	CHECK_EQUAL(entries(L1)[0], pte_make(DATA_FIRST, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 2, PTE_NX, PTE_NX), ST_OK); /* remove, then add */
	CHECK(entries(L1)[0] & PTE_NX);
}

static void test_sole_pages_become_writable(void)
{
	const uint64_t readable = PTE_P | PTE_U | PTE_NX;
	const uint32_t sole = OP_PROTECT_SOLE;

	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(set(L1, i, pte_make(DATA_FIRST + i, readable), 0), ST_OK);
	CHECK_EQUAL(set(L1_TWO, 0, pte_make(DATA_FIRST + 1, readable), 0), ST_OK);
	CHECK_EQUAL(run(OP_HOLD, DATA_FIRST + 2, 0, 0, 0, 0), ST_OK);
	CHECK_EQUAL(set(L1, 4, pte_make(SIM_ZERO_FRAME, readable), 0), ST_OK);
	CHECK_EQUAL(set(L1, 5, pte_make(DATA_FIRST + 5, PTE_P | PTE_NX), 0), ST_OK);
	CHECK_EQUAL(set(L1, 6, 0x10, 0), ST_OK);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_PROTECT, sole, L1, 0, 512), 0, PTE_W), ST_OK);
	for (uint32_t i = 0; i < 7; i++) /* not: shared, held, zero, without access, a word */
		CHECK_EQUAL((entries(L1)[i] & PTE_W) != 0, i == 0 || i == 3);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_PROTECT, sole, L1, 0, 1), PTE_W, PTE_W), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_PROTECT, sole, L1, 0, 1), 0, PTE_U), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_PROTECT, sole, L2, 0, 1), 0, PTE_W), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_RELEASE, DATA_FIRST + 2, 0, 0, 0, 0), ST_OK);
}

static void test_protect_refuses(void)
{
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, PTE_P, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, 0, PTE_SHARED), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 1, 0, PTE_G), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L1, 0, page(0), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, pte_make(SIM_ZERO_FRAME, PAGE_RO), 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 2, 0, PTE_W), ST_WRONG_TYPE);
	CHECK_EQUAL(sim_last.done, 1);
	CHECK_EQUAL(run(OP_PROTECT, L1, 0, 2, PTE_NX, 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W, 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, 0, PTE_W), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_U, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W | PTE_U, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, 0, PTE_NX), ST_BAD_ARGUMENT);
	CHECK_EQUAL(entries(L2)[0], link_to(L1));
}

static void test_read_gives_raw_entries(void)
{
	CHECK_EQUAL(set(L1, 1, page(0), 0), ST_OK);
	CHECK_EQUAL(run(OP_READ, L1, 0, 3, 0, 0), ST_OK);
	CHECK(sim_last.count == 3 && sim_last.results[0] == 0 && sim_last.results[1] == page(0));
	CHECK_EQUAL(run(OP_READ, L1, 0, 512, 0, 0), ST_MORE);
	CHECK(sim_last.done == OP_RESULTS_MAX && sim_last.count == OP_RESULTS_MAX);
	CHECK_EQUAL(run(OP_READ, L1, 0, 1, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(run(OP_READ, DATA_FIRST, 0, 1, 0, 0), ST_WRONG_TYPE);
}

static void test_harvest_reads_and_clears_accessed_and_dirty(void)
{
	CHECK_EQUAL(set(L1, 3, page(0) | PTE_A | PTE_D, 0), ST_OK);
	CHECK_EQUAL(set(L1, 4, page(1), 0), ST_OK);
	CHECK_EQUAL(set(L1, 5, page(2) | PTE_A, 0), ST_OK);
	CHECK_EQUAL(set(L1, 6, PTE_A | PTE_D, 0), ST_OK); /* a word of the pager's */
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 1, op_head(OP_HARVEST, 0, L1, 0, 512), 0, 0), ST_MORE);
	CHECK_EQUAL(sim_last.results[0], 3 << OP_INDEX_SHIFT | PTE_A | PTE_D);
	CHECK(sim_last.done == 5 && entries(L1)[3] == page(0) &&
		entries(L1)[5] == (page(2) | PTE_A));
	CHECK_EQUAL(run(OP_HARVEST, L1, 5, 507, 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 1);
	CHECK_EQUAL(sim_last.results[0], 5 << OP_INDEX_SHIFT | PTE_A);
	CHECK_EQUAL(entries(L1)[6], PTE_A | PTE_D);
	CHECK_EQUAL(run(OP_HARVEST, L1, 0, 1, 1, 0), ST_BAD_ARGUMENT);
}

/* ---- 2 MiB entries ---- */

static uint64_t large(void)
{
	return pte_make(BLOCK_HEAD, PAGE_RW | PTE_PS);
}

static void make_block(void)
{
	CHECK_EQUAL(retype(BLOCK_HEAD, 512, FRAME_DATA), ST_OK);
}

static void test_large_entries_form_and_dissolve_blocks(void)
{
	make_block();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK(live(BLOCK_HEAD) == 1 && refs(BLOCK_HEAD) == 0 &&
		frame_table[L2].flags == FRAME_SPECIAL);
	for (uint32_t i = 0; i < 512; i++)
		CHECK_EQUAL(frame_table[BLOCK_HEAD + i].flags, FRAME_BLOCK);
	CHECK_EQUAL(set(L2, 2, large(), 0), ST_OK);
	CHECK_EQUAL(live(BLOCK_HEAD), 2);
	CHECK_EQUAL(retype(BLOCK_HEAD + 5, 1, FRAME_FREE), ST_BUSY);
	CHECK_EQUAL(give(child_pool(POOL_ROOT), BLOCK_HEAD + 5, 1), ST_BUSY);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_LEND, 0, BLOCK_HEAD + 5, 0, 0),
			    child_pool(POOL_ROOT), 0),
		ST_BUSY);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK_EQUAL(sim_last.count, 0);
	entries(L2)[2] |= PTE_D;
	CHECK_EQUAL(set(L2, 2, 0, large()), ST_OK);
	CHECK_EQUAL(sim_last.results[0],
		result_of(RESULT_FRAME, BLOCK_HEAD) | RESULT_BLOCK | RESULT_DIRTY);
	for (uint32_t i = 0; i < 512; i++) {
		CHECK_EQUAL(frame_table[BLOCK_HEAD + i].flags, FRAME_DIRTY);
		CHECK_EQUAL(frame_table[BLOCK_HEAD + i].epoch, flush_epoch);
	}
	CHECK_EQUAL(retype(BLOCK_HEAD, 512, FRAME_FREE), ST_OK);
}

static void test_large_and_small_entries_coexist(void)
{
	uint64_t small = pte_make(BLOCK_HEAD + 3, PAGE_RW);

	make_block();
	CHECK_EQUAL(set(L1, 0, small, 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L1, 1, small, 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, small), ST_OK);
	CHECK_EQUAL(set(L1, 1, 0, small), ST_OK);
	CHECK_EQUAL(sim_last.count, 0); /* the block still maps it */
	CHECK_EQUAL(set(L1, 1, small, 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK(refs(BLOCK_HEAD + 3) == 1 && frame_table[BLOCK_HEAD + 3].epoch != flush_epoch);
	CHECK_EQUAL(set(L1, 1, 0, small), ST_OK);
	CHECK_EQUAL(sim_last.results[0], result_of(RESULT_FRAME, BLOCK_HEAD + 3));
}

static void test_large_entries_are_checked(void)
{
	uint16_t pool = child_pool(POOL_ROOT);

	CHECK_EQUAL(set(L2, 1, large(), 0), ST_WRONG_TYPE); /* not DATA */
	make_block();
	CHECK_EQUAL(set(L2, 1, large() + PAGE_SIZE, 0), ST_BAD_ARGUMENT); /* not aligned (PAT) */
	CHECK_EQUAL(set(L2, 1, pte_make(BLOCK_HEAD + 8, PAGE_RW | PTE_PS), 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 1, large() | PTE_G, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(set(L2, 1, pte_make(FRAMES, PAGE_RW | PTE_PS), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L2, 1, pte_make(0, PAGE_RW | PTE_PS), 0), ST_BAD_FRAME);
	CHECK_EQUAL(set(L3, 1, large(), 0), ST_BAD_ARGUMENT); /* no 1 GiB entries */
	CHECK_EQUAL(retype(BLOCK_HEAD + 511, 1, FRAME_FREE), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_WRONG_TYPE);
	CHECK_EQUAL(retype(BLOCK_HEAD + 511, 1, FRAME_DATA), ST_OK);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_LEND, 0, BLOCK_HEAD + 9, 0, 0), pool, 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_BUSY);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_LEND, 0, BLOCK_HEAD + 9, 0, 0), 0, 0), ST_OK);
	CHECK_EQUAL(give(pool, BLOCK_HEAD + 100, 1), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_BAD_FRAME);
	CHECK_EQUAL(give(POOL_ROOT, BLOCK_HEAD + 100, 1), ST_OK);
	CHECK_EQUAL(with_work(512, op_head(OP_SET, 0, L2, 1, 0), large(), 0), ST_MORE);
	CHECK_EQUAL(with_work(513, op_head(OP_SET, 0, L2, 1, 0), large(), 0), ST_OK);
	CHECK_EQUAL(with_work(512, op_head(OP_SET, 0, L2, 1, 0), 0, large()), ST_MORE);
	CHECK_EQUAL(sim_op_within(OP_WORK_MAX, 0, op_head(OP_SET, 0, L2, 1, 0), 0, large()), ST_MORE);
	CHECK_EQUAL(live(BLOCK_HEAD), 1);
}

static void test_page_size_changes_through_not_present(void)
{
	make_block();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, link_to(L1_TWO), large()), ST_BUSY);
	CHECK_EQUAL(set(L2, 0, large(), link_to(L1)), ST_BUSY);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK_EQUAL(set(L2, 1, link_to(L1_TWO), 0), ST_OK);
}

static void test_large_entries_are_copied_moved_split_and_protected(void)
{
	make_block();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(run(OP_COPY, L2, 1, 1, target(L2_TWO, 1), 0), ST_OK);
	CHECK(live(BLOCK_HEAD) == 2 && entries(L2_TWO)[1] == (large() & ~PTE_W));
	CHECK_EQUAL(frame_table[L2_TWO].flags, FRAME_SPECIAL);
	CHECK_EQUAL(run(OP_MOVE, L2_TWO, 1, 1, target(L2_TWO, 5), 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L2_TWO, 5, 1, PTE_NX, PTE_W), ST_OK);
	CHECK_EQUAL(entries(L2_TWO)[5], large() & ~PTE_NX);
	CHECK_EQUAL(run(OP_PROTECT, L2_TWO, 5, 1, PTE_U, 0), ST_OK);
	CHECK_EQUAL(set(L3, 1, link_to(L2), 0), ST_OK);
	CHECK_EQUAL(split(L3, 1, MORE_FIRST), ST_OK);
	CHECK(live(BLOCK_HEAD) == 3 && frame_table[MORE_FIRST].flags == FRAME_SPECIAL &&
		refs(L1) == 2);
	frame_refs_limit = 3;
	CHECK_EQUAL(set(L3, 2, link_to(L2), 0), ST_OK);
	CHECK_EQUAL(split(L3, 2, MORE_FIRST + 1), ST_LIMIT);
	CHECK_EQUAL(set(L2_TWO, 9, large(), 0), ST_LIMIT);
	CHECK_EQUAL(run(OP_COPY, L2_TWO, 5, 1, target(L2, 100), 0), ST_LIMIT);
	frame_refs_limit = FRAME_REFS_MAX;
	CHECK_EQUAL(run(OP_CLEAR, L2, 0, 512, 0, 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, L2_TWO, 0, 512, 0, 0), ST_OK);
	CHECK_EQUAL(run(OP_CLEAR, MORE_FIRST, 0, 512, 0, 0), ST_OK);
	CHECK_EQUAL(frame_table[BLOCK_HEAD].flags & FRAME_BLOCK, 0);
}

static void test_large_entry_of_a_just_unmapped_frame_flushes_first(void)
{
	uint64_t flushes, small = pte_make(BLOCK_HEAD + 77, PAGE_RW);

	make_block();
	CHECK_EQUAL(set(L1, 0, small, 0), ST_OK);
	CHECK_EQUAL(set(L1, 0, 0, small), ST_OK);
	flushes = sim_flushes.everything;
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
}

static status_t keep_block(uint64_t a)
{
	return sim_op(POOL_ROOT, op_head(OP_BLOCK, 0, BLOCK_HEAD, 0, 0), a, 0);
}

static void test_a_kept_block_is_mapped_without_a_look(void)
{
	CHECK_EQUAL(keep_block(1), ST_WRONG_TYPE);
	make_block();
	CHECK_EQUAL(keep_block(0), ST_MISMATCH);
	CHECK_EQUAL(keep_block(2), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_BLOCK, 0, BLOCK_HEAD + 1, 0, 0), 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_BLOCK, 0, BLOCK_HEAD, 0, 0), 1, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(with_work(511, op_head(OP_BLOCK, 0, BLOCK_HEAD, 0, 0), 1, 0), ST_MORE);
	CHECK_EQUAL(keep_block(1), ST_OK);
	CHECK_EQUAL(keep_block(1), ST_MISMATCH);
	CHECK_EQUAL(frame_table[BLOCK_HEAD].flags, FRAME_BLOCK | FRAME_KEPT);
	CHECK_EQUAL(frame_table[BLOCK_HEAD + 511].flags, FRAME_BLOCK);
	CHECK_EQUAL(retype(BLOCK_HEAD + 3, 1, FRAME_FREE), ST_BUSY);
	CHECK_EQUAL(with_work(1, op_head(OP_SET, 0, L2, 1, 0), large(), 0), ST_OK);
	entries(L2)[1] |= PTE_D;
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK_EQUAL(sim_last.results[0],
		result_of(RESULT_FRAME, BLOCK_HEAD) | RESULT_BLOCK | RESULT_DIRTY);
	CHECK_EQUAL(frame_table[BLOCK_HEAD].flags, FRAME_BLOCK | FRAME_KEPT | FRAME_DIRTY);
	sim_check();
	CHECK_EQUAL(with_work(511, op_head(OP_BLOCK, 0, BLOCK_HEAD, 0, 0), 0, 0), ST_MORE);
	CHECK_EQUAL(keep_block(0), ST_OK);
	for (uint32_t i = 0; i < 512; i++)
		CHECK_EQUAL(frame_table[BLOCK_HEAD + i].flags, FRAME_DIRTY);
	CHECK_EQUAL(retype(BLOCK_HEAD, 512, FRAME_FREE), ST_OK);
}

static void test_a_block_that_is_mapped_is_kept_from_then_on(void)
{
	make_block();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(keep_block(1), ST_OK);
	CHECK_EQUAL(keep_block(0), ST_OK);
	CHECK_EQUAL(frame_table[BLOCK_HEAD + 9].flags, FRAME_BLOCK);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK_EQUAL(frame_table[BLOCK_HEAD + 9].flags, 0);
}

/* What was unmapped just now is flushed before it is somebody else's, also by its other size. */
static void test_a_kept_block_is_quiet_before_it_is_mapped_again(void)
{
	uint64_t flushes, small = pte_make(BLOCK_HEAD + 77, PAGE_RW);

	make_block();
	CHECK_EQUAL(keep_block(1), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	flushes = sim_flushes.everything;
	CHECK_EQUAL(set(L1, 0, small, 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 1);
	CHECK_EQUAL(set(L1, 0, 0, small), ST_OK);
	CHECK_EQUAL(sim_last.count, 0);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 2);
	CHECK_EQUAL(set(L2, 1, 0, large()), ST_OK);
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 3);
	CHECK_EQUAL(set(L2, 2, large(), 0), ST_OK);
	CHECK_EQUAL(sim_flushes.everything, flushes + 3);
}

static void test_frames_of_a_block_are_cleared_in_one_go(void)
{
	make_block();
	CHECK_EQUAL(keep_block(1), ST_OK);
	memset(frame_memory(BLOCK_HEAD + 3), 0xff, 70 * PAGE_SIZE);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_ZERO, 0, BLOCK_HEAD + 4, 0, 64), 0, 0), ST_OK);
	CHECK(entries(BLOCK_HEAD + 3)[511] != 0 && entries(BLOCK_HEAD + 68)[0] != 0);
	for (uint32_t i = 0; i < 64 * 512; i++)
		CHECK_EQUAL(entries(BLOCK_HEAD + 4)[i], 0);
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_ZERO, 0, BLOCK_HEAD, 0, 512), 0, 0), ST_MORE);
	CHECK_EQUAL(sim_last.done, 64);
	CHECK_EQUAL(frame_table[BLOCK_HEAD].flags, FRAME_BLOCK | FRAME_KEPT);
}

static void test_a_large_entry_is_split_into_its_pages(void)
{
	uint64_t link = pte_make(MORE_FIRST, PTE_P | PTE_W | PTE_U | PTE_A);

	make_block();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(set(L2, 2, large(), 0), ST_OK);
	entries(L2)[1] |= PTE_D | PTE_A;
	CHECK_EQUAL(sim_op(POOL_ROOT, op_head(OP_SPLIT, 0, L2, 1, 0), MORE_FIRST, large() ^ PTE_W), ST_MISMATCH);
	CHECK_EQUAL(split(L2, 1, BLOCK_HEAD + 6), ST_BUSY);
	CHECK_EQUAL(split(L2, 1, L1_TWO), ST_WRONG_TYPE);
	CHECK_EQUAL(split(L2, 1, FRAMES), ST_BAD_FRAME);
	CHECK_EQUAL(with_work(511, op_head(OP_SPLIT, 0, L2, 1, 0), MORE_FIRST, large()), ST_MORE);
	CHECK_EQUAL(split(L2, 1, MORE_FIRST), ST_OK);
	CHECK_EQUAL(entries(L2)[1], link);
	for (uint32_t i = 0; i < 512; i++) {
		CHECK_EQUAL(entries(MORE_FIRST)[i], pte_make(BLOCK_HEAD + i, PAGE_RW | PTE_A));
		CHECK_EQUAL(refs(BLOCK_HEAD + i), 1);
	}
	CHECK(live(MORE_FIRST) == 512 && refs(MORE_FIRST) == 1 && live(BLOCK_HEAD) == 1);
	CHECK_EQUAL(frame_table[BLOCK_HEAD].flags, FRAME_BLOCK | FRAME_DIRTY);
	sim_check();
	frame_refs_limit = 1;
	CHECK_EQUAL(split(L2, 2, MORE_FIRST + 1), ST_LIMIT);
	frame_refs_limit = FRAME_REFS_MAX;
	CHECK_EQUAL(keep_block(1), ST_OK);
	CHECK_EQUAL(split(L2, 2, MORE_FIRST + 1), ST_OK);
	for (uint32_t i = 0; i < 512; i++)
		CHECK(refs(BLOCK_HEAD + i) == 2 && frame_table[BLOCK_HEAD + i].flags == FRAME_DIRTY);
	sim_check();
}

/* ---- the walk, beside the simulated processor ---- */

static uint32_t refuses(uint64_t address, uint32_t access)
{
	struct walk walk;
	uint32_t error;
	uint8_t *byte = sim_access(TOP, address, access, &error);

	table_walk(TOP, address, access, &walk);
	CHECK_EQUAL(walk.refusing_level == 0, byte != NULL);
	CHECK_EQUAL(walk.levels, LAYOUT_LEVELS);
	return walk.refusing_level;
}

static void test_walk_finds_the_refusing_level(void)
{
	CHECK_EQUAL(refuses(0x5000, 0), 1);
	CHECK_EQUAL(refuses(0x200000, 0), 2);
	CHECK_EQUAL(refuses(0x40000000, 0), 3);
	CHECK_EQUAL(refuses(1ull << 39, 0), 4);
	CHECK_EQUAL(set(L1, 5, page(0), 0), ST_OK);
	CHECK_EQUAL(refuses(0x5000, 0), 0);
	CHECK_EQUAL(refuses(0x5000, FAULT_WRITE), 0);
	CHECK_EQUAL(refuses(0x5000, FAULT_FETCH), 1);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W, 0), ST_OK);
	CHECK_EQUAL(refuses(0x5000, FAULT_WRITE), 2);
	CHECK_EQUAL(refuses(0x5000, 0), 0);
	CHECK_EQUAL(run(OP_PROTECT, TOP, 0, 1, PTE_W, 0), ST_OK);
	CHECK_EQUAL(refuses(0x5000, FAULT_WRITE), 4);
	CHECK_EQUAL(run(OP_PROTECT, L1, 5, 1, PTE_U | PTE_NX, 0), ST_OK);
	CHECK_EQUAL(refuses(0x5000, 0), 1);
}

static void test_walk_keeps_the_entries(void)
{
	struct walk walk;

	CHECK_EQUAL(set(L1, 5, 0x1230, 0), ST_OK);
	CHECK_EQUAL(run(OP_PROTECT, L2, 0, 1, PTE_W, 0), ST_OK);
	table_walk(TOP, 0x5000, FAULT_WRITE, &walk);
	CHECK(walk.entry[0] == link_to(L3) && walk.entry[1] == link_to(L2));
	CHECK(walk.entry[2] == (link_to(L1) & ~PTE_W) && walk.entry[3] == 0x1230 &&
		walk.entry[4] == 0);
	CHECK_EQUAL(walk.refusing_level, 2);
	entries(L2)[0] |= PTE_NX; /* not by any operation; hardware would heed it */
	table_walk(TOP, 0x5000, FAULT_FETCH, &walk);
	CHECK_EQUAL(walk.refusing_level, 2);
	entries(L2)[0] &= ~PTE_NX;
	table_walk(TOP, 1ull << 30, 0, &walk);
	CHECK(walk.entry[0] == link_to(L3) && walk.entry[1] == 0 && walk.entry[2] == 0);
}

static void test_walk_of_large_entries(void)
{
	struct walk walk;

	make_block();
	CHECK_EQUAL(set(L2, 1, large(), 0), ST_OK);
	CHECK_EQUAL(refuses(0x200000 + 0x3004, FAULT_WRITE), 0);
	CHECK_EQUAL(refuses(0x200000, FAULT_FETCH), 2);
	table_walk(TOP, 0x200000, 0, &walk);
	CHECK_EQUAL(walk.entry[2], entries(L2)[1]);
	CHECK_EQUAL(walk.entry[3], 0);
}

static void test_walk_does_not_show_the_kernels_tables(void)
{
	struct walk walk;

	entries(TOP)[LAYOUT_DIRECT_FIRST_SLOT] = pte_make(SIM_KERNEL_FRAME, PTE_P | PTE_W);
	entries(SIM_KERNEL_FRAME)[0] = 0x123;
	table_walk(TOP, LAYOUT_DIRECT_MAP, 0, &walk);
	CHECK_EQUAL(walk.refusing_level, 4);
	CHECK_EQUAL(walk.entry[1], 0);
	entries(TOP)[3] = pte_make(L3, LINK | PTE_PS); /* reserved: hardware refuses it */
	CHECK_EQUAL(refuses(3ull << 39, 0), 4);
	entries(TOP)[3] = link_to(L3) | 1ull << 50;
	CHECK_EQUAL(refuses(3ull << 39, 0), 4);
	entries(TOP)[3] = 0;
}

static void test_simulated_access_sets_accessed_and_dirty(void)
{
	uint32_t error;
	uint8_t *byte;

	CHECK_EQUAL(set(L1, 5, page(0), 0), ST_OK);
	byte = sim_access(TOP, 0x5123, 0, &error);
	CHECK(byte == (uint8_t *)frame_memory(DATA_FIRST) + 0x123);
	CHECK(entries(L1)[5] == (page(0) | PTE_A) && entries(TOP)[0] == (link_to(L3) | PTE_A));
	CHECK(sim_access(TOP, 0x5123, FAULT_WRITE, &error));
	CHECK_EQUAL(entries(L1)[5], page(0) | PTE_A | PTE_D);
	CHECK(!sim_access(TOP, 0x5123, FAULT_FETCH, &error));
	CHECK_EQUAL(error, FAULT_PRESENT | FAULT_USER | FAULT_FETCH);
	CHECK(!sim_access(TOP, 0x6000, FAULT_WRITE, &error));
	CHECK_EQUAL(error, FAULT_USER | FAULT_WRITE);
}

static void test_fault_words_are_those_of_a_message(void)
{
	uint64_t words[8];

	sim_fault_words(TOP, 0x5008, FAULT_USER | FAULT_WRITE, 0x400000, words);
	CHECK(words[0] == 0x5008 && words[2] == 0x400000 && words[3] == link_to(L3) &&
		words[6] == 0);
	CHECK(FAULT_LEVEL(words[1]) == 1 && FAULT_LEVELS(words[1]) == 4 &&
		(words[1] & FAULT_WRITE));
}

static const struct check_test tests[] = {
	CHECK_TEST(set_maps_and_unmaps),
	CHECK_TEST(set_compares_without_accessed_and_dirty),
	CHECK_TEST(set_compares_absent_words_exactly),
	CHECK_TEST(set_replaces_in_one_store),
	CHECK_TEST(set_of_the_same_frame_changes_rights_only),
	CHECK_TEST(set_keeps_dirty_bits_in_the_frame),
	CHECK_TEST(set_refuses_bits_outside_the_whitelist),
	CHECK_TEST(set_checks_also_one_bit_of_a_present_entry),
	CHECK_TEST(set_refuses_targets_that_may_not_be_mapped),
	CHECK_TEST(set_of_special_frames),
	CHECK_TEST(set_maps_a_message_page_once),
	CHECK_TEST(set_links_tables_of_the_next_level_only),
	CHECK_TEST(set_dropping_a_table_leaves_an_orphan),
	CHECK_TEST(set_touches_open_top_slots_only),
	CHECK_TEST(set_refuses_what_is_no_table),
	CHECK_TEST(set_counts_refuse_at_the_limit),
	CHECK_TEST(set_asks_for_room_before_it_drops),
	CHECK_TEST(set_of_a_just_unmapped_frame_flushes_first),
	CHECK_TEST(authority_is_the_pool),
	CHECK_TEST(hints_flush_what_they_say),
	CHECK_TEST(hints_count_for_the_part_that_was_done),
	CHECK_TEST(fill_maps_a_list_of_frames),
	CHECK_TEST(fill_replaces_only_what_is_expected),
	CHECK_TEST(fill_stops_at_a_frame_that_is_refused),
	CHECK_TEST(fill_maps_a_run_of_frames),
	CHECK_TEST(fill_clears_what_it_maps),
	CHECK_TEST(fill_does_not_clear_blank_frames),
	CHECK_TEST(fill_clears_only_what_nothing_uses),
	CHECK_TEST(fill_clears_after_a_flush),
	CHECK_TEST(fill_refuses_bad_arguments),
	CHECK_TEST(copy_shares_and_takes_write),
	CHECK_TEST(copy_of_top_levels_is_fork),
	CHECK_TEST(copy_and_move_never_take_the_message_slot),
	CHECK_TEST(copy_refuses),
	CHECK_TEST(copy_stops_at_a_full_counter),
	CHECK_TEST(runs_go_on_where_the_work_limit_stopped_them),
	CHECK_TEST(move_keeps_rights_and_counts),
	CHECK_TEST(split_gives_a_copy_to_one_parent),
	CHECK_TEST(split_works_at_each_level),
	CHECK_TEST(split_of_empty_and_full_tables),
	CHECK_TEST(split_copies_all_wherever_it_begins),
	CHECK_TEST(split_refuses),
	CHECK_TEST(split_refuses_before_any_change_when_a_counter_is_full),
	CHECK_TEST(split_counts_a_frame_that_stands_twice),
	CHECK_TEST(split_refuses_a_table_of_message_pages),
	CHECK_TEST(split_needs_authority_over_the_old_table),
	CHECK_TEST(split_flushes_for_a_just_freed_frame),
	CHECK_TEST(clear_reports_what_went),
	CHECK_TEST(clear_reports_runs_of_frames_by_one_result),
	CHECK_TEST(clear_of_shared_pages_reports_nothing),
	CHECK_TEST(runs_stop_when_the_list_is_full),
	CHECK_TEST(clear_stops_when_the_list_is_full),
	CHECK_TEST(protect_changes_rights_of_present_entries),
	CHECK_TEST(sole_pages_become_writable),
	CHECK_TEST(protect_refuses),
	CHECK_TEST(read_gives_raw_entries),
	CHECK_TEST(harvest_reads_and_clears_accessed_and_dirty),
	CHECK_TEST(large_entries_form_and_dissolve_blocks),
	CHECK_TEST(large_and_small_entries_coexist),
	CHECK_TEST(large_entries_are_checked),
	CHECK_TEST(page_size_changes_through_not_present),
	CHECK_TEST(large_entries_are_copied_moved_split_and_protected),
	CHECK_TEST(large_entry_of_a_just_unmapped_frame_flushes_first),
	CHECK_TEST(a_kept_block_is_mapped_without_a_look),
	CHECK_TEST(a_block_that_is_mapped_is_kept_from_then_on),
	CHECK_TEST(a_kept_block_is_quiet_before_it_is_mapped_again),
	CHECK_TEST(frames_of_a_block_are_cleared_in_one_go),
	CHECK_TEST(a_large_entry_is_split_into_its_pages),
	CHECK_TEST(walk_finds_the_refusing_level),
	CHECK_TEST(walk_keeps_the_entries),
	CHECK_TEST(walk_of_large_entries),
	CHECK_TEST(walk_does_not_show_the_kernels_tables),
	CHECK_TEST(simulated_access_sets_accessed_and_dirty),
	CHECK_TEST(fault_words_are_those_of_a_message),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), fixture_start, fixture_check, argc, argv);
}
