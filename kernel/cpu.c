/*
 * The processor at boot: what it can do, and the tables and control bits it needs.
 *
 * Features are found by CPUID; what is found and what is used go to boot_info.  Required: long mode
 * and NX (start.asm looked), a local APIC, global pages, SYSCALL.  All else is used where present.
 *
 * Descriptor tables: segments in the order that sysret wants (selectors.h), one TSS whose rsp0
 * follows the current thread, 256 interrupt gates to the stubs of entry.asm.  Gates of breakpoint
 * and overflow may be called by user code.  Vectors that can come at any instruction have stacks of
 * their own.
 *
 * Kernel pages are global (PGE): they are the same in all spaces and never change after boot.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "machine/cpu.h"
#include "ipc.h"
#include "log.h"
#include "machine/selectors.h"
#include "percpu.h"
#include "string.h"
#include <stddef.h>

#define CPUID1_ECX_PCID		(1u << 17)
#define CPUID1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID1_ECX_XSAVE	(1u << 26)
#define CPUID1_EDX_MCE		(1u << 7)
#define CPUID1_EDX_APIC		(1u << 9)
#define CPUID1_EDX_PGE		(1u << 13)
#define CPUID7_EBX_FSGSBASE	(1u << 0)
#define CPUID7_EBX_SMEP		(1u << 7)
#define CPUID7_EBX_INVPCID	(1u << 10)
#define CPUID7_EBX_SMAP		(1u << 20)
#define CPUID7_ECX_UMIP		(1u << 2)
#define CPUID7_ECX_LA57		(1u << 16)
#define CPUIDX_EDX_SYSCALL	(1u << 11)
#define CPUIDX_EDX_NX		(1u << 20)
#define CPUIDX_EDX_GIB_PAGES	(1u << 26)
#define CPUIDX_EDX_RDTSCP	(1u << 27)
#define CPUID_XSAVE_LEAF	0xdu
#define CPUID_XSAVEOPT		(1u << 0) /* leaf 13, subleaf 1, eax */
#define CPUID_EXTENDED		0x80000000u
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_NAME		0x80000002u /* three leaves of 16 characters */

/* State components of XCR0, in groups that are switched on together. */
#define XCR0_LEGACY	 0x3ull
#define XCR0_AVX	 0x4ull
#define XCR0_AVX512	 0xe0ull
#define XCR0_COMPONENTS	 8u
#define FXSAVE_BYTES	 512u
#define XSAVE_HEADER_END 576u

#define GATE_INTERRUPT 0x8eu
#define GATE_USER      0x60u /* DPL 3 */
#define VECTORS	       256u

#define DESCRIPTOR_TSS 0x89ull /* present, available 64-bit TSS */

/* Known but not used: the kernel has no use for RDTSCP, and layouts have four levels. */
#define FEATURES_UNUSED (FEATURE_RDTSCP | FEATURE_LA57)

struct gate {
	uint16_t offset0, selector;
	uint8_t stack, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

_Static_assert(sizeof(struct gate) == 16, "hardware's gate");
_Static_assert(sizeof(struct tss) == 104, "hardware's TSS");

extern const uint64_t vector_entries[VECTORS]; /* entry.asm */
extern const char syscall_entry[];	       /* entry.asm */
extern const char fast_syscall_entry[], fast_page_fault[]; /* fast.asm */

#ifndef ENTRIES_IN_ASSEMBLY /* a test build that watches the C code sets 0 */
#define ENTRIES_IN_ASSEMBLY 1
#endif

struct percpu percpu0;
uint32_t fpu_bytes = FXSAVE_BYTES;
uint64_t fpu_mask = XCR0_LEGACY;

_Alignas(PAGE_SIZE) struct kernel_stack kernel_stacks[STACK_COUNT];

static uint64_t gdt[7] = {
	[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffff,
	[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffff,
	[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff,
	[SELECTOR_USER_CODE / 8] = 0x00affb000000ffff,
};
static _Alignas(16) struct gate idt[VECTORS];

static uint32_t feature(bool found, uint32_t bit)
{
	return found ? bit : 0;
}

static uint32_t features_basic(void)
{
	struct cpuid r = cpu_id(1, 0);

	return feature(r.ecx & CPUID1_ECX_PCID, FEATURE_PCID) |
	       feature(r.ecx & CPUID1_ECX_TSC_DEADLINE, FEATURE_TSC_DEADLINE) |
	       feature(r.ecx & CPUID1_ECX_XSAVE, FEATURE_XSAVE);
}

static uint32_t features_structured(void)
{
	struct cpuid r = cpu_id(7, 0);

	return feature(r.ebx & CPUID7_EBX_FSGSBASE, FEATURE_FSGSBASE) |
	       feature(r.ebx & CPUID7_EBX_SMEP, FEATURE_SMEP) |
	       feature(r.ebx & CPUID7_EBX_SMAP, FEATURE_SMAP) |
	       feature(r.ebx & CPUID7_EBX_INVPCID, FEATURE_INVPCID) |
	       feature(r.ecx & CPUID7_ECX_UMIP, FEATURE_UMIP) |
	       feature(r.ecx & CPUID7_ECX_LA57, FEATURE_LA57);
}

static uint32_t features_extended(void)
{
	struct cpuid r = cpu_id(CPUID_EXTENDED_FEATURES, 0);

	if (!(r.edx & CPUIDX_EDX_SYSCALL))
		boot_stop(
			"this CPU has no SYSCALL instruction; use an x86-64 CPU (QEMU: -cpu max)");
	return feature(r.edx & CPUIDX_EDX_NX, FEATURE_NX) |
	       feature(r.edx & CPUIDX_EDX_GIB_PAGES, FEATURE_GIB_PAGES) |
	       feature(r.edx & CPUIDX_EDX_RDTSCP, FEATURE_RDTSCP);
}

static void find_features(void)
{
	uint32_t last_leaf = cpu_id(0, 0).eax;
	struct cpuid basic = cpu_id(1, 0);
	uint32_t found;

	if (!(basic.edx & CPUID1_EDX_APIC) || !(basic.edx & CPUID1_EDX_PGE))
		boot_stop("this CPU has no local APIC or no global pages; use an x86-64 CPU "
			  "(QEMU: -cpu max)");
	found = features_basic() | features_extended();
	if (last_leaf >= 7)
		found |= features_structured();
	if (last_leaf < CPUID_XSAVE_LEAF)
		found &= ~(uint32_t)FEATURE_XSAVE;
	if ((found & FEATURE_XSAVE) && (cpu_id(CPUID_XSAVE_LEAF, 1).eax & CPUID_XSAVEOPT))
		found |= FEATURE_XSAVEOPT;
	boot_info.features_found = found;
	found &= ~(uint32_t)FEATURES_UNUSED;
	if (!(found & FEATURE_PCID))
		found &= ~(uint32_t)FEATURE_INVPCID;
	boot_info.features_used = found;
}

static void find_name(void)
{
	char text[3 * sizeof(struct cpuid) + 1] = "unknown CPU";
	const char *start = text;

	if (cpu_id(CPUID_EXTENDED, 0).eax >= CPUID_NAME + 2) {
		for (uint32_t i = 0; i < 3; i++) {
			struct cpuid part = cpu_id(CPUID_NAME + i, 0);

			memcpy(text + i * sizeof(part), &part, sizeof(part));
		}
		text[sizeof(text) - 1] = 0;
	}
	while (*start == ' ')
		start++;
	memcpy(boot_info.cpu_name, start, strlen(start) + 1);
}

/* Bytes of a save area in standard form for these components. */
static uint32_t xsave_bytes(uint64_t mask)
{
	uint32_t bytes = XSAVE_HEADER_END;

	for (uint32_t i = 2; i < XCR0_COMPONENTS; i++) {
		struct cpuid component = cpu_id(CPUID_XSAVE_LEAF, i);

		if (((mask >> i) & 1) && component.ebx + component.eax > bytes)
			bytes = component.ebx + component.eax;
	}
	return bytes;
}

/* Adds a group of state components if the CPU has all of it and the area still fits a thread. */
static void xsave_add(uint64_t group)
{
	struct cpuid supported = cpu_id(CPUID_XSAVE_LEAF, 0);
	uint64_t available = (uint64_t)supported.edx << 32 | supported.eax;

	if ((available & group) == group && xsave_bytes(fpu_mask | group) <= THREAD_FPU_BYTES)
		fpu_mask |= group;
}

static void init_fpu(void)
{
	cpu_write_cr0((cpu_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	if (!cpu_has(FEATURE_XSAVE))
		return;
	xsave_add(XCR0_AVX);
	if (fpu_mask & XCR0_AVX)
		xsave_add(XCR0_AVX512);
	cpu_write_xcr0(fpu_mask);
	fpu_bytes = xsave_bytes(fpu_mask);
}

static void init_control(void)
{
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_has(FEATURE_SMEP))
		cr4 |= CR4_SMEP;
	if (cpu_has(FEATURE_SMAP))
		cr4 |= CR4_SMAP;
	if (cpu_has(FEATURE_UMIP))
		cr4 |= CR4_UMIP;
	if (cpu_has(FEATURE_FSGSBASE))
		cr4 |= CR4_FSGSBASE;
	if (cpu_has(FEATURE_XSAVE))
		cr4 |= CR4_OSXSAVE;
	if (cpu_has(FEATURE_PCID)) /* CR3 holds identifier 0 now, as it must */
		cr4 |= CR4_PCIDE;
	if (cpu_id(1, 0).edx & CPUID1_EDX_MCE)
		cr4 |= CR4_MCE;
	cpu_write_cr4(cr4);
	cpu_write_cr0((cpu_read_cr0() & ~(CR0_NW | CR0_CD)) | CR0_WP | CR0_AM);
	cpu_wrmsr(MSR_EFER, cpu_rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
}

static uint64_t stack_top(uint32_t stack)
{
	return (uint64_t)(&kernel_stacks[stack] + 1);
}

static void init_percpu(void)
{
	percpu0.self = &percpu0;
	percpu0.kernel_stack = stack_top(STACK_KERNEL);
	percpu0.tss.rsp0 = stack_top(STACK_KERNEL);
	percpu0.tss.io_map = sizeof(struct tss); /* none: no port is user code's */
	for (uint32_t i = STACK_KERNEL + 1; i < STACK_COUNT; i++)
		percpu0.tss.ist[i - 1] = stack_top(i);
}

static void init_gdt(void)
{
	const struct table_pointer pointer = { sizeof(gdt) - 1, (uint64_t)gdt };
	uint64_t tss = (uint64_t)&percpu0.tss;

	gdt[SELECTOR_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
				DESCRIPTOR_TSS << 40 | ((tss >> 24) & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	cpu_load_gdt(&pointer);
	cpu_load_segments(SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA);
	cpu_load_tss(SELECTOR_TSS);
	cpu_load_no_ldt();
}

static uint8_t vector_stack(uint32_t vector)
{
	switch (vector) {
	case VECTOR_DOUBLE_FAULT:
		return STACK_DOUBLE_FAULT;
	case VECTOR_NMI:
		return STACK_NMI;
	case VECTOR_MACHINE_CHECK:
		return STACK_MACHINE_CHECK;
	case VECTOR_DEBUG:
		return STACK_DEBUG;
	default:
		return 0;
	}
}

/* Messages by the paths of fast.asm?  It needs FSGSBASE; records of all messages are made by the
   generic path only. */
static bool entries_are_fast(void)
{
	return ENTRIES_IN_ASSEMBLY && cpu_has(FEATURE_FSGSBASE) && !boot_option("records");
}

static uint64_t vector_entry(uint32_t vector)
{
	if (vector == VECTOR_PAGE_FAULT && entries_are_fast())
		return (uint64_t)fast_page_fault;
	return vector_entries[vector];
}

static void init_idt(void)
{
	const struct table_pointer pointer = { sizeof(idt) - 1, (uint64_t)idt };

	for (uint32_t i = 0; i < VECTORS; i++) {
		bool is_user = i == VECTOR_BREAKPOINT || i == VECTOR_OVERFLOW;
		uint64_t entry = vector_entry(i);

		idt[i] = (struct gate){
			.offset0 = (uint16_t)entry,
			.offset1 = (uint16_t)(entry >> 16),
			.offset2 = (uint32_t)(entry >> 32),
			.selector = SELECTOR_KERNEL_CODE,
			.stack = vector_stack(i),
			.type = (uint8_t)(GATE_INTERRUPT | (is_user ? GATE_USER : 0)),
		};
	}
	cpu_load_idt(&pointer);
}

static void init_syscall(void)
{
	cpu_wrmsr(MSR_STAR,
		(uint64_t)SELECTOR_SYSRET_BASE << 48 | (uint64_t)SELECTOR_SYSCALL_BASE << 32);
	cpu_wrmsr(MSR_LSTAR, (uint64_t)(entries_are_fast() ? fast_syscall_entry : syscall_entry));
	if (boot_option("records"))
		ipc_generic_only = UINT64_MAX;
	cpu_wrmsr(MSR_CSTAR, 0);
	cpu_wrmsr(MSR_FMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT);
	cpu_wrmsr(MSR_FS_BASE, 0);
	cpu_wrmsr(MSR_GS_BASE, (uint64_t)&percpu0);
	cpu_wrmsr(MSR_KERNEL_GS_BASE, 0);
}

/* Detects features, loads descriptor tables, sets control bits and MSRs.  Stops without what is
   required. */
void cpu_init(void)
{
	find_features();
	find_name();
	init_percpu();
	init_gdt(); /* before init_syscall: loading GS clears its base */
	init_idt();
	init_control();
	init_fpu();
	init_syscall();
}
