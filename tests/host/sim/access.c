/*
 * The simulated processor's view of page tables.
 *
 * Written from the processor manuals, not from kernel/table_walk.c, so that each can judge the
 * other.  Rights of an access are the AND of all levels; A is set in every entry used, D in the
 * leaf of a write; a fault sets no bit.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sim.h"
#include "table.h"
#include <faultline/fault.h>
#include <faultline/layout.h>

#define SIM_PHYSICAL_BITS 40 /* MAXPHYADDR: higher address bits of an entry are reserved */

struct sim_path {
	uint64_t *entry[5]; /* by level - 1 */
	unsigned leaf;	    /* level of the leaf entry */
	uint64_t rights;    /* W and U of all entries ANDed, NX ORed */
};

static bool entry_is_reserved(uint64_t entry, unsigned level)
{
	uint64_t reserved = PTE_FRAME & ~((1ull << SIM_PHYSICAL_BITS) - 1);

	if ((entry & PTE_PS) && level > 1) {
		if (level > 3)
			return true;
		/* The low address bits of a large page, except bit 12 (PAT). */
		reserved |= ((1ull << (12 + 9 * (level - 1))) - 1) & ~0x1fffull;
	}
	return (entry & reserved) != 0;
}

/* Error bits (FAULT_PRESENT, FAULT_RESERVED) of a walk that ends without a leaf; -1: leaf found. */
static int path_find(pfn_t top, uint64_t address, struct sim_path *path)
{
	pfn_t table = top;

	path->rights = PTE_W | PTE_U;
	for (unsigned level = LAYOUT_LEVELS; level > 0; level--) {
		uint64_t *entries = (uint64_t *)frame_memory(table);
		uint64_t *entry = &entries[(address >> (12 + 9 * (level - 1))) & 511];

		path->entry[level - 1] = entry;
		path->leaf = level;
		if (!(*entry & PTE_P))
			return 0;
		if (entry_is_reserved(*entry, level))
			return FAULT_PRESENT | FAULT_RESERVED;
		path->rights &= *entry | PTE_NX;
		path->rights |= *entry & PTE_NX;
		if (level == 1 || (*entry & PTE_PS))
			return -1;
		table = pte_pfn(*entry);
	}
	return -1;
}

/* See sim.h. */
uint8_t *sim_access(pfn_t top, uint64_t address, uint32_t access, uint32_t *error)
{
	struct sim_path path;
	int found = path_find(top, address, &path);
	bool refused = !(path.rights & PTE_U) ||
		       ((access & FAULT_WRITE) && !(path.rights & PTE_W)) ||
		       ((access & FAULT_FETCH) && (path.rights & PTE_NX));

	*error = FAULT_USER | (access & (FAULT_WRITE | FAULT_FETCH));
	if (found >= 0 || refused) {
		*error |= found >= 0 ? (uint32_t)found : FAULT_PRESENT;
		return NULL;
	}
	for (unsigned level = LAYOUT_LEVELS; level >= path.leaf; level--)
		*path.entry[level - 1] |= PTE_A;
	if (access & FAULT_WRITE)
		*path.entry[path.leaf - 1] |= PTE_D;
	uint64_t span = 1ull << (12 + 9 * (path.leaf - 1));
	uint64_t physical =
		(*path.entry[path.leaf - 1] & PTE_FRAME & ~(span - 1)) | (address & (span - 1));
	return (uint8_t *)frame_memory((pfn_t)(physical >> 12)) + (physical & 4095);
}

/* See sim.h. */
void sim_fault_words(
	pfn_t top, uint64_t address, uint32_t error, uint64_t instruction, uint64_t words[8])
{
	struct walk walk;

	table_walk(top, address, error & (FAULT_WRITE | FAULT_FETCH), &walk);
	words[0] = address;
	words[1] = error | (walk.refusing_level << FAULT_LEVEL_SHIFT) |
		   (walk.levels << FAULT_LEVELS_SHIFT);
	words[2] = instruction;
	for (unsigned i = 0; i < 5; i++)
		words[3 + i] = walk.entry[i];
}
