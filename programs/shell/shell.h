/*
 * The shell's parts: commands of a line (parse.c), how they run (run.c), those it does itself
 * (builtins.c) and what these print (report.c).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SHELL_SHELL_H
#define SHELL_SHELL_H

#include <stdbool.h>

#define LINE_BYTES 4096
#define WORDS_MAX  128

/* Statuses that shells use for what never ran. */
enum { STATUS_USAGE = 2, STATUS_NOT_RUNNABLE = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };

/* What stands behind a command, and so decides about the next one. */
typedef enum { JOINT_END, JOINT_THEN, JOINT_AND, JOINT_OR, JOINT_BACKGROUND } joint_t;

struct command {
	int count;
	char *words[WORDS_MAX + 1]; /* the last is NULL; they lie in text */
	joint_t joint;
	char text[LINE_BYTES + 16];
};

/* parse.c: the next command from *rest on, which moves behind it; $? becomes last_status.  False,
   with *error = a sentence, when the line is malformed. */
bool parse_command(const char **rest, int last_status, struct command *command, const char **error);

/* run.c: runs a line; returns the status of its last command. */
int run_line(const char *line, int last_status, bool is_interactive);
/* Reports background programs that have ended, or waits for all of them; the status of the last. */
int run_collect(bool is_waiting);

/* builtins.c: true when the first word is a builtin, which has run then. */
bool builtin_run(const struct command *command, int last_status, int *status);

/* report.c: each prints, and returns a status. */
int report_processes(void);
int report_maps(long pid);
int report_memory(void);
int report_statistics(void);

#endif
