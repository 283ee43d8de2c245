/*
 * The last message records: a small ring in kernel memory, from the first day, for panic reports
 * and INFO_RECORDS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_RECORD_H
#define KERNEL_RECORD_H

#include <faultline/info.h>
#include <machine/cpu.h>

#define RECORD_COUNT 64

extern struct info_record record_ring[RECORD_COUNT];
extern uint64_t record_count; /* since boot; the next goes to record_count % RECORD_COUNT */

static inline void record_add(
	uint32_t kind, uint32_t label, uint32_t from, uint32_t to, uint64_t word0, uint64_t word1)
{
	struct info_record *record = &record_ring[record_count++ % RECORD_COUNT];

	record->tsc = cpu_tsc();
	record->kind = kind;
	record->label = label;
	record->from = from;
	record->to = to;
	record->word0 = word0;
	record->word1 = word1;
}

/* Copies up to max records, oldest first; returns how many. */
uint32_t record_copy(struct info_record *records, uint32_t max);

#endif
