/*
 * Gathering (model and rules: gather.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "gather.h"

#include "blocks.h"

#define SHARE	    4u	  /* blocks are few when they have less than so many-th of the queue's frames */
#define LOOK_FRAMES 2048u /* words looked at in a step, ... */
#define LOOK_FOUND  2u	  /* ... and candidates found in it */
#define TURN_FRAMES 1024u /* frames of the queue in a step */

struct gather gather;

static uint64_t queue_length(void)
{
	return frame_pool.free - frame_pool_blanks();
}

static bool blocks_are_few(void)
{
	return blocks.count * BLOCK_FRAMES < frame_pool.free / SHARE &&
	       frame_pool.free > blocks.low + (uint64_t)GATHER_MOST * BLOCK_FRAMES &&
	       queue_length() > TURN_FRAMES;
}

/* ---- look ---- */

/* Frames from here on that are in the queue. */
static uint32_t run_in_queue(pfn_t head)
{
	uint32_t count = 0;

	while (count < BLOCK_FRAMES && frame_kind(head + count) == KIND_FREE &&
		!(mmu_frame(head + count)->flags & FRAME_BLANK))
		count++;
	return count;
}

static void mark(pfn_t head, uint8_t number)
{
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		frame_pool.info[head + i].mark = number;
}

static void add_candidate(pfn_t head)
{
	gather.candidates[gather.count++] = (struct candidate){ .head = head };
	mark(head, (uint8_t)gather.count);
}

/* Some words further.  False: all have been looked at, or there are candidates enough. */
static bool look(void)
{
	uint32_t looks = 0, found = 0;

	while (looks < LOOK_FRAMES && found < LOOK_FOUND) {
		uint32_t run;

		if (gather.count == GATHER_MOST ||
			gather.next + BLOCK_FRAMES > frame_pool.frame_count)
			return false;
		run = run_in_queue(gather.next);
		if (run == BLOCK_FRAMES) {
			add_candidate(gather.next);
			found++;
		}
		looks += run + 1;
		gather.next += BLOCK_FRAMES;
	}
	return true;
}

/* ---- turn ---- */

static void set_aside(pfn_t first, uint32_t count, uint8_t number)
{
	for (uint32_t i = 0; i < count; i++)
		frame_pool_set_kind(first + i, KIND_ASIDE);
	gather.candidates[number - 1].aside += count;
	gather.aside += count;
}

/* Frames from the front of the queue, which follow one another. */
static void put_back(pfn_t first, uint32_t count)
{
	uint32_t run;

	for (uint32_t i = 0; i < count; i += run) {
		uint8_t number = frame_pool.info[first + i].mark;

		for (run = 1; i + run < count && frame_pool.info[first + i + run].mark == number; run++)
			continue;
		if (number == 0)
			frame_pool_put_run(first + i, run);
		else
			set_aside(first + i, run, number);
	}
}

static void turn(void)
{
	uint32_t budget = TURN_FRAMES;

	while (budget > 0 && gather.left > 0) {
		uint32_t count = gather.left < budget ? (uint32_t)gather.left : budget;
		pfn_t first;

		if (queue_length() <= count) {
			gather.left = 0; /* others need them */
			return;
		}
		first = frame_pool_unlink_run(&count);
		put_back(first, count);
		gather.left -= count;
		budget -= count;
	}
}

/* ---- form ---- */

/* See the header. */
void gather_give_back(void)
{
	const struct candidate *candidate = &gather.candidates[--gather.count];
	pfn_t head = candidate->head;

	gather.aside -= candidate->aside;
	mark(head, 0);
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		if (frame_kind(head + i) == KIND_ASIDE)
			frame_pool_put_run(head + i, 1);
}

static void form(void)
{
	const struct candidate *candidate = &gather.candidates[gather.count - 1];

	if (candidate->aside != BLOCK_FRAMES || blocks_add(candidate->head) != ST_OK) {
		gather_give_back();
		return;
	}
	gather.count--;
	gather.aside -= BLOCK_FRAMES;
}

/* See the header. */
bool gather_step(void)
{
	switch (gather.phase) {
	case GATHER_TURN:
		turn();
		if (gather.left == 0)
			gather.phase = GATHER_FORM;
		return true;
	case GATHER_FORM:
		if (gather.count > 0)
			form();
		else
			gather.phase = GATHER_LOOK;
		return true;
	default:
		break;
	}
	if ((gather.count > 0 || blocks_are_few()) && look())
		return true;
	if (gather.count == 0) {
		gather.next = 0;
		return false;
	}
	gather.left = queue_length();
	gather.phase = GATHER_TURN;
	return true;
}
