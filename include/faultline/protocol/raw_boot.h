/*
 * What init hands to a raw server: a wired program with a pool of its own and no pager.
 *
 * Boot script:   raw NAME frames N
 *
 * init loads servers/NAME of the boot archive as it loads the pager (all segments and a stack of
 * RAW_STACK_PAGES mapped before it runs), in a space with SPACE_POOL = a new pool right below the
 * root pool and the flags of RAW_SPACE_FLAGS.  Everything the server consists of (SPACE, TOP,
 * tables, THREAD, MSG and image frames) belongs to that pool, so it may change its own
 * tables; N further unused frames are in it as well, none of them referenced.  One page with struct raw_boot
 * is mapped read-only at an address that the thread gets in rdi.
 *
 * Handles: SLOT_SELF (a port made for it, RIGHT_ALL, badge 0), SLOT_INIT (SEND), and SLOT_PROC,
 * SLOT_PAGER, SLOT_FILES, SLOT_CONSOLE, SLOT_TIME (SEND|GIVE, BADGE_SYSTEM) of those servers that the script
 * started before this line; the others stay empty.  Its faults and exceptions go to init, which
 * reports them and ends the machine with status 1: a raw server is never restarted.
 *
 * It is granted the clock chip's I/O ports and interrupt line (RAW_IO_*, RAW_IRQ_LINE; OP_SPACE_GRANT).
 *
 * Its pool may map the registers of the I/O APIC (RAW_DEVICE_*; OP_POOL_DEVICE), a device that the kernel does not use.
 *
 * A script may consist of a `raw` line alone: nothing else needs to run.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_RAW_BOOT_H
#define FAULTLINE_PROTOCOL_RAW_BOOT_H

#include <stdint.h>
#include <faultline/frame.h>
#include <faultline/op.h>

#define RAW_BOOT_MAGIC 0x544f4f4257415246ull /* "FRAWBOOT" */
#define RAW_STACK_PAGES 16u
#define RAW_PRIORITY 40u /* of its thread; its own threads may have 0..RAW_PRIORITY and more */
#define RAW_SPACE_FLAGS \
	(SPACE_SEES_FRAMES | SPACE_DEBUG | SPACE_TIMER | SPACE_SHUTDOWN | SPACE_FPU_NONE)

/* The clock chip (CMOS RTC): a device that everything we run on has, and that no server of ours uses. */
#define RAW_IO_FIRST 0x70u
#define RAW_IO_COUNT 2u
#define RAW_IRQ_LINE 8u

/* The I/O APIC: one page of registers, at the same place in everything we run on. */
#define RAW_DEVICE_PAGE 0xfec00u
#define RAW_DEVICE_PAGES 1u

#define RAW_RANGES_MAX 32
struct raw_range {
	uint32_t first, count; /* frame numbers */
};

struct raw_boot {
	uint64_t magic;
	uint32_t pool;         /* its pool: what SPACE_POOL of its space says */
	uint32_t root_pool;    /* the parent's number: not its own, for tests of refusals */
	uint32_t space, top, thread, message; /* its own frames */
	uint32_t init_space;   /* a SPACE frame of the root pool, for tests of refusals */
	uint32_t frames;       /* entries of the frame table: one more than the highest frame */
	uint32_t zero_frame;   /* the ZERO frame */
	uint32_t levels;       /* 4 or 5 */
	uint32_t range_count;  /* the N unused frames, at most RAW_RANGES_MAX ranges, ascending; the
	                          first has all of them whenever init has so many in one piece, and
	                          then starts at a multiple of 512 (for 2 MiB blocks) */
	uint32_t reserved;
	struct raw_range ranges[RAW_RANGES_MAX];
	char command_line[256]; /* the kernel's, cut off */
};

_Static_assert(sizeof(struct raw_boot) <= 4096, "the boot structure fits a page");

#endif
