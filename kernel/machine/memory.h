/*
 * Where physical memory is seen: the direct map and the frame table.
 *
 * The only file of the table code that differs between the kernel and the host build
 * (tests/host/machine/memory.h simulates RAM with an array).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_MEMORY_H
#define KERNEL_MACHINE_MEMORY_H

#include <faultline/frame.h>
#include <faultline/layout.h>

/* The frame table; entry n describes frame n.  Valid for n < frame_count. */
#define frame_table ((struct frame *)LAYOUT_FRAME_TABLE)

static inline void *frame_memory(pfn_t pfn)
{
	return (void *)(LAYOUT_DIRECT_MAP + ((uint64_t)pfn << PAGE_SHIFT));
}

/* Memory by its physical address. */
static inline void *memory_at(uint64_t address)
{
	return (void *)(LAYOUT_DIRECT_MAP + address);
}

static inline pfn_t frame_number(const void *memory)
{
	return (pfn_t)(((uint64_t)memory - LAYOUT_DIRECT_MAP) >> PAGE_SHIFT);
}

/* `rep stosq` and `rep movsq`: 512 steps for a frame, the primitive that all figures are based on. */
static inline void memory_fill_words(void *to, uint64_t value, uint64_t words)
{
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(value) : "memory");
}

static inline void memory_copy_words(void *to, const void *from, uint64_t words)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

#endif
