/*
 * One operation of the kernel at a time, through the message page of init's first thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_OPERATIONS_H
#define INIT_OPERATIONS_H

#include <faultline/op.h>
#include <faultline/status.h>
#include <stdint.h>

/* An operation on one entry, one field, or one object. */
static inline struct op operation(uint32_t code, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b)
{
	return (struct op){ op_head(code, 0, pfn, index, 1), a, b };
}

/* An operation on frames in a row. */
static inline struct op operation_on_run(uint32_t code, pfn_t first, uint32_t count, uint64_t a)
{
	return (struct op){ op_head(code, 0, first, 0, count), a, 0 };
}

/* Runs the operation; goes on by itself as long as the kernel asks for more calls. */
status_t operation_run(struct op op) MUST_CHECK;

/* The same through another thread's message page. */
status_t operation_run_by(void *message_page, struct op op) MUST_CHECK;

/* Runs the operation and takes its first result word. */
status_t operation_ask(struct op op, uint64_t *result) MUST_CHECK;

#endif
