/*
 * Random calls and messages of several programs at once: a long run with a seed of its own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef TESTS_GUEST_FUZZ_H
#define TESTS_GUEST_FUZZ_H

#include "harness.h"

/* The test of so many sequences of this seed (numbers as text). */
const struct test *fuzz_long(const char *seed, const char *sequences);

#endif
