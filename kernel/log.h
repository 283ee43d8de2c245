/*
 * The kernel's log: formatted text to the serial port (and port 0xe9, where an emulator listens).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stddef.h>

/* %s %c %d %u %x %lx %lu %ld %p %%, width and 0 flag.  Writes at once, without interrupts. */
void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_write(const char *text, size_t bytes);
void log_print_list(const char *format, va_list *list);
void log_drain(void); /* wait until the serial port has sent everything */

/* A broken rule of the kernel: report and stop the machine. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct registers;
/* An exception in the kernel itself: the same, with the registers of that moment. */
_Noreturn void panic_registers(const struct registers *registers);

/* The machine cannot boot like this: one line that says what to do, then the end with a failure. */
_Noreturn void boot_stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(condition) \
	((condition) ? (void)0 : panic("%s:%d: not true: %s", __FILE__, __LINE__, #condition))

#endif
