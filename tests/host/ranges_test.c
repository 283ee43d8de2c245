/*
 * Tests of the way from a firmware's memory map to runs of frames.
 *
 * Usage: ranges [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "exact.h"
#include "ranges.h"
#include <faultline/layout.h>

#define MODEL_FRAMES 256
#define MODEL_ROUNDS 20000

static struct memory_map map;
static struct frame_run runs[FRAME_RUNS_MAX];

static void begin(void)
{
	memset(&map, 0, sizeof(map));
}

static void add(uint64_t start, uint64_t bytes, uint32_t kind)
{
	CHECK(ranges_add(&map, start, bytes, kind));
}

static void check_run_is(uint32_t index, pfn_t first, pfn_t end)
{
	CHECK_EQUAL(runs[index].first, first);
	CHECK_EQUAL(runs[index].end, end);
}

static void test_map_of_a_pc(void)
{
	add(0, 0x9fc00, RANGE_RAM);
	add(0x9fc00, 0x400, RANGE_RESERVED);
	add(0xf0000, 0x10000, RANGE_RESERVED);
	add(0x100000, 0xfedf000, RANGE_RAM);
	add(0xffdf000, 0x21000, RANGE_RESERVED);
	CHECK_EQUAL(map.count, 5);
	CHECK_EQUAL(ranges_ram(&map, runs), 2);
	check_run_is(0, 1, 0x9f);
	check_run_is(1, 0x100, 0xffdf);
}

static void test_empty_map_has_no_runs(void)
{
	CHECK_EQUAL(ranges_ram(&map, runs), 0);
	add(0, 0, RANGE_RAM);
	CHECK_EQUAL(map.count, 0);
	add(4096, 4095, RANGE_RAM);
	CHECK_EQUAL(ranges_ram(&map, runs), 0);
}

static void test_neighbours_of_one_kind_are_joined(void)
{
	add(0x1000, 0x1000, RANGE_RAM);
	add(0x2000, 0x1000, RANGE_RAM);
	add(0x3000, 0x1000, RANGE_ACPI);
	add(0x4000, 0x1000, RANGE_RAM);
	CHECK_EQUAL(map.count, 3);
	CHECK_EQUAL(ranges_ram(&map, runs), 2);
	check_run_is(0, 1, 3);
	check_run_is(1, 4, 5);
}

static void test_unsorted_and_overlapping_ram_is_one_run(void)
{
	add(0x5000, 0x5000, RANGE_RAM);
	add(0x1000, 0x5000, RANGE_RAM);
	add(0x3000, 0x1000, RANGE_RAM);
	CHECK_EQUAL(ranges_ram(&map, runs), 1);
	check_run_is(0, 1, 10);
}

static void test_reserved_ranges_win_and_round_outwards(void)
{
	add(0x5800, 0x10, RANGE_RESERVED);
	add(0x1000, 0x9000, RANGE_RAM);
	add(0x8fff, 1, RANGE_NVS);
	CHECK_EQUAL(ranges_ram(&map, runs), 3);
	check_run_is(0, 1, 5);
	check_run_is(1, 6, 8);
	check_run_is(2, 9, 10);
}

static void test_ram_rounds_inwards(void)
{
	add(0x1001, 0x2fff, RANGE_RAM);
	add(0x8000, 0x1fff, RANGE_RAM);
	CHECK_EQUAL(ranges_ram(&map, runs), 2);
	check_run_is(0, 2, 4);
	check_run_is(1, 8, 9);
}

static void test_addresses_beyond_frame_numbers_are_left_out(void)
{
	uint64_t end = (1ull << FRAME_NUMBER_BITS) * 4096;

	add(end - 0x1000, 0x100000, RANGE_RAM);
	add(end + 0x1000000, 0x100000, RANGE_RAM);
	add(UINT64_MAX - 0x2000, 0x3000, RANGE_RAM);
	CHECK_EQUAL(ranges_ram(&map, runs), 1);
	check_run_is(0, (1u << FRAME_NUMBER_BITS) - 1, 1u << FRAME_NUMBER_BITS);
}

static void test_lengths_that_wrap_are_cut(void)
{
	add(0x1000, UINT64_MAX, RANGE_RAM);
	CHECK_EQUAL(map.ranges[0].start + map.ranges[0].bytes, UINT64_MAX);
	add(0x2000, UINT64_MAX, RANGE_RESERVED);
	CHECK_EQUAL(ranges_ram(&map, runs), 1);
	check_run_is(0, 1, 2);
}

static void test_full_map_says_so(void)
{
	for (uint64_t i = 0; i < MEMORY_MAP_MAX; i++)
		add(i * 0x2000, 0x1000, i % 2 ? RANGE_RAM : RANGE_RESERVED);
	CHECK(!ranges_add(&map, 0x10000000, 0x1000, RANGE_RAM));
	CHECK_EQUAL(map.count, MEMORY_MAP_MAX);
	CHECK_EQUAL(ranges_ram(&map, runs), MEMORY_MAP_MAX / 2);
}

/* Frame by frame: RAM if a RAM range holds it and no other kind does.  (All begin and end on
   frames here.) */
static void model(const struct memory_map *from, uint8_t *is_ram)
{
	memset(is_ram, 0, MODEL_FRAMES);
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < from->count; i++)
			for (uint64_t f = from->ranges[i].start / 4096;
				f < (from->ranges[i].start + from->ranges[i].bytes) / 4096; f++)
				if ((from->ranges[i].kind != RANGE_RAM) == pass)
					is_ram[f] = !pass;
	is_ram[0] = 0;
}

static void test_random_maps_agree_with_a_model(void)
{
	uint64_t state = 42;
	uint8_t is_ram[MODEL_FRAMES], found[MODEL_FRAMES];

	for (unsigned round = 0; round < MODEL_ROUNDS; round++) {
		uint32_t count;

		begin();
		for (uint64_t i = exact_random(&state) % 20; i > 0; i--) {
			uint64_t r = exact_random(&state), first = r % MODEL_FRAMES;

			add(first * 4096,
				(r >> 16) % (MODEL_FRAMES - first + 1) / ((r >> 40) % 8 + 1) * 4096,
				(r >> 32) % 2 ? RANGE_RAM : RANGE_RESERVED);
		}
		model(&map, is_ram);
		memset(found, 0, sizeof(found));
		count = ranges_ram(&map, runs);
		for (uint32_t i = 0; i < count; i++) {
			CHECK(runs[i].first < runs[i].end &&
				(i == 0 || runs[i].first > runs[i - 1].end));
			memset(found + runs[i].first, 1, runs[i].end - runs[i].first);
		}
		CHECK(memcmp(found, is_ram, sizeof(found)) == 0);
	}
}

static const struct check_test tests[] = {
	CHECK_TEST(map_of_a_pc),
	CHECK_TEST(empty_map_has_no_runs),
	CHECK_TEST(neighbours_of_one_kind_are_joined),
	CHECK_TEST(unsorted_and_overlapping_ram_is_one_run),
	CHECK_TEST(reserved_ranges_win_and_round_outwards),
	CHECK_TEST(ram_rounds_inwards),
	CHECK_TEST(addresses_beyond_frame_numbers_are_left_out),
	CHECK_TEST(lengths_that_wrap_are_cut),
	CHECK_TEST(full_map_says_so),
	CHECK_TEST(random_maps_agree_with_a_model),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), begin, NULL, argc, argv);
}
