/*
 * The end of the machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_SHUTDOWN_H
#define KERNEL_SHUTDOWN_H

#include <stdint.h>

#define SHUTDOWN_BOOT_FAILED 1 /* boot_stop */
#define SHUTDOWN_PANIC	     2 /* panic */

/* Tells the emulator the status, lets the serial port drain, and ends or stops the machine. */
_Noreturn void machine_shutdown(uint32_t status);

#endif
