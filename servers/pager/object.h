/*
 * Memory objects: what stands behind regions.
 *
 *   region ---- object id ----> object: kind, size, its own tree of tables -> frames
 *            (0: anonymous)
 *
 * The tree of an object is made of page tables that the kernel counts like all others: its pages
 * live as long as the tree links them, mapped or not.  It grows from the top when pages at a
 * greater offset are added.  Spaces map the same frames through tables of their own.
 *
 * A kind is a table of operations in a file of its own (object_anon.c: private anonymous memory,
 * which needs no object; object_shared.c, object_file.c).  It says where a page comes from; fault.c
 * does the rest.
 *
 * Objects are counted by the nodes of region maps that name them (region_map_watch), so fork is no
 * work for them.  An object that is *doomed* goes with the last of these.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_OBJECT_H
#define PAGER_OBJECT_H

#include "mmu.h"
#include "region.h"

#define OBJECT_INDEX_BITS 16
#define OBJECTS_MAX	  (1u << OBJECT_INDEX_BITS)
#define OBJECT_LEVELS	  3 /* of an object's tree, at most: 512 GiB */
#define OBJECT_BYTES_MAX  (1ull << 39)
#define OBJECT_FRAMES	  (2 * OBJECT_LEVELS + 1) /* that adding one page takes at most */
#define OBJECT_WINDOW	  16u			  /* pages asked for at once */

struct space;

/* Where the content of a page comes from. */
enum supply {
	SUPPLY_ZEROES, /* nothing there yet: reads see the zero frame, a write gets a cleared one */
	SUPPLY_FRAME,  /* this frame: mapped read-only, a write gets a copy */
	SUPPLY_SHARED, /* this frame itself, also for writing */
	SUPPLY_PAST_END,
	SUPPLY_NO_MEMORY, /* no frame just now: the access waits */
	SUPPLY_REFUSED	  /* nor later: the kernel does not let the page be added */
};

struct object;

struct object_kind {
	const char *name;
	bool programs_may_name;	 /* a program may map it by its id */
	bool programs_may_write; /* through a shared mapping */
	/*
	 * The page of an object behind a region; `page` counts from the object's start.  May run
	 * batches: nothing may have been collected.
	 */
	enum supply (*supply)(
		struct object *object, const struct region *region, uint64_t page, pfn_t *frame);
};

struct object {
	void *free_link; /* of the slab, while the object is free */
	uint32_t id;	 /* 0: free */
	uint32_t generation;
	const struct object_kind *kind;
	uint64_t bytes;
	uint64_t pages;	   /* present in the tree */
	uint64_t mappings; /* nodes of region maps that name it */
	uint32_t creator;  /* space whose account it is on; 0: none */
	bool is_doomed;
	pfn_t root;	    /* 0: no page yet */
	uint32_t levels;    /* of the tree */
	uint64_t leaf_span; /* the leaf table used last: its first page / 512, plus 1; 0: none */
	pfn_t leaf_table;
	char name[16];
};

extern const struct object_kind object_kind_anonymous, object_kind_shared, object_kind_file;
extern uint64_t object_count;

MUST_CHECK status_t object_start(void);

/* NULL: no such object. */
struct object *object_find(uint64_t id);

/* The kind behind a region; *object NULL for anonymous memory.  NULL: the object is gone. */
const struct object_kind *object_of_region(const struct region *region, struct object **object);

MUST_CHECK status_t object_create(
	const struct object_kind *kind, uint64_t bytes, struct object **object);

/* Goes now, or with its last mapping. */
void object_doom(struct object *object);

/* A node of a region map began (1) or ceased (-1) to name it: region_map_watch. */
void object_mapping_changed(uint32_t id, int change);

/*
 * The frames of `count` pages from `page` on that lie in one leaf table (at most OBJECT_WINDOW),
 * 0 where there is none; returns how many it looked at.  Runs a batch: nothing may have been
 * collected.
 */
uint32_t object_read(struct object *object, uint64_t page, uint32_t count, pfn_t *frames);

/* Pages from its start to its end. */
static inline uint64_t object_pages(const struct object *object)
{
	return (object->bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/*
 * The leaf table that holds the page, if it is the one used last, and if the object has all its pages;
 * else 0.
 */
static inline pfn_t object_leaf_complete(const struct object *object, uint64_t page)
{
	bool is_known = object->leaf_span == page / TABLE_ENTRIES + 1;

	return is_known && object->pages == object_pages(object) ? object->leaf_table : 0;
}

/* The page, added (cleared) if it is not there.  Runs batches: nothing may have been
   collected.  NO_MEMORY. */
MUST_CHECK status_t object_get_page(struct object *object, uint64_t page, pfn_t *frame);

/* Objects that have a tree: tables without a reference that are no orphans. */
uint64_t object_roots(void);

/* The same for a supplier of shared pages. */
enum supply object_supply_page(struct object *object, uint64_t page, pfn_t *frame);

/* All counts are right: 0, or a rule of check.h. */
uint32_t object_check(uint64_t *where);

#endif
