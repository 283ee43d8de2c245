/*
 * Threads, spaces and ports: the kernel's objects, each in a frame of its type.
 *
 * An object's address is that of its frame in the direct map, so frame number <-> pointer is arithmetic.
 * Every object has a never-reused id; whoever remembers an object remembers {frame, id} (struct
 * object_ref) and finds it gone when either differs.
 *
 * States of a thread and the queue its links are in:
 *   STOPPED    none                  PARKED     none (exception without a target)
 *   READY      its ready queue, or it is the current thread, whose `link` and `port` say nothing
 *   QUEUED     the queue of the port it called (or faulted to)
 *   SERVED     the served (or cancels) list of that port: a receiver has its token
 *   RECEIVING  the receivers of a port
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <faultline/call.h>
#include <faultline/fault.h>
#include <faultline/info.h>
#include <faultline/op.h>
#include "frame.h"

#define PRIORITY_COUNT 64

struct link {
	struct link *next, *prev;
};

struct object_ref {
	pfn_t pfn;      /* 0: none */
	uint32_t bits;  /* notification bits, where that applies */
	uint64_t id;
	uint64_t badge;
	uint64_t looked_at; /* handle_epoch when it was last found live; 0: never */
};

struct handle {
	pfn_t pfn; /* PORT frame; 0: empty */
	uint32_t rights;
	uint64_t id;
	uint64_t badge;
};

struct space {
	uint64_t id;
	pfn_t top;            /* its top-level table */
	uint32_t flags;       /* SPACE_* */
	uint16_t pool;        /* what its threads may use in BATCH; 0: none */
	uint16_t io_first;    /* granted I/O ports: io_count from io_first on */
	uint32_t io_count;
	uint32_t irq_mask;    /* granted interrupt lines */
	uint64_t pcid_generation; /* from here to `threads`: the processor's affair (frame_sums) */
	uint64_t cr3;         /* what loads it without a flush ... */
	uint64_t cr3_generation; /* ... in this generation; 0: a flush is due */
	uint32_t pcid;        /* address-space identifier; 0: none yet */
	bool flush_pending;   /* load CR3 with a flush before it runs */
	uint64_t looked_at[HANDLE_SLOTS]; /* handle_epoch when the handle was last found live */
	struct link threads;  /* thread.space_link */
	struct handle handles[HANDLE_SLOTS];
};

struct port {
	uint64_t id;
	uint64_t notification;
	uint64_t queued_priorities;            /* bitmap of non-empty queues */
	struct link queue[PRIORITY_COUNT];     /* callers, thread.link */
	struct link served;                    /* thread.link */
	struct link cancels;                   /* served, but its cancel is still to be received */
	struct link receivers;                 /* thread.link */
};

typedef enum {
	THREAD_STOPPED, THREAD_READY, THREAD_QUEUED, THREAD_SERVED, THREAD_RECEIVING, THREAD_PARKED
} thread_state_t;

/* What a queued or served thread waits for. */
typedef enum { WAIT_CALL, WAIT_FAULT, WAIT_EXCEPTION } wait_kind_t;

#define THREAD_FPU_OFFSET 1024
#define THREAD_FPU_BYTES (4096 - THREAD_FPU_OFFSET)

struct thread {
	struct registers registers; /* at offset 0: entry code stores here */
	uint64_t id;
	uint64_t fs_base, gs_base;
	struct space *space;
	struct link link;           /* by state, see above */
	struct link space_link;
	uint8_t state;              /* thread_state_t */
	uint8_t wait;               /* wait_kind_t */
	uint8_t priority;           /* its own */
	uint8_t effective;          /* with what was lent by callers */
	uint16_t receive_slot;      /* where a handle may arrive with what it receives ... */
	uint16_t reply_slot;        /* ... and with the reply to its call */
	struct port *port;          /* QUEUED, SERVED, RECEIVING: at this one */
	uint64_t badge;             /* of the handle it called by */
	uint64_t token;             /* of the call it waits in */
	uint64_t fault_address;     /* while it waits in a fault; its error code is in registers */
	uint64_t reason0, reason1;  /* of the pager's refusal */
	struct object_ref fault_port, exception_port;
	struct port *receive_port;  /* where it received last ... */
	uint64_t receive_request;   /* ... by this rdi, a reply and a receive ... */
	uint64_t receive_looked_at; /* ... when handle_epoch was this */
	uint64_t upcall_entry, upcall_stack, upcall_argument;
	pfn_t message;              /* MSG frame; 0: none */
	uint32_t slice;             /* the tick in which its time slice began */
	char name[16];
	_Alignas(64) uint8_t fpu_area[]; /* XSAVE or FXSAVE form, fpu_bytes long */
};

/* Registers that are to be looked at.  Entry by `syscall` does not store what the instruction made
   of rcx and r11, and no error code. */
static inline void thread_complete_registers(struct thread *thread)
{
	struct registers *registers = &thread->registers;

	if (registers->vector != VECTOR_SYSCALL)
		return;
	registers->error = 0;
	registers->rcx = registers->rip;
	registers->r11 = registers->rflags;
}

/* An exception takes the place of what the thread entered the kernel for. */
static inline void thread_set_exception(struct thread *thread, uint64_t vector)
{
	thread_complete_registers(thread);
	thread->registers.vector = vector;
	thread->registers.error = 0;
}

_Static_assert(sizeof(struct space) <= 4096, "a space fits its frame");
_Static_assert(sizeof(struct port) <= 4096, "a port fits its frame");
_Static_assert(offsetof(struct thread, fpu_area) <= THREAD_FPU_OFFSET, "the FPU area is behind the rest");

#endif
