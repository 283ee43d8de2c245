/*
 * Init's frames.
 *
 * The frame table (LAYOUT_VMEMMAP) has holes where there is no RAM, so only entries inside RAM
 * ranges are looked at.  Ranges are kept in ascending order; taking cuts them, nothing comes
 * back.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "frames.h"

#include "operations.h"
#include <faultline/layout.h>
#include <faultline/op.h>

#define RANGES_MAX 128u
#define RUN_MAX	   512u /* frames of one operation */

static struct frame_range ranges[RANGES_MAX];
static uint32_t range_count;
static uint32_t root_pool;
static pfn_t own_top;

static const struct frame *frame_entry(pfn_t pfn)
{
	return (const struct frame *)LAYOUT_VMEMMAP + pfn;
}

static void note_free(pfn_t pfn)
{
	struct frame_range *last = range_count > 0 ? &ranges[range_count - 1] : 0;

	if (last && last->first + last->count == pfn) {
		last->count++;
	} else if (range_count < RANGES_MAX) {
		ranges[range_count++] = (struct frame_range){ pfn, 1 };
	}
}

static void scan_range(pfn_t first, pfn_t end)
{
	for (pfn_t pfn = first; pfn < end; pfn++) {
		const struct frame *frame = frame_entry(pfn);

		if (frame->pool != root_pool)
			continue;
		if (frame->type == FRAME_FREE)
			note_free(pfn);
		else if (frame->type == FRAME_TOP)
			own_top = pfn;
	}
}

/* See the header. */
status_t frames_find(const struct info_boot *boot)
{
	root_pool = boot->root_pool;
	for (uint32_t i = 0; i < boot->range_count; i++) {
		const struct info_range *range = &boot->ranges[i];
		uint64_t first = (range->start + PAGE_SIZE - 1) >> PAGE_SHIFT;
		uint64_t end = (range->start + range->bytes) >> PAGE_SHIFT;

		if (range->kind != RANGE_RAM || first >= boot->frames)
			continue;
		scan_range((pfn_t)first, end < boot->frames ? (pfn_t)end : boot->frames);
	}
	return own_top != 0 ? ST_OK : ST_NOT_FOUND;
}

static void remove_range(uint32_t index)
{
	range_count--;
	for (uint32_t i = index; i < range_count; i++)
		ranges[i] = ranges[i + 1];
}

/* Cuts [first, first + count) out of a range that holds it. */
static void cut(uint32_t index, pfn_t first, uint32_t count)
{
	struct frame_range old = ranges[index];
	struct frame_range behind = { first + count, old.first + old.count - (first + count) };

	ranges[index].count = first - old.first;
	if (ranges[index].count == 0) {
		remove_range(index--);
	}
	if (behind.count == 0 || range_count == RANGES_MAX)
		return; /* with a full table the frames behind stay unused */
	for (uint32_t i = range_count; i > index + 1; i--)
		ranges[i] = ranges[i - 1];
	ranges[index + 1] = behind;
	range_count++;
}

/* See the header. */
status_t frames_take(uint32_t count, uint32_t align, pfn_t *first)
{
	for (uint32_t i = 0; i < range_count; i++) {
		pfn_t start = (ranges[i].first + align - 1) / align * align;
		uint32_t skipped = start - ranges[i].first;

		if (skipped > ranges[i].count || ranges[i].count - skipped < count)
			continue;
		cut(i, start, count);
		*first = start;
		return ST_OK;
	}
	return ST_NO_MEMORY;
}

/* See the header. */
uint32_t frames_take_largest(uint32_t count, pfn_t *first)
{
	uint32_t best = 0;

	if (range_count == 0 || count == 0)
		return 0;
	for (uint32_t i = 1; i < range_count; i++) {
		if (ranges[i].count > ranges[best].count)
			best = i;
	}
	if (count > ranges[best].count)
		count = ranges[best].count;
	*first = ranges[best].first + ranges[best].count - count;
	cut(best, *first, count);
	return count;
}

/* See the header. */
uint32_t frames_left(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < range_count; i++)
		sum += ranges[i].count;
	return sum;
}

/* See the header. */
status_t frames_give(struct frame_range range, uint32_t pool)
{
	while (range.count > 0) {
		uint32_t now = range.count < RUN_MAX ? range.count : RUN_MAX;
		status_t status =
			operation_run(operation_on_run(OP_TRANSFER, range.first, now, pool));

		if (status != ST_OK)
			return status;
		range.first += now;
		range.count -= now;
	}
	return ST_OK;
}

/* See the header. */
status_t frames_make(uint32_t pool, frame_type_t type, pfn_t *pfn)
{
	pfn_t taken;
	status_t status = frames_take(1, 1, &taken);

	if (status == ST_OK && pool != root_pool)
		status = frames_give((struct frame_range){ taken, 1 }, pool);
	if (status == ST_OK && type != FRAME_FREE)
		status = operation_run(operation(OP_RETYPE, taken, 0, type, 0));
	if (status == ST_OK && type == FRAME_DATA)
		status = operation_run(operation(OP_ZERO, taken, 0, 0, 0));
	if (status == ST_OK)
		*pfn = taken;
	return status;
}

/* The leaf table that covers one of init's own addresses. */
static status_t leaf_table(uint64_t address, pfn_t *table)
{
	pfn_t pfn = own_top;

	for (uint32_t level = LAYOUT_LEVELS; level > 1; level--) {
		uint64_t entry;
		status_t status = operation_ask(
			operation(OP_READ, pfn, table_index(address, level), 0, 0), &entry);

		if (status != ST_OK)
			return status;
		if (!(entry & PTE_P) || (level < LAYOUT_LEVELS && (entry & PTE_PS)))
			return ST_NOT_FOUND;
		pfn = pte_pfn(entry);
	}
	*table = pfn;
	return ST_OK;
}

/* See the header. */
status_t frames_behind(const void *address, pfn_t *pfn)
{
	pfn_t table;
	uint64_t entry;
	status_t status = leaf_table((uint64_t)address, &table);

	if (status == ST_OK)
		status = operation_ask(
			operation(OP_READ, table, table_index((uint64_t)address, 1), 0, 0), &entry);
	if (status != ST_OK)
		return status;
	if (!(entry & PTE_P))
		return ST_NOT_FOUND;
	*pfn = pte_pfn(entry);
	return ST_OK;
}

/* See the header. */
status_t frames_map_own(void *address, pfn_t pfn, uint64_t bits)
{
	pfn_t table;
	status_t status = leaf_table((uint64_t)address, &table);

	if (status != ST_OK)
		return status;
	return operation_run(operation(
		OP_SET, table, table_index((uint64_t)address, 1), pte_make(pfn, bits), 0));
}
