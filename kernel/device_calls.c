/*
 * Interrupts, port I/O and time for user-space drivers.
 *
 * A line is bound to one port at a time and stays masked from its interrupt to the driver's
 * acknowledgement.  Lines and I/O ports need to be granted to the space.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "call_table.h"
#include "handle.h"
#include "interrupt.h"
#include "ipc.h"
#include "irq.h"
#include <machine/cpu.h>
#include "percpu.h"
#include "record.h"
#include "sched.h"
#include "timer.h"

static struct object_ref line_port[IRQ_LINES];

void interrupt_handle(uint32_t vector)
{
	uint32_t line = vector - VECTOR_IRQ;
	struct port *port;

	counters.interrupts++;
	if (vector == VECTOR_TIMER) {
		sched_alarm();
		return;
	}
	if (line >= IRQ_LINES || !irq_accept(line))
		return;
	record_add(RECORD_INTERRUPT, line, 0, line_port[line].pfn, 0, 0);
	port = port_find(&line_port[line]);
	if (port)
		ipc_notify(port, line_port[line].bits);
}

/* A port the caller may receive from, as a reference with bits to set in it. */
static status_t port_reference(struct thread *thread, uint64_t slot, uint64_t bits,
			       struct object_ref *ref)
{
	const struct handle *handle;

	if (slot >= HANDLE_SLOTS || !(handle = handle_get(thread->space, (uint32_t)slot)))
		return ST_BAD_HANDLE;
	if (!(handle->rights & RIGHT_RECEIVE))
		return ST_NO_RIGHT;
	if (bits == 0 || bits > UINT32_MAX)
		return ST_BAD_ARGUMENT;
	*ref = (struct object_ref){ .pfn = handle->pfn, .id = handle->id, .bits = (uint32_t)bits };
	return ST_OK;
}

/* IRQ: rdi = IRQ_BIND or IRQ_ACK, rsi = line. */
struct thread *call_irq(struct thread *thread)
{
	const struct registers *registers = &thread->registers;
	uint64_t line = registers->rsi;
	status_t status;

	if (registers->rdi > IRQ_ACK || line >= IRQ_LINES)
		return call_finish(thread, ST_BAD_ARGUMENT);
	if (!(thread->space->irq_mask & (1u << line)))
		return call_finish(thread, ST_NO_RIGHT);
	if (registers->rdi == IRQ_BIND) {
		status = port_reference(thread, registers->rdx, registers->r10, &line_port[line]);
		if (status != ST_OK)
			return call_finish(thread, status);
	}
	irq_unmask((uint32_t)line);
	return call_finish(thread, ST_OK);
}

static uint32_t io_width(uint64_t form)
{
	return 1u << ((uint32_t)form % 3);
}

static void io_single(struct registers *registers)
{
	uint16_t port = (uint16_t)registers->rsi;

	switch (registers->rdi) {
	case IO_IN8:
		registers->rdx = cpu_in8(port);
		break;
	case IO_IN16:
		registers->rdx = cpu_in16(port);
		break;
	case IO_IN32:
		registers->rdx = cpu_in32(port);
		break;
	case IO_OUT8:
		cpu_out8(port, (uint8_t)registers->rdx);
		break;
	case IO_OUT16:
		cpu_out16(port, (uint16_t)registers->rdx);
		break;
	default:
		cpu_out32(port, (uint32_t)registers->rdx);
		break;
	}
}

/* Units to or from the start of the message page. */
static void io_string(const struct registers *registers, void *page)
{
	uint16_t port = (uint16_t)registers->rsi;
	uint32_t count = (uint32_t)registers->rdx;

	for (uint32_t i = 0; i < count; i++) {
		switch (registers->rdi) {
		case IO_INS8:
			((uint8_t *)page)[i] = cpu_in8(port);
			break;
		case IO_INS16:
			((uint16_t *)page)[i] = cpu_in16(port);
			break;
		case IO_INS32:
			((uint32_t *)page)[i] = cpu_in32(port);
			break;
		case IO_OUTS8:
			cpu_out8(port, ((const uint8_t *)page)[i]);
			break;
		case IO_OUTS16:
			cpu_out16(port, ((const uint16_t *)page)[i]);
			break;
		default:
			cpu_out32(port, ((const uint32_t *)page)[i]);
			break;
		}
	}
}

/* IO: rdi = form, rsi = port, rdx = value or count. */
struct thread *call_io(struct thread *thread)
{
	struct registers *registers = &thread->registers;
	const struct space *space = thread->space;
	uint64_t width = io_width(registers->rdi);
	uint64_t port = registers->rsi;

	if (registers->rdi > IO_OUTS32)
		return call_finish(thread, ST_BAD_ARGUMENT);
	if (port < space->io_first || port >= (uint64_t)space->io_first + space->io_count ||
	    port + width > (uint64_t)space->io_first + space->io_count)
		return call_finish(thread, ST_NO_RIGHT);
	if (registers->rdi < IO_INS8) {
		io_single(registers);
		return call_finish(thread, ST_OK);
	}
	if (!thread->message)
		return call_finish(thread, ST_NO_PAGE);
	if (registers->rdx > PAGE_SIZE / width)
		return call_finish(thread, ST_BAD_ARGUMENT);
	io_string(registers, frame_memory(thread->message));
	return call_finish(thread, ST_OK);
}

/* TIMER: rdi = TIMER_BIND ... */
struct thread *call_timer(struct thread *thread)
{
	struct registers *registers = &thread->registers;
	struct object_ref ref;
	status_t status;

	if (registers->rdi == TIMER_NOW) {
		registers->rdx = timer_now();
		return call_finish(thread, ST_OK);
	}
	if (registers->rdi > TIMER_NOW)
		return call_finish(thread, ST_BAD_ARGUMENT);
	if (!(thread->space->flags & SPACE_TIMER))
		return call_finish(thread, ST_NO_RIGHT);
	if (registers->rdi == TIMER_SET) {
		sched_set_deadline(registers->rsi);
		return call_finish(thread, ST_OK);
	}
	status = port_reference(thread, registers->rsi, registers->rdx, &ref);
	if (status == ST_OK)
		sched_bind_deadline(&ref);
	return call_finish(thread, status);
}
