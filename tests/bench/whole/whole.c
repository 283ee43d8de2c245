/*
 * Whole programs: instructions of a whole run, from fork and exec to the end of the wait.
 *
 *   snapshot   programs/snapshot with the default text: fork as a consistent copy of an index
 *   requests   a server with 16 MiB of state that forks for each request
 *   sort       four processes sort parts of shared memory, the parent merges them
 *   build      a tree of fork and exec, as make and a compiler do it
 *
 * One source for both systems.  What the C libraries do for it is part of the run, and so is what
 * they print.  Output: a row as in bench.c, "whole.NAME", one sample.
 *
 * usage: whole               all of them, each as a process of its own
 *        whole job NAME      one, as this process
 *        whole part ...      of build
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "whole.h"
#include "../bench.h"
#include "../system.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_BYTES 32

pid_t fork_or_end(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	return pid;
}

int wait_failed(pid_t pid)
{
	int status = 0;

	return waitpid(pid, &status, 0) != pid || status != 0;
}

void *map_or_end(size_t bytes, int flags)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static const struct {
	const char *name;
	int (*run)(void);
} jobs[] = { { "requests", job_requests }, { "sort", job_sort }, { "build", job_build } };

static int job_run(const char *name)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (strcmp(jobs[i].name, name) == 0)
			return jobs[i].run();
	return 2;
}

/* From before the fork to the end of everything that it left behind. */
static void measure(const char *name, const char *path, char *const arguments[])
{
	char *const environment[] = { NULL };
	char row[NAME_BYTES];
	uint64_t start;
	int failed;
	pid_t pid;

	snprintf(row, sizeof(row), "whole.%s", name);
	series_begin();
	start = ticks_now();
	pid = fork_or_end();
	if (pid == 0) {
		execve(path, arguments, environment);
		_exit(99);
	}
	failed = wait_failed(pid);
	(void)system_settle_ticks();
	sample(ticks_now() - start);
	if (failed)
		series_skip(row, "failed");
	else
		series_end(row, 1);
}

static void measure_all(void)
{
	char *const snapshot[] = { (char[]){ "snapshot" }, (char[]){ WHOLE_TEXT }, (char[]){ "6" }, NULL };

	measure("snapshot", "/bin/whole_snapshot", snapshot);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		char name[NAME_BYTES];
		char *const arguments[] = { (char[]){ "whole" }, (char[]){ "job" }, name, NULL };

		snprintf(name, sizeof(name), "%s", jobs[i].name);
		measure(name, WHOLE_PROGRAM, arguments);
	}
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "job") == 0)
		return job_run(argv[2]);
	if (argc > 2 && strcmp(argv[1], "part") == 0)
		return build_part(argc - 2, argv + 2);
	system_start();
	series_calibrate();
	measure_all();
	printf("BENCH-END\n");
	fflush(stdout);
	system_finish(0);
	return 0;
}
