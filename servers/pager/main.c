/*
 * The pager: a server that answers page faults.
 *
 *   receive -> fault:    find the cure; the reply carries it, resumes the thread, receives the next
 *           -> request:  request.c; the reply carries the answer
 *           -> nothing:  a slice of a job, then look again
 *
 * While there is work left (jobs, the reaper) receiving does not wait, and every so many messages a
 * slice is done anyway.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "heap_kernel.h"
#include "job.h"
#include "request.h"
#include "serve.h"
#include "start.h"

#include "server/print.h"
#include "server/start.h"
#include "server/status.h"

#define MESSAGES_PER_SLICE 32u /* while there is work left */

#define HERE (SLOT_SELF | (uint64_t)OWN_SLOT_RECEIVE << RR_SLOT_SHIFT)

/* Reply if there is something to reply, and receive if asked to; what is to be done next. */
static enum reply_kind exchange(struct message *message, enum reply_kind kind, uint64_t flags)
{
	uint64_t sent = message->tag, token = message->token;
	status_t status;

	mmu_count = 0;
	status = ipc_reply_receive(HERE | flags | (kind != REPLY_NONE ? RR_REPLY : 0), message);
	if (__builtin_expect(status == ST_OK, 1))
		return flags & RR_RECEIVE ? serve_message(message) : REPLY_NONE;
	if (status == ST_EMPTY) {
		job_run_slice();
		return REPLY_NONE;
	}
	if (kind == REPLY_NONE)
		server_panic("cannot receive: %s", status_text(status));
	message->token = token;
	return serve_refused(message, status, kind, sent);
}

static _Noreturn void serve(void)
{
	struct message message = { 0 };
	enum reply_kind kind = REPLY_NONE;
	uint32_t messages = 0;

	for (;;) {
		uint64_t flags = RR_RECEIVE;

		if (__builtin_expect(job_pending(), 0))
			flags = ++messages % MESSAGES_PER_SLICE != 0 ? RR_RECEIVE | RR_NONBLOCK : 0;
		if (__builtin_expect(flags != 0, 1) || kind != REPLY_NONE)
			kind = exchange(&message, kind, flags);
		/* Messages keep coming: let the work go on before the next one. */
		if (__builtin_expect(flags == 0, 0) && kind == REPLY_NONE)
			job_run_slice();
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
