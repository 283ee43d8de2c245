/*
 * A small harness for host tests: a table of named tests, run all or one by name.
 *
 * Prints `ok NAME` or `FAIL NAME: file:line: condition` for each, and `N passed, N failed` last;
 * the exit status is 0 when none failed.  A failed CHECK leaves its test at once; with CHECK_FIRST
 * in the environment it ends the run, too.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CHECK_H
#define CHECK_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_test {
	const char *name;
	void (*function)(void);
};

#define CHECK_TEST(name)           \
	{                          \
#name, test_##name \
	}

static jmp_buf check_exit;
static const char *check_name;

#define CHECK(condition)                                                               \
	do {                                                                           \
		if (!(condition)) {                                                    \
			printf("FAIL %s: %s:%d: %s\n", check_name, __FILE__, __LINE__, \
				#condition);                                           \
			longjmp(check_exit, 1);                                        \
		}                                                                      \
	} while (0)

/* Two integers are equal; prints both when not. */
#define CHECK_EQUAL(left, right)                                                                   \
	do {                                                                                       \
		uint64_t check_left = (uint64_t)(left), check_right = (uint64_t)(right);           \
		if (check_left != check_right) {                                                   \
			printf("FAIL %s: %s:%d: %s == %s (0x%llx, 0x%llx)\n", check_name,          \
				__FILE__, __LINE__, #left, #right, (unsigned long long)check_left, \
				(unsigned long long)check_right);                                  \
			longjmp(check_exit, 1);                                                    \
		}                                                                                  \
	} while (0)

static int check_one(const struct check_test *test, void (*before)(void), void (*after)(void))
{
	check_name = test->name;
	if (setjmp(check_exit) != 0)
		return 1;
	if (before)
		before();
	test->function();
	if (after)
		after();
	printf("ok %s\n", test->name);
	return 0;
}

/* Run the tests (or the one named by argv[1]) with `before` and `after` around each; either may
   be NULL. */
static inline int check_run(const struct check_test *tests, size_t count, void (*before)(void),
	void (*after)(void), int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	for (size_t i = 0; i < count; i++) {
		if (argc > 1 && strcmp(argv[1], tests[i].name) != 0)
			continue;
		if (check_one(&tests[i], before, after) == 0)
			passed++;
		else
			failed++;
		if (failed != 0 && getenv("CHECK_FIRST"))
			break;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}

#endif
