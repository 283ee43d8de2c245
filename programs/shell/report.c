/*
 * What the shell prints about processes, their memory, and the work of pager and kernel.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shell.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/faultline.h>

#define LIST_MOST   32
#define NAME_COLUMN 73 /* where Linux prints the name of a mapping */
#define FRAME_KIB   4
#define BLOCK_FRAMES 512u

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static void print_process(const struct proc_entry *entry)
{
	const char *state = "?";

	if (entry->state == PROC_RUNNING)
		state = "running";
	else if (entry->state == PROC_WAITING)
		state = "waiting";
	else if (entry->state == PROC_ZOMBIE)
		state = "zombie";
	printf("%5" PRIu32 " %5" PRIu32 " %-8s%.*s\n", entry->pid, entry->parent, state,
		(int)sizeof(entry->name), entry->name);
}

/* One line for each process. */
int report_processes(void)
{
	static struct proc_entry list[LIST_MOST];
	pid_t from = 0;

	printf("  PID  PPID STATE   NAME\n");
	do {
		int count = system_processes(&from, list, LIST_MOST);

		if (count < 0)
			return fail("ps");
		for (int i = 0; i < count; i++)
			print_process(&list[i]);
	} while (from);
	return 0;
}

/* The heap and the stack are in brackets, as Linux has them. */
static void print_region_name(const struct pager_region *region)
{
	int bytes = (int)strnlen(region->name, sizeof(region->name));

	if (bytes && region->object)
		printf("%.*s", bytes, region->name);
	else if (bytes)
		printf("[%.*s]", bytes, region->name);
}

static void print_region(const struct pager_region *region)
{
	int column = printf("%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " 00:00 %" PRIu32,
		region->start, region->end, region->protection & MAP_READ ? 'r' : '-',
		region->protection & MAP_WRITE ? 'w' : '-',
		region->protection & MAP_EXEC ? 'x' : '-',
		region->protection & MAP_SHARED ? 's' : 'p', region->offset, region->object);

	if (region->name[0]) {
		printf("%*s", column < NAME_COLUMN ? NAME_COLUMN - column : 1, "");
		print_region_name(region);
	}
	printf("\n");
}

/* The regions of a process in the form of /proc/PID/maps. */
int report_maps(long pid)
{
	static struct pager_region list[LIST_MOST];
	uint64_t from = 0;

	do {
		int count = system_maps((pid_t)pid, &from, list, LIST_MOST);

		if (count < 0)
			return fail("maps");
		for (int i = 0; i < count; i++)
			print_region(&list[i]);
	} while (from);
	return 0;
}

static void print_amount(const char *name, uint64_t frames)
{
	if (frames == UINT64_MAX)
		printf("%-14s%10s\n", name, "none");
	else
		printf("%-14s%10" PRIu64 " frames%10" PRIu64 " KiB\n", name, frames,
			frames * FRAME_KIB);
}

/* Frames and commitments. */
int report_memory(void)
{
	struct pager_stat stat;

	if (system_pager_stat(&stat))
		return fail("mem");
	print_amount("total", stat.frames_total);
	print_amount("free", stat.frames_free);
	print_amount("of it cleared", stat.frames_blank + stat.blocks_clean * BLOCK_FRAMES);
	print_amount("reserve", stat.frames_reserve);
	print_amount("committed", stat.committed);
	print_amount("commit limit", stat.commit_limit);
	return 0;
}

struct figure {
	const char *name;
	uint64_t value;
};

static void print_figures(const char *title, const struct figure *figures, size_t count)
{
	printf("%s\n", title);
	for (size_t i = 0; i < count; i++)
		printf("  %-24s%12" PRIu64 "\n", figures[i].name, figures[i].value);
}
#define PRINT_FIGURES(title, figures) \
	print_figures(title, figures, sizeof(figures) / sizeof((figures)[0]))

static void print_faults(const struct pager_stat *stat)
{
	const struct figure figures[] = {
		{ "all", stat->faults },
		{ "zero page for reading", stat->faults_zero_read },
		{ "new zeroed frame", stat->faults_zero },
		{ "copy on write", stat->faults_copy },
		{ "reuse, sole owner", stat->faults_reuse },
		{ "page of a file", stat->faults_file },
		{ "message page", stat->faults_message_page },
		{ "refused", stat->faults_refused },
	};

	PRINT_FIGURES("page faults", figures);
}

static void print_pager(const struct pager_stat *stat)
{
	const struct figure figures[] = {
		{ "forks", stat->forks },
		{ "tables shared", stat->tables_shared },
		{ "tables split", stat->tables_split },
		{ "frames copied", stat->frames_copied },
		{ "frames zeroed", stat->frames_zeroed },
		{ "large pages promoted", stat->promotions },
		{ "messages", stat->messages },
		{ "requests", stat->requests },
		{ "spaces", stat->spaces },
		{ "objects", stat->objects },
		{ "jobs", stat->jobs },
		{ "victims", stat->victims },
	};

	PRINT_FIGURES("pager", figures);
}

static void print_kernel(const struct info_counters *counters)
{
	const struct figure figures[] = {
		{ "entries", counters->kernel_entries },
		{ "calls", counters->calls },
		{ "replies", counters->replies },
		{ "notifications", counters->notifications },
		{ "faults delivered", counters->faults_delivered },
		{ "faults cured meanwhile", counters->faults_cured_at_delivery },
		{ "exceptions", counters->exceptions },
		{ "upcalls", counters->upcalls },
		{ "interrupts", counters->interrupts },
		{ "switches", counters->switches },
		{ "CR3 loads", counters->cr3_loads },
		{ "CR3 loads that flush", counters->cr3_loads_flushing },
		{ "full flushes", counters->full_flushes },
		{ "hinted flushes", counters->hinted_flushes },
		{ "operations", counters->operations },
		{ "operations refused", counters->operations_refused },
	};

	PRINT_FIGURES("kernel", figures);
}

/* The pager's counters, and the kernel's where it tells them. */
int report_statistics(void)
{
	struct pager_stat stat;
	struct info_counters counters;

	if (system_pager_stat(&stat))
		return fail("stat");
	print_faults(&stat);
	print_pager(&stat);
	if (system_counters(&counters) == 0)
		print_kernel(&counters);
	return 0;
}
