/*
 * Addresses outside what a program may use: each use ends that process alone.
 *
 * A non-canonical address is a protection error of the processor, which the pager never hears of;
 * one of the kernel's half is a page fault, which the pager refuses (PT-5).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "harness.h"

#define NON_CANONICAL_LOW 0x0000800000000000ull
#define NON_CANONICAL_HIGH 0xffff7fffffffffffull
#define KERNEL_HALF 0xffff800000000000ull
#define WILD 0x0000123456789000ull

static uint64_t refused_by_pager(void)
{
	struct pager_stat stat;

	CHECK_EQUAL(system_pager_stat(&stat), 0);
	return stat.faults_refused;
}

/*
 * The access kills; the pager refused a fault, or never heard of it.  (It may hear of one twice: the
 * C library lets an exception happen again when it has no use for it.)
 */
static void kills(child_t *access, uint64_t address, bool is_page_fault)
{
	uint64_t before = refused_by_pager();

	CHECK_KILLED(access, (void *)address, SIGSEGV);
	CHECK_EQUAL(refused_by_pager() > before, is_page_fault);
}

static void non_canonical_read(void)
{
	kills(load_child, NON_CANONICAL_LOW, false);
	kills(load_child, NON_CANONICAL_HIGH, false);
}

static void non_canonical_write(void)
{
	kills(store_child, NON_CANONICAL_LOW, false);
	kills(store_child, NON_CANONICAL_HIGH, false);
}

static void non_canonical_jump(void)
{
	kills(execute_child, NON_CANONICAL_LOW, false);
}

static void kernel_half_is_a_page_fault(void)
{
	kills(load_child, KERNEL_HALF, true);
	kills(store_child, KERNEL_HALF, true);
	kills(execute_child, KERNEL_HALF, true);
}

static void kernel_text_is_out_of_reach(void)
{
	kills(load_child, LAYOUT_KERNEL, true);
	kills(store_child, LAYOUT_KERNEL, true);
	kills(execute_child, LAYOUT_KERNEL, true);
}

static void direct_map_is_out_of_reach(void)
{
	kills(load_child, LAYOUT_DIRECT_MAP, true);
	kills(store_child, LAYOUT_DIRECT_MAP + 0x100000, true);
}

static void vmalloc_window_is_out_of_reach(void)
{
	kills(load_child, LAYOUT_VMALLOC, true);
	kills(store_child, LAYOUT_VMALLOC, true);
}

static void frame_table_is_out_of_reach(void)
{
	kills(load_child, LAYOUT_FRAME_TABLE, true);
	kills(store_child, LAYOUT_FRAME_TABLE, true);
	kills(load_child, LAYOUT_VMEMMAP, true);
}

/* Only the first message page is this thread's. */
static void other_message_pages_are_out_of_reach(void)
{
	kills(load_child, LAYOUT_MESSAGE + PAGE_SIZE, true);
	kills(store_child, LAYOUT_MESSAGE + PAGE_SIZE, true);
}

static void message_page_is_not_executable(void)
{
	CHECK_KILLED(execute_child, (void *)LAYOUT_MESSAGE, SIGSEGV);
}

/* USR-4 */
static void low_addresses_read(void)
{
	kills(load_child, 0, true);
	kills(load_child, 0x1000, true);
	kills(load_child, LAYOUT_USER_TEXT - 1, true);
}

static void null_write(void)
{
	kills(store_child, 0, true);
	kills(store_child, 8, true);
}

static void null_jump(void)
{
	kills(execute_child, 0, true);
}

static void wild_accesses(void)
{
	kills(load_child, WILD, true);
	kills(store_child, WILD, true);
	kills(execute_child, WILD, true);
}

/* Behind the last user page. */
static void top_guard_page(void)
{
	kills(load_child, LAYOUT_USER_END, true);
	kills(store_child, LAYOUT_USER_END, true);
}

static void read_across_the_end(void *address)
{
	uint64_t value;

	__asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(address) : "memory");
}

/* Eight bytes of which the last lies in the guard page. */
static void access_that_straddles_the_top(void)
{
	kills(read_across_the_end, LAYOUT_USER_END - 7, true);
	CHECK_LIVES(load_child, (void *)(LAYOUT_USER_END - 1));
}

static void mapping_there_is_refused(uint64_t address)
{
	void *mapping = mmap((void *)address, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(mapping == MAP_FAILED);
}

static void nothing_can_be_mapped_there(void)
{
	static const uint64_t addresses[] = {
		0, 0x1000, LAYOUT_USER_MIN - PAGE_SIZE, LAYOUT_USER_END, NON_CANONICAL_LOW,
		KERNEL_HALF, LAYOUT_DIRECT_MAP, LAYOUT_VMALLOC, LAYOUT_MESSAGE, LAYOUT_FRAME_TABLE,
		LAYOUT_VMEMMAP, LAYOUT_KERNEL, 0 - (uint64_t)PAGE_SIZE,
	};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		mapping_there_is_refused(addresses[i]);
	CHECK_KILLED(load_child, (void *)0, SIGSEGV);
}

static void first_page_can_be_mapped(void)
{
	volatile uint8_t *low = mmap((void *)LAYOUT_USER_MIN, PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK((uint64_t)low == LAYOUT_USER_MIN);
	low[0] = 1;
	low[PAGE_SIZE - 1] = 2;
	kills(load_child, LAYOUT_USER_MIN - 1, true);
	CHECK_EQUAL(low[0] + low[PAGE_SIZE - 1], 3);
}

const struct test tests_address[] = {
	TEST(non_canonical_read),
	TEST(non_canonical_write),
	TEST(non_canonical_jump),
	TEST(kernel_half_is_a_page_fault),
	TEST(kernel_text_is_out_of_reach),
	TEST(direct_map_is_out_of_reach),
	TEST(vmalloc_window_is_out_of_reach),
	TEST(frame_table_is_out_of_reach),
	TEST(other_message_pages_are_out_of_reach),
	TEST(message_page_is_not_executable),
	TEST(low_addresses_read),
	TEST(null_write),
	TEST(null_jump),
	TEST(wild_accesses),
	TEST(top_guard_page),
	TEST(access_that_straddles_the_top),
	TEST(nothing_can_be_mapped_there),
	TEST(first_page_can_be_mapped),
	{0},
};
