/*
 * kerneltests: runs all tables, prints `N passed, N failed`, ends the machine with status 0 or 1.
 *
 * The kernel's command line may name one test to run: test=NAME, or several: test=BEGINNING*.  test=panic makes the kernel panic, for
 * tests/system/panic_report.sh.  With the word "hostile" no test is run: see hostile.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"
#include <server/print.h>
#include <server/start.h>
#include <server/string.h>

static const struct test *const tables[] = {
	tests_flushes, /* first: what they find makes the others meaningless */
	tests_frames,
	tests_tables,
	tests_copies,
	tests_batches,
	tests_objects,
	tests_handles,
	tests_messages,
	tests_calls,
	tests_faults,
	tests_exceptions,
	tests_threads,
	tests_devices,
	tests_wild,
	tests_malice_frames,
	tests_malice_messages,
	tests_malice_pools,
	tests_lessons,
	tests_fuzz,
	tests_coverage,
};

/* The name behind "test=" on the command line, or NULL for all tests. */
static const char *wanted_test(const char *command_line)
{
	static char name[64];
	size_t length = 0;

	for (const char *at = command_line; *at; at++) {
		if (strncmp(at, "test=", 5) != 0) {
			continue;
		}
		for (at += 5; at[length] && at[length] != ' ' && length < sizeof(name) - 1;
			length++) {
			name[length] = at[length];
		}
		return name;
	}
	return NULL;
}

int main(uint64_t argument)
{
	const struct raw_boot *raw_boot = (const struct raw_boot *)argument;
	struct tally tally = { 0 };
	const char *only;

	server_set_name("kerneltests");
	if (!harness_start(raw_boot)) {
		tally.failed++;
	} else if (command_line_has("hostile")) {
		hostile_run();
	} else {
		only = wanted_test(raw_boot->command_line);
		if (only && strcmp(only, "panic") == 0)
			(void)kernel_call(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_PANIC, DEBUG_PANIC, 0, 0, 0, NULL);
		for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
			harness_run(tables[i], only, &tally);
		}
	}
	if (tally.skipped) {
		report("%u skipped\n", tally.skipped);
	}
	report("%u passed, %u failed\n", tally.passed, tally.failed);
	return kernel_call(CALL_SHUTDOWN, tally.failed != 0, 0, 0, 0, 0, 0, NULL) == ST_OK;
}
