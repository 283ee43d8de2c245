/*
 * Histories: a machine, a pager, and a list of steps.
 *
 * Variant and seed make the list; a step has a kind and a seed of its own, from which all it does
 * follows, given the state it finds.  So any part of a list is a history, too, which is what
 * shrinking needs (trial.h).
 *
 * Variants: plenty of memory; allocations refused at random points; so little memory that processes
 * are killed; kernel counters that refuse.  Odd seeds: processes have threads on all processors,
 * and the kernel shoots down what a fault's cure replaced; even ones: one thread, which moves from
 * processor to processor and finds nothing there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_HISTORY_H
#define MODEL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum variant { PLENTY, REFUSING, SCARCE, LIMITED, VARIANTS };
extern const char *const variant_names[VARIANTS];

/* One step of a list: its number, from which its seed follows, and its kind (steps.h), or 0: the
   kind that the list has there.  With their kinds, steps stay what they are when others come. */
struct chosen {
	uint32_t number, kind;
};

/* The history under way. */
struct history {
	enum variant variant;
	uint64_t seed;
	uint32_t steps;		     /* of the whole list */
	const struct chosen *chosen; /* those to do; NULL: all */
	uint32_t chosen_count;
	bool is_threaded;
};
extern struct history history;
extern uint32_t history_step; /* the number of the step at work */

/* Something is made to refuse in this step. */
extern bool history_refuses;
/* ... or may have been at any time of this history. */
bool history_may_refuse(void);

/* What happened. */
struct history_counts {
	uint64_t faults, refused, killed, intrusions, jobs, moved;
};
extern struct history_counts history_counts;

#define HISTORY_FAILED 3 /* exit status of a process whose history failed */

/* Do it all, in this process: returns if nothing was wrong. */
void history_run(void);

#endif
