/*
 * Bytes and strings, as ISO C defines them.  (Freestanding: compilers call the first four by
 * themselves.)
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_SERVER_STRING_H
#define LIB_SERVER_STRING_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t bytes);
void *memmove(void *target, const void *source, size_t bytes);
void *memset(void *target, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
void *memchr(const void *memory, int value, size_t bytes);

size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t limit);
char *strchr(const char *text, int wanted);
char *strrchr(const char *text, int wanted);

#endif
