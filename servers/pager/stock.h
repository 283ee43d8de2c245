/*
 * The stock: frames cleared ahead of use, when nobody else has work for the processor.
 *
 * A page that a program writes first must be zeros, and clearing one takes longer than all else of the
 * fault.  So a thread of the lowest priority (init's, servers/init/idle.c) calls again and again
 * (PAGER_IDLE), and each call clears some frames: as many as leave the pager as quick as ever to whoever
 * comes next.  A thread that never runs while another can is all there is of idle time: the pager itself
 * need not know what the rest of the machine does, and nothing is cleared on anybody's account.
 *
 * When a share of the free frames is blank the call is kept, and answered when half of that is used: so
 * an idle machine is at rest.
 *
 * Blank frames are shared out: some for the next tables and objects, which come first, some for pages, down to
 * the mark, but no more than were cleared here: the frames of tables are scattered, and pages come in runs.  Whoever takes counts down what is his, and looks when that is 0: then the mark is compared, and
 * the answer goes out with the next slice of work (job.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_STOCK_H
#define PAGER_STOCK_H

#include "frame_pool.h"
#include <stdbool.h>
#include <stdint.h>

#define STOCK_SHARE 4u	   /* one free frame in so many ... */
#define STOCK_MOST  16384u /* ... but no more than 64 MiB */
#define STOCK_STEP  16u	   /* frames that one call clears */

#define TABLES_KEPT    512u /* blank frames that pages leave to tables and objects, ... */
#define TABLES_AT_ONCE 64u  /* ... and how many of these go until somebody looks */

/* Nobody waits.  Before the frame pool starts. */
void stock_start(void);

/* Clear some frames.  False: there are enough. */
bool stock_fill(void);

/* Answer this token when half of them are used.  LIMIT: another one waits. */
MUST_CHECK status_t stock_wait(uint64_t token);

/* There is other work for idle time again: who waits is to be answered. */
void stock_rouse(void);

/* He is to be: answer. */
void stock_wake(void);

/* The caller of this token gives up: true if it waited here (it is to be answered now). */
bool stock_cancel(uint64_t token);

#endif
