/*
 * Comparing (model: compare.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "compare.h"

#include "history.h"
#include "holders.h"
#include "pager_machine.h"
#include "report.h"
#include "sim/processor.h"
#include "thread.h"
#include <faultline/layout.h>
#include <machine/memory.h>

static uint64_t *entry_of(pfn_t table, uint64_t address, uint32_t level)
{
	uint64_t *entries = frame_memory(table);

	return &entries[(address >> (12 + 9 * (level - 1))) & (TABLE_ENTRIES - 1)];
}

/* See the header. */
void look_at(pfn_t top, uint64_t address, struct look *look)
{
	pfn_t table = top;

	*look = (struct look){ .is_writable = true, .is_sole = true };
	for (uint32_t level = LAYOUT_LEVELS; level > 0; level--) {
		uint64_t entry = *entry_of(table, address, level);

		if (!(entry & PTE_P))
			return;
		look->is_writable &= (entry & PTE_W) != 0;
		look->is_sole &= holders_count(pte_pfn(entry)) == 1;
		if (level == 1)
			look->entry = entry;
		table = pte_pfn(entry);
	}
}

/* See the header. */
uint64_t look_word(const struct look *look, uint32_t word)
{
	const uint64_t *words = frame_memory(pte_pfn(look->entry));

	return words[word * (TABLE_ENTRIES - 1)];
}

/* See the header. */
pfn_t process_top(const struct process *process)
{
	pfn_t frame = machine_space_frame(process->id);

	return ((const struct space *)frame_memory(frame))->top;
}

/* ---- pages ---- */

static _Noreturn void differ(
	const struct process *process, uint32_t place, const char *what, uint64_t value)
{
	report_fail("process %u place %u (0x%llx): %s: 0x%llx", (uint32_t)(process - processes),
		place, (unsigned long long)places[place].address, what, (unsigned long long)value);
}

static const struct page *next_of(const struct process *process, uint32_t place)
{
	return process_has_next(process, place) ? &process->pending.next[place]
						: &process->pages[place];
}

/* The page has no right that the region does not give.  (W may stay below a table without it.) */
static bool rights_fit(const struct page *page, const struct look *look)
{
	if (!page->is_mapped)
		return false;
	if (look->is_writable && !(page->rights & MAP_WRITE))
		return false;
	if (look->entry & PTE_U && page->rights == 0)
		return false;
	return look->entry & PTE_NX || page->rights & MAP_EXEC;
}

/* The words between the first and the last are never written: one of them, each time another. */
static void compare_between(const struct process *process, uint32_t place, const struct look *look)
{
	static uint32_t turn;
	const uint64_t *words = frame_memory(pte_pfn(look->entry));
	uint32_t i = 1 + turn++ % (TABLE_ENTRIES - 2);

	if (words[i] != 0)
		differ(process, place, "a word that nobody wrote", words[i]);
}

/* See the header. */
void compare_place(const struct process *process, uint32_t place)
{
	const struct page *page = &process->pages[place], *next = next_of(process, place);
	struct look look;

	look_at(process_top(process), places[place].address, &look);
	if (look.entry == 0)
		return;
	if (!page->is_mapped && !next->is_mapped)
		differ(process, place, "a page where no region is", look.entry);
	if (!rights_fit(page, &look) && !rights_fit(next, &look))
		differ(process, place, "a page with more rights than its region", look.entry);
	for (uint32_t word = 0; word < WORDS; word++)
		if (!process_may_find(process, place, word, look_word(&look, word)))
			differ(process, place, "other contents", look_word(&look, word));
	compare_between(process, place, &look);
	if (look.is_writable && !look.is_sole && !page->is_shared && !next->is_shared)
		differ(process, place, "a private page is writable and shared", look.entry);
}

/* See the header. */
void compare_process(const struct process *process)
{
	for (uint32_t place = 0; place < PLACES; place++)
		compare_place(process, place);
}

/* ---- what processors remember ---- */

static const struct process *compared;

/* The table or page to which a walk comes by the entry of this level; its rights so far. */
static pfn_t walk_to(uint64_t address, uint32_t wanted, uint64_t *rights)
{
	pfn_t table = process_top(compared);

	*rights = PTE_W;
	for (uint32_t level = LAYOUT_LEVELS; level >= wanted; level--) {
		uint64_t entry = *entry_of(table, address, level);

		if (!(entry & PTE_P))
			return 0;
		*rights = (*rights & entry & PTE_W) | ((*rights | entry) & PTE_NX);
		table = pte_pfn(entry);
	}
	return table;
}

static bool is_empty_table(const struct cached *entry)
{
	const struct frame *frame = &frame_table[entry->frame];

	return entry->level > 1 && frame->live == 0 && frame->refs == 0;
}

/* With one thread only the processor that has it counts: on the others the space starts anew. */
static void compare_cached(const struct cached *entry)
{
	uint64_t rights;
	pfn_t now;

	if (!history.is_threaded && entry->processor != compared->processor)
		return;
	now = walk_to(entry->address, entry->level, &rights);
	if (now == entry->frame && !(entry->rights & PTE_W & ~rights) &&
		!(rights & PTE_NX & ~entry->rights))
		return;
	if (now != entry->frame && is_empty_table(entry))
		return;
	report_fail("processor %u remembers frame %u at level %u of 0x%llx in process %u (rights "
		    "0x%llx); the tables say %u, 0x%llx",
		entry->processor, entry->frame, entry->level, (unsigned long long)entry->address,
		(uint32_t)(compared - processes), (unsigned long long)entry->rights, now,
		(unsigned long long)rights);
}

/* See the header. */
void compare_caches(const struct process *process)
{
	if (process->pending.kind != PENDING_NONE)
		return;
	compared = process;
	processors_visit(machine_space_frame(process->id), compare_cached);
}
