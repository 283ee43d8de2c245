/*
 * Starting the pager's own memory in the machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_HEAP_KERNEL_H
#define PAGER_HEAP_KERNEL_H

#include "mmu.h"

/* The L3 table that all windows lie below.  First of all. */
void heap_start(pfn_t table);

/* Put a page at mmu_bounce. */
MUST_CHECK status_t heap_map_bounce(void);

#endif
