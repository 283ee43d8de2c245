/*
 * Running operations: the context of a batch, and the table of operations.
 *
 * An operation handler checks everything first and changes after; it returns a status and, with
 * ST_MORE, leaves `done` = entries finished.  The interpreter copies each operation out of the message
 * page once before anybody looks at it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_BATCH_H
#define KERNEL_BATCH_H

#include <faultline/op.h>
#include <faultline/status.h>

struct space;
struct thread;

struct batch {
	uint16_t pool;         /* the caller's authority */
	struct thread *caller; /* its handle table is used by object operations; NULL on the host */
	struct space *scope;   /* what FLUSH_SPACE means; NULL: everything */
	uint32_t work_left;    /* entries that may still be touched */
	uint32_t done;         /* of the operation that stopped with ST_MORE */
	const uint64_t *list;  /* words that follow the current operation (OP_FILL), already copied */
	uint32_t list_words;
	uint32_t list_used;    /* set by OP_FILL: words taken, a multiple of 3 */
	uint64_t *results;
	uint32_t result_count, result_max;
};

/* Run `count` operations.  *index = operations completed.  */
status_t batch_run(struct batch *batch, const struct op *ops, uint32_t count, uint32_t *index) MUST_CHECK;

/* Space left for n results?  batch_result must only be called when there is. */
static inline int batch_has_room(const struct batch *batch, uint32_t n)
{
	return batch->result_count + n <= batch->result_max;
}
static inline void batch_result(struct batch *batch, uint64_t value)
{
	batch->results[batch->result_count++] = value;
}

/* Authority: the frame's entry when it belongs to the batch's pool or one below, else NULL. */
struct frame *batch_frame(const struct batch *batch, pfn_t pfn);

/* OP_POOL_CREATE .. OP_DESTROY except pools: kernel/object.c (host: simulated). */
status_t object_operation(struct batch *batch, const struct op *op) MUST_CHECK;
/* Table operations: kernel/table.c. */
status_t table_operation(struct batch *batch, const struct op *op) MUST_CHECK;

#endif
