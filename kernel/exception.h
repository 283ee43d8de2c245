/*
 * Exceptions: to the thread's own handler (self-upcall), to its exception port, or parked.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_EXCEPTION_H
#define KERNEL_EXCEPTION_H

#include "thread.h"

/* The current thread met an exception (registers.vector, .error).  Returns who runs next. */
struct thread *exception_raise(struct thread *thread);

/* The pager refused a fault of this READY, not queued thread: raise a page-fault exception.  The
   thread stays READY (self-upcall: the caller lets it run) or waits. */
void exception_raise_page_fault(struct thread *thread);

/* The same, with the reasons, of one that still waits, if it is to go on in its own handler.  False: it is
   not, and nothing has changed. */
bool exception_refuse_quickly(struct thread *thread, uint64_t reason0, uint64_t reason1);

/* No target: the thread stays PARKED, its pool's owner is notified. */
void exception_park(struct thread *thread);

/* The exception message of a waiting thread, registers as payload. */
void exception_fill_message(const struct thread *thread, struct thread *receiver);

/* Take over registers, as far as user mode may set them.  False: rip or a base not canonical. */
bool exception_set_registers(struct thread *thread, const struct registers *from);

/* Bits of rflags that user mode may choose. */
#define RFLAGS_USER 0x240dd5ull /* CF PF AF ZF SF TF DF OF NT AC ID */
#define RFLAGS_BASE 0x202ull    /* the bit that is always 1, and interrupts on */

static inline bool address_is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << (64 - 48)) >> (64 - 48)) == address;
}

#endif
