/*
 * What is done to ranges of a space's tables: count, clear, protect, tear down (tables.h).
 *
 * Each step walks down from the top to one run of entries of one table and handles that run, so a
 * job can stop after any of them.  On the way shared tables are split, but only if pages of the
 * range are present below them.  An entry whose whole span is to go is dropped with all that is
 * below it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "stat.h"
#include "tables.h"

#define RUN_ENTRIES 256u /* of one step: their results fit a page */
#define RUN_TABLES  128u /* of one step, where whole tables go: their ends are reported one by one */
#define LIST_STEPS  512u /* tables and gaps that one request looks at */
#define DROP_LEVEL_MAX \
	3u /* entries of higher levels are not dropped: counting below them is long */

/* Entries from `address` on, up to `end` and the end of their table. */
static uint32_t run_length(uint64_t address, uint64_t end, uint32_t level)
{
	uint64_t span = level_span(level);
	uint64_t count = (end - address + span - 1) / span;
	uint64_t rest = TABLE_ENTRIES - level_index(address, level);

	count = count < rest ? count : rest;
	return (uint32_t)(count < RUN_ENTRIES ? count : RUN_ENTRIES);
}

/* See tables.h. */
uint32_t tables_count_present(const uint64_t *entries, uint32_t count)
{
	uint32_t present = 0;

	for (uint32_t i = 0; i < count; i++)
		present += entries[i] & PTE_P ? 1 : 0;
	return present;
}

/* Pages of a leaf table in [address, end); *next is where to go on. */
static status_t count_leaf_table(
	pfn_t table, uint64_t address, uint64_t end, uint64_t *pages, uint64_t *next)
{
	const uint64_t *entries;
	uint32_t count;
	status_t status;

	if (address % level_span(2) == 0 && end - address >= level_span(2)) {
		*pages += mmu_frame(table)->live;
		*next = address + level_span(2);
		return ST_OK;
	}
	count = run_length(address, end, 1);
	status = tables_read(table, level_index(address, 1), count, &entries);
	if (status != ST_OK)
		return status;
	*pages += tables_count_present(entries, count);
	*next = address + count * PAGE_SIZE;
	return ST_OK;
}

/* The same of a large page. */
static uint64_t count_large(uint64_t *address, uint64_t end)
{
	uint64_t start = *address, behind = entry_end(start, 2);

	*address = behind < end ? behind : end;
	return (*address - start) / PAGE_SIZE;
}

/* Pages present in [start, end), or at least `enough` of them. */
static status_t count_pages(
	const struct space *space, uint64_t start, uint64_t end, uint64_t enough, uint64_t *pages)
{
	*pages = 0;
	while (start < end && *pages < enough) {
		struct path path;
		uint32_t level = mmu_levels;
		status_t status = path_read(&path, space, start);

		while (status == ST_OK && level > 1 && (path.entry[level] & PTE_P))
			level--;
		if (status == ST_OK && path_is_large(&path))
			*pages += count_large(&start, end);
		else if (status == ST_OK && level == 1)
			status = count_leaf_table(path.table[1], start, end, pages, &start);
		else
			start = entry_end(start, level);
		if (status != ST_OK)
			return status;
	}
	return ST_OK;
}

/* See the header. */
status_t tables_count(const struct space *space, uint64_t start, uint64_t end, uint64_t *pages)
{
	return count_pages(space, start, end, UINT64_MAX, pages);
}

/* The present entries of a leaf table from *address on; moves it to the end of the table, or to the
   page that found no room. */
static status_t list_leaf_table(
	pfn_t table, uint64_t *address, struct pager_page *pages, uint32_t max, uint32_t *count)
{
	uint64_t end = entry_end(*address, 2);

	while (*address < end) {
		uint32_t index = level_index(*address, 1), run = run_length(*address, end, 1);
		const uint64_t *entries;
		status_t status = tables_read(table, index, run, &entries);

		if (status != ST_OK)
			return status;
		for (uint32_t i = 0; i < run; i++, *address += PAGE_SIZE) {
			if (!(entries[i] & PTE_P))
				continue;
			if (*count == max)
				return ST_OK;
			pages[(*count)++] = (struct pager_page){ *address, entries[i] };
		}
	}
	return ST_OK;
}

/* The same of a large page. */
static void list_large(
	uint64_t large, uint64_t *address, struct pager_page *pages, uint32_t max, uint32_t *count)
{
	uint64_t end = entry_end(*address, 2);

	for (; *address < end && *count < max; *address += PAGE_SIZE)
		pages[(*count)++] = (struct pager_page){ *address, large_leaf(large, *address) };
}

/* See the header. */
status_t tables_list(const struct space *space, uint64_t *address, struct pager_page *pages,
	uint32_t max, uint32_t *count)
{
	*address &= ~(uint64_t)(PAGE_SIZE - 1);
	for (uint32_t step = 0; step < LIST_STEPS && *count < max; step++) {
		struct path path;
		uint32_t level = mmu_levels;
		status_t status;

		if (*address >= LAYOUT_USER_END) {
			*address = 0;
			return ST_OK;
		}
		status = path_read(&path, space, *address);
		while (status == ST_OK && level > 1 && (path.entry[level] & PTE_P))
			level--;
		if (status == ST_OK && path_is_large(&path))
			list_large(path.entry[2], address, pages, max, count);
		else if (status == ST_OK && level == 1)
			status = list_leaf_table(path.table[1], address, pages, max, count);
		else
			*address = entry_end(*address, level);
		if (status != ST_OK)
			return status;
	}
	return ST_OK;
}

/* Pages below an entry of level 2. */
static uint64_t count_entry(uint64_t entry)
{
	if (!(entry & PTE_P))
		return 0;
	return entry_is_large(entry) ? TABLE_ENTRIES : mmu_frame(pte_pfn(entry))->live;
}

/* Pages below one table of level 2. */
static status_t count_level2(pfn_t table, uint64_t *pages)
{
	for (uint32_t index = 0; index < TABLE_ENTRIES; index += RUN_ENTRIES) {
		const uint64_t *entries;
		status_t status = tables_read(table, index, RUN_ENTRIES, &entries);

		if (status != ST_OK)
			return status;
		for (uint32_t i = 0; i < RUN_ENTRIES; i++)
			*pages += count_entry(entries[i]);
	}
	return ST_OK;
}

/* See tables.h. */
status_t tables_count_below(
	const uint64_t *entries, uint32_t count, uint32_t level, uint64_t *pages)
{
	*pages = 0;
	if (level == 1) {
		*pages = tables_count_present(entries, count);
		return ST_OK;
	}
	if (level > 2)
		return entries[0] & PTE_P ? count_level2(pte_pfn(entries[0]), pages) : ST_OK;
	for (uint32_t i = 0; i < count; i++)
		*pages += count_entry(entries[i]);
	return ST_OK;
}

/* See tables.h. */
status_t tables_drop_empty(struct space *space, const struct path *path, uint32_t level)
{
	uint32_t rest = mmu_frame(path->table[level])->live, index = 0;
	status_t status;

	if (rest != 0 || level == mmu_levels)
		return ST_OK;
	for (; rest == 0 && level < mmu_levels; rest = mmu_frame(path->table[level])->live - 1u) {
		index = level_index(path->address, ++level);
		mmu_add(op_head(OP_CLEAR, 0, path->table[level], index, 1), 0, 0);
	}
	path_forget(space);
	status = tables_run();
	if (status == ST_OK && level == mmu_levels && index <= LAYOUT_USER_LAST_SLOT)
		space_unmark_slot(space, index);
	return status;
}

/* Pages below one entry of level 3, all of which are between path->address and `end`. */
static status_t count_level3(
	const struct path *path, uint64_t end, uint64_t entry, uint64_t *pages)
{
	uint32_t count = run_length(path->address, end, 2);
	const uint64_t *entries;
	status_t status;

	if (path->address / level_span(2) + count < (end - 1) / level_span(2) + 1)
		return tables_count_below(&entry, 1, 3, pages);
	status = tables_read(pte_pfn(entry), level_index(path->address, 2), count, &entries);
	return status == ST_OK ? tables_count_below(entries, count, 2, pages) : status;
}

/* See tables.h. */
uint32_t tables_limit_large(const uint64_t *entries, uint32_t count)
{
	uint32_t large = 0;

	for (uint32_t i = 0; i < count; i++)
		if (entry_is_large(entries[i]) && large++ == LARGE_AT_ONCE)
			count = i;
	tables_effort += (large < LARGE_AT_ONCE ? large : LARGE_AT_ONCE) * EFFORT_LARGE;
	return count;
}

/* Entries that are present in a run of a table above the leaves', and the pages below them, which
   all lie in front of `end`.  The run may become shorter. */
static status_t count_run(const struct path *path, uint64_t end, uint32_t level, uint32_t *run,
	uint32_t *present, uint64_t *pages)
{
	uint32_t count = *run;
	const uint64_t *entries;
	status_t status = tables_read(
		path->table[level], level_index(path->address, level), count, &entries);

	if (status != ST_OK)
		return status;
	if (level == 2)
		*run = count = tables_limit_large(entries, count);
	*present = tables_count_present(entries, count);
	if (level == 3 && *present != 0)
		return count_level3(path, end, entries[0], pages);
	return tables_count_below(entries, count, level, pages);
}

/* The same where all that goes hangs below one leaf table that is known. */
static bool count_known(const struct path *path, uint64_t end, uint32_t *present, uint64_t *pages)
{
	if (path->table[1] == 0 || (path->address ^ (end - 1)) >= level_span(2))
		return false;
	*pages = mmu_frame(path->table[1])->live;
	*present = 1;
	return *pages != 0;
}

/* Clear a run of entries of one table, *run or some of it, and count what went.  In a leaf table every entry that is
   not empty is a page, or is reported as a word; if none need be in the run, the flush waits to see. */
static status_t clear_run(struct space *space, const struct path *path, uint64_t end,
	uint32_t level, uint32_t *run)
{
	const struct frame *table = mmu_frame(path->table[level]);
	uint32_t index = level_index(path->address, level);
	uint32_t present = table->live, count = *run;
	uint64_t pages = present, words = tables_words;
	bool is_sure = level > 1 || present > TABLE_ENTRIES - count; /* that something goes */
	status_t status = ST_OK;

	if (level > 1) {
		if (!count_known(path, end, &present, &pages))
			status = count_run(path, end, level, run, &present, &pages);
		count = *run;
		path_forget(space);
	}
	if (status != ST_OK)
		return status;
	if (present == 0)
		return tables_drop_empty(space, path, level);
	mmu_add(op_head(OP_CLEAR, OP_CLEAR_RUNS, path->table[level], index, count), 0, 0);
	if (is_sure)
		mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
	status = tables_run();
	if (status == ST_OK && !is_sure && table->live != present) {
		mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
		status = tables_run();
	}
	if (status != ST_OK)
		return status;
	tables_effort += count * EFFORT_PAGE;
	space->resident -= level == 1 ? pages - table->live - (tables_words - words) : pages;
	return tables_drop_empty(space, path, level);
}

/* Of a large page only a part is meant. */
static status_t descend_large(struct space *space, struct path *path)
{
	status_t status;

	if (!frame_pool_has(1))
		return ST_NO_MEMORY;
	frame_pool_begin();
	path->is_split = false;
	path_split_large(space, path);
	status = tables_run();
	if (status != ST_OK)
		frame_pool_undo();
	return status;
}

/*
 * Go one level down at path->address; the table there is then the space's own.  *skip: nothing of
 * [start, end) is present below.
 */
static status_t descend(struct space *space, struct path *path, uint32_t level,
	const struct clearing *range, bool *skip)
{
	const uint64_t *entries;
	uint64_t pages, start = range->start, end = range->end, behind = entry_end(path->address, level), base = behind - level_span(level);
	status_t status =
		tables_read(path->table[level], level_index(path->address, level), 1, &entries);

	if (status != ST_OK)
		return status;
	path->entry[level] = entries[0];
	path->entry[level - 1] = 0;
	*skip = !(entries[0] & PTE_P);
	if (*skip)
		return ST_OK;
	if (level == 2 && entry_is_large(entries[0])) {
		path->table[1] = 0;
		if (range->keeps_large && start <= base && behind <= end)
			return ST_OK;
		return descend_large(space, path);
	}
	path->table[level - 1] = pte_pfn(entries[0]);
	if (mmu_frame(path->table[level - 1])->refs == 1)
		return ST_OK;
	status = count_pages(
		space, start > base ? start : base, end < behind ? end : behind, 1, &pages);
	*skip = pages == 0;
	if (status != ST_OK || *skip)
		return status;
	if (!frame_pool_has(1))
		return ST_NO_MEMORY;
	frame_pool_begin();
	path_split_level(space, path, level);
	status = tables_run();
	if (status != ST_OK)
		frame_pool_undo();
	return status;
}

/* Does the whole span of the entry lie within these bounds? */
static bool entry_is_within(uint64_t address, uint32_t level, uint64_t floor, uint64_t ceiling)
{
	return address / level_span(level) * level_span(level) >= floor &&
	       entry_end(address, level) <= ceiling;
}

/* Entries of a run that lie wholly below the ceiling; above level 2 just one. */
static uint32_t droppable_length(uint64_t address, uint64_t end, uint64_t ceiling, uint32_t level)
{
	uint64_t base = address / level_span(level) * level_span(level);
	uint32_t count = run_length(base, end, level);

	if (level > 2)
		return 1;
	if (level > 1 && count > RUN_TABLES)
		count = RUN_TABLES;
	while (count > 1 && base + count * level_span(level) > ceiling)
		count--;
	return count;
}

/* Go down at path->address to the entry that can be cleared as it is: *level; its table is then the
   space's own.  *skip: nothing of [start, end) is below the entry of *level. */
static status_t reach(struct space *space, struct path *path, const struct clearing *range,
	uint32_t *level, bool *skip)
{
	bool is_known = path_is_known(space, path);

	*level = mmu_levels;
	*skip = false;
	path->table[*level] = space->top;
	while (*level > 1 && !(*level <= DROP_LEVEL_MAX &&
				     entry_is_within(path->address, *level, range->floor,
					     range->ceiling))) {
		status_t status = ST_OK;

		if (!is_known)
			status = descend(space, path, *level, range, skip);
		if (status != ST_OK || *skip)
			return status;
		if (*level == 2 && path->table[1] == 0)
			return ST_OK;
		--*level;
	}
	if (*level == 1 && !is_known)
		path_remember(space, path);
	return ST_OK;
}

/* See tables.h. */
struct clearing tables_clearing(const struct space *space, uint64_t start, uint64_t end)
{
	const struct region *below = region_map_previous(space->regions, start);
	const struct region *across = region_map_lookup(space->regions, start);
	const struct region *above = region_map_next(space->regions, end);
	struct clearing range = {
		.start = start,
		.end = end,
		.floor = below ? below->end : 0,
		.ceiling = above ? above->start : REGION_USER_END,
	};

	if (across && across->start < start)
		range.floor = start;
	if (range.ceiling < end) /* it goes on behind the end */
		range.ceiling = end;
	return range;
}

/* See tables.h. */
status_t tables_own_edges(struct space *space, const struct clearing *range)
{
	const uint64_t edges[] = { range->start, range->end - PAGE_SIZE };
	uint32_t count = (edges[0] ^ edges[1]) < level_span(2) ? 1 : 2; /* of leaf tables */
	status_t status = ST_OK;

	for (uint32_t i = 0; i < count && status == ST_OK; i++) {
		struct path path = { .address = edges[i] };
		uint32_t level;
		bool skip;

		if (!path_is_known(space, &path))
			status = reach(space, &path, range, &level, &skip);
	}
	return status;
}

/* See tables.h. */
status_t tables_clear_step(struct space *space, uint64_t *cursor, const struct clearing *range)
{
	const struct clearing rest = { *cursor, range->end, range->floor, range->ceiling, false };
	struct path path = { .address = *cursor };
	uint32_t level, count;
	bool skip;
	status_t status = reach(space, &path, &rest, &level, &skip);

	if (status != ST_OK)
		return status;
	if (skip) {
		*cursor = entry_end(*cursor, level);
		return ST_OK;
	}
	count = droppable_length(*cursor, rest.end, rest.ceiling, level);
	status = clear_run(space, &path, rest.end, level, &count);
	if (status == ST_OK)
		*cursor = (*cursor / level_span(level) + count) * level_span(level);
	return status;
}

/* Every table of the path from this level up belongs to the space alone. */
static bool path_is_own(const struct path *path, uint32_t level)
{
	for (; level < mmu_levels; level++)
		if (mmu_frame(path->table[level])->refs != 1)
			return false;
	return true;
}

/* See tables.h. */
status_t tables_trim_step(struct space *space, uint64_t *cursor)
{
	struct path path;
	uint32_t level = mmu_levels;
	status_t status = path_read(&path, space, *cursor);

	if (status != ST_OK)
		return status;
	while (level > 1 && (path.entry[level] & PTE_P))
		level--;
	*cursor = entry_end(*cursor, level > 1 ? level : 2);
	return path_is_own(&path, level) ? tables_drop_empty(space, &path, level) : ST_OK;
}

/* One operation on the entry above the leaf table. */
static void add_protect_link(const struct path *path, uint64_t remove, uint64_t add)
{
	mmu_add(op_head(OP_PROTECT, 0, path->table[2], level_index(path->address, 2), 1), remove,
		add);
}

/* W of a table whose pages are all in one region: the entry above it is enough. */
static status_t withhold(struct space *space, const struct path *path)
{
	status_t status;

	add_protect_link(path, PTE_W, 0);
	mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
	status = tables_run();
	if (status == ST_OK)
		frame_pool.info[path->table[1]].withheld = true;
	return status;
}

/* Pages get W back: all that had it, or, of a part of a table, those without another use. */
static status_t give_write(const struct space *space, const struct path *path, uint32_t count,
	const struct rights_change *change)
{
	bool *withheld = &frame_pool.info[path->table[1]].withheld;
	bool was_withheld = *withheld, is_whole = count == TABLE_ENTRIES;
	status_t status;

	if (was_withheld && !is_whole) {
		/* A fault may have set W above since: then translations must go, too. */
		mmu_add(op_head(OP_PROTECT, 0, path->table[1], 0, TABLE_ENTRIES), PTE_W, 0);
		mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
	}
	if (change->grants && !(was_withheld && is_whole))
		mmu_add(op_head(OP_PROTECT, OP_PROTECT_SOLE, path->table[1],
				level_index(path->address, 1), count),
			0, PTE_W);
	if (was_withheld)
		add_protect_link(path, 0, PTE_W);
	status = tables_run();
	if (status == ST_OK)
		*withheld = false;
	return status;
}

/* The pages of one leaf table, from path->address on. */
static status_t protect_pages(struct space *space, const struct path *path, uint32_t count,
	const struct rights_change *change)
{
	uint32_t index = level_index(path->address, 1);
	status_t status = ST_OK;

	if (count == TABLE_ENTRIES && change->is_one && change->remove == PTE_W && change->add == 0)
		return withhold(space, path);
	if (change->remove != 0 || change->add != 0) {
		mmu_add(op_head(OP_PROTECT, 0, path->table[1], index, count), change->remove,
			change->add);
		mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
		status = tables_run();
	}
	return status == ST_OK && change->opens ? give_write(space, path, count, change) : status;
}

/* A large page of which all is meant.  W is not given back: the next write sees whether it may have that. */
static status_t protect_large(
	struct space *space, const struct path *path, const struct rights_change *change)
{
	if (change->remove == 0 && change->add == 0)
		return ST_OK;
	add_protect_link(path, change->remove, change->add);
	mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
	return tables_run();
}

/* See tables.h. */
status_t tables_protect_step(struct space *space, uint64_t *cursor, uint64_t end,
	const struct rights_change *change)
{
	const struct clearing range = { *cursor, end, *cursor, *cursor, true }; /* no entry is within */
	struct path path = { .address = *cursor };
	uint64_t next = entry_end(*cursor, 2);
	uint32_t level = 1;
	bool skip = false;
	status_t status = ST_OK;

	if (!path_is_known(space, &path))
		status = reach(space, &path, &range, &level, &skip);
	if (status != ST_OK)
		return status;
	if (skip) {
		*cursor = entry_end(*cursor, level);
		return ST_OK;
	}
	next = next < end ? next : end;
	tables_effort += (uint32_t)((next - *cursor) / PAGE_SIZE) * EFFORT_ENTRY;
	if (level == 2)
		status = protect_large(space, &path, change);
	else
		status = protect_pages(
			space, &path, (uint32_t)((next - *cursor) / PAGE_SIZE), change);
	if (status == ST_OK)
		*cursor = next;
	return status;
}

/* See tables.h. */
status_t tables_add_teardown(const struct space *space)
{
	uint32_t slot = 0, count;

	while ((count = space_slot_run(space, &slot)) != 0) {
		if (mmu_room() <= TEARDOWN_ROOM) {
			status_t status = tables_run();

			if (status != ST_OK)
				return status;
		}
		mmu_add(op_head(OP_CLEAR, 0, space->top, slot, count), 0, 0);
		slot += count;
	}
	if (space->thread == 0)
		mmu_add(op_head(OP_CLEAR, 0, space->top, LAYOUT_MESSAGE_SLOT, 1), 0, 0);
	return ST_OK;
}

/* See tables.h. */
status_t tables_teardown(struct space *space)
{
	status_t status = tables_add_teardown(space);

	path_forget(space);
	if (status == ST_OK)
		status = tables_run();
	if (status != ST_OK)
		return status;
	for (uint32_t i = 0; i < USER_SLOT_WORDS; i++)
		space->used[i] = 0;
	space->resident = 0;
	if (space->thread == 0)
		space->message = 0;
	return ST_OK;
}
