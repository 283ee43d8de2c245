/*
 * A page fault in user mode: did the processor miss, hit, or fault?
 *
 *   hit    a remembered translation allows the access: it is used, true or stale
 *   miss   none is remembered, or a first write has to set D: walk from the lowest remembered upper
 *          item (true or stale), else from CR3; set A and D; remember everything that was read
 *   fault  the tables do not allow the access, or the remembered translation does not (also when
 *          the tables would by now).  What is remembered for the address goes, then the kernel is
 *          told.
 *
 * The rules differ between manufacturers, and the boot option `keep` chooses the other ones: a
 * violation is found by a walk of the tables from CR3, never from what is remembered alone; but a
 * fault forgets the translation of its page only, no upper item.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shadow.h"

#define ENTRY_BEYOND (PTE_FRAME & ~(((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT))

enum outcome { OUTCOME_SERVED, OUTCOME_ABSENT, OUTCOME_REFUSED, OUTCOME_NO_ROOM };

struct access {
	uint64_t address, error;
	bool write, fetch;
	bool from_top; /* no upper item helps */
	node_id_t path[LAYOUT_LEVELS + 1]; /* nodes by level, 0 where there is none yet */
};

struct walk_from {
	uint32_t level; /* of the table to read next */
	pfn_t table;
	bool writable, executable;
};

static void access_find(struct access *access)
{
	node_id_t id = shadow_current->root;

	for (uint32_t level = LAYOUT_LEVELS; level > 0; level--) {
		access->path[level] = id;
		if (id && level > 1)
			id = node_below(id, shadow_index(access->address, level));
	}
}

static uint64_t *access_item(const struct access *access, uint32_t level)
{
	return &node_items(access->path[level])[shadow_index(access->address, level)];
}

static bool item_allows(uint64_t item, const struct access *access)
{
	return !(access->write && !(item & ITEM_W)) && !(access->fetch && (item & ITEM_NX));
}

static void use(const struct access *access, uint32_t level)
{
	if (*access_item(access, level) & ITEM_STALE)
		report_stale(access->path[level], shadow_index(access->address, level),
			access->address, access->error);
}

/* A translation that only lost D is as good as any for reading. */
static void use_leaf(const struct access *access)
{
	node_id_t id = access->path[1];
	uint32_t index = shadow_index(access->address, 1);
	struct view view = view_of(id);

	if (access->write || item_judge(&view, id, index) != VERDICT_DIRTY)
		use(access, 1);
	item_install(id, index);
	if (!access->write && (*access_item(access, 1) & ITEM_STALE))
		node_entries(id)[index] &= ~(PTE_W | PTE_D);
	shadow_counts.hits++;
}

/* Where a walk begins: the lowest upper item that leads to a table, else CR3. */
static struct walk_from walk_start(const struct access *access)
{
	for (uint32_t level = 2; level <= LAYOUT_LEVELS; level++) {
		uint64_t item;

		if (!access->path[level] || access->from_top)
			continue;
		item = *access_item(access, level);
		if (!(item & ITEM_VALID) || (item & ITEM_LARGE))
			continue;
		use(access, level);
		return (struct walk_from){ level - 1, item_pfn(item), item & ITEM_W,
			!(item & ITEM_NX) };
	}
	return (struct walk_from){ LAYOUT_LEVELS, shadow_current->top, true, true };
}

/* The nodes of the path down to a level, made where missing. */
static bool path_make(struct access *access, uint32_t lowest)
{
	for (uint32_t level = LAYOUT_LEVELS - 1; level >= lowest; level--) {
		if (!access->path[level])
			access->path[level] = node_make_below(access->path[level + 1],
				shadow_index(access->address, level + 1));
		if (!access->path[level])
			return false;
	}
	return true;
}

/* Remember what was read at a level, and judge it: the walk may have begun at something stale. */
static bool remember(struct access *access, uint32_t level, uint64_t item)
{
	uint32_t index = shadow_index(access->address, level);

	if (!path_make(access, level))
		return false;
	item_put(access->path[level], index, item);
	judge_item(access->path[level], index);
	return true;
}

static uint64_t item_of(uint64_t entry, const struct walk_from *walk)
{
	return (entry & ITEM_FRAME) | (walk->writable ? ITEM_W : 0) |
	       (walk->executable ? 0 : ITEM_NX) | (entry & PTE_D ? ITEM_D : 0) |
	       (entry & PTE_PCD ? ITEM_PCD : 0) | (entry & PTE_PWT ? ITEM_PWT : 0);
}

/* The page itself; of a 2 MiB translation both the whole and the piece. */
static bool remember_leaf(struct access *access, const struct walk_from *walk, uint64_t entry)
{
	uint64_t piece = entry;

	if (walk->level == 2) {
		if (!remember(access, 2, item_of(entry, walk) | ITEM_LARGE))
			return false;
		piece += access->address & (PAGE_SIZE * (TABLE_ENTRIES - 1));
	}
	return remember(access, 1, item_of(piece, walk));
}

/* A translation of 2 MiB is remembered, but not for this piece of it. */
static bool hit_large(struct access *access)
{
	uint64_t item;

	if (!access->path[2] || (access->path[1] && (*access_item(access, 1) & ITEM_VALID)))
		return false;
	item = *access_item(access, 2);
	if (!(item & ITEM_VALID) || !(item & ITEM_LARGE) || !item_allows(item, access) ||
		(access->write && !(item & ITEM_D)))
		return false;
	use(access, 2);
	item &= ITEM_FRAME | ITEM_W | ITEM_NX | ITEM_D | ITEM_PCD | ITEM_PWT;
	shadow_counts.hits++;
	return remember(access, 1, item + (access->address & (PAGE_SIZE * (TABLE_ENTRIES - 1))));
}

/* One entry of a real table.  True: *outcome is final. */
static bool walk_entry(struct access *access, struct walk_from *walk, enum outcome *outcome)
{
	uint64_t *table = frame_memory(walk->table);
	uint64_t *place = &table[shadow_index(access->address, walk->level)], entry = *place;
	bool is_leaf = walk->level == 1 || (entry & PTE_PS);

	*outcome = entry & PTE_P ? OUTCOME_REFUSED : OUTCOME_ABSENT;
	walk->writable = walk->writable && (entry & PTE_W);
	walk->executable = walk->executable && !(entry & PTE_NX);
	if ((entry & (PTE_P | PTE_U)) != (PTE_P | PTE_U) || (entry & ENTRY_BEYOND))
		return true;
	ASSERT(!is_leaf || walk->level <= 2);
	if (is_leaf && ((access->write && !walk->writable) || (access->fetch && !walk->executable)))
		return true;
	entry = __atomic_or_fetch(place, PTE_A | (is_leaf && access->write ? PTE_D : 0),
		__ATOMIC_RELAXED);
	*outcome = OUTCOME_SERVED;
	if (!(is_leaf ? remember_leaf(access, walk, entry)
		      : remember(access, walk->level, item_of(entry, walk) & ~ITEM_D)))
		*outcome = OUTCOME_NO_ROOM;
	walk->table = pte_pfn(entry);
	walk->level--;
	return is_leaf || *outcome != OUTCOME_SERVED;
}

static enum outcome walk(struct access *access)
{
	struct walk_from from = walk_start(access);
	enum outcome outcome;

	shadow_counts.fills++;
	while (!walk_entry(access, &from, &outcome))
		;
	return outcome;
}

static enum outcome access_make(struct access *access)
{
	uint64_t item;

	access_find(access);
	if (access->from_top)
		return walk(access);
	item = access->path[1] ? *access_item(access, 1) : 0;
	if (item & ITEM_VALID) {
		if (!item_allows(item, access))
			return OUTCOME_REFUSED;
		if (!access->write || (item & ITEM_D)) {
			use_leaf(access);
			return OUTCOME_SERVED;
		}
	} else if (hit_large(access)) {
		return OUTCOME_SERVED;
	}
	return walk(access);
}

/* All that is remembered of a page, also when it is a piece of a larger one. */
static void forget_page(const struct access *access)
{
	bool is_piece = access->path[2] && (*access_item(access, 2) & ITEM_LARGE);

	if (is_piece)
		item_drop(access->path[2], shadow_index(access->address, 2));
	if (is_piece && access->path[1])
		node_free_below(access->path[1]);
	else if (access->path[1])
		item_drop(access->path[1], shadow_index(access->address, 1));
}

/* What a fault at an address forgets. */
static void forget_address(const struct access *access)
{
	forget_page(access);
	for (uint32_t level = 2; level <= LAYOUT_LEVELS && !shadow_keeps_upper(); level++)
		if (access->path[level])
			item_drop(access->path[level], shadow_index(access->address, level));
}

static enum outcome access_decide(struct access *access)
{
	enum outcome outcome = access_make(access);

	if (outcome == OUTCOME_REFUSED && shadow_keeps_upper()) {
		access->from_top = true;
		outcome = access_make(access);
	}
	if (outcome == OUTCOME_NO_ROOM) {
		shadow_forget_all();
		outcome = access_make(access);
	}
	return outcome;
}

/* See shadow.h. */
bool shadow_fault(struct thread *thread, uint64_t address)
{
	struct access access = { .address = address, .error = thread->registers.error };
	enum outcome outcome;

	access.write = access.error & FAULT_WRITE;
	access.fetch = access.error & FAULT_FETCH;
	if (!shadow_current || !(access.error & FAULT_USER) ||
		!shadow_slot_is_user(shadow_index(address, LAYOUT_LEVELS)))
		return false;
	outcome = access_decide(&access);
	if (outcome == OUTCOME_SERVED)
		return true;
	access_find(&access);
	forget_address(&access);
	shadow_counts.faults++;
	thread->registers.error = (access.error & ~(uint64_t)FAULT_PRESENT) |
				  (outcome == OUTCOME_REFUSED ? FAULT_PRESENT : 0);
	return false;
}
