/*
 * Segment selectors: where each descriptor stands in the GDT (cpu.c).
 *
 * `sysret` loads SS from STAR[63:48] + 8 and CS from STAR[63:48] + 16, so user data stands before
 * user code; `syscall` loads CS from STAR[47:32] and SS from the next.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_SELECTORS_H
#define KERNEL_MACHINE_SELECTORS_H

#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   0x1b
#define SELECTOR_USER_CODE   0x23
#define SELECTOR_TSS	     0x28 /* two entries wide */

#define SELECTOR_SYSCALL_BASE SELECTOR_KERNEL_CODE
#define SELECTOR_SYSRET_BASE  SELECTOR_KERNEL_DATA

_Static_assert(SELECTOR_KERNEL_DATA == SELECTOR_SYSCALL_BASE + 8, "syscall finds SS");
_Static_assert(SELECTOR_USER_DATA == SELECTOR_SYSRET_BASE + 8 + 3, "sysret finds SS");
_Static_assert(SELECTOR_USER_CODE == SELECTOR_SYSRET_BASE + 16 + 3, "sysret finds CS");

#endif
