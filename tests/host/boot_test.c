/*
 * Tests of the kernel's first steps: what it reads of the boot loader's tables, what it says on its
 * log, and the memory and string functions that both use.
 *
 * The loader's memory is an array, at which the direct map begins here; tables are put there as PVH or
 * Multiboot2 describe them, good ones and damaged ones.  The serial port and port 0xe9 collect what is
 * written.  boot_stop() comes back to the test.
 *
 * Usage: boot [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include <faultline/layout.h>
#include <machine/cpu.h>
#include <stdarg.h>
#include <stdbool.h>

#define LOADER_BYTES 0x20000u
static _Alignas(4096) uint8_t loader[LOADER_BYTES];

#undef LAYOUT_DIRECT_MAP
#define LAYOUT_DIRECT_MAP ((uint64_t)(uintptr_t)loader)

#include "../../kernel/banner.c"
#include "../../kernel/boot.c"

void *kernel_memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *kernel_memmove(void *to, const void *from, size_t bytes);
void *kernel_memset(void *to, int value, size_t bytes);
int kernel_memcmp(const void *left, const void *right, size_t bytes);
size_t kernel_strlen(const char *text);

/* ---- the machine ---- */

#define PORT_E9	    0xe9
#define PORT_SERIAL 0x3f8
#define PORT_STATUS 0x3fd

struct processor processor;
uint32_t fpu_bytes = 512;
uint64_t fpu_mask = 3;

static char out_e9[8192], out_serial[8192];
static uint32_t count_e9, count_serial, status_reads;
static uint8_t serial_status;

uint32_t machine_in(uint16_t port, uint32_t width)
{
	(void)width;
	status_reads++;
	return port == PORT_STATUS ? serial_status : 0xff;
}

void machine_out(uint16_t port, uint32_t width, uint32_t value)
{
	(void)width;
	if (port == PORT_E9 && count_e9 < sizeof(out_e9) - 1)
		out_e9[count_e9++] = (char)value;
	if (port == PORT_SERIAL && count_serial < sizeof(out_serial) - 1)
		out_serial[count_serial++] = (char)value;
}

static jmp_buf stop;
static bool has_stopped;

_Noreturn void boot_stop(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log_print_list(format, &list);
	va_end(list);
	has_stopped = true;
	longjmp(stop, 1);
}

/* A machine with a serial port, nothing read yet, nothing said. */
static void begin(void)
{
	memset(loader, 0, sizeof(loader));
	memset(&boot_info, 0, sizeof(boot_info));
	memset(&memory_map, 0, sizeof(memory_map));
	boot_archive = (struct boot_archive){ 0 };
	serial_status = 0x60;
	log_init();
	memset(out_e9, 0, sizeof(out_e9));
	memset(out_serial, 0, sizeof(out_serial));
	count_e9 = count_serial = status_reads = 0;
	has_stopped = false;
}

static bool says(const char *text)
{
	return strstr(out_e9, text) != NULL;
}

/* ---- reading the loader's tables ---- */

#define START	0x1000u
#define MAP	0x2000u
#define MODULES 0x3000u
#define WORDS	0x4000u

static void *at(uint64_t address)
{
	return &loader[address];
}

/* Did the kernel go on? */
static bool reads(uint32_t magic, uint64_t address)
{
	if (setjmp(stop) == 0)
		boot_read(magic, address, 7);
	return !has_stopped;
}

static struct pvh_start *pvh_make(void)
{
	struct pvh_start *start = at(START);
	struct pvh_memory *map = at(MAP);
	struct pvh_module *module = at(MODULES);

	*start = (struct pvh_start){
		.magic = PVH_MAGIC,
		.version = 1,
		.module_count = 1,
		.modules = MODULES,
		.command_line = WORDS,
		.memory_map = MAP,
		.memory_entries = 3,
	};
	map[0] = (struct pvh_memory){ .start = 0, .bytes = 0x9f000, .kind = RANGE_RAM };
	map[1] = (struct pvh_memory){ .start = 0xf0000, .bytes = 0x10000, .kind = 77 };
	map[2] = (struct pvh_memory){ .start = 0x100000, .bytes = 0x700000, .kind = RANGE_RAM };
	module[0] = (struct pvh_module){ .address = 0x300000, .bytes = 5000 };
	memcpy(at(WORDS), "quiet  icount test=all", 23);
	return start;
}

static void test_pvh_tables_are_copied(void)
{
	pvh_make();
	CHECK(reads(PVH_MAGIC, START));
	CHECK(boot_info.magic == INFO_MAGIC && boot_info.boot_tsc_entry == 7);
	CHECK_EQUAL(strcmp(boot_info.boot_protocol, "PVH"), 0);
	CHECK_EQUAL(strcmp(boot_info.command_line, "quiet  icount test=all"), 0);
	CHECK(boot_archive.address == 0x300000 && boot_archive.bytes == 5000);
	CHECK_EQUAL(boot_info.range_count, 3);
	CHECK_EQUAL(boot_info.ranges[1].kind, RANGE_RESERVED); /* an unknown kind */
	CHECK_EQUAL(boot_info.ranges[2].bytes, 0x700000);
}

static void test_pvh_without_words_and_modules_is_enough(void)
{
	struct pvh_start *start = pvh_make();

	start->command_line = 0;
	start->module_count = 0;
	CHECK(reads(PVH_MAGIC, START));
	CHECK(boot_info.command_line[0] == 0 && boot_archive.bytes == 0);
}

static void test_pvh_without_a_map_is_refused(void)
{
	pvh_make()->memory_map = 0;
	CHECK(!reads(PVH_MAGIC, START) && says("no memory map"));
	begin();
	pvh_make()->version = 0;
	CHECK(!reads(PVH_MAGIC, START) && says("no memory map"));
	begin();
	pvh_make()->magic++;
	CHECK(!reads(PVH_MAGIC, START) && says("no memory map"));
}

static void test_pointers_outside_of_what_is_mapped_are_refused(void)
{
	CHECK(!reads(PVH_MAGIC, 0) && says("outside the first 4 GiB"));
	begin();
	CHECK(!reads(PVH_MAGIC, BOOT_MAPPED) && says("outside the first 4 GiB"));
	begin();
	CHECK(!reads(PVH_MAGIC, BOOT_MAPPED - 8) && says("outside the first 4 GiB"));
	begin();
	pvh_make()->memory_map = UINT64_MAX;
	CHECK(!reads(PVH_MAGIC, START) && says("outside the first 4 GiB"));
}

static void test_an_unknown_loader_is_refused(void)
{
	CHECK(!reads(0x2badb002, START) && says("unknown boot protocol (2badb002)"));
}

/* More pieces than the kernel keeps; of those it keeps it shows as many as fit. */
static void test_a_map_of_many_pieces(void)
{
	struct pvh_start *start = pvh_make();
	struct pvh_memory *map = at(MAP);

	start->module_count = 0;
	start->command_line = 0;
	for (uint32_t i = 0; i <= MEMORY_MAP_MAX; i++)
		map[i] = (struct pvh_memory){ 0x100000ull * (i + 1), 0x1000, RANGE_RAM, 0 };
	start->memory_entries = MEMORY_MAP_MAX;
	CHECK(reads(PVH_MAGIC, START));
	CHECK(memory_map.count == MEMORY_MAP_MAX && boot_info.range_count == INFO_RANGES_MAX);
	begin();
	start = pvh_make();
	for (uint32_t i = 0; i <= MEMORY_MAP_MAX; i++)
		map[i] = (struct pvh_memory){ 0x100000ull * (i + 1), 0x1000, RANGE_RAM, 0 };
	start->memory_entries = MEMORY_MAP_MAX + 1;
	CHECK(!reads(PVH_MAGIC, START) && says("more than 512 pieces"));
}

static void test_a_long_command_line_is_cut(void)
{
	pvh_make();
	memset(at(WORDS), 'x', 2 * sizeof(boot_info.command_line));
	CHECK(reads(PVH_MAGIC, START));
	CHECK_EQUAL(strlen(boot_info.command_line), sizeof(boot_info.command_line) - 1);
}

/* ---- Multiboot2 ---- */

static uint32_t tags_end;

static void *tag_add(uint32_t type, uint32_t bytes)
{
	struct multiboot2_tag *tag = at(START + tags_end);

	tag->type = type;
	tag->bytes = bytes;
	tags_end += (bytes + 7) / 8 * 8;
	((struct multiboot2_head *)at(START))->total_bytes = tags_end;
	return tag;
}

static void module_add(uint32_t start, uint32_t end)
{
	struct multiboot2_module *module = tag_add(TAG_MODULE, sizeof(*module));

	module->start = start;
	module->end = end;
}

static struct multiboot2_map *map_add(uint32_t entry_bytes)
{
	struct multiboot2_map *map = tag_add(TAG_MEMORY_MAP, (uint32_t)sizeof(*map) + entry_bytes);

	map->entry_bytes = entry_bytes;
	*(struct pvh_memory *)(map + 1) = (struct pvh_memory){ 0x100000, 0x800000, RANGE_RAM, 0 };
	return map;
}

static void tags_begin(void)
{
	tags_end = sizeof(struct multiboot2_head);
	((struct multiboot2_head *)at(START))->total_bytes = tags_end;
}

static void test_multiboot2_tables_are_copied(void)
{
	tags_begin();
	memcpy((uint8_t *)tag_add(TAG_COMMAND_LINE, 8 + 6) + 8, "quiet", 6);
	tag_add(99, 20); /* unknown */
	module_add(0x200000, 0x200100);
	module_add(0x300000, 0x300100);
	map_add(24);
	tag_add(TAG_END, 8);
	tag_add(TAG_COMMAND_LINE, 8 + 1); /* behind the end */
	CHECK(reads(MULTIBOOT2_MAGIC, START));
	CHECK_EQUAL(strcmp(boot_info.boot_protocol, "Multiboot2"), 0);
	CHECK_EQUAL(strcmp(boot_info.command_line, "quiet"), 0);
	CHECK(boot_archive.address == 0x200000 && boot_archive.bytes == 0x100);
	CHECK(boot_info.range_count == 1 && boot_info.ranges[0].start == 0x100000);
}

/* A module without length or too short a tag, entries too small, tags that reach too far: left out. */
static void test_damaged_tags_are_left_out(void)
{
	tags_begin();
	module_add(0x200000, 0x200000);
	module_add(0x200100, 0x200000);
	tag_add(TAG_MODULE, sizeof(struct multiboot2_tag));
	tag_add(TAG_MEMORY_MAP, sizeof(struct multiboot2_tag));
	map_add(16);
	map_add(24);
	CHECK(reads(MULTIBOOT2_MAGIC, START));
	CHECK(boot_archive.bytes == 0 && boot_info.range_count == 1);
}

static void test_multiboot2_without_a_map_is_refused(void)
{
	tags_begin();
	CHECK(!reads(MULTIBOOT2_MAGIC, START) && says("no memory map; use GRUB 2"));
	begin();
	tags_begin();
	((struct multiboot2_tag *)tag_add(TAG_COMMAND_LINE, 16))->bytes =
		4; /* no tag is so short */
	map_add(24);
	CHECK(!reads(MULTIBOOT2_MAGIC, START) && says("no memory map; use GRUB 2"));
	begin();
	tags_begin();
	map_add(24)->tag.bytes = 1000; /* longer than all tags */
	CHECK(!reads(MULTIBOOT2_MAGIC, START) && says("no memory map; use GRUB 2"));
}

/* ---- the command line ---- */

static void test_a_word_is_a_whole_word(void)
{
	pvh_make();
	CHECK(reads(PVH_MAGIC, START));
	CHECK(boot_option("quiet") && boot_option("icount") && boot_option("test=all"));
	CHECK(!boot_option("quie") && !boot_option("quiets") && !boot_option("count"));
	CHECK(!boot_option("loud1")); /* of the same length as a word there is */
}

/* ---- the log ---- */

#define PRINTS(wanted, ...)                               \
	do {                                              \
		begin();                                  \
		log_print(__VA_ARGS__);                   \
		CHECK_EQUAL(strcmp(out_e9, (wanted)), 0); \
	} while (0)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \
	"-Wformat" /* %q, a % at the end, no text: nothing that a caller should write */
#pragma GCC diagnostic ignored "-Wformat-extra-args"
static void test_numbers_and_texts_are_formatted(void)
{
	PRINTS("plain", "plain");
	PRINTS("-7 7 0 -9223372036854775808", "%d %d %d %ld", -7, 7, 0, INT64_MIN);
	PRINTS("   12|0012|12", "%5u|%04u|%1u", 12u, 12u, 12u);
	PRINTS("ff 123456789abcdef0", "%x %lx", 0xffu, 0x123456789abcdef0ul);
	PRINTS("0x1000 (none) a %", "%p %s %c %%", (void *)0x1000, (const char *)NULL, 'a');
	PRINTS("   ab|q|", "%5s|%q|", "ab");
	PRINTS("end ", "end %");
	PRINTS("end ", "end %05l");
}
#pragma GCC diagnostic pop

static void test_the_serial_port_gets_lines_with_both_ends(void)
{
	log_print("a\nb");
	CHECK_EQUAL(strcmp(out_serial, "a\r\nb"), 0);
	CHECK_EQUAL(strcmp(out_e9, "a\nb"), 0);
}

static void test_a_machine_without_a_serial_port_goes_on(void)
{
	serial_status = 0xff;
	log_init();
	memset(out_serial, 0, sizeof(out_serial));
	count_serial = status_reads = 0;
	log_print("a\nb");
	log_drain();
	CHECK(says("a\nb") && count_serial == 0 && status_reads == 0);
}

/* It is asked so often and no more; the text goes out all the same. */
static void test_a_serial_port_that_is_never_ready_is_not_waited_for(void)
{
	serial_status = 0;
	log_print("x");
	CHECK(out_serial[0] == 'x' && status_reads == 1000000);
}

/* ---- the banner ---- */

static void test_the_banner_names_what_there_is(void)
{
	static const uint32_t kinds[] = { RANGE_RAM, RANGE_RESERVED, RANGE_ACPI, RANGE_NVS,
		RANGE_BAD };
	static const uint64_t sizes[] = { 100, 4096, 102400, 1ull << 30, 1ull << 50 };

	memcpy(boot_info.cpu_name, "a processor", 12);
	boot_info.features_found = FEATURE_NX | FEATURE_SMAP;
	boot_info.range_count = 5;
	for (uint32_t i = 0; i < 5; i++)
		boot_info.ranges[i] = (struct info_range){ 0x1000, sizes[i], kinds[i], 0 };
	banner();
	CHECK(says("CPU: a processor") && says("found: NX SMAP\n") && says("used: none\n"));
	CHECK(says(" 100 B  RAM\n") && says(" 4 KiB  reserved\n") &&
		says(" 100 KiB  ACPI tables\n"));
	CHECK(says(" 1 GiB  ACPI non-volatile\n") && says(" 1024 TiB  bad RAM\n"));
}

static void test_a_quiet_machine_has_no_banner(void)
{
	memcpy(boot_info.command_line, "quiet", 6);
	banner();
	CHECK_EQUAL(count_e9, 0);
}

/* ---- memory and strings ---- */

static void test_memory_is_copied_and_filled_byte_by_byte(void)
{
	uint8_t from[64], to[64];

	for (uint32_t bytes = 0; bytes < 40; bytes++) {
		for (uint32_t i = 0; i < 64; i++)
			from[i] = (uint8_t)(i + 1);
		memset(to, 0, sizeof(to));
		CHECK(kernel_memcpy(to + 3, from, bytes) == to + 3);
		CHECK(memcmp(to + 3, from, bytes) == 0 && to[2] == 0 && to[3 + bytes] == 0);
		CHECK(kernel_memset(to + 3, 0x1aa, bytes) == to + 3);
		for (uint32_t i = 0; i < bytes; i++)
			CHECK_EQUAL(to[3 + i], 0xaa);
		CHECK(to[2] == 0 && to[3 + bytes] == 0);
	}
}

static void test_memory_is_moved_over_itself(void)
{
	for (int distance = -20; distance <= 20; distance++) {
		char text[80], wanted[80];

		for (uint32_t i = 0; i < 80; i++)
			text[i] = wanted[i] = (char)i;
		memmove(wanted + 30 + distance, wanted + 30, 13);
		CHECK(kernel_memmove(text + 30 + distance, text + 30, 13) == text + 30 + distance);
		CHECK_EQUAL(memcmp(text, wanted, 80), 0);
	}
}

static void test_memory_is_compared_as_bytes(void)
{
	CHECK_EQUAL(kernel_memcmp("abc", "abc", 3), 0);
	CHECK_EQUAL(kernel_memcmp("abc", "abd", 2), 0);
	CHECK_EQUAL(kernel_memcmp("a", "b", 0), 0);
	CHECK(kernel_memcmp("abc", "abd", 3) < 0 && kernel_memcmp("\xff", "\x01", 1) > 0);
	CHECK(kernel_strlen("") == 0 && kernel_strlen("four") == 4);
}

static const struct check_test tests[] = {
	CHECK_TEST(pvh_tables_are_copied),
	CHECK_TEST(pvh_without_words_and_modules_is_enough),
	CHECK_TEST(pvh_without_a_map_is_refused),
	CHECK_TEST(pointers_outside_of_what_is_mapped_are_refused),
	CHECK_TEST(an_unknown_loader_is_refused),
	CHECK_TEST(a_map_of_many_pieces),
	CHECK_TEST(a_long_command_line_is_cut),
	CHECK_TEST(multiboot2_tables_are_copied),
	CHECK_TEST(damaged_tags_are_left_out),
	CHECK_TEST(multiboot2_without_a_map_is_refused),
	CHECK_TEST(a_word_is_a_whole_word),
	CHECK_TEST(numbers_and_texts_are_formatted),
	CHECK_TEST(the_serial_port_gets_lines_with_both_ends),
	CHECK_TEST(a_machine_without_a_serial_port_goes_on),
	CHECK_TEST(a_serial_port_that_is_never_ready_is_not_waited_for),
	CHECK_TEST(the_banner_names_what_there_is),
	CHECK_TEST(a_quiet_machine_has_no_banner),
	CHECK_TEST(memory_is_copied_and_filled_byte_by_byte),
	CHECK_TEST(memory_is_moved_over_itself),
	CHECK_TEST(memory_is_compared_as_bytes),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), begin, NULL, argc, argv);
}
