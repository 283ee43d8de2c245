/*
 * The console: the serial port as a terminal, a line at a time.
 *
 *   interrupt -> bytes -> line editing (line.c) -> lines -> readers, first come, first served
 *   CONSOLE_WRITE -> the port, answered when the port has taken everything
 *
 * A reader that died while it waited leaves its line to the next.  When the line queue is full,
 * bytes stay in the port until a reader has come.  Ctrl-C is told to the process server.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "line.h"
#include "readers.h"
#include "uart.h"
#include <call.h>
#include <faultline/protocol/console.h>
#include <faultline/protocol/proc.h>
#include <faultline/slots.h>
#include <server/print.h>
#include <server/request.h>
#include <server/start.h>
#include <server/status.h>
#include <server/string.h>

#define NOTIFY_UART 1u

static struct line_editor editor;
static char text[PAGE_SIZE]; /* what is being written or read */

/* Lines go to readers as long as there are both. */
static void serve_readers(void)
{
	struct reader reader;

	while (line_is_ready(&editor) && readers_take(&reader)) {
		struct line_portion portion = line_look(&editor, MESSAGE_PAGE, reader.most);
		struct reply reply = { .token = reader.token,
			.status = ST_OK,
			.bytes = portion.bytes,
			.word0 = portion.bytes };

		if (reply_send(SLOT_SELF, &reply) == ST_OK)
			line_drop(&editor, portion);
	}
}

/* The process server ends the program in the foreground first; a reader that outlives that is a
   shell, which gets an empty line and asks anew. */
static void handle_interrupt(void)
{
	(void)kernel_notify(SLOT_PROC,
		PROC_NOTIFY_INTERRUPT); /* without a process server there is nobody to end */
	if (readers_are_waiting())
		(void)line_type(&editor, '\n');
}

static void handle_byte(uint8_t byte)
{
	enum line_event event = line_type(&editor, byte);

	uart_write(editor.shown, editor.shown_bytes);
	if (event == LINE_INTERRUPT)
		handle_interrupt();
	if (event != LINE_NOTHING)
		serve_readers();
}

/* Everything the port holds, while there is room for it. */
static void take_input(void)
{
	uint8_t byte;

	while (line_has_room(&editor) && uart_read(&byte))
		handle_byte(byte);
}

static void handle_notification(uint64_t bits)
{
	status_t status;

	(void)bits; /* there is only the port */
	take_input();
	status = kernel_call(CALL_IRQ, IRQ_ACK, UART_IRQ, 0, 0, 0, 0, NULL);
	if (status != ST_OK)
		server_panic("cannot acknowledge the interrupt: %s", status_text(status));
	/* A byte between the last look and the acknowledgement raises no new edge. */
	take_input();
}

static enum handled answer(struct message *message, status_t status)
{
	reply_prepare(message, status, 0);
	return HANDLED_ANSWER;
}

static enum handled handle_write(struct message *message)
{
	uint32_t bytes = TAG_BYTES(message->tag);

	memcpy(text, MESSAGE_PAGE, bytes);
	uart_write(text, bytes);
	message->w[0] = bytes;
	return answer(message, ST_OK);
}

/* The queue is full, perhaps of readers that died: the first has to ask again. */
static void make_room(void)
{
	struct reply reply = { .status = ST_AGAIN };
	struct reader reader;

	if (!readers_take(&reader))
		return;
	reply.token = reader.token;
	(void)reply_send(SLOT_SELF, &reply);
}

static enum handled handle_read(struct message *message)
{
	struct reader reader = {
		.token = message->token,
		.most = message->w[0] < PAGE_SIZE ? (uint32_t)message->w[0] : (uint32_t)PAGE_SIZE,
	};
	status_t status;

	if (reader.most == 0)
		return answer(message, ST_OK);
	status = readers_add(reader);
	if (status == ST_LIMIT) {
		make_room();
		status = readers_add(reader);
	}
	if (status != ST_OK)
		return answer(message, status);
	serve_readers();
	take_input();
	return HANDLED_LATER;
}

static enum handled handle_request(struct message *message)
{
	switch (TAG_LABEL(message->tag)) {
	case CONSOLE_WRITE:
		return handle_write(message);
	case CONSOLE_READ:
		return handle_read(message);
	default:
		return answer(message, ST_BAD_CALL);
	}
}

int main(uint64_t argument)
{
	static const struct server_handlers handlers = { .request = handle_request,
		.notification = handle_notification,
		.cancel = readers_remove };
	status_t status;

	server_set_name("console");
	editor.echo = (argument & SERVER_INTERACTIVE) != 0;
	status = kernel_call(CALL_IRQ, IRQ_BIND, UART_IRQ, SLOT_SELF, NOTIFY_UART, 0, 0, NULL);
	if (status != ST_OK)
		server_panic("cannot bind the interrupt: %s", status_text(status));
	uart_open();
	take_input();
	server_loop(SLOT_SELF, &handlers);
}
