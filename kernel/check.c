/*
 * kernel_ok(): every rule of the kernel, checked by walking everything.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "debug.h"
#include "list.h"
#include "object.h"
#include "percpu.h"
#include "pool.h"
#include "sched.h"

static bool is_live_port(const struct port *port)
{
	return port && frame_table[frame_number(port)].type == FRAME_PORT;
}

/* The links around a thread's own agree with it: cheap, and enough together with port_ok. */
static bool links_agree(const struct link *link)
{
	return link->next->prev == link && link->prev->next == link;
}

static bool waits_at_port(const struct thread *thread)
{
	return thread->state == THREAD_QUEUED || thread->state == THREAD_SERVED ||
	       thread->state == THREAD_RECEIVING;
}

static uint32_t thread_check(const struct thread *thread)
{
	const struct space *space = thread->space;

	if (frame_table[frame_number(space)].type != FRAME_SPACE ||
	    !links_agree(&thread->space_link))
		return RULE_THREAD_SPACE;
	if (thread != this_cpu()->current &&
	    (!links_agree(&thread->link) || waits_at_port(thread) != is_live_port(thread->port)))
		return RULE_THREAD_STATE;
	if (thread->state > THREAD_PARKED)
		return RULE_THREAD_STATE;
	if ((thread->state == THREAD_STOPPED || thread->state == THREAD_PARKED) &&
	    !list_is_empty(&thread->link))
		return RULE_THREAD_STATE;
	if (thread->message && (frame_table[thread->message].type != FRAME_MSG ||
				frame_table[thread->message].holds != 1))
		return RULE_MESSAGE_PAGE;
	return 0;
}

static bool list_is_of(const struct link *head, const struct port *port, thread_state_t state)
{
	for (const struct link *l = head->next; l != head; l = l->next)
		if (list_thread(l)->state != state || list_thread(l)->port != port ||
		    l->next->prev != l)
			return false;
	return true;
}

static uint32_t port_check(const struct port *port)
{
	for (uint32_t i = 0; i < PRIORITY_COUNT; i++) {
		if (list_is_empty(&port->queue[i]) == ((port->queued_priorities >> i) & 1))
			return RULE_PORT_QUEUE;
		if (!list_is_of(&port->queue[i], port, THREAD_QUEUED))
			return RULE_PORT_QUEUE;
	}
	if (!list_is_of(&port->served, port, THREAD_SERVED) ||
	    !list_is_of(&port->cancels, port, THREAD_SERVED) ||
	    !list_is_of(&port->receivers, port, THREAD_RECEIVING))
		return RULE_PORT_QUEUE;
	return 0;
}

/* A space's threads name it, and it is loaded only while it exists. */
static uint32_t space_check(const struct space *space)
{
	for (const struct link *l = space->threads.next; l != &space->threads; l = l->next)
		if (list_space_thread(l)->space != space || l->next->prev != l)
			return RULE_THREAD_SPACE;
	return frame_table[space->top].type == FRAME_TOP ? 0 : RULE_THREAD_SPACE;
}

static uint32_t object_check_frame(pfn_t pfn)
{
	switch (frame_table[pfn].type) {
	case FRAME_THREAD:
		return thread_check(thread_of(pfn));
	case FRAME_SPACE:
		return space_check(space_of(pfn));
	case FRAME_PORT:
		return port_check(port_of(pfn));
	default:
		return 0;
	}
}

static uint32_t objects_check(pfn_t *where)
{
	uint32_t rule;

	for (pfn_t pfn = 0; pfn < frame_count; pfn++) {
		if (!frame_get(pfn))
			continue;
		rule = object_check_frame(pfn);
		if (rule) {
			*where = pfn;
			return rule;
		}
	}
	return 0;
}

/* A pool counts the pools below it, and has no more, nor wider limits, than those above. */
static bool pool_limits_hold(uint16_t pool)
{
	const struct pool *entry = &pool_table[pool];
	uint32_t below = 0;

	for (uint16_t i = 1; i < POOL_COUNT; i++)
		below += i != pool && pool_is_within(i, pool);
	if (below != entry->below || below > entry->below_max)
		return false;
	return pool == POOL_ROOT || entry->priority <= pool_table[entry->parent].priority;
}

static uint32_t pools_check(pfn_t *where)
{
	static uint32_t frames[POOL_COUNT];

	memory_fill_words(frames, 0, sizeof(frames) / 8);
	for (pfn_t pfn = 0; pfn < frame_count; pfn++)
		if (frame_get(pfn) && frame_table[pfn].pool)
			frames[frame_table[pfn].pool % POOL_COUNT]++;
	for (uint16_t pool = 1; pool < POOL_COUNT; pool++) {
		*where = pool;
		if (frames[pool] != (pool_table[pool].live ? pool_table[pool].frames : 0))
			return RULE_POOL_COUNT;
		if (pool_table[pool].live && !pool_limits_hold(pool))
			return RULE_POOL_LIMITS;
	}
	return 0;
}

/* Is the word one that any load of CR3 may change: which identifier a space has at the moment? */
static bool is_identifier(uint8_t type, uint32_t word)
{
	return type == FRAME_SPACE && word >= offsetof(struct space, pcid_generation) / 8 &&
	       word < offsetof(struct space, threads) / 8;
}

/* Of a table without the bits that the processor sets by itself, of a space without its identifier.
   Each step is a bijection: no single change can leave the sum as it was. */
static uint64_t frame_sum(pfn_t pfn)
{
	const uint64_t *words = frame_memory(pfn);
	uint8_t type = frame_table[pfn].type;
	bool is_table = frame_type_is_table((frame_type_t)type);
	uint64_t sum = 1;

	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t word = is_identifier(type, i) ? 0 : words[i];

		if (is_table && (word & PTE_P))
			word &= ~(PTE_A | PTE_D);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
	}
	return sum ^ sum >> 32;
}

/* A FREE frame has no contents that anybody could rely on. */
static bool frame_has_contents(pfn_t pfn)
{
	const struct frame *frame = frame_get(pfn);

	return frame && frame->type != FRAME_FREE && !memory_is_image(pfn);
}

void frame_sums(pfn_t first, uint64_t *sums)
{
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		sums[i] = frame_has_contents(first + i) ? frame_sum(first + i) : 0;
}

uint32_t kernel_ok(pfn_t *where)
{
	uint32_t rule = frame_check_all(where);

	if (rule)
		return rule;
	*where = 0;
	if (!sched_ok())
		return RULE_READY_QUEUES;
	rule = objects_check(where);
	return rule ? rule : pools_check(where);
}
