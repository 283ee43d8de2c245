/*
 * Operations: what a pool's owner does to its frames, tables and kernel objects.
 *
 * An operation is three 64-bit words, {head, a, b}.  A batch is a run of them, from the message
 * page (BATCH, or a reply with TAG_OPS_IN_PAGE) or, the first two of a reply, in registers.  It runs
 * in order and stops at the first refusal; each operation is atomic and leaves all rules of the
 * frame table intact.  Authority is the caller's pool: frames are named by number and must
 * belong to that pool or to one below it.
 *
 *   head  bits  0..7   operation
 *         bits  8..15  flags: FLUSH_* hint, and others named below
 *         bits 16..24  index of the first entry (or handle slot)
 *         bits 25..34  count of entries or frames, 1..512
 *         bits 36..63  frame number of the table or object
 *
 * The message page of a batch: operations in bytes 0..OP_AREA_BYTES-1, results behind.
 * The call returns rdx = index of the operation it stopped at (or the number done), r10 = entries
 * of that operation already done (ST_MORE), r8 = number of results.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_OP_H
#define FAULTLINE_OP_H

#include "frame.h"

struct op {
	uint64_t head;
	uint64_t a;
	uint64_t b;
};

/*
 * BATCH, rdi: the number of operations, and BATCH_LOOK: r8 gets BATCH_NOTHING_WAITS, if at the port where
 * the caller received last nothing is to be received now.  (Without it that is not known.)
 */
#define BATCH_LOOK	    (1ull << 63)
#define BATCH_NOTHING_WAITS (1ull << 63)

#define OP_AREA_BYTES 1536u
#define OP_MAX_IN_PAGE (OP_AREA_BYTES / sizeof(struct op)) /* 64; fill lists count as ops */
#define OP_RESULTS_OFFSET OP_AREA_BYTES
#define OP_RESULTS_MAX ((4096u - OP_AREA_BYTES) / 8u) /* 320 */
#define OP_WORK_MAX 4096u /* entries touched by one call, at most */
#define OP_WORK_CLEAR 64u /* a cleared frame counts so many, its cache lines; with its entry (OP_FILL), too */

/*
 * Table operations.  "entry" arguments have the hardware's form (frame.h).  `expected` is compared
 * without A and D where it is present, and exactly where it is not.  Fields that an operation does not
 * name are ignored in the head and 0 in a and b.
 */
enum {
	OP_NOP,
	/* Change the type of `count` frames from pfn on: a = frame_type_t wanted: FREE, DATA, MSG,
	   TRACE, or a table below the top (L1..L3 with four levels).  Needs refs, holds and live 0 and a flush since the last reference.
	   Cleared when going into or out of a type the kernel interprets, unless it is BLANK.  b: 0. */
	OP_RETYPE,
	/* entry[index] = a, if it is b. */
	OP_SET,
	/* entry[index+i] = a | frame i, where it is b; the others are left alone.  a is present.  If it
	   has a frame number, the frames are those from there on; else they stand in a list, which follows
	   this operation in place of later ones: two 32-bit numbers to a word, 6 to an operation; 0 leaves
	   that entry alone.  With FILL_CLEAR in the flags (of a leaf table) the frames, DATA that nothing
	   uses, are filled with zeros before they are mapped. */
	OP_FILL,
	/* Copy `count` entries to table a>>36, entry (a>>16)&511.  The target's must be 0.
	   Not-present words are copied as they are; present entries lose W on both sides unless
	   SHARED.  A flush hint is for the source. */
	OP_COPY,
	/* entry[index] must be b and name a table with other parents (else MISMATCH): a = a fresh DATA
	   or FREE frame that becomes a copy of that table (as by OP_COPY) and takes its place here,
	   with W.  LIMIT, as any other refusal, comes before the first change.  count: an entry of
	   that table near those in use, where the copy begins; any will do.
	   Or b is a 2 MiB entry: a becomes a leaf table of 512 entries with its bits, but D, to the
	   same pages, below a link with W and U.  The last entry of a block dissolves it so. */
	OP_SPLIT,
	/* As OP_COPY, but the source becomes 0 and nothing loses W. */
	OP_MOVE,
	/* `count` entries become 0.  a, b: 0.  Flag OP_CLEAR_RUNS: frames with consecutive numbers may
	   be reported by one result (RESULT_COUNT). */
	OP_CLEAR,
	/* Present entries: remove the bits of a, then add those of b; both out of W, U, NX.  Flag
	   OP_PROTECT_SOLE, in a leaf table, a = 0, b = W: only entries with U whose page is DATA of the
	   caller's own pool with one reference, and not held or lent. */
	OP_PROTECT,
	/* The raw entries become results. */
	OP_READ,
	/* Present entries with A or D become results: index << OP_INDEX_SHIFT | the two bits (PTE_A,
	   PTE_D), which are cleared. */
	OP_HARVEST,
	/* Fill `count` DATA frames from pfn on with zeros. */
	OP_ZERO,
	/* Copy bytes from frame pfn (DATA, MSG, ZERO) to DATA or MSG frame a.  b = 0: all 4096.
	   Else source offset (bits 0..11), target offset (16..27), bytes (32..44). */
	OP_COPY_FRAME,
	OP_HOLD,    /* holds + 1, of a DATA frame or table */
	OP_RELEASE, /* holds - 1; MISMATCH when there is none */
	OP_TRANSFER, /* give `count` unused FREE or DATA frames from pfn on to pool a, above or below */
	OP_LEND,     /* let pool a, above or below, map this DATA frame, too; a = 0 ends it (BUSY while
	                mapped) */
	/* Flush a space (pfn of its SPACE frame) or all spaces (pfn 0) now. */
	OP_FLUSH,
	/* a = 1: the 512 DATA frames from pfn on, aligned, become a block that is kept: it stays one
	   while no 2 MiB entry maps it, and may be mapped without a look at its frames.  a = 0: it is
	   kept no longer, and dissolves, now or with its last 2 MiB entry.  MISMATCH: it is so
	   already.  b: 0. */
	OP_BLOCK,

	/* Objects. */
	/* A new pool below the caller's; result: its number.  a: POOL_LIMITED and what it may have
	   at most, or 0: as much as the caller's. */
	OP_POOL_CREATE,
	OP_POOL_SET,    /* pool a: b = port handle slot | bits << 32, notified of parked threads */
	OP_POOL_DESTROY, /* pool a, below the caller's, without frames, loans, children, spaces */
	OP_POOL_TAG,    /* a = commit tag of this batch, kept by the pool with the index reached;
	                   a = 0: read: results tag, index */
	/* pfn becomes a SPACE, a its TOP frame (both FREE or DATA).  b: see SPACE_*. */
	OP_SPACE_CREATE,
	/* Port I/O range and interrupts: a = first port | count << 32, b = mask of interrupts. */
	OP_SPACE_GRANT,
	/* pfn becomes a THREAD, stopped, of the space with SPACE frame a.  b = priority, at most
	   that of the caller's pool. */
	OP_THREAD_CREATE,
	OP_THREAD_SET, /* index = THREAD_FIELD_*; a, b = value */
	OP_THREAD_GET, /* results: the registers of a stopped or waiting thread (struct registers) */
	/* pfn gets the registers, FPU state, FS base, upcall and ports of thread a (waiting or
	   stopped). */
	OP_THREAD_CLONE,
	/* Make it runnable.  flags OP_START_ANSWER: its call returns OK with tag a and word 0 b. */
	OP_THREAD_START,
	OP_THREAD_STOP,
	OP_THREAD_INTERRUPT, /* withdraw or cancel the call it waits in */
	OP_PORT_CREATE,      /* pfn becomes a PORT; with RIGHT_ALL in slot `index` of the caller */
	/* Slot `index` of space pfn gets the caller's handle in slot (a & 0xffff) with the rights
	   (a >> 16) & 15 and badge b.  Replaces what was there.  Rights 0: empties the slot. */
	OP_HANDLE_SET,
	/* Destroy a THREAD, SPACE (no thread left; its TOP is freed with it and must be empty in
	   its user part) or PORT.  Its frames become FREE.  Bounded: ST_MORE asks to go on. */
	OP_DESTROY,
	/* PORT pfn, whose server died: calls being served fail with DEAD, served faults and
	   exceptions are queued again.  ST_MORE asks to go on. */
	OP_PORT_RESET,
	/* Let pool a (below the caller's) map the b device pages from page number pfn on: a range outside
	   RAM that the caller's pool may map itself (the root's may map all).  b = 0: none any more.
	   They are mapped by OP_SET at level 1 with PCD and NX, and counted nowhere;
	   entries made before stay. */
	OP_POOL_DEVICE,
	OP_COUNT
};

/*
 * Flush hints of operations that take rights away (bits 8..9 of the head).  FLUSH_SPACE means the
 * space of the thread that is answered (so only in a reply); for any other space put
 * an OP_FLUSH behind.  A wrong hint hurts only clients of this pool: reuse of a frame is guarded
 * by its flush epoch.
 */
enum { FLUSH_NONE = 0, FLUSH_SPACE = 1, FLUSH_ALL = 2 };
#define OP_START_ANSWER (1u << 2)
#define OP_CLEAR_RUNS (1u << 2)
#define OP_PROTECT_SOLE (1u << 2)
#define FILL_CLEAR (1u << 2)

/* OP_POOL_CREATE, a. */
#define POOL_LIMITED (1ull << 63)
#define POOL_LIMIT_PRIORITY 0x3full /* the greatest priority that it may give a thread */
#define POOL_LIMIT_BELOW 0xff00ull  /* the pools that may live below it, at any depth */
#define POOL_BELOW_SHIFT 8

/* OP_SPACE_CREATE, b. */
#define SPACE_POOL_SHIFT 32       /* the pool its threads may use in BATCH; 0: none */
#define SPACE_SEES_FRAMES (1u << 0)
#define SPACE_DEBUG (1u << 1)     /* DEBUG calls */
#define SPACE_TIMER (1u << 2)     /* TIMER_BIND, TIMER_SET */
#define SPACE_SHUTDOWN (1u << 3)  /* SHUTDOWN */
#define SPACE_FPU_NONE (1u << 4)  /* its threads use general registers only: an FPU instruction is an
                                     exception (VECTOR_NO_FPU).  Switching to them saves nothing */
#define SPACE_RIGHTS 0x1fu

/* Fields of OP_THREAD_SET. */
enum {
	THREAD_FIELD_PRIORITY,   /* a = 0..63, greater is more important; at most the pool's */
	THREAD_FIELD_START,      /* a = rip, b = rsp; the other registers become 0 */
	THREAD_FIELD_ARGUMENTS,  /* a = rdi, b = rsi */
	THREAD_FIELD_FS_BASE,    /* a */
	THREAD_FIELD_FAULT_PORT, /* a = slot of the caller's handle (0: none), b = badge */
	THREAD_FIELD_EXCEPTION_PORT, /* likewise */
	THREAD_FIELD_MESSAGE,    /* a = MSG frame (0: none); held by the thread */
	THREAD_FIELD_NAME,       /* a, b = up to 16 bytes of text for reports */
	THREAD_FIELDS
};

/*
 * Results.  OP_READ, OP_HARVEST and OP_THREAD_GET give raw words; other operations give words of
 * these kinds about what they displaced.
 */
#define RESULT_KIND(r) ((uint32_t)((r) >> 60))
enum {
	RESULT_VALUE = 0, /* bits 0..59: what was asked for (pool number, tag, index) */
	RESULT_FRAME = 1, /* bits 0..27: a data frame whose last reference went */
	RESULT_TABLE = 2, /* the same, a table (may still have live entries: an orphan) */
	RESULT_WORD = 3   /* OP_CLEAR removed a not-present word: it follows as the next, raw, result */
};
#define RESULT_DIRTY (1ull << 32) /* with RESULT_FRAME: its sticky dirty bit was set */
#define RESULT_BLOCK (1ull << 33) /* with RESULT_FRAME: the first frame of a block whose last 2 MiB
                                     entry went; 4 KiB entries may still map its frames */
#define RESULT_PFN(r) ((pfn_t)((r) & 0xfffffffull))
/* With RESULT_FRAME, when OP_CLEAR_RUNS asked for it: so many DATA frames from RESULT_PFN on. */
#define RESULT_MORE (1ull << 40)
#define RESULT_COUNT(r) ((uint32_t)((r) >> 40 & 0x3ffu) + 1u)

#define OP_INDEX_SHIFT 16
#define OP_COUNT_SHIFT 25
#define OP_PFN_SHIFT 36

static inline uint64_t op_head(uint32_t op, uint32_t flags, pfn_t pfn, uint32_t index, uint32_t count)
{
	/* NOLINTBEGIN(clang-analyzer-core.UndefinedBinaryOperatorResult): 64 bits hold 2 << 36 */
	return (uint64_t)op | ((uint64_t)flags << 8) | ((uint64_t)index << OP_INDEX_SHIFT) |
	       ((uint64_t)count << OP_COUNT_SHIFT) | ((uint64_t)pfn << OP_PFN_SHIFT);
	/* NOLINTEND(clang-analyzer-core.UndefinedBinaryOperatorResult) */
}

#define OP_CODE(head) ((uint32_t)(head) & 0xffu)
#define OP_FLAGS(head) (((uint32_t)(head) >> 8) & 0xffu)
#define OP_INDEX(head) ((uint32_t)((head) >> OP_INDEX_SHIFT) & 0x1ffu)
#define OP_ENTRIES(head) ((uint32_t)((head) >> OP_COUNT_SHIFT) & 0x3ffu)
#define OP_PFN(head) ((pfn_t)((head) >> OP_PFN_SHIFT))

#endif
