/*
 * Table operations from bytes (model: table_steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "table_steps.h"
#include "frame.h"
#include "fuzz.h"
#include "pool.h"
#include "sim/sim.h"
#include "table.h"
#include <faultline/fault.h>
#include <string.h>

#define SMALL_FIRST 16u /* frames that most choices name */
#define SMALL_COUNT 80u
#define DEVICES	    64u /* device pages beyond RAM */

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* ---- the machine at the start ---- */

static void (*start_run)(const struct table_call *call);

static void start_step(uint16_t pool, uint64_t head, uint64_t a, uint64_t b)
{
	const struct table_call call = {
		.pool = pool, .op = { head, a, b }, .work = OP_WORK_MAX, .room = OP_RESULTS_MAX
	};

	FUZZ_CHECK(sim_op(pool, head, a, b) == ST_OK);
	if (start_run)
		start_run(&call);
}

static void start_retype(uint16_t pool, pfn_t pfn, uint32_t count, frame_type_t type)
{
	start_step(pool, op_head(OP_RETYPE, 0, pfn, 0, count), type, 0);
}

static void start_link(uint16_t pool, pfn_t table, pfn_t target, uint64_t bits)
{
	start_step(pool, op_head(OP_SET, 0, table, 0, 0), pte_make(target, bits), 0);
}

static void start_pool(uint16_t pool)
{
	pfn_t base = steps_base(pool);

	if (pool != POOL_ROOT)
		start_step(POOL_ROOT, op_head(OP_TRANSFER, 0, base, 0, 16), pool, 0);
	FUZZ_CHECK(sim_op(pool, op_head(OP_SPACE_CREATE, 0, base, 0, 0), base + 1, 0) == ST_OK);
	start_retype(pool, base + 2, 1, FRAME_L3);
	start_retype(pool, base + 3, 1, FRAME_L2);
	start_retype(pool, base + 4, 2, FRAME_L1);
	start_retype(pool, base + 6, 6, FRAME_DATA);
	start_retype(pool, base + 12, 1, FRAME_MSG);
	for (pfn_t pfn = base + 1; pfn < base + 4; pfn++)
		start_link(pool, pfn, pfn + 1, PTE_P | PTE_W | PTE_U);
}

/* See table_steps.h. */
void steps_start(void (*run)(const struct table_call *call))
{
	static const uint16_t parents[] = { POOL_ROOT, 2, POOL_ROOT }; /* of 2, 3, 4 */
	uint16_t pool;

	start_run = run;
	sim_start(STEPS_FRAMES);
	frame_refs_limit = FRAME_REFS_MAX;
	frame_device_limit = 0;
	for (uint32_t i = 0; i < COUNT(parents); i++)
		FUZZ_CHECK(pool_create(parents[i], &pool) == ST_OK && pool == i + 2);
	for (pool = 1; pool <= STEPS_POOLS; pool++)
		start_pool(pool);
}

/* ---- choices ---- */

static bool frame_has_type(pfn_t pfn, uint32_t type)
{
	return frame_table[pfn].type == type;
}

/* The n-th frame of a type among the small ones, or of the first of the block; 0: none. */
static pfn_t nth_of_type(uint32_t type, uint32_t n)
{
	pfn_t found[SMALL_COUNT + 8];
	uint32_t count = 0;

	for (pfn_t pfn = SMALL_FIRST; pfn < SMALL_FIRST + SMALL_COUNT; pfn++)
		if (frame_has_type(pfn, type))
			found[count++] = pfn;
	for (pfn_t pfn = STEPS_BLOCK; pfn < STEPS_BLOCK + 8; pfn++)
		if (frame_has_type(pfn, type))
			found[count++] = pfn;
	return count == 0 ? 0 : found[n % count];
}

/* The n-th that is lent, or 0. */
static pfn_t nth_lent(uint32_t n)
{
	pfn_t found[SMALL_COUNT];
	uint32_t count = 0;

	for (pfn_t pfn = SMALL_FIRST; pfn < SMALL_FIRST + SMALL_COUNT; pfn++)
		if (frame_table[pfn].flags & FRAME_LENT)
			found[count++] = pfn;
	return count == 0 ? 0 : found[n % count];
}

/* Any frame. */
static pfn_t choose_frame(uint16_t choice)
{
	switch (choice >> 13) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		return SMALL_FIRST + choice % SMALL_COUNT;
	case 5:
		return STEPS_BLOCK + (choice & 0x1000 ? choice & 511 : choice & 3);
	case 6:
		return choice & 0x7ff;
	default:
		return choice & 0x1000 ? (pfn_t)(choice & 0xfff) << 16 : choice & 0x7ff;
	}
}

/* Mostly a frame of this type. */
static pfn_t choose_type(uint32_t type, uint16_t choice)
{
	pfn_t pfn = choice < 0xe000 ? nth_of_type(type, choice) : 0;

	return pfn != 0 ? pfn : choose_frame(choice);
}

static pfn_t choose_table(uint16_t choice)
{
	static const uint32_t types[] = { FRAME_L1, FRAME_L1, FRAME_L1, FRAME_L2, FRAME_L2,
		FRAME_L3, FRAME_TOP, FRAME_TOP };

	return choose_type(types[choice >> 8 & 7], choice & 0xe0ff);
}

static uint32_t level_of(pfn_t pfn)
{
	return table_level(pfn);
}

static uint32_t choose_index(pfn_t table, uint16_t choice)
{
	static const uint16_t top[] = { 0, 0, 1, 2, 254, 255, 402, 403, 465, 466, 466, 256, 300,
		467, 511 };
	static const uint16_t other[] = { 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 255, 256, 509, 510, 511 };

	if (choice >= 0xf000)
		return choice & 511;
	if (level_of(table) == LAYOUT_LEVELS)
		return top[choice % COUNT(top)];
	return other[choice % COUNT(other)];
}

static uint32_t choose_count(uint16_t choice)
{
	if (choice < 0xd000)
		return 1 + (choice & 7);
	return choice < 0xf800 ? 1 + (choice & 511) : choice & 1023;
}

static uint64_t choose_bits(uint32_t bits)
{
	static const uint64_t names[] = { PTE_W, PTE_W, PTE_NX, PTE_A, PTE_D, PTE_SHARED, PTE_SOFT1,
		PTE_SOFT2 };
	uint64_t chosen = PTE_P | PTE_U;

	for (uint32_t i = 0; i < COUNT(names); i++)
		if (bits >> i & 1)
			chosen |= names[i];
	if ((bits >> 8 & 31) == 31)
		chosen ^= 1ull << (bits >> 13 & 63);
	return chosen;
}

static uint64_t choose_leaf(uint16_t target, uint32_t bits, bool all)
{
	static const uint32_t types[] = { FRAME_DATA, FRAME_DATA, FRAME_DATA, FRAME_DATA,
		FRAME_DATA, FRAME_DATA, FRAME_MSG, FRAME_TRACE };
	uint64_t chosen = choose_bits(bits);
	uint32_t kind = target >> 8 & 31;

	if (kind < 2)
		return pte_make(SIM_ZERO_FRAME, kind == 0 ? chosen & ~PTE_W : chosen);
	if (kind == 3 && nth_lent(target) != 0)
		return pte_make(nth_lent(target), chosen);
	if (all && kind == 2)
		return pte_make(STEPS_FRAMES + (target & 127), chosen | PTE_DEVICE);
	return pte_make(choose_type(types[kind & 7], target & 0xe0ff), chosen);
}

/* A new entry for a table of this level; entries that are not present are the pager's words. */
static uint64_t choose_entry(uint32_t level, uint16_t target, uint32_t bits, bool all)
{
	uint64_t chosen = choose_bits(bits);

	if (bits >> 28 < 2)
		return 0;
	if (bits >> 28 == 2)
		return bits * 0x9e3779b97f4a7c15ull & ~PTE_P;
	if (level <= 1)
		return choose_leaf(target, bits, all);
	if (level == 2 && bits >> 28 < 6)
		return pte_make(
			target < 0xf000 ? STEPS_BLOCK : choose_frame(target), chosen | PTE_PS);
	if (bits >> 28 != 15)
		chosen &= ~(PTE_NX | PTE_D);
	return pte_make(choose_type(FRAME_L1 + level - 2, target), chosen);
}

static uint64_t entry_now(pfn_t table, uint32_t index)
{
	uint64_t entry = level_of(table) ? ((uint64_t *)frame_memory(table))[index] : 0;

	return entry;
}

/* ---- operations ---- */

static void make(struct table_call *call, uint32_t code, pfn_t pfn, uint32_t index, uint32_t count,
	uint64_t a, uint64_t b)
{
	call->op = (struct op){ op_head(code, 0, pfn, index, count), a, b };
}

static void make_retype(struct table_call *call, const struct step *step)
{
	static const uint32_t types[] = { FRAME_DATA, FRAME_DATA, FRAME_FREE, FRAME_L1, FRAME_L1,
		FRAME_L2, FRAME_L2, FRAME_L3, FRAME_MSG, FRAME_TRACE, FRAME_DATA, FRAME_FREE };
	uint32_t choice = step->bits & 0xff;
	uint32_t type = choice < 250 ? types[choice % COUNT(types)] : choice - 250 + FRAME_TOP;

	if (step->index < 0x1000)
		make(call, OP_RETYPE, STEPS_BLOCK, 0, 512, type, 0);
	else
		make(call, OP_RETYPE, choose_frame(step->frame), 0,
			step->count < 0xd000 ? 1 : choose_count(step->count), type, 0);
}

static void make_set(struct table_call *call, const struct step *step, bool all)
{
	pfn_t table = choose_table(step->frame);
	uint32_t index = choose_index(table, step->index);

	make(call, OP_SET, table, index, 0,
		choose_entry(level_of(table), step->target, step->bits, all),
		entry_now(table, index) ^ (step->count & 0x20) ^ (step->count & 0x40));
}

/* A list of neighbours, with gaps; or a run, cleared or not. */
static void make_fill(struct table_call *call, const struct step *step)
{
	pfn_t table = choose_type(step->frame & 0x300 ? FRAME_L1 : FRAME_L2, step->frame & 0xe0ff);
	uint32_t index = choose_index(table, step->index), count = choose_count(step->count);
	uint64_t bits = choose_bits(step->bits);

	if (level_of(table) > 1)
		bits &= ~(PTE_NX | PTE_D);
	call->places = (count + 5) / 6 < STEPS_PLACES ? (count + 5) / 6 : STEPS_PLACES;
	for (uint32_t i = 0; i < count && i < 6 * STEPS_PLACES; i++)
		if (!(step->bits >> 16 >> (i & 15) & 1))
			call->list[i] = choose_type(level_of(table) > 1 ? FRAME_L1 : FRAME_DATA,
				(uint16_t)(step->target + i));
	if (step->target & 0x4000)
		bits |= pte_make(choose_type(FRAME_DATA, step->target & 0x3fff), 0);
	make(call, OP_FILL, table, index, count, bits,
		step->wild & 1 ? entry_now(table, index) : 0);
	if (step->target & 0x2000)
		call->op.head |= FILL_CLEAR << 8;
}

static void make_transfer(struct table_call *call, const struct step *step, uint32_t code)
{
	pfn_t from = choose_table(step->frame);
	pfn_t to = level_of(from) ? choose_type(frame_table[from].type, step->target)
				  : choose_table(step->target);
	uint32_t index = choose_index(from, step->index);
	uint32_t target = step->bits & 1 ? index : choose_index(to, (uint16_t)(step->bits >> 1));

	make(call, code, from, index, choose_count(step->count), op_head(0, 0, to, target, 0), 0);
}

/* An entry that names a table with other parents, if there is one near. */
static void make_split(struct table_call *call, const struct step *step)
{
	pfn_t parent = choose_table(step->frame);
	uint32_t index = choose_index(parent, step->index);

	for (uint16_t i = 0; i < 32; i++) {
		uint64_t entry = entry_now(parent, index);

		if ((entry & PTE_P) && level_of(parent) > 1 && pte_pfn(entry) < STEPS_FRAMES &&
			frame_table[pte_pfn(entry)].refs > 1)
			break;
		if ((entry & PTE_P) && (entry & PTE_PS) && level_of(parent) == 2)
			break;
		parent = choose_table((uint16_t)(step->frame + i * 0x101));
		index = choose_index(parent, (uint16_t)(step->index + i / 8));
	}
	make(call, OP_SPLIT, parent, index, 0,
		choose_type(step->bits & 1 ? FRAME_FREE : FRAME_DATA, step->target),
		entry_now(parent, index));
}

static void make_run(struct table_call *call, const struct step *step, uint32_t code)
{
	static const uint64_t rights[] = { 0, PTE_W, PTE_U, PTE_NX, PTE_W | PTE_U, PTE_W | PTE_NX,
		0, PTE_P };
	pfn_t table = choose_table(step->frame);
	uint64_t a = 0, b = 0;

	if (code == OP_PROTECT) {
		a = rights[step->bits & 7];
		b = rights[step->bits >> 3 & 7];
	}
	make(call, code, table, choose_index(table, step->index), choose_count(step->count), a, b);
}

static void make_copy_frame(struct table_call *call, const struct step *step)
{
	uint64_t part = (uint64_t)(step->index & 4095) | (uint64_t)(step->count & 4095) << 16 |
			(uint64_t)(step->bits >> 20) << 32;
	pfn_t from = step->bits & 15
			     ? choose_type(step->bits & 16 ? FRAME_DATA : FRAME_MSG, step->frame)
			     : SIM_ZERO_FRAME;

	make(call, OP_COPY_FRAME, from, 0, 0,
		choose_type(step->bits & 32 ? FRAME_DATA : FRAME_MSG, step->target),
		step->bits & 64 ? part : 0);
}

static void make_pool(struct table_call *call, const struct step *step)
{
	static const uint32_t codes[] = { OP_POOL_CREATE, OP_POOL_SET, OP_POOL_DESTROY,
		OP_POOL_DESTROY, OP_POOL_TAG, OP_FLUSH };
	uint32_t code = codes[step->index % COUNT(codes)];
	uint64_t a = 0;

	if (code == OP_POOL_DESTROY || code == OP_POOL_SET)
		a = 1 + step->target % 9;
	if (code == OP_POOL_TAG)
		a = step->bits & 3;
	make(call, code, code == OP_FLUSH ? choose_type(FRAME_SPACE, step->frame) : 0, 0, 0, a, 0);
}

static void make_object(struct table_call *call, const struct step *step)
{
	pfn_t fresh = choose_type(step->bits & 1 ? FRAME_FREE : FRAME_DATA, step->frame);

	switch (step->index % 5) {
	case 0:
		make(call, OP_SPACE_CREATE, fresh, 0, 0, choose_type(FRAME_FREE, step->target), 0);
		break;
	case 1:
		make(call, OP_THREAD_CREATE, fresh, 0, 0, choose_type(FRAME_SPACE, step->target),
			0);
		break;
	case 2:
		make(call, OP_THREAD_SET, choose_type(FRAME_THREAD, step->frame),
			THREAD_FIELD_MESSAGE, 0,
			step->bits & 2 ? choose_type(FRAME_MSG, step->target) : 0, 0);
		break;
	case 3:
		make(call, OP_PORT_CREATE, fresh, 0, 0, 0, 0);
		break;
	default:
		make(call, OP_DESTROY,
			choose_type(
				step->bits & 2 ? FRAME_THREAD : FRAME_SPACE + (step->bits >> 2 & 3),
				step->frame),
			0, 0, 0, 0);
	}
}

static void make_lend(struct table_call *call, const struct step *step)
{
	bool end = step->bits & 1;
	pfn_t lent = end ? nth_lent(step->frame) : 0;

	make(call, OP_LEND, lent ? lent : choose_type(FRAME_DATA, step->frame), 0, 0,
		end ? 0 : 1 + step->target % 7, 0);
}

static void make_transfer_frames(struct table_call *call, const struct step *step)
{
	uint64_t pool = 1 + step->target % 7;

	if (step->index < 0x1000)
		make(call, OP_TRANSFER, STEPS_BLOCK, 0, 512, pool, 0);
	else
		make(call, OP_TRANSFER, choose_frame(step->frame), 0,
			step->count < 0xd000 ? 1 : choose_count(step->count), pool, 0);
}

/* Mostly of the block. */
static void make_block(struct table_call *call, const struct step *step)
{
	make(call, OP_BLOCK, step->bits & 0xf0 ? STEPS_BLOCK : choose_frame(step->frame), 0, 0, step->bits & 1, 0);
}

/* The operation that a record means; the weights are those of a pager with many forks. */
static void make_operation(struct table_call *call, const struct step *step, bool all)
{
	static const uint8_t codes[] = { OP_RETYPE, OP_RETYPE, OP_RETYPE, OP_SET, OP_SET, OP_SET,
		OP_SET, OP_SET, OP_FILL, OP_COPY, OP_COPY, OP_SPLIT, OP_SPLIT, OP_MOVE, OP_CLEAR,
		OP_CLEAR, OP_PROTECT, OP_PROTECT, OP_READ, OP_HARVEST, OP_ZERO, OP_COPY_FRAME,
		OP_HOLD, OP_RELEASE, OP_TRANSFER, OP_LEND, OP_BLOCK, OP_POOL_CREATE, OP_SPACE_CREATE };
	uint32_t code = codes[step->code % (COUNT(codes) - (all ? 0 : 2))];

	switch (code) {
	case OP_RETYPE:
		make_retype(call, step);
		break;
	case OP_SET:
		make_set(call, step, all);
		break;
	case OP_FILL:
		make_fill(call, step);
		break;
	case OP_COPY:
	case OP_MOVE:
		make_transfer(call, step, code);
		break;
	case OP_SPLIT:
		make_split(call, step);
		break;
	case OP_ZERO:
		make(call, code, choose_type(FRAME_DATA, step->frame), 0, choose_count(step->count),
			0, 0);
		break;
	case OP_COPY_FRAME:
		make_copy_frame(call, step);
		break;
	case OP_HOLD:
	case OP_RELEASE:
		make(call, code, choose_frame(step->frame), 0, 0, 0, 0);
		break;
	case OP_TRANSFER:
		make_transfer_frames(call, step);
		break;
	case OP_LEND:
		make_lend(call, step);
		break;
	case OP_BLOCK:
		make_block(call, step);
		break;
	case OP_POOL_CREATE:
		make_pool(call, step);
		break;
	case OP_SPACE_CREATE:
		make_object(call, step);
		break;
	default:
		make_run(call, step, code);
	}
}

/* One record in eight: something about the operation is as it should not be. */
static void make_wild(struct table_call *call, const struct step *step)
{
	uint64_t bit = 1ull << (step->bits >> 4 & 63);

	if (step->wild < 224)
		return;
	switch (step->wild >> 2 & 7) {
	case 0:
	case 1:
		call->op.b ^= bit;
		break;
	case 2:
	case 3:
		call->op.a ^= bit;
		break;
	case 4:
		call->op.a = step->bits;
		break;
	case 5:
		call->op.b = step->bits;
		break;
	case 6:
		if (OP_CODE(call->op.head) != OP_FILL)
			call->op.head ^= bit & ~0xffull;
		break;
	default:
		call->op.head |= 1ull << 35;
	}
}

static void make_limits(struct table_call *call, const struct step *step)
{
	call->work = OP_WORK_MAX;
	call->room = OP_RESULTS_MAX;
	call->has_scope = step->flags & 1;
	if (step->flags >= 216)
		call->op.head |= (uint64_t)(step->flags < 250 ? 1 + (step->flags & 1) : step->flags)
				 << 8;
	else if (step->flags >= 204)
		call->room = step->flags & 3;
	else if (step->flags >= 192)
		call->work = step->flags & 1 ? step->bits & 1023 : step->bits & 7;
}

static void make_access(struct table_call *call, const struct step *step)
{
	static const uint32_t accesses[] = { 0, FAULT_WRITE, FAULT_WRITE, FAULT_FETCH };

	call->kind = STEPS_ACCESS;
	call->top = choose_type(FRAME_TOP, step->frame & 0x1fff);
	call->access = accesses[step->bits & 3];
	call->address = (uint64_t)choose_index(call->top, step->index) << 39 |
			(uint64_t)choose_index(0, step->count) << 12 |
			(uint64_t)choose_index(0, step->target) << 21;
}

/* A caller's pool exists. */
static uint16_t choose_pool(const struct step *step, uint32_t pool)
{
	uint32_t other = 1 + step->pool % 8;

	if (step->pool < 208 || (pool & STEPS_ONLY) || !pool_table[other].live)
		return (uint16_t)(pool & ~STEPS_ONLY);
	return (uint16_t)other;
}

/* See table_steps.h. */
void steps_decode(const uint8_t *record, uint32_t pool, bool all, struct table_call *call)
{
	struct step step;

	memcpy(&step, record, sizeof(step));
	memset(call, 0, sizeof(*call));
	call->pool = choose_pool(&step, pool);
	if (step.code >= 224 && step.code < 250) {
		make_access(call, &step);
	} else if (step.code >= 250) {
		call->kind = STEPS_LIMIT;
		call->limit = step.bits & 1 ? FRAME_REFS_MAX : 1 + (step.bits >> 1 & 7);
	} else {
		make_operation(call, &step, all);
		make_wild(call, &step);
		make_limits(call, &step);
		if (OP_CODE(call->op.head) == OP_FILL && call->op.a & PTE_FRAME)
			call->places = 0; /* a run has no list */
	}
}
