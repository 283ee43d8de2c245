/*
 * Counters (stat.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "stat.h"

#include "account.h"
#include "blocks.h"
#include "object.h"

/* See the header. */
void stat_add(struct pager_stat *sum, const struct pager_space_stat *space)
{
	sum->faults += space->faults;
	sum->faults_zero += space->faults_zero;
	sum->faults_copy += space->faults_copy;
	sum->faults_reuse += space->faults_reuse;
	sum->faults_file += space->faults_file;
	sum->faults_refused += space->faults_refused;
}

/* See the header. */
void stat_fill(struct pager_stat *answer)
{
	*answer = pager_counters;
	for (const struct space *space = space_first; space; space = space->next)
		stat_add(answer, &space->counters);
	answer->messages += answer->faults;
	answer->frames_copied = answer->faults_copy;
	answer->frames_zeroed += answer->faults_zero;
	answer->frames_total = frame_pool.total;
	answer->frames_free = blocks_frames_free();
	answer->frames_blank = frame_pool_blanks();
	answer->blocks_clean = blocks.clean_count;
	answer->frames_reserve = frame_pool.reserve[FRAMES_PROGRAM];
	answer->spaces = space_count;
	answer->objects = object_count;
	answer->jobs = job_count();
	answer->committed = account_committed;
	answer->commit_limit = account_limit;
	answer->victims = account_victims;
}
