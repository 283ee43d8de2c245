/*
 * The simulated processor: what kernel/machine/cpu.h is on the real machine.
 *
 * Privileged instructions become loads and stores of one structure, so that the kernel's message
 * path, its scheduler and its switching run unchanged in a host program.  tests/host comes before
 * kernel/ in the include path.  I/O ports lead to machine_in() and machine_out(), where the
 * interrupt controllers are simulated (tests/host/kernel_machine.c).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_CPU_H
#define KERNEL_MACHINE_CPU_H

#include "boot.h"
#include <faultline/layout.h>
#include <stdint.h>
#include <string.h>

#define MSR_FS_BASE 0xc0000100u
#define CR0_TS	    (1ull << 3)

#define PROCESSOR_FPU_BYTES 512u

struct processor {
	uint64_t cr0, cr2, cr3;
	uint64_t fs_base, gs_base; /* of user mode */
	uint64_t tsc;		   /* in nanoseconds, as the machine's timer counts */
	uint64_t context_flushes;  /* cpu_flush_all_contexts */
	uint64_t cr3_loads;	   /* all, and those that kept translations (NOFLUSH) */
	uint64_t cr3_loads_kept;
	_Alignas(64) uint8_t fpu[PROCESSOR_FPU_BYTES];
};
extern struct processor processor;

uint32_t machine_in(uint16_t port, uint32_t width);
void machine_out(uint16_t port, uint32_t width, uint32_t value);

static inline void cpu_out8(uint16_t port, uint8_t value)
{
	machine_out(port, 1, value);
}

static inline void cpu_out16(uint16_t port, uint16_t value)
{
	machine_out(port, 2, value);
}

static inline void cpu_out32(uint16_t port, uint32_t value)
{
	machine_out(port, 4, value);
}

static inline uint8_t cpu_in8(uint16_t port)
{
	return (uint8_t)machine_in(port, 1);
}

static inline uint16_t cpu_in16(uint16_t port)
{
	return (uint16_t)machine_in(port, 2);
}

static inline uint32_t cpu_in32(uint16_t port)
{
	return machine_in(port, 4);
}

static inline void cpu_wrmsr(uint32_t msr, uint64_t value)
{
	if (msr == MSR_FS_BASE)
		processor.fs_base = value;
}

static inline uint64_t cpu_tsc(void)
{
	return processor.tsc;
}

static inline uint64_t cpu_read_cr0(void)
{
	return processor.cr0;
}

static inline void cpu_write_cr0(uint64_t value)
{
	processor.cr0 = value;
}

static inline void cpu_clear_task_switched(void)
{
	processor.cr0 &= ~CR0_TS;
}

static inline uint64_t cpu_read_cr2(void)
{
	return processor.cr2;
}

static inline uint64_t cpu_read_cr3(void)
{
	return processor.cr3;
}

static inline void cpu_write_cr3(uint64_t value)
{
	processor.cr3 = value & ~(1ull << 63); /* NOFLUSH is not kept */
	processor.cr3_loads++;
	processor.cr3_loads_kept += value >> 63;
}

static inline void cpu_flush_all_contexts(void)
{
	processor.context_flushes++;
}

static inline uint64_t cpu_read_fs_base(void)
{
	return processor.fs_base;
}

static inline void cpu_write_fs_base(uint64_t value)
{
	processor.fs_base = value;
}

static inline uint64_t cpu_read_user_gs_base(void)
{
	return processor.gs_base;
}

static inline uint64_t cpu_exchange_user_gs_base(uint64_t value)
{
	uint64_t old = cpu_read_user_gs_base();

	processor.gs_base = value;
	return old;
}

static inline void cpu_write_user_gs_base(uint64_t value)
{
	processor.gs_base = value;
}

#define FPU_CONTROL_WORD 0x37fu
#define FPU_MXCSR	 0x1f80u
#define FPU_MXCSR_OFFSET 24
static inline void cpu_fpu_init(uint8_t *area)
{
	*(uint16_t *)(void *)area = FPU_CONTROL_WORD;
	*(uint32_t *)(void *)(area + FPU_MXCSR_OFFSET) = FPU_MXCSR;
}

static inline void cpu_fpu_save(uint8_t *area)
{
	memcpy(area, processor.fpu, PROCESSOR_FPU_BYTES);
}

static inline void cpu_fpu_restore(const uint8_t *area)
{
	memcpy(processor.fpu, area, PROCESSOR_FPU_BYTES);
}

#endif
