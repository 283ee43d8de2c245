/*
 * touch MEBIBYTES: maps so much memory, writes a word to each page, and reads all of them back.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MEBIBYTE      ((size_t)1 << 20)
#define PAGE_WORDS    (4096 / sizeof(uint64_t))
#define MEBIBYTES_MAX (1ul << 24)

/* A value that no other page has. */
static uint64_t mark(size_t page)
{
	return (uint64_t)page * 0x9e3779b97f4a7c15u + 1;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	size_t count = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	size_t pages = count * (MEBIBYTE / 4096);
	volatile uint64_t *words;

	if (count == 0 || count > MEBIBYTES_MAX || *end) {
		fprintf(stderr, "usage: touch MEBIBYTES\n");
		return 2;
	}
	words = mmap(
		NULL, count * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		fprintf(stderr, "touch: %zu MiB: %s\n", count, strerror(errno));
		return 1;
	}
	for (size_t page = 0; page < pages; page++)
		words[page * PAGE_WORDS] = mark(page);
	for (size_t page = 0; page < pages; page++)
		if (words[page * PAGE_WORDS] != mark(page)) {
			fprintf(stderr, "touch: page %zu does not hold what was written\n", page);
			return 1;
		}
	printf("touched %zu MiB, %zu pages\n", count, pages);
	return 0;
}
