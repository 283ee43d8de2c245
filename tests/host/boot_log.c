/*
 * The kernel's log, with the simulated processor's I/O ports.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <machine/cpu.h>

#include "../../kernel/log.c"
