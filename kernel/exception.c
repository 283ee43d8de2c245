/*
 * Exceptions.
 *
 * Order of targets: the thread's own handler, its exception port, nobody.  A thread without a
 * target is parked with everything it had; nothing is lost, its pool's owner decides.  Above the
 * root task there is no owner: its death is the end of the machine, with a report.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "exception.h"
#include "ipc.h"
#include "list.h"
#include "log.h"
#include "object.h"
#include "percpu.h"
#include "pool.h"
#include "record.h"
#include "sched.h"

#define REGISTER_WORDS (sizeof(struct registers) / 8)
#define RED_ZONE 128u

void exception_park(struct thread *thread)
{
	const struct pool *pool = &pool_table[frame_table[frame_number(thread)].pool];
	struct object_ref ref = { .pfn = pool->port_pfn, .id = pool->port_id };
	struct port *port = port_find(&ref);

	thread->state = THREAD_PARKED;
	thread->port = NULL;
	list_init(&thread->link);
	record_add(RECORD_EXCEPTION, LABEL_PARKED, frame_number(thread), pool->port_pfn,
		   thread->registers.vector, thread->registers.rip);
	if (port)
		ipc_notify(port, pool->port_bits);
	else if (pool == &pool_table[POOL_ROOT])
		panic("the root task died of exception %lu (error %lx) at %lx: nobody can go on",
			thread->registers.vector, thread->registers.error, thread->registers.rip);
}

/* Registers and cause to the thread's message page; it goes on in its handler. */
static void upcall(struct thread *thread)
{
	struct upcall *frame = frame_memory(thread->message);
	struct registers *registers = &thread->registers;

	frame->vector = registers->vector;
	frame->error = registers->error;
	frame->address = registers->vector == VECTOR_PAGE_FAULT ? thread->fault_address : 0;
	frame->reason0 = thread->reason0;
	frame->reason1 = thread->reason1;
	memory_copy_words(&frame->registers, registers, REGISTER_WORDS);
	registers->rip = thread->upcall_entry;
	registers->rsp = thread->upcall_stack ? thread->upcall_stack :
						((registers->rsp - RED_ZONE) & ~15ull) - 8;
	registers->rdi = thread->upcall_argument;
	registers->rflags = RFLAGS_BASE;
	counters.upcalls++;
}

/* Hand the exception on.  Returns a receiver that took it. */
static struct thread *exception_route(struct thread *thread)
{
	struct port *port;

	counters.exceptions++;
	if (thread->upcall_entry && thread->message) {
		upcall(thread);
		return NULL;
	}
	port = port_find(&thread->exception_port);
	if (port)
		return ipc_send(thread, port, thread->exception_port.badge, WAIT_EXCEPTION);
	exception_park(thread);
	return NULL;
}

struct thread *exception_raise(struct thread *thread)
{
	thread->reason0 = thread->reason1 = 0;
	return exception_route(thread);
}

void exception_raise_page_fault(struct thread *thread)
{
	struct thread *receiver;

	thread->registers.vector = VECTOR_PAGE_FAULT;
	receiver = exception_route(thread);
	if (receiver && receiver != thread)
		sched_ready(receiver);
}

bool exception_refuse_quickly(struct thread *thread, uint64_t reason0, uint64_t reason1)
{
	if (!thread->upcall_entry || thread->upcall_entry >> 47 != 0 || !thread->message)
		return false;
	thread->reason0 = reason0;
	thread->reason1 = reason1;
	thread->registers.vector = VECTOR_PAGE_FAULT;
	counters.exceptions++;
	upcall(thread);
	return true;
}

void exception_fill_message(const struct thread *thread, struct thread *receiver)
{
	const struct registers *from = &thread->registers;
	struct registers *to = &receiver->registers;

	to->rsi = tag_make(LABEL_EXCEPTION, 0) | TAG_KERNEL;
	if (receiver->message) {
		memory_copy_words(frame_memory(receiver->message), from, REGISTER_WORDS);
		to->rsi = tag_make(LABEL_EXCEPTION, sizeof(*from)) | TAG_KERNEL;
	}
	to->rdx = from->vector;
	to->r10 = from->error;
	to->r8 = from->rip;
	to->r9 = from->vector == VECTOR_PAGE_FAULT ? thread->fault_address : 0;
	to->r12 = thread->reason0;
	to->r13 = thread->reason1;
}

bool exception_set_registers(struct thread *thread, const struct registers *from)
{
	struct registers *to = &thread->registers;
	struct registers wanted = *from;

	if (!address_is_canonical(wanted.rip))
		return false;
	wanted.vector = VECTOR_BREAKPOINT; /* anything but a call: leave by iretq, all registers */
	wanted.error = 0;
	wanted.cs = to->cs;
	wanted.ss = to->ss;
	wanted.rflags = (wanted.rflags & RFLAGS_USER) | RFLAGS_BASE;
	*to = wanted;
	return true;
}
