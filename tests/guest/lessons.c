/*
 * What broke elsewhere, as programs meet it (docs/lessons.md).
 *
 * The rules behind these lessons are shown one by one where they are kept: in the kernel's tests
 * and in the host tests of the pager.  Here the whole system is asked, with processes in the place
 * of threads.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define FILE_NAME "/text/default.txt"

static volatile uint32_t *gate; /* shared words of the processes of a test */

static void open_gate(void)
{
	gate = (volatile uint32_t *)shared_pages(1);
	for (int i = 0; i < 8; i++)
		gate[i] = 0;
}

static volatile uint8_t *map_file(int flags)
{
	int fd = open(FILE_NAME, O_RDONLY);
	void *memory = mmap(NULL, PAGES(1), flags & MAP_SHARED ? PROT_READ : PROT_READ | PROT_WRITE,
		flags, fd, 0);

	CHECK(fd >= 0 && memory != MAP_FAILED);
	close(fd);
	return memory;
}

/* ---- Dirty COW, CVE-2016-5195 ---- */

static void write_and_discard(void *argument)
{
	volatile uint8_t *page = map_file(MAP_PRIVATE);
	uint8_t before = page[0];

	(void)argument;
	for (unsigned i = 0; i < 150; i++) {
		page[0] = (uint8_t)~before;
		CHECK_EQUAL(page[0], (uint8_t)~before);
		if (i % 3 == 0)
			sched_yield();
		CHECK(madvise((void *)(uintptr_t)page, PAGES(1), MADV_DONTNEED) == 0);
		CHECK_EQUAL(page[0], before);
	}
}

/* Several processes write to their private page of one file and throw it away, over and over. */
static void lesson_dirty_cow_a_file_is_never_written(void)
{
	const volatile uint8_t *file = map_file(MAP_SHARED);
	uint8_t copy[512];
	pid_t children[3];

	for (size_t i = 0; i < sizeof(copy); i++)
		copy[i] = file[i];
	for (int i = 0; i < 3; i++)
		children[i] = child_start(write_and_discard, NULL);
	for (int i = 0; i < 3; i++)
		child_finish(children[i]);
	for (size_t i = 0; i < sizeof(copy); i++)
		CHECK_EQUAL(file[i], copy[i]);
}

/* ---- Huge Dirty COW, CVE-2017-1000405 ---- */

static void write_zeros_page(void *page)
{
	CHECK_EQUAL(load((uint64_t)page), 0);
	store((uint64_t)page, 0xff);
}

static void lesson_huge_dirty_cow_zero_stays_zero(void)
{
	volatile uint8_t *pages = private_pages(16);

	for (int i = 0; i < 16; i++) {
		CHECK_EQUAL(pages[PAGES(i)], 0); /* the zero frame, in us and the child */
		child_run(write_zeros_page, (void *)(uintptr_t)&pages[PAGES(i)]);
	}
	CHECK(all_bytes_are(pages, PAGES(16), 0));
	CHECK(all_bytes_are(private_pages(16), PAGES(16), 0));
}

/* ---- three generations, CVE-2021-29626 ---- */

#define GENERATION_PAGES 40

static void youngest(void *argument)
{
	const volatile uint8_t *memory = argument;

	gate[0] = 1;
	wait_until(&gate[1], 1);
	CHECK(pattern_holds(memory, PAGES(GENERATION_PAGES), 21));
}

static void middle(void *argument)
{
	volatile uint8_t *memory = argument;

	CHECK(pattern_holds(memory, PAGES(GENERATION_PAGES), 21));
	gate[2] = (uint32_t)child_start(youngest, argument);
	for (size_t page = 0; page < GENERATION_PAGES; page += 2)
		memory[PAGES(page)] ^= 0xff;
}

/* The middle one breaks the sharing of half the pages and ends, the eldest gives all up; the frames
   come back with a secret, which the youngest must not see. */
static void lesson_three_generations_and_a_reused_frame(void)
{
	volatile uint8_t *memory = private_pages(GENERATION_PAGES), *secret;

	open_gate();
	pattern_fill(memory, PAGES(GENERATION_PAGES), 21);
	child_run(middle, (void *)(uintptr_t)memory);
	wait_until(&gate[0], 1);
	pattern_fill(memory, PAGES(GENERATION_PAGES), 22);
	CHECK(munmap((void *)(uintptr_t)memory, PAGES(GENERATION_PAGES)) == 0);
	secret = private_pages(400);
	memset((void *)(uintptr_t)secret, 0x5e, PAGES(400));
	gate[1] = 1;
	orphans_wait();
}

/* ---- mremap, CVE-2018-18281 ---- */

static void read_and_wait(void *argument)
{
	const volatile uint8_t *memory = argument;

	gate[0] = 1;
	while (gate[1] == 0) {
		CHECK_EQUAL(memory[0], pattern(0, 31));
		CHECK_EQUAL(memory[PAGES(3)], pattern(PAGES(3), 31));
		sched_yield();
	}
	CHECK(pattern_holds(memory, PAGES(4), 31));
}

/* The pages move away while another holder reads them at the old address; then they are freed. */
static void lesson_a_moved_page_and_its_second_holder(void)
{
	volatile uint8_t *memory = private_pages(4), *moved, *secret;
	pid_t child;

	open_gate();
	pattern_fill(memory, PAGES(4), 31);
	child = child_start(read_and_wait, (void *)(uintptr_t)memory);
	wait_until(&gate[0], 1);
	moved = mremap((void *)(uintptr_t)memory, PAGES(4), PAGES(4), MREMAP_MAYMOVE | MREMAP_FIXED,
		(void *)0x250000000000);
	CHECK((void *)(uintptr_t)moved != MAP_FAILED);
	CHECK(pattern_holds(moved, PAGES(4), 31));
	CHECK_KILLED(load_child, (void *)(uintptr_t)memory, SIGSEGV);
	CHECK_KILLED(store_child, (void *)(uintptr_t)memory, SIGSEGV);
	CHECK(munmap((void *)(uintptr_t)moved, PAGES(4)) == 0);
	secret = private_pages(100);
	memset((void *)(uintptr_t)secret, 0x5e, PAGES(100));
	gate[1] = 1;
	child_finish(child);
}

/* ---- the stack's gap, CVE-2017-1000364 ---- */

/* Touches the far end of a frame of so many bytes, from deep in the stack. */
static void jump_over(void *argument)
{
	uint64_t low = LAYOUT_STACK_TOP - LAYOUT_STACK_LIMIT;

	store(low, 1); /* the stack is as long as it may be */
	store(low - (uint64_t)(uintptr_t)argument, 1);
}

static void lesson_a_large_frame_does_not_reach_the_neighbour(void)
{
	uint64_t low = LAYOUT_STACK_TOP - LAYOUT_STACK_LIMIT;
	uint8_t *neighbour = mmap((void *)(low - LAYOUT_STACK_GAP - PAGES(16)), PAGES(16),
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(neighbour != MAP_FAILED);
	pattern_fill(neighbour, PAGES(16), 41);
	for (uint64_t frame = 8; frame < LAYOUT_STACK_GAP; frame = frame * 4 + 4096)
		CHECK_KILLED(jump_over, (void *)(uintptr_t)frame, SIGSEGV);
	CHECK_KILLED(jump_over, (void *)(uintptr_t)(LAYOUT_STACK_GAP - 8), SIGSEGV);
	CHECK(pattern_holds(neighbour, PAGES(16), 41));
}

/* ---- returns and delayed traps, CVE-2012-0217 and CVE-2018-8897 ---- */

static void return_to(void *address)
{
	__asm__ volatile("push %0; ret" : : "r"(address) : "memory");
}

static void lesson_no_return_between_the_halves(void)
{
	for (unsigned bit = 47; bit < 64; bit++) {
		CHECK_KILLED(return_to, (void *)(1ull << bit), SIGSEGV);
		CHECK_KILLED(return_to, (void *)~(1ull << bit), SIGSEGV);
	}
	CHECK_KILLED(return_to, (void *)0x7fffffffffff, SIGSEGV);
}

/* Single step over `mov ss` and an instruction that enters the kernel. */
static void delayed_call(void *unused)
{
	(void)unused;
	__asm__ volatile("mov %%ss, %%ecx; pushfq; orq $0x100, (%%rsp); mov $6, %%eax; popfq; mov "
			 "%%ecx, %%ss; syscall; nop"
			 :
			 :
			 : "rax", "rcx", "r11", "memory", "cc");
}

static void delayed_breakpoint(void *unused)
{
	(void)unused;
	__asm__ volatile(
		"mov %%ss, %%ecx; pushfq; orq $0x100, (%%rsp); popfq; mov %%ecx, %%ss; int3; nop"
		:
		:
		: "rcx", "memory", "cc");
}

static void lesson_a_delayed_trap_ends_the_program_alone(void)
{
	for (int i = 0; i < 3; i++) {
		CHECK_KILLED(delayed_call, NULL, SIGTRAP);
		CHECK_KILLED(delayed_breakpoint, NULL, SIGTRAP);
	}
}

const struct test tests_lessons[] = {
	TEST(lesson_dirty_cow_a_file_is_never_written),
	TEST(lesson_huge_dirty_cow_zero_stays_zero),
	TEST(lesson_three_generations_and_a_reused_frame),
	TEST(lesson_a_moved_page_and_its_second_holder),
	TEST(lesson_a_large_frame_does_not_reach_the_neighbour),
	TEST(lesson_no_return_between_the_halves),
	TEST(lesson_a_delayed_trap_ends_the_program_alone),
	{ 0 },
};
