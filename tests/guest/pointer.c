/*
 * Bad pointers given to the C library: an error of that call, not the end of the process.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NON_CANONICAL 0x0000800000000000ull
#define TEXT_FILE "/text/default.txt"

/* Nobody may read these; the last is the first byte behind all user memory. */
static const uint64_t unreadable[] = {
	0, 8, 0x1000, 0x123456789000, NON_CANONICAL, LAYOUT_DIRECT_MAP, LAYOUT_KERNEL, UINT64_MAX - 15,
	LAYOUT_USER_END,
};
#define UNREADABLE (sizeof(unreadable) / sizeof(unreadable[0]))

/* As the compiler cannot know it. */
static void *pointer(uint64_t address)
{
	__asm__ volatile("" : "+r"(address));
	return (void *)address;
}

static int text_open(void)
{
	int fd = open(TEXT_FILE, O_RDONLY);

	CHECK(fd >= 0);
	return fd;
}

static void reading_into_bad_memory(void)
{
	int fd = text_open();
	char byte;

	for (size_t i = 0; i < UNREADABLE; i++)
		CHECK_ERRNO(read(fd, pointer(unreadable[i]), 10), EFAULT);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQUAL(read(fd, &byte, 1), 1);
}

static void reading_into_read_only_memory(void)
{
	int fd = text_open();
	uint8_t first = load((uint64_t)reading_into_read_only_memory);

	CHECK_ERRNO(read(fd, pointer((uint64_t)reading_into_read_only_memory), 10), EFAULT);
	CHECK_EQUAL(load((uint64_t)reading_into_read_only_memory), first);
}

static void writing_from_bad_memory(void)
{
	for (size_t i = 0; i < UNREADABLE; i++)
		CHECK_ERRNO(write(1, pointer(unreadable[i]), 10), EFAULT);
	CHECK_ERRNO(write(31, "x", 1), EBADF);
}

/* A buffer whose second half is missing. */
static void buffer_that_ends_in_a_hole(void)
{
	int fd = text_open();
	volatile uint8_t *pages = private_pages(2);
	ssize_t got;

	CHECK_EQUAL(munmap((void *)(uintptr_t)(pages + PAGE_SIZE), PAGE_SIZE), 0);
	got = read(fd, (void *)(uintptr_t)(pages + PAGE_SIZE - 5), 10);
	CHECK(got == -1 ? errno == EFAULT : got <= 5);
	CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQUAL(read(fd, (void *)(uintptr_t)(pages + PAGE_SIZE - 5), 5), 5);
	got = write(1, (void *)(uintptr_t)(pages + PAGE_SIZE), 5);
	CHECK(got == -1 && errno == EFAULT);
}

static void names_at_bad_addresses(void)
{
	struct stat stat_buffer;

	for (size_t i = 0; i < UNREADABLE; i++) {
		CHECK_ERRNO(open(pointer(unreadable[i]), O_RDONLY), EFAULT);
		CHECK_ERRNO(stat(pointer(unreadable[i]), &stat_buffer), EFAULT);
	}
}

/* A name without its end, right below a hole. */
static void name_that_runs_into_a_hole(void)
{
	volatile char *pages = (volatile char *)private_pages(2);

	CHECK_EQUAL(munmap((void *)(uintptr_t)(pages + PAGE_SIZE), PAGE_SIZE), 0);
	memset((char *)(uintptr_t)pages, 'a', PAGE_SIZE);
	CHECK_ERRNO(open((char *)(uintptr_t)(pages + PAGE_SIZE - 9), O_RDONLY), EFAULT);
	memcpy((char *)(uintptr_t)(pages + PAGE_SIZE - sizeof(TEXT_FILE)), TEXT_FILE, sizeof(TEXT_FILE));
	CHECK(open((char *)(uintptr_t)(pages + PAGE_SIZE - sizeof(TEXT_FILE)), O_RDONLY) >= 0);
}

static void do_nothing(void *argument)
{
	(void)argument;
}

static void results_at_bad_addresses(void)
{
	pid_t child = child_start(do_nothing, NULL);

	CHECK_ERRNO(waitpid(child, pointer(0x1000), 0), EFAULT);
	CHECK_ERRNO(clock_gettime(CLOCK_MONOTONIC, pointer(0x1000)), EFAULT);
	CHECK_ERRNO(nanosleep(pointer(0x1000), NULL), EFAULT);
	CHECK_ERRNO(stat(TEXT_FILE, pointer(0x1000)), EFAULT);
}

/* In memory that was never touched, and in shared copy-on-write pages, results arrive. */
static void read_in_child(void *argument)
{
	uint8_t *pages = argument;
	int fd = text_open();

	CHECK_EQUAL(read(fd, pages + 100, PAGES(3)), PAGES(3));
	CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	for (size_t i = 0; i < PAGES(3); i += 512) {
		uint8_t bytes[512];

		CHECK_EQUAL(read(fd, bytes, 512), 512);
		CHECK(!memcmp(bytes, pages + 100 + i, 512));
	}
}

static void reading_into_untouched_memory(void)
{
	read_in_child((void *)(uintptr_t)private_pages(4));
}

static void reading_into_copy_on_write_memory(void)
{
	volatile uint8_t *pages = private_pages(4);

	pattern_fill(pages, PAGES(4), 1);
	child_run(read_in_child, (void *)(uintptr_t)pages);
	CHECK(pattern_holds(pages, PAGES(4), 1));
}

/* After an error the handler of the C library is in place again. */
static void errors_many_times(void)
{
	int fd = text_open();

	for (int i = 0; i < 300; i++)
		CHECK_ERRNO(read(fd, pointer(0x1000), 10), EFAULT);
	CHECK_KILLED(load_child, pointer(0x1000), SIGSEGV);
	CHECK_ERRNO(read(fd, pointer(0x1000), 10), EFAULT);
}

const struct test tests_pointer[] = {
	TEST(reading_into_bad_memory),
	TEST(reading_into_read_only_memory),
	TEST(writing_from_bad_memory),
	TEST(buffer_that_ends_in_a_hole),
	TEST(names_at_bad_addresses),
	TEST(name_that_runs_into_a_hole),
	TEST(results_at_bad_addresses),
	TEST(reading_into_untouched_memory),
	TEST(reading_into_copy_on_write_memory),
	TEST(errors_many_times),
	{0},
};
