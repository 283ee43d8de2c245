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

#include <faultline/status.h>
#include "thread.h"

/* Set bits of the notification word, and wake a receiver for it. */
void ipc_notify(struct port *port, uint64_t bits);

/*
 * `thread` has left its processor and waits at `port` for a reply to what wait_kind_t says.
 * Returns the receiver, when one waited and took it (to be run next), else NULL: it is queued.
 */
struct thread *ipc_send(struct thread *thread, struct port *port, uint64_t badge, wait_kind_t kind);

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
