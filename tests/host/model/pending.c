/*
 * Requests under way: what is now and what is next (model and rules: reference.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "reference.h"

#include <string.h>

/* See the header. */
void pending_touch(struct process *process, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		process->pending.touched[i] = true;
		page_copy_end(&process->pending.next[i]);
		process->pending.next[i] = process->pages[i];
	}
}

/* See the header. */
void pending_begin(struct process *process, enum pending_kind kind, uint32_t first, uint32_t count)
{
	struct pending *pending = &process->pending;

	pending->kind = kind;
	pending->token = 0;
	pending->is_cancelled = false;
	pending->expected = 0;
	pending->brk = process->brk;
	memset(pending->touched, 0, sizeof(pending->touched));
	memset(pending->moved_to, 0, sizeof(pending->moved_to));
	pending_touch(process, first, count);
}

/* Some of the pages have been taken away, and some have not. */
static void end_half_way(struct process *process)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (process->pending.touched[i] && !process->pages[i].is_shared) {
			page_keep(&process->pages[i]);
			if (process->pages[i].is_own) {
				process->pages[i].is_own = false;
				process->pages[i].is_kept = true;
			}
		}
}

/* See the header. */
void pending_end(struct process *process, bool done)
{
	struct pending *pending = &process->pending;

	for (uint32_t i = 0; i < PLACES; i++) {
		page_copy_end(&process->pages[i]);
		page_copy_end(&pending->next[i]);
	}
	if (!done && pending->kind == PENDING_DISCARD)
		end_half_way(process);
	if (done) {
		process->brk = pending->brk;
		for (uint32_t i = 0; i < PLACES; i++)
			if (pending->touched[i])
				process->pages[i] = pending->next[i];
	}
	pending->kind = PENDING_NONE;
	pending->token = 0;
}

/* See the header. */
bool run_is_mapped(const struct process *process, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		if (!process->pages[i].is_mapped)
			return false;
	return true;
}

/* See the header. */
bool run_is_free(const struct process *process, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		if (process->pages[i].is_mapped)
			return false;
	return true;
}

/* See the header. */
bool run_is_one_region(const struct process *process, uint32_t first, uint32_t count)
{
	if (!process->pages[first].is_mapped)
		return false;
	for (uint32_t i = first + 1; i < first + count; i++)
		if (!page_continues(&process->pages[i - 1], &process->pages[i]))
			return false;
	return true;
}
