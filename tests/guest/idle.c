/*
 * Idle time: memory is cleared ahead of use while nobody else runs, and then the machine rests.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <sys/mman.h>
#include <time.h>

#define MOMENT_NS 10000000
#define MOMENTS	  5 /* in which nothing happens: then nothing will */
#define LONG_NS	  300000000
#define MANY	  64u /* pages */

static struct pager_stat stat_now(void)
{
	struct pager_stat stat;

	CHECK_EQUAL(system_pager_stat(&stat), 0);
	return stat;
}

static void rest(long nanoseconds)
{
	const struct timespec time = { .tv_nsec = nanoseconds };

	CHECK_EQUAL(nanosleep(&time, NULL), 0);
}

/* Until a tenth of what is free is cleared; how many frames are.  Nothing here may depend on how much of the
   processor this machine has just now: where that is too little for 60 s, the watchdog ends the test. */
static uint64_t rest_until_cleared(void)
{
	struct pager_stat now = stat_now();

	for (; now.frames_blank < now.frames_free / 10; now = stat_now())
		rest(MOMENT_NS);
	return now.frames_blank;
}

static void idle_time_clears_a_share_of_free_memory(void)
{
	uint64_t before = 0, now = rest_until_cleared();

	for (int same = 0; same < MOMENTS; same = now == before ? same + 1 : 0) {
		before = now;
		rest(MOMENT_NS);
		now = stat_now().frames_blank;
	}
	CHECK(now <= stat_now().frames_free / 3);
}

static void an_idle_machine_comes_to_rest(void)
{
	struct pager_stat before, now = stat_now();

	do {
		before = now;
		rest(LONG_NS);
		now = stat_now();
	} while (now.requests != before.requests + 1); /* this one */
}

static void cleared_memory_is_used_and_made_up_for(void)
{
	uint64_t blank = rest_until_cleared(), mapped = stat_now().frames_free / 3, now;
	uint32_t pages = (uint32_t)(blank / 3), used = 0;
	volatile uint8_t *memory = private_pages(mapped);

	memory[0] = 1;
	blank = stat_now().frames_blank;
	for (uint32_t page = 2; page < pages; page += 2, used++) {
		memory[PAGES(page)] = 1;
		CHECK(all_bytes_are(memory + PAGES(page) + 1, PAGE_SIZE - 1, 0));
	}
	now = stat_now().frames_blank;
	CHECK(blank - now >= used && blank - now <= used + pages / 512 + 2);
	/* More and more of it, until it becomes more by itself. */
	for (blank = now; now <= blank; now = stat_now().frames_blank) {
		blank = now;
		for (uint32_t end = pages + MANY; pages < end; pages++) {
			CHECK(pages < mapped);
			memory[PAGES(pages)] = 1;
		}
		rest(MOMENT_NS);
	}
}

const struct test tests_idle[] = {
	TEST(idle_time_clears_a_share_of_free_memory),
	TEST(an_idle_machine_comes_to_rest),
	TEST(cleared_memory_is_used_and_made_up_for),
	{0},
};
