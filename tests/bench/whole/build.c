/*
 * A build: a process forks one for each folder, which starts by fork and exec a program for each
 * unit.  That one reads a source file, keeps its words in a table on the heap, and ends.
 *
 *   build -> 4 folders -> each: exec "part folder N" -> 6 units, each: exec "part unit N"
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "whole.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDERS	      4u
#define UNITS	      6u
#define SOURCE_BYTES  (32u << 10) /* of the text, read by each unit */
#define READ_BYTES    4096u
#define BUCKETS	      1024u
#define ARGUMENT_SIZE 12

struct name {
	struct name *next;
	uint32_t hash, count;
};

static struct name **table;

static int name_note(uint32_t hash)
{
	struct name *name = table[hash % BUCKETS];

	while (name && name->hash != hash)
		name = name->next;
	if (!name) {
		name = malloc(sizeof(*name));
		if (!name)
			return 1;
		*name = (struct name){ .next = table[hash % BUCKETS], .hash = hash };
		table[hash % BUCKETS] = name;
	}
	name->count++;
	return 0;
}

static int words_note(const char *text, size_t bytes)
{
	uint32_t hash = 0;
	int failed = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (text[i] > ' ') {
			hash = (hash ^ (uint8_t)text[i]) * 16777619u;
			continue;
		}
		failed |= hash != 0 && name_note(hash);
		hash = 0;
	}
	return failed;
}

/* What a compiler does with a source file, as far as memory is concerned. */
static int unit_build(unsigned number)
{
	char *text = malloc(SOURCE_BYTES);
	int fd = open(WHOLE_TEXT, O_RDONLY);
	size_t got = 0;

	table = calloc(BUCKETS, sizeof(*table));
	if (!text || !table || fd < 0 || lseek(fd, (off_t)(number * 1000), SEEK_SET) < 0)
		return 1;
	while (got < SOURCE_BYTES) {
		ssize_t count = read(fd, text + got, READ_BYTES);

		if (count <= 0)
			return 1;
		got += (size_t)count;
	}
	close(fd);
	return words_note(text, got);
}

static int part_run(const char *kind, unsigned number)
{
	char name[ARGUMENT_SIZE], digits[ARGUMENT_SIZE];
	char *const arguments[] = { (char[]){ "whole" }, (char[]){ "part" }, name, digits, NULL };
	char *const environment[] = { NULL };
	pid_t pid = fork_or_end();

	if (pid != 0)
		return wait_failed(pid);
	snprintf(name, sizeof(name), "%s", kind);
	snprintf(digits, sizeof(digits), "%u", number);
	execve(WHOLE_PROGRAM, arguments, environment);
	_exit(99);
}

int build_part(int argc, char **argv)
{
	unsigned number = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	int failed = 0;

	if (argc > 1 && strcmp(argv[0], "unit") == 0)
		return unit_build(number);
	for (unsigned unit = 0; unit < UNITS; unit++)
		failed |= part_run("unit", number * UNITS + unit);
	return failed;
}

int job_build(void)
{
	pid_t folders[FOLDERS];
	int failed = 0;

	for (unsigned folder = 0; folder < FOLDERS; folder++) {
		folders[folder] = fork_or_end();
		if (folders[folder] == 0)
			_exit(part_run("folder", folder));
	}
	for (unsigned folder = 0; folder < FOLDERS; folder++)
		failed |= wait_failed(folders[folder]);
	printf("build: %u programs\n", FOLDERS * (UNITS + 1));
	return failed;
}
