/*
 * The faults that come most often, cured in few instructions.
 *
 * All of these are in private memory, in the region of the space's fault before, below tables that
 * all have W and so are the space's own: the first touch of an anonymous page, the write of a page
 * that is there but lacks W.  The answer is one operation, or two, in the words of the message.
 * (In a large page, below tables with W and with W itself, the kernel finds the access allowed.)
 * For everything else fault_quick() changes nothing; fault_window() or fault_resolve() decides.
 *
 * The steps at the leaf are those of fault.c, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_FAULT_QUICK_H
#define PAGER_FAULT_QUICK_H

#include "fault.h"
#include "stat.h"
#include "window.h"
#include <call.h>

/* What the cure at hand recorded. */
struct fault_cure {
	struct space *space;
	uint64_t resident;
	pfn_t filled;  /* the leaf table that a window goes into, 0: none ... */
	uint16_t live; /* ... and the entries it had */
	uint8_t is_message;
	uint8_t is_guess; /* MISMATCH is no surprise: the window was not looked at before */
	uint32_t access;  /* then: what and where the fault was */
	uint64_t address;
	pfn_t block; /* `resident` is that of a large page: its frames (large.h) */
};
extern struct fault_cure cure;

/* Without frames, or with one that frame_pool_take_only() takes. */
static inline void cure_begin_plain(struct space *space)
{
	cure.space = space;
	cure.resident = 0;
	cure.filled = 0;
	cure.live = 0;
	cure.is_message = 0;
	cure.is_guess = 0;
}

static inline void cure_begin(struct space *space)
{
	frame_pool_begin();
	cure_begin_plain(space);
}

static inline void add_resident(struct space *space, uint64_t pages)
{
	space->resident += pages;
	cure.resident += pages;
}

/* Where the page stands, or is to stand. */
struct leaf {
	pfn_t table;
	uint32_t index;
	uint64_t entry; /* what is there now */
	bool is_split;	/* the page has one sharer more than its frame's entry says */
	bool is_broken_up; /* and one reference: it was a part of a large page, with none */
};

static inline struct op set_leaf(const struct leaf *leaf, uint64_t entry)
{
	return (struct op){ op_head(OP_SET, 0, leaf->table, leaf->index, 1), entry, leaf->entry };
}

/* The following put a frame there: they write one or two operations and return how many; `bits` are
   region_leaf_bits(). */

static inline uint32_t put_cleared(struct space *space, const struct leaf *leaf, uint64_t bits,
	pfn_t frame, struct op *ops)
{
	ops[0] = (struct op){ op_head(OP_ZERO, 0, frame, 0, 1), 0, 0 };
	ops[1] = set_leaf(leaf, pte_make(frame, bits | PTE_W));
	space->counters.faults_zero++;
	return 2;
}

/* The same with a blank one. */
static inline uint32_t put_blank(struct space *space, const struct leaf *leaf, uint64_t bits,
	pfn_t frame, struct op *ops)
{
	ops[0] = set_leaf(leaf, pte_make(frame, bits | PTE_W));
	space->counters.faults_zero++;
	return 1;
}

static inline uint32_t put_copy(struct space *space, const struct leaf *leaf, uint64_t bits,
	pfn_t source, pfn_t frame, struct op *ops)
{
	ops[0] = (struct op){ op_head(OP_COPY_FRAME, 0, source, 0, 0), frame, 0 };
	ops[1] = set_leaf(leaf, pte_make(frame, bits | PTE_W));
	space->counters.faults_copy++;
	return 2;
}

static inline bool is_sole_owner(const struct leaf *leaf, pfn_t pfn)
{
	const struct frame *frame = mmu_frame(pfn);

	return frame->refs + leaf->is_broken_up == 1 && !leaf->is_split && frame->holds == 0 &&
	       frame_kind(pfn) == KIND_ANONYMOUS;
}

_Static_assert((int)CLASS_PROGRAM == (int)FRAMES_PROGRAM && (int)CLASS_SERVER == (int)FRAMES_SERVER,
	"the class of a space is that of its frames");

#define OPS_IN_REGISTERS 2u

/* The space at rest, the region that of its fault before, and the tables its own? */
static inline bool is_at_rest(const struct space *space, const struct message *message)
{
	const uint64_t own = PTE_P | PTE_W | PTE_U;

	return message->w[0] - space->last.start < space->last_bytes &&
	       (message->w[3] & message->w[4] & message->w[5] & own) == own &&
	       space->job.kind == JOB_NONE && space->state == SPACE_LIVE;
}

/* ... and the region one for this kind of access? */
static inline bool is_quick(const struct space *space, const struct message *message)
{
	return is_at_rest(space, message) && space->last_quick >> (message->w[1] & 31) & 1;
}

static inline void reply_with_one(struct message *message, const struct op *op)
{
	message->tag = 1ull << TAG_OPS_SHIFT;
	message->w[0] = op->head;
	message->w[1] = op->a;
	message->w[2] = op->b;
}

static inline void reply_with_two(struct message *message, const struct op *ops)
{
	reply_with_one(message, &ops[0]);
	message->tag = 2ull << TAG_OPS_SHIFT;
	message->w[3] = ops[1].head;
	message->w[4] = ops[1].a;
	message->w[5] = ops[1].b;
}

/* A write of a page that is there and lacks W.  (In a private region no leaf is SHARED.) */
static inline bool quick_present(
	struct space *space, struct message *message, const struct leaf *leaf)
{
	pfn_t frame = pte_pfn(leaf->entry), fresh;
	uint64_t bits = space->last_bits;
	struct op ops[2];

	if (leaf->entry & PTE_W)
		return false;
	if (is_sole_owner(leaf, frame)) {
		cure_begin(space);
		ops[0] = set_leaf(leaf, (leaf->entry & ~PTE_NX) | bits | PTE_W);
		space->counters.faults_reuse++;
		reply_with_one(message, ops);
		return true;
	}
	if (!frame_pool_has_one((enum frame_class)space->class))
		return false;
	cure_begin_plain(space);
	fresh = frame_pool_take_only(KIND_ANONYMOUS);
	if (frame == mmu_zero_frame)
		put_cleared(space, leaf, bits, fresh, ops);
	else
		put_copy(space, leaf, bits, frame, fresh, ops);
	reply_with_two(message, ops);
	return true;
}

/* The first touch of a page. */
static inline bool quick_absent(
	struct space *space, struct message *message, const struct leaf *leaf)
{
	struct op ops[2];

	if (leaf->entry != 0)
		return false;
	if (message->w[1] & FAULT_WRITE) {
		if (__builtin_expect(!stream_begins(&space->stream, leaf->table, leaf->index), 0) ||
			!frame_pool_has_one((enum frame_class)space->class))
			return false;
		if (__builtin_expect(frame_pool_has_spare(), 0)) {
			if (frame_pool_is_last_spare())
				return false;
			cure_begin_plain(space);
			add_resident(space, 1);
			put_blank(space, leaf, space->last_bits, frame_pool_take_only_spare(KIND_ANONYMOUS),
				ops);
			reply_with_one(message, ops);
			return true;
		}
		cure_begin_plain(space);
		add_resident(space, 1);
		put_cleared(space, leaf, space->last_bits, frame_pool_take_only(KIND_ANONYMOUS), ops);
		reply_with_two(message, ops);
	} else {
		cure_begin(space);
		add_resident(space, 1);
		ops[0] = set_leaf(leaf, pte_make(mmu_zero_frame, space->last_bits));
		pager_counters.faults_zero_read++;
		reply_with_one(message, ops);
	}
	return true;
}

/* The same for one that the region forbids, of a page that is there: that of a program which took its rights and
   has a handler.  (Below tables that a fork has left without W it is mostly something else.) */
static inline __attribute__((always_inline)) bool fault_refuse_quick(struct message *message)
{
	uint64_t region_start;

	if (message->tag != (LABEL_FAULT | TAG_KERNEL) || !(message->w[1] & FAULT_PRESENT) ||
		!(message->w[3] & message->w[4] & PTE_W))
		return false;
	region_start = fault_forbidden(message->badge, message->w[0], (uint32_t)message->w[1]);
	if (region_start == 0)
		return false;
	message->tag = tag_make(FAULT_REFUSE, 0);
	message->w[0] = REASON_PROTECTION;
	message->w[1] = region_start;
	return true;
}

/* Turn a message into its reply, if it is a quick fault.  False: it has not changed. */
static inline __attribute__((always_inline)) bool fault_quick(struct message *message)
{
	struct space *space;
	struct leaf leaf;

	if (__builtin_expect(message->tag != (LABEL_FAULT | TAG_KERNEL), 0))
		return false;
	space = space_of_fault(message->badge);
	if (__builtin_expect(!space || !is_quick(space, message), 0))
		return false;
	leaf = (struct leaf){
		.table = pte_pfn(message->w[5]),
		.index = level_index(message->w[0], 1),
		.entry = message->w[6],
	};
	if (__builtin_expect(message->w[1] & FAULT_PRESENT ? !quick_present(space, message, &leaf) :
							     !quick_absent(space, message, &leaf),
		    0))
		return false;
	space->counters.faults++;
	return true;
}

#endif
