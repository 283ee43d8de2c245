/*
 * Moving pages: runs of entries, and both passes over them (model and rules: move.h).
 *
 * A run is worked out anew for each step, from what the tables hold then: between two steps the
 * space is busy, so only its relatives have changed anything, and they can only have let go of
 * tables that were shared.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "move.h"

#include "tables.h"

#define RUN_ENTRIES    256u /* of one step: their results fit a page */
#define RUN_TABLES     16u  /* of one step above leaf tables: in the target they may be large pages */
#define MOVE_LEVEL_MAX 3u   /* entries of higher levels stay: counting below them is long */
#define RUN_FRAMES     (2 * PATH_FRAMES)
#define ANY_LENGTH     UINT64_MAX

/* Entries of one level on both sides, from a cursor on. */
struct run {
	struct path from, to;
	uint32_t level, count;
	uint64_t bytes;
	bool has_source, has_target; /* something is present there */
	uint64_t target_pages;	     /* that go */
};

/* Of a range of `bytes` bytes, what lies behind the offset. */
static uint64_t rest_of(uint64_t bytes, uint64_t offset)
{
	return offset < bytes ? bytes - offset : 0;
}

/* See the header. */
uint64_t move_length(const struct move *move)
{
	return move->source_bytes > move->target_bytes ? move->source_bytes : move->target_bytes;
}

/* The highest level whose entries move whole; `places` has the address bits of both sides. */
static uint32_t choose_level(uint64_t places, uint64_t length)
{
	uint32_t level = MOVE_LEVEL_MAX;

	while (level > 1 && (places % level_span(level) != 0 || length < level_span(level)))
		level--;
	return level;
}

/* From the address on nothing is there for so many bytes, because tables above this level are
   missing; 0: none is. */
static status_t absent_length(const struct path *path, uint32_t level, uint64_t *bytes)
{
	uint32_t above = mmu_levels, index, count, i = 1;
	const uint64_t *entries;
	status_t status;

	*bytes = 0;
	while (above > level && (path->entry[above] & PTE_P))
		above--;
	if (above == level)
		return ST_OK;
	index = level_index(path->address, above);
	count = TABLE_ENTRIES - index < RUN_ENTRIES ? TABLE_ENTRIES - index : RUN_ENTRIES;
	if (above == mmu_levels)
		count = 1; /* slots of different roles cannot be read together */
	status = tables_read(path->table[above], index, count, &entries);
	while (status == ST_OK && i < count && !(entries[i] & PTE_P))
		i++;
	*bytes = entry_end(path->address, above) + (i - 1) * level_span(above) - path->address;
	return status;
}

/* Is any entry of the run present on this side, and how many pages are below? */
static status_t look(
	const struct path *path, const struct run *run, bool *is_present, uint64_t *pages)
{
	const uint64_t *entries;
	status_t status;

	*is_present = run->level == 1 && path_is_large(path);
	*pages = 0;
	if (*is_present) /* a part of a large page, which will be split */
		*pages = run->count;
	if (path->table[run->level] == 0)
		return ST_OK;
	status = tables_read(path->table[run->level], level_index(path->address, run->level),
		run->count, &entries);
	if (status != ST_OK)
		return status;
	*is_present = tables_count_present(entries, run->count) != 0;
	return *is_present ? tables_count_below(entries, run->count, run->level, pages) : ST_OK;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Entries of the run: within `length` and one table on each side. */
static uint32_t run_entries(const struct run *run, bool with_source, uint64_t length)
{
	uint64_t count = length / level_span(run->level);

	if (run->level > 2)
		return 1;
	if (with_source)
		count = smaller(count, TABLE_ENTRIES - level_index(run->from.address, run->level));
	count = smaller(count, TABLE_ENTRIES - level_index(run->to.address, run->level));
	return (uint32_t)smaller(count, run->level == 2 ? RUN_TABLES : RUN_ENTRIES);
}

/* Read both paths; the bytes in which neither side has anything to do, 0: look closer. */
static status_t read_paths(struct space *space, struct run *run, uint64_t source_rest,
	uint64_t target_rest, uint64_t *nothing)
{
	uint64_t of_source = ANY_LENGTH, of_target = ANY_LENGTH;
	status_t status = path_read(&run->to, space, run->to.address);

	if (status == ST_OK && source_rest != 0) {
		status = path_read(&run->from, space, run->from.address);
		if (status == ST_OK)
			status = absent_length(&run->from, run->level, &of_source);
	}
	if (status == ST_OK && target_rest != 0)
		status = absent_length(&run->to, run->level, &of_target);
	*nothing = smaller(of_source, of_target);
	return status;
}

/* The run at the offset. */
static status_t run_find(
	struct space *space, const struct move *move, uint64_t offset, struct run *run)
{
	uint64_t source_rest = rest_of(move->source_bytes, offset), pages;
	uint64_t target_rest = rest_of(move->target_bytes, offset);
	uint64_t length = source_rest != 0 ? source_rest : target_rest;
	uint64_t source = move->source + offset, target = move->target + offset;
	uint64_t nothing;
	status_t status;

	*run = (struct run){ .from.address = source, .to.address = target };
	run->level = choose_level(source_rest != 0 ? source | target : target, length);
	status = read_paths(space, run, source_rest, target_rest, &nothing);
	if (status != ST_OK)
		return status;
	if (nothing != 0) {
		run->bytes = smaller(nothing, length);
		return ST_OK;
	}
	run->count = run_entries(run, source_rest != 0, length);
	run->bytes = run->count * level_span(run->level);
	if (source_rest != 0)
		status = look(&run->from, run, &run->has_source, &pages);
	if (status == ST_OK)
		status = look(&run->to, run, &run->has_target, &run->target_pages);
	return status;
}

/* Make the paths of the run the space's own, the source's first: the target's may share tables
   with it. */
static status_t own_paths(struct space *space, struct run *run)
{
	status_t status = ST_OK;

	if (run->has_source) {
		path_own_to(space, &run->from, false, run->level);
		status = tables_run();
	}
	if (status == ST_OK)
		status = path_read(&run->to, space, run->to.address);
	if (status == ST_OK) {
		path_own_to(space, &run->to, false, run->level);
		status = tables_run();
	}
	return status;
}

/* See the header. */
status_t move_prepare_step(struct space *space, const struct move *move, uint64_t *cursor)
{
	struct run run;
	status_t status = run_find(space, move, *cursor, &run);

	if (status == ST_OK && (run.has_source || run.has_target)) {
		if (!frame_pool_has(RUN_FRAMES))
			return ST_NO_MEMORY;
		frame_pool_begin();
		status = own_paths(space, &run);
		if (status != ST_OK)
			frame_pool_undo();
	}
	if (status == ST_OK)
		*cursor += run.bytes;
	return status;
}

/* See the header.  Both sides are forbidden, then flushed, then used by whoever asks. */
status_t move_step(struct space *space, const struct move *move, uint64_t *cursor)
{
	struct run run;
	status_t status = run_find(space, move, *cursor, &run);
	pfn_t from = run.from.table[run.level], to = run.to.table[run.level];
	uint32_t index = level_index(run.to.address, run.level);

	if (status != ST_OK)
		return status;
	if (run.has_target)
		mmu_add(op_head(OP_CLEAR, 0, to, index, run.count), 0, 0);
	if (run.has_source && run.level == 1 && frame_pool.info[from].withheld)
		mmu_add(op_head(OP_PROTECT, 0, from, level_index(run.from.address, 1), run.count),
			PTE_W, 0);
	if (run.has_source)
		mmu_add(op_head(OP_MOVE, 0, from, level_index(run.from.address, run.level),
				run.count),
			(uint64_t)to << OP_PFN_SHIFT | (uint64_t)index << OP_INDEX_SHIFT, 0);
	path_forget(space);
	tables_effort += run.count * EFFORT_ENTRY / 2;
	if (mmu_count != 0)
		mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
	status = tables_run();
	if (status != ST_OK)
		return status;
	space->resident -= run.target_pages;
	*cursor += run.bytes;
	return ST_OK;
}
