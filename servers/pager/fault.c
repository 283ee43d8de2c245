/*
 * The fault path.
 *
 *   region of the address -> does it allow the access? -> what is at the leaf?
 *       nothing: ask the object behind the region where the page comes from
 *       a page:  a right was missing: give it, or, for a write, make the page the space's own
 *   -> own the path (tables.c) -> one operation for the page
 *
 * Frames for the longest cure are asked for before the first change, so a fault cannot stop half
 * way.  What is recorded (resident pages) is recorded at once; if the kernel refuses the
 * operations, fault_undo() takes it back.
 *
 * A page is the space's own ("sole owner") if every table of its path has one reference, it
 * has one itself, nobody holds it, and it is anonymous: a file page mapped once is not.
 *
 * No flush goes with the leaf: the access that faulted dropped the processor's translation of
 * this very address, and the one thread of the space has not run since.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fault.h"

#include "blocks.h"
#include "fault_quick.h"
#include "latest.h"
#include "object.h"
#include "stack.h"
#include "stat.h"
#include "window.h"

struct fault_cure cure;

/* Any right at all lets the hardware read. */
static bool region_allows(const struct region *region, uint32_t access)
{
	if (access & FAULT_WRITE)
		return region->protection & MAP_WRITE;
	if (access & FAULT_FETCH)
		return region->protection & MAP_EXEC;
	return region->protection & REGION_RIGHTS;
}

static struct leaf leaf_of(const struct path *path)
{
	return (struct leaf){
		.table = path->table[1],
		.index = level_index(path->address, 1),
		.entry = path->entry[1],
		.is_split = path->is_split,
		.is_broken_up = path->is_broken_up,
	};
}

/* Put the operations behind those that are collected. */
static inline struct op *next_ops(void)
{
	return &mmu_ops[mmu_count];
}

static void add_leaf(const struct leaf *leaf, uint64_t entry)
{
	*next_ops() = set_leaf(leaf, entry);
	mmu_count++;
}

/* A page of zeros. */
static uint32_t put_zeroes(
	struct space *space, const struct leaf *leaf, uint64_t bits, struct op *ops)
{
	if (frame_pool_has_spare())
		return put_blank(space, leaf, bits, frame_pool_take_spare(KIND_ANONYMOUS), ops);
	return put_cleared(space, leaf, bits, frame_pool_take(KIND_ANONYMOUS), ops);
}

/* ---- an empty leaf ---- */

static uint32_t resolve_zeroes(
	struct space *space, uint32_t access, struct path *path, const struct region *region)
{
	bool write = access & FAULT_WRITE;
	struct leaf leaf;

	path_own(space, path, write);
	leaf = leaf_of(path);
	add_resident(space, 1);
	if (write) {
		(void)stream_begins(&space->stream, leaf.table, leaf.index);
		mmu_count += put_zeroes(space, &leaf, region_leaf_bits(region), next_ops());
	} else {
		add_leaf(&leaf, pte_make(mmu_zero_frame, region_leaf_bits(region)));
		pager_counters.faults_zero_read++;
	}
	return REASON_NONE;
}

static uint32_t resolve_shared(struct space *space, uint32_t access, struct path *path,
	const struct region *region, pfn_t frame)
{
	uint64_t bits = region_leaf_bits(region) | PTE_SHARED;
	struct leaf leaf;

	if (region->protection & MAP_WRITE)
		bits |= PTE_W;
	path_own(space, path, access & FAULT_WRITE);
	leaf = leaf_of(path);
	add_resident(space, 1);
	add_leaf(&leaf, pte_make(frame, bits));
	space->counters.faults_file++;
	return REASON_NONE;
}

static uint32_t resolve_frame(struct space *space, uint32_t access, struct path *path,
	const struct region *region, struct object *object, pfn_t frame)
{
	struct window window;
	struct leaf leaf;

	space->counters.faults_file++;
	if (access & FAULT_WRITE) {
		path_own(space, path, true);
		leaf = leaf_of(path);
		add_resident(space, 1);
		mmu_count += put_copy(space, &leaf, region_leaf_bits(region), frame,
			frame_pool_take(KIND_ANONYMOUS), next_ops());
	} else if (window_fill(&window, path, region, object)) {
		cure.live = path->table[1] != 0 ? mmu_frame(path->table[1])->live : 0;
		path_own(space, path, false);
		cure.filled = path->table[1];
		add_resident(space, window_add(&window, path, region_leaf_bits(region)));
	} else {
		path_own(space, path, false);
		leaf = leaf_of(path);
		add_resident(space, 1);
		add_leaf(&leaf, pte_make(frame, region_leaf_bits(region)));
	}
	return REASON_NONE;
}

static uint32_t resolve_absent(
	struct space *space, uint32_t access, struct path *path, const struct region *region)
{
	struct object *object;
	const struct object_kind *kind;
	pfn_t frame;

	if (region->object == 0)
		return resolve_zeroes(space, access, path, region);
	kind = object_of_region(region, &object);
	if (!kind)
		return REASON_PAST_END;
	switch (kind->supply(object, region,
		(region->offset + (path->address - region->start)) / PAGE_SIZE, &frame)) {
	case SUPPLY_ZEROES:
		frame_pool_begin();
		return resolve_zeroes(space, access, path, region);
	case SUPPLY_SHARED:
		frame_pool_begin();
		return resolve_shared(space, access, path, region, frame);
	case SUPPLY_FRAME:
		frame_pool_begin();
		return resolve_frame(space, access, path, region, object, frame);
	case SUPPLY_PAST_END:
		return REASON_PAST_END;
	case SUPPLY_REFUSED:
		return REASON_NO_MEMORY;
	default:
		return FAULT_WAITS;
	}
}

/* ---- a page is there ---- */

/* A write to a page that is there, below tables of the space's own: reuse it, or put a copy in
   its place. */
static uint32_t write_present(
	struct space *space, const struct leaf *leaf, uint64_t bits, struct op *ops)
{
	pfn_t frame = pte_pfn(leaf->entry);

	if (!(leaf->entry & (PTE_W | PTE_SHARED))) {
		if (frame == mmu_zero_frame)
			return put_zeroes(space, leaf, bits, ops);
		if (!is_sole_owner(leaf, frame))
			return put_copy(
				space, leaf, bits, frame, frame_pool_take(KIND_ANONYMOUS), ops);
	}
	space->counters.faults_reuse++;
	if ((leaf->entry & (PTE_W | PTE_U)) == (PTE_W | PTE_U))
		return 0; /* W in an upper level was all that lacked */
	ops[0] = set_leaf(leaf, (leaf->entry & ~PTE_NX) | bits | PTE_W);
	return 1;
}

/* Nobody else uses any page of the large one. */
static bool is_sole_block(pfn_t head)
{
	if (mmu_frame(head)->live != 1)
		return false;
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		if (mmu_frame(head + i)->refs != 0 || mmu_frame(head + i)->holds != 0)
			return false;
	return true;
}

/* A large page that lies in the region as a whole, and for a write is nobody else's, gets these rights as
   a whole.  False: it was split, and the path is the space's own. */
static bool resolve_large(
	struct space *space, struct path *path, const struct region *region, bool write)
{
	uint64_t base = path->address & ~(level_span(2) - 1), bits = region_leaf_bits(region), entry;

	if (region->start > base || region->end - base < level_span(2)) {
		path_own(space, path, write);
		return false;
	}
	path_own_to(space, path, write, 2);
	if (write && !(path->entry[2] & PTE_W) &&
		(path->is_split || !is_sole_block(pte_pfn(path->entry[2])))) {
		path_split_large(space, path);
		return false;
	}
	entry = (path->entry[2] & ~PTE_NX) | bits | (write ? PTE_W : 0);
	if (entry != path->entry[2])
		mmu_add(op_head(OP_SET, 0, path->table[2], level_index(path->address, 2), 1), entry,
			path->entry[2]);
	space->counters.faults_reuse++;
	return true;
}

static uint32_t resolve_write(struct space *space, struct path *path, const struct region *region)
{
	struct leaf leaf;

	if (!path_is_large(path))
		path_own(space, path, true);
	else if (resolve_large(space, path, region, true))
		return REASON_NONE;
	leaf = leaf_of(path);
	mmu_count += write_present(space, &leaf, region_leaf_bits(region), next_ops());
	return REASON_NONE;
}

/* The region has more rights than the page (mprotect): give them. */
static uint32_t resolve_rights(struct space *space, struct path *path, const struct region *region)
{
	struct leaf leaf;
	uint64_t entry;

	if (!path_is_large(path))
		path_own(space, path, false);
	else if (resolve_large(space, path, region, false))
		return REASON_NONE;
	leaf = leaf_of(path);
	entry = (leaf.entry & ~PTE_NX) | region_leaf_bits(region);
	if (entry != leaf.entry)
		add_leaf(&leaf, entry);
	space->counters.faults_reuse++;
	return REASON_NONE;
}

/* ---- the whole ---- */

/* See the header. */
uint32_t fault_resolve(
	struct space *space, uint32_t access, struct path *path, uint64_t *region_start)
{
	const struct region *region = space_region(space, path->address);

	*region_start = 0;
	if (!region) {
		uint32_t reason = stack_grow(space, path->address);

		if (reason != REASON_NONE)
			return reason;
		region = space_region(space, path->address);
	}
	*region_start = region->start;
	if (!region_allows(region, access))
		return REASON_PROTECTION;
	if (!frame_pool_has(FAULT_FRAMES))
		return FAULT_WAITS;
	cure_begin(space);
	if (!(path->entry[1] & PTE_P))
		return resolve_absent(space, access, path, region);
	if (access & FAULT_WRITE)
		return resolve_write(space, path, region);
	return resolve_rights(space, path, region);
}

/* See the header. */
uint64_t fault_forbidden(uint64_t badge, uint64_t address, uint32_t access)
{
	struct space *space = latest_asker(badge);
	const struct region *region;

	if (!space || access & FAULT_RESERVED || address >> SLOT_SHIFT > LAYOUT_USER_LAST_SLOT)
		return 0;
	latest_settle();
	region = space_region(space, address);
	if (!region || region_allows(region, access))
		return 0;
	space->counters.faults++;
	space->counters.faults_refused++;
	return region->start;
}

/* See the header. */
void fault_settle(void)
{
	uint32_t filled;

	if (cure.filled == 0)
		return;
	filled = mmu_frame(cure.filled)->live - cure.live;
	cure.filled = 0;
	if (filled == cure.resident)
		return;
	cure.space->resident -= cure.resident - filled;
	frame_pool_undo();
}

/* See the header. */
void fault_undo(void)
{
	if (cure.resident == BLOCK_FRAMES && mmu_frame(cure.block)->live == 0)
		blocks_give(cure.block);
	/* Of a window some pages may have been mapped. */
	if (cure.filled != 0 && mmu_frame(cure.filled)->type == FRAME_L1)
		cure.resident -= mmu_frame(cure.filled)->live - cure.live;
	cure.filled = 0;
	cure.space->resident -= cure.resident;
	path_forget(cure.space);
	if (cure.is_message)
		cure.space->message = 0;
	frame_pool_undo();
}

/* See the header. */
uint32_t fault_resolve_message(struct space *space, uint32_t access, struct path *path)
{
	struct leaf leaf;

	if (path->address >= LAYOUT_MESSAGE + PAGE_SIZE)
		return REASON_NO_REGION; /* one thread, one page */
	if (space->message != 0 || access & FAULT_FETCH)
		return REASON_PROTECTION;
	if (!frame_pool_has(FAULT_FRAMES))
		return FAULT_WAITS;
	cure_begin(space);
	cure.is_message = true;
	path_own(space, path, true);
	space->message = frame_pool_take_for_zeroes(KIND_MESSAGE);
	mmu_add(op_head(OP_ZERO, 0, space->message, 0, 1), 0, 0); /* it may have been anybody's */
	mmu_add(op_head(OP_RETYPE, 0, space->message, 0, 1), FRAME_MSG, 0);
	leaf = leaf_of(path);
	add_leaf(&leaf, pte_make(space->message, PTE_P | PTE_W | PTE_U | PTE_NX));
	mmu_add(op_head(OP_THREAD_SET, 0, space->thread, THREAD_FIELD_MESSAGE, 0), space->message,
		0);
	pager_counters.faults_message_page++;
	return REASON_NONE;
}

/* ---- access on behalf of others ---- */

/* The entries of the path allow this access. */
static bool path_allows(const struct path *path, uint32_t access)
{
	uint64_t rights = PTE_P | PTE_U | PTE_W;

	for (uint32_t level = mmu_levels; level > 0; level--)
		rights &= path->entry[level];
	if (access & FAULT_WRITE)
		return rights == (PTE_P | PTE_U | PTE_W);
	return (rights & (PTE_P | PTE_U)) == (PTE_P | PTE_U);
}

static status_t status_of_reason(uint32_t reason)
{
	if (reason == FAULT_WAITS || reason == REASON_NO_MEMORY)
		return ST_NO_MEMORY;
	return reason == REASON_PROTECTION ? ST_NO_ACCESS : ST_NOT_FOUND;
}

/* See the header. */
status_t fault_touch(struct space *space, uint64_t address, uint32_t access, pfn_t *frame)
{
	struct path path;
	uint64_t region_start;
	uint32_t reason;
	status_t status = path_read(&path, space, address);
	bool was_present;

	if (status != ST_OK)
		return status;
	was_present = path.entry[1] & PTE_P;
	if (!path_allows(&path, access)) {
		reason = fault_resolve(space, access, &path, &region_start);
		if (reason != REASON_NONE)
			return status_of_reason(reason);
		if (was_present) /* no access of the thread has faulted: it may remember the page */
			mmu_add(op_head(OP_FLUSH, 0, space->frame, 0, 0), 0, 0);
		status = tables_run();
		if (status != ST_OK) {
			fault_undo();
			return status;
		}
		fault_settle();
		status = path_read(&path, space, address);
		if (status != ST_OK)
			return status;
	}
	*frame = pte_pfn(path.entry[1]);
	return path_allows(&path, access) ? ST_OK : ST_BUSY;
}
