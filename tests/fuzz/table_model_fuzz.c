/*
 * Fuzz target `table_model`: table operations on the kernel's code and on the reference model.
 *
 * The model (tests/host/table_model.c) was written from the documents, not from the kernel.  Each
 * record (table_steps.h) is one operation, run on both: the answers, the results, the number of
 * flushes and the frame table must agree after each, the tables at the end.  Between operations
 * "hardware" sets A and D in both.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "flush.h"
#include "frame.h"
#include "fuzz.h"
#include "pool.h"
#include "sim/sim.h"
#include "table.h"
#include "table_model.h"
#include "table_steps.h"
#include <faultline/fault.h>
#include <string.h>

_Static_assert(STEPS_FRAMES == MODEL_FRAMES, "both machines have as many frames");

FUZZ_RECORDS(STEPS_HEADER, sizeof(struct step))

static struct model model;
static struct model_call expected;
static struct sim_result answer;

static void model_step(const struct table_call *call)
{
	expected.pool = call->pool;
	expected.op = call->op;
	memset(expected.list, 0, sizeof(expected.list));
	memcpy(expected.list, call->list, sizeof(expected.list));
	expected.work = call->work;
	expected.room = call->room;
	expected.has_scope = call->has_scope;
	model_run(&model, &expected);
}

static void kernel_step(const struct table_call *call)
{
	static struct op ops[1 + STEPS_PLACES];
	struct batch batch = {
		.pool = call->pool,
		.scope = call->has_scope ? frame_memory(steps_base(1)) : NULL,
		.work_left = call->work,
		.results = answer.results,
		.result_max = call->room,
	};

	ops[0] = call->op;
	memcpy(ops + 1, call->list, call->places * sizeof(struct op));
	answer.status = batch_run(&batch, ops, 1 + call->places, &answer.index);
	answer.done = batch.done;
	answer.count = batch.result_count;
}

/* ---- comparing ---- */

static bool frame_is_equal(pfn_t pfn)
{
	const struct frame *frame = &frame_table[pfn];
	const struct model_frame *other = &model.frame[pfn];
	uint32_t flags = (other->dirty ? FRAME_DIRTY : 0) | (other->in_block ? FRAME_BLOCK : 0) |
			 (other->kept ? FRAME_KEPT : 0) | (other->lent_to ? FRAME_LENT : 0) | (other->special ? FRAME_SPECIAL : 0);
	uint64_t live = other->lent_to	  ? other->lent_to
			: other->in_block ? other->large
					  : other->live;

	return frame->type == other->type && frame->refs == other->refs &&
	       frame->holds == other->holds && frame->pool == other->pool &&
	       (frame->flags & ~FRAME_BLANK) == flags && frame->live == live &&
	       (frame->epoch == flush_epoch) == other->stale;
}

static void fail(const char *what, pfn_t pfn)
{
	fuzz_fail(
		"operation %u of pool %u (head %llx a %llx b %llx): %s differs at frame %u; kernel "
		"status %u done %u results %u, model status %u done %u results %u",
		OP_CODE(expected.op.head), expected.pool, (unsigned long long)expected.op.head,
		(unsigned long long)expected.op.a, (unsigned long long)expected.op.b, what, pfn,
		answer.status, answer.done, answer.count, expected.status, expected.done,
		expected.result_count);
}

static void compare_answer(void)
{
	if (answer.status != expected.status || answer.done != expected.done ||
		answer.count != expected.result_count)
		fail("the answer", 0);
	if (memcmp(answer.results, expected.results, answer.count * sizeof(answer.results[0])) != 0)
		fail("a result", 0);
	if (sim_flushes.everything != model.full_flushes)
		fail("the number of flushes", 0);
}

static void compare_frames(pfn_t first, pfn_t end)
{
	for (pfn_t pfn = first; pfn < end; pfn++)
		if (!frame_is_equal(pfn))
			fail("the frame table", pfn);
}

/* The frames that operations mostly name, and those around the ones that this one names. */
static void compare_near(void)
{
	const pfn_t named[] = { OP_PFN(expected.op.head), (pfn_t)expected.op.a,
		OP_PFN(expected.op.a), pte_pfn(expected.op.a), pte_pfn(expected.op.b) };

	compare_frames(0, 112);
	compare_frames(STEPS_BLOCK, STEPS_BLOCK + 8);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (named[i] < MODEL_FRAMES)
			compare_frames(named[i], named[i] + 1);
}

static void compare_all(void)
{
	compare_frames(0, MODEL_FRAMES);
	for (pfn_t pfn = 0; pfn < MODEL_FRAMES; pfn++)
		if (table_level(pfn) || frame_table[pfn].type == FRAME_DATA)
			if (memcmp(frame_memory(pfn), model.word[pfn], PAGE_SIZE) != 0)
				fail("the contents", pfn);
}

/* ---- the run ---- */

/* The processor sets A in an entry, and D in a leaf that may be written. */
static void hardware_step(const struct table_call *call)
{
	pfn_t table = call->top;
	uint32_t index = (uint32_t)(call->address >> 39) & 511;
	uint64_t *entry = (uint64_t *)frame_memory(table) + index;

	while (table_level(table) > 1 && (*entry & PTE_P) && !(*entry & PTE_PS)) {
		table = pte_pfn(*entry);
		index = (uint32_t)(call->address >> (3 + 9 * table_level(table))) & 511;
		entry = (uint64_t *)frame_memory(table) + index;
	}
	if (!table_level(table) || frame_table[table].type == FRAME_TOP || !(*entry & PTE_P))
		return;
	*entry |= PTE_A;
	if ((*entry & PTE_W) && (call->access & FAULT_WRITE))
		*entry |= PTE_D;
	model.word[table][index] = *entry;
}

static void run_record(const uint8_t *record)
{
	static struct table_call call;

	steps_decode(record, POOL_ROOT, false, &call);
	if (call.kind == STEPS_ACCESS) {
		hardware_step(&call);
		return;
	}
	if (call.kind == STEPS_LIMIT) {
		frame_refs_limit = call.limit;
		model.limit = call.limit;
		return;
	}
	kernel_step(&call);
	model_step(&call);
	compare_answer();
	compare_near();
	fuzz_count(1);
}

/* The model has no operations on objects: it is told of a pool's space. */
static void model_add_space(uint32_t pool)
{
	pfn_t space = steps_base(pool);

	model.frame[space] = (struct model_frame){ .type = FRAME_SPACE, .pool = pool };
	model.frame[space + 1] = (struct model_frame){ .type = FRAME_TOP, .pool = pool };
}

/* An operation that builds the machine.  A pool other than the root's first gets its frames. */
static void start_step(const struct table_call *call)
{
	model_step(call);
	FUZZ_CHECK(expected.status == ST_OK);
	if (OP_CODE(call->op.head) == OP_TRANSFER)
		model_add_space((uint32_t)call->op.a);
}

static void machines_start(void)
{
	static const uint32_t parents[] = { 0, 0, 1, 2, 1 };

	model_start(&model);
	memcpy(model.parent, parents, sizeof(parents));
	model_add_space(POOL_ROOT);
	steps_start(start_step);
	for (uint32_t pool = 1; pool <= STEPS_POOLS; pool++)
		memcpy(model.word[steps_base(pool)], frame_memory(steps_base(pool)), PAGE_SIZE);
	compare_all();
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t count = steps_count(bytes);

	machines_start();
	for (size_t i = 0; i < count; i++)
		run_record(data + STEPS_HEADER + i * sizeof(struct step));
	compare_all();
	sim_check();
	fuzz_count_input();
	return 0;
}
