/*
 * A server's own words: lines in the kernel's log.
 *
 * The log goes through DEBUG_LOG and so works when no other server does.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/print.h"
#include "server/string.h"
#include <call.h>

#define LOG_LINE_BYTES 1024u

static const char *server_name = "server";

/* Names the server in its log lines; the text must stay. */
void server_set_name(const char *name)
{
	server_name = name;
}

/* Several threads may log: the line is made in the caller's message page, nowhere else. */
static void log_line(char *page, const char *mark, const char *format, va_list arguments)
{
	size_t length = print_text(page, LOG_LINE_BYTES, "%s: %s", server_name, mark);

	length += print_text_list(page + length, LOG_LINE_BYTES - length - 1, format, arguments);
	page[length++] = '\n';
	/* Without the right to log there is nobody to tell. */
	(void)kernel_call(CALL_DEBUG, DEBUG_LOG, length, 0, 0, 0, 0, NULL);
}

/* A line in the kernel's log. */
void server_log(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(MESSAGE_PAGE, "", format, arguments);
	va_end(arguments);
}

/* A line in the kernel's log, by a thread that has another message page than the first. */
void server_log_by(void *message_page, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(message_page, "", format, arguments);
	va_end(arguments);
}

/* The last line of a server: an undefined instruction hands the rest to init. */
_Noreturn void server_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(MESSAGE_PAGE, "panic: ", format, arguments);
	va_end(arguments);
	__builtin_trap();
}
