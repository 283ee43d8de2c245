/*
 * Interrupt lines of devices: two 8259 controllers, the second behind line 2 of the first.
 *
 * A line is masked from the moment it interrupts until its driver acknowledges it, so the
 * controllers can be told "end of interrupt" at once.  A request that vanishes before it is served
 * shows up as line 7 or 15 without its bit in service: spurious, nothing to deliver.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "irq.h"
#include <machine/cpu.h>
#include "machine/ports.h"
#include <faultline/fault.h>

#define ICW1_INIT	     0x11 /* edge triggered, cascade, ICW4 follows */
#define ICW4_8086	     0x01
#define OCW2_END_SPECIFIC    0x60 /* | line */
#define OCW3_READ_IN_SERVICE 0x0b
#define CASCADE_LINE	     2
#define LINES_EACH	     8

static uint16_t masked = 0xffff;

static void masks_write(void)
{
	cpu_out8(PORT_PIC1_DATA, (uint8_t)masked);
	cpu_out8(PORT_PIC2_DATA, (uint8_t)(masked >> LINES_EACH));
}

static void controller_init(uint16_t command, uint16_t data, uint8_t vector, uint8_t cascade)
{
	cpu_out8(command, ICW1_INIT);
	cpu_out8(data, vector);
	cpu_out8(data, cascade);
	cpu_out8(data, ICW4_8086);
}

void irq_init(void)
{
	controller_init(PORT_PIC1, PORT_PIC1_DATA, VECTOR_IRQ, 1 << CASCADE_LINE);
	controller_init(PORT_PIC2, PORT_PIC2_DATA, VECTOR_IRQ + LINES_EACH, CASCADE_LINE);
	masked = (uint16_t) ~(1u << CASCADE_LINE);
	masks_write();
}

void irq_mask(uint32_t line)
{
	masked |= (uint16_t)(1u << line);
	masks_write();
}

void irq_unmask(uint32_t line)
{
	masked &= (uint16_t) ~(1u << line);
	masks_write();
}

static bool is_in_service(uint16_t command, uint32_t bit)
{
	cpu_out8(command, OCW3_READ_IN_SERVICE);
	return (cpu_in8(command) >> bit) & 1;
}

static void end_first(uint32_t line)
{
	cpu_out8(PORT_PIC1, (uint8_t)(OCW2_END_SPECIFIC | line));
}

static void end_second(uint32_t line)
{
	cpu_out8(PORT_PIC2, (uint8_t)(OCW2_END_SPECIFIC | line));
	end_first(CASCADE_LINE);
}

bool irq_accept(uint32_t line)
{
	if (line == 7 && !is_in_service(PORT_PIC1, 7))
		return false;
	if (line == 15 && !is_in_service(PORT_PIC2, 7)) {
		end_first(CASCADE_LINE);
		return false;
	}
	irq_mask(line);
	if (line >= LINES_EACH)
		end_second(line - LINES_EACH);
	else
		end_first(line);
	return true;
}
