/*
 * The end of the machine.
 *
 * The status goes to port 0xe9 as the line "FAULTLINE-EXIT <status>", which loses nothing even when
 * the emulator ends at once (its exit code cannot carry every status).  Then each known way to end
 * is tried: QEMU's isa-debug-exit, Bochs' shutdown port, ACPI's soft-off of QEMU and of Bochs.
 * What does not exist ignores the write.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "shutdown.h"
#include "log.h"
#include "machine/cpu.h"
#include "machine/ports.h"

static void debug_text(const char *text)
{
	for (; *text; text++)
		cpu_out8(PORT_DEBUG, (uint8_t)*text);
}

static void debug_decimal(uint32_t value)
{
	char digits[11];
	uint32_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	debug_text(&digits[at]);
}

_Noreturn void machine_shutdown(uint32_t status)
{
	cpu_interrupts_off();
	debug_text("FAULTLINE-EXIT ");
	debug_decimal(status);
	debug_text("\n");
	log_drain();
	cpu_out32(PORT_QEMU_EXIT, status);
	for (const char *word = "Shutdown"; *word; word++)
		cpu_out8(PORT_BOCHS_SHUTDOWN, (uint8_t)*word);
	cpu_out16(PORT_ACPI_QEMU, ACPI_SOFT_OFF);
	cpu_out16(PORT_ACPI_BOCHS, ACPI_SOFT_OFF);
	for (;;)
		cpu_halt();
}
