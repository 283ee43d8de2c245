/*
 * The C library's sched.h, with sched_yield.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef _FAULTLINE_SCHED_H
#define _FAULTLINE_SCHED_H

#include_next <sched.h>

#ifdef __cplusplus
extern "C" {
#endif

int sched_yield(void);

#ifdef __cplusplus
}
#endif

#endif
