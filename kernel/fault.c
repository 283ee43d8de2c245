/*
 * Page faults as messages.
 *
 * The thread keeps only address and error code.  The tables are walked when the message is
 * delivered, so what the pager reads is never stale, and a fault that somebody else's cure made
 * good costs no message, and no flush: the processor itself forgot what it had of the address when
 * it raised the fault.  Entries of the kernel's slots are not shown.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fault.h"
#include "exception.h"
#include "ipc.h"
#include "object.h"
#include "percpu.h"
#include "table.h"

static uint32_t top_index(uint64_t address)
{
	return (uint32_t)(address >> SLOT_SHIFT) & (TABLE_ENTRIES - 1);
}

/* The walk as user mode may know it: slots of the kernel look empty. */
static void fault_walk(const struct thread *thread, struct walk *walk)
{
	table_walk(thread->space->top, thread->fault_address, (uint32_t)thread->registers.error, walk);
	if (table_top_slot_is_open(top_index(thread->fault_address)))
		return;
	for (uint32_t i = 0; i < walk->levels; i++)
		walk->entry[i] = 0;
	walk->refusing_level = walk->levels;
}

bool fault_is_cured(const struct thread *thread)
{
	struct walk walk;

	if (thread->registers.error & FAULT_RESERVED)
		return false;
	fault_walk(thread, &walk);
	if (walk.refusing_level != 0)
		return false;
	counters.faults_cured_at_delivery++;
	return true;
}

void fault_fill_message(const struct thread *thread, struct registers *to)
{
	struct walk walk;
	uint64_t access = thread->registers.error & FAULT_BITS;

	fault_walk(thread, &walk);
	access |= (uint64_t)walk.refusing_level << FAULT_LEVEL_SHIFT;
	access |= (uint64_t)walk.levels << FAULT_LEVELS_SHIFT;
	to->rsi = LABEL_FAULT | TAG_KERNEL;
	to->rdx = thread->fault_address;
	to->r10 = access;
	to->r8 = thread->registers.rip;
	to->r9 = walk.entry[0];
	to->r12 = walk.entry[1];
	to->r13 = walk.entry[2];
	to->r14 = walk.entry[3];
	to->r15 = walk.entry[4];
	counters.faults_delivered++;
}

struct thread *fault_raise(struct thread *thread, uint64_t address)
{
	struct port *port = port_find_quickly(&thread->fault_port);

	thread->fault_address = address;
	/* Without the user bit the processor itself made the access, for an instruction of user
	   mode that loads a selector or returns: no page of the thread's is missing. */
	if (port && (thread->registers.error & FAULT_USER))
		return ipc_send(thread, port, thread->fault_port.badge, WAIT_FAULT);
	return exception_raise(thread);
}
