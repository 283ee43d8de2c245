/*
 * What belongs to one processor.  GS points here while the kernel runs.
 *
 * The entry code (entry.asm) uses the first fields by generated offsets.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#include <stdint.h>
#include "thread.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp0; /* end of the current thread's struct registers: hardware pushes there */
	uint64_t rsp1, rsp2, reserved1;
	uint64_t ist[7]; /* ist[0]: double fault, ist[1]: NMI, ist[2]: machine check, ist[3]: debug */
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

struct percpu {
	struct percpu *self;
	uint64_t kernel_stack;    /* top of the one kernel stack */
	uint64_t user_stack;      /* scratch of the syscall entry */
	struct thread *current;   /* NULL: idle */
	struct space *space;      /* whose CR3 is loaded; NULL: the kernel's own */
	struct thread *fpu_owner; /* whose FPU state is in the registers, or NULL */
	uint64_t kernel_cr3;
	uint32_t fpu_blocked;     /* SPACE_FPU_NONE: CR0.TS is set, a thread without FPU runs; or 0 */
	struct tss tss __attribute__((aligned(16)));
};

extern struct percpu percpu0;
#define this_cpu() (&percpu0)

extern struct info_counters counters;

/* What fast.asm counts, beside `counters`. */
struct fast_counters {
	uint64_t calls, replies, faults;
	uint64_t cleared, copied; /* frames; each with the operation after */
};
extern struct fast_counters fast_counters;

#endif
