/*
 * shell [SCRIPT]: runs commands.
 *
 * The first shell of a machine runs the file etc/script, if the boot archive has one, without
 * prompt or echo, and then ends the machine with the status of the last command.  Otherwise it
 * reads lines from the console.  A shell with an argument runs that script and ends.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shell.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/faultline.h>
#include <sys/stat.h>
#include <unistd.h>

#define MACHINE_SCRIPT "etc/script"
/* Set while the machine's script runs: a shell started by it must not run it again. */
#define VARIABLE "SCRIPT"

/* The whole file with a NUL behind it, or NULL with errno. */
static char *file_load(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat stat;
	char *text;

	if (fd < 0)
		return NULL;
	text = fstat(fd, &stat) ? NULL : malloc((size_t)stat.st_size + 1);
	if (text && read(fd, text, (size_t)stat.st_size) != stat.st_size) {
		free(text);
		text = NULL;
	}
	close(fd);
	if (text)
		text[stat.st_size] = 0;
	return text;
}

/* Runs a line that lies in text, up to its end; returns where the next begins, or NULL. */
static char *script_line(char *text, int *status)
{
	char *end = strchr(text, '\n');

	if (end)
		*end = 0;
	if (strlen(text) >= LINE_BYTES) {
		fprintf(stderr, "shell: line too long\n");
		*status = STATUS_USAGE;
	} else {
		*status = run_line(text, *status, false);
	}
	return end ? end + 1 : NULL;
}

static int script_run(char *text)
{
	int status = 0;

	while (text)
		text = script_line(text, &status);
	return status;
}

/* A line without its end; false at the end of input. */
static bool console_line(char *line)
{
	ssize_t got;

	fflush(stdout);
	do {
		got = read(STDIN_FILENO, line, LINE_BYTES - 1);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	line[got] = 0;
	line[strcspn(line, "\r\n")] = 0;
	return true;
}

static int console_run(void)
{
	static char line[LINE_BYTES];
	int status = 0;

	system_foreground(0);
	printf("Type help for a list of commands.\n");
	for (;;) {
		run_collect(false);
		printf("faultline> ");
		if (!console_line(line))
			return status;
		status = run_line(line, status, true);
	}
}

/* The machine ends with the shell that owns it. */
static int machine_end(int status)
{
	fflush(stdout);
	system_shutdown(status);
	fprintf(stderr, "shell: the machine does not end: %s\n", strerror(errno));
	return status;
}

int main(int argc, char **argv)
{
	char *script = argc > 1 ? file_load(argv[1]) : NULL;

	if (argc > 1 && !script) {
		fprintf(stderr, "shell: %s: %s\n", argv[1], strerror(errno));
		return STATUS_NOT_FOUND;
	}
	if (script)
		return script_run(script);
	if (getenv(VARIABLE))
		return console_run();
	script = file_load(MACHINE_SCRIPT);
	setenv(VARIABLE, MACHINE_SCRIPT, 1);
	return machine_end(script ? script_run(script) : console_run());
}
