/*
 * Counters (stat.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "stat.h"

#include "account.h"
#include "object.h"

/* See the header. */
void stat_fill(struct pager_stat *answer)
{
	*answer = pager_counters;
	answer->frames_copied = pager_counters.faults_copy;
	answer->frames_zeroed += pager_counters.faults_zero;
	answer->frames_total = frame_pool.total;
	answer->frames_free = frame_pool.free;
	answer->frames_reserve = frame_pool.reserve[FRAMES_PROGRAM];
	answer->spaces = space_count;
	answer->objects = object_count;
	answer->jobs = job_count();
	answer->committed = account_committed;
	answer->commit_limit = account_limit;
	answer->victims = account_victims;
}
