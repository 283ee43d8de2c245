/*
 * The last message records: a ring, overwritten from the oldest on.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "record.h"

struct info_record record_ring[RECORD_COUNT];
uint64_t record_count;

_Static_assert((RECORD_COUNT & (RECORD_COUNT - 1)) == 0, "the ring's index is a mask");

uint32_t record_copy(struct info_record *records, uint32_t max)
{
	uint64_t held = record_count < RECORD_COUNT ? record_count : RECORD_COUNT;
	uint32_t count = held < max ? (uint32_t)held : max;

	for (uint32_t i = 0; i < count; i++)
		records[i] = record_ring[(record_count - count + i) % RECORD_COUNT];
	return count;
}
