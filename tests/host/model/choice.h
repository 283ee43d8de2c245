/*
 * A value that is one of a few: where processors race, the model allows each outcome and nothing
 * else.  Values that are written are all different.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_CHOICE_H
#define MODEL_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#define CHOICES 16u

struct choice {
	uint32_t count;
	bool is_any; /* more than fit: nothing is known until the next write */
	uint64_t value[CHOICES];
};

static inline void choice_set(struct choice *choice, uint64_t value)
{
	choice->is_any = false;
	choice->count = 1;
	choice->value[0] = value;
}

static inline bool choice_allows(const struct choice *choice, uint64_t value)
{
	for (uint32_t i = 0; i < choice->count; i++)
		if (choice->value[i] == value)
			return true;
	return choice->is_any;
}

/* Is there room for what a race may leave? */
static inline bool choice_has_room(const struct choice *choice)
{
	return choice->count <= CHOICES / 4;
}

/* One more. */
static inline void choice_add(struct choice *choice, uint64_t value)
{
	if (choice_allows(choice, value))
		return;
	if (choice->count == CHOICES)
		choice->is_any = true;
	else
		choice->value[choice->count++] = value;
}

static inline void choice_join(struct choice *choice, const struct choice *more)
{
	for (uint32_t i = 0; i < more->count; i++)
		choice_add(choice, more->value[i]);
	choice->is_any |= more->is_any;
}

#endif
