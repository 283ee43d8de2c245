/*
 * Idle time (idle.h).
 *
 * The thread runs when nobody else can, and waits in its call while the pager has nothing to do
 * for it.  It has words only to say, so it needs no message page.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "idle.h"

#include "frames.h"
#include "operations.h"
#include "slots.h"
#include <call.h>
#include <faultline/slots.h>
#include <server/request.h>

#define STACK_BYTES 2048u

static _Alignas(16) uint8_t stack[STACK_BYTES];

/* As long as the pager has work for idle time.  One that has not (another pager, one that has died) is no
   reason to do anything but rest. */
static _Noreturn void work(void)
{
	struct message message;

	do {
		message = (struct message){ .tag = tag_make(PAGER_IDLE, 0) };
	} while (request_call(SLOT_PAGER, &message) == ST_OK);
	for (;;)
		(void)ipc_reply_receive(INIT_SLOT_IDLE | RR_RECEIVE, &message);
}

/* See the header. */
void idle_start(void)
{
	struct name_words name = name_words("idle");
	pfn_t thread, port;

	init_must(init_create_port(INIT_SLOT_IDLE, &port), "idle port");
	init_must(frames_make(init_boot->root_pool, FRAME_FREE, &thread), "idle thread");
	init_must(operation_run(operation(
			  OP_THREAD_CREATE, thread, 0, init_boot->root_space, PRIORITY_IDLE)),
		"idle thread");
	init_must(operation_run(operation(OP_THREAD_SET, thread, THREAD_FIELD_NAME, name.words[0],
			  name.words[1])),
		"idle thread");
	/* As after a call instruction: the stack is 8 off its alignment. */
	init_must(operation_run(operation(OP_THREAD_SET, thread, THREAD_FIELD_START,
			  (uint64_t)work, (uint64_t)(stack + STACK_BYTES - 8))),
		"idle thread");
	init_must(operation_run(operation(OP_THREAD_START, thread, 0, 0, 0)), "idle thread");
}
