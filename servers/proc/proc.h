/*
 * The process server: what its parts share.
 *
 *   main.c       the table of requests, waiting, killing
 *   image.c      fork, exec, spawn: processes and their spaces
 *   lifetime.c   how processes end
 *   exception.c  reports and signals
 *   process.c    the table, pure
 *
 * Calls go on to the file server, the pager and the console; nobody calls back.  Init and the
 * pager are told, or tell, by notifications.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "process.h"
#include <faultline/status.h>
#include <server/request.h>
#include <stdint.h>

/* Text for the person at the console; a newline is added. */
void proc_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Replies with a status, and without payload. */
enum handled proc_answer(struct message *message, status_t status);

/* ---- lifetime.c ---- */

/* The process ends with this wait status: its space goes, its children become nobody's, its
   parent is told. */
void process_end(struct process *process, uint32_t status);

/* Ends a process and all its descendants by a signal. */
void process_end_tree(struct process *ancestor, uint32_t signal);

/* Asks the pager to take a space away. */
void space_destroy(uint64_t space);

/* Tells init to end the machine. */
void machine_end(uint32_t status);

/* Ctrl-C goes to it and its descendants; NULL: to nobody. */
void foreground_set(const struct process *process);
struct process *foreground_get(void);

/* ---- image.c ---- */
enum handled handle_fork(struct message *message, struct process *process);
enum handled handle_exec(struct message *message, struct process *process);
enum handled handle_spawn(struct message *message, struct process *parent); /* NULL: the system */

/* ---- exception.c ---- */
enum handled handle_exception(struct message *message);

/* The pager has chosen victims. */
void handle_victims(void);

#endif
