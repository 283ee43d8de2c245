/*
 * The pager's own memory on the host (servers/pager/heap.h): windows of memory that is there
 * already.
 *
 * In a file of its own because <sys/mman.h> has other meanings for MAP_ names.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _DEFAULT_SOURCE
#include "../../servers/pager/heap.h"

#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW_BYTES (1ull << 30)

uint32_t machine_fail_heap(uint32_t n);
void machine_clear_heap(void);

static void *windows[HEAP_WINDOWS];
static uint32_t fail_at, refused;

/* See heap.h. */
void *heap_window(enum heap_window window)
{
	return windows[window];
}

/* See heap.h.  Nothing to do but to refuse when asked to. */
status_t heap_grow(void *address, uint64_t bytes)
{
	(void)address;
	(void)bytes;
	if (fail_at == 1) {
		refused++;
		return ST_NO_MEMORY;
	}
	fail_at -= fail_at != 0 ? 1 : 0;
	return ST_OK;
}

/* See pager_machine.h. */
uint32_t machine_fail_heap(uint32_t n)
{
	uint32_t count = refused;

	fail_at = n;
	refused = 0;
	return count;
}

/* See pager_machine.h. */
void machine_clear_heap(void)
{
	fail_at = refused = 0;
	for (uint32_t i = 0; i < HEAP_WINDOWS; i++) {
		if (windows[i])
			munmap(windows[i], WINDOW_BYTES);
		windows[i] = mmap(0, WINDOW_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (windows[i] == MAP_FAILED)
			abort();
	}
}
