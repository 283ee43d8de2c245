/*
 * Addresses that no region holds: why, and stacks that grow down to them.
 *
 * A stack is a region with MAP_STACK.  It may begin LAYOUT_STACK_LIMIT below its end at the
 * lowest, and keeps LAYOUT_STACK_GAP free above the region below it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_STACK_H
#define PAGER_STACK_H

#include "space.h"

/*
 * Why an access to this address would be refused, whatever the access; NONE: a region holds it,
 * or a stack would grow down to it.  *nearest: the region there, or the one below, or empty.
 */
uint32_t stack_explain(struct space *space, uint64_t address, struct region *nearest);

/* No region holds the address: a stack above it grows down to it, or there is a reason why not. */
uint32_t stack_grow(struct space *space, uint64_t address);

#endif
