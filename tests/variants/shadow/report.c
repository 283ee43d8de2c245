/*
 * What the shadow TLB found: lines STALE and REUSE, counts, the machine's status.
 *
 * Boot options:   stale=count   go on after the use of a stale translation (which is then made),
 *                               and end with status 3; otherwise it is a panic
 *                 nopcid, keep  see contexts.c and fault.c
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shadow.h"
#include "debug.h"
#include "hooks.h"
#include "percpu.h"
#include "shutdown.h"

#define CAUSES	       1024u
#define LINES_MAX      50u
#define SHUTDOWN_STALE 3u

/* An operation that changed tables. */
struct cause {
	uint64_t number;
	struct op op;
	pfn_t caller;
};

struct shadow_counts shadow_counts;

static struct cause *causes;
static uint64_t cause_number;
static bool expects_stale, goes_on, keeps_upper;

/* Called once: reads the boot options. */
void report_init(void)
{
	causes = shadow_take(CAUSES * sizeof(*causes));
	goes_on = boot_option("stale=count");
	keeps_upper = boot_option("keep");
}

/* See shadow.h. */
bool shadow_keeps_upper(void)
{
	return keeps_upper;
}

/* See shadow.h. */
bool shadow_is_expected(void)
{
	return expects_stale || debug_hook_no_flush;
}

/* See shadow.h. */
uint64_t shadow_cause_begin(const struct batch *batch, const struct op *op)
{
	cause_number++;
	causes[cause_number % CAUSES] = (struct cause){ cause_number, *op,
		batch->caller ? frame_number(batch->caller) : 0 };
	return cause_number;
}

/* See shadow.h. */
uint64_t shadow_cause(void)
{
	return cause_number;
}

static void print_cause(uint64_t item)
{
	uint64_t low = item >> ITEM_CAUSE_SHIFT;
	uint64_t number = cause_number - ((cause_number - low) & ITEM_CAUSE_MASK);
	const struct cause *cause = &causes[number % CAUSES];

	if (cause->number != number) {
		log_print(", since %lu operations ago\n", cause_number - number);
		return;
	}
	log_print(", since operation %u (%lx %lx %lx) of thread %x, %lu operations ago\n",
		OP_CODE(cause->op.head), cause->op.head, cause->op.a, cause->op.b, cause->caller,
		cause_number - number);
}

static void print_thread(const struct thread *thread)
{
	log_print("thread %x ", frame_number(thread));
	for (uint32_t i = 0; i < sizeof(thread->name) && thread->name[i]; i++)
		log_print("%c", thread->name[i]);
	log_print(", space %x", frame_number(thread->space));
}

static void print_item(node_id_t id, uint32_t index)
{
	const struct node *node = &shadow_nodes[id];
	uint64_t item = node_items(id)[index];
	struct view view = view_of(id);

	log_print("identifier %lu, level %u, address %lx: remembered frame %x%s%s%s%s, the tables "
		  "say %lx (%s%s)",
		(uint64_t)(node->context - shadow_contexts), node->level,
		node->base + ((uint64_t)index << (PAGE_SHIFT + 9 * (node->level - 1))),
		item_pfn(item), item & ITEM_W ? " W" : "", item & ITEM_NX ? " NX" : "",
		item & ITEM_D ? " D" : "", item & ITEM_LARGE ? " 2M" : "",
		view_entry(&view, index), view.writable ? "W" : "-", view.executable ? "X" : "-");
	if (item & ITEM_STALE)
		print_cause(item);
	else
		log_print("\n");
}

/* See shadow.h. */
void report_stale(node_id_t id, uint32_t index, uint64_t address, uint64_t error)
{
	if (node_items(id)[index] & ITEM_EXPECTED) {
		shadow_counts.expected_uses++;
		return;
	}
	if (shadow_counts.stale_uses++ < LINES_MAX) {
		log_print("STALE ");
		print_thread(this_cpu()->current);
		log_print(", %s %lx: ",
			error & FAULT_WRITE ? "write" : error & FAULT_FETCH ? "fetch" : "read",
			address);
		print_item(id, index);
	}
	if (!goes_on)
		panic("a stale translation was used");
}

static bool item_leads_to(uint64_t item, pfn_t pfn)
{
	if (!(item & ITEM_VALID))
		return false;
	if (item & ITEM_LARGE)
		return item_pfn(item) / BLOCK_FRAMES == pfn / BLOCK_FRAMES;
	return item_pfn(item) == pfn;
}

static void print_items_of(node_id_t id, pfn_t pfn)
{
	for (uint32_t i = node_next(id, 0); i < TABLE_ENTRIES; i = node_next(id, i + 1)) {
		node_id_t below = shadow_nodes[id].level > 1 ? node_below(id, i) : 0;

		if (item_leads_to(node_items(id)[i], pfn)) {
			log_print("  ");
			print_item(id, i);
		}
		if (below)
			print_items_of(below, pfn);
	}
}

/* See shadow.h. */
_Noreturn void report_reuse(pfn_t pfn, const char *why)
{
	log_print("REUSE frame %x (type %u, pool %u) %s, but is remembered:\n", pfn,
		frame_table[pfn].type, frame_table[pfn].pool, why);
	for (uint32_t i = 0; i < SHADOW_CONTEXTS; i++)
		if (shadow_contexts[i].root)
			print_items_of(shadow_contexts[i].root, pfn);
	panic("a frame is used again while it can be reached by old translations");
}

/* ---- hooks ---- */

static status_t hook(struct registers *registers)
{
	switch (registers->rsi) {
	case SHADOW_HOOK_EXPECT:
		expects_stale = registers->rdx != 0;
		return ST_OK;
	case SHADOW_HOOK_COUNTS:
		registers->rdx = shadow_counts.expected_uses;
		registers->r10 = shadow_counts.stale_uses;
		return ST_OK;
	default:
		return ST_BAD_ARGUMENT;
	}
}

struct thread *__real_call_debug(struct thread *thread);
struct thread *__wrap_call_debug(struct thread *thread);
struct thread *__wrap_call_debug(struct thread *thread)
{
	struct registers *registers = &thread->registers;

	if (!(thread->space->flags & SPACE_DEBUG) || registers->rdi != DEBUG_HOOK ||
		registers->rsi < SHADOW_HOOK_EXPECT)
		return __real_call_debug(thread);
	registers->rax = hook(registers);
	return NULL;
}

/* ---- the end ---- */

_Noreturn void __real_machine_shutdown(uint32_t status);
_Noreturn void __wrap_machine_shutdown(uint32_t status);
_Noreturn void __wrap_machine_shutdown(uint32_t status)
{
	const struct shadow_counts *c = &shadow_counts;

	log_print("shadow: %lu walks, %lu hits, %lu faults, %lu became stale, %lu evicted, "
		  "%lu times full, %u nodes at most\n",
		c->fills, c->hits, c->faults, c->became_stale, c->evicted, c->full,
		nodes_used_most());
	log_print("shadow: stale translations used: %lu expected, %lu not expected\n",
		c->expected_uses, c->stale_uses);
	__real_machine_shutdown(status == 0 && c->stale_uses ? SHUTDOWN_STALE : status);
}
