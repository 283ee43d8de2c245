/*
 * Fork: structural sharing, in one batch.
 *
 *   parent TOP                child TOP
 *    [slot 0]--W off--.   .--W off--[slot 0]        each used user slot is copied: its table gets
 *                      [L3] refs 2                  a reference more, and loses W on both sides
 *    [message slot]           (empty)               never copied: filled on first touch
 *
 * x86 takes the AND of W over all levels, so nothing below needs an edit.  The region map is
 * shared by its root.  Nothing depends on the size of the process; the number of operations
 * depends on the number of runs of used top-level slots only, two for an ordinary process.
 *
 * The parent is flushed once, in the same batch and before the child can run: its translations
 * still have W.  If the batch is refused half way, the parent is flushed all the same, the child is
 * destroyed, and the parent keeps some entries without W and their tables one reference: its next
 * write sets W again.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fork.h"

#include "account.h"
#include "start.h"
#include "stat.h"
#include "tables.h"

#define FORK_FRAMES 3u	/* SPACE, TOP, THREAD */
#define TAIL_OPS    16u /* operations behind the copies */

/* What the child has of its parent besides the kernel's objects. */
static void copy_record(struct space *child, const struct space *parent)
{
	child->regions = region_map_share(parent->regions);
	child->last = parent->last;
	child->last_bytes = parent->last_bytes;
	child->last_bits = parent->last_bits;
	child->last_quick = parent->last_quick;
	child->brk_start = parent->brk_start;
	child->brk_now = parent->brk_now;
	child->resident = parent->resident;
	child->limit = parent->limit;
	for (uint32_t i = 0; i < USER_SLOT_WORDS; i++)
		child->used[i] = parent->used[i];
	for (uint32_t i = 0; i < sizeof(child->name); i++)
		child->name[i] = parent->name[i];
	account_update(child);
}

/* Copy the used slots; very scattered ones take more than one batch. */
static status_t copy_slots(const struct space *child, const struct space *parent)
{
	uint32_t slot = 0, count;

	while ((count = space_slot_run(parent, &slot)) != 0) {
		if (mmu_room() <= TAIL_OPS) {
			status_t status = tables_run();

			if (status != ST_OK)
				return status;
		}
		mmu_add(op_head(OP_COPY, 0, parent->top, slot, count),
			(uint64_t)child->top << 36 | (uint64_t)slot << 16, 0);
		pager_counters.tables_shared += count;
		slot += count;
	}
	return ST_OK;
}

/* Reports name the thread like its parent's. */
static void add_name(const struct space *child)
{
	uint64_t words[2];

	__builtin_memcpy(words, child->name, sizeof(words));
	mmu_add(op_head(OP_THREAD_SET, 0, child->thread, THREAD_FIELD_NAME, 0), words[0], words[1]);
}

static status_t run_batch(struct space *child, const struct space *parent)
{
	status_t status;

	mmu_add(op_head(OP_SPACE_CREATE, 0, child->frame, 0, 0), child->top, 0);
	status = copy_slots(child, parent);
	if (status != ST_OK)
		return status;
	mmu_add(op_head(OP_FLUSH, 0, parent->frame, 0, 0), 0, 0);
	space_add_thread(child, parent->thread);
	add_name(child);
	mmu_add(op_head(OP_THREAD_START, OP_START_ANSWER, child->thread, 0, 0), tag_make(ST_OK, 0),
		0);
	return tables_run();
}

/* See the header. */
status_t fork_space(struct space *parent, uint64_t badge, struct space **result)
{
	struct space *child;
	status_t status = space_reserve();

	if (status != ST_OK)
		return status;
	if (!account_has_room(parent->committed))
		return ST_NO_MEMORY;
	if (!frame_pool_has(FORK_FRAMES))
		return ST_NO_MEMORY;
	frame_pool_begin();
	child = space_take(parent->class, badge);
	child->frame = frame_pool_take_blank(KIND_KERNEL);
	child->top = frame_pool_take_blank(KIND_KERNEL);
	child->thread = frame_pool_take_blank(KIND_KERNEL);
	copy_record(child, parent);
	status = run_batch(child, parent);
	if (status != ST_OK) {
		mmu_add(op_head(OP_FLUSH, 0, parent->frame, 0, 0), 0, 0);
		if (mmu_run() == ST_OK)
			space_abandon(child); /* else it stays, and pager_check() reports it */
		return status;
	}
	pager_counters.forks++;
	*result = child;
	return ST_OK;
}
