/*
 * The fault path: from an access that was refused to the operations that cure it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_FAULT_H
#define PAGER_FAULT_H

#include "tables.h"
#include <faultline/fault.h>

/* Frames that one cure takes at most: a path, a page, and a page of an object with its tables. */
#define FAULT_FRAMES (PATH_FRAMES + 1 + 7)

/* No reason to refuse, but no frames just now. */
#define FAULT_WAITS UINT32_MAX

/*
 * Find the cure of an access: REASON_NONE, and the operations are collected; or the reason why
 * there is none, or FAULT_WAITS.  `path` is that of the address; *region_start is that of the
 * region concerned, or 0.
 */
uint32_t fault_resolve(
	struct space *space, uint32_t access, struct path *path, uint64_t *region_start);

/* A fault of this space's that its region forbids, whatever is there: it is counted as refused.  The start of
   the region; or 0, and it is another one. */
uint64_t fault_forbidden(uint64_t badge, uint64_t address, uint32_t access);

/* The operations of the last fault_resolve() were refused: take back what it did. */
void fault_undo(void);

/*
 * A cure that filled a window has been done: were all its entries empty?  Frames for others go back.
 * Asked before anything else is done, so that it is the last cure.
 */
void fault_settle(void);

/* First touch of a message page. */
uint32_t fault_resolve_message(struct space *space, uint32_t access, struct path *path);

/* Make the page accessible as if the program had accessed it, and find its frame. */
MUST_CHECK status_t fault_touch(
	struct space *space, uint64_t address, uint32_t access, pfn_t *frame);

#endif
