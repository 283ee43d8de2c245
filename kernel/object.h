/*
 * Making and ending objects: spaces, threads, ports.  Used by operations and by root_load.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <faultline/status.h>
#include "thread.h"

static inline struct space *space_of(pfn_t pfn) { return (struct space *)frame_memory(pfn); }
static inline struct thread *thread_of(pfn_t pfn) { return (struct thread *)frame_memory(pfn); }
static inline struct port *port_of(pfn_t pfn) { return (struct port *)frame_memory(pfn); }

/* Unused FREE or DATA frames become objects.  flags, pool: see SPACE_*.  BUSY, WRONG_TYPE. */
status_t space_create(pfn_t pfn, pfn_t top, uint32_t flags, uint16_t pool) MUST_CHECK;
status_t thread_create(pfn_t pfn, struct space *space, uint32_t priority) MUST_CHECK;
status_t port_create(pfn_t pfn) MUST_CHECK;

/* The object a reference names, or NULL when it is gone. */
struct port *port_find(const struct object_ref *ref);

#endif
