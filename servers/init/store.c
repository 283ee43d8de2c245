/*
 * The boot archive's files as objects of the pager.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "store.h"

#include <call.h>
#include <faultline/protocol/files.h>
#include <faultline/protocol/pager.h>
#include <faultline/slots.h>
#include <server/request.h>
#include <server/status.h>
#include <server/string.h>

#define MODE_TYPE      0170000u
#define MODE_REGULAR   0100000u
#define NAME_BYTES_MAX 255u

static struct stored_file files[STORE_FILES_MAX];
static uint32_t file_count;
static uint64_t byte_count;

static const char *base_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static status_t create_object(struct stored_file *file)
{
	struct name_words name = name_words(base_name(file->name));
	struct message message = {
		.tag = tag_make(PAGER_OBJECT_CREATE, 0),
		.w = { file->bytes, name.words[0], name.words[1] },
	};
	status_t status = request_call(SLOT_PAGER, &message);

	if (status == ST_OK)
		file->object = message.w[0];
	return status;
}

static status_t write_object(const struct stored_file *file, const uint8_t *data)
{
	for (uint64_t offset = 0; offset < file->bytes; offset += PAGE_SIZE) {
		uint64_t left = file->bytes - offset;
		uint32_t now = left < PAGE_SIZE ? (uint32_t)left : (uint32_t)PAGE_SIZE;
		struct message message = {
			.tag = tag_make(PAGER_OBJECT_WRITE, now),
			.w = { file->object, offset },
		};
		status_t status;

		memcpy(MESSAGE_PAGE, data + offset, now);
		status = request_call(SLOT_PAGER, &message);
		if (status != ST_OK)
			return status;
	}
	return ST_OK;
}

static void store_file(const struct archive_file *from)
{
	struct stored_file *file = &files[file_count];
	status_t status = ST_OK;

	if ((from->mode & MODE_TYPE) != MODE_REGULAR)
		return;
	if (strnlen(from->name, NAME_BYTES_MAX + 1) > NAME_BYTES_MAX)
		init_fail(
			"a file name in the boot archive is longer than %u bytes", NAME_BYTES_MAX);
	if (file_count == STORE_FILES_MAX)
		init_fail("more than %u files in the boot archive", STORE_FILES_MAX);
	*file = (struct stored_file){ from->name, 0, from->bytes, from->mode };
	if (file->bytes > 0)
		status = create_object(file);
	if (status == ST_OK)
		status = write_object(file, from->data);
	if (status != ST_OK)
		init_fail("cannot unpack %s (%lu bytes): %s", from->name, from->bytes,
			status_text(status));
	file_count++;
	byte_count += file->bytes;
}

/* See the header. */
void store_unpack(void)
{
	struct archive_file file;
	uint64_t offset = 0;
	status_t status;

	for (;;) {
		status = archive_next((const void *)init_boot->archive_address,
			init_boot->archive_bytes, &offset, &file);
		if (status != ST_OK)
			break;
		store_file(&file);
	}
	if (status != ST_NOT_FOUND)
		init_fail("the boot archive is damaged behind byte %lu", offset);
}

/* Files unpacked. */
uint32_t store_count(void)
{
	return file_count;
}

/* Bytes unpacked. */
uint64_t store_bytes(void)
{
	return byte_count;
}

/* See the header. */
const struct stored_file *store_find_in(const char *folder, const char *name)
{
	size_t length = strlen(folder);

	for (uint32_t i = 0; i < file_count; i++) {
		if (strncmp(files[i].name, folder, length) == 0 &&
			strcmp(files[i].name + length, name) == 0)
			return &files[i];
	}
	return NULL;
}

/* See the header. */
const struct stored_file *store_find(const char *name)
{
	return store_find_in("", name);
}

/* See the header. */
status_t store_announce(handle_t file_server)
{
	status_t status = ST_OK;

	for (uint32_t i = 0; i < file_count && status == ST_OK; i++) {
		uint32_t bytes = (uint32_t)strlen(files[i].name);
		struct message message = {
			.tag = tag_make(FILES_ADD, bytes),
			.w = { files[i].object, files[i].bytes, files[i].mode },
		};

		memcpy(MESSAGE_PAGE, files[i].name, bytes);
		status = request_call(file_server, &message);
	}
	return status;
}
