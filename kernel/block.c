/*
 * 2 MiB entries and the blocks of frames that they map.
 *
 * A block is 512 frames, aligned, DATA of one pool and not lent.  While a 2 MiB entry maps it, all
 * of its frames have FRAME_BLOCK, which keeps their type and pool, and the first, its head, counts
 * such entries in `live`.  Each frame still counts its own 4 KiB entries.  Forming and dissolving
 * a block touches 512 frames, and is paid for as such.
 *
 *   (frames) --first 2 MiB entry--> block --last one goes, or is split--> (frames)
 *      |                              ^ |
 *      '-------OP_BLOCK---> kept -----' '--last one goes--> kept
 *
 * A block that is kept (OP_BLOCK: FRAME_KEPT at its head) was looked at once, so mapping it costs no pass
 * over its frames.  `epoch` of its head stands for all of them while nothing maps it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"
#include "percpu.h"

static status_t block_check_frame(const struct frame *frame, uint16_t pool)
{
	if (frame->type == FRAME_NONE || frame->pool != pool)
		return ST_BAD_FRAME;
	if (frame->type != FRAME_DATA)
		return ST_WRONG_TYPE;
	return frame->flags & FRAME_LENT ? ST_BUSY : ST_OK;
}

/* Is it one of the caller's already, or can it be? */
static status_t block_check_frames(struct batch *batch, pfn_t pfn)
{
	const struct frame *head;
	status_t status = ST_OK;

	if (frame_count < BLOCK_FRAMES || pfn > frame_count - BLOCK_FRAMES)
		return ST_BAD_FRAME;
	head = &frame_table[pfn];
	if (!batch_owns(batch, head))
		return ST_BAD_FRAME;
	if (head->flags & FRAME_BLOCK)
		return ST_OK;
	if (!batch_take_work(batch, BLOCK_FRAMES))
		return ST_MORE;
	for (uint32_t i = 0; i < BLOCK_FRAMES && status == ST_OK; i++)
		status = block_check_frame(&head[i], head->pool);
	return status;
}

/* May the caller map this block, and can it be one? */
status_t block_check(struct batch *batch, uint64_t entry)
{
	if ((entry & ~ENTRY_LARGE) || pte_pfn(entry) % BLOCK_FRAMES != 0)
		return ST_BAD_ARGUMENT;
	return block_check_frames(batch, pte_pfn(entry));
}

/* May one more 2 MiB entry to this block exist? */
status_t block_can_count(uint64_t entry)
{
	const struct frame *head = entry_target(entry);

	return head->flags & FRAME_BLOCK && head->live >= frame_short_limit() ? ST_LIMIT : ST_OK;
}

/* All frames become one block.  True: translations to one that was unmapped may be left. */
static bool block_form(struct frame *head)
{
	bool stale = false;

	for (uint32_t i = 0; i < BLOCK_FRAMES; i++) {
		stale |= head[i].refs == 0 && head[i].epoch == flush_epoch;
		head[i].flags = (uint8_t)((head[i].flags & ~FRAME_BLANK) | FRAME_BLOCK);
	}
	return stale;
}

/* A block no more.  The head's DIRTY was that of all. */
static void block_dissolve(struct frame *head)
{
	uint8_t dirty = head->flags & FRAME_DIRTY;

	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		head[i].flags = (uint8_t)((head[i].flags & ~(FRAME_BLOCK | FRAME_KEPT)) | dirty);
}

/* Count a 2 MiB entry; the first forms the block, after a flush if one of its frames needs it. */
void block_count(uint64_t entry)
{
	struct frame *head = entry_target(entry);
	bool stale;

	if (head->live++ != 0)
		return;
	stale = head->flags & FRAME_BLOCK ? head->epoch == flush_epoch : block_form(head);
	if (unlikely(stale))
		flush_everything();
}

/* Can the end of a 2 MiB entry be reported, and paid for? */
status_t block_can_drop(struct batch *batch, uint64_t entry)
{
	if (entry_target(entry)->live > 1)
		return ST_OK;
	return batch_has_room(batch, 1) && batch_take_work(batch, BLOCK_FRAMES) ? ST_OK : ST_MORE;
}

/* A 2 MiB entry is no more; the last one dissolves the block, unless it is kept. */
void block_drop(struct batch *batch, uint64_t entry)
{
	struct frame *head = entry_target(entry);

	if (entry & PTE_D)
		head->flags |= FRAME_DIRTY;
	if (--head->live != 0)
		return;
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++)
		if (head[i].refs == 0)
			head[i].epoch = flush_epoch;
	if (head->flags & FRAME_KEPT)
		head->epoch = flush_epoch;
	else
		block_dissolve(head);
	batch_result(batch, ((uint64_t)RESULT_FRAME << 60) | RESULT_BLOCK |
				    ((uint64_t)(head->flags & FRAME_DIRTY) << 32) | pte_pfn(entry));
}

/* The last 4 KiB entry to a page of a block went.  If nothing else maps it, the next one waits for a flush. */
void block_page_drop(struct frame *page)
{
	struct frame *head = frame_block_head(page);

	if (head->live == 0)
		page->epoch = head->epoch = flush_epoch;
}

/* OP_BLOCK: a block is kept, or no longer. */
status_t block_op_keep(struct batch *batch, const struct op *op)
{
	pfn_t pfn = OP_PFN(op->head);
	struct frame *head;
	status_t status;

	if (op->a > 1 || op->b || pfn % BLOCK_FRAMES != 0)
		return ST_BAD_ARGUMENT;
	status = block_check_frames(batch, pfn);
	if (status != ST_OK)
		return status;
	head = &frame_table[pfn];
	if ((op->a != 0) == ((head->flags & FRAME_KEPT) != 0))
		return ST_MISMATCH;
	if (op->a == 0) {
		if (head->live == 0 && !batch_take_work(batch, BLOCK_FRAMES))
			return ST_MORE;
		if (head->live == 0)
			block_dissolve(head);
		head->flags &= (uint8_t)~FRAME_KEPT;
		return ST_OK;
	}
	if (!(head->flags & FRAME_BLOCK) && block_form(head))
		head->epoch = flush_epoch;
	head->flags |= FRAME_KEPT;
	return ST_OK;
}

/* ---- splitting ---- */

/* Can all pages be counted once more?  (A limit is a question only when a test has lowered it.) */
static bool pages_can_be_counted(const struct frame *head)
{
	for (uint32_t i = 0; frame_refs_limit != FRAME_REFS_MAX && i < BLOCK_FRAMES; i++)
		if (head[i].refs >= frame_refs_limit)
			return false;
	return true;
}

static status_t block_split_check(struct batch *batch, const struct op *op, uint64_t entry)
{
	status_t status;

	if (entry_difference(entry, op->b) != 0)
		return ST_MISMATCH;
	if (!batch_owns(batch, entry_target(entry)))
		return ST_BAD_FRAME;
	status = split_check_fresh(batch, op->a);
	if (status != ST_OK)
		return status;
	if (!batch_take_work(batch, BLOCK_FRAMES))
		return ST_MORE;
	return pages_can_be_counted(entry_target(entry)) ? ST_OK : ST_LIMIT;
}

/* The table's entries, all to one block. */
static void block_fill(struct frame *head, uint64_t *table, uint64_t entry)
{
	for (uint32_t i = 0; i < BLOCK_FRAMES; i++) {
		head[i].refs++;
		table[i] = entry + (uint64_t)i * PAGE_SIZE;
	}
}

/*
 * OP_SPLIT of a 2 MiB entry.  The same pages with the same rights stay mapped, so nothing need be flushed before;
 * in one exchange the block loses this entry, and its frames have 4 KiB ones.
 */
status_t block_split(struct batch *batch, const struct op *op, uint64_t *parent)
{
	uint64_t entry = *parent;
	struct frame *head = entry_target(entry), *fresh;
	status_t status = block_split_check(batch, op, entry);

	if (status != ST_OK)
		return status;
	fresh = &frame_table[op->a];
	if (fresh->epoch == flush_epoch)
		flush_everything();
	block_fill(head, frame_memory((pfn_t)op->a), entry & ~(PTE_PS | PTE_D));
	fresh->type = FRAME_L1;
	fresh->flags = 0;
	fresh->live = TABLE_ENTRIES;
	fresh->refs = 1;
	entry = __atomic_exchange_n(parent, pte_make((pfn_t)op->a, PTE_P | PTE_W | PTE_U | PTE_A),
		__ATOMIC_RELAXED);
	if (entry & PTE_D)
		head->flags |= FRAME_DIRTY;
	if (--head->live == 0)
		block_dissolve(head);
	counters.tables_split++;
	return ST_OK;
}
