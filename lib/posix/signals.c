/*
 * Signal numbers: the process server's, and the C library's.
 *
 * The wire has numbers of its own (protocol/proc.h: in PROC_KILL and in a wait status); libraries
 * differ from them and from each other, so they are translated by name.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <faultline/protocol/proc.h>
#include <signal.h>

/* [number on the wire] = the library's; 0: the library has no such signal. */
static const uint8_t signals[] = {
#define SIGNAL_ROW(name, number) [number] = SIG##name,
	PROC_SIGNAL_LIST(SIGNAL_ROW)
#undef SIGNAL_ROW
};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* The library's number of a signal; one without a name is a kill. */
int posix_signal_from_wire(unsigned wire)
{
	return wire < SIGNALS && signals[wire] ? signals[wire] : SIGKILL;
}

/* The number on the wire; -1 with EINVAL when there is none.  0, which only looks, stays 0. */
int posix_signal_to_wire(int number)
{
	for (unsigned wire = 1; wire < SIGNALS; wire++)
		if (number > 0 && signals[wire] == number)
			return (int)wire;
	return number == 0 ? 0 : posix_fail_errno(EINVAL);
}
