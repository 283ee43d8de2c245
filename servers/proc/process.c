/*
 * The process table.
 *
 * Rules (process_table_ok):
 *   - a live process lies in slot pid % PROCESS_MAX and in the list of all, which ascends by pid
 *   - it is in its parent's list of children exactly once, and in none without a parent
 *   - a parent is live; a zombie has no children
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "process.h"

#include <faultline/protocol/proc.h>
#include <server/string.h>

#define GENERATION_MASK	       0x7fffffffu /* bit 63 of a badge marks the system's */
#define BADGE_PID_MASK	       0xffffffffu
#define BADGE_GENERATION_SHIFT 32

static struct process table[PROCESS_MAX];
static struct process *first, *last;
static uint32_t count;
static uint32_t next_pid = 1;

static uint32_t take_pid(void)
{
	uint32_t pid = next_pid;

	next_pid = next_pid + 1 < PROCESS_PID_LIMIT ? next_pid + 1 : 1;
	return pid;
}

/* Ids that count up belong at the end; after they began again, further in front. */
static void list_insert(struct process *process)
{
	struct process *before = last;

	while (before && before->pid > process->pid)
		before = before->previous;
	process->previous = before;
	process->next = before ? before->next : first;
	if (process->next)
		process->next->previous = process;
	else
		last = process;
	if (before)
		before->next = process;
	else
		first = process;
	count++;
}

static void list_remove(struct process *process)
{
	if (process->previous)
		process->previous->next = process->next;
	else
		first = process->next;
	if (process->next)
		process->next->previous = process->previous;
	else
		last = process->previous;
	count--;
}

static void child_insert(struct process *parent, struct process *child)
{
	child->parent = parent;
	child->previous_sibling = NULL;
	child->next_sibling = NULL;
	if (!parent)
		return;
	child->next_sibling = parent->first_child;
	if (parent->first_child)
		parent->first_child->previous_sibling = child;
	parent->first_child = child;
}

static void child_remove(struct process *child)
{
	if (!child->parent)
		return;
	if (child->previous_sibling)
		child->previous_sibling->next_sibling = child->next_sibling;
	else
		child->parent->first_child = child->next_sibling;
	if (child->next_sibling)
		child->next_sibling->previous_sibling = child->previous_sibling;
	child->parent = NULL;
	child->next_sibling = child->previous_sibling = NULL;
}

/* See the header. */
struct process *process_create(struct process *parent)
{
	struct process *process;
	uint32_t pid, generation;

	if (count == PROCESS_MAX)
		return NULL;
	do {
		pid = take_pid();
		process = &table[pid % PROCESS_MAX];
	} while (process->pid != 0);

	generation = (process->generation + 1) & GENERATION_MASK;
	memset(process, 0, sizeof(*process));
	process->pid = pid;
	process->generation = generation;
	process->state = PROC_RUNNING;
	child_insert(parent, process);
	list_insert(process);
	return process;
}

/* See the header. */
void process_free(struct process *process)
{
	child_remove(process);
	list_remove(process);
	process->pid = 0;
}

/* See the header. */
struct process *process_find(uint64_t pid)
{
	struct process *process = &table[pid % PROCESS_MAX];

	return pid != 0 && process->pid == pid ? process : NULL;
}

/* See the header. */
struct process *process_find_badge(uint64_t badge)
{
	struct process *process = process_find(badge & BADGE_PID_MASK);

	return process && process_badge(process) == badge ? process : NULL;
}

/* The badge of its handles. */
uint64_t process_badge(const struct process *process)
{
	return process->pid | ((uint64_t)process->generation << BADGE_GENERATION_SHIFT);
}

/* See the header. */
struct process *process_first_from(uint64_t pid)
{
	struct process *process = process_find(pid);

	if (process)
		return process;
	for (process = first; process && process->pid < pid; process = process->next)
		continue;
	return process;
}

/* See the header. */
uint32_t process_count(void)
{
	return count;
}

/* Its name, cut off where it is too long. */
void process_set_name(struct process *process, const char *name)
{
	size_t bytes = strnlen(name, PROCESS_NAME_BYTES - 1);

	memset(process->name, 0, PROCESS_NAME_BYTES);
	memcpy(process->name, name, bytes);
}

/* See the header. */
bool process_is_within(const struct process *process, const struct process *ancestor)
{
	while (process && process != ancestor)
		process = process->parent;
	return process != NULL;
}

/* See the header. */
void process_orphan_children(struct process *process)
{
	while (process->first_child) {
		struct process *child = process->first_child;

		if (child->state == PROC_ZOMBIE)
			process_free(child);
		else
			child_remove(child);
	}
}

/* See the header. */
struct process *process_find_child(const struct process *parent, uint64_t pid, bool zombie)
{
	for (struct process *child = parent->first_child; child; child = child->next_sibling) {
		if ((pid == 0 || child->pid == pid) && (!zombie || child->state == PROC_ZOMBIE))
			return child;
	}
	return NULL;
}

static bool family_ok(const struct process *process)
{
	const struct process *found = NULL;

	if (process->state == PROC_ZOMBIE && process->first_child)
		return false;
	for (const struct process *child = process->first_child; child;
		child = child->next_sibling) {
		if (child->pid == 0 || child->parent != process)
			return false;
		if (child->next_sibling && child->next_sibling->previous_sibling != child)
			return false;
	}
	if (!process->parent)
		return !process->next_sibling && !process->previous_sibling;
	for (const struct process *child = process->parent->first_child; child;
		child = child->next_sibling) {
		if (child == process)
			found = child;
	}
	return found != NULL && process->parent->pid != 0;
}

/* See the header. */
bool process_table_ok(void)
{
	uint32_t listed = 0, live = 0;

	for (uint32_t i = 0; i < PROCESS_MAX; i++)
		live += table[i].pid != 0;
	for (const struct process *process = first; process; process = process->next) {
		listed++;
		if (&table[process->pid % PROCESS_MAX] != process || listed > PROCESS_MAX)
			return false;
		if (process->next &&
			(process->next->previous != process || process->next->pid <= process->pid))
			return false;
		if (!process->next && last != process)
			return false;
		if (!family_ok(process))
			return false;
	}
	return listed == count && live == count;
}
