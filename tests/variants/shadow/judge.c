/*
 * Items against the real tables: which are still true?
 *
 * After an operation has changed an entry of a real table, the item that was read from it is judged
 * anew, and everything below: rights are those of all levels together.  Nodes below move to the
 * list of the table that is reached now.
 *
 * A processor may evict what it likes at any time, and this one does it where it hurts: when an
 * upper item becomes stale, the true items below go, so that the next access there has to use it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shadow.h"

#define ENTRY_USER (PTE_P | PTE_U)

/* What lies below an entry that a view shows. */
static struct view view_below(const struct view *view, uint32_t level, uint64_t entry)
{
	struct view below = { 0 };

	if ((entry & ENTRY_USER) != ENTRY_USER)
		return below;
	below.writable = view->writable && (entry & PTE_W);
	below.executable = view->executable && !(entry & PTE_NX);
	if (level > 1 && (entry & PTE_PS))
		below.large = entry;
	else
		below.table = pte_pfn(entry);
	return below;
}

/* See shadow.h. */
uint64_t view_entry(const struct view *view, uint32_t index)
{
	if (view->table)
		return ((const uint64_t *)frame_memory(view->table))[index];
	if (view->large)
		return (view->large & ~PTE_PS) + index * PAGE_SIZE;
	return 0;
}

/* See shadow.h. */
struct view view_of(node_id_t id)
{
	const struct node *node = &shadow_nodes[id];
	struct view above;
	uint32_t level = node->level + 1;

	if (!node->parent)
		return (struct view){
			.table = node->context->top, .writable = true, .executable = true
		};
	above = view_of(node->parent);
	return view_below(&above, level, view_entry(&above, shadow_index(node->base, level)));
}

/* D that a write through the item would not leave anywhere. */
static bool dirty_is_lost(uint64_t item, uint64_t entry)
{
	if (!(item & ITEM_W) || !(item & ITEM_D) || (entry & PTE_D))
		return false;
	return pte_pfn(entry) >= frame_count || !(frame_table[pte_pfn(entry)].flags & FRAME_DIRTY);
}

static enum verdict judge_leaf(const struct view *now, uint64_t item, uint64_t entry)
{
	bool writable = item & ITEM_W, executable = !(item & ITEM_NX);

	if ((writable && !now->writable) || (executable && !now->executable))
		return VERDICT_RIGHTS;
	if (dirty_is_lost(item, entry))
		return VERDICT_DIRTY;
	return writable == now->writable && executable == now->executable ? VERDICT_SAME
									  : VERDICT_WEAK;
}

/* See shadow.h. */
enum verdict item_judge(const struct view *view, node_id_t id, uint32_t index)
{
	uint32_t level = shadow_nodes[id].level;
	uint64_t item = node_items(id)[index], entry = view_entry(view, index);
	struct view now = view_below(view, level, entry);
	bool is_large = level > 1 && (entry & PTE_PS);

	if ((entry & ENTRY_USER) != ENTRY_USER || item_pfn(item) != pte_pfn(entry) ||
		is_large != ((item & ITEM_LARGE) != 0))
		return VERDICT_PLACE;
	return judge_leaf(&now, item, entry);
}

static void item_unmark(node_id_t id, uint64_t *item)
{
	shadow_nodes[id].context->stale -= (*item & ITEM_STALE) != 0;
	shadow_nodes[id].context->weak -= (*item & ITEM_WEAK) != 0;
	*item &= ~(ITEM_STALE | ITEM_WEAK);
}

static void item_mark_stale(node_id_t id, uint32_t index, uint64_t *item)
{
	if (*item & ITEM_STALE)
		return;
	item_unmark(id, item);
	*item = (*item & ((1ull << ITEM_CAUSE_SHIFT) - 1) & ~ITEM_EXPECTED) | ITEM_STALE |
		(shadow_cause() & ITEM_CAUSE_MASK) << ITEM_CAUSE_SHIFT |
		(shadow_is_expected() ? ITEM_EXPECTED : 0);
	shadow_nodes[id].context->stale++;
	shadow_counts.became_stale++;
	item_hide(id, index);
}

/* Mark one item as what it is now. */
static void item_mark(node_id_t id, uint32_t index, enum verdict verdict)
{
	uint64_t *item = &node_items(id)[index];

	if (verdict >= VERDICT_DIRTY) {
		item_mark_stale(id, index, item);
		return;
	}
	item_unmark(id, item);
	if (verdict == VERDICT_WEAK) {
		*item |= ITEM_WEAK;
		shadow_nodes[id].context->weak++;
	}
}

static void judge_index(node_id_t id, const struct view *view, uint32_t index, bool evict);

static void judge_all(node_id_t id, const struct view *view, bool evict)
{
	node_watch(id, view->table);
	for (uint32_t i = node_next(id, 0); i < TABLE_ENTRIES; i = node_next(id, i + 1))
		judge_index(id, view, i, evict);
}

/* One item and what lies below it.  evict: drop it if it is true. */
static void judge_index(node_id_t id, const struct view *view, uint32_t index, bool evict)
{
	uint32_t level = shadow_nodes[id].level;
	node_id_t below = level > 1 ? node_below(id, index) : 0;
	bool was_stale = node_items(id)[index] & ITEM_STALE;
	struct view now;

	if (node_items(id)[index] & ITEM_VALID) {
		item_mark(id, index, item_judge(view, id, index));
		if (evict && !(node_items(id)[index] & ITEM_STALE)) {
			item_drop(id, index);
			shadow_counts.evicted++;
		}
	}
	if (!below)
		return;
	now = view_below(view, level, view_entry(view, index));
	judge_all(below, &now, evict || (!was_stale && (node_items(id)[index] & ITEM_STALE)));
}

/* See shadow.h. */
void judge_entry(node_id_t id, uint32_t index)
{
	struct view view = view_of(id);

	judge_index(id, &view, index, false);
}

/* See shadow.h. */
void judge_item(node_id_t id, uint32_t index)
{
	struct view view = view_of(id);

	item_mark(id, index, item_judge(&view, id, index));
}

/* See shadow.h. */
void judge_node(node_id_t id)
{
	struct view view = view_of(id);

	judge_all(id, &view, false);
}
