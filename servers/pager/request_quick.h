/*
 * Requests of programs that come often, answered in few instructions.
 *
 *   PAGER_MMAP, PAGER_MUNMAP   of memory that is not in the region map yet (latest.h)
 *   PAGER_MPROTECT             of a range in one private region and one leaf table that is known: one
 *                              operation at most, which the reply carries (request_protect.c)
 *
 * As with quick faults everything is asked first; if an answer is not the usual one nothing has changed,
 * but that the latest mapping may have been settled, and request.c decides.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_REQUEST_QUICK_H
#define PAGER_REQUEST_QUICK_H

#include "latest.h"
#include "serve.h"

/* Of PAGER_MPROTECT: REPLY_PLAIN; REPLY_CHANGE, with the operation; or NONE, not quick. */
enum reply_kind request_quick_protect(
	uint64_t badge, uint64_t start, uint64_t bytes, uint64_t rights);
extern struct op request_quick_op;
extern uint64_t request_quick_token; /* of the reply that carries it */

/* Turn a message into its reply, if it is a quick request.  REPLY_NONE: it has not changed. */
static inline __attribute__((always_inline)) enum reply_kind request_quick(struct message *message)
{
	enum reply_kind kind;

	_Static_assert(PAGER_MUNMAP - PAGER_MMAP == 1 && PAGER_MPROTECT - PAGER_MMAP == 2, "one comparison");
	if (message->tag - PAGER_MMAP > PAGER_MPROTECT - PAGER_MMAP)
		return REPLY_NONE;
	if (latest_request(message))
		return REPLY_PLAIN;
	if (message->tag != PAGER_MPROTECT)
		return REPLY_NONE;
	kind = request_quick_protect(message->badge, message->w[0], message->w[1], message->w[2]);
	if (kind == REPLY_NONE)
		return REPLY_NONE;
	message->tag = tag_make(ST_OK, 0);
	if (kind == REPLY_CHANGE) {
		request_quick_token = message->token;
		message->tag |= 1ull << TAG_OPS_SHIFT;
		message->w[0] = request_quick_op.head;
		message->w[1] = request_quick_op.a;
		message->w[2] = request_quick_op.b;
	}
	return kind;
}

#endif
