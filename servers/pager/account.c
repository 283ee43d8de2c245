/*
 * Accounts, waiting for memory, and the choice of a victim (rules: account.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "account.h"

#include "fault.h"
#include "stat.h"

#include <faultline/slots.h>

uint64_t account_committed;
uint64_t account_limit;
uint64_t account_space_limit;
uint64_t account_victims;
static uint64_t waiting_count;

/* See the header. */
void account_start(const struct pager_boot *boot)
{
	account_committed = account_victims = waiting_count = 0;
	account_limit = boot->commit_percent != 0 ? frame_pool.total * boot->commit_percent / 100
						  : UINT64_MAX;
	account_space_limit = boot->commit_space != 0 ? boot->commit_space : frame_pool.total;
}

/* See the header. */
bool account_has_room(uint64_t pages)
{
	return pages <= account_limit && account_committed <= account_limit - pages;
}

/* See the header. */
status_t account_check(const struct space *space, uint64_t pages)
{
	if (pages > space->limit || space->committed > space->limit - pages)
		return ST_NO_MEMORY;
	return account_has_room(pages) ? ST_OK : ST_NO_MEMORY;
}

/* See the header. */
void account_update(struct space *space)
{
	struct region_totals totals = region_map_totals(space->regions);

	account_committed -= space->committed;
	space->committed = totals.committed_bytes / PAGE_SIZE + space->shared;
	account_committed += space->committed;
}

/* See the header. */
void account_close(struct space *space)
{
	account_committed -= space->committed;
	space->committed = space->shared = 0;
}

/* See the header. */
void account_wait(struct space *space, uint64_t token)
{
	space->waiting = token;
	space->waits_for_memory = true;
	waiting_count++;
	job_work_left = true;
}

/* See the header. */
void account_forget(struct space *space)
{
	if (space->waits_for_memory)
		waiting_count--;
	space->waits_for_memory = false;
	space->waiting = 0;
}

/* See the header. */
bool account_is_waiting(void)
{
	return waiting_count != 0;
}

/* Answer all faults that wait for memory. */
static void answer_waiting(uint32_t label, uint64_t reason)
{
	for (struct space *space = space_first; space && waiting_count != 0; space = space->next) {
		uint64_t token = space->waiting;

		if (!space->waits_for_memory)
			continue;
		account_forget(space);
		mmu_answer(token, label, reason, 0);
	}
}

/* See the header. */
void account_retry(void)
{
	if (waiting_count != 0 &&
		frame_pool.free >= frame_pool.reserve[FRAMES_PROGRAM] + FAULT_FRAMES)
		answer_waiting(FAULT_RESUME, 0);
}

static bool is_candidate(const struct space *space)
{
	return space->state == SPACE_LIVE && space->class == CLASS_PROGRAM &&
	       space->job.kind != JOB_TEARDOWN;
}

/* The program that uses most, the youngest of equals; NULL if it has no more than its share. */
static struct space *choose_victim(void)
{
	struct space *largest = 0;
	uint64_t programs = 0;

	for (struct space *space = space_first; space; space = space->next) {
		if (!is_candidate(space))
			continue;
		programs++;
		if (!largest || space->resident >= largest->resident)
			largest = space;
	}
	if (!largest)
		return 0;
	return largest->resident > frame_pool.total / programs ? largest : 0;
}

/* See the header. */
void account_kill(struct space *space)
{
	status_t status;

	mmu_add(op_head(OP_THREAD_STOP, 0, space->thread, 0, 0), 0, 0);
	status = tables_run();
	if (status != ST_OK)
		return; /* no thread of ours: cannot be */
	space->state = SPACE_VICTIM;
	space->victim_told = false;
	account_forget(space);
	job_drop(space);
	region_map_release(&space->regions);
	space_regions_changed(space);
	space->brk_start = space->brk_now = 0;
	account_victims++;
	mmu_notify(space_templates[SLOT_PROC].slot, PAGER_NOTIFY_VICTIM);
	space->job = (struct job){ .kind = JOB_TEARDOWN };
	job_begin(space, &status); /* a teardown only begins here */
}

/* See the header. */
void account_relieve(void)
{
	struct space *victim = choose_victim();

	if (victim)
		account_kill(victim);
	else
		answer_waiting(FAULT_REFUSE, REASON_NO_MEMORY);
}

/* See the header. */
struct space *account_next_victim(void)
{
	for (struct space *space = space_first; space; space = space->next) {
		if (space->state != SPACE_VICTIM || space->victim_told)
			continue;
		space->victim_told = true;
		return space;
	}
	return 0;
}
