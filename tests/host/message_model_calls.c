/*
 * The reference model of messages, objects and scheduling (message_model.h): the calls.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "message_model_parts.h"
#include <string.h>

#define LINES	 16u
#define IO_FORMS 12u

/* ---- calls: messages ---- */

/* What forbids that this tag is sent by `from` to `to` (0: nobody yet). */
static refusals_t refuse_message(struct model *model, pfn_t from, pfn_t to, uint64_t tag)
{
	const struct model_thread *source = &model->thread[from];
	const struct model_handle *handle = model_handle_at(model, source->space, TAG_HANDLE(tag));
	refusals_t refusals = 0;

	if (TAG_BYTES(tag) > PAGE_SIZE)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (TAG_BYTES(tag) && (!source->message || (to && !model->thread[to].message)))
		refusals |= REFUSAL(ST_NO_PAGE);
	if (TAG_HANDLE(tag) && !handle)
		refusals |= REFUSAL(ST_BAD_HANDLE);
	if (TAG_HANDLE(tag) && handle && !(handle->rights & RIGHT_GIVE))
		refusals |= REFUSAL(ST_NO_RIGHT);
	return refusals;
}

static pfn_t call_call(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	const struct model_handle *handle =
		model_handle_at(model, thread->space, thread->registers.rdi & 0xffff);
	pfn_t receiver = handle ? model_first_receiver(model, handle->to.port) : 0;
	refusals_t refusals = refuse_message(model, pfn, receiver, thread->registers.rsi);

	if (!handle)
		refusals |= REFUSAL(ST_BAD_HANDLE);
	else if (!(handle->rights & RIGHT_SEND))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (refusals) {
		model_refuse(model, pfn, refusals);
		return 0;
	}
	model->happened[MODEL_CALLS]++;
	thread->receive_slot = (uint32_t)(thread->registers.rdi >> 16) & 0xff;
	return model_send(model, pfn, &handle->to, MODEL_CALL);
}

static refusals_t refuse_port(struct model *model, pfn_t pfn)
{
	const struct model_thread *thread = &model->thread[pfn];
	const struct model_handle *handle =
		model_handle_at(model, thread->space, thread->registers.rdi & 0xffff);

	if (!handle)
		return REFUSAL(ST_BAD_HANDLE);
	return handle->rights & RIGHT_RECEIVE ? 0 : REFUSAL(ST_NO_RIGHT);
}

/* The one thread that a token fits, at this port; 0: nobody. */
static pfn_t find_token(const struct model *model, pfn_t port, uint64_t token)
{
	for (pfn_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		if (model->frame[pfn].type == FRAME_THREAD &&
			model->thread[pfn].state == MODEL_SERVED &&
			model->thread[pfn].port == port && model->thread[pfn].token == token)
			return pfn;
	return 0;
}

static refusals_t refuse_exception_answer(struct model *model, pfn_t server)
{
	const struct model_thread *thread = &model->thread[server];
	const struct registers *registers;

	switch (TAG_LABEL(thread->registers.rsi)) {
	case FAULT_RESUME:
	case FAULT_PARK:
		return 0;
	case FAULT_SET_REGISTERS:
		if (!thread->message)
			return REFUSAL(ST_NO_PAGE);
		registers = (const void *)model->page[thread->message];
		return model_is_canonical(registers->rip) ? 0 : REFUSAL(ST_BAD_ARGUMENT);
	default:
		return REFUSAL(ST_BAD_ARGUMENT);
	}
}

static refusals_t refuse_answer(struct model *model, pfn_t server, pfn_t target)
{
	uint64_t tag = model->thread[server].registers.rsi;

	switch (model->thread[target].wait) {
	case MODEL_CALL:
		return refuse_message(model, server, target, tag);
	case MODEL_FAULT:
		return TAG_LABEL(tag) == FAULT_RESUME || TAG_LABEL(tag) == FAULT_REFUSE
			       ? 0
			       : REFUSAL(ST_BAD_ARGUMENT);
	default:
		return refuse_exception_answer(model, server);
	}
}

/* The thread is answered.  Returns it when it may run on. */
static pfn_t answer(struct model *model, pfn_t server, pfn_t target)
{
	const struct registers *from = &model->thread[server].registers;
	struct model_thread *thread = &model->thread[target];
	uint64_t tag = from->rsi;
	pfn_t receiver;

	thread->state = MODEL_READY;
	thread->waiting = false;
	thread->port = 0;
	thread->cancel = false;
	model->happened[MODEL_ANSWERED + thread->wait]++;
	if (thread->wait == MODEL_CALL) {
		model_move_message(model, target, server, tag);
		if (TAG_OPS(tag) && !(tag & TAG_OPS_IN_PAGE)) {
			struct registers *to = &thread->registers;

			to->rdx = to->r10 = to->r8 = to->r9 = to->r12 = to->r13 = 0;
		}
		thread->registers.rax = ST_OK;
	} else if (thread->wait == MODEL_FAULT && TAG_LABEL(tag) == FAULT_REFUSE) {
		thread->reason0 = from->rdx;
		thread->reason1 = from->r10;
		thread->registers.vector = VECTOR_PAGE_FAULT;
		thread->registers.error = thread->fault_error;
		receiver = model_route(model, target);
		if (receiver)
			model_ready(model, receiver);
	} else if (thread->wait == MODEL_EXCEPTION && TAG_LABEL(tag) == FAULT_SET_REGISTERS) {
		model_set_registers(
			thread, (const void *)model->page[model->thread[server].message]);
	} else if (thread->wait == MODEL_EXCEPTION && TAG_LABEL(tag) == FAULT_PARK) {
		thread->state = MODEL_PARKED;
	}
	return thread->state == MODEL_READY ? target : 0;
}

static status_t answer_results(
	struct model *model, pfn_t server, const struct model_progress *progress)
{
	struct registers *registers = &model->thread[server].registers;

	if (progress->results == 0)
		return ST_OK;
	registers->rdx = progress->index;
	registers->r10 = progress->done;
	registers->r8 = progress->results;
	return ST_RESULTS;
}

/* What the tag asks for before the batch is begun. */
static refusals_t refuse_batch(const struct model *model, pfn_t server, uint64_t tag)
{
	const struct model_thread *thread = &model->thread[server];
	refusals_t refusals = 0;

	if (!model->space[thread->space].pool)
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (!thread->message && (TAG_OPS(tag) > 2 || (tag & TAG_OPS_IN_PAGE)))
		refusals |= REFUSAL(ST_NO_PAGE);
	return refusals;
}

static void take_operations(const struct model *model, pfn_t server, uint64_t tag, struct op *ops)
{
	const struct registers *registers = &model->thread[server].registers;
	uint32_t in_registers = tag & TAG_OPS_IN_PAGE ? 0 : 2;

	ops[0] = (struct op){ registers->rdx, registers->r10, registers->r8 };
	ops[1] = (struct op){ registers->r9, registers->r12, registers->r13 };
	if (TAG_OPS(tag) > in_registers)
		memcpy(ops + in_registers, model->page[model->thread[server].message],
			(TAG_OPS(tag) - in_registers) * sizeof(struct op));
}

/* The reply part.  Returns the status; *woken = who may run on. */
static status_t reply(struct model *model, pfn_t server, pfn_t port, pfn_t *woken)
{
	uint64_t tag = model->thread[server].registers.rsi;
	uint64_t token = model->thread[server].registers.rbx;
	pfn_t target = find_token(model, port, token);
	struct model_progress progress = { 0 };
	struct op ops[64 + 2];
	refusals_t refusals = 0;

	if (!target)
		return model_refuse(model, server, REFUSAL(ST_BAD_TOKEN));
	if (TAG_OPS(tag)) {
		refusals = refuse_batch(model, server, tag);
		if (!refusals) {
			take_operations(model, server, tag, ops);
			refusals = model_batch(model, server, ops, TAG_OPS(tag), &progress);
		}
		if (refusals) {
			model->thread[server].registers.rdx = progress.index;
			model->thread[server].registers.r10 = progress.done;
			model->thread[server].registers.r8 = progress.results;
			return model_refuse(model, server, refusals);
		}
		target = find_token(model, port, model->thread[server].registers.rbx);
		if (!target) {
			model->happened[MODEL_ORPHANED]++;
			return answer_results(model, server, &progress);
		}
	}
	refusals = refuse_answer(model, server, target);
	if (refusals)
		return model_refuse(model, server, refusals);
	*woken = answer(model, server, target);
	return answer_results(model, server, &progress);
}

/* The receive part.  False: it waits. */
static bool receive(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	pfn_t port = model_handle_at(model, thread->space, thread->registers.rdi & 0xffff)->to.port;

	thread->receive_slot = (uint32_t)(thread->registers.rdi >> RR_SLOT_SHIFT) & 0xff;
	if (model_receive_now(model, pfn, port))
		return true;
	if (thread->registers.rdi & RR_NONBLOCK) {
		thread->registers.rax = ST_EMPTY;
		return true;
	}
	thread->state = MODEL_RECEIVING;
	thread->port = port;
	thread->cancel = false;
	thread->stamp = model_stamp(model);
	return false;
}

static pfn_t call_reply_receive(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	refusals_t refusals = refuse_port(model, pfn);
	status_t status = ST_OK;
	pfn_t woken = 0;

	if (refusals) {
		model_refuse(model, pfn, refusals);
		return 0;
	}
	thread->registers.rax = ST_OK;
	if (thread->registers.rdi & RR_REPLY) {
		pfn_t port = model_handle_at(model, thread->space, thread->registers.rdi & 0xffff)
				     ->to.port;

		status = reply(model, pfn, port, &woken);
		thread->registers.rax = status;
		if (status == ST_OK) {
			thread->effective = thread->priority;
			refusals = refuse_port(model, pfn);
			if (refusals)
				status = model_refuse(model, pfn, refusals);
		}
	}
	if (status == ST_OK && (thread->registers.rdi & RR_RECEIVE) &&
		thread->state == MODEL_READY && !receive(model, pfn))
		return woken;
	if (woken)
		model_ready(model, woken);
	return 0;
}

static refusals_t call_notify(struct model *model, struct model_thread *thread)
{
	const struct model_handle *handle =
		model_handle_at(model, thread->space, thread->registers.rdi);
	refusals_t refusals = 0;

	if (!handle)
		refusals |= REFUSAL(ST_BAD_HANDLE);
	else if (!(handle->rights & RIGHT_SEND))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (!thread->registers.rsi)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!refusals)
		model_notify(model, handle->to.port, thread->registers.rsi);
	return refusals;
}

/* ---- calls: the others ---- */

static refusals_t call_batch(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	uint64_t count = thread->registers.rdi;
	struct model_progress progress = { 0 };
	refusals_t refusals = 0;
	struct op ops[64];

	if (!model->space[thread->space].pool)
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (count == 0 || count > OP_MAX_IN_PAGE)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!thread->message)
		refusals |= REFUSAL(ST_NO_PAGE);
	if (!refusals) {
		memcpy(ops, model->page[thread->message], count * sizeof(struct op));
		refusals = model_batch(model, pfn, ops, (uint32_t)count, &progress);
	}
	thread->registers.rdx = progress.index;
	thread->registers.r10 = progress.done;
	thread->registers.r8 = progress.results;
	return refusals;
}

static refusals_t handle_copy(struct model *model, struct model_thread *thread)
{
	struct registers *registers = &thread->registers;
	const struct model_handle *source = model_handle_at(model, thread->space, registers->rsi);
	bool mint = registers->rdi == HANDLE_MINT;
	refusals_t refusals = 0;
	struct model_handle copy;

	if (registers->rdx == 0 || registers->rdx >= HANDLE_SLOTS || registers->r10 == 0 ||
		registers->r10 > RIGHT_ALL)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	else if (model_handle_at(model, thread->space, registers->rdx))
		refusals |= REFUSAL(ST_BUSY);
	if (!source)
		return refusals | REFUSAL(ST_BAD_HANDLE);
	if ((registers->r10 & ~(uint64_t)source->rights) ||
		(mint && !(source->rights & RIGHT_MINT)))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (refusals)
		return refusals;
	copy = *source;
	copy.rights = (uint32_t)registers->r10;
	if (mint)
		copy.to.badge = registers->r8;
	model->space[thread->space].handle[registers->rdx] = copy;
	return 0;
}

static refusals_t call_handle(struct model *model, struct model_thread *thread)
{
	struct registers *registers = &thread->registers;
	struct model_handle *handle = model_handle_at(model, thread->space, registers->rsi);

	if (registers->rdi == HANDLE_COPY || registers->rdi == HANDLE_MINT)
		return handle_copy(model, thread);
	if (registers->rdi > HANDLE_LOOK)
		return REFUSAL(ST_BAD_ARGUMENT);
	if (!handle)
		return REFUSAL(ST_BAD_HANDLE);
	if (registers->rdi == HANDLE_DROP) {
		memset(handle, 0, sizeof(*handle));
	} else {
		registers->rdx = handle->rights;
		registers->r10 = handle->to.badge;
	}
	return 0;
}

static refusals_t call_thread(struct model_thread *thread)
{
	const struct registers *registers = &thread->registers;
	refusals_t refusals = 0;

	switch (registers->rdi) {
	case THREAD_SELF_TLS:
		if (!model_is_canonical(registers->rsi))
			return REFUSAL(ST_BAD_ARGUMENT);
		thread->fs_base = registers->rsi;
		return 0;
	case THREAD_SELF_UPCALL:
		if (!model_is_canonical(registers->rsi) || !model_is_canonical(registers->rdx))
			refusals |= REFUSAL(ST_BAD_ARGUMENT);
		if (registers->rsi && !thread->message)
			refusals |= REFUSAL(ST_NO_PAGE);
		if (refusals)
			return refusals;
		thread->upcall_entry = registers->rsi;
		thread->upcall_stack = registers->rdx;
		thread->upcall_argument = registers->r10;
		return 0;
	case THREAD_SELF_STOP:
		thread->state = MODEL_STOPPED;
		return 0;
	default:
		return REFUSAL(ST_BAD_ARGUMENT);
	}
}

/* The port of a binding: the caller must be allowed to receive from it. */
static refusals_t bind(struct model *model, const struct model_thread *thread, uint64_t slot,
	uint64_t bits, struct model_ref *ref)
{
	const struct model_handle *handle = model_handle_at(model, thread->space, slot);
	refusals_t refusals = 0;

	if (!handle)
		refusals |= REFUSAL(ST_BAD_HANDLE);
	else if (!(handle->rights & RIGHT_RECEIVE))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (bits == 0 || bits > UINT32_MAX)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!refusals) {
		*ref = handle->to;
		ref->bits = bits;
	}
	return refusals;
}

static refusals_t call_irq(struct model *model, struct model_thread *thread)
{
	const struct registers *registers = &thread->registers;
	refusals_t refusals = 0;

	if (registers->rdi > IRQ_ACK || registers->rsi >= LINES)
		return REFUSAL(ST_BAD_ARGUMENT);
	if (registers->rdi == IRQ_BIND) {
		struct model_ref ref = { 0 };

		refusals = bind(model, thread, registers->rdx, registers->r10, &ref);
		if (!(model->space[thread->space].lines & (1u << registers->rsi)))
			refusals |= REFUSAL(ST_NO_RIGHT);
		if (refusals)
			return refusals;
		model->line_port[registers->rsi] = ref;
	} else if (!(model->space[thread->space].lines & (1u << registers->rsi))) {
		return REFUSAL(ST_NO_RIGHT);
	}
	model->masked &= ~(1u << registers->rsi);
	return 0;
}

/* Only what is refused: what moves is the device's. */
static refusals_t call_io(struct model *model, struct model_thread *thread)
{
	const struct registers *registers = &thread->registers;
	const struct model_space *space = &model->space[thread->space];
	uint64_t width = 1u << (registers->rdi % 3);
	refusals_t refusals = 0;

	if (registers->rdi >= IO_FORMS)
		return REFUSAL(ST_BAD_ARGUMENT);
	if (registers->rsi < space->io_first ||
		registers->rsi >= space->io_first + space->io_count ||
		registers->rsi + width > space->io_first + space->io_count)
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (registers->rdi >= IO_INS8 && !thread->message)
		refusals |= REFUSAL(ST_NO_PAGE);
	if (registers->rdi >= IO_INS8 && registers->rdx > PAGE_SIZE / width)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	return refusals;
}

static refusals_t call_timer(struct model *model, struct model_thread *thread)
{
	struct registers *registers = &thread->registers;
	refusals_t refusals = 0;

	if (registers->rdi == TIMER_NOW) {
		registers->rdx = model->now;
		return 0;
	}
	if (!(model->space[thread->space].flags & SPACE_TIMER))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (registers->rdi > TIMER_NOW)
		return refusals | REFUSAL(ST_BAD_ARGUMENT);
	if (registers->rdi == TIMER_SET) {
		if (!refusals)
			model->deadline = registers->rsi;
		return refusals;
	}
	if (refusals) {
		struct model_ref ignored;

		return refusals | bind(model, thread, registers->rsi, registers->rdx, &ignored);
	}
	return bind(model, thread, registers->rsi, registers->rdx, &model->deadline_port);
}

/* What it writes is learned. */
static refusals_t call_info(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	uint64_t bytes = model_view.registers(pfn)->rdx;
	refusals_t refusals = 0;

	if (thread->registers.rdi > INFO_RECORDS)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!thread->message)
		refusals |= REFUSAL(ST_NO_PAGE);
	if (thread->registers.rdi == INFO_RECORDS &&
		!(model->space[thread->space].flags & SPACE_DEBUG))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (refusals)
		return refusals;
	if (bytes > PAGE_SIZE)
		model_fail("information does not fit a page");
	memcpy(model->page[thread->message], model_view.memory(thread->message), bytes);
	thread->registers.rdx = bytes;
	return 0;
}

static refusals_t call_debug(struct model *model, pfn_t pfn)
{
	struct model_thread *thread = &model->thread[pfn];
	struct registers *registers = &thread->registers;
	refusals_t refusals = 0;

	if (!(model->space[thread->space].flags & SPACE_DEBUG))
		refusals |= REFUSAL(ST_NO_RIGHT);
	switch (registers->rdi) {
	case DEBUG_LOG:
		if (!thread->message)
			refusals |= REFUSAL(ST_NO_PAGE);
		if (registers->rsi > PAGE_SIZE)
			refusals |= REFUSAL(ST_BAD_ARGUMENT);
		return refusals;
	case DEBUG_KERNEL_OK:
		if (!refusals) {
			registers->rdx = model_view.registers(pfn)->rdx; /* of no meaning */
			registers->r10 = 0;
		}
		return refusals;
	case DEBUG_SUMS:
		if (!thread->message)
			refusals |= REFUSAL(ST_NO_PAGE);
		if (registers->rsi >= MODEL_FRAMES)
			refusals |= REFUSAL(ST_BAD_ARGUMENT);
		if (!refusals)
			memcpy(model->page[thread->message], model_view.memory(thread->message),
				PAGE_SIZE);
		return refusals;
	default:
		return refusals | REFUSAL(ST_BAD_ARGUMENT);
	}
}

static refusals_t call_shutdown(const struct model *model, const struct model_thread *thread)
{
	refusals_t refusals = 0;

	if (!(model->space[thread->space].flags & SPACE_SHUTDOWN))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (thread->registers.rdi > 255)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!refusals)
		model_fail("the machine should have ended");
	return refusals;
}

/* A call that never waits: what refuses it. */
static refusals_t call_other(struct model *model, pfn_t pfn, uint64_t number)
{
	struct model_thread *thread = &model->thread[pfn];

	switch (number) {
	case CALL_NOTIFY:
		return call_notify(model, thread);
	case CALL_BATCH:
		return call_batch(model, pfn);
	case CALL_HANDLE:
		return call_handle(model, thread);
	case CALL_THREAD:
		return call_thread(thread);
	case CALL_YIELD:
		thread->tick = model->tick - 1;
		return 0;
	case CALL_IRQ:
		return call_irq(model, thread);
	case CALL_IO:
		return call_io(model, thread);
	case CALL_TIMER:
		return call_timer(model, thread);
	case CALL_INFO:
		return call_info(model, pfn);
	case CALL_DEBUG:
		return call_debug(model, pfn);
	default:
		return call_shutdown(model, thread);
	}
}

void model_call(struct model *model)
{
	pfn_t pfn = model->running, preferred = 0;
	struct model_thread *thread = &model->thread[pfn];
	uint64_t number = thread->registers.rax;
	refusals_t refusals = 0;

	thread->registers.rcx = thread->registers.rip;
	thread->registers.r11 = thread->registers.rflags;
	thread->registers.vector = VECTOR_SYSCALL;
	thread->registers.error = 0;
	if (number >= CALL_COUNT) {
		thread->registers.vector = VECTOR_FOREIGN_CALL;
		preferred = model_raise(model, pfn);
	} else if (number == CALL_CALL) {
		preferred = call_call(model, pfn);
	} else if (number == CALL_REPLY_RECEIVE) {
		preferred = call_reply_receive(model, pfn);
	} else {
		refusals = call_other(model, pfn, number);
		if (refusals)
			model_refuse(model, pfn, refusals);
		else
			thread->registers.rax = ST_OK;
	}
	model_leave(model, preferred);
}
