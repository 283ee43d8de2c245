/*
 * init, the root task: starts everything and keeps it alive.
 *
 *   kernel -> init (wired, pool 1, all free frames)
 *               raw servers                  wired, a pool each, if the boot script has some
 *               pager                        wired, gets nearly all frames
 *               boot archive -> objects of the pager
 *               servers of the boot script   clients of the pager
 *               first program                by the process server
 *
 * Init's own memory is static: it never depends on the pager.  init.h tells about its two threads.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "init.h"

#include "domain.h"
#include "frames.h"
#include "idle.h"
#include "operations.h"
#include "servers.h"
#include "slots.h"
#include "store.h"
#include "supervisor.h"
#include <call.h>
#include <faultline/protocol/proc.h>
#include <server/print.h>
#include <server/request.h>
#include <server/start.h>
#include <server/status.h>
#include <server/string.h>

const struct info_boot *init_boot;
struct script init_script;

#define SCRIPT_FILE	  "etc/boot"
#define ENVIRONMENT	  "PATH=/bin\0HOME=/\0"
#define ENVIRONMENT_COUNT 2u

/* See the header. */
_Noreturn void init_fail(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	print_text_list(text, sizeof(text), format, arguments);
	va_end(arguments);
	server_log("%s", text);
	(void)kernel_call(CALL_SHUTDOWN, INIT_EXIT_FAILED, 0, 0, 0, 0, 0, NULL);
	__builtin_trap();
}

/* See the header. */
void init_must(status_t status, const char *what)
{
	if (status != ST_OK)
		init_fail("%s: %s", what, status_text(status));
}

/* See the header. */
struct name_words name_words(const char *name)
{
	struct name_words result = { { 0, 0 } };

	memcpy(result.words, name, strnlen(name, sizeof(result.words) - 1));
	return result;
}

/* See the header. */
status_t init_find_file(const char *folder, const char *name, struct archive_file *file)
{
	char path[64];

	print_text(path, sizeof(path), "%s%s", folder, name);
	return archive_find(
		(const void *)init_boot->archive_address, init_boot->archive_bytes, path, file);
}

/* See the header. */
status_t init_create_port(uint32_t slot, uint32_t *pfn)
{
	status_t status = frames_make(init_boot->root_pool, FRAME_FREE, pfn);

	if (status != ST_OK)
		return status;
	return operation_run(operation(OP_PORT_CREATE, *pfn, slot, 0, 0));
}

static void read_script(void)
{
	struct archive_file file;

	if (init_find_file("", SCRIPT_FILE, &file) != ST_OK)
		init_fail("no %s in the boot archive: nothing to start", SCRIPT_FILE);
	if (script_parse(&init_script, (const char *)file.data, file.bytes) != ST_OK)
		init_fail("%s:%u: %s", SCRIPT_FILE, init_script.error_line, init_script.error);
}

/* path, arguments (the path again, first), environment */
static void spawn(const struct script_entry *entry)
{
	static const char environment[] = ENVIRONMENT;
	uint32_t path_bytes = (uint32_t)strlen(entry->arguments) + 1;
	uint32_t bytes = path_bytes + entry->argument_bytes + (uint32_t)sizeof(environment) - 1;
	struct message message = {
		.tag = tag_make(PROC_SPAWN, bytes),
		.w = { entry->argument_count, ENVIRONMENT_COUNT },
	};
	char *page = MESSAGE_PAGE;
	status_t status;

	if (server_port_slot(SLOT_PROC) == 0)
		init_fail("%s:%u: spawn needs the server proc", SCRIPT_FILE, entry->line);
	memcpy(page, entry->arguments, path_bytes);
	memcpy(page + path_bytes, entry->arguments, entry->argument_bytes);
	memcpy(page + path_bytes + entry->argument_bytes, environment, sizeof(environment) - 1);
	status = request_call(SLOT_PROC, &message);
	if (status != ST_OK)
		init_fail("%s:%u: cannot start %s: %s", SCRIPT_FILE, entry->line, entry->arguments,
			status_text(status));
}

static void spawn_all(void)
{
	for (uint32_t i = 0; i < init_script.count; i++) {
		if (init_script.entries[i].kind == SCRIPT_SPAWN)
			spawn(&init_script.entries[i]);
	}
}

/* Everything but the pager's clients; then them. */
static void start_system(void)
{
	if (pager_is_wanted())
		pager_create_port();
	servers_prepare();
	if (!pager_is_wanted())
		return;
	pager_start();
	store_unpack();
	servers_set_templates();
	servers_start_all();
	server_log("%u files (%lu KiB) unpacked, servers started", store_count(),
		store_bytes() / 1024);
	idle_start();
	spawn_all();
}

/* The worker: woken whenever the supervisor saw a server fail. */
static _Noreturn void serve_failures(void)
{
	for (;;) {
		struct message message = { 0 };
		status_t status = ipc_reply_receive(INIT_SLOT_WORKER | RR_RECEIVE, &message);

		if (status == ST_OK && (message.tag & TAG_NOTIFICATION))
			servers_start_all();
		else if (status != ST_OK && status != ST_INTERRUPTED)
			init_fail("worker: %s", status_text(status));
	}
}

/* argument: the address of struct info_boot. */
int main(uint64_t argument)
{
	init_boot = (const struct info_boot *)argument;
	server_set_name("init");
	if (init_boot->magic != INFO_MAGIC)
		init_fail("the kernel's boot information is not what this init knows");
	read_script();
	init_must(frames_find(init_boot), "init's top-level table");
	supervisor_start();
	start_system();
	serve_failures();
}
