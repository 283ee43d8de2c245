/*
 * Comparing: the tables and the processors' memories against the reference, without an access.
 *
 * A look changes nothing and brings nothing: what is not there yet may come later.  What is there
 * must be the page that the reference has there: its contents, no right beyond its region's, and a
 * writable private page has no second holder on any level.
 *
 * What processors remember of a space that nobody works on is what a walk would find now; except a
 * table that was taken out empty: the kernel lets no one use that again before a flush.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_COMPARE_H
#define MODEL_COMPARE_H

#include "reference.h"
#include <faultline/frame.h>

/* What a walk finds. */
struct look {
	uint64_t entry;	  /* of the leaf; 0: none */
	bool is_writable; /* on all levels */
	bool is_sole;	  /* one holder on all levels */
};
void look_at(pfn_t top, uint64_t address, struct look *look);
/* A word of the page. */
uint64_t look_word(const struct look *look, uint32_t word);

/* One place, all places, of a live process. */
void compare_place(const struct process *process, uint32_t place);
void compare_process(const struct process *process);

/* What processors remember of it. */
void compare_caches(const struct process *process);

/* The top-level table of a process. */
pfn_t process_top(const struct process *process);

#endif
