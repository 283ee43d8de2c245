/*
 * What the benchmark needs of the system it runs on, beyond POSIX: faultline/ and linux/.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef BENCH_SYSTEM_H
#define BENCH_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of the whole machine, since it started.  All 0 where a system does not tell. */
struct counts {
	uint64_t entries;      /* into the kernel */
	uint64_t cr3;	       /* loads of CR3 */
	uint64_t cr3_flushing; /* those of them that drop translations */
	uint64_t flushes;      /* of a space or of everything, asked for by an operation */
};

/* Kernel entries that a reading of the counts adds to them. */
extern const uint64_t counts_own_entries;

void system_start(void);
/* Does not return where the benchmark is the first process. */
void system_finish(int status);
void counts_read(struct counts *counts);

/* Does the work that the system has put off, and returns the ticks it took. */
uint64_t system_settle_ticks(void);

/* Leaves the machine idle until it has cleared as much memory ahead of use as it will.  False: it never
   does. */
bool system_clear_ahead(void);

/* Frames that nobody uses; 0 where a system does not tell. */
uint64_t system_free_frames(void);

/* fork() by the shortest way into the system.  In the parent `forked` is the ticks to the
   instruction behind the call.  Then, unless it is NULL, a byte is written there, before anything
   else is; `written` is the ticks of that.  The counts are those right behind each. */
struct fork_ticks {
	uint64_t forked, written;
	struct counts after_fork, after_write;
};
pid_t fork_timed(struct fork_ticks *ticks, volatile char *byte);

/* A request of four words to somebody in another address space, who answers at once. */
extern const char partner_row[]; /* the row that this is */
bool partner_start(void);
void partner_call(void);
void partner_stop(void);

/* Pages of 2 MiB for this memory; they are off elsewhere. */
void memory_allow_large(char *memory, size_t bytes);
void memory_refuse_large(char *memory, size_t bytes);

/* From now on a write that memory protection forbids is trapped by the program's own handler, which
   makes the one page writable and resumes. */
bool trap_start(void);
void trap_stop(void);

/* Prints the values "frames", all of the machine's memory, and "free", those that nobody uses. */
void system_memory(void);

/* Rows that only this system has. */
void system_bench(void);

#define BENCH_FILE	 "/bench/data"	/* ordinary file with this many pages */
#define BENCH_FILE_PAGES 1024u
#define BENCH_TINY	 "/bin/tiny"	/* a program that only ends, with status 0 */

#endif
