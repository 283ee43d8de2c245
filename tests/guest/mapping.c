/*
 * Mappings: mmap, munmap and mprotect of anonymous memory and files.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (PROT_READ | PROT_WRITE)
#define TEXT_FILE "/text/default.txt"

static void *address(const volatile void *memory)
{
	return (void *)(uintptr_t)memory;
}

/* Pages at exactly this place, replacing what is there. */
static volatile uint8_t *pages_at(const volatile void *place, size_t count)
{
	void *memory = mmap(address(place), PAGES(count), READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(memory == address(place));
	return memory;
}

static void unmap(const volatile void *place, size_t count)
{
	CHECK_EQUAL(munmap(address(place), PAGES(count)), 0);
}

static void new_memory_is_zero(void)
{
	volatile uint8_t *pages = private_pages(100);

	CHECK((uint64_t)pages % PAGE_SIZE == 0);
	CHECK(all_bytes_are(pages, PAGES(100), 0));
	pattern_fill(pages, PAGES(100), 1);
	CHECK(pattern_holds(pages, PAGES(100), 1));
}

static void pages_are_zero_after_each_use(void)
{
	for (int round = 0; round < 10; round++) {
		volatile uint8_t *pages = private_pages(200);

		CHECK(all_bytes_are(pages, PAGES(200), 0));
		pattern_fill(pages, PAGES(200), (unsigned)round);
		unmap(pages, 200);
	}
}

/* Writes to this many pages, or finds them to be zero. */
static void dirty_pages(void *count)
{
	volatile uint8_t *pages = private_pages((size_t)count);

	for (size_t i = 0; i < (size_t)count; i++)
		pages[PAGES(i) + i % PAGE_SIZE] = 0xaa;
}

static void find_clean_pages(void *count)
{
	volatile uint8_t *pages = private_pages((size_t)count);

	for (size_t i = 0; i < (size_t)count; i++) {
		pages[PAGES(i)] = 0; /* a frame of its own */
		for (size_t j = 0; j < PAGE_SIZE; j += sizeof(uint64_t))
			CHECK_EQUAL(*(volatile uint64_t *)&pages[PAGES(i) + j], 0);
	}
}

/* Free frames rest as long as possible: only when most have been used do dirty ones come back. */
static void used_frames_come_back_as_zeros(void)
{
	uint64_t free = frames_free();

	child_run(dirty_pages, (void *)(free * 3 / 4));
	child_run(find_clean_pages, (void *)(free * 3 / 4));
}

static void lengths_are_rounded_up(void)
{
	void *place = (void *)0x123456780000; /* nothing else is near */
	volatile uint8_t *memory = mmap(place, 100, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(address(memory) == place);
	memory[4095] = 1;
	CHECK_KILLED(store_child, address(memory + 4096), SIGSEGV);
	CHECK_EQUAL(munmap(address(memory), 1), 0);
	CHECK_KILLED(load_child, address(memory), SIGSEGV);
}

static void unmapping_frees_the_frames(void)
{
	volatile uint8_t *pages = private_pages(500);
	uint64_t full;

	pattern_fill(pages, PAGES(500), 2);
	full = frames_free();
	unmap(pages, 500);
	CHECK(frames_free() - full >= 500);
	CHECK_KILLED(load_child, address(pages + PAGES(250)), SIGSEGV);
}

static void unmapping_the_middle(void)
{
	volatile uint8_t *pages = private_pages(9);
	size_t regions = region_count();

	pattern_fill(pages, PAGES(9), 3);
	unmap(pages + PAGES(3), 3);
	CHECK_EQUAL(region_count(), regions + 1);
	for (size_t i = 0; i < 9; i++) {
		bool is_there = i < 3 || i >= 6;

		CHECK_EQUAL(child_status(load_child, address(pages + PAGES(i))),
			    is_there ? 0 : PROC_STATUS_SIGNAL(SIGSEGV));
		for (size_t j = PAGES(i); is_there && j < PAGES(i + 1); j++)
			CHECK_EQUAL(pages[j], pattern(j, 3));
	}
}

static void unmapping_both_ends(void)
{
	volatile uint8_t *pages = private_pages(6);
	size_t regions = region_count();
	struct pager_region region;

	pattern_fill(pages, PAGES(6), 4);
	unmap(pages, 1);
	unmap(pages + PAGES(5), 1);
	CHECK_EQUAL(region_count(), regions);
	CHECK(region_at(pages + PAGES(2), &region));
	CHECK(region.start <= (uint64_t)pages + PAGES(1) && region.end >= (uint64_t)pages + PAGES(5));
	CHECK_KILLED(load_child, address(pages), SIGSEGV);
	CHECK_KILLED(load_child, address(pages + PAGES(5)), SIGSEGV);
	CHECK_EQUAL(pages[PAGES(1)], pattern(PAGES(1), 4));
}

static void unmapping_over_several_regions(void)
{
	volatile uint8_t *pages = private_pages(30);
	size_t regions = region_count();

	for (size_t i = 0; i < 30; i += 2)
		CHECK_EQUAL(mprotect(address(pages + PAGES(i)), PAGE_SIZE, PROT_READ), 0);
	CHECK(region_count() >= regions + 28);
	unmap(pages + PAGES(1), 28);
	CHECK(region_count() <= regions + 2);
	CHECK_KILLED(load_child, address(pages + PAGES(15)), SIGSEGV);
	CHECK_EQUAL(pages[0] + pages[PAGES(29)], 0);
}

static void unmapping_nothing_is_no_error(void)
{
	volatile uint8_t *pages = private_pages(4);

	unmap(pages, 4);
	unmap(pages, 4);
}

static void unmapping_refuses_bad_ranges(void)
{
	volatile uint8_t *pages = private_pages(2);

	CHECK_ERRNO(munmap(address(pages + 1), PAGE_SIZE), EINVAL);
	CHECK_ERRNO(munmap(address(pages), 0), EINVAL);
	CHECK_ERRNO(munmap((void *)LAYOUT_KERNEL, PAGE_SIZE), EINVAL);
	CHECK_ERRNO(munmap((void *)LAYOUT_MESSAGE, PAGE_SIZE), EINVAL);
	CHECK_ERRNO(munmap(address(pages), SIZE_MAX - PAGE_SIZE), EINVAL);
	pages[0] = pages[PAGE_SIZE] = 1;
}

static void neighbours_become_one_region(void)
{
	volatile uint8_t *pages = private_pages(30);
	size_t regions;

	unmap(pages, 30);
	pages_at(pages, 10)[0] = 1;
	regions = region_count();
	pages_at(pages + PAGES(20), 10)[0] = 2;
	pages_at(pages + PAGES(10), 10)[0] = 3;
	CHECK(region_count() <= regions + 1);
	CHECK_EQUAL(pages[0] + 10 * pages[PAGES(20)] + 100 * pages[PAGES(10)], 321);
}

static void hint_is_honoured_if_free(void)
{
	uint64_t place = 0x123456000000;
	volatile uint8_t *first = mmap((void *)place, PAGES(2), READ_WRITE, ANONYMOUS, -1, 0), *second;

	CHECK_EQUAL((uint64_t)first, place);
	first[0] = 1;
	second = mmap((void *)place, PAGES(2), READ_WRITE, ANONYMOUS, -1, 0);
	CHECK(address(second) != MAP_FAILED && second != first);
	CHECK_EQUAL(second[0], 0);
	CHECK_EQUAL(first[0], 1);
}

static void fixed_replaces_what_is_there(void)
{
	volatile uint8_t *pages = private_pages(10);
	uint64_t full;

	pattern_fill(pages, PAGES(10), 5);
	full = frames_free();
	pages_at(pages + PAGES(4), 3);
	CHECK(frames_free() - full >= 3);
	CHECK(all_bytes_are(pages + PAGES(4), PAGES(3), 0));
	CHECK(pattern_holds(pages, PAGES(4), 5));
	CHECK_EQUAL(pages[PAGES(7)], pattern(PAGES(7), 5));
}

static void fixed_replaces_other_kinds(void)
{
	volatile uint8_t *pages = shared_pages(6);

	pattern_fill(pages, PAGES(6), 6);
	CHECK_EQUAL(mprotect(address(pages + PAGES(1)), PAGES(2), PROT_NONE), 0);
	pages_at(pages, 6);
	CHECK(all_bytes_are(pages, PAGES(6), 0));
	pattern_fill(pages, PAGES(6), 7);
}

static void fixed_without_replacing(void)
{
	volatile uint8_t *pages = private_pages(4);
	int flags = ANONYMOUS | MAP_FIXED_NOREPLACE;

	pages[PAGES(3)] = 9;
	CHECK_ERRNO((intptr_t)mmap(address(pages), PAGES(8), READ_WRITE, flags, -1, 0), EEXIST);
	CHECK_ERRNO((intptr_t)mmap(address(pages + PAGES(3)), PAGES(1), READ_WRITE, flags, -1, 0),
		    EEXIST);
	CHECK_EQUAL(pages[PAGES(3)], 9);
	unmap(pages, 3);
	CHECK(mmap(address(pages), PAGES(3), READ_WRITE, flags, -1, 0) == address(pages));
	pages[0] = 1;
}

static void bad_arguments_are_refused(void)
{
	CHECK_ERRNO((intptr_t)mmap(NULL, 0, READ_WRITE, ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((intptr_t)mmap(NULL, 1, READ_WRITE, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((intptr_t)mmap(NULL, 1, READ_WRITE, ANONYMOUS | MAP_SHARED, -1, 0), EINVAL);
	CHECK_ERRNO((intptr_t)mmap((void *)0x100001, 1, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO((intptr_t)mmap(NULL, 1, READ_WRITE, MAP_PRIVATE, 31, 0), EBADF);
	CHECK_EQUAL((intptr_t)mmap(NULL, SIZE_MAX, READ_WRITE, ANONYMOUS, -1, 0), -1);
	CHECK_EQUAL((intptr_t)mmap(NULL, (size_t)1 << 47, READ_WRITE, ANONYMOUS, -1, 0), -1);
	CHECK_ERRNO((intptr_t)mmap(NULL, (size_t)1 << 46, READ_WRITE, ANONYMOUS, -1, 0), ENOMEM);
}

/* All that was given out is disjoint, and what was given back is given out again. */
static void places_are_disjoint_and_used_again(void)
{
	volatile uint8_t *places[64];

	for (size_t i = 0; i < 64; i++) {
		places[i] = private_pages(1 + i % 5);
		for (size_t page = 0; page < 1 + i % 5; page++) {
			CHECK_EQUAL(places[i][PAGES(page)], 0);
			places[i][PAGES(page)] = (uint8_t)(i + 1);
		}
	}
	for (size_t i = 0; i < 64; i += 2)
		unmap(places[i], 1 + i % 5);
	for (size_t i = 0; i < 64; i += 2) {
		places[i] = private_pages(1 + i % 5);
		places[i][0] = (uint8_t)(i + 1);
	}
	for (size_t i = 0; i < 64; i++)
		CHECK_EQUAL(places[i][0], i + 1);
}

static void thousand_regions(void)
{
	volatile uint8_t *pages = private_pages(2000);
	size_t regions = region_count();

	for (size_t i = 0; i < 2000; i += 2) {
		unmap(pages + PAGES(i), 1);
		pages[PAGES(i + 1)] = pattern(i, 8);
	}
	CHECK(region_count() >= regions + 998);
	for (size_t i = 0; i < 2000; i += 2)
		CHECK_EQUAL(pages[PAGES(i + 1)], pattern(i, 8));
	for (size_t i = 0; i < 2000; i += 2)
		pages_at(pages + PAGES(i), 1)[0] = 1;
	CHECK(region_count() <= regions + 1);
	for (size_t i = 0; i < 2000; i += 2)
		CHECK_EQUAL(pages[PAGES(i + 1)], pattern(i, 8));
}

/* The list of regions: in order, disjoint, and what we mapped is in it. */
static void maps_list_the_regions(void)
{
	struct pager_region list[8];
	volatile uint8_t *pages = private_pages(7);
	uint64_t from = 0, last = 0;
	size_t count = 0, found = 0;

	for (size_t page = 5; page-- > 0;) /* backwards: no page brings another one */
		pages[PAGES(page)] = 9;
	CHECK_EQUAL(mprotect(address(pages), PAGES(7), PROT_READ), 0);
	do {
		int got = system_maps(getpid(), &from, list, 8);

		CHECK(got >= 0);
		for (int i = 0; i < got; i++) {
			CHECK(list[i].start >= last && list[i].end > list[i].start);
			last = list[i].end;
			count++;
			if (list[i].start != (uint64_t)pages)
				continue;
			found++;
			CHECK_EQUAL(list[i].end - list[i].start, PAGES(7));
			CHECK_EQUAL(list[i].resident, 5);
			CHECK_EQUAL(list[i].object, 0);
			CHECK_EQUAL(list[i].protection & (MAP_READ | MAP_WRITE | MAP_EXEC), MAP_READ);
		}
	} while (from);
	CHECK_EQUAL(count, region_count());
	CHECK_EQUAL(found, 1);
}

static void populated_memory_has_no_faults(void)
{
	struct cost cost;
	volatile uint8_t *pages =
		mmap(NULL, PAGES(50), READ_WRITE, ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(address(pages) != MAP_FAILED);
	cost_begin();
	for (size_t i = 0; i < 50; i++) {
		CHECK_EQUAL(pages[PAGES(i)], 0);
		pages[PAGES(i)] = 1;
	}
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 0);
}

static void protecting_divides_and_joins(void)
{
	volatile uint8_t *pages = private_pages(10);
	size_t regions = region_count();

	pattern_fill(pages, PAGES(10), 10);
	CHECK_EQUAL(mprotect(address(pages + PAGES(4)), PAGES(2), PROT_READ), 0);
	CHECK_EQUAL(region_count(), regions + 2);
	CHECK_KILLED(store_child, address(pages + PAGES(5)), SIGSEGV);
	pages[PAGES(3)] = pattern(PAGES(3), 10);
	pages[PAGES(6)] = pattern(PAGES(6), 10);
	CHECK_EQUAL(mprotect(address(pages + PAGES(4)), PAGES(2), READ_WRITE), 0);
	CHECK_EQUAL(region_count(), regions);
	CHECK(pattern_holds(pages, PAGES(10), 10));
}

static void no_access_memory_costs_nothing(void)
{
	uint64_t before = frames_free();
	void *memory = mmap(NULL, (size_t)1 << 30, PROT_NONE, ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK(before - frames_free() <= 1);
	CHECK_KILLED(load_child, memory, SIGSEGV);
	CHECK_EQUAL(mprotect(memory, PAGES(2), READ_WRITE), 0);
	store((uint64_t)memory + 5000, 1);
	CHECK_KILLED(store_child, (uint8_t *)memory + PAGES(2), SIGSEGV);
}

/* Mapped thinly: tables go when the memory goes. */
static void thin_use_of_a_large_mapping(void)
{
	size_t bytes = (size_t)128 << 20, step = (size_t)2 << 20;
	uint64_t before = frames_free();
	volatile uint8_t *memory = mmap(NULL, bytes, READ_WRITE, ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(address(memory) != MAP_FAILED);
	for (size_t i = 0; i < bytes; i += step)
		memory[i] = (uint8_t)(i / step + 1);
	CHECK(before - frames_free() >= 128); /* 64 pages, each with a table of its own */
	for (size_t i = 0; i < bytes; i += step)
		CHECK_EQUAL(memory[i], i / step + 1);
	CHECK_EQUAL(munmap(address(memory), bytes), 0);
	CHECK(before - frames_free() <= 4);
}

static void committed_pages_are_counted(void)
{
	struct pager_space_stat before, after;
	volatile uint8_t *pages;

	CHECK_EQUAL(system_space_stat(&before), 0);
	pages = private_pages(100);
	CHECK_EQUAL(system_space_stat(&after), 0);
	CHECK_EQUAL(after.committed - before.committed, 100);
	CHECK_EQUAL(mprotect(address(pages), PAGES(40), PROT_READ), 0);
	CHECK_EQUAL(system_space_stat(&after), 0);
	CHECK_EQUAL(after.committed - before.committed, 60);
	unmap(pages, 100);
	CHECK_EQUAL(system_space_stat(&after), 0);
	CHECK_EQUAL(after.committed, before.committed);
}

/* ---- files ---- */

static int text_open(size_t *bytes)
{
	struct stat stat;
	int fd = open(TEXT_FILE, O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(fstat(fd, &stat), 0);
	*bytes = (size_t)stat.st_size;
	CHECK(*bytes >= 256 * 1024);
	return fd;
}

static volatile uint8_t *text_map(int fd, size_t bytes, int protection, int flags)
{
	void *memory = mmap(NULL, bytes, protection, flags, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

/* Compare a mapping with what read() gives. */
static void check_text(int fd, const volatile uint8_t *memory, size_t bytes)
{
	static uint8_t buffer[5000];
	size_t at = 0;
	ssize_t got;

	CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < got; i++, at++)
			CHECK_EQUAL(memory[at], buffer[i]);
	CHECK_EQUAL(at, bytes);
}

static void file_mapping_equals_the_file(void)
{
	size_t bytes;
	int fd = text_open(&bytes);
	const volatile uint8_t *memory = text_map(fd, bytes, PROT_READ, MAP_PRIVATE);

	check_text(fd, memory, bytes);
	for (size_t i = bytes; i % PAGE_SIZE; i++)
		CHECK_EQUAL(memory[i], 0); /* the rest of the last page */
}

static void file_mapping_with_an_offset(void)
{
	uint8_t byte[16];
	size_t bytes;
	int fd = text_open(&bytes);
	const volatile uint8_t *memory =
		mmap(NULL, PAGES(2), PROT_READ, MAP_PRIVATE, fd, (off_t)PAGES(5));

	CHECK(address(memory) != MAP_FAILED);
	CHECK_EQUAL(pread(fd, byte, 16, (off_t)PAGES(6) + 100), 16);
	for (size_t i = 0; i < 16; i++)
		CHECK_EQUAL(memory[PAGE_SIZE + 100 + i], byte[i]);
	CHECK_ERRNO((intptr_t)mmap(NULL, PAGES(2), PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
}

static void file_frames_are_shared(void)
{
	size_t bytes;
	int fd = text_open(&bytes);
	const volatile uint8_t *first = text_map(fd, bytes, PROT_READ, MAP_PRIVATE), *second;
	uint64_t before;

	check_text(fd, first, bytes);
	before = frames_free();
	second = text_map(fd, bytes, PROT_READ, MAP_PRIVATE);
	check_text(fd, second, bytes);
	CHECK(before - frames_free() <= 4); /* tables only */
}

static void private_file_pages_are_copied(void)
{
	size_t bytes;
	int fd = text_open(&bytes);
	volatile uint8_t *mine = text_map(fd, bytes, READ_WRITE, MAP_PRIVATE);
	const volatile uint8_t *other = text_map(fd, bytes, PROT_READ, MAP_PRIVATE);
	uint8_t old = mine[PAGES(3) + 7];
	struct cost cost;

	cost_begin();
	mine[PAGES(3) + 7] = (uint8_t)~old;
	cost = cost_end();
	CHECK_EQUAL(cost.faults, 1);
	CHECK_EQUAL(cost.frames_copied, 1);
	CHECK_EQUAL(mine[PAGES(3) + 7], (uint8_t)~old);
	CHECK_EQUAL(mine[PAGES(3) + 8], other[PAGES(3) + 8]);
	check_text(fd, other, bytes); /* neither the other mapping nor the file changed */
}

static void write_private_file_page(void *argument)
{
	volatile uint8_t *memory = argument;
	uint8_t old = memory[0];

	memory[0] = (uint8_t)(old + 1);
	CHECK_EQUAL(memory[0], (uint8_t)(old + 1));
}

static void private_file_pages_across_fork(void)
{
	size_t bytes;
	int fd = text_open(&bytes);
	volatile uint8_t *memory = text_map(fd, bytes, READ_WRITE, MAP_PRIVATE);

	child_run(write_private_file_page, address(memory));
	check_text(fd, memory, bytes);
	memory[1] = 0;
	child_run(write_private_file_page, address(memory));
	CHECK_EQUAL(memory[1], 0);
}

static void shared_file_mapping_is_for_reading(void)
{
	size_t bytes;
	int fd = text_open(&bytes);
	volatile uint8_t *memory = text_map(fd, bytes, PROT_READ, MAP_SHARED);

	check_text(fd, memory, bytes);
	CHECK_ERRNO((intptr_t)mmap(NULL, bytes, READ_WRITE, MAP_SHARED, fd, 0), EACCES);
	CHECK_KILLED(store_child, address(memory), SIGSEGV);
	CHECK_EQUAL(mprotect(address(memory), PAGE_SIZE, READ_WRITE), -1);
	CHECK_KILLED(store_child, address(memory), SIGSEGV);
	check_text(fd, memory, bytes);
}

static void pages_past_the_end_of_the_file(void)
{
	size_t bytes, pages;
	int fd = text_open(&bytes), status;
	volatile uint8_t *memory = text_map(fd, bytes + PAGES(3), PROT_READ, MAP_PRIVATE);

	pages = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
	CHECK_LIVES(load_child, address(memory + PAGES(pages) - 1));
	status = child_status(load_child, address(memory + PAGES(pages)));
	CHECK_EQUAL(status, PROC_STATUS_SIGNAL(SIGBUS));
}

static void file_mapping_outlives_its_descriptor(void)
{
	size_t bytes;
	int fd = text_open(&bytes);
	const volatile uint8_t *memory = text_map(fd, bytes, PROT_READ, MAP_PRIVATE);

	CHECK_EQUAL(close(fd), 0);
	fd = text_open(&bytes);
	check_text(fd, memory, bytes);
}

const struct test tests_mapping[] = {
	TEST(new_memory_is_zero),
	TEST(pages_are_zero_after_each_use),
	TEST_SLOW(used_frames_come_back_as_zeros, 300),
	TEST(lengths_are_rounded_up),
	TEST(unmapping_frees_the_frames),
	TEST(unmapping_the_middle),
	TEST(unmapping_both_ends),
	TEST(unmapping_over_several_regions),
	TEST(unmapping_nothing_is_no_error),
	TEST(unmapping_refuses_bad_ranges),
	TEST(neighbours_become_one_region),
	TEST(hint_is_honoured_if_free),
	TEST(fixed_replaces_what_is_there),
	TEST(fixed_replaces_other_kinds),
	TEST(fixed_without_replacing),
	TEST(bad_arguments_are_refused),
	TEST(places_are_disjoint_and_used_again),
	TEST(thousand_regions),
	TEST(maps_list_the_regions),
	TEST(populated_memory_has_no_faults),
	TEST(protecting_divides_and_joins),
	TEST(no_access_memory_costs_nothing),
	TEST(thin_use_of_a_large_mapping),
	TEST(committed_pages_are_counted),
	TEST(file_mapping_equals_the_file),
	TEST(file_mapping_with_an_offset),
	TEST(file_frames_are_shared),
	TEST(private_file_pages_are_copied),
	TEST(private_file_pages_across_fork),
	TEST(shared_file_mapping_is_for_reading),
	TEST(pages_past_the_end_of_the_file),
	TEST(file_mapping_outlives_its_descriptor),
	{0},
};
