/*
 * The benchmark: what the operations of a memory system cost, in instructions.
 *
 * One source for two systems: rows have the same meaning on both, and what differs stands behind
 * system.h.  Where the machine counts instructions by the time-stamp counter (QEMU -icount shift=0,
 * Bochs) figures repeat to the digit.  Output, a line for each row:
 *
 *     BENCH name figure entries cr3 cr3-flushing flushes least most left operations
 *     VALUE name number
 *     SKIP name reason
 *
 * `left` is what the system put off and did after the series, for each operation.
 *
 * usage: bench [max=MIB] [messages] [faults] [forks] [regions] [memory] [system] [running] [idle] [all]
 *                                               (no name: all; max=512)
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"
#include "system.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB_DEFAULT 512u

static bool is_wanted(int argc, char **argv, const char *theme)
{
	bool is_any_named = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], theme) == 0 || strcmp(argv[i], "all") == 0)
			return true;
		is_any_named |= strchr(argv[i], '=') == NULL;
	}
	return !is_any_named;
}

static uint32_t most_mib(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "max=", 4) == 0)
			return (uint32_t)strtoul(argv[i] + 4, NULL, 10);
	return MIB_DEFAULT;
}

int main(int argc, char **argv)
{
	system_start();
	series_calibrate();
	if (is_wanted(argc, argv, "messages"))
		bench_messages();
	if (is_wanted(argc, argv, "faults"))
		bench_faults();
	if (is_wanted(argc, argv, "forks"))
		bench_forks(most_mib(argc, argv));
	if (is_wanted(argc, argv, "regions"))
		bench_regions();
	if (is_wanted(argc, argv, "memory"))
		system_memory();
	if (is_wanted(argc, argv, "system"))
		system_bench();
	if (is_wanted(argc, argv, "running"))
		bench_running();
	if (is_wanted(argc, argv, "idle"))
		bench_idle();
	printf("BENCH-END\n");
	fflush(stdout);
	system_finish(0);
	return 0;
}
