/*
 * WP: what kernel/frame.c and the counting steps of kernel/entry.h promise, for every state of the
 * frame table (of PROVE_FRAMES frames) and every argument.
 *
 * The code is the kernel's own, included below; contracts stand before it.  "Others" are all frames
 * but the one named.
 *
 * Assumed: what the contracts require; flush_everything() changes the epoch and no frame;
 * frame_memory() gives memory that is no part of the frame table.
 *
 * PROVED: frame_get, frame_short_limit, frame_is_unused, frame_type_is_table, type_leaves_zeros
 * PROVED: frame_type_is_interpreted, frame_type_change_clears, frame_make_quiet, frame_retype
 * PROVED: frame_hold, frame_release
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define PROVE_FRAMES 8192u
#include <machine/memory.h>
#include "flush.h"
#include "frame.h"
#include "log.h"
#include "percpu.h"

/*@ predicate same(struct frame a, struct frame b) =
      a.refs == b.refs && a.live == b.live && a.type == b.type && a.flags == b.flags &&
      a.holds == b.holds && a.pool == b.pool && a.epoch == b.epoch;
    predicate others_same{A, B}(integer n) = \forall integer i; 0 <= i < PROVE_FRAMES && i != n ==>
      same(\at(frame_table[i], A), \at(frame_table[i], B));
    predicate unused(struct frame f) =
      f.refs == 0 && f.holds == 0 && f.live == 0 && !(f.flags & FRAME_BLOCK);
    predicate ram(integer n) = n < frame_count && frame_table[n].type != FRAME_NONE;
*/

/*@ assigns flush_epoch;
    ensures flush_epoch != \old(flush_epoch); */
void flush_everything(void);

/*@ assigns \nothing;
    ensures \false;
    exits \false; */
_Noreturn void panic(const char *format, ...);

uint64_t prove_page[TABLE_ENTRIES]; /* the frame's contents */

/*@ assigns \nothing;
    ensures \result == &prove_page[0]; */
void *frame_memory(pfn_t pfn);

/*@ requires to == &prove_page[0] && value == 0 && words == TABLE_ENTRIES;
    assigns prove_page[0 .. TABLE_ENTRIES - 1];
    ensures \forall integer i; 0 <= i < TABLE_ENTRIES ==> prove_page[i] == 0; */
static inline void memory_fill_words(void *to, uint64_t value, uint64_t words);

/*@ requires frame_count <= PROVE_FRAMES;
    assigns \nothing;
    ensures ram(pfn) ==> \result == &frame_table[pfn];
    ensures !ram(pfn) ==> \result == \null; */
static inline struct frame *frame_get(pfn_t pfn);

/*@ assigns \nothing;
    ensures \result <= FRAME_HOLDS_MAX && \result <= frame_refs_limit; */
static inline uint32_t frame_short_limit(void);

/*@ assigns \nothing;
    ensures \result <==> FRAME_L1 <= type <= FRAME_TOP; */
bool frame_type_is_table(frame_type_t type);

/*@ assigns \nothing;
    ensures \result <==> FRAME_L1 <= type <= FRAME_PORT; */
bool frame_type_is_interpreted(frame_type_t type);

/*@ assigns \nothing;
    ensures \result <==> FRAME_L1 <= type < FRAME_TOP; */
static bool type_leaves_zeros(frame_type_t type);

/* What the kernel or the MMU interprets is cleared before and after, but for a table below the top:
   without live entries it is zeros already (rule 7). */
/*@ predicate clears(integer from, integer to) = !(FRAME_L1 <= from < FRAME_TOP) &&
      (FRAME_L1 <= from <= FRAME_PORT || FRAME_L1 <= to <= FRAME_PORT); */
/*@ assigns \nothing;
    ensures \result <==> clears(from, to); */
bool frame_type_change_clears(frame_type_t from, frame_type_t to);

/*@ requires \valid_read(frame);
    assigns \nothing;
    ensures \result <==> unused(*frame); */
bool frame_is_unused(const struct frame *frame);

/*@ requires frame_count <= PROVE_FRAMES;
    assigns flush_epoch;
    ensures refused: \result <==> ram(pfn) && unused(frame_table[pfn]);
    ensures flushed: \result ==> frame_table[pfn].epoch != flush_epoch;
    ensures idle: !\result ==> flush_epoch == \old(flush_epoch); */
bool frame_make_quiet(pfn_t pfn);

/*@ requires pfn < frame_count <= PROVE_FRAMES;
    requires 0 <= type < FRAME_TYPES;
    assigns frame_table[pfn].type, frame_table[pfn].flags, flush_epoch, counters,
      prove_page[0 .. TABLE_ENTRIES - 1];
    ensures decided: \result == ST_OK <==> \old(ram(pfn)) && \old(unused(frame_table[pfn]));
    ensures refused: \result != ST_OK ==> same(frame_table[pfn], \old(frame_table[pfn]));
    ensures retyped: \result == ST_OK ==> frame_table[pfn].type == type &&
      (frame_table[pfn].flags == 0 || (frame_table[pfn].flags == FRAME_BLANK && (type == FRAME_FREE || type == FRAME_DATA)));
    ensures cleared: \result == ST_OK && !(\old(frame_table[pfn].flags) & FRAME_BLANK) &&
      clears(\old(frame_table[pfn].type), type) ==>
      \forall integer i; 0 <= i < TABLE_ENTRIES ==> prove_page[i] == 0;
    ensures kept: frame_table[pfn].refs == \old(frame_table[pfn].refs) &&
      frame_table[pfn].holds == \old(frame_table[pfn].holds) &&
      frame_table[pfn].live == \old(frame_table[pfn].live) &&
      frame_table[pfn].pool == \old(frame_table[pfn].pool) &&
      frame_table[pfn].epoch == \old(frame_table[pfn].epoch);
    ensures quiet: \result == ST_OK ==> frame_table[pfn].epoch != flush_epoch;
    ensures others: others_same{Pre, Post}(pfn); */
status_t frame_retype(pfn_t pfn, frame_type_t type);

/*@ requires pfn < frame_count <= PROVE_FRAMES;
    assigns frame_table[pfn].holds, frame_table[pfn].flags;
    ensures counted: \result == ST_OK ==> frame_table[pfn].holds == \old(frame_table[pfn].holds) + 1;
    ensures refused: \result != ST_OK ==> frame_table[pfn].holds == \old(frame_table[pfn].holds);
    ensures limit: \old(frame_table[pfn].holds) >= FRAME_HOLDS_MAX ==> \result == ST_LIMIT; */
status_t frame_hold(pfn_t pfn);

/*@ requires pfn < frame_count <= PROVE_FRAMES;
    requires frame_table[pfn].holds > 0;
    assigns frame_table[pfn].holds;
    ensures frame_table[pfn].holds == \old(frame_table[pfn].holds) - 1; */
void frame_release(pfn_t pfn);

#include "../../kernel/frame.c"
