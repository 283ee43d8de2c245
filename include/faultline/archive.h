/*
 * Readers of the boot archive (cpio, "newc") and of ELF64 programs.  Pure functions over a byte
 * range that may be damaged in any way: they never read outside it.  Implemented in lib/format,
 * compiled into the kernel, the servers, and for the host (tests, fuzzers).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_ARCHIVE_H
#define FAULTLINE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "status.h"

struct archive_file {
	const char *name; /* ends with NUL inside the archive; a leading "./" is skipped */
	const uint8_t *data;
	uint64_t bytes;
	uint32_t mode;
};

/* The file at *offset (start with 0); *offset moves on.  NOT_FOUND at the trailer, BAD_FORMAT when damaged. */
status_t archive_next(const void *archive, uint64_t archive_bytes, uint64_t *offset, struct archive_file *file) MUST_CHECK;
status_t archive_find(const void *archive, uint64_t archive_bytes, const char *name, struct archive_file *file) MUST_CHECK;

#define ELF_SEGMENTS_MAX 8
struct elf_segment {
	uint64_t address, memory_bytes; /* address..+memory_bytes inside the user range, pages of segments disjoint */
	uint64_t file_offset, file_bytes; /* file_bytes <= memory_bytes; offset = address modulo the page size */
	uint32_t protection;              /* MAP_READ|WRITE|EXEC of protocol/pager.h; never WRITE and EXEC */
};
struct elf_image {
	uint64_t entry;                  /* inside an executable segment */
	uint64_t headers_address;        /* of the program headers in memory, 0 when not loaded (AT_PHDR) */
	uint32_t header_count;
	uint32_t segment_count;
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending */
	uint64_t tls_address, tls_file_bytes, tls_memory_bytes, tls_align; /* PT_TLS, 0 when none */
};

/* Reads the headers out of the first head_bytes bytes (at most 4096 needed) of a file of file_bytes.  Static ELF64
   x86-64 executables only.  BAD_FORMAT, with *why = a sentence for people (may be NULL). */
status_t elf_read(const void *head, uint64_t head_bytes, uint64_t file_bytes, struct elf_image *image, const char **why) MUST_CHECK;

#endif
