/*
 * Page faults, one at a time and in a row.
 *
 *   T2   first read of anonymous memory: only maps a frame that is ready
 *   T3   first write of anonymous memory, in random order, clearing included
 *   T4   the same in order, for each page
 *   T3.blank, T4.blank, T17.blank  T3, T4 and T17 on a machine that was idle before and has cleared memory then:
 *        that clearing is not in these figures
 *   T3.running  T3 beside a process that never waits
 *   T15  a write that protection forbids, cured by the program's own handler
 *   T16  first read of file pages that are in memory, in order, for each page
 *   T17  first writes of 2 MiB where the region allows large pages: what they cost more than the
 *        same writes once more
 *
 * The first page in a table is left out of T2 and T3: it makes the table, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"
#include "system.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SINGLE_PAGES	2048u
#define TRAP_PAGES	512u
#define SEQUENCE_PAGES	1024u
#define SEQUENCE_ROUNDS 11
#define LARGE_ROUNDS	15u

static void fault_single(const char *name, bool is_write)
{
	volatile char *memory = memory_map(SINGLE_PAGES);

	for (uint32_t page = 0; page < SINGLE_PAGES; page += TABLE_PAGES)
		memory[(size_t)page * PAGE] = 1;
	series_begin();
	for (uint32_t i = 0; i < SINGLE_PAGES; i++) {
		uint32_t page = shuffled(i, SINGLE_PAGES);
		uint64_t start;

		if (page % TABLE_PAGES == 0)
			continue;
		start = ticks_now();
		if (is_write)
			memory[(size_t)page * PAGE] = 1;
		else
			(void)memory[(size_t)page * PAGE];
		sample_fault(ticks_now() - start);
	}
	series_end(name, 1);
	memory_unmap((char *)memory, (size_t)SINGLE_PAGES * PAGE);
}

/* `prepare`, unless it is NULL, comes before each round, uncounted. */
static void fault_sequence(const char *name, bool (*prepare)(void))
{
	series_begin();
	for (int i = 0; i < SEQUENCE_ROUNDS; i++) {
		char *memory;
		uint64_t start;

		series_pause();
		if (prepare)
			(void)prepare();
		memory = memory_map(SEQUENCE_PAGES);
		series_resume();
		start = ticks_now();
		touch_write(memory, SEQUENCE_PAGES);
		sample(ticks_now() - start);
		series_pause();
		memory_unmap(memory, (size_t)SEQUENCE_PAGES * PAGE);
		series_resume();
	}
	series_end(name, SEQUENCE_PAGES);
}

static void fault_trap(void)
{
	volatile char *memory = memory_map(TRAP_PAGES);

	touch_write((char *)memory, TRAP_PAGES);
	if (!trap_start()) {
		series_skip("T15", "no handler");
		return;
	}
	if (mprotect((char *)memory, TRAP_PAGES * PAGE, PROT_READ) != 0)
		die("mprotect");
	memory[0] = 2; /* the handler's own first run */
	series_begin();
	for (uint32_t i = 1; i < TRAP_PAGES; i++) {
		uint64_t start = ticks_now();

		memory[(size_t)i * PAGE] = 2;
		sample_fault(ticks_now() - start);
	}
	trap_stop();
	series_end("T15", 1);
	memory_unmap((char *)memory, TRAP_PAGES * PAGE);
}

static void fault_file(void)
{
	int fd = open(BENCH_FILE, O_RDONLY);

	if (fd < 0) {
		series_skip("T16", "no file");
		return;
	}
	series_begin();
	for (int i = 0; i < SEQUENCE_ROUNDS; i++) {
		size_t bytes = (size_t)BENCH_FILE_PAGES * PAGE;
		char *memory;
		uint64_t start;

		series_pause();
		memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
		if (memory == MAP_FAILED)
			die("mmap of a file");
		series_resume();
		start = ticks_now();
		touch_read(memory, BENCH_FILE_PAGES);
		sample(ticks_now() - start);
		series_pause();
		memory_unmap(memory, bytes);
		series_resume();
	}
	series_end("T16", BENCH_FILE_PAGES);
	close(fd);
}

static void fault_large(const char *name)
{
	char *whole;
	size_t whole_bytes, bytes = LARGE_ROUNDS * TABLE_BYTES;
	char *memory = memory_map_aligned(bytes, &whole, &whole_bytes);

	memory_allow_large(memory, bytes);
	series_begin();
	for (uint32_t i = 0; i < LARGE_ROUNDS; i++) {
		uint64_t start = ticks_now(), first, again;

		touch_write(memory + i * TABLE_BYTES, TABLE_PAGES);
		first = ticks_now() - start;
		start = ticks_now();
		touch_write(memory + i * TABLE_BYTES, TABLE_PAGES);
		again = ticks_now() - start;
		sample(first - again);
	}
	series_end(name, 1);
	memory_unmap(whole, whole_bytes);
}

void bench_faults(void)
{
	fault_single("T2", false);
	fault_single("T3", true);
	fault_sequence("T4", NULL);
	fault_trap();
	fault_file();
	fault_large("T17");
}

void bench_running(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			continue;
	if (pid < 0)
		die("fork");
	fault_single("T3.running", true);
	if (kill(pid, SIGKILL) != 0 || waitpid(pid, NULL, 0) != pid)
		die("the end of a process");
}

/* Apart from bench_faults(), and last of all: what follows would find memory cleared, too. */
void bench_idle(void)
{
	if (!system_clear_ahead()) {
		series_skip("T3.blank", "nothing is cleared in idle time");
		series_skip("T4.blank", "nothing is cleared in idle time");
		series_skip("T17.blank", "nothing is cleared in idle time");
		return;
	}
	fault_single("T3.blank", true);
	fault_sequence("T4.blank", system_clear_ahead);
	(void)system_clear_ahead();
	fault_large("T17.blank");
}
