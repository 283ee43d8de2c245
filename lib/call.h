/*
 * Call stubs: the kernel's calls as C functions (registers: <faultline/call.h>).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_CALL_H
#define LIB_CALL_H

#include <faultline/call.h>
#include <faultline/layout.h>
#include <faultline/op.h>
#include <faultline/status.h>

/* A message as C sees it.  w[6] and w[7] are used by fault messages only. */
struct message {
	uint64_t tag;
	uint64_t w[8];
	uint64_t badge; /* received: who sent it (the badge of its handle) */
	uint64_t token; /* received: to reply to; sent: whom to reply to */
};

/* The message page of a space's first thread.  (Further threads: one page each above.) */
#define MESSAGE_PAGE ((void *)LAYOUT_MESSAGE)

/* Send m (tag, w[0..5], payload in the message page) and wait for the reply, which replaces them. */
static inline status_t ipc_call(handle_t handle, struct message *m)
{
	register uint64_t rax __asm__("rax") = CALL_CALL;
	register uint64_t rdi __asm__("rdi") = handle;
	register uint64_t rsi __asm__("rsi") = m->tag;
	register uint64_t rdx __asm__("rdx") = m->w[0];
	register uint64_t r10 __asm__("r10") = m->w[1];
	register uint64_t r8 __asm__("r8") = m->w[2];
	register uint64_t r9 __asm__("r9") = m->w[3];
	register uint64_t r12 __asm__("r12") = m->w[4];
	register uint64_t r13 __asm__("r13") = m->w[5];
	__asm__ volatile("syscall"
			 : "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
			   "+r"(r12), "+r"(r13)
			 :
			 : "rcx", "r11", "memory");
	m->tag = rsi;
	m->w[0] = rdx;
	m->w[1] = r10;
	m->w[2] = r8;
	m->w[3] = r9;
	m->w[4] = r12;
	m->w[5] = r13;
	return (status_t)rax;
}

/* rdi: port slot | RR_* flags | receive slot << RR_SLOT_SHIFT. */
static inline status_t ipc_reply_receive(uint64_t port_and_flags, struct message *m)
{
	register uint64_t rax __asm__("rax") = CALL_REPLY_RECEIVE;
	register uint64_t rdi __asm__("rdi") = port_and_flags;
	register uint64_t rsi __asm__("rsi") = m->tag;
	register uint64_t rdx __asm__("rdx") = m->w[0];
	register uint64_t r10 __asm__("r10") = m->w[1];
	register uint64_t r8 __asm__("r8") = m->w[2];
	register uint64_t r9 __asm__("r9") = m->w[3];
	register uint64_t r12 __asm__("r12") = m->w[4];
	register uint64_t r13 __asm__("r13") = m->w[5];
	register uint64_t rbx __asm__("rbx") = m->token;
	register uint64_t r14 __asm__("r14");
	register uint64_t r15 __asm__("r15");
	__asm__ volatile("syscall"
			 : "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
			   "+r"(r12), "+r"(r13), "+r"(rbx), "=r"(r14), "=r"(r15)
			 :
			 : "rcx", "r11", "memory");
	m->badge = rdi;
	m->tag = rsi;
	m->w[0] = rdx;
	m->w[1] = r10;
	m->w[2] = r8;
	m->w[3] = r9;
	m->w[4] = r12;
	m->w[5] = r13;
	m->w[6] = r14;
	m->w[7] = r15;
	m->token = rbx;
	return (status_t)rax;
}

/* Any other call: up to six arguments; out[0..2] = rdx, r10, r8 afterwards (out may be NULL). */
static inline status_t kernel_call(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
				   uint64_t a4, uint64_t a5, uint64_t out[3])
{
	register uint64_t rax __asm__("rax") = number;
	register uint64_t rdi __asm__("rdi") = a0;
	register uint64_t rsi __asm__("rsi") = a1;
	register uint64_t rdx __asm__("rdx") = a2;
	register uint64_t r10 __asm__("r10") = a3;
	register uint64_t r8 __asm__("r8") = a4;
	register uint64_t r9 __asm__("r9") = a5;
	__asm__ volatile("syscall"
			 : "+r"(rax), "+r"(rdx), "+r"(r10), "+r"(r8)
			 : "r"(rdi), "r"(rsi), "r"(r9)
			 : "rcx", "r11", "memory");
	if (out) {
		out[0] = rdx;
		out[1] = r10;
		out[2] = r8;
	}
	return (status_t)rax;
}

static inline status_t kernel_notify(handle_t handle, uint64_t bits)
{
	return kernel_call(CALL_NOTIFY, handle, bits, 0, 0, 0, 0, (uint64_t *)0);
}

/*
 * Run `count` operations that lie at the start of the message page (rdi = count).
 * done = operations completed, entries = of the one it stopped at, results = words at
 * MESSAGE_PAGE + OP_RESULTS_OFFSET.  `count` may have BATCH_LOOK besides, and `results` then
 * BATCH_NOTHING_WAITS.
 */
struct batch_outcome {
	uint64_t done, entries, results;
};
static inline status_t kernel_batch_in_page(uint64_t count, struct batch_outcome *outcome)
{
	uint64_t out[3];
	status_t status = kernel_call(CALL_BATCH, count, 0, 0, 0, 0, 0, out);

	outcome->done = out[0];
	outcome->entries = out[1];
	outcome->results = out[2];
	return status;
}

#endif
