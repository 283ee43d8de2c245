/*
 * A hostile pager beside a whole system.
 *
 * Started by a `raw` line of the boot script before all else, with the word "hostile" on the
 * kernel's command line, this server runs no tests: below its pool it makes a pool for an attacker,
 * as important as a program, which attacks every frame of the machine (malice_round), over and
 * over, while pager, servers and programs do their work.  After each round the kernel checks
 * itself.  What it finds ends the machine; otherwise the machine ends with its programs, which have
 * not noticed anything.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"

#define PRIORITY_HOSTILE 20u /* that of programs, also our own */

void hostile_run(void)
{
	bool good = op_at(OP_THREAD_SET, boot->thread, THREAD_FIELD_PRIORITY, PRIORITY_HOSTILE,
			    0) == ST_OK;

	for (uint64_t round = 1; good; round++) {
		good = malice_round(0x9e3779b97f4a7c15ull * round, PRIORITY_HOSTILE);
		test_undo();
		good = good && kernel_is_well();
		report("hostile pager: round %lu %s\n", round, good ? "done" : "FAILED");
	}
	report_failure("hostile pager");
	for (;;) {
		(void)kernel_call(CALL_SHUTDOWN, 1, 0, 0, 0, 0, 0, NULL);
	}
}
