/*
 * The reference model of messages, objects and scheduling (message_model.h): who waits, who runs,
 * what is delivered, faults, interrupts.  Calls are in message_model_calls.c, the operations of
 * batches in message_model_ops.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "message_model.h"
#include "message_model_parts.h"
#include <string.h>

#define FLAGS_BASE     0x202ull
#define USER_CODE      0x23u
#define USER_DATA      0x1bu
#define VECTOR_NONE    VECTOR_BREAKPOINT /* of a thread that left no call */
#define CASCADE	       2u
#define TOKEN_PFN_MASK ((1ull << FRAME_NUMBER_BITS) - 1)

struct model_view model_view;

/* ---- refusals ---- */

/* The kernel's answer must be one of those that apply. */
status_t model_refuse(struct model *model, pfn_t thread, refusals_t refusals)
{
	uint64_t status = model_view.registers(thread)->rax;

	if (status >= 64 || !(refusals & REFUSAL(status)))
		model_fail("the refusal is %lu; of the set %lx one should be",
			(unsigned long)status, (unsigned long)refusals);
	model->thread[thread].registers.rax = status;
	model->happened[MODEL_REFUSALS]++;
	return (status_t)status;
}

/* ---- names of things ---- */

bool model_ref_is_live(const struct model *model, const struct model_ref *ref)
{
	return ref->port && model->frame[ref->port].type == FRAME_PORT &&
	       model->frame[ref->port].serial == ref->serial;
}

struct model_handle *model_handle_at(struct model *model, pfn_t space, uint64_t slot)
{
	struct model_handle *handle;

	if (slot == 0 || slot >= HANDLE_SLOTS)
		return NULL;
	handle = &model->space[space].handle[slot];
	return model_ref_is_live(model, &handle->to) ? handle : NULL;
}

bool model_pool_within(const struct model *model, uint32_t pool, uint32_t holder)
{
	for (; pool && pool < MODEL_POOLS && model->pool[pool].live;
		pool = model->pool[pool].parent)
		if (pool == holder)
			return true;
	return false;
}

/* ---- who waits ---- */

int64_t model_stamp(struct model *model)
{
	return ++model->last_stamp;
}

static bool is_thread(const struct model *model, pfn_t pfn)
{
	return model->frame[pfn].type == FRAME_THREAD;
}

/* The first thread at a port in this state; of queued ones, the most important. */
static pfn_t first_at(const struct model *model, pfn_t port, enum model_state state, bool cancel)
{
	pfn_t best = 0;

	for (pfn_t pfn = 1; pfn < MODEL_FRAMES; pfn++) {
		const struct model_thread *thread = &model->thread[pfn];
		const struct model_thread *other = &model->thread[best];

		if (!is_thread(model, pfn) || thread->state != state || thread->port != port ||
			thread->cancel != cancel)
			continue;
		if (best && state == MODEL_QUEUED && thread->effective < other->effective)
			continue;
		if (!best || thread->stamp < other->stamp ||
			(state == MODEL_QUEUED && thread->effective > other->effective))
			best = pfn;
	}
	return best;
}

pfn_t model_first_receiver(const struct model *model, pfn_t port)
{
	return first_at(model, port, MODEL_RECEIVING, false);
}

/* In the order in which they learn of the port's end. */
pfn_t model_first_waiter(const struct model *model, pfn_t port)
{
	pfn_t first = first_at(model, port, MODEL_QUEUED, false);

	if (!first)
		first = first_at(model, port, MODEL_SERVED, true);
	if (!first)
		first = first_at(model, port, MODEL_SERVED, false);
	return first ? first : model_first_receiver(model, port);
}

/* ---- ready threads ---- */

void model_ready(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];

	thread->state = MODEL_READY;
	thread->waiting = true;
	thread->stamp = model_stamp(model);
}

/* Back to the queue: to its front while the slice lasts. */
static void requeue(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];

	thread->waiting = true;
	if (thread->tick == model->tick)
		thread->stamp = --model->first_stamp;
	else
		thread->stamp = model_stamp(model);
}

static pfn_t first_ready(const struct model *model)
{
	pfn_t best = 0;

	for (pfn_t pfn = 1; pfn < MODEL_FRAMES; pfn++) {
		const struct model_thread *thread = &model->thread[pfn];
		const struct model_thread *other = &model->thread[best];

		if (!is_thread(model, pfn) || thread->state != MODEL_READY || !thread->waiting)
			continue;
		if (!best || thread->effective > other->effective ||
			(thread->effective == other->effective && thread->stamp < other->stamp))
			best = pfn;
	}
	return best;
}

static pfn_t take_ready(struct model *model)
{
	pfn_t pfn = first_ready(model);

	if (pfn) {
		model->thread[pfn].waiting = false;
		model->thread[pfn].tick = model->tick;
	}
	return pfn;
}

/* Must it give way?  To the more important always, to equals when its slice is over. */
static bool must_yield(const struct model *model, pfn_t pfn)
{
	const struct model_thread *thread = &model->thread[pfn];
	pfn_t rival = first_ready(model);

	if (!rival || model->thread[rival].effective < thread->effective)
		return false;
	return model->thread[rival].effective > thread->effective || thread->tick != model->tick;
}

static void choose(struct model *model, pfn_t preferred)
{
	pfn_t current = model->running, next;

	if (current && model->thread[current].state != MODEL_READY)
		current = 0;
	next = preferred ? preferred : current;
	if (preferred && current && current != preferred)
		requeue(model, current);
	if (!next) {
		next = take_ready(model);
	} else if (must_yield(model, next)) {
		requeue(model, next);
		next = take_ready(model);
	}
	model->running = next;
	if (!next)
		model->slice_end = 0;
	else if (!model->slice_end)
		model->slice_end = model->now + MODEL_SLICE;
}

/* Who runs when the kernel is left.  Nobody returns to an address that is none. */
void model_leave(struct model *model, pfn_t preferred)
{
	choose(model, preferred);
	while (model->running) {
		struct model_thread *thread = &model->thread[model->running];

		if (model_is_canonical(thread->registers.rip))
			return;
		thread->registers.vector = VECTOR_PROTECTION;
		thread->registers.error = 0;
		choose(model, model_raise(model, model->running));
	}
}

uint64_t model_alarm(const struct model *model)
{
	uint64_t alarm = model->slice_end ? model->slice_end : UINT64_MAX;

	return model->deadline && model->deadline < alarm ? model->deadline : alarm;
}

/* ---- delivery ---- */

/* What a call or reply carries: words, bytes, a handle; what cannot go along does not. */
void model_move_message(struct model *model, pfn_t to, pfn_t from, uint64_t tag)
{
	struct model_thread *target = &model->thread[to];
	const struct model_thread *source = &model->thread[from];
	const struct model_handle *handle = model_handle_at(model, source->space, TAG_HANDLE(tag));
	uint64_t arrived = TAG_LABEL(tag);
	uint32_t bytes = TAG_BYTES(tag);

	target->registers.rdx = source->registers.rdx;
	target->registers.r10 = source->registers.r10;
	target->registers.r8 = source->registers.r8;
	target->registers.r9 = source->registers.r9;
	target->registers.r12 = source->registers.r12;
	target->registers.r13 = source->registers.r13;
	if (bytes && bytes <= PAGE_SIZE && source->message && target->message) {
		memcpy(model->page[target->message], model->page[source->message], bytes);
		arrived = tag_make(TAG_LABEL(tag), bytes);
		model->happened[MODEL_PAYLOADS]++;
	}
	if (handle && (handle->rights & RIGHT_GIVE) && target->receive_slot &&
		target->receive_slot < HANDLE_SLOTS &&
		!model_handle_at(model, target->space, target->receive_slot)) {
		model->space[target->space].handle[target->receive_slot] = *handle;
		arrived |= TAG_GOT_HANDLE;
		model->happened[MODEL_HANDLED_OVER]++;
	}
	target->registers.rsi = arrived;
}

static void fill_fault(struct model *model, pfn_t to, pfn_t from)
{
	const struct model_thread *source = &model->thread[from];
	struct registers *registers = &model->thread[to].registers;
	uint32_t bits = FAULT_PRESENT | FAULT_WRITE | FAULT_USER | FAULT_RESERVED | FAULT_FETCH;
	uint64_t entries[5];
	uint32_t level = model_view.walk(model->space[source->space].top, source->fault_address,
		source->fault_error, entries);

	registers->rsi = LABEL_FAULT | TAG_KERNEL;
	registers->rdx = source->fault_address;
	registers->r10 = (source->fault_error & bits) | (uint64_t)level << FAULT_LEVEL_SHIFT |
			 4u << FAULT_LEVELS_SHIFT;
	registers->r8 = source->registers.rip;
	registers->r9 = entries[0];
	registers->r12 = entries[1];
	registers->r13 = entries[2];
	registers->r14 = entries[3];
	registers->r15 = entries[4];
}

static void fill_exception(struct model *model, pfn_t to, pfn_t from)
{
	const struct model_thread *source = &model->thread[from];
	struct model_thread *target = &model->thread[to];
	uint64_t vector = source->registers.vector;

	target->registers.rsi = LABEL_EXCEPTION | TAG_KERNEL;
	if (target->message) {
		memcpy(model->page[target->message], &source->registers, sizeof(struct registers));
		target->registers.rsi =
			tag_make(LABEL_EXCEPTION, sizeof(struct registers)) | TAG_KERNEL;
	}
	target->registers.rdx = vector;
	target->registers.r10 = source->registers.error;
	target->registers.r8 = source->registers.rip;
	target->registers.r9 = vector == VECTOR_PAGE_FAULT ? source->fault_address : 0;
	target->registers.r12 = source->reason0;
	target->registers.r13 = source->reason1;
}

/* The receiver's rbx tells the token: it names the caller, and is never one that was there. */
static void learn_token(struct model *model, pfn_t receiver, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	uint64_t token = model_view.registers(receiver)->rbx;

	if (!thread->token_known) {
		if ((token & TOKEN_PFN_MASK) != pfn ||
			token >> FRAME_NUMBER_BITS <= model->sequence[pfn])
			model_fail("a token must name its thread, and be a new one");
		model->sequence[pfn] = token >> FRAME_NUMBER_BITS;
		thread->token = token;
		thread->token_known = true;
	}
	model->thread[receiver].registers.rbx = thread->token;
}

static void deliver(struct model *model, pfn_t receiver, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	struct model_thread *target = &model->thread[receiver];

	if (thread->wait == MODEL_CALL)
		model_move_message(model, receiver, pfn, thread->registers.rsi);
	else if (thread->wait == MODEL_FAULT)
		fill_fault(model, receiver, pfn);
	else
		fill_exception(model, receiver, pfn);
	target->registers.rax = ST_OK;
	target->registers.rdi = thread->badge;
	learn_token(model, receiver, pfn);
	thread->state = MODEL_SERVED;
	thread->cancel = false;
	thread->stamp = model_stamp(model);
	target->effective =
		thread->effective > target->priority ? thread->effective : target->priority;
	target->tick = thread->tick;
	model->happened[MODEL_DELIVERED + thread->wait]++;
}

static void deliver_notification(struct model *model, pfn_t receiver, pfn_t port)
{
	struct model_thread *target = &model->thread[receiver];

	target->registers.rax = ST_OK;
	target->registers.rsi = TAG_NOTIFICATION;
	target->registers.rdi = 0;
	target->registers.rbx = 0;
	target->registers.rdx = model->notification[port];
	target->effective = target->priority;
	model->notification[port] = 0;
	model->happened[MODEL_NOTIFIED]++;
}

static void deliver_cancel(struct model *model, pfn_t receiver, pfn_t port)
{
	pfn_t pfn = first_at(model, port, MODEL_SERVED, true);
	struct model_thread *thread = &model->thread[pfn];
	struct model_thread *target = &model->thread[receiver];

	thread->cancel = false;
	thread->stamp = model_stamp(model);
	target->registers.rax = ST_OK;
	target->registers.rsi = TAG_CANCEL;
	model->happened[MODEL_CANCELLED]++;
	target->registers.rdi = thread->badge;
	target->registers.rbx = thread->token;
	target->effective = target->priority;
}

/* A fault whose access is allowed by now, and was not refused for a reserved bit. */
static bool is_cured(struct model *model, pfn_t pfn)
{
	const struct model_thread *thread = &model->thread[pfn];
	uint64_t entries[5];

	if (thread->wait != MODEL_FAULT || (thread->fault_error & FAULT_RESERVED) ||
		model_view.walk(model->space[thread->space].top, thread->fault_address,
			thread->fault_error, entries) != 0)
		return false;
	model->happened[MODEL_CURED]++;
	return true;
}

/* What is there for a receiver: notification, cancel, message. */
bool model_receive_now(struct model *model, pfn_t receiver, pfn_t port)
{
	pfn_t first;

	if (model->notification[port]) {
		deliver_notification(model, receiver, port);
		return true;
	}
	if (first_at(model, port, MODEL_SERVED, true)) {
		deliver_cancel(model, receiver, port);
		return true;
	}
	while ((first = first_at(model, port, MODEL_QUEUED, false)) != 0) {
		if (is_cured(model, first)) {
			model->thread[first].port = 0;
			model_ready(model, first);
			continue;
		}
		deliver(model, receiver, first);
		return true;
	}
	return false;
}

/* Threads that wait to receive get what came to be there. */
void model_serve_receivers(struct model *model, pfn_t port)
{
	pfn_t receiver;

	while ((receiver = model_first_receiver(model, port)) != 0) {
		if (!model_receive_now(model, receiver, port))
			return;
		model->thread[receiver].port = 0;
		model_ready(model, receiver);
	}
}

void model_notify(struct model *model, pfn_t port, uint64_t bits)
{
	model->happened[MODEL_BITS_SET]++;
	model->notification[port] |= bits;
	model_serve_receivers(model, port);
}

/* Returns who runs by direct switch: the receiver, or the thread itself; 0: it waits. */
pfn_t model_send(struct model *model, pfn_t pfn, const struct model_ref *to, enum model_wait wait)
{
	struct model_thread *thread = &model->thread[pfn];
	pfn_t receiver = model_first_receiver(model, to->port);

	thread->wait = wait;
	thread->port = to->port;
	thread->badge = to->badge;
	thread->token_known = false;
	thread->cancel = false;
	if (!receiver) {
		thread->state = MODEL_QUEUED;
		thread->stamp = model_stamp(model);
		return 0;
	}
	if (is_cured(model, pfn)) {
		thread->port = 0;
		return pfn;
	}
	model->thread[receiver].port = 0;
	model->thread[receiver].state = MODEL_READY;
	model->thread[receiver].waiting = false;
	deliver(model, receiver, pfn);
	model->happened[MODEL_DIRECT]++;
	return receiver;
}

/* ---- faults and exceptions ---- */

void model_park(struct model *model, pfn_t pfn)
{
	const struct model_ref *told = &model->pool[model->frame[pfn].pool].port;

	model->happened[MODEL_PARKS]++;
	model->thread[pfn].state = MODEL_PARKED;
	model->thread[pfn].port = 0;
	if (model_ref_is_live(model, told))
		model_notify(model, told->port, told->bits);
}

static void upcall(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	struct registers *registers = &thread->registers;
	struct upcall told = {
		.vector = registers->vector,
		.error = registers->error,
		.address = registers->vector == VECTOR_PAGE_FAULT ? thread->fault_address : 0,
		.reason0 = thread->reason0,
		.reason1 = thread->reason1,
		.registers = *registers,
	};

	memcpy(model->page[thread->message], &told, sizeof(told));
	model->happened[MODEL_UPCALLS]++;
	registers->rip = thread->upcall_entry;
	registers->rsp =
		thread->upcall_stack ? thread->upcall_stack : ((registers->rsp - 128) & ~15ull) - 8;
	registers->rdi = thread->upcall_argument;
	registers->rflags = FLAGS_BASE;
}

pfn_t model_route(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];

	model->happened[MODEL_EXCEPTIONS]++;
	if (thread->upcall_entry && thread->message) {
		upcall(model, pfn);
		return 0;
	}
	if (model_ref_is_live(model, &thread->exception_port))
		return model_send(model, pfn, &thread->exception_port, MODEL_EXCEPTION);
	model_park(model, pfn);
	return 0;
}

pfn_t model_raise(struct model *model, pfn_t pfn)
{
	model->thread[pfn].reason0 = model->thread[pfn].reason1 = 0;
	return model_route(model, pfn);
}

void model_exception(struct model *model, uint32_t vector, uint64_t error)
{
	struct registers *registers = &model->thread[model->running].registers;

	registers->vector = vector;
	registers->error = error;
	model_leave(model, vector == VECTOR_NMI ? 0 : model_raise(model, model->running));
}

void model_page_fault(struct model *model, uint64_t address, uint64_t error)
{
	struct model_thread *thread = &model->thread[model->running];

	thread->registers.vector = VECTOR_PAGE_FAULT;
	thread->registers.error = error;
	thread->fault_address = address;
	thread->fault_error = error;
	thread->reason0 = thread->reason1 = 0;
	if (model_ref_is_live(model, &thread->fault_port) && (error & FAULT_USER))
		model_leave(
			model, model_send(model, model->running, &thread->fault_port, MODEL_FAULT));
	else
		model_leave(model, model_raise(model, model->running));
}

/* ---- interrupts ---- */

static void interrupted(struct model *model, uint32_t vector)
{
	if (!model->running)
		return;
	model->thread[model->running].registers.vector = vector;
	model->thread[model->running].registers.error = 0;
}

void model_line(struct model *model, uint32_t line)
{
	const struct model_ref *port = &model->line_port[line];

	interrupted(model, VECTOR_IRQ + line);
	model->masked |= 1u << line;
	if (model_ref_is_live(model, port))
		model_notify(model, port->port, port->bits);
	model_leave(model, 0);
}

void model_timer(struct model *model)
{
	interrupted(model, VECTOR_TIMER);
	if (model->slice_end && model->now >= model->slice_end) {
		model->tick++;
		model->slice_end = model->now + MODEL_SLICE;
	}
	if (model->deadline && model->now >= model->deadline) {
		model->deadline = 0;
		if (model_ref_is_live(model, &model->deadline_port))
			model_notify(model, model->deadline_port.port, model->deadline_port.bits);
	}
	model_leave(model, 0);
}

void model_nothing(struct model *model)
{
	model_leave(model, 0);
}

/* ---- start ---- */

void model_set_registers(struct model_thread *thread, const struct registers *from)
{
	struct registers wanted = *from;

	wanted.vector = VECTOR_NONE;
	wanted.error = 0;
	wanted.cs = USER_CODE;
	wanted.ss = USER_DATA;
	wanted.rflags = (wanted.rflags & MODEL_USER_FLAGS) | FLAGS_BASE;
	thread->registers = wanted;
}

void model_new_thread(struct model *model, pfn_t pfn, pfn_t space, uint32_t priority)
{
	struct model_thread *thread = &model->thread[pfn];
	struct registers none = { 0 };

	memset(thread, 0, sizeof(*thread));
	thread->space = space;
	thread->priority = thread->effective = priority;
	thread->fpu = MODEL_FPU_START;
	model_set_registers(thread, &none);
}

void model_start(struct model *model, const struct model_root *root)
{
	memset(model, 0, sizeof(*model));
	for (pfn_t pfn = root->space; pfn < root->frames; pfn++)
		model->frame[pfn] = (struct model_frame){ .type = FRAME_FREE, .pool = 1 };
	model->pool[1] = (struct model_pool){ .live = true, .priority = 63, .below_max = 254 };
	model->frame[root->zero].type = FRAME_ZERO;
	model->frame[root->space].type = FRAME_SPACE;
	model->frame[root->top].type = FRAME_TOP;
	model->frame[root->thread].type = FRAME_THREAD;
	model->frame[root->message].type = FRAME_MSG;
	model->frame[root->message].holds = 1;
	model->space[root->space] = (struct model_space){ .top = root->top,
		.flags = root->rights,
		.pool = 1,
		.io_count = 0x10000,
		.lines = 0xffff };
	model->masked = 0xffff & ~(1u << CASCADE);
	model_new_thread(model, root->thread, root->space, root->priority);
	model->thread[root->thread].message = root->message;
	model->thread[root->thread].state = MODEL_READY;
	model->running = root->thread;
}

void model_add_table(struct model *model, pfn_t pfn, uint32_t type, uint32_t pool)
{
	model->frame[pfn].type = type;
	model->frame[pfn].pool = pool;
	model->frame[pfn].fixed = true;
}
