/*
 * The stock of cleared frames (stock.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "stock.h"

#include "blocks.h"
#include "gather.h"
#include "job.h"
#include "request.h"

static uint64_t waiting; /* token; 0: nobody waits */
static bool is_due;	 /* it is to be answered */
static uint64_t cleared; /* frames cleared here that pages may take ... */
static uint64_t spare;	 /* ... and how many they were given when somebody looked last */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* So many are to be blank. */
static uint64_t wanted(void)
{
	return least(frame_pool.free / STOCK_SHARE, STOCK_MOST);
}

/* Whoever waits does so until no more are left. */
static void set_mark(void)
{
	uint64_t half = wanted() / 2;

	frame_pool.blanks.low = half != 0 ? half : 1;
}

/* See the header. */
void stock_rouse(void)
{
	if (waiting == 0)
		return;
	frame_pool.blanks.low = 0;
	is_due = job_work_left = true;
}

/* No more than somebody waits for.  Of less memory than when he began to, these may be enough. */
static void blanks_are_low(uint64_t blanks)
{
	if (blanks + STOCK_STEP > wanted()) {
		set_mark();
		return;
	}
	frame_pool.blanks.low = 0;
	is_due = job_work_left = true;
}

/* See the header. */
void stock_look(void)
{
	uint64_t blanks = frame_pool_blanks(), for_tables = TABLES_KEPT, for_pages = 0;

	if (blanks <= frame_pool.blanks.low)
		blanks_are_low(blanks);
	if (for_tables < frame_pool.blanks.low)
		for_tables = frame_pool.blanks.low;
	cleared -= spare - frame_pool.blanks.spare;
	if (blanks > for_tables)
		for_pages = least(blanks - for_tables, cleared);
	for_tables = blanks - for_pages;
	spare = frame_pool.blanks.spare = for_pages;
	frame_pool.blanks.kept = least(for_tables, TABLES_AT_ONCE);
	frame_pool.blanks.rest = for_tables - frame_pool.blanks.kept;
}

/* Frames from the front of the queue: those have rested longest, and are used next. */
static void clear_some(uint32_t count)
{
	pfn_t first;

	frame_pool_begin();
	first = frame_pool_take_run(KIND_FREE, &count);
	mmu_add(op_head(OP_ZERO, 0, first, 0, count), 0, 0);
	if (mmu_run() != ST_OK)
		return; /* somebody else's by now: lost, and pager_check() reports it */
	for (uint32_t i = 0; i < count; i++)
		frame_pool_put(first + i);
	cleared += count;
}

/* See the header. */
void stock_start(void)
{
	waiting = 0;
	is_due = false;
	cleared = spare = 0;
}

/* See the header. */
bool stock_fill(void)
{
	uint64_t blanks = frame_pool_blanks(), missing = wanted() - blanks;

	if (blanks >= wanted())
		return false;
	clear_some((uint32_t)least(missing, STOCK_STEP));
	stock_look();
	return true;
}

/* See the header. */
status_t stock_wait(uint64_t token)
{
	if (waiting != 0)
		return ST_LIMIT;
	waiting = token;
	set_mark();
	stock_look();
	return ST_OK;
}

/* See the header. */
void stock_wake(void)
{
	uint64_t token = waiting;

	if (!is_due)
		return;
	is_due = false;
	waiting = 0;
	mmu_answer(token, ST_OK, 0, 0);
}

/* See the header. */
bool stock_cancel(uint64_t token)
{
	if (waiting != token)
		return false;
	waiting = 0;
	is_due = false;
	frame_pool.blanks.low = 0;
	return true;
}

/* PAGER_IDLE */
status_t request_idle(struct request *request)
{
	status_t status;

	if (stock_fill() || gather_step() || blocks_clear_step())
		return ST_OK;
	status = stock_wait(request->token);
	request->is_later = status == ST_OK;
	return status;
}
