/*
 * The pager's own memory in the machine (heap.h): frames of its pool, mapped below the L3 table
 * that init linked into slot LAYOUT_VMALLOC_FIRST_SLOT.
 *
 *	heap_table (L3) -> one L2 for each GiB in use -> L1 tables, filled from the low end
 *
 * A window grows upwards only, so of each L2 just the newest L1 needs to be remembered.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "heap_kernel.h"

#include "frame_pool.h"
#include "heap.h"

#define LEVEL1_SPAN (1ull << 21)
#define LEVEL2_SPAN (1ull << 30)
#define HEAP_LINK   (PTE_P | PTE_W | PTE_U)
#define HEAP_LEAF   (PTE_P | PTE_W | PTE_U | PTE_NX)
#define GIBS	    (HEAP_WINDOWS * (HEAP_WINDOW_BYTES >> 30))

_Static_assert(GIBS <= TABLE_ENTRIES, "the windows fit their top-level slot");

static pfn_t heap_table;
static struct {
	pfn_t level2, level1; /* of each GiB: its table, and the newest below it */
} gibs[GIBS];

static uint32_t entry_of(uint64_t address, uint32_t shift)
{
	return (uint32_t)(address >> shift) & (TABLE_ENTRIES - 1);
}

/* See heap_kernel.h. */
void heap_start(pfn_t table)
{
	heap_table = table;
}

/* See heap.h. */
void *heap_window(enum heap_window window)
{
	return (void *)(LAYOUT_VMALLOC + (uint64_t)window * HEAP_WINDOW_BYTES);
}

#define PAGE_OPS 9u /* operations of one page, at most: with two tables, while the pager starts */

/* Frames that growing by these bytes may take: pages, L1 tables, L2 tables. */
static uint64_t frames_needed(uint64_t bytes)
{
	return bytes / PAGE_SIZE + bytes / LEVEL1_SPAN + bytes / LEVEL2_SPAN + 4;
}

/* A frame of this type for the pager; the operations that make it so are collected. */
static pfn_t take_as(frame_type_t type)
{
	pfn_t pfn = frame_pool.info ? frame_pool_take(KIND_OWN) : frame_pool_take_first();

	if (mmu_frame(pfn)->type == FRAME_FREE) /* while the pager starts */
		mmu_add(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_DATA, 0);
	if (type == FRAME_DATA)
		mmu_add(op_head(OP_ZERO, 0, pfn, 0, 1), 0, 0);
	else
		mmu_add(op_head(OP_RETYPE, 0, pfn, 0, 1), type, 0);
	return pfn;
}

static void link_entry(pfn_t table, uint32_t index, pfn_t pfn, uint64_t bits)
{
	mmu_add(op_head(OP_SET, 0, table, index, 1), pte_make(pfn, bits), 0);
}

/* Collect the operations that put a page at the address. */
static pfn_t map_page(uint64_t address)
{
	uint32_t gib = entry_of(address, 30);
	pfn_t pfn;

	if (gibs[gib].level2 == 0) {
		gibs[gib].level2 = take_as(FRAME_L2);
		link_entry(heap_table, gib, gibs[gib].level2, HEAP_LINK);
	}
	if (address % LEVEL1_SPAN == 0) {
		gibs[gib].level1 = take_as(FRAME_L1);
		link_entry(gibs[gib].level2, entry_of(address, 21), gibs[gib].level1, HEAP_LINK);
	}
	pfn = take_as(FRAME_DATA);
	link_entry(gibs[gib].level1, entry_of(address, 12), pfn, HEAP_LEAF);
	return pfn;
}

/* See heap.h.  The frames were asked for, so operations on them are refused only if a rule is
   broken. */
status_t heap_grow(void *address, uint64_t bytes)
{
	uint64_t at = (uint64_t)address;

	if (!frame_pool_has(frames_needed(bytes)))
		return ST_NO_MEMORY;
	for (uint64_t end = at + bytes; at < end; at += PAGE_SIZE) {
		status_t status = ST_OK;

		(void)map_page(at);
		if (mmu_room() < PAGE_OPS)
			status = mmu_run();
		if (status != ST_OK)
			return status;
	}
	return mmu_run();
}

/* See heap_kernel.h. */
status_t heap_map_bounce(void)
{
	if (!frame_pool_has(frames_needed(PAGE_SIZE)))
		return ST_NO_MEMORY;
	mmu_bounce = heap_window(HEAP_BOUNCE);
	mmu_bounce_frame = map_page((uint64_t)mmu_bounce);
	return mmu_run();
}
