/*
 * The operations on objects (OP_SPACE_CREATE .. OP_PORT_RESET of <faultline/op.h>).
 *
 * Every frame named must be of the batch's pool or one below (batch_frame), and of the type the
 * operation is about.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch.h"
#include "boot.h"
#include "entry.h"
#include "exception.h"
#include "handle.h"
#include "ipc.h"
#include "list.h"
#include <machine/memory.h>
#include "object.h"
#include "percpu.h"
#include "pool.h"
#include "sched.h"
#include "switch.h"

#define REGISTER_WORDS ((uint32_t)(sizeof(struct registers) / 8))
#define IO_PORTS 0x10000u

_Static_assert(POOL_PRIORITY_MAX == PRIORITY_COUNT - 1, "the root's pool gives all priorities");

/* May the caller give a thread this priority?  Else a pool could take the processor from all
   others. */
static status_t priority_check(const struct batch *batch, uint64_t priority)
{
	if (priority >= PRIORITY_COUNT)
		return ST_BAD_ARGUMENT;
	return priority <= pool_table[batch->pool].priority ? ST_OK : ST_NO_RIGHT;
}

/* The entry of a frame of this pool or one below, or NULL. */
static inline const struct frame *object_frame(const struct batch *batch, uint64_t pfn)
{
	if (unlikely(pfn >= frame_count || !batch_owns(batch, &frame_table[pfn])))
		return NULL;
	return &frame_table[pfn];
}

/* The frame is this pool's and of this type. */
static inline status_t object_check(const struct batch *batch, uint64_t pfn, frame_type_t type)
{
	const struct frame *frame = object_frame(batch, pfn);

	if (unlikely(!frame))
		return ST_BAD_FRAME;
	return likely(frame->type == type) ? ST_OK : ST_WRONG_TYPE;
}

/* The frame is this pool's and holds nothing that a new object would replace. */
static status_t object_check_unused(const struct batch *batch, uint64_t pfn)
{
	const struct frame *frame = object_frame(batch, pfn);

	if (!frame)
		return ST_BAD_FRAME;
	return frame->type == FRAME_FREE || frame->type == FRAME_DATA ? ST_OK : ST_WRONG_TYPE;
}

static status_t op_space_create(struct batch *batch, const struct op *op)
{
	uint64_t pool = op->b >> SPACE_POOL_SHIFT;
	status_t status = object_check_unused(batch, OP_PFN(op->head));

	if (status == ST_OK)
		status = object_check_unused(batch, op->a);
	if (status != ST_OK)
		return status;
	if ((uint32_t)op->b & ~SPACE_RIGHTS)
		return ST_BAD_ARGUMENT;
	if (pool >= POOL_COUNT || (pool && !pool_table[pool].live))
		return ST_BAD_ARGUMENT;
	if (pool && !pool_is_within((uint16_t)pool, batch->pool))
		return ST_NO_RIGHT;
	/* Rights that the caller's space lacks cannot be given on; the promise can. */
	if (batch->caller && ((uint32_t)op->b & ~(batch->caller->space->flags | SPACE_FPU_NONE)))
		return ST_NO_RIGHT;
	return space_create(OP_PFN(op->head), (pfn_t)op->a, (uint32_t)op->b, (uint16_t)pool);
}

static status_t op_space_grant(struct batch *batch, const struct op *op)
{
	struct space *space = space_of(OP_PFN(op->head));
	const struct space *giver = batch->caller->space;
	uint64_t first = op->a & UINT32_MAX;
	uint64_t count = op->a >> 32;
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_SPACE);

	if (status != ST_OK)
		return status;
	if (first + count > IO_PORTS || op->b > 0xffff)
		return ST_BAD_ARGUMENT;
	if (count && (first < giver->io_first || first + count > giver->io_first + giver->io_count))
		return ST_NO_RIGHT;
	if (op->b & ~(uint64_t)giver->irq_mask)
		return ST_NO_RIGHT;
	space->io_first = (uint16_t)first;
	space->io_count = (uint32_t)count;
	space->irq_mask = (uint32_t)op->b;
	return ST_OK;
}

static status_t op_thread_create(struct batch *batch, const struct op *op)
{
	status_t status = object_check_unused(batch, OP_PFN(op->head));

	if (status == ST_OK)
		status = object_check(batch, op->a, FRAME_SPACE);
	if (status != ST_OK)
		return status;
	status = priority_check(batch, op->b);
	if (status != ST_OK)
		return status;
	return thread_create(OP_PFN(op->head), space_of((pfn_t)op->a), (uint32_t)op->b);
}

/* A thread that waits in a queue moves to that of its new priority. */
static void thread_set_priority(struct thread *thread, uint8_t priority)
{
	thread->priority = priority;
	if (thread->state == THREAD_QUEUED) {
		ipc_requeue(thread, priority);
	} else if (thread->state == THREAD_READY && this_cpu()->current != thread) {
		sched_remove(thread);
		thread->effective = priority;
		sched_ready(thread);
	} else {
		thread->effective = priority;
	}
}

/* A fault or exception port: the caller's handle, with a badge of its choice. */
static status_t thread_set_port(struct batch *batch, struct object_ref *ref, const struct op *op)
{
	const struct handle *handle;

	if (op->a == 0) {
		*ref = (struct object_ref){ 0 };
		return ST_OK;
	}
	if (op->a >= HANDLE_SLOTS)
		return ST_BAD_HANDLE;
	handle = handle_get_quickly(batch->caller->space, (uint32_t)op->a);
	if (!handle)
		return ST_BAD_HANDLE;
	if ((handle->rights & (RIGHT_SEND | RIGHT_MINT)) != (RIGHT_SEND | RIGHT_MINT))
		return ST_NO_RIGHT;
	*ref = (struct object_ref){ .pfn = handle->pfn, .id = handle->id, .badge = op->b };
	return ST_OK;
}

static status_t thread_set_message(struct batch *batch, struct thread *thread, uint64_t pfn)
{
	status_t status;

	if (pfn) {
		status = object_check(batch, pfn, FRAME_MSG);
		if (status == ST_OK && frame_table[pfn].holds)
			status = ST_BUSY;
		if (status == ST_OK)
			status = frame_hold((pfn_t)pfn);
		if (status != ST_OK)
			return status;
	}
	if (thread->message)
		frame_release(thread->message);
	thread->message = (pfn_t)pfn;
	return ST_OK;
}

static status_t thread_set_start(struct thread *thread, uint64_t rip, uint64_t rsp)
{
	struct registers start = { .rip = rip, .rsp = rsp };

	if (thread->state != THREAD_STOPPED && thread->state != THREAD_PARKED)
		return ST_BUSY;
	return exception_set_registers(thread, &start) ? ST_OK : ST_BAD_ARGUMENT;
}

/* Fields that are one value. */
static bool field_is_single(uint32_t field)
{
	return field == THREAD_FIELD_PRIORITY || field == THREAD_FIELD_FS_BASE ||
	       field == THREAD_FIELD_MESSAGE;
}

static status_t op_thread_set(struct batch *batch, const struct op *op)
{
	struct thread *thread = thread_of(OP_PFN(op->head));
	status_t status;

	if (op->b && field_is_single(OP_INDEX(op->head)))
		return ST_BAD_ARGUMENT;
	status = object_check(batch, OP_PFN(op->head), FRAME_THREAD);
	if (status != ST_OK)
		return status;
	switch (OP_INDEX(op->head)) {
	case THREAD_FIELD_PRIORITY:
		status = priority_check(batch, op->a);
		if (status == ST_OK)
			thread_set_priority(thread, (uint8_t)op->a);
		return status;
	case THREAD_FIELD_START:
		return thread_set_start(thread, op->a, op->b);
	case THREAD_FIELD_ARGUMENTS:
		thread->registers.rdi = op->a;
		thread->registers.rsi = op->b;
		return ST_OK;
	case THREAD_FIELD_FS_BASE:
		if (!address_is_canonical(op->a))
			return ST_BAD_ARGUMENT;
		switch_set_fs_base(thread, op->a);
		return ST_OK;
	case THREAD_FIELD_FAULT_PORT:
		return thread_set_port(batch, &thread->fault_port, op);
	case THREAD_FIELD_EXCEPTION_PORT:
		return thread_set_port(batch, &thread->exception_port, op);
	case THREAD_FIELD_MESSAGE:
		return thread_set_message(batch, thread, op->a);
	case THREAD_FIELD_NAME:
		((uint64_t *)(void *)thread->name)[0] = op->a;
		((uint64_t *)(void *)thread->name)[1] = op->b;
		return ST_OK;
	default:
		return ST_BAD_ARGUMENT;
	}
}

/* Registers of a thread can be read or copied while it does not run. */
static bool thread_is_still(const struct thread *thread)
{
	return thread->state != THREAD_READY;
}

static status_t op_thread_get(struct batch *batch, const struct op *op)
{
	struct thread *thread = thread_of(OP_PFN(op->head));
	const uint64_t *words = (const uint64_t *)&thread->registers;
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_THREAD);

	if (status != ST_OK)
		return status;
	if (!thread_is_still(thread))
		return ST_BUSY;
	if (!batch_has_room(batch, REGISTER_WORDS))
		return ST_MORE;
	thread_complete_registers(thread);
	for (uint32_t i = 0; i < REGISTER_WORDS; i++)
		batch_result(batch, words[i]);
	return ST_OK;
}

static status_t op_thread_clone(struct batch *batch, const struct op *op)
{
	struct thread *to = thread_of(OP_PFN(op->head));
	struct thread *from;
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_THREAD);

	if (status == ST_OK)
		status = object_check(batch, op->a, FRAME_THREAD);
	if (status != ST_OK)
		return status;
	from = thread_of((pfn_t)op->a);
	if (to == from)
		return ST_BAD_ARGUMENT;
	if (to->state != THREAD_STOPPED || !thread_is_still(from))
		return ST_BUSY;
	switch_save_fpu(from);
	to->registers = from->registers;
	to->fs_base = from->fs_base;
	to->gs_base = from->gs_base;
	to->upcall_entry = from->upcall_entry;
	to->upcall_stack = from->upcall_stack;
	to->upcall_argument = from->upcall_argument;
	to->fault_port = from->fault_port;
	to->exception_port = from->exception_port;
	memory_copy_words(to->fpu_area, from->fpu_area, (fpu_bytes + 7) / 8);
	return ST_OK;
}

static status_t op_thread_start(struct batch *batch, const struct op *op)
{
	struct thread *thread = thread_of(OP_PFN(op->head));
	status_t status;

	if (!OP_FLAGS(op->head) && (op->a | op->b))
		return ST_BAD_ARGUMENT;
	status = object_check(batch, OP_PFN(op->head), FRAME_THREAD);
	if (status != ST_OK)
		return status;
	if (thread->state != THREAD_STOPPED && thread->state != THREAD_PARKED)
		return ST_BUSY;
	if (OP_FLAGS(op->head) & OP_START_ANSWER) {
		thread->registers.rax = ST_OK;
		thread->registers.rsi = op->a & ~TAG_KERNEL_BITS;
		thread->registers.rdx = op->b;
	}
	if (thread == this_cpu()->current)
		thread->state = THREAD_READY; /* it had stopped itself, in this very batch */
	else
		sched_ready(thread);
	return ST_OK;
}

static status_t op_thread_stop(struct batch *batch, const struct op *op)
{
	struct thread *thread = thread_of(OP_PFN(op->head));
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_THREAD);

	if (status != ST_OK)
		return status;
	if (thread->wait == WAIT_CALL &&
	    (thread->state == THREAD_QUEUED || thread->state == THREAD_SERVED))
		thread->registers.rax = ST_INTERRUPTED;
	if (thread->state == THREAD_RECEIVING)
		thread->registers.rax = ST_INTERRUPTED;
	ipc_detach(thread);
	return ST_OK;
}

static status_t op_thread_interrupt(struct batch *batch, const struct op *op)
{
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_THREAD);

	if (status == ST_OK)
		ipc_interrupt(thread_of(OP_PFN(op->head)));
	return status;
}

static status_t op_port_create(struct batch *batch, const struct op *op)
{
	struct space *space = batch->caller->space;
	uint32_t slot = OP_INDEX(op->head);
	pfn_t pfn = OP_PFN(op->head);
	status_t status = object_check_unused(batch, pfn);

	if (status != ST_OK)
		return status;
	if (slot == 0 || slot >= HANDLE_SLOTS)
		return ST_BAD_ARGUMENT;
	if (handle_get(space, slot))
		return ST_BUSY;
	status = port_create(pfn);
	if (status == ST_OK)
		handle_put(space, slot,
			&(struct handle){ .pfn = pfn, .rights = RIGHT_ALL, .id = port_of(pfn)->id });
	return status;
}

static status_t op_handle_set(struct batch *batch, const struct op *op)
{
	struct space *space = space_of(OP_PFN(op->head));
	uint32_t slot = OP_INDEX(op->head);
	uint32_t rights = (uint32_t)(op->a >> 16) & RIGHT_ALL;
	const struct handle *source;
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_SPACE);

	if (status != ST_OK)
		return status;
	if (slot == 0 || slot >= HANDLE_SLOTS || (op->a >> 20))
		return ST_BAD_ARGUMENT;
	if (rights == 0) {
		handle_put(space, slot, &(struct handle){ 0 });
		return ST_OK;
	}
	source = handle_get_quickly(batch->caller->space, (uint32_t)(op->a & 0xffff));
	if (!source)
		return ST_BAD_HANDLE;
	if ((rights & ~source->rights) ||
	    (op->b != source->badge && !(source->rights & RIGHT_MINT)))
		return ST_NO_RIGHT;
	handle_put(space, slot,
		&(struct handle){ .pfn = source->pfn, .rights = rights, .id = source->id, .badge = op->b });
	return ST_OK;
}

/* The space that FLUSH_SPACE means may be the one that ends: its frame is another thing from here
   on. */
static status_t destroy_space(struct batch *batch, struct space *space)
{
	status_t status = space_destroy(space);

	if (status == ST_OK && batch->scope == space)
		batch->scope = NULL;
	return status;
}

static status_t op_destroy(struct batch *batch, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	const struct frame *frame = batch_frame(batch, pfn);

	if (!frame)
		return ST_BAD_FRAME;
	if (frame->holds)
		return ST_BUSY;
	switch (frame->type) {
	case FRAME_THREAD:
		if (thread_of(pfn) == batch->caller)
			return ST_BUSY; /* the rest of the batch needs it */
		thread_destroy(thread_of(pfn));
		return ST_OK;
	case FRAME_SPACE:
		return destroy_space(batch, space_of(pfn));
	case FRAME_PORT:
		return port_destroy(port_of(pfn));
	default:
		return ST_WRONG_TYPE;
	}
}

static status_t op_port_reset(struct batch *batch, const struct op *op)
{
	status_t status = object_check(batch, OP_PFN(op->head), FRAME_PORT);

	if (status != ST_OK)
		return status;
	return ipc_requeue_served(port_of(OP_PFN(op->head)), OBJECT_WAITERS_MAX) ? ST_OK : ST_MORE;
}

/* A device range for a pool below the caller's. */
static status_t op_pool_device(struct batch *batch, const struct op *op)
{
	uint64_t first = OP_PFN(op->head);
	struct pool *pool;

	if (op->a >= POOL_COUNT || op->a == batch->pool ||
	    !pool_is_within((uint16_t)op->a, batch->pool))
		return ST_NO_RIGHT;
	if (op->b > frame_device_limit || first > frame_device_limit - op->b)
		return ST_BAD_ARGUMENT;
	if (op->b && !pool_has_device(batch->pool, first, op->b))
		return ST_NO_RIGHT;
	pool = &pool_table[op->a];
	pool->device_first = (uint32_t)first;
	pool->device_count = (uint32_t)op->b;
	return ST_OK;
}

#define NO_FIELD UINT64_MAX /* of an argument that has to be 0 */

/* The first operation on objects. */
enum { OP_OF_OBJECTS = OP_SPACE_CREATE };

/* The operations, from OP_SPACE_CREATE on: flags that each may have, bits of a and b that it may not. */
static const struct object_operation {
	operation_t *run;
	uint32_t flags;
	uint64_t surplus_a, surplus_b;
} object_operations[] = {
	[OP_SPACE_CREATE - OP_OF_OBJECTS] = { op_space_create, 0, 0, 0 },
	[OP_SPACE_GRANT - OP_OF_OBJECTS] = { op_space_grant, 0, 0, 0 },
	[OP_THREAD_CREATE - OP_OF_OBJECTS] = { op_thread_create, 0, 0, 0 },
	[OP_THREAD_SET - OP_OF_OBJECTS] = { op_thread_set, 0, 0, 0 },
	[OP_THREAD_GET - OP_OF_OBJECTS] = { op_thread_get, 0, NO_FIELD, NO_FIELD },
	[OP_THREAD_CLONE - OP_OF_OBJECTS] = { op_thread_clone, 0, 0, NO_FIELD },
	[OP_THREAD_START - OP_OF_OBJECTS] = { op_thread_start, OP_START_ANSWER, 0, 0 },
	[OP_THREAD_STOP - OP_OF_OBJECTS] = { op_thread_stop, 0, NO_FIELD, NO_FIELD },
	[OP_THREAD_INTERRUPT - OP_OF_OBJECTS] = { op_thread_interrupt, 0, NO_FIELD, NO_FIELD },
	[OP_PORT_CREATE - OP_OF_OBJECTS] = { op_port_create, 0, NO_FIELD, NO_FIELD },
	[OP_HANDLE_SET - OP_OF_OBJECTS] = { op_handle_set, 0, 0, 0 },
	[OP_DESTROY - OP_OF_OBJECTS] = { op_destroy, 0, NO_FIELD, NO_FIELD },
	[OP_PORT_RESET - OP_OF_OBJECTS] = { op_port_reset, 0, NO_FIELD, NO_FIELD },
	[OP_POOL_DEVICE - OP_OF_OBJECTS] = { op_pool_device, 0, 0, 0 },
};

_Static_assert(sizeof(object_operations) / sizeof(object_operations[0]) == OP_COUNT - OP_OF_OBJECTS,
	"a row for each operation on objects");

status_t object_operation(struct batch *batch, const struct op *op)
{
	const struct object_operation *operation =
		&object_operations[OP_CODE(op->head) - OP_OF_OBJECTS];

	if (unlikely((OP_FLAGS(op->head) & ~operation->flags) | (op->a & operation->surplus_a) |
		     (op->b & operation->surplus_b)))
		return ST_BAD_ARGUMENT;
	return operation->run(batch, op);
}
