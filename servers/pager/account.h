/*
 * Accounts: what spaces may promise, and who goes when memory is used up.
 *
 * Committed: pages a space could come to need for itself (private and writable), from the sums in
 * its region map, and the shared anonymous memory it made.  Checked when regions change: per space,
 * and over all if a share of the frames was set.  Promises may exceed memory otherwise.
 *
 * Resident: pages present in its tables, whether shared with relatives or not.
 *
 * When a fault finds no frame it waits.  Jobs and the reaper run first; when they have nothing
 * left and still none is free, the program with the most resident pages goes, if it has more than
 * its share; of equals the youngest.  Servers never.  If nobody is over its share, those who wait
 * are refused.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_ACCOUNT_H
#define PAGER_ACCOUNT_H

#include "space.h"

extern uint64_t account_committed;   /* over all spaces, in pages */
extern uint64_t account_limit;	     /* of that; UINT64_MAX: none */
extern uint64_t account_space_limit; /* of a new space */
extern uint64_t account_victims;     /* so far */

void account_start(const struct pager_boot *boot);

/* May all spaces together commit `pages` more? */
bool account_has_room(uint64_t pages);

/* May this space? */
MUST_CHECK status_t account_check(const struct space *space, uint64_t pages);

/* Bring the account up to date with the region map. */
void account_update(struct space *space);

/* Pages promised that the region map does not show yet. */
static inline void account_promise(struct space *space, uint64_t pages)
{
	space->committed += pages;
	account_committed += pages;
}

/* The space leaves: nothing of it counts any more. */
void account_close(struct space *space);

/* The fault with this token waits for memory. */
void account_wait(struct space *space, uint64_t token);

/* The space does not wait any more (it is answered, or gone). */
void account_forget(struct space *space);

/* Does any fault wait for memory? */
bool account_is_waiting(void);

/* Frames are free again: let those who wait try again, if there are enough. */
void account_retry(void);

/* Its thread stops for good, its memory goes; the process server is told. */
void account_kill(struct space *space);

/* Nothing is left to be done, and faults wait: choose a victim, or refuse them. */
void account_relieve(void);

/* The next victim that nobody was told of, or NULL. */
struct space *account_next_victim(void);

#endif
