/*
 * What comes of requests later: callers give up, the pager works on (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "history.h"
#include "report.h"
#include "steps.h"

/* Only what cannot be refused any more goes on without its caller. */
static bool may_be_cancelled(const struct pending *pending)
{
	return pending->kind == PENDING_RANGE && pending->token != 0 && !pending->is_cancelled &&
	       !history_may_refuse();
}

/* A caller gives up; the job goes on. */
void step_cancel(struct random *chance)
{
	uint32_t start = random_below(chance, PROCESSES);

	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process *process = &processes[(start + i) % PROCESSES];
		struct pending *pending = &process->pending;

		if (!process->is_live || !may_be_cancelled(pending))
			continue;
		report_say(" process %u", process_number(process));
		if (!machine_cancel(pending->token))
			report_fail("a request cannot be cancelled");
		pending->is_cancelled = true;
		return;
	}
}

/* The pager works on. */
void step_slice(struct random *chance)
{
	uint32_t count = 1 + random_below(chance, 3);

	for (uint32_t i = 0; i < count && machine_slice(); i++)
		report_say(" slice");
}

/* Until nothing is left. */
void step_settle(struct random *chance)
{
	(void)chance;
	machine_settle();
}
