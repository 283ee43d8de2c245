/*
 * Messages, objects and scheduling on the simulated machine: what the tests in the guest cannot
 * reach (broken rules, the processor's state after each switch, neighbouring frames), and a named
 * test for each fault that was found here.
 *
 * The picture: the root task (priority 32, POOL_ROOT) runs; PORT is in slot 1 of its space with all
 * rights; CLIENT and OTHER are stopped threads of that space, less important, with message pages.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "debug.h"
#include "flush.h"
#include "handle.h"
#include "kernel_machine.h"
#include "list.h"
#include "percpu.h"
#include "pool.h"
#include "sched.h"

enum {
	PORT = MACHINE_FIRST_FREE,
	PORT_TWO,
	CLIENT,
	CLIENT_PAGE,
	OTHER,
	OTHER_PAGE,
	SPACE_TWO,
	TOP_TWO,
	PAGE_TWO,
	NEIGHBOUR, /* lies behind it */
	SPARE,
	SPARE_TWO,
	MANY_FIRST = 64,
	MANY = 400,
	FRAMES = 1024
};
enum { SLOT = 1, SLOT_TWO, SLOT_CLIENT };

#define ROOT	 MACHINE_ROOT_THREAD
#define CODE	 LAYOUT_USER_TEXT
#define LOW	 20u
#define FEATURES (FEATURE_PCID | FEATURE_INVPCID | FEATURE_FSGSBASE)
#define BADGE	 77u

/* ---- the picture ---- */

static status_t op(uint32_t code, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b)
{
	return machine_operate(op_head(code, 0, pfn, index, 1), a, b);
}

static void make_thread(pfn_t pfn, pfn_t space, uint32_t priority, pfn_t message)
{
	CHECK_EQUAL(op(OP_THREAD_CREATE, pfn, 0, space, priority), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, pfn, THREAD_FIELD_START, CODE, LAYOUT_STACK_TOP), ST_OK);
	if (!message)
		return;
	CHECK_EQUAL(op(OP_RETYPE, message, 0, FRAME_MSG, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, pfn, THREAD_FIELD_MESSAGE, message, 0), ST_OK);
}

static void make_picture(void)
{
	machine_start(FRAMES, FEATURES);
	CHECK_EQUAL(op(OP_PORT_CREATE, PORT, SLOT, 0, 0), ST_OK);
	make_thread(CLIENT, MACHINE_ROOT_SPACE, LOW, CLIENT_PAGE);
	make_thread(OTHER, MACHINE_ROOT_SPACE, LOW, OTHER_PAGE);
	CHECK_EQUAL(machine_running(), ROOT);
}

static void end_picture(void)
{
	machine_stop();
}

static void start(pfn_t thread)
{
	CHECK_EQUAL(op(OP_THREAD_START, thread, 0, 0, 0), ST_OK);
}

static void make_space(pfn_t space, pfn_t top, uint32_t flags)
{
	CHECK_EQUAL(op(OP_SPACE_CREATE, space, 0, top, flags), ST_OK);
}

static uint8_t *bytes_of(pfn_t pfn)
{
	return frame_memory(pfn);
}

static void receive(uint64_t slot)
{
	machine_call_with(CALL_REPLY_RECEIVE, slot | RR_RECEIVE, 0, 0);
}

static status_t try_receive(uint64_t slot)
{
	return machine_call_with(CALL_REPLY_RECEIVE, slot | RR_RECEIVE | RR_NONBLOCK, 0, 0);
}

/* The running thread answers what it received last, and goes on. */
static status_t answer(uint64_t token, uint64_t tag, uint64_t word)
{
	machine.user.rbx = token;
	return machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY, tag, word);
}

/* The root task waits, the client calls: the root task has its message.  Returns the token. */
static uint64_t client_calls(uint64_t tag)
{
	start(CLIENT);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_call_with(CALL_CALL, SLOT, tag, 5);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(machine.user.rax, ST_OK);
	return machine.user.rbx;
}

/* Both threads call while nobody receives: they are queued. */
static void both_call(void)
{
	start(CLIENT);
	start(OTHER);
	CHECK_EQUAL(op(OP_THREAD_SET, ROOT, THREAD_FIELD_PRIORITY, LOW - 1, 0), ST_OK);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_call_with(CALL_CALL, SLOT, 1, 1);
	CHECK_EQUAL(machine_running(), OTHER);
	machine_call_with(CALL_CALL, SLOT, 2, 2);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(
		op(OP_THREAD_SET, ROOT, THREAD_FIELD_PRIORITY, MACHINE_ROOT_PRIORITY, 0), ST_OK);
}

static uint8_t state_of(pfn_t thread)
{
	return thread_of(thread)->state;
}

/* The status that a thread's call returned, read once it is ready again. */
static uint64_t status_of(pfn_t thread)
{
	CHECK_EQUAL(state_of(thread), THREAD_READY);
	return thread_of(thread)->registers.rax;
}

/* ---- messages ---- */

static void test_call_and_reply_carry_tag_and_words(void)
{
	uint64_t token = client_calls(tag_make(77, 0));

	CHECK_EQUAL(machine.user.rsi, 77);
	CHECK_EQUAL(machine.user.rdx, 5);
	CHECK_EQUAL(machine.user.rdi, 0);
	CHECK_EQUAL(token & ((1u << FRAME_NUMBER_BITS) - 1), CLIENT);
	machine.user.r13 = 13;
	machine.user.rbx = token;
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY | RR_RECEIVE, 78, 4321);
	CHECK_EQUAL(machine_running(), CLIENT);
	CHECK_EQUAL(machine.user.rax, ST_OK);
	CHECK_EQUAL(machine.user.rsi, 78);
	CHECK_EQUAL(machine.user.rdx, 4321);
	CHECK_EQUAL(machine.user.r13, 13);
}

/* Every length of a payload arrives, and not a byte more. */
static void test_payload_is_exact(void)
{
	static const uint32_t lengths[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 100, 4088, 4089,
		4095, 4096 };

	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint32_t length = lengths[i];
		uint64_t token;

		memset(bytes_of(CLIENT_PAGE), 0x5a, PAGE_SIZE);
		token = i == 0 ? client_calls(1) : machine.user.rbx;
		CHECK_EQUAL(answer(token, 2, 0), ST_OK);
		receive(SLOT);
		CHECK_EQUAL(machine_running(), CLIENT);
		memset(bytes_of(MACHINE_ROOT_MESSAGE), 0xa5, PAGE_SIZE);
		machine_call_with(CALL_CALL, SLOT, tag_make(3, length), 0);
		CHECK_EQUAL(TAG_BYTES(machine.user.rsi), length);
		for (uint32_t byte = 0; byte < PAGE_SIZE; byte++)
			CHECK_EQUAL(
				bytes_of(MACHINE_ROOT_MESSAGE)[byte], byte < length ? 0x5a : 0xa5);
	}
}

static void test_payload_over_a_page_is_refused(void)
{
	client_calls(1);
	for (uint32_t bytes = 4097; bytes < 8192; bytes += 409) {
		CHECK_EQUAL(
			machine_call_with(CALL_CALL, SLOT, tag_make(1, bytes), 0), ST_BAD_ARGUMENT);
		CHECK_EQUAL(answer(machine.user.rbx, tag_make(1, bytes), 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(state_of(CLIENT), THREAD_SERVED);
}

/* The owner of a thread changes the tag of its queued call: no bytes beyond the page go along. */
static void test_tag_changed_while_queued_moves_no_foreign_bytes(void)
{
	both_call();
	CHECK_EQUAL(op(OP_RETYPE, PAGE_TWO, 0, FRAME_MSG, 0), ST_OK);
	CHECK_EQUAL(op(OP_RETYPE, NEIGHBOUR, 0, FRAME_DATA, 0), ST_OK);
	memset(bytes_of(NEIGHBOUR), 0x33, PAGE_SIZE);
	memset(bytes_of(CLIENT_PAGE), 0x44, PAGE_SIZE);
	CHECK_EQUAL(
		op(OP_THREAD_SET, CLIENT, THREAD_FIELD_ARGUMENTS, SLOT, tag_make(9, 8191)), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, ROOT, THREAD_FIELD_MESSAGE, PAGE_TWO, 0), ST_OK);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(machine.user.rsi, 9);
	for (uint32_t byte = 0; byte < PAGE_SIZE; byte++)
		CHECK_EQUAL(bytes_of(NEIGHBOUR)[byte], 0x33);
}

static void test_payload_needs_both_pages(void)
{
	client_calls(1);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_MESSAGE, 0, 0), ST_OK);
	CHECK_EQUAL(answer(machine.user.rbx, tag_make(1, 8), 0), ST_NO_PAGE);
	CHECK_EQUAL(answer(machine.user.rbx, tag_make(1, 0), 0), ST_OK);
}

/* Every slot number that a register can hold. */
static void test_slots_beyond_the_table_name_nothing(void)
{
	static const uint64_t slots[] = { 0, HANDLE_SLOTS, HANDLE_SLOTS + 1, 255, 4096, 65535 };
	uint64_t token = client_calls(1);

	for (uint32_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		uint64_t slot = slots[i];

		CHECK_EQUAL(machine_call_with(CALL_CALL, slot, 0, 0), ST_BAD_HANDLE);
		CHECK_EQUAL(machine_call_with(CALL_REPLY_RECEIVE, slot | RR_RECEIVE, 0, 0),
			ST_BAD_HANDLE);
		CHECK_EQUAL(machine_call_with(CALL_NOTIFY, slot | 1ull << 40, 1, 0), ST_BAD_HANDLE);
		CHECK_EQUAL(machine_call_with(CALL_HANDLE, HANDLE_LOOK, slot, 0), ST_BAD_HANDLE);
		CHECK_EQUAL(op(OP_HANDLE_SET, MACHINE_ROOT_SPACE, 5, slot | RIGHT_SEND << 16, 0),
			ST_BAD_HANDLE);
		if (slot && slot < 256)
			CHECK_EQUAL(answer(token, slot << TAG_HANDLE_SHIFT, 0), ST_BAD_HANDLE);
	}
	CHECK_EQUAL(answer(token, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_PORT_CREATE, SPARE, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op(OP_HANDLE_SET, MACHINE_ROOT_SPACE, 0, SLOT | RIGHT_SEND << 16, 0),
		ST_BAD_ARGUMENT);
	machine.user.r10 = RIGHT_SEND;
	CHECK_EQUAL(machine_call_with(CALL_HANDLE, HANDLE_COPY, SLOT, 0), ST_BAD_ARGUMENT);
}

/* ---- tokens ---- */

static void test_token_is_good_once(void)
{
	uint64_t token = client_calls(1);

	CHECK_EQUAL(answer(token, 1, 0), ST_OK);
	CHECK_EQUAL(answer(token, 1, 0), ST_BAD_TOKEN);
	receive(SLOT);
	machine_call_with(CALL_CALL, SLOT, 1, 0); /* the same client waits at the same port */
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK(machine.user.rbx != token);
	CHECK_EQUAL(answer(token, 1, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(state_of(CLIENT), THREAD_SERVED);
}

static void test_token_forged_in_any_bit_fits_nobody(void)
{
	uint64_t token = client_calls(1);

	for (uint32_t bit = 0; bit < 64; bit++)
		CHECK_EQUAL(answer(token ^ 1ull << bit, 1, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(answer(token, 1, 0), ST_OK);
}

static void test_token_fits_at_its_port_only(void)
{
	uint64_t token = client_calls(1);

	CHECK_EQUAL(op(OP_PORT_CREATE, PORT_TWO, SLOT_TWO, 0, 0), ST_OK);
	machine.user.rbx = token;
	CHECK_EQUAL(machine_call_with(CALL_REPLY_RECEIVE, SLOT_TWO | RR_REPLY, 1, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(answer(token, 1, 0), ST_OK);
}

/* A queued call has a token already, which nobody can know; guessing it is refused. */
static void test_token_of_a_queued_call_fits_nobody(void)
{
	both_call();
	CHECK_EQUAL(answer(thread_of(CLIENT)->token, 1, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(state_of(CLIENT), THREAD_QUEUED);
}

/* The thread is destroyed, its frame becomes one again, which calls: the old token is stale. */
static void test_token_of_a_destroyed_thread_is_stale(void)
{
	uint64_t token = client_calls(1);

	CHECK_EQUAL(op(OP_DESTROY, CLIENT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(answer(token, 1, 0), ST_BAD_TOKEN);
	make_thread(CLIENT, MACHINE_ROOT_SPACE, LOW, 0);
	CHECK(client_calls(1) != token);
	CHECK_EQUAL(answer(token, 1, 0), ST_BAD_TOKEN);
}

/* A DATA frame is written so that it looks like a thread that is served at the port. */
static void test_token_that_names_a_forged_thread_fits_nobody(void)
{
	uint64_t token = client_calls(1),
		 forged = (token & ~((1ull << FRAME_NUMBER_BITS) - 1)) | SPARE;
	struct thread *thread = thread_of(SPARE);

	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_DATA, 0), ST_OK);
	memcpy(thread, thread_of(CLIENT), sizeof(*thread));
	thread->token = forged;
	list_init(&thread->link);
	CHECK_EQUAL(answer(forged, 1, 0), ST_BAD_TOKEN);
	CHECK_EQUAL(answer(FRAMES | token >> FRAME_NUMBER_BITS << FRAME_NUMBER_BITS, 1, 0),
		ST_BAD_TOKEN);
	CHECK_EQUAL(state_of(CLIENT), THREAD_SERVED);
}

/* ---- ports that end or are reset ---- */

/* A fault that is queued again reaches a server that waits already. */
static void test_reset_wakes_a_receiver(void)
{
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, SLOT, BADGE), ST_OK);
	start(CLIENT);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_fault(0x1000, FAULT_USER);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(machine.user.rdi, BADGE);
	CHECK_EQUAL(op(OP_THREAD_SET, OTHER, THREAD_FIELD_PRIORITY, 40, 0), ST_OK);
	start(OTHER);
	CHECK_EQUAL(machine_running(), OTHER);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(op(OP_PORT_RESET, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(machine_running(), OTHER);
	CHECK_EQUAL(machine.user.rsi, LABEL_FAULT | TAG_KERNEL);
	CHECK_EQUAL(machine.user.rdi, BADGE);
	CHECK_EQUAL(state_of(CLIENT), THREAD_SERVED);
}

/* More callers than one call takes care of: the port is gone at once, they learn of it in steps. */
static void test_port_with_many_callers_ends_in_steps(void)
{
	uint32_t calls = 1;

	for (pfn_t pfn = MANY_FIRST; pfn < MANY_FIRST + MANY; pfn++) {
		make_thread(pfn, MACHINE_ROOT_SPACE, LOW, 0);
		start(pfn);
	}
	CHECK_EQUAL(op(OP_THREAD_SET, ROOT, THREAD_FIELD_PRIORITY, LOW - 1, 0), ST_OK);
	for (uint32_t i = 0; i < MANY; i++)
		machine_call_with(CALL_CALL, SLOT, 1, i);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(op(OP_THREAD_SET, ROOT, THREAD_FIELD_PRIORITY, 40, 0), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_MORE);
	CHECK_EQUAL(try_receive(SLOT), ST_BAD_HANDLE);
	CHECK_EQUAL(frame_table[PORT].type, FRAME_PORT);
	while (op(OP_DESTROY, PORT, 0, 0, 0) == ST_MORE)
		calls++;
	CHECK_EQUAL(calls, (MANY - 1) / OBJECT_WAITERS_MAX);
	CHECK_EQUAL(frame_table[PORT].type, FRAME_FREE);
	for (pfn_t pfn = MANY_FIRST; pfn < MANY_FIRST + MANY; pfn++)
		CHECK_EQUAL(status_of(pfn), ST_DEAD);
}

/* As many served faults: the reset goes on where it stopped, each is queued once. */
static void test_port_with_many_faults_is_reset_in_steps(void)
{
	for (pfn_t pfn = MANY_FIRST; pfn < MANY_FIRST + MANY; pfn++) {
		make_thread(pfn, MACHINE_ROOT_SPACE, LOW, 0);
		CHECK_EQUAL(op(OP_THREAD_SET, pfn, THREAD_FIELD_FAULT_PORT, SLOT, pfn), ST_OK);
		start(pfn);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		receive(SLOT);
		CHECK_EQUAL(machine_running(), MANY_FIRST + i);
		machine_fault(0x1000, FAULT_USER);
		CHECK_EQUAL(machine.user.rdi, MANY_FIRST + i);
	}
	CHECK_EQUAL(op(OP_PORT_RESET, PORT, 0, 0, 0), ST_MORE);
	CHECK_EQUAL(op(OP_PORT_RESET, PORT, 0, 0, 0), ST_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		CHECK_EQUAL(try_receive(SLOT), ST_OK);
		CHECK_EQUAL(machine.user.rdi, MANY_FIRST + i);
	}
	CHECK_EQUAL(try_receive(SLOT), ST_EMPTY);
}

/* The port's frame becomes a port again in the same batch: the old handle, the fault port and the
   binding of a line do not fit the new one. */
static void test_names_of_a_port_do_not_fit_its_successor(void)
{
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_EXCEPTION_PORT, SLOT, 1), ST_OK);
	machine.user.r10 = 4;
	CHECK_EQUAL(machine_call_with(CALL_IRQ, IRQ_BIND, 3, SLOT), ST_OK);
	CHECK_EQUAL(op(OP_POOL_SET, 0, 0, POOL_ROOT, SLOT | 1ull << 32), ST_OK);
	CHECK_EQUAL(op(OP_DESTROY, PORT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_PORT_CREATE, PORT, SLOT_TWO, 0, 0), ST_OK);
	CHECK_EQUAL(try_receive(SLOT), ST_BAD_HANDLE);
	CHECK_EQUAL(machine_call_with(CALL_NOTIFY, SLOT, 1, 0), ST_BAD_HANDLE);
	CHECK(machine_interrupt(3));
	CHECK_EQUAL(port_of(PORT)->notification, 0);
	CHECK_EQUAL(op(OP_POOL_SET, 0, 0, POOL_ROOT, SLOT_TWO | 2ull << 32), ST_OK);
	start(CLIENT);
	receive(SLOT_TWO);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_exception(VECTOR_DIVIDE, 0);
	CHECK_EQUAL(state_of(CLIENT), THREAD_PARKED);
	CHECK_EQUAL(machine.user.rsi, TAG_NOTIFICATION);
	CHECK_EQUAL(machine.user.rdx, 2);
}

/* ---- operations that are refused change nothing ---- */

static void test_refused_space_leaves_its_frames(void)
{
	CHECK_EQUAL(op(OP_RETYPE, SPACE_TWO, 0, FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(op(OP_RETYPE, TOP_TWO, 0, FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(op(OP_HOLD, TOP_TWO, 0, 0, 0), ST_OK);
	memset(bytes_of(SPACE_TWO), 0x77, PAGE_SIZE);
	CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, 0), ST_BUSY);
	CHECK_EQUAL(frame_table[SPACE_TWO].type, FRAME_DATA);
	CHECK_EQUAL(bytes_of(SPACE_TWO)[100], 0x77);
	CHECK_EQUAL(op(OP_SPACE_CREATE, TOP_TWO, 0, SPACE_TWO, 0), ST_BUSY);
	CHECK_EQUAL(frame_table[SPACE_TWO].type, FRAME_DATA);
}

static void test_fields_of_a_thread_are_set(void)
{
	static const char name[17] = "sixteen letters!";
	uint64_t words[2];

	memcpy(words, name, sizeof(words));
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_NAME, words[0], words[1]), ST_OK);
	CHECK(memcmp(thread_of(CLIENT)->name, name, sizeof(words)) == 0);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FS_BASE, 0x1234, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_ARGUMENTS, 5, 6), ST_OK);
	start(CLIENT);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), CLIENT);
	CHECK_EQUAL(processor.fs_base, 0x1234);
	CHECK_EQUAL(machine.user.rdi, 5);
	CHECK_EQUAL(machine.user.rsi, 6);
	CHECK_EQUAL(machine.user.rip, CODE);
	CHECK_EQUAL(machine.user.rsp, LAYOUT_STACK_TOP);
}

/* A pool ends when no space has it as its authority any more. */
static void test_pool_ends_after_its_spaces(void)
{
	uint64_t pool;

	CHECK_EQUAL(op(OP_POOL_CREATE, 0, 0, 0, 0), ST_OK);
	memcpy(&pool, bytes_of(MACHINE_ROOT_MESSAGE) + OP_RESULTS_OFFSET, sizeof(pool));
	for (uint32_t round = 0; round < 3; round++) {
		CHECK_EQUAL(op(OP_SPACE_CREATE, SPACE_TWO, 0, TOP_TWO, pool << SPACE_POOL_SHIFT),
			ST_OK);
		CHECK_EQUAL(op(OP_POOL_DESTROY, 0, 0, pool, 0), ST_BUSY);
		CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_OK);
	}
	CHECK_EQUAL(op(OP_POOL_DESTROY, 0, 0, pool, 0), ST_OK);
}

/* A fault at an address of the kernel shows nothing of its tables. */
static void test_fault_in_the_kernels_half_shows_no_entry(void)
{
	static const uint64_t addresses[] = { LAYOUT_DIRECT_MAP, LAYOUT_FRAME_TABLE, LAYOUT_VMEMMAP,
		LAYOUT_KERNEL };

	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, SLOT, BADGE), ST_OK);
	start(CLIENT);
	receive(SLOT);
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQUAL(machine_running(), CLIENT);
		CHECK(!machine_access(addresses[i], FAULT_WRITE));
		CHECK_EQUAL(machine.user.rdx, addresses[i]);
		CHECK_EQUAL(machine.user.r9 | machine.user.r12 | machine.user.r13 |
				    machine.user.r14 | machine.user.r15,
			0);
		machine_call_with(
			CALL_REPLY_RECEIVE, SLOT | RR_REPLY | RR_RECEIVE, FAULT_RESUME, 0);
	}
}

/* What an operation has no use for has to be 0: flags, arguments. */
static void test_surplus_of_operations_on_objects_is_refused(void)
{
	static const struct {
		uint32_t code, index;
		pfn_t pfn;
		bool has_a, has_b;
		uint64_t a, b;
	} rows[] = {
		{ OP_SPACE_CREATE, 0, SPACE_TWO, true, true, TOP_TWO, 0 },
		{ OP_SPACE_GRANT, 0, MACHINE_ROOT_SPACE, true, true, 0, 0 },
		{ OP_THREAD_CREATE, 0, SPARE, true, true, MACHINE_ROOT_SPACE, LOW },
		{ OP_THREAD_SET, THREAD_FIELD_PRIORITY, CLIENT, true, false, LOW, 0 },
		{ OP_THREAD_SET, THREAD_FIELD_FS_BASE, CLIENT, true, false, 0, 0 },
		{ OP_THREAD_SET, THREAD_FIELD_MESSAGE, CLIENT, true, false, 0, 0 },
		{ OP_THREAD_SET, THREAD_FIELD_NAME, CLIENT, true, true, 0, 0 },
		{ OP_THREAD_GET, 0, CLIENT, false, false, 0, 0 },
		{ OP_THREAD_CLONE, 0, CLIENT, true, false, OTHER, 0 },
		{ OP_THREAD_START, 0, CLIENT, false, false, 0, 0 },
		{ OP_THREAD_STOP, 0, CLIENT, false, false, 0, 0 },
		{ OP_THREAD_INTERRUPT, 0, CLIENT, false, false, 0, 0 },
		{ OP_PORT_CREATE, SLOT_TWO, SPARE_TWO, false, false, 0, 0 },
		{ OP_HANDLE_SET, 9, MACHINE_ROOT_SPACE, true, true, 0, 0 },
		{ OP_DESTROY, 0, CLIENT, false, false, 0, 0 },
		{ OP_PORT_RESET, 0, PORT, false, false, 0, 0 },
		{ OP_POOL_DEVICE, 0, 0, true, true, 2, 0 },
	};

	CHECK_EQUAL(op(OP_POOL_CREATE, 0, 0, 0, 0), ST_OK);
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t head = op_head(rows[i].code, 0, rows[i].pfn, rows[i].index, 1);

		for (uint32_t flag = 0; flag < 8; flag++)
			if (rows[i].code != OP_THREAD_START || 1u << flag != OP_START_ANSWER)
				CHECK_EQUAL(machine_operate(head | 1ull << (8 + flag), rows[i].a,
						    rows[i].b),
					ST_BAD_ARGUMENT);
		if (!rows[i].has_a)
			CHECK_EQUAL(machine_operate(head, 1, 0), ST_BAD_ARGUMENT);
		if (!rows[i].has_b)
			CHECK_EQUAL(machine_operate(head, rows[i].a, 1), ST_BAD_ARGUMENT);
	}
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code != OP_POOL_DEVICE)
			CHECK_EQUAL(
				op(rows[i].code, rows[i].pfn, rows[i].index, rows[i].a, rows[i].b),
				ST_OK);
}

/* A refused reply's batch leaves the token good and the caller waiting. */
static void test_refused_batch_keeps_the_token(void)
{
	uint64_t token = client_calls(1), answered = 1ull << TAG_OPS_SHIFT;

	machine.user.rbx = token;
	machine.user.r10 = machine.user.r8 = 0;
	CHECK_EQUAL(machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY | RR_RECEIVE, answered,
			    op_head(OP_THREAD_STOP, 0, PORT, 0, 0)),
		ST_WRONG_TYPE);
	CHECK_EQUAL(machine.user.rdx, 0);
	CHECK_EQUAL(state_of(CLIENT), THREAD_SERVED);
	CHECK_EQUAL(answer(token, 1, 0), ST_OK);
}

/* The batch of a reply destroys the port it answers at, and makes another in its frame. */
static void test_batch_that_replaces_the_port_answers_nobody(void)
{
	uint64_t token = client_calls(1);

	machine.user.rbx = token;
	machine.user.r10 = machine.user.r8 = machine.user.r12 = machine.user.r13 = 0;
	machine.user.r9 = op_head(OP_PORT_CREATE, 0, PORT, SLOT, 0);
	CHECK_EQUAL(machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY, 2ull << TAG_OPS_SHIFT,
			    op_head(OP_DESTROY, 0, PORT, 0, 0)),
		ST_OK);
	CHECK_EQUAL(status_of(CLIENT), ST_DEAD);
	CHECK_EQUAL(try_receive(SLOT), ST_EMPTY);
}

/* ---- scheduling ---- */

static void test_receiver_runs_with_its_callers_priority(void)
{
	uint64_t token;

	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_PRIORITY, 50, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_START, OTHER, 0, 0, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, OTHER, THREAD_FIELD_PRIORITY, 40, 0), ST_OK);
	CHECK_EQUAL(machine_running(), OTHER);
	machine_exception(VECTOR_NMI, 0);
	CHECK_EQUAL(machine_call_with(CALL_THREAD, THREAD_SELF_STOP, 0, 0), ST_OK);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(op(OP_THREAD_START, CLIENT, 0, 0, 0), ST_OK);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_call_with(CALL_CALL, SLOT, 1, 1);
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(try_receive(SLOT), ST_OK);
	token = machine.user.rbx;
	CHECK_EQUAL(thread_of(ROOT)->effective, 50);
	start(OTHER); /* less important than what the root task works for */
	CHECK_EQUAL(machine_running(), ROOT);
	machine.user.rbx = token;
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY, 0, 0);
	CHECK_EQUAL(machine_running(), CLIENT);
	CHECK_EQUAL(thread_of(ROOT)->effective, MACHINE_ROOT_PRIORITY);
}

static void test_more_important_caller_is_received_first(void)
{
	both_call();
	CHECK_EQUAL(op(OP_THREAD_SET, OTHER, THREAD_FIELD_PRIORITY, LOW + 1, 0), ST_OK);
	CHECK_EQUAL(try_receive(SLOT), ST_OK);
	CHECK_EQUAL(machine.user.rsi, 2);
	CHECK_EQUAL(try_receive(SLOT), ST_OK);
	CHECK_EQUAL(machine.user.rsi, 1);
}

static void test_equals_take_turns_at_the_end_of_a_slice(void)
{
	start(CLIENT);
	start(OTHER);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), CLIENT);
	machine_timer(); /* early: the slice goes on */
	CHECK_EQUAL(machine_running(), CLIENT);
	for (uint32_t i = 0; i < 6; i++) {
		CHECK_EQUAL(machine_running(), i % 2 ? OTHER : CLIENT);
		CHECK(machine_tick());
	}
}

static void test_deadline_notifies_once(void)
{
	CHECK_EQUAL(machine_call_with(CALL_TIMER, TIMER_BIND, SLOT, 8), ST_OK);
	CHECK_EQUAL(machine_call_with(CALL_TIMER, TIMER_SET, processor.tsc + 5000, 0), ST_OK);
	receive(SLOT);
	CHECK(machine.idle);
	CHECK(machine_tick());
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(machine.user.rdx, 8);
	receive(SLOT);
	CHECK(machine.idle);
	CHECK_EQUAL(machine.alarm, UINT64_MAX);
}

static void test_lines_are_masked_until_acknowledged(void)
{
	machine.user.r10 = 2;
	CHECK_EQUAL(machine_call_with(CALL_IRQ, IRQ_BIND, 12, SLOT), ST_OK);
	CHECK(machine_interrupt(12));
	CHECK(!machine_interrupt(12));
	CHECK_EQUAL(try_receive(SLOT), ST_OK);
	CHECK_EQUAL(machine.user.rdx, 2);
	CHECK_EQUAL(machine_call_with(CALL_IRQ, IRQ_ACK, 12, 0), ST_OK);
	CHECK(machine_interrupt(12));
	machine_interrupt_spurious(7);
	machine_interrupt_spurious(15);
	CHECK_EQUAL(try_receive(SLOT), ST_OK);
	CHECK_EQUAL(try_receive(SLOT), ST_EMPTY);
}

/* ---- the processor ---- */

/* Each thread finds its own FPU register and bases, whoever ran between. */
static void test_switches_keep_registers_apart(void)
{
	const pfn_t threads[] = { CLIENT, OTHER };

	start(CLIENT);
	start(OTHER);
	receive(SLOT);
	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < 2; i++) {
			CHECK_EQUAL(machine_running(), threads[i]);
			if (round > 0) {
				CHECK_EQUAL(processor.fpu[100], 10 * round + i);
				CHECK_EQUAL(processor.fs_base, 1000 * round + i);
				CHECK_EQUAL(processor.gs_base, 2000 * round + i);
				CHECK_EQUAL(machine.user.r15, 3000 * round + i);
			}
			processor.fpu[100] = (uint8_t)(10 * (round + 1) + i);
			processor.fs_base = 1000 * (round + 1) + i;
			processor.gs_base = 2000 * (round + 1) + i;
			machine.user.r15 = 3000 * (round + 1) + i;
			machine.user.rax = CALL_YIELD;
			machine_call();
		}
	}
}

/* A thread that promised to do without the FPU finds it blocked.  A caller whose own space did not
   promise it may ask others for it. */
static void test_promise_blocks_the_fpu(void)
{
	CHECK(!(space_of(MACHINE_ROOT_SPACE)->flags & SPACE_FPU_NONE));
	make_space(SPACE_TWO, TOP_TWO, SPACE_FPU_NONE);
	make_thread(SPARE, SPACE_TWO, LOW, 0);
	processor.fpu[9] = 42;
	start(SPARE);
	receive(SLOT);
	CHECK_EQUAL(machine_running(), SPARE);
	CHECK(processor.cr0 & CR0_TS);
	CHECK_EQUAL(processor.fpu[9], 42); /* still the root task's: nothing was saved */
	CHECK(percpu0.fpu_owner == thread_of(ROOT));
}

/* Address-space identifiers are given again only after a complete flush. */
static void test_identifiers_are_reused_after_a_flush(void)
{
	uint64_t flushes = processor.context_flushes;
	uint32_t epoch_before = flush_epoch;

	for (uint32_t i = 0; i < 4200; i++) {
		make_space(SPACE_TWO, TOP_TWO, 0);
		make_thread(SPARE, SPACE_TWO, 40, 0);
		start(SPARE);
		CHECK_EQUAL(machine_running(), SPARE);
		CHECK_EQUAL(machine_call_with(CALL_THREAD, THREAD_SELF_STOP, 0, 0), ST_OK);
		CHECK_EQUAL(op(OP_DESTROY, SPARE, 0, 0, 0), ST_OK);
		CHECK_EQUAL(op(OP_DESTROY, SPACE_TWO, 0, 0, 0), ST_OK);
	}
	CHECK(processor.context_flushes > flushes);
	CHECK(flush_epoch != epoch_before);
}

/* After the last byte of the lower half no return is possible: a protection exception instead. */
static void test_call_at_the_end_of_the_lower_half(void)
{
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_EXCEPTION_PORT, SLOT, 3), ST_OK);
	start(CLIENT);
	receive(SLOT);
	machine.user.rip = 0x800000000000ull;
	CHECK_EQUAL(machine_running(), CLIENT);
	machine.user.rax = CALL_YIELD;
	machine_call();
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(TAG_LABEL(machine.user.rsi), LABEL_EXCEPTION);
	CHECK_EQUAL(machine.user.rdx, VECTOR_PROTECTION);
	CHECK_EQUAL(machine.user.r8, 0x800000000000ull);
}

static void test_shutdown_needs_the_right(void)
{
	jmp_buf end;

	CHECK_EQUAL(machine_call_with(CALL_SHUTDOWN, 3, 0, 0), ST_NO_RIGHT);
	space_of(MACHINE_ROOT_SPACE)->flags |= SPACE_SHUTDOWN;
	CHECK_EQUAL(machine_call_with(CALL_SHUTDOWN, 256, 0, 0), ST_BAD_ARGUMENT);
	machine.shutdown = &end;
	if (setjmp(end) == 0)
		machine_call_with(CALL_SHUTDOWN, 3, 0, 0);
	CHECK_EQUAL(machine.shutdown_status, 3);
	machine.shutdown = NULL;
}

/* ---- memory of a running thread ---- */

/* A whole fault: the access, the message, the cure in the answer, the access again. */
static void test_fault_is_cured_in_the_answer(void)
{
	uint64_t page = pte_make(SPARE, PTE_P | PTE_W | PTE_U | PTE_NX);
	const pfn_t tables[] = { MACHINE_ROOT_TOP, MANY_FIRST, MANY_FIRST + 1, MANY_FIRST + 2 };

	for (uint32_t i = 1; i < 4; i++) {
		CHECK_EQUAL(op(OP_RETYPE, tables[i], 0, FRAME_L3 + 1 - i, 0), ST_OK);
		CHECK_EQUAL(
			op(OP_SET, tables[i - 1], 0, pte_make(tables[i], PTE_P | PTE_W | PTE_U), 0),
			ST_OK);
	}
	CHECK_EQUAL(op(OP_RETYPE, SPARE, 0, FRAME_DATA, 0), ST_OK);
	CHECK_EQUAL(op(OP_THREAD_SET, CLIENT, THREAD_FIELD_FAULT_PORT, SLOT, 9), ST_OK);
	start(CLIENT);
	receive(SLOT);
	CHECK(!machine_access(0x3010, FAULT_WRITE));
	CHECK_EQUAL(machine_running(), ROOT);
	CHECK_EQUAL(machine.user.rdx, 0x3010);
	CHECK_EQUAL(FAULT_LEVEL(machine.user.r10), 1);
	CHECK_EQUAL(machine.user.r10 & FAULT_WRITE, FAULT_WRITE);
	CHECK_EQUAL(pte_pfn(machine.user.r13), MANY_FIRST + 2);
	machine.user.r10 = page;
	machine.user.r8 = 0;
	machine_call_with(CALL_REPLY_RECEIVE, SLOT | RR_REPLY | RR_RECEIVE,
		1ull << TAG_OPS_SHIFT | FAULT_RESUME, op_head(OP_SET, 0, MANY_FIRST + 2, 3, 0));
	CHECK_EQUAL(machine_running(), CLIENT);
	CHECK(machine_access(0x3010, FAULT_WRITE) == bytes_of(SPARE) + 0x10);
}

/* ---- kernel_ok finds what is broken ---- */

static uint32_t rule_of(pfn_t *where)
{
	return kernel_ok(where);
}

static void test_rules_of_threads_are_checked(void)
{
	struct thread *thread = thread_of(CLIENT);
	pfn_t where = 0;

	thread->state = THREAD_QUEUED;
	CHECK_EQUAL(rule_of(&where), RULE_THREAD_STATE);
	CHECK_EQUAL(where, CLIENT);
	thread->state = THREAD_PARKED + 1;
	CHECK_EQUAL(rule_of(&where), RULE_THREAD_STATE);
	thread->state = THREAD_STOPPED;
	thread->port = port_of(PORT); /* of no meaning while it does not wait */
	CHECK_EQUAL(rule_of(&where), RULE_THREAD_STATE);
	thread->port = NULL;
	thread->space = space_of(SPARE);
	CHECK(rule_of(&where) == RULE_THREAD_SPACE);
	thread->space = space_of(MACHINE_ROOT_SPACE);
	CHECK_EQUAL(rule_of(&where), 0);
}

static void test_rules_of_message_pages_are_checked(void)
{
	pfn_t where = 0;

	thread_of(CLIENT)->message = SPARE;
	CHECK_EQUAL(rule_of(&where), RULE_MESSAGE_PAGE);
	thread_of(CLIENT)->message = OTHER_PAGE;
	CHECK_EQUAL(rule_of(&where), 0); /* held once: whose hold it is cannot be told */
	thread_of(CLIENT)->message = CLIENT_PAGE;
	frame_table[CLIENT_PAGE].holds = 2;
	CHECK_EQUAL(rule_of(&where), RULE_MESSAGE_PAGE);
	frame_table[CLIENT_PAGE].holds = 1;
}

static void test_rules_of_queues_are_checked(void)
{
	struct port *port = port_of(PORT);
	struct thread *thread = thread_of(CLIENT);
	pfn_t where = 0;

	both_call();
	port->queued_priorities ^= 1ull << LOW;
	CHECK_EQUAL(rule_of(&where), RULE_PORT_QUEUE);
	CHECK_EQUAL(where, PORT);
	port->queued_priorities ^= 1ull << LOW | 1ull << 3;
	CHECK_EQUAL(rule_of(&where), RULE_PORT_QUEUE);
	port->queued_priorities ^= 1ull << 3;
	thread->state = THREAD_SERVED;
	CHECK_EQUAL(rule_of(&where), RULE_PORT_QUEUE);
	thread->state = THREAD_QUEUED;
	list_remove(&thread->link);
	list_append(&port->served, &thread->link);
	CHECK_EQUAL(rule_of(&where), RULE_PORT_QUEUE);
	list_remove(&thread->link);
	list_prepend(&port->queue[LOW], &thread->link);
	CHECK_EQUAL(rule_of(&where), 0);
}

static void test_rules_of_ready_queues_are_checked(void)
{
	struct thread *thread = thread_of(CLIENT);
	pfn_t where = 0;

	start(CLIENT);
	thread->effective = LOW + 1;
	CHECK_EQUAL(rule_of(&where), RULE_READY_QUEUES);
	thread->effective = LOW;
	thread->state = THREAD_PARKED;
	CHECK_EQUAL(rule_of(&where), RULE_READY_QUEUES);
	thread->state = THREAD_READY;
	CHECK_EQUAL(rule_of(&where), 0);
}

static void test_rules_of_pools_are_checked(void)
{
	pfn_t where = 0;

	pool_table[POOL_ROOT].frames++;
	CHECK_EQUAL(rule_of(&where), RULE_POOL_COUNT);
	CHECK_EQUAL(where, POOL_ROOT);
	pool_table[POOL_ROOT].frames--;
	pool_table[POOL_ROOT].below++;
	CHECK_EQUAL(rule_of(&where), RULE_POOL_LIMITS);
	pool_table[POOL_ROOT].below--;
	CHECK_EQUAL(rule_of(&where), 0);
}

static const struct check_test tests[] = {
	CHECK_TEST(call_and_reply_carry_tag_and_words),
	CHECK_TEST(payload_is_exact),
	CHECK_TEST(payload_over_a_page_is_refused),
	CHECK_TEST(tag_changed_while_queued_moves_no_foreign_bytes),
	CHECK_TEST(payload_needs_both_pages),
	CHECK_TEST(slots_beyond_the_table_name_nothing),
	CHECK_TEST(token_is_good_once),
	CHECK_TEST(token_forged_in_any_bit_fits_nobody),
	CHECK_TEST(token_fits_at_its_port_only),
	CHECK_TEST(token_of_a_queued_call_fits_nobody),
	CHECK_TEST(token_of_a_destroyed_thread_is_stale),
	CHECK_TEST(token_that_names_a_forged_thread_fits_nobody),
	CHECK_TEST(reset_wakes_a_receiver),
	CHECK_TEST(port_with_many_callers_ends_in_steps),
	CHECK_TEST(port_with_many_faults_is_reset_in_steps),
	CHECK_TEST(names_of_a_port_do_not_fit_its_successor),
	CHECK_TEST(refused_space_leaves_its_frames),
	CHECK_TEST(fields_of_a_thread_are_set),
	CHECK_TEST(pool_ends_after_its_spaces),
	CHECK_TEST(fault_in_the_kernels_half_shows_no_entry),
	CHECK_TEST(surplus_of_operations_on_objects_is_refused),
	CHECK_TEST(refused_batch_keeps_the_token),
	CHECK_TEST(batch_that_replaces_the_port_answers_nobody),
	CHECK_TEST(receiver_runs_with_its_callers_priority),
	CHECK_TEST(more_important_caller_is_received_first),
	CHECK_TEST(equals_take_turns_at_the_end_of_a_slice),
	CHECK_TEST(deadline_notifies_once),
	CHECK_TEST(lines_are_masked_until_acknowledged),
	CHECK_TEST(switches_keep_registers_apart),
	CHECK_TEST(promise_blocks_the_fpu),
	CHECK_TEST(identifiers_are_reused_after_a_flush),
	CHECK_TEST(call_at_the_end_of_the_lower_half),
	CHECK_TEST(shutdown_needs_the_right),
	CHECK_TEST(fault_is_cured_in_the_answer),
	CHECK_TEST(rules_of_threads_are_checked),
	CHECK_TEST(rules_of_message_pages_are_checked),
	CHECK_TEST(rules_of_queues_are_checked),
	CHECK_TEST(rules_of_ready_queues_are_checked),
	CHECK_TEST(rules_of_pools_are_checked),
};

int main(int argc, char **argv)
{
	return check_run(
		tests, sizeof(tests) / sizeof(tests[0]), make_picture, end_picture, argc, argv);
}
