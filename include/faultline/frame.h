/*
 * The frame table as every reader sees it: one 16-byte entry per 4 KiB frame of RAM.
 *
 * The kernel writes it; a pager reads it at LAYOUT_VMEMMAP (read-only) and so decides "sole
 * owner" without a call.  Fields may change under the reader whenever a call runs.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_FRAME_H
#define FAULTLINE_FRAME_H

#include <stdint.h>

typedef uint32_t pfn_t; /* physical frame number; 0 is never usable RAM and means "none" */

/* The type of a frame.  L1..L5 are the levels of page tables below the top. */
typedef enum {
	FRAME_NONE,   /* not RAM, or reserved by firmware: nobody's */
	FRAME_FREE,   /* of a pool, holds nothing, may not be mapped */
	FRAME_DATA,   /* user data: the only type that may be mapped writable */
	FRAME_ZERO,   /* the shared zero frame: immortal, mapped read-only, not counted */
	FRAME_L1,
	FRAME_L2,
	FRAME_L3,
	FRAME_L4,     /* a fourth level below a fifth; unused while there are four levels */
	FRAME_TOP,    /* the top-level table of one space */
	FRAME_SPACE,  /* a space: its attributes and handle table */
	FRAME_THREAD,
	FRAME_PORT,
	FRAME_MSG,    /* a thread's message page: mapped only in its message slot */
	FRAME_TRACE,
	FRAME_KERNEL, /* the kernel's own: text, frame table, boot tables, records */
	FRAME_TYPES
} frame_type_t;

enum {
	FRAME_DIRTY = 1 << 0, /* sticky: an operation removed an entry with D set */
	FRAME_BLOCK = 1 << 1, /* one of 512 frames that are mapped by a 2 MiB entry, or kept for one */
	FRAME_LENT = 1 << 2,  /* DATA outside blocks: `live` is the pool that may map it, too */
	FRAME_SPECIAL = 1 << 3, /* a table that has held MSG or 2 MiB entries; gone when retyped */
	FRAME_BLANK = 1 << 4, /* FREE or DATA that nothing refers to or holds: it is zeros, and needs no
	                        clearing.  Says nothing while the frame is in use */
	FRAME_KEPT = 1 << 5 /* head of a block (its first frame): OP_BLOCK made it, so it stays one
	                       without 2 MiB entries */
};

struct frame {
	uint32_t refs;  /* present 4 KiB or table entries that point here */
	uint16_t live;  /* tables: entries that are not 0.  Lent: the borrowing pool.  Head of a
	                   block (its first frame): present 2 MiB entries */
	uint8_t type;   /* frame_type_t */
	uint8_t flags;  /* FRAME_DIRTY ... */
	uint16_t holds; /* other users: message page of a thread, DMA, copies in flight, lending */
	uint16_t pool;  /* the owner; 0 for none */
	uint32_t epoch; /* the flush epoch in which the last reference went */
};

_Static_assert(sizeof(struct frame) == 16, "a frame entry is 16 bytes");

/* Bits of an entry of a page table, as hardware defines them. */
#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7) /* level 2 and 3: a large page.  Level 1: PAT, refused */
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull

/* Software bits.  SHARED has a meaning for `copy` and `split`; the others are the pager's. */
#define PTE_SHARED (1ull << 9) /* keep W when copied: a shared mapping, not copy-on-write */
#define PTE_SOFT1 (1ull << 10)
#define PTE_SOFT2 (1ull << 11)
#define PTE_SOFT (PTE_SHARED | PTE_SOFT1 | PTE_SOFT2)

/* A page of device registers (OP_POOL_DEVICE) has PCD and NX, and may have PWT; RAM never has. */
#define PTE_DEVICE (PTE_PCD | PTE_NX)

/* What a pager may put into a present entry of RAM.  A page without access has P and no U. */
#define PTE_ALLOWED (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS | PTE_NX | PTE_SOFT | PTE_FRAME)

static inline uint64_t pte_make(pfn_t pfn, uint64_t bits)
{
	return ((uint64_t)pfn << 12) | bits;
}

static inline pfn_t pte_pfn(uint64_t entry)
{
	return (pfn_t)((entry & PTE_FRAME) >> 12);
}

#endif
