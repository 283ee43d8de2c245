/*
 * A simulated machine for host programs: RAM, the kernel's frame table and table operations, and a
 * processor's view of page tables.
 *
 * What is real: kernel/frame*.c, pool.c, table*.c, batch.c.  What is simulated: flushes are
 * counted; objects are types of frames only (sim/object.c: a THREAD holds its message page,
 * nothing runs); a panic ends the program.  sim_access() walks like hardware, by code of its own,
 * and keeps no translations.
 *
 * Frames after sim_start(n): 0 is no RAM, 1 the kernel's, 2 the ZERO frame, 3..n-1 FREE of
 * POOL_ROOT.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SIM_H
#define SIM_H

#include "batch.h"
#include <faultline/op.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_KERNEL_FRAME 1u
#define SIM_ZERO_FRAME	 2u
#define SIM_FIRST_FREE	 3u

/* A machine with `frames` frames (at most SIM_FRAMES_MAX) as it is after boot.  May be called
   again. */
void sim_start(uint32_t frames);

/* What a batch answered, as BATCH returns it. */
struct sim_result {
	status_t status;
	uint32_t index, done;
	uint32_t count; /* of results */
	uint64_t results[OP_RESULTS_MAX];
};

/* Run operations with the authority of a pool and the work limit of one call. */
status_t sim_batch(uint16_t pool, const struct op *ops, uint32_t count, struct sim_result *result);

/* One operation; the whole answer is in sim_last. */
status_t sim_op(uint16_t pool, uint64_t head, uint64_t a, uint64_t b);
/* One of POOL_ROOT's with so much work left, and room for so many results. */
status_t sim_op_within(uint32_t work, uint32_t room, uint64_t head, uint64_t a, uint64_t b);
extern struct sim_result sim_last;

/* A space of POOL_ROOT made of two FREE or DATA frames: its TOP is ready to be filled. */
status_t sim_space_create(pfn_t space, pfn_t top);

/*
 * One access by user mode, as the processor makes it: walks from `top`, sets A (and D) in the
 * entries it used, and returns the byte, or NULL with the page fault's error code in *error
 * (FAULT_*).  access: FAULT_WRITE, FAULT_FETCH or 0.
 */
uint8_t *sim_access(pfn_t top, uint64_t address, uint32_t access, uint32_t *error);

/* The words 0..7 of the fault message the kernel would make of it now (fault.h). */
void sim_fault_words(
	pfn_t top, uint64_t address, uint32_t error, uint64_t instruction, uint64_t words[8]);

/* Flushes since sim_start. */
struct sim_flushes {
	uint64_t everything; /* flush_everything, also from flush_hinted_all */
	uint64_t hinted_all;
	uint64_t space;
	struct space *last_space;
};
extern struct sim_flushes sim_flushes;

/* Called by every flush that the kernel makes, before it counts: of a space, or (NULL) of all. */
extern void (*sim_flush_hook)(struct space *space);

/* Panics with a report when a rule of the frame table is violated. */
void sim_check(void);

#endif
