/*
 * WP: storing and clearing one entry.  The counting steps of kernel/entry.h and what kernel/table.c makes of
 * them, up to table_put(), and clear_entry() of kernel/table_run.c, for every entry, value, frame table (of
 * PROVE_FRAMES frames) and caller.
 *
 * The code is the kernel's own, included below; contracts stand before it.
 *
 * Assumed: what the contracts require, which is rules 1, 6, 7 and 9 of frame_check_all() for the
 * entry and frames at hand; pool_is_within() changes nothing; hardware changes only A and D of
 * a present entry; block_page_drop() changes epochs alone.  Not shown: 2 MiB entries (`large`), whose counts are over
 * 512 frames.
 *
 * PROVED: prove_exchange
 * PROVED: pte_pfn, entry_is_large, entry_target, frame_is_uncounted, batch_owns, batch_may_map
 * PROVED: batch_has_room, batch_result, entry_last_gone, entry_can_count, entry_count
 * PROVED: entry_can_drop, entry_drop, entry_check, entry_check_special, table_mark_special
 * PROVED: put_present, put_same_target, table_put, clear_entry
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define PROVE_FRAMES 8192u
#include <machine/memory.h>
#include "batch.h"
#include "flush.h"
#include "frame.h"
#include "pool.h"
#include "table.h"

/*@ logic integer target(uint64_t e) = (uint32_t)((uint64_t)(e & PTE_FRAME) >> 12);
    predicate present(uint64_t e) = (e & PTE_P) != 0;
    predicate large(uint64_t e) = (e & PTE_PS) != 0;
    predicate uncounted(integer type) = type == FRAME_ZERO || type == FRAME_NONE;
    predicate machine = frame_count <= PROVE_FRAMES;
    predicate names(uint64_t e) = target(e) < frame_count && !large(e) &&
      frame_table[target(e)].type < FRAME_TYPES;
    logic integer share(uint64_t e, integer n) = (e & PTE_P) == 0 ? 0 : target(e) != n ? 0 :
      frame_table[n].type == FRAME_ZERO ? 0 : frame_table[n].type == FRAME_NONE ? 0 : 1;
    axiomatic authority {
      predicate within(integer pool, integer holder);
    }
    predicate owns(integer pool, struct frame f) = f.pool == pool || within(f.pool, pool);
    predicate may_map(integer pool, struct frame f) =
      owns(pool, f) || ((f.flags & FRAME_LENT) != 0 && within(f.live, pool));
*/

/*@ ghost uint32_t table_number; */

/*@ assigns flush_epoch;
    ensures flush_epoch != \old(flush_epoch); */
void flush_everything(void);

/*@ assigns \nothing;
    ensures \result <==> within(pool, holder); */
bool pool_is_within(uint16_t pool, uint16_t holder);

/*@ assigns \nothing;
    ensures target(\result) == target(entry);
    ensures present(\result) <==> present(entry);
    ensures large(\result) <==> large(entry);
    ensures !present(entry) ==> \result == entry; */
uint64_t prove_entry_used(uint64_t entry);

/*@ requires \valid(entry);
    assigns *entry;
    ensures *entry == value;
    ensures target(\result) == target(\old(*entry));
    ensures present(\result) <==> present(\old(*entry));
    ensures large(\result) <==> large(\old(*entry)); */
static inline uint64_t prove_exchange(uint64_t *entry, uint64_t value);

/*@ assigns \nothing;
    ensures \result == target(entry); */
static inline pfn_t pte_pfn(uint64_t entry);

/*@ assigns \nothing;
    ensures \result <==> large(entry); */
static inline bool entry_is_large(uint64_t entry);

/*@ requires machine && target(entry) < frame_count;
    assigns \nothing;
    ensures \result == &frame_table[target(entry)]; */
static inline struct frame *entry_target(uint64_t entry);

/*@ requires \valid_read(frame);
    assigns \nothing;
    ensures \result <==> uncounted(frame->type); */
static inline bool frame_is_uncounted(const struct frame *frame);

/*@ requires \valid_read(batch) && \valid_read(frame);
    assigns \nothing;
    ensures \result <==> owns(batch->pool, *frame); */
static inline bool batch_owns(const struct batch *batch, const struct frame *frame);

/*@ requires \valid_read(batch) && \valid_read(frame);
    assigns \nothing;
    ensures \result <==> may_map(batch->pool, *frame); */
static inline bool batch_may_map(const struct batch *batch, const struct frame *frame);

/*@ predicate reportable(struct batch *batch) = \valid(batch) && batch->result_max <= 320 &&
      batch->result_count <= batch->result_max &&
      \valid(batch->results + (0 .. batch->result_max - 1)) &&
      \separated(batch, batch->results + (0 .. batch->result_max - 1)) &&
      \separated(batch, &frame_table[0 .. PROVE_FRAMES - 1]) &&
      \separated(batch->results + (0 .. batch->result_max - 1), &frame_table[0 .. PROVE_FRAMES - 1]); */

/* 2 MiB entries are excluded by `names`, so these are never called. */
/*@ requires \false; assigns \nothing; */
status_t block_can_count(uint64_t entry);
/*@ requires \false; assigns \nothing; */
void block_count(uint64_t entry);
/*@ requires \false; assigns \nothing; */
status_t block_can_drop(struct batch *batch, uint64_t entry);
/*@ requires \false; assigns \nothing; */
void block_drop(struct batch *batch, uint64_t entry);

/* Assumed of block.c: epochs are all it changes.  (That of the block's head, too, of which nothing here speaks.) */
/*@ assigns page->epoch; */
void block_page_drop(struct frame *page);

/*@ requires reportable(batch) && n <= 2;
    assigns \nothing;
    ensures \result != 0 <==> batch->result_count + n <= batch->result_max; */
static inline int batch_has_room(const struct batch *batch, uint32_t n);

/*@ requires reportable(batch) && batch->result_count < batch->result_max;
    assigns batch->result_count, batch->results[0 .. batch->result_max - 1];
    ensures batch->result_count == \old(batch->result_count) + 1; */
static inline void batch_result(struct batch *batch, uint64_t value);

/*@ requires machine && \exists integer n; 0 <= n < frame_count && frame == &frame_table[n];
    assigns \nothing; */
static inline pfn_t frame_pfn(const struct frame *frame);

/*@ requires machine && reportable(batch) && batch->result_count < batch->result_max;
    requires \exists integer n; 0 <= n < frame_count && target == &frame_table[n];
    requires target->type < FRAME_TYPES;
    assigns target->epoch, target->flags, batch->result_count,
      batch->results[0 .. batch->result_max - 1];
    ensures stamped: !(\old(target->flags) & FRAME_BLOCK) ==> target->epoch == flush_epoch &&
      target->flags == (\old(target->flags) & ~FRAME_BLANK) &&
      batch->result_count == \old(batch->result_count) + 1;
    ensures block: \old(target->flags) & FRAME_BLOCK ==> target->flags == \old(target->flags); */
static inline void entry_last_gone(struct batch *batch, struct frame *target);

/*@ requires machine && names(entry);
    assigns \nothing;
    ensures room: \result == ST_OK ==> frame_table[target(entry)].refs < frame_refs_limit;
    ensures once: \result == ST_OK && frame_table[target(entry)].type == FRAME_MSG ==>
      frame_table[target(entry)].refs == 0; */
static inline status_t entry_can_count(uint64_t entry);

/*@ requires machine && names(entry);
    requires frame_table[target(entry)].refs < frame_refs_limit;
    assigns frame_table[target(entry)].refs, flush_epoch;
    ensures counted: !uncounted(frame_table[target(entry)].type) ==>
      frame_table[target(entry)].refs == \old(frame_table[target(entry)].refs) + 1;
    ensures not_counted: uncounted(frame_table[target(entry)].type) ==>
      frame_table[target(entry)].refs == \old(frame_table[target(entry)].refs);
    ensures quiet: !uncounted(frame_table[target(entry)].type) &&
      \old(frame_table[target(entry)].refs) == 0 ==> frame_table[target(entry)].epoch != flush_epoch; */
static inline void entry_count(uint64_t entry);

/*@ requires machine && names(entry) && reportable(batch);
    assigns \nothing;
    ensures room: \result == ST_OK && frame_table[target(entry)].refs == 1 ==>
      batch->result_count < batch->result_max; */
static inline status_t entry_can_drop(struct batch *batch, uint64_t entry);

/*@ requires machine && names(entry) && reportable(batch);
    requires !uncounted(frame_table[target(entry)].type) ==> frame_table[target(entry)].refs > 0;
    requires !uncounted(frame_table[target(entry)].type) && frame_table[target(entry)].refs == 1 ==>
      batch->result_count < batch->result_max;
    assigns frame_table[target(entry)].refs, frame_table[target(entry)].flags,
      frame_table[target(entry)].epoch, batch->result_count,
      batch->results[0 .. batch->result_max - 1];
    ensures uncounted: !uncounted(frame_table[target(entry)].type) ==>
      frame_table[target(entry)].refs == \old(frame_table[target(entry)].refs) - 1;
    ensures not_counted: uncounted(frame_table[target(entry)].type) ==>
      frame_table[target(entry)].refs == \old(frame_table[target(entry)].refs);
    ensures stamped: !uncounted(frame_table[target(entry)].type) &&
      frame_table[target(entry)].refs == 0 && !(\old(frame_table[target(entry)].flags) & FRAME_BLOCK) &&
      (entry & PTE_D) == 0 ==>
      frame_table[target(entry)].epoch == flush_epoch &&
      batch->result_count == \old(batch->result_count) + 1; */
static inline void entry_drop(struct batch *batch, uint64_t entry);

#include "entry.h"

/*@ axiomatic bits { // proved in bits.smt2
      axiom same_target: \forall uint64_t a, b;
        ((a ^ b) & (PTE_FRAME | PTE_PS)) == 0 ==> target(a) == target(b) && (large(a) <==> large(b));
    } */

/*@ requires machine && \valid_read(batch) && \valid_read(target);
    assigns \nothing;
    ensures special: \result == ST_OK ==> target->type == FRAME_MSG ||
      ((target->type == FRAME_ZERO || target->type == FRAME_TRACE) && (entry & PTE_W) == 0);
    ensures owned: \result == ST_OK && target->type != FRAME_ZERO ==> owns(batch->pool, *target); */
status_t entry_check_special(const struct batch *batch, uint64_t entry, const struct frame *target);

/* Of leaf tables; higher levels name tables, which entry_check_link() checks. */
/*@ requires machine && \valid_read(batch);
    requires level == 1 && (entry & ~ENTRY_LEAF) == 0;
    assigns \nothing;
    ensures writable: \result == ST_OK && (entry & PTE_W) != 0 ==>
      frame_table[target(entry)].type == FRAME_DATA || frame_table[target(entry)].type == FRAME_MSG;
    ensures ram: \result == ST_OK ==> target(entry) < frame_count;
    ensures owned: \result == ST_OK && frame_table[target(entry)].type != FRAME_ZERO ==>
      may_map(batch->pool, frame_table[target(entry)]); */
static inline status_t entry_check(struct batch *batch, uint32_t level, uint64_t entry);

/*@ requires machine && \valid(table) && names(value);
    requires table_number < frame_count && table->frame == &frame_table[table_number];
    requires \separated(table, &frame_table[0 .. PROVE_FRAMES - 1]);
    assigns frame_table[table_number].flags; */
static inline void table_mark_special(const struct table *table, uint64_t value);

/*@ requires machine && \valid(table) && names(value) && reportable(batch);
    requires table_number < frame_count && table->frame == &frame_table[table_number];
    requires \separated(table, &frame_table[0 .. PROVE_FRAMES - 1]);
    requires present(old) ==> names(old);
    assigns frame_table[target(value)].refs, frame_table[table_number].flags, flush_epoch;
    ensures counted: \result == ST_OK && !uncounted(frame_table[target(value)].type) ==>
      frame_table[target(value)].refs == \old(frame_table[target(value)].refs) + 1;
    ensures refused: \result != ST_OK || uncounted(frame_table[target(value)].type) ==>
      frame_table[target(value)].refs == \old(frame_table[target(value)].refs);
    ensures once: \result == ST_OK && frame_table[target(value)].type == FRAME_MSG ==>
      frame_table[target(value)].refs == 1;
    ensures room: \result == ST_OK && present(old) && target(old) != target(value) &&
      frame_table[target(old)].refs == 1 ==> batch->result_count < batch->result_max; */
static inline status_t put_present(
	struct batch *batch, const struct table *table, uint64_t old, uint64_t value);

/*@ requires machine && \valid(entry) && names(value) && names(*entry);
    requires \separated(entry, &frame_table[0 .. PROVE_FRAMES - 1]);
    assigns *entry, frame_table[target(value)].flags;
    ensures *entry == value; */
static void put_same_target(uint64_t *entry, uint64_t value);

/* A leaf, present or not, over any entry of a leaf table. */
/*@ requires machine && \forall integer n; 0 <= n < PROVE_FRAMES ==> frame_table[n].type < FRAME_TYPES;
    requires reportable(batch) && \valid(table) && \valid(entry);
    requires table->level == 1 && table_number < frame_count &&
      table->frame == &frame_table[table_number];
    requires \separated(table, &frame_table[0 .. PROVE_FRAMES - 1]) &&
      \separated(entry, &frame_table[0 .. PROVE_FRAMES - 1]) && \separated(entry, table, batch) &&
      \separated(entry, batch->results + (0 .. batch->result_max - 1)) &&
      \separated(table, batch->results + (0 .. batch->result_max - 1));
    requires old == *entry && (present(value) ==> (value & ~ENTRY_LEAF) == 0 && !large(value));
    requires present(old) ==> names(old) &&
      (!uncounted(frame_table[target(old)].type) ==> frame_table[target(old)].refs > 0);
    requires 0 <= frame_table[table_number].live + (value != 0 ? 1 : 0) - (old != 0 ? 1 : 0) <= TABLE_ENTRIES;
    assigns *entry, flush_epoch, batch->result_count, batch->results[0 .. batch->result_max - 1],
      frame_table[target(value)].refs, frame_table[target(value)].flags,
      frame_table[target(old)].refs, frame_table[target(old)].flags, frame_table[target(old)].epoch,
      frame_table[table_number].live, frame_table[table_number].flags;
    ensures refused: \result != ST_OK ==> *entry == old &&
      frame_table[table_number].live == \old(frame_table[table_number].live) &&
      \forall integer n; 0 <= n < frame_count ==> frame_table[n].refs == \at(frame_table[n], Pre).refs;
    ensures stored: \result == ST_OK ==> *entry == value;
    ensures live: \result == ST_OK ==> frame_table[table_number].live ==
      \old(frame_table[table_number].live) + (value != 0 ? 1 : 0) - (old != 0 ? 1 : 0);
    ensures comes: \result == ST_OK && present(value) && !uncounted(frame_table[target(value)].type) ==>
      frame_table[target(value)].refs ==
        \old(frame_table[target(value)].refs) + 1 - share(old, target(value));
    ensures goes: \result == ST_OK && present(old) && !uncounted(frame_table[target(old)].type) ==>
      frame_table[target(old)].refs ==
        \old(frame_table[target(old)].refs) - 1 + share(value, target(old));
    ensures writable: \result == ST_OK && present(value) && (value & PTE_W) != 0 ==>
      frame_table[target(value)].type == FRAME_DATA || frame_table[target(value)].type == FRAME_MSG; */
static inline status_t table_put(struct batch *batch, const struct table *table, uint64_t *entry,
	uint64_t old, uint64_t value);

#include "../../kernel/table.c"

/* One entry, not 0, of any table whose links are not 2 MiB entries. */
/*@ requires machine && \forall integer n; 0 <= n < PROVE_FRAMES ==> frame_table[n].type < FRAME_TYPES;
    requires reportable(batch) && \valid(table) && \valid(entry);
    requires table_number < frame_count && table->frame == &frame_table[table_number];
    requires \separated(table, &frame_table[0 .. PROVE_FRAMES - 1]) &&
      \separated(entry, &frame_table[0 .. PROVE_FRAMES - 1]) && \separated(entry, table, batch) &&
      \separated(entry, batch->results + (0 .. batch->result_max - 1)) &&
      \separated(table, batch->results + (0 .. batch->result_max - 1));
    requires *entry != 0 && frame_table[table_number].live > 0;
    requires present(*entry) ==> names(*entry) &&
      (!uncounted(frame_table[target(*entry)].type) ==> frame_table[target(*entry)].refs > 0);
    assigns *entry, batch->result_count, batch->results[0 .. batch->result_max - 1],
      frame_table[target(*entry)].refs, frame_table[target(*entry)].flags,
      frame_table[target(*entry)].epoch, frame_table[table_number].live;
    ensures refused: \result != ST_OK ==> *entry == \old(*entry) &&
      frame_table[table_number].live == \old(frame_table[table_number].live) &&
      batch->result_count == \old(batch->result_count) &&
      \forall integer n; 0 <= n < frame_count ==> frame_table[n].refs == \at(frame_table[n], Pre).refs;
    ensures cleared: \result == ST_OK ==> *entry == 0;
    ensures live: \result == ST_OK ==>
      frame_table[table_number].live == \old(frame_table[table_number].live) - 1;
    ensures goes: \result == ST_OK && present(\old(*entry)) &&
      !uncounted(frame_table[target(\old(*entry))].type) ==>
      frame_table[target(\old(*entry))].refs == \at(frame_table[target(\old(*entry))].refs, Pre) - 1;
    ensures uncounted: \result == ST_OK && present(\old(*entry)) &&
      uncounted(frame_table[target(\old(*entry))].type) ==>
      frame_table[target(\old(*entry))].refs == \at(frame_table[target(\old(*entry))].refs, Pre);
    ensures reported: \result == ST_OK && !present(\old(*entry)) ==>
      batch->result_count == \old(batch->result_count) + 2; */
static inline status_t clear_entry(struct batch *batch, const struct table *table, uint64_t *entry);

#include "../../kernel/table_run.c"
