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
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL	    1 /* the root pool */
#define CACHE_SLOTS 16384u

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

extern struct frame sim_frame_table[];
extern uint8_t sim_ram[][4096];

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

/* ---- translations ---- */

struct translation {
	pfn_t top;
	uint64_t page; /* plus 1; 0: none */
	pfn_t frame;
	uint64_t rights; /* PTE_W, PTE_NX as ANDed and ORed over the levels */
};
static struct translation cache[CACHE_SLOTS];
/* The same for leaf tables: page is the number of the 2 MiB, frame that of the table. */
static struct translation table_cache[CACHE_SLOTS];
static struct sim_flushes seen;

static struct translation *cache_slot(struct translation *slots, pfn_t top, uint64_t page)
{
	return &slots[(page * 31 + top * 7919u) % CACHE_SLOTS];
}

static bool slot_holds(const struct translation *slot, pfn_t top, uint64_t page)
{
	return slot->page == page && slot->top == top;
}

static void cache_drop_top(pfn_t top)
{
	for (uint32_t i = 0; i < CACHE_SLOTS; i++) {
		if (cache[i].top == top)
			cache[i].page = 0;
		if (table_cache[i].top == top)
			table_cache[i].page = 0;
	}
}

static void cache_drop_all(void)
{
	memset(cache, 0, sizeof(cache));
	memset(table_cache, 0, sizeof(table_cache));
}

static pfn_t top_of_kernel_space(const void *kernel_space)
{
	/* struct space of the kernel: id, then top */
	return *(const pfn_t *)(const void *)((const uint8_t *)kernel_space + sizeof(uint64_t));
}

/* Obey the flushes that the last batch made: all of one batch of the pager are of one space. */
static void cache_follow(void)
{
	if (sim_flushes.everything != seen.everything)
		cache_drop_all();
	else if (sim_flushes.space != seen.space)
		cache_drop_top(top_of_kernel_space(sim_flushes.last_space));
	seen = sim_flushes;
}

/* ---- batches ---- */

static status_t run_batch(const struct op *ops, uint32_t count, struct space *scope)
{
	struct batch batch = {
		.pool = POOL,
		.scope = scope,
		.work_left = OP_WORK_MAX,
		.results = outcome.results,
		.result_max = OP_RESULTS_MAX,
	};

	outcome.status = batch_run(&batch, ops, count, &outcome.index);
	outcome.done = batch.done;
	outcome.count = batch.result_count;
	cache_follow();
	return outcome.status;
}

status_t mmu_run(void)
{
	status_t status = ST_OK;

	mmu_result_count = 0;
	if (mmu_count > OP_MAX_IN_PAGE)
		fail("too many operations collected", mmu_count, 0);
	while (mmu_count != 0) {
		status = run_batch(mmu_ops, mmu_count, 0);
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
	static struct pager_boot boot;
	status_t status;

	sim_start(frames);
	cache_drop_all();
	seen = sim_flushes;
	machine_clear_heap();
	memset(handle_rights, 0, sizeof(handle_rights));
	mmu_frames = sim_frame_table;
	mmu_count = late_count = 0;
	mmu_levels = LAYOUT_LEVELS;
	mmu_zero_frame = SIM_ZERO_FRAME;
	mmu_bounce_frame = frames - 1;
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
			{ SIM_FIRST_FREE + 100, frames - SIM_FIRST_FREE - 101 } },
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
		return run_batch(in_registers, count, scope);
	memcpy(ops, mmu_ops, sizeof(ops));
	return run_batch(ops, count, scope);
}

/* Give the message to the pager and carry out its reply: false if it comes later. */
static bool exchange(struct message *message)
{
	enum reply_kind kind;
	struct space *space = space_find(message->badge);
	void *scope = space ? sim_ram[space->frame] : 0;

	mmu_count = 0;
	kind = serve_message(message);
	while (kind == REPLY_CURE) {
		uint64_t sent = message->tag;
		status_t status = run_reply(message, scope);

		message->w[0] = outcome.index;
		message->w[1] = outcome.done;
		message->w[2] = outcome.count;
		mmu_count = 0;
		machine_operations = TAG_OPS(sent);
		if (status == ST_OK && outcome.count == 0)
			return true;
		if (status == ST_OK)
			status = ST_RESULTS;
		kind = serve_refused(message, status, kind, sent);
		if (status == ST_RESULTS)
			return true;
	}
	return kind != REPLY_NONE;
}

/* See the header. */
const struct machine_answer *machine_call(const struct machine_request *request)
{
	static struct machine_answer answer;
	struct message message = {
		.tag = tag_make(request->label, request->bytes),
		.badge = request->badge,
		.token = next_token++,
	};
	uint64_t token = message.token;
	uint32_t label;

	memcpy(message.w, request->w, sizeof(request->w));
	if (request->bytes != 0)
		memcpy(message_page, request->payload, request->bytes);
	if (request->with_handle) {
		message.tag |= TAG_GOT_HANDLE;
		handle_rights[OWN_SLOT_RECEIVE] = RIGHT_SEND | RIGHT_MINT | RIGHT_GIVE;
	}
	memset(&answer, 0, sizeof(answer));
	if (exchange(&message)) {
		answer.status = (status_t)TAG_LABEL(message.tag);
		memcpy(answer.w, message.w, sizeof(answer.w));
		answer.bytes = TAG_BYTES(message.tag);
		memcpy(answer.payload, message_page, answer.bytes);
	} else {
		if (!late_wait(token, &label, &answer.w[0]))
			fail("no answer to a request", request->label, request->badge);
		answer.status = (status_t)label;
	}
	return &answer;
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
	const struct machine_answer *answer = machine_call(&request);

	if ((label == PAGER_SPACE_CREATE || label == PAGER_SPACE_FORK) && answer->status == ST_OK)
		cache_drop_top(space_find(answer->w[0])->top); /* a new identifier */
	return answer;
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

static bool translation_allows(const struct translation *found, uint32_t access)
{
	if (access & FAULT_WRITE)
		return found->rights & PTE_W;
	if (access & FAULT_FETCH)
		return !(found->rights & PTE_NX);
	return true;
}

static void slot_set(
	struct translation *slot, pfn_t top, uint64_t page, pfn_t frame, uint64_t rights)
{
	*slot = (struct translation){ .top = top, .page = page, .frame = frame, .rights = rights };
}

/* The walk from a leaf table that the processor remembers, or from the top. */
static uint8_t *walk(pfn_t top, uint64_t address, uint32_t access, uint32_t *error)
{
	uint64_t span = (address >> 21) + 1;
	struct translation *slot = cache_slot(table_cache, top, span);
	uint64_t words[8], upper = PTE_W;
	uint8_t *byte;

	if (slot_holds(slot, top, span) && (!(access & FAULT_WRITE) || slot->rights & PTE_W)) {
		const uint64_t *table = (const uint64_t *)(const void *)sim_ram[slot->frame];
		uint64_t entry = table[(address >> 12) & 511];
		bool allows = (entry & (PTE_P | PTE_U)) == (PTE_P | PTE_U) &&
			      (!(access & FAULT_WRITE) || entry & PTE_W) &&
			      (!(access & FAULT_FETCH) || !(entry & PTE_NX));

		if (allows)
			return &sim_ram[pte_pfn(entry)][address & 4095];
	}
	slot->page = 0;
	byte = sim_access(top, address, access, error);
	if (byte) {
		sim_fault_words(top, address, access, 0, words);
		for (uint32_t i = 0; i < LAYOUT_LEVELS - 1; i++)
			upper &= words[3 + i];
		slot_set(slot, top, span, pte_pfn(words[3 + LAYOUT_LEVELS - 2]), upper);
	}
	return byte;
}

/* A word through the cache, or by a walk that fills it; NULL and the error code if refused.  A
   fault drops what the processor remembers of this address, also of the tables above it, and
   nothing else. */
static uint64_t *translate(pfn_t top, uint64_t address, uint32_t access, uint32_t *error)
{
	uint64_t page = (address >> 12) + 1, rights = PTE_NX;
	struct translation *slot = cache_slot(cache, top, page);
	uint8_t *byte;

	if (slot_holds(slot, top, page) && translation_allows(slot, access))
		return (uint64_t *)(void *)&sim_ram[slot->frame][address & 4088];
	byte = walk(top, address & ~7ull, access, error);
	if (!byte) {
		if (slot_holds(slot, top, page))
			slot->page = 0;
		return 0;
	}
	if (access & FAULT_WRITE)
		rights |= PTE_W;
	if (access & FAULT_FETCH)
		rights &= ~PTE_NX;
	slot_set(slot, top, page, (pfn_t)((size_t)(byte - sim_ram[0]) >> 12), rights);
	return (uint64_t *)(void *)byte;
}

/* Send the fault to the pager: REASON_NONE to try again. */
static uint32_t send_fault(uint64_t space, pfn_t top, uint64_t address, uint32_t error)
{
	struct message message = {
		.tag = LABEL_FAULT | TAG_KERNEL,
		.badge = space,
		.token = next_token++,
	};
	uint64_t token = message.token, reason = 0;
	uint32_t label;

	sim_fault_words(top, address, error, 0x400000, message.w);
	machine_faults++;
	if (exchange(&message)) {
		label = TAG_LABEL(message.tag);
		reason = message.w[0];
	} else if (!late_wait(token, &label, &reason)) {
		return MACHINE_KILLED;
	}
	return label == FAULT_RESUME ? REASON_NONE : (uint32_t)reason;
}

/* See the header. */
uint32_t machine_access(uint64_t id, uint64_t address, uint32_t access, uint64_t *word)
{
	for (uint32_t tries = 0; tries < 64; tries++) {
		struct space *space = space_find(id);
		uint32_t error, reason;
		uint64_t *there;

		if (!space || space->state != SPACE_LIVE)
			return MACHINE_KILLED;
		there = translate(space->top, address, access, &error);
		if (there) {
			if (access & FAULT_WRITE)
				*there = *word;
			else
				*word = *there;
			return REASON_NONE;
		}
		reason = send_fault(id, space->top, address, error);
		if (reason != REASON_NONE)
			return reason;
	}
	fail("a fault without end", id, address);
	return REASON_NONE;
}

/* See the header. */
uint64_t machine_entry(uint64_t id, uint64_t address)
{
	struct space *space = space_find(id);
	uint64_t words[8], rights = PTE_P | PTE_W | PTE_U;

	sim_fault_words(space->top, address, 0, 0, words);
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
