/*
 * Runs of places (runs.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "runs.h"

#include "report.h"
#include "steps.h"
#include <faultline/fault.h>

/* See the header. */
struct run run_in(struct random *chance, enum area area)
{
	uint32_t size = area_first[area + 1] - area_first[area];
	uint32_t start = random_below(chance, size), rest = size - start;

	if (random_below(chance, 2) != 0)
		return (struct run){ area_first[area] + start / 4,
			1 + random_below(chance, size - start / 4) };
	rest = rest < 12 ? rest : 12;
	return (struct run){ area_first[area] + start, 1 + random_below(chance, rest) };
}

/* See the header. */
struct run run_any(struct random *chance)
{
	return run_in(chance, (enum area)random_below(chance, AREAS_OF_MMAP));
}

/* See the header. */
struct run run_any_plain(struct random *chance)
{
	struct run run = run_any(chance);

	if (place_is_gap(run.first))
		run.first++;
	for (uint32_t i = 1; i < run.count; i++)
		if (place_is_gap(run.first + i))
			run.count = i;
	return run;
}

/* See the header. */
void run_say(const struct process *process, struct run run, const char *what, uint64_t with)
{
	report_say(" process %u places %u+%u %s 0x%llx", process_number(process), run.first,
		run.count, what, (unsigned long long)with);
}

/* See the header. */
uint64_t run_start(struct run run)
{
	return places[run.first].address;
}

/* See the header. */
uint64_t run_bytes(struct run run)
{
	return run_pages(run.first, run.count) * 4096;
}

/* See the header. */
void pending_expect(struct process *process, const char *name, uint32_t status)
{
	process->pending.name = name;
	process->pending.expected = status;
}

/* See the header. */
void run_expect_populated(struct process *process, struct run run)
{
	for (uint32_t i = run.first; i < run.first + run.count; i++) {
		struct page *page = &process->pending.next[i];

		if (page_allows(page, FAULT_WRITE))
			page_copy_begin(page);
		if (process->pending.kind == PENDING_STAY && page_allows(page, FAULT_WRITE))
			page_copy_begin(&process->pages[i]);
	}
}

/* See the header. */
void run_expect_nothing(struct process *process, struct run run)
{
	for (uint32_t i = run.first; i < run.first + run.count; i++)
		process->pending.next[i] = (struct page){ 0 };
}
