/*
 * The supervisor: init's second thread, which outranks everybody and waits for bad news.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_SUPERVISOR_H
#define INIT_SUPERVISOR_H

#include "init.h"

/* Makes init's port and the thread, and lets it watch the worker, too. */
void supervisor_start(void);

#endif
