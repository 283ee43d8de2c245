/*
 * Tests of the reader of programs.
 *
 * Each test damages a good file of three segments (text, read-only data, data with bss), built
 * here.
 *
 * Usage: elf [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "exact.h"
#include <elf.h>
#include <faultline/archive.h>
#include <faultline/layout.h>
#include <faultline/protocol/pager.h>

#define FILE_BYTES    0x3800u
#define DAMAGE_ROUNDS 300000

/* The start of the file, as it is on the machine that runs the test (x86-64 too). */
static struct {
	Elf64_Ehdr header;
	Elf64_Phdr program[10];
} file;
static struct elf_image image;
static const char *why;

enum { TEXT, RODATA, DATA, TLS, LAST = TLS };

static void set_program(unsigned index, uint32_t type, uint32_t flags, uint64_t offset,
	uint64_t address, uint64_t file_bytes, uint64_t memory_bytes)
{
	file.program[index] = (Elf64_Phdr){
		.p_type = type,
		.p_flags = flags,
		.p_offset = offset,
		.p_vaddr = address,
		.p_paddr = address,
		.p_filesz = file_bytes,
		.p_memsz = memory_bytes,
		.p_align = type == PT_TLS ? 16 : 4096,
	};
}

static void build(void)
{
	memset(&file, 0, sizeof(file));
	file.header = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = 0x400800,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = LAST + 1,
	};
	set_program(TEXT, PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x1234, 0x1234);
	set_program(RODATA, PT_LOAD, PF_R, 0x2000, 0x402000, 0x800, 0x800);
	set_program(DATA, PT_LOAD, PF_R | PF_W, 0x3000, 0x403000, 0x300, 0x5000);
	set_program(TLS, PT_TLS, PF_R, 0x3010, 0x403010, 0x20, 0x40);
}

static status_t read_head(size_t head_bytes, uint64_t file_bytes)
{
	uint8_t *copy = exact_copy(&file, head_bytes);
	status_t status;

	why = "";
	status = elf_read(copy, head_bytes, file_bytes, &image, &why);
	free(copy);
	return status;
}

static status_t read_file(void)
{
	return read_head(sizeof(file), FILE_BYTES);
}

#define CHECK_REFUSED(reason)                            \
	do {                                             \
		CHECK_EQUAL(read_file(), ST_BAD_FORMAT); \
		CHECK(strcmp(why, reason) == 0);         \
	} while (0)

static void test_good_file_is_read(void)
{
	CHECK_EQUAL(read_file(), ST_OK);
	CHECK_EQUAL(image.entry, 0x400800);
	CHECK_EQUAL(image.segment_count, 3);
	CHECK_EQUAL(image.segments[TEXT].protection, MAP_READ | MAP_EXEC);
	CHECK_EQUAL(image.segments[RODATA].protection, MAP_READ);
	CHECK_EQUAL(image.segments[DATA].protection, MAP_READ | MAP_WRITE);
	CHECK_EQUAL(image.segments[DATA].address, 0x403000);
	CHECK_EQUAL(image.segments[DATA].memory_bytes, 0x5000);
	CHECK_EQUAL(image.segments[DATA].file_offset, 0x3000);
	CHECK_EQUAL(image.segments[DATA].file_bytes, 0x300);
	CHECK_EQUAL(image.headers_address, 0x400000 + sizeof(Elf64_Ehdr));
	CHECK_EQUAL(image.header_count, LAST + 1);
	CHECK_EQUAL(image.tls_address, 0x403010);
	CHECK_EQUAL(image.tls_file_bytes, 0x20);
	CHECK_EQUAL(image.tls_memory_bytes, 0x40);
	CHECK_EQUAL(image.tls_align, 16);
}

static void test_file_without_tls_says_so(void)
{
	file.header.e_phnum = TLS;
	CHECK_EQUAL(read_file(), ST_OK);
	CHECK_EQUAL(image.tls_align, 0);
	CHECK_EQUAL(image.tls_memory_bytes, 0);
}

static void test_tls_of_bss_alone_is_read(void)
{
	file.program[TLS].p_filesz = 0;
	CHECK_EQUAL(read_file(), ST_OK);
	CHECK_EQUAL(image.tls_memory_bytes, 0x40);
}

static void test_headers_outside_the_segments_have_no_address(void)
{
	set_program(TEXT, PT_LOAD, PF_R | PF_X, 0x1000, 0x400000, 0x1000, 0x1000);
	CHECK_EQUAL(read_file(), ST_OK);
	CHECK_EQUAL(image.headers_address, 0);
}

static void test_image_is_untouched_on_refusal(void)
{
	memset(&image, 0x5a, sizeof(image));
	file.header.e_type = ET_DYN;
	CHECK_EQUAL(read_file(), ST_BAD_FORMAT);
	CHECK_EQUAL(image.entry, 0x5a5a5a5a5a5a5a5a);
}

static void test_reason_is_optional(void)
{
	file.header.e_type = ET_DYN;
	CHECK_EQUAL(elf_read(&file, sizeof(file), FILE_BYTES, &image, NULL), ST_BAD_FORMAT);
}

static void test_every_short_head_is_refused_or_enough(void)
{
	size_t needed = sizeof(Elf64_Ehdr) + (LAST + 1) * sizeof(Elf64_Phdr);

	for (size_t bytes = 0; bytes < sizeof(file); bytes++)
		CHECK_EQUAL(read_head(bytes, FILE_BYTES), bytes < needed ? ST_BAD_FORMAT : ST_OK);
}

static void test_head_longer_than_the_file_is_refused(void)
{
	CHECK_EQUAL(read_head(sizeof(file), sizeof(file) - 1), ST_BAD_FORMAT);
}

static void test_other_files_are_refused(void)
{
	for (unsigned i = 0; i < 4; i++) {
		build();
		file.header.e_ident[i] ^= 1;
		CHECK_REFUSED("no ELF file");
	}
	build();
	file.header.e_ident[EI_CLASS] = ELFCLASS32;
	CHECK_REFUSED("not for x86-64");
	build();
	file.header.e_ident[EI_DATA] = ELFDATA2MSB;
	CHECK_REFUSED("not for x86-64");
	build();
	file.header.e_machine = EM_AARCH64;
	CHECK_REFUSED("not for x86-64");
	build();
	file.header.e_version = 2;
	CHECK_REFUSED("unknown version of ELF");
}

static void test_only_static_executables_are_read(void)
{
	static const uint16_t types[] = { ET_NONE, ET_REL, ET_DYN, ET_CORE, 0xffff };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		build();
		file.header.e_type = types[i];
		CHECK_REFUSED("no static executable at a fixed address");
	}
	build();
	set_program(TLS, PT_INTERP, PF_R, 0x3010, 0x403010, 0x20, 0x20);
	CHECK_REFUSED("dynamically linked");
}

static void test_program_headers_must_lie_in_the_head(void)
{
	static const uint64_t offsets[] = { sizeof(file), 4096, UINT64_MAX, UINT64_MAX - 100,
		1ull << 63 };

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		build();
		file.header.e_phoff = offsets[i];
		CHECK_REFUSED("program headers outside the start of the file");
	}
	build();
	file.header.e_phnum = 12;
	CHECK_REFUSED("program headers outside the start of the file");
	file.header.e_phnum = 0;
	CHECK_REFUSED("no program headers, or too many");
	file.header.e_phnum = 0xffff;
	CHECK_REFUSED("no program headers, or too many");
	file.header.e_phnum = LAST + 1;
	file.header.e_phentsize = 32;
	CHECK_REFUSED("program headers of unknown size");
}

static void test_segments_must_lie_in_the_file(void)
{
	file.program[DATA].p_offset = FILE_BYTES - 0x2ff;
	file.program[DATA].p_vaddr = 0x403000 + FILE_BYTES % 4096 - 0x2ff + 4096;
	CHECK_REFUSED("a segment lies outside the file");
	build();
	file.program[DATA].p_offset = UINT64_MAX - 0xfff;
	CHECK_REFUSED("a segment lies outside the file");
	build();
	file.program[DATA].p_filesz = 0x5001;
	CHECK_REFUSED("a segment has more bytes in the file than in memory");
	file.program[DATA].p_filesz = file.program[DATA].p_memsz = UINT64_MAX;
	CHECK_REFUSED("a segment lies outside the file");
}

static void test_segments_must_lie_in_user_memory(void)
{
	static const uint64_t addresses[] = { 0, 0x1000, 0xf000, 0xffffffff80000000,
		0x8000000000000000, UINT64_MAX - 0xfff, LAYOUT_USER_END, LAYOUT_USER_END - 0x4000 };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		build();
		file.program[DATA].p_vaddr = addresses[i];
		CHECK_REFUSED("a segment lies outside the addresses of programs");
	}
	build();
	file.program[DATA].p_memsz = UINT64_MAX - 0x403000;
	CHECK_REFUSED("a segment lies outside the addresses of programs");
	build();
	file.header.e_phnum = TLS;
	file.program[DATA].p_vaddr = LAYOUT_USER_END - 0x5000;
	CHECK_EQUAL(read_file(), ST_OK);
}

static void test_segments_ascend_and_share_no_page(void)
{
	file.program[RODATA].p_memsz = 0x1001;
	CHECK_REFUSED("segments share a page or do not ascend");
	build();
	file.program[RODATA].p_vaddr = 0x401000;
	CHECK_REFUSED("segments share a page or do not ascend");
	build();
	file.program[TEXT].p_vaddr = 0x500000;
	CHECK_REFUSED("segments share a page or do not ascend");
	build();
	file.program[RODATA] = file.program[TEXT];
	CHECK_REFUSED("segments share a page or do not ascend");
}

static void test_offset_and_address_are_congruent(void)
{
	file.program[DATA].p_offset++;
	CHECK_REFUSED("a segment is not congruent to its place in the file");
}

static void test_writable_and_executable_is_refused(void)
{
	for (unsigned i = TEXT; i <= DATA; i++) {
		build();
		file.program[i].p_flags = PF_W | PF_X;
		CHECK_REFUSED("a segment is writable and executable");
		file.program[i].p_flags = PF_R | PF_W | PF_X;
		CHECK_REFUSED("a segment is writable and executable");
	}
	build();
	file.program[DATA].p_flags = 0;
	CHECK_REFUSED("a segment has no access rights");
}

static void test_entry_must_be_executable(void)
{
	static const uint64_t entries[] = { 0, 0x3fffff, 0x401234, 0x402000, 0x403000, UINT64_MAX };

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		build();
		file.header.e_entry = entries[i];
		CHECK_REFUSED("the entry lies outside the executable segments");
	}
}

static void test_empty_segments_are_skipped(void)
{
	set_program(TLS, PT_LOAD, PF_R, 0, 0, 0, 0);
	CHECK_EQUAL(read_file(), ST_OK);
	CHECK_EQUAL(image.segment_count, 3);
	file.program[TLS].p_filesz = 1;
	CHECK_REFUSED("a segment without memory has bytes");
	build();
	for (unsigned i = TEXT; i <= DATA; i++)
		file.program[i].p_type = PT_NOTE;
	CHECK_REFUSED("nothing to load");
}

static void test_number_of_segments_is_limited(void)
{
	for (unsigned i = 0; i < 10; i++)
		set_program(i, PT_LOAD, PF_R | PF_X, 0, 0x400000 + i * 0x2000, 0x1000, 0x1000);
	file.header.e_phnum = ELF_SEGMENTS_MAX;
	CHECK_EQUAL(read_file(), ST_OK);
	CHECK_EQUAL(image.segment_count, ELF_SEGMENTS_MAX);
	file.header.e_phnum = ELF_SEGMENTS_MAX + 1;
	CHECK_REFUSED("too many segments");
}

static void test_tls_is_checked(void)
{
	file.program[TLS].p_filesz = 0x41;
	CHECK_REFUSED("the TLS segment has a wrong size");
	build();
	file.program[TLS].p_memsz = UINT64_MAX;
	CHECK_REFUSED("the TLS segment has a wrong size");
	build();
	file.program[TLS].p_align = 3;
	CHECK_REFUSED("the TLS segment has a wrong alignment");
	file.program[TLS].p_align = 8192;
	CHECK_REFUSED("the TLS segment has a wrong alignment");
	build();
	file.program[TLS].p_vaddr = 0x4032f0;
	CHECK_REFUSED("the TLS image lies outside the segments");
	file.program[TLS].p_vaddr = UINT64_MAX - 8;
	CHECK_REFUSED("the TLS image lies outside the segments");
	build();
	file.program[LAST + 1] = file.program[TLS];
	file.header.e_phnum++;
	CHECK_REFUSED("more than one TLS segment");
}

/* What archive.h promises of an image. */
static void check_promises(void)
{
	uint64_t end = LAYOUT_USER_MIN;
	unsigned holders = 0;

	CHECK(image.segment_count >= 1 && image.segment_count <= ELF_SEGMENTS_MAX);
	for (uint32_t i = 0; i < image.segment_count; i++) {
		const struct elf_segment *s = &image.segments[i];

		CHECK(s->address >= end && s->memory_bytes > 0);
		end = (s->address + s->memory_bytes + 4095) & ~4095ull;
		CHECK(end > s->address && end <= LAYOUT_USER_END);
		CHECK(s->file_bytes <= s->memory_bytes &&
			s->file_offset + s->file_bytes <= FILE_BYTES);
		CHECK((s->address - s->file_offset) % 4096 == 0);
		CHECK((s->protection & (MAP_WRITE | MAP_EXEC)) != (MAP_WRITE | MAP_EXEC));
		if (image.entry >= s->address && image.entry < s->address + s->file_bytes)
			holders += (s->protection & MAP_EXEC) != 0;
	}
	CHECK_EQUAL(holders, 1);
}

static void test_random_damage_keeps_the_promises(void)
{
	static const uint64_t values[] = { 0, 1, 0x7f, 0xff, 0xfff, 0x1000, 0x400000,
		LAYOUT_USER_END, UINT64_MAX, 1ull << 63, 0x402000, 5 };
	uint64_t state = 0x123456789abcdefull;
	unsigned accepted = 0;

	for (unsigned round = 0; round < DAMAGE_ROUNDS; round++) {
		unsigned changes = 1 + (unsigned)(exact_random(&state) % 3);

		build();
		while (changes--) {
			uint64_t random = exact_random(&state), value = values[(random >> 32) % 12];
			size_t width = 1u << ((random >> 48) % 4);
			size_t at = random %
				    (sizeof(Elf64_Ehdr) + (LAST + 1) * sizeof(Elf64_Phdr)) / width *
				    width;

			memcpy((uint8_t *)&file + at, &value, width);
		}
		if (read_file() == ST_OK) {
			accepted++;
			check_promises();
		} else {
			CHECK(why[0] != 0);
		}
	}
	CHECK(accepted > DAMAGE_ROUNDS / 100 && accepted < DAMAGE_ROUNDS);
}

static const struct check_test tests[] = {
	CHECK_TEST(good_file_is_read),
	CHECK_TEST(file_without_tls_says_so),
	CHECK_TEST(tls_of_bss_alone_is_read),
	CHECK_TEST(headers_outside_the_segments_have_no_address),
	CHECK_TEST(image_is_untouched_on_refusal),
	CHECK_TEST(reason_is_optional),
	CHECK_TEST(every_short_head_is_refused_or_enough),
	CHECK_TEST(head_longer_than_the_file_is_refused),
	CHECK_TEST(other_files_are_refused),
	CHECK_TEST(only_static_executables_are_read),
	CHECK_TEST(program_headers_must_lie_in_the_head),
	CHECK_TEST(segments_must_lie_in_the_file),
	CHECK_TEST(segments_must_lie_in_user_memory),
	CHECK_TEST(segments_ascend_and_share_no_page),
	CHECK_TEST(offset_and_address_are_congruent),
	CHECK_TEST(writable_and_executable_is_refused),
	CHECK_TEST(entry_must_be_executable),
	CHECK_TEST(empty_segments_are_skipped),
	CHECK_TEST(number_of_segments_is_limited),
	CHECK_TEST(tls_is_checked),
	CHECK_TEST(random_damage_keeps_the_promises),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), build, NULL, argc, argv);
}
