/*
 * kernel_ok(): every rule of the kernel, checked by walking everything.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "debug.h"
#include "list.h"
#include "object.h"
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

static uint32_t thread_check(const struct thread *thread)
{
	const struct space *space = thread->space;

	if (frame_table[frame_number(space)].type != FRAME_SPACE ||
	    !links_agree(&thread->space_link))
		return RULE_THREAD_SPACE;
	if (!links_agree(&thread->link))
		return RULE_THREAD_STATE;
	if ((thread->state == THREAD_QUEUED || thread->state == THREAD_SERVED ||
	     thread->state == THREAD_RECEIVING) != is_live_port(thread->port))
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
	}
	return 0;
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
