/*
 * Start of a system server: from the loader's registers to main().
 *
 * A server starts with rdi = its argument (a word, or the address of a boot structure) and rsp = the
 * top of its stack, 16-byte aligned.  It never ends: a main() that returns is a broken server.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <call.h>
#include "server/print.h"
#include "server/start.h"

/*
 * _start: entered by the kernel (init), by init (wired servers) or by the pager (the others), in user
 * mode, rdi = argument, nothing on the stack.  The null return address ends backtraces.
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

/* Runs main; entered from _start with an aligned stack. */
_Noreturn void server_start(uint64_t argument)
{
	int result;

	/* The pager makes the page at its first touch; payload for a thread without one would be lost. */
	*(volatile char *)MESSAGE_PAGE = 0;
	result = main(argument);
	server_panic("main returned %d", result);
}
