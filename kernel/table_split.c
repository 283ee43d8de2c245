/*
 * Split: one parent of a shared table gets a copy of its own, as one operation.
 *
 *      before                                after
 *      parent[i] (no W) --> table            parent[i] (W) --> fresh --> targets (+ 1 each)
 *      others ------------> table --> targets      others ---> table ----> the same targets
 *
 * Both tables lose W in every present entry that is not SHARED, so that what hangs below is split
 * or copied in its turn.  The parent's entry goes from the one to the other in a single exchange.
 *
 * This is the step that fork leaves behind for each write, so it makes one pass: it clears the fresh
 * table unless that is BLANK, begins where the caller knows of an entry, takes runs of zeros in blocks,
 * and stops looking after `live` entries.  The targets are counted in a pass of their own, which can be
 * undone, only where a counter can refuse: a limit lowered by a test, so much RAM that 32 bits
 * could overflow, or a table with 2 MiB or MSG entries.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"
#include "percpu.h"

/* Count all targets once more, or none: a target may stand in several entries. */
static status_t split_count(const uint64_t *entries)
{
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		if (!(entries[i] & PTE_P))
			continue;
		if (entry_can_count(entries[i]) == ST_OK) {
			entry_count_again(entries[i]);
			continue;
		}
		while (i-- > 0)
			if (entries[i] & PTE_P)
				entry_uncount(entries[i]);
		return ST_LIMIT;
	}
	return ST_OK;
}

static status_t split_check(
	const struct batch *batch, const struct op *op, const struct table *parent, uint64_t entry)
{
	const struct frame *old;

	if (entry_difference(entry, op->b) != 0 || !(entry & PTE_P))
		return ST_MISMATCH;
	if (parent->level == 1 || entry_is_large(entry))
		return ST_WRONG_TYPE;
	old = entry_target(entry);
	if (!batch_owns(batch, old))
		return ST_BAD_FRAME;
	if (old->refs == 1)
		return ST_MISMATCH; /* nobody else to split from */
	return split_check_fresh(batch, op->a);
}

/* Copy to the fresh table, and take W from the old one, whose targets are counted already. */
static void split_copy_counted(uint64_t *source, uint64_t *fresh)
{
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t entry = source[i];

		fresh[i] = entry & PTE_P ? entry_without_write(&source[i], entry) : entry;
	}
}

/*
 * Copy to the fresh table, take W from the old one, count the targets; `live` entries are not 0.  Eights
 * are taken from `near` on, to both sides.
 */
static void split_copy(uint64_t *source, uint64_t *fresh, uint32_t live, uint32_t near)
{
	uint32_t above = near & ~7u, below = above;

	while (live != 0 && (below > 0 || above < TABLE_ENTRIES)) {
		if (above < TABLE_ENTRIES) {
			live -= entries_share(&source[above], &fresh[above]);
			above += 8;
		}
		if (below > 0) {
			below -= 8;
			live -= entries_share(&source[below], &fresh[below]);
		}
	}
}

/* Everything is checked: op->a takes the place of the table that `entry` names. */
static void split_change(uint64_t *parent, uint64_t entry, const struct op *op, bool counted)
{
	pfn_t pfn = (pfn_t)op->a;
	struct frame *old = entry_target(entry), *fresh = &frame_table[pfn];
	uint64_t *source = frame_memory(pte_pfn(entry)), *target = frame_memory(pfn);

	if (unlikely(fresh->epoch == flush_epoch))
		flush_everything();
	if (!(fresh->flags & FRAME_BLANK))
		memory_fill_words(target, 0, TABLE_ENTRIES);
	if (unlikely(counted))
		split_copy_counted(source, target);
	else
		split_copy(source, target, old->live, OP_ENTRIES(op->head) % TABLE_ENTRIES);
	fresh->type = old->type;
	fresh->flags = old->flags & FRAME_SPECIAL;
	fresh->live = old->live;
	fresh->refs = 1;
	__atomic_exchange_n(parent, pte_make(pfn, (entry & ~PTE_FRAME) | PTE_W), __ATOMIC_RELAXED);
	old->refs--;
	counters.tables_split++;
}

/* See the head of this file. */
status_t table_op_split(struct batch *batch, const struct op *op)
{
	uint32_t index = OP_INDEX(op->head);
	struct table parent;
	uint64_t entry;
	bool counted;
	status_t status = table_open(batch, OP_PFN(op->head), index, 1, &parent);

	if (unlikely(status != ST_OK))
		return status;
	if (parent.frame->type == FRAME_TOP && table_top_slots(index, 1) == SLOTS_MESSAGE)
		return ST_NO_RIGHT;
	entry = parent.entries[index];
	if (unlikely(parent.level == LARGE_LEVEL && (entry & PTE_P) && entry_is_large(entry)))
		return block_split(batch, op, &parent.entries[index]);
	status = split_check(batch, op, &parent, entry);
	if (unlikely(status != ST_OK))
		return status;
	if (unlikely(!batch_take_work(batch, TABLE_ENTRIES)))
		return ST_MORE;
	counted = table_counts_may_refuse(entry_target(entry));
	if (unlikely(counted))
		status = split_count(frame_memory(pte_pfn(entry)));
	if (status == ST_OK)
		split_change(&parent.entries[index], entry, op, counted);
	return status;
}
