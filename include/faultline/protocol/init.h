/*
 * What servers tell the root task: notifications only, so that nobody waits for it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_INIT_H
#define FAULTLINE_PROTOCOL_INIT_H

/* From proc: end the machine, with the status (0..255) in the bits from INIT_STATUS_SHIFT on. */
#define INIT_NOTIFY_SHUTDOWN (1ull << 0)
#define INIT_STATUS_SHIFT    8

/* From the kernel: a thread of a pool below init's has an exception that nobody takes. */
#define INIT_NOTIFY_PARKED (1ull << 1)

#endif
