/*
 * Random calls and messages of several programs at once.
 *
 *	supervisor --+-- bystander: has memory, reads a file when it is asked
 *	             +-- worker 0 .. WORKERS-1: run sequences, die, are started again
 *	                    +-- what they fork and start
 *
 * A sequence is STEPS_LEAST to STEPS_MOST steps made from one number: kernel calls with any
 * arguments, any message to any server, memory requests that make sense or not, accesses, forks,
 * programs started over oneself, instructions that a program may not execute, ports, files, ends.
 * Its number and the seed determine every choice in it.  A worker takes the next number until its
 * batch is done or it dies, which it often does.
 *
 * After each batch everything that the workers left is ended, the pager and the kernel check
 * themselves, and the bystander must be alive with its memory as it was.  Free frames are compared
 * from the first quarter to the end (the pager keeps the most memory that it ever needed for its
 * own records).
 *
 * Left out is what by its meaning ends others or waits for a person: shutdown, foreground, Ctrl-C's
 * notification, signals to processes other than the workers, reading from the console.
 *
 *	tests random_calls_of_many_programs	SEQUENCES_USUAL sequences of the usual seed
 *	tests --fuzz SEED SEQUENCES		others; the seed is printed
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fuzz.h"
#include "call.h"
#include "harness.h"
#include <faultline/protocol/console.h>
#include <faultline/protocol/files.h>
#include <faultline/slots.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEED_USUAL	  1u
#define SEQUENCES_USUAL	  2000u
#define WORKERS		  4u
#define BATCH		  200u /* sequences between two checks */
#define STEPS_LEAST	  3u
#define STEPS_MOST	  16u
#define PLACES		  8u	      /* mappings that a worker remembers */
#define DEPTH_MOST	  2u	      /* of forks within a sequence */
#define STUCK_NANOSECONDS 20000000ull /* without a step: a worker waits, or runs, for ever */
#define FRAMES_SLACK	  48u

static uint64_t fuzz_seed = SEED_USUAL;
static uint32_t fuzz_sequences = SEQUENCES_USUAL;

/* Shared by all; nobody but the supervisor relies on it. */
struct board {
	uint32_t next, end; /* numbers of sequences: handed out up to here; of this batch */
	uint32_t pid[WORKERS], at[WORKERS]; /* the workers, and the sequence each is in */
	uint32_t steps[WORKERS];	    /* made in their names */
	uint32_t asked, answered;	    /* the bystander */
};
static volatile struct board *board;

static struct {
	uint32_t ended, killed, stuck; /* workers: by themselves, by a signal, by the supervisor */
} totals;

/* ---- random choices ---- */

/* What a worker knows; on its stack, so that forks have their own. */
struct worker {
	uint64_t random;
	uint32_t slot, depth;
	struct {
		uint64_t start, bytes;
	} places[PLACES];
};

static uint64_t any(struct worker *worker)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random * 0x2545f4914f6cdd1dull >> 8;
}

static uint32_t below(struct worker *worker, uint32_t limit)
{
	return (uint32_t)(any(worker) % limit);
}

static bool one_in(struct worker *worker, uint32_t chance)
{
	return below(worker, chance) == 0;
}

static uint64_t any_word(struct worker *worker)
{
	static const uint64_t edges[] = { 0, 1, 2, PAGE_SIZE, PAGE_SIZE - 1, LAYOUT_USER_TEXT,
		LAYOUT_USER_MIN, LAYOUT_USER_END, LAYOUT_USER_END - 1, LAYOUT_STACK_TOP - 8,
		LAYOUT_MESSAGE, LAYOUT_MESSAGE + 4095, LAYOUT_KERNEL, LAYOUT_VMALLOC,
		LAYOUT_VMEMMAP, LAYOUT_DIRECT_MAP, 1ull << 47, UINT64_MAX,
		UINT64_MAX - PAGE_SIZE + 1, 1ull << 63, UINT32_MAX, 65550 };

	if (one_in(worker, 3))
		return edges[below(worker, sizeof(edges) / sizeof(edges[0]))];
	return any(worker) * 0x9e3779b97f4a7c15ull >> below(worker, 64);
}

static uint64_t any_place(struct worker *worker)
{
	uint32_t i = below(worker, PLACES);
	uint64_t start = worker->places[i].start, pages = worker->places[i].bytes / PAGE_SIZE;

	if (start == 0 || one_in(worker, 12))
		return one_in(worker, 4) ? any_word(worker)
					 : 0x10000000 + (any(worker) & 0x3ff) * PAGE_SIZE;
	return start + (pages ? any(worker) % pages * PAGE_SIZE : 0);
}

static uint64_t any_length(struct worker *worker)
{
	if (one_in(worker, 16))
		return any_word(worker);
	return one_in(worker, 12) ? (1 + below(worker, 700)) * PAGE_SIZE
				  : (1 + below(worker, 20)) * PAGE_SIZE;
}

static void remember(struct worker *worker, void *start, uint64_t bytes)
{
	uint32_t i = below(worker, PLACES);

	if (start == MAP_FAILED)
		return;
	worker->places[i].start = (uint64_t)start;
	worker->places[i].bytes = bytes;
}

/* ---- kernel calls ---- */

/* A thread that stops itself or moves its thread-local storage is soon done for: seldom. */
static uint64_t thread_call(struct worker *worker)
{
	return one_in(worker, 12) ? below(worker, 4) : 99;
}

static void step_kernel_call(struct worker *worker)
{
	uint32_t number =
		one_in(worker, 60) ? (uint32_t)any_word(worker) : 2 + below(worker, CALL_COUNT - 2);
	uint64_t words[5];

	for (int i = 0; i < 5; i++)
		words[i] = one_in(worker, 2) ? below(worker, 16) : any_word(worker);
	if (number <= CALL_REPLY_RECEIVE)
		return;
	if (number == CALL_THREAD)
		words[0] = thread_call(worker);
	if (number == CALL_NOTIFY && (uint16_t)words[0] == SLOT_PROC)
		words[1] &= ~PROC_NOTIFY_INTERRUPT;
	if (number == CALL_HANDLE && words[0] == HANDLE_DROP && words[1] < SLOT_FREE &&
		!one_in(worker, 8))
		words[1] += SLOT_FREE;
	(void)kernel_call(
		number, words[0], words[1], words[2], words[3], words[4], any_word(worker), NULL);
}

static void step_receive(struct worker *worker)
{
	struct message message = { .tag = any_word(worker), .token = any_word(worker) };

	for (int i = 0; i < 6; i++)
		message.w[i] = any_word(worker);
	(void)ipc_reply_receive((any_word(worker) & 0xffff00ff) | RR_NONBLOCK |
					(any(worker) & (RR_REPLY | RR_RECEIVE)),
		&message);
}

/* Handles copied, with fewer rights, some given away later. */
static void step_handles(struct worker *worker)
{
	uint64_t from = 1 + below(worker, 12), to = SLOT_FREE + below(worker, 20);

	(void)kernel_call(CALL_HANDLE, below(worker, 2) ? HANDLE_COPY : HANDLE_MINT, from, to,
		one_in(worker, 3) ? any_word(worker) : RIGHT_ALL, any_word(worker), 0, NULL);
	if (one_in(worker, 2))
		(void)kernel_call(CALL_HANDLE, HANDLE_DROP, to, 0, 0, 0, 0, NULL);
}

/* ---- messages ---- */

static bool is_left_out(uint32_t slot, uint32_t label)
{
	switch (slot) {
	case SLOT_PROC:
		return label == PROC_FORK || label == PROC_KILL || label == PROC_SHUTDOWN ||
		       label == PROC_FOREGROUND || label == PROC_SPAWN;
	case SLOT_CONSOLE:
		return label == CONSOLE_WRITE || label == CONSOLE_READ;
	default:
		return false;
	}
}

static uint32_t any_label(struct worker *worker)
{
	static const uint32_t bases[] = { PAGER_MMAP, PAGER_MMAP, PAGER_SPACE_CREATE, PROC_FORK,
		FILES_ADD, CONSOLE_WRITE, TIME_NOW };

	if (one_in(worker, 8))
		return (uint32_t)any_word(worker);
	return bases[below(worker, 7)] + below(worker, 32);
}

/* A sleep may be longer than anybody's patience: it is ended by the supervisor, so seldom. */
static void step_message(struct worker *worker)
{
	uint32_t slot = one_in(worker, 10) ? below(worker, 32) : 1 + below(worker, 5);
	struct message message = { .tag = any_label(worker) };

	/* Copies of handles lie in other slots: what is left out is left out everywhere. */
	for (uint32_t known = 1; known < SLOT_SELF; known++)
		if (is_left_out(known, (uint32_t)message.tag))
			return;
	if (TAG_LABEL(message.tag) == TIME_SLEEP && !one_in(worker, 40))
		return;
	if (one_in(worker, 3))
		message.tag |= (any(worker) % 4200) << TAG_BYTES_SHIFT;
	if (one_in(worker, 6))
		message.tag |= (uint64_t)below(worker, 20) << TAG_HANDLE_SHIFT;
	if (one_in(worker, 20))
		message.tag ^= any_word(worker) << 53;
	for (int word = 0; word < 6; word++)
		message.w[word] = one_in(worker, 3) ? any_place(worker) : any_word(worker);
	(void)ipc_call(
		slot | (one_in(worker, 3) ? (SLOT_FREE + below(worker, 20)) << RR_SLOT_SHIFT : 0),
		&message);
}

/* The payload of the next message. */
static void step_page(struct worker *worker)
{
	volatile uint64_t *words = MESSAGE_PAGE;

	for (int i = 0; i < 8; i++)
		words[below(worker, 512)] = any_word(worker);
}

/* ---- memory ---- */

static void step_map(struct worker *worker)
{
	int flags = MAP_ANONYMOUS | (one_in(worker, 4) ? MAP_SHARED : MAP_PRIVATE);
	uint64_t bytes = any_length(worker), at = 0;

	if (one_in(worker, 3)) {
		at = any_place(worker);
		flags |= one_in(worker, 2) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	}
	if (one_in(worker, 10))
		flags |= MAP_POPULATE;
	if (one_in(worker, 16))
		flags |= MAP_STACK;
	/* Text, stack and message page: seldom replaced, for then it is over. */
	if ((flags & MAP_FIXED) && (at < 0x10000000 || at > 0x20000000) && !one_in(worker, 8))
		return;
	remember(worker, mmap((void *)at, bytes, (int)below(worker, 8), flags, -1, 0), bytes);
}

static void step_unmap(struct worker *worker)
{
	uint64_t at = any_place(worker);

	if ((at >= 0x10000000 && at < LAYOUT_MMAP_TOP - (1ull << 32)) || one_in(worker, 6))
		(void)munmap((void *)at, any_length(worker));
}

static void step_protect(struct worker *worker)
{
	(void)mprotect((void *)any_place(worker), any_length(worker),
		one_in(worker, 2) ? PROT_READ | PROT_WRITE : (int)below(worker, 8));
}

static void step_move(struct worker *worker)
{
	uint64_t bytes = any_length(worker);

	remember(worker,
		mremap((void *)any_place(worker), any_length(worker), bytes, (int)below(worker, 4),
			(void *)(0x10000000 + (any(worker) & 0x3ff) * PAGE_SIZE)),
		bytes);
}

static void step_advise(struct worker *worker)
{
	(void)madvise((void *)any_place(worker), any_length(worker), (int)below(worker, 6));
}

static void step_break(struct worker *worker)
{
	intptr_t change = (intptr_t)below(worker, 40 * PAGE_SIZE) - 15 * (intptr_t)PAGE_SIZE;

	/* Never below the heap of the library. */
	if (change > 0 || one_in(worker, 20))
		(void)sbrk(change);
}

/* Is the page there, and for this use?  (Asked of the pager, so that not every access kills.) */
static bool may_access(uint64_t address, uint32_t right)
{
	struct pager_region region;

	return region_at((void *)address, &region) && (region.protection & right);
}

static void step_access(struct worker *worker)
{
	bool write = one_in(worker, 2);

	for (uint32_t i = 1 + below(worker, 6); i > 0; i--) {
		uint64_t address = any_place(worker);

		if (address < 0x10000000 && write)
			continue;
		if (!may_access(address, write ? MAP_WRITE : MAP_READ | MAP_EXEC | MAP_WRITE) &&
			!one_in(worker, 60))
			continue;
		if (write)
			store(address, (uint8_t)worker->random);
		else
			(void)load(address);
	}
}

/* ---- processes ---- */

static void run_steps(struct worker *worker, uint32_t count);

static void step_fork(struct worker *worker)
{
	pid_t pid;

	if (worker->depth >= DEPTH_MOST)
		return;
	pid = fork();
	if (pid == 0) {
		worker->depth++;
		run_steps(worker, 1 + below(worker, 8));
		_exit((int)below(worker, 4));
	}
	(void)any(worker);
	if (pid > 0 && !one_in(worker, 4))
		(void)waitpid(pid, NULL, 0);
}

static void step_wait(struct worker *worker)
{
	int status;

	(void)waitpid(one_in(worker, 4) ? (pid_t)any_word(worker) : -1, &status, WNOHANG);
}

static void step_start(struct worker *worker)
{
	static const char *const names[] = { "/damaged/good", "/damaged/short-header",
		"/damaged/empty", "/text/default.txt", "/no/such/program", "" };
	const char *name = names[below(worker, 6)];
	char *arguments[] = { (char *)(uintptr_t)name, (char *)(uintptr_t) "argument", NULL };
	char *environment[] = { NULL };

	if (!one_in(worker, 8))
		return;
	if (one_in(worker, 3))
		(void)execve(name, arguments, environment);
	else if (worker->depth < DEPTH_MOST)
		(void)system_spawn(name, arguments, environment);
}

static void step_kill(struct worker *worker)
{
	if (one_in(worker, 20))
		(void)kill((pid_t)board->pid[below(worker, WORKERS)], (int)below(worker, 32));
}

static void step_end(struct worker *worker)
{
	if (one_in(worker, 20))
		_exit((int)below(worker, 256));
}

static void step_yield(struct worker *worker)
{
	(void)worker;
	(void)kernel_call(CALL_YIELD, 0, 0, 0, 0, 0, 0, NULL);
}

/* ---- files ---- */

static void step_files(struct worker *worker)
{
	char buffer[64];
	int file = open(one_in(worker, 4) ? "" : "/text/default.txt", O_RDONLY);

	(void)lseek(file, (off_t)any_word(worker), (int)below(worker, 4));
	(void)read(file, buffer, below(worker, sizeof(buffer) + 1));
	if (one_in(worker, 4))
		remember(worker,
			mmap(NULL, any_length(worker), (int)below(worker, 8),
				one_in(worker, 2) ? MAP_PRIVATE : MAP_SHARED, file,
				(off_t)(below(worker, 8) * PAGE_SIZE)),
			PAGE_SIZE);
	if (!one_in(worker, 8))
		(void)close(file);
}

/* ---- instructions ---- */

/* Machine code for a page of its own; `ret` comes behind. */
static void run_code(const uint8_t *code, size_t bytes)
{
	uint8_t *page =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	memset(page, CODE_RETURN, PAGE_SIZE);
	memcpy(page, code, bytes);
	if (mprotect(page, PAGE_SIZE, PROT_READ | PROT_EXEC) == 0)
		execute((uint64_t)page);
	(void)munmap(page, PAGE_SIZE);
}

static void step_instruction(struct worker *worker)
{
	static const struct {
		uint8_t bytes, code[12];
	} codes[] = {
		{ 2, { 0x0f, 0x0b } },	     /* ud2 */
		{ 1, { 0xcc } },	     /* int3 */
		{ 1, { 0xf1 } },	     /* int1 */
		{ 2, { 0xcd, 0x80 } },	     /* int 0x80 */
		{ 2, { 0xcd, 0x0e } },	     /* int 14: a page fault by instruction */
		{ 2, { 0xcd, 0x20 } },	     /* int 32: an interrupt by instruction */
		{ 1, { 0xf4 } },	     /* hlt */
		{ 1, { 0xfa } },	     /* cli */
		{ 1, { 0xec } },	     /* in al, dx */
		{ 1, { 0xee } },	     /* out dx, al */
		{ 2, { 0x6c, 0x90 } },	     /* insb */
		{ 3, { 0x0f, 0x22, 0xc0 } }, /* mov cr0, rax */
		{ 3, { 0x0f, 0x22, 0xd8 } }, /* mov cr3, rax */
		{ 3, { 0x0f, 0x21, 0xf8 } }, /* mov rax, dr7 */
		{ 2, { 0x0f, 0x30 } },	     /* wrmsr */
		{ 3, { 0x0f, 0x01, 0x10 } }, /* lgdt [rax] */
		{ 3, { 0x0f, 0x01, 0x38 } }, /* invlpg [rax] */
		{ 3, { 0x0f, 0x01, 0xf8 } }, /* swapgs */
		{ 3, { 0x0f, 0x01, 0x00 } }, /* sgdt [rax] */
		{ 2, { 0x48, 0xcf } },	     /* iretq */
		{ 3, { 0x48, 0x0f, 0x07 } }, /* sysretq */
		{ 2, { 0x0f, 0x34 } },	     /* sysenter */
		{ 2, { 0x0f, 0x05 } },	     /* syscall with an address for its number */
		{ 4, { 0x31, 0xc9, 0xf7, 0xf1 } },   /* xor ecx, ecx; div ecx */
		{ 7, { 0xb8, 0xff, 0xff, 0, 0, 0x8e, 0xd8 } }, /* mov ds, 0xffff */
		{ 4, { 0x6a, 0xff, 0x17, 0xc3 } }, /* what is no instruction in 64-bit mode */
		{ 11, { 0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90, 0x90 } }, /* single step */
		{ 11, { 0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d, 0x90,
			      0x90 } }, /* alignment check */
		{ 11, { 0x9c, 0x81, 0x0c, 0x24, 0, 0x30, 0, 0, 0x9d, 0x90,
			      0x90 } },		   /* I/O privilege */
		{ 3, { 0x0f, 0x01, 0xd1 } },	   /* xsetbv */
		{ 2, { 0x0f, 0x31 } },		   /* rdtsc */
		{ 3, { 0x0f, 0x28, 0x40 } },	   /* movaps xmm0, [rax - 61]: not aligned */
		{ 4, { 0xf0, 0x0f, 0x0b, 0x90 } }, /* lock ud2 */
	};
	uint32_t which = below(worker, sizeof(codes) / sizeof(codes[0]));

	if (one_in(worker, 8))
		run_code(codes[which].code, codes[which].bytes);
}

static void step_bytes(struct worker *worker)
{
	uint8_t code[12];

	for (size_t i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)any(worker);
	if (one_in(worker, 16))
		run_code(code, 1 + below(worker, sizeof(code)));
}

/* ---- sequences ---- */

typedef void step_t(struct worker *worker);
static step_t *const steps[] = {
	step_kernel_call,
	step_kernel_call,
	step_kernel_call,
	step_kernel_call,
	step_receive,
	step_handles,
	step_message,
	step_message,
	step_message,
	step_message,
	step_message,
	step_page,
	step_map,
	step_map,
	step_map,
	step_unmap,
	step_protect,
	step_move,
	step_advise,
	step_break,
	step_access,
	step_access,
	step_access,
	step_access,
	step_fork,
	step_wait,
	step_start,
	step_kill,
	step_end,
	step_yield,
	step_files,
	step_instruction,
	step_bytes,
};

static void run_steps(struct worker *worker, uint32_t count)
{
	while (count-- > 0) {
		__atomic_fetch_add(&board->steps[worker->slot], 1, __ATOMIC_RELAXED);
		steps[below(worker, sizeof(steps) / sizeof(steps[0]))](worker);
	}
}

static void worker_run(uint32_t slot)
{
	uint32_t number;

	test_disown();
	*(volatile char *)MESSAGE_PAGE = 1;
	while ((number = __atomic_fetch_add(&board->next, 1, __ATOMIC_RELAXED)) < board->end) {
		struct worker worker = { .slot = slot };

		board->at[slot] = number;
		worker.random =
			(fuzz_seed * 0x9e3779b97f4a7c15ull + number + 1) * 0xd6e8feb86659fd93ull |
			1;
		step_map(&worker);
		step_map(&worker);
		run_steps(&worker, STEPS_LEAST + below(&worker, STEPS_MOST - STEPS_LEAST));
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
	_exit(0);
}

/* ---- the bystander ---- */

#define BYSTANDER_PAGES 24u

static void bystander(void *unused)
{
	volatile uint8_t *own = private_pages(BYSTANDER_PAGES);
	char text[16];

	(void)unused;
	pattern_fill(own, PAGES(BYSTANDER_PAGES), 77);
	for (;;) {
		int file;

		wait_until(&board->asked, board->answered + 1);
		CHECK(pattern_holds(own, PAGES(BYSTANDER_PAGES), 77));
		file = open("/text/default.txt", O_RDONLY);
		CHECK(file >= 0);
		CHECK_EQUAL(read(file, text, sizeof(text)), sizeof(text));
		CHECK_EQUAL(close(file), 0);
		board->answered++;
	}
}

static void bystander_answers(pid_t pid)
{
	struct proc_entry entry;

	board->asked++;
	for (uint32_t turn = 0; board->answered != board->asked; turn++) {
		CHECK(turn < 2000);
		usleep(1000);
	}
	CHECK(process_find(pid, &entry) && entry.state != PROC_ZOMBIE);
}

/* ---- the supervisor ---- */

static pid_t bystander_pid;

/* Ends all processes made after this one but the bystander; returns how many there were. */
static uint32_t end_others(void)
{
	static struct proc_entry list[64];
	uint32_t count = 0;
	pid_t from = getpid() + 1;

	do {
		int found = system_processes(&from, list, 64);

		for (int i = 0; i < found; i++) {
			if ((pid_t)list[i].pid == bystander_pid)
				continue;
			count++;
			(void)kill((pid_t)list[i].pid, SIGKILL);
		}
		if (found <= 0)
			break;
	} while (from);
	return count;
}

static void clear_away(void)
{
	while (end_others() > 0) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		usleep(1000);
	}
}

static void worker_start(uint32_t slot)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		worker_run(slot);
	board->pid[slot] = (uint32_t)pid;
}

/* Reap workers, and start others in their places; returns how many are there. */
static uint32_t workers_tend(uint32_t count)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		CHECK(pid != bystander_pid);
		for (uint32_t slot = 0; slot < WORKERS; slot++) {
			if (board->pid[slot] != (uint32_t)pid)
				continue;
			if (status & 0x7f)
				totals.killed++;
			else
				totals.ended++;
			board->pid[slot] = 0;
			count--;
			if (board->next < board->end) {
				worker_start(slot);
				count++;
			}
		}
	}
	return count;
}

/* Nanoseconds since the machine began. */
static uint64_t now(void)
{
	uint64_t out[3] = { 0 };

	CHECK_EQUAL(kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, out), ST_OK);
	return out[0];
}

/* Ends workers that have made no step for long. */
static void workers_hurry(uint32_t *seen, uint64_t *since)
{
	uint64_t time = now();

	for (uint32_t slot = 0; slot < WORKERS; slot++) {
		if (board->steps[slot] != seen[slot] || board->pid[slot] == 0) {
			seen[slot] = board->steps[slot];
			since[slot] = time;
		} else if (time - since[slot] >= STUCK_NANOSECONDS) {
			totals.stuck++;
			since[slot] = time;
			(void)kill((pid_t)board->pid[slot], SIGKILL);
		}
	}
}

static void batch_run(uint32_t first, uint32_t end)
{
	uint32_t count = WORKERS, seen[WORKERS] = { 0 };
	uint64_t since[WORKERS] = { 0 };

	board->end = end;
	board->next = first;
	for (uint32_t slot = 0; slot < WORKERS; slot++)
		worker_start(slot);
	while ((count = workers_tend(count)) > 0) {
		usleep(2000);
		workers_hurry(seen, since);
	}
	clear_away();
	CHECK(board->end == end && board->next >= end);
}

static void system_check(uint32_t sequence)
{
	struct message message = { .tag = tag_make(PROC_PAGER, 0), .w = { PAGER_CHECK } };
	status_t status = ipc_call(SLOT_PROC, &message);

	if (status == ST_OK)
		status = (status_t)TAG_LABEL(message.tag);
	if (status != ST_OK || message.w[0] != 0)
		test_fail(__FILE__, __LINE__,
			"seed %llu before sequence %u: %s, rule %llu violated at %#llx",
			(unsigned long long)fuzz_seed, (unsigned)sequence,
			system_status_text((int)status), (unsigned long long)message.w[0],
			(unsigned long long)message.w[1]);
}

static void print_totals(uint64_t frames)
{
	uint32_t made = 0;

	for (uint32_t slot = 0; slot < WORKERS; slot++)
		made += board->steps[slot];
	printf("fuzz: seed %llu: %u sequences, %u steps; workers: %u ended, %u died, %u stuck; "
	       "%llu frames free\n",
		(unsigned long long)fuzz_seed, (unsigned)board->next, (unsigned)made,
		(unsigned)totals.ended, (unsigned)totals.killed, (unsigned)totals.stuck,
		(unsigned long long)frames);
	fflush(stdout);
}

static void random_calls_of_many_programs(void)
{
	uint64_t frames_then = 0;

	board = (volatile struct board *)shared_pages(1);
	bystander_pid = child_start(bystander, NULL);
	for (uint32_t first = 0; first < fuzz_sequences; first += BATCH) {
		uint32_t end = first + BATCH < fuzz_sequences ? first + BATCH : fuzz_sequences;

		batch_run(first, end);
		bystander_answers(bystander_pid);
		system_check(end);
		if (frames_then == 0 && end >= fuzz_sequences / 4)
			frames_then = frames_free();
		if (end / BATCH % 50 == 0)
			print_totals(frames_free());
	}
	CHECK(frames_free() + FRAMES_SLACK >= frames_then);
	print_totals(frames_free());
	kill(bystander_pid, SIGKILL);
	(void)waitpid(bystander_pid, NULL, 0);
}

const struct test tests_fuzz[] = {
	TEST_SLOW(random_calls_of_many_programs, 300),
	{ 0 },
};

/* See fuzz.h. */
const struct test *fuzz_long(const char *seed, const char *sequences)
{
	static const struct test test = { .name = "random_calls_of_many_programs",
		.run = random_calls_of_many_programs,
		.seconds = 1000000 };

	fuzz_seed = strtoull(seed, NULL, 0);
	fuzz_sequences = (uint32_t)strtoul(sequences, NULL, 0);
	return &test;
}
