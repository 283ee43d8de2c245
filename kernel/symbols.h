/*
 * Names of the kernel's functions, for panic reports.
 *
 * The table is made from the linked kernel by tools/symbols.sh and linked in by a second pass.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stdint.h>

struct symbol {
	uint64_t address;
	const char *name;
};

extern const struct symbol symbol_table[]; /* ascending */
extern const uint32_t symbol_count;

/* The last symbol at or below an address of kernel text; NULL when there is none. */
const struct symbol *symbol_find(uint64_t address);

#endif
