/*
 * Start of a system server: from the loader's registers to main().
 *
 * A server starts with rdi = its argument (a word, or the address of a boot structure) and rsp =
 * the top of its stack, 16-byte aligned.  It never ends: a main() that returns is a broken
 * server.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/print.h"
#include "server/start.h"
#include <call.h>

#define STACK_TOUCHED (6 * PAGE_SIZE) /* more than any server uses */

/* Of the linker script. */
extern char server_image_start[], server_data_start[], server_data_end[];

/*
 * _start: entered by the kernel (init), by init (wired servers) or by the pager (the others), in
 * user mode, rdi = argument, nothing on the stack.  The null return address ends backtraces.
 */
__asm__(".text\n"
	".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	"	xorl %ebp, %ebp\n"
	"	andq $-16, %rsp\n"
	"	pushq %rbp\n"
	"	pushq %rbp\n"
	"	call server_start\n"
	"	ud2\n"
	".size _start, . - _start\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");

static void look_at(const char *first, const char *end)
{
	for (const volatile char *byte = first; byte < end; byte += PAGE_SIZE)
		(void)*byte;
}

static void touch(char *first, const char *end)
{
	for (volatile char *byte = first; byte < end; byte += PAGE_SIZE) {
		char kept = *byte;

		*byte = kept;
	}
}

/*
 * Make everything present that the server will ever execute, read and write: a server that works
 * meets no page fault, so it cannot fail for lack of memory, and what it costs does not depend on
 * what it did before.  The message page has to be there before the first message: payload for a thread
 * without one would be lost.
 */
static void touch_all(void)
{
	char here;

	look_at(server_image_start, server_data_start);
	touch(server_data_start, server_data_end);
	touch((char *)((uintptr_t)&here - STACK_TOUCHED), &here);
	touch(MESSAGE_PAGE, (char *)MESSAGE_PAGE + 1);
}

/* Runs main; entered from _start with an aligned stack. */
_Noreturn void server_start(uint64_t argument)
{
	int result;

	touch_all();
	result = main(argument);
	server_panic("main returned %d", result);
}
