/*
 * Memory and string functions that compilers expect to find.
 *
 * Words first, then the bytes that are left: a step of `rep` costs as much for a byte as for eight.
 * The empty assembly in the loops keeps compilers from seeing a call of the function itself in
 * them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "string.h"
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	void *target = to;
	size_t words = bytes / 8, rest = bytes % 8;

	__asm__ volatile("rep movsq" : "+D"(target), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	uint8_t *target = to;
	const uint8_t *source = from;

	if ((uintptr_t)to - (uintptr_t)from >= bytes)
		return memcpy(to, from, bytes);
	while (bytes--) {
		target[bytes] = source[bytes];
		__asm__ volatile("" : : : "memory");
	}
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	void *target = to;
	size_t words = bytes / 8, rest = bytes % 8;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101ull;

	__asm__ volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(target), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
	const uint8_t *l = left, *r = right;

	for (size_t i = 0; i < bytes; i++) {
		if (l[i] != r[i])
			return l[i] - r[i];
		__asm__ volatile("" : : : "memory");
	}
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length]) {
		length++;
		__asm__ volatile("" : : : "memory");
	}
	return length;
}
