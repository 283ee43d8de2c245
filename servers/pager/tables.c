/*
 * Paths, runs of operations and their results, the reaper (model and rules: tables.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "tables.h"

#include "blocks.h"
#include "stat.h"

#define LARGE_LOOK 64u /* entries of a table that may hold large pages, looked at at once */

/* Tables and message pages waiting for the reaper, linked by frame_info.next. */
static struct {
	pfn_t first, last;
	uint64_t count;
} orphans;

uint64_t tables_words;
uint32_t tables_effort;

/* What things cost: the pager's part and the kernel's. */
#define EFFORT_RUN   500u /* a batch */
#define EFFORT_READ  20u  /* an entry */
#define EFFORT_FRAME 40u  /* a frame, or a run of frames, that is reported besides, ... */
#define EFFORT_TABLE 50u  /* ... and more if it is a table or a word */
#define EFFORT_REAP  1200u /* to look for the entries of a table */
#define REAP_PART    256u /* so many entries of a table go in one step, ... */
#define REAP_FIRST   4000u /* ... but all pages if nothing else has been done before */

/* See the header. */
status_t tables_run(void)
{
	status_t status = mmu_run();

	tables_effort += EFFORT_RUN;
	tables_collect(mmu_results, mmu_result_count);
	return status;
}

/* Most are, where frames are scattered. */
static bool is_one_page(uint64_t result)
{
	const uint64_t form = ~(uint64_t)(RESULT_DIRTY | ((1u << FRAME_NUMBER_BITS) - 1));

	return (result & form) == (uint64_t)RESULT_FRAME << 60 &&
	       mmu_frame(RESULT_PFN(result))->type == FRAME_DATA;
}

/* See the header. */
void tables_collect(const uint64_t *results, uint32_t count)
{
	tables_effort += count * EFFORT_FRAME;
	for (uint32_t i = 0; i < count; i++) {
		pfn_t pfn = RESULT_PFN(results[i]);

		if (is_one_page(results[i])) {
			frame_pool_put_used(pfn);
			continue;
		}
		switch (RESULT_KIND(results[i])) {
		case RESULT_FRAME:
			if (results[i] & RESULT_BLOCK)
				blocks_drop(pfn);
			else if (mmu_frame(pfn)->type == FRAME_DATA)
				frame_pool_put_run(pfn, RESULT_COUNT(results[i]));
			else
				tables_orphan(pfn); /* a message page */
			break;
		case RESULT_TABLE:
			tables_effort += EFFORT_TABLE;
			tables_orphan(pfn);
			break;
		case RESULT_WORD:
			tables_effort += EFFORT_TABLE;
			tables_words++;
			i++; /* the word itself */
			break;
		default:
			break;
		}
	}
}

/* See the header. */
void tables_orphan(pfn_t pfn)
{
	job_work_left = true;
	frame_pool_set_kind(pfn, KIND_ORPHAN);
	if (orphans.count++ == 0)
		orphans.first = pfn;
	else
		frame_pool.info[orphans.last].next = pfn;
	orphans.last = pfn;
}

/* See the header. */
bool tables_orphans_left(void)
{
	return orphans.count != 0 || blocks.dropped_count != 0;
}

/* See the header. */
uint64_t tables_orphan_count(void)
{
	return orphans.count;
}

/* The first part of a table, if it has more than that; false: it has not. */
static bool reap_part(pfn_t pfn)
{
	const struct frame *table = mmu_frame(pfn);

	if (table->live <= REAP_PART || (table->type == FRAME_L1 && tables_effort < REAP_FIRST))
		return false;
	mmu_add(op_head(OP_CLEAR, OP_CLEAR_RUNS, pfn, 0, REAP_PART), 0, 0);
	tables_effort += EFFORT_REAP + REAP_PART * EFFORT_PAGE;
	return tables_run() == ST_OK;
}

/* Some entries of a table that may have large pages.  False: it is empty, or the kernel refuses. */
static bool reap_large(pfn_t pfn)
{
	static uint32_t index; /* where to go on */
	const uint64_t *entries;
	uint32_t look, first, count;

	while (mmu_frame(pfn)->live != 0) {
		index %= TABLE_ENTRIES;
		look = TABLE_ENTRIES - index < LARGE_LOOK ? TABLE_ENTRIES - index : LARGE_LOOK;
		if (tables_read(pfn, index, look, &entries) != ST_OK)
			return false;
		for (first = 0; first < look && entries[first] == 0; first++)
			continue;
		count = tables_limit_large(entries + first, look - first);
		index += first + count;
		if (count == 0)
			continue;
		mmu_add(op_head(OP_CLEAR, 0, pfn, index - count, count), 0, 0);
		tables_effort += EFFORT_SLICE;
		return tables_run() == ST_OK;
	}
	index = 0;
	return false;
}

/* See the header.  A message page has no entries. */
void tables_reap_step(void)
{
	pfn_t pfn = orphans.first;
	uint32_t live;

	if (__builtin_expect(blocks.dropped_count != 0, 0)) {
		blocks_reap();
		tables_effort += EFFORT_SLICE;
		return;
	}
	live = mmu_frame(pfn)->live;
	if (__builtin_expect(mmu_frame(pfn)->flags & FRAME_SPECIAL, 0) &&
		mmu_frame(pfn)->type == FRAME_L2) {
		if (reap_large(pfn))
			return;
		live = mmu_frame(pfn)->live;
	} else if (reap_part(pfn)) {
		return;
	}
	orphans.first = frame_pool.info[pfn].next;
	orphans.count--;
	if (live != 0)
		mmu_add(op_head(OP_CLEAR, OP_CLEAR_RUNS, pfn, 0, TABLE_ENTRIES), 0, 0);
	mmu_add(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_DATA, 0);
	tables_effort += EFFORT_REAP + live * EFFORT_PAGE;
	if (tables_run() == ST_OK)
		frame_pool_put(pfn); /* else somebody holds it, and pager_check() reports it */
}

/* ---- reading ---- */

/* See the header. */
status_t tables_read(pfn_t table, uint32_t index, uint32_t count, const uint64_t **entries)
{
	status_t status;

	mmu_add(op_head(OP_READ, 0, table, index, count), 0, 0);
	tables_effort += EFFORT_RUN + count * EFFORT_READ;
	status = mmu_run();
	*entries = mmu_results;
	return status;
}

/* The path may end in a large page: no table is below it, but a page. */
static void path_end_large(struct path *path)
{
	if (!entry_is_large(path->entry[2]))
		return;
	path->table[1] = 0;
	path->entry[1] = large_leaf(path->entry[2], path->address);
}

/* See the header. */
void path_from_entries(
	struct path *path, const struct space *space, uint64_t address, const uint64_t *entries)
{
	pfn_t table = space->top;

	path->address = address;
	for (uint32_t level = mmu_levels; level > 0; level--) {
		uint64_t entry = *entries++;

		path->table[level] = table;
		path->entry[level] = entry;
		table = entry & PTE_P ? pte_pfn(entry) : 0;
	}
	path_end_large(path);
}

/* See the header. */
status_t path_read(struct path *path, const struct space *space, uint64_t address)
{
	pfn_t table = space->top;

	path->address = address;
	for (uint32_t level = mmu_levels; level > 0; level--) {
		const uint64_t *entries;
		status_t status;

		path->table[level] = table;
		path->entry[level] = 0;
		if (table == 0)
			continue;
		if (level == 1 && entry_is_large(path->entry[2]))
			break;
		status = tables_read(table, level_index(address, level), 1, &entries);
		if (status != ST_OK)
			return status;
		path->entry[level] = entries[0];
		table = entries[0] & PTE_P ? pte_pfn(entries[0]) : 0;
	}
	path_end_large(path);
	return ST_OK;
}

/* ---- owning a path ---- */

/* A new empty table below an empty entry. */
static void path_add_table(struct space *space, struct path *path, uint32_t level)
{
	pfn_t table = frame_pool_take_blank(KIND_TABLE);
	uint32_t index = level_index(path->address, level);

	mmu_add(op_head(OP_RETYPE, 0, table, 0, 1), (uint64_t)FRAME_L1 + level - 2, 0);
	mmu_add(op_head(OP_SET, 0, path->table[level], index, 1), pte_make(table, LINK_BITS),
		path->entry[level]);
	path->entry[level] = pte_make(table, LINK_BITS);
	path->table[level - 1] = table;
	if (level == mmu_levels && index <= LAYOUT_USER_LAST_SLOT)
		space_mark_slot(space, index);
}

/*
 * See the header.  A copy of the shared table takes its place.  The flush is for caches of upper
 * levels that lead to the old one: it may become another space's own and be changed by it.
 */
void path_split_level(struct space *space, struct path *path, uint32_t level)
{
	pfn_t table = frame_pool_take_blank(KIND_TABLE);

	tables_effort += EFFORT_RUN + mmu_frame(pte_pfn(path->entry[level]))->live * EFFORT_READ;
	path_forget(space);
	mmu_add(op_head(OP_SPLIT, FLUSH_SPACE, path->table[level],
			level_index(path->address, level), level_index(path->address, level - 1)),
		table, path->entry[level]);
	path->entry[level] = pte_make(table, (path->entry[level] & ~PTE_FRAME) | PTE_W);
	path->table[level - 1] = table;
	if (!(path->entry[level - 1] & PTE_SHARED))
		path->entry[level - 1] &= ~PTE_W;
	pager_counters.tables_split++;
	space->counters.tables_split++;
}

/*
 * See the header.  Its entry[1] is there already.  The flush is for translations of 2 MiB, which would outlive
 * a change of one page.
 */
void path_split_large(struct space *space, struct path *path)
{
	pfn_t table = frame_pool_take_blank(KIND_TABLE), head = pte_pfn(path->entry[2]);
	bool is_last = mmu_frame(head)->live == 1 && !path->is_split;

	path_forget(space);
	mmu_add(op_head(OP_SPLIT, FLUSH_SPACE, path->table[2], level_index(path->address, 2), 1), table,
		path->entry[2]);
	blocks_split(head, is_last);
	path->entry[1] = large_leaf(path->entry[2], path->address);
	path->entry[2] = pte_make(table, LINK_BITS);
	path->table[1] = table;
	path->is_broken_up = true;
	pager_counters.tables_split++;
	space->counters.tables_split++;
}

/* The other side of a fork is gone, or W was withheld: the entry may be written through again. */
static void path_raise(struct path *path, uint32_t level)
{
	uint64_t entry = path->entry[level];

	if (level == 2 && table_is_withheld(entry)) {
		mmu_add(op_head(OP_PROTECT, 0, path->table[1], 0, TABLE_ENTRIES), PTE_W, 0);
		path->entry[1] &= ~PTE_W;
	}
	mmu_add(op_head(OP_SET, 0, path->table[level], level_index(path->address, level), 1),
		entry | PTE_W, entry);
	path->entry[level] = entry | PTE_W;
}

/* See the header. */
void path_own_to(struct space *space, struct path *path, bool write, uint32_t lowest)
{
	bool is_split = false;

	path->is_split = path->is_broken_up = false;
	for (uint32_t level = mmu_levels; level > lowest; level--) {
		uint64_t entry = path->entry[level];

		if (!(entry & PTE_P)) {
			path_add_table(space, path, level);
		} else if (level == 2 && entry_is_large(entry)) {
			path_split_large(space, path);
		} else if (is_split || mmu_frame(pte_pfn(entry))->refs > 1) {
			path_split_level(space, path, level);
			path->is_split = is_split = true;
		} else if (write && !(entry & PTE_W)) {
			path_raise(path, level);
		}
	}
}

/* See the header. */
void path_own(struct space *space, struct path *path, bool write)
{
	path_own_to(space, path, write, 1);
	path_remember(space, path);
}
