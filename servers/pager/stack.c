/*
 * Addresses that no region holds (stack.h).
 *
 *       previous region | free | gap, at least LAYOUT_STACK_GAP | stack | ... end
 *                                             floor ^  start ^
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "stack.h"

#include "account.h"

#define STACK_STEP 0x10000ull /* a stack grows by this much, if there is room */

static uint64_t stack_limit(const struct region *stack)
{
	return stack->end > LAYOUT_STACK_LIMIT ? stack->end - LAYOUT_STACK_LIMIT : 0;
}

/* Where a stack may begin: above what lies below it, and the gap. */
static uint64_t stack_floor(const struct space *space, const struct region *stack)
{
	const struct region *below = region_map_previous(space->regions, stack->start);
	uint64_t floor = below ? below->end + LAYOUT_STACK_GAP : LAYOUT_USER_MIN;
	uint64_t limit = stack_limit(stack);

	return floor > limit ? floor : limit;
}

/* See the header. */
uint32_t stack_explain(struct space *space, uint64_t address, struct region *nearest)
{
	const struct region *region = region_map_lookup(space->regions, address);
	const struct region *above = region_map_next(space->regions, address);

	*nearest = (struct region){ 0 };
	if (!region)
		region = region_map_previous(space->regions, address);
	if (region)
		*nearest = *region;
	if (region && address < region->end)
		return REASON_NONE;
	if (address < LAYOUT_USER_MIN)
		return REASON_NULL;
	if (address >= LAYOUT_USER_END)
		return REASON_KERNEL;
	if (!above || !(above->protection & MAP_STACK))
		return REASON_NO_REGION;
	if (address >= stack_floor(space, above))
		return REASON_NONE;
	if (address < stack_limit(above))
		return address >= stack_limit(above) - LAYOUT_STACK_GAP ? REASON_STACK_LIMIT
									: REASON_NO_REGION;
	return region && address >= region->end + LAYOUT_STACK_GAP ? REASON_NO_REGION
								   : REASON_GUARD;
}

/* See the header. */
uint32_t stack_grow(struct space *space, uint64_t address)
{
	const struct region *above = region_map_next(space->regions, address);
	struct region nearest;
	uint32_t reason = stack_explain(space, address, &nearest);
	uint64_t start = address & ~(STACK_STEP - 1), floor, stack, end;

	if (reason != REASON_NONE)
		return reason;
	stack = above->start;
	end = above->end;
	floor = stack_floor(space, above);
	if (start < floor)
		start = (floor + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (start > address)
		return REASON_GUARD;
	if (account_check(space, (stack - start) / PAGE_SIZE) != ST_OK ||
		region_map_reserve(space->regions, 1) != ST_OK ||
		region_map_resize(&space->regions, stack, start, end) != ST_OK)
		return REASON_NO_MEMORY;
	space_regions_changed(space);
	return REASON_NONE;
}
