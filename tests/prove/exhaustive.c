/*
 * Every state of a tiny machine: a proof by looking at all of it.
 *
 * The machine has the FRAMES frames that sim_start() gives, the last four of them free to use, and
 * of each table the first two entries.  From the state after boot all operations with all arguments out
 * of a small set are tried; each new state is kept and tried in its turn, until nothing new comes: the
 * states reached are all that any sequence of these operations, however long, can reach.  Numbers of
 * frames have no meaning, so states that differ in them alone count as one.
 *
 * A refusal changed nothing.  After any other operation: frame_check_all() finds no rule broken; a last
 * reference left a stamp, a first one came after a flush; `set`,
 * `retype`, `clear`, `split` did exactly what an independent statement of them says: the
 * entry, the type or the count at hand, and no other; a frame that changed its type had no
 * reference and no live entry, and what came out of or went into a table is zero.
 *
 * The arguments: types FREE, DATA, L1, L2, MSG; entries 0 and present ones to ZERO and each of the
 * frames, writable, and writable and SHARED (`protect` and `copy` make them read-only); references have
 * a limit of 2.  Time is folded: a state knows of each frame only whether its stamp is of the
 * current epoch.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "flush.h"
#include "frame.h"
#include "pool.h"
#include "sim/sim.h"
#include "table.h"
#include <stdlib.h>

enum {
	USED = 4,			  /* frames that operations name */
	FRAMES = SIM_FIRST_FREE + USED,
	SLOTS = 2,			  /* entries of each that they name */
	STATES_MAX = 1 << 21,		  /* places of the set, a power of two */
	LIMIT = 2
};

/* A state of the machine: what of frames and entries can differ. */
struct state {
	struct {
		uint8_t type, refs, live, holds, flags, stale;
		uint8_t entry[SLOTS]; /* packed, see entry_pack() */
	} frame[USED];
};

static struct state *states;
static uint32_t *places; /* hash table of numbers + 1 */
static uint32_t state_count;
static uint64_t transitions;

/* Frame number and the bits that occur here. */
static uint8_t entry_pack(uint64_t entry)
{
	if (entry == 0)
		return 0;
	return (uint8_t)(0x80 | (pte_pfn(entry) << 2) | (entry & PTE_W ? 1 : 0) |
			 (entry & PTE_SHARED ? 2 : 0));
}

static uint64_t entry_unpack(uint8_t packed)
{
	if (packed == 0)
		return 0;
	return pte_make((packed & 0x7fu) >> 2, PTE_P | PTE_U | (packed & 1 ? PTE_W : 0) |
						      (packed & 2 ? PTE_SHARED : 0));
}

static void state_save(struct state *state)
{
	memset(state, 0, sizeof(*state));
	for (uint32_t i = 0; i < USED; i++) {
		const struct frame *frame = &frame_table[SIM_FIRST_FREE + i];
		const uint64_t *entries = frame_memory(SIM_FIRST_FREE + i);

		state->frame[i].type = frame->type;
		state->frame[i].refs = (uint8_t)frame->refs;
		state->frame[i].live = (uint8_t)frame->live;
		state->frame[i].holds = (uint8_t)frame->holds;
		state->frame[i].flags = frame->flags;
		state->frame[i].stale = frame->epoch == flush_epoch;
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			state->frame[i].entry[slot] = entry_pack(entries[slot]);
	}
}

static void state_load(const struct state *state)
{
	flush_epoch = 1;
	for (uint32_t i = 0; i < USED; i++) {
		struct frame *frame = &frame_table[SIM_FIRST_FREE + i];
		uint64_t *entries = frame_memory(SIM_FIRST_FREE + i);

		frame->type = state->frame[i].type;
		frame->refs = state->frame[i].refs;
		frame->live = state->frame[i].live;
		frame->holds = state->frame[i].holds;
		frame->flags = state->frame[i].flags;
		frame->epoch = state->frame[i].stale;
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			entries[slot] = entry_unpack(state->frame[i].entry[slot]);
	}
}

static uint32_t state_hash(const struct state *state)
{
	const uint8_t *bytes = (const uint8_t *)state;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(*state); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* The state with frame i in the place of frame to[i]: another name for the same thing. */
static void state_rename(const struct state *state, const uint32_t *to, struct state *renamed)
{
	for (uint32_t i = 0; i < USED; i++) {
		renamed->frame[to[i]] = state->frame[i];
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			uint32_t entry = state->frame[i].entry[slot], pfn = (entry & 0x7f) >> 2;

			if (pfn >= SIM_FIRST_FREE)
				pfn = SIM_FIRST_FREE + to[pfn - SIM_FIRST_FREE];
			renamed->frame[to[i]].entry[slot] = (uint8_t)((entry & 0x83) | (pfn << 2));
		}
	}
}

/* The least of all names, found by trying the ways to order `count` more frames. */
static void state_least(const struct state *state, uint32_t *to, uint32_t count, struct state *least)
{
	struct state renamed;

	if (count == 0) {
		state_rename(state, to, &renamed);
		if (memcmp(&renamed, least, sizeof(renamed)) < 0)
			*least = renamed;
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t last = to[count - 1];

		to[count - 1] = to[i];
		to[i] = last;
		state_least(state, to, count - 1, least);
		to[i] = to[count - 1];
		to[count - 1] = last;
	}
}

/* Keeps a state that is new, by its least name. */
static void state_note(const struct state *named)
{
	uint32_t to[USED] = { 0, 1, 2, 3 };
	struct state least = *named, *state = &least;
	uint32_t place;

	state_least(named, to, USED, &least);
	place = state_hash(state) & (STATES_MAX - 1);
	while (places[place] != 0) {
		if (memcmp(&states[places[place] - 1], state, sizeof(*state)) == 0)
			return;
		place = (place + 1) & (STATES_MAX - 1);
	}
	CHECK(state_count < STATES_MAX / 2);
	states[state_count++] = *state;
	places[place] = state_count;
}

/* What may be different after an operation that went well: frame `pfn`, by its number here. */
static void check_others(const struct state *before, const struct state *after, uint32_t except)
{
	for (uint32_t i = 0; i < USED; i++) {
		if (i == except)
			continue;
		CHECK_EQUAL(after->frame[i].type, before->frame[i].type);
		CHECK_EQUAL(after->frame[i].holds, before->frame[i].holds);
		CHECK(memcmp(after->frame[i].entry, before->frame[i].entry, SLOTS) == 0);
	}
}

static void check_retype(const struct state *before, const struct state *after, uint32_t i, uint64_t type)
{
	CHECK_EQUAL(after->frame[i].type, type);
	CHECK(before->frame[i].refs == 0 && before->frame[i].live == 0);
	CHECK(!after->frame[i].stale);
	CHECK(after->frame[i].live == 0 && after->frame[i].entry[0] == 0 && after->frame[i].entry[1] == 0);
	check_others(before, after, i);
}

/* The entry is the value, and counts differ by what this store means. */
static void check_set(const struct state *before, const struct state *after, uint32_t i, uint32_t slot,
	uint64_t value)
{
	uint8_t old = before->frame[i].entry[slot], now = entry_pack(value);

	CHECK_EQUAL(after->frame[i].entry[slot], now);
	CHECK_EQUAL(after->frame[i].entry[1 - slot], before->frame[i].entry[1 - slot]);
	CHECK_EQUAL(after->frame[i].type, before->frame[i].type);
	CHECK_EQUAL(after->frame[i].live, before->frame[i].live + (now != 0) - (old != 0));
	check_others(before, after, i);
	for (uint32_t target = 0; target < USED; target++) {
		uint32_t name = SIM_FIRST_FREE + target;
		int come = (now & 0x80) && pte_pfn(value) == name;
		int go = (old & 0x80) && pte_pfn(entry_unpack(old)) == name;

		CHECK_EQUAL(after->frame[target].refs, before->frame[target].refs + come - go);
	}
	if ((now & 0x80) && (value & PTE_W) && before->frame[i].type == FRAME_L1) {
		uint8_t type = frame_table[pte_pfn(value)].type;

		CHECK(type == FRAME_DATA || type == FRAME_MSG);
	}
}

/* What a present entry is in both tables after a copy: without W, unless it is SHARED. */
static uint8_t entry_shared(uint8_t entry)
{
	return (entry & 0x83) == 0x81 ? entry & 0xfeu : entry;
}

/* `fresh` has taken the place of a table with other parents, with its entries. */
static void check_split(const struct state *before, const struct state *after, uint32_t i, uint32_t slot,
	uint32_t fresh)
{
	uint8_t entry = before->frame[i].entry[slot];
	uint32_t old = pte_pfn(entry_unpack(entry)) - SIM_FIRST_FREE;

	CHECK(before->frame[old].refs >= 2 && before->frame[fresh].refs == 0);
	CHECK_EQUAL(after->frame[old].refs, before->frame[old].refs - 1);
	CHECK_EQUAL(after->frame[fresh].refs, 1);
	CHECK_EQUAL(after->frame[fresh].type, before->frame[old].type);
	CHECK_EQUAL(after->frame[fresh].live, before->frame[old].live);
	CHECK_EQUAL(after->frame[i].entry[slot],
		entry_pack(pte_make(SIM_FIRST_FREE + fresh, (entry_unpack(entry) & ~PTE_FRAME) | PTE_W)));
	for (uint32_t n = 0; n < SLOTS; n++) {
		uint8_t shared = entry_shared(before->frame[old].entry[n]);

		CHECK_EQUAL(after->frame[old].entry[n], shared);
		CHECK_EQUAL(after->frame[fresh].entry[n], shared);
	}
	for (uint32_t target = 0; target < USED; target++) {
		uint32_t come = 0;

		if (target == old || target == fresh)
			continue;
		for (uint32_t n = 0; n < SLOTS; n++)
			come += (before->frame[old].entry[n] & 0x80) &&
				pte_pfn(entry_unpack(before->frame[old].entry[n])) ==
					SIM_FIRST_FREE + target;
		CHECK_EQUAL(after->frame[target].refs, before->frame[target].refs + come);
	}
}

/* Counters below their limits; a last reference leaves a stamp, a first one comes after a flush. */
static void check_counts(const struct state *before, const struct state *after)
{
	for (uint32_t i = 0; i < USED; i++) {
		uint32_t old = before->frame[i].refs, now = after->frame[i].refs;

		CHECK(now <= (after->frame[i].type == FRAME_MSG ? 1 : LIMIT));
		if (old != 0 && now == 0)
			CHECK(after->frame[i].stale);
		if (old == 0 && now != 0)
			CHECK(!after->frame[i].stale);
	}
}

/* One operation from one state, and all that must be true of what it leaves. */
static void try(const struct state *before, uint32_t code, uint32_t i, uint32_t slot, uint32_t count,
	uint64_t a, uint64_t b)
{
	struct state after;
	status_t status;
	pfn_t where;

	state_load(before);
	status = sim_op(POOL_ROOT, op_head(code, 0, SIM_FIRST_FREE + i, slot, count), a, b);
	transitions++;
	state_save(&after);
	if (status != ST_OK && sim_last.done == 0) {
		for (uint32_t n = 0; n < USED; n++) /* a flush may have come before a refusal */
			after.frame[n].stale = before->frame[n].stale;
		CHECK(memcmp(&after, before, sizeof(after)) == 0);
		return;
	}
	CHECK_EQUAL(frame_check_all(&where), 0);
	check_counts(before, &after);
	if (status != ST_OK) { /* a run that stopped after its first entry */
		state_note(&after);
		return;
	}
	if (code == OP_RETYPE)
		check_retype(before, &after, i, a);
	if (code == OP_SET)
		check_set(before, &after, i, slot, a);
	if (code == OP_CLEAR)
		check_set(before, &after, i, slot, 0);
	if (code == OP_SPLIT)
		check_split(before, &after, i, slot, (uint32_t)a - SIM_FIRST_FREE);
	state_note(&after);
}

static void try_types(const struct state *state, uint32_t i)
{
	static const frame_type_t types[] = { FRAME_FREE, FRAME_DATA, FRAME_L1, FRAME_L2, FRAME_MSG };

	for (uint32_t n = 0; n < sizeof(types) / sizeof(types[0]); n++)
		try(state, OP_RETYPE, i, 0, 1, types[n], 0);
}

static void try_values(const struct state *state, uint32_t i, uint32_t slot)
{
	uint64_t expected = entry_unpack(state->frame[i].entry[slot]);

	try(state, OP_SET, i, slot, 0, 0, expected);
	try(state, OP_SET, i, slot, 0, 0, ~expected); /* not as expected: refused */
	for (pfn_t pfn = SIM_ZERO_FRAME; pfn < FRAMES; pfn++) {
		try(state, OP_SET, i, slot, 0, pte_make(pfn, PTE_P | PTE_U | PTE_W), expected);
		try(state, OP_SET, i, slot, 0, pte_make(pfn, PTE_P | PTE_U | PTE_W | PTE_SHARED), expected);
		try(state, OP_SPLIT, i, slot, 0, pfn, expected);
	}
	try(state, OP_CLEAR, i, slot, 1, 0, 0);
	try(state, OP_PROTECT, i, slot, 1, PTE_W, 0);
	try(state, OP_PROTECT, i, slot, 1, 0, PTE_W);
}

/* Of one entry, or both, to another table or within one. */
static void try_runs(const struct state *state, uint32_t i, uint32_t to)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (uint32_t target = 0; target < SLOTS; target++) {
			try(state, OP_COPY, i, slot, 1, op_head(0, 0, SIM_FIRST_FREE + to, target, 0), 0);
			try(state, OP_MOVE, i, slot, 1, op_head(0, 0, SIM_FIRST_FREE + to, target, 0), 0);
		}
	try(state, OP_COPY, i, 0, SLOTS, op_head(0, 0, SIM_FIRST_FREE + to, 0, 0), 0);
	try(state, OP_MOVE, i, 0, SLOTS, op_head(0, 0, SIM_FIRST_FREE + to, 0, 0), 0);
}

static void try_all(const struct state *state)
{
	for (uint32_t i = 0; i < USED; i++) {
		try_types(state, i);
		if (!frame_type_is_table((frame_type_t)state->frame[i].type))
			continue;
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			try_values(state, i, slot);
		for (uint32_t to = 0; to < USED; to++)
			try_runs(state, i, to);
	}
}

static void test_every_state_keeps_the_rules(void)
{
	struct state first;

	states = calloc(STATES_MAX / 2, sizeof(*states));
	places = calloc(STATES_MAX, sizeof(*places));
	CHECK(states && places);
	sim_start(FRAMES);
	frame_refs_limit = LIMIT;
	state_save(&first);
	state_note(&first);
	for (uint32_t i = 0; i < state_count; i++) {
		struct state state = states[i];

		try_all(&state);
	}
	printf("%u states, %llu operations\n", state_count, (unsigned long long)transitions);
	free(states);
	free(places);
}

static const struct check_test tests[] = { CHECK_TEST(every_state_keeps_the_rules) };

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL, argc, argv);
}
