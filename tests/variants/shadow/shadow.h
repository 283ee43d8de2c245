/*
 * The shadow TLB: a TLB and paging-structure caches of unlimited size, in software.
 *
 *   context   one address-space identifier (PCID) of the processor; without them there is one
 *   node      a shadow page table: 512 entries for hardware, and 512 items, what is remembered
 *   item      level 1: the cached translation of a page.  Above: a cached entry of that level, that
 *             is, where the next table lies (or a 2 MiB translation), with the rights of all
 *             levels so far
 *
 * Hardware's entries are a part of the items: those that may be used without a look.  An item goes
 * only by a flush, by a fault at its address, or when there is no room left.
 *
 * An item is *stale* when the real tables, walked now, say less than it or something else, and
 * *weak* when they say more.  Nodes are watched: they are listed at the real table that a walk of
 * now passes for their addresses, so each operation knows the items it concerns.
 *
 *   nodes.c     nodes, items, the counts by frame
 *   judge.c     items against the real tables
 *   contexts.c  CR3, identifiers, flushes
 *   fault.c     hits and misses
 *   watch.c     what operations and frames change
 *   report.c    reports, options, hooks, the end
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SHADOW_H
#define SHADOW_H

#include "batch.h"
#include "boot.h"
#include "frame.h"
#include "log.h"
#include "thread.h"
#include <faultline/layout.h>

/* The processor itself. */
#undef cpu_id
#undef cpu_write_cr3
#undef cpu_read_cr3
#undef cpu_write_cr4
#undef cpu_flush_all_contexts

#define SHADOW_FRAMES_MAX (1u << 18) /* 1 GiB of RAM */
#define SHADOW_NODES_MAX  4096u
#define SHADOW_CONTEXTS	  (PCID_LAST + 1)

/* ---- items ---- */

#define ITEM_VALID    (1ull << 0)
#define ITEM_W	      (1ull << 1)
#define ITEM_NX	      (1ull << 2)
#define ITEM_D	      (1ull << 3)
#define ITEM_LARGE    (1ull << 4) /* level 2: a translation, not a table */
#define ITEM_PCD      (1ull << 5)
#define ITEM_PWT      (1ull << 6)
#define ITEM_STALE    (1ull << 7)
#define ITEM_WEAK     (1ull << 8)
#define ITEM_EXPECTED (1ull << 9) /* made stale by a test that knows */
#define ITEM_FRAME    (((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT)
#define ITEM_CAUSE_SHIFT 40 /* of a stale one: the number of the operation, its low bits */
#define ITEM_CAUSE_MASK	 0xffffffull

static inline pfn_t item_pfn(uint64_t item)
{
	return (pfn_t)((item & ITEM_FRAME) >> PAGE_SHIFT);
}

/* ---- nodes ---- */

typedef uint16_t node_id_t; /* 0: none */

struct context {
	node_id_t root;
	pfn_t top; /* the real top-level table; 0: none */
	uint32_t stale, weak;
};

struct node {
	struct context *context;
	uint64_t base; /* the first address */
	uint32_t level;
	uint64_t used[TABLE_ENTRIES / 64]; /* a bit for each entry with an item, or a node below */
	pfn_t table;	/* the real table it is listed at; 0: none */
	node_id_t next, previous; /* in that list */
	node_id_t parent;
};

extern struct node *shadow_nodes;
extern struct context shadow_contexts[SHADOW_CONTEXTS];
extern struct context *shadow_current; /* the one that is loaded; NULL: the kernel's own tables */
extern bool shadow_must_reload;	       /* hardware may hold what its tables no longer say */

static inline uint32_t shadow_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES;
}

/* A top-level slot that user mode may reach. */
bool shadow_slot_is_user(uint32_t slot);

/* Memory for good, zeros, for no frame that anybody sees. */
void *shadow_take(uint64_t bytes);
void nodes_init(void);
uint64_t *node_entries(node_id_t id);
uint64_t *node_items(node_id_t id);
pfn_t node_frame(node_id_t id);
/* The node below entry `index`, or 0; likewise, made when it is missing (0: no room). */
node_id_t node_below(node_id_t id, uint32_t index);
node_id_t node_make_below(node_id_t id, uint32_t index);
node_id_t node_make_root(struct context *context);
/* Gone, with everything below; everything below alone. */
void node_free(node_id_t id);
void node_free_below(node_id_t id);
/* List it at this real table (0: at none). */
void node_watch(node_id_t id, pfn_t table);
node_id_t nodes_at(pfn_t table);
/* The first entry from `index` on with an item or a node below; TABLE_ENTRIES: none. */
uint32_t node_next(node_id_t id, uint32_t index);
uint32_t nodes_used_most(void);

/* Keep an item (in place of the one there), give hardware what it may have of it; forget one. */
void item_put(node_id_t id, uint32_t index, uint64_t item);
void item_drop(node_id_t id, uint32_t index);
/* A level-1 item: let hardware use it. */
void item_install(node_id_t id, uint32_t index);
/* Not by hardware any more, but still remembered. */
void item_hide(node_id_t id, uint32_t index);
/* Do items lead to this frame? */
bool frame_is_cached(pfn_t pfn);

/* ---- judge.c ---- */

/* What the real tables say at a node: a table, or a 2 MiB page, or nothing; with the rights of all
   levels above. */
struct view {
	pfn_t table;
	uint64_t large;
	bool writable, executable;
};

struct view view_of(node_id_t id);
/* The entry there, 0 when nothing is reached. */
uint64_t view_entry(const struct view *view, uint32_t index);

enum verdict { VERDICT_SAME, VERDICT_WEAK, VERDICT_DIRTY, VERDICT_RIGHTS, VERDICT_PLACE };
/* DIRTY: it would write without setting D; RIGHTS: it allows more; PLACE: it leads elsewhere. */
enum verdict item_judge(const struct view *view, node_id_t id, uint32_t index);

/* One item, just read from a table, which may be an old one. */
void judge_item(node_id_t id, uint32_t index);
/* Entry `index` of the real table that the node is listed at has changed, or it is listed at
   another table; with all that lies below. */
void judge_entry(node_id_t id, uint32_t index);
void judge_node(node_id_t id);

/* ---- contexts.c ---- */

/* Room is needed: forget everything that can be. */
void shadow_forget_all(void);
/* Before user mode runs. */
void shadow_leave(void);
/* A frame is no longer a top-level table. */
void shadow_forget_top(pfn_t top);
bool shadow_has_identifiers(void);

/* ---- fault.c ---- */

/* True: a miss or a hit that is served, the thread goes on.  False: a fault for the kernel. */
bool shadow_fault(struct thread *thread, uint64_t address);

/* ---- report.c ---- */

struct shadow_counts {
	uint64_t fills, hits, faults, stale_uses, expected_uses, became_stale, evicted, full;
};
extern struct shadow_counts shadow_counts;

void report_init(void);
void watch_init(void);
bool shadow_is_expected(void); /* what becomes stale now is a test's own business */
bool shadow_keeps_upper(void); /* option `keep`: a fault drops no upper items */
/* The operation that runs: its number. */
uint64_t shadow_cause_begin(const struct batch *batch, const struct op *op);
uint64_t shadow_cause(void);
/* A stale item is used by the current thread: counted, and a panic unless it may go through. */
void report_stale(node_id_t id, uint32_t index, uint64_t address, uint64_t error);
/* A frame gets another use while items lead to it. */
_Noreturn void report_reuse(pfn_t pfn, const char *why);

#endif
