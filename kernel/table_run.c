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

/* Reports of frames with consecutive numbers that go from one table: one result for each run. */
struct run_report {
	uint64_t *result;   /* of the run at hand */
	struct frame *next; /* where it would go on */
	uint32_t upper;	    /* what its frames are, FRAME_UPPER_DIRTY or not */
	uint32_t room;	    /* for results */
};

/* The run at hand is complete; the frame begins one, if there is one. */
static void run_begin(struct run_report *report, struct frame *frame, uint32_t upper)
{
	uint64_t kind = (uint64_t)RESULT_FRAME << 60;

	if (report->next)
		*report->result += RESULT_MORE *
			(frame_pfn(report->next) - 1 - RESULT_PFN(*report->result));
	report->next = frame;
	report->upper = upper;
	if (!frame)
		return;
	report->room--;
	*++report->result = kind | (upper & FRAME_UPPER_DIRTY ? RESULT_DIRTY : 0) | frame_pfn(frame);
}

/* The frame that a leaf entry points to. */
static inline struct frame *leaf_target(uint64_t entry)
{
	_Static_assert(sizeof(struct frame) << 8 == PAGE_SIZE,
		"a shift by 8 makes bytes of the frame table");
	return (struct frame *)(void *)((uint8_t *)frame_table + ((entry & PTE_FRAME) >> 8));
}

/* A page goes with the leaf entry that was `old`; `upper` is of its frame.  Returns what it is now. */
static inline uint32_t page_drop(struct frame *page, uint32_t upper, uint64_t old, uint32_t epoch)
{
	upper |= (uint32_t)(old * (FRAME_UPPER_DIRTY / PTE_D));
	upper = FRAME_UPPER_DATA | (upper & FRAME_UPPER_DIRTY);
	page->refs = 0;
	frame_set_upper(page, upper);
	page->epoch = epoch;
	return upper;
}

/*
 * The entries of a leaf table from `i` on, as long as they are what most are: absent, or a page of
 * DATA that has no other use.  Frames with consecutive numbers share a result.  Returns where it
 * stopped: at something else, for lack of room, or because nothing is left in the table.
 */
static __attribute__((noinline)) uint32_t clear_pages(
	struct batch *batch, const struct table *table, uint32_t i, uint32_t end)
{
	struct run_report report = {
		.result = batch->results + batch->result_count - 1,
		.room = batch->result_max - batch->result_count,
	};
	uint64_t *const entries = table->entries;
	const uint32_t epoch = flush_epoch, live = table->frame->live;
	uint32_t others = i; /* entries that were not cleared, those in front, too */

	while (i != end && report.room != 0) {
		uint64_t old = entries[i];
		struct frame *page;
		uint32_t upper;

		if (unlikely(!(old & PTE_P))) {
			uint32_t next = entries_skip_zero(entries, i, end);

			if (old != 0 || i - others == live)
				break;
			others += next - i;
			i = next;
			continue;
		}
		page = leaf_target(old);
		upper = frame_upper(page);
		if (unlikely(page->refs != 1 || (upper & ~FRAME_UPPER_FREE_BITS) != FRAME_UPPER_DATA))
			break;
		old = __atomic_exchange_n(&entries[i++], 0, __ATOMIC_RELAXED);
		upper = page_drop(page, upper, old, epoch);
		if (unlikely(page != report.next || upper != report.upper))
			run_begin(&report, page, upper);
		report.next++;
	}
	run_begin(&report, 0, 0);
	batch->result_count = batch->result_max - report.room;
	table->frame->live = (uint16_t)(live - (i - others));
	return i;
}

/* The same for pages that others map as well, and ZERO: nothing of them ends, so there is nothing to report.  Returns where
   it stopped, at something else. */
static __attribute__((noinline)) uint32_t clear_shared_pages(
	const struct table *table, uint32_t i, uint32_t end)
{
	uint32_t live = table->frame->live;

	for (; i < end && live != 0; i++) {
		uint64_t old = table->entries[i];
		const struct frame *page;

		if (!(old & PTE_P))
			break;
		page = entry_target(old);
		if (page->type == FRAME_DATA ? page->refs == 1 : page->type != FRAME_ZERO)
			break;
		entry_drop_shared(__atomic_exchange_n(&table->entries[i], 0, __ATOMIC_RELAXED));
		live--;
	}
	table->frame->live = (uint16_t)live;
	return i;
}

/* Both by turns. */
static uint32_t clear_usual_pages(
	struct batch *batch, const struct table *table, uint32_t i, uint32_t end)
{
	uint32_t shared;

	do {
		shared = clear_pages(batch, table, i, end);
		i = clear_shared_pages(table, shared, end);
	} while (i != shared);
	return i;
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
			i = clear_usual_pages(batch, &run.table, i, end);
		if (run.table.frame->live == 0)
			break;
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

/* Of present entries only these bits stay; or these are added. */
static inline void entry_keep(uint64_t *entry, uint64_t bits)
{
	if (likely(*entry & PTE_P))
		__atomic_fetch_and(entry, bits, __ATOMIC_RELAXED);
}

static inline void entry_add(uint64_t *entry, uint64_t bits)
{
	if (likely(*entry & PTE_P))
		__atomic_fetch_or(entry, bits, __ATOMIC_RELAXED);
}

/* Rights that only shrink: two steps, each of which takes some.  Eight entries to a turn. */
static uint32_t protect_shrink(
	uint64_t *entries, uint32_t first, uint32_t end, const struct rights *rights)
{
	uint64_t keep = ~(rights->remove & ~rights->add), add = rights->add;
	uint64_t *entry = &entries[first], *const behind = &entries[end];

	for (; behind - entry >= 8; entry += 8) {
#pragma GCC unroll 8
		for (uint32_t i = 0; i < 8; i++)
			entry_keep(&entry[i], keep);
	}
	for (; entry < behind; entry++)
		entry_keep(entry, keep);
	for (entry = &entries[first]; add != 0 && entry < behind; entry++)
		entry_add(entry, add);
	return end;
}

/* Owner and holds of a frame, in one word. */
static inline uint32_t frame_owner_word(const struct frame *frame)
{
	uint32_t word;

	_Static_assert(offsetof(struct frame, pool) == offsetof(struct frame, holds) + 2, "one word");
	__builtin_memcpy(&word, &frame->holds, sizeof(word));
	return word;
}

/* W for pages that have no other use: all that entry_check() asks of a page of DATA holds. */
static __attribute__((noinline)) void protect_sole(
	const struct batch *batch, uint64_t *entries, uint32_t first, uint32_t end)
{
	const struct frame wanted = { .pool = batch->pool };
	const uint32_t owner = frame_owner_word(&wanted);
	uint64_t *const behind = &entries[end];

#pragma GCC unroll 8
	for (uint64_t *entry = &entries[first]; entry < behind; entry++) {
		uint64_t old = *entry;
		const struct frame *page = leaf_target(old);

		if (likely((old & (PTE_P | PTE_W | PTE_U)) == (PTE_P | PTE_U)) &&
			likely(frame_word_is_sole_page(frame_word(page)) &&
				frame_owner_word(page) == owner))
			__atomic_fetch_or(entry, PTE_W, __ATOMIC_RELAXED);
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
