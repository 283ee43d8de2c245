/*
 * The machine under the pager's core on the host (pager_machine.h).
 *
 * Implements servers/pager/mmu.h; heap.h is in pager_heap.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "pager_machine.h"

#include "../../servers/pager/check.h"
#include "../../servers/pager/fault.h"
#include "../../servers/pager/heap.h"
#include "../../servers/pager/job.h"
#include "../../servers/pager/request.h"
#include "../../servers/pager/serve.h"
#include "../../servers/pager/start.h"
#include "machine/memory.h"
#include "sim/processor.h"
#include "sim/sim.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL 1 /* the root pool */

/* ---- mmu.h ---- */

const struct frame *mmu_frames;
static _Alignas(4096) uint8_t message_page[4096];
struct op *mmu_ops = (struct op *)(void *)message_page;
uint32_t mmu_count;
static struct sim_result outcome;
const uint64_t *mmu_results = outcome.results;
uint32_t mmu_result_count;
uint8_t *mmu_bounce;
pfn_t mmu_bounce_frame;
pfn_t mmu_zero_frame;
uint32_t mmu_levels;

extern uint32_t frame_count; /* of the kernel */

uint64_t machine_faults, machine_notifications;
uint32_t machine_operations;
static uint64_t next_token;

static void fail(const char *what, uint64_t a, uint64_t b)
{
	printf("FAIL machine: %s (0x%llx, 0x%llx)\n", what, (unsigned long long)a,
		(unsigned long long)b);
	fflush(stdout);
	abort();
}

/* See the header. */
struct machine_watch machine_watch;
enum machine_plant machine_plant;
bool machine_shoots_down;

/* ---- flushes ---- */

/* Where the kernel flushes; on all processors.  Before it, others may run. */
static void obey_flush(struct space *kernel_space)
{
	if (machine_watch.between)
		machine_watch.between();
	if (!kernel_space)
		processors_flush_all();
	else if (machine_plant != PLANT_NO_FLUSH)
		processors_flush_space(frame_number(kernel_space));
}

/* ---- batches ---- */

/* Places of this operation: that of a fill may have a list behind it. */
static uint32_t op_places(const struct op *op, uint32_t rest)
{
	uint32_t places = 1;

	if (OP_CODE(op->head) == OP_FILL && !(op->a & PTE_FRAME))
		places += (OP_ENTRIES(op->head) + 5) / 6;
	return places < rest ? places : rest;
}

/* What happens to the operation if a fault is planted. */
static void plant_after(const struct op *op)
{
	uint64_t *target = frame_memory(OP_PFN(op->a) % SIM_FRAMES_MAX);
	uint32_t first = OP_INDEX(op->a);

	if (machine_plant != PLANT_KEEP_WRITE || OP_CODE(op->head) != OP_COPY)
		return;
	for (uint32_t i = first; i < first + OP_ENTRIES(op->head); i++)
		target[i] |= target[i] & PTE_P ? PTE_W : 0;
}

static bool plant_skips(const struct op *op)
{
	return machine_plant == PLANT_NO_COPY && OP_CODE(op->head) == OP_COPY_FRAME && op->b == 0;
}

/* Its identifier is never loaded again. */
static void forget_space(const struct op *op)
{
	if (OP_CODE(op->head) == OP_DESTROY && OP_PFN(op->head) < frame_count &&
		sim_frame_table[OP_PFN(op->head)].type == FRAME_SPACE)
		processors_flush_space(OP_PFN(op->head));
}

static status_t run_op(struct batch *batch, const struct op *op, uint32_t places)
{
	status_t status = ST_OK;
	uint32_t index;

	if (machine_watch.between)
		machine_watch.between();
	if (machine_watch.before)
		machine_watch.before(op);
	forget_space(op);
	if (!plant_skips(op))
		status = batch_run(batch, op, places, &index);
	if (status == ST_OK)
		plant_after(op);
	if (status == ST_OK && OP_CODE(op->head) == OP_SPACE_CREATE)
		processors_flush_space(OP_PFN(op->head)); /* a new identifier */
	if (machine_watch.after)
		machine_watch.after(op, status);
	return status;
}

/* One operation after the other: what a batch is. */
static status_t run_batch(uint16_t pool, const struct op *ops, uint32_t count, struct space *scope)
{
	struct batch batch = {
		.pool = pool,
		.scope = scope,
		.work_left = OP_WORK_MAX,
		.results = outcome.results,
		.result_max = OP_RESULTS_MAX,
	};

	outcome.status = ST_OK;
	outcome.index = 0;
	while (outcome.index < count && outcome.status == ST_OK) {
		const struct op *op = &ops[outcome.index];
		uint32_t places = op_places(op, count - outcome.index);

		outcome.status = run_op(&batch, op, places);
		outcome.index += outcome.status == ST_OK ? places : 0;
	}
	outcome.done = batch.done;
	outcome.count = batch.result_count;
	return outcome.status;
}

/* See the header. */
status_t machine_run(uint16_t pool, const struct op *ops, uint32_t count)
{
	return run_batch(pool, ops, count, 0);
}

/* See the header. */
const uint64_t *machine_results(uint32_t *count)
{
	*count = outcome.count;
	return outcome.results;
}

/* See mmu.h. */
status_t mmu_run(void)
{
	status_t status = ST_OK;

	mmu_result_count = 0;
	if (mmu_count > OP_MAX_IN_PAGE)
		fail("too many operations collected", mmu_count, 0);
	while (mmu_count != 0) {
		status = run_batch(POOL, mmu_ops, mmu_count, 0);
		mmu_result_count = outcome.count;
		if (status != ST_MORE)
			break;
		tables_collect(mmu_results, mmu_result_count);
		mmu_result_count = 0;
		mmu_resume(outcome.index, outcome.done);
	}
	mmu_count = 0;
	return status;
}

bool machine_awaited;

/* See mmu.h. */
status_t mmu_run_and_look(bool *is_awaited)
{
	*is_awaited = machine_awaited;
	return mmu_run();
}

/* ---- answers that come later ---- */

#define LATE_MAX 64
static struct {
	uint64_t token;
	uint32_t label;
	uint64_t w0, w1;
} late[LATE_MAX];
static uint32_t late_count;

void mmu_answer(uint64_t token, uint32_t label, uint64_t word0, uint64_t word1)
{
	if (late_count == LATE_MAX)
		memmove(&late[0], &late[1], sizeof(late[0]) * --late_count);
	late[late_count].token = token;
	late[late_count].label = label;
	late[late_count].w0 = word0;
	late[late_count++].w1 = word1;
}

static bool late_take(uint64_t token, uint32_t *label, uint64_t *w0)
{
	for (uint32_t i = 0; i < late_count; i++) {
		if (late[i].token != token)
			continue;
		*label = late[i].label;
		*w0 = late[i].w0;
		late[i] = late[--late_count];
		return true;
	}
	return false;
}

/* Let jobs run until the call or fault with this token is answered. */
static bool late_wait(uint64_t token, uint32_t *label, uint64_t *w0)
{
	for (uint32_t slices = 0; slices < 1000000; slices++) {
		if (late_take(token, label, w0))
			return true;
		if (!job_pending())
			return false;
		job_run_slice();
	}
	fail("no end of jobs", token, 0);
	return false;
}

/* ---- handles: what the handlers see ---- */

static uint32_t handle_rights[128];

void mmu_notify(uint32_t slot, uint64_t bits)
{
	(void)slot;
	machine_notifications += bits == PAGER_NOTIFY_VICTIM;
}

status_t mmu_handle_copy(uint32_t source, uint32_t target, uint32_t rights)
{
	if (handle_rights[target] != 0)
		return ST_BUSY;
	handle_rights[target] = rights;
	return handle_rights[source] != 0 || source == OWN_SLOT_PORT ? ST_OK : ST_BAD_HANDLE;
}

void mmu_handle_drop(uint32_t slot)
{
	handle_rights[slot] = 0;
}

uint32_t mmu_handle_rights(uint32_t slot)
{
	return handle_rights[slot];
}

uint32_t mmu_check(uint64_t *where)
{
	*where = 0;
	return 0;
}

/* ---- start ---- */

/* See the header. */
void machine_start(uint32_t frames)
{
	machine_start_without(frames, 0);
}

/* See the header. */
void machine_start_without(uint32_t frames, uint32_t kept)
{
	static struct pager_boot boot;
	status_t status;

	sim_start(frames);
	processors_start(PROCESSORS_MAX);
	sim_flush_hook = obey_flush;
	machine_clear_heap();
	memset(handle_rights, 0, sizeof(handle_rights));
	mmu_frames = sim_frame_table;
	mmu_count = late_count = 0;
	mmu_levels = LAYOUT_LEVELS;
	mmu_zero_frame = SIM_ZERO_FRAME;
	mmu_bounce_frame = frames - kept - 1;
	mmu_bounce = sim_ram[mmu_bounce_frame];
	if (sim_op(POOL, op_head(OP_RETYPE, 0, mmu_bounce_frame, 0, 1), FRAME_DATA, 0) != ST_OK)
		fail("no bounce page", 0, 0);
	boot = (struct pager_boot){
		.magic = PAGER_BOOT_MAGIC,
		.frame_count = frames,
		.zero_frame = SIM_ZERO_FRAME,
		.levels = LAYOUT_LEVELS,
		.reserve_frames = 32,
		.range_count = 2,
		.ranges = { { SIM_FIRST_FREE, 100 },
			{ SIM_FIRST_FREE + 100, frames - kept - SIM_FIRST_FREE - 101 } },
	};
	status = pager_start(&boot);
	if (status != ST_OK)
		fail("the pager does not start", status, 0);
	machine_faults = machine_notifications = 0;
	next_token = 1;
}

/* ---- carrying out replies ---- */

/* The operations of a reply, as the kernel finds them. */
static status_t run_reply(const struct message *message, struct space *scope)
{
	uint32_t count = TAG_OPS(message->tag);
	struct op in_registers[2] = {
		{ message->w[0], message->w[1], message->w[2] },
		{ message->w[3], message->w[4], message->w[5] },
	};
	struct op ops[OP_MAX_IN_PAGE];

	if (!(message->tag & TAG_OPS_IN_PAGE))
		return run_batch(POOL, in_registers, count, scope);
	memcpy(ops, mmu_ops, sizeof(ops));
	return run_batch(POOL, ops, count, scope);
}

/* Give the message to the pager and carry out its reply: false if it comes later, or if nobody is
   there to hear it (`lost`). */
static bool exchange(struct message *message, bool lost)
{
	enum reply_kind kind;
	struct space *space = space_find(message->badge);
	void *scope = space ? sim_ram[space->frame] : 0;

	mmu_count = 0;
	kind = serve_message(message);
	while (kind == REPLY_CURE || kind == REPLY_CHANGE) {
		uint64_t sent = message->tag;
		status_t status = lost ? ST_BAD_TOKEN : run_reply(message, scope);

		mmu_count = 0;
		if (lost)
			return serve_refused(message, status, kind, sent) != REPLY_NONE;
		message->w[0] = outcome.index;
		message->w[1] = outcome.done;
		message->w[2] = outcome.count;
		machine_operations = TAG_OPS(sent);
		if (status == ST_OK && outcome.count == 0)
			return true;
		if (status == ST_OK)
			status = ST_RESULTS;
		kind = serve_refused(message, status, kind, sent);
		if (status == ST_RESULTS)
			return true;
	}
	return kind != REPLY_NONE && !lost;
}

/* ---- requests ---- */

static struct message message_of(const struct machine_request *request)
{
	struct message message = {
		.tag = tag_make(request->label, request->bytes),
		.badge = request->badge,
		.token = next_token++,
	};

	memcpy(message.w, request->w, sizeof(request->w));
	if (request->bytes != 0)
		memcpy(message_page, request->payload, request->bytes);
	if (request->with_handle) {
		message.tag |= TAG_GOT_HANDLE;
		handle_rights[OWN_SLOT_RECEIVE] = RIGHT_SEND | RIGHT_MINT | RIGHT_GIVE;
	}
	return message;
}

/* See the header. */
uint64_t machine_send(const struct machine_request *request, const struct machine_answer **result)
{
	static struct machine_answer answer;
	struct message message = message_of(request);
	uint64_t token = message.token;

	*result = &answer;
	memset(&answer, 0, offsetof(struct machine_answer, payload));
	if (!exchange(&message, false))
		return token;
	answer.status = (status_t)TAG_LABEL(message.tag);
	memcpy(answer.w, message.w, sizeof(answer.w));
	answer.bytes = TAG_BYTES(message.tag);
	memcpy(answer.payload, message_page, answer.bytes);
	return 0;
}

/* See the header. */
const struct machine_answer *machine_call(const struct machine_request *request)
{
	static struct machine_answer result;
	const struct machine_answer *answer;
	uint64_t token = machine_send(request, &answer);
	uint32_t label;

	if (token == 0)
		return answer;
	memset(&result, 0, offsetof(struct machine_answer, payload));
	if (!late_wait(token, &label, &result.w[0]))
		fail("no answer to a request", request->label, request->badge);
	result.status = (status_t)label;
	return &result;
}

/* See the header. */
bool machine_take_late(uint64_t token, uint32_t *label, uint64_t *word)
{
	return late_take(token, label, word);
}

/* See the header. */
bool machine_cancel(uint64_t token)
{
	struct message message = { .tag = TAG_CANCEL, .token = token };

	return exchange(&message, false);
}

/* See the header. */
bool machine_slice(void)
{
	if (!job_pending())
		return false;
	job_run_slice();
	return true;
}

/* See the header. */
bool machine_is_busy(uint64_t id)
{
	const struct space *space = space_find(id);

	return space && space->job.kind != JOB_NONE;
}

/* See the header. */
const struct machine_answer *machine_system(uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2,
	uint64_t w3, uint64_t w4, uint64_t w5)
{
	const struct machine_request request = {
		.badge = BADGE_SYSTEM | 1,
		.label = label,
		.w = { w0, w1, w2, w3, w4, w5 },
	};

	return machine_call(&request);
}

/* See the header. */
const struct machine_answer *machine_program(uint64_t space, uint32_t label, uint64_t w0,
	uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4)
{
	const struct machine_request request = {
		.badge = space, .label = label, .w = { w0, w1, w2, w3, w4 }
	};

	return machine_call(&request);
}

/* ---- accesses ---- */

/* The kernel's look before it makes a message of a fault: has it been cured already? */
static bool fault_is_cured(const struct space *space, uint64_t address, uint32_t access)
{
	uint64_t words[8];

	sim_fault_words(space->top, address, access, 0, words);
	if (FAULT_LEVEL(words[1]) != 0)
		return false;
	processors_flush_space(space->frame);
	return true;
}

/* Send the fault to the pager: REASON_NONE to try again. */
static uint32_t send_fault(struct machine_access *access, const struct space *space, uint32_t error)
{
	struct message message = {
		.tag = LABEL_FAULT | TAG_KERNEL,
		.badge = access->space,
		.token = next_token++,
	};
	pfn_t frame = space->frame;

	access->token = message.token;
	sim_fault_words(space->top, access->address, error, 0x400000, message.w);
	machine_faults++;
	if (!exchange(&message, access->lost)) {
		if (access->lost)
			access->token = 0;
		return MACHINE_WAITS;
	}
	if (TAG_LABEL(message.tag) != FAULT_RESUME)
		return (uint32_t)message.w[0];
	if (machine_shoots_down)
		processors_flush_page(frame, access->address);
	return REASON_NONE;
}

/* See the header. */
uint32_t machine_try(struct machine_access *access)
{
	for (uint32_t tries = 0; tries < 64; tries++) {
		const struct space *space = space_find(access->space);
		uint32_t error, reason;
		uint64_t *there;

		if (!space || space->state != SPACE_LIVE)
			return MACHINE_KILLED;
		there = processor_access(
			access->processor, space->frame, access->address, access->access, &error);
		if (there && access->access & FAULT_WRITE)
			*there = access->word;
		if (there) {
			access->word = *there;
			return REASON_NONE;
		}
		if (fault_is_cured(space, access->address, access->access))
			continue;
		reason = send_fault(access, space, error);
		if (reason != REASON_NONE)
			return reason;
	}
	fail("a fault without end", access->space, access->address);
	return REASON_NONE;
}

/* See the header. */
uint32_t machine_access(uint64_t id, uint64_t address, uint32_t access, uint64_t *word)
{
	struct machine_access attempt = {
		.space = id, .address = address, .access = access, .word = *word
	};
	uint32_t reason, label = FAULT_RESUME;
	uint64_t late_reason;

	for (;;) {
		reason = machine_try(&attempt);
		if (reason != MACHINE_WAITS)
			break;
		if (!late_wait(attempt.token, &label, &late_reason))
			return MACHINE_KILLED;
		if (label != FAULT_RESUME)
			return (uint32_t)late_reason;
	}
	*word = attempt.word;
	return reason;
}

/* See the header. */
pfn_t machine_space_frame(uint64_t id)
{
	const struct space *space = space_find(id);

	return space ? space->frame : 0;
}

/* See the header. */
bool machine_space_has_thread(uint64_t id)
{
	const struct space *space = space_find(id);

	return space && frame_table[space->thread].type == FRAME_THREAD;
}

/* See the header. */
uint64_t machine_entry(uint64_t id, uint64_t address)
{
	struct space *space = space_find(id);
	uint64_t words[8], rights = PTE_P | PTE_W | PTE_U;

	sim_fault_words(space->top, address, 0, 0, words);
	if (words[5] & PTE_P && words[5] & PTE_PS) /* of its page */
		words[6] = (words[5] & ~(uint64_t)PTE_PS) + (address & 0x1ff000);
	for (uint32_t i = 0; i < LAYOUT_LEVELS; i++)
		rights &= words[3 + i];
	if (!(rights & PTE_P))
		return 0;
	return (words[2 + LAYOUT_LEVELS] & ~(PTE_P | PTE_W | PTE_U)) | rights;
}

/* See the header. */
void machine_check(void)
{
	uint64_t where = 0;
	uint32_t rule;

	sim_check();
	rule = pager_check(&where);
	if (rule != CHECK_OK)
		fail("a rule of the pager is violated", rule, where);
}

/* See the header. */
void machine_settle(void)
{
	if (machine_system(PAGER_SETTLE, 0, 0, 0, 0, 0, 0)->status != ST_OK)
		fail("settle", 0, 0);
}
