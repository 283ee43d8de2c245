/*
 * An index of words: a hash table on the heap.
 *
 *   buckets[hash % bucket_count] -> entry -> entry -> NULL
 *                                     |-> positions[] (grows by realloc)
 *
 * Words are kept in lower case and compared byte by byte, so that the order is the same everywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SNAPSHOT_INDEX_H
#define SNAPSHOT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORD_BYTES_MAX 255u

struct entry {
	struct entry *next;
	uint64_t hash; /* of text */
	uint64_t weight;
	uint32_t count, room; /* positions used, and allocated */
	uint32_t *positions;
	uint32_t length;
	char text[];
};

struct index {
	struct entry **buckets;
	size_t bucket_count, entry_count;
	uint64_t occurrences;
};

/* All that allocate return false when there is no memory. */
bool index_create(struct index *index, size_t bucket_count);
bool index_add(struct index *index, const char *word, size_t length, uint32_t position);
bool index_resize(struct index *index, size_t bucket_count);

/* Changes the text, the weight and every position of every entry; the entries must be linked anew
   behind it (index_resize). */
void index_change(struct index *index, uint32_t generation);
/* Overwrites every entry with garbage; only its links stay. */
void index_spoil(struct index *index);

/* A number that depends on every byte of every entry, and not on their order. */
uint64_t index_checksum(const struct index *index);

/* The entries in the order of their words; an array on the heap, or NULL. */
struct entry **index_sort(const struct index *index);

#define DIGEST_START 0xcbf29ce484222325ull
uint64_t digest_add(uint64_t digest, const void *bytes, size_t count);

#endif
