/*
 * Filling a range ahead of use (MAP_POPULATE).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_POPULATE_H
#define PAGER_POPULATE_H

#include "space.h"

/* One step of the space's JOB_POPULATE: some pages from the cursor on. */
MUST_CHECK status_t populate_step(struct space *space, bool *done);

#endif
