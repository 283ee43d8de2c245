/*
 * Making, finding and ending objects: spaces, threads, ports.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <faultline/status.h>
#include "thread.h"

static inline struct space *space_of(pfn_t pfn)
{
	return (struct space *)frame_memory(pfn);
}

static inline struct thread *thread_of(pfn_t pfn)
{
	return (struct thread *)frame_memory(pfn);
}

static inline struct port *port_of(pfn_t pfn)
{
	return (struct port *)frame_memory(pfn);
}

/*
 * Goes up when a port ends, and when a handle is taken away or replaced.  What was found live when
 * this had the same value is live still.
 */
extern uint64_t handle_epoch;

/* The port a reference names, or NULL when it is gone (or there never was one). */
static inline struct port *port_find(const struct object_ref *ref)
{
	if (ref->pfn == 0 || frame_table[ref->pfn].type != FRAME_PORT ||
	    port_of(ref->pfn)->id != ref->id)
		return NULL;
	return port_of(ref->pfn);
}

/* The same in few instructions, where it was done in this epoch. */
static inline struct port *port_find_quickly(struct object_ref *ref)
{
	struct port *port;

	if (__builtin_expect(ref->looked_at == handle_epoch, 1))
		return port_of(ref->pfn);
	port = port_find(ref);
	if (port)
		ref->looked_at = handle_epoch;
	return port;
}

/*
 * Unused FREE or DATA frames become objects; their pool owns them.  BUSY when in use, WRONG_TYPE,
 * BAD_ARGUMENT.  flags: SPACE_*.  `pool` is what the space's threads may use in BATCH, 0 for none.
 */
status_t space_create(pfn_t pfn, pfn_t top, uint32_t flags, uint16_t pool) MUST_CHECK;
status_t thread_create(pfn_t pfn, struct space *space, uint32_t priority) MUST_CHECK;
status_t port_create(pfn_t pfn) MUST_CHECK;

/* The opposite; the frames become FREE.  A space needs to have no thread and an empty user part; ending
   a port with many waiters may take several calls (MORE). */
status_t space_destroy(struct space *space) MUST_CHECK;
void thread_destroy(struct thread *thread);
status_t port_destroy(struct port *port) MUST_CHECK;

/* The waiters that one call may take care of. */
#define OBJECT_WAITERS_MAX 256u

#endif
