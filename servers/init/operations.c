/*
 * One operation of the kernel at a time.
 *
 * Init is not in a hurry: it builds a handful of spaces.  One operation to a call keeps every
 * refusal at the line that caused it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "operations.h"

#include <call.h>

static int is_run_of_frames(uint32_t code)
{
	return code == OP_RETYPE || code == OP_ZERO || code == OP_TRANSFER;
}

/* What is left of an operation that did `done` of its frames. */
static struct op operation_rest(struct op op, uint32_t done)
{
	if (is_run_of_frames(OP_CODE(op.head)))
		op.head = op_head(OP_CODE(op.head), OP_FLAGS(op.head), OP_PFN(op.head) + done,
			OP_INDEX(op.head), OP_ENTRIES(op.head) - done);
	return op;
}

/* See the header. */
status_t operation_run_by(void *message_page, struct op op)
{
	struct batch_outcome outcome;
	status_t status;

	for (;;) {
		*(struct op *)message_page = op;
		status = kernel_batch_in_page(1, &outcome);
		if (status != ST_MORE)
			return status;
		op = operation_rest(op, (uint32_t)outcome.entries);
	}
}

/* See the header. */
status_t operation_run(struct op op)
{
	return operation_run_by(MESSAGE_PAGE, op);
}

/* See the header. */
status_t operation_ask(struct op op, uint64_t *result)
{
	struct batch_outcome outcome;
	status_t status;

	*(struct op *)MESSAGE_PAGE = op;
	status = kernel_batch_in_page(1, &outcome);
	if (status != ST_OK)
		return status;
	if (outcome.results < 1)
		return ST_EMPTY;
	*result = *(const uint64_t *)((const char *)MESSAGE_PAGE + OP_RESULTS_OFFSET);
	return ST_OK;
}
