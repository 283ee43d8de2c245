/*
 * Messages and replies: what the pager does with one message, whatever machine it runs on.
 *
 * A fault is answered with its cure, operations that the reply carries; a request with words and
 * payload.  If the kernel refuses a reply nobody was resumed: the cure is finished (MORE) or
 * taken back, and the caller gets a plain answer.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_SERVE_H
#define PAGER_SERVE_H

#include <call.h>

/* What the reply is: none (it comes later, or never), words and payload, the operations that cure a
   fault, or one that is a part of an answer. */
enum reply_kind { REPLY_NONE, REPLY_PLAIN, REPLY_CURE, REPLY_CHANGE };

/* Handle a message; it becomes its reply. */
enum reply_kind serve_message(struct message *message);

/*
 * A reply that receives, too, answered `status`, not OK.  `message` is what the kernel left, with
 * the token that was replied to; `sent` is the tag that the reply had.  What is to be sent now?
 */
enum reply_kind serve_refused(
	struct message *message, status_t status, enum reply_kind kind, uint64_t sent);

#endif
