/*
 * What the kernel does to tables and frames, seen from outside: the linker puts these functions in
 * the place of the kernel's (`--wrap`), and each calls the real one.
 *
 *   table operations   entries before and after are compared.  Whatever changed is judged in all
 *                      contexts; a frame that got its first reference must not be remembered
 *   frame_retype, frame_make_quiet, frame_op_lend
 *                      a frame that changes its type or owner, or leaves a lending, likewise
 *   kernel_enter_*     page faults of user mode come here first; before user mode goes on, hardware
 *                      forgets what its tables no longer say
 *
 * The rule for frames is the kernel's own promise (docs/frames.md, "quiet"): its violation is
 * always the end.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shadow.h"
#include "entry.h"
#include "shutdown.h"
#include "table.h"
#include <machine/cpu.h>

#define SPANS_MAX 2u

/* Entries that an operation may change. */
struct span {
	pfn_t table;
	uint32_t first, count;
};

static uint64_t (*before)[TABLE_ENTRIES]; /* entries of each span */
static bool *referenced;		   /* by frame: an entry names it */

/* Called once, before the first operation. */
void watch_init(void)
{
	before = shadow_take(SPANS_MAX * sizeof(*before));
	referenced = shadow_take(SHADOW_FRAMES_MAX * sizeof(*referenced));
}

/* ---- frames ---- */

static void check_unremembered(pfn_t pfn, const char *why)
{
	if (pfn < frame_count && frame_is_cached(pfn))
		report_reuse(pfn, why);
}

static void target_first(pfn_t pfn)
{
	if (referenced[pfn] || frame_is_uncounted(&frame_table[pfn]))
		return;
	check_unremembered(pfn, "gets its first reference");
	referenced[pfn] = true;
}

static void target_last(pfn_t pfn)
{
	if (frame_table[pfn].refs == 0 && !(frame_table[pfn].flags & FRAME_BLOCK))
		referenced[pfn] = false;
}

/* All frames that an entry names. */
static void targets_each(uint64_t entry, uint32_t level, void (*step)(pfn_t pfn))
{
	uint32_t count = level > 1 && entry_is_large(entry) ? BLOCK_FRAMES : 1;

	if (!(entry & PTE_P))
		return;
	for (uint32_t i = 0; i < count && pte_pfn(entry) + i < frame_count; i++)
		step(pte_pfn(entry) + i);
}

/* ---- table operations ---- */

static uint64_t *span_entry(const struct span *span, uint32_t i)
{
	return &((uint64_t *)frame_memory(span->table))[span->first + i];
}

static struct span span_make(uint64_t table, uint32_t first, uint32_t count)
{
	if (table >= frame_count || table_level((pfn_t)table) == 0 || first + count > TABLE_ENTRIES)
		count = 0;
	return (struct span){ (pfn_t)table, first, count };
}

static void spans_find(const struct op *op, struct span spans[SPANS_MAX])
{
	pfn_t table = OP_PFN(op->head);
	uint32_t index = OP_INDEX(op->head), count = OP_ENTRIES(op->head);

	spans[1] = (struct span){ 0 };
	switch (OP_CODE(op->head)) {
	case OP_SET:
		spans[0] = span_make(table, index, 1);
		return;
	case OP_SPLIT:
		spans[0] = span_make(table, index, 1);
		spans[1] = span_make(pte_pfn(op->b), 0, TABLE_ENTRIES);
		return;
	case OP_COPY:
	case OP_MOVE:
		spans[0] = span_make(table, index, count);
		spans[1] = span_make(OP_PFN(op->a), OP_INDEX(op->a), count);
		return;
	default:
		spans[0] = span_make(table, index, count);
	}
}

static bool entry_changed(uint64_t old, uint64_t now)
{
	return ((old ^ now) & ~(old & now & PTE_P ? PTE_A : 0)) != 0;
}

static void span_follow_frames(const struct span *span, const uint64_t *old)
{
	uint32_t level = table_level(span->table);

	for (uint32_t i = 0; i < span->count; i++)
		if (entry_changed(old[i], *span_entry(span, i)))
			targets_each(*span_entry(span, i), level, target_first);
	for (uint32_t i = 0; i < span->count; i++)
		if (entry_changed(old[i], *span_entry(span, i)))
			targets_each(old[i], level, target_last);
}

static void span_judge(const struct span *span, const uint64_t *old)
{
	for (node_id_t id = nodes_at(span->table); id; id = shadow_nodes[id].next)
		for (uint32_t i = 0; i < span->count; i++)
			if (entry_changed(old[i], *span_entry(span, i)))
				judge_entry(id, span->first + i);
}

static status_t operation_watch(struct batch *batch, const struct op *op, operation_t *real)
{
	struct span spans[SPANS_MAX];
	status_t status;

	spans_find(op, spans);
	for (uint32_t s = 0; s < SPANS_MAX; s++)
		if (spans[s].count)
			memory_copy_words(before[s], span_entry(&spans[s], 0), spans[s].count);
	shadow_cause_begin(batch, op);
	status = real(batch, op);
	for (uint32_t s = 0; s < SPANS_MAX; s++)
		span_follow_frames(&spans[s], before[s]);
	for (uint32_t s = 0; s < SPANS_MAX; s++)
		span_judge(&spans[s], before[s]);
	return status;
}

#define WATCH(name)                                                          \
	operation_t __real_##name, __wrap_##name;                            \
	status_t __wrap_##name(struct batch *batch, const struct op *op)     \
	{                                                                    \
		return operation_watch(batch, op, __real_##name);            \
	}
WATCH(table_op_set)
WATCH(table_op_fill)
WATCH(table_op_copy)
WATCH(table_op_move)
WATCH(table_op_split)
WATCH(table_op_clear)
WATCH(table_op_protect)
WATCH(table_op_harvest)
#undef WATCH

/* ---- other uses of frames ---- */

status_t __real_frame_retype(pfn_t pfn, frame_type_t type) MUST_CHECK;
status_t __wrap_frame_retype(pfn_t pfn, frame_type_t type) MUST_CHECK;
status_t __wrap_frame_retype(pfn_t pfn, frame_type_t type)
{
	bool was_top = frame_table[pfn].type == FRAME_TOP;
	status_t status = __real_frame_retype(pfn, type);

	if (status != ST_OK)
		return status;
	check_unremembered(pfn, "changes its type");
	if (was_top && shadow_current && shadow_current->top == pfn)
		panic("REUSE the top-level table %x that is loaded", pfn);
	if (was_top)
		shadow_forget_top(pfn);
	return status;
}

bool __real_frame_make_quiet(pfn_t pfn);
bool __wrap_frame_make_quiet(pfn_t pfn);
bool __wrap_frame_make_quiet(pfn_t pfn)
{
	bool quiet = __real_frame_make_quiet(pfn);

	if (quiet)
		check_unremembered(pfn, "changes its owner");
	return quiet;
}

operation_t __real_frame_op_lend, __wrap_frame_op_lend;
status_t __wrap_frame_op_lend(struct batch *batch, const struct op *op)
{
	status_t status = __real_frame_op_lend(batch, op);

	if (status == ST_OK && op->a == 0)
		check_unremembered(OP_PFN(op->head), "leaves a lending");
	return status;
}

/* ---- boot, entries ---- */

void __real_memory_init(void);
void __wrap_memory_init(void);
void __wrap_memory_init(void)
{
	__real_memory_init();
	nodes_init();
	watch_init();
	report_init();
}

struct thread *__real_kernel_enter_call(struct thread *thread);
struct thread *__wrap_kernel_enter_call(struct thread *thread);
struct thread *__wrap_kernel_enter_call(struct thread *thread)
{
	struct thread *next = __real_kernel_enter_call(thread);

	shadow_leave();
	return next;
}

struct thread *__real_kernel_enter_trap(struct thread *thread);
struct thread *__wrap_kernel_enter_trap(struct thread *thread);
struct thread *__wrap_kernel_enter_trap(struct thread *thread)
{
	struct thread *next = __real_kernel_enter_trap(thread); /* a page fault: ipc_fast_fault was first */

	shadow_leave();
	return next;
}

/* The short paths: NULL means that the generic one follows. */
struct thread *__real_ipc_fast_call(struct thread *thread);
struct thread *__wrap_ipc_fast_call(struct thread *thread);
struct thread *__wrap_ipc_fast_call(struct thread *thread)
{
	struct thread *next = __real_ipc_fast_call(thread);

	if (next)
		shadow_leave();
	return next;
}

struct thread *__real_ipc_fast_reply_receive(struct thread *server);
struct thread *__wrap_ipc_fast_reply_receive(struct thread *server);
struct thread *__wrap_ipc_fast_reply_receive(struct thread *server)
{
	struct thread *next = NULL;

	if (TAG_OPS(server->registers.rsi) == 0) /* operations are watched one by one, in a batch */
		next = __real_ipc_fast_reply_receive(server);
	if (next)
		shadow_leave();
	return next;
}

struct thread *__real_ipc_fast_fault(struct thread *thread, uint64_t address);
struct thread *__wrap_ipc_fast_fault(struct thread *thread, uint64_t address);
struct thread *__wrap_ipc_fast_fault(struct thread *thread, uint64_t address)
{
	struct thread *next = thread;

	if (!shadow_fault(thread, address))
		next = __real_ipc_fast_fault(thread, address);
	if (next)
		shadow_leave();
	return next;
}

struct thread *__real_kernel_enter_idle_interrupt(uint64_t vector);
struct thread *__wrap_kernel_enter_idle_interrupt(uint64_t vector);
struct thread *__wrap_kernel_enter_idle_interrupt(uint64_t vector)
{
	struct thread *next = __real_kernel_enter_idle_interrupt(vector);

	shadow_leave();
	return next;
}
