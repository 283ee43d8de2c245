/*
 * Pools: the right to use a set of frames.  They form a tree; authority over a pool includes
 * all below it.  A fixed table (no heap); pool 0 is nobody's, pool 1 the root task's.
 *
 * A pool's number is used again after its end, so nothing may name a pool that ended: it keeps
 * counts of its frames, of the frames lent to it, and of the spaces whose threads may use it.
 *
 * Two things of the machine are not frames, so the tree limits them: the numbers of pools, and
 * priorities.  A new pool has the limits that its maker gives it, never wider ones than its maker's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_POOL_H
#define KERNEL_POOL_H

#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define POOL_COUNT     256
#define POOL_DEPTH_MAX 8
#define POOL_ROOT      1

#define POOL_PRIORITY_MAX 63u		      /* of the root's */
#define POOL_BELOW_MAX	  (POOL_COUNT - 2u) /* numbers beside 0 and the root's */

struct pool {
	bool live;
	uint16_t parent;
	uint32_t frames;   /* owned now */
	uint32_t borrowed; /* frames of others lent to it */
	uint32_t users;	   /* spaces that have it as their authority */
	uint8_t priority;  /* the greatest that it may give a thread */
	uint8_t below;	   /* live pools below it, at any depth */
	uint8_t below_max; /* at most so many */
	uint32_t device_first;  /* device pages it may map; the root's pool: all */
	uint32_t device_count;
	uint64_t tag;	   /* last commit tag, and the index its batch reached */
	uint32_t tag_index;
	uint32_t port_pfn; /* told when a thread of the pool is parked; 0: none */
	uint64_t port_id;
	uint64_t port_bits;
};

extern struct pool pool_table[POOL_COUNT];

void pool_init(void); /* pool 1 exists, owns nothing yet */

/* Is `pool` equal to or below `holder`?  Bounded by POOL_DEPTH_MAX.  Never for pool 0. */
bool pool_is_within(uint16_t pool, uint16_t holder);

/* A new pool with its parent's limits.  LIMIT: too many or too deep. */
status_t pool_create(uint16_t parent, uint16_t *pool) MUST_CHECK;

/* A pool below the holder's, without frames, children, loans and users.  BUSY, NO_RIGHT. */
status_t pool_destroy(uint16_t pool, uint16_t holder) MUST_CHECK;

/* May the pool map these device pages? */
bool pool_has_device(uint16_t pool, uint64_t first, uint64_t count);

/* A space begins or ceases to have the pool as its authority (0: nothing to count). */
void pool_add_user(uint16_t pool);
void pool_remove_user(uint16_t pool);

#endif
