/*
 * Readers: an array in order of arrival; it is short.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "readers.h"

static struct reader readers[READERS_MAX];
static uint32_t count;

static void remove_at(uint32_t index)
{
	count--;
	for (uint32_t i = index; i < count; i++)
		readers[i] = readers[i + 1];
}

/* See the header. */
status_t readers_add(struct reader reader)
{
	if (count == READERS_MAX)
		return ST_LIMIT;
	readers[count++] = reader;
	return ST_OK;
}

/* See the header. */
bool readers_take(struct reader *reader)
{
	if (count == 0)
		return false;
	*reader = readers[0];
	remove_at(0);
	return true;
}

/* Takes the reader with this token out; false: there is none. */
bool readers_remove(uint64_t token)
{
	for (uint32_t i = 0; i < count; i++) {
		if (readers[i].token == token) {
			remove_at(i);
			return true;
		}
	}
	return false;
}

/* Is there one? */
bool readers_are_waiting(void)
{
	return count > 0;
}
