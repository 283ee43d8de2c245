/*
 * Places: the addresses that the model looks at.
 *
 *   areas    A: three windows at borders of leaf tables     B: two, lying like the first two of A
 *            C: at a border of level 2    D: at a border of top-level slots    E: inside a table
 *            HEAP, STACK
 *   window   16 pages; a place each.  The gap to the next window of the same area is a place, too:
 *            its first page stands for all, and it is mapped as a whole or not at all.
 *
 * Requests name runs of places of one area.  So ranges lie within a table, across borders of
 * each level, and over whole tables; and tables of A can move to B by their one entry.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_PLACES_H
#define MODEL_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_PAGES 16u
#define PLACES	     (10 * WINDOW_PAGES + 3)
#define STACK_STEP   0x10000ull

enum area { AREA_A, AREA_B, AREA_C, AREA_D, AREA_E, AREA_HEAP, AREA_STACK, AREAS };
#define AREAS_OF_MMAP 5u

struct place {
	uint64_t address;
	uint64_t pages;
	enum area area;
};
extern struct place places[PLACES];
extern uint32_t area_first[AREAS + 1]; /* [AREAS]: PLACES */

/* Fill the tables. */
void places_start(void);

static inline bool place_is_gap(uint32_t place)
{
	return places[place].pages != 1;
}

static inline uint64_t run_pages(uint32_t first, uint32_t count)
{
	const struct place *last = &places[first + count - 1];

	return (last->address - places[first].address) / 4096 + last->pages;
}

static inline bool run_has_gap(uint32_t first, uint32_t count)
{
	return run_pages(first, count) != count;
}

#endif
