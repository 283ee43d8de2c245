/*
 * Scheduling: ready queues, time slices, the alarm.
 *
 * Rules: a READY thread is in the queue of its effective priority or is the current thread; the
 * bitmap has a bit for each non-empty queue.  Time is counted in ticks of one slice: a thread
 * whose slice began in an earlier tick gives way to its equals when it comes to run.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sched.h"
#include "exception.h"
#include "ipc.h"
#include "list.h"
#include "object.h"
#include "percpu.h"
#include "record.h"
#include "switch.h"
#include "timer.h"

static struct link ready[PRIORITY_COUNT];
uint64_t sched_ready_priorities;
uint32_t sched_tick;
static uint64_t tick_end; /* 0: the alarm is not set for a slice (idle) */
static uint64_t deadline; /* 0: none */
static struct object_ref deadline_port;

void sched_init(void)
{
	for (uint32_t i = 0; i < PRIORITY_COUNT; i++)
		list_init(&ready[i]);
}

static void ready_insert(struct thread *thread, bool first)
{
	struct link *queue = &ready[thread->effective];

	if (first)
		list_prepend(queue, &thread->link);
	else
		list_append(queue, &thread->link);
	sched_ready_priorities |= 1ull << thread->effective;
}

void sched_ready(struct thread *thread)
{
	thread->state = THREAD_READY;
	ready_insert(thread, false);
}

void sched_remove(struct thread *thread)
{
	list_remove(&thread->link);
	if (list_is_empty(&ready[thread->effective]))
		sched_ready_priorities &= ~(1ull << thread->effective);
}

static uint32_t highest_ready(void)
{
	return 63u - (uint32_t)__builtin_clzll(sched_ready_priorities);
}

static struct thread *ready_take(void)
{
	struct thread *thread;

	if (!sched_ready_priorities)
		return NULL;
	thread = list_thread(ready[highest_ready()].next);
	sched_remove(thread);
	thread->slice = sched_tick;
	return thread;
}

/* Must this thread, about to run, give way to one that is ready? */
static bool must_yield(const struct thread *thread)
{
	uint64_t rivals = sched_ready_priorities >> thread->effective;

	if (__builtin_expect(rivals == 0, 1))
		return false;
	return rivals > 1 || thread->slice != sched_tick;
}

static void alarm_set(void)
{
	uint64_t next = tick_end ? tick_end : UINT64_MAX;

	if (deadline && deadline < next)
		next = deadline;
	timer_arm(next);
}

static void tick_start(void)
{
	tick_end = timer_now() + SCHED_SLICE_NS;
	alarm_set();
}

/* A thread that goes back to its queue: at the front when its slice is not over. */
static void requeue(struct thread *thread)
{
	thread->port = NULL;
	ready_insert(thread, thread->slice == sched_tick);
}

/* Who runs next; makes it current. */
static struct thread *choose(struct thread *preferred)
{
	struct percpu *cpu = this_cpu();
	struct thread *current = cpu->current;
	struct thread *next = preferred;

	if (current && current->state != THREAD_READY)
		current = NULL;
	if (!next)
		next = current;
	else if (current && current != next)
		requeue(current);
	if (!next) {
		next = ready_take();
	} else if (__builtin_expect(must_yield(next), 0)) {
		requeue(next);
		next = ready_take();
	}
	if (next != cpu->current)
		switch_thread(next);
	if (__builtin_expect(next && !tick_end, 0)) {
		tick_start();
	} else if (!next && tick_end) {
		tick_end = 0;
		alarm_set();
	}
	return next;
}

/* A thread that ran over the end of the lower half has an address to which no return is possible:
   `iretq` would fault in the kernel. */
static bool cannot_return(const struct thread *thread)
{
	return !sched_rip_is_plain(thread) && !address_is_canonical(thread->registers.rip);
}

struct thread *sched_next(struct thread *preferred)
{
	struct thread *next = choose(preferred);

	while (next && cannot_return(next)) {
		thread_set_exception(next, VECTOR_PROTECTION);
		next = choose(exception_raise(next));
	}
	return next;
}

void sched_alarm(void)
{
	uint64_t now = timer_now();

	timer_acknowledge();
	if (tick_end && now >= tick_end) {
		sched_tick++;
		tick_end = now + SCHED_SLICE_NS;
	}
	if (deadline && now >= deadline) {
		struct port *port = port_find(&deadline_port);

		deadline = 0;
		if (port)
			ipc_notify(port, deadline_port.bits);
	}
	alarm_set();
}

void sched_set_deadline(uint64_t nanoseconds)
{
	deadline = nanoseconds;
	alarm_set();
}

void sched_bind_deadline(const struct object_ref *port)
{
	deadline_port = *port;
}

void sched_end_slice(struct thread *thread)
{
	thread->slice = sched_tick - 1;
}

void sched_forget(struct thread *thread)
{
	struct percpu *cpu = this_cpu();

	if (cpu->fpu_owner == thread)
		cpu->fpu_owner = NULL;
	if (cpu->current == thread)
		cpu->current = NULL;
}

void sched_forget_space(struct space *space)
{
	if (this_cpu()->space == space)
		switch_space(NULL);
}

bool sched_ok(void)
{
	for (uint32_t i = 0; i < PRIORITY_COUNT; i++) {
		if (list_is_empty(&ready[i]) == ((sched_ready_priorities >> i) & 1))
			return false;
		for (struct link *l = ready[i].next; l != &ready[i]; l = l->next) {
			const struct thread *thread = list_thread(l);

			if (thread->state != THREAD_READY || thread->effective != i ||
			    l->next->prev != l)
				return false;
		}
	}
	return true;
}

_Noreturn void sched_start(void)
{
	sched_resume(sched_next(NULL));
}
