/*
 * Processors with caches of translations, for host programs over simulated RAM.
 *
 *   address --> page translation (level 1) -----------------------------> page
 *          \--> cached upper entries (level 2: to a leaf table, 3, 4) --> walk the rest
 *          \--> the space's top-level table: walk it all
 *
 * Written from the processor manuals, not from kernel code.  A processor keeps every translation
 * and every upper entry that a walk has used, for each space (its address-space identifier), until
 * it is flushed.  A walk may begin at any cached upper entry, however stale; which one, the
 * adversary chooses: a source of random numbers that also lets a processor forget an entry, make a
 * walk that nobody asked for, or take a fault from a cached entry with too few rights.  What is
 * never cached: entries that are not present, and rights that the walk did not find.
 *
 *   - A is set in every entry that a walk uses, before it is cached; D in the leaf of a write, by
 *     a walk, only if the cached copy has no D.
 *   - A fault drops the page's translation on its processor; with luck (the adversary again) also
 *     the upper entries of this address: not all processors drop those.
 *
 * Calm processors (the default) always use the deepest entry they have, and drop upper entries with
 * a fault.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SIM_PROCESSOR_H
#define SIM_PROCESSOR_H

#include <faultline/frame.h>
#include <stdbool.h>
#include <stdint.h>

#define PROCESSORS_MAX 4u

/* Fresh processors that remember nothing, calm. */
void processors_start(uint32_t count);
extern uint32_t processor_count;

/* From here on the adversary chooses, with this seed; 0: calm again. */
void processors_disturb(uint64_t seed);

/*
 * One access by user mode of a space (named by its SPACE frame) on a processor: the word at the
 * address, or NULL with the error code of a page fault.  access: 0, FAULT_WRITE or FAULT_FETCH.
 */
uint64_t *processor_access(
	uint32_t processor, pfn_t space, uint64_t address, uint32_t access, uint32_t *error);

/* A walk that no instruction asked for. */
void processor_speculate(uint32_t processor, pfn_t space, uint64_t address);

/* ---- flushes ---- */

void processors_flush_all(void);
void processors_flush_space(pfn_t space);
/* One processor only: the space comes to it anew. */
void processor_flush_space(uint32_t processor, pfn_t space);
/* The translation of one page, on all processors. */
void processors_flush_page(pfn_t space, uint64_t address);

/* ---- what they remember ---- */

struct cached {
	uint64_t address; /* where its span begins */
	pfn_t space;
	pfn_t frame;	 /* level 1: the page; else the table of the next lower level */
	uint64_t rights; /* PTE_W: of all levels so far; PTE_NX: of any; level 1: PTE_D */
	uint8_t level, processor;
};

/* Entries of all processors that lead to this frame. */
uint32_t processors_remember(pfn_t frame);

/* Call for each entry of a space. */
typedef void processor_visit_t(const struct cached *entry);
void processors_visit(pfn_t space, processor_visit_t *visit);

/* User mode has written to the frame (through any processor) since somebody cleared this. */
extern uint8_t processor_wrote[];

#endif
