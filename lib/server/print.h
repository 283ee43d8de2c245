/*
 * Formatted text: into a buffer, to the kernel's log, and as last words.
 *
 * %s %c %d %u %x with l or z, %p, %%; flags - and 0; width and precision (of %s), also as *.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_SERVER_PRINT_H
#define LIB_SERVER_PRINT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Writes at most capacity - 1 characters and a NUL (capacity > 0).  Returns the characters written:
   what does not fit is cut off. */
size_t print_text(char *buffer, size_t capacity, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t print_text_list(char *buffer, size_t capacity, const char *format, va_list arguments);

/* One line (the newline is added) to the kernel's log.  Uses the message page of the first
   thread; needs SPACE_DEBUG, else nothing is written. */
void server_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same through another thread's message page. */
void server_log_by(void *message_page, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "NAME: " in front of each line of server_log. */
void server_set_name(const char *name);

/* A broken rule of the server: log a line and raise an exception, which init reports. */
_Noreturn void server_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
