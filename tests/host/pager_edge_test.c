/*
 * Tests of the pager's core at its edges: forks of spaces whose memory is scattered over many
 * top-level slots, what a child has of its parent, ranges that begin and end beside tables.
 *
 * Each test starts with a machine of 4,096 frames and a pager without spaces, and ends with all
 * spaces destroyed and every frame back.
 *
 * Usage: pager_edge [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include <faultline/layout.h>

#include "../../servers/pager/fault.h"
#include "../../servers/pager/request.h"

extern uint32_t frame_refs_limit; /* of the kernel */

#define FRAMES 4096
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define LEAF   (512 * PAGE) /* what a leaf table spans */
#define SLOT   (1ull << 39) /* what an entry of the top spans (4 levels) */
#define SLOTS  100u
#define SPACES 8u

static uint64_t spaces[SPACES];
static uint32_t spaces_count;
static uint64_t frames_at_start;

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static struct pager_space_stat stat_of(uint64_t space)
{
	struct pager_space_stat stat;

	memcpy(&stat, machine_program(space, PAGER_SPACE_STAT, 0, 0, 0, 0, 0)->payload,
		sizeof(stat));
	return stat;
}

static uint64_t remember(const struct machine_answer *answer)
{
	CHECK_EQUAL(answer->status, ST_OK);
	spaces[spaces_count] = answer->w[0];
	return spaces[spaces_count++];
}

static uint64_t create(void)
{
	return remember(
		machine_system(PAGER_SPACE_CREATE, 1000 + spaces_count, CLASS_PROGRAM, 0, 0, 0, 0));
}

static uint64_t fork_of(uint64_t parent)
{
	return remember(machine_system(PAGER_SPACE_FORK, parent, 2000 + spaces_count, 0, 0, 0, 0));
}

static void map_at(uint64_t space, uint64_t address, uint64_t bytes, uint64_t rights)
{
	CHECK_EQUAL(
		machine_program(space, PAGER_MMAP, address, bytes, rights | MAP_NO_REPLACE, 0, 0)
			->status,
		ST_OK);
}

static void unmap(uint64_t space, uint64_t address, uint64_t bytes)
{
	CHECK_EQUAL(machine_program(space, PAGER_MUNMAP, address, bytes, 0, 0, 0)->status, ST_OK);
}

static uint32_t write_word(uint64_t space, uint64_t address, uint64_t word)
{
	return machine_access(space, address, FAULT_WRITE, &word);
}

static uint64_t read_word(uint64_t space, uint64_t address)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
	return word;
}

static void before(void)
{
	machine_start(FRAMES);
	spaces_count = 0;
	frames_at_start = stats().frames_free;
}

static void after(void)
{
	while (spaces_count > 0)
		CHECK_EQUAL(
			machine_system(PAGER_SPACE_DESTROY, spaces[--spaces_count], 0, 0, 0, 0, 0)
				->status,
			ST_OK);
	while (machine_slice())
		;
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

/* ---- fork ---- */

/* More runs of slots than one batch has room for. */
static void test_fork_of_memory_in_many_slots_shares_all_of_it(void)
{
	uint64_t parent = create(), child;

	for (uint64_t i = 0; i < SLOTS; i++) {
		map_at(parent, BASE + 2 * i * SLOT, PAGE, RW);
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 100 + i), REASON_NONE);
	}
	child = fork_of(parent);
	for (uint64_t i = 0; i < SLOTS; i++) {
		CHECK_EQUAL(read_word(child, BASE + 2 * i * SLOT), 100 + i);
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 1), REASON_NONE);
		CHECK_EQUAL(read_word(child, BASE + 2 * i * SLOT), 100 + i);
	}
	CHECK_EQUAL(stats().tables_shared, SLOTS);
}

static uint64_t flushes;

static void count_flush(const struct op *op, status_t status)
{
	if (OP_CODE(op->head) == OP_FLUSH && status == ST_OK)
		flushes++;
}

/* The second of a fork's batches is refused: no child, and the parent goes on. */
static void test_fork_that_is_refused_half_way_leaves_no_child(void)
{
	uint64_t parent = create(), frames, others;

	for (uint64_t i = 0; i < SLOTS; i++) {
		map_at(parent, BASE + 2 * i * SLOT, PAGE, RW);
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 100 + i), REASON_NONE);
	}
	(void)fork_of(parent);
	for (uint64_t i = 0; i < SLOTS - 1;
		i++) /* all tables but the last are the parent's own again */
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 200 + i), REASON_NONE);
	frames = stats().frames_free;
	others = stats().spaces;
	frame_refs_limit = 2;
	flushes = 0;
	machine_watch.after = count_flush;
	CHECK_EQUAL(machine_system(PAGER_SPACE_FORK, parent, 2000, 0, 0, 0, 0)->status, ST_LIMIT);
	machine_watch.after = NULL;
	frame_refs_limit = UINT32_MAX;
	CHECK_EQUAL(flushes, 1); /* the parent has lost W in what the first batch copied */
	while (machine_slice())
		;
	CHECK(stats().spaces == others && stats().frames_free == frames);
	for (uint64_t i = 0; i < SLOTS; i++)
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 300 + i), REASON_NONE);
	for (uint64_t i = 0; i < SLOTS; i++)
		CHECK_EQUAL(read_word(spaces[1], BASE + 2 * i * SLOT), 100 + i);
}

static void test_a_child_has_the_limits_and_counts_of_its_parent(void)
{
	uint64_t parent = create(), child;

	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, parent, 20, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(
		machine_system(PAGER_SPACE_HEAP, parent, BASE + SLOT, 0, 0, 0, 0)->status, ST_OK);
	map_at(parent, BASE, 8 * PAGE, RW);
	CHECK_EQUAL(write_word(parent, BASE, 1), REASON_NONE);
	child = fork_of(parent);
	CHECK(stat_of(child).limit == 20 && stat_of(child).committed == stat_of(parent).committed);
	CHECK(stat_of(child).brk_start == BASE + SLOT &&
		stat_of(child).brk_now == stat_of(parent).brk_now);
	CHECK(machine_program(child, PAGER_MMAP, BASE + LEAF, 16 * PAGE, RW, 0, 0)->status !=
		ST_OK);
	CHECK_EQUAL(
		machine_program(child, PAGER_MMAP, BASE + LEAF, 4 * PAGE, RW, 0, 0)->status, ST_OK);
}

/* ---- ranges ---- */

/* Pages of three leaf tables and beside them; what is taken away begins and ends anywhere. */
static void test_ranges_end_beside_tables(void)
{
	static const uint64_t edges[] = { 0, 1, 2, 511, 512, 513, 1023, 1024, 1025, 1535, 1536 };
	uint64_t space = create(), count = sizeof(edges) / sizeof(edges[0]);

	for (uint64_t i = 0; i < count; i++) {
		for (uint64_t j = i + 1; j < count; j++) {
			uint64_t start = edges[i], end = edges[j], child;

			map_at(space, BASE, 1537 * PAGE, RW);
			for (uint64_t k = 0; k < count; k++)
				CHECK_EQUAL(write_word(space, BASE + edges[k] * PAGE, 7 + k),
					REASON_NONE);
			child = fork_of(space);
			unmap(space, BASE + start * PAGE, (end - start) * PAGE);
			for (uint64_t k = 0; k < count; k++) {
				uint64_t word = 0, address = BASE + edges[k] * PAGE;
				bool gone = edges[k] >= start && edges[k] < end;

				CHECK_EQUAL(machine_access(space, address, 0, &word),
					gone ? REASON_NO_REGION : REASON_NONE);
				CHECK_EQUAL(word, gone ? 0 : 7 + k);
				CHECK_EQUAL(read_word(child, address), 7 + k);
			}
			CHECK_EQUAL(
				machine_system(PAGER_SPACE_DESTROY, child, 0, 0, 0, 0, 0)->status,
				ST_OK);
			spaces_count--;
			unmap(space, BASE, 1537 * PAGE);
		}
	}
	while (machine_slice())
		;
}

static const struct check_test tests[] = {
	CHECK_TEST(fork_of_memory_in_many_slots_shares_all_of_it),
	CHECK_TEST(fork_that_is_refused_half_way_leaves_no_child),
	CHECK_TEST(a_child_has_the_limits_and_counts_of_its_parent),
	CHECK_TEST(ranges_end_beside_tables),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
