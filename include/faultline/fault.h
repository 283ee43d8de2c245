/*
 * Fault and exception messages, and the registers of a thread.
 *
 * A fault message (label LABEL_FAULT) goes to the thread's fault port when an access is refused
 * by the tables.  It is made when it is delivered: the entries are those of that moment.
 *
 *   word 0  address            word 1  access: FAULT_* bits, levels, refusing level
 *   word 2  instruction        word 3.. entries from the top level down, 0 below a refusal by absence
 *
 * With four levels word 3 is the top entry and word 6 the leaf's, word 7 is 0.
 *
 * An exception message (label LABEL_EXCEPTION) goes to the exception port: word 0 vector, word 1
 * error code, word 2 instruction, word 3 address (page faults), word 4 and 5 the reason the
 * pager gave in its refusal.  Its payload is struct registers.
 *
 * A self-upcall puts struct upcall at the start of the thread's own message page and resumes it at
 * its handler, with rdi = the address of the page, on the stack it registered.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_FAULT_H
#define FAULTLINE_FAULT_H

#include <stdint.h>

enum { LABEL_FAULT = 0x46000001, LABEL_EXCEPTION = 0x46000002, LABEL_PARKED = 0x46000003 };

#define FAULT_PRESENT (1u << 0)  /* hardware's error code: the refusal was by rights */
#define FAULT_WRITE (1u << 1)
#define FAULT_USER (1u << 2)
#define FAULT_RESERVED (1u << 3) /* a reserved bit: look at this first */
#define FAULT_FETCH (1u << 4)
#define FAULT_LEVEL_SHIFT 16     /* bits 16..19: level of the refusing entry, 1 = leaf table */
#define FAULT_LEVELS_SHIFT 20    /* bits 20..23: levels of the space: 4 or 5 */
#define FAULT_LEVEL(access) (((uint32_t)(access) >> FAULT_LEVEL_SHIFT) & 15u)
#define FAULT_LEVELS(access) (((uint32_t)(access) >> FAULT_LEVELS_SHIFT) & 15u)

/* In the order in which the kernel keeps them; the assembly's offsets are generated from this.  The
   words of a message come first, in their order, then what a call keeps or gives. */
struct registers {
	uint64_t rdx, r10, r8, r9, r12, r13, r14, r15;
	uint64_t rbx, rbp, rsi, rdi, rax;
	uint64_t r11, rcx; /* behind a call: rflags and rip, as `syscall` leaves them */
	uint64_t vector; /* why the kernel was entered; not settable */
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss; /* cs and ss are not settable */
};

struct upcall {
	uint64_t vector, error, address, reason0, reason1;
	struct registers registers;
};

enum {
	VECTOR_DIVIDE = 0, VECTOR_DEBUG = 1, VECTOR_NMI = 2, VECTOR_BREAKPOINT = 3,
	VECTOR_OVERFLOW = 4, VECTOR_BOUND = 5, VECTOR_INVALID_OPCODE = 6, VECTOR_NO_FPU = 7,
	VECTOR_DOUBLE_FAULT = 8, VECTOR_INVALID_TSS = 10, VECTOR_NO_SEGMENT = 11,
	VECTOR_STACK = 12, VECTOR_PROTECTION = 13, VECTOR_PAGE_FAULT = 14, VECTOR_FPU = 16,
	VECTOR_ALIGNMENT = 17, VECTOR_MACHINE_CHECK = 18, VECTOR_SIMD = 19,
	VECTOR_IRQ = 32,     /* 32..47: the interrupt lines */
	VECTOR_TIMER = 48,
	VECTOR_SYSCALL = 256, /* not a hardware vector: entered by `syscall` */
	VECTOR_FOREIGN_CALL = 257 /* exception: `syscall` with a number that is no kernel call */
};

#endif
