/*
 * The directory: names of files and the pager's objects behind them.
 *
 * Pure: no calls, no memory but its own, so that it runs on the host, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FILES_DIRECTORY_H
#define FILES_DIRECTORY_H

#include <faultline/status.h>
#include <stdint.h>

#define DIRECTORY_FILES_MAX  1024u
#define DIRECTORY_NAME_MAX   255u
#define DIRECTORY_NAME_BYTES 0x10000u /* of all names together */

struct file {
	const char *name; /* without a leading slash; not ended by NUL */
	uint32_t name_bytes;
	uint32_t mode;
	uint64_t object, bytes;
};

/* A file for this name; a name that is there already gets the new contents.  BAD_ARGUMENT,
   LIMIT. */
status_t directory_add(
	const char *name, uint32_t name_bytes, const struct file *contents) MUST_CHECK;

/* By name ("/bin/sh", "bin/sh" and "./bin/sh" are one), by object, by position.  NULL: no such
   file. */
const struct file *directory_find(const char *name, uint32_t name_bytes);
const struct file *directory_find_object(uint64_t object);
const struct file *directory_at(uint64_t index);

/* Forgets everything. */
void directory_clear(void);

#endif
