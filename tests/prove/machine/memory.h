/*
 * Memory as the provers see it: what kernel/machine/memory.h is on the real machine.
 *
 * The frame table is an array exactly as long as the machine has frames, so that a frame number
 * beyond it is an access out of bounds.  What frame_memory() gives is the analysis' own: it says how
 * contents are known.  The atomic builtins become functions: a prover knows no threads, so what the
 * hardware does meanwhile (set A and D of a present entry) is done there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_MEMORY_H
#define KERNEL_MACHINE_MEMORY_H

#include <faultline/frame.h>
#include <faultline/layout.h>
#include <stdbool.h>
#include <stddef.h>

#define _Alignas(bytes) /* Frama-C does not know it; nothing here depends on it */

#ifndef PROVE_FRAMES
#define PROVE_FRAMES 0x100000000ull /* one for each number of 32 bits */
#endif

extern struct frame prove_frame_table[PROVE_FRAMES];

#define frame_table prove_frame_table

void *frame_memory(pfn_t pfn);

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

/* An entry as the processor may have left it: A and D of a present one are set at any time. */
uint64_t prove_entry_used(uint64_t entry);

static inline uint64_t prove_exchange(uint64_t *entry, uint64_t value)
{
	uint64_t old = prove_entry_used(*entry);

	*entry = value;
	return old;
}

static inline uint64_t prove_fetch_and(uint64_t *entry, uint64_t mask)
{
	uint64_t old = prove_entry_used(*entry);

	*entry = old & mask;
	return old;
}

static inline uint64_t prove_fetch_or(uint64_t *entry, uint64_t bits)
{
	uint64_t old = prove_entry_used(*entry);

	*entry = old | bits;
	return old;
}

static inline bool prove_compare_exchange(uint64_t *entry, uint64_t *expected, uint64_t value)
{
	uint64_t old = prove_entry_used(*entry);

	if (old == *expected) {
		*entry = value;
		return true;
	}
	*entry = old;
	*expected = old;
	return false;
}

static inline void prove_copy_bytes(uint8_t *to, const uint8_t *from, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++)
		to[i] = from[i];
}

#define __builtin_memcpy(to, from, bytes)	   prove_copy_bytes(to, from, bytes)
#define __atomic_exchange_n(entry, value, order)   prove_exchange(entry, value)
#define __atomic_fetch_and(entry, mask, order)	   prove_fetch_and(entry, mask)
#define __atomic_fetch_or(entry, bits, order)	   prove_fetch_or(entry, bits)
#define __atomic_compare_exchange_n(entry, expected, value, weak, order, order_else) \
	prove_compare_exchange(entry, expected, value)

#endif
