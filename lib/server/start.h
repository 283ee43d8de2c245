/*
 * What a system server must define, and what starts it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_SERVER_START_H
#define LIB_SERVER_START_H

#include <stdint.h>

/* The argument word of servers that init starts as clients of the pager. */
enum {
	SERVER_INTERACTIVE = 1 << 0 /* a person is at the console: echo what is typed */
};

int main(uint64_t argument);
_Noreturn void server_start(uint64_t argument);

#endif
