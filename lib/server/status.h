/*
 * Status codes as text.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_SERVER_STATUS_H
#define LIB_SERVER_STATUS_H

#include <faultline/status.h>

const char *status_text(status_t status); /* for people */

#endif
