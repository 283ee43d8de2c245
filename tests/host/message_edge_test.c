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
#include "debug.h"
#include "flush.h"
#include "handle.h"
#include "ipc.h"
#include "kernel_machine.h"
#include "list.h"
#include "percpu.h"
#include "pool.h"
#include "switch.h"

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
	frame_table[PORT].flags &= (uint8_t)~FRAME_BLANK; /* as a page that was written is not */
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

static void test_operations_on_objects_name_objects_of_their_type(void)
{
	static const uint32_t threads[] = { OP_THREAD_SET, OP_THREAD_GET, OP_THREAD_START,
		OP_THREAD_STOP, OP_THREAD_INTERRUPT };
	static const uint32_t others[] = { OP_SPACE_GRANT, OP_PORT_RESET, OP_HANDLE_SET };
	uint8_t state = thread_of(CLIENT)->state;

	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_DATA, 0), ST_OK);
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		CHECK_EQUAL(op(threads[i], SPARE, 0, 0, 0), ST_WRONG_TYPE);
		CHECK_EQUAL(op(threads[i], FRAMES, 0, 0, 0), ST_BAD_FRAME);
		CHECK_EQUAL(op(threads[i], PORT, 0, 0, 0), ST_WRONG_TYPE);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CHECK_EQUAL(op(others[i], SPARE, 1, 0, 0), ST_WRONG_TYPE);
		CHECK_EQUAL(op(others[i], FRAMES, 1, 0, 0), ST_BAD_FRAME);
		CHECK_EQUAL(op(others[i], CLIENT, 1, 0, 0), ST_WRONG_TYPE);
	}
	CHECK_EQUAL(op(OP_THREAD_CLONE, CLIENT, 0, SPARE, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_THREAD_CLONE, SPARE, 0, CLIENT, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_THREAD_CLONE, CLIENT, 0, 1ull << 32 | CLIENT, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_THREAD_CLONE, CLIENT, 0, CLIENT, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_THREAD_CLONE, CLIENT, 0, MACHINE_ROOT_THREAD, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_DESTROY, SPARE, 0, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op(OP_PORT_CREATE, PORT_TWO, HANDLE_SLOTS, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_PORT_CREATE, PORT_TWO, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_PORT_CREATE, CLIENT, SLOT_TWO, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(thread_of(CLIENT)->state, state);
}

static void test_spaces_get_pools_and_rights_that_there_are(void)
{
	uint64_t live = 0;

	for (uint64_t pool = POOL_ROOT + 1; pool <= POOL_COUNT + 1; pool++)
		CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, pool << SPACE_POOL_SHIFT),
			ST_BAD_ARGUMENT);
	for (uint32_t bit = 5; bit < 32; bit++)
		CHECK_EQUAL(
			op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, 1ull << bit), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, SPACE_SHUTDOWN), ST_NO_RIGHT);
	CHECK_EQUAL(op(OP_POOL_CREATE, 0, 0, 0, 0), ST_OK);
	for (uint16_t pool = POOL_ROOT + 1; pool < POOL_COUNT; pool++)
		live += pool_table[pool].live ? pool : 0;
	root_space()->pool = (uint16_t)live; /* now the root task's pool is above its own */
	pool_table[POOL_ROOT].users--;
	pool_table[live].users++;
	CHECK_EQUAL(
		op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, (uint64_t)POOL_ROOT << SPACE_POOL_SHIFT),
		ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_THREAD_STOP, CLIENT, 0, 0, 0), ST_BAD_FRAME);
	root_space()->pool = POOL_ROOT;
	pool_table[POOL_ROOT].users++;
	pool_table[live].users--;
}

static status_t grant(uint64_t first, uint64_t count, uint64_t lines)
{
	return op(OP_SPACE_GRANT, SPACE_TWO, 0, count << 32 | first, lines);
}

static void test_devices_are_granted_from_what_the_giver_has(void)
{
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, 0), ST_OK);
	root_space()->io_first = 0;
	root_space()->io_count = 0x10000;
	root_space()->irq_mask = 0xffff;
	CHECK_EQUAL(grant(0, 0x10000, 0xffff), ST_OK);
	CHECK(space_of(SPACE_TWO)->io_count == 0x10000 && space_of(SPACE_TWO)->irq_mask == 0xffff);
	CHECK_EQUAL(grant(1, 0x10000, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(grant(0, 1, 0x10000), ST_BAD_ARGUMENT);
	root_space()->io_first = 10;
	root_space()->io_count = 10;
	root_space()->irq_mask = 5;
	CHECK(grant(10, 10, 5) == ST_OK && grant(9, 2, 5) == ST_NO_RIGHT &&
		grant(11, 10, 0) == ST_NO_RIGHT);
	CHECK(grant(10, 11, 0) == ST_NO_RIGHT && grant(19, 1, 0) == ST_OK &&
		grant(20, 1, 0) == ST_NO_RIGHT);
	CHECK(grant(10, 1, 7) == ST_NO_RIGHT && grant(10, 1, 4) == ST_OK &&
		grant(500, 0, 0) == ST_OK);
	CHECK(grant(0, 1, 0) == ST_NO_RIGHT && space_of(SPACE_TWO)->io_count == 0);
}

static status_t give_devices(uint64_t pool, uint32_t first, uint64_t count)
{
	return op(OP_POOL_DEVICE, first, 0, pool, count);
}

/* The root task's space goes to another pool. */
static void use_pool(uint16_t pool)
{
	pool_table[root_space()->pool].users--;
	pool_table[pool].users++;
	root_space()->pool = pool;
}

static uint16_t make_pool(void)
{
	const uint64_t *result =
		(const uint64_t *)frame_memory(MACHINE_ROOT_MESSAGE) + OP_RESULTS_OFFSET / 8;

	CHECK_EQUAL(op(OP_POOL_CREATE, 0, 0, 0, 0), ST_OK);
	return (uint16_t)*result;
}

static void test_device_pages_are_given_downwards_from_what_there_is(void)
{
	uint16_t child = make_pool(), below;

	frame_device_limit = FRAMES + 8;
	CHECK_EQUAL(give_devices(POOL_ROOT, FRAMES, 1), ST_NO_RIGHT);
	CHECK_EQUAL(give_devices(POOL_COUNT, FRAMES, 1), ST_NO_RIGHT);
	CHECK_EQUAL(give_devices(child + 1u, FRAMES, 1), ST_NO_RIGHT);
	CHECK_EQUAL(give_devices(0x10000u | child, FRAMES, 1), ST_NO_RIGHT);
	CHECK_EQUAL(give_devices(child, FRAMES, 9), ST_BAD_ARGUMENT);
	CHECK_EQUAL(give_devices(child, FRAMES + 1, 8), ST_BAD_ARGUMENT);
	CHECK_EQUAL(give_devices(child, 0, FRAMES + 9), ST_BAD_ARGUMENT);
	CHECK_EQUAL(give_devices(child, 0, FRAMES + 8), ST_OK);
	CHECK_EQUAL(give_devices(child, FRAMES + 2, 6), ST_OK);
	CHECK(pool_table[child].device_first == FRAMES + 2 && pool_table[child].device_count == 6);
	use_pool(child);
	below = make_pool();
	CHECK_EQUAL(give_devices(below, FRAMES + 1, 2), ST_NO_RIGHT);
	CHECK_EQUAL(give_devices(below, FRAMES + 3, 2), ST_OK);
	CHECK(pool_table[below].device_first == FRAMES + 3 && pool_table[below].device_count == 2);
	CHECK_EQUAL(give_devices(below, 0, 0), ST_OK);
	CHECK_EQUAL(pool_table[below].device_count, 0);
	CHECK_EQUAL(give_devices(POOL_ROOT, FRAMES + 3, 1), ST_NO_RIGHT);
	use_pool(POOL_ROOT);
	frame_device_limit = 0;
}

static void test_what_is_held_or_asks_itself_does_not_end(void)
{
	CHECK_EQUAL(op(OP_DESTROY, MACHINE_ROOT_THREAD, 0, 0, 0), ST_BUSY);
	CHECK_EQUAL(frame_hold(PORT), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_BUSY);
	CHECK(handle_get(root_space(), SLOT));
	frame_release(PORT);
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, MACHINE_ROOT_SPACE, 0, 0, 0), ST_BUSY);
}

static void test_a_handle_that_is_set_has_the_badge_it_may_have(void)
{
	uint64_t give = SLOT_TWO | (uint64_t)RIGHT_SEND << 16;

	CHECK_EQUAL(handle(HANDLE_MINT, SLOT, SLOT_TWO, RIGHT_SEND | RIGHT_GIVE, 5), ST_OK);
	CHECK_EQUAL(op(OP_HANDLE_SET, MACHINE_ROOT_SPACE, SLOT_COPY, give, 5), ST_OK);
	CHECK_EQUAL(root_space()->handles[SLOT_COPY].badge, 5);
	CHECK_EQUAL(op(OP_HANDLE_SET, MACHINE_ROOT_SPACE, SLOT_COPY, give, 6), ST_NO_RIGHT);
	CHECK_EQUAL(root_space()->handles[SLOT_COPY].badge, 5);
	CHECK_EQUAL(op(OP_HANDLE_SET, MACHINE_ROOT_SPACE, HANDLE_SLOTS, give, 5), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_HANDLE_SET, MACHINE_ROOT_SPACE, SLOT_COPY, give | 1 << 20, 5),
		ST_BAD_ARGUMENT);
}

static void test_fields_of_a_thread_are_checked(void)
{
	struct thread *client = thread_of(CLIENT);
	uint64_t noncanonical = 1ull << 47;

	CHECK_EQUAL(
		op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, HANDLE_SLOTS, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, 1ull << 32 | SLOT, 0),
		ST_BAD_HANDLE);
	CHECK_EQUAL(
		op(OP_THREAD_SET, CLIENT, THREAD_FIELD_EXCEPTION_PORT, SLOT_TWO, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_MESSAGE, 1ull << 40, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(frame_hold(SPARE), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_MESSAGE, SPARE, 0), ST_WRONG_TYPE);
	frame_release(SPARE);
	CHECK_EQUAL(
		op(OP_THREAD_SET, CLIENT, THREAD_FIELD_MESSAGE, MACHINE_ROOT_MESSAGE, 0), ST_BUSY);
	CHECK_EQUAL(client->message, CLIENT_PAGE);
	CHECK_EQUAL(
		op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FS_BASE, noncanonical, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		op(OP_THREAD_SET, CLIENT, THREAD_FIELD_START, noncanonical, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FS_BASE, noncanonical - 1, 0), ST_OK);
	CHECK_EQUAL(client->fs_base, noncanonical - 1);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_PRIORITY, PRIORITY_COUNT, 0),
		ST_BAD_ARGUMENT);
	CHECK(client->priority == LOW && client->effective == LOW);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_NAME, 0x6261, 0x6463), ST_OK);
	CHECK(!strcmp(client->name, "ab") && !strcmp(client->name + 8, "cd"));
}

static void test_a_clone_has_the_registers_and_handlers_of_its_original(void)
{
	struct thread *client = thread_of(CLIENT), *clone = thread_of(SPARE);

	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, MACHINE_ROOT_SPACE, LOW), ST_OK);
	client->upcall_entry = 0x1000;
	client->upcall_stack = 0x2000;
	client->upcall_argument = 0x3000;
	client->gs_base = 0x4000;
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_EXCEPTION_PORT, SLOT, 4), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_ARGUMENTS, 11, 12), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_CLONE, SPARE, 0, CLIENT, 0), ST_OK);
	CHECK(clone->upcall_entry == 0x1000 && clone->upcall_stack == 0x2000 &&
		clone->gs_base == 0x4000);
	CHECK(clone->upcall_argument == 0x3000 && clone->exception_port.badge == 4);
	CHECK(clone->registers.rdi == 11 && clone->registers.rsi == 12 &&
		clone->registers.rip == CODE);
	CHECK_EQUAL(op(OP_THREAD_START, SPARE, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_CLONE, SPARE, 0, CLIENT, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_THREAD_CLONE, CLIENT, 0, SPARE, 0), ST_BUSY); /* it may run now */
}

static void test_registers_are_read_while_there_is_room(void)
{
	struct op *ops = frame_memory(MACHINE_ROOT_MESSAGE);
	uint32_t words = sizeof(struct registers) / 8;

	for (uint32_t i = 0; i < OP_MAX_IN_PAGE; i++)
		ops[i] = (struct op){ op_head(OP_THREAD_GET, 0, CLIENT, 0, 1), 0, 0 };
	CHECK_EQUAL(machine_call_with(CALL_BATCH, OP_MAX_IN_PAGE, 0, 0), ST_MORE);
	CHECK_EQUAL(machine.user.rdx, OP_RESULTS_MAX / words);
	CHECK_EQUAL(machine.user.r8, OP_RESULTS_MAX / words * words);
}

static void test_who_stops_and_starts_itself_runs_on(void)
{
	struct op *ops = frame_memory(MACHINE_ROOT_MESSAGE);

	ops[0] = (struct op){ op_head(OP_THREAD_STOP, 0, MACHINE_ROOT_THREAD, 0, 1), 0, 0 };
	ops[1] = (struct op){ op_head(OP_THREAD_START, 0, MACHINE_ROOT_THREAD, 0, 1), 0, 0 };
	CHECK_EQUAL(machine_call_with(CALL_BATCH, 2, 0, 0), ST_OK);
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK_EQUAL(thread_of(MACHINE_ROOT_THREAD)->state, THREAD_READY);
	CHECK(list_is_empty(&thread_of(MACHINE_ROOT_THREAD)->link));
	CHECK_EQUAL(op(OP_THREAD_START, MACHINE_ROOT_THREAD, 0, 0, 0), ST_BUSY);
}

static void test_a_queued_call_that_is_stopped_was_interrupted(void)
{
	CHECK_EQUAL(
		op(OP_THREAD_SET, MACHINE_ROOT_THREAD, THREAD_FIELD_PRIORITY, LOW - 1, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_START, CLIENT, 0, 0, 0), ST_OK);
	machine_call_with(CALL_CALL, SLOT, 1, 0);
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK_EQUAL(thread_of(CLIENT)->state, THREAD_QUEUED);
	CHECK_EQUAL(op(OP_THREAD_STOP, CLIENT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(thread_of(CLIENT)->state, THREAD_STOPPED);
	CHECK_EQUAL(thread_of(CLIENT)->registers.rax, ST_INTERRUPTED);
	CHECK_EQUAL(port_of(PORT)->queued_priorities, 0);
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

static void test_the_number_of_operations_is_not_cut_off(void)
{
	CHECK_EQUAL(machine_call_with(CALL_BATCH, 1ull << 32 | 1, 0, 0), ST_BAD_ARGUMENT);
	CHECK(machine.user.rdx == 0 && machine.user.r10 == 0 && machine.user.r8 == 0);
	CHECK_EQUAL(machine_call_with(CALL_BATCH, OP_MAX_IN_PAGE + 1, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(machine_call_with(CALL_BATCH, 0, 0, 0), ST_BAD_ARGUMENT);
	memset(frame_memory(MACHINE_ROOT_MESSAGE), 0, PAGE_SIZE); /* OP_NOP, 64 times */
	CHECK_EQUAL(machine_call_with(CALL_BATCH, OP_MAX_IN_PAGE, 0, 0), ST_OK);
	CHECK_EQUAL(machine.user.rdx, OP_MAX_IN_PAGE);
}

/* ---- faults ---- */

/* The client faults; the root task has the message. */
static void client_faults(uint64_t address, uint32_t error)
{
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, SLOT, 9), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_START, CLIENT, 0, 0, 0), ST_OK);
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE, 0, 0);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_fault(address, error);
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK(machine.user.rsi == (LABEL_FAULT | TAG_KERNEL) && machine.user.rdi == 9);
	CHECK_EQUAL(machine.user.rdx, address);
}

static void test_a_fault_in_the_kernels_slots_shows_none_of_its_entries(void)
{
	client_faults(LAYOUT_VMEMMAP, FAULT_USER); /* a hole of the view of the frame table */
	CHECK_EQUAL(machine.user.r10 & 0xffff, FAULT_USER);
	CHECK_EQUAL(FAULT_LEVEL(machine.user.r10), LAYOUT_LEVELS);
	CHECK(machine.user.r9 == 0 && machine.user.r12 == 0 && machine.user.r13 == 0);
	CHECK(machine.user.r14 == 0 && machine.user.r15 == 0);
}

/* A word of the pager's in an open slot of the upper half, and bits that are no affair of a pager's. */
static void test_a_fault_shows_the_entries_and_the_error_as_they_are(void)
{
	const uint32_t error = FAULT_PRESENT | FAULT_USER | FAULT_RESERVED | FAULT_FETCH;
	const uint64_t word = 0x123400;

	CHECK_EQUAL(op(OP_SET, MACHINE_ROOT_TOP, LAYOUT_MESSAGE_SLOT, word, 0), ST_OK);
	client_faults(LAYOUT_MESSAGE, error | 0x60);
	CHECK_EQUAL(machine.user.r10 & 0xffff, error);
	CHECK_EQUAL(machine.user.r9, word);
	CHECK_EQUAL(op(OP_SET, MACHINE_ROOT_TOP, LAYOUT_MESSAGE_SLOT, 0, word), ST_OK);
}

/* A page of the root task's space at CODE, through tables of four fresh frames. */
static void map_code_page(pfn_t first)
{
	pfn_t table = MACHINE_ROOT_TOP;

	for (uint32_t level = LAYOUT_LEVELS; level > 0; level--, first++) {
		uint32_t index = (uint32_t)(CODE >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES;
		uint32_t type = level > 1 ? FRAME_L1 + level - 2 : FRAME_DATA;

		CHECK_EQUAL(op(OP_RETYPE, first, 0, type, 0), ST_OK);
		CHECK_EQUAL(
			op(OP_SET, table, index, pte_make(first, PTE_P | PTE_W | PTE_U), 0), ST_OK);
		table = first;
	}
}

/* The tables allow the access already: the thread goes on, and the server that waits hears nothing. */
static void test_a_fault_that_is_cured_already_is_no_message(void)
{
	map_code_page(SPARE);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, SLOT, 9), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_START, CLIENT, 0, 0, 0), ST_OK);
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE, 0, 0);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_fault(CODE, FAULT_PRESENT | FAULT_WRITE | FAULT_USER);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_fault(CODE, FAULT_PRESENT | FAULT_RESERVED | FAULT_USER); /* that no table cures */
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK_EQUAL(machine.user.r10 & FAULT_RESERVED, FAULT_RESERVED);
}

/* The batch of the answer ends the very thread it answers, and has results, which a message would hide. */
static void test_an_answer_to_nobody_tells_its_results(void)
{
	uint64_t token;

	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_L1, 0), ST_OK);
	token = client_calls(0, SLOT, 1);
	machine.user.rbx = token;
	machine.user.r10 = machine.user.r8 = machine.user.r12 = machine.user.r13 = 0;
	machine.user.r9 = op_head(OP_DESTROY, 0, CLIENT, 0, 1);
	CHECK_EQUAL(machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY | RR_RECEIVE,
			    2ull << TAG_OPS_SHIFT, op_head(OP_READ, 0, SPARE, 0, 1)),
		ST_RESULTS);
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK(machine.user.rdx == 2 && machine.user.r10 == 0 && machine.user.r8 == 1);
	CHECK_EQUAL(frame_table[CLIENT].type, FRAME_FREE);
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

static void test_who_hears_of_a_cancel_has_its_own_priority(void)
{
	client_calls(0, SLOT, 1);
	CHECK_EQUAL(op(OP_THREAD_INTERRUPT, CLIENT, 0, 0, 0), ST_OK);
	thread_of(MACHINE_ROOT_THREAD)->effective =
		MACHINE_ROOT_PRIORITY + 5; /* lent by a caller */
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE, 0, 0);
	CHECK_EQUAL(machine.user.rsi, TAG_CANCEL);
	CHECK_EQUAL(thread_of(MACHINE_ROOT_THREAD)->effective, MACHINE_ROOT_PRIORITY);
}

/* The client is queued with a payload; then its page is taken from it. */
static void test_a_sender_without_its_page_sends_no_bytes(void)
{
	CHECK_EQUAL(
		op(OP_THREAD_SET, MACHINE_ROOT_THREAD, THREAD_FIELD_PRIORITY, LOW - 1, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_START, CLIENT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_call_with(CALL_CALL, SLOT, tag_make(4, 64), 0);
	CHECK_EQUAL(machine_running(), MACHINE_ROOT_THREAD);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_MESSAGE, 0, 0), ST_OK);
	memset(frame_memory(MACHINE_ROOT_MESSAGE), 0x77, PAGE_SIZE);
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_RECEIVE, 0, 0);
	CHECK_EQUAL(machine.user.rsi, 4);
	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		CHECK_EQUAL(((uint8_t *)frame_memory(MACHINE_ROOT_MESSAGE))[i], 0x77);
}

static void test_a_server_that_stops_itself_in_its_answer_does_not_wait(void)
{
	uint64_t token = client_calls(0, SLOT, 1),
		 head = op_head(OP_THREAD_STOP, 0, MACHINE_ROOT_THREAD, 0, 0);

	machine.user.rbx = token;
	machine.user.r10 = machine.user.r8 = 0;
	machine_call_with(
		CALL_REPLY_RECEIVE, SLOT | RR_REPLY | RR_RECEIVE, 1ull << TAG_OPS_SHIFT, head);
	CHECK_EQUAL(machine_running(), CLIENT);
	CHECK_EQUAL(thread_of(MACHINE_ROOT_THREAD)->state, THREAD_STOPPED);
	CHECK(list_is_empty(&port_of(PORT)->receivers));
}

static void test_a_reset_ends_calls_and_their_cancels(void)
{
	client_calls(0, SLOT, 1);
	CHECK_EQUAL(op(OP_THREAD_INTERRUPT, CLIENT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_PORT_RESET, PORT, 0, 0, 0), ST_OK);
	CHECK(list_is_empty(&port_of(PORT)->cancels) && list_is_empty(&port_of(PORT)->served));
	CHECK_EQUAL(thread_of(CLIENT)->registers.rax, ST_DEAD);
}

/* ---- spaces and flushes ---- */

static struct processor was;

static void remember(void)
{
	was = processor;
}

/* So many loads of CR3 since remember(), of which so many flushed; so many complete flushes. */
static bool loaded(uint64_t loads, uint64_t flushing, uint64_t complete)
{
	uint64_t all = processor.cr3_loads - was.cr3_loads;

	return all == loads && all - (processor.cr3_loads_kept - was.cr3_loads_kept) == flushing &&
	       processor.context_flushes - was.context_flushes == complete;
}

static struct space *second_space(void)
{
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, 0), ST_OK);
	return space_of(SPACE_TWO);
}

static void test_with_identifiers_only_what_is_due_is_flushed(void)
{
	struct space *root = root_space(), *other = second_space();
	uint32_t epoch = flush_epoch;

	remember();
	switch_space(other); /* a fresh identifier may have been another's */
	CHECK(loaded(1, 1, 0) && this_cpu()->space == other && other->pcid != root->pcid);
	CHECK_EQUAL(processor.cr3, (uint64_t)TOP_TWO << PAGE_SHIFT | other->pcid);
	switch_space(root);
	switch_space(other);
	CHECK(loaded(3, 1, 0)); /* both as they were left */
	flush_space(root);	/* when it runs again */
	CHECK(loaded(3, 1, 0) && root->flush_pending);
	switch_space(root);
	CHECK(loaded(4, 2, 0) && !root->flush_pending);
	flush_space(root); /* it runs: now */
	CHECK(loaded(5, 3, 0) && !root->flush_pending && flush_epoch == epoch);
	flush_everything();
	CHECK(loaded(5, 3, 1) && flush_epoch == epoch + 1);
	flush_hinted_all();
	CHECK(loaded(5, 3, 2) && flush_epoch == epoch + 2);
}

static void test_without_identifiers_every_load_flushes_all(void)
{
	struct space *root, *other;
	uint32_t epoch;

	machine_stop();
	machine_start(FRAMES, 0);
	root = root_space();
	other = second_space();
	epoch = flush_epoch;
	remember();
	switch_space(other);
	CHECK(loaded(1, 1, 0) && flush_epoch == epoch + 1);
	CHECK_EQUAL(processor.cr3, (uint64_t)TOP_TWO << PAGE_SHIFT);
	switch_space(root);
	CHECK(loaded(2, 2, 0) && flush_epoch == epoch + 2);
	flush_everything();
	CHECK(loaded(3, 3, 0) && flush_epoch == epoch + 3);
	flush_space(root);
	CHECK(loaded(4, 4, 0) && flush_epoch == epoch + 4);
	flush_space(other);
	CHECK(loaded(4, 4, 0) && flush_epoch == epoch + 4);
}

static void test_an_identifier_is_one_spaces_in_its_generation(void)
{
	static bool taken[4096];
	static struct space spaces[5000];
	uint64_t generation = 0;
	uint32_t generations = 0;

	memset(spaces, 0, sizeof(spaces));
	for (uint32_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		spaces[i].top = MACHINE_ROOT_TOP;
		remember();
		switch_space(&spaces[i]);
		CHECK(loaded(1, 1, 0) && spaces[i].pcid > 0 && spaces[i].pcid < 4096);
		if (spaces[i].pcid_generation != generation) {
			memset(taken, 0, sizeof(taken));
			generation = spaces[i].pcid_generation;
			generations++;
		}
		CHECK(!taken[spaces[i].pcid]);
		taken[spaces[i].pcid] = true;
	}
	CHECK(generations == 2 || generations == 3);
	switch_space(root_space()); /* of a generation before: another identifier, flushed */
	CHECK(loaded(2, 2, 0) && root_space()->pcid_generation == generation);
	CHECK(!taken[root_space()->pcid]);
}

static void test_a_port_of_a_frame_in_use_is_not_made(void)
{
	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(frame_hold(SPARE), ST_OK);
	CHECK_EQUAL(op(OP_PORT_CREATE, SPARE, SLOT_TWO, 0, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, SPARE, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPARE, 0, TOP_TWO, 0), ST_BUSY);
	CHECK_EQUAL(op(OP_THREAD_CREATE, SPARE, 0, MACHINE_ROOT_SPACE, LOW), ST_BUSY);
	frame_release(SPARE);
	CHECK(root_space()->handles[SLOT_TWO].pfn == 0 && frame_table[SPARE].type == FRAME_DATA);
	CHECK(frame_table[SPACE_TWO].type == FRAME_FREE && frame_table[TOP_TWO].type == FRAME_FREE);
}

static void test_the_hook_leaves_out_hints_only(void)
{
	struct space *root = root_space();

	remember();
	debug_hook_no_flush = true;
	flush_space(root);
	flush_hinted_all();
	CHECK(loaded(0, 0, 0) && !root->flush_pending);
	flush_everything();
	CHECK(loaded(0, 0, 1));
	debug_hook_no_flush = false;
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
	CHECK_TEST(operations_on_objects_name_objects_of_their_type),
	CHECK_TEST(spaces_get_pools_and_rights_that_there_are),
	CHECK_TEST(devices_are_granted_from_what_the_giver_has),
	CHECK_TEST(device_pages_are_given_downwards_from_what_there_is),
	CHECK_TEST(what_is_held_or_asks_itself_does_not_end),
	CHECK_TEST(a_handle_that_is_set_has_the_badge_it_may_have),
	CHECK_TEST(fields_of_a_thread_are_checked),
	CHECK_TEST(a_clone_has_the_registers_and_handlers_of_its_original),
	CHECK_TEST(registers_are_read_while_there_is_room),
	CHECK_TEST(who_stops_and_starts_itself_runs_on),
	CHECK_TEST(a_queued_call_that_is_stopped_was_interrupted),
	CHECK_TEST(priorities_end_with_those_of_the_pool),
	CHECK_TEST(a_space_ends_empty_and_its_top_rests),
	CHECK_TEST(a_top_has_the_kernels_slots_and_no_others),
	CHECK_TEST(the_number_of_operations_is_not_cut_off),
	CHECK_TEST(a_fault_in_the_kernels_slots_shows_none_of_its_entries),
	CHECK_TEST(a_fault_shows_the_entries_and_the_error_as_they_are),
	CHECK_TEST(a_fault_that_is_cured_already_is_no_message),
	CHECK_TEST(an_answer_to_nobody_tells_its_results),
	CHECK_TEST(a_port_that_ends_fails_a_call_whose_cancel_is_on_its_way),
	CHECK_TEST(a_port_that_ends_fails_a_call_that_was_cancelled),
	CHECK_TEST(who_hears_of_a_cancel_has_its_own_priority),
	CHECK_TEST(a_sender_without_its_page_sends_no_bytes),
	CHECK_TEST(a_server_that_stops_itself_in_its_answer_does_not_wait),
	CHECK_TEST(a_reset_ends_calls_and_their_cancels),
	CHECK_TEST(with_identifiers_only_what_is_due_is_flushed),
	CHECK_TEST(without_identifiers_every_load_flushes_all),
	CHECK_TEST(an_identifier_is_one_spaces_in_its_generation),
	CHECK_TEST(a_port_of_a_frame_in_use_is_not_made),
	CHECK_TEST(the_hook_leaves_out_hints_only),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), make_picture, machine_stop, argc, argv);
}
