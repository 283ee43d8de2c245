/*
 * The table of places (places.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "places.h"

#include <faultline/layout.h>

#define HALF (WINDOW_PAGES / 2 * 4096ull)

static const struct {
	uint64_t start;
	enum area area;
} windows[] = {
	{ 0x40200000ull - HALF, AREA_A },
	{ 0x40400000ull - HALF, AREA_A },
	{ 0x40600000ull - HALF, AREA_A },
	{ 0x60200000ull - HALF, AREA_B },
	{ 0x60400000ull - HALF, AREA_B },
	{ 0x80000000ull - HALF, AREA_C },
	{ 0x8000000000ull - HALF, AREA_D },
	{ 0x10000000000ull, AREA_E },
	{ 0x600000ull, AREA_HEAP },
	{ LAYOUT_STACK_TOP - 2 * HALF, AREA_STACK },
};
#define WINDOWS (sizeof(windows) / sizeof(windows[0]))

struct place places[PLACES];
uint32_t area_first[AREAS + 1];

/* See the header. */
void places_start(void)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < WINDOWS; i++) {
		uint64_t end = windows[i].start + 2 * HALF;

		if (i == 0 || windows[i - 1].area != windows[i].area)
			area_first[windows[i].area] = next;
		for (uint64_t at = windows[i].start; at < end; at += 4096)
			places[next++] = (struct place){ at, 1, windows[i].area };
		if (i + 1 < WINDOWS && windows[i + 1].area == windows[i].area)
			places[next++] = (struct place){ end, (windows[i + 1].start - end) / 4096,
				windows[i].area };
	}
	area_first[AREAS] = next;
}
