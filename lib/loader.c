/*
 * The loader: requests to the pager that build a program's space.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "loader.h"

#include "call.h"
#include "server/request.h"
#include "server/string.h"
#include <faultline/protocol/pager.h>

#define PAGE_MASK (PAGE_SIZE - 1)

static uint64_t page_down(uint64_t address)
{
	return address & ~PAGE_MASK;
}

static uint64_t page_up(uint64_t address)
{
	return page_down(address + PAGE_MASK);
}

static status_t read_headers(
	const struct loader_program *program, struct elf_image *image, const char **why)
{
	uint64_t bytes = program->object_bytes < PAGE_SIZE ? program->object_bytes : PAGE_SIZE;
	struct message message = {
		.tag = tag_make(PAGER_OBJECT_READ, 0),
		.w = { program->object, 0, bytes },
	};
	status_t status = request_call(program->pager, &message);

	if (status != ST_OK)
		return status;
	return elf_read(MESSAGE_PAGE, TAG_BYTES(message.tag), program->object_bytes, image, why);
}

struct mapping {
	uint64_t address, bytes, flags, object, offset;
};

static status_t map(const struct loader_program *program, const struct mapping *mapping)
{
	struct message message = {
		.tag = tag_make(PAGER_SPACE_MAP, 0),
		.w = { program->space, mapping->address, mapping->bytes,
			mapping->flags | MAP_NO_REPLACE, mapping->object, mapping->offset },
	};

	return request_call(program->pager, &message);
}

/* Writes into the space as the program would, page by page of payload.  source NULL: zeros. */
static status_t write_space(const struct loader_program *program, uint64_t address,
	const uint8_t *source, uint64_t bytes)
{
	while (bytes > 0) {
		uint32_t now = bytes < PAGE_SIZE ? (uint32_t)bytes : (uint32_t)PAGE_SIZE;
		struct message message = {
			.tag = tag_make(PAGER_SPACE_WRITE, now),
			.w = { program->space, address },
		};
		status_t status;

		if (source) {
			memcpy(MESSAGE_PAGE, source, now);
			source += now;
		} else {
			memset(MESSAGE_PAGE, 0, now);
		}
		status = request_call(program->pager, &message);
		if (status != ST_OK)
			return status;
		address += now;
		bytes -= now;
	}
	return ST_OK;
}

/* Pages that hold bytes of the file, then pages of zeros; the page that holds both is made
   private by a write. */
static status_t map_segment(
	const struct loader_program *program, const struct elf_segment *segment, const char **why)
{
	uint64_t start = page_down(segment->address);
	uint64_t file_end = segment->address + segment->file_bytes;
	uint64_t zero_start = segment->file_bytes > 0 ? page_up(file_end) : start;
	uint64_t end = page_up(segment->address + segment->memory_bytes);
	uint64_t tail = segment->file_bytes > 0 ? zero_start - file_end : 0;
	status_t status = ST_OK;

	if (segment->memory_bytes > segment->file_bytes && tail > 0 &&
		!(segment->protection & MAP_WRITE)) {
		*why = "a segment without write permission has bytes that are not in the file";
		return ST_BAD_FORMAT;
	}
	if (zero_start > start)
		status = map(
			program, &(struct mapping){ start, zero_start - start, segment->protection,
					 program->object, page_down(segment->file_offset) });
	if (status == ST_OK && end > zero_start)
		status = map(program, &(struct mapping){ zero_start, end - zero_start,
					      segment->protection, 0, 0 });
	if (status == ST_OK && segment->memory_bytes > segment->file_bytes && tail > 0)
		status = write_space(program, file_end, NULL, tail);
	return status;
}

static status_t map_segments(
	const struct loader_program *program, const struct elf_image *image, const char **why)
{
	const struct elf_segment *last = &image->segments[image->segment_count - 1];
	struct message heap = { .tag = tag_make(PAGER_SPACE_HEAP, 0) };

	for (uint32_t i = 0; i < image->segment_count; i++) {
		status_t status = map_segment(program, &image->segments[i], why);

		if (status != ST_OK)
			return status;
	}
	heap.w[0] = program->space;
	heap.w[1] = page_up(last->address + last->memory_bytes);
	return request_call(program->pager, &heap);
}

static status_t make_stack(const struct loader_program *program, const struct elf_image *image,
	uint64_t *stack_pointer)
{
	struct loader_stack stack = { .buffer = program->stack_buffer };
	status_t status = loader_stack_build(&stack, LAYOUT_STACK_TOP, &program->strings, image);

	if (status != ST_OK)
		return status;
	status = map(
		program, &(struct mapping){ LAYOUT_STACK_TOP - program->stack_bytes,
				 program->stack_bytes, MAP_READ | MAP_WRITE | MAP_STACK, 0, 0 });
	if (status != ST_OK)
		return status;
	*stack_pointer = stack.address;
	return write_space(program, stack.address, stack.buffer, stack.bytes);
}

static status_t set_name(const struct loader_program *program)
{
	struct message message = { .tag = tag_make(PAGER_SPACE_NAME, 0), .w = { program->space } };

	memcpy(&message.w[1], program->name, strnlen(program->name, 15));
	return request_call(program->pager, &message);
}

/* See the header. */
status_t loader_load(
	const struct loader_program *program, struct loader_start *start, const char **why)
{
	struct elf_image image;
	status_t status;

	*why = NULL;
	status = read_headers(program, &image, why);
	if (status == ST_OK)
		status = map_segments(program, &image, why);
	if (status == ST_OK)
		status = make_stack(program, &image, &start->stack);
	if (status == ST_OK)
		status = set_name(program);
	if (status == ST_OK)
		start->entry = image.entry;
	return status;
}

/* Starts the program's thread, with its argument in rdi. */
status_t loader_run(
	const struct loader_program *program, const struct loader_start *start, uint64_t argument)
{
	struct message message = {
		.tag = tag_make(PAGER_SPACE_START, 0),
		.w = { program->space, start->entry, start->stack, argument, 0 },
	};

	return request_call(program->pager, &message);
}
