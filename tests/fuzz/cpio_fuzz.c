/*
 * Fuzz target `cpio`: the reader of boot archives.
 *
 * Input: the archive, as it is.  Every file that the reader gives lies inside the archive with its
 * name's NUL, the offset moves on and stays aligned; archive_find() finds each name's first file,
 * and ends as the walk did for a name that is not there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE
#include "exact.h"
#include "fuzz.h"
#include <faultline/archive.h>

static void check_file(const uint8_t *archive, size_t bytes, const struct archive_file *file)
{
	const uint8_t *name = (const uint8_t *)file->name;

	FUZZ_CHECK(name >= archive && name < archive + bytes);
	FUZZ_CHECK(memchr(name, '\0', (size_t)(archive + bytes - name)) != NULL);
	FUZZ_CHECK(name[0] != '\0');
	FUZZ_CHECK(file->data >= archive && file->data <= archive + bytes);
	FUZZ_CHECK(file->bytes <= (uint64_t)(archive + bytes - file->data));
	FUZZ_CHECK((uintptr_t)(file->data - archive) % 4 == 0);
}

/* The first file of this name is found, and it is at or before `here`. */
static void check_find(const uint8_t *archive, size_t bytes, const struct archive_file *here)
{
	struct archive_file found;

	FUZZ_CHECK(archive_find(archive, bytes, here->name, &found) == ST_OK);
	FUZZ_CHECK(found.data <= here->data && found.name <= here->name);
	check_file(archive, bytes, &found);
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *archive = exact_copy(data, bytes);
	struct archive_file file;
	uint64_t offset = 0, before;
	status_t status;

	for (before = 0; (status = archive_next(archive, bytes, &offset, &file)) == ST_OK;
		before = offset) {
		FUZZ_CHECK(offset > before && offset % 4 == 0);
		check_file(archive, bytes, &file);
		check_find(archive, bytes, &file);
		fuzz_count(2);
	}
	FUZZ_CHECK(status == ST_NOT_FOUND || status == ST_BAD_FORMAT);
	FUZZ_CHECK(offset == before);
	FUZZ_CHECK(archive_find(archive, bytes, "\1 no such name", &file) == status ||
		   memmem(data, bytes, "\1 no such name", 14));
	free(archive);
	fuzz_count(2);
	fuzz_count_input();
	return 0;
}
