/*
 * Rows that only Linux has: other ways of a message, and a pager in user space.
 *
 *   T1.pipe, T1.futex   as T1, a byte by a pipe, a word of shared memory by futex
 *   T2.uffd             as T2: userfaultfd, a pager in a process of its own, the zero page
 *   T3.uffd             as T3: the same, a page copied by UFFDIO_COPY
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../bench.h"
#include "../system.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDTRIPS  1000
#define WARM_UP	    10
#define PAGER_PAGES 1024u

static pid_t fork_child(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	return pid;
}

/* ---- pipe ---- */

static void pipe_roundtrip(int to, int from)
{
	char byte = 0;

	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		die("pipe");
}

static void pipe_answer(int to, int from)
{
	char byte;

	while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
		;
	_exit(0);
}

static void bench_pipe(void)
{
	int there[2], back[2];
	pid_t pid;

	if (pipe(there) != 0 || pipe(back) != 0)
		die("pipe");
	pid = fork_child();
	if (pid == 0) {
		close(there[1]);
		pipe_answer(back[1], there[0]);
	}
	for (int i = 0; i < WARM_UP; i++)
		pipe_roundtrip(there[1], back[0]);
	series_begin();
	for (int i = 0; i < ROUNDTRIPS; i++) {
		uint64_t start = ticks_now();

		pipe_roundtrip(there[1], back[0]);
		sample(ticks_now() - start);
	}
	series_end("T1.pipe", 1);
	close(there[1]);
	waitpid(pid, NULL, 0);
	close(there[0]);
	close(back[0]);
	close(back[1]);
}

/* ---- futex ---- */

enum turn { TURN_PARENT, TURN_CHILD, TURN_END };

static void turn_give(uint32_t *turn, uint32_t whose)
{
	__atomic_store_n(turn, whose, __ATOMIC_RELEASE);
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void turn_await(uint32_t *turn, uint32_t other)
{
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == other)
		syscall(SYS_futex, turn, FUTEX_WAIT, other, NULL, NULL, 0);
}

static void futex_answer(uint32_t *turn)
{
	for (;;) {
		turn_await(turn, TURN_PARENT);
		if (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == TURN_END)
			_exit(0);
		turn_give(turn, TURN_PARENT);
	}
}

static void bench_futex(void)
{
	uint32_t *turn = mmap(
		NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (turn == MAP_FAILED)
		die("mmap");
	pid = fork_child();
	if (pid == 0)
		futex_answer(turn);
	series_begin();
	for (int i = 0; i < ROUNDTRIPS + WARM_UP; i++) {
		uint64_t start = ticks_now();

		turn_give(turn, TURN_CHILD);
		turn_await(turn, TURN_CHILD);
		if (i >= WARM_UP)
			sample(ticks_now() - start);
	}
	series_end("T1.futex", 1);
	turn_give(turn, TURN_END);
	waitpid(pid, NULL, 0);
	munmap(turn, PAGE);
}

/* ---- userfaultfd ---- */

static char source[PAGE] __attribute__((aligned(4096)));

static bool page_supply(int fd, uint64_t page, bool is_copy)
{
	struct uffdio_zeropage zero = { .range = { .start = page, .len = PAGE } };
	struct uffdio_copy copy = { .dst = page, .src = (uintptr_t)source, .len = PAGE };

	return is_copy ? ioctl(fd, UFFDIO_COPY, &copy) == 0 : ioctl(fd, UFFDIO_ZEROPAGE, &zero) == 0;
}

static void pager_run(int fd, bool is_copy)
{
	struct uffd_msg message;

	source[0] = 1; /* its own copy since the fork */
	while (read(fd, &message, sizeof(message)) == sizeof(message))
		if (message.event != UFFD_EVENT_PAGEFAULT ||
			!page_supply(fd, message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), is_copy))
			break;
	_exit(0);
}

static bool memory_register(int fd, char *memory)
{
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)memory, .len = (uint64_t)PAGER_PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(fd, UFFDIO_REGISTER, &range) == 0;
}

static void sample_faults(volatile char *memory, bool is_write)
{
	for (uint32_t i = 0; i < PAGER_PAGES; i++) {
		volatile char *byte = memory + (size_t)i * PAGE;
		uint64_t start = ticks_now();

		if (is_write)
			*byte = 1;
		else
			(void)*byte;
		if (i >= WARM_UP)
			sample(ticks_now() - start);
	}
}

/* The pager is forked off before there is anything in the range. */
static void bench_pager(const char *name, bool is_write)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	char *memory = memory_map(PAGER_PAGES);
	pid_t pid;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0) {
		series_skip(name, "no userfaultfd");
		return;
	}
	pid = fork_child();
	if (pid == 0)
		pager_run(fd, is_write);
	if (!memory_register(fd, memory))
		die("userfaultfd");
	series_begin();
	sample_faults(memory, is_write);
	series_end(name, 1);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	close(fd);
	memory_unmap(memory, (size_t)PAGER_PAGES * PAGE);
}

void system_bench(void)
{
	bench_pipe();
	bench_futex();
	bench_pager("T2.uffd", false);
	bench_pager("T3.uffd", true);
}
