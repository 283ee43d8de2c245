/*
 * Who sleeps until when: a heap by deadline.
 *
 * Pure, so that it runs on the host, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef TIME_SLEEPERS_H
#define TIME_SLEEPERS_H

#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define SLEEPERS_MAX 8192u

struct sleeper {
	uint64_t deadline; /* nanoseconds since boot */
	uint64_t order;	   /* of arrival: equal deadlines wake in it */
	uint64_t token;
};

/* LIMIT when there are too many. */
status_t sleepers_add(uint64_t deadline, uint64_t token) MUST_CHECK;

/* Takes the first whose deadline is not after `now`.  False: none. */
bool sleepers_take(uint64_t now, uint64_t *token);

/* Takes the one with the last deadline, to make room.  False: none. */
bool sleepers_take_last(uint64_t *token);

/* Takes the sleeper out that has this token. */
bool sleepers_remove(uint64_t token);

/* The first deadline; 0: nobody sleeps. */
uint64_t sleepers_first(void);

#endif
