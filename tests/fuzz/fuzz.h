/*
 * What all fuzz targets share: failures, counts, input made of records.
 *
 * A target implements LLVMFuzzerTestOneInput and calls fuzz_count() for every operation of the
 * product that it made; the sum is printed at the end of the process (`fuzz: operations N inputs
 * M`). A broken property ends the process through fuzz_fail(), so that the input is kept.
 *
 * Most inputs are sequences of steps.  Such a target reads its bytes as a header and records of one
 * size, and has them mutated as records (FUZZ_RECORDS): whole steps come, go, repeat and change
 * places, and single fields change, while the others keep their meaning.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The entry point of a target.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Count operations; the first call of an input also counts the input. */
void fuzz_count(uint64_t operations);
void fuzz_count_input(void);

/* Report a broken property and end the process. */
_Noreturn void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define FUZZ_CHECK(condition)                                                             \
	do {                                                                              \
		if (!(condition))                                                         \
			fuzz_fail("%s:%d: not true: %s", __FILE__, __LINE__, #condition); \
	} while (0)

/* Bytes that are taken one after the other; zeros after the end. */
struct fuzz_bytes {
	const uint8_t *at, *end;
};
uint64_t fuzz_take(struct fuzz_bytes *bytes, uint32_t width);

/* A number below `limit` (not 0) made of a byte string's word, every value about as often. */
static inline uint32_t fuzz_scale(uint32_t value, uint32_t limit)
{
	return value % limit;
}

/* Mutators for inputs of a header and records. */
size_t fuzz_mutate_records(
	uint8_t *data, size_t bytes, size_t max, unsigned seed, size_t header, size_t record);
size_t fuzz_cross_records(const uint8_t *first, size_t first_bytes, const uint8_t *second,
	size_t second_bytes, uint8_t *out, size_t max, unsigned seed, size_t header, size_t record);

/* Make a target's mutators those. */
#define FUZZ_RECORDS(header, record)                                                               \
	size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t max, unsigned seed);    \
	size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_bytes,                 \
		const uint8_t *second, size_t second_bytes, uint8_t *out, size_t max,              \
		unsigned seed);                                                                    \
	size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t max, unsigned seed)     \
	{                                                                                          \
		return fuzz_mutate_records(data, bytes, max, seed, header, record);                \
	}                                                                                          \
	size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_bytes,                 \
		const uint8_t *second, size_t second_bytes, uint8_t *out, size_t max,              \
		unsigned seed)                                                                     \
	{                                                                                          \
		return fuzz_cross_records(                                                         \
			first, first_bytes, second, second_bytes, out, max, seed, header, record); \
	}

#endif
