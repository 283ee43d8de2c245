/*
 * What tests ask of the shadow build, by the call DEBUG: rdi = DEBUG_HOOK, rsi = one of these.
 * Other builds refuse with BAD_ARGUMENT.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SHADOW_HOOKS_H
#define SHADOW_HOOKS_H

enum {
	/* rdx = 1: translations that become stale from now on are the test's own business: using
	   one is counted and goes through; 0: the end of that. */
	SHADOW_HOOK_EXPECT = 0x5000,
	/* Results: uses of stale translations that were expected, and that were not. */
	SHADOW_HOOK_COUNTS
};

#endif
