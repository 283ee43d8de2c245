/*
 * A malicious pager: frames, tables and flushes.  See malice.h.
 *
 * Each test makes its attacks and then asks whether anything outside the attacker's pool changed.
 * What the kernel answers matters only where an answer other than a refusal would be the damage.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"

/* ---- the measure itself ---- */

static bool malice_a_change_of_one_byte_outside_is_seen(void)
{
	struct attacker attacker;
	struct victim victim;
	struct op op = { op_head(OP_COPY_FRAME, 0, boot->zero_frame, 0, 0), 0,
		7ull | 9ull << 16 | 1ull << 32 };

	CHECK(malice_begin(&attacker, &victim));
	CHECK_EQUAL(outside_changes(), 0);
	op.a = victim.data;
	CHECK_OK(op_run(op.head, op.a, op.b));
	CHECK_EQUAL(outside_changes(), 1);
	outside_may_change(victim.data);
	CHECK_EQUAL(outside_changes(), 0);
	CHECK_OK(op_many(OP_HOLD, victim.sub.private, 0, 0, 0, 0));
	CHECK_EQUAL(outside_changes(), 1);
	CHECK_OK(op_many(OP_RELEASE, victim.sub.private, 0, 0, 0, 0));
	outside_may_change(victim.sub.private); /* it was blank */
	return malice_end(&attacker, &victim);
}

/* ---- foreign frames ---- */

#define TARGETS_MAX 128u
#define OWN_FIRST   128u /* of the private page's words */
#define OWN_KINDS   10u

enum place {
	PLACE_PFN,
	PLACE_A,
	PLACE_A_PAGE,
	PLACE_A_LINK,
	PLACE_A_RUN,
	PLACE_A_LARGE,
	PLACE_B,
	PLACES
};

/* One operation that names the foreign frame in one place and own frames elsewhere. */
static struct op foreign_op(
	uint32_t code, enum place place, uint64_t foreign, uint64_t own, uint64_t turn)
{
	uint32_t index = (uint32_t)(turn % 8);
	struct op op = { op_head(code, 0, (pfn_t)own, index, 1 + index % 3), 0, 0 };

	switch (place) {
	case PLACE_PFN:
		op.head = op_head(code, 0, (pfn_t)foreign, index, 1);
		op.a = code == OP_RETYPE ? FRAME_DATA + turn % 6 : code == OP_TRANSFER ? 0 : own;
		op.a = code == OP_COPY || code == OP_MOVE ? own << OP_PFN_SHIFT : op.a;
		op.a = code == OP_SET || code == OP_CLEAR || code == OP_HOLD ? 0 : op.a;
		break;
	case PLACE_A:
		op.a = foreign;
		break;
	case PLACE_A_PAGE:
		op.a = pte_make((pfn_t)foreign, turn & 1 ? PAGE_BITS : PTE_P | PTE_U);
		break;
	case PLACE_A_LINK:
		op.a = pte_make((pfn_t)foreign, LINK_BITS);
		break;
	case PLACE_A_RUN:
		op.a = foreign << OP_PFN_SHIFT | (turn % 8) << OP_INDEX_SHIFT;
		break;
	case PLACE_A_LARGE:
		op.a = pte_make((pfn_t)foreign & ~511u, LINK_BITS | PTE_PS);
		break;
	default:
		op.b = foreign;
	}
	if (code == OP_TRANSFER && op.a == shared_page.word[3]) {
		op.a = 0; /* allowed, and gone for good: our parent's */
	}
	return op;
}

/* In the attacker: every operation, every place, every target, every kind of own frame.  The words
   of the private page are the targets and then its own frames. */
static void program_foreign(uint64_t targets, uint64_t unused)
{
	const volatile uint64_t *words = (const volatile uint64_t *)SUB_PRIVATE;
	struct op *ops = MESSAGE_PAGE;
	uint64_t turn = 0;

	(void)unused;
	for (uint32_t code = 0; code < OP_COUNT; code++) {
		for (uint64_t k = 0; k < targets * PLACES * OWN_KINDS; k++) {
			uint64_t target = words[k % targets],
				 own = words[OWN_FIRST + k / targets % OWN_KINDS];

			ops[0] = foreign_op(
				code, (enum place)(k / targets / OWN_KINDS), target, own, turn++);
			ops[1] =
				(struct op){ target | target << 32, target | target << 32, target };
			(void)kernel_call(CALL_BATCH, code == OP_FILL ? 2 : 1, 0, 0, 0, 0, 0, NULL);
		}
	}
	shared_page.word[0] = turn;
	program_stop();
}

/* Frames that are not the attacker's: the victim's, the tests', init's, the kernel's, nobody's. */
static uint32_t foreign_targets(const struct victim *victim, uint64_t *targets)
{
	const pfn_t named[] = { victim->sub.space, victim->sub.top, victim->sub.thread,
		victim->sub.message, victim->sub.private, victim->sub.stack[0],
		victim->sub.image_table, victim->sub.message_table, victim->port, victim->data,
		boot->space, boot->top, boot->thread, boot->message, boot->init_space,
		boot->zero_frame, 0, boot->frames, boot->frames - 1, 0xfffffff };
	uint32_t count = 0, seen[FRAME_TYPES] = { 0 };

	for (uint32_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		targets[count++] = named[i];
	}
	for (pfn_t pfn = 1; pfn < boot->frames && count < 64;
		pfn++) { /* two of each type of others */
		if (FRAMES[pfn].pool != boot->pool && !frame_is_own(pfn) &&
			seen[FRAMES[pfn].type]++ < 2) {
			targets[count++] = pfn;
		}
	}
	return count;
}

/* Own frames of every kind that an operation may ask for. */
static bool own_kinds(struct attacker *attacker, uint64_t *own)
{
	static const frame_type_t types[] = { FRAME_L1, FRAME_L2, FRAME_L3, FRAME_DATA, FRAME_DATA,
		FRAME_MSG };
	uint32_t count = 0;
	pfn_t space;

	for (; count < sizeof(types) / sizeof(types[0]); count++) {
		own[count] = attacker_frame(attacker, types[count]);
	}
	own[count++] = attacker->spare[MALICE_SPARE - 1];
	own[count++] = attacker_frame(attacker, FRAME_FREE);
	own[count++] = attacker_frame(attacker, FRAME_FREE);
	space = attacker_frame(attacker, FRAME_FREE);
	CHECK_OK(op_on(OP_SPACE_CREATE, space, own[count - 2], 0));
	CHECK_OK(op_on(OP_THREAD_CREATE, (pfn_t)own[count - 1], space, 1));
	shared_page.word[2] = space;
	shared_page.word[3] = boot->root_pool;
	own[count++] = attacker->pool;
	CHECK_EQUAL(count, OWN_KINDS);
	return true;
}

static bool malice_foreign_frames_in_every_field(void)
{
	struct attacker attacker;
	struct victim victim;
	uint64_t own[OWN_KINDS], secret, *page;
	uint32_t targets;

	CHECK(malice_begin_sheltered(&attacker, &victim) && own_kinds(&attacker, own));
	page = window_open(0, attacker.sub.private);
	targets = foreign_targets(&victim, page);
	for (uint32_t i = 0; i < OWN_KINDS; i++) {
		page[OWN_FIRST + i] = own[i];
	}
	window_close(0);
	CHECK(targets <= TARGETS_MAX && malice_keep(&attacker));
	CHECK(attacker_run(&attacker, program_foreign, targets, 0));
	CHECK_EQUAL(shared_page.word[0], (uint64_t)OP_COUNT * targets * PLACES * OWN_KINDS);
	CHECK(outside_is_kept());
	secret = frame_contents_sum(victim.data);
	for (uint32_t i = 0; i < OWN_KINDS - 1; i++) {
		CHECK(frame_contents_sum((pfn_t)own[i]) != secret); /* nor was anything read */
	}
	return malice_end(&attacker, &victim);
}

/* ---- forged tables ---- */

/* A frame full of entries that would give everything to whoever walks through it. */
static void forge(pfn_t pfn, const struct victim *victim)
{
	uint64_t *entries = window_open(0, pfn);

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		pfn_t target = i % 4 == 0   ? victim->data
			       : i % 4 == 1 ? pfn
			       : i % 4 == 2 ? 1
					    : victim->sub.top;

		entries[i] = pte_make(target, i % 8 < 4 ? LINK_BITS : LINK_BITS | PTE_PS);
	}
	window_close(0);
}

static bool table_is_empty(const struct attacker *attacker, pfn_t table)
{
	for (uint32_t first = 0; first < TABLE_ENTRIES; first += 64) {
		CHECK_OK(attack_op(attacker, op_head(OP_READ, 0, table, first, 64), 0, 0));
		for (uint32_t i = 0; i < 64; i += 21) {
			CHECK_EQUAL(attack_result(attacker, i), 0);
		}
	}
	return true;
}

static bool malice_forged_tables(void)
{
	static const frame_type_t ways[] = { FRAME_DATA, FRAME_MSG, FRAME_TRACE, FRAME_FREE };
	struct attacker attacker;
	struct victim victim;
	pfn_t l1, l2, l3, forged;

	CHECK(malice_begin(&attacker, &victim));
	l1 = attacker_frame(&attacker, FRAME_L1);
	l2 = attacker_frame(&attacker, FRAME_L2);
	l3 = attacker_frame(&attacker, FRAME_L3);
	for (uint32_t way = 0; way < 4; way++) {
		forged = attacker_frame(&attacker, FRAME_DATA);
		forge(forged, &victim);
		CHECK_OK(attack_on(&attacker, OP_RETYPE, forged, ways[way], 0));
		CHECK_EQUAL(attack_at(&attacker, OP_SET, l2, 0, pte_make(forged, LINK_BITS), 0),
			ST_WRONG_TYPE);
		CHECK_EQUAL(attack_at(&attacker, OP_SET, l3, 0, pte_make(forged, LINK_BITS), 0),
			ST_WRONG_TYPE);
		CHECK(attack_at(&attacker, OP_SET, attacker.sub.top, 9, pte_make(forged, LINK_BITS),
			      0) == ST_WRONG_TYPE);
		CHECK_OK(attack_on(&attacker, OP_RETYPE, forged, FRAME_L1 + way % 3, 0));
		CHECK(table_is_empty(&attacker, forged));
		CHECK_EQUAL(attack_on(&attacker, OP_COPY_FRAME, attacker.sub.private, forged, 0),
			ST_WRONG_TYPE);
		CHECK_EQUAL(attack_on(&attacker, OP_ZERO, forged, 0, 0), ST_WRONG_TYPE);
	}
	CHECK_OK(attack_at(&attacker, OP_SET, l1, 0, pte_make(attacker.sub.private, PAGE_BITS), 0));
	return malice_end(&attacker, &victim);
}

/* The fresh frame of a split, and frames that become objects, may hold anything before. */
static bool malice_forged_contents_of_fresh_frames(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t l2, l1, fresh, space, top, thread, port;

	CHECK(malice_begin(&attacker, &victim));
	l2 = attacker_frame(&attacker, FRAME_L2);
	l1 = attacker_frame(&attacker, FRAME_L1);
	fresh = attacker_frame(&attacker, FRAME_DATA);
	forge(fresh, &victim);
	CHECK_OK(attack_at(&attacker, OP_SET, l2, 0, pte_make(l1, LINK_BITS), 0));
	CHECK_OK(attack_at(&attacker, OP_SET, l2, 1, pte_make(l1, LINK_BITS), 0));
	CHECK_OK(attack_at(&attacker, OP_SPLIT, l2, 1, fresh, pte_make(l1, LINK_BITS)));
	CHECK(table_is_empty(&attacker, fresh));
	space = attacker_frame(&attacker, FRAME_DATA);
	top = attacker_frame(&attacker, FRAME_DATA);
	thread = attacker_frame(&attacker, FRAME_DATA);
	port = attacker_frame(&attacker, FRAME_DATA);
	forge(space, &victim);
	forge(top, &victim);
	forge(thread, &victim);
	forge(port, &victim);
	CHECK_OK(attack_on(&attacker, OP_SPACE_CREATE, space, top, 0));
	CHECK_OK(attack_op(&attacker, op_head(OP_READ, 0, top, 0, 256), 0, 0));
	for (uint32_t i = 0; i < 256; i += 37) {
		CHECK_EQUAL(attack_result(&attacker, i), 0);
	}
	CHECK_OK(attack_on(&attacker, OP_THREAD_CREATE, thread, space, 1));
	CHECK_OK(attack_on(&attacker, OP_THREAD_GET, thread, 0, 0));
	CHECK_EQUAL(attack_result(&attacker, 18) & 3, 3); /* cs: user mode */
	CHECK_EQUAL(attack_result(&attacker, 17), 0);	  /* rip */
	CHECK_OK(attack_at(&attacker, OP_PORT_CREATE, port, 30, 0, 0));
	CHECK(kernel_is_well());
	return malice_end(&attacker, &victim);
}

/* ---- levels, cycles, slots ---- */

static const frame_type_t table_types[] = { FRAME_L1, FRAME_L2, FRAME_L3, FRAME_TOP };
#define TABLE_TYPES 4u

static bool malice_wrong_levels_and_cycles(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t table[TABLE_TYPES];

	CHECK(malice_begin(&attacker, &victim));
	for (uint32_t i = 0; i < 3; i++) {
		table[i] = attacker_frame(&attacker, table_types[i]);
	}
	table[3] = attacker.sub.top;
	for (uint32_t from = 0; from < TABLE_TYPES; from++) {
		for (uint32_t to = 0; to < TABLE_TYPES; to++) {
			status_t status = attack_at(&attacker, OP_SET, table[from], 12 + to,
				pte_make(table[to], LINK_BITS), 0);

			CHECK(from == to + 1 ? status == ST_OK : status == ST_WRONG_TYPE);
			status = attack_at(&attacker, OP_SET, table[from], 20,
				pte_make(table[to], LINK_BITS | PTE_PS), 0);
			CHECK(status != ST_OK);
			status = attack_at(&attacker, OP_SET, table[from], 21,
				pte_make(table[to], LINK_BITS | PTE_NX), 0);
			CHECK(status != ST_OK);
		}
	}
	CHECK_OK(attack_at(&attacker, OP_SET, table[2], 5, pte_make(table[1], LINK_BITS), 0));
	for (uint32_t bit = 0; bit < 64; bit++) { /* any other bit in a link */
		uint64_t entry = pte_make(table[1], LINK_BITS) ^ 1ull << bit;
		status_t status = attack_at(
			&attacker, OP_SET, table[2], 5, entry, pte_make(table[1], LINK_BITS));
		bool allowed = bit <= 1 || bit == 5 || (bit >= 9 && bit <= 11) || bit == 12;

		CHECK(allowed || status != ST_OK);
		if (status == ST_OK) {
			CHECK_OK(attack_at(&attacker, OP_SET, table[2], 5,
				pte_make(table[1], LINK_BITS), entry));
		}
	}
	return malice_end(&attacker, &victim);
}

/* In the attacker: the operations of tables on every slot of its own top-level table, and runs that
   begin in an open slot and end in one of the kernel's. */
static void program_slots(uint64_t top, uint64_t table)
{
	static const uint32_t codes[] = { OP_SET, OP_SET, OP_FILL, OP_COPY, OP_MOVE, OP_CLEAR,
		OP_PROTECT, OP_READ, OP_HARVEST, OP_SPLIT };
	struct op *ops = MESSAGE_PAGE;

	for (uint32_t slot = LAYOUT_USER_LAST_SLOT + 1; slot < TABLE_ENTRIES; slot++) {
		bool open = slot == LAYOUT_MESSAGE_SLOT ||
			    (slot >= LAYOUT_VMALLOC_FIRST_SLOT && slot <= LAYOUT_VMALLOC_LAST_SLOT);

		for (uint32_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			uint32_t first = i % 2 && slot > 0 ? slot - 1 : slot,
				 count = slot - first + 1;
			status_t status;

			if (open && (first == slot || slot == LAYOUT_MESSAGE_SLOT)) {
				continue;
			}
			ops[0] = (struct op){ op_head(codes[i], 0, (pfn_t)top, first,
						      codes[i] == OP_SET ? 1 : count),
				0, 0 };
			if (codes[i] == OP_SET || codes[i] == OP_FILL) {
				ops[0].head = op_head(codes[i], 0, (pfn_t)top, slot, 1);
				ops[0].a = codes[i] == OP_SET ? pte_make((pfn_t)table, LINK_BITS)
							      : LINK_BITS;
				ops[1] = (struct op){ table, 0, 0 };
			} else if (codes[i] == OP_COPY || codes[i] == OP_MOVE) {
				ops[0].a = top << OP_PFN_SHIFT | (uint64_t)20 << OP_INDEX_SHIFT;
			} else if (codes[i] == OP_SPLIT) {
				ops[0].head = op_head(OP_SPLIT, 0, (pfn_t)top, slot, 1);
			}
			if (open && codes[i] != OP_COPY && codes[i] != OP_MOVE) {
				continue;
			}
			status = (status_t)kernel_call(
				CALL_BATCH, codes[i] == OP_FILL ? 2 : 1, 0, 0, 0, 0, 0, NULL);
			if (status != ST_NO_RIGHT && !open) {
				shared_page.word[0] = slot << 8 | codes[i];
				shared_page.word[1] = status;
			}
		}
	}
	program_stop();
}

static bool malice_kernel_slots_of_the_top_level(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t table;

	CHECK(malice_begin(&attacker, &victim));
	table = attacker_frame(&attacker, FRAME_L3);
	shared_page.word[0] = 0;
	CHECK(attacker_run(&attacker, program_slots, attacker.sub.top, table));
	CHECK_EQUAL(shared_page.word[0], 0); /* slot and operation that were not refused */
	return malice_end(&attacker, &victim);
}

/* ---- stale expectations ---- */

static bool malice_stale_expectations(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t table, one, two;
	uint64_t entry;

	CHECK(malice_begin(&attacker, &victim));
	table = attacker_frame(&attacker, FRAME_L1);
	one = attacker_frame(&attacker, FRAME_DATA);
	two = attacker_frame(&attacker, FRAME_DATA);
	entry = pte_make(one, PAGE_BITS);
	CHECK_OK(attack_at(&attacker, OP_SET, table, 0, entry, 0));
	for (uint32_t bit = 0; bit < 64; bit++) {
		if (bit != 5 && bit != 6) { /* A and D do not count */
			CHECK_EQUAL(attack_at(&attacker, OP_SET, table, 0, pte_make(two, PAGE_BITS),
					    entry ^ 1ull << bit),
				ST_MISMATCH);
		}
	}
	CHECK_EQUAL(FRAMES[one].refs, 1);
	CHECK_EQUAL(FRAMES[two].refs, 0);
	CHECK_OK(attack_at(&attacker, OP_SET, table, 0, entry & ~PTE_P, entry)); /* now a word */
	for (uint32_t bit = 0; bit < 64; bit++) {
		CHECK_EQUAL(attack_at(&attacker, OP_SET, table, 0, pte_make(two, PAGE_BITS),
				    (entry & ~PTE_P) ^ 1ull << bit),
			ST_MISMATCH);
	}
	CHECK_EQUAL(FRAMES[one].refs, 0);
	CHECK_EQUAL(FRAMES[two].refs, 0);
	return malice_end(&attacker, &victim);
}

/* ---- blocks, holds, counters ---- */

static bool attacker_takes_block(const struct attacker *attacker, pfn_t *block)
{
	*block = frame_take_row(512, 512);
	CHECK(*block);
	CHECK_OK(op_many(OP_TRANSFER, *block, 0, 512, attacker->pool, 0));
	CHECK_OK(op_many(OP_RETYPE, *block, 0, 512, FRAME_DATA, 0));
	return true;
}

static bool malice_parts_of_blocks(void)
{
	static const uint32_t parts[] = { 0, 1, 255, 511 };
	struct attacker attacker;
	struct victim victim;
	pfn_t l2, l1, block;

	CHECK(malice_begin(&attacker, &victim) && attacker_takes_block(&attacker, &block));
	CHECK(malice_keep(&attacker));
	l2 = attacker_frame(&attacker, FRAME_L2);
	l1 = attacker_frame(&attacker, FRAME_L1);
	CHECK_OK(attack_at(&attacker, OP_SET, l2, 0, pte_make(block, LINK_BITS | PTE_PS), 0));
	for (uint32_t i = 0; i < 4; i++) {
		pfn_t part = block + parts[i];

		CHECK_EQUAL(attack_on(&attacker, OP_RETYPE, part, FRAME_L1, 0), ST_BUSY);
		CHECK_EQUAL(attack_on(&attacker, OP_RETYPE, part, FRAME_FREE, 0), ST_BUSY);
		CHECK_EQUAL(attack_on(&attacker, OP_TRANSFER, part, boot->pool, 0), ST_BUSY);
		CHECK_EQUAL(attack_on(&attacker, OP_LEND, part, boot->pool, 0), ST_BUSY);
		CHECK_EQUAL(attack_on(&attacker, OP_THREAD_CREATE, part, attacker.sub.space, 1),
			ST_BUSY);
		CHECK_EQUAL(attack_on(&attacker, OP_SPACE_CREATE, attacker.spare[90], part, 0),
			ST_BUSY);
		CHECK_EQUAL(attack_at(&attacker, OP_PORT_CREATE, part, 31, 0, 0), ST_BUSY);
		CHECK_OK(attack_at(&attacker, OP_SET, l1, i, pte_make(part, PAGE_BITS), 0));
		CHECK_EQUAL(attack_at(&attacker, OP_SPLIT, l2, 0, part,
				    pte_make(block, LINK_BITS | PTE_PS)),
			ST_BUSY); /* a table in the block that it maps */
	}
	CHECK_OK(attack_op(&attacker, op_head(OP_CLEAR, 0, l2, 0, 1), 0, 0));
	CHECK_EQUAL(attack_on(&attacker, OP_TRANSFER, block + 1, boot->pool, 0),
		ST_BUSY); /* still mapped */
	CHECK_OK(attack_op(&attacker, op_head(OP_CLEAR, 0, l1, 0, 4), 0, 0));
	CHECK_OK(attack_on(&attacker, OP_TRANSFER, block + 1, boot->pool, 0));
	CHECK_EQUAL(attack_at(&attacker, OP_SET, l2, 0, pte_make(block, LINK_BITS | PTE_PS), 0),
		ST_BAD_FRAME);
	return malice_end(&attacker, &victim);
}

static bool malice_held_frames(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t held, table;

	CHECK(malice_begin(&attacker, &victim));
	held = attacker_frame(&attacker, FRAME_DATA);
	table = attacker_frame(&attacker, FRAME_L1);
	for (uint32_t i = 0; i < 2; i++) {
		pfn_t pfn = i ? table : held;

		CHECK_OK(attack_on(&attacker, OP_HOLD, pfn, 0, 0));
		CHECK_EQUAL(attack_on(&attacker, OP_RETYPE, pfn, FRAME_FREE, 0), ST_BUSY);
		CHECK(attack_on(&attacker, OP_TRANSFER, pfn, boot->pool, 0) != ST_OK);
		CHECK(attack_on(&attacker, OP_THREAD_CREATE, pfn, attacker.sub.space, 1) != ST_OK);
		CHECK_OK(attack_on(&attacker, OP_RELEASE, pfn, 0, 0));
		CHECK_EQUAL(attack_on(&attacker, OP_RELEASE, pfn, 0, 0), ST_MISMATCH);
	}
	CHECK_EQUAL(attack_on(&attacker, OP_RELEASE, attacker.sub.message, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_on(&attacker, OP_HOLD, attacker.sub.thread, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_on(&attacker, OP_HOLD, attacker.sub.top, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(attack_on(&attacker, OP_HOLD, victim.data, 0, 0), ST_BAD_FRAME);
	return malice_end(&attacker, &victim);
}

/* In the attacker: holds until it is refused, and more; word[0] = holds that were given. */
static void program_hold_for_ever(uint64_t pfn, uint64_t unused)
{
	struct op *ops = MESSAGE_PAGE;
	struct batch_outcome progress = { 0 };
	uint64_t holds = 0;

	(void)unused;
	for (uint32_t turn = 0; turn < 1100; turn++) {
		for (uint32_t i = 0; i < OP_MAX_IN_PAGE; i++) {
			ops[i] = (struct op){ op_head(OP_HOLD, 0, (pfn_t)pfn, 0, 0), 0, 0 };
		}
		shared_page.word[1] = kernel_batch_in_page(OP_MAX_IN_PAGE, &progress);
		holds += progress.done;
	}
	shared_page.word[0] = holds;
	program_stop();
}

static bool malice_counters_at_their_limit(void)
{
	struct attacker attacker;
	struct victim victim;
	pfn_t pfn, table, l2, l1;

	CHECK(malice_begin(&attacker, &victim));
	pfn = attacker_frame(&attacker, FRAME_DATA);
	table = attacker_frame(&attacker, FRAME_L1);
	l2 = attacker_frame(&attacker, FRAME_L2);
	l1 = attacker_frame(&attacker, FRAME_L1);
	CHECK(attacker_run(&attacker, program_hold_for_ever, pfn, 0));
	CHECK_EQUAL(shared_page.word[0], UINT16_MAX);
	CHECK_EQUAL(shared_page.word[1], ST_LIMIT);
	CHECK_EQUAL(FRAMES[pfn].holds, UINT16_MAX);
	CHECK_EQUAL(attack_on(&attacker, OP_LEND, pfn, boot->pool, 0), ST_LIMIT);
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 3, 0, 0));
	for (uint32_t i = 0; i < 5; i++) {
		CHECK_EQUAL(attack_at(&attacker, OP_SET, table, i, pte_make(pfn, PAGE_BITS), 0),
			i < 3 ? ST_OK : ST_LIMIT);
		CHECK_EQUAL(attack_at(&attacker, OP_SET, l2, i, pte_make(l1, LINK_BITS), 0),
			i < 3 ? ST_OK : ST_LIMIT);
	}
	CHECK_EQUAL(attack_op(&attacker, op_head(OP_COPY, 0, table, 0, 3),
			    (uint64_t)l1 << OP_PFN_SHIFT, 0),
		ST_LIMIT);
	CHECK_EQUAL(
		attack_at(&attacker, OP_SPLIT, l2, 0, attacker.spare[80], pte_make(l1, LINK_BITS)),
		ST_OK);
	CHECK_EQUAL(FRAMES[pfn].refs, 3);
	CHECK_OK(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 0, 0, 0));
	return malice_end(&attacker, &victim);
}

/* ---- flushes that are not asked for ---- */

#define ADDRESS_FIRST 0x0000005000000000ull
#define ADDRESS_STEP  0x0000000000200000ull

/* The frame goes to the parent, who hands it to the victim: it is written no more. */
static bool malice_a_frame_given_away_without_a_flush(void)
{
	struct attacker attacker;
	struct victim victim;
	struct page pages[8];

	CHECK(malice_begin(&attacker, &victim));
	for (uint32_t i = 0; i < 8; i++) {
		CHECK(page_make(
			&attacker.sub, attacker.pool, &pages[i], ADDRESS_FIRST + i * ADDRESS_STEP));
	}
	CHECK(malice_keep(&attacker));
	for (uint32_t way = 0; way < 4; way++) {
		const struct page page = pages[2 * way], other = pages[2 * way + 1];
		struct op ops[3];

		ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.table, 0, 1), 0, 0 };
		if (way == 1) { /* replaced, not cleared */
			ops[0] = (struct op){ op_head(OP_SET, 0, page.table, 0, 1),
				pte_make(other.pfn, PTE_P | PTE_U), pte_make(page.pfn, PAGE_BITS) };
		} else if (way == 2) { /* the whole table is unlinked, then emptied */
			ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.upper,
						      table_index(page.address, 2), 1),
				0, 0 };
		}
		ops[1] = (struct op){ op_head(OP_CLEAR, 0, page.table, way == 1 ? 5 : 0, 1), 0, 0 };
		if (way == 3) { /* moved to another table, cleared there */
			ops[0] = (struct op){ op_head(OP_MOVE, 0, page.table, 0, 1),
				(uint64_t)other.table << OP_PFN_SHIFT | 7ull << OP_INDEX_SHIFT, 0 };
			ops[1] = (struct op){ op_head(OP_CLEAR, 0, other.table, 7, 1), 0, 0 };
		}
		ops[2] = (struct op){ op_head(OP_TRANSFER, 0, page.pfn, 0, 1), boot->pool, 0 };
		CHECK(second_write_faults(&attacker.sub, &page, ops, 3));
		CHECK(frame_holds_word(page.pfn, 0xa1));
	}
	return malice_end(&attacker, &victim);
}

/* The same within the pool: it becomes a table, an object, another client's page. */
static bool malice_a_frame_used_again_without_a_flush(void)
{
	struct attacker attacker;
	struct victim victim;
	struct page pages[4];
	pfn_t elsewhere;

	CHECK(malice_begin(&attacker, &victim));
	for (uint32_t i = 0; i < 4; i++) {
		CHECK(page_make(
			&attacker.sub, attacker.pool, &pages[i], ADDRESS_FIRST + i * ADDRESS_STEP));
	}
	CHECK(malice_keep(&attacker));
	elsewhere = attacker_frame(&attacker, FRAME_L1);
	for (uint32_t way = 0; way < 4; way++) {
		const struct page page = pages[way];
		struct op ops[2];

		ops[0] = (struct op){ op_head(OP_CLEAR, 0, page.table, 0, 1), 0, 0 };
		ops[1] = way == 0
				 ? (struct op){ op_head(OP_RETYPE, 0, page.pfn, 0, 1), FRAME_L1, 0 }
			 : way == 1 ? (struct op){ op_head(OP_THREAD_CREATE, 0, page.pfn, 0, 0),
				   attacker.sub.space, 1 }
			 : way == 2
				 ? (struct op){ op_head(OP_PORT_CREATE, 0, page.pfn, 40, 0), 0, 0 }
				 : (struct op){ op_head(OP_SET, 0, elsewhere, 3, 0),
					   pte_make(page.pfn, PAGE_BITS), 0 };
		CHECK(second_write_faults(&attacker.sub, &page, ops, 2));
		CHECK(kernel_is_well());
	}
	return malice_end(&attacker, &victim);
}

/* The loan ends: who borrowed has no way left to the frame. */
static bool malice_a_loan_that_ended(void)
{
	struct attacker attacker;
	struct victim victim;
	struct message message;
	struct page page;
	pfn_t lent;

	CHECK(malice_begin(&attacker, &victim));
	lent = frame_take_as(FRAME_DATA);
	CHECK(page_make(&attacker.sub, attacker.pool, &page, ADDRESS_FIRST) &&
		malice_keep(&attacker));
	CHECK_OK(op_on(OP_LEND, lent, attacker.pool, 0));
	CHECK_OK(attack_at(&attacker, OP_SET, page.table, 0, pte_make(lent, PAGE_BITS),
		pte_make(page.pfn, PAGE_BITS)));
	CHECK_EQUAL(
		attack_on(&attacker, OP_LEND, lent, 0, 0), ST_BAD_FRAME); /* not its own to end */
	CHECK_EQUAL(attack_on(&attacker, OP_LEND, lent, attacker.pool, 0), ST_BAD_FRAME);
	CHECK_EQUAL(attack_on(&attacker, OP_TRANSFER, lent, attacker.pool, 0), ST_BAD_FRAME);
	CHECK_EQUAL(attack_on(&attacker, OP_RETYPE, lent, FRAME_L1, 0), ST_BAD_FRAME);
	CHECK_EQUAL(attack_on(&attacker, OP_HOLD, lent, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_LEND, lent, 0, 0), ST_BUSY); /* mapped */
	CHECK(sub_start(&attacker.sub, program_write_call_write, page.address, 0xb1));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_many(OP_CLEAR, page.table, 0, 1, 0, 0)); /* without a hint */
	CHECK_OK(op_on(OP_LEND, lent, 0, 0));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK(frame_holds_word(lent, 0xb1));
	CHECK_OK(op_on(OP_THREAD_STOP, attacker.sub.thread, 0, 0));
	CHECK_EQUAL(attack_at(&attacker, OP_SET, page.table, 0, pte_make(lent, PAGE_BITS), 0),
		ST_BAD_FRAME);
	outside_may_change(lent);
	return malice_end(&attacker, &victim);
}

/* ---- valid requests, one word wrong ---- */

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A word of a valid request becomes: one bit other, an edge, a foreign frame in each of its places.
 */
static uint64_t mutated(uint64_t word, uint64_t *state)
{
	static const uint64_t edges[] = { 0, 1, 511, 512, 4095, 4096, UINT32_MAX, 1ull << 63,
		UINT64_MAX };
	const volatile uint64_t *words = (const volatile uint64_t *)SUB_PRIVATE;
	uint64_t choice = random_next(state), foreign = words[choice / 16 % 20];

	switch (choice % 8) {
	case 0:
		return edges[choice / 16 % 9];
	case 1:
		return (word & ((1ull << OP_PFN_SHIFT) - 1)) | foreign << OP_PFN_SHIFT;
	case 2:
		return (word & ~PTE_FRAME) | foreign << PAGE_SHIFT;
	case 3:
		return foreign;
	case 4:
		return word ^ random_next(state) >> (choice / 16 % 64);
	default:
		return word ^ 1ull << (choice / 16 % 64);
	}
}

/* The valid requests: what a pager does, on frames own[0..]: L1, L2, L3, DATA, DATA, MSG, FREE,
   TOP, THREAD. */
static struct op valid_op(uint32_t kind, const volatile uint64_t *own)
{
	switch (kind) {
	case 0:
		return (struct op){ op_head(OP_SET, 0, (pfn_t)own[0], 3, 1),
			pte_make((pfn_t)own[3], PAGE_BITS), 0 };
	case 1:
		return (struct op){ op_head(OP_CLEAR, FLUSH_ALL, (pfn_t)own[0], 0, 16), 0, 0 };
	case 2:
		return (struct op){ op_head(OP_SET, 0, (pfn_t)own[1], 1, 1),
			pte_make((pfn_t)own[0], LINK_BITS), 0 };
	case 3:
		return (struct op){ op_head(OP_CLEAR, 0, (pfn_t)own[1], 0, 8), 0, 0 };
	case 4:
		return (struct op){ op_head(OP_COPY, 0, (pfn_t)own[0], 0, 8),
			own[0] << OP_PFN_SHIFT | 64ull << OP_INDEX_SHIFT, 0 };
	case 5:
		return (struct op){ op_head(OP_CLEAR, 0, (pfn_t)own[0], 64, 16), 0, 0 };
	case 6:
		return (struct op){ op_head(OP_PROTECT, FLUSH_SPACE, (pfn_t)own[0], 0, 8), PTE_W,
			0 };
	case 7:
		return (struct op){ op_head(OP_COPY_FRAME, 0, (pfn_t)own[3], 0, 1), own[4], 0 };
	case 8:
		return (struct op){ op_head(OP_RETYPE, 0, (pfn_t)own[6], 0, 1), FRAME_DATA, 0 };
	case 9:
		return (struct op){ op_head(OP_RETYPE, 0, (pfn_t)own[6], 0, 1), FRAME_FREE, 0 };
	case 10:
		return (struct op){ op_head(OP_SPLIT, 0, (pfn_t)own[1], 1, 1), own[6],
			pte_make((pfn_t)own[0], LINK_BITS) };
	case 11:
		return (struct op){
			op_head(OP_THREAD_SET, 0, (pfn_t)own[8], THREAD_FIELD_MESSAGE, 1), own[5], 0
		};
	case 12:
		return (struct op){ op_head(OP_THREAD_SET, 0, (pfn_t)own[8], THREAD_FIELD_START, 1),
			0x400000, 0x7000 };
	case 13:
		return (struct op){ op_head(OP_MOVE, 0, (pfn_t)own[0], 0, 4),
			own[0] << OP_PFN_SHIFT | 32ull << OP_INDEX_SHIFT, 0 };
	case 14:
		return (struct op){ op_head(OP_LEND, 0, (pfn_t)own[4], 0, 1), own[9], 0 };
	default:
		return (struct op){ op_head(OP_HANDLE_SET, 0, (pfn_t)shared_page.word[2], 50, 1),
			SUB_SLOT_MAIN | RIGHT_SEND << 16, 0 };
	}
}
#define VALID_KINDS 16u

/* In the attacker: requests, each with one word mutated. */
static void program_mutate(uint64_t count, uint64_t seed)
{
	const volatile uint64_t *own = (const volatile uint64_t *)SUB_PRIVATE + OWN_FIRST;
	struct op *ops = MESSAGE_PAGE;

	for (uint64_t i = 0; i < count; i++) {
		uint32_t length = (uint32_t)(1 + random_next(&seed) % 4);

		for (uint32_t k = 0; k < length; k++) {
			ops[k] = valid_op((uint32_t)(random_next(&seed) % VALID_KINDS), own);
		}
		if (i % 4 != 0) { /* the others keep the frames in all states */
			struct op *wrong = &ops[random_next(&seed) % length];
			uint64_t which = random_next(&seed) % 3;
			uint64_t *word = which == 0   ? &wrong->head
					 : which == 1 ? &wrong->a
						      : &wrong->b;

			*word = mutated(*word, &seed);
		}
		shared_page.word[1] +=
			kernel_call(CALL_BATCH, length, 0, 0, 0, 0, 0, NULL) == ST_OK;
	}
	shared_page.word[0] += count;
	program_stop();
}

static bool malice_valid_requests_with_one_word_wrong(void)
{
	struct attacker attacker;
	struct victim victim;
	uint64_t own[OWN_KINDS], *page;

	CHECK(malice_begin_sheltered(&attacker, &victim) && own_kinds(&attacker, own));
	page = window_open(0, attacker.sub.private);
	(void)foreign_targets(&victim, page);
	for (uint32_t i = 0; i < OWN_KINDS; i++) {
		page[OWN_FIRST + i] = own[i];
	}
	window_close(0);
	CHECK(malice_keep(&attacker));
	for (uint32_t round = 0; round < 20; round++) {
		struct message message;

		CHECK(attacker_run(&attacker, program_mutate, 2000, 0x1d872b41a3c9 + round));
		CHECK_EQUAL(shared_page.word[0], 2000 * (round + 1));
		CHECK(kernel_is_well());
		while (receive_now(&message) == ST_OK) {
		}
	}
	CHECK(shared_page.word[1] > 4000);
	return malice_end(&attacker, &victim);
}

/* ---- the same while a whole system is running ---- */

#define TARGETS_AT_ONCE 20u /* as many as program_mutate chooses from */

/* Any frames that are not of our pool: whoever has them. */
static void random_targets(uint64_t *targets, uint32_t count, uint64_t *state)
{
	for (uint32_t i = 0; i < count;) {
		pfn_t pfn = (pfn_t)(random_next(state) % boot->frames);

		if (FRAMES[pfn].pool != boot->pool && FRAMES[pfn].type != FRAME_NONE) {
			targets[i++] = pfn;
		}
	}
}

bool malice_round(uint64_t seed, uint32_t priority)
{
	struct attacker attacker;
	uint64_t own[OWN_KINDS], *page;

	CHECK(attacker_make(&attacker, SHELTERED, POOL_LIMITED | priority | 4 << POOL_BELOW_SHIFT));
	CHECK(sub_set(&attacker.sub, THREAD_FIELD_PRIORITY, priority, 0) &&
		own_kinds(&attacker, own));
	page = window_open(0, attacker.sub.private);
	random_targets(page, TARGETS_AT_ONCE, &seed);
	for (uint32_t i = 0; i < OWN_KINDS; i++) {
		page[OWN_FIRST + i] = own[i];
	}
	window_close(0);
	CHECK(attacker_run(&attacker, program_foreign, TARGETS_AT_ONCE, 0));
	CHECK(attacker_run(&attacker, program_mutate, 1000, seed));
	return true;
}

#define ROW(name)           \
	{                   \
#name, name \
	}

const struct test tests_malice_frames[] = {
	ROW(malice_a_change_of_one_byte_outside_is_seen),
	ROW(malice_foreign_frames_in_every_field),
	ROW(malice_forged_tables),
	ROW(malice_forged_contents_of_fresh_frames),
	ROW(malice_wrong_levels_and_cycles),
	ROW(malice_kernel_slots_of_the_top_level),
	ROW(malice_stale_expectations),
	ROW(malice_parts_of_blocks),
	ROW(malice_held_frames),
	ROW(malice_counters_at_their_limit),
	ROW(malice_a_frame_given_away_without_a_flush),
	ROW(malice_a_frame_used_again_without_a_flush),
	ROW(malice_a_loan_that_ended),
	ROW(malice_valid_requests_with_one_word_wrong),
	{ 0 },
};
