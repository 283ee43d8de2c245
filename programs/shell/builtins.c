/*
 * The commands that the shell does itself, as a table.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shell.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/faultline.h>
#include <unistd.h>

static int builtin_help(const struct command *command, int last_status);

/* A number that fills the whole word; -1 when it does not. */
static long number(const char *word)
{
	char *end;
	long value = strtol(word, &end, 10);

	return *word && !*end && value >= 0 ? value : -1;
}

/* Ends the machine.  The statement behind it runs only when that is refused. */
static int builtin_exit(const struct command *command, int last_status)
{
	long status = command->count > 1 ? number(command->words[1]) : last_status;

	if (status < 0 || status > 255) {
		fprintf(stderr, "exit: the status must be 0..255\n");
		return STATUS_USAGE;
	}
	fflush(stdout);
	system_shutdown((int)status);
	fprintf(stderr, "exit: the machine does not end: %s\n", strerror(errno));
	exit((int)status);
}

static int builtin_ps(const struct command *command, int last_status)
{
	(void)command;
	(void)last_status;
	return report_processes();
}

static int builtin_maps(const struct command *command, int last_status)
{
	long pid = command->count > 1 ? number(command->words[1]) : (long)getpid();

	(void)last_status;
	if (pid < 0) {
		fprintf(stderr, "maps: not a process id: %s\n", command->words[1]);
		return STATUS_USAGE;
	}
	return report_maps(pid);
}

static int builtin_mem(const struct command *command, int last_status)
{
	(void)command;
	(void)last_status;
	return report_memory();
}

static int builtin_stat(const struct command *command, int last_status)
{
	(void)command;
	(void)last_status;
	return report_statistics();
}

static int builtin_kill(const struct command *command, int last_status)
{
	long signal_number = command->count > 2 ? number(command->words[2]) : SIGTERM;
	long pid = command->count > 1 ? number(command->words[1]) : -1;

	(void)last_status;
	if (pid < 0 || signal_number < 0) {
		fprintf(stderr, "usage: kill PID [SIGNAL]\n");
		return STATUS_USAGE;
	}
	if (kill((pid_t)pid, (int)signal_number)) {
		fprintf(stderr, "kill: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}

static int builtin_wait(const struct command *command, int last_status)
{
	(void)command;
	(void)last_status;
	return run_collect(true);
}

static const struct {
	const char *name;
	const char *arguments;
	const char *help;
	int (*function)(const struct command *command, int last_status);
} builtins[] = {
	{ "help", "", "this list", builtin_help },
	{ "exit", "[STATUS]", "end the machine with this status", builtin_exit },
	{ "ps", "", "the processes", builtin_ps },
	{ "maps", "[PID]", "what is mapped where in a process", builtin_maps },
	{ "mem", "", "free and used memory", builtin_mem },
	{ "stat", "", "what pager and kernel have done since boot", builtin_stat },
	{ "kill", "PID [SIGNAL]", "end a process", builtin_kill },
	{ "wait", "", "wait for all programs in the background", builtin_wait },
};
#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

static void print_programs(void)
{
	static const char folder[] = "bin/";
	struct system_file file;

	printf("Programs:");
	for (unsigned index = 0; system_file_at(index, &file) == 0; index++)
		if (strncmp(file.name, folder, strlen(folder)) == 0)
			printf(" %s", file.name + strlen(folder));
	printf("\n");
}

static int builtin_help(const struct command *command, int last_status)
{
	(void)command;
	(void)last_status;
	printf("Commands of the shell:\n");
	for (unsigned i = 0; i < BUILTINS; i++)
		printf("  %-5s%-14s%s\n", builtins[i].name, builtins[i].arguments,
			builtins[i].help);
	print_programs();
	printf("Between commands: ; && || &    Quotes: ' \" \\    Last status: $?    Comment: #\n");
	return 0;
}

/* See shell.h. */
bool builtin_run(const struct command *command, int last_status, int *status)
{
	for (unsigned i = 0; i < BUILTINS; i++)
		if (strcmp(command->words[0], builtins[i].name) == 0) {
			*status = builtins[i].function(command, last_status);
			return true;
		}
	return false;
}
