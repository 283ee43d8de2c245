/*
 * Exceptions of programs: a report for people, and the end of that program alone.
 *
 * The kernel says who, where and what; the pager says which region and why.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "proc.h"
#include <call.h>
#include <faultline/fault.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <faultline/slots.h>
#include <server/report.h>
#include <server/string.h>

#define TEXT_BYTES 160u

struct cause {
	uint64_t vector, error, rip, address;
	uint64_t reason;
	struct pager_region region;
	bool has_region; /* the one at the address, or the next below */
};

static uint32_t page_fault_signal(uint64_t reason)
{
	switch (reason) {
	case REASON_PAST_END:
		return PROC_SIGNAL_BUS;
	case REASON_NO_MEMORY:
		return PROC_SIGNAL_KILL;
	default:
		return PROC_SIGNAL_SEGV;
	}
}

static uint32_t cause_signal(const struct cause *cause)
{
	switch (cause->vector) {
	case VECTOR_DIVIDE:
	case VECTOR_FPU:
	case VECTOR_SIMD:
		return PROC_SIGNAL_FPE;
	case VECTOR_DEBUG:
	case VECTOR_BREAKPOINT:
		return PROC_SIGNAL_TRAP;
	case VECTOR_INVALID_OPCODE:
		return PROC_SIGNAL_ILL;
	case VECTOR_NO_SEGMENT:
	case VECTOR_STACK:
	case VECTOR_ALIGNMENT:
		return PROC_SIGNAL_BUS;
	case VECTOR_PAGE_FAULT:
		return page_fault_signal(cause->reason);
	case VECTOR_FOREIGN_CALL:
		return PROC_SIGNAL_SYS;
	default:
		return PROC_SIGNAL_SEGV;
	}
}

static const char *signal_text(uint32_t signal)
{
	switch (signal) {
	case PROC_SIGNAL_ILL:
		return "illegal instruction";
	case PROC_SIGNAL_TRAP:
		return "trap";
	case PROC_SIGNAL_BUS:
		return "bus error";
	case PROC_SIGNAL_FPE:
		return "arithmetic error";
	case PROC_SIGNAL_KILL:
		return "killed";
	case PROC_SIGNAL_SEGV:
		return "segmentation fault";
	default:
		return "bad system call";
	}
}

/* The pager's view of the address: the kernel knows no regions. */
static void ask_pager(const struct process *process, struct cause *cause)
{
	struct message message = {
		.tag = tag_make(PAGER_SPACE_DESCRIBE, 0),
		.w = { process->space, cause->address },
	};

	if (request_call(SLOT_PAGER, &message) != ST_OK)
		return;
	if (cause->reason == REASON_NONE)
		cause->reason = message.w[0];
	if (TAG_BYTES(message.tag) < sizeof(cause->region))
		return;
	memcpy(&cause->region, MESSAGE_PAGE, sizeof(cause->region));
	cause->has_region = cause->region.end > cause->region.start;
}

static void print_region(const struct cause *cause)
{
	bool inside = cause->address >= cause->region.start && cause->address < cause->region.end;
	char text[TEXT_BYTES];

	if (!cause->has_region)
		return;
	region_text(text, sizeof(text), &cause->region);
	proc_print("  %s: %s", inside ? "region" : "next region below", text);
}

static void report(const struct process *process, const struct cause *cause)
{
	uint32_t signal = cause_signal(cause);
	char text[TEXT_BYTES];

	attempt_text(text, sizeof(text), cause->vector, cause->error, cause->address);
	proc_print("%s (process %u): signal %u, %s", process->name, process->pid, signal,
		signal_text(signal));
	if (cause->vector == VECTOR_PAGE_FAULT) {
		proc_print("  %s at instruction 0x%lx: %s", text, cause->rip,
			reason_text(cause->reason));
		print_region(cause);
	} else {
		proc_print("  %s at instruction 0x%lx", text, cause->rip);
	}
}

/* The thread that failed is not answered: its space goes. */
enum handled handle_exception(struct message *message)
{
	struct process *process = process_find_badge(message->badge);
	struct cause cause = {
		.vector = message->w[0],
		.error = message->w[1],
		.rip = message->w[2],
		.address = message->w[3],
		.reason = message->w[4],
	};

	if (!process || TAG_LABEL(message->tag) != LABEL_EXCEPTION)
		return proc_answer(message, (status_t)FAULT_PARK);
	if (cause.vector == VECTOR_PAGE_FAULT)
		ask_pager(process, &cause);
	report(process, &cause);
	process_end(process, PROC_STATUS_SIGNAL(cause_signal(&cause)));
	return HANDLED_LATER;
}

/* See the header. */
void handle_victims(void)
{
	for (;;) {
		struct message message = { .tag = tag_make(PAGER_VICTIM, 0) };
		struct process *process;

		if (request_call(SLOT_PAGER, &message) != ST_OK)
			return;
		process = process_find_badge(message.w[0]);
		if (!process || process->state == PROC_ZOMBIE)
			continue;
		proc_print("%s (process %u): killed: memory is exhausted, and it held the most",
			process->name, process->pid);
		process_end(process, PROC_STATUS_SIGNAL(PROC_SIGNAL_KILL));
	}
}
