/*
 * Fuzz target `ranges`: from a firmware's memory map to runs of RAM.
 *
 * Input: records of 8 bytes, one range each: a place and a size of 16 bits, shifted anywhere.  The
 * runs must be ascending, disjoint and apart; and at every frame near a border of a range or a run,
 * "lies in a run" must be what the rule says: wholly inside one entry of RAM, touched by no other.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fuzz.h"
#include "ranges.h"
#include <faultline/layout.h>
#include <string.h>

FUZZ_RECORDS(0, 8)

static struct memory_map map;
static struct frame_run runs[FRAME_RUNS_MAX];
static uint32_t run_count;

static bool touches(const struct info_range *range, uint64_t frame)
{
	return range->start <= frame * PAGE_SIZE + (PAGE_SIZE - 1) &&
	       range->start + (range->bytes - 1) >= frame * PAGE_SIZE;
}

static bool holds(const struct info_range *range, uint64_t frame)
{
	return range->start <= frame * PAGE_SIZE &&
	       range->start + (range->bytes - 1) >= frame * PAGE_SIZE + (PAGE_SIZE - 1);
}

static bool should_be_ram(uint64_t frame)
{
	bool ram = false;

	if (frame == 0 || frame >= 1ull << FRAME_NUMBER_BITS)
		return false;
	for (uint32_t i = 0; i < map.count; i++) {
		const struct info_range *range = &map.ranges[i];

		if (range->kind != RANGE_RAM && touches(range, frame))
			return false;
		ram |= range->kind == RANGE_RAM && holds(range, frame);
	}
	return ram;
}

static bool is_ram(uint64_t frame)
{
	for (uint32_t i = 0; i < run_count; i++)
		if (frame >= runs[i].first && frame < runs[i].end)
			return true;
	return false;
}

static void check_near(uint64_t frame)
{
	for (uint64_t near = frame ? frame - 1 : 0; near <= frame + 1; near++)
		if (is_ram(near) != should_be_ram(near))
			fuzz_fail("frame %llx is %sin a run", (unsigned long long)near,
				is_ram(near) ? "" : "not ");
}

static void check_runs(void)
{
	for (uint32_t i = 0; i < run_count; i++) {
		FUZZ_CHECK(runs[i].first < runs[i].end);
		FUZZ_CHECK(i == 0 || runs[i - 1].end < runs[i].first);
		check_near(runs[i].first);
		check_near(runs[i].end);
	}
	for (uint32_t i = 0; i < map.count; i++) {
		check_near(map.ranges[i].start / PAGE_SIZE);
		check_near((map.ranges[i].start + map.ranges[i].bytes - 1) / PAGE_SIZE);
	}
}

static void add(struct fuzz_bytes *bytes)
{
	uint64_t start = fuzz_take(bytes, 2), size = fuzz_take(bytes, 2);
	uint32_t kind = (uint32_t)fuzz_take(bytes, 1) & 3;
	uint32_t start_shift = (uint32_t)fuzz_take(bytes, 1),
		 size_shift = (uint32_t)fuzz_take(bytes, 1);
	uint64_t fine = fuzz_take(bytes, 1);
	uint32_t before = map.count;

	start <<= start_shift < 192 ? 11 : start_shift % 49;
	size <<= size_shift < 192 ? 11 : size_shift % 49;
	if (fine & 1)
		start += fine;
	if (fine & 2)
		size += fine;
	if (!ranges_add(&map, start, size, kind < 2 ? (uint32_t)RANGE_RAM : kind))
		FUZZ_CHECK(before == MEMORY_MAP_MAX);
	FUZZ_CHECK(map.count <= before + 1);
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_bytes left = { data, data + bytes };

	map.count = 0;
	while (left.end - left.at >= 8)
		add(&left);
	run_count = ranges_ram(&map, runs);
	FUZZ_CHECK(run_count <= FRAME_RUNS_MAX);
	check_runs();
	fuzz_count(bytes / 8 + 1);
	fuzz_count_input();
	return 0;
}
