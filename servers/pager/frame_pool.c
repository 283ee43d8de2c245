/*
 * The pager's frames (model and rules: frame_pool.h).
 *
 * While the pager starts there are no words for frames yet: the first frames, which hold those
 * words, are taken off the boot structure's ranges in order.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "frame_pool.h"

#include "blocks.h"
#include "check.h"
#include "heap.h"

#define RESERVE_PAGER	     64u /* least number kept for the pager itself */
#define RESERVE_SERVER_LEAST 64u
#define RESERVE_SHARE	     64u  /* one frame in so many is kept for servers */
#define RETYPE_FRAMES	     512u /* by one operation */
#define QUEUE_LOW	     512u /* frames above the reserves */

struct frame_pool frame_pool;
enum frame_class frame_pool_class = FRAMES_PAGER;

struct frames_taken frames_taken;

/* The next frame of the boot structure, while there are no words for frames. */
static struct {
	const struct pager_boot *boot;
	uint32_t range, index;
	uint64_t wanted_reserve;
} cursor;

/* See the header. */
pfn_t frame_pool_take_first(void)
{
	const struct pager_boot_range *range = &cursor.boot->ranges[cursor.range];

	frame_pool.free--;
	while (cursor.index >= range->count) {
		cursor.index = 0;
		range = &cursor.boot->ranges[++cursor.range];
	}
	return range->first + cursor.index++;
}

/* Type a run of FREE frames DATA and queue them. */
static status_t queue_run(pfn_t first, uint32_t count)
{
	while (count > 0) {
		uint32_t now = count < RETYPE_FRAMES ? count : RETYPE_FRAMES;
		status_t status;

		mmu_add(op_head(OP_RETYPE, 0, first, 0, now), FRAME_DATA, 0);
		status = mmu_run();
		if (status != ST_OK)
			return status;
		for (uint32_t i = 0; i < now; i++)
			frame_pool_put(first + i);
		first += now;
		count -= now;
	}
	return ST_OK;
}

/* Type an aligned run of FREE frames DATA, and make it a block. */
static status_t add_block(pfn_t head)
{
	status_t status;

	mmu_add(op_head(OP_RETYPE, 0, head, 0, BLOCK_FRAMES), FRAME_DATA, 0);
	status = mmu_run();
	return status == ST_OK ? blocks_add(head) : status;
}

/* The last aligned ones of a range, at most half of it, are blocks; the rest is queued. */
static status_t share_out_range(pfn_t first, uint32_t count)
{
	pfn_t end = first + count, high = end & ~(BLOCK_FRAMES - 1), low = high;
	status_t status;

	while (low >= first + BLOCK_FRAMES && end - low < count / 2 && low - BLOCK_FRAMES >= end - count / 2)
		low -= BLOCK_FRAMES;
	if (low == high)
		return queue_run(first, count);
	status = queue_run(first, low - first);
	for (; low != high && status == ST_OK; low += BLOCK_FRAMES)
		status = add_block(low);
	return status == ST_OK ? queue_run(high, end - high) : status;
}

/* Give every frame its kind: the first `used` of the ranges are the pager's own by now. */
static status_t queue_ranges(uint64_t used)
{
	frame_pool.free = 0;
	for (uint32_t i = 0; i < cursor.boot->range_count; i++) {
		struct pager_boot_range range = cursor.boot->ranges[i];
		status_t status;

		for (; range.count > 0 && used > 0; range.count--, used--)
			frame_pool_set_kind(range.first++, KIND_OWN);
		status = share_out_range(range.first, range.count);
		if (status != ST_OK)
			return status;
	}
	return ST_OK;
}

/* Keep `quick` what it is to be. */
static void reserves_changed(void)
{
	for (uint32_t class = 0; class < FRAME_CLASSES; class++)
		frame_pool.quick[class] =
			frame_pool.fail_at != 0 ? UINT64_MAX : frame_pool.reserve[class];
}

static void set_reserves(uint64_t wanted)
{
	uint64_t server = frame_pool.total / RESERVE_SHARE;

	if (wanted != 0)
		server = wanted;
	else if (server < RESERVE_SERVER_LEAST)
		server = RESERVE_SERVER_LEAST;
	frame_pool.reserve[FRAMES_PAGER] = 0;
	frame_pool.reserve[FRAMES_SERVER] = RESERVE_PAGER;
	frame_pool.reserve[FRAMES_PROGRAM] = RESERVE_PAGER + server;
	blocks.low = RESERVE_PAGER + server + QUEUE_LOW;
	reserves_changed();
}

/* See the header. */
status_t frame_pool_start(const struct pager_boot *boot)
{
	uint64_t bytes = boot->frame_count * sizeof(struct frame_info);
	uint64_t total = 0;
	void *words = heap_window(HEAP_FRAMES);
	status_t status;

	if (boot->range_count > PAGER_BOOT_RANGES)
		return ST_BAD_ARGUMENT;
	for (uint32_t i = 0; i < boot->range_count; i++)
		total += boot->ranges[i].count;
	frame_pool = (struct frame_pool){
		.frame_count = boot->frame_count, .total = total, .free = total
	};
	blocks = (struct blocks){ 0 };
	gather = (struct gather){ 0 };
	frame_pool_class = FRAMES_PAGER;
	cursor.boot = boot;
	cursor.range = cursor.index = 0;
	cursor.wanted_reserve = boot->reserve_frames;
	status = heap_grow(words, (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
	if (status != ST_OK)
		return status;
	frame_pool.info = words;
	set_reserves(cursor.wanted_reserve);
	return queue_ranges(total - frame_pool.free);
}

/* See the header. */
void frame_pool_set_reserve(uint64_t frames)
{
	set_reserves(frames != 0 ? frames : cursor.wanted_reserve);
}

/* See the header. */
bool frame_pool_must_fail(void)
{
	if (--frame_pool.fail_at != 0)
		return false;
	frame_pool.failed++;
	for (uint32_t class = 0; frame_pool.fail_onward && class < FRAME_CLASSES; class ++)
		frame_pool.reserve[class] = frame_pool.total;
	reserves_changed();
	return true;
}

/* See the header. */
uint64_t frame_pool_fail(uint64_t at, bool onward)
{
	uint64_t failed = frame_pool.failed;

	if (failed != 0 && frame_pool.fail_onward)
		set_reserves(cursor.wanted_reserve);
	frame_pool.fail_at = at;
	frame_pool.fail_onward = onward;
	frame_pool.failed = 0;
	reserves_changed();
	return failed;
}

/* Free frames, each linked to the one behind it; one store for each. */
static void link_run(struct frame_info *info, pfn_t next, uint32_t count)
{
	const struct frame_info first = { .next = next, .kind = KIND_FREE };
	struct frame_info *const behind = info + count;
	uint64_t word;

	__builtin_memcpy(&word, &first, sizeof(word));
#pragma GCC unroll 8
	for (; info != behind; info++, word++)
		__builtin_memcpy(info, &word, sizeof(word)); /* `next` is its low half */
}

/* See the header. */
void frame_pool_put_run(pfn_t first, uint32_t count)
{
	struct frame_info *info = frame_pool.info;

	if (frame_pool.first == 0)
		frame_pool.first = first;
	else
		info[frame_pool.last].next = first;
	frame_pool.free += count;
	frame_pool.last = first + count - 1;
	link_run(&info[first], first + 1, count);
	info[frame_pool.last].next = 0;
}

/* See the header. */
pfn_t frame_pool_unlink_run(uint32_t *count)
{
	pfn_t first = frame_pool.first, next = frame_pool.info[first].next;
	uint32_t run = 1;

	while (run < *count && next == first + run)
		next = frame_pool.info[first + run++].next;
	frame_pool.first = next;
	frame_pool.free -= run;
	*count = run;
	return first;
}

/* See the header. */
void frame_pool_put(pfn_t pfn)
{
	if (frame_pool.first != 0 && mmu_frame(pfn)->flags & FRAME_BLANK) {
		frame_pool.info[pfn] = (struct frame_info){ .kind = KIND_FREE };
		frame_pool.free++;
		frame_pool.blanks.kept++;
		if (frame_pool.blanks.first == 0)
			frame_pool.blanks.first = pfn;
		else
			frame_pool.info[frame_pool.blanks.last].next = pfn;
		frame_pool.blanks.last = pfn;
		return;
	}
	frame_pool_put_run(pfn, 1);
}

/* See the header. */
void frame_pool_use_blanks(void)
{
	frame_pool.first = frame_pool.blanks.first;
	frame_pool.last = frame_pool.blanks.last;
	frame_pool.blanks.first = frame_pool.blanks.last = 0;
	frame_pool.blanks.kept = frame_pool.blanks.spare = frame_pool.blanks.rest = 0;
}

static void take_back(pfn_t pfn)
{
	const struct frame *frame = mmu_frame(pfn);

	if (frame->refs != 0 || frame->holds != 0 || frame_kind(pfn) == KIND_FREE)
		return;
	if (frame->type != FRAME_DATA) {
		mmu_add(op_head(OP_RETYPE, 0, pfn, 0, 1), FRAME_DATA, 0);
		if (mmu_run() != ST_OK)
			return; /* an object that was made: its owner ends it */
	}
	frame_pool_put(pfn);
}

/* See the header. */
void frame_pool_undo(void)
{
	for (uint32_t i = 0; i < frames_taken.count; i++) {
		pfn_t first = (pfn_t)frames_taken.frames[i];
		uint32_t more = (uint32_t)(frames_taken.frames[i] >> FRAMES_RUN_SHIFT);

		if (frames_taken.frames[i] & FRAMES_TAKEN_SPLIT) {
			blocks_unsplit(first);
			continue;
		}
		for (uint32_t n = 0; n <= more; n++)
			take_back(first + n);
	}
	frames_taken.count = 0;
}

/* The frames of a queue, counted in *found: 0, or a rule of check.h. */
static uint32_t check_queue(pfn_t first, pfn_t last, uint64_t *found, uint64_t *where)
{
	for (pfn_t pfn = first; pfn != 0; pfn = frame_pool.info[pfn].next) {
		const struct frame *frame = mmu_frame(pfn);

		*where = pfn;
		if (pfn >= frame_pool.frame_count || frame_kind(pfn) != KIND_FREE ||
			++*found > frame_pool.free)
			return CHECK_FREE_QUEUE;
		if (frame->type != FRAME_DATA || frame->refs != 0 || frame->holds != 0)
			return CHECK_FREE_USED;
		if (frame_pool.info[pfn].next == 0 && pfn != last)
			return CHECK_FREE_QUEUE;
	}
	return CHECK_OK;
}

/* The stock: the kernel knows each of its frames to be zeros. */
static uint32_t check_blanks(uint64_t *found, uint64_t *where)
{
	uint64_t before = *found;
	uint32_t rule = check_queue(frame_pool.blanks.first, frame_pool.blanks.last, found, where);

	if (rule != CHECK_OK)
		return rule;
	for (pfn_t pfn = frame_pool.blanks.first; pfn != 0; pfn = frame_pool.info[pfn].next) {
		*where = pfn;
		if (!(mmu_frame(pfn)->flags & FRAME_BLANK))
			return CHECK_FREE_USED;
	}
	return *found - before == frame_pool_blanks() ? CHECK_OK : CHECK_FREE_QUEUE;
}

/* See the header. */
uint32_t frame_pool_check(uint64_t *where)
{
	uint64_t found = 0;
	uint32_t rule = check_queue(frame_pool.first, frame_pool.last, &found, where);

	if (rule == CHECK_OK)
		rule = check_blanks(&found, where);
	if (rule == CHECK_OK && found != frame_pool.free)
		rule = CHECK_FREE_QUEUE;
	if (rule == CHECK_OK)
		*where = 0;
	return rule;
}
