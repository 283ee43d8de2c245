/*
 * Messages: the short path of a reply that is one operation for several pages.
 *
 *   OP_FILL with FILL_CLEAR, of a run of frames   the window of memory that is written in order
 *   OP_COPY of leaf entries                       the window of a file
 *   OP_PROTECT, perhaps with FLUSH_SPACE          other rights that a program asked for
 *
 * A part of ipc_fast.c, under its rule.  It stands apart because fast.asm calls it as well, and other registers
 * must outlive it than those of ipc_fast.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "flush.h"
#include "ipc.h"
#include "object.h"
#include "percpu.h"
#include "plain.h"
#include "switch.h"
#include "table.h"

/* As many pages as one cure brings, at most: the work of a call. */
#define PLAIN_FILL_MAX (OP_WORK_MAX / OP_WORK_CLEAR)

/* The first and second half of a frame's entry. */
static inline uint64_t frame_half(const struct frame *frame, uint32_t half)
{
	uint64_t word;

	__builtin_memcpy(&word, (const uint8_t *)frame + half * sizeof(word), sizeof(word));
	return word;
}

/* How many entries are empty, and their frames DATA of the caller's own pool that nothing uses, and
   quiet.  Whole halves are compared: there are many of these. */
static inline uint32_t plain_stretch(
	uint16_t pool, const uint64_t *entry, const struct frame *frame, uint32_t count)
{
	const struct frame wanted = { .type = FRAME_DATA, .pool = pool };
	const struct frame any = { .flags = FRAME_DIRTY | FRAME_BLANK };
	const uint64_t first = frame_half(&wanted, 0), kept = ~frame_half(&any, 0);
	const uint32_t second = (uint32_t)frame_half(&wanted, 1), epoch = flush_epoch;

#pragma GCC unroll 4
	for (uint32_t i = 0; i < count; i++)
		if ((((frame_half(&frame[i], 0) & kept) ^ first) | entry[i]) != 0 ||
			(uint32_t)frame_half(&frame[i], 1) != second || frame[i].epoch == epoch)
			return i;
	return count;
}

/* Clear those that are not blank. */
static void plain_clear_some(pfn_t first, uint32_t count)
{
	for (pfn_t pfn = first; pfn < first + count; pfn++) {
		if (frame_table[pfn].flags & FRAME_BLANK)
			continue;
		memory_fill_words(frame_memory(pfn), 0, TABLE_ENTRIES);
		counters.frames_cleared++;
	}
}

/* Clear these pages: in one go, blank ones as well, if the first one must be. */
static inline void plain_clear_stretch(pfn_t first, uint32_t count)
{
	if (unlikely(frame_table[first].flags & FRAME_BLANK)) {
		plain_clear_some(first, count);
		return;
	}
	memory_fill_words(frame_memory(first), 0, (uint64_t)count * TABLE_ENTRIES);
	counters.frames_cleared += count;
}

/* Clear these pages and map them. */
static inline void plain_fill_stretch(
	uint64_t *entry, uint64_t value, struct frame *frame, uint32_t count)
{
	plain_clear_stretch(pte_pfn(value), count);
#pragma GCC unroll 8
	for (uint32_t i = 0; i < count; i++) {
		frame[i].refs = 1;
		entry[i] = value;
		value += PAGE_SIZE;
	}
}

/*
 * OP_FILL of a leaf table, with FILL_CLEAR, by a run of frames, where nothing is.  When it says no,
 * entries before have been filled; to those the operation will do nothing more.
 */
static bool plain_fill(uint16_t pool, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head), first = pte_pfn(op->a);
	uint32_t index = OP_INDEX(op->head), count = OP_ENTRIES(op->head), i = 0;
	struct frame *table, *frame;
	uint64_t *entry;

	if (unlikely(pfn >= frame_count || count - 1 >= PLAIN_FILL_MAX || index + count > TABLE_ENTRIES ||
		     op->b != 0 || (op->a & (~ENTRY_LEAF | PTE_P)) != PTE_P || first == 0 ||
		     first + count > frame_count))
		return false;
	table = &frame_table[pfn];
	if (unlikely(table->type != FRAME_L1 || table->pool != pool))
		return false;
	entry = (uint64_t *)frame_memory(pfn) + index;
	frame = &frame_table[first];
	while (i < count) {
		uint32_t stretch = plain_stretch(pool, &entry[i], &frame[i], count - i);

		if (unlikely(stretch == 0) && entry[i] == 0)
			return false;
		plain_fill_stretch(&entry[i], op->a + (uint64_t)i * PAGE_SIZE, &frame[i], stretch);
		table->live = (uint16_t)(table->live + stretch);
		i += stretch != 0 ? stretch : 1;
	}
	return true;
}

/* OP_COPY from a leaf table in which no counter can refuse: what it refuses comes before its first
   change. */
static bool plain_share(uint16_t pool, const struct op *op)
{
	struct batch batch = { .pool = pool, .work_left = OP_WORK_MAX };
	pfn_t pfn = OP_PFN(op->head);

	if (unlikely(pfn >= frame_count || frame_table[pfn].type != FRAME_L1 ||
		     table_counts_may_refuse(&frame_table[pfn])))
		return false;
	return table_op_copy(&batch, op) == ST_OK;
}

/* See ipc.h.  What is done twice is the same as what is done once. */
bool ipc_fast_change(uint16_t pool, const struct op *op, struct space *scope)
{
	struct batch batch = { .pool = pool, .work_left = OP_WORK_MAX };
	uint32_t hint = OP_FLAGS(op->head) & ~OP_PROTECT_SOLE;

	if (unlikely(pool == 0 || OP_CODE(op->head) != OP_PROTECT || hint > FLUSH_SPACE ||
		     op->head & OP_HEAD_RESERVED || table_op_protect(&batch, op) != ST_OK))
		return false;
	if (hint == FLUSH_SPACE)
		flush_space(scope);
	counters.operations++;
	return scope->cr3_generation == pcid_generation; /* may be loaded as it is */
}

/* See ipc.h. */
bool ipc_fast_window(uint16_t pool, const struct op *op)
{
	uint64_t form = op->head & (0xffu | OP_HEAD_RARE);

	if (form == (OP_FILL | FILL_CLEAR << 8))
		return plain_fill(pool, op);
	return form == OP_COPY && plain_share(pool, op);
}
