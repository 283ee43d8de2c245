/*
 * Requests and replies of system servers.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/request.h"

#include "server/print.h"
#include "server/status.h"

/* Sends a request and waits; one status for both ways to fail. */
status_t request_call(handle_t handle, struct message *message)
{
	status_t status = ipc_call(handle, message);

	return status == ST_OK ? (status_t)TAG_LABEL(message->tag) : status;
}

/* Makes the reply's tag; badge and kernel bits of the request end here. */
void reply_prepare(struct message *message, status_t status, uint32_t bytes)
{
	message->tag = tag_make((uint32_t)status, bytes);
}

/* Replies without receiving. */
status_t reply_send(handle_t port, const struct reply *reply)
{
	struct message message = {
		.tag = tag_make((uint32_t)reply->status, reply->bytes),
		.w = { reply->word0, reply->word1 },
		.token = reply->token,
	};

	return ipc_reply_receive(port | RR_REPLY, &message);
}

static enum handled dispatch(const struct server_handlers *handlers, struct message *message)
{
	if (message->tag & TAG_NOTIFICATION) {
		if (handlers->notification)
			handlers->notification(message->w[0]);
		return HANDLED_LATER;
	}
	if (message->tag & TAG_CANCEL) {
		if (!handlers->cancel || !handlers->cancel(message->token))
			return HANDLED_LATER;
		reply_prepare(message, ST_INTERRUPTED, 0);
		return HANDLED_ANSWER;
	}
	if (message->tag & TAG_KERNEL) {
		if (handlers->exception)
			return handlers->exception(message);
		reply_prepare(message, (status_t)FAULT_PARK, 0);
		return HANDLED_ANSWER;
	}
	return handlers->request(message);
}

/* A reply that the kernel refused: the caller is gone, or has no page for the payload and gets
   the bare status. */
static void reply_refused(handle_t port, uint64_t token, status_t why)
{
	const struct reply bare = { .token = token, .status = why };

	if (why != ST_BAD_TOKEN)
		(void)reply_send(port, &bare); /* nothing is left to try */
}

/* See the header. */
_Noreturn void server_loop(handle_t port, const struct server_handlers *handlers)
{
	struct message message = { 0 };
	enum handled handled = HANDLED_LATER;

	for (;;) {
		uint64_t flags = RR_RECEIVE | (handled == HANDLED_ANSWER ? RR_REPLY : 0);
		uint64_t token = message.token;
		status_t status = ipc_reply_receive(port | flags, &message);

		if (status == ST_OK) {
			handled = dispatch(handlers, &message);
		} else if (handled == HANDLED_ANSWER) {
			reply_refused(port, token, status);
			handled = HANDLED_LATER;
		} else {
			server_panic("cannot receive: %s", status_text(status));
		}
	}
}
