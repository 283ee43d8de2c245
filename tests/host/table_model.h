/*
 * A reference model of frames, tables and their operations, for the property test.
 *
 * Written from <faultline/op.h> and docs/frames.md, not from the kernel: a frame is a record of
 * plain facts, a table is 512 words, an operation is a sequence of stores of one entry.  It is
 * slow and naive on purpose.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef TABLE_MODEL_H
#define TABLE_MODEL_H

#include <faultline/op.h>
#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_FRAMES 1100u
#define MODEL_POOLS  8u

struct model_frame {
	uint32_t type, pool;
	uint64_t refs, holds, live;
	uint64_t large;	  /* 2 MiB entries that name this frame */
	uint32_t lent_to; /* 0: nobody */
	bool dirty, in_block, special;
	bool kept; /* the head of a block that stays one without 2 MiB entries */
	bool stale; /* its last reference went after the last full flush */
};

struct model {
	struct model_frame frame[MODEL_FRAMES];
	uint64_t word[MODEL_FRAMES][512]; /* contents */
	uint32_t parent[MODEL_POOLS];	  /* 0 for the root and for pools that do not exist */
	uint64_t limit;			  /* of counters */
	uint64_t full_flushes;
};

/* One operation, and what it answers. */
struct model_call {
	uint32_t pool;
	struct op op;
	uint32_t list[512]; /* of OP_FILL */
	uint64_t work, room;
	bool has_scope;

	status_t status;
	uint32_t done;
	uint32_t result_count;
	uint64_t results[OP_RESULTS_MAX];
	bool plain; /* OP_CLEAR: the last entry was all that used a page of data */
	uint32_t touched[2]; /* frames whose contents may have changed outside tables */
};

/* As sim_start(MODEL_FRAMES) leaves the machine. */
void model_start(struct model *model);

/* Run the operation on the model and fill in the answer. */
void model_run(struct model *model, struct model_call *call);

/* Does `pool` belong to `holder`? */
bool model_pool_within(const struct model *model, uint32_t pool, uint32_t holder);

/* 1.. for tables, 0 for others. */
uint32_t model_level(const struct model *model, uint64_t pfn);

#endif
