/*
 * Page tables of spaces: paths to pages (tables.c), and what is done to ranges (range.c).
 *
 * A path is the chain of tables from the top to the leaf of one address.  Tables below the top may
 * be shared by spaces (fork); a shared table is never changed.  Rules, for each table entry e and
 * the table or page c that it names (check.c holds them against the machine):
 *
 *   W set in e, and not SHARED   c has no other reference
 *   c referenced more than once  W is off in all entries that name it
 *
 * mprotect takes W from a range that fills a leaf table by the one entry above it: W is then *withheld*
 * from the table (a mark in the frame pool), whose pages keep what their region gave them before.  The
 * mark means something only while that entry lacks W; whoever sets W there takes it from the pages
 * first, unless one region gives it to all of them again.
 *
 * path_own() makes every table of a path the space's own: it splits shared tables from the top
 * down, adds missing ones, and, for a write, sets W in entries that lost it by a fork whose other
 * side is gone.  It collects operations and takes frames, which must have been asked for.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_TABLES_H
#define PAGER_TABLES_H

#include "space.h"

#define LINK_BITS  (PTE_P | PTE_W | PTE_U)

struct path {
	uint64_t address;
	pfn_t table[LEVELS_MAX + 1];	/* by level, 1 = the leaf's; 0: not there */
	uint64_t entry[LEVELS_MAX + 1]; /* by level; as it will be when what is collected has run */
	bool is_split; /* path_own() split the leaf's table: the page has one sharer more */
	bool is_broken_up; /* path_own() split a large page: the page has its first leaf entry */
};

/* Is it a present entry of a 2 MiB page?  (Of a table of level 2.) */
static inline bool entry_is_large(uint64_t entry)
{
	return (entry & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS);
}

/* Does the path end in one?  Then there is no leaf table, and entry[1] is what its entry would be. */
static inline bool path_is_large(const struct path *path)
{
	return path->table[1] == 0 && entry_is_large(path->entry[2]);
}

/* Frames that path_own() takes at most. */
#define PATH_FRAMES (LEVELS_MAX - 1)

static inline uint64_t level_span(uint32_t level)
{
	return 1ull << (PAGE_SHIFT + 9 * (level - 1));
}

static inline uint32_t level_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

/* The first address behind the entry of this level that holds `address`. */
static inline uint64_t entry_end(uint64_t address, uint32_t level)
{
	return (address / level_span(level) + 1) * level_span(level);
}

/*
 * The tables of the path found last are remembered (space->known), as long as this space's entries
 * above its leaf tables stay what they are: whoever changes one forgets them.
 */
static inline void path_remember(struct space *space, const struct path *path)
{
	space->known.base = (path->address & ~(level_span(2) - 1)) + 1;
	for (uint32_t level = 1; level < mmu_levels; level++)
		space->known.table[level] = path->table[level];
}

static inline void path_forget(struct space *space)
{
	space->known.base = 0;
}

/* Are the tables of path->address known, and the space's own?  Then they are in path->table. */
static inline bool path_is_known(const struct space *space, struct path *path)
{
	uint32_t levels = mmu_levels;

	if (space->known.base != (path->address & ~(level_span(2) - 1)) + 1)
		return false;
	for (uint32_t level = 1; level < levels; level++) {
		path->table[level] = space->known.table[level];
		if (mmu_frame(path->table[level])->refs != 1)
			return false;
	}
	path->table[levels] = space->top;
	return true;
}

/* The path of a fault, from the entries in its message (from the top down). */
void path_from_entries(
	struct path *path, const struct space *space, uint64_t address, const uint64_t *entries);

/* The same, read from the tables: one batch for each level. */
MUST_CHECK status_t path_read(struct path *path, const struct space *space, uint64_t address);

/* See above. */
void path_own(struct space *space, struct path *path, bool write);

/* The same down to the table of this level only; what hangs below its entry is left alone. */
void path_own_to(struct space *space, struct path *path, bool write, uint32_t lowest);

/* One step of it: the large page of the path is split into pages of a leaf table. */
void path_split_large(struct space *space, struct path *path);

/* The entry of one page of a large one. */
static inline uint64_t large_leaf(uint64_t entry, uint64_t address)
{
	return (entry & ~(uint64_t)PTE_PS) + level_index(address, 1) * (uint64_t)PAGE_SIZE;
}

/* One step of it: the table below the entry of this level is shared, and is split. */
void path_split_level(struct space *space, struct path *path, uint32_t level);

/*
 * Read entries of a table, at most 256: *entries is good until the next operation is added.
 * Nothing may have been collected.
 */
MUST_CHECK status_t tables_read(
	pfn_t table, uint32_t index, uint32_t count, const uint64_t **entries);

/*
 * What the message or slice at work has cost so far, in instructions, roughly: its parts add to it, and who could
 * do more asks whether it is enough.  No part takes more than 25,000, but for whole tables of the reaper when it
 * is the first.
 */
extern uint32_t tables_effort;
#define EFFORT_SLICE 20000u /* then nothing more is begun */
#define EFFORT_ENTRY 20u    /* to change an entry ... */
#define EFFORT_PAGE  50u    /* ... if it is the only one of a page */

/* Run what is collected, and take care of the frames that lost their last reference. */
MUST_CHECK status_t tables_run(void);

/* Take care of results: frames back to the queue, tables to the reaper. */
void tables_collect(const uint64_t *results, uint32_t count);

/* Entries cleared so far that were not present. */
extern uint64_t tables_words;

/* Pages present in [start, end). */
MUST_CHECK status_t tables_count(
	const struct space *space, uint64_t start, uint64_t end, uint64_t *pages);

/* Pages below a run of entries of this level (one entry, if it is above 2; it is below 4). */
MUST_CHECK status_t tables_count_below(
	const uint64_t *entries, uint32_t count, uint32_t level, uint64_t *pages);

/* How many of these entries of a table of level 2 may go at once: the end of each large page takes the kernel a look
   at its 512 frames. */
#define LARGE_AT_ONCE 4u
#define EFFORT_LARGE  4500u
uint32_t tables_limit_large(const uint64_t *entries, uint32_t count);

/* Present ones of these. */
uint32_t tables_count_present(const uint64_t *entries, uint32_t count);

/*
 * The leaf entries of user pages from *address on (page-aligned), as many as fit, looking at a
 * bounded number of tables.  *address = where to go on, 0 behind the last.
 */
MUST_CHECK status_t tables_list(const struct space *space, uint64_t *address,
	struct pager_page *pages, uint32_t max, uint32_t *count);

/* A range whose pages go; between floor and ceiling there are no others. */
struct clearing {
	uint64_t start, end;
	uint64_t floor, ceiling;
	bool keeps_large; /* they do not go: large pages that lie in the range are left as they are */
};

/* The range with what is mapped around it now: what lies in it is about to go. */
struct clearing tables_clearing(const struct space *space, uint64_t start, uint64_t end);

/*
 * Take pages away from *cursor on: one run of entries of one table.  Whole tables are dropped where
 * nothing else lies in their span.  Moves the cursor.
 * NO_MEMORY: a shared table would have to be split.
 */
MUST_CHECK status_t tables_clear_step(
	struct space *space, uint64_t *cursor, const struct clearing *range);

/*
 * Split the shared tables at both ends of the range that clearing it would split.  Behind this it
 * asks for frames only for a table of the highest level but one (a slot) that lies within the range
 * as a whole.  NO_MEMORY: not all of them.
 */
MUST_CHECK status_t tables_own_edges(struct space *space, const struct clearing *range);

/* Change the rights of pages from *cursor on, in one leaf table. */
MUST_CHECK status_t tables_protect_step(struct space *space, uint64_t *cursor, uint64_t end,
	const struct rights_change *change);

/* Is W withheld from the leaf table that this entry names? */
static inline bool table_is_withheld(uint64_t entry)
{
	return !(entry & PTE_W) && frame_pool.info[pte_pfn(entry)].withheld;
}

/* Frames that one of these steps takes at most. */
#define STEP_FRAMES PATH_FRAMES

/*
 * Tables of the path that became empty are dropped, from this level up.  They are the space's own.
 * Their pages have been flushed; against caches that lead to the tables themselves the kernel
 * guards, when their frames are used again.
 */
MUST_CHECK status_t tables_drop_empty(
	struct space *space, const struct path *path, uint32_t level);

/* Drop the tables that are empty and the space's own, from *cursor on: one of them. */
MUST_CHECK status_t tables_trim_step(struct space *space, uint64_t *cursor);

/* Empty the top-level table, whatever is below (the reaper's). */
MUST_CHECK status_t tables_teardown(struct space *space);

/* The same, but its last operations are only collected, with room for so many behind them. */
#define TEARDOWN_ROOM 8u
MUST_CHECK status_t tables_add_teardown(const struct space *space);

/* Give a table nobody refers to, or a message page, to the reaper. */
void tables_orphan(pfn_t pfn);

/* Is there work for the reaper?  Do some. */
bool tables_orphans_left(void);
void tables_reap_step(void);
uint64_t tables_orphan_count(void);

#endif
