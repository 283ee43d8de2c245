/*
 * What broke elsewhere: one test for each lesson that the kernel alone can show (docs/lessons.md).
 *
 * The name begins with the advisory.  tests/lessons has the rule of each: removed, its test fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"

#define ADDRESS 0x0000005000000000ull

static status_t set_over(pfn_t table, uint32_t index, uint64_t entry)
{
	return op_at(OP_SET, table, index, entry, table_entry(table, index));
}

static bool flushes_off(bool off)
{
	return call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_NO_FLUSH, off, 0, 0) == ST_OK;
}

/* A program with authority over our pool, and a page of it: what it takes from itself it does
   without a change of spaces. */
static bool self_pager(struct sub *sub, struct page *page)
{
	struct sub_wish wish = { .pool = (uint16_t)boot->pool };

	CHECK(sub_make(sub, &wish));
	return page_make(sub, 0, page, ADDRESS);
}

/* ---- validation of page tables ---- */

/* XSA-148: a short cut for updates of 2 MiB entries looked at neither their size nor their rights.
 */
static bool lesson_xsa148_an_update_is_checked_like_a_new_entry(void)
{
	static const uint32_t bits[] = { 3, 4, 8, 12, 52,
		62 }; /* PWT PCD G PAT, and two that are nobody's */
	pfn_t block = frame_take_row(512, 512), l2 = frame_take_as(FRAME_L2),
	      l1 = frame_take_as(FRAME_L1);
	uint64_t large = pte_make(block, LINK_BITS | PTE_PS),
		 zero = pte_make((pfn_t)boot->zero_frame, PTE_P | PTE_U);

	CHECK_OK(op_many(OP_RETYPE, block, 0, 512, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_SET, l2, 0, large, 0));
	for (uint32_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		CHECK(set_over(l2, 0, large ^ 1ull << bits[i]) != ST_OK);
	}
	CHECK_OK(set_over(l2, 0, large & ~PTE_W));
	CHECK_OK(op_at(OP_SET, l1, 0, zero, 0));
	CHECK_EQUAL(set_over(l1, 0, zero | PTE_W), ST_WRONG_TYPE);
	CHECK_OK(set_over(l1, 0, zero | PTE_NX));
	CHECK_OK(op_at(OP_SET, l2, 1, pte_make(l1, LINK_BITS), 0));
	CHECK(set_over(l2, 1, pte_make(l1, LINK_BITS | PTE_PS)) != ST_OK);
	return true;
}

/* XSA-182: the same for all levels; only bits of a list may be set. */
static bool lesson_xsa182_updates_keep_to_the_list_of_bits_at_each_level(void)
{
	pfn_t l1 = frame_take_as(FRAME_L1), l2 = frame_take_as(FRAME_L2),
	      l3 = frame_take_as(FRAME_L3), data = frame_take_as(FRAME_DATA), space = frame_take(),
	      top = frame_take();
	const struct {
		pfn_t table, target;
		uint64_t may_change; /* bits that may differ: P and W and U are others' tests */
	} rows[] = { { l1, data, PTE_A | PTE_D | PTE_SOFT | PTE_NX }, { l2, l1, PTE_A | PTE_SOFT },
		{ l3, l2, PTE_A | PTE_SOFT }, { top, l3, PTE_A | PTE_SOFT } };

	CHECK_OK(op_on(OP_SPACE_CREATE, space, top, 0));
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t entry = pte_make(rows[i].target, LINK_BITS);

		CHECK_OK(op_at(OP_SET, rows[i].table, 3, entry, 0));
		for (uint32_t bit = 3; bit < 64; bit++) {
			uint64_t wanted = entry ^ 1ull << bit;

			if ((1ull << bit & PTE_FRAME) && bit < PAGE_SHIFT + FRAME_NUMBER_BITS) {
				continue; /* another frame */
			}
			CHECK_EQUAL(set_over(rows[i].table, 3, wanted) == ST_OK,
				(1ull << bit & rows[i].may_change) != 0);
			CHECK_OK(set_over(rows[i].table, 3, entry));
		}
	}
	return true;
}

/* XSA-185: a table that names itself was accepted where it later meant something else. */
static bool lesson_xsa185_a_table_stands_at_one_level_only(void)
{
	pfn_t table[4] = { frame_take_as(FRAME_L1), frame_take_as(FRAME_L2),
		frame_take_as(FRAME_L3), frame_take() };
	pfn_t space = frame_take();

	CHECK_OK(op_on(OP_SPACE_CREATE, space, table[3], 0));
	for (uint32_t from = 0; from < 4; from++) {
		for (uint32_t to = 0; to < 4; to++) {
			status_t status =
				op_at(OP_SET, table[from], to, pte_make(table[to], LINK_BITS), 0);

			CHECK_EQUAL(status, from == to + 1 ? ST_OK : ST_WRONG_TYPE);
		}
	}
	return true;
}

/* ---- batches ---- */

/* A client whose thread waits in a fault, and whose space is empty but for it. */
static bool faulting_client(struct sub *client, struct message *fault)
{
	CHECK(sub_make(client, NULL));
	CHECK(sub_start(client, program_read, SUB_UNUSED, 0));
	CHECK_OK(receive_now(fault));
	CHECK_EQUAL(TAG_LABEL(fault->tag), LABEL_FAULT);
	CHECK_OK(op_many(OP_CLEAR, client->top, 0, 1, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, client->top, LAYOUT_MESSAGE_SLOT, 1, 0, 0));
	return true;
}

static status_t reply_in_page(uint64_t token, const struct op *ops, uint32_t count)
{
	struct message answer = { .tag = (uint64_t)count << TAG_OPS_SHIFT | TAG_OPS_IN_PAGE,
		.token = token };

	for (uint32_t i = 0; i < count; i++) {
		((struct op *)MESSAGE_PAGE)[i] = ops[i];
	}
	return reply_receive(SLOT_SELF | RR_REPLY, &answer);
}

/* XSA-213: a batch went on with the page tables that it began with, after an item had changed them.
   Here: the space that FLUSH_SPACE means ends in the batch, and its frame becomes a table. */
static bool lesson_xsa213_a_batch_outlives_the_space_it_was_for(void)
{
	const uint64_t word = pte_make(boot->init_space, PTE_W | PTE_U | PTE_NX); /* not present */
	struct message fault;
	struct sub client;
	struct op ops[8];

	CHECK(faulting_client(&client, &fault));
	ops[0] = (struct op){ op_head(OP_DESTROY, 0, client.thread, 0, 0), 0, 0 };
	ops[1] = (struct op){ op_head(OP_DESTROY, 0, client.space, 0, 0), 0, 0 };
	ops[2] = (struct op){ op_head(OP_RETYPE, 0, client.space, 0, 1), FRAME_L1, 0 };
	for (uint32_t i = 0; i < 4; i++) {
		ops[3 + i] = (struct op){ op_head(OP_SET, 0, client.space, 4 + i, 0), word, 0 };
	}
	ops[7] = (struct op){ op_head(OP_SET, FLUSH_SPACE, client.space, 9, 0), word, 0 };
	CHECK_OK(reply_in_page(fault.token, ops, 8));
	for (uint32_t i = 4; i < 8; i++) {
		CHECK_EQUAL(table_entry(client.space, i), word);
	}
	return kernel_is_well();
}

/* The same for the thread that is answered: another one has its frame by then. */
static bool lesson_xsa213_a_reply_finds_its_thread_after_the_batch(void)
{
	struct message fault;
	struct registers now;
	struct sub client;
	struct op ops[2];

	CHECK(faulting_client(&client, &fault));
	ops[0] = (struct op){ op_head(OP_DESTROY, 0, client.thread, 0, 0), 0, 0 };
	ops[1] = (struct op){ op_head(OP_THREAD_CREATE, 0, client.thread, 0, 0), client.space, 1 };
	CHECK_OK(reply_in_page(fault.token, ops, 2));
	CHECK(sub_registers(&client, &now)); /* it does not run */
	CHECK_EQUAL(now.rip, 0);
	return kernel_is_well();
}

/* ---- owners and marks ---- */

/* XSA-214: a page that went to another owner kept the mark "validated". */
static bool lesson_xsa214_a_new_owner_finds_no_marks(void)
{
	pfn_t table = frame_take_as(FRAME_L1), data = frame_take_as(FRAME_DATA),
	      upper = frame_take_as(FRAME_L2), block = frame_take_row(512, 512);
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_at(OP_SET, table, 0, pte_make(data, PAGE_BITS | PTE_D), 0));
	CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	CHECK_EQUAL(FRAMES[data].flags, FRAME_DIRTY);
	CHECK_OK(op_on(OP_TRANSFER, data, pool, 0));
	CHECK_EQUAL(FRAMES[data].flags, 0);
	CHECK_OK(op_many(OP_RETYPE, block, 0, 512, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(block, LINK_BITS | PTE_PS), 0));
	CHECK_OK(op_many(OP_CLEAR, upper, 0, 1, 0, 0));
	CHECK_EQUAL(FRAMES[upper].flags, FRAME_SPECIAL);
	CHECK_OK(op_on(OP_RETYPE, upper, FRAME_FREE, 0));
	CHECK_EQUAL(FRAMES[upper].flags, FRAME_BLANK); /* and zeros it is: kernel_ok() looks */
	CHECK_OK(op_on(OP_TRANSFER, upper, pool, 0));
	CHECK_EQUAL(FRAMES[upper].flags, 0);
	return true;
}

/* The same for contents: what was written while it was no table is no entry. */
static bool lesson_xsa214_contents_count_from_the_change_of_type_on(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);

	frame_fill(pfn, pte_make(boot->init_space, PAGE_BITS));
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_L1, 0));
	CHECK_OK(op_many(OP_READ, pfn, 0, 300, 0, 0));
	for (uint32_t i = 0; i < 300; i++) {
		CHECK_EQUAL(results[i], 0);
	}
	return kernel_is_well();
}

/* XSA-287: pages went through states with an owner and no count, or a count and no owner. */
static bool lesson_xsa287_owners_and_counts_agree_at_every_step(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA), table = frame_take_as(FRAME_L1);
	uint16_t pool, other;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(pool_make(&other));
	for (uint32_t i = 0; i < 6; i++) {
		CHECK_OK(op_on(OP_TRANSFER, pfn,
			i % 3 == 0   ? pool
			: i % 3 == 1 ? other
				     : boot->pool,
			0));
		CHECK(kernel_is_well());
		CHECK_OK(op_on(OP_LEND, pfn, i % 2 ? pool : boot->pool, 0));
		CHECK(kernel_is_well());
		CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, PAGE_BITS), 0));
		CHECK_EQUAL(op_on(OP_TRANSFER, pfn, boot->pool, 0), ST_BUSY);
		CHECK(kernel_is_well());
		CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
		CHECK_OK(op_on(OP_LEND, pfn, 0, 0));
		CHECK(kernel_is_well());
	}
	return true;
}

/* ---- bounds and counts ---- */

/* XSA-240: work without a bound; the bound that was added then lost counts. */
static bool lesson_xsa240_the_work_of_a_call_is_bounded(void)
{
	pfn_t from = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1),
	      data = frame_take_as(FRAME_DATA);
	const uint32_t left = 200;

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		CHECK_OK(op_at(OP_SET, from, i, pte_make(data, PAGE_BITS), 0));
	}
	batch_begin();
	for (uint32_t used = 0, count; used < OP_WORK_MAX - left; used += count) {
		count = OP_WORK_MAX - left - used < 512 ? OP_WORK_MAX - left - used : 512;
		batch_add(op_head(OP_PROTECT, 0, from, 0, count), 0,
			0); /* changes nothing, but looks */
	}
	batch_add(op_head(OP_COPY, 0, from, 0, 512), (uint64_t)to << OP_PFN_SHIFT, 0);
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK_EQUAL(outcome.entries, left);
	CHECK_EQUAL(FRAMES[to].live, left);
	CHECK_EQUAL(FRAMES[data].refs, 512 + left);
	CHECK(kernel_is_well());
	CHECK_OK(op_many(OP_COPY, from, left, 512 - left,
		(uint64_t)to << OP_PFN_SHIFT | left << OP_INDEX_SHIFT, 0));
	CHECK_EQUAL(FRAMES[data].refs, 1024);
	return kernel_is_well();
}

/* XSA-242: an unlock dropped the last reference to a type without its clean-up. */
static bool lesson_xsa242_the_last_reference_cleans_up(void)
{
	pfn_t space = frame_take(), top = frame_take(), thread = frame_take(),
	      message = frame_take_as(FRAME_MSG);

	for (uint32_t i = 0; i < 300; i++) {
		CHECK_OK(op_on(OP_SPACE_CREATE, space, top, 0));
		CHECK_OK(op_on(OP_THREAD_CREATE, thread, space, 1));
		CHECK_OK(op_at(OP_THREAD_SET, thread, THREAD_FIELD_MESSAGE, message, 0));
		CHECK_EQUAL(FRAMES[message].holds, 1);
		CHECK_OK(op_on(OP_DESTROY, thread, 0, 0));
		CHECK_EQUAL(FRAMES[message].holds, 0);
		CHECK_OK(op_on(OP_DESTROY, space, 0, 0));
	}
	CHECK_OK(op_on(OP_RETYPE, message, FRAME_FREE, 0));
	return kernel_is_well();
}

/* XSA-299: interrupted operations left counts that were not those of the work done. */
static bool lesson_xsa299_an_interrupted_operation_counts_what_it_did(void)
{
	pfn_t from = frame_take_as(FRAME_L1), to = frame_take_as(FRAME_L1),
	      data[2] = { frame_take_as(FRAME_DATA), frame_take_as(FRAME_DATA) };

	for (uint32_t i = 0; i < 8; i++) {
		CHECK_OK(op_at(OP_SET, from, i, pte_make(data[i >= 5], PAGE_BITS), 0));
	}
	for (uint32_t limit = 6; limit <= 9; limit++) { /* the copy stops at entry limit - 5 */
		CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, limit, 0, 0));
		CHECK_EQUAL(
			op_many(OP_COPY, from, 0, 8, (uint64_t)to << OP_PFN_SHIFT, 0), ST_LIMIT);
		CHECK_EQUAL(outcome.entries, limit - 5);
		CHECK_EQUAL(FRAMES[to].live, limit - 5);
		CHECK_EQUAL(FRAMES[data[0]].refs, limit);
		CHECK(kernel_is_well());
		CHECK_OK(op_many(OP_CLEAR, to, 0, 8, 0, 0));
	}
	return true;
}

/* ... and a split is all or nothing. */
static bool lesson_xsa299_a_refused_split_leaves_no_count(void)
{
	pfn_t upper = frame_take_as(FRAME_L2), table = frame_take_as(FRAME_L1),
	      data = frame_take_as(FRAME_DATA);

	for (uint32_t i = 0; i < 8; i++) {
		CHECK_OK(op_at(OP_SET, table, i, pte_make(data, PAGE_BITS), 0));
	}
	CHECK_OK(op_at(OP_SET, upper, 0, pte_make(table, LINK_BITS), 0));
	CHECK_OK(op_at(OP_SET, upper, 1, pte_make(table, LINK_BITS), 0));
	for (uint32_t limit = 8; limit < 16; limit++) {
		CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, limit, 0, 0));
		CHECK_EQUAL(op_at(OP_SPLIT, upper, 1, frame_take(), pte_make(table, LINK_BITS)),
			ST_LIMIT);
		CHECK_EQUAL(FRAMES[data].refs, 8);
		CHECK(kernel_is_well());
	}
	return true;
}

/* XSA-345: two processors split and merged one range at once.  Here two programs that take the
   processor from each other at any instruction. */
static void program_change_page_size(uint64_t seed, uint64_t index)
{
	const pfn_t upper = (pfn_t)shared_page.word[4], table = (pfn_t)shared_page.word[5],
		    block = (pfn_t)shared_page.word[6];
	const uint64_t entries[3] = { 0, pte_make(table, LINK_BITS),
		pte_make(block, LINK_BITS | PTE_PS) };
	struct op *op = (struct op *)(LAYOUT_MESSAGE + index * PAGE_SIZE);

	for (uint32_t i = 0; i < 12000; i++) {
		uint32_t from, to;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		from = (uint32_t)(seed >> 33) % 3;
		to = (uint32_t)(seed >> 40) % 3;
		*op = (struct op){ op_head(OP_SET, 0, upper, (uint32_t)(seed >> 50) % 2, 0),
			entries[to], entries[from] };
		if (kernel_call(CALL_BATCH, 1, 0, 0, 0, 0, 0, NULL) == ST_OK) {
			shared_page.word[8 + index] += from != to;
			shared_page.word[10] += from != to && from != 0 && to != 0; /* never */
		}
	}
	shared_page.word[12 + index] = 1;
	program_stop();
}

static bool lesson_xsa345_a_page_size_changes_through_absence(void)
{
	struct sub_wish wish = { .pool = (uint16_t)boot->pool, .priority = PRIORITY_SAME };
	struct sub first, second;
	pfn_t block = frame_take_row(512, 512), l2 = frame_take_as(FRAME_L2),
	      l1 = frame_take_as(FRAME_L1);

	CHECK_OK(op_many(OP_RETYPE, block, 0, 512, FRAME_DATA, 0));
	CHECK(sub_make(&first, &wish) && sub_add_thread(&first, &second, PRIORITY_SAME));
	shared_page.word[4] = l2;
	shared_page.word[5] = l1;
	shared_page.word[6] = block;
	CHECK(sub_start(&first, program_change_page_size, 1, 0));
	CHECK(sub_start(&second, program_change_page_size, 99, 1));
	for (uint32_t turn = 0; !(shared_page.word[12] && shared_page.word[13]); turn++) {
		CHECK(turn < 1000000);
		let_others_run();
	}
	CHECK_EQUAL(shared_page.word[10], 0);
	CHECK(shared_page.word[8] > 100 && shared_page.word[9] > 100);
	return kernel_is_well();
}

/* XSA-346: a page was freed while a device could still reach it.  What uses a frame without mapping
   it holds it. */
static bool lesson_xsa346_what_is_held_is_not_free(void)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);

	CHECK_OK(op_many(OP_HOLD, pfn, 0, 0, 0, 0));
	CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_FREE, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_RETYPE, pfn, FRAME_L1, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_TRANSFER, pfn, boot->pool, 0), ST_BUSY);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, pfn, 20, 0, 0), ST_BUSY);
	CHECK_OK(op_many(OP_RELEASE, pfn, 0, 0, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, pfn, FRAME_FREE, 0));
	return true;
}

/* XSA-355: the repair of 346 was off by one.  The list of results is as long as it says: one place
   is left, and the next entry needs two. */
static bool lesson_xsa355_a_list_ends_where_it_ends(void)
{
	pfn_t table = frame_take_as(FRAME_L1), data = frame_take_as(FRAME_DATA);
	uint32_t words = OP_RESULTS_MAX / 2; /* 1 + 2 * 159 = 319 results, then no room */

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(data, PAGE_BITS), 0));
	for (uint32_t i = 1; i <= words; i++) {
		CHECK_OK(op_at(OP_SET, table, i, 0x1000 + 2 * i, 0));
	}
	CHECK_EQUAL(op_many(OP_CLEAR, table, 0, words + 1, 0, 0), ST_MORE);
	CHECK_EQUAL(outcome.results, OP_RESULTS_MAX - 1);
	CHECK_EQUAL(outcome.entries, words);
	CHECK_EQUAL(FRAMES[table].live, 1);
	CHECK_EQUAL(results[OP_RESULTS_MAX - 2], 0x1000 + 2 * (words - 1));
	CHECK_OK(op_many(OP_CLEAR, table, words, 1, 0, 0));
	CHECK_EQUAL(results[1], 0x1000 + 2 * words);
	return true;
}

/* ---- flushes ---- */

/* XSA-241: a flush was skipped that was not redundant.  The first reference to a frame whose last
   one went since the last flush: in a table of the caller's pool (the short way), and of a pool
   below. */
static bool lesson_xsa241_a_skipped_flush_was_redundant(void)
{
	uint16_t below;

	CHECK_OK(pool_make(&below));
	for (uint32_t way = 0; way < 2; way++) {
		struct page page;
		struct sub sub;
		struct op ops[2];
		pfn_t elsewhere;

		CHECK(self_pager(&sub, &page));
		frame_pool = way == 0 ? 0 : below;
		elsewhere = frame_take_as(FRAME_L1);
		frame_pool = 0;
		ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.table, 0, 1), 0, 0 };
		ops[1] = (struct op){ op_head(OP_SET, 0, elsewhere, 0, 0),
			pte_make(page.pfn, PAGE_BITS), 0 };
		CHECK(second_write_faults(&sub, &page, ops, 2));
		CHECK(frame_holds_word(page.pfn, 0xa1));
	}
	return true;
}

/* XSA-286: changes at an upper level left translations of what hung below. */
static bool lesson_xsa286_an_unlinked_table_is_flushed_before_its_next_use(void)
{
	struct page page;
	struct sub sub;
	struct op ops[3];

	CHECK(self_pager(&sub, &page) && flushes_off(true));
	CHECK_OK(op_on(OP_HOLD, page.pfn, 0, 0)); /* so that its own end is no reason to flush */
	ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.upper, table_index(page.address, 2), 1), 0,
		0 };
	ops[1] = (struct op){ op_head(OP_CLEAR, 0, page.table, 0, 1), 0, 0 };
	ops[2] = (struct op){ op_head(OP_RETYPE, 0, page.table, 0, 1), FRAME_DATA, 0 };
	CHECK(second_write_faults(&sub, &page, ops, 3));
	CHECK(flushes_off(false));
	return kernel_is_well();
}

/* XSA-292: translations of an earlier owner of the identifier survived.  Each of many spaces finds
   zeros in its page, and leaves something else there for those who come after it.  (Nothing here
   flushes everything.) */
static bool lesson_xsa292_an_identifier_is_clean_when_it_is_given_again(void)
{
	for (uint32_t round = 0; round < 60; round++) {
		struct sub sub;

		CHECK(sub_make(&sub, NULL));
		CHECK(sub_start(&sub, program_read, SUB_PRIVATE, 0));
		CHECK_EQUAL(shared_page.word[0], 0);
		CHECK(sub_start(&sub, program_write, SUB_PRIVATE, 0x2000 + round));
		CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
		CHECK_OK(op_many(OP_CLEAR, sub.top, 0, 1, 0, 0));
		CHECK_OK(op_many(OP_CLEAR, sub.top, LAYOUT_MESSAGE_SLOT, 1, 0, 0));
		CHECK_OK(op_on(OP_DESTROY, sub.space, 0, 0));
		CHECK_OK(op_many(OP_CLEAR, sub.image_table, 0, 512, 0, 0));
	}
	return kernel_is_well();
}

/* XSA-401: a page became a table while somebody could still write to it.  Forbid, flush, use. */
static bool lesson_xsa401_a_page_becomes_a_table_after_the_flush(void)
{
	struct page page;
	struct sub sub;
	struct op ops[2];

	CHECK(self_pager(&sub, &page));
	ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.table, 0, 1), 0, 0 };
	ops[1] = (struct op){ op_head(OP_RETYPE, 0, page.pfn, 0, 1), FRAME_L1, 0 };
	CHECK(second_write_faults(&sub, &page, ops, 2));
	CHECK_EQUAL(table_entry(page.pfn, 0), 0);
	return kernel_is_well();
}

/* XSA-408: the repair of 401 asked for the new type instead of the old one, and did not flush. */
static bool lesson_xsa408_a_flush_asks_what_the_frame_was(void)
{
	static const frame_type_t types[] = { FRAME_FREE, FRAME_MSG, FRAME_TRACE, FRAME_L2 };

	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct page page;
		struct sub sub;
		struct op ops[2];

		CHECK(self_pager(&sub, &page));
		ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.table, 0, 1), 0, 0 };
		ops[1] = (struct op){ op_head(OP_RETYPE, 0, page.pfn, 0, 1), types[i], 0 };
		CHECK(second_write_faults(&sub, &page, ops, 2));
	}
	return kernel_is_well();
}

/* XSA-480: page-table pages went back to their pool before the deferred flush. */
static bool lesson_xsa480_a_top_level_table_is_used_again_after_the_flush(void)
{
	pfn_t space = frame_take(), top = frame_take();
	struct info_counters before, after;

	CHECK_OK(op_on(OP_SPACE_CREATE, space, top, 0));
	before = counters_now();
	batch_begin();
	batch_add(op_head(OP_DESTROY, 0, space, 0, 0), 0, 0);
	batch_add(op_head(OP_RETYPE, 0, top, 0, 1), FRAME_DATA, 0);
	CHECK_OK(batch_end());
	after = counters_now();
	CHECK_EQUAL(after.full_flushes, before.full_flushes + 1);
	return true;
}

/* XSA-402: an uncached view made the validator see other bytes than the processor. */
static bool lesson_xsa402_memory_has_one_cache_type(void)
{
	static const uint64_t types[] = { PTE_PCD, PTE_PWT, PTE_PCD | PTE_PWT, PTE_PS, PTE_G };
	pfn_t table = frame_take_as(FRAME_L1), data = frame_take_as(FRAME_DATA);
	const uint64_t entry = pte_make(data, PAGE_BITS);

	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint32_t list[1] = { data };

		CHECK_EQUAL(op_at(OP_SET, table, 0, entry | types[i], 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_fill(table, 0, 1, PAGE_BITS | types[i], 0, list), ST_BAD_ARGUMENT);
		CHECK_OK(op_at(OP_SET, table, 0, entry, 0));
		CHECK_EQUAL(op_at(OP_SET, table, 0, entry | types[i], entry), ST_BAD_ARGUMENT);
		CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, 0, types[i]), ST_BAD_ARGUMENT);
		CHECK_OK(op_many(OP_CLEAR, table, 0, 1, 0, 0));
	}
	return true;
}

/* ---- copy-on-write and mapping ---- */

/* CVE-2017-1000405: the zero page was made dirty, and then was not zero. */
static bool lesson_cve_2017_1000405_the_zero_frame_stays_zero(void)
{
	pfn_t table = frame_take_as(FRAME_L1), clean = frame_take_as(FRAME_DATA);
	const uint64_t zero = pte_make((pfn_t)boot->zero_frame, PTE_P | PTE_U | PTE_NX);
	uint32_t list[1] = { boot->zero_frame };
	struct message message;
	struct sub sub;

	CHECK_OK(op_on(OP_ZERO, clean, 0, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, zero | PTE_W, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_SET, table, 0, zero | PTE_W | PTE_D, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_fill(table, 0, 1, PAGE_BITS, 0, list), ST_WRONG_TYPE);
	CHECK_OK(op_at(OP_SET, table, 0, zero, 0));
	CHECK_EQUAL(op_at(OP_SET, table, 0, zero | PTE_W, zero), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_PROTECT, table, 0, 1, 0, PTE_W), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_COPY_FRAME, boot->message, boot->zero_frame, 0), ST_BAD_FRAME);
	CHECK(sub_make(&sub, NULL) &&
		map_page(sub.top, ADDRESS, boot->zero_frame, PTE_P | PTE_U | PTE_NX));
	CHECK(sub_start(&sub, program_write, ADDRESS, 1));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(frame_contents_sum(boot->zero_frame), frame_contents_sum(clean));
	return true;
}

/* CVE-2022-42703: one counter had two meanings at a time.  `live` of a DATA frame is the borrower,
   or the entries of a block: never both. */
static bool lesson_cve_2022_42703_a_counter_has_one_meaning(void)
{
	pfn_t block = frame_take_row(512, 512), l2 = frame_take_as(FRAME_L2);
	const uint64_t large = pte_make(block, LINK_BITS | PTE_PS);

	CHECK_OK(op_many(OP_RETYPE, block, 0, 512, FRAME_DATA, 0));
	CHECK_OK(op_on(OP_LEND, block + 7, boot->root_pool, 0));
	CHECK_EQUAL(op_at(OP_SET, l2, 0, large, 0), ST_BUSY);
	CHECK_OK(op_on(OP_LEND, block + 7, 0, 0));
	CHECK_OK(op_at(OP_SET, l2, 0, large, 0));
	CHECK_EQUAL(op_on(OP_LEND, block, boot->root_pool, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_LEND, block + 7, boot->root_pool, 0), ST_BUSY);
	CHECK_EQUAL(FRAMES[block].live, 1);
	CHECK_EQUAL(FRAMES[block + 7].live, 0);
	return kernel_is_well();
}

/* CVE-2018-18397: whoever resolves a fault could write where the rights forbade it.  A pager
   answers with frames, tables and spaces that are not its own, twice, and never. */
static bool lesson_cve_2018_18397_a_pager_supplies_what_is_its_own(void)
{
	struct attacker attacker;
	struct victim victim;
	struct message fault;

	CHECK(malice_begin(&attacker, &victim));
	for (uint32_t i = 0; i < 4; i++) {
		const pfn_t table = i & 1 ? victim.sub.image_table : attacker.sub.image_table;
		const pfn_t frame = i & 2 ? victim.data : attacker.sub.private;

		CHECK_EQUAL(attack_at(&attacker, OP_SET, table, sub_index(SUB_UNUSED) + i,
				    pte_make(frame, PAGE_BITS), 0),
			i == 0 ? ST_OK : ST_BAD_FRAME);
	}
	CHECK(sub_start(&attacker.sub, program_write, SUB_UNUSED + 8 * PAGE_SIZE, 1));
	CHECK_OK(receive_now(&fault));
	CHECK_EQUAL(reply(fault.token ^ 1ull << FRAME_NUMBER_BITS, FAULT_RESUME, 0), ST_BAD_TOKEN);
	CHECK_OK(reply(fault.token, FAULT_RESUME, 0)); /* it cures nothing: the fault comes again */
	CHECK_EQUAL(reply(fault.token, FAULT_RESUME, 0), ST_BAD_TOKEN);
	CHECK_OK(receive_now(&fault));
	CHECK_OK(op_on(OP_THREAD_STOP, attacker.sub.thread, 0, 0));
	return malice_end(&attacker, &victim);
}

/* ---- entry and return ---- */

void program_return_to(uint64_t address, uint64_t unused);
void program_interrupt_return_to(uint64_t address, uint64_t unused);

/* The next message is the program's own exception, not a fault of the kernel.  (An emulator reads
   the stack of `iretq` as the kernel would: with SMAP that is a page fault.) */
static bool gets_its_own_exception(void)
{
	struct message message;

	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
	CHECK(message.w[0] == VECTOR_PROTECTION || message.w[0] == VECTOR_PAGE_FAULT);
	return true;
}

/* CVE-2012-0217: `sysret` to an address between the halves faults in the kernel, on a stack of the
   user's choice. */
static bool lesson_cve_2012_0217_no_return_between_the_halves(void)
{
	uint64_t edges[64];
	uint32_t count = 0;

	for (uint32_t bit = 47; bit < 64; bit++) {
		edges[count++] = 1ull << bit;
		edges[count++] = (1ull << bit) - 1 + (bit == 47);
		edges[count++] = ~(1ull << bit);
	}
	edges[count++] = 0xffff7fffffffffff;
	for (uint32_t i = 0; i < count; i++) {
		bool canonical = (uint64_t)((int64_t)(edges[i] << 16) >> 16) == edges[i];
		struct sub sub;

		if (canonical) {
			continue;
		}
		CHECK(sub_make(&sub, NULL));
		CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_START, edges[i], 0),
			ST_BAD_ARGUMENT);
		CHECK(sub_start(&sub, program_return_to, edges[i], 0) && gets_its_own_exception());
		CHECK_OK(op_on(OP_THREAD_STOP, sub.thread, 0, 0));
		CHECK(sub_start(&sub, program_interrupt_return_to, edges[i], 0));
		CHECK(gets_its_own_exception());
		CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
		CHECK_OK(op_many(OP_CLEAR, sub.image_table, 0, 512, 0, 0));
	}
	return kernel_is_well();
}

#define LAST_PAGE 0x00007ffffffff000ull

/* One such call; *entries = how often the kernel was entered from its first instruction to ours
 * behind. */
static bool calls_at_the_last_byte(uint64_t *entries)
{
	const uint64_t bytes = blob_syscall_bytes;
	struct info_counters before, after;
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_put_code(&sub, LAST_PAGE, blob_syscall, bytes, (uint32_t)(PAGE_SIZE - bytes)));
	CHECK(sub_set(&sub, THREAD_FIELD_START, LAST_PAGE + PAGE_SIZE - bytes, SUB_STACK_TOP - 8));
	before = counters_now();
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	after = counters_now();
	*entries = after.kernel_entries - before.kernel_entries;
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
	CHECK_EQUAL(message.w[0], VECTOR_PROTECTION);
	CHECK_EQUAL(message.w[2], LAST_PAGE + PAGE_SIZE);
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, sub.image_table, 0, 512, 0, 0));
	return kernel_is_well();
}

/* ... and a call in the last bytes below has such a return address.  An emulator may let the return
   happen, and the program fault there; so the entries are counted: our start, our turns given away,
   our look at the counters and the program's one, none for a fault of the program behind a return
   that should not be tried.  (A tick may come between, but not always.) */
static bool lesson_cve_2012_0217_a_call_at_the_last_byte(void)
{
	uint64_t entries, least = UINT64_MAX;

	for (uint32_t i = 0; i < 3; i++) {
		CHECK(calls_at_the_last_byte(&entries));
		least = entries < least ? entries : least;
	}
	CHECK_EQUAL(least, 1 + TURNS_GIVEN + 1 + 1);
	return true;
}

void program_delayed_syscall(uint64_t first, uint64_t second);
void program_delayed_breakpoint(uint64_t first, uint64_t second);
void program_delayed_gate(uint64_t first, uint64_t second);
void program_delayed_undefined(uint64_t first, uint64_t second);
void program_delayed_trap(uint64_t first, uint64_t second);

/* CVE-2018-8897: a trap held back by `mov ss` came in the kernel, which took it for the user's. */
static bool lesson_cve_2018_8897_a_delayed_trap_is_the_programs(void)
{
	static const program_t programs[] = { program_delayed_syscall, program_delayed_breakpoint,
		program_delayed_gate, program_delayed_undefined, program_delayed_trap };

	for (uint32_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct message message;
		struct sub sub;

		CHECK(sub_make(&sub, NULL));
		CHECK(sub_start(&sub, programs[i], 0, 0));
		CHECK_OK(receive_now(&message));
		CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
		CHECK(message.w[2] >= (uint64_t)programs[i] &&
			message.w[2] < (uint64_t)programs[i] + 64);
		CHECK_OK(op_on(OP_THREAD_STOP, sub.thread, 0, 0));
		CHECK(kernel_is_well());
	}
	return true;
}

#define ROW(name)           \
	{                   \
#name, name \
	}

const struct test tests_lessons[] = {
	ROW(lesson_xsa148_an_update_is_checked_like_a_new_entry),
	ROW(lesson_xsa182_updates_keep_to_the_list_of_bits_at_each_level),
	ROW(lesson_xsa185_a_table_stands_at_one_level_only),
	ROW(lesson_xsa213_a_batch_outlives_the_space_it_was_for),
	ROW(lesson_xsa213_a_reply_finds_its_thread_after_the_batch),
	ROW(lesson_xsa214_a_new_owner_finds_no_marks),
	ROW(lesson_xsa214_contents_count_from_the_change_of_type_on),
	ROW(lesson_xsa240_the_work_of_a_call_is_bounded),
	ROW(lesson_xsa242_the_last_reference_cleans_up),
	ROW(lesson_xsa241_a_skipped_flush_was_redundant),
	ROW(lesson_xsa286_an_unlinked_table_is_flushed_before_its_next_use),
	ROW(lesson_xsa287_owners_and_counts_agree_at_every_step),
	ROW(lesson_xsa292_an_identifier_is_clean_when_it_is_given_again),
	ROW(lesson_xsa299_an_interrupted_operation_counts_what_it_did),
	ROW(lesson_xsa299_a_refused_split_leaves_no_count),
	ROW(lesson_xsa345_a_page_size_changes_through_absence),
	ROW(lesson_xsa346_what_is_held_is_not_free),
	ROW(lesson_xsa355_a_list_ends_where_it_ends),
	ROW(lesson_xsa401_a_page_becomes_a_table_after_the_flush),
	ROW(lesson_xsa408_a_flush_asks_what_the_frame_was),
	ROW(lesson_xsa480_a_top_level_table_is_used_again_after_the_flush),
	ROW(lesson_xsa402_memory_has_one_cache_type),
	ROW(lesson_cve_2017_1000405_the_zero_frame_stays_zero),
	ROW(lesson_cve_2022_42703_a_counter_has_one_meaning),
	ROW(lesson_cve_2018_18397_a_pager_supplies_what_is_its_own),
	ROW(lesson_cve_2012_0217_no_return_between_the_halves),
	ROW(lesson_cve_2012_0217_a_call_at_the_last_byte),
	ROW(lesson_cve_2018_8897_a_delayed_trap_is_the_programs),
	{ 0 },
};
