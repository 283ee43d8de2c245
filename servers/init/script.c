/*
 * The boot script's parser: line by line, word by word.
 *
 * Every helper returns NULL, or the sentence that says what is wrong with the line.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "script.h"

#include <server/string.h>

#define IO_PORTS  0x10000u
#define IRQ_LINES 16u

struct word {
	const char *text;
	uint32_t bytes; /* 0: the line is at its end */
};

struct line {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct word next_word(struct line *line)
{
	struct word word;

	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	word.text = line->at;
	while (line->at < line->end && !is_blank(*line->at))
		line->at++;
	word.bytes = (uint32_t)(line->at - word.text);
	return word;
}

static bool word_is(struct word word, const char *text)
{
	return word.bytes == strlen(text) && memcmp(word.text, text, word.bytes) == 0;
}

static uint32_t digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (uint32_t)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (uint32_t)(c - 'A') + 10;
	return UINT32_MAX;
}

/* A whole word as a number below 2^32. */
static bool word_number(struct word word, uint32_t *number)
{
	uint32_t base = 10, i = 0;
	uint64_t value = 0;

	if (word.bytes > 2 && word.text[0] == '0' && word.text[1] == 'x') {
		base = 16;
		i = 2;
	}
	if (i == word.bytes)
		return false;
	for (; i < word.bytes; i++) {
		uint32_t digit = digit_value(word.text[i]);

		if (digit >= base)
			return false;
		value = value * base + digit;
		if (value > UINT32_MAX)
			return false;
	}
	*number = (uint32_t)value;
	return true;
}

static const char *read_name(struct line *line, struct script_entry *entry)
{
	struct word word = next_word(line);

	if (word.bytes == 0)
		return "a server's name is missing";
	if (word.bytes >= SCRIPT_NAME_BYTES)
		return "the server's name is too long";
	if (memchr(word.text, '\0', word.bytes) || memchr(word.text, '/', word.bytes))
		return "the server's name may not hold a slash or NUL";
	memcpy(entry->name, word.text, word.bytes);
	return NULL;
}

static const char *read_io(struct line *line, struct script_entry *entry)
{
	struct word first = next_word(line), count = next_word(line);

	if (entry->io_count != 0)
		return "only one range of I/O ports for a server";
	if (!word_number(first, &entry->io_first) || !word_number(count, &entry->io_count))
		return "io needs two numbers: first port and count";
	if (entry->io_count == 0 || entry->io_first >= IO_PORTS ||
		entry->io_count > IO_PORTS - entry->io_first)
		return "I/O ports lie between 0 and 0xffff";
	return NULL;
}

static const char *read_irq(struct line *line, struct script_entry *entry)
{
	uint32_t number;

	if (!word_number(next_word(line), &number) || number >= IRQ_LINES)
		return "irq needs a line from 0 to 15";
	entry->irq_mask |= 1u << number;
	return NULL;
}

static const char *read_server(struct line *line, struct script_entry *entry)
{
	const char *error = read_name(line, entry);
	struct word word;

	if (error)
		return error;
	entry->kind = SCRIPT_SERVER;
	word = next_word(line);
	entry->essential = word_is(word, "essential");
	if (!entry->essential && !word_is(word, "restart"))
		return "restart or essential must follow the server's name";
	for (word = next_word(line); word.bytes > 0; word = next_word(line)) {
		if (word_is(word, "io"))
			error = read_io(line, entry);
		else if (word_is(word, "irq"))
			error = read_irq(line, entry);
		else
			error = "unknown word; a server may have io and irq";
		if (error)
			return error;
	}
	return NULL;
}

static const char *read_raw(struct line *line, struct script_entry *entry)
{
	const char *error = read_name(line, entry);

	if (error)
		return error;
	entry->kind = SCRIPT_RAW;
	if (!word_is(next_word(line), "frames") || !word_number(next_word(line), &entry->frames))
		return "frames and a number must follow the raw server's name";
	if (entry->frames > SCRIPT_FRAMES_MAX)
		return "too many frames";
	return next_word(line).bytes > 0 ? "unknown word at the end of the line" : NULL;
}

static const char *read_spawn(struct line *line, struct script_entry *entry)
{
	entry->kind = SCRIPT_SPAWN;
	for (struct word word = next_word(line); word.bytes > 0; word = next_word(line)) {
		if (entry->argument_count == SCRIPT_ARGUMENTS_MAX ||
			word.bytes >= SCRIPT_ARGUMENTS_BYTES - entry->argument_bytes)
			return "the command is too long";
		if (memchr(word.text, '\0', word.bytes))
			return "a command may not hold NUL";
		memcpy(entry->arguments + entry->argument_bytes, word.text, word.bytes);
		entry->argument_bytes += word.bytes;
		entry->arguments[entry->argument_bytes++] = '\0';
		entry->argument_count++;
	}
	return entry->argument_count == 0 ? "a program's path is missing" : NULL;
}

static const char *read_line(struct script *script, struct line line)
{
	struct word word = next_word(&line);
	struct script_entry *entry = &script->entries[script->count];
	const char *error;

	if (word.bytes == 0 || word.text[0] == '#')
		return NULL;
	if (script->count == SCRIPT_ENTRIES_MAX)
		return "too many lines";
	memset(entry, 0, sizeof(*entry));
	entry->line = script->error_line;
	if (word_is(word, "server"))
		error = read_server(&line, entry);
	else if (word_is(word, "raw"))
		error = read_raw(&line, entry);
	else if (word_is(word, "spawn"))
		error = read_spawn(&line, entry);
	else
		error = "a line begins with server, raw, spawn or #";
	if (!error)
		script->count++;
	return error;
}

/* A name twice would be two servers on one port. */
static const char *check_names(struct script *script)
{
	for (uint32_t i = 0; i < script->count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			const struct script_entry *one = &script->entries[i],
						  *other = &script->entries[j];

			if (one->kind == SCRIPT_SPAWN || other->kind == SCRIPT_SPAWN ||
				strcmp(one->name, other->name) != 0)
				continue;
			script->error_line = one->line;
			return "this server is started before already";
		}
	}
	return NULL;
}

/* See the header. */
status_t script_parse(struct script *script, const char *text, uint64_t bytes)
{
	const char *end = text + bytes;

	script->count = 0;
	script->error = NULL;
	script->error_line = 0;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct line line = { text, newline ? newline : end };

		script->error_line++;
		script->error = read_line(script, line);
		if (script->error)
			return ST_BAD_FORMAT;
		text = newline ? newline + 1 : end;
	}
	if (script->count == 0) {
		script->error_line = 1;
		script->error = "nothing to start";
		return ST_BAD_FORMAT;
	}
	script->error = check_names(script);
	return script->error ? ST_BAD_FORMAT : ST_OK;
}
