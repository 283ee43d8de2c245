/*
 * Fuzz target `script`: the parser of boot scripts.
 *
 * Input: the text.  What is taken has the promised form (names unique and short, ports and
 * interrupts in range, as many arguments as NULs); what is refused names a line that exists, and a
 * reason.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../../servers/init/script.h"
#include "exact.h"
#include "fuzz.h"

static struct script script;

static void check_server(const struct script_entry *entry)
{
	FUZZ_CHECK(memchr(entry->name, '\0', SCRIPT_NAME_BYTES) != NULL);
	FUZZ_CHECK(entry->name[0] != '\0' && !strchr(entry->name, '/'));
	FUZZ_CHECK(entry->io_first <= 0xffff && entry->io_count <= 0x10000 - entry->io_first);
	FUZZ_CHECK(entry->irq_mask <= 0xffff && entry->frames <= SCRIPT_FRAMES_MAX);
	for (const struct script_entry *other = script.entries; other < entry; other++)
		FUZZ_CHECK(other->kind == SCRIPT_SPAWN || strcmp(other->name, entry->name) != 0);
}

static void check_spawn(const struct script_entry *entry)
{
	uint32_t count = 0;

	FUZZ_CHECK(entry->argument_bytes > 1 && entry->argument_bytes <= SCRIPT_ARGUMENTS_BYTES);
	FUZZ_CHECK(entry->arguments[entry->argument_bytes - 1] == '\0');
	for (uint32_t i = 0; i < entry->argument_bytes; i++) {
		count += entry->arguments[i] == '\0';
		FUZZ_CHECK(entry->arguments[i] != '\n' && entry->arguments[i] != ' ');
	}
	FUZZ_CHECK(count == entry->argument_count && count <= SCRIPT_ARGUMENTS_MAX);
}

static uint32_t lines_of(const uint8_t *text, size_t bytes)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	return lines;
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *text = exact_copy(data, bytes);
	uint32_t lines = lines_of(data, bytes), line = 0;

	if (script_parse(&script, (const char *)text, bytes) == ST_OK) {
		FUZZ_CHECK(script.count > 0 && script.count <= SCRIPT_ENTRIES_MAX && !script.error);
		for (const struct script_entry *entry = script.entries;
			entry < script.entries + script.count; entry++) {
			FUZZ_CHECK(entry->line > line && entry->line <= lines);
			line = entry->line;
			if (entry->kind == SCRIPT_SPAWN)
				check_spawn(entry);
			else
				check_server(entry);
		}
	} else {
		FUZZ_CHECK(script.error && script.error_line >= 1 && script.error_line <= lines);
	}
	free(text);
	fuzz_count(1);
	fuzz_count_input();
	return 0;
}
