/*
 * Intrusive doubly linked lists: a head and its members are the same struct link in a circle.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include "thread.h"

static inline void list_init(struct link *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct link *head)
{
	return head->next == head;
}

static inline void list_insert(struct link *link, struct link *prev, struct link *next)
{
	link->prev = prev;
	link->next = next;
	prev->next = link;
	next->prev = link;
}

static inline void list_append(struct link *head, struct link *link)
{
	list_insert(link, head->prev, head);
}

static inline void list_prepend(struct link *head, struct link *link)
{
	list_insert(link, head, head->next);
}

/* The link then points to itself, so that removing it twice does no harm. */
static inline void list_remove(struct link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

#define list_thread(l) ((struct thread *)((uint8_t *)(l) - offsetof(struct thread, link)))
#define list_space_thread(l) ((struct thread *)((uint8_t *)(l) - offsetof(struct thread, space_link)))

#endif
