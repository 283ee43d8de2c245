/*
 * Windows: a fault brings its neighbours, too.
 *
 * Of a file: the pages around the fault that are in memory, aligned, in one leaf table, one region,
 * and one leaf table of the object; so it is one read of each of these tables, and one operation.  Where
 * the object has no holes there is nothing to read: the object's entries are copied in a guess that
 * the window is empty.  If it is not, the kernel refuses the copy, and the tables are read after all.
 *
 * Of anonymous memory where the program has allowed it (MAP_LARGE): all pages around the fault, aligned,
 * that a call of the kernel can clear.
 *
 * Of other anonymous memory: the pages behind the fault, if the space writes in order (its *stream*).  Each
 * first write right behind the last window doubles it, up to WINDOW_PAGES; any other first write
 * begins a new stream with a page alone.  Now and then the accessed bits of the last window are looked
 * at: if half of it was not used, the stream begins anew.  Neighbours are mapped with A off, so
 * this is known.  The frames follow one another mostly, so a window is an operation or two; it fills empty entries
 * only, and fault_settle() takes back what was not needed.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_WINDOW_H
#define PAGER_WINDOW_H

#include "object.h"
#include "tables.h"
#include <call.h>

#define WINDOW_PAGES OBJECT_WINDOW
#define WINDOW_LARGE ((uint32_t)(OP_WORK_MAX / OP_WORK_CLEAR)) /* and within the pager's slice */

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

/*
 * A first write of anonymous memory, at this entry: false if it is where the stream goes on, and a window
 * is due.  Else it begins a stream.
 */
static inline bool stream_begins(struct stream *stream, pfn_t table, uint32_t index)
{
	uint64_t place = stream_place(table, index);

	if (place == stream->next)
		return false;
	stream->next = place + stream_place(0, 1);
	return true;
}

/*
 * Turn the message of a fault into the reply that cures it by a window, without a look at tables.  False: it
 * has not changed.
 */
bool fault_window(struct message *message);

#endif
