/*
 * Raw servers: wired programs with a pool of their own and nobody's help.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "domain.h"
#include "frames.h"
#include "operations.h"
#include "servers.h"
#include "slots.h"
#include "wired.h"
#include <faultline/call.h>
#include <faultline/layout.h>
#include <faultline/protocol/init.h>
#include <faultline/protocol/raw_boot.h>
#include <server/string.h>

#define RAW_BOOT_ADDRESS INFO_ROOT_ADDRESS
#define RAW_ALIGN	 512u

static struct raw_boot raw_boot;
static struct wired raw;

static void must(status_t status, const struct script_entry *entry, const char *what)
{
	if (status != ST_OK)
		init_fail("etc/boot:%u: raw server %s: %s (status %u)", entry->line, entry->name,
			what, status);
}

/* Ranges ascend. */
static void add_range(const struct script_entry *entry, struct raw_range range)
{
	uint32_t at = raw_boot.range_count++;

	must(frames_give((struct frame_range){ range.first, range.count }, raw_boot.pool), entry,
		"frames");
	for (; at > 0 && raw_boot.ranges[at - 1].first > range.first; at--)
		raw_boot.ranges[at] = raw_boot.ranges[at - 1];
	raw_boot.ranges[at] = range;
}

/* In one aligned piece if there is one, else in the largest pieces there are. */
static void give_frames(const struct script_entry *entry)
{
	struct raw_range range = { 0, entry->frames };
	uint32_t left = entry->frames;

	if (left == 0)
		return;
	if (frames_take(left, RAW_ALIGN, &range.first) == ST_OK) {
		add_range(entry, range);
		return;
	}
	while (left > 0 && raw_boot.range_count < RAW_RANGES_MAX) {
		range.count = frames_take_largest(left, &range.first);
		if (range.count == 0)
			break;
		add_range(entry, range);
		left -= range.count;
	}
	if (left > 0)
		init_fail("etc/boot:%u: raw server %s: not enough memory for %u frames",
			entry->line, entry->name, entry->frames);
}

static void create_space(const struct script_entry *entry, uint32_t index)
{
	struct wired_kind kind = { .name = entry->name, .priority = RAW_PRIORITY };
	struct archive_file file;
	const char *why = "";
	uint64_t pool;

	must(init_find_file("servers/", entry->name, &file), entry, "not in the boot archive");
	must(operation_ask(operation(OP_POOL_CREATE, 0, 0, 0, 0), &pool), entry, "pool");
	must(operation_run(operation(
		     OP_POOL_SET, 0, 0, pool, INIT_SLOT_PORT | (INIT_NOTIFY_PARKED << 32))),
		entry, "pool");
	kind.pool = (uint32_t)pool;
	kind.space_word = RAW_SPACE_FLAGS | (pool << SPACE_POOL_SHIFT);
	must(wired_create(&raw, &kind), entry, "space");
	if (wired_load(&raw, &file, &why) != ST_OK)
		init_fail("etc/boot:%u: raw server %s: %s", entry->line, entry->name, why);
	must(wired_map_zeros(&raw, LAYOUT_STACK_TOP - RAW_STACK_PAGES * PAGE_SIZE, RAW_STACK_PAGES),
		entry, "stack");
	must(wired_watch(&raw, WATCH_SERVERS + index), entry, "fault port");
	must(operation_run(operation(OP_SPACE_GRANT, raw.space, 0,
		     RAW_IO_FIRST | ((uint64_t)RAW_IO_COUNT << 32), 1u << RAW_IRQ_LINE)),
		entry, "clock chip");
	must(operation_run(operation(OP_POOL_DEVICE, RAW_DEVICE_PAGE, 0, raw.pool, RAW_DEVICE_PAGES)),
		entry, "interrupt controller");
}

/* Its own port, init's, and those of the servers started before: they alone have a handle in
   init. */
static void give_handles(const struct script_entry *entry, uint32_t index)
{
	uint32_t port;

	must(init_create_port(INIT_SLOT_SERVERS + index, &port), entry, "port");
	must(wired_set_handle(&raw, SLOT_SELF, INIT_SLOT_SERVERS + index, RIGHT_ALL, 0), entry,
		"port");
	must(wired_set_handle(&raw, SLOT_INIT, INIT_SLOT_PORT, RIGHT_SEND, system_badge(index)),
		entry, "handle");
	for (uint32_t slot = SLOT_PROC; slot <= SLOT_TIME; slot++) {
		uint32_t source = server_port_slot(slot);

		if (source != 0)
			must(wired_set_handle(&raw, slot, source, RIGHT_SEND | RIGHT_GIVE,
				     system_badge(index)),
				entry, "handle");
	}
}

static void fill_boot_page(void)
{
	raw_boot.magic = RAW_BOOT_MAGIC;
	raw_boot.pool = raw.pool;
	raw_boot.root_pool = init_boot->root_pool;
	raw_boot.space = raw.space;
	raw_boot.top = raw.top;
	raw_boot.thread = raw.thread;
	raw_boot.message = raw.message;
	raw_boot.init_space = init_boot->root_space;
	raw_boot.frames = init_boot->frames;
	raw_boot.zero_frame = init_boot->zero_frame;
	raw_boot.levels = init_boot->levels;
	memcpy(raw_boot.command_line, init_boot->command_line, sizeof(raw_boot.command_line) - 1);
}

/* See the header. */
void raw_start(const struct script_entry *entry, uint32_t index)
{
	memset(&raw_boot, 0, sizeof(raw_boot));
	create_space(entry, index);
	give_handles(entry, index);
	fill_boot_page();
	give_frames(entry);
	must(wired_map_copy(&raw, RAW_BOOT_ADDRESS, &raw_boot, sizeof(raw_boot)), entry,
		"boot page");
	must(wired_start(&raw, LAYOUT_STACK_TOP, RAW_BOOT_ADDRESS), entry, "start");
}
