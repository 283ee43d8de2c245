/*
 * What the benchmark needs of the system it runs on.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <stdint.h>
#include <sys/types.h>

struct counts {
	uint64_t entries, cr3, flushes;
};

/* Entries that a pair of counts_read() itself causes between its two readings. */
#define COUNTS_ENTRIES 1u

void counts_read(struct counts *counts);

/* fork(), and the ticks from before it to its return in the parent. */
pid_t fork_timed(uint64_t *ticks);

/* A request that its server answers at once. */
void null_call(void);

#endif
