/*
 * Batches that a call could not finish (ST_MORE): what is left moves to the front (mmu.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "mmu.h"

/* The list of a fill lies behind it: frames that are done are left out. */
static void fill_advance(struct op *op, uint32_t entries)
{
	uint64_t *list = &op[1].head;

	for (uint32_t i = 0; i < entries; i++)
		list[i / 2] &= i % 2 == 0 ? ~(uint64_t)UINT32_MAX : (uint64_t)UINT32_MAX;
}

/* The rest of an operation that has done `entries` of its entries or frames. */
static void op_advance(struct op *op, uint32_t entries)
{
	uint32_t code = OP_CODE(op->head);
	uint64_t by_frame = (uint64_t)entries << OP_PFN_SHIFT;
	uint64_t by_index = (uint64_t)entries << OP_INDEX_SHIFT;

	if (entries == 0)
		return;
	if (code == OP_FILL && !(op->a & PTE_FRAME)) {
		fill_advance(op, entries);
		return;
	}
	op->head -= (uint64_t)entries << OP_COUNT_SHIFT;
	if (code == OP_FILL)
		op->a += (uint64_t)entries << PAGE_SHIFT;
	if (code == OP_RETYPE || code == OP_ZERO || code == OP_TRANSFER) {
		op->head += by_frame;
		return;
	}
	op->head += by_index;
	if (code == OP_COPY || code == OP_MOVE)
		op->a += (uint64_t)entries << 16;
}

/* See mmu.h. */
void mmu_resume(uint32_t index, uint32_t entries)
{
	for (uint32_t i = index; i < mmu_count; i++)
		mmu_ops[i - index] = mmu_ops[i];
	mmu_count -= index;
	op_advance(&mmu_ops[0], entries);
}
