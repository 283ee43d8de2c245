/*
 * Table operations from bytes: the machine that the targets `table` and `table_model` start from,
 * and how a record of 16 bytes becomes an operation that often makes sense.
 *
 * Random words die at the first check of authority, so a record does not hold frame numbers but
 * choices: "the n-th L2", "a frame of the block", "the entry that is there now is expected".  They
 * are resolved against the machine as it is at that moment.  One record in eight is wild: a bit
 * is flipped, an argument raw, a limit low.
 *
 * The machine (STEPS_FRAMES frames): pools 1 (the root) -> 2 -> 3 and 1 -> 4.  Each of the four
 * has 16 frames from steps_base(pool) on: a SPACE and its TOP, a chain L3, L2, L1 below slot 0, a
 * second L1, six DATA, a MSG, three FREE.  The block at STEPS_BLOCK is FREE and the root's, as is
 * the rest.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef TABLE_STEPS_H
#define TABLE_STEPS_H

#include <faultline/op.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEPS_FRAMES 1100u /* as many as the reference model has */
#define STEPS_BLOCK  512u
#define STEPS_POOLS  4u /* 1..4 exist at the start */
#define STEPS_HEADER 4u
#define STEPS_PLACES 86u /* operations' places of the longest list */

struct step {
	uint8_t code, pool, flags, wild;
	uint16_t frame, index, count, target;
	uint32_t bits;
};
_Static_assert(sizeof(struct step) == 16, "a record is 16 bytes");

/* What a record means. */
enum steps_kind { STEPS_OPERATION, STEPS_ACCESS, STEPS_LIMIT };

struct table_call {
	enum steps_kind kind;
	uint16_t pool;
	struct op op;
	uint32_t list[6 * STEPS_PLACES]; /* of OP_FILL */
	uint32_t places;		 /* its places */
	uint32_t work, room;
	bool has_scope;
	/* STEPS_ACCESS: an access by user mode; STEPS_LIMIT: counters refuse from here on. */
	uint32_t top, access, limit;
	uint64_t address;
};

static inline uint32_t steps_base(uint32_t pool)
{
	return pool * 16;
}
static inline uint32_t steps_top(uint32_t pool)
{
	return steps_base(pool) + 1;
}

/* Build the machine above; every operation that it takes, but those that make spaces, is also
   given to `run` (may be NULL). */
void steps_start(void (*run)(const struct table_call *call));

/* What a record means now, in the mouth of `pool` unless it says otherwise (and it cannot, with
   STEPS_ONLY).  `all`: with operations on pools, flushes, objects and devices, which the reference
   model does not have. */
#define STEPS_ONLY 0x100u
void steps_decode(const uint8_t *record, uint32_t pool, bool all, struct table_call *call);

/* Records of an input. */
static inline size_t steps_count(size_t bytes)
{
	return bytes < STEPS_HEADER ? 0 : (bytes - STEPS_HEADER) / sizeof(struct step);
}

#endif
