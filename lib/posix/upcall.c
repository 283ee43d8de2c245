/*
 * The self-upcall: what a program does about its own exceptions.
 *
 * The kernel puts struct upcall at the start of the thread's message page and resumes the thread at
 * upcall_entry (upcall_entry.asm).  The stack is the end of the same page: the page is present
 * when the kernel could write to it and is never copy-on-write, so the handler cannot fault even
 * when memory has run out.
 *
 * An exception inside a guarded copy (guarded.asm) makes that copy return -1.  Any other one is
 * raised again without a handler, so that the process server sees it: the entry is cleared and the
 * instruction runs once more. Traps leave rip behind their instruction; for these it is moved back.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <faultline/fault.h>

#define SYSCALL_BYTES	 2u
#define BREAKPOINT_SHORT 0xccu /* int3; the other form, int 3, has two bytes */

_Static_assert(offsetof(struct upcall, registers) == 5 * 8, "as upcall_entry.asm has it");
_Static_assert(offsetof(struct registers, rdx) == 0 * 8, "upcall_entry pops rdx first");
_Static_assert(offsetof(struct registers, rbx) == 8 * 8, "upcall_entry pops rbx ninth");
_Static_assert(offsetof(struct registers, rcx) == 14 * 8, "upcall_entry pops rcx last");
_Static_assert(offsetof(struct registers, rip) == 17 * 8, "two words lie between rcx and rip");
_Static_assert(offsetof(struct registers, rsp) == 20 * 8, "rip, cs, rflags, rsp follow each other");
_Static_assert(offsetof(struct thread_control, resume) == 8, "as upcall_entry.asm has it");

extern const uint8_t guarded_begin[], guarded_end[];
void upcall_entry(void);
bool upcall_handle(struct upcall *upcall);

static bool is_guarded(uint64_t rip)
{
	return rip >= (uint64_t)guarded_begin && rip < (uint64_t)guarded_end;
}

/* Bytes from rip back to the instruction that raised the exception. */
static uint64_t bytes_to_instruction(uint64_t vector, uint64_t rip)
{
	if (vector == VECTOR_FOREIGN_CALL)
		return SYSCALL_BYTES;
	if (vector == VECTOR_BREAKPOINT)
		return *(const uint8_t *)(rip - 1) == BREAKPOINT_SHORT ? 1 : 2;
	return 0;
}

/* Called by upcall_entry on the end of the message page.  True: the guarded copy is to fail; false:
   the instruction is to run again, and its exception goes to the process server now. */
bool upcall_handle(struct upcall *upcall)
{
	struct registers *registers = &upcall->registers;

	if (is_guarded(registers->rip))
		return true;
	registers->rip -= bytes_to_instruction(upcall->vector, registers->rip);
	(void)kernel_call(CALL_THREAD, THREAD_SELF_UPCALL, 0, 0, 0, 0, 0, NULL);
	return false;
}

/* Sets the handler for the calling thread.  Should the kernel refuse, every exception goes to the
   process server and bad pointers kill. */
void upcall_register(void)
{
	uint64_t page = (uint64_t)posix_message_page();

	(void)kernel_call(CALL_THREAD, THREAD_SELF_UPCALL, (uint64_t)upcall_entry, page + PAGE_SIZE,
		page, 0, 0, NULL);
}
