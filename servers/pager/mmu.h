/*
 * The machine under the pager: what the core needs of the kernel, and nothing else.
 *
 * Operations (<faultline/op.h>) are put one behind the other into mmu_ops and run as one batch, by
 * mmu_run() or by the reply to the fault that they cure.  The core never touches a page table or a
 * client's page itself.  Two implementations: mmu_kernel.c makes kernel calls, the host's
 * (tests/host/pager_machine.c) runs the kernel's own table code over simulated RAM.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_MMU_H
#define PAGER_MMU_H

#include <faultline/frame.h>
#include <faultline/layout.h>
#include <faultline/op.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* The frame table, read-only (LAYOUT_VMEMMAP). */
extern const struct frame *mmu_frames;
/* Where operations are collected: room for OP_MAX_IN_PAGE of them. */
extern struct op *mmu_ops;
extern uint32_t mmu_count;
/* What the last mmu_run() answered.  Good until the next operation is added. */
extern const uint64_t *mmu_results;
extern uint32_t mmu_result_count;
/* A page of the pager's own that operations can name: payload on its way to or from clients. */
extern uint8_t *mmu_bounce;
extern pfn_t mmu_bounce_frame;

/* The message page: payload of messages, and, from its start on, the operations collected. */
static inline void *mmu_payload(void)
{
	return mmu_ops;
}

extern pfn_t mmu_zero_frame;
extern uint32_t mmu_levels;

static inline const struct frame *mmu_frame(pfn_t pfn)
{
	return &mmu_frames[pfn];
}

/* Put one more operation behind the others. */
static inline void mmu_add(uint64_t head, uint64_t a, uint64_t b)
{
	mmu_ops[mmu_count++] = (struct op){ head, a, b };
}

/* How many more operations fit. */
static inline uint32_t mmu_room(void)
{
	return (uint32_t)OP_MAX_IN_PAGE - mmu_count;
}

/*
 * Run the operations collected, to the end or to the first refusal (MORE is gone on with); then
 * none are collected.
 */
MUST_CHECK status_t mmu_run(void);

/* The same; *is_awaited: there may be a message to receive. */
MUST_CHECK status_t mmu_run_and_look(bool *is_awaited);

/* Make a batch that stopped with MORE at operation `index`, `entries` of it done, go on where
   it stopped. */
void mmu_resume(uint32_t index, uint32_t entries);

/* Answer a call or fault whose token was kept.  A caller that is gone is no error. */
void mmu_answer(uint64_t token, uint32_t label, uint64_t word0, uint64_t word1);

/* Set notification bits at the port behind one of the pager's own handles. */
void mmu_notify(uint32_t slot, uint64_t bits);

/* The pager's own handle table: copy with fewer rights, empty a slot, rights of a slot (0:
   empty). */
MUST_CHECK status_t mmu_handle_copy(uint32_t source, uint32_t target, uint32_t rights);
void mmu_handle_drop(uint32_t slot);
uint32_t mmu_handle_rights(uint32_t slot);

/* kernel_ok(): 0, or the number of the rule violated, with *where = frame. */
uint32_t mmu_check(uint64_t *where);

#endif
