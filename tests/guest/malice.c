/*
 * Programs that mean harm: with crafted messages, by waiting for ever, by dying at the wrong
 * moment.
 *
 * A bystander has memory that it looks at all the time, and uses every server.  Whatever the others
 * do, it goes on, and its memory stays.  (Random messages are in message.c, random everything in
 * fuzz.c.)
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "call.h"
#include "harness.h"
#include <faultline/protocol/console.h>
#include <faultline/protocol/files.h>
#include <faultline/slots.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define BYSTANDER_PAGES 24

static volatile uint32_t *board; /* [0] rounds of the bystander, [1] it is to end */

static void bystand(void *unused)
{
	volatile uint8_t *memory = private_pages(BYSTANDER_PAGES);
	char text[64];

	(void)unused;
	pattern_fill(memory, PAGES(BYSTANDER_PAGES), 61);
	while (!board[1]) {
		int fd = open("/text/default.txt", O_RDONLY);

		CHECK(fd >= 0);
		CHECK_EQUAL(read(fd, text, sizeof(text)), sizeof(text));
		close(fd);
		CHECK(usleep(500) == 0);
		CHECK(pattern_holds(memory, PAGES(BYSTANDER_PAGES), 61));
		board[0]++;
	}
}

static pid_t bystander_start(void)
{
	board = (volatile uint32_t *)shared_pages(1);
	board[0] = board[1] = 0;
	return child_start(bystand, NULL);
}

/* It has done at least two more rounds. */
static void bystander_goes_on(void)
{
	uint32_t round = board[0];

	for (unsigned turn = 0; board[0] < round + 2; turn++) {
		CHECK(turn < 20000);
		usleep(1000);
	}
}

static void bystander_finish(pid_t bystander)
{
	bystander_goes_on();
	board[1] = 1;
	child_finish(bystander);
}

/* ---- what only owners of pools and ports may do ---- */

static void call_what_is_not_ours(void *unused)
{
	struct message message = { .tag = 0 };

	(void)unused;
	*(volatile char *)MESSAGE_PAGE = 1;
	CHECK_EQUAL(kernel_call(CALL_BATCH, 1, 0, 0, 0, 0, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(
		kernel_call(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_PANIC, DEBUG_PANIC, 0, 0, 0, NULL),
		ST_NO_RIGHT);
	CHECK_EQUAL(kernel_call(CALL_DEBUG, DEBUG_SUMS, 0, 0, 0, 0, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(kernel_call(CALL_INFO, INFO_RECORDS, 0, 0, 0, 0, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(kernel_call(CALL_SHUTDOWN, 0, 0, 0, 0, 0, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(kernel_call(CALL_TIMER, TIMER_SET, 1, 0, 0, 0, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(kernel_call(CALL_IO, IO_OUT8, 0xf4, 1, 0, 0, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(kernel_call(CALL_IRQ, IRQ_ACK, 4, 0, 0, 0, 0, NULL), ST_NO_RIGHT);
	for (uint32_t slot = 1; slot < SLOT_TEMPLATES; slot++) {
		/* to answer in a server's place, to receive what others send it, to be somebody
		 * else */
		for (uint64_t token = 1; token < 1ull << 40; token = token * 5 + 3) {
			message.token = token;
			CHECK_EQUAL(ipc_reply_receive(slot | RR_REPLY, &message), ST_NO_RIGHT);
		}
		CHECK_EQUAL(
			ipc_reply_receive(slot | RR_RECEIVE | RR_NONBLOCK, &message), ST_NO_RIGHT);
		CHECK_EQUAL(kernel_call(CALL_HANDLE, HANDLE_MINT, slot, 90, RIGHT_SEND, 1, 0, NULL),
			ST_NO_RIGHT);
		CHECK_EQUAL(kernel_call(CALL_HANDLE, HANDLE_COPY, slot, 90, RIGHT_ALL, 0, 0, NULL),
			ST_NO_RIGHT);
		CHECK_EQUAL(kernel_call(CALL_HANDLE, HANDLE_COPY, slot, 90, RIGHT_SEND, 0, 0, NULL),
			ST_OK);
		CHECK_EQUAL(kernel_call(CALL_HANDLE, HANDLE_DROP, 90, 0, 0, 0, 0, NULL), ST_OK);
		message = (struct message){ .tag = 0x7777 | (uint64_t)slot << TAG_HANDLE_SHIFT };
		CHECK_EQUAL(ipc_call(slot, &message),
			ST_NO_RIGHT); /* its handles stay where they are */
	}
}

static void malice_rights_of_others(void)
{
	pid_t bystander = bystander_start();

	child_run(call_what_is_not_ours, NULL);
	bystander_finish(bystander);
}

/* A program that gives its servers up harms itself alone. */
static void drop_all_handles(void *unused)
{
	(void)unused;
	for (uint32_t slot = 1; slot < HANDLE_SLOTS; slot++)
		(void)kernel_call(CALL_HANDLE, HANDLE_DROP, slot, 0, 0, 0, 0, NULL);
	for (int page = 0; page < 20;
		page++) /* faults are the kernel's messages: they still arrive */
		store((uint64_t)__builtin_frame_address(0) - PAGES(page + 4), 1);
	for (;;)
		(void)kernel_call(CALL_YIELD, 0, 0, 0, 0, 0, 0, NULL);
}

static void malice_without_servers(void)
{
	pid_t bystander = bystander_start(), child = child_start(drop_all_handles, NULL);

	bystander_goes_on();
	CHECK(kill(child, SIGKILL) == 0);
	CHECK_EQUAL(child_wait(child), PROC_STATUS_SIGNAL(SIGKILL));
	bystander_finish(bystander);
}

/* ---- requests, each in the middle of which its sender dies ---- */

/* Every label of every server, those left out that end the machine or others. */
static const struct request {
	uint32_t slot, label;
	uint64_t w[4];
} requests[] = {
	{ SLOT_PROC, PROC_FORK, { 0 } },
	{ SLOT_PROC, PROC_WAIT, { 0 } },
	{ SLOT_PROC, PROC_LIST, { 1 } },
	{ SLOT_PROC, PROC_IDENTITY, { 0 } },
	{ SLOT_PROC, PROC_EXEC, { 1, 0 } },
	{ SLOT_PROC, PROC_SPAWN, { 1, 0 } },
	{ SLOT_PROC, PROC_PAGER, { PAGER_SETTLE } },
	{ SLOT_PAGER, PAGER_MMAP, { 0, 64 << 20, MAP_READ | MAP_WRITE | MAP_POPULATE } },
	{ SLOT_PAGER, PAGER_MMAP, { 0, 1ull << 40, MAP_READ | MAP_WRITE } },
	{ SLOT_PAGER, PAGER_MUNMAP, { 0x10000, 1ull << 46 } },
	{ SLOT_PAGER, PAGER_MPROTECT, { 0x400000, 1 << 20, MAP_READ } },
	{ SLOT_FILES, FILES_READ, { 1, 0, 4096 } },
	{ SLOT_FILES, FILES_LIST, { 0 } },
	{ SLOT_TIME, TIME_SLEEP, { 1ull << 62 } },
	{ SLOT_TIME, TIME_SLEEP, { 1 } },
	{ SLOT_CONSOLE, CONSOLE_READ, { 4096 } },
	{ SLOT_CONSOLE, CONSOLE_WRITE, { 0 } },
};
#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

static void ask_for_ever(void *argument)
{
	const struct request *request = argument;

	*(volatile char *)MESSAGE_PAGE = '/';
	for (;;) {
		struct message message = { .tag = request->label };

		for (int i = 0; i < 4; i++)
			message.w[i] = request->w[i];
		(void)ipc_call(request->slot, &message);
		if (request->label == PROC_FORK && TAG_LABEL(message.tag) == ST_OK &&
			message.w[0] == 0)
			_exit(0);
	}
}

/* Each is killed at moments that differ, most of them while its request is queued or being served.
 */
static void malice_senders_that_die_in_the_middle(void)
{
	pid_t bystander = bystander_start();

	for (size_t i = 0; i < REQUESTS; i++) {
		for (unsigned wait = 0; wait < 3; wait++) {
			pid_t child = child_start(ask_for_ever, (void *)(uintptr_t)&requests[i]);

			usleep(200 + 900 * wait);
			(void)kill(child, SIGKILL);
			CHECK((child_wait(child) & 0x7f) != 0);
		}
		bystander_goes_on();
	}
	bystander_finish(bystander);
}

/* Many wait in the servers' queues for what never comes; others are served all the same. */
static void malice_queues_that_never_end(void)
{
	static const struct request endless = { SLOT_TIME, TIME_SLEEP, { 1ull << 62 } },
				    reading = { SLOT_CONSOLE, CONSOLE_READ, { 10 } },
				    flood = { SLOT_FILES, FILES_READ, { 1, 0, 4096 } };
	pid_t bystander = bystander_start(), children[30];

	for (int i = 0; i < 30; i++)
		children[i] = child_start(ask_for_ever, (void *)(uintptr_t)(i < 12   ? &endless
									    : i < 24 ? &reading
										     : &flood));
	bystander_goes_on();
	for (int i = 0; i < 30; i++)
		CHECK(kill(children[i], SIGKILL) == 0);
	for (int i = 0; i < 30; i++)
		CHECK_EQUAL(child_wait(children[i]), PROC_STATUS_SIGNAL(SIGKILL));
	bystander_finish(bystander);
}

/* ---- one word wrong ---- */

/* Requests that are right but for one word, which takes every edge there is. */
static void mutate_each_word(void *unused)
{
	static const uint64_t edges[] = { 0, 1, 2, PAGE_SIZE - 1, PAGE_SIZE,
		LAYOUT_USER_END - PAGE_SIZE, LAYOUT_USER_END, 1ull << 47, LAYOUT_DIRECT_MAP,
		LAYOUT_VMALLOC, LAYOUT_MESSAGE, LAYOUT_FRAME_TABLE, LAYOUT_KERNEL, INT64_MAX,
		1ull << 63, UINT64_MAX - PAGE_SIZE + 1, UINT64_MAX };
	volatile uint8_t *own = private_pages(4);
	const struct request rights[] = {
		{ SLOT_PAGER, PAGER_MMAP, { 0, PAGE_SIZE, MAP_READ | MAP_WRITE } },
		{ SLOT_PAGER, PAGER_MUNMAP, { (uint64_t)own, PAGE_SIZE } },
		{ SLOT_PAGER, PAGER_MPROTECT, { (uint64_t)own, PAGE_SIZE, MAP_READ } },
		{ SLOT_PAGER, PAGER_BRK, { 0 } },
		{ SLOT_PAGER, PAGER_MADVISE, { (uint64_t)own, PAGE_SIZE, ADVICE_DISCARD } },
		{ SLOT_PAGER, PAGER_MREMAP,
			{ (uint64_t)own, PAGE_SIZE, 2 * PAGE_SIZE, REMAP_MAY_MOVE } },
		{ SLOT_FILES, FILES_READ, { 1, 0, 16 } },
		{ SLOT_FILES, FILES_LIST, { 0 } },
		{ SLOT_PROC, PROC_LIST, { 1 } },
		{ SLOT_PROC, PROC_SPACE, { 1 } },
		{ SLOT_PROC, PROC_WAIT, { 0, PROC_WAIT_NOHANG } },
	};

	(void)unused;
	*(volatile char *)MESSAGE_PAGE = 1;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		for (size_t k = 0; k < 6 * sizeof(edges) / sizeof(edges[0]); k++) {
			struct message message = { .tag = rights[i].label };

			for (int word = 0; word < 4; word++)
				message.w[word] = rights[i].w[word];
			message.w[k % 6] = edges[k / 6];
			(void)ipc_call(rights[i].slot, &message);
		}
}

static void malice_requests_with_one_word_wrong(void)
{
	pid_t bystander = bystander_start();

	for (int i = 0; i < 3; i++) {
		int status =
			child_status(mutate_each_word, NULL); /* it may unmap what it stands on */

		CHECK(status == 0 || (status & 0x7f) != 0);
		bystander_goes_on();
	}
	bystander_finish(bystander);
}

const struct test tests_malice[] = {
	TEST(malice_rights_of_others),
	TEST(malice_without_servers),
	TEST(malice_senders_that_die_in_the_middle),
	TEST(malice_queues_that_never_end),
	TEST(malice_requests_with_one_word_wrong),
	{ 0 },
};
