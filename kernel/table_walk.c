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

#define HUGE_LEVEL 3u /* the highest level whose entries may be leaves */

/* Hardware refuses these: a leaf above 1 GiB, or an address beyond all RAM. */
static bool entry_is_malformed(uint64_t entry, uint32_t level)
{
	return (entry & PTE_PS && level > HUGE_LEVEL) ||
	       (entry & PTE_FRAME & ~(((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT));
}

/* See table.h. */
void table_walk(pfn_t top, uint64_t address, uint32_t access, struct walk *walk)
{
	uint64_t needed = PTE_P | PTE_U | (access & FAULT_WRITE ? PTE_W : 0);
	uint64_t forbidden = access & FAULT_FETCH ? PTE_NX : 0;
	const uint64_t *table = frame_memory(top);

	*walk = (struct walk){ .levels = LAYOUT_LEVELS };
	for (uint32_t level = LAYOUT_LEVELS; level > 0; level--) {
		uint64_t entry = table[(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES];
		bool malformed = entry_is_malformed(entry, level);

		walk->entry[LAYOUT_LEVELS - level] = entry;
		if (walk->refusing_level == 0 &&
		    ((entry & needed) != needed || (entry & forbidden) || (malformed)))
			walk->refusing_level = level;
		if ((entry & (PTE_P | PTE_U)) != (PTE_P | PTE_U) || malformed || (entry & PTE_PS && level > 1))
			return;
		table = frame_memory(pte_pfn(entry));
	}
}
