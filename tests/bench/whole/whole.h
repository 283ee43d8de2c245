/*
 * Whole programs (whole.c): what they share.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef WHOLE_H
#define WHOLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WHOLE_PROGRAM "/bin/whole"
#define WHOLE_TEXT    "/text/default.txt"

/* The jobs; each is the whole life of a process and returns its exit status. */
int job_requests(void);
int job_sort(void);
int job_build(void);

/* A part of job_build: one of the programs that it starts. */
int build_part(int argc, char **argv);

/* A child of its own; ends the program when there can be none. */
pid_t fork_or_end(void);
/* 0 if the child ended with status 0. */
int wait_failed(pid_t pid);
/* Zeroed memory; ends the program when there is none. */
void *map_or_end(size_t bytes, int flags);
/* xorshift: the same on every system. */
uint32_t random_next(uint32_t *state);

#endif
