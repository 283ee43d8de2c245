/*
 * Init's own handle slots, behind the fixed ones of <faultline/slots.h>.
 *
 * In the fixed slots init has handles for calls (SEND, badge BADGE_SYSTEM).  Here are the ports
 * themselves, with all rights: they are init's and outlive their servers.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_SLOTS_H
#define INIT_SLOTS_H

#include "script.h"
#include <faultline/slots.h>

enum {
	INIT_SLOT_PORT =
		SLOT_INIT, /* faults, exceptions, notifications: the supervisor receives here */
	INIT_SLOT_WORKER = SLOT_FREE, /* wakes the worker */
	INIT_SLOT_IDLE,		      /* a port to which nobody sends */
	INIT_SLOT_PAGER,	      /* the pager's port */
	INIT_SLOT_TEMPLATE,	      /* a handle on its way to the pager; empty between two */
	INIT_SLOT_SERVERS,	      /* the port of script entry i: INIT_SLOT_SERVERS + i */
	INIT_SLOT_END = INIT_SLOT_SERVERS + SCRIPT_ENTRIES_MAX
};

/* Badges of threads that init watches: which one failed.  Entry i of the script: WATCH_SERVERS +
   i. */
enum { WATCH_WORKER = 1, WATCH_PAGER = 2, WATCH_SERVERS = 3 };

#endif
