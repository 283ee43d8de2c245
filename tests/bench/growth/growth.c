/*
 * Growth: what operations cost as the machine fills up.  Curves, not points.
 *
 *     POINT curve x y        y in instructions, or frames; x in what the curve's name ends in
 *     NOTE text
 *
 *   fork.* exit.*       fork to the return in the parent; from the child's _exit to the end of the
 *                       parent's wait
 *     .resident-MiB     dense private memory of the parent, of which the child touches nothing
 *     .sparse-GiB       the same, one page in each 2 MiB
 *     .regions          regions of the parent, neighbours with different rights
 *     .shared-pages     pages of shared memory
 *   exit.private-MiB    the child has written so much memory of its own
 *   protect, discard, move, populate, unmap, unmap-shared .range-MiB
 *                       of dense memory but for a page at both ends, whose frames do not follow one another; with the
 *                       work put off; shared: since a fork
 *   large-touch, large-populate, promote-touch, promote-all, large-split, large-unmap .range-MiB
 *                       of memory in pages of 2 MiB: by a write to each; by MADV_WILLNEED; by a write where a page
 *                       of each is there; from small pages whose frames do not follow one another; a page of each is
 *                       dropped; all go
 *   exit.large-MiB      the child has written so much in pages of 2 MiB
 *   map.regions         mmap of one more region, between others
 *   fault.regions       the first write of a page, in one of so many regions
 *   fault.processes     the first write of a page, beside so many other processes
 *   message.processes   a request to a server, beside them
 *   fault.running, message.running
 *                       the same beside processes that never wait
 *   memory.*            frames in use for a mapping: untouched, one page touched, all touched
 *
 * usage: growth [resident] [sparse] [ranges] [large] [regions] [shared] [private] [processes] [memory]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../bench.h"
#include "../system.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	       3u
#define FAULTS	       201u
#define GIB	       ((size_t)1 << 30)
#define NAME_BYTES     48
#define PROCESSES_MOST 4000u

static uint64_t *left; /* shared: when the child began to end */

static void point(const char *curve, uint64_t x, uint64_t y)
{
	printf("POINT %s %llu %llu\n", curve, (unsigned long long)x, (unsigned long long)y);
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, uint32_t count)
{
	qsort(values, count, sizeof(values[0]), compare);
	return values[count / 2];
}

static void *map_at(void *place, size_t bytes, int protection, int flags)
{
	void *memory = mmap(place, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static char *map_writable(size_t bytes)
{
	char *memory = map_at(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	if (!memory)
		die("mmap");
	return memory;
}

static void unmap(void *memory, size_t bytes)
{
	if (munmap(memory, bytes) != 0)
		die("munmap");
}

static void write_pages(volatile char *memory, size_t bytes, size_t step)
{
	for (size_t at = 0; at < bytes; at += step)
		memory[at] = 1;
}

static void read_pages(const volatile char *memory, size_t bytes, size_t step)
{
	for (size_t at = 0; at < bytes; at += step)
		(void)memory[at];
}

/* ---- fork and exit ---- */

/* The child writes `bytes` from `memory` on before it ends. */
static void fork_and_exit(const char *by, uint64_t x, char *memory, size_t bytes)
{
	uint64_t forks[ROUNDS], exits[ROUNDS];
	struct fork_ticks ticks;
	char name[NAME_BYTES];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		int status = 0;
		pid_t pid = fork_timed(&ticks, NULL);

		if (pid == 0) {
			write_pages(memory, bytes, PAGE);
			*left = ticks_now();
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			die("fork");
		exits[i] = ticks_now() - *left + system_settle_ticks();
		forks[i] = ticks.forked;
	}
	if (bytes == 0) {
		snprintf(name, sizeof(name), "fork.%s", by);
		point(name, x, median(forks, ROUNDS));
	}
	snprintf(name, sizeof(name), "exit.%s", by);
	point(name, x, median(exits, ROUNDS));
}

static const uint32_t sizes_mib[] = { 1, 4, 16, 64, 256, 1024 };
#define SIZES (sizeof(sizes_mib) / sizeof(sizes_mib[0]))

static void grow_resident(void)
{
	for (size_t i = 0; i < SIZES; i++) {
		size_t bytes = (size_t)sizes_mib[i] * MIB;
		char *memory = map_writable(bytes);

		write_pages(memory, bytes, PAGE);
		fork_and_exit("resident-MiB", sizes_mib[i], memory, 0);
		unmap(memory, bytes);
	}
}

/* Where writable memory beyond all frames is refused, memory that is only read will do: tables and
   entries are the same. */
static void grow_sparse(void)
{
	for (size_t gib = 1; gib <= 64; gib *= 4) {
		size_t bytes = gib * GIB;
		char *memory = map_at(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
		bool is_writable = memory != NULL;

		if (!is_writable)
			memory = map_at(NULL, bytes, PROT_READ, MAP_PRIVATE);
		if (!memory)
			die("mmap");
		if (is_writable)
			write_pages(memory, bytes, TABLE_BYTES);
		else
			read_pages(memory, bytes, TABLE_BYTES);
		printf("NOTE %u GiB sparse: %s\n", (unsigned)gib,
			is_writable ? "written" : "only read: a writable mapping is refused");
		fork_and_exit("sparse-GiB", gib, memory, 0);
		unmap(memory, bytes);
	}
}

static void grow_shared(void)
{
	for (uint32_t pages = 1; pages <= 100000; pages *= 10) {
		char *memory = map_at(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

		if (!memory)
			die("mmap");
		write_pages(memory, (size_t)pages * PAGE, PAGE);
		fork_and_exit("shared-pages", pages, memory, 0);
		unmap(memory, (size_t)pages * PAGE);
	}
}

static void grow_private(void)
{
	char *memory = map_writable(GIB);

	for (size_t i = 0; i < SIZES; i++)
		fork_and_exit("private-MiB", sizes_mib[i], memory, (size_t)sizes_mib[i] * MIB);
	unmap(memory, GIB);
}

/* ---- ranges ---- */

/* Each page at another time than its neighbours. */
static void scatter_pages(volatile char *memory, size_t bytes)
{
	for (size_t first = 0; first < 2 * PAGE; first += PAGE)
		for (size_t at = first; at < bytes; at += 2 * PAGE)
			memory[at] = 1;
}

static void range_point(const char *what, uint64_t mib, uint64_t start)
{
	char name[NAME_BYTES];
	uint64_t ticks = ticks_now() - start;

	snprintf(name, sizeof(name), "%s.range-MiB", what);
	point(name, mib, ticks + system_settle_ticks());
}

static void range_check(const char *what, uint64_t mib, uint64_t start, int status)
{
	if (status != 0)
		die(what);
	range_point(what, mib, start);
}

/* A child unmaps what it shares with its parent. */
static void unmap_shared(char *memory, size_t bytes, uint32_t mib)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		uint64_t start = ticks_now();

		range_check("unmap-shared", mib, start, munmap(memory, bytes));
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("fork");
}

static void grow_range(uint32_t mib)
{
	size_t whole = (size_t)mib * MIB, bytes = whole - 2 * PAGE;
	char *outer = map_writable(whole), *memory = outer + PAGE, *moved;
	uint64_t start;

	scatter_pages(outer, whole);
	start = ticks_now();
	range_check("protect", mib, start, mprotect(memory, bytes, PROT_READ));
	if (mprotect(memory, bytes, PROT_READ | PROT_WRITE) != 0)
		die("mprotect");
	unmap_shared(memory, bytes, mib);
	start = ticks_now();
	range_check("discard", mib, start, madvise(memory, bytes, MADV_DONTNEED));
	scatter_pages(memory, bytes);
	start = ticks_now();
	moved = mremap(memory, bytes, bytes + 3 * PAGE, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED)
		die("mremap");
	range_point("move", mib, start);
	start = ticks_now();
	range_check("unmap", mib, start, munmap(moved, bytes));
	start = ticks_now();
	memory = map_at(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE);
	if (!memory)
		die("mmap");
	range_point("populate", mib, start);
	unmap(memory, whole);
}

static void grow_ranges(void)
{
	for (uint32_t mib = 1; mib <= 256; mib *= 4)
		grow_range(mib);
}

/* ---- large pages ---- */

/* From memory whose tables are the same, whether its start was aligned or not. */
static char *map_aligned(size_t bytes)
{
	char *memory = map_writable(bytes + TABLE_BYTES);
	size_t above = -(size_t)memory % TABLE_BYTES;

	if (above != 0)
		unmap(memory, above);
	unmap(memory + above + bytes, TABLE_BYTES - above);
	return memory + above;
}

static void grow_large_range(uint32_t mib)
{
	size_t bytes = (size_t)mib * MIB;
	char *memory = map_aligned(bytes);
	uint64_t start;

	if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
		die("madvise");
	start = ticks_now();
	write_pages(memory, bytes, TABLE_BYTES);
	range_point("large-touch", mib, start);
	start = ticks_now();
	for (size_t at = 0; at < bytes; at += TABLE_BYTES)
		if (madvise(memory + at, PAGE, MADV_DONTNEED) != 0)
			die("madvise");
	range_point("large-split", mib, start);
	unmap(memory, bytes);
	memory = map_aligned(bytes);
	write_pages(memory, bytes, TABLE_BYTES);
	if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
		die("madvise");
	start = ticks_now();
	write_pages(memory + 300 * PAGE, bytes - 300 * PAGE, TABLE_BYTES);
	range_point("promote-touch", mib, start);
	unmap(memory, bytes);
	memory = map_aligned(bytes);
	scatter_pages(memory, bytes);
	start = ticks_now();
	range_check("promote-all", mib, start, madvise(memory, bytes, MADV_HUGEPAGE));
	start = ticks_now();
	range_check("large-unmap", mib, start, munmap(memory, bytes));
	memory = map_aligned(bytes);
	if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
		die("madvise");
	start = ticks_now();
	range_check("large-populate", mib, start, madvise(memory, bytes, MADV_WILLNEED));
	unmap(memory, bytes);
	memory = map_aligned(bytes);
	if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
		die("madvise");
	fork_and_exit("large-MiB", mib, memory, bytes);
	unmap(memory, bytes);
}

static void grow_large(void)
{
	for (uint32_t mib = 2; mib <= 256; mib *= 4)
		grow_large_range(mib);
}

/* ---- regions ---- */

/* Every other page of a range is writable: `count` regions. */
static char *regions_make(uint32_t count)
{
	uint64_t ticks[FAULTS];
	uint32_t taken = 0;
	char *memory = map_at(NULL, (size_t)count * PAGE, PROT_READ, MAP_PRIVATE);

	if (!memory)
		die("mmap");
	for (uint32_t i = 0; i < count; i += 2) {
		uint64_t start = ticks_now();

		if (!map_at(memory + (size_t)i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_FIXED))
			die("a region");
		ticks[taken++ % FAULTS] = ticks_now() - start;
	}
	point("map.regions", count, median(ticks, taken < FAULTS ? taken : FAULTS));
	return memory;
}

/* The first writes of pages in regions here and there, whose tables are there already. */
static void fault_in_regions(volatile char *memory, uint32_t count)
{
	uint32_t writable = (count + 1) / 2, faults = writable < FAULTS ? writable : FAULTS;
	uint64_t ticks[FAULTS];

	read_pages((char *)memory, (size_t)count * PAGE, TABLE_BYTES);
	for (uint32_t i = 0; i < faults; i++) {
		uint32_t region = (uint32_t)((uint64_t)i * 7919u * 2u % (writable * 2ull));
		volatile char *byte = memory + (size_t)region * PAGE;
		uint64_t start = ticks_now();

		*byte = 1;
		ticks[i] = ticks_now() - start;
	}
	point("fault.regions", count, median(ticks, faults));
}

static void grow_regions(void)
{
	for (uint32_t count = 1; count <= 100000; count *= 10) {
		char *memory = regions_make(count);

		fault_in_regions(memory, count);
		fork_and_exit("regions", count, memory, 0);
		unmap(memory, (size_t)count * PAGE);
	}
}

/* ---- processes ---- */

static pid_t sleepers[PROCESSES_MOST];
static uint32_t sleeper_count;

static void sleep_for_ever(void)
{
	const struct timespec long_time = { .tv_sec = 1000000 };

	for (;;)
		nanosleep(&long_time, NULL);
}

/* As many as there can be, if that is less. */
static bool sleepers_make(uint32_t count)
{
	while (sleeper_count < count) {
		pid_t pid = fork();

		if (pid == 0)
			sleep_for_ever();
		if (pid < 0)
			return false;
		sleepers[sleeper_count++] = pid;
	}
	return true;
}

static void sleepers_end(void)
{
	while (sleeper_count > 0) {
		pid_t pid = sleepers[--sleeper_count];

		if (kill(pid, SIGKILL) != 0 || waitpid(pid, NULL, 0) != pid)
			die("the end of a process");
	}
}

/* Processes that never wait. */
static void runners_make(uint32_t count)
{
	while (sleeper_count < count) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				continue;
		if (pid < 0)
			die("fork");
		sleepers[sleeper_count++] = pid;
	}
}

/* All others come to run, and to sleep if they do. */
static void let_others_run(void)
{
	const struct timespec moment = { .tv_nsec = 300000000 };

	if (nanosleep(&moment, NULL) != 0)
		die("nanosleep");
}

static void fault_beside(const char *whom, uint32_t count)
{
	char name[NAME_BYTES];
	volatile char *memory = map_writable(TABLE_BYTES);
	uint64_t ticks[FAULTS];

	memory[0] = 1;
	for (uint32_t i = 0; i < FAULTS; i++) {
		volatile char *byte = memory + (size_t)(shuffled(i, TABLE_PAGES) | 1) * PAGE;
		uint64_t start = ticks_now();

		*byte = 1;
		ticks[i] = ticks_now() - start;
	}
	snprintf(name, sizeof(name), "fault.%s", whom);
	point(name, count, median(ticks, FAULTS));
	unmap((char *)memory, TABLE_BYTES);
}

static void message_beside(const char *whom, uint32_t count)
{
	char name[NAME_BYTES];
	uint64_t ticks[FAULTS];

	for (uint32_t i = 0; i < FAULTS; i++) {
		uint64_t start = ticks_now();

		partner_call();
		ticks[i] = ticks_now() - start;
	}
	snprintf(name, sizeof(name), "message.%s", whom);
	point(name, count, median(ticks, FAULTS));
}

static void grow_processes(void)
{
	static const uint32_t counts[] = { 1, 10, 100, 1000, PROCESSES_MOST };

	if (!partner_start())
		die("no partner");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		bool is_all = sleepers_make(counts[i] - 1);

		let_others_run();
		fault_beside("processes", sleeper_count + 1);
		message_beside("processes", sleeper_count + 1);
		fork_and_exit("processes", sleeper_count + 1, NULL, 0);
		if (!is_all) {
			printf("NOTE no more than %u processes: %s\n", (unsigned)sleeper_count + 1,
				strerror(errno));
			break;
		}
	}
	sleepers_end();
	for (uint32_t count = 1; count <= 16; count *= 4) {
		runners_make(count);
		let_others_run();
		fault_beside("running", count);
		message_beside("running", count);
	}
	sleepers_end();
	partner_stop();
}

/* ---- memory ---- */

static uint64_t frames_now(void)
{
	(void)system_settle_ticks();
	return system_free_frames();
}

static void memory_of(const char *curve, size_t mib, int protection, size_t touched)
{
	uint64_t before = frames_now();
	char *memory = map_at(NULL, mib * MIB, protection, MAP_PRIVATE | MAP_NORESERVE);

	if (!memory) {
		printf("NOTE %s: a mapping of %u MiB is refused\n", curve, (unsigned)mib);
		return;
	}
	if (protection & PROT_WRITE)
		write_pages(memory, touched, PAGE);
	else
		read_pages(memory, touched, PAGE);
	point(curve, mib, before - frames_now());
	unmap(memory, mib * MIB);
}

static void grow_memory(void)
{
	for (size_t mib = 1; mib <= 1024 * 1024; mib *= 4) {
		memory_of("memory.untouched-MiB", mib, PROT_READ, 0);
		memory_of("memory.one-page-read-MiB", mib, PROT_READ, 1);
		memory_of("memory.one-page-written-MiB", mib, PROT_READ | PROT_WRITE, 1);
		if (mib <= 1024)
			memory_of("memory.all-pages-MiB", mib, PROT_READ | PROT_WRITE, mib * MIB);
	}
}

/* ---- main ---- */

static const struct {
	const char *name;
	void (*run)(void);
} themes[] = {
	{ "resident", grow_resident },
	{ "sparse", grow_sparse },
	{ "ranges", grow_ranges },
	{ "large", grow_large },
	{ "regions", grow_regions },
	{ "shared", grow_shared },
	{ "private", grow_private },
	{ "processes", grow_processes },
	{ "memory", grow_memory },
};

static bool is_wanted(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc <= 1;
}

int main(int argc, char **argv)
{
	system_start();
	left = map_at(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (!left)
		die("mmap");
	*left = 0;
	for (size_t i = 0; i < sizeof(themes) / sizeof(themes[0]); i++)
		if (is_wanted(argc, argv, themes[i].name))
			themes[i].run();
	printf("BENCH-END\n");
	fflush(stdout);
	system_finish(0);
	return 0;
}
