/*
 * A model of one access through page tables, written from the processor manuals.
 *
 * It is given the entries that a walk meets and says what the processor must do: the fault's error
 * code, or which bits it sets.  The walker compares it with processors; the simulated machine of
 * the host tests makes its accesses by it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef WALK_MODEL_H
#define WALK_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define WALK_LEVELS_MAX 5

/* How the processor is set up. */
struct walk_rules {
	uint32_t levels;
	uint32_t physical_bits; /* address bits of an entry from here on are reserved */
	bool wp, smep, smap;	/* CR0.WP, CR4.SMEP, CR4.SMAP; EFER.NXE is on */
};

struct walk_access {
	bool write, fetch, user;
	bool ac; /* RFLAGS.AC: supervisor accesses to user pages are allowed in spite of SMAP */
};

struct walk_outcome {
	bool allowed;
	uint32_t error; /* FAULT_*, if not allowed */
	uint32_t last;	/* level of the leaf, or of the entry where the walk ended */
};

/* entry[level - 1]: what stands on the path; entries behind a leaf are not looked at. */
void walk_model(const uint64_t *entry, const struct walk_rules *rules,
	const struct walk_access *access, struct walk_outcome *outcome);

/* Is this entry the end of a walk at this level: absent, malformed, or a leaf? */
bool walk_model_ends(uint64_t entry, uint32_t level, const struct walk_rules *rules);

#endif
