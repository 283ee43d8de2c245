/*
 * Starting the core: from the boot structure to a pager without spaces.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_START_H
#define PAGER_START_H

#include <faultline/protocol/pager_boot.h>
#include <faultline/status.h>

/* What the boot structure said. */
extern struct pager_boot pager_settings;

/* Set up everything.  mmu_ variables and heap windows must be ready. */
MUST_CHECK status_t pager_start(const struct pager_boot *boot);

#endif
