/*
 * Bytes and strings for system servers: plain ISO C semantics, general registers only.
 *
 * Copies and fills are string instructions, words first (a step costs as much for a byte as for
 * eight), so that no compiler turns a loop here into a call of
 * the very function it is in.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/string.h"

#include <stdint.h>

/* Copies bytes between ranges that do not overlap. */
void *memcpy(void *restrict target, const void *restrict source, size_t bytes)
{
	void *result = target;
	size_t words = bytes / 8, rest = bytes % 8;

	__asm__ volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(rest) : : "memory");
	return result;
}

/* Copies bytes between ranges that may overlap. */
void *memmove(void *target, const void *source, size_t bytes)
{
	unsigned char *to = target;
	const unsigned char *from = source;

	if ((uintptr_t)to - (uintptr_t)from >= bytes)
		return memcpy(target, source, bytes);
	to += bytes - 1;
	from += bytes - 1;
	__asm__ volatile("std\n\trep movsb\n\tcld"
			 : "+D"(to), "+S"(from), "+c"(bytes)
			 :
			 : "memory", "cc");
	return target;
}

/* Fills bytes with one value. */
void *memset(void *target, int value, size_t bytes)
{
	void *result = target;
	size_t words = bytes / 8, rest = bytes % 8;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101ull;

	__asm__ volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(target), "+c"(rest) : "a"(pattern) : "memory");
	return result;
}

/* Compares bytes as unsigned numbers: below, equal to, above 0. */
int memcmp(const void *left, const void *right, size_t bytes)
{
	const unsigned char *l = left, *r = right;

	for (size_t i = 0; i < bytes; i++) {
		if (l[i] != r[i])
			return l[i] < r[i] ? -1 : 1;
	}
	return 0;
}

/* The first byte of that value, or NULL. */
void *memchr(const void *memory, int value, size_t bytes)
{
	const unsigned char *m = memory;

	for (size_t i = 0; i < bytes; i++) {
		if (m[i] == (unsigned char)value)
			return (void *)(uintptr_t)(m + i);
	}
	return NULL;
}

/* Bytes before the NUL. */
size_t strlen(const char *text)
{
	const char *end = text;

	while (*end != '\0') {
		end++;
		__asm__ volatile("" : "+r"(end)); /* stays a loop */
	}
	return (size_t)(end - text);
}

/* Bytes before the NUL, at most limit. */
size_t strnlen(const char *text, size_t limit)
{
	size_t length = 0;

	while (length < limit && text[length] != '\0')
		length++;
	return length;
}

/* Compares strings as unsigned bytes. */
int strcmp(const char *left, const char *right)
{
	return strncmp(left, right, SIZE_MAX);
}

/* Compares at most limit bytes of strings. */
int strncmp(const char *left, const char *right, size_t limit)
{
	for (size_t i = 0; i < limit; i++) {
		unsigned char l = (unsigned char)left[i], r = (unsigned char)right[i];

		if (l != r)
			return l < r ? -1 : 1;
		if (l == '\0')
			return 0;
	}
	return 0;
}

/* The first such character (the NUL counts), or NULL. */
char *strchr(const char *text, int wanted)
{
	for (;; text++) {
		if (*text == (char)wanted)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}

/* The last such character (the NUL counts), or NULL. */
char *strrchr(const char *text, int wanted)
{
	const char *found = NULL;

	for (;; text++) {
		if (*text == (char)wanted)
			found = text;
		if (*text == '\0')
			return (char *)(uintptr_t)found;
	}
}
