/*
 * T1: a message and its answer, between two address spaces.  (On Faultline T1 itself is measured by
 * kernelbench; here a program asks the pager.)
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
		series_skip(partner_row, "no partner");
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
	series_end(partner_row, 1);
	partner_stop();
}
