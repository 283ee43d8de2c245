/*
 * Checks and test hooks.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_DEBUG_H
#define KERNEL_DEBUG_H

#include "thread.h"

/* Test hook: hinted flushes are left out. */
extern bool debug_hook_no_flush;

/* Rules that kernel_ok() adds to those of frame_check_all(), numbered behind them. */
enum {
	RULE_READY_QUEUES = 100, /* a queued thread is READY, its queue's bit is set */
	RULE_THREAD_STATE,       /* a thread is in the list its state says, of a live port */
	RULE_THREAD_SPACE,       /* its space exists and lists it */
	RULE_PORT_QUEUE,         /* callers in the queue of their priority, bits as the queues */
	RULE_MESSAGE_PAGE,       /* a thread's message page is a MSG frame, held once */
	RULE_POOL_COUNT,         /* a pool's count = the frames that name it */
	RULE_POOL_LIMITS,        /* its pools below are counted, its limits no wider than its parent's */
};

/* Walk everything.  0, or the rule violated with *where = the frame. */
uint32_t kernel_ok(pfn_t *where);

/* Checksums of the contents of 512 frames from `first` on, 0 for what is no RAM, FREE or the kernel's
   image: so that a test can tell that something did not change anything. */
void frame_sums(pfn_t first, uint64_t *sums);

#endif
