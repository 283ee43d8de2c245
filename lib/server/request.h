/*
 * Requests and replies of system servers.
 *
 * The loop of a server: receive, ask the handler, reply and receive in one call.  A handler that
 * answers later keeps the token and uses reply_send().
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_SERVER_REQUEST_H
#define LIB_SERVER_REQUEST_H

#include <call.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* Calls; the kernel's status when it refuses, else the label of the reply. */
status_t request_call(handle_t handle, struct message *message) MUST_CHECK;

/* Turns a received message into its reply: status and payload bytes; words are what the handler
   puts there. */
void reply_prepare(struct message *message, status_t status, uint32_t bytes);

struct reply {
	uint64_t token;
	status_t status;
	uint32_t bytes; /* of payload in the message page */
	uint64_t word0, word1;
};
/* Answers a call kept from before.  BAD_TOKEN: its caller is gone. */
status_t reply_send(handle_t port, const struct reply *reply);

enum handled { HANDLED_ANSWER, HANDLED_LATER };

struct server_handlers {
	/* A request: message becomes the reply with ANSWER. */
	enum handled (*request)(struct message *message);
	void (*notification)(uint64_t bits); /* may be NULL */
	/* The call with this token is to be given up.  True: it was waiting and is to be
	   answered INTERRUPTED now. */
	bool (*cancel)(uint64_t token);			    /* may be NULL */
	enum handled (*exception)(struct message *message); /* of the kernel, may be NULL */
};

/* Serves a port for ever. */
_Noreturn void server_loop(handle_t port, const struct server_handlers *handlers);

#endif
