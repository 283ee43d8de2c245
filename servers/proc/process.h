/*
 * The process table: identities and the family tree.
 *
 *   slot of a process = pid % PROCESS_MAX          an id names one slot, and is found at once
 *   ids count up to PROCESS_PID_LIMIT before they begin again: an id is not reused soon
 *   badge = pid | generation << 32                 a reused id never inherits old messages
 *
 * Pure: no calls, so that it runs on the host, too.  process_table_ok() states the rules.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_MAX	   4096u
#define PROCESS_PID_LIMIT  (1024u * PROCESS_MAX) /* a multiple, so that slots stay the same */
#define PROCESS_NAME_BYTES 28u

struct process {
	uint32_t pid; /* 0: the slot is free */
	uint32_t generation;
	uint32_t state;		       /* PROC_RUNNING, PROC_WAITING, PROC_ZOMBIE */
	uint32_t status;	       /* of a zombie: its wait status */
	bool by_system;		       /* started by init, nobody's child */
	uint64_t space;		       /* the pager's id; 0: none */
	uint64_t wait_token;	       /* PROC_WAITING: whom to answer */
	uint32_t wait_pid;	       /* and which child it waits for; 0: any */
	char name[PROCESS_NAME_BYTES]; /* ends with NUL */
	/* Family: links are NULL where there is nobody. */
	struct process *parent, *first_child, *next_sibling, *previous_sibling;
	/* All processes, ascending by pid. */
	struct process *next, *previous;
};

/* A new running process, the child of `parent` (NULL: nobody's).  NULL: the table is full. */
struct process *process_create(struct process *parent);

/* Its slot becomes free.  It must have no children. */
void process_free(struct process *process);

/* By id, or by the badge of a message.  NULL: no such process, or not any more. */
struct process *process_find(uint64_t pid);
struct process *process_find_badge(uint64_t badge);
uint64_t process_badge(const struct process *process);

/* The first process with an id not below pid; then process->next goes on. */
struct process *process_first_from(uint64_t pid);

/* How many there are. */
uint32_t process_count(void);

void process_set_name(struct process *process, const char *name);

/* Is it `ancestor` or one of its descendants? */
bool process_is_within(const struct process *process, const struct process *ancestor);

/* Its children become nobody's; zombies among them are freed. */
void process_orphan_children(struct process *process);

/* A child that `pid` (0: any) matches; of zombies the first found. */
struct process *process_find_child(const struct process *parent, uint64_t pid, bool zombie);

/* Every rule of the table holds. */
bool process_table_ok(void);

#endif
