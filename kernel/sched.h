/*
 * Who runs: 64 priorities, a queue each, round robin inside one.
 *
 * The current thread is READY and in no queue.  A time slice belongs to the thread whose work is
 * done: while a thread waits for a reply its slice goes on, so a server costs its callers.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "ipc.h"
#include "thread.h"

#define SCHED_SLICE_NS 10000000ull

void sched_init(void);

/* Make a thread READY, at the end of its queue. */
void sched_ready(struct thread *thread);

/* Take a READY thread that is not the current one out of its queue. */
void sched_remove(struct thread *thread);

/*
 * Choose who runs when the kernel is left, and switch to it.  `preferred` (or NULL) is a READY
 * thread in no queue, the target of a direct switch; a more important ready thread goes first.
 * The current thread, when it is still READY and another is chosen, goes back to its queue.
 * Returns the thread to resume, NULL for idle.
 */
struct thread *sched_next(struct thread *preferred);

/* For a direct switch without sched_next(), which would choose the same: is nobody ready who is more important, nor,
   unless the time slice goes on, as important; and does the thread stand where user code may stand? */
extern uint64_t sched_ready_priorities;
extern uint32_t sched_tick;
static inline bool sched_may_run(uint32_t effective, uint32_t slice)
{
	uint64_t rivals = sched_ready_priorities >> effective;

	if (unlikely(ipc_generic_only))
		return false;
	return likely(rivals == 0) || (rivals == 1 && slice == sched_tick);
}
static inline bool sched_rip_is_plain(const struct thread *thread)
{
	return (thread->registers.rip >> 47) == 0;
}

/* The alarm: a new tick when the slice ended, the deadline of the time server. */
void sched_alarm(void);

/* The time server's deadline; 0: none.  And whom to tell. */
void sched_set_deadline(uint64_t nanoseconds);
void sched_bind_deadline(const struct object_ref *port);

/* The current thread gives the rest of its slice away. */
void sched_end_slice(struct thread *thread);

/* A thread is about to vanish: no register state of it may stay behind in the processor. */
void sched_forget(struct thread *thread);

/* A space is about to vanish: its tables may not stay loaded. */
void sched_forget_space(struct space *space);

_Noreturn void sched_start(void);
_Noreturn void sched_resume(struct thread *thread); /* entry.asm */

/* Every queued thread is READY, in the queue of its priority.  For kernel_ok. */
bool sched_ok(void);

#endif
