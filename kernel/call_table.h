/*
 * The calls' handlers: one per number, each with the calling thread.
 *
 * A handler puts the status in the thread's rax and returns the thread to run next by direct
 * switch, or NULL: the caller goes on if it is still READY, else the scheduler chooses.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_CALL_TABLE_H
#define KERNEL_CALL_TABLE_H

#include <faultline/status.h>
#include "thread.h"

#define CALL_HANDLER(name, number, handler) struct thread *handler(struct thread *thread);
CALL_LIST(CALL_HANDLER)
#undef CALL_HANDLER

/* The call ends with this status; its thread goes on. */
static inline struct thread *call_finish(struct thread *thread, status_t status)
{
	thread->registers.rax = status;
	return NULL;
}

#endif
