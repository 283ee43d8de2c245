/*
 * Fuzz target `table`: sequences of table operations by several pools, with hardware at work.
 *
 * Input: a header {attacker, attack, ...} and records (table_steps.h).  The first part of the
 * records is run in the name of any pool; from the record `attack`/256 of the way on, everything
 * is done with the authority of one pool, the attacker.  Single operations and batches.
 *
 * After each batch: the answer is within its bounds; after some: an operation that refused without
 * having done anything changed nothing in the frame table or the pools.
 * At the end: frame_check_all(); and since the attack began, of all frames that were not the
 * attacker's or below,
 *   - owner, type, holds and flags are the same, but for what the end of the attacker's own entries
 *     and threads means (FRAME_DIRTY, the end of a block, a message page let go),
 *   - contents are the same (of tables but for A and D), unless lent to the attacker,
 *   - none has become mapped, writable or executable through the attacker's tables that was not.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "frame.h"
#include "fuzz.h"
#include "object.h"
#include "pool.h"
#include "sim/sim.h"
#include "table.h"
#include "table_steps.h"
#include <stdbool.h>
#include <string.h>

#define BATCH_MAX  64u
#define DEVICES	   64u
#define POOLS_SEEN 16u /* inputs make no more */

FUZZ_RECORDS(STEPS_HEADER, sizeof(struct step))

/* ---- running ---- */

static struct op ops[BATCH_MAX + 1 + STEPS_PLACES];
static uint32_t op_count;
static struct table_call first; /* whose authority and limits the collected operations have */
static struct frame frames_before[STEPS_FRAMES];
static struct pool pools_before[POOLS_SEEN];
static struct sim_result answer;

static void state_keep(void)
{
	memcpy(frames_before, frame_table, sizeof(frames_before));
	memcpy(pools_before, pool_table, sizeof(pools_before));
}

/* A copy may have marked its target as special before it was refused: a hint to look closer. */
static bool frame_is_same(const struct frame *frame, const struct frame *before)
{
	struct frame now = *frame;

	now.flags &= (uint8_t) ~(~before->flags & FRAME_SPECIAL);
	return memcmp(&now, before, sizeof(now)) == 0;
}

static void check_unchanged(void)
{
	FUZZ_CHECK(memcmp(pools_before, pool_table, sizeof(pools_before)) == 0);
	if (memcmp(frames_before, frame_table, sizeof(frames_before)) == 0)
		return;
	for (pfn_t pfn = 0; pfn < STEPS_FRAMES; pfn++)
		if (!frame_is_same(&frame_table[pfn], &frames_before[pfn]))
			fuzz_fail("operation %u refused with status %u and changed frame %u",
				OP_CODE(ops[0].head), answer.status, pfn);
}

static void check_answer(uint32_t room)
{
	FUZZ_CHECK(answer.count <= room);
	FUZZ_CHECK(answer.done <= 512);
	FUZZ_CHECK(answer.index <= op_count);
	FUZZ_CHECK((answer.status == ST_OK) == (answer.index == op_count));
	FUZZ_CHECK(answer.status != ST_OK || answer.done == 0);
}

/* Run what was collected. `compare`: see that a refusal changes nothing. */
static void run_batch(bool compare)
{
	struct batch batch = {
		.pool = first.pool,
		.scope = first.has_scope ? frame_memory(steps_base(1)) : NULL,
		.work_left = first.work,
		.results = answer.results,
		.result_max = first.room,
	};

	if (op_count == 0)
		return;
	if (compare)
		state_keep();
	answer.status = batch_run(&batch, ops, op_count, &answer.index);
	answer.done = batch.done;
	answer.count = batch.result_count;
	check_answer(first.room);
	if (compare && answer.status != ST_OK && answer.done == 0)
		check_unchanged();
	fuzz_count(answer.index + (answer.status != ST_OK));
	op_count = 0;
}

static void run_collected(void)
{
	run_batch(false);
}

static void collect(const struct table_call *call)
{
	if (op_count != 0 && (call->pool != first.pool || op_count >= BATCH_MAX))
		run_collected();
	if (op_count == 0)
		first = *call;
	ops[op_count++] = call->op;
	memcpy(&ops[op_count], call->list, call->places * sizeof(struct op));
	op_count += call->places;
}

static void run_record(const uint8_t *record, uint32_t pool)
{
	static struct table_call call;
	uint32_t error;

	steps_decode(record, pool, true, &call);
	switch (call.kind) {
	case STEPS_ACCESS:
		run_collected();
		if (frame_table[call.top].type == FRAME_TOP)
			(void)sim_access(call.top, call.address, call.access, &error);
		break;
	case STEPS_LIMIT:
		run_collected();
		frame_refs_limit = call.limit;
		break;
	default:
		collect(&call);
		if ((record[1] & 7) != 7) /* else one more for this batch */
			run_batch(op_count == 1 && (record[1] & 7) == 6);
	}
}

/* ---- what the attacker may not change ---- */

enum { MAPPED = 1, WRITABLE = 2, EXECUTABLE = 4 };

static struct {
	uint16_t pool;
	struct frame frames[STEPS_FRAMES];
	bool foreign[STEPS_FRAMES];
	uint8_t reach[STEPS_FRAMES]; /* through the attacker's tables */
	uint64_t contents[STEPS_FRAMES][512];
} attack;

/* A leaf gives the frames that it names some more reach. */
static void reach_add(uint8_t *reach, uint64_t entry)
{
	pfn_t pfn = pte_pfn(entry);
	uint32_t count = entry & PTE_PS ? BLOCK_FRAMES : 1;
	uint8_t rights = (uint8_t)(MAPPED | (entry & PTE_W ? WRITABLE : 0) |
				   (entry & PTE_NX ? 0 : EXECUTABLE));

	for (uint32_t i = 0; i < count && pfn + i < STEPS_FRAMES; i++)
		reach[pfn + i] |= rights;
}

static void reach_find(uint8_t *reach)
{
	memset(reach, 0, STEPS_FRAMES);
	for (pfn_t pfn = 0; pfn < STEPS_FRAMES; pfn++) {
		uint32_t level = table_level(pfn);
		const uint64_t *entries = frame_memory(pfn);

		if (level == 0 || level > 2 || !pool_is_within(frame_table[pfn].pool, attack.pool))
			continue;
		for (uint32_t i = 0; i < 512; i++)
			if ((entries[i] & PTE_P) && (level == 1 || (entries[i] & PTE_PS)))
				reach_add(reach, entries[i]);
	}
}

static void attack_begin(uint16_t pool)
{
	attack.pool = pool;
	memcpy(attack.frames, frame_table, sizeof(attack.frames));
	for (pfn_t pfn = 0; pfn < STEPS_FRAMES; pfn++) {
		attack.foreign[pfn] = !pool_is_within(frame_table[pfn].pool, pool);
		if (attack.foreign[pfn] && frame_table[pfn].type != FRAME_FREE)
			memcpy(attack.contents[pfn], frame_memory(pfn), PAGE_SIZE);
	}
	/* A TOP ends with its space, whoever made both. */
	for (pfn_t pfn = 0; pfn < STEPS_FRAMES; pfn++)
		if (frame_table[pfn].type == FRAME_SPACE && !attack.foreign[pfn])
			attack.foreign[space_of(pfn)->top] = false;
	reach_find(attack.reach);
}

static bool is_lent_to_attacker(const struct frame *frame)
{
	return (frame->flags & FRAME_LENT) && pool_is_within(frame->live, attack.pool);
}

static bool contents_are_same(pfn_t pfn)
{
	const uint64_t *now = frame_memory(pfn), *before = attack.contents[pfn];
	uint64_t ignored = table_level(pfn) ? PTE_A | PTE_D : 0;

	for (uint32_t i = 0; i < 512; i++)
		if ((now[i] ^ before[i]) & ~(before[i] & PTE_P ? ignored : 0))
			return false;
	return true;
}

/* A thread of the attacker's may have let go of the message page that a pool above gave it. */
static bool holds_are_same(const struct frame *now, const struct frame *before)
{
	return now->holds == before->holds ||
	       (now->type == FRAME_MSG && now->holds < before->holds);
}

/* D of an entry that went became FRAME_DIRTY; with its last 2 MiB entry a block ceased to be; a page
   that was mapped is zeros for sure no more. */
static bool flags_are_same(const struct frame *now, const struct frame *before)
{
	const uint32_t lost = FRAME_BLOCK | FRAME_BLANK;

	return !((now->flags ^ before->flags) & ~(FRAME_DIRTY | lost)) &&
	       !(now->flags & ~before->flags & lost);
}

static void check_foreign(pfn_t pfn, uint8_t reach)
{
	const struct frame *now = &frame_table[pfn], *before = &attack.frames[pfn];

	if (now->type != before->type || now->pool != before->pool ||
		!holds_are_same(now, before) || !flags_are_same(now, before))
		fuzz_fail("pool %u changed frame %u of pool %u: type %u -> %u, pool %u, holds %u "
			  "-> %u, "
			  "flags %u -> %u",
			attack.pool, pfn, before->pool, before->type, now->type, now->pool,
			before->holds, now->holds, before->flags, now->flags);
	if (is_lent_to_attacker(before))
		return;
	if (before->type != FRAME_FREE && !contents_are_same(pfn))
		fuzz_fail("pool %u wrote to frame %u of pool %u", attack.pool, pfn, before->pool);
	if (before->type != FRAME_ZERO && (reach & ~attack.reach[pfn]))
		fuzz_fail("pool %u reaches frame %u of pool %u in a new way (%u, before %u)",
			attack.pool, pfn, before->pool, reach, attack.reach[pfn]);
}

static void attack_end(void)
{
	static uint8_t reach[STEPS_FRAMES];

	reach_find(reach);
	for (pfn_t pfn = 0; pfn < STEPS_FRAMES; pfn++)
		if (attack.foreign[pfn])
			check_foreign(pfn, reach[pfn]);
}

/* ---- one input ---- */

static void machine_start(void)
{
	steps_start(NULL);
	frame_device_limit = STEPS_FRAMES + DEVICES;
	frame_device_kernel = STEPS_FRAMES + 1;
	pool_table[2].device_first = STEPS_FRAMES;
	pool_table[2].device_count = DEVICES / 2;
	op_count = 0;
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t count = steps_count(bytes), start = bytes < STEPS_HEADER ? 0 : count * data[1] / 256;
	uint16_t attacker = bytes < STEPS_HEADER ? 2 : (uint16_t)(2 + data[0] % 3);

	machine_start();
	for (size_t i = 0; i <= count; i++) {
		if (i == start) {
			run_collected();
			attack_begin(attacker);
		}
		if (i == count)
			break;
		const uint8_t *record = data + STEPS_HEADER + i * sizeof(struct step);

		if (i < start)
			run_record(record, POOL_ROOT + (record[1] >> 3) % STEPS_POOLS);
		else
			run_record(record, attacker | STEPS_ONLY);
	}
	run_collected();
	sim_check();
	attack_end();
	fuzz_count_input();
	return 0;
}
