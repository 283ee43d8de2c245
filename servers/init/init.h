/*
 * The root task: what its parts share.
 *
 * Three threads:
 *   worker      the thread the kernel started.  Builds everything, then waits for work: servers
 *               to restart.  It alone makes calls to the pager and to servers, and it alone uses
 *               the page at LAYOUT_MESSAGE.
 *   supervisor  more important than everybody.  Receives faults, exceptions and notifications,
 *               reports, decides.  It calls nobody, so no server's death can take it along.
 *   idle        less important than everybody (idle.h).  Calls the pager only.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include "script.h"
#include <faultline/archive.h>
#include <faultline/info.h>
#include <faultline/protocol/pager.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* Priorities: the supervisor of all > pager > init's own work > drivers > servers > programs >
   the idle thread. */
enum {
	PRIORITY_SUPERVISOR = 60,
	PRIORITY_PAGER = 50,
	PRIORITY_WORKER = 45,
	PRIORITY_DRIVER = 40,
	PRIORITY_SERVER = 35,
	PRIORITY_PROGRAM = 20,
	PRIORITY_IDLE = 1
};

#define INIT_EXIT_FAILED    1u /* the machine's status when something essential failed */
#define INIT_RESERVE_FRAMES 512u

extern const struct info_boot *init_boot; /* what the kernel told */
extern struct script init_script;

/* A name as two words of a request or operation. */
struct name_words {
	uint64_t words[2];
};
struct name_words name_words(const char *name);

/* One line, then the end of the machine: for what no restart will mend. */
_Noreturn void init_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the machine if status is not OK. */
void init_must(status_t status, const char *what);

/* The system's badge for handles: who = index of the script, or another small number. */
static inline uint64_t system_badge(uint32_t who)
{
	return BADGE_SYSTEM | who;
}

/* A file of the boot archive. */
status_t init_find_file(const char *folder, const char *name, struct archive_file *file) MUST_CHECK;

/* Makes a port of init's in this slot; *pfn = its frame. */
status_t init_create_port(uint32_t slot, uint32_t *pfn) MUST_CHECK;

#endif
