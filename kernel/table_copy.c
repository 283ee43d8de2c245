/*
 * Copying and moving a run of entries between tables of one level.
 *
 * The target's run must be empty (checked before the first change).  A copy takes W from both
 * sides, unless the entry's owner marked it SHARED; a move keeps the entry as it is, so its target
 * is counted once all the while.  Nobody needs authority over the frames that the entries name:
 * rights do not grow, and the tables (both are written) must be the caller's.
 *
 * The message slot of a space is never copied or moved.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"

/* Two runs of `count` entries each, in tables of one level. */
struct transfer {
	struct table from, to;
	uint64_t *source, *target; /* their first entries */
	uint32_t wanted, count;	   /* of the operation; as the work limit allows */
};

#define TARGET_RESERVED \
	(~(((1ull << FRAME_NUMBER_BITS) - 1) << OP_PFN_SHIFT | (uint64_t)0x1ff << OP_INDEX_SHIFT))

static bool slots_are_copied(const struct table *table, uint32_t first, uint32_t count)
{
	return table->frame->type != FRAME_TOP || table_top_slots(first, count) != SLOTS_MESSAGE;
}

static bool runs_overlap(uint32_t first, uint32_t second, uint32_t count)
{
	return first < second + count && second < first + count;
}

/* The empty table needs no look; else every entry of the run does. */
static bool target_is_empty(const struct transfer *transfer)
{
	return transfer->to.frame->live == 0 ||
	       entries_skip_zero(transfer->target, 0, transfer->count) == transfer->count;
}

static status_t transfer_open(struct batch *batch, const struct op *op, struct transfer *transfer)
{
	uint32_t first = OP_INDEX(op->a);
	struct run run;
	status_t status = run_open(batch, op, &run);

	if (status != ST_OK)
		return status;
	if (op->b || (op->a & TARGET_RESERVED) || first + run.count > TABLE_ENTRIES)
		return ST_BAD_ARGUMENT;
	status = table_open(batch, OP_PFN(op->a), first, run.count, &transfer->to);
	if (status != ST_OK)
		return status;
	if (run.table.frame->type != transfer->to.frame->type)
		return ST_WRONG_TYPE;
	if (!slots_are_copied(&run.table, run.first, run.count) ||
		!slots_are_copied(&transfer->to, first, run.count))
		return ST_NO_RIGHT;
	if (run.table.frame == transfer->to.frame && runs_overlap(run.first, first, run.count))
		return ST_BAD_ARGUMENT;
	transfer->from = run.table;
	transfer->source = &run.table.entries[run.first];
	transfer->target = &transfer->to.entries[first];
	transfer->wanted = run.count;
	transfer->count = run_take(batch, run.count);
	return target_is_empty(transfer) ? ST_OK : ST_MISMATCH;
}

/* The counts of the tables after entries have come to the target. */
static void transfer_close(const struct transfer *transfer, uint32_t copied)
{
	transfer->to.frame->live = (uint16_t)(transfer->to.frame->live + copied);
	if (copied != 0)
		transfer->to.frame->flags |= transfer->from.frame->flags & FRAME_SPECIAL;
}

static status_t transfer_status(struct batch *batch, const struct transfer *transfer)
{
	batch->done = transfer->count;
	return transfer->count == transfer->wanted ? ST_OK : ST_MORE;
}

/* Each entry with all checks.  Returns how many are done; *status says why it stopped, *copied
   what came. */
static uint32_t copy_checked(
	const struct transfer *transfer, uint32_t from, uint32_t *copied, status_t *status)
{
	uint32_t i = entries_skip_zero(transfer->source, from, transfer->count);

	for (; i < transfer->count;
		i = entries_skip_zero(transfer->source, i + 1, transfer->count)) {
		uint64_t entry = transfer->source[i];

		if (entry & PTE_P) {
			*status = entry_can_count(entry);
			if (*status != ST_OK)
				break;
			entry_count_again(entry);
			entry = entry_without_write(&transfer->source[i], entry);
		}
		transfer->target[i] = entry;
		(*copied)++;
	}
	return i;
}

/* Eights of a plain table, until all its entries are met.  Returns how many are done. */
static uint32_t copy_plain(const struct transfer *transfer, uint32_t *copied)
{
	uint32_t live = transfer->from.frame->live, i;

	for (i = 0; i + 8 <= transfer->count; i += 8) {
		if (*copied == live)
			return transfer->count;
		*copied += entries_share(&transfer->source[i], &transfer->target[i]);
	}
	return i;
}

/* Copy a run; both sides lose W unless SHARED. */
status_t table_op_copy(struct batch *batch, const struct op *op)
{
	struct transfer transfer;
	uint32_t copied = 0, done = 0;
	status_t status = transfer_open(batch, op, &transfer);

	if (status != ST_OK)
		return status;
	if (likely(!table_counts_may_refuse(transfer.from.frame)))
		done = copy_plain(&transfer, &copied);
	done = copy_checked(&transfer, done, &copied, &status);
	transfer_close(&transfer, copied);
	batch->done = done;
	return status == ST_OK ? transfer_status(batch, &transfer) : status;
}

/* Move a run: the source becomes 0, nothing loses W. */
status_t table_op_move(struct batch *batch, const struct op *op)
{
	struct transfer transfer;
	uint32_t moved = 0, i;
	status_t status = transfer_open(batch, op, &transfer);

	if (status != ST_OK)
		return status;
	for (i = entries_skip_zero(transfer.source, 0, transfer.count); i < transfer.count;
		i = entries_skip_zero(transfer.source, i + 1, transfer.count)) {
		transfer.target[i] = __atomic_exchange_n(&transfer.source[i], 0, __ATOMIC_RELAXED);
		moved++;
	}
	transfer_close(&transfer, moved);
	transfer.from.frame->live = (uint16_t)(transfer.from.frame->live - moved);
	return transfer_status(batch, &transfer);
}
