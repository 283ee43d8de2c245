/*
 * Handle tables.
 *
 * Rules: a copy never has more rights than its source; another badge needs RIGHT_MINT; a slot
 * that holds a live handle is not overwritten by a message or a copy.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "handle.h"
#include "call_table.h"

status_t handle_check(struct space *space, uint32_t slot, uint32_t rights)
{
	const struct handle *handle = handle_get(space, slot);

	if (!handle)
		return ST_BAD_HANDLE;
	return (handle->rights & rights) == rights ? ST_OK : ST_NO_RIGHT;
}

status_t handle_place(struct space *to, uint32_t target, const struct handle *source,
		      uint32_t rights, uint64_t badge)
{
	if (target == 0 || target >= HANDLE_SLOTS || (rights & ~(uint32_t)RIGHT_ALL))
		return ST_BAD_ARGUMENT;
	if (handle_get(to, target))
		return ST_BUSY;
	if ((rights & ~source->rights) || (badge != source->badge && !(source->rights & RIGHT_MINT)))
		return ST_NO_RIGHT;
	handle_put(to, target,
		&(struct handle){ .pfn = source->pfn, .rights = rights, .id = source->id, .badge = badge });
	return ST_OK;
}

status_t handle_transfer(struct space *from, uint32_t slot, struct space *to, uint32_t target)
{
	const struct handle *source = handle_get(from, slot);

	if (!source)
		return ST_BAD_HANDLE;
	if (!(source->rights & RIGHT_GIVE)) /* it may have been replaced since it was queued */
		return ST_NO_RIGHT;
	return handle_place(to, target, source, source->rights, source->badge);
}

static status_t handle_copy(struct space *space, const struct registers *registers, bool mint)
{
	const struct handle *source;
	uint64_t badge;

	if (registers->rsi >= HANDLE_SLOTS)
		return ST_BAD_HANDLE;
	if (registers->rdx >= HANDLE_SLOTS || registers->r10 > RIGHT_ALL || registers->r10 == 0)
		return ST_BAD_ARGUMENT;
	source = handle_get(space, (uint32_t)registers->rsi);
	if (!source)
		return ST_BAD_HANDLE;
	if (mint && !(source->rights & RIGHT_MINT))
		return ST_NO_RIGHT;
	badge = mint ? registers->r8 : source->badge;
	return handle_place(space, (uint32_t)registers->rdx, source, (uint32_t)registers->r10, badge);
}

/* HANDLE: rdi = HANDLE_COPY ... */
struct thread *call_handle(struct thread *thread)
{
	struct registers *registers = &thread->registers;
	struct handle *handle;

	switch (registers->rdi) {
	case HANDLE_COPY:
	case HANDLE_MINT:
		return call_finish(thread, handle_copy(thread->space, registers,
						       registers->rdi == HANDLE_MINT));
	case HANDLE_DROP:
	case HANDLE_LOOK:
		break;
	default:
		return call_finish(thread, ST_BAD_ARGUMENT);
	}
	handle = registers->rsi < HANDLE_SLOTS ? handle_get(thread->space, (uint32_t)registers->rsi) :
						 NULL;
	if (!handle)
		return call_finish(thread, ST_BAD_HANDLE);
	if (registers->rdi == HANDLE_DROP) {
		handle_put(thread->space, (uint32_t)registers->rsi, &(struct handle){ 0 });
	} else {
		registers->rdx = handle->rights;
		registers->r10 = handle->badge;
	}
	return call_finish(thread, ST_OK);
}
