/*
 * Flushing translations: the epoch that guards reuse, and hints that keep clients coherent.
 *
 * flush_epoch counts complete flushes of this processor (all address-space identifiers).  A frame
 * whose last reference went is stamped with it; equal to the current epoch means "may still be
 * cached somewhere", so any other value is safe (wrap-around costs one flush too many).
 * Host build: tests/host supplies these functions.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_FLUSH_H
#define KERNEL_FLUSH_H

#include <faultline/frame.h>

struct space;

extern uint32_t flush_epoch;

void flush_everything(void);	       /* all identifiers, now; flush_epoch + 1 */
void flush_space(struct space *space); /* one space: before it runs again, at the latest */
void flush_hinted_all(void);	       /* FLUSH_ALL of a pager: every space */

#endif
