/*
 * Time: the TSC as the clock, the local APIC's one-shot timer as the alarm.
 *
 * One alarm for two uses: the end of the current time slice, and the deadline of the time server.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <stdint.h>

#define TIMER_SPURIOUS_VECTOR 255 /* an interrupt of the local APIC that vanished: ignore it */

void timer_init(void);                 /* calibrates; fills boot_info.tsc_hz */
uint64_t timer_now(void);              /* nanoseconds since boot */
/* VECTOR_TIMER once, at that time or soon after; UINT64_MAX: disarm.  Cheap when unchanged.  What
   is seconds away may come early: compare with timer_now, arm again. */
void timer_arm(uint64_t nanoseconds);
void timer_acknowledge(void);          /* end of interrupt */

#endif
