/*
 * The virtual address layout: linux-5.10-4level, the only one built so far.
 *
 * Every region's address is written here and nowhere else.  C, the linker scripts (through the
 * C preprocessor) and NASM (through the generated offsets file) share these lines, so each is a
 * plain macro.  Slots are indices into the top-level table, 512 GiB each with four levels.
 *
 *   0 .. 255     user
 *   273 .. 400   direct map of RAM            kernel, supervisor
 *   402 .. 465   vmalloc window               servers (the pager's own heap is its first slot)
 *   466          message pages                one page per thread, U=1, never shared by fork
 *   467          frame table, writable        kernel, supervisor
 *   468          vmemmap: the frame table     the same tables, read-only, only in spaces with
 *                                             SPACE_SEES_FRAMES
 *   511          kernel text                  kernel
 *
 * Slots 466 and 467 lie in a hole of Linux' layout.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_LAYOUT_H
#define FAULTLINE_LAYOUT_H

#ifdef __ASSEMBLER__
#define LAYOUT_U64(x) x
#else
#define LAYOUT_U64(x) x##ull
#endif

#define PAGE_SHIFT 12
#define PAGE_SIZE LAYOUT_U64(4096)
#define TABLE_ENTRIES 512
#define SLOT_SHIFT 39

#define LAYOUT_NAME "linux-5.10-4level"
#define LAYOUT_LEVELS 4

#define LAYOUT_USER_FIRST_SLOT 0
#define LAYOUT_USER_LAST_SLOT 255
#define LAYOUT_USER_MIN LAYOUT_U64(0x10000)           /* below: the null guard */
#define LAYOUT_USER_END LAYOUT_U64(0x00007ffffffff000) /* exclusive; above: the guard page */
#define LAYOUT_USER_TEXT LAYOUT_U64(0x0000000000400000)
/* mmap grows down from here.  The stack has the table of the last GiB for itself: every process writes to
   it first after a fork, and what it then has to copy of this table does not grow with what is mapped. */
#define LAYOUT_MMAP_TOP LAYOUT_U64(0x00007fffc0000000)
#define LAYOUT_STACK_TOP LAYOUT_U64(0x00007ffffffff000)
#define LAYOUT_STACK_LIMIT LAYOUT_U64(0x800000)         /* 8 MiB */
#define LAYOUT_STACK_GAP LAYOUT_U64(0x100000)           /* 1 MiB kept empty below a stack */

#define LAYOUT_DIRECT_MAP LAYOUT_U64(0xffff888000000000)
#define LAYOUT_DIRECT_FIRST_SLOT 273
#define LAYOUT_DIRECT_LAST_SLOT 400

#define LAYOUT_VMALLOC LAYOUT_U64(0xffffc90000000000)
#define LAYOUT_VMALLOC_FIRST_SLOT 402
#define LAYOUT_VMALLOC_LAST_SLOT 465

#define LAYOUT_MESSAGE LAYOUT_U64(0xffffe90000000000)
#define LAYOUT_MESSAGE_SLOT 466

#define LAYOUT_FRAME_TABLE LAYOUT_U64(0xffffe98000000000)
#define LAYOUT_FRAME_TABLE_SLOT 467
#define LAYOUT_VMEMMAP LAYOUT_U64(0xffffea0000000000)
#define LAYOUT_VMEMMAP_SLOT 468

#define LAYOUT_KERNEL_SLOT 511
#define LAYOUT_KERNEL LAYOUT_U64(0xffffffff80000000)
#define LAYOUT_KERNEL_WINDOW LAYOUT_U64(0xffffffffff400000) /* kernel's device windows (fixmap) */

/* The most RAM the frame numbers of tokens and operations can name: 2^28 frames, 1 TiB. */
#define FRAME_NUMBER_BITS 28

#endif
