/*
 * The pager's core against a reference model, over random histories.
 *
 * The model of a process is a table page -> {rights, value}; fork copies the table.  Private
 * pages keep their value in the table, shared ones in an array that all sharers name.  Every step
 * is one request or access, of any process, followed by all checks of kernel and pager; accesses
 * go through a translation cache that forgets nothing by itself (pager_machine.h).
 *
 * Pages lie in windows around the borders of tables of every level, in the heap and below a
 * stack. Variants: plenty of memory; allocations refused at random points; so little memory that
 * processes are killed; kernel counters that refuse.
 *
 *	pager_property [seed [steps]]     one history of each variant; without arguments a fixed set
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "pager_machine.h"

#include "../../servers/pager/mmu.h"
#include <faultline/fault.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES      10
#define WINDOWS	       6
#define WINDOW_PAGES   24
#define PAGES	       (WINDOWS * WINDOW_PAGES)
#define HEAP_WINDOW    4
#define STACK_WINDOW   5
#define SHARED_OBJECTS 64
#define FILE_PAGES     20
#define RW	       (MAP_READ | MAP_WRITE)

extern uint32_t frame_refs_limit;

/* The middle of each: an L1 border, an L2 border, a slot border, inside, the heap, the stack. */
static const uint64_t window_start[WINDOWS] = {
	0x40200000ull - 12 * 4096,
	0x80000000ull - 12 * 4096,
	0x8000000000ull - 12 * 4096,
	0x10000000000ull,
	0x600000ull,
	LAYOUT_STACK_TOP - 24 * 4096,
};

enum backing { NOTHING, PRIVATE, SHARED };

struct model_page {
	uint8_t backing;
	uint8_t rights;	 /* MAP_READ | WRITE | EXEC */
	uint16_t object; /* SHARED: which */
	uint16_t object_page;
	uint64_t value; /* PRIVATE */
	uint64_t origin; /* PRIVATE: what is there after it was discarded */
	bool may_be_origin; /* a discard was refused, maybe behind this page */
};

struct process {
	uint64_t id, badge; /* id 0: none */
	uint64_t brk;	    /* pages of the heap */
	uint32_t stack;	    /* first page of the stack that is mapped; WINDOW_PAGES: no stack */
	struct model_page pages[PAGES];
};

static struct process processes[PROCESSES];
static uint64_t shared_values[SHARED_OBJECTS][WINDOW_PAGES];
static uint32_t shared_count;
static uint64_t file, file_values[FILE_PAGES];
static uint64_t next_badge, next_value;
static uint64_t random_state;
static uint64_t step, seed;
static const char *variant;
static uint64_t refused_requests, refused_accesses, killed;

static _Noreturn void fail(const char *what, uint64_t a, uint64_t b)
{
	printf("FAIL %s: seed %llu step %llu: %s (0x%llx, 0x%llx)\n", variant,
		(unsigned long long)seed, (unsigned long long)step, what, (unsigned long long)a,
		(unsigned long long)b);
	fflush(stdout);
	abort();
}

static uint32_t chance(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % below);
}

static uint64_t page_address(uint32_t page)
{
	return window_start[page / WINDOW_PAGES] + page % WINDOW_PAGES * 4096ull;
}

/* ---- the model ---- */

static uint64_t *model_value(struct model_page *page)
{
	return page->backing == SHARED ? &shared_values[page->object][page->object_page]
				       : &page->value;
}

/* The reason that this access must get. */
static uint32_t model_reason(const struct process *process, uint32_t page, uint32_t access)
{
	const struct model_page *model = &process->pages[page];
	uint32_t needed = access & FAULT_WRITE ? MAP_WRITE : access & FAULT_FETCH ? MAP_EXEC : 7u;

	if (model->backing == NOTHING)
		return REASON_NO_REGION;
	return model->rights & needed ? REASON_NONE : REASON_PROTECTION;
}

static bool shared_is_used(uint32_t object)
{
	for (uint32_t i = 0; i < PROCESSES; i++)
		for (uint32_t page = 0; processes[i].id != 0 && page < PAGES; page++)
			if (processes[i].pages[page].backing == SHARED &&
				processes[i].pages[page].object == object)
				return true;
	return false;
}

static uint32_t shared_new(void)
{
	uint32_t object = 0;

	while (shared_is_used(object))
		if (++object == SHARED_OBJECTS)
			fail("the model has no room for shared memory", 0, 0);
	memset(shared_values[object], 0, sizeof(shared_values[object]));
	return object;
}

/* A page is seen, or written as a whole: now it is known what a refused discard did to it. */
static void model_settle_origin(struct model_page *page, bool is_write, uint64_t word)
{
	if (page->may_be_origin && !is_write && word == page->origin)
		page->value = word;
	page->may_be_origin = false;
}

/* ---- what may fail ---- */

static bool may_refuse; /* allocations or counters refuse now */

/* A status other than OK is right only if something was made to refuse. */
static bool succeeded(const struct machine_answer *answer, const char *what)
{
	if (answer->status == ST_OK)
		return true;
	if (!may_refuse || (answer->status != ST_NO_MEMORY && answer->status != ST_LIMIT &&
				   answer->status != ST_NOT_FOUND))
		fail(what, answer->status, 0);
	refused_requests++;
	return false;
}

/* Processes that the pager chose as victims leave the model. */
static void bury_victims(void)
{
	for (;;) {
		const struct machine_answer *answer =
			machine_system(PAGER_VICTIM, 0, 0, 0, 0, 0, 0);
		uint32_t i;

		if (answer->status == ST_NOT_FOUND)
			return;
		for (i = 0; i < PROCESSES; i++)
			if (processes[i].id != 0 && processes[i].badge == answer->w[0])
				break;
		if (i == PROCESSES || !may_refuse)
			fail("a victim that should not be", answer->w[0], i);
		if (machine_system(PAGER_SPACE_DESTROY, processes[i].id, 0, 0, 0, 0, 0)->status !=
			ST_OK)
			fail("a victim cannot be destroyed", i, 0);
		processes[i].id = 0;
		killed++;
	}
}

/* ---- accesses ---- */

static _Noreturn void fail_page(
	const char *what, struct process *process, uint32_t page, uint64_t word)
{
	const struct model_page *model = &process->pages[page];

	printf("process %llu (space 0x%llx) page %u at 0x%llx: backing %u rights %u object %u page "
	       "%u value 0x%llx\n",
		(unsigned long long)(process - processes), (unsigned long long)process->id, page,
		(unsigned long long)page_address(page), model->backing, model->rights,
		model->object, model->object_page,
		(unsigned long long)*model_value(&process->pages[page]));
	fail(what, page, word);
}

static void compare(struct process *process, uint32_t page, uint32_t access)
{
	uint64_t word = access & FAULT_WRITE ? ++next_value : 0;
	uint32_t expected = model_reason(process, page, access);
	uint32_t reason = machine_access(process->id, page_address(page), access, &word);

	if (reason != expected) {
		bool in_stack_window =
			page / WINDOW_PAGES == STACK_WINDOW && expected == REASON_NO_REGION;

		if (in_stack_window && process->stack < WINDOW_PAGES)
			fail("the model lost a stack page", page, reason);
		if (may_refuse && (reason == REASON_NO_MEMORY || reason == MACHINE_KILLED)) {
			refused_accesses++;
			return;
		}
		fail("an access ended differently", expected, reason);
	}
	if (expected != REASON_NONE)
		return;
	model_settle_origin(&process->pages[page], access & FAULT_WRITE, word);
	if (access & FAULT_WRITE)
		*model_value(&process->pages[page]) = word;
	else if (word != *model_value(&process->pages[page]))
		fail_page("a page has another value", process, page, word);
}

/* The stack grows by the access itself: in the model, down to the page (the pager may go
   further). */
static void model_grow_stack(struct process *process, uint32_t page)
{
	uint32_t index = page % WINDOW_PAGES;

	if (page / WINDOW_PAGES != STACK_WINDOW || process->stack >= WINDOW_PAGES ||
		index >= process->stack)
		return;
	/* 64 KiB at a time, from an aligned address on: window and steps have one origin. */
	uint64_t start = page_address(page) & ~0xffffull;
	uint32_t first = start <= window_start[STACK_WINDOW]
				 ? 0
				 : (uint32_t)((start - window_start[STACK_WINDOW]) / 4096);

	for (uint32_t i = first; i < process->stack; i++)
		process->pages[STACK_WINDOW * WINDOW_PAGES + i] =
			(struct model_page){ .backing = PRIVATE, .rights = RW };
	process->stack = first;
}

static struct process *any_process(void)
{
	uint32_t start = chance(PROCESSES);

	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[(start + i) % PROCESSES].id != 0)
			return &processes[(start + i) % PROCESSES];
	return 0;
}

static void step_access(struct process *process)
{
	static const uint32_t accesses[] = { 0, FAULT_WRITE, FAULT_WRITE, 0, FAULT_WRITE,
		FAULT_FETCH };
	uint32_t page = chance(PAGES), access = accesses[chance(6)];

	for (uint32_t tries = 0; process->pages[page].backing == NOTHING && tries < 20; tries++)
		page = chance(PAGES);
	if (process->pages[page].backing == NOTHING && page / WINDOW_PAGES == STACK_WINDOW) {
		/* Growth may be refused; then nothing has changed. */
		uint64_t word = 0;
		uint32_t reason;

		if (process->stack >= WINDOW_PAGES)
			return;
		reason = machine_access(process->id, page_address(page), 0, &word);
		if (reason == REASON_NONE) {
			model_grow_stack(process, page);
		} else if (may_refuse && (reason == REASON_NO_MEMORY || reason == MACHINE_KILLED)) {
			/* The region may have grown before frames were found lacking. */
			const struct machine_answer *answer;

			if (reason == MACHINE_KILLED)
				return;
			answer = machine_program(
				process->id, PAGER_MAPS, 0, page_address(page), 0, 0, 0);
			if (answer->w[0] != 0 &&
				((const struct pager_region *)(const void *)answer->payload)
						->start <= page_address(page))
				model_grow_stack(process, page);
		} else {
			fail("a stack does not grow", page, reason);
		}
		return;
	}
	compare(process, page, access);
}

/* ---- requests ---- */

/* A run of pages inside one window. */
static void choose_run(uint32_t windows, uint32_t *first, uint32_t *count)
{
	uint32_t window = chance(windows), start = chance(WINDOW_PAGES);

	*first = window * WINDOW_PAGES + start;
	*count = 1 + chance(WINDOW_PAGES - start);
}

static uint32_t choose_rights(void)
{
	static const uint32_t rights[] = { RW, RW, RW, MAP_READ, MAP_READ | MAP_EXEC, 0,
		MAP_WRITE };

	return rights[chance(7)];
}

static void step_map(struct process *process)
{
	uint32_t first, count, rights = choose_rights();
	uint64_t flags = rights | MAP_FIXED_AT, object = 0, offset = 0;
	bool is_shared = chance(5) == 0, is_file = !is_shared && chance(4) == 0;
	uint32_t shared = 0, file_page = 0;

	choose_run(4, &first, &count);
	if (is_file) {
		count = count < FILE_PAGES ? count : FILE_PAGES;
		file_page = chance(FILE_PAGES - count + 1);
		object = file;
		offset = file_page * 4096ull;
	}
	if (is_shared)
		flags |= MAP_SHARED;
	if (chance(6) == 0)
		flags |= MAP_POPULATE;
	const struct machine_answer *answer = machine_program(process->id, PAGER_MMAP,
		page_address(first), count * 4096ull, flags, object, offset);

	if (!succeeded(answer, "mmap"))
		return;
	if (is_shared)
		for (uint32_t i = 0; i < count; i++)
			process->pages[first + i].backing = NOTHING;
	if (is_shared)
		shared = shared_new();
	for (uint32_t i = 0; i < count; i++)
		process->pages[first + i] = (struct model_page){
			.backing = is_shared ? SHARED : PRIVATE,
			.rights = (uint8_t)rights,
			.object = (uint16_t)shared,
			.object_page = (uint16_t)i,
			.value = is_file ? file_values[file_page + i] : 0,
			.origin = is_file ? file_values[file_page + i] : 0,
		};
}

static void step_unmap(struct process *process)
{
	uint32_t first, count;

	choose_run(4, &first, &count);
	if (!succeeded(machine_program(process->id, PAGER_MUNMAP, page_address(first),
			       count * 4096ull, 0, 0, 0),
		    "munmap"))
		return;
	for (uint32_t i = 0; i < count; i++)
		process->pages[first + i].backing = NOTHING;
}

static void step_protect(struct process *process)
{
	uint32_t first, count, rights = choose_rights();
	bool is_covered = true;
	const struct machine_answer *answer;

	choose_run(4, &first, &count);
	for (uint32_t i = 0; i < count; i++)
		is_covered &= process->pages[first + i].backing != NOTHING;
	answer = machine_program(
		process->id, PAGER_MPROTECT, page_address(first), count * 4096ull, rights, 0, 0);
	if (!is_covered) {
		if (answer->status != ST_NOT_FOUND)
			fail("mprotect of a hole", answer->status, 0);
		return;
	}
	if (!succeeded(answer, "mprotect"))
		return;
	for (uint32_t i = 0; i < count; i++)
		process->pages[first + i].rights = (uint8_t)rights;
}

/* May these pages lie in one region?  A single page that is mapped always does. */
static bool could_be_one_region(const struct process *process, uint32_t first, uint32_t count)
{
	const struct model_page *page = &process->pages[first];

	for (uint32_t i = 0; i < count; i++)
		if (page[i].backing == NOTHING || page[i].backing != page->backing ||
			page[i].rights != page->rights)
			return false;
	return true;
}

/* Move pages onto others, some maybe left behind: all of what was there goes. */
static void step_remap(struct process *process)
{
	uint32_t first, count, there, room, kept;
	struct model_page moved[WINDOW_PAGES];
	const struct machine_answer *answer;

	choose_run(4, &first, &count);
	if (chance(3) == 0)
		count = 1;
	choose_run(4, &there, &room);
	kept = 1 + chance(count);
	if (kept > room || (there < first + count && first < there + kept))
		return;
	answer = machine_program(process->id, PAGER_MREMAP, page_address(first), count * 4096ull,
		kept * 4096ull, REMAP_MAY_MOVE | REMAP_FIXED, page_address(there));
	if (answer->status == ST_NOT_FOUND) {
		if (count == 1 && process->pages[first].backing != NOTHING)
			fail("a page cannot be moved", first, 0);
		return;
	}
	if (!succeeded(answer, "mremap"))
		return;
	if (!could_be_one_region(process, first, count))
		fail("mremap of several regions", first, count);
	memcpy(moved, &process->pages[first], sizeof(moved[0]) * kept);
	for (uint32_t i = 0; i < count; i++)
		process->pages[first + i].backing = NOTHING;
	memcpy(&process->pages[there], moved, sizeof(moved[0]) * kept);
}

static void step_advise(struct process *process)
{
	uint32_t first, count;
	uint64_t advice = chance(3) == 0 ? ADVICE_POPULATE : ADVICE_DISCARD;
	bool is_covered = true, is_done;
	const struct machine_answer *answer;

	choose_run(4, &first, &count);
	for (uint32_t i = 0; i < count; i++)
		is_covered &= process->pages[first + i].backing != NOTHING;
	answer = machine_program(process->id, PAGER_MADVISE, page_address(first), count * 4096ull,
		advice, 0, 0);
	if (!is_covered) {
		if (answer->status != ST_NOT_FOUND)
			fail("advice about a hole", answer->status, 0);
		return;
	}
	is_done = succeeded(answer, "madvise");
	for (uint32_t i = 0; i < count && advice == ADVICE_DISCARD; i++) {
		struct model_page *page = &process->pages[first + i];

		page->may_be_origin = !is_done && page->backing == PRIVATE;
		if (is_done)
			page->value = page->origin;
	}
}

static void step_break(struct process *process)
{
	uint32_t pages = chance(WINDOW_PAGES + 1);
	uint64_t wanted = window_start[HEAP_WINDOW] + pages * 4096ull;
	const struct machine_answer *answer =
		machine_program(process->id, PAGER_BRK, wanted, 0, 0, 0, 0);

	if (!succeeded(answer, "brk"))
		return;
	for (uint32_t i = 0; i < WINDOW_PAGES; i++) {
		struct model_page *page = &process->pages[HEAP_WINDOW * WINDOW_PAGES + i];

		if (i >= pages)
			page->backing = NOTHING;
		else if (i >= process->brk)
			*page = (struct model_page){ .backing = PRIVATE, .rights = RW };
	}
	process->brk = pages;
}

static struct process *free_process(void)
{
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[i].id == 0)
			return &processes[i];
	return 0;
}

static void step_create(void)
{
	struct process *process = free_process();
	const struct machine_answer *answer;

	if (!process)
		return;
	answer = machine_system(PAGER_SPACE_CREATE, ++next_badge, CLASS_PROGRAM, 0, 0, 0, 0);
	if (!succeeded(answer, "create"))
		return;
	*process =
		(struct process){ .id = answer->w[0], .badge = next_badge, .stack = WINDOW_PAGES };
	if (!succeeded(machine_system(PAGER_SPACE_HEAP, process->id, window_start[HEAP_WINDOW], 0,
			       0, 0, 0),
		    "heap"))
		return;
	answer = machine_program(process->id, PAGER_MMAP, LAYOUT_STACK_TOP - 4096, 4096,
		RW | MAP_STACK | MAP_FIXED_AT, 0, 0);
	if (!succeeded(answer, "stack"))
		return;
	process->stack = WINDOW_PAGES - 1;
	process->pages[PAGES - 1] = (struct model_page){ .backing = PRIVATE, .rights = RW };
}

static void step_fork(struct process *parent)
{
	struct process *child = free_process();
	const struct machine_answer *answer;

	if (!child)
		return;
	answer = machine_system(PAGER_SPACE_FORK, parent->id, ++next_badge, 0, 0, 0, 0);
	if (!succeeded(answer, "fork"))
		return;
	*child = *parent;
	child->id = answer->w[0];
	child->badge = next_badge;
}

static void step_destroy(struct process *process)
{
	if (machine_system(PAGER_SPACE_DESTROY, process->id, 0, 0, 0, 0, 0)->status != ST_OK)
		fail("destroy", process->id, 0);
	process->id = 0;
}

/* A server writes, or reads, on the process's behalf. */
static void step_from_outside(struct process *process)
{
	uint32_t page = chance(PAGES);
	bool is_write = chance(2);
	uint64_t word = ++next_value;
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = is_write ? PAGER_SPACE_WRITE : PAGER_SPACE_READ,
		.w = { process->id, page_address(page), 8 },
		.payload = &word,
		.bytes = is_write ? 8 : 0,
	};
	const struct machine_answer *answer;
	uint32_t expected = model_reason(process, page, is_write ? FAULT_WRITE : 0);

	if (page / WINDOW_PAGES == STACK_WINDOW && expected == REASON_NO_REGION)
		return;
	answer = machine_call(&request);
	if (expected != REASON_NONE) {
		if (answer->status == ST_OK)
			fail("outside access that must be refused", page, is_write);
		return;
	}
	if (!succeeded(answer, "outside access"))
		return;
	if (!is_write)
		memcpy(&word, answer->payload, 8);
	model_settle_origin(&process->pages[page], is_write, word);
	if (is_write)
		*model_value(&process->pages[page]) = word;
	else if (memcmp(answer->payload, model_value(&process->pages[page]), 8) != 0)
		fail("outside read of another value", page, 0);
}

/* A request that leaves a job behind is given up, or its process destroyed, at any point. */
static void step_settle(void)
{
	machine_settle();
}

static void one_step(void)
{
	struct process *process = any_process();
	uint32_t choice = chance(100);

	if (!process || choice < 3) {
		step_create();
		return;
	}
	if (choice < 60)
		step_access(process);
	else if (choice < 64)
		step_map(process);
	else if (choice < 68)
		step_remap(process);
	else if (choice < 70)
		step_unmap(process);
	else if (choice < 72)
		step_advise(process);
	else if (choice < 78)
		step_protect(process);
	else if (choice < 82)
		step_break(process);
	else if (choice < 89)
		step_fork(process);
	else if (choice < 93)
		step_destroy(process);
	else if (choice < 99)
		step_from_outside(process);
	else
		step_settle();
}

/* ---- histories ---- */

/* Every page of every process has its value, or is refused. */
static void compare_all(void)
{
	for (uint32_t i = 0; i < PROCESSES; i++) {
		for (uint32_t page = 0; page < PAGES; page++) {
			if (processes[i].id == 0)
				break;
			if (page / WINDOW_PAGES != STACK_WINDOW ||
				processes[i].pages[page].backing != NOTHING)
				compare(&processes[i], page, 0);
			bury_victims();
		}
	}
}

static void make_file(void)
{
	file = machine_system(PAGER_OBJECT_CREATE, FILE_PAGES * 4096, 0, 0, 0, 0, 0)->w[0];
	for (uint32_t i = 0; i < FILE_PAGES; i++) {
		struct machine_request request = {
			.badge = BADGE_SYSTEM,
			.label = PAGER_OBJECT_WRITE,
			.w = { file, i * 4096 },
			.payload = &file_values[i],
			.bytes = 8,
		};

		file_values[i] = 0xf11e000 + i;
		if (i % 5 == 4)
			file_values[i] = 0; /* a hole */
		else if (machine_call(&request)->status != ST_OK)
			fail("file", i, 0);
	}
}

enum variant { PLENTY, REFUSING, SCARCE, LIMITED, VARIANTS };
static const char *const variant_names[VARIANTS] = { "plenty", "refusing", "scarce", "limited" };

static void set_refusals(enum variant which)
{
	may_refuse = which == SCARCE;
	if (which == REFUSING && chance(4) == 0) {
		may_refuse = true;
		machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 1 + chance(4), 0, 0, 0, 0);
		if (chance(4) == 0)
			machine_fail_heap(1);
	}
	if (which == LIMITED && chance(8) == 0) {
		may_refuse = true;
		frame_refs_limit = 1 + chance(3);
	}
}

static void clear_refusals(enum variant which)
{
	if (which == REFUSING) {
		machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 0, 0, 0, 0, 0);
		machine_fail_heap(0);
	}
	frame_refs_limit = UINT32_MAX;
	may_refuse = which == SCARCE;
}

static uint64_t frames_free(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat.frames_free;
}

static void finish(uint64_t frames)
{
	may_refuse = true;
	compare_all();
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[i].id != 0)
			step_destroy(&processes[i]);
	machine_system(PAGER_OBJECT_DESTROY, file, 0, 0, 0, 0, 0);
	machine_settle();
	machine_check();
	if (frames_free() != frames)
		fail("frames leaked", frames, frames_free());
}

static void history(enum variant which, uint64_t seed_now, uint64_t steps)
{
	uint64_t frames;

	seed = seed_now;
	variant = variant_names[which];
	random_state = seed_now * 0x9e3779b97f4a7c15ull + which + 1;
	next_value = 1ull << 32;
	memset(processes, 0, sizeof(processes));
	shared_count = 0;
	refused_requests = refused_accesses = killed = 0;
	machine_start(which == SCARCE ? 330 : 3000);
	frames = frames_free();
	make_file();
	for (step = 0; step < steps; step++) {
		set_refusals(which);
		one_step();
		bury_victims();
		clear_refusals(which);
		machine_check();
		if (step % 128 == 127)
			compare_all();
	}
	finish(frames);
	printf("ok %s seed %llu: %llu steps, %llu faults, %llu requests and %llu accesses refused, "
	       "%llu killed\n",
		variant, (unsigned long long)seed, (unsigned long long)steps,
		(unsigned long long)machine_faults, (unsigned long long)refused_requests,
		(unsigned long long)refused_accesses, (unsigned long long)killed);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], 0, 0) : 1, count = argc > 1 ? 1 : 3;
	uint64_t steps = argc > 2 ? strtoull(argv[2], 0, 0) : 1000;

	for (uint64_t i = 0; i < count; i++)
		for (uint32_t which = 0; which < VARIANTS; which++)
			history((enum variant)which, first + i, steps);
	printf("%llu passed, 0 failed\n", (unsigned long long)(count * VARIANTS));
	return 0;
}
