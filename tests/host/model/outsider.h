/*
 * The outsider: a pool of its own, whose owner changes tables at random and never asks for a flush.
 *
 * It has a space with one path of tables, and frames that come from the root's pool and go back to
 * it.  Nothing of what it maps is compared: its own coherence is its own affair.  What must hold is
 * the kernel's promise that a frame is used anew only when no processor remembers it (holders.h),
 * and that nobody reaches a frame that is not his.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_OUTSIDER_H
#define MODEL_OUTSIDER_H

#include "random.h"
#include <faultline/frame.h>

#define OUTSIDER_FRAMES 24u

/* Takes the frames from `first` on. */
void outsider_start(pfn_t first);

/* A few operations. */
void outsider_step(struct random *chance);

/* An access by its thread. */
void outsider_access(struct random *chance);

#endif
