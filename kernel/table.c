/*
 * Page tables: what may stand in an entry, and storing one.
 *
 * Rights grow only through entry_check(): also a change of one bit of a present entry is checked as
 * if the entry were new (a whitelisted exception, taking rights away, is in table_run.c).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"
#include "plain.h"

/* TOP is the highest level; the frame types of the lower ones are consecutive. */
const uint8_t table_level_of_type[FRAME_TYPES] = {
	[FRAME_L1] = 1,
	[FRAME_L2] = 2,
	[FRAME_L3] = 3,
	[FRAME_L4] = 4,
	[FRAME_TOP] = LAYOUT_LEVELS,
};

/* See table.h. */
uint32_t table_level(pfn_t pfn)
{
	if (pfn >= frame_count || frame_table[pfn].type >= FRAME_TYPES)
		return 0;
	return table_level_of_type[frame_table[pfn].type];
}

/* The role of a run of top-level slots; CLOSED also when it reaches over the end of its role. */
enum slots table_top_slots(uint32_t first, uint32_t count)
{
	uint32_t last = first + count - 1;

	if (last <= LAYOUT_USER_LAST_SLOT)
		return SLOTS_USER;
	if (first >= LAYOUT_VMALLOC_FIRST_SLOT && last <= LAYOUT_VMALLOC_LAST_SLOT)
		return SLOTS_VMALLOC;
	if (first == LAYOUT_MESSAGE_SLOT && count == 1)
		return SLOTS_MESSAGE;
	return SLOTS_CLOSED;
}

/* See table.h. */
bool table_top_slot_is_open(uint32_t index)
{
	return table_top_slots(index, 1) != SLOTS_CLOSED;
}

/* A 4 KiB leaf for something else than DATA: ZERO and TRACE read-only, MSG. */
status_t entry_check_special(const struct batch *batch, uint64_t entry, const struct frame *target)
{
	bool read_only = target->type == FRAME_ZERO || target->type == FRAME_TRACE;

	if (target->type == FRAME_NONE)
		return ST_BAD_FRAME;
	if (target->type != FRAME_ZERO && !batch_owns(batch, target))
		return ST_BAD_FRAME;
	if (target->type == FRAME_MSG || (read_only && !(entry & PTE_W)))
		return ST_OK;
	return ST_WRONG_TYPE;
}

/* Device registers: uncached, not executable, outside RAM, not the kernel's own. */
bool entry_is_device(uint64_t entry)
{
	pfn_t pfn = pte_pfn(entry);

	if ((entry & ~(ENTRY_LEAF | PTE_PCD | PTE_PWT)) || (entry & PTE_DEVICE) != PTE_DEVICE)
		return false;
	return pfn < frame_device_limit && pfn != frame_device_kernel &&
	       frame_table[pfn].type == FRAME_NONE;
}

/* A leaf with bits that RAM may not have: a device page that the caller's pool may map, or wrong. */
status_t entry_check_device(const struct batch *batch, uint64_t entry)
{
	if (!entry_is_device(entry))
		return ST_BAD_ARGUMENT;
	return pool_has_device(batch->pool, pte_pfn(entry), 1) ? ST_OK : ST_NO_RIGHT;
}

/* An entry above the leaf tables: a link to a table of the next level, or a 2 MiB leaf. */
status_t entry_check_link(struct batch *batch, uint32_t level, uint64_t entry)
{
	const struct frame *target;

	if (level == LARGE_LEVEL && entry_is_large(entry))
		return block_check(batch, entry);
	if ((entry & ~ENTRY_LINK) || !(entry & PTE_U))
		return ST_BAD_ARGUMENT;
	if (pte_pfn(entry) >= frame_count)
		return ST_BAD_FRAME;
	target = entry_target(entry);
	if (!batch_owns(batch, target))
		return ST_BAD_FRAME;
	return target->type == FRAME_L1 + level - 2 ? ST_OK : ST_WRONG_TYPE;
}

/* Split must look before it copies a table with entries whose targets may not be counted again. */
static inline void table_mark_special(const struct table *table, uint64_t value)
{
	if (unlikely(entry_is_large(value)) || unlikely(entry_target(value)->type == FRAME_MSG))
		table->frame->flags |= FRAME_SPECIAL;
}

/* The checks of a present entry that takes the place of `old`, and its count. */
static inline status_t put_present(
	struct batch *batch, const struct table *table, uint64_t old, uint64_t value)
{
	status_t status;

	if ((old & PTE_P) && entry_is_large(old) != entry_is_large(value))
		return ST_BUSY; /* the page size changes through not-present */
	status = entry_can_count(value);
	if (status == ST_OK && (old & PTE_P))
		status = entry_can_drop(batch, old);
	if (unlikely(status != ST_OK))
		return status;
	table_mark_special(table, value);
	entry_count(value);
	return ST_OK;
}

/* entry = value, which now is `old`: everything that a store over one entry can mean. */
static inline status_t table_put(struct batch *batch, const struct table *table, uint64_t *entry,
	uint64_t old, uint64_t value)
{
	status_t status = ST_OK;

	if (likely(value & PTE_P)) {
		status = entry_check(batch, table->level, value);
		if (unlikely(status != ST_OK))
			return status;
		if ((old & PTE_P) && !((old ^ value) & (PTE_FRAME | PTE_PS))) {
			put_same_target(entry, value);
			return ST_OK;
		}
		status = put_present(batch, table, old, value);
	} else if (old & PTE_P) {
		status = entry_can_drop(batch, old);
	}
	if (unlikely(status != ST_OK))
		return status;
	table->frame->live = (uint16_t)(table->frame->live + (value != 0) - (old != 0));
	old = __atomic_exchange_n(entry, value, __ATOMIC_RELAXED);
	if (old & PTE_P)
		entry_drop(batch, old);
	return ST_OK;
}

/* One entry, if it is as expected: any table, any entry. */
static __attribute__((noinline)) status_t set_checked(struct batch *batch, const struct op *op)
{
	uint32_t index = OP_INDEX(op->head);
	struct table table;
	uint64_t old;
	status_t status = table_open(batch, OP_PFN(op->head), index, 1, &table);

	if (status != ST_OK)
		return status;
	if (!batch_take_work(batch, 1))
		return ST_MORE;
	old = table.entries[index];
	if (entry_difference(old, op->b) != 0)
		return ST_MISMATCH;
	return table_put(batch, &table, &table.entries[index], old, op->a);
}

/* One entry, if it is as expected. */
status_t table_op_set(struct batch *batch, const struct op *op)
{
	if (likely(batch->work_left != 0) && plain_set(batch->pool, op)) {
		batch->work_left--;
		return ST_OK;
	}
	return set_checked(batch, op);
}

/* The entry that a fill puts at place i, 0: none.  A list has two frame numbers to a word. */
static inline uint64_t fill_value(const struct op *op, uint32_t i)
{
	const uint64_t *list = (const uint64_t *)(op + 1);
	uint32_t pfn;

	if (op->a & PTE_FRAME)
		return op->a + ((uint64_t)i << PAGE_SHIFT);
	pfn = (uint32_t)(list[i / 2] >> (32 * (i % 2)));
	return pfn != 0 ? pte_make(pfn, op->a) : 0;
}

/* Clear the page before it is mapped.  Nothing else may see it: no old translation, either. */
static status_t fill_clear(struct batch *batch, uint64_t value)
{
	const struct frame *frame;
	status_t status = entry_check(batch, 1, value);

	if (unlikely(status != ST_OK))
		return status;
	frame = entry_target(value);
	if (!batch_owns(batch, frame))
		return ST_BAD_FRAME;
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (!frame_is_unused(frame))
		return ST_BUSY;
	if (!batch_take_work(batch, OP_WORK_CLEAR - 1)) /* with its entry: OP_WORK_CLEAR */
		return ST_MORE;
	if (unlikely(frame->epoch == flush_epoch))
		flush_everything();
	if (!(frame->flags & FRAME_BLANK)) {
		memory_fill_words(frame_memory(pte_pfn(value)), 0, TABLE_ENTRIES);
		counters.frames_cleared++;
	}
	return ST_OK;
}

static inline status_t fill_entry(
	struct batch *batch, const struct op *op, const struct table *table, uint64_t *entry, uint64_t value)
{
	uint64_t old = *entry;
	status_t status = ST_OK;

	if (value == 0 || entry_difference(old, op->b) != 0)
		return ST_OK;
	if (OP_FLAGS(op->head) & FILL_CLEAR)
		status = fill_clear(batch, value);
	if (unlikely(status != ST_OK))
		return status;
	if (likely(table->level == 1 && plain_put(batch->pool, table->frame, entry, old, value)))
		return ST_OK;
	return table_put(batch, table, entry, old, value);
}

static status_t fill_entries(struct batch *batch, const struct op *op, const struct run *run)
{
	uint32_t count = run_take(batch, run->count);
	uint64_t *entry = &run->table.entries[run->first];

	for (uint32_t i = 0; i < count; i++, entry++) {
		status_t status = fill_entry(batch, op, &run->table, entry, fill_value(op, i));

		batch->done = i;
		if (unlikely(status != ST_OK))
			return status;
	}
	batch->done = count;
	return count == run->count ? ST_OK : ST_MORE;
}

/* A run of frames, or those of a list, where the entries are as expected. */
status_t table_op_fill(struct batch *batch, const struct op *op)
{
	struct run run;
	uint32_t places;
	status_t status = run_open(batch, op, &run);

	if (status != ST_OK)
		return status;
	places = op->a & PTE_FRAME ? 0 : (run.count + 5) / 6;
	if (places > batch->end - (op + 1) || !(op->a & PTE_P))
		return ST_BAD_ARGUMENT;
	if ((OP_FLAGS(op->head) & FILL_CLEAR) && run.table.level != 1)
		return ST_WRONG_TYPE;
	batch->list_used = places;
	return fill_entries(batch, op, &run);
}
