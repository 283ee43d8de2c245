/*
 * What the kernel tells about itself: INFO calls, and the page given to the root task.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_INFO_H
#define FAULTLINE_INFO_H

#include <stdint.h>

/* CPU features, found (in hardware) and used (by the kernel).  X(name, bit) */
#define FEATURE_LIST(X)                                                                  \
	X(NX, 0) X(SMEP, 1) X(SMAP, 2) X(UMIP, 3) X(PCID, 4) X(INVPCID, 5) X(FSGSBASE, 6)      \
	X(XSAVE, 7) X(GIB_PAGES, 8) X(LA57, 9) X(RDTSCP, 10) X(TSC_DEADLINE, 11) X(XSAVEOPT, 12)
enum {
#define FEATURE_ENUM(name, bit) FEATURE_##name = 1 << (bit),
	FEATURE_LIST(FEATURE_ENUM)
#undef FEATURE_ENUM
};

#define INFO_RANGES_MAX 64

enum { RANGE_RAM = 1, RANGE_RESERVED = 2, RANGE_ACPI = 3, RANGE_NVS = 4, RANGE_BAD = 5 };
struct info_range {
	uint64_t start, bytes;
	uint32_t kind, reserved;
};

/*
 * INFO_BOOT; also mapped read-only for the root task at INFO_ROOT_ADDRESS when it starts, with the
 * boot archive behind it at INFO_ARCHIVE_ADDRESS (read-only).  The page is a copy; the
 * archive's frames are DATA of the root pool.
 */
#define INFO_MAGIC 0x30454e494c544c46ull /* "FLTLINE0" */
struct info_boot {
	uint64_t magic;
	uint32_t features_found, features_used;
	uint64_t tsc_hz;
	uint64_t boot_tsc_entry, boot_tsc_root; /* TSC at kernel entry and when the root task starts */
	uint64_t archive_address, archive_bytes;
	uint32_t frames;       /* entries of the frame table: one more than the highest frame */
	uint32_t free_frames;  /* given to the root pool */
	uint32_t zero_frame;   /* the ZERO frame */
	uint32_t root_pool;    /* pool number of the root task */
	uint32_t root_space, root_thread; /* their frames */
	uint32_t levels;       /* 4 or 5 */
	uint32_t range_count;
	struct info_range ranges[INFO_RANGES_MAX];
	char command_line[512];
	char cpu_name[52];
	char boot_protocol[12]; /* "PVH" or "Multiboot2" */
};

#define INFO_ROOT_ADDRESS 0x0000000010000000ull
#define INFO_ARCHIVE_ADDRESS 0x0000000020000000ull

/* INFO_COUNTERS: monotonic since boot. */
struct info_counters {
	uint64_t kernel_entries;
	uint64_t calls, replies, notifications, faults_delivered, faults_cured_at_delivery;
	uint64_t exceptions, upcalls, interrupts, switches;
	uint64_t cr3_loads, cr3_loads_flushing, full_flushes, hinted_flushes;
	uint64_t operations, operations_refused, tables_split, frames_copied, frames_cleared;
	uint64_t tsc;
};

/* INFO_RECORDS: the last message records, oldest first; as many as fit the page.  Needs SPACE_DEBUG. */
enum {
	RECORD_CALL = 1, RECORD_REPLY, RECORD_FAULT, RECORD_EXCEPTION, RECORD_NOTIFY,
	RECORD_REFUSED, RECORD_INTERRUPT
};
struct info_record {
	uint64_t tsc;
	uint32_t kind, label;
	uint32_t from, to; /* frames of THREADs or PORTs */
	uint64_t word0, word1;
};

#endif
