/*
 * Requests that only look: statistics, maps, reasons, checks; and the test hooks.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "fault.h"
#include "object.h"
#include "request.h"
#include "stack.h"
#include "stat.h"

#define REGIONS_MAX (PAGE_SIZE / sizeof(struct pager_region))
#define PAGES_MAX   (PAGE_SIZE / sizeof(struct pager_page))

static void answer_payload(struct request *request, const void *payload, uint64_t bytes)
{
	request_copy_bytes(mmu_bounce, payload, bytes);
	request->bytes = (uint32_t)bytes;
}

/* PAGER_STAT */
status_t request_stat(struct request *request)
{
	struct pager_stat answer;

	stat_fill(&answer);
	answer_payload(request, &answer, sizeof(answer));
	return ST_OK;
}

/* PAGER_SPACE_STAT */
status_t request_space_stat(struct request *request)
{
	const struct space *space = request->space;
	struct pager_space_stat answer = space->counters;

	answer.frames_copied = answer.faults_copy;
	answer.regions = region_map_totals(space->regions).count;
	answer.committed = space->committed;
	answer.limit = space->limit;
	answer.brk_start = space->brk_start;
	answer.brk_now = space->brk_now;
	answer_payload(request, &answer, sizeof(answer));
	return ST_OK;
}

static const char *region_name(const struct region *region)
{
	struct object *object = object_find(region->object);

	if (region->kind == REGION_HEAP)
		return "heap";
	if (region->kind == REGION_STACK)
		return "stack";
	return object ? object->name : "";
}

static void name_copy(char *to, const char *from, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) {
		to[i] = *from;
		from += *from != 0 ? 1 : 0;
	}
}

/* What people see of a region. */
static status_t describe(
	const struct space *space, const struct region *region, struct pager_region *answer)
{
	*answer = (struct pager_region){
		.start = region->start,
		.end = region->end,
		.protection = region->protection,
		.object = region->object,
		.offset = region->offset,
	};
	name_copy(answer->name, region_name(region), sizeof(answer->name));
	return tables_count(space, region->start, region->end, &answer->resident);
}

/* PAGER_MAPS */
status_t request_maps(struct request *request)
{
	struct pager_region *answer = (struct pager_region *)(void *)mmu_bounce;
	const struct region *region = region_map_next(request->space->regions, request->w[1]);
	uint32_t count = 0;

	while (region && count < REGIONS_MAX) {
		status_t status = describe(request->space, region, &answer[count]);

		if (status != ST_OK)
			return status;
		count++;
		region = region_map_next(request->space->regions, region->end);
	}
	request->w[0] = count;
	request->w[1] = region ? region->start : 0;
	request->bytes = (uint32_t)(count * sizeof(struct pager_region));
	return ST_OK;
}

/* PAGER_PAGES */
status_t request_pages(struct request *request)
{
	struct pager_page pages[PAGES_MAX];
	uint64_t next = request->w[1];
	uint32_t count = 0;
	status_t status = tables_list(request->space, &next, pages, PAGES_MAX, &count);

	if (status != ST_OK)
		return status;
	answer_payload(request, pages, count * sizeof(pages[0]));
	request->w[0] = count;
	request->w[1] = next;
	return ST_OK;
}

/* PAGER_SPACE_DESCRIBE */
status_t request_describe(struct request *request)
{
	struct pager_region answer;
	struct region region;
	uint32_t reason = stack_explain(request->space, request->w[1], &region);
	status_t status = describe(request->space, &region, &answer);

	if (status != ST_OK)
		return status;
	answer_payload(request, &answer, sizeof(answer));
	request->w[0] = reason;
	return ST_OK;
}

/* PAGER_SETTLE */
status_t request_settle(struct request *request)
{
	status_t status = ST_OK;

	if (!job_pending())
		return ST_OK;
	status = job_settle(request->token);
	request->is_later = status == ST_OK;
	return status;
}

/* PAGER_CHECK */
status_t request_check(struct request *request)
{
	uint64_t where = 0;
	uint32_t rule = pager_check(&where);

	if (rule == CHECK_OK) {
		rule = mmu_check(&where);
		if (rule != 0)
			rule += PAGER_CHECK_KERNEL;
	}
	request->w[0] = rule;
	request->w[1] = where;
	return ST_OK;
}

/* PAGER_TRAP_TEST */
status_t request_trap_test(struct request *request)
{
	uint64_t value = request->w[1];

	switch (request->w[0]) {
	case PAGER_HOOK_FAIL_FRAMES:
	case PAGER_HOOK_FAIL_ONWARD:
		request->w[0] = frame_pool_fail(value, request->w[0] == PAGER_HOOK_FAIL_ONWARD);
		return ST_OK;
	case PAGER_HOOK_RESERVE:
		frame_pool_set_reserve(value);
		return ST_OK;
	default:
		return ST_BAD_ARGUMENT;
	}
}
