/*
 * The kinds of steps (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "steps.h"

#include "history.h"
#include "report.h"
#include <string.h>

static const struct step_kind {
	const char *name;
	uint32_t weight;
	step_function_t *run;
} kinds[] = {
	{ "access", 420, step_access },
	{ "row", 20, step_row },
	{ "message", 15, step_message },
	{ "outside", 60, step_outside },
	{ "map", 80, step_map },
	{ "map-file", 50, step_map_file },
	{ "unmap", 40, step_unmap },
	{ "protect", 60, step_protect },
	{ "break", 30, step_break },
	{ "remap", 50, step_remap },
	{ "advise", 40, step_advise },
	{ "cancel", 10, step_cancel },
	{ "slice", 50, step_slice },
	{ "settle", 6, step_settle },
	{ "create", 20, step_create },
	{ "fork", 60, step_fork },
	{ "destroy", 30, step_destroy },
	{ "migrate-thread", 20, step_migrate_thread },
	{ "object-create", 6, step_object_create },
	{ "object-write", 30, step_object_write },
	{ "object-read", 10, step_object_read },
	{ "object-destroy", 5, step_object_destroy },
	{ "replace", 30, step_replace },
	{ "forbid", 20, step_forbid },
	{ "hold", 20, step_hold },
	{ "harvest", 15, step_harvest },
	{ "outsider", 50, step_outsider },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint32_t choose_kind(struct random *chance)
{
	uint32_t sum = 0, at;

	for (uint32_t i = 0; i < KINDS; i++)
		sum += kinds[i].weight;
	at = random_below(chance, sum);
	for (uint32_t i = 0;; i++) {
		if (at < kinds[i].weight)
			return i + 1;
		at -= kinds[i].weight;
	}
}

static struct random stream_of(uint32_t number)
{
	return random_from(history.seed * 1000003 + history.variant * 7 + ((uint64_t)number << 40));
}

/* See the header. */
uint32_t step_kind_of(uint32_t number)
{
	struct random chance = stream_of(number);

	return choose_kind(&chance);
}

/* See the header. */
const char *step_kind_name(uint32_t kind)
{
	return kinds[kind - 1].name;
}

/* See the header. */
uint32_t step_kind_number(const char *name, uint32_t length)
{
	for (uint32_t i = 0; i < KINDS; i++)
		if (strlen(kinds[i].name) == length && memcmp(kinds[i].name, name, length) == 0)
			return i + 1;
	return 0;
}

/* See the header. */
void step_run(uint32_t number, uint32_t kind)
{
	struct random chance = stream_of(number);
	uint32_t listed = choose_kind(&chance);
	const struct step_kind *step = &kinds[(kind != 0 ? kind : listed) - 1];

	report_say("%6u %s:", number, step->name);
	step->run(&chance);
	report_say("\n");
}
