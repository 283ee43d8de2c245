/*
 * What the root task tells a pager when it starts: one page, mapped read-only for the pager.
 *
 * The pager's first thread starts with rdi = address of struct pager_boot and these things ready:
 *   - its space may use `pool` in batches and has SPACE_RIGHTS: all of them, because rights it lacks
 *     cannot be given to the servers that PAGER_SPACE_CREATE makes
 *   - its program, stack (at least 64 KiB) and message page (LAYOUT_MESSAGE) are mapped and wired
 *   - slot SLOT_SELF holds its own port with RIGHT_ALL (it mints fault ports and handles from it)
 *   - the top-level entry of slot LAYOUT_VMALLOC_FIRST_SLOT of its space links heap_table, an empty
 *     FRAME_L3 table that belongs to `pool`, with P, W and U: all of the pager's own data lie below it,
 *     mapped by the pager itself
 *   - the frames of `ranges` belong to `pool` and are FREE; nothing else belongs to it but heap_table
 *
 * Who holds a handle to the pager: system servers with badge BADGE_SYSTEM | any number; programs get
 * one in SLOT_PAGER minted by the pager itself (badge = their space id); PAGER_TEMPLATE gives it the others.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_PAGER_BOOT_H
#define FAULTLINE_PROTOCOL_PAGER_BOOT_H

#include <stdint.h>

#define PAGER_BOOT_MAGIC 0x30524741504c5446ull /* "FTLPAGR0" */
#define PAGER_BOOT_RANGES 64

struct pager_boot_range {
	uint32_t first; /* frame number */
	uint32_t count;
};

struct pager_boot {
	uint64_t magic;
	uint32_t pool;         /* the pager's pool */
	uint32_t frame_count;  /* entries of the frame table: one more than the highest frame */
	uint32_t zero_frame;   /* the ZERO frame */
	uint32_t levels;       /* 4 or 5 */
	uint32_t space_frame;  /* SPACE of the pager */
	uint32_t thread_frame; /* THREAD of the pager */
	uint32_t heap_table;   /* the L3 table below slot LAYOUT_VMALLOC_FIRST_SLOT */
	uint32_t priority_program; /* of threads in CLASS_PROGRAM spaces, 0..63 */
	uint32_t priority_server;  /* of threads in CLASS_SERVER spaces */
	uint32_t commit_percent;   /* all spaces together may promise this share of the frames; 0: no such limit */
	uint64_t commit_space;     /* limit of one new space in pages; 0: as many as there are frames */
	uint32_t reserve_frames;   /* kept for servers; 0: the pager chooses */
	uint32_t range_count;
	struct pager_boot_range ranges[PAGER_BOOT_RANGES];
};

_Static_assert(sizeof(struct pager_boot) <= 4096, "fits one page");

#endif
