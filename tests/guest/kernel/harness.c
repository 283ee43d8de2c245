/*
 * The frame of the tests: reports, batches, frames, windows, and taking apart what a test made.
 *
 * Rules:
 *   - a test takes frames only from the ranges that init handed over, so that everything it made
 *     is found again by looking at those entries of the frame table
 *   - taking apart uses ordinary operations only: threads, ports, entries, spaces, tables, holds,
 *     frames, pools, in this order.  A frame that cannot go back to FREE then is a leak
 *   - nothing is printed while a test runs: text and operations share the message page
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"
#include <server/print.h>
#include <server/string.h>

const struct raw_boot *boot;

bool command_line_has(const char *word)
{
	size_t length = strlen(word);

	for (const char *at = boot->command_line; *at; at++)
		if (strncmp(at, word, length) == 0 && (at[length] == 0 || at[length] == ' '))
			return true;
	return false;
}
struct batch_outcome outcome;
uint64_t results[OP_RESULTS_MAX];

static struct {
	const char *file, *what, *skipped;
	int line;
	uint64_t got, wanted;
	bool failed;
} reason;

bool fail(const char *file, int line, const char *what, uint64_t got, uint64_t wanted)
{
	if (!reason.failed) {
		reason.file = file;
		reason.line = line;
		reason.what = what;
		reason.got = got;
		reason.wanted = wanted;
		reason.failed = true;
	}
	return false;
}

bool skip(const char *why)
{
	reason.skipped = why;
	return true;
}

void report(const char *format, ...)
{
	va_list arguments;
	size_t bytes;

	va_start(arguments, format);
	bytes = print_text_list(MESSAGE_PAGE, PAGE_SIZE, format, arguments);
	va_end(arguments);
	coverage_call(CALL_DEBUG, kernel_call(CALL_DEBUG, DEBUG_LOG, bytes, 0, 0, 0, 0, NULL));
}

/* ---- calls ---- */

status_t call4(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	status_t status = kernel_call(number, a0, a1, a2, a3, a4, 0, NULL);

	coverage_call(number, status);
	return status;
}

status_t call(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t out[3])
{
	status_t status = kernel_call(number, a0, a1, a2, a3, 0, 0, out);

	coverage_call(number, status);
	return status;
}

static struct info_boot information;

const struct info_boot *boot_information(void)
{
	if (information.magic != INFO_MAGIC && call(CALL_INFO, INFO_BOOT, 0, 0, 0, NULL) == ST_OK) {
		information = *(const struct info_boot *)MESSAGE_PAGE;
	}
	return &information;
}

struct info_counters counters_now(void)
{
	struct info_counters counters = { 0 };

	if (call(CALL_INFO, INFO_COUNTERS, 0, 0, 0, NULL) == ST_OK) {
		counters = *(const struct info_counters *)MESSAGE_PAGE;
	}
	return counters;
}

bool machine_has(uint32_t features)
{
	return (boot_information()->features_used & features) == features;
}

/* ---- batches ---- */

static struct op *const batch_ops = MESSAGE_PAGE;
static uint32_t batch_count;

void batch_begin(void)
{
	batch_count = 0;
}

void batch_add(uint64_t head, uint64_t a, uint64_t b)
{
	batch_ops[batch_count++] = (struct op){ head, a, b };
}

/* Which status each operation of the batch just run had.  (Lists of OP_FILL stand in the way of
   counting, so only the one at the index that was reached is noted, and the first.) */
static void batch_note(uint64_t first_head, uint64_t reached_head, status_t status)
{
	if (status == ST_OK || outcome.done > 0) {
		coverage_operation(OP_CODE(first_head), ST_OK);
	}
	if (status != ST_OK && outcome.done < batch_count) {
		coverage_operation(OP_CODE(reached_head), status);
	}
}

status_t batch_end(void)
{
	static struct op kept[OP_MAX_IN_PAGE];
	status_t status;

	for (uint32_t i = 0; i < batch_count; i++) {
		kept[i] = batch_ops[i];
	}
	status = kernel_batch_in_page(batch_count, &outcome);
	if (outcome.results > OP_RESULTS_MAX) {
		fail(__FILE__, __LINE__, "number of results", outcome.results, OP_RESULTS_MAX);
		outcome.results = 0;
	}
	for (uint64_t i = 0; i < outcome.results; i++) {
		results[i] = ((const uint64_t *)MESSAGE_PAGE)[OP_RESULTS_OFFSET / 8 + i];
	}
	batch_note(kept[0].head, kept[outcome.done < batch_count ? outcome.done : 0].head, status);
	return status;
}

status_t op_run(uint64_t head, uint64_t a, uint64_t b)
{
	batch_begin();
	batch_add(head, a, b);
	return batch_end();
}

status_t op_on(uint32_t op, pfn_t pfn, uint64_t a, uint64_t b)
{
	return op_run(op_head(op, 0, pfn, 0, 1), a, b);
}

status_t op_at(uint32_t op, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b)
{
	return op_run(op_head(op, 0, pfn, index, 1), a, b);
}

status_t op_many(uint32_t op, pfn_t pfn, uint32_t index, uint32_t count, uint64_t a, uint64_t b)
{
	return op_run(op_head(op, 0, pfn, index, count), a, b);
}

status_t op_flagged(uint32_t op, uint32_t flags, pfn_t pfn, uint32_t index, uint32_t count,
	uint64_t a, uint64_t b)
{
	return op_run(op_head(op, flags, pfn, index, count), a, b);
}

status_t op_fill(pfn_t table, uint32_t index, uint32_t n, uint64_t bits, uint64_t expected,
	const uint32_t *list)
{
	batch_begin();
	batch_add(op_head(OP_FILL, 0, table, index, n), bits, expected);
	for (uint32_t i = 0; i < n; i += 6) {
		uint32_t six[6] = { 0 };

		for (uint32_t k = 0; k < 6 && i + k < n; k++) {
			six[k] = list[i + k];
		}
		batch_add(six[0] | (uint64_t)six[1] << 32, six[2] | (uint64_t)six[3] << 32,
			six[4] | (uint64_t)six[5] << 32);
	}
	return batch_end();
}

uint64_t table_entry(pfn_t table, uint32_t index)
{
	if (op_many(OP_READ, table, index, 1, 0, 0) != ST_OK || outcome.results != 1) {
		fail(__FILE__, __LINE__, "an entry can be read", table, index);
		return 0;
	}
	return results[0];
}

/* ---- frames ---- */

#define OWN_MAX	  16384u
#define POOLS_MAX 16u

static uint32_t own_count;			 /* frames in the ranges */
enum { OWN_NOT_TAKEN, OWN_TAKEN, OWN_FOR_EVER }; /* by the running test; by the harness */
static uint8_t own_taken[OWN_MAX];
static uint32_t own_next;	  /* where the search for an unused frame goes on */
static uint16_t pools[POOLS_MAX]; /* made by the running test, parents first */
static uint32_t pool_count;

static pfn_t own_frame(uint32_t number)
{
	for (uint32_t i = 0; i < boot->range_count; i++) {
		if (number < boot->ranges[i].count) {
			return boot->ranges[i].first + number;
		}
		number -= boot->ranges[i].count;
	}
	return 0;
}

static bool own_is_unused(uint32_t number)
{
	const struct frame *frame = &FRAMES[own_frame(number)];

	return own_taken[number] == OWN_NOT_TAKEN && frame->type == FRAME_FREE &&
	       frame->pool == boot->pool;
}

uint16_t frame_pool;

/* Into the pool that the test builds in. */
static pfn_t frame_give(pfn_t pfn)
{
	if (frame_pool && op_on(OP_TRANSFER, pfn, frame_pool, 0) != ST_OK) {
		fail(__FILE__, __LINE__, "an unused frame can be given away", pfn, frame_pool);
		return 0;
	}
	return pfn;
}

pfn_t frame_take(void)
{
	for (uint32_t tried = 0; tried < own_count; tried++) {
		uint32_t number = own_next;

		own_next = own_next + 1 < own_count ? own_next + 1 : 0;
		if (own_is_unused(number)) {
			own_taken[number] = OWN_TAKEN;
			return frame_give(own_frame(number));
		}
	}
	fail(__FILE__, __LINE__, "there is an unused frame", 0, 1);
	return 0;
}

pfn_t frame_take_as(frame_type_t type)
{
	pfn_t pfn = frame_take();

	if (pfn && op_on(OP_RETYPE, pfn, type, 0) != ST_OK) {
		fail(__FILE__, __LINE__, "an unused frame can be retyped", pfn, type);
		return 0;
	}
	return pfn;
}

/* Are the frames of numbers first..first+count-1 unused and in a row? */
static bool own_row_is_unused(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!own_is_unused(first + i) || own_frame(first + i) != own_frame(first) + i) {
			return false;
		}
	}
	return true;
}

bool frame_is_own(pfn_t pfn)
{
	uint32_t number = 0;

	for (uint32_t i = 0; i < boot->range_count; i++) {
		if (pfn - boot->ranges[i].first < boot->ranges[i].count) {
			number += pfn - boot->ranges[i].first;
			return own_taken[number] != OWN_FOR_EVER;
		}
		number += boot->ranges[i].count;
	}
	return false;
}

pfn_t frame_take_row(uint32_t count, uint32_t align)
{
	for (uint32_t first = 0; first + count <= own_count; first++) {
		if (own_frame(first) % align != 0 || !own_row_is_unused(first, count)) {
			continue;
		}
		for (uint32_t i = 0; i < count; i++) {
			own_taken[first + i] = OWN_TAKEN;
		}
		return own_frame(first);
	}
	fail(__FILE__, __LINE__, "there are unused frames in a row", count, align);
	return 0;
}

uint64_t frame_contents_sum(pfn_t pfn)
{
	(void)kernel_call(CALL_DEBUG, DEBUG_SUMS, pfn, 0, 0, 0, 0, NULL);
	return *(const volatile uint64_t *)MESSAGE_PAGE;
}

uint32_t frame_count_type(frame_type_t type)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < own_count; i++) {
		count += FRAMES[own_frame(i)].type == type;
	}
	return count;
}

status_t pool_make(uint16_t *pool)
{
	return pool_make_limited(pool, 0);
}

status_t pool_make_limited(uint16_t *pool, uint64_t limits)
{
	status_t status = op_on(OP_POOL_CREATE, 0, limits, 0);

	if (status == ST_OK && outcome.results == 1 && pool_count < POOLS_MAX) {
		*pool = (uint16_t)results[0];
		pools[pool_count++] = *pool;
	}
	return status;
}

/* ---- windows: one L1 of our own, below a 2 MiB part of the address space that nobody uses ---- */

#define WINDOW_ADDRESS 0x0000004000000000ull
#define WINDOWS	       4u
static pfn_t window_table;

status_t window_set(uint32_t window, uint64_t entry)
{
	return op_at(OP_SET, window_table, window, entry, 0);
}

uint64_t *window_open(uint32_t window, pfn_t pfn)
{
	status_t status = window_set(window, pte_make(pfn, PTE_P | PTE_W | PTE_U | PTE_NX));

	if (status != ST_OK) {
		fail(__FILE__, __LINE__, "a window can be opened", status, pfn);
	}
	return (uint64_t *)(WINDOW_ADDRESS + window * PAGE_SIZE);
}

void window_close(uint32_t window)
{
	if (op_flagged(OP_CLEAR, FLUSH_ALL, window_table, window, 1, 0, 0) != ST_OK) {
		fail(__FILE__, __LINE__, "a window can be closed", window, 0);
	}
}

void frame_fill(pfn_t pfn, uint64_t value)
{
	volatile uint64_t *words = window_open(3, pfn);

	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++) {
		words[i] = value;
	}
	window_close(3);
}

bool frame_holds(pfn_t pfn, uint64_t value)
{
	volatile uint64_t *words = window_open(3, pfn);
	bool same = true;

	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++) {
		same = same && words[i] == value;
	}
	window_close(3);
	return same;
}

bool frame_holds_word(pfn_t pfn, uint64_t value)
{
	bool same = *(volatile uint64_t *)window_open(3, pfn) == value;

	window_close(3);
	return same;
}

/* A message page is mapped once, by its owner: it is looked at through a copy. */
static pfn_t staging;
#define WINDOW_STAGING 2u

void *message_open(pfn_t message)
{
	if (op_on(OP_COPY_FRAME, message, staging, 0) != ST_OK) {
		fail(__FILE__, __LINE__, "a message page can be read", message, 0);
	}
	return window_open(WINDOW_STAGING, staging);
}

void message_close(pfn_t message)
{
	window_close(WINDOW_STAGING);
	if (op_on(OP_COPY_FRAME, staging, message, 0) != ST_OK) {
		fail(__FILE__, __LINE__, "a message page can be written", message, 0);
	}
}

/* ---- taking apart ---- */

static void apart_operation(uint32_t op, uint32_t index, uint32_t count, pfn_t pfn, uint64_t a)
{
	for (;;) {
		status_t status = op_many(op, pfn, index, count, a, 0);

		if (status != ST_MORE) {
			return;
		}
		if (op == OP_CLEAR) {
			index += (uint32_t)outcome.entries;
			count -= (uint32_t)outcome.entries;
		}
	}
}

static void apart_table(pfn_t pfn)
{
	if (FRAMES[pfn].type == FRAME_TOP) {
		apart_operation(OP_CLEAR, LAYOUT_USER_FIRST_SLOT,
			LAYOUT_USER_LAST_SLOT - LAYOUT_USER_FIRST_SLOT + 1, pfn, 0);
		apart_operation(OP_CLEAR, LAYOUT_VMALLOC_FIRST_SLOT,
			LAYOUT_VMALLOC_LAST_SLOT - LAYOUT_VMALLOC_FIRST_SLOT + 1, pfn, 0);
		apart_operation(OP_CLEAR, LAYOUT_MESSAGE_SLOT, 1, pfn, 0);
	} else {
		apart_operation(OP_CLEAR, 0, TABLE_ENTRIES, pfn, 0);
	}
}

/* Takes apart one frame if it has a type of this round; see apart_everything for the order. */
static void apart_frame(pfn_t pfn, uint32_t round)
{
	frame_type_t type = FRAMES[pfn].type;

	if ((round == 0 && type == FRAME_THREAD) || (round == 1 && type == FRAME_PORT) ||
		(round == 3 && type == FRAME_SPACE)) {
		apart_operation(OP_DESTROY, 0, 1, pfn, 0);
	} else if (round == 2 && type >= FRAME_L1 && type <= FRAME_TOP) {
		apart_table(pfn);
	} else if (round == 4 && (type == FRAME_DATA || (type >= FRAME_L1 && type < FRAME_TOP))) {
		if (FRAMES[pfn].flags & FRAME_LENT) {
			apart_operation(OP_LEND, 0, 1, pfn, 0);
		}
		for (uint32_t holds = FRAMES[pfn].holds; holds > 0; holds--) {
			apart_operation(OP_RELEASE, 0, 1, pfn, 0);
		}
	} else if (round == 5 && type != FRAME_FREE) {
		apart_operation(OP_RETYPE, 0, 1, pfn, FRAME_FREE);
	} else if (round == 6 && FRAMES[pfn].pool != boot->pool) {
		apart_operation(OP_TRANSFER, 0, 1, pfn, boot->pool);
	}
}

static void apart_handles(void)
{
	for (uint32_t slot = SLOT_FREE; slot < HANDLE_SLOTS; slot++) {
		(void)kernel_call(CALL_HANDLE, HANDLE_DROP, slot, 0, 0, 0, 0, NULL);
	}
}

/* What waits at our port.  (A notification that is received also gives us our own priority back.)
   */
static void apart_messages(void)
{
	struct message message = { 0 };

	(void)kernel_call(CALL_NOTIFY, SLOT_SELF, 1, 0, 0, 0, 0, NULL);
	while (ipc_reply_receive(SLOT_SELF | RR_RECEIVE | RR_NONBLOCK, &message) == ST_OK) {
	}
}

static void apart_everything(void)
{
	(void)kernel_call(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 0, 0, 0, 0, NULL);
	(void)kernel_call(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_NO_FLUSH, 0, 0, 0, 0, NULL);
	(void)kernel_call(CALL_TIMER, TIMER_SET, 0, 0, 0, 0, 0, NULL);
	(void)kernel_call(CALL_TIMER, TIMER_BIND, SLOT_SELF, NOTIFY_TIMER, 0, 0, 0, NULL);
	frame_pool = 0;
	for (uint32_t window = 0; window < WINDOWS; window++) {
		apart_operation(OP_CLEAR, window, 1, window_table, 0);
	}
	for (uint32_t round = 0; round <= 6; round++) {
		for (uint32_t i = 0; i < own_count; i++) {
			pfn_t pfn = own_frame(i);

			if (FRAMES[pfn].type != FRAME_FREE || FRAMES[pfn].pool != boot->pool) {
				if (own_taken[i] != OWN_FOR_EVER) {
					apart_frame(pfn, round);
				}
			}
			if (round == 6 && own_taken[i] != OWN_FOR_EVER) {
				own_taken[i] = OWN_NOT_TAKEN;
			}
		}
	}
	while (pool_count > 0) {
		apart_operation(OP_POOL_DESTROY, 0, 1, 0, pools[--pool_count]);
	}
	apart_handles();
	apart_messages();
	steps_clear();
}

void test_undo(void)
{
	apart_everything();
}

/* ---- before and after a test ---- */

static uint32_t types_before[FRAME_TYPES];

static bool kernel_is_ok(void)
{
	uint64_t out[3];
	status_t status = kernel_call(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0, 0, out);

	coverage_call(CALL_DEBUG, status);
	return status == ST_OK ||
	       fail("kernel_ok", (int)out[1], "rule (line) broken at frame", out[0], 0);
}

/* Whatever the test did, the zero frame is the zero frame. */
static bool zero_frame_is_zero(void)
{
	static uint64_t sum;
	uint64_t now = frame_contents_sum((pfn_t)boot->zero_frame);

	sum = sum ? sum : now;
	return now == sum || fail(__FILE__, __LINE__, "the zero frame is as it was", now, sum);
}

static bool frames_are_back(void)
{
	static const char *const names[FRAME_TYPES] = {
		"NONE",
		"FREE",
		"DATA",
		"ZERO",
		"L1",
		"L2",
		"L3",
		"L4",
		"TOP",
		"SPACE",
		"THREAD",
		"PORT",
		"MSG",
		"TRACE",
		"KERNEL",
	};
	for (uint32_t type = 0; type < FRAME_TYPES; type++) {
		uint32_t count = frame_count_type(type);

		if (count != types_before[type]) {
			return fail("frames left with type", (int)type, names[type], count,
				types_before[type]);
		}
	}
	return true;
}

static bool test_run(const struct test *test)
{
	bool passed;

	reason.failed = false;
	reason.skipped = NULL;
	passed = test->run();
	passed = kernel_is_ok() && passed; /* before, it was checked at the end of the last test */
	apart_everything();
	passed = kernel_is_ok() && passed;
	passed = frames_are_back() && zero_frame_is_zero() && passed;
	return passed && !reason.failed;
}

void report_failure(const char *name)
{
	report("FAIL %s: %s:%d: %s: got %lx, wanted %lx\n", name, reason.file, reason.line, reason.what,
		reason.got, reason.wanted);
}

static void test_report(const struct test *test, bool passed, struct tally *tally)
{
	if (!passed) {
		tally->failed++;
		report_failure(test->name);
	} else if (reason.skipped) {
		tally->skipped++;
		report("skip %s: %s\n", test->name, reason.skipped);
	} else {
		tally->passed++;
		report("ok %s\n", test->name);
	}
}

/* `only` is a name, or with a * at its end the beginning of names. */
static bool is_wanted(const char *name, const char *only)
{
	size_t length = only ? strlen(only) : 0;

	if (length > 0 && only[length - 1] == '*') {
		return strncmp(only, name, length - 1) == 0;
	}
	return !only || strcmp(only, name) == 0;
}

void harness_run(const struct test *tests, const char *only, struct tally *tally)
{
	for (const struct test *test = tests; test->name; test++) {
		if (is_wanted(test->name, only)) {
			test_report(test, test_run(test), tally);
		}
	}
}

/* The tables of the windows and the staging frame stay. */
static bool windows_make(void)
{
	pfn_t scratch = frame_take_as(FRAME_DATA);
	bool mapped = map_page(boot->top, WINDOW_ADDRESS, scratch, PTE_P | PTE_W | PTE_U | PTE_NX);

	window_table = walk_table(boot->top, WINDOW_ADDRESS, 1);
	staging = frame_take_as(FRAME_DATA);
	for (uint32_t i = 0; i < own_count; i++) {
		bool stays = own_taken[i] == OWN_TAKEN && own_frame(i) != scratch;

		own_taken[i] = stays ? OWN_FOR_EVER : OWN_NOT_TAKEN;
	}
	return mapped && window_table &&
	       op_flagged(OP_CLEAR, FLUSH_ALL, window_table, 0, 1, 0, 0) == ST_OK;
}

bool harness_start(const struct raw_boot *raw_boot)
{
	boot = raw_boot;
	for (uint32_t i = 0; i < boot->range_count; i++) {
		own_count += boot->ranges[i].count;
	}
	if (boot->magic != RAW_BOOT_MAGIC || own_count > OWN_MAX || boot->levels != LAYOUT_LEVELS) {
		report("FAIL start: boot structure not as expected\n");
		return false;
	}
	if (!windows_make()) {
		report("FAIL start: no windows\n");
		return false;
	}
	apart_everything();
	for (uint32_t type = 0; type < FRAME_TYPES; type++) {
		types_before[type] = frame_count_type(type);
	}
	return kernel_is_ok();
}
