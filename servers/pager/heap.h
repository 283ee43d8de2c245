/*
 * The pager's own memory: windows of virtual addresses that memory is put into ahead of use.
 *
 * Nothing is ever given back, and nothing is allocated on the fault path: who needs items reserves
 * them (slab.h), and only that comes here.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_HEAP_H
#define PAGER_HEAP_H

#include <faultline/status.h>
#include <stdint.h>

enum heap_window {
	HEAP_FRAMES,  /* frame_pool.c: one word per frame */
	HEAP_REGIONS, /* nodes of region maps */
	HEAP_SPACES,
	HEAP_OBJECTS,
	HEAP_BOUNCE, /* one page, mmu_bounce */
	HEAP_WINDOWS
};
#define HEAP_WINDOW_BYTES (4ull << 30)

/* The first address of a window. */
void *heap_window(enum heap_window window);

/*
 * Put zeroed memory at [address, address + bytes), whole pages, ascending within its window.
 * NO_MEMORY: nothing has changed.  The form is that of slab_grow_t.
 */
MUST_CHECK status_t heap_grow(void *address, uint64_t bytes);

#endif
