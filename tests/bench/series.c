/*
 * Series and memory (bench.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"
#include "profile/mark.h"
#include "system.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SAMPLES_MAX  4096u
#define ACCESS_TICKS 16u /* more than an access takes that is no fault */

static uint64_t samples[SAMPLES_MAX];
static uint32_t sample_count;
static struct counts counted, since; /* until the last pause; from then on */
static uint64_t reading_ticks; /* between two readings of the counter */
static uint64_t settled_ticks; /* of system_settle_ticks() when there is nothing to do */

void die(const char *what)
{
	printf("bench: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	system_finish(1);
	exit(1);
}

/* ---- series ---- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void series_begin(void)
{
	memset(samples, 0, sizeof(samples));
	sample_count = 0;
	(void)system_settle_ticks();
	counted = (struct counts){ 0 };
	counts_read(&since);
	MARK(MARK_BEGIN);
}

void series_pause(void)
{
	struct counts now;

	MARK(MARK_PAUSE);
	counts_read(&now);
	series_pause_at(&now);
}

void series_pause_at(const struct counts *now)
{
	counted.entries += now->entries - since.entries - counts_own_entries;
	counted.cr3 += now->cr3 - since.cr3;
	counted.cr3_flushing += now->cr3_flushing - since.cr3_flushing;
	counted.flushes += now->flushes - since.flushes;
}

void series_resume(void)
{
	counts_read(&since);
	MARK(MARK_RESUME);
}

void series_resume_at(const struct counts *now)
{
	since = *now;
}

void sample(uint64_t ticks)
{
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = ticks > reading_ticks ? ticks - reading_ticks : 0;
}

void sample_fault(uint64_t ticks)
{
	if (ticks > reading_ticks + ACCESS_TICKS)
		sample(ticks);
}

/* Prints a part of a whole with up to two decimals. */
static void put_quotient(uint64_t total, uint64_t parts)
{
	uint64_t hundredths = (total * 100 + parts / 2) / parts;

	printf(" %llu", (unsigned long long)(hundredths / 100));
	if (hundredths % 100 != 0)
		printf(".%02llu", (unsigned long long)(hundredths % 100));
}

void series_end(const char *name, uint32_t units)
{
	uint64_t left, parts = (uint64_t)sample_count * units;

	MARK(MARK_END);
	series_pause();
	left = system_settle_ticks();
	if (sample_count == 0) {
		series_skip(name, "no samples");
		return;
	}
	qsort(samples, sample_count, sizeof(samples[0]), compare);
	printf("BENCH %s", name);
	put_quotient(samples[sample_count / 2], units);
	put_quotient(counted.entries, parts);
	put_quotient(counted.cr3, parts);
	put_quotient(counted.cr3_flushing, parts);
	put_quotient(counted.flushes, parts);
	put_quotient(samples[0], units);
	put_quotient(samples[sample_count - 1], units);
	put_quotient(left > settled_ticks ? left - settled_ticks : 0, parts);
	printf(" %llu\n", (unsigned long long)parts);
	fflush(stdout);
}

void series_skip(const char *name, const char *reason)
{
	printf("SKIP %s %s\n", name, reason);
	fflush(stdout);
}

void value_report(const char *name, uint64_t value)
{
	printf("VALUE %s %llu\n", name, (unsigned long long)value);
	fflush(stdout);
}

void series_calibrate(void)
{
	reading_ticks = UINT64_MAX;
	for (int i = 0; i < 100; i++) {
		uint64_t start = ticks_now(), ticks = ticks_now() - start;

		if (ticks < reading_ticks)
			reading_ticks = ticks;
	}
	(void)system_settle_ticks();
	settled_ticks = system_settle_ticks();
}

/* ---- memory ---- */

char *memory_map(size_t pages)
{
	char *memory = mmap(
		NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	memory_refuse_large(memory, pages * PAGE);
	return memory;
}

char *memory_map_aligned(size_t bytes, char **whole, size_t *whole_bytes)
{
	*whole_bytes = bytes + TABLE_BYTES;
	*whole = memory_map(*whole_bytes / PAGE);
	return (char *)(((uintptr_t)*whole + TABLE_BYTES - 1) & ~(uintptr_t)(TABLE_BYTES - 1));
}

void memory_unmap(char *memory, size_t bytes)
{
	if (munmap(memory, bytes) != 0)
		die("munmap");
}

void __attribute__((noinline)) touch_write(char *memory, size_t pages)
{
	for (volatile char *byte = memory; pages-- > 0; byte += PAGE)
		*byte = 1;
}

void __attribute__((noinline)) touch_read(const char *memory, size_t pages)
{
	for (const volatile char *byte = memory; pages-- > 0; byte += PAGE)
		(void)*byte;
}

uint32_t shuffled(uint32_t index, uint32_t count)
{
	return (index * 2654435761u + 12345u) & (count - 1);
}

