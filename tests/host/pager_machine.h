/*
 * A machine for the pager's core on the host: the kernel's table code over simulated RAM (sim/),
 * threads that access memory, and a processor that forgets no translation by itself.
 *
 * Accesses go through a model of the processor's caches of translations and of leaf tables: an
 * entry stays until it is flushed (or its page faults), however long that takes.  So a flush that
 * the pager leaves out is seen as a wrong value.  Faults and requests reach the pager as
 * messages, and its replies are carried out as the kernel would, operations first.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_MACHINE_H
#define PAGER_MACHINE_H

#include <faultline/protocol/pager.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* A fresh machine with so many frames, and a pager without spaces.  Failures end the program. */
void machine_start(uint32_t frames);

/* Growth of the pager's own memory is refused after n - 1 more times; 0: never. */
void machine_fail_heap(uint32_t n);

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
