/*
 * The initial stack of a program: argument count, pointers, auxiliary vector, strings.
 *
 * Pure: builds the bytes and computes the addresses; whoever loads the program writes them there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "loader.h"

#include "server/string.h"

#include <faultline/layout.h>

#define ELF_HEADER_ENTRY_BYTES 56u /* one program header of ELF64 */
#define STACK_ALIGN	       16u

/* See the header. */
status_t loader_strings_count(const char *text, uint32_t bytes, uint32_t *count)
{
	uint32_t found = 0;

	if (bytes > 0 && text[bytes - 1] != '\0')
		return ST_BAD_ARGUMENT;
	for (uint32_t i = 0; i < bytes; i++)
		found += text[i] == '\0';
	*count = found;
	return ST_OK;
}

/* Puts `count` pointers to the strings from *text on, and a null; moves *text behind them. */
static uint64_t *put_pointers(uint64_t *word, uint32_t count, const char **text, uint64_t *address)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t bytes = strlen(*text) + 1;

		*word++ = *address;
		*text += bytes;
		*address += bytes;
	}
	*word++ = 0;
	return word;
}

static void put_auxiliary(uint64_t *word, const struct elf_image *image)
{
	const uint64_t entries[][2] = {
		{ AT_PHDR, image->headers_address },
		{ AT_PHENT, ELF_HEADER_ENTRY_BYTES },
		{ AT_PHNUM, image->headers_address != 0 ? image->header_count : 0 },
		{ AT_PAGESZ, PAGE_SIZE },
		{ AT_ENTRY, image->entry },
		{ AT_NULL, 0 },
	};

	memcpy(word, entries, sizeof(entries));
}
#define AUXILIARY_WORDS 12u

/* See the header. */
status_t loader_stack_build(struct loader_stack *stack, uint64_t top,
	const struct loader_strings *strings, const struct elf_image *image)
{
	uint32_t count, words,
		string_room = (strings->bytes + STACK_ALIGN - 1) & ~(STACK_ALIGN - 1);
	const char *text = strings->text;
	uint64_t address, *word;
	status_t status;

	if (strings->bytes > LOADER_STRINGS_MAX)
		return ST_LIMIT;
	status = loader_strings_count(text, strings->bytes, &count);
	if (status != ST_OK)
		return status;
	if ((uint64_t)strings->argument_count + strings->environment_count != count)
		return ST_BAD_ARGUMENT;

	words = 1 + count + 2 + AUXILIARY_WORDS;
	words += words & 1; /* keeps rsp 16-byte aligned */
	stack->bytes = words * 8 + string_room;
	stack->address = top - stack->bytes;
	memset(stack->buffer, 0, stack->bytes);
	memcpy(stack->buffer + words * 8, text, strings->bytes);

	address = stack->address + words * 8;
	word = (uint64_t *)(void *)stack->buffer;
	*word++ = strings->argument_count;
	word = put_pointers(word, strings->argument_count, &text, &address);
	word = put_pointers(word, strings->environment_count, &text, &address);
	put_auxiliary(word, image);
	return ST_OK;
}
