/*
 * Memory at boot: the kernel's own page tables and the frame table.
 *
 * memory_init takes the steps in this order:
 *   1. runs of RAM frames out of the firmware's map (ranges.c)
 *   2. the direct map of all RAM but the kernel's image, in the largest pages that fit; NX
 *   3. the image in slot 511, each part with its own rights, guard pages left out; the local APIC
 *   4. CR3: from here on the boot tables, and every address below the higher half, are gone
 *   5. the frame table: backed where there is RAM, elsewhere by the zero frame, so that the entry
 *      of every frame below frame_count can be read and says FRAME_NONE
 *   6. the type and pool of every frame
 *
 * Frames for tables are taken from the bottom of RAM (above 1 MiB) upwards and never given back, so
 * "taken" is everything below take_next but the archive.
 *
 * The frame table's slot has U=0 in the top-level entry only: below, its tables say U=1, so that a
 * space may see it read-only through LAYOUT_VMEMMAP_SLOT, which names the same tables with U=1 and
 * W=0.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "frame.h"
#include "log.h"
#include "machine/cpu.h"
#include "percpu.h"
#include "pool.h"
#include "ranges.h"
#include <faultline/layout.h>

#define MIB		    (1ull << 20)
#define MEMORY_NEEDED_MIB   32u
#define MEMORY_FIRMWARE_MIB 2u /* of those the firmware may keep this much */
#define LOW_FRAMES	    ((pfn_t)(MIB / PAGE_SIZE)) /* firmware may use what lies below */

#define MSR_APIC_BASE_ADDRESS 0x000ffffffffff000ull

#define KERNEL_DATA_BITS   (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX)
#define KERNEL_RODATA_BITS (PTE_P | PTE_A | PTE_G | PTE_NX)
#define KERNEL_TEXT_BITS   (PTE_P | PTE_A | PTE_G)
#define DEVICE_BITS	   (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX | PTE_PCD | PTE_PWT)
/* Not global: the leaves are also seen by user code, in some spaces only. */
#define FRAME_TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX)
#define NO_FRAME_BITS	 (PTE_P | PTE_U | PTE_A | PTE_NX)

#define FRAMES_PER_PAGE	 ((uint32_t)(PAGE_SIZE / sizeof(struct frame)))
#define DEVICE_LIMIT	 (1u << 20) /* device pages lie below 4 GiB, or below the end of RAM */
#define FRAMES_PER_TABLE (FRAMES_PER_PAGE * TABLE_ENTRIES)

extern const char image_start[], text_start[], text_end[], rodata_start[], rodata_end[];
extern const char data_start[], data_end[];

pfn_t kernel_top;

static struct frame_run runs[FRAME_RUNS_MAX];
static uint32_t run_count;
static pfn_t take_next = LOW_FRAMES; /* the first frame not taken yet */

/* ---- what must be left alone ---- */

static struct frame_run image_run(void)
{
	return (struct frame_run){ (pfn_t)((uint64_t)image_start / PAGE_SIZE),
		(pfn_t)(((uint64_t)data_end - LAYOUT_KERNEL) / PAGE_SIZE) };
}

static struct frame_run archive_run(void)
{
	if (boot_archive.bytes == 0)
		return (struct frame_run){ 0, 0 };
	return (struct frame_run){ (pfn_t)(boot_archive.address / PAGE_SIZE),
		(pfn_t)((boot_archive.address + boot_archive.bytes + PAGE_SIZE - 1) / PAGE_SIZE) };
}

static bool run_has(struct frame_run run, pfn_t pfn)
{
	return pfn >= run.first && pfn < run.end;
}

static bool runs_hold(struct frame_run part)
{
	for (uint32_t i = 0; i < run_count; i++)
		if (part.first >= runs[i].first && part.end <= runs[i].end)
			return true;
	return false;
}

static void check_archive(void)
{
	struct frame_run image = image_run(), archive = archive_run();

	if (boot_archive.bytes == 0)
		return;
	if (boot_archive.address + boot_archive.bytes < boot_archive.address || !runs_hold(archive))
		boot_stop("the boot archive lies outside of RAM (%lx, %lu bytes); give the machine "
			  "more "
			  "memory",
			boot_archive.address, boot_archive.bytes);
	if (archive.first < image.end && archive.end > image.first)
		boot_stop("the boot loader put the boot archive over the kernel (%lx, %lu bytes)",
			boot_archive.address, boot_archive.bytes);
}

static uint64_t ram_mib(void)
{
	uint64_t frames = 0;

	for (uint32_t i = 0; i < run_count; i++)
		frames += runs[i].end - runs[i].first;
	return frames * PAGE_SIZE / MIB;
}

static void stop_without_memory(void)
{
	boot_stop(
		"too little memory: %lu MiB of RAM; this system needs at least %u MiB and room for "
		"the boot archive (QEMU: -m 256)",
		ram_mib(), MEMORY_NEEDED_MIB);
}

/* ---- frames and tables ---- */

/* A cleared frame that stays the kernel's. */
static pfn_t take_frame(void)
{
	struct frame_run image = image_run(), archive = archive_run();
	uint32_t i = 0;

	while (i < run_count) {
		if (take_next >= runs[i].end) {
			i++;
		} else if (take_next < runs[i].first) {
			take_next = runs[i].first;
		} else if (run_has(image, take_next)) {
			take_next = image.end;
			i = 0;
		} else if (run_has(archive, take_next)) {
			take_next = archive.end;
			i = 0;
		} else {
			memory_fill_words(frame_memory(take_next), 0, TABLE_ENTRIES);
			return take_next++;
		}
	}
	stop_without_memory();
	return 0;
}

static uint32_t entry_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES;
}

/* The entry for an address at a level of the kernel's tables, making the tables above it.
   link: bits of entries that name tables; in the top level never with U. */
static uint64_t *entry_make(uint64_t address, uint32_t level, uint64_t link)
{
	uint64_t *entries = frame_memory(kernel_top);

	for (uint32_t at = LAYOUT_LEVELS; at > level; at--) {
		uint64_t *entry = &entries[entry_index(address, at)];

		if (*entry == 0)
			*entry = pte_make(take_frame(), at == LAYOUT_LEVELS ? link & ~PTE_U : link);
		entries = frame_memory(pte_pfn(*entry));
	}
	return &entries[entry_index(address, level)];
}

/* The level of the largest page that begins at both addresses and fits. */
static uint32_t page_level(uint64_t address, uint64_t physical, uint64_t bytes)
{
	uint32_t level = cpu_has(FEATURE_GIB_PAGES) ? 3 : 2;

	for (; level > 1; level--) {
		uint64_t size = PAGE_SIZE << (9 * (level - 1));

		if ((address | physical) % size == 0 && bytes >= size)
			break;
	}
	return level;
}

static void map(uint64_t address, uint64_t physical, uint64_t bytes, uint64_t bits)
{
	while (bytes) {
		uint32_t level = page_level(address, physical, bytes);
		uint64_t size = PAGE_SIZE << (9 * (level - 1));

		*entry_make(address, level, PTE_P | PTE_W | PTE_A) =
			physical | bits | (level > 1 ? PTE_PS : 0);
		address += size;
		physical += size;
		bytes -= size;
	}
}

static void map_frames(pfn_t first, pfn_t end)
{
	if (first < end)
		map(LAYOUT_DIRECT_MAP + (uint64_t)first * PAGE_SIZE, (uint64_t)first * PAGE_SIZE,
			(uint64_t)(end - first) * PAGE_SIZE, KERNEL_DATA_BITS);
}

/* See boot.h. */
bool memory_is_image(pfn_t pfn)
{
	struct frame_run image = image_run();

	return pfn >= image.first && pfn < image.end;
}

/* The image is left out: it is reached in its own slot only, where its rights are. */
static void map_ram(void)
{
	struct frame_run image = image_run();

	for (uint32_t i = 0; i < run_count; i++) {
		struct frame_run run = runs[i];

		map_frames(run.first, run.end < image.first ? run.end : image.first);
		map_frames(run.first > image.end ? run.first : image.end, run.end);
	}
}

static void map_part(const char *start, const char *end, uint64_t bits)
{
	map((uint64_t)start, (uint64_t)start - LAYOUT_KERNEL, (uint64_t)(end - start), bits);
}

static void map_kernel(void)
{
	uint64_t apic = cpu_rdmsr(MSR_APIC_BASE) & MSR_APIC_BASE_ADDRESS;

	map_part(text_start, text_end, KERNEL_TEXT_BITS);
	map_part(rodata_start, rodata_end, KERNEL_RODATA_BITS);
	map_part(data_start, data_end, KERNEL_DATA_BITS);
	for (uint32_t i = 0; i < STACK_COUNT; i++)
		*entry_make((uint64_t)kernel_stacks[i].guard, 1, PTE_P | PTE_W) = 0;
	frame_device_kernel = (pfn_t)(apic / PAGE_SIZE);
	map(LAYOUT_KERNEL_WINDOW, apic, PAGE_SIZE,
		DEVICE_BITS);
}

static void load_tables(void)
{
	kernel_top = take_frame();
	map_ram();
	map_kernel();
	percpu0.kernel_cr3 = (uint64_t)kernel_top * PAGE_SIZE;
	cpu_write_cr3(percpu0.kernel_cr3);
}

/* ---- the frame table ---- */

/* Does RAM lie among these frames? */
static bool any_ram(pfn_t first, uint32_t count)
{
	for (uint32_t i = 0; i < run_count; i++)
		if (runs[i].first < first + count && runs[i].end > first)
			return true;
	return false;
}

static pfn_t make_empty_table(void)
{
	pfn_t pfn = take_frame();

	memory_fill_words(frame_memory(pfn), pte_make(frame_zero, NO_FRAME_BITS), TABLE_ENTRIES);
	return pfn;
}

/* One table's worth of frames: pages where there is RAM, the zero frame elsewhere. */
static void back_table(pfn_t first)
{
	for (pfn_t pfn = first; pfn < first + FRAMES_PER_TABLE; pfn += FRAMES_PER_PAGE) {
		uint64_t *entry =
			entry_make((uint64_t)&frame_table[pfn], 1, FRAME_TABLE_BITS & ~PTE_NX);

		if (any_ram(pfn, FRAMES_PER_PAGE))
			*entry = pte_make(take_frame(), FRAME_TABLE_BITS);
		else
			*entry = pte_make(frame_zero, NO_FRAME_BITS);
	}
}

static void make_frame_table(void)
{
	pfn_t empty_table;

	frame_zero = take_frame();
	empty_table = make_empty_table();
	frame_count = runs[run_count - 1].end;
	frame_device_limit = frame_count > DEVICE_LIMIT ? frame_count : DEVICE_LIMIT;
	for (pfn_t pfn = 0; pfn < frame_device_limit; pfn += FRAMES_PER_TABLE) {
		if (any_ram(pfn, FRAMES_PER_TABLE))
			back_table(pfn);
		else
			*entry_make((uint64_t)&frame_table[pfn], 2, FRAME_TABLE_BITS & ~PTE_NX) =
				pte_make(empty_table, FRAME_TABLE_BITS & ~(PTE_NX | PTE_W | PTE_D));
	}
}

/* Type and pool of the frames of a part, as far as they are RAM. */
static void set_frames(struct frame_run part, frame_type_t type, uint16_t pool)
{
	const struct frame entry = { .type = (uint8_t)type, .pool = pool };

	for (uint32_t i = 0; i < run_count; i++) {
		pfn_t first = part.first > runs[i].first ? part.first : runs[i].first;
		pfn_t end = part.end < runs[i].end ? part.end : runs[i].end;

		for (pfn_t pfn = first; pfn < end; pfn++)
			frame_table[pfn] = entry;
	}
}

static void type_frames(void)
{
	set_frames(
		(struct frame_run){ 0, take_next }, FRAME_KERNEL, 0); /* low memory, taken frames */
	set_frames((struct frame_run){ take_next, frame_count }, FRAME_FREE, POOL_ROOT);
	set_frames(image_run(), FRAME_KERNEL, 0);
	set_frames(archive_run(), FRAME_DATA, POOL_ROOT);
	set_frames((struct frame_run){ frame_zero, frame_zero + 1 }, FRAME_ZERO, 0);
}

static void fill_pool(void)
{
	pool_init();
	for (uint32_t i = 0; i < run_count; i++)
		for (pfn_t pfn = runs[i].first; pfn < runs[i].end; pfn++)
			pool_table[POOL_ROOT].frames += frame_table[pfn].pool == POOL_ROOT;
}

/* Builds the final page tables and the frame table; all RAM that is left goes to the root pool. */
void memory_init(void)
{
	run_count = ranges_ram(&memory_map, runs);
	if (ram_mib() < MEMORY_NEEDED_MIB - MEMORY_FIRMWARE_MIB)
		stop_without_memory();
	check_archive();
	load_tables();
	make_frame_table();
	type_frames();
	fill_pool();
	boot_info.frames = frame_count;
	boot_info.zero_frame = frame_zero;
}
