/*
 * Kernel calls: numbers, registers, message tags, flags.
 *
 * A call is the `syscall` instruction with its number in rax.  Registers (all others are kept;
 * rcx and r11 are destroyed by the instruction):
 *
 *            in                               out
 *   rax      call number                      status_t
 *   rdi      handle or first argument         badge of the sender
 *   rsi      message tag                      tag of what was received
 *   rdx      word 0                           word 0
 *   r10      word 1                           word 1
 *   r8       word 2                           word 2
 *   r9       word 3                           word 3
 *   r12      word 4                           word 4
 *   r13      word 5                           word 5
 *   rbx      reply token                      reply token
 *   r14      -                                word 6 (fault messages only)
 *   r15      -                                word 7 (fault messages only)
 *
 * CALL changes rax, rsi and the six words only.  Calls other than CALL and REPLY_RECEIVE take their arguments in
 * rdi, rsi, rdx, r10, r8, r9 and change rax, and those words that their description names.
 * lib/call.h wraps all of this for C.  docs/calls.md describes every call and its errors.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_CALL_H
#define FAULTLINE_CALL_H

#include <stdint.h>

/* X(name, number, handler) */
#define CALL_LIST(X)                                                                       \
	X(CALL, 0, call_ipc_call)           /* send a message and wait for its reply */     \
	X(REPLY_RECEIVE, 1, call_reply_receive) /* reply, run a batch, receive the next */ \
	X(NOTIFY, 2, call_notify)           /* set bits of a port's notification word */    \
	X(BATCH, 3, call_batch)             /* run operations under the caller's pool */    \
	X(HANDLE, 4, call_handle)           /* copy, mint, drop, look at handles */         \
	X(THREAD, 5, call_thread)           /* the calling thread's own settings */         \
	X(YIELD, 6, call_yield)             /* give the rest of the time slice away */      \
	X(IRQ, 7, call_irq)                 /* bind an interrupt to a port; acknowledge */  \
	X(IO, 8, call_io)                   /* checked port input and output */             \
	X(TIMER, 9, call_timer)             /* the processor's one deadline */              \
	X(INFO, 10, call_info)              /* copy information to the message page */      \
	X(DEBUG, 11, call_debug)            /* kernel log, kernel_ok, test hooks */         \
	X(SHUTDOWN, 12, call_shutdown)      /* end the machine with a status */

enum {
#define CALL_ENUM(name, number, handler) CALL_##name = (number),
	CALL_LIST(CALL_ENUM)
#undef CALL_ENUM
	CALL_COUNT = 13
};

typedef uint32_t handle_t;
#define HANDLE_NONE 0u
#define HANDLE_SLOTS 112u /* slots of a space's handle table; slot 0 stays empty */

/*
 * The message tag.
 *
 *   bits  0..31  label: what is asked, or the status of a reply
 *   bits 32..44  payload in bytes, 0..4096, in the message page of the sender (then the receiver)
 *   bits 45..52  send: slot of the handle that goes along, 0 for none
 *   bits 53..58  reply: number of operations that run first
 *   bit  59      reply: all operations are in the message page (else the first two are in the
 *                six words, and the reply carries no words)
 *   bits 60..63  set by the kernel only, see TAG_GOT_HANDLE ...
 */
#define TAG_LABEL(tag) ((uint32_t)(tag))
#define TAG_BYTES_SHIFT 32
#define TAG_BYTES(tag) ((uint32_t)((tag) >> TAG_BYTES_SHIFT) & 0x1fffu)
#define TAG_HANDLE_SHIFT 45
#define TAG_HANDLE(tag) ((uint32_t)((tag) >> TAG_HANDLE_SHIFT) & 0xffu)
#define TAG_OPS_SHIFT 53
#define TAG_OPS(tag) ((uint32_t)((tag) >> TAG_OPS_SHIFT) & 0x3fu)
#define TAG_OPS_IN_PAGE (1ull << 59)
#define TAG_GOT_HANDLE (1ull << 60)   /* a handle arrived in the receive slot */
#define TAG_NOTIFICATION (1ull << 61) /* no message: word 0 is the notification word */
#define TAG_CANCEL (1ull << 62)       /* the call with this token is to be given up: answer it */
#define TAG_KERNEL (1ull << 63)       /* a fault or exception message, see fault.h */
#define TAG_KERNEL_BITS (0xfull << 60)

static inline uint64_t tag_make(uint32_t label, uint32_t bytes)
{
	return (uint64_t)label | ((uint64_t)bytes << TAG_BYTES_SHIFT);
}

/*
 * CALL, rdi: bits 0..15 the handle, bits 16..23 the slot for a handle in the reply (0: refuse).
 *
 * REPLY_RECEIVE, rdi: bits 0..15 the port handle (receive right), bits 16..23 the slot for an
 * incoming handle (0: refuse handles), and these flags.  A reply goes to the token in rbx.
 */
#define RR_REPLY (1ull << 32)
#define RR_RECEIVE (1ull << 33)
#define RR_NONBLOCK (1ull << 34) /* EMPTY instead of waiting */
#define RR_SLOT_SHIFT 16

/*
 * Reply to a fault or exception: the label of the reply tag.  FAULT_RESUME lets the thread try
 * again.  FAULT_REFUSE turns a fault into an exception, with word 0 and 1 for its handler (the
 * pager's reason and region).  FAULT_SET_REGISTERS (exceptions): resume with the registers in
 * the replier's message page, as far as they may be changed.  FAULT_PARK: the thread stays
 * parked until it is started or destroyed by its pool.  (A pager's batch of operations comes in words 0..5 with RESUME.)
 */
enum { FAULT_RESUME = 0, FAULT_REFUSE = 1, FAULT_SET_REGISTERS = 2, FAULT_PARK = 3 };

/* Rights of a handle. */
enum {
	RIGHT_SEND = 1 << 0,    /* CALL and NOTIFY */
	RIGHT_RECEIVE = 1 << 1, /* REPLY_RECEIVE, IRQ and TIMER binding */
	RIGHT_MINT = 1 << 2,    /* copies may get another badge */
	RIGHT_GIVE = 1 << 3,    /* may be sent in a message */
	RIGHT_ALL = 15
};

/* HANDLE, rdi = one of these. */
enum {
	HANDLE_COPY, /* rsi source slot, rdx target slot (must be empty), r10 rights to keep */
	HANDLE_MINT, /* the same, r8 the new badge; needs RIGHT_MINT */
	HANDLE_DROP, /* rsi slot */
	HANDLE_LOOK  /* rsi slot: rdx = rights, r10 = badge */
};

/* THREAD, rdi = one of these; always of the calling thread. */
enum {
	THREAD_SELF_TLS,    /* rsi = FS base (canonical) */
	THREAD_SELF_UPCALL, /* rsi = entry of the exception handler (0: none), rdx = its stack top,
	                       r10 = what the handler finds in rdi (its message page's address) */
	THREAD_SELF_STOP    /* stop; only the pool's owner starts it again */
};

/* IRQ, rdi = one of these; the space needs the interrupt granted (OP_SPACE_GRANT). */
enum {
	IRQ_BIND, /* rsi = line 0..15, rdx = port handle, r10 = notification bits */
	IRQ_ACK   /* rsi = line: unmask it again */
};

/*
 * IO, rdi = one of these; the ports need to be granted.  rsi = port, rdx = value or count.
 * String forms move rdx units to or from the start of the message page, at most 4096 bytes.
 */
enum {
	IO_IN8, IO_IN16, IO_IN32,          /* rdx = value read */
	IO_OUT8, IO_OUT16, IO_OUT32,
	IO_INS8, IO_INS16, IO_INS32,
	IO_OUTS8, IO_OUTS16, IO_OUTS32
};

/* TIMER, rdi = one of these; one port on the machine may be bound (space right SPACE_TIMER). */
enum {
	TIMER_BIND, /* rsi = port handle, rdx = notification bits */
	TIMER_SET,  /* rsi = absolute deadline in nanoseconds since boot; 0: none */
	TIMER_NOW   /* rdx = nanoseconds since boot; needs no right */
};

/* INFO, rdi = one of these: the structure of info.h goes to the message page. */
enum { INFO_BOOT, INFO_COUNTERS, INFO_RECORDS };

/* DEBUG, rdi = one of these; needs SPACE_DEBUG.  Test hooks exist in every build. */
enum {
	DEBUG_LOG,       /* rsi bytes of the message page go to the kernel's log (serial) */
	DEBUG_KERNEL_OK, /* walk everything: OK, or BUSY with rdx = frame, r10 = rule violated */
	DEBUG_HOOK,      /* rsi = hook, rdx = value: see DEBUG_HOOK_* */
	DEBUG_SUMS       /* the message page gets checksums of the 512 frames from rsi on, a word each */
};
#define DEBUG_PANIC 0x63696e6170ull /* "panic": nobody asks for that by chance */
enum {
	DEBUG_HOOK_NO_FLUSH,   /* 1: hinted flushes of FLUSH_* are left out (FORK-4) */
	DEBUG_HOOK_REFS_LIMIT, /* counters refuse at this value (0: the real limit) */
	DEBUG_HOOK_PANIC       /* the kernel panics, to show its report; the value must be DEBUG_PANIC */
};

#endif
