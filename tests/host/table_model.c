/*
 * The reference model (see table_model.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "table_model.h"
#include <faultline/layout.h>
#include <string.h>

#define BITS_LEAF     (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX | PTE_SOFT)
#define BITS_LINK     (PTE_P | PTE_W | PTE_U | PTE_A | PTE_SOFT)
#define NUMBER(entry) (((entry)&PTE_FRAME) >> 12)

/* See table_model.h. */
void model_start(struct model *model)
{
	memset(model, 0, sizeof(*model));
	for (uint32_t i = 3; i < MODEL_FRAMES; i++)
		model->frame[i] = (struct model_frame){ .type = FRAME_FREE, .pool = 1 };
	model->frame[1].type = FRAME_KERNEL;
	model->frame[2].type = FRAME_ZERO;
	model->limit = UINT32_MAX;
}

/* See table_model.h. */
bool model_pool_within(const struct model *model, uint32_t pool, uint32_t holder)
{
	while (pool != 0 && pool < MODEL_POOLS && pool != holder)
		pool = model->parent[pool];
	return pool != 0 && pool == holder;
}

/* See table_model.h. */
uint32_t model_level(const struct model *model, uint64_t pfn)
{
	switch (pfn < MODEL_FRAMES ? model->frame[pfn].type : FRAME_NONE) {
	case FRAME_L1:
		return 1;
	case FRAME_L2:
		return 2;
	case FRAME_L3:
		return 3;
	case FRAME_TOP:
		return 4;
	default:
		return 0;
	}
}

static bool owns(const struct model *model, const struct model_call *call, uint64_t pfn)
{
	return pfn < MODEL_FRAMES && model->frame[pfn].type != FRAME_NONE &&
	       model_pool_within(model, model->frame[pfn].pool, call->pool);
}

static bool may_use(const struct model *model, const struct model_call *call, uint64_t pfn)
{
	return owns(model, call, pfn) ||
	       (pfn < MODEL_FRAMES && model->frame[pfn].lent_to != 0 &&
		       model_pool_within(model, model->frame[pfn].lent_to, call->pool));
}

static void full_flush(struct model *model)
{
	for (uint32_t i = 0; i < MODEL_FRAMES; i++)
		model->frame[i].stale = false;
	model->full_flushes++;
}

static uint64_t short_limit(const struct model *model)
{
	return model->limit < 65535 ? model->limit : 65535;
}

static bool unused(const struct model_frame *frame)
{
	return !frame->refs && !frame->holds && !frame->live && !frame->lent_to && !frame->in_block;
}

static bool has_room(const struct model_call *call, uint32_t words)
{
	return call->result_count + words <= call->room;
}

static void report(struct model_call *call, uint64_t word)
{
	call->results[call->result_count++] = word;
}

static bool pay(struct model_call *call, uint64_t work)
{
	if (call->work < work)
		return false;
	call->work -= work;
	return true;
}

/* Slots of a top-level table: 'u'ser, 'v'malloc, 'm'essage, or 0 for the kernel's. */
static char slot_kind(uint64_t slot)
{
	return slot < 256 ? 'u' : slot >= 402 && slot <= 465 ? 'v' : slot == 466 ? 'm' : 0;
}

static bool slots_ok(uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++)
		if (slot_kind(i) == 0 || slot_kind(i) != slot_kind(first))
			return false;
	return true;
}

static status_t table_named(const struct model *model, const struct model_call *call, uint64_t pfn,
	uint64_t first, uint64_t count)
{
	if (!owns(model, call, pfn))
		return ST_BAD_FRAME;
	if (model_level(model, pfn) == 0)
		return ST_WRONG_TYPE;
	return model_level(model, pfn) == 4 && !slots_ok(first, count) ? ST_NO_RIGHT : ST_OK;
}

/* ---- entries ---- */

/* Are the frames from here on a block, or may the caller make them one? */
static status_t block_allowed(const struct model *model, struct model_call *call, uint64_t head)
{
	if (head + 512 > MODEL_FRAMES || !owns(model, call, head))
		return ST_BAD_FRAME;
	if (model->frame[head].in_block)
		return ST_OK;
	if (!pay(call, 512))
		return ST_MORE;
	for (uint64_t i = head; i < head + 512; i++) {
		if (model->frame[i].type == FRAME_NONE ||
			model->frame[i].pool != model->frame[head].pool)
			return ST_BAD_FRAME;
		if (model->frame[i].type != FRAME_DATA)
			return ST_WRONG_TYPE;
		if (model->frame[i].lent_to)
			return ST_BUSY;
	}
	return ST_OK;
}

static status_t large_allowed(const struct model *model, struct model_call *call, uint64_t entry)
{
	uint64_t head = NUMBER(entry);

	if ((entry & ~(BITS_LEAF | PTE_PS | PTE_FRAME)) || head >> 28 || head % 512)
		return ST_BAD_ARGUMENT;
	return block_allowed(model, call, head);
}

static status_t link_allowed(
	const struct model *model, const struct model_call *call, uint32_t level, uint64_t entry)
{
	uint64_t target = NUMBER(entry);

	if ((entry & ~(BITS_LINK | PTE_FRAME)) || target >> 28 || !(entry & PTE_U))
		return ST_BAD_ARGUMENT;
	if (!owns(model, call, target))
		return ST_BAD_FRAME;
	return model_level(model, target) == level - 1 ? ST_OK : ST_WRONG_TYPE;
}

static status_t leaf_allowed(
	const struct model *model, const struct model_call *call, uint64_t entry)
{
	uint64_t target = NUMBER(entry);

	if ((entry & ~(BITS_LEAF | PTE_FRAME)) || target >> 28)
		return ST_BAD_ARGUMENT;
	if (target >= MODEL_FRAMES)
		return ST_BAD_FRAME;
	if (model->frame[target].type == FRAME_ZERO)
		return entry & PTE_W ? ST_WRONG_TYPE : ST_OK;
	if (!may_use(model, call, target))
		return ST_BAD_FRAME;
	switch (model->frame[target].type) {
	case FRAME_DATA:
	case FRAME_MSG:
		return ST_OK;
	case FRAME_TRACE:
		return entry & PTE_W ? ST_WRONG_TYPE : ST_OK;
	default:
		return ST_WRONG_TYPE;
	}
}

static status_t entry_allowed(
	const struct model *model, struct model_call *call, uint32_t level, uint64_t entry)
{
	if (level == 1)
		return leaf_allowed(model, call, entry);
	if (level == 2 && (entry & PTE_PS))
		return large_allowed(model, call, entry);
	return link_allowed(model, call, level, entry);
}

static status_t one_more(const struct model *model, uint64_t entry)
{
	const struct model_frame *target = &model->frame[NUMBER(entry)];

	if (entry & PTE_PS)
		return target->large >= short_limit(model) ? ST_LIMIT : ST_OK;
	if (target->type == FRAME_MSG && target->refs >= 1)
		return ST_LIMIT;
	return target->refs >= model->limit ? ST_LIMIT : ST_OK;
}

static void count_one(struct model *model, uint64_t entry)
{
	uint64_t number = NUMBER(entry);
	struct model_frame *target = &model->frame[number];
	bool stale = false;

	if (entry & PTE_PS) {
		if (target->large++ == 0 && target->in_block) {
			stale = target->stale; /* kept: it tells of all */
		} else if (target->large == 1) {
			for (uint64_t i = number; i < number + 512; i++) {
				stale |= model->frame[i].refs == 0 && model->frame[i].stale;
				model->frame[i].in_block = true;
			}
		}
	} else if (target->type != FRAME_ZERO) {
		stale = target->refs == 0 && target->stale;
		target->refs++;
	}
	if (stale)
		full_flush(model);
}

static status_t may_go(const struct model *model, struct model_call *call, uint64_t entry)
{
	const struct model_frame *target = &model->frame[NUMBER(entry)];

	if (entry & PTE_PS) {
		if (target->large > 1)
			return ST_OK;
		return has_room(call, 1) && pay(call, 512) ? ST_OK : ST_MORE;
	}
	return target->refs == 1 && !has_room(call, 1) ? ST_MORE : ST_OK;
}

static void dissolve(struct model *model, uint64_t head)
{
	bool dirty = model->frame[head].dirty;

	model->frame[head].kept = false;
	for (uint64_t i = head; i < head + 512; i++) {
		model->frame[i].in_block = false;
		model->frame[i].dirty |= dirty;
	}
}

static void large_gone(struct model *model, struct model_call *call, uint64_t entry)
{
	uint64_t head = NUMBER(entry);
	bool dirty;

	model->frame[head].dirty |= (entry & PTE_D) != 0;
	dirty = model->frame[head].dirty;
	if (--model->frame[head].large != 0)
		return;
	for (uint64_t i = head; i < head + 512; i++)
		model->frame[i].stale |= model->frame[i].refs == 0;
	if (model->frame[head].kept)
		model->frame[head].stale = true;
	else
		dissolve(model, head);
	report(call,
		(uint64_t)RESULT_FRAME << 60 | RESULT_BLOCK | (dirty ? RESULT_DIRTY : 0) | head);
}

static void gone(struct model *model, struct model_call *call, uint64_t entry)
{
	uint64_t number = NUMBER(entry);
	struct model_frame *target = &model->frame[number];
	uint64_t kind = model_level(model, number) ? RESULT_TABLE : RESULT_FRAME;

	if (entry & PTE_PS) {
		large_gone(model, call, entry);
		return;
	}
	if (target->type == FRAME_ZERO)
		return;
	target->dirty |= (entry & PTE_D) != 0;
	if (--target->refs != 0)
		return;
	if (target->in_block) {
		if (model->frame[number & ~511ull].large == 0)
			target->stale = model->frame[number & ~511ull].stale = true;
		return;
	}
	target->stale = true;
	report(call, kind << 60 | (target->dirty ? RESULT_DIRTY : 0) | number);
}

static void store(struct model *model, uint64_t table, uint64_t index, uint64_t value)
{
	uint64_t *entry = &model->word[table][index];

	if (*entry == 0 && value != 0)
		model->frame[table].live++;
	if (*entry != 0 && value == 0)
		model->frame[table].live--;
	*entry = value;
}

static bool is_special(const struct model *model, uint64_t entry)
{
	return (entry & PTE_PS) || model->frame[NUMBER(entry)].type == FRAME_MSG;
}

static status_t put_present(struct model *model, struct model_call *call, uint64_t table,
	uint64_t index, uint64_t value)
{
	uint64_t old = model->word[table][index];
	status_t status = entry_allowed(model, call, model_level(model, table), value);

	if (status != ST_OK)
		return status;
	if ((old & PTE_P) && NUMBER(old) == NUMBER(value) && !((old ^ value) & PTE_PS)) {
		if ((old & PTE_D) && !(value & PTE_D) &&
			model->frame[NUMBER(value)].type != FRAME_ZERO)
			model->frame[NUMBER(value)].dirty = true;
		store(model, table, index, value);
		return ST_OK;
	}
	if ((old & PTE_P) && ((old ^ value) & PTE_PS))
		return ST_BUSY;
	status = one_more(model, value);
	if (status == ST_OK && (old & PTE_P))
		status = may_go(model, call, old);
	if (status != ST_OK)
		return status;
	model->frame[table].special |= is_special(model, value);
	count_one(model, value);
	store(model, table, index, value);
	if (old & PTE_P)
		gone(model, call, old);
	return ST_OK;
}

static status_t put(struct model *model, struct model_call *call, uint64_t table, uint64_t index,
	uint64_t value)
{
	uint64_t old = model->word[table][index];
	status_t status = ST_OK;

	if (value & PTE_P)
		return put_present(model, call, table, index, value);
	if (old & PTE_P)
		status = may_go(model, call, old);
	if (status != ST_OK)
		return status;
	store(model, table, index, value);
	if (old & PTE_P)
		gone(model, call, old);
	return ST_OK;
}

static bool same(uint64_t entry, uint64_t expected)
{
	if (entry & PTE_P)
		return (entry | PTE_A | PTE_D) == (expected | PTE_A | PTE_D);
	return entry == expected;
}

/* ---- operations on tables ---- */

static status_t do_set(struct model *model, struct model_call *call)
{
	uint64_t table = OP_PFN(call->op.head), index = OP_INDEX(call->op.head);
	status_t status = table_named(model, call, table, index, 1);

	if (status != ST_OK)
		return status;
	if (!pay(call, 1))
		return ST_MORE;
	if (!same(model->word[table][index], call->op.b))
		return ST_MISMATCH;
	return put(model, call, table, index, call->op.a);
}

static status_t run_named(const struct model *model, const struct model_call *call)
{
	uint64_t first = OP_INDEX(call->op.head), count = OP_ENTRIES(call->op.head);

	if (count < 1 || first + count > 512)
		return ST_BAD_ARGUMENT;
	return table_named(model, call, OP_PFN(call->op.head), first, count);
}

/* One entry of a run; `i` counts from its start. */
typedef status_t entry_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i);

static status_t each_entry(struct model *model, struct model_call *call, entry_step *step)
{
	uint64_t work = call->work;
	uint32_t count = OP_ENTRIES(call->op.head), allowed = count < work ? count : (uint32_t)work;

	call->work -= allowed;
	for (uint32_t i = 0; i < allowed; i++) {
		status_t status =
			step(model, call, OP_PFN(call->op.head), OP_INDEX(call->op.head) + i, i);

		call->done = i;
		if (status != ST_OK)
			return status;
	}
	call->done = allowed;
	return allowed == count ? ST_OK : ST_MORE;
}

/* A page to be mapped is filled with zeros before: it must be nobody's so far. */
static status_t fill_clear(struct model *model, struct model_call *call, uint64_t value)
{
	status_t status = entry_allowed(model, call, 1, value);
	struct model_frame *frame;

	if (status != ST_OK)
		return status;
	if (!owns(model, call, NUMBER(value)))
		return ST_BAD_FRAME;
	frame = &model->frame[NUMBER(value)];
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (!unused(frame))
		return ST_BUSY;
	if (!pay(call, OP_WORK_CLEAR - 1))
		return ST_MORE;
	if (frame->stale)
		full_flush(model);
	memset(model->word[NUMBER(value)], 0, sizeof(model->word[0]));
	call->touched[0] = (uint32_t)NUMBER(value);
	return ST_OK;
}

static status_t fill_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	bool is_run = call->op.a & PTE_FRAME;
	uint64_t value = call->op.a + ((uint64_t)(is_run ? i : call->list[i]) << 12);
	status_t status = ST_OK;

	if ((!is_run && call->list[i] == 0) || !same(model->word[table][index], call->op.b))
		return ST_OK;
	if (OP_FLAGS(call->op.head) & FILL_CLEAR)
		status = fill_clear(model, call, value);
	return status == ST_OK ? put(model, call, table, index, value) : status;
}

static status_t do_fill(struct model *model, struct model_call *call)
{
	status_t status = run_named(model, call);

	if (status != ST_OK)
		return status;
	if (!(call->op.a & PTE_P))
		return ST_BAD_ARGUMENT;
	if ((OP_FLAGS(call->op.head) & FILL_CLEAR) &&
		model_level(model, OP_PFN(call->op.head)) != 1)
		return ST_WRONG_TYPE;
	return each_entry(model, call, fill_step);
}

/* Is the entry of a leaf table all that uses a page of data? */
static bool is_sole_page(const struct model *model, uint64_t table, uint64_t entry)
{
	const struct model_frame *target;

	if (model_level(model, table) != 1 || !(entry & PTE_P) || NUMBER(entry) >= MODEL_FRAMES)
		return false;
	target = &model->frame[NUMBER(entry)];
	return target->type == FRAME_DATA && target->refs == 1 && !target->in_block &&
	       target->lent_to == 0;
}

/* The frame reported last follows the one before it: one result for both. */
static void gather(struct model_call *call)
{
	uint64_t *last = &call->results[call->result_count - 1], *before = last - 1;

	if (*last != (*before & (RESULT_MORE - 1)) + RESULT_COUNT(*before) +
			     (*before & 15ull << 60))
		return;
	*before += RESULT_MORE;
	call->result_count--;
}

static status_t clear_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	uint64_t old = model->word[table][index];
	bool was_plain = call->plain && i != 0;
	status_t status;

	if (old != 0)
		call->plain = is_sole_page(model, table, old);
	if (old == 0 || (old & PTE_P)) {
		status = put(model, call, table, index, 0);
		if (old != 0 && status == ST_OK && was_plain && call->plain &&
			(OP_FLAGS(call->op.head) & OP_CLEAR_RUNS))
			gather(call);
		return status;
	}
	if (!has_room(call, 2))
		return ST_MORE;
	report(call, (uint64_t)RESULT_WORD << 60);
	report(call, old);
	store(model, table, index, 0);
	return ST_OK;
}

static status_t protect_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	uint64_t old = model->word[table][index], value = (old & ~call->op.a) | call->op.b;
	uint32_t level = model_level(model, table);
	bool weaker;
	status_t status = ST_OK;

	(void)i;
	if (!(old & PTE_P))
		return ST_OK;
	if (OP_FLAGS(call->op.head) & OP_PROTECT_SOLE) {
		if (is_sole_page(model, table, old) && (old & PTE_U) &&
			model->frame[NUMBER(old)].holds == 0 &&
			model->frame[NUMBER(old)].pool == call->pool)
			store(model, table, index, value);
		return ST_OK;
	}
	/* Rights of leaves may shrink without further ado; what else changes is checked as a new
	   entry. */
	weaker = level == 1 && !(call->op.b & (PTE_W | PTE_U)) &&
		 !(call->op.a & ~call->op.b & PTE_NX);
	if (call->op.a == PTE_W && call->op.b == 0)
		weaker = true;
	if (!weaker)
		status = entry_allowed(model, call, level, value);
	if (status == ST_OK)
		store(model, table, index, value);
	return status;
}

static status_t read_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	(void)i;
	if (!has_room(call, 1))
		return ST_MORE;
	report(call, model->word[table][index]);
	return ST_OK;
}

static status_t harvest_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	uint64_t old = model->word[table][index];

	(void)i;
	if (!(old & PTE_P) || !(old & (PTE_A | PTE_D)))
		return ST_OK;
	if (!has_room(call, 1))
		return ST_MORE;
	report(call, index << 16 | (old & (PTE_A | PTE_D)));
	store(model, table, index, old & ~(PTE_A | PTE_D));
	return ST_OK;
}

static status_t do_run(struct model *model, struct model_call *call)
{
	status_t status = run_named(model, call);
	uint32_t code = OP_CODE(call->op.head);

	if (status != ST_OK)
		return status;
	if (code == OP_PROTECT) {
		if ((call->op.a | call->op.b) & ~(PTE_W | PTE_U | PTE_NX))
			return ST_BAD_ARGUMENT;
		if ((OP_FLAGS(call->op.head) & OP_PROTECT_SOLE) &&
			(model_level(model, OP_PFN(call->op.head)) != 1 || call->op.a != 0 ||
				call->op.b != PTE_W))
			return ST_BAD_ARGUMENT;
		return each_entry(model, call, protect_step);
	}
	if (call->op.a | call->op.b)
		return ST_BAD_ARGUMENT;
	return each_entry(model, call,
		code == OP_CLEAR  ? clear_step
		: code == OP_READ ? read_step
				  : harvest_step);
}

static uint64_t target_pfn(const struct model_call *call)
{
	return call->op.a >> 36;
}

static uint64_t target_first(const struct model_call *call)
{
	return (call->op.a >> 16) & 511;
}

static uint64_t copied(struct model *model, uint64_t table, uint64_t index)
{
	uint64_t entry = model->word[table][index];

	if ((entry & PTE_P) && !(entry & PTE_SHARED))
		entry &= ~PTE_W;
	return entry;
}

static status_t copy_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	uint64_t entry = copied(model, table, index);

	if (entry & PTE_P) {
		if (one_more(model, entry) != ST_OK)
			return ST_LIMIT;
		count_one(model, entry);
	}
	store(model, table, index, entry);
	store(model, target_pfn(call), target_first(call) + i, entry);
	return ST_OK;
}

static status_t move_step(
	struct model *model, struct model_call *call, uint64_t table, uint64_t index, uint32_t i)
{
	uint64_t entry = model->word[table][index];

	store(model, table, index, 0);
	store(model, target_pfn(call), target_first(call) + i, entry);
	return ST_OK;
}

static status_t do_copy_or_move(struct model *model, struct model_call *call)
{
	uint64_t from = OP_PFN(call->op.head), first = OP_INDEX(call->op.head),
		 count = OP_ENTRIES(call->op.head);
	uint64_t to = target_pfn(call), target = target_first(call), allowed, live;
	status_t status = run_named(model, call);

	if (status != ST_OK)
		return status;
	if (call->op.b || (call->op.a & 0xffff) || (call->op.a >> 25 & 0x7ff) ||
		target + count > 512)
		return ST_BAD_ARGUMENT;
	status = table_named(model, call, to, target, count);
	if (status != ST_OK)
		return status;
	if (model_level(model, from) != model_level(model, to))
		return ST_WRONG_TYPE;
	if (model_level(model, from) == 4 && (slot_kind(first) == 'm' || slot_kind(target) == 'm'))
		return ST_NO_RIGHT;
	if (from == to && (first > target ? first - target : target - first) < count)
		return ST_BAD_ARGUMENT;
	allowed = count < call->work ? count : call->work;
	for (uint64_t i = 0; i < allowed; i++)
		if (model->word[to][target + i] != 0)
			return ST_MISMATCH;
	live = model->frame[to].live;
	status = each_entry(model, call, OP_CODE(call->op.head) == OP_COPY ? copy_step : move_step);
	if (from == to || model->frame[to].live != live)
		model->frame[to].special |= model->frame[from].special;
	return status;
}

/* May this frame become a table? */
static status_t fresh_allowed(const struct model *model, const struct model_call *call)
{
	uint64_t fresh = call->op.a;

	if (!owns(model, call, fresh))
		return ST_BAD_FRAME;
	if (model->frame[fresh].type != FRAME_FREE && model->frame[fresh].type != FRAME_DATA)
		return ST_WRONG_TYPE;
	return unused(&model->frame[fresh]) ? ST_OK : ST_BUSY;
}

/* A 2 MiB entry: 512 entries of a new table in its place. */
static status_t do_split_large(
	struct model *model, struct model_call *call, uint64_t parent, uint64_t index)
{
	uint64_t entry = model->word[parent][index], head = NUMBER(entry), fresh = call->op.a;
	status_t status;

	if (!same(entry, call->op.b))
		return ST_MISMATCH;
	if (!owns(model, call, head))
		return ST_BAD_FRAME;
	status = fresh_allowed(model, call);
	if (status != ST_OK)
		return status;
	if (!pay(call, 512))
		return ST_MORE;
	for (uint64_t i = head; i < head + 512; i++)
		if (model->frame[i].refs >= model->limit)
			return ST_LIMIT;
	if (model->frame[fresh].stale)
		full_flush(model);
	model->frame[fresh] = (struct model_frame){
		.type = FRAME_L1, .pool = model->frame[fresh].pool, .refs = 1, .live = 512
	};
	for (uint64_t i = 0; i < 512; i++) {
		model->frame[head + i].refs++;
		model->word[fresh][i] = (entry & ~(PTE_PS | PTE_D)) + (i << 12);
	}
	store(model, parent, index, fresh << 12 | PTE_P | PTE_W | PTE_U | PTE_A);
	model->frame[head].dirty |= (entry & PTE_D) != 0;
	if (--model->frame[head].large == 0)
		dissolve(model, head);
	return ST_OK;
}

static status_t do_block(struct model *model, struct model_call *call)
{
	uint64_t head = OP_PFN(call->op.head);
	struct model_frame *frame;
	bool stale = false;
	status_t status;

	if (call->op.a > 1 || call->op.b || head % 512)
		return ST_BAD_ARGUMENT;
	status = block_allowed(model, call, head);
	if (status != ST_OK)
		return status;
	frame = &model->frame[head];
	if (frame->kept == (call->op.a == 1))
		return ST_MISMATCH;
	if (call->op.a == 0) {
		if (frame->large == 0 && !pay(call, 512))
			return ST_MORE;
		if (frame->large == 0)
			dissolve(model, head);
		frame->kept = false;
		return ST_OK;
	}
	for (uint64_t i = head; i < head + 512 && !frame->kept; i++)
		stale |= model->frame[i].refs == 0 && model->frame[i].stale;
	if (!frame->in_block && stale)
		frame->stale = true;
	for (uint64_t i = head; i < head + 512; i++)
		model->frame[i].in_block = true;
	frame->kept = true;
	return ST_OK;
}

static status_t split_allowed(struct model *model, struct model_call *call)
{
	uint64_t parent = OP_PFN(call->op.head), index = OP_INDEX(call->op.head), entry;
	status_t status = table_named(model, call, parent, index, 1);

	if (status != ST_OK)
		return status;
	if (model_level(model, parent) == 4 && slot_kind(index) == 'm')
		return ST_NO_RIGHT;
	entry = model->word[parent][index];
	if (!same(entry, call->op.b) || !(entry & PTE_P))
		return ST_MISMATCH;
	if (model_level(model, parent) == 1 || (entry & PTE_PS))
		return ST_WRONG_TYPE;
	if (!owns(model, call, NUMBER(entry)))
		return ST_BAD_FRAME;
	if (model->frame[NUMBER(entry)].refs == 1)
		return ST_MISMATCH;
	status = fresh_allowed(model, call);
	if (status != ST_OK)
		return status;
	return pay(call, 512) ? ST_OK : ST_MORE;
}

static status_t do_split(struct model *model, struct model_call *call)
{
	static struct model before;
	uint64_t parent = OP_PFN(call->op.head), index = OP_INDEX(call->op.head),
		 fresh = call->op.a, entry, old;
	status_t status = table_named(model, call, parent, index, 1);

	if (status == ST_OK && model_level(model, parent) == 2 &&
		(model->word[parent][index] & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS))
		return do_split_large(model, call, parent, index);
	status = split_allowed(model, call);
	if (status != ST_OK)
		return status;
	entry = model->word[parent][index];
	old = NUMBER(entry);
	memcpy(before.frame, model->frame, sizeof(before.frame));
	for (uint32_t i = 0; i < 512; i++) {
		uint64_t word = model->word[old][i];

		if (!(word & PTE_P))
			continue;
		if (one_more(model, word) != ST_OK) {
			memcpy(model->frame, before.frame, sizeof(before.frame));
			return ST_LIMIT;
		}
		count_one(model, word);
	}
	if (model->frame[fresh].stale)
		full_flush(model);
	memset(model->word[fresh], 0, sizeof(model->word[fresh]));
	model->frame[fresh] = (struct model_frame){ .type = model->frame[old].type,
		.pool = model->frame[fresh].pool,
		.refs = 1,
		.special = model->frame[old].special };
	for (uint32_t i = 0; i < 512; i++) {
		uint64_t word = copied(model, old, i);

		store(model, old, i, word);
		store(model, fresh, i, word);
	}
	store(model, parent, index, (entry & ~PTE_FRAME) | fresh << 12 | PTE_W);
	model->frame[old].refs--;
	return ST_OK;
}

/* ---- operations on frames ---- */

typedef status_t frame_step(struct model *model, struct model_call *call, uint64_t pfn);

static status_t each_frame(struct model *model, struct model_call *call, frame_step *step)
{
	uint32_t count = OP_ENTRIES(call->op.head);

	if (count < 1 || count > 512)
		return ST_BAD_ARGUMENT;
	for (uint32_t i = 0; i < count; i++) {
		status_t status = step(model, call, OP_PFN(call->op.head) + i);

		if (status != ST_OK)
			return status;
		call->done = i + 1;
	}
	return ST_OK;
}

static bool choosable(uint64_t type)
{
	return type == FRAME_FREE || type == FRAME_DATA || type == FRAME_MSG ||
	       type == FRAME_TRACE || type == FRAME_L1 || type == FRAME_L2 || type == FRAME_L3;
}

static bool is_plain(uint64_t type)
{
	return type == FRAME_FREE || type == FRAME_DATA || type == FRAME_MSG || type == FRAME_TRACE;
}

static status_t retype_step(struct model *model, struct model_call *call, uint64_t pfn)
{
	struct model_frame *frame;

	if (!owns(model, call, pfn))
		return ST_BAD_FRAME;
	frame = &model->frame[pfn];
	if (!choosable(frame->type))
		return ST_WRONG_TYPE;
	if (!unused(frame))
		return ST_BUSY;
	if (!pay(call, is_plain(frame->type) && !is_plain(call->op.a) ? OP_WORK_CLEAR : 1))
		return ST_MORE;
	if (frame->stale)
		full_flush(model);
	if (!is_plain(frame->type) || !is_plain(call->op.a))
		memset(model->word[pfn], 0, sizeof(model->word[pfn]));
	*frame = (struct model_frame){ .type = (uint32_t)call->op.a, .pool = frame->pool };
	return ST_OK;
}

static status_t zero_step(struct model *model, struct model_call *call, uint64_t pfn)
{
	if (!owns(model, call, pfn))
		return ST_BAD_FRAME;
	if (model->frame[pfn].type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (!pay(call, OP_WORK_CLEAR))
		return ST_MORE;
	if (unused(&model->frame[pfn]) && model->frame[pfn].stale)
		full_flush(model); /* what is known to be zeros may not change any more */
	memset(model->word[pfn], 0, sizeof(model->word[pfn]));
	call->touched[0] = (uint32_t)pfn;
	return ST_OK;
}

static status_t do_copy_frame(struct model *model, struct model_call *call)
{
	uint64_t from = OP_PFN(call->op.head), to = call->op.a, b = call->op.b;
	uint64_t at = b & 0xfff, target = b >> 16 & 0xfff, bytes = b >> 32 & 0x1fff;
	bool zero = from < MODEL_FRAMES && model->frame[from].type == FRAME_ZERO;

	if ((!zero && !may_use(model, call, from)) || !may_use(model, call, to))
		return ST_BAD_FRAME;
	if (!zero && model->frame[from].type != FRAME_DATA && model->frame[from].type != FRAME_MSG)
		return ST_WRONG_TYPE;
	if (model->frame[to].type != FRAME_DATA && model->frame[to].type != FRAME_MSG)
		return ST_WRONG_TYPE;
	if (b == 0)
		bytes = 4096;
	else if ((b >> 12 & 15) || (b >> 28 & 15) || b >> 45 || bytes == 0 || at + bytes > 4096 ||
		 target + bytes > 4096 || from == to)
		return ST_BAD_ARGUMENT;
	if (!pay(call, (bytes + 7) / 8))
		return ST_MORE;
	memmove((uint8_t *)model->word[to] + target, (const uint8_t *)model->word[from] + at,
		bytes);
	call->touched[0] = (uint32_t)to;
	return ST_OK;
}

static status_t do_hold(struct model *model, struct model_call *call)
{
	uint64_t pfn = OP_PFN(call->op.head);
	struct model_frame *frame;

	if (call->op.a | call->op.b)
		return ST_BAD_ARGUMENT;
	if (!owns(model, call, pfn))
		return ST_BAD_FRAME;
	frame = &model->frame[pfn];
	if (frame->type != FRAME_DATA && (model_level(model, pfn) == 0 || frame->type == FRAME_TOP))
		return ST_WRONG_TYPE;
	if (OP_CODE(call->op.head) == OP_HOLD) {
		if (frame->holds >= short_limit(model))
			return ST_LIMIT;
		frame->holds++;
		return ST_OK;
	}
	if (frame->holds == (frame->lent_to ? 1 : 0))
		return ST_MISMATCH;
	frame->holds--;
	return ST_OK;
}

static status_t transfer_step(struct model *model, struct model_call *call, uint64_t pfn)
{
	struct model_frame *frame;

	if (!owns(model, call, pfn))
		return ST_BAD_FRAME;
	frame = &model->frame[pfn];
	if (frame->type != FRAME_FREE && frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (!pay(call, 1))
		return ST_MORE;
	if (!unused(frame))
		return ST_BUSY;
	if (frame->stale)
		full_flush(model);
	*frame = (struct model_frame){ .type = frame->type, .pool = (uint32_t)call->op.a };
	return ST_OK;
}

static bool pool_exists(const struct model *model, uint64_t pool)
{
	return pool == 1 || (pool < MODEL_POOLS && model->parent[pool] != 0);
}

static bool pool_is_above_or_below(const struct model *model, const struct model_call *call)
{
	return pool_exists(model, call->op.a) &&
	       (model_pool_within(model, (uint32_t)call->op.a, call->pool) ||
		       model_pool_within(model, call->pool, (uint32_t)call->op.a));
}

static status_t do_transfer(struct model *model, struct model_call *call)
{
	if (call->op.b)
		return ST_BAD_ARGUMENT;
	if (!pool_is_above_or_below(model, call))
		return ST_NO_RIGHT;
	return each_frame(model, call, transfer_step);
}

static status_t do_lend(struct model *model, struct model_call *call)
{
	uint64_t pfn = OP_PFN(call->op.head);
	struct model_frame *frame;

	if (call->op.b)
		return ST_BAD_ARGUMENT;
	if (!owns(model, call, pfn))
		return ST_BAD_FRAME;
	frame = &model->frame[pfn];
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	if (call->op.a == 0) {
		if (!frame->lent_to)
			return ST_MISMATCH;
		if (frame->refs)
			return ST_BUSY;
		if (frame->stale)
			full_flush(model);
		frame->lent_to = 0;
		frame->holds--;
		return ST_OK;
	}
	if (!pool_is_above_or_below(model, call))
		return ST_NO_RIGHT;
	if (frame->lent_to || frame->in_block)
		return ST_BUSY;
	if (frame->holds >= short_limit(model))
		return ST_LIMIT;
	frame->holds++;
	frame->lent_to = (uint32_t)call->op.a;
	return ST_OK;
}

static status_t do_operation(struct model *model, struct model_call *call)
{
	switch (OP_CODE(call->op.head)) {
	case OP_NOP:
		return ST_OK;
	case OP_RETYPE:
		return call->op.b || !choosable(call->op.a) ? ST_BAD_ARGUMENT
							    : each_frame(model, call, retype_step);
	case OP_SET:
		return do_set(model, call);
	case OP_FILL:
		return do_fill(model, call);
	case OP_COPY:
	case OP_MOVE:
		return do_copy_or_move(model, call);
	case OP_SPLIT:
		return do_split(model, call);
	case OP_BLOCK:
		return do_block(model, call);
	case OP_CLEAR:
	case OP_PROTECT:
	case OP_READ:
	case OP_HARVEST:
		return do_run(model, call);
	case OP_ZERO:
		return call->op.a | call->op.b ? ST_BAD_ARGUMENT
					       : each_frame(model, call, zero_step);
	case OP_COPY_FRAME:
		return do_copy_frame(model, call);
	case OP_HOLD:
	case OP_RELEASE:
		return do_hold(model, call);
	case OP_TRANSFER:
		return do_transfer(model, call);
	case OP_LEND:
		return do_lend(model, call);
	default:
		return ST_BAD_CALL;
	}
}

static bool takes_hints(uint32_t code)
{
	return code == OP_SET || code == OP_FILL || code == OP_COPY || code == OP_SPLIT ||
	       code == OP_MOVE || code == OP_CLEAR || code == OP_PROTECT || code == OP_HARVEST;
}

/* See table_model.h. */
void model_run(struct model *model, struct model_call *call)
{
	uint32_t flags = OP_FLAGS(call->op.head);
	uint32_t code = OP_CODE(call->op.head);

	if (code == OP_CLEAR || code == OP_PROTECT)
		flags &= ~(OP_CLEAR_RUNS | OP_PROTECT_SOLE);
	if (code == OP_FILL)
		flags &= ~FILL_CLEAR;
	call->done = 0;
	call->result_count = 0;
	call->plain = false;
	memset(call->touched, 0, sizeof(call->touched));
	if ((call->op.head >> 35 & 1) ||
		(flags && (!takes_hints(OP_CODE(call->op.head)) || flags > FLUSH_ALL))) {
		call->status = ST_BAD_ARGUMENT;
		return;
	}
	call->status = do_operation(model, call);
	if ((call->status == ST_OK || call->done) &&
		(flags == FLUSH_ALL || (flags == FLUSH_SPACE && !call->has_scope)))
		full_flush(model);
	if (call->status == ST_OK)
		call->done = 0;
}
