/*
 * What the pager did for this program, and what a fork and a copy-on-write fault cost (report.h).
 *
 * Costs are counted by the processor's time-stamp counter, which ticks once for each instruction
 * under ICOUNT=1 and in Bochs.  The cost of a copy-on-write fault is measured at the end on pages
 * of its own: they are written, shared with a sleeping child, and written again; a third time
 * without faults is subtracted.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/faultline.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_PAGES	    256u
#define PAGE_BYTES	    4096u
#define CHILD_SLEEP_SECONDS 1000

struct cost {
	uint64_t count, sum, least;
};

static struct pager_stat before;
static uint64_t fork_started;
static struct cost fork_cost;

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void cost_add(struct cost *cost, uint64_t value)
{
	if (cost->count++ == 0 || value < cost->least)
		cost->least = value;
	cost->sum += value;
}

/* The least and the mean, without what the measuring itself costs. */
static void print_cost(const char *name, const struct cost *cost, uint64_t overhead)
{
	uint64_t mean = cost->count ? cost->sum / cost->count : 0;

	fprintf(stderr,
		"pager: %s: %" PRIu64 " ticks at least, %" PRIu64 " in the mean of %" PRIu64 "\n",
		name, cost->least - overhead, mean - overhead, cost->count);
}

/* See report.h. */
void report_begin(void)
{
	system_settle();
	if (system_pager_stat(&before))
		perror("snapshot: the pager's figures");
}

void report_fork_begin(void)
{
	fork_started = ticks();
}

void report_fork_end(void)
{
	cost_add(&fork_cost, ticks() - fork_started);
}

/* Writes to each page; the cost of the first page, which may also split tables, and that of the
   others. */
static void probe_write(volatile uint8_t *pages, uint64_t *first, struct cost *others)
{
	*others = (struct cost){ 0 };
	for (unsigned page = 0; page < PROBE_PAGES; page++) {
		uint64_t start = ticks();

		pages[page * PAGE_BYTES]++;
		if (page == 0)
			*first = ticks() - start;
		else
			cost_add(others, ticks() - start);
	}
}

/* Pages that a sleeping child shares.  Returns its pid, or -1. */
static pid_t probe_share(volatile uint8_t *pages)
{
	uint64_t first;
	struct cost others;
	pid_t child;

	probe_write(pages, &first, &others);
	child = fork();
	if (child == 0) {
		sleep(CHILD_SLEEP_SECONDS);
		_exit(0);
	}
	return child;
}

static void report_copy_cost(void)
{
	volatile uint8_t *pages = mmap(NULL, PROBE_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child = pages == MAP_FAILED ? -1 : probe_share(pages);
	uint64_t first, first_again;
	struct cost copies, again;

	if (child < 0) {
		perror("snapshot: copy-on-write probe");
		return;
	}
	probe_write(pages, &first, &copies);
	probe_write(pages, &first_again, &again);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap((void *)pages, PROBE_PAGES * PAGE_BYTES);
	print_cost("copy-on-write fault", &copies, again.least);
	fprintf(stderr, "pager: first write after fork, which splits tables: %" PRIu64 " ticks\n",
		first - again.least);
}

static void report_work(const struct pager_stat *now)
{
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{ "faults", now->faults - before.faults },
		{ "faults, zero page for reading",
			now->faults_zero_read - before.faults_zero_read },
		{ "faults, new zeroed frame", now->faults_zero - before.faults_zero },
		{ "faults, copy on write", now->faults_copy - before.faults_copy },
		{ "faults, reuse by the sole owner", now->faults_reuse - before.faults_reuse },
		{ "faults, page of a file", now->faults_file - before.faults_file },
		{ "faults, message page", now->faults_message_page - before.faults_message_page },
		{ "faults refused", now->faults_refused - before.faults_refused },
		{ "forks", now->forks - before.forks },
		{ "tables shared", now->tables_shared - before.tables_shared },
		{ "tables split", now->tables_split - before.tables_split },
		{ "frames copied", now->frames_copied - before.frames_copied },
		{ "frames zeroed", now->frames_zeroed - before.frames_zeroed },
		{ "messages", now->messages - before.messages },
	};

	for (unsigned i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		fprintf(stderr, "pager: %-34s%10" PRIu64 "\n", figures[i].name, figures[i].value);
}

/* See report.h. */
void report_end(void)
{
	struct pager_stat now;

	fflush(stdout);
	if (system_pager_stat(&now) == 0)
		report_work(&now);
	/* The mean holds also what children did before their parent ran again. */
	print_cost("fork", &fork_cost, 0);
	report_copy_cost();
}
