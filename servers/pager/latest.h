/*
 * The latest mapping: memory that was just asked for, and that is not in the region map of its space yet.
 *
 *   mmap ──> latest ──> any other message, or job ──> region map
 *              └──────> munmap of exactly it ───────> gone
 *
 * Its room was found, its promise is in the account, the nodes that its insertion takes are there: so
 * it is mapped for everybody but region.c.  There is one at most, of one space, and latest_settle() puts it into
 * the map before anything is done that could look there, or take nodes: that is everything but quick
 * faults, windows and the quick requests below.
 *
 * These are quick requests (request_quick.h): PAGER_MMAP of private anonymous memory at an address that the pager
 * chooses, and PAGER_MUNMAP of the latest mapping.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_LATEST_H
#define PAGER_LATEST_H

#include "space.h"
#include <call.h>

struct latest {
	struct space *space; /* NULL: there is none */
	struct region region;
	uint64_t promise; /* pages in the account */
};
extern struct latest latest;

/* At the start of the pager. */
void latest_start(void);

/* The mapping goes into the region map of its space. */
void latest_put(void);

/* The same, if there is one. */
static inline void latest_settle(void)
{
	if (__builtin_expect(latest.space != 0, 0))
		latest_put();
}

/* The program that asks for something quick, or NULL. */
static inline struct space *latest_asker(uint64_t badge)
{
	struct space *space = space_find(badge);

	return space && space->job.kind == JOB_NONE && space->state == SPACE_LIVE ? space : 0;
}

/* Of the requests below: the first word of the answer, or 0: not quick. */
uint64_t latest_map(uint64_t badge, uint64_t bytes, uint64_t flags);
uint64_t latest_unmap(uint64_t badge, uint64_t address, uint64_t bytes);

/* The latest mapping is apart from all regions, in its room, and its nodes are there. */
bool latest_ok(void);

/* Turn a message into its reply, if it is a quick request.  False: it has not changed. */
static inline __attribute__((always_inline)) bool latest_request(struct message *message)
{
	uint64_t word;

	if (message->tag == PAGER_MMAP && (message->w[0] | message->w[3] | message->w[4]) == 0)
		word = latest_map(message->badge, message->w[1], message->w[2]);
	else if (message->tag == PAGER_MUNMAP)
		word = latest_unmap(message->badge, message->w[0], message->w[1]);
	else
		return false;
	if (word == 0)
		return false;
	message->tag = tag_make(ST_OK, 0);
	message->w[0] = word;
	return true;
}

#endif
