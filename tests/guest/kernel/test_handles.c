/*
 * Tests of handles: copy, mint, drop, look; rights; what becomes of them when a port ends.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define SLOT_A 20u
#define SLOT_B 21u
#define SLOT_C 22u

static status_t handle(
	uint32_t what, uint64_t source, uint64_t target, uint64_t rights, uint64_t badge)
{
	return call4(CALL_HANDLE, what, source, target, rights, badge);
}

/* Does the slot hold a live handle with these rights and this badge? */
static bool handle_is(uint32_t slot, uint32_t rights, uint64_t badge)
{
	uint64_t out[3];

	return call(CALL_HANDLE, HANDLE_LOOK, slot, 0, 0, out) == ST_OK && out[0] == rights &&
	       out[1] == badge;
}

static bool a_new_port_has_all_rights(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK(handle_is(SLOT_A, RIGHT_ALL, 0));
	CHECK_EQUAL(FRAMES[port].type, FRAME_PORT);
	CHECK_EQUAL(FRAMES[port].refs, 0);
	CHECK_EQUAL(FRAMES[port].holds, 0);
	return true;
}

static bool a_copy_keeps_badge_and_chosen_rights(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(handle(HANDLE_MINT, SLOT_A, SLOT_B, RIGHT_ALL, 0xfeedfacecafebeef));
	CHECK(handle_is(SLOT_B, RIGHT_ALL, 0xfeedfacecafebeef));
	CHECK_OK(handle(HANDLE_COPY, SLOT_B, SLOT_C, RIGHT_SEND | RIGHT_GIVE, 77));
	CHECK(handle_is(SLOT_C, RIGHT_SEND | RIGHT_GIVE, 0xfeedfacecafebeef));
	return true;
}

static bool a_copy_never_has_more_rights(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	for (uint32_t rights = 1; rights <= RIGHT_ALL; rights++) {
		CHECK_OK(handle(HANDLE_COPY, SLOT_A, SLOT_B, rights, 0));
		for (uint32_t more = 1; more <= RIGHT_ALL; more++) {
			status_t wanted = more & ~rights ? ST_NO_RIGHT : ST_OK;

			CHECK_EQUAL(handle(HANDLE_COPY, SLOT_B, SLOT_C, more, 0), wanted);
			CHECK_EQUAL(handle(HANDLE_DROP, SLOT_C, 0, 0, 0),
				wanted == ST_OK ? ST_OK : ST_BAD_HANDLE);
		}
		CHECK_OK(handle(HANDLE_DROP, SLOT_B, 0, 0, 0));
	}
	return true;
}

static bool minting_needs_the_right(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(handle(HANDLE_MINT, SLOT_A, SLOT_B, RIGHT_SEND | RIGHT_RECEIVE | RIGHT_GIVE, 5));
	CHECK_EQUAL(handle(HANDLE_MINT, SLOT_B, SLOT_C, RIGHT_SEND, 6), ST_NO_RIGHT);
	CHECK_EQUAL(handle(HANDLE_LOOK, SLOT_C, 0, 0, 0), ST_BAD_HANDLE);
	return true;
}

static bool a_live_handle_is_not_overwritten(void)
{
	pfn_t one, two;

	CHECK(port_make(SLOT_A, &one) && port_make(SLOT_B, &two));
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_A, SLOT_B, RIGHT_SEND, 0), ST_BUSY);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, frame_take(), SLOT_A, 0, 0), ST_BUSY);
	CHECK(handle_is(SLOT_B, RIGHT_ALL, 0));
	CHECK_OK(op_on(OP_DESTROY, two, 0, 0));
	CHECK_OK(handle(HANDLE_COPY, SLOT_A, SLOT_B, RIGHT_SEND, 0));
	CHECK(handle_is(SLOT_B, RIGHT_SEND, 0));
	return true;
}

static bool handle_arguments_are_checked(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_EQUAL(handle(HANDLE_LOOK + 1, SLOT_A, SLOT_B, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_A, 0, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_A, HANDLE_SLOTS, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_A, SLOT_B, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_A, SLOT_B, RIGHT_ALL + 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_B, SLOT_C, RIGHT_SEND, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(handle(HANDLE_COPY, 0, SLOT_C, RIGHT_SEND, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(handle(HANDLE_COPY, HANDLE_SLOTS, SLOT_C, RIGHT_SEND, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(handle(HANDLE_LOOK, ~0ull, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(handle(HANDLE_DROP, SLOT_B, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(handle(HANDLE_DROP, (1ull << 32) | SLOT_A, 0, 0, 0), ST_BAD_HANDLE);
	CHECK(handle_is(SLOT_A, RIGHT_ALL, 0));
	return true;
}

static bool dropping_frees_the_slot_only(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(handle(HANDLE_COPY, SLOT_A, SLOT_B, RIGHT_ALL, 0));
	CHECK_OK(handle(HANDLE_DROP, SLOT_A, 0, 0, 0));
	CHECK_EQUAL(handle(HANDLE_LOOK, SLOT_A, 0, 0, 0), ST_BAD_HANDLE);
	CHECK(handle_is(SLOT_B, RIGHT_ALL, 0));
	CHECK_EQUAL(FRAMES[port].type, FRAME_PORT);
	return true;
}

static bool handles_of_a_destroyed_port_are_stale(void)
{
	struct message message = { 0 };
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(handle(HANDLE_MINT, SLOT_A, SLOT_B, RIGHT_SEND, 1));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	CHECK_EQUAL(FRAMES[port].type, FRAME_FREE);
	CHECK_EQUAL(handle(HANDLE_LOOK, SLOT_A, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_B, SLOT_C, RIGHT_SEND, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_NOTIFY, SLOT_B, 1, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(reply_receive(SLOT_A | RR_RECEIVE | RR_NONBLOCK, &message), ST_BAD_HANDLE);
	return true;
}

static bool a_reused_port_frame_revives_no_handle(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(handle(HANDLE_COPY, SLOT_A, SLOT_B, RIGHT_ALL, 0));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	CHECK_OK(op_at(OP_PORT_CREATE, port, SLOT_C, 0, 0));
	CHECK(handle_is(SLOT_C, RIGHT_ALL, 0));
	CHECK_EQUAL(handle(HANDLE_LOOK, SLOT_A, 0, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_NOTIFY, SLOT_B, 1, 0, 0, 0), ST_BAD_HANDLE);
	return true;
}

static bool a_port_frame_reused_as_data_revives_no_handle(void)
{
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	CHECK_OK(op_on(OP_RETYPE, port, FRAME_DATA, 0));
	frame_fill(port, 1);
	CHECK_EQUAL(handle(HANDLE_LOOK, SLOT_A, 0, 0, 0), ST_BAD_HANDLE);
	return true;
}

static bool handle_set_gives_fewer_rights_to_another_space(void)
{
	struct sub sub;
	struct step *look, *missing;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_SELF, RIGHT_SEND, 99));
	CHECK_OK(sub_give(&sub, SUB_SLOT_B, SLOT_SELF, RIGHT_SEND, 1));
	CHECK_OK(sub_give(&sub, SUB_SLOT_B, 0, 0, 0));
	look = step_add(0, CALL_HANDLE, HANDLE_LOOK, SUB_SLOT_A, 0, 0);
	missing = step_add(0, CALL_HANDLE, HANDLE_LOOK, SUB_SLOT_B, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(shared_page.steps_done[0], 2);
	CHECK_EQUAL(look->out.rax, ST_OK);
	CHECK_EQUAL(look->out.rdx, RIGHT_SEND);
	CHECK_EQUAL(look->out.r10, 99);
	CHECK_EQUAL(missing->out.rax, ST_BAD_HANDLE);
	return true;
}

static bool handle_set_refuses(void)
{
	struct sub sub;
	pfn_t port;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(handle(HANDLE_COPY, SLOT_A, SLOT_B, RIGHT_SEND, 0));
	CHECK_EQUAL(sub_give(&sub, SUB_SLOT_A, SLOT_B, RIGHT_SEND | RIGHT_RECEIVE, 0), ST_NO_RIGHT);
	CHECK_EQUAL(sub_give(&sub, SUB_SLOT_A, SLOT_B, RIGHT_SEND, 1), ST_NO_RIGHT);
	CHECK_OK(sub_give(&sub, SUB_SLOT_A, SLOT_B, RIGHT_SEND, 0));
	CHECK_EQUAL(sub_give(&sub, SUB_SLOT_A, SLOT_C, RIGHT_SEND, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(sub_give(&sub, 0, SLOT_A, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(sub_give(&sub, HANDLE_SLOTS, SLOT_A, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_HANDLE_SET, sub.space, SUB_SLOT_A, SLOT_A | 1ull << 20, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_HANDLE_SET, sub.thread, SUB_SLOT_A, SLOT_A | 1ull << 16, 0),
		ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_HANDLE_SET, boot->init_space, SUB_SLOT_A, SLOT_A | 1ull << 16, 0),
		ST_BAD_FRAME);
	return true;
}

const struct test tests_handles[] = {
	{ "a_new_port_has_all_rights", a_new_port_has_all_rights },
	{ "a_copy_keeps_badge_and_chosen_rights", a_copy_keeps_badge_and_chosen_rights },
	{ "a_copy_never_has_more_rights", a_copy_never_has_more_rights },
	{ "minting_needs_the_right", minting_needs_the_right },
	{ "a_live_handle_is_not_overwritten", a_live_handle_is_not_overwritten },
	{ "handle_arguments_are_checked", handle_arguments_are_checked },
	{ "dropping_frees_the_slot_only", dropping_frees_the_slot_only },
	{ "handles_of_a_destroyed_port_are_stale", handles_of_a_destroyed_port_are_stale },
	{ "a_reused_port_frame_revives_no_handle", a_reused_port_frame_revives_no_handle },
	{ "a_port_frame_reused_as_data_revives_no_handle",
		a_port_frame_reused_as_data_revives_no_handle },
	{ "handle_set_gives_fewer_rights_to_another_space",
		handle_set_gives_fewer_rights_to_another_space },
	{ "handle_set_refuses", handle_set_refuses },
	{ 0 },
};
