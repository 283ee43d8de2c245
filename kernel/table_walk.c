/*
 * The walk of a fault, made when its message is delivered.
 *
 * Rights are those of all levels together; the refusing entry is the first, from the top, that
 * does not allow the access.  The walk goes on below an entry that lacks only W or execution, so that the
 * message shows the leaf; it ends at one that is absent, malformed, or not for user mode (what lies below is not
 * shown: the kernel's own tables).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <faultline/fault.h>
#include "table.h"

/* No RAM has addresses this high: hardware or we would look elsewhere than the entry says. */
#define ENTRY_BEYOND (PTE_FRAME & ~(((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT))
#define HUGE_LEVEL 3u /* the highest level whose entries may be leaves */

/* The level of the first entry, from the top, that does not allow the access; 0: all do. */
static uint32_t walk_refusing_level(const struct walk *walk, uint32_t last, uint64_t needed, uint64_t forbidden)
{
	for (uint32_t level = LAYOUT_LEVELS; level >= last; level--) {
		uint64_t entry = walk->entry[LAYOUT_LEVELS - level];

		if ((entry & needed) != needed || (entry & forbidden))
			return level;
		if (unlikely(entry & PTE_PS) && level > HUGE_LEVEL)
			return level;
	}
	return 0;
}

/* See table.h. */
void table_walk(pfn_t top, uint64_t address, uint32_t access, struct walk *walk)
{
	uint64_t needed = PTE_P | PTE_U | (access & FAULT_WRITE ? PTE_W : 0);
	uint64_t forbidden = ENTRY_BEYOND | (access & FAULT_FETCH ? PTE_NX : 0);
	const uint64_t *table = frame_memory(top);
	uint32_t level = LAYOUT_LEVELS;

#pragma GCC unroll 5
	for (; level > 0; level--) {
		uint64_t entry = table[(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES];

		walk->entry[LAYOUT_LEVELS - level] = entry;
		/* On, below, only through a link for user mode.  (Level 1 has no PTE_PS.) */
		if (level == 1 || (entry & (PTE_P | PTE_U | PTE_PS | ENTRY_BEYOND)) != (PTE_P | PTE_U))
			break;
		table = frame_memory(pte_pfn(entry));
	}
	for (uint32_t i = LAYOUT_LEVELS - level + 1; i < 5; i++)
		walk->entry[i] = 0;
	walk->levels = LAYOUT_LEVELS;
	walk->refusing_level = walk_refusing_level(walk, level, needed, forbidden);
}
