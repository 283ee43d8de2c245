/*
 * What all fuzz targets share (model: fuzz.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fuzz.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t max);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static uint64_t operations, inputs;

static void print_counts(void)
{
	fprintf(stderr, "fuzz: operations %" PRIu64 " inputs %" PRIu64 "\n", operations, inputs);
}

/* Called by the fuzzer before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return atexit(print_counts);
}

/* See fuzz.h. */
void fuzz_count(uint64_t count)
{
	operations += count;
}

/* See fuzz.h. */
void fuzz_count_input(void)
{
	inputs++;
}

/* See fuzz.h. */
void fuzz_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("fuzz: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	abort();
}

/* See fuzz.h. */
uint64_t fuzz_take(struct fuzz_bytes *bytes, uint32_t width)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < width && bytes->at < bytes->end; i++)
		value |= (uint64_t)*bytes->at++ << (8 * i);
	return value;
}

/* ---- mutation ---- */

/* An input taken apart: `count` records after the header. */
struct records {
	uint8_t *first;
	size_t bytes; /* of one */
	size_t count, max;
	uint64_t random;
};

static uint32_t below(struct records *records, size_t limit)
{
	records->random ^= records->random << 13;
	records->random ^= records->random >> 7;
	records->random ^= records->random << 17;
	return (uint32_t)((records->random * 0x2545f4914f6cdd1dull >> 33) % limit);
}

static uint8_t *record_at(const struct records *records, size_t i)
{
	return records->first + i * records->bytes;
}

/* Make room for `count` records at `at`: false if there is none. */
static int records_open(struct records *records, size_t at, size_t count)
{
	if (records->count + count > records->max)
		return 0;
	memmove(record_at(records, at + count), record_at(records, at),
		(records->count - at) * records->bytes);
	records->count += count;
	return 1;
}

static void record_randomise(struct records *records, size_t i)
{
	uint8_t *record = record_at(records, i);

	for (size_t byte = 0; byte < records->bytes; byte++)
		record[byte] = (uint8_t)below(records, 256);
}

static void records_insert(struct records *records)
{
	size_t at = below(records, records->count + 1), count = 1 + below(records, 8);

	if (!records_open(records, at, count))
		return;
	while (count-- > 0)
		record_randomise(records, at + count);
}

static void records_delete(struct records *records)
{
	size_t at = below(records, records->count), count = 1 + below(records, 8);

	if (count > records->count - at)
		count = records->count - at;
	if (count == records->count)
		return;
	memmove(record_at(records, at), record_at(records, at + count),
		(records->count - at - count) * records->bytes);
	records->count -= count;
}

/* A run of records once more, somewhere. */
static void records_repeat(struct records *records)
{
	size_t from = below(records, records->count), count = 1 + below(records, 8);
	size_t at = below(records, records->count + 1);
	uint8_t copy[8 * 64];

	if (count > records->count - from)
		count = records->count - from;
	memcpy(copy, record_at(records, from), count * records->bytes);
	if (records_open(records, at, count))
		memcpy(record_at(records, at), copy, count * records->bytes);
}

static void records_swap(struct records *records)
{
	uint8_t *one = record_at(records, below(records, records->count));
	uint8_t *two = record_at(records, below(records, records->count));

	for (size_t i = 0; i < records->bytes; i++) {
		uint8_t byte = one[i];

		one[i] = two[i];
		two[i] = byte;
	}
}

/* Some bytes of one record as in another. */
static void record_take_fields(struct records *records)
{
	uint8_t *to = record_at(records, below(records, records->count));
	const uint8_t *from = record_at(records, below(records, records->count));
	size_t at = below(records, records->bytes), count = 1 + below(records, records->bytes - at);

	memmove(to + at, from + at, count);
}

static void record_change_byte(struct records *records)
{
	uint8_t *byte =
		record_at(records, below(records, records->count)) + below(records, records->bytes);

	if (below(records, 2))
		*byte = (uint8_t)below(records, 256);
	else
		*byte ^= (uint8_t)(1u << below(records, 8));
}

/* The fuzzer's own mutation, which knows of compared values, inside one record. */
static void record_mutate(struct records *records)
{
	uint8_t *record = record_at(records, below(records, records->count));

	LLVMFuzzerMutate(record, records->bytes, records->bytes);
}

/* See fuzz.h. */
size_t fuzz_mutate_records(
	uint8_t *data, size_t bytes, size_t max, unsigned seed, size_t header, size_t record)
{
	static void (*const changes[])(struct records * records) = { records_insert, records_insert,
		records_delete, records_repeat, records_swap, record_take_fields,
		record_change_byte, record_change_byte, record_change_byte, record_mutate };
	struct records records = { data + header, record, 0, (max - header) / record,
		seed * 0x9e3779b97f4a7c15ull | 1 };

	if (max < header + record || record > 64)
		return LLVMFuzzerMutate(data, bytes, max);
	if (bytes < header + record) {
		memset(data + bytes, 0, header + record - bytes);
		bytes = header + record;
	}
	records.count = (bytes - header) / record;
	below(&records, 2);
	if (header != 0 && below(&records, 16) == 0)
		data[below(&records, header)] = (uint8_t)below(&records, 256);
	for (uint32_t changed = below(&records, 4) + 1; changed > 0; changed--)
		changes[below(&records, sizeof(changes) / sizeof(changes[0]))](&records);
	return header + records.count * record;
}

/* See fuzz.h. */
size_t fuzz_cross_records(const uint8_t *first, size_t first_bytes, const uint8_t *second,
	size_t second_bytes, uint8_t *out, size_t max, unsigned seed, size_t header, size_t record)
{
	struct records records = { NULL, record, 0, 0, seed * 0x9e3779b97f4a7c15ull | 1 };
	size_t one, two, from, room;

	if (first_bytes < header + record || second_bytes < header + record ||
		max < header + record)
		return 0;
	below(&records, 2);
	room = (max - header) / record;
	one = 1 + below(&records, (first_bytes - header) / record);
	from = below(&records, (second_bytes - header) / record);
	two = (second_bytes - header) / record - from;
	if (one > room)
		one = room;
	if (two > room - one)
		two = room - one;
	memcpy(out, first, header + one * record);
	memcpy(out + header + one * record, second + header + from * record, two * record);
	return header + (one + two) * record;
}
