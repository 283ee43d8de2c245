/*
 * The C library's time.h, with the clocks and nanosleep that this system has.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef _FAULTLINE_TIME_H
#define _FAULTLINE_TIME_H

#ifndef _POSIX_TIMERS
#define _POSIX_TIMERS 200112L
#endif
#ifndef _POSIX_MONOTONIC_CLOCK
#define _POSIX_MONOTONIC_CLOCK 200112L
#endif

#endif
#include_next <time.h>
