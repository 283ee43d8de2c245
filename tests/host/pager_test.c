/*
 * Unit tests of the pager's core: faults, fork, copy-on-write, regions, objects, jobs, shortage.
 *
 * Each test starts with a machine of 4,096 frames and a pager without spaces, and ends with all
 * spaces destroyed, all jobs done, every rule checked and every frame back.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"

#include "../../servers/pager/fault.h"
#include "../../servers/pager/object.h"
#include "../../servers/pager/request.h"
#include "../../servers/pager/serve.h"

extern uint32_t frame_refs_limit; /* of the kernel */

#define FRAMES 4096
#define BASE   0x10000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define MEBI   0x100000ull

static uint64_t spaces[4200];
static uint32_t spaces_count;
static uint64_t frames_at_start;

/* ---- helpers ---- */

static struct pager_stat stats(void)
{
	struct pager_stat stat;
	const struct machine_answer *answer = machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(answer->bytes, sizeof(stat));
	memcpy(&stat, answer->payload, sizeof(stat));
	return stat;
}

static uint64_t create(void)
{
	const struct machine_answer *answer =
		machine_system(PAGER_SPACE_CREATE, 1000 + spaces_count, CLASS_PROGRAM, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	spaces[spaces_count] = answer->w[0];
	return spaces[spaces_count++];
}

static uint64_t fork_of(uint64_t parent)
{
	const struct machine_answer *answer =
		machine_system(PAGER_SPACE_FORK, parent, 2000 + spaces_count, 0, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	spaces[spaces_count] = answer->w[0];
	return spaces[spaces_count++];
}

static status_t destroy(uint64_t space)
{
	return machine_system(PAGER_SPACE_DESTROY, space, 0, 0, 0, 0, 0)->status;
}

/* Map at exactly this address. */
static status_t map_at(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags)
{
	return machine_program(space, PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, 0, 0)
		->status;
}

static status_t unmap(uint64_t space, uint64_t address, uint64_t bytes)
{
	return machine_program(space, PAGER_MUNMAP, address, bytes, 0, 0, 0)->status;
}

static status_t protect(uint64_t space, uint64_t address, uint64_t bytes, uint64_t rights)
{
	return machine_program(space, PAGER_MPROTECT, address, bytes, rights, 0, 0)->status;
}

static uint32_t write_word(uint64_t space, uint64_t address, uint64_t word)
{
	return machine_access(space, address, FAULT_WRITE, &word);
}

static uint32_t read_reason(uint64_t space, uint64_t address)
{
	uint64_t word;

	return machine_access(space, address, 0, &word);
}

static uint64_t read_word(uint64_t space, uint64_t address)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
	return word;
}

/* A file object with `pages` pages; word i of page p is p * 1000 + i. */
static uint64_t make_file(uint64_t bytes)
{
	const struct machine_answer *answer =
		machine_system(PAGER_OBJECT_CREATE, bytes, 0x656c6966, 0, 0, 0, 0);
	uint64_t object = answer->w[0], content[512];

	CHECK_EQUAL(answer->status, ST_OK);
	for (uint64_t offset = 0; offset < bytes; offset += 4096) {
		uint32_t part = (uint32_t)(bytes - offset < 4096 ? bytes - offset : 4096);
		struct machine_request request = {
			.badge = BADGE_SYSTEM,
			.label = PAGER_OBJECT_WRITE,
			.w = { object, offset },
			.payload = content,
			.bytes = part,
		};

		for (uint32_t i = 0; i < 512; i++)
			content[i] = offset / 4096 * 1000 + i;
		CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	}
	return object;
}

static status_t map_file(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags,
	uint64_t object, uint64_t offset)
{
	return machine_program(
		space, PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, object, offset)
		->status;
}

static void before(void)
{
	machine_start(FRAMES);
	spaces_count = 0;
	frames_at_start = stats().frames_free;
}

static void after(void)
{
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 0, 0, 0, 0, 0);
	machine_fail_heap(0);
	frame_refs_limit = UINT32_MAX;
	machine_check();
	for (uint32_t i = 0; i < spaces_count; i++)
		(void)destroy(spaces[i]);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().spaces, 0);
	CHECK_EQUAL(stats().committed, 0);
	CHECK_EQUAL(stats().objects, 0);
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

/* ---- anonymous memory ---- */

static void test_write_gives_cleared_page(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE + 8, 7), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE + 8), 7);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(machine_faults, 1);
	CHECK_EQUAL(stats().faults_zero, 1);
}

static void test_read_maps_zero_frame_then_write_a_page(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(pte_pfn(machine_entry(a, BASE)), mmu_zero_frame);
	CHECK(!(machine_entry(a, BASE) & PTE_W));
	CHECK_EQUAL(write_word(a, BASE, 5), REASON_NONE);
	CHECK(pte_pfn(machine_entry(a, BASE)) != mmu_zero_frame);
	CHECK_EQUAL(read_word(a, BASE), 5);
	CHECK_EQUAL(machine_faults, 2);
}

static void test_present_fault_in_built_tables_takes_two_operations(void)
{
	uint64_t a = create(), split = stats().tables_split;

	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	CHECK_EQUAL(write_word(a, BASE + 0x2000, 1), REASON_NONE);
	CHECK_EQUAL(machine_operations, 2);
	CHECK_EQUAL(stats().tables_split, split);
}

static void test_pages_are_not_executable_unless_asked(void)
{
	uint64_t a = create(), word;

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x1000, 0x1000, MAP_READ | MAP_EXEC), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	CHECK_EQUAL(machine_access(a, BASE, FAULT_FETCH, &word), REASON_PROTECTION);
	CHECK_EQUAL(machine_access(a, BASE + 0x1000, FAULT_FETCH, &word), REASON_NONE);
	CHECK_EQUAL(write_word(a, BASE + 0x1000, 1), REASON_PROTECTION);
}

static void test_refusals_have_reasons(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x1000, 0x1000, 0), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_PROTECTION);
	CHECK_EQUAL(read_reason(a, BASE + 0x1000), REASON_PROTECTION);
	CHECK_EQUAL(read_reason(a, BASE + 0x2000), REASON_NO_REGION);
	CHECK_EQUAL(read_reason(a, 0), REASON_NULL);
	CHECK_EQUAL(read_reason(a, LAYOUT_USER_END), REASON_KERNEL);
	CHECK_EQUAL(read_reason(a, LAYOUT_VMALLOC), REASON_KERNEL);
	CHECK_EQUAL(stats().faults_refused, 6);
}

static void test_reserved_bit_is_malformed(void)
{
	uint64_t a = create();
	struct message message = {
		.tag = LABEL_FAULT | TAG_KERNEL,
		.badge = a,
		.w = { BASE, FAULT_RESERVED | FAULT_PRESENT },
	};

	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), FAULT_REFUSE);
	CHECK_EQUAL(message.w[0], REASON_MALFORMED);
}

static void test_fault_of_unknown_space_is_refused(void)
{
	struct message message = { .tag = LABEL_FAULT | TAG_KERNEL, .badge = 0x12345 };

	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), FAULT_REFUSE);
}

static void test_message_page_appears_on_first_touch(void)
{
	uint64_t a = create(), word = 3;

	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	CHECK_EQUAL(stats().faults_message_page, 1);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_FETCH, &word), REASON_PROTECTION);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE + 0x1000, 0, &word), REASON_NO_REGION);
}

static void test_message_page_is_not_inherited(void)
{
	uint64_t a = create(), word = 3, b;

	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(machine_entry(b, LAYOUT_MESSAGE), 0);
	CHECK_EQUAL(machine_access(b, LAYOUT_MESSAGE, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 0);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 3);
}

/* ---- fork and copy-on-write ---- */

static void test_fork_shares_tables_and_takes_three_frames(void)
{
	uint64_t a = create(), before_fork, b;

	CHECK_EQUAL(map_at(a, BASE, MEBI, RW), ST_OK);
	for (uint64_t i = 0; i < 256; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i + 1), REASON_NONE);
	before_fork = stats().frames_free;
	b = fork_of(a);
	CHECK_EQUAL(stats().frames_free, before_fork - 3);
	CHECK_EQUAL(machine_entry(a, BASE) & PTE_W, 0);
	CHECK_EQUAL(machine_entry(b, BASE) & PTE_W, 0);
	CHECK_EQUAL(pte_pfn(machine_entry(a, BASE)), pte_pfn(machine_entry(b, BASE)));
}

static void test_parent_write_after_fork_is_not_seen_by_child(void)
{
	uint64_t a = create(), b;

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(write_word(a, BASE, 2), REASON_NONE);
	CHECK_EQUAL(read_word(b, BASE), 1);
	CHECK_EQUAL(read_word(a, BASE), 2);
}

static void test_child_write_copies_once_then_parent_reuses(void)
{
	uint64_t a = create(), b, faults;
	pfn_t frame;

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	frame = pte_pfn(machine_entry(a, BASE));
	b = fork_of(a);
	faults = machine_faults;
	CHECK_EQUAL(write_word(b, BASE, 2), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults + 1);
	CHECK_EQUAL(stats().faults_copy, 1);
	CHECK_EQUAL(stats().tables_split, 3);
	CHECK_EQUAL(write_word(a, BASE, 3), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults + 2);
	CHECK_EQUAL(stats().faults_copy, 1);
	CHECK_EQUAL(pte_pfn(machine_entry(a, BASE)), frame);
	CHECK_EQUAL(mmu_frame(frame)->refs, 1);
	CHECK_EQUAL(read_word(b, BASE), 2);
}

static void test_after_child_exit_parent_writes_without_copy(void)
{
	uint64_t a = create(), b, faults, frames;

	CHECK_EQUAL(map_at(a, BASE, 0x10000, RW), ST_OK);
	for (uint64_t i = 0; i < 16; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i), REASON_NONE);
	frames = stats().frames_free;
	b = fork_of(a);
	CHECK_EQUAL(destroy(b), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().frames_free, frames);
	faults = machine_faults;
	for (uint64_t i = 0; i < 16; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i + 100), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults + 1); /* one W at the top opens all that is below */
	CHECK_EQUAL(stats().tables_split, 0);
	CHECK_EQUAL(stats().frames_copied, 0);
}

static void test_fill_in_shared_table_splits_first(void)
{
	uint64_t a = create(), b, word;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(unmap(b, BASE + 0x1000, 0x3000), ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x1000), 0);
	CHECK_EQUAL(stats().tables_split, 3);
	CHECK_EQUAL(machine_access(b, BASE + 0x1000, 0, &word), REASON_NO_REGION);
}

static void test_mprotect_after_fork_does_not_touch_the_relative(void)
{
	uint64_t a = create(), b;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	for (uint64_t i = 0; i < 4; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(protect(b, BASE, 0x2000, MAP_READ), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 9), REASON_NONE);
	CHECK_EQUAL(write_word(b, BASE, 9), REASON_PROTECTION);
	CHECK_EQUAL(write_word(b, BASE + 0x2000, 8), REASON_NONE);
	CHECK_EQUAL(write_word(b, BASE, 9), REASON_PROTECTION);
	CHECK_EQUAL(read_word(b, BASE), 0);
}

static void test_raising_write_obeys_regions_changed_while_shared(void)
{
	uint64_t a = create(), b;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	for (uint64_t i = 0; i < 4; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(protect(a, BASE + 0x1000, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(destroy(b), ST_OK);
	machine_settle();
	CHECK_EQUAL(write_word(a, BASE, 5), REASON_NONE);
	CHECK_EQUAL(write_word(a, BASE + 0x1000, 5), REASON_PROTECTION);
}

static void test_three_generations_keep_their_values(void)
{
	uint64_t a = create(), b, c;

	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	for (uint64_t i = 0; i < 3; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, 10 + i), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(write_word(b, BASE, 20), REASON_NONE);
	c = fork_of(b);
	CHECK_EQUAL(write_word(c, BASE + 0x1000, 31), REASON_NONE);
	CHECK_EQUAL(destroy(a), ST_OK);
	machine_settle();
	CHECK_EQUAL(write_word(b, BASE + 0x2000, 22), REASON_NONE);
	CHECK_EQUAL(read_word(c, BASE), 20);
	CHECK_EQUAL(read_word(c, BASE + 0x1000), 31);
	CHECK_EQUAL(read_word(c, BASE + 0x2000), 12);
	CHECK_EQUAL(read_word(b, BASE + 0x1000), 11);
}

static void test_hundred_generations_leak_nothing(void)
{
	uint64_t a = create(), child;

	CHECK_EQUAL(map_at(a, BASE, 0x8000, RW), ST_OK);
	for (uint64_t i = 0; i < 100; i++) {
		CHECK_EQUAL(write_word(a, BASE + i % 8 * 4096, i), REASON_NONE);
		child = fork_of(a);
		CHECK_EQUAL(write_word(child, BASE, 1000 + i), REASON_NONE);
		CHECK_EQUAL(destroy(a), ST_OK);
		a = child;
	}
	CHECK_EQUAL(read_word(a, BASE), 1099);
	CHECK_EQUAL(read_word(a, BASE + 3 * 4096), 99);
}

static void test_fork_costs_the_same_for_any_size(void)
{
	uint64_t small = create(), large = create(), visits;

	CHECK_EQUAL(map_at(small, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(small, BASE, 1), REASON_NONE);
	for (uint64_t i = 0; i < 300; i++) {
		CHECK_EQUAL(map_at(large, BASE + i * 0x3000, 0x2000, i % 2 ? RW : MAP_READ | RW),
			ST_OK);
		CHECK_EQUAL(write_word(large, BASE + i * 0x3000, i), REASON_NONE);
	}
	(void)fork_of(small);
	visits = region_map_counters()->visits;
	(void)fork_of(large);
	CHECK_EQUAL(region_map_counters()->visits, visits);
	CHECK_EQUAL(stats().tables_shared, 2);
}

static void test_fork_without_frames_is_refused(void)
{
	uint64_t a = create();

	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 1, 0, 0, 0, 0);
	CHECK_EQUAL(machine_system(PAGER_SPACE_FORK, a, 5, 0, 0, 0, 0)->status, ST_NO_MEMORY);
}

static void test_fork_over_the_reference_limit_is_undone(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, 1ull << 40, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	CHECK_EQUAL(write_word(a, 1ull << 40, 2), REASON_NONE);
	frame_refs_limit = 1;
	CHECK_EQUAL(machine_system(PAGER_SPACE_FORK, a, 5, 0, 0, 0, 0)->status, ST_LIMIT);
	frame_refs_limit = UINT32_MAX;
	machine_check();
	CHECK_EQUAL(stats().spaces, 1);
	CHECK_EQUAL(write_word(a, BASE, 3), REASON_NONE);
	CHECK_EQUAL(read_word(a, 1ull << 40), 2);
}

static void test_cure_refused_by_the_kernel_is_taken_back(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x2000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	(void)fork_of(a);
	machine_check();
	frame_refs_limit = 1; /* the first split needs second references */
	CHECK_EQUAL(write_word(a, BASE, 2), REASON_NO_MEMORY);
	frame_refs_limit = UINT32_MAX;
	machine_check();
	CHECK_EQUAL(write_word(a, BASE, 2), REASON_NONE);
}

/* ---- regions ---- */

static void test_munmap_frees_pages_and_tables(void)
{
	uint64_t a = create(), frames = stats().frames_free;

	CHECK_EQUAL(map_at(a, BASE, 0x10000, RW), ST_OK);
	for (uint64_t i = 0; i < 16; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i), REASON_NONE);
	CHECK_EQUAL(stats().frames_free, frames - 19);
	CHECK_EQUAL(unmap(a, BASE, 0x10000), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().frames_free, frames);
	CHECK_EQUAL(read_reason(a, BASE), REASON_NO_REGION);
}

static void test_munmap_in_the_middle_keeps_the_rest(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x5000, RW), ST_OK);
	for (uint64_t i = 0; i < 5; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i), REASON_NONE);
	CHECK_EQUAL(unmap(a, BASE + 0x1000, 0x2000), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(read_reason(a, BASE + 0x1000), REASON_NO_REGION);
	CHECK_EQUAL(read_reason(a, BASE + 0x2000), REASON_NO_REGION);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 3);
	CHECK_EQUAL(read_word(a, BASE + 0x4000), 4);
}

static void test_munmap_of_shared_tables_keeps_the_relative(void)
{
	uint64_t a = create(), b;

	CHECK_EQUAL(map_at(a, BASE, 8 * MEBI, RW), ST_OK);
	for (uint64_t i = 0; i < 8; i++)
		CHECK_EQUAL(write_word(a, BASE + i * MEBI, i + 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(unmap(b, BASE + MEBI, 6 * MEBI), ST_OK);
	CHECK_EQUAL(read_word(b, BASE), 1);
	CHECK_EQUAL(read_word(b, BASE + 7 * MEBI), 8);
	CHECK_EQUAL(read_reason(b, BASE + 3 * MEBI), REASON_NO_REGION);
	for (uint64_t i = 0; i < 8; i++)
		CHECK_EQUAL(read_word(a, BASE + i * MEBI), i + 1);
}

static void test_munmap_of_a_huge_range_is_a_job(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 1ull << 40, RW), ST_NO_MEMORY); /* over its limit */
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, UINT64_MAX, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(map_at(a, BASE, 1ull << 40, RW), ST_OK);
	for (uint64_t i = 0; i < 34; i++)
		CHECK_EQUAL(write_word(a, BASE + i * (31ull << 30), i), REASON_NONE);
	machine_check();
	CHECK_EQUAL(unmap(a, BASE + 0x1000, (1ull << 40) - 0x2000), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(unmap(a, BASE, 1ull << 40), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().frames_free, frames_at_start - 3);
}

static void test_mprotect_takes_and_gives_rights(void)
{
	uint64_t a = create(), word;

	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	CHECK_EQUAL(protect(a, BASE, 0x1000, 0), ST_OK);
	CHECK_EQUAL(read_reason(a, BASE), REASON_PROTECTION);
	CHECK_EQUAL(protect(a, BASE, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 1);
	CHECK_EQUAL(write_word(a, BASE, 2), REASON_PROTECTION);
	CHECK_EQUAL(machine_access(a, BASE, FAULT_FETCH, &word), REASON_PROTECTION);
	CHECK_EQUAL(protect(a, BASE, 0x1000, MAP_READ | MAP_EXEC), ST_OK);
	CHECK_EQUAL(machine_access(a, BASE, FAULT_FETCH, &word), REASON_NONE);
	CHECK_EQUAL(protect(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(machine_access(a, BASE, FAULT_FETCH, &word), REASON_PROTECTION);
	CHECK_EQUAL(write_word(a, BASE, 2), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE), 2);
}

static void test_mprotect_none_keeps_the_page(void)
{
	uint64_t a = create();
	pfn_t frame;

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 77), REASON_NONE);
	frame = pte_pfn(machine_entry(a, BASE));
	CHECK_EQUAL(protect(a, BASE, 0x1000, 0), ST_OK);
	CHECK_EQUAL(mmu_frame(frame)->refs, 1);
	CHECK_EQUAL(protect(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 77);
	CHECK_EQUAL(pte_pfn(machine_entry(a, BASE)), frame);
}

static void test_mprotect_over_a_hole_is_refused(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(protect(a, BASE, 0x2000, MAP_READ), ST_NOT_FOUND);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
}

static void test_write_and_exec_together_is_refused(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW | MAP_EXEC), ST_NO_ACCESS);
	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(protect(a, BASE, 0x1000, RW | MAP_EXEC), ST_NO_ACCESS);
}

static void test_fixed_mapping_replaces_pages(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	for (uint64_t i = 0; i < 3; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i + 1), REASON_NONE);
	CHECK_EQUAL(map_at(a, BASE + 0x1000, 0x1000, RW), ST_EXISTS);
	CHECK_EQUAL(machine_program(a, PAGER_MMAP, BASE + 0x1000, 0x1000, RW | MAP_FIXED_AT, 0, 0)
			    ->status,
		ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 1);
	CHECK_EQUAL(read_word(a, BASE + 0x1000), 0);
	CHECK_EQUAL(read_word(a, BASE + 0x2000), 3);
}

static void test_fixed_mapping_that_merges_keeps_its_neighbours(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	for (uint64_t i = 0; i < 3; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i + 1), REASON_NONE);
	CHECK_EQUAL(protect(a, BASE + 0x1000, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(machine_program(a, PAGER_MMAP, BASE + 0x1000, 0x1000, RW | MAP_FIXED_AT, 0, 0)
			    ->status,
		ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 1);
	CHECK_EQUAL(read_word(a, BASE + 0x1000), 0);
	CHECK_EQUAL(read_word(a, BASE + 0x2000), 3);
}

static void test_mappings_grow_down_from_the_top(void)
{
	uint64_t a = create();
	const struct machine_answer *answer;

	answer = machine_program(a, PAGER_MMAP, 0, 0x2000, RW, 0, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(answer->w[0], LAYOUT_MMAP_TOP - 0x2000);
	answer = machine_program(a, PAGER_MMAP, 0, 1, MAP_READ, 0, 0);
	CHECK_EQUAL(answer->w[0], LAYOUT_MMAP_TOP - 0x3000);
	answer = machine_program(a, PAGER_MMAP, BASE + 5, 1, RW, 0, 0);
	CHECK_EQUAL(answer->w[0], BASE);
}

static void test_bad_arguments_of_mmap(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0, RW), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_at(a, BASE + 1, 0x1000, RW), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_at(a, 0, 0x1000, RW), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_at(a, LAYOUT_USER_END, 0x1000, RW), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_at(a, BASE, UINT64_MAX, RW), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_at(a, BASE, 0x1000, 1u << 20), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_file(a, BASE, 0x1000, MAP_READ, 0, 0x1000), ST_BAD_ARGUMENT);
	CHECK_EQUAL(map_file(a, BASE, 0x1000, MAP_READ, 55, 0), ST_NOT_FOUND);
	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW | MAP_STACK | MAP_SHARED), ST_BAD_ARGUMENT);
	CHECK_EQUAL(unmap(a, BASE + 1, 0x1000), ST_BAD_ARGUMENT);
	CHECK_EQUAL(unmap(a, BASE, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(unmap(a, UINT64_MAX & ~4095ull, 0x1000), ST_BAD_ARGUMENT);
	CHECK_EQUAL(protect(a, BASE, 0x1000, 1u << 9), ST_BAD_ARGUMENT);
}

static void test_break_grows_and_shrinks(void)
{
	uint64_t a = create(), start = BASE + 0x123;

	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE, 0, 0, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(machine_system(PAGER_SPACE_HEAP, a, start, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, 0, 0, 0, 0, 0)->w[0], start);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x4001, 0, 0, 0, 0)->w[0], BASE + 0x4001);
	CHECK_EQUAL(read_reason(a, BASE), REASON_NO_REGION);
	CHECK_EQUAL(write_word(a, BASE + 0x1000, 1), REASON_NONE);
	CHECK_EQUAL(write_word(a, BASE + 0x4000, 2), REASON_NONE);
	CHECK_EQUAL(read_reason(a, BASE + 0x5000), REASON_NO_REGION);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x2000, 0, 0, 0, 0)->w[0], BASE + 0x2000);
	CHECK_EQUAL(read_reason(a, BASE + 0x4000), REASON_NO_REGION);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x5000, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x4000), 0);
	CHECK_EQUAL(read_word(a, BASE + 0x1000), 1);
}

static void test_break_into_a_mapping_is_refused(void)
{
	uint64_t a = create();
	const struct machine_answer *answer;

	CHECK_EQUAL(machine_system(PAGER_SPACE_HEAP, a, BASE, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x2000, 0x1000, RW), ST_OK);
	answer = machine_program(a, PAGER_BRK, BASE + 0x3000, 0, 0, 0, 0);
	CHECK_EQUAL(answer->status, ST_NO_MEMORY);
	CHECK_EQUAL(answer->w[0], BASE);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x2000, 0, 0, 0, 0)->status, ST_OK);
}

/* ---- stacks ---- */

#define STACK_TOP LAYOUT_STACK_TOP

static void test_stack_grows_to_its_limit(void)
{
	uint64_t a = create(), word = 1;

	CHECK_EQUAL(map_at(a, STACK_TOP - 0x4000, 0x4000, RW | MAP_STACK), ST_OK);
	CHECK_EQUAL(write_word(a, STACK_TOP - 0x5008, 1), REASON_NONE);
	CHECK_EQUAL(write_word(a, STACK_TOP - LAYOUT_STACK_LIMIT, 1), REASON_NONE);
	CHECK_EQUAL(machine_access(a, STACK_TOP - LAYOUT_STACK_LIMIT - 8, FAULT_WRITE, &word),
		REASON_STACK_LIMIT);
	CHECK_EQUAL(read_reason(a, STACK_TOP - LAYOUT_STACK_LIMIT - LAYOUT_STACK_GAP - 8),
		REASON_NO_REGION);
	CHECK_EQUAL(stats().committed, LAYOUT_STACK_LIMIT / 4096);
}

static void test_stack_keeps_its_gap(void)
{
	uint64_t a = create(), below = STACK_TOP - 4 * MEBI;

	CHECK_EQUAL(map_at(a, STACK_TOP - 0x4000, 0x4000, RW | MAP_STACK), ST_OK);
	CHECK_EQUAL(map_at(a, below - 0x1000, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, below + LAYOUT_STACK_GAP, 1), REASON_NONE);
	CHECK_EQUAL(read_reason(a, below + LAYOUT_STACK_GAP - 8), REASON_GUARD);
	CHECK_EQUAL(read_reason(a, below), REASON_GUARD);
	CHECK_EQUAL(write_word(a, below - 8, 1), REASON_NONE);
}

static void test_stack_of_full_length_has_its_limit(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, STACK_TOP - LAYOUT_STACK_LIMIT, LAYOUT_STACK_LIMIT, RW | MAP_STACK),
		ST_OK);
	CHECK_EQUAL(write_word(a, STACK_TOP - LAYOUT_STACK_LIMIT, 1), REASON_NONE);
	CHECK_EQUAL(read_reason(a, STACK_TOP - LAYOUT_STACK_LIMIT - 8), REASON_STACK_LIMIT);
}

static void test_stack_grows_apart_after_fork(void)
{
	uint64_t a = create(), b;

	CHECK_EQUAL(map_at(a, STACK_TOP - 0x1000, 0x1000, RW | MAP_STACK), ST_OK);
	CHECK_EQUAL(write_word(a, STACK_TOP - 8, 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(write_word(b, STACK_TOP - 0x20000, 2), REASON_NONE);
	CHECK_EQUAL(read_word(a, STACK_TOP - 0x20000), 0);
	CHECK_EQUAL(read_word(b, STACK_TOP - 8), 1);
}

static void test_describe_tells_the_reason(void)
{
	uint64_t a = create();
	const struct machine_answer *answer;
	struct pager_region region;

	CHECK_EQUAL(map_at(a, STACK_TOP - 0x4000, 0x4000, RW | MAP_STACK), ST_OK);
	answer = machine_system(
		PAGER_SPACE_DESCRIBE, a, STACK_TOP - LAYOUT_STACK_LIMIT - 1, 0, 0, 0, 0);
	CHECK_EQUAL(answer->w[0], REASON_STACK_LIMIT);
	answer = machine_system(PAGER_SPACE_DESCRIBE, a, STACK_TOP - 1, 0, 0, 0, 0);
	CHECK_EQUAL(answer->w[0], REASON_NONE);
	memcpy(&region, answer->payload, sizeof(region));
	CHECK_EQUAL(region.start, STACK_TOP - 0x4000);
	CHECK(strcmp(region.name, "stack") == 0);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESCRIBE, a, 5, 0, 0, 0, 0)->w[0], REASON_NULL);
	CHECK_EQUAL(
		machine_system(PAGER_SPACE_DESCRIBE, a, BASE, 0, 0, 0, 0)->w[0], REASON_NO_REGION);
}

/* ---- objects ---- */

static void end_file(uint64_t object)
{
	CHECK_EQUAL(machine_system(PAGER_OBJECT_DESTROY, object, 0, 0, 0, 0, 0)->status, ST_OK);
}

static void test_file_pages_are_mapped_not_copied(void)
{
	uint64_t a = create(), b = create(), file = make_file(5 * 4096);

	CHECK_EQUAL(map_file(a, BASE, 0x5000, MAP_READ | MAP_EXEC, file, 0), ST_OK);
	CHECK_EQUAL(map_file(b, BASE, 0x5000, MAP_READ, file, 0), ST_OK);
	for (uint64_t i = 0; i < 5; i++)
		CHECK_EQUAL(read_word(a, BASE + i * 4096 + 8), i * 1000 + 1);
	CHECK_EQUAL(machine_faults, 1); /* one window */
	CHECK_EQUAL(read_word(b, BASE), 0);
	CHECK_EQUAL(pte_pfn(machine_entry(a, BASE)), pte_pfn(machine_entry(b, BASE)));
	CHECK_EQUAL(stats().frames_copied, 0);
	end_file(file);
}

static void test_private_file_page_is_copied_on_write(void)
{
	uint64_t a = create(), b = create(), file = make_file(2 * 4096);

	CHECK_EQUAL(map_file(a, BASE, 0x2000, RW, file, 0), ST_OK);
	CHECK_EQUAL(map_file(b, BASE, 0x2000, MAP_READ, file, 0), ST_OK);
	CHECK_EQUAL(write_word(a, BASE + 8, 5), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE + 16), 2);
	CHECK_EQUAL(read_word(a, BASE + 0x1000), 1000);
	CHECK_EQUAL(write_word(a, BASE + 0x1000, 6), REASON_NONE);
	CHECK_EQUAL(read_word(b, BASE + 8), 1);
	CHECK_EQUAL(read_word(b, BASE + 0x1000), 1000);
	CHECK_EQUAL(stats().frames_copied, 2);
	end_file(file);
}

static void test_file_page_mapped_once_is_not_reused(void)
{
	uint64_t a = create(), file = make_file(4096);

	CHECK_EQUAL(map_file(a, BASE, 0x1000, RW, file, 0), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(write_word(a, BASE, 9), REASON_NONE);
	CHECK_EQUAL(machine_system(PAGER_OBJECT_READ, file, 0, 8, 0, 0, 0)->payload[0], 0);
	end_file(file);
}

static void test_access_past_the_end_of_a_file_is_refused(void)
{
	uint64_t a = create(), file = make_file(4097);

	CHECK_EQUAL(map_file(a, BASE, 0x4000, MAP_READ, file, 0), ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x1000 + 8), 0);
	CHECK_EQUAL(read_reason(a, BASE + 0x2000), REASON_PAST_END);
	end_file(file);
}

static void test_file_window_respects_offset_and_region(void)
{
	uint64_t a = create(), file = make_file(40 * 4096);

	CHECK_EQUAL(map_file(a, BASE + 0x3000, 0x9000, MAP_READ, file, 0x5000), ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x7000), 9000);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 5000);
	CHECK_EQUAL(read_word(a, BASE + 0xb000), 13000);
	CHECK_EQUAL(machine_faults, 1);
	CHECK_EQUAL(read_reason(a, BASE + 0xc000), REASON_NO_REGION);
	end_file(file);
}

static void test_file_holes_read_as_zeros(void)
{
	uint64_t a = create(),
		 file = machine_system(PAGER_OBJECT_CREATE, 0x3000, 0, 0, 0, 0, 0)->w[0];

	CHECK_EQUAL(map_file(a, BASE, 0x3000, RW, file, 0), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(write_word(a, BASE + 0x1000, 4), REASON_NONE);
	CHECK_EQUAL(machine_system(PAGER_OBJECT_READ, file, 0x1000, 8, 0, 0, 0)->payload[0], 0);
	end_file(file);
}

static void test_large_object_grows_its_tree(void)
{
	uint64_t file = machine_system(PAGER_OBJECT_CREATE, 1ull << 36, 0, 0, 0, 0, 0)->w[0],
		 a = create();
	static const uint64_t offsets[] = { 0, 0x201000, 0x40000000, (1ull << 36) - 0x1000,
		0x1000 };

	for (uint64_t i = 0; i < 5; i++) {
		uint64_t word = i + 50;
		struct machine_request request = {
			.badge = BADGE_SYSTEM,
			.label = PAGER_OBJECT_WRITE,
			.w = { file, offsets[i] },
			.payload = &word,
			.bytes = 8,
		};

		CHECK_EQUAL(machine_call(&request)->status, ST_OK);
		machine_check();
	}
	CHECK_EQUAL(map_file(a, 1ull << 37, 1ull << 36, MAP_READ, file, 0), ST_OK);
	for (uint64_t i = 0; i < 5; i++)
		CHECK_EQUAL(read_word(a, (1ull << 37) + offsets[i]), i + 50);
	end_file(file);
}

static void test_programs_may_not_write_files_or_name_foreign_memory(void)
{
	uint64_t a = create(), b = create(), file = make_file(4096), shared;

	CHECK_EQUAL(map_file(a, BASE, 0x1000, RW | MAP_SHARED, file, 0), ST_NO_ACCESS);
	CHECK_EQUAL(map_file(a, BASE, 0x1000, MAP_READ | MAP_SHARED, file, 0), ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 8), 1);
	CHECK_EQUAL(protect(a, BASE, 0x1000, RW), ST_NO_ACCESS);
	CHECK_EQUAL(map_at(a, BASE + 0x10000, 0x1000, RW | MAP_SHARED), ST_OK);
	shared = ((const struct pager_region *)(const void *)machine_program(
			  a, PAGER_MAPS, 0, BASE + 0x10000, 0, 0, 0)
			  ->payload)
			 ->object;
	CHECK(shared != 0);
	CHECK_EQUAL(map_file(b, BASE, 0x1000, MAP_READ | MAP_SHARED, shared, 0), ST_NO_ACCESS);
	end_file(file);
}

static void test_shared_memory_is_shared_over_fork(void)
{
	uint64_t a = create(), b, c;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW | MAP_SHARED), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(read_word(b, BASE), 1);
	CHECK_EQUAL(write_word(b, BASE, 2), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE), 2);
	CHECK_EQUAL(write_word(a, BASE + 0x1000, 3), REASON_NONE);
	CHECK_EQUAL(read_word(b, BASE + 0x1000), 3);
	c = fork_of(b);
	CHECK_EQUAL(write_word(c, BASE + 0x2000, 4), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE + 0x2000), 4);
	CHECK_EQUAL(stats().frames_copied, 0);
	CHECK_EQUAL(stats().objects, 1);
	CHECK_EQUAL(destroy(a), ST_OK);
	CHECK_EQUAL(read_word(b, BASE), 2);
}

static void test_shared_memory_goes_with_its_last_mapping(void)
{
	uint64_t a = create(), b;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW | MAP_SHARED), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(unmap(a, BASE, 0x4000), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().objects, 1);
	CHECK_EQUAL(read_word(b, BASE), 1);
	CHECK_EQUAL(unmap(b, BASE, 0x2000), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().objects, 1);
	CHECK_EQUAL(unmap(b, BASE, 0x4000), ST_OK);
	machine_settle();
	CHECK_EQUAL(stats().objects, 0);
	CHECK_EQUAL(stats().committed, 0);
}

static void test_destroyed_file_lives_while_mapped(void)
{
	uint64_t a = create(), file = make_file(4 * 4096);

	CHECK_EQUAL(map_file(a, BASE, 0x4000, MAP_READ, file, 0), ST_OK);
	end_file(file);
	CHECK_EQUAL(
		machine_system(PAGER_OBJECT_DESTROY, file, 0, 0, 0, 0, 0)->status, ST_NOT_FOUND);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 3000);
	CHECK_EQUAL(unmap(a, BASE, 0x4000), ST_OK);
	machine_settle();
	CHECK_EQUAL(machine_system(PAGER_OBJECT_READ, file, 0, 8, 0, 0, 0)->status, ST_NOT_FOUND);
}

/* ---- requests of servers ---- */

static void test_space_write_and_read_cross_pages(void)
{
	uint64_t a = create();
	uint8_t text[5000];
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_WRITE,
		.w = { a, BASE + 0xf80 },
		.payload = text,
		.bytes = 4096,
	};
	const struct machine_answer *answer;

	for (uint32_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	CHECK_EQUAL(map_at(a, BASE, 0x2000, RW), ST_OK);
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	answer = machine_system(PAGER_SPACE_READ, a, BASE + 0xf80, 4096, 0, 0, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(answer->bytes, 4096);
	CHECK(memcmp(answer->payload, text, 4096) == 0);
	request.w[1] = BASE + 0x1f80;
	CHECK_EQUAL(machine_call(&request)->status, ST_NOT_FOUND);
	CHECK_EQUAL(
		machine_system(PAGER_SPACE_READ, a, BASE, 4097, 0, 0, 0)->status, ST_BAD_ARGUMENT);
}

static void test_space_write_obeys_the_region(void)
{
	uint64_t a = create(), word = 1, b;
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_WRITE,
		.w = { a, BASE },
		.payload = &word,
		.bytes = 8,
	};

	CHECK_EQUAL(map_at(a, BASE, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(machine_call(&request)->status, ST_NO_ACCESS);
	CHECK_EQUAL(protect(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	b = fork_of(a);
	word = 2;
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	CHECK_EQUAL(read_word(b, BASE), 1);
	CHECK_EQUAL(read_word(a, BASE), 2);
}

static void test_space_write_over_a_remembered_page_is_seen(void)
{
	uint64_t a = create(), word = 5;
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_WRITE,
		.w = { a, BASE },
		.payload = &word,
		.bytes = 8,
	};

	CHECK_EQUAL(map_at(a, BASE, 0x1000, RW), ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 0); /* the processor remembers the zero frame */
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	CHECK_EQUAL(read_word(a, BASE), 5);
}

static void test_split_from_outside_forgets_the_old_table(void)
{
	uint64_t a = create(), word = 5, b;
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_WRITE,
		.payload = &word,
		.bytes = 8,
	};

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	b = fork_of(a);
	CHECK_EQUAL(read_word(b, BASE), 1); /* the processor remembers the table for b */
	request.w[0] = b;
	request.w[1] = BASE + 0x2000;
	CHECK_EQUAL(
		machine_call(&request)->status, ST_OK); /* b has a table of its own from now on */
	CHECK_EQUAL(write_word(a, BASE + 0x3000, 99), REASON_NONE); /* into the old one */
	CHECK_EQUAL(read_word(b, BASE + 0x3000), 0);
}

static void test_programs_may_ask_about_themselves_only(void)
{
	uint64_t a = create(), b = create();

	for (uint32_t label = PAGER_SPACE_CREATE; label <= PAGER_IDLE; label++)
		CHECK_EQUAL(machine_program(a, label, b, 0, 0, 0, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(machine_program(a, PAGER_MAPS, b, 0, 0, 0, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(machine_program(a, PAGER_MAPS, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_program(99, PAGER_MMAP, 0, 4096, RW, 0, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(machine_program(a, PAGER_MADVISE + 1, 0, 0, 0, 0, 0)->status, ST_BAD_CALL);
	CHECK_EQUAL(machine_system(PAGER_IDLE + 1, 0, 0, 0, 0, 0, 0)->status, ST_BAD_CALL);
	CHECK_EQUAL(machine_system(PAGER_SPACE_FORK, 12345, 0, 0, 0, 0, 0)->status, ST_NOT_FOUND);
}

static void test_servers_name_spaces_in_word_five(void)
{
	uint64_t a = create();
	const struct machine_answer *answer = machine_system(PAGER_MMAP, BASE, 4096, RW, 0, 0, a);

	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	CHECK_EQUAL(machine_system(PAGER_MMAP, BASE, 4096, RW, 0, 0, 0)->status, ST_NOT_FOUND);
}

static void test_ids_are_not_reused(void)
{
	uint64_t a = create();

	CHECK_EQUAL(destroy(a), ST_OK);
	machine_settle();
	CHECK(create() != a);
	CHECK_EQUAL(destroy(a), ST_NOT_FOUND);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, 0, 0, 0, 0, 0)->status, ST_NO_ACCESS);
}

static void test_ports_templates_and_handles(void)
{
	uint64_t a;
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_TEMPLATE,
		.w = { SLOT_PROC, RIGHT_SEND },
		.with_handle = true,
	};

	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	request.w[0] = SLOT_SELF;
	CHECK_EQUAL(machine_call(&request)->status, ST_BAD_ARGUMENT);
	request.w[0] = SLOT_INIT;
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	request.w[1] = RIGHT_RECEIVE;
	CHECK_EQUAL(machine_call(&request)->status, ST_NO_RIGHT);
	request.with_handle = false;
	CHECK_EQUAL(machine_call(&request)->status, ST_BAD_HANDLE);
	a = create();
	CHECK_EQUAL(machine_system(PAGER_SPACE_PORT, a, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_PORT, a, 0, 0, 0, 0, 0)->status, ST_EXISTS);
	request.label = PAGER_SPACE_HANDLE;
	request.w[0] = a;
	request.w[1] = 20;
	CHECK_EQUAL(machine_call(&request)->status, ST_BAD_HANDLE);
	request.with_handle = true;
	CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	request.w[1] = HANDLE_SLOTS;
	CHECK_EQUAL(machine_call(&request)->status, ST_BAD_ARGUMENT);
}

static void test_space_control_requests(void)
{
	uint64_t a = create();
	struct pager_space_stat stat;

	CHECK_EQUAL(machine_system(PAGER_SPACE_NAME, a, 0x6c6c656873, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_INTERRUPT, a, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_START, a, BASE, BASE, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, 3, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_NO_MEMORY);
	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x4000, 0x1000, RW | MAP_SHARED), ST_NO_MEMORY);
	CHECK_EQUAL(map_at(a, BASE + 0x4000, 0x4000, MAP_READ), ST_OK);
	CHECK_EQUAL(protect(a, BASE + 0x4000, 0x1000, RW), ST_NO_MEMORY);
	CHECK_EQUAL(protect(a, BASE, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(protect(a, BASE + 0x4000, 0x1000, RW), ST_OK);
	CHECK_EQUAL(machine_program(a, PAGER_MMAP, BASE, 0x3000, RW | MAP_FIXED_AT, 0, 0)->status,
		ST_NO_MEMORY);
	CHECK_EQUAL(machine_system(PAGER_SPACE_CREATE, 0, 7, 0, 0, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(machine_program(a, PAGER_SPACE_STAT, 0, 0, 0, 0, 0)->bytes, sizeof(stat));
	CHECK_EQUAL(machine_system(PAGER_TRAP_TEST, 77, 0, 0, 0, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(machine_system(PAGER_CHECK, 0, 0, 0, 0, 0, 0)->w[0], 0);
}

static void test_maps_lists_regions(void)
{
	uint64_t a = create();
	const struct machine_answer *answer;
	const struct pager_region *region;
	uint64_t next = 0, seen = 0;

	for (uint64_t i = 0; i < 200; i++)
		CHECK_EQUAL(map_at(a, BASE + i * 0x2000, 0x1000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	do {
		answer = machine_program(a, PAGER_MAPS, 0, next, 0, 0, 0);
		CHECK_EQUAL(answer->status, ST_OK);
		region = (const struct pager_region *)(const void *)answer->payload;
		CHECK_EQUAL(region->start, BASE + seen * 0x2000);
		CHECK_EQUAL(region->resident, seen == 0 ? 1 : 0);
		seen += answer->w[0];
		next = answer->w[1];
	} while (next != 0);
	CHECK_EQUAL(seen, 200);
}

static void test_populate_fills_the_range(void)
{
	uint64_t a = create(), faults;

	CHECK_EQUAL(map_at(a, BASE + 0x1f0000, MEBI, RW | MAP_POPULATE), ST_OK);
	faults = machine_faults;
	for (uint64_t i = 0; i < 256; i++)
		CHECK_EQUAL(write_word(a, BASE + 0x1f0000 + i * 4096, i), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults);
}

static void test_populate_of_a_file_stops_at_its_end(void)
{
	uint64_t a = create(), file = make_file(3 * 4096);

	CHECK_EQUAL(map_file(a, BASE, 0x8000, MAP_READ | MAP_POPULATE, file, 0), ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x2000), 2000);
	CHECK_EQUAL(machine_faults, 0);
	end_file(file);
}

/* However long the mapping is: the work ends at the end of the file. */
static void test_populate_beyond_the_end_of_a_file_is_no_work(void)
{
	uint64_t a = create(), file = make_file(3 * 4096);

	CHECK_EQUAL(map_file(a, BASE, 1ull << 40, MAP_READ | MAP_POPULATE, file, 0), ST_OK);
	CHECK_EQUAL(map_file(a, BASE + (1ull << 40), 1ull << 40, MAP_READ | MAP_POPULATE, file, 4096),
		ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x2000), 2000);
	CHECK_EQUAL(machine_faults, 0);
	end_file(file);
}

/* Nor is memory that can only be read as zeros. */
static void test_populate_of_zeros_is_no_work(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 1ull << 44, MAP_READ | MAP_POPULATE), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + (1ull << 44), 1ull << 40, MAP_READ | MAP_EXEC | MAP_POPULATE),
		ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x2000), 0);
}

static void test_cancelled_request_is_answered(void)
{
	uint64_t a = create();
	struct message message = {
		.tag = tag_make(PAGER_MMAP, 0),
		.badge = a,
		.w = { BASE, 8 * MEBI, RW | MAP_POPULATE },
		.token = 0x777,
	};

	CHECK_EQUAL(serve_message(&message), REPLY_NONE);
	message.tag = TAG_CANCEL;
	message.token = 0x777;
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), ST_INTERRUPTED);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, 0, 0, 0, 0, 0)->status, ST_AGAIN);
	machine_settle();
	CHECK_EQUAL(read_word(a, BASE + MEBI), 0);
}

static void test_space_with_a_job_can_be_destroyed(void)
{
	uint64_t a = create();
	struct message message = {
		.tag = tag_make(PAGER_MMAP, 0),
		.badge = a,
		.w = { BASE, 8 * MEBI, RW | MAP_POPULATE },
		.token = 0x777,
	};

	CHECK_EQUAL(serve_message(&message), REPLY_NONE);
	CHECK_EQUAL(destroy(a), ST_OK);
	CHECK_EQUAL(destroy(a), ST_NOT_FOUND);
	machine_settle();
}

static void test_fault_in_a_busy_space_waits_for_the_job(void)
{
	uint64_t a = create(), word = 0;
	struct message message = {
		.tag = tag_make(PAGER_SPACE_MAP, 0),
		.badge = BADGE_SYSTEM,
		.w = { a, BASE, 8 * MEBI, RW | MAP_POPULATE | MAP_NO_REPLACE },
		.token = 0x778,
	};

	CHECK_EQUAL(serve_message(&message), REPLY_NONE);
	CHECK_EQUAL(machine_access(a, BASE + 7 * MEBI, 0, &word), REASON_NONE);
	CHECK_EQUAL(machine_faults, 1);
}

/* ---- moving mappings, advice ---- */

#define GIBI	  0x40000000ull
#define SLOT_SPAN (512 * GIBI)
#define MOVE	  REMAP_MAY_MOVE
#define FIXED	  (REMAP_MAY_MOVE | REMAP_FIXED)

/* To this address; the status. */
static status_t remap(uint64_t space, uint64_t address, uint64_t bytes, uint64_t new_bytes,
	uint64_t flags, uint64_t new_address)
{
	return machine_program(space, PAGER_MREMAP, address, bytes, new_bytes, flags, new_address)
		->status;
}

static status_t advise(uint64_t space, uint64_t address, uint64_t bytes, uint64_t advice)
{
	return machine_program(space, PAGER_MADVISE, address, bytes, advice, 0, 0)->status;
}

/* Word i of a range is `seed` + i, at the start of each page. */
static void fill(uint64_t space, uint64_t address, uint64_t pages, uint64_t seed)
{
	for (uint64_t i = 0; i < pages; i++)
		CHECK_EQUAL(write_word(space, address + i * 4096, seed + i), REASON_NONE);
}

static void expect(uint64_t space, uint64_t address, uint64_t pages, uint64_t seed)
{
	for (uint64_t i = 0; i < pages; i++)
		CHECK_EQUAL(read_word(space, address + i * 4096), seed + i);
}

static void test_mremap_shrinks_in_place(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x8000, RW), ST_OK);
	fill(a, BASE, 8, 1);
	CHECK_EQUAL(remap(a, BASE, 0x8000, 0x2001, 0, 0), ST_OK);
	expect(a, BASE, 3, 1);
	CHECK_EQUAL(read_reason(a, BASE + 0x3000), REASON_NO_REGION);
	CHECK_EQUAL(remap(a, BASE + 0x1000, 0x1000, 0x1000, 0, 0), ST_OK);
	expect(a, BASE, 3, 1);
}

static void test_mremap_grows_in_place_when_free(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x2000, RW), ST_OK);
	fill(a, BASE, 2, 1);
	CHECK_EQUAL(remap(a, BASE + 0x1000, 0x1000, 0x3000, 0, 0), ST_OK);
	expect(a, BASE, 2, 1);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 0);
	CHECK_EQUAL(read_reason(a, BASE + 0x4000), REASON_NO_REGION);
	CHECK_EQUAL(map_at(a, BASE + 0x4000, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(remap(a, BASE, 0x4000, 0x5000, 0, 0), ST_NO_MEMORY);
	CHECK_EQUAL(remap(a, BASE, 0x2000, 0x3000, 0, 0), ST_NO_MEMORY); /* not its end */
	expect(a, BASE, 2, 1);
}

static void test_mremap_moves_when_it_must(void)
{
	uint64_t a = create(), moved, frames;
	const struct machine_answer *answer;
	pfn_t frame;

	CHECK_EQUAL(map_at(a, BASE, 0x3000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x3000, 0x1000, MAP_READ), ST_OK);
	fill(a, BASE, 3, 1);
	frame = pte_pfn(machine_entry(a, BASE + 0x1000));
	frames = stats().frames_copied;
	answer = machine_program(a, PAGER_MREMAP, BASE, 0x3000, 0x5000, MOVE, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	moved = answer->w[0];
	CHECK(moved != BASE);
	CHECK_EQUAL(pte_pfn(machine_entry(a, moved + 0x1000)), frame);
	CHECK_EQUAL(stats().frames_copied, frames);
	CHECK(machine_entry(a, moved) & PTE_W);
	CHECK(machine_entry(a, moved) & PTE_D);
	expect(a, moved, 3, 1);
	CHECK_EQUAL(read_word(a, moved + 0x4000), 0);
	CHECK_EQUAL(read_reason(a, BASE), REASON_NO_REGION);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 0);
}

static void test_mremap_fixed_replaces_what_is_there(void)
{
	uint64_t a = create(), there = BASE + 64 * MEBI;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, there - 0x1000, 0x8000, RW), ST_OK);
	fill(a, BASE, 2, 1); /* and two empty ones */
	fill(a, there - 0x1000, 8, 100);
	CHECK_EQUAL(remap(a, BASE, 0x4000, 0x5000, FIXED, there), ST_OK);
	expect(a, there, 2, 1);
	for (uint64_t page = 2; page < 5; page++)
		CHECK_EQUAL(read_word(a, there + page * 4096), 0);
	expect(a, there - 0x1000, 1, 100);
	expect(a, there + 0x5000, 2, 106);
	CHECK_EQUAL(read_reason(a, BASE), REASON_NO_REGION);
	CHECK_EQUAL(remap(a, there, 0x5000, 0x1000, FIXED, BASE), ST_OK);
	expect(a, BASE, 1, 1);
	CHECK_EQUAL(read_reason(a, there), REASON_NO_REGION);
	CHECK_EQUAL(read_reason(a, there + 0x4000), REASON_NO_REGION);
}

static void test_mremap_of_bad_ranges_is_refused(void)
{
	uint64_t a = create(), there = BASE + MEBI;

	CHECK_EQUAL(map_at(a, BASE, 0x2000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x2000, 0x2000, MAP_READ), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 16 * MEBI, 0x2000, RW | MAP_STACK), ST_OK);
	fill(a, BASE, 2, 1);
	CHECK_EQUAL(remap(a, BASE, 0x4000, 0x5000, MOVE, 0), ST_NOT_FOUND);
	CHECK_EQUAL(remap(a, BASE, 0x4000, 0x1000, 0, 0), ST_NOT_FOUND);
	CHECK_EQUAL(remap(a, there, 0x1000, 0x2000, MOVE, 0), ST_NOT_FOUND);
	CHECK_EQUAL(remap(a, BASE, 0, 0x1000, MOVE, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, 0, MOVE, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE + 1, 0x1000, 0x1000, MOVE, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, 0x1000, 4, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, UINT64_MAX, MOVE, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, 0x1000, REMAP_FIXED, there), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, 0x1000, FIXED, there + 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, 0x1000, FIXED, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x2000, 0x2000, FIXED, BASE + 0x1000), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE, 0x1000, 0x2000, FIXED, BASE - 0x1000), ST_BAD_ARGUMENT);
	CHECK_EQUAL(remap(a, BASE + 16 * MEBI, 0x1000, 0x1000, FIXED, there), ST_BAD_ARGUMENT);
	expect(a, BASE, 2, 1);
}

static void test_mremap_keeps_sharing_after_fork(void)
{
	uint64_t a = create(), b, there = BASE + 8 * GIBI, copies;

	CHECK_EQUAL(map_at(a, BASE, 0x8000, RW), ST_OK);
	fill(a, BASE, 8, 1);
	b = fork_of(a);
	copies = stats().faults_copy;
	CHECK_EQUAL(remap(a, BASE + 0x2000, 0x3000, 0x3000, FIXED, there), ST_OK);
	CHECK_EQUAL(stats().faults_copy, copies);
	expect(b, BASE, 8, 1);
	expect(a, there, 3, 3);
	CHECK_EQUAL(pte_pfn(machine_entry(a, there)), pte_pfn(machine_entry(b, BASE + 0x2000)));
	CHECK_EQUAL(write_word(a, there, 50), REASON_NONE);
	CHECK_EQUAL(write_word(b, BASE + 0x3000, 60), REASON_NONE);
	CHECK_EQUAL(read_word(a, there + 0x1000), 4);
	CHECK_EQUAL(read_word(b, BASE + 0x2000), 3);
	CHECK_EQUAL(read_reason(a, BASE + 0x2000), REASON_NO_REGION);
	CHECK_EQUAL(read_reason(b, there), REASON_NO_REGION);
}

/* Whole tables move by one entry, shared ones without a split. */
static void test_mremap_of_whole_tables_does_not_split_them(void)
{
	uint64_t a = create(), b, splits, place = 16 * GIBI, there = 32 * GIBI;

	CHECK_EQUAL(map_at(a, place, 4 * MEBI, RW), ST_OK);
	fill(a, place, 1024, 1);
	b = fork_of(a);
	splits = stats().tables_split;
	CHECK_EQUAL(remap(a, place, 4 * MEBI, 4 * MEBI, FIXED, there), ST_OK);
	CHECK_EQUAL(stats().tables_split, splits + 2); /* L3 and L2 of the source */
	expect(a, there, 1024, 1);
	expect(b, place, 1024, 1);
	CHECK_EQUAL(write_word(a, there + 0x5000, 7), REASON_NONE);
	CHECK_EQUAL(read_word(b, place + 0x5000), 6);
	CHECK_EQUAL(write_word(b, place + 0x6000, 8), REASON_NONE);
	CHECK_EQUAL(read_word(a, there + 0x6000), 7);
	CHECK_EQUAL(read_reason(a, place), REASON_NO_REGION);
}

/* Pages on both sides of each border, moved by odd and even distances, with a relative. */
static void test_mremap_over_table_borders(void)
{
	static const uint64_t borders[] = { 2 * MEBI, GIBI, SLOT_SPAN };
	static const uint64_t distances[] = { 0x1000, 0x7000, 2 * MEBI, 6 * MEBI + 0x3000, GIBI,
		SLOT_SPAN, SLOT_SPAN + GIBI + 2 * MEBI + 0x1000 };

	for (uint32_t i = 0; i < sizeof(borders) / 8; i++)
		for (uint32_t j = 0; j < sizeof(distances) / 8; j++) {
			uint64_t a = create(), b, start = 8 * SLOT_SPAN + borders[i] - 3 * 4096;
			uint64_t there = 4 * SLOT_SPAN + borders[i] - 3 * 4096 + distances[j];

			CHECK_EQUAL(map_at(a, start, 0x6000, RW), ST_OK);
			fill(a, start, 6, j * 10);
			b = fork_of(a);
			CHECK_EQUAL(remap(a, start, 0x6000, 0x7000, FIXED, there), ST_OK);
			machine_check();
			expect(a, there, 6, j * 10);
			expect(b, start, 6, j * 10);
			CHECK_EQUAL(read_word(a, there + 0x6000), 0);
			fill(b, start, 6, 77);
			expect(a, there, 6, j * 10);
			CHECK_EQUAL(destroy(a), ST_OK);
			CHECK_EQUAL(destroy(b), ST_OK);
			machine_settle();
			CHECK_EQUAL(stats().frames_free, frames_at_start);
		}
}

static void test_mremap_of_a_huge_sparse_range_is_bounded(void)
{
	uint64_t a = create(), there = 200 * SLOT_SPAN, steps = 0;
	struct message message = {
		.tag = tag_make(PAGER_MREMAP, 0),
		.w = { SLOT_SPAN, 3 * SLOT_SPAN, 3 * SLOT_SPAN, FIXED, there + 0x1000 },
		.token = 0x555,
	};

	message.badge = a;
	CHECK_EQUAL(map_at(a, SLOT_SPAN, 3 * SLOT_SPAN, MAP_READ), ST_OK);
	for (uint64_t i = 0; i < 3; i++)
		CHECK_EQUAL(read_word(a, SLOT_SPAN + i * SLOT_SPAN + i * GIBI), 0);
	CHECK_EQUAL(serve_message(&message), REPLY_NONE);
	while (job_pending() && steps < 10000) {
		job_run_slice();
		steps++;
	}
	CHECK(steps > 2 && steps < 1200);
	CHECK_EQUAL(read_word(a, there + 0x1000), 0);
	CHECK_EQUAL(read_reason(a, SLOT_SPAN), REASON_NO_REGION);
}

static void test_mremap_of_shared_memory_and_files(void)
{
	uint64_t a = create(), b, file = make_file(0x4000), there = BASE + 32 * MEBI;

	CHECK_EQUAL(map_at(a, BASE, 0x2000, RW | MAP_SHARED), ST_OK);
	CHECK_EQUAL(map_file(a, BASE + MEBI, 0x4000, RW, file, 0), ST_OK);
	fill(a, BASE, 2, 1);
	b = fork_of(a);
	CHECK_EQUAL(remap(a, BASE, 0x2000, 0x3000, FIXED, there), ST_OK);
	CHECK_EQUAL(write_word(a, there, 9), REASON_NONE);
	CHECK_EQUAL(read_word(b, BASE), 9);
	CHECK_EQUAL(write_word(b, BASE + 0x1000, 10), REASON_NONE);
	CHECK_EQUAL(read_word(a, there + 0x1000), 10);
	CHECK_EQUAL(read_reason(a, there + 0x2000), REASON_PAST_END);
	/* A part of a file mapping keeps its place in the file. */
	CHECK_EQUAL(write_word(a, BASE + MEBI + 0x2000, 5), REASON_NONE);
	CHECK_EQUAL(remap(a, BASE + MEBI + 0x1000, 0x2000, 0x4000, FIXED, there + MEBI), ST_OK);
	CHECK_EQUAL(read_word(a, there + MEBI), 1000);
	CHECK_EQUAL(read_word(a, there + MEBI + 0x1000), 5);
	CHECK_EQUAL(read_word(a, there + MEBI + 0x2000), 3000);
	CHECK_EQUAL(read_reason(a, there + MEBI + 0x3000), REASON_PAST_END);
	CHECK_EQUAL(read_word(a, BASE + MEBI + 0x3000), 3000);
	CHECK_EQUAL(read_word(b, BASE + MEBI + 0x2000), 2000);
	end_file(file);
}

static void test_mremap_of_the_heap_leaves_a_hole(void)
{
	uint64_t a = create(), there = BASE + 32 * MEBI;

	CHECK_EQUAL(machine_system(PAGER_SPACE_HEAP, a, BASE, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x4000, 0, 0, 0, 0)->status, ST_OK);
	fill(a, BASE, 4, 1);
	CHECK_EQUAL(remap(a, BASE, 0x4000, 0x5000, 0, 0), ST_NO_MEMORY);
	CHECK_EQUAL(remap(a, BASE + 0x3000, 0x1000, 0x2000, FIXED, there), ST_OK);
	expect(a, there, 1, 4);
	expect(a, BASE, 3, 1);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x5000, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(read_word(a, BASE + 0x4000), 0);
	CHECK_EQUAL(read_reason(a, BASE + 0x3000), REASON_NO_REGION);
	CHECK_EQUAL(machine_program(a, PAGER_BRK, BASE + 0x1000, 0, 0, 0, 0)->status, ST_OK);
	expect(a, BASE, 1, 1);
}

static void test_mremap_after_mprotect_keeps_rights(void)
{
	uint64_t a = create(), there = BASE + 32 * MEBI;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	fill(a, BASE, 4, 1);
	CHECK_EQUAL(protect(a, BASE + 0x1000, 0x1000, MAP_READ), ST_OK);
	CHECK_EQUAL(protect(a, BASE + 0x2000, 0x1000, 0), ST_OK);
	CHECK_EQUAL(remap(a, BASE, 0x4000, 0x4000, FIXED, there), ST_NOT_FOUND);
	for (uint64_t page = 0; page < 3; page++)
		CHECK_EQUAL(remap(a, BASE + page * 4096, 0x1000, 0x1000, FIXED,
				    there + page * 4096),
			ST_OK);
	CHECK_EQUAL(write_word(a, there, 1), REASON_NONE);
	CHECK_EQUAL(write_word(a, there + 0x1000, 1), REASON_PROTECTION);
	CHECK_EQUAL(read_reason(a, there + 0x2000), REASON_PROTECTION);
	CHECK_EQUAL(protect(a, there, 0x3000, RW), ST_OK);
	expect(a, there, 3, 1);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 4);
}

static void test_mremap_counts_against_the_limit(void)
{
	uint64_t a = create(), there = BASE + 64 * MEBI;

	CHECK_EQUAL(map_at(a, BASE, 0x8000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, there, 0x4000, RW), ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, 12, 0, 0, 0, 0)->status, ST_OK);
	fill(a, BASE, 8, 1);
	CHECK_EQUAL(remap(a, BASE, 0x8000, 0x9000, 0, 0), ST_NO_MEMORY);
	CHECK_EQUAL(remap(a, BASE, 0x8000, 0xd000, FIXED, there), ST_NO_MEMORY);
	CHECK_EQUAL(remap(a, BASE, 0x8000, 0xc000, FIXED, there), ST_OK);
	expect(a, there, 8, 1);
}

/* Every n-th asking for frames and for nodes refused: what was mapped stays as it was. */
static void test_mremap_refused_half_way_loses_nothing(void)
{
	uint64_t a = create(), start = 2 * MEBI * 100 - 0x3000, there = 64 * GIBI + 0x5000;
	uint64_t n = 0, frames;
	status_t status = ST_NO_MEMORY;

	CHECK_EQUAL(map_at(a, start, 0x206000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, there + 0x100000, 0x2000, RW), ST_OK);
	fill(a, start, 0x206, 1);
	fill(a, there + 0x100000, 2, 5000);
	(void)fork_of(a);
	while (status != ST_OK) {
		CHECK(++n < 100);
		machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, n, 0, 0, 0, 0);
		status = remap(a, start, 0x206000, 0x206000, FIXED, there);
		machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 0, 0, 0, 0, 0);
		machine_settle();
		machine_check();
		CHECK(status == ST_OK || status == ST_NO_MEMORY);
		expect(a, status == ST_OK ? there : start, 0x206, 1);
		if (status != ST_OK)
			expect(a, there + 0x100000, 2, 5000);
		frames = stats().frames_free;
	}
	CHECK(n > 3);
	expect(spaces[1], start, 0x206, 1);
	CHECK_EQUAL(stats().frames_free, frames);
}

static void test_discard_drops_private_pages(void)
{
	uint64_t a = create(), b, file = make_file(0x2000), frames;

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(map_file(a, BASE + 0x4000, 0x2000, RW, file, 0), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x6000, 0x1000, RW | MAP_SHARED), ST_OK);
	fill(a, BASE, 7, 1);
	b = fork_of(a);
	fill(b, BASE, 2, 50);
	frames = stats().frames_free;
	CHECK_EQUAL(advise(b, BASE + 0x1000, 0x6000, ADVICE_DISCARD), ST_OK);
	CHECK(stats().frames_free >= frames + 1);
	CHECK_EQUAL(read_word(b, BASE), 50);
	for (uint64_t page = 1; page < 4; page++)
		CHECK_EQUAL(read_word(b, BASE + page * 4096), 0);
	CHECK_EQUAL(read_word(b, BASE + 0x4000), 0);
	CHECK_EQUAL(read_word(b, BASE + 0x5000), 1000);
	CHECK_EQUAL(read_word(b, BASE + 0x6000), 7);
	expect(a, BASE, 7, 1);
	CHECK_EQUAL(write_word(b, BASE + 0x1000, 9), REASON_NONE);
	expect(a, BASE, 7, 1);
	end_file(file);
}

static void test_discard_of_shared_tables_keeps_the_relative(void)
{
	uint64_t a = create(), b, splits;

	CHECK_EQUAL(map_at(a, 16 * GIBI, 6 * MEBI, RW), ST_OK);
	fill(a, 16 * GIBI, 1536, 1);
	b = fork_of(a);
	splits = stats().tables_split;
	CHECK_EQUAL(advise(b, 16 * GIBI + 0x1000, 6 * MEBI - 0x1000, ADVICE_DISCARD), ST_OK);
	CHECK_EQUAL(stats().tables_split, splits + 3); /* of the first leaf table's path */
	CHECK_EQUAL(read_word(b, 16 * GIBI), 1);
	CHECK_EQUAL(read_word(b, 16 * GIBI + 0x1000), 0);
	CHECK_EQUAL(read_word(b, 16 * GIBI + 5 * MEBI), 0);
	expect(a, 16 * GIBI, 1536, 1);
}

static void test_populate_on_advice(void)
{
	uint64_t a = create(), faults;

	CHECK_EQUAL(map_at(a, BASE, 0x20000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE + 0x3000, 3), REASON_NONE);
	CHECK_EQUAL(advise(a, BASE, 0x10000, ADVICE_POPULATE), ST_OK);
	faults = machine_faults;
	for (uint64_t page = 0; page < 16; page++)
		CHECK_EQUAL(write_word(a, BASE + page * 4096 + 8, page), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults);
	CHECK_EQUAL(read_word(a, BASE + 0x3000), 3);
	CHECK_EQUAL(machine_entry(a, BASE + 0x10000), 0);
}

static void test_bad_advice_is_refused(void)
{
	uint64_t a = create();

	CHECK_EQUAL(map_at(a, BASE, 0x2000, RW), ST_OK);
	fill(a, BASE, 2, 1);
	CHECK_EQUAL(advise(a, BASE, 0x3000, ADVICE_DISCARD), ST_NOT_FOUND);
	CHECK_EQUAL(advise(a, BASE + 0x2000, 0x1000, ADVICE_POPULATE), ST_NOT_FOUND);
	CHECK_EQUAL(advise(a, BASE, 0x1000, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(advise(a, BASE, 0x1000, ADVICE_SMALL + 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(advise(a, BASE + 8, 0x1000, ADVICE_DISCARD), ST_BAD_ARGUMENT);
	CHECK_EQUAL(advise(a, BASE, 0, ADVICE_DISCARD), ST_BAD_ARGUMENT);
	expect(a, BASE, 2, 1);
}

/* ---- shortage ---- */

static void test_every_failing_allocation_of_a_fault_is_survived(void)
{
	uint64_t a = create(), b, file = make_file(4096);

	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(map_at(a, BASE + 0x10000, 0x4000, RW | MAP_SHARED), ST_OK);
	CHECK_EQUAL(map_file(a, BASE + 0x20000, 0x1000, RW, file, 0), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	b = fork_of(a);
	for (uint64_t n = 1; n < 6; n++) {
		static const uint64_t offsets[] = { 0, 0x1000, 0x10000, 0x11000, 0x20000 };

		machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, n, 0, 0, 0, 0);
		for (uint32_t i = 0; i < 5; i++) {
			uint32_t reason = write_word(i % 2 ? a : b, BASE + offsets[i], n);

			CHECK(reason == REASON_NONE || reason == REASON_NO_MEMORY);
		}
		machine_check();
	}
	end_file(file);
}

static void test_refused_growth_of_the_heap_changes_nothing(void)
{
	uint64_t a = create();
	uint32_t refused = 0;

	for (uint32_t n = 1; n < 400; n++) {
		machine_fail_heap(1);
		refused += map_at(a, BASE + n * 0x3000, 0x1000, RW) == ST_NO_MEMORY;
		machine_fail_heap(0);
		CHECK_EQUAL(read_reason(a, BASE + n * 0x3000 + 0x1000), REASON_NO_REGION);
	}
	CHECK(refused != 0);
}

static void test_hog_is_killed_and_others_go_on(void)
{
	uint64_t small = create(), hog, i;
	const struct machine_answer *answer;

	CHECK_EQUAL(map_at(small, BASE, 0x10000, RW), ST_OK);
	CHECK_EQUAL(write_word(small, BASE, 1), REASON_NONE);
	hog = create();
	CHECK_EQUAL(map_at(hog, BASE, 15 * MEBI, RW), ST_OK);
	CHECK_EQUAL(map_at(hog, BASE + 64 * MEBI, 15 * MEBI, MAP_READ), ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, hog, UINT64_MAX, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(protect(hog, BASE + 64 * MEBI, 15 * MEBI, RW), ST_OK);
	for (i = 0; i < 30 * 256; i++)
		if (write_word(hog, BASE + (i < 15 * 256 ? 0 : 49 * MEBI) + i * 4096, i) !=
			REASON_NONE)
			break;
	CHECK(i > 3800 && i < FRAMES);
	CHECK_EQUAL(machine_notifications, 1);
	answer = machine_system(PAGER_VICTIM, 0, 0, 0, 0, 0, 0);
	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(answer->w[0], 1001);
	CHECK_EQUAL(machine_system(PAGER_VICTIM, 0, 0, 0, 0, 0, 0)->status, ST_NOT_FOUND);
	CHECK_EQUAL(stats().victims, 1);
	for (i = 0; i < 16; i++)
		CHECK_EQUAL(write_word(small, BASE + i * 4096, i), REASON_NONE);
	machine_settle();
	CHECK(stats().frames_free > 4000);
}

static void test_sole_program_over_memory_is_its_own_victim(void)
{
	uint64_t a = create(), i, reason = REASON_NONE;

	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, UINT64_MAX, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(map_at(a, BASE, 64 * MEBI, RW), ST_OK);
	for (i = 0; i < 64 * 256 && reason == REASON_NONE; i++)
		reason = write_word(a, BASE + i * 4096, i);
	/* With one program its share is everything: nobody is over it. */
	CHECK_EQUAL(reason, REASON_NO_MEMORY);
}

static void test_shared_pages_do_not_save_a_fork_bomb(void)
{
	uint64_t a = create(), made = 0;

	CHECK_EQUAL(map_at(a, BASE, 0x40000, RW), ST_OK);
	for (uint64_t i = 0; i < 64; i++)
		CHECK_EQUAL(write_word(a, BASE + i * 4096, i), REASON_NONE);
	for (; made < 4000; made++) {
		const struct machine_answer *answer =
			machine_system(PAGER_SPACE_FORK, a, made, 0, 0, 0, 0);

		if (answer->status != ST_OK) {
			CHECK_EQUAL(answer->status, ST_NO_MEMORY);
			break;
		}
		spaces[spaces_count++] = answer->w[0];
	}
	CHECK(made > 1000 && made < 1400);
	CHECK_EQUAL(read_word(spaces[1], BASE + 4096), 1);
}

static void test_thousand_spaces_alive(void)
{
	uint64_t a = create();

	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 64, 0, 0, 0, 0);
	CHECK_EQUAL(map_at(a, BASE, 0x4000, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 42), REASON_NONE);
	for (uint64_t i = 0; i < 1000; i++)
		(void)fork_of(a);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_EQUAL(write_word(spaces[1 + i * 9], BASE, i), REASON_NONE);
	CHECK_EQUAL(read_word(spaces[1000], BASE), 42);
	CHECK_EQUAL(read_word(spaces[1 + 9 * 50], BASE), 50);
}

static const struct check_test tests[] = {
	CHECK_TEST(write_gives_cleared_page),
	CHECK_TEST(read_maps_zero_frame_then_write_a_page),
	CHECK_TEST(present_fault_in_built_tables_takes_two_operations),
	CHECK_TEST(pages_are_not_executable_unless_asked),
	CHECK_TEST(refusals_have_reasons),
	CHECK_TEST(reserved_bit_is_malformed),
	CHECK_TEST(fault_of_unknown_space_is_refused),
	CHECK_TEST(message_page_appears_on_first_touch),
	CHECK_TEST(message_page_is_not_inherited),
	CHECK_TEST(fork_shares_tables_and_takes_three_frames),
	CHECK_TEST(parent_write_after_fork_is_not_seen_by_child),
	CHECK_TEST(child_write_copies_once_then_parent_reuses),
	CHECK_TEST(after_child_exit_parent_writes_without_copy),
	CHECK_TEST(fill_in_shared_table_splits_first),
	CHECK_TEST(mprotect_after_fork_does_not_touch_the_relative),
	CHECK_TEST(raising_write_obeys_regions_changed_while_shared),
	CHECK_TEST(three_generations_keep_their_values),
	CHECK_TEST(hundred_generations_leak_nothing),
	CHECK_TEST(fork_costs_the_same_for_any_size),
	CHECK_TEST(fork_without_frames_is_refused),
	CHECK_TEST(fork_over_the_reference_limit_is_undone),
	CHECK_TEST(cure_refused_by_the_kernel_is_taken_back),
	CHECK_TEST(munmap_frees_pages_and_tables),
	CHECK_TEST(munmap_in_the_middle_keeps_the_rest),
	CHECK_TEST(munmap_of_shared_tables_keeps_the_relative),
	CHECK_TEST(munmap_of_a_huge_range_is_a_job),
	CHECK_TEST(mprotect_takes_and_gives_rights),
	CHECK_TEST(mprotect_none_keeps_the_page),
	CHECK_TEST(mprotect_over_a_hole_is_refused),
	CHECK_TEST(write_and_exec_together_is_refused),
	CHECK_TEST(fixed_mapping_replaces_pages),
	CHECK_TEST(fixed_mapping_that_merges_keeps_its_neighbours),
	CHECK_TEST(mappings_grow_down_from_the_top),
	CHECK_TEST(bad_arguments_of_mmap),
	CHECK_TEST(break_grows_and_shrinks),
	CHECK_TEST(break_into_a_mapping_is_refused),
	CHECK_TEST(stack_grows_to_its_limit),
	CHECK_TEST(stack_keeps_its_gap),
	CHECK_TEST(stack_of_full_length_has_its_limit),
	CHECK_TEST(stack_grows_apart_after_fork),
	CHECK_TEST(describe_tells_the_reason),
	CHECK_TEST(file_pages_are_mapped_not_copied),
	CHECK_TEST(private_file_page_is_copied_on_write),
	CHECK_TEST(file_page_mapped_once_is_not_reused),
	CHECK_TEST(access_past_the_end_of_a_file_is_refused),
	CHECK_TEST(file_window_respects_offset_and_region),
	CHECK_TEST(file_holes_read_as_zeros),
	CHECK_TEST(large_object_grows_its_tree),
	CHECK_TEST(programs_may_not_write_files_or_name_foreign_memory),
	CHECK_TEST(shared_memory_is_shared_over_fork),
	CHECK_TEST(shared_memory_goes_with_its_last_mapping),
	CHECK_TEST(destroyed_file_lives_while_mapped),
	CHECK_TEST(space_write_and_read_cross_pages),
	CHECK_TEST(space_write_obeys_the_region),
	CHECK_TEST(space_write_over_a_remembered_page_is_seen),
	CHECK_TEST(split_from_outside_forgets_the_old_table),
	CHECK_TEST(programs_may_ask_about_themselves_only),
	CHECK_TEST(servers_name_spaces_in_word_five),
	CHECK_TEST(ids_are_not_reused),
	CHECK_TEST(ports_templates_and_handles),
	CHECK_TEST(space_control_requests),
	CHECK_TEST(maps_lists_regions),
	CHECK_TEST(populate_fills_the_range),
	CHECK_TEST(populate_of_a_file_stops_at_its_end),
	CHECK_TEST(populate_beyond_the_end_of_a_file_is_no_work),
	CHECK_TEST(populate_of_zeros_is_no_work),
	CHECK_TEST(cancelled_request_is_answered),
	CHECK_TEST(space_with_a_job_can_be_destroyed),
	CHECK_TEST(fault_in_a_busy_space_waits_for_the_job),
	CHECK_TEST(mremap_shrinks_in_place),
	CHECK_TEST(mremap_grows_in_place_when_free),
	CHECK_TEST(mremap_moves_when_it_must),
	CHECK_TEST(mremap_fixed_replaces_what_is_there),
	CHECK_TEST(mremap_of_bad_ranges_is_refused),
	CHECK_TEST(mremap_keeps_sharing_after_fork),
	CHECK_TEST(mremap_of_whole_tables_does_not_split_them),
	CHECK_TEST(mremap_over_table_borders),
	CHECK_TEST(mremap_of_a_huge_sparse_range_is_bounded),
	CHECK_TEST(mremap_of_shared_memory_and_files),
	CHECK_TEST(mremap_of_the_heap_leaves_a_hole),
	CHECK_TEST(mremap_after_mprotect_keeps_rights),
	CHECK_TEST(mremap_counts_against_the_limit),
	CHECK_TEST(mremap_refused_half_way_loses_nothing),
	CHECK_TEST(discard_drops_private_pages),
	CHECK_TEST(discard_of_shared_tables_keeps_the_relative),
	CHECK_TEST(populate_on_advice),
	CHECK_TEST(bad_advice_is_refused),
	CHECK_TEST(every_failing_allocation_of_a_fault_is_survived),
	CHECK_TEST(refused_growth_of_the_heap_changes_nothing),
	CHECK_TEST(hog_is_killed_and_others_go_on),
	CHECK_TEST(sole_program_over_memory_is_its_own_victim),
	CHECK_TEST(shared_pages_do_not_save_a_fork_bomb),
	CHECK_TEST(thousand_spaces_alive),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
