/*
 * What a process runs: fork, exec, spawn.
 *
 * exec builds the new space beside the old one.  Only when nothing can fail any more does the
 * process change over: the new thread is started and the old space, with the thread that asked,
 * is destroyed.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "proc.h"
#include <call.h>
#include <faultline/layout.h>
#include <faultline/protocol/files.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <faultline/slots.h>
#include <loader.h>
#include <server/status.h>
#include <server/string.h>

/* What to run, out of one request. */
struct image {
	const char *path;
	struct loader_strings strings;
	uint64_t object, object_bytes;
	uint64_t space; /* once it is made */
};

static char strings[PAGE_SIZE]; /* of the request: the message page is needed for other things */
/* Room for arguments and the first calls; LOADER_STACK_MAX fits. */
#define STACK_FIRST_BYTES 0x20000u
_Static_assert(LOADER_STACK_MAX <= STACK_FIRST_BYTES, "arguments fit the first stack");

static _Alignas(16) uint8_t stack_buffer[LOADER_STACK_MAX];

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The path and the strings behind it. */
static status_t read_request(const struct message *message, struct image *image)
{
	uint32_t bytes = TAG_BYTES(message->tag), path_bytes, found;
	uint64_t arguments = message->w[0], environment = message->w[1];
	status_t status;

	memcpy(strings, MESSAGE_PAGE, bytes);
	status = loader_strings_count(strings, bytes, &found);
	if (status != ST_OK)
		return status;
	if (found == 0 || arguments > found || environment > found ||
		1 + arguments + environment != found)
		return ST_BAD_ARGUMENT;
	path_bytes = (uint32_t)strlen(strings) + 1;
	image->path = strings;
	image->strings = (struct loader_strings){
		.text = strings + path_bytes,
		.bytes = bytes - path_bytes,
		.argument_count = (uint32_t)arguments,
		.environment_count = (uint32_t)environment,
	};
	return ST_OK;
}

static status_t find_file(struct image *image)
{
	uint32_t bytes = (uint32_t)strlen(image->path);
	struct message message = { .tag = tag_make(FILES_OPEN, bytes) };
	status_t status;

	memcpy(MESSAGE_PAGE, image->path, bytes);
	status = request_call(SLOT_FILES, &message);
	if (status != ST_OK)
		return status;
	image->object = message.w[0];
	image->object_bytes = message.w[1];
	return image->object != 0 ? ST_OK : ST_BAD_FORMAT; /* an empty file has no object */
}

static status_t create_space(struct image *image, const struct process *process)
{
	struct message message = {
		.tag = tag_make(PAGER_SPACE_CREATE, 0),
		.w = { process_badge(process), CLASS_PROGRAM, 0 },
	};
	status_t status = request_call(SLOT_PAGER, &message);

	if (status == ST_OK)
		image->space = message.w[0];
	return status;
}

static status_t load_and_run(const struct image *image)
{
	const struct loader_program program = {
		.pager = SLOT_PAGER,
		.space = image->space,
		.object = image->object,
		.object_bytes = image->object_bytes,
		.stack_bytes = STACK_FIRST_BYTES,
		.name = base_name(image->path),
		.strings = image->strings,
		.stack_buffer = stack_buffer,
	};
	struct loader_start start;
	const char *why;
	status_t status = loader_load(&program, &start, &why);

	if (status == ST_BAD_FORMAT && why)
		proc_print("%s: not a program: %s", image->path, why);
	return status == ST_OK ? loader_run(&program, &start, 0) : status;
}

/* A space of the process that runs what the request names; or nothing has happened. */
static status_t make_image(
	const struct message *message, const struct process *process, struct image *image)
{
	status_t status = read_request(message, image);

	if (status == ST_OK)
		status = find_file(image);
	if (status == ST_OK)
		status = create_space(image, process);
	if (status != ST_OK)
		return status;
	status = load_and_run(image);
	if (status != ST_OK)
		space_destroy(image->space);
	return status;
}

/* The new program runs; the old space goes, and with it the thread that waits for our answer. */
enum handled handle_exec(struct message *message, struct process *process)
{
	struct image image = { 0 };
	uint64_t old_space = process->space;
	status_t status = make_image(message, process, &image);

	if (status != ST_OK)
		return proc_answer(message, status);
	process->space = image.space;
	process_set_name(process, base_name(image.path));
	space_destroy(old_space);
	return HANDLED_LATER;
}

/* A new process; parent NULL: asked by init, nobody's child. */
enum handled handle_spawn(struct message *message, struct process *parent)
{
	struct process *process = process_create(parent);
	struct image image = { 0 };
	status_t status;

	if (!process)
		return proc_answer(message, ST_LIMIT);
	process->by_system = parent == NULL;
	status = make_image(message, process, &image);
	if (status != ST_OK) {
		process_free(process);
		return proc_answer(message, status);
	}
	process->space = image.space;
	process_set_name(process, base_name(image.path));
	message->w[0] = process->pid;
	return proc_answer(message, ST_OK);
}

/* The child answers itself, with 0: the pager copies the thread that waits here. */
enum handled handle_fork(struct message *message, struct process *process)
{
	struct process *child = process_create(process);
	struct message request = { .tag = tag_make(PAGER_SPACE_FORK, 0) };
	status_t status;

	if (!child)
		return proc_answer(message, ST_LIMIT);
	process_set_name(child, process->name);
	request.w[0] = process->space;
	request.w[1] = process_badge(child);
	status = request_call(SLOT_PAGER, &request);
	if (status != ST_OK) {
		process_free(child);
		return proc_answer(message, status);
	}
	child->space = request.w[0];
	message->w[0] = child->pid;
	return proc_answer(message, ST_OK);
}
