/*
 * Servers: a table by line of the boot script.
 *
 * The worker owns the table; the supervisor writes `down` only, and reads what never changes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "servers.h"

#include "domain.h"
#include "operations.h"
#include "slots.h"
#include "store.h"
#include "supervisor.h"
#include <call.h>
#include <faultline/protocol/pager.h>
#include <loader.h>
#include <server/print.h>
#include <server/request.h>
#include <server/start.h>
#include <server/status.h>
#include <server/string.h>

#define SERVER_STACK_BYTES 0x40000u
#define RESTARTS_MAX	   5u
#define RESTARTS_WINDOW_NS 10000000000ull

/* What a server is by its name.  Peers: the fixed slots it finds filled; calls go one way only. */
struct role {
	const char *name;
	uint32_t slot; /* 0: nobody gets a handle to it */
	uint32_t priority;
	uint32_t peers;	 /* bit per fixed slot */
	uint32_t rights; /* SPACE_* */
};
#define PEER(slot) (1u << (slot))

static const struct role roles[] = {
	{ "proc", SLOT_PROC, PRIORITY_SERVER,
		PEER(SLOT_PAGER) | PEER(SLOT_FILES) | PEER(SLOT_CONSOLE) | PEER(SLOT_INIT), 0 },
	{ "files", SLOT_FILES, PRIORITY_SERVER, PEER(SLOT_PAGER), 0 },
	{ "console", SLOT_CONSOLE, PRIORITY_DRIVER, PEER(SLOT_PROC), 0 },
	{ "time", SLOT_TIME, PRIORITY_DRIVER, 0, SPACE_TIMER },
};
/* Any other server is a user of the whole system. */
static const struct role other_role = { NULL, 0, PRIORITY_SERVER,
	PEER(SLOT_PROC) | PEER(SLOT_PAGER) | PEER(SLOT_FILES) | PEER(SLOT_CONSOLE) |
		PEER(SLOT_TIME),
	0 };

struct server {
	const struct role *role;
	uint32_t port; /* its frame; 0: this line of the script is no server */
	bool running;
	bool down;		/* set by the supervisor, atomically */
	uint64_t space;		/* the pager's id */
	uint64_t first_restart; /* of the current window */
	uint32_t restarts;
};

static struct server servers[SCRIPT_ENTRIES_MAX];
static uint32_t call_target = SCRIPT_ENTRIES_MAX; /* the server that the worker is calling */
static _Alignas(16) uint8_t stack_buffer[LOADER_STACK_MAX];

static const struct role *find_role(const char *name)
{
	for (uint32_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	}
	return &other_role;
}

static uint32_t port_slot(uint32_t index)
{
	return INIT_SLOT_SERVERS + index;
}

static const char *name_of(uint32_t index)
{
	return init_script.entries[index].name;
}

/* See the header. */
const char *server_name_of(uint32_t index)
{
	return name_of(index);
}

/* See the header. */
bool server_is_essential(uint32_t index)
{
	return init_script.entries[index].kind != SCRIPT_SERVER ||
	       init_script.entries[index].essential;
}

/* See the header. */
uint32_t server_port_slot(uint32_t fixed_slot)
{
	if (fixed_slot == SLOT_PAGER)
		return pager_is_wanted() ? INIT_SLOT_PAGER : 0;
	if (fixed_slot == SLOT_INIT)
		return INIT_SLOT_PORT;
	for (uint32_t i = 0; i < init_script.count; i++) {
		if (servers[i].port != 0 && servers[i].role->slot == fixed_slot)
			return port_slot(i);
	}
	return 0;
}

static void prepare_server(uint32_t index)
{
	struct server *server = &servers[index];

	server->role = find_role(name_of(index));
	init_must(init_create_port(port_slot(index), &server->port), name_of(index));
	if (server->role->slot != 0)
		init_must(kernel_call(CALL_HANDLE, HANDLE_MINT, port_slot(index),
				  server->role->slot, RIGHT_SEND, system_badge(index), 0, NULL),
			name_of(index));
}

/* See the header. */
void servers_prepare(void)
{
	for (uint32_t i = 0; i < init_script.count; i++) {
		if (init_script.entries[i].kind == SCRIPT_SERVER)
			prepare_server(i);
		else if (init_script.entries[i].kind == SCRIPT_RAW)
			raw_start(&init_script.entries[i], i);
	}
}

static void set_template(uint32_t slot, uint32_t source)
{
	struct message message = {
		.tag = tag_make(PAGER_TEMPLATE, 0) |
		       ((uint64_t)INIT_SLOT_TEMPLATE << TAG_HANDLE_SHIFT),
		.w = { slot, RIGHT_SEND },
	};

	init_must(kernel_call(CALL_HANDLE, HANDLE_COPY, source, INIT_SLOT_TEMPLATE,
			  RIGHT_SEND | RIGHT_MINT | RIGHT_GIVE, 0, 0, NULL),
		"handle for programs");
	init_must(request_call(SLOT_PAGER, &message), "handle for programs");
	init_must(kernel_call(CALL_HANDLE, HANDLE_DROP, INIT_SLOT_TEMPLATE, 0, 0, 0, 0, NULL),
		"handle for programs");
}

/* See the header. */
void servers_set_templates(void)
{
	static const uint32_t slots[] = { SLOT_PROC, SLOT_FILES, SLOT_CONSOLE, SLOT_TIME };

	for (uint32_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		uint32_t source = server_port_slot(slots[i]);

		if (source != 0)
			set_template(slots[i], source);
	}
}

/* The objects behind a server's space: init's pool is above the pager's, so it may shape them. */
struct server_frames {
	uint64_t space, thread;
};

static status_t set_handle(const struct server_frames *frames, uint32_t slot, uint32_t source,
	uint32_t rights, uint64_t badge)
{
	return operation_run(operation(OP_HANDLE_SET, (pfn_t)frames->space, slot,
		source | ((uint64_t)rights << 16), badge));
}

static status_t give_handles(uint32_t index, const struct server_frames *frames)
{
	status_t status = set_handle(frames, SLOT_SELF, port_slot(index), RIGHT_ALL, 0);

	for (uint32_t slot = SLOT_PROC; slot <= SLOT_INIT && status == ST_OK; slot++) {
		uint32_t source = server_port_slot(slot);

		if ((servers[index].role->peers & PEER(slot)) && source != 0)
			status = set_handle(
				frames, slot, source, RIGHT_SEND | RIGHT_GIVE, system_badge(index));
	}
	return status;
}

static status_t set_thread(uint32_t index, const struct server_frames *frames)
{
	pfn_t thread = (pfn_t)frames->thread;
	status_t status = operation_run(operation(
		OP_THREAD_SET, thread, THREAD_FIELD_PRIORITY, servers[index].role->priority, 0));

	if (status != ST_OK)
		return status;
	return operation_run(operation(OP_THREAD_SET, thread, THREAD_FIELD_EXCEPTION_PORT,
		INIT_SLOT_PORT, WATCH_SERVERS + index));
}

static status_t grant_devices(const struct script_entry *entry, const struct server_frames *frames)
{
	if (entry->io_count == 0 && entry->irq_mask == 0)
		return ST_OK;
	return operation_run(operation(OP_SPACE_GRANT, (pfn_t)frames->space, 0,
		entry->io_first | ((uint64_t)entry->io_count << 32), entry->irq_mask));
}

static status_t create_space(uint32_t index, struct server_frames *frames)
{
	struct message message = {
		.tag = tag_make(PAGER_SPACE_CREATE, 0),
		.w = { system_badge(index), CLASS_SERVER,
			servers[index].role->rights | SPACE_DEBUG | SPACE_FPU_NONE },
	};
	status_t status = request_call(SLOT_PAGER, &message);

	if (status != ST_OK)
		return status;
	servers[index].space = message.w[0];
	frames->space = message.w[1];
	frames->thread = message.w[2];
	return ST_OK;
}

static status_t load(uint32_t index, const struct stored_file *file, const char **why)
{
	const struct loader_program program = {
		.pager = SLOT_PAGER,
		.space = servers[index].space,
		.object = file->object,
		.object_bytes = file->bytes,
		.stack_bytes = SERVER_STACK_BYTES,
		.name = name_of(index),
		.stack_buffer = stack_buffer,
	};
	struct loader_start start;
	status_t status = loader_load(&program, &start, why);

	if (status != ST_OK)
		return status;
	return loader_run(&program, &start, store_find("etc/script") ? 0 : SERVER_INTERACTIVE);
}

static status_t start(uint32_t index, const char **why)
{
	const struct stored_file *file = store_find_in("servers/", name_of(index));
	struct server_frames frames;
	status_t status;

	*why = "no such file in the folder servers of the boot archive";
	if (!file)
		return ST_NOT_FOUND;
	*why = NULL;
	status = create_space(index, &frames);
	if (status == ST_OK)
		status = give_handles(index, &frames);
	if (status == ST_OK)
		status = set_thread(index, &frames);
	if (status == ST_OK)
		status = grant_devices(&init_script.entries[index], &frames);
	return status == ST_OK ? load(index, file, why) : status;
}

/* What is left of a failed server goes away; its memory follows when the pager finds time. */
static void remove(uint32_t index)
{
	struct message message = { .tag = tag_make(PAGER_SPACE_DESTROY, 0),
		.w = { servers[index].space } };

	servers[index].running = false;
	init_must(request_call(SLOT_PAGER, &message), "end of a failed server");
	init_must(operation_run(operation(OP_PORT_RESET, servers[index].port, 0, 0, 0)),
		"end of a failed server");
}

/* A server that fails as fast as it is started would do so for ever. */
static void count_restart(uint32_t index)
{
	struct server *server = &servers[index];
	uint64_t out[3] = { 0 };

	init_must(kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, out), "time");
	if (server->restarts == 0 || out[0] - server->first_restart > RESTARTS_WINDOW_NS) {
		server->first_restart = out[0];
		server->restarts = 0;
	}
	if (++server->restarts > RESTARTS_MAX)
		init_fail("server %s failed %u times in %u seconds: giving up", name_of(index),
			server->restarts, (uint32_t)(RESTARTS_WINDOW_NS / 1000000000u));
	server_log("restarting server %s", name_of(index));
}

/* Starts server `index` if it does not run.  True: it is new. */
static bool bring_up(uint32_t index)
{
	struct server *server = &servers[index];
	const char *why;
	status_t status;

	if (__atomic_exchange_n(&server->down, false, __ATOMIC_SEQ_CST) && server->running) {
		remove(index);
		count_restart(index);
	}
	if (server->running)
		return false;
	status = start(index, &why);
	if (status != ST_OK)
		init_fail("etc/boot:%u: cannot start server %s: %s",
			init_script.entries[index].line, name_of(index),
			why ? why : status_text(status));
	server->running = true;
	return true;
}

/* The file server's directory is made anew from init's.  False: it failed meanwhile. */
static bool announce_files(uint32_t index)
{
	status_t status;

	__atomic_store_n(&call_target, index, __ATOMIC_SEQ_CST);
	status = store_announce(SLOT_FILES);
	__atomic_store_n(&call_target, SCRIPT_ENTRIES_MAX, __ATOMIC_SEQ_CST);
	if (status == ST_OK)
		return true;
	if (status != ST_DEAD && status != ST_INTERRUPTED)
		init_fail("the file server refuses a file: %s", status_text(status));
	return false;
}

/* See the header. */
void servers_start_all(void)
{
	bool again;

	do {
		again = false;
		for (uint32_t i = 0; i < init_script.count; i++) {
			if (servers[i].port == 0 || !bring_up(i))
				continue;
			if (servers[i].role->slot == SLOT_FILES)
				again |= !announce_files(i);
		}
	} while (again);
}

/* See the header. */
void server_note_failure(uint32_t index, void *message_page)
{
	status_t status;

	__atomic_store_n(&servers[index].down, true, __ATOMIC_SEQ_CST);
	status = operation_run_by(
		message_page, operation(OP_PORT_RESET, servers[index].port, 0, 0, 0));
	if (status == ST_OK && __atomic_load_n(&call_target, __ATOMIC_SEQ_CST) == index)
		status = operation_run_by(message_page,
			operation(OP_THREAD_INTERRUPT, init_boot->root_thread, 0, 0, 0));
	if (status != ST_OK)
		server_log_by(message_page, "cannot free the callers of %s: %s", name_of(index),
			status_text(status));
}
