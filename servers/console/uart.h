/*
 * The serial port (COM1, 16550) by checked port I/O.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CONSOLE_UART_H
#define CONSOLE_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_IRQ 4u

/* Takes the port over from the kernel's log: interrupts for received bytes.  What has already
   arrived stays. */
void uart_open(void);

/* One received byte, if there is one. */
bool uart_read(uint8_t *byte);

/* Hands bytes over, with a return before each newline; comes back when the port has taken all of
   them. Uses the message page: the text must lie elsewhere. */
void uart_write(const char *text, uint32_t bytes);

#endif
