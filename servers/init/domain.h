/*
 * Starting what runs without a pager: the pager itself, and raw servers.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_DOMAIN_H
#define INIT_DOMAIN_H

#include "init.h"

/* Does the script start anything that has a pager? */
bool pager_is_wanted(void);

/* Makes the pager's port, and fills init's SLOT_PAGER: others may get handles before it runs. */
void pager_create_port(void);

/* Makes the rest of the pager's domain, gives it nearly all frames that are left, starts it. */
void pager_start(void);

/* Starts a raw server with its frames (see protocol/raw_boot.h).  index: of its line in the
   script. */
void raw_start(const struct script_entry *entry, uint32_t index);

#endif
