/*
 * Running operations: the context of a batch, and the table of operations.
 *
 * An operation handler checks everything first and changes after; it returns a status and, when it
 * works on a run and stops inside it, leaves `done` = entries finished.  Operations are given in
 * memory that only the kernel writes: the caller has copied them out of the message page.
 *
 * Bounds: every handler takes its entries from work_left before it touches them (ST_MORE when none
 * is left) and asks for room before it removes something that must be reported (likewise).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_BATCH_H
#define KERNEL_BATCH_H

#include <faultline/op.h>
#include <faultline/status.h>

#define OP_HEAD_RESERVED (1ull << 35)
#define OP_HEAD_RARE	 (OP_HEAD_RESERVED | 0xff00u) /* the reserved bit, and all flags */

struct space;
struct thread;

struct batch {
	uint16_t pool;	       /* the caller's authority */
	struct thread *caller; /* its handle table is used by object operations; NULL on the host */
	struct space *scope;   /* what FLUSH_SPACE means; NULL: everything */
	uint32_t work_left;    /* entries that may still be touched */
	uint32_t done;	       /* entries finished by the operation that stopped, 0 if none did */
	const struct op
		*end; /* of the operations: a list (OP_FILL) lies behind its own, before this */
	uint32_t list_used; /* set by OP_FILL: operations' places that its list took */
	int tagged;	    /* set by OP_POOL_TAG: the pool remembers how far this batch gets */
	uint64_t *results;
	uint32_t result_count, result_max;
};

/* Run `count` operations.  *index = operations completed.  */
status_t batch_run(
	struct batch *batch, const struct op *ops, uint32_t count, uint32_t *index) MUST_CHECK;

/* Space left for n results?  batch_result must only be called when there is. */
static inline int batch_has_room(const struct batch *batch, uint32_t n)
{
	return batch->result_count + n <= batch->result_max;
}
static inline void batch_result(struct batch *batch, uint64_t value)
{
	batch->results[batch->result_count++] = value;
}

/* May `entries` more be touched?  Takes them if so. */
static inline int batch_take_work(struct batch *batch, uint32_t entries)
{
	if (entries > batch->work_left)
		return 0;
	batch->work_left -= entries;
	return 1;
}

/* Authority: the frame's entry when it belongs to the batch's pool or one below, else NULL. */
struct frame *batch_frame(const struct batch *batch, pfn_t pfn);

/* OP_SPACE_CREATE and later: kernel/object_ops.c (host: simulated). */
status_t object_operation(struct batch *batch, const struct op *op) MUST_CHECK;

/* One operation each, OP_NOP .. OP_FLUSH, as <faultline/op.h> describes it. */
typedef status_t operation_t(struct batch *batch, const struct op *op);
operation_t frame_op_retype, frame_op_zero, frame_op_copy, frame_op_hold, frame_op_release,
	frame_op_transfer, frame_op_lend; /* kernel/frame_op.c */
operation_t table_op_set, table_op_fill;  /* kernel/table.c */
operation_t table_op_copy, table_op_move; /* kernel/table_copy.c */
operation_t table_op_split;		  /* kernel/table_split.c */
operation_t block_op_keep;		  /* kernel/block.c */
operation_t table_op_clear, table_op_protect, table_op_read,
	table_op_harvest;					       /* kernel/table_run.c */
operation_t pool_op_create, pool_op_set, pool_op_destroy, pool_op_tag; /* kernel/pool_op.c */

#endif
