/*
 * A parallel sort: processes sort parts of shared memory in place, the parent merges the parts into
 * memory of its own and compares sums.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "whole.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define PARTS	   4u
#define PART_WORDS (128u << 10)
#define WORDS	   (PARTS * PART_WORDS)

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t kept = *a;

	*a = *b;
	*b = kept;
}

static void sink(uint32_t *heap, size_t at, size_t count)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		child += child + 1 < count && heap[child + 1] > heap[child];
		if (heap[at] >= heap[child])
			return;
		swap(&heap[at], &heap[child]);
	}
}

static void heap_sort(uint32_t *words, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sink(words, i, count);
	for (size_t end = count; end-- > 1;) {
		swap(&words[0], &words[end]);
		sink(words, 0, end);
	}
}

static void merge(const uint32_t *words, uint32_t *to)
{
	size_t next[PARTS] = { 0 };

	for (size_t i = 0; i < WORDS; i++) {
		uint32_t best = PARTS;

		for (uint32_t part = 0; part < PARTS; part++)
			if (next[part] < PART_WORDS &&
				(best == PARTS || words[part * PART_WORDS + next[part]] <
							  words[best * PART_WORDS + next[best]]))
				best = part;
		to[i] = words[best * PART_WORDS + next[best]++];
	}
}

static int is_wrong(const uint32_t *sorted, uint64_t wanted)
{
	uint64_t sum = sorted[0];

	for (size_t i = 1; i < WORDS; i++) {
		if (sorted[i - 1] > sorted[i])
			return 1;
		sum += sorted[i];
	}
	return sum != wanted;
}

int job_sort(void)
{
	uint32_t *words = map_or_end(WORDS * sizeof(uint32_t), MAP_SHARED);
	uint32_t *sorted = map_or_end(WORDS * sizeof(uint32_t), MAP_PRIVATE);
	uint32_t seed = 42;
	uint64_t sum = 0;
	pid_t children[PARTS];
	int failed = 0;

	for (size_t i = 0; i < WORDS; i++)
		sum += words[i] = random_next(&seed);
	for (uint32_t part = 0; part < PARTS; part++) {
		children[part] = fork_or_end();
		if (children[part] == 0) {
			heap_sort(words + part * PART_WORDS, PART_WORDS);
			_exit(0);
		}
	}
	for (uint32_t part = 0; part < PARTS; part++)
		failed |= wait_failed(children[part]);
	merge(words, sorted);
	printf("sort: %u words\n", WORDS);
	return failed || is_wrong(sorted, sum);
}
