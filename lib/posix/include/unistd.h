/*
 * The C library's unistd.h, with brk and environ (which some libraries do not declare).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef _FAULTLINE_UNISTD_H
#define _FAULTLINE_UNISTD_H

#include_next <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

int brk(void *address);
extern char **environ;

#ifdef __cplusplus
}
#endif

#endif
