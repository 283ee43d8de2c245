/*
 * Pages and objects of the reference (model and rules: reference.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "reference.h"

#include <faultline/fault.h>
#include <faultline/protocol/pager.h>
#include <stddef.h>
#include <string.h>

struct object objects[OBJECTS];

static uint32_t copying; /* pages with is_copying */

/* See the header. */
void objects_start(void)
{
	memset(objects, 0, sizeof(objects));
	copying = 0;
}

/* ---- pages ---- */

/* Beyond the end of its object. */
bool page_is_past_end(const struct page *page)
{
	return page->object != 0 && page->object_page >= object_of(page)->pages;
}

/* See the header. */
bool page_allows(const struct page *page, uint32_t access)
{
	return page_reason(page, access) == REASON_NONE;
}

/* See the header.  Any right lets the hardware read. */
uint32_t page_reason(const struct page *page, uint32_t access)
{
	uint32_t needed = access & FAULT_WRITE	 ? MAP_WRITE
			  : access & FAULT_FETCH ? MAP_EXEC
						 : MAP_READ | MAP_WRITE | MAP_EXEC;

	if (!page->is_mapped)
		return REASON_NO_REGION;
	if (!(page->rights & needed))
		return REASON_PROTECTION;
	return !page->is_own && page_is_past_end(page) ? REASON_PAST_END : REASON_NONE;
}

/* See the header. */
struct choice page_contents(const struct page *page, uint32_t word)
{
	struct choice contents = { 0 };

	if (page->is_own)
		return page->value[word];
	if (page->object == 0)
		choice_set(&contents, 0);
	else if (!page_is_past_end(page))
		contents = object_of(page)->value[page->object_page][word];
	if (page->is_kept)
		choice_join(&contents, &page->value[word]);
	return contents;
}

/* See the header. */
void page_make_own(struct page *page)
{
	for (uint32_t word = 0; word < WORDS; word++)
		page->value[word] = page_contents(page, word);
	page_copy_end(page);
	page->is_own = true;
	page->is_kept = false;
}

/* See the header. */
void page_keep(struct page *page)
{
	if (page->is_own || page->is_shared || !page->is_mapped)
		return;
	for (uint32_t word = 0; word < WORDS; word++)
		page->value[word] = page_contents(page, word);
	page->is_kept = true;
}

/* See the header. */
void page_copy_begin(struct page *page)
{
	if (page->is_own || page->is_shared || page->object == 0 || page->is_copying)
		return;
	page_keep(page);
	page->is_copying = true;
	copying++;
}

/* See the header. */
void page_copy_end(struct page *page)
{
	copying -= page->is_copying;
	page->is_copying = false;
}

static void copy_sees(
	struct page *page, uint32_t number, uint32_t object_page, uint32_t word, uint64_t value)
{
	if (page->is_copying && page->object == number && page->object_page == object_page)
		choice_add(&page->value[word], value);
}

/* See the header. */
void object_is_written(const struct object *object, uint32_t page, uint32_t word, uint64_t value)
{
	uint32_t number = (uint32_t)(object - objects + 1);

	for (uint32_t i = 0; i < PROCESSES && copying != 0; i++)
		for (uint32_t place = 0; place < PLACES; place++) {
			copy_sees(&processes[i].pages[place], number, page, word, value);
			copy_sees(&processes[i].pending.next[place], number, page, word, value);
		}
}

/* See the header.  What a page has of its own makes no difference to the region. */
bool page_continues(const struct page *lower, const struct page *upper)
{
	return lower->is_mapped && upper->is_mapped && lower->is_shared == upper->is_shared &&
	       lower->rights == upper->rights && lower->object == upper->object &&
	       lower->is_large == upper->is_large &&
	       (lower->object == 0 || lower->object_page + 1 == upper->object_page);
}

/* See the header. */
struct choice *page_word(struct page *page, uint32_t word)
{
	if (!page->is_shared)
		return &page->value[word];
	return &object_of(page)->value[page->object_page][word];
}

/* ---- objects ---- */

static bool is_named[OBJECTS + 1];

static void find_named(void)
{
	memset(is_named, 0, sizeof(is_named));
	for (uint32_t i = 0; i < PROCESSES; i++) {
		const struct process *process = &processes[i];

		for (uint32_t place = 0; process->is_live && place < PLACES; place++) {
			is_named[process->pages[place].object] = true;
			if (process_has_next(process, place))
				is_named[process->pending.next[place].object] = true;
		}
	}
}

/* See the header. */
struct object *object_take(uint32_t pages)
{
	find_named();
	for (uint32_t i = 0; i < OBJECTS; i++) {
		struct object *object = &objects[i];

		if ((object->is_used && object->id != 0) || is_named[i + 1])
			continue;
		*object = (struct object){ .is_used = true, .pages = pages };
		for (uint32_t page = 0; page < pages; page++) {
			object->is_hole[page] = true;
			for (uint32_t word = 0; word < WORDS; word++)
				choice_set(&object->value[page][word], 0);
		}
		return object;
	}
	return NULL;
}

/* A private page that shows this page of an object may show zeros for ever. */
static void keep_zeros(struct page *page, uint16_t number, uint32_t object_page)
{
	if (page->object != number || page->object_page != object_page || page->is_shared ||
		page->is_own)
		return;
	if (!page->is_kept)
		for (uint32_t word = 0; word < WORDS; word++)
			page->value[word] = (struct choice){ 0 };
	page->is_kept = true;
	for (uint32_t word = 0; word < WORDS; word++)
		choice_add(&page->value[word], 0);
}

/* See the header. */
void object_may_fill(struct object *object, uint32_t object_page)
{
	uint16_t number = (uint16_t)(object - objects + 1);

	if (!object->is_hole[object_page])
		return;
	for (uint32_t i = 0; i < PROCESSES; i++)
		for (uint32_t place = 0; place < PLACES; place++) {
			keep_zeros(&processes[i].pages[place], number, object_page);
			if (process_has_next(&processes[i], place))
				keep_zeros(&processes[i].pending.next[place], number, object_page);
		}
}

/* See the header. */
void object_fill(struct object *object, uint32_t object_page)
{
	object_may_fill(object, object_page);
	object->is_hole[object_page] = false;
}
