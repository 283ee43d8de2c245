/*
 * Intruders: what other processors do between two operations, and before a flush.
 *
 * Threads of any process (of the one that a request or fault comes from only if the history is
 * threaded) access memory, and processors walk ahead on their own, also in spaces that are about to
 * end.  An access that the machine lets pass must be one that the reference allows in this moment,
 * and find a value that it allows; one that is refused is given up: its fault would wait until the
 * pager receives.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_INTRUDER_H
#define MODEL_INTRUDER_H

#include "reference.h"
#include <faultline/frame.h>

/* Before a history; before each of its steps. */
void intruder_start(void);
void intruder_begin_step(uint64_t seed);

/* Somebody may run now (machine_watch.between). */
void intruder_run(void);

/* This space will end: processors may still have it loaded. */
void intruder_remember_space(pfn_t space);

/* Its thread is not waiting for anything, or there are others. */
bool process_may_run(const struct process *process);

/* The next value nobody has written before. */
uint64_t value_next(void);

/* One access without the pager's help: false if it was refused. */
bool process_access_alone(struct process *process, uint32_t processor, uint32_t place,
	uint32_t word, uint32_t access);

/* The address of a word of a place. */
static inline uint64_t word_address(uint32_t place, uint32_t word)
{
	return places[place].address + word * (4096 - 8);
}

#endif
