/*
 * Trials and shrinking (model: trial.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _DEFAULT_SOURCE
#include "trial.h"

#include "report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS_MAX     100000u
#define TRIAL_SECONDS 240u /* then it is a loop */

/* What parent and child share. */
static struct shared {
	uint32_t step;
	struct history_counts counts;
} * shared;

static void share(void)
{
	if (shared)
		return;
	shared =
		mmap(0, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
}

static void note_end(void)
{
	shared->step = history_step;
	shared->counts = history_counts;
}

/* ---- one trial ---- */

static _Noreturn void run_child(FILE *output)
{
	fflush(stdout);
	dup2(fileno(output), STDOUT_FILENO);
	dup2(fileno(output), STDERR_FILENO);
	alarm(TRIAL_SECONDS);
	atexit(note_end);
	history_run();
	note_end();
	fflush(stdout);
	_Exit(0);
}

/* The end of what was said. */
static void read_tail(FILE *output, char *text, size_t size)
{
	long end;
	size_t count;

	fseek(output, 0, SEEK_END);
	end = ftell(output);
	fseek(output, end < (long)size ? 0 : end - (long)size + 1, SEEK_SET);
	count = fread(text, 1, size - 1, output);
	text[count] = 0;
}

/* See the header. */
void trial_run(struct trial *trial)
{
	FILE *output = tmpfile();
	int status = 0;
	pid_t child;

	share();
	if (!output)
		abort();
	fflush(stdout);
	child = fork();
	if (child < 0)
		abort();
	if (child == 0)
		run_child(output);
	waitpid(child, &status, 0);
	trial->has_failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	trial->counts = shared->counts;
	read_tail(output, trial->output, sizeof(trial->output));
	fclose(output);
}

/* ---- shrinking ---- */

static struct chosen best[STEPS_MAX], tried[STEPS_MAX];
static uint32_t best_count;

/* Do the steps fail without those from `first` on?  Then they are gone. */
static bool try_without(uint32_t first, uint32_t count)
{
	static struct trial trial;
	uint32_t rest = best_count - first - count;

	memcpy(tried, best, first * sizeof(best[0]));
	memcpy(&tried[first], &best[first + count], rest * sizeof(best[0]));
	history.chosen = tried;
	history.chosen_count = first + rest;
	trial_run(&trial);
	if (!trial.has_failed)
		return false;
	memcpy(best, tried, history.chosen_count * sizeof(best[0]));
	best_count = history.chosen_count;
	return true;
}

/* Leave out each part of this size, from the end on: true if one went. */
static bool shrink_by(uint32_t size, time_t deadline)
{
	bool has_shrunk = false;
	uint32_t end = best_count;

	while (end > 0 && time(0) < deadline) {
		uint32_t count = size < end ? size : end;

		end -= count;
		if (try_without(end, count))
			has_shrunk = true;
	}
	return has_shrunk;
}

/* All steps up to the one that failed. */
static void choose_all(void)
{
	if (history.chosen) {
		best_count = history.chosen_count;
		memmove(best, history.chosen, best_count * sizeof(best[0]));
		return;
	}
	best_count = history.steps < STEPS_MAX ? history.steps : STEPS_MAX;
	for (uint32_t i = 0; i < best_count; i++)
		best[i] = (struct chosen){ i, 0 };
}

/* See the header. */
void trial_shrink(unsigned seconds)
{
	time_t deadline = time(0) + (time_t)seconds;
	uint32_t size;

	choose_all();
	for (size = best_count / 2; size > 0 && time(0) < deadline;) {
		bool has_shrunk = shrink_by(size, deadline);

		if (!has_shrunk || size > 1)
			size = size > 1 ? size / 2 : 0;
	}
	history.chosen = best;
	history.chosen_count = best_count;
}

/* See the header. */
void trial_tell(void)
{
	static struct trial trial;

	report_steps = true;
	trial_run(&trial);
	report_steps = false;
	fputs(trial.output, stdout);
}
