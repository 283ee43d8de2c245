/*
 * I/O ports that the kernel itself uses.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_PORTS_H
#define KERNEL_MACHINE_PORTS_H

/* Interrupt controllers (8259). */
#define PORT_PIC1      0x20
#define PORT_PIC2      0xa0
#define PORT_PIC1_DATA 0x21
#define PORT_PIC2_DATA 0xa1

/* Interval timer (8254). */
#define PORT_PIT_CHANNEL0 0x40
#define PORT_PIT_COMMAND  0x43

/* Serial port COM1 (16550), registers from its base on. */
#define PORT_COM1	0x3f8
#define UART_DATA	0
#define UART_INTERRUPTS 1
#define UART_FIFO	2
#define UART_LINE	3
#define UART_MODEM	4
#define UART_STATUS	5

/* What emulators listen to. */
#define PORT_DEBUG	    0xe9
#define PORT_QEMU_EXIT	    0xf4
#define PORT_BOCHS_SHUTDOWN 0x8900
#define PORT_ACPI_QEMU	    0x604
#define PORT_ACPI_BOCHS	    0xb004
#define ACPI_SOFT_OFF	    0x2000

#endif
