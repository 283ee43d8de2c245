/*
 * Inputs for readers of damaged data: exact copies and reproducible damage.
 *
 * A copy has exactly its bytes on the heap, so the address sanitizer sees any read outside of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef EXACT_H
#define EXACT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint8_t *exact_copy(const void *from, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		abort();
	memcpy(copy, from, bytes);
	return copy;
}

/* A fixed series of numbers (xorshift). */
static inline uint64_t exact_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
