/*
 * Line editing: typed characters become lines, and an echo for the person who types.
 *
 *   byte -> line_type() -> edited line -> (Enter, Ctrl-D) -> finished lines
 *                                 -> line_look(), line_drop() -> reader
 *
 * Pure: no calls, so that it runs on the host, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define LINE_EDIT_MAX  1023u /* characters of one line, without its end */
#define LINE_QUEUE_MAX 4096u /* of finished lines; a power of two */
#define LINE_ECHO_MAX  (3u * LINE_EDIT_MAX + 8u)

enum line_event { LINE_NOTHING, LINE_FINISHED, LINE_INTERRUPT };

struct line_editor {
	bool echo; /* a person is there */
	char edited[LINE_EDIT_MAX];
	uint32_t edited_bytes;
	uint32_t escape;   /* where in an escape sequence, which is skipped */
	bool after_return; /* a newline right behind a return is the same key */
	/* Finished lines: a ring of characters and marks of Ctrl-D. */
	uint16_t queue[LINE_QUEUE_MAX];
	uint32_t queue_first, queue_count;
	uint32_t lines; /* newlines and marks in the queue */
	/* What to show for the last byte. */
	char shown[LINE_ECHO_MAX];
	uint32_t shown_bytes;
};

/* Is there room for whatever the next byte may do? */
bool line_has_room(const struct line_editor *editor);

/* One byte was typed; needs room.  What to show is in `shown`. */
enum line_event line_type(struct line_editor *editor, uint8_t byte);

/* Can a reader be answered? */
bool line_is_ready(const struct line_editor *editor);

/* What a reader gets: a line, or its first bytes. */
struct line_portion {
	uint32_t bytes; /* 0: Ctrl-D on an empty line, the end of the file */
	uint32_t items; /* of the queue that it stands for */
};

/* Copies the next portion, at most `most` bytes (not 0); it stays in the queue.  A line must be
   ready. */
struct line_portion line_look(const struct line_editor *editor, char *buffer, uint32_t most);

/* The portion has reached its reader. */
void line_drop(struct line_editor *editor, struct line_portion portion);

#endif
