/*
 * Interrupt lines of devices (8259 controllers, vectors VECTOR_IRQ..+15), masked until acknowledged.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include <stdint.h>
#include <stdbool.h>

#define IRQ_LINES 16

void irq_init(void);            /* all masked */
void irq_mask(uint32_t line);
void irq_unmask(uint32_t line);
/* An interrupt on VECTOR_IRQ + line: masks the line and ends the interrupt at the controller.  False: spurious. */
bool irq_accept(uint32_t line);

#endif
