/*
 * Messages: the short paths.
 *
 *   CALL             words only, to a receiver that waits            -> the receiver runs
 *   page fault       its pager waits, only the leaf refuses          -> the pager runs
 *   REPLY_RECEIVE    words only, or the usual cure of a fault, or other rights of pages; nothing else is
 *                    there to receive.  Or a fault is refused whose thread has a handler of its own
 *                                                                    -> who was answered runs
 *
 * Everything is asked first; whenever an answer is not the usual one nothing has changed and the
 * generic path (ipc.c, fault.c) does all of it.  So what is written here is the meaning of these
 * for the one case, and no rule of its own.  No queue of the scheduler is touched: one thread waits,
 * the other goes on.
 *
 * No record is made of such a message: with the boot word "records" all take the generic path,
 * which makes one of each.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "exception.h"
#include "fault.h"
#include "handle.h"
#include "ipc.h"
#include "list.h"
#include "object.h"
#include "percpu.h"
#include "plain.h"
#include "sched.h"
#include "switch.h"
#include "table.h"

#define ONLY_LABEL(tag) ((tag) >> TAG_BYTES_SHIFT == 0)

uint64_t ipc_generic_only;

/* Who waits at the port, if that thread may run at once with the priority it is lent. */
static inline struct thread *receiver_for(
	const struct port *port, const struct thread *sender, uint8_t *effective)
{
	struct thread *receiver;

	if (unlikely(list_is_empty(&port->receivers)))
		return NULL;
	receiver = list_thread(port->receivers.next);
	*effective = sender->effective > receiver->priority ? sender->effective : receiver->priority;
	if (unlikely(!sched_may_run(*effective, sender->slice) || !sched_rip_is_plain(receiver)))
		return NULL;
	return receiver;
}

/* The sender waits at the port, served; the receiver, taken from the port, is who runs. */
static inline struct thread *hand_over(struct thread *sender, wait_kind_t kind,
	struct thread *receiver, struct port *port, uint64_t badge)
{
	struct registers *to = &receiver->registers;

	counters.kernel_entries++;
	sender->token += TOKEN_NEXT;
	sender->state = THREAD_SERVED;
	sender->wait = (uint8_t)kind;
	sender->port = port;
	sender->badge = badge;
	list_remove(&receiver->link);
	list_append(&port->served, &sender->link);
	receiver->state = THREAD_READY;
	receiver->port = NULL;
	receiver->slice = sender->slice;
	to->rdi = badge; /* rax is OK since it waits */
	to->rbx = sender->token;
	switch_directly(this_cpu(), sender, receiver);
	return receiver;
}

/* See ipc.h. */
struct thread *ipc_fast_call(struct thread *thread)
{
	const struct registers *from = &thread->registers;
	const struct handle *handle = handle_get_quickly(thread->space, (uint16_t)from->rdi);
	struct thread *receiver;
	struct port *port;
	uint8_t effective;

	if (unlikely(!handle || !(handle->rights & RIGHT_SEND) || !ONLY_LABEL(from->rsi)))
		return NULL;
	port = port_of(handle->pfn);
	receiver = receiver_for(port, thread, &effective);
	if (unlikely(!receiver))
		return NULL;
	counters.calls++;
	receiver->effective = effective;
	thread->reply_slot = (uint8_t)(from->rdi >> RR_SLOT_SHIFT);
	receiver->registers.rsi = from->rsi;
	ipc_copy_words(&receiver->registers, from);
	return hand_over(thread, WAIT_CALL, receiver, port, handle->badge);
}

/* One step of the walk: the entry for the address in the table that a link names. */
static inline uint64_t walk_entry(uint64_t link, uint64_t address, uint32_t level)
{
	const uint64_t mask = ((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT;
	uint32_t shift = PAGE_SHIFT + 9 * (level - 1) - 3;
	const uint8_t *table = memory_at(link & mask);

	return *(const uint64_t *)(const void *)(table + ((address >> shift) & 0xff8));
}

/*
 * By the error code of a fault of user mode: the bits that a link must have, and those that tell.
 * None can have what others need.
 */
#define NEED(rights, never)                                                                         \
	{                                                                                           \
		PTE_P | PTE_U | (rights), PTE_P | PTE_U | (rights) | PTE_PS | ENTRY_BEYOND | (never) \
	}
#define NEED_READ  NEED(0, 0)
#define NEED_WRITE NEED(PTE_W, 0)
#define NEED_FETCH NEED(0, PTE_NX)
#define NEVER	   { 1, 0 }
const struct need ipc_needs[FAULT_BITS + 1] = {
	[0 ... FAULT_USER - 1] = NEVER,
	[FAULT_USER] = NEED_READ,
	[FAULT_USER | FAULT_PRESENT] = NEED_READ,
	[FAULT_USER | FAULT_WRITE] = NEED_WRITE,
	[FAULT_USER | FAULT_WRITE | FAULT_PRESENT] = NEED_WRITE,
	[FAULT_RESERVED ... FAULT_USER + FAULT_FETCH - 1] = NEVER,
	[FAULT_USER | FAULT_FETCH] = NEED_FETCH,
	[FAULT_USER | FAULT_FETCH | FAULT_PRESENT] = NEED_FETCH,
	[FAULT_USER | FAULT_FETCH | FAULT_WRITE ... FAULT_BITS] = NEVER,
};

_Static_assert(LAYOUT_LEVELS == 4, "as ipc_fast_fault() has it");

/* See ipc.h. */
struct thread *ipc_fast_fault(struct thread *thread, uint64_t address)
{
	uint64_t error = thread->registers.error & FAULT_BITS;
	const uint64_t needed = ipc_needs[error].needed, telling = ipc_needs[error].telling;
	struct port *port = port_find_quickly(&thread->fault_port);
	uint64_t top, upper, middle, leaf;
	struct thread *receiver;
	struct registers *to;
	uint8_t effective;

	if (unlikely(!port || address >= LAYOUT_USER_END))
		return NULL;
	receiver = receiver_for(port, thread, &effective);
	if (unlikely(!receiver))
		return NULL;
	top = walk_entry((uint64_t)thread->space->top << PAGE_SHIFT, address, 4);
	if (unlikely((top & telling) != needed))
		return NULL;
	upper = walk_entry(top, address, 3);
	if (unlikely((upper & telling) != needed))
		return NULL;
	middle = walk_entry(upper, address, 2);
	if (unlikely((middle & telling) != needed))
		return NULL;
	leaf = walk_entry(middle, address, 1);
	if (unlikely((leaf & telling) == needed))
		return NULL; /* cured meanwhile */
	counters.faults_delivered++;
	receiver->effective = effective;
	thread->fault_address = address;
	to = &receiver->registers;
	to->rsi = LABEL_FAULT | TAG_KERNEL;
	to->rdx = address;
	to->r10 = error | 1u << FAULT_LEVEL_SHIFT | LAYOUT_LEVELS << FAULT_LEVELS_SHIFT;
	to->r8 = thread->registers.rip;
	to->r9 = top;
	to->r12 = upper;
	to->r13 = middle;
	to->r14 = leaf;
	to->r15 = 0;
	return hand_over(thread, WAIT_FAULT, receiver, port, thread->fault_port.badge);
}

/* The served thread that a token names, if it waits at this port: mostly the one served last. */
static inline struct thread *target_of(const struct port *port, uint64_t token)
{
	struct thread *last = list_thread(port->served.prev);

	if (likely(!list_is_empty(&port->served) && last->token == token))
		return last;
	return ipc_token_find(port, token);
}

static inline bool is_nothing_to_receive(const struct port *port)
{
	return (port->notification | port->queued_priorities) == 0 &&
	       list_is_empty(&port->cancels);
}

/* The first two operations of a reply lie where they were saved: only the kernel writes there. */
static inline const struct op *operations_of(const struct thread *server)
{
	_Static_assert(offsetof(struct registers, rdx) == 0 &&
			       offsetof(struct registers, r13) == 5 * sizeof(uint64_t),
		"the words of a message are two operations");
	return (const struct op *)(const void *)&server->registers;
}

#define OP_FORM (0xffu | OP_HEAD_RARE)

/* The operation in front of the one that maps the page. */
static inline bool page_is_written(uint16_t pool, const struct op *op)
{
	switch (op->head & OP_FORM) {
	case OP_ZERO:
		return plain_zero(pool, op);
	case OP_COPY_FRAME:
		return plain_copy(pool, op);
	default:
		return false;
	}
}

/*
 * The usual cure of a fault: an entry set, perhaps behind a page cleared or copied; or a window.  False:
 * it is not that, or not plain.  The page may have been written by then, and will be once more.
 */
static inline bool cure(const struct thread *server)
{
	const struct op *op = operations_of(server);
	uint64_t tag = server->registers.rsi;
	uint64_t last = tag >> TAG_OPS_SHIFT; /* operations, 1 or 2 */
	uint16_t pool = server->space->pool;

	_Static_assert(FAULT_RESUME == 0, "the tag of a cure is its count of operations");
	if (tag == 0)
		return true;
	if (unlikely(pool == 0 || tag << (64 - TAG_OPS_SHIFT) != 0 || last > 2))
		return false;
	if (last == 1 && unlikely((op->head & 0xff) != OP_SET)) {
		if (!ipc_fast_window(pool, op))
			return false;
		counters.operations++;
		return true;
	}
	if (last == 2 && !page_is_written(pool, op++))
		return false;
	if (unlikely((op->head & OP_FORM) != OP_SET || !plain_set(pool, op)))
		return false;
	counters.operations += last;
	return true;
}

/* A reply to a call that is one operation, and so brings no words. */
static inline bool change(const struct thread *server, struct thread *target)
{
	static const struct registers no_words;
	uint64_t tag = server->registers.rsi;

	if (tag >> TAG_BYTES_SHIFT != 1ull << (TAG_OPS_SHIFT - TAG_BYTES_SHIFT) ||
		!ipc_fast_change(server->space->pool, operations_of(server), target->space))
		return false;
	ipc_copy_words(&target->registers, &no_words);
	target->registers.rsi = TAG_LABEL(tag);
	target->registers.rax = ST_OK;
	return true;
}

/* What the reply brings.  False: the generic path must see to it. */
static inline bool answer(struct thread *server, struct thread *target)
{
	const struct registers *from = &server->registers;

	if (unlikely(!sched_rip_is_plain(target)))
		return false;
	if (target->wait == WAIT_FAULT)
		return from->rsi == FAULT_REFUSE ? exception_refuse_quickly(target, from->rdx, from->r10)
						 : cure(server);
	if (unlikely(target->wait != WAIT_CALL))
		return false;
	if (unlikely(!ONLY_LABEL(from->rsi)))
		return change(server, target);
	ipc_copy_words(&target->registers, from);
	target->registers.rsi = from->rsi;
	target->registers.rax = ST_OK;
	return true;
}

/* See ipc.h. */
struct thread *ipc_fast_reply_receive(struct thread *server)
{
	uint64_t request = server->registers.rdi;
	const struct handle *handle = handle_get_quickly(server->space, (uint16_t)request);
	struct thread *target;
	struct port *port;

	if (unlikely(request >> 32 != (RR_REPLY | RR_RECEIVE) >> 32 || !handle ||
		     !(handle->rights & RIGHT_RECEIVE)))
		return NULL;
	port = port_of(handle->pfn);
	target = target_of(port, server->registers.rbx);
	if (unlikely(!target || !sched_may_run(target->effective, target->slice) ||
		     !is_nothing_to_receive(port) || !answer(server, target)))
		return NULL;
	counters.kernel_entries++;
	counters.replies++;
	list_remove(&target->link);
	target->state = THREAD_READY;
	target->port = NULL;
	server->receive_slot = (uint8_t)(request >> RR_SLOT_SHIFT);
	server->receive_port = port;
	server->receive_request = request;
	server->receive_looked_at = handle_epoch;
	server->effective = server->priority;
	server->registers.rax = ST_OK;
	server->state = THREAD_RECEIVING;
	server->port = port;
	list_append(&port->receivers, &server->link);
	switch_directly(this_cpu(), server, target);
	return target;
}
