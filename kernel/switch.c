/*
 * Switching the processor from thread to thread and from space to space, and flushing.
 *
 * Rules:
 *   - CR3 is written only when the space changes or a flush is due.
 *   - Without address-space identifiers (PCID) a CR3 load flushes everything: epoch + 1.
 *   - With them, a space keeps its identifier for one generation; identifiers of a generation are
 *     never given out twice.  The first load with a new one flushes what an owner of an earlier
 *     generation has left.  Not before: the processor walks whenever it likes, so as long as that
 *     owner is loaded its translations come back.  Any other load may keep cached translations
 *     (NOFLUSH) unless a flush of this space is pending.
 *   - FPU registers stay in place while threads run that do not use them (SPACE_FPU_NONE); CR0.TS
 *     holds them to it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "switch.h"
#include "boot.h"
#include "debug.h"
#include "flush.h"
#include "log.h"
#include <machine/cpu.h>
#include "object.h"
#include "percpu.h"

#ifndef PCID_LAST /* a test build has fewer */
#define PCID_LAST 4095u
#endif

uint32_t flush_epoch = 1;
static uint32_t pcid_next = 1;
uint64_t pcid_generation = 1;

void flush_everything(void)
{
	if (cpu_has(FEATURE_PCID))
		cpu_flush_all_contexts();
	else
		cpu_write_cr3(cpu_read_cr3());
	flush_epoch++;
	counters.full_flushes++;
}

static void pcid_assign(struct space *space)
{
	if (pcid_next > PCID_LAST) {
		pcid_next = 1;
		pcid_generation++;
	}
	space->pcid = pcid_next++;
	space->pcid_generation = pcid_generation;
	space->flush_pending = true;
}

static uint64_t space_cr3(struct space *space)
{
	uint64_t cr3 = (uint64_t)space->top << PAGE_SHIFT;

	if (!cpu_has(FEATURE_PCID)) {
		space->cr3_generation = pcid_generation;
		space->flush_pending = false;
		return space->cr3 = cr3;
	}
	if (space->pcid_generation != pcid_generation)
		pcid_assign(space);
	cr3 |= space->pcid;
	space->cr3 = cr3 | CR3_NOFLUSH;
	space->cr3_generation = pcid_generation;
	if (!space->flush_pending)
		return space->cr3;
	space->flush_pending = false;
	return cr3;
}

static void load_cr3(uint64_t cr3)
{
	cpu_write_cr3(cr3);
	counters.cr3_loads++;
	if (cr3 & CR3_NOFLUSH)
		return;
	counters.cr3_loads_flushing++;
	if (!cpu_has(FEATURE_PCID))
		flush_epoch++;
}

void switch_space(struct space *space)
{
	struct percpu *cpu = this_cpu();

	cpu->space = space;
	load_cr3(space ? space_cr3(space) : cpu->kernel_cr3);
}

void flush_space(struct space *space)
{
	if (debug_hook_no_flush)
		return;
	counters.hinted_flushes++;
	if (!cpu_has(FEATURE_PCID) && this_cpu()->space != space)
		return; /* loading it flushes everything */
	space->flush_pending = true;
	space->cr3_generation = 0;
	if (this_cpu()->space == space)
		switch_space(space);
}

void flush_hinted_all(void)
{
	if (debug_hook_no_flush)
		return;
	counters.hinted_flushes++;
	flush_everything();
}

void switch_save_fpu(struct thread *thread)
{
	struct percpu *cpu = this_cpu();

	if (cpu->fpu_owner != thread)
		return;
	if (cpu->fpu_blocked)
		cpu_clear_task_switched();
	cpu_fpu_save(thread->fpu_area);
	if (cpu->fpu_blocked)
		switch_fpu_block(cpu, cpu->fpu_blocked);
}

void switch_fpu_owner(struct percpu *cpu, struct thread *next)
{
	if (cpu->fpu_owner)
		cpu_fpu_save(cpu->fpu_owner->fpu_area);
	cpu_fpu_restore(next->fpu_area);
	cpu->fpu_owner = next;
}

static void save_bases(struct thread *thread)
{
	if (!cpu_has(FEATURE_FSGSBASE))
		return;
	thread->fs_base = cpu_read_fs_base();
	thread->gs_base = cpu_read_user_gs_base();
}

static void load_fs_base(uint64_t base)
{
	if (cpu_has(FEATURE_FSGSBASE))
		cpu_write_fs_base(base);
	else
		cpu_wrmsr(MSR_FS_BASE, base);
}

static void load_bases(const struct thread *thread)
{
	load_fs_base(thread->fs_base);
	if (cpu_has(FEATURE_FSGSBASE))
		cpu_write_user_gs_base(thread->gs_base);
}

void switch_set_fs_base(struct thread *thread, uint64_t base)
{
	thread->fs_base = base;
	if (this_cpu()->current == thread)
		load_fs_base(base); /* GS is as the thread left it */
}

void switch_thread(struct thread *next)
{
	struct percpu *cpu = this_cpu();

	if (next && cpu->current) {
		switch_directly(cpu, cpu->current, next);
	} else if (next) {
		load_bases(next);
		switch_rest(cpu, next);
	} else if (cpu->current) {
		save_bases(cpu->current);
		cpu->current = NULL;
	}
}
