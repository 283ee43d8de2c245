/*
 * Failure everywhere: every request and every kind of fault, with the n-th asking refused, for all
 * n.
 *
 * A *scenario* is one request or one access in a small world: two relatives with memory of every
 * kind, partly shared.  It runs once undisturbed, then in a world made anew for each n, until so
 * many askings are made no more, in four ways:
 *
 *	once      the n-th asking for frames is refused
 *	onward    ... and all later ones, as when memory is used up
 *	heap      the pager's own memory does not grow at the n-th time, nor later
 *	counters  the kernel's counters refuse at 0, 1, 2, 3
 *
 * Each time it ends as done, refused or killed, and:
 *
 *	done      memory holds what it does in the undisturbed run
 *	refused   memory, regions and all else are as before; no frame is in use that was free.
 *	          Then the same again undisturbed: done, with as many frames in use as there
 *	killed    only where that is documented; all others are as before
 *	always    kernel and pager agree with their rules; when all spaces are gone, all frames are free
 *
 * "Memory" is a picture: what an access to any page of any space or object would find, with rights,
 * checksums, breaks, limits and names.  Exceptions are flags of the scenario, below.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"

#include "../../servers/pager/fault.h"
#include "../../servers/pager/object.h"
#include <faultline/slots.h>

extern uint32_t frame_refs_limit; /* of the kernel */
extern uint8_t sim_ram[][4096];

#define FRAMES	  2400
#define RW	  (MAP_READ | MAP_WRITE)
#define MEBI	  0x100000ull
#define PAGE(n)	  ((uint64_t)(n) * 4096)
#define SYSTEM	  (BADGE_SYSTEM | 1)
#define FILE_SIZE (PAGE(6))

/* ---- the world ---- */

/* Of both spaces.  All but SLOT lie in one slot, ANON, FILE_AT and SHARED in one GiB, too. */
#define HEAP	  0x600000ull
#define ANON	  (0x40200000ull - PAGE(4)) /* 8 pages over a leaf table's border: 6 written, 1 read */
#define ANON_END  (ANON + PAGE(8))
#define READ_ONLY 0x41000000ull /* 2 pages, the first read */
#define FILE_AT	  0x50000000ull /* private, 6 pages: 0 written, 5 read, 3 a hole in the file */
#define FILE_SEEN 0x50800000ull /* the same file, shared and read-only */
#define SHARED	  0x60000000ull /* 4 pages, the first touched */
#define OTHER_GIB 0x80000000ull /* 2 pages, the first written */
#define SLOT	  0x8000000000ull /* the same in another slot */
#define LARGE	  0xc0000000ull /* 3 leaf tables, a page written in each */
#define LARGE_END (LARGE + 6 * MEBI)
#define EMPTY	  0x100000000000ull /* a page, no table near it */
#define STACK	  (LAYOUT_STACK_TOP - PAGE(2))
#define ROOM	  0x200000000000ull /* nothing is here */
#define SLOT_SPAN 0x8000000000ull
#define WIDE	  0x300000000000ull /* read-only, four slots, the first page of each read */
#define WIDE_END  (WIDE + 4 * SLOT_SPAN)

static uint64_t first, second, file, frames_at_start;

static const struct machine_answer *system_call(
	uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
	return machine_system(label, w0, w1, w2, w3, 0, 0);
}

static const struct machine_answer *own_call(
	uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4)
{
	return machine_program(first, label, w0, w1, w2, w3, w4);
}

static uint64_t frames_free(void)
{
	struct pager_stat stat;

	memcpy(&stat, system_call(PAGER_STAT, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat.frames_free;
}

static void must(const struct machine_answer *answer)
{
	CHECK_EQUAL(answer->status, ST_OK);
}

static void map(uint64_t address, uint64_t bytes, uint64_t flags, uint64_t object)
{
	must(own_call(PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, object, 0));
}

static void write_in(uint64_t space, uint64_t address)
{
	uint64_t word = space ^ address ^ 0x5555;

	CHECK_EQUAL(machine_access(space, address, FAULT_WRITE, &word), REASON_NONE);
}

static void read_in(uint64_t space, uint64_t address)
{
	uint64_t word;

	CHECK_EQUAL(machine_access(space, address, 0, &word), REASON_NONE);
}

static const struct machine_answer *write_object(uint64_t object, uint64_t offset, uint32_t bytes)
{
	static uint64_t content[512];
	const struct machine_request request = {
		.badge = SYSTEM,
		.label = PAGER_OBJECT_WRITE,
		.w = { object, offset },
		.payload = content,
		.bytes = bytes,
	};

	for (uint32_t i = 0; i < 512; i++)
		content[i] = offset + i;
	return machine_call(&request);
}

static void make_file(void)
{
	const struct machine_answer *answer =
		system_call(PAGER_OBJECT_CREATE, FILE_SIZE, 0x656c6966, 0, 0);

	must(answer);
	file = answer->w[0];
	for (uint64_t page = 0; page < 6; page++)
		if (page != 3)
			must(write_object(file, PAGE(page), 4096));
}

static void fill_first(void)
{
	uint64_t word = 1;

	for (uint64_t page = 0; page < 6; page++)
		write_in(first, ANON + PAGE(page));
	read_in(first, ANON + PAGE(6));
	read_in(first, READ_ONLY);
	write_in(first, FILE_AT);
	read_in(first, FILE_AT + PAGE(5));
	read_in(first, FILE_SEEN);
	write_in(first, SHARED);
	write_in(first, OTHER_GIB);
	write_in(first, SLOT);
	for (uint64_t slot = WIDE; slot < WIDE_END; slot += SLOT_SPAN)
		read_in(first, slot);
	for (uint64_t table = 0; table < 3; table++)
		write_in(first, LARGE + table * 2 * MEBI + PAGE(table));
	write_in(first, HEAP);
	write_in(first, HEAP + PAGE(1));
	write_in(first, STACK + PAGE(1));
	CHECK_EQUAL(machine_access(first, LAYOUT_MESSAGE, FAULT_WRITE, &word), REASON_NONE);
}

static uint64_t fork_first(uint64_t badge)
{
	const struct machine_answer *answer = system_call(PAGER_SPACE_FORK, first, badge, 0, 0);

	must(answer);
	return answer->w[0];
}

/* `first` and its child, before either has written. */
static void make_world(void)
{
	const struct machine_answer *answer;

	machine_start(FRAMES);
	frames_at_start = frames_free();
	make_file();
	answer = system_call(PAGER_SPACE_CREATE, 77, CLASS_PROGRAM, 0, 0);
	must(answer);
	first = answer->w[0];
	must(system_call(PAGER_SPACE_HEAP, first, HEAP, 0, 0));
	must(own_call(PAGER_BRK, HEAP + PAGE(3), 0, 0, 0, 0));
	map(ANON, PAGE(8), RW, 0);
	map(READ_ONLY, PAGE(2), MAP_READ, 0);
	map(FILE_AT, FILE_SIZE, RW, file);
	map(FILE_SEEN, FILE_SIZE, MAP_READ | MAP_SHARED, file);
	map(SHARED, PAGE(4), RW | MAP_SHARED, 0);
	map(OTHER_GIB, PAGE(2), RW, 0);
	map(SLOT, PAGE(2), RW, 0);
	map(LARGE, LARGE_END - LARGE, RW, 0);
	map(EMPTY, PAGE(1), RW, 0);
	map(WIDE, WIDE_END - WIDE, MAP_READ, 0);
	map(STACK, PAGE(2), RW | MAP_STACK, 0);
	fill_first();
	second = fork_first(78);
	machine_settle();
}

/* ---- the picture ---- */

struct item {
	uint64_t space, place, value;
};
struct picture {
	uint32_t count;
	struct item items[40000];
};

static void picture_add(struct picture *picture, uint64_t space, uint64_t place, uint64_t value)
{
	CHECK(picture->count < sizeof(picture->items) / sizeof(picture->items[0]));
	picture->items[picture->count++] = (struct item){ space, place, value };
}

#define PAST_END 0x0e0du

static uint64_t checksum(pfn_t frame)
{
	const uint64_t *words = (const uint64_t *)(const void *)sim_ram[frame];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 512; i++)
		sum = (sum ^ words[i]) * 0x100000001b3ull;
	return sum;
}

static uint64_t object_value(struct object *object, uint64_t page)
{
	pfn_t frame;

	if (PAGE(page) >= object->bytes)
		return PAST_END;
	(void)object_read(object, page, 1, &frame);
	return checksum(frame != 0 ? frame : mmu_zero_frame);
}

/* What an access would find. */
static uint64_t page_value(struct space *space, const struct region *region, uint64_t address)
{
	uint64_t entry = machine_entry(space->id, address);
	struct object *object;

	if (entry & PTE_P)
		return checksum(pte_pfn(entry));
	if (region->object == 0)
		return checksum(mmu_zero_frame);
	object = object_find(region->object);
	return object ? object_value(object,
				(region->offset + (address - region->start)) / 4096)
		      : PAST_END;
}

static void picture_region(
	struct picture *picture, uint64_t badge, struct space *space, const struct region *region)
{
	/* Of large ones the pages that are there, and where they end; of wide ones one in each
	   slot. */
	bool is_large = region->end - region->start > PAGE(64);
	uint64_t step = region->end - region->start > LARGE_END - LARGE ? SLOT_SPAN : PAGE(1);

	picture_add(picture, badge, region->start, region->protection | region->kind << 16);
	picture_add(picture, badge, region->end, region->object != 0);
	for (uint64_t at = region->start; at < region->end; at += step)
		if (!is_large || machine_entry(space->id, at) & PTE_P)
			picture_add(picture, badge, at,
				page_value(space, region, at) ^ region->protection);
}

static void picture_space(struct picture *picture, struct space *space)
{
	const struct region *region = region_map_next(space->regions, 0);
	uint64_t badge = space->badge, name[2];

	memcpy(name, space->name, sizeof(name));
	picture_add(picture, badge, 1, space->brk_now);
	picture_add(picture, badge, 2, space->brk_start);
	picture_add(picture, badge, 3, space->limit);
	picture_add(picture, badge, 4, space->committed);
	picture_add(picture, badge, 5, name[0] ^ name[1]);
	picture_add(picture, badge, 6, space->port != 0);
	picture_add(picture, badge, 7, space->message != 0 ? checksum(space->message) : 0);
	picture_add(picture, badge, 8, space->state);
	for (; region; region = region_map_next(space->regions, region->end)) {
		struct region copy = *region;

		picture_region(picture, badge, space, &copy);
	}
}

static void picture_take(struct picture *picture)
{
	struct object *object = object_find(file);

	picture->count = 0;
	for (struct space *space = space_first; space; space = space->next)
		picture_space(picture, space);
	for (uint64_t page = 0; object && page < 6; page++)
		picture_add(picture, 0, page, object_value(object, page));
	picture_add(picture, 0, 100, object_count);
	picture_add(picture, 0, 101, space_count);
}

static const struct item *picture_find(
	const struct picture *picture, uint64_t space, uint64_t place, uint64_t value)
{
	for (uint32_t i = 0; i < picture->count; i++) {
		const struct item *item = &picture->items[i];

		if (item->space == space && item->place == place && item->value == value)
			return item;
	}
	return 0;
}

static bool pictures_equal(const struct picture *a, const struct picture *b)
{
	return a->count == b->count && memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0;
}

/* Memory that may be written, and was not. */
static bool is_fresh(const struct item *item)
{
	uint64_t rights = item->value ^ checksum(mmu_zero_frame);

	return rights == RW || rights == (RW | MAP_STACK);
}

/* Every item of a picture is one of the others' or a fresh page, space `left_out` aside. */
static const struct item *picture_stranger(const struct picture *picture, const struct picture *a,
	const struct picture *b, uint64_t left_out)
{
	for (uint32_t i = 0; i < picture->count; i++) {
		const struct item *item = &picture->items[i];

		if (item->space != left_out && !is_fresh(item) &&
			!picture_find(a, item->space, item->place, item->value) &&
			!picture_find(b, item->space, item->place, item->value))
			return item;
	}
	return 0;
}

/* ---- outcomes ---- */

enum outcome { DONE, REFUSED, KILLED };

static enum outcome outcome_of_status(status_t status)
{
	switch (status) {
	case ST_OK:
		return DONE;
	case ST_NO_MEMORY:
	case ST_LIMIT:
		return REFUSED;
	default:
		/* Who is killed in the midst of his request is not found any more. */
		CHECK_EQUAL(status, ST_NOT_FOUND);
		CHECK(space_find(first)->state == SPACE_VICTIM);
		return KILLED;
	}
}

static enum outcome access_by(uint64_t space, uint64_t address, uint32_t access)
{
	uint64_t word = 0xacce55;
	uint32_t reason = machine_access(space, address, access, &word);

	if (reason == REASON_NONE)
		return DONE;
	if (reason == MACHINE_KILLED)
		return KILLED;
	CHECK_EQUAL(reason, REASON_NO_MEMORY);
	return REFUSED;
}

static enum outcome own(
	uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4)
{
	return outcome_of_status(own_call(label, w0, w1, w2, w3, w4)->status);
}

static enum outcome by_system(uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
	return outcome_of_status(system_call(label, w0, w1, w2, w3)->status);
}

/* With a payload of so many bytes, or a handle. */
static enum outcome with_payload(uint32_t label, uint64_t w0, uint64_t w1, uint32_t bytes)
{
	static uint64_t content[512];
	const struct machine_request request = {
		.badge = SYSTEM,
		.label = label,
		.w = { w0, w1 },
		.payload = content,
		.bytes = bytes,
	};

	memset(content, 0x77, sizeof(content));
	return outcome_of_status(machine_call(&request)->status);
}

static enum outcome with_handle(uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2)
{
	const struct machine_request request = {
		.badge = SYSTEM,
		.label = label,
		.w = { w0, w1, w2 },
		.with_handle = true,
	};

	return outcome_of_status(machine_call(&request)->status);
}

/* ---- scenarios ---- */

/* What is not as the head of this file says.  */
#define OWNS	 1u /* refused: tables may have become the space's own, which costs frames it keeps */
#define PART	 2u /* refused: a part may be done, or a stack have more room */
#define EFFORT	 4u /* done: other pages may be present */
#define MAY_KILL 8u /* killed: pages had to go, and a whole slot's table could not be split */

#define FEW 32u /* frames that make the difference there, at most */

struct scenario {
	const char *name;
	uint32_t label; /* 0: an access */
	enum outcome (*act)(void);
	void (*prepare)(void); /* the world, or NULL */
	uint32_t flags;
};

/* Worlds: more than the first has been done. */

static void relative_is_gone(void)
{
	must(system_call(PAGER_SPACE_DESTROY, second, 0, 0, 0));
	machine_settle();
}

static void slot_is_own(void)
{
	write_in(first, OTHER_GIB);
}

static void gib_is_own(void)
{
	write_in(first, SHARED);
}

static void table_is_own(void)
{
	write_in(first, ANON + PAGE(2));
}

static void relative_has_written(void)
{
	for (uint64_t page = 0; page < 6; page++)
		write_in(second, ANON + PAGE(page));
}

static void all_is_own(void)
{
	relative_is_gone();
	fill_first();
}

static void rights_were_taken(void)
{
	must(own_call(PAGER_MPROTECT, ANON, PAGE(8), MAP_READ, 0, 0));
	must(own_call(PAGER_MPROTECT, ANON, PAGE(8), RW, 0, 0));
}

static void has_a_new_file(void)
{
	relative_is_gone();
	must(system_call(PAGER_OBJECT_CREATE, 1ull << 32, 0, 0, 0));
}

static void has_a_port(void)
{
	must(system_call(PAGER_SPACE_PORT, first, 0, 0, 0));
}

static void heap_is_not_set(void)
{
	must(own_call(PAGER_BRK, HEAP, 0, 0, 0, 0));
}

/* Accesses. */
#define ACCESS(name, space, address, access) \
	static enum outcome act_##name(void) \
	{ \
		return access_by(space, address, access); \
	}
ACCESS(read_new_page, first, ANON + PAGE(7), 0)
ACCESS(write_new_page, first, ANON + PAGE(7), FAULT_WRITE)
ACCESS(write_zero_page, first, ANON + PAGE(6), FAULT_WRITE)
ACCESS(read_in_an_empty_slot, first, EMPTY, 0)
ACCESS(write_in_an_empty_slot, first, EMPTY, FAULT_WRITE)
ACCESS(write_shared_page, first, ANON + PAGE(1), FAULT_WRITE)
ACCESS(child_writes_shared_page, second, ANON + PAGE(1), FAULT_WRITE)
ACCESS(read_file, first, FILE_AT + PAGE(1), 0)
ACCESS(write_file, first, FILE_AT + PAGE(2), FAULT_WRITE)
ACCESS(write_mapped_file, first, FILE_AT + PAGE(5), FAULT_WRITE)
ACCESS(read_hole, first, FILE_AT + PAGE(3), 0)
ACCESS(write_hole, first, FILE_AT + PAGE(3), FAULT_WRITE)
ACCESS(look_at_file, first, FILE_SEEN + PAGE(2), 0)
ACCESS(look_at_hole, first, FILE_SEEN + PAGE(3), 0)
ACCESS(touch_shared_memory, first, SHARED + PAGE(1), FAULT_WRITE)
ACCESS(touch_shared_memory_again, second, SHARED, FAULT_WRITE)
ACCESS(read_read_only, first, READ_ONLY + PAGE(1), 0)
ACCESS(grow_stack, first, STACK - PAGE(3), FAULT_WRITE)
ACCESS(write_stack, second, STACK + PAGE(1), FAULT_WRITE)
ACCESS(touch_message_page, second, LAYOUT_MESSAGE, FAULT_WRITE)

/* Requests of programs. */
#define OWN(name, ...) \
	static enum outcome act_##name(void) \
	{ \
		return own(__VA_ARGS__); \
	}
OWN(map_memory, PAGER_MMAP, 0, PAGE(5), RW, 0, 0)
OWN(map_over_memory, PAGER_MMAP, ANON + PAGE(1), PAGE(4), RW | MAP_FIXED_AT, 0, 0)
OWN(map_shared, PAGER_MMAP, 0, PAGE(5), RW | MAP_SHARED, 0, 0)
OWN(map_file, PAGER_MMAP, 0, PAGE(2), RW, file, PAGE(1))
OWN(map_stack, PAGER_MMAP, ROOM, PAGE(2), RW | MAP_STACK, 0, 0)
OWN(map_and_fill, PAGER_MMAP, ROOM + 2 * MEBI - PAGE(3), PAGE(40),
	RW | MAP_POPULATE | MAP_NO_REPLACE, 0, 0)
OWN(map_over_and_fill, PAGER_MMAP, ANON, PAGE(40), RW | MAP_POPULATE | MAP_FIXED_AT, 0, 0)
OWN(unmap_all, PAGER_MUNMAP, ANON, PAGE(8), 0, 0, 0)
OWN(unmap_middle, PAGER_MUNMAP, ANON + PAGE(2), PAGE(3), 0, 0, 0)
OWN(unmap_large, PAGER_MUNMAP, LARGE + PAGE(1), LARGE_END - LARGE - PAGE(2), 0, 0, 0)
OWN(unmap_slots, PAGER_MUNMAP, WIDE + PAGE(1), WIDE_END - WIDE - PAGE(2), 0, 0, 0)
OWN(unmap_nothing, PAGER_MUNMAP, ROOM, PAGE(1), 0, 0, 0)
OWN(protect_all, PAGER_MPROTECT, ANON, PAGE(8), MAP_READ, 0, 0)
OWN(protect_middle, PAGER_MPROTECT, ANON + PAGE(2), PAGE(3), 0, 0, 0)
OWN(protect_large, PAGER_MPROTECT, LARGE, LARGE_END - LARGE, MAP_READ, 0, 0)
OWN(give_rights, PAGER_MPROTECT, READ_ONLY, PAGE(2), RW, 0, 0)
OWN(ask_break, PAGER_BRK, 0, 0, 0, 0, 0)
OWN(raise_break, PAGER_BRK, HEAP + PAGE(9), 0, 0, 0, 0)
OWN(lower_break, PAGER_BRK, HEAP + PAGE(1), 0, 0, 0, 0)
OWN(grow_mapping, PAGER_MREMAP, ANON, PAGE(8), PAGE(20), 0, 0)
OWN(shrink_mapping, PAGER_MREMAP, ANON, PAGE(8), PAGE(3), 0, 0)
OWN(move_mapping, PAGER_MREMAP, ANON, PAGE(8), PAGE(9), REMAP_MAY_MOVE | REMAP_FIXED,
	ROOM + PAGE(7))
OWN(move_part, PAGER_MREMAP, ANON + PAGE(2), PAGE(4), PAGE(2), REMAP_MAY_MOVE | REMAP_FIXED, SLOT)
OWN(move_over_memory, PAGER_MREMAP, ANON, PAGE(8), PAGE(8), REMAP_MAY_MOVE | REMAP_FIXED,
	LARGE + 2 * MEBI - PAGE(5))
OWN(move_whole_tables, PAGER_MREMAP, LARGE, LARGE_END - LARGE, LARGE_END - LARGE,
	REMAP_MAY_MOVE | REMAP_FIXED, ROOM)
OWN(move_large, PAGER_MREMAP, LARGE, LARGE_END - LARGE, LARGE_END - LARGE,
	REMAP_MAY_MOVE | REMAP_FIXED, ROOM + PAGE(1))
OWN(move_shared_memory, PAGER_MREMAP, SHARED, PAGE(4), PAGE(5), REMAP_MAY_MOVE | REMAP_FIXED, ROOM)
OWN(move_file, PAGER_MREMAP, FILE_AT + PAGE(1), PAGE(5), PAGE(5), REMAP_MAY_MOVE | REMAP_FIXED,
	ROOM)
OWN(move_heap, PAGER_MREMAP, HEAP, PAGE(3), PAGE(4), REMAP_MAY_MOVE, 0)
OWN(discard, PAGER_MADVISE, ANON + PAGE(1), PAGE(6), ADVICE_DISCARD, 0, 0)
OWN(discard_large, PAGER_MADVISE, LARGE + PAGE(1), LARGE_END - LARGE - PAGE(1), ADVICE_DISCARD,
	0, 0)
OWN(fill_memory, PAGER_MADVISE, ANON, PAGE(8), ADVICE_POPULATE, 0, 0)
OWN(fill_file, PAGER_MADVISE, FILE_AT, PAGE(6), ADVICE_POPULATE, 0, 0)
OWN(space_stat, PAGER_SPACE_STAT, 0, 0, 0, 0, 0)
OWN(maps, PAGER_MAPS, 0, 0, 0, 0, 0)
OWN(pages, PAGER_PAGES, 0, 0, 0, 0, 0)
OWN(stat, PAGER_STAT, 0, 0, 0, 0, 0)

/* Requests of servers. */
#define BY_SYSTEM(name, ...) \
	static enum outcome act_##name(void) \
	{ \
		return by_system(__VA_ARGS__); \
	}
BY_SYSTEM(create_program, PAGER_SPACE_CREATE, 90, CLASS_PROGRAM, 0, 0)
BY_SYSTEM(create_server, PAGER_SPACE_CREATE, 90, CLASS_SERVER, SPACE_TIMER, 0)
BY_SYSTEM(fork, PAGER_SPACE_FORK, first, 90, 0, 0)
BY_SYSTEM(destroy, PAGER_SPACE_DESTROY, first, 0, 0, 0)
BY_SYSTEM(map_for, PAGER_SPACE_MAP, first, ROOM, PAGE(2), RW | MAP_NO_REPLACE)
BY_SYSTEM(read_there, PAGER_SPACE_READ, first, ANON + PAGE(6) + 100, 4096, 0)
BY_SYSTEM(read_empty, PAGER_SPACE_READ, first, EMPTY, 8, 0)
BY_SYSTEM(start, PAGER_SPACE_START, first, 0x400000, STACK, 0)
BY_SYSTEM(set_heap, PAGER_SPACE_HEAP, first, HEAP + PAGE(100), 0, 0)
BY_SYSTEM(describe, PAGER_SPACE_DESCRIBE, first, ANON, 0, 0)
BY_SYSTEM(make_port, PAGER_SPACE_PORT, first, 0, 0, 0)
BY_SYSTEM(limit, PAGER_SPACE_LIMIT, first, 5000, 0, 0)
BY_SYSTEM(name, PAGER_SPACE_NAME, first, 0x6e6f, 0x65, 0)
BY_SYSTEM(interrupt, PAGER_SPACE_INTERRUPT, first, 0, 0, 0)
BY_SYSTEM(create_object, PAGER_OBJECT_CREATE, PAGE(3), 0, 0, 0)
BY_SYSTEM(read_object, PAGER_OBJECT_READ, file, PAGE(2) + 8, 4096, 0)
BY_SYSTEM(destroy_object, PAGER_OBJECT_DESTROY, file, 0, 0, 0)
BY_SYSTEM(settle, PAGER_SETTLE, 0, 0, 0, 0)
BY_SYSTEM(check, PAGER_CHECK, 0, 0, 0, 0)
BY_SYSTEM(reserve, PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0)

static enum outcome act_victim(void)
{
	CHECK_EQUAL(system_call(PAGER_VICTIM, 0, 0, 0, 0)->status, ST_NOT_FOUND);
	return DONE;
}

static enum outcome act_write_there(void)
{
	return with_payload(PAGER_SPACE_WRITE, first, ANON + PAGE(1) + 8, 64);
}

static enum outcome act_write_two_pages(void)
{
	return with_payload(PAGER_SPACE_WRITE, first, ANON + PAGE(3) + 2048, 4096);
}

static enum outcome act_write_object(void)
{
	return with_payload(PAGER_OBJECT_WRITE, file, PAGE(3), 4096);
}

static enum outcome act_write_two_of_object(void)
{
	return with_payload(PAGER_OBJECT_WRITE, file, PAGE(2) + 2048, 4096);
}

/* The last object made: its tree grows from nothing to its full height. */
static enum outcome act_write_high_in_object(void)
{
	uint64_t id = 0;

	for (uint64_t candidate = 1 << OBJECT_INDEX_BITS; id == 0; candidate++)
		if (candidate != file && object_find(candidate) &&
			object_find(candidate)->bytes > FILE_SIZE)
			id = candidate;
	return with_payload(PAGER_OBJECT_WRITE, id, (1ull << 32) - 4096, 4096);
}

static enum outcome act_give_handle(void)
{
	return with_handle(PAGER_SPACE_HANDLE, first, 9, 5);
}

static enum outcome act_template(void)
{
	return with_handle(PAGER_TEMPLATE, SLOT_TIME, RIGHT_SEND, 0);
}

#define FAULT(name, prepare, flags) { #name, 0, act_##name, prepare, flags }
#define FAULT_IN(name, prepare, flags) { #name "_" #prepare, 0, act_##name, prepare, flags }
#define ASK(name, label, prepare, flags) { #name, label, act_##name, prepare, flags }
#define ASK_IN(name, label, prepare, flags) { #name "_" #prepare, label, act_##name, prepare, flags }

static const struct scenario scenarios[] = {
	FAULT(read_new_page, 0, 0),
	FAULT_IN(read_new_page, all_is_own, 0),
	FAULT(write_new_page, 0, 0),
	FAULT_IN(write_new_page, all_is_own, 0),
	FAULT(write_zero_page, 0, 0),
	FAULT_IN(write_zero_page, table_is_own, 0),
	FAULT(read_in_an_empty_slot, 0, 0),
	FAULT(write_in_an_empty_slot, 0, 0),
	FAULT(write_shared_page, 0, 0),
	FAULT_IN(write_shared_page, slot_is_own, 0),
	FAULT_IN(write_shared_page, gib_is_own, 0),
	FAULT_IN(write_shared_page, table_is_own, 0),
	FAULT_IN(write_shared_page, relative_has_written, 0),
	FAULT_IN(write_shared_page, relative_is_gone, 0),
	FAULT_IN(write_shared_page, rights_were_taken, 0),
	FAULT(child_writes_shared_page, 0, 0),
	FAULT(read_file, 0, 0),
	FAULT_IN(read_file, all_is_own, 0),
	FAULT(write_file, 0, 0),
	FAULT(write_mapped_file, 0, 0),
	FAULT_IN(write_mapped_file, all_is_own, 0),
	FAULT(read_hole, 0, 0),
	FAULT(write_hole, 0, 0),
	FAULT(look_at_file, 0, 0),
	FAULT(look_at_hole, 0, 0),
	FAULT(touch_shared_memory, 0, 0),
	FAULT_IN(touch_shared_memory, all_is_own, 0),
	FAULT(touch_shared_memory_again, 0, 0),
	FAULT(read_read_only, 0, 0),
	FAULT(grow_stack, 0, PART),
	FAULT_IN(grow_stack, all_is_own, PART),
	FAULT(write_stack, 0, 0),
	FAULT(touch_message_page, 0, 0),

	ASK(map_memory, PAGER_MMAP, 0, 0),
	ASK(map_over_memory, PAGER_MMAP, 0, OWNS),
	ASK_IN(map_over_memory, PAGER_MMAP, all_is_own, OWNS),
	ASK(map_shared, PAGER_MMAP, 0, 0),
	ASK(map_file, PAGER_MMAP, 0, 0),
	ASK(map_stack, PAGER_MMAP, 0, 0),
	ASK(map_and_fill, PAGER_MMAP, 0, EFFORT),
	ASK(map_over_and_fill, PAGER_MMAP, 0, OWNS | EFFORT),
	ASK(unmap_all, PAGER_MUNMAP, 0, OWNS),
	ASK(unmap_middle, PAGER_MUNMAP, 0, OWNS),
	ASK_IN(unmap_middle, PAGER_MUNMAP, all_is_own, OWNS),
	ASK(unmap_large, PAGER_MUNMAP, 0, OWNS),
	ASK(unmap_slots, PAGER_MUNMAP, 0, OWNS | MAY_KILL),
	ASK(unmap_nothing, PAGER_MUNMAP, 0, 0),
	ASK(protect_all, PAGER_MPROTECT, 0, OWNS),
	ASK(protect_middle, PAGER_MPROTECT, 0, OWNS),
	ASK(protect_large, PAGER_MPROTECT, 0, OWNS),
	ASK(give_rights, PAGER_MPROTECT, 0, OWNS),
	ASK(ask_break, PAGER_BRK, 0, 0),
	ASK(raise_break, PAGER_BRK, 0, 0),
	ASK(lower_break, PAGER_BRK, 0, OWNS),
	ASK(grow_mapping, PAGER_MREMAP, 0, 0),
	ASK(shrink_mapping, PAGER_MREMAP, 0, OWNS),
	ASK(move_mapping, PAGER_MREMAP, 0, OWNS),
	ASK_IN(move_mapping, PAGER_MREMAP, all_is_own, OWNS),
	ASK(move_part, PAGER_MREMAP, 0, OWNS),
	ASK(move_over_memory, PAGER_MREMAP, 0, OWNS),
	ASK(move_whole_tables, PAGER_MREMAP, 0, OWNS),
	ASK(move_large, PAGER_MREMAP, 0, OWNS),
	ASK(move_shared_memory, PAGER_MREMAP, 0, OWNS),
	ASK(move_file, PAGER_MREMAP, 0, OWNS),
	ASK(move_heap, PAGER_MREMAP, 0, OWNS),
	ASK(discard, PAGER_MADVISE, 0, OWNS),
	ASK(discard_large, PAGER_MADVISE, 0, OWNS),
	ASK(fill_memory, PAGER_MADVISE, 0, EFFORT),
	ASK(fill_file, PAGER_MADVISE, 0, EFFORT),
	ASK(space_stat, PAGER_SPACE_STAT, 0, 0),
	ASK(maps, PAGER_MAPS, 0, 0),
	ASK(pages, PAGER_PAGES, 0, 0),
	ASK(stat, PAGER_STAT, 0, 0),

	ASK(create_program, PAGER_SPACE_CREATE, 0, 0),
	ASK(create_server, PAGER_SPACE_CREATE, 0, 0),
	ASK(fork, PAGER_SPACE_FORK, 0, 0),
	ASK_IN(fork, PAGER_SPACE_FORK, all_is_own, 0),
	ASK(destroy, PAGER_SPACE_DESTROY, 0, 0),
	ASK_IN(destroy, PAGER_SPACE_DESTROY, has_a_port, 0),
	ASK(map_for, PAGER_SPACE_MAP, 0, 0),
	ASK(write_there, PAGER_SPACE_WRITE, 0, 0),
	ASK(write_two_pages, PAGER_SPACE_WRITE, 0, PART),
	ASK(read_there, PAGER_SPACE_READ, 0, 0),
	ASK(read_empty, PAGER_SPACE_READ, 0, 0),
	ASK(start, PAGER_SPACE_START, 0, 0),
	ASK_IN(set_heap, PAGER_SPACE_HEAP, heap_is_not_set, 0),
	ASK(describe, PAGER_SPACE_DESCRIBE, 0, 0),
	ASK(make_port, PAGER_SPACE_PORT, 0, 0),
	ASK(give_handle, PAGER_SPACE_HANDLE, 0, 0),
	ASK(limit, PAGER_SPACE_LIMIT, 0, 0),
	ASK(name, PAGER_SPACE_NAME, 0, 0),
	ASK(interrupt, PAGER_SPACE_INTERRUPT, 0, 0),
	ASK(template, PAGER_TEMPLATE, 0, 0),
	ASK(create_object, PAGER_OBJECT_CREATE, 0, 0),
	ASK(write_object, PAGER_OBJECT_WRITE, 0, 0),
	ASK(write_two_of_object, PAGER_OBJECT_WRITE, 0, PART),
	ASK_IN(write_high_in_object, PAGER_OBJECT_WRITE, has_a_new_file, 0),
	ASK(read_object, PAGER_OBJECT_READ, 0, 0),
	ASK(destroy_object, PAGER_OBJECT_DESTROY, 0, 0),
	ASK(settle, PAGER_SETTLE, 0, 0),
	ASK(check, PAGER_CHECK, 0, 0),
	ASK(victim, PAGER_VICTIM, 0, 0),
	ASK(reserve, PAGER_TRAP_TEST, 0, 0),
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* ---- making things fail ---- */

enum way { ONCE, ONWARD, HEAP_GROWTH, COUNTERS, WAYS };
static const char *const way_names[WAYS] = { "once", "onward", "heap", "counters" };

/* The pager has no node, space or object left that it could take without growing. */
static void use_up_heap(void)
{
	uint64_t id, address = ROOM + 64 * MEBI;

	machine_fail_heap(1);
	while (system_call(PAGER_OBJECT_CREATE, PAGE(1), 0, 0, 0)->status == ST_OK)
		continue;
	do
		id = system_call(PAGER_SPACE_CREATE, 500, CLASS_PROGRAM, 0, 0)->status;
	while (id == ST_OK);
	while (own_call(PAGER_MMAP, address, PAGE(1), MAP_READ | MAP_NO_REPLACE, 0, 0)->status ==
		ST_OK)
		address += PAGE(2);
	machine_fail_heap(0);
	machine_settle();
}

static void fail_from(enum way way, uint32_t n)
{
	switch (way) {
	case ONCE:
		system_call(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, n, 0, 0);
		break;
	case ONWARD:
		system_call(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_ONWARD, n, 0, 0);
		break;
	case HEAP_GROWTH:
		machine_fail_heap(n);
		break;
	default:
		frame_refs_limit = n - 1;
		break;
	}
}

/* Was anything refused? */
static bool fail_no_more(enum way way)
{
	if (way == HEAP_GROWTH)
		return machine_fail_heap(0) != 0;
	if (way == COUNTERS) {
		bool was_low = frame_refs_limit < 4;

		frame_refs_limit = UINT32_MAX;
		return was_low;
	}
	return system_call(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 0, 0, 0)->w[0] != 0;
}

/* ---- one trial ---- */

static struct picture before_act, undisturbed, now;
static uint64_t frames_before, frames_undisturbed, empty_before;
static uint64_t trials, refusals, kills;

/* Tables that nothing hangs below: what is made for a page that does not come must go again. */
static uint64_t empty_tables(void)
{
	uint64_t count = 0;

	for (pfn_t pfn = 0; pfn < frame_pool.frame_count; pfn++)
		count += frame_kind(pfn) == KIND_TABLE && mmu_frame(pfn)->live == 0;
	return count;
}

static void prepare(const struct scenario *scenario, enum way way)
{
	make_world();
	if (scenario->prepare)
		scenario->prepare();
	if (way == HEAP_GROWTH)
		use_up_heap();
	machine_settle();
	picture_take(&before_act);
	frames_before = frames_free();
	empty_before = empty_tables();
}

static void finish(void)
{
	struct space *space = space_first;

	while (space) {
		uint64_t id = space->id;

		space = space->next;
		(void)system_call(PAGER_SPACE_DESTROY, id, 0, 0, 0);
	}
	for (uint64_t index = 0; index < 4096; index++)
		for (uint64_t generation = 1; generation < 4; generation++)
			(void)system_call(PAGER_OBJECT_DESTROY,
				generation << OBJECT_INDEX_BITS | index, 0, 0, 0);
	machine_settle();
	machine_check();
	CHECK_EQUAL(space_count, 0);
	CHECK_EQUAL(object_count, 0);
	CHECK_EQUAL(frames_free(), frames_at_start);
}

static void check_done(const struct scenario *scenario)
{
	picture_take(&now);
	if (!pictures_equal(&now, &undisturbed)) {
		const struct item *item = picture_stranger(&now, &undisturbed, &undisturbed, 0);

		if (item)
			printf("space %llu place 0x%llx value 0x%llx\n",
				(unsigned long long)item->space, (unsigned long long)item->place,
				(unsigned long long)item->value);
	}
	CHECK(pictures_equal(&now, &undisturbed));
	if (scenario->flags & EFFORT)
		CHECK(frames_free() + FEW >= frames_undisturbed);
	else
		CHECK_EQUAL(frames_free(), frames_undisturbed);
}

static void check_refused(const struct scenario *scenario, enum way way)
{
	picture_take(&now);
	if (scenario->flags & PART)
		CHECK(!picture_stranger(&now, &before_act, &undisturbed, 0));
	else
		CHECK(pictures_equal(&now, &before_act));
	if (scenario->flags & (OWNS | PART) || way == COUNTERS)
		CHECK(frames_free() + FEW >= frames_before);
	else
		CHECK_EQUAL(frames_free(), frames_before);
	if (way != COUNTERS)
		CHECK_EQUAL(empty_tables(), empty_before);
	CHECK_EQUAL(scenario->act(), DONE);
	machine_settle();
	machine_check();
	check_done(scenario);
}

static void check_killed(const struct scenario *scenario)
{
	CHECK(scenario->flags & MAY_KILL);
	kills++;
	picture_take(&now);
	CHECK(!picture_stranger(&now, &before_act, &before_act, 77));
}

/* True: something was refused, so there may be a later n. */
static bool run_trial(const struct scenario *scenario, enum way way, uint32_t n)
{
	enum outcome outcome;
	bool was_refused;

	trials++;
	prepare(scenario, way);
	fail_from(way, n);
	outcome = scenario->act();
	was_refused = fail_no_more(way);
	machine_settle();
	machine_check();
	if (outcome == DONE)
		check_done(scenario);
	else if (outcome == REFUSED)
		check_refused(scenario, way);
	else
		check_killed(scenario);
	CHECK(was_refused || outcome == DONE);
	refusals += outcome == REFUSED;
	finish();
	return was_refused;
}

static void run_undisturbed(const struct scenario *scenario, enum way way)
{
	prepare(scenario, way);
	CHECK_EQUAL(scenario->act(), DONE);
	machine_settle();
	picture_take(&undisturbed);
	frames_undisturbed = frames_free();
	finish();
}

/* All n; false: printed where and why. */
static bool run_scenario(const struct scenario *scenario, enum way way)
{
	static char name[100];
	static volatile uint32_t n;

	n = 0;
	check_name = name;
	snprintf(name, sizeof(name), "%s_%s", scenario->name, way_names[way]);
	if (setjmp(check_exit) != 0) {
		printf("     at n = %u\n", n);
		frame_refs_limit = UINT32_MAX;
		return false;
	}
	run_undisturbed(scenario, way);
	do
		n++;
	while (run_trial(scenario, way, n) && n < 1000);
	CHECK(n < 1000);
	printf("ok %s\n", name);
	return true;
}

/* A scenario for each request there is. */
static bool run_completeness(void)
{
	bool is_complete = true;

	for (uint32_t label = PAGER_MMAP; label <= PAGER_TRAP_TEST; label++) {
		bool is_found = label > PAGER_MADVISE && label < PAGER_SPACE_CREATE;

		for (uint32_t i = 0; i < SCENARIOS; i++)
			is_found |= scenarios[i].label == label;
		if (!is_found)
			printf("FAIL every_request_has_a_scenario: none for 0x%x\n", label);
		is_complete &= is_found;
	}
	if (is_complete)
		printf("ok every_request_has_a_scenario\n");
	return is_complete;
}

/* [NAME]: of a scenario. */
int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	if (argc == 1) {
		passed += run_completeness();
		failed = 1 - passed;
	}
	for (uint32_t i = 0; i < SCENARIOS; i++)
		for (uint32_t way = 0; way < WAYS; way++) {
			if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0)
				continue;
			if (run_scenario(&scenarios[i], (enum way)way))
				passed++;
			else
				failed++;
		}
	printf("%llu trials, %llu refused, %llu killed\n", (unsigned long long)trials,
		(unsigned long long)refusals, (unsigned long long)kills);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
