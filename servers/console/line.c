/*
 * Line editing.
 *
 * Keys: Enter ends the line; Backspace takes a character (all bytes of a UTF-8 one), Ctrl-U the
 * line; Ctrl-D hands the line over as it is, an empty one is the end of file; Ctrl-C drops
 * everything typed. Escape sequences (arrow keys ...) and other control characters are skipped.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "line.h"

#define MARK_END 0x100u /* Ctrl-D in the queue */

enum {
	KEY_INTERRUPT = 0x03,
	KEY_END = 0x04,
	KEY_BACKSPACE = 0x08,
	KEY_TAB = 0x09,
	KEY_KILL = 0x15,
	KEY_ESCAPE = 0x1b,
	KEY_DELETE = 0x7f
};

enum { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_SEQUENCE };

static void show(struct line_editor *editor, const char *text)
{
	for (; editor->echo && *text != '\0'; text++)
		editor->shown[editor->shown_bytes++] = *text;
}

static void queue_put(struct line_editor *editor, uint16_t item)
{
	editor->queue[(editor->queue_first + editor->queue_count) % LINE_QUEUE_MAX] = item;
	editor->queue_count++;
	if (item == '\n' || item == MARK_END)
		editor->lines++;
}

/* The edited line goes to the readers; `end` is a newline or the mark. */
static enum line_event finish(struct line_editor *editor, uint16_t end)
{
	for (uint32_t i = 0; i < editor->edited_bytes; i++)
		queue_put(editor, (uint8_t)editor->edited[i]);
	editor->edited_bytes = 0;
	queue_put(editor, end);
	return LINE_FINISHED;
}

static bool is_continuation(char c)
{
	return ((uint8_t)c & 0xc0u) == 0x80u;
}

static void erase(struct line_editor *editor)
{
	if (editor->edited_bytes == 0)
		return;
	do {
		editor->edited_bytes--;
	} while (editor->edited_bytes > 0 && is_continuation(editor->edited[editor->edited_bytes]));
	show(editor, "\b \b");
}

static enum line_event interrupt(struct line_editor *editor)
{
	editor->edited_bytes = 0;
	editor->queue_count = 0;
	editor->lines = 0;
	show(editor, "^C\n");
	return LINE_INTERRUPT;
}

static void insert(struct line_editor *editor, uint8_t byte)
{
	char text[2] = { (char)(byte == KEY_TAB ? ' ' : byte), '\0' };

	if (byte < 0x20 && byte != KEY_TAB)
		return;
	if (editor->edited_bytes == LINE_EDIT_MAX) {
		show(editor, "\a");
		return;
	}
	editor->edited[editor->edited_bytes++] = text[0];
	show(editor, text);
}

/* True: the byte belongs to an escape sequence. */
static bool skip_escape(struct line_editor *editor, uint8_t byte)
{
	switch (editor->escape) {
	case ESCAPE_BEGUN:
		editor->escape = byte == '[' || byte == 'O' ? ESCAPE_SEQUENCE : ESCAPE_NONE;
		return byte >= 0x20;
	case ESCAPE_SEQUENCE:
		if (byte >= 0x40 || byte < 0x20)
			editor->escape = ESCAPE_NONE;
		return byte >= 0x20;
	default:
		if (byte == KEY_ESCAPE)
			editor->escape = ESCAPE_BEGUN;
		return byte == KEY_ESCAPE;
	}
}

/* See the header. */
bool line_has_room(const struct line_editor *editor)
{
	return LINE_QUEUE_MAX - editor->queue_count > LINE_EDIT_MAX + 1;
}

/* See the header. */
enum line_event line_type(struct line_editor *editor, uint8_t byte)
{
	bool after_return = editor->after_return;

	editor->shown_bytes = 0;
	editor->after_return = byte == '\r';
	if (skip_escape(editor, byte) || (byte == '\n' && after_return))
		return LINE_NOTHING;
	switch (byte) {
	case '\r':
	case '\n':
		show(editor, "\n");
		return finish(editor, '\n');
	case KEY_END:
		return finish(editor, MARK_END);
	case KEY_INTERRUPT:
		return interrupt(editor);
	case KEY_BACKSPACE:
	case KEY_DELETE:
		erase(editor);
		return LINE_NOTHING;
	case KEY_KILL:
		while (editor->edited_bytes > 0)
			erase(editor);
		return LINE_NOTHING;
	default:
		insert(editor, byte);
		return LINE_NOTHING;
	}
}

/* See the header. */
bool line_is_ready(const struct line_editor *editor)
{
	return editor->lines > 0;
}

static uint16_t queue_item(const struct line_editor *editor, uint32_t index)
{
	return editor->queue[(editor->queue_first + index) % LINE_QUEUE_MAX];
}

/* See the header.  A mark behind characters goes with them; it is an end of file only alone. */
struct line_portion line_look(const struct line_editor *editor, char *buffer, uint32_t most)
{
	struct line_portion portion = { 0, 0 };

	while (portion.items < editor->queue_count) {
		uint16_t item = queue_item(editor, portion.items);

		if (item == MARK_END) {
			portion.items++;
			break;
		}
		if (portion.bytes == most)
			break;
		buffer[portion.bytes++] = (char)item;
		portion.items++;
		if (item == '\n')
			break;
	}
	return portion;
}

/* See the header. */
void line_drop(struct line_editor *editor, struct line_portion portion)
{
	for (uint32_t i = 0; i < portion.items; i++) {
		uint16_t item = queue_item(editor, i);

		if (item == '\n' || item == MARK_END)
			editor->lines--;
	}
	editor->queue_first = (editor->queue_first + portion.items) % LINE_QUEUE_MAX;
	editor->queue_count -= portion.items;
}
