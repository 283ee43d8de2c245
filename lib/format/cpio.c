/*
 * Reading a cpio archive of type "newc" (or "crc", the same with a checksum that is not looked at).
 *
 * Each file: a header of 110 characters (magic and 13 numbers of 8 hexadecimal digits), the name
 * with its NUL, padding to 4 bytes, the data, padding to 4 bytes; counted from the archive's
 * start.  The file "TRAILER!!!" is the end.  An archive that ends without it is damaged.
 *
 * All sums are of 32-bit numbers and an offset inside the archive in 64 bits, and every end is
 * compared with the archive's before anything there is read.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <faultline/archive.h>

#define HEADER_BYTES 110u
#define MAGIC_BYTES  6u
#define FIELD_DIGITS 8u
#define ALIGNMENT    4u
#define ARCHIVE_MAX  (1ull << 62) /* far beyond any memory: sums below cannot overflow */

/* The name of what ends an archive. */
static const char trailer[] = "TRAILER!!!";

enum { FIELD_MODE = 1, FIELD_FILE_BYTES = 6, FIELD_NAME_BYTES = 11 };

static bool is_equal(const char *left, const char *right)
{
	while (*left && *left == *right) {
		left++;
		right++;
	}
	return *left == *right;
}

static bool read_digit(char digit, uint32_t *value)
{
	if (digit >= '0' && digit <= '9')
		*value = (uint32_t)(digit - '0');
	else if (digit >= 'a' && digit <= 'f')
		*value = (uint32_t)(digit - 'a' + 10);
	else if (digit >= 'A' && digit <= 'F')
		*value = (uint32_t)(digit - 'A' + 10);
	else
		return false;
	return true;
}

static bool read_field(const char *header, uint32_t field, uint32_t *value)
{
	const char *digits = header + MAGIC_BYTES + field * FIELD_DIGITS;
	uint32_t result = 0;

	for (uint32_t i = 0; i < FIELD_DIGITS; i++) {
		uint32_t digit;

		if (!read_digit(digits[i], &digit))
			return false;
		result = result << 4 | digit;
	}
	*value = result;
	return true;
}

static bool is_magic(const char *header)
{
	static const char magic[MAGIC_BYTES - 1] = { '0', '7', '0', '7', '0' };

	for (uint32_t i = 0; i < sizeof(magic); i++)
		if (header[i] != magic[i])
			return false;
	return header[MAGIC_BYTES - 1] == '1' || header[MAGIC_BYTES - 1] == '2';
}

/* A name has a character at least, its NUL at the end, and none before. */
static bool is_name(const char *name, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		if (name[i] == 0)
			return i > 0 && i == bytes - 1;
	return false;
}

static uint64_t align_up(uint64_t offset)
{
	return (offset + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static const char *skip_dot(const char *name)
{
	return name[0] == '.' && name[1] == '/' && name[2] ? name + 2 : name;
}

/* See archive.h. */
status_t archive_next(
	const void *archive, uint64_t archive_bytes, uint64_t *offset, struct archive_file *file)
{
	uint64_t at = *offset, name_at, data_at;
	const char *header, *name;
	uint32_t name_bytes, file_bytes, mode;

	if (archive_bytes > ARCHIVE_MAX || at > archive_bytes || archive_bytes - at < HEADER_BYTES)
		return ST_BAD_FORMAT;
	header = (const char *)archive + at;
	if (!is_magic(header) || !read_field(header, FIELD_MODE, &mode) ||
		!read_field(header, FIELD_FILE_BYTES, &file_bytes) ||
		!read_field(header, FIELD_NAME_BYTES, &name_bytes))
		return ST_BAD_FORMAT;
	name_at = at + HEADER_BYTES;
	name = header + HEADER_BYTES;
	if (name_bytes > archive_bytes - name_at || !is_name(name, name_bytes))
		return ST_BAD_FORMAT;
	if (is_equal(name, trailer))
		return ST_NOT_FOUND;
	data_at = align_up(name_at + name_bytes);
	if (data_at > archive_bytes || file_bytes > archive_bytes - data_at)
		return ST_BAD_FORMAT;
	*file = (struct archive_file){
		.name = skip_dot(name),
		.data = (const uint8_t *)archive + data_at,
		.bytes = file_bytes,
		.mode = mode,
	};
	*offset = align_up(data_at + file_bytes);
	return ST_OK;
}

/* See archive.h. */
status_t archive_find(
	const void *archive, uint64_t archive_bytes, const char *name, struct archive_file *file)
{
	struct archive_file here;
	uint64_t offset = 0;
	status_t status;

	while ((status = archive_next(archive, archive_bytes, &offset, &here)) == ST_OK) {
		if (is_equal(here.name, skip_dot(name))) {
			*file = here;
			return ST_OK;
		}
	}
	return status;
}
