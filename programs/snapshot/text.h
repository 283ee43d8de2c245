/*
 * The text: a file in memory, and its words one after the other.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SNAPSHOT_TEXT_H
#define SNAPSHOT_TEXT_H

#include "index.h"
#include <stdbool.h>
#include <stddef.h>

struct text {
	char *bytes;
	size_t count;
};

/* Reads a file whole; false, with errno, when that fails. */
bool text_load(struct text *text, const char *path);

/* A word: letters, digits and everything beyond ASCII, in lower case. */
struct word {
	size_t position; /* of its first byte in the text */
	size_t length;
	char bytes[WORD_BYTES_MAX];
};

/* The next word at or behind *position, which moves behind it; false when there is none before
   `end`. */
bool text_next_word(const struct text *text, size_t *position, size_t end, struct word *word);

#endif
