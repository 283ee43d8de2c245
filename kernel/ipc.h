/*
 * Messages: call, reply, receive, notification, interrupt, and the death of either side.
 *
 * A caller is in exactly one list of its port: a queue (by effective priority) until a receiver
 * takes it, then `served` (or `cancels`, when its cancel is still to be announced) until a reply
 * with its token.  A token names a thread and one call of it, so an old one fits nobody.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_IPC_H
#define KERNEL_IPC_H

#include <faultline/op.h>
#include <faultline/status.h>
#include "object.h"
#include "thread.h"

/*
 * The short paths of ipc_fast.c: the message that takes no turn.  A receiver waits, nothing but words
 * (or the cure of a fault) goes over, nobody more important is ready.  They return the thread to
 * resume, already switched to; or NULL, and have changed nothing: the generic path decides.
 */
extern uint64_t ipc_generic_only; /* all bits set: the short paths are closed */
struct thread *ipc_fast_call(struct thread *thread);
struct thread *ipc_fast_fault(struct thread *thread, uint64_t address);
struct thread *ipc_fast_reply_receive(struct thread *server);

/* One operation that brings several pages, in its plain form: OP_FILL with FILL_CLEAR, or OP_COPY.
   False: it is not; what it has filled by then the operation itself leaves alone. */
bool ipc_fast_window(uint16_t pool, const struct op *op);

/* The one operation of a reply to a call from this space: OP_PROTECT.  False: it is not, or it has to be done
   again because the space cannot be loaded as it is. */
bool ipc_fast_change(uint16_t pool, const struct op *op, struct space *scope);

/* See ipc_fast.c; fast.asm uses it, too. */
struct need {
	uint64_t needed, telling;
};
extern const struct need ipc_needs[];

/* The words of a message. */
static inline void ipc_copy_words(struct registers *to, const struct registers *from)
{
	to->rdx = from->rdx;
	to->r10 = from->r10;
	to->r8 = from->r8;
	to->r9 = from->r9;
	to->r12 = from->r12;
	to->r13 = from->r13;
}

/* A token: the thread's frame, and above it a number that no thread of this frame had before. */
#define TOKEN_PFN_MASK ((1ull << FRAME_NUMBER_BITS) - 1)
#define TOKEN_NEXT     (1ull << FRAME_NUMBER_BITS)

/* The served thread that a token names, if it waits at this port. */
static inline struct thread *ipc_token_find(const struct port *port, uint64_t token)
{
	pfn_t pfn = (pfn_t)(token & TOKEN_PFN_MASK);
	struct thread *thread = thread_of(pfn);

	if (pfn >= frame_count || frame_table[pfn].type != FRAME_THREAD)
		return NULL;
	if (thread->state != THREAD_SERVED || thread->token != token || thread->port != port)
		return NULL;
	return thread;
}

/* Set bits of the notification word, and wake a receiver for it. */
void ipc_notify(struct port *port, uint64_t bits);

/*
 * `thread` has left its processor and waits at `port` for a reply to what wait_kind_t says.
 * Returns the receiver, when one waited and took it (to be run next), else NULL: it is queued.
 */
struct thread *ipc_send(struct thread *thread, struct port *port, uint64_t badge, wait_kind_t kind);

/* Is it sure that there is nothing to receive at the port where the thread received last? */
bool ipc_nothing_waits(const struct thread *thread);

/* Take a thread out of every list it may be in; it is STOPPED after. */
void ipc_detach(struct thread *thread);

/* Another effective priority for a QUEUED thread: it goes to the end of that queue. */
void ipc_requeue(struct thread *thread, uint8_t effective);

/* Interrupt a call that waits: withdrawn when queued, announced as a cancel when served. */
void ipc_interrupt(struct thread *thread);

/* A port ends (everybody who waits fails), or its server was replaced (calls being served fail,
   served faults queue again).  Each handles at most `budget` threads; true: done. */
bool ipc_fail_waiters(struct port *port, uint32_t budget);
bool ipc_requeue_served(struct port *port, uint32_t budget);

#endif
