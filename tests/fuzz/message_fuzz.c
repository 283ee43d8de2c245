/*
 * Kernel entries by several threads of several spaces and pools, on the simulated machine
 * (tests/host/kernel_machine.h).
 *
 * The picture: the root task has a port where it is told of parked threads; two pagers have a pool,
 * a space and threads each (A and B); clients of A have no pool.  Each record is one step of the
 * thread that runs: a call with registers, an access, an exception, an operation put into its next
 * batch, bytes in its message page; or an interrupt.  Some fields choose what is sensible (a slot
 * that is used, a token that was received), others are taken as they are.
 *
 * Checked after each entry, without a model: all rules of the kernel and of the processor (by
 * the machine); a token that is received is a new one, and names the thread that waits; a call that
 * waited ends with OK only by a reply with its token, with DEAD or INTERRUPTED only by an operation
 * that says so; threads do not vanish from their waits; what belongs to a pool that the running
 * thread has no authority over stays as it is: DATA and tables byte for byte, and their counts.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "frame.h"
#include "fuzz.h"
#include "handle.h"
#include "ipc.h"
#include "kernel_machine.h"
#include "list.h"
#include "percpu.h"
#include "pool.h"
#include <string.h>

enum {
	FRAMES = 112,
	ROOT_PORT = MACHINE_FIRST_FREE,
	A_FIRST = 20,
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
	A_PORT,
	A_PORT_TWO,
	A_THREADS, /* three of A, three of its clients */
	A_PAGES = A_THREADS + 6,
	A_DATA = A_PAGES + 6,
	A_DATA_END = A_DATA + 6,
	A_END = 64,
	B_FIRST = A_END,
	B_SPACE = B_FIRST,
	B_TOP,
	B_PORT,
	B_THREADS,
	B_PAGES = B_THREADS + 3,
	B_DATA = B_PAGES + 3,
	B_DATA_END = B_DATA + 4,
	B_END = 88
};

#define RECORD_BYTES 12u
#define HEADER_BYTES 1u
#define RECORDS_MAX  160u
#define RECENT	     16u
#define POOL_A	     2u
#define POOL_B	     3u
#define SLOTS	     16u
#define SEQUENCE(t)  ((t) >> FRAME_NUMBER_BITS)
#define TOKEN_PFN(t) ((pfn_t)((t) & ((1u << FRAME_NUMBER_BITS) - 1)))

/* One step. */
struct step {
	uint8_t action, a, b, c;
	uint64_t word;
};

/* A thread as it was before the entry. */
struct before {
	uint64_t id, token;
	uint8_t state, wait;
};

static struct before before[FRAMES];
static uint64_t recent[RECENT], sequence_seen[FRAMES];
static uint32_t recent_count, batch_count;
static struct op batch[OP_MAX_IN_PAGE];
static uint8_t watched_bytes[FRAMES][PAGE_SIZE];
static struct frame watched_entry[FRAMES];
static bool watched[FRAMES];

/* ---- the running thread ---- */

static struct thread *self(void)
{
	return percpu0.current;
}

static bool is_root(void)
{
	return machine_running() == MACHINE_ROOT_THREAD;
}

/* Mostly those of the ports of the picture. */
static uint64_t slot_of(uint8_t choice)
{
	if (choice < 160)
		return 2 + choice % 3;
	return choice < 248 ? choice % SLOTS : (uint64_t)choice - 248 + HANDLE_SLOTS;
}

static pfn_t frame_of(uint8_t choice, uint64_t word)
{
	return choice < 252 ? choice % FRAMES : (pfn_t)(word & 0xfffffff);
}

/* ---- what is checked ---- */

static bool is_watched_type(uint32_t type)
{
	return type == FRAME_DATA || (type >= FRAME_L1 && type <= FRAME_TOP);
}

/* Remember the frames that the entry must not change: without operations, all of these types; with
   them, those that the running thread has no authority over. */
static void watch(bool has_operations)
{
	uint16_t pool = has_operations ? self()->space->pool : 0;

	for (pfn_t pfn = MACHINE_FIRST_FREE; pfn < FRAMES; pfn++) {
		const struct frame *frame = &frame_table[pfn];

		watched[pfn] = is_watched_type(frame->type) && !(frame->flags & FRAME_LENT) &&
			       !pool_is_within(frame->pool, pool);
		if (!watched[pfn])
			continue;
		watched_entry[pfn] = *frame;
		memcpy(watched_bytes[pfn], frame_memory(pfn), PAGE_SIZE);
	}
}

static void check_watched(void)
{
	for (pfn_t pfn = MACHINE_FIRST_FREE; pfn < FRAMES; pfn++) {
		const struct frame *frame = &frame_table[pfn], *was = &watched_entry[pfn];

		if (!watched[pfn])
			continue;
		FUZZ_CHECK(frame->type == was->type && frame->pool == was->pool);
		FUZZ_CHECK(frame->refs == was->refs && frame->holds == was->holds);
		FUZZ_CHECK(memcmp(watched_bytes[pfn], frame_memory(pfn), PAGE_SIZE) == 0);
	}
}

static void remember_threads(void)
{
	for (pfn_t pfn = 0; pfn < FRAMES; pfn++) {
		const struct thread *thread = thread_of(pfn);

		before[pfn] = (struct before){ 0 };
		if (frame_table[pfn].type == FRAME_THREAD)
			before[pfn] = (struct before){ thread->id, thread->token, thread->state,
				thread->wait };
	}
}

/* What the entry was: who may have been answered, and whether calls may have been ended. */
struct entry {
	uint64_t answered; /* token of a reply, 0: none */
	bool ends;	   /* operations that end calls were run */
};

static bool was_in_call(const struct before *was)
{
	return was->wait == WAIT_CALL &&
	       (was->state == THREAD_QUEUED || was->state == THREAD_SERVED);
}

/* A call that waited: how it ended, if it did. */
static void check_call(pfn_t pfn, const struct entry *entry)
{
	const struct thread *thread = thread_of(pfn);
	const struct before *was = &before[pfn];

	if (thread->state == THREAD_QUEUED || thread->state == THREAD_SERVED) {
		if (thread->token == was->token && thread->state != was->state)
			FUZZ_CHECK(thread->state == THREAD_SERVED);
		return;
	}
	FUZZ_CHECK(thread->state == THREAD_READY || entry->ends);
	if (thread->state != THREAD_READY || entry->ends)
		return;
	FUZZ_CHECK(was->state == THREAD_SERVED && was->token == entry->answered);
	FUZZ_CHECK(thread->registers.rax == ST_OK);
	FUZZ_CHECK(TAG_BYTES(thread->registers.rsi) <= PAGE_SIZE);
}

static void check_threads(const struct entry *entry)
{
	for (pfn_t pfn = 0; pfn < FRAMES; pfn++) {
		bool is_there = frame_table[pfn].type == FRAME_THREAD &&
				thread_of(pfn)->id == before[pfn].id;

		if (before[pfn].id == 0)
			continue;
		FUZZ_CHECK(is_there || entry->ends);
		if (is_there && was_in_call(&before[pfn]))
			check_call(pfn, entry);
	}
}

/* A message was received: by the running thread, or by one that waited before. */
static void check_token(const struct thread *receiver)
{
	const struct registers *registers = &receiver->registers;
	uint64_t token = registers->rbx;
	pfn_t pfn = TOKEN_PFN(token);

	if (registers->rax != ST_OK || (registers->rsi & (TAG_NOTIFICATION | TAG_CANCEL)))
		return;
	FUZZ_CHECK(TAG_BYTES(registers->rsi) <= PAGE_SIZE);
	FUZZ_CHECK(pfn < FRAMES && frame_table[pfn].type == FRAME_THREAD);
	FUZZ_CHECK(thread_of(pfn)->token == token && thread_of(pfn)->state == THREAD_SERVED);
	if (SEQUENCE(token) <= sequence_seen[pfn])
		FUZZ_CHECK(thread_of(pfn)->wait != WAIT_CALL); /* a fault that was queued again */
	sequence_seen[pfn] = SEQUENCE(token);
	recent[recent_count++ % RECENT] = token;
}

/* Whoever received something: the caller, if it asked for that, and those that waited for it. */
static void check_received(pfn_t caller, uint64_t request)
{
	for (pfn_t pfn = 0; pfn < FRAMES; pfn++) {
		const struct thread *thread = thread_of(pfn);

		if (frame_table[pfn].type != FRAME_THREAD || thread->id != before[pfn].id ||
			thread->state != THREAD_READY)
			continue;
		if (before[pfn].state == THREAD_RECEIVING ||
			(pfn == caller && (request & RR_RECEIVE)))
			check_token(thread);
	}
}

static void check_all(const struct entry *entry, pfn_t caller, uint64_t request)
{
	check_watched();
	check_threads(entry);
	if (!entry->ends)
		check_received(caller, request);
	fuzz_count(1);
}

/* ---- entries ---- */

static void prepare(bool has_operations)
{
	watch(has_operations);
	remember_threads();
}

static bool batch_ends_calls(void)
{
	for (uint32_t i = 0; i < batch_count; i++) {
		uint32_t code = OP_CODE(batch[i].head);

		if (code == OP_DESTROY || code == OP_PORT_RESET || code == OP_THREAD_STOP ||
			code == OP_THREAD_INTERRUPT)
			return true;
	}
	return false;
}

static void call_plain(uint64_t number)
{
	struct entry entry = { 0 };

	prepare(false);
	machine.user.rax = number;
	machine_call();
	check_all(&entry, 0, 0);
}

static void call_batch(void)
{
	struct entry entry = { .ends = batch_ends_calls() };

	if (self()->message)
		memcpy(frame_memory(self()->message), batch, batch_count * sizeof(struct op));
	prepare(true);
	machine.user.rdi = batch_count;
	machine.user.rax = CALL_BATCH;
	batch_count = 0;
	machine_call();
	check_all(&entry, 0, 0);
}

static uint64_t tag_of(uint64_t word)
{
	uint64_t tag = (word & 0xff) | ((word >> 48) & 0xf) << 60;

	if ((word >> 21) & 1)
		tag |= (word >> 8 & 0x1fff) << TAG_BYTES_SHIFT;
	if ((word >> 22 & 3) == 0)
		tag |= slot_of((uint8_t)(word >> 24)) << TAG_HANDLE_SHIFT;
	return tag;
}

static void call_send(const struct step *step)
{
	machine.user.rdi = slot_of(step->a) | (uint64_t)step->b << RR_SLOT_SHIFT;
	machine.user.rsi = tag_of(step->word);
	machine.user.rdx = step->word;
	call_plain(CALL_CALL);
}

/* The token of some thread that is served, anywhere. */
static uint64_t token_served(uint8_t choice)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		pfn_t pfn = (choice + i) % FRAMES;

		if (frame_table[pfn].type == FRAME_THREAD && thread_of(pfn)->state == THREAD_SERVED)
			return thread_of(pfn)->token;
	}
	return 0;
}

/* The slot of a port that the running thread may receive from, where somebody is served. */
static uint64_t slot_served(uint64_t *token)
{
	for (uint32_t slot = 1; slot < HANDLE_SLOTS; slot++) {
		const struct handle *handle = handle_get(self()->space, slot);
		const struct link *served;

		if (!handle || !(handle->rights & RIGHT_RECEIVE))
			continue;
		served = &port_of(handle->pfn)->served;
		if (list_is_empty(served))
			continue;
		*token = list_thread(served->next)->token;
		return slot;
	}
	return 0;
}

static uint64_t token_of(const struct step *step)
{
	uint64_t token = step->b & 8 ? token_served(step->c) : recent[step->c % RECENT];

	return (step->b & 0xc0) == 0xc0 ? token ^ 1ull << (step->word & 63) : token;
}

static uint64_t place_batch(bool in_registers)
{
	uint64_t flags = (uint64_t)batch_count << TAG_OPS_SHIFT;
	uint32_t first = in_registers ? 2 : 0;

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
	if (self()->message && batch_count > first)
		memcpy(frame_memory(self()->message), batch + first,
			(batch_count - first) * sizeof(struct op));
	return flags;
}

static void call_reply_receive(const struct step *step)
{
	uint64_t request = (uint64_t)(step->b & 7) << 32;
	struct entry entry = { 0 };
	pfn_t caller = machine_running();
	uint64_t slot = slot_of(step->a), token = token_of(step);

	if (is_root())
		slot = 1;
	else if ((step->c & 3) && slot_served(&token)) /* the obvious thing to do */
		slot = slot_served(&token);
	machine.user.rdi = slot | request | (step->word >> 40 & 0xff) << RR_SLOT_SHIFT;
	machine.user.rsi = tag_of(step->word);
	if (step->b & 16)
		machine.user.rsi &= ~0xfcull;
	machine.user.rbx = token;
	if (request & RR_REPLY) {
		entry.answered = machine.user.rbx;
		if ((step->b & 32) && batch_count && batch_count < 64) {
			entry.ends = batch_ends_calls();
			machine.user.rsi |= place_batch(step->word & 0x100);
			batch_count = 0;
		}
	}
	prepare(TAG_OPS(machine.user.rsi) != 0);
	machine.user.rax = CALL_REPLY_RECEIVE;
	machine_call();
	check_all(&entry, caller, request);
}

static void call_handle(const struct step *step)
{
	machine.user.rdi = step->a % 5;
	machine.user.rsi = slot_of(step->b);
	machine.user.rdx = slot_of(step->c);
	machine.user.r10 = step->word & 0x1f;
	machine.user.r8 = step->word >> 8;
	call_plain(CALL_HANDLE);
}

static void call_self(const struct step *step)
{
	machine.user.rdi = step->a % 4;
	machine.user.rsi = step->b & 1 ? 0 : step->word;
	machine.user.rdx = step->b & 2 ? 0 : step->word >> 8;
	machine.user.r10 = step->word;
	call_plain(CALL_THREAD);
}

static void call_device(const struct step *step)
{
	machine.user.rdi = step->a % 3;
	machine.user.rsi = step->b & 1 ? slot_of(step->c) : processor.tsc + (step->word & 0xffffff);
	machine.user.rdx = slot_of(step->c);
	machine.user.r10 = step->word & 0xff;
	if (step->a & 0x40) {
		machine.user.rsi = step->b % 17;
		call_plain(CALL_IRQ);
		return;
	}
	if (step->b & 1)
		machine.user.rdx = step->word & 0xff;
	call_plain(CALL_TIMER);
}

/* INFO, DEBUG without its end of the world, IO, SHUTDOWN without the right. */
static void call_other(const struct step *step)
{
	machine.user.rdi = step->b % 5;
	machine.user.rsi = step->c;
	machine.user.rdx = step->word & 0xffff;
	switch (step->a % 4) {
	case 0:
		call_plain(CALL_INFO);
		break;
	case 1:
		if (machine.user.rdi == DEBUG_HOOK) {
			machine.user.rsi = step->c % 2;
			if (machine.user.rsi == DEBUG_HOOK_REFS_LIMIT)
				machine.user.rdx = step->c & 2 ? 0 : step->word & 15;
		}
		call_plain(CALL_DEBUG);
		break;
	case 2:
		machine.user.rdi = step->b % 13;
		machine.user.rsi = 0x1000 + (step->word >> 32 & 0xffff);
		call_plain(CALL_IO);
		break;
	default:
		call_plain(CALL_SHUTDOWN);
		break;
	}
}

static void do_exception(const struct step *step)
{
	static const uint8_t vectors[] = { VECTOR_DIVIDE, VECTOR_DEBUG, VECTOR_NMI,
		VECTOR_BREAKPOINT, VECTOR_INVALID_OPCODE, VECTOR_NO_FPU, VECTOR_PROTECTION,
		VECTOR_STACK };
	struct entry entry = { 0 };

	prepare(false);
	machine_exception(vectors[step->a % 8], step->word & 0xffff);
	check_all(&entry, 0, 0);
}

/* An access as the processor makes it, or a page fault with any error code. */
static void do_access(const struct step *step)
{
	struct entry entry = { 0 };
	uint64_t address = step->a < 200 ? step->a % 16 * PAGE_SIZE : step->word;

	if (step->b & 1) {
		(void)machine_access(address, step->b & (FAULT_WRITE | FAULT_FETCH));
		fuzz_count(1);
		return;
	}
	prepare(false);
	machine_fault(address, step->b & 31);
	check_all(&entry, 0, 0);
}

static void do_interrupt(const struct step *step)
{
	struct entry entry = { 0 };

	prepare(false);
	if (step->b & 1)
		(void)machine_tick();
	else if (step->a % 16 != 2)
		(void)machine_interrupt(step->a % 16);
	check_all(&entry, 0, 0);
}

static void do_user(const struct step *step)
{
	machine.user.rip = step->b & 1 ? 0x7fffffffffffull + (step->c & 3) : LAYOUT_USER_TEXT;
	machine.user.rsp = step->word;
	if (self()->message)
		memcpy((uint8_t *)frame_memory(self()->message) + step->a * 8ull, &step->word, 8);
	processor.fs_base = step->word >> 17;
	if (!(processor.cr0 & CR0_TS))
		memcpy(processor.fpu, &step->word, 8);
}

/* ---- operations ---- */

static uint64_t entry_of(uint64_t word)
{
	return pte_make((word >> 12) % FRAMES,
		(word & 0xfe7) | (word >> 63 ? PTE_NX : 0) | (word & 8 ? PTE_PS : 0));
}

/* Argument a, so that it often means something. */
static uint64_t first_argument(uint32_t code, const struct step *step)
{
	uint64_t word = step->word;

	switch (code) {
	case OP_RETYPE:
		return word % FRAME_TYPES;
	case OP_SET:
	case OP_FILL:
		return word & 4 ? entry_of(word) : 0;
	case OP_COPY:
	case OP_MOVE:
		return op_head(0, 0, word % FRAMES, word >> 8 & 7, 0);
	case OP_COPY_FRAME:
	case OP_SPLIT:
	case OP_SPACE_CREATE:
	case OP_THREAD_CREATE:
	case OP_THREAD_CLONE:
		return word % FRAMES;
	case OP_TRANSFER:
	case OP_LEND:
	case OP_POOL_SET:
	case OP_POOL_DESTROY:
		return word % 8;
	case OP_POOL_CREATE:
		return word & 1 ? POOL_LIMITED | (word & 0x33f) : 0;
	case OP_HANDLE_SET:
		return slot_of((uint8_t)word) | (word >> 8 & 15) << 16;
	case OP_PROTECT:
		return word & (PTE_W | PTE_U);
	case OP_THREAD_SET:
		if (step->c % 9 == THREAD_FIELD_MESSAGE)
			return word % FRAMES;
		return step->c % 9 == THREAD_FIELD_ARGUMENTS ? word >> 48 : word % 64;
	case OP_SPACE_GRANT:
	case OP_THREAD_START:
	case OP_POOL_TAG:
		return word;
	default:
		return word & 0x8000 ? word : 0;
	}
}

static uint64_t second_argument(uint32_t code, const struct step *step, pfn_t table)
{
	uint64_t word = step->word;

	switch (code) {
	case OP_SET:
	case OP_SPLIT: /* mostly what stands there */
		return (word >> 56) < 240 && table < FRAMES
			       ? ((const uint64_t *)frame_memory(table))[step->c % 512]
			       : word;
	case OP_SPACE_CREATE:
		return (word >> 8 & 0x17) | (word >> 16 & 3) << SPACE_POOL_SHIFT;
	case OP_POOL_SET:
		return slot_of((uint8_t)(word >> 8)) | (word >> 16 & 0xff) << 32;
	case OP_THREAD_CREATE:
		return word >> 16 & 63;
	case OP_THREAD_SET:
		if (step->c % 9 == THREAD_FIELD_ARGUMENTS)
			return tag_of(word);
		return step->c % 9 == THREAD_FIELD_START || step->c % 9 >= THREAD_FIELD_FAULT_PORT
			       ? 0
			       : word >> 60 == 15;
	case OP_THREAD_START:
	case OP_HANDLE_SET:
		return word >> 32;
	case OP_SPACE_GRANT:
		return word >> 16 & 0xffff;
	case OP_COPY_FRAME:
		return word >> 8 & 1 ? word >> 16 & 0x1fff0fff0fffull : 0;
	default:
		return word >> 60 == 15;
	}
}

/* The root task must not lose what keeps the machine alive: its port, told of its pool. */
static bool ends_the_root_task(uint32_t code, pfn_t pfn, uint64_t a)
{
	return is_root() && (pfn == ROOT_PORT || (code == OP_POOL_SET && a == POOL_ROOT));
}

/* Those of threads and handles more often than the others. */
static uint32_t code_of(uint8_t choice)
{
	static const uint8_t often[] = { OP_SET, OP_RETYPE, OP_THREAD_CREATE, OP_THREAD_SET,
		OP_THREAD_SET, OP_THREAD_SET, OP_THREAD_SET, OP_THREAD_START, OP_THREAD_START,
		OP_THREAD_INTERRUPT, OP_THREAD_INTERRUPT, OP_THREAD_STOP, OP_PORT_CREATE,
		OP_HANDLE_SET, OP_HANDLE_SET, OP_PORT_RESET, OP_DESTROY };

	choice &= 63;
	return choice <= OP_COUNT ? choice : often[choice % sizeof(often)];
}

static void add_operation(const struct step *step)
{
	uint32_t code = code_of(step->a);
	pfn_t pfn = frame_of(step->b, step->word);
	uint64_t a = first_argument(code, step);
	uint32_t index =
		step->c < 250 ? step->c % (code == OP_THREAD_SET ? 9 : 16) : 512u - step->c;

	if (batch_count == OP_MAX_IN_PAGE || ends_the_root_task(code, pfn, a))
		return;
	if (code == OP_SPACE_CREATE)
		a = step->word % FRAMES;
	batch[batch_count++] = (struct op){
		op_head(code, code == OP_THREAD_START ? step->word >> 60 & 4 : step->a >> 6 & 2,
			pfn, index, 1 + (uint32_t)(step->word >> 50 & 3)),
		a, second_argument(code, step, pfn)
	};
}

/* ---- the picture ---- */

static void must_operate(uint64_t head, uint64_t a, uint64_t b)
{
	if (machine_operate(head, a, b) != ST_OK)
		fuzz_fail("the picture could not be made: operation %u of frame %u", OP_CODE(head),
			OP_PFN(head));
}

static void make_tables(pfn_t top, pfn_t l3)
{
	pfn_t parent = top;

	for (pfn_t pfn = l3; pfn <= l3 + 2; pfn++) {
		must_operate(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_L3 - (pfn - l3), 0);
		must_operate(
			op_head(OP_SET, 0, parent, 0, 1), pte_make(pfn, PTE_P | PTE_W | PTE_U), 0);
		parent = pfn;
	}
}

static void make_space(pfn_t space, pfn_t top, uint64_t rights)
{
	must_operate(op_head(OP_SPACE_CREATE, 0, space, 0, 1), top, rights);
}

/* A port in `slot` of the root's space and, with these rights, of the others'. */
static void make_port(pfn_t port, uint32_t slot, uint64_t of_a, uint64_t of_b)
{
	must_operate(op_head(OP_PORT_CREATE, 0, port, slot, 1), 0, 0);
	must_operate(op_head(OP_HANDLE_SET, 0, A_SPACE, slot, 1), slot | of_a << 16, 1);
	must_operate(op_head(OP_HANDLE_SET, 0, B_SPACE, slot, 1), slot | of_b << 16, 2);
	must_operate(op_head(OP_HANDLE_SET, 0, C_SPACE, slot, 1),
		slot | (uint64_t)(RIGHT_SEND | RIGHT_GIVE) << 16, 3);
}

static void make_thread(pfn_t thread, pfn_t space, pfn_t page, uint32_t priority, uint64_t slot)
{
	must_operate(op_head(OP_THREAD_CREATE, 0, thread, 0, 1), space, priority);
	must_operate(op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_MESSAGE, 1), page, 0);
	must_operate(op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_FAULT_PORT, 1), slot, thread);
	must_operate(
		op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_EXCEPTION_PORT, 1), slot, thread);
	must_operate(op_head(OP_THREAD_SET, 0, thread, THREAD_FIELD_START, 1), LAYOUT_USER_TEXT,
		LAYOUT_STACK_TOP);
}

static void make_pools(void)
{
	must_operate(op_head(OP_PORT_CREATE, 0, ROOT_PORT, 1, 1), 0, 0);
	must_operate(op_head(OP_POOL_SET, 0, 0, 0, 1), POOL_ROOT, 1 | 1ull << 32);
	must_operate(op_head(OP_POOL_CREATE, 0, 0, 0, 1), 0, 0);
	must_operate(op_head(OP_POOL_CREATE, 0, 0, 0, 1), 0, 0);
	must_operate(op_head(OP_TRANSFER, 0, A_FIRST, 0, A_END - A_FIRST), POOL_A, 0);
	must_operate(op_head(OP_TRANSFER, 0, B_FIRST, 0, B_END - B_FIRST), POOL_B, 0);
	must_operate(op_head(OP_RETYPE, 0, A_PAGES, 0, 6), FRAME_MSG, 0);
	must_operate(op_head(OP_RETYPE, 0, B_PAGES, 0, 3), FRAME_MSG, 0);
	must_operate(op_head(OP_RETYPE, 0, A_DATA, 0, A_DATA_END - A_DATA), FRAME_DATA, 0);
	must_operate(op_head(OP_RETYPE, 0, B_DATA, 0, B_DATA_END - B_DATA), FRAME_DATA, 0);
}

static void start_threads(void)
{
	for (pfn_t pfn = A_THREADS; pfn < A_THREADS + 6; pfn++)
		must_operate(op_head(OP_THREAD_START, 0, pfn, 0, 1), 0, 0);
	for (pfn_t pfn = B_THREADS; pfn < B_THREADS + 3; pfn++)
		must_operate(op_head(OP_THREAD_START, 0, pfn, 0, 1), 0, 0);
	machine_call_with(CALL_REPLY_RECEIVE, 1 | RR_RECEIVE, 0, 0);
	for (uint32_t i = 0; i < 9; i++) {
		switch (machine_running()) {
		case A_THREADS:
			machine_call_with(CALL_REPLY_RECEIVE, 2 | RR_RECEIVE, 0, 0);
			break;
		case A_THREADS + 1:
			machine_call_with(CALL_REPLY_RECEIVE, 3 | RR_RECEIVE, 0, 0);
			break;
		case B_THREADS:
			machine_call_with(CALL_REPLY_RECEIVE, 4 | RR_RECEIVE, 0, 0);
			break;
		default:
			machine_call_with(CALL_YIELD, 0, 0, 0);
			break;
		}
	}
}

static void make_picture(uint8_t header)
{
	machine.unchecked = true;
	machine_start(FRAMES, FEATURE_FSGSBASE | (header & 1 ? FEATURE_PCID | FEATURE_INVPCID : 0));
	make_pools();
	make_space(A_SPACE, A_TOP, (uint64_t)POOL_A << SPACE_POOL_SHIFT | SPACE_TIMER);
	make_space(C_SPACE, C_TOP, header & 2 ? SPACE_FPU_NONE : 0);
	make_space(B_SPACE, B_TOP, (uint64_t)POOL_B << SPACE_POOL_SHIFT);
	must_operate(op_head(OP_SPACE_GRANT, 0, A_SPACE, 0, 1), 0x2000 | 0x100ull << 32, 0x0f00);
	make_tables(A_TOP, A_L3);
	make_tables(C_TOP, C_L3);
	make_port(A_PORT, 2, RIGHT_ALL, RIGHT_SEND);
	make_port(A_PORT_TWO, 3, RIGHT_ALL, RIGHT_SEND | RIGHT_GIVE);
	make_port(B_PORT, 4, RIGHT_SEND, RIGHT_ALL);
	for (uint32_t i = 0; i < 6; i++)
		make_thread(A_THREADS + i, i < 3 ? A_SPACE : C_SPACE, A_PAGES + i, 20, 2 + i % 2);
	for (uint32_t i = 0; i < 3; i++)
		make_thread(B_THREADS + i, B_SPACE, B_PAGES + i, 20, 2 + i);
	start_threads();
	machine.unchecked = false;
}

/* ---- the input ---- */

/* Nobody runs: the root task is told something, as by a device. */
static void wake_root(void)
{
	ipc_notify(port_of(ROOT_PORT), 1);
	machine_timer();
}

/* What a step can be, the number says how often. */
enum action {
	DO_SEND,
	DO_REPLY_RECEIVE = 6,
	DO_NOTIFY = 14,
	DO_HANDLE,
	DO_SELF = 17,
	DO_YIELD,
	DO_ACCESS,
	DO_EXCEPTION = 21,
	DO_BATCH,
	DO_DEVICE = 25,
	DO_INTERRUPT,
	DO_OTHER = 28,
	DO_USER,
	DO_FOREIGN,
	DO_ADD,
	ACTIONS = 37
};

static void run_thread(const struct step *step, uint32_t action)
{
	if (action >= DO_ADD) {
		add_operation(step);
	} else if (action == DO_FOREIGN) {
		call_plain(CALL_COUNT + step->word);
	} else if (action >= DO_USER) {
		do_user(step);
	} else if (action >= DO_OTHER) {
		call_other(step);
	} else if (action >= DO_INTERRUPT) {
		do_interrupt(step);
	} else if (action >= DO_DEVICE) {
		call_device(step);
	} else if (action >= DO_BATCH) {
		call_batch();
	} else if (action >= DO_EXCEPTION) {
		do_exception(step);
	} else if (action >= DO_ACCESS) {
		do_access(step);
	} else if (action >= DO_YIELD) {
		call_plain(CALL_YIELD);
	} else if (action >= DO_SELF) {
		call_self(step);
	} else if (action >= DO_HANDLE) {
		call_handle(step);
	} else if (action >= DO_NOTIFY) {
		machine.user.rdi = slot_of(step->a);
		machine.user.rsi = step->word;
		call_plain(CALL_NOTIFY);
	} else if (action >= DO_REPLY_RECEIVE) {
		call_reply_receive(step);
	} else {
		call_send(step);
	}
}

/* The root task never waits elsewhere than at its port, and has no exceptions. */
static void run_root(struct step *step, uint32_t action)
{
	if (action < DO_REPLY_RECEIVE || (action >= DO_HANDLE && action < DO_YIELD) ||
		(action >= DO_ACCESS && action < DO_BATCH) || action == DO_USER ||
		action == DO_FOREIGN)
		action = DO_BATCH;
	run_thread(step, action);
}

static void run_step(struct step *step)
{
	uint32_t action = step->action % ACTIONS;

	if (machine.idle)
		wake_root();
	else if (is_root())
		run_root(step, action);
	else
		run_thread(step, action);
}

FUZZ_RECORDS(HEADER_BYTES, RECORD_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_bytes input = { data, data + bytes };

	fuzz_count_input();
	memset(recent, 0, sizeof(recent));
	memset(sequence_seen, 0, sizeof(sequence_seen));
	recent_count = batch_count = 0;
	make_picture((uint8_t)fuzz_take(&input, 1));
	for (uint32_t i = 0; i < RECORDS_MAX && input.at < input.end; i++) {
		struct step step = { .action = (uint8_t)fuzz_take(&input, 1) };

		step.a = (uint8_t)fuzz_take(&input, 1);
		step.b = (uint8_t)fuzz_take(&input, 1);
		step.c = (uint8_t)fuzz_take(&input, 1);
		step.word = fuzz_take(&input, 8);
		run_step(&step);
	}
	machine_stop();
	return 0;
}
