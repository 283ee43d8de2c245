/*
 * Idle time: init's third thread, less important than everybody, has the pager do what nobody waits for.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_IDLE_H
#define INIT_IDLE_H

#include "init.h"

/* Makes the thread.  The pager runs. */
void idle_start(void);

#endif
