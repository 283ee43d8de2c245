/*
 * Requests about regions: map, unmap, protect, break (model: steps.h).
 *
 * A request whose job goes on leaves its process with two states of each page of the range, until
 * the answer comes (reference.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"
#include "runs.h"
#include "steps.h"

#define RW (MAP_READ | MAP_WRITE)

static uint32_t any_rights(struct random *chance)
{
	static const uint32_t rights[] = { RW, RW, RW, MAP_READ, MAP_READ | MAP_EXEC, 0,
		MAP_WRITE };

	return rights[random_below(chance, 7)];
}

/* ---- mapping ---- */

/* What is to be mapped, and by whom. */
struct mapping {
	struct run run;
	uint64_t flags;
	struct object *object;
	uint32_t object_page;
	bool by_server;
};

static void expect_pages(struct process *process, const struct mapping *mapping)
{
	for (uint32_t i = 0; i < mapping->run.count; i++)
		process->pending.next[mapping->run.first + i] = (struct page){
			.is_mapped = true,
			.is_shared = mapping->flags & MAP_SHARED,
			.rights = mapping->flags & 7,
			.object = (uint16_t)(mapping->object ? mapping->object - objects + 1 : 0),
			.object_page = (uint16_t)(mapping->object_page + i),
		};
	if (mapping->flags & MAP_POPULATE)
		run_expect_populated(process, mapping->run);
}

static uint32_t mapping_status(const struct process *process, const struct mapping *mapping)
{
	bool writes_file = mapping->object && mapping->object->is_file &&
			   (mapping->flags & MAP_SHARED) && (mapping->flags & MAP_WRITE);

	if (writes_file && !mapping->by_server)
		return ST_NO_ACCESS;
	if (mapping->flags & MAP_NO_REPLACE &&
		!run_is_free(process, mapping->run.first, mapping->run.count))
		return ST_EXISTS;
	return ST_OK;
}

static void map(struct process *process, const struct mapping *mapping)
{
	uint64_t id = mapping->object ? mapping->object->id : 0;
	uint64_t offset = id != 0 ? mapping->object_page * 4096ull : 0;
	const struct machine_request by_program = {
		.badge = process->id,
		.label = PAGER_MMAP,
		.w = { run_start(mapping->run), run_bytes(mapping->run), mapping->flags, id,
			offset },
	};
	const struct machine_request by_server = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_MAP,
		.w = { process->id, run_start(mapping->run), run_bytes(mapping->run),
			mapping->flags, id, offset },
	};

	run_say(process, mapping->run, "flags", mapping->flags);
	report_say(" object %d page %u%s", mapping->object ? (int)(mapping->object - objects) : -1,
		mapping->object_page, mapping->by_server ? " by server" : "");
	pending_begin(process, PENDING_RANGE, mapping->run.first, mapping->run.count);
	pending_expect(process, "mmap", mapping_status(process, mapping));
	expect_pages(process, mapping);
	program_request(process, mapping->by_server ? &by_server : &by_program);
}

static uint64_t any_place_flag(struct random *chance)
{
	return random_below(chance, 4) == 0 ? MAP_NO_REPLACE : MAP_FIXED_AT;
}

/* Anonymous memory, private or shared. */
void step_map(struct random *chance)
{
	struct process *process = any_caller(chance);
	bool is_shared = random_below(chance, 4) == 0;
	struct mapping mapping = { .run = is_shared ? run_any_plain(chance) : run_any(chance) };

	if (!process)
		return;
	mapping.flags = any_rights(chance) | any_place_flag(chance);
	if (is_shared) {
		mapping.object = object_take(mapping.run.count);
		mapping.flags |= MAP_SHARED;
	}
	if (is_shared && !mapping.object)
		return;
	if (!run_has_gap(mapping.run.first, mapping.run.count) && random_below(chance, 5) == 0)
		mapping.flags |= MAP_POPULATE;
	map(process, &mapping);
}

/* A file, also beyond its end; shared and writable only by a server's hand. */
void step_map_file(struct random *chance)
{
	struct process *process = any_caller(chance);
	struct mapping mapping = { .run = run_any_plain(chance), .object = any_file(chance) };

	if (!process || !mapping.object)
		return;
	mapping.flags = any_rights(chance) | any_place_flag(chance);
	mapping.by_server = random_below(chance, 3) == 0;
	if (random_below(chance, 2))
		mapping.flags |= MAP_SHARED;
	if (random_below(chance, 5) == 0)
		mapping.flags |= MAP_POPULATE;
	mapping.object_page = random_below(chance, OBJECT_PAGES);
	map(process, &mapping);
}

/* ---- taking away ---- */

/* munmap */
void step_unmap(struct random *chance)
{
	struct process *process = any_caller(chance);
	struct run run = run_any(chance);
	struct machine_request request = {
		.label = PAGER_MUNMAP,
		.w = { run_start(run), run_bytes(run) },
	};

	if (!process)
		return;
	run_say(process, run, "bytes", run_bytes(run));
	request.badge = process->id;
	pending_begin(process, PENDING_RANGE, run.first, run.count);
	pending_expect(process, "munmap", ST_OK);
	run_expect_nothing(process, run);
	program_request(process, &request);
}

/* ---- rights ---- */

static bool run_shares_file(const struct process *process, struct run run)
{
	for (uint32_t i = run.first; i < run.first + run.count; i++) {
		const struct page *page = &process->pages[i];

		if (page->is_mapped && page->is_shared && object_of(page)->is_file)
			return true;
	}
	return false;
}

static uint32_t protect_status(const struct process *process, struct run run, uint32_t rights)
{
	if (!run_is_mapped(process, run.first, run.count))
		return ST_NOT_FOUND;
	return rights & MAP_WRITE && run_shares_file(process, run) ? ST_NO_ACCESS : ST_OK;
}

/* mprotect */
void step_protect(struct random *chance)
{
	struct process *process = any_caller(chance);
	struct run run = run_any(chance);
	uint32_t rights = any_rights(chance);
	struct machine_request request = {
		.label = PAGER_MPROTECT,
		.w = { run_start(run), run_bytes(run), rights },
	};

	if (!process)
		return;
	for (uint32_t i = 0; i < 6 && !run_is_mapped(process, run.first, run.count); i++)
		run.count = 1 + run.count / 2;
	request.w[1] = run_bytes(run);
	run_say(process, run, "rights", rights);
	request.badge = process->id;
	pending_begin(process, PENDING_STAY, run.first, run.count);
	pending_expect(process, "mprotect", protect_status(process, run, rights));
	for (uint32_t i = run.first; i < run.first + run.count; i++)
		process->pending.next[i].rights = (uint8_t)rights;
	program_request(process, &request);
}

/* ---- the heap ---- */

/* brk */
void step_break(struct random *chance)
{
	struct process *process = any_caller(chance);
	uint32_t first = area_first[AREA_HEAP], wanted = random_below(chance, WINDOW_PAGES + 1);
	struct machine_request request = {
		.label = PAGER_BRK,
		.w = { places[first].address + wanted * 4096ull },
	};

	if (!process)
		return;
	report_say(
		" process %u from %u to %u pages", process_number(process), process->brk, wanted);
	request.badge = process->id;
	pending_begin(process, PENDING_RANGE, first, WINDOW_PAGES);
	pending_expect(process, "brk", ST_OK);
	process->pending.brk = wanted;
	for (uint32_t i = 0; i < WINDOW_PAGES; i++) {
		struct page *next = &process->pending.next[first + i];

		if (i >= wanted)
			*next = (struct page){ 0 };
		else if (i >= process->brk)
			*next = (struct page){ .is_mapped = true, .rights = RW };
	}
	program_request(process, &request);
}
