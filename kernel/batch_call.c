/*
 * Batches as user mode sends them.
 *
 * The operations are copied to the kernel's stack before anything looks at them, so a second
 * writer of the message page cannot change them between check and use.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "batch_call.h"
#include "batch.h"
#include "call_table.h"
#include "ipc.h"
#include "log.h"
#include "percpu.h"
#include "record.h"

#define OPS_IN_REGISTERS 2u

static void copy_from_registers(struct op *ops, const struct registers *registers)
{
	ops[0] = (struct op){ registers->rdx, registers->r10, registers->r8 };
	ops[1] = (struct op){ registers->r9, registers->r12, registers->r13 };
}

/* Operations beyond the two in registers start the message page. */
static status_t operations_copy(struct thread *caller, const struct batch_request *request,
				struct op *ops)
{
	uint32_t in_registers = request->in_registers ? OPS_IN_REGISTERS : 0;

	if (request->count == 0 || request->count > OP_MAX_IN_PAGE)
		return ST_BAD_ARGUMENT;
	if (request->in_registers)
		copy_from_registers(ops, &caller->registers);
	if (request->count <= in_registers)
		return ST_OK;
	if (!caller->message)
		return ST_NO_PAGE;
	memory_copy_words(ops + in_registers, frame_memory(caller->message),
			  (request->count - in_registers) * (sizeof(struct op) / 8));
	return ST_OK;
}

/* Results go to the caller's message page, which is held meanwhile: an operation of this very
   batch might give it another use. */
static status_t results_hold(struct batch *batch, pfn_t message)
{
	status_t status;

	if (!message)
		return ST_OK;
	status = frame_hold(message);
	if (status != ST_OK)
		return status;
	batch->results = (uint64_t *)((uint8_t *)frame_memory(message) + OP_RESULTS_OFFSET);
	batch->result_max = OP_RESULTS_MAX;
	return ST_OK;
}

status_t batch_call(struct thread *caller, const struct batch_request *request,
		    struct batch_progress *progress)
{
	struct op ops[OP_MAX_IN_PAGE + OPS_IN_REGISTERS];
	struct batch batch;
	pfn_t message = caller->message;
	status_t status;

	*progress = (struct batch_progress){ 0 };
	if (!caller->space->pool)
		return ST_NO_RIGHT;
	status = operations_copy(caller, request, ops);
	if (status != ST_OK)
		return status;
	batch = (struct batch){
		.pool = caller->space->pool,
		.caller = caller,
		.scope = request->scope,
		.work_left = OP_WORK_MAX,
	};
	status = results_hold(&batch, message);
	if (status != ST_OK)
		return status;
	status = batch_run(&batch, ops, request->count, &progress->index);
	if (message)
		frame_release(message);
	progress->done = batch.done;
	progress->results = batch.result_count;
	counters.operations += progress->index;
	if (status != ST_OK) {
		counters.operations_refused++;
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): filled by `rep movsq` */
		record_add(RECORD_REFUSED, (uint32_t)status, frame_number(caller), progress->index,
			   ops[progress->index < request->count ? progress->index : 0].head, 0);
	}
	return status;
}

/* BATCH: rdi = number of operations in the message page, perhaps BATCH_LOOK. */
struct thread *call_batch(struct thread *thread)
{
	struct batch_request request = { .count = UINT32_MAX };
	struct batch_progress progress;
	bool looks = thread->registers.rdi & BATCH_LOOK; /* an operation may change its own registers */
	uint64_t count = thread->registers.rdi & ~BATCH_LOOK;
	status_t status;

	if (count <= OP_MAX_IN_PAGE)
		request.count = (uint32_t)count;
	status = batch_call(thread, &request, &progress);
	thread->registers.rax = status;
	thread->registers.rdx = progress.index;
	thread->registers.r10 = progress.done;
	thread->registers.r8 = progress.results;
	if (unlikely(looks) && ipc_nothing_waits(thread))
		thread->registers.r8 |= BATCH_NOTHING_WAITS;
	return NULL;
}
