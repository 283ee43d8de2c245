/*
 * Tests of exceptions: every vector that a program can cause, and where exceptions go.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define RFLAGS_INTERRUPTS	(1ull << 9)
#define RFLAGS_IOPL		(3ull << 12)
#define RFLAGS_VIRTUAL		(1ull << 17)
#define RFLAGS_TRAP		(1ull << 8)
#define NON_CANONICAL		0x0000800000000000ull
#define LAST_PAGE		0x00007ffffffff000ull
#define GATE_ERROR(vector)	((vector)*8 + 2)
#define GATE_ERROR_QEMU(vector) ((vector)*16 + 2) /* what QEMU 7.2 says in long mode */

static const struct registers *const payload = MESSAGE_PAGE;

/* The next message is an exception of the sub. */
static bool exception_is(const struct sub *sub, struct message *message, uint64_t vector,
	uint64_t error, uint64_t rip)
{
	CHECK_OK(receive_now(message));
	CHECK_EQUAL(message->tag, tag_make(LABEL_EXCEPTION, sizeof(struct registers)) | TAG_KERNEL);
	CHECK_EQUAL(message->badge, sub->badge);
	CHECK_EQUAL(message->w[0], vector);
	CHECK_EQUAL(message->w[1], error);
	CHECK_EQUAL(message->w[2], rip);
	CHECK_EQUAL(payload->vector, vector);
	CHECK_EQUAL(payload->rip, rip);
	return true;
}

/* One test per program of blobs.asm: it raises `vector` with `error` at NAME_at + offset. */
#define EXCEPTION_TEST(name, vector, error, offset)                                               \
	extern const uint8_t program_##name##_at[];                                               \
	void program_##name(uint64_t first, uint64_t second);                                     \
	static bool exception_##name(void)                                                        \
	{                                                                                         \
		struct message message;                                                           \
		struct sub sub;                                                                   \
                                                                                                  \
		CHECK(sub_make(&sub, NULL));                                                      \
		CHECK(sub_start(&sub, program_##name, 0, 0));                                     \
		return exception_is(                                                              \
			&sub, &message, vector, error, (uint64_t)program_##name##_at + (offset)); \
	}

EXCEPTION_TEST(divide, VECTOR_DIVIDE, 0, 0)
EXCEPTION_TEST(single_step, VECTOR_DEBUG, 0, 0)
EXCEPTION_TEST(breakpoint, VECTOR_BREAKPOINT, 0, 0)
EXCEPTION_TEST(overflow_gate, VECTOR_OVERFLOW, 0, 2)
EXCEPTION_TEST(invalid_opcode, VECTOR_INVALID_OPCODE, 0, 0)
EXCEPTION_TEST(privileged, VECTOR_PROTECTION, 0, 0)
EXCEPTION_TEST(read_control, VECTOR_PROTECTION, 0, 0)
EXCEPTION_TEST(port_output, VECTOR_PROTECTION, 0, 0)
EXCEPTION_TEST(interrupts_off, VECTOR_PROTECTION, 0, 0)
EXCEPTION_TEST(bad_segment, VECTOR_PROTECTION, 0x28, 0)
EXCEPTION_TEST(non_canonical, VECTOR_PROTECTION, 0, 0)
EXCEPTION_TEST(x87, VECTOR_FPU, 0, 0)

/* What not every emulator raises: the program then goes on, or meets `instead`. */
static bool exception_or_skip(
	program_t program, const uint8_t *at, uint64_t vector, uint64_t instead)
{
	struct message message;
	struct sub sub;
	status_t status;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program, 0, 0));
	status = receive_now(&message);
	if (status == ST_EMPTY || message.w[0] == instead) {
		return skip("this machine does not raise it");
	}
	CHECK_OK(status);
	CHECK_EQUAL(message.w[0], vector);
	CHECK_EQUAL(message.w[2], (uint64_t)at);
	return true;
}

#define RARE_EXCEPTION_TEST(name, vector, instead)                                              \
	extern const uint8_t program_##name##_at[];                                             \
	void program_##name(uint64_t first, uint64_t second);                                   \
	static bool exception_##name(void)                                                      \
	{                                                                                       \
		return exception_or_skip(program_##name, program_##name##_at, vector, instead); \
	}

#define NOTHING 0xffff
RARE_EXCEPTION_TEST(alignment, VECTOR_ALIGNMENT, NOTHING)
RARE_EXCEPTION_TEST(simd, VECTOR_SIMD, NOTHING)
RARE_EXCEPTION_TEST(icebp, VECTOR_DEBUG, VECTOR_INVALID_OPCODE)
RARE_EXCEPTION_TEST(far_return, VECTOR_PROTECTION,
	VECTOR_PAGE_FAULT) /* QEMU reads the stack as the kernel: SMAP */

/* A push to an address that is not canonical: QEMU 7.2 calls it a protection error. */
extern const uint8_t program_stack_at[];
void program_stack(uint64_t first, uint64_t second);

static bool exception_stack(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_stack, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK(message.w[0] == VECTOR_STACK || message.w[0] == VECTOR_PROTECTION);
	CHECK_EQUAL(message.w[1], 0);
	CHECK_EQUAL(message.w[2], (uint64_t)program_stack_at);
	return true;
}

/* `int n` of a gate that is not for programs. */
#define GATE_TEST(name, number)                                           \
	extern const uint8_t program_##name##_at[];                       \
	void program_##name(uint64_t first, uint64_t second);             \
	static bool exception_##name(void)                                \
	{                                                                 \
		struct message message;                                   \
		struct sub sub;                                           \
                                                                          \
		CHECK(sub_make(&sub, NULL));                              \
		CHECK(sub_start(&sub, program_##name, 0, 0));             \
		CHECK_OK(receive_now(&message));                          \
		CHECK_EQUAL(message.w[0], VECTOR_PROTECTION);             \
		CHECK(message.w[1] == GATE_ERROR(number) ||               \
			message.w[1] == GATE_ERROR_QEMU(number));         \
		CHECK_EQUAL(message.w[2], (uint64_t)program_##name##_at); \
		return true;                                              \
	}

GATE_TEST(interrupt_gate, 0x80)
GATE_TEST(interrupt_14, 14)

/* A pending single step over `mov ss` and `syscall` must not trap inside the kernel. */
extern const uint8_t program_step_into_kernel_at[];
void program_step_into_kernel(uint64_t first, uint64_t second);

static bool a_single_step_into_the_kernel_is_the_programs(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_step_into_kernel, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.w[0], VECTOR_DEBUG);
	CHECK(message.w[2] >= (uint64_t)program_step_into_kernel &&
		message.w[2] <= (uint64_t)program_step_into_kernel_at + 1);
	return true;
}

/* ---- answers ---- */

static bool registers_are_set_as_far_as_allowed(void)
{
	extern const uint8_t program_invalid_opcode_at[];
	struct registers *wanted = MESSAGE_PAGE, now;
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_invalid_opcode, 0, 0));
	CHECK(exception_is(
		&sub, &message, VECTOR_INVALID_OPCODE, 0, (uint64_t)program_invalid_opcode_at));
	wanted->rip = (uint64_t)program_stop;
	wanted->rbx = 0x1b1b;
	wanted->r15 = 0xfdfd;
	wanted->rbp = 0xbebe;
	wanted->rflags = RFLAGS_IOPL | RFLAGS_VIRTUAL | 1ull << 10 | 1ull << 63;
	wanted->cs = 8;
	wanted->ss = 16;
	wanted->vector = VECTOR_SYSCALL;
	CHECK_OK(reply(message.token, FAULT_SET_REGISTERS, 0));
	CHECK(sub_registers(&sub, &now));
	CHECK(now.rbx == 0x1b1b && now.r15 == 0xfdfd);
	CHECK_EQUAL(
		now.rflags & (RFLAGS_IOPL | RFLAGS_VIRTUAL | RFLAGS_INTERRUPTS), RFLAGS_INTERRUPTS);
	CHECK_EQUAL(now.cs & 3, 3);
	CHECK_EQUAL(now.ss & 3, 3);
	return true;
}

static bool registers_that_cannot_be_are_refused(void)
{
	extern const uint8_t program_invalid_opcode_at[];
	static const uint64_t wrong[] = { NON_CANONICAL, 0xffff7fffffffffff, 1ull << 63,
		0x7fffffffffffffff };
	struct registers *wanted = MESSAGE_PAGE;
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_invalid_opcode, 0, 0));
	CHECK(exception_is(
		&sub, &message, VECTOR_INVALID_OPCODE, 0, (uint64_t)program_invalid_opcode_at));
	for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		wanted->rip = wrong[i];
		CHECK_EQUAL(reply(message.token, FAULT_SET_REGISTERS, 0), ST_BAD_ARGUMENT);
	}
	CHECK_EQUAL(reply(message.token, FAULT_REFUSE, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(reply(message.token, 77, 0), ST_BAD_ARGUMENT);
	wanted->rip = (uint64_t)program_stop;
	wanted->rsp = NON_CANONICAL; /* allowed: its own fault when used */
	CHECK_OK(reply(message.token, FAULT_SET_REGISTERS, 0));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

static bool a_resumed_exception_happens_again(void)
{
	extern const uint8_t program_invalid_opcode_at[];
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_invalid_opcode, 0, 0));
	for (uint32_t i = 0; i < 3; i++) {
		CHECK(exception_is(&sub, &message, VECTOR_INVALID_OPCODE, 0,
			(uint64_t)program_invalid_opcode_at));
		CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	}
	return true;
}

static bool a_parked_thread_stays_until_it_is_started(void)
{
	extern const uint8_t program_invalid_opcode_at[];
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_invalid_opcode, 0, 0));
	CHECK(exception_is(
		&sub, &message, VECTOR_INVALID_OPCODE, 0, (uint64_t)program_invalid_opcode_at));
	CHECK_OK(reply(message.token, FAULT_PARK, 0));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	CHECK_EQUAL(reply(message.token, FAULT_RESUME, 0), ST_BAD_TOKEN);
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	CHECK(exception_is(
		&sub, &message, VECTOR_INVALID_OPCODE, 0, (uint64_t)program_invalid_opcode_at));
	return true;
}

static bool a_thread_without_a_target_is_parked_and_its_pool_told(void)
{
	struct sub_wish wish = { .no_exception_port = true, .no_fault_port = true };
	struct message message;
	struct sub sub;

	CHECK_OK(op_on(OP_POOL_SET, 0, boot->pool, SLOT_SELF | 0x10ull << 32));
	CHECK(sub_make(&sub, &wish));
	CHECK(sub_start(&sub, program_invalid_opcode, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_EQUAL(message.w[0], 0x10);
	CHECK_OK(sub_start(&sub, program_read, SUB_UNUSED, 0) ? ST_OK : ST_BUSY);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.w[0], 0x10);
	CHECK_OK(op_on(OP_POOL_SET, 0, boot->pool, 0));
	return true;
}

/* ---- self-upcall ---- */

/* What upcall_handler kept. */
struct upcall_seen {
	uint64_t argument, rsp, vector, error, address, reason0, reason1, rip, old_rsp, rbx;
};

static volatile struct upcall_seen *upcall_seen(void)
{
	shared_page.scratch[1] = (uint64_t)&shared_page.word[0];
	shared_page.scratch[3] = LAYOUT_MESSAGE;
	return (volatile struct upcall_seen *)&shared_page.word[0];
}

static bool an_upcall_puts_registers_into_the_message_page(void)
{
	volatile struct upcall_seen *seen = upcall_seen();
	struct upcall *upcall;
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(
		&sub, program_takes_upcall, (uint64_t)upcall_handler, SUB_STACK_TOP - 1024));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	CHECK_EQUAL(seen->rsp, SUB_STACK_TOP - 1024);
	upcall = message_open(sub.message);
	CHECK_EQUAL(upcall->vector, VECTOR_INVALID_OPCODE);
	CHECK_EQUAL(upcall->registers.rip, (uint64_t)program_takes_upcall_at);
	CHECK_EQUAL(upcall->registers.rbx, 0x123456789abcdef0);
	CHECK_EQUAL(upcall->address, 0);
	message_close(sub.message);
	CHECK_EQUAL(seen->rbx, 0x123456789abcdef0);
	CHECK_EQUAL(seen->vector, VECTOR_INVALID_OPCODE);
	CHECK_EQUAL(seen->rip, (uint64_t)program_takes_upcall_at);
	return true;
}

static bool an_upcall_without_a_stack_leaves_the_red_zone_alone(void)
{
	volatile struct upcall_seen *seen = upcall_seen();
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_takes_upcall, (uint64_t)upcall_handler, 0));
	CHECK_EQUAL(seen->vector, VECTOR_INVALID_OPCODE);
	CHECK(seen->rsp <= seen->old_rsp - 128);
	CHECK_EQUAL(seen->rsp % 16, 8);
	return true;
}

static bool a_refused_fault_goes_to_the_upcall_with_its_reasons(void)
{
	volatile struct upcall_seen *seen = upcall_seen();
	struct message message, answer = { .tag = FAULT_REFUSE, .w = { 3, 0x3333 } };
	struct registers registers = { 0 };
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step = step_add(0, CALL_THREAD, THREAD_SELF_UPCALL, (uint64_t)upcall_handler,
		SUB_STACK_TOP - 64, LAYOUT_MESSAGE);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(step->out.rax);
	CHECK(sub_start(&sub, program_write, SUB_UNUSED + 24, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	answer.token = message.token;
	CHECK_OK(reply_receive(SLOT_SELF | RR_REPLY, &answer));
	let_others_run();
	CHECK_EQUAL(seen->argument, LAYOUT_MESSAGE);
	CHECK_EQUAL(seen->vector, VECTOR_PAGE_FAULT);
	CHECK_EQUAL(seen->error, FAULT_USER | FAULT_WRITE);
	CHECK_EQUAL(seen->address, SUB_UNUSED + 24);
	CHECK(seen->reason0 == 3 && seen->reason1 == 0x3333);
	CHECK(sub_registers(&sub, &registers));
	return true;
}

/* The same by a reply that waits for the next message: the thread runs at once, on the short path where there is
   one.  The handler ends by stopping, so what we get is a call of another. */
static bool a_refusal_runs_the_handler_at_once(void)
{
	volatile struct upcall_seen *seen = upcall_seen();
	struct sub_wish below = { .priority = PRIORITY_BELOW };
	struct sub_wish lowest = { .priority = PRIORITY_BELOW - 1 };
	struct message message;
	struct step *step;
	struct sub sub, other;

	CHECK(sub_make(&sub, &below) && sub_make(&other, &lowest));
	step = step_add(0, CALL_THREAD, THREAD_SELF_UPCALL, (uint64_t)upcall_handler,
		SUB_STACK_TOP - 64, LAYOUT_MESSAGE);
	step_call(0, SUB_SLOT_MAIN, 77, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_soon(&message));
	CHECK_OK(step->out.rax);
	CHECK_OK(op_on(OP_THREAD_STOP, sub.thread, 0, 0));
	CHECK(sub_start(&sub, program_write, SUB_UNUSED + 24, 0));
	CHECK_OK(receive_soon(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	step_call(1, SUB_SLOT_MAIN, 78, 0, 0);
	CHECK(sub_start(&other, program_steps, 1, 0));
	message.tag = FAULT_REFUSE;
	message.w[0] = 3;
	message.w[1] = 0x3333;
	CHECK_OK(ipc_reply_receive(SLOT_SELF | RR_REPLY | RR_RECEIVE, &message));
	CHECK_EQUAL(TAG_LABEL(message.tag), 78);
	CHECK_EQUAL(seen->argument, LAYOUT_MESSAGE);
	CHECK_EQUAL(seen->vector, VECTOR_PAGE_FAULT);
	CHECK_EQUAL(seen->error, FAULT_USER | FAULT_WRITE);
	CHECK_EQUAL(seen->address, SUB_UNUSED + 24);
	CHECK(seen->reason0 == 3 && seen->reason1 == 0x3333);
	return true;
}

static bool an_upcall_handler_that_cannot_be_is_refused(void)
{
	struct sub_wish wish = { .no_message_page = true };
	struct step *entry, *stack, *page, *none, *what, *base;
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	entry = step_add(0, CALL_THREAD, THREAD_SELF_UPCALL, NON_CANONICAL, 0, 0);
	stack = step_add(
		0, CALL_THREAD, THREAD_SELF_UPCALL, (uint64_t)upcall_handler, NON_CANONICAL, 0);
	page = step_add(0, CALL_THREAD, THREAD_SELF_UPCALL, (uint64_t)upcall_handler, 0, 0);
	none = step_add(0, CALL_THREAD, THREAD_SELF_UPCALL, 0, 0, 0);
	what = step_add(0, CALL_THREAD, THREAD_SELF_STOP + 1, 0, 0, 0);
	base = step_add(0, CALL_THREAD, THREAD_SELF_TLS, NON_CANONICAL, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(entry->out.rax, ST_BAD_ARGUMENT);
	CHECK_EQUAL(stack->out.rax, ST_BAD_ARGUMENT);
	CHECK_EQUAL(page->out.rax, ST_NO_PAGE);
	CHECK_EQUAL(none->out.rax, ST_OK);
	CHECK_EQUAL(what->out.rax, ST_BAD_ARGUMENT);
	CHECK_EQUAL(base->out.rax, ST_BAD_ARGUMENT);
	return true;
}

/* ---- foreign calls ---- */

static bool a_foreign_call_number_is_an_exception(void)
{
	static const uint64_t numbers[] = { CALL_COUNT, 255, 0x7fffffff, 0xffffffff };
	struct message message;
	struct sub sub;

	for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		shared_page.scratch[2] = 0;
		CHECK(sub_make(&sub, NULL));
		CHECK(sub_start(&sub, program_foreign_call, numbers[i], 0));
		CHECK(exception_is(
			&sub, &message, VECTOR_FOREIGN_CALL, 0, (uint64_t)program_foreign_call_at));
		CHECK_EQUAL(payload->rax, numbers[i]);
		CHECK_OK(reply(message.token, FAULT_RESUME, 0));
		CHECK_EQUAL(shared_page.scratch[2], 1);
	}
	return true;
}

static bool a_call_number_with_high_bits_is_foreign(void)
{
	struct message message;
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step = step_add(0, 0, 0, 0, 0, 0);
	step->in.rax = 1ull << 32 | CALL_YIELD;
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.w[0], VECTOR_FOREIGN_CALL);
	CHECK_EQUAL(payload->rax, 1ull << 32 | CALL_YIELD);
	return true;
}

/* ---- the edge of the address space ---- */

static bool a_call_at_the_last_byte_below_the_hole_does_not_break_the_kernel(void)
{
	struct message message;
	struct sub sub;
	const uint64_t bytes = blob_syscall_bytes;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_put_code(&sub, LAST_PAGE, blob_syscall, bytes, (uint32_t)(PAGE_SIZE - bytes)));
	CHECK(sub_set(&sub, THREAD_FIELD_START, LAST_PAGE + PAGE_SIZE - bytes, SUB_STACK_TOP - 8));
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0)); /* rax = 0: a CALL of handle 0 */
	let_others_run();
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
	CHECK_EQUAL(message.w[2], NON_CANONICAL);
	CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(message.w[2], NON_CANONICAL);
	return true;
}

static bool a_jump_into_the_hole_is_the_programs_own_exception(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_start(&sub, program_jump, NON_CANONICAL, 0));
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_OK(receive_now(&message));
		CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_EXCEPTION);
		CHECK_EQUAL(message.w[0], VECTOR_PROTECTION);
		CHECK_OK(reply(message.token, FAULT_RESUME, 0));
	}
	return true;
}

static bool a_call_from_the_upper_half_returns_there(void)
{
	struct message message;
	struct sub sub;
	const uint64_t bytes = blob_syscall_bytes;

	CHECK(sub_make(&sub, NULL));
	CHECK(sub_put_code(
		&sub, LAYOUT_VMALLOC, blob_syscall, bytes, (uint32_t)(PAGE_SIZE - bytes)));
	CHECK(sub_set(
		&sub, THREAD_FIELD_START, LAYOUT_VMALLOC + PAGE_SIZE - bytes, SUB_STACK_TOP - 8));
	CHECK_OK(op_on(OP_THREAD_START, sub.thread, 0, 0));
	let_others_run();
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(TAG_LABEL(message.tag), LABEL_FAULT);
	CHECK_EQUAL(message.w[0], LAYOUT_VMALLOC + PAGE_SIZE);
	return true;
}

#define ROW(name)                                    \
	{                                            \
		"exception_" #name, exception_##name \
	}

const struct test tests_exceptions[] = {
	ROW(divide),
	ROW(single_step),
	ROW(icebp),
	ROW(breakpoint),
	ROW(overflow_gate),
	ROW(invalid_opcode),
	ROW(privileged),
	ROW(read_control),
	ROW(port_output),
	ROW(interrupts_off),
	ROW(interrupt_gate),
	ROW(interrupt_14),
	ROW(bad_segment),
	ROW(far_return),
	ROW(non_canonical),
	ROW(stack),
	ROW(x87),
	ROW(alignment),
	ROW(simd),
	{ "a_single_step_into_the_kernel_is_the_programs",
		a_single_step_into_the_kernel_is_the_programs },
	{ "registers_are_set_as_far_as_allowed", registers_are_set_as_far_as_allowed },
	{ "registers_that_cannot_be_are_refused", registers_that_cannot_be_are_refused },
	{ "a_resumed_exception_happens_again", a_resumed_exception_happens_again },
	{ "a_parked_thread_stays_until_it_is_started", a_parked_thread_stays_until_it_is_started },
	{ "a_thread_without_a_target_is_parked_and_its_pool_told",
		a_thread_without_a_target_is_parked_and_its_pool_told },
	{ "an_upcall_puts_registers_into_the_message_page",
		an_upcall_puts_registers_into_the_message_page },
	{ "an_upcall_without_a_stack_leaves_the_red_zone_alone",
		an_upcall_without_a_stack_leaves_the_red_zone_alone },
	{ "a_refused_fault_goes_to_the_upcall_with_its_reasons",
		a_refused_fault_goes_to_the_upcall_with_its_reasons },
	{ "a_refusal_runs_the_handler_at_once", a_refusal_runs_the_handler_at_once },
	{ "an_upcall_handler_that_cannot_be_is_refused",
		an_upcall_handler_that_cannot_be_is_refused },
	{ "a_foreign_call_number_is_an_exception", a_foreign_call_number_is_an_exception },
	{ "a_call_number_with_high_bits_is_foreign", a_call_number_with_high_bits_is_foreign },
	{ "a_call_at_the_last_byte_below_the_hole_does_not_break_the_kernel",
		a_call_at_the_last_byte_below_the_hole_does_not_break_the_kernel },
	{ "a_jump_into_the_hole_is_the_programs_own_exception",
		a_jump_into_the_hole_is_the_programs_own_exception },
	{ "a_call_from_the_upper_half_returns_there", a_call_from_the_upper_half_returns_there },
	{ 0 },
};
