/*
 * WP: the two passes of a split whose counts may be refused (limits, 2 MiB and MSG entries): counting each target
 * once more, or none; and the copy.  For every frame table (of PROVE_FRAMES frames) and contents.
 *
 * The code is the kernel's own; contracts stand before it, what belongs into its functions (invariants of loops)
 * in split.acsl.
 *
 * links(e, k, n) and blocks(e, k, n): how many of the first k entries at e are present and name frame n,
 * as a 4 KiB page or table, or as a 2 MiB block.
 *
 * Assumed: what the contracts require, which is rules 5 and 9 of frame_check_all() for the table at hand; the
 * hardware sets A and D of a present entry, and no other bit.
 *
 * PROVED: prove_exchange, pte_pfn, entry_target, entry_is_large, frame_is_uncounted, block_can_count
 * PROVED: entry_can_count, entry_count_plain, entry_count_again, entry_uncount, entry_without_write
 * PROVED: split_count, split_copy_counted
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define PROVE_FRAMES 8192u
#include <machine/memory.h>
#include "batch.h"
#include "flush.h"
#include "frame.h"
#include "percpu.h"
#include "pool.h"
#include "table.h"

#define KEPT_BITS 0xffffffffffffff9full /* all but A and D */

/*@ logic integer target(uint64_t e) = (uint32_t)((uint64_t)(e & PTE_FRAME) >> 12);
    predicate present(uint64_t e) = (e & PTE_P) != 0;
    predicate large(uint64_t e) = (e & PTE_PS) != 0;
    predicate writable(uint64_t e) = (e & PTE_W) != 0;
    predicate shared(uint64_t e) = (e & PTE_SHARED) != 0;
    predicate uncounted(integer type) = type == FRAME_ZERO || type == FRAME_NONE;
    predicate names(uint64_t e) = target(e) < PROVE_FRAMES;

    // The copy of an entry, and what may be left of it: W gone unless SHARED, A and D as they like.
    logic uint64_t copy(uint64_t e) = (uint64_t)(
      (e & PTE_P) != 0 && (e & (PTE_W | PTE_SHARED)) == PTE_W ? e & (uint64_t)~PTE_W : e);
    predicate alike(uint64_t a, uint64_t b) = target(a) == target(b) && (present(a) <==> present(b)) &&
      (large(a) <==> large(b)) && (shared(a) <==> shared(b)) && (a & KEPT_BITS) == (b & KEPT_BITS);
    predicate left(uint64_t now, uint64_t e) = (!present(e) ==> now == e) &&
      (present(now) <==> present(e)) && target(now) == target(e) && (large(now) <==> large(e)) &&
      (present(e) && !shared(e) ==> !writable(now)) && (shared(e) ==> (writable(now) <==> writable(e)));

    axiomatic copies { // proved in bits.smt2
      axiom loses_write: \forall uint64_t e; (e & (PTE_W | PTE_SHARED)) == PTE_W <==> writable(e) && !shared(e);
    }

    logic integer link(uint64_t e, integer n) =
      (e & PTE_P) != 0 && (e & PTE_PS) == 0 && target(e) == n ? 1 : 0;
    logic integer block(uint64_t e, integer n) =
      (e & PTE_P) != 0 && (e & PTE_PS) != 0 && target(e) == n ? 1 : 0;

    axiomatic counts {
      logic integer links{L}(uint64_t *e, integer k, integer n) reads e[0 .. k - 1];
      logic integer blocks{L}(uint64_t *e, integer k, integer n) reads e[0 .. k - 1];
      axiom no_links{L}: \forall uint64_t *e, integer k, n; k <= 0 ==> links(e, k, n) == 0;
      axiom no_blocks{L}: \forall uint64_t *e, integer k, n; k <= 0 ==> blocks(e, k, n) == 0;
      axiom next_link{L}: \forall uint64_t *e, integer k, n; k > 0 ==>
        links(e, k, n) == links(e, k - 1, n) + link(e[k - 1], n);
      axiom next_block{L}: \forall uint64_t *e, integer k, n; k > 0 ==>
        blocks(e, k, n) == blocks(e, k - 1, n) + block(e[k - 1], n);
    }

    predicate table_words(uint64_t *e) = \valid(e + (0 .. TABLE_ENTRIES - 1));
    predicate all_name{L}(uint64_t *e) =
      \forall integer i; 0 <= i < TABLE_ENTRIES && present(e[i]) ==> names(e[i]);
    // All frames but for refs and live, which other clauses say.
    predicate kept{A, B} = \forall integer n; 0 <= n < PROVE_FRAMES ==>
      \at(frame_table[n].type, A) == \at(frame_table[n].type, B) &&
      \at(frame_table[n].flags, A) == \at(frame_table[n].flags, B) &&
      \at(frame_table[n].holds, A) == \at(frame_table[n].holds, B) &&
      \at(frame_table[n].pool, A) == \at(frame_table[n].pool, B) &&
      \at(frame_table[n].epoch, A) == \at(frame_table[n].epoch, B); */

/*@ assigns \nothing;
    ensures alike(\result, entry) && (!present(entry) ==> \result == entry);
    exits \false; */
uint64_t prove_entry_used(uint64_t entry);

/*@ requires \valid(entry);
    assigns *entry;
    ensures *entry == value;
    ensures alike(\result, \old(*entry)) && (!present(\old(*entry)) ==> \result == \old(*entry));
    exits \false; */
static inline uint64_t prove_exchange(uint64_t *entry, uint64_t value);

/*@ assigns \nothing;
    ensures \result == target(entry);
    exits \false; */
static inline pfn_t pte_pfn(uint64_t entry);

/*@ assigns \nothing;
    ensures \result <==> large(entry);
    exits \false; */
static inline bool entry_is_large(uint64_t entry);

/*@ requires names(entry);
    assigns \nothing;
    ensures \result == &frame_table[target(entry)];
    exits \false; */
static inline struct frame *entry_target(uint64_t entry);

/*@ requires \valid_read(frame);
    assigns \nothing;
    ensures \result <==> uncounted(frame->type);
    exits \false; */
static inline bool frame_is_uncounted(const struct frame *frame);

/*@ requires \valid(entry);
    assigns *entry;
    ensures alike(\result, \old(*entry)) && (!present(\old(*entry)) ==> \result == \old(*entry));
    ensures *entry == (uint64_t)(\result & mask);
    ensures without_write: mask == 0xfffffffffffffffd && present(\result) && !shared(\result) ==> left(*entry, \result);
    exits \false; */
static inline uint64_t prove_fetch_and(uint64_t *entry, uint64_t mask);

/*@ requires \valid(place) && *place == entry && present(entry);
    assigns *place;
    ensures \result == copy(entry);
    ensures left(*place, entry);
    exits \false; */
static inline uint64_t entry_without_write(uint64_t *place, uint64_t entry);

/*@ assigns \nothing;
    ensures \result <= FRAME_HOLDS_MAX && \result <= frame_refs_limit;
    exits \false; */
static inline uint32_t frame_short_limit(void);

/*@ requires names(entry);
    assigns \nothing;
    ensures \result == ST_OK && (frame_table[target(entry)].flags & FRAME_BLOCK) != 0 ==>
      frame_table[target(entry)].live < FRAME_HOLDS_MAX;
    exits \false; */
status_t block_can_count(uint64_t entry);

/*@ predicate in_block(uint64_t e) = (frame_table[target(e)].flags & FRAME_BLOCK) != 0; */

/*@ requires names(entry) && (large(entry) ==> in_block(entry));
    assigns \nothing;
    ensures link: \result == ST_OK && !large(entry) ==> frame_table[target(entry)].refs < frame_refs_limit;
    ensures once: \result == ST_OK && !large(entry) && frame_table[target(entry)].type == FRAME_MSG ==>
      frame_table[target(entry)].refs == 0;
    ensures block: \result == ST_OK && large(entry) ==> frame_table[target(entry)].live < FRAME_HOLDS_MAX;
    exits \false; */
static inline status_t entry_can_count(uint64_t entry);

/*@ predicate room(uint64_t e) = (large(e) ==> frame_table[target(e)].live < FRAME_HOLDS_MAX) &&
      (!large(e) ==> frame_table[target(e)].refs < UINT32_MAX);
    predicate counted{A, B}(uint64_t e, integer change) =
      (large(e) ==> \at(frame_table[target(e)].live, B) == \at(frame_table[target(e)].live, A) + change &&
        \at(frame_table[target(e)].refs, B) == \at(frame_table[target(e)].refs, A)) &&
      (!large(e) ==> \at(frame_table[target(e)].live, B) == \at(frame_table[target(e)].live, A)) &&
      (!large(e) && uncounted(\at(frame_table[target(e)].type, A)) ==>
        \at(frame_table[target(e)].refs, B) == \at(frame_table[target(e)].refs, A)) &&
      (!large(e) && !uncounted(\at(frame_table[target(e)].type, A)) ==>
        \at(frame_table[target(e)].refs, B) == \at(frame_table[target(e)].refs, A) + change); */

/*@ requires names(entry) && !large(entry) && room(entry);
    assigns frame_table[target(entry)].refs;
    ensures counted{Pre, Post}(entry, 1);
    exits \false; */
static inline void entry_count_plain(uint64_t entry);

/*@ requires names(entry) && room(entry);
    assigns frame_table[target(entry)].refs, frame_table[target(entry)].live;
    ensures counted{Pre, Post}(entry, 1);
    exits \false; */
static inline void entry_count_again(uint64_t entry);

/*@ requires names(entry);
    requires large(entry) ==> frame_table[target(entry)].live > 0;
    requires !large(entry) && !uncounted(frame_table[target(entry)].type) ==>
      frame_table[target(entry)].refs > 0;
    assigns frame_table[target(entry)].refs, frame_table[target(entry)].live;
    ensures counted{Pre, Post}(entry, -1);
    exits \false; */
static inline void entry_uncount(uint64_t entry);

/* The counts of all frames after the first k entries at e, as they were at A, have been counted. */
/*@ predicate refs_counted{A, B}(uint64_t *e, integer k) = \forall integer n; 0 <= n < PROVE_FRAMES ==>
      (uncounted(\at(frame_table[n].type, A)) ==>
        \at(frame_table[n].refs, B) == \at(frame_table[n].refs, A)) &&
      (!uncounted(\at(frame_table[n].type, A)) ==>
        \at(frame_table[n].refs, B) == \at(frame_table[n].refs, A) + links{A}(e, k, n));
    predicate live_counted{A, B}(uint64_t *e, integer k) = \forall integer n; 0 <= n < PROVE_FRAMES ==>
      \at(frame_table[n].live, B) == \at(frame_table[n].live, A) + blocks{A}(e, k, n);
    predicate all_counted{A, B}(uint64_t *e, integer k) =
      refs_counted{A, B}(e, k) && live_counted{A, B}(e, k);
    predicate none_negative{L}(uint64_t *e, integer k) = \forall integer i, n; 0 <= i <= k ==>
      blocks(e, i, n) >= 0 && links(e, i, n) >= 0;
*/

#include "entry.h"

/*@ requires table_words(entries) && all_name(entries);
    requires \forall integer i; 0 <= i < TABLE_ENTRIES && present(entries[i]) && large(entries[i]) ==>
      in_block(entries[i]);
    assigns prove_frame_table[..];
    ensures kept{Pre, Post};
    ensures done: \result == ST_OK ==> all_counted{Pre, Post}(entries, TABLE_ENTRIES);
    ensures undone: \result != ST_OK ==> all_counted{Pre, Post}(entries, 0);
    exits \false; */
static status_t split_count(const uint64_t *entries);

/*@ requires table_words(source) && table_words(fresh);
    requires \separated(source + (0 .. TABLE_ENTRIES - 1), fresh + (0 .. TABLE_ENTRIES - 1));
    assigns source[0 .. TABLE_ENTRIES - 1], fresh[0 .. TABLE_ENTRIES - 1];
    ensures \forall integer i; 0 <= i < TABLE_ENTRIES ==> fresh[i] == copy(\at(source[i], Pre));
    ensures \forall integer i; 0 <= i < TABLE_ENTRIES ==> left(source[i], \at(source[i], Pre));
    exits \false; */
static void split_copy_counted(uint64_t *source, uint64_t *fresh);

#include "../../kernel/block.c"
#include "annotated/table_split.c"
