/*
 * The end by error: a rule of the kernel is broken (panic), or booting makes no sense (boot_stop).
 *
 * The report: what, who (the current thread and its registers), where (backtrace by frame pointers
 * with names), and the last messages.  It trusts nothing: frame pointers are followed only within
 * the kernel's stacks and only upwards, the thread is looked at only if it lies in the direct map,
 * and a panic during a panic ends at once.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "log.h"
#include "machine/cpu.h"
#include "object.h"
#include "percpu.h"
#include "record.h"
#include "shutdown.h"
#include "symbols.h"

#define BACKTRACE_MAX 32
#define RECORDS_SHOWN 16

extern const char text_start[], text_end[];

const struct symbol *symbol_find(uint64_t address)
{
	uint32_t low = 0, high = symbol_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (symbol_table[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbol_table[low - 1] : NULL;
}

static bool is_text(uint64_t address)
{
	return address >= (uint64_t)text_start && address < (uint64_t)text_end;
}

/* The two words of a frame, rbp and return address, lie in a kernel stack. */
static bool is_frame(uint64_t address)
{
	uint64_t start = (uint64_t)kernel_stacks, end = start + sizeof(kernel_stacks);

	if (address % 8 != 0 || address < start || address > end - 16)
		return false;
	return (address - start) % sizeof(struct kernel_stack) >= PAGE_SIZE;
}

static void report_place(uint64_t address)
{
	const struct symbol *symbol = is_text(address) ? symbol_find(address) : NULL;

	if (symbol)
		log_print("  %016lx %s+0x%lx\n", address, symbol->name, address - symbol->address);
	else
		log_print("  %016lx\n", address);
}

static void report_backtrace(uint64_t rip, uint64_t rbp)
{
	log_print("backtrace:\n");
	report_place(rip);
	for (uint32_t i = 0; i < BACKTRACE_MAX && is_frame(rbp); i++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (!is_text(frame[1]))
			return;
		report_place(frame[1]);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

static void report_registers(const struct registers *r)
{
	log_print("  rip %016lx  rsp %016lx  rflags %lx  cs %lx  ss %lx\n", r->rip, r->rsp,
		r->rflags, r->cs, r->ss);
	log_print("  vector %ld  error %lx  cr2 %016lx  cr3 %016lx\n", r->vector, r->error,
		cpu_read_cr2(), cpu_read_cr3());
	log_print("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", r->rax, r->rbx, r->rcx,
		r->rdx);
	log_print("  rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", r->rsi, r->rdi, r->rbp,
		r->r8);
	log_print("  r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", r->r9, r->r10, r->r11,
		r->r12);
	log_print("  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r13, r->r14, r->r15);
}

static void report_thread(const struct thread *thread)
{
	uint64_t address = (uint64_t)thread;

	if (!thread) {
		log_print("current thread: none\n");
		return;
	}
	if (address < LAYOUT_DIRECT_MAP || address % PAGE_SIZE != 0 ||
		!frame_get(frame_number(thread))) {
		log_print("current thread: damaged pointer %p\n", (const void *)thread);
		return;
	}
	log_print("current thread: frame %x ", frame_number(thread));
	for (uint32_t i = 0; i < sizeof(thread->name) && thread->name[i]; i++)
		log_print("%c", thread->name[i]);
	log_print(", id %lu, state %u, registers when it entered the kernel:\n", thread->id,
		thread->state);
	report_registers(&thread->registers);
}

static void report_records(void)
{
	static const char *const names[] = { "?", "call", "reply", "fault", "exception", "notify",
		"refused", "interrupt" };
	static struct info_record records[RECORD_COUNT];
	uint32_t count = record_copy(records, RECORD_COUNT);

	log_print("last messages:\n");
	for (uint32_t i = count > RECORDS_SHOWN ? count - RECORDS_SHOWN : 0; i < count; i++) {
		const struct info_record *r = &records[i];
		uint32_t kind = r->kind < sizeof(names) / sizeof(names[0]) ? r->kind : 0;

		log_print("  %lu %s label %x from %x to %x words %lx %lx\n", r->tsc, names[kind],
			r->label, r->from, r->to, r->word0, r->word1);
	}
}

/* The first line; a panic while a panic is being reported gets no more than that. */
static void report_begin(const char *format, va_list *list)
{
	static bool panicking;

	cpu_interrupts_off();
	log_print("\npanic: ");
	log_print_list(format, list);
	log_print("\n");
	if (panicking)
		machine_shutdown(SHUTDOWN_PANIC);
	panicking = true;
}

static _Noreturn void report_end(uint64_t rip, uint64_t rbp)
{
	report_backtrace(rip, rbp);
	report_records();
	report_thread(this_cpu()->current);
	log_print("panic: the machine is stopped\n");
	machine_shutdown(SHUTDOWN_PANIC);
}

_Noreturn void panic(const char *format, ...)
{
	va_list list;
	const uint64_t *frame = __builtin_frame_address(0);

	va_start(list, format);
	report_begin(format, &list);
	va_end(list);
	report_end((uint64_t)__builtin_return_address(0), frame[0]);
}

static void report_begin_plain(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	report_begin(format, &list);
	va_end(list);
}

_Noreturn void panic_registers(const struct registers *registers)
{
	report_begin_plain("exception %lu in the kernel, at %lx, address %lx", registers->vector,
		registers->rip, cpu_read_cr2());
	log_print("registers:\n");
	report_registers(registers);
	report_end(registers->rip, registers->rbp);
}

_Noreturn void boot_stop(const char *format, ...)
{
	va_list list;

	cpu_interrupts_off();
	va_start(list, format);
	log_print("faultline: ");
	log_print_list(format, &list);
	log_print("\n");
	va_end(list);
	machine_shutdown(SHUTDOWN_BOOT_FAILED);
}
