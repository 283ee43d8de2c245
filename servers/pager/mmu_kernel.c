/*
 * The machine under the pager, in the machine: kernel calls (interface: mmu.h).
 *
 * Operations are collected where the kernel reads them, at the start of the message page; results
 * appear behind them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "mmu.h"

#include "tables.h"

#include <call.h>
#include <faultline/slots.h>

const struct frame *mmu_frames = (const struct frame *)LAYOUT_VMEMMAP;
struct op *mmu_ops = MESSAGE_PAGE;
uint32_t mmu_count;
const uint64_t *mmu_results = (const uint64_t *)(LAYOUT_MESSAGE + OP_RESULTS_OFFSET);
uint32_t mmu_result_count;
uint8_t *mmu_bounce;
pfn_t mmu_bounce_frame;
pfn_t mmu_zero_frame;
uint32_t mmu_levels;

/* With BATCH_LOOK in `look`, *waits is what the kernel said of waiting messages last. */
static inline status_t run(uint64_t look, uint64_t *waits)
{
	struct batch_outcome outcome;
	status_t status = ST_OK;

	mmu_result_count = 0;
	while (mmu_count != 0) {
		status = kernel_batch_in_page(mmu_count | look, &outcome);
		*waits = outcome.results & BATCH_NOTHING_WAITS;
		mmu_result_count = (uint32_t)outcome.results;
		if (status != ST_MORE)
			break;
		tables_collect(mmu_results, mmu_result_count);
		mmu_result_count = 0;
		mmu_resume((uint32_t)outcome.done, (uint32_t)outcome.entries);
	}
	mmu_count = 0;
	return status;
}

/* See mmu.h. */
status_t mmu_run(void)
{
	uint64_t unused;

	return run(0, &unused);
}

/* See mmu.h. */
status_t mmu_run_and_look(bool *is_awaited)
{
	uint64_t nothing = 0;
	status_t status = run(BATCH_LOOK, &nothing);

	*is_awaited = nothing == 0;
	return status;
}

/* See mmu.h. */
void mmu_answer(uint64_t token, uint32_t label, uint64_t word0, uint64_t word1)
{
	struct message message = {
		.tag = tag_make(label, 0),
		.w = { word0, word1 },
		.token = token,
	};

	/* Refused only if the caller is gone. */
	(void)ipc_reply_receive(SLOT_SELF | RR_REPLY, &message);
}

/* See mmu.h. */
void mmu_notify(uint32_t slot, uint64_t bits)
{
	/* Nobody may have registered: then nobody wants to hear. */
	(void)kernel_notify(slot, bits);
}

/* See mmu.h. */
status_t mmu_handle_copy(uint32_t source, uint32_t target, uint32_t rights)
{
	return kernel_call(CALL_HANDLE, HANDLE_COPY, source, target, rights, 0, 0, 0);
}

/* See mmu.h. */
void mmu_handle_drop(uint32_t slot)
{
	/* An empty slot stays empty. */
	(void)kernel_call(CALL_HANDLE, HANDLE_DROP, slot, 0, 0, 0, 0, 0);
}

/* See mmu.h. */
uint32_t mmu_handle_rights(uint32_t slot)
{
	uint64_t out[3];

	if (kernel_call(CALL_HANDLE, HANDLE_LOOK, slot, 0, 0, 0, 0, out) != ST_OK)
		return 0;
	return (uint32_t)out[0];
}

/* See mmu.h. */
uint32_t mmu_check(uint64_t *where)
{
	uint64_t out[3];

	if (kernel_call(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0, 0, out) == ST_OK)
		return 0;
	*where = out[0];
	return out[1] != 0 ? (uint32_t)out[1] : 1;
}
