/*
 * The pager: a server that answers page faults.
 *
 *   receive -> fault:    find the cure; the reply carries it, resumes the thread, receives the next.
 *                        Those of fault_quick.h never leave serve_quickly()
 *           -> request:  request.c; the reply carries the answer.  Those of request_quick.h never leave it, either
 *           -> nothing:  a slice of a job, then look again
 *
 * While there is work left (jobs, the reaper) receiving does not wait, and every so many messages a
 * slice is done anyway, unless the message before it took long itself.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fault_quick.h"
#include "heap_kernel.h"
#include "job.h"
#include "request.h"
#include "request_quick.h"
#include "serve.h"
#include "start.h"

#include "server/print.h"
#include "server/start.h"
#include "server/status.h"

#define MESSAGES_PER_SLICE 32u /* while there is work left */

#define HERE (SLOT_SELF | (uint64_t)OWN_SLOT_RECEIVE << RR_SLOT_SHIFT)

static uint32_t messages; /* since the last slice */

static void run_slice(void)
{
	messages = 0;
	job_run_slice();
}

/* What is to be done after a reply of this kind and a receive, or one of the two.  Of a reply that was
   refused the kernel leaves tag and token in *message as they were sent. */
static enum reply_kind handle_outcome(
	struct message *message, status_t status, enum reply_kind kind)
{
	mmu_count = 0;
	if (status == ST_OK) {
		messages++;
		return serve_message(message);
	}
	if (status == ST_EMPTY) {
		run_slice();
		return REPLY_NONE;
	}
	if (kind == REPLY_NONE)
		server_panic("cannot receive: %s", status_text(status));
	return serve_refused(message, status, kind, message->tag);
}

/* Reply if there is something to reply, and receive if asked to; what is to be done next. */
static enum reply_kind exchange(struct message *message, enum reply_kind kind, uint64_t flags)
{
	status_t status = ipc_reply_receive(
		HERE | flags | (kind != REPLY_NONE ? RR_REPLY : 0), message);

	if (status == ST_OK && !(flags & RR_RECEIVE))
		return REPLY_NONE;
	return handle_outcome(message, status, kind);
}

/* Answers what needs few instructions, too, but is no fault to be cured. */
static inline enum reply_kind answer_quickly(struct message *message)
{
	return fault_refuse_quick(message) ? REPLY_PLAIN : request_quick(message);
}

/* Replies, and receives what is answered at once, until something else comes, which is left in
   *message: its status, and in *kind what the reply was that it came with. */
static status_t serve_quickly(struct message *message, enum reply_kind *kind)
{
	struct message quick = *message; /* its words stay in registers */
	uint64_t request = HERE | RR_RECEIVE | (*kind != REPLY_NONE ? RR_REPLY : 0);
	enum reply_kind next;
	status_t status;

	for (;;) {
		status = ipc_reply_receive(request, &quick);
		if (__builtin_expect(status != ST_OK, 0)) {
			if (TAG_OPS(quick.tag) != 0) /* that was refused */
				*kind = quick.token == request_quick_token ? REPLY_CHANGE : REPLY_CURE;
			break;
		}
		if (__builtin_expect(!fault_quick(&quick), 0)) {
			next = answer_quickly(&quick);
			status = ST_OK; /* is known, so it need not be kept */
			if (next == REPLY_NONE)
				break;
			*kind = next;
		}
		request = HERE | RR_RECEIVE | RR_REPLY;
	}
	*message = quick;
	return status;
}

static _Noreturn void serve(void)
{
	struct message message = { 0 };
	enum reply_kind kind = REPLY_NONE;

	for (;;) {
		if (!job_pending() && cure.filled != 0) {
			kind = exchange(&message, kind, RR_RECEIVE); /* and then fault_settle() */
		} else if (!job_pending()) {
			status_t status = serve_quickly(&message, &kind);

			messages = 0;
			kind = handle_outcome(&message, status, kind);
		} else if (messages < MESSAGES_PER_SLICE || tables_effort > EFFORT_SLICE) {
			kind = exchange(&message, kind, RR_RECEIVE | RR_NONBLOCK);
		} else {
			/* Messages keep coming: let the work go on before the next one.  (Those that take long
			   cannot keep coming: a space has one job.) */
			if (kind != REPLY_NONE)
				kind = exchange(&message, kind, 0);
			if (kind == REPLY_NONE)
				run_slice();
		}
	}
}

/* Everything that a message needs is ready before the first is received. */
int main(uint64_t argument)
{
	const struct pager_boot *boot = (const struct pager_boot *)argument;
	status_t status;

	server_set_name("pager");
	mmu_levels = boot->levels;
	mmu_zero_frame = boot->zero_frame;
	heap_start(boot->heap_table);
	status = pager_start(boot);
	if (status == ST_OK)
		status = heap_map_bounce();
	if (status != ST_OK)
		server_panic("cannot start: %s", status_text(status));
	serve();
}
