/*
 * Spaces and threads of tests, and the programs that run in them.
 *
 * A sub is built by the same operations that a pager would use.  Its space shares the text of
 * this program (found by walking our own tables) and shared_page, and nothing else: so programs
 * are plain functions, as long as they touch no other variable.
 *
 *   image & ~2 MiB            text and constants, read-only, as here; shared_page, writable
 *   SUB_PRIVATE               one page of its own
 *   SUB_STACK_TOP             stack of the first thread, growing down; an unmapped page below it
 *   SUB_STACK_TOP + 8 pages   stack of the second thread
 *   LAYOUT_MESSAGE            message page of the first thread, of the second one above
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"
#include "../../variants/shadow/hooks.h"

_Alignas(4096) struct shared shared_page;

#define TABLE_BITS (PTE_P | PTE_W | PTE_U)
#define DATA_BITS  (PTE_P | PTE_W | PTE_U | PTE_NX)

/* ---- tables ---- */

uint32_t table_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

pfn_t walk_table(pfn_t top, uint64_t address, uint32_t level)
{
	pfn_t table = top;

	for (uint32_t above = LAYOUT_LEVELS; above > level && table; above--) {
		uint64_t entry = table_entry(table, table_index(address, above));

		table = (entry & PTE_P) && !(entry & PTE_PS) ? pte_pfn(entry) : 0;
	}
	return table;
}

/* The table that entry `index` of `table` (at `level`) leads to, made when there is none. */
static pfn_t table_below(pfn_t table, uint32_t level, uint32_t index)
{
	uint64_t entry = table_entry(table, index);
	pfn_t below;

	if (entry & PTE_P) {
		return pte_pfn(entry);
	}
	below = frame_take_as((frame_type_t)(FRAME_L1 + level - 2));
	if (!below || op_at(OP_SET, table, index, pte_make(below, TABLE_BITS), 0) != ST_OK) {
		fail(__FILE__, __LINE__, "a table can be linked", table, index);
		return 0;
	}
	return below;
}

bool map_page(pfn_t top, uint64_t address, pfn_t pfn, uint64_t bits)
{
	pfn_t table = top;

	for (uint32_t level = LAYOUT_LEVELS; level > 1 && table; level--) {
		table = table_below(table, level, table_index(address, level));
	}
	return table &&
	       op_at(OP_SET, table, table_index(address, 1), pte_make(pfn, bits), 0) == ST_OK;
}

/* ---- making a sub ---- */

uint32_t sub_index(uint64_t address)
{
	return table_index(address, 1);
}

uint64_t sub_entry(const struct sub *sub, uint64_t address)
{
	return table_entry(sub->image_table, sub_index(address));
}

/* Link the pages of our image that nobody can write, and the shared page. */
static bool sub_map_image(const struct sub *sub)
{
	uint64_t shared = (uint64_t)&shared_page;
	pfn_t own = walk_table(boot->top, SUB_PRIVATE, 1);

	for (uint64_t page = LAYOUT_USER_TEXT; page < SUB_PRIVATE; page += PAGE_SIZE) {
		uint64_t entry = table_entry(own, sub_index(page)) & ~(PTE_A | PTE_D);
		bool is_shared = page >= shared && page < shared + sizeof(shared_page);

		if ((entry & PTE_P) && (!(entry & PTE_W) || is_shared) &&
			op_at(OP_SET, sub->image_table, sub_index(page), entry, 0) != ST_OK) {
			return fail(__FILE__, __LINE__, "the image can be mapped", page, 0);
		}
	}
	return true;
}

static bool sub_map_stack(const struct sub *sub, const pfn_t *stack, uint64_t top)
{
	for (uint32_t i = 0; i < SUB_STACK_PAGES; i++) {
		uint32_t index = sub_index(top - (i + 1) * PAGE_SIZE);

		if (op_at(OP_SET, sub->image_table, index, pte_make(stack[i], DATA_BITS), 0) !=
			ST_OK) {
			return fail(__FILE__, __LINE__, "the stack can be mapped", i, 0);
		}
	}
	return true;
}

static bool sub_take_frames(struct sub *sub)
{
	sub->space = frame_take();
	sub->top = frame_take();
	sub->thread = frame_take();
	sub->message = frame_take_as(FRAME_MSG);
	sub->private = frame_take_as(FRAME_DATA);
	for (uint32_t i = 0; i < SUB_STACK_PAGES; i++) {
		sub->stack[i] = frame_take_as(FRAME_DATA);
	}
	return sub->space && sub->top && sub->thread && sub->message && sub->private &&
	       sub->stack[0];
}

/* The tables: private page by map_page, which makes those of the image; message page likewise. */
static bool sub_map(struct sub *sub)
{
	if (op_many(OP_ZERO, sub->private, 0, 1, 0, 0) != ST_OK ||
		!map_page(sub->top, SUB_PRIVATE, sub->private, DATA_BITS) ||
		!map_page(sub->top, LAYOUT_MESSAGE, sub->message, DATA_BITS)) {
		return fail(__FILE__, __LINE__, "private and message page can be mapped", 0, 1);
	}
	sub->image_table = walk_table(sub->top, SUB_PRIVATE, 1);
	sub->message_table = walk_table(sub->top, LAYOUT_MESSAGE, 1);
	return sub_map_image(sub) && sub_map_stack(sub, sub->stack, SUB_STACK_TOP);
}

bool sub_set(const struct sub *sub, uint32_t field, uint64_t a, uint64_t b)
{
	return op_at(OP_THREAD_SET, sub->thread, field, a, b) == ST_OK ||
	       fail(__FILE__, __LINE__, "a field of a thread can be set", field, a);
}

status_t sub_give(
	const struct sub *sub, uint32_t slot, uint32_t source, uint32_t rights, uint64_t badge)
{
	return op_at(OP_HANDLE_SET, sub->space, slot, source | (uint64_t)rights << 16, badge);
}

static uint64_t badge_next = 0x1000;

static bool sub_make_thread(struct sub *sub, const struct sub_wish *wish)
{
	uint32_t priority = wish->priority ? wish->priority : PRIORITY_ABOVE;

	sub->badge = badge_next++;
	if (op_on(OP_THREAD_CREATE, sub->thread, sub->space, priority) != ST_OK) {
		return fail(__FILE__, __LINE__, "a thread can be made", sub->thread, priority);
	}
	return (wish->no_message_page || sub_set(sub, THREAD_FIELD_MESSAGE, sub->message, 0)) &&
	       (wish->no_fault_port ||
		       sub_set(sub, THREAD_FIELD_FAULT_PORT, SLOT_SELF, sub->badge)) &&
	       (wish->no_exception_port ||
		       sub_set(sub, THREAD_FIELD_EXCEPTION_PORT, SLOT_SELF, sub->badge));
}

bool sub_make(struct sub *sub, const struct sub_wish *wish)
{
	static const struct sub_wish usual;
	uint64_t flags;

	*sub = (struct sub){ 0 };
	wish = wish ? wish : &usual;
	flags = wish->flags | (uint64_t)wish->pool << SPACE_POOL_SHIFT;
	if (!sub_take_frames(sub) || op_on(OP_SPACE_CREATE, sub->space, sub->top, flags) != ST_OK) {
		return fail(__FILE__, __LINE__, "a space can be made", flags, 0);
	}
	return sub_map(sub) && sub_make_thread(sub, wish) &&
	       sub_give(sub, SUB_SLOT_MAIN, SLOT_SELF, RIGHT_SEND | RIGHT_GIVE, sub->badge) ==
		       ST_OK;
}

#define SECOND_STACK_TOP (SUB_STACK_TOP + 8 * PAGE_SIZE)

bool sub_add_thread(const struct sub *sub, struct sub *second, uint32_t priority)
{
	struct sub_wish wish = { .priority = priority };

	*second = *sub;
	second->thread = frame_take();
	second->message = frame_take_as(FRAME_MSG);
	for (uint32_t i = 0; i < SUB_STACK_PAGES; i++) {
		second->stack[i] = frame_take_as(FRAME_DATA);
	}
	second->is_second = true;
	return second->thread && second->message && second->stack[0] &&
	       map_page(sub->top, LAYOUT_MESSAGE + PAGE_SIZE, second->message, DATA_BITS) &&
	       sub_map_stack(second, second->stack, SECOND_STACK_TOP) &&
	       sub_make_thread(second, &wish);
}

bool sub_start(const struct sub *sub, program_t program, uint64_t first, uint64_t second)
{
	uint64_t stack_top = sub->is_second ? SECOND_STACK_TOP : SUB_STACK_TOP;

	if (!sub_set(sub, THREAD_FIELD_START, (uint64_t)program, stack_top - 8) ||
		!sub_set(sub, THREAD_FIELD_ARGUMENTS, first, second)) {
		return false;
	}
	if (op_on(OP_THREAD_START, sub->thread, 0, 0) != ST_OK) {
		return fail(__FILE__, __LINE__, "a thread can be started", sub->thread, 0);
	}
	let_others_run();
	return true;
}

bool sub_registers(const struct sub *sub, struct registers *registers)
{
	uint64_t *words = (uint64_t *)registers;

	if (op_on(OP_THREAD_GET, sub->thread, 0, 0) != ST_OK ||
		outcome.results != sizeof(*registers) / 8) {
		return fail(__FILE__, __LINE__, "registers can be read", outcome.results,
			sizeof(*registers) / 8);
	}
	for (uint32_t i = 0; i < sizeof(*registers) / 8; i++) {
		words[i] = results[i];
	}
	return true;
}

bool sub_put_code(
	const struct sub *sub, uint64_t address, const void *code, size_t bytes, uint32_t offset)
{
	pfn_t pfn = frame_take_as(FRAME_DATA);
	uint8_t *page;

	if (!pfn) {
		return false;
	}
	page = (uint8_t *)window_open(0, pfn);
	for (size_t i = 0; i < bytes; i++) {
		page[offset + i] = ((const uint8_t *)code)[i];
	}
	window_close(0);
	return map_page(sub->top, address, pfn, PTE_P | PTE_U) ||
	       fail(__FILE__, __LINE__, "code can be mapped", address, 0);
}

/* ---- programs ---- */

_Noreturn void program_stop(void)
{
	for (;;) {
		(void)kernel_call(CALL_THREAD, THREAD_SELF_STOP, 0, 0, 0, 0, 0, NULL);
	}
}

void program_steps(uint64_t list, uint64_t unused)
{
	(void)unused;
	for (uint32_t i = 0; i < shared_page.step_count[list]; i++) {
		struct step *step = &shared_page.steps[list][i];

		step->out = step->in;
		raw_call(&step->out);
		coverage_call((uint32_t)step->in.rax, (status_t)step->out.rax);
		shared_page.steps_done[list] = i + 1;
	}
	program_stop();
}

void program_spin(uint64_t index, uint64_t unused)
{
	(void)unused;
	for (;;) {
		shared_page.word[index]++;
	}
}

void program_read(uint64_t address, uint64_t unused)
{
	(void)unused;
	shared_page.word[0] = *(volatile uint64_t *)address;
	shared_page.word[1]++;
	program_stop();
}

void program_write(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
	shared_page.word[1]++;
	program_stop();
}

void program_write_call_write(uint64_t address, uint64_t value)
{
	struct message message = { .tag = 1 };

	*(volatile uint64_t *)address = value;
	(void)ipc_call(SUB_SLOT_MAIN, &message);
	*(volatile uint64_t *)address = value + 1;
	program_stop();
}

void program_write_batch_write(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
	(void)kernel_call(CALL_BATCH, 1, 0, 0, 0, 0, 0, NULL);
	*(volatile uint64_t *)address = value + 1;
	program_stop();
}

void program_jump(uint64_t address, uint64_t unused)
{
	(void)unused;
	((void (*)(void))address)();
	shared_page.word[1]++;
	program_stop();
}

/* ---- lists of calls ---- */

void steps_clear(void)
{
	for (uint32_t list = 0; list < 2; list++) {
		shared_page.step_count[list] = 0;
		shared_page.steps_done[list] = 0;
	}
	for (uint32_t i = 0; i < sizeof(shared_page.word) / sizeof(shared_page.word[0]); i++) {
		shared_page.word[i] = 0;
	}
}

struct step *step_add(
	uint32_t list, uint32_t number, uint64_t rdi, uint64_t rsi, uint64_t rdx, uint64_t r10)
{
	struct step *step = &shared_page.steps[list][shared_page.step_count[list]++];

	*step = (struct step){
		.in = { .rax = number, .rdi = rdi, .rsi = rsi, .rdx = rdx, .r10 = r10 }
	};
	return step;
}

struct step *step_call(uint32_t list, uint32_t slot, uint64_t tag, uint64_t word0, uint64_t word1)
{
	return step_add(list, CALL_CALL, slot, tag, word0, word1);
}

bool shadow_expect(bool expect)
{
	return call4(CALL_DEBUG, DEBUG_HOOK, SHADOW_HOOK_EXPECT, expect, 0, 0) == ST_OK;
}

/* ---- messages ---- */

/* More than once: a time slice may end in one of them, which then goes behind us. */
void let_others_run(void)
{
	for (uint32_t i = 0; i < TURNS_GIVEN; i++) {
		(void)call(CALL_YIELD, 0, 0, 0, 0, NULL);
	}
}

status_t reply_receive(uint64_t rdi, struct message *message)
{
	status_t status = ipc_reply_receive(rdi, message);

	coverage_call(CALL_REPLY_RECEIVE, status);
	return status;
}

status_t receive_now(struct message *message)
{
	*message = (struct message){ 0 };
	return reply_receive(SLOT_SELF | RR_RECEIVE | RR_NONBLOCK, message);
}

#define SOON_NANOSECONDS 100000000ull

status_t receive_soon(struct message *message)
{
	uint64_t out[3];
	status_t status = call(CALL_TIMER, TIMER_NOW, 0, 0, 0, out);

	if (status != ST_OK) {
		return status;
	}
	(void)call(CALL_TIMER, TIMER_SET, out[0] + SOON_NANOSECONDS, 0, 0, NULL);
	*message = (struct message){ 0 };
	status = reply_receive(SLOT_SELF | RR_RECEIVE, message);
	(void)call(CALL_TIMER, TIMER_SET, 0, 0, 0, NULL);
	if (status == ST_OK && (message->tag & TAG_NOTIFICATION) && message->w[0] == NOTIFY_TIMER) {
		return ST_EMPTY;
	}
	return status;
}

status_t reply(uint64_t token, uint64_t tag, uint64_t word0)
{
	struct message message = { .tag = tag, .w = { word0 }, .token = token };
	status_t status = reply_receive(SLOT_SELF | RR_REPLY, &message);

	let_others_run();
	return status;
}

status_t reply_with(uint64_t token, uint32_t count, const struct op *ops)
{
	struct message message = { .tag = (uint64_t)count << TAG_OPS_SHIFT, .token = token };
	status_t status;

	message.w[0] = ops[0].head;
	message.w[1] = ops[0].a;
	message.w[2] = ops[0].b;
	if (count > 1) {
		message.w[3] = ops[1].head;
		message.w[4] = ops[1].a;
		message.w[5] = ops[1].b;
	}
	status = reply_receive(SLOT_SELF | RR_REPLY, &message);
	coverage_operation(OP_CODE(ops[0].head), status);
	let_others_run();
	return status;
}

bool port_make(uint32_t slot, pfn_t *port)
{
	*port = frame_take();
	return *port && (op_at(OP_PORT_CREATE, *port, slot, 0, 0) == ST_OK ||
				fail(__FILE__, __LINE__, "a port can be made", slot, 0));
}
