/*
 * Large pages are made (model and rules: large.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "large.h"

#include "blocks.h"
#include "fault_quick.h"
#include "stock.h"

#define CLEAR_PAGES ((uint32_t)(OP_WORK_MAX / OP_WORK_CLEAR)) /* by one call */
#define COPY_PAGES  32u /* in one slice: some calls */
#define EFFORT_BEFORE 5000u /* or the slice comes later */

static uint64_t base_of(uint64_t address)
{
	return address & ~(level_span(2) - 1);
}

/* Can the 2 MiB from here on be a large page of this region?  It is at least so much: `wanted`. */
static bool is_suitable(const struct region *region, uint64_t base, uint32_t wanted)
{
	return (region->protection & (wanted | MAP_SHARED)) == wanted && region->object == 0 &&
	       region->start <= base && base < region->end && region->end - base >= level_span(2);
}

/* Are no more pages there than will be new? */
static bool is_sparse(pfn_t leaf)
{
	return leaf == 0 || mmu_frame(leaf)->live <= TABLE_ENTRIES / 2;
}

/* Is there a block, and memory for the path to it?  If blocks are wanting, idle time may bring some. */
static bool can_have_block(void)
{
	if (blocks.count == 0)
		stock_rouse();
	return blocks_has() && frame_pool_has(PATH_FRAMES);
}

/* See the header. */
bool large_may_be_due(const struct region *region, uint64_t address, pfn_t leaf)
{
	return is_suitable(region, base_of(address), MAP_LARGE | MAP_WRITE) && is_sparse(leaf);
}

/* See the header. */
bool large_is_due(struct space *space, uint32_t access, const struct path *path)
{
	const struct region *region;

	frame_pool_class = space->class == CLASS_SERVER ? FRAMES_SERVER : FRAMES_PROGRAM;
	if ((access & (FAULT_WRITE | FAULT_PRESENT | FAULT_RESERVED)) != FAULT_WRITE)
		return false;
	region = space_region(space, path->address);
	return region && large_may_be_due(region, path->address, path->table[1]) && can_have_block();
}

/* For the 2 MiB at the cursor. */
static void take_block(struct job *job, pfn_t leaf)
{
	bool is_clean = leaf == 0;

	job->block = blocks_take(&is_clean);
	job->leaf = leaf;
	job->filled = is_clean && leaf == 0 ? BLOCK_FRAMES : 0;
}

/* See the header. */
void large_begin(struct space *space, const struct path *path)
{
	uint64_t base = base_of(path->address);

	space->job = (struct job){
		.kind = JOB_LARGE,
		.start = base,
		.cursor = base,
		.end = base + level_span(2),
		.word = path->address,
	};
	take_block(&space->job, path->table[1]);
}

static void give_block(struct job *job)
{
	blocks_give(job->block);
	job->block = 0;
}

/* See the header. */
void large_drop(struct space *space)
{
	if (space->job.block != 0)
		give_block(&space->job);
}

/* ---- filling ---- */

static bool is_zeros(uint64_t entry)
{
	return entry == 0 || ((entry & PTE_P) && pte_pfn(entry) == mmu_zero_frame);
}

/* A page that may be in another frame from now on. */
static bool is_movable(uint64_t entry)
{
	const struct frame *frame = mmu_frame(pte_pfn(entry));

	return (entry & PTE_P) && frame->type == FRAME_DATA && frame->holds == 0;
}

/* Collect what fills frames from `to` on with what these entries stand for.  False: that cannot be. */
static bool add_copies(const uint64_t *entries, pfn_t to, uint32_t count)
{
	uint32_t run;

	for (uint32_t i = 0; i < count; i += run) {
		for (run = 0; i + run < count && is_zeros(entries[i + run]); run++)
			continue;
		if (run != 0) {
			mmu_add(op_head(OP_ZERO, 0, to + i, 0, run), 0, 0);
			continue;
		}
		if (!is_movable(entries[i])) {
			mmu_count = 0;
			return false;
		}
		mmu_add(op_head(OP_COPY_FRAME, 0, pte_pfn(entries[i]), 0, 0), to + i, 0);
		run = 1;
	}
	return true;
}

/* Collect the next slice.  BUSY: a page cannot be moved just now. */
static status_t add_slice(const struct job *job, uint32_t *count)
{
	uint64_t copy[COPY_PAGES];
	const uint64_t *entries;
	status_t status;

	*count = CLEAR_PAGES;
	if (job->leaf == 0) {
		mmu_add(op_head(OP_ZERO, 0, job->block + job->filled, 0, CLEAR_PAGES), 0, 0);
		return ST_OK;
	}
	*count = COPY_PAGES;
	status = tables_read(job->leaf, job->filled, COPY_PAGES, &entries);
	if (status != ST_OK)
		return status;
	for (uint32_t i = 0; i < COPY_PAGES; i++)
		copy[i] = entries[i];
	return add_copies(copy, job->block + job->filled, COPY_PAGES) ? ST_OK : ST_BUSY;
}

/* See the header. */
status_t large_fill(struct space *space, bool *done, bool *is_awaited)
{
	struct job *job = &space->job;
	uint32_t count;
	status_t status;

	*is_awaited = false;
	*done = job->filled == BLOCK_FRAMES;
	if (*done)
		return ST_OK; /* it was clean */
	status = add_slice(job, &count);
	if (status == ST_OK)
		status = mmu_run_and_look(is_awaited);
	if (status != ST_OK) {
		give_block(job);
		return status;
	}
	job->filled = (uint16_t)(job->filled + count);
	*done = job->filled == BLOCK_FRAMES;
	return ST_OK;
}

/* ---- mapping ---- */

static void add_entry(struct space *space, const struct path *path)
{
	uint64_t bits = region_leaf_bits(space_region(space, path->address)) | PTE_W | PTE_PS;

	mmu_add(op_head(OP_SET, 0, path->table[2], level_index(path->address, 2), 1),
		pte_make(space->job.block, bits), 0);
}

/* See the header. */
void large_add(struct space *space, struct path *path)
{
	cure_begin(space);
	path_own_to(space, path, true, 2);
	add_resident(space, BLOCK_FRAMES);
	add_entry(space, path);
	cure.block = space->job.block;
	space->counters.faults_zero++;
	space->job.block = 0;
}

/* Nothing is there. */
static status_t map_new(struct space *space, struct path *path)
{
	status_t status;

	large_add(space, path);
	status = tables_run();
	if (status != ST_OK)
		fault_undo();
	return status;
}

/* A leaf table is there: its entry goes, and so do translations by it, before the other one comes.  Should that be
   refused, the entry comes back: the table waits for the reaper only when all is done.  (The operations touch two
   entries, so none asks for MORE, which would collect its end.) */
static status_t map_promoted(struct space *space, struct path *path)
{
	uint32_t index = level_index(path->address, 2);
	uint64_t pages = BLOCK_FRAMES - mmu_frame(path->table[1])->live;
	status_t status;

	frame_pool_begin();
	path_forget(space);
	path_own_to(space, path, true, 2);
	status = tables_run();
	if (status != ST_OK) {
		frame_pool_undo();
		return status;
	}
	mmu_add(op_head(OP_CLEAR, 0, path->table[2], index, 1), 0, 0);
	mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
	add_entry(space, path);
	status = mmu_run();
	if (status != ST_OK) {
		status_t back;

		/* MISMATCH: it is there still. */
		mmu_add(op_head(OP_SET, 0, path->table[2], index, 1), path->entry[2], 0);
		back = mmu_run();
		return back == ST_OK || back == ST_MISMATCH ? status : back;
	}
	tables_collect(mmu_results, mmu_result_count);
	space->resident += pages;
	space->job.block = 0;
	pager_counters.promotions++;
	return ST_OK;
}

/* See the header. */
status_t large_map(struct space *space)
{
	struct job *job = &space->job;
	struct path path;
	status_t status = path_read(&path, space, job->cursor);

	if (status == ST_OK && !frame_pool_has(PATH_FRAMES))
		status = ST_NO_MEMORY;
	if (status == ST_OK)
		status = job->leaf == 0 ? map_new(space, &path) : map_promoted(space, &path);
	if (status != ST_OK && job->block != 0)
		give_block(job);
	return status;
}

/* ---- jobs ---- */

/* The next slice of the 2 MiB at work, if not much else has been done before.  After the last the cursor is behind
   it. */
static status_t advance(struct space *space)
{
	bool is_full, is_awaited, is_late = tables_effort > EFFORT_BEFORE;
	status_t status;

	tables_effort += EFFORT_SLICE;
	if (is_late)
		return ST_OK;
	status = large_fill(space, &is_full, &is_awaited);
	if (status != ST_OK || !is_full)
		return status;
	status = large_map(space);
	if (status == ST_OK)
		space->job.cursor += level_span(2);
	return status;
}

/* The first address behind `base` where something may be: behind the highest entry that is empty. */
static uint64_t skip_absent(const struct path *path, uint64_t base)
{
	uint32_t level = mmu_levels;

	while (level > 2 && (path->entry[level] & PTE_P))
		level--;
	return entry_end(base, level);
}

/* The 2 MiB of the path are suitable: are they to be made large?  Else the cursor moves on. */
static bool is_wanted(struct job *job, const struct path *path)
{
	uint64_t base = job->cursor;

	if (path_is_large(path)) {
		job->found = true;
		job->cursor = entry_end(base, 2);
		return false;
	}
	if (job->rights == ADVICE_COLLAPSE || !is_sparse(path->table[1]))
		return true;
	job->cursor = skip_absent(path, base);
	return false;
}

/* Move the cursor to the next 2 MiB that are to be made large, some of the way; and take a block for them. */
static status_t find_next(struct space *space)
{
	struct job *job = &space->job;
	const struct region *region = region_map_next(space->regions, job->cursor);
	uint32_t wanted = job->rights == ADVICE_COLLAPSE ? MAP_WRITE : MAP_LARGE | MAP_WRITE;
	uint64_t base = base_of(job->cursor + level_span(2) - 1);
	struct path path;
	status_t status;

	if (!region || region->start >= job->end) {
		job->cursor = job->end;
		return ST_OK;
	}
	if (base < region->start)
		base = base_of(region->start + level_span(2) - 1);
	if (!is_suitable(region, base, wanted) || base + level_span(2) > job->end) {
		job->cursor = region->end;
		return ST_OK;
	}
	job->cursor = base;
	status = path_read(&path, space, base);
	if (status != ST_OK || !is_wanted(job, &path))
		return status;
	if (!can_have_block())
		return ST_NO_MEMORY;
	take_block(job, path.table[1]);
	job->found = true;
	return ST_OK;
}

/* How the job ends.  A fault that cannot have its large page has a small one, or, if not even that, comes again.
   Who has only advised takes what there is. */
static status_t outcome(struct space *space, status_t status)
{
	const struct job *job = &space->job;
	pfn_t frame;

	switch (job->rights) {
	case ADVICE_COLLAPSE:
		return status == ST_OK && !job->found ? ST_BAD_ARGUMENT : status;
	case ADVICE_LARGE:
		return ST_OK;
	default:
		return status == ST_OK ? ST_OK :
					 fault_touch(space, job->word, FAULT_WRITE, &frame);
	}
}

/* See the header. */
status_t large_step(struct space *space, bool *done)
{
	struct job *job = &space->job;
	status_t status = job->block == 0 ? find_next(space) : advance(space);

	*done = status != ST_OK || job->cursor >= job->end;
	return *done ? outcome(space, status) : ST_OK;
}

/* The 2 MiB at the cursor, if they are suitable, and sparse. */
static bool begin_here(struct space *space, const struct region *region)
{
	struct job *job = &space->job;
	struct path path;

	if (job->cursor % level_span(2) != 0 || job->end - job->cursor < level_span(2) ||
		!is_suitable(region, job->cursor, MAP_LARGE | MAP_WRITE) ||
		path_read(&path, space, job->cursor) != ST_OK || path_is_large(&path) ||
		!is_sparse(path.table[1]) || !can_have_block())
		return false;
	take_block(job, path.table[1]);
	return true;
}

/* See the header. */
bool large_populate(struct space *space, const struct region *region)
{
	if (space->job.block == 0 && !begin_here(space, region))
		return false;
	return advance(space) == ST_OK;
}
