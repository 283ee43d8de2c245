/*
 * Tests of the pager's checks: every rule of pager_check() is broken once, by hand, in each way that
 * the check tells apart, and must be reported by its number; put right again nothing is reported.
 *
 * The picture: PARENT and its CHILD.  PARENT has pages of every kind: its own (BASE, written after the
 * fork), read but never written (BASE + 1: the zero frame), of a file (FILE, private; SEEN, shared),
 * shared with CHILD copy-on-write (COMMON), its message page.  Entries, words for frames and records
 * are changed where they lie, as a fault of the pager would leave them.
 *
 * Usage: pager_check [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"

#include "../../servers/pager/account.h"
#include "../../servers/pager/check.h"
#include "../../servers/pager/latest.h"
#include "../../servers/pager/object.h"
#include "../../servers/pager/space.h"
#include "machine/memory.h"
#include <faultline/fault.h>

#define FRAMES	  2048
#define PAGE	  4096ull
#define BASE	  0x40000000ull /* 4 pages, the first two used */
#define READ_ONLY 0x40100000ull
#define FILE_AT	  0x40200000ull
#define SEEN	  0x40400000ull
#define COMMON	  0x8000000000ull    /* in a slot of its own: the whole tree is shared */
#define NOWHERE	  (BASE + 16 * PAGE) /* no region, but the leaf table of BASE */
#define RW	  (MAP_READ | MAP_WRITE)
#define OTHER	  2 /* a pool that is not the pager's */

static uint64_t parent, child, file;

/* ---- the picture ---- */

static uint64_t map(uint64_t address, uint64_t pages, uint64_t flags, uint64_t object)
{
	const struct machine_answer *answer = machine_program(
		parent, PAGER_MMAP, address, pages * PAGE, flags | MAP_NO_REPLACE, object, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	return answer->w[0];
}

static void touch(uint64_t space, uint64_t address, uint32_t access)
{
	uint64_t word = 7;

	CHECK_EQUAL(machine_access(space, address, access, &word), REASON_NONE);
}

static void make_file(void)
{
	static const uint8_t content[PAGE];
	const struct machine_answer *answer =
		machine_system(PAGER_OBJECT_CREATE, 2 * PAGE, 0x656c6966, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	file = answer->w[0];
	CHECK_EQUAL(machine_call(&(struct machine_request){ .badge = BADGE_SYSTEM | 1,
					 .label = PAGER_OBJECT_WRITE,
					 .w = { file, 0 },
					 .payload = content,
					 .bytes = PAGE })
			    ->status,
		ST_OK);
}

static void make_picture(void)
{
	const struct machine_answer *answer;

	machine_start(FRAMES);
	make_file();
	answer = machine_system(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0, 0, 0, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	parent = answer->w[0];
	map(BASE, 4, RW, 0);
	map(READ_ONLY, 2, MAP_READ, 0);
	map(FILE_AT, 1, RW, file);
	map(SEEN, 1, MAP_READ | MAP_SHARED, file);
	map(COMMON, 4, RW, 0);
	touch(parent, COMMON, FAULT_WRITE);
	touch(parent, LAYOUT_MESSAGE, FAULT_WRITE);
	answer = machine_system(PAGER_SPACE_FORK, parent, 2000, 0, 0, 0, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	child = answer->w[0];
	touch(parent, BASE, FAULT_WRITE);
	touch(parent, BASE + PAGE, 0);
	touch(parent, READ_ONLY, 0);
	touch(parent, FILE_AT, 0);
	touch(parent, SEEN, 0);
}

static uint32_t rule(void)
{
	uint64_t where;

	return pager_check(&where);
}

/* Set up again and gone, everything is in order: each test leaves it so. */
static void end_picture(void)
{
	CHECK_EQUAL(rule(), CHECK_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, child, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, parent, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_OBJECT_DESTROY, file, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle();
	machine_check();
}

/* ---- breaking ---- */

/* The entry of a level that the address goes through. */
static uint64_t *entry_of(uint64_t space, uint64_t address, uint32_t level)
{
	pfn_t table = space_find(space)->top;
	uint32_t at = LAYOUT_LEVELS;

	for (;; at--) {
		uint64_t *entries = frame_memory(table);
		uint64_t *entry = &entries[(address >> (12 + 9 * (at - 1))) % 512];

		if (at == level)
			return entry;
		CHECK(*entry & PTE_P);
		table = pte_pfn(*entry);
	}
}

static uint64_t *leaf_of(uint64_t address)
{
	return entry_of(parent, address, 1);
}

static pfn_t page_of(uint64_t address)
{
	return pte_pfn(*leaf_of(address));
}

/* With another value in *PLACE the rule is broken, with the old one no rule. */
#define BROKEN(place, value, wanted)                    \
	do {                                            \
		__typeof__(place) broken_old = (place); \
		(place) = (__typeof__(place))(value);   \
		CHECK_EQUAL(rule(), wanted);            \
		(place) = broken_old;                   \
		CHECK_EQUAL(rule(), CHECK_OK);          \
	} while (0)

static struct space *record(void)
{
	return space_find(parent);
}

static struct frame_info *info_of(pfn_t pfn)
{
	return &frame_pool.info[pfn];
}

/* ---- the queue of free frames ---- */

static void test_a_free_frame_is_in_the_queue_and_unused(void)
{
	pfn_t first = frame_pool.first;

	BROKEN(info_of(first)->kind, KIND_OBJECT, CHECK_FREE_QUEUE);
	BROKEN(frame_pool.first, FRAMES, CHECK_FREE_QUEUE);
	BROKEN(frame_pool.last, first, CHECK_FREE_QUEUE);
	BROKEN(sim_frame_table[first].type, FRAME_FREE, CHECK_FREE_USED);
	BROKEN(sim_frame_table[first].refs, 1, CHECK_FREE_USED);
	BROKEN(sim_frame_table[first].holds, 1, CHECK_FREE_USED);
}

static void test_a_frame_of_the_stock_is_blank(void)
{
	pfn_t first;

	CHECK_EQUAL(machine_system(PAGER_IDLE, 0, 0, 0, 0, 0, 0)->status, ST_OK);
	first = frame_pool.blanks.first;
	BROKEN(sim_frame_table[first].flags, 0, CHECK_FREE_USED);
	BROKEN(frame_pool.blanks.kept, frame_pool.blanks.kept + 1, CHECK_FREE_QUEUE);
}

static void test_counts_by_kind_are_right(void)
{
	BROKEN(frame_pool.total, frame_pool.total + 1, CHECK_KINDS);
}

/* ---- tables ---- */

static void test_a_used_slot_is_recorded(void)
{
	BROKEN(record()->used[0], 0, CHECK_SLOT);
}

static void test_an_entry_above_names_a_table_of_its_level(void)
{
	uint64_t *entry = entry_of(parent, BASE, 2);

	BROKEN(*entry, pte_make(page_of(BASE), PTE_P | PTE_W | PTE_U), CHECK_LINK);
	BROKEN(*entry, *entry & ~PTE_U, CHECK_LINK);
	BROKEN(*entry, *entry | PTE_NX, CHECK_LINK);
	BROKEN(info_of(pte_pfn(*entry))->kind, KIND_ANONYMOUS, CHECK_LINK);
}

static void test_a_table_with_two_references_is_not_writable(void)
{
	uint64_t *entry = entry_of(parent, COMMON, LAYOUT_LEVELS);

	CHECK(!(*entry & PTE_W) && sim_frame_table[pte_pfn(*entry)].refs == 2);
	BROKEN(*entry, *entry | PTE_W, CHECK_SHARED_WRITE);
}

static void test_a_table_that_cannot_be_read_is_reported(void)
{
	pfn_t leaf_table = pte_pfn(*entry_of(parent, BASE, 2));

	BROKEN(sim_frame_table[leaf_table].pool, OTHER, CHECK_READ);
	BROKEN(sim_frame_table[record()->top].pool, OTHER, CHECK_READ);
	BROKEN(sim_frame_table[object_find(file)->root].pool, OTHER, CHECK_OBJECT_PAGES);
}

/* ---- pages ---- */

static void test_a_page_lies_in_a_region(void)
{
	BROKEN(*leaf_of(NOWHERE), *leaf_of(BASE), CHECK_NO_REGION);
}

static void test_a_page_has_no_right_that_its_region_lacks(void)
{
	BROKEN(*leaf_of(READ_ONLY), *leaf_of(READ_ONLY) | PTE_W, CHECK_RIGHTS);
	BROKEN(*leaf_of(BASE), *leaf_of(BASE) & ~PTE_NX, CHECK_RIGHTS);
}

static void test_a_page_is_shared_as_its_region_says(void)
{
	BROKEN(*leaf_of(SEEN), *leaf_of(SEEN) & ~PTE_SHARED, CHECK_PAGE_KIND);
	BROKEN(*leaf_of(BASE), *leaf_of(BASE) | PTE_SHARED, CHECK_PAGE_KIND);
}

static void test_a_page_is_of_a_kind_that_can_be_there(void)
{
	BROKEN(info_of(page_of(BASE))->kind, KIND_OBJECT, CHECK_PAGE_KIND);
	BROKEN(info_of(page_of(BASE))->kind, KIND_TABLE, CHECK_PAGE_KIND);
	BROKEN(info_of(page_of(SEEN))->kind, KIND_ANONYMOUS, CHECK_PAGE_KIND);
	BROKEN(*leaf_of(BASE + PAGE), *leaf_of(BASE + PAGE) | PTE_W, CHECK_PAGE_KIND);
	BROKEN(*leaf_of(LAYOUT_MESSAGE), *leaf_of(BASE), CHECK_PAGE_KIND);
}

static void test_a_writable_page_has_one_reference(void)
{
	BROKEN(sim_frame_table[page_of(BASE)].refs, 2, CHECK_PAGE_SHARED);
}

/* The first rule that is broken is the one that is told. */
static void test_the_first_broken_rule_is_told(void)
{
	uint64_t before = *leaf_of(BASE);

	*leaf_of(BASE) = (before & ~PTE_NX) | PTE_SHARED;
	CHECK_EQUAL(rule(), CHECK_RIGHTS);
	*leaf_of(BASE) = before;
}

/* ---- records ---- */

static void test_resident_pages_are_counted(void)
{
	BROKEN(record()->resident, record()->resident + 1, CHECK_RESIDENT);
}

static void test_a_region_map_is_in_order(void)
{
	struct region_node *root = record()->regions;

	BROKEN(root->height, root->height + 1, CHECK_REGIONS);
	BROKEN(root->gap, root->gap + 1, CHECK_REGIONS);
	BROKEN(root->totals.count, 0, CHECK_REGIONS);
	BROKEN(root->totals.bytes, 0, CHECK_REGIONS);
	BROKEN(root->totals.private_bytes, 1, CHECK_REGIONS);
	BROKEN(root->totals.committed_bytes, 1, CHECK_REGIONS);
	BROKEN(root->low, 0, CHECK_REGIONS);
	BROKEN(root->high, 0, CHECK_REGIONS);
	BROKEN(root->left, NULL, CHECK_REGION_NODES); /* its nodes belong to nobody */
}

/* With all sums right: a bit that no region has, a region that nothing tells apart from the one in front
   of it. */
static void test_regions_are_valid_and_merged(void)
{
	const struct region_node *root;
	struct region *region;

	CHECK_EQUAL(machine_system(PAGER_SPACE_HEAP, parent, BASE + 4 * PAGE, 0, 0, 0, 0)->status,
		ST_OK);
	CHECK_EQUAL(machine_program(parent, PAGER_BRK, BASE + 6 * PAGE, 0, 0, 0, 0)->status, ST_OK);
	root = record()->regions;
	region = (struct region *)(uintptr_t)region_map_lookup(root, BASE + 4 * PAGE);
	BROKEN(region->protection, region->protection | 1u << 30, CHECK_REGIONS);
	BROKEN(region->kind, REGION_PLAIN, CHECK_REGIONS);
}

static void test_a_slab_counts_what_is_taken(void)
{
	struct slab slab = space_slab;

	CHECK(slab_ok(&slab));
	slab.backed_bytes++;
	CHECK(!slab_ok(&slab));
	slab.backed_bytes = UINT64_MAX & ~(PAGE - 1);
	CHECK(!slab_ok(&slab));
	slab = space_slab;
	slab.fresh = slab.capacity;
	CHECK(!slab_ok(&slab));
	slab = space_slab;
	slab.used = slab.fresh + 1;
	CHECK(!slab_ok(&slab));
	slab = space_slab;
	slab.used--;
	CHECK(!slab_ok(&slab));
}

/* Items that were given back: within the slab, at the start of an item, and no ring. */
static void test_a_slab_links_items_that_were_given_back(void)
{
	struct slab slab = space_slab;
	void **item = (void **)(void *)slab.base;
	void *before = *item;

	slab.used = slab.fresh - 1;
	slab.free = slab.base + 8;
	CHECK(!slab_ok(&slab));
	slab.free = slab.base + slab.fresh * slab.item_bytes;
	CHECK(!slab_ok(&slab));
	slab.free = item;
	*item = NULL;
	CHECK(slab_ok(&slab));
	*item = item;
	CHECK(!slab_ok(&slab));
	*item = before;
}

static void test_nodes_of_region_maps_are_counted(void)
{
	BROKEN(record()->regions->references, 5, CHECK_REGION_NODES);
	BROKEN(record()->regions, NULL, CHECK_REGION_NODES);
	BROKEN(record()->regions->references, 0, CHECK_REGION_NODES);
}

static void test_promises_are_counted(void)
{
	BROKEN(record()->committed, record()->committed + 1, CHECK_COMMITTED);
	BROKEN(account_committed, account_committed + 1, CHECK_COMMITTED);
}

static void test_pages_and_mappings_of_objects_are_counted(void)
{
	struct object *object = object_find(file);

	BROKEN(object->pages, object->pages + 1, CHECK_OBJECT_PAGES);
	BROKEN(object_count, object_count + 1, CHECK_OBJECT_MAPPED);
	object->is_doomed = true;
	CHECK_EQUAL(rule(), CHECK_OK); /* it goes with its last mapping */
	BROKEN(object->mappings, 0, CHECK_OBJECT_MAPPED);
	object->is_doomed = false;
}

/* ---- leaks ---- */

static void test_a_frame_in_use_has_a_reference(void)
{
	static const enum frame_kind kinds[] = { KIND_ANONYMOUS, KIND_OBJECT, KIND_MESSAGE,
		KIND_OWN, KIND_TABLE, KIND_KERNEL, KIND_ORPHAN };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		pfn_t pfn = frame_pool_take(kinds[i]);

		frame_pool_begin();
		CHECK_EQUAL(rule(), CHECK_LEAK);
		frame_pool_put(pfn);
		CHECK_EQUAL(rule(), CHECK_OK);
	}
}

/* A hold is a reference, too: the pager's own pages have nothing else. */
static void test_a_hold_is_a_reference(void)
{
	pfn_t pfn = frame_pool_take(KIND_ANONYMOUS);

	frame_pool_begin();
	sim_frame_table[pfn].holds = 1;
	CHECK_EQUAL(rule(), CHECK_OK);
	sim_frame_table[pfn].holds = 0;
	CHECK_EQUAL(rule(), CHECK_LEAK);
	frame_pool_put(pfn);
}

static void test_the_latest_mapping_and_its_room_are_known_rightly(void)
{
	const struct machine_answer *answer =
		machine_program(parent, PAGER_MMAP, 0, 2 * PAGE, RW, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(latest.region.start, answer->w[0]);
	CHECK_EQUAL(rule(), CHECK_OK);
	BROKEN(latest.space, NULL, CHECK_COMMITTED);
	BROKEN(latest.promise, 1, CHECK_KNOWN);
	BROKEN(latest.region.start, BASE, CHECK_KNOWN);
	BROKEN(latest.region.end, latest.region.end - PAGE, CHECK_KNOWN);
	BROKEN(latest.region.protection, 1u << 30, CHECK_KNOWN);
	BROKEN(record()->room.from, record()->room.from - PAGE, CHECK_KNOWN);
	BROKEN(record()->room.to, record()->room.to - PAGE, CHECK_KNOWN);
	BROKEN(record()->committed, record()->committed - 2, CHECK_COMMITTED);
	CHECK_EQUAL(machine_program(parent, PAGER_MUNMAP, latest.region.start, 2 * PAGE, 0, 0, 0)
			    ->status,
		ST_OK);
	CHECK(!latest.space);
	BROKEN(record()->room.from, record()->room.from - PAGE, CHECK_KNOWN);
	BROKEN(record()->room.least, record()->room.to, CHECK_OK); /* claims nothing */
	touch(parent, BASE + 2 * PAGE, FAULT_WRITE);
	CHECK(record()->last.start == BASE);
	BROKEN(record()->last.end, record()->last.end - PAGE, CHECK_KNOWN);
	BROKEN(record()->last.protection, MAP_READ, CHECK_KNOWN);
	BROKEN(record()->last.end, record()->last.start, CHECK_OK); /* nothing is remembered */
}

static void test_kernel_objects_belong_to_spaces(void)
{
	BROKEN(record()->thread, 0, CHECK_LEAK);
	BROKEN(record()->port, 1, CHECK_LEAK);
	BROKEN(sim_frame_table[record()->thread].type, FRAME_DATA, CHECK_LEAK);
}

static const struct check_test tests[] = {
	CHECK_TEST(a_free_frame_is_in_the_queue_and_unused),
	CHECK_TEST(a_frame_of_the_stock_is_blank),
	CHECK_TEST(counts_by_kind_are_right),
	CHECK_TEST(a_used_slot_is_recorded),
	CHECK_TEST(an_entry_above_names_a_table_of_its_level),
	CHECK_TEST(a_table_with_two_references_is_not_writable),
	CHECK_TEST(a_table_that_cannot_be_read_is_reported),
	CHECK_TEST(a_page_lies_in_a_region),
	CHECK_TEST(a_page_has_no_right_that_its_region_lacks),
	CHECK_TEST(a_page_is_shared_as_its_region_says),
	CHECK_TEST(a_page_is_of_a_kind_that_can_be_there),
	CHECK_TEST(a_writable_page_has_one_reference),
	CHECK_TEST(the_first_broken_rule_is_told),
	CHECK_TEST(resident_pages_are_counted),
	CHECK_TEST(a_region_map_is_in_order),
	CHECK_TEST(regions_are_valid_and_merged),
	CHECK_TEST(a_slab_counts_what_is_taken),
	CHECK_TEST(a_slab_links_items_that_were_given_back),
	CHECK_TEST(nodes_of_region_maps_are_counted),
	CHECK_TEST(promises_are_counted),
	CHECK_TEST(pages_and_mappings_of_objects_are_counted),
	CHECK_TEST(a_frame_in_use_has_a_reference),
	CHECK_TEST(a_hold_is_a_reference),
	CHECK_TEST(the_latest_mapping_and_its_room_are_known_rightly),
	CHECK_TEST(kernel_objects_belong_to_spaces),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), make_picture, end_picture, argc, argv);
}
