/*
 * kernelbench: what the kernel's own part costs, with the smallest server and the smallest pager.
 *
 * A raw server (<faultline/protocol/raw_boot.h>) with a client in a second space, built by the
 * means of the kernel's tests.  The client measures; the server answers with words, or as a pager
 * with one operation in registers.
 *
 *   T1              a call with four words and its answer
 *   T1.handles.N    the same, with N more handles in the client's table
 *   T1.threads.N    the same, with N more threads that wait in calls of their own
 *   T2.kernel       a fault that is answered with one entry for a page that is ready
 *   T3.kernel       the same with a page that the kernel clears
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../../guest/kernel/kernel_tests.h"
#include "../profile/mark.h"
#include <server/print.h>

#define WARM_UP	      10u
#define SAMPLES	      400u
#define LABEL_WORDS   1u
#define LABEL_END     2u
#define PORT_OTHERS   30u /* slot: where threads wait that have no part in it */
#define FAULT_PLACE   0x0000005000000000ull
#define THREADS_MOST  500u
#define HANDLES_FIRST 11u

static inline uint64_t ticks_now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* ---- the client; SUB_PRIVATE holds a word for each sample ---- */

static _Noreturn void client_end(void)
{
	struct message message = { .tag = LABEL_END };

	(void)ipc_call(SUB_SLOT_MAIN, &message);
	program_stop();
}

static void client_calls(uint64_t count, uint64_t unused)
{
	uint64_t *ticks = (uint64_t *)SUB_PRIVATE;
	struct message message = { .tag = LABEL_WORDS, .w = { 1, 2, 3, 4 } };

	(void)unused;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t start = ticks_now();

		(void)ipc_call(SUB_SLOT_MAIN, &message);
		ticks[i] = ticks_now() - start;
	}
	client_end();
}

static void client_faults(uint64_t count, uint64_t is_write)
{
	uint64_t *ticks = (uint64_t *)SUB_PRIVATE;

	for (uint64_t i = 0; i < count; i++) {
		volatile char *byte = (volatile char *)(FAULT_PLACE + (i + 1) * PAGE_SIZE);
		uint64_t start = ticks_now();

		if (is_write)
			*byte = 1;
		else
			(void)*byte;
		ticks[i] = ticks_now() - start;
	}
	client_end();
}

static void other_waits(uint64_t unused, uint64_t unused_too)
{
	struct message message = { .tag = LABEL_WORDS };

	(void)unused;
	(void)unused_too;
	(void)ipc_call(SUB_SLOT_A, &message);
	program_stop();
}

/* ---- the server ---- */

static struct info_counters at_begin, at_end;
static uint32_t received;

/* True at the end.  What is counted begins and ends here. */
static bool note_message(const struct message *message)
{
	if (++received == WARM_UP) {
		at_begin = counters_now();
		MARK(MARK_BEGIN);
	}
	if (TAG_LABEL(message->tag) != LABEL_END || message->tag & TAG_KERNEL)
		return false;
	MARK(MARK_END);
	at_end = counters_now();
	return true;
}

static void serve_words(void)
{
	struct message message = { 0 };
	uint64_t flags = RR_RECEIVE;

	while (ipc_reply_receive(SLOT_SELF | flags, &message) == ST_OK) {
		if (__builtin_expect(received < WARM_UP || TAG_LABEL(message.tag) == LABEL_END, 0) &&
			note_message(&message))
			return;
		flags = RR_RECEIVE | RR_REPLY;
	}
}

/* The pager of one table: any page is the zero frame, or the next of a row of frames. */
static void serve_faults(pfn_t table, pfn_t row)
{
	struct message message = { 0 };
	uint64_t flags = RR_RECEIVE;

	while (ipc_reply_receive(SLOT_SELF | flags, &message) == ST_OK) {
		uint32_t index = (uint32_t)(message.w[0] >> PAGE_SHIFT) % TABLE_ENTRIES;
		uint64_t ops = 1;

		if (__builtin_expect(received < WARM_UP || TAG_LABEL(message.tag) == LABEL_END, 0) &&
			note_message(&message))
			return;
		if (row) {
			message.w[0] = op_head(OP_ZERO, 0, row + index, 0, 1);
			message.w[1] = message.w[2] = 0;
			message.w[3] = op_head(OP_SET, 0, table, index, 1);
			message.w[4] = pte_make(row + index, PTE_P | PTE_W | PTE_U | PTE_NX | PTE_A | PTE_D);
			message.w[5] = 0;
			ops = 2;
		} else {
			message.w[0] = op_head(OP_SET, 0, table, index, 1);
			message.w[1] = pte_make((pfn_t)boot->zero_frame, PTE_P | PTE_U | PTE_NX | PTE_A);
			message.w[2] = 0;
		}
		message.tag = tag_make(FAULT_RESUME, 0) | ops << TAG_OPS_SHIFT;
		flags = RR_RECEIVE | RR_REPLY;
	}
}

/* ---- rows ---- */

static void sort(uint64_t *values, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint64_t value = values[i];
		uint32_t at = i;

		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

static void copy_samples(const struct sub *client, uint64_t *samples)
{
	const uint64_t *words = window_open(0, client->private);

	for (uint32_t i = 0; i < SAMPLES; i++)
		samples[i] = words[WARM_UP + i];
	window_close(0);
	sort(samples, SAMPLES);
}

/* For each exchange: those of the samples, and one whose halves are the answer to the last of the
   warm-up and the message that ends it. */
static uint64_t hundredths(uint64_t from, uint64_t to)
{
	return ((to - from) * 100 + SAMPLES / 2) / (SAMPLES + 1);
}

/* A reading of the counter follows each: it is one of the instructions between two readings. */
static uint64_t reading_ticks(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10; i++) {
		uint64_t start = ticks_now(), ticks = ticks_now() - start;

		least = ticks < least ? ticks : least;
	}
	return least;
}

static void report_row(const char *name, uint32_t number, const struct sub *client)
{
	static uint64_t samples[SAMPLES];
	uint64_t entries = hundredths(at_begin.kernel_entries + 1, at_end.kernel_entries);
	uint64_t cr3 = hundredths(at_begin.cr3_loads, at_end.cr3_loads);
	uint64_t flushing = hundredths(at_begin.cr3_loads_flushing, at_end.cr3_loads_flushing);
	uint64_t flushes = hundredths(at_begin.full_flushes + at_begin.hinted_flushes,
		at_end.full_flushes + at_end.hinted_flushes);
	uint64_t reading = reading_ticks();
	char text[40];

	copy_samples(client, samples);
	(void)print_text(text, sizeof(text), number ? "%s.%u" : "%s", name, number);
	report("BENCH %s %lu %lu.%02lu %lu.%02lu %lu.%02lu %lu.%02lu %lu %lu 0 %u\n", text,
		samples[SAMPLES / 2] - reading, entries / 100, entries % 100, cr3 / 100, cr3 % 100,
		flushing / 100, flushing % 100, flushes / 100, flushes % 100, samples[0] - reading,
		samples[SAMPLES - 1] - reading, SAMPLES + 1);
}

static bool client_make(struct sub *client)
{
	static const struct sub_wish wish = { .priority = PRIORITY_BELOW };

	received = 0;
	return sub_make(client, &wish);
}

static bool others_make(uint32_t count)
{
	static const struct sub_wish wish = { .priority = PRIORITY_ABOVE };
	static struct sub other;
	pfn_t port;

	if (count && !port_make(PORT_OTHERS, &port))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!sub_make(&other, &wish) ||
			sub_give(&other, SUB_SLOT_A, PORT_OTHERS, RIGHT_SEND, i + 1) != ST_OK ||
			!sub_start(&other, other_waits, 0, 0))
			return false;
	return true;
}

static bool handles_make(const struct sub *client, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (sub_give(client, HANDLES_FIRST + i, SLOT_SELF, RIGHT_SEND, i + 1) != ST_OK)
			return false;
	return true;
}

static void row_words(const char *name, uint32_t number, uint32_t handles, uint32_t threads)
{
	static struct sub client;

	if (!others_make(threads) || !client_make(&client) || !handles_make(&client, handles) ||
		!sub_start(&client, client_calls, WARM_UP + SAMPLES, 0)) {
		report_failure(name);
		return;
	}
	serve_words();
	report_row(name, number, &client);
	test_undo();
}

static void row_faults(const char *name, bool is_write)
{
	static struct sub client;
	pfn_t row = is_write ? frame_take_row(TABLE_ENTRIES, 1) : 0, first;

	if ((is_write && op_many(OP_RETYPE, row, 0, TABLE_ENTRIES, FRAME_DATA, 0) != ST_OK) ||
		!client_make(&client) || !(first = frame_take_as(FRAME_DATA)) ||
		!map_page(client.top, FAULT_PLACE, first, PTE_P | PTE_W | PTE_U | PTE_NX) ||
		!sub_start(&client, client_faults, WARM_UP + SAMPLES, is_write)) {
		report_failure(name);
		return;
	}
	serve_faults(walk_table(client.top, FAULT_PLACE, 1), row);
	report_row(name, 0, &client);
	test_undo();
}

int main(uint64_t argument)
{
	static const uint32_t handles[] = { 1, 10, 100 }, threads[] = { 1, 10, 100, THREADS_MOST };

	server_set_name("kernelbench");
	if (harness_start((const struct raw_boot *)argument)) {
		row_words("T1", 0, 0, 0);
		row_faults("T2.kernel", false);
		row_faults("T3.kernel", true);
		for (uint32_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
			row_words("T1.handles", handles[i], handles[i], 0);
		for (uint32_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++)
			row_words("T1.threads", threads[i], 0, threads[i]);
		report("BENCH-END\n");
	}
	return kernel_call(CALL_SHUTDOWN, 0, 0, 0, 0, 0, 0, NULL) == ST_OK;
}
