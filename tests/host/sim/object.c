/*
 * Kernel objects for the host: frames of the right type with checked operations, but nothing runs.
 *
 * A space has an empty TOP; a thread remembers its space, registers that were set and its message
 * page (which it holds).  Handles and ports are not kept: operations on them check the named frames
 * and succeed.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"
#include "batch.h"
#include <stddef.h>

static frame_type_t type_of(const struct batch *batch, pfn_t pfn)
{
	struct frame *frame = batch_frame(batch, pfn);

	return frame ? (frame_type_t)frame->type : FRAME_NONE;
}

static status_t frame_may_become(const struct batch *batch, pfn_t pfn)
{
	frame_type_t now = type_of(batch, pfn);

	if (now == FRAME_NONE)
		return ST_BAD_FRAME;
	return now == FRAME_FREE || now == FRAME_DATA ? ST_OK : ST_WRONG_TYPE;
}

static status_t frame_become(const struct batch *batch, pfn_t pfn, frame_type_t type)
{
	status_t status = frame_may_become(batch, pfn);

	return status == ST_OK ? frame_retype(pfn, type) : status;
}

static status_t space_make(struct batch *batch, const struct op *op)
{
	pfn_t space = OP_PFN(op->head), top = (pfn_t)op->a;
	status_t status;

	if (op->a >= frame_count || space == top)
		return ST_BAD_FRAME;
	status = frame_may_become(batch, space);
	if (status == ST_OK)
		status = frame_may_become(batch, top);
	if (status == ST_OK && !(frame_is_unused(&frame_table[space]) && frame_is_unused(&frame_table[top])))
		status = ST_BUSY; /* both, before the first is cleared */
	if (status == ST_OK)
		status = frame_retype(top, FRAME_TOP);
	if (status == ST_OK)
		status = frame_retype(space, FRAME_SPACE);
	if (status != ST_OK)
		return status;
	space_of(space)->top = top;
	space_of(space)->flags = (uint32_t)op->b & SPACE_RIGHTS;
	space_of(space)->pool = (uint16_t)(op->b >> SPACE_POOL_SHIFT);
	return ST_OK;
}

static status_t thread_make(struct batch *batch, const struct op *op)
{
	status_t status;

	if (op->a >= frame_count || type_of(batch, (pfn_t)op->a) != FRAME_SPACE)
		return ST_WRONG_TYPE;
	status = frame_become(batch, OP_PFN(op->head), FRAME_THREAD);
	if (status == ST_OK)
		thread_of(OP_PFN(op->head))->space = space_of((pfn_t)op->a);
	return status;
}

static status_t thread_set_message(struct batch *batch, struct thread *thread, uint64_t pfn)
{
	status_t status = ST_OK;

	if (pfn != 0 && (pfn >= frame_count || type_of(batch, (pfn_t)pfn) != FRAME_MSG))
		return ST_WRONG_TYPE;
	if (pfn != 0)
		status = frame_hold((pfn_t)pfn);
	if (status != ST_OK)
		return status;
	if (thread->message != 0)
		frame_release(thread->message);
	thread->message = (pfn_t)pfn;
	return ST_OK;
}

static status_t thread_set(struct batch *batch, const struct op *op)
{
	struct thread *thread;

	if (type_of(batch, OP_PFN(op->head)) != FRAME_THREAD)
		return ST_WRONG_TYPE;
	thread = thread_of(OP_PFN(op->head));
	switch (OP_INDEX(op->head)) {
	case THREAD_FIELD_PRIORITY:
		thread->priority = (uint8_t)op->a;
		return op->a < PRIORITY_COUNT ? ST_OK : ST_BAD_ARGUMENT;
	case THREAD_FIELD_START:
		thread->registers = (struct registers){ .rip = op->a, .rsp = op->b };
		return ST_OK;
	case THREAD_FIELD_ARGUMENTS:
		thread->registers.rdi = op->a;
		thread->registers.rsi = op->b;
		return ST_OK;
	case THREAD_FIELD_FS_BASE:
		thread->fs_base = op->a;
		return ST_OK;
	case THREAD_FIELD_MESSAGE:
		return thread_set_message(batch, thread, op->a);
	default:
		return OP_INDEX(op->head) < THREAD_FIELDS ? ST_OK : ST_BAD_ARGUMENT;
	}
}

static status_t object_check(struct batch *batch, const struct op *op, frame_type_t type)
{
	return type_of(batch, OP_PFN(op->head)) == type ? ST_OK : ST_WRONG_TYPE;
}

static status_t thread_clone(struct batch *batch, const struct op *op)
{
	struct thread *thread;

	if (op->a >= frame_count || type_of(batch, (pfn_t)op->a) != FRAME_THREAD ||
		object_check(batch, op, FRAME_THREAD) != ST_OK)
		return ST_WRONG_TYPE;
	thread = thread_of(OP_PFN(op->head));
	thread->registers = thread_of((pfn_t)op->a)->registers;
	thread->fs_base = thread_of((pfn_t)op->a)->fs_base;
	return ST_OK;
}

static status_t object_end(struct batch *batch, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	status_t status;

	switch (type_of(batch, pfn)) {
	case FRAME_THREAD:
		status = thread_set_message(batch, thread_of(pfn), 0);
		break;
	case FRAME_SPACE:
		status = frame_retype(space_of(pfn)->top, FRAME_FREE);
		break;
	case FRAME_PORT:
		status = ST_OK;
		break;
	case FRAME_NONE:
		return ST_BAD_FRAME;
	default:
		return ST_WRONG_TYPE;
	}
	return status == ST_OK ? frame_retype(pfn, FRAME_FREE) : status;
}

/* The host's version of kernel/object.c's operations. */
status_t object_operation(struct batch *batch, const struct op *op)
{
	switch (OP_CODE(op->head)) {
	case OP_SPACE_CREATE:
		return space_make(batch, op);
	case OP_THREAD_CREATE:
		return thread_make(batch, op);
	case OP_THREAD_SET:
		return thread_set(batch, op);
	case OP_THREAD_CLONE:
		return thread_clone(batch, op);
	case OP_THREAD_START:
	case OP_THREAD_STOP:
	case OP_THREAD_INTERRUPT:
		return object_check(batch, op, FRAME_THREAD);
	case OP_SPACE_GRANT:
	case OP_HANDLE_SET:
		return object_check(batch, op, FRAME_SPACE);
	case OP_PORT_CREATE:
		return frame_become(batch, OP_PFN(op->head), FRAME_PORT);
	case OP_DESTROY:
		return object_end(batch, op);
	default:
		return ST_BAD_CALL;
	}
}
