/*
 * Moving a mapping (PAGER_MREMAP): the job, from the first table to the last region.
 *
 *	prepare ---> commit ---> move ---> the rest of the old range is unmapped (JOB_UNMAP)
 *	   |            |
 *	   '-> trim <---'  refused: tables made in vain go, and nothing else has changed
 *
 * The commit changes the region map in one step; behind it nothing asks for memory.  The space is
 * busy all the while: nobody finds regions and pages that do not fit each other.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_REMAP_H
#define PAGER_REMAP_H

#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

struct space;

/* Describe the job: old and new range; `replace`: the new one may hold something that goes. */
struct remap {
	uint64_t start, bytes, new_start, new_bytes;
	bool replace;
};
void remap_prepare(struct space *space, const struct remap *remap);

/* May the space promise what it has after this, less what goes? */
MUST_CHECK status_t remap_check_commit(const struct space *space, const struct remap *remap);

/* One step of JOB_REMAP or JOB_TRIM: *done at the end of the latter, with the status that led to
   it. */
MUST_CHECK status_t remap_step(struct space *space, bool *done);

/* One step of JOB_MOVE. */
MUST_CHECK status_t remap_move_step(struct space *space);

#endif
