/*
 * The region map of a space: a persistent balanced tree of regions.
 *
 *          root of parent      root of child          A map is named by its root; a null root is
 *                  \             /    \               the empty map.  A root is one reference.
 *                   [c]        [c']   ...             Nodes are shared between maps and counted;
 *                   /  \       /  \                   a change copies the shared nodes on its path
 *                 [a]   [d]--'    [e]                 and edits the others in place.  So fork is
 *                                                     region_map_share(): one count.
 *
 * Regions are page-aligned, never overlap, and equal neighbours are merged (region_can_merge), so
 * that brk and mmap growth keep few regions.  The tree is an AVL tree built on split and join:
 * everything costs O(log n) nodes, cutting a range out too, however many regions it holds: what was
 * cut becomes a map of its own.  Each node sums up its subtree: totals, bounds and largest gap.
 *
 * Memory: nodes come from one slab.  Every function that changes a map checks first (arguments, and
 * that enough nodes are available) and then cannot fail; on a refusal the map is as before.
 * region_map_reserve(root, n) makes sure that n changes are not refused for lack of memory:
 *
 *	status = region_map_reserve(space->regions, 2);
 *	...
 *	status = region_map_cut(&space->regions, start, end, &removed);   MAP_FIXED: what was there
 *	status = region_map_insert(&space->regions, &region);
 *	... walk `removed` with region_map_next(), take the pages away ...
 *	region_map_release(&removed);
 *
 * A released map is taken apart later by region_map_reap(), a few nodes at a time.
 *
 * Pointers to regions are good until the next change of any map.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_REGION_H
#define PAGER_REGION_H

#include "slab.h"
#include <faultline/frame.h>
#include <faultline/layout.h>
#include <faultline/protocol/pager.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* What a region is to people (names in `maps` and reports); equal kinds merge only. */
enum region_kind {
	REGION_PLAIN,   /* mmap, or a part of a program: the object's name or none */
	REGION_HEAP,    /* brk */
	REGION_STACK,
	REGION_MESSAGE, /* the message window */
	REGION_WINDOW   /* set up by a server for itself */
};

/* The bits of `protection` that mprotect changes; of the others madvise changes MAP_LARGE. */
#define REGION_RIGHTS ((uint32_t)(MAP_READ | MAP_WRITE | MAP_EXEC))
/* Those that a region keeps; the others are flags of one request. */
#define REGION_PROTECTION                                                                       \
	(REGION_RIGHTS | (uint32_t)(MAP_SHARED | MAP_STACK | MAP_NO_RESERVE | MAP_LARGE))

/* The first address behind those that regions may have. */
#define REGION_USER_END ((LAYOUT_USER_LAST_SLOT + 1ull) << SLOT_SHIFT)

struct region {
	uint64_t start, end;
	uint32_t protection; /* within REGION_PROTECTION */
	uint32_t object;     /* 0: anonymous */
	uint64_t offset;     /* of start in the object; 0 if anonymous */
	uint32_t kind;       /* enum region_kind */
	uint32_t tag;        /* the owner's; equal tags merge only */
};

/* Entry bits for a page of this region; W is for the caller to add. */
static inline uint64_t region_leaf_bits(const struct region *region)
{
	uint64_t bits = PTE_P;

	if (region->protection & REGION_RIGHTS)
		bits |= PTE_U;
	if (!(region->protection & MAP_EXEC))
		bits |= PTE_NX;
	return bits;
}

/* Sums over regions.  Private: no MAP_SHARED.  Committed: private and writable. */
struct region_totals {
	uint64_t count, bytes, private_bytes, committed_bytes;
};

/* A node of the tree, an item of the slab.  Read by nobody but region.c (and sizeof). */
struct region_node {
	struct region region;
	struct region_node *left, *right;
	uint32_t references; /* roots and parents that point here */
	uint32_t seen;       /* region_map_count_references() */
	uint64_t height;     /* of a leaf: 1 */
	struct region_totals totals; /* of the subtree, this node included */
	union {
		uint64_t low; /* the lowest guarded start in the subtree (region_guarded_start) */
		struct region_node *pending; /* released: the next one to be taken apart */
	};
	uint64_t high;       /* the highest end in the subtree */
	uint64_t gap;        /* the largest gap between two regions of the subtree */
};

/* Work done since the start: nodes looked at, shared nodes copied. */
struct region_map_counters {
	uint64_t visits, copies;
};

enum region_direction { REGION_BOTTOM_UP, REGION_TOP_DOWN };

/* Room where nothing is, [from, to). */
struct region_gap {
	uint64_t from, to;
};

/* Set the slab (items of sizeof(struct region_node)) that all maps live in.  Once, before all. */
void region_map_init(struct slab *nodes);

/*
 * Call `watch` whenever a node begins (change 1) or ceases (-1) to name an object (not 0), so that
 * objects know when no map names them any more.  Released nodes name theirs until they are reaped.
 * It is called in the midst of changes: it must only count.
 */
typedef void region_watch_t(uint32_t object, int change);
void region_map_watch(region_watch_t *watch);

/* ---- single regions ---- */

/* Page-aligned, not empty, within 64 bits, known bits only, offset 0 if anonymous. */
bool region_is_valid(const struct region *region);
/* `upper` goes on where `lower` ends, and nothing tells them apart.  Stacks never merge. */
bool region_can_merge(const struct region *lower, const struct region *upper);
/* Where the room of a region begins: a stack keeps LAYOUT_STACK_GAP below it. */
uint64_t region_guarded_start(const struct region *region);
/* Bytes it counts for in committed_bytes. */
uint64_t region_committed(const struct region *region);

/* ---- reading; all O(log n) ---- */

/* The region that holds the address, or NULL. */
const struct region *region_map_lookup(const struct region_node *root, uint64_t address);
/* The region that holds the address or else the lowest above it, or NULL.  To walk: go on at ->end. */
const struct region *region_map_next(const struct region_node *root, uint64_t address);
/* The highest region that ends at or below the address, or NULL. */
const struct region *region_map_previous(const struct region_node *root, uint64_t address);
/* Sums over the whole map, O(1). */
struct region_totals region_map_totals(const struct region_node *root);
/* Sums over [start, end): parts of regions count as if they had been cut there. */
struct region_totals region_map_totals_within(const struct region_node *root, uint64_t start,
					      uint64_t end);
/* No hole in [start, end). */
bool region_map_covers(const struct region_node *root, uint64_t start, uint64_t end);
/*
 * Find room for `length` bytes (a multiple of the page size, not 0) within [low, high): the highest
 * place (top down) or the lowest.  Places in the gap between a stack and LAYOUT_STACK_GAP below it,
 * or the next region below it if that is nearer, are not offered.  NO_MEMORY if there is no room.
 */
MUST_CHECK status_t region_map_find_gap(const struct region_node *root, uint64_t length, uint64_t low,
					uint64_t high, enum region_direction direction,
					uint64_t *address);

/* The gap, within [low, high), that this place is in: one of the two ends of it. */
MUST_CHECK status_t region_map_find_whole_gap(const struct region_node *root, uint64_t length,
					      uint64_t low, uint64_t high,
					      enum region_direction direction,
					      struct region_gap *gap);

/* ---- changing; *root is replaced by the new root ---- */

/* Make sure that the next `changes` (not 0) changes of this map find their nodes.  NO_MEMORY. */
MUST_CHECK status_t region_map_reserve(const struct region_node *root, uint64_t changes);
/* Would the next change find its nodes as it is? */
bool region_map_is_reserved(const struct region_node *root);

/* Add a region, merging it with equal neighbours.  BAD_ARGUMENT, EXISTS (overlap), NO_MEMORY. */
MUST_CHECK status_t region_map_insert(struct region_node **root, const struct region *region);

/*
 * Take [start, end) out, cutting regions at the borders.  What was there becomes the map *removed
 * (NULL: nothing was there), a reference of the caller's: walk it, then release it.
 * BAD_ARGUMENT (empty, not page-aligned), NO_MEMORY.
 */
MUST_CHECK status_t region_map_cut(struct region_node **root, uint64_t start, uint64_t end,
				   struct region_node **removed);

/*
 * Give what lies in [start, end) the rights `rights` (within REGION_RIGHTS), cutting at the borders
 * and merging where neighbours become equal.  Holes are skipped: ask region_map_covers() first.
 * Touches at most `budget` (not 0) regions: *reached is where it stopped, `end` when all is done;
 * call again from there.  BAD_ARGUMENT, NO_MEMORY.
 *
 * region_map_reserve(root, 2 + budget / 16) suffices for one call.
 */
MUST_CHECK status_t region_map_protect(struct region_node **root, uint64_t start, uint64_t end,
				       uint32_t rights, uint64_t budget, uint64_t *reached);

/* The same for a range (page-aligned, not empty) within one region, if nothing has to be divided that other maps
   share.  False: nothing has changed. */
bool region_map_protect_within(struct region_node **root, uint64_t start, uint64_t end, uint32_t rights);

/* The same for MAP_LARGE: `large` is that bit or 0. */
MUST_CHECK status_t region_map_advise(struct region_node **root, uint64_t start, uint64_t end,
				      uint32_t large, uint64_t budget, uint64_t *reached);

/*
 * Move the borders of the region that holds `address` to [start, end): grow or shrink (brk, stack).
 * The offset follows the start.  NOT_FOUND, BAD_ARGUMENT (empty, no part in common, offset below
 * 0), EXISTS (would overlap), NO_MEMORY.
 */
MUST_CHECK status_t region_map_resize(struct region_node **root, uint64_t address, uint64_t start,
				      uint64_t end);

/* ---- sharing and releasing ---- */

/* Another reference to the same map (fork): O(1).  Returns root. */
struct region_node *region_map_share(struct region_node *root);
/* Drop a reference: O(1); *root becomes NULL.  If it was the last, the nodes wait for the reaper. */
void region_map_release(struct region_node **root);
/* Take apart at most `budget` released nodes.  True while some are left: a job goes on then. */
bool region_map_reap(uint64_t budget);

/* ---- checking ---- */

/* Order, disjointness, merging done, balance, sums, references not 0: of one map.  O(n). */
bool region_map_ok(const struct region_node *root);
/*
 * Are all references right?  First call count for every root there is: each returns the number of
 * nodes not met before; their sum is region_map_nodes() (else nodes have leaked).  Then call check
 * for every root: true if every node has as many references as were found.  The reaper must have
 * nothing left to do.
 */
uint64_t region_map_count_references(struct region_node *root);
bool region_map_check_references(struct region_node *root);
/* Nodes in use, those waiting for the reaper included. */
uint64_t region_map_nodes(void);

const struct region_map_counters *region_map_counters(void);

#endif
