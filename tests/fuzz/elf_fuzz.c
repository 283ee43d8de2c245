/*
 * Fuzz target `elf`: the reader of programs.
 *
 * Input: 8 bytes of choices, an ELF header (64 bytes), program headers (56 bytes each).  With MEND
 * the fields that every program has alike are put right first, so that most inputs come further.
 * The reader gets exactly its bytes, at any alignment.
 *
 * What it takes must be as <faultline/archive.h> promises, checked here from the promise; what it
 * refuses has a reason and leaves the image alone.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "exact.h"
#include "fuzz.h"
#include <elf.h>
#include <faultline/archive.h>
#include <faultline/layout.h>
#include <faultline/protocol/pager.h>

#define CHOICES 8u
enum { MEND = 1, SHIFT = 2, SHORT = 4 };

FUZZ_RECORDS(CHOICES + sizeof(Elf64_Ehdr), sizeof(Elf64_Phdr))

static void mend(uint8_t *head, size_t bytes)
{
	Elf64_Ehdr header;

	if (bytes < sizeof(header))
		return;
	memcpy(&header, head, sizeof(header));
	memcpy(header.e_ident, "\177ELF\2\1\1", 7);
	header.e_type = ET_EXEC;
	header.e_machine = EM_X86_64;
	header.e_version = EV_CURRENT;
	header.e_phentsize = sizeof(Elf64_Phdr);
	header.e_phoff = sizeof(header);
	header.e_phnum = (uint16_t)((bytes - sizeof(header)) / sizeof(Elf64_Phdr));
	memcpy(head, &header, sizeof(header));
}

/* Types and flags come small, places near each other, so that headers mean something. */
static void mend_program(uint8_t *at)
{
	Elf64_Phdr program;

	memcpy(&program, at, sizeof(program));
	if (program.p_align & 0x8000)
		return;
	program.p_type &= 7;
	program.p_flags &= 7;
	program.p_vaddr &= 0xffffff;
	program.p_vaddr += 0x400000;
	program.p_filesz &= 0xffff;
	program.p_memsz = program.p_filesz + (program.p_memsz & 0xffff);
	program.p_offset = (program.p_offset & 0x7f000) | (program.p_vaddr & 0xfff);
	memcpy(at, &program, sizeof(program));
}

/* ---- the promises ---- */

static uint64_t page_of(uint64_t address)
{
	return address / PAGE_SIZE;
}

static void check_segment(
	const struct elf_segment *segment, const struct elf_segment *before, uint64_t file_bytes)
{
	uint32_t both = MAP_WRITE | MAP_EXEC;

	FUZZ_CHECK(segment->memory_bytes != 0);
	FUZZ_CHECK(segment->address >= LAYOUT_USER_MIN && segment->address < LAYOUT_USER_END);
	FUZZ_CHECK(segment->memory_bytes <= LAYOUT_USER_END - segment->address);
	FUZZ_CHECK(segment->file_bytes <= segment->memory_bytes);
	FUZZ_CHECK(segment->file_offset <= file_bytes);
	FUZZ_CHECK(segment->file_bytes <= file_bytes - segment->file_offset);
	FUZZ_CHECK(segment->file_offset % PAGE_SIZE == segment->address % PAGE_SIZE);
	FUZZ_CHECK((segment->protection & both) != both && segment->protection != 0);
	FUZZ_CHECK((segment->protection & ~(both | MAP_READ)) == 0);
	if (before)
		FUZZ_CHECK(page_of(segment->address) >
			   page_of(before->address + before->memory_bytes - 1));
}

static bool lies_in(const struct elf_segment *segment, uint64_t address, uint64_t bytes)
{
	return address >= segment->address && bytes <= segment->file_bytes &&
	       address - segment->address <= segment->file_bytes - bytes;
}

static void check_image(const struct elf_image *image, uint64_t file_bytes)
{
	uint64_t header_bytes = image->header_count * sizeof(Elf64_Phdr);
	bool entry = false, tls = image->tls_file_bytes == 0, headers = image->headers_address == 0;

	FUZZ_CHECK(image->segment_count >= 1 && image->segment_count <= ELF_SEGMENTS_MAX);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		check_segment(segment, i ? segment - 1 : NULL, file_bytes);
		entry |= lies_in(segment, image->entry, 1) && (segment->protection & MAP_EXEC);
		tls |= lies_in(segment, image->tls_address, image->tls_file_bytes) &&
		       (segment->protection & MAP_READ);
		headers |= lies_in(segment, image->headers_address, header_bytes) &&
			   (segment->protection & MAP_READ);
	}
	FUZZ_CHECK(entry && tls && headers);
	FUZZ_CHECK(image->tls_file_bytes <= image->tls_memory_bytes);
	FUZZ_CHECK(image->tls_align <= PAGE_SIZE && !(image->tls_align & (image->tls_align - 1)));
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_bytes choices = { data, data + bytes };
	uint32_t flags = (uint32_t)fuzz_take(&choices, 4), size = (uint32_t)fuzz_take(&choices, 4);
	size_t head_bytes = bytes < CHOICES ? 0 : bytes - CHOICES, shift = flags & SHIFT ? 1 : 0;
	uint64_t file_bytes = flags & SHORT ? size % 8192 : head_bytes + size;
	struct elf_image image, untouched;
	const char *why = NULL;
	uint8_t *copy = malloc(head_bytes + shift + 1);

	FUZZ_CHECK(copy != NULL);
	if (head_bytes)
		memcpy(copy + shift, data + CHOICES, head_bytes);
	if (flags & MEND) {
		mend(copy + shift, head_bytes);
		for (size_t at = sizeof(Elf64_Ehdr); at + sizeof(Elf64_Phdr) <= head_bytes;
			at += sizeof(Elf64_Phdr))
			mend_program(copy + shift + at);
	}
	uint8_t *exact = exact_copy(copy, head_bytes + shift);

	memset(&image, 0xa5, sizeof(image));
	untouched = image;
	if (elf_read(exact + shift, head_bytes, file_bytes, &image, &why) == ST_OK) {
		check_image(&image, file_bytes);
	} else {
		FUZZ_CHECK(why != NULL && why[0] != '\0');
		FUZZ_CHECK(memcmp(&image, &untouched, sizeof(image)) == 0);
	}
	free(exact);
	free(copy);
	fuzz_count(1);
	fuzz_count_input();
	return 0;
}
