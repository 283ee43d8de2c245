/*
 * What the files of the model of messages share (message_model.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MESSAGE_MODEL_PARTS_H
#define MESSAGE_MODEL_PARTS_H

#include "message_model.h"

/* A set of refusals: one bit for each status; 0: nothing refuses. */
typedef uint64_t refusals_t;
#define REFUSAL(status) (1ull << (status))

#define MODEL_USER_FLAGS 0x240dd5ull /* CF PF AF ZF SF TF DF OF NT AC ID */
#define MODEL_FPU_START	 0x37full    /* the first word of an FPU area that was never used */

/* How far a batch came. */
struct model_progress {
	uint32_t index, done, results;
};

static inline bool model_is_canonical(uint64_t address)
{
	return address >> 47 == 0 || address >> 47 == 0x1ffff;
}

status_t model_refuse(struct model *model, pfn_t thread, refusals_t refusals);

/* Who waits first. */
int64_t model_stamp(struct model *model);
pfn_t model_first_receiver(const struct model *model, pfn_t port);
pfn_t model_first_waiter(const struct model *model, pfn_t port);

/* A thread goes to the end of the queue of its priority. */
void model_ready(struct model *model, pfn_t pfn);

/* A thread leaves the processor and waits at a port.  Returns who runs by direct switch; 0: it is
   queued. */
pfn_t model_send(struct model *model, pfn_t pfn, const struct model_ref *to, enum model_wait wait);

/* Give a receiver what the port holds; false: nothing. */
bool model_receive_now(struct model *model, pfn_t receiver, pfn_t port);

/* Words, bytes and handle of a call or reply. */
void model_move_message(struct model *model, pfn_t to, pfn_t from, uint64_t tag);

/* An exception, with its registers and reasons set, goes to whom it concerns. */
pfn_t model_route(struct model *model, pfn_t pfn);

/* The kernel is left: who runs? */
void model_leave(struct model *model, pfn_t preferred);

void model_notify(struct model *model, pfn_t port, uint64_t bits);
void model_serve_receivers(struct model *model, pfn_t port);
void model_park(struct model *model, pfn_t pfn);
pfn_t model_raise(struct model *model, pfn_t pfn);
void model_set_registers(struct model_thread *thread, const struct registers *from);
void model_new_thread(struct model *model, pfn_t pfn, pfn_t space, uint32_t priority);

/* Run a batch; 0 or the refusals of the operation that it must stop at. */
refusals_t model_batch(struct model *model, pfn_t caller, const struct op *ops, uint32_t count,
	struct model_progress *progress);

#endif
