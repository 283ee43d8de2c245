/*
 * Who waits for a line: a bounded queue, first come, first served.
 *
 * Pure, so that it runs on the host, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CONSOLE_READERS_H
#define CONSOLE_READERS_H

#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define READERS_MAX 64u

struct reader {
	uint64_t token;
	uint32_t most; /* bytes it takes */
};

/* LIMIT when full. */
status_t readers_add(struct reader reader) MUST_CHECK;

/* Takes the first out.  False: nobody waits. */
bool readers_take(struct reader *reader);

bool readers_remove(uint64_t token);
bool readers_are_waiting(void);

#endif
