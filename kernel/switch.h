/*
 * What a switch of threads changes in the processor: space, stack of the next entry, FS and GS
 * base, FPU.  Each is written only when it changes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_SWITCH_H
#define KERNEL_SWITCH_H

#include "boot.h"
#include "flush.h"
#include <machine/cpu.h>
#include "percpu.h"
#include "thread.h"

#define CR3_NOFLUSH (1ull << 63)

/* The generation of address-space identifiers in use. */
extern uint64_t pcid_generation;

/* Make `next` the current thread (NULL: none, for idle).  The caller takes care of its state. */
void switch_thread(struct thread *next);

/* Load a space's tables (NULL: the kernel's own), flushing what must not be seen any more. */
void switch_space(struct space *space);

/* The FPU registers of a thread that may use them take the place of another's. */
void switch_fpu_owner(struct percpu *cpu, struct thread *next);

/* Blocked: an FPU instruction is an exception, so a thread that promised to do without can neither
   see nor spoil the registers that are in place. */
static inline void switch_fpu_block(struct percpu *cpu, uint32_t block)
{
	cpu->fpu_blocked = block;
	if (block)
		cpu_write_cr0(cpu_read_cr0() | CR0_TS);
	else
		cpu_clear_task_switched();
}

/* Write the FPU registers of a thread to its frame, when they are in the processor. */
void switch_save_fpu(struct thread *thread);

/* Set the FS base of a thread, at once when it is the current one. */
void switch_set_fs_base(struct thread *thread, uint64_t base);

/* With FSGSBASE user code writes its bases itself, so they are read back; without it only the
   THREAD call changes FS, and GS stays 0. */
static inline void switch_bases(struct thread *from, const struct thread *to)
{
	if (__builtin_expect(cpu_has(FEATURE_FSGSBASE), 1)) {
		from->fs_base = cpu_read_fs_base();
		from->gs_base = cpu_exchange_user_gs_base(to->gs_base);
		cpu_write_fs_base(to->fs_base);
	} else {
		cpu_wrmsr(MSR_FS_BASE, to->fs_base);
	}
}

/* Load another space's tables.  (The loaded one has no flush pending.) */
static inline void switch_to_space(struct percpu *cpu, struct space *space)
{
	uint64_t cr3 = space->cr3;

	if (__builtin_expect(space->cr3_generation != pcid_generation, 0)) {
		switch_space(space);
		return;
	}
	cpu->space = space;
	cpu_write_cr3(cr3);
	counters.cr3_loads++;
	if (cr3 & CR3_NOFLUSH)
		return;
	counters.cr3_loads_flushing++; /* no identifiers: that was a flush of everything */
	flush_epoch++;
}

/* The FPU between two threads: nothing moves while one of them does without. */
static inline void switch_fpu(struct percpu *cpu, struct thread *next)
{
	uint32_t block = next->space->flags & SPACE_FPU_NONE;

	if (cpu->fpu_blocked != block)
		switch_fpu_block(cpu, block);
	if (!block && __builtin_expect(cpu->fpu_owner != next, 0))
		switch_fpu_owner(cpu, next);
}

/* What is left when the bases are done. */
static inline void switch_rest(struct percpu *cpu, struct thread *next)
{
	struct space *space = next->space;

	cpu->current = next;
	counters.switches++;
	switch_fpu(cpu, next);
	if (cpu->space != space)
		switch_to_space(cpu, space);
	cpu->tss.rsp0 = (uint64_t)(&next->registers + 1);
}

/* From the current thread to another. */
static inline void switch_directly(struct percpu *cpu, struct thread *from, struct thread *next)
{
	switch_bases(from, next);
	switch_rest(cpu, next);
}

#endif
