/*
 * Wired programs: spaces built by raw operations.
 *
 * Contents go through one staging page of init's own: filled by the processor, copied by the kernel
 * into the new frame.  No frame of a wired program is ever mapped in init's space.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "wired.h"

#include "frames.h"
#include "operations.h"
#include "slots.h"
#include <faultline/layout.h>
#include <faultline/op.h>
#include <faultline/protocol/pager.h>
#include <server/status.h>
#include <server/string.h>

static _Alignas(4096) uint8_t staging[PAGE_SIZE];

static status_t thread_set(const struct wired *wired, uint32_t field, uint64_t a, uint64_t b)
{
	return operation_run(operation(OP_THREAD_SET, wired->thread, field, a, b));
}

static status_t set_entry(pfn_t table, uint32_t index, uint64_t entry)
{
	return operation_run(operation(OP_SET, table, index, entry, 0));
}

static pfn_t find_table(const struct wired *wired, uint32_t level, uint64_t prefix)
{
	for (uint32_t i = 0; i < wired->table_count; i++) {
		if (wired->tables[i].level == level && wired->tables[i].prefix == prefix)
			return wired->tables[i].pfn;
	}
	return 0;
}

/* A new table of that level for an address, linked into its parent. */
static status_t make_table(
	struct wired *wired, uint64_t address, uint32_t level, pfn_t parent, pfn_t *table)
{
	struct wired_table made = { level, address >> (PAGE_SHIFT + 9 * level), 0 };
	frame_type_t type = (frame_type_t)(FRAME_L1 + level - 1);
	status_t status;

	if (wired->table_count == WIRED_TABLES_MAX)
		return ST_LIMIT;
	status = frames_make(wired->pool, type, &made.pfn);
	if (status == ST_OK)
		status = set_entry(parent, table_index(address, level + 1),
			pte_make(made.pfn, PTE_P | PTE_W | PTE_U));
	if (status != ST_OK)
		return status;
	wired->tables[wired->table_count++] = made;
	*table = made.pfn;
	return ST_OK;
}

/* The leaf table for an address; tables on the way are made where they are missing. */
static status_t leaf_table(struct wired *wired, uint64_t address, pfn_t *leaf)
{
	pfn_t parent = wired->top;

	for (uint32_t level = LAYOUT_LEVELS - 1; level >= 1; level--) {
		pfn_t table = find_table(wired, level, address >> (PAGE_SHIFT + 9 * level));
		status_t status = ST_OK;

		if (table == 0)
			status = make_table(wired, address, level, parent, &table);
		if (status != ST_OK)
			return status;
		parent = table;
	}
	*leaf = parent;
	return ST_OK;
}

static status_t map_frame(struct wired *wired, uint64_t address, pfn_t pfn, uint64_t bits)
{
	pfn_t table;
	status_t status = leaf_table(wired, address, &table);

	return status == ST_OK ? set_entry(table, table_index(address, 1), pte_make(pfn, bits))
			       : status;
}

/* Maps a new frame with the contents of the staging page. */
static status_t map_staged(struct wired *wired, uint64_t address, uint64_t bits)
{
	pfn_t source, target = 0;
	status_t status = frames_behind(staging, &source);

	if (status == ST_OK)
		status = frames_make(wired->pool, FRAME_DATA, &target);
	if (status == ST_OK)
		status = operation_run(operation(OP_COPY_FRAME, source, 0, target, 0));
	return status == ST_OK ? map_frame(wired, address, target, bits) : status;
}

/* See the header. */
status_t wired_map_zeros(struct wired *wired, uint64_t address, uint32_t pages)
{
	status_t status = ST_OK;

	for (uint32_t i = 0; i < pages && status == ST_OK; i++) {
		pfn_t pfn;

		status = frames_make(wired->pool, FRAME_DATA, &pfn);
		if (status == ST_OK)
			status = map_frame(wired, address + i * PAGE_SIZE, pfn, WIRED_READ_WRITE);
	}
	return status;
}

/* See the header. */
status_t wired_map_copy(struct wired *wired, uint64_t address, const void *source, uint32_t bytes)
{
	memset(staging, 0, PAGE_SIZE);
	memcpy(staging, source, bytes);
	return map_staged(wired, address, WIRED_READ_ONLY);
}

static uint64_t segment_bits(const struct elf_segment *segment)
{
	if (segment->protection & MAP_WRITE)
		return WIRED_READ_WRITE;
	return segment->protection & MAP_EXEC ? WIRED_EXECUTE : WIRED_READ_ONLY;
}

/* The part of a segment's file bytes that lies in the page at `address` goes to the staging
   page. */
static void stage_page(const struct elf_segment *segment, const uint8_t *data, uint64_t address)
{
	uint64_t file_end = segment->address + segment->file_bytes;
	uint64_t from = address > segment->address ? address : segment->address;
	uint64_t to = address + PAGE_SIZE < file_end ? address + PAGE_SIZE : file_end;

	memset(staging, 0, PAGE_SIZE);
	if (from < to)
		memcpy(staging + (from - address),
			data + segment->file_offset + (from - segment->address), to - from);
}

static status_t map_segment(
	struct wired *wired, const struct elf_segment *segment, const uint8_t *data)
{
	uint64_t address = segment->address & ~(PAGE_SIZE - 1);
	uint64_t end = segment->address + segment->memory_bytes;
	status_t status = ST_OK;

	for (; address < end && status == ST_OK; address += PAGE_SIZE) {
		stage_page(segment, data, address);
		status = map_staged(wired, address, segment_bits(segment));
	}
	return status;
}

/* See the header. */
status_t wired_load(struct wired *wired, const struct archive_file *file, const char **why)
{
	struct elf_image image;
	status_t status = elf_read(file->data, file->bytes, file->bytes, &image, why);

	if (status != ST_OK)
		return status;
	for (uint32_t i = 0; status == ST_OK && i < image.segment_count; i++)
		status = map_segment(wired, &image.segments[i], file->data);
	*why = status_text(status);
	wired->entry = image.entry;
	return status;
}

static status_t create_message_page(struct wired *wired)
{
	status_t status = frames_make(wired->pool, FRAME_MSG, &wired->message);

	if (status == ST_OK)
		status = map_frame(wired, LAYOUT_MESSAGE, wired->message, WIRED_READ_WRITE);
	return status == ST_OK ? thread_set(wired, THREAD_FIELD_MESSAGE, wired->message, 0)
			       : status;
}

static status_t set_name(const struct wired *wired)
{
	uint64_t words[2] = { 0, 0 };

	memcpy(words, wired->name, strnlen(wired->name, sizeof(words) - 1));
	return thread_set(wired, THREAD_FIELD_NAME, words[0], words[1]);
}

/* See the header. */
status_t wired_create(struct wired *wired, const struct wired_kind *kind)
{
	status_t status;

	memset(wired, 0, sizeof(*wired));
	wired->name = kind->name;
	wired->pool = kind->pool;
	status = frames_make(kind->pool, FRAME_FREE, &wired->space);
	if (status == ST_OK)
		status = frames_make(kind->pool, FRAME_FREE, &wired->top);
	if (status == ST_OK)
		status = frames_make(kind->pool, FRAME_FREE, &wired->thread);
	if (status == ST_OK)
		status = operation_run(
			operation(OP_SPACE_CREATE, wired->space, 0, wired->top, kind->space_word));
	if (status == ST_OK)
		status = operation_run(operation(
			OP_THREAD_CREATE, wired->thread, 0, wired->space, kind->priority));
	if (status == ST_OK)
		status = set_name(wired);
	return status == ST_OK ? create_message_page(wired) : status;
}

/* See the header. */
status_t wired_link_table(struct wired *wired, uint32_t slot, pfn_t table)
{
	return set_entry(wired->top, slot, pte_make(table, PTE_P | PTE_W | PTE_U));
}

/* See the header. */
status_t wired_watch(const struct wired *wired, uint64_t badge)
{
	status_t status = thread_set(wired, THREAD_FIELD_FAULT_PORT, INIT_SLOT_PORT, badge);

	return status == ST_OK
		       ? thread_set(wired, THREAD_FIELD_EXCEPTION_PORT, INIT_SLOT_PORT, badge)
		       : status;
}

/* See the header. */
status_t wired_set_handle(
	const struct wired *wired, uint32_t slot, uint32_t source, uint32_t rights, uint64_t badge)
{
	return operation_run(operation(
		OP_HANDLE_SET, wired->space, slot, source | ((uint64_t)rights << 16), badge));
}

/* See the header. */
status_t wired_start(const struct wired *wired, uint64_t stack_top, uint64_t argument)
{
	status_t status = thread_set(wired, THREAD_FIELD_START, wired->entry, stack_top);

	if (status == ST_OK)
		status = thread_set(wired, THREAD_FIELD_ARGUMENTS, argument, 0);
	if (status == ST_OK)
		status = operation_run(operation(OP_THREAD_START, wired->thread, 0, 0, 0));
	return status;
}
