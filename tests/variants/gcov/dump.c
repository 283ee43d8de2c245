/*
 * At shutdown, the counts of all branches leave through a debug port, or where nothing listens there
 * (Bochs) through the second serial port.
 *
 * The stream is a run of records: 'F' and the NUL-ended name of a count file, 'D', a 32-bit length and
 * so many bytes of it, 'E' and a NUL at the end.  tests/coverage/collect.py makes files of them.
 * libgcov brings the format; what it expects of a C library is below.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "log.h"
#include "machine/cpu.h"
#include "machine/ports.h"
#include "string.h"
#include <stdbool.h>

#define PORT_COUNTS   0xea
#define PORT_LISTENS  0xe9 /* what such a port reads as */
#define PORT_COM2     0x2f8
#define UART_ROOM     0x20u
#define UART_SENT     0x40u
#define SCRATCH_BYTES 0x40000u

struct gcov_info;
extern const struct gcov_info *const __start_gcov_info[], *const __stop_gcov_info[];

void __gcov_info_to_gcda(const struct gcov_info *info,
	void (*name)(const char *name, void *unused),
	void (*data)(const void *data, unsigned bytes, void *unused),
	void *(*allocate)(unsigned bytes, void *unused), void *unused);
void __gcov_merge_add(void *counters, unsigned count);
_Noreturn void abort(void);
_Noreturn void mmap(void);
void __real_log_drain(void);
void __wrap_log_drain(void);

/* Counts are merged outside; the kernel has nothing to merge with. */
void __gcov_merge_add(void *counters, unsigned count)
{
	(void)counters;
	(void)count;
}

/* The library gives up. */
_Noreturn void abort(void)
{
	panic("libgcov");
}

/* It would map memory for lists that these counts do not have. */
_Noreturn void mmap(void)
{
	panic("libgcov asks for memory");
}

static bool by_serial_port;

static void way_choose(void)
{
	by_serial_port = cpu_in8(PORT_COUNTS) != PORT_LISTENS;
	cpu_out8(PORT_COM2 + UART_LINE, 0x80); /* divisor: 1, the fastest */
	cpu_out8(PORT_COM2 + UART_DATA, 1);
	cpu_out8(PORT_COM2 + UART_INTERRUPTS, 0);
	cpu_out8(PORT_COM2 + UART_LINE, 3);
}

static void send(const void *data, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++) {
		while (by_serial_port && !(cpu_in8(PORT_COM2 + UART_STATUS) & UART_ROOM)) {
		}
		cpu_out8(by_serial_port ? PORT_COM2 : PORT_COUNTS, ((const uint8_t *)data)[i]);
	}
}

static void send_name(const char *name, void *unused)
{
	(void)unused;
	send("F", 1);
	send(name, (uint32_t)strlen(name) + 1);
}

static void send_data(const void *data, unsigned bytes, void *unused)
{
	(void)unused;
	send("D", 1);
	send(&bytes, sizeof(bytes));
	send(data, bytes);
}

static void *scratch_take(unsigned bytes, void *unused)
{
	static _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
	static uint32_t used;
	void *taken = &scratch[used];

	(void)unused;
	used += (bytes + 15u) & ~15u;
	if (used > SCRATCH_BYTES)
		panic("no scratch memory for the counts");
	return taken;
}

/* Every end of the machine comes through here, when all is said. */
void __wrap_log_drain(void)
{
	__real_log_drain();
	way_choose();
	for (const struct gcov_info *const *info = __start_gcov_info; info < __stop_gcov_info; info++)
		__gcov_info_to_gcda(*info, send_name, send_data, scratch_take, NULL);
	send("E", 2);
	while (by_serial_port && !(cpu_in8(PORT_COM2 + UART_STATUS) & UART_SENT)) {
	}
}
