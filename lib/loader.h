/*
 * The loader: a program of the file server becomes the contents of a pager's space.
 *
 *   stack top  LAYOUT_STACK_TOP
 *              strings: path's arguments and environment, each with its NUL
 *              (padding to 16)
 *              auxiliary vector, ends with AT_NULL
 *              environment pointers, NULL
 *              argument pointers, NULL
 *      rsp ->  argument count
 *
 * File pages are mapped privately from the file's object, not copied; the part of a last file
 * page that is already bss is zeroed in the space's private copy.  Everything is done by requests
 * to the pager, so the loader serves init and proc alike.  A failure leaves a space half built:
 * destroy it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_LOADER_H
#define LIB_LOADER_H

#include <faultline/archive.h>
#include <faultline/call.h>
#include <faultline/status.h>
#include <stddef.h>
#include <stdint.h>

/* Types of auxiliary vector entries, as the System V ABI numbers them. */
enum { AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_ENTRY = 9 };

#define LOADER_STRINGS_MAX 4096u /* bytes of arguments and environment together */
/* Pointers, padding and auxiliary vector: at worst every string is empty. */
#define LOADER_STACK_MAX (LOADER_STRINGS_MAX * 9u + 256u)

/* Arguments, then environment: strings that end with NUL one behind the other. */
struct loader_strings {
	const char *text;
	uint32_t bytes;
	uint32_t argument_count, environment_count;
};

/* The initial contents of the stack, made in `buffer`, to lie at `address`. */
struct loader_stack {
	uint8_t *buffer; /* 16-byte aligned, LOADER_STACK_MAX bytes */
	uint32_t bytes;
	uint64_t address; /* = initial rsp */
};

/* How many strings end inside text[0..bytes), when the last byte is a NUL (or there is none);
   else BAD_ARGUMENT. */
status_t loader_strings_count(const char *text, uint32_t bytes, uint32_t *count) MUST_CHECK;

/* Fills in the stack.  BAD_ARGUMENT when the strings are not as many as said, LIMIT when too
   long. */
status_t loader_stack_build(struct loader_stack *stack, uint64_t top,
	const struct loader_strings *strings, const struct elf_image *image) MUST_CHECK;

struct loader_program {
	handle_t pager; /* with BADGE_SYSTEM */
	uint64_t space;
	uint64_t object; /* the file */
	uint64_t object_bytes;
	uint64_t stack_bytes; /* mapped at first; below, a program's stack grows by faults */
	const char *name;     /* shown by `maps` and reports */
	struct loader_strings strings;
	uint8_t *stack_buffer; /* 16-byte aligned, LOADER_STACK_MAX bytes, used during the call */
};
struct loader_start {
	uint64_t entry, stack;
};

/* Builds the space; then loader_run starts it.  *why = a sentence when the file is no program
   (else NULL). Uses the message page: the strings must lie elsewhere. */
status_t loader_load(const struct loader_program *program, struct loader_start *start,
	const char **why) MUST_CHECK;
status_t loader_run(const struct loader_program *program, const struct loader_start *start,
	uint64_t argument) MUST_CHECK;

#endif
