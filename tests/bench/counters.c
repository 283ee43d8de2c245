/*
 * The benchmark's view of the kernel: its counters, and a null request.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>
#include <faultline/info.h>
#include <faultline/protocol/proc.h>
#include <faultline/slots.h>
#include "call.h"
#include "counters.h"

#define LABEL_NONE 0xffffu /* no request of the pager: it answers BAD_CALL at once */

void counts_read(struct counts *counts)
{
	struct info_counters now;

	*(volatile char *)MESSAGE_PAGE = 0; /* after fork it appears with its first use */
	kernel_call(CALL_INFO, INFO_COUNTERS, 0, 0, 0, 0, 0, NULL);
	memcpy(&now, MESSAGE_PAGE, sizeof(now));
	counts->entries = now.kernel_entries;
	counts->cr3 = now.cr3_loads;
	counts->flushes = now.full_flushes + now.hinted_flushes;
}

/* The request to the process server as lib/posix makes it, but nothing is stored between the call
   and the second reading: a store to the stack would already split tables. */
pid_t fork_timed(uint64_t *ticks)
{
	register uint64_t status __asm__("r15");
	uint64_t tag = tag_make(PROC_FORK, 0), pid, spent;

	*(volatile char *)MESSAGE_PAGE = 0;
	__asm__ volatile("rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%r14\n\t"
			 "mov %[call], %%eax\n\t"
			 "mov %[slot], %%edi\n\t"
			 "syscall\n\t"
			 "mov %%rax, %%r15\n\t"
			 "mov %%rdx, %%rbx\n\t"
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "add %%rdx, %%rax\n\t"
			 "sub %%r14, %%rax"
			 : "=a"(spent), "=b"(pid), "=r"(status), "+S"(tag)
			 : [call] "i"(CALL_CALL), [slot] "i"(SLOT_PROC)
			 : "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory");
	*ticks = spent;
	return status == ST_OK ? (pid_t)pid : -1;
}

void null_call(void)
{
	struct message message = { .tag = tag_make(LABEL_NONE, 0) };

	ipc_call(SLOT_PAGER, &message);
}
