/*
 * How processes end.
 *
 * A process without a living parent leaves nothing behind.  When the last process that init started
 * has ended, the machine ends with its status: nobody could start anything any more.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "proc.h"

#include <call.h>
#include <faultline/protocol/init.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <faultline/slots.h>
#include <server/print.h>
#include <server/status.h>

#define STATUS_BY_SIGNAL \
	128u /* a machine's status for a first program that a signal ended, as shells count */

static uint64_t foreground; /* badge, so that it goes stale with the process; 0: none */

/* See the header. */
void foreground_set(const struct process *process)
{
	foreground = process ? process_badge(process) : 0;
}

/* The process in the foreground, or NULL. */
struct process *foreground_get(void)
{
	return process_find_badge(foreground);
}

/* See the header. */
void space_destroy(uint64_t space)
{
	struct message message = { .tag = tag_make(PAGER_SPACE_DESTROY, 0), .w = { space } };
	status_t status;

	if (space == 0)
		return;
	status = request_call(SLOT_PAGER, &message);
	if (status != ST_OK)
		server_log("the pager keeps space 0x%lx: %s", space, status_text(status));
}

/* See the header. */
void machine_end(uint32_t status)
{
	uint64_t bits = INIT_NOTIFY_SHUTDOWN | ((uint64_t)(status & 0xffu) << INIT_STATUS_SHIFT);
	status_t told = kernel_notify(SLOT_INIT, bits);

	if (told != ST_OK)
		server_panic("cannot end the machine: %s", status_text(told));
}

static bool system_has_process(void)
{
	for (const struct process *process = process_first_from(1); process;
		process = process->next) {
		if (process->by_system)
			return true;
	}
	return false;
}

static uint32_t exit_code(uint32_t status)
{
	return (status & 0x7fu) != 0 ? STATUS_BY_SIGNAL + (status & 0x7fu) : status >> 8;
}

/* Nobody waits for it, ever. */
static void leave_no_trace(struct process *process)
{
	bool by_system = process->by_system;
	uint32_t code = exit_code(process->status);

	process_free(process);
	if (by_system && !system_has_process())
		machine_end(code);
}

/* True: the parent was waiting and has its answer. */
static bool tell_parent(const struct process *process)
{
	struct process *parent = process->parent;
	struct reply reply = { .status = ST_OK, .word0 = process->pid, .word1 = process->status };

	if (parent->state != PROC_WAITING ||
		(parent->wait_pid != 0 && parent->wait_pid != process->pid))
		return false;
	parent->state = PROC_RUNNING;
	reply.token = parent->wait_token;
	return reply_send(SLOT_SELF, &reply) == ST_OK;
}

/* See the header. */
void process_end(struct process *process, uint32_t status)
{
	space_destroy(process->space);
	process->space = 0;
	process->state = PROC_ZOMBIE;
	process->status = status;
	process_orphan_children(process);
	if (!process->parent)
		leave_no_trace(process);
	else if (tell_parent(process))
		process_free(process);
}

/* Family ties end with their bearer, so all are found before the first ends. */
void process_end_tree(struct process *ancestor, uint32_t signal)
{
	static uint32_t pids[PROCESS_MAX];
	uint32_t found = 0;

	for (const struct process *process = process_first_from(1); process;
		process = process->next) {
		if (process->state != PROC_ZOMBIE && process_is_within(process, ancestor))
			pids[found++] = process->pid;
	}
	while (found > 0) {
		struct process *process = process_find(pids[--found]);

		if (process && process->state != PROC_ZOMBIE)
			process_end(process, PROC_STATUS_SIGNAL(signal));
	}
}
