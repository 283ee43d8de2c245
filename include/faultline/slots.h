/*
 * The handle slots that every program and server finds filled when it starts.
 *
 * Programs get 1..4, minted anew for each (also after fork and exec), badge = their identity.
 * Servers get those of the servers below them, and their own port.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_SLOTS_H
#define FAULTLINE_SLOTS_H

enum {
	SLOT_PROC = 1,    /* process server */
	SLOT_PAGER = 2,   /* pager */
	SLOT_FILES = 3,   /* file server */
	SLOT_CONSOLE = 4, /* console */
	SLOT_TIME = 5,    /* time server */
	SLOT_SELF = 6,    /* a server's own port, with RIGHT_RECEIVE */
	SLOT_INIT = 7,    /* root task (servers only) */
	SLOT_FREE = 8     /* the first that a server may use as it likes */
};
/* The slots a program gets from the pager's templates: 1 .. SLOT_TEMPLATES-1 */
#define SLOT_TEMPLATES 6

#endif
