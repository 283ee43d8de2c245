/*
 * Steps: what histories are made of.
 *
 *   steps.c         the kinds and their weights; step_common.c: what they share
 *   step_access.c   accesses by threads and by servers on their behalf, message pages
 *   step_memory.c   requests about regions; step_remap.c: about mappings that are there
 *   step_later.c    what comes of them later
 *   step_space.c    processes: begin, fork, end; where their threads are
 *   step_object.c   files
 *   step_frames.c   replacing frames, A and D taken, the outsider
 *
 * A step takes all its choices from its own stream of random numbers.  A step that does not fit the
 * state does nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_STEPS_H
#define MODEL_STEPS_H

#include "pager_machine.h"
#include "random.h"
#include "reference.h"

typedef void step_function_t(struct random *chance);
step_function_t step_access, step_row, step_message, step_outside;
step_function_t step_map, step_map_file, step_unmap, step_protect, step_break, step_remap,
	step_advise, step_cancel, step_slice, step_settle;
step_function_t step_create, step_fork, step_destroy, step_migrate_thread;
step_function_t step_object_create, step_object_write, step_object_read, step_object_destroy;
step_function_t step_replace, step_forbid, step_hold, step_harvest, step_outsider;

/* One step of the list, by number; kind: or 0, that of the list. */
void step_run(uint32_t number, uint32_t kind);

/* Kinds have numbers from 1 on and names; 0: no such name. */
uint32_t step_kind_number(const char *name, uint32_t length);
const char *step_kind_name(uint32_t kind);
/* The kind that the list has there. */
uint32_t step_kind_of(uint32_t number);

/* ---- what the steps share ---- */

/* A live process, or NULL; one that may ask for something.  last_process: the one chosen last. */
extern struct process *last_process;
struct process *any_process(struct random *chance);
struct process *any_caller(struct random *chance);
/* A record that is not in use, or NULL. */
struct process *free_process(void);

static inline uint32_t process_number(const struct process *process)
{
	return (uint32_t)(process - processes);
}

/* The status may come from a refusal that was asked for. */
bool status_is_refusal(uint32_t status);

/* The answer is as expected (true: OK), or refused by what refuses (false); else we fail. */
bool answer_is(const struct machine_answer *answer, uint32_t expected, const char *what);

/* Requests of programs, with pending_begin() behind them. */
void program_request(struct process *process, const struct machine_request *request);

/* Answers that came: to requests and faults.  Victims are buried. */
void collect_answers(void);

/* A thread writes to the place, with the pager's help. */
void access_write(struct random *chance, struct process *process, uint32_t place);

/* Every place of every process is accessed, and compared. */
void access_all(void);

/* Destroy a process. */
void process_destroy(struct process *process);

/* Files, from the first on; NULL: there is none. */
struct object *any_file(struct random *chance);

#endif
