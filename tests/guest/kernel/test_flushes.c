/*
 * Tests of flushes: what hints do, and what the kernel does without any.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"
#include "../../variants/shadow/hooks.h"

#define DATA_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)

static bool flushes_off(bool off)
{
	return call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_NO_FLUSH, off, 0, 0) == ST_OK;
}

static bool hints_flush_and_their_absence_does_not(void)
{
	pfn_t table = frame_take_as(FRAME_L1), pfn = frame_take_as(FRAME_DATA);
	struct info_counters before, after;

	CHECK_OK(op_at(OP_SET, table, 0, pte_make(pfn, DATA_BITS), 0));
	CHECK_OK(op_at(OP_SET, table, 1, pte_make(pfn, DATA_BITS), 0));
	before = counters_now();
	CHECK_OK(op_many(OP_PROTECT, table, 0, 1, PTE_W, 0));
	after = counters_now();
	CHECK_EQUAL(after.hinted_flushes, before.hinted_flushes);
	CHECK_OK(op_flagged(OP_PROTECT, FLUSH_ALL, table, 1, 1, PTE_W, 0));
	before = counters_now();
	CHECK_EQUAL(before.hinted_flushes, after.hinted_flushes + 1);
	return true;
}

static bool a_refused_operation_flushes_nothing(void)
{
	pfn_t table = frame_take_as(FRAME_L1);
	struct info_counters before = counters_now(), after;

	CHECK_EQUAL(op_flagged(OP_SET, FLUSH_ALL, table, 0, 1, 0x10, 0x20), ST_MISMATCH);
	after = counters_now();
	CHECK_EQUAL(after.hinted_flushes, before.hinted_flushes);
	return true;
}

static bool flush_refuses(void)
{
	CHECK_EQUAL(op_many(OP_FLUSH, boot->thread, 0, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_many(OP_FLUSH, boot->init_space, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_many(OP_FLUSH, boot->frames, 0, 0, 0, 0), ST_BAD_FRAME);
	CHECK_OK(op_many(OP_FLUSH, boot->space, 0, 0, 0, 0));
	CHECK_OK(op_many(OP_FLUSH, 0, 0, 0, 0, 0));
	return true;
}

/* After forbid and flush, the next write of a running program faults, and goes nowhere. */
static bool a_program_that_lost_write_faults_after_the_flush(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_write_call_write, SUB_PRIVATE, 0x10));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_many(OP_PROTECT, sub.image_table, sub_index(SUB_PRIVATE), 1, PTE_W, 0));
	CHECK_OK(op_many(OP_FLUSH, sub.space, 0, 0, 0, 0));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK(frame_holds_word(sub.private, 0x10));
	return true;
}

/*
 * FORK-4: a program takes W from its own page, as fork does from its parent's, and writes again. 
 * Nothing switches spaces in between (each load of CR3 flushes in both emulators, also where
 * there is PCID).
 */
static bool takes_write_from_itself(struct sub *sub, bool without_flush)
{
	struct sub_wish wish = { .pool = (uint16_t)boot->pool };
	struct op *ops;

	CHECK(sub_make(sub, &wish));
	ops = message_open(sub->message);
	ops[0] = (struct op){ op_head(OP_PROTECT, FLUSH_ALL, sub->image_table,
				      sub_index(SUB_PRIVATE), 1),
		PTE_W, 0 };
	message_close(sub->message);
	CHECK(flushes_off(without_flush));
	CHECK(sub_start(sub, program_write_batch_write, SUB_PRIVATE, 0x10));
	CHECK(flushes_off(false));
	return true;
}

static bool with_the_flush_a_write_after_the_loss_of_write_faults(void)
{
	struct message message;
	struct sub sub;

	CHECK(takes_write_from_itself(&sub, false));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[0], SUB_PRIVATE);
	CHECK(frame_holds_word(sub.private, 0x10));
	return true;
}

static bool without_the_flush_it_goes_through_the_stale_translation(void)
{
	struct message message;
	struct sub sub;

	CHECK(takes_write_from_itself(&sub, true));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	CHECK(!(sub_entry(&sub, SUB_PRIVATE) & PTE_W));
	CHECK(frame_holds_word(sub.private, 0x11));
	return true;
}

/* A frame taken away without any hint and given another use is never reached through the old
   translation. */
static bool reuse_is_safe_without_any_hint(void)
{
	struct message message;
	struct sub sub;
	pfn_t secret;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_write_call_write, SUB_PRIVATE, 0x10));
	CHECK_OK(receive_now(&message));
	CHECK(flushes_off(true));
	CHECK_OK(op_many(OP_CLEAR, sub.image_table, sub_index(SUB_PRIVATE), 1, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, sub.private, FRAME_L1, 0));
	CHECK(flushes_off(false));
	secret = sub.private;
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(table_entry(secret, 0), 0);
	return true;
}

/* The same for a table that a stale entry of the level above could still lead to. */
static bool reuse_of_a_table_is_safe_without_any_hint(void)
{
	struct message message;
	struct sub sub;
	pfn_t upper, table;
	const uint64_t address = 0x0000004000200000;

	CHECK(sub_make(&sub, NULL));
	CHECK(map_page(sub.top, address, sub.private, DATA_BITS));
	upper = walk_table(sub.top, address, 2);
	table = walk_table(sub.top, address, 1);
	CHECK(sub_start(&sub, program_write_call_write, address, 0x10));
	CHECK_OK(receive_now(&message));
	CHECK(flushes_off(true));
	CHECK_OK(op_many(OP_CLEAR, upper, table_index(address, 2), 1, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, table, table_index(address, 1), 1, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, table, FRAME_DATA, 0));
	CHECK(flushes_off(false));
	frame_fill(table, pte_make(sub.message, DATA_BITS)); /* what a table there would map */
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[0], address);
	return true;
}

/* More spaces than there are address-space identifiers in flight at once must not mix. */
static bool many_spaces_never_see_each_other(void)
{
	struct sub subs[40];

	for (uint32_t i = 0; i < 40; i++) {
		CHECK(sub_make(&subs[i], NULL));
		frame_fill(subs[i].private, 0x1000 + i);
	}
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 40; i++) {
			CHECK(sub_start(&subs[i], program_read, SUB_PRIVATE, 0));
			CHECK_EQUAL(shared_page.word[0], 0x1000 + i);
		}
	}
	return true;
}

/* ---- what a hint does, each way it can be given ---- */

/* What a program does with its private page: write, whatever lies between, write again. */
static void program_write_read_write(uint64_t address, uint64_t other)
{
	*(volatile uint64_t *)address = 0x20;
	(void)*(volatile uint64_t *)other;
	*(volatile uint64_t *)address = 0x21;
	program_stop();
}

static void program_write_two_operations_write(uint64_t address, uint64_t unused)
{
	(void)unused;
	*(volatile uint64_t *)address = 0x20;
	(void)kernel_call(CALL_BATCH, 2, 0, 0, 0, 0, 0, NULL);
	*(volatile uint64_t *)address = 0x21;
	program_stop();
}

static bool second_write_faulted(const struct sub *sub, uint64_t first_value)
{
	struct message message;

	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[0], SUB_PRIVATE);
	CHECK(frame_holds_word(sub->private, first_value));
	return true;
}

/* A program that waits for an answer, having written its private page. */
static bool writes_and_waits(struct sub *sub, struct message *message)
{
	CHECK(sub_make(sub, NULL));
	CHECK(sub_start(sub, program_write_call_write, SUB_PRIVATE, 0x20));
	CHECK_OK(receive_now(message));
	return true;
}

static uint64_t forbid_write(const struct sub *sub, uint32_t hint)
{
	return op_head(OP_PROTECT, hint, sub->image_table, sub_index(SUB_PRIVATE), 1);
}

static bool a_hint_for_all_reaches_a_space_that_is_not_loaded(void)
{
	struct message message;
	struct sub sub;

	CHECK(writes_and_waits(&sub, &message));
	CHECK_OK(op_run(forbid_write(&sub, FLUSH_ALL), PTE_W, 0));
	CHECK_OK(reply(message.token, 0, 0));
	return second_write_faulted(&sub, 0x20);
}

static bool a_flush_of_all_reaches_a_space_that_is_not_loaded(void)
{
	struct message message;
	struct sub sub;

	CHECK(writes_and_waits(&sub, &message));
	CHECK_OK(op_run(forbid_write(&sub, FLUSH_NONE), PTE_W, 0));
	CHECK_OK(op_many(OP_FLUSH, 0, 0, 0, 0, 0));
	CHECK_OK(reply(message.token, 0, 0));
	return second_write_faulted(&sub, 0x20);
}

/* In a reply to a fault: another page of that space loses W with the cure. */
static bool a_hint_for_the_space_reaches_the_one_that_faulted(void)
{
	struct message message;
	struct sub sub;
	struct op cure[2];
	pfn_t frame = frame_take_as(FRAME_DATA);

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_write_read_write, SUB_PRIVATE, SUB_UNUSED));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.w[0], SUB_UNUSED);
	cure[0] = (struct op){ forbid_write(&sub, FLUSH_SPACE), PTE_W, 0 };
	cure[1] = (struct op){ op_head(OP_SET, 0, sub.image_table, sub_index(SUB_UNUSED), 1),
		pte_make(frame, DATA_BITS), 0 };
	CHECK_OK(reply_with(message.token, 2, cure));
	return second_write_faulted(&sub, 0x20);
}

/* Without a fault to answer a hint for "the space" means all. */
static bool a_hint_for_the_space_outside_of_a_reply_reaches_all(void)
{
	struct message message;
	struct sub sub;

	CHECK(writes_and_waits(&sub, &message));
	CHECK_OK(op_run(forbid_write(&sub, FLUSH_SPACE), PTE_W, 0));
	CHECK_OK(reply(message.token, 0, 0));
	return second_write_faulted(&sub, 0x20);
}

/* The space that asks is the one that is loaded, and goes on at once. */
static bool a_space_that_flushes_itself_is_flushed_at_once(void)
{
	struct sub_wish wish = { .pool = (uint16_t)boot->pool };
	struct sub sub;
	struct op *ops;

	CHECK(sub_make(&sub, &wish));
	ops = message_open(sub.message);
	ops[0] = (struct op){ forbid_write(&sub, FLUSH_NONE), PTE_W, 0 };
	ops[1] = (struct op){ op_head(OP_FLUSH, 0, sub.space, 0, 0), 0, 0 };
	message_close(sub.message);
	CHECK(sub_start(&sub, program_write_two_operations_write, SUB_PRIVATE, 0));
	return second_write_faulted(&sub, 0x20);
}

/* The work of the call ends inside the run: what was done is flushed all the same. */
static bool a_run_that_stops_is_flushed_as_far_as_it_came(void)
{
	pfn_t frames = frame_take_row(7, 1), empty = frame_take_as(FRAME_L1);
	struct message message;
	struct sub sub;

	CHECK_OK(op_many(OP_RETYPE, frames, 0, 7, FRAME_DATA, 0));
	CHECK(writes_and_waits(&sub, &message));
	batch_begin();
	for (uint32_t i = 0; i < 7; i++) {
		batch_add(op_head(OP_COPY_FRAME, 0, boot->zero_frame, 0, 0), frames + i, 0);
	}
	batch_add(op_head(OP_PROTECT, 0, empty, 0, TABLE_ENTRIES - 1), PTE_W, 0);
	batch_add(op_head(OP_PROTECT, FLUSH_ALL, sub.image_table, sub_index(SUB_PRIVATE), 2), PTE_W,
		0);
	CHECK_EQUAL(batch_end(), ST_MORE);
	CHECK_EQUAL(outcome.entries, 1);
	CHECK_OK(reply(message.token, 0, 0));
	return second_write_faulted(&sub, 0x20);
}

static void program_read_call_write(uint64_t address, uint64_t value)
{
	struct message message = { .tag = 1 };

	(void)*(volatile uint64_t *)address;
	(void)ipc_call(SUB_SLOT_MAIN, &message);
	*(volatile uint64_t *)address = value;
	program_stop();
}

/* A right that was added is found by the fault that its absence in the TLB causes. */
static bool a_right_that_was_added_needs_no_flush(void)
{
	struct message message;
	struct sub sub;
	pfn_t page = frame_take_as(FRAME_DATA);
	uint32_t index = sub_index(SUB_UNUSED);

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_at(OP_SET, sub.image_table, index, pte_make(page, DATA_BITS & ~PTE_W), 0));
	CHECK(sub_start(&sub, program_read_call_write, SUB_UNUSED, 0x22));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_many(OP_PROTECT, sub.image_table, index, 1, 0, PTE_W));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	CHECK(frame_holds_word(page, 0x22));
	return true;
}

/* ---- what the kernel does by itself: a frame that may be remembered gets another use ---- */

/* A frame that our own translations remember.  `first` is the operation that takes it away. */
struct left {
	pfn_t pfn;
	struct op first;
};

static bool left_make(struct left *left)
{
	volatile uint64_t *memory;

	left->pfn = frame_take_as(FRAME_DATA);
	memory = window_open(0, left->pfn);
	CHECK(memory != NULL);
	*memory = 0x30;
	left->first = (struct op){ op_head(OP_CLEAR, 0, walk_table(boot->top, (uint64_t)memory, 1),
					   table_index((uint64_t)memory, 1), 1),
		0, 0 };
	return true;
}

/* In one batch, so in one epoch: the last reference goes, and the other use, which flushes once. */
static bool other_use_flushes(const struct left *left, uint64_t head, uint64_t a, uint64_t b)
{
	struct info_counters before = counters_now(), after;

	batch_begin();
	batch_add(left->first.head, left->first.a, left->first.b);
	batch_add(head, a, b);
	CHECK_OK(batch_end());
	after = counters_now();
	CHECK_EQUAL(after.full_flushes, before.full_flushes + 1);
	return true;
}

static bool retyping_what_may_be_remembered_flushes(void)
{
	struct left left;

	CHECK(left_make(&left));
	return other_use_flushes(&left, op_head(OP_RETYPE, 0, left.pfn, 0, 1), FRAME_FREE, 0);
}

static bool making_an_object_of_what_may_be_remembered_flushes(void)
{
	struct left left;

	CHECK(left_make(&left));
	return other_use_flushes(
		&left, op_head(OP_PORT_CREATE, 0, left.pfn, SLOT_FREE + 1, 1), 0, 0);
}

static bool giving_away_what_may_be_remembered_flushes(void)
{
	struct left left;
	uint16_t pool;

	CHECK(left_make(&left));
	CHECK_OK(pool_make(&pool));
	return other_use_flushes(&left, op_head(OP_TRANSFER, 0, left.pfn, 0, 1), pool, 0);
}

static bool ending_the_loan_of_what_may_be_remembered_flushes(void)
{
	struct left left;
	uint16_t pool;

	CHECK(left_make(&left));
	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_on(OP_LEND, left.pfn, pool, 0));
	return other_use_flushes(&left, op_head(OP_LEND, 0, left.pfn, 0, 1), 0, 0);
}

static bool mapping_again_what_may_be_remembered_flushes(void)
{
	pfn_t table = frame_take_as(FRAME_L1);
	struct left left;

	CHECK(left_make(&left));
	return other_use_flushes(&left, op_head(OP_SET, 0, table, 0, 1),
		pte_make(left.pfn, DATA_BITS), 0);
}

static bool a_split_into_what_may_be_remembered_flushes(void)
{
	pfn_t upper = frame_take_as(FRAME_L2), table = frame_take_as(FRAME_L1);
	uint64_t link = pte_make(table, PTE_P | PTE_U);
	struct left left;

	CHECK_OK(op_at(OP_SET, upper, 0, link, 0));
	CHECK_OK(op_at(OP_SET, upper, 1, link, 0));
	CHECK(left_make(&left));
	return other_use_flushes(&left, op_head(OP_SPLIT, 0, upper, 0, 1), left.pfn, link);
}

static pfn_t block_make(void)
{
	pfn_t block = frame_take_row(TABLE_ENTRIES, TABLE_ENTRIES);

	if (block == 0 || op_many(OP_RETYPE, block, 0, TABLE_ENTRIES, FRAME_DATA, 0) != ST_OK) {
		fail(__FILE__, __LINE__, "a block can be made", block, 0);
		return 0;
	}
	return block;
}

static bool a_block_with_a_page_that_may_be_remembered_flushes(void)
{
	pfn_t table = frame_take_as(FRAME_L2), block = block_make();
	volatile uint64_t *memory;
	struct left left;

	CHECK(block != 0 && left_make(&left));
	window_close(0);
	memory = window_open(0, block + 9);
	*memory = 0x31;
	return other_use_flushes(&left, op_head(OP_SET, 0, table, 0, 1),
		pte_make(block, DATA_BITS | PTE_PS), 0);
}

/* The 2 MiB behind the windows, for which their table of level 2 has an entry free. */
static uint64_t behind_windows(void)
{
	uint64_t window = (uint64_t)window_open(0, frame_take_as(FRAME_DATA));

	window_close(0);
	return (window & ~0x1fffffull) + 0x200000;
}

static bool a_page_of_a_block_that_may_be_remembered_flushes(void)
{
	uint64_t address = behind_windows();
	pfn_t upper = walk_table(boot->top, address, 2), block = block_make();
	uint32_t index = table_index(address, 2);
	struct left left = { .first = { op_head(OP_CLEAR, 0, upper, index, 1), 0, 0 } };

	CHECK(block != 0);
	CHECK_OK(op_at(OP_SET, upper, index, pte_make(block, DATA_BITS | PTE_PS), 0));
	*(volatile uint64_t *)(address + 7 * PAGE_SIZE) = 0x32;
	return other_use_flushes(&left, op_head(OP_RETYPE, 0, block + 7, 0, 1), FRAME_FREE, 0);
}

/* A table of our own that was walked through, with nothing in it any more. */
static bool retyping_a_table_that_was_walked_through_flushes(void)
{
	uint64_t address = behind_windows();
	pfn_t upper = walk_table(boot->top, address, 2), page = frame_take_as(FRAME_DATA), table;
	uint32_t index = table_index(address, 2);
	struct left left = { .first = { op_head(OP_CLEAR, 0, upper, index, 1), 0, 0 } };

	CHECK(map_page(boot->top, address, page, DATA_BITS));
	table = walk_table(boot->top, address, 1);
	*(volatile uint64_t *)address = 0x33;
	CHECK_OK(op_flagged(OP_CLEAR, FLUSH_ALL, table, 0, 1, 0, 0));
	return other_use_flushes(&left, op_head(OP_RETYPE, 0, table, 0, 1), FRAME_DATA, 0);
}

/* ---- the shadow build sees what it is for (docs/shadow-tlb.md) ---- */

#define SHADOW_ABSENT UINT64_MAX

/* Uses of stale translations that were expected, or SHADOW_ABSENT. */
static uint64_t shadow_uses(void)
{
	uint64_t out[3];

	return call(CALL_DEBUG, DEBUG_HOOK, SHADOW_HOOK_COUNTS, 0, 0, out) == ST_OK ? out[0]
										    : SHADOW_ABSENT;
}

/* A page of our own that is read and written, its entry changed by one operation without a hint. */
static bool shadow_change(volatile uint64_t **memory, uint32_t operation, uint64_t a, uint64_t b)
{
	*memory = window_open(0, frame_take_as(FRAME_DATA));
	**memory = 0x40;
	CHECK(shadow_expect(true));
	CHECK_OK(op_many(operation, walk_table(boot->top, (uint64_t)*memory, 1),
		table_index((uint64_t)*memory, 1), 1, a, b));
	return shadow_expect(false);
}

static bool shadow_sees_the_use_of_a_page_that_is_gone(void)
{
	volatile uint64_t *memory;
	uint64_t uses = shadow_uses();

	if (uses == SHADOW_ABSENT) {
		return skip("only in the shadow build");
	}
	CHECK(shadow_change(&memory, OP_CLEAR, 0, 0));
	CHECK_EQUAL(shadow_uses(), uses);
	CHECK_EQUAL(*memory, 0x40);
	CHECK_EQUAL(shadow_uses(), uses + 1);
	CHECK_OK(op_many(OP_FLUSH, 0, 0, 0, 0, 0));
	return true;
}

static bool shadow_sees_the_use_of_a_right_that_is_gone(void)
{
	volatile uint64_t *memory;
	uint64_t uses = shadow_uses();

	if (uses == SHADOW_ABSENT) {
		return skip("only in the shadow build");
	}
	CHECK(shadow_change(&memory, OP_PROTECT, PTE_W, 0));
	*memory = 0x41;
	CHECK_EQUAL(*memory, 0x41);
	CHECK_EQUAL(shadow_uses(), uses + 1);
	window_close(0);
	return true;
}

/* Reading needs no D; a write that leaves none is lost to whoever looks for it. */
static bool shadow_sees_a_write_that_leaves_no_dirty_bit(void)
{
	volatile uint64_t *memory;
	uint64_t uses = shadow_uses();

	if (uses == SHADOW_ABSENT) {
		return skip("only in the shadow build");
	}
	CHECK(shadow_change(&memory, OP_HARVEST, 0, 0));
	CHECK_EQUAL(*memory, 0x40);
	CHECK_EQUAL(shadow_uses(), uses);
	*memory = 0x41;
	CHECK_EQUAL(shadow_uses(), uses + 1);
	window_close(0);
	return true;
}

/* The table that leads to the page is replaced by a copy: the page is the same, the way is not. */
static bool shadow_sees_the_use_of_a_table_that_is_gone(void)
{
	uint64_t behind = behind_windows(), uses = shadow_uses(), link;
	pfn_t upper = walk_table(boot->top, behind, 2), table;
	pfn_t other = frame_take_as(FRAME_L1), page = frame_take_as(FRAME_DATA);
	uint32_t index = table_index(behind, 2);

	if (uses == SHADOW_ABSENT) {
		return skip("only in the shadow build");
	}
	CHECK(map_page(boot->top, behind, page, DATA_BITS));
	*(volatile uint64_t *)behind = 0x42;
	table = walk_table(boot->top, behind, 1);
	CHECK_OK(op_at(OP_SET, other, 0, pte_make(page, DATA_BITS | PTE_D), 0));
	link = table_entry(upper, index);
	CHECK(shadow_expect(true));
	CHECK_OK(op_at(OP_SET, upper, index, pte_make(other, PTE_P | PTE_W | PTE_U), link));
	CHECK(shadow_expect(false));
	CHECK_EQUAL(*(volatile uint64_t *)behind, 0x42);
	CHECK_EQUAL(shadow_uses(), uses + 1);
	CHECK_EQUAL(FRAMES[table].refs, 0);
	CHECK_OK(op_flagged(OP_CLEAR, FLUSH_ALL, upper, index, 1, 0, 0));
	return true;
}

#define OWNERS 30u

static void program_note(uint64_t address, uint64_t index)
{
	shared_page.word[index] = *(volatile uint64_t *)address;
	shared_page.word[OWNERS]++;
	program_stop();
}

/* Spaces that run one after the other, we not in between, so that one that is about to lose its
   identifier is loaded when they run out: until it is left its translations can come back. */
static bool an_identifier_forgets_its_last_owner(void)
{
	struct sub_wish below = { .priority = PRIORITY_BELOW };
	struct message message;
	struct sub subs[OWNERS];

	for (uint32_t i = 0; i < OWNERS; i++) {
		CHECK(sub_make(&subs[i], &below));
		frame_fill(subs[i].private, 0x2000 + i);
	}
	for (uint32_t round = 0; round < 3; round++) {
		shared_page.word[OWNERS] = 0;
		for (uint32_t i = 0; i < OWNERS; i++) {
			CHECK(sub_start(&subs[i], program_note, SUB_PRIVATE, i));
		}
		for (uint32_t wait = 0; wait < 100 && shared_page.word[OWNERS] < OWNERS; wait++) {
			CHECK_EQUAL(receive_soon(&message), ST_EMPTY);
		}
		for (uint32_t i = 0; i < OWNERS; i++) {
			CHECK_EQUAL(shared_page.word[i], 0x2000 + i);
		}
	}
	return true;
}

const struct test tests_flushes[] = {
	{ "hints_flush_and_their_absence_does_not", hints_flush_and_their_absence_does_not },
	{ "a_refused_operation_flushes_nothing", a_refused_operation_flushes_nothing },
	{ "flush_refuses", flush_refuses },
	{ "a_program_that_lost_write_faults_after_the_flush",
		a_program_that_lost_write_faults_after_the_flush },
	{ "with_the_flush_a_write_after_the_loss_of_write_faults",
		with_the_flush_a_write_after_the_loss_of_write_faults },
	{ "without_the_flush_it_goes_through_the_stale_translation",
		without_the_flush_it_goes_through_the_stale_translation },
	{ "reuse_is_safe_without_any_hint", reuse_is_safe_without_any_hint },
	{ "reuse_of_a_table_is_safe_without_any_hint", reuse_of_a_table_is_safe_without_any_hint },
	{ "many_spaces_never_see_each_other", many_spaces_never_see_each_other },
	{ "an_identifier_forgets_its_last_owner", an_identifier_forgets_its_last_owner },
	{ "a_hint_for_all_reaches_a_space_that_is_not_loaded",
		a_hint_for_all_reaches_a_space_that_is_not_loaded },
	{ "a_flush_of_all_reaches_a_space_that_is_not_loaded",
		a_flush_of_all_reaches_a_space_that_is_not_loaded },
	{ "a_hint_for_the_space_reaches_the_one_that_faulted",
		a_hint_for_the_space_reaches_the_one_that_faulted },
	{ "a_hint_for_the_space_outside_of_a_reply_reaches_all",
		a_hint_for_the_space_outside_of_a_reply_reaches_all },
	{ "a_space_that_flushes_itself_is_flushed_at_once",
		a_space_that_flushes_itself_is_flushed_at_once },
	{ "a_run_that_stops_is_flushed_as_far_as_it_came",
		a_run_that_stops_is_flushed_as_far_as_it_came },
	{ "a_right_that_was_added_needs_no_flush", a_right_that_was_added_needs_no_flush },
	{ "retyping_what_may_be_remembered_flushes", retyping_what_may_be_remembered_flushes },
	{ "making_an_object_of_what_may_be_remembered_flushes",
		making_an_object_of_what_may_be_remembered_flushes },
	{ "giving_away_what_may_be_remembered_flushes",
		giving_away_what_may_be_remembered_flushes },
	{ "ending_the_loan_of_what_may_be_remembered_flushes",
		ending_the_loan_of_what_may_be_remembered_flushes },
	{ "mapping_again_what_may_be_remembered_flushes",
		mapping_again_what_may_be_remembered_flushes },
	{ "a_split_into_what_may_be_remembered_flushes",
		a_split_into_what_may_be_remembered_flushes },
	{ "a_block_with_a_page_that_may_be_remembered_flushes",
		a_block_with_a_page_that_may_be_remembered_flushes },
	{ "a_page_of_a_block_that_may_be_remembered_flushes",
		a_page_of_a_block_that_may_be_remembered_flushes },
	{ "retyping_a_table_that_was_walked_through_flushes",
		retyping_a_table_that_was_walked_through_flushes },
	{ "shadow_sees_the_use_of_a_page_that_is_gone",
		shadow_sees_the_use_of_a_page_that_is_gone },
	{ "shadow_sees_the_use_of_a_right_that_is_gone",
		shadow_sees_the_use_of_a_right_that_is_gone },
	{ "shadow_sees_a_write_that_leaves_no_dirty_bit",
		shadow_sees_a_write_that_leaves_no_dirty_bit },
	{ "shadow_sees_the_use_of_a_table_that_is_gone",
		shadow_sees_the_use_of_a_table_that_is_gone },
	{ 0 },
};
