/*
 * The root task: `init` out of the boot archive becomes the first space and thread.
 *
 * Everything is made by the same checked operations that a pager uses, under the root pool, so all
 * counts and rights are right from the start.  What the root task finds:
 *
 *   its program         as its ELF segments say, frames of its own
 *   LAYOUT_STACK_TOP    a stack of 64 KiB below
 *   LAYOUT_MESSAGE      its message page
 *   INFO_ROOT_ADDRESS   a copy of boot_info, read-only; also in rdi
 *   INFO_ARCHIVE_ADDRESS  the boot archive, read-only
 *
 * A failure here is for people to mend: one line, then the machine stops.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch.h"
#include "boot.h"
#include "frame.h"
#include "log.h"
#include "machine/cpu.h"
#include "object.h"
#include "pool.h"
#include "string.h"
#include <faultline/archive.h>
#include <faultline/layout.h>
#include <faultline/protocol/pager.h>

#define ROOT_STACK_BYTES (64 * 1024)
#define ROOT_PRIORITY	 60
#define ROOT_RIGHTS \
	(SPACE_SEES_FRAMES | SPACE_DEBUG | SPACE_TIMER | SPACE_SHUTDOWN | SPACE_FPU_NONE)
#define IO_PORT_COUNT  0x10000u
#define IRQ_LINES_ALL  0xffffu
#define ELF_HEAD_BYTES 4096u

#define BITS_READ  (PTE_P | PTE_U | PTE_NX)
#define BITS_WRITE (BITS_READ | PTE_W)
#define BITS_EXEC  (PTE_P | PTE_U)
#define BITS_TABLE (PTE_P | PTE_U | PTE_W)

static const char *const root_names[] = { "init", "sbin/init", "servers/init" };

static pfn_t root_space, root_top;
static pfn_t next_free; /* frames are given out upwards */

static void operate(const char *what, uint64_t head, uint64_t a, uint64_t b)
{
	const struct op op = { head, a, b };
	uint64_t results[8];
	struct batch batch = {
		.pool = POOL_ROOT, .work_left = OP_WORK_MAX, .results = results, .result_max = 8
	};
	uint32_t index;
	status_t status = batch_run(&batch, &op, 1, &index);

	if (status != ST_OK)
		panic("root task: %s is refused with status %u (%lx %lx %lx)", what,
			(uint32_t)status, head, a, b);
}

/* A frame of the root pool that nobody uses yet. */
static pfn_t take_free(void)
{
	for (; next_free < frame_count; next_free++) {
		const struct frame *frame = frame_get(next_free);

		if (frame && frame->type == FRAME_FREE && frame->pool == POOL_ROOT)
			return next_free++;
	}
	boot_stop("too little memory for the root task; give the machine more (QEMU: -m 256)");
}

static pfn_t take(frame_type_t type)
{
	pfn_t pfn = take_free();

	operate("a change of type", op_head(OP_RETYPE, 0, pfn, 0, 1), type, 0);
	return pfn;
}

static pfn_t take_page(void)
{
	pfn_t pfn = take(FRAME_DATA);

	operate("clearing a frame", op_head(OP_ZERO, 0, pfn, 0, 1), 0, 0);
	return pfn;
}

static uint32_t index_at(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES;
}

/* The level-1 table for an address, made with those above it where missing. */
static pfn_t leaf_table(uint64_t address)
{
	static const frame_type_t types[] = { [2] = FRAME_L1, [3] = FRAME_L2, [4] = FRAME_L3 };
	pfn_t table = root_top;

	_Static_assert(LAYOUT_LEVELS == 4, "the tables below a top level of four");
	for (uint32_t level = LAYOUT_LEVELS; level > 1; level--) {
		const uint64_t *entries = frame_memory(table);
		uint32_t index = index_at(address, level);

		if (entries[index] == 0)
			operate("linking a table", op_head(OP_SET, 0, table, index, 1),
				pte_make(take(types[level]), BITS_TABLE), 0);
		table = pte_pfn(entries[index]);
	}
	return table;
}

static void map_page(uint64_t address, pfn_t pfn, uint64_t bits)
{
	operate("mapping a page", op_head(OP_SET, 0, leaf_table(address), index_at(address, 1), 1),
		pte_make(pfn, bits), 0);
}

static const uint8_t *archive_memory(void)
{
	return (const uint8_t *)(LAYOUT_DIRECT_MAP + boot_archive.address);
}

/* Walks the whole archive, so that damage anywhere is told now and not by some program later. */
static void archive_check(void)
{
	struct archive_file file;
	uint64_t offset = 0;
	status_t status;

	if (boot_archive.bytes == 0)
		boot_stop("no boot archive; give one (QEMU: -initrd boot.cpio; GRUB: module2 "
			  "boot.cpio)");
	do {
		status = archive_next(archive_memory(), boot_archive.bytes, &offset, &file);
	} while (status == ST_OK);
	if (status != ST_NOT_FOUND)
		boot_stop("the boot archive is damaged at byte %lu of %lu, or is no cpio of type "
			  "newc; build it again",
			offset, boot_archive.bytes);
}

static void find_root(struct archive_file *file)
{
	for (uint32_t i = 0; i < sizeof(root_names) / sizeof(root_names[0]); i++)
		if (archive_find(archive_memory(), boot_archive.bytes, root_names[i], file) ==
			ST_OK)
			return;
	boot_stop("the boot archive holds no root task: neither %s nor %s nor %s", root_names[0],
		root_names[1], root_names[2]);
}

static uint64_t protection_bits(uint32_t protection)
{
	if (protection & MAP_WRITE)
		return BITS_WRITE;
	return protection & MAP_EXEC ? BITS_EXEC : BITS_READ;
}

/* The part of the file that belongs into the page at `address`. */
static void fill_page(
	pfn_t pfn, uint64_t address, const struct elf_segment *segment, const uint8_t *data)
{
	uint64_t file_end = segment->address + segment->file_bytes;
	uint64_t start = address > segment->address ? address : segment->address;
	uint64_t end = address + PAGE_SIZE < file_end ? address + PAGE_SIZE : file_end;

	if (start < end)
		memcpy((uint8_t *)frame_memory(pfn) + (start - address),
			data + segment->file_offset + (start - segment->address), end - start);
}

static void load_segment(const struct elf_segment *segment, const uint8_t *data)
{
	uint64_t end = segment->address + segment->memory_bytes;

	for (uint64_t address = segment->address & ~(PAGE_SIZE - 1); address < end;
		address += PAGE_SIZE) {
		pfn_t pfn = take_page();

		fill_page(pfn, address, segment, data);
		map_page(address, pfn, protection_bits(segment->protection));
	}
}

/* Segments must leave alone what the kernel puts into the same space. */
static bool is_clear_of_kernel_pages(const struct elf_image *image)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (segment->address + segment->memory_bytes > INFO_ROOT_ADDRESS)
			return false;
	}
	return true;
}

static uint64_t load_program(const struct archive_file *file)
{
	struct elf_image image;
	const char *why = "";
	uint64_t head = file->bytes < ELF_HEAD_BYTES ? file->bytes : ELF_HEAD_BYTES;

	if (elf_read(file->data, head, file->bytes, &image, &why) != ST_OK)
		boot_stop("the root task %s is no program that can be loaded: %s", file->name, why);
	if (!is_clear_of_kernel_pages(&image))
		boot_stop("the root task %s must lie below %llx", file->name, INFO_ROOT_ADDRESS);
	for (uint32_t i = 0; i < image.segment_count; i++)
		load_segment(&image.segments[i], file->data);
	return image.entry;
}

static void map_archive(void)
{
	uint64_t first = boot_archive.address / PAGE_SIZE;
	uint64_t last = (boot_archive.address + boot_archive.bytes - 1) / PAGE_SIZE;

	for (uint64_t i = 0; i <= last - first; i++)
		map_page(INFO_ARCHIVE_ADDRESS + i * PAGE_SIZE, (pfn_t)(first + i), BITS_READ);
	boot_info.archive_address = INFO_ARCHIVE_ADDRESS + boot_archive.address % PAGE_SIZE;
	boot_info.archive_bytes = boot_archive.bytes;
}

static void make_space(void)
{
	struct space *space;

	root_space = take_free();
	root_top = take_free();
	operate("creating its space", op_head(OP_SPACE_CREATE, 0, root_space, 0, 1), root_top,
		ROOT_RIGHTS | (uint64_t)POOL_ROOT << SPACE_POOL_SHIFT);
	space = space_of(root_space);
	space->io_count = IO_PORT_COUNT;
	space->irq_mask = IRQ_LINES_ALL;
}

static void make_stack(void)
{
	for (uint64_t offset = PAGE_SIZE; offset <= ROOT_STACK_BYTES; offset += PAGE_SIZE)
		map_page(LAYOUT_STACK_TOP - offset, take_page(), BITS_WRITE);
}

static void make_thread(uint64_t entry)
{
	uint64_t name[2] = { 0 };
	pfn_t thread = take_free();
	pfn_t message = take(FRAME_MSG);

	memcpy(name, "init", 4);
	map_page(LAYOUT_MESSAGE, message, BITS_WRITE);
	operate("creating its thread", op_head(OP_THREAD_CREATE, 0, thread, 0, 1), root_space,
		ROOT_PRIORITY);
	operate("naming its thread", op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_NAME, 1),
		name[0], name[1]);
	operate("its message page", op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_MESSAGE, 1),
		message, 0);
	operate("its start", op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_START, 1), entry,
		LAYOUT_STACK_TOP);
	operate("its argument", op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_ARGUMENTS, 1),
		INFO_ROOT_ADDRESS, 0);
	boot_info.root_thread = thread;
}

static uint32_t count_free(void)
{
	uint32_t count = 0;

	for (pfn_t pfn = next_free; pfn < frame_count; pfn++)
		count += frame_table[pfn].type == FRAME_FREE;
	return count;
}

/* The root task sees a copy: boot_info itself lies in a KERNEL frame, which cannot be mapped. */
static void show_boot_info(void)
{
	pfn_t page = take_page();

	map_page(INFO_ROOT_ADDRESS, page, BITS_READ);
	boot_info.root_pool = POOL_ROOT;
	boot_info.root_space = root_space;
	boot_info.free_frames = count_free();
	boot_info.boot_tsc_root = cpu_tsc();
	memcpy(frame_memory(page), &boot_info, sizeof(boot_info));
}

/* Makes the root task from the boot archive; it is READY afterwards. */
void root_load(void)
{
	struct archive_file file;
	uint64_t entry;

	archive_check();
	find_root(&file);
	make_space();
	entry = load_program(&file);
	make_stack();
	map_archive();
	make_thread(entry);
	show_boot_info();
	operate("its first run", op_head(OP_THREAD_START, 0, boot_info.root_thread, 0, 1), 0, 0);
}
