/*
 * Counters since the start, for PAGER_STAT.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_STAT_H
#define PAGER_STAT_H

#include <faultline/protocol/pager.h>

/* Those that are counted where things happen; the others are filled in when asked for.  Faults are
   counted by each space: here are those of the spaces that are gone. */
extern struct pager_stat pager_counters;

/* Add a space's faults. */
void stat_add(struct pager_stat *sum, const struct pager_space_stat *space);

/* Complete it. */
void stat_fill(struct pager_stat *answer);

#endif
