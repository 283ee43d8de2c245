/*
 * Intruders (model: intruder.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "intruder.h"

#include "history.h"
#include "outsider.h"
#include "pager_machine.h"
#include "random.h"
#include "report.h"
#include "sim/processor.h"
#include "thread.h"
#include <faultline/fault.h>
#include <machine/memory.h>

#define ENDED_MAX 4u

static struct random chance;
static uint64_t last_value;
static bool is_running;
static pfn_t ended[ENDED_MAX]; /* spaces that were destroyed lately */
static uint32_t ended_next;

/* See the header. */
void intruder_start(void)
{
	last_value = 1ull << 32;
	is_running = false;
	for (uint32_t i = 0; i < ENDED_MAX; i++)
		ended[i] = 0;
}

/* See the header. */
void intruder_begin_step(uint64_t seed)
{
	chance = random_from(seed ^ 0x1d872b41);
}

/* See the header. */
uint64_t value_next(void)
{
	return ++last_value;
}

/* See the header. */
void intruder_remember_space(pfn_t space)
{
	ended[ended_next++ % ENDED_MAX] = space;
}

/* See the header. */
bool process_may_run(const struct process *process)
{
	bool waits = process->fault_token != 0 || process->is_calling ||
		     (process->pending.kind != PENDING_NONE && !process->pending.is_cancelled);

	return process->is_live && (history.is_threaded || !waits);
}

static void found(struct process *process, uint32_t place, uint32_t word, uint64_t value)
{
	if (!process_may_find(process, place, word, value))
		report_fail("process %u reads 0x%llx at place %u, word %u (0x%llx)",
			(uint32_t)(process - processes), (unsigned long long)value, place, word,
			(unsigned long long)places[place].address);
	process_has_found(process, place, word, value);
}

/* See the header. */
bool process_access_alone(
	struct process *process, uint32_t processor, uint32_t place, uint32_t word, uint32_t access)
{
	uint64_t address = word_address(place, word), value, *there;
	uint32_t error;

	there = processor_access(
		processor, machine_space_frame(process->id), address, access, &error);
	if (!there)
		return false;
	if (!process_may_access(process, place, access))
		report_fail("process %u may access (%u) place %u on processor %u",
			(uint32_t)(process - processes), access, place, processor);
	if (!(access & FAULT_WRITE)) {
		found(process, place, word, *there);
		return true;
	}
	value = value_next();
	*there = value;
	process_has_written(process, place, word, value);
	return true;
}

/* A place where something is, most of the time. */
static uint32_t any_place(const struct process *process)
{
	uint32_t place = random_below(&chance, PLACES);

	for (uint32_t i = 0; i < 6 && !process->pages[place].is_mapped; i++)
		place = random_below(&chance, PLACES);
	return place;
}

static void access_somewhere(void)
{
	static const uint32_t kinds[] = { 0, 0, FAULT_WRITE, FAULT_WRITE, FAULT_WRITE,
		FAULT_FETCH };
	struct process *process = &processes[random_below(&chance, PROCESSES)];
	uint32_t place = any_place(process), word = random_below(&chance, WORDS);
	uint32_t access = kinds[random_below(&chance, 6)];
	uint32_t processor = random_below(&chance, processor_count);

	if (!process_may_run(process) || !machine_space_has_thread(process->id))
		return;
	if (!history.is_threaded)
		processor = process->processor;
	if (access & FAULT_WRITE && !process_may_write(process, place, word))
		return;
	if (process_access_alone(process, processor, place, word, access))
		history_counts.intrusions++;
}

/* The space of a thread that is in a fault is loaded nowhere, if it has only one. */
static bool may_be_loaded(pfn_t space)
{
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[i].is_live && processes[i].is_faulting &&
			machine_space_frame(processes[i].id) == space)
			return history.is_threaded;
	return frame_table[space].type == FRAME_SPACE;
}

static pfn_t any_space(void)
{
	const struct process *process = &processes[random_below(&chance, PROCESSES)];

	if (process->is_live)
		return machine_space_frame(process->id);
	return ended[random_below(&chance, ENDED_MAX)];
}

static void speculate(void)
{
	uint32_t place = random_below(&chance, PLACES);
	uint32_t processor = random_below(&chance, processor_count);
	pfn_t space = any_space();

	if (space != 0 && may_be_loaded(space))
		processor_speculate(processor, space, places[place].address);
}

/* See the header. */
void intruder_run(void)
{
	if (is_running)
		return;
	is_running = true;
	switch (random_below(&chance, 8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		access_somewhere();
		access_somewhere();
		break;
	case 4:
	case 5:
		speculate();
		break;
	case 6:
		outsider_access(&chance);
		break;
	default:
		break;
	}
	is_running = false;
}
