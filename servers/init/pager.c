/*
 * The pager's domain: its pool and port are init's to keep, so a pager could be replaced.
 *
 * The pager's program is built of init's frames before the rest is given away; its own frames are
 * then told to it in struct pager_boot.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "domain.h"
#include "frames.h"
#include "operations.h"
#include "slots.h"
#include "wired.h"
#include <call.h>
#include <faultline/protocol/init.h>
#include <faultline/protocol/pager_boot.h>
#include <server/string.h>

#define PAGER_STACK_PAGES  32u
#define PAGER_BOOT_ADDRESS INFO_ROOT_ADDRESS
#define PAGER_RIGHTS	   (SPACE_SEES_FRAMES | SPACE_DEBUG | SPACE_TIMER | SPACE_FPU_NONE)

static struct wired pager;
static struct pager_boot pager_boot;

static void create_pool(void)
{
	uint64_t pool;

	init_must(operation_ask(operation(OP_POOL_CREATE, 0, 0, POOL_LIMITED | PRIORITY_SERVER, 0),
			  &pool),
		"pager's pool");
	init_must(operation_run(operation(
			  OP_POOL_SET, 0, 0, pool, INIT_SLOT_PORT | (INIT_NOTIFY_PARKED << 32))),
		"pager's pool");
	pager_boot.pool = (uint32_t)pool;
}

static void create_space(void)
{
	const struct wired_kind kind = {
		.name = "pager",
		.pool = init_boot->root_pool,
		.space_word = PAGER_RIGHTS | ((uint64_t)pager_boot.pool << SPACE_POOL_SHIFT),
		.priority = PRIORITY_PAGER,
	};
	struct archive_file file;
	const char *why = "";

	init_must(
		init_find_file("servers/", "pager", &file), "no servers/pager in the boot archive");
	init_must(wired_create(&pager, &kind), "pager's space");
	if (wired_load(&pager, &file, &why) != ST_OK)
		init_fail("cannot load servers/pager: %s", why);
	init_must(wired_map_zeros(&pager, LAYOUT_STACK_TOP - PAGER_STACK_PAGES * PAGE_SIZE,
			  PAGER_STACK_PAGES),
		"pager's stack");
	init_must(wired_watch(&pager, WATCH_PAGER), "pager's fault port");
}

static void create_heap(void)
{
	pfn_t table;

	init_must(frames_make(pager_boot.pool, FRAME_L3, &table), "pager's heap");
	init_must(wired_link_table(&pager, LAYOUT_VMALLOC_FIRST_SLOT, table), "pager's heap");
	pager_boot.heap_table = table;
}

/* See the header. */
bool pager_is_wanted(void)
{
	for (uint32_t i = 0; i < init_script.count; i++) {
		if (init_script.entries[i].kind != SCRIPT_RAW)
			return true;
	}
	return false;
}

/* See the header. */
void pager_create_port(void)
{
	uint32_t port;

	init_must(init_create_port(INIT_SLOT_PAGER, &port), "pager's port");
	init_must(kernel_call(CALL_HANDLE, HANDLE_MINT, INIT_SLOT_PAGER, SLOT_PAGER, RIGHT_SEND,
			  system_badge(0), 0, NULL),
		"pager's handle");
}

/* All but the reserve, in as few pieces as there are; pieces that do not fit the list stay
   init's. */
static void give_frames(void)
{
	uint32_t left = frames_left();

	while (left > INIT_RESERVE_FRAMES && pager_boot.range_count < PAGER_BOOT_RANGES) {
		struct frame_range range;

		range.count = frames_take_largest(left - INIT_RESERVE_FRAMES, &range.first);
		init_must(frames_give(range, pager_boot.pool), "pager's frames");
		pager_boot.ranges[pager_boot.range_count++] =
			(struct pager_boot_range){ range.first, range.count };
		left -= range.count;
	}
}

static void fill_boot_page(void)
{
	pager_boot.magic = PAGER_BOOT_MAGIC;
	pager_boot.frame_count = init_boot->frames;
	pager_boot.zero_frame = init_boot->zero_frame;
	pager_boot.levels = init_boot->levels;
	pager_boot.space_frame = pager.space;
	pager_boot.thread_frame = pager.thread;
	pager_boot.priority_program = PRIORITY_PROGRAM;
	pager_boot.priority_server = PRIORITY_SERVER;
}

/* See the header. */
void pager_start(void)
{
	create_pool();
	create_space();
	create_heap();
	init_must(wired_set_handle(&pager, SLOT_SELF, INIT_SLOT_PAGER, RIGHT_ALL, 0),
		"pager's handle");
	fill_boot_page();
	give_frames();
	init_must(wired_map_copy(&pager, PAGER_BOOT_ADDRESS, &pager_boot, sizeof(pager_boot)),
		"pager's boot page");
	init_must(wired_start(&pager, LAYOUT_STACK_TOP, PAGER_BOOT_ADDRESS), "start of the pager");
}
