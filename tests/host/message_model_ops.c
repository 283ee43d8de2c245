/*
 * The reference model of messages (message_model.h): the operations of batches, as far as the
 * histories use them.  Each first collects what refuses it, and changes something only when there
 * is nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "message_model_parts.h"
#include <stddef.h>
#include <string.h>

#define HEAD_RESERVED  (1ull << 35)
#define REGISTER_WORDS (sizeof(struct registers) / sizeof(uint64_t))
#define RAX_WORD       (offsetof(struct registers, rax) / sizeof(uint64_t))
#define IO_PORTS       0x10000u
#define LINES_ALL      0xffffu
#define RUN_MAX	       512u
#define LEAF_BITS      (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX | PTE_SOFT)

/* A batch that runs: whose authority, where results go. */
struct context {
	struct model *model;
	pfn_t caller;
	uint32_t pool;
	bool has_room; /* for results */
	struct model_progress *progress;
};

/* ---- parts ---- */

static void add_result(struct context *context, uint64_t value)
{
	uint8_t *page = context->model->page[context->model->batch_page];

	memcpy(page + OP_RESULTS_OFFSET + 8ull * context->progress->results++, &value, 8);
}

/* What the kernel gave as the result that is `ahead` of the next. */
static uint64_t learn_result(const struct context *context, uint64_t ahead)
{
	uint64_t value;

	memcpy(&value,
		model_view.memory(context->model->batch_page) + OP_RESULTS_OFFSET +
			8ull * (context->progress->results + ahead),
		8);
	return value;
}

static struct model_frame *owned(const struct context *context, uint64_t pfn)
{
	struct model_frame *frame;

	if (pfn >= MODEL_FRAMES)
		return NULL;
	frame = &context->model->frame[pfn];
	return model_pool_within(context->model, frame->pool, context->pool) ? frame : NULL;
}

static refusals_t refuse_type(const struct context *context, uint64_t pfn, uint32_t type)
{
	const struct model_frame *frame = owned(context, pfn);

	if (!frame)
		return REFUSAL(ST_BAD_FRAME);
	return frame->type == type ? 0 : REFUSAL(ST_WRONG_TYPE);
}

static bool is_unused(const struct context *context, pfn_t pfn)
{
	const struct model_frame *frame = &context->model->frame[pfn];

	return frame->refs == 0 && frame->holds == 0 && !frame->fixed &&
	       pfn != context->model->batch_page;
}

/* A frame that is to become an object. */
static refusals_t refuse_fresh(const struct context *context, uint64_t pfn)
{
	const struct model_frame *frame = owned(context, pfn);

	if (!frame)
		return REFUSAL(ST_BAD_FRAME);
	if (frame->type != FRAME_FREE && frame->type != FRAME_DATA)
		return REFUSAL(ST_WRONG_TYPE);
	return is_unused(context, (pfn_t)pfn) ? 0 : REFUSAL(ST_BUSY);
}

static void become(struct model *model, pfn_t pfn, uint32_t type)
{
	model->frame[pfn].type = type;
	model->frame[pfn].dirty = false;
	model->frame[pfn].serial = ++model->last_serial;
	memset(model->page[pfn], 0, PAGE_SIZE);
}

static struct model_space *caller_space(const struct context *context)
{
	return &context->model->space[context->model->thread[context->caller].space];
}

static struct model_handle *caller_handle(const struct context *context, uint64_t slot)
{
	return model_handle_at(context->model, context->model->thread[context->caller].space, slot);
}

/* ---- frames and entries ---- */

static bool is_for_choosing(uint64_t type)
{
	return type == FRAME_FREE || type == FRAME_DATA || type == FRAME_MSG ||
	       type == FRAME_TRACE || (type >= FRAME_L1 && type <= FRAME_L3);
}

static refusals_t retype_one(struct context *context, uint64_t pfn, uint64_t type)
{
	struct model_frame *frame = owned(context, pfn);

	if (!frame)
		return REFUSAL(ST_BAD_FRAME);
	if (!is_for_choosing(frame->type))
		return REFUSAL(ST_WRONG_TYPE);
	if (!is_unused(context, (pfn_t)pfn))
		return REFUSAL(ST_BUSY);
	frame->type = (uint32_t)type;
	frame->dirty = false;
	return 0;
}

static refusals_t transfer_one(struct context *context, uint64_t pfn, uint64_t pool)
{
	struct model_frame *frame = owned(context, pfn);

	if (!frame)
		return REFUSAL(ST_BAD_FRAME);
	if (frame->type != FRAME_FREE && frame->type != FRAME_DATA)
		return REFUSAL(ST_WRONG_TYPE);
	if (!is_unused(context, (pfn_t)pfn))
		return REFUSAL(ST_BUSY);
	frame->pool = (uint32_t)pool;
	frame->dirty = false;
	return 0;
}

static refusals_t on_run(struct context *context, const struct op *op,
	refusals_t (*step)(struct context *, uint64_t, uint64_t))
{
	uint32_t count = OP_ENTRIES(op->head);
	refusals_t refusals = 0;

	if (op->b || count == 0 || count > RUN_MAX)
		return REFUSAL(ST_BAD_ARGUMENT);
	for (uint32_t i = 0; i < count; i++) {
		refusals = step(context, OP_PFN(op->head) + i, op->a);
		context->progress->done = i;
		if (refusals)
			return refusals;
	}
	context->progress->done = 0;
	return 0;
}

static refusals_t op_retype(struct context *context, const struct op *op)
{
	return is_for_choosing(op->a) ? on_run(context, op, retype_one) : REFUSAL(ST_BAD_ARGUMENT);
}

static refusals_t op_transfer(struct context *context, const struct op *op)
{
	const struct model *model = context->model;
	uint32_t pool = (uint32_t)op->a;

	if (op->a >= MODEL_POOLS || !(model_pool_within(model, pool, context->pool) ||
					    model_pool_within(model, context->pool, pool)))
		return REFUSAL(ST_NO_RIGHT) | (op->b ? REFUSAL(ST_BAD_ARGUMENT) : 0);
	return on_run(context, op, transfer_one);
}

static refusals_t op_hold(struct context *context, const struct op *op, bool release)
{
	struct model_frame *frame = owned(context, OP_PFN(op->head));
	refusals_t refusals = op->a | op->b ? REFUSAL(ST_BAD_ARGUMENT) : 0;

	if (!frame)
		return refusals | REFUSAL(ST_BAD_FRAME);
	if (frame->type != FRAME_DATA && !(frame->type >= FRAME_L1 && frame->type <= FRAME_L3))
		return refusals | REFUSAL(ST_WRONG_TYPE);
	if (release && frame->holds == 0)
		refusals |= REFUSAL(ST_MISMATCH);
	if (!refusals)
		frame->holds = release ? frame->holds - 1 : frame->holds + 1;
	return refusals;
}

/* The frame whose references an entry counts; ZERO's are not counted. */
static struct model_frame *counted(struct context *context, uint64_t entry)
{
	struct model_frame *frame = &context->model->frame[pte_pfn(entry) % MODEL_FRAMES];

	return (entry & PTE_P) && frame->type != FRAME_ZERO ? frame : NULL;
}

static void drop_reference(struct context *context, uint64_t entry)
{
	struct model_frame *frame = counted(context, entry);

	if (!frame)
		return;
	frame->dirty = frame->dirty || (entry & PTE_D);
	if (--frame->refs == 0)
		add_result(context, (uint64_t)RESULT_FRAME << 60 |
					    (frame->dirty ? RESULT_DIRTY : 0) | pte_pfn(entry));
}

/* What a present entry must be: the bits, the frame. */
static refusals_t refuse_entry(const struct context *context, uint64_t entry, bool is_same)
{
	const struct model_frame *frame = owned(context, pte_pfn(entry));
	bool is_zero = pte_pfn(entry) < MODEL_FRAMES &&
		       context->model->frame[pte_pfn(entry)].type == FRAME_ZERO;
	refusals_t refusals = entry & ~(LEAF_BITS | PTE_FRAME) ? REFUSAL(ST_BAD_ARGUMENT) : 0;

	if (is_zero)
		return entry & PTE_W ? refusals | REFUSAL(ST_WRONG_TYPE) : refusals;
	if (!frame)
		return refusals | REFUSAL(ST_BAD_FRAME);
	if (frame->type == FRAME_MSG && frame->refs && !is_same)
		refusals |= REFUSAL(ST_LIMIT);
	if (frame->type != FRAME_DATA && frame->type != FRAME_MSG &&
		!(frame->type == FRAME_TRACE && !(entry & PTE_W)))
		refusals |= REFUSAL(ST_WRONG_TYPE);
	return refusals;
}

/* One entry of a leaf table. */
static refusals_t op_set(struct context *context, const struct op *op)
{
	pfn_t table = OP_PFN(op->head);
	uint64_t *entry =
		&context->model->leaf[table % MODEL_FRAMES][OP_INDEX(op->head) % MODEL_LEAVES];
	refusals_t refusals = refuse_type(context, table, FRAME_L1);
	uint64_t old = *entry, ignored = old & PTE_P ? PTE_A | PTE_D : 0;

	if (refusals)
		return refusals;
	if ((old ^ op->b) & ~ignored)
		refusals |= REFUSAL(ST_MISMATCH);
	if (op->a & PTE_P)
		refusals |= refuse_entry(
			context, op->a, (old & PTE_P) && pte_pfn(old) == pte_pfn(op->a));
	if (refusals)
		return refusals;
	if ((old & PTE_P) && (op->a & PTE_P) && pte_pfn(old) == pte_pfn(op->a)) {
		if ((old & PTE_D) && !(op->a & PTE_D) && counted(context, old))
			counted(context, old)->dirty = true;
		*entry = op->a;
		return 0;
	}
	if (counted(context, old) && counted(context, old)->refs == 1 && !context->has_room)
		return REFUSAL(ST_MORE);
	if (counted(context, op->a))
		counted(context, op->a)->refs++;
	*entry = op->a;
	drop_reference(context, old);
	return 0;
}

static refusals_t op_flush(struct context *context, const struct op *op)
{
	refusals_t refusals = op->a | op->b ? REFUSAL(ST_BAD_ARGUMENT) : 0;

	if (OP_PFN(op->head) == 0)
		return refusals;
	return refusals | refuse_type(context, OP_PFN(op->head), FRAME_SPACE);
}

/* ---- pools ---- */

/* Room for one more below this pool, and all above it. */
static bool has_room_below(const struct model *model, uint32_t pool)
{
	uint32_t depth = 0;

	for (uint32_t above = pool; above; above = model->pool[above].parent) {
		uint32_t below = 0;

		for (uint32_t other = 1; other < MODEL_POOLS; other++)
			below += other != above && model_pool_within(model, other, above);
		if (below >= model->pool[above].below_max || ++depth >= MODEL_POOL_DEPTH)
			return false;
	}
	return true;
}

static refusals_t op_pool_create(struct context *context, const struct op *op)
{
	struct model *model = context->model;
	struct model_pool pool = model->pool[context->pool];
	refusals_t refusals = op->b ? REFUSAL(ST_BAD_ARGUMENT) : 0;
	uint64_t number;

	if ((op->a && !(op->a & POOL_LIMITED)) ||
		(op->a & ~(POOL_LIMITED | POOL_LIMIT_PRIORITY | POOL_LIMIT_BELOW)))
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if ((op->a & POOL_LIMIT_PRIORITY) > pool.priority)
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (!has_room_below(model, context->pool))
		refusals |= REFUSAL(ST_LIMIT);
	if (!context->has_room)
		refusals |= REFUSAL(ST_MORE);
	if (refusals)
		return refusals;
	number = learn_result(context, 0);
	if (number == 0 || number >= MODEL_POOLS || model->pool[number].live)
		model_fail("a new pool has a number of its own");
	model->pool[number] = (struct model_pool){ .live = true,
		.parent = context->pool,
		.priority = op->a ? op->a & POOL_LIMIT_PRIORITY : pool.priority,
		.below_max = op->a ? (uint32_t)(op->a & POOL_LIMIT_BELOW) >> POOL_BELOW_SHIFT
				   : pool.below_max };
	add_result(context, number);
	return 0;
}

/* The caller's handle: empty is refused; whether it is stale is looked at when it is used. */
static refusals_t op_pool_set(struct context *context, const struct op *op)
{
	uint32_t slot = (uint32_t)op->b;
	const struct model_handle *handle = NULL;
	refusals_t refusals = 0;

	if (op->a >= MODEL_POOLS ||
		!model_pool_within(context->model, (uint32_t)op->a, context->pool))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (slot != 0) {
		if (slot < HANDLE_SLOTS && caller_space(context)->handle[slot].to.port)
			handle = &caller_space(context)->handle[slot];
		if (!handle)
			refusals |= REFUSAL(ST_BAD_HANDLE);
		else if (!(handle->rights & RIGHT_SEND))
			refusals |= REFUSAL(ST_NO_RIGHT);
	}
	if (refusals)
		return refusals;
	context->model->pool[op->a].port =
		handle ? (struct model_ref){ handle->to.port, handle->to.serial, 0, op->b >> 32 }
		       : (struct model_ref){ 0 };
	return 0;
}

static bool pool_is_used(const struct model *model, uint32_t pool)
{
	for (pfn_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		if (model->frame[pfn].pool == pool ||
			(model->frame[pfn].type == FRAME_SPACE && model->space[pfn].pool == pool))
			return true;
	for (uint32_t other = 1; other < MODEL_POOLS; other++)
		if (model->pool[other].live && model->pool[other].parent == pool)
			return true;
	return false;
}

static refusals_t op_pool_destroy(struct context *context, const struct op *op)
{
	refusals_t refusals = op->b ? REFUSAL(ST_BAD_ARGUMENT) : 0;
	uint32_t pool = (uint32_t)op->a;

	if (op->a >= MODEL_POOLS || pool == context->pool ||
		!model_pool_within(context->model, pool, context->pool))
		return refusals | REFUSAL(ST_NO_RIGHT);
	if (pool_is_used(context->model, pool))
		refusals |= REFUSAL(ST_BUSY);
	if (!refusals)
		context->model->pool[pool].live = false;
	return refusals;
}

static refusals_t op_pool_tag(struct context *context, const struct op *op, bool *tagged)
{
	struct model_pool *pool = &context->model->pool[context->pool];

	if (op->b)
		return REFUSAL(ST_BAD_ARGUMENT);
	if (op->a) {
		pool->tag = op->a;
		*tagged = true;
		return 0;
	}
	if (!context->has_room)
		return REFUSAL(ST_MORE);
	add_result(context, pool->tag);
	add_result(context, pool->tag_index);
	return 0;
}

/* ---- spaces and handles ---- */

static refusals_t op_space_create(struct context *context, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	uint32_t rights = (uint32_t)op->b, pool = (uint32_t)(op->b >> SPACE_POOL_SHIFT);
	uint32_t lacking = rights & ~caller_space(context)->flags & ~SPACE_FPU_NONE;
	bool pool_exists = pool == 0 || (pool < MODEL_POOLS && context->model->pool[pool].live);
	refusals_t refusals = refuse_fresh(context, pfn) | refuse_fresh(context, op->a);

	if (pfn == op->a || (rights & ~SPACE_RIGHTS) || !pool_exists)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (lacking || (pool && !model_pool_within(context->model, pool, context->pool)))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (refusals)
		return refusals;
	become(context->model, pfn, FRAME_SPACE);
	become(context->model, (pfn_t)op->a, FRAME_TOP);
	context->model->space[pfn] =
		(struct model_space){ .top = (pfn_t)op->a, .flags = rights, .pool = pool };
	return 0;
}

static refusals_t op_space_grant(struct context *context, const struct op *op)
{
	uint64_t first = op->a & UINT32_MAX, count = op->a >> 32;
	const struct model_space *giver = caller_space(context);
	struct model_space *space = &context->model->space[OP_PFN(op->head) % MODEL_FRAMES];
	refusals_t refusals = refuse_type(context, OP_PFN(op->head), FRAME_SPACE);

	if (first + count > IO_PORTS || op->b > LINES_ALL)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (count && (first < giver->io_first || first + count > giver->io_first + giver->io_count))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (op->b & ~(uint64_t)giver->lines)
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (refusals)
		return refusals;
	space->io_first = first;
	space->io_count = count;
	space->lines = (uint32_t)op->b;
	return 0;
}

static refusals_t op_handle_set(struct context *context, const struct op *op)
{
	uint32_t slot = OP_INDEX(op->head), rights = (uint32_t)(op->a >> 16) & RIGHT_ALL;
	const struct model_handle *source = caller_handle(context, op->a & 0xffff);
	refusals_t refusals = refuse_type(context, OP_PFN(op->head), FRAME_SPACE);
	struct model_handle handle = { 0 };

	if (slot == 0 || slot >= HANDLE_SLOTS || op->a >> 20)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (rights && !source)
		refusals |= REFUSAL(ST_BAD_HANDLE);
	if (rights && source &&
		((rights & ~source->rights) ||
			(op->b != source->to.badge && !(source->rights & RIGHT_MINT))))
		refusals |= REFUSAL(ST_NO_RIGHT);
	if (refusals)
		return refusals;
	if (rights) {
		handle = *source;
		handle.rights = rights;
		handle.to.badge = op->b;
	}
	context->model->space[OP_PFN(op->head)].handle[slot] = handle;
	return 0;
}

static refusals_t op_port_create(struct context *context, const struct op *op)
{
	uint32_t slot = OP_INDEX(op->head);
	pfn_t pfn = OP_PFN(op->head);
	refusals_t refusals = refuse_fresh(context, pfn);

	if (slot == 0 || slot >= HANDLE_SLOTS)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (caller_handle(context, slot))
		refusals |= REFUSAL(ST_BUSY);
	if (op->a | op->b)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals)
		return refusals;
	become(context->model, pfn, FRAME_PORT);
	context->model->notification[pfn] = 0;
	caller_space(context)->handle[slot] = (struct model_handle){
		.to = { .port = pfn, .serial = context->model->frame[pfn].serial },
		.rights = RIGHT_ALL,
	};
	return 0;
}

/* ---- threads ---- */

static struct model_thread *thread_at(const struct context *context, uint64_t pfn)
{
	return &context->model->thread[pfn % MODEL_FRAMES];
}

static bool is_at_rest(const struct model_thread *thread)
{
	return thread->state == MODEL_STOPPED || thread->state == MODEL_PARKED;
}

static refusals_t refuse_priority(const struct context *context, uint64_t priority)
{
	if (priority >= MODEL_PRIORITIES)
		return REFUSAL(ST_BAD_ARGUMENT);
	return priority > context->model->pool[context->pool].priority ? REFUSAL(ST_NO_RIGHT) : 0;
}

static refusals_t op_thread_create(struct context *context, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	refusals_t refusals = refuse_fresh(context, pfn) | refuse_type(context, op->a, FRAME_SPACE);

	refusals |= refuse_priority(context, op->b);
	if (refusals)
		return refusals;
	become(context->model, pfn, FRAME_THREAD);
	model_new_thread(context->model, pfn, (pfn_t)op->a, (uint32_t)op->b);
	return 0;
}

static refusals_t set_priority(struct context *context, pfn_t pfn, uint64_t priority)
{
	struct model_thread *thread = thread_at(context, pfn);

	refusals_t refusals = refuse_priority(context, priority);

	if (refusals)
		return refusals;
	thread->priority = thread->effective = (uint32_t)priority;
	if (thread->state == MODEL_QUEUED || (thread->state == MODEL_READY && thread->waiting))
		thread->stamp = model_stamp(context->model);
	return 0;
}

static refusals_t set_port(struct context *context, struct model_ref *ref, const struct op *op)
{
	const struct model_handle *handle = caller_handle(context, op->a);

	if (op->a == 0) {
		*ref = (struct model_ref){ 0 };
		return 0;
	}
	if (!handle)
		return REFUSAL(ST_BAD_HANDLE);
	if ((handle->rights & (RIGHT_SEND | RIGHT_MINT)) != (RIGHT_SEND | RIGHT_MINT))
		return REFUSAL(ST_NO_RIGHT);
	*ref = handle->to;
	ref->badge = op->b;
	return 0;
}

static refusals_t set_message(struct context *context, struct model_thread *thread, uint64_t pfn)
{
	refusals_t refusals;

	if (pfn) {
		refusals = refuse_type(context, pfn, FRAME_MSG);
		if (!refusals && context->model->frame[pfn].holds)
			refusals = REFUSAL(ST_BUSY);
		if (!refusals && pfn == context->model->batch_page)
			refusals = REFUSAL(ST_BUSY);
		if (refusals)
			return refusals;
		context->model->frame[pfn].holds = 1;
	}
	if (thread->message)
		context->model->frame[thread->message].holds = 0;
	thread->message = (pfn_t)pfn;
	return 0;
}

static refusals_t set_start(struct model_thread *thread, uint64_t rip, uint64_t rsp)
{
	struct registers start = { .rip = rip, .rsp = rsp };
	refusals_t refusals = 0;

	if (!is_at_rest(thread))
		refusals |= REFUSAL(ST_BUSY);
	if (!model_is_canonical(rip))
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!refusals)
		model_set_registers(thread, &start);
	return refusals;
}

static refusals_t op_thread_set(struct context *context, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	struct model_thread *thread = thread_at(context, pfn);
	refusals_t refusals = refuse_type(context, pfn, FRAME_THREAD);

	if (op->b && (OP_INDEX(op->head) == THREAD_FIELD_PRIORITY ||
			     OP_INDEX(op->head) == THREAD_FIELD_FS_BASE ||
			     OP_INDEX(op->head) == THREAD_FIELD_MESSAGE))
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals)
		return refusals;
	switch (OP_INDEX(op->head)) {
	case THREAD_FIELD_PRIORITY:
		return set_priority(context, pfn, op->a);
	case THREAD_FIELD_START:
		return set_start(thread, op->a, op->b);
	case THREAD_FIELD_ARGUMENTS:
		thread->registers.rdi = op->a;
		thread->registers.rsi = op->b;
		return 0;
	case THREAD_FIELD_FS_BASE:
		if (!model_is_canonical(op->a))
			return REFUSAL(ST_BAD_ARGUMENT);
		thread->fs_base = op->a;
		return 0;
	case THREAD_FIELD_FAULT_PORT:
		return set_port(context, &thread->fault_port, op);
	case THREAD_FIELD_EXCEPTION_PORT:
		return set_port(context, &thread->exception_port, op);
	case THREAD_FIELD_MESSAGE:
		return set_message(context, thread, op->a);
	case THREAD_FIELD_NAME:
		return 0;
	default:
		return REFUSAL(ST_BAD_ARGUMENT);
	}
}

static refusals_t op_thread_get(struct context *context, const struct op *op)
{
	const struct model_thread *thread = thread_at(context, OP_PFN(op->head));
	refusals_t refusals = refuse_type(context, OP_PFN(op->head), FRAME_THREAD);
	uint64_t words[REGISTER_WORDS];

	if (!refusals && thread->state == MODEL_READY)
		refusals |= REFUSAL(ST_BUSY);
	if (op->a | op->b)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (!refusals && (!context->has_room ||
				 context->progress->results + REGISTER_WORDS > OP_RESULTS_MAX))
		refusals |= REFUSAL(ST_MORE);
	if (refusals)
		return refusals;
	memcpy(words, &thread->registers, sizeof(words));
	/* What a waiting call will answer is not decided yet. */
	if (thread->state == MODEL_RECEIVING ||
		(thread->wait == MODEL_CALL &&
			(thread->state == MODEL_QUEUED || thread->state == MODEL_SERVED)))
		words[RAX_WORD] = learn_result(context, RAX_WORD);
	for (uint32_t i = 0; i < REGISTER_WORDS; i++)
		add_result(context, words[i]);
	return 0;
}

static refusals_t op_thread_clone(struct context *context, const struct op *op)
{
	struct model_thread *to = thread_at(context, OP_PFN(op->head));
	const struct model_thread *from = thread_at(context, op->a);
	refusals_t refusals = refuse_type(context, OP_PFN(op->head), FRAME_THREAD) |
			      refuse_type(context, op->a, FRAME_THREAD);

	if (!refusals && (to->state != MODEL_STOPPED || from->state == MODEL_READY))
		refusals |= REFUSAL(ST_BUSY);
	if (OP_PFN(op->head) == op->a || op->b)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals)
		return refusals;
	to->registers = from->registers;
	to->fs_base = from->fs_base;
	to->gs_base = from->gs_base;
	to->fpu = from->fpu;
	to->upcall_entry = from->upcall_entry;
	to->upcall_stack = from->upcall_stack;
	to->upcall_argument = from->upcall_argument;
	to->fault_port = from->fault_port;
	to->exception_port = from->exception_port;
	return 0;
}

static refusals_t op_thread_start(struct context *context, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	struct model_thread *thread = thread_at(context, pfn);
	bool answered = OP_FLAGS(op->head) & OP_START_ANSWER;
	refusals_t refusals = refuse_type(context, pfn, FRAME_THREAD);

	if (!refusals && !is_at_rest(thread))
		refusals |= REFUSAL(ST_BUSY);
	if (!answered && (op->a | op->b))
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals)
		return refusals;
	if (answered) {
		thread->registers.rax = ST_OK;
		thread->registers.rsi = op->a & ~TAG_KERNEL_BITS;
		thread->registers.rdx = op->b;
	}
	if (pfn == context->caller)
		thread->state = MODEL_READY;
	else
		model_ready(context->model, pfn);
	return 0;
}

static bool is_in_call(const struct model_thread *thread)
{
	return thread->state == MODEL_RECEIVING ||
	       ((thread->state == MODEL_QUEUED || thread->state == MODEL_SERVED) &&
		       thread->wait == MODEL_CALL);
}

static void withdraw(struct model_thread *thread)
{
	thread->state = MODEL_STOPPED;
	thread->port = 0;
	thread->cancel = false;
	thread->waiting = false;
}

/* A call that waits ends like this, and its thread runs on. */
static void end_call(struct model *model, pfn_t pfn, status_t status)
{
	model->happened[MODEL_ENDS]++;
	withdraw(&model->thread[pfn]);
	model->thread[pfn].registers.rax = status;
	model_ready(model, pfn);
}

static refusals_t op_thread_stop(struct context *context, const struct op *op)
{
	struct model_thread *thread = thread_at(context, OP_PFN(op->head));
	refusals_t refusals = refuse_type(context, OP_PFN(op->head), FRAME_THREAD);

	if (op->a | op->b)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals)
		return refusals;
	if (is_in_call(thread))
		thread->registers.rax = ST_INTERRUPTED;
	withdraw(thread);
	return 0;
}

static refusals_t op_thread_interrupt(struct context *context, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	struct model_thread *thread = thread_at(context, pfn);
	refusals_t refusals = refuse_type(context, pfn, FRAME_THREAD);

	if (op->a | op->b)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals || !is_in_call(thread))
		return refusals;
	if (thread->state == MODEL_SERVED) {
		thread->cancel = true;
		thread->stamp = model_stamp(context->model);
		model_serve_receivers(context->model, thread->port);
	} else {
		end_call(context->model, pfn, ST_INTERRUPTED);
	}
	return 0;
}

/* ---- ends ---- */

static refusals_t destroy_thread(struct context *context, pfn_t pfn)
{
	struct model_thread *thread = thread_at(context, pfn);

	if (pfn == context->caller)
		return REFUSAL(ST_BUSY);
	if (thread->message)
		context->model->frame[thread->message].holds = 0;
	memset(thread, 0, sizeof(*thread));
	become(context->model, pfn, FRAME_FREE);
	return 0;
}

static refusals_t destroy_space(struct context *context, pfn_t pfn)
{
	const struct model *model = context->model;

	if (model->space[pfn].has_tables)
		return REFUSAL(ST_BUSY);
	for (pfn_t other = 1; other < MODEL_FRAMES; other++)
		if (model->frame[other].type == FRAME_THREAD && model->thread[other].space == pfn)
			return REFUSAL(ST_BUSY);
	become(context->model, model->space[pfn].top, FRAME_FREE);
	become(context->model, pfn, FRAME_FREE);
	memset(&context->model->space[pfn], 0, sizeof(struct model_space));
	return 0;
}

/* Callers and receivers learn of it, threads with a fault or an exception are parked. */
static refusals_t destroy_port(struct context *context, pfn_t pfn)
{
	struct model *model = context->model;
	pfn_t waiter;

	model->frame[pfn].serial = ++model->last_serial;
	while ((waiter = model_first_waiter(model, pfn)) != 0) {
		if (is_in_call(&model->thread[waiter])) {
			end_call(model, waiter, ST_DEAD);
		} else {
			withdraw(&model->thread[waiter]);
			model_park(model, waiter);
		}
	}
	become(model, pfn, FRAME_FREE);
	return 0;
}

static refusals_t op_destroy(struct context *context, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	const struct model_frame *frame = owned(context, pfn);
	refusals_t refusals = op->a | op->b ? REFUSAL(ST_BAD_ARGUMENT) : 0;

	if (!frame)
		return refusals | REFUSAL(ST_BAD_FRAME);
	if (frame->type != FRAME_THREAD && frame->type != FRAME_SPACE && frame->type != FRAME_PORT)
		return refusals | REFUSAL(ST_WRONG_TYPE) | (frame->holds ? REFUSAL(ST_BUSY) : 0);
	if (refusals)
		return refusals;
	if (frame->type == FRAME_THREAD)
		return destroy_thread(context, pfn);
	return frame->type == FRAME_SPACE ? destroy_space(context, pfn)
					  : destroy_port(context, pfn);
}

static pfn_t first_served(const struct model *model, pfn_t port, bool cancel)
{
	pfn_t best = 0;

	for (pfn_t pfn = 1; pfn < MODEL_FRAMES; pfn++) {
		const struct model_thread *thread = &model->thread[pfn];

		if (model->frame[pfn].type == FRAME_THREAD && thread->state == MODEL_SERVED &&
			thread->port == port && thread->cancel == cancel &&
			(!best || thread->stamp < model->thread[best].stamp))
			best = pfn;
	}
	return best;
}

static refusals_t op_port_reset(struct context *context, const struct op *op)
{
	struct model *model = context->model;
	pfn_t port = OP_PFN(op->head), waiter;
	refusals_t refusals = refuse_type(context, port, FRAME_PORT);

	if (op->a | op->b)
		refusals |= REFUSAL(ST_BAD_ARGUMENT);
	if (refusals)
		return refusals;
	for (uint32_t cancel = 0; cancel < 2; cancel++) {
		while ((waiter = first_served(model, port, cancel)) != 0) {
			if (is_in_call(&model->thread[waiter])) {
				end_call(model, waiter, ST_DEAD);
			} else {
				model->thread[waiter].state = MODEL_QUEUED;
				model->thread[waiter].stamp = model_stamp(model);
			}
		}
	}
	model_serve_receivers(model, port);
	return 0;
}

/* ---- the batch ---- */

/* Flags that the operation knows. */
static uint32_t flags_of(uint32_t code)
{
	return code == OP_THREAD_START ? OP_START_ANSWER : 0;
}

static refusals_t object_operation(struct context *context, const struct op *op)
{
	if (OP_FLAGS(op->head) & ~flags_of(OP_CODE(op->head)))
		return REFUSAL(ST_BAD_ARGUMENT);
	switch (OP_CODE(op->head)) {
	case OP_SPACE_CREATE:
		return op_space_create(context, op);
	case OP_SPACE_GRANT:
		return op_space_grant(context, op);
	case OP_THREAD_CREATE:
		return op_thread_create(context, op);
	case OP_THREAD_SET:
		return op_thread_set(context, op);
	case OP_THREAD_GET:
		return op_thread_get(context, op);
	case OP_THREAD_CLONE:
		return op_thread_clone(context, op);
	case OP_THREAD_START:
		return op_thread_start(context, op);
	case OP_THREAD_STOP:
		return op_thread_stop(context, op);
	case OP_THREAD_INTERRUPT:
		return op_thread_interrupt(context, op);
	case OP_PORT_CREATE:
		return op_port_create(context, op);
	case OP_HANDLE_SET:
		return op_handle_set(context, op);
	case OP_DESTROY:
		return op_destroy(context, op);
	case OP_PORT_RESET:
		return op_port_reset(context, op);
	default:
		return REFUSAL(ST_BAD_CALL);
	}
}

static refusals_t frame_operation(struct context *context, const struct op *op, bool *tagged)
{
	if (OP_FLAGS(op->head) > (OP_CODE(op->head) == OP_SET ? FLUSH_ALL : 0))
		return REFUSAL(ST_BAD_ARGUMENT);
	switch (OP_CODE(op->head)) {
	case OP_NOP:
		return 0;
	case OP_RETYPE:
		return op_retype(context, op);
	case OP_SET:
		return op_set(context, op);
	case OP_HOLD:
		return op_hold(context, op, false);
	case OP_RELEASE:
		return op_hold(context, op, true);
	case OP_TRANSFER:
		return op_transfer(context, op);
	case OP_FLUSH:
		return op_flush(context, op);
	case OP_POOL_CREATE:
		return op_pool_create(context, op);
	case OP_POOL_SET:
		return op_pool_set(context, op);
	case OP_POOL_DESTROY:
		return op_pool_destroy(context, op);
	case OP_POOL_TAG:
		return op_pool_tag(context, op, tagged);
	default:
		model_fail("the model does not know this operation");
	}
}

static refusals_t operation(struct context *context, const struct op *op, bool *tagged)
{
	if (OP_CODE(op->head) >= OP_COUNT)
		return REFUSAL(ST_BAD_CALL) | REFUSAL(ST_BAD_ARGUMENT);
	if (op->head & HEAD_RESERVED)
		return REFUSAL(ST_BAD_ARGUMENT);
	if (OP_CODE(op->head) >= OP_SPACE_CREATE)
		return object_operation(context, op);
	return frame_operation(context, op, tagged);
}

refusals_t model_batch(struct model *model, pfn_t caller, const struct op *ops, uint32_t count,
	struct model_progress *progress)
{
	struct context context = {
		.model = model,
		.caller = caller,
		.pool = model->space[model->thread[caller].space].pool,
		.has_room = model->thread[caller].message != 0,
		.progress = progress,
	};
	refusals_t refusals = 0;
	bool tagged = false;

	model->batch_page = model->thread[caller].message;
	while (progress->index < count && !refusals) {
		refusals = operation(&context, &ops[progress->index], &tagged);
		if (!refusals)
			progress->index++;
	}
	model->batch_page = 0;
	if (tagged)
		model->pool[context.pool].tag_index = progress->index;
	return refusals;
}
