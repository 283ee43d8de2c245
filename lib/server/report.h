/*
 * Faults and exceptions in words, for the reports of init and proc.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef LIB_SERVER_REPORT_H
#define LIB_SERVER_REPORT_H

#include <faultline/fault.h>
#include <faultline/protocol/pager.h>
#include <stddef.h>
#include <stdint.h>

/* "divide error", "page fault" ...; never NULL. */
const char *vector_text(uint64_t vector);

/* "read", "write", "execute": from the error code of a page fault. */
const char *access_text(uint64_t error);

/* Why the pager refused: "nothing is mapped there" ...; never NULL. */
const char *reason_text(uint64_t reason);

/* What was attempted: "write of 0x0", or the exception's name with what belongs to it. */
void attempt_text(char *buffer, size_t capacity, uint64_t vector, uint64_t error, uint64_t address);

/* "0x400000-0x402000 r-x private sh": one region as text. */
void region_text(char *buffer, size_t capacity, const struct pager_region *region);

/* Line `index` (0..) of a dump of all registers.  False behind the last. */
_Bool registers_line(
	char *buffer, size_t capacity, const struct registers *registers, unsigned index);

#endif
