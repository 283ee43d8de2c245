/*
 * Page faults as messages: see <faultline/fault.h> for the form.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include "thread.h"

/* The current thread faulted: address and error code are stored, it waits at its fault port (or
   is parked).  Returns who runs next, as call handlers do. */
struct thread *fault_raise(struct thread *thread, uint64_t address);

/* The tables now allow the access (another thread's fault was cured): the translation is
   invalidated, and the thread can go on. */
bool fault_is_cured(struct thread *thread);

/* Put the fault message of a waiting thread into a receiver's registers (not badge and token). */
void fault_fill_message(const struct thread *thread, struct registers *to);

#endif
