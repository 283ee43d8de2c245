/*
 * Tests of the stock: frames that are cleared ahead of use (servers/pager/stock.h).
 *
 * Each test starts with a machine of 16,384 frames and a pager without spaces, and ends with all
 * spaces destroyed and every frame back.  All rules are checked behind each access.
 *
 * Usage: pager_stock [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include "percpu.h"
#include <faultline/frame.h>

#include "../../servers/pager/mmu.h"
#include "../../servers/pager/stock.h"

#define FRAMES 16384
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define BLOCK_STEPS 16u /* calls that clear a block */

static const struct machine_request fill_request = { .badge = BADGE_SYSTEM, .label = PAGER_IDLE };
static uint64_t space, frames_at_start;
static uint64_t token; /* of the call that waits */

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

/* Of the frames that are not kept in blocks. */
static uint64_t wanted(void)
{
	return frame_pool.free / STOCK_SHARE;
}

static void map(uint64_t pages, uint64_t rights)
{
	CHECK_EQUAL(machine_program(
			    space, PAGER_MMAP, BASE, pages * PAGE, rights | MAP_NO_REPLACE, 0, 0)
			    ->status,
		ST_OK);
}

static void unmap(uint64_t pages)
{
	CHECK_EQUAL(machine_program(space, PAGER_MUNMAP, BASE, pages * PAGE, 0, 0, 0)->status, ST_OK);
	machine_settle();
}

/* Its first write: what was there is zeros. */
static void write_page(uint64_t page)
{
	uint64_t word = page + 1;

	CHECK_EQUAL(machine_access(space, BASE + page * PAGE, FAULT_WRITE, &word), REASON_NONE);
	CHECK_EQUAL(machine_access(space, BASE + page * PAGE + 8, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 0);
}

/* All frames have been written once, so that none happens to be zeros. */
static void write_everything(void)
{
	for (uint32_t pfn = 0; pfn < FRAMES; pfn++)
		if (mmu_frame(pfn)->type == FRAME_DATA && mmu_frame(pfn)->refs == 0)
			memset(frame_memory(pfn), 0xa5, PAGE);
}

/* The idle thread's calls, until one waits; how many it made. */
static uint32_t idle(void)
{
	const struct machine_answer *answer;
	uint32_t calls = 0;

	while ((token = machine_send(&fill_request, &answer)) == 0) {
		CHECK_EQUAL(answer->status, ST_OK);
		machine_check();
		calls++;
	}
	return calls;
}

static bool is_woken(void)
{
	uint32_t label = UINT32_MAX;
	uint64_t word;

	while (machine_slice())
		continue;
	return machine_take_late(token, &label, &word) && label == ST_OK;
}

static void before(void)
{
	machine_start(FRAMES);
	write_everything();
	frames_at_start = stats().frames_free;
	space = machine_system(PAGER_SPACE_CREATE, 1000, CLASS_PROGRAM, 0, 0, 0, 0)->w[0];
}

static void after(void)
{
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0, 0, 0);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, space, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

static void test_calls_clear_a_share_of_the_free_frames(void)
{
	uint64_t had = stats().frames_blank, most = wanted();
	uint32_t calls = idle();

	CHECK_EQUAL(stats().frames_blank, most);
	CHECK_EQUAL(calls, (most - had + STOCK_STEP - 1) / STOCK_STEP + stats().blocks_clean * BLOCK_STEPS);
	CHECK(!is_woken());
}

static void test_a_call_clears_few(void)
{
	const struct machine_answer *answer;
	uint64_t cleared = counters.frames_cleared, had = stats().frames_blank;

	CHECK_EQUAL(machine_send(&fill_request, &answer), 0);
	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(stats().frames_blank, had + STOCK_STEP);
	CHECK_EQUAL(counters.frames_cleared, cleared + STOCK_STEP);
}

static void test_first_writes_take_what_is_cleared(void)
{
	uint64_t cleared, blank;

	(void)idle();
	map(100, RW);
	write_page(0);
	cleared = counters.frames_cleared;
	blank = stats().frames_blank;
	for (uint64_t page = 2; page < 100; page += 3) {
		write_page(page);
		CHECK_EQUAL(machine_operations, 1);
		machine_check();
	}
	CHECK_EQUAL(counters.frames_cleared, cleared);
	CHECK_EQUAL(stats().frames_blank, blank - 33);
}

static void test_windows_take_what_is_cleared(void)
{
	uint64_t cleared, blank;

	(void)idle();
	map(400, RW);
	write_page(0);
	cleared = counters.frames_cleared;
	blank = stats().frames_blank;
	for (uint64_t page = 1; page < 400; page++)
		write_page(page);
	machine_check();
	CHECK_EQUAL(counters.frames_cleared, cleared);
	CHECK_EQUAL(stats().frames_blank, blank - 399);
}

static void test_pages_filled_ahead_take_what_is_cleared(void)
{
	uint64_t cleared, blank;

	(void)idle();
	map(1, RW);
	write_page(0);
	unmap(1);
	cleared = counters.frames_cleared;
	blank = stats().frames_blank;
	map(50, RW | MAP_POPULATE);
	CHECK(counters.frames_cleared <= cleared + 1); /* a table, perhaps */
	CHECK(stats().frames_blank <= blank - 50);
	machine_check();
}

static void test_tables_keep_some(void)
{
	uint64_t cleared, pages, kept, child;

	(void)idle();
	CHECK(machine_cancel(token));
	pages = stats().frames_blank;
	map(pages, RW);
	for (uint64_t page = 0; page < pages; page++)
		write_page(page);
	kept = stats().frames_blank;
	CHECK(kept <= TABLES_KEPT && kept >= TABLES_KEPT - 8);
	cleared = counters.frames_cleared;
	child = machine_system(PAGER_SPACE_FORK, space, 2000, 0, 0, 0, 0)->w[0];
	CHECK_EQUAL(stats().frames_blank, kept - 3);
	CHECK_EQUAL(counters.frames_cleared, cleared);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, child, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle();
	machine_check();
}

static void test_half_of_it_used_wakes_who_waits(void)
{
	uint64_t most, page = 0;

	(void)idle();
	most = stats().frames_blank;
	map(FRAMES / 2, RW);
	while (!is_woken()) {
		CHECK(stats().frames_blank >= most / 2 - 2 * TABLES_AT_ONCE);
		write_page(page++);
	}
	CHECK(stats().frames_blank <= most / 2 + 1);
	CHECK(idle() > 0);
	CHECK_EQUAL(stats().frames_blank, wanted());
	for (uint64_t more = 0; more < 100; more++)
		write_page(page++);
	machine_check();
}

static void test_tables_wake_who_waits_too(void)
{
	uint64_t most, page = 0;

	(void)idle();
	most = stats().frames_blank;
	map(1ull << 24, RW | MAP_NO_RESERVE);
	while (!is_woken()) {
		uint64_t word = 1;

		CHECK_EQUAL(machine_access(space, BASE + page * PAGE, 0, &word), REASON_NONE);
		page += 512; /* a table each */
		CHECK(page < 512 * most);
	}
	CHECK(stats().frames_blank <= most / 2 + 1);
	machine_check();
}

static void test_somebody_waits_already(void)
{
	(void)idle();
	CHECK_EQUAL(machine_system(PAGER_IDLE, 0, 0, 0, 0, 0, 0)->status, ST_LIMIT);
	CHECK(!is_woken());
}

/* Its taking is left to the long way, by which the quick one has counted nothing. */
static void test_the_last_frame_to_spare_is_counted_once(void)
{
	uint64_t page = FRAMES / 4;

	(void)idle();
	map(page, RW);
	while (frame_pool.blanks.spare > 0 && page > 0)
		write_page(--page); /* not in order: each comes alone */
	CHECK(page > 0);
	write_page(--page);
	machine_check();
	CHECK(machine_cancel(token) || is_woken());
}

static void test_who_waits_may_give_up(void)
{
	(void)idle();
	CHECK(machine_cancel(token));
	map(FRAMES / 4, RW);
	for (uint64_t page = 0; page < FRAMES / 4; page++)
		write_page(page);
	CHECK_EQUAL(frame_pool.blanks.low, 0); /* nobody is there to be woken */
	(void)idle();
	CHECK(stats().frames_blank >= wanted());
	CHECK(!machine_cancel(token + 1));
	CHECK(machine_cancel(token));
}

/* Memory that is nearly full: the cleared frames serve as well as others, and no call comes back in vain. */
static void test_all_frames_can_be_used(void)
{
	uint64_t page = 0;
	uint64_t word = 1;

	(void)idle();
	machine_system(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 1, 0, 0, 0, 0);
	map(FRAMES, RW | MAP_NO_RESERVE);
	while (machine_access(space, BASE + page * PAGE, FAULT_WRITE, &word) == REASON_NONE)
		page++;
	CHECK(stats().frames_free < 100);
	machine_check();
	if (is_woken())
		(void)idle();
	CHECK(!is_woken());
}

/* ... and when memory is there again, whoever waits is woken. */
static void test_memory_that_came_back_is_cleared(void)
{
	uint64_t pages = FRAMES - FRAMES / 16;

	map(pages, RW | MAP_NO_RESERVE);
	for (uint64_t page = 0; page < pages; page++)
		write_page(page);
	(void)idle();
	CHECK(stats().frames_blank < 512);
	unmap(pages);
	map(1ull << 24, RW | MAP_NO_RESERVE);
	for (uint64_t page = 0; !is_woken(); page += 512) {
		CHECK(page < 512 * 1024);
		write_page(page);
	}
	CHECK(idle() > 0);
	CHECK_EQUAL(stats().frames_blank, wanted());
}

static const struct check_test tests[] = {
	CHECK_TEST(calls_clear_a_share_of_the_free_frames),
	CHECK_TEST(a_call_clears_few),
	CHECK_TEST(first_writes_take_what_is_cleared),
	CHECK_TEST(windows_take_what_is_cleared),
	CHECK_TEST(pages_filled_ahead_take_what_is_cleared),
	CHECK_TEST(tables_keep_some),
	CHECK_TEST(half_of_it_used_wakes_who_waits),
	CHECK_TEST(tables_wake_who_waits_too),
	CHECK_TEST(somebody_waits_already),
	CHECK_TEST(the_last_frame_to_spare_is_counted_once),
	CHECK_TEST(who_waits_may_give_up),
	CHECK_TEST(all_frames_can_be_used),
	CHECK_TEST(memory_that_came_back_is_cleared),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
