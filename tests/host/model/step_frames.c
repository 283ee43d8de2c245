/*
 * Frames under the pager's feet: replaced by others, their A and D taken, and the outsider (model:
 * steps.h).
 *
 * A replacement is what a migration or a swap would do by the rules of docs/fork.md: an equivalent
 * frame comes into all entries that name the old one, also in shared tables, once for all sharers.
 * Forbid writes, flush, copy, put, flush.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../../servers/pager/fault.h"
#include "../../servers/pager/frame_pool.h"
#include "../../servers/pager/tables.h"
#include "compare.h"
#include "history.h"
#include "holders.h"
#include "outsider.h"
#include "report.h"
#include "sim/processor.h"
#include "steps.h"
#include <faultline/fault.h>
#include <machine/memory.h>

#define POOL	    1
#define HOLDERS_MAX 64u

/* Counters or askings for frames refuse in this step. */
static bool is_refused_now(void)
{
	return history_refuses && history.variant != SCARCE;
}

/* ---- replacing ---- */

struct replacement {
	pfn_t from, to;
	uint32_t count;
	struct holder holders[HOLDERS_MAX];
	uint64_t entries[HOLDERS_MAX]; /* as they were; after forbidding without W */
};

static uint64_t entry_at(const struct holder *holder)
{
	return ((const uint64_t *)frame_memory(holder->table))[holder->index];
}

static void run_or_fail(const struct op *op, const char *what)
{
	status_t status = machine_run(POOL, op, 1);
	uint32_t count;
	const uint64_t *results = machine_results(&count);

	if (status != ST_OK)
		report_fail("%s: status %u", what, (uint32_t)status);
	tables_collect(results, count);
}

static void flush_all(void)
{
	const struct op op = { .head = op_head(OP_FLUSH, 0, 0, 0, 0) };

	run_or_fail(&op, "flush");
}

/* D is taken along: what processors put there until the flush. */
static void put_entry(const struct holder *holder, uint64_t expected, uint64_t value)
{
	const struct op op = { op_head(OP_SET, 0, holder->table, holder->index, 1), value,
		expected };

	run_or_fail(&op, "replace an entry");
}

static void forbid_writes(struct replacement *work)
{
	for (uint32_t i = 0; i < work->count; i++) {
		work->entries[i] = entry_at(&work->holders[i]);
		if (work->entries[i] & PTE_W)
			put_entry(&work->holders[i], work->entries[i],
				entry_at(&work->holders[i]) & ~PTE_W);
	}
	flush_all();
}

static void replace(struct replacement *work)
{
	struct op copy = { .head = op_head(OP_COPY_FRAME, 0, work->from, 0, 0) };

	fault_settle(); /* what an undertaking of the pager begins with */
	frame_pool_begin();
	work->to = frame_pool_take(KIND_ANONYMOUS);
	copy.a = work->to;
	forbid_writes(work);
	run_or_fail(&copy, "copy");
	processor_wrote[work->to] = processor_wrote[work->from];
	for (uint32_t i = 0; i < work->count; i++) {
		uint64_t old = entry_at(&work->holders[i]);

		put_entry(&work->holders[i], old,
			(old & ~PTE_FRAME) | pte_make(work->to, PTE_D) |
				(work->entries[i] & PTE_W));
	}
	flush_all();
}

/* A private page that is there: its frame, or 0. */
static pfn_t any_frame(struct random *chance, const struct process *process)
{
	struct look look;

	for (uint32_t i = 0; i < 16; i++) {
		uint32_t place = random_below(chance, PLACES);

		look_at(process_top(process), places[place].address, &look);
		if (look.entry == 0 || frame_kind(pte_pfn(look.entry)) != KIND_ANONYMOUS)
			continue;
		report_say(" place %u of process %u", place, process_number(process));
		return pte_pfn(look.entry);
	}
	return 0;
}

/* A page of a process gets another frame, for all who have it. */
void step_replace(struct random *chance)
{
	struct replacement work;
	const struct process *process = any_process(chance);

	if (!process || machine_space_frame(process->id) == 0 || is_refused_now())
		return;
	work.from = any_frame(chance, process);
	if (work.from == 0)
		return;
	work.count = holders_find(work.from, work.holders, HOLDERS_MAX);
	frame_pool_class = FRAMES_PAGER;
	if (work.count > HOLDERS_MAX || !frame_pool_has(1))
		return;
	replace(&work);
	report_say(": frame %u to %u in %u entries", work.from, work.to, work.count);
	history_counts.moved++;
}

/* W, A and D are taken from a page that has them, as by a swapper that looks for idle pages: what
   was written before stays noted, and the next write is the pager's to allow. */
void step_forbid(struct random *chance)
{
	struct replacement work;
	const struct process *process = any_process(chance);

	if (!process || machine_space_frame(process->id) == 0)
		return;
	work.from = any_frame(chance, process);
	work.count = work.from != 0 ? holders_find(work.from, work.holders, HOLDERS_MAX) : 0;
	for (uint32_t i = 0; i < work.count && i < HOLDERS_MAX; i++) {
		uint64_t entry = entry_at(&work.holders[i]);

		put_entry(&work.holders[i], entry, entry & ~(PTE_W | PTE_A | PTE_D));
	}
	flush_all();
}

/* ---- holding ---- */

/* A private page that is there, and that nobody can write just now: its place, or PLACES. */
static uint32_t any_protected_place(struct random *chance, const struct process *process)
{
	struct look look;

	for (uint32_t i = 0; i < 24; i++) {
		uint32_t place = random_below(chance, PLACES);

		if (!page_allows(&process->pages[place], FAULT_WRITE))
			continue;
		look_at(process_top(process), places[place].address, &look);
		if (look.entry != 0 && !look.is_writable && !(look.entry & PTE_W) &&
			frame_kind(pte_pfn(look.entry)) == KIND_ANONYMOUS)
			return place;
	}
	return PLACES;
}

/* Somebody holds a page (an output under way) while its process writes to it: he goes on seeing
   what was there, even if the process is the only one left that has it. */
void step_hold(struct random *chance)
{
	struct process *process = any_caller(chance);
	uint32_t place;
	struct look look;
	struct op op = { 0 };
	uint64_t before[WORDS];

	if (!process || history_refuses || machine_space_frame(process->id) == 0)
		return;
	place = any_protected_place(chance, process);
	if (place == PLACES)
		return;
	look_at(process_top(process), places[place].address, &look);
	report_say(" frame %u of process %u place %u", pte_pfn(look.entry), process_number(process),
		place);
	op.head = op_head(OP_HOLD, 0, pte_pfn(look.entry), 0, 0);
	run_or_fail(&op, "hold");
	for (uint32_t word = 0; word < WORDS; word++)
		before[word] = look_word(&look, word);
	access_write(chance, process, place);
	for (uint32_t word = 0; word < WORDS; word++)
		if (look_word(&look, word) != before[word])
			report_fail(
				"frame %u is held, and its contents change", pte_pfn(look.entry));
	op.head = op_head(OP_RELEASE, 0, pte_pfn(look.entry), 0, 0);
	run_or_fail(&op, "release");
}

/* ---- A and D ---- */

/* Those that were dirty are noted elsewhere: nobody misses their D any more. */
static void forget_dirty(pfn_t table)
{
	uint32_t count;
	const uint64_t *results = machine_results(&count);

	for (uint32_t i = 0; i < count; i++) {
		const struct holder at = { table, (uint32_t)(results[i] >> OP_INDEX_SHIFT) };

		if (results[i] & PTE_D && entry_at(&at) & PTE_P)
			processor_wrote[pte_pfn(entry_at(&at))] = 0;
	}
}

/* What a swapper does: A and D of a leaf table, for all who share it. */
void step_harvest(struct random *chance)
{
	const struct process *process = any_process(chance);
	uint32_t place = random_below(chance, PLACES);
	struct op op = { 0 };
	pfn_t table;

	if (!process || machine_space_frame(process->id) == 0)
		return;
	table = process_top(process);
	for (uint32_t level = LAYOUT_LEVELS; level > 1; level--) {
		struct holder at = { table, level_index(places[place].address, level) };

		if (!(entry_at(&at) & PTE_P))
			return;
		table = pte_pfn(entry_at(&at));
	}
	op.head = op_head(
		OP_HARVEST, FLUSH_ALL, table, level_index(places[place].address, 1) & ~7u, 8);
	if (machine_run(POOL, &op, 1) != ST_OK)
		report_fail("harvest is refused");
	forget_dirty(table);
}

/* ---- the outsider ---- */

/* See outsider.h. */
void step_outsider(struct random *chance)
{
	outsider_step(chance);
}
