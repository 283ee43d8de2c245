/*
 * exec: the new program's arguments, environment and memory; and what happens when there is none.
 *
 * The program executed is this one, as `tests --exec KIND ...`; it answers by its exit status.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "/bin/tests"
#define RIGHT 40 /* exit status of a helper that found what it looked for */
#define WRONG 41
#define MAPPED_BEFORE 0x123400000000ull

/* ---- in the new program ---- */

static const char *const odd_arguments[] = {"", "two words", "\xc3\xa9\xff", "--", "a=b", "x"};
static const char *const odd_environment[] = {"HOME=/", "EMPTY=", "no equals sign", "A=B=C"};

static int check_arguments(int argc, char **argv)
{
	if (argc != 3 + 6 || argv[argc])
		return WRONG;
	for (int i = 0; i < 6; i++)
		if (strcmp(argv[3 + i], odd_arguments[i]))
			return WRONG;
	return RIGHT;
}

static int check_environment(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 4; i++)
		if (!environ[i] || strcmp(environ[i], odd_environment[i]))
			return WRONG;
	if (environ[4] || strcmp(getenv("A"), "B=C") || strcmp(getenv("EMPTY"), "") || getenv("PATH"))
		return WRONG;
	return RIGHT;
}

static int check_pid(int argc, char **argv)
{
	return argc == 5 && atoi(argv[3]) == getpid() && atoi(argv[4]) == getppid() ? RIGHT : WRONG;
}

static uint32_t initialised[3000] = {7, 8, 9};
static uint8_t zeroed[30000];

/* Nothing of the old program is left. */
static int check_fresh(int argc, char **argv)
{
	struct pager_region region;

	(void)argc, (void)argv;
	if (initialised[0] != 7 || initialised[2999] != 0 || !all_bytes_are(zeroed, sizeof(zeroed), 0))
		return WRONG;
	if (region_at((void *)MAPPED_BEFORE, &region) || fcntl(3, F_GETFD) != -1)
		return WRONG;
	return RIGHT;
}

/* The message page, too, is a new one, and the stack is aligned as the ABI says. */
static int check_machine(int argc, char **argv)
{
	uint64_t aligned[2] __attribute__((aligned(16)));
	uint16_t x87;
	uint32_t sse;

	(void)argc, (void)argv;
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(x87), "=m"(sse));
	if (x87 != 0x037f || (sse & 0xffc0) != 0x1f80)
		return WRONG;
	return (uint64_t)aligned % 16 || load(LAYOUT_MESSAGE + 3500) ? WRONG : RIGHT;
}

/* argv[3] = how many more times. */
static int check_chain(int argc, char **argv)
{
	int left = argc == 4 ? atoi(argv[3]) : -1;
	char next[16];
	char *arguments[] = {(char *)PROGRAM, (char *)"--exec", (char *)"chain", next, NULL};

	if (left < 0)
		return WRONG;
	if (left == 0)
		return RIGHT;
	snprintf(next, sizeof(next), "%d", left - 1);
	execv(PROGRAM, arguments);
	return WRONG;
}

/* Fork in the new program, and COW of its data. */
static int check_fork(int argc, char **argv)
{
	pid_t child = fork();
	int status;

	(void)argc, (void)argv;
	if (child == 0) {
		initialised[1] = 1;
		zeroed[100] = 1;
		_exit(initialised[0] == 7 && initialised[1] == 1 ? 3 : 4);
	}
	if (waitpid(child, &status, 0) != child || status != (int)PROC_STATUS_EXIT(3))
		return WRONG;
	return initialised[1] == 8 && zeroed[100] == 0 ? RIGHT : WRONG;
}

static int check_long(int argc, char **argv)
{
	if (argc != 4 || strlen(argv[3]) != 3500)
		return WRONG;
	for (int i = 0; i < 3500; i++)
		if (argv[3][i] != (char)('a' + i % 26))
			return WRONG;
	return RIGHT;
}

int exec_helper(int argc, char **argv)
{
	static const struct {
		const char *kind;
		int (*check)(int argc, char **argv);
	} kinds[] = {
		{"arguments", check_arguments}, {"environment", check_environment}, {"pid", check_pid},
		{"fresh", check_fresh}, {"machine", check_machine}, {"chain", check_chain},
		{"fork", check_fork}, {"long", check_long},
	};

	for (size_t i = 0; argc >= 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[2], kinds[i].kind))
			return kinds[i].check(argc, argv);
	return WRONG;
}

/* ---- tests ---- */

struct command {
	char *arguments[16];
	char **environment;
};

static void execute_command(void *argument)
{
	struct command *command = argument;

	execve(PROGRAM, command->arguments, command->environment);
	_exit(errno == 0 ? 1 : errno);
}

static char *no_environment[] = {NULL};

static int helper_status(const char *kind, char *const extra[])
{
	struct command command = {{(char *)PROGRAM, (char *)"--exec", (char *)(uintptr_t)kind}, no_environment};

	for (size_t i = 0; extra && extra[i]; i++)
		command.arguments[3 + i] = extra[i];
	return child_status(execute_command, &command);
}

static void arguments_arrive(void)
{
	char *extra[7] = {0};

	for (int i = 0; i < 6; i++)
		extra[i] = (char *)(uintptr_t)odd_arguments[i];
	CHECK_EQUAL(helper_status("arguments", extra), PROC_STATUS_EXIT(RIGHT));
}

static void environment_arrives(void)
{
	char *environment[5] = {0};
	struct command command = {{(char *)PROGRAM, (char *)"--exec", (char *)"environment"}, environment};

	for (int i = 0; i < 4; i++)
		environment[i] = (char *)(uintptr_t)odd_environment[i];
	CHECK_EQUAL(child_status(execute_command, &command), PROC_STATUS_EXIT(RIGHT));
}

static void exec_with_own_identity(void *argument)
{
	char pid[16], parent[16];
	char *arguments[] = {(char *)PROGRAM, (char *)"--exec", (char *)"pid", pid, parent, NULL};

	(void)argument;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(parent, sizeof(parent), "%d", (int)getppid());
	execv(PROGRAM, arguments);
	_exit(1);
}

static void exec_keeps_the_identity(void)
{
	CHECK_EQUAL(child_status(exec_with_own_identity, NULL), PROC_STATUS_EXIT(RIGHT));
}

static void exec_from_a_full_space(void *argument)
{
	struct command command = {{(char *)PROGRAM, (char *)"--exec", (char *)"fresh"}, no_environment};
	volatile uint8_t *pages = mmap((void *)MAPPED_BEFORE, PAGES(100), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	(void)argument;
	pattern_fill(pages, PAGES(100), 1);
	initialised[0] = 100;
	memset(zeroed, 1, sizeof(zeroed));
	CHECK(open(PROGRAM, O_RDONLY) == 3);
	execute_command(&command);
}

static void nothing_of_the_old_program_is_left(void)
{
	CHECK_EQUAL(child_status(exec_from_a_full_space, NULL), PROC_STATUS_EXIT(RIGHT));
}

static void machine_state_is_fresh(void)
{
	store(LAYOUT_MESSAGE + 3500, 1);
	CHECK_EQUAL(helper_status("machine", NULL), PROC_STATUS_EXIT(RIGHT));
}

static void exec_in_a_chain(void)
{
	char *extra[] = {(char *)"25", NULL};

	CHECK_EQUAL(helper_status("chain", extra), PROC_STATUS_EXIT(RIGHT));
}

static void fork_after_exec(void)
{
	CHECK_EQUAL(helper_status("fork", NULL), PROC_STATUS_EXIT(RIGHT));
}

static void long_arguments_arrive(void)
{
	static char text[3501];
	char *extra[] = {text, NULL};

	for (int i = 0; i < 3500; i++)
		text[i] = (char)('a' + i % 26);
	CHECK_EQUAL(helper_status("long", extra), PROC_STATUS_EXIT(RIGHT));
}

static void too_much_is_refused(void)
{
	static char text[5000];
	char *arguments[] = {(char *)PROGRAM, text, NULL};
	char *environment[] = {text, NULL};

	memset(text, 'x', sizeof(text) - 1);
	CHECK_ERRNO(execve(PROGRAM, arguments, no_environment), E2BIG);
	arguments[1] = NULL;
	CHECK_ERRNO(execve(PROGRAM, arguments, environment), E2BIG);
	CHECK_ERRNO(execve(text, arguments, no_environment), ENAMETOOLONG);
}

static void missing_programs(void)
{
	char *arguments[] = {(char *)"x", NULL};

	CHECK_ERRNO(execv("/bin/no-such-program", arguments), ENOENT);
	CHECK_ERRNO(execv("", arguments), ENOENT);
	CHECK_ERRNO(execv("/", arguments), ENOENT);
	CHECK_ERRNO(execv("/bin/tests/x", arguments), ENOENT);
}

static void files_that_are_no_programs(void)
{
	char *arguments[] = {(char *)"x", NULL};
	uint64_t before = frames_free();

	CHECK_ERRNO(execv("/text/default.txt", arguments), ENOEXEC);
	CHECK_ERRNO(execv("/etc/boot", arguments), ENOEXEC);
	CHECK((int64_t)(before - frames_free()) <= 1);
}

static void exec_child(void *path)
{
	char *arguments[] = {path, NULL};

	execv(path, arguments);
}

/* Exec of each program that has one thing wrong (mkdamaged); returns how many there are. */
static int try_damaged_programs(const char *good)
{
	char *arguments[] = {(char *)"x", NULL};
	struct system_file file;
	int tried = 0;

	for (unsigned index = 0; system_file_at(index, &file) == 0; index++) {
		char path[SYSTEM_NAME_MAX + 2] = "/";

		if (strncmp(file.name, "damaged/", 8) != 0 || strcmp(file.name, good + 1) == 0)
			continue;
		strcat(path, file.name);
		CHECK_ERRNO(execv(path, arguments), ENOEXEC);
		tried++;
	}
	return tried;
}

/* The caller lives on, and nothing is lost: not by the second time, when the pages that it needs itself
   are there. */
static void damaged_programs(void)
{
	static char good[] = "/damaged/good";
	uint64_t before;

	CHECK_KILLED(exec_child, (void *)good, SIGILL);
	CHECK(try_damaged_programs(good) > 20);
	before = frames_free();
	CHECK(try_damaged_programs(good) > 20);
	CHECK((int64_t)(before - frames_free()) <= 1);
}

static void bad_pointers(void)
{
	char *good[] = {(char *)"x", NULL};
	char *bad[] = {(char *)8, NULL};

	CHECK_ERRNO(execv((char *)8, good), EFAULT);
	CHECK_ERRNO(execv(PROGRAM, bad), EFAULT);
	CHECK_ERRNO(execve(PROGRAM, good, (char **)LAYOUT_KERNEL), EFAULT);
	CHECK_ERRNO(execve(PROGRAM, good, bad), EFAULT);
}

static void fail_then_go_on(void *argument)
{
	volatile uint8_t *page = argument;
	char *arguments[] = {(char *)"x", NULL};

	for (int i = 0; i < 20; i++)
		CHECK_ERRNO(execv("/bin/no-such-program", arguments), ENOENT);
	CHECK_EQUAL(page[0], 1);
	page[0] = 2;
}

static void failed_exec_changes_nothing(void)
{
	volatile uint8_t *page = private_pages(1);

	page[0] = 1;
	child_run(fail_then_go_on, (void *)(uintptr_t)page);
	CHECK_EQUAL(page[0], 1);
}

static void spawned_programs_run(void)
{
	char *good[] = {(char *)"true", NULL}, *bad[] = {(char *)"false", NULL};
	pid_t child = system_spawn("/bin/true", good, no_environment);

	CHECK(child > 0);
	CHECK_EQUAL(child_wait(child), 0);
	child = system_spawn("bin/false", bad, no_environment);
	CHECK(child > 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_EXIT(1));
	CHECK_ERRNO(system_spawn("/bin/no-such-program", good, no_environment), ENOENT);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

/* Text pages of the same program are the same frames, however often it runs. */
static void programs_share_their_text(void)
{
	char *arguments[] = {(char *)"sleep", (char *)"1000", NULL};
	uint64_t before, first, second;
	pid_t children[2];

	before = frames_free();
	children[0] = system_spawn("/bin/sleep", arguments, no_environment);
	CHECK(children[0] > 0);
	usleep(100000);
	first = before - frames_free();
	children[1] = system_spawn("/bin/sleep", arguments, no_environment);
	CHECK(children[1] > 0);
	usleep(100000);
	second = before - frames_free() - first;
	CHECK(second <= 40);
	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(kill(children[i], SIGKILL), 0);
		CHECK_EQUAL(child_wait(children[i]), PROC_STATUS_SIGNAL(SIGKILL));
	}
}

static void exec_many_times(void)
{
	char *extra[] = {(char *)"0", NULL};

	for (int i = 0; i < 40; i++)
		CHECK_EQUAL(helper_status("chain", extra), PROC_STATUS_EXIT(RIGHT));
}

const struct test tests_exec[] = {
	TEST(arguments_arrive),
	TEST(environment_arrives),
	TEST(exec_keeps_the_identity),
	TEST(nothing_of_the_old_program_is_left),
	TEST(machine_state_is_fresh),
	TEST(exec_in_a_chain),
	TEST(fork_after_exec),
	TEST(long_arguments_arrive),
	TEST(too_much_is_refused),
	TEST(missing_programs),
	TEST(files_that_are_no_programs),
	TEST(damaged_programs),
	TEST(bad_pointers),
	TEST(failed_exec_changes_nothing),
	TEST(spawned_programs_run),
	TEST(programs_share_their_text),
	TEST(exec_many_times),
	{0},
};
