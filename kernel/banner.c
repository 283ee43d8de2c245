/*
 * The first words: which machine this is, what of it is used, how long booting took.
 *
 * Words on the kernel's command line:
 *   quiet   no banner
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "log.h"
#include <faultline/layout.h>

#define KIB 1024u
#define MHZ 1000000u

static const struct {
	const char *name;
	uint32_t bit;
} features[] = {
#define FEATURE_ROW(name, bit) { #name, FEATURE_##name },
	FEATURE_LIST(FEATURE_ROW)
#undef FEATURE_ROW
};

static void print_features(const char *title, uint32_t set)
{
	log_print("  %s:", title);
	for (uint32_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (set & features[i].bit)
			log_print(" %s", features[i].name);
	log_print("%s\n", set ? "" : " none");
}

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case RANGE_RAM:
		return "RAM";
	case RANGE_ACPI:
		return "ACPI tables";
	case RANGE_NVS:
		return "ACPI non-volatile";
	case RANGE_BAD:
		return "bad RAM";
	default:
		return "reserved";
	}
}

/* Up to the unit that shows it without a rest worth having. */
static void print_size(uint64_t bytes)
{
	static const char units[] = { 'B', 'K', 'M', 'G', 'T' };
	uint32_t unit = 0;

	while (unit + 1 < sizeof(units) &&
		(bytes >= 100 * KIB || (bytes >= KIB && bytes % KIB == 0))) {
		bytes /= KIB;
		unit++;
	}
	log_print("%6lu %c%s", bytes, units[unit], unit ? "iB" : "");
}

static void print_memory(void)
{
	log_print("  memory map:\n");
	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		const struct info_range *range = &boot_info.ranges[i];

		log_print("    %012lx - %012lx ", range->start, range->start + range->bytes - 1);
		print_size(range->bytes);
		log_print("  %s\n", kind_name(range->kind));
	}
	log_print("  free memory: %lu KiB (%u frames); boot archive %lu KiB\n",
		(uint64_t)boot_info.free_frames * (uint64_t)PAGE_SIZE / KIB, boot_info.free_frames,
		boot_archive.bytes / KIB);
}

/* Prints what boot_info tells, for people. */
void banner(void)
{
	if (boot_option("quiet"))
		return;
	log_print("Faultline, a microkernel on which a page fault is a message\n");
	log_print("  CPU: %s, %u page-table levels, TSC %lu.%03lu MHz\n", boot_info.cpu_name,
		boot_info.levels, boot_info.tsc_hz / MHZ, boot_info.tsc_hz % MHZ / 1000);
	print_features("features found", boot_info.features_found);
	print_features("features used", boot_info.features_used);
	log_print("  FPU state: %u bytes, components %lx\n", fpu_bytes, fpu_mask);
	log_print("  boot protocol: %s, command line \"%s\"\n", boot_info.boot_protocol,
		boot_info.command_line);
	print_memory();
	log_print("  boot time: %lu TSC ticks from kernel entry to the root task (instructions, "
		  "where "
		  "the emulator counts them so)\n",
		boot_info.boot_tsc_root - boot_info.boot_tsc_entry);
}
