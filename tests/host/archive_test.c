/*
 * Tests of the reader of boot archives.
 *
 * Usage: archive [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "exact.h"
#include <faultline/archive.h>

#define ROOM	      4096
#define HEADER	      110
#define DAMAGE_ROUNDS 200000

/* Offsets of numbers in a header. */
enum { MODE_AT = 6 + 8, BYTES_AT = 6 + 6 * 8, NAME_BYTES_AT = 6 + 11 * 8 };

static uint8_t built[ROOM];
static size_t built_bytes;

static void begin(void)
{
	memset(built, 0, sizeof(built));
	built_bytes = 0;
}

static void pad(void)
{
	built_bytes = (built_bytes + 3) & ~(size_t)3;
}

static void add_file(const char *name, uint32_t mode, const void *data, size_t bytes)
{
	char header[HEADER + 1];

	snprintf(header, sizeof(header),
		"070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode, 0, 0, 1, 0,
		(uint32_t)bytes, 0, 0, 0, 0, (uint32_t)strlen(name) + 1, 0);
	memcpy(built + built_bytes, header, HEADER);
	built_bytes += HEADER;
	memcpy(built + built_bytes, name, strlen(name) + 1);
	built_bytes += strlen(name) + 1;
	pad();
	if (bytes)
		memcpy(built + built_bytes, data, bytes);
	built_bytes += bytes;
	pad();
}

static void add_trailer(void)
{
	add_file("TRAILER!!!", 0, NULL, 0);
}

static void set_number(size_t at, uint32_t value)
{
	char digits[9];

	snprintf(digits, sizeof(digits), "%08x", value);
	memcpy(built + at, digits, 8);
}

static void build_three(void)
{
	begin();
	add_file(".", 0040755, NULL, 0);
	add_file("./init", 0100755, "program", 7);
	add_file("etc/boot", 0100644, "a line\n", 7);
	add_file("empty", 0100600, NULL, 0);
	add_trailer();
}

/* Reads all of an exact copy; returns the last status and counts the files. */
static status_t read_all(const uint8_t *bytes, size_t count, unsigned *files)
{
	uint8_t *copy = exact_copy(bytes, count);
	struct archive_file file;
	uint64_t offset = 0, before;
	status_t status;
	volatile uint8_t sum = 0;

	*files = 0;
	do {
		before = offset;
		status = archive_next(copy, count, &offset, &file);
		if (status != ST_OK)
			break;
		++*files;
		sum = (uint8_t)(sum + strlen(file.name));
		for (uint64_t i = 0; i < file.bytes; i++)
			sum = (uint8_t)(sum + file.data[i]);
	} while (offset > before);
	free(copy);
	return status;
}

/* The status of reading the first file of what was built. */
static status_t first_status(void)
{
	uint8_t *copy = exact_copy(built, built_bytes);
	struct archive_file file;
	uint64_t offset = 0;
	status_t status = archive_next(copy, built_bytes, &offset, &file);

	free(copy);
	return status;
}

static void test_files_come_in_order_with_contents(void)
{
	struct archive_file file;
	uint64_t offset = 0;

	build_three();
	CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_OK);
	CHECK(strcmp(file.name, ".") == 0);
	CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_OK);
	CHECK(strcmp(file.name, "init") == 0);
	CHECK_EQUAL(file.bytes, 7);
	CHECK_EQUAL(file.mode, 0100755);
	CHECK(memcmp(file.data, "program", 7) == 0);
	CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_OK);
	CHECK(strcmp(file.name, "etc/boot") == 0);
	CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_OK);
	CHECK(strcmp(file.name, "empty") == 0);
	CHECK_EQUAL(file.bytes, 0);
	CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_NOT_FOUND);
}

static void test_trailer_does_not_move_the_offset(void)
{
	struct archive_file file;
	uint64_t offset = 0;

	begin();
	add_trailer();
	CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_NOT_FOUND);
	CHECK_EQUAL(offset, 0);
}

static void test_find_takes_names_with_and_without_dot(void)
{
	struct archive_file file;

	build_three();
	CHECK_EQUAL(archive_find(built, built_bytes, "init", &file), ST_OK);
	CHECK(memcmp(file.data, "program", 7) == 0);
	CHECK_EQUAL(archive_find(built, built_bytes, "./etc/boot", &file), ST_OK);
	CHECK_EQUAL(archive_find(built, built_bytes, "etc", &file), ST_NOT_FOUND);
	CHECK_EQUAL(archive_find(built, built_bytes, "", &file), ST_NOT_FOUND);
	CHECK_EQUAL(archive_find(built, built_bytes, "inits", &file), ST_NOT_FOUND);
}

static void test_find_reports_damage_before_the_name(void)
{
	struct archive_file file;

	build_three();
	built[0] = 'x';
	CHECK_EQUAL(archive_find(built, built_bytes, "empty", &file), ST_BAD_FORMAT);
}

static void test_first_of_two_equal_names_wins(void)
{
	struct archive_file file;

	begin();
	add_file("same", 0100644, "one", 3);
	add_file("same", 0100644, "two", 3);
	add_trailer();
	CHECK_EQUAL(archive_find(built, built_bytes, "same", &file), ST_OK);
	CHECK(memcmp(file.data, "one", 3) == 0);
}

static void test_checksum_form_and_lower_case_are_read(void)
{
	begin();
	add_file("file", 0100644, "0123456789", 10);
	add_trailer();
	built[5] = '2';
	CHECK_EQUAL(first_status(), ST_OK);
	set_number(BYTES_AT, 0xa);
	CHECK_EQUAL(first_status(), ST_OK);
}

static void test_every_truncation_is_damage(void)
{
	unsigned files;

	build_three();
	for (size_t bytes = 0; bytes < built_bytes; bytes++) {
		status_t status = read_all(built, bytes, &files);

		/* The padding behind the trailer's name may be missing. */
		if (built_bytes - bytes > 3)
			CHECK_EQUAL(status, ST_BAD_FORMAT);
	}
}

static void test_archive_without_trailer_is_damage(void)
{
	unsigned files;

	begin();
	add_file("file", 0100644, "1234", 4);
	CHECK_EQUAL(read_all(built, built_bytes, &files), ST_BAD_FORMAT);
	CHECK_EQUAL(files, 1);
}

static void test_sizes_beyond_the_archive_are_damage(void)
{
	static const uint32_t sizes[] = { 5, ROOM, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin();
		add_file("file", 0100644, "1234", 4);
		set_number(BYTES_AT, sizes[i]);
		CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
		begin();
		add_file("file", 0100644, "1234", 4);
		set_number(NAME_BYTES_AT, sizes[i] == 5 ? 6 : sizes[i]);
		CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
	}
}

static void test_names_need_one_nul_at_the_end(void)
{
	begin();
	add_file("file", 0100644, NULL, 0);
	set_number(NAME_BYTES_AT, 0);
	CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
	set_number(NAME_BYTES_AT, 4);
	CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
	set_number(NAME_BYTES_AT, 5);
	CHECK_EQUAL(first_status(), ST_OK);
	built[HEADER + 2] = 0;
	CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
	built[HEADER] = 0;
	set_number(NAME_BYTES_AT, 1);
	CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
}

static void test_numbers_need_eight_digits(void)
{
	static const char wrong[] = { 'g', 'G', ' ', 'x', '-', '+', '/', ':', '@', '`', 0,
		(char)0xff };

	for (size_t i = 0; i < sizeof(wrong); i++) {
		static const size_t fields[] = { MODE_AT, BYTES_AT, NAME_BYTES_AT };

		for (size_t f = 0; f < 3; f++) {
			begin();
			add_file("file", 0100644, NULL, 0);
			built[fields[f] + i % 8] = (uint8_t)wrong[i];
			CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
		}
	}
}

static void test_other_forms_of_cpio_are_refused(void)
{
	begin();
	add_file("file", 0100644, NULL, 0);
	built[5] = '7'; /* the old ASCII form */
	CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
	built[5] = '3';
	CHECK_EQUAL(first_status(), ST_BAD_FORMAT);
}

static void test_offsets_outside_are_refused(void)
{
	static const uint64_t offsets[] = { ROOM, UINT64_MAX, UINT64_MAX - HEADER, 1ull << 63 };

	build_three();
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct archive_file file;
		uint64_t offset = offsets[i];

		CHECK_EQUAL(archive_next(built, built_bytes, &offset, &file), ST_BAD_FORMAT);
		CHECK_EQUAL(offset, offsets[i]);
	}
}

static void test_random_damage_never_reads_outside(void)
{
	uint64_t state = 0x9e3779b97f4a7c15ull;
	unsigned files;

	for (unsigned round = 0; round < DAMAGE_ROUNDS; round++) {
		unsigned changes = 1 + (unsigned)(exact_random(&state) % 4);

		build_three();
		while (changes--) {
			uint64_t random = exact_random(&state);

			built[random % built_bytes] = (uint8_t) "0f7\0Fx\xff"[(random >> 32) % 7];
		}
		(void)read_all(built, built_bytes - exact_random(&state) % 3 * 40, &files);
		CHECK(files <= built_bytes / HEADER);
	}
}

static const struct check_test tests[] = {
	CHECK_TEST(files_come_in_order_with_contents),
	CHECK_TEST(trailer_does_not_move_the_offset),
	CHECK_TEST(find_takes_names_with_and_without_dot),
	CHECK_TEST(find_reports_damage_before_the_name),
	CHECK_TEST(first_of_two_equal_names_wins),
	CHECK_TEST(checksum_form_and_lower_case_are_read),
	CHECK_TEST(every_truncation_is_damage),
	CHECK_TEST(archive_without_trailer_is_damage),
	CHECK_TEST(sizes_beyond_the_archive_are_damage),
	CHECK_TEST(names_need_one_nul_at_the_end),
	CHECK_TEST(numbers_need_eight_digits),
	CHECK_TEST(other_forms_of_cpio_are_refused),
	CHECK_TEST(offsets_outside_are_refused),
	CHECK_TEST(random_damage_never_reads_outside),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL, argc, argv);
}
