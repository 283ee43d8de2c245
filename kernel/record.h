/*
 * The last message records: a small ring in kernel memory, from the first day, for panic reports
 * and INFO_RECORDS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_RECORD_H
#define KERNEL_RECORD_H

#include <faultline/info.h>

#define RECORD_COUNT 64

void record_add(uint32_t kind, uint32_t label, uint32_t from, uint32_t to, uint64_t word0, uint64_t word1);
/* Copies up to max records, oldest first; returns how many. */
uint32_t record_copy(struct info_record *records, uint32_t max);

#endif
