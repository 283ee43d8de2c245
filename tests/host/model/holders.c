/*
 * Holders of frames (model: holders.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "holders.h"

#include "report.h"
#include "sim/processor.h"
#include "sim/sim.h"
#include "thread.h"
#include <machine/memory.h>
#include <string.h>

#define CHANGED_MAX 2048u /* frames that one operation names at most */

extern uint32_t flush_epoch;

static pfn_t named[HOLDERS_FRAMES_MAX][TABLE_ENTRIES]; /* 0: nothing */
static uint32_t holders[HOLDERS_FRAMES_MAX];
static uint16_t used[HOLDERS_FRAMES_MAX]; /* of a table: entries that are not 0 */
static uint32_t frames;
static pfn_t end_of_pager;

static bool is_table(pfn_t pfn)
{
	return frame_table[pfn].type >= FRAME_L1 && frame_table[pfn].type <= FRAME_TOP;
}

/* ---- one table ---- */

static pfn_t changed[CHANGED_MAX];
static uint32_t changed_count;

static void frame_changed(pfn_t pfn, int by)
{
	holders[pfn] += (uint32_t)by;
	if (changed_count == CHANGED_MAX)
		report_fail("one operation changes too many frames");
	changed[changed_count++] = pfn;
}

static void read_entry(pfn_t table, uint32_t index)
{
	const uint64_t *entries = frame_memory(table);
	pfn_t now = is_table(table) && entries[index] & PTE_P ? pte_pfn(entries[index]) : 0;
	pfn_t before = named[table][index];

	if (now == before)
		return;
	if (now >= frames)
		report_fail("table %u entry %u names frame %u, which is no RAM", table, index, now);
	named[table][index] = now;
	if (before != 0)
		frame_changed(before, -1);
	if (now != 0)
		frame_changed(now, 1);
}

static void read_run(pfn_t table, uint32_t first, uint32_t count)
{
	if (table >= frames)
		return;
	for (uint32_t i = first; i < first + count && i < TABLE_ENTRIES; i++)
		read_entry(table, i);
}

/* Entries that are not 0; of a top-level table the machine has no others than the pager's. */
static uint32_t count_used(pfn_t table)
{
	const uint64_t *entries = frame_memory(table);
	uint32_t count = 0;

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		count += entries[i] != 0;
	return count;
}

static void check_used(pfn_t table)
{
	if (table >= frames || !is_table(table))
		return;
	used[table] = (uint16_t)count_used(table);
	if (frame_table[table].live != used[table])
		report_fail("table %u: %u entries are not 0, the frame table says %u", table,
			used[table], frame_table[table].live);
}

static void check_count(pfn_t pfn)
{
	if (frame_table[pfn].type == FRAME_ZERO)
		return;
	if (frame_table[pfn].refs != holders[pfn])
		report_fail("frame %u (type %u): %u entries name it, the frame table says %u", pfn,
			frame_table[pfn].type, holders[pfn], frame_table[pfn].refs);
}

/* ---- one operation ---- */

/* A frame that may begin another life by the operation. */
struct birth {
	pfn_t pfn;
	struct frame before;
};
static struct birth births[TABLE_ENTRIES];
static uint32_t birth_count;

static void birth_expect(uint64_t pfn)
{
	if (pfn == 0 || pfn >= frames || birth_count == TABLE_ENTRIES)
		return;
	births[birth_count].pfn = (pfn_t)pfn;
	births[birth_count++].before = frame_table[pfn];
}

static void birth_check(const struct birth *birth)
{
	const struct frame *before = &birth->before, *now = &frame_table[birth->pfn];
	bool lent_ended = (before->flags & FRAME_LENT) && !(now->flags & FRAME_LENT);
	bool is_first = before->refs == 0 && now->refs != 0;

	if (!is_first && before->type == now->type && before->pool == now->pool && !lent_ended)
		return;
	if (processors_remember(birth->pfn) != 0)
		report_fail(
			"frame %u is used anew (type %u to %u, pool %u to %u, refs %u to %u) and "
			"a processor remembers it",
			birth->pfn, before->type, now->type, before->pool, now->pool, before->refs,
			now->refs);
	processor_wrote[birth->pfn] = 0;
}

static void expect_fill(const struct op *op)
{
	const uint64_t *list = (const uint64_t *)(const void *)(op + 1);

	for (uint32_t i = 0; op->a & PTE_FRAME && i < OP_ENTRIES(op->head); i++)
		birth_expect((uint64_t)pte_pfn(op->a) + i);
	if (op->a & PTE_FRAME)
		return;
	for (uint32_t i = 0; i < OP_ENTRIES(op->head) && i < 6 * (OP_MAX_IN_PAGE - 1); i++)
		birth_expect((list[i / 2] >> (32 * (i % 2))) & UINT32_MAX);
}

static pfn_t top_before; /* of the space that the operation destroys */

/* See the header. */
void holders_before(const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);

	birth_count = changed_count = 0;
	top_before = 0;
	switch (OP_CODE(op->head)) {
	case OP_SET:
		birth_expect(op->a & PTE_P ? pte_pfn(op->a) : 0);
		break;
	case OP_FILL:
		expect_fill(op);
		break;
	case OP_SPLIT:
		birth_expect(op->a);
		break;
	case OP_RETYPE:
	case OP_TRANSFER:
		for (uint32_t i = 0; i < OP_ENTRIES(op->head); i++)
			birth_expect(pfn + i);
		break;
	case OP_SPACE_CREATE:
		birth_expect(op->a);
		birth_expect(pfn);
		break;
	case OP_DESTROY:
		birth_expect(pfn);
		if (pfn < frames && frame_table[pfn].type == FRAME_SPACE)
			top_before = ((const struct space *)frame_memory(pfn))->top;
		birth_expect(top_before);
		break;
	default:
		birth_expect(pfn);
		break;
	}
}

static void read_after(const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);

	switch (OP_CODE(op->head)) {
	case OP_SET:
		read_run(pfn, OP_INDEX(op->head), 1);
		break;
	case OP_COPY:
	case OP_MOVE:
		read_run(OP_PFN(op->a), OP_INDEX(op->a), OP_ENTRIES(op->head));
		check_used(OP_PFN(op->a));
		read_run(pfn, OP_INDEX(op->head), OP_ENTRIES(op->head));
		break;
	case OP_SPLIT:
		read_run(pfn, OP_INDEX(op->head), 1);
		read_run((pfn_t)op->a, 0, TABLE_ENTRIES);
		read_run(pte_pfn(op->b), 0, TABLE_ENTRIES);
		check_used((pfn_t)op->a);
		break;
	case OP_RETYPE:
		for (uint32_t i = 0; i < OP_ENTRIES(op->head); i++)
			read_run(pfn + i, 0, TABLE_ENTRIES);
		break;
	case OP_SPACE_CREATE:
		read_run((pfn_t)op->a, 0, TABLE_ENTRIES);
		break;
	case OP_DESTROY:
		read_run(top_before, 0, TABLE_ENTRIES);
		break;
	case OP_FILL:
	case OP_CLEAR:
	case OP_PROTECT:
	case OP_HARVEST:
		read_run(pfn, OP_INDEX(op->head), OP_ENTRIES(op->head));
		break;
	default:
		return;
	}
	check_used(pfn);
}

/* See the header.  Also what was refused may have been done in part. */
void holders_after(const struct op *op, status_t status)
{
	(void)status;
	read_after(op);
	for (uint32_t i = 0; i < changed_count; i++)
		check_count(changed[i]);
	for (uint32_t i = 0; i < birth_count; i++)
		birth_check(&births[i]);
}

/* ---- everything ---- */

/* See the header. */
void holders_start(uint32_t frame_total, pfn_t own_end)
{
	if (frame_total > HOLDERS_FRAMES_MAX)
		report_fail("too many frames for the model");
	memset(named, 0, sizeof(named[0]) * (frames > frame_total ? frames : frame_total));
	memset(holders, 0, sizeof(holders));
	frames = frame_total;
	end_of_pager = own_end;
	for (pfn_t pfn = 0; pfn < frames; pfn++) {
		changed_count = 0;
		if (is_table(pfn))
			read_run(pfn, 0, TABLE_ENTRIES);
	}
}

static bool is_dirty[HOLDERS_FRAMES_MAX]; /* an entry with D names it */

static void collect_dirty(pfn_t table)
{
	const uint64_t *entries = frame_memory(table);

	for (uint32_t i = 0; frame_table[table].type == FRAME_L1 && i < TABLE_ENTRIES; i++)
		if ((entries[i] & (PTE_P | PTE_D)) == (PTE_P | PTE_D))
			is_dirty[pte_pfn(entries[i])] = true;
}

/* Nothing but operations changes what entries name. */
static void check_table(pfn_t table)
{
	changed_count = 0;
	read_run(table, 0, TABLE_ENTRIES);
	if (changed_count != 0)
		report_fail("table %u was changed by no operation (frame %u)", table, changed[0]);
	check_used(table);
	collect_dirty(table);
}

/* Somewhere it is noted that the frame was written: an entry with D, or its flag. */
static void check_dirty(pfn_t pfn)
{
	if (processor_wrote[pfn] && frame_table[pfn].type == FRAME_DATA &&
		frame_table[pfn].refs != 0 && !(frame_table[pfn].flags & FRAME_DIRTY) &&
		!is_dirty[pfn])
		report_fail("frame %u was written and nobody knows", pfn);
}

struct census {
	uint64_t idle, roots, spaces, tops, free;
};

static void count_frame(struct census *census, pfn_t pfn)
{
	const struct frame *frame = &frame_table[pfn];

	if (frame->type == FRAME_DATA && frame->refs == 0 && frame->holds == 0)
		census->idle++;
	else if (is_table(pfn) && frame->type != FRAME_TOP && frame->refs == 0)
		census->roots++;
	else if (frame->type == FRAME_FREE)
		census->free++;
	census->spaces += frame->type == FRAME_SPACE;
	census->tops += frame->type == FRAME_TOP;
}

/* See the header.  One idle frame is the bounce page. */
void holders_check(uint64_t idle, uint64_t spaces, bool is_settled)
{
	struct census census = { 0 };

	memset(is_dirty, 0, sizeof(is_dirty));
	for (pfn_t pfn = 0; pfn < frames; pfn++) {
		if (is_table(pfn))
			check_table(pfn);
		if (pfn >= SIM_FIRST_FREE && pfn < end_of_pager)
			count_frame(&census, pfn);
	}
	for (pfn_t pfn = 0; pfn < frames; pfn++) {
		check_count(pfn);
		check_dirty(pfn);
	}
	if (census.idle != idle + 1)
		report_fail("%u frames lie idle, the pager has %u", (uint32_t)census.idle,
			(uint32_t)idle + 1);
	if (census.free != 0 || census.spaces != spaces || census.tops != spaces)
		report_fail("%u frames are free, %u spaces and %u tops, the pager has %u",
			(uint32_t)census.free, (uint32_t)census.spaces, (uint32_t)census.tops,
			(uint32_t)spaces);
	if (is_settled && spaces == 0 && census.roots != 0)
		report_fail("%u tables are left", (uint32_t)census.roots);
}

/* See the header. */
uint32_t holders_find(pfn_t frame, struct holder *found, uint32_t max)
{
	uint32_t count = 0;

	for (pfn_t table = 0; table < frames && count < holders[frame]; table++)
		for (uint32_t i = 0; is_table(table) && i < TABLE_ENTRIES; i++) {
			if (named[table][i] != frame)
				continue;
			if (count < max)
				found[count] = (struct holder){ table, i };
			count++;
		}
	return count;
}

/* See the header. */
uint32_t holders_count(pfn_t frame)
{
	return holders[frame];
}
