/*
 * Large pages: the first touch of 2 MiB where the program has advised it (MAP_LARGE).
 *
 * If the aligned 2 MiB around a first write lie in one such region, nothing of them is in the tables, and there
 * is a block of frames (blocks.h), all of it is cleared and mapped by one entry of the table above the
 * leaf tables'.  Clearing takes so long that the pager looks for messages in between: the fault begins a
 * JOB_LARGE, of which it does slice after slice itself as long as nobody waits; else it is done like
 * any job, and the fault is answered at its end.
 *
 *	job.start   the first address        job.block   the frames
 *	job.cursor  pages cleared so far
 *
 * Whatever touches a part of such a page splits the entry first (path_split_large()).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_LARGE_H
#define PAGER_LARGE_H

#include "tables.h"

/* Is this access, for which the path stands so, such a first touch? */
bool large_is_due(struct space *space, uint32_t access, const struct path *path);

/* Take a block for it: space->job is that of clearing and mapping it. */
void large_begin(struct space *space, uint64_t address);

/* Clear a slice.  *done: it was the last; *is_awaited: there may be a message to receive. */
MUST_CHECK status_t large_clear(struct space *space, bool *done, bool *is_awaited);

/* Collect the cure, which is the end of the job: a cure like others, to be undone by fault_undo(). */
void large_add(struct space *space, struct path *path);

/* One step of JOB_LARGE, at the end of which the page is mapped. */
MUST_CHECK status_t large_step(struct space *space, bool *done);

/* The job is given up. */
void large_drop(struct space *space);

#endif
