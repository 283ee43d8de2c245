/*
 * The order of booting.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "irq.h"
#include "sched.h"
#include "timer.h"

_Noreturn void kernel_main(uint32_t magic, uint64_t info_address, uint64_t entry_tsc);

/*
 * Entered from start.asm in long mode with the boot page tables, on the kernel's stack, interrupts
 * off.  magic: the boot protocol; info_address: physical, of the loader's tables; entry_tsc: at
 * the first instruction.
 */
_Noreturn void kernel_main(uint32_t magic, uint64_t info_address, uint64_t entry_tsc)
{
	log_init();
	boot_read(magic, info_address, entry_tsc);
	cpu_init();
	memory_init();
	irq_init();
	timer_init();
	sched_init();
	root_load();
	banner();
	sched_start();
}
