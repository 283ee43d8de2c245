/*
 * The reference: what processes must find in their memory, in the simplest words that say it.
 *
 *   process   place -> page; fork copies the map
 *   page      what the region says (rights, object, private or shared) and the contents
 *   object    page -> words, for all who share it
 *
 * Nothing here knows of tables, frames or faults.  Two words of each page stand for its contents,
 * the first and the last.
 *
 * A private page has contents of its own once it was written; before that it shows its object's
 * page, or zeros.  Where both are possible (a hole of a file may have been mapped as zeros before
 * it was filled; a page may have been copied for a write that did not come) the page has *kept*
 * values besides.
 *
 * While a request about a range is under way, or its job, a page of the range has two states, the
 * old and the next; other processors find one or the other, never anything else.  What they write
 * into it meanwhile goes to one or the other.
 *
 * pages.c: pages and objects.  reference.c: processes, races.  pending.c: requests under way.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "choice.h"
#include "places.h"

#define PROCESSES    10u
#define WORDS	     2u
#define OBJECTS	     48u
#define OBJECT_PAGES 20u
#define TOKEN_GONE   (1ull << 63)

struct page {
	bool is_mapped, is_shared;
	bool is_own;	 /* private: has contents of its own */
	bool is_kept;	 /* ... or may have */
	bool is_copying; /* it may be copied from its object right now */
	bool is_large;	 /* advised to be */
	uint8_t rights;	 /* MAP_READ | MAP_WRITE | MAP_EXEC */
	uint16_t object; /* its number here, plus 1; 0: anonymous */
	uint16_t object_page;
	struct choice value[WORDS]; /* is_own, is_kept */
};

struct object {
	bool is_used, is_file;
	uint64_t id; /* the pager's; 0: no process can name it */
	uint32_t pages;
	bool is_hole[OBJECT_PAGES];
	struct choice value[OBJECT_PAGES][WORDS];
};

enum pending_kind {
	PENDING_NONE,
	PENDING_RANGE,	/* pages come or go */
	PENDING_STAY,	/* rights change, or pages are fetched: contents stay */
	PENDING_DISCARD /* each page by itself: some may have changed when it is refused */
};

/* A request under way. */
struct pending {
	enum pending_kind kind;
	uint64_t token;	   /* its answer comes later; 0: no, or nobody waits for it */
	bool is_cancelled; /* its job goes on without a caller */
	const char *name;
	uint32_t expected;	   /* its status, if nothing refuses */
	uint32_t brk;		   /* then */
	bool touched[PLACES];	   /* next[] says what is to be */
	uint32_t moved_to[PLACES]; /* plus 1; 0: does not move */
	struct page next[PLACES];
};

struct process {
	bool is_live;
	bool is_calling;  /* its thread is in a request or fault right now */
	bool is_faulting; /* in a fault */
	uint64_t id, badge;
	uint64_t fault_token; /* its thread waits in a fault; TOKEN_GONE: it has none any more */
	uint32_t processor;   /* where its thread is */
	uint32_t brk,
		stack; /* places of the heap from its first one on; first place of the stack */
	struct page pages[PLACES];
	struct pending pending;
};

extern struct process processes[PROCESSES];
extern struct object objects[OBJECTS];

void reference_start(void);
void objects_start(void); /* part of it */

/* ---- pages ---- */

bool page_is_past_end(const struct page *page);
bool page_allows(const struct page *page, uint32_t access);

/* Why this access must be refused, REASON_NONE if not. */
uint32_t page_reason(const struct page *page, uint32_t access);

/* The values that a word of the page may have; none if it is beyond the end of its object. */
struct choice page_contents(const struct page *page, uint32_t word);

/* It has contents of its own from now on: those it shows. */
void page_make_own(struct page *page);

/* It may have been copied just now. */
void page_keep(struct page *page);

/* It may be copied from now on, until the end: with any value its object has meanwhile. */
void page_copy_begin(struct page *page);
void page_copy_end(struct page *page);
/* ... such as this one, which is just being written. */
void object_is_written(const struct object *object, uint32_t page, uint32_t word, uint64_t value);

/* Does the upper page go on where the lower ends, in one region? */
bool page_continues(const struct page *lower, const struct page *upper);

/* ---- processes ---- */

/* Has the page a next state? */
static inline bool process_has_next(const struct process *process, uint32_t place)
{
	return process->pending.kind != PENDING_NONE && process->pending.touched[place];
}

/* May an access succeed now, in any state of the page? */
bool process_may_access(const struct process *process, uint32_t place, uint32_t access);

/* May the word have this value now? */
bool process_may_find(const struct process *process, uint32_t place, uint32_t word, uint64_t value);

/* It did: then it has that one. */
void process_has_found(struct process *process, uint32_t place, uint32_t word, uint64_t value);

/* Is there room for one outcome more? */
bool process_may_write(const struct process *process, uint32_t place, uint32_t word);
void process_has_written(struct process *process, uint32_t place, uint32_t word, uint64_t value);

/* The parent writes while its child is being made. */
void reference_fork_begin(struct process *parent, struct process *child);
void reference_fork_end(void);

/* Somebody else writes this word, in a request: writes of others meanwhile come before or after. */
void reference_race_begin(struct choice *target, uint64_t value);
/* It is done: the value, or one that came after. */
void reference_race_end(uint64_t value);
/* It was refused: the target keeps what it had, too. */
void reference_race_refused(void);
/* Somebody else reads it: what may he find that was not there before? */
void reference_watch_begin(struct choice *target);
bool reference_watch_saw(uint64_t value);
void reference_watch_end(void);

/* The word, wherever a write to it goes. */
struct choice *page_word(struct page *page, uint32_t word);

/* ---- requests ---- */

/* All pages of the run will be as they are, until the caller changes pending.next. */
void pending_begin(struct process *process, enum pending_kind kind, uint32_t first, uint32_t count);
void pending_touch(struct process *process, uint32_t first, uint32_t count);
/* The request ended: next becomes now, or not. */
void pending_end(struct process *process, bool done);

/* Every page of the run is mapped. */
bool run_is_mapped(const struct process *process, uint32_t first, uint32_t count);
bool run_is_free(const struct process *process, uint32_t first, uint32_t count);
/* All in one region. */
bool run_is_one_region(const struct process *process, uint32_t first, uint32_t count);

/* ---- objects ---- */

/* One that no page names; NULL: there is none. */
struct object *object_take(uint32_t pages);
/* A page of it is being written, and may be no hole any more; it was written, and is none. */
void object_may_fill(struct object *object, uint32_t page);
void object_fill(struct object *object, uint32_t page);
static inline struct object *object_of(const struct page *page)
{
	return page->object != 0 ? &objects[page->object - 1] : 0;
}

#endif
