/*
 * Moving pages from one range of a space's tables to another (mremap).
 *
 *	source  [ a b . c d | tail, taken away by others later ]
 *	           |   |   |            entries move as they are: rights, A and D, SHARED, and the
 *	           v   v   v            counts of what they name stay.  Nothing is copied
 *	target  [ a b . c d | more room ]
 *
 * Where source and target lie alike within a larger span, whole tables move by their one entry, and
 * shared ones stay shared.
 *
 * Two passes.  The first makes all tables that will be written the space's own (source) or there
 * and its own (target): it takes frames and may be refused, and nobody notices what it has done so
 * far.  The second moves: it takes no frame.  It also clears what the target range held.
 * Each step handles one run of entries of one table.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_MOVE_H
#define PAGER_MOVE_H

#include <faultline/status.h>
#include <stdint.h>

struct space;

/* What goes where.  The ranges do not overlap; all is page-aligned. */
struct move {
	uint64_t source, source_bytes;
	uint64_t target;
	uint64_t target_bytes; /* that may hold pages: 0, or at least source_bytes */
};

/* How far the cursor of a pass goes: it is an offset in both ranges. */
uint64_t move_length(const struct move *move);

/* A step of the first pass.  NO_MEMORY. */
MUST_CHECK status_t move_prepare_step(
	struct space *space, const struct move *move, uint64_t *cursor);

/* A step of the second.  A refusal by the kernel means that a rule is broken. */
MUST_CHECK status_t move_step(struct space *space, const struct move *move, uint64_t *cursor);

#endif
