/*
 * Jobs: work that is too long for one request, done in slices between messages.
 *
 * A space has at most one job, so it is part of the space.  While there is one the space is *busy*:
 * requests about it are refused with AGAIN, and a fault in it waits for the end.  The request that
 * began the job is answered at its end.  Besides, the reaper takes orphaned tables and released
 * region maps apart.
 *
 * A slice is a few batches that end in time (tables_effort).  Spaces take turns.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_JOB_H
#define PAGER_JOB_H

#include "move.h"
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

struct space;
struct region_node;

enum job_kind {
	JOB_NONE,
	JOB_UNMAP,    /* take away the pages of [cursor, end); `removed` held their regions */
	JOB_PROTECT,  /* take rights away in [cursor, end), then change the regions */
	JOB_POPULATE, /* fill [cursor, end) */
	JOB_ADVISE,   /* change what regions in [cursor, end) are advised to be */
	JOB_DISCARD,  /* take away the pages of [cursor, end); the regions stay */
	JOB_REMAP,    /* make tables ready for a move, then change the regions (remap.h) */
	JOB_MOVE,     /* move the pages; then UNMAP */
	JOB_LARGE,    /* fill blocks of frames and map them as large pages (large.h) */
	JOB_TRIM,     /* the move was refused: tables that are empty go */
	JOB_TEARDOWN  /* everything: the space is a victim or dying */
};

/* What changing the rights of regions means for the pages in them. */
struct rights_change {
	uint64_t remove, add; /* bits of W, U; NX */
	bool is_one;	      /* all are in one private region, ... */
	bool opens;	      /* ... which becomes writable ... */
	bool grants;	      /* ... and so do, at once, pages that have no other use */
};

struct job {
	uint8_t kind;	   /* enum job_kind */
	bool populate;	   /* UNMAP: [start, end) is to be filled afterwards */
	bool regions_next; /* PROTECT: the pages are done, the regions follow */
	uint32_t rights;   /* PROTECT: what the regions get; ADVISE: MAP_LARGE or 0; LARGE: ADVICE_*; ... */
	struct rights_change change; /* ... PROTECT: what the pages get */
	uint64_t start, cursor, end;
	uint64_t floor, ceiling;     /* UNMAP: no pages but those that go lie between these */
	struct region_node *removed; /* UNMAP, MOVE */
	struct move move;	     /* REMAP, MOVE: the cursor is an offset */
	uint64_t target_end;	     /* REMAP, TRIM: of the new range */
	status_t status;	     /* TRIM: why the move was refused */
	uint32_t block, leaf;	     /* LARGE, POPULATE: see large.h ... */
	uint16_t filled;	     /* ... */
	bool found;		     /* LARGE: some of the range is, or will be, a large page */
	uint64_t token;		     /* of the request to answer at the end; 0: nobody waits */
	uint64_t word;		     /* word 0 of that answer */
};

/* Begin the job that has been put into space->job: its first slice, if it is not a teardown.
   True: it is finished already, with *status. */
bool job_begin(struct space *space, status_t *status);

/* Give up the job of a space; whoever waits for it is answered NOT_FOUND. */
void job_drop(struct space *space);

/* The regions of a range are no longer needed: a few are taken apart now, more by the reaper. */
void job_release_regions(struct region_node **regions);
/* Region maps were released: the reaper takes them apart. */
void job_reap_regions(void);

/* Set by whoever leaves work behind; cleared when a slice finds nothing more. */
extern bool job_work_left;

/* Is there anything to be done between messages? */
static inline bool job_pending(void)
{
	return job_work_left;
}

/* Do one slice. */
void job_run_slice(void);

/* The caller of this token gives up: true if it waited here (it is to be answered now). */
bool job_cancel(uint64_t token);

/* PAGER_SETTLE: answer this token when no job is left.  LIMIT: too many wait already. */
MUST_CHECK status_t job_settle(uint64_t token);

/* Jobs now, the reaper counted as one. */
uint64_t job_count(void);

#endif
