/*
 * The kernel's log: formatted text to the serial port (and port 0xe9, where an emulator listens).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stddef.h>

/* %s %c %d %u %x %lx %lu %ld %p %%, width and 0 flag.  Writes at once, without interrupts. */
void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_write(const char *text, size_t bytes);

/* A broken rule of the kernel: report and stop the machine. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A condition at boot that no reboot of the same kind will mend: one line, then stop with a failure status. */
_Noreturn void boot_stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(condition) \
	((condition) ? (void)0 : panic("%s:%d: not true: %s", __FILE__, __LINE__, #condition))

#endif
