/*
 * Files: made, written, read and ended by a server, while others have them mapped (model: steps.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "history.h"
#include "intruder.h"
#include "report.h"
#include "steps.h"
#include <stddef.h>
#include <string.h>

#define FILES_MAX 4u

/* See steps.h. */
struct object *any_file(struct random *chance)
{
	uint32_t start = random_below(chance, OBJECTS);

	for (uint32_t i = 0; i < OBJECTS; i++) {
		struct object *object = &objects[(start + i) % OBJECTS];

		if (object->is_used && object->id != 0)
			return object;
	}
	return NULL;
}

static uint32_t file_count(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < OBJECTS; i++)
		count += objects[i].id != 0;
	return count;
}

/* A file full of holes. */
void step_object_create(struct random *chance)
{
	uint32_t pages = 1 + random_below(chance, OBJECT_PAGES);
	const struct machine_answer *answer;
	struct object *object;

	if (file_count() == FILES_MAX)
		return;
	answer = machine_system(PAGER_OBJECT_CREATE, pages * 4096ull, 0, 0, 0, 0, 0);
	if (!answer_is(answer, ST_OK, "create a file"))
		return;
	object = object_take(pages);
	if (!object)
		report_fail("the model has no room for a file");
	object->is_file = true;
	object->id = answer->w[0];
	report_say(" object %u of %u pages", (uint32_t)(object - objects), pages);
}

/* One word. */
void step_object_write(struct random *chance)
{
	struct object *object = any_file(chance);
	uint32_t word = random_below(chance, WORDS), page;
	uint64_t value = value_next();
	struct choice *target;
	struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_OBJECT_WRITE,
		.payload = &value,
		.bytes = 8,
	};

	if (!object) {
		step_object_create(chance);
		return;
	}
	page = random_below(chance, object->pages);
	target = &object->value[page][word];
	report_say(" object %u page %u.%u", (uint32_t)(object - objects), page, word);
	if (!choice_has_room(target))
		return;
	request.w[0] = object->id;
	request.w[1] = page * 4096ull + word * 4088;
	object_may_fill(object, page);
	object_is_written(object, page, word, value);
	reference_race_begin(target, value);
	if (answer_is(machine_call(&request), ST_OK, "write a file")) {
		object_fill(object, page);
		reference_race_end(value);
	} else {
		reference_race_refused();
	}
}

/* One word. */
void step_object_read(struct random *chance)
{
	struct object *object = any_file(chance);
	uint32_t word = random_below(chance, WORDS), page;
	const struct machine_answer *answer;
	struct choice before;
	uint64_t value;

	if (!object)
		return;
	page = random_below(chance, object->pages);
	before = object->value[page][word];
	report_say(" object %u page %u.%u", (uint32_t)(object - objects), page, word);
	reference_watch_begin(&object->value[page][word]);
	answer = machine_system(
		PAGER_OBJECT_READ, object->id, page * 4096ull + word * 4088, 8, 0, 0, 0);
	memcpy(&value, answer->payload, 8);
	if (answer_is(answer, ST_OK, "read a file") && !choice_allows(&before, value) &&
		!reference_watch_saw(value))
		report_fail("a file's page %u reads 0x%llx", page, (unsigned long long)value);
	reference_watch_end();
}

/* Its name goes; who has it mapped keeps it. */
void step_object_destroy(struct random *chance)
{
	struct object *object = any_file(chance);
	const struct machine_answer *answer;

	if (!object)
		return;
	report_say(" object %u", (uint32_t)(object - objects));
	answer = machine_system(PAGER_OBJECT_DESTROY, object->id, 0, 0, 0, 0, 0);
	if (!answer_is(answer, ST_OK, "destroy a file"))
		return;
	object->id = 0;
}
