/*
 * Sleepers: a binary heap in an array, the first deadline at index 0.
 *
 *   rule: no sleeper is due before its parent, (i - 1) / 2
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sleepers.h"

static struct sleeper heap[SLEEPERS_MAX];
static uint32_t count;
static uint64_t arrivals;

static bool is_before(const struct sleeper *one, const struct sleeper *other)
{
	if (one->deadline != other->deadline)
		return one->deadline < other->deadline;
	return one->order < other->order;
}

static void move_up(uint32_t index)
{
	struct sleeper moving = heap[index];

	while (index > 0) {
		uint32_t parent = (index - 1) / 2;

		if (!is_before(&moving, &heap[parent]))
			break;
		heap[index] = heap[parent];
		index = parent;
	}
	heap[index] = moving;
}

static void move_down(uint32_t index)
{
	struct sleeper moving = heap[index];

	for (;;) {
		uint32_t child = 2 * index + 1;

		if (child >= count)
			break;
		if (child + 1 < count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &moving))
			break;
		heap[index] = heap[child];
		index = child;
	}
	heap[index] = moving;
}

static void remove_at(uint32_t index)
{
	count--;
	if (index == count)
		return;
	heap[index] = heap[count];
	move_up(index);
	move_down(index);
}

/* See the header. */
status_t sleepers_add(uint64_t deadline, uint64_t token)
{
	if (count == SLEEPERS_MAX)
		return ST_LIMIT;
	heap[count] = (struct sleeper){ deadline, arrivals++, token };
	move_up(count++);
	return ST_OK;
}

/* See the header. */
bool sleepers_take(uint64_t now, uint64_t *token)
{
	if (count == 0 || heap[0].deadline > now)
		return false;
	*token = heap[0].token;
	remove_at(0);
	return true;
}

/* See the header.  The last is one of those without children. */
bool sleepers_take_last(uint64_t *token)
{
	uint32_t last = count / 2;

	if (count == 0)
		return false;
	for (uint32_t i = last + 1; i < count; i++) {
		if (is_before(&heap[last], &heap[i]))
			last = i;
	}
	*token = heap[last].token;
	remove_at(last);
	return true;
}

/* See the header. */
bool sleepers_remove(uint64_t token)
{
	for (uint32_t i = 0; i < count; i++) {
		if (heap[i].token == token) {
			remove_at(i);
			return true;
		}
	}
	return false;
}

/* See the header. */
uint64_t sleepers_first(void)
{
	return count > 0 ? heap[0].deadline : 0;
}
