/*
 * The picture that the tests of frames and tables start from:
 *
 *   SPACE, TOP[0] -> L3[0] -> L2[0] -> L1, which is empty (user address 0 on); DATA_FIRST.. are
 *   DATA frames; MORE_FIRST.. are FREE; a 2 MiB block of FREE frames starts at BLOCK_HEAD.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "check.h"
#include "flush.h"
#include "frame.h"
#include "pool.h"
#include "sim/sim.h"
#include "table.h"

enum {
	SPACE = SIM_FIRST_FREE,
	TOP,
	L3,
	L2,
	L1,
	L1_TWO,
	L2_TWO,
	TOP_TWO,
	SPACE_TWO,
	MSG,
	DATA_FIRST = 32,
	DATA_COUNT = 64,
	MORE_FIRST = 128,
	BLOCK_HEAD = 512,
	FRAMES = 2048
};

#define LINK	(PTE_P | PTE_W | PTE_U)
#define PAGE_RW (PTE_P | PTE_W | PTE_U | PTE_NX)
#define PAGE_RO (PTE_P | PTE_U | PTE_NX)

static inline uint64_t link_to(pfn_t pfn)
{
	return pte_make(pfn, LINK);
}
static inline uint64_t page(uint32_t i)
{
	return pte_make(DATA_FIRST + i, PAGE_RW);
}
static inline uint64_t *entries(pfn_t table)
{
	return frame_memory(table);
}
static inline struct frame *data(uint32_t i)
{
	return &frame_table[DATA_FIRST + i];
}

static inline status_t retype(pfn_t pfn, uint32_t count, frame_type_t type)
{
	return sim_op(POOL_ROOT, op_head(OP_RETYPE, 0, pfn, 0, count), type, 0);
}

static inline status_t set(pfn_t table, uint32_t index, uint64_t value, uint64_t expected)
{
	return sim_op(POOL_ROOT, op_head(OP_SET, 0, table, index, 0), value, expected);
}

/* An operation on a run of entries with the root's authority. */
static inline status_t run(
	uint32_t code, pfn_t table, uint32_t first, uint32_t count, uint64_t a, uint64_t b)
{
	return sim_op(POOL_ROOT, op_head(code, 0, table, first, count), a, b);
}

/* Word a of copy and move. */
static inline uint64_t target(pfn_t table, uint32_t index)
{
	return op_head(0, 0, table, index, 0);
}

static inline status_t split(pfn_t parent, uint32_t index, pfn_t fresh)
{
	return sim_op(
		POOL_ROOT, op_head(OP_SPLIT, 0, parent, index, 0), fresh, entries(parent)[index]);
}

/* A pool below another. */
static inline uint16_t child_pool(uint16_t parent)
{
	CHECK_EQUAL(sim_op(parent, op_head(OP_POOL_CREATE, 0, 0, 0, 0), 0, 0), ST_OK);
	CHECK_EQUAL(sim_last.count, 1);
	return (uint16_t)sim_last.results[0];
}

static inline status_t give(uint16_t pool, pfn_t pfn, uint32_t count)
{
	return sim_op(POOL_ROOT, op_head(OP_TRANSFER, 0, pfn, 0, count), pool, 0);
}

static inline void fixture_start(void)
{
	sim_start(FRAMES);
	CHECK_EQUAL(sim_space_create(SPACE, TOP), ST_OK);
	CHECK_EQUAL(retype(L3, 1, FRAME_L3), ST_OK);
	CHECK_EQUAL(retype(L2, 1, FRAME_L2), ST_OK);
	CHECK_EQUAL(retype(L1, 2, FRAME_L1), ST_OK);
	CHECK_EQUAL(retype(L2_TWO, 1, FRAME_L2), ST_OK);
	CHECK_EQUAL(sim_space_create(SPACE_TWO, TOP_TWO), ST_OK);
	CHECK_EQUAL(retype(MSG, 1, FRAME_MSG), ST_OK);
	CHECK_EQUAL(retype(DATA_FIRST, DATA_COUNT, FRAME_DATA), ST_OK);
	CHECK_EQUAL(set(TOP, 0, link_to(L3), 0), ST_OK);
	CHECK_EQUAL(set(L3, 0, link_to(L2), 0), ST_OK);
	CHECK_EQUAL(set(L2, 0, link_to(L1), 0), ST_OK);
}

/* After every test: all rules of the frame table hold. */
static inline void fixture_check(void)
{
	pfn_t where;

	CHECK_EQUAL(frame_check_all(&where), 0);
}

#endif
