/*
 * Operations on a run of entries of one table: clear, protect, read, harvest.
 *
 * A run stops at the first entry that refuses; the entries before it are done.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"

static inline status_t clear_entry(struct batch *batch, const struct table *table, uint64_t *entry)
{
	status_t status = ST_OK;
	uint64_t old = *entry;

	if (old & PTE_P)
		status = entry_can_drop(batch, old);
	else if (!batch_has_room(batch, 2))
		status = ST_MORE;
	if (unlikely(status != ST_OK))
		return status;
	old = __atomic_exchange_n(entry, 0, __ATOMIC_RELAXED);
	table->frame->live--;
	if (old & PTE_P) {
		entry_drop(batch, old);
	} else {
		batch_result(batch, (uint64_t)RESULT_WORD << 60);
		batch_result(batch, old);
	}
	return ST_OK;
}

/* The last reference to a page goes with the entry that was `old`; `word` is the first of the frame's
   entry.  Returns its result. */
static inline uint64_t page_drop(struct frame *page, uint64_t word, pfn_t pfn, uint64_t old)
{
	word = FRAME_WORD_DATA | ((word | old / PTE_D * FRAME_WORD_DIRTY) & FRAME_WORD_DIRTY);
	__builtin_memcpy(page, &word, sizeof(word));
	page->epoch = flush_epoch;
	return ((uint64_t)RESULT_FRAME << 60 | pfn) + word / FRAME_WORD_DIRTY * RESULT_DIRTY;
}

/*
 * The entries of a leaf table from `i` on, as long as they are what most are: absent, or a page of
 * DATA that has no other use.  Frames with consecutive numbers share a result.  Returns where it
 * stopped: at something else, or for lack of room.
 */
static __attribute__((noinline)) uint32_t clear_pages(
	struct batch *batch, const struct table *table, uint32_t i, uint32_t end)
{
	uint64_t *last = batch->results + batch->result_count - 1, next = 0;
	uint64_t *entry = table->entries + i, *const behind = table->entries + end;
	uint32_t room = batch->result_max - batch->result_count, cleared = 0;
	const uint32_t live = table->frame->live;

	for (; entry != behind; entry++) {
		uint64_t old = *entry, word, result;
		pfn_t pfn = pte_pfn(old);

		if (old == 0) {
			i = (uint32_t)(entry - table->entries);
			i = cleared == live ? end : entries_skip_zero(table->entries, i, end);
			entry = table->entries + i;
			if (i == end)
				break;
			old = *entry;
			pfn = pte_pfn(old);
		}
		if (!(old & PTE_P) || room == 0)
			break;
		word = frame_word(&frame_table[pfn]);
		if (!frame_word_is_sole_page(word))
			break;
		old = __atomic_exchange_n(entry, 0, __ATOMIC_RELAXED);
		cleared++;
		result = page_drop(&frame_table[pfn], word, pfn, old);
		if (likely(result == next)) {
			*last += RESULT_MORE;
		} else {
			*++last = result;
			room--;
		}
		next = result + 1;
	}
	batch->result_count = batch->result_max - room;
	table->frame->live = (uint16_t)(table->frame->live - cleared);
	return (uint32_t)(entry - table->entries);
}

/* A run becomes 0; what goes for good is reported. */
status_t table_op_clear(struct batch *batch, const struct op *op)
{
	struct run run;
	uint32_t end, i;
	status_t status = run_open(batch, op, &run);

	if (status != ST_OK)
		return status;
	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	end = run.first + run_take(batch, run.count);
	for (i = run.first; run.table.frame->live != 0; i++) {
		if ((OP_FLAGS(op->head) & OP_CLEAR_RUNS) && run.table.level == 1)
			i = clear_pages(batch, &run.table, i, end);
		i = entries_skip_zero(run.table.entries, i, end);
		if (i == end)
			break;
		status = clear_entry(batch, &run.table, &run.table.entries[i]);
		if (unlikely(status != ST_OK)) {
			batch->done = i - run.first;
			return status;
		}
	}
	batch->done = end - run.first;
	return batch->done == run.count ? ST_OK : ST_MORE;
}

/* A change of rights: `remove`, then `add`. */
struct rights {
	uint64_t remove, add;
};

#define RIGHTS (PTE_W | PTE_U | PTE_NX)

/* Taking rights away from a leaf cannot make it wrong; of a link, only W may go. */
static bool rights_only_shrink(const struct rights *rights, bool leaf)
{
	return leaf ? !(rights->remove & PTE_NX & ~rights->add) && !(rights->add & (PTE_W | PTE_U))
		    : rights->remove == PTE_W && rights->add == 0;
}

/* Rights that only shrink: two steps, each of which takes some. */
static uint32_t protect_shrink(
	uint64_t *entries, uint32_t first, uint32_t end, const struct rights *rights)
{
	uint64_t remove = rights->remove & ~rights->add, add = rights->add;

#pragma GCC unroll 8
	for (uint32_t i = first; i < end; i++) {
		if (entries[i] & PTE_P)
			__atomic_fetch_and(&entries[i], ~remove, __ATOMIC_RELAXED);
	}
	for (uint32_t i = first; add != 0 && i < end; i++) {
		if (entries[i] & PTE_P)
			__atomic_fetch_or(&entries[i], add, __ATOMIC_RELAXED);
	}
	return end;
}

/* W for pages that have no other use: all that entry_check() asks of a page of DATA holds. */
static __attribute__((noinline)) void protect_sole(
	const struct batch *batch, uint64_t *entries, uint32_t first, uint32_t end)
{
	uint16_t pool = batch->pool;

	for (uint32_t i = first; i < end; i++) {
		uint64_t entry = entries[i];
		const struct frame *page;

		if ((entry & (PTE_P | PTE_W | PTE_U)) != (PTE_P | PTE_U))
			continue;
		page = entry_target(entry);
		if (frame_word_is_sole_page(frame_word(page)) && page->holds == 0 &&
			page->pool == pool)
			__atomic_fetch_or(&entries[i], PTE_W, __ATOMIC_RELAXED);
	}
}

/* Other changes are checked as new entries.  Returns how far it came. */
static uint32_t protect_checked(struct batch *batch, const struct run *run, uint32_t end,
	const struct rights *rights, status_t *status)
{
	for (uint32_t i = run->first; i < end; i++) {
		uint64_t *entry = &run->table.entries[i], old = *entry, value;

		if (!(old & PTE_P))
			continue;
		do {
			value = (old & ~rights->remove) | rights->add;
			*status = entry_check(batch, run->table.level, value);
			if (*status != ST_OK)
				return i;
		} while (!__atomic_compare_exchange_n(
			entry, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	}
	return end;
}

/* Change the rights of present entries. */
status_t table_op_protect(struct batch *batch, const struct op *op)
{
	struct rights rights = { op->a, op->b };
	bool only_sole = OP_FLAGS(op->head) & OP_PROTECT_SOLE;
	struct run run;
	uint32_t end;
	status_t status = run_open(batch, op, &run);

	if (status != ST_OK)
		return status;
	if ((op->a | op->b) & ~RIGHTS)
		return ST_BAD_ARGUMENT;
	if (only_sole && (run.table.level != 1 || op->a != 0 || op->b != PTE_W))
		return ST_BAD_ARGUMENT;
	end = run.first + run_take(batch, run.count);
	if (only_sole)
		protect_sole(batch, run.table.entries, run.first, end);
	else if (rights_only_shrink(&rights, run.table.level == 1))
		end = protect_shrink(run.table.entries, run.first, end, &rights);
	else
		end = protect_checked(batch, &run, end, &rights, &status);
	batch->done = end - run.first;
	if (status != ST_OK)
		return status;
	return batch->done == run.count ? ST_OK : ST_MORE;
}

/* The raw entries, as many as there is room for. */
status_t table_op_read(struct batch *batch, const struct op *op)
{
	struct run run;
	uint32_t room = batch->result_max - batch->result_count;
	uint32_t count;
	status_t status = run_open(batch, op, &run);

	if (status != ST_OK)
		return status;
	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	count = run_take(batch, run.count < room ? run.count : room);
	for (uint32_t i = 0; i < count; i++)
		batch_result(batch, run.table.entries[run.first + i]);
	batch->done = count;
	return count == run.count ? ST_OK : ST_MORE;
}

/* Report and clear A and D of present entries. */
status_t table_op_harvest(struct batch *batch, const struct op *op)
{
	struct run run;
	uint32_t end, i;
	status_t status = run_open(batch, op, &run);

	if (status != ST_OK)
		return status;
	if (op->a | op->b)
		return ST_BAD_ARGUMENT;
	end = run.first + run_take(batch, run.count);
	for (i = run.first; i < end; i++) {
		uint64_t *entry = &run.table.entries[i];

		if (!(*entry & PTE_P) || !(*entry & (PTE_A | PTE_D)))
			continue;
		if (!batch_has_room(batch, 1))
			break;
		batch_result(batch,
			((uint64_t)i << OP_INDEX_SHIFT) |
				(__atomic_fetch_and(entry, ~(PTE_A | PTE_D), __ATOMIC_RELAXED) &
					(PTE_A | PTE_D)));
	}
	batch->done = i - run.first;
	return batch->done == run.count ? ST_OK : ST_MORE;
}
