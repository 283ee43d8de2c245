/*
 * Idle time: init's third thread, less important than everybody, has the pager clear frames ahead of use.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_IDLE_H
#define INIT_IDLE_H

#include "init.h"

/* Makes the thread.  The pager runs. */
void idle_start(void);

#endif
