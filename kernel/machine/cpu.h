/*
 * The processor: privileged instructions as inline functions, control bits, MSRs, stacks.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_CPU_H
#define KERNEL_MACHINE_CPU_H

#include "boot.h"
#include <faultline/layout.h>
#include <stdint.h>

#define MSR_APIC_BASE	   0x1bu
#define MSR_TSC_DEADLINE   0x6e0u
#define MSR_EFER	   0xc0000080u
#define MSR_STAR	   0xc0000081u
#define MSR_LSTAR	   0xc0000082u
#define MSR_CSTAR	   0xc0000083u
#define MSR_FMASK	   0xc0000084u
#define MSR_FS_BASE	   0xc0000100u
#define MSR_GS_BASE	   0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u /* the one that swapgs brings */

#define EFER_SCE (1ull << 0)
#define EFER_NXE (1ull << 11)

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)

#define CR4_PAE	       (1ull << 5)
#define CR4_MCE	       (1ull << 6) /* machine checks are told, not a reset */
#define CR4_PGE	       (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#define RFLAGS_FIXED (1ull << 1) /* always set */
#define RFLAGS_TF    (1ull << 8)
#define RFLAGS_IF    (1ull << 9)
#define RFLAGS_DF    (1ull << 10)
#define RFLAGS_NT    (1ull << 14)
#define RFLAGS_AC    (1ull << 18)

/*
 * The kernel's stacks, each with a page below it that is not mapped: number 0 for everything,
 * number i > 0 for the vectors with ist i.
 */
#define KERNEL_STACK_BYTES 16384
enum { STACK_KERNEL, STACK_DOUBLE_FAULT, STACK_NMI, STACK_MACHINE_CHECK, STACK_DEBUG, STACK_PANIC,
       STACK_COUNT };

struct kernel_stack {
	uint8_t guard[PAGE_SIZE];
	uint8_t bytes[KERNEL_STACK_BYTES];
};

extern struct kernel_stack kernel_stacks[STACK_COUNT];

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpu_id(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline void cpu_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void cpu_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void cpu_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t cpu_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint16_t cpu_in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t cpu_in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint64_t cpu_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void cpu_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile(
		"wrmsr"
		:
		: "c"(msr), "a"((uint32_t)(value & UINT32_MAX)), "d"((uint32_t)(value >> 32))
		: "memory");
}

static inline uint64_t cpu_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t cpu_read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr0, %0" : "=r"(value) : : "memory");
	return value;
}

static inline void cpu_write_cr0(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr0" : : "r"(value) : "memory");
}

static inline void cpu_clear_task_switched(void)
{
	__asm__ volatile("clts");
}

static inline uint64_t cpu_read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr2, %0" : "=r"(value) : : "memory");
	return value;
}

static inline uint64_t cpu_read_cr3(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr3, %0" : "=r"(value) : : "memory");
	return value;
}

static inline void cpu_write_cr3(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t cpu_read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr4, %0" : "=r"(value) : : "memory");
	return value;
}

static inline void cpu_write_cr4(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void cpu_write_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/* Only when cpu_has(FEATURE_INVPCID). */
enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_AND_GLOBAL, INVPCID_ALL };
static inline void cpu_invpcid(uint64_t kind, uint64_t pcid, uint64_t address)
{
	struct {
		uint64_t pcid, address;
	} descriptor = { pcid, address };

	__asm__ volatile("invpcid %1, %0" : : "r"(kind), "m"(descriptor) : "memory");
}

/* Forget the translations of all address-space identifiers.  (The kernel's global ones never
   change, whether they go or stay is the same.) */
static inline void cpu_flush_all_contexts(void)
{
	if (cpu_has(FEATURE_INVPCID)) {
		cpu_invpcid(INVPCID_ALL, 0, 0);
	} else {
		cpu_write_cr4(cpu_read_cr4() ^ CR4_PGE);
		cpu_write_cr4(cpu_read_cr4() ^ CR4_PGE);
	}
}

/* Only when cpu_has(FEATURE_FSGSBASE). */
static inline uint64_t cpu_read_fs_base(void)
{
	uint64_t value;

	__asm__ volatile("rdfsbase %0" : "=r"(value) : : "memory");
	return value;
}

static inline void cpu_write_fs_base(uint64_t value)
{
	__asm__ volatile("wrfsbase %0" : : "r"(value) : "memory");
}

/* The GS base that user code has; GS itself is the kernel's now.  Interrupts must be off: between
   the two swapgs an entry from kernel mode would find the wrong one. */
static inline uint64_t cpu_read_user_gs_base(void)
{
	uint64_t value;

	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(value) : : "memory");
	return value;
}

/* Both at once. */
static inline uint64_t cpu_exchange_user_gs_base(uint64_t value)
{
	uint64_t old;

	__asm__ volatile("swapgs; rdgsbase %0; wrgsbase %1; swapgs"
			 : "=&r"(old)
			 : "r"(value)
			 : "memory");
	return old;
}

static inline void cpu_write_user_gs_base(uint64_t value)
{
	__asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(value) : "memory");
}

/* A save area as a thread finds it that never used the FPU. */
#define FPU_CONTROL_WORD 0x37fu
#define FPU_MXCSR	 0x1f80u
#define FPU_MXCSR_OFFSET 24
static inline void cpu_fpu_init(uint8_t *area)
{
	*(uint16_t *)(void *)area = FPU_CONTROL_WORD;
	*(uint32_t *)(void *)(area + FPU_MXCSR_OFFSET) = FPU_MXCSR;
}

/* The area is 64-byte aligned, of fpu_bytes; its first use is after cpu_fpu_init on zeros. */
static inline void cpu_fpu_save(uint8_t *area)
{
	uint32_t low = (uint32_t)fpu_mask, high = (uint32_t)(fpu_mask >> 32);

	if (cpu_has(FEATURE_XSAVEOPT))
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
	else if (cpu_has(FEATURE_XSAVE))
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void cpu_fpu_restore(const uint8_t *area)
{
	uint32_t low = (uint32_t)fpu_mask, high = (uint32_t)(fpu_mask >> 32);

	if (cpu_has(FEATURE_XSAVE))
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* pointer: 16-bit limit, 64-bit base. */
static inline void cpu_load_gdt(const void *pointer)
{
	__asm__ volatile("lgdt (%0)" : : "r"(pointer) : "memory");
}

static inline void cpu_load_idt(const void *pointer)
{
	__asm__ volatile("lidt (%0)" : : "r"(pointer) : "memory");
}

static inline void cpu_load_tss(uint16_t selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

/* No local descriptor table: after a reset it seems to lie at 0, in user memory. */
static inline void cpu_load_no_ldt(void)
{
	__asm__ volatile("lldt %0" : : "r"((uint16_t)0));
}

/* CS by a far return; the others directly.  FS and GS become null, their bases 0. */
static inline void cpu_load_segments(uint64_t code, uint32_t data)
{
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %1, %%ds\n\t"
			 "movl %1, %%es\n\t"
			 "movl %1, %%ss\n\t"
			 "movl %2, %%fs\n\t"
			 "movl %2, %%gs"
			 :
			 : "r"(code), "r"(data), "r"(0)
			 : "rax", "memory");
}

static inline void cpu_interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void cpu_halt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

#endif
