/*
 * The benchmark on Linux (system.h), as the first process or as any other.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../system.h"
#include "../bench.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

const uint64_t counts_own_entries = 0;

static bool file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return is_written;
}

static void say_system(void)
{
	struct utsname name;

	if (uname(&name) == 0)
		printf("SYSTEM %s %s %s\n", name.sysname, name.release, name.version);
}

/* Large pages only where a program asks for them; no message of the kernel during a measurement. */
void system_start(void)
{
	if (getpid() == 1) {
		mkdir("/proc", 0755);
		mkdir("/sys", 0755);
		if (mount("none", "/proc", "proc", 0, NULL) != 0 ||
			mount("none", "/sys", "sysfs", 0, NULL) != 0)
			die("mount");
		if (!file_put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise") ||
			!file_put("/proc/sys/kernel/printk", "1 1 1 1\n"))
			die("settings");
	}
	say_system();
}

void system_finish(int status)
{
	(void)status;
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	if (getpid() == 1) {
		reboot(RB_POWER_OFF);
		for (;;)
			pause();
	}
}

void counts_read(struct counts *counts)
{
	*counts = (struct counts){ 0 };
}

uint64_t system_settle_ticks(void)
{
	return 0;
}

bool system_clear_ahead(void)
{
	return false;
}

uint64_t system_free_frames(void)
{
	return 0;
}

void system_memory(void)
{
}

/* By the system call itself: what the C library does around it is left out on both systems. */
pid_t fork_timed(struct fork_ticks *ticks, volatile char *byte)
{
	register volatile char *place __asm__("r15") = byte;
	uint64_t written = 0, forked;
	int64_t pid;

	__asm__ volatile("rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%r14\n\t"
			 "mov $57, %%eax\n\t"
			 "syscall\n\t"
			 "mov %%rax, %%rbx\n\t"
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%rdi\n\t"
			 "sub %%r14, %%rdi\n\t"
			 "test %%rbx, %%rbx\n\t" /* the child */
			 "jz 1f\n\t"
			 "test %%r15, %%r15\n\t"
			 "jz 1f\n\t"
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "lea (%%rax, %%rdx), %%r14\n\t"
			 "movb $1, (%%r15)\n\t"
			 "rdtsc\n\t"
			 "shl $32, %%rdx\n\t"
			 "add %%rdx, %%rax\n\t"
			 "sub %%r14, %%rax\n"
			 "1:"
			 : "=a"(written), "=b"(pid), "=D"(forked)
			 : "r"(place)
			 : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r14", "memory");
	*ticks = (struct fork_ticks){ .forked = forked, .written = written }; /* no counts */
	return (pid_t)pid;
}

/* ---- messages: an eventfd each way, the fastest that we know of ---- */

const char partner_row[] = "T1";

#define STOP 2u

static int there = -1, back = -1;
static pid_t partner;

static void partner_answer(void)
{
	uint64_t word = 0;

	while (read(there, &word, sizeof(word)) == sizeof(word) && word != STOP)
		if (write(back, &word, sizeof(word)) != sizeof(word))
			break;
	_exit(0);
}

bool partner_start(void)
{
	there = eventfd(0, 0);
	back = eventfd(0, 0);
	if (there < 0 || back < 0)
		return false;
	fflush(stdout);
	partner = fork();
	if (partner == 0)
		partner_answer();
	return partner > 0;
}

void partner_call(void)
{
	uint64_t word = 1;

	if (write(there, &word, sizeof(word)) != sizeof(word) ||
		read(back, &word, sizeof(word)) != sizeof(word))
		die("eventfd");
}

void partner_stop(void)
{
	uint64_t word = STOP;

	if (write(there, &word, sizeof(word)) != sizeof(word) || waitpid(partner, NULL, 0) < 0)
		die("eventfd");
	close(there);
	close(back);
}

/* ---- memory ---- */

void memory_allow_large(char *memory, size_t bytes)
{
	if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
		die("madvise");
}

void memory_refuse_large(char *memory, size_t bytes)
{
	(void)madvise(memory, bytes, MADV_NOHUGEPAGE);
}

static struct sigaction action_before;

static void trap_handle(int number, siginfo_t *information, void *context)
{
	uintptr_t page = (uintptr_t)information->si_addr & ~(uintptr_t)(PAGE - 1);

	(void)number;
	(void)context;
	if (mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) != 0)
		_exit(99);
}

bool trap_start(void)
{
	struct sigaction action = { .sa_sigaction = trap_handle, .sa_flags = SA_SIGINFO };

	return sigaction(SIGSEGV, &action, &action_before) == 0;
}

void trap_stop(void)
{
	sigaction(SIGSEGV, &action_before, NULL);
}
