/*
 * The frame table: types, references, holds, flush epochs.
 *
 * The one safety mechanism of the kernel.  Rules (checked by frame_check_all, part of kernel_ok):
 *   - a frame has one type; refs = present entries that point to it; ZERO is not counted
 *   - a type changes only with refs, holds and live 0, after a flush since the last reference
 *   - a frame is cleared when it goes into or comes out of a kernel-interpreted type
 *   - counters refuse at their limit, they never wrap
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include <faultline/frame.h>
#include <faultline/status.h>
#include <machine/memory.h>
#include <stdbool.h>

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#define FRAME_REFS_MAX	UINT32_MAX /* frame_refs_limit, unless a test lowers it */
#define FRAME_HOLDS_MAX UINT16_MAX
#define BLOCK_FRAMES	512u /* of a 2 MiB entry */

extern uint32_t frame_count;	  /* entries of the table */
extern pfn_t frame_zero;	  /* the ZERO frame */
extern uint32_t frame_device_limit; /* device pages lie below: their entries of the table read as NONE */
extern pfn_t frame_device_kernel;   /* the device page that the kernel itself uses: nobody else's */
extern uint32_t frame_refs_limit; /* counters refuse at this value; lowered by a test hook */

/* The entry of a frame, or NULL when it is no RAM. */
static inline struct frame *frame_get(pfn_t pfn)
{
	return pfn < frame_count && frame_table[pfn].type != FRAME_NONE ? &frame_table[pfn] : 0;
}

static inline pfn_t frame_pfn(const struct frame *frame)
{
	return (pfn_t)(frame - frame_table);
}

/* The first frame of the 2 MiB block that a frame lies in. */
static inline struct frame *frame_block_head(struct frame *frame)
{
	return &frame_table[frame_pfn(frame) & ~(BLOCK_FRAMES - 1)];
}

/* The value at which a 16-bit counter refuses. */
static inline uint32_t frame_short_limit(void)
{
	return frame_refs_limit < FRAME_HOLDS_MAX ? frame_refs_limit : FRAME_HOLDS_MAX;
}

/* Types whose contents the kernel (or the MMU) interprets. */
bool frame_type_is_table(frame_type_t type);
bool frame_type_is_interpreted(frame_type_t type); /* tables, TOP, SPACE, THREAD, PORT */

/* Does the change of type write the whole frame?  (Empty tables are zero already.) */
bool frame_type_change_clears(frame_type_t from, frame_type_t to);

/* Nothing uses the frame: no reference, hold, live entry, lending or block. */
bool frame_is_unused(const struct frame *frame);

/* Nothing uses the frame, and it may be given another use: flushes everything itself when the last
   reference went in the current epoch.  False: in use, or no RAM. */
bool frame_make_quiet(pfn_t pfn);

/* Change the type of an unused frame (also of objects, by the kernel itself), clearing as the
   rules ask. BUSY when in use. */
status_t frame_retype(pfn_t pfn, frame_type_t type) MUST_CHECK;

/* Count a hold; LIMIT at the limit.  frame_release panics when there is none. */
status_t frame_hold(pfn_t pfn) MUST_CHECK;
void frame_release(pfn_t pfn);

/* Rules that frame_check_all finds violated; docs/frames.md explains each. */
enum {
	FRAME_RULE_TYPE = 1, /* a type that exists; a live pool, or none for the kernel's own */
	FRAME_RULE_UNUSED,   /* types that nothing may refer to have no reference or live entry */
	FRAME_RULE_FLAGS,    /* flags fit the type */
	FRAME_RULE_LENT,     /* a lent frame is DATA, held, and its borrower lives */
	FRAME_RULE_BLOCK,    /* the 512 frames of a block are DATA of one pool, the head counted */
	FRAME_RULE_REFS,     /* refs = present entries that point to the frame */
	FRAME_RULE_LIVE,     /* live = entries that are not 0; of a head: 2 MiB entries */
	FRAME_RULE_ENTRY_BITS,	 /* an entry holds bits of the whitelist for its level only */
	FRAME_RULE_ENTRY_TARGET, /* an entry points to RAM of a type that its level may name */
	FRAME_RULE_ENTRY_WRITE	 /* a writable entry points to DATA, MSG or a table */
};

/* Walks all frames and tables.  Returns 0 or the number of the rule violated, with *where =
   frame (for an entry: its table).  Changes nothing, but must not be interrupted: it counts in
   the frame table itself.  Host and kernel. */
uint32_t frame_check_all(pfn_t *where);

#endif
