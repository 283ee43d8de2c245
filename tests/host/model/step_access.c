/*
 * Accesses: by threads, by servers on behalf of a process, to message pages (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "compare.h"
#include "history.h"
#include "intruder.h"
#include "report.h"
#include "sim/processor.h"
#include "steps.h"
#include <faultline/fault.h>
#include <faultline/layout.h>
#include <machine/memory.h>
#include <string.h>

/* ---- stacks ---- */

static bool is_below_stack(const struct process *process, uint32_t place)
{
	return places[place].area == AREA_STACK && place < process->stack &&
	       process->stack < PLACES;
}

static void stack_reaches(struct process *process, uint64_t start)
{
	uint32_t place = area_first[AREA_STACK];

	while (places[place].address < start)
		place++;
	for (uint32_t i = place; i < process->stack; i++)
		process->pages[i] =
			(struct page){ .is_mapped = true, .rights = MAP_READ | MAP_WRITE };
	if (place < process->stack)
		process->stack = place;
}

/* An access below the stack makes it grow, a step at a time. */
static void stack_grew(struct process *process, uint32_t place)
{
	stack_reaches(process, places[place].address & ~(STACK_STEP - 1));
}

/* A refused or postponed access may have made it grow: ask where it begins. */
static void stack_ask(struct process *process, uint32_t place)
{
	const struct machine_answer *answer =
		machine_system(PAGER_MAPS, process->id, places[place].address, 0, 0, 0, 0);
	const struct pager_region *region = (const void *)answer->payload;

	if (answer->status == ST_OK && answer->w[0] != 0)
		stack_reaches(process, region->start);
}

/* ---- threads ---- */

static void choose_access(
	struct random *chance, const struct process *process, uint32_t *place, uint32_t *access)
{
	static const uint32_t kinds[] = { 0, FAULT_WRITE, FAULT_WRITE, 0, FAULT_WRITE,
		FAULT_FETCH };

	*access = kinds[random_below(chance, 6)];
	*place = random_below(chance, PLACES);
	for (uint32_t i = 0; i < 8 && !process->pages[*place].is_mapped; i++)
		*place = random_below(chance, PLACES);
}

static _Noreturn void fail_access(
	const struct process *process, uint32_t place, uint32_t expected, uint32_t reason)
{
	report_fail("process %u place %u: an access ends with reason %u, expected %u",
		process_number(process), place, reason, expected);
}

static void access_done(
	struct process *process, const struct machine_access *access, uint32_t place, uint32_t word)
{
	if (access->access & FAULT_WRITE)
		process_has_written(process, place, word, access->word);
	else if (!process_may_find(process, place, word, access->word))
		report_fail("process %u reads 0x%llx at place %u, word %u (0x%llx)",
			process_number(process), (unsigned long long)access->word, place, word,
			(unsigned long long)places[place].address);
	else
		process_has_found(process, place, word, access->word);
}

/* The pager did not give what the reference says. */
static void access_refused(struct process *process, const struct machine_access *access,
	uint32_t place, uint32_t expected, uint32_t reason)
{
	bool is_refusal =
		reason == REASON_NO_MEMORY || reason == MACHINE_KILLED || reason == MACHINE_WAITS;

	if (is_below_stack(process, place))
		stack_ask(process, place);
	if (reason == MACHINE_WAITS) {
		process->fault_token = access->lost ? TOKEN_GONE : access->token;
		report_say(access->lost ? " (thread lost)" : " (waits)");
	}
	if (access->lost || (is_refusal && history_refuses))
		return;
	if (reason == MACHINE_WAITS && process->pending.kind != PENDING_NONE)
		return;
	fail_access(process, place, expected, reason);
}

static bool is_comparing_all; /* threads are not lost, steps not told */

/* The whole: the pager is asked if need be. */
static void access_place(
	struct random *chance, struct process *process, uint32_t place, uint32_t kind)
{
	uint32_t word = random_below(chance, WORDS), expected, reason;
	bool grows = is_below_stack(process, place);
	struct machine_access access = {
		.processor = history.is_threaded ? random_below(chance, processor_count)
						 : process->processor,
		.space = process->id,
		.address = word_address(place, word),
		.access = kind,
		.word = value_next(),
		.lost = random_below(chance, 400) == 0 && !is_comparing_all,
	};

	report_say(" process %u place %u.%u access %u processor %u", process_number(process), place,
		word, kind, access.processor);
	if (kind & FAULT_WRITE && !process_may_write(process, place, word))
		return;
	if (kind & FAULT_WRITE && page_allows(&process->pages[place], kind))
		page_copy_begin(&process->pages[place]);
	process->is_calling = process->is_faulting = true;
	reason = machine_try(&access);
	process->is_calling = process->is_faulting = false;
	if (grows && reason == REASON_NONE)
		stack_grew(process, place);
	if (grows && reason == REASON_PROTECTION)
		stack_grew(process, place); /* it grew, and is not executable */
	expected = page_reason(&process->pages[place], kind);
	report_say(" -> %u", reason);
	page_copy_end(&process->pages[place]);
	if (reason != expected)
		access_refused(process, &access, place, expected, reason);
	else if (reason == REASON_NONE)
		access_done(process, &access, place, word);
}

/* While a request of the same process is under way: other threads, without the pager's help;
   or the thread itself when its call was cancelled. */
static void access_beside(
	struct random *chance, struct process *process, uint32_t place, uint32_t kind)
{
	uint32_t word = random_below(chance, WORDS);
	uint32_t processor =
		history.is_threaded ? random_below(chance, processor_count) : process->processor;

	if (!process_may_run(process) || machine_space_frame(process->id) == 0)
		return;
	if (kind & FAULT_WRITE && !process_may_write(process, place, word))
		return;
	report_say(" process %u beside its request, place %u.%u access %u", process_number(process),
		place, word, kind);
	(void)process_access_alone(process, processor, place, word, kind);
}

/* The thread of a cancelled call faults while its job goes on: the fault waits. */
static void fault_while_busy(struct random *chance, struct process *process)
{
	uint32_t place = random_below(chance, PLACES);
	struct machine_access access = {
		.processor = process->processor,
		.space = process->id,
		.address = word_address(place, 0),
	};
	uint32_t reason;

	if (!machine_is_busy(process->id) || process->pending.touched[place])
		return;
	process->is_calling = process->is_faulting = true;
	reason = machine_try(&access);
	process->is_calling = process->is_faulting = false;
	report_say(" process %u faults while busy at place %u -> %u", process_number(process),
		place, reason);
	if (reason == MACHINE_WAITS)
		process->fault_token = access.token;
}

/* A thread accesses memory. */
void step_access(struct random *chance)
{
	struct process *process = any_process(chance);
	uint32_t place, kind;

	if (!process) {
		step_create(chance);
		return;
	}
	choose_access(chance, process, &place, &kind);
	if (process->fault_token == 0 && process->pending.kind == PENDING_NONE)
		access_place(chance, process, place, kind);
	else if (process->pending.is_cancelled && process->fault_token == 0 &&
		 random_below(chance, 4) == 0)
		fault_while_busy(chance, process);
	else
		access_beside(chance, process, place, kind);
}

static bool has_place_to_write(const struct process *process, uint32_t place)
{
	return process->is_live && process->fault_token == 0 &&
	       process->pending.kind == PENDING_NONE && place < PLACES;
}

/* A thread writes to one place after the other: windows grow. */
void step_row(struct random *chance)
{
	struct process *process = any_caller(chance);
	uint32_t place = random_below(chance, PLACES), count = 2 + random_below(chance, 30);

	for (; process && count > 0 && has_place_to_write(process, place); count--)
		access_place(chance, process, place++, FAULT_WRITE);
}

/* See the header. */
void access_write(struct random *chance, struct process *process, uint32_t place)
{
	access_place(chance, process, place, FAULT_WRITE);
}

/* See the header. */
void access_all(void)
{
	struct random chance = random_from(history.seed);
	bool tells = report_steps;

	is_comparing_all = true;
	report_steps = false;
	for (uint32_t i = 0; i < PROCESSES; i++)
		for (uint32_t place = 0; place < PLACES; place++) {
			struct process *process = &processes[i];

			if (!process->is_live || process->fault_token != 0 ||
				process->pending.kind != PENDING_NONE)
				break;
			if (is_below_stack(process, place))
				continue;
			access_place(&chance, process, place, 0);
			collect_answers();
		}
	report_steps = tells;
	is_comparing_all = false;
}

/* ---- message pages ---- */

/* Nobody's words are in it but its own. */
static void check_message_page(const struct process *process)
{
	struct look look;

	look_at(process_top(process), LAYOUT_MESSAGE, &look);
	for (uint32_t i = 0; i < 512; i++) {
		uint64_t word = ((const uint64_t *)frame_memory(pte_pfn(look.entry)))[i];

		if (word != 0 && word != process->badge)
			report_fail("process %u finds 0x%llx in its message page",
				process_number(process), (unsigned long long)word);
	}
}

/* A child has none of its parent's. */
void step_message(struct random *chance)
{
	struct process *process = any_caller(chance);
	struct machine_access access = { .address =
						 LAYOUT_MESSAGE + random_below(chance, 512) * 8 };
	uint32_t reason;

	if (!process)
		return;
	access.space = process->id;
	access.processor = process->processor;
	access.access = random_below(chance, 2) ? FAULT_WRITE : 0;
	access.word = process->badge;
	process->is_calling = process->is_faulting = true;
	reason = machine_try(&access);
	process->is_calling = process->is_faulting = false;
	report_say(" process %u access %u -> %u", process_number(process), access.access, reason);
	if (reason == MACHINE_WAITS)
		process->fault_token = access.token;
	if (reason == REASON_NONE)
		check_message_page(process);
	if (reason != REASON_NONE && !history_refuses)
		report_fail("process %u: its message page is refused (%u)", process_number(process),
			reason);
}

/* ---- by servers ---- */

/* The write was refused; the page may have been copied for it all the same. */
static void outside_write_refused(struct page *page)
{
	reference_race_refused();
	if (page->is_shared)
		return;
	page->is_own = false;
	page->is_kept = true;
}

static void write_from_outside(struct process *process, uint32_t place, uint32_t word)
{
	struct page *page = &process->pages[place];
	bool was_own = page->is_own || page->is_shared;
	uint64_t value = value_next();
	const struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_WRITE,
		.w = { process->id, word_address(place, word) },
		.payload = &value,
		.bytes = 8,
	};
	uint32_t reason = page_reason(page, FAULT_WRITE);
	const struct machine_answer *answer;

	if (reason != REASON_NONE) {
		if (machine_call(&request)->status == ST_OK)
			report_fail("a server writes where the process may not");
		return;
	}
	page_keep(page);
	page_copy_begin(page);
	if (page->is_shared) {
		object_may_fill(object_of(page), page->object_page);
		object_is_written(object_of(page), page->object_page, word, value);
	}
	reference_race_begin(page_word(page, word), value);
	answer = machine_call(&request);
	if (!page->is_shared)
		page_make_own(page);
	if (answer_is(answer, ST_OK, "write from outside"))
		reference_race_end(value);
	else if (was_own)
		reference_race_refused();
	else
		outside_write_refused(page);
}

static void read_from_outside(struct process *process, uint32_t place, uint32_t word)
{
	struct page *page = &process->pages[place];
	uint32_t reason = page_reason(page, 0);
	struct choice before = page_contents(page, word);
	const struct machine_answer *answer;
	uint64_t value;

	if (reason == REASON_NONE)
		reference_watch_begin(page_word(page, word));
	answer = machine_system(
		PAGER_SPACE_READ, process->id, word_address(place, word), 8, 0, 0, 0);
	memcpy(&value, answer->payload, 8);
	if (reason != REASON_NONE) {
		if (answer->status == ST_OK)
			report_fail("a server reads where the process may not");
		return;
	}
	if (answer_is(answer, ST_OK, "read from outside") && !choice_allows(&before, value) &&
		!reference_watch_saw(value))
		report_fail("a server reads 0x%llx at place %u of process %u",
			(unsigned long long)value, place, process_number(process));
	reference_watch_end();
}

/* A server reads or writes a word, while the process may run. */
void step_outside(struct random *chance)
{
	struct process *process = any_process(chance);
	uint32_t place = random_below(chance, PLACES), word = random_below(chance, WORDS);
	bool is_write = random_below(chance, 2);

	if (!process || process->pending.kind != PENDING_NONE || is_below_stack(process, place))
		return;
	report_say(" process %u place %u.%u %s", process_number(process), place, word,
		is_write ? "write" : "read");
	if (is_write && process_may_write(process, place, word))
		write_from_outside(process, place, word);
	else if (!is_write)
		read_from_outside(process, place, word);
}
