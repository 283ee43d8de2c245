/*
 * What a switch of threads changes in the processor: space, stack of the next entry, FS and GS
 * base, FPU.  Each is written only when it changes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_SWITCH_H
#define KERNEL_SWITCH_H

#include "thread.h"

/* Make `next` the current thread (NULL: none, for idle).  The caller takes care of its state. */
void switch_thread(struct thread *next);

/* Load a space's tables (NULL: the kernel's own), flushing what must not be seen any more. */
void switch_space(struct space *space);

/* Write the FPU registers of a thread to its frame, when they are in the processor. */
void switch_save_fpu(struct thread *thread);

/* Set the FS base of a thread, at once when it is the current one. */
void switch_set_fs_base(struct thread *thread, uint64_t base);

#endif
