/*
 * Tests of what the pager does to ranges and pages: the work and the rights it takes for it, what
 * it counts, and that a refusal at any point is told and leaves everything in order.
 *
 * Each test starts with a machine of 4,096 frames whose free ones hold rubbish, and a pager without
 * spaces; it ends with every rule checked, all spaces destroyed and every frame back.  A watcher
 * looks at every operation: none may change a table that two spaces see.  It also counts them, and
 * refuses one if it is told to: the kernel then says that the frame is nobody's.
 *
 * Usage: pager_range [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"
#include "sim/sim.h"
#include <faultline/fault.h>
#include <faultline/layout.h>

#include "../../servers/pager/fault.h"
#include "../../servers/pager/request.h"
#include "../../servers/pager/serve.h"

extern uint32_t frame_refs_limit; /* of the kernel */
extern uint8_t sim_ram[][4096];
extern struct frame sim_frame_table[];

#define FRAMES 4096
#define FRAMES_FEW 400 /* of a machine that is made very often */
#define BASE   0x40000000ull
#define RW     (MAP_READ | MAP_WRITE)
#define PAGE   4096ull
#define LEAF   (512 * PAGE) /* what a leaf table spans */
#define GIB    (512 * LEAF) /* a table of level 2 */
#define SLOT   (512 * GIB)  /* an entry of the top */
#define FIXED  (REMAP_MAY_MOVE | REMAP_FIXED)
#define SPACES 40u

static uint64_t spaces[SPACES];
static uint32_t spaces_count;
static uint64_t frames_at_start;

/* ---- the watcher ---- */

/* Operations since work_begin(). */
static struct {
	uint64_t all, read_before_split;
	uint64_t of[OP_COUNT];
} work;

static uint64_t refuse_at; /* the n-th operation from now; 0: none */
static uint32_t refuse_code; /* of this code only; OP_NOP: of any */
static pfn_t refused_frame;
static uint16_t refused_pool;
static uint64_t shared_changed;

static void work_begin(void)
{
	memset(&work, 0, sizeof(work));
}

static bool is_shared_table(pfn_t pfn)
{
	const struct frame *frame = mmu_frame(pfn);

	return frame->type >= FRAME_L1 && frame->type <= FRAME_L4 && frame->refs > 1;
}

/* Nobody changes what others see. */
static void look_for_change(const struct op *op)
{
	switch (OP_CODE(op->head)) {
	case OP_MOVE:
		shared_changed += is_shared_table(OP_PFN(op->a));
		/* fall through */
	case OP_SET:
	case OP_FILL:
	case OP_SPLIT:
	case OP_CLEAR:
	case OP_PROTECT:
		shared_changed += is_shared_table(OP_PFN(op->head));
		break;
	default:
		break;
	}
}

/* Behind the entries that are read stands something that looks like one. */
static void soil_results(const struct op *op)
{
	uint64_t *results = (uint64_t *)(uintptr_t)mmu_results;

	if (OP_CODE(op->head) == OP_READ && space_first)
		results[OP_ENTRIES(op->head)] = pte_make(space_first->top, LINK_BITS);
}

static void watch_before(const struct op *op)
{
	uint32_t code = OP_CODE(op->head);

	look_for_change(op);
	soil_results(op);
	work.all++;
	work.of[code]++;
	if (code == OP_READ && work.of[OP_SPLIT] == 0)
		work.read_before_split++;
	if (refuse_at == 0 || (refuse_code != OP_NOP && refuse_code != code) ||
		code == OP_FLUSH || frame_kind(OP_PFN(op->head)) == KIND_ORPHAN ||
		--refuse_at != 0)
		return;
	refused_frame = OP_PFN(op->head);
	refused_pool = sim_frame_table[refused_frame].pool;
	sim_frame_table[refused_frame].pool = 0;
}

static void watch_after(const struct op *op, status_t status)
{
	(void)op;
	(void)status;
	if (refused_pool == 0)
		return;
	sim_frame_table[refused_frame].pool = refused_pool;
	refused_pool = 0;
}

/* The n-th operation of this code (OP_NOP: of any) will be refused.  Not counted are the reaper's,
   and flushes: those of a space that is there cannot be refused. */
static void refuse(uint32_t code, uint64_t n)
{
	refuse_code = code;
	refuse_at = n;
}

/* No more; true if one was. */
static bool refuse_end(uint64_t n)
{
	bool was = refuse_at == 0 && n != 0;

	refuse_at = 0;
	return was;
}

/* ---- helpers ---- */

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static void hook(uint64_t which, uint64_t value)
{
	CHECK_EQUAL(machine_system(PAGER_TRAP_TEST, which, value, 0, 0, 0, 0)->status, ST_OK);
}

static uint64_t remember(const struct machine_answer *answer)
{
	CHECK_EQUAL(answer->status, ST_OK);
	CHECK(spaces_count < SPACES);
	spaces[spaces_count] = answer->w[0];
	return spaces[spaces_count++];
}

/* A program that may promise any number of pages. */
static uint64_t create(void)
{
	uint64_t space = remember(
		machine_system(PAGER_SPACE_CREATE, 1000 + spaces_count, CLASS_PROGRAM, 0, 0, 0, 0));

	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, space, UINT64_MAX, 0, 0, 0, 0)->status,
		ST_OK);
	return space;
}

static uint64_t fork_of(uint64_t parent)
{
	return remember(machine_system(PAGER_SPACE_FORK, parent, 2000 + spaces_count, 0, 0, 0, 0));
}

static void destroy_last(void)
{
	CHECK_EQUAL(
		machine_system(PAGER_SPACE_DESTROY, spaces[--spaces_count], 0, 0, 0, 0, 0)->status,
		ST_OK);
	machine_settle();
}

static void map_object(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags,
	uint64_t object, uint64_t offset)
{
	CHECK_EQUAL(machine_program(space, PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE,
			    object, offset)
			    ->status,
		ST_OK);
}

static void map_at(uint64_t space, uint64_t address, uint64_t bytes, uint64_t flags)
{
	map_object(space, address, bytes, flags, 0, 0);
}

static status_t unmap(uint64_t space, uint64_t address, uint64_t bytes)
{
	return machine_program(space, PAGER_MUNMAP, address, bytes, 0, 0, 0)->status;
}

static status_t protect(uint64_t space, uint64_t address, uint64_t bytes, uint64_t rights)
{
	return machine_program(space, PAGER_MPROTECT, address, bytes, rights, 0, 0)->status;
}

static status_t remap(
	uint64_t space, uint64_t address, uint64_t bytes, uint64_t new_bytes, uint64_t there)
{
	return machine_program(space, PAGER_MREMAP, address, bytes, new_bytes, FIXED, there)
		->status;
}

static status_t discard(uint64_t space, uint64_t address, uint64_t bytes)
{
	return machine_program(space, PAGER_MADVISE, address, bytes, ADVICE_DISCARD, 0, 0)->status;
}

static uint32_t write_word(uint64_t space, uint64_t address, uint64_t word)
{
	return machine_access(space, address, FAULT_WRITE, &word);
}

static uint32_t read_reason(uint64_t space, uint64_t address)
{
	uint64_t word;

	return machine_access(space, address, 0, &word);
}

static uint64_t read_word(uint64_t space, uint64_t address)
{
	uint64_t word = 0;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
	return word;
}

/* Pages from the address on: the first words are seed, seed + 1, ... */
/* Writes pages from the last to the first: not in order, so each comes alone (window.h). */
static void fill(uint64_t space, uint64_t address, uint64_t pages, uint64_t seed)
{
	for (uint64_t i = pages; i-- > 0;)
		CHECK_EQUAL(write_word(space, address + i * PAGE, seed + i), REASON_NONE);
}

static void expect(uint64_t space, uint64_t address, uint64_t pages, uint64_t seed)
{
	for (uint64_t i = 0; i < pages; i++)
		CHECK_EQUAL(read_word(space, address + i * PAGE), seed + i);
}

/* By a system server. */
static status_t poke(uint64_t space, uint64_t address, uint64_t word)
{
	const struct machine_request request = {
		.badge = BADGE_SYSTEM,
		.label = PAGER_SPACE_WRITE,
		.w = { space, address },
		.payload = &word,
		.bytes = 8,
	};

	return machine_call(&request)->status;
}

static status_t peek(uint64_t space, uint64_t address)
{
	return machine_system(PAGER_SPACE_READ, space, address, 8, 0, 0, 0)->status;
}

/* A file whose page p begins with the word 1000 * p + 1. */
static uint64_t make_file(uint64_t pages)
{
	const struct machine_answer *answer =
		machine_system(PAGER_OBJECT_CREATE, pages * PAGE, 0, 0, 0, 0, 0);
	uint64_t object = answer->w[0];

	CHECK_EQUAL(answer->status, ST_OK);
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t word = 1000 * page + 1;
		const struct machine_request request = {
			.badge = BADGE_SYSTEM,
			.label = PAGER_OBJECT_WRITE,
			.w = { object, page * PAGE },
			.payload = &word,
			.bytes = 8,
		};

		CHECK_EQUAL(machine_call(&request)->status, ST_OK);
	}
	return object;
}

static void end_file(uint64_t object)
{
	CHECK_EQUAL(machine_system(PAGER_OBJECT_DESTROY, object, 0, 0, 0, 0, 0)->status, ST_OK);
}

/* Leave so many frames to programs; UINT64_MAX: as at the start. */
static void leave_frames(uint64_t frames)
{
	uint64_t reserve = frame_pool.reserve[FRAMES_SERVER];

	hook(PAGER_HOOK_RESERVE,
		frames == UINT64_MAX ? 0 : stats().frames_free - reserve - frames);
}

/* The message of a fault that is told though nothing, or something else, is there. */
static struct message fault_message(uint64_t space, uint64_t address, uint32_t access)
{
	struct message message = {
		.tag = LABEL_FAULT | TAG_KERNEL,
		.badge = space,
		.token = 0x999,
	};

	sim_fault_words(
		space_find(space)->top, address, access | FAULT_USER, 0x400000, message.w);
	return message;
}

/* Free frames may have been anybody's. */
static void soil_free_frames(uint32_t frames)
{
	for (pfn_t pfn = 0; pfn < frames; pfn++)
		if (frame_kind(pfn) == KIND_FREE)
			memset(sim_ram[pfn], 0xa5, PAGE);
}

static void start(uint32_t frames)
{
	machine_start(frames);
	soil_free_frames(frames);
	spaces_count = 0;
	frames_at_start = stats().frames_free;
}

static void before(void)
{
	refuse_at = shared_changed = 0;
	machine_watch.before = watch_before;
	machine_watch.after = watch_after;
	start(FRAMES);
}

/* Destroy all spaces: nothing is left. */
static void end_all(void)
{
	machine_check();
	while (spaces_count > 0)
		destroy_last();
	machine_check();
	CHECK_EQUAL(shared_changed, 0);
	CHECK_EQUAL(stats().committed, 0);
	CHECK_EQUAL(stats().objects, 0);
	CHECK_EQUAL(stats().frames_free, frames_at_start);
}

static void after(void)
{
	frame_refs_limit = UINT32_MAX;
	hook(PAGER_HOOK_FAIL_FRAMES, 0);
	hook(PAGER_HOOK_RESERVE, 0);
	end_all();
}

/* ---- cures ---- */

static void test_regions_without_rights_refuse_reads_of_any_kind(void)
{
	uint64_t a = create();

	map_at(a, BASE, PAGE, MAP_SHARED);
	map_at(a, BASE + LEAF, PAGE, MAP_STACK);
	CHECK_EQUAL(read_reason(a, BASE), REASON_PROTECTION);
	CHECK_EQUAL(read_reason(a, BASE + LEAF), REASON_PROTECTION);
	CHECK_EQUAL(peek(a, BASE), ST_NO_ACCESS);
}

/* A fault takes tables, and the reaper has them now, empty: a region without pages beside the page
   kept the whole table from being dropped. */
static void leave_orphans(uint64_t space)
{
	static uint64_t round;
	uint64_t there = 300 * GIB + round++ % 100 * GIB;

	map_at(space, there, PAGE, RW);
	map_at(space, there + 8 * PAGE, PAGE, MAP_READ);
	CHECK_EQUAL(write_word(space, there, 1), REASON_NONE);
	CHECK_EQUAL(unmap(space, there, PAGE), ST_OK);
	CHECK(tables_orphan_count() >= 2);
}

/* The thread is gone before its cure: nothing has changed.  Somebody else's fault came before. */
static void lose_cure(uint64_t space, uint64_t other, uint64_t address, uint32_t access)
{
	struct machine_access attempt = {
		.space = space, .address = address, .access = access, .lost = true
	};
	uint64_t frames;

	leave_orphans(other);
	frames = stats().frames_free;
	CHECK_EQUAL(machine_try(&attempt), MACHINE_WAITS);
	CHECK_EQUAL(attempt.token, 0);
	CHECK_EQUAL(stats().frames_free, frames);
	machine_check();
	machine_settle();
	machine_check();
}

static void test_lost_cures_of_anonymous_memory_change_nothing(void)
{
	uint64_t a = create(), b = create(), word = 5;

	map_at(a, BASE, 8 * PAGE, RW);
	lose_cure(a, b, BASE, FAULT_WRITE); /* with new tables */
	lose_cure(a, b, BASE, 0);
	CHECK_EQUAL(write_word(a, BASE, 1), REASON_NONE);
	lose_cure(a, b, BASE + PAGE, FAULT_WRITE); /* the short way */
	lose_cure(a, b, BASE + PAGE, 0);
	CHECK_EQUAL(read_word(a, BASE + PAGE), 0);
	lose_cure(a, b, BASE + PAGE, FAULT_WRITE); /* the zero frame is there */
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	lose_cure(a, b, BASE + 2 * PAGE, FAULT_WRITE);
	(void)fork_of(a);
	lose_cure(a, b, BASE, FAULT_WRITE); /* with splits and a copy */
	lose_cure(a, b, BASE + 3 * PAGE, FAULT_WRITE);
	CHECK_EQUAL(read_word(a, BASE), 1);
	CHECK_EQUAL(write_word(a, BASE, 2), REASON_NONE);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 5);
}

static void test_lost_cures_of_objects_change_nothing(void)
{
	uint64_t a = create(), b = create(), file = make_file(40);

	map_object(a, BASE, 40 * PAGE, RW, file, 0);
	map_at(a, BASE + LEAF, 4 * PAGE, RW | MAP_SHARED);
	fill(a, BASE + LEAF, 1, 7); /* its tree is there */
	CHECK_EQUAL(discard(a, BASE + LEAF, PAGE), ST_OK);
	machine_settle();
	lose_cure(a, b, BASE, 0); /* a window, with new tables */
	lose_cure(a, b, BASE, FAULT_WRITE);
	lose_cure(a, b, BASE + LEAF, 0);
	expect(a, BASE, 1, 1);
	lose_cure(a, b, BASE + 16 * PAGE, 0); /* a window beside another */
	lose_cure(a, b, BASE, FAULT_WRITE);
	fill(a, BASE, 1, 9);
	(void)fork_of(a);
	lose_cure(a, b, BASE + 32 * PAGE, 0); /* with splits */
	lose_cure(a, b, BASE + LEAF, FAULT_WRITE);
	CHECK_EQUAL(read_word(a, BASE + 17 * PAGE), 17001);
	lose_cure(a, b, BASE + 3 * PAGE, FAULT_WRITE);
	CHECK_EQUAL(read_word(a, BASE + 33 * PAGE), 33001);
	CHECK_EQUAL(read_word(a, BASE + LEAF), 7);
	end_file(file);
}

static void test_lost_first_touch_of_the_message_page_changes_nothing(void)
{
	uint64_t a = create(), b = create(), word = 5;

	lose_cure(a, b, LAYOUT_MESSAGE, FAULT_WRITE);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	word = 0;
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 5);
}

/* A page in the midst of the window cannot be mapped once more: those in front of it can. */
static void refuse_window(uint64_t space, uint64_t address)
{
	frame_refs_limit = 2;
	CHECK_EQUAL(read_reason(space, address), REASON_NO_MEMORY);
	frame_refs_limit = UINT32_MAX;
	machine_check();
	CHECK_EQUAL(read_word(space, address + PAGE), 1001);
	CHECK_EQUAL(unmap(space, address, 8 * PAGE), ST_OK);
	machine_settle();
	machine_check();
}

static void test_window_that_is_refused_half_way_is_counted(void)
{
	uint64_t a = create(), b = create(), file = make_file(8);

	map_object(b, BASE, PAGE, MAP_READ, file, 4 * PAGE);
	expect(b, BASE, 1, 4001);
	map_object(a, BASE, 8 * PAGE, MAP_READ, file, 0);
	refuse_window(a, BASE); /* no table was there */
	map_at(a, BASE + 16 * PAGE, 3 * PAGE, RW);
	fill(a, BASE + 16 * PAGE, 3, 1);
	map_object(a, BASE, 8 * PAGE, MAP_READ, file, 0);
	refuse_window(a, BASE); /* a table with three pages */
	end_file(file);
}

/* The leaf table of the object ends within the window. */
static void test_window_over_the_end_of_an_objects_table(void)
{
	uint64_t a = create(), file = make_file(520);

	map_object(a, BASE, 12 * PAGE, MAP_READ, file, 508 * PAGE);
	CHECK_EQUAL(read_word(a, BASE + 5 * PAGE), 513001);
	CHECK_EQUAL(machine_faults, 1);
	machine_check();
	CHECK_EQUAL(read_word(a, BASE + 3 * PAGE), 511001);
	CHECK_EQUAL(read_word(a, BASE + 4 * PAGE), 512001);
	end_file(file);
}

/* A page that somebody else uses, like a device, is not written under his hands. */
static void test_held_page_is_copied_after_a_fork(void)
{
	uint64_t a = create();
	pfn_t frame;
	struct op op;

	map_at(a, BASE, PAGE, RW);
	fill(a, BASE, 1, 1);
	frame = pte_pfn(machine_entry(a, BASE));
	op = (struct op){ op_head(OP_HOLD, 0, frame, 0, 1), 0, 0 };
	CHECK_EQUAL(machine_run(1, &op, 1), ST_OK);
	(void)fork_of(a);
	CHECK_EQUAL(write_word(spaces[1], BASE, 2), REASON_NONE);
	CHECK_EQUAL(write_word(a, BASE, 3), REASON_NONE);
	CHECK(pte_pfn(machine_entry(a, BASE)) != frame);
	CHECK_EQUAL(*(uint64_t *)(void *)sim_ram[frame], 1);
	op = (struct op){ op_head(OP_RELEASE, 0, frame, 0, 1), 0, 0 }; /* it is free by now */
	CHECK_EQUAL(machine_run(1, &op, 1), ST_OK);
}

/* As long as its entry has W it is the space's own page, held or not. */
static void test_page_that_was_never_shared_stays_itself(void)
{
	uint64_t a = create();
	pfn_t frame;
	struct op op;

	map_at(a, BASE, PAGE, RW);
	fill(a, BASE, 1, 1);
	(void)fork_of(a);
	destroy_last();
	frame = pte_pfn(machine_entry(a, BASE));
	op = (struct op){ op_head(OP_HOLD, 0, frame, 0, 1), 0, 0 };
	CHECK_EQUAL(machine_run(1, &op, 1), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 3), REASON_NONE);
	CHECK_EQUAL(pte_pfn(machine_entry(a, BASE)), frame);
	op = (struct op){ op_head(OP_RELEASE, 0, frame, 0, 1), 0, 0 };
	CHECK_EQUAL(machine_run(1, &op, 1), ST_OK);
}

static void test_one_operation_opens_what_was_shared(void)
{
	uint64_t a = create();

	map_at(a, BASE, 4 * PAGE, RW);
	fill(a, BASE, 4, 1);
	(void)fork_of(a);
	destroy_last();
	CHECK_EQUAL(write_word(a, BASE, 7), REASON_NONE);
	CHECK_EQUAL(machine_operations, 1);
	expect(a, BASE + PAGE, 3, 2);
}

static void test_shared_pages_are_written_in_place_after_their_rights_came_back(void)
{
	uint64_t a = create(), b;

	map_at(a, BASE, 2 * PAGE, RW | MAP_SHARED);
	fill(a, BASE, 2, 1);
	CHECK_EQUAL(machine_faults, 2); /* W came with the pages */
	b = fork_of(a);
	CHECK_EQUAL(protect(a, BASE, 2 * PAGE, MAP_READ), ST_OK);
	CHECK_EQUAL(protect(a, BASE, 2 * PAGE, RW), ST_OK);
	CHECK_EQUAL(write_word(a, BASE, 7), REASON_NONE);
	CHECK_EQUAL(read_word(b, BASE), 7);
	CHECK_EQUAL(stats().frames_copied, 0);
}

static void test_read_of_shared_memory_raises_nothing(void)
{
	uint64_t a = create(), word;

	map_at(a, BASE, PAGE, RW);
	fill(a, BASE, 1, 1);
	map_at(a, BASE + LEAF / 2, 2 * PAGE, RW | MAP_SHARED);
	fill(a, BASE + LEAF / 2, 2, 1);
	CHECK_EQUAL(discard(a, BASE + LEAF / 2, PAGE), ST_OK);
	(void)fork_of(a);
	destroy_last();
	CHECK_EQUAL(machine_access(a, BASE + LEAF / 2, 0, &word), REASON_NONE);
	CHECK_EQUAL(machine_operations, 1);
	CHECK_EQUAL(word, 1);
}

static void test_writes_are_counted_for_what_they_are(void)
{
	uint64_t a = create(), file = make_file(4);

	map_at(a, BASE, PAGE, RW);
	CHECK_EQUAL(read_word(a, BASE), 0);
	fill(a, BASE, 1, 1);
	CHECK_EQUAL(stats().faults_zero_read, 1);
	CHECK_EQUAL(stats().faults_zero, 1);
	CHECK_EQUAL(stats().faults_copy, 0);
	map_object(a, BASE + LEAF, 4 * PAGE, RW, file, 0);
	CHECK_EQUAL(write_word(a, BASE + LEAF, 7), REASON_NONE);
	CHECK_EQUAL(machine_faults, 3); /* the copy came at once */
	CHECK_EQUAL(stats().faults_file, 1);
	CHECK_EQUAL(stats().faults_copy, 1);
	CHECK_EQUAL(write_word(a, BASE + LEAF + PAGE + 8, 7), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE + LEAF + PAGE), 1001); /* a copy of the file's, not zeros */
	CHECK_EQUAL(machine_faults, 4);
	CHECK_EQUAL(stats().faults, 4);
	end_file(file);
}

/* Writes below tables of the space's own need one frame, and get the last. */
static void test_last_frame_is_given_to_a_write(void)
{
	uint64_t a = create(), file = make_file(4);
	struct machine_access write = { .space = a, .access = FAULT_WRITE, .word = 5 };

	map_at(a, BASE, 4 * PAGE, RW);
	fill(a, BASE, 1, 1);
	leave_frames(1);
	write.address = BASE + PAGE;
	CHECK_EQUAL(machine_try(&write), REASON_NONE);
	leave_frames(0);
	write.address = BASE + 2 * PAGE;
	CHECK_EQUAL(machine_try(&write), MACHINE_WAITS);
	leave_frames(UINT64_MAX);
	machine_settle();
	map_object(a, BASE + LEAF, 4 * PAGE, RW, file, 0);
	CHECK_EQUAL(read_word(a, BASE + LEAF), 1);
	leave_frames(1);
	write.address = BASE + LEAF + 8;
	CHECK_EQUAL(machine_try(&write), REASON_NONE);
	CHECK_EQUAL(read_word(a, BASE + LEAF), 1);
	leave_frames(UINT64_MAX);
	end_file(file);
}

/* Processors may tell a fault late. */
static void test_fault_that_is_cured_already_takes_no_operation(void)
{
	uint64_t a = create();
	struct message message;

	map_at(a, BASE, PAGE, RW);
	fill(a, BASE, 1, 1);
	message = fault_message(a, BASE, FAULT_WRITE);
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(message.tag, tag_make(FAULT_RESUME, 0));
	message = fault_message(a, BASE, 0);
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(message.tag, tag_make(FAULT_RESUME, 0));
}

static void test_reserved_bit_is_malformed_on_the_short_way_too(void)
{
	uint64_t a = create();
	struct message message;

	map_at(a, BASE, 2 * PAGE, RW);
	fill(a, BASE, 1, 1);
	message = fault_message(a, BASE + PAGE, FAULT_WRITE | FAULT_RESERVED);
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), FAULT_REFUSE);
	CHECK_EQUAL(message.w[0], REASON_MALFORMED);
}

static void test_refused_access_names_its_region(void)
{
	uint64_t a = create();
	struct message message;

	map_at(a, BASE, 4 * PAGE, MAP_READ);
	message = fault_message(a, BASE + 3 * PAGE, FAULT_WRITE);
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK(message.w[0] == REASON_PROTECTION && message.w[1] == BASE);
	message = fault_message(a, BASE + 4 * PAGE, FAULT_WRITE);
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK(message.w[0] == REASON_NO_REGION && message.w[1] == 0);
}

static void test_stack_grows_and_is_written_by_one_fault(void)
{
	uint64_t a = create();

	map_at(a, LAYOUT_STACK_TOP - PAGE, PAGE, RW | MAP_STACK);
	CHECK_EQUAL(write_word(a, LAYOUT_STACK_TOP - 0x5008, 1), REASON_NONE);
	CHECK_EQUAL(machine_faults, 1);
	CHECK_EQUAL(poke(a, LAYOUT_STACK_TOP - 0x20008, 2), ST_OK);
	CHECK_EQUAL(read_word(a, LAYOUT_STACK_TOP - 0x20008), 2);
	CHECK_EQUAL(machine_faults, 1);
}

/* ---- the message page ---- */

static void test_message_page_is_cleared_and_the_threads(void)
{
	uint64_t a = create(), word = 3;
	struct message message;

	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_FETCH, &word), REASON_PROTECTION);
	CHECK_EQUAL(stats().faults_message_page, 0);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE + 8, FAULT_WRITE, &word), REASON_NONE);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 0);
	CHECK_EQUAL(mmu_frame(pte_pfn(machine_entry(a, LAYOUT_MESSAGE)))->holds, 1);
	message = fault_message(a, LAYOUT_MESSAGE, FAULT_WRITE);
	CHECK_EQUAL(serve_message(&message), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), FAULT_REFUSE);
	CHECK_EQUAL(message.w[0], REASON_PROTECTION);
	CHECK_EQUAL(stats().faults_message_page, 1);
}

static void test_message_page_waits_for_frames(void)
{
	uint64_t a = create();
	struct machine_access touch = {
		.space = a, .address = LAYOUT_MESSAGE, .access = FAULT_WRITE, .word = 7
	};

	leave_frames(2);
	CHECK_EQUAL(machine_try(&touch), MACHINE_WAITS);
	CHECK_EQUAL(machine_entry(a, LAYOUT_MESSAGE), 0);
	leave_frames(UINT64_MAX);
	machine_settle();
	CHECK_EQUAL(machine_try(&touch), REASON_NONE);
}

/* ---- access by servers ---- */

static void test_server_reads_what_the_program_may_only_read(void)
{
	uint64_t a = create();

	map_at(a, BASE, PAGE, MAP_READ);
	CHECK_EQUAL(read_word(a, BASE), 0);
	CHECK_EQUAL(peek(a, BASE), ST_OK);
	CHECK_EQUAL(poke(a, BASE, 1), ST_NO_ACCESS);
	CHECK_EQUAL(peek(a, BASE + PAGE), ST_NOT_FOUND);
}

/* A flush where a translation may be remembered, and nowhere else. */
static void test_server_flushes_only_what_was_there(void)
{
	uint64_t a = create(), reused;

	map_at(a, BASE, 4 * PAGE, RW);
	work_begin();
	CHECK_EQUAL(poke(a, BASE, 1), ST_OK);
	CHECK_EQUAL(work.of[OP_FLUSH], 0);
	CHECK_EQUAL(read_word(a, BASE + PAGE), 0);
	CHECK_EQUAL(poke(a, BASE + PAGE, 2), ST_OK);
	CHECK_EQUAL(work.of[OP_FLUSH], 1);
	reused = stats().faults_reuse;
	CHECK_EQUAL(poke(a, BASE, 3), ST_OK); /* it may be written as it is */
	CHECK_EQUAL(peek(a, BASE), ST_OK);
	CHECK_EQUAL(work.of[OP_FLUSH], 1);
	CHECK_EQUAL(stats().faults_reuse, reused);
	CHECK_EQUAL(read_word(a, BASE), 3);
}

static void test_server_is_told_of_shortage(void)
{
	uint64_t a = create();

	map_at(a, BASE, PAGE, RW);
	map_at(a, LAYOUT_STACK_TOP - PAGE, PAGE, RW | MAP_STACK);
	hook(PAGER_HOOK_FAIL_FRAMES, 1);
	CHECK_EQUAL(poke(a, BASE, 1), ST_NO_MEMORY);
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, a, 2, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(poke(a, LAYOUT_STACK_TOP - 0x5000, 1), ST_NO_MEMORY);
	CHECK_EQUAL(poke(a, BASE, 1), ST_OK);
}

/* ---- counting and listing ---- */

/* Resident pages of the region at the address, as DESCRIBE tells. */
static uint64_t resident(uint64_t space, uint64_t address)
{
	struct pager_region region;

	memcpy(&region, machine_system(PAGER_SPACE_DESCRIBE, space, address, 0, 0, 0, 0)->payload,
		sizeof(region));
	return region.resident;
}

static void test_resident_pages_are_those_of_the_region_alone(void)
{
	uint64_t a = create();

	map_at(a, BASE, 256 * PAGE, RW); /* the first half of a table */
	map_at(a, BASE + 256 * PAGE, 256 * PAGE, MAP_READ);
	map_at(a, BASE + LEAF, LEAF, RW); /* a whole one */
	map_at(a, BASE + 2 * LEAF, 100 * PAGE, MAP_READ);
	map_at(a, BASE + 2 * LEAF + 100 * PAGE, 700 * PAGE, RW); /* over a border */
	fill(a, BASE + 10 * PAGE, 3, 1);
	expect(a, BASE + 300 * PAGE, 1, 0);
	fill(a, BASE + LEAF + 3 * PAGE, 4, 1);
	expect(a, BASE + 2 * LEAF, 1, 0);
	fill(a, BASE + 2 * LEAF + 110 * PAGE, 5, 1);
	fill(a, BASE + 3 * LEAF + 110 * PAGE, 6, 1);
	CHECK_EQUAL(resident(a, BASE), 3);
	CHECK_EQUAL(resident(a, BASE + 256 * PAGE), 1);
	CHECK_EQUAL(resident(a, BASE + LEAF), 4);
	CHECK_EQUAL(resident(a, BASE + 2 * LEAF), 1);
	CHECK_EQUAL(resident(a, BASE + 2 * LEAF + 100 * PAGE), 11);
	work_begin(); /* a whole table is counted by the kernel: nobody reads it */
	CHECK_EQUAL(resident(a, BASE + LEAF), 4);
	CHECK_EQUAL(work.of[OP_READ], LAYOUT_LEVELS);
}

/* Ask for pages from the address on: where to go on. */
static uint64_t list_pages(uint64_t space, uint64_t from, const struct pager_page **pages,
	uint64_t *count)
{
	const struct machine_answer *answer =
		machine_program(space, PAGER_PAGES, 0, from, 0, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	CHECK_EQUAL(answer->bytes, answer->w[0] * sizeof(struct pager_page));
	*pages = (const struct pager_page *)(const void *)answer->payload;
	*count = answer->w[0];
	return answer->w[1];
}

static void test_pages_are_listed_each_once(void)
{
	uint64_t a = create(), first = BASE + 100 * PAGE, seen = 0, next, count, word = 1;
	const uint64_t top = LAYOUT_USER_END - PAGE, far = 3 * SLOT + 5 * PAGE;
	const struct pager_page *pages;

	map_at(a, BASE, 800 * PAGE, RW);
	map_at(a, far, PAGE, RW);
	map_at(a, top, PAGE, RW);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	fill(a, first, 600, 1);
	fill(a, far, 1, 1);
	fill(a, top, 1, 1);
	next = first + 123; /* any address in the page */
	do {
		next = list_pages(a, next, &pages, &count);
		for (uint64_t i = 0; i < count; i++, seen++) {
			uint64_t page = seen < 600    ? first + seen * PAGE
					: seen == 600 ? far
						      : top;

			CHECK_EQUAL(pages[i].address, page);
			CHECK_EQUAL(pages[i].entry & PTE_FRAME,
				machine_entry(a, page) & PTE_FRAME);
		}
		CHECK(count <= 256 && seen <= 602);
		if (seen == 256)
			CHECK_EQUAL(next, first + 256 * PAGE);
	} while (next != 0);
	CHECK_EQUAL(seen, 602);
	(void)list_pages(a, first + 599 * PAGE, &pages, &count);
	CHECK(count == 1 && pages[0].address == first + 599 * PAGE);
}

static void test_listing_looks_at_a_bounded_number_of_tables(void)
{
	uint64_t a = create(), start = 4 * GIB, count;
	const struct pager_page *pages;

	map_at(a, start, 2 * GIB, RW);
	fill(a, start + GIB - PAGE, 1, 1); /* behind 511 gaps */
	fill(a, start + 2 * GIB - PAGE, 1, 1);
	CHECK_EQUAL(list_pages(a, start, &pages, &count), start + GIB);
	CHECK(count == 1 && pages[0].address == start + GIB - PAGE);
	CHECK_EQUAL(list_pages(a, start + GIB, &pages, &count), start + 2 * GIB);
	CHECK_EQUAL(count, 1);
	work_begin();
	CHECK_EQUAL(list_pages(a, LAYOUT_USER_END, &pages, &count), 0);
	CHECK_EQUAL(work.of[OP_READ], 0);
}

/* ---- unmapping ---- */

/* Two neighbours with pages, and what is between them goes from a child: by so many runs and
   splits, with so many empty tables dropped behind them, and nobody else loses anything. */
static void unmap_between(
	uint64_t start, uint64_t bytes, uint64_t runs, uint64_t splits, uint64_t drops)
{
	uint64_t a = create(), b, split;

	map_at(a, start - PAGE, PAGE, MAP_READ | MAP_EXEC);
	map_at(a, start, bytes, RW);
	map_at(a, start + bytes, PAGE, MAP_READ);
	expect(a, start - PAGE, 1, 0);
	expect(a, start + bytes, 1, 0);
	for (uint64_t at = start; at < start + bytes; at += bytes / 4)
		fill(a, at, 1, at);
	fill(a, start + bytes - PAGE, 1, 99);
	b = fork_of(a);
	split = stats().tables_split;
	work_begin();
	CHECK_EQUAL(unmap(b, start, bytes), ST_OK);
	CHECK_EQUAL(work.of[OP_CLEAR], runs + drops);
	CHECK_EQUAL(work.of[OP_FLUSH], runs);
	CHECK_EQUAL(stats().tables_split, split + splits);
	machine_check();
	CHECK(machine_entry(b, start - PAGE) != 0 && machine_entry(b, start + bytes) != 0);
	CHECK_EQUAL(read_reason(b, start), REASON_NO_REGION);
	CHECK_EQUAL(read_reason(b, start + bytes - PAGE), REASON_NO_REGION);
	for (uint64_t at = start; at < start + bytes; at += bytes / 4)
		expect(a, at, 1, at);
	work_begin();
	CHECK_EQUAL(unmap(a, start, bytes), ST_OK); /* and from the parent, which is alone now */
	machine_check();
	destroy_last();
	destroy_last();
}

static void test_whole_tables_go_by_one_entry_each(void)
{
	unmap_between(BASE + 8 * PAGE, 16 * PAGE, 1, 3, 0);
	unmap_between(BASE + LEAF, 4 * LEAF, 1, 2, 0); /* a run of entries for four leaf tables */
	unmap_between(BASE + GIB, GIB, 1, 1, 0);
	unmap_between(BASE + GIB, 4 * GIB, 4, 1, 0); /* each is counted by itself */
	unmap_between(2 * SLOT, SLOT, 5, 1, 1);
}

/* A page at the edge of the range in the neighbour's table, and one of the range at the far end. */
static void test_partial_tables_keep_the_neighbours_pages(void)
{
	uint64_t a = create();

	map_at(a, BASE, 2 * PAGE, MAP_READ);
	map_at(a, BASE + 2 * PAGE, LEAF - 2 * PAGE, RW);
	expect(a, BASE, 1, 0);
	expect(a, BASE + PAGE, 1, 0);
	fill(a, BASE + 2 * PAGE, 1, 1);
	fill(a, BASE + LEAF - PAGE, 1, 1);
	CHECK_EQUAL(unmap(a, BASE + 2 * PAGE, LEAF - 2 * PAGE), ST_OK);
	machine_check();
	CHECK(machine_entry(a, BASE) != 0 && machine_entry(a, BASE + PAGE) != 0);
	map_at(a, BASE + 2 * PAGE, LEAF, RW);
	fill(a, BASE + 2 * PAGE, 8, 1);
	work_begin();
	CHECK_EQUAL(unmap(a, BASE + 3 * PAGE, 5 * PAGE), ST_OK); /* out of a region's middle */
	CHECK_EQUAL(work.of[OP_CLEAR], 1);
	machine_check();
	expect(a, BASE + 2 * PAGE, 1, 1);
	expect(a, BASE + 8 * PAGE, 2, 7);
}

/* Nothing else lies in the span: a shared table goes as it is, wherever in it the region lies. */
static void test_lonely_region_goes_with_its_tables(void)
{
	uint64_t a = create(), b, split;

	map_at(a, BASE + 100 * PAGE, 10 * PAGE, RW);
	fill(a, BASE + 100 * PAGE, 10, 1);
	b = fork_of(a);
	split = stats().tables_split;
	work_begin();
	CHECK_EQUAL(unmap(b, BASE + 100 * PAGE, 10 * PAGE), ST_OK);
	machine_check();
	CHECK_EQUAL(stats().tables_split, split + 1); /* below the top */
	CHECK_EQUAL(work.of[OP_CLEAR], 2);	      /* and the top's entry */
	expect(a, BASE + 100 * PAGE, 10, 1);
	CHECK_EQUAL(read_reason(b, BASE + 100 * PAGE), REASON_NO_REGION);
}

/* Pages are in front of the range and behind it, none in it. */
static void test_ranges_without_pages_split_and_flush_nothing(void)
{
	uint64_t a = create(), b, split;

	map_at(a, BASE, 3 * LEAF, RW);
	fill(a, BASE + 2 * PAGE, 2, 1);
	fill(a, BASE + 2 * LEAF + 40 * PAGE, 2, 1);
	fill(a, BASE + 40 * PAGE, 2, 1);
	b = fork_of(a);
	split = stats().tables_split;
	work_begin();
	CHECK_EQUAL(protect(b, BASE + 20 * PAGE, 10 * PAGE, MAP_READ), ST_OK);
	CHECK_EQUAL(unmap(b, BASE + 10 * PAGE, 20 * PAGE), ST_OK);
	CHECK_EQUAL(unmap(b, BASE + 50 * PAGE, 2 * LEAF - 20 * PAGE), ST_OK); /* over three */
	CHECK_EQUAL(discard(b, BASE + 4 * PAGE, 6 * PAGE), ST_OK);
	CHECK_EQUAL(stats().tables_split, split);
	CHECK_EQUAL(work.of[OP_FLUSH], 0);
	CHECK_EQUAL(work.of[OP_CLEAR], 0);
	CHECK_EQUAL(unmap(a, BASE + 10 * PAGE, 20 * PAGE), ST_OK);
	CHECK_EQUAL(stats().tables_split, split);
	destroy_last();
	work_begin();
	CHECK_EQUAL(unmap(a, BASE + 50 * PAGE, 20 * PAGE), ST_OK); /* tables of its own */
	CHECK_EQUAL(work.of[OP_FLUSH], 0);
	expect(a, BASE + 2 * PAGE, 2, 1);
	expect(a, BASE + 40 * PAGE, 2, 1);
}

/* Pages of the range are below one of its ends; below the other are those of others. */
static void test_only_the_end_with_pages_is_split(void)
{
	for (uint32_t end = 0; end < 2; end++) {
		uint64_t a = create(), b, split;

		map_at(a, BASE, 3 * LEAF, RW);
		fill(a, BASE + (end == 0 ? 20 : 2) * PAGE, 2, 1);
		fill(a, BASE + 2 * LEAF + (end == 0 ? 40 : 5) * PAGE, 2, 1);
		fill(a, BASE + (end == 0 ? 2 * LEAF + 42 * PAGE : PAGE), 1, 7);
		fill(a, BASE + (end == 0 ? PAGE : 2 * LEAF + 42 * PAGE), 1, 8);
		b = fork_of(a);
		split = stats().tables_split;
		CHECK_EQUAL(unmap(b, BASE + 10 * PAGE, 2 * LEAF), ST_OK);
		CHECK_EQUAL(stats().tables_split, split + 3);
		machine_check();
		CHECK_EQUAL(read_word(b, BASE + PAGE), end == 0 ? 8 : 7);
		CHECK_EQUAL(read_word(b, BASE + 2 * LEAF + 42 * PAGE), end == 0 ? 7 : 8);
		destroy_last();
		destroy_last();
	}
}

/* Without tables there is one look for each end, and one for the range; none if it was mapped last. */
static void test_range_without_tables_is_little_work(void)
{
	uint64_t a = create();

	map_at(a, 5 * SLOT, GIB, RW);
	map_at(a, 7 * SLOT, GIB, RW);
	work_begin();
	CHECK_EQUAL(unmap(a, 7 * SLOT, GIB), ST_OK);
	CHECK_EQUAL(work.all, 0);
	CHECK_EQUAL(unmap(a, 5 * SLOT, GIB), ST_OK);
	CHECK_EQUAL(work.all, 3);
	CHECK_EQUAL(work.of[OP_READ], 3);
}

/* One page is enough to know that a shared table is to be split. */
static void test_looking_for_pages_ends_at_the_first(void)
{
	uint64_t a = create(), b;

	map_at(a, BASE, 16 * LEAF, RW);
	for (uint64_t i = 0; i < 16; i++)
		fill(a, BASE + i * LEAF + 7 * PAGE, 1, i);
	b = fork_of(a);
	work_begin();
	CHECK_EQUAL(protect(b, BASE, 16 * LEAF, MAP_READ), ST_OK);
	CHECK_EQUAL(work.read_before_split, 1 + LAYOUT_LEVELS);
	machine_check();
	CHECK_EQUAL(write_word(b, BASE + 9 * LEAF + 7 * PAGE, 1), REASON_PROTECTION);
	fill(a, BASE, 1, 1);
}

/* Each of the two ends needs frames, asked for before anything changes. */
static void test_unmap_without_frames_is_refused_at_either_end(void)
{
	uint64_t a = create(), b;

	map_at(a, BASE, 3 * LEAF, RW);
	for (uint64_t i = 0; i < 3; i++)
		fill(a, BASE + i * LEAF, 20, 100 * i);
	b = fork_of(a);
	for (uint64_t n = 1; n <= 4; n++) { /* three splits for the one end, one for the other */
		hook(PAGER_HOOK_FAIL_FRAMES, n);
		CHECK_EQUAL(unmap(b, BASE + 10 * PAGE, 2 * LEAF), ST_NO_MEMORY);
		hook(PAGER_HOOK_FAIL_FRAMES, 0);
		machine_check();
		for (uint64_t i = 0; i < 3; i++)
			expect(b, BASE + i * LEAF, 20, 100 * i);
		machine_system(PAGER_SPACE_DESTROY, b, 0, 0, 0, 0, 0);
		machine_settle();
		spaces_count--;
		b = fork_of(a);
	}
	CHECK_EQUAL(unmap(b, BASE + 10 * PAGE, 2 * LEAF), ST_OK);
	for (uint64_t i = 0; i < 3; i++)
		expect(a, BASE + i * LEAF, 20, 100 * i);
}

static void test_protect_without_frames_is_refused(void)
{
	uint64_t a = create(), b;

	map_at(a, BASE, 4 * PAGE, RW);
	fill(a, BASE, 4, 1);
	b = fork_of(a);
	for (uint64_t n = 1; n <= 3; n++) {
		hook(PAGER_HOOK_FAIL_FRAMES, n);
		CHECK_EQUAL(protect(b, BASE, PAGE, MAP_READ), ST_NO_MEMORY);
		hook(PAGER_HOOK_FAIL_FRAMES, 0);
		machine_check();
		spaces_count--;
		CHECK_EQUAL(
			machine_system(PAGER_SPACE_DESTROY, b, 0, 0, 0, 0, 0)->status, ST_OK);
		machine_settle();
		b = fork_of(a);
	}
	CHECK_EQUAL(write_word(b, BASE, 3), REASON_NONE);
}

/* The reaper has tables that the last undertaking took, when the next one is refused. */
static void test_refused_splits_give_back_their_frames_alone(void)
{
	uint64_t a = create(), b, frames;

	map_at(a, BASE, 4 * PAGE, RW);
	fill(a, BASE, 4, 1);
	b = fork_of(a);
	for (uint32_t i = 0; i < 3; i++) {
		leave_orphans(a);
		frames = stats().frames_free;
		frame_refs_limit = 1;
		CHECK_EQUAL(i == 0   ? protect(b, BASE, PAGE, MAP_READ)
			    : i == 1 ? discard(b, BASE, PAGE)
				     : remap(b, BASE, PAGE, PAGE, BASE + GIB + PAGE),
			ST_LIMIT);
		frame_refs_limit = UINT32_MAX;
		CHECK(stats().frames_free >= frames);
		machine_check();
		machine_settle();
		machine_check();
	}
	expect(b, BASE, 4, 1);
	expect(a, BASE, 4, 1);
}

/* Neighbours within the same table keep their rights. */
static void test_protect_touches_the_range_alone(void)
{
	uint64_t a = create(), faults, word;

	map_at(a, BASE, 2 * LEAF, RW);
	fill(a, BASE, 1024, 1);
	work_begin();
	CHECK_EQUAL(protect(a, BASE + 500 * PAGE, 24 * PAGE, MAP_READ), ST_OK);
	CHECK_EQUAL(work.of[OP_PROTECT], 2);
	CHECK_EQUAL(work.of[OP_FLUSH], 2);
	faults = machine_faults;
	for (uint64_t i = 0; i < 1024; i++)
		if (i < 500 || i >= 524)
			CHECK_EQUAL(write_word(a, BASE + i * PAGE, 7), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults);
	for (uint64_t i = 500; i < 524; i++)
		CHECK_EQUAL(write_word(a, BASE + i * PAGE, 7), REASON_PROTECTION);
	CHECK_EQUAL(machine_access(a, BASE + 510 * PAGE, 0, &word), REASON_NONE);
	CHECK_EQUAL(word, 511);
}

/* What is empty is not copied by a fork, in the last slot either. */
static void test_slots_that_became_empty_are_not_forked(void)
{
	uint64_t a = create(), shared;

	map_at(a, 3 * SLOT, PAGE, RW);
	map_at(a, LAYOUT_STACK_TOP - PAGE, PAGE, RW | MAP_STACK);
	map_at(a, BASE, PAGE, RW);
	fill(a, 3 * SLOT, 1, 1);
	fill(a, LAYOUT_STACK_TOP - PAGE, 1, 1);
	fill(a, BASE, 1, 1);
	CHECK_EQUAL(unmap(a, 3 * SLOT, PAGE), ST_OK);
	CHECK_EQUAL(unmap(a, LAYOUT_STACK_TOP - PAGE, PAGE), ST_OK);
	shared = stats().tables_shared;
	(void)fork_of(a);
	CHECK_EQUAL(stats().tables_shared, shared + 1);
}

/* ---- moving ---- */

/* From a child: by so many operations and splits. */
static void move_whole(uint64_t bytes, uint64_t there, uint64_t moves, uint64_t splits)
{
	uint64_t a = create(), b, start = 16 * GIB, split;

	map_at(a, start, bytes, RW);
	map_at(a, start + bytes, PAGE, MAP_READ); /* its pages share no table with them */
	for (uint64_t at = start; at < start + bytes; at += bytes / 4)
		fill(a, at, 1, at);
	fill(a, start + bytes - PAGE, 1, 99);
	b = fork_of(a);
	split = stats().tables_split;
	work_begin();
	CHECK_EQUAL(remap(b, start, bytes, bytes, there), ST_OK);
	CHECK_EQUAL(work.of[OP_MOVE], moves);
	CHECK_EQUAL(stats().tables_split, split + splits);
	machine_check();
	for (uint64_t at = 0; at < bytes; at += bytes / 4)
		expect(b, there + at, 1, start + at);
	expect(b, there + bytes - PAGE, 1, 99);
	CHECK_EQUAL(read_reason(b, start), REASON_NO_REGION);
	expect(a, start + bytes - PAGE, 1, 99);
	destroy_last();
	destroy_last();
}

static void test_whole_tables_move_by_one_entry_each(void)
{
	move_whole(LEAF, 32 * GIB, 1, 2);
	move_whole(4 * LEAF, 32 * GIB + LEAF, 1, 2);
	move_whole(GIB, 32 * GIB, 1, 1);
	move_whole(2 * GIB, 32 * GIB, 2, 1);
	move_whole(8 * PAGE, 32 * GIB, 1, 3);
}

/* Gaps are passed in long strides, but not beyond the next table that is there. */
static void test_moving_stops_at_the_first_table_behind_a_gap(void)
{
	uint64_t a = create(), start = 16 * GIB, there = 32 * GIB + PAGE, frames;

	map_at(a, start, GIB, RW);
	fill(a, start + 256 * LEAF, 1, 7); /* a stride is 256 entries */
	fill(a, start + 511 * LEAF + 5 * PAGE, 1, 8);
	machine_check();
	frames = stats().frames_free;
	work_begin();
	CHECK_EQUAL(remap(a, start, GIB, GIB, there), ST_OK);
	CHECK_EQUAL(work.of[OP_MOVE], 2);
	CHECK(work.of[OP_READ] < 400);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames); /* as many tables as before */
	expect(a, there + 256 * LEAF, 1, 7);
	expect(a, there + 511 * LEAF + 5 * PAGE, 1, 8);
}

/* Only what had pages is flushed. */
static void test_moving_flushes_for_runs_with_pages_alone(void)
{
	uint64_t a = create(), start = 16 * GIB, there = 16 * GIB + 100 * LEAF + PAGE;

	map_at(a, start, 8 * LEAF, RW);
	fill(a, start + LEAF, 1, 1);
	fill(a, start + 5 * LEAF, 1, 2);
	map_at(a, there + 8 * LEAF, PAGE, RW);
	fill(a, there + 8 * LEAF, 1, 3);
	work_begin();
	CHECK_EQUAL(remap(a, start, 8 * LEAF, 8 * LEAF, there), ST_OK);
	CHECK_EQUAL(work.of[OP_MOVE], 2);
	/* One for each, and one for the empty tables that stayed behind. */
	CHECK_EQUAL(work.of[OP_FLUSH], 3);
	expect(a, there + LEAF, 1, 1);
	expect(a, there + 5 * LEAF, 1, 2);
	expect(a, there + 8 * LEAF, 1, 3);
}

/* What is replaced is counted wherever it lies, also behind the end of what came. */
static void test_replaced_pages_are_counted(void)
{
	uint64_t a = create(), start = 16 * GIB, there = 32 * GIB;

	map_at(a, start, 2 * GIB, RW);
	map_at(a, there - PAGE, 4 * GIB + 2 * PAGE, RW);
	fill(a, start + GIB + 5 * PAGE, 1, 1);
	for (uint64_t i = 0; i < 4; i++) {
		fill(a, there + i * GIB + 3 * PAGE, 3, 10 * i);
		fill(a, there + i * GIB + 300 * LEAF, 2, 10 * i);
	}
	fill(a, there - PAGE, 1, 77);
	fill(a, there + 4 * GIB, 1, 78);
	CHECK_EQUAL(remap(a, start, 2 * GIB, 4 * GIB, there), ST_OK);
	machine_settle();
	machine_check();
	expect(a, there + GIB + 5 * PAGE, 1, 1);
	for (uint64_t i = 0; i < 4; i++)
		CHECK_EQUAL(read_word(a, there + i * GIB + 4 * PAGE), 0);
	expect(a, there - PAGE, 1, 77);
	expect(a, there + 4 * GIB, 1, 78);
}

/* The tail of the target is cleared in runs of its own, wherever the source ended. */
static void test_tail_of_the_target_goes_in_one_run(void)
{
	uint64_t a = create(), start = BASE + 500 * PAGE, there = BASE + 8 * LEAF;

	map_at(a, start, 8 * PAGE, RW);
	map_at(a, there, 200 * PAGE, RW);
	fill(a, start, 8, 1);
	fill(a, there, 200, 1000);
	work_begin();
	CHECK_EQUAL(remap(a, start, 8 * PAGE, 200 * PAGE, there), ST_OK);
	machine_check();
	/* In front of what comes, the tail, and the source's leaf table. */
	CHECK_EQUAL(work.of[OP_CLEAR], 3);
	expect(a, there, 8, 1);
	CHECK_EQUAL(read_word(a, there + 8 * PAGE), 0);
	CHECK_EQUAL(read_word(a, there + 199 * PAGE), 0);
}

/* Refused at each of its askings: the tables made in vain go, others stay. */
static void test_refused_move_leaves_no_tables(void)
{
	uint64_t a = create(), start = 16 * GIB, there = 2 * SLOT - 3 * LEAF + PAGE;
	uint64_t frames, n = 0;
	status_t status = ST_NO_MEMORY;

	map_at(a, start, 6 * LEAF, RW);
	for (uint64_t i = 0; i < 6; i++)
		fill(a, start + i * LEAF, 2, 10 * i);
	map_at(a, there - PAGE, PAGE, RW); /* its leaf table is the target's first */
	fill(a, there - PAGE, 1, 99);
	while (status != ST_OK) {
		CHECK(++n < 40);
		machine_settle();
		frames = stats().frames_free;
		hook(PAGER_HOOK_FAIL_FRAMES, n);
		work_begin();
		status = remap(a, start, 6 * LEAF, 6 * LEAF, there);
		hook(PAGER_HOOK_FAIL_FRAMES, 0);
		machine_settle();
		machine_check();
		expect(a, there - PAGE, 1, 99);
		if (status == ST_OK)
			break;
		CHECK_EQUAL(status, ST_NO_MEMORY);
		CHECK_EQUAL(stats().frames_free, frames);
		CHECK(work.of[OP_READ] < 1000);
		for (uint64_t i = 0; i < 6; i++)
			expect(a, start + i * LEAF, 2, 10 * i);
	}
	CHECK(n > 5);
	for (uint64_t i = 0; i < 6; i++)
		expect(a, there + i * LEAF, 2, 10 * i);
}

/* Of a wide range: the gaps between its tables are passed, also on the way back. */
static void test_refused_move_of_a_wide_range_is_bounded(void)
{
	uint64_t a = create(), start = 10 * SLOT, there = 100 * SLOT + PAGE;

	map_at(a, start, 3 * SLOT, RW);
	for (uint64_t i = 0; i < 3; i++)
		fill(a, start + i * SLOT + i * GIB, 1, i);
	hook(PAGER_HOOK_FAIL_FRAMES, 3);
	work_begin();
	CHECK_EQUAL(remap(a, start, 3 * SLOT, 3 * SLOT, there), ST_NO_MEMORY);
	hook(PAGER_HOOK_FAIL_FRAMES, 0);
	CHECK(work.of[OP_READ] < 30000);
	machine_check();
	for (uint64_t i = 0; i < 3; i++)
		expect(a, start + i * SLOT + i * GIB, 1, i);
}

/* An empty table that a refused cure left is shared by a fork; a refused move leaves it alone. */
static void test_refused_move_leaves_shared_tables_alone(void)
{
	uint64_t a = create(), b, start = 16 * GIB, there = 64 * GIB;

	map_at(a, there, PAGE, RW);
	refuse(OP_ZERO, 1);
	CHECK_EQUAL(write_word(a, there, 1), REASON_NO_MEMORY);
	CHECK(refuse_end(1));
	CHECK_EQUAL(unmap(a, there + LEAF, PAGE), ST_OK);
	map_at(a, start, 2 * LEAF, RW);
	fill(a, start + LEAF, 1, 1);
	b = fork_of(a);
	CHECK_EQUAL(machine_system(PAGER_SPACE_LIMIT, b, 1, 0, 0, 0, 0)->status, ST_OK);
	for (uint64_t n = 1; n < 8; n++) {
		hook(PAGER_HOOK_FAIL_FRAMES, n);
		(void)remap(b, start, 2 * LEAF, 2 * LEAF, there);
		hook(PAGER_HOOK_FAIL_FRAMES, 0);
		machine_check();
		CHECK_EQUAL(shared_changed, 0);
	}
}

/* ---- the end of a space ---- */

/* A victim keeps its thread's message page until it is destroyed; its memory goes at once. */
static void test_victims_memory_goes_and_its_message_page_stays(void)
{
	uint64_t a = create(), word = 5, frames;
	pfn_t message;

	map_at(a, BASE, 8 * PAGE, RW);
	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	message = pte_pfn(machine_entry(a, LAYOUT_MESSAGE));
	frames = stats().frames_free;
	fill(a, BASE, 8, 1);
	refuse(OP_CLEAR, 1); /* of the unmapping, which has no way back */
	(void)unmap(a, BASE, 4 * PAGE);
	CHECK(refuse_end(1));
	CHECK_EQUAL(space_find(a)->state, SPACE_VICTIM);
	machine_settle();
	machine_check();
	CHECK_EQUAL(stats().frames_free, frames);
	CHECK_EQUAL(mmu_frame(message)->type, FRAME_MSG);
	CHECK_EQUAL(machine_notifications, 1);
}

/* It is begun again when the space is destroyed. */
static void test_teardown_of_a_victim_that_was_refused_is_done_later(void)
{
	uint64_t a = create();

	map_at(a, BASE, 8 * PAGE, RW);
	map_at(a, 9 * SLOT, PAGE, RW);
	fill(a, BASE, 8, 1);
	fill(a, 9 * SLOT, 1, 1);
	refuse(OP_CLEAR, 1);
	(void)unmap(a, BASE, 4 * PAGE);
	CHECK(refuse_end(1));
	refuse(OP_CLEAR, 1);
	machine_settle();
	CHECK(refuse_end(1));
}

/* A space ends in one batch; if that is refused, a job does it. */
static void test_space_whose_end_was_refused_once_ends_by_a_job(void)
{
	uint64_t a = create(), frames = stats().frames_free;

	map_at(a, BASE, 8 * PAGE, RW);
	fill(a, BASE, 8, 1);
	refuse(OP_CLEAR, 1);
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, a, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK(refuse_end(1));
	spaces_count = 0;
	CHECK_EQUAL(stats().spaces, 1);
	machine_settle();
	CHECK_EQUAL(stats().spaces, 0);
	CHECK(stats().frames_free > frames);
	machine_check();
}

/* What cannot be taken apart stays: its frames are not given to others. */
static void test_space_whose_message_page_cannot_go_stays(void)
{
	uint64_t a = create(), word = 5;

	CHECK_EQUAL(machine_access(a, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
	refuse(OP_CLEAR, 1);
	spaces_count = 0;
	CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, a, 0, 0, 0, 0, 0)->status, ST_OK);
	CHECK(refuse_end(1));
	refuse(OP_CLEAR, 1); /* by the job that tries once more, too */
	while (machine_slice())
		;
	CHECK(refuse_end(1));
	CHECK_EQUAL(stats().spaces, 1);
	start(FRAMES); /* a machine without it */
}

/* ---- refusals ---- */

/* What is done to the second of two relatives; each answers with a status. */
#define HERE  (BASE + 100 * PAGE)
#define THERE (64 * GIB + PAGE)

static uint64_t subject, relative;

static status_t move_pages(void)
{
	return remap(subject, HERE, 20 * PAGE, 30 * PAGE, THERE);
}

static status_t move_tables(void)
{
	return remap(subject, BASE + LEAF, 2 * LEAF, 2 * LEAF, 64 * GIB + 4 * LEAF);
}

static status_t move_over_others(void)
{
	return remap(subject, BASE + LEAF, LEAF, 2 * LEAF, BASE + 4 * LEAF);
}

static status_t unmap_pages(void)
{
	return unmap(subject, HERE, 20 * PAGE);
}

static status_t unmap_tables(void)
{
	return unmap(subject, HERE, 2 * LEAF);
}

static status_t unmap_all(void)
{
	return unmap(subject, BASE, 6 * LEAF);
}

static status_t unmap_gib(void)
{
	return unmap(subject, 8 * GIB, GIB);
}

static status_t unmap_slot(void)
{
	return unmap(subject, 3 * SLOT, PAGE);
}

static status_t discard_pages(void)
{
	return discard(subject, HERE, LEAF);
}

static status_t protect_pages(void)
{
	return protect(subject, HERE, LEAF, MAP_READ);
}

static status_t count_pages_of_region(void)
{
	return machine_system(PAGER_SPACE_DESCRIBE, subject, BASE, 0, 0, 0, 0)->status;
}

static status_t list_pages_of_space(void)
{
	return machine_program(subject, PAGER_PAGES, 0, 0, 0, 0, 0)->status;
}

static status_t write_from_outside(void)
{
	return poke(subject, HERE, 5);
}

static status_t write_new_page_from_outside(void)
{
	return poke(subject, 8 * GIB + 2 * PAGE, 5);
}

static status_t read_from_outside(void)
{
	return peek(subject, HERE);
}

static const struct {
	status_t (*act)(void);
	bool only_reads; /* changes nothing */
} refusals[] = {
	{ move_pages, false },
	{ move_tables, false },
	{ move_over_others, false },
	{ unmap_pages, false },
	{ unmap_tables, false },
	{ unmap_all, false },
	{ unmap_gib, false },
	{ unmap_slot, false },
	{ discard_pages, false },
	{ protect_pages, false },
	{ count_pages_of_region, true },
	{ list_pages_of_space, true },
	{ write_from_outside, false },
	{ write_new_page_from_outside, false },
	{ read_from_outside, true },
};

/* Two relatives, or one alone. */
static void make_relatives(bool alone)
{
	start(FRAMES_FEW);
	relative = create();
	map_at(relative, BASE, 6 * LEAF, RW);
	map_at(relative, 8 * GIB, GIB, RW);
	map_at(relative, THERE - PAGE, PAGE, RW);
	fill(relative, HERE, 20, 1);
	fill(relative, BASE + LEAF, 2, 50);
	fill(relative, BASE + 2 * LEAF + 510 * PAGE, 2, 60);
	fill(relative, BASE + 4 * LEAF, 3, 70);
	fill(relative, 8 * GIB, 1, 80);
	fill(relative, 8 * GIB + 400 * LEAF, 1, 81);
	fill(relative, THERE - PAGE, 1, 90);
	map_at(relative, 3 * SLOT, PAGE, RW);
	fill(relative, 3 * SLOT, 1, 91);
	subject = fork_of(relative);
	if (alone) {
		CHECK_EQUAL(machine_system(PAGER_SPACE_DESTROY, relative, 0, 0, 0, 0, 0)->status,
			ST_OK);
		spaces[0] = subject;
		spaces_count = 1;
		machine_settle();
		relative = 0;
	}
}

static void expect_relative(void)
{
	if (relative == 0)
		return;
	expect(relative, HERE, 20, 1);
	expect(relative, BASE + LEAF, 2, 50);
	expect(relative, BASE + 2 * LEAF + 510 * PAGE, 2, 60);
	expect(relative, BASE + 4 * LEAF, 3, 70);
	expect(relative, 8 * GIB, 1, 80);
	expect(relative, THERE - PAGE, 1, 90);
}

/* The n-th operation is refused; false if there are not so many. */
static bool refuse_once(uint32_t which, uint64_t n, bool alone)
{
	uint64_t frames;
	status_t status;
	bool was;

	make_relatives(alone);
	frames = stats().frames_free;
	refuse(OP_NOP, n);
	status = refusals[which].act();
	was = refuse_end(n);
	if (space_find(subject)->state != SPACE_VICTIM)
		CHECK_EQUAL(status, was ? ST_BAD_FRAME : ST_OK);
	machine_settle();
	machine_check();
	if (refusals[which].only_reads)
		CHECK_EQUAL(stats().frames_free, frames);
	expect_relative();
	end_all();
	return was;
}

/* A refusal is told as it is, or the program ends; nothing is lost or given twice, relatives see nothing. */
static void test_refusal_of_any_operation_is_told(void)
{
	for (uint32_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		for (uint32_t alone = 0; alone < 2; alone++) {
			uint64_t n = 1;

			while (refuse_once(i, n, alone))
				CHECK(++n < 2000);
			CHECK(n > 1);
		}
	start(FRAMES);
}

static const struct check_test tests[] = {
	CHECK_TEST(regions_without_rights_refuse_reads_of_any_kind),
	CHECK_TEST(lost_cures_of_anonymous_memory_change_nothing),
	CHECK_TEST(lost_cures_of_objects_change_nothing),
	CHECK_TEST(lost_first_touch_of_the_message_page_changes_nothing),
	CHECK_TEST(window_that_is_refused_half_way_is_counted),
	CHECK_TEST(window_over_the_end_of_an_objects_table),
	CHECK_TEST(held_page_is_copied_after_a_fork),
	CHECK_TEST(page_that_was_never_shared_stays_itself),
	CHECK_TEST(one_operation_opens_what_was_shared),
	CHECK_TEST(shared_pages_are_written_in_place_after_their_rights_came_back),
	CHECK_TEST(read_of_shared_memory_raises_nothing),
	CHECK_TEST(writes_are_counted_for_what_they_are),
	CHECK_TEST(last_frame_is_given_to_a_write),
	CHECK_TEST(fault_that_is_cured_already_takes_no_operation),
	CHECK_TEST(reserved_bit_is_malformed_on_the_short_way_too),
	CHECK_TEST(refused_access_names_its_region),
	CHECK_TEST(stack_grows_and_is_written_by_one_fault),
	CHECK_TEST(message_page_is_cleared_and_the_threads),
	CHECK_TEST(message_page_waits_for_frames),
	CHECK_TEST(server_reads_what_the_program_may_only_read),
	CHECK_TEST(server_flushes_only_what_was_there),
	CHECK_TEST(server_is_told_of_shortage),
	CHECK_TEST(resident_pages_are_those_of_the_region_alone),
	CHECK_TEST(pages_are_listed_each_once),
	CHECK_TEST(listing_looks_at_a_bounded_number_of_tables),
	CHECK_TEST(whole_tables_go_by_one_entry_each),
	CHECK_TEST(partial_tables_keep_the_neighbours_pages),
	CHECK_TEST(lonely_region_goes_with_its_tables),
	CHECK_TEST(ranges_without_pages_split_and_flush_nothing),
	CHECK_TEST(only_the_end_with_pages_is_split),
	CHECK_TEST(range_without_tables_is_little_work),
	CHECK_TEST(looking_for_pages_ends_at_the_first),
	CHECK_TEST(unmap_without_frames_is_refused_at_either_end),
	CHECK_TEST(protect_without_frames_is_refused),
	CHECK_TEST(refused_splits_give_back_their_frames_alone),
	CHECK_TEST(protect_touches_the_range_alone),
	CHECK_TEST(slots_that_became_empty_are_not_forked),
	CHECK_TEST(whole_tables_move_by_one_entry_each),
	CHECK_TEST(moving_stops_at_the_first_table_behind_a_gap),
	CHECK_TEST(moving_flushes_for_runs_with_pages_alone),
	CHECK_TEST(replaced_pages_are_counted),
	CHECK_TEST(tail_of_the_target_goes_in_one_run),
	CHECK_TEST(refused_move_leaves_no_tables),
	CHECK_TEST(refused_move_of_a_wide_range_is_bounded),
	CHECK_TEST(refused_move_leaves_shared_tables_alone),
	CHECK_TEST(victims_memory_goes_and_its_message_page_stays),
	CHECK_TEST(teardown_of_a_victim_that_was_refused_is_done_later),
	CHECK_TEST(space_whose_end_was_refused_once_ends_by_a_job),
	CHECK_TEST(space_whose_message_page_cannot_go_stays),
	CHECK_TEST(refusal_of_any_operation_is_told),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), before, after, argc, argv);
}
