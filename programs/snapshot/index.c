/*
 * The index of words (index.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "index.h"
#include <stdlib.h>
#include <string.h>

#define POSITIONS_FIRST 2u
#define LETTER_SHIFT	13 /* half of the alphabet: twice is nothing */
#define DIGIT_SHIFT	5
#define POSITION_FACTOR 2654435761u /* odd: no two positions become one */

/* FNV-1a, 64 bits. */
uint64_t digest_add(uint64_t digest, const void *bytes, size_t count)
{
	const unsigned char *byte = bytes;

	while (count-- > 0)
		digest = (digest ^ *byte++) * 0x100000001b3ull;
	return digest;
}

/* An empty index. */
bool index_create(struct index *index, size_t bucket_count)
{
	*index = (struct index){ .buckets = calloc(bucket_count, sizeof(struct entry *)),
		.bucket_count = bucket_count };
	return index->buckets != NULL;
}

static struct entry *entry_find(
	const struct index *index, uint64_t hash, const char *word, size_t length)
{
	struct entry *entry = index->buckets[hash % index->bucket_count];

	while (entry && (entry->hash != hash || entry->length != length ||
				memcmp(entry->text, word, length) != 0))
		entry = entry->next;
	return entry;
}

static struct entry *entry_create(
	struct index *index, uint64_t hash, const char *word, size_t length)
{
	struct entry **bucket = &index->buckets[hash % index->bucket_count];
	struct entry *entry = malloc(sizeof(*entry) + length);

	if (!entry)
		return NULL;
	*entry = (struct entry){ .next = *bucket, .hash = hash, .length = (uint32_t)length };
	memcpy(entry->text, word, length);
	*bucket = entry;
	index->entry_count++;
	return entry;
}

static bool entry_add_position(struct entry *entry, uint32_t position)
{
	if (entry->count == entry->room) {
		uint32_t room = entry->room ? entry->room * 2 : POSITIONS_FIRST;
		uint32_t *positions = realloc(entry->positions, room * sizeof(*positions));

		if (!positions)
			return false;
		entry->positions = positions;
		entry->room = room;
	}
	entry->positions[entry->count++] = position;
	entry->weight++;
	return true;
}

/* One more occurrence of a word. */
bool index_add(struct index *index, const char *word, size_t length, uint32_t position)
{
	uint64_t hash = digest_add(DIGEST_START, word, length);
	struct entry *entry = entry_find(index, hash, word, length);

	if (!entry)
		entry = entry_create(index, hash, word, length);
	if (!entry || !entry_add_position(entry, position))
		return false;
	index->occurrences++;
	return true;
}

/* Links all entries anew, by their present hashes, into a table of another size. */
bool index_resize(struct index *index, size_t bucket_count)
{
	struct entry **buckets = calloc(bucket_count, sizeof(struct entry *));

	if (!buckets)
		return false;
	for (size_t i = 0; i < index->bucket_count; i++) {
		struct entry *entry = index->buckets[i];

		while (entry) {
			struct entry *next = entry->next;

			entry->next = buckets[entry->hash % bucket_count];
			buckets[entry->hash % bucket_count] = entry;
			entry = next;
		}
	}
	free(index->buckets);
	index->buckets = buckets;
	index->bucket_count = bucket_count;
	return true;
}

/* Different characters stay different, so no two words become one. */
static char character_change(char character)
{
	if (character >= 'a' && character <= 'z')
		return (char)('a' + (character - 'a' + LETTER_SHIFT) % 26);
	if (character >= '0' && character <= '9')
		return (char)('0' + (character - '0' + DIGIT_SHIFT) % 10);
	return character;
}

static void entry_change(struct entry *entry, uint32_t generation)
{
	for (uint32_t i = 0; i < entry->length; i++)
		entry->text[i] = character_change(entry->text[i]);
	for (uint32_t i = 0; i < entry->count; i++)
		entry->positions[i] = entry->positions[i] * POSITION_FACTOR + generation;
	entry->hash = digest_add(DIGEST_START, entry->text, entry->length);
	entry->weight += generation;
}

/* See index.h. */
void index_change(struct index *index, uint32_t generation)
{
	for (size_t i = 0; i < index->bucket_count; i++)
		for (struct entry *entry = index->buckets[i]; entry; entry = entry->next)
			entry_change(entry, generation);
}

/* See index.h. */
void index_spoil(struct index *index)
{
	for (size_t i = 0; i < index->bucket_count; i++)
		for (struct entry *entry = index->buckets[i]; entry; entry = entry->next) {
			memset(entry->text, '#', entry->length);
			memset(entry->positions, 0xff, entry->count * sizeof(*entry->positions));
			entry->weight = 0;
		}
}

/* See index.h. */
uint64_t index_checksum(const struct index *index)
{
	uint64_t sum = index->entry_count + index->occurrences;

	for (size_t i = 0; i < index->bucket_count; i++)
		for (const struct entry *entry = index->buckets[i]; entry; entry = entry->next) {
			uint64_t digest = digest_add(DIGEST_START, entry->text, entry->length);

			digest = digest_add(digest, &entry->weight, sizeof(entry->weight));
			digest = digest_add(
				digest, entry->positions, entry->count * sizeof(*entry->positions));
			sum += digest ^ entry->hash;
		}
	return sum;
}

static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = *(struct entry *const *)left;
	const struct entry *b = *(struct entry *const *)right;
	int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);

	if (order)
		return order;
	return (a->length > b->length) - (a->length < b->length);
}

/* See index.h. */
struct entry **index_sort(const struct index *index)
{
	struct entry **sorted = malloc(index->entry_count * sizeof(struct entry *));
	size_t count = 0;

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < index->bucket_count; i++)
		for (struct entry *entry = index->buckets[i]; entry; entry = entry->next)
			sorted[count++] = entry;
	qsort(sorted, count, sizeof(struct entry *), entry_compare);
	return sorted;
}
