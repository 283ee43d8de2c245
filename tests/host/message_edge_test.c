/*
 * Tests at the edges of messages, handles and ports, on the simulated machine: slots behind the
 * table, bits beside a number, frames that only look like a port, ports that end while a cancel is
 * on its way.
 *
 * The picture: the root task (priority 32) runs; PORT is in slot 1 of its space with all rights;
 * CLIENT is a stopped thread of that space, less important.
 *
 * Usage: message_edge [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "flush.h"
#include "handle.h"
#include "ipc.h"
#include "kernel_machine.h"
#include "list.h"
#include "percpu.h"
#include "pool.h"

enum {
	PORT = MACHINE_FIRST_FREE,
	PORT_TWO,
	CLIENT,
	CLIENT_PAGE,
	SPACE_TWO,
	TOP_TWO,
	SPARE,
	FRAMES = 256
};
enum { SLOT = 1, SLOT_TWO, SLOT_COPY, SLOT_CLIENT };

#define CODE	 LAYOUT_USER_TEXT
#define LOW	 20u
#define FEATURES (FEATURE_PCID | FEATURE_INVPCID | FEATURE_FSGSBASE)
#define STRAY	 (0xffull << 24) /* bits of word rdi behind the slot for a handle */

static status_t op(uint32_t code, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b)
{
	return machine_operate(op_head(code, 0, pfn, index, 1), a, b);
}

static struct space *root_space(void)
{
	return space_of(MACHINE_ROOT_SPACE);
}

static void make_picture(void)
{
	machine_start(FRAMES, FEATURES);
	CHECK_EQUAL(op(OP_PORT_CREATE, PORT, SLOT, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_CREATE, CLIENT, 0, MACHINE_ROOT_SPACE, LOW), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_START, CODE, LAYOUT_STACK_TOP), ST_OK);
	CHECK_EQUAL(op(OP_RETYPE, CLIENT_PAGE, 0, FRAME_MSG, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_MESSAGE, CLIENT_PAGE, 0), ST_OK);
}

static status_t handle(
	uint64_t what, uint64_t source, uint64_t target, uint64_t rights, uint64_t badge)
{
	machine.user.r10 = rights;
	machine.user.r8 = badge;
	return machine_call_with(CALL_HANDLE, what, source, target);
}

static status_t answer(uint64_t token, uint64_t tag)
{
	machine.user.rbx = token;
	return machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY, tag, 0);
}

/* The root task waits (with these further bits), the client calls; returns the token. */
static uint64_t client_calls(uint64_t more, uint64_t rdi, uint64_t tag)
{
	CHECK_EQUAL(op(OP_THREAD_START, CLIENT, 0, 0, 0), ST_OK);
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE | more, 0, 0);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_call_with(CALL_CALL, rdi, tag, 5);
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK_EQUAL(machine.user.rax, ST_OK);
	return machine.user.rbx;
}

/* ---- slots ---- */

static void test_nothing_is_found_or_placed_behind_the_table_of_handles(void)
{
	struct space *space = root_space();
	struct handle *behind = &space->handles[0] + HANDLE_SLOTS;
	struct handle was = *behind, source = space->handles[SLOT];

	*behind = source;
	CHECK(!handle_get(space, HANDLE_SLOTS) && handle_get(space, SLOT));
	*behind = was;
	CHECK_EQUAL(handle_place(space, HANDLE_SLOTS, &source, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle_place(space, 0, &source, RIGHT_SEND, 0), ST_BAD_ARGUMENT);
	CHECK(behind->pfn == was.pfn && space->handles[0].pfn == 0);
	CHECK_EQUAL(handle_place(space, HANDLE_SLOTS - 1, &source, RIGHT_SEND, 0), ST_OK);
	CHECK_EQUAL(handle(HANDLE_DROP, HANDLE_SLOTS - 1, 0, 0, 0), ST_OK);
}

static void test_there_are_no_other_rights(void)
{
	struct handle source = root_space()->handles[SLOT];

	source.rights = UINT32_MAX;
	for (uint32_t bit = 0; bit < 32; bit++) {
		CHECK_EQUAL(handle_place(root_space(), SLOT_COPY, &source, 1u << bit, 0),
			1u << bit & RIGHT_ALL ? ST_OK : ST_BAD_ARGUMENT);
		root_space()->handles[SLOT_COPY] = (struct handle){ 0 };
	}
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_COPY, RIGHT_ALL, 0), ST_OK);
}

static void test_a_copy_has_no_right_that_its_source_lacks(void)
{
	struct handle source = root_space()->handles[SLOT],
		      *copy = &root_space()->handles[SLOT_COPY];

	for (source.rights = 1; source.rights <= RIGHT_ALL; source.rights++) {
		for (uint32_t rights = 1; rights <= RIGHT_ALL; rights++) {
			CHECK_EQUAL(handle_place(root_space(), SLOT_COPY, &source, rights, 0),
				rights & ~source.rights ? ST_NO_RIGHT : ST_OK);
			*copy = (struct handle){ 0 };
		}
		CHECK_EQUAL(handle_place(root_space(), SLOT_COPY, &source, source.rights, 7),
			source.rights & RIGHT_MINT ? ST_OK : ST_NO_RIGHT);
		*copy = (struct handle){ 0 };
	}
}

static void test_words_that_name_slots_and_rights_are_not_cut_off(void)
{
	for (uint32_t bit = 7; bit < 64; bit++) {
		uint64_t more = 1ull << bit;

		CHECK_EQUAL(
			handle(HANDLE_COPY, SLOT | more, SLOT_COPY, RIGHT_SEND, 0), ST_BAD_HANDLE);
		CHECK_EQUAL(handle(HANDLE_LOOK, SLOT | more, 0, 0, 0), ST_BAD_HANDLE);
		CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_COPY | more, RIGHT_SEND, 0),
			ST_BAD_ARGUMENT);
		CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_COPY, RIGHT_SEND | more, 0),
			ST_BAD_ARGUMENT);
		CHECK_EQUAL(machine_call_with(CALL_NOTIFY, SLOT | more, 1, 0), ST_BAD_HANDLE);
	}
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_COPY, RIGHT_ALL + 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_COPY, 0, 0), ST_BAD_ARGUMENT);
	CHECK(!handle_get(root_space(), SLOT_COPY) && port_of(PORT)->notification == 0);
}

static void test_bits_beside_the_slot_for_a_handle_mean_nothing(void)
{
	uint64_t give = (uint64_t)SLOT << TAG_HANDLE_SHIFT, token;

	token = client_calls((uint64_t)SLOT_TWO << RR_SLOT_SHIFT | STRAY,
		SLOT | (uint64_t)SLOT_CLIENT << RR_SLOT_SHIFT | STRAY, give);
	CHECK(machine.user.rsi & TAG_GOT_HANDLE);
	CHECK_EQUAL(root_space()->handles[SLOT_TWO].pfn, PORT);
	CHECK_EQUAL(answer(token, give), ST_OK);
	CHECK(thread_of(CLIENT)->registers.rsi & TAG_GOT_HANDLE);
	CHECK_EQUAL(root_space()->handles[SLOT_CLIENT].pfn, PORT);
}

static void test_minting_needs_the_right_also_for_the_same_badge(void)
{
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_TWO, RIGHT_SEND | RIGHT_GIVE, 0), ST_OK);
	CHECK_EQUAL(handle(HANDLE_MINT, SLOT_TWO, SLOT_COPY, RIGHT_SEND, 0), ST_NO_RIGHT);
	CHECK_EQUAL(handle(HANDLE_COPY, SLOT_TWO, SLOT_COPY, RIGHT_SEND, 77), ST_OK);
	CHECK_EQUAL(root_space()->handles[SLOT_COPY].badge, 0);
}

static void test_a_handle_goes_with_a_message_only_with_the_right_to_give(void)
{
	uint64_t give = (uint64_t)SLOT_TWO << TAG_HANDLE_SHIFT, token = client_calls(0, SLOT, 1);

	CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_TWO, RIGHT_ALL & ~RIGHT_GIVE, 0), ST_OK);
	CHECK_EQUAL(answer(token, give), ST_NO_RIGHT);
	CHECK_EQUAL(handle_transfer(root_space(), SLOT_TWO, root_space(), SLOT_COPY), ST_NO_RIGHT);
	CHECK_EQUAL(
		handle_transfer(root_space(), SLOT_CLIENT, root_space(), SLOT_COPY), ST_BAD_HANDLE);
	CHECK_EQUAL(answer(token, 0), ST_OK);
}

/* ---- frames that look like ports ---- */

/* The port ends; its frame becomes a page in which the owner writes what was there. */
static void forge_port(struct port *was)
{
	*was = *port_of(PORT);
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_RETYPE, PORT, 0, FRAME_DATA, 0), ST_OK);
	*port_of(PORT) = *was;
}

static void test_a_page_that_looks_like_a_port_is_none(void)
{
	struct port was;
	struct object_ref ref = { .pfn = PORT, .id = port_of(PORT)->id };

	CHECK(port_find(&ref) && handle_get(root_space(), SLOT));
	forge_port(&was);
	CHECK(!port_find(&ref) && !handle_get(root_space(), SLOT));
	CHECK_EQUAL(machine_call_with(CALL_CALL, SLOT, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(machine_call_with(CALL_NOTIFY, SLOT, 1, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(memcmp(&was, port_of(PORT), sizeof(was)), 0);
}

static void test_an_empty_reference_is_no_port(void)
{
	struct object_ref none = { 0 };

	CHECK(!port_find(&none));
	CHECK(!handle_get(root_space(), 0) && !handle_get(root_space(), SLOT_TWO));
}

static void test_a_new_port_is_not_the_old_one(void)
{
	struct object_ref ref = { .pfn = PORT, .id = port_of(PORT)->id };

	CHECK_EQUAL(handle(HANDLE_COPY, SLOT, SLOT_COPY, RIGHT_ALL, 0), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_PORT_CREATE, PORT, SLOT_TWO, 0, 0), ST_OK);
	CHECK(!port_find(&ref) && !handle_get(root_space(), SLOT_COPY));
	CHECK(handle_get(root_space(), SLOT_TWO));
	CHECK_EQUAL(machine_call_with(CALL_NOTIFY, SLOT_COPY, 1, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(port_of(PORT)->notification, 0);
}

static void test_operations_that_do_not_exist_are_told_so(void)
{
	for (uint32_t code = OP_COUNT; code < 256; code++)
		for (uint32_t flags = 0; flags < 4; flags++)
			CHECK_EQUAL(machine_operate(op_head(code, flags, PORT, 0, 1), 0, 0),
				ST_BAD_CALL);
}

/* ---- making and ending objects ---- */

static void test_objects_are_made_of_what_they_need(void)
{
	uint64_t cut = 1ull << 32;

	CHECK_EQUAL(space_create(SPACE_TWO, SPACE_TWO, 0, 0), ST_BAD_ARGUMENT);
	for (uint32_t bit = 0; bit < 32; bit++)
		if (!(1u << bit & SPACE_RIGHTS))
			CHECK_EQUAL(
				space_create(SPACE_TWO, TOP_TWO, 1u << bit, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, cut | TOP_TWO, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, FRAMES, 0), ST_BAD_FRAME);
	CHECK_EQUAL(thread_create(SPARE, root_space(), PRIORITY_COUNT), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, cut | MACHINE_ROOT_SPACE, LOW), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, FRAMES, LOW), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, MACHINE_ROOT_SPACE, PRIORITY_COUNT),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, MACHINE_ROOT_SPACE, PRIORITY_COUNT - 1), ST_OK);
	CHECK_EQUAL(frame_table[SPACE_TWO].type, FRAME_FREE);
	CHECK_EQUAL(frame_table[TOP_TWO].type, FRAME_FREE);
}

static void test_priorities_end_with_those_of_the_pool(void)
{
	uint8_t limit = pool_table[POOL_ROOT].priority;

	pool_table[POOL_ROOT].priority = LOW;
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, MACHINE_ROOT_SPACE, LOW + 1), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, MACHINE_ROOT_SPACE, LOW), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, SPARE, THREAD_FIELD_PRIORITY, LOW + 1, 0), ST_NO_RIGHT);
	pool_table[POOL_ROOT].priority = limit;
	CHECK_EQUAL(op(OP_THREAD_SET, SPARE, THREAD_FIELD_PRIORITY, LOW + 1, 0), ST_OK);
}

static void test_a_space_ends_empty_and_its_top_rests(void)
{
	CHECK_EQUAL(
		op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, (uint64_t)POOL_ROOT << SPACE_POOL_SHIFT),
		ST_OK);
	CHECK_EQUAL(pool_table[POOL_ROOT].users, 2);
	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_L3, 0), ST_OK);
	CHECK_EQUAL(op(OP_SET, TOP_TWO, 0, pte_make(SPARE, PTE_P | PTE_U), 0), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_SET, TOP_TWO, 0, 0, pte_make(SPARE, PTE_P | PTE_U)), ST_OK);
	CHECK_EQUAL(frame_hold(TOP_TWO), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_BUSY);
	frame_release(TOP_TWO);
	flush_everything();
	CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_OK);
	CHECK(frame_table[TOP_TWO].type == FRAME_FREE && frame_table[SPACE_TWO].type == FRAME_FREE);
	CHECK_EQUAL(frame_table[TOP_TWO].epoch,
		flush_epoch); /* the processor may remember its entries */
	CHECK_EQUAL(pool_table[POOL_ROOT].users, 1);
}

static void test_a_top_has_the_kernels_slots_and_no_others(void)
{
	const uint64_t *kernel = frame_memory(MACHINE_KERNEL_TOP), *entries = frame_memory(TOP_TWO);
	uint64_t view = (kernel[LAYOUT_FRAME_TABLE_SLOT] | PTE_U) & ~PTE_W;

	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, 0), ST_OK);
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		CHECK_EQUAL(entries[i], kernel[i]);
	CHECK_EQUAL(entries[LAYOUT_VMEMMAP_SLOT], 0);
	CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, SPACE_TIMER), ST_OK);
	CHECK_EQUAL(entries[LAYOUT_VMEMMAP_SLOT], 0);
	CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, SPACE_SEES_FRAMES), ST_OK);
	CHECK_EQUAL(entries[LAYOUT_VMEMMAP_SLOT], view);
	CHECK(view & PTE_U && !(view & PTE_W));
}

/* ---- cancels ---- */

static void test_a_port_that_ends_fails_a_call_whose_cancel_is_on_its_way(void)
{
	client_calls(0, SLOT, 1);
	CHECK_EQUAL(op(OP_THREAD_INTERRUPT, CLIENT, 0, 0, 0), ST_OK);
	CHECK(!list_is_empty(&port_of(PORT)->cancels) && list_is_empty(&port_of(PORT)->served));
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(thread_of(CLIENT)->state, THREAD_READY);
	CHECK_EQUAL(thread_of(CLIENT)->registers.rax, ST_DEAD);
}

static void test_a_port_that_ends_fails_a_call_that_was_cancelled(void)
{
	uint64_t token = client_calls(0, SLOT, 1);

	CHECK_EQUAL(op(OP_THREAD_INTERRUPT, CLIENT, 0, 0, 0), ST_OK);
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE, 0, 0);
	CHECK(machine.user.rsi == TAG_CANCEL && machine.user.rbx == token);
	CHECK(list_is_empty(&port_of(PORT)->cancels) && !list_is_empty(&port_of(PORT)->served));
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(thread_of(CLIENT)->state, THREAD_READY);
	CHECK_EQUAL(thread_of(CLIENT)->registers.rax, ST_DEAD);
}

static void test_a_reset_ends_calls_and_their_cancels(void)
{
	client_calls(0, SLOT, 1);
	CHECK_EQUAL(op(OP_THREAD_INTERRUPT, CLIENT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_PORT_RESET, PORT, 0, 0, 0), ST_OK);
	CHECK(list_is_empty(&port_of(PORT)->cancels) && list_is_empty(&port_of(PORT)->served));
	CHECK_EQUAL(thread_of(CLIENT)->registers.rax, ST_DEAD);
}

static const struct check_test tests[] = {
	CHECK_TEST(nothing_is_found_or_placed_behind_the_table_of_handles),
	CHECK_TEST(there_are_no_other_rights),
	CHECK_TEST(a_copy_has_no_right_that_its_source_lacks),
	CHECK_TEST(words_that_name_slots_and_rights_are_not_cut_off),
	CHECK_TEST(bits_beside_the_slot_for_a_handle_mean_nothing),
	CHECK_TEST(minting_needs_the_right_also_for_the_same_badge),
	CHECK_TEST(a_handle_goes_with_a_message_only_with_the_right_to_give),
	CHECK_TEST(a_page_that_looks_like_a_port_is_none),
	CHECK_TEST(an_empty_reference_is_no_port),
	CHECK_TEST(a_new_port_is_not_the_old_one),
	CHECK_TEST(operations_that_do_not_exist_are_told_so),
	CHECK_TEST(objects_are_made_of_what_they_need),
	CHECK_TEST(priorities_end_with_those_of_the_pool),
	CHECK_TEST(a_space_ends_empty_and_its_top_rests),
	CHECK_TEST(a_top_has_the_kernels_slots_and_no_others),
	CHECK_TEST(a_port_that_ends_fails_a_call_whose_cancel_is_on_its_way),
	CHECK_TEST(a_port_that_ends_fails_a_call_that_was_cancelled),
	CHECK_TEST(a_reset_ends_calls_and_their_cancels),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), make_picture, machine_stop, argc, argv);
}
