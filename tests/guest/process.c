/*
 * Processes: exit, wait, kill, orphans, zombies.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

static volatile uint32_t *gate;

static void open_gate(void)
{
	gate = (volatile uint32_t *)shared_pages(1);
	for (int i = 0; i < 8; i++)
		gate[i] = 0;
}

static void exit_with(void *status)
{
	_exit((int)(intptr_t)status);
}

static void wait_for_ever(void *argument)
{
	(void)argument;
	if (gate)
		gate[0] = 1;
	for (;;)
		sleep(1000);
}

static void spin_for_ever(void *argument)
{
	(void)argument;
	gate[0] = 1;
	for (;;)
		__asm__ volatile("pause");
}

static void exit_statuses(void)
{
	static const int values[] = {0, 1, 2, 42, 127, 128, 255};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int status = child_status(exit_with, (void *)(intptr_t)values[i]);

		CHECK(WIFEXITED(status));
		CHECK_EQUAL(WEXITSTATUS(status), values[i]);
	}
	CHECK_EQUAL(child_status(exit_with, (void *)0x1ff05), PROC_STATUS_EXIT(5));
}

static volatile uint8_t *at_exit_page;

static void at_exit(void)
{
	*at_exit_page = 77;
}

static void exit_runs_handlers(void *argument)
{
	(void)argument;
	atexit(at_exit);
	exit(3);
}

static void exit_handlers_run(void)
{
	at_exit_page = shared_pages(1);
	CHECK_EQUAL(child_status(exit_runs_handlers, NULL), PROC_STATUS_EXIT(3));
	CHECK_EQUAL(*at_exit_page, 77);
}

static void wait_without_children(void)
{
	int status;

	CHECK_ERRNO(wait(&status), ECHILD);
	CHECK_ERRNO(waitpid(-1, &status, WNOHANG), ECHILD);
	CHECK_ERRNO(waitpid(getppid(), &status, 0), ECHILD); /* not a child */
	CHECK_ERRNO(waitpid(1 << 21, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
}

static void wait_refuses_bad_arguments(void)
{
	int status;

	CHECK_ERRNO(waitpid(0, &status, 0), EINVAL);
	CHECK_ERRNO(waitpid(-2, &status, 0), EINVAL);
	CHECK_ERRNO(waitpid(-1, &status, 0x1000), EINVAL);
}

static void wait_takes_each_child_once(void)
{
	bool is_seen[10] = {0};

	for (intptr_t i = 0; i < 10; i++)
		child_start(exit_with, (void *)i);
	for (int i = 0; i < 10; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 10 && !is_seen[WEXITSTATUS(status)]);
		is_seen[WEXITSTATUS(status)] = true;
	}
	CHECK_ERRNO(wait(NULL), ECHILD);
}

static void wait_for_a_certain_child(void)
{
	pid_t children[5];

	for (intptr_t i = 0; i < 5; i++)
		children[i] = child_start(exit_with, (void *)(i + 1));
	for (int i = 4; i >= 0; i--)
		CHECK_EQUAL(child_wait(children[i]), PROC_STATUS_EXIT(i + 1));
	CHECK_ERRNO(waitpid(children[0], NULL, 0), ECHILD);
}

static void exit_at_gate(void *argument)
{
	(void)argument;
	wait_until(&gate[0], 1);
	_exit(9);
}

static void looking_does_not_wait(void)
{
	pid_t child;
	int status = -1, turns = 0;

	open_gate();
	child = child_start(exit_at_gate, NULL);
	CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQUAL(waitpid(-1, &status, WNOHANG), 0);
	CHECK_EQUAL(status, -1);
	gate[0] = 1;
	while (waitpid(child, &status, WNOHANG) == 0 && turns++ < 10000)
		usleep(1000);
	CHECK_EQUAL(status, PROC_STATUS_EXIT(9));
	CHECK_ERRNO(waitpid(child, &status, WNOHANG), ECHILD);
}

/* The parent waits first, then the child ends; and the other way round. */
static void waiting_before_and_after_the_end(void)
{
	struct proc_entry entry;
	pid_t child;
	int turns = 0;

	open_gate();
	gate[0] = 1;
	CHECK_EQUAL(child_status(exit_at_gate, NULL), PROC_STATUS_EXIT(9));
	child = child_start(exit_at_gate, NULL);
	do {
		usleep(1000);
		CHECK(process_find(child, &entry));
	} while (entry.state != PROC_ZOMBIE && turns++ < 10000);
	CHECK_EQUAL(entry.status, PROC_STATUS_EXIT(9));
	CHECK_EQUAL(entry.parent, getpid());
	CHECK_EQUAL(child_wait(child), PROC_STATUS_EXIT(9));
	CHECK(!process_find(child, &entry));
}

/* A zombie holds no memory. */
static void zombies_hold_no_memory(void)
{
	pid_t children[10];
	uint64_t before;

	child_finish(child_start(load_child, &children));
	before = frames_free();
	for (int i = 0; i < 10; i++)
		children[i] = child_start(exit_with, NULL);
	usleep(50000);
	CHECK((int64_t)(before - frames_free()) <= 4); /* what our own writes copied */
	for (int i = 0; i < 10; i++)
		child_finish(children[i]);
}

static void kill_a_sleeper(void)
{
	pid_t child;

	open_gate();
	child = child_start(wait_for_ever, NULL);
	wait_until(&gate[0], 1);
	CHECK_EQUAL(kill(child, 0), 0); /* it is there */
	CHECK_EQUAL(kill(child, SIGKILL), 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
	CHECK_ERRNO(kill(child, SIGKILL), ESRCH);
}

static void kill_a_spinner(void)
{
	pid_t child;

	open_gate();
	child = child_start(spin_for_ever, NULL);
	wait_until(&gate[0], 1);
	CHECK_EQUAL(kill(child, SIGTERM), 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGTERM));
}

/* Every way to be stopped in the middle of something: each end is clean. */
static void touch_for_ever(void *argument)
{
	volatile uint8_t *pages = argument;

	gate[0] = 1;
	for (uint8_t round = 0;; round++)
		for (size_t i = 0; i < 256; i++)
			pages[PAGES(i)] = round;
}

static void kill_in_the_middle_of_faults(void)
{
	volatile uint8_t *pages = private_pages(256);

	open_gate();
	for (size_t i = 0; i < 256; i++)
		pages[PAGES(i)] = 1;
	for (unsigned round = 0; round < 20; round++) {
		pid_t child;

		gate[0] = 0;
		child = child_start(touch_for_ever, (void *)(uintptr_t)pages);
		wait_until(&gate[0], 1);
		usleep(round * 100);
		CHECK_EQUAL(kill(child, SIGKILL), 0);
		CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
	}
	for (size_t i = 0; i < 256; i++)
		CHECK_EQUAL(pages[PAGES(i)], 1);
}

static void fork_for_ever(void *argument)
{
	(void)argument;
	gate[0] = 1;
	for (;;) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (child > 0)
			waitpid(child, NULL, 0);
	}
}

static void kill_in_the_middle_of_forks(void)
{
	open_gate();
	for (unsigned round = 0; round < 15; round++) {
		pid_t child;

		gate[0] = 0;
		child = child_start(fork_for_ever, NULL);
		wait_until(&gate[0], 1);
		usleep(500 + round * 170);
		CHECK_EQUAL(kill(child, SIGKILL), 0);
		CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
		orphans_wait();
	}
}

static void kill_a_parent_that_waits(void *argument)
{
	(void)argument;
	gate[1] = (uint32_t)child_start(wait_for_ever, NULL);
	wait(NULL);
}

static void kill_a_waiting_parent(void)
{
	pid_t child;

	open_gate();
	child = child_start(kill_a_parent_that_waits, NULL);
	wait_until(&gate[0], 1);
	CHECK_EQUAL(kill(child, SIGKILL), 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
	CHECK_EQUAL(kill((pid_t)gate[1], 0), 0); /* the grandchild lives */
	CHECK_EQUAL(kill((pid_t)gate[1], SIGKILL), 0);
	orphans_wait();
}

static void kill_itself(void *argument)
{
	(void)argument;
	kill(getpid(), SIGINT);
	_exit(1);
}

static void kill_oneself(void)
{
	CHECK_KILLED(kill_itself, NULL, SIGINT);
}

static void raise_a_signal(void *argument)
{
	raise((int)(intptr_t)argument);
	_exit(1);
}

static void raising_signals(void)
{
	CHECK_KILLED(raise_a_signal, (void *)SIGTERM, SIGTERM);
	CHECK_KILLED(raise_a_signal, (void *)SIGABRT, SIGABRT);
}

static void kill_refuses_bad_arguments(void)
{
	CHECK_ERRNO(kill(1 << 21, SIGKILL), ESRCH);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_ERRNO(kill(getpid(), 1000), EINVAL);
	CHECK_EQUAL(kill(getpid(), 0), 0);
}

static void tell_parent(void *argument)
{
	(void)argument;
	gate[0] = (uint32_t)getppid();
	wait_until(&gate[1], 1);
	gate[2] = (uint32_t)getppid();
	gate[3] = 1;
}

static void leave_child_behind(void *argument)
{
	child_start(tell_parent, argument);
	while (!gate[0])
		usleep(1000);
}

/* An orphan lives on, has no parent any more, and leaves no zombie. */
static void orphans_live_on(void)
{
	pid_t child;

	open_gate();
	child = child_start(leave_child_behind, NULL);
	child_finish(child);
	CHECK_EQUAL(gate[0], child);
	gate[1] = 1;
	wait_until(&gate[3], 1);
	CHECK(gate[2] != (uint32_t)child);
	orphans_wait();
}

static void leave_zombies_behind(void *argument)
{
	struct proc_entry entry;
	pid_t last = 0;

	(void)argument;
	for (int i = 0; i < 5; i++)
		last = child_start(exit_with, NULL);
	do
		usleep(1000);
	while (process_find(last, &entry) && entry.state != PROC_ZOMBIE);
}

static void zombies_go_with_their_parent(void)
{
	unsigned before = process_count();

	child_run(leave_zombies_behind, NULL);
	CHECK_EQUAL(process_count(), before);
}

static void list_shows_the_family(void)
{
	struct proc_entry entry;
	pid_t child;

	open_gate();
	child = child_start(wait_for_ever, NULL);
	wait_until(&gate[0], 1);
	CHECK(process_find(child, &entry));
	CHECK_EQUAL(entry.parent, getpid());
	CHECK(entry.state == PROC_RUNNING);
	CHECK(!strncmp(entry.name, "tests", 5));
	CHECK(entry.space != 0);
	CHECK_EQUAL(kill(child, SIGKILL), 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
	CHECK(!process_find(child, &entry));
}

static void time_passes(void)
{
	struct pager_stat stat;

	CHECK_EQUAL(usleep(20000), 0);
	CHECK_EQUAL(system_pager_stat(&stat), 0);
	CHECK(stat.frames_total >= stat.frames_free && stat.frames_free > 0);
}

/* A process that never gives up the processor does not keep others from it. */
static void spinner_is_preempted(void)
{
	pid_t child;

	open_gate();
	child = child_start(spin_for_ever, NULL);
	wait_until(&gate[0], 1);
	for (int i = 0; i < 5; i++)
		child_run(load_child, (void *)(uintptr_t)gate);
	CHECK_EQUAL(kill(child, SIGKILL), 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
}

const struct test tests_process[] = {
	TEST(exit_statuses),
	TEST(exit_handlers_run),
	TEST(wait_without_children),
	TEST(wait_refuses_bad_arguments),
	TEST(wait_takes_each_child_once),
	TEST(wait_for_a_certain_child),
	TEST(looking_does_not_wait),
	TEST(waiting_before_and_after_the_end),
	TEST(zombies_hold_no_memory),
	TEST(kill_a_sleeper),
	TEST(kill_a_spinner),
	TEST(kill_in_the_middle_of_faults),
	TEST(kill_in_the_middle_of_forks),
	TEST(kill_a_waiting_parent),
	TEST(kill_oneself),
	TEST(raising_signals),
	TEST(kill_refuses_bad_arguments),
	TEST(orphans_live_on),
	TEST(zombies_go_with_their_parent),
	TEST(list_shows_the_family),
	TEST(time_passes),
	TEST(spinner_is_preempted),
	{0},
};
