/*
 * Tests of what the pager spares in requests about ranges, and may spare only while it is true: W
 * withheld from whole tables, pages that become writable at once, memory nobody touched, the latest
 * mapping, tables that are known, promises that are none.
 *
 * Each test starts with a machine of 4,096 frames and a pager without spaces, and ends with all
 * spaces destroyed and every frame back.  All rules are checked after each step that could break one.
 *
 * Usage: pager_spare [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include <faultline/layout.h>

#include "../../servers/pager/fault.h"
#include "../../servers/pager/latest.h"
#include "../../servers/pager/request.h"
#include "../../servers/pager/serve.h"
#include "../../servers/pager/tables.h"

#define FRAMES 4096
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define LEAF   (512 * PAGE) /* what a leaf table spans */
#define TIB    (1ull << 40)
#define SPACES 8u

static uint64_t spaces[SPACES];
static uint32_t spaces_count;
static uint64_t frames_at_start;

/* ---- helpers ---- */

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static uint64_t remember(const struct machine_answer *answer)
{
	CHECK_EQUAL(answer->status, ST_OK);
	spaces[spaces_count] = answer->w[0];
	return spaces[spaces_count++];
}

static uint64_t create(void)
{
	return remember(machine_system(
		PAGER_SPACE_CREATE, 1000 + spaces_count, CLASS_PROGRAM, 0, 0, 0, 0));
}

static uint64_t fork_of(uint64_t parent)
{
	return remember(
		machine_system(PAGER_SPACE_FORK, parent, 2000 + spaces_count, 0, 0, 0, 0));
}

static status_t try_map(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags)
{
	return machine_program(space, PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, 0, 0)
		->status;
}

static void map(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags)
{
	CHECK_EQUAL(try_map(space, address, bytes, flags), ST_OK);
}

static void unmap(uint64_t space, uint64_t address, uint64_t bytes)
{
	CHECK_EQUAL(machine_program(space, PAGER_MUNMAP, address, bytes, 0, 0, 0)->status, ST_OK);
	machine_check();
}

static status_t try_protect(uint64_t space, uint64_t address, uint64_t bytes, uint64_t rights)
{
	return machine_program(space, PAGER_MPROTECT, address, bytes, rights, 0, 0)->status;
}

static void protect(uint64_t space, uint64_t address, uint64_t bytes, uint64_t rights)
{
	CHECK_EQUAL(try_protect(space, address, bytes, rights), ST_OK);
	machine_check();
}

static uint32_t write_reason(uint64_t space, uint64_t address, uint64_t word)
{
	return machine_access(space, address, FAULT_WRITE, &word);
}

static void put(uint64_t space, uint64_t address, uint64_t word)
{
	CHECK_EQUAL(write_reason(space, address, word), REASON_NONE);
}

static uint64_t get(uint64_t space, uint64_t address)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
	return word;
}

static bool is_writable(uint64_t space, uint64_t address)
{
	return machine_entry(space, address) & PTE_W;
}

/* The leaf entry itself, whatever is above it. */
static uint64_t leaf_of(uint64_t space, uint64_t address)
{
	struct path path;

	CHECK_EQUAL(path_read(&path, space_find(space), address), ST_OK);
	return path.entry[1];
}

static uint64_t above_leaf(uint64_t space, uint64_t address)
{
	struct path path;

	CHECK_EQUAL(path_read(&path, space_find(space), address), ST_OK);
	return path.entry[2];
}

/* Two leaf tables of memory; pages 0, 1, 511 and 512 hold 100 + their number. */
static uint64_t create_two_tables(void)
{
	uint64_t space = create();

	map(space, BASE, 2 * LEAF, RW);
	put(space, BASE, 100);
	put(space, BASE + PAGE, 101);
	put(space, BASE + 511 * PAGE, 611);
	put(space, BASE + 512 * PAGE, 612);
	return space;
}

static void before(void)
{
	machine_start(FRAMES);
	spaces_count = 0;
	frames_at_start = stats().frames_free;
}

static void after(void)
{
	machine_check();
	for (uint32_t i = 0; i < spaces_count; i++)
		(void)machine_system(PAGER_SPACE_DESTROY, spaces[i], 0, 0, 0, 0, 0);
	machine_settle();
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

/* ---- W withheld from a table ---- */

static void test_one_entry_forbids_and_allows_a_whole_table(void)
{
	uint64_t a = create_two_tables(), faults;

	protect(a, BASE, LEAF, MAP_READ);
	CHECK(leaf_of(a, BASE) & PTE_W);
	CHECK(!(above_leaf(a, BASE) & PTE_W) && !is_writable(a, BASE + 511 * PAGE));
	CHECK_EQUAL(write_reason(a, BASE, 1), REASON_PROTECTION);
	CHECK_EQUAL(write_reason(a, BASE + 2 * PAGE, 1), REASON_PROTECTION);
	CHECK_EQUAL(get(a, BASE), 100);
	CHECK_EQUAL(get(a, BASE + 2 * PAGE), 0); /* a page that is filled now gets no W */
	put(a, BASE + 512 * PAGE, 1);
	protect(a, BASE, LEAF, RW);
	faults = machine_faults;
	put(a, BASE, 2);
	put(a, BASE + 511 * PAGE, 3);
	CHECK_EQUAL(machine_faults, faults);
	put(a, BASE + 2 * PAGE, 4);
	CHECK_EQUAL(get(a, BASE + PAGE), 101);
}

static void test_memory_mapped_below_a_withheld_table_opens_itself_only(void)
{
	uint64_t a = create_two_tables();

	protect(a, BASE, LEAF, MAP_READ);
	unmap(a, BASE, PAGE);
	map(a, BASE, PAGE, RW);
	put(a, BASE, 7);
	machine_check();
	CHECK_EQUAL(write_reason(a, BASE + PAGE, 1), REASON_PROTECTION);
	CHECK_EQUAL(write_reason(a, BASE + 511 * PAGE, 1), REASON_PROTECTION);
	CHECK(!is_writable(a, BASE + PAGE) && is_writable(a, BASE));
	protect(a, BASE + PAGE, LEAF - PAGE, RW);
	put(a, BASE + PAGE, 8);
	CHECK_EQUAL(get(a, BASE + 511 * PAGE), 611);
}

static void test_a_fault_that_opened_a_table_leaves_no_translation_behind(void)
{
	uint64_t a = create_two_tables();

	protect(a, BASE, LEAF, MAP_READ);
	unmap(a, BASE, 2 * PAGE);
	map(a, BASE, 2 * PAGE, RW);
	put(a, BASE, 7); /* the fault opens the table; the processor has W of the page */
	put(a, BASE + PAGE, 8);
	protect(a, BASE + 2 * PAGE, PAGE, RW); /* takes W from all pages, once */
	machine_check();
	put(a, BASE, 9);
	CHECK(get(a, BASE) == 9 && get(a, BASE + PAGE) == 8);
	CHECK_EQUAL(write_reason(a, BASE + 511 * PAGE, 1), REASON_PROTECTION);
	put(a, BASE + 2 * PAGE, 10);
}

static void test_a_part_of_a_withheld_table_opens_alone(void)
{
	uint64_t a = create_two_tables();

	protect(a, BASE, LEAF, MAP_READ);
	protect(a, BASE + PAGE, PAGE, RW);
	CHECK(is_writable(a, BASE + PAGE) && !is_writable(a, BASE));
	put(a, BASE + PAGE, 5);
	CHECK_EQUAL(write_reason(a, BASE, 1), REASON_PROTECTION);
	CHECK_EQUAL(write_reason(a, BASE + 511 * PAGE, 1), REASON_PROTECTION);
	protect(a, BASE, LEAF, RW);
	put(a, BASE + 511 * PAGE, 6);
	CHECK_EQUAL(get(a, BASE), 100);
}

static void test_relatives_of_a_withheld_table_are_each_their_own(void)
{
	uint64_t a = create_two_tables(), b, c;

	protect(a, BASE, LEAF, MAP_READ);
	b = fork_of(a);
	c = fork_of(b);
	machine_check();
	protect(b, BASE, LEAF, RW);
	put(b, BASE, 1);
	machine_check();
	CHECK_EQUAL(write_reason(a, BASE, 9), REASON_PROTECTION);
	CHECK_EQUAL(write_reason(c, BASE, 9), REASON_PROTECTION);
	protect(c, BASE + PAGE, PAGE, RW);
	put(c, BASE + PAGE, 2);
	CHECK_EQUAL(write_reason(c, BASE, 9), REASON_PROTECTION);
	protect(a, BASE, LEAF, RW);
	put(a, BASE, 3);
	machine_check();
	CHECK(get(a, BASE) == 3 && get(b, BASE) == 1 && get(c, BASE) == 100);
	CHECK(get(a, BASE + PAGE) == 101 && get(b, BASE + PAGE) == 101);
	CHECK_EQUAL(get(c, BASE + PAGE), 2);
}

static void test_pages_that_leave_a_withheld_table_have_no_w(void)
{
	uint64_t a = create_two_tables(), there = BASE + 8 * LEAF + PAGE;

	map(a, there - PAGE, PAGE, RW);
	put(a, there - PAGE, 1); /* a table with W above it */
	protect(a, BASE, LEAF, MAP_READ);
	CHECK_EQUAL(machine_program(a, PAGER_MREMAP, BASE, PAGE, PAGE, REMAP_MAY_MOVE | REMAP_FIXED,
			    there)
			    ->status,
		ST_OK);
	machine_check();
	CHECK_EQUAL(write_reason(a, there, 1), REASON_PROTECTION);
	CHECK_EQUAL(get(a, there), 100);
	CHECK_EQUAL(machine_program(a, PAGER_MREMAP, BASE + 2 * LEAF - LEAF, LEAF, LEAF,
			    REMAP_MAY_MOVE | REMAP_FIXED, BASE + 16 * LEAF)
			    ->status,
		ST_OK);
	put(a, BASE + 16 * LEAF, 2);
}

static void test_a_withheld_table_moves_as_a_whole(void)
{
	uint64_t a = create_two_tables(), there = BASE + 8 * LEAF;

	protect(a, BASE, LEAF, MAP_READ);
	CHECK_EQUAL(machine_program(a, PAGER_MREMAP, BASE, LEAF, LEAF, REMAP_MAY_MOVE | REMAP_FIXED,
			    there)
			    ->status,
		ST_OK);
	machine_check();
	CHECK_EQUAL(write_reason(a, there + PAGE, 1), REASON_PROTECTION);
	protect(a, there, LEAF, RW);
	put(a, there + PAGE, 3);
	CHECK_EQUAL(get(a, there), 100);
}

static void test_table_without_access_is_not_opened_by_w(void)
{
	uint64_t a = create_two_tables();

	protect(a, BASE, LEAF, MAP_READ);
	protect(a, BASE, LEAF, 0);
	CHECK_EQUAL(write_reason(a, BASE, 1), REASON_PROTECTION);
	protect(a, BASE, LEAF, MAP_READ | MAP_EXEC);
	CHECK_EQUAL(get(a, BASE), 100);
	CHECK_EQUAL(write_reason(a, BASE, 1), REASON_PROTECTION);
	protect(a, BASE, LEAF, RW);
	put(a, BASE, 1);
	CHECK_EQUAL(get(a, BASE + 511 * PAGE), 611);
}

/* ---- writable at once ---- */

static void test_pages_without_other_use_become_writable_at_once(void)
{
	uint64_t a = create_two_tables(), b, faults;

	protect(a, BASE, 2 * PAGE, MAP_READ);
	CHECK(!(leaf_of(a, BASE) & PTE_W));
	protect(a, BASE, 2 * PAGE, RW);
	faults = machine_faults;
	put(a, BASE, 1);
	CHECK(machine_faults == faults && is_writable(a, BASE + PAGE));
	protect(a, BASE, 2 * PAGE, MAP_READ);
	b = fork_of(a);
	protect(a, BASE, 2 * PAGE, RW); /* shared now */
	CHECK(!is_writable(a, BASE) && !is_writable(b, BASE));
	put(a, BASE, 2);
	CHECK_EQUAL(get(b, BASE), 1);
}

static void test_zeros_do_not_become_writable(void)
{
	uint64_t a = create();

	map(a, BASE, 2 * PAGE, MAP_READ);
	CHECK_EQUAL(get(a, BASE), 0);
	protect(a, BASE, 2 * PAGE, RW);
	CHECK(!is_writable(a, BASE));
	put(a, BASE, 5);
	CHECK_EQUAL(get(a, BASE), 5);
}

/* ---- a change that the reply carries ---- */

static struct message protect_message(uint64_t space, uint64_t address, uint64_t bytes, uint64_t rights)
{
	return (struct message){
		.tag = PAGER_MPROTECT, .w = { address, bytes, rights }, .badge = space, .token = 1
	};
}

/* Whatever becomes of the reply, regions and pages change together. */
static void test_a_change_of_rights_is_done_though_nobody_takes_the_reply(void)
{
	static const status_t refusals[] = { ST_BAD_TOKEN, ST_MORE, ST_BAD_FRAME };
	uint64_t a = create(), sent;

	map(a, BASE, 512 * PAGE, RW);
	for (uint64_t i = 0; i < 8; i++)
		put(a, BASE + i * PAGE, i);
	protect(a, BASE + 7 * PAGE, PAGE, MAP_READ); /* now the tables are known */
	for (uint32_t i = 0; i < 3; i++) {
		struct message message = protect_message(a, BASE + i * PAGE, PAGE, MAP_READ);

		CHECK_EQUAL(serve_message(&message), REPLY_CHANGE);
		sent = message.tag;
		CHECK_EQUAL(sent, 1ull << TAG_OPS_SHIFT);
		CHECK(is_writable(a, BASE + i * PAGE));
		CHECK_EQUAL(serve_refused(&message, refusals[i], REPLY_CHANGE, sent),
			i == 0 ? REPLY_NONE : REPLY_PLAIN);
		CHECK(i == 0 || message.tag == ST_OK);
		CHECK(!is_writable(a, BASE + i * PAGE));
		machine_check();
	}
	CHECK_EQUAL(write_reason(a, BASE, 1), REASON_PROTECTION);
	put(a, BASE + 3 * PAGE, 1);
}

static void test_what_is_not_plain_is_not_quick(void)
{
	const struct {
		uint64_t address, bytes, rights, status;
	} cases[] = {
		{ BASE + 1, PAGE, RW, ST_BAD_ARGUMENT },
		{ BASE, 0, RW, ST_BAD_ARGUMENT },
		{ BASE, UINT64_MAX, RW, ST_BAD_ARGUMENT },
		{ BASE, PAGE, MAP_WRITE | MAP_EXEC, ST_NO_ACCESS },
		{ BASE, PAGE, 1u << 30, ST_BAD_ARGUMENT },
		{ BASE + 7 * PAGE, 2 * PAGE, MAP_READ, ST_NOT_FOUND },
		{ BASE + 7 * PAGE, PAGE, RW, ST_NO_MEMORY },
	};
	uint64_t a = create(), b;

	map(a, BASE, 7 * PAGE, RW);
	map(a, BASE + 7 * PAGE, PAGE, MAP_READ);
	put(a, BASE, 1);
	protect(a, BASE, PAGE, RW);
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, 7, 0, 0, 0, 0)->status, ST_OK);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_EQUAL(try_protect(a, cases[i].address, cases[i].bytes, cases[i].rights),
			cases[i].status);
	b = fork_of(a);
	protect(a, BASE, PAGE, MAP_READ);
	put(b, BASE, 2);
	CHECK_EQUAL(get(a, BASE), 1);
	protect(b, BASE, 4 * PAGE, MAP_READ | MAP_EXEC);
	protect(b, BASE, 2 * PAGE, RW); /* takes EXEC, gives WRITE */
	put(b, BASE, 3);
	protect(b, BASE, PAGE, 0);
	protect(b, BASE, PAGE, RW);
	CHECK_EQUAL(get(b, BASE), 3);
	CHECK_EQUAL(get(a, BASE), 1);
}

/* ---- memory nobody touched ---- */

static void test_untouched_memory_goes_without_a_look_at_tables(void)
{
	uint64_t a = create(), free = stats().frames_free;

	for (uint32_t i = 0; i < 3; i++) {
		map(a, BASE, 256 * PAGE, RW);
		unmap(a, BASE, 256 * PAGE);
		CHECK_EQUAL(write_reason(a, BASE, 1), REASON_NO_REGION);
	}
	CHECK_EQUAL(stats().frames_free, free);
}

static void test_touched_memory_is_never_taken_for_untouched(void)
{
	uint64_t a = create(), page = BASE + 4 * PAGE;

	map(a, BASE, 4 * PAGE, RW);
	put(a, BASE, 1);
	map(a, page, 4 * PAGE, RW); /* one region with the first */
	put(a, BASE + PAGE, 2);
	put(a, page, 3); /* in the region found last */
	unmap(a, page, 4 * PAGE);
	map(a, page, 4 * PAGE, RW);
	CHECK_EQUAL(get(a, page), 0);
	unmap(a, page, 4 * PAGE);
	map(a, page, 4 * PAGE, RW | MAP_POPULATE);
	unmap(a, page, 4 * PAGE);
	map(a, page, 4 * PAGE, RW);
	CHECK_EQUAL(machine_system(PAGER_SPACE_READ, a, page, 8, 0, 0, 0)->status, ST_OK);
	unmap(a, page, 4 * PAGE);
	CHECK_EQUAL(leaf_of(a, page), 0);
}

static void test_pages_moved_into_untouched_memory_are_seen(void)
{
	uint64_t a = create(), there = BASE + 4 * LEAF;

	map(a, BASE, 2 * PAGE, RW);
	put(a, BASE, 11);
	map(a, there, 4 * PAGE, RW);
	CHECK_EQUAL(machine_program(a, PAGER_MREMAP, BASE, PAGE, PAGE, REMAP_MAY_MOVE | REMAP_FIXED,
			    there + PAGE)
			    ->status,
		ST_OK);
	machine_check();
	CHECK_EQUAL(get(a, there + PAGE), 11);
	unmap(a, there, 4 * PAGE);
	CHECK_EQUAL(leaf_of(a, there + PAGE), 0);
}

/* ---- the latest mapping ---- */

static uint64_t map_anywhere(uint64_t space, uint64_t bytes, uint64_t flags)
{
	const struct machine_answer *answer =
		machine_program(space, PAGER_MMAP, 0, bytes, flags, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	machine_check();
	return answer->w[0];
}

static uint64_t nodes_of(uint64_t space)
{
	return region_map_totals(space_find(space)->regions).count;
}

static void test_the_latest_mapping_is_mapped(void)
{
	uint64_t a = create(), b = create(), address, child;

	map(a, BASE, PAGE, MAP_READ); /* now there are nodes */
	address = map_anywhere(a, 3 * PAGE - 5, RW);
	CHECK_EQUAL(nodes_of(a), 1);
	put(a, address + 2 * PAGE, 7);
	CHECK_EQUAL(nodes_of(a), 2);
	machine_check();
	CHECK_EQUAL(get(a, address + 2 * PAGE), 7);
	CHECK_EQUAL(write_reason(a, address + 3 * PAGE, 1), REASON_NO_REGION);
	address = map_anywhere(a, PAGE, MAP_READ);
	child = fork_of(a);
	CHECK_EQUAL(get(child, address), 0);
	CHECK_EQUAL(write_reason(child, address, 1), REASON_PROTECTION);
	address = map_anywhere(a, 4 * PAGE, RW);
	CHECK(map_anywhere(b, PAGE, RW) != 0); /* now that one is the latest */
	put(a, address, 8);
	unmap(a, address + PAGE, PAGE); /* a part */
	CHECK_EQUAL(write_reason(a, address + PAGE, 1), REASON_NO_REGION);
	put(a, address + 2 * PAGE, 9);
	address = map_anywhere(a, 2 * PAGE, RW);
	protect(a, address, PAGE, MAP_READ);
	CHECK_EQUAL(write_reason(a, address, 1), REASON_PROTECTION);
	put(a, address + PAGE, 10);
}

static void test_the_latest_mapping_goes_without_a_trace(void)
{
	uint64_t a = create(), b = create(), committed = stats().committed, address, nodes;

	map(a, BASE, PAGE, RW);
	nodes = region_map_nodes();
	for (uint32_t i = 0; i < 3; i++) {
		address = map_anywhere(a, 256 * PAGE, RW);
		CHECK_EQUAL(space_find(a)->committed, 257);
		CHECK_EQUAL(machine_program(b, PAGER_MUNMAP, address, 256 * PAGE, 0, 0, 0)->status,
			ST_OK); /* another's: nothing is there */
		address = map_anywhere(a, 256 * PAGE - 1, i == 0 ? MAP_READ | MAP_EXEC : RW);
		CHECK_EQUAL(space_find(a)->committed, i == 0 ? 257 : 513);
		unmap(a, address, 256 * PAGE - 1);
		CHECK_EQUAL(space_find(a)->committed, 257);
		unmap(a, address + 256 * PAGE, 256 * PAGE);
	}
	CHECK_EQUAL(region_map_nodes(), nodes);
	CHECK_EQUAL(stats().committed, committed + 1);
	map(a, address - PAGE, PAGE, RW);
	CHECK_EQUAL(map_anywhere(a, 512 * PAGE, RW), address);
	unmap(a, address - PAGE, 513 * PAGE); /* it, and more */
	CHECK_EQUAL(region_map_nodes(), nodes);
	CHECK_EQUAL(write_reason(a, address, 1), REASON_NO_REGION);
}

static void test_the_latest_mapping_ends_with_its_space(void)
{
	uint64_t a = create(), committed = stats().committed;

	map_anywhere(a, 8 * PAGE, RW);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, a, 0, 0, 0, 0, 0)->status, ST_OK);
	spaces_count = 0;
	machine_check();
	CHECK_EQUAL(stats().committed, committed);
}

static void test_wrong_requests_are_never_quick(void)
{
	static const struct {
		uint64_t bytes, flags, status;
	} cases[] = {
		{ 0, RW, ST_BAD_ARGUMENT },
		{ UINT64_MAX, RW, ST_BAD_ARGUMENT },
		{ LAYOUT_USER_END + PAGE, MAP_READ, ST_BAD_ARGUMENT },
		{ PAGE, RW | 1ull << 40, ST_BAD_ARGUMENT },
		{ PAGE, RW | MAP_EXEC, ST_NO_ACCESS },
		{ LAYOUT_USER_END, MAP_READ, ST_NO_MEMORY },
		{ 9 * PAGE, RW, ST_NO_MEMORY },
	};
	uint64_t a = create();

	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, 8, 0, 0, 0, 0)->status, ST_OK);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_EQUAL(machine_program(a, PAGER_MMAP, 0, cases[i].bytes, cases[i].flags, 0, 0)
				    ->status,
			cases[i].status);
	map_anywhere(a, 8 * PAGE, RW);
	CHECK_EQUAL(machine_program(a, PAGER_MMAP, 0, PAGE, RW, 0, 0)->status, ST_NO_MEMORY);
	CHECK_EQUAL(machine_program(0, PAGER_MMAP, 0, PAGE, RW, 0, 0)->status, ST_NO_ACCESS);
}

/* A server's requests about a space are never quick: so the same ones from both must end alike. */
static void test_quick_mappings_are_where_others_would_be(void)
{
	uint64_t a = create(), b = create(), at[24] = { 0 }, bytes[24];
	uint64_t state = 88172645463325252ull;

	for (uint32_t i = 0; i < 2000; i++) {
		uint64_t place, flags;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		place = state % 24;
		flags = (state >> 16) % 3 == 0 ? MAP_READ : RW;
		if (at[place] != 0) {
			CHECK_EQUAL(machine_program(a, PAGER_MUNMAP, at[place], bytes[place], 0, 0, 0)->status,
				ST_OK);
			CHECK_EQUAL(machine_call(&(struct machine_request){ .badge = BADGE_SYSTEM | 1,
							 .label = PAGER_MUNMAP,
							 .w = { at[place], bytes[place], 0, 0, 0, b } })
					    ->status,
				ST_OK);
			at[place] = 0;
		} else {
			bytes[place] = (1 + (state >> 32) % 6) * PAGE;
			at[place] = machine_program(a, PAGER_MMAP, 0, bytes[place], flags, 0, 0)->w[0];
			CHECK_EQUAL(machine_system(PAGER_SPACE_MAP, b, 0, bytes[place], flags, 0, 0)->w[0],
				at[place]);
		}
		if (i % 16 == 0)
			machine_check();
		CHECK(nodes_of(a) + (latest.space == space_find(a) ? 1u : 0u) >= nodes_of(b));
		CHECK_EQUAL(space_find(a)->committed, space_find(b)->committed);
	}
}

/* ---- tables that are known ---- */

static void test_known_tables_are_forgotten_when_they_change(void)
{
	uint64_t a = create_two_tables(), b;

	unmap(a, BASE + PAGE, PAGE); /* now they are known */
	b = fork_of(a);
	machine_check();
	put(a, BASE, 1); /* split */
	machine_check();
	unmap(a, BASE, PAGE);
	CHECK_EQUAL(get(b, BASE), 100);
	unmap(b, BASE + 511 * PAGE, PAGE);
	CHECK_EQUAL(get(a, BASE + 511 * PAGE), 611);
	unmap(a, BASE, LEAF);
	unmap(a, BASE, 2 * LEAF);
	map(a, BASE, LEAF, RW);
	put(a, BASE, 2);
	unmap(a, BASE, PAGE);
	CHECK_EQUAL(get(b, BASE), 100);
}

/* ---- promises ---- */

static void test_memory_without_reserve_is_no_promise(void)
{
	uint64_t a = create(), committed = stats().committed, free;

	CHECK_EQUAL(try_map(a, BASE, TIB, RW), ST_NO_MEMORY);
	free = stats().frames_free;
	map(a, BASE, TIB, RW | MAP_NO_RESERVE);
	CHECK_EQUAL(stats().committed, committed);
	put(a, BASE + TIB / 2, 1);
	CHECK(free - stats().frames_free <= 8);
	protect(a, BASE, TIB, MAP_READ);
	protect(a, BASE, TIB, RW);
	CHECK_EQUAL(get(a, BASE + TIB / 2), 1);
	CHECK_EQUAL(stats().committed, committed);
	unmap(a, BASE, TIB / 4);
	unmap(a, BASE + TIB / 4, TIB - TIB / 4);
	machine_settle();
	CHECK_EQUAL(stats().frames_free, free);
}

static void test_reserve_of_several_regions_is_summed_exactly(void)
{
	uint64_t a = create();

	map(a, BASE, TIB, MAP_READ | MAP_NO_RESERVE);
	map(a, BASE + TIB, 2 * PAGE, MAP_READ);
	protect(a, BASE, TIB + 2 * PAGE, RW);
	CHECK_EQUAL(stats().committed, 2);
	put(a, BASE + TIB, 1);
}

static const struct check_test tests[] = {
	CHECK_TEST(one_entry_forbids_and_allows_a_whole_table),
	CHECK_TEST(memory_mapped_below_a_withheld_table_opens_itself_only),
	CHECK_TEST(a_fault_that_opened_a_table_leaves_no_translation_behind),
	CHECK_TEST(a_part_of_a_withheld_table_opens_alone),
	CHECK_TEST(relatives_of_a_withheld_table_are_each_their_own),
	CHECK_TEST(pages_that_leave_a_withheld_table_have_no_w),
	CHECK_TEST(a_withheld_table_moves_as_a_whole),
	CHECK_TEST(table_without_access_is_not_opened_by_w),
	CHECK_TEST(pages_without_other_use_become_writable_at_once),
	CHECK_TEST(zeros_do_not_become_writable),
	CHECK_TEST(a_change_of_rights_is_done_though_nobody_takes_the_reply),
	CHECK_TEST(what_is_not_plain_is_not_quick),
	CHECK_TEST(untouched_memory_goes_without_a_look_at_tables),
	CHECK_TEST(touched_memory_is_never_taken_for_untouched),
	CHECK_TEST(pages_moved_into_untouched_memory_are_seen),
	CHECK_TEST(the_latest_mapping_is_mapped),
	CHECK_TEST(the_latest_mapping_goes_without_a_trace),
	CHECK_TEST(the_latest_mapping_ends_with_its_space),
	CHECK_TEST(wrong_requests_are_never_quick),
	CHECK_TEST(quick_mappings_are_where_others_would_be),
	CHECK_TEST(known_tables_are_forgotten_when_they_change),
	CHECK_TEST(memory_without_reserve_is_no_promise),
	CHECK_TEST(reserve_of_several_regions_is_summed_exactly),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
