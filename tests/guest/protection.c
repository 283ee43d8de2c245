/*
 * Protection: for each combination of rights, what reading, writing and fetching do.
 *
 * x86 knows no write-only and no execute-only pages: any right lets a program read.  Writable and
 * executable at once is never given.  Each combination is tried on a page that is present and on
 * one that was never touched, by children that share the tables; a refused access must end that
 * process and change nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"

#define MARK 0x5a /* behind the `ret` of a page */

/* Dies or lives as the rights say; in a child of its own for each kind of access. */
static void expect(child_t *access, volatile uint8_t *page, bool is_allowed)
{
	int status = child_status(access, (void *)(uintptr_t)page);

	if (is_allowed)
		CHECK_EQUAL(status, 0);
	else
		CHECK_EQUAL(status, PROC_STATUS_SIGNAL(SIGSEGV));
}

static void expect_all(volatile uint8_t *page, int rights)
{
	expect(load_child, page, rights != PROT_NONE);
	expect(store_child, page, rights & PROT_WRITE);
	expect(execute_child, page, rights & PROT_EXEC);
}

static void set_rights(volatile uint8_t *page, size_t pages, int rights)
{
	CHECK_EQUAL(mprotect((void *)(uintptr_t)page, PAGES(pages), rights), 0);
}

/* Refused, and the rights are as before. */
static void refuse_mixed(int rights)
{
	volatile uint8_t *page = private_pages(1);

	page[0] = CODE_RETURN;
	CHECK_ERRNO(mprotect((void *)(uintptr_t)page, PAGE_SIZE, rights), EACCES);
	expect(execute_child, page, false);
	expect(store_child, page, true);
	CHECK_ERRNO((intptr_t)mmap(NULL, PAGE_SIZE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EACCES);
}

/* A page that is present and holds a `ret`. */
static void try_present(int rights)
{
	volatile uint8_t *page = private_pages(1);

	page[0] = CODE_RETURN;
	page[1] = MARK;
	set_rights(page, 1, rights);
	expect_all(page, rights);
	set_rights(page, 1, PROT_READ);
	CHECK_EQUAL(page[0], CODE_RETURN);
	CHECK_EQUAL(page[1], MARK);
}

/*
 * A page never touched: fetching executes zeros (add %al, (%rax)) up to the `ret` in the next page.
 */
static void try_untouched(int rights)
{
	volatile uint8_t *page = private_pages(2);

	page[PAGE_SIZE] = CODE_RETURN;
	set_rights(page, 2, rights);
	expect_all(page, rights);
	set_rights(page, 2, PROT_READ);
	CHECK(all_bytes_are(page, PAGE_SIZE, 0));
}

static void present_no_rights(void)
{
	try_present(PROT_NONE);
}

static void present_read(void)
{
	try_present(PROT_READ);
}

static void present_write(void)
{
	try_present(PROT_WRITE);
}

static void present_read_write(void)
{
	try_present(PROT_READ | PROT_WRITE);
}

static void present_execute(void)
{
	try_present(PROT_EXEC);
}

static void present_read_execute(void)
{
	try_present(PROT_READ | PROT_EXEC);
}

static void write_and_execute_is_refused(void)
{
	refuse_mixed(PROT_WRITE | PROT_EXEC);
}

static void all_rights_are_refused(void)
{
	refuse_mixed(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void untouched_no_rights(void)
{
	try_untouched(PROT_NONE);
}

static void untouched_read(void)
{
	try_untouched(PROT_READ);
}

static void untouched_write(void)
{
	try_untouched(PROT_WRITE);
}

static void untouched_read_write(void)
{
	try_untouched(PROT_READ | PROT_WRITE);
}

static void untouched_execute(void)
{
	try_untouched(PROT_EXEC);
}

static void untouched_read_execute(void)
{
	try_untouched(PROT_READ | PROT_EXEC);
}

/* Rights taken away take effect although the translation is in use. */
static void write_right_goes_at_once(void)
{
	volatile uint8_t *page = private_pages(1);

	for (int i = 0; i < 100; i++)
		page[i] = (uint8_t)i;
	set_rights(page, 1, PROT_READ);
	CHECK_KILLED(store_child, (void *)(uintptr_t)page, SIGSEGV);
	set_rights(page, 1, PROT_READ | PROT_WRITE);
	page[7] = 77;
	CHECK_EQUAL(page[7], 77);
	CHECK_EQUAL(page[8], 8);
}

static void revoke_and_store(void *argument)
{
	volatile uint8_t *page = argument;

	page[0] = 1; /* in the translation cache of this very process */
	set_rights(page, 1, PROT_READ);
	page[0] = 2;
}

static void own_stale_translation_is_not_used(void)
{
	CHECK_KILLED(revoke_and_store, (void *)(uintptr_t)private_pages(1), SIGSEGV);
}

static void revoke_and_load(void *argument)
{
	volatile uint8_t *page = argument;

	page[0] = 1;
	set_rights(page, 1, PROT_NONE);
	load((uint64_t)page);
}

static void no_access_hides_a_present_page(void)
{
	CHECK_KILLED(revoke_and_load, (void *)(uintptr_t)private_pages(1), SIGSEGV);
}

static void no_access_keeps_the_contents(void)
{
	volatile uint8_t *pages = private_pages(4);

	pattern_fill(pages, PAGES(4), 3);
	set_rights(pages, 4, PROT_NONE);
	CHECK_KILLED(load_child, (void *)(uintptr_t)(pages + PAGES(2)), SIGSEGV);
	set_rights(pages, 4, PROT_READ | PROT_WRITE);
	cost_begin();
	CHECK(pattern_holds(pages, PAGES(4), 3));
	CHECK(cost_end().faults <= 4);
}

static void no_access_across_fork(void *argument)
{
	volatile uint8_t *pages = argument;

	CHECK_KILLED(load_child, (void *)(uintptr_t)pages, SIGSEGV);
	set_rights(pages, 4, PROT_READ | PROT_WRITE);
	CHECK(pattern_holds(pages, PAGES(4), 4));
	pattern_fill(pages, PAGES(4), 5);
}

static void no_access_pages_survive_fork(void)
{
	volatile uint8_t *pages = private_pages(4);

	pattern_fill(pages, PAGES(4), 4);
	set_rights(pages, 4, PROT_NONE);
	child_run(no_access_across_fork, (void *)(uintptr_t)pages);
	CHECK_KILLED(load_child, (void *)(uintptr_t)pages, SIGSEGV);
	set_rights(pages, 4, PROT_READ);
	CHECK(pattern_holds(pages, PAGES(4), 4));
}

/* In a child, with tables shared with the parent: the child's rights change, not the parent's. */
static void restrict_child(void *argument)
{
	volatile uint8_t *pages = argument;

	set_rights(pages, 2, PROT_READ);
	CHECK_KILLED(store_child, (void *)(uintptr_t)pages, SIGSEGV);
	CHECK(pattern_holds(pages, PAGES(8), 6));
	pages[PAGES(2)] = 1; /* its neighbour is still writable */
}

static void protecting_in_the_child_leaves_the_parent(void)
{
	volatile uint8_t *pages = private_pages(8);

	pattern_fill(pages, PAGES(8), 6);
	child_run(restrict_child, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(8), 6));
	cost_begin();
	pages[0] = 9;
	CHECK_EQUAL(cost_end().frames_copied, 0);
}

static volatile uint32_t *gate; /* of the test that runs */

static void store_when_told(void *argument)
{
	gate[0] = 1;
	wait_until(&gate[1], 1);
	store((uint64_t)argument, 1);
}

static void protecting_in_the_parent_leaves_the_child(void)
{
	volatile uint8_t *pages = private_pages(8);
	pid_t child;

	gate = (volatile uint32_t *)shared_pages(1);
	pattern_fill(pages, PAGES(8), 7);
	child = child_start(store_when_told, (void *)(uintptr_t)pages);
	wait_until(&gate[0], 1);
	set_rights(pages, 8, PROT_READ);
	gate[1] = 1;
	child_finish(child); /* its page is writable as before */
	CHECK_KILLED(store_child, (void *)(uintptr_t)pages, SIGSEGV);
	CHECK(pattern_holds(pages, PAGES(8), 7));
}

/* Every second page of a run: as many regions, each with its own rights; then one again. */
static void alternating_rights(void)
{
	volatile uint8_t *pages = private_pages(16);
	size_t regions = region_count();

	pattern_fill(pages, PAGES(16), 8);
	for (size_t i = 1; i < 16; i += 2)
		set_rights(pages + PAGES(i), 1, PROT_READ);
	CHECK_EQUAL(region_count(), regions + 15);
	for (size_t i = 0; i < 16; i++)
		expect(store_child, pages + PAGES(i), i % 2 == 0);
	set_rights(pages, 16, PROT_READ | PROT_WRITE);
	CHECK_EQUAL(region_count(), regions);
	CHECK(pattern_holds(pages, PAGES(16), 8));
	pages[PAGES(3)] = 1;
}

static void text_is_not_writable(void)
{
	uint64_t text = (uint64_t)text_is_not_writable;
	uint8_t first = load(text);

	CHECK_KILLED(store_child, (void *)text, SIGSEGV);
	CHECK_EQUAL(load(text), first);
}

static const uint8_t constant[64] = {1, 2, 3};

static void constants_are_not_writable(void)
{
	CHECK_KILLED(store_child, (void *)(uintptr_t)&constant[1], SIGSEGV);
	CHECK_EQUAL(load((uint64_t)&constant[1]), 2);
	CHECK_KILLED(execute_child, (void *)(uintptr_t)constant, SIGSEGV);
}

static uint8_t code_in_data[16] = {CODE_RETURN};

static void data_is_not_executable(void)
{
	CHECK_KILLED(execute_child, code_in_data, SIGSEGV);
	CHECK_KILLED(load_child, (void *)0x1000, SIGSEGV);
	CHECK_LIVES(load_child, code_in_data);
}

static void stack_is_not_executable(void)
{
	volatile uint8_t code[16];

	code[0] = CODE_RETURN;
	CHECK_KILLED(execute_child, (void *)(uintptr_t)code, SIGSEGV);
}

static void heap_is_not_executable(void)
{
	volatile uint8_t *code = sbrk(4096);

	code[0] = CODE_RETURN;
	CHECK_KILLED(execute_child, (void *)(uintptr_t)code, SIGSEGV);
}

static void protect_refuses_bad_ranges(void)
{
	volatile uint8_t *pages = private_pages(4);
	uint64_t at = (uint64_t)pages;

	CHECK_ERRNO(mprotect((void *)(at + 1), PAGE_SIZE, PROT_READ), EINVAL);
	CHECK_EQUAL(munmap((void *)(at + PAGE_SIZE), PAGE_SIZE), 0);
	CHECK_ERRNO(mprotect((void *)at, PAGES(4), PROT_READ), ENOMEM); /* a hole */
	CHECK_EQUAL(mprotect((void *)LAYOUT_DIRECT_MAP, PAGE_SIZE, PROT_READ), -1);
	pages[0] = 1;
}

/* 600 pages are more than one page table holds. */
static void protect_over_many_tables(void)
{
	volatile uint8_t *pages = private_pages(1200);

	for (size_t i = 0; i < 1200; i++)
		pages[PAGES(i)] = pattern(i, 9);
	set_rights(pages, 1200, PROT_READ);
	for (size_t i = 0; i < 1200; i += 171)
		CHECK_KILLED(store_child, (void *)(uintptr_t)(pages + PAGES(i)), SIGSEGV);
	set_rights(pages, 1200, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < 1200; i++) {
		CHECK_EQUAL(pages[PAGES(i)], pattern(i, 9));
		pages[PAGES(i)] = 0;
	}
}

const struct test tests_protection[] = {
	TEST(present_no_rights),
	TEST(present_read),
	TEST(present_write),
	TEST(present_read_write),
	TEST(present_execute),
	TEST(present_read_execute),
	TEST(write_and_execute_is_refused),
	TEST(all_rights_are_refused),
	TEST(untouched_no_rights),
	TEST(untouched_read),
	TEST(untouched_write),
	TEST(untouched_read_write),
	TEST(untouched_execute),
	TEST(untouched_read_execute),
	TEST(write_right_goes_at_once),
	TEST(own_stale_translation_is_not_used),
	TEST(no_access_hides_a_present_page),
	TEST(no_access_keeps_the_contents),
	TEST(no_access_pages_survive_fork),
	TEST(protecting_in_the_child_leaves_the_parent),
	TEST(protecting_in_the_parent_leaves_the_child),
	TEST(alternating_rights),
	TEST(text_is_not_writable),
	TEST(constants_are_not_writable),
	TEST(data_is_not_executable),
	TEST(stack_is_not_executable),
	TEST(heap_is_not_executable),
	TEST(protect_refuses_bad_ranges),
	TEST(protect_over_many_tables),
	{0},
};
