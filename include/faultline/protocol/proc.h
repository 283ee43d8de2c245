/*
 * The process server's requests.  Status is the reply's label.  The badge says which process asks
 * (minted for it); BADGE_SYSTEM: a system server.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_PROC_H
#define FAULTLINE_PROTOCOL_PROC_H

#include <stdint.h>

enum {
	PROC_FORK = 0x300, /* out w0 pid of the child; in the child 0 */
	PROC_EXEC,         /* w0 argc, w1 envc, payload: path, arguments, environment, each ended by NUL; returns only on failure */
	PROC_SPAWN,        /* the same, as a new child of the caller (system servers: of nobody); out w0 pid */
	PROC_WAIT,         /* w0 pid or 0 for any child, w1 PROC_WAIT_*; out w0 pid (0: none yet), w1 wait status */
	PROC_EXIT,         /* w0 exit status; never answered */
	PROC_KILL,         /* w0 pid, w1 signal number */
	PROC_IDENTITY,     /* out w0 pid, w1 parent's pid */
	PROC_LIST,         /* w0 pid to start from; out payload struct proc_entry[], w0 count, w1 next pid or 0 */
	PROC_SPACE,        /* w0 pid; out w0 space id (for PAGER_MAPS) */
	PROC_FOREGROUND,   /* w0 pid: Ctrl-C goes to it and its descendants */
	PROC_SHUTDOWN,     /* w0 status 0..255: end the machine */
	PROC_PAGER,        /* w0 PAGER_SETTLE or PAGER_CHECK: passed on for a program, reply as there */
	PROC_MAPS          /* w0 pid, w1 address: PAGER_MAPS of that process, reply as there */
};

#define PROC_WAIT_NOHANG 1u
#define PROC_NOTIFY_VICTIM (1ull << 0)    /* from the pager; = PAGER_NOTIFY_VICTIM */
#define PROC_NOTIFY_INTERRUPT (1ull << 1) /* from the console: Ctrl-C */

/* Signals by number, in PROC_KILL and in a wait status.  C libraries have numbers of their own and
   translate by name.  X(name, number) */
#define PROC_SIGNAL_LIST(X) \
	X(HUP, 1) X(INT, 2) X(QUIT, 3) X(ILL, 4) X(TRAP, 5) X(ABRT, 6) X(BUS, 7) \
	X(FPE, 8) X(KILL, 9) X(USR1, 10) X(SEGV, 11) X(USR2, 12) X(PIPE, 13) \
	X(ALRM, 14) X(TERM, 15) X(CHLD, 17) X(CONT, 18) X(STOP, 19) X(TSTP, 20) \
	X(TTIN, 21) X(TTOU, 22) X(URG, 23) X(XCPU, 24) X(XFSZ, 25) X(VTALRM, 26) \
	X(PROF, 27) X(WINCH, 28) X(IO, 29) X(SYS, 31)
enum {
#define PROC_SIGNAL_ENUM(name, number) PROC_SIGNAL_##name = (number),
	PROC_SIGNAL_LIST(PROC_SIGNAL_ENUM)
#undef PROC_SIGNAL_ENUM
	PROC_SIGNAL_MAX = 31
};

/* A wait status as POSIX has it: exit status << 8, or the signal number. */
#define PROC_STATUS_EXIT(code) (((uint32_t)(code) & 0xffu) << 8)
#define PROC_STATUS_SIGNAL(sig) ((uint32_t)(sig) & 0x7fu)

enum { PROC_RUNNING, PROC_WAITING, PROC_ZOMBIE };
struct proc_entry {
	uint32_t pid, parent;
	uint32_t state, status;
	uint32_t space;
	char name[28];
};

#endif
