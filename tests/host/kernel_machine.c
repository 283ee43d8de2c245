/*
 * The kernel on a simulated machine (model: kernel_machine.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_machine.h"
#include "debug.h"
#include "exception.h"
#include "irq.h"
#include "log.h"
#include "machine/ports.h"
#include "machine/selectors.h"
#include "percpu.h"
#include "ipc.h"
#include "pool.h"
#include "sched.h"
#include "shutdown.h"
#include "switch.h"
#include "timer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IO_PORTS	0x10000u
#define LINES		16u
#define LINES_EACH	8u
#define CASCADE_LINE	2u
#define OCW2_END	0x60u /* | line of the controller */
#define OCW3_IN_SERVICE 0x0bu
#define RFLAGS_NEVER	0x3b000ull /* IOPL, RF, VM: user mode never gets them */
#define PHYSICAL_BITS	40u
#define CR3_FRAME(cr3)	((pfn_t)((cr3) >> PAGE_SHIFT))

/* kernel/call.c; named to the linker only by entry.asm. */
struct thread *kernel_enter_call(struct thread *thread);
struct thread *kernel_enter_trap(struct thread *thread);
struct thread *kernel_enter_idle_interrupt(uint64_t vector);

/* What machine/memory.h, machine/cpu.h and boot.h declare. */
_Alignas(4096) uint8_t sim_ram[SIM_FRAMES_MAX][PAGE_SIZE];
struct frame sim_frame_table[SIM_FRAMES_MAX];
struct processor processor;
struct info_boot boot_info;
struct percpu percpu0;
pfn_t kernel_top = MACHINE_KERNEL_TOP;
uint32_t fpu_bytes = PROCESSOR_FPU_BYTES;
uint64_t fpu_mask;

struct machine machine;
static uint64_t armed = UINT64_MAX; /* what timer_arm was asked for last */

/* See kernel_machine.h. */
void machine_fail(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	va_start(arguments, format);
	fputs("FAIL ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	if (machine.report)
		machine.report();
	fflush(stdout);
	abort();
}

/* ---- what the kernel expects of the parts that are left out ---- */

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("panic: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	machine_fail("the kernel panicked");
}

void panic_registers(const struct registers *registers)
{
	machine_fail("vector %lu in the kernel", (unsigned long)registers->vector);
}

void log_write(const char *text, size_t bytes)
{
	MACHINE_CHECK(bytes <= sizeof(machine.log));
	memcpy(machine.log, text, bytes);
	machine.log_bytes = (uint32_t)bytes;
}

void machine_shutdown(uint32_t status)
{
	machine.shutdown_status = status;
	if (!machine.shutdown)
		machine_fail("the machine was shut down with status %u", status);
	longjmp(*machine.shutdown, 1);
}

bool memory_is_image(pfn_t pfn)
{
	(void)pfn;
	return false;
}

uint64_t timer_now(void)
{
	return processor.tsc;
}

/* As kernel/timer.c: what is armed already is not armed again. */
void timer_arm(uint64_t nanoseconds)
{
	if (nanoseconds == armed)
		return;
	armed = nanoseconds;
	machine.alarm = nanoseconds;
}

void timer_acknowledge(void)
{
	armed = UINT64_MAX;
	machine.timer_in_service = false;
}

/* ---- interrupt controllers and I/O ports ---- */

static void controller_command(uint32_t first_line, uint32_t value)
{
	if ((value & ~(LINES_EACH - 1)) == OCW2_END)
		machine.in_service &= (uint16_t) ~(1u << (first_line + (value & (LINES_EACH - 1))));
}

/* See machine/cpu.h. */
void machine_out(uint16_t port, uint32_t width, uint32_t value)
{
	switch (port) {
	case PORT_PIC1:
		controller_command(0, value);
		break;
	case PORT_PIC2:
		controller_command(LINES_EACH, value);
		break;
	case PORT_PIC1_DATA:
		machine.lines_masked = (uint16_t)((machine.lines_masked & 0xff00) | (value & 0xff));
		break;
	case PORT_PIC2_DATA:
		machine.lines_masked =
			(uint16_t)((machine.lines_masked & 0xff) | (value & 0xff) << LINES_EACH);
		break;
	default:
		machine.io_port = port;
		machine.io_width = width;
		machine.io_value = value;
		machine.io_count++;
		break;
	}
}

/* The controllers' registers in service; of other ports, a value that tells port and width. */
uint32_t machine_in(uint16_t port, uint32_t width)
{
	if (port == PORT_PIC1)
		return machine.in_service & 0xffu;
	if (port == PORT_PIC2)
		return (uint32_t)machine.in_service >> LINES_EACH;
	return (port * 0x9e3779b1u) ^ width;
}

/* ---- start and stop ---- */

static void frames_start(uint32_t frames)
{
	memset(sim_ram, 0, (size_t)(frame_count > frames ? frame_count : frames) * PAGE_SIZE);
	memset(sim_frame_table, 0, frame_count * sizeof(struct frame));
	frame_count = frames;
	frame_zero = MACHINE_ZERO_FRAME;
	frame_refs_limit = FRAME_REFS_MAX;
	frame_device_limit = 0;
	debug_hook_no_flush = false;
	pool_init();
	for (pfn_t pfn = MACHINE_KERNEL_FRAME; pfn <= MACHINE_KERNEL_TABLE; pfn++)
		frame_table[pfn].type = FRAME_KERNEL;
	frame_table[MACHINE_ZERO_FRAME].type = FRAME_ZERO;
	for (pfn_t pfn = MACHINE_ROOT_SPACE; pfn < frames; pfn++) {
		frame_table[pfn].type = FRAME_FREE;
		frame_table[pfn].pool = POOL_ROOT;
		pool_table[POOL_ROOT].frames++;
	}
}

/* The kernel's slots: links to a table without user access, as on the real machine. */
static void kernel_tables_start(void)
{
	uint64_t *top = frame_memory(MACHINE_KERNEL_TOP);
	uint64_t link = pte_make(MACHINE_KERNEL_TABLE, PTE_P | PTE_W);

	top[LAYOUT_DIRECT_FIRST_SLOT] = top[LAYOUT_FRAME_TABLE_SLOT] = top[LAYOUT_KERNEL_SLOT] =
		link;
}

static void must(status_t status)
{
	if (status != ST_OK)
		machine_fail("the machine could not start: status %d", status);
}

static void root_start(void)
{
	struct space *space = space_of(MACHINE_ROOT_SPACE);
	struct thread *thread = thread_of(MACHINE_ROOT_THREAD);

	must(space_create(MACHINE_ROOT_SPACE, MACHINE_ROOT_TOP, MACHINE_ROOT_RIGHTS, POOL_ROOT));
	space->io_count = IO_PORTS;
	space->irq_mask = (1u << LINES) - 1;
	must(thread_create(MACHINE_ROOT_THREAD, space, MACHINE_ROOT_PRIORITY));
	must(frame_retype(MACHINE_ROOT_MESSAGE, FRAME_MSG));
	must(frame_hold(MACHINE_ROOT_MESSAGE));
	thread->message = MACHINE_ROOT_MESSAGE;
	thread->registers.rip = LAYOUT_USER_TEXT;
	thread->registers.rsp = LAYOUT_STACK_TOP;
	sched_ready(thread);
}

static void machine_leave(struct thread *next);
static jmp_buf resumed;

/* entry.asm: the first thread runs. */
void sched_resume(struct thread *thread)
{
	machine_leave(thread);
	longjmp(resumed, 1);
}

/* See kernel_machine.h. */
void machine_start(uint32_t frames, uint32_t features)
{
	MACHINE_CHECK(frames > MACHINE_FIRST_FREE && frames <= SIM_FRAMES_MAX);
	frames_start(frames);
	kernel_tables_start();
	processor = (struct processor){ .tsc = processor.tsc + 1 }; /* the kernel's ticks go on */
	percpu0 = (struct percpu){ .self = &percpu0,
		.kernel_cr3 = (uint64_t)MACHINE_KERNEL_TOP << PAGE_SHIFT };
	machine = (struct machine){ .idle = true,
		.alarm = UINT64_MAX,
		.unchecked = machine.unchecked,
		.report = machine.report };
	armed = UINT64_MAX;
	boot_info.features_used = features;
	switch_space(NULL);
	sched_init();
	irq_init();
	root_start();
	if (setjmp(resumed) == 0)
		sched_start();
}

/* Ends all threads, so that nothing of this machine is left in the kernel's variables. */
void machine_stop(void)
{
	for (pfn_t pfn = 0; pfn < frame_count; pfn++)
		if (frame_table[pfn].type == FRAME_THREAD)
			thread_destroy(thread_of(pfn));
	sched_set_deadline(0);
	percpu0.current = NULL;
	machine_leave(sched_next(NULL));
	MACHINE_CHECK(machine.idle && machine.alarm == UINT64_MAX);
}

/* ---- leaving and entering the kernel ---- */

static void check_rules(void)
{
	pfn_t where = 0;
	uint32_t rule = kernel_ok(&where);

	if (rule)
		machine_fail("rule %u is broken at frame %u (type %u)", rule, where,
			frame_table[where].type);
}

/* The kernel's slots of a table: its own, and the view of the frame table for who may see it. */
static void check_kernel_slots(const struct space *space)
{
	const uint64_t *entries = frame_memory(space->top), *kernel = frame_memory(kernel_top);
	uint64_t view = (kernel[LAYOUT_FRAME_TABLE_SLOT] | PTE_U) & ~PTE_W;

	MACHINE_CHECK(entries[LAYOUT_DIRECT_FIRST_SLOT] == kernel[LAYOUT_DIRECT_FIRST_SLOT]);
	MACHINE_CHECK(entries[LAYOUT_FRAME_TABLE_SLOT] == kernel[LAYOUT_FRAME_TABLE_SLOT]);
	MACHINE_CHECK(entries[LAYOUT_KERNEL_SLOT] == kernel[LAYOUT_KERNEL_SLOT]);
	MACHINE_CHECK(
		entries[LAYOUT_VMEMMAP_SLOT] == (space->flags & SPACE_SEES_FRAMES ? view : 0));
}

/* What the processor finds where the kernel put it for this thread. */
static void check_processor(const struct thread *next)
{
	bool blocked = next->space->flags & SPACE_FPU_NONE;

	MACHINE_CHECK(percpu0.current == next && next->state == THREAD_READY);
	MACHINE_CHECK(percpu0.tss.rsp0 == (uint64_t)(&next->registers + 1));
	MACHINE_CHECK(CR3_FRAME(processor.cr3) == next->space->top);
	MACHINE_CHECK(frame_table[next->space->top].type == FRAME_TOP);
	check_kernel_slots(next->space);
	MACHINE_CHECK(((processor.cr0 & CR0_TS) != 0) == blocked);
	MACHINE_CHECK(blocked || percpu0.fpu_owner == next);
	MACHINE_CHECK(next->registers.cs == SELECTOR_USER_CODE);
	MACHINE_CHECK(next->registers.ss == SELECTOR_USER_DATA);
	MACHINE_CHECK((next->registers.rflags & RFLAGS_BASE) == RFLAGS_BASE);
	MACHINE_CHECK(!(next->registers.rflags & RFLAGS_NEVER));
}

/* entry.asm's way out: `sysret`, which destroys rcx and r11, or `iretq`; both fault in the kernel at
   an address that is not canonical. */
static void machine_leave(struct thread *next)
{
	struct registers *user = &machine.user;
	const struct frame *loaded = &frame_table[CR3_FRAME(processor.cr3)];

	if (!machine.unchecked)
		check_rules();
	MACHINE_CHECK(machine.in_service == 0 && !machine.timer_in_service);
	MACHINE_CHECK(loaded->type == FRAME_TOP || CR3_FRAME(processor.cr3) == MACHINE_KERNEL_TOP);
	machine.idle = !next;
	if (!next) {
		MACHINE_CHECK(!percpu0.current);
		return;
	}
	check_processor(next);
	*user = next->registers;
	MACHINE_CHECK(address_is_canonical(user->rip));
	if (user->vector == VECTOR_SYSCALL) {
		user->rcx = user->rip;
		user->r11 = user->rflags;
	}
}

/* The registers go where the processor or entry.asm pushes them. */
static struct thread *machine_enter(uint64_t vector, uint64_t error)
{
	struct registers *saved = (struct registers *)percpu0.tss.rsp0 - 1;

	MACHINE_CHECK(!machine.idle);
	machine.user.vector = vector;
	machine.user.error = error;
	machine.user.cs = SELECTOR_USER_CODE;
	machine.user.ss = SELECTOR_USER_DATA;
	*saved = machine.user;
	return (struct thread *)saved;
}

/* See kernel_machine.h. */
pfn_t machine_running(void)
{
	return machine.idle ? 0 : frame_number(percpu0.current);
}

/* See kernel_machine.h. */
void machine_call(void)
{
	struct thread *thread, *next = NULL;

	machine.user.rcx = machine.user.rip;
	machine.user.r11 = machine.user.rflags;
	thread = machine_enter(VECTOR_SYSCALL, 0);
	if (machine.user.rax == CALL_CALL)
		next = ipc_fast_call(thread);
	else if (machine.user.rax == CALL_REPLY_RECEIVE)
		next = ipc_fast_reply_receive(thread);
	machine_leave(next ? next : kernel_enter_call(thread));
}

/* See kernel_machine.h. */
status_t machine_call_with(uint64_t number, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	const struct thread *thread = percpu0.current;

	machine.user.rax = number;
	machine.user.rdi = rdi;
	machine.user.rsi = rsi;
	machine.user.rdx = rdx;
	machine_call();
	return (status_t)thread->registers.rax;
}

/* See kernel_machine.h. */
void machine_exception(uint32_t vector, uint64_t error)
{
	machine_leave(kernel_enter_trap(machine_enter(vector, error)));
}

/* See kernel_machine.h. */
void machine_fault(uint64_t address, uint32_t error)
{
	struct thread *thread, *next;

	processor.cr2 = address;
	thread = machine_enter(VECTOR_PAGE_FAULT, error);
	next = ipc_fast_fault(thread, address);
	machine_leave(next ? next : kernel_enter_trap(thread));
}

static void machine_vector(uint32_t vector)
{
	if (machine.idle)
		machine_leave(kernel_enter_idle_interrupt(vector));
	else
		machine_exception(vector, 0);
}

/* See kernel_machine.h. */
bool machine_interrupt(uint32_t line)
{
	uint32_t needed = 1u << line | (line >= LINES_EACH ? 1u << CASCADE_LINE : 0);

	if (machine.lines_masked & needed)
		return false;
	machine.in_service |= (uint16_t)needed;
	machine_vector(VECTOR_IRQ + line);
	return true;
}

/* See kernel_machine.h. */
void machine_interrupt_spurious(uint32_t line)
{
	if (line >= LINES_EACH)
		machine.in_service |= 1u << CASCADE_LINE;
	machine_vector(VECTOR_IRQ + line);
}

/* See kernel_machine.h. */
void machine_timer(void)
{
	machine.alarm = UINT64_MAX; /* it interrupts once */
	machine.timer_in_service = true;
	machine_vector(VECTOR_TIMER);
}

/* See kernel_machine.h. */
bool machine_tick(void)
{
	if (machine.alarm == UINT64_MAX)
		return false;
	if (processor.tsc < machine.alarm)
		processor.tsc = machine.alarm;
	machine_timer();
	return true;
}

/* ---- user memory ---- */

static bool entry_is_malformed(uint64_t entry, uint32_t level)
{
	uint64_t reserved = PTE_FRAME & ~((1ull << PHYSICAL_BITS) - 1);

	if ((entry & PTE_PS) && level == 4)
		return true;
	if ((entry & PTE_PS) && level > 1)
		reserved |= ((1ull << (12 + 9 * (level - 1))) - 1) & ~0x1fffull;
	return entry & reserved;
}

/* See kernel_machine.h. */
uint32_t machine_walk(
	pfn_t top, uint64_t address, uint32_t access, uint64_t entries[5], uint64_t **leaf)
{
	uint32_t error = FAULT_USER | (access & (FAULT_WRITE | FAULT_FETCH));
	bool writable = true, user = true, executable = true;
	pfn_t table = top;
	uint64_t *entry = NULL;

	memset(entries, 0, 5 * sizeof(entries[0]));
	for (uint32_t level = 4; level >= 1; level--) {
		entry = (uint64_t *)frame_memory(table) +
			((address >> (12 + 9 * (level - 1))) & 511);
		entries[4 - level] = *entry;
		if (!(*entry & PTE_P))
			return error;
		if (entry_is_malformed(*entry, level))
			return error | FAULT_PRESENT | FAULT_RESERVED;
		writable = writable && (*entry & PTE_W);
		user = user && (*entry & PTE_U);
		executable = executable && !(*entry & PTE_NX);
		if ((*entry & PTE_PS) && level > 1)
			break;
		table = pte_pfn(*entry);
	}
	*leaf = entry;
	if (!user || (!writable && (access & FAULT_WRITE)) ||
		(!executable && (access & FAULT_FETCH)))
		return error | FAULT_PRESENT;
	return 0;
}

/* See kernel_machine.h. */
uint8_t *machine_access(uint64_t address, uint32_t access)
{
	pfn_t top = CR3_FRAME(processor.cr3);
	uint64_t entries[5], *leaf;
	uint32_t error = machine_walk(top, address, access, entries, &leaf);

	if (error) {
		machine_fault(address, error);
		return NULL;
	}
	*leaf |= PTE_A | (access & FAULT_WRITE ? PTE_D : 0);
	return (uint8_t *)frame_memory(pte_pfn(*leaf)) + address % PAGE_SIZE;
}

/* See kernel_machine.h. */
status_t machine_operate(uint64_t head, uint64_t a, uint64_t b)
{
	struct op *op = frame_memory(percpu0.current->message);

	*op = (struct op){ head, a, b };
	return machine_call_with(CALL_BATCH, 1, 0, 0);
}
