/*
 * At shutdown, the counts of all branches leave through a debug port.
 *
 * The stream is a run of records: 'F' and the NUL-ended name of a count file, 'D', a 32-bit length and
 * so many bytes of it.  tests/coverage/collect.py makes files of them.  libgcov brings the format;
 * what it expects of a C library is below.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "log.h"
#include "machine/cpu.h"
#include "shutdown.h"
#include "string.h"

#define PORT_COUNTS   0xea
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
_Noreturn void __real_machine_shutdown(uint32_t status);
_Noreturn void __wrap_machine_shutdown(uint32_t status);

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

static void send(const void *data, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		cpu_out8(PORT_COUNTS, ((const uint8_t *)data)[i]);
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

/* Every end of the machine comes through here first. */
_Noreturn void __wrap_machine_shutdown(uint32_t status)
{
	for (const struct gcov_info *const *info = __start_gcov_info; info < __stop_gcov_info; info++)
		__gcov_info_to_gcda(*info, send_name, send_data, scratch_take, NULL);
	__real_machine_shutdown(status);
}
