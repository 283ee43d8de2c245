/*
 * Batches as user mode sends them: from the message page or from the registers of a reply.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_BATCH_CALL_H
#define KERNEL_BATCH_CALL_H

#include <faultline/status.h>
#include "thread.h"

struct batch_request {
	uint32_t count;
	bool in_registers;   /* the first two are in the six message words */
	struct space *scope; /* what FLUSH_SPACE means; NULL: all spaces */
};

struct batch_progress {
	uint32_t index;   /* operations completed */
	uint32_t done;    /* entries of the one it stopped at */
	uint32_t results; /* words in the caller's message page */
};

/* Run the batch of `caller` under its space's pool.  Fills *progress in every case. */
status_t batch_call(struct thread *caller, const struct batch_request *request,
		    struct batch_progress *progress) MUST_CHECK;

#endif
