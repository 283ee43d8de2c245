/*
 * The benchmark's harness: series of measurements, and memory to measure with.
 *
 * A series is a row of the table: series_begin(), a sample() for each operation, series_end().  The
 * figure of a row is the median of its samples, less the cost of reading the counter, divided by
 * the units (pages, MiB) in one sample.  Kernel entries and the like are those of the whole
 * series, divided by samples and units; so a series does nothing but its operation, or says so.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE	    4096u
#define MIB	    (1024u * 1024u)
#define MIB_PAGES   (MIB / PAGE)
#define TABLE_PAGES 512u
#define TABLE_BYTES ((size_t)TABLE_PAGES * PAGE)

/* Instructions, where the machine counts them (QEMU -icount, Bochs); else time. */
static inline uint64_t ticks_now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Before the first one: what reading the counter takes. */
void series_calibrate(void);
void series_begin(void);
/* What follows does not belong to the counts of the series, until series_resume(). */
void series_pause(void);
void series_resume(void);
/* The same from the moment at which these counts were read. */
struct counts;
void series_pause_at(const struct counts *now);
void series_resume_at(const struct counts *now);
void sample(uint64_t ticks);
/* Of an access: a sample if it was a fault.  One that was not (its page came with a neighbour's) is
   none, so that a median is that of faults. */
void sample_fault(uint64_t ticks);
void series_end(const char *name, uint32_t units);
/* A row that this system cannot have. */
void series_skip(const char *name, const char *reason);
/* A row that is no series: one number. */
void value_report(const char *name, uint64_t value);

/* Says what failed, and why; ends the program. */
void die(const char *what) __attribute__((noreturn));

/* Anonymous private memory that can be written, small pages where there is a choice. */
char *memory_map(size_t pages);
/* The same; the first byte is 2 MiB aligned, *whole and *whole_bytes are for munmap. */
char *memory_map_aligned(size_t bytes, char **whole, size_t *whole_bytes);
void memory_unmap(char *memory, size_t bytes);
void touch_write(char *memory, size_t pages);
void touch_read(const char *memory, size_t pages);
/* A permutation of 0..count-1 that no read-ahead guesses; count a power of two. */
uint32_t shuffled(uint32_t index, uint32_t count);

/* The themes.  Each measures some of the rows. */
void bench_messages(void);
void bench_faults(void);
void bench_running(void);
void bench_idle(void);
void bench_forks(uint32_t most_mib);
void bench_regions(void);

#endif
