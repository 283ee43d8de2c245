/*
 * Tests of the pager's fork and of its paths, results and reaper (servers/pager/fork.c, tables.c):
 * what runs in which batch, what a refusal leaves, who owns which table, and when frames come back.
 *
 * Each test starts with a machine of 4,096 frames and a pager without spaces, and ends with all
 * spaces destroyed, every rule checked and every frame back.  A watcher looks at the operations; an
 * intruder (`intrude`) makes some of its own, with the authority of the pager's pool.
 *
 * Usage: pager_tables [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include <faultline/layout.h>

#include "../../servers/pager/account.h"
#include "../../servers/pager/check.h"
#include "../../servers/pager/fault.h"
#include "../../servers/pager/request.h"

extern uint32_t frame_refs_limit; /* of the kernel */

#define POOL   1 /* the pager's */
#define FRAMES 4096
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define LEAF   (512 * PAGE) /* what a leaf table spans */
#define SLOT   (1ull << 39) /* what an entry of the top spans (4 levels) */
#define SLOTS  100u	    /* more runs of slots than one batch has room for */
#define SPACES 8u
#define NAMES  0x656d616eull /* "name" */

static uint64_t spaces[SPACES];
static uint32_t spaces_count;
static uint64_t frames_at_start;

/* ---- requests ---- */

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static uint64_t remember(const struct machine_answer *answer)
{
	CHECK_EQUAL(answer->status, ST_OK);
	spaces[spaces_count] = answer->w[0];
	return spaces[spaces_count++];
}

static uint64_t create(void)
{
	return remember(
		machine_system(PAGER_SPACE_CREATE, 1000 + spaces_count, CLASS_PROGRAM, 0, 0, 0, 0));
}

static const struct machine_answer *ask_fork(uint64_t parent)
{
	return machine_system(PAGER_SPACE_FORK, parent, 2000 + spaces_count, 0, 0, 0, 0);
}

static uint64_t fork_of(uint64_t parent)
{
	return remember(ask_fork(parent));
}

/* The space made last. */
static void destroy_last(void)
{
	uint64_t space = spaces[--spaces_count];

	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, space, 0, 0, 0, 0, 0)->status, ST_OK);
}

static void map_at(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags)
{
	CHECK_EQUAL(machine_program(space, PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, 0, 0)
			    ->status,
		ST_OK);
}

static void unmap(uint64_t space, uint64_t address, uint64_t bytes)
{
	CHECK_EQUAL(machine_program(space, PAGER_MUNMAP, address, bytes, 0, 0, 0)->status, ST_OK);
}

static uint32_t write_word(uint64_t space, uint64_t address, uint64_t word)
{
	return machine_access(space, address, FAULT_WRITE, &word);
}

static uint64_t read_word(uint64_t space, uint64_t address)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
	return word;
}

/* A page of memory in each of many slots that do not touch; page i holds 100 + i. */
static uint64_t create_scattered(void)
{
	uint64_t space = create();

	for (uint64_t i = 0; i < SLOTS; i++) {
		map_at(space, BASE + 2 * i * SLOT, PAGE, RW);
		CHECK_EQUAL(write_word(space, BASE + 2 * i * SLOT, 100 + i), REASON_NONE);
	}
	return space;
}

/* A file of some pages whose first words are 1, 2, ... */
static uint64_t make_file(uint64_t pages)
{
	static uint64_t content[512];
	uint64_t file = machine_system(PAGER_OBJECT_CREATE, pages * PAGE, NAMES, 0, 0, 0, 0)->w[0];

	for (uint64_t i = 0; i < pages; i++) {
		const struct machine_request request = {
			.badge = BADGE_SYSTEM,
			.label = PAGER_OBJECT_WRITE,
			.w = { file, i * PAGE },
			.payload = content,
			.bytes = PAGE,
		};

		content[0] = i + 1;
		CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	}
	return file;
}

static void destroy_file(uint64_t file)
{
	CHECK_EQUAL(machine_system(PAGER_OBJECT_DESTROY, file, 0, 0, 0, 0, 0)->status, ST_OK);
}

/* A word that the system reads for the space. */
static const struct machine_answer *read_from_outside(uint64_t space, uint64_t address)
{
	return machine_system(PAGER_SPACE_READ, space, address, sizeof(uint64_t), 0, 0, 0);
}

static uint64_t word_of(const struct machine_answer *answer)
{
	uint64_t word;

	CHECK_EQUAL(answer->status, ST_OK);
	memcpy(&word, answer->payload, sizeof(word));
	return word;
}

static void run_all_slices(void)
{
	while (machine_slice())
		;
}

/* ---- a look at the tables, and a hand in them ---- */

static struct path path_to(uint64_t space, uint64_t address)
{
	struct path path;

	CHECK_EQUAL(path_read(&path, space_find(space), address), ST_OK);
	return path;
}

static void intrude(uint64_t head, uint64_t a, uint64_t b)
{
	const struct op op = { head, a, b };

	CHECK_EQUAL(machine_run(POOL, &op, 1), ST_OK);
}

/* A word that is not present takes the place of an empty entry of this level. */
static void put_word(uint64_t space, uint64_t address, uint32_t level, uint64_t word)
{
	struct path path = path_to(space, address);

	intrude(op_head(OP_SET, 0, path.table[level], level_index(address, level), 1), word, 0);
}

/* ---- the watcher ---- */

static uint64_t batches, started, flushed_before_start;
static uint64_t done[OP_COUNT];
static uint64_t name[2];
static struct op start;

static void watch_operation(const struct op *op, status_t status)
{
	uint32_t code = OP_CODE(op->head);

	if (op == mmu_ops)
		batches++;
	if (status != ST_OK)
		return;
	done[code]++;
	if (code == OP_THREAD_SET && OP_INDEX(op->head) == THREAD_FIELD_NAME) {
		name[0] = op->a;
		name[1] = op->b;
	}
	if (code == OP_THREAD_START) {
		start = *op;
		started++;
		flushed_before_start = done[OP_FLUSH];
	}
}

static void watch(void)
{
	batches = started = flushed_before_start = 0;
	memset(done, 0, sizeof(done));
	machine_watch.after = watch_operation;
}

static void watch_end(void)
{
	machine_watch.after = NULL;
}

static void before(void)
{
	machine_start(FRAMES);
	spaces_count = 0;
	frames_at_start = stats().frames_free;
}

static void after(void)
{
	machine_check();
	while (spaces_count > 0)
		destroy_last();
	run_all_slices();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

/* ---- fork ---- */

static void test_fork_of_an_ordinary_process_is_one_batch(void)
{
	uint64_t parent = create();

	map_at(parent, BASE, 300 * PAGE, RW);
	map_at(parent, BASE + SLOT, PAGE, RW);
	map_at(parent, BASE + 200 * SLOT, PAGE, RW);
	for (uint64_t i = 0; i < 300; i++)
		CHECK_EQUAL(write_word(parent, BASE + i * PAGE, i), REASON_NONE);
	CHECK_EQUAL(write_word(parent, BASE + SLOT, 1), REASON_NONE);
	CHECK_EQUAL(write_word(parent, BASE + 200 * SLOT, 1), REASON_NONE);
	watch();
	(void)fork_of(parent);
	watch_end();
	CHECK(batches == 1 && done[OP_COPY] == 2 && done[OP_FLUSH] == 1);
}

/* A child of a child, too. */
static void test_childs_thread_answers_the_call_and_has_the_name(void)
{
	uint64_t space = create();

	CHECK_EQUAL(
		machine_system(PAGER_SPACE_NAME, space, NAMES, NAMES + 1, 0, 0, 0)->status, ST_OK);
	for (uint32_t i = 0; i < 2; i++) {
		name[0] = name[1] = 0;
		watch();
		space = fork_of(space);
		watch_end();
		CHECK(started == 1 && flushed_before_start == 1);
		CHECK(OP_FLAGS(start.head) == OP_START_ANSWER && start.a == tag_make(ST_OK, 0) &&
			start.b == 0);
		CHECK_EQUAL(OP_PFN(start.head), space_find(space)->thread);
		CHECK(name[0] == NAMES && name[1] == NAMES + 1);
	}
}

/* The first of two batches is refused at its first copy: the second must not make a child. */
static void test_fork_refused_in_its_first_batch_makes_no_child(void)
{
	uint64_t parent = create_scattered(), frames, others;

	(void)fork_of(parent);
	for (uint64_t i = 1; i < SLOTS; i++) /* all but the first are the parent's own again */
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 200 + i), REASON_NONE);
	frames = stats().frames_free;
	others = stats().spaces;
	frame_refs_limit = 2;
	watch();
	CHECK_EQUAL(ask_fork(parent)->status, ST_LIMIT);
	watch_end();
	frame_refs_limit = UINT32_MAX;
	CHECK_EQUAL(started, 0);
	run_all_slices();
	CHECK(stats().spaces == others && stats().frames_free == frames);
	machine_check();
	for (uint64_t i = 0; i < SLOTS; i++)
		CHECK_EQUAL(write_word(parent, BASE + 2 * i * SLOT, 300 + i), REASON_NONE);
	for (uint64_t i = 0; i < SLOTS; i++)
		CHECK_EQUAL(read_word(spaces[1], BASE + 2 * i * SLOT), 100 + i);
}

/* Tables that were taken and given up since stay in the reaper's hands. */
static void test_refused_fork_takes_back_only_its_own_frames(void)
{
	uint64_t parent = create(), frames;

	map_at(parent, BASE, PAGE, RW);
	map_at(parent, BASE + SLOT, PAGE, RW);
	CHECK_EQUAL(write_word(parent, BASE, 1), REASON_NONE);
	frames = stats().frames_free;
	(void)fork_of(parent);
	CHECK_EQUAL(write_word(parent, BASE + SLOT, 2), REASON_NONE);
	unmap(parent, BASE + SLOT, PAGE);
	CHECK(tables_orphans_left());
	frame_refs_limit = 2;
	CHECK_EQUAL(ask_fork(parent)->status, ST_LIMIT);
	frame_refs_limit = UINT32_MAX;
	machine_check();
	run_all_slices();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames - 3); /* the one child's */
}

/* A child promises what its parent does. */
static void test_fork_beyond_the_commit_limit_is_refused(void)
{
	uint64_t parent = create(), frames = stats().frames_free;

	map_at(parent, BASE, 100 * PAGE, RW);
	account_limit = 199;
	CHECK_EQUAL(ask_fork(parent)->status, ST_NO_MEMORY);
	CHECK(stats().frames_free == frames && stats().spaces == 1);
	account_limit = 200;
	(void)fork_of(parent);
	CHECK_EQUAL(stats().committed, 200);
	CHECK_EQUAL(ask_fork(parent)->status, ST_NO_MEMORY);
}

/* ---- results ---- */

/* A word that was no entry comes as a result of two words; what it says means nothing. */
static void test_word_that_is_cleared_is_no_result(void)
{
	uint64_t space = create();
	uint64_t page;

	map_at(space, BASE, 8 * PAGE, RW);
	map_at(space, BASE + 8 * PAGE, 8 * PAGE, MAP_READ);
	for (uint64_t i = 0; i < 7; i++)
		CHECK_EQUAL(write_word(space, BASE + i * PAGE, 50 + i), REASON_NONE);
	CHECK_EQUAL(read_word(space, BASE + 8 * PAGE), 0);
	page = pte_pfn(machine_entry(space, BASE));
	if (page % 2 != 0) /* a present entry would be something else */
		page = pte_pfn(machine_entry(space, BASE + PAGE));
	CHECK_EQUAL(page % 2, 0);
	put_word(space, BASE + 7 * PAGE, 1, (uint64_t)RESULT_FRAME << 60 | page);
	unmap(space, BASE + 2 * PAGE, 6 * PAGE);
	run_all_slices();
	machine_check();
	CHECK(read_word(space, BASE) == 50 && read_word(space, BASE + PAGE) == 51);
}

/* ---- the reaper ---- */

/* It needs no other work to begin with its own. */
static void test_pages_of_a_destroyed_file_come_back_without_other_work(void)
{
	uint64_t frames, file;

	run_all_slices();
	frames = stats().frames_free;
	file = make_file(5);
	CHECK(!machine_slice());
	destroy_file(file);
	CHECK_EQUAL(stats().jobs, 1);
	machine_settle();
	CHECK_EQUAL(stats().frames_free, frames);
	CHECK(!machine_slice());
}

/* Tables until that took as long as a slice may; of one that is begun in the midst of it a half. */
static void test_reaper_takes_a_few_hundred_entries_in_each_slice(void)
{
	static const uint64_t pages[] = { 512, 80, 300, 1 };
	/* The upper tables and the first leaf; the second and half of the third; the rest of it and the last. */
	static const uint64_t freed[] = { 2 + 1 + 512, 1 + 80 + 256, 1 + 44 + 1 + 1 };
	uint64_t space = create(), slices = 0;

	map_at(space, BASE, 4 * LEAF, RW);
	for (uint64_t table = 0; table < 4; table++)
		for (uint64_t i = pages[table]; i-- > 0;) /* not in order: each comes alone */
			CHECK_EQUAL(
				write_word(space, BASE + table * LEAF + i * PAGE, i), REASON_NONE);
	unmap(space, BASE, 4 * LEAF);
	while (tables_orphans_left()) {
		uint64_t frames = stats().frames_free;

		CHECK(slices < sizeof(freed) / sizeof(freed[0]) && machine_slice());
		CHECK_EQUAL(stats().frames_free - frames, freed[slices]);
		slices++;
	}
	CHECK_EQUAL(slices, sizeof(freed) / sizeof(freed[0]));
	CHECK_EQUAL(stats().frames_free, frames_at_start - 3);
}

/* A table that somebody holds is nobody's to use: it is lost, and said to be. */
static void test_table_that_is_held_is_not_given_out(void)
{
	uint64_t space = create(), frames, where;
	pfn_t table;

	map_at(space, BASE, PAGE, RW);
	frames = stats().frames_free;
	CHECK_EQUAL(write_word(space, BASE, 1), REASON_NONE);
	table = path_to(space, BASE).table[1];
	intrude(op_head(OP_HOLD, 0, table, 0, 0), 0, 0);
	unmap(space, BASE, PAGE);
	run_all_slices();
	CHECK_EQUAL(stats().frames_free, frames - 1);
	CHECK(frame_kind(table) == KIND_ORPHAN && mmu_frame(table)->type == FRAME_L1);
	CHECK_EQUAL(pager_check(&where), CHECK_LEAK);
	intrude(op_head(OP_RELEASE, 0, table, 0, 0), 0, 0);
	intrude(op_head(OP_RETYPE, 0, table, 0, 1), FRAME_DATA, 0);
	frame_pool_put(table);
}

/* ---- paths ---- */

/* What stands in an entry without P names no table, though the number be that of one. */
static void test_word_without_p_is_no_table(void)
{
	uint64_t space = create(), file = make_file(5), other;

	map_at(space, BASE, 3 * LEAF, RW);
	for (uint64_t i = 0; i < 6; i++)
		CHECK_EQUAL(write_word(space, BASE + i * PAGE, 70 + i), REASON_NONE);
	CHECK_EQUAL(machine_program(space, PAGER_MMAP, BASE + 3 * LEAF, 5 * PAGE,
			    MAP_READ | MAP_NO_REPLACE, file, 0)
			    ->status,
		ST_OK);
	other = pte_make(path_to(space, BASE).table[1], PTE_W | PTE_U);
	for (uint64_t i = 1; i < 4; i++)
		put_word(space, BASE + i * LEAF, 2, other);
	CHECK_EQUAL(write_word(space, BASE + LEAF, 5), REASON_NONE);
	CHECK_EQUAL(word_of(read_from_outside(space, BASE + 2 * LEAF)), 0);
	machine_faults = 0;
	for (uint64_t i = 0; i < 5; i++)
		CHECK_EQUAL(read_word(space, BASE + 3 * LEAF + i * PAGE), i + 1);
	CHECK_EQUAL(machine_faults, 1); /* one window */
	for (uint64_t i = 0; i < 6; i++)
		CHECK_EQUAL(read_word(space, BASE + i * PAGE), 70 + i);
	destroy_file(file);
}

/* Whatever stood in the record before. */
static void test_path_of_nothing_is_empty(void)
{
	uint64_t space = create();
	struct path path;

	memset(&path, 0xff, sizeof(path));
	CHECK_EQUAL(path_read(&path, space_find(space), BASE), ST_OK);
	CHECK(path.address == BASE && path.table[4] == space_find(space)->top);
	CHECK_EQUAL(path.entry[4], 0);
	for (uint32_t level = 1; level < 4; level++)
		CHECK(path.table[level] == 0 && path.entry[level] == 0);
}

/* Nor does the entry that was read before count for one that may not be read. */
static void test_slots_of_the_kernel_are_read_for_nobody(void)
{
	uint64_t space = create();

	map_at(space, BASE, PAGE, RW);
	CHECK_EQUAL(write_word(space, BASE, 77), REASON_NONE);
	CHECK_EQUAL(word_of(read_from_outside(space, BASE)), 77);
	CHECK(read_from_outside(space, LAYOUT_KERNEL)->status != ST_OK);
	CHECK(read_from_outside(space, LAYOUT_DIRECT_MAP)->status != ST_OK);
	CHECK_EQUAL(word_of(read_from_outside(space, BASE)), 77);
}

/* Own the path: the record has what the tables have then, without a look at them. */
static struct path own_path(uint64_t space, uint64_t address, bool write)
{
	struct path path = path_to(space, address), now;

	frame_pool_begin();
	path_own(space_find(space), &path, write);
	CHECK_EQUAL(tables_run(), ST_OK);
	now = path_to(space, address);
	for (uint32_t level = 1; level <= LAYOUT_LEVELS; level++) {
		CHECK_EQUAL(path.table[level], now.table[level]);
		CHECK_EQUAL(
			path.entry[level] & ~(PTE_A | PTE_D), now.entry[level] & ~(PTE_A | PTE_D));
	}
	return path;
}

static bool has_write(const struct path *path, uint32_t lowest)
{
	for (uint32_t level = LAYOUT_LEVELS; level >= lowest; level--)
		if (!(path->entry[level] & PTE_W))
			return false;
	return true;
}

static void test_owned_path_is_what_the_tables_hold(void)
{
	uint64_t parent = create();
	struct path path;

	map_at(parent, BASE, PAGE, RW);
	path = own_path(parent, BASE, true); /* new tables */
	CHECK(has_write(&path, 2) && path.entry[1] == 0 && !path.is_split);
	CHECK_EQUAL(write_word(parent, BASE, 9), REASON_NONE);
	(void)fork_of(parent);
	path = own_path(parent, BASE, true); /* copies */
	CHECK(has_write(&path, 2) && !has_write(&path, 1) && path.is_split);
	(void)fork_of(parent);
	destroy_last();
	run_all_slices();
	path = own_path(parent, BASE, false); /* for a read, as they are */
	CHECK(!(path.entry[LAYOUT_LEVELS] & PTE_W) && !path.is_split);
	path = own_path(parent, BASE, true); /* W again */
	CHECK(has_write(&path, 2) && !path.is_split);
	CHECK(read_word(parent, BASE) == 9 && read_word(spaces[1], BASE) == 9);
}

/* W above a page is set by who writes, if it is not there: each cure is as short as can be. */
static void test_only_a_write_sets_w_and_only_where_it_lacks(void)
{
	uint64_t parent = create(), file = make_file(2);

	map_at(parent, BASE, 8 * PAGE, RW);
	CHECK_EQUAL(machine_program(parent, PAGER_MMAP, BASE + 8 * PAGE, 2 * PAGE,
			    RW | MAP_NO_REPLACE, file, 0)
			    ->status,
		ST_OK);
	CHECK_EQUAL(write_word(parent, BASE, 1), REASON_NONE);
	(void)fork_of(parent);
	destroy_last();
	run_all_slices();
	CHECK_EQUAL(read_word(parent, BASE + PAGE), 0);
	CHECK_EQUAL(machine_operations, 1);
	CHECK(!(path_to(parent, BASE).entry[LAYOUT_LEVELS] & PTE_W));
	CHECK_EQUAL(write_word(parent, BASE + 2 * PAGE, 2), REASON_NONE);
	CHECK_EQUAL(machine_operations, 2 + 1); /* the top's entry alone had lost it */
	CHECK_EQUAL(write_word(parent, BASE + 8 * PAGE, 3), REASON_NONE); /* a copy of the file's */
	CHECK_EQUAL(machine_operations, 2);
	destroy_file(file);
}

static const struct check_test tests[] = {
	CHECK_TEST(fork_of_an_ordinary_process_is_one_batch),
	CHECK_TEST(childs_thread_answers_the_call_and_has_the_name),
	CHECK_TEST(fork_refused_in_its_first_batch_makes_no_child),
	CHECK_TEST(refused_fork_takes_back_only_its_own_frames),
	CHECK_TEST(fork_beyond_the_commit_limit_is_refused),
	CHECK_TEST(word_that_is_cleared_is_no_result),
	CHECK_TEST(pages_of_a_destroyed_file_come_back_without_other_work),
	CHECK_TEST(reaper_takes_a_few_hundred_entries_in_each_slice),
	CHECK_TEST(table_that_is_held_is_not_given_out),
	CHECK_TEST(word_without_p_is_no_table),
	CHECK_TEST(path_of_nothing_is_empty),
	CHECK_TEST(slots_of_the_kernel_are_read_for_nobody),
	CHECK_TEST(owned_path_is_what_the_tables_hold),
	CHECK_TEST(only_a_write_sets_w_and_only_where_it_lacks),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
