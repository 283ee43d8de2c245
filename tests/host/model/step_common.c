/*
 * What the steps share: processes to choose from, answers now and later, victims (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "history.h"
#include "report.h"
#include "steps.h"
#include <faultline/call.h>

/* ---- processes ---- */

struct process *last_process;

/* See the header. */
struct process *any_process(struct random *chance)
{
	uint32_t start = random_below(chance, PROCESSES);

	last_process = 0;
	for (uint32_t i = 0; i < PROCESSES && !last_process; i++)
		if (processes[(start + i) % PROCESSES].is_live)
			last_process = &processes[(start + i) % PROCESSES];
	return last_process;
}

/* See the header. */
struct process *any_caller(struct random *chance)
{
	struct process *process = any_process(chance);

	if (!process || process->fault_token != 0 || process->pending.kind != PENDING_NONE)
		return 0;
	return process;
}

/* See the header. */
struct process *free_process(void)
{
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (!processes[i].is_live)
			return &processes[i];
	return 0;
}

/* ---- answers ---- */

/* See the header. */
bool status_is_refusal(uint32_t status)
{
	return status == ST_NO_MEMORY || status == ST_LIMIT;
}

/* See the header. */
bool answer_is(const struct machine_answer *answer, uint32_t expected, const char *what)
{
	report_say(" -> %u", (uint32_t)answer->status);
	if (answer->status == expected)
		return expected == ST_OK;
	if (!history_refuses || !status_is_refusal(answer->status))
		report_fail("%s: status %u, expected %u", what, (uint32_t)answer->status, expected);
	history_counts.refused++;
	return false;
}

static void end_request(struct process *process, uint32_t status, bool may_refuse)
{
	struct pending *pending = &process->pending;

	report_say(" -> %u", status);
	if (status != pending->expected && !(may_refuse && status_is_refusal(status)))
		report_fail("%s of process %u: status %u, expected %u", pending->name,
			process_number(process), status, pending->expected);
	history_counts.refused += status != pending->expected;
	pending_end(process, status == ST_OK);
}

/* See the header. */
void program_request(struct process *process, const struct machine_request *request)
{
	const struct machine_answer *answer;
	uint64_t token;

	process->is_calling = true;
	token = machine_send(request, &answer);
	process->is_calling = false;
	process->pending.token = token;
	if (token == 0)
		end_request(process, answer->status, history_refuses);
	else
		history_counts.jobs++;
	report_say(token != 0 ? " (later)" : "");
}

/* The job of a request that nobody waits for has ended: such requests are not refused. */
static void collect_cancelled(struct process *process)
{
	if (!machine_is_busy(process->id))
		pending_end(process, true);
}

static void collect_request(struct process *process)
{
	uint32_t label;
	uint64_t word;

	if (process->pending.is_cancelled) {
		collect_cancelled(process);
	} else if (machine_take_late(process->pending.token, &label, &word)) {
		report_say(" [answer to process %u]", process_number(process));
		if (label != ST_NOT_FOUND || machine_space_frame(process->id) != 0)
			end_request(process, label, history_may_refuse());
	}
}

static void collect_fault(struct process *process)
{
	uint32_t label;
	uint64_t reason;

	if (!machine_take_late(process->fault_token, &label, &reason))
		return;
	process->fault_token = 0;
	report_say(" [fault of process %u]", process_number(process));
	if (label != FAULT_RESUME && (reason != REASON_NO_MEMORY || !history_may_refuse()))
		report_fail("a fault that waited is refused: reason %u", (uint32_t)reason);
}

static struct process *process_of_badge(uint64_t badge)
{
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[i].is_live && processes[i].badge == badge)
			return &processes[i];
	return 0;
}

/* Processes that the pager chose as victims are destroyed, as the process server would. */
static void bury_victims(void)
{
	const struct machine_answer *answer;

	while ((answer = machine_system(PAGER_VICTIM, 0, 0, 0, 0, 0, 0))->status == ST_OK) {
		struct process *process = process_of_badge(answer->w[0]);

		if (!process || !history_may_refuse())
			report_fail(
				"a victim that should not be (badge %u)", (uint32_t)answer->w[0]);
		report_say(" [process %u is a victim]", process_number(process));
		process_destroy(process);
		history_counts.killed++;
	}
	machine_notifications = 0;
}

/* See the header. */
void collect_answers(void)
{
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process *process = &processes[i];

		if (process->is_live && process->fault_token != 0)
			collect_fault(process);
	}
	if (machine_notifications != 0)
		bury_victims();
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process *process = &processes[i];

		if (process->is_live && process->pending.kind != PENDING_NONE)
			collect_request(process);
	}
}
