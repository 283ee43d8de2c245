/*
 * Requests of system servers about spaces: make, fork, destroy, start, handles, memory from
 * outside.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"
#include "fault.h"
#include "fork.h"
#include "request.h"

/* PAGER_SPACE_CREATE */
status_t request_space_create(struct request *request)
{
	struct space *space;
	uint64_t class = request->w[1], rights = request->w[2];
	status_t status;

	if (class > CLASS_SERVER || rights & ~(uint64_t)SPACE_RIGHTS)
		return ST_BAD_ARGUMENT;
	frame_pool_class = class == CLASS_SERVER ? FRAMES_SERVER : FRAMES_PROGRAM;
	status = space_create((uint32_t) class, request->w[0], rights, &space);
	if (status != ST_OK)
		return status;
	request->w[0] = space->id;
	request->w[1] = space->frame;
	request->w[2] = space->thread;
	return ST_OK;
}

/* PAGER_SPACE_FORK */
status_t request_space_fork(struct request *request)
{
	struct space *child;
	status_t status = fork_space(request->space, request->w[1], &child);

	if (status == ST_OK)
		request->w[0] = child->id;
	return status;
}

/* PAGER_SPACE_DESTROY */
status_t request_space_destroy(struct request *request)
{
	return space_destroy(request->space);
}

/* PAGER_SPACE_WRITE.  The payload is in the bounce page. */
status_t request_space_write(struct request *request)
{
	uint64_t address = request->w[1], done = 0;

	while (done < request->bytes) {
		uint64_t part = request_page_part(address + done, request->bytes - done);
		pfn_t frame;
		status_t status = fault_touch(request->space, address + done, FAULT_WRITE, &frame);

		if (status == ST_OK)
			status = request_copy_out(frame, (address + done) % PAGE_SIZE, done, part);
		if (status != ST_OK)
			return status;
		done += part;
	}
	request->bytes = 0;
	return ST_OK;
}

/* PAGER_SPACE_READ */
status_t request_space_read(struct request *request)
{
	uint64_t address = request->w[1], bytes = request->w[2], done = 0;

	if (bytes > PAGE_SIZE)
		return ST_BAD_ARGUMENT;
	while (done < bytes) {
		uint64_t part = request_page_part(address + done, bytes - done);
		pfn_t frame;
		status_t status = fault_touch(request->space, address + done, 0, &frame);

		if (status == ST_OK)
			status = request_copy_in(frame, (address + done) % PAGE_SIZE, done, part);
		if (status != ST_OK)
			return status;
		done += part;
	}
	request->bytes = (uint32_t)bytes;
	return ST_OK;
}

static void set_thread(const struct space *space, uint32_t field, uint64_t a, uint64_t b)
{
	mmu_add(op_head(OP_THREAD_SET, 0, space->thread, field, 0), a, b);
}

/* PAGER_SPACE_START */
status_t request_space_start(struct request *request)
{
	const struct space *space = request->space;

	set_thread(space, THREAD_FIELD_START, request->w[1], request->w[2]);
	set_thread(space, THREAD_FIELD_ARGUMENTS, request->w[3], 0);
	set_thread(space, THREAD_FIELD_FS_BASE, request->w[4], 0);
	mmu_add(op_head(OP_THREAD_START, 0, space->thread, 0, 0), 0, 0);
	return mmu_run();
}

/* PAGER_SPACE_HEAP */
status_t request_space_heap(struct request *request)
{
	uint64_t start = request->w[1];

	if (start < LAYOUT_USER_MIN || start >= LAYOUT_USER_END)
		return ST_BAD_ARGUMENT;
	if (request->space->brk_now != request->space->brk_start)
		return ST_EXISTS;
	request->space->brk_start = request->space->brk_now = start;
	return ST_OK;
}

/* Its own port: a handle with all rights for the space, one to send, mint and give for who asks. */
static status_t make_port(struct space *space)
{
	status_t status;

	frame_pool_begin();
	space->port = frame_pool_take_blank(KIND_KERNEL);
	mmu_add(op_head(OP_PORT_CREATE, 0, space->port, OWN_SLOT_PORT, 0), 0, 0);
	mmu_add(op_head(OP_HANDLE_SET, 0, space->frame, SLOT_SELF, 0),
		OWN_SLOT_PORT | (uint64_t)RIGHT_ALL << 16, 0);
	status = mmu_run();
	if (status == ST_OK)
		status = mmu_handle_copy(
			OWN_SLOT_PORT, OWN_SLOT_GIVE, RIGHT_SEND | RIGHT_MINT | RIGHT_GIVE);
	return status;
}

static void unmake_port(struct space *space)
{
	if (mmu_frame(space->port)->type == FRAME_PORT) {
		mmu_add(op_head(OP_DESTROY, 0, space->port, 0, 0), 0, 0);
		if (mmu_run() != ST_OK)
			return;
	}
	frame_pool_undo();
	space->port = 0;
}

/* PAGER_SPACE_PORT */
status_t request_space_port(struct request *request)
{
	status_t status;

	if (request->space->port != 0)
		return ST_EXISTS;
	if (!frame_pool_has(1))
		return ST_NO_MEMORY;
	mmu_handle_drop(OWN_SLOT_PORT);
	mmu_handle_drop(OWN_SLOT_GIVE); /* the answer before took a copy of it along */
	status = make_port(request->space);
	mmu_handle_drop(OWN_SLOT_PORT);
	if (status != ST_OK)
		unmake_port(request->space);
	else
		request->give = OWN_SLOT_GIVE;
	return status;
}

/* PAGER_SPACE_HANDLE */
status_t request_space_handle(struct request *request)
{
	uint64_t slot = request->w[1];

	if (slot == 0 || slot >= HANDLE_SLOTS)
		return ST_BAD_ARGUMENT;
	if (!request->got_handle)
		return ST_BAD_HANDLE;
	mmu_add(op_head(OP_HANDLE_SET, 0, request->space->frame, (uint32_t)slot, 0),
		OWN_SLOT_RECEIVE | (uint64_t)mmu_handle_rights(OWN_SLOT_RECEIVE) << 16,
		request->w[2]);
	return mmu_run();
}

/* PAGER_SPACE_LIMIT */
status_t request_space_limit(struct request *request)
{
	request->space->limit = request->w[1];
	return ST_OK;
}

/* PAGER_SPACE_NAME */
status_t request_space_name(struct request *request)
{
	request_copy_name(request->space->name, &request->w[1]);
	if (request->space->thread == 0)
		return ST_OK;
	set_thread(request->space, THREAD_FIELD_NAME, request->w[1], request->w[2]);
	return mmu_run();
}

/* PAGER_SPACE_INTERRUPT */
status_t request_space_interrupt(struct request *request)
{
	mmu_add(op_head(OP_THREAD_INTERRUPT, 0, request->space->thread, 0, 0), 0, 0);
	return mmu_run();
}

/* PAGER_TEMPLATE */
status_t request_template(struct request *request)
{
	uint64_t slot = request->w[0], rights = request->w[1];
	uint32_t held = request->got_handle ? mmu_handle_rights(OWN_SLOT_RECEIVE) : 0;
	uint32_t own = OWN_SLOT_TEMPLATES + (uint32_t)slot;
	status_t status;

	if (slot == 0 || (slot >= SLOT_TEMPLATES && slot != SLOT_INIT) || rights == 0 ||
		rights > RIGHT_ALL)
		return ST_BAD_ARGUMENT;
	if (held == 0)
		return ST_BAD_HANDLE;
	if (rights & ~(uint64_t)held || !(held & RIGHT_MINT))
		return ST_NO_RIGHT;
	mmu_handle_drop(own);
	space_templates[slot] = (struct space_template){ 0 };
	status = mmu_handle_copy(OWN_SLOT_RECEIVE, own, held);
	if (status == ST_OK)
		space_templates[slot] = (struct space_template){ own, (uint32_t)rights };
	return status;
}

/* PAGER_VICTIM */
status_t request_victim(struct request *request)
{
	const struct space *victim = account_next_victim();

	if (!victim)
		return ST_NOT_FOUND;
	request->w[0] = victim->badge;
	return ST_OK;
}
