/*
 * Copy-on-write: what is copied, when, how often, and what each side sees (COW-1 to 6).
 *
 * A page is copied by the first write while it is shared, and only then; the last owner writes
 * without a copy.  Counts are those of the process that writes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

static volatile uint32_t *gate; /* shared words for the processes of the test that runs */

static void open_gate(void)
{
	gate = (volatile uint32_t *)shared_pages(1);
	for (int i = 0; i < 8; i++)
		gate[i] = 0;
}

static void write_one_page_counted(void *argument)
{
	volatile uint8_t *page = argument;
	struct cost cost;

	cost_begin();
	page[100] = 200;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.copy, 1);
	CHECK_EQUAL(cost.frames_copied, 1);
	CHECK_EQUAL(page[100], 200);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		CHECK(i == 100 || page[i] == pattern(i, 1));
	cost_begin();
	page[101] = 201;
	CHECK_EQUAL(cost_end().faults, 0);
}

/* COW-1 */
static void child_writes_with_one_fault_and_one_copy(void)
{
	volatile uint8_t *page = private_pages(1);

	pattern_fill(page, PAGE_SIZE, 1);
	child_run(write_one_page_counted, (void *)(uintptr_t)page);
	CHECK(pattern_holds(page, PAGE_SIZE, 1));
}

static void write_and_stay(void *argument)
{
	volatile uint8_t *page = argument;

	page[0] = 11;
	gate[0] = 1;
	wait_until(&gate[1], 1);
	CHECK_EQUAL(page[0], 11);
	CHECK_EQUAL(page[1], pattern(1, 2));
}

/* COW-2 */
static void parent_writes_after_the_child_without_a_copy(void)
{
	volatile uint8_t *page = private_pages(1);
	struct cost cost;
	pid_t child;

	open_gate();
	pattern_fill(page, PAGE_SIZE, 2);
	child = child_start(write_and_stay, (void *)(uintptr_t)page);
	wait_until(&gate[0], 1);
	CHECK(pattern_holds(page, PAGE_SIZE, 2));
	cost_begin();
	page[0] = 22;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.reuse, 1);
	CHECK_EQUAL(cost.frames_copied, 0);
	gate[1] = 1;
	child_finish(child);
	CHECK_EQUAL(page[0], 22);
}

static void stay_and_read(void *argument)
{
	volatile uint8_t *page = argument;

	gate[0] = 1;
	wait_until(&gate[1], 1);
	CHECK(pattern_holds(page, PAGE_SIZE, 3));
	cost_begin();
	page[5] = 55;
	CHECK_EQUAL(cost_end().frames_copied, 0);
	CHECK_EQUAL(page[6], pattern(6, 3));
}

static void parent_writes_first_and_copies(void)
{
	volatile uint8_t *page = private_pages(1);
	struct cost cost;
	pid_t child;

	open_gate();
	pattern_fill(page, PAGE_SIZE, 3);
	child = child_start(stay_and_read, (void *)(uintptr_t)page);
	wait_until(&gate[0], 1);
	cost_begin();
	page[0] = 33;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.frames_copied, 1);
	gate[1] = 1;
	child_finish(child);
	CHECK_EQUAL(page[0], 33);
}

static void do_nothing(void *argument)
{
	(void)argument;
}

static void last_owner_writes_without_a_copy(void)
{
	volatile uint8_t *page = private_pages(1);
	struct cost cost;

	pattern_fill(page, PAGE_SIZE, 4);
	child_run(do_nothing, NULL);
	CHECK_EQUAL(system_settle(), 0);
	cost_begin();
	page[9] = 99;
	cost = cost_end();
	CHECK(cost.faults <= 1);
	CHECK_EQUAL(cost.frames_copied, 0);
	CHECK_EQUAL(page[10], pattern(10, 4));
}

/* COW-3, on anonymous memory */
static void reading_first_maps_the_zero_frame(void)
{
	volatile uint8_t *pages = private_pages(64);
	struct cost cost;

	cost_begin();
	CHECK_EQUAL(pages[5], 0);
	CHECK_EQUAL(pages[4000], 0);
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	cost_begin();
	pages[5] = 1;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.frames_copied, 0); /* cleared, not copied */
	CHECK_EQUAL(pages[5], 1);
	CHECK_EQUAL(pages[6], 0);
	CHECK(all_bytes_are(pages + PAGE_SIZE, PAGES(63), 0));
}

static void zero_frame_is_shared_by_all(void)
{
	volatile uint8_t *pages = private_pages(400);
	uint64_t before;

	pages[0] = 1; /* its tables */
	pages[PAGES(399)] = 1;
	before = frames_free();
	for (size_t i = 1; i < 399; i++)
		CHECK_EQUAL(pages[PAGES(i)], 0);
	CHECK(before - frames_free() <= 2);
	for (size_t i = 1; i < 399; i++)
		pages[PAGES(i)] = (uint8_t)i;
	CHECK(before - frames_free() >= 397);
	for (size_t i = 1; i < 399; i++)
		CHECK_EQUAL(pages[PAGES(i)], (uint8_t)i);
}

static uint8_t bss[4 * 4096] __attribute__((aligned(4096)));

/* COW-3 */
static void bss_reads_zero_then_becomes_private(void)
{
	struct cost cost;

	cost_begin();
	CHECK_EQUAL(load((uint64_t)&bss[5000]), 0);
	cost = cost_end();
	CHECK(cost.faults <= 1);
	cost_begin();
	store((uint64_t)&bss[5000], 7);
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.frames_copied, 0);
	CHECK_EQUAL(bss[5000], 7);
	CHECK(all_bytes_are(bss, 5000, 0));
	CHECK(all_bytes_are(bss + 5001, sizeof(bss) - 5001, 0));
}

static void writing_first_takes_one_fault(void)
{
	volatile uint8_t *pages = private_pages(2);
	struct cost cost;

	cost_begin();
	pages[1] = 1;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.frames_copied, 0);
	cost_begin();
	pages[2] = 2;
	CHECK_EQUAL(pages[4095], 0);
	CHECK_EQUAL(cost_end().faults, 0);
}

static void read_all_counted(void *argument)
{
	const volatile uint8_t *pages = argument;
	struct cost cost;

	cost_begin();
	for (size_t i = 0; i < 100; i++)
		CHECK_EQUAL(pages[PAGES(i)], pattern(PAGES(i), 5));
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 0);
	CHECK_EQUAL(cost.tables_split, 0);
}

static void child_reads_without_a_fault(void)
{
	volatile uint8_t *pages = private_pages(100);

	pattern_fill(pages, PAGES(100), 5);
	child_run(read_all_counted, (void *)(uintptr_t)pages);
}

static void write_table_counted(void *argument)
{
	volatile uint8_t *pages = argument;
	struct cost cost;

	cost_begin();
	for (size_t i = 0; i < TABLE_ENTRIES; i++)
		pages[PAGES(i)]++;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, TABLE_ENTRIES);
	CHECK_EQUAL(cost.frames_copied, TABLE_ENTRIES);
	CHECK(cost.tables_split >= 1 && cost.tables_split <= 3);
	for (size_t i = 0; i < TABLE_ENTRIES; i++)
		CHECK_EQUAL(pages[PAGES(i)], (uint8_t)(pattern(i, 6) + 1));
}

/* All pages of one page table: it is split once. */
static void whole_table_is_split_once(void)
{
	size_t bytes = PAGES(TABLE_ENTRIES);
	volatile uint8_t *pages = aligned_pages(TABLE_ENTRIES, bytes);

	for (size_t i = 0; i < TABLE_ENTRIES; i++)
		pages[PAGES(i)] = pattern(i, 6);
	child_run(write_table_counted, (void *)(uintptr_t)pages);
	for (size_t i = 0; i < TABLE_ENTRIES; i++)
		CHECK_EQUAL(pages[PAGES(i)], pattern(i, 6));
}

static void fill_hole_counted(void *argument)
{
	volatile uint8_t *pages = argument;
	struct cost cost;

	CHECK_EQUAL(pages[0], 1);
	cost_begin();
	pages[PAGES(1)] = 2; /* never touched by the parent */
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.frames_copied, 0);
	CHECK(cost.tables_split >= 1);
}

/* A fill of an empty entry must not show in the other space. */
static void filling_a_hole_splits_the_table(void)
{
	volatile uint8_t *pages = private_pages(4);

	pages[0] = 1;
	child_run(fill_hole_counted, (void *)(uintptr_t)pages);
	CHECK_EQUAL(pages[PAGES(1)], 0);
	pages[PAGES(1)] = 3;
	child_run(load_child, (void *)(uintptr_t)pages);
	CHECK_EQUAL(pages[PAGES(1)], 3);
}

static void write_across_pages(void *argument)
{
	volatile uint8_t *pages = argument;
	uint64_t value = 0x1122334455667788;
	struct cost cost;

	cost_begin();
	__asm__ volatile("movq %0, (%1)" : : "r"(value), "r"(pages + PAGE_SIZE - 3) : "memory");
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 2);
	CHECK_EQUAL(cost.frames_copied, 2);
	CHECK_EQUAL(pages[PAGE_SIZE - 3], 0x88);
	CHECK_EQUAL(pages[PAGE_SIZE - 1], 0x66);
	CHECK_EQUAL(pages[PAGE_SIZE], 0x55);
	CHECK_EQUAL(pages[PAGE_SIZE + 4], 0x11);
	CHECK_EQUAL(pages[PAGE_SIZE + 5], pattern(PAGE_SIZE + 5, 7));
}

static void one_store_over_two_pages(void)
{
	volatile uint8_t *pages = private_pages(2);

	pattern_fill(pages, PAGES(2), 7);
	child_run(write_across_pages, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(2), 7));
}

static void copy_string(void *argument)
{
	volatile uint8_t *pages = argument;
	void *to = argument;
	uint64_t bytes = PAGES(20);
	struct cost cost;

	cost_begin();
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(0x77) : "memory");
	cost = cost_end();
	CHECK_EQUAL(cost.frames_copied, 20);
	CHECK_EQUAL(bytes, 0);
	CHECK(all_bytes_are(pages, PAGES(20), 0x77));
}

/* A string instruction goes on where each fault stopped it. */
static void string_instruction_over_many_pages(void)
{
	volatile uint8_t *pages = private_pages(20);

	pattern_fill(pages, PAGES(20), 8);
	child_run(copy_string, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(20), 8));
}

static void add_atomically(void *argument)
{
	uint64_t *word = argument;
	uint64_t old = __atomic_fetch_add(word, 5, __ATOMIC_SEQ_CST);

	CHECK_EQUAL(old, 1000);
	CHECK_EQUAL(*word, 1005);
}

static void atomic_instruction_runs_once(void)
{
	uint64_t *word = (uint64_t *)(uintptr_t)private_pages(1);

	*word = 1000;
	child_run(add_atomically, word);
	CHECK_EQUAL(*word, 1000);
}

static void write_own_value(void *argument)
{
	volatile uint8_t *pages = argument;
	uint32_t number = __atomic_add_fetch((uint32_t *)(uintptr_t)&gate[0], 1, __ATOMIC_SEQ_CST);

	for (size_t i = 0; i < 8; i++)
		pages[PAGES(i)] = (uint8_t)number;
	__atomic_add_fetch((uint32_t *)(uintptr_t)&gate[1], 1, __ATOMIC_SEQ_CST);
	wait_until(&gate[2], 1);
	for (size_t i = 0; i < 8; i++) {
		CHECK_EQUAL(pages[PAGES(i)], (uint8_t)number);
		CHECK_EQUAL(pages[PAGES(i) + 1], pattern(PAGES(i) + 1, 9));
	}
}

static void many_children_write_the_same_pages(void)
{
	volatile uint8_t *pages = private_pages(8);
	pid_t children[12];

	open_gate();
	pattern_fill(pages, PAGES(8), 9);
	for (size_t i = 0; i < 12; i++)
		children[i] = child_start(write_own_value, (void *)(uintptr_t)pages);
	wait_until(&gate[1], 12);
	CHECK(pattern_holds(pages, PAGES(8), 9));
	gate[2] = 1;
	for (size_t i = 0; i < 12; i++)
		child_finish(children[i]);
	CHECK(pattern_holds(pages, PAGES(8), 9));
}

/* Each generation sees its parent's page, changes it, and hands it on. */
static void generation(volatile uint8_t *page, unsigned left)
{
	unsigned seen = page[0];

	CHECK_EQUAL(page[1], (uint8_t)(left + 1));
	page[0] = (uint8_t)(seen + 1);
	page[1] = (uint8_t)left;
	if (left) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			generation(page, left - 1);
			_exit(0);
		}
		child_finish(child);
	}
	CHECK_EQUAL(page[0], (uint8_t)(seen + 1));
	CHECK_EQUAL(page[1], (uint8_t)left);
}

/* COW-4: alive all at once, one below the other. */
static void hundred_generations(void)
{
	volatile uint8_t *page = private_pages(1);

	page[1] = 101;
	generation(page, 100);
}

/* COW-4: one after the other. */
static void hundred_generations_in_turn(void)
{
	volatile uint8_t *pages = private_pages(4);
	uint64_t before;

	pattern_fill(pages, PAGES(4), 10);
	child_run(do_nothing, NULL);
	before = frames_free();
	for (int i = 0; i < 100; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			for (size_t page = 0; page < 4; page++)
				pages[PAGES(page)] = (uint8_t)i;
			_exit(0);
		}
		child_finish(child);
		pages[PAGES(3) + 1] = (uint8_t)i;
	}
	CHECK_EQUAL((int64_t)(before - frames_free()), 0);
	CHECK(pattern_holds(pages, PAGES(3), 10));
}

/* COW-6 */
static void writing_a_read_only_page_ends_the_process(void)
{
	volatile uint8_t *page = private_pages(1);

	pattern_fill(page, PAGE_SIZE, 11);
	CHECK_EQUAL(mprotect((void *)(uintptr_t)page, PAGE_SIZE, PROT_READ), 0);
	CHECK_KILLED(store_child, (void *)(uintptr_t)page, SIGSEGV);
	CHECK(pattern_holds(page, PAGE_SIZE, 11));
	CHECK_EQUAL(mprotect((void *)(uintptr_t)page, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	page[0] = 1;
}

/* Read-only in both; the child makes it writable again and writes. */
static void unprotect_and_write(void *argument)
{
	volatile uint8_t *page = argument;

	CHECK_EQUAL(mprotect((void *)(uintptr_t)page, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	cost_begin();
	page[0] = 0xee;
	CHECK_EQUAL(cost_end().frames_copied, 1);
	CHECK_EQUAL(page[1], pattern(1, 12));
}

static void making_a_shared_page_writable_still_copies(void)
{
	volatile uint8_t *page = private_pages(1);

	pattern_fill(page, PAGE_SIZE, 12);
	CHECK_EQUAL(mprotect((void *)(uintptr_t)page, PAGE_SIZE, PROT_READ), 0);
	child_run(unprotect_and_write, (void *)(uintptr_t)page);
	CHECK(pattern_holds(page, PAGE_SIZE, 12));
}

static uint32_t in_data[2048] = {1, 2, 3, 4};

static void change_data(void *argument)
{
	(void)argument;
	for (size_t i = 0; i < 2048; i++)
		in_data[i] += 1000;
	CHECK_EQUAL(in_data[3], 1004);
}

static void data_segment_is_copied(void)
{
	child_run(change_data, NULL);
	CHECK_EQUAL(*(volatile uint32_t *)&in_data[3], 4);
	CHECK_EQUAL(*(volatile uint32_t *)&in_data[2047], 0);
}

static void change_heap(void *argument)
{
	uint8_t *block = argument;

	CHECK(pattern_holds(block, 50000, 13));
	memset(block, 0xcc, 50000);
	block = realloc(block, 200000);
	CHECK(block && block[49999] == 0xcc);
	free(block);
}

static void heap_is_copied(void)
{
	uint8_t *block = malloc(50000);

	CHECK(block);
	pattern_fill(block, 50000, 13);
	child_run(change_heap, block);
	CHECK(pattern_holds(block, 50000, 13));
	free(block);
}

static void change_stack(void *argument)
{
	volatile uint8_t *block = argument;

	for (size_t i = 0; i < PAGES(8); i++)
		block[i] = 0xdd;
}

static void stack_is_copied(void)
{
	volatile uint8_t block[8 * 4096];

	pattern_fill(block, sizeof(block), 14);
	child_run(change_stack, (void *)(uintptr_t)block);
	CHECK(pattern_holds(block, sizeof(block), 14));
}

static void check_snapshot(void *argument)
{
	const volatile uint8_t *pages = argument;

	gate[0] = 1;
	for (int round = 0; round < 5; round++)
		CHECK(pattern_holds(pages, PAGES(128), 15));
	wait_until(&gate[1], 1);
	CHECK(pattern_holds(pages, PAGES(128), 15));
}

/* The child reads what was there at the fork, whatever the parent does. */
static void child_keeps_its_snapshot(void)
{
	volatile uint8_t *pages = private_pages(128);
	pid_t child;

	open_gate();
	pattern_fill(pages, PAGES(128), 15);
	child = child_start(check_snapshot, (void *)(uintptr_t)pages);
	wait_until(&gate[0], 1);
	for (unsigned round = 0; round < 5; round++)
		pattern_fill(pages, PAGES(128), 100 + round);
	gate[1] = 1;
	child_finish(child);
	CHECK(pattern_holds(pages, PAGES(128), 104));
}

static void unmap_and_use_again(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK_EQUAL(munmap((void *)(uintptr_t)pages, PAGES(4)), 0);
	CHECK_KILLED(load_child, (void *)(uintptr_t)pages, SIGSEGV);
	CHECK(pages == mmap((void *)(uintptr_t)pages, PAGES(4), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CHECK(all_bytes_are(pages, PAGES(4), 0));
	pages[0] = 1;
	CHECK_EQUAL(pages[PAGES(4)], pattern(PAGES(4), 16));
}

static void child_unmaps_what_the_parent_keeps(void)
{
	volatile uint8_t *pages = private_pages(8);

	pattern_fill(pages, PAGES(8), 16);
	child_run(unmap_and_use_again, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(8), 16));
}

/* The pages of the one in the middle outlive it. */
static void fork_once_more(void *argument)
{
	volatile uint8_t *page = argument;
	pid_t grandchild;

	page[0] = 2;
	grandchild = fork();
	CHECK(grandchild >= 0);
	if (grandchild == 0) {
		CHECK_EQUAL(page[0], 2);
		wait_until(&gate[0], 1); /* the middle is gone, the first one has written */
		CHECK_EQUAL(page[0], 2);
		CHECK_EQUAL(page[1], pattern(1, 17));
		page[0] = 3;
		gate[1] = 1;
		_exit(0);
	}
}

static void data_outlive_the_process_in_the_middle(void)
{
	volatile uint8_t *page = private_pages(1);

	open_gate();
	pattern_fill(page, PAGE_SIZE, 17);
	child_run(fork_once_more, (void *)(uintptr_t)page);
	pattern_fill(page, PAGE_SIZE, 18);
	gate[0] = 1;
	wait_until(&gate[1], 1);
	CHECK(pattern_holds(page, PAGE_SIZE, 18));
	orphans_wait();
}

static void write_half(void *argument)
{
	volatile uint8_t *pages = argument;
	uint64_t before = frames_free();

	for (size_t i = 0; i < 100; i++)
		pages[PAGES(i)] = 1;
	CHECK(before - frames_free() >= 100);
	CHECK(before - frames_free() <= 110);
}

/* Frames are used for what is written, nothing else. */
static void copies_are_as_many_as_pages_written(void)
{
	volatile uint8_t *pages = private_pages(200);

	pattern_fill(pages, PAGES(200), 19);
	child_run(write_half, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(200), 19));
}

const struct test tests_cow[] = {
	TEST(child_writes_with_one_fault_and_one_copy),
	TEST(parent_writes_after_the_child_without_a_copy),
	TEST(parent_writes_first_and_copies),
	TEST(last_owner_writes_without_a_copy),
	TEST(reading_first_maps_the_zero_frame),
	TEST(zero_frame_is_shared_by_all),
	TEST(bss_reads_zero_then_becomes_private),
	TEST(writing_first_takes_one_fault),
	TEST(child_reads_without_a_fault),
	TEST(whole_table_is_split_once),
	TEST(filling_a_hole_splits_the_table),
	TEST(one_store_over_two_pages),
	TEST(string_instruction_over_many_pages),
	TEST(atomic_instruction_runs_once),
	TEST(many_children_write_the_same_pages),
	TEST(hundred_generations),
	TEST(hundred_generations_in_turn),
	TEST(writing_a_read_only_page_ends_the_process),
	TEST(making_a_shared_page_writable_still_copies),
	TEST(data_segment_is_copied),
	TEST(heap_is_copied),
	TEST(stack_is_copied),
	TEST(child_keeps_its_snapshot),
	TEST(child_unmaps_what_the_parent_keeps),
	TEST(data_outlive_the_process_in_the_middle),
	TEST(copies_are_as_many_as_pages_written),
	{0},
};
