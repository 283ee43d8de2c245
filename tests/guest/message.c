/*
 * Any message with any label to any server: each gets an answer, and the servers go on.
 *
 * A child sends pseudo-random messages straight to the servers' ports, past lib/posix.  It may lose its own
 * memory that way and die of it; nobody else may.  Left out is only what by its meaning does not
 * return, waits for a person or for ever, or ends others: that is what the other tests are about.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <faultline/protocol/console.h>
#include <faultline/protocol/files.h>
#include <faultline/slots.h>
#include <fcntl.h>
#include <string.h>
#include "call.h"

#define CHILDREN 24
#define MESSAGES 400

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool is_left_out(uint32_t slot, uint32_t label)
{
	switch (slot) {
	case SLOT_PROC:
		return label == PROC_FORK || label == PROC_EXIT || label == PROC_KILL ||
		       label == PROC_SHUTDOWN || label == PROC_FOREGROUND;
	case SLOT_CONSOLE:
		return label == CONSOLE_WRITE || label == CONSOLE_READ;
	case SLOT_TIME:
		return label == TIME_SLEEP;
	default:
		return false;
	}
}

/* Most labels are near those that some server knows. */
static uint32_t random_label(uint64_t *state)
{
	static const uint32_t bases[] = {PAGER_MMAP, PAGER_SPACE_CREATE, PROC_FORK, FILES_ADD, CONSOLE_WRITE, TIME_NOW};
	uint64_t choice = random_next(state);

	if (choice % 8 == 0)
		return (uint32_t)random_next(state);
	return bases[choice / 8 % 6] + (uint32_t)(random_next(state) % 32);
}

static uint64_t random_word(uint64_t *state)
{
	static const uint64_t edges[] = {0, 1, PAGE_SIZE, PAGE_SIZE - 1, LAYOUT_USER_END, LAYOUT_USER_END - 1,
					 LAYOUT_MESSAGE, LAYOUT_KERNEL, UINT64_MAX, UINT64_MAX - PAGE_SIZE + 1,
					 1ull << 63, UINT32_MAX, 65550};
	uint64_t choice = random_next(state);

	if (choice % 3 == 0)
		return edges[choice / 3 % (sizeof(edges) / sizeof(edges[0]))];
	return random_next(state) >> (choice / 3 % 64);
}

/* Calls past the library; the payload is what the last answers left in the page. */
static void send_any(void *argument)
{
	uint64_t state = 0x9e3779b97f4a7c15ull * ((uint64_t)(uintptr_t)argument + 1);

	*(volatile char *)MESSAGE_PAGE = 1;
	for (int i = 0; i < MESSAGES; i++) {
		uint32_t slot = (uint32_t)(random_next(&state) % 8), label = random_label(&state);
		struct message message = {.tag = label};

		if (is_left_out(slot, label))
			continue;
		message.tag |= random_next(&state) % 3 ? (random_next(&state) % 4200) << TAG_BYTES_SHIFT : 0;
		message.tag |= random_next(&state) % 9 ? 0 : (random_next(&state) % 10) << TAG_HANDLE_SHIFT;
		for (int word = 0; word < 6; word++)
			message.w[word] = random_word(&state);
		(void)ipc_call(slot | (uint32_t)(random_next(&state) % 3 ? 0 : 20u << RR_SLOT_SHIFT), &message);
	}
}

static void servers_answer(void)
{
	char text[16];
	int fd = open("/text/default.txt", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(read(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	CHECK(usleep(1000) == 0);
	CHECK(process_count() > 0);
	pattern_fill(private_pages(8), PAGES(8), 3);
}

/* A child may end by what it did to itself, but it ends, and everybody else goes on. */
static void any_message_to_any_server(void)
{
	for (uintptr_t seed = 0; seed < CHILDREN; seed++) {
		int status = child_status(send_any, (void *)seed);

		CHECK(status == 0 || (status & 0x7f) != 0);
		servers_answer();
	}
}

/* Labels that no server knows are refused by name, not ignored. */
static void unknown_labels_are_refused(void)
{
	static const uint32_t slots[] = {SLOT_PROC, SLOT_PAGER, SLOT_FILES, SLOT_CONSOLE, SLOT_TIME};

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		struct message message = {.tag = 0x7fffffff};

		CHECK_EQUAL(ipc_call(slots[i], &message), ST_OK);
		CHECK_EQUAL(TAG_LABEL(message.tag), ST_BAD_CALL);
	}
}

/* What only servers may ask is refused to programs. */
static void requests_of_servers_are_refused(void)
{
	for (uint32_t label = PAGER_SPACE_CREATE; label <= PAGER_TRAP_TEST; label++) {
		struct message message = {.tag = label, .w = {1, 1, 1, 1, 1, 1}};

		CHECK_EQUAL(ipc_call(SLOT_PAGER, &message), ST_OK);
		CHECK_EQUAL(TAG_LABEL(message.tag), ST_NO_ACCESS);
	}
}

const struct test tests_message[] = {
	TEST(any_message_to_any_server),
	TEST(unknown_labels_are_refused),
	TEST(requests_of_servers_are_refused),
	{0},
};
