/*
 * One operation of the kernel at a time, through the message page of init's first thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_OPERATIONS_H
#define INIT_OPERATIONS_H

#include <stdint.h>
#include <faultline/op.h>
#include <faultline/status.h>

/* Runs the operation; goes on by itself as long as the kernel asks for more calls. */
status_t operation_run(struct op op) MUST_CHECK;

/* The same through another thread's message page. */
status_t operation_run_by(void *message_page, struct op op) MUST_CHECK;

/* Runs the operation and takes its first result word. */
status_t operation_ask(struct op op, uint64_t *result) MUST_CHECK;

#endif
