/*
 * The file server: names of the boot archive's files, and reading them.
 *
 * A file's data are an object of the pager, put there by init; this server passes reads on, and the
 * payload comes back through one message page without being looked at.  There are no open files: a
 * file is its object id, and only ids of this directory can be read.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "directory.h"
#include <call.h>
#include <faultline/protocol/files.h>
#include <faultline/protocol/pager.h>
#include <faultline/slots.h>
#include <server/print.h>
#include <server/request.h>
#include <server/start.h>
#include <server/string.h>

static enum handled answer(struct message *message, status_t status, uint32_t bytes)
{
	reply_prepare(message, status, bytes);
	return HANDLED_ANSWER;
}

static enum handled answer_file(struct message *message, const struct file *file, uint32_t bytes)
{
	message->w[0] = file->object;
	message->w[1] = file->bytes;
	message->w[2] = file->mode;
	return answer(message, ST_OK, bytes);
}

static enum handled handle_add(struct message *message)
{
	const struct file contents = {
		.object = message->w[0], .bytes = message->w[1], .mode = (uint32_t)message->w[2]
	};

	if (!(message->badge & BADGE_SYSTEM))
		return answer(message, ST_NO_ACCESS, 0);
	return answer(message, directory_add(MESSAGE_PAGE, TAG_BYTES(message->tag), &contents), 0);
}

static enum handled handle_open(struct message *message)
{
	const struct file *file = directory_find(MESSAGE_PAGE, TAG_BYTES(message->tag));

	return file ? answer_file(message, file, 0) : answer(message, ST_NOT_FOUND, 0);
}

static enum handled handle_read(struct message *message)
{
	const struct file *file = directory_find_object(message->w[0]);
	uint64_t offset = message->w[1], bytes = message->w[2];
	struct message request = { .tag = tag_make(PAGER_OBJECT_READ, 0),
		.w = { message->w[0], offset } };
	status_t status;

	if (!file)
		return answer(message, ST_NOT_FOUND, 0);
	if (bytes > PAGE_SIZE)
		return answer(message, ST_BAD_ARGUMENT, 0);
	if (offset >= file->bytes || bytes == 0)
		return answer(message, ST_OK, 0);
	request.w[2] = bytes < file->bytes - offset ? bytes : file->bytes - offset;
	status = request_call(SLOT_PAGER, &request);
	return answer(message, status, status == ST_OK ? TAG_BYTES(request.tag) : 0);
}

static enum handled handle_list(struct message *message)
{
	const struct file *file = directory_at(message->w[0]);

	if (!file)
		return answer(message, ST_NOT_FOUND, 0);
	memcpy(MESSAGE_PAGE, file->name, file->name_bytes);
	return answer_file(message, file, file->name_bytes);
}

static enum handled handle_request(struct message *message)
{
	switch (TAG_LABEL(message->tag)) {
	case FILES_ADD:
		return handle_add(message);
	case FILES_OPEN:
		return handle_open(message);
	case FILES_READ:
		return handle_read(message);
	case FILES_LIST:
		return handle_list(message);
	default:
		return answer(message, ST_BAD_CALL, 0);
	}
}

int main(uint64_t argument)
{
	static const struct server_handlers handlers = { .request = handle_request };

	(void)argument; /* the same work in every system */
	server_set_name("files");
	server_loop(SLOT_SELF, &handlers);
}
