/*
 * The pager's frames: a queue of free ones, and what each other one is used for.
 *
 *   take -> [ free | free | ... | free ] <- put       first in, first out: a frame rests as long as
 *                                                     possible, so that the kernel finds it flushed
 *
 * Frames that are zeros, as the kernel knows (FRAME_BLANK: tables and objects were in them, or the stock
 * was filled: stock.h), wait in a second queue: for tables and objects, and, beyond what these may need
 * next, for pages.
 *
 * Free frames are typed DATA, so one can be mapped without being retyped.  Every frame of the pool
 * has a word of 8 bytes here: its kind, and a link for the queue that it is in.  The kernel counts
 * references; this file knows what the frame is *for*, which the kernel does not: "sole owner" asks
 * for KIND_ANONYMOUS here and for refs 1 there.
 *
 * Reserves.  A taker of class FRAMES_PROGRAM leaves a reserve for servers and the pager, one of
 * FRAMES_SERVER a smaller one for the pager, FRAMES_PAGER may take the last frame.
 *
 * Taking cannot fail: frame_pool_has() is asked first, once for all that an operation may need.
 * Frames taken since frame_pool_begin() are remembered; when the operations that were to use them
 * are refused, frame_pool_undo() takes those back that nothing refers to.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_FRAME_POOL_H
#define PAGER_FRAME_POOL_H

#include "mmu.h"
#include <faultline/protocol/pager_boot.h>

enum frame_kind {
	KIND_NONE,	/* not of this pool */
	KIND_FREE,	/* in the queue */
	KIND_ANONYMOUS, /* a private page */
	KIND_OBJECT,	/* a page of an object's tree, maybe mapped as well */
	KIND_TABLE,	/* a page table of a space or of an object */
	KIND_ORPHAN,	/* lost its last reference; waits for the reaper */
	KIND_MESSAGE,	/* a message page */
	KIND_KERNEL,	/* SPACE, TOP, THREAD or PORT */
	KIND_OWN,	/* the pager's own memory, and its tables */
	KIND_BLOCK,	/* in a block for large pages (blocks.h) */
	KIND_ASIDE,	/* free, to become a part of a block (gather.h) */
	KINDS
};

enum frame_class { FRAMES_PROGRAM, FRAMES_SERVER, FRAMES_PAGER, FRAME_CLASSES };

struct frame_info {
	uint32_t next; /* of the queue it is in */
	uint8_t kind;  /* enum frame_kind */
	bool withheld; /* a leaf table: see tables.h */
	uint8_t mark;  /* of a frame in the queue: number of a candidate (gather.h), 0: none */
	uint8_t unused;
};
_Static_assert(sizeof(struct frame_info) == 8, "a word per frame");

struct frame_pool {
	struct frame_info *info;
	uint64_t frame_count; /* entries of the frame table */
	uint64_t total;	      /* frames of this pool */
	uint64_t free;
	uint64_t reserve[FRAME_CLASSES]; /* what a class leaves */
	uint64_t quick[FRAME_CLASSES];	 /* the same; all of them, while a test hook is set */
	pfn_t first, last;		 /* the queue; 0: empty, and then no frame is free */
	struct {
		pfn_t first, last; /* 0: empty */
		/* How many: for tables and objects, for pages, and those that stock_look() will share
		   out when one of these is used up. */
		uint64_t kept, spare, rest;
		uint64_t low; /* somebody waits for so few (stock.h); 0: nobody does */
	} blanks;
	/* Test hook: the n-th asking from now is refused (0: none); if so set, all frames are kept
	   from everybody from then on; was any refused? */
	uint64_t fail_at;
	bool fail_onward;
	uint64_t failed;
};
extern struct frame_pool frame_pool;

/* Whose memory is being asked for: set by whoever begins a request or fault. */
extern enum frame_class frame_pool_class;

/* Take over the frames of the boot structure.  Uses the first ones for its own words. */
MUST_CHECK status_t frame_pool_start(const struct pager_boot *boot);

static inline enum frame_kind frame_kind(pfn_t pfn)
{
	return (enum frame_kind)frame_pool.info[pfn].kind;
}

/* Keep this many frames from programs; 0: what was chosen at the start. */
void frame_pool_set_reserve(uint64_t frames);

/* Set the test hook; 0: off.  Returns how many askings it has refused itself (0 or 1). */
uint64_t frame_pool_fail(uint64_t at, bool onward);

/* The test hook: true when this asking is the one to be refused. */
bool frame_pool_must_fail(void);

/* Can `count` frames be taken now by the class at work?  Ask before the first change. */
MUST_CHECK static inline bool frame_pool_has(uint64_t count)
{
	if (__builtin_expect(frame_pool.fail_at != 0, 0) && frame_pool_must_fail())
		return false;
	return frame_pool.free >= count + frame_pool.reserve[frame_pool_class];
}

/* One for this class, while no test hook is set? */
static inline bool frame_pool_has_one(enum frame_class class)
{
	return frame_pool.free > frame_pool.quick[class];
}

/* So many? */
static inline bool frame_pool_has_for(enum frame_class class, uint64_t count)
{
	return frame_pool.free > frame_pool.quick[class] && frame_pool.free - frame_pool.quick[class] >= count;
}

/* Frames taken by the undertaking at work: the first of a run, and how many more it has.  With
   FRAMES_TAKEN_SPLIT: the head of a block that it ends. */
#define FRAMES_TAKEN_MAX 64u
#define FRAMES_RUN_SHIFT 32
#define FRAMES_TAKEN_SPLIT (1ull << 63)
struct frames_taken {
	uint32_t count;
	uint64_t frames[FRAMES_TAKEN_MAX];
};
extern struct frames_taken frames_taken;

/* The queue is empty: blank frames are as good. */
void frame_pool_use_blanks(void);

/* `next` is the first of the queue now. */
static inline void frame_pool_set_first(pfn_t next)
{
	frame_pool.first = next;
	if (__builtin_expect(next == 0, 0))
		frame_pool_use_blanks();
}

static inline void frame_pool_taken(pfn_t pfn, enum frame_kind kind)
{
	frame_pool.free--;
	frame_pool.info[pfn].kind = (uint8_t)kind;
	if (__builtin_expect(frames_taken.count < FRAMES_TAKEN_MAX, 1))
		frames_taken.frames[frames_taken.count++] = pfn;
}

/* A free frame becomes one of this kind.  Must have been asked for. */
static inline pfn_t frame_pool_take(enum frame_kind kind)
{
	pfn_t pfn = frame_pool.first;

	frame_pool_set_first(frame_pool.info[pfn].next);
	frame_pool_taken(pfn, kind);
	return pfn;
}

static inline void frame_pool_only_taken(pfn_t pfn, enum frame_kind kind)
{
	frame_pool.free--;
	frame_pool.info[pfn].kind = (uint8_t)kind;
	frames_taken.frames[0] = pfn;
	frames_taken.count = 1;
}

/* The same, and frame_pool_begin(): the only frame of its undertaking. */
static inline pfn_t frame_pool_take_only(enum frame_kind kind)
{
	pfn_t pfn = frame_pool.first;

	frame_pool_set_first(frame_pool.info[pfn].next);
	frame_pool_only_taken(pfn, kind);
	return pfn;
}

/* Blank frames, all of them. */
static inline uint64_t frame_pool_blanks(void)
{
	return frame_pool.blanks.kept + frame_pool.blanks.spare + frame_pool.blanks.rest;
}

/* Share them out anew (stock.h). */
void stock_look(void);

/* The same for a table or an object of the kernel, which would have to be cleared: a blank one, if there
   is any. */
static inline pfn_t frame_pool_take_blank(enum frame_kind kind)
{
	pfn_t pfn = frame_pool.blanks.first;

	if (pfn == 0) {
		if (__builtin_expect(frame_pool.blanks.low != 0, 0))
			stock_look();
		return frame_pool_take(kind);
	}
	frame_pool.blanks.first = frame_pool.info[pfn].next;
	if (__builtin_expect(--frame_pool.blanks.kept == 0, 0))
		stock_look();
	frame_pool_taken(pfn, kind);
	return pfn;
}

/* Is one to spare, for a page? */
static inline bool frame_pool_has_spare(void)
{
	return frame_pool.blanks.spare != 0;
}

/* Is it the last one? */
static inline bool frame_pool_is_last_spare(void)
{
	return frame_pool.blanks.spare == 1;
}

/* Take it. */
static inline pfn_t frame_pool_take_spare(enum frame_kind kind)
{
	pfn_t pfn = frame_pool.blanks.first;

	frame_pool.blanks.first = frame_pool.info[pfn].next;
	if (--frame_pool.blanks.spare == 0)
		stock_look();
	frame_pool_taken(pfn, kind);
	return pfn;
}

/* The same if it is not the last, as frame_pool_take_only(). */
static inline pfn_t frame_pool_take_only_spare(enum frame_kind kind)
{
	pfn_t pfn = frame_pool.blanks.first;

	frame_pool.blanks.first = frame_pool.info[pfn].next;
	frame_pool.blanks.spare--;
	frame_pool_only_taken(pfn, kind);
	return pfn;
}

/* A frame for a page that is to be cleared, by an operation that clears nothing if the frame is blank. */
static inline pfn_t frame_pool_take_for_zeroes(enum frame_kind kind)
{
	return frame_pool_has_spare() ? frame_pool_take_spare(kind) : frame_pool_take(kind);
}

/* The frames from `first` on that follow one another, at most `count`: *count, and *next in the queue. */
static inline void frame_pool_run_taken(
	pfn_t first, enum frame_kind kind, uint32_t *count, pfn_t *next)
{
	struct frame_info *info = &frame_pool.info[first];
	uint32_t most = *count, taken = 0;

	do {
		info[taken].kind = (uint8_t)kind;
		*next = info[taken].next;
		taken++;
	} while (taken != most && *next == first + taken);
	frame_pool.free -= taken;
	frames_taken.frames[frames_taken.count++] =
		first | (uint64_t)(taken - 1) << FRAMES_RUN_SHIFT;
	*count = taken;
}

/* frame_pool_take() for up to `count` frames that follow one another; returns the first. */
static inline pfn_t frame_pool_take_run(enum frame_kind kind, uint32_t *count)
{
	pfn_t first = frame_pool.first, next;

	frame_pool_run_taken(first, kind, count, &next);
	frame_pool_set_first(next);
	return first;
}

/* The same, but they stay free, and it is not an undertaking: they go back, or get another kind.  The queue has more. */
pfn_t frame_pool_unlink_run(uint32_t *count);

/* frame_pool_take_for_zeroes() likewise. */
static inline pfn_t frame_pool_take_run_for_zeroes(enum frame_kind kind, uint32_t *count)
{
	pfn_t first = frame_pool.blanks.first, next;

	if (!frame_pool_has_spare())
		return frame_pool_take_run(kind, count);
	if (*count > frame_pool.blanks.spare)
		*count = (uint32_t)frame_pool.blanks.spare;
	frame_pool_run_taken(first, kind, count, &next);
	frame_pool.blanks.first = next;
	frame_pool.blanks.spare -= *count;
	if (!frame_pool_has_spare())
		stock_look();
	return first;
}

/* The same while the pager starts and has no words for frames yet. */
pfn_t frame_pool_take_first(void);

/* Another kind for a frame that is in use. */
static inline void frame_pool_set_kind(pfn_t pfn, enum frame_kind kind)
{
	frame_pool.info[pfn].kind = (uint8_t)kind;
}

/* A frame that nothing uses any more, typed DATA; blank ones have a queue of their own.  Or that many,
   with consecutive numbers, which were in use just now and so are not blank. */
void frame_pool_put(pfn_t pfn);
void frame_pool_put_run(pfn_t first, uint32_t count);

/* frame_pool_put_run() of one frame: where they are scattered there are many of these. */
static inline void frame_pool_put_used(pfn_t pfn)
{
	if (__builtin_expect(frame_pool.first == 0, 0)) {
		frame_pool_put_run(pfn, 1);
		return;
	}
	frame_pool.info[frame_pool.last].next = pfn;
	frame_pool.info[pfn] = (struct frame_info){ .kind = KIND_FREE };
	frame_pool.last = pfn;
	frame_pool.free++;
}

/* Frames taken from here on belong to one undertaking. */
static inline void frame_pool_begin(void)
{
	frames_taken.count = 0;
}

/* The operations were refused: take back the frames that are not in use after all. */
void frame_pool_undo(void);

/* The queues are what the counts say, free frames are unused and those of the stock blank: 0, or a rule of
   check.h. */
uint32_t frame_pool_check(uint64_t *where);

#endif
