/*
 * The benchmark on Faultline (system.h): the kernel's counters, requests by their shortest way.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../system.h"
#include "../bench.h"
#include "../profile/mark.h"
#include "posix.h"
#include <faultline/info.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <string.h>
#include <sys/faultline.h>

#define LABEL_NONE 0xffffu /* no request of the pager: it answers BAD_CALL at once */

/* trap.asm */
void trap_entry(void);

const uint64_t counts_own_entries = 1;

/* A program is not the first process here. */
void system_start(void)
{
}

void system_finish(int status)
{
	(void)status;
}

void counts_read(struct counts *counts)
{
	const volatile struct info_counters *page = posix_message_page();

	if (kernel_call(CALL_INFO, INFO_COUNTERS, 0, 0, 0, 0, 0, NULL) != ST_OK)
		die("counters");
	counts->entries = page->kernel_entries;
	counts->cr3 = page->cr3_loads;
	counts->cr3_flushing = page->cr3_loads_flushing;
	counts->flushes = page->full_flushes + page->hinted_flushes;
}

uint64_t system_settle_ticks(void)
{
	uint64_t start = ticks_now();

	if (system_settle() != 0)
		die("settle");
	return ticks_now() - start;
}

uint64_t system_free_frames(void)
{
	struct pager_stat stat;

	if (system_pager_stat(&stat) != 0)
		die("pager's counters");
	return stat.frames_free;
}

/* RAM as the firmware tells it: what the kernel takes for itself is not free. */
void system_memory(void)
{
	const volatile struct info_boot *page = posix_message_page();
	uint64_t bytes = 0;

	if (kernel_call(CALL_INFO, INFO_BOOT, 0, 0, 0, 0, 0, NULL) != ST_OK)
		die("boot information");
	for (uint32_t i = 0; i < page->range_count; i++)
		if (page->ranges[i].kind == RANGE_RAM)
			bytes += page->ranges[i].bytes;
	value_report("frames", bytes / PAGE);
	value_report("free", system_free_frames());
}

/*
 * The request to the process server as lib/posix makes it, but nothing is stored between the first
 * and the last reading of the counter: a store to the stack would already split tables.
 */
pid_t fork_timed(struct fork_ticks *ticks, volatile char *byte)
{
	register volatile char *place __asm__("r15") = byte;
	uint64_t tag = tag_make(PROC_FORK, 0), pid, written = 0, forked;

	(void)posix_message_page();
	__asm__ volatile(MARK_TEXT(MARK_FORK)
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%r14\n\t"
			 "mov %[call], %%eax\n\t"
			 "mov %[slot], %%edi\n\t"
			 "syscall\n\t"
			 "mov %%rdx, %%rbx\n\t"
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%rdi\n\t"
			 "sub %%r14, %%rdi\n\t"
			 MARK_TEXT(MARK_FORK_END)
			 "test %%rbx, %%rbx\n\t" /* the child */
			 "jz 1f\n\t"
			 "test %%r15, %%r15\n\t"
			 "jz 1f\n\t"
			 MARK_TEXT(MARK_WRITE)
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%r14\n\t"
			 "movb $1, (%%r15)\n\t"
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "add %%rdx, %%rax\n\t"
			 "sub %%r14, %%rax\n\t"
			 MARK_TEXT(MARK_WRITE_END)
			 "1:"
			 : "=a"(written), "=b"(pid), "=D"(forked), "+S"(tag)
			 : [call] "i"(CALL_CALL), [slot] "i"(SLOT_PROC), "r"(place)
			 : "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory");
	*ticks = (struct fork_ticks){ .forked = forked, .written = written };
	return TAG_LABEL(tag) == ST_OK ? (pid_t)pid : -1;
}

/* ---- messages ---- */

const char partner_row[] = "T1.server";

bool partner_start(void)
{
	return true;
}

void partner_call(void)
{
	struct message message = { .tag = tag_make(LABEL_NONE, 0), .w = { 1, 2, 3, 4 } };

	if (ipc_call(SLOT_PAGER, &message) != ST_OK || TAG_LABEL(message.tag) != ST_BAD_CALL)
		die("a null request");
}

void partner_stop(void)
{
}

/* ---- memory ---- */

/* The pager decides by itself. */
void memory_allow_large(char *memory, size_t bytes)
{
	(void)memory;
	(void)bytes;
}

void memory_refuse_large(char *memory, size_t bytes)
{
	(void)memory;
	(void)bytes;
}

bool trap_start(void)
{
	uint64_t page = (uint64_t)posix_message_page();

	return kernel_call(CALL_THREAD, THREAD_SELF_UPCALL, (uint64_t)trap_entry, page + PAGE_SIZE,
		       page, 0, 0, NULL) == ST_OK;
}

void trap_stop(void)
{
	upcall_register();
}

void system_bench(void)
{
}
