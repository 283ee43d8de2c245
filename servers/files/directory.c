/*
 * The directory: a list in order of arrival.
 *
 * A boot archive has tens of files; looking through the list costs less than what a table would
 * add.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "directory.h"

#include <server/string.h>

static struct file files[DIRECTORY_FILES_MAX];
static uint32_t file_count;
static char names[DIRECTORY_NAME_BYTES];
static uint32_t name_bytes_used;

struct name {
	const char *text;
	uint32_t bytes;
};

/* Without "/" and "./" in front, and without a NUL behind. */
static struct name normalise(const char *text, uint32_t bytes)
{
	struct name name = { text, (uint32_t)strnlen(text, bytes) };

	for (;;) {
		if (name.bytes >= 1 && name.text[0] == '/') {
			name.text += 1;
			name.bytes -= 1;
		} else if (name.bytes >= 2 && name.text[0] == '.' && name.text[1] == '/') {
			name.text += 2;
			name.bytes -= 2;
		} else {
			return name;
		}
	}
}

static struct file *find(struct name name)
{
	for (uint32_t i = 0; i < file_count; i++) {
		if (files[i].name_bytes == name.bytes &&
			memcmp(files[i].name, name.text, name.bytes) == 0)
			return &files[i];
	}
	return NULL;
}

/* See the header. */
status_t directory_add(const char *name, uint32_t name_bytes, const struct file *contents)
{
	struct name wanted = normalise(name, name_bytes);
	struct file *file = find(wanted);

	if (wanted.bytes == 0 || wanted.bytes > DIRECTORY_NAME_MAX)
		return ST_BAD_ARGUMENT;
	if (!file) {
		if (file_count == DIRECTORY_FILES_MAX ||
			wanted.bytes > DIRECTORY_NAME_BYTES - name_bytes_used)
			return ST_LIMIT;
		file = &files[file_count++];
		file->name = memcpy(names + name_bytes_used, wanted.text, wanted.bytes);
		file->name_bytes = wanted.bytes;
		name_bytes_used += wanted.bytes;
	}
	file->object = contents->object;
	file->bytes = contents->bytes;
	file->mode = contents->mode;
	return ST_OK;
}

/* See the header. */
const struct file *directory_find(const char *name, uint32_t name_bytes)
{
	return find(normalise(name, name_bytes));
}

/* See the header. */
const struct file *directory_find_object(uint64_t object)
{
	for (uint32_t i = 0; i < file_count; i++) {
		if (files[i].object == object)
			return &files[i];
	}
	return NULL;
}

/* See the header. */
const struct file *directory_at(uint64_t index)
{
	return index < file_count ? &files[index] : NULL;
}

/* See the header. */
void directory_clear(void)
{
	file_count = 0;
	name_bytes_used = 0;
}
