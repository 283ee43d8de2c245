/*
 * Spaces: what the pager knows of each address space, and the table of all of them.
 *
 * An id is an index into the table and a generation above it, so that a stale one finds nothing.
 * It is the badge of the space's faults and of its handle to the pager.  A space has one thread.
 *
 *   LIVE     has a thread; faults and requests are served
 *   VICTIM   killed for lack of memory: its thread is stopped and its memory goes; it waits for
 *            the request that destroys it
 *   DYING    destroyed: its id finds it no more; if it has a port, a job takes the rest apart
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_SPACE_H
#define PAGER_SPACE_H

#include "frame_pool.h"
#include "job.h"
#include "mmu.h"
#include "region.h"
#include <faultline/call.h>
#include <faultline/fault.h>
#include <faultline/protocol/pager.h>

#define SPACE_INDEX_BITS  13
#define SPACES_MAX	  (1u << SPACE_INDEX_BITS)
#define SPACE_GENERATIONS (1u << (32 - SPACE_INDEX_BITS)) /* ids have 32 bits */

#define LEVELS_MAX 5

#define USER_SLOT_WORDS ((LAYOUT_USER_LAST_SLOT + 64) / 64)

enum space_state { SPACE_FREE, SPACE_LIVE, SPACE_VICTIM, SPACE_DYING };

/* The tables, by level, that lead to one leaf table: what is known need not be read again. */
struct path_known {
	uint64_t base; /* of the addresses below that leaf table, + 1; 0: none */
	pfn_t table[LEVELS_MAX + 1];
};

/* The range mapped last, as long as no page of it, nor of a region that it became a part of, has
   been asked for: nothing is in its tables.  end 0: none. */
struct untouched {
	uint64_t start, end;
};

/* The highest gap between regions with room for `least` bytes, where memory without an address goes;
   to 0: not known. */
struct room {
	uint64_t from, to, least;
};

/* First writes in order (window.h).  Entries of leaf tables are named as by stream_place(). */
struct stream {
	uint64_t next;	  /* where it goes on ... */
	uint64_t behind;  /* ... if it is where the last window ended */
	uint32_t pages;	  /* that this window brought */
	uint32_t windows; /* of full length, so far */
};

static inline uint64_t stream_place(pfn_t table, uint32_t index)
{
	return (uint64_t)table << OP_PFN_SHIFT | (uint64_t)index << OP_INDEX_SHIFT;
}

struct space {
	_Alignas(512) /* a power of two: to be found by a shift */
	void *free_link;     /* of the slab, while the space is free */
	uint32_t id;	     /* 0: free or dying */
	uint32_t generation; /* outlives the space: of the next one in this place */
	uint8_t state;	     /* enum space_state */
	uint8_t class;	     /* CLASS_PROGRAM, CLASS_SERVER */
	bool victim_told;    /* PAGER_VICTIM has named it */
	uint64_t badge;	     /* of the handles minted for it */
	char name[16];

	/* Kernel objects; 0: none */
	pfn_t frame, top, thread, message, port;
	uint64_t used[USER_SLOT_WORDS]; /* user slots of the top-level table that are not empty */

	struct region_node *regions;
	struct region last;	     /* a copy of the region found last; end 0: none */
	struct path_known known;     /* the tables found last */
	struct untouched untouched;
	struct room room;
	uint64_t last_bytes;	     /* of `last`: its length, ... */
	uint64_t last_bits;	     /* ... region_leaf_bits() ... */
	uint32_t last_quick;	     /* ... and a bit for each error code that fault_quick() cures */
	uint64_t brk_start, brk_now; /* 0: no heap */
	struct stream stream;

	/* The account, in pages (account.h) */
	uint64_t resident, committed, shared, limit;

	uint64_t waiting; /* token of a fault that waits for the job, or for memory; 0: none */
	bool waits_for_memory;
	struct job job;
	struct space *next, *previous; /* of all spaces that are not free */
	struct space *job_next;	       /* of those with a job */
	struct pager_space_stat counters;
};

extern struct space *space_first; /* in the order in which they were made */
extern uint64_t space_count;

/* Once, before all. */
MUST_CHECK status_t space_start(void);

extern struct slab space_slab;

/* The space with this id that is not dying, or NULL. */
static inline struct space *space_find(uint64_t id)
{
	uint64_t index = id & (SPACES_MAX - 1);
	struct space *space = (struct space *)(void *)space_slab.base + index;

	if (__builtin_expect(id == 0 || index >= space_slab.fresh, 0))
		return 0;
	return space->id == id ? space : 0;
}

/* The space that a fault names: its badge was made of an id of the table. */
static inline struct space *space_of_fault(uint64_t badge)
{
	struct space *space =
		(struct space *)(void *)space_slab.base + (badge & (SPACES_MAX - 1));

	return __builtin_expect(space->id == badge, 1) ? space : 0;
}

/* Remember a region as the one found last. */
void space_remember(struct space *space, const struct region *region);

/* The region that holds the address, or NULL.  Good until the next change of any map.  Whoever
   fills pages asks here. */
static inline const struct region *space_region(struct space *space, uint64_t address)
{
	const struct region *region;

	if (address - space->last.start < space->last_bytes)
		return &space->last;
	region = region_map_lookup(space->regions, address);
	if (region)
		space_remember(space, region);
	return region;
}

/* Is the range one of which no page was ever asked for?  (Not always known.) */
static inline bool space_is_untouched(const struct space *space, uint64_t start, uint64_t end)
{
	return space->untouched.start <= start && end <= space->untouched.end;
}

/* Nothing of the region found last holds any more. */
static inline void space_forget_last(struct space *space)
{
	space->last.start = space->last.end = space->last_bytes = 0;
}

/* After each change of the region map: forget what was found last, keep the account. */
void space_regions_changed(struct space *space);

/* After a change of rights alone.  The caller has seen to what was found last. */
void space_rights_changed(struct space *space);

/* Room in the table for one more space; to be asked for before space_take(). */
MUST_CHECK status_t space_reserve(void);

/* A new record: LIVE, with an id, nothing else. */
struct space *space_take(uint32_t class, uint64_t badge);

/* Its kernel objects are gone: the record is free. */
void space_give(struct space *space);

/*
 * Collect the operations that make the thread of a space and its ports and handles: frames are in
 * the record.  `clone`: the thread to copy, or 0.
 */
void space_add_thread(struct space *space, pfn_t clone);

/* The operations that make a space were refused: whatever was made goes, and the record with it. */
void space_abandon(struct space *space);

/* PAGER_SPACE_CREATE. */
MUST_CHECK status_t space_create(
	uint32_t class, uint64_t badge, uint64_t rights, struct space **space);

/* Ends the thread and the space; tables that nobody shares are the reaper's. */
MUST_CHECK status_t space_destroy(struct space *space);

/* One slice of that job: *done when nothing is left and the record is free. */
MUST_CHECK status_t space_teardown_step(struct space *space, bool *done);

/* A template for the handles of new programs: slot of the pager's table, rights; 0: none. */
struct space_template {
	uint32_t slot, rights;
};
extern struct space_template space_templates[];

static inline void space_mark_slot(struct space *space, uint32_t slot)
{
	space->used[slot / 64] |= 1ull << (slot % 64);
}

static inline void space_unmark_slot(struct space *space, uint32_t slot)
{
	space->used[slot / 64] &= ~(1ull << (slot % 64));
}

/* The next run of used slots at or above *slot: *slot and the length, 0 when there is none. */
uint32_t space_slot_run(const struct space *space, uint32_t *slot);

#endif
