/*
 * Which status of which call and of which operation was seen.
 *
 * coverage.h lists all that can be produced, a row each; docs/calls.md has the same list for
 * people, and tests/docs_calls.sh compares both with the kernel's source.  The last test of a
 * complete run compares the list with what the tests before it saw.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "coverage.h"
#include "kernel_tests.h"
#include <server/print.h>

_Static_assert(ST_AGAIN < 64, "a status is a bit of a word");

void coverage_call(uint32_t number, status_t status)
{
	if (number < CALL_COUNT && (uint32_t)status < 64) {
		shared_page.calls_seen[number] |= 1ull << status;
	}
}

void coverage_operation(uint32_t op, status_t status)
{
	if (op < OP_COUNT && (uint32_t)status < 64) {
		shared_page.operations_seen[op] |= 1ull << status;
	}
}

struct row {
	uint32_t number;
	status_t status;
	const char *name;
};

static const struct row call_rows[] = {
#define CALL_ROW(call, status) { CALL_##call, ST_##status, #call " " #status },
	COVERAGE_CALLS(CALL_ROW)
#undef CALL_ROW
};

static const struct row operation_rows[] = {
#define OPERATION_ROW(op, status) { OP_##op, ST_##status, #op " " #status },
	COVERAGE_OPERATIONS(OPERATION_ROW)
#undef OPERATION_ROW
};

/* Each row was seen. */
static bool rows_are_seen(const struct row *rows, size_t count, const uint64_t *seen)
{
	for (size_t i = 0; i < count; i++) {
		if (!(seen[rows[i].number] >> rows[i].status & 1)) {
			return fail(__FILE__, __LINE__, rows[i].name, 0, 1);
		}
	}
	return true;
}

/* What was seen of call or operation `number` has rows. */
static bool seen_has_rows(const struct row *rows, size_t count, uint64_t seen, uint32_t number)
{
	uint64_t listed = 0;

	for (size_t i = 0; i < count; i++) {
		listed |= rows[i].number == number ? 1ull << rows[i].status : 0;
	}
	return !(seen & ~listed) ||
	       fail(__FILE__, (int)number, "a status that coverage.h does not list", seen, listed);
}

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool every_status_of_every_call_was_seen(void)
{
	return rows_are_seen(call_rows, ROWS(call_rows), shared_page.calls_seen);
}

static bool every_status_of_every_operation_was_seen(void)
{
	return rows_are_seen(operation_rows, ROWS(operation_rows), shared_page.operations_seen);
}

/* BATCH and REPLY_RECEIVE pass on what operations return. */
static bool no_status_was_seen_that_is_not_documented(void)
{
	for (uint32_t number = 0; number < CALL_COUNT; number++) {
		if (number != CALL_BATCH && number != CALL_REPLY_RECEIVE) {
			CHECK(seen_has_rows(call_rows, ROWS(call_rows),
				shared_page.calls_seen[number], number));
		}
	}
	for (uint32_t op = 0; op < OP_COUNT; op++) {
		CHECK(seen_has_rows(
			operation_rows, ROWS(operation_rows), shared_page.operations_seen[op], op));
	}
	return true;
}

const struct test tests_coverage[] = {
	{ "every_status_of_every_call_was_seen", every_status_of_every_call_was_seen },
	{ "every_status_of_every_operation_was_seen", every_status_of_every_operation_was_seen },
	{ "no_status_was_seen_that_is_not_documented", no_status_was_seen_that_is_not_documented },
	{ 0 },
};
