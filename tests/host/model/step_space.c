/*
 * Processes: begin, fork, end; and where their threads are (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "history.h"
#include "intruder.h"
#include "report.h"
#include "sim/processor.h"
#include "steps.h"
#include <faultline/layout.h>
#include <stddef.h>
#include <string.h>

#define RW	   (MAP_READ | MAP_WRITE)
#define LIMIT_FREE (1ull << 40) /* pages: promises are not what is tested here */

static uint64_t last_badge;

/* A process that could not be completed: as proc would, it is ended. */
static bool must_or_end(struct process *process, const struct machine_answer *answer)
{
	if (answer_is(answer, ST_OK, "making a process"))
		return true;
	process_destroy(process);
	return false;
}

/* A space with room for a heap, and a stack of one page. */
void step_create(struct random *chance)
{
	struct process *process = free_process();
	const struct machine_answer *answer;
	uint32_t top = PLACES - 1;

	if (!process)
		return;
	report_say(" process %u", process_number(process));
	answer = machine_system(PAGER_SPACE_CREATE, ++last_badge, CLASS_PROGRAM, 0, 0, 0, 0);
	if (!answer_is(answer, ST_OK, "create"))
		return;
	memset(process, 0, sizeof(*process));
	process->is_live = true;
	process->id = answer->w[0];
	process->badge = last_badge;
	process->stack = PLACES;
	process->processor = random_below(chance, processor_count);
	machine_system(PAGER_SPACE_LIMIT, process->id, LIMIT_FREE, 0, 0, 0, 0);
	answer = machine_system(
		PAGER_SPACE_HEAP, process->id, places[area_first[AREA_HEAP]].address, 0, 0, 0, 0);
	if (!must_or_end(process, answer))
		return;
	answer = machine_program(process->id, PAGER_MMAP, LAYOUT_STACK_TOP - 4096, 4096,
		RW | MAP_STACK | MAP_FIXED_AT, 0, 0);
	if (!must_or_end(process, answer))
		return;
	process->stack = top;
	process->pages[top] = (struct page){ .is_mapped = true, .rights = RW };
}

/* fork: the child has what its parent has, but for what others write meanwhile. */
void step_fork(struct random *chance)
{
	struct process *parent = any_caller(chance), *child = free_process();
	const struct machine_answer *answer;

	if (!child || !parent)
		return;
	report_say(" process %u of %u", process_number(child), process_number(parent));
	memset(&child->pending, 0, offsetof(struct pending, next));
	reference_fork_begin(parent, child);
	parent->is_calling = true;
	answer = machine_system(PAGER_SPACE_FORK, parent->id, ++last_badge, 0, 0, 0, 0);
	parent->is_calling = false;
	reference_fork_end();
	if (!answer_is(answer, ST_OK, "fork"))
		return;
	child->is_live = true;
	child->is_calling = child->is_faulting = false;
	child->fault_token = 0;
	child->id = answer->w[0];
	child->badge = last_badge;
	child->processor = random_below(chance, processor_count);
}

/* See steps.h.  The process runs until its thread is stopped; its space is taken apart later. */
void process_destroy(struct process *process)
{
	const struct machine_answer *answer;

	intruder_remember_space(machine_space_frame(process->id));
	answer = machine_system(PAGER_SPACE_DESTROY, process->id, 0, 0, 0, 0, 0);
	if (answer->status != ST_OK)
		report_fail("process %u cannot be destroyed: status %u", process_number(process),
			(uint32_t)answer->status);
	pending_end(process, false);
	process->is_live = false;
}

/* exit, or a kill: at any point, also while a job of it goes on. */
void step_destroy(struct random *chance)
{
	struct process *process = any_process(chance);

	if (!process)
		return;
	report_say(" process %u", process_number(process));
	process_destroy(process);
}

/* The thread goes on on another processor, where its space is loaded anew. */
void step_migrate_thread(struct random *chance)
{
	struct process *process = any_process(chance);

	if (!process || history.is_threaded)
		return;
	process->processor = random_below(chance, processor_count);
	processor_flush_space(process->processor, machine_space_frame(process->id));
	report_say(" process %u to processor %u", process_number(process), process->processor);
}
