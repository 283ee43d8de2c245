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
#include <sys/mman.h>
#include <time.h>

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

/* Of the message page, where the kernel has put them. */
static struct counts counts_of_page(void)
{
	const volatile struct info_counters *page = MESSAGE_PAGE;

	return (struct counts){
		.entries = page->kernel_entries,
		.cr3 = page->cr3_loads,
		.cr3_flushing = page->cr3_loads_flushing,
		.flushes = page->full_flushes + page->hinted_flushes,
	};
}

void counts_read(struct counts *counts)
{
	(void)posix_message_page();
	if (kernel_call(CALL_INFO, INFO_COUNTERS, 0, 0, 0, 0, 0, NULL) != ST_OK)
		die("counters");
	*counts = counts_of_page();
}

uint64_t system_settle_ticks(void)
{
	uint64_t start = ticks_now();

	if (system_settle() != 0)
		die("settle");
	return ticks_now() - start;
}

static struct pager_stat pager_stat_now(void)
{
	struct pager_stat stat;

	if (system_pager_stat(&stat) != 0)
		die("pager's counters");
	return stat;
}

uint64_t system_free_frames(void)
{
	return pager_stat_now().frames_free;
}

static uint64_t frames_cleared(void)
{
	struct pager_stat stat = pager_stat_now();

	return stat.frames_blank + stat.blocks_clean * TABLE_PAGES;
}

/* Blank frames grow in number while nobody runs, and then stay as many. */
bool system_clear_ahead(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	uint64_t before, now = frames_cleared();

	do {
		before = now;
		nanosleep(&moment, NULL);
		now = frames_cleared();
	} while (now != before);
	return now != 0;
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

#define AT(field) "mov " FIELD(field) "(%%r13), "
#define FIELD(field) "%c[" #field "]"
#define READ_TICKS "rdtsc\n\tshl $32, %%rdx\n\tadd %%rdx, %%rax\n\t"
#define READ_COUNTS "mov %[info], %%eax\n\tmov %[what], %%edi\n\tsyscall\n\t"
#define OFFSET(field) [field] "i"(offsetof(struct info_counters, field))

/*
 * The request to the process server as lib/posix makes it, but nothing is stored between the first
 * and the last reading: a store to the stack would already split tables.  (The message page is
 * never shared, so the kernel may write to the parent's.)  The counts behind the fork go to r8,
 * r9, r10 and r12, those behind the write stay in the page.
 */
pid_t fork_timed(struct fork_ticks *ticks, volatile char *byte)
{
	register volatile char *place __asm__("r15") = byte;
	register uint64_t entries __asm__("r8");
	register uint64_t cr3 __asm__("r9");
	register uint64_t cr3_flushing __asm__("r10");
	register uint64_t flushes __asm__("r12");
	register uint64_t forked __asm__("r13");
	uint64_t tag = tag_make(PROC_FORK, 0), pid, written;

	(void)posix_message_page();
	__asm__ volatile(MARK_TEXT(MARK_FORK) READ_TICKS
			 "mov %%rax, %%r14\n\t"
			 "mov %[call], %%eax\n\t"
			 "mov %[slot], %%edi\n\t"
			 "syscall\n\t"
			 "mov %%rdx, %%rbx\n\t" READ_TICKS "sub %%r14, %%rax\n\t"
			 "mov %%rax, %%r14\n\t" MARK_TEXT(MARK_FORK_END)
			 "test %%rbx, %%rbx\n\t" /* the child */
			 "jz 1f\n\t" READ_COUNTS
			 "movabs %[page], %%r13\n\t"
			 AT(kernel_entries) "%%r8\n\t"
			 AT(cr3_loads) "%%r9\n\t"
			 AT(cr3_loads_flushing) "%%r10\n\t"
			 AT(full_flushes) "%%r12\n\t"
			 "add " FIELD(hinted_flushes) "(%%r13), %%r12\n\t"
			 "mov %%r14, %%r13\n\t"
			 "test %%r15, %%r15\n\t"
			 "jz 1f\n\t" MARK_TEXT(MARK_WRITE) READ_TICKS
			 "mov %%rax, %%r14\n\t"
			 "movb $1, (%%r15)\n\t" READ_TICKS
			 "sub %%r14, %%rax\n\t" MARK_TEXT(MARK_WRITE_END)
			 "mov %%rax, %%r14\n\t" READ_COUNTS
			 "mov %%r14, %%rax\n"
			 "1:"
			 : "=a"(written), "=b"(pid), "+S"(tag), "=r"(entries), "=r"(cr3), "=r"(cr3_flushing),
			   "=r"(flushes), "=r"(forked)
			 : [call] "i"(CALL_CALL), [slot] "i"(SLOT_PROC), [info] "i"(CALL_INFO),
			   [what] "i"(INFO_COUNTERS), [page] "i"(LAYOUT_MESSAGE), "r"(place),
			   OFFSET(kernel_entries), OFFSET(cr3_loads), OFFSET(cr3_loads_flushing),
			   OFFSET(full_flushes), OFFSET(hinted_flushes)
			 : "rcx", "rdx", "rdi", "r11", "r14", "memory");
	if (TAG_LABEL(tag) == ST_OK && pid == 0)
		return 0; /* which touches nothing */
	*ticks = (struct fork_ticks){ .forked = forked, .written = written };
	ticks->after_fork = (struct counts){ entries, cr3, cr3_flushing, flushes };
	ticks->after_write = counts_of_page();
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
	if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
		die("madvise");
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
