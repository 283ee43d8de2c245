/*
 * ls [-l] [PREFIX]...: lists the files whose names begin so; -l: with mode and size.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/faultline.h>

static bool begins_with(const char *name, const char *prefix)
{
	while (*prefix == '/')
		prefix++;
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_wanted(const char *name, char *const *prefixes)
{
	if (!*prefixes)
		return true;
	for (; *prefixes; prefixes++)
		if (begins_with(name, *prefixes))
			return true;
	return false;
}

static void print(const struct system_file *file, bool is_long)
{
	if (is_long)
		printf("%c%c%c %10" PRIu64 " ", file->mode & 0400 ? 'r' : '-',
			file->mode & 0200 ? 'w' : '-', file->mode & 0100 ? 'x' : '-', file->bytes);
	printf("%s\n", file->name);
}

int main(int argc, char **argv)
{
	bool is_long = argc > 1 && strcmp(argv[1], "-l") == 0;
	char *const *prefixes = argv + (is_long ? 2 : 1);
	struct system_file file;
	unsigned index = 0, shown = 0;

	for (; system_file_at(index, &file) == 0; index++)
		if (is_wanted(file.name, prefixes)) {
			print(&file, is_long);
			shown++;
		}
	if (errno != ENOENT) {
		fprintf(stderr, "ls: %s\n", strerror(errno));
		return 1;
	}
	if (*prefixes && shown == 0) {
		fprintf(stderr, "ls: no such files\n");
		return 1;
	}
	return 0;
}
