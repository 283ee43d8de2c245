/*
 * The simulated machine: RAM, boot state, flush counters, panic.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sim.h"
#include "flush.h"
#include "frame.h"
#include "log.h"
#include "percpu.h"
#include "pool.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Alignas(4096) uint8_t sim_ram[SIM_FRAMES_MAX][PAGE_SIZE];
struct frame sim_frame_table[SIM_FRAMES_MAX];
struct sim_flushes sim_flushes;
struct sim_result sim_last;
void (*sim_flush_hook)(struct space *space);

uint32_t flush_epoch;
struct info_counters counters;

/* See sim.h. */
void sim_start(uint32_t frames)
{
	if (frames <= SIM_FIRST_FREE || frames > SIM_FRAMES_MAX)
		panic("sim_start: %u frames", frames);
	memset(sim_ram, 0, (size_t)(frame_count > frames ? frame_count : frames) * PAGE_SIZE);
	memset(sim_frame_table, 0, sizeof(sim_frame_table));
	memset(&sim_flushes, 0, sizeof(sim_flushes));
	memset(&counters, 0, sizeof(counters));
	frame_count = frames;
	frame_zero = SIM_ZERO_FRAME;
	frame_refs_limit = FRAME_REFS_MAX;
	flush_epoch = 1;
	pool_init();
	frame_table[SIM_KERNEL_FRAME].type = FRAME_KERNEL;
	frame_table[SIM_ZERO_FRAME].type = FRAME_ZERO;
	for (pfn_t pfn = SIM_FIRST_FREE; pfn < frames; pfn++) {
		frame_table[pfn].type = FRAME_FREE;
		frame_table[pfn].pool = POOL_ROOT;
		pool_table[POOL_ROOT].frames++;
	}
}

/* See sim.h. */
status_t sim_batch(uint16_t pool, const struct op *ops, uint32_t count, struct sim_result *result)
{
	struct batch batch = {
		.pool = pool,
		.work_left = OP_WORK_MAX,
		.results = result->results,
		.result_max = OP_RESULTS_MAX,
	};

	result->status = batch_run(&batch, ops, count, &result->index);
	result->done = batch.done;
	result->count = batch.result_count;
	return result->status;
}

/* See sim.h. */
status_t sim_op_within(uint32_t work, uint32_t room, uint64_t head, uint64_t a, uint64_t b)
{
	struct op op = { head, a, b };
	struct batch batch = {
		.pool = POOL_ROOT,
		.work_left = work,
		.results = sim_last.results,
		.result_max = room,
	};

	sim_last.status = batch_run(&batch, &op, 1, &sim_last.index);
	sim_last.done = batch.done;
	sim_last.count = batch.result_count;
	return sim_last.status;
}

/* See sim.h. */
status_t sim_op(uint16_t pool, uint64_t head, uint64_t a, uint64_t b)
{
	struct op op = { head, a, b };

	return sim_batch(pool, &op, 1, &sim_last);
}

/* See sim.h. */
status_t sim_space_create(pfn_t space, pfn_t top)
{
	return sim_op(POOL_ROOT, op_head(OP_SPACE_CREATE, 0, space, 0, 0), top, 0);
}

/* See sim.h. */
void sim_check(void)
{
	pfn_t where = 0;
	uint32_t rule = frame_check_all(&where);

	if (rule != 0)
		panic("frame rule %u violated at frame %u (type %u)", rule, where,
			frame_table[where].type);
}

/* The kernel's functions that the host stands in for (flush.h, log.h). */
void flush_everything(void)
{
	if (sim_flush_hook)
		sim_flush_hook(NULL);
	sim_flushes.everything++;
	flush_epoch++;
}

void flush_space(struct space *space)
{
	if (sim_flush_hook)
		sim_flush_hook(space);
	sim_flushes.space++;
	sim_flushes.last_space = space;
}

void flush_hinted_all(void)
{
	sim_flushes.hinted_all++;
	flush_everything();
}

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("panic: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	abort();
}
