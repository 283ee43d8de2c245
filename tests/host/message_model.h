/*
 * A reference model of messages, objects and scheduling, written from docs/messages.md,
 * docs/calls.md and include/faultline/, not from the kernel's code.
 *
 * There are no lists in it: every thread has a state, the port it waits at and a stamp of when it
 * began to wait, and whoever is first is found by looking at all threads.  Where the documents
 * allow more than one refusal, the model holds the set of those that apply, and the kernel's
 * answer must be one of them; where the set is empty the call must succeed.
 *
 * The model learns only what it cannot know: which refusal of the set was chosen, the value of a
 * token when its message is delivered (it must name the caller, and grow), the number of a new
 * pool, and what INFO writes.  Everything else it says by itself.
 *
 * Frames: tables are given to it as they stand; it follows stores into leaf tables.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MESSAGE_MODEL_H
#define MESSAGE_MODEL_H

#include <faultline/call.h>
#include <faultline/fault.h>
#include <faultline/frame.h>
#include <faultline/layout.h>
#include <faultline/op.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_FRAMES	 144u
#define MODEL_POOLS	 256u
#define MODEL_POOL_DEPTH 8u
#define MODEL_PRIORITIES 64u
#define MODEL_LEAVES	 8u /* entries of a leaf table that are followed */
#define MODEL_SLICE	 10000000ull

enum model_state {
	MODEL_STOPPED,
	MODEL_READY,
	MODEL_QUEUED,
	MODEL_SERVED,
	MODEL_RECEIVING,
	MODEL_PARKED
};
/* What is counted. */
enum model_event {
	MODEL_DELIVERED,    /* calls, faults, exceptions: + enum model_wait */
	MODEL_ANSWERED = 3, /* likewise */
	MODEL_NOTIFIED = 6,
	MODEL_CANCELLED,
	MODEL_CURED,
	MODEL_HANDLED_OVER,
	MODEL_PAYLOADS,
	MODEL_UPCALLS,
	MODEL_PARKS,
	MODEL_DIRECT,
	MODEL_REFUSALS,
	MODEL_ENDS,	/* calls and receives that ended with DEAD or INTERRUPTED */
	MODEL_ORPHANED, /* replies whose batch had ended the thread */
	MODEL_CALLS,	/* accepted */
	MODEL_EXCEPTIONS,
	MODEL_BITS_SET, /* notifications that were sent */
	MODEL_EVENTS
};

enum model_wait { MODEL_CALL, MODEL_FAULT, MODEL_EXCEPTION };

/* A port as somebody remembers it: gone when the frame's serial number is another. */
struct model_ref {
	pfn_t port;
	uint64_t serial, badge;
	uint64_t bits;
};

struct model_handle {
	struct model_ref to;
	uint32_t rights;
};

struct model_space {
	pfn_t top;
	uint32_t flags, pool;
	bool has_tables;
	uint64_t io_first, io_count;
	uint32_t lines;
	struct model_handle handle[HANDLE_SLOTS];
};

struct model_thread {
	enum model_state state;
	enum model_wait wait;
	bool cancel;   /* served, and its cancel is not announced yet */
	bool waiting;  /* ready, and in the queue of its priority */
	int64_t stamp; /* its place among those that wait for the same */
	uint32_t priority, effective, tick;
	pfn_t space, port, message;
	uint32_t receive_slot;
	uint64_t badge, token;
	bool token_known;
	uint64_t fault_address, fault_error, reason0, reason1;
	struct model_ref fault_port, exception_port;
	uint64_t upcall_entry, upcall_stack, upcall_argument;
	uint64_t fs_base, gs_base, fpu;
	struct registers registers;
};

struct model_frame {
	uint32_t type, pool;
	uint32_t refs, holds;
	bool dirty;
	bool fixed;	 /* a table that stays */
	uint64_t serial; /* of the object in it */
};

struct model_pool {
	bool live;
	uint32_t parent;
	uint32_t priority, below_max; /* its limits */
	uint64_t tag, tag_index;
	struct model_ref port;
};

struct model {
	struct model_frame frame[MODEL_FRAMES];
	struct model_thread thread[MODEL_FRAMES];
	struct model_space space[MODEL_FRAMES];
	uint64_t notification[MODEL_FRAMES];
	uint64_t leaf[MODEL_FRAMES][MODEL_LEAVES];
	uint8_t page[MODEL_FRAMES][PAGE_SIZE]; /* of DATA and MSG */
	struct model_pool pool[MODEL_POOLS];
	uint64_t sequence[MODEL_FRAMES]; /* of the last token that named this frame */
	pfn_t running;			 /* 0: idle */
	pfn_t batch_page;		 /* results go there: in use meanwhile */
	uint64_t now, slice_end, deadline;
	struct model_ref deadline_port, line_port[16];
	uint32_t masked, tick;
	int64_t first_stamp, last_stamp;
	uint64_t last_serial;
	uint32_t happened[MODEL_EVENTS]; /* for reports */
};

/* What the model may learn from: the kernel's saved registers of a thread, and a frame's bytes. */
struct model_view {
	const struct registers *(*registers)(pfn_t thread);
	const uint8_t *(*memory)(pfn_t frame);
	/* Is the access refused now?  And the words 3.. of the message: the walk. */
	uint32_t (*walk)(pfn_t top, uint64_t address, uint64_t error, uint64_t entries[5]);
};
extern struct model_view model_view;

/* The kernel did what it may not: reports and ends the program.  The test has it. */
_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The machine after its start: the root task runs. */
struct model_root {
	pfn_t zero, space, top, thread, message;
	uint32_t frames, priority, rights;
};
void model_start(struct model *model, const struct model_root *root);

/* A table that stands for good: its type, and the space whose tree it belongs to. */
void model_add_table(struct model *model, pfn_t pfn, uint32_t type, uint32_t pool);

/* The kernel was entered by the running thread, whose registers are set; it has been left. */
void model_call(struct model *model);
void model_exception(struct model *model, uint32_t vector, uint64_t error);
void model_page_fault(struct model *model, uint64_t address, uint64_t error);

/* Interrupts. */
void model_line(struct model *model, uint32_t line);
void model_timer(struct model *model);
void model_nothing(struct model *model); /* an interrupt that means nothing */

/* Is the handle in this slot live?  NULL: no. */
struct model_handle *model_handle_at(struct model *model, pfn_t space, uint64_t slot);
bool model_ref_is_live(const struct model *model, const struct model_ref *ref);
bool model_pool_within(const struct model *model, uint32_t pool, uint32_t holder);

/* When the timer must interrupt at the latest. */
uint64_t model_alarm(const struct model *model);

#endif
