/*
 * The outsider (model: outsider.h).
 *
 *   first     SPACE, TOP, L3, L2 of the root's pool
 *   + 4       two leaf tables and pages of the outsider's pool, or for a while of the root's
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "outsider.h"

#include "pager_machine.h"
#include "pool.h"
#include "report.h"
#include "sim/processor.h"
#include <faultline/fault.h>
#include <faultline/op.h>
#include <machine/memory.h>

#define FIXED 4u /* frames that stay what they are */
#define PAGES 4u /* addresses in use, in each of two leaf tables */
#define LINK  (PTE_P | PTE_W | PTE_U)
#define PAGE  (PTE_P | PTE_W | PTE_U | PTE_NX)

static pfn_t first_frame;
static uint16_t pool;

static void must(status_t status, const char *what)
{
	if (status != ST_OK)
		report_fail("the outsider cannot %s (status %u)", what, (uint32_t)status);
}

static status_t run_one(uint16_t by, uint64_t head, uint64_t a, uint64_t b)
{
	struct op op = { head, a, b };

	return machine_run(by, &op, 1);
}

static pfn_t frame_at(uint32_t i)
{
	return first_frame + i;
}

static status_t set_entry(uint16_t by, pfn_t table, uint32_t index, uint64_t value)
{
	const uint64_t *entries = frame_memory(table);

	return run_one(by, op_head(OP_SET, 0, table, index, 1), value, entries[index]);
}

/* See the header. */
void outsider_start(pfn_t first)
{
	uint32_t count;

	first_frame = first;
	must(run_one(POOL_ROOT, op_head(OP_POOL_CREATE, 0, 0, 0, 0), 0, 0), "make a pool");
	pool = (uint16_t)machine_results(&count)[0];
	must(run_one(POOL_ROOT, op_head(OP_SPACE_CREATE, 0, first, 0, 0), frame_at(1), 0),
		"make a space");
	must(run_one(POOL_ROOT, op_head(OP_RETYPE, 0, frame_at(2), 0, 1), FRAME_L3, 0), "retype");
	must(run_one(POOL_ROOT, op_head(OP_RETYPE, 0, frame_at(3), 0, 1), FRAME_L2, 0), "retype");
	must(set_entry(POOL_ROOT, frame_at(1), 0, pte_make(frame_at(2), LINK)), "link");
	must(set_entry(POOL_ROOT, frame_at(2), 0, pte_make(frame_at(3), LINK)), "link");
	must(run_one(POOL_ROOT,
		     op_head(OP_TRANSFER, 0, frame_at(FIXED), 0, OUTSIDER_FRAMES - FIXED), pool, 0),
		"transfer");
}

/* Any; with luck one that nothing refers to, and that a processor remembers all the same. */
static pfn_t any_frame(struct random *chance)
{
	pfn_t frame = 0;

	for (uint32_t i = 0; i < 3; i++) {
		frame = frame_at(FIXED + random_below(chance, OUTSIDER_FRAMES - FIXED));
		if (frame_table[frame].refs == 0 && processors_remember(frame) != 0)
			break;
	}
	return frame;
}

/* One of this type, if a few looks find one. */
static pfn_t any_of_type(struct random *chance, frame_type_t type)
{
	pfn_t frame = any_frame(chance);

	for (uint32_t i = 0; i < 6 && frame_table[frame].type != type; i++)
		frame = any_frame(chance);
	return frame;
}

/* A leaf table; mostly one that is linked. */
static pfn_t any_table(struct random *chance)
{
	uint64_t link = ((const uint64_t *)frame_memory(frame_at(3)))[random_below(chance, 2)];

	if (link & PTE_P && random_below(chance, 4) != 0)
		return pte_pfn(link);
	return any_of_type(chance, FRAME_L1);
}

/* Link or unlink a leaf table: with the root's authority, to whom the table above belongs. */
static void change_link(struct random *chance)
{
	pfn_t table = any_of_type(chance, FRAME_L1);
	uint64_t value = random_below(chance, 4) == 0 ? 0 : pte_make(table, LINK);

	(void)set_entry(POOL_ROOT, frame_at(3), random_below(chance, 2), value);
}

static void change_page(struct random *chance)
{
	pfn_t table = any_table(chance), page = any_of_type(chance, FRAME_DATA);
	uint64_t value = random_below(chance, 4) == 0 ? 0 : pte_make(page, PAGE);

	if (frame_table[table].type == FRAME_L1)
		(void)set_entry(pool, table, random_below(chance, PAGES), value);
}

static void change_type(struct random *chance)
{
	static const frame_type_t types[] = { FRAME_DATA, FRAME_DATA, FRAME_L1, FRAME_FREE };

	(void)run_one(pool, op_head(OP_RETYPE, 0, any_frame(chance), 0, 1),
		types[random_below(chance, 4)], 0);
}

static void change_owner(struct random *chance)
{
	pfn_t frame = any_frame(chance);

	(void)run_one(POOL_ROOT, op_head(OP_TRANSFER, 0, frame, 0, 1 + random_below(chance, 2)),
		random_below(chance, 2) ? pool : POOL_ROOT, 0);
}

/* One that is lent, if a few looks find one. */
static pfn_t any_lent(struct random *chance)
{
	pfn_t frame = any_frame(chance);

	for (uint32_t i = 0; i < 8 && !(frame_table[frame].flags & FRAME_LENT); i++)
		frame = any_frame(chance);
	return frame;
}

/* A frame of the root's is lent, or the loan ends. */
static void change_loan(struct random *chance)
{
	pfn_t frame = any_lent(chance);
	bool is_lent = frame_table[frame].flags & FRAME_LENT;

	(void)run_one(POOL_ROOT, op_head(OP_LEND, 0, frame, 0, 0), is_lent ? 0 : pool, 0);
}

/* What is lent is mapped for a while. */
static void use_loan(struct random *chance)
{
	pfn_t table = any_table(chance), page = any_lent(chance);
	uint32_t index = random_below(chance, PAGES);

	if (frame_table[table].type != FRAME_L1 || !(frame_table[page].flags & FRAME_LENT))
		return;
	(void)set_entry(pool, table, index, pte_make(page, PAGE));
	for (uint32_t i = 0; i < 8; i++)
		outsider_access(chance);
	(void)set_entry(pool, table, index, 0);
}

static void clear_run(struct random *chance)
{
	(void)run_one(pool, op_head(OP_CLEAR, 0, any_table(chance), random_below(chance, PAGES), 2),
		0, 0);
}

/* Both links name one table, and one of them gets its own. */
static void split(struct random *chance)
{
	const uint64_t *entries = frame_memory(frame_at(3));
	uint32_t index = random_below(chance, 2);

	(void)set_entry(POOL_ROOT, frame_at(3), !index, entries[index]);
	(void)run_one(POOL_ROOT, op_head(OP_SPLIT, 0, frame_at(3), index, 1), any_frame(chance),
		entries[index]);
}

static void move_run(struct random *chance)
{
	(void)run_one(pool, op_head(OP_MOVE, 0, any_table(chance), 0, PAGES),
		op_head(0, 0, any_table(chance), PAGES, 0), 0);
}

/* See the header.  Many are refused; that is all right. */
void outsider_step(struct random *chance)
{
	static void (*const changes[])(struct random *) = { change_link, change_page, change_page,
		change_page, change_page, change_type, change_type, change_owner, change_loan,
		use_loan, clear_run, split, move_run };

	for (uint32_t i = 0; i < 8; i++) {
		changes[random_below(chance, sizeof(changes) / sizeof(changes[0]))](chance);
		for (uint32_t accesses = 0; accesses < 4; accesses++)
			outsider_access(chance);
	}
}

/* See the header. */
void outsider_access(struct random *chance)
{
	uint64_t address = ((uint64_t)random_below(chance, 2) << 21) |
			   ((uint64_t)random_below(chance, PAGES) << 12);
	uint32_t access = random_below(chance, 2) ? FAULT_WRITE : 0, error;
	uint64_t *there = processor_access(
		random_below(chance, processor_count), first_frame, address, access, &error);
	pfn_t frame;

	if (!there)
		return;
	frame = frame_number(there);
	if (frame < frame_at(FIXED) || frame >= frame_at(OUTSIDER_FRAMES) ||
		frame_table[frame].type != FRAME_DATA)
		report_fail("the outsider reaches frame %u (type %u, pool %u)", frame,
			frame_table[frame].type, frame_table[frame].pool);
	if (access & FAULT_WRITE)
		*there = address;
}
