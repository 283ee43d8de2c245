/*
 * Histories (model: history.h).
 *
 * After each step every page that is there is compared, in all processes; what processors remember,
 * of the process that the step was about.  At intervals everything is, with all counts, by our
 * own walk and by the checks of kernel and pager.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "history.h"

#include "compare.h"
#include "frame.h"
#include "holders.h"
#include "intruder.h"
#include "outsider.h"
#include "pager_machine.h"
#include "random.h"
#include "report.h"
#include "sim/processor.h"
#include "sim/sim.h"
#include "steps.h"
#include <string.h>

#define FRAMES_PLENTY 2600u
#define FRAMES_SCARCE 330u
#define CHECK_EVERY   64u   /* steps: everything is walked */
#define ACCESS_EVERY  1024u /* steps: every page is accessed */

const char *const variant_names[VARIANTS] = { "plenty", "refusing", "scarce", "limited" };
struct history history;
uint32_t history_step;
bool history_refuses;
struct history_counts history_counts;

/* See the header. */
bool history_may_refuse(void)
{
	return history.variant != PLENTY;
}

/* ---- refusals ---- */

static void hook(uint64_t which, uint64_t value)
{
	machine_system(PAGER_TRAP_TEST, which, value, 0, 0, 0, 0);
}

static void begin_refusals(struct random *chance)
{
	history_refuses = history.variant == SCARCE;
	if (history.variant == REFUSING && random_below(chance, 4) == 0) {
		history_refuses = true;
		hook(PAGER_HOOK_FAIL_FRAMES, 1 + random_below(chance, 4));
		if (random_below(chance, 4) == 0)
			machine_fail_heap(1 + random_below(chance, 2));
	}
	if (history.variant == LIMITED && random_below(chance, 8) == 0) {
		history_refuses = true;
		frame_refs_limit = 1 + random_below(chance, 4);
	}
}

static void end_refusals(void)
{
	if (history.variant == REFUSING && history_refuses) {
		hook(PAGER_HOOK_FAIL_FRAMES, 0);
		machine_fail_heap(0);
	}
	frame_refs_limit = UINT32_MAX;
	history_refuses = history.variant == SCARCE;
}

/* ---- comparing ---- */

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static bool is_comparable(const struct process *process)
{
	return process->is_live && machine_space_frame(process->id) != 0;
}

static void compare_everything(void)
{
	struct pager_stat stat = stats();

	for (uint32_t i = 0; i < PROCESSES; i++) {
		if (!is_comparable(&processes[i]))
			continue;
		compare_process(&processes[i]);
		compare_caches(&processes[i]);
	}
	holders_check(stat.frames_free, stat.spaces, stat.jobs == 0);
	machine_check();
}

/* Every page of every process; what processors remember, of the one that the step was about and
   of one after the other. */
static void compare_touched(void)
{
	for (uint32_t i = 0; i < PROCESSES; i++) {
		if (!is_comparable(&processes[i]))
			continue;
		compare_process(&processes[i]);
		if (i == history_step % PROCESSES || &processes[i] == last_process)
			compare_caches(&processes[i]);
	}
}

/* ---- a whole history ---- */

static void one_step(uint32_t kind)
{
	uint64_t seed = history.seed * 0x9e3779b97f4a7c15ull + history_step;
	struct random chance = random_from(seed);

	processors_disturb(random_next(&chance));
	intruder_begin_step(seed);
	begin_refusals(&chance);
	step_run(history_step, kind);
	collect_answers();
	end_refusals();
	compare_touched();
	if (history_step % CHECK_EVERY == CHECK_EVERY - 1)
		compare_everything();
	if (history_step % ACCESS_EVERY == ACCESS_EVERY - 1)
		access_all();
}

/* Frames that nobody has used yet are full of words that nobody may find. */
static void soil_frames(void)
{
	for (pfn_t pfn = SIM_FIRST_FREE; pfn < frame_count; pfn++)
		if (frame_table[pfn].type == FRAME_DATA && frame_table[pfn].refs == 0)
			memset(frame_memory(pfn), 0x5a, PAGE_SIZE);
}

static void start(void)
{
	uint32_t frames = history.variant == SCARCE ? FRAMES_SCARCE : FRAMES_PLENTY;
	uint32_t end = frames - OUTSIDER_FRAMES;

	machine_watch = (struct machine_watch){ 0 };
	machine_shoots_down = history.is_threaded;
	machine_start_without(frames, OUTSIDER_FRAMES);
	places_start();
	reference_start();
	soil_frames();
	intruder_start();
	outsider_start(end);
	holders_start(frames, end);
	machine_watch = (struct machine_watch){ intruder_run, holders_before, holders_after };
}

/* Everything ends, and every frame is back. */
static void finish(uint64_t frames)
{
	history_refuses = history.variant == SCARCE;
	machine_settle();
	collect_answers();
	access_all();
	compare_everything();
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (processes[i].is_live)
			process_destroy(&processes[i]);
	for (uint32_t i = 0; i < OBJECTS; i++)
		if (objects[i].id != 0)
			machine_system(PAGER_OBJECT_DESTROY, objects[i].id, 0, 0, 0, 0, 0);
	machine_settle();
	compare_everything();
	if (stats().frames_free != frames)
		report_fail("frames leaked: %u were free, %u are", (uint32_t)frames,
			(uint32_t)stats().frames_free);
}

/* See the header. */
void history_run(void)
{
	uint64_t frames;

	history.is_threaded = history.seed % 2;
	history_counts = (struct history_counts){ 0 };
	start();
	frames = stats().frames_free;
	if (history.chosen)
		for (uint32_t i = 0; i < history.chosen_count; i++) {
			history_step = history.chosen[i].number;
			one_step(history.chosen[i].kind);
		}
	else
		for (history_step = 0; history_step < history.steps; history_step++)
			one_step(0);
	finish(frames);
	history_counts.faults = machine_faults;
}
