/*
 * Fork, what follows it, and the end of processes.
 *
 *   T5   first write of a page that parent and child share, when its table is the writer's own
 *   T6   the parent's first write of a page that the child has copied and left
 *   T7   fork, to the instruction behind the call in the parent
 *   T8   the parent's first write after it
 *   T9   fork, the child writes all memory, _exit, wait: for each MiB
 *   T10  fork, the child calls _exit at once, wait
 *   T11  fork, exec of a small static program, exit, wait
 *
 * T7, T9 and T10 with so many MiB resident.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"
#include "system.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define COW_PAGES  1024u
#define FORKS	   21
#define FORKS_FEW  7 /* of much memory */
#define MUCH_MIB   256u
#define REWRITES   3
#define NAME_BYTES 32

static void wait_for(pid_t pid)
{
	int status = 0;

	if (pid < 0)
		die("fork");
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("the child");
}

/* A write to each page but the first of each table, in random order. */
static void sample_writes(volatile char *memory, const char *name)
{
	for (uint32_t i = 0; i < COW_PAGES; i += TABLE_PAGES)
		memory[(size_t)i * PAGE] = 2;
	series_begin();
	for (uint32_t i = 0; i < COW_PAGES; i++) {
		uint32_t page = shuffled(i, COW_PAGES);
		uint64_t start;

		if (page % TABLE_PAGES == 0)
			continue;
		start = ticks_now();
		memory[(size_t)page * PAGE] = 2;
		sample_fault(ticks_now() - start);
	}
	series_end(name, 1);
}

static void fork_and_write(void)
{
	char *memory = memory_map(COW_PAGES);
	pid_t pid;

	touch_write(memory, COW_PAGES);
	pid = fork();
	if (pid == 0) {
		sample_writes(memory, "T5");
		_exit(0);
	}
	wait_for(pid);
	sample_writes(memory, "T6");
	memory_unmap(memory, COW_PAGES * PAGE);
}

static pid_t fork_once(struct fork_ticks *ticks, volatile char *byte)
{
	pid_t pid = fork_timed(ticks, byte);

	if (pid == 0)
		_exit(0);
	return pid;
}

static void fork_calls(const char *name, int count)
{
	struct fork_ticks ticks;

	wait_for(fork_once(&ticks, NULL)); /* every one of the series comes after another */
	series_begin();
	for (int i = 0; i < count; i++) {
		pid_t pid = fork_once(&ticks, NULL);

		series_pause_at(&ticks.after_fork);
		sample(ticks.forked);
		wait_for(pid);
		series_resume();
	}
	series_end(name, 1);
}

static void fork_first_writes(volatile char *byte)
{
	struct fork_ticks ticks;

	series_begin();
	series_pause();
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork_once(&ticks, byte);

		series_resume_at(&ticks.after_fork);
		series_pause_at(&ticks.after_write);
		sample(ticks.written);
		wait_for(pid);
	}
	series_resume();
	series_end("T8", 1);
}

static void fork_ends(const char *name, int count)
{
	struct fork_ticks ticks;

	series_begin();
	for (int i = 0; i < count; i++) {
		uint64_t start = ticks_now();

		wait_for(fork_once(&ticks, NULL));
		sample(ticks_now() - start);
	}
	series_end(name, 1);
}

static void fork_rewrites(const char *name, char *memory, uint32_t mib)
{
	series_begin();
	for (int i = 0; i < REWRITES; i++) {
		uint64_t start = ticks_now();
		pid_t pid = fork();

		if (pid == 0) {
			touch_write(memory, (size_t)mib * MIB_PAGES);
			_exit(0);
		}
		wait_for(pid);
		sample(ticks_now() - start);
	}
	series_end(name, mib);
}

static void fork_resident(uint32_t mib)
{
	size_t pages = (size_t)mib * MIB_PAGES;
	int count = mib < MUCH_MIB ? FORKS : FORKS_FEW;
	char *memory = memory_map(pages), name[NAME_BYTES];

	touch_write(memory, pages);
	snprintf(name, sizeof(name), "T7.%uMiB", (unsigned)mib);
	fork_calls(name, count);
	snprintf(name, sizeof(name), "T10.%uMiB", (unsigned)mib);
	fork_ends(name, count);
	snprintf(name, sizeof(name), "T9.%uMiB", (unsigned)mib);
	if (mib >= 16 && mib <= 64)
		fork_rewrites(name, memory, mib);
	if (mib == 1)
		fork_first_writes(memory + TABLE_BYTES / 4);
	memory_unmap(memory, pages * PAGE);
}

static void fork_exec(void)
{
	char *const arguments[] = { (char[]){ "tiny" }, NULL };
	char *const environment[] = { NULL };

	series_begin();
	for (int i = 0; i < FORKS; i++) {
		uint64_t start = ticks_now();
		pid_t pid = fork();

		if (pid == 0) {
			execve(BENCH_TINY, arguments, environment);
			_exit(99);
		}
		wait_for(pid);
		sample(ticks_now() - start);
	}
	series_end("T11", 1);
}

void bench_forks(uint32_t most_mib)
{
	static const uint32_t sizes[] = { 1, 16, 64, 256, 512 };

	fflush(stdout);
	fork_and_write();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i] <= most_mib)
			fork_resident(sizes[i]);
	fork_exec();
}
