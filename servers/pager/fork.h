/*
 * Fork.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_FORK_H
#define PAGER_FORK_H

#include "space.h"

/*
 * Make a child of a space whose thread waits in a call: the child's thread answers that call with
 * OK and word 0 = 0.  NO_MEMORY; LIMIT when a table has no room for another reference.
 */
MUST_CHECK status_t fork_space(struct space *parent, uint64_t badge, struct space **child);

#endif
