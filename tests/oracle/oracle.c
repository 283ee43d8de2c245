/*
 * Shows its own page tables, as the pager reads them, at several points of its life, so that
 * somebody else can compare: compare.py asks the emulator, which walks the tables from CR3.
 *
 *     POINT name            then for each page    PAGE address entry       then    WALK name
 *
 * After WALK it spins without a call, so that its own tables are the loaded ones.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <faultline/info.h>
#include <faultline/protocol/pager.h>
#include <faultline/slots.h>
#include "call.h"

#define PAGES_MAX 4096u
#define PAGE 4096u
#define SPIN_SECONDS 2u

static struct pager_page pages[PAGES_MAX];
static uint64_t tsc_hz;

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return ((uint64_t)high << 32) | low;
}

static uint64_t read_frequency(void)
{
	struct info_boot boot;

	*(volatile char *)MESSAGE_PAGE = 0;
	kernel_call(CALL_INFO, INFO_BOOT, 0, 0, 0, 0, 0, NULL);
	memcpy(&boot, MESSAGE_PAGE, sizeof(boot));
	return boot.tsc_hz;
}

static uint32_t list_pages(void)
{
	uint64_t next = 0;
	uint32_t count = 0;

	do {
		struct message message = { .tag = tag_make(PAGER_PAGES, 0) };

		message.w[1] = next;
		if (ipc_call(SLOT_PAGER, &message) != ST_OK || TAG_LABEL(message.tag) != ST_OK)
			return 0;
		if (count + message.w[0] > PAGES_MAX)
			return 0;
		memcpy(&pages[count], MESSAGE_PAGE, message.w[0] * sizeof(pages[0]));
		count += (uint32_t)message.w[0];
		next = message.w[1];
	} while (next != 0);
	return count;
}

static void print_pages(const char *name, uint32_t count)
{
	printf("POINT %s\n", name);
	for (uint32_t i = 0; i < count; i++)
		printf("PAGE %llx %llx\n", (unsigned long long)pages[i].address,
		       (unsigned long long)pages[i].entry);
	printf("WALK %s\n", name);
	fflush(stdout);
}

/* Printing may touch pages for the first time, so it is done once before it counts. */
static void show(const char *name)
{
	uint64_t end;

	memset(pages, 0, sizeof(pages));
	print_pages("warm-up", list_pages());
	print_pages(name, list_pages());
	end = tsc() + SPIN_SECONDS * tsc_hz;
	while (tsc() < end)
		;
}

static char *map(size_t count, int protection, int flags)
{
	return mmap(NULL, count * PAGE, protection, flags | MAP_ANONYMOUS, -1, 0);
}

int main(void)
{
	char *private = map(1024, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *shared = map(16, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile char sink;
	pid_t pid;

	tsc_hz = read_frequency();
	show("start");
	for (uint32_t i = 0; i < 1024; i += 3)
		private[i * PAGE] = 1;
	for (uint32_t i = 1; i < 64; i += 3)
		sink = private[i * PAGE];
	(void)sink;
	memset(shared, 7, 8 * PAGE);
	mprotect(private + 30 * PAGE, 10 * PAGE, PROT_READ);
	mprotect(private + 60 * PAGE, 10 * PAGE, PROT_NONE);
	show("touched");
	pid = fork();
	if (pid == 0) {
		private[0] = 2;
		private[600 * PAGE] = 2;
		shared[0] = 8;
		show("child");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	private[3 * PAGE] = 3;
	munmap(private + 300 * PAGE, 300 * PAGE);
	show("parent");
	return 0;
}
