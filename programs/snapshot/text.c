/*
 * The text (text.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, char *to, size_t count)
{
	while (count > 0) {
		ssize_t got = read(fd, to, count);

		if (got <= 0)
			return false;
		to += got;
		count -= (size_t)got;
	}
	return true;
}

/* See text.h.  Positions are 32 bits wide, so a longer file is refused. */
bool text_load(struct text *text, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat stat;
	bool is_read = false;

	if (fd < 0)
		return false;
	text->bytes = NULL;
	if (fstat(fd, &stat) == 0 && stat.st_size > 0 && stat.st_size <= UINT32_MAX) {
		text->count = (size_t)stat.st_size;
		text->bytes = malloc(text->count);
		is_read = text->bytes && read_all(fd, text->bytes, text->count);
	} else {
		errno = EFBIG;
	}
	close(fd);
	return is_read;
}

static bool is_word_byte(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte >= 0x80;
}

static char lower(char byte)
{
	if (byte < 'A' || byte > 'Z')
		return byte;
	return (char)(byte - 'A' + 'a');
}

/* See text.h.  A longer word than WORD_BYTES_MAX counts as several. */
bool text_next_word(const struct text *text, size_t *position, size_t end, struct word *word)
{
	while (*position < end && !is_word_byte((unsigned char)text->bytes[*position]))
		++*position;
	word->position = *position;
	word->length = 0;
	while (*position < end && word->length < WORD_BYTES_MAX &&
		is_word_byte((unsigned char)text->bytes[*position]))
		word->bytes[word->length++] = lower(text->bytes[(*position)++]);
	return word->length > 0;
}
