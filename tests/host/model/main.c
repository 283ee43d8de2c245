/*
 * The model's test program: histories of one variant.
 *
 *	model_VARIANT                                    past failures, then the histories of CI
 *	model_VARIANT SEED [STEPS]                       one history
 *	model_VARIANT SEED STEPS KIND@NUMBER,...         only these steps of it, told one by one
 *	              ... plant=no-flush|no-copy|keep-write
 *
 * A failing history is shrunk; what is printed then replays what is left of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "main.h"

#include "pager_machine.h"
#include "report.h"
#include "steps.h"
#include "trial.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS	       5000u /* of one history */
#define HISTORIES      50u   /* of each variant: 10^6 steps in all */
#define SHRINK_SECONDS 60u
#define CHOSEN_MAX     20000u

static struct chosen chosen[CHOSEN_MAX];
static unsigned passed, failed;
static const char *program;

/* ---- telling of a failure ---- */

/* With kinds: see struct chosen. */
static void print_chosen(void)
{
	for (uint32_t i = 0; i < history.chosen_count; i++) {
		const struct chosen *step = &history.chosen[i];
		uint32_t kind = step->kind != 0 ? step->kind : step_kind_of(step->number);

		printf("%s%s@%u", i == 0 ? "" : ",", step_kind_name(kind), step->number);
	}
}

static const char *const plant_names[] = { "nothing", "no-flush", "no-copy", "keep-write" };

/* The shortest history that fails, and how to have it again. */
static void tell_failure(void)
{
	trial_shrink(SHRINK_SECONDS);
	printf("%u steps are left:\n", history.chosen_count);
	trial_tell();
	printf("replay: %s %llu %u ", program, (unsigned long long)history.seed, history.steps);
	print_chosen();
	if (machine_plant != PLANT_NOTHING)
		printf(" plant=%s", plant_names[machine_plant]);
	printf("\n");
}

/* ---- histories ---- */

static void run_one(const char *why)
{
	static struct trial trial;
	const struct history_counts *counts = &trial.counts;

	trial_run(&trial);
	if (trial.has_failed) {
		failed++;
		printf("FAIL %s %llu (%s)\n%s\n", variant_names[history.variant],
			(unsigned long long)history.seed, why, trial.output);
		tell_failure();
		return;
	}
	passed++;
	printf("ok %s_%llu_%u %llu faults, %llu jobs, %llu intrusions, %llu refused, %llu killed, "
	       "%llu moved\n",
		variant_names[history.variant], (unsigned long long)history.seed,
		history.chosen ? history.chosen_count : history.steps,
		(unsigned long long)counts->faults, (unsigned long long)counts->jobs,
		(unsigned long long)counts->intrusions, (unsigned long long)counts->refused,
		(unsigned long long)counts->killed, (unsigned long long)counts->moved);
	fflush(stdout);
}

static void choose(uint64_t seed, uint32_t steps)
{
	history.seed = seed;
	history.steps = steps;
	history.chosen = NULL;
}

/* "fork@12" or "12", up to the comma. */
static struct chosen parse_step(const char *text)
{
	uint32_t length = (uint32_t)strcspn(text, ",");
	uint32_t name = (uint32_t)strcspn(text, "@,");
	struct chosen step = { 0 };

	if (name < length) {
		step.kind = step_kind_number(text, name);
		text += name + 1;
		if (step.kind == 0) {
			printf("no such kind of step\n");
			exit(2);
		}
	}
	step.number = (uint32_t)strtoul(text, 0, 10);
	return step;
}

/* "access@3,fork@7": the steps to do. */
static void choose_steps(const char *list)
{
	uint32_t count = 0;

	while (*list != 0 && count < CHOSEN_MAX) {
		chosen[count++] = parse_step(list);
		list += strcspn(list, ",");
		list += *list == ',';
	}
	history.chosen = chosen;
	history.chosen_count = count;
}

/* Past failures: see the file. */
static void run_past(void)
{
	static const struct past {
		enum variant variant;
		uint64_t seed;
		uint32_t steps;
		const char *only, *found;
	} past[] = {
#include "seeds.h"
	};

	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
		if (past[i].variant != history.variant)
			continue;
		choose(past[i].seed, past[i].steps);
		if (past[i].only)
			choose_steps(past[i].only);
		run_one(past[i].found);
	}
}

static bool take_plant(const char *argument)
{
	if (strncmp(argument, "plant=", 6) != 0)
		return false;
	for (uint32_t i = 0; i < sizeof(plant_names) / sizeof(plant_names[0]); i++)
		if (strcmp(argument + 6, plant_names[i]) == 0)
			machine_plant = (enum machine_plant)i;
	return true;
}

static void run_named(int argc, char **argv)
{
	choose(strtoull(argv[1], 0, 0), argc > 2 ? (uint32_t)strtoul(argv[2], 0, 0) : STEPS);
	if (argc > 3) {
		choose_steps(argv[3]);
		trial_tell();
	}
	run_one("named");
}

/* See the header. */
int model_main(enum variant variant, int argc, char **argv)
{
	program = argv[0];
	history.variant = variant;
	if (argc > 1 && take_plant(argv[argc - 1]))
		argc--;
	if (argc > 1) {
		run_named(argc, argv);
	} else {
		run_past();
		for (uint64_t seed = 1; seed <= HISTORIES && failed == 0; seed++) {
			choose(seed, STEPS);
			run_one("one of the fixed set");
		}
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
