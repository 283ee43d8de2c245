/*
 * Page tables: the checked operations on entries (see <faultline/op.h> for each).
 *
 *   table.c        which tables and slots calls may touch; set, fill
 *   table_copy.c   copy, move          table_run.c   clear, protect, read, harvest
 *   table_split.c  split               table_walk.c  the walk of a fault
 *   block.c        2 MiB entries       entry.h       the steps that all of them share
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include "frame.h"
#include <stdbool.h>

/* The level of a table: 1..5 (TOP: LAYOUT_LEVELS); 0 for no table. */
uint32_t table_level(pfn_t pfn);

/* A top-level entry that calls may change: user slots, vmalloc slots, the message slot. */
bool table_top_slot_is_open(uint32_t index);

/* No RAM has addresses this high: hardware or we would look elsewhere than the entry says. */
#define ENTRY_BEYOND (PTE_FRAME & ~(((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT))

struct walk {
	uint64_t entry[5]; /* from the top down; 0 below one that is absent or not for user mode */
	uint32_t levels;
	uint32_t refusing_level; /* 1..levels: the first from the top that refuses; 0: allowed */
};
/* Walk for an access (FAULT_WRITE, FAULT_FETCH; always by user mode). */
void table_walk(pfn_t top, uint64_t address, uint32_t access, struct walk *walk);

#endif
