/*
 * Fuzz target `loader_stack`: the initial stack of a program.
 *
 * Input: 8 bytes (how the number of strings that is claimed differs from what is there, how they
 * divide into arguments and environment, the top of the stack), then the strings.  A stack that
 * is built must hold what loader.h pictures: counts, pointers to the very strings in order, the
 * auxiliary vector, and an aligned rsp.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "exact.h"
#include "fuzz.h"
#include <faultline/layout.h>
#include <loader.h>

#define CHOICES 8u

static const struct elf_image image = {
	.entry = 0x401234, .headers_address = 0x400040, .header_count = 5
};

static uint64_t word_at(const struct loader_stack *stack, uint64_t index)
{
	uint64_t word;

	FUZZ_CHECK(index * 8 + 8 <= stack->bytes);
	memcpy(&word, stack->buffer + index * 8, 8);
	return word;
}

/* `count` pointers from *index on, each to the next string; a null behind. */
static void check_pointers(
	const struct loader_stack *stack, uint64_t *index, uint32_t count, const char **text)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t place = word_at(stack, (*index)++) - stack->address;
		size_t bytes = strlen(*text) + 1;

		FUZZ_CHECK(place < stack->bytes && bytes <= stack->bytes - place);
		FUZZ_CHECK(memcmp(stack->buffer + place, *text, bytes) == 0);
		*text += bytes;
	}
	FUZZ_CHECK(word_at(stack, (*index)++) == 0);
}

static void check_auxiliary(const struct loader_stack *stack, uint64_t index)
{
	const uint64_t expected[][2] = { { AT_PHDR, image.headers_address }, { AT_PHENT, 56 },
		{ AT_PHNUM, image.header_count }, { AT_PAGESZ, PAGE_SIZE },
		{ AT_ENTRY, image.entry }, { AT_NULL, 0 } };

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++, index += 2) {
		FUZZ_CHECK(word_at(stack, index) == expected[i][0]);
		FUZZ_CHECK(word_at(stack, index + 1) == expected[i][1]);
	}
}

static void check_stack(
	const struct loader_stack *stack, uint64_t top, const struct loader_strings *strings)
{
	const char *text = strings->text;
	uint64_t index = 0;

	FUZZ_CHECK(stack->bytes <= LOADER_STACK_MAX);
	FUZZ_CHECK(stack->address + stack->bytes == top && stack->address % 16 == 0);
	FUZZ_CHECK(word_at(stack, index++) == strings->argument_count);
	check_pointers(stack, &index, strings->argument_count, &text);
	check_pointers(stack, &index, strings->environment_count, &text);
	check_auxiliary(stack, index);
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_bytes choices = { data, data + bytes };
	uint32_t wrong = (uint32_t)fuzz_take(&choices, 1),
		 divide = (uint32_t)fuzz_take(&choices, 2);
	uint64_t top = LAYOUT_STACK_TOP - 16 * fuzz_take(&choices, 4);
	size_t text_bytes = bytes < CHOICES ? 0 : bytes - CHOICES;
	char *text = (char *)exact_copy(data + (bytes - text_bytes), text_bytes);
	struct loader_strings strings = { .text = text, .bytes = (uint32_t)text_bytes };
	struct loader_stack stack = { .buffer = aligned_alloc(16, LOADER_STACK_MAX + 16) };
	uint32_t count = 0;
	status_t status = loader_strings_count(text, strings.bytes, &count);
	bool ends = text_bytes == 0 || text[text_bytes - 1] == '\0';

	FUZZ_CHECK(stack.buffer && (status == ST_OK) == ends);
	strings.argument_count = count ? divide % (count + 1) : 0;
	strings.environment_count = count - strings.argument_count;
	if (wrong >= 224)
		strings.environment_count += wrong;
	status = loader_stack_build(&stack, top, &strings, &image);
	if (text_bytes > LOADER_STRINGS_MAX)
		FUZZ_CHECK(status == ST_LIMIT);
	else
		FUZZ_CHECK(status == (ends && wrong < 224 ? ST_OK : ST_BAD_ARGUMENT));
	if (status == ST_OK)
		check_stack(&stack, top, &strings);
	free(stack.buffer);
	free(text);
	fuzz_count(1);
	fuzz_count_input();
	return 0;
}
