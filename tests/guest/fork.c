/*
 * Fork: what the child has, what it costs, and trees, chains and crowds of processes (FORK-1 to 3).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static volatile uint32_t *gate;

static void open_gate(void)
{
	gate = (volatile uint32_t *)shared_pages(1);
	for (int i = 0; i < 8; i++)
		gate[i] = 0;
}

static void add_to(volatile uint32_t *word, uint32_t value)
{
	__atomic_add_fetch((uint32_t *)(uintptr_t)word, value, __ATOMIC_SEQ_CST);
}

static void identity_is_right(void)
{
	pid_t own = getpid(), child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		CHECK(getpid() != own);
		CHECK_EQUAL(getppid(), own);
		_exit(7);
	}
	CHECK(child > own);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, PROC_STATUS_EXIT(7));
	CHECK_EQUAL(getpid(), own);
}

/* FORK-1: one page of each sort. */
struct sorts {
	volatile uint8_t *written, *untouched, *shared, *read_only, *zero_read;
	const volatile uint8_t *file;
};

static void use_sorts(void *argument)
{
	struct sorts *sorts = argument;
	struct cost cost;

	cost_begin();
	CHECK_EQUAL(sorts->written[0], 1);
	CHECK_EQUAL(sorts->shared[0], 2);
	CHECK_EQUAL(sorts->read_only[0], 3);
	CHECK_EQUAL(sorts->zero_read[0], 0);
	CHECK_EQUAL(sorts->file[0], 0x7f);
	CHECK_EQUAL(cost_end().faults, 0); /* present in both */
	cost_begin();
	sorts->shared[0] = 22;
	cost = cost_end();
	CHECK(cost.faults <= 1);
	CHECK_EQUAL(cost.frames_copied, 0);
	CHECK_KILLED(store_child, (void *)(uintptr_t)sorts->read_only, SIGSEGV);
	CHECK_KILLED(store_child, (void *)(uintptr_t)sorts->file, SIGSEGV);
	sorts->written[0] = 11;
	sorts->untouched[0] = 12;
	sorts->zero_read[0] = 13;
}

static void every_sort_of_page_is_inherited(void)
{
	struct sorts sorts = {private_pages(1), private_pages(1), shared_pages(1), private_pages(1),
		private_pages(1), (const volatile uint8_t *)LAYOUT_USER_TEXT};

	sorts.written[0] = 1;
	sorts.shared[0] = 2;
	sorts.read_only[0] = 3;
	CHECK_EQUAL(sorts.zero_read[0], 0);
	CHECK_EQUAL(mprotect((void *)(uintptr_t)sorts.read_only, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQUAL(sorts.file[0], 0x7f); /* the ELF header */
	child_run(use_sorts, &sorts);
	CHECK_EQUAL(sorts.written[0], 1);
	CHECK_EQUAL(sorts.untouched[0], 0);
	CHECK_EQUAL(sorts.shared[0], 22);
	CHECK_EQUAL(sorts.read_only[0], 3);
	CHECK_EQUAL(sorts.zero_read[0], 0);
}

static void wait_at_gate(void *argument)
{
	(void)argument;
	add_to(&gate[0], 1);
	wait_until(&gate[1], 1);
}

/* Frames taken by a fork of this process, whose child has done next to nothing. */
static uint64_t frames_of_a_fork(void)
{
	uint64_t before, after;
	pid_t child;

	open_gate();
	before = frames_free();
	child = child_start(wait_at_gate, NULL);
	wait_until(&gate[0], 1);
	after = frames_free();
	gate[1] = 1;
	child_finish(child);
	return before - after;
}

/* FORK-2 */
static void frames_used_do_not_depend_on_the_data(void)
{
	uint64_t little, much;
	volatile uint8_t *pages;

	frames_of_a_fork();
	little = frames_of_a_fork();
	pages = private_pages(4096);
	for (size_t i = 0; i < 4096; i++)
		pages[PAGES(i)] = 1;
	much = frames_of_a_fork();
	CHECK(little <= 40);
	CHECK(much <= little + 4);
}

/* FORK-3: the parent's stale translation must be gone. */
static void check_old_value(void *argument)
{
	volatile uint8_t *page = argument;

	wait_until(&gate[0], 1);
	CHECK(pattern_holds(page, PAGE_SIZE, 1));
}

static void parent_writes_right_after_fork(void)
{
	volatile uint8_t *page = private_pages(1);
	pid_t child;

	open_gate();
	for (int round = 0; round < 20; round++) {
		gate[0] = 0;
		pattern_fill(page, PAGE_SIZE, 1); /* translation is warm and writable */
		child = child_start(check_old_value, (void *)(uintptr_t)page);
		page[0] = 99;
		page[4095] = 99;
		gate[0] = 1;
		child_finish(child);
		CHECK_EQUAL(page[0], 99);
	}
}

static void requests_of_a_fork_do_not_depend_on_regions(void)
{
	struct pager_stat before, after;
	uint64_t few, many;
	volatile uint8_t *pages = private_pages(600);

	for (int round = 0; round < 2; round++) {
		CHECK_EQUAL(system_pager_stat(&before), 0);
		frames_of_a_fork();
		CHECK_EQUAL(system_pager_stat(&after), 0);
	}
	few = after.requests - before.requests;
	for (size_t i = 0; i < 600; i += 2)
		CHECK_EQUAL(mprotect((void *)(uintptr_t)(pages + PAGES(i)), PAGE_SIZE, PROT_READ), 0);
	CHECK_EQUAL(system_pager_stat(&before), 0);
	frames_of_a_fork();
	CHECK_EQUAL(system_pager_stat(&after), 0);
	many = after.requests - before.requests;
	CHECK(many <= few + 4);
}

#define REGIONS 500

/* Every second page of `pages` has a region of its own. */
static void change_regions(void *argument)
{
	volatile uint8_t *pages = argument;
	size_t regions = region_count();

	CHECK(regions >= REGIONS);
	for (size_t i = 0; i < REGIONS; i++)
		CHECK_EQUAL(pages[PAGES(2 * i)], (uint8_t)i);
	CHECK_EQUAL(munmap((void *)(uintptr_t)pages, PAGES(REGIONS)), 0);
	CHECK_EQUAL(region_count(), regions - REGIONS / 2);
	CHECK_KILLED(load_child, (void *)(uintptr_t)pages, SIGSEGV);
	pages[PAGES(REGIONS)] = 77;
}

static void fork_with_many_regions(void)
{
	volatile uint8_t *pages = private_pages(2 * REGIONS);
	size_t regions;

	for (size_t i = 0; i < REGIONS; i++) {
		pages[PAGES(2 * i)] = (uint8_t)i;
		CHECK_EQUAL(munmap((void *)(uintptr_t)(pages + PAGES(2 * i + 1)), PAGE_SIZE), 0);
	}
	regions = region_count();
	child_run(change_regions, (void *)(uintptr_t)pages);
	CHECK_EQUAL(region_count(), regions);
	for (size_t i = 0; i < REGIONS; i++)
		CHECK_EQUAL(pages[PAGES(2 * i)], (uint8_t)i);
	CHECK_KILLED(load_child, (void *)(uintptr_t)(pages + PAGE_SIZE), SIGSEGV);
}

/* A tree of processes, `width` children each: returns how many there are from here down. */
static unsigned grow_tree(unsigned depth, unsigned width, volatile uint8_t *page)
{
	unsigned count = 1;
	uint8_t own = (uint8_t)(page[0] + 1);
	pid_t children[4];

	page[0] = own;
	for (unsigned i = 0; depth && i < width; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0);
		if (children[i] == 0)
			_exit((int)grow_tree(depth - 1, width, page));
	}
	for (unsigned i = 0; depth && i < width; i++)
		count += (unsigned)WEXITSTATUS(child_wait(children[i]));
	CHECK_EQUAL(page[0], own);
	return count;
}

static void binary_tree_of_processes(void)
{
	CHECK_EQUAL(grow_tree(5, 2, private_pages(1)), 63);
}

static void broad_tree_of_processes(void)
{
	CHECK_EQUAL(grow_tree(3, 4, private_pages(1)), 85);
}

/* A chain in which each one ends before its child does. */
static void chain_link(volatile uint8_t *pages, uint32_t depth)
{
	pid_t child;

	CHECK(pattern_holds(pages + PAGE_SIZE, PAGE_SIZE, 20));
	CHECK_EQUAL(pages[0], (uint8_t)depth);
	pages[0] = (uint8_t)(depth + 1);
	if (depth == 40) {
		wait_until(&gate[0], 40);
		CHECK_EQUAL(pages[0], 41);
		CHECK(pattern_holds(pages + PAGE_SIZE, PAGE_SIZE, 20));
		gate[1] = 1;
		return;
	}
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		chain_link(pages, depth + 1);
		_exit(0);
	}
	add_to(&gate[0], 1);
}

static void chain_whose_elders_are_gone(void)
{
	volatile uint8_t *pages = private_pages(2);
	pid_t child;

	open_gate();
	pattern_fill(pages + PAGE_SIZE, PAGE_SIZE, 20);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		chain_link(pages, 0);
		_exit(0);
	}
	child_finish(child);
	wait_until(&gate[1], 1);
	CHECK_EQUAL(pages[0], 0);
	orphans_wait();
}

static void forks_in_turn(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();
		int status;

		CHECK(child > 0 || child == 0);
		if (child == 0)
			_exit(i & 0x3f);
		CHECK_EQUAL(waitpid(child, &status, 0), child);
		CHECK_EQUAL(status, PROC_STATUS_EXIT(i & 0x3f));
	}
}

/* All alive at once, each with a page of its own; then all end. */
static void crowd(unsigned count)
{
	volatile uint8_t *page = private_pages(1);
	pid_t *children = malloc(count * sizeof(*children));

	open_gate();
	CHECK(children);
	page[1] = 5;
	for (unsigned i = 0; i < count; i++) {
		children[i] = fork();
		if (children[i] < 0)
			test_fail(__FILE__, __LINE__, "fork %u: %s", i, strerror(errno));
		if (children[i] == 0) {
			page[0] = (uint8_t)i;
			add_to(&gate[0], 1);
			while (!gate[1])
				usleep(200000);
			CHECK(page[0] == (uint8_t)i && page[1] == 5);
			_exit((int)(i % 64));
		}
	}
	while (gate[0] < count) {
		CHECK_EQUAL(waitpid(-1, NULL, WNOHANG), 0); /* none has been killed */
		usleep(10000);
	}
	CHECK(process_count() >= count);
	gate[1] = 1;
	for (unsigned i = 0; i < count; i++)
		CHECK_EQUAL(child_wait(children[i]), PROC_STATUS_EXIT(i % 64));
	CHECK_EQUAL(page[0], 0);
	free(children);
}

static void hundred_processes_at_once(void)
{
	crowd(100);
}

static void thousand_processes_at_once(void)
{
	crowd(1000);
}

/* Registers that a call must keep, filled before the fork and compared after it, in both. */
static void general_registers_are_inherited(void)
{
	uint64_t difference;
	int status, child;

	__asm__ volatile("movq %%rsp, %%rbx; movq $0x2222, %%r12; movq $0x3333, %%r13;"
			 "movabsq $0x4444555566667777, %%r14; movq $-5, %%r15;"
			 "subq $128, %%rsp; andq $-16, %%rsp; call fork; movq %%rbx, %%rsp;"
			 "xorq $0x2222, %%r12; xorq $0x3333, %%r13; addq $5, %%r15;"
			 "movabsq $0x4444555566667777, %%rcx; xorq %%rcx, %%r14;"
			 "orq %%r13, %%r12; orq %%r14, %%r12; orq %%r15, %%r12; movq %%r12, %%rdx"
			 : "=a"(child), "=d"(difference)
			 :
			 : "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			 "r15", "memory", "cc");
	if (child == 0)
		_exit(difference ? 1 : 42);
	CHECK_EQUAL(difference, 0);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, PROC_STATUS_EXIT(42));
}

static void vector_registers_are_inherited(void)
{
	double before[4] = {1.5, -2.25, 3e100, 4e-100}, after[4];
	pid_t child;
	int status;

	__asm__ volatile("movsd %0, %%xmm6; movsd %1, %%xmm7; movsd %2, %%xmm8; movsd %3, %%xmm15"
			 :
			 : "m"(before[0]), "m"(before[1]), "m"(before[2]), "m"(before[3])
			 : "xmm6", "xmm7", "xmm8", "xmm15");
	child = fork();
	__asm__ volatile("movsd %%xmm6, %0; movsd %%xmm7, %1; movsd %%xmm8, %2; movsd %%xmm15, %3"
			 : "=m"(after[0]), "=m"(after[1]), "=m"(after[2]), "=m"(after[3]));
	if (child == 0)
		_exit(memcmp(before, after, sizeof(before)) ? 1 : 42);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, PROC_STATUS_EXIT(42));
	CHECK(!memcmp(before, after, sizeof(before)));
}

static __thread uint64_t thread_local_word = 5;

static void change_thread_local(void *argument)
{
	(void)argument;
	CHECK_EQUAL(thread_local_word, 6);
	thread_local_word = 7;
	errno = 3;
}

static void thread_local_variables_are_private(void)
{
	thread_local_word = 6;
	errno = 1;
	child_run(change_thread_local, NULL);
	CHECK_EQUAL(thread_local_word, 6);
}

static void read_on(void *argument)
{
	char byte;
	int fd = *(int *)argument;

	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQUAL(read(fd, &byte, 1), 1);
	CHECK_EQUAL(close(fd), 0);
}

static void open_files_are_inherited(void)
{
	char start[4];
	int fd = open("/bin/tests", O_RDONLY);

	CHECK(fd >= 3);
	CHECK_EQUAL(read(fd, start, 4), 4);
	CHECK(!memcmp(start, "\177ELF", 4));
	child_run(read_on, &fd);
	CHECK_EQUAL(read(fd, start, 1), 1); /* still open here */
	CHECK_EQUAL(close(fd), 0);
}

/* The message page is private: a child never sees its parent's. */
static void check_message_page(void *argument)
{
	(void)argument;
	CHECK_EQUAL(load(LAYOUT_MESSAGE + 3000), 0);
	store(LAYOUT_MESSAGE + 3000, 9);
}

static void message_page_is_not_inherited(void)
{
	store(LAYOUT_MESSAGE + 3000, 0x42);
	child_run(check_message_page, NULL);
	CHECK_EQUAL(load(LAYOUT_MESSAGE + 3000), 0x42);
}

static void fork_again_at_once(void *argument)
{
	child_run(load_child, argument);
}

static void fork_right_after_fork(void)
{
	volatile uint8_t *page = private_pages(1);

	page[0] = 1;
	for (int i = 0; i < 30; i++) {
		child_run(fork_again_at_once, (void *)(uintptr_t)page);
		page[0]++;
	}
	CHECK_EQUAL(page[0], 31);
}

/* Tables are shared by several children at once while each goes its own way. */
static void different_ways(void *argument)
{
	volatile uint8_t *pages = argument;
	uint32_t number = __atomic_fetch_add((uint32_t *)(uintptr_t)&gate[0], 1, __ATOMIC_SEQ_CST);
	volatile uint8_t *mine = pages + PAGES(4 * number);

	if (number % 3 == 0)
		pattern_fill(mine, PAGES(4), 30 + number);
	if (number % 3 == 1)
		CHECK_EQUAL(munmap((void *)(uintptr_t)mine, PAGES(4)), 0);
	if (number % 3 == 2)
		CHECK_EQUAL(mprotect((void *)(uintptr_t)mine, PAGES(4), PROT_READ), 0);
	wait_until(&gate[1], 1);
	for (uint32_t i = 0; i < 9; i++) {
		const volatile uint8_t *other = pages + PAGES(4 * i);

		if (i == number && number % 3 == 0)
			CHECK(pattern_holds(other, PAGES(4), 30 + number));
		else if (i != number || number % 3 == 2)
			CHECK(pattern_holds(other, PAGES(4), 21 + i));
	}
}

static void children_go_different_ways(void)
{
	volatile uint8_t *pages = private_pages(36);
	pid_t children[9];

	open_gate();
	for (unsigned i = 0; i < 9; i++)
		pattern_fill(pages + PAGES(4 * i), PAGES(4), 21 + i);
	for (size_t i = 0; i < 9; i++)
		children[i] = child_start(different_ways, (void *)(uintptr_t)pages);
	wait_until(&gate[0], 9);
	gate[1] = 1;
	for (size_t i = 0; i < 9; i++)
		child_finish(children[i]);
	for (unsigned i = 0; i < 9; i++)
		CHECK(pattern_holds(pages + PAGES(4 * i), PAGES(4), 21 + i));
}

/* Memory far apart: several top-level slots, each shared as a whole. */
static void far_apart_memory_is_inherited(void)
{
	static const uint64_t places[] = {0x100000000000, 0x200000000000, 0x5555aaaa0000,
		0x300000000000};

	for (size_t i = 0; i < 4; i++) {
		volatile uint8_t *page = mmap((void *)places[i], PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		CHECK((uint64_t)page == places[i]);
		page[0] = (uint8_t)(40 + i);
	}
	for (size_t i = 0; i < 4; i++) {
		child_run(store_child, (void *)places[i]);
		for (size_t j = 0; j < 4; j++)
			CHECK_EQUAL(load(places[j]), 40 + j);
	}
}

const struct test tests_fork[] = {
	TEST(identity_is_right),
	TEST(every_sort_of_page_is_inherited),
	TEST(frames_used_do_not_depend_on_the_data),
	TEST(parent_writes_right_after_fork),
	TEST(requests_of_a_fork_do_not_depend_on_regions),
	TEST(fork_with_many_regions),
	TEST(binary_tree_of_processes),
	TEST(broad_tree_of_processes),
	TEST(chain_whose_elders_are_gone),
	TEST(forks_in_turn),
	TEST(hundred_processes_at_once),
	TEST_SLOW(thousand_processes_at_once, 600),
	TEST(general_registers_are_inherited),
	TEST(vector_registers_are_inherited),
	TEST(thread_local_variables_are_private),
	TEST(open_files_are_inherited),
	TEST(message_page_is_not_inherited),
	TEST(fork_right_after_fork),
	TEST(children_go_different_ways),
	TEST(far_apart_memory_is_inherited),
	{0},
};
