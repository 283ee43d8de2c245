/*
 * The console's requests, and the time server's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_CONSOLE_H
#define FAULTLINE_PROTOCOL_CONSOLE_H

enum {
	CONSOLE_WRITE = 0x500, /* payload: text; answered when it is on its way; out w0 bytes taken */
	CONSOLE_READ           /* w0 most bytes; answered with a line (payload), 0 bytes at end of file (Ctrl-D) */
};

enum {
	TIME_NOW = 0x600, /* out w0 nanoseconds since boot */
	TIME_SLEEP        /* w0 nanoseconds; answered when they have passed */
};

#endif
