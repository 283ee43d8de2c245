/*
 * Starting the core (start.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "start.h"

#include "account.h"
#include "frame_pool.h"
#include "heap.h"
#include "latest.h"
#include "object.h"
#include "region.h"
#include "space.h"
#include "stat.h"
#include "stock.h"

#define REGION_NODES_MAX (1ull << 22)

struct pager_boot pager_settings;
struct pager_stat pager_counters;
static struct slab region_nodes;

static status_t regions_start(void)
{
	status_t status = slab_init(&region_nodes, heap_window(HEAP_REGIONS),
		sizeof(struct region_node), REGION_NODES_MAX, heap_grow);

	if (status != ST_OK)
		return status;
	region_map_init(&region_nodes);
	region_map_watch(object_mapping_changed);
	return ST_OK;
}

/* See the header. */
status_t pager_start(const struct pager_boot *boot)
{
	status_t status;

	if (boot->magic != PAGER_BOOT_MAGIC || boot->levels != mmu_levels ||
		mmu_levels != LAYOUT_LEVELS)
		return ST_BAD_FORMAT;
	pager_settings = *boot;
	pager_counters = (struct pager_stat){ 0 };
	stock_start();
	status = frame_pool_start(boot);
	if (status == ST_OK)
		status = regions_start();
	if (status == ST_OK)
		status = space_start();
	if (status == ST_OK)
		status = object_start();
	account_start(boot);
	latest_start();
	return status;
}
