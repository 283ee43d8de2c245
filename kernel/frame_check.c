/*
 * frame_check_all: every rule of the frame table, by walking all frames and all entries.
 *
 * Counts are checked without memory of its own and in time linear in the entries: each entry found
 * takes one from its target's counter, after which every counter must be 0; then each gives its
 * one back. Entries that cannot be counted (no such target) are left out both times.
 *
 *   1 TYPE         the type exists; ZERO and KERNEL have no pool, all others a live one
 *   2 UNUSED       FREE, ZERO, TOP and objects have no reference; MSG at most one; FREE no hold;
 *                  `live` only where it means something
 *   3 FLAGS        each flag stands at a type it is for; SPECIAL at tables with MSG or 2 MiB
 *                  entries; what is BLANK and unused is zeros
 *   4 LENT         a lent frame has a hold, and its borrower lives
 *   5 BLOCK        all frames of a block are flagged, DATA, of the head's pool; it is mapped or kept
 *   6 REFS         refs = entries that point here
 *   7 LIVE         live = entries that are not 0 (open slots of a TOP); 2 MiB entries of a head
 *   8 ENTRY_BITS   only bits that the level allows; links are for user mode
 *   9 ENTRY_TARGET leaf: DATA, ZERO, MSG, TRACE; link: one level lower; 2 MiB: a block
 *  10 ENTRY_WRITE  a writable leaf is DATA or MSG
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"

/* The first violation found. */
struct violation {
	uint32_t rule;
	pfn_t where;
};

static void violation_note(struct violation *violation, uint32_t rule, pfn_t where)
{
	if (rule != 0 && violation->rule == 0)
		*violation = (struct violation){ rule, where };
}

static bool type_is_mapped(uint32_t type)
{
	return type == FRAME_DATA || type == FRAME_MSG || type == FRAME_TRACE;
}

static uint32_t check_type(const struct frame *frame)
{
	bool ownerless = frame->type == FRAME_ZERO || frame->type == FRAME_KERNEL;

	if (frame->type >= FRAME_TYPES)
		return FRAME_RULE_TYPE;
	if (ownerless ? frame->pool != 0
		      : frame->pool >= POOL_COUNT || !pool_table[frame->pool].live)
		return FRAME_RULE_TYPE;
	return 0;
}

static uint32_t check_unused(const struct frame *frame)
{
	bool is_link_target = frame->type >= FRAME_L1 && frame->type < FRAME_TOP;

	if (frame->refs != 0 && !type_is_mapped(frame->type) && !is_link_target)
		return FRAME_RULE_UNUSED;
	if (frame->type == FRAME_MSG && frame->refs > 1)
		return FRAME_RULE_UNUSED;
	if (frame->type == FRAME_FREE && frame->holds != 0)
		return FRAME_RULE_UNUSED;
	if (frame->live != 0 && !frame_type_is_table((frame_type_t)frame->type) &&
		!(frame->flags & (FRAME_LENT | FRAME_BLOCK)))
		return FRAME_RULE_UNUSED;
	return 0;
}

static uint32_t check_flags(const struct frame *frame)
{
	uint32_t allowed = 0;

	if (type_is_mapped(frame->type))
		allowed = FRAME_DIRTY;
	if (frame->type == FRAME_DATA)
		allowed |= frame->flags & FRAME_LENT ? FRAME_LENT : FRAME_BLOCK;
	if (frame->flags & FRAME_BLOCK && frame_pfn(frame) % BLOCK_FRAMES == 0)
		allowed |= FRAME_KEPT;
	if (frame->type == FRAME_DATA || frame->type == FRAME_FREE)
		allowed |= FRAME_BLANK;
	if (frame->type == FRAME_L1 || frame->type == FRAME_L2)
		allowed |= FRAME_SPECIAL;
	return frame->flags & ~allowed ? FRAME_RULE_FLAGS : 0;
}

static uint32_t check_blank(const struct frame *frame)
{
	if (!(frame->flags & FRAME_BLANK) || !frame_is_unused(frame))
		return 0;
	return entries_skip_zero(frame_memory(frame_pfn(frame)), 0, TABLE_ENTRIES) == TABLE_ENTRIES
		       ? 0
		       : FRAME_RULE_FLAGS;
}

static uint32_t check_lent(const struct frame *frame)
{
	if (!(frame->flags & FRAME_LENT))
		return 0;
	return frame->holds > 0 && frame->live < POOL_COUNT && pool_table[frame->live].live
		       ? 0
		       : FRAME_RULE_LENT;
}

static uint32_t check_block(struct frame *frame)
{
	const struct frame *head = frame_block_head(frame);
	bool has_entries = frame->live != 0;

	if ((frame->flags & FRAME_BLOCK) != (head->flags & FRAME_BLOCK))
		return FRAME_RULE_BLOCK;
	if (!(frame->flags & FRAME_BLOCK))
		return 0;
	if (frame->pool != head->pool)
		return FRAME_RULE_BLOCK;
	if (frame == head ? !has_entries && !(frame->flags & FRAME_KEPT) : has_entries)
		return FRAME_RULE_BLOCK;
	return 0;
}

static void check_frame(struct frame *frame, struct violation *violation)
{
	pfn_t pfn = frame_pfn(frame);

	violation_note(violation, check_type(frame), pfn);
	violation_note(violation, check_unused(frame), pfn);
	violation_note(violation, check_flags(frame), pfn);
	violation_note(violation, check_blank(frame), pfn);
	violation_note(violation, check_lent(frame), pfn);
	violation_note(violation, check_block(frame), pfn);
}

static uint32_t check_large(const struct table *table, uint64_t entry)
{
	if (entry & ~ENTRY_LARGE)
		return FRAME_RULE_ENTRY_BITS;
	if (pte_pfn(entry) >= frame_count || pte_pfn(entry) % BLOCK_FRAMES != 0 ||
		!(entry_target(entry)->flags & FRAME_BLOCK))
		return FRAME_RULE_ENTRY_TARGET;
	return table->frame->flags & FRAME_SPECIAL ? 0 : FRAME_RULE_FLAGS;
}

static uint32_t check_link(const struct table *table, uint64_t entry)
{
	if ((entry & ~ENTRY_LINK) || !(entry & PTE_U))
		return FRAME_RULE_ENTRY_BITS;
	if (pte_pfn(entry) >= frame_count ||
		entry_target(entry)->type != FRAME_L1 + table->level - 2)
		return FRAME_RULE_ENTRY_TARGET;
	return 0;
}

static uint32_t check_leaf(const struct table *table, uint64_t entry)
{
	uint32_t type;

	if (entry & ~ENTRY_LEAF)
		return entry_is_device(entry) ? 0 : FRAME_RULE_ENTRY_BITS;
	if (pte_pfn(entry) >= frame_count)
		return FRAME_RULE_ENTRY_TARGET;
	type = entry_target(entry)->type;
	if (type != FRAME_ZERO && !type_is_mapped(type))
		return FRAME_RULE_ENTRY_TARGET;
	if (type == FRAME_MSG && !(table->frame->flags & FRAME_SPECIAL))
		return FRAME_RULE_FLAGS;
	return entry & PTE_W && type != FRAME_DATA && type != FRAME_MSG ? FRAME_RULE_ENTRY_WRITE
									: 0;
}

static uint32_t check_entry(const struct table *table, uint64_t entry)
{
	if (table->level == 1)
		return check_leaf(table, entry);
	if (table->level == LARGE_LEVEL && entry_is_large(entry))
		return check_large(table, entry);
	return check_link(table, entry);
}

/* Take one from the counter of the entry's target (or give it back: change = 1). */
static void target_adjust(uint64_t entry, int change)
{
	struct frame *target = entry_target(entry);

	if (frame_is_uncounted(target))
		return;
	if (entry_is_large(entry))
		target->live = (uint16_t)(target->live + change);
	else
		target->refs = target->refs + (uint32_t)change;
}

/* Count all entries of a table with the given change; returns how many are not 0. */
static uint32_t table_count(const struct table *table, int change, struct violation *violation)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t entry = table->entries[i];
		uint32_t rule;

		if (entry == 0 || (table->frame->type == FRAME_TOP && !table_top_slot_is_open(i)))
			continue;
		used++;
		if (!(entry & PTE_P))
			continue;
		rule = check_entry(table, entry);
		violation_note(violation, rule, frame_pfn(table->frame));
		if (rule != FRAME_RULE_ENTRY_TARGET && rule != FRAME_RULE_ENTRY_BITS)
			target_adjust(entry, change);
	}
	return used;
}

static void tables_count(int change, struct violation *violation)
{
	for (pfn_t pfn = 0; pfn < frame_count; pfn++) {
		struct table table = { frame_memory(pfn), &frame_table[pfn], table_level(pfn) };

		if (table.level == 0)
			continue;
		if (table_count(&table, change, violation) != table.frame->live)
			violation_note(violation, FRAME_RULE_LIVE, pfn);
	}
}

/* Every entry has taken its one: nothing may be left. */
static void check_counted(const struct frame *frame, struct violation *violation)
{
	if (frame->refs != 0)
		violation_note(violation, FRAME_RULE_REFS, frame_pfn(frame));
	if ((frame->flags & FRAME_BLOCK) && frame->live != 0)
		violation_note(violation, FRAME_RULE_LIVE, frame_pfn(frame));
}

/* See frame.h. */
uint32_t frame_check_all(pfn_t *where)
{
	struct violation violation = { 0, 0 }, again;

	for (pfn_t pfn = 0; pfn < frame_count; pfn++)
		if (frame_get(pfn))
			check_frame(&frame_table[pfn], &violation);
	tables_count(-1, &violation);
	for (pfn_t pfn = 0; pfn < frame_count; pfn++)
		if (frame_get(pfn))
			check_counted(&frame_table[pfn], &violation);
	again = violation;
	tables_count(1, &again);
	*where = violation.where;
	return violation.rule;
}
