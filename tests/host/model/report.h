/*
 * What a history says: that it failed, and, when it is replayed, what its steps do.
 *
 * A history runs in a process of its own (history.h), so a failure may end it anywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_REPORT_H
#define MODEL_REPORT_H

#include <stdbool.h>

/* Steps are to be told about. */
extern bool report_steps;

/* Part of the line about this step; nothing unless report_steps. */
void report_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The model and the product differ: say so and end this history. */
_Noreturn void report_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
