/*
 * A machine for the pager's core on the host: the kernel's table code over simulated RAM (sim/),
 * and processors that forget no translation by themselves (sim/processor.h).
 *
 * Faults and requests reach the pager as messages, and its replies are carried out as the kernel
 * would, operations first.  Batches are run operation by operation: a watcher can look, and other
 * processors access memory, between any two of them, and before each flush.
 *
 * A call or fault that the pager answers later has a token.  machine_call() and machine_access()
 * let jobs run until the answer comes; machine_send() and machine_try() leave that to the caller.
 *
 * Where a space has threads on several processors the kernel must drop the translation of an
 * address that was cured from all of them (machine_shoots_down).  With one thread the fault itself
 * has dropped it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_MACHINE_H
#define PAGER_MACHINE_H

#include <faultline/op.h>
#include <faultline/protocol/pager.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* A fresh machine with so many frames, and a pager without spaces.  Failures end the program. */
void machine_start(uint32_t frames);
/* The same; the pager does not get the last `kept` frames. */
void machine_start_without(uint32_t frames, uint32_t kept);

/* Who looks on.  Each may be NULL; machine_start() leaves them alone. */
struct machine_watch {
	void (*between)(void); /* before each operation and each flush: others may run now */
	void (*before)(const struct op *op); /* one operation ... */
	void (*after)(const struct op *op, status_t status);
};
extern struct machine_watch machine_watch;

/* Run operations as the pager's pool, or another, as a batch of their own. */
MUST_CHECK status_t machine_run(uint16_t pool, const struct op *ops, uint32_t count);
/* Its results. */
const uint64_t *machine_results(uint32_t *count);

/* A fault of the machine's, to see whether a test finds it. */
enum machine_plant {
	PLANT_NOTHING,
	PLANT_NO_FLUSH,	 /* a flush of one space is forgotten */
	PLANT_NO_COPY,	 /* a page is not copied */
	PLANT_KEEP_WRITE /* copied entries get W back */
};
extern enum machine_plant machine_plant;
extern bool machine_shoots_down;

/* Messages always wait for the pager, as it sees it (mmu_run_and_look()). */
extern bool machine_awaited;

/* Growth of the pager's own memory is refused after n - 1 more times; 0: never.  Returns how often
   it was since it was set before. */
uint32_t machine_fail_heap(uint32_t n);

/* Fresh windows (machine_start does it). */
void machine_clear_heap(void);

/* A request and its answer (jobs run until it comes). */
struct machine_request {
	uint64_t badge;
	uint32_t label;
	uint64_t w[6];
	const void *payload;
	uint32_t bytes;
	bool with_handle;
};
struct machine_answer {
	status_t status;
	uint64_t w[6];
	uint32_t bytes;
	_Alignas(8) uint8_t payload[4096];
};
const struct machine_answer *machine_call(const struct machine_request *request);

/* Send it only: 0 and *answer, or the token that it will be answered with. */
uint64_t machine_send(const struct machine_request *request, const struct machine_answer **answer);
/* The answer to a token, if it has come: label, word 0. */
bool machine_take_late(uint64_t token, uint32_t *label, uint64_t *word);
/* The caller or thread behind the token gives up (TAG_CANCEL): true if it was answered at once. */
bool machine_cancel(uint64_t token);
/* Let the pager do one slice of its work, if there is any: false if not. */
bool machine_slice(void);
/* A job about this space has not ended. */
bool machine_is_busy(uint64_t space);

/* A system server's request without payload. */
const struct machine_answer *machine_system(uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2,
	uint64_t w3, uint64_t w4, uint64_t w5);
/* A program's. */
const struct machine_answer *machine_program(uint64_t space, uint32_t label, uint64_t w0,
	uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4);

/*
 * One access by the thread of a space: access 0, FAULT_WRITE or FAULT_FETCH.  A write puts *word
 * there, a read gets it.  Returns REASON_NONE or why it was refused.  MACHINE_KILLED: the space
 * was chosen as a victim.
 */
#define MACHINE_KILLED 1000u
uint32_t machine_access(uint64_t space, uint64_t address, uint32_t access, uint64_t *word);

/*
 * The same on this processor, and if the fault is answered later: MACHINE_WAITS, with the token.
 * `lost`: the thread is gone before the pager's cure, which the kernel refuses therefore; then
 * MACHINE_WAITS with token 0.
 */
#define MACHINE_WAITS 1001u
struct machine_access {
	uint32_t processor;
	uint64_t space, address;
	uint32_t access;
	uint64_t word;
	bool lost;
	uint64_t token;
};
uint32_t machine_try(struct machine_access *access);

/* The SPACE frame of a space of the pager's, for sim/processor.h. */
pfn_t machine_space_frame(uint64_t space);

/* It has a thread: one that is being destroyed has none soon. */
bool machine_space_has_thread(uint64_t space);

/* Faults that reached the pager since the start. */
extern uint64_t machine_faults;
/* Operations of the last cure. */
extern uint32_t machine_operations;
/* PAGER_NOTIFY_VICTIM was signalled so often. */
extern uint64_t machine_notifications;

/* The leaf entry that an access would find now, 0 if there is none; rights ANDed over the
   levels. */
uint64_t machine_entry(uint64_t space, uint64_t address);

/* All rules of the kernel's frame table and of the pager; ends the program with a report if
   one is violated. */
void machine_check(void);

/* Let all jobs end. */
void machine_settle(void);

#endif
