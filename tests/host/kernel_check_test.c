/*
 * Tests of the kernel's checks of its objects: every rule of kernel_ok() beyond those of the frame table
 * (frame_test.c) is broken once, by hand, in each way that the check tells apart, and must be reported
 * by its number; put right again nothing is reported.
 *
 * The picture: the root task's thread receives at port TWO, the threads FIRST and
 * SECOND wait in the queue of port ONE, RUNNING runs, READY may run after it, IDLE is stopped.
 *
 * Usage: kernel_check [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "debug.h"
#include "kernel_machine.h"
#include "list.h"
#include "pool.h"
#include "sched.h"

enum {
	ONE = MACHINE_FIRST_FREE,
	TWO,
	FIRST,
	SECOND,
	READY,
	RUNNING,
	IDLE,
	IDLE_PAGE,
	SPARE,
	FRAMES = 256
};
enum { SLOT_ONE = 1, SLOT_TWO };

#define LOW	20u
#define LOWER	10u
#define OF_POOL 5u /* a number that no pool has */

static void op(uint32_t code, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b)
{
	CHECK_EQUAL(machine_operate(op_head(code, 0, pfn, index, 1), a, b), ST_OK);
}

static void make_thread(pfn_t pfn, uint64_t priority)
{
	op(OP_THREAD_CREATE, pfn, 0, MACHINE_ROOT_SPACE, priority);
	op(OP_THREAD_SET, pfn, THREAD_FIELD_START, LAYOUT_USER_TEXT, LAYOUT_STACK_TOP);
}

static uint32_t rule(void)
{
	pfn_t where;

	return kernel_ok(&where);
}

static void make_picture(void)
{
	machine_start(FRAMES, 0);
	op(OP_PORT_CREATE, ONE, SLOT_ONE, 0, 0);
	op(OP_PORT_CREATE, TWO, SLOT_TWO, 0, 0);
	make_thread(FIRST, LOW);
	make_thread(SECOND, LOW);
	make_thread(RUNNING, LOWER);
	make_thread(READY, LOWER - 1);
	make_thread(IDLE, LOW);
	op(OP_RETYPE, IDLE_PAGE, 0, FRAME_MSG, 0);
	op(OP_THREAD_SET, IDLE, THREAD_FIELD_MESSAGE, IDLE_PAGE, 0);
	op(OP_THREAD_START, FIRST, 0, 0, 0);
	op(OP_THREAD_START, SECOND, 0, 0, 0);
	op(OP_THREAD_START, RUNNING, 0, 0, 0);
	op(OP_THREAD_START, READY, 0, 0, 0);
	machine_call_with(CALL_REPLY_RECEIVE, SLOT_TWO | RR_RECEIVE, 0, 0);
	for (pfn_t caller = FIRST; caller <= SECOND; caller++) {
		CHECK_EQUAL(machine_running(), caller);
		machine_call_with(CALL_CALL, SLOT_ONE, 1, 0);
	}
	CHECK_EQUAL(machine_running(), RUNNING);
	CHECK_EQUAL(rule(), 0);
}

static void end_picture(void)
{
	CHECK_EQUAL(rule(), 0);
	machine_stop();
}

/* With another value there the rule is broken, with the old one no rule. */
#define BROKEN(place, value, wanted)                    \
	do {                                            \
		__typeof__(place) broken_old = (place); \
		(place) = (__typeof__(place))(value);   \
		CHECK_EQUAL(rule(), wanted);            \
		(place) = broken_old;                   \
		CHECK_EQUAL(rule(), 0);                 \
	} while (0)

static struct link *neighbour_of(pfn_t thread)
{
	return thread_of(thread)->link.next;
}

/* ---- the queues of those that may run ---- */

static void test_a_thread_in_a_ready_queue_is_ready_and_of_that_priority(void)
{
	BROKEN(thread_of(READY)->state, THREAD_STOPPED, RULE_READY_QUEUES);
	BROKEN(thread_of(READY)->effective, LOW, RULE_READY_QUEUES);
	BROKEN(neighbour_of(READY)->prev, &thread_of(IDLE)->link, RULE_READY_QUEUES);
}

static void test_an_empty_ready_queue_is_marked_so(void)
{
	struct link *link = &thread_of(READY)->link, *head = link->next;

	head->next = head->prev = head;
	CHECK_EQUAL(rule(), RULE_READY_QUEUES);
	head->next = head->prev = link;
}

/* ---- threads ---- */

static void test_a_thread_has_a_space_that_lists_it(void)
{
	struct link *link = &thread_of(IDLE)->space_link;

	BROKEN(thread_of(IDLE)->space, (struct space *)(void *)port_of(ONE), RULE_THREAD_SPACE);
	BROKEN(link->next->prev, link->prev, RULE_THREAD_SPACE);
	link->prev->next = link->next;
	link->next->prev = link->prev;
	CHECK_EQUAL(rule(), RULE_THREAD_SPACE); /* it is not in the list */
	link->prev->next = link;
	CHECK_EQUAL(rule(), RULE_THREAD_SPACE); /* it is, one way */
	link->next->prev = link;
}

static void test_a_space_lists_its_own_threads_and_has_a_top(void)
{
	BROKEN(space_of(MACHINE_ROOT_SPACE)->top, SPARE, RULE_THREAD_SPACE);
}

static void test_a_thread_that_rests_is_in_no_list(void)
{
	struct link other = { &thread_of(IDLE)->link, &thread_of(IDLE)->link };
	struct link *link = &thread_of(IDLE)->link;

	BROKEN(link->next, &thread_of(READY)->link, RULE_THREAD_STATE);
	BROKEN(link->prev, &thread_of(READY)->link, RULE_THREAD_STATE);
	link->next = link->prev = &other;
	CHECK_EQUAL(rule(), RULE_THREAD_STATE);
	thread_of(IDLE)->state = THREAD_PARKED;
	CHECK_EQUAL(rule(), RULE_THREAD_STATE);
	list_init(link);
	CHECK_EQUAL(rule(), 0);
	thread_of(IDLE)->state = THREAD_STOPPED;
}

static void test_a_thread_that_waits_has_a_live_port_and_no_other_has(void)
{
	BROKEN(thread_of(IDLE)->port, port_of(ONE), RULE_THREAD_STATE);
	BROKEN(thread_of(IDLE)->state, THREAD_QUEUED, RULE_THREAD_STATE);
	BROKEN(thread_of(IDLE)->state, THREAD_SERVED, RULE_THREAD_STATE);
	BROKEN(thread_of(IDLE)->state, THREAD_RECEIVING, RULE_THREAD_STATE);
	BROKEN(thread_of(IDLE)->state, THREAD_PARKED + 1, RULE_THREAD_STATE);
}

static void test_a_message_page_is_held_by_its_thread_alone(void)
{
	BROKEN(thread_of(IDLE)->message, SPARE, RULE_MESSAGE_PAGE);
	BROKEN(frame_table[IDLE_PAGE].holds, 2, RULE_MESSAGE_PAGE);
}

/* ---- ports ---- */

static void test_a_caller_is_queued_at_its_port_by_its_priority(void)
{
	BROKEN(thread_of(FIRST)->state, THREAD_SERVED, RULE_PORT_QUEUE);
	BROKEN(thread_of(FIRST)->port, port_of(TWO), RULE_PORT_QUEUE);
	BROKEN(thread_of(SECOND)->port, NULL, RULE_PORT_QUEUE);
	BROKEN(neighbour_of(FIRST)->prev, neighbour_of(SECOND), RULE_PORT_QUEUE);
	BROKEN(port_of(ONE)->queued_priorities, 0, RULE_PORT_QUEUE);
	BROKEN(port_of(TWO)->queued_priorities, 1, RULE_PORT_QUEUE);
}

static void test_a_receiver_receives_at_its_port(void)
{
	BROKEN(thread_of(MACHINE_ROOT_THREAD)->state, THREAD_QUEUED, RULE_PORT_QUEUE);
	BROKEN(thread_of(MACHINE_ROOT_THREAD)->port, port_of(ONE), RULE_PORT_QUEUE);
}

/* Whoever is in the lists of those served waits to be served. */
static void test_a_caller_that_is_served_is_in_such_a_list(void)
{
	struct link *lists[] = { &port_of(ONE)->served, &port_of(ONE)->cancels };

	for (uint32_t i = 0; i < 2; i++) {
		list_append(lists[i], &thread_of(IDLE)->link);
		CHECK_EQUAL(rule(), RULE_PORT_QUEUE);
		thread_of(IDLE)->state = THREAD_SERVED;
		thread_of(IDLE)->port = port_of(ONE);
		CHECK_EQUAL(rule(), 0);
		list_remove(&thread_of(IDLE)->link);
		thread_of(IDLE)->state = THREAD_STOPPED;
		thread_of(IDLE)->port = NULL;
	}
}

/* A port that is gone is the port of nobody. */
static void test_a_port_that_is_no_port_is_the_port_of_nobody(void)
{
	thread_of(IDLE)->port = (struct port *)(void *)thread_of(READY);
	CHECK_EQUAL(rule(), 0);
	BROKEN(thread_of(IDLE)->state, THREAD_SERVED, RULE_THREAD_STATE);
	thread_of(IDLE)->port = NULL;
}

/* ---- pools ---- */

static void test_a_pool_counts_its_frames_and_the_pools_below(void)
{
	uint16_t below;

	BROKEN(pool_table[POOL_ROOT].frames, 0, RULE_POOL_COUNT);
	BROKEN(pool_table[OF_POOL].frames, 7, 0); /* there is no such pool */
	BROKEN(pool_table[POOL_ROOT].below, 1, RULE_POOL_LIMITS);
	CHECK_EQUAL(pool_create(POOL_ROOT, &below), ST_OK);
	BROKEN(pool_table[POOL_ROOT].below_max, 0, RULE_POOL_LIMITS);
	BROKEN(pool_table[POOL_ROOT].priority, LOWER, RULE_POOL_LIMITS);
	BROKEN(pool_table[below].frames, 1, RULE_POOL_COUNT);
	CHECK_EQUAL(pool_destroy(below, POOL_ROOT), ST_OK);
}

/* ---- what asks ---- */

static void test_a_broken_rule_is_told_to_who_asks(void)
{
	machine.unchecked = true;
	CHECK_EQUAL(machine_call_with(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0), ST_OK);
	pool_table[POOL_ROOT].below = 1;
	CHECK_EQUAL(machine_call_with(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0), ST_BUSY);
	CHECK_EQUAL(machine.user.r10, RULE_POOL_LIMITS);
	pool_table[POOL_ROOT].below = 0;
	machine.unchecked = false;
}

static const struct check_test tests[] = {
	CHECK_TEST(a_thread_in_a_ready_queue_is_ready_and_of_that_priority),
	CHECK_TEST(an_empty_ready_queue_is_marked_so),
	CHECK_TEST(a_thread_has_a_space_that_lists_it),
	CHECK_TEST(a_space_lists_its_own_threads_and_has_a_top),
	CHECK_TEST(a_thread_that_rests_is_in_no_list),
	CHECK_TEST(a_thread_that_waits_has_a_live_port_and_no_other_has),
	CHECK_TEST(a_message_page_is_held_by_its_thread_alone),
	CHECK_TEST(a_caller_is_queued_at_its_port_by_its_priority),
	CHECK_TEST(a_receiver_receives_at_its_port),
	CHECK_TEST(a_caller_that_is_served_is_in_such_a_list),
	CHECK_TEST(a_port_that_is_no_port_is_the_port_of_nobody),
	CHECK_TEST(a_pool_counts_its_frames_and_the_pools_below),
	CHECK_TEST(a_broken_rule_is_told_to_who_asks),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), make_picture, end_picture, argc, argv);
}
