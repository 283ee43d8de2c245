/*
 * Reading what the boot loader left: PVH start info or Multiboot2 information, into boot_info.
 *
 * The loader's tables lie anywhere, often in low memory, so all that is needed is copied here,
 * first thing.  Nothing in them is trusted beyond what a sane loader would do: pointers must lie
 * below 4 GiB (that is what the boot page tables map), lengths are bounded, unknown tags and kinds
 * of memory are taken as reserved.
 *
 * The boot archive stays where it is: PVH's only module, Multiboot2's first.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "log.h"
#include "machine/cpu.h"
#include "machine/memory.h"
#include "ranges.h"
#include "string.h"

#define PVH_MAGIC	     0x336ec578u
#define PVH_VERSION_WITH_MAP 1
#define MULTIBOOT2_MAGIC     0x36d76289u

#define BOOT_MAPPED (4ull << 30)

_Alignas(PAGE_SIZE) struct info_boot boot_info;
struct boot_archive boot_archive;
struct memory_map memory_map;

_Static_assert(sizeof(struct info_boot) <= PAGE_SIZE, "boot_info is shown as one page");

struct pvh_start {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp;
	uint64_t memory_map; /* from version 1 on */
	uint32_t memory_entries, reserved;
};

struct pvh_module {
	uint64_t address, bytes, command_line, reserved;
};

struct pvh_memory {
	uint64_t start, bytes;
	uint32_t kind, reserved;
};

_Static_assert(sizeof(struct pvh_start) == 56, "hvm_start_info");
_Static_assert(sizeof(struct pvh_module) == 32, "hvm_modlist_entry");
_Static_assert(sizeof(struct pvh_memory) == 24, "hvm_memmap_table_entry");

enum { TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6 };
#define TAG_ALIGNMENT 8u

struct multiboot2_head {
	uint32_t total_bytes, reserved;
};

struct multiboot2_tag {
	uint32_t type, bytes;
};

struct multiboot2_module {
	struct multiboot2_tag tag;
	uint32_t start, end;
};

struct multiboot2_map {
	struct multiboot2_tag tag;
	uint32_t entry_bytes, version;
};

/* Physical memory that the loader points to. */
static const void *loader_memory(uint64_t address, uint64_t bytes)
{
	if (address == 0 || address >= BOOT_MAPPED || bytes > BOOT_MAPPED - address)
		boot_stop("the boot loader's tables point outside the first 4 GiB (%lx, %lu bytes)",
			address, bytes);
	return (const void *)(LAYOUT_DIRECT_MAP + address);
}

static void add_range(uint64_t start, uint64_t bytes, uint32_t kind)
{
	if (kind < RANGE_RAM || kind > RANGE_BAD)
		kind = RANGE_RESERVED;
	if (!ranges_add(&memory_map, start, bytes, kind))
		boot_stop("the firmware's memory map has more than %u pieces; this kernel cannot "
			  "use such a machine",
			MEMORY_MAP_MAX);
}

static void set_command_line(const char *text, uint64_t bytes)
{
	uint64_t i = 0;

	for (; i < bytes && i < sizeof(boot_info.command_line) - 1 && text[i]; i++)
		boot_info.command_line[i] = text[i];
	boot_info.command_line[i] = 0;
}

static void set_protocol(const char *name)
{
	memcpy(boot_info.boot_protocol, name, strlen(name) + 1);
}

static void set_archive(uint64_t address, uint64_t bytes)
{
	if (boot_archive.bytes == 0)
		boot_archive = (struct boot_archive){ .address = address, .bytes = bytes };
}

static void pvh_read(uint64_t address)
{
	const struct pvh_start *start = loader_memory(address, sizeof(*start));
	const struct pvh_module *modules;
	const struct pvh_memory *map;

	set_protocol("PVH");
	if (start->magic != PVH_MAGIC || start->version < PVH_VERSION_WITH_MAP ||
		!start->memory_map)
		boot_stop("the PVH loader gives no memory map; use QEMU 4.0 or later");
	map = loader_memory(start->memory_map, (uint64_t)start->memory_entries * sizeof(*map));
	for (uint32_t i = 0; i < start->memory_entries; i++)
		add_range(map[i].start, map[i].bytes, map[i].kind);
	if (start->command_line)
		set_command_line(
			loader_memory(start->command_line, 1), BOOT_MAPPED - start->command_line);
	if (start->module_count) {
		modules = loader_memory(start->modules, sizeof(*modules));
		set_archive(modules[0].address, modules[0].bytes);
	}
}

static void multiboot2_read_map(const struct multiboot2_map *map)
{
	uint64_t at = sizeof(*map);

	if (map->entry_bytes < sizeof(struct pvh_memory))
		return;
	for (; at + map->entry_bytes <= map->tag.bytes; at += map->entry_bytes) {
		const struct pvh_memory *entry = (const void *)((const uint8_t *)map + at);

		add_range(entry->start, entry->bytes, entry->kind); /* the same form as PVH's */
	}
}

static void multiboot2_read_tag(const struct multiboot2_tag *tag)
{
	const struct multiboot2_module *module = (const void *)tag;

	switch (tag->type) {
	case TAG_COMMAND_LINE:
		set_command_line((const char *)(tag + 1), tag->bytes - sizeof(*tag));
		break;
	case TAG_MODULE:
		if (tag->bytes >= sizeof(*module) && module->end > module->start)
			set_archive(module->start, module->end - module->start);
		break;
	case TAG_MEMORY_MAP:
		if (tag->bytes >= sizeof(struct multiboot2_map))
			multiboot2_read_map((const void *)tag);
		break;
	}
}

static void multiboot2_read(uint64_t address)
{
	const struct multiboot2_head *head = loader_memory(address, sizeof(*head));
	uint64_t total = head->total_bytes, at = sizeof(*head);

	set_protocol("Multiboot2");
	loader_memory(address, total);
	while (at + sizeof(struct multiboot2_tag) <= total) {
		const struct multiboot2_tag *tag = (const void *)((const uint8_t *)head + at);

		if (tag->type == TAG_END || tag->bytes < sizeof(*tag) || tag->bytes > total - at)
			break;
		multiboot2_read_tag(tag);
		at += (tag->bytes + TAG_ALIGNMENT - 1) / TAG_ALIGNMENT * TAG_ALIGNMENT;
	}
	if (memory_map.count == 0)
		boot_stop("the boot loader gives no memory map; use GRUB 2");
}

/* What boot_info has room for: the whole map of all but very fragmented machines. */
static void copy_ranges(void)
{
	uint32_t count = memory_map.count < INFO_RANGES_MAX ? memory_map.count : INFO_RANGES_MAX;

	boot_info.range_count = count;
	memcpy(boot_info.ranges, memory_map.ranges, count * sizeof(boot_info.ranges[0]));
}

/* Copies everything of use out of the loader's tables.  magic: what the loader left in eax, or
   PVH's own. */
void boot_read(uint32_t magic, uint64_t info_address, uint64_t entry_tsc)
{
	boot_info.magic = INFO_MAGIC;
	boot_info.boot_tsc_entry = entry_tsc;
	boot_info.levels = LAYOUT_LEVELS;
	if (magic == PVH_MAGIC)
		pvh_read(info_address);
	else if (magic == MULTIBOOT2_MAGIC)
		multiboot2_read(info_address);
	else
		boot_stop("unknown boot protocol (%x); use QEMU -kernel or GRUB's multiboot2", magic);
	copy_ranges();
}

/* Is the word on the kernel's command line?  (Words: see banner.c.) */
bool boot_option(const char *word)
{
	const char *at = boot_info.command_line;
	size_t length = strlen(word);

	while (*at) {
		size_t here = 0;

		while (at[here] && at[here] != ' ')
			here++;
		if (here == length && memcmp(at, word, length) == 0)
			return true;
		at += here;
		while (*at == ' ')
			at++;
	}
	return false;
}
