/*
 * T1: a message of four words and its answer, between two address spaces.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"
#include "system.h"

#define CALLS	1000
#define WARM_UP 10

void bench_messages(void)
{
	if (!partner_start()) {
		series_skip("T1.server", "no partner");
		return;
	}
	for (int i = 0; i < WARM_UP; i++)
		partner_call();
	series_begin();
	for (int i = 0; i < CALLS; i++) {
		uint64_t start = ticks_now();

		partner_call();
		sample(ticks_now() - start);
	}
	series_end("T1.server", 1);
	partner_stop();
}
