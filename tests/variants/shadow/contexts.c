/*
 * CR3 and flushes, as a processor with identifiers and speculation has them.
 *
 * A flush of the context that is not loaded forgets it all.  A flush of the one that is loaded is
 * weaker: the processor may walk at any moment, also in the very next instruction of the kernel,
 * and bring back what the tables still say.  So here a flush forgets the items that are not true at
 * that moment, and those only: a flush that comes before the change it is for helps nothing.
 *
 * Without identifiers (boot option `nopcid`) each load of CR3 is a flush of the one context.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shadow.h"
#include "percpu.h"
#include <machine/cpu.h>

#define CPUID1_ECX_PCID (1u << 17)
#define CR3_NOFLUSH	(1ull << 63)
#define CR3_IDENTIFIER	0xfffull

struct context shadow_contexts[SHADOW_CONTEXTS];
struct context *shadow_current;
bool shadow_must_reload;

static uint64_t cr3; /* as the kernel wrote it, without NOFLUSH */

bool shadow_has_identifiers(void)
{
	return cpu_has(FEATURE_PCID);
}

/* In the place of CPUID: identifiers exist, unless the boot option `nopcid` says otherwise. */
struct cpuid shadow_cpu_id(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid id = cpu_id(leaf, subleaf);

	if (leaf == 1)
		id.ecx = boot_option("nopcid") ? id.ecx & ~CPUID1_ECX_PCID :
						 id.ecx | CPUID1_ECX_PCID;
	return id;
}

/* In the place of a load of CR4: the processor's own identifiers stay off. */
void shadow_write_cr4(uint64_t value)
{
	cpu_write_cr4(value & ~CR4_PCIDE);
}

uint64_t shadow_read_cr3(void)
{
	return cr3;
}

static void load_hardware(void)
{
	node_id_t root = shadow_current ? shadow_current->root : 0;

	shadow_must_reload = false;
	cpu_write_cr3(root ? (uint64_t)node_frame(root) << PAGE_SHIFT : percpu0.kernel_cr3);
}

/* Forget a context, tables and all. */
static void forget(struct context *context)
{
	if (!context->root)
		return;
	if (context == shadow_current) {
		shadow_current = NULL;
		load_hardware();
	}
	node_free(context->root);
	shadow_must_reload = true;
	context->root = 0;
	context->top = 0;
}

static void forget_untrue(node_id_t id)
{
	for (uint32_t i = node_next(id, 0); i < TABLE_ENTRIES; i = node_next(id, i + 1)) {
		node_id_t below = shadow_nodes[id].level > 1 ? node_below(id, i) : 0;

		if (node_items(id)[i] & (ITEM_STALE | ITEM_WEAK))
			item_drop(id, i);
		if (below)
			forget_untrue(below);
	}
}

/* A flush of the loaded context. */
static void flush_loaded(struct context *context)
{
	if (context->stale != 0 || context->weak != 0)
		forget_untrue(context->root);
}

/* In the place of INVPCID, all contexts. */
void shadow_flush_all_contexts(void)
{
	for (uint32_t i = 0; i < SHADOW_CONTEXTS; i++)
		if (&shadow_contexts[i] != shadow_current)
			forget(&shadow_contexts[i]);
	if (shadow_current)
		flush_loaded(shadow_current);
}

static void load_kernel(void)
{
	if (!shadow_has_identifiers())
		forget(&shadow_contexts[0]);
	shadow_current = NULL;
	load_hardware();
}

/* What is remembered under an identifier stays, whatever the new top-level table says. */
static void context_set_top(struct context *context, pfn_t top)
{
	if (!context->root) {
		context->root = node_make_root(context);
		if (!context->root) {
			shadow_forget_all();
			context->root = node_make_root(context);
		}
	}
	if (context->top == top)
		return;
	context->top = top;
	judge_node(context->root);
}

/* In the place of a load of CR3. */
void shadow_write_cr3(uint64_t value)
{
	uint64_t identifier = value & CR3_IDENTIFIER;
	bool flushes = !(value & CR3_NOFLUSH) || !shadow_has_identifiers();
	pfn_t top = pte_pfn(value & ~CR3_NOFLUSH);
	struct context *context = &shadow_contexts[identifier];

	cr3 = value & ~CR3_NOFLUSH;
	if (cr3 == percpu0.kernel_cr3) {
		load_kernel();
		return;
	}
	ASSERT(identifier < SHADOW_CONTEXTS && (shadow_has_identifiers() || identifier == 0));
	if (flushes && context->top != top)
		forget(context);
	shadow_current = context;
	context_set_top(context, top);
	if (flushes)
		flush_loaded(context);
	load_hardware();
}

/* See shadow.h. */
void shadow_forget_all(void)
{
	shadow_counts.full++;
	for (uint32_t i = 0; i < SHADOW_CONTEXTS; i++) {
		if (&shadow_contexts[i] != shadow_current)
			forget(&shadow_contexts[i]);
	}
	if (shadow_current)
		node_free_below(shadow_current->root);
	shadow_must_reload = true;
}

/* See shadow.h. */
void shadow_forget_top(pfn_t top)
{
	for (uint32_t i = 0; i < SHADOW_CONTEXTS; i++) {
		struct context *context = &shadow_contexts[i];

		if (context->top != top || !context->root)
			continue;
		context->top = 0;
		judge_node(context->root);
	}
}

/* See shadow.h. */
void shadow_leave(void)
{
	if (shadow_must_reload)
		load_hardware();
}
