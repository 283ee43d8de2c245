/*
 * File data: the object is the page cache.  System servers write it (PAGER_OBJECT_WRITE); pages
 * never written are holes and read as zeros.
 *
 * A private mapping sees the object's frames read-only and copies on write; a shared one sees the
 * frames themselves, and makes pages of holes.  Programs may name files, but not write them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"

static enum supply file_supply(
	struct object *object, const struct region *region, uint64_t page, pfn_t *frame)
{
	if (page >= (object->bytes + PAGE_SIZE - 1) / PAGE_SIZE)
		return SUPPLY_PAST_END;
	if (region->protection & MAP_SHARED)
		return object_supply_page(object, page, frame);
	(void)object_read(object, page, 1, frame);
	return *frame != 0 ? SUPPLY_FRAME : SUPPLY_ZEROES;
}

const struct object_kind object_kind_file = {
	.name = "file",
	.programs_may_name = true,
	.supply = file_supply,
};
