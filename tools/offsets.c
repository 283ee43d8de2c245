/*
 * Constants for the assembly files: field offsets, selectors, vectors, page-table bits, layout.
 *
 * Compiled to assembly text, never linked.  Each line leaves a string "-> NAME value" in it, which
 * tools/offsets.sh turns into a line for NASM.  So no offset is written by hand.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "percpu.h"
#include "thread.h"
#include <faultline/call.h>
#include <faultline/fault.h>
#include <faultline/frame.h>
#include <faultline/layout.h>
#include <machine/cpu.h>
#include <machine/selectors.h>

#define CONSTANT(name, value) \
	__asm__ volatile(".ascii \"-> " #name " %0\"" : : "i"((int64_t)(value)))
#define VALUE(name) \
	__asm__ volatile(".ascii \"-> " #name " %0\"" : : "i"((int64_t)(name)))
#define REGISTER(NAME, field) CONSTANT(REGISTERS_##NAME, offsetof(struct registers, field))

void offsets_registers(void);
void offsets_objects(void);
void offsets_machine(void);
void offsets_vectors(void);

void offsets_registers(void)
{
	REGISTER(R15, r15);
	REGISTER(R14, r14);
	REGISTER(R13, r13);
	REGISTER(R12, r12);
	REGISTER(RBP, rbp);
	REGISTER(RBX, rbx);
	REGISTER(R11, r11);
	REGISTER(R10, r10);
	REGISTER(R9, r9);
	REGISTER(R8, r8);
	REGISTER(RCX, rcx);
	REGISTER(RDX, rdx);
	REGISTER(RSI, rsi);
	REGISTER(RDI, rdi);
	REGISTER(RAX, rax);
	REGISTER(VECTOR, vector);
	REGISTER(ERROR, error);
	REGISTER(RIP, rip);
	REGISTER(CS, cs);
	REGISTER(RFLAGS, rflags);
	REGISTER(RSP, rsp);
	REGISTER(SS, ss);
	CONSTANT(REGISTERS_SIZE, sizeof(struct registers));
}

void offsets_objects(void)
{
	CONSTANT(PERCPU_SELF, offsetof(struct percpu, self));
	CONSTANT(PERCPU_KERNEL_STACK, offsetof(struct percpu, kernel_stack));
	CONSTANT(PERCPU_USER_STACK, offsetof(struct percpu, user_stack));
	CONSTANT(PERCPU_REGISTERS_END, offsetof(struct percpu, registers_end));
	CONSTANT(PERCPU_CURRENT, offsetof(struct percpu, current));
	CONSTANT(PERCPU_SPACE, offsetof(struct percpu, space));
	CONSTANT(PERCPU_FPU_OWNER, offsetof(struct percpu, fpu_owner));
	CONSTANT(PERCPU_KERNEL_CR3, offsetof(struct percpu, kernel_cr3));
	CONSTANT(PERCPU_TSS, offsetof(struct percpu, tss));
	CONSTANT(PERCPU_TSS_RSP0, offsetof(struct percpu, tss) + offsetof(struct tss, rsp0));
	CONSTANT(THREAD_REGISTERS, offsetof(struct thread, registers));
	CONSTANT(THREAD_FS_BASE, offsetof(struct thread, fs_base));
	CONSTANT(THREAD_SPACE, offsetof(struct thread, space));
	VALUE(THREAD_FPU_OFFSET);
}

void offsets_machine(void)
{
	VALUE(SELECTOR_KERNEL_CODE);
	VALUE(SELECTOR_KERNEL_DATA);
	VALUE(SELECTOR_USER_CODE);
	VALUE(SELECTOR_USER_DATA);
	VALUE(SELECTOR_TSS);
	CONSTANT(PANIC_STACK_END, (STACK_PANIC + 1) * sizeof(struct kernel_stack));
	CONSTANT(KERNEL_STACK_TOP, sizeof(struct kernel_stack)); /* of the first stack */
	VALUE(PAGE_SIZE);
	VALUE(PAGE_SHIFT);
	VALUE(TABLE_ENTRIES);
	VALUE(PTE_P);
	VALUE(PTE_W);
	VALUE(PTE_U);
	VALUE(PTE_PS);
	VALUE(PTE_NX);
	VALUE(LAYOUT_DIRECT_MAP);
	VALUE(LAYOUT_DIRECT_FIRST_SLOT);
	VALUE(LAYOUT_KERNEL_SLOT);
	VALUE(LAYOUT_KERNEL);
	VALUE(LAYOUT_USER_END);
}

void offsets_vectors(void)
{
	VALUE(VECTOR_DIVIDE);
	VALUE(VECTOR_DEBUG);
	VALUE(VECTOR_NMI);
	VALUE(VECTOR_BREAKPOINT);
	VALUE(VECTOR_OVERFLOW);
	VALUE(VECTOR_BOUND);
	VALUE(VECTOR_INVALID_OPCODE);
	VALUE(VECTOR_NO_FPU);
	VALUE(VECTOR_DOUBLE_FAULT);
	VALUE(VECTOR_INVALID_TSS);
	VALUE(VECTOR_NO_SEGMENT);
	VALUE(VECTOR_STACK);
	VALUE(VECTOR_PROTECTION);
	VALUE(VECTOR_PAGE_FAULT);
	VALUE(VECTOR_FPU);
	VALUE(VECTOR_ALIGNMENT);
	VALUE(VECTOR_MACHINE_CHECK);
	VALUE(VECTOR_SIMD);
	VALUE(VECTOR_IRQ);
	VALUE(VECTOR_TIMER);
	VALUE(VECTOR_SYSCALL);
	VALUE(VECTOR_FOREIGN_CALL);
}
