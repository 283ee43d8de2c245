/*
 * pager_ok(): walks everything the pager knows, and the tables of all spaces, and compares.
 *
 * The rules (numbers: check.h), those of DESIGN 2.1 with them:
 *
 *   - the queue of free frames is as long as its count; its frames are DATA and unused
 *   - a user slot of a top-level table that is not empty is recorded
 *   - entries above the leaves name tables of the level below, with U and without NX
 *   - an entry with W, not SHARED, names a table or page with one reference; so a table shared
 *     copy-on-write has W off in all entries that name it (rule 1)
 *   - a page lies in a region, and has no right that the region does not give, whatever the upper
 *     levels say: so setting W above it is always safe (rule 6)
 *   - a writable private page is anonymous (rule 3); a SHARED one belongs to an object
 *   - counts: resident pages, promises, region nodes, object pages, frames by kind
 *   - a frame in use has a reference or hold, or is the root of an object, or an orphan
 *
 * Spaces with a job are exempt from the rules on regions: their pages are on their way.  Not
 * bounded: for tests and reports.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"

#include "account.h"
#include "blocks.h"
#include "fault.h"
#include "latest.h"
#include "object.h"
#include "tables.h"

/* A walk over the tables of one space. */
struct walk_check {
	struct space *space;
	bool regions_hold; /* no job: pages must fit the regions */
	uint64_t pages;
	bool is_withheld; /* W, from the table at hand */
	uint32_t rule; /* violated */
	uint64_t where;
};

static bool violated(struct walk_check *walk, bool is_wrong, uint32_t rule, uint64_t where)
{
	if (is_wrong && walk->rule == CHECK_OK) {
		walk->rule = rule;
		walk->where = where;
	}
	return is_wrong;
}

/* Rights of the page within those of its region. */
static void check_region(struct walk_check *walk, uint64_t address, uint64_t entry)
{
	const struct region *region = region_map_lookup(walk->space->regions, address);
	uint64_t allowed;
	bool is_shared;

	if (violated(walk, !region, CHECK_NO_REGION, address))
		return;
	allowed = region_leaf_bits(region);
	if (region->protection & MAP_WRITE || walk->is_withheld)
		allowed |= PTE_W;
	violated(walk, (entry & (PTE_W | PTE_U) & ~allowed) != 0, CHECK_RIGHTS, address);
	violated(walk, (allowed & PTE_NX) && !(entry & PTE_NX), CHECK_RIGHTS, address);
	is_shared = region->protection & MAP_SHARED;
	violated(walk, is_shared != ((entry & PTE_SHARED) != 0), CHECK_PAGE_KIND, address);
}

static void check_page(struct walk_check *walk, uint64_t address, uint64_t entry)
{
	pfn_t pfn = pte_pfn(entry);
	enum frame_kind kind = frame_kind(pfn);

	if (address >= LAYOUT_MESSAGE) {
		violated(walk, pfn != walk->space->message, CHECK_PAGE_KIND, address);
		return;
	}
	walk->pages++;
	if (walk->regions_hold)
		check_region(walk, address, entry);
	if (pfn == mmu_zero_frame) {
		violated(walk, (entry & (PTE_W | PTE_SHARED)) != 0, CHECK_PAGE_KIND, address);
		return;
	}
	violated(walk, kind != KIND_ANONYMOUS && kind != KIND_OBJECT && kind != KIND_BLOCK,
		CHECK_PAGE_KIND, address);
	violated(walk, (entry & PTE_SHARED) && kind != KIND_OBJECT, CHECK_PAGE_KIND, address);
	if ((entry & (PTE_W | PTE_SHARED)) != PTE_W)
		return;
	violated(walk, kind != KIND_ANONYMOUS, CHECK_PAGE_KIND, address);
	violated(walk, mmu_frame(pfn)->refs != 1, CHECK_PAGE_SHARED, address);
}

/* A large page: each of its pages fits the region, and if it may be written nobody else has one of them. */
static void check_large(struct walk_check *walk, uint64_t address, uint64_t entry)
{
	pfn_t head = pte_pfn(entry);
	bool is_writable = entry & PTE_W;

	violated(walk, frame_kind(head) != KIND_BLOCK || (entry & PTE_SHARED), CHECK_PAGE_KIND,
		address);
	violated(walk, is_writable && mmu_frame(head)->live != 1, CHECK_PAGE_SHARED, address);
	walk->is_withheld = false;
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		violated(walk, is_writable && mmu_frame(head + i)->refs != 0, CHECK_PAGE_SHARED,
			address);
		if (walk->regions_hold)
			check_region(walk, address + i * PAGE_SIZE, entry);
	}
	walk->pages += TABLE_ENTRIES;
}

/* False: do not walk below it. */
static bool check_link(struct walk_check *walk, uint64_t entry, uint32_t level)
{
	pfn_t pfn = pte_pfn(entry);
	const struct frame *frame = mmu_frame(pfn);

	if (violated(walk, frame->type != FRAME_L1 + level - 2, CHECK_LINK, pfn))
		return false;
	violated(walk, (entry & (PTE_U | PTE_NX)) != PTE_U, CHECK_LINK, pfn);
	violated(walk, frame_kind(pfn) != KIND_TABLE, CHECK_LINK, pfn);
	violated(walk, (entry & (PTE_W | PTE_SHARED)) == PTE_W && frame->refs != 1,
		CHECK_SHARED_WRITE, pfn);
	return true;
}

static void check_table(struct walk_check *walk, pfn_t table, uint32_t level, uint64_t base);

static void check_entry(struct walk_check *walk, uint64_t entry, uint32_t level, uint64_t address)
{
	uint32_t slot = level_index(address, level);

	if (!(entry & PTE_P))
		return;
	if (level == 1) {
		check_page(walk, address, entry);
		return;
	}
	if (level == mmu_levels && slot <= LAYOUT_USER_LAST_SLOT)
		violated(
			walk, !(walk->space->used[slot / 64] >> (slot % 64) & 1), CHECK_SLOT, slot);
	if (level == 2 && entry_is_large(entry)) {
		check_large(walk, address, entry);
		return;
	}
	if (!check_link(walk, entry, level))
		return;
	if (level == 2)
		walk->is_withheld = table_is_withheld(entry);
	check_table(walk, pte_pfn(entry), level - 1, address);
}

static void check_table(struct walk_check *walk, pfn_t table, uint32_t level, uint64_t base)
{
	uint64_t entries[TABLE_ENTRIES / 2];

	for (uint32_t half = 0; half < TABLE_ENTRIES && walk->rule == CHECK_OK;
		half += TABLE_ENTRIES / 2) {
		const uint64_t *read;

		if (violated(walk, tables_read(table, half, TABLE_ENTRIES / 2, &read) != ST_OK,
			    CHECK_READ, table))
			return;
		for (uint32_t i = 0; i < TABLE_ENTRIES / 2; i++)
			entries[i] = read[i];
		for (uint32_t i = 0; i < TABLE_ENTRIES / 2; i++)
			check_entry(walk, entries[i], level, base + (half + i) * level_span(level));
	}
}

/* The slots of the top-level table that are the pager's: user slots and the message slot. */
static void check_top(struct walk_check *walk)
{
	for (uint32_t slot = 0; slot <= LAYOUT_MESSAGE_SLOT; slot++) {
		const uint64_t *read;
		uint64_t address = (uint64_t)slot << SLOT_SHIFT;

		if (slot == LAYOUT_USER_LAST_SLOT + 1) {
			slot = LAYOUT_MESSAGE_SLOT;
			address = LAYOUT_MESSAGE;
		}
		if (violated(walk, tables_read(walk->space->top, slot, 1, &read) != ST_OK,
			    CHECK_READ, walk->space->top))
			return;
		check_entry(walk, read[0], mmu_levels, address);
	}
}

/* The region found last is one, as it is. */
static bool last_is_known_rightly(const struct space *space)
{
	const struct region *last = &space->last, *region;

	if (last->end == last->start)
		return true;
	region = region_map_lookup(space->regions, last->start);
	return region && region->start == last->start && region->end == last->end &&
	       region->protection == last->protection && region->object == last->object &&
	       region->offset == last->offset;
}

/* Where mappings go: the highest gap with room. */
static bool room_is_known_rightly(const struct space *space)
{
	const struct room *room = &space->room;
	struct region_gap gap;

	if (room->to == 0 || room->to < room->from + room->least)
		return true; /* none is claimed */
	return region_map_find_whole_gap(space->regions, room->least, LAYOUT_USER_MIN,
		       LAYOUT_MMAP_TOP, REGION_TOP_DOWN, &gap) == ST_OK &&
	       gap.from == room->from && gap.to == room->to;
}

/* The latest mapping is no region yet, and nothing is in its tables. */
static void check_latest(struct walk_check *walk)
{
	uint64_t pages;

	if (latest.space != walk->space || violated(walk, !latest_ok(), CHECK_KNOWN, walk->space->id))
		return;
	violated(walk,
		tables_count(walk->space, latest.region.start, latest.region.end, &pages) != ST_OK ||
			pages != 0,
		CHECK_KNOWN, latest.region.start);
}

/* What is remembered of the tables and regions (space.h) is what they are. */
static void check_known(struct walk_check *walk)
{
	const struct path_known *known = &walk->space->known;
	const struct untouched *untouched = &walk->space->untouched;
	struct path path;
	uint64_t pages;

	check_latest(walk);
	violated(walk, !last_is_known_rightly(walk->space), CHECK_KNOWN, walk->space->last.start);
	violated(walk, !room_is_known_rightly(walk->space), CHECK_KNOWN, walk->space->room.to);
	if (untouched->end != 0)
		violated(walk,
			tables_count(walk->space, untouched->start, untouched->end, &pages) != ST_OK ||
				pages != 0,
			CHECK_KNOWN, untouched->start);
	if (known->base == 0)
		return;
	if (violated(walk, path_read(&path, walk->space, known->base - 1) != ST_OK, CHECK_READ,
		    walk->space->top))
		return;
	for (uint32_t level = 1; level < mmu_levels; level++)
		violated(walk, path.table[level] != known->table[level], CHECK_KNOWN,
			known->base - 1);
}

static uint32_t check_space(struct space *space, uint64_t *where)
{
	struct walk_check walk = {
		.space = space,
		.regions_hold = space->state == SPACE_LIVE && space->job.kind == JOB_NONE,
	};

	if (!region_map_ok(space->regions)) {
		*where = space->id;
		return CHECK_REGIONS;
	}
	check_top(&walk);
	check_known(&walk);
	violated(&walk, walk.pages != space->resident && space->job.kind != JOB_TEARDOWN,
		CHECK_RESIDENT, space->id);
	*where = walk.where;
	return walk.rule;
}

/* All region maps together use all nodes, and every node is referenced as often as it says. */
static uint32_t check_region_nodes(void)
{
	uint64_t nodes = 0;
	bool are_right = true;

	while (region_map_reap(UINT64_MAX))
		continue;
	for (struct space *space = space_first; space; space = space->next) {
		nodes += region_map_count_references(space->regions);
		nodes += region_map_count_references(space->job.removed);
	}
	for (struct space *space = space_first; space; space = space->next) {
		are_right &= region_map_check_references(space->regions);
		are_right &= region_map_check_references(space->job.removed);
	}
	return are_right && nodes == region_map_nodes() ? CHECK_OK : CHECK_REGION_NODES;
}

static uint32_t check_accounts(uint64_t *where)
{
	uint64_t sum = 0;

	for (struct space *space = space_first; space; space = space->next) {
		struct region_totals totals = region_map_totals(space->regions);
		uint64_t promised = space == latest.space ? latest.promise : 0;

		*where = space->id;
		if (space->committed !=
			totals.committed_bytes / PAGE_SIZE + space->shared + promised)
			return CHECK_COMMITTED;
		sum += space->committed;
	}
	*where = 0;
	return sum == account_committed ? CHECK_OK : CHECK_COMMITTED;
}

/* In use, by what the kernel counts; the roots of objects and orphans are told apart by their
   number. */
static bool frame_is_lost(pfn_t pfn, uint64_t *roots)
{
	const struct frame *frame = mmu_frame(pfn);

	switch (frame_kind(pfn)) {
	case KIND_TABLE:
		*roots += frame->refs == 0 ? 1 : 0;
		return false;
	case KIND_ANONYMOUS:
	case KIND_OBJECT:
	case KIND_MESSAGE:
	case KIND_OWN:
		return frame->refs == 0 && frame->holds == 0;
	case KIND_BLOCK:
		return !(frame->flags & FRAME_BLOCK);
	case KIND_KERNEL:
		return frame->type != FRAME_SPACE && frame->type != FRAME_TOP &&
		       frame->type != FRAME_THREAD && frame->type != FRAME_PORT;
	default:
		return false;
	}
}

static uint64_t kernel_objects(void)
{
	uint64_t count = 0;

	for (const struct space *space = space_first; space; space = space->next)
		count += (space->frame ? 1u : 0) + (space->top ? 1u : 0) +
			 (space->thread ? 1u : 0) + (space->port ? 1u : 0);
	return count;
}

/* Frames that have a kind at all. */
static uint64_t frames_of_pool(const uint64_t *kinds)
{
	uint64_t count = 0;

	for (uint32_t kind = KIND_FREE; kind < KINDS; kind++)
		count += kinds[kind];
	return count;
}

/* Blocks that are being filled. */
static uint64_t blocks_in_jobs(void)
{
	uint64_t count = 0;

	for (const struct space *space = space_first; space; space = space->next)
		count += space->job.block != 0 ? 1 : 0;
	return count;
}

static uint32_t check_frames(uint64_t *where)
{
	uint64_t kinds[KINDS] = { 0 }, roots = 0;

	for (pfn_t pfn = 0; pfn < frame_pool.frame_count; pfn++) {
		kinds[frame_kind(pfn)]++;
		*where = pfn;
		if (frame_is_lost(pfn, &roots))
			return CHECK_LEAK;
	}
	*where = roots;
	if (roots != object_roots() || kinds[KIND_KERNEL] != kernel_objects() ||
		kinds[KIND_ORPHAN] != tables_orphan_count())
		return CHECK_LEAK;
	*where = kinds[KIND_ASIDE];
	if (kinds[KIND_ASIDE] != gather.aside)
		return CHECK_KINDS;
	*where = kinds[KIND_FREE];
	return kinds[KIND_FREE] == frame_pool.free && frame_pool.total == frames_of_pool(kinds)
		       ? CHECK_OK
		       : CHECK_KINDS;
}

/* See the header. */
uint32_t pager_check(uint64_t *where)
{
	uint32_t rule = check_region_nodes();

	*where = 0;
	fault_settle();
	for (struct space *space = space_first; space && rule == CHECK_OK; space = space->next)
		rule = check_space(space, where);
	if (rule == CHECK_OK)
		rule = check_accounts(where);
	if (rule == CHECK_OK)
		rule = object_check(where);
	if (rule == CHECK_OK)
		rule = frame_pool_check(where);
	if (rule == CHECK_OK)
		rule = blocks_check(blocks_in_jobs(), where);
	if (rule == CHECK_OK)
		rule = check_frames(where);
	return rule;
}
