/*
 * Reading the headers of a static ELF64 x86-64 program.
 *
 * What comes out can be loaded without another look: every range lies where it must, no sum
 * overflows, segments ascend, no two share a page, none is writable and executable.  What a program
 * that was linked for this system never has (a dynamic loader, positions still to be chosen) is
 * refused with a reason.
 *
 * The file is copied field by field by fixed offsets through memory copies of the structures, so
 * the head may have any alignment.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <faultline/archive.h>
#include <faultline/layout.h>
#include <faultline/protocol/pager.h>

struct elf_header {
	uint8_t magic[4];
	uint8_t class, data, ident_version, abi, abi_version, pad[7];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, headers_offset, sections_offset;
	uint32_t flags;
	uint16_t header_bytes, program_header_bytes, program_headers;
	uint16_t section_header_bytes, section_headers, names_section;
};

struct elf_program_header {
	uint32_t type, flags;
	uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64's header");
_Static_assert(sizeof(struct elf_program_header) == 56, "ELF64's program header");

#define CLASS_64	2
#define DATA_LITTLE	1
#define VERSION_CURRENT 1
#define TYPE_EXECUTABLE 2
#define MACHINE_X86_64	62

enum { TYPE_LOAD = 1, TYPE_INTERPRETER = 3, TYPE_TLS = 7 };
enum { FLAG_EXEC = 1, FLAG_WRITE = 2, FLAG_READ = 4 };

#define HEADERS_MAX 64u /* what fits the 4096 bytes that need to be read */

/* The file being read, and what was wrong with it. */
struct elf_file {
	const uint8_t *head;
	uint64_t head_bytes, file_bytes;
	const char *why;
};

static status_t refuse(struct elf_file *file, const char *why)
{
	file->why = why;
	return ST_BAD_FORMAT;
}

/* Copies bytes that are known to lie in the head. */
static void read_bytes(const struct elf_file *file, uint64_t offset, void *to, uint64_t bytes)
{
	uint8_t *target = to;

	for (uint64_t i = 0; i < bytes; i++)
		target[i] = file->head[offset + i];
}

static bool fits(uint64_t offset, uint64_t bytes, uint64_t limit)
{
	return offset <= limit && bytes <= limit - offset;
}

static status_t read_header(struct elf_file *file, struct elf_header *header)
{
	static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (file->head_bytes < sizeof(*header) || file->file_bytes < file->head_bytes)
		return refuse(file, "shorter than an ELF header");
	read_bytes(file, 0, header, sizeof(*header));
	for (uint32_t i = 0; i < sizeof(magic); i++)
		if (header->magic[i] != magic[i])
			return refuse(file, "no ELF file");
	if (header->class != CLASS_64 || header->data != DATA_LITTLE ||
		header->machine != MACHINE_X86_64)
		return refuse(file, "not for x86-64");
	if (header->ident_version != VERSION_CURRENT || header->version != VERSION_CURRENT)
		return refuse(file, "unknown version of ELF");
	if (header->type != TYPE_EXECUTABLE)
		return refuse(file, "no static executable at a fixed address");
	if (header->program_header_bytes != sizeof(struct elf_program_header))
		return refuse(file, "program headers of unknown size");
	if (header->program_headers == 0 || header->program_headers > HEADERS_MAX)
		return refuse(file, "no program headers, or too many");
	if (!fits(header->headers_offset,
		    (uint64_t)header->program_headers * sizeof(struct elf_program_header),
		    file->head_bytes))
		return refuse(file, "program headers outside the start of the file");
	return ST_OK;
}

static uint32_t protection_of(uint32_t flags)
{
	return (flags & FLAG_READ ? (uint32_t)MAP_READ : 0) |
	       (flags & FLAG_WRITE ? (uint32_t)MAP_WRITE : 0) |
	       (flags & FLAG_EXEC ? (uint32_t)MAP_EXEC : 0);
}

static uint64_t page_end(const struct elf_segment *segment)
{
	return (segment->address + segment->memory_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static status_t check_load(struct elf_file *file, const struct elf_program_header *load)
{
	if (load->file_bytes > load->memory_bytes)
		return refuse(file, "a segment has more bytes in the file than in memory");
	if (!fits(load->offset, load->file_bytes, file->file_bytes))
		return refuse(file, "a segment lies outside the file");
	if (load->address < LAYOUT_USER_MIN ||
		!fits(load->address, load->memory_bytes, LAYOUT_USER_END))
		return refuse(file, "a segment lies outside the addresses of programs");
	if (load->offset % PAGE_SIZE != load->address % PAGE_SIZE)
		return refuse(file, "a segment is not congruent to its place in the file");
	if ((load->flags & FLAG_WRITE) && (load->flags & FLAG_EXEC))
		return refuse(file, "a segment is writable and executable");
	if (protection_of(load->flags) == 0)
		return refuse(file, "a segment has no access rights");
	return ST_OK;
}

static status_t add_load(
	struct elf_file *file, const struct elf_program_header *load, struct elf_image *image)
{
	const struct elf_segment *last;
	status_t status;

	if (load->memory_bytes == 0)
		return load->file_bytes ? refuse(file, "a segment without memory has bytes")
					: ST_OK;
	status = check_load(file, load);
	if (status != ST_OK)
		return status;
	if (image->segment_count == ELF_SEGMENTS_MAX)
		return refuse(file, "too many segments");
	last = image->segment_count ? &image->segments[image->segment_count - 1] : NULL;
	if (last && load->address < page_end(last))
		return refuse(file, "segments share a page or do not ascend");
	image->segments[image->segment_count++] = (struct elf_segment){
		.address = load->address,
		.memory_bytes = load->memory_bytes,
		.file_offset = load->offset,
		.file_bytes = load->file_bytes,
		.protection = protection_of(load->flags),
	};
	return ST_OK;
}

static status_t add_tls(
	struct elf_file *file, const struct elf_program_header *tls, struct elf_image *image)
{
	uint64_t align = tls->align ? tls->align : 1;

	if (image->tls_align)
		return refuse(file, "more than one TLS segment");
	if (tls->file_bytes > tls->memory_bytes || tls->memory_bytes > LAYOUT_USER_END)
		return refuse(file, "the TLS segment has a wrong size");
	if ((align & (align - 1)) || align > PAGE_SIZE)
		return refuse(file, "the TLS segment has a wrong alignment");
	image->tls_address = tls->address;
	image->tls_file_bytes = tls->file_bytes;
	image->tls_memory_bytes = tls->memory_bytes;
	image->tls_align = align;
	return ST_OK;
}

static status_t read_program_header(struct elf_file *file, uint64_t offset, struct elf_image *image)
{
	struct elf_program_header header;

	read_bytes(file, offset, &header, sizeof(header));
	switch (header.type) {
	case TYPE_LOAD:
		return add_load(file, &header, image);
	case TYPE_TLS:
		return add_tls(file, &header, image);
	case TYPE_INTERPRETER:
		return refuse(file, "dynamically linked");
	default:
		return ST_OK;
	}
}

/* The segment whose bytes from the file hold all of this range of memory. */
static const struct elf_segment *segment_at(
	const struct elf_image *image, uint64_t address, uint64_t bytes)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (address >= segment->address &&
			fits(address - segment->address, bytes, segment->file_bytes))
			return segment;
	}
	return NULL;
}

/* Where the program headers can be read in memory, or 0. */
static uint64_t headers_address(const struct elf_image *image, uint64_t offset, uint64_t bytes)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if ((segment->protection & MAP_READ) && offset >= segment->file_offset &&
			fits(offset - segment->file_offset, bytes, segment->file_bytes))
			return segment->address + (offset - segment->file_offset);
	}
	return 0;
}

static status_t check_image(struct elf_file *file, const struct elf_image *image)
{
	const struct elf_segment *text = segment_at(image, image->entry, 1);
	const struct elf_segment *tls =
		segment_at(image, image->tls_address, image->tls_file_bytes);

	if (image->segment_count == 0)
		return refuse(file, "nothing to load");
	if (!text || !(text->protection & MAP_EXEC))
		return refuse(file, "the entry lies outside the executable segments");
	if (image->tls_file_bytes && (!tls || !(tls->protection & MAP_READ)))
		return refuse(file, "the TLS image lies outside the segments");
	return ST_OK;
}

static status_t read_image(struct elf_file *file, struct elf_image *image)
{
	struct elf_header header;
	status_t status = read_header(file, &header);

	if (status != ST_OK)
		return status;
	image->entry = header.entry;
	for (uint32_t i = 0; i < header.program_headers; i++) {
		status = read_program_header(
			file, header.headers_offset + i * sizeof(struct elf_program_header), image);
		if (status != ST_OK)
			return status;
	}
	image->header_count = header.program_headers;
	image->headers_address = headers_address(image, header.headers_offset,
		header.program_headers * sizeof(struct elf_program_header));
	return check_image(file, image);
}

/* See archive.h.  *image is written on success only. */
status_t elf_read(const void *head, uint64_t head_bytes, uint64_t file_bytes,
	struct elf_image *image, const char **why)
{
	struct elf_file file = { .head = head, .head_bytes = head_bytes, .file_bytes = file_bytes };
	struct elf_image result = { 0 };
	status_t status = read_image(&file, &result);

	if (status == ST_OK)
		*image = result;
	else if (why)
		*why = file.why;
	return status;
}
