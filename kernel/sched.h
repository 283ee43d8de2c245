/*
 * Who runs: 64 priorities, a queue each, round robin inside one.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "thread.h"

void sched_init(void);
void sched_ready(struct thread *thread);    /* sets READY, puts it at the end of its queue */
void sched_remove(struct thread *thread);   /* takes a READY thread out of its queue */
_Noreturn void sched_start(void);           /* run the most important thread; never returns */

#endif
