/*
 * Making and ending objects.
 *
 * The order of death is thread, space, pool: a space with a thread is BUSY, a pool with a frame
 * too.  Ids come from one counter and are never used again.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"
#include "boot.h"
#include "exception.h"
#include "flush.h"
#include "ipc.h"
#include "list.h"
#include "log.h"
#include <machine/cpu.h>
#include "machine/selectors.h"
#include "pool.h"
#include "sched.h"
#include "table.h"

uint64_t handle_epoch = 1;

static uint64_t object_id_last;
static uint64_t token_last; /* no thread that ended had a greater one (but for its frame) */

static uint64_t object_id_next(void)
{
	return ++object_id_last;
}

/* Change the type of a frame that nothing refers to: the caller made sure. */
static void object_become(pfn_t pfn, frame_type_t type)
{
	status_t status = frame_retype(pfn, type);

	ASSERT(status == ST_OK);
}

/* An object's frame goes back to its pool. */
static void object_free(pfn_t pfn)
{
	object_become(pfn, FRAME_FREE);
}

static void slot_copy(pfn_t top, uint32_t slot)
{
	uint64_t *entries = frame_memory(top);
	const uint64_t *kernel = frame_memory(kernel_top);

	entries[slot] = kernel[slot];
}

/* The kernel's own slots of a top-level table, as far as memory_init() has used them: direct map, frame
   table, text; the read-only view of the frame table where the space may see it. */
static void top_fill(pfn_t top, uint32_t flags)
{
	uint32_t direct = ((frame_count - 1) >> (SLOT_SHIFT - PAGE_SHIFT)) + 1;
	uint64_t *entries = frame_memory(top);

	for (uint32_t i = 0; i < direct; i++)
		slot_copy(top, LAYOUT_DIRECT_FIRST_SLOT + i);
	slot_copy(top, LAYOUT_FRAME_TABLE_SLOT);
	slot_copy(top, LAYOUT_KERNEL_SLOT);
	if (flags & SPACE_SEES_FRAMES)
		entries[LAYOUT_VMEMMAP_SLOT] =
			(entries[LAYOUT_FRAME_TABLE_SLOT] | PTE_U) & ~(uint64_t)PTE_W;
}

status_t space_create(pfn_t pfn, pfn_t top, uint32_t flags, uint16_t pool)
{
	struct space *space = space_of(pfn);

	if (pfn == top || (flags & ~SPACE_RIGHTS))
		return ST_BAD_ARGUMENT;
	if (!frame_is_unused(&frame_table[pfn]) || !frame_is_unused(&frame_table[top]))
		return ST_BUSY; /* both, before the first is cleared */
	object_become(pfn, FRAME_SPACE);
	object_become(top, FRAME_TOP);
	top_fill(top, flags);
	space->id = object_id_next();
	space->top = top;
	space->flags = flags;
	space->pool = pool;
	pool_add_user(pool);
	list_init(&space->threads);
	return ST_OK;
}

status_t space_destroy(struct space *space)
{
	pfn_t top = space->top;

	if (!list_is_empty(&space->threads) || frame_table[top].live != 0 || frame_table[top].holds)
		return ST_BUSY;
	sched_forget_space(space);
	pool_remove_user(space->pool);
	object_free(top);
	frame_table[top].epoch = flush_epoch; /* the processor may have cached its entries */
	object_free(frame_number(space));
	return ST_OK;
}

status_t thread_create(pfn_t pfn, struct space *space, uint32_t priority)
{
	struct thread *thread = thread_of(pfn);
	status_t status;

	if (priority >= PRIORITY_COUNT)
		return ST_BAD_ARGUMENT;
	status = frame_retype(pfn, FRAME_THREAD);
	if (status != ST_OK)
		return status;
	thread->id = object_id_next();
	thread->space = space;
	thread->state = THREAD_STOPPED;
	thread->priority = thread->effective = (uint8_t)priority;
	thread->token = (token_last & ~TOKEN_PFN_MASK) | pfn;
	thread->registers.vector = VECTOR_BREAKPOINT;
	thread->registers.cs = SELECTOR_USER_CODE;
	thread->registers.ss = SELECTOR_USER_DATA;
	thread->registers.rflags = RFLAGS_BASE;
	cpu_fpu_init(thread->fpu_area);
	list_init(&thread->link);
	list_append(&space->threads, &thread->space_link);
	return ST_OK;
}

void thread_destroy(struct thread *thread)
{
	ipc_detach(thread);
	sched_forget(thread);
	list_remove(&thread->space_link);
	if (thread->message)
		frame_release(thread->message);
	if (thread->token > token_last)
		token_last = thread->token;
	object_free(frame_number(thread));
}

status_t port_create(pfn_t pfn)
{
	struct port *port = port_of(pfn);
	status_t status = frame_retype(pfn, FRAME_PORT);

	if (status != ST_OK)
		return status;
	port->id = object_id_next();
	for (uint32_t i = 0; i < PRIORITY_COUNT; i++)
		list_init(&port->queue[i]);
	list_init(&port->served);
	list_init(&port->cancels);
	list_init(&port->receivers);
	return ST_OK;
}

status_t port_destroy(struct port *port)
{
	port->id = 0; /* all handles are stale from here on */
	handle_epoch++;
	if (!ipc_fail_waiters(port, OBJECT_WAITERS_MAX))
		return ST_MORE;
	object_free(frame_number(port));
	return ST_OK;
}
