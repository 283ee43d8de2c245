/*
 * The supervisor: reports faults and exceptions of servers, decides, ends the machine.
 *
 * It uses its own message page (the second of the message slot) and calls nobody.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "supervisor.h"

#include "frames.h"
#include "operations.h"
#include "servers.h"
#include "slots.h"
#include <call.h>
#include <faultline/fault.h>
#include <faultline/protocol/init.h>
#include <server/print.h>
#include <server/report.h>
#include <server/string.h>

#define SUPERVISOR_PAGE ((void *)(LAYOUT_MESSAGE + PAGE_SIZE))
#define STACK_BYTES	16384u
#define TEXT_BYTES	160u

static _Alignas(16) uint8_t stack[STACK_BYTES];

static _Noreturn void shut_down(uint32_t status)
{
	(void)kernel_call(CALL_SHUTDOWN, status, 0, 0, 0, 0, 0, NULL);
	__builtin_trap();
}

static const char *watched_name(uint64_t badge)
{
	if (badge == WATCH_WORKER)
		return "init";
	if (badge == WATCH_PAGER)
		return "pager";
	return server_name_of((uint32_t)(badge - WATCH_SERVERS));
}

static bool watched_is_essential(uint64_t badge)
{
	return badge < WATCH_SERVERS || server_is_essential((uint32_t)(badge - WATCH_SERVERS));
}

static void report_fault(const struct message *message)
{
	server_log_by(SUPERVISOR_PAGE,
		"server %s: fault: %s of address 0x%lx at 0x%lx (a wired program may not fault)",
		watched_name(message->badge), access_text(message->w[1]), message->w[0],
		message->w[2]);
	server_log_by(SUPERVISOR_PAGE, "  refused at level %u; entries %lx %lx %lx %lx %lx",
		FAULT_LEVEL(message->w[1]), message->w[3], message->w[4], message->w[5],
		message->w[6], message->w[7]);
}

static void report_exception(const struct message *message)
{
	struct registers registers;
	char text[TEXT_BYTES];

	memset(&registers, 0, sizeof(registers));
	if (TAG_BYTES(message->tag) == sizeof(registers))
		memcpy(&registers, SUPERVISOR_PAGE, sizeof(registers));
	attempt_text(text, sizeof(text), message->w[0], message->w[1], message->w[3]);
	server_log_by(SUPERVISOR_PAGE, "server %s failed at 0x%lx: %s%s%s",
		watched_name(message->badge), message->w[2], text, message->w[4] != 0 ? ": " : "",
		message->w[4] != 0 ? reason_text(message->w[4]) : "");
	for (unsigned line = 0; registers_line(text, sizeof(text), &registers, line); line++)
		server_log_by(SUPERVISOR_PAGE, "  %s", text);
}

/* The failed thread stays where it is until its space is destroyed. */
static void handle_failure(const struct message *message)
{
	if (TAG_LABEL(message->tag) == LABEL_FAULT)
		report_fault(message);
	else
		report_exception(message);
	if (watched_is_essential(message->badge)) {
		server_log_by(SUPERVISOR_PAGE, "%s is essential: the machine ends",
			watched_name(message->badge));
		shut_down(INIT_EXIT_FAILED);
	}
	server_note_failure((uint32_t)(message->badge - WATCH_SERVERS), SUPERVISOR_PAGE);
	(void)kernel_notify(INIT_SLOT_WORKER, 1); /* the port is init's own */
}

static void handle_notification(uint64_t bits)
{
	if (bits & INIT_NOTIFY_PARKED)
		server_log_by(SUPERVISOR_PAGE, "a thread is parked: its exception has no taker");
	if (bits & INIT_NOTIFY_SHUTDOWN)
		shut_down((uint32_t)(bits >> INIT_STATUS_SHIFT) & 0xffu);
}

static _Noreturn void supervise(void)
{
	struct message message = { 0 };
	uint64_t flags = RR_RECEIVE;

	for (;;) {
		status_t status = ipc_reply_receive(INIT_SLOT_PORT | flags, &message);

		flags = RR_RECEIVE;
		if (status != ST_OK)
			continue; /* a caller that did not wait for its answer */
		if (message.tag & TAG_NOTIFICATION) {
			handle_notification(message.w[0]);
		} else if (message.tag & TAG_KERNEL) {
			handle_failure(&message);
		} else {
			message.tag = tag_make(
				message.tag & TAG_CANCEL ? ST_INTERRUPTED : ST_BAD_CALL, 0);
			flags = RR_RECEIVE | RR_REPLY;
		}
	}
}

static void thread_set(pfn_t thread, uint32_t field, uint64_t a, uint64_t b)
{
	init_must(operation_run(operation(OP_THREAD_SET, thread, field, a, b)), "thread setting");
}

static void create_thread(void)
{
	struct name_words name = name_words("supervisor");
	pfn_t thread, message;

	init_must(frames_make(init_boot->root_pool, FRAME_FREE, &thread), "supervisor");
	init_must(operation_run(operation(
			  OP_THREAD_CREATE, thread, 0, init_boot->root_space, PRIORITY_SUPERVISOR)),
		"supervisor");
	init_must(frames_make(init_boot->root_pool, FRAME_MSG, &message), "supervisor's page");
	init_must(frames_map_own(SUPERVISOR_PAGE, message, PTE_P | PTE_W | PTE_U | PTE_NX),
		"supervisor's page");
	thread_set(thread, THREAD_FIELD_MESSAGE, message, 0);
	thread_set(thread, THREAD_FIELD_NAME, name.words[0], name.words[1]);
	/* As after a call instruction: the stack is 8 off its alignment. */
	thread_set(thread, THREAD_FIELD_START, (uint64_t)supervise,
		(uint64_t)(stack + STACK_BYTES - 8));
	init_must(operation_run(operation(OP_THREAD_START, thread, 0, 0, 0)), "supervisor");
}

/* See the header. */
void supervisor_start(void)
{
	uint32_t port;

	init_must(init_create_port(INIT_SLOT_PORT, &port), "init's port");
	init_must(init_create_port(INIT_SLOT_WORKER, &port), "worker's port");
	create_thread();
	thread_set(init_boot->root_thread, THREAD_FIELD_FAULT_PORT, INIT_SLOT_PORT, WATCH_WORKER);
	thread_set(
		init_boot->root_thread, THREAD_FIELD_EXCEPTION_PORT, INIT_SLOT_PORT, WATCH_WORKER);
	thread_set(init_boot->root_thread, THREAD_FIELD_PRIORITY, PRIORITY_WORKER, 0);
}
