/*
 * The last message records: a ring, overwritten from the oldest on.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "record.h"
#include <machine/cpu.h>

static struct info_record ring[RECORD_COUNT];
static uint64_t added; /* since boot; the next goes to added % RECORD_COUNT */

_Static_assert((RECORD_COUNT & (RECORD_COUNT - 1)) == 0, "the ring's index is a mask");

void record_add(
	uint32_t kind, uint32_t label, uint32_t from, uint32_t to, uint64_t word0, uint64_t word1)
{
	ring[added++ % RECORD_COUNT] = (struct info_record){
		.tsc = cpu_tsc(),
		.kind = kind,
		.label = label,
		.from = from,
		.to = to,
		.word0 = word0,
		.word1 = word1,
	};
}

uint32_t record_copy(struct info_record *records, uint32_t max)
{
	uint64_t held = added < RECORD_COUNT ? added : RECORD_COUNT;
	uint32_t count = held < max ? (uint32_t)held : max;

	for (uint32_t i = 0; i < count; i++)
		records[i] = ring[(added - count + i) % RECORD_COUNT];
	return count;
}
