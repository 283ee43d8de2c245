/*
 * The walk of a fault, made when its message is delivered.
 *
 * Rights are those of all levels together; the refusing entry is the first, from the top, that
 * does not allow the access.  The walk goes on below an entry that lacks only W or execution, so
 * that the message shows the leaf; it ends at one that is absent, malformed, or not for user mode
 * (what lies below is not shown: the kernel's own tables).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "table.h"
#include <faultline/fault.h>

#define HUGE_LEVEL   3u /* the highest level whose entries may be leaves */

/* Does one entry of this level allow what is needed? */
static bool entry_allows(uint64_t entry, uint32_t level, uint64_t needed, uint64_t forbidden)
{
	return (entry & needed) == needed && !(entry & forbidden) &&
	       !((entry & PTE_PS) && level > HUGE_LEVEL);
}

/* See table.h. */
void table_walk(pfn_t top, uint64_t address, uint32_t access, struct walk *walk)
{
	uint64_t needed = PTE_P | PTE_U | (access & FAULT_WRITE ? PTE_W : 0);
	uint64_t forbidden = ENTRY_BEYOND | (access & FAULT_FETCH ? PTE_NX : 0);
	uint64_t all = needed, any = 0; /* of the links passed: ANDed and ORed */
	const uint64_t *table = frame_memory(top);
	uint32_t level = LAYOUT_LEVELS;
	uint64_t entry = 0;

	*walk = (struct walk){ .levels = LAYOUT_LEVELS };
#pragma GCC unroll 5
	for (; level > 0; level--) {
		entry = table[(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES];
		walk->entry[LAYOUT_LEVELS - level] = entry;
		/* On, below, only through a link for user mode.  (Level 1 has no PTE_PS.) */
		if (level == 1 ||
			(entry & (PTE_P | PTE_U | PTE_PS | ENTRY_BEYOND)) != (PTE_P | PTE_U))
			break;
		all &= entry;
		any |= entry;
		table = frame_memory(pte_pfn(entry));
	}
	if (likely(all == needed && !(any & forbidden))) {
		walk->refusing_level = entry_allows(entry, level, needed, forbidden) ? 0 : level;
		return;
	}
	for (level = LAYOUT_LEVELS;
		entry_allows(walk->entry[LAYOUT_LEVELS - level], level, needed, forbidden);)
		level--;
	walk->refusing_level = level;
}
