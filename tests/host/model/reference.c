/*
 * Processes of the reference: what they may find, and races (model and rules: reference.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "reference.h"

#include <stddef.h>
#include <string.h>

struct process processes[PROCESSES];

static struct {
	struct process *parent, *child;
} forking;

static struct {
	struct choice *target; /* NULL: no race */
	struct choice others;
} race;

/* See the header. */
void reference_start(void)
{
	memset(processes, 0, sizeof(processes));
	forking.parent = NULL;
	race.target = NULL;
	objects_start();
}

/* ---- writes ---- */

/* The page is about to be written: it has the word alone, or shares it. */
static struct choice *page_target(struct page *page, uint32_t word)
{
	if (page->is_shared)
		object_fill(object_of(page), page->object_page);
	else
		page_make_own(page);
	return page_word(page, word);
}

static void choice_write(struct choice *choice, uint64_t value)
{
	if (choice == race.target) {
		choice_add(&race.others, value);
		choice_add(choice, value);
	} else {
		choice_set(choice, value);
	}
}

/* The write may have gone there. */
static void page_may_be_written(struct page *page, uint32_t word, uint64_t value)
{
	if (!page->is_mapped || page_is_past_end(page))
		return;
	if (page->is_shared) {
		object_may_fill(object_of(page), page->object_page);
		choice_add(page_word(page, word), value);
		object_is_written(object_of(page), page->object_page, word, value);
		return;
	}
	page_keep(page);
	choice_add(&page->value[word], value);
}

/* ---- processes ---- */

/* See the header. */
bool process_may_access(const struct process *process, uint32_t place, uint32_t access)
{
	return page_allows(&process->pages[place], access) ||
	       (process_has_next(process, place) &&
		       page_allows(&process->pending.next[place], access));
}

static bool page_may_have(const struct page *page, uint32_t word, uint64_t value)
{
	struct choice contents = page_contents(page, word);

	return page->is_mapped && choice_allows(&contents, value);
}

/* See the header. */
bool process_may_find(const struct process *process, uint32_t place, uint32_t word, uint64_t value)
{
	return page_may_have(&process->pages[place], word, value) ||
	       (process_has_next(process, place) &&
		       page_may_have(&process->pending.next[place], word, value));
}

/* See the header. */
void process_has_found(struct process *process, uint32_t place, uint32_t word, uint64_t value)
{
	struct page *page = &process->pages[place];
	struct choice *choice = &page->value[word];

	if (process_has_next(process, place))
		return;
	if (page->is_shared)
		choice = &object_of(page)->value[page->object_page][word];
	else if (!page->is_own)
		return;
	if (choice != race.target)
		choice_set(choice, value);
}

/* See the header. */
bool process_may_write(const struct process *process, uint32_t place, uint32_t word)
{
	struct choice now = page_contents(&process->pages[place], word), next = { 0 };

	if (process_has_next(process, place))
		next = page_contents(&process->pending.next[place], word);
	return choice_has_room(&now) && choice_has_room(&next);
}

static void write_racing(struct process *process, uint32_t place, uint32_t word, uint64_t value)
{
	struct pending *pending = &process->pending;
	uint32_t target = pending->moved_to[place];

	page_may_be_written(&process->pages[place], word, value);
	page_may_be_written(&pending->next[place], word, value);
	if (target != 0)
		page_may_be_written(&pending->next[target - 1], word, value);
}

/* See the header. */
void process_has_written(struct process *process, uint32_t place, uint32_t word, uint64_t value)
{
	struct page *page = &process->pages[place];

	if (process == forking.parent && !page->is_shared)
		page_may_be_written(&forking.child->pages[place], word, value);
	if (process_has_next(process, place) && process->pending.kind != PENDING_STAY) {
		write_racing(process, place, word, value);
		return;
	}
	choice_write(page_target(page, word), value);
	if (page->is_shared)
		object_is_written(object_of(page), page->object_page, word, value);
	if (process_has_next(process, place) && !page->is_shared)
		choice_write(page_target(&process->pending.next[place], word), value);
}

/* See the header. */
void reference_fork_begin(struct process *parent, struct process *child)
{
	memcpy(child->pages, parent->pages, sizeof(child->pages));
	child->brk = parent->brk;
	child->stack = parent->stack;
	forking.parent = parent;
	forking.child = child;
}

/* See the header. */
void reference_fork_end(void)
{
	forking.parent = NULL;
}

/* See the header. */
void reference_race_begin(struct choice *target, uint64_t value)
{
	race.target = target;
	race.others = (struct choice){ 0 };
	choice_add(target, value);
}

/* See the header. */
void reference_race_end(uint64_t value)
{
	choice_set(race.target, value);
	choice_join(race.target, &race.others);
	race.target = NULL;
}

/* See the header. */
void reference_race_refused(void)
{
	race.target = NULL;
}

/* See the header. */
void reference_watch_begin(struct choice *target)
{
	race.target = target;
	race.others = (struct choice){ 0 };
}

/* See the header. */
bool reference_watch_saw(uint64_t value)
{
	return choice_allows(&race.others, value);
}

/* See the header.  The last one that was written stands. */
void reference_watch_end(void)
{
	if (race.others.count != 0)
		choice_set(race.target, race.others.value[race.others.count - 1]);
	race.target = NULL;
}
