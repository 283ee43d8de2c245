/*
 * The operations of an ordinary cure in their ordinary form: a leaf entry set, a page cleared or
 * copied before.
 *
 * Each asks by comparisons alone whether every rule of the operation is met in the plainest way: the
 * frames are DATA of the caller's own pool, counters are far from their limits, nothing ends that
 * must be reported, nothing needs a flush.  If not, it has changed nothing and returns false, and the
 * operation of table.c or frame_op.c decides.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_PLAIN_H
#define KERNEL_PLAIN_H

#include "entry.h"
#include "percpu.h"

/* D that an exchange removed from an entry whose target stays is kept by the frame. */
static inline void put_same_target(uint64_t *entry, uint64_t value)
{
	uint64_t old = __atomic_exchange_n(entry, value, __ATOMIC_RELAXED);

	if ((old & ~value & PTE_D) && !frame_is_uncounted(entry_target(value)))
		entry_target(value)->flags |= FRAME_DIRTY;
}

/* May a page of DATA of the caller's own pool be counted once more, without a flush? */
static inline bool plain_page(uint16_t pool, const struct frame *target)
{
	return target->type == FRAME_DATA && target->pool == pool &&
	       target->refs < frame_refs_limit &&
	       (target->refs != 0 || target->epoch != flush_epoch);
}

/* Over a present entry: the same page, or one that others map as well (the copy of
   copy-on-write), or ZERO. */
static inline bool plain_put_over(
	uint64_t *entry, uint64_t old, uint64_t value, struct frame *target)
{
	const struct frame *before = entry_target(old);

	if (before == target) {
		put_same_target(entry, value);
		return true;
	}
	if (before->refs == 1)
		return false;
	target->refs++;
	entry_drop_shared(__atomic_exchange_n(entry, value, __ATOMIC_RELAXED));
	return true;
}

/* The store that most faults end in, into a leaf table: a page, or ZERO where nothing is. */
static inline __attribute__((always_inline)) bool plain_put(
	uint16_t pool, struct frame *table, uint64_t *entry, uint64_t old, uint64_t value)
{
	struct frame *target;

	if ((value & (~ENTRY_LEAF | PTE_P)) != PTE_P || pte_pfn(value) >= frame_count)
		return false;
	target = entry_target(value);
	if (likely(plain_page(pool, target))) {
		if (unlikely(old & PTE_P))
			return plain_put_over(entry, old, value, target);
		target->refs++;
	} else if (target->type != FRAME_ZERO || ((old & PTE_P) | (value & PTE_W))) {
		return false;
	}
	if (old == 0)
		table->live++;
	*entry = value; /* absent so far: hardware does not touch it */
	return true;
}

/* OP_SET in a leaf table. */
static inline __attribute__((always_inline)) bool plain_set(uint16_t pool, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	struct frame *table;
	uint64_t *entry, old;

	if (unlikely(pfn >= frame_count))
		return false;
	table = &frame_table[pfn];
	if (unlikely(table->type != FRAME_L1 || table->pool != pool))
		return false;
	entry = (uint64_t *)frame_memory(pfn) + OP_INDEX(op->head);
	old = *entry; /* not before: what is no table may be no memory */
	return likely(old == op->b) && plain_put(pool, table, entry, old, op->a);
}

/* DATA of the pool? */
static inline bool plain_data(uint16_t pool, uint64_t pfn)
{
	return pfn < frame_count && frame_table[pfn].type == FRAME_DATA &&
	       frame_table[pfn].pool == pool;
}

/* OP_ZERO of one frame. */
static inline bool plain_zero(uint16_t pool, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);

	if (unlikely((op->a | op->b) != 0 || OP_ENTRIES(op->head) != 1 || !plain_data(pool, pfn)))
		return false;
	memory_fill_words(frame_memory(pfn), 0, TABLE_ENTRIES);
	counters.frames_cleared++;
	return true;
}

/* OP_COPY_FRAME of all bytes. */
static inline bool plain_copy(uint16_t pool, const struct op *op)
{
	pfn_t source = OP_PFN(op->head);

	if (unlikely(op->b != 0 || !plain_data(pool, source) || !plain_data(pool, op->a)))
		return false;
	frame_table[op->a].flags &= (uint8_t)~FRAME_BLANK;
	memory_copy_words(frame_memory((pfn_t)op->a), frame_memory(source), TABLE_ENTRIES);
	counters.frames_copied++;
	return true;
}

#endif
