/*
 * Regions: mapping, unmapping, protecting.
 *
 *   T12  munmap of 1 MiB that is resident, for each page
 *   T13  mprotect of 1 MiB of a 4 MiB region that is resident, to read-only, for each page
 *        .write: back to writable; .after: the next write, for each page; .table: of 2 MiB that
 *        fill a table, the whole of it
 *   T14  mmap and munmap of 1 MiB, untouched
 *   T23  frames that a region of 1 TiB with one touched page takes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"
#include "system.h"
#include <stdio.h>
#include <sys/mman.h>

#define ROUNDS	   41
#define HUGE_BYTES ((size_t)1 << 40)

static void region_unmap(const char *name, uint32_t pages)
{
	series_begin();
	for (int i = 0; i < ROUNDS; i++) {
		char *memory;
		uint64_t start;

		series_pause();
		memory = memory_map(pages);
		touch_write(memory, pages);
		series_resume();
		start = ticks_now();
		memory_unmap(memory, (size_t)pages * PAGE);
		sample(ticks_now() - start);
	}
	series_end(name, pages);
}

static void region_map_unmap(void)
{
	series_begin();
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = ticks_now();
		char *memory = mmap(
			NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			die("mmap");
		memory_unmap(memory, MIB);
		sample(ticks_now() - start);
	}
	series_end("T14", 1);
}

/* The three steps of a round, of which one is the series. */
enum step { STEP_FORBID, STEP_ALLOW, STEP_WRITE, STEPS };

static uint64_t step_ticks(enum step step, char *memory, size_t bytes)
{
	uint64_t start = ticks_now();
	int result = 0;

	if (step == STEP_FORBID)
		result = mprotect(memory, bytes, PROT_READ);
	else if (step == STEP_ALLOW)
		result = mprotect(memory, bytes, PROT_READ | PROT_WRITE);
	else
		touch_write(memory, bytes / PAGE);
	start = ticks_now() - start;
	if (result != 0)
		die("mprotect");
	return start;
}

static void region_protect(
	const char *name, enum step wanted, char *memory, size_t bytes, uint32_t units)
{
	series_begin();
	for (int i = 0; i < ROUNDS; i++) {
		series_pause();
		for (enum step step = STEP_FORBID; step < STEPS; step++) {
			uint64_t ticks;

			if (step == wanted)
				series_resume();
			ticks = step_ticks(step, memory, bytes);
			if (step != wanted)
				continue;
			sample(ticks);
			series_pause();
		}
		series_resume();
	}
	series_end(name, units);
}

static void region_protect_all(void)
{
	char *whole;
	size_t whole_bytes;
	char *memory = memory_map_aligned(2 * TABLE_BYTES, &whole, &whole_bytes);
	char *middle = memory + TABLE_BYTES / 4;

	touch_write(memory, 2 * TABLE_PAGES);
	region_protect("T13", STEP_FORBID, middle, MIB, MIB_PAGES);
	region_protect("T13.write", STEP_ALLOW, middle, MIB, MIB_PAGES);
	region_protect("T13.after", STEP_WRITE, middle, MIB, MIB_PAGES);
	region_protect("T13.table", STEP_FORBID, memory, TABLE_BYTES, 1);
	region_protect("T13.table.write", STEP_ALLOW, memory, TABLE_BYTES, 1);
	region_protect("T13.table.after", STEP_WRITE, memory, TABLE_BYTES, TABLE_PAGES);
	memory_unmap(whole, whole_bytes);
}

/* Measured, not computed: what is free before and after. */
static void region_huge(void)
{
	uint64_t before, after;
	char *memory;

	(void)system_settle_ticks();
	before = system_free_frames();
	memory = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || before == 0) {
		series_skip("T23.region", before == 0 ? "not told" : "mmap refuses 1 TiB");
		return;
	}
	memory[HUGE_BYTES / 2] = 1;
	after = system_free_frames();
	value_report("T23.region", before - after);
	memory_unmap(memory, HUGE_BYTES);
}

void bench_regions(void)
{
	region_unmap("T12", MIB_PAGES);
	region_unmap("T12.16MiB", 16 * MIB_PAGES);
	region_protect_all();
	region_map_unmap();
	region_huge();
}
