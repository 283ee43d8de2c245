/*
 * The time server: the one client of the processor's deadline, for everybody who sleeps.
 *
 * It holds the callers' tokens by deadline, keeps the kernel's deadline at the first of them, and
 * answers those that are due whenever the notification comes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sleepers.h"
#include <call.h>
#include <faultline/protocol/console.h>
#include <faultline/slots.h>
#include <server/print.h>
#include <server/request.h>
#include <server/start.h>
#include <server/status.h>

#define NOTIFY_DEADLINE 1u

static uint64_t now(void)
{
	uint64_t out[3] = { 0 };
	status_t status = kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, out);

	if (status != ST_OK)
		server_panic("no clock: %s", status_text(status));
	return out[0];
}

static void set_deadline(void)
{
	status_t status = kernel_call(CALL_TIMER, TIMER_SET, sleepers_first(), 0, 0, 0, 0, NULL);

	if (status != ST_OK)
		server_panic("cannot set the deadline: %s", status_text(status));
}

/* Answers who is due.  A sleeper that died meanwhile needs no answer. */
static void wake(void)
{
	struct reply reply = { .status = ST_OK };
	uint64_t time = now();

	while (sleepers_take(time, &reply.token))
		(void)reply_send(SLOT_SELF, &reply);
	set_deadline();
}

/* The list is full, perhaps of sleepers that died: the one with the last deadline has to ask
   again. */
static void make_room(void)
{
	struct reply reply = { .status = ST_AGAIN };

	if (sleepers_take_last(&reply.token))
		(void)reply_send(SLOT_SELF, &reply);
}

static enum handled handle_sleep(struct message *message)
{
	uint64_t time = now(), duration = message->w[0];
	uint64_t deadline = duration < UINT64_MAX - time ? time + duration : UINT64_MAX;
	status_t status = sleepers_add(deadline, message->token);

	if (status == ST_LIMIT) {
		make_room();
		status = sleepers_add(deadline, message->token);
	}
	if (status != ST_OK) {
		reply_prepare(message, status, 0);
		return HANDLED_ANSWER;
	}
	wake();
	return HANDLED_LATER;
}

static enum handled handle_request(struct message *message)
{
	status_t status = ST_OK;

	switch (TAG_LABEL(message->tag)) {
	case TIME_SLEEP:
		return handle_sleep(message);
	case TIME_NOW:
		message->w[0] = now();
		break;
	default:
		status = ST_BAD_CALL;
		break;
	}
	reply_prepare(message, status, 0);
	return HANDLED_ANSWER;
}

static void handle_notification(uint64_t bits)
{
	(void)bits; /* there is only the deadline */
	wake();
}

int main(uint64_t argument)
{
	static const struct server_handlers handlers = { .request = handle_request,
		.notification = handle_notification,
		.cancel = sleepers_remove };
	status_t status =
		kernel_call(CALL_TIMER, TIMER_BIND, SLOT_SELF, NOTIFY_DEADLINE, 0, 0, 0, NULL);

	(void)argument; /* the same work in every system */
	server_set_name("time");
	if (status != ST_OK)
		server_panic("cannot bind the timer: %s", status_text(status));
	server_loop(SLOT_SELF, &handlers);
}
