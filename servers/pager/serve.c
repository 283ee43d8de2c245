/*
 * Messages and replies (serve.h).
 *
 * Up to two operations travel in registers, more in the message page, where they were collected.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serve.h"

#include "account.h"
#include "blocks.h"
#include "fault_quick.h"
#include "large.h"
#include "request.h"
#include "request_quick.h"
#include "stat.h"

/* ---- faults ---- */

static enum reply_kind reply_plain(
	struct message *message, uint32_t label, uint64_t word0, uint64_t word1)
{
	message->tag = tag_make(label, 0);
	message->w[0] = word0;
	message->w[1] = word1;
	return REPLY_PLAIN;
}

/* The reply carries the operations collected, up to two of them in the words. */
static enum reply_kind reply_with_cure(struct message *message)
{
	message->tag = tag_make(FAULT_RESUME, 0) | (uint64_t)mmu_count << TAG_OPS_SHIFT;
	if (mmu_count == 0)
		return REPLY_PLAIN;
	if (mmu_count > OPS_IN_REGISTERS) {
		message->tag |= TAG_OPS_IN_PAGE;
		return REPLY_CURE;
	}
	message->w[0] = mmu_ops[0].head;
	message->w[1] = mmu_ops[0].a;
	message->w[2] = mmu_ops[0].b;
	message->w[3] = mmu_ops[1].head;
	message->w[4] = mmu_ops[1].a;
	message->w[5] = mmu_ops[1].b;
	return REPLY_CURE;
}

static enum reply_kind refuse_fault(
	struct space *space, struct message *message, uint32_t reason, uint64_t region_start)
{
	space->counters.faults_refused++;
	return reply_plain(message, FAULT_REFUSE, reason, region_start);
}

/* A fault in a space that is busy waits for the job; a victim's is never answered. */
static enum reply_kind postpone_fault(struct space *space, uint64_t token)
{
	if (space->state == SPACE_LIVE)
		space->waiting = token;
	return REPLY_NONE;
}

/* The cure of an access for which the path stands as given. */
static enum reply_kind cure_path(
	struct space *space, struct message *message, uint32_t access, struct path *path)
{
	uint64_t region_start = 0;
	uint32_t reason;

	frame_pool_class = space->class == CLASS_SERVER ? FRAMES_SERVER : FRAMES_PROGRAM;
	if (access & FAULT_RESERVED)
		reason = REASON_MALFORMED;
	else if (path->address >> SLOT_SHIFT == LAYOUT_MESSAGE >> SLOT_SHIFT)
		reason = fault_resolve_message(space, access, path);
	else
		reason = fault_resolve(space, access, path, &region_start);
	if (reason == REASON_NONE)
		return reply_with_cure(message);
	if (reason != FAULT_WAITS)
		return refuse_fault(space, message, reason, region_start);
	account_wait(space, message->token);
	return REPLY_NONE;
}

/* The same fault, by a look at the tables: what was tried first is taken back. */
static enum reply_kind cure_anew(
	struct space *space, struct message *message, uint64_t address, uint32_t access)
{
	struct path path;

	if (path_read(&path, space, address) != ST_OK)
		return refuse_fault(space, message, REASON_NO_MEMORY, 0);
	return cure_path(space, message, access, &path);
}

/* A large page, in slices: as long as nobody else waits, here. */
static __attribute__((noinline)) enum reply_kind cure_large(
	struct space *space, struct message *message, struct path *path)
{
	bool is_full, is_awaited;
	status_t status;

	large_begin(space, path);
	do {
		status = large_fill(space, &is_full, &is_awaited);
	} while (status == ST_OK && !is_full && !is_awaited);
	if (status == ST_OK && !is_full) {
		(void)job_begin(space, &status); /* its slices come later */
		return postpone_fault(space, message->token);
	}
	space->job.kind = JOB_NONE;
	if (status == ST_OK && space->job.leaf == 0) {
		large_add(space, path);
		return reply_with_cure(message);
	}
	if (status == ST_OK)
		status = large_map(space);
	if (status == ST_OK)
		return reply_plain(message, FAULT_RESUME, 0, 0);
	return cure_anew(space, message, message->w[0], (uint32_t)message->w[1]);
}

/* What fault_quick() leaves. */
static enum reply_kind cure_fault(struct space *space, struct message *message)
{
	struct path path;

	space->counters.faults++;
	path_from_entries(&path, space, message->w[0], &message->w[3]);
	blocks_refill();
	if (path.entry[1] == 0 && large_is_due(space, (uint32_t)message->w[1], &path))
		return cure_large(space, message, &path);
	return cure_path(space, message, (uint32_t)message->w[1], &path);
}

static enum reply_kind handle_fault(struct message *message)
{
	struct space *space;

	if (fault_quick(message) || fault_window(message))
		return REPLY_CURE;
	if (fault_refuse_quick(message))
		return REPLY_PLAIN;
	latest_settle();
	space = space_find(message->badge);
	if (!space)
		return reply_plain(message, FAULT_REFUSE, REASON_NO_REGION, 0);
	if (space->job.kind != JOB_NONE || space->state != SPACE_LIVE)
		return postpone_fault(space, message->token);
	return cure_fault(space, message);
}

/* ---- requests ---- */

static __attribute__((noinline)) enum reply_kind handle_request(struct message *message)
{
	struct request request = {
		.label = TAG_LABEL(message->tag),
		.badge = message->badge,
		.token = message->token,
		.bytes = TAG_BYTES(message->tag),
		.got_handle = message->tag & TAG_GOT_HANDLE,
		.w = message->w,
	};
	status_t status;

	pager_counters.requests++;
	status = request_handle(&request);
	blocks_refill();
	if (request.is_later)
		return REPLY_NONE;
	if (status != ST_OK)
		request.bytes = 0;
	request_copy_bytes(mmu_payload(), mmu_bounce, request.bytes);
	message->tag = tag_make((uint32_t)status, request.bytes) | (uint64_t)request.give
									   << TAG_HANDLE_SHIFT;
	return REPLY_PLAIN;
}

/* See the header. */
enum reply_kind serve_message(struct message *message)
{
	uint64_t kind = message->tag & TAG_KERNEL_BITS;
	enum reply_kind quick;

	tables_effort = 0;
	fault_settle();
	if (message->tag == (LABEL_FAULT | TAG_KERNEL))
		return handle_fault(message);
	quick = request_quick(message);
	if (quick != REPLY_NONE)
		return quick;
	latest_settle();
	pager_counters.messages++; /* faults are counted apart */
	if (kind == TAG_KERNEL)
		return reply_plain(message, FAULT_PARK, 0, 0); /* exceptions are not for the pager */
	if (kind & TAG_NOTIFICATION)
		return REPLY_NONE;
	if (kind & TAG_CANCEL)
		return job_cancel(message->token) ? reply_plain(message, ST_INTERRUPTED, 0, 0)
						  : REPLY_NONE;
	return handle_request(message);
}

/* ---- replies that were refused ---- */

/* The cure was refused at operation `index`: finish it, or take it back and refuse the fault. */
static enum reply_kind recover_cure(struct message *message, status_t status)
{
	uint32_t count = TAG_OPS(message->tag);
	bool is_guess = cure.is_guess;

	if (status == ST_MORE && message->tag & TAG_OPS_IN_PAGE) {
		mmu_count = count;
		mmu_resume((uint32_t)message->w[0], (uint32_t)message->w[1]);
		status = tables_run();
	}
	if (status == ST_OK)
		return reply_plain(message, FAULT_RESUME, 0, 0);
	fault_undo();
	if (status == ST_MISMATCH && is_guess)
		return cure_anew(cure.space, message, cure.address, cure.access); /* it was not as guessed */
	return reply_plain(message, FAULT_REFUSE, REASON_NO_MEMORY, 0);
}

/* The operation of an answer was refused, or not taken: the regions have changed, so the pages do. */
static enum reply_kind recover_change(struct message *message, status_t status)
{
	status_t now;

	mmu_add(request_quick_op.head, request_quick_op.a, request_quick_op.b);
	now = tables_run();
	return status == ST_BAD_TOKEN ? REPLY_NONE : reply_plain(message, (uint32_t)now, 0, 0);
}

/* See the header. */
enum reply_kind serve_refused(
	struct message *message, status_t status, enum reply_kind kind, uint64_t sent)
{
	latest_settle();
	if (status == ST_EMPTY)
		return REPLY_NONE; /* sent, and nothing to receive */
	if (status == ST_RESULTS) {
		tables_collect(mmu_results, (uint32_t)message->w[2]);
		return REPLY_NONE;
	}
	message->tag = sent;
	if (kind == REPLY_CHANGE)
		return recover_change(message, status);
	if (kind == REPLY_CURE && status != ST_BAD_TOKEN)
		return recover_cure(message, status);
	if (kind == REPLY_CURE)
		fault_undo(); /* the thread is gone */
	if (status == ST_BAD_TOKEN || sent == tag_make((uint32_t)status, 0))
		return REPLY_NONE;
	return reply_plain(message, (uint32_t)status, 0, 0); /* no page for the payload */
}
