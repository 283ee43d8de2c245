/*
 * Boot: from the loader's tables to the first thread.
 *
 *   start.asm -> kernel_main (main.c):
 *     log_init, boot_read (PVH or Multiboot2 -> boot_info), cpu_init (features, GDT, IDT, TSS),
 *     memory_init (direct map, kernel map W^X, frame table, pools), irq_init, timer_init,
 *     root_load (root task from the archive), banner, sched_start
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <faultline/frame.h>
#include <faultline/info.h>
#include <stdbool.h>

/* The boot archive in physical memory; 0 bytes: there is none. */
struct boot_archive {
	uint64_t address, bytes;
};
extern struct boot_archive boot_archive;

extern struct info_boot boot_info; /* in a page of its own; the root task is shown a copy */

void log_init(void);
void boot_read(uint32_t magic, uint64_t info_address, uint64_t entry_tsc);
void cpu_init(void);    /* features; descriptor tables; control bits; MSRs */
void memory_init(void); /* final page tables; all free RAM is FREE in POOL_ROOT */
void root_load(void);   /* creates the root task's space and thread, READY */
void banner(void);
bool boot_option(const char *word); /* a word of the kernel's command line, see banner.c */

static inline bool cpu_has(uint32_t feature)
{
	return (boot_info.features_used & feature) != 0;
}

/* The kernel's own top-level table; new spaces copy its kernel slots. */
extern pfn_t kernel_top;
extern uint32_t fpu_bytes; /* size of the FPU save area; at most THREAD_FPU_BYTES */
extern uint64_t fpu_mask;  /* XCR0 */

/* Is the frame part of the kernel's image, which the direct map leaves out? */
bool memory_is_image(pfn_t pfn);

#endif
