/*
 * Failure everywhere, as programs meet it: every kind of fault, system call and message while the
 * n-th asking for frames is refused, for all n.
 *
 * An *act* is done by a child, which shares all memory with us by fork.  It sets the pager's test
 * hook, acts, and takes the hook away; n grows until nothing is refused any more.  Two ways: one
 * asking is refused, or from the n-th on no frame is free for anybody.
 *
 * The act is done, or fails with an errno for lack of memory, or the child is killed with a report.
 * Always: our memory is as it was, pager and kernel agree with their rules, and all frames that the
 * child took are free again.
 *
 * Programs may not use the hook: these tests (TEST_HOOKED) run where the process server passes it
 * on, in tests/system/failure.sh.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include "call.h"
#include <faultline/protocol/console.h>
#include <faultline/protocol/files.h>
#include <faultline/slots.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define TO_PLACE (MREMAP_MAYMOVE | MREMAP_FIXED)
#define TOLD 50 /* exit status of a child that was told */
#define TRIALS_MAX 500
#define OWN_PAGES 24
#define TEXT_FILE "/text/default.txt"

/* The memory of the acts, made by us. */
#define OWN 0x2000001f4000ull	/* 24 pages, written, over a table's border */
#define FRESH 0x210000000000ull /* 8 pages, untouched, nothing near */
#define FILE_AT 0x220000000000ull /* 4 pages of a file, private; the first is written */
#define ROOM 0x230000000000ull	/* nothing */

static volatile uint8_t *shared; /* 4 pages; the first is touched */

/* Shared by us and the child. */
struct board {
	volatile uint32_t go, is_over, was_refused;
};
static struct board *board;
static unsigned trials, told, killed;

struct act {
	const char *name;
	uint32_t label; /* the message it is about; 0: none */
	bool (*run)(void); /* false: told */
};

/* ---- the hook ---- */

/* Returns whether anything was refused by the hook before. */
static bool hook_set(uint64_t hook, uint64_t value)
{
	struct message message = {
		.tag = tag_make(PROC_PAGER, 0),
		.w = {PAGER_TRAP_TEST, hook, value},
	};

	CHECK_EQUAL(ipc_call(SLOT_PROC, &message), ST_OK);
	CHECK_EQUAL(TAG_LABEL(message.tag), ST_OK);
	return message.w[0] != 0;
}

static bool hook_take_away(void)
{
	return hook_set(PAGER_HOOK_FAIL_FRAMES, 0);
}

/* ---- acts: faults ---- */

static bool act_read_new_page(void)
{
	CHECK_EQUAL(load(FRESH), 0);
	return true;
}

static bool act_write_new_page(void)
{
	store(FRESH + PAGES(3), 1);
	CHECK_EQUAL(load(FRESH + PAGES(3)), 1);
	return true;
}

static bool act_write_read_page(void)
{
	CHECK_EQUAL(load(FRESH + PAGES(1)), 0);
	store(FRESH + PAGES(1), 2);
	return true;
}

static bool act_write_own_pages(void)
{
	pattern_fill((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 2);
	CHECK(pattern_holds((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 2));
	return true;
}

static bool act_read_file(void)
{
	(void)load(FILE_AT + PAGES(2));
	return true;
}

static bool act_write_file(void)
{
	store(FILE_AT + PAGES(1), 7);
	store(FILE_AT, 8);
	CHECK_EQUAL(load(FILE_AT), 8);
	return true;
}

static bool act_touch_shared_memory(void)
{
	shared[0] = 1;
	shared[PAGES(2)] = 0;
	return true;
}

static bool act_grow_stack(void)
{
	volatile uint8_t frames[PAGES(60)];

	frames[0] = 1;
	frames[PAGES(30)] = 2;
	return frames[0] == 1;
}

/* ---- acts: memory ---- */

/* A call that returns -1 must say that memory is short. */
static bool told_or_done(int64_t result)
{
	if (result != -1)
		return true;
	if (errno != ENOMEM && errno != EAGAIN)
		CHECK_EQUAL(errno, ENOMEM);
	return false;
}

static bool map(uint64_t at, size_t count, int flags, int fd)
{
	volatile uint8_t *memory = mmap((void *)at, PAGES(count), READ_WRITE, flags, fd, 0);

	if (!told_or_done((int64_t)memory))
		return false;
	memory[PAGES(count - 1)] = 3;
	CHECK_EQUAL(memory[PAGES(count - 1)], 3);
	return true;
}

static bool act_map(void)
{
	return map(0, 3, ANONYMOUS, -1);
}

static bool act_map_over(void)
{
	if (!map(OWN + PAGES(5), 9, ANONYMOUS | MAP_FIXED, -1)) {
		CHECK(pattern_holds((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 1));
		return false;
	}
	CHECK_EQUAL(load(OWN + PAGES(6)), 0);
	CHECK_EQUAL(load(OWN + PAGES(4)), pattern(PAGES(4), 1));
	CHECK_EQUAL(load(OWN + PAGES(14)), pattern(PAGES(14), 1));
	return true;
}

static bool act_map_shared(void)
{
	return map(0, 3, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static bool act_map_filled(void)
{
	return map(0, 70, ANONYMOUS | MAP_POPULATE, -1);
}

static bool act_map_file(void)
{
	int fd = open(TEXT_FILE, O_RDONLY);

	return fd >= 0 && map(0, 2, MAP_PRIVATE, fd);
}

static bool act_unmap(void)
{
	if (!told_or_done(munmap((void *)(OWN + PAGES(3)), PAGES(15)))) {
		CHECK(pattern_holds((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 1));
		return false;
	}
	CHECK_EQUAL(load(OWN), pattern(0, 1));
	CHECK_EQUAL(load(OWN + PAGES(18)), pattern(PAGES(18), 1));
	return true;
}

static bool act_protect(void)
{
	bool is_done = told_or_done(mprotect((void *)(OWN + PAGES(4)), PAGES(12), PROT_READ));

	CHECK(pattern_holds((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 1));
	return is_done;
}

/* The pages of OWN lie there now, or still here. */
static bool moved(uint64_t result, uint64_t there, size_t count)
{
	bool is_done = told_or_done((int64_t)result);

	CHECK(!is_done || result == there);
	CHECK(pattern_holds((volatile uint8_t *)(is_done ? there : OWN), PAGES(count), 1));
	return is_done;
}

static bool act_move(void)
{
	uint64_t there = ROOM + PAGES(1);

	return moved((uint64_t)mremap((void *)OWN, PAGES(OWN_PAGES), PAGES(OWN_PAGES + 1), TO_PLACE,
				      (void *)there), there, OWN_PAGES);
}

static bool act_move_over(void)
{
	return moved((uint64_t)mremap((void *)OWN, PAGES(OWN_PAGES), PAGES(4), TO_PLACE, (void *)FILE_AT),
		     FILE_AT, 4);
}

static bool act_resize(void)
{
	return moved((uint64_t)mremap((void *)OWN, PAGES(OWN_PAGES), PAGES(200), 0), OWN, OWN_PAGES) &&
	       moved((uint64_t)mremap((void *)OWN, PAGES(200), PAGES(9), 0), OWN, 9);
}

static bool act_discard(void)
{
	if (!told_or_done(madvise((void *)(OWN + PAGES(1)), PAGES(22), MADV_DONTNEED)))
		return false;
	CHECK_EQUAL(load(OWN + PAGES(20)), 0);
	CHECK_EQUAL(load(OWN), pattern(0, 1));
	return true;
}

static bool act_fetch(void)
{
	return told_or_done(madvise((void *)FRESH, PAGES(8), MADV_WILLNEED));
}

static bool act_break(void)
{
	uint8_t *heap = sbrk((ptrdiff_t)PAGES(20));

	if (!told_or_done((int64_t)heap))
		return false;
	heap[PAGES(10)] = 1;
	return told_or_done((int64_t)sbrk(-(ptrdiff_t)PAGES(19)));
}

/* ---- acts: processes ---- */

/* A child of the child ended, or was killed for lack of memory. */
static void wait_for(pid_t pid, int exit_status)
{
	int status;

	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == exit_status);
}

static bool act_fork(void)
{
	pid_t pid = fork();

	if (!told_or_done(pid))
		return false;
	if (pid == 0) {
		(void)act_write_own_pages();
		(void)getpid();
		(void)write(2, "\r", 1); /* in a message page of its own */
		_exit(7);
	}
	wait_for(pid, 7);
	CHECK(pattern_holds((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 1));
	return true;
}

static bool act_exec(void)
{
	char *const arguments[] = {"true", NULL};

	return told_or_done(execve("/bin/true", arguments, NULL));
}

static bool act_spawn(void)
{
	char *const arguments[] = {"true", NULL};
	pid_t pid = system_spawn("/bin/true", arguments, NULL);

	if (!told_or_done(pid))
		return false;
	wait_for(pid, 0);
	return true;
}

static bool act_exit(void)
{
	_exit(0);
}

/* A reader is ended in its call. */
static bool act_console_read(void)
{
	char byte;
	pid_t pid = fork();

	if (!told_or_done(pid))
		return false;
	if (pid == 0)
		_exit(read(0, &byte, 1) < 0);
	usleep(3000);
	(void)kill(pid, SIGKILL);
	wait_for(pid, 0);
	return true;
}

/* ---- acts: other messages ---- */

/* The answer may be any that the server gives; that there is one is what counts. */
static bool send(handle_t slot, uint32_t label, uint64_t w0, uint64_t w1, const char *payload)
{
	struct message message = {
		.tag = tag_make(label, payload ? (uint32_t)strlen(payload) : 0),
		.w = {w0, w1},
	};

	*(volatile char *)MESSAGE_PAGE = 0;
	if (payload)
		memcpy(MESSAGE_PAGE, payload, strlen(payload));
	CHECK_EQUAL(ipc_call(slot, &message), ST_OK);
	return TAG_LABEL(message.tag) != ST_NO_MEMORY;
}

#define SEND(name, ...)                    \
	static bool act_##name(void)       \
	{                                  \
		return send(__VA_ARGS__);  \
	}
SEND(space_stat, SLOT_PAGER, PAGER_SPACE_STAT, 0, 0, NULL)
SEND(maps, SLOT_PAGER, PAGER_MAPS, 0, 0, NULL)
SEND(pager_stat, SLOT_PAGER, PAGER_STAT, 0, 0, NULL)
SEND(pages, SLOT_PAGER, PAGER_PAGES, 0, 0, NULL)
SEND(wait, SLOT_PROC, PROC_WAIT, 0, 0, NULL)
SEND(kill, SLOT_PROC, PROC_KILL, (uint64_t)getpid(), PROC_SIGNAL_TERM, NULL)
SEND(identity, SLOT_PROC, PROC_IDENTITY, 0, 0, NULL)
SEND(list, SLOT_PROC, PROC_LIST, 1, 0, NULL)
SEND(space, SLOT_PROC, PROC_SPACE, (uint64_t)getpid(), 0, NULL)
SEND(foreground, SLOT_PROC, PROC_FOREGROUND, 0, 0, NULL)
SEND(settle, SLOT_PROC, PROC_PAGER, PAGER_SETTLE, 0, NULL)
SEND(maps_of_process, SLOT_PROC, PROC_MAPS, (uint64_t)getpid(), 0, NULL)
SEND(add_file, SLOT_FILES, FILES_ADD, 1, 1, "name")
SEND(open_file, SLOT_FILES, FILES_OPEN, 0, 0, "text/default.txt")
SEND(list_files, SLOT_FILES, FILES_LIST, 1, 0, NULL)
SEND(console_write, SLOT_CONSOLE, CONSOLE_WRITE, 0, 0, "\r")
SEND(time_now, SLOT_TIME, TIME_NOW, 0, 0, NULL)
SEND(sleep, SLOT_TIME, TIME_SLEEP, 1000000, 0, NULL)

static bool act_files_read(void)
{
	static char text[PAGE_SIZE];
	int fd = open(TEXT_FILE, O_RDONLY);

	return fd >= 0 && told_or_done(read(fd, text, sizeof(text)));
}

/* Not for programs, whatever the words. */
static bool act_requests_of_servers(void)
{
	bool is_done = true;

	for (uint32_t label = PAGER_SPACE_CREATE; label <= PAGER_TRAP_TEST; label++)
		is_done &= send(SLOT_PAGER, label, 1, 1, NULL);
	return is_done;
}

#define ACT(name, label) {#name, label, act_##name}
static const struct act faults[] = {
	ACT(read_new_page, 0), ACT(write_new_page, 0), ACT(write_read_page, 0), ACT(write_own_pages, 0),
	ACT(read_file, 0), ACT(write_file, 0), ACT(touch_shared_memory, 0), ACT(grow_stack, 0),
	{0},
};
static const struct act memory_calls[] = {
	ACT(map, PAGER_MMAP), ACT(map_over, PAGER_MMAP), ACT(map_shared, PAGER_MMAP),
	ACT(map_filled, PAGER_MMAP), ACT(map_file, PAGER_MMAP), ACT(unmap, PAGER_MUNMAP),
	ACT(protect, PAGER_MPROTECT), ACT(move, PAGER_MREMAP), ACT(move_over, PAGER_MREMAP),
	ACT(resize, PAGER_MREMAP), ACT(discard, PAGER_MADVISE), ACT(fetch, PAGER_MADVISE),
	ACT(break, PAGER_BRK),
	{0},
};
static const struct act process_calls[] = {
	ACT(fork, PROC_FORK), ACT(exec, PROC_EXEC), ACT(spawn, PROC_SPAWN), ACT(exit, PROC_EXIT),
	ACT(kill, PROC_KILL), ACT(wait, PROC_WAIT),
	{0},
};
static const struct act messages[] = {
	ACT(space_stat, PAGER_SPACE_STAT), ACT(maps, PAGER_MAPS), ACT(pager_stat, PAGER_STAT),
	ACT(pages, PAGER_PAGES), ACT(identity, PROC_IDENTITY), ACT(list, PROC_LIST),
	ACT(space, PROC_SPACE), ACT(foreground, PROC_FOREGROUND), ACT(settle, PROC_PAGER),
	ACT(maps_of_process, PROC_MAPS), ACT(add_file, FILES_ADD), ACT(open_file, FILES_OPEN),
	ACT(files_read, FILES_READ), ACT(list_files, FILES_LIST), ACT(console_write, CONSOLE_WRITE),
	ACT(console_read, CONSOLE_READ), ACT(time_now, TIME_NOW), ACT(sleep, TIME_SLEEP),
	ACT(requests_of_servers, PAGER_SPACE_CREATE),
	{0},
};
static const struct act *const all_acts[] = {faults, memory_calls, process_calls, messages};

/* ---- one trial ---- */

static void prepare_memory(void)
{
	int fd = open(TEXT_FILE, O_RDONLY);

	board = (struct board *)(uintptr_t)shared_pages(1);
	shared = shared_pages(4);
	shared[0] = 1;
	CHECK((uint64_t)mmap((void *)OWN, PAGES(OWN_PAGES), READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == OWN);
	pattern_fill((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 1);
	CHECK((uint64_t)mmap((void *)FRESH, PAGES(8), READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == FRESH);
	CHECK((uint64_t)mmap((void *)FILE_AT, PAGES(4), READ_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
	      FILE_AT);
	store(FILE_AT, 'x');
	CHECK_EQUAL(close(fd), 0);
	(void)load(OWN);
}

/* Everything that we write while the child acts is our own before: with no frame free for
   anybody we could not go on.  Writable pages of the program, the stack, and the message page. */
static void own_everything(void)
{
	static struct pager_region regions[32];
	uint64_t from = 0;
	int count = system_maps(getpid(), &from, regions, 32);

	CHECK(count > 0 && from == 0);
	for (int i = 0; i < count; i++) {
		bool is_of_acts = regions[i].start >= OWN - PAGES(1) && regions[i].start < ROOM;

		if (is_of_acts || (regions[i].protection & (MAP_WRITE | MAP_SHARED)) != MAP_WRITE)
			continue;
		for (uint64_t page = regions[i].start; page < regions[i].end; page += PAGE_SIZE)
			store(page, load(page));
	}
}

static void act_under_hook(const struct act *act, uint64_t hook, uint64_t n)
{
	bool is_done;

	wait_until(&board->go, 1);
	(void)hook_set(hook, n);
	is_done = act->run();
	board->was_refused = hook_take_away();
	board->is_over = 1;
	_exit(is_done ? 0 : TOLD);
}

static void check_end(const struct act *act, int status, bool was_refused)
{
	bool is_killed = WIFSIGNALED(status);
	bool is_told = status == (int)PROC_STATUS_EXIT(TOLD);

	trials++;
	told += is_told;
	killed += is_killed;
	if (status == 0 || (was_refused && (is_told || is_killed)) || act->run == act_kill)
		return;
	test_fail(__FILE__, __LINE__, "%s ended with wait status %#x, refused: %d", act->name,
		  (unsigned)status, was_refused);
}

static void check_pager(const struct act *act)
{
	struct message message = {.tag = tag_make(PROC_PAGER, 0), .w = {PAGER_CHECK}};

	CHECK_EQUAL(ipc_call(SLOT_PROC, &message), ST_OK);
	CHECK_EQUAL(TAG_LABEL(message.tag), ST_OK);
	if (message.w[0] != 0)
		test_fail(__FILE__, __LINE__, "%s: rule %llu violated at %#llx", act->name,
			  (unsigned long long)message.w[0], (unsigned long long)message.w[1]);
}

/* Was anything refused? */
static bool run_trial(const struct act *act, uint64_t hook, uint64_t n)
{
	bool was_refused;
	int status;
	pid_t child;

	memset((void *)board, 0, sizeof(*board));
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		act_under_hook(act, hook, n);
	own_everything();
	board->go = 1;
	status = child_wait(child);
	was_refused = board->is_over ? board->was_refused : hook_take_away();
	check_end(act, status, was_refused);
	check_pager(act);
	CHECK(pattern_holds((volatile uint8_t *)OWN, PAGES(OWN_PAGES), 1));
	CHECK_EQUAL(load(FILE_AT), 'x');
	return was_refused;
}

/* All n.  The pager's own memory, which is never given back, grows in the first runs. */
static void run_act(const struct act *act, uint64_t hook)
{
	uint64_t n = 0, free;
	bool was_refused;

	(void)run_trial(act, PAGER_HOOK_FAIL_FRAMES, 0);
	(void)run_trial(act, PAGER_HOOK_FAIL_FRAMES, 0);
	free = frames_free();
	do {
		was_refused = run_trial(act, hook, ++n);
		if (frames_free() != free)
			test_fail(__FILE__, __LINE__, "%s, n = %llu: %lld frames lost", act->name,
				  (unsigned long long)n, (long long)(free - frames_free()));
		CHECK(n < TRIALS_MAX);
	} while (was_refused);
}

static void run_acts(const struct act *acts)
{
	prepare_memory();
	for (; acts->name; acts++) {
		run_act(acts, PAGER_HOOK_FAIL_FRAMES);
		run_act(acts, PAGER_HOOK_FAIL_ONWARD);
	}
	printf("  %u trials, %u children told, %u killed\n", trials, told, killed);
	fflush(stdout);
}

static void faults_without_frames(void)
{
	run_acts(faults);
}

static void memory_calls_without_frames(void)
{
	run_acts(memory_calls);
}

static void process_calls_without_frames(void)
{
	run_acts(process_calls);
}

static void messages_without_frames(void)
{
	run_acts(messages);
}

/* ---- completeness ---- */

static bool is_covered(uint32_t label)
{
	/* The end of the machine is a test of its own: tests/system/failure.sh. */
	bool is_left_out = label == PROC_SHUTDOWN ||
			   (label > PAGER_SPACE_CREATE && label <= PAGER_TRAP_TEST);

	for (size_t i = 0; i < sizeof(all_acts) / sizeof(all_acts[0]); i++)
		for (const struct act *act = all_acts[i]; act->name; act++)
			is_left_out |= act->label == label;
	return is_left_out;
}

/* Every message of every protocol is somebody's act. */
static void every_message_has_an_act(void)
{
	static const struct {
		uint32_t first, last;
	} protocols[] = {
		{PAGER_MMAP, PAGER_MADVISE}, {PAGER_SPACE_CREATE, PAGER_TRAP_TEST},
		{PROC_FORK, PROC_MAPS}, {FILES_ADD, FILES_LIST}, {CONSOLE_WRITE, CONSOLE_READ},
		{TIME_NOW, TIME_SLEEP},
	};

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		for (uint32_t label = protocols[i].first; label <= protocols[i].last; label++)
			if (!is_covered(label))
				test_fail(__FILE__, __LINE__, "no act for message %#x", (unsigned)label);
}

const struct test tests_failure[] = {
	TEST(every_message_has_an_act),
	TEST_HOOKED(faults_without_frames),
	TEST_HOOKED(memory_calls_without_frames),
	TEST_HOOKED(process_calls_without_frames),
	TEST_HOOKED(messages_without_frames),
	{0},
};
