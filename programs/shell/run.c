/*
 * Running the commands of a line: builtins here, programs as children.
 *
 * A program is named by its path, or is one of the folder bin.  While one runs in front, Ctrl-C
 * goes to it; at the prompt, to nobody.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shell.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/faultline.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 256

/* Says how a program ended, unless it ended well, and turns it into a status. */
static int report_end(const char *name, int wait_status)
{
	if (WIFEXITED(wait_status)) {
		if (WEXITSTATUS(wait_status))
			fprintf(stderr, "shell: %s: exit status %d\n", name,
				WEXITSTATUS(wait_status));
		return WEXITSTATUS(wait_status);
	}
	fprintf(stderr, "shell: %s: killed by signal %d (%s)\n", name, WTERMSIG(wait_status),
		strsignal(WTERMSIG(wait_status)));
	return STATUS_SIGNAL + WTERMSIG(wait_status);
}

/* Starts a program; its pid, or -1 with errno. */
static pid_t start(const struct command *command)
{
	char path[PATH_BYTES];
	const char *name = command->words[0];

	if (strchr(name, '/'))
		return system_spawn(name, command->words, environ);
	if (snprintf(path, sizeof(path), "bin/%s", name) >= (int)sizeof(path)) {
		errno = ENOENT;
		return -1;
	}
	return system_spawn(path, command->words, environ);
}

static int run_in_front(pid_t pid, const char *name)
{
	int wait_status = 0;
	pid_t ended;

	system_foreground(pid);
	do {
		ended = waitpid(pid, &wait_status, 0);
	} while (ended < 0 && errno == EINTR);
	system_foreground(0);
	if (ended < 0) {
		fprintf(stderr, "shell: %s: %s\n", name, strerror(errno));
		return STATUS_NOT_RUNNABLE;
	}
	return report_end(name, wait_status);
}

static int run_program(const struct command *command, bool is_interactive)
{
	pid_t pid = start(command);

	if (pid < 0) {
		fprintf(stderr, "shell: %s: %s\n", command->words[0],
			errno == ENOENT ? "there is no such program (see: help)" : strerror(errno));
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUNNABLE;
	}
	if (command->joint != JOINT_BACKGROUND)
		return run_in_front(pid, command->words[0]);
	if (is_interactive)
		printf("[%d] %s\n", (int)pid, command->words[0]);
	return 0;
}

static int run_command(const struct command *command, int last_status, bool is_interactive)
{
	int status;

	if (builtin_run(command, last_status, &status))
		return status;
	fflush(stdout);
	return run_program(command, is_interactive);
}

/* Does the command behind this joint run? */
static bool goes_on(joint_t joint, int status)
{
	if (joint == JOINT_AND)
		return status == 0;
	if (joint == JOINT_OR)
		return status != 0;
	return true;
}

/* See shell.h.  A malformed line may have run in part. */
int run_line(const char *line, int last_status, bool is_interactive)
{
	static struct command command;
	const char *error;
	bool is_wanted = true;

	do {
		if (!parse_command(&line, last_status, &command, &error)) {
			fprintf(stderr, "shell: %s\n", error);
			return STATUS_USAGE;
		}
		if (command.count == 0)
			continue;
		if (is_wanted)
			last_status = run_command(&command, last_status, is_interactive);
		is_wanted = goes_on(command.joint, last_status);
	} while (command.joint != JOINT_END);
	return last_status;
}

/* See shell.h. */
int run_collect(bool is_waiting)
{
	int wait_status;
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, is_waiting ? 0 : WNOHANG)) > 0) {
		char name[32];

		snprintf(name, sizeof(name), "[%d]", (int)pid);
		status = report_end(name, wait_status);
		if (status == 0)
			printf("%s done\n", name);
	}
	return status;
}
