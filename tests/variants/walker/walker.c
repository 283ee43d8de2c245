/*
 * The processor's page walk against a model of it.
 *
 * For each setting of WP, SMEP and SMAP, for each kind of access (read, write, fetch; by user mode,
 * by the kernel, by the kernel with AC set), for a set of paths through the tables, one access is
 * made.  Compared are: whether it faults, the whole error code, the address, and every A and D bit
 * of the path afterwards.  For user accesses the kernel's own table_walk() must agree, too.
 *
 * Paths, with P, W, U, A, D, NX, PS and a reserved bit as the bits of an entry:
 *   pairs     all combinations of all these bits in any two levels, the other two allowing all
 *   rights    all combinations of P, W, U, NX in all four levels
 *   marks     all combinations of A and D in all four levels, for pages of each size
 *   reserved  each address bit that is reserved, alone, at each level and page size
 *
 * After a refused access, entries above the refusing one may have got A (processors differ); the leaf
 * must be as it was.  Known deviations of QEMU 7.2 are counted and shown, not failed: it reports
 * reserved bits without FAULT_PRESENT, and sets A in a 1 GiB leaf that refuses.
 *
 * Kernel options: "walker=N" takes every N-th path only, from a place that depends on the setting.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "boot.h"
#include "frame.h"
#include "log.h"
#include "machine/cpu.h"
#include "machine/selectors.h"
#include "percpu.h"
#include "shutdown.h"
#include "table.h"
#include "walk_model.h"
#include <faultline/fault.h>

#define LEVELS	       4u
#define HUGE_LEVEL     3u /* 1 GiB leaves */
#define TEST_SLOT      5u
#define TEST_GIB       3u
#define STUB_SLOT      7u
#define NO_FAULT       UINT64_MAX
#define RESERVED_BIT   (1ull << 51)
#define ALL_BITS       (PTE_P | PTE_W | PTE_U | PTE_A)
#define VECTOR_COUNT   32u
#define GATE_KERNEL    0x8eu
#define GATE_FROM_USER 0xeeu
#define REPORTS_MAX    10u
#define BREAKPOINTS    0xccccccccccccccccull /* eight instructions */

enum { ACCESS_WRITE = 1, ACCESS_FETCH = 2, ACCESS_USER = 4, ACCESS_AC = 8 };
enum { SETTING_WP = 1, SETTING_SMEP = 2, SETTING_SMAP = 4, SETTINGS = 8 };

uint64_t walker_access(uint64_t address, uint64_t kind, uint64_t user_code);
extern const char walker_page_fault[], walker_breakpoint[], walker_user_code[];
void __wrap_root_load(void);

struct gate {
	uint16_t offset0, selector;
	uint8_t stack, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

static struct gate idt[VECTOR_COUNT];
static pfn_t table[LEVELS + 1];	 /* by level; the tables of the test's path */
static pfn_t target[2];		 /* of data accesses, of fetches: a block of pages */
static struct walk_rules rules = { .levels = LEVELS };
static uint32_t every = 1, turn; /* of paths */
static uint32_t setting;
static uint64_t tried, faulted, failures, without_present, marked_huge;

/* ---- the machine ---- */

static void gate_set(uint32_t vector, const char *entry, uint8_t type)
{
	uint64_t address = (uint64_t)entry;

	idt[vector] = (struct gate){
		.offset0 = (uint16_t)(address & UINT16_MAX),
		.selector = SELECTOR_KERNEL_CODE,
		.type = type,
		.offset1 = (uint16_t)((address >> 16) & UINT16_MAX),
		.offset2 = (uint32_t)(address >> 32),
	};
}

static void gates_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

	gate_set(3, walker_breakpoint, GATE_FROM_USER);
	gate_set(14, walker_page_fault, GATE_KERNEL);
	cpu_load_idt(&pointer);
	percpu0.tss.rsp0 = percpu0.kernel_stack;
}

/* The next FREE frame, empty. */
static pfn_t frame_take(pfn_t alignment)
{
	static pfn_t next;

	do
		next++;
	while (next < frame_count && (frame_table[next].type != FRAME_FREE || next % alignment));
	if (next >= frame_count)
		panic("the walker finds no memory");
	memory_fill_words(frame_memory(next), 0, TABLE_ENTRIES);
	return next;
}

static uint64_t *entry_of(pfn_t table_pfn, uint64_t address, uint32_t level)
{
	uint64_t *entries = frame_memory(table_pfn);

	return &entries[(address >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES];
}

/* Leaves of every size lead to the same page: the address ends like the frame's. */
static uint64_t address_of(pfn_t pfn)
{
	return ((uint64_t)TEST_SLOT << SLOT_SHIFT) | ((uint64_t)TEST_GIB << 30) |
	       ((uint64_t)pfn << PAGE_SHIFT);
}

static uint64_t stub_map(void)
{
	uint64_t address = (uint64_t)STUB_SLOT << SLOT_SHIFT;
	pfn_t pfn = (pfn_t)(((uint64_t)walker_user_code - LAYOUT_KERNEL) >> PAGE_SHIFT);
	pfn_t at = table[LEVELS];

	for (uint32_t level = LEVELS; level > 1; level--) {
		pfn_t next = frame_take(1);

		*entry_of(at, address, level) = pte_make(next, ALL_BITS);
		at = next;
	}
	*entry_of(at, address, 1) = pte_make(pfn, ALL_BITS & ~PTE_W);
	return address;
}

static uint64_t stub_address;

static void tables_make(void)
{
	/* Two pages in a row, in the middle of a 2 MiB page below 1 GiB. */
	pfn_t block = frame_take(512);

	target[0] = block + 100;
	target[1] = block + 101;
	while (frame_take(1) < block + 511)
		;
	for (pfn_t pfn = block; pfn < block + 512; pfn++)
		memory_fill_words(frame_memory(pfn), BREAKPOINTS, TABLE_ENTRIES);
	for (uint32_t level = 1; level <= LEVELS; level++)
		table[level] = frame_take(1);
	memory_copy_words(frame_memory(table[LEVELS]), frame_memory(kernel_top), TABLE_ENTRIES);
	stub_address = stub_map();
	cpu_write_cr3((uint64_t)table[LEVELS] << PAGE_SHIFT);
}

static void setting_use(void)
{
	uint64_t cr4 = cpu_read_cr4() & ~(CR4_SMEP | CR4_SMAP);

	rules.wp = setting & SETTING_WP;
	rules.smep = setting & SETTING_SMEP;
	rules.smap = setting & SETTING_SMAP;
	cpu_write_cr0((cpu_read_cr0() & ~CR0_WP) | (rules.wp ? CR0_WP : 0));
	cpu_write_cr4(cr4 | (rules.smep ? CR4_SMEP : 0) | (rules.smap ? CR4_SMAP : 0));
}

static bool setting_exists(void)
{
	return (!(setting & SETTING_SMEP) || cpu_has(FEATURE_SMEP)) &&
	       (!(setting & SETTING_SMAP) || cpu_has(FEATURE_SMAP));
}

/* ---- one access ---- */

static void report(const uint64_t *before, const uint64_t *after, uint64_t kind, const char *what,
	uint64_t got, uint64_t wanted)
{
	if (++failures > REPORTS_MAX)
		return;
	log_print("  %s: got %lx, wanted %lx; WP %u SMEP %u SMAP %u, %s %s%s\n", what, got, wanted,
		rules.wp, rules.smep, rules.smap, kind & ACCESS_USER ? "user" : "kernel",
		kind & ACCESS_WRITE ? "write" : kind & ACCESS_FETCH ? "fetch" : "read",
		kind & ACCESS_AC ? " with AC" : "");
	for (uint32_t level = LEVELS; level > 0; level--)
		log_print("    level %u: %lx -> %lx\n", level, before[level - 1], after[level - 1]);
}

/* The bits that the processor must, and those that it may, have set. */
static void marks_expected(const uint64_t *before, const struct walk_outcome *outcome, bool write,
	uint64_t *must, uint64_t *may)
{
	for (uint32_t level = 1; level <= LEVELS; level++) {
		bool passed = level > outcome->last || (level == outcome->last && outcome->allowed);
		bool dirties = level == outcome->last && outcome->allowed && write;

		may[level - 1] = before[level - 1] | (passed ? PTE_A : 0) | (dirties ? PTE_D : 0);
		must[level - 1] = outcome->allowed ? may[level - 1] : before[level - 1];
	}
}

static void compare_error(const uint64_t *before, const uint64_t *after, uint64_t kind, uint64_t got,
	const struct walk_outcome *outcome)
{
	uint64_t wanted = outcome->allowed ? NO_FAULT : outcome->error;

	faulted += !outcome->allowed;
	if (got == wanted)
		return;
	if ((wanted & FAULT_RESERVED) && wanted != NO_FAULT && got == (wanted & ~(uint64_t)FAULT_PRESENT))
		without_present++;
	else
		report(before, after, kind, "error code", got, wanted);
}

/* The kernel's walk looks at user accesses, and never meets reserved bits inside a large page. */
static void compare_kernel_walk(const uint64_t *before, const uint64_t *after, uint64_t address,
	uint64_t kind, const struct walk_outcome *outcome)
{
	struct walk walk;
	uint32_t access = (kind & ACCESS_WRITE ? FAULT_WRITE : 0u) |
			  (kind & ACCESS_FETCH ? FAULT_FETCH : 0u);

	table_walk(table[LEVELS], address, access, &walk);
	if ((walk.refusing_level == 0) != outcome->allowed)
		report(before, after, kind, "table_walk's refusing level", walk.refusing_level,
			outcome->allowed ? 0 : outcome->last);
}

static bool has_inner_reserved(const uint64_t *entry)
{
	return ((entry[1] & PTE_PS) && (entry[1] & 0x1fe000)) ||
	       ((entry[2] & PTE_PS) && (entry[2] & 0x3fffe000));
}

/* Did the walk change this entry as it must, or may? */
static void compare_entry(const uint64_t *before, const uint64_t *after, uint64_t kind, uint32_t i,
	uint64_t must, uint64_t may)
{
	uint64_t extra = after[i] & ~may;

	if (i + 1 == HUGE_LEVEL && (after[i] & PTE_PS) && extra == PTE_A)
		marked_huge++;
	else if ((after[i] & must) != must || extra != 0)
		report(before, after, kind, "entry", after[i], must);
}

static void access_compare(const uint64_t *path, uint64_t kind)
{
	pfn_t pfn = target[kind & ACCESS_FETCH ? 1 : 0];
	uint64_t address = address_of(pfn), before[LEVELS], after[LEVELS], must[LEVELS], may[LEVELS], got;
	struct walk_access access = { kind & ACCESS_WRITE, kind & ACCESS_FETCH, kind & ACCESS_USER,
		kind & ACCESS_AC };
	struct walk_outcome outcome;

	for (uint32_t level = 1; level <= LEVELS; level++) {
		uint64_t span = 1ull << (PAGE_SHIFT + 9 * (level - 1));
		bool leaf = level == 1 || ((path[level - 1] & PTE_PS) && level < LEVELS);
		uint64_t names = leaf ? ((uint64_t)pfn << PAGE_SHIFT) & ~(span - 1) :
					(uint64_t)table[level - 1] << PAGE_SHIFT;

		before[level - 1] = path[level - 1] | names;
		*entry_of(table[level], address, level) = before[level - 1];
	}
	walk_model(before, &rules, &access, &outcome);
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
	if ((kind & ACCESS_USER) && !has_inner_reserved(before))
		compare_kernel_walk(before, before, address, kind, &outcome);
	got = walker_access(address, kind, stub_address);
	tried++;
	for (uint32_t level = 1; level <= LEVELS; level++)
		after[level - 1] = *entry_of(table[level], address, level);
	compare_error(before, after, kind, got, &outcome);
	if (got != NO_FAULT && cpu_read_cr2() != address)
		report(before, after, kind, "fault address", cpu_read_cr2(), address);
	marks_expected(before, &outcome, access.write, must, may);
	for (uint32_t i = 0; i < LEVELS; i++)
		compare_entry(before, after, kind, i, must[i], may[i]);
}

static void path_try(const uint64_t *path)
{
	static const uint64_t kinds[] = { 0, ACCESS_WRITE, ACCESS_FETCH, ACCESS_AC,
		ACCESS_AC | ACCESS_WRITE, ACCESS_USER, ACCESS_USER | ACCESS_WRITE,
		ACCESS_USER | ACCESS_FETCH };

	if (turn++ % every != 0)
		return;
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		access_compare(path, kinds[i]);
}

/* ---- paths ---- */

static const uint64_t entry_bits[] = { PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_NX, PTE_PS,
	RESERVED_BIT };
static const uint64_t right_bits[] = { PTE_P, PTE_W, PTE_U, PTE_NX };

#define ENTRY_BITS  (sizeof(entry_bits) / sizeof(entry_bits[0]))
#define RIGHT_BITS  (sizeof(right_bits) / sizeof(right_bits[0]))

static uint64_t bits_chosen(const uint64_t *bits, uint32_t count, uint32_t choice)
{
	uint64_t chosen = 0;

	for (uint32_t i = 0; i < count; i++)
		chosen |= (choice >> i) & 1 ? bits[i] : 0;
	return chosen;
}

/* At level 1 the place of PS is the PAT's, which is not the walk's. */
static uint64_t entry_chosen(uint32_t level, uint32_t choice)
{
	return bits_chosen(entry_bits, ENTRY_BITS, choice) & ~(level == 1 ? PTE_PS : 0);
}

static void path_open(uint64_t *path)
{
	for (uint32_t i = 0; i < LEVELS; i++)
		path[i] = ALL_BITS;
}

static void try_pair(uint32_t high, uint32_t low)
{
	uint64_t path[LEVELS];

	path_open(path);
	for (uint32_t one = 0; one < 1u << ENTRY_BITS; one++)
		for (uint32_t other = 0; other < 1u << ENTRY_BITS; other++) {
			if (low == 1 && (bits_chosen(entry_bits, ENTRY_BITS, other) & PTE_PS))
				continue;
			path[high - 1] = entry_chosen(high, one);
			path[low - 1] = entry_chosen(low, other);
			path_try(path);
		}
}

static void try_pairs(void)
{
	for (uint32_t high = 2; high <= LEVELS; high++)
		for (uint32_t low = 1; low < high; low++)
			try_pair(high, low);
}

static void try_rights(void)
{
	uint64_t path[LEVELS];

	for (uint32_t choice = 0; choice < 1u << (RIGHT_BITS * LEVELS); choice++) {
		for (uint32_t i = 0; i < LEVELS; i++)
			path[i] = bits_chosen(right_bits, RIGHT_BITS,
				(choice >> (RIGHT_BITS * i)) & ((1u << RIGHT_BITS) - 1));
		path_try(path);
	}
}

static void try_marks(void)
{
	static const uint64_t marks[] = { PTE_A, PTE_D };
	uint64_t path[LEVELS];

	for (uint32_t leaf = 1; leaf < LEVELS; leaf++)
		for (uint32_t choice = 0; choice < 1u << (2 * LEVELS); choice++) {
			for (uint32_t i = 0; i < LEVELS; i++)
				path[i] = PTE_P | PTE_W | PTE_U |
					  bits_chosen(marks, 2, (choice >> (2 * i)) & 3);
			path[leaf - 1] |= leaf > 1 ? PTE_PS : 0;
			path_try(path);
		}
}

static void try_reserved(void)
{
	uint64_t path[LEVELS];

	for (uint32_t level = 1; level <= LEVELS; level++)
		for (uint32_t large = 0; large < 2; large++)
			for (uint32_t bit = 13; bit < 52; bit++) {
				bool inside = large && bit < PAGE_SHIFT + 9 * (level - 1);

				if ((large && level == 1) || (!inside && bit < rules.physical_bits))
					continue;
				path_open(path);
				path[level - 1] |= (1ull << bit) | (large ? PTE_PS : 0);
				path_try(path);
			}
}

static void part_run(const char *name, void (*part)(void))
{
	uint64_t failures_before = failures, tried_before = tried;

	for (setting = 0; setting < SETTINGS; setting++) {
		turn = setting;
		if (!setting_exists())
			continue;
		setting_use();
		part();
	}
	setting = (cpu_has(FEATURE_SMEP) ? SETTING_SMEP : 0) | (cpu_has(FEATURE_SMAP) ? SETTING_SMAP : 0) |
		  SETTING_WP;
	setting_use();
	log_print("%s walker_%s", failures == failures_before ? "ok" : "FAIL", name);
	log_print(failures == failures_before ? " (%lu accesses)\n" : ": %lu accesses\n", tried - tried_before);
}

/* How many paths to take, from the kernel's command line. */
static void options_read(void)
{
	static const struct {
		const char *word;
		uint32_t every;
	} options[] = { { "walker=7", 7 }, { "walker=101", 101 }, { "walker=1009", 1009 } };

	for (uint32_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (boot_option(options[i].word))
			every = options[i].every;
}

/* In place of loading a root task. */
void __wrap_root_load(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = { { "reserved", try_reserved }, { "marks", try_marks }, { "rights", try_rights },
		{ "pairs", try_pairs } };
	uint32_t count = sizeof(parts) / sizeof(parts[0]), failed = 0;

	options_read();
	rules.physical_bits = cpu_id(0x80000008u, 0).eax & 0xff;
	gates_load();
	tables_make();
	for (uint32_t i = 0; i < count; i++) {
		uint64_t before = failures;

		part_run(parts[i].name, parts[i].run);
		failed += failures != before;
	}
	log_print("%lu accesses, %lu of them refused\n", tried, faulted);
	log_print("known deviations: %lu faults of reserved bits without the present bit, %lu times A in a "
		  "1 GiB leaf that refused\n",
		without_present, marked_huge);
	log_print("%u passed, %u failed\n", count - failed, failed);
	machine_shutdown(failed != 0);
}
