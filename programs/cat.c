/*
 * cat [FILE]...: prints files, or what is typed until Ctrl-D.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int report(const char *name)
{
	fprintf(stderr, "cat: %s: %s\n", name, strerror(errno));
	return 1;
}

/* Copies to standard output until the end of fd. */
static int copy(int fd, const char *name)
{
	static char block[4096];
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) > 0)
		if (write(STDOUT_FILENO, block, (size_t)got) != got)
			return report("standard output");
	return got < 0 ? report(name) : 0;
}

static int copy_named(const char *name)
{
	int fd = open(name, O_RDONLY);
	int status;

	if (fd < 0)
		return report(name);
	status = copy(fd, name);
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 2)
		return copy(STDIN_FILENO, "standard input");
	for (int i = 1; i < argc; i++)
		status |= copy_named(argv[i]);
	return status;
}
