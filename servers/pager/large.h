/*
 * Large pages: 2 MiB where the program has advised it (MAP_LARGE).
 *
 * A block of frames (blocks.h) is filled and then mapped by one entry of the table above the leaf tables'.  It is
 * filled with zeros; or, where the program has pages there already, with what these hold, and zeros for the
 * others: they are *promoted*, and their leaf table goes.  The aligned 2 MiB must lie in one region, which is private,
 * anonymous and writable.
 *
 *	a first write of a page    if no more than half of the 2 MiB is there
 *	ADVICE_LARGE               where more than half is there
 *	ADVICE_COLLAPSE            all of the range, advised or not
 *	populating                 as a first write
 *
 * So a fault always brings more than it copies: whoever drops pages and fills them again pays for each no more
 * than for one that is new.
 *
 * Filling takes so long that the pager looks for messages in between.  A fault begins a JOB_LARGE, of which it does
 * slice after slice itself as long as nobody waits; else it is done like any job, and the fault is answered at
 * its end.  The space is busy meanwhile, and its only thread waits, so nobody writes to pages that are copied.
 *
 *	job.start, end   the range              job.block   the frames of the 2 MiB at work, 0: none
 *	job.cursor       the 2 MiB at work      job.leaf    the leaf table there, 0: none
 *	job.rights       ADVICE_*, 0: a fault   job.filled  pages of the block that are filled
 *	job.word         the address of the fault
 *
 * Whatever touches a part of such a page splits the entry first (path_split_large()).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_LARGE_H
#define PAGER_LARGE_H

#include "tables.h"

/* Is this access, for which the path stands so and ends in an empty entry, such a first write? */
bool large_is_due(struct space *space, uint32_t access, const struct path *path);

/* The same as far as it is known without a look at memory: the region holds the 2 MiB, and the leaf table has few pages. */
bool large_may_be_due(const struct region *region, uint64_t address, pfn_t leaf);

/* Take a block for the 2 MiB of the path: space->job is that of filling and mapping it. */
void large_begin(struct space *space, const struct path *path);

/* Fill a slice.  *done: it was the last; *is_awaited: there may be a message to receive.  If it is refused the
   block goes back. */
MUST_CHECK status_t large_fill(struct space *space, bool *done, bool *is_awaited);

/* All is filled, and nothing was there: collect the cure, one like others, to be undone by fault_undo(). */
void large_add(struct space *space, struct path *path);

/* All is filled: it is mapped.  If that is refused nothing has changed, and the block goes back. */
MUST_CHECK status_t large_map(struct space *space);

/* One step of JOB_LARGE. */
MUST_CHECK status_t large_step(struct space *space, bool *done);

/* Populating has come to job.cursor, in this region: is a large page due there, or begun?  Then one step of it, which
   moves the cursor behind it in the end.  False: it is not, or cannot be had. */
bool large_populate(struct space *space, const struct region *region);

/* The job is given up. */
void large_drop(struct space *space);

#endif
