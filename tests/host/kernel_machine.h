/*
 * A machine on which the kernel runs in a host program: calls, faults, exceptions and interrupts
 * enter it through the functions that entry.asm calls, and the thread that it chose runs next.
 *
 * What is real: everything of kernel/ from the entry functions on: calls, messages, handles,
 * objects, batches, table operations, scheduling, switching, interrupt lines, checks.  What is
 * simulated: RAM and the frame table (machine/memory.h), the processor (machine/cpu.h), the
 * interrupt controllers, the clock.  A panic ends the program.
 *
 * A program "runs" when the test says: the registers of user mode are in machine.user.  The test
 * changes them and calls one of the entries below; afterwards machine.user holds the registers of
 * the thread that runs now, as `sysret` or `iretq` would have loaded them, or machine.idle is set.
 * After every entry all rules of the kernel are checked, and what the processor would fault on.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "object.h"
#include "thread.h"
#include <faultline/layout.h>
#include <machine/cpu.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* The frames after machine_start: those of the kernel, then those of the root task, then FREE. */
enum {
	MACHINE_KERNEL_FRAME = 1,
	MACHINE_ZERO_FRAME,
	MACHINE_KERNEL_TOP,
	MACHINE_KERNEL_TABLE,
	MACHINE_ROOT_SPACE,
	MACHINE_ROOT_TOP,
	MACHINE_ROOT_THREAD,
	MACHINE_ROOT_MESSAGE,
	MACHINE_FIRST_FREE
};

#define MACHINE_ROOT_PRIORITY 32u
#define MACHINE_ROOT_RIGHTS   (SPACE_DEBUG | SPACE_TIMER | SPACE_SEES_FRAMES)
#define MACHINE_LOG_BYTES     4096u

struct machine {
	struct registers user; /* of the running thread; meaningless when idle */
	bool idle;
	uint64_t alarm; /* when the timer interrupts; UINT64_MAX: never */
	bool timer_in_service;
	uint16_t lines_masked, in_service;
	uint32_t io_port, io_width, io_value, io_count; /* the last output, outputs so far */
	uint32_t log_bytes;
	char log[MACHINE_LOG_BYTES]; /* the last text written to the kernel's log */
	jmp_buf *shutdown;	     /* where the end of the machine goes; NULL: a failure */
	uint32_t shutdown_status;
	void (*report)(void); /* called before a failure ends the program */
	bool unchecked;	      /* leave the kernel's rules unchecked (what is set up often) */
};
extern struct machine machine;

/*
 * A machine as it is when the root task starts to run: space, thread and message page of
 * POOL_ROOT, all I/O ports and lines.  features: FEATURE_* that the kernel uses.  May be called
 * again; machine_stop ends what ran.
 */
void machine_start(uint32_t frames, uint32_t features);
void machine_stop(void);

/* The running thread's frame, 0 when idle. */
pfn_t machine_running(void);

/* Entries of the running thread: `syscall` with machine.user.rax; an exception with its error code;
   a page fault. */
void machine_call(void);
void machine_exception(uint32_t vector, uint64_t error);
void machine_fault(uint64_t address, uint32_t error);

/* `syscall` with these first arguments; returns the status of the thread that made it, as saved. */
status_t machine_call_with(uint64_t number, uint64_t rdi, uint64_t rsi, uint64_t rdx);

/* Interrupts, while a thread runs or idle: a line (false: masked), one that vanished (7 or 15),
   the timer (machine_tick: when it is armed for that; advances the clock). */
bool machine_interrupt(uint32_t line);
void machine_interrupt_spurious(uint32_t line);
void machine_timer(void);
bool machine_tick(void);

/*
 * The processor's walk of the running thread's tables (or those of `top`), by code that knows
 * nothing of the kernel's.  entries: from the top down, 0 below one that ends the walk.  Returns
 * the page fault's error code with FAULT_USER, or 0 with *leaf = the entry that maps the page.
 */
uint32_t machine_walk(
	pfn_t top, uint64_t address, uint32_t access, uint64_t entries[5], uint64_t **leaf);

/* An access of the running thread: the byte, with A and D set, or NULL after a page fault. */
uint8_t *machine_access(uint64_t address, uint32_t access);

/* One operation by BATCH of the running thread; the status. */
status_t machine_operate(uint64_t head, uint64_t a, uint64_t b);

/* Report a broken property and end the program. */
_Noreturn void machine_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define MACHINE_CHECK(condition) \
	((condition) ? (void)0   \
		     : machine_fail("%s:%d: not true: %s", __FILE__, __LINE__, #condition))

#endif
