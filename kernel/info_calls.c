/*
 * Information, log, checks, and the end of the machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "call_table.h"
#include "debug.h"
#include "log.h"
#include <machine/cpu.h>
#include "percpu.h"
#include "record.h"
#include "shutdown.h"

bool debug_hook_no_flush;
struct info_counters counters;
struct fast_counters fast_counters;

/* With what fast.asm counts: each of its messages is an entry and a switch. */
static void counters_complete(struct info_counters *all)
{
	const struct fast_counters *fast = &fast_counters;
	uint64_t messages = fast->calls + fast->replies + fast->faults;

	*all = counters;
	all->tsc = cpu_tsc();
	all->kernel_entries += messages;
	all->switches += messages;
	all->calls += fast->calls;
	all->replies += fast->replies;
	all->faults_delivered += fast->faults;
	all->frames_cleared += fast->cleared;
	all->frames_copied += fast->copied;
	all->operations += 2 * (fast->cleared + fast->copied);
	if (!cpu_has(FEATURE_PCID))
		all->cr3_loads_flushing = all->cr3_loads;
}

_Static_assert(sizeof(struct info_boot) <= PAGE_SIZE, "INFO_BOOT fits the message page");
_Static_assert(sizeof(struct info_boot) % 8 == 0, "INFO_BOOT is copied by words");

/* INFO: rdi = INFO_BOOT ...; rdx = bytes written to the message page. */
struct thread *call_info(struct thread *thread)
{
	struct registers *registers = &thread->registers;
	void *page;

	if (registers->rdi > INFO_RECORDS)
		return call_finish(thread, ST_BAD_ARGUMENT);
	if (registers->rdi == INFO_RECORDS && !(thread->space->flags & SPACE_DEBUG))
		return call_finish(thread, ST_NO_RIGHT); /* words of everybody's messages */
	if (!thread->message)
		return call_finish(thread, ST_NO_PAGE);
	page = frame_memory(thread->message);
	switch (registers->rdi) {
	case INFO_BOOT:
		memory_copy_words(page, &boot_info, sizeof(boot_info) / 8);
		registers->rdx = sizeof(boot_info);
		break;
	case INFO_COUNTERS:
		counters_complete(page);
		registers->rdx = sizeof(counters);
		break;
	default:
		registers->rdx = sizeof(struct info_record) *
				 record_copy(page, PAGE_SIZE / sizeof(struct info_record));
		break;
	}
	return call_finish(thread, ST_OK);
}

static status_t debug_log(const struct thread *thread)
{
	if (!thread->message)
		return ST_NO_PAGE;
	if (thread->registers.rsi > PAGE_SIZE)
		return ST_BAD_ARGUMENT;
	log_write(frame_memory(thread->message), thread->registers.rsi);
	return ST_OK;
}

static status_t debug_kernel_ok(struct registers *registers)
{
	pfn_t where = 0;
	uint32_t rule = kernel_ok(&where);

	registers->rdx = where;
	registers->r10 = rule;
	return rule ? ST_BUSY : ST_OK;
}

static status_t debug_hook(const struct registers *registers)
{
	switch (registers->rsi) {
	case DEBUG_HOOK_NO_FLUSH:
		debug_hook_no_flush = registers->rdx != 0;
		return ST_OK;
	case DEBUG_HOOK_REFS_LIMIT:
		if (registers->rdx > UINT32_MAX)
			return ST_BAD_ARGUMENT;
		frame_refs_limit = registers->rdx ? (uint32_t)registers->rdx : UINT32_MAX;
		return ST_OK;
	case DEBUG_HOOK_PANIC:
		if (registers->rdx != DEBUG_PANIC)
			return ST_BAD_ARGUMENT;
		panic("asked for by a test");
	default:
		return ST_BAD_ARGUMENT;
	}
}

static status_t debug_sums(const struct thread *thread)
{
	if (!thread->message)
		return ST_NO_PAGE;
	if (thread->registers.rsi >= frame_count)
		return ST_BAD_ARGUMENT;
	frame_sums((pfn_t)thread->registers.rsi, frame_memory(thread->message));
	return ST_OK;
}

/* DEBUG: rdi = DEBUG_LOG ... */
struct thread *call_debug(struct thread *thread)
{
	struct registers *registers = &thread->registers;

	if (!(thread->space->flags & SPACE_DEBUG))
		return call_finish(thread, ST_NO_RIGHT);
	switch (registers->rdi) {
	case DEBUG_LOG:
		return call_finish(thread, debug_log(thread));
	case DEBUG_KERNEL_OK:
		return call_finish(thread, debug_kernel_ok(registers));
	case DEBUG_HOOK:
		return call_finish(thread, debug_hook(registers));
	case DEBUG_SUMS:
		return call_finish(thread, debug_sums(thread));
	default:
		return call_finish(thread, ST_BAD_ARGUMENT);
	}
}

/* SHUTDOWN: rdi = status 0..255. */
struct thread *call_shutdown(struct thread *thread)
{
	if (!(thread->space->flags & SPACE_SHUTDOWN))
		return call_finish(thread, ST_NO_RIGHT);
	if (thread->registers.rdi > 255)
		return call_finish(thread, ST_BAD_ARGUMENT);
	machine_shutdown((uint32_t)thread->registers.rdi);
}
