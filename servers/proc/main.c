/*
 * The process server: processes as programs know them.
 *
 * Every request of a program is known by its badge; one whose process is gone gets NOT_FOUND.  A
 * handle that comes along is refused (there is no receive slot).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "proc.h"
#include <call.h>
#include <faultline/protocol/console.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <faultline/slots.h>
#include <server/print.h>
#include <server/request.h>
#include <server/start.h>
#include <server/string.h>

#define LINE_BYTES 256u

/* See the header. */
enum handled proc_answer(struct message *message, status_t status)
{
	reply_prepare(message, status, 0);
	return HANDLED_ANSWER;
}

/* See the header.  Without a console the kernel's log takes the text. */
void proc_print(const char *format, ...)
{
	static char line[LINE_BYTES];
	struct message message;
	va_list arguments;
	size_t bytes;

	va_start(arguments, format);
	bytes = print_text_list(line, LINE_BYTES - 1, format, arguments);
	va_end(arguments);
	line[bytes] = '\n';
	memcpy(MESSAGE_PAGE, line, bytes + 1);
	message = (struct message){ .tag = tag_make(CONSOLE_WRITE, (uint32_t)bytes + 1) };
	if (request_call(SLOT_CONSOLE, &message) != ST_OK)
		server_log("%.*s", (int)bytes, line);
}

static enum handled handle_wait(struct message *message, struct process *process)
{
	uint64_t pid = message->w[0], flags = message->w[1];
	struct process *child = process_find_child(process, pid, true);

	if (flags & ~(uint64_t)PROC_WAIT_NOHANG)
		return proc_answer(message, ST_BAD_ARGUMENT);
	if (child) {
		message->w[0] = child->pid;
		message->w[1] = child->status;
		process_free(child);
		return proc_answer(message, ST_OK);
	}
	if (!process_find_child(process, pid, false))
		return proc_answer(message, ST_NOT_FOUND);
	if (flags & PROC_WAIT_NOHANG) {
		message->w[0] = message->w[1] = 0;
		return proc_answer(message, ST_OK);
	}
	if (process->state == PROC_WAITING)
		return proc_answer(message, ST_BUSY);
	process->state = PROC_WAITING;
	process->wait_token = message->token;
	process->wait_pid = (uint32_t)pid;
	return HANDLED_LATER;
}

static enum handled handle_exit(struct message *message, struct process *process)
{
	process_end(process, PROC_STATUS_EXIT(message->w[0]));
	return HANDLED_LATER;
}

static enum handled handle_kill(struct message *message, struct process *process)
{
	struct process *target = process_find(message->w[0]);
	uint64_t signal = message->w[1];

	if (signal > PROC_SIGNAL_MAX)
		return proc_answer(message, ST_BAD_ARGUMENT);
	if (!target)
		return proc_answer(message, ST_NOT_FOUND);
	if (signal == 0 || target->state == PROC_ZOMBIE)
		return proc_answer(message, ST_OK);
	process_end(target, PROC_STATUS_SIGNAL(signal));
	return target == process ? HANDLED_LATER : proc_answer(message, ST_OK);
}

static enum handled handle_identity(struct message *message, struct process *process)
{
	message->w[0] = process->pid;
	message->w[1] = process->parent ? process->parent->pid : 0;
	return proc_answer(message, ST_OK);
}

static struct proc_entry list_entry(const struct process *process)
{
	struct proc_entry entry = {
		.pid = process->pid,
		.parent = process->parent ? process->parent->pid : 0,
		.state = process->state,
		.status = process->status,
		.space = (uint32_t)process->space,
	};

	_Static_assert(sizeof(entry.name) == PROCESS_NAME_BYTES, "a process's name fits an entry");
	memcpy(entry.name, process->name, sizeof(entry.name));
	return entry;
}

static enum handled handle_list(struct message *message, struct process *caller)
{
	struct proc_entry *entries = MESSAGE_PAGE;
	const struct process *process = process_first_from(message->w[0]);
	uint32_t count = 0;

	(void)caller;
	for (; process && (count + 1) * sizeof(*entries) <= PAGE_SIZE; process = process->next)
		entries[count++] = list_entry(process);
	message->w[0] = count;
	message->w[1] = process ? process->pid : 0;
	reply_prepare(message, ST_OK, count * (uint32_t)sizeof(*entries));
	return HANDLED_ANSWER;
}

static enum handled handle_space(struct message *message, struct process *caller)
{
	const struct process *process = process_find(message->w[0]);

	(void)caller;
	if (!process || process->space == 0)
		return proc_answer(message, ST_NOT_FOUND);
	message->w[0] = process->space;
	return proc_answer(message, ST_OK);
}

/* A program may only put itself or a descendant in front; 0: nobody. */
static enum handled handle_foreground(struct message *message, struct process *caller)
{
	const struct process *process = process_find(message->w[0]);

	if (!process && message->w[0] != 0)
		return proc_answer(message, ST_NOT_FOUND);
	if (process && !process_is_within(process, caller))
		return proc_answer(message, ST_NO_ACCESS);
	foreground_set(process);
	return proc_answer(message, ST_OK);
}

static enum handled handle_shutdown(struct message *message, struct process *caller)
{
	(void)caller;
	if (message->w[0] > 0xff)
		return proc_answer(message, ST_BAD_ARGUMENT);
	machine_end((uint32_t)message->w[0]);
	return HANDLED_LATER;
}

/* The pager's own answer is the answer: words, and payload in the message page. */
static enum handled pass_on(struct message *message, const struct message *request)
{
	struct message answer = *request;
	status_t status = request_call(SLOT_PAGER, &answer);

	for (uint32_t i = 0; i < 6; i++)
		message->w[i] = answer.w[i];
	reply_prepare(message, status, status == ST_OK ? TAG_BYTES(answer.tag) : 0);
	return HANDLED_ANSWER;
}

static enum handled handle_pager(struct message *message, struct process *caller)
{
	struct message request = { .tag = tag_make((uint32_t)message->w[0], 0) };

	(void)caller;
	if (message->w[0] != PAGER_SETTLE && message->w[0] != PAGER_CHECK)
		return proc_answer(message, ST_BAD_ARGUMENT);
	return pass_on(message, &request);
}

static enum handled handle_maps(struct message *message, struct process *caller)
{
	const struct process *process = process_find(message->w[0]);
	struct message request = { .tag = tag_make(PAGER_MAPS, 0) };

	(void)caller;
	if (!process || process->space == 0)
		return proc_answer(message, ST_NOT_FOUND);
	request.w[0] = process->space;
	request.w[1] = message->w[1];
	return pass_on(message, &request);
}

typedef enum handled (*request_handler_t)(struct message *message, struct process *process);

/* Labels are PROC_FORK and what follows. */
#define REQUEST_INDEX(label) ((label)&0xffu)

static const request_handler_t request_handlers[] = {
	[REQUEST_INDEX(PROC_FORK)] = handle_fork,
	[REQUEST_INDEX(PROC_EXEC)] = handle_exec,
	[REQUEST_INDEX(PROC_SPAWN)] = handle_spawn,
	[REQUEST_INDEX(PROC_WAIT)] = handle_wait,
	[REQUEST_INDEX(PROC_EXIT)] = handle_exit,
	[REQUEST_INDEX(PROC_KILL)] = handle_kill,
	[REQUEST_INDEX(PROC_IDENTITY)] = handle_identity,
	[REQUEST_INDEX(PROC_LIST)] = handle_list,
	[REQUEST_INDEX(PROC_SPACE)] = handle_space,
	[REQUEST_INDEX(PROC_FOREGROUND)] = handle_foreground,
	[REQUEST_INDEX(PROC_SHUTDOWN)] = handle_shutdown,
	[REQUEST_INDEX(PROC_PAGER)] = handle_pager,
	[REQUEST_INDEX(PROC_MAPS)] = handle_maps,
};

static bool is_known(uint32_t label)
{
	return label - PROC_FORK < sizeof(request_handlers) / sizeof(request_handlers[0]);
}

/* Init and other servers are no processes: they may start one, list, and end the machine. */
static enum handled handle_system(struct message *message)
{
	switch (TAG_LABEL(message->tag)) {
	case PROC_SPAWN:
	case PROC_LIST:
	case PROC_SPACE:
	case PROC_KILL:
	case PROC_SHUTDOWN:
	case PROC_PAGER:
	case PROC_MAPS:
		return request_handlers[REQUEST_INDEX(TAG_LABEL(message->tag))](message, NULL);
	default:
		return proc_answer(message, ST_NO_ACCESS);
	}
}

static enum handled handle_request(struct message *message)
{
	uint32_t label = TAG_LABEL(message->tag);
	struct process *process;

	if (!is_known(label))
		return proc_answer(message, ST_BAD_CALL);
	if (message->badge & BADGE_SYSTEM)
		return handle_system(message);
	process = process_find_badge(message->badge);
	if (!process || process->state == PROC_ZOMBIE)
		return proc_answer(message, ST_NOT_FOUND);
	return request_handlers[REQUEST_INDEX(label)](message, process);
}

static void handle_notification(uint64_t bits)
{
	struct process *process = foreground_get();

	if ((bits & PROC_NOTIFY_INTERRUPT) && process)
		process_end_tree(process, PROC_SIGNAL_INT);
	if (bits & PROC_NOTIFY_VICTIM)
		handle_victims();
}

/* A wait that is given up. */
static bool handle_cancel(uint64_t token)
{
	for (struct process *process = process_first_from(1); process; process = process->next) {
		if (process->state == PROC_WAITING && process->wait_token == token) {
			process->state = PROC_RUNNING;
			return true;
		}
	}
	return false;
}

int main(uint64_t argument)
{
	static const struct server_handlers handlers = {
		.request = handle_request,
		.notification = handle_notification,
		.cancel = handle_cancel,
		.exception = handle_exception,
	};

	(void)argument; /* the same work in every system */
	server_set_name("proc");
	server_loop(SLOT_SELF, &handlers);
}
