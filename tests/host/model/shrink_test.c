/*
 * Does the model find faults, and does shrinking leave what matters?
 *
 * Faults are planted in the machine (pager_machine.h); a history must fail, a few steps be left of
 * it, which fail again by themselves; and without the fault the same steps must pass.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include "trial.h"

#define STEPS	       3000u
#define SHRINK_SECONDS 60u
#define STEPS_LEFT     12u

static struct trial trial;

static void find_and_shrink(enum machine_plant plant, uint64_t seed)
{
	machine_plant = plant;
	history = (struct history){ .variant = PLENTY, .seed = seed, .steps = STEPS };
	trial_run(&trial);
	CHECK(trial.has_failed);
	trial_shrink(SHRINK_SECONDS);
	CHECK(history.chosen_count > 1);
	CHECK(history.chosen_count <= STEPS_LEFT);
	trial_run(&trial);
	CHECK(trial.has_failed);
	machine_plant = PLANT_NOTHING;
	trial_run(&trial);
	CHECK(!trial.has_failed);
}

static void test_forgotten_flush_is_found_and_shrunk(void)
{
	find_and_shrink(PLANT_NO_FLUSH, 2);
	find_and_shrink(PLANT_NO_FLUSH, 3);
}

static void test_forgotten_copy_is_found_and_shrunk(void)
{
	find_and_shrink(PLANT_NO_COPY, 2);
}

static void test_right_kept_by_fork_is_found_and_shrunk(void)
{
	find_and_shrink(PLANT_KEEP_WRITE, 3);
}

/* The same steps do the same. */
static void test_history_can_be_replayed(void)
{
	struct history_counts first;

	history = (struct history){ .variant = PLENTY, .seed = 5, .steps = 600 };
	trial_run(&trial);
	CHECK(!trial.has_failed);
	first = trial.counts;
	trial_run(&trial);
	CHECK(!trial.has_failed);
	CHECK(memcmp(&first, &trial.counts, sizeof(first)) == 0);
	CHECK(first.faults != 0 && first.intrusions != 0);
}

static const struct check_test tests[] = {
	CHECK_TEST(forgotten_flush_is_found_and_shrunk),
	CHECK_TEST(forgotten_copy_is_found_and_shrunk),
	CHECK_TEST(right_kept_by_fork_is_found_and_shrunk),
	CHECK_TEST(history_can_be_replayed),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), 0, 0, argc, argv);
}
