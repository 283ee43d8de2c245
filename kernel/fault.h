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

/* What a fault message tells of the error code. */
#define FAULT_BITS (FAULT_PRESENT | FAULT_WRITE | FAULT_USER | FAULT_RESERVED | FAULT_FETCH)

/* Do the tables allow the access by now (another thread's fault was cured)?  Then the thread can go on:
   the fault itself made the processor forget the old translation. */
bool fault_is_cured(const struct thread *thread);

/* Put the fault message of a waiting thread into a receiver's registers (not badge and token). */
void fault_fill_message(const struct thread *thread, struct registers *to);

#endif
