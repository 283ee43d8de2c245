/*
 * What programs can ask of Faultline beyond POSIX: processes and their maps, the pager's and the
 * kernel's counters, the names of the files, the end of the machine.
 *
 * All functions return 0 (or what they say) on success, and -1 with errno.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef _SYS_FAULTLINE_H
#define _SYS_FAULTLINE_H

#include <faultline/info.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYSTEM_NAME_MAX 255

struct system_file {
	char name[SYSTEM_NAME_MAX + 1];
	uint64_t bytes;
	unsigned mode;
};

/* A new child that runs the program; returns its pid. */
pid_t system_spawn(const char *path, char *const argv[], char *const envp[]);

/* Ctrl-C goes to this process and its descendants from now on; 0: to none. */
int system_foreground(pid_t pid);

/* Ends the machine. */
int system_shutdown(int status);

/* Up to `most` processes with pid >= *from; returns their number; *from = where to go on, 0 at the
   end. */
int system_processes(pid_t *from, struct proc_entry *list, size_t most);

/* Up to `most` regions of a process at or above *from; returns their number; *from = where to go
   on, 0 at the end. */
int system_maps(pid_t pid, uint64_t *from, struct pager_region *list, size_t most);

int system_pager_stat(struct pager_stat *stat);
int system_space_stat(struct pager_space_stat *stat); /* of the calling process */
int system_counters(struct info_counters *counters);

/* Waits until the pager has no work left over, so that its figures can be compared. */
int system_settle(void);

/* The file with this index, from 0; ENOENT behind the last. */
int system_file_at(unsigned index, struct system_file *file);

/* What the kernel's and the servers' status codes are called. */
const char *system_status_text(int status);

#endif
