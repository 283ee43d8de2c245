/*
 * Exhaustion: one program takes all there is; the others and the servers live on.
 *
 * A process that meets the end of memory either is told (ENOMEM) or is killed (SIGKILL); never is
 * anybody else.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

#define MEBIBYTE ((size_t)1 << 20)
#define TOLD 50 /* exit status: it was told, and could go on */

static volatile uint32_t *gate;

static void open_gate(void)
{
	gate = (volatile uint32_t *)shared_pages(1);
	for (int i = 0; i < 8; i++)
		gate[i] = 0;
}

/* Told or killed. */
static void check_end(int status)
{
	if (status != (int)PROC_STATUS_EXIT(TOLD) && status != (int)PROC_STATUS_SIGNAL(SIGKILL))
		test_fail(__FILE__, __LINE__, "ended with wait status %#x", (unsigned)status);
}

/* Maps and writes until it is refused or killed. */
static void take_all_memory(void *argument)
{
	(void)argument;
	for (;;) {
		volatile uint8_t *block = mmap(NULL, MEBIBYTE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if ((void *)(uintptr_t)block == MAP_FAILED) {
			CHECK_EQUAL(errno, ENOMEM);
			_exit(TOLD);
		}
		for (size_t i = 0; i < MEBIBYTE; i += PAGE_SIZE)
			block[i] = 1;
		gate[0]++;
	}
}

static void watch_own_memory(void *argument)
{
	volatile uint8_t *pages = argument;

	pattern_fill(pages, PAGES(32), 2);
	while (!gate[1])
		CHECK(pattern_holds(pages, PAGES(32), 2));
	pattern_fill(pages, PAGES(32), 3);
	_exit(6);
}

/* A bystander with memory of its own works on while another takes everything. */
static void memory_hog_dies_alone(void)
{
	volatile uint8_t *pages = private_pages(32);
	pid_t bystander;
	int status;

	open_gate();
	pattern_fill(pages, PAGES(32), 1);
	bystander = child_start(watch_own_memory, (void *)(uintptr_t)pages);
	status = child_status(take_all_memory, NULL);
	check_end(status);
	CHECK(gate[0] >= 4);
	gate[1] = 1;
	CHECK_EQUAL(child_wait(bystander), PROC_STATUS_EXIT(6));
	CHECK(pattern_holds(pages, PAGES(32), 1));
}

static void memory_is_whole_afterwards(void)
{
	uint64_t before = frames_free();

	open_gate();
	check_end(child_status(take_all_memory, NULL));
	CHECK((int64_t)(before - frames_free()) <= 16);
	check_end(child_status(take_all_memory, NULL));
	CHECK((int64_t)(before - frames_free()) <= 16);
}

/* malloc says no before memory ends, or the process is killed; free memory is usable afterwards. */
static void malloc_all(void *argument)
{
	size_t count = 0;
	void *block;

	(void)argument;
	while ((block = malloc(MEBIBYTE)) != NULL) {
		memset(block, 1, MEBIBYTE);
		count++;
	}
	CHECK(count > 0);
	_exit(TOLD);
}

static void malloc_without_end(void)
{
	check_end(child_status(malloc_all, NULL));
}

static void heap_without_end(void *argument)
{
	(void)argument;
	for (;;) {
		uint8_t *block = sbrk(65536);

		if (block == (void *)-1)
			_exit(errno == ENOMEM ? TOLD : 1);
		for (size_t i = 0; i < 65536; i += PAGE_SIZE)
			block[i] = 1;
	}
}

static void break_without_end(void)
{
	check_end(child_status(heap_without_end, NULL));
}

/* Two at once: both end, the parent is not one of them. */
static void two_hogs_at_once(void)
{
	pid_t first, second;

	open_gate();
	first = child_start(take_all_memory, NULL);
	second = child_start(take_all_memory, NULL);
	check_end(child_wait(first));
	check_end(child_wait(second));
}

/* Shared memory counts, too. */
static void take_all_shared(void *argument)
{
	(void)argument;
	for (;;) {
		volatile uint8_t *block = mmap(NULL, MEBIBYTE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if ((void *)(uintptr_t)block == MAP_FAILED)
			_exit(errno == ENOMEM ? TOLD : 1);
		for (size_t i = 0; i < MEBIBYTE; i += PAGE_SIZE)
			block[i] = 1;
	}
}

static void shared_memory_without_end(void)
{
	uint64_t before = frames_free();

	check_end(child_status(take_all_shared, NULL));
	CHECK((int64_t)(before - frames_free()) <= 16);
}

/* Page tables without pages: one page in each 2 MiB of a large PROT_READ mapping. */
static void take_all_tables(void *argument)
{
	size_t bytes = (size_t)1 << 42;
	volatile uint8_t *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argument;
	if ((void *)(uintptr_t)memory == MAP_FAILED)
		_exit(TOLD);
	for (size_t i = 0; i < bytes; i += (size_t)2 << 20)
		load((uint64_t)memory + i);
	_exit(1);
}

static void page_tables_without_end(void)
{
	uint64_t before = frames_free();

	check_end(child_status(take_all_tables, NULL));
	CHECK((int64_t)(before - frames_free()) <= 16);
}

/* Regions without end, no page touched. */
static void take_all_regions(void *argument)
{
	uint64_t place = 0x100000000000;

	(void)argument;
	for (size_t i = 0; i < 300000; i++, place += PAGES(2))
		if (mmap((void *)place, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			_exit(errno == ENOMEM ? TOLD : 1);
	_exit(TOLD);
}

static void regions_without_end(void)
{
	check_end(child_status(take_all_regions, NULL));
}

/* The commit limit of a space is kept exactly, and unmapping gives it back. */
static void commit_limit_is_kept(void)
{
	struct pager_space_stat stat;
	uint64_t room;
	void *most;

	CHECK_EQUAL(system_space_stat(&stat), 0);
	CHECK(stat.committed < stat.limit);
	room = stat.limit - stat.committed;
	CHECK_ERRNO((intptr_t)mmap(NULL, PAGES(room + 1), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	most = mmap(NULL, PAGES(room), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(most != MAP_FAILED);
	CHECK_ERRNO((intptr_t)mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK_EQUAL(munmap(most, PAGES(room)), 0);
	private_pages(1)[0] = 1;
	CHECK_EQUAL(system_space_stat(&stat), 0);
	CHECK(stat.committed < stat.limit);
}

static void protecting_counts_against_the_limit(void)
{
	struct pager_space_stat stat;
	uint64_t room;
	void *memory;

	CHECK_EQUAL(system_space_stat(&stat), 0);
	room = stat.limit - stat.committed;
	memory = mmap(NULL, PAGES(room + 10), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_ERRNO(mprotect(memory, PAGES(room + 10), PROT_READ | PROT_WRITE), ENOMEM);
	CHECK_EQUAL(mprotect(memory, PAGES(10), PROT_READ | PROT_WRITE), 0);
	store((uint64_t)memory, 1);
	CHECK_KILLED(store_child, (uint8_t *)memory + PAGES(20), SIGSEGV);
}

/* Copies without end: each child writes to all that the parent has. */
static void copy_and_stay(void *argument)
{
	volatile uint8_t *pages = argument;

	for (size_t i = 0; i < 2048; i++)
		pages[PAGES(i)]++;
	for (;;)
		sleep(1000);
}

static void copies_without_end(void)
{
	static pid_t children[64];
	volatile uint8_t *pages = private_pages(2048);
	unsigned count = 0, alive = 0;

	for (size_t i = 0; i < 2048; i++)
		pages[PAGES(i)] = 7;
	for (; count < 64; count++) {
		children[count] = fork();
		if (children[count] < 0)
			break;
		if (children[count] == 0)
			copy_and_stay((void *)(uintptr_t)pages);
	}
	sleep(1);
	for (unsigned i = 0; i < count; i++) {
		int status;

		alive += kill(children[i], SIGTERM) == 0;
		CHECK_EQUAL(waitpid(children[i], &status, 0), children[i]);
		CHECK(WIFSIGNALED(status) &&
		      (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL));
	}
	for (size_t i = 0; i < 2048; i++)
		CHECK_EQUAL(pages[PAGES(i)], 7);
	CHECK(count > 0 && alive > 0);
}

#define BOMB 400

/* All fork as fast as they can, until so many have tried or no more can be had. */
static void bomb(void)
{
	while (__atomic_fetch_add((uint32_t *)(uintptr_t)&gate[0], 1, __ATOMIC_SEQ_CST) < BOMB)
		if (fork() < 0)
			break;
	for (;;)
		sleep(1000);
}

static void kill_bombs(pid_t first)
{
	struct proc_entry list[16];
	bool is_any = true;

	while (is_any) {
		pid_t from = first;

		is_any = false;
		do {
			int count = system_processes(&from, list, 16);

			CHECK(count >= 0);
			for (int i = 0; i < count; i++) {
				if (list[i].state == PROC_ZOMBIE && list[i].parent == (uint32_t)getpid())
					waitpid((pid_t)list[i].pid, NULL, 0);
				else if (kill((pid_t)list[i].pid, SIGKILL) == 0)
					is_any = true;
			}
		} while (from);
		usleep(1000);
	}
}

static void fork_bomb_is_bounded(void)
{
	pid_t child;
	int turns = 0;

	open_gate();
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		bomb();
	while (gate[0] < BOMB && turns++ < 3000)
		usleep(10000);
	CHECK(process_count() > BOMB / 4);
	child_run(load_child, (void *)(uintptr_t)gate); /* we can still fork */
	kill_bombs(child);
	while (wait(NULL) > 0)
		continue;
	orphans_wait();
}

const struct test tests_exhaustion[] = {
	TEST(commit_limit_is_kept),
	TEST(protecting_counts_against_the_limit),
	TEST(malloc_without_end),
	TEST(break_without_end),
	TEST_SLOW(memory_hog_dies_alone, 300),
	TEST_SLOW(memory_is_whole_afterwards, 300),
	TEST_SLOW(two_hogs_at_once, 300),
	TEST_SLOW(shared_memory_without_end, 300),
	TEST_SLOW(page_tables_without_end, 300),
	TEST_SLOW(regions_without_end, 300),
	TEST_SLOW(copies_without_end, 300),
	TEST_SLOW(fork_bomb_is_bounded, 300),
	{0},
};
