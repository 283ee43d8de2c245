/*
 * Interrupts: to the port bound to their line; the alarm to the scheduler.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_INTERRUPT_H
#define KERNEL_INTERRUPT_H

#include <stdint.h>

void interrupt_handle(uint32_t vector);

#endif
