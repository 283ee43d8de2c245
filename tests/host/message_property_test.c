/*
 * Messages, objects and scheduling against the reference model, with random histories.
 *
 * A history starts with a root task, two pagers with pools of their own (A and B) and clients of A
 * that have no pool.  At each step the running thread does something: a call of any kind, an access
 * that faults, an exception; or an interrupt comes.  Arguments are mostly sensible, so that deep
 * states are reached, and sometimes wild: forged and old tokens, stale handles, foreign frames,
 * payloads that are too long.  After each step everything is compared: who runs, the registers of
 * every thread, states and priorities, handle tables, notification words, the bytes of all message
 * pages, types, owners and counts of all frames, the timer, FPU and segment bases; and the kernel
 * checks its own rules.
 *
 * The root task only ever waits at its own port, which a device interrupts when nobody else can
 * run; it then starts, interrupts, resets and makes what others stopped or destroyed.
 *
 * Usage: message_property [-v] [-n STEPS] [SEED ...]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "handle.h"
#include "kernel_machine.h"
#include "message_model.h"
#include "percpu.h"
#include "pool.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_DEFAULT 320000ul
#define STEPS_OF_SEED 2000ul
#define DATA_EVERY    64u /* steps between comparisons of the bytes of DATA frames */
#define OLD_TOKENS    64u
#define PAGES	      MODEL_LEAVES
#define ROOT_LINE     5u
#define ROOT_SLOT     1u
#define HIGH_HALF     0xffff800000000000ull

/* Frames with a part in every history. */
enum {
	ROOT_PORT = MACHINE_FIRST_FREE,
	A_FIRST = 24,
	A_SPACE = A_FIRST,
	A_TOP,
	A_L3,
	A_L2,
	A_L1,
	C_SPACE,
	C_TOP,
	C_L3,
	C_L2,
	C_L1,
	A_END = 84,
	B_FIRST = A_END,
	B_SPACE = B_FIRST,
	B_TOP,
	B_END = 124
};

static struct model model;
static struct {
	uint64_t seed, random;
	unsigned long step;
	bool verbose;
	uint64_t token[OLD_TOKENS];
	uint32_t tokens;
} test;
static struct op batch[OP_MAX_IN_PAGE];
static uint32_t batch_count;
static unsigned long steps_done;
static uint64_t seen_events[MODEL_EVENTS];
static uint64_t seen_calls[CALL_COUNT + 1][ST_RESULTS + 1];
static uint64_t seen_operations[OP_COUNT + 1][ST_RESULTS + 1];

/* ---- random choices ---- */

static uint64_t random_word(void)
{
	test.random ^= test.random << 13;
	test.random ^= test.random >> 7;
	test.random ^= test.random << 17;
	return test.random * 0x2545f4914f6cdd1dull;
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)((random_word() >> 32) % limit);
}

static bool percent(uint32_t chance)
{
	return below(100) < chance;
}

/* Some frame with this type, of this pool (0: any); 0 when none is found soon. */
static pfn_t some_frame(uint32_t type, uint32_t pool)
{
	pfn_t start = below(MODEL_FRAMES);

	for (uint32_t i = 0; i < MODEL_FRAMES; i++) {
		pfn_t pfn = (start + i) % MODEL_FRAMES;

		if (model.frame[pfn].type == type && pfn != ROOT_PORT &&
			pfn != MACHINE_ROOT_THREAD && pfn != MACHINE_ROOT_MESSAGE &&
			(!pool || model_pool_within(&model, model.frame[pfn].pool, pool)))
			return pfn;
	}
	return 0;
}

static pfn_t any_frame(uint32_t type, uint32_t pool)
{
	pfn_t pfn = percent(96) ? some_frame(type, percent(97) ? pool : 0) : 0;

	if (pfn)
		return pfn;
	pfn = percent(80) ? below(MODEL_FRAMES) : (pfn_t)(random_word() & 0xfffffff);
	return pfn == ROOT_PORT || pfn == MACHINE_ROOT_THREAD || pfn == MACHINE_ROOT_MESSAGE ||
			       pfn == MACHINE_ROOT_SPACE
		       ? 0
		       : pfn;
}

/* A space that is not the root task's: that one keeps its handles, lines and only thread. */
static pfn_t any_space(uint32_t pool)
{
	pfn_t space = any_frame(FRAME_SPACE, pool);

	return space == MACHINE_ROOT_SPACE ? A_SPACE : space;
}

static struct model_thread *self(void)
{
	return &model.thread[model.running];
}

/* A slot of the running thread's space with these rights, if one is found; or any. */
static uint32_t some_slot(uint32_t rights)
{
	uint32_t start = below(HANDLE_SLOTS);

	for (uint32_t i = 0; i < HANDLE_SLOTS && percent(99); i++) {
		uint32_t slot = (start + i) % HANDLE_SLOTS;
		const struct model_handle *handle = model_handle_at(&model, self()->space, slot);

		if (handle && (handle->rights & rights) == rights && handle->to.port != ROOT_PORT)
			return slot;
	}
	start = percent(50) ? below(24) : below(HANDLE_SLOTS + 20);
	return model.running == MACHINE_ROOT_THREAD && start == ROOT_SLOT ? 0 : start;
}

/* Does some thread wait like this at the port that a slot names? */
static bool somebody_waits(uint32_t slot, enum model_state state)
{
	const struct model_handle *handle = model_handle_at(&model, self()->space, slot);

	for (pfn_t pfn = 1; handle && pfn < MODEL_FRAMES; pfn++)
		if (model.frame[pfn].type == FRAME_THREAD && model.thread[pfn].state == state &&
			model.thread[pfn].port == handle->to.port)
			return true;
	return false;
}

/* As some_slot, but mostly one where somebody waits, so that threads meet. */
static uint32_t meeting_slot(uint32_t rights, enum model_state state)
{
	uint32_t slot = some_slot(rights);

	for (uint32_t tries = 0; tries < 6 && !somebody_waits(slot, state); tries++)
		slot = some_slot(rights);
	return slot;
}

/* Has the running thread's space a live handle with these rights? */
static bool has_handle(uint32_t rights)
{
	for (uint32_t slot = 1; slot < HANDLE_SLOTS; slot++) {
		const struct model_handle *handle = model_handle_at(&model, self()->space, slot);

		if (handle && (handle->rights & rights) == rights)
			return true;
	}
	return false;
}

/* Mostly one of few, so that slots meet. */
static uint32_t target_slot(void)
{
	return percent(90) ? 1 + below(20) : below(HANDLE_SLOTS + 4);
}

static uint64_t some_address(void)
{
	static const uint64_t of_kernel[] = { LAYOUT_DIRECT_MAP, LAYOUT_FRAME_TABLE, LAYOUT_VMEMMAP,
		LAYOUT_KERNEL, LAYOUT_MESSAGE };

	if (percent(90))
		return (uint64_t)below(PAGES) * PAGE_SIZE + below((uint32_t)PAGE_SIZE);
	if (percent(40))
		return random_word() >> 17;
	if (percent(50))
		return HIGH_HALF | random_word();
	return of_kernel[below(5)] + below(1u << 30);
}

static uint64_t some_code(void)
{
	if (percent(96))
		return LAYOUT_USER_TEXT + below(0x10000);
	return percent(50) ? 0x7fffffffffffull + below(4) : random_word();
}

static uint64_t some_tag(void)
{
	uint32_t bytes = 0;
	uint64_t tag;

	if (percent(40))
		bytes = percent(85) ? below(300) : percent(80) ? below(4097) : below(8192);
	tag = tag_make(percent(80) ? below(8) : (uint32_t)random_word(), bytes);
	if (percent(20))
		tag |= (uint64_t)(some_slot(RIGHT_GIVE) & 0xff) << TAG_HANDLE_SHIFT;
	if (percent(5))
		tag |= random_word() & TAG_KERNEL_BITS;
	return tag;
}

/* ---- what the model may look at ---- */

static const struct registers *view_registers(pfn_t thread)
{
	return &thread_of(thread)->registers;
}

static const uint8_t *view_memory(pfn_t frame)
{
	return frame_memory(frame);
}

static bool entry_refuses(uint64_t entry, uint64_t access)
{
	uint64_t needed = PTE_P | PTE_U | (access & FAULT_WRITE ? PTE_W : 0);

	return (entry & needed) != needed || ((access & FAULT_FETCH) && (entry & PTE_NX));
}

/* The level that refuses, and the entries that a pager may know. */
static uint32_t view_walk(pfn_t top, uint64_t address, uint64_t error, uint64_t entries[5])
{
	uint32_t slot = (uint32_t)(address >> SLOT_SHIFT) & 511;
	uint64_t *leaf;

	memset(entries, 0, 5 * sizeof(entries[0]));
	if (slot > LAYOUT_USER_LAST_SLOT && slot != LAYOUT_MESSAGE_SLOT &&
		!(slot >= LAYOUT_VMALLOC_FIRST_SLOT && slot <= LAYOUT_VMALLOC_LAST_SLOT))
		return 4;
	(void)machine_walk(top, address, (uint32_t)error, entries, &leaf);
	for (uint32_t level = 4; level >= 1; level--)
		if (entry_refuses(entries[4 - level], error))
			return level;
	return 0;
}

/* ---- failures ---- */

static const char *const call_names[] = {
#define CALL_NAME(name, number, handler) #name,
	CALL_LIST(CALL_NAME)
#undef CALL_NAME
};

static void report(void)
{
	printf("message_property: seed %" PRIu64 " step %lu (run again with -v %" PRIu64 ")\n",
		test.seed, test.step, test.seed);
}

/* See message_model.h. */
void model_fail(const char *format, ...)
{
	char text[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	machine_fail(
		"%s (model: frame %u runs; kernel: %u)", text, model.running, machine_running());
}

#define SAME(what, kernel, expected)                                                             \
	do {                                                                                     \
		uint64_t same_kernel = (uint64_t)(kernel), same_model = (uint64_t)(expected);    \
		if (same_kernel != same_model)                                                   \
			machine_fail("%s of frame %u: kernel %" PRIx64 ", model %" PRIx64, what, \
				pfn, same_kernel, same_model);                                   \
	} while (0)

/* ---- comparing ---- */

static const uint8_t state_of[] = {
	[THREAD_STOPPED] = MODEL_STOPPED,
	[THREAD_READY] = MODEL_READY,
	[THREAD_QUEUED] = MODEL_QUEUED,
	[THREAD_SERVED] = MODEL_SERVED,
	[THREAD_RECEIVING] = MODEL_RECEIVING,
	[THREAD_PARKED] = MODEL_PARKED,
};

static bool is_in_call(const struct model_thread *thread)
{
	return thread->state == MODEL_RECEIVING ||
	       ((thread->state == MODEL_QUEUED || thread->state == MODEL_SERVED) &&
		       thread->wait == MODEL_CALL);
}

static void compare_registers(pfn_t pfn)
{
	static const char *const names[] = { "rdx", "r10", "r8", "r9", "r12", "r13", "r14", "r15",
		"rbx", "rbp", "rsi", "rdi", "rax", "r11", "rcx", "vector", "error", "rip", "cs",
		"rflags", "rsp", "ss" };
	const uint64_t *kernel = (const uint64_t *)&thread_of(pfn)->registers;
	const uint64_t *expected = (const uint64_t *)&model.thread[pfn].registers;

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (&expected[i] == &model.thread[pfn].registers.rax &&
			is_in_call(&model.thread[pfn]))
			continue;
		SAME(names[i], kernel[i], expected[i]);
	}
}

static void compare_ref(pfn_t pfn, const char *what, const struct object_ref *kernel,
	const struct model_ref *expected)
{
	bool is_live = port_find(kernel) != NULL;

	SAME(what, is_live, model_ref_is_live(&model, expected));
	if (is_live) {
		SAME(what, kernel->pfn, expected->port);
		SAME(what, kernel->badge, expected->badge);
	}
}

static void compare_thread(pfn_t pfn)
{
	const struct thread *thread = thread_of(pfn);
	const struct model_thread *expected = &model.thread[pfn];

	SAME("state", state_of[thread->state], expected->state);
	SAME("priority", thread->priority, expected->priority);
	SAME("effective priority", thread->effective, expected->effective);
	SAME("space", frame_number(thread->space), expected->space);
	SAME("message page", thread->message, expected->message);
	SAME("port", thread->port ? frame_number(thread->port) : 0, expected->port);
	if (pfn != model.running)
		SAME("FS base", thread->fs_base, expected->fs_base);
	SAME("upcall's entry", thread->upcall_entry, expected->upcall_entry);
	SAME("upcall's stack", thread->upcall_stack, expected->upcall_stack);
	SAME("upcall's argument", thread->upcall_argument, expected->upcall_argument);
	compare_ref(pfn, "fault port", &thread->fault_port, &expected->fault_port);
	compare_ref(pfn, "exception port", &thread->exception_port, &expected->exception_port);
	compare_registers(pfn);
}

static void compare_space(pfn_t pfn)
{
	struct space *space = space_of(pfn);
	const struct model_space *expected = &model.space[pfn];

	SAME("top", space->top, expected->top);
	SAME("rights", space->flags, expected->flags);
	SAME("authority", space->pool, expected->pool);
	SAME("lines", space->irq_mask, expected->lines);
	SAME("I/O ports", space->io_count, expected->io_count);
	for (uint32_t slot = 1; slot < HANDLE_SLOTS; slot++) {
		const struct handle *handle = handle_get(space, slot);
		const struct model_handle *wanted = model_handle_at(&model, pfn, slot);

		SAME("live handle", handle != NULL, wanted != NULL);
		if (!handle)
			continue;
		SAME("handle's port", handle->pfn, wanted->to.port);
		SAME("handle's rights", handle->rights, wanted->rights);
		SAME("handle's badge", handle->badge, wanted->to.badge);
	}
}

static void compare_leaves(pfn_t pfn)
{
	const uint64_t *entries = frame_memory(pfn);

	for (uint32_t i = 0; i < MODEL_LEAVES; i++)
		SAME("entry", entries[i], model.leaf[pfn][i]);
}

static void compare_frame(pfn_t pfn)
{
	const struct frame *frame = &frame_table[pfn];
	const struct model_frame *expected = &model.frame[pfn];

	SAME("type", frame->type, expected->type);
	SAME("pool", frame->pool, expected->pool);
	if (frame->type == FRAME_DATA || frame->type == FRAME_MSG) {
		SAME("references", frame->refs, expected->refs);
		SAME("holds", frame->holds, expected->holds);
	}
	if (frame->type == FRAME_THREAD)
		compare_thread(pfn);
	if (frame->type == FRAME_SPACE)
		compare_space(pfn);
	if (frame->type == FRAME_PORT)
		SAME("notification word", port_of(pfn)->notification, model.notification[pfn]);
	if (frame->type == FRAME_L1)
		compare_leaves(pfn);
	if (frame->type == FRAME_MSG || (frame->type == FRAME_DATA && test.step % DATA_EVERY == 0))
		SAME("bytes differ", memcmp(frame_memory(pfn), model.page[pfn], PAGE_SIZE), 0);
}

static void compare_processor(void)
{
	pfn_t pfn = model.running;
	uint64_t fpu;

	SAME("timer", machine.alarm, model_alarm(&model));
	SAME("masked lines", machine.lines_masked, model.masked);
	if (!pfn)
		return;
	SAME("FS base", processor.fs_base, self()->fs_base);
	SAME("GS base", processor.gs_base, self()->gs_base);
	memcpy(&fpu, processor.fpu, sizeof(fpu));
	if (!(model.space[self()->space].flags & SPACE_FPU_NONE))
		SAME("FPU register", fpu, self()->fpu);
	SAME("user registers", memcmp(&machine.user, &self()->registers, sizeof(machine.user)), 0);
}

static void compare(void)
{
	if (machine_running() != model.running)
		machine_fail("kernel runs %u, model %u", machine_running(), model.running);
	for (pfn_t pfn = MACHINE_ROOT_SPACE; pfn < MODEL_FRAMES; pfn++)
		compare_frame(pfn);
	compare_processor();
}

/* ---- one step ---- */

static void enter_registers(void)
{
	self()->registers = machine.user;
}

static void note_status(uint64_t number, pfn_t pfn)
{
	uint64_t status = model.thread[pfn].registers.rax;

	if (number <= CALL_COUNT && status <= ST_RESULTS && model.thread[pfn].state == MODEL_READY)
		seen_calls[number][status]++;
}

static void do_call(uint64_t number)
{
	pfn_t pfn = model.running;

	machine.user.rax = number;
	enter_registers();
	if (test.verbose)
		printf("%lu: %u %s rdi %" PRIx64 " rsi %" PRIx64 " rdx %" PRIx64 " r10 %" PRIx64
		       " r8 %" PRIx64 " rbx %" PRIx64 "\n",
			test.step, pfn, number < CALL_COUNT ? call_names[number] : "foreign",
			machine.user.rdi, machine.user.rsi, machine.user.rdx, machine.user.r10,
			machine.user.r8, machine.user.rbx);
	machine_call();
	model_call(&model);
	note_status(number, pfn);
	compare();
}

static void do_exception(uint32_t vector, uint64_t error)
{
	if (test.verbose)
		printf("%lu: %u exception %u\n", test.step, model.running, vector);
	enter_registers();
	machine_exception(vector, error);
	model_exception(&model, vector, error);
	compare();
}

static void do_fault(uint64_t address, uint32_t error)
{
	if (test.verbose)
		printf("%lu: %u fault at %" PRIx64 " error %x\n", test.step, model.running, address,
			error);
	enter_registers();
	machine_fault(address, error);
	model_page_fault(&model, address, error);
	compare();
}

/* A and D that the processor set. */
static void model_accessed(uint64_t address, uint32_t access)
{
	pfn_t table = model.space[self()->space].top == A_TOP ? A_L1 : C_L1;

	model.leaf[table][(address >> 12) & 511] |= PTE_A | (access & FAULT_WRITE ? PTE_D : 0);
}

static void do_access(void)
{
	static const uint32_t kinds[] = { 0, FAULT_WRITE, FAULT_WRITE, FAULT_FETCH };
	uint64_t address = some_address(), entries[5], *leaf;
	uint32_t access = kinds[below(4)];
	uint32_t error =
		machine_walk(model.space[self()->space].top, address, access, entries, &leaf);

	if (percent(5)) /* also where the tables allow it: the translation was an old one */
		error = 1 + (uint32_t)random_word() % (2 * FAULT_FETCH - 1);
	if (error || address >= (uint64_t)PAGES * PAGE_SIZE) {
		do_fault(address, error ? error : FAULT_USER | access);
		return;
	}
	MACHINE_CHECK(machine_access(address, access));
	model_accessed(address, access);
}

static void do_interrupt(uint32_t line)
{
	if (test.verbose)
		printf("%lu: %u line %u\n", test.step, model.running, line);
	if (!machine.idle)
		enter_registers();
	if (!machine_interrupt(line))
		return;
	model_line(&model, line);
	compare();
}

static void do_tick(void)
{
	if (test.verbose)
		printf("%lu: %u tick\n", test.step, model.running);
	if (!machine.idle)
		enter_registers();
	if (percent(30))
		processor.tsc += below(2 * MODEL_SLICE);
	model.now = processor.tsc;
	if (percent(20))
		machine_timer(); /* an alarm that comes early */
	else if (!machine_tick())
		return;
	model.now = processor.tsc;
	model_timer(&model);
	compare();
}

/* ---- batches ---- */

static void add(uint32_t code, uint32_t flags, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b)
{
	uint64_t head = op_head(code, flags, pfn, index, 1);

	if (batch_count == OP_MAX_IN_PAGE)
		return;
	if (percent(1) && model.running != MACHINE_ROOT_THREAD)
		head |= percent(50) ? 1ull << 35 : 1ull << (10 + below(6));
	batch[batch_count++] = (struct op){ head, a, b };
}

/* The user's store into its message page. */
static void write_page(uint32_t offset, const void *bytes, size_t count)
{
	memcpy((uint8_t *)frame_memory(self()->message) + offset, bytes, count);
	memcpy(model.page[self()->message] + offset, bytes, count);
}

static void scribble_page(void)
{
	uint64_t words[16];

	if (!self()->message || percent(50))
		return;
	for (uint32_t i = 0; i < 16; i++)
		words[i] = random_word();
	write_page(
		percent(60) ? 0 : below((uint32_t)PAGE_SIZE - sizeof(words)), words, sizeof(words));
}

/* What the interesting thing to do with a thread is. */
static void add_thread_care(pfn_t thread)
{
	switch (thread < MODEL_FRAMES ? model.thread[thread].state : MODEL_STOPPED) {
	case MODEL_STOPPED:
	case MODEL_PARKED:
		if (percent(40))
			add(OP_THREAD_SET, 0, thread, THREAD_FIELD_START, some_code(),
				LAYOUT_STACK_TOP);
		if (percent(30))
			add(OP_THREAD_START, OP_START_ANSWER, thread, 0, random_word(),
				random_word());
		else
			add(OP_THREAD_START, 0, thread, 0, 0, 0);
		break;
	case MODEL_READY:
		if (percent(30))
			add(percent(70) ? OP_THREAD_INTERRUPT : OP_THREAD_STOP, 0, thread, 0, 0, 0);
		break;
	default:
		if (percent(50))
			add(percent(90) ? OP_THREAD_INTERRUPT : OP_THREAD_STOP, 0, thread, 0, 0, 0);
		break;
	}
}

/* A message page that nobody has, if there is one. */
static pfn_t free_message(uint32_t pool)
{
	for (uint32_t tries = 0; tries < 12; tries++) {
		pfn_t pfn = some_frame(FRAME_MSG, pool);

		if (pfn && !model.frame[pfn].holds)
			return pfn;
	}
	return any_frame(FRAME_MSG, pool);
}

static void add_thread_field(pfn_t thread, uint32_t pool)
{
	uint32_t field = percent(98) ? below(THREAD_FIELDS) : below(12);
	uint64_t a = random_word(), b = percent(95) ? 0 : random_word();

	switch (field) {
	case THREAD_FIELD_PRIORITY:
		a = percent(97) ? 20 + below(24) : below(70);
		break;
	case THREAD_FIELD_START:
		a = some_code();
		break;
	case THREAD_FIELD_ARGUMENTS:
		b = percent(70) ? some_tag() : random_word();
		break;
	case THREAD_FIELD_FS_BASE:
		a = percent(90) ? a >> 17 : a;
		break;
	case THREAD_FIELD_FAULT_PORT:
	case THREAD_FIELD_EXCEPTION_PORT:
		a = percent(95) ? some_slot(RIGHT_SEND | RIGHT_MINT) : 0;
		break;
	case THREAD_FIELD_MESSAGE:
		a = percent(95) ? free_message(pool) : 0;
		break;
	default:
		break;
	}
	add(OP_THREAD_SET, 0, thread, field, a, b);
}

static void add_thread_creation(uint32_t pool)
{
	pfn_t thread = any_frame(percent(50) ? FRAME_FREE : FRAME_DATA, pool);

	add(OP_THREAD_CREATE, 0, thread, 0, any_space(pool),
		percent(98) ? 20 + below(24) : below(70));
	add(OP_THREAD_SET, 0, thread, THREAD_FIELD_START, some_code(), LAYOUT_STACK_TOP);
	if (percent(80))
		add(OP_THREAD_SET, 0, thread, THREAD_FIELD_MESSAGE, free_message(pool), 0);
	if (percent(70))
		add(OP_THREAD_SET, 0, thread, THREAD_FIELD_FAULT_PORT,
			some_slot(RIGHT_SEND | RIGHT_MINT), random_word());
	if (percent(70))
		add(OP_THREAD_SET, 0, thread, THREAD_FIELD_EXCEPTION_PORT,
			some_slot(RIGHT_SEND | RIGHT_MINT), random_word());
	add(OP_THREAD_START, 0, thread, 0, 0, 0);
}

/* A page for the address, taken away, or a word. */
static void add_cure(uint32_t pool)
{
	pfn_t table = percent(90) ? (percent(70) ? C_L1 : A_L1) : any_frame(FRAME_L1, pool);
	uint32_t index = below(PAGES);
	uint64_t old, value;

	if (table < MODEL_FRAMES && model.frame[table].type > FRAME_L1 &&
		model.frame[table].type <= FRAME_TOP)
		table = A_L1; /* links are for the tests of tables */
	old = table < MODEL_FRAMES ? model.leaf[table][index] : 0;
	value = pte_make(any_frame(FRAME_DATA, pool), PTE_P | PTE_U);
	value |= percent(60) ? PTE_W : 0;
	value |= percent(60) ? PTE_NX : 0;
	value |= percent(2) ? PTE_G : 0;
	if (percent(25))
		value = percent(50) ? 0 : random_word() & ~PTE_P;
	add(OP_SET, percent(50) ? below(3) : 0, table, index, value,
		percent(95) ? old : random_word());
}

static void add_pool_operation(uint32_t pool)
{
	uint32_t other = percent(80) ? 1 + below(4) : below(MODEL_POOLS + 2);
	uint64_t port = some_slot(RIGHT_SEND) | (uint64_t)(1 + below(255)) << 32;

	switch (below(5)) {
	case 0:
		add(OP_POOL_CREATE, 0, 0, 0,
			percent(50) ? 0 : POOL_LIMITED | below(64) | below(4) << POOL_BELOW_SHIFT,
			0);
		break;
	case 1:
		add(OP_POOL_SET, 0, 0, 0, other == POOL_ROOT ? 2 : other, percent(90) ? port : 0);
		break;
	case 2:
		add(OP_POOL_DESTROY, 0, 0, 0, other > 3 || percent(10) ? other : 4 + below(4), 0);
		break;
	case 3:
		add(OP_POOL_TAG, 0, 0, 0, percent(60) ? random_word() : 0, 0);
		break;
	default:
		add(OP_TRANSFER, 0, any_frame(FRAME_FREE, pool), 0, percent(60) ? pool : other, 0);
		break;
	}
}

static void add_space_operation(uint32_t pool)
{
	static const uint32_t pools[] = { 0, 0, 0, 1, 2, 3, 3, 200, 300 };
	pfn_t space = any_frame(FRAME_SPACE, pool);

	switch (below(3)) {
	case 0:
		add(OP_SPACE_CREATE, 0, any_frame(percent(50) ? FRAME_FREE : FRAME_DATA, pool), 0,
			any_frame(percent(50) ? FRAME_FREE : FRAME_DATA, pool),
			(percent(70) ? 0 : below(40)) |
				(uint64_t)(percent(60) ? pool : pools[below(9)])
					<< SPACE_POOL_SHIFT);
		break;
	case 1:
		add(OP_SPACE_GRANT, 0, any_space(pool), 0,
			percent(50) ? 0 : below(0x10000) | (uint64_t)below(0x10001) << 32,
			percent(90) ? below(0x10000) & ~(1u << ROOT_LINE) & ~4u : below(0x20000));
		break;
	default:
		add(OP_FLUSH, 0, percent(50) ? 0 : space, 0, 0, 0);
		break;
	}
}

static void add_end(uint32_t pool)
{
	static const uint32_t types[] = { FRAME_THREAD, FRAME_THREAD, FRAME_PORT, FRAME_SPACE,
		FRAME_DATA };
	uint32_t type = types[below(5)];

	/* Ends are rare, or nothing would live. */
	if (percent(75))
		add(OP_PORT_RESET, 0, any_frame(FRAME_PORT, pool), 0, 0, 0);
	else
		add(OP_DESTROY, 0, any_frame(type, pool), 0, 0, 0);
}

static void add_port_creation(uint32_t pool)
{
	uint32_t slot = target_slot();

	if (model.running == MACHINE_ROOT_THREAD && slot == ROOT_SLOT)
		slot++;
	add(OP_PORT_CREATE, 0, any_frame(percent(50) ? FRAME_FREE : FRAME_DATA, pool), slot, 0, 0);
	add(OP_HANDLE_SET, 0, any_space(pool), target_slot(), slot | (uint64_t)below(16) << 16,
		percent(60) ? 0 : random_word());
}

static void add_handle(uint32_t pool)
{
	uint32_t rights = percent(70) ? RIGHT_ALL : below(16);

	add(OP_HANDLE_SET, 0, any_space(pool), target_slot(),
		some_slot(rights) | (uint64_t)rights << 16, percent(60) ? 0 : random_word());
}

static void add_frame_operation(uint32_t pool)
{
	static const uint32_t types[] = { FRAME_FREE, FRAME_DATA, FRAME_DATA, FRAME_MSG, FRAME_MSG,
		FRAME_TRACE, FRAME_THREAD };
	uint32_t from = types[below(4)], to = types[below(percent(96) ? 5 : 7)];
	pfn_t pfn = any_frame(from, pool);

	if (percent(80))
		add(OP_RETYPE, 0, pfn, 0, to, percent(1));
	else
		add(percent(50) ? OP_HOLD : OP_RELEASE, 0, pfn, 0, 0, percent(2));
}

static void add_operation(uint32_t pool)
{
	uint32_t choice = below(100);

	if (choice < 28)
		add_thread_care(any_frame(FRAME_THREAD, pool));
	else if (choice < 40)
		add_thread_field(any_frame(FRAME_THREAD, pool), pool);
	else if (choice < 50)
		add_thread_creation(pool);
	else if (choice < 62)
		add_cure(pool);
	else if (choice < 66)
		add_pool_operation(pool);
	else if (choice < 70)
		add_space_operation(pool);
	else if (choice < 75)
		add_end(pool);
	else if (choice < 80)
		add_port_creation(pool);
	else if (choice < 88)
		add_handle(pool);
	else if (choice < 94)
		add_frame_operation(pool);
	else if (choice < 96)
		add(OP_THREAD_GET, 0, any_frame(FRAME_THREAD, pool), 0, 0, 0);
	else if (choice < 98)
		add(OP_THREAD_CLONE, 0, any_frame(FRAME_THREAD, pool), 0,
			any_frame(FRAME_THREAD, pool), 0);
	else if (choice < 99)
		add(OP_NOP, 0, 0, 0, 0, 0);
	else
		add(OP_COUNT + below(200), 0, below(MODEL_FRAMES), 0, 0, 0);
}

/* Some operations under the running thread's authority. */
static void make_batch(uint32_t most)
{
	uint32_t pool = model.space[self()->space].pool;

	batch_count = 0;
	for (uint32_t wanted = 1 + below(most); batch_count < wanted;)
		add_operation(pool);
	if (batch_count > most)
		batch_count = most;
}

static void show_batch(void)
{
	for (uint32_t i = 0; test.verbose && i < batch_count; i++)
		printf("    op %u flags %x pfn %u index %u a %" PRIx64 " b %" PRIx64 "\n",
			OP_CODE(batch[i].head), OP_FLAGS(batch[i].head), OP_PFN(batch[i].head),
			OP_INDEX(batch[i].head), batch[i].a, batch[i].b);
}

static void note_operations(pfn_t pfn, uint64_t completed)
{
	uint64_t status = thread_of(pfn)->registers.rax;

	for (uint32_t i = 0; i < batch_count && i < completed; i++)
		if (OP_CODE(batch[i].head) < OP_COUNT)
			seen_operations[OP_CODE(batch[i].head)][ST_OK]++;
	if (completed < batch_count && status <= ST_RESULTS &&
		OP_CODE(batch[completed].head) < OP_COUNT)
		seen_operations[OP_CODE(batch[completed].head)][status]++;
}

static void do_batch(void)
{
	pfn_t pfn = model.running;

	make_batch(8);
	if (self()->message)
		write_page(0, batch, batch_count * sizeof(struct op));
	show_batch();
	machine.user.rdi = percent(98) ? batch_count : below(80);
	if (machine.user.rdi != batch_count)
		batch_count = 0; /* what lies behind is not for the model */
	if (batch_count == 0)
		machine.user.rdi = percent(50) ? 0 : 65 + below(1000);
	do_call(CALL_BATCH);
	note_operations(pfn, model.thread[pfn].registers.rdx);
}

/* ---- messages ---- */

static void random_words(void)
{
	machine.user.rdx = random_word();
	machine.user.r10 = random_word();
	machine.user.r8 = random_word();
	machine.user.r9 = random_word();
	machine.user.r12 = random_word();
	machine.user.r13 = random_word();
}

static void do_send(void)
{
	scribble_page();
	random_words();
	machine.user.rsi = some_tag();
	machine.user.rdi = meeting_slot(percent(97) ? RIGHT_SEND : 0, MODEL_RECEIVING);
	if (percent(30))
		machine.user.rdi |= (uint64_t)target_slot() << RR_SLOT_SHIFT;
	do_call(CALL_CALL);
}

static void remember_token(uint64_t token)
{
	test.token[test.tokens++ % OLD_TOKENS] = token;
}

/* The thread that is served at a port; any of them, 0: none. */
static pfn_t some_served(pfn_t port)
{
	pfn_t start = below(MODEL_FRAMES);

	for (uint32_t i = 0; i < MODEL_FRAMES; i++) {
		pfn_t pfn = (start + i) % MODEL_FRAMES;

		if (model.frame[pfn].type == FRAME_THREAD &&
			model.thread[pfn].state == MODEL_SERVED &&
			(!port || model.thread[pfn].port == port))
			return pfn;
	}
	return 0;
}

static uint64_t some_token(pfn_t served)
{
	if (served && percent(90)) {
		remember_token(model.thread[served].token);
		return model.thread[served].token;
	}
	if (percent(50))
		return test.token[below(OLD_TOKENS)];
	served = some_served(0);
	if (served && percent(50))
		return model.thread[served].token;
	if (served && percent(50))
		return model.thread[served].token ^ 1ull << below(64);
	return percent(50) ? random_word() : below(MODEL_FRAMES);
}

/* The operations of a reply: two in the registers, or all in the page. */
static uint64_t place_batch(void)
{
	uint32_t in_registers = percent(60) ? 2 : 0;
	uint64_t flags = (uint64_t)batch_count << TAG_OPS_SHIFT;

	show_batch();
	batch[batch_count] = (struct op){ random_word(), random_word(), random_word() };
	if (in_registers) {
		machine.user.rdx = batch[0].head;
		machine.user.r10 = batch[0].a;
		machine.user.r8 = batch[0].b;
		machine.user.r9 = batch[1].head;
		machine.user.r12 = batch[1].a;
		machine.user.r13 = batch[1].b;
	} else {
		flags |= TAG_OPS_IN_PAGE;
	}
	if (batch_count > in_registers && self()->message)
		write_page(
			0, batch + in_registers, (batch_count - in_registers) * sizeof(struct op));
	return flags;
}

/* Registers for a thread whose exception is answered. */
static void place_registers(void)
{
	struct registers registers;
	uint64_t *words = (uint64_t *)&registers;

	for (uint32_t i = 0; i < sizeof(registers) / 8; i++)
		words[i] = random_word();
	registers.rip = some_code();
	if (self()->message)
		write_page(0, &registers, sizeof(registers));
}

static uint64_t answer_tag(pfn_t served)
{
	uint64_t tag = some_tag();

	if (!served || model.thread[served].wait == MODEL_CALL)
		return tag;
	tag = below(percent(97) ? 4 : 6);
	if (model.thread[served].wait == MODEL_FAULT && percent(90))
		tag &= 1;
	if (tag == FAULT_SET_REGISTERS)
		place_registers();
	return tag;
}

static void do_reply_receive(void)
{
	uint32_t slot = meeting_slot(
		percent(97) ? RIGHT_RECEIVE : 0, percent(50) ? MODEL_QUEUED : MODEL_SERVED);
	const struct model_handle *handle;
	uint64_t flags = 0;
	pfn_t served, pfn = model.running;

	if (model.running == MACHINE_ROOT_THREAD)
		slot = ROOT_SLOT;
	handle = model_handle_at(&model, self()->space, slot);
	served = handle ? some_served(handle->to.port) : 0;
	scribble_page();
	random_words();
	batch_count = 0;
	machine.user.rsi = answer_tag(served);
	if (served ? percent(75) : percent(4)) {
		flags |= RR_REPLY;
		machine.user.rbx = some_token(served);
		if (percent(35)) {
			make_batch(percent(80) ? 2 : 8);
			machine.user.rsi |= place_batch();
		}
	}
	if (percent(flags ? 75 : 97))
		flags |= RR_RECEIVE;
	if (percent(15))
		flags |= RR_NONBLOCK;
	if (percent(40))
		flags |= (uint64_t)target_slot() << RR_SLOT_SHIFT;
	machine.user.rdi = slot | flags;
	do_call(CALL_REPLY_RECEIVE);
	if (batch_count && model.thread[pfn].registers.rax == ST_OK)
		note_operations(pfn, batch_count);
}

static void do_notify(void)
{
	machine.user.rdi = percent(98) ? some_slot(percent(95) ? RIGHT_SEND : 0) : random_word();
	machine.user.rsi = percent(97) ? random_word() : 0;
	do_call(CALL_NOTIFY);
}

/* ---- other calls ---- */

static void do_handle(void)
{
	uint32_t rights = percent(60) ? RIGHT_ALL : below(16);

	machine.user.rdi = percent(98) ? below(4) : random_word();
	machine.user.rsi = percent(98) ? some_slot(rights) : random_word();
	machine.user.rdx = percent(98) ? target_slot() : random_word();
	machine.user.r10 = percent(98) ? rights : random_word();
	machine.user.r8 = random_word();
	if (machine.user.rdi == HANDLE_DROP && percent(80))
		machine.user.rdi = HANDLE_LOOK;
	if (model.running == MACHINE_ROOT_THREAD && machine.user.rsi == ROOT_SLOT)
		machine.user.rsi = 0;
	do_call(CALL_HANDLE);
}

static void do_thread(void)
{
	uint64_t choice = below(percent(98) ? 2 : 5);

	machine.user.rdi = choice;
	machine.user.rsi = percent(90) ? some_code() : 0;
	machine.user.rdx = percent(70) ? 0 : percent(90) ? random_word() >> 17 : random_word();
	machine.user.r10 = random_word();
	if (choice == THREAD_SELF_UPCALL && percent(50))
		machine.user.rsi = 0;
	do_call(CALL_THREAD);
}

static void do_irq(void)
{
	machine.user.rdi = below(percent(98) ? 2 : 4);
	machine.user.rsi = percent(97) ? below(16) : random_word();
	if (machine.user.rsi == ROOT_LINE)
		machine.user.rsi++;
	machine.user.rdx = some_slot(RIGHT_RECEIVE);
	machine.user.r10 = percent(95) ? 1 + below(1000) : percent(50) ? 0 : random_word();
	do_call(CALL_IRQ);
}

static void do_timer(void)
{
	machine.user.rdi = below(percent(98) ? 3 : 5);
	if (machine.user.rdi == TIMER_BIND) {
		machine.user.rsi = some_slot(RIGHT_RECEIVE);
		machine.user.rdx = percent(95) ? 1 + below(1000) : percent(50) ? 0 : random_word();
	} else {
		machine.user.rsi = percent(70)	 ? processor.tsc + below(3 * MODEL_SLICE)
				   : percent(70) ? 0
						 : 1 + below(1000);
	}
	do_call(CALL_TIMER);
}

/* Reads ports and writes those of nobody: 0x21 and 0xa1 are the controllers'. */
static void do_io(void)
{
	machine.user.rdi = percent(95) ? below(12) : random_word();
	machine.user.rsi = percent(95) ? 0x1000 + below(0xe000) : random_word();
	machine.user.rdx = percent(90) ? random_word() : below(5000);
	if (machine.user.rdi < 12 && (machine.user.rdi < IO_OUT8 || machine.user.rdi >= IO_INS8))
		machine.user.rdi = IO_OUT8 + machine.user.rdi % 3;
	do_call(CALL_IO);
}

static void do_other(void)
{
	switch (below(6)) {
	case 0:
		do_irq();
		break;
	case 1:
		do_timer();
		break;
	case 2:
		machine.user.rdi = below(4);
		do_call(CALL_INFO);
		break;
	case 3:
		machine.user.rdi = percent(90) ? below(2) : DEBUG_SUMS + below(2);
		machine.user.rsi = percent(90) ? below(100) : random_word();
		do_call(CALL_DEBUG);
		break;
	case 4:
		do_io();
		break;
	default:
		machine.user.rdi = percent(50) ? below(256) : random_word();
		do_call(CALL_SHUTDOWN);
		break;
	}
}

static void do_vector(void)
{
	static const uint32_t vectors[] = { VECTOR_DIVIDE, VECTOR_DEBUG, VECTOR_BREAKPOINT,
		VECTOR_OVERFLOW, VECTOR_INVALID_OPCODE, VECTOR_STACK, VECTOR_PROTECTION, VECTOR_FPU,
		VECTOR_ALIGNMENT, VECTOR_SIMD };
	uint32_t vector = vectors[below(10)];

	do_exception(vector, vector == VECTOR_PROTECTION || vector == VECTOR_STACK ? below(9) : 0);
}

/* ---- steps ---- */

/* What a program does without the kernel: registers, FPU, bases, flags. */
static void do_user(void)
{
	uint64_t value = random_word();

	machine.user.rbp = random_word();
	machine.user.r14 = random_word();
	machine.user.r15 = random_word();
	machine.user.rflags = 0x202 | (random_word() & 0x8d5);
	machine.user.rip = LAYOUT_USER_TEXT + below(0x10000);
	if (percent(1) && model.running != MACHINE_ROOT_THREAD)
		machine.user.rip = 0x800000000000ull;
	if (percent(10))
		processor.fs_base = self()->fs_base = random_word() >> 17;
	if (percent(10))
		processor.gs_base = self()->gs_base = random_word() >> 17;
	if (percent(20) && !(processor.cr0 & CR0_TS)) {
		memcpy(processor.fpu, &value, sizeof(value));
		self()->fpu = value;
	}
}

/* A thread that knows nobody would only burn time. */
static void do_alone(void)
{
	switch (below(3)) {
	case 0:
		do_access();
		break;
	case 1:
		do_vector();
		break;
	default:
		machine.user.rdi = THREAD_SELF_STOP;
		do_call(CALL_THREAD);
		break;
	}
}

/* What a thread with a pool does, and one without. */
static void do_something(bool has_pool)
{
	uint32_t choice = below(100);

	if (percent(70) && !has_handle(RIGHT_SEND))
		do_alone();
	else if (choice < (has_pool ? 6u : 34u))
		do_send();
	else if (choice < 62)
		has_handle(RIGHT_RECEIVE) || percent(5) ? do_reply_receive() : do_send();
	else if (choice < 67)
		do_notify();
	else if (choice < 72)
		do_handle();
	else if (choice < 74)
		do_thread();
	else if (choice < 76)
		do_call(CALL_YIELD);
	else if (choice < (has_pool ? 78u : 86u))
		do_access();
	else if (choice < (has_pool ? 80u : 90u))
		do_vector();
	else if (choice < (has_pool ? 81u : 92u))
		do_call(percent(50) ? CALL_COUNT : random_word() | 64);
	else if (choice < 97 && ((has_pool && self()->message) || percent(5)))
		do_batch();
	else
		do_other();
}

static void do_root(void)
{
	uint32_t choice = below(100);

	if (model.masked & (1u << ROOT_LINE)) {
		machine.user.rdi = IRQ_ACK;
		machine.user.rsi = ROOT_LINE;
		do_call(CALL_IRQ);
	} else if (choice < 45) {
		do_reply_receive();
	} else if (choice < 85) {
		do_batch();
	} else if (choice < 90) {
		do_notify();
	} else if (choice < 94) {
		do_handle();
	} else if (choice < 96) {
		do_call(CALL_YIELD);
	} else if (choice < 98) {
		machine.user.rdi = machine.user.rsi = 0;
		do_call(CALL_CALL);
	} else {
		do_other();
	}
}

static void step(void)
{
	if (machine.idle) {
		if (percent(60))
			percent(50) ? do_tick() : do_interrupt(8 + below(4));
		if (machine.idle)
			do_interrupt(ROOT_LINE);
		if (machine.idle)
			machine_fail("nobody can run any more");
		return;
	}
	do_user();
	if (percent(4))
		percent(60) ? do_tick() : do_interrupt(percent(80) ? 3 + below(12) : ROOT_LINE);
	else if (model.running == MACHINE_ROOT_THREAD)
		do_root();
	else
		do_something(model.space[self()->space].pool != 0);
}

/* ---- the picture that every history starts from ---- */

/* A batch of the root task that must succeed. */
static void set_up(void)
{
	write_page(0, batch, batch_count * sizeof(struct op));
	machine.user.rdi = batch_count;
	do_call(CALL_BATCH);
	if (model.thread[MACHINE_ROOT_THREAD].registers.rax != ST_OK)
		machine_fail("the history could not be set up");
	batch_count = 0;
}

static void set_up_run(uint32_t code, pfn_t first, uint32_t count, uint64_t a)
{
	batch[batch_count++] = (struct op){ op_head(code, 0, first, 0, count), a, 0 };
}

/* The tables of a space with its leaf table at address 0.  The model is given them. */
static void set_up_tables(pfn_t space, pfn_t top, pfn_t l3)
{
	pfn_t parent = top;

	for (pfn_t pfn = l3; pfn <= l3 + 2; pfn++) {
		uint32_t type = FRAME_L3 - (pfn - l3);

		if (machine_operate(op_head(OP_RETYPE, 0, pfn, 0, 1), type, 0) != ST_OK ||
			machine_operate(op_head(OP_SET, 0, parent, 0, 1),
				pte_make(pfn, PTE_P | PTE_W | PTE_U), 0) != ST_OK)
			machine_fail("the tables could not be set up");
		model_add_table(&model, pfn, type, frame_table[pfn].pool);
		parent = pfn;
	}
	model.space[space].has_tables = true;
	self()->registers = thread_of(MACHINE_ROOT_THREAD)->registers;
	memcpy(model.page[MACHINE_ROOT_MESSAGE], frame_memory(MACHINE_ROOT_MESSAGE), PAGE_SIZE);
}

static void set_up_pools(void)
{
	add(OP_PORT_CREATE, 0, ROOT_PORT, ROOT_SLOT, 0, 0);
	add(OP_POOL_CREATE, 0, 0, 0, 0, 0);
	add(OP_POOL_CREATE, 0, 0, 0, 0, 0);
	set_up();
	set_up_run(OP_TRANSFER, A_FIRST, A_END - A_FIRST, 2);
	set_up_run(OP_TRANSFER, B_FIRST, B_END - B_FIRST, 3);
	set_up();
	set_up_run(OP_RETYPE, A_END - 12, 12, FRAME_MSG);
	set_up_run(OP_RETYPE, A_END - 24, 12, FRAME_DATA);
	set_up_run(OP_RETYPE, B_END - 8, 8, FRAME_MSG);
	set_up_run(OP_RETYPE, B_END - 16, 8, FRAME_DATA);
	set_up_run(OP_RETYPE, B_END + 2, 3, FRAME_MSG);
	set_up();
}

static void set_up_spaces(void)
{
	uint64_t fpu = percent(50) ? SPACE_FPU_NONE : 0;

	add(OP_SPACE_CREATE, 0, A_SPACE, 0, A_TOP,
		2ull << SPACE_POOL_SHIFT | SPACE_TIMER | SPACE_DEBUG);
	add(OP_SPACE_CREATE, 0, C_SPACE, 0, C_TOP, 0);
	add(OP_SPACE_CREATE, 0, B_SPACE, 0, B_TOP, 3ull << SPACE_POOL_SHIFT | fpu);
	add(OP_SPACE_GRANT, 0, A_SPACE, 0, 0x1000 | 0x1000ull << 32, 0x0f08);
	set_up();
	set_up_tables(A_SPACE, A_TOP, A_L3);
	set_up_tables(C_SPACE, C_TOP, C_L3);
}

/* Four ports: two of A, one of B, one of the root task, in slots 2 to 5 of all spaces. */
static void set_up_ports(void)
{
	static const pfn_t ports[] = { A_FIRST + 12, A_FIRST + 13, B_FIRST + 4, ROOT_PORT + 4 };

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t slot = ROOT_SLOT + 1 + i;

		add(OP_PORT_CREATE, 0, ports[i], slot, 0, 0);
		add(OP_HANDLE_SET, 0, A_SPACE, slot,
			slot | (i < 2 ? (uint64_t)RIGHT_ALL << 16 : RIGHT_SEND << 16), 0);
		add(OP_HANDLE_SET, 0, B_SPACE, slot,
			slot | (i == 2 ? (uint64_t)RIGHT_ALL << 16 : RIGHT_SEND << 16), 0);
		add(OP_HANDLE_SET, 0, C_SPACE, slot,
			slot | (uint64_t)(RIGHT_SEND | RIGHT_GIVE) << 16, random_word());
	}
	add(OP_HANDLE_SET, 0, B_SPACE, 10, 5 | (uint64_t)RIGHT_ALL << 16, 0);
	for (uint32_t pool = 1; pool < 4; pool++)
		add(OP_POOL_SET, 0, 0, 0, pool,
			(pool == 1 ? ROOT_SLOT : pool + 1) | 1ull << (32 + pool));
	set_up();
}

static void set_up_thread(pfn_t thread, pfn_t space, pfn_t message)
{
	add(OP_THREAD_CREATE, 0, thread, 0, space, 20 + below(24));
	add(OP_THREAD_SET, 0, thread, THREAD_FIELD_START, LAYOUT_USER_TEXT, LAYOUT_STACK_TOP);
	if (percent(90))
		add(OP_THREAD_SET, 0, thread, THREAD_FIELD_MESSAGE, message, 0);
	if (percent(90))
		add(OP_THREAD_SET, 0, thread, THREAD_FIELD_FAULT_PORT, 2 + below(4), random_word());
	if (percent(90))
		add(OP_THREAD_SET, 0, thread, THREAD_FIELD_EXCEPTION_PORT, 2 + below(4),
			random_word());
	set_up();
}

static void set_up_threads(void)
{
	for (uint32_t i = 0; i < 8; i++)
		set_up_thread(A_FIRST + 16 + i, i < 3 ? A_SPACE : C_SPACE, A_END - 12 + i);
	for (uint32_t i = 0; i < 4; i++)
		set_up_thread(B_FIRST + 6 + i, B_SPACE, B_END - 8 + i);
	for (uint32_t i = 0; i < 8; i++)
		add(OP_THREAD_START, 0, A_FIRST + 16 + i, 0, 0, 0);
	for (uint32_t i = 0; i < 4; i++)
		add(OP_THREAD_START, 0, B_FIRST + 6 + i, 0, 0, 0);
	add(OP_THREAD_SET, 0, MACHINE_ROOT_THREAD, THREAD_FIELD_PRIORITY, 32, 0);
	write_page(0, batch, batch_count * sizeof(struct op));
	machine.user.rdi = batch_count;
	batch_count = 0;
	do_call(CALL_BATCH);
}

static void set_up_line(uint32_t line, uint32_t slot)
{
	machine.user.rdi = IRQ_BIND;
	machine.user.rsi = line;
	machine.user.rdx = slot;
	machine.user.r10 = 1u << line;
	do_call(CALL_IRQ);
}

static void start_history(uint64_t seed)
{
	static const uint32_t features[] = { FEATURE_FSGSBASE, FEATURE_FSGSBASE | FEATURE_PCID };
	const struct model_root root = { .zero = MACHINE_ZERO_FRAME,
		.space = MACHINE_ROOT_SPACE,
		.top = MACHINE_ROOT_TOP,
		.thread = MACHINE_ROOT_THREAD,
		.message = MACHINE_ROOT_MESSAGE,
		.frames = MODEL_FRAMES,
		.priority = MACHINE_ROOT_PRIORITY,
		.rights = MACHINE_ROOT_RIGHTS };

	test.seed = seed;
	test.random = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	test.step = 0;
	test.tokens = 0;
	memset(test.token, 0, sizeof(test.token));
	batch_count = 0;
	machine_start(MODEL_FRAMES, features[below(2)]);
	model_start(&model, &root);
	self()->registers = thread_of(MACHINE_ROOT_THREAD)->registers;
	model.now = processor.tsc;
	model.slice_end = model.now + MODEL_SLICE;
	set_up_pools();
	set_up_line(ROOT_LINE, ROOT_SLOT);
	set_up_spaces();
	set_up_ports();
	for (uint32_t i = 0; i < 4; i++)
		set_up_line(8 + i, ROOT_SLOT + 1 + i);
	set_up_threads();
}

/* The kernel's counters say what happened. */
static void compare_counters(void)
{
	const uint32_t *happened = model.happened;
	const pfn_t pfn = 0;

	SAME("calls", counters.calls, happened[MODEL_CALLS]);
	SAME("replies", counters.replies,
		happened[MODEL_ANSWERED] + happened[MODEL_ANSWERED + MODEL_FAULT] +
			happened[MODEL_ANSWERED + MODEL_EXCEPTION]);
	SAME("notifications", counters.notifications, happened[MODEL_BITS_SET]);
	SAME("faults delivered", counters.faults_delivered,
		happened[MODEL_DELIVERED + MODEL_FAULT]);
	SAME("faults cured", counters.faults_cured_at_delivery, happened[MODEL_CURED]);
	SAME("exceptions", counters.exceptions, happened[MODEL_EXCEPTIONS]);
	SAME("upcalls", counters.upcalls, happened[MODEL_UPCALLS]);
}

static void run_history(uint64_t seed, unsigned long count)
{
	memset(&counters, 0, sizeof(counters));
	start_history(seed);
	for (test.step = 1; test.step <= count; test.step++)
		step();
	compare_counters();
	machine_stop();
	steps_done += count;
	for (uint32_t i = 0; i < MODEL_EVENTS; i++)
		seen_events[i] += model.happened[i];
}

/* ---- what was seen ---- */

static void show_seen(void)
{
	static const char *const events[] = { "calls delivered", "faults delivered",
		"exceptions delivered", "calls answered", "faults answered", "exceptions answered",
		"notifications", "cancels", "faults cured at delivery", "handles", "payloads",
		"upcalls", "threads parked", "direct switches", "refusals", "DEAD or INTERRUPTED",
		"replies to the dead", "calls accepted", "exceptions", "notifications sent" };

	for (uint32_t i = 0; i < MODEL_EVENTS; i++)
		printf("%10" PRIu64 " %s\n", seen_events[i], events[i]);
	for (uint32_t call = 0; call <= CALL_COUNT; call++) {
		printf("%-14s", call < CALL_COUNT ? call_names[call] : "foreign");
		for (uint32_t status = 0; status <= ST_RESULTS; status++)
			printf(" %7" PRIu64, seen_calls[call][status]);
		printf("\n");
	}
	for (uint32_t code = 0; code < OP_COUNT; code++) {
		printf("operation %2u  ", code);
		for (uint32_t status = 0; status <= ST_RESULTS; status++)
			printf(" %7" PRIu64, seen_operations[code][status]);
		printf("\n");
	}
}

/* Those whose histories showed a fault of the kernel, with the test of message_test.c that
   tells what it was. */
static const uint64_t past_seeds[] = {
	87, /* tag_changed_while_queued_moves_no_foreign_bytes */
	1,  /* reset_wakes_a_receiver, surplus_of_operations_on_objects_is_refused */
	2,  /* refused_space_leaves_its_frames, promise_blocks_the_fpu */
};

static void run_all(unsigned long steps)
{
	for (size_t i = 0; i < sizeof(past_seeds) / sizeof(past_seeds[0]); i++)
		run_history(past_seeds[i], STEPS_OF_SEED);
	for (uint64_t seed = 1; steps_done < steps; seed++)
		run_history(seed, STEPS_OF_SEED);
}

int main(int argc, char **argv)
{
	unsigned long steps = STEPS_DEFAULT;
	bool seeds_given = false, show = false;

	machine.report = report;
	model_view = (struct model_view){ view_registers, view_memory, view_walk };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0) {
			test.verbose = true;
		} else if (strcmp(argv[i], "-s") == 0) {
			show = true;
		} else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
			steps = strtoul(argv[++i], NULL, 0);
		} else {
			run_history(strtoull(argv[i], NULL, 0),
				steps < STEPS_DEFAULT ? steps : STEPS_OF_SEED);
			seeds_given = true;
		}
	}
	if (!seeds_given)
		run_all(steps);
	if (show)
		show_seen();
	printf("ok %lu steps\n1 passed, 0 failed\n", steps_done);
	return 0;
}
