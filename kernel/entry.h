/*
 * Entries of page tables: what may stand in one, and what its coming and going counts.
 *
 * Shared by the table operations (table*.c) only.  Everything that changes an entry goes through
 * these steps, in this order:
 *
 *   table_open          the table is the caller's, of a level; top-level slots are open
 *   entry_check         a new present entry: bits, target, type, authority
 *   entry_can_count     the target's counter has room         (nothing has changed so far)
 *   entry_can_drop      the old entry's end can be reported
 *   entry_count         first reference: after a flush since the last; then + 1
 *   exchange            hardware may set A and D at any time
 *   entry_drop          D becomes the frame's, - 1, and a last reference is stamped and reported
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_ENTRY_H
#define KERNEL_ENTRY_H

#include "batch.h"
#include "flush.h"
#include "frame.h"
#include "pool.h"
#include "table.h"
#include <stddef.h>

/* Frame numbers beyond FRAME_NUMBER_BITS are refused as bits, before they could be cut off. */
#define ENTRY_FRAME ((((1ull << FRAME_NUMBER_BITS) - 1)) << PAGE_SHIFT)
#define ENTRY_LINK  (PTE_P | PTE_W | PTE_U | PTE_A | PTE_SOFT | ENTRY_FRAME) /* to a table */
#define ENTRY_LARGE ((PTE_ALLOWED & ~PTE_FRAME) | ENTRY_FRAME)		     /* 2 MiB leaf */
#define ENTRY_LEAF  (ENTRY_LARGE & ~PTE_PS)				     /* 4 KiB leaf */

#define LARGE_LEVEL 2u /* the level whose entries may be 2 MiB leaves */

/* The table an operation works on. */
struct table {
	uint64_t *entries;
	struct frame *frame;
	uint32_t level;
};

/* What a run of top-level entries is for. */
enum slots { SLOTS_CLOSED, SLOTS_USER, SLOTS_VMALLOC, SLOTS_MESSAGE };
enum slots table_top_slots(uint32_t first, uint32_t count);

extern const uint8_t table_level_of_type[FRAME_TYPES];

/* Is the frame of the batch's pool or one below? */
static inline bool batch_owns(const struct batch *batch, const struct frame *frame)
{
	return likely(frame->pool == batch->pool) || pool_is_within(frame->pool, batch->pool);
}

/* ... or lent to one of these? */
static inline bool batch_may_map(const struct batch *batch, const struct frame *frame)
{
	return batch_owns(batch, frame) ||
	       ((frame->flags & FRAME_LENT) && pool_is_within(frame->live, batch->pool));
}

/* The table `pfn`, whose entries first .. first + count - 1 are to be touched. */
static inline status_t table_open(
	const struct batch *batch, pfn_t pfn, uint32_t first, uint32_t count, struct table *table)
{
	struct frame *frame;

	if (unlikely(pfn >= frame_count))
		return ST_BAD_FRAME;
	frame = &frame_table[pfn];
	if (unlikely(!batch_owns(batch, frame)))
		return ST_BAD_FRAME;
	table->frame = frame;
	table->level = table_level_of_type[frame->type];
	table->entries = frame_memory(pfn);
	if (unlikely(table->level == 0))
		return ST_WRONG_TYPE;
	if (unlikely(frame->type == FRAME_TOP) && table_top_slots(first, count) == SLOTS_CLOSED)
		return ST_NO_RIGHT;
	return ST_OK;
}

/* Is `entry`, present in a table of this level, a 2 MiB leaf?  (Level 1 never holds PTE_PS.) */
static inline bool entry_is_large(uint64_t entry)
{
	return entry & PTE_PS;
}

/* The frame a present entry points to. */
static inline struct frame *entry_target(uint64_t entry)
{
	return &frame_table[pte_pfn(entry)];
}

/* ZERO, and device pages (whose place in the frame table reads as NONE): what no counter is kept of. */
static inline bool frame_is_uncounted(const struct frame *frame)
{
	return frame->type == FRAME_ZERO || frame->type == FRAME_NONE;
}

/*
 * The first word of a frame's entry: references, live, type, flags.  A *sole* page is DATA with one
 * reference that is nothing else besides (lent, in a block): one comparison.
 */
#define FRAME_WORD_REF	 1ull
#define FRAME_WORD_DIRTY ((uint64_t)FRAME_DIRTY << 56)
#define FRAME_WORD_DATA	 ((uint64_t)FRAME_DATA << 48)
#define FRAME_WORD_FREE_BITS ((uint64_t)(FRAME_DIRTY | FRAME_BLANK) << 56) /* may be set */

_Static_assert(offsetof(struct frame, refs) == 0 && offsetof(struct frame, type) == 6 &&
		       offsetof(struct frame, flags) == 7 && FRAME_DIRTY == 1,
	"the first word of struct frame");

static inline uint64_t frame_word(const struct frame *frame)
{
	uint64_t word;

	__builtin_memcpy(&word, frame, sizeof(word));
	return word;
}

static inline bool frame_word_is_sole_page(uint64_t word)
{
	return (word & ~FRAME_WORD_FREE_BITS) == (FRAME_WORD_DATA | FRAME_WORD_REF);
}

/* The upper half of that word alone, and what it is of a page that is DATA and nothing else besides. */
#define FRAME_UPPER_DATA      ((uint32_t)(FRAME_WORD_DATA >> 32))
#define FRAME_UPPER_DIRTY     ((uint32_t)(FRAME_WORD_DIRTY >> 32))
#define FRAME_UPPER_FREE_BITS ((uint32_t)(FRAME_WORD_FREE_BITS >> 32))

static inline uint32_t frame_upper(const struct frame *frame)
{
	uint32_t upper;

	__builtin_memcpy(&upper, &frame->live, sizeof(upper));
	return upper;
}

static inline void frame_set_upper(struct frame *frame, uint32_t upper)
{
	__builtin_memcpy(&frame->live, &upper, sizeof(upper));
}

/* The bits in which `entry` differs from `expected`: A and D of a present entry do not count. */
static inline uint64_t entry_difference(uint64_t entry, uint64_t expected)
{
	uint64_t ignored = entry & PTE_P ? PTE_A | PTE_D : 0;

	return (entry ^ expected) & ~ignored;
}

/* Of 2 MiB leaves; kernel/block.c. */
status_t block_check(struct batch *batch, uint64_t entry);
status_t block_can_count(uint64_t entry);
void block_count(uint64_t entry);
status_t block_can_drop(struct batch *batch, uint64_t entry);
void block_drop(struct batch *batch, uint64_t entry);
void block_page_drop(struct frame *page);
status_t block_split(struct batch *batch, const struct op *op, uint64_t *parent);

/* May a split make a table of this frame? */
static inline status_t split_check_fresh(const struct batch *batch, uint64_t pfn)
{
	const struct frame *fresh = pfn < frame_count ? &frame_table[pfn] : NULL;

	if (!fresh || !batch_owns(batch, fresh))
		return ST_BAD_FRAME;
	if (fresh->type != FRAME_FREE && fresh->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	return frame_is_unused(fresh) ? ST_OK : ST_BUSY;
}

/* The checks that are not those of a plain DATA page; kernel/table.c. */
status_t entry_check_special(const struct batch *batch, uint64_t entry, const struct frame *target);
status_t entry_check_device(const struct batch *batch, uint64_t entry);
bool entry_is_device(uint64_t entry);
status_t entry_check_link(struct batch *batch, uint32_t level, uint64_t entry);

/* May this present entry stand in a table of this level, by this caller's will? */
static inline status_t entry_check(struct batch *batch, uint32_t level, uint64_t entry)
{
	const struct frame *target;

	if (unlikely(level != 1))
		return entry_check_link(batch, level, entry);
	if (unlikely(entry & ~ENTRY_LEAF))
		return entry_check_device(batch, entry);
	if (unlikely(pte_pfn(entry) >= frame_count))
		return ST_BAD_FRAME;
	target = entry_target(entry);
	if (unlikely(target->type != FRAME_DATA))
		return entry_check_special(batch, entry, target);
	return likely(batch_may_map(batch, target)) ? ST_OK : ST_BAD_FRAME;
}

/* May one more present entry like this exist?  A MSG frame is mapped once, by its own window. */
static inline status_t entry_can_count(uint64_t entry)
{
	const struct frame *target = entry_target(entry);

	if (unlikely(entry_is_large(entry)))
		return block_can_count(entry);
	if (unlikely(target->refs >= frame_refs_limit))
		return ST_LIMIT;
	if (unlikely(target->type == FRAME_MSG) && target->refs != 0)
		return ST_LIMIT;
	return ST_OK;
}

/* Count a present entry that joins others to the same target (so no translation can be stale), in a
   table without 2 MiB entries. */
static inline void entry_count_plain(uint64_t entry)
{
	struct frame *target = entry_target(entry);

	if (likely(!frame_is_uncounted(target)))
		target->refs++;
}

/* The same in any table. */
static inline void entry_count_again(uint64_t entry)
{
	if (unlikely(entry_is_large(entry)))
		entry_target(entry)->live++;
	else
		entry_count_plain(entry);
}

/*
 * Can counting a table's present entries once more be refused at all?  Not when all entries that
 * RAM could hold are fewer than the limit, and the table has none of the kinds with limits of
 * their own.
 */
static inline bool table_counts_may_refuse(const struct frame *table)
{
	return (table->flags & FRAME_SPECIAL) ||
	       (uint64_t)frame_count * TABLE_ENTRIES >= frame_refs_limit;
}

/* Undo entry_count_again. */
static inline void entry_uncount(uint64_t entry)
{
	struct frame *target = entry_target(entry);

	if (entry_is_large(entry))
		target->live--;
	else if (!frame_is_uncounted(target))
		target->refs--;
}

/* Count a present entry, perhaps the first to its target. */
static inline void entry_count(uint64_t entry)
{
	struct frame *target = entry_target(entry);

	if (unlikely(entry_is_large(entry))) {
		block_count(entry);
		return;
	}
	if (unlikely(frame_is_uncounted(target)))
		return;
	if (target->refs++ == 0 && unlikely(target->epoch == flush_epoch))
		flush_everything();
}

/* Can the end of a present entry be reported, and paid for? */
static inline status_t entry_can_drop(struct batch *batch, uint64_t entry)
{
	if (unlikely(entry_is_large(entry)))
		return block_can_drop(batch, entry);
	if (entry_target(entry)->refs == 1 && unlikely(!batch_has_room(batch, 1)))
		return ST_MORE;
	return ST_OK;
}

/* The last reference to a frame went.  One of a block stays in use. */
static inline void entry_last_gone(struct batch *batch, struct frame *target)
{
	uint64_t kind = table_level_of_type[target->type] ? RESULT_TABLE : RESULT_FRAME;

	if (unlikely(target->flags & FRAME_BLOCK)) {
		block_page_drop(target);
		return;
	}
	target->epoch = flush_epoch;
	target->flags &= (uint8_t)~FRAME_BLANK;
	batch_result(batch,
		(kind << 60) | ((uint64_t)(target->flags & FRAME_DIRTY) << 32) | frame_pfn(target));
}

/* A present entry is no more, whose target is ZERO or has others. */
static inline void entry_drop_shared(uint64_t entry)
{
	struct frame *target = entry_target(entry);

	if (unlikely(frame_is_uncounted(target)))
		return;
	if (entry & PTE_D)
		target->flags |= FRAME_DIRTY;
	target->refs--;
}

/* A present entry is no more. */
static inline void entry_drop(struct batch *batch, uint64_t entry)
{
	struct frame *target = entry_target(entry);

	if (unlikely(entry_is_large(entry))) {
		block_drop(batch, entry);
		return;
	}
	if (unlikely(frame_is_uncounted(target)))
		return;
	if (entry & PTE_D)
		target->flags |= FRAME_DIRTY;
	if (--target->refs == 0)
		entry_last_gone(batch, target);
}

/* Copying a present entry takes W from it where it stands, too, unless it is SHARED.  Returns
   the copy. */
static inline uint64_t entry_without_write(uint64_t *place, uint64_t entry)
{
	if ((entry & (PTE_W | PTE_SHARED)) != PTE_W)
		return entry;
	__atomic_fetch_and(place, ~PTE_W, __ATOMIC_RELAXED);
	return entry & ~PTE_W;
}

static inline bool entries_are_zero(const uint64_t *eight)
{
	return !(eight[0] | eight[1] | eight[2] | eight[3] | eight[4] | eight[5] | eight[6] |
		 eight[7]);
}

/* The first entry from `from` on that is not 0, or `end`; runs of zeros are taken eight at a
   time. */
static inline uint32_t entries_skip_zero(const uint64_t *entries, uint32_t from, uint32_t end)
{
	while (from < end && entries[from] == 0) {
		if (from % 8 != 0 || end - from < 8 || !entries_are_zero(&entries[from])) {
			from++;
			continue;
		}
		do
			from += 8;
		while (end - from >= 8 && entries_are_zero(&entries[from]));
	}
	return from;
}

/*
 * Copy eight entries of a plain table (table_counts_may_refuse: no): count their targets, take W
 * where it must go.  The target's eight words are 0 before.  Returns how many are not 0.
 */
static inline uint32_t entries_share(uint64_t *source, uint64_t *target)
{
	uint32_t used = 8;

	_Static_assert(sizeof(struct frame) << 8 == PAGE_SIZE,
		"a shift by 8 makes bytes of the frame table");
	if (source[0] == 0 && entries_are_zero(source))
		return 0;
#pragma GCC unroll 8
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t entry = source[i];

		if (likely(entry & PTE_P)) {
			struct frame *frame = (struct frame *)(void *)((uint8_t *)frame_table +
								       ((entry & PTE_FRAME) >> 8));

			if (likely(frame->type == FRAME_DATA) || !frame_is_uncounted(frame))
				frame->refs++;
			if (unlikely(entry & PTE_W)) /* not after a fork before */
				entry = entry_without_write(&source[i], entry);
		} else if (entry == 0) {
			used--;
			continue;
		}
		target[i] = entry;
	}
	return used;
}

/* A run of entries of one table: checks of the operation's head. */
struct run {
	struct table table;
	uint32_t first, count;
};

/* Takes the table and as much of the run as the work limit allows; `wanted` = all of it. */
static inline status_t run_open(struct batch *batch, const struct op *op, struct run *run)
{
	run->first = OP_INDEX(op->head);
	run->count = OP_ENTRIES(op->head);
	if (run->count == 0 || run->first + run->count > TABLE_ENTRIES)
		return ST_BAD_ARGUMENT;
	return table_open(batch, OP_PFN(op->head), run->first, run->count, &run->table);
}

/* As many of `wanted` entries as may still be touched. */
static inline uint32_t run_take(struct batch *batch, uint32_t wanted)
{
	uint32_t taken = wanted < batch->work_left ? wanted : batch->work_left;

	batch->work_left -= taken;
	return taken;
}

#endif
