/*
 * Messages: the generic path.
 *
 * Everything is checked before anything changes: the receiver's side can refuse a message only
 * for lack of a message page, which the sender then learns.  Words go from the sender's saved
 * registers to the receiver's; payload is copied between the message pages through the direct
 * map, so no user address is ever used.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "ipc.h"
#include "batch_call.h"
#include "call_table.h"
#include "exception.h"
#include "fault.h"
#include "handle.h"
#include "list.h"
#include "object.h"
#include "percpu.h"
#include "record.h"
#include "sched.h"

static pfn_t thread_pfn(const struct thread *thread)
{
	return frame_number(thread);
}

/* Can what the tag announces be sent by `from` and taken by `to`? */
static status_t message_check(const struct thread *from, const struct thread *to, uint64_t tag)
{
	if (TAG_BYTES(tag) > PAGE_SIZE)
		return ST_BAD_ARGUMENT;
	if (TAG_BYTES(tag) && (!from->message || (to && !to->message)))
		return ST_NO_PAGE;
	if (TAG_HANDLE(tag))
		return handle_check(from->space, TAG_HANDLE(tag), RIGHT_GIVE);
	return ST_OK;
}

/* Exactly `bytes` of one message page to another: what lies behind stays the receiver's own. */
static void payload_copy(pfn_t to, pfn_t from, uint32_t bytes)
{
	uint64_t *target = frame_memory(to);
	const uint64_t *source = frame_memory(from);
	uint32_t words = bytes / 8;
	uint64_t mask = (1ull << (bytes % 8 * 8)) - 1;

	memory_copy_words(target, source, words);
	if (mask)
		target[words] = (source[words] & mask) | (target[words] & ~mask);
}

/* Words, payload and handle go over; the sender was checked when it called, but the receiver's
   page may be missing, the handle gone and the sender's tag another by now (OP_THREAD_SET): then
   they do not go along. */
static void message_move(
	struct thread *to, uint16_t slot, const struct thread *from, uint64_t tag)
{
	uint32_t bytes = TAG_BYTES(tag);
	uint64_t arrived = TAG_LABEL(tag);

	ipc_copy_words(&to->registers, &from->registers);
	if (bytes && bytes <= PAGE_SIZE && from->message && to->message) {
		payload_copy(to->message, from->message, bytes);
		arrived = tag_make(TAG_LABEL(tag), bytes);
	}
	if (TAG_HANDLE(tag) && slot &&
	    handle_transfer(from->space, TAG_HANDLE(tag), to->space, slot) == ST_OK)
		arrived |= TAG_GOT_HANDLE;
	to->registers.rsi = arrived;
}

/* Let `receiver` have what `thread` sent; the thread is then served. */
static void deliver(struct thread *receiver, struct thread *thread, struct port *port)
{
	struct registers *to = &receiver->registers;

	if (thread->wait == WAIT_CALL)
		message_move(receiver, receiver->receive_slot, thread, thread->registers.rsi);
	else if (thread->wait == WAIT_FAULT)
		fault_fill_message(thread, to);
	else
		exception_fill_message(thread, receiver);
	to->rax = ST_OK;
	to->rdi = thread->badge;
	to->rbx = thread->token;
	thread->state = THREAD_SERVED;
	list_append(&port->served, &thread->link);
	receiver->effective =
		thread->effective > receiver->priority ? thread->effective : receiver->priority;
	receiver->slice = thread->slice;
	record_add(thread->wait == WAIT_CALL ? RECORD_CALL :
		   thread->wait == WAIT_FAULT ? RECORD_FAULT : RECORD_EXCEPTION,
		   (uint32_t)to->rsi, thread_pfn(thread), frame_number(port), to->rdx, to->r10);
}

static void deliver_notification(struct thread *receiver, struct port *port)
{
	struct registers *to = &receiver->registers;

	to->rax = ST_OK;
	to->rsi = TAG_NOTIFICATION;
	to->rdi = 0;
	to->rbx = 0;
	to->rdx = port->notification;
	port->notification = 0;
	receiver->effective = receiver->priority;
}

static void deliver_cancel(struct thread *receiver, struct port *port)
{
	struct thread *thread = list_thread(port->cancels.next);
	struct registers *to = &receiver->registers;

	list_remove(&thread->link);
	list_append(&port->served, &thread->link);
	to->rax = ST_OK;
	to->rsi = TAG_CANCEL;
	to->rdi = thread->badge;
	to->rbx = thread->token;
	receiver->effective = receiver->priority;
}

static void queue_insert(struct port *port, struct thread *thread)
{
	thread->state = THREAD_QUEUED;
	list_append(&port->queue[thread->effective], &thread->link);
	port->queued_priorities |= 1ull << thread->effective;
}

static void queue_remove(struct port *port, struct thread *thread)
{
	list_remove(&thread->link);
	if (list_is_empty(&port->queue[thread->effective]))
		port->queued_priorities &= ~(1ull << thread->effective);
}

static struct thread *queue_first(struct port *port)
{
	uint32_t priority;

	if (!port->queued_priorities)
		return NULL;
	priority = 63u - (uint32_t)__builtin_clzll(port->queued_priorities);
	return list_thread(port->queue[priority].next);
}

struct thread *ipc_send(struct thread *thread, struct port *port, uint64_t badge, wait_kind_t kind)
{
	struct thread *receiver;

	thread->wait = (uint8_t)kind;
	thread->port = port;
	thread->badge = badge;
	thread->token += TOKEN_NEXT;
	if (list_is_empty(&port->receivers)) {
		queue_insert(port, thread);
		return NULL;
	}
	if (kind == WAIT_FAULT && fault_is_cured(thread)) {
		thread->state = THREAD_READY;
		thread->port = NULL;
		return thread;
	}
	receiver = list_thread(port->receivers.next);
	list_remove(&receiver->link);
	receiver->port = NULL;
	receiver->state = THREAD_READY;
	deliver(receiver, thread, port);
	return receiver;
}

/* CALL: rdi = handle | receive slot << 16, rsi = tag, words. */
struct thread *call_ipc_call(struct thread *thread)
{
	struct registers *registers = &thread->registers;
	struct handle *handle =
		handle_get_quickly(thread->space, (uint32_t)(registers->rdi & 0xffff));
	struct port *port;
	struct thread *receiver = NULL;
	status_t status;

	if (!handle)
		return call_finish(thread, ST_BAD_HANDLE);
	if (!(handle->rights & RIGHT_SEND))
		return call_finish(thread, ST_NO_RIGHT);
	port = port_of(handle->pfn);
	if (!list_is_empty(&port->receivers))
		receiver = list_thread(port->receivers.next);
	status = message_check(thread, receiver, registers->rsi);
	if (status != ST_OK)
		return call_finish(thread, status);
	counters.calls++;
	thread->reply_slot = (uint16_t)((registers->rdi >> RR_SLOT_SHIFT) & 0xff);
	return ipc_send(thread, port, handle->badge, WAIT_CALL);
}

static void reply_finish(struct thread *target)
{
	list_remove(&target->link);
	target->port = NULL;
	target->state = THREAD_READY;
	counters.replies++;
}

/* The reply to a call: words, payload, handle. */
static status_t reply_to_call(struct thread *server, struct thread *target)
{
	uint64_t tag = server->registers.rsi;
	status_t status = message_check(server, target, tag);

	if (status != ST_OK)
		return status;
	message_move(target, target->reply_slot, server, tag);
	if (TAG_OPS(tag) && !(tag & TAG_OPS_IN_PAGE))
		target->registers.rdx = target->registers.r10 = target->registers.r8 =
			target->registers.r9 = target->registers.r12 = target->registers.r13 = 0;
	target->registers.rax = ST_OK;
	reply_finish(target);
	return ST_OK;
}

static status_t reply_to_fault(struct thread *server, struct thread *target)
{
	const struct registers *from = &server->registers;

	if (TAG_LABEL(from->rsi) == FAULT_RESUME) {
		reply_finish(target);
		return ST_OK;
	}
	if (TAG_LABEL(from->rsi) != FAULT_REFUSE)
		return ST_BAD_ARGUMENT;
	reply_finish(target);
	target->reason0 = from->rdx;
	target->reason1 = from->r10;
	exception_raise_page_fault(target);
	return ST_OK;
}

static status_t reply_to_exception(struct thread *server, struct thread *target)
{
	switch (TAG_LABEL(server->registers.rsi)) {
	case FAULT_RESUME:
		break;
	case FAULT_SET_REGISTERS:
		if (!server->message)
			return ST_NO_PAGE;
		if (!exception_set_registers(target, frame_memory(server->message)))
			return ST_BAD_ARGUMENT;
		break;
	case FAULT_PARK:
		reply_finish(target);
		target->state = THREAD_PARKED;
		return ST_OK;
	default:
		return ST_BAD_ARGUMENT;
	}
	reply_finish(target);
	return ST_OK;
}

/* Run the operations of a reply. */
static status_t reply_batch(struct thread *server, const struct thread *target,
			    struct batch_progress *progress)
{
	struct batch_request request = {
		.count = TAG_OPS(server->registers.rsi),
		.in_registers = !(server->registers.rsi & TAG_OPS_IN_PAGE),
		.scope = target->space,
	};

	return batch_call(server, &request, progress);
}

/* How far the batch of a reply came, for the server that does not receive in this call. */
static status_t reply_progress(struct thread *server, const struct batch_progress *progress,
			       status_t status)
{
	server->registers.rdx = progress->index;
	server->registers.r10 = progress->done;
	server->registers.r8 = progress->results;
	return status;
}

static status_t reply_to(struct thread *server, struct thread *target)
{
	if (target->wait == WAIT_CALL)
		return reply_to_call(server, target);
	if (target->wait == WAIT_FAULT)
		return reply_to_fault(server, target);
	return reply_to_exception(server, target);
}

/* Reply, batch first.  *woken = the thread that may run on, or NULL (refused into a wait). */
static status_t reply(struct thread *server, struct port *port, struct thread **woken)
{
	struct thread *target = ipc_token_find(port, server->registers.rbx);
	struct batch_progress progress = { 0 };
	status_t status;

	if (!target)
		return ST_BAD_TOKEN;
	if (TAG_OPS(server->registers.rsi)) {
		status = reply_batch(server, target, &progress);
		if (status != ST_OK)
			return reply_progress(server, &progress, status);
		/* The batch may have destroyed or stopped the very thread it answers. */
		target = ipc_token_find(port, server->registers.rbx);
		if (!target)
			return progress.results ? reply_progress(server, &progress, ST_RESULTS) :
						  ST_OK;
	}
	record_add(RECORD_REPLY, TAG_LABEL(server->registers.rsi), frame_number(port),
		   thread_pfn(target), server->registers.rdx, server->registers.r10);
	status = reply_to(server, target);
	if (status != ST_OK)
		return status;
	if (target->state == THREAD_READY)
		*woken = target;
	return progress.results ? reply_progress(server, &progress, ST_RESULTS) : ST_OK;
}

/* Give the receiver what the port holds; false when there is nothing. */
static bool receive_now(struct thread *receiver, struct port *port)
{
	struct thread *thread;

	if (port->notification) {
		deliver_notification(receiver, port);
		return true;
	}
	if (!list_is_empty(&port->cancels)) {
		deliver_cancel(receiver, port);
		return true;
	}
	while ((thread = queue_first(port)) != NULL) {
		queue_remove(port, thread);
		if (thread->wait == WAIT_FAULT && fault_is_cured(thread)) {
			thread->port = NULL;
			sched_ready(thread);
			continue;
		}
		deliver(receiver, thread, port);
		return true;
	}
	return false;
}

/* The port of REPLY_RECEIVE's handle, or NULL with the status in rax.  Remembered for fast.asm. */
static struct port *receive_port(struct thread *thread)
{
	const struct handle *handle =
		handle_get_quickly(thread->space, (uint32_t)(thread->registers.rdi & 0xffff));

	thread->registers.rax = ST_OK;
	if (!handle || !(handle->rights & RIGHT_RECEIVE)) {
		thread->registers.rax = handle ? ST_NO_RIGHT : ST_BAD_HANDLE;
		return NULL;
	}
	if (thread->registers.rdi >> 32 == (RR_REPLY | RR_RECEIVE) >> 32) {
		thread->receive_port = port_of(handle->pfn);
		thread->receive_request = thread->registers.rdi;
		thread->receive_looked_at = handle_epoch;
	}
	return port_of(handle->pfn);
}

/* See ipc.h.  The port may have ended, unless no handle has changed since. */
bool ipc_nothing_waits(const struct thread *thread)
{
	const struct port *port = thread->receive_port;

	return port && thread->receive_looked_at == handle_epoch &&
	       (port->notification | port->queued_priorities) == 0 &&
	       list_is_empty(&port->cancels);
}

/* Take what is there, or wait for it.  True when the thread goes on. */
static bool receive(struct thread *thread, struct port *port)
{
	uint64_t request = thread->registers.rdi;

	thread->receive_slot = (uint16_t)((request >> RR_SLOT_SHIFT) & 0xff);
	if (receive_now(thread, port))
		return true;
	if (request & RR_NONBLOCK) {
		thread->registers.rax = ST_EMPTY;
		return true;
	}
	thread->state = THREAD_RECEIVING;
	thread->port = port;
	list_append(&port->receivers, &thread->link);
	return false;
}

/* REPLY_RECEIVE: see <faultline/call.h>. */
struct thread *call_reply_receive(struct thread *thread)
{
	struct registers *registers = &thread->registers;
	struct port *port = receive_port(thread);
	struct thread *woken = NULL;

	if (port && (registers->rdi & RR_REPLY)) {
		registers->rax = reply(thread, port, &woken);
		if (registers->rax == ST_OK) {
			thread->effective = thread->priority;
			port = receive_port(thread); /* the batch may have ended the port */
		}
	}
	if (port && registers->rax == ST_OK && (registers->rdi & RR_RECEIVE) &&
	    thread->state == THREAD_READY && !receive(thread, port))
		return woken;
	if (woken)
		sched_ready(woken);
	return NULL;
}

/* NOTIFY: rdi = handle, rsi = bits. */
struct thread *call_notify(struct thread *thread)
{
	struct handle *handle = handle_get(thread->space, (uint32_t)thread->registers.rdi);

	if (!handle || thread->registers.rdi >= HANDLE_SLOTS)
		return call_finish(thread, ST_BAD_HANDLE);
	if (!(handle->rights & RIGHT_SEND))
		return call_finish(thread, ST_NO_RIGHT);
	if (!thread->registers.rsi)
		return call_finish(thread, ST_BAD_ARGUMENT);
	ipc_notify(port_of(handle->pfn), thread->registers.rsi);
	thread->registers.rax = ST_OK;
	return NULL;
}

void ipc_notify(struct port *port, uint64_t bits)
{
	struct thread *receiver;

	counters.notifications++;
	record_add(RECORD_NOTIFY, 0, 0, frame_number(port), bits, 0);
	port->notification |= bits;
	if (list_is_empty(&port->receivers))
		return;
	receiver = list_thread(port->receivers.next);
	list_remove(&receiver->link);
	receiver->port = NULL;
	deliver_notification(receiver, port);
	sched_ready(receiver);
}

void ipc_detach(struct thread *thread)
{
	switch (thread->state) {
	case THREAD_READY:
		if (this_cpu()->current != thread)
			sched_remove(thread);
		else
			list_init(&thread->link);
		break;
	case THREAD_QUEUED:
		queue_remove(thread->port, thread);
		break;
	case THREAD_SERVED:
	case THREAD_RECEIVING:
		list_remove(&thread->link);
		break;
	default:
		break;
	}
	thread->state = THREAD_STOPPED;
	thread->port = NULL;
}

void ipc_requeue(struct thread *thread, uint8_t effective)
{
	queue_remove(thread->port, thread);
	thread->effective = effective;
	queue_insert(thread->port, thread);
}

/* A waiting call ends with a status, and its thread runs on. */
static void call_end(struct thread *thread, status_t status)
{
	ipc_detach(thread);
	thread->registers.rax = status;
	sched_ready(thread);
}

void ipc_interrupt(struct thread *thread)
{
	struct port *port = thread->port;

	if (thread->state == THREAD_RECEIVING) {
		call_end(thread, ST_INTERRUPTED);
		return;
	}
	if (thread->wait != WAIT_CALL)
		return;
	if (thread->state == THREAD_QUEUED) {
		call_end(thread, ST_INTERRUPTED);
	} else if (thread->state == THREAD_SERVED) {
		list_remove(&thread->link);
		list_append(&port->cancels, &thread->link);
		if (!list_is_empty(&port->receivers)) {
			struct thread *receiver = list_thread(port->receivers.next);

			list_remove(&receiver->link);
			receiver->port = NULL;
			deliver_cancel(receiver, port);
			sched_ready(receiver);
		}
	}
}

/* What becomes of a thread whose port is gone: a call fails, a fault or exception parks it. */
static void waiter_fail(struct thread *thread)
{
	if (thread->state == THREAD_RECEIVING || thread->wait == WAIT_CALL) {
		call_end(thread, ST_DEAD);
	} else {
		ipc_detach(thread);
		exception_park(thread);
	}
}

static struct thread *first_waiter(struct port *port)
{
	struct thread *thread = queue_first(port);

	if (thread)
		return thread;
	if (!list_is_empty(&port->cancels))
		return list_thread(port->cancels.next);
	if (!list_is_empty(&port->served))
		return list_thread(port->served.next);
	if (!list_is_empty(&port->receivers))
		return list_thread(port->receivers.next);
	return NULL;
}

bool ipc_fail_waiters(struct port *port, uint32_t budget)
{
	struct thread *thread;

	while ((thread = first_waiter(port)) != NULL) {
		if (budget-- == 0)
			return false;
		waiter_fail(thread);
	}
	return true;
}

/* Receivers wait only while there is nothing to receive. */
static void receivers_serve(struct port *port)
{
	while (!list_is_empty(&port->receivers)) {
		struct thread *receiver = list_thread(port->receivers.next);

		if (!receive_now(receiver, port))
			return;
		list_remove(&receiver->link);
		receiver->port = NULL;
		sched_ready(receiver);
	}
}

bool ipc_requeue_served(struct port *port, uint32_t budget)
{
	struct link *lists[2] = { &port->served, &port->cancels };

	for (uint32_t i = 0; i < 2; i++) {
		while (!list_is_empty(lists[i])) {
			struct thread *thread = list_thread(lists[i]->next);

			if (budget-- == 0)
				return false;
			if (thread->wait == WAIT_CALL) {
				call_end(thread, ST_DEAD);
				continue;
			}
			list_remove(&thread->link);
			queue_insert(port, thread);
		}
	}
	receivers_serve(port);
	return true;
}
