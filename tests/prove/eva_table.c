/*
 * Eva: every operation on frames, tables and pools, on an arbitrary machine.
 *
 * The frame table, all of memory, the table of pools, the limits and the flush epoch are arbitrary,
 * within what rules 1 and 4 of frame_check_all() say of one field alone: a type exists, a pool's
 * number is below POOL_COUNT.  One operation runs: any code, any words a and b, any frame number,
 * any pool, any work limit, any number of results there already; first entry and count of the head are
 * the constants FIRST and COUNT.  What was assumed of types and pools is checked to hold again after
 * it, so it holds for any sequence of such operations.
 *
 * Two machines.  For the operations on frames and pools (OF_FRAMES) the frame table is as long as
 * the machine has frames, so each number a caller gives is shown to be checked.  For those on
 * tables it has a place for every number of 32 bits: this stands for rule 9, that an entry in a
 * table names a frame, which cannot be said of memory as a whole.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <__fc_builtin.h>
#include "batch.h"
#include "flush.h"
#include "frame.h"
#include "log.h"
#include "percpu.h"
#include "pool.h"
#include "table.h"

#define OPERATIONS 8 /* one, and places for a list */

struct frame prove_frame_table[PROVE_FRAMES];

uint32_t flush_epoch;
struct info_counters counters;

static struct op operations[OPERATIONS];
static uint64_t results[OP_RESULTS_MAX];
static uint64_t page_one[TABLE_ENTRIES], page_two[TABLE_ENTRIES], page_three[TABLE_ENTRIES];
static struct space space;
static struct thread caller;

#define UNKNOWN(object) Frama_C_make_unknown((char *)&(object), sizeof(object))
#define ANY_BOOL	Frama_C_interval(0, 1)

static uint32_t any_number(uint32_t most)
{
	return Frama_C_unsigned_int_interval(0, most);
}

/*
 * Contents are arbitrary at any time, so it does not matter which of three pages stands for a frame,
 * or whether it is the same at the next call: each is as long as a frame, two may be one.
 */
void *frame_memory(pfn_t pfn)
{
	(void)pfn;
	return ANY_BOOL ? page_one : ANY_BOOL ? page_two : page_three;
}

/* Exactly what hardware does: A and D appear in a present entry. */
uint64_t prove_entry_used(uint64_t entry)
{
	uint64_t used = Frama_C_unsigned_long_interval(0, UINT64_MAX) & (PTE_A | PTE_D);

	return entry & PTE_P ? entry | used : entry;
}

void flush_everything(void)
{
	flush_epoch++;
}

void flush_space(struct space *flushed)
{
	(void)flushed;
}

void flush_hinted_all(void)
{
	if (ANY_BOOL)
		flush_everything();
}

/* Nothing comes after. */
void panic(const char *format, ...)
{
	(void)format;
	for (;;)
		;
}

/* Not a part of what is shown here. */
status_t object_operation(struct batch *batch, const struct op *op)
{
	(void)batch;
	(void)op;
	return ANY_BOOL ? ST_OK : ST_BAD_ARGUMENT;
}

static void pools_any(void)
{
	for (uint32_t i = 0; i < POOL_COUNT; i++) {
		pool_table[i].live = ANY_BOOL;
		pool_table[i].parent = (uint16_t)any_number(POOL_COUNT - 1);
		pool_table[i].frames = any_number(UINT32_MAX);
		pool_table[i].borrowed = any_number(UINT32_MAX);
		pool_table[i].users = any_number(UINT32_MAX);
		pool_table[i].device_first = any_number(UINT32_MAX);
		pool_table[i].device_count = any_number(UINT32_MAX);
		pool_table[i].below = (uint8_t)any_number(UINT8_MAX);
		pool_table[i].below_max = (uint8_t)any_number(UINT8_MAX);
	}
}

static void machine_any(void)
{
	UNKNOWN(page_one);
	UNKNOWN(page_two);
	UNKNOWN(page_three);
	UNKNOWN(counters);
	UNKNOWN(space.handles);
	UNKNOWN(operations);
	caller.space = &space;
	flush_epoch = any_number(UINT32_MAX);
	frame_count = any_number((uint32_t)(PROVE_FRAMES < UINT32_MAX ? PROVE_FRAMES : UINT32_MAX));
	frame_zero = any_number(UINT32_MAX);
	frame_device_limit = frame_count;
	frame_device_kernel = any_number(UINT32_MAX);
	frame_refs_limit = any_number(UINT32_MAX);
	for (uint64_t i = 0; i < PROVE_FRAMES; i++) {
		prove_frame_table[i].refs = any_number(UINT32_MAX);
		prove_frame_table[i].live = (uint16_t)any_number(UINT16_MAX);
		prove_frame_table[i].type = (uint8_t)any_number(FRAME_TYPES - 1);
		prove_frame_table[i].flags = (uint8_t)any_number(UINT8_MAX);
		prove_frame_table[i].holds = (uint16_t)any_number(UINT16_MAX);
		prove_frame_table[i].pool = (uint16_t)any_number(POOL_COUNT - 1);
		prove_frame_table[i].epoch = any_number(UINT32_MAX);
	}
	pools_any();
}

static operation_t *const run[] = {
#ifdef OF_FRAMES
	frame_op_retype, frame_op_zero, frame_op_copy, frame_op_hold, frame_op_release,
	frame_op_transfer, frame_op_lend, pool_op_create, pool_op_set, pool_op_destroy, pool_op_tag,
#else
	table_op_set, table_op_fill, table_op_copy, table_op_move, table_op_split,
	table_op_clear, table_op_protect, table_op_read, table_op_harvest,
#endif
};

void main(void)
{
	struct batch batch = {
		.pool = (uint16_t)any_number(POOL_COUNT - 1),
		.caller = ANY_BOOL ? &caller : NULL,
		.scope = ANY_BOOL ? &space : NULL,
		.work_left = any_number(OP_WORK_MAX),
		.end = operations + OPERATIONS,
		.results = results,
		.result_count = any_number(OP_RESULTS_MAX),
		.result_max = OP_RESULTS_MAX,
	};
	status_t status;

	machine_any();
	operations[0].head = op_head(0, 0, any_number((1u << FRAME_NUMBER_BITS) - 1), FIRST, COUNT);
	status = run[any_number(sizeof(run) / sizeof(run[0]) - 1)](&batch, &operations[0]);
	(void)status;
	//@ check types_exist: \forall integer i; 0 <= i < PROVE_FRAMES ==> prove_frame_table[i].type < FRAME_TYPES;
	//@ check pools_exist: \forall integer i; 0 <= i < PROVE_FRAMES ==> prove_frame_table[i].pool < POOL_COUNT;
}
