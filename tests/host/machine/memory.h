/*
 * Simulated RAM: what kernel/machine/memory.h is on the real machine.
 *
 * Physical memory and the frame table are two arrays, so that the kernel's table code runs
 * unchanged in a host program.  tests/host comes before kernel/ in the include path.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_MEMORY_H
#define KERNEL_MACHINE_MEMORY_H

#include <faultline/frame.h>
#include <faultline/layout.h>
#include <stddef.h>

#define SIM_FRAMES_MAX 65536u /* 256 MiB; untouched frames cost the host nothing */

extern uint8_t sim_ram[SIM_FRAMES_MAX][PAGE_SIZE];
extern struct frame sim_frame_table[SIM_FRAMES_MAX];

#define frame_table sim_frame_table

static inline void *frame_memory(pfn_t pfn)
{
	return (void *)((uintptr_t)sim_ram + (uintptr_t)pfn * PAGE_SIZE); /* as on the machine */
}

static inline void *memory_at(uint64_t address)
{
	return (void *)((uintptr_t)sim_ram + address);
}

static inline pfn_t frame_number(const void *memory)
{
	return (pfn_t)((size_t)((const uint8_t *)memory - sim_ram[0]) >> PAGE_SHIFT);
}

static inline void memory_fill_words(void *to, uint64_t value, uint64_t words)
{
	uint64_t *target = to;

	for (uint64_t i = 0; i < words; i++)
		target[i] = value;
}

static inline void memory_copy_words(void *to, const void *from, uint64_t words)
{
	uint64_t *target = to;
	const uint64_t *source = from;

	for (uint64_t i = 0; i < words; i++)
		target[i] = source[i];
}

#endif
