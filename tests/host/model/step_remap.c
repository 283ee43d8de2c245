/*
 * Requests about mappings that are there: mremap, madvise (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"
#include "runs.h"
#include "steps.h"

/* ---- mremap ---- */

struct remap {
	struct run from, to;
	uint64_t flags;
};

/* The pages that a mapping has beyond its old end. */
static struct page page_behind(const struct page *last, uint32_t distance)
{
	struct page page = { .is_mapped = true, .is_shared = last->is_shared };

	page.rights = last->rights;
	page.is_large = last->is_large;
	page.object = last->object;
	page.object_page = (uint16_t)(last->object_page + (last->object != 0 ? distance : 0));
	return page;
}

static void expect_remap(struct process *process, const struct remap *remap)
{
	struct pending *pending = &process->pending;
	const struct page *last = &process->pages[remap->from.first + remap->from.count - 1];

	if (remap->flags & REMAP_FIXED)
		run_expect_nothing(process, remap->from);
	for (uint32_t i = 0; i < remap->to.count; i++) {
		uint32_t source = remap->from.first + i, target = remap->to.first + i;

		if (i >= remap->from.count) {
			pending->next[target] = page_behind(last, i - remap->from.count + 1);
			continue;
		}
		pending->next[target] = process->pages[source];
		pending->moved_to[source] = target + 1;
	}
	for (uint32_t i = remap->to.count; i < remap->from.count; i++)
		pending->next[remap->from.first + i] = (struct page){ 0 };
}

static bool runs_overlap(struct run one, struct run other)
{
	return one.first < other.first + other.count && other.first < one.first + one.count;
}

static uint32_t remap_status(const struct process *process, const struct remap *remap)
{
	uint32_t end = remap->from.first + remap->from.count;
	bool grows = remap->to.count > remap->from.count;

	if (remap->flags & REMAP_FIXED && runs_overlap(remap->from, remap->to))
		return ST_BAD_ARGUMENT;
	if (!run_is_one_region(process, remap->from.first, remap->from.count))
		return ST_NOT_FOUND;
	if (!(remap->flags & REMAP_FIXED) && grows &&
		!run_is_free(process, end, remap->to.count - remap->from.count))
		return ST_NO_MEMORY;
	return ST_OK;
}

/* In place, within the window; or to a run that lies alike. */
static bool choose_remap(struct random *chance, struct remap *remap)
{
	uint32_t back;

	if (random_below(chance, 3) == 0) {
		/* From A to B or back, over the gap. */
		remap->from = run_in(chance, random_below(chance, 2) ? AREA_A : AREA_B);
		back = places[remap->from.first].area == AREA_B;
		remap->to = remap->from;
		remap->to.first += back ? -area_first[AREA_B] : area_first[AREA_B];
		remap->flags = REMAP_MAY_MOVE | REMAP_FIXED;
		return back || remap->to.first + remap->to.count <= area_first[AREA_C];
	}
	remap->from = run_any_plain(chance);
	remap->to = remap->from;
	remap->to.count = 1 + random_below(chance, WINDOW_PAGES);
	if (random_below(chance, 2)) {
		remap->to = run_any_plain(chance);
		remap->flags = REMAP_MAY_MOVE | REMAP_FIXED;
	}
	for (uint32_t i = 0; i < remap->to.count; i++)
		if (remap->to.first + i >= area_first[AREA_HEAP] ||
			places[remap->to.first + i].area != places[remap->to.first].area ||
			place_is_gap(remap->to.first + i))
			remap->to.count = i;
	return remap->to.count != 0;
}

/* mremap */
void step_remap(struct random *chance)
{
	struct process *process = any_caller(chance);
	struct remap remap = { 0 };
	struct machine_request request = { .label = PAGER_MREMAP };

	if (!choose_remap(chance, &remap) || !process)
		return;
	for (uint32_t i = 0;
		i < 6 && !run_is_one_region(process, remap.from.first, remap.from.count); i++)
		remap.from.count = 1 + remap.from.count / 2;
	if (run_has_gap(remap.to.first, remap.to.count) ||
		run_has_gap(remap.from.first, remap.from.count))
		remap.to.count = remap.from.count;
	run_say(process, remap.from, "to", remap.to.first);
	report_say("+%u flags %u", remap.to.count, (uint32_t)remap.flags);
	request.badge = process->id;
	request.w[0] = run_start(remap.from);
	request.w[1] = run_bytes(remap.from);
	request.w[2] = run_bytes(remap.to);
	request.w[3] = remap.flags;
	request.w[4] = remap.flags != 0 ? run_start(remap.to) : 0;
	pending_begin(process, PENDING_RANGE, remap.from.first, remap.from.count);
	pending_touch(process, remap.to.first, remap.to.count);
	pending_expect(process, "mremap", remap_status(process, &remap));
	if (process->pending.expected == ST_OK)
		expect_remap(process, &remap);
	program_request(process, &request);
}

/* ---- madvise ---- */

/* Contents of private pages go. */
static void expect_discarded(struct process *process, struct run run)
{
	for (uint32_t i = run.first; i < run.first + run.count; i++)
		if (!process->pending.next[i].is_shared)
			process->pending.next[i].is_own = process->pending.next[i].is_kept = false;
}

static void expect_advised(struct process *process, struct run run, uint32_t advice)
{
	if (advice == ADVICE_DISCARD)
		expect_discarded(process, run);
	else if (advice == ADVICE_POPULATE)
		run_expect_populated(process, run);
	else
		for (uint32_t i = run.first; i < run.first + run.count; i++)
			process->pending.next[i].is_large = advice == ADVICE_LARGE;
}

/* Discard or populate. */
void step_advise(struct random *chance)
{
	static const uint8_t advices[] = { ADVICE_DISCARD, ADVICE_DISCARD, ADVICE_DISCARD,
		ADVICE_POPULATE, ADVICE_POPULATE, ADVICE_LARGE, ADVICE_LARGE, ADVICE_SMALL };
	struct process *process = any_caller(chance);
	uint32_t advice = advices[random_below(chance, 8)];
	bool is_discard = advice == ADVICE_DISCARD;
	struct run run = is_discard ? run_in(chance, (enum area)random_below(chance, AREAS))
				    : run_any_plain(chance);
	struct machine_request request = { .label = PAGER_MADVISE };

	if (!process)
		return;
	for (uint32_t i = 0; i < 6 && !run_is_mapped(process, run.first, run.count); i++)
		run.count = 1 + run.count / 2;
	run_say(process, run, "advice", advice);
	request.badge = process->id;
	request.w[0] = run_start(run);
	request.w[1] = run_bytes(run);
	request.w[2] = advice;
	pending_begin(process, is_discard ? PENDING_DISCARD : PENDING_STAY, run.first, run.count);
	pending_expect(process, "madvise",
		run_is_mapped(process, run.first, run.count) ? ST_OK : ST_NOT_FOUND);
	if (process->pending.expected == ST_OK)
		expect_advised(process, run, advice);
	program_request(process, &request);
}
