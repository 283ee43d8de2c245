/*
 * Shared anonymous memory: pages appear, cleared, in the object's tree when they are first
 * touched by anyone.  Made by a mapping and doomed at once, so it goes with its last mapping.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"

static enum supply shared_supply(
	struct object *object, const struct region *region, uint64_t page, pfn_t *frame)
{
	(void)region;
	if (page >= (object->bytes + PAGE_SIZE - 1) / PAGE_SIZE)
		return SUPPLY_PAST_END;
	return object_supply_page(object, page, frame);
}

const struct object_kind object_kind_shared = {
	.name = "shared",
	.programs_may_write = true,
	.supply = shared_supply,
};
