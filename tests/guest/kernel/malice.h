/*
 * A malicious pager and its victim.
 *
 * The attacker is a program in a space of its own, all of whose frames, objects and tables belong
 * to a pool of its own, over which it has full authority: it sends any batch, receives what its
 * clients send, answers what it likes.  It sees the frame table, so it can name every frame of the
 * machine. The victim is a server in a space of another pool beside it; the tests are the parent of
 * both, and init and the kernel are there, too.
 *
 * Whatever the attacker does, nothing outside its pool may change.  outside_keep() notes a checksum
 * of the contents and of the frame table's entry of every frame of the machine that is not the
 * attacker's; outside_is_kept() compares.  What may differ is named:
 *
 *   - A and D in tables (left out of the sums by the kernel)
 *   - frames of the kernel, and the tests' port, that change by themselves: found once, by doing
 *     what is allowed (outside_learn)
 *   - the tests' own image, stack, thread, space, message page and windows
 *   - what a test names by outside_may_change(): the kernel's objects of somebody that the attacker
 *     may send messages to
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_TESTS_MALICE_H
#define KERNEL_TESTS_MALICE_H

#include "kernel_tests.h"

#define MALICE_SPARE 96u

struct attacker {
	uint16_t pool;
	struct sub sub;
	pfn_t spare[MALICE_SPARE]; /* FREE frames of its pool */
};

struct victim {
	uint16_t pool;
	struct sub sub;
	pfn_t port; /* where it waits; slot VICTIM_SLOT of the tests */
	pfn_t data; /* a frame of its own, filled with VICTIM_PATTERN */
};

#define VICTIM_SLOT    60u
#define VICTIM_PATTERN 0x7153ec2e7153ec2eull
#define WORD_ANSWERS   31u /* of shared_page: how often the victim answered */

/* Whether the attacker's own program, its space, tables and thread, belongs to its pool, too; or to
   ours, so that whatever it does to its pool it goes on (as init's pager does). */
enum shelter { EXPOSED, SHELTERED };

/* Makes both, the victim at rest, and notes what is outside. */
bool malice_begin(struct attacker *attacker, struct victim *victim);
bool malice_begin_sheltered(struct attacker *attacker, struct victim *victim);
/* Notes anew what is outside, after a test has changed it itself. */
bool malice_keep(const struct attacker *attacker);
/* Nothing outside has changed, the kernel is well, the victim answers. */
bool malice_end(const struct attacker *attacker, const struct victim *victim);

/* One round against all frames of the machine, while everybody else goes on: by a program and a
   pool that reach this priority. */
bool malice_round(uint64_t seed, uint32_t priority);
/* For main.c: rounds for ever, beside a whole system (tests/system/hostile_pager.sh). */
_Noreturn void hostile_run(void);

/* The same by parts. */
bool attacker_make(struct attacker *attacker, enum shelter shelter, uint64_t limits);
bool victim_make(struct victim *victim);
bool victim_answers(const struct victim *victim);
bool outside_keep(uint16_t pool);
bool outside_is_kept(void);
/* How many frames are not as they were. */
uint32_t outside_changes(void);
/* From now to the next outside_keep() this frame may change. */
void outside_may_change(pfn_t pfn);
bool kernel_is_well(void);

/* The attacker runs operations; the status of its BATCH, AGAIN when it did not come back. */
status_t attack_batch(const struct attacker *attacker, const struct op *ops, uint32_t count);
status_t attack_op(const struct attacker *attacker, uint64_t head, uint64_t a, uint64_t b);
status_t attack_on(const struct attacker *attacker, uint32_t op, pfn_t pfn, uint64_t a, uint64_t b);
status_t attack_at(const struct attacker *attacker, uint32_t op, pfn_t pfn, uint32_t index,
	uint64_t a, uint64_t b);
/* The words of results that the last batch of the attacker left. */
uint64_t attack_result(const struct attacker *attacker, uint32_t index);
/* One call by the attacker, with these registers; what came back. */
struct call_registers attack_call(const struct attacker *attacker, const struct call_registers *in);
/* Runs a program of the attacker until it stops itself.  False: it does not. */
bool attacker_run(
	const struct attacker *attacker, program_t program, uint64_t first, uint64_t second);
#define LINK_BITS (PTE_P | PTE_W | PTE_U)
#define PAGE_BITS (PTE_P | PTE_W | PTE_U | PTE_NX)

/* A page of a program at an address of its own, with a table of its own. */
struct page {
	uint64_t address;
	pfn_t pfn, table, upper;
};
bool page_make(const struct sub *sub, uint16_t pool, struct page *page, uint64_t address);
/* The program writes 0xa1 to the page, runs the operations, and writes again.  Nothing switches
   spaces in between, so the translation of the first write is there until somebody flushes.  The
   second write must end in a fault. */
bool second_write_faults(
	const struct sub *sub, const struct page *page, const struct op *ops, uint32_t count);

/* A spare frame becomes this. */
pfn_t attacker_frame(struct attacker *attacker, frame_type_t type);

#endif
