/*
 * Nodes and items: what the shadow TLB remembers.
 *
 * A node takes two frames in a row, entries for hardware and items.  So the number of a node
 * follows from the frame number that stands in the hardware entry above it, and nothing else says
 * who lies below whom.  All this memory is a piece of RAM that reads as FRAME_NONE from boot on:
 * tests that compare all frames of others with what they were do not see it.
 *
 * How many items lead to a frame is counted: frame_is_cached() is asked whenever a frame gets
 * another use.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shadow.h"
#include "pool.h"

#define NODE_FRAMES 2u
#define LINK_BITS   (PTE_P | PTE_W | PTE_U | PTE_A)

#define NODES_BYTES ((uint64_t)SHADOW_NODES_MAX * NODE_FRAMES * PAGE_SIZE)
#define OTHER_BYTES (4ull << 20)

struct node *shadow_nodes;

static uint8_t *memory_next, *memory_end;
static pfn_t first_frame;
static node_id_t *free_ids;
static uint32_t free_count, free_least;
static node_id_t *watchers;    /* by real table */
static uint32_t *cached;       /* by frame: items that lead to it */
static uint32_t *cached_large; /* by block: 2 MiB items */

/* ---- memory ---- */

/* The highest run of free frames that is long enough disappears from the frame table. */
static pfn_t take_frames(uint32_t count)
{
	uint32_t found = 0;
	pfn_t pfn = frame_count;

	while (pfn-- > 0 && found < count) {
		const struct frame *frame = &frame_table[pfn];
		bool is_free = frame->type == FRAME_FREE && frame->pool == POOL_ROOT;

		found = is_free ? found + 1 : 0;
	}
	if (found < count)
		boot_stop("too little memory for the shadow TLB (QEMU: -m 256)");
	pfn++;
	for (pfn_t i = pfn; i < pfn + count; i++)
		frame_table[i] = (struct frame){ .type = FRAME_NONE };
	pool_table[POOL_ROOT].frames -= count;
	return pfn;
}

/* See shadow.h. */
void *shadow_take(uint64_t bytes)
{
	uint8_t *memory = memory_next;

	memory_next += (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	ASSERT(memory_next <= memory_end);
	return memory;
}

/* Called once, when the frame table exists. */
void nodes_init(void)
{
	uint64_t bytes = NODES_BYTES + OTHER_BYTES;

	if (frame_count > SHADOW_FRAMES_MAX)
		boot_stop("too much memory for the shadow TLB (QEMU: -m 1024, or less)");
	memory_next = frame_memory(take_frames((uint32_t)(bytes / PAGE_SIZE)));
	memory_end = memory_next + bytes;
	memory_fill_words(memory_next, 0, bytes / 8);
	first_frame = frame_number(shadow_take(NODES_BYTES));
	shadow_nodes = shadow_take(SHADOW_NODES_MAX * sizeof(*shadow_nodes));
	watchers = shadow_take(SHADOW_FRAMES_MAX * sizeof(*watchers));
	cached = shadow_take(SHADOW_FRAMES_MAX * sizeof(*cached));
	cached_large = shadow_take(SHADOW_FRAMES_MAX / BLOCK_FRAMES * sizeof(*cached_large));
	free_ids = shadow_take(SHADOW_NODES_MAX * sizeof(*free_ids));
	for (uint32_t id = SHADOW_NODES_MAX - 1; id > 0; id--)
		free_ids[free_count++] = (node_id_t)id;
	free_least = free_count;
}

/* The most nodes that were used at once. */
uint32_t nodes_used_most(void)
{
	return SHADOW_NODES_MAX - 1 - free_least;
}

/* The frame with the node's entries. */
pfn_t node_frame(node_id_t id)
{
	return first_frame + id * NODE_FRAMES;
}

/* What hardware walks. */
uint64_t *node_entries(node_id_t id)
{
	return frame_memory(node_frame(id));
}

/* What is remembered. */
uint64_t *node_items(node_id_t id)
{
	return frame_memory(node_frame(id) + 1);
}

/* ---- lists of watchers ---- */

/* The first node listed at a real table. */
node_id_t nodes_at(pfn_t table)
{
	return table < SHADOW_FRAMES_MAX ? watchers[table] : 0;
}

static void unwatch(node_id_t id)
{
	struct node *node = &shadow_nodes[id];

	if (node->table == 0)
		return;
	if (node->previous)
		shadow_nodes[node->previous].next = node->next;
	else
		watchers[node->table] = node->next;
	if (node->next)
		shadow_nodes[node->next].previous = node->previous;
	node->table = 0;
}

/* See shadow.h. */
void node_watch(node_id_t id, pfn_t table)
{
	struct node *node = &shadow_nodes[id];

	if (node->table == table)
		return;
	unwatch(id);
	if (table == 0)
		return;
	ASSERT(table < SHADOW_FRAMES_MAX);
	node->table = table;
	node->previous = 0;
	node->next = watchers[table];
	if (node->next)
		shadow_nodes[node->next].previous = id;
	watchers[table] = id;
}

/* ---- nodes ---- */

static void mark_used(node_id_t id, uint32_t index, bool used)
{
	uint64_t *word = &shadow_nodes[id].used[index / 64];

	*word = used ? *word | 1ull << index % 64 : *word & ~(1ull << index % 64);
}

/* See shadow.h. */
uint32_t node_next(node_id_t id, uint32_t index)
{
	uint64_t rest;

	for (; index < TABLE_ENTRIES; index = (index / 64 + 1) * 64) {
		rest = shadow_nodes[id].used[index / 64] >> index % 64;
		if (rest)
			return index + (uint32_t)__builtin_ctzll(rest);
	}
	return TABLE_ENTRIES;
}

static node_id_t node_take(struct context *context, uint32_t level, uint64_t base)
{
	node_id_t id;

	if (free_count == 0)
		return 0;
	id = free_ids[--free_count];
	if (free_count < free_least)
		free_least = free_count;
	shadow_nodes[id] = (struct node){ .context = context, .level = level, .base = base };
	return id;
}

/* See shadow.h. */
bool shadow_slot_is_user(uint32_t slot)
{
	return (slot <= LAYOUT_USER_LAST_SLOT) || slot == LAYOUT_MESSAGE_SLOT ||
	       slot == LAYOUT_VMEMMAP_SLOT ||
	       (slot >= LAYOUT_VMALLOC_FIRST_SLOT && slot <= LAYOUT_VMALLOC_LAST_SLOT);
}

/* The top of a context, with the kernel's own slots. */
node_id_t node_make_root(struct context *context)
{
	const uint64_t *kernel = frame_memory(kernel_top);
	node_id_t id = node_take(context, LAYOUT_LEVELS, 0);

	for (uint32_t slot = 0; id && slot < TABLE_ENTRIES; slot++)
		if (!shadow_slot_is_user(slot))
			node_entries(id)[slot] = kernel[slot];
	return id;
}

/* See shadow.h. */
node_id_t node_below(node_id_t id, uint32_t index)
{
	uint64_t entry = node_entries(id)[index];

	if (shadow_nodes[id].level == LAYOUT_LEVELS && !shadow_slot_is_user(index))
		return 0;
	return entry & PTE_P ? (node_id_t)((pte_pfn(entry) - first_frame) / NODE_FRAMES) : 0;
}

/* See shadow.h. */
node_id_t node_make_below(node_id_t id, uint32_t index)
{
	const struct node *node = &shadow_nodes[id];
	node_id_t below = node_below(id, index);
	uint64_t base = node->base + ((uint64_t)index << (PAGE_SHIFT + 9 * (node->level - 1)));
	struct view view;

	if (below)
		return below;
	if (node->level == LAYOUT_LEVELS && index >= TABLE_ENTRIES / 2)
		base |= ~0ull << 48;
	below = node_take(node->context, node->level - 1, base);
	if (!below)
		return 0;
	shadow_nodes[below].parent = id;
	node_entries(id)[index] = pte_make(node_frame(below), LINK_BITS);
	mark_used(id, index, true);
	view = view_of(below);
	node_watch(below, view.table);
	return below;
}

/* See shadow.h.  The frames of nodes that are not used hold zeros. */
void node_free_below(node_id_t id)
{
	for (uint32_t i = node_next(id, 0); i < TABLE_ENTRIES; i = node_next(id, i + 1)) {
		node_id_t below = shadow_nodes[id].level > 1 ? node_below(id, i) : 0;

		item_drop(id, i);
		if (below) {
			node_free(below);
			node_entries(id)[i] = 0;
			mark_used(id, i, false);
		}
	}
}

/* See shadow.h.  The entry that leads to it is the caller's. */
void node_free(node_id_t id)
{
	node_free_below(id);
	if (shadow_nodes[id].level == LAYOUT_LEVELS)
		memory_fill_words(node_entries(id), 0, TABLE_ENTRIES);
	unwatch(id);
	free_ids[free_count++] = id;
}

/* ---- items ---- */

static void count_target(uint64_t item, uint32_t change)
{
	pfn_t pfn = item_pfn(item);

	if (pfn >= frame_count)
		return; /* a device page */
	if (item & ITEM_LARGE)
		cached_large[pfn / BLOCK_FRAMES] += change;
	else
		cached[pfn] += change;
}

/* See shadow.h. */
bool frame_is_cached(pfn_t pfn)
{
	return cached[pfn] != 0 || cached_large[pfn / BLOCK_FRAMES] != 0;
}

/* See shadow.h. */
void item_install(node_id_t id, uint32_t index)
{
	uint64_t item = node_items(id)[index];
	uint64_t entry = pte_make(item_pfn(item), PTE_P | PTE_U | PTE_A);

	if ((item & (ITEM_W | ITEM_D)) == (ITEM_W | ITEM_D))
		entry |= PTE_W | PTE_D;
	entry |= (item & ITEM_NX ? PTE_NX : 0) | (item & ITEM_PCD ? PTE_PCD : 0) |
		 (item & ITEM_PWT ? PTE_PWT : 0);
	if (node_entries(id)[index] & PTE_P)
		shadow_must_reload = true;
	node_entries(id)[index] = entry;
}

/* See shadow.h. */
void item_hide(node_id_t id, uint32_t index)
{
	if (shadow_nodes[id].level != 1 || node_entries(id)[index] == 0)
		return;
	node_entries(id)[index] = 0;
	shadow_must_reload = true;
}

/* See shadow.h. */
void item_put(node_id_t id, uint32_t index, uint64_t item)
{
	item_drop(id, index);
	node_items(id)[index] = item | ITEM_VALID;
	mark_used(id, index, true);
	count_target(item, 1);
	if (shadow_nodes[id].level == 1)
		item_install(id, index);
}

/* See shadow.h. */
void item_drop(node_id_t id, uint32_t index)
{
	const struct node *node = &shadow_nodes[id];
	uint64_t *item = &node_items(id)[index];

	if (!(*item & ITEM_VALID))
		return;
	item_hide(id, index);
	count_target(*item, UINT32_MAX);
	if (node->level == 1 || !node_below(id, index))
		mark_used(id, index, false);
	node->context->stale -= (*item & ITEM_STALE) != 0;
	node->context->weak -= (*item & ITEM_WEAK) != 0;
	*item = 0;
}
