/*
 * Handle tables: small integers for ports, per space.
 *
 * A handle names its port by frame and id.  When the port is destroyed the id is never used
 * again, so all its handles are stale at once; nothing has to look for them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_HANDLE_H
#define KERNEL_HANDLE_H

#include <faultline/status.h>
#include "object.h"

/* The live handle in a slot, or NULL. */
static inline struct handle *handle_get(struct space *space, uint32_t slot)
{
	struct handle *handle;

	if (slot >= HANDLE_SLOTS)
		return NULL;
	handle = &space->handles[slot];
	if (handle->pfn == 0)
		return NULL;
	if (frame_table[handle->pfn].type != FRAME_PORT || port_of(handle->pfn)->id != handle->id)
		return NULL;
	return handle;
}

/* The same in few instructions, where it was done in this epoch (handle_epoch). */
static inline struct handle *handle_get_quickly(struct space *space, uint32_t slot)
{
	struct handle *handle;

	if (__builtin_expect(slot < HANDLE_SLOTS && space->looked_at[slot] == handle_epoch, 1))
		return &space->handles[slot];
	handle = handle_get(space, slot);
	if (handle)
		space->looked_at[slot] = handle_epoch;
	return handle;
}

/* Put something else, or nothing, into a slot. */
static inline void handle_put(struct space *space, uint32_t slot, const struct handle *handle)
{
	if (space->handles[slot].pfn != 0)
		handle_epoch++;
	space->looked_at[slot] = 0;
	space->handles[slot] = *handle;
}

/* BAD_HANDLE or NO_RIGHT unless the slot holds a live handle with these rights. */
status_t handle_check(struct space *space, uint32_t slot, uint32_t rights) MUST_CHECK;

/* Copy a handle that is sent along with a message; the target slot must be empty or stale. */
status_t handle_transfer(struct space *from, uint32_t slot, struct space *to, uint32_t target) MUST_CHECK;

/* Put a handle into a slot (empty or stale), with fewer rights and another badge. */
status_t handle_place(struct space *to, uint32_t target, const struct handle *source,
		      uint32_t rights, uint64_t badge) MUST_CHECK;

#endif
