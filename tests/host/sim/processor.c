/*
 * Processors and their caches (model: processor.h).
 *
 * One entry is in three places: the chain of its hash (processor, space, level, span), the list of
 * its space, and the count of its frame.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "processor.h"

#include "frame.h"
#include "log.h"
#include "object.h"
#include <faultline/fault.h>
#include <faultline/layout.h>

#define ENTRIES_MAX 65536u /* when all are used some entry is forgotten, as caches may */
#define CHAINS	    16384u
#define SPAN(level) (1ull << (12 + 9 * ((level)-1)))

struct slot {
	struct cached cached;
	uint32_t chain_next;	 /* also links the free ones */
	uint32_t next, previous; /* of this space */
	bool is_used;
};

uint32_t processor_count = 1;
uint8_t processor_wrote[SIM_FRAMES_MAX];

static struct slot slots[ENTRIES_MAX]; /* 0 is no entry */
static uint32_t chains[CHAINS], fresh, unused;
static uint32_t of_space[SIM_FRAMES_MAX], of_frame[SIM_FRAMES_MAX];
static uint64_t adversary; /* 0: calm */

/* ---- the adversary ---- */

static uint32_t adversary_draw(void)
{
	adversary ^= adversary << 13;
	adversary ^= adversary >> 7;
	adversary ^= adversary << 17;
	return (uint32_t)(adversary >> 24);
}

/* Once in n times; never while calm. */
static bool adversary_wants(uint32_t n)
{
	return adversary != 0 && adversary_draw() % n == 0;
}

/* See the header. */
void processors_disturb(uint64_t seed)
{
	adversary = seed;
}

/* ---- entries ---- */

static uint32_t chain_of(uint32_t processor, pfn_t space, uint32_t level, uint64_t address)
{
	uint64_t key = address / SPAN(level) * 4 + level - 1;

	key = (key * 4 + processor) * 0x9e3779b97f4a7c15ull + space * 0xc2b2ae3d27d4eb4full;
	return (uint32_t)(key >> 40) % CHAINS;
}

static uint32_t *slot_find(uint32_t processor, pfn_t space, uint32_t level, uint64_t address)
{
	uint32_t *link = &chains[chain_of(processor, space, level, address)];
	uint64_t start = address & ~(SPAN(level) - 1);

	for (; *link != 0; link = &slots[*link].chain_next) {
		const struct cached *found = &slots[*link].cached;

		if (found->address == start && found->space == space && found->level == level &&
			found->processor == processor)
			break;
	}
	return link;
}

static struct cached *entry_find(uint32_t processor, pfn_t space, uint32_t level, uint64_t address)
{
	uint32_t index = *slot_find(processor, space, level, address);

	return index != 0 ? &slots[index].cached : NULL;
}

static void list_remove(const struct slot *slot)
{
	if (slot->next != 0)
		slots[slot->next].previous = slot->previous;
	if (slot->previous != 0)
		slots[slot->previous].next = slot->next;
	else
		of_space[slot->cached.space] = slot->next;
}

static void slot_remove(uint32_t *link)
{
	uint32_t index = *link;
	struct slot *slot = &slots[index];

	*link = slot->chain_next;
	list_remove(slot);
	of_frame[slot->cached.frame]--;
	slot->is_used = false;
	slot->chain_next = unused;
	unused = index;
}

static void entry_drop(uint32_t processor, pfn_t space, uint32_t level, uint64_t address)
{
	uint32_t *link = slot_find(processor, space, level, address);

	if (*link != 0)
		slot_remove(link);
}

static void entry_drop_this(const struct cached *entry)
{
	entry_drop(entry->processor, entry->space, entry->level, entry->address);
}

static uint32_t slot_take(void)
{
	uint32_t index = unused;

	if (index == 0 && fresh == ENTRIES_MAX) {
		static uint32_t victim;

		victim = victim % (ENTRIES_MAX - 1) + 1;
		entry_drop_this(&slots[victim].cached);
		index = unused;
	}
	if (index == 0)
		return fresh++;
	unused = slots[index].chain_next;
	return index;
}

static void entry_keep(const struct cached *entry)
{
	uint32_t index, *chain;
	struct slot *slot;

	entry_drop_this(entry);
	index = slot_take();
	slot = &slots[index];
	chain = &chains[chain_of(entry->processor, entry->space, entry->level, entry->address)];
	*slot = (struct slot){
		.cached = *entry,
		.chain_next = *chain,
		.next = of_space[entry->space],
		.is_used = true,
	};
	if (slot->next != 0)
		slots[slot->next].previous = index;
	*chain = index;
	of_space[entry->space] = index;
	of_frame[entry->frame]++;
}

/* ---- flushes ---- */

/* See the header. */
void processors_flush_all(void)
{
	for (uint32_t i = 1; i < fresh; i++)
		if (slots[i].is_used)
			entry_drop_this(&slots[i].cached);
	fresh = 1;
	unused = 0;
}

/* See the header. */
void processors_start(uint32_t count)
{
	if (fresh != 0)
		processors_flush_all();
	fresh = 1;
	processor_count = count;
	adversary = 0;
	for (pfn_t pfn = 0; pfn < SIM_FRAMES_MAX; pfn++)
		processor_wrote[pfn] = 0;
}

/* See the header. */
void processors_flush_space(pfn_t space)
{
	while (of_space[space] != 0)
		entry_drop_this(&slots[of_space[space]].cached);
}

/* See the header. */
void processor_flush_space(uint32_t processor, pfn_t space)
{
	uint32_t next;

	for (uint32_t i = of_space[space]; i != 0; i = next) {
		next = slots[i].next;
		if (slots[i].cached.processor == processor)
			entry_drop_this(&slots[i].cached);
	}
}

/* See the header. */
void processors_flush_page(pfn_t space, uint64_t address)
{
	for (uint32_t i = 0; i < processor_count; i++)
		entry_drop(i, space, 1, address);
}

/* See the header. */
uint32_t processors_remember(pfn_t frame)
{
	return of_frame[frame];
}

/* See the header. */
void processors_visit(pfn_t space, processor_visit_t *visit)
{
	for (uint32_t i = of_space[space]; i != 0; i = slots[i].next)
		visit(&slots[i].cached);
}

/* ---- walks ---- */

/* A walk under way: the table to look at, its level, the rights found so far. */
struct walk_state {
	struct cached at; /* frame: the table; level: that of the entry that led there */
	uint32_t access;
	uint32_t error;
};

/* What an entry adds to the rights above it. */
static uint64_t rights_below(uint64_t rights, uint64_t entry)
{
	return (rights & entry & PTE_W) | ((rights | entry) & PTE_NX);
}

static bool rights_allow(uint64_t rights, uint32_t access)
{
	if (access & FAULT_WRITE)
		return rights & PTE_W;
	return !(access & FAULT_FETCH) || !(rights & PTE_NX);
}

/* A cached upper entry to begin at: the deepest; or as the adversary likes. */
static struct cached *choose_start(const struct walk_state *walk)
{
	bool is_fresh = adversary_wants(4);

	for (uint32_t level = 2; level <= LAYOUT_LEVELS && !is_fresh; level++) {
		struct cached *entry =
			entry_find(walk->at.processor, walk->at.space, level, walk->at.address);

		if (entry && !adversary_wants(3))
			return entry;
	}
	return NULL;
}

static void walk_begin(struct walk_state *walk)
{
	const struct cached *start = choose_start(walk);

	if (start && rights_allow(start->rights, walk->access)) {
		walk->at.frame = start->frame;
		walk->at.rights = start->rights;
		walk->at.level = start->level;
		return;
	}
	walk->at.frame = space_of(walk->at.space)->top;
	walk->at.rights = PTE_W;
	walk->at.level = LAYOUT_LEVELS + 1;
}

/* The table that a walk looks at must be one: else an entry outlived its table. */
static void table_require(const struct walk_state *walk, uint32_t level)
{
	uint32_t type = level == LAYOUT_LEVELS ? FRAME_TOP : FRAME_L1 + level - 1;

	if (frame_table[walk->at.frame].type != type)
		panic("a processor walks through frame %u, no table of level %u (address 0x%llx)",
			walk->at.frame, level, (unsigned long long)walk->at.address);
}

/* The walk ends in a 2 MiB page: the processor remembers all of it, as its 512 pages. */
static void walk_end_large(struct walk_state *walk, uint64_t entry)
{
	struct cached page = walk->at;

	page.level = 1;
	for (uint32_t i = 0; i < 512; i++) {
		page.address = (walk->at.address & ~(SPAN(2) - 1)) + i * SPAN(1);
		page.frame = pte_pfn(entry) + i;
		entry_keep(&page);
	}
	walk->at.level = 1;
	walk->at.frame = pte_pfn(entry) + (uint32_t)(walk->at.address / SPAN(1) % 512);
}

/* One step down; false: refused. */
static bool walk_step(struct walk_state *walk)
{
	bool is_leaf;

	uint32_t level = walk->at.level - 1u;
	uint64_t *entries, *entry;

	table_require(walk, level);
	entries = frame_memory(walk->at.frame);
	entry = &entries[(walk->at.address >> (12 + 9 * (level - 1))) & 511];
	walk->at.rights = rights_below(walk->at.rights, *entry);
	if (!(*entry & PTE_P))
		return false;
	walk->error |= FAULT_PRESENT;
	is_leaf = level == 1 || (level == 2 && *entry & PTE_PS);
	if (pte_pfn(*entry) >= frame_count || (!is_leaf && *entry & PTE_PS))
		panic("a malformed entry 0x%llx of level %u", (unsigned long long)*entry, level);
	if (!(*entry & PTE_U))
		return false;
	if (is_leaf && !rights_allow(walk->at.rights, walk->access))
		return false;
	*entry |= PTE_A;
	if (is_leaf && walk->access & FAULT_WRITE)
		*entry |= PTE_D;
	walk->at.rights |= is_leaf ? *entry & PTE_D : 0;
	if (is_leaf && level == 2) {
		walk_end_large(walk, *entry);
		return true;
	}
	walk->at.frame = pte_pfn(*entry);
	walk->at.level = (uint8_t)level;
	return true;
}

static void keep_step(const struct walk_state *walk)
{
	struct cached entry = walk->at;

	entry.address &= ~(SPAN(entry.level) - 1);
	entry_keep(&entry);
}

/* A fault drops what the processor has of this address. */
static void drop_address(const struct walk_state *walk)
{
	uint32_t levels = adversary_wants(2) ? 1 : LAYOUT_LEVELS;

	for (uint32_t level = 1; level <= levels; level++)
		entry_drop(walk->at.processor, walk->at.space, level, walk->at.address);
}

static bool walk_run(struct walk_state *walk)
{
	walk->error = FAULT_USER | (walk->access & (FAULT_WRITE | FAULT_FETCH));
	walk_begin(walk);
	while (walk->at.level > 1) {
		walk->error &= ~FAULT_PRESENT;
		if (!walk_step(walk))
			return false;
		keep_step(walk);
	}
	return true;
}

static uint64_t *word_of(const struct walk_state *walk)
{
	uint8_t *page = frame_memory(walk->at.frame);

	if (walk->access & FAULT_WRITE)
		processor_wrote[walk->at.frame] = 1;
	return (uint64_t *)(void *)(page + (walk->at.address & 4088));
}

/* The translation that is cached: 1 used, -1 a fault, 0 look at the tables. */
static int cached_access(struct walk_state *walk)
{
	const struct cached *entry =
		entry_find(walk->at.processor, walk->at.space, 1, walk->at.address);

	if (!entry)
		return 0;
	if (!rights_allow(entry->rights, walk->access))
		return adversary_wants(2) ? -1 : 0;
	if (walk->access & FAULT_WRITE && !(entry->rights & PTE_D))
		return 0; /* D is set by a walk */
	walk->at.frame = entry->frame;
	return 1;
}

/* See the header. */
uint64_t *processor_access(
	uint32_t processor, pfn_t space, uint64_t address, uint32_t access, uint32_t *error)
{
	struct walk_state walk = {
		.at = { .address = address, .space = space, .processor = (uint8_t)processor },
		.access = access,
	};
	int cached;

	if (adversary_wants(16))
		entry_drop(processor, space, 1, address);
	cached = cached_access(&walk);
	if (cached == 1 || (cached == 0 && walk_run(&walk)))
		return word_of(&walk);
	if (cached == -1)
		walk.error = FAULT_USER | FAULT_PRESENT | (access & (FAULT_WRITE | FAULT_FETCH));
	*error = walk.error;
	drop_address(&walk);
	return NULL;
}

/* See the header.  No D, and no fault. */
void processor_speculate(uint32_t processor, pfn_t space, uint64_t address)
{
	struct walk_state walk = {
		.at = { .address = address, .space = space, .processor = (uint8_t)processor },
	};

	(void)walk_run(&walk);
}
