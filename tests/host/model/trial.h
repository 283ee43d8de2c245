/*
 * Trials: a history in a process of its own, and the search for the shortest that fails.
 *
 * Whatever ends a history (a difference, a panic, a sanitizer, a loop without end) ends only its
 * process; what it said last is its reason.  A failing list of steps is shrunk by leaving parts
 * out, halves first, then smaller ones, as long as something fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_TRIAL_H
#define MODEL_TRIAL_H

#include "history.h"

struct trial {
	bool has_failed;
	uint32_t step; /* the one at work */
	struct history_counts counts;
	char output[1 << 20]; /* what it said last, if it failed or told its steps */
};

/* Run `history` in a process of its own. */
void trial_run(struct trial *trial);

/*
 * `history` fails: find a short list of steps that does.  The list is left in history.chosen
 * (static memory).  `seconds`: when to be content.
 */
void trial_shrink(unsigned seconds);

/* The same with the steps told: to standard output. */
void trial_tell(void);

#endif
