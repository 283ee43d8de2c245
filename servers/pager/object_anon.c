/*
 * Private anonymous memory: no object, zero until it is written.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"

static enum supply anonymous_supply(
	struct object *object, const struct region *region, uint64_t page, pfn_t *frame)
{
	(void)object;
	(void)region;
	(void)page;
	*frame = 0;
	return SUPPLY_ZEROES;
}

const struct object_kind object_kind_anonymous = {
	.name = "anonymous",
	.supply = anonymous_supply,
};
