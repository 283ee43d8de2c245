/*
 * Fuzz target `line`: the console's line editing.
 *
 * Input: two bytes of choices, then keys.  A byte 0xfd types the one before it 200 times more;
 * 0xfe or 0xff is a reader that takes a portion (all of it, or a few bytes); other bytes are typed
 * while there is room.  A second editor, written from the list of keys with plain arrays, keeps
 * what readers are to get; portions must be exactly that.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../../servers/console/line.h"
#include "fuzz.h"
#include <string.h>

#define ITEMS_MAX 8192u
#define END	  256u /* Ctrl-D among the items */

static struct line_editor editor;

static struct {
	uint16_t items[ITEMS_MAX]; /* finished, from `first` on */
	uint32_t first, count;
	uint8_t edited[LINE_EDIT_MAX];
	uint32_t edited_bytes;
	enum { PLAIN, AFTER_ESCAPE, IN_SEQUENCE } state;
	uint8_t last;
} model;

static void model_finish(uint16_t end)
{
	for (uint32_t i = 0; i < model.edited_bytes; i++)
		model.items[model.count++] = model.edited[i];
	model.items[model.count++] = end;
	model.edited_bytes = 0;
}

static void model_erase(void)
{
	uint8_t gone;

	do {
		if (model.edited_bytes == 0)
			return;
		gone = model.edited[--model.edited_bytes];
	} while (gone >= 0x80 && gone < 0xc0);
}

/* True: the byte is part of a sequence. */
static bool model_escape(uint8_t byte)
{
	bool control = byte < 0x20;

	if (model.state == PLAIN) {
		if (byte == 0x1b)
			model.state = AFTER_ESCAPE;
		return byte == 0x1b;
	}
	if (model.state == AFTER_ESCAPE)
		model.state = byte == '[' || byte == 'O' ? IN_SEQUENCE : PLAIN;
	else if (control || byte >= 0x40)
		model.state = PLAIN;
	return !control;
}

static void model_type(uint8_t byte)
{
	bool second = byte == '\n' && model.last == '\r';

	model.last = byte;
	if (model_escape(byte) || second)
		return;
	if (byte == '\r' || byte == '\n')
		model_finish('\n');
	else if (byte == 4)
		model_finish(END);
	else if (byte == 3)
		model.edited_bytes = model.first = model.count = 0;
	else if (byte == 8 || byte == 0x7f)
		model_erase();
	else if (byte == 0x15)
		model.edited_bytes = 0;
	else if ((byte >= 0x20 || byte == '\t') && model.edited_bytes < LINE_EDIT_MAX)
		model.edited[model.edited_bytes++] = byte == '\t' ? ' ' : byte;
}

static void read_portion(uint32_t most)
{
	char buffer[LINE_QUEUE_MAX];
	struct line_portion portion = line_look(&editor, buffer, most);
	uint32_t at = 0;

	FUZZ_CHECK(portion.bytes <= most && portion.items >= portion.bytes);
	for (; at < portion.items; at++) {
		uint16_t item = model.items[model.first + at];

		FUZZ_CHECK(model.first + at < model.count);
		FUZZ_CHECK(at < portion.bytes ? item == (uint8_t)buffer[at] : item == END);
		FUZZ_CHECK(at == portion.items - 1 || (item != '\n' && item != END));
	}
	FUZZ_CHECK(portion.items > 0);
	line_drop(&editor, portion);
	model.first += portion.items;
	if (model.first == model.count)
		model.first = model.count = 0;
}

static void check_editor(void)
{
	uint32_t lines = 0;

	for (uint32_t i = model.first; i < model.count; i++)
		lines += model.items[i] == '\n' || model.items[i] == END;
	FUZZ_CHECK(editor.lines == lines && line_is_ready(&editor) == (lines != 0));
	FUZZ_CHECK(editor.queue_count == model.count - model.first);
	FUZZ_CHECK(editor.edited_bytes == model.edited_bytes);
	FUZZ_CHECK(memcmp(editor.edited, model.edited, model.edited_bytes) == 0);
	FUZZ_CHECK(editor.shown_bytes <= (editor.echo ? LINE_ECHO_MAX : 0));
}

static void type(uint8_t byte)
{
	if (!line_has_room(&editor)) {
		FUZZ_CHECK(line_is_ready(&editor));
		read_portion(LINE_QUEUE_MAX);
		return;
	}
	if (model.first > 0 && model.count + LINE_EDIT_MAX + 1 > ITEMS_MAX) {
		memmove(model.items, model.items + model.first,
			(model.count - model.first) * sizeof(model.items[0]));
		model.count -= model.first;
		model.first = 0;
	}
	(void)line_type(&editor, byte);
	model_type(byte);
}

/* Lines get long. */
static void type_often(uint8_t byte)
{
	for (uint32_t i = 0; i < 200 && byte < 0xfd; i++)
		type(byte);
	fuzz_count(200);
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint32_t most = bytes > 1 ? 1u + data[1] % 40 : 1;

	memset(&editor, 0, sizeof(editor));
	memset(&model, 0, sizeof(model));
	editor.echo = bytes > 0 && (data[0] & 1);
	for (size_t i = 2; i < bytes; i++) {
		if (data[i] == 0xfd)
			type_often(data[i - 1]);
		else if (data[i] < 0xfd)
			type(data[i]);
		else if (line_is_ready(&editor))
			read_portion(data[i] == 0xfe ? LINE_QUEUE_MAX : most);
		if (i % 16 == 0)
			check_editor();
	}
	check_editor();
	fuzz_count(bytes);
	fuzz_count_input();
	return 0;
}
