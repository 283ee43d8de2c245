/*
 * The pager's requests: label, words in, words out, who may ask.  Status is the reply's label.
 *
 * Programs are known by the badge the pager minted for them: their space.  A *space id* is an index
 * with a generation, never reused while a stale one could be around.  System servers (badge with
 * BADGE_SYSTEM) name spaces in a word.  Addresses and lengths are bytes; addresses page-aligned
 * unless it says otherwise; lengths are rounded up to pages.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_PAGER_H
#define FAULTLINE_PROTOCOL_PAGER_H

#include <stdint.h>

#define BADGE_SYSTEM (1ull << 63)

/* Protection and flags of a mapping, together in one word. */
enum {
	MAP_READ = 1, MAP_WRITE = 2, MAP_EXEC = 4,
	MAP_SHARED = 1 << 8,   /* writes reach the object; fork shares (default: private, COW) */
	MAP_FIXED_AT = 1 << 9, /* exactly at the address, replacing what is there */
	MAP_NO_REPLACE = 1 << 10, /* exactly at the address, or EXISTS */
	MAP_STACK = 1 << 11,   /* grows down by faults, to its start; keeps a gap below */
	MAP_POPULATE = 1 << 12, /* fill now (a job) */
	MAP_NO_RESERVE = 1 << 13, /* private pages are no promise: a write may find no memory */
	MAP_LARGE = 1 << 14    /* of a region that ADVICE_LARGE made so; no flag of a request */
};

/* PAGER_MREMAP, word 3.  Without these a mapping grows only where it is, or NO_MEMORY. */
enum {
	REMAP_MAY_MOVE = 1,
	REMAP_FIXED = 2 /* to exactly the new address, replacing what is there; needs REMAP_MAY_MOVE */
};

/* PAGER_MADVISE, word 2. */
enum {
	ADVICE_DISCARD = 1, /* the contents of private pages go: the next access finds zeros, or the object's */
	ADVICE_POPULATE,    /* make them present now, as MAP_POPULATE does (a job) */
	ADVICE_LARGE,       /* from now on a first write may bring 2 MiB, as one page if there is one, and what is
	                       there is made such pages ... */
	ADVICE_SMALL,       /* ... or as few as before; what is there stays as it is */
	ADVICE_COLLAPSE     /* make 2 MiB pages of all aligned parts, now, of private anonymous memory that may be
	                       written; BAD_ARGUMENT: there are none; NO_MEMORY: not for all of them;
	                       BUSY: a page is held (a job) */
};

enum {
	/* Programs, about their own space (system servers: word 5 = space id, also below). */
	PAGER_MMAP = 0x100, /* w0 hint or address, w1 length, w2 protection|flags, w3 object or 0, w4 offset; out w0 address */
	PAGER_MUNMAP,       /* w0 address, w1 length */
	PAGER_MPROTECT,     /* w0 address, w1 length, w2 protection */
	PAGER_BRK,          /* w0 new break, 0 to ask (any byte address); out w0 the break */
	PAGER_SPACE_STAT,   /* out payload struct pager_space_stat */
	PAGER_MAPS,         /* w0 space id (0: own), w1 address to start from; out payload struct pager_region[], w0 count, w1 next address or 0 */
	PAGER_STAT,         /* out payload struct pager_stat */
	PAGER_PAGES,        /* w0 space id (0: own), w1 address to start from; out payload struct pager_page[], w0 count, w1 next address or 0 */
	PAGER_MREMAP,       /* w0 address, w1 length, w2 new length, w3 REMAP_*, w4 new address; out w0 the address */
	PAGER_MADVISE,      /* w0 address, w1 length, w2 ADVICE_* */

	/* System servers only. */
	/* w0 badge for its minted handles, w1 class, w2 SPACE_* rights (op.h; SPACE_TIMER ...; 0 for programs);
	   out w0 space id, w1 SPACE frame, w2 THREAD frame.  For a server, init itself puts handles, exception port
	   and priority there (its pool is above), and its ports are init's. */
	PAGER_SPACE_CREATE = 0x200,
	PAGER_SPACE_FORK,   /* w0 parent space, w1 badge; out w0 child space id.  The child's thread answers its pending call with OK, word 0 = 0 */
	PAGER_SPACE_DESTROY,/* w0 space; its threads are dead when the reply comes, its memory follows (a job) */
	PAGER_SPACE_MAP,    /* w0 space, w1 address, w2 length, w3 protection|flags, w4 object, w5 offset; out w0 address */
	PAGER_SPACE_WRITE,  /* w0 space, w1 address (any), payload: write it there as the program would */
	PAGER_SPACE_READ,   /* w0 space, w1 address (any), w2 bytes; out payload */
	PAGER_SPACE_START,  /* w0 space, w1 rip, w2 rsp, w3 rdi, w4 FS base: its thread begins to run */
	PAGER_SPACE_HEAP,   /* w0 space, w1 start of its heap (brk) */
	PAGER_SPACE_DESCRIBE, /* w0 space, w1 address (any); out w0 reason (REASON_*), payload struct pager_region (the region there, or the next below) */
	PAGER_SPACE_PORT,   /* w0 space: make its own port (SLOT_SELF); out a handle to it (SEND|MINT|GIVE) */
	PAGER_SPACE_HANDLE, /* w0 space, w1 slot, w2 badge, and a handle: put it there */
	PAGER_SPACE_LIMIT,  /* w0 space, w1 commit limit in pages */
	PAGER_SPACE_NAME,   /* w0 space, w1, w2: 16 bytes of name for reports and `maps` */
	PAGER_SPACE_INTERRUPT, /* w0 space: withdraw or cancel the call its thread waits in */
	PAGER_TEMPLATE,     /* w0 slot, w1 rights, and a handle: every new program gets it minted with its badge there.  Slot SLOT_PROC is the exception port, too */
	PAGER_OBJECT_CREATE,/* w0 size in bytes, w1, w2: 16 bytes of name; out w0 object id */
	PAGER_OBJECT_WRITE, /* w0 object, w1 offset (any), payload */
	PAGER_OBJECT_READ,  /* w0 object, w1 offset (any), w2 bytes; out payload */
	PAGER_OBJECT_DESTROY, /* w0 object; goes when the last mapping goes */
	PAGER_SETTLE,       /* answers when no job is left */
	PAGER_CHECK,        /* pager_ok() and kernel_ok(); out w0 rule violated, w1 where */
	PAGER_VICTIM,       /* out w0 badge of the next space killed for lack of memory, or NOT_FOUND; the pager notifies the exception port with PAGER_NOTIFY_VICTIM */
	PAGER_TRAP_TEST,    /* w0 hook, w1 value: failure injection for tests (docs/pager.md) */
	PAGER_IDLE          /* does some work that nobody waits for: clears frames ahead of use, forms blocks of frames for large pages; answers when that is done, or, if there is none, as soon as there is.  LIMIT: somebody waits already */
};

#define PAGER_NOTIFY_VICTIM (1ull << 0)

/* PAGER_CHECK: rules of kernel_ok() are reported as PAGER_CHECK_KERNEL + their number. */
#define PAGER_CHECK_KERNEL 100u

/* PAGER_TRAP_TEST, word 0. */
enum {
	PAGER_HOOK_FAIL_FRAMES, /* the value-th asking for frames from now is refused; 0: none; out w0 1 if the hook before had refused one */
	PAGER_HOOK_RESERVE,     /* frames kept from programs; 0: as at the start */
	PAGER_HOOK_FAIL_ONWARD  /* as PAGER_HOOK_FAIL_FRAMES; from then on no frame is free for anybody, until the hook is set again */
};

/* Classes for PAGER_SPACE_CREATE. */
enum { CLASS_PROGRAM = 0, CLASS_SERVER = 1 };

/* Why an access was refused: word 0 of a FAULT_REFUSE; PAGER_SPACE_DESCRIBE. */
enum {
	REASON_NONE,
	REASON_NULL,       /* the null guard */
	REASON_NO_REGION,  /* nothing is mapped there */
	REASON_GUARD,      /* the gap below a stack, or a guard page */
	REASON_STACK_LIMIT,/* the stack is at its limit */
	REASON_PROTECTION, /* the region does not allow this access */
	REASON_PAST_END,   /* beyond the end of the object */
	REASON_NO_MEMORY,  /* out of memory or over the limit */
	REASON_KERNEL,     /* not an address of the user's */
	REASON_MALFORMED   /* reserved bit: a damaged table */
};

struct pager_region {
	uint64_t start, end;
	uint32_t protection; /* MAP_* of the region */
	uint32_t object;     /* 0: anonymous */
	uint64_t offset;     /* of start in the object */
	uint64_t resident;   /* pages present in this space's tables */
	char name[16];       /* "heap", "stack", the object's name, or "" */
};

/* A page that the tables name: the leaf entry as it stands there (frame.h: PTE_*). */
struct pager_page {
	uint64_t address, entry;
};

struct pager_space_stat {
	uint64_t regions, committed, limit; /* pages */
	uint64_t faults, faults_zero, faults_copy, faults_reuse, faults_file, faults_refused;
	uint64_t tables_split, frames_copied;
	uint64_t brk_start, brk_now;
};

struct pager_stat {
	uint64_t frames_total, frames_free, frames_reserve;
	uint64_t spaces, objects, jobs;
	uint64_t messages, requests;
	uint64_t faults, faults_zero_read, faults_zero, faults_copy, faults_reuse, faults_file, faults_refused, faults_message_page;
	uint64_t forks, tables_shared, tables_split, frames_copied, frames_zeroed;
	uint64_t committed, commit_limit, victims;
	uint64_t frames_blank; /* of the free ones: known to be zeros */
	uint64_t promotions;   /* small pages put together to large ones */
	uint64_t blocks_clean; /* 2 MiB of zeros, ready for large pages */
};

#endif
