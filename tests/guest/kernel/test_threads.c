/*
 * Tests of threads: priorities, time slices, and that each keeps its registers: general, FPU,
 * bases.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define TIME_SLICE_NS 10000000ull /* no shorter than the kernel's */

static struct sub_wish below = { .priority = PRIORITY_BELOW };
static struct sub_wish lower = { .priority = PRIORITY_BELOW - 1 };

/* Let threads below us run for a while (several time slices). */
static void let_run(uint32_t turns)
{
	struct message message;

	for (uint32_t i = 0; i < turns; i++) {
		(void)receive_soon(&message);
	}
}

static bool two_spinning_threads_share_the_processor(void)
{
	struct sub one, two;

	CHECK(sub_make(&one, &below) && sub_make(&two, &below));
	CHECK(sub_start(&one, program_spin, 0, 0) && sub_start(&two, program_spin, 1, 0));
	CHECK(shared_page.word[0] == 0 && shared_page.word[1] == 0);
	let_run(1);
	CHECK(shared_page.word[0] > 0 && shared_page.word[1] > 0);
	return true;
}

static bool a_less_important_thread_waits(void)
{
	struct sub one, two;

	CHECK(sub_make(&one, &below) && sub_make(&two, &lower));
	CHECK(sub_start(&two, program_spin, 1, 0) && sub_start(&one, program_spin, 0, 0));
	let_run(1);
	CHECK(shared_page.word[0] > 0);
	CHECK_EQUAL(shared_page.word[1], 0);
	CHECK_OK(op_on(OP_THREAD_STOP, one.thread, 0, 0));
	let_run(1);
	CHECK(shared_page.word[1] > 0);
	return true;
}

static bool a_more_important_thread_runs_at_once(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_add(0, CALL_TIMER, TIMER_NOW, 0, 0, 0);
	CHECK(sub_set(&sub, THREAD_FIELD_START, (uint64_t)program_steps, SUB_STACK_TOP - 8));
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	return true;
}

static bool a_new_priority_counts_for_a_ready_thread(void)
{
	struct sub one, two;

	CHECK(sub_make(&one, &below) && sub_make(&two, &lower));
	CHECK(sub_start(&one, program_spin, 0, 0) && sub_start(&two, program_spin, 1, 0));
	CHECK(sub_set(&two, THREAD_FIELD_PRIORITY, PRIORITY_BELOW + 1, 0));
	let_run(1);
	CHECK(shared_page.word[1] > 0);
	CHECK_EQUAL(shared_page.word[0], 0);
	return true;
}

static bool a_new_priority_counts_for_a_queued_thread_later(void)
{
	struct message message;
	struct sub sub, spinner;

	CHECK(sub_make(&sub, NULL) && sub_make(&spinner, &below));
	step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	step_add(0, CALL_YIELD, 0, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK(sub_set(&sub, THREAD_FIELD_PRIORITY, PRIORITY_BELOW - 1, 0));
	CHECK_OK(call4(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.badge, sub.badge);
	CHECK(sub_start(&spinner, program_spin, 0, 0));
	CHECK_OK(reply(message.token, 0, 0));
	let_run(1);
	CHECK_EQUAL(shared_page.steps_done[0], 0); /* the spinner is more important now */
	return true;
}

static bool a_server_runs_with_the_priority_of_its_caller(void)
{
	struct message message;
	struct sub client, rival;
	struct sub_wish middle = { .priority = PRIORITY_SAME + 2 };

	CHECK(sub_make(&client, NULL) && sub_make(&rival, &middle));
	step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	CHECK(sub_start(&client, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK(sub_set(&rival, THREAD_FIELD_START, (uint64_t)program_steps, SUB_STACK_TOP - 8));
	CHECK(sub_set(&rival, THREAD_FIELD_ARGUMENTS, 1, 0));
	step_add(1, CALL_YIELD, 0, 0, 0, 0);
	CHECK_OK(op_on(OP_THREAD_START, rival.thread, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[1], 0); /* we serve the client, who is more important */
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[1], 1);
	return true;
}

#define ROUNDS 6u

/* A client, whose calls we serve, beside a spinner that is as important: when we answer within the client's time slice
   it goes on, and when the slice is over by then the spinner comes first.  (Mostly: this machine may have to wait for
   the one that it runs on, at any time.) */
static bool an_answer_goes_on_with_the_slice_of_its_caller(void)
{
	struct message message;
	struct sub client, spinner;
	uint64_t now[3], end, before;
	uint32_t undisturbed = 0, gave_way = 0;

	CHECK(sub_make(&client, &below) && sub_make(&spinner, &below));
	for (uint32_t i = 0; i < 3 * ROUNDS; i++) {
		step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	}
	CHECK(sub_start(&client, program_steps, 0, 0));
	CHECK_OK(receive_soon(&message));
	CHECK(sub_start(&spinner, program_spin, 0, 0));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		before = shared_page.word[0];
		message.tag = 0;
		CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
		CHECK_EQUAL(message.badge, client.badge);
		undisturbed += shared_page.word[0] == before ? 1 : 0;
	}
	CHECK(undisturbed > 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
		end = now[0] + 3 * TIME_SLICE_NS;
		while (now[0] < end) {
			CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
		}
		before = shared_page.word[0];
		message.tag = 0;
		CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
		CHECK_EQUAL(message.badge, client.badge);
		gave_way += shared_page.word[0] > before ? 1 : 0;
	}
	CHECK(gave_way > ROUNDS / 2);
	return true;
}

static bool yield_lets_equals_run(void)
{
	struct sub_wish same = { .priority = PRIORITY_SAME };
	struct sub sub;

	CHECK(sub_make(&sub, &same));
	for (uint32_t i = 0; i < STEPS; i++) {
		step_add(0, CALL_YIELD, 0, 0, 0, 0);
	}
	CHECK(sub_set(&sub, THREAD_FIELD_START, (uint64_t)program_steps, SUB_STACK_TOP - 8));
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	for (uint32_t i = 1; i <= STEPS; i++) {
		CHECK_OK(call4(CALL_YIELD, 0, 0, 0, 0, 0));
		CHECK(shared_page.steps_done[0] >=
			i - 1); /* it is inside its i-th YIELD, or further */
	}
	return true;
}

static bool a_stopped_thread_goes_on_where_it_was(void)
{
	struct registers before, after;
	struct sub sub;
	uint64_t count;

	CHECK(sub_make(&sub, &below));
	CHECK(sub_start(&sub, program_spin, 0, 0));
	let_run(1);
	CHECK_OK(op_on(OP_THREAD_STOP, sub.thread, 0, 0));
	count = shared_page.word[0];
	CHECK(sub_registers(&sub, &before));
	let_run(1);
	CHECK_EQUAL(shared_page.word[0], count);
	CHECK(sub_registers(&sub, &after));
	CHECK_EQUAL(after.rip, before.rip);
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_run(1);
	CHECK(shared_page.word[0] > count);
	return true;
}

static bool a_thread_that_stops_itself_is_started_behind_its_call(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_add(0, CALL_THREAD, THREAD_SELF_STOP, 0, 0, 0);
	step_add(0, CALL_YIELD, 0, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 0);
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 2);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_OK);
	return true;
}

/* ---- registers ---- */

static bool a_call_keeps_the_other_registers(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_keeps_registers, (uint64_t)&shared_page.word[0], 0));
	CHECK_EQUAL(shared_page.word[0], 1);
	return true;
}

static bool a_call_keeps_the_users_flags(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_flags, (uint64_t)&shared_page.word[0], 0));
	CHECK_EQUAL(shared_page.word[0], 1);
	return true;
}

/* Runs two threads of a program that counts turns in word[i] and wrong turns in word[i + 1]. */
static bool two_keep_apart(program_t program, uint64_t first, uint64_t second)
{
	struct sub one, two;

	CHECK(sub_make(&one, &below) && sub_make(&two, &below));
	CHECK(sub_start(&one, program, (uint64_t)&shared_page.word[0], first));
	CHECK(sub_start(&two, program, (uint64_t)&shared_page.word[4], second));
	let_run(3);
	CHECK(shared_page.word[0] > 0 && shared_page.word[4] > 0);
	CHECK_EQUAL(shared_page.word[1], 0);
	CHECK_EQUAL(shared_page.word[5], 0);
	return true;
}

static bool vector_registers_of_two_threads_are_kept_apart(void)
{
	return two_keep_apart(program_vectors, 0x1111222233334444, 0xaaaabbbbccccdddd);
}

/* OSXSAVE and AVX by CPUID, and the kernel has switched YMM on. */
static bool machine_has_wide_vectors(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if ((ecx >> 27 & 3) != 3) {
		return false;
	}
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (eax & 6) == 6;
}

static bool wide_vector_registers_of_two_threads_are_kept_apart(void)
{
	if (!machine_has_wide_vectors()) {
		return skip("no YMM registers in use");
	}
	return two_keep_apart(program_wide_vectors, 0x5555666677778888, 0x9999eeeeffff0001);
}

static bool interrupts_leave_the_red_zone_alone(void)
{
	return two_keep_apart(program_red_zone, 0, 0);
}

static bool each_thread_has_its_own_fs_base(void)
{
	return two_keep_apart(program_bases, SUB_PRIVATE, SUB_PRIVATE + 512);
}

/* The GS base that user mode just wrote itself is not what the kernel remembers of it. */
static bool setting_the_fs_base_leaves_gs_alone(void)
{
	uint64_t fs, gs;

	if (!machine_has(FEATURE_FSGSBASE)) {
		return skip("programs cannot set it");
	}
	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	__asm__ volatile("wrgsbase %0" : : "r"(0x12345000ull));
	CHECK_OK(call4(CALL_THREAD, THREAD_SELF_TLS, fs, 0, 0, 0));
	__asm__ volatile("rdgsbase %0" : "=r"(gs));
	CHECK_EQUAL(gs, 0x12345000);
	return true;
}

static bool each_thread_has_its_own_gs_base(void)
{
	if (!machine_has(FEATURE_FSGSBASE)) {
		return skip("programs cannot set it");
	}
	return two_keep_apart(program_gs_bases, SUB_PRIVATE, SUB_PRIVATE + 512);
}

static bool the_owner_sets_fs_base_before_the_start(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_set(&sub, THREAD_FIELD_FS_BASE, SUB_PRIVATE + 64, 0));
	*(window_open(0, sub.private) + 8) = 0x7575;
	window_close(0);
	CHECK(sub_start(&sub, program_read_fs, (uint64_t)&shared_page.word[0], 0));
	CHECK_EQUAL(shared_page.word[0], 0x7575);
	return true;
}

static bool clone_copies_fs_base_and_vector_registers(void)
{
	struct sub parent, child;
	struct message message;

	CHECK(sub_make(&parent, NULL) && sub_add_thread(&parent, &child, PRIORITY_ABOVE));
	shared_page.scratch[4] = SUB_PRIVATE;
	CHECK(sub_start(&parent, program_vectors_over_call, (uint64_t)&shared_page.word[0],
		0x4242424242424242));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_on(OP_THREAD_CLONE, child.thread, parent.thread, 0));
	CHECK_OK(op_flagged(OP_THREAD_START, OP_START_ANSWER, child.thread, 0, 1, 0, 1));
	let_others_run();
	CHECK_EQUAL(
		shared_page.word[1], 0x4242424242424242); /* the child writes at word[its answer] */
	CHECK_EQUAL(shared_page.word[3], SUB_PRIVATE);
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(shared_page.word[0], 0x4242424242424242);
	CHECK_EQUAL(shared_page.word[2], SUB_PRIVATE);
	return true;
}

/* A thread that promised to use no FPU must not see or change what another has in it. */
static bool a_thread_without_fpu_sees_nobodys_vectors(void)
{
	struct sub_wish promise = { .flags = SPACE_FPU_NONE, .priority = PRIORITY_BELOW + 1 };
	struct message message;
	struct sub user, peeper;
	status_t status;

	CHECK(sub_make(&user, &below) && sub_make(&peeper, &promise));
	CHECK(sub_start(
		&user, program_vectors, (uint64_t)&shared_page.word[0], 0x77665544332211ee));
	let_run(1);
	CHECK(sub_start(&peeper, program_takes_vectors, (uint64_t)&shared_page.word[8], 0));
	status = receive_soon(&message);
	let_run(1);
	CHECK_EQUAL(shared_page.word[1], 0);
	CHECK(shared_page.word[8] != 0x77665544332211ee);
	if (status == ST_OK) {
		CHECK_EQUAL(message.w[0], VECTOR_NO_FPU);
	}
	return true;
}

static bool a_fresh_thread_starts_with_empty_registers(void)
{
	struct sub user, fresh;

	CHECK(sub_make(&user, &below));
	CHECK(sub_start(
		&user, program_vectors, (uint64_t)&shared_page.word[0], 0x1212121212121212));
	let_run(1);
	CHECK(sub_make(&fresh, NULL));
	shared_page.word[8] = 1;
	CHECK(sub_start(&fresh, program_takes_vectors, (uint64_t)&shared_page.word[8], 0));
	CHECK_EQUAL(shared_page.word[8], 0);
	return true;
}

/* What a destroyed thread left in the processor is not written to its frame any more. */
static bool a_destroyed_threads_vectors_go_nowhere(void)
{
	struct sub gone, next;

	CHECK(sub_make(&gone, &below) && sub_make(&next, &below));
	CHECK(sub_start(
		&gone, program_vectors, (uint64_t)&shared_page.word[0], 0x3434343434343434));
	let_run(1);
	CHECK_OK(op_on(OP_DESTROY, gone.thread, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, gone.thread, FRAME_DATA, 0));
	frame_fill(gone.thread, 0x7777);
	CHECK(sub_start(
		&next, program_vectors, (uint64_t)&shared_page.word[4], 0x5656565656565656));
	let_run(1);
	CHECK(shared_page.word[4] > 0);
	CHECK_EQUAL(shared_page.word[5], 0);
	CHECK(frame_holds(gone.thread, 0x7777));
	return true;
}

const struct test tests_threads[] = {
	{ "two_spinning_threads_share_the_processor", two_spinning_threads_share_the_processor },
	{ "a_less_important_thread_waits", a_less_important_thread_waits },
	{ "a_more_important_thread_runs_at_once", a_more_important_thread_runs_at_once },
	{ "a_new_priority_counts_for_a_ready_thread", a_new_priority_counts_for_a_ready_thread },
	{ "a_new_priority_counts_for_a_queued_thread_later",
		a_new_priority_counts_for_a_queued_thread_later },
	{ "a_server_runs_with_the_priority_of_its_caller",
		a_server_runs_with_the_priority_of_its_caller },
	{ "an_answer_goes_on_with_the_slice_of_its_caller", an_answer_goes_on_with_the_slice_of_its_caller },
	{ "yield_lets_equals_run", yield_lets_equals_run },
	{ "a_stopped_thread_goes_on_where_it_was", a_stopped_thread_goes_on_where_it_was },
	{ "a_thread_that_stops_itself_is_started_behind_its_call",
		a_thread_that_stops_itself_is_started_behind_its_call },
	{ "a_call_keeps_the_other_registers", a_call_keeps_the_other_registers },
	{ "a_call_keeps_the_users_flags", a_call_keeps_the_users_flags },
	{ "vector_registers_of_two_threads_are_kept_apart",
		vector_registers_of_two_threads_are_kept_apart },
	{ "wide_vector_registers_of_two_threads_are_kept_apart",
		wide_vector_registers_of_two_threads_are_kept_apart },
	{ "interrupts_leave_the_red_zone_alone", interrupts_leave_the_red_zone_alone },
	{ "each_thread_has_its_own_fs_base", each_thread_has_its_own_fs_base },
	{ "setting_the_fs_base_leaves_gs_alone", setting_the_fs_base_leaves_gs_alone },
	{ "each_thread_has_its_own_gs_base", each_thread_has_its_own_gs_base },
	{ "the_owner_sets_fs_base_before_the_start", the_owner_sets_fs_base_before_the_start },
	{ "clone_copies_fs_base_and_vector_registers", clone_copies_fs_base_and_vector_registers },
	{ "a_thread_without_fpu_sees_nobodys_vectors", a_thread_without_fpu_sees_nobodys_vectors },
	{ "a_destroyed_threads_vectors_go_nowhere", a_destroyed_threads_vectors_go_nowhere },
	{ "a_fresh_thread_starts_with_empty_registers",
		a_fresh_thread_starts_with_empty_registers },
	{ 0 },
};
