/*
 * The processor as the kernel sees it in the shadow build: CR3, its identifiers and its flushes are
 * those of the modelled TLB.  Included before everything else (variant.mk), so that kernel/ needs
 * no change: whoever writes CR3 or flushes, calls shadow_*.
 *
 * CR4.PCIDE is never set underneath, so each real load of CR3 forgets everything but the kernel's
 * global pages, and the shadow tables alone decide what user mode reaches.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SHADOW_CPU_H
#define SHADOW_CPU_H

#include "machine/cpu.h"

struct cpuid shadow_cpu_id(uint32_t leaf, uint32_t subleaf);
void shadow_write_cr3(uint64_t value);
uint64_t shadow_read_cr3(void);
void shadow_write_cr4(uint64_t value);
void shadow_flush_all_contexts(void);

#define cpu_id(leaf, subleaf)	  shadow_cpu_id(leaf, subleaf)
#define cpu_write_cr3(value)	  shadow_write_cr3(value)
#define cpu_read_cr3()		  shadow_read_cr3()
#define cpu_write_cr4(value)	  shadow_write_cr4(value)
#define cpu_flush_all_contexts() shadow_flush_all_contexts()

#endif
