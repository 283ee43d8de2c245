/*
 * Spaces: the table, making them, taking them apart (model: space.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "space.h"

#include "account.h"
#include "heap.h"
#include "start.h"
#include "stat.h"
#include "tables.h"

#include <faultline/slots.h>

struct slab space_slab;
static struct space *space_last;
struct space *space_first;
uint64_t space_count;
struct space_template space_templates[SLOT_INIT + 1];

/* See the header. */
status_t space_start(void)
{
	space_first = space_last = 0;
	space_count = 0;
	for (uint32_t slot = 0; slot <= SLOT_INIT; slot++)
		space_templates[slot] = (struct space_template){ 0 };
	return slab_init(
		&space_slab, heap_window(HEAP_SPACES), sizeof(struct space), SPACES_MAX, heap_grow);
}

/* The error codes whose faults fault_quick() cures by a page alone: first touches of anonymous memory,
   and writes of pages that are there. */
static uint32_t quick_codes(const struct region *region)
{
	const uint32_t touch = FAULT_USER, write = FAULT_USER | FAULT_WRITE;
	uint32_t codes = 0;

	if (region->protection & MAP_SHARED)
		return 0;
	if (region->object == 0 && region->protection & REGION_RIGHTS)
		codes |= 1u << touch;
	if (region->object == 0 && (region->protection & (MAP_WRITE | MAP_LARGE)) == MAP_WRITE)
		codes |= 1u << write;
	if (region->protection & MAP_WRITE)
		codes |= 1u << (write | FAULT_PRESENT);
	return codes;
}

/* See the header. */
void space_remember(struct space *space, const struct region *region)
{
	space->last = *region;
	space->last_bytes = region->end - region->start;
	space->last_bits = region_leaf_bits(region);
	space->last_quick = quick_codes(region);
	if (region->start < space->untouched.end && space->untouched.start < region->end)
		space->untouched.end = 0;
}

/* See the header. */
void space_rights_changed(struct space *space)
{
	space->untouched.end = 0;
	account_update(space);
}

static void forget_regions(struct space *space)
{
	space_forget_last(space);
	space->room.to = 0;
	space->untouched.end = 0;
}

/* See the header. */
void space_regions_changed(struct space *space)
{
	forget_regions(space);
	account_update(space);
}

/* See the header. */
status_t space_reserve(void)
{
	return slab_reserve(&space_slab, 1);
}

static void list_append(struct space *space)
{
	space->next = 0;
	space->previous = space_last;
	if (space_last)
		space_last->next = space;
	else
		space_first = space;
	space_last = space;
	space_count++;
}

static void list_remove(struct space *space)
{
	if (space->next)
		space->next->previous = space->previous;
	else
		space_last = space->previous;
	if (space->previous)
		space->previous->next = space->next;
	else
		space_first = space->next;
	space_count--;
}

/* See the header. */
struct space *space_take(uint32_t class, uint64_t badge)
{
	struct space *space = slab_take(&space_slab);
	uint32_t index = (uint32_t)slab_index(&space_slab, space);
	/* Fresh memory is zero; generation 0 is left out, so that no id is 0. */
	uint32_t generation = space->generation % (SPACE_GENERATIONS - 1) + 1;

	*space = (struct space){
		.id = generation << SPACE_INDEX_BITS | index,
		.generation = generation,
		.state = SPACE_LIVE,
		.class = (uint8_t) class,
		.badge = badge,
		.limit = account_space_limit,
	};
	list_append(space);
	return space;
}

/* See the header. */
void space_give(struct space *space)
{
	list_remove(space);
	stat_add(&pager_counters, &space->counters);
	space->id = 0;
	space->state = SPACE_FREE;
	slab_give(&space_slab, space);
}

/* See the header. */
uint32_t space_slot_run(const struct space *space, uint32_t *slot)
{
	uint32_t count = 0;

	while (*slot <= LAYOUT_USER_LAST_SLOT) {
		uint64_t word = space->used[*slot / 64] >> (*slot % 64);

		if (word != 0) {
			*slot += (uint32_t)__builtin_ctzll(word);
			break;
		}
		*slot = (*slot / 64 + 1) * 64;
	}
	while (*slot + count <= LAYOUT_USER_LAST_SLOT &&
		space->used[(*slot + count) / 64] >> ((*slot + count) % 64) & 1)
		count++;
	return count;
}

/* ---- making ---- */

static void add_port(const struct space *space, uint32_t field, uint32_t slot, uint64_t badge)
{
	mmu_add(op_head(OP_THREAD_SET, 0, space->thread, field, 0), slot, badge);
}

static void add_handle(const struct space *space, uint32_t target,
	const struct space_template *from, uint64_t badge)
{
	mmu_add(op_head(OP_HANDLE_SET, 0, space->frame, target, 0),
		from->slot | (uint64_t)from->rights << 16, badge);
}

/* The handles that each program finds, minted anew for it. */
static void add_program_handles(const struct space *space)
{
	static const struct space_template own = { SLOT_SELF, RIGHT_SEND };

	for (uint32_t slot = 1; slot < SLOT_TEMPLATES; slot++)
		if (slot != SLOT_PAGER && space_templates[slot].rights != 0)
			add_handle(space, slot, &space_templates[slot], space->badge);
	add_handle(space, SLOT_PAGER, &own, space->id);
}

/* See the header. */
void space_add_thread(struct space *space, pfn_t clone)
{
	bool is_program = space->class == CLASS_PROGRAM;
	uint32_t exceptions = is_program ? SLOT_PROC : SLOT_INIT;

	mmu_add(op_head(OP_THREAD_CREATE, 0, space->thread, 0, 0), space->frame,
		is_program ? pager_settings.priority_program : pager_settings.priority_server);
	if (clone != 0)
		mmu_add(op_head(OP_THREAD_CLONE, 0, space->thread, 0, 0), clone, 0);
	add_port(space, THREAD_FIELD_FAULT_PORT, SLOT_SELF, space->id);
	if (space_templates[exceptions].rights != 0)
		add_port(space, THREAD_FIELD_EXCEPTION_PORT, space_templates[exceptions].slot,
			space->badge);
	if (is_program)
		add_program_handles(space);
}

/* End an object that may have been made. */
static status_t destroy_object(pfn_t pfn, frame_type_t type)
{
	if (mmu_frame(pfn)->type != type)
		return ST_OK;
	mmu_add(op_head(OP_DESTROY, 0, pfn, 0, 0), 0, 0);
	return tables_run();
}

/* See the header. */
void space_abandon(struct space *space)
{
	status_t status = destroy_object(space->thread, FRAME_THREAD);

	if (status == ST_OK && mmu_frame(space->frame)->type == FRAME_SPACE) {
		status = tables_teardown(space);
		if (status == ST_OK)
			status = destroy_object(space->frame, FRAME_SPACE);
	}
	if (status == ST_OK)
		frame_pool_undo(); /* else they stay in use, and pager_check() reports them */
	account_close(space);
	region_map_release(&space->regions);
	space_give(space);
}

/* See the header. */
status_t space_create(uint32_t class, uint64_t badge, uint64_t rights, struct space **result)
{
	struct space *space;
	status_t status = space_reserve();

	if (status != ST_OK)
		return status;
	if (!frame_pool_has(3))
		return ST_NO_MEMORY;
	frame_pool_begin();
	space = space_take(class, badge);
	space->frame = frame_pool_take_blank(KIND_KERNEL);
	space->top = frame_pool_take_blank(KIND_KERNEL);
	space->thread = frame_pool_take_blank(KIND_KERNEL);
	mmu_add(op_head(OP_SPACE_CREATE, 0, space->frame, 0, 0), space->top, rights);
	space_add_thread(space, 0);
	status = tables_run();
	if (status != ST_OK) {
		space_abandon(space);
		return status;
	}
	*result = space;
	return ST_OK;
}

/* ---- taking apart ---- */

/* Collect the end of an object; its frame can be put back when that has run. */
static void add_end(pfn_t pfn)
{
	mmu_add(op_head(OP_DESTROY, 0, pfn, 0, 0), 0, 0);
	mmu_add(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_DATA, 0);
}

static status_t destroy_port(struct space *space)
{
	status_t status;

	if (space->port == 0)
		return ST_OK;
	add_end(space->port);
	status = tables_run();
	if (status != ST_OK)
		return status;
	frame_pool_put(space->port);
	space->port = 0;
	return ST_OK;
}

/* Behind what is collected: its tables and its objects, but not the record. */
static status_t end_memory(struct space *space)
{
	status_t status = tables_add_teardown(space);

	if (status != ST_OK)
		return status;
	add_end(space->frame);
	mmu_add(op_head(OP_RETYPE, 0, space->top, 0, 1), FRAME_DATA, 0);
	status = tables_run();
	if (status != ST_OK)
		return status;
	frame_pool_put(space->frame);
	frame_pool_put(space->top);
	return ST_OK;
}

/* The record of a space whose thread has ended; what is left of its objects follows by a job. */
static status_t end_record(struct space *space, bool has_memory)
{
	status_t status;

	space->thread = 0;
	space->id = 0;
	space->state = SPACE_DYING;
	path_forget(space);
	account_forget(space);
	job_drop(space);
	account_close(space);
	region_map_release(&space->regions);
	forget_regions(space);
	job_reap_regions();
	if (!has_memory) {
		space_give(space);
		return ST_OK;
	}
	space->job = (struct job){ .kind = JOB_TEARDOWN };
	return job_begin(space, &status) ? status : ST_OK;
}

/* See the header.  All in one batch, if it has no port: who waits there may be many. */
status_t space_destroy(struct space *space)
{
	pfn_t thread = space->thread;
	status_t status;

	add_end(thread);
	space->thread = 0;
	status = space->port == 0 ? end_memory(space) : tables_run();
	if (mmu_frame(thread)->type == FRAME_THREAD) {
		space->thread = thread;
		return status;
	}
	if (mmu_frame(thread)->type == FRAME_DATA)
		frame_pool_put(thread); /* else the kernel refused it, and pager_check() reports it */
	return end_record(space, status != ST_OK || space->port != 0);
}

/* See the header. */
status_t space_teardown_step(struct space *space, bool *done)
{
	status_t status =
		space->state == SPACE_DYING ? destroy_port(space) : tables_teardown(space);

	if (status == ST_OK && space->state == SPACE_DYING)
		status = end_memory(space);
	if (status == ST_OK && space->state == SPACE_DYING)
		space_give(space);
	*done = status == ST_OK;
	return status;
}
