/*
 * Runs of places: what requests are about (places.h), and what becomes of their pages.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_RUNS_H
#define MODEL_RUNS_H

#include "random.h"
#include "reference.h"

struct run {
	uint32_t first, count;
};

/* A run in an area; in one where mappings go; one without a gap. */
struct run run_in(struct random *chance, enum area area);
struct run run_any(struct random *chance);
struct run run_any_plain(struct random *chance);

uint64_t run_start(struct run run);
uint64_t run_bytes(struct run run);

/* For the reader of a replay. */
void run_say(const struct process *process, struct run run, const char *what, uint64_t with);

/* Its pages will be gone; or populated: pages of a file may be copied meanwhile. */
void run_expect_nothing(struct process *process, struct run run);
void run_expect_populated(struct process *process, struct run run);

/* The request under way has this name, and this status if nothing refuses. */
void pending_expect(struct process *process, const char *name, uint32_t status);

#endif
