/*
 * The guest tests' harness: runs the table, each test in a process of its own.
 *
 *	harness --+-- watchdog: sleeps, then kills the test
 *	          +-- test --- whatever it forks
 *
 * Free frames are compared while only the harness lives, and the pager has settled.  The pager's own
 * memory (nodes, records) is never given back, so a test that needs more of it than any test before
 * takes frames for good; only a test that loses frames a second time leaks.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include "fuzz.h"
#include <call.h>
#include <faultline/slots.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_USUAL 60u
#define PROCESSES_AT_ONCE 64

/* Large pages first: other tests leave memory in which hardly any 2 MiB are free as a whole. */
static const struct test *const topics[] = {
	tests_large, tests_flush, tests_protection, tests_address, tests_cow, tests_fork, tests_heap, tests_stack,
	tests_mapping, tests_shared, tests_exception, tests_process, tests_exec, tests_pointer,
	tests_message, tests_exhaustion, tests_remap, tests_failure, tests_fuzz, tests_lessons,
	tests_malice, tests_idle,
};
#define TOPICS (sizeof(topics) / sizeof(topics[0]))

/* Shared by the harness, the watchdog and all processes of a test. */
struct report {
	volatile uint32_t failed, watchdog_ready, timed_out;
	char text[500];
};
static struct report *report;

/* ---- checking ---- */

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	if (!report->failed) {
		const char *name = strrchr(file, '/');
		int used = snprintf(report->text, sizeof(report->text), "%s:%d: ",
				    name ? name + 1 : file, line);

		va_start(arguments, format);
		vsnprintf(report->text + used, sizeof(report->text) - (size_t)used, format, arguments);
		va_end(arguments);
		report->failed = 1;
	}
	_exit(TEST_FAILED);
}

void test_disown(void)
{
	static struct report own;

	CHECK_EQUAL(munmap((void *)report, PAGE_SIZE), 0);
	report = &own;
}

void test_equal(const char *file, int line, const char *what, int64_t actual, int64_t expected)
{
	if (actual == expected)
		return;
	test_fail(file, line, "%s is %lld (%#llx), not %lld", what, (long long)actual,
		  (unsigned long long)actual, (long long)expected);
}

/* ---- processes ---- */

pid_t child_start(child_t *body, void *argument)
{
	pid_t pid = fork();

	if (pid < 0)
		test_fail(__FILE__, __LINE__, "fork: %s", strerror(errno));
	if (pid == 0) {
		body(argument);
		_exit(0);
	}
	return pid;
}

int child_wait(pid_t pid)
{
	int status = -1;
	pid_t found = waitpid(pid, &status, 0);

	if (found != pid)
		test_fail(__FILE__, __LINE__, "waitpid(%d) returned %d: %s", (int)pid, (int)found,
			  strerror(errno));
	if (status == (int)PROC_STATUS_EXIT(TEST_FAILED))
		_exit(TEST_FAILED);
	return status;
}

void child_finish(pid_t pid)
{
	int status = child_wait(pid);

	if (status)
		test_fail(__FILE__, __LINE__, "a child ended with wait status %#x", (unsigned)status);
}

void child_run(child_t *body, void *argument)
{
	child_finish(child_start(body, argument));
}

int child_status(child_t *body, void *argument)
{
	return child_wait(child_start(body, argument));
}

void wait_until(const volatile uint32_t *word, uint32_t value)
{
	for (unsigned turn = 0; *word != value; turn++) {
		if (turn < 20)
			sched_yield();
		else
			usleep(1000);
	}
}

/* Calls the visitor for all processes, until it says true. */
static bool each_process(bool (*visit)(const struct proc_entry *entry, void *argument), void *argument)
{
	static struct proc_entry list[PROCESSES_AT_ONCE];
	pid_t from = 1;

	do {
		int count = system_processes(&from, list, PROCESSES_AT_ONCE);

		for (int i = 0; i < count; i++)
			if (visit(&list[i], argument))
				return true;
		if (count <= 0)
			break;
	} while (from);
	return false;
}

static bool count_one(const struct proc_entry *entry, void *count)
{
	(void)entry;
	++*(unsigned *)count;
	return false;
}

unsigned process_count(void)
{
	unsigned count = 0;

	each_process(count_one, &count);
	return count;
}

static bool is_wanted(const struct proc_entry *entry, void *wanted)
{
	struct proc_entry *found = wanted;

	if (entry->pid != found->pid)
		return false;
	*found = *entry;
	return true;
}

bool process_find(pid_t pid, struct proc_entry *entry)
{
	entry->pid = (uint32_t)pid;
	return each_process(is_wanted, entry);
}

void orphans_wait(void)
{
	struct proc_entry entry;
	pid_t from;

	do {
		usleep(1000);
		from = getpid() + 1;
	} while (system_processes(&from, &entry, 1) > 0);
}

/* ---- memory ---- */

static volatile uint8_t *pages_of(size_t count, int flags)
{
	void *memory = mmap(NULL, PAGES(count), PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		test_fail(__FILE__, __LINE__, "mmap of %u pages: %s", (unsigned)count, strerror(errno));
	return memory;
}

volatile uint8_t *private_pages(size_t count)
{
	return pages_of(count, MAP_PRIVATE);
}

volatile uint8_t *shared_pages(size_t count)
{
	return pages_of(count, MAP_SHARED);
}

volatile uint8_t *aligned_pages(size_t count, size_t align)
{
	size_t bytes = PAGES(count);
	uint64_t all = (uint64_t)private_pages((bytes + 2 * align) / PAGE_SIZE);
	uint64_t start = (all + align - 1) / align * align;
	uint64_t end = all + (bytes + 2 * align) / PAGE_SIZE * PAGE_SIZE;

	if (start > all && munmap((void *)all, start - all))
		test_fail(__FILE__, __LINE__, "munmap: %s", strerror(errno));
	if (munmap((void *)(start + bytes), end - start - bytes))
		test_fail(__FILE__, __LINE__, "munmap: %s", strerror(errno));
	return (volatile uint8_t *)start;
}

uint8_t pattern(size_t index, unsigned seed)
{
	return (uint8_t)(index * 31 + index / PAGE_SIZE * 7 + seed * 101 + 1);
}

void pattern_fill(volatile uint8_t *memory, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		memory[i] = pattern(i, seed);
}

bool pattern_holds(const volatile uint8_t *memory, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		if (memory[i] != pattern(i, seed))
			return false;
	return true;
}

bool all_bytes_are(const volatile uint8_t *memory, size_t bytes, uint8_t value)
{
	for (size_t i = 0; i < bytes; i++)
		if (memory[i] != value)
			return false;
	return true;
}

bool region_at(const volatile void *address, struct pager_region *region)
{
	uint64_t from = (uint64_t)address;

	if (system_maps(getpid(), &from, region, 1) != 1)
		return false;
	return region->start <= (uint64_t)address && (uint64_t)address < region->end;
}

size_t region_count(void)
{
	struct pager_space_stat stat;

	if (system_space_stat(&stat))
		test_fail(__FILE__, __LINE__, "space_stat: %s", strerror(errno));
	return stat.regions;
}

uint64_t frames_free(void)
{
	struct pager_stat stat;

	if (system_settle() || system_pager_stat(&stat))
		test_fail(__FILE__, __LINE__, "settle: %s", strerror(errno));
	return stat.frames_free;
}

void load_child(void *address)
{
	load((uint64_t)address);
}

void store_child(void *address)
{
	store((uint64_t)address, 1);
}

void execute_child(void *address)
{
	execute((uint64_t)address);
}

/* ---- counting faults ---- */

/* Both in one page, so that it is touched before anything is counted. */
static struct {
	struct pager_space_stat before, after;
} counted __attribute__((aligned(1024)));

void cost_begin(void)
{
	/* The first rounds take the faults of the counting itself: this page, stack, message page. */
	for (int i = 0; i < 3; i++) {
		if (system_space_stat(&counted.after) || system_space_stat(&counted.before))
			test_fail(__FILE__, __LINE__, "space_stat: %s", strerror(errno));
	}
}

struct cost cost_end(void)
{
	if (system_space_stat(&counted.after))
		test_fail(__FILE__, __LINE__, "space_stat: %s", strerror(errno));
	return (struct cost){
		.faults = counted.after.faults - counted.before.faults,
		.zero = counted.after.faults_zero - counted.before.faults_zero,
		.copy = counted.after.faults_copy - counted.before.faults_copy,
		.reuse = counted.after.faults_reuse - counted.before.faults_reuse,
		.file = counted.after.faults_file - counted.before.faults_file,
		.tables_split = counted.after.tables_split - counted.before.tables_split,
		.frames_copied = counted.after.frames_copied - counted.before.frames_copied,
	};
}

/* ---- running tests ---- */

/* pager_ok() and kernel_ok(); false puts the reason into the report. */
static bool system_is_ok(const char *when)
{
	struct message message = {.tag = tag_make(PROC_PAGER, 0), .w = {PAGER_CHECK}};
	status_t status = ipc_call(SLOT_PROC, &message);

	if (status == ST_OK)
		status = (status_t)TAG_LABEL(message.tag);
	if (status == ST_OK && message.w[0] == 0)
		return true;
	snprintf(report->text, sizeof(report->text), "%s the test: %s, rule %llu violated at %#llx", when,
		 system_status_text((int)status), (unsigned long long)message.w[0],
		 (unsigned long long)message.w[1]);
	return false;
}

static void watchdog(unsigned seconds, volatile uint32_t *test_pid)
{
	report->watchdog_ready = 1;
	sleep(seconds);
	report->timed_out = 1;
	kill((pid_t)*test_pid, SIGKILL);
	_exit(0);
}

static bool kill_later(const struct proc_entry *entry, void *count)
{
	if (entry->pid <= (uint32_t)getpid())
		return false;
	++*(unsigned *)count;
	kill((pid_t)entry->pid, SIGKILL);
	return false;
}

/* Ends all processes made after the harness; returns how many there were. */
static unsigned clear_away(void)
{
	unsigned count = 0, again;

	do {
		again = 0;
		each_process(kill_later, &again);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		count = count ? count : again;
		if (again)
			usleep(1000);
	} while (again);
	return count;
}

static void describe_end(int status)
{
	if (report->failed)
		return;
	if (report->timed_out)
		snprintf(report->text, sizeof(report->text), "took too long");
	else
		snprintf(report->text, sizeof(report->text), "ended with wait status %#x (%s %d)",
			 (unsigned)status, WIFSIGNALED(status) ? "signal" : "exit",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* The test in its process, with its watchdog.  False: report->text says why. */
static bool run_process(const struct test *test)
{
	static volatile uint32_t *test_pid;
	int status = -1;
	pid_t guard, pid;

	if (!test_pid)
		test_pid = (volatile uint32_t *)shared_pages(1);
	memset(report, 0, sizeof(*report));
	guard = fork();
	if (guard == 0)
		watchdog(test->seconds ? test->seconds : SECONDS_USUAL, test_pid);
	if (guard > 0)
		wait_until(&report->watchdog_ready, 1);
	pid = guard > 0 ? fork() : -1;
	if (pid == 0) {
		test->run();
		_exit(0);
	}
	*test_pid = (uint32_t)pid;
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (guard > 0) {
		kill(guard, SIGKILL);
		waitpid(guard, NULL, 0);
	}
	if (status)
		describe_end(status);
	unsigned left = clear_away();

	if (!status && left && !report->failed)
		snprintf(report->text, sizeof(report->text), "left %u processes behind", left);
	return !status && !left && !report->failed;
}

/* The test between two checks; *lost = frames it did not give back. */
static bool run_checked(const struct test *test, int64_t *lost)
{
	uint64_t before = frames_free();

	*lost = 0;
	if (!system_is_ok("before") || !run_process(test))
		return false;
	*lost = (int64_t)(before - frames_free());
	return system_is_ok("after");
}

/* A leak loses frames each time.  The pager's own memory grows when a run happens to need more of it than any
   before, which with many processes is chance: a test that forks for 2 ms went 360, 36, 8, 4, 0. */
#define RUNS_MOST 12u

static bool run_test(const struct test *test)
{
	int64_t lost;
	bool is_right = run_checked(test, &lost);

	for (uint32_t runs = 1; is_right && lost > 0 && runs < RUNS_MOST; runs++)
		is_right = run_checked(test, &lost);
	if (is_right && lost > 0) {
		snprintf(report->text, sizeof(report->text), "leaks %lld frames", (long long)lost);
		is_right = false;
	}
	if (is_right)
		printf("ok %s\n", test->name);
	else
		printf("FAIL %s: %s\n", test->name, report->text);
	fflush(stdout);
	return is_right;
}

/* Not a test: makes the harness touch what it needs, so that no test pays for it. */
static void warm_up(void)
{
	extern const uint8_t __program_end[];
	static const struct test nothing = {.name = "nothing", .run = (void (*)(void))getppid};
	uint64_t end = (uint64_t)__program_end;
	int64_t lost;

	for (uint64_t page = LAYOUT_USER_TEXT; page < end; page += PAGE_SIZE)
		load(page);
	for (int i = 0; i < 2; i++)
		if (!run_checked(&nothing, &lost))
			printf("FAIL nothing: %s\n", report->text);
}

/* ---- the command line ---- */

static bool is_named(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int list_tests(void)
{
	for (size_t topic = 0; topic < TOPICS; topic++)
		for (const struct test *test = topics[topic]; test->name; test++)
			printf("%s%s%s\n", test->name, test->flags & TEST_LONG ? " (long)" : "",
			       test->flags & TEST_NEEDS_HOOK ? " (hook)" : "");
	return 0;
}

/* Those named; or those whose flags among `looked_at` are these. */
static int run_tests(unsigned looked_at, unsigned flags, int count, char **names)
{
	unsigned passed = 0, failed = 0;

	for (size_t topic = 0; topic < TOPICS; topic++)
		for (const struct test *test = topics[topic]; test->name; test++) {
			if (count ? !is_named(test->name, count, names)
				  : (test->flags & looked_at) != flags)
				continue;
			if (run_test(test))
				passed++;
			else
				failed++;
		}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}

/* tests [-l | -q | -f | NAME... | --fuzz SEED SEQUENCES] */
int main(int argc, char **argv)
{
	bool is_quick = argc == 2 && !strcmp(argv[1], "-q");

	if (argc >= 2 && !strcmp(argv[1], "--exec"))
		return exec_helper(argc, argv);
	if (argc == 2 && !strcmp(argv[1], "-l"))
		return list_tests();
	report = (struct report *)(uintptr_t)shared_pages(1);
	warm_up();
	if (argc == 4 && !strcmp(argv[1], "--fuzz"))
		return !run_test(fuzz_long(argv[2], argv[3]));
	if (argc == 1 || is_quick)
		return run_tests(TEST_NEEDS_HOOK | (is_quick ? TEST_LONG : 0), 0, 0, NULL);
	if (argc == 2 && !strcmp(argv[1], "-f"))
		return run_tests(TEST_NEEDS_HOOK, TEST_NEEDS_HOOK, 0, NULL);
	return run_tests(0, 0, argc - 1, argv + 1);
}
