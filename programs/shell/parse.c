/*
 * From a line of text to commands.
 *
 *   line     command { (";" | "&" | "&&" | "||") command }
 *   command  words, separated by blanks; may be empty before ";" or the end
 *   word     characters, 'as they are', "with \" and \\ and $?", or \ and any character
 *   # at the start of a word: the rest is a comment
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shell.h"
#include <stdio.h>
#include <string.h>

struct parser {
	const char *from;
	char *to;	 /* where the next character of a word goes */
	const char *end; /* of that text */
	int last_status;
	const char *error;
};

static void put(struct parser *parser, char character)
{
	if (parser->to < parser->end)
		*parser->to++ = character;
	else
		parser->error = "line too long";
}

static void put_status(struct parser *parser)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", parser->last_status);
	for (const char *digit = digits; *digit; digit++)
		put(parser, *digit);
}

/* One character outside of '': a backslash takes the next as it is, $? is the last status. */
static void take_character(struct parser *parser)
{
	if (parser->from[0] == '$' && parser->from[1] == '?') {
		put_status(parser);
		parser->from += 2;
		return;
	}
	if (parser->from[0] == '\\' && parser->from[1])
		parser->from++;
	put(parser, *parser->from++);
}

/* A quoted part; from stands on the opening quote. */
static void take_quoted(struct parser *parser)
{
	char quote = *parser->from++;

	while (*parser->from && *parser->from != quote) {
		if (quote == '\'')
			put(parser, *parser->from++);
		else
			take_character(parser);
	}
	if (*parser->from)
		parser->from++;
	else
		parser->error = "a quote is not closed";
}

static void take_word(struct parser *parser)
{
	while (*parser->from && !strchr(" \t;&|", *parser->from) && !parser->error) {
		if (*parser->from == '\'' || *parser->from == '"')
			take_quoted(parser);
		else
			take_character(parser);
	}
	put(parser, 0);
}

static void skip_blanks(struct parser *parser)
{
	while (*parser->from == ' ' || *parser->from == '\t')
		parser->from++;
	if (*parser->from == '#')
		parser->from += strlen(parser->from);
}

static joint_t take_joint(struct parser *parser)
{
	static const struct {
		const char *text;
		joint_t joint;
	} joints[] = { { "&&", JOINT_AND }, { "||", JOINT_OR }, { ";", JOINT_THEN },
		{ "&", JOINT_BACKGROUND } };

	for (unsigned i = 0; i < sizeof(joints) / sizeof(joints[0]); i++)
		if (strncmp(parser->from, joints[i].text, strlen(joints[i].text)) == 0) {
			parser->from += strlen(joints[i].text);
			return joints[i].joint;
		}
	if (*parser->from == '|')
		parser->error = "there are no pipes";
	return JOINT_END;
}

static bool is_end_of_command(const struct parser *parser)
{
	return !*parser->from || strchr(";&|", *parser->from);
}

/* See shell.h. */
bool parse_command(const char **rest, int last_status, struct command *command, const char **error)
{
	struct parser parser = {
		.from = *rest,
		.to = command->text,
		.end = command->text + sizeof(command->text),
		.last_status = last_status,
	};

	command->count = 0;
	skip_blanks(&parser);
	while (!is_end_of_command(&parser) && !parser.error) {
		if (command->count == WORDS_MAX) {
			parser.error = "too many words";
			break;
		}
		command->words[command->count++] = parser.to;
		take_word(&parser);
		skip_blanks(&parser);
	}
	command->words[command->count] = NULL;
	command->joint = take_joint(&parser);
	if (command->count == 0 && command->joint != JOINT_END && command->joint != JOINT_THEN &&
		!parser.error)
		parser.error = "a command is missing";
	*rest = parser.from;
	*error = parser.error;
	return !parser.error;
}
