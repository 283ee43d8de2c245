/*
 * What a history says (report.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"

#include "history.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool report_steps;

/* See the header. */
void report_say(const char *format, ...)
{
	va_list arguments;

	if (!report_steps)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

/* See the header. */
void report_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("%sstep %u: ", report_steps ? "\n" : "", history_step);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	fflush(stdout);
	_Exit(HISTORY_FAILED);
}
