/*
 * Exceptions: what a program must not do ends that program alone, with the right signal.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <stdlib.h>

/* A child that consists of one instruction, or a few. */
#define INSTRUCTION(name, text)                              \
	static void name(void *argument)                     \
	{                                                    \
		(void)argument;                              \
		__asm__ volatile(text : : : "memory", "cc"); \
	}

INSTRUCTION(halt, "hlt")
INSTRUCTION(disable_interrupts, "cli")
INSTRUCTION(enable_interrupts, "sti")
INSTRUCTION(read_control_register, "mov %%cr3, %%rax")
INSTRUCTION(write_control_register, "xor %%eax, %%eax; mov %%rax, %%cr3")
INSTRUCTION(read_debug_register, "mov %%dr7, %%rax")
INSTRUCTION(load_descriptor_table, "lgdt (%%rsp)")
INSTRUCTION(load_interrupt_table, "lidt (%%rsp)")
INSTRUCTION(load_task_register, "xor %%eax, %%eax; ltr %%ax")
INSTRUCTION(load_local_table, "xor %%eax, %%eax; lldt %%ax")
INSTRUCTION(invalidate_page, "invlpg (%%rsp)")
INSTRUCTION(invalidate_caches, "wbinvd")
INSTRUCTION(read_model_register, "mov $0xc0000080, %%ecx; rdmsr")
INSTRUCTION(write_model_register, "mov $0xc0000080, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr")
INSTRUCTION(clear_task_switched, "clts")
INSTRUCTION(return_from_call, "xor %%ecx, %%ecx; sysretq")
INSTRUCTION(swap_base, "swapgs")
INSTRUCTION(port_in, "in $0x64, %%al")
INSTRUCTION(port_out, "xor %%eax, %%eax; out %%al, $0x80")
INSTRUCTION(port_string, "mov $0x3f8, %%edx; mov %%rsp, %%rsi; outsb")

static void privileged_instructions(void)
{
	static child_t *const instructions[] = {
		halt, disable_interrupts, enable_interrupts, read_control_register,
		write_control_register, read_debug_register, load_descriptor_table,
		load_interrupt_table, load_task_register, load_local_table, invalidate_page,
		invalidate_caches, read_model_register, write_model_register, clear_task_switched,
		return_from_call, swap_base,
	};

	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		int status = child_status(instructions[i], NULL);

		if (status != (int)PROC_STATUS_SIGNAL(SIGSEGV))
			test_fail(__FILE__, __LINE__, "instruction %u: wait status %#x", (unsigned)i,
				  (unsigned)status);
	}
}

static void port_instructions(void)
{
	CHECK_KILLED(port_in, NULL, SIGSEGV);
	CHECK_KILLED(port_out, NULL, SIGSEGV);
	CHECK_KILLED(port_string, NULL, SIGSEGV);
}

INSTRUCTION(divide_zero, "xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx")
INSTRUCTION(divide_too_large, "mov $1, %%ecx; mov $-1, %%edx; xor %%eax, %%eax; div %%ecx")
INSTRUCTION(divide_least, "mov $-1, %%ecx; mov $0x80000000, %%eax; cltd; idiv %%ecx")

static void divide_errors(void)
{
	CHECK_KILLED(divide_zero, NULL, SIGFPE);
	CHECK_KILLED(divide_too_large, NULL, SIGFPE);
	CHECK_KILLED(divide_least, NULL, SIGFPE);
}

INSTRUCTION(undefined, "ud2")
INSTRUCTION(undefined_lock, ".byte 0xf0, 0x90") /* lock nop */

static void undefined_instructions(void)
{
	CHECK_KILLED(undefined, NULL, SIGILL);
	CHECK_KILLED(undefined_lock, NULL, SIGILL);
}

INSTRUCTION(breakpoint, "int3")
INSTRUCTION(breakpoint_long, ".byte 0xcd, 3")
INSTRUCTION(single_step, "pushfq; orq $0x100, (%%rsp); popfq; nop; nop")

static void traps(void)
{
	CHECK_KILLED(breakpoint, NULL, SIGTRAP);
	CHECK_KILLED(breakpoint_long, NULL, SIGTRAP);
}

static void single_stepping(void)
{
	CHECK_KILLED(single_step, NULL, SIGTRAP);
}

/* `int n`: no gate but those of #BP and #OF may be entered from user mode. */
INSTRUCTION(interrupt_0, "int $0")
INSTRUCTION(interrupt_2, "int $2")
INSTRUCTION(interrupt_8, "int $8")
INSTRUCTION(interrupt_13, "int $13")
INSTRUCTION(interrupt_14, "int $14")
INSTRUCTION(interrupt_32, "int $32")
INSTRUCTION(interrupt_48, "int $48")
INSTRUCTION(interrupt_128, "int $0x80")
INSTRUCTION(interrupt_255, "int $255")

static void software_interrupts(void)
{
	static child_t *const interrupts[] = {
		interrupt_0, interrupt_2, interrupt_8, interrupt_13, interrupt_14, interrupt_32,
		interrupt_48, interrupt_128, interrupt_255,
	};

	for (size_t i = 0; i < sizeof(interrupts) / sizeof(interrupts[0]); i++)
		CHECK_EQUAL(child_status(interrupts[i], NULL), PROC_STATUS_SIGNAL(SIGSEGV));
}

static void foreign_call(void *argument)
{
	uint64_t number = (uint64_t)argument;

	__asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
}

static void unknown_system_calls(void)
{
	CHECK_KILLED(foreign_call, (void *)0x4242, SIGSYS);
	CHECK_KILLED(foreign_call, (void *)UINT64_MAX, SIGSYS);
	CHECK_KILLED(foreign_call, (void *)(1ull << 32), SIGSYS);
}

static void unmasked_sse_error(void *argument)
{
	uint32_t control = 0x1f80 & ~(1u << 9); /* division by zero is not masked */
	volatile double zero = 0, result;

	(void)argument;
	__asm__ volatile("ldmxcsr %0" : : "m"(control));
	result = 1.0 / zero;
	(void)result;
}

static void unmasked_x87_error(void *argument)
{
	uint16_t control = 0x037f & ~(1u << 2);

	(void)argument;
	__asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
}

static void floating_point_errors(void)
{
	int status = child_status(unmasked_sse_error, NULL);

	/* QEMU's processor does not raise #XM. */
	CHECK(status == 0 || status == (int)PROC_STATUS_SIGNAL(SIGFPE));
	CHECK_KILLED(unmasked_x87_error, NULL, SIGFPE);
}

static void misaligned_vector(void *argument)
{
	__asm__ volatile("movaps (%0), %%xmm0" : : "r"((uint8_t *)argument + 1) : "xmm0");
}

static void misaligned_vector_access(void)
{
	CHECK_KILLED(misaligned_vector, (void *)(uintptr_t)private_pages(1), SIGSEGV);
}

INSTRUCTION(wild_stack, "mov $0x8000000000000000, %%rsp; push %%rax")
INSTRUCTION(null_stack, "xor %%esp, %%esp; push %%rax")

/* #SS for a non-canonical stack (QEMU: #GP), a page fault for the other. */
static void wild_stack_pointers(void)
{
	int status = child_status(wild_stack, NULL);

	CHECK(status == (int)PROC_STATUS_SIGNAL(SIGBUS) || status == (int)PROC_STATUS_SIGNAL(SIGSEGV));
	CHECK_KILLED(null_stack, NULL, SIGSEGV);
}

INSTRUCTION(load_bad_selector, "mov $0x1234, %%eax; mov %%ax, %%ds")
INSTRUCTION(far_jump, "push $0x8; push $0; lretq")
INSTRUCTION(forged_return, "push $0x10; push %%rsp; pushfq; push $0x8; push $0; iretq")

static void forged_selectors(void)
{
	CHECK_KILLED(load_bad_selector, NULL, SIGSEGV);
	CHECK_KILLED(far_jump, NULL, SIGSEGV);
	CHECK_KILLED(forged_return, NULL, SIGSEGV);
}

/* IOPL and the interrupt flag do not change when a program pops flags. */
static void flags_keep_their_privilege(void)
{
	uint64_t flags;

	__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x3000, (%%rsp); andq $~0x200, (%%rsp); popfq;"
			 "pushfq; popq %0; add $128, %%rsp"
			 : "=r"(flags)
			 :
			 : "memory", "cc");
	CHECK_EQUAL(flags & 0x3000, 0);
	CHECK_EQUAL(flags & 0x200, 0x200);
	CHECK_KILLED(port_in, NULL, SIGSEGV);
}

/* The direction flag of a program is its own: a server or the kernel must not stumble over it. */
static void direction_flag_is_harmless(void)
{
	volatile uint8_t *pages = private_pages(2);
	struct pager_stat stat;

	__asm__ volatile("std" : : : "cc");
	store((uint64_t)pages, 1);
	store((uint64_t)pages + PAGE_SIZE, 2);
	__asm__ volatile("cld" : : : "cc");
	CHECK_EQUAL(pages[0] + pages[PAGE_SIZE], 3);
	CHECK_EQUAL(pages[1], 0);
	CHECK_EQUAL(pages[PAGE_SIZE - 1], 0);
	CHECK_EQUAL(system_pager_stat(&stat), 0);
}

static void abort_now(void *argument)
{
	(void)argument;
	abort();
}

static void aborting(void)
{
	CHECK_KILLED(abort_now, NULL, SIGABRT);
}

static void jump_into_nothing(void *argument)
{
	/* Into the middle of a page of zeros that may be executed, whose end is the end of the region. */
	volatile uint8_t *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argument;
	execute((uint64_t)page + 2048);
}

/* Execution runs off the end of a region: a fetch fault in the next page. */
static void running_off_the_end_of_code(void)
{
	CHECK_KILLED(jump_into_nothing, NULL, SIGSEGV);
}

/* While one process dies, its sibling and its parent do not notice. */
static void bystanders_are_not_disturbed(void)
{
	volatile uint32_t *gate = (volatile uint32_t *)shared_pages(1);
	volatile uint8_t *page = private_pages(1);
	pid_t sibling = fork();

	CHECK(sibling >= 0);
	if (sibling == 0) {
		pattern_fill(page, PAGE_SIZE, 1);
		while (!*gate)
			CHECK(pattern_holds(page, PAGE_SIZE, 1));
		_exit(5);
	}
	for (int i = 0; i < 10; i++) {
		CHECK_KILLED(divide_zero, NULL, SIGFPE);
		CHECK_KILLED(store_child, NULL, SIGSEGV);
		CHECK_KILLED(halt, NULL, SIGSEGV);
	}
	*gate = 1;
	CHECK_EQUAL(child_wait(sibling), PROC_STATUS_EXIT(5));
	CHECK_EQUAL(page[0], 0);
}

const struct test tests_exception[] = {
	TEST(privileged_instructions),
	TEST(port_instructions),
	TEST(divide_errors),
	TEST(undefined_instructions),
	TEST(traps),
	TEST(single_stepping),
	TEST(software_interrupts),
	TEST(unknown_system_calls),
	TEST(floating_point_errors),
	TEST(misaligned_vector_access),
	TEST(wild_stack_pointers),
	TEST(forged_selectors),
	TEST(flags_keep_their_privilege),
	TEST(direction_flag_is_harmless),
	TEST(aborting),
	TEST(running_off_the_end_of_code),
	TEST(bystanders_are_not_disturbed),
	{0},
};
