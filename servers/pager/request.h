/*
 * Requests: the PAGER_* of <faultline/protocol/pager.h>.
 *
 * A handler gets the words of the message and leaves those of the answer.  The payload comes and
 * goes in the message page, which also collects operations; so handlers find it in the bounce page,
 * and leave the answer's there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_REQUEST_H
#define PAGER_REQUEST_H

#include "stat.h"
#include "tables.h"

#include <faultline/call.h>
#include <faultline/slots.h>

/* Slots of the pager's own handle table. */
enum {
	OWN_SLOT_RECEIVE = SLOT_FREE, /* where handles arrive */
	OWN_SLOT_PORT,		      /* a port just made */
	OWN_SLOT_GIVE,		      /* a handle on its way out */
	OWN_SLOT_TEMPLATES	      /* + slot of the template */
};

struct request {
	uint32_t label;
	uint64_t badge, token;
	uint32_t bytes;	     /* payload: in, then out */
	bool got_handle;     /* in OWN_SLOT_RECEIVE */
	uint64_t *w;	     /* the six words of the message: in, then out */
	uint32_t give;	     /* slot of the handle that goes along with the answer; 0: none */
	bool is_later;	     /* answered by a job */
	struct space *space; /* whom it is about; NULL if about none */
};

/* Handle a request; the status is the label of the answer, unless is_later. */
status_t request_handle(struct request *request);

/* Handlers, by file: request_memory.c, request_protect.c, request_remap.c, request_break.c, request_space.c, request_object.c,
   request_report.c. */
typedef status_t request_handler_t(struct request *request);
request_handler_t request_mmap, request_munmap, request_mprotect, request_brk, request_space_map,
	request_mremap, request_madvise;
request_handler_t request_space_create, request_space_fork, request_space_destroy,
	request_space_write, request_space_read, request_space_start, request_space_heap,
	request_space_port, request_space_handle, request_space_limit, request_space_name,
	request_space_interrupt, request_template, request_victim;
request_handler_t request_object_create, request_object_write, request_object_read,
	request_object_destroy;
request_handler_t request_space_stat, request_maps, request_pages, request_stat, request_describe,
	request_settle, request_check, request_trap_test, request_idle;

static inline bool request_is_by_system(const struct request *request)
{
	return request->badge & BADGE_SYSTEM;
}

/* A page-aligned range of the user's part; the length is rounded up.  BAD_ARGUMENT. */
MUST_CHECK status_t request_check_range(uint64_t address, uint64_t *bytes);

/* Free room for so many pages: at the hint, or the highest there is.  Never where a stack may grow
   to.  NO_MEMORY. */
MUST_CHECK status_t request_find_room(
	const struct space *space, uint64_t hint, uint64_t bytes, uint64_t *address);

/* tables_own_edges(), also with the pager's reserve: before a range goes. */
MUST_CHECK status_t request_own_edges(struct space *space, const struct clearing *range);

/* Take a range out of the map of request->space and its pages out of the tables; `word` is the
   answer's. */
MUST_CHECK status_t request_unmap(
	struct request *request, uint64_t start, uint64_t end, uint64_t word);

/* Both writable and executable at once is never given. */
static inline bool request_rights_are_mixed(uint64_t rights)
{
	return (rights & (MAP_WRITE | MAP_EXEC)) == (MAP_WRITE | MAP_EXEC);
}

static inline void request_count(void)
{
	pager_counters.messages++;
	pager_counters.requests++;
}

static inline uint64_t request_page_up(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/* Begin the job in request->space->job for this request: its status, or later. */
status_t request_begin_job(struct request *request, uint64_t word);

/*
 * Move payload between the bounce page and a client's frame, at these offsets.  The operation is
 * run.
 */
MUST_CHECK status_t request_copy_out(
	pfn_t frame, uint64_t offset, uint64_t bounce_offset, uint64_t bytes);
MUST_CHECK status_t request_copy_in(
	pfn_t frame, uint64_t offset, uint64_t bounce_offset, uint64_t bytes);

/* Bytes from `address` to the end of its page, at most `bytes`. */
static inline uint64_t request_page_part(uint64_t address, uint64_t bytes)
{
	uint64_t rest = PAGE_SIZE - address % PAGE_SIZE;

	return bytes < rest ? bytes : rest;
}

/* 16 bytes of text that came in two words. */
static inline void request_copy_name(char *name, const uint64_t *words)
{
	const char *text = (const char *)words;

	for (uint32_t i = 0; i < 16; i++)
		name[i] = text[i];
}

/* Copy words between pages; lengths are rounded up to 8. */
static inline void request_copy_bytes(void *to, const void *from, uint64_t bytes)
{
	uint64_t *target = to;
	const uint64_t *source = from;

	for (uint64_t i = 0; i < (bytes + 7) / 8; i++)
		target[i] = source[i];
}

#endif
