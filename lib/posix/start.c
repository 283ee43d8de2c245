/*
 * From the stack that exec made to main(): thread-local storage, the C library, the upcall.
 *
 * x86-64 keeps thread-local variables below the thread pointer (variant II):
 *
 *   | padding | .tdata | .tbss | thread control block |
 *                              ^ FS base: its first word holds its own address
 *
 * The block of the first thread lies on its stack, below main's frames' callers: it needs no memory
 * call and lives as long as the thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <stdlib.h>
#include <string.h>

enum { AUX_END = 0, AUX_PROGRAM_HEADERS = 3, AUX_PROGRAM_HEADER_COUNT = 5 }; /* System V ABI */
enum { SEGMENT_TLS = 7 };						     /* ELF */

struct program_header {
	uint32_t type, flags;
	uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};
_Static_assert(sizeof(struct program_header) == 56, "a program header of ELF64 is 56 bytes");

#define THREAD_CONTROL_ALIGN 64u

extern char **environ;
extern void __libc_init_array(void);
int main(int argc, char **argv, char **envp);
_Noreturn void program_start(uint64_t *stack);

static uint64_t auxiliary_value(const uint64_t *auxv, uint64_t kind)
{
	for (; auxv[0] != AUX_END; auxv += 2)
		if (auxv[0] == kind)
			return auxv[1];
	return 0;
}

/* The TLS segment's header, or NULL when the program has none. */
static const struct program_header *tls_find(const uint64_t *auxv)
{
	const struct program_header *header =
		(const void *)auxiliary_value(auxv, AUX_PROGRAM_HEADERS);
	uint64_t count = header ? auxiliary_value(auxv, AUX_PROGRAM_HEADER_COUNT) : 0;

	for (; count > 0; count--, header++)
		if (header->type == SEGMENT_TLS)
			return header;
	return NULL;
}

static uint64_t tls_align(const struct program_header *tls)
{
	return tls && tls->align > THREAD_CONTROL_ALIGN ? tls->align : THREAD_CONTROL_ALIGN;
}

/* Bytes of the block in front of the thread control block: a multiple of the segment's own
   alignment, because the linker counts the offsets of variables from there. */
static uint64_t tls_bytes(const struct program_header *tls)
{
	uint64_t align = tls && tls->align ? tls->align : 1;

	return tls ? (tls->memory_bytes + align - 1) / align * align : 0;
}

/* Fills the block that ends at control and makes it the calling thread's. */
static void tls_install(const struct program_header *tls, struct thread_control *control)
{
	uint8_t *image = (uint8_t *)control - tls_bytes(tls);

	memset(control, 0, sizeof(*control));
	control->self = control;
	if (tls) {
		memcpy(image, (const void *)tls->address, tls->file_bytes);
		memset(image + tls->file_bytes, 0, tls->memory_bytes - tls->file_bytes);
	}
	if (kernel_call(CALL_THREAD, THREAD_SELF_TLS, (uint64_t)control, 0, 0, 0, 0, NULL) != ST_OK)
		__builtin_trap();
}

/* Entered by _start (crt0.asm) with the address of argc. */
_Noreturn void program_start(uint64_t *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	char **envp = argv + argc + 1;
	const uint64_t *auxv = (const uint64_t *)envp;
	const struct program_header *tls;
	uint64_t align, block;

	while (*auxv++)
		;
	tls = tls_find(auxv);
	align = tls_align(tls);
	block = (uint64_t)__builtin_alloca(tls_bytes(tls) + align + sizeof(struct thread_control));
	block = (block + tls_bytes(tls) + align - 1) / align * align;
	tls_install(tls, (struct thread_control *)block);
	upcall_register();
	library_thread_start();
	environ = envp;
	__libc_init_array();
	exit(main(argc, argv, envp));
}
