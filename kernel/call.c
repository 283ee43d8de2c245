/*
 * Entering the kernel: calls, exceptions, interrupts; each ends in the scheduler's choice.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "call_table.h"
#include "exception.h"
#include "fault.h"
#include "handle.h"
#include "interrupt.h"
#include "list.h"
#include "log.h"
#include <machine/cpu.h>
#include "percpu.h"
#include "sched.h"
#include "switch.h"

struct thread *kernel_enter_call(struct thread *thread);
struct thread *kernel_enter_trap(struct thread *thread);
struct thread *kernel_enter_idle_interrupt(uint64_t vector);
_Noreturn void kernel_trap_in_kernel(struct registers *registers);

typedef struct thread *(*call_handler_t)(struct thread *);

static const call_handler_t handlers[CALL_COUNT] = {
#define CALL_ROW(name, number, handler) [number] = (handler),
	CALL_LIST(CALL_ROW)
#undef CALL_ROW
};

/* entry.asm: `syscall`, but for what a short path has done.  A number that is no call of ours is an
   exception, so that a program of another system can be emulated. */
struct thread *kernel_enter_call(struct thread *thread)
{
	uint64_t number = thread->registers.rax;

	counters.kernel_entries++;
	if (__builtin_expect(number >= CALL_COUNT, 0)) {
		thread_set_exception(thread, VECTOR_FOREIGN_CALL);
		return sched_next(exception_raise(thread));
	}
	return sched_next(handlers[number](thread));
}

/* entry.asm: exception or interrupt in user mode, but for the faults that a short path has taken. */
struct thread *kernel_enter_trap(struct thread *thread)
{
	uint64_t vector = thread->registers.vector;

	counters.kernel_entries++;
	if (vector == VECTOR_PAGE_FAULT)
		return sched_next(fault_raise(thread, cpu_read_cr2()));
	if (vector >= VECTOR_IRQ) {
		interrupt_handle((uint32_t)vector);
		return sched_next(NULL);
	}
	if (vector == VECTOR_NMI)
		return sched_next(NULL);
	if (vector == VECTOR_MACHINE_CHECK || vector == VECTOR_DOUBLE_FAULT)
		panic("vector %lu in user mode", vector);
	return sched_next(exception_raise(thread));
}

/* entry.asm: interrupt while idle. */
struct thread *kernel_enter_idle_interrupt(uint64_t vector)
{
	counters.kernel_entries++;
	interrupt_handle((uint32_t)vector);
	return sched_next(NULL);
}

/* entry.asm: the kernel itself did what no kernel may do. */
_Noreturn void kernel_trap_in_kernel(struct registers *registers)
{
	panic_registers(registers);
}

/* THREAD: settings of the calling thread. */
struct thread *call_thread(struct thread *thread)
{
	struct registers *registers = &thread->registers;

	switch (registers->rdi) {
	case THREAD_SELF_TLS:
		if (!address_is_canonical(registers->rsi))
			return call_finish(thread, ST_BAD_ARGUMENT);
		switch_set_fs_base(thread, registers->rsi);
		return call_finish(thread, ST_OK);
	case THREAD_SELF_UPCALL:
		if (!address_is_canonical(registers->rsi) || !address_is_canonical(registers->rdx))
			return call_finish(thread, ST_BAD_ARGUMENT);
		if (registers->rsi && !thread->message)
			return call_finish(thread, ST_NO_PAGE);
		thread->upcall_entry = registers->rsi;
		thread->upcall_stack = registers->rdx;
		thread->upcall_argument = registers->r10;
		return call_finish(thread, ST_OK);
	case THREAD_SELF_STOP:
		thread->registers.rax = ST_OK;
		thread->state = THREAD_STOPPED;
		thread->port = NULL;
		list_init(&thread->link);
		return NULL;
	default:
		return call_finish(thread, ST_BAD_ARGUMENT);
	}
}

/* YIELD */
struct thread *call_yield(struct thread *thread)
{
	sched_end_slice(thread);
	return call_finish(thread, ST_OK);
}
