/*
 * Windows: a fault on a page of a file maps its neighbours, too, as far as they are in memory.
 *
 * A window is a run of pages around the fault, aligned, in one leaf table, one region, and one
 * leaf table of the object; so it is one read of each of these tables, and one operation.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_WINDOW_H
#define PAGER_WINDOW_H

#include "object.h"
#include "tables.h"

struct window {
	uint32_t index, count;	     /* entries of the leaf table */
	pfn_t frames[OBJECT_WINDOW]; /* 0: leave the entry alone */
};

/*
 * Find the frames of the window around path->address, and leave out what is mapped already.  Runs
 * batches: nothing may have been collected.  False: there is no more than the page itself.
 */
bool window_fill(struct window *window, const struct path *path, const struct region *region,
	struct object *object);

/* Collect the operation that maps them below the path; returns the number of pages. */
uint64_t window_add(const struct window *window, const struct path *path, uint64_t bits);

#endif
