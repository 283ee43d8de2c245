/*
 * The benchmark: what the operations of the memory system cost, in instructions.
 *
 * Run under `-icount shift=0`, where the time-stamp counter advances by one for each instruction, so
 * figures repeat to the digit.  Each operation is done many times; the median is printed, as
 *
 *     BENCH name instructions entries cr3 flushes
 *
 * with the kernel entries, CR3 loads and flushes of one operation (over the whole series, rounded).
 * What depends on the system stands in counters.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "counters.h"

#define PAGE 4096u
#define MIB (1024u * 1024u)
#define TABLE_PAGES 512u
#define SAMPLES_MAX 4096u

static uint64_t samples[SAMPLES_MAX];
static uint32_t sample_count;
static struct counts series_start;

static inline uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return ((uint64_t)high << 32) | low;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void series_begin(void)
{
	sample_count = 0;
	memset(samples, 0, sizeof(samples));
	counts_read(&series_start);
}

static void sample(uint64_t instructions)
{
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = instructions;
}

static uint64_t per_operation(uint64_t from, uint64_t to, uint64_t overhead)
{
	uint64_t total = to - from - overhead;

	return (total + sample_count / 2) / sample_count;
}

static void series_end(const char *name)
{
	struct counts end;

	counts_read(&end);
	qsort(samples, sample_count, sizeof(samples[0]), compare);
	printf("BENCH %s %llu %llu %llu %llu\n", name,
	       (unsigned long long)samples[sample_count / 2],
	       (unsigned long long)per_operation(series_start.entries, end.entries, COUNTS_ENTRIES),
	       (unsigned long long)per_operation(series_start.cr3, end.cr3, 0),
	       (unsigned long long)per_operation(series_start.flushes, end.flushes, 0));
	fflush(stdout);
}

static char *map_pages(size_t pages)
{
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

/* A permutation of 0..count-1 that no read-ahead guesses; count a power of two. */
static uint32_t shuffled(uint32_t index, uint32_t count)
{
	return (index * 2654435761u + 12345u) & (count - 1);
}

static void touch_write(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)memory)[i * PAGE] = (char)i;
}

/* T1: a message and its answer, between two address spaces. */
static void bench_ipc(void)
{
	series_begin();
	for (int i = 0; i < 1000; i++) {
		uint64_t start = tsc();

		null_call();
		sample(tsc() - start);
	}
	series_end("T1");
}

/* T2: a fault that only maps a frame that is ready: the first read of an anonymous page. */
static void bench_fault(void)
{
	char *memory = map_pages(1024);
	volatile char sink;

	sink = memory[0];
	sink = memory[TABLE_PAGES * PAGE];
	series_begin();
	for (uint32_t i = 0; i < 1024; i++) {
		uint32_t page = shuffled(i, 1024);
		uint64_t start;

		if (page % TABLE_PAGES == 0)
			continue;
		start = tsc();
		sink = memory[page * PAGE];
		sample(tsc() - start);
	}
	(void)sink;
	series_end("T2");
	munmap(memory, 1024 * PAGE);
}

/* T3: the first write of an anonymous page, clearing included, in random order. */
static void bench_first_write(void)
{
	char *memory = map_pages(2048);

	for (uint32_t i = 0; i < 2048; i += TABLE_PAGES)
		memory[(size_t)i * PAGE] = 1;
	series_begin();
	for (uint32_t i = 0; i < 2048; i++) {
		uint32_t page = shuffled(i, 2048);
		uint64_t start;

		if (page % TABLE_PAGES == 0)
			continue;
		start = tsc();
		((volatile char *)memory)[page * PAGE] = 1;
		sample(tsc() - start);
	}
	series_end("T3");
	munmap(memory, 2048 * PAGE);
}

/* T5: the first write of a page that parent and child share, when its table is the writer's own. */
static void cow_child(char *memory)
{
	for (uint32_t i = 0; i < 1024; i += TABLE_PAGES)
		memory[(size_t)i * PAGE] = 2;
	series_begin();
	for (uint32_t i = 0; i < 1024; i++) {
		uint32_t page = shuffled(i, 1024);
		uint64_t start;

		if (page % TABLE_PAGES == 0)
			continue;
		start = tsc();
		((volatile char *)memory)[page * PAGE] = 2;
		sample(tsc() - start);
	}
	series_end("T5");
	_exit(0);
}

static void bench_cow(void)
{
	char *memory = map_pages(1024);
	pid_t pid;

	touch_write(memory, 1024);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		cow_child(memory);
	waitpid(pid, NULL, 0);
	munmap(memory, 1024 * PAGE);
}

/* T7 to the return in the parent, or T10 with the child's exit and the wait. */
static void fork_series(const char *name, int with_wait)
{
	series_begin();
	for (int i = 0; i < 20; i++) {
		uint64_t start = tsc(), forked;
		pid_t pid = fork_timed(&forked);

		if (pid < 0)
			die("fork");
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
		sample(with_wait ? tsc() - start : forked);
	}
	series_end(name);
}

static void bench_fork_resident(void)
{
	static const uint32_t sizes[] = { 1, 16, 64, 256 };
	char name[32];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t pages = (size_t)sizes[i] * MIB / PAGE;
		char *memory = map_pages(pages);

		touch_write(memory, pages);
		snprintf(name, sizeof(name), "T7.%uMiB", (unsigned)sizes[i]);
		fork_series(name, 0);
		snprintf(name, sizeof(name), "T10.%uMiB", (unsigned)sizes[i]);
		fork_series(name, 1);
		munmap(memory, pages * PAGE);
	}
}

/* Neighbours differ in protection, so that they stay regions of their own. */
static void bench_fork_regions(void)
{
	static const uint32_t counts[] = { 1, 10, 100, 1000 };
	char name[32];

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		char *memory = map_pages((size_t)counts[i] * 2);

		for (size_t region = 0; region < counts[i]; region++) {
			memory[region * 2 * PAGE] = 1;
			if (mprotect(memory + (region * 2 + 1) * PAGE, PAGE, PROT_READ) != 0)
				die("mprotect");
		}
		snprintf(name, sizeof(name), "T7.%uregions", (unsigned)counts[i]);
		fork_series(name, 0);
		munmap(memory, (size_t)counts[i] * 2 * PAGE);
	}
}

int main(void)
{
	bench_ipc();
	bench_fault();
	bench_first_write();
	bench_cow();
	bench_fork_resident();
	bench_fork_regions();
	return 0;
}
