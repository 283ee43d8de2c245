/*
 * Fuzz target `pager`: requests, accesses and faults of several programs.
 *
 * Input: a header (RAM, what fails) and records of 16 bytes: an access by one of eight spaces, a
 * request by a program about itself, or by a system server about a space or an object; also wild
 * labels and words.  Addresses come from zones (around the borders of leaf tables and of top-level
 * slots, heap, stack, message window, nowhere), lengths are mostly a few pages.
 *
 * The rules of the frame table and of the pager (machine_check) hold after every CHECK_EVERY
 * records and at the end; the machine itself ends the program when a fault has no end, a request
 * no answer or a job no end.  One more space, the witness, is never the subject of a request, but
 * it is forked, and its children are: what it wrote at first must be there at the end.  When all
 * spaces and objects are gone, as many frames are free as at the start.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fuzz.h"
#include "pager_machine.h"
#include <faultline/call.h>
#include <faultline/fault.h>
#include <faultline/layout.h>
#include <string.h>

#define SPACES	      8u
#define OBJECTS	      4u
#define CHECK_EVERY   64u
#define WITNESS_PAGES 24u
#define WITNESS_AT    0x20000000ull

struct record {
	uint8_t code, who, flags, zone;
	uint16_t page, count, other, extra;
	uint32_t word;
};
_Static_assert(sizeof(struct record) == 16, "a record is 16 bytes");

#define HEADER 4u
FUZZ_RECORDS(HEADER, sizeof(struct record))

static uint64_t spaces[SPACES], objects[OBJECTS], witness, next_badge;

/* ---- choices ---- */

static uint64_t any_address(uint8_t zone, uint16_t page)
{
	static const uint64_t starts[] = { 0x10000000, 0x10000000, 0x10000000, 0x3fff8000,
		0x7fffffc000, 0x7fffff8000, LAYOUT_USER_TEXT, LAYOUT_MMAP_TOP - 64 * PAGE_SIZE,
		LAYOUT_STACK_TOP - 32 * PAGE_SIZE, LAYOUT_STACK_TOP - LAYOUT_STACK_LIMIT,
		0x30000000, 0x30000000, LAYOUT_USER_END - 32 * PAGE_SIZE, 0, LAYOUT_MESSAGE,
		LAYOUT_VMALLOC };
	uint64_t address = starts[zone & 15] + (page & 63) * PAGE_SIZE;

	if (zone >= 0xf0)
		return (uint64_t)page << (zone & 63);
	return (page & 0xf000) == 0xf000 ? address + (page >> 6 & 63) : address;
}

static uint64_t any_length(uint16_t count)
{
	if (count < 0xe000)
		return (1 + count % 20) * PAGE_SIZE;
	if (count < 0xf800)
		return (count & 0x7ff) * PAGE_SIZE + (count & 1);
	return (uint64_t)count << (count & 31);
}

static uint64_t any_space(uint8_t who)
{
	return who < 0xf8   ? spaces[who % SPACES]
	       : who < 0xfc ? spaces[who % SPACES] + (1ull << 32)
			    : who;
}

static uint64_t any_object(uint16_t extra)
{
	return extra < 0xf000 ? objects[extra % OBJECTS] : extra & 15;
}

static uint64_t any_mapping(const struct record *record)
{
	uint64_t flags = record->flags & (MAP_READ | MAP_WRITE | MAP_EXEC);
	uint32_t choice = record->flags >> 3;

	if (choice < 12)
		flags |= MAP_READ | MAP_WRITE;
	if (choice & 1)
		flags |= MAP_FIXED_AT;
	if ((choice & 6) == 6)
		flags |= MAP_SHARED;
	if ((choice & 24) == 24)
		flags |= choice & 2 ? MAP_POPULATE : MAP_NO_REPLACE;
	if (record->zone == 8 || record->zone == 9)
		flags |= MAP_STACK;
	return record->word >> 28 == 15 ? record->word : flags;
}

/* ---- steps ---- */

static const struct machine_answer *system_call(uint32_t label, uint64_t w0, uint64_t w1,
	uint64_t w2, uint64_t w3, uint64_t w4, uint64_t w5)
{
	fuzz_count(1);
	return machine_system(label, w0, w1, w2, w3, w4, w5);
}

static void do_access(const struct record *record)
{
	static const uint32_t accesses[] = { 0, FAULT_WRITE, FAULT_WRITE, FAULT_FETCH };
	uint64_t word = record->word, space = any_space(record->who);

	if (space == 0)
		return;
	fuzz_count(1);
	(void)machine_access(space, any_address(record->zone, record->page) & ~7ull,
		accesses[record->flags & 3], &word);
}

/* A program about its own space. */
static void do_program(const struct record *record)
{
	static const uint32_t labels[] = { PAGER_MMAP, PAGER_MMAP, PAGER_MMAP, PAGER_MUNMAP,
		PAGER_MPROTECT, PAGER_MREMAP, PAGER_MADVISE, PAGER_BRK, PAGER_SPACE_STAT,
		PAGER_MAPS, PAGER_STAT, PAGER_PAGES };
	uint32_t label = labels[record->extra % (sizeof(labels) / sizeof(labels[0]))];
	uint64_t address = any_address(record->zone, record->page),
		 length = any_length(record->count);
	uint64_t w2 = any_mapping(record), w3 = 0, w4 = 0, space = any_space(record->who);

	if (space == 0)
		return;
	if (label == PAGER_MMAP) {
		w3 = record->other & 3 ? 0 : any_object(record->other >> 2);
		w4 = w3 ? (uint64_t)(record->word & 31) * PAGE_SIZE : 0;
	} else if (label == PAGER_MREMAP) {
		w2 = any_length(record->other);
		w3 = record->flags & 3;
		w4 = any_address((uint8_t)record->word, (uint16_t)(record->word >> 8));
	} else if (label == PAGER_MADVISE || label == PAGER_MPROTECT) {
		w2 = record->flags & 7;
	} else if (label == PAGER_MAPS || label == PAGER_PAGES) {
		length = address;
		address = 0;
	}
	fuzz_count(1);
	(void)machine_program(space, label, address, length, w2, w3, w4);
}

static void do_fork(const struct record *record)
{
	uint64_t parent = record->flags < 64 ? witness : any_space(record->who);
	uint64_t *child = &spaces[record->other % SPACES];
	const struct machine_answer *answer;

	if (*child != 0)
		(void)system_call(PAGER_SPACE_DESTROY, *child, 0, 0, 0, 0, 0);
	answer = system_call(PAGER_SPACE_FORK, parent, ++next_badge, 0, 0, 0, 0);
	*child = answer->status == ST_OK ? answer->w[0] : 0;
}

static void do_create(const struct record *record)
{
	uint64_t *place = &spaces[record->who % SPACES];
	const struct machine_answer *answer;

	if (*place != 0)
		(void)system_call(PAGER_SPACE_DESTROY, *place, 0, 0, 0, 0, 0);
	answer = system_call(PAGER_SPACE_CREATE, ++next_badge, CLASS_PROGRAM, 0, 0, 0, 0);
	*place = answer->status == ST_OK ? answer->w[0] : 0;
}

static void do_destroy(const struct record *record)
{
	uint64_t space = any_space(record->who);

	(void)system_call(PAGER_SPACE_DESTROY, space, 0, 0, 0, 0, 0);
	for (uint32_t i = 0; i < SPACES; i++)
		if (spaces[i] == space)
			spaces[i] = 0;
}

static void do_object(const struct record *record)
{
	uint64_t *object = &objects[record->page % OBJECTS];
	const struct machine_answer *answer;

	if (*object != 0)
		(void)system_call(PAGER_OBJECT_DESTROY, *object, 0, 0, 0, 0, 0);
	*object = 0;
	if (record->flags & 1)
		return;
	answer = system_call(PAGER_OBJECT_CREATE, any_length(record->count) - (record->flags & 255),
		record->word, 0, 0, 0, 0);
	if (answer->status == ST_OK)
		*object = answer->w[0];
}

/* Requests with bytes, in or out. */
static void do_payload(const struct record *record)
{
	static const uint32_t labels[] = { PAGER_SPACE_WRITE, PAGER_SPACE_WRITE, PAGER_SPACE_READ,
		PAGER_OBJECT_WRITE, PAGER_OBJECT_READ };
	static uint8_t payload[4096];
	struct machine_request request = {
		.badge = BADGE_SYSTEM | 1, .label = labels[record->extra % 5], .payload = payload
	};
	bool object = request.label == PAGER_OBJECT_WRITE || request.label == PAGER_OBJECT_READ;
	bool write = request.label == PAGER_SPACE_WRITE || request.label == PAGER_OBJECT_WRITE;

	memset(payload, (int)record->word & 255, sizeof(payload));
	request.w[0] = object ? any_object(record->other) : any_space(record->who);
	request.w[1] =
		object ? (record->page & 0x3ffff) * 16ull
		       : any_address(record->zone, record->page) + (record->word >> 8 & 4095);
	if (write)
		request.bytes = record->count % 4097;
	else
		request.w[2] = record->count % 5000;
	fuzz_count(1);
	(void)machine_call(&request);
}

/* What system servers ask about spaces, and about nothing. */
static void do_system(const struct record *record)
{
	static const uint32_t labels[] = { PAGER_SPACE_MAP, PAGER_SPACE_MAP, PAGER_SPACE_HEAP,
		PAGER_SPACE_DESCRIBE, PAGER_SPACE_LIMIT, PAGER_SPACE_NAME, PAGER_SPACE_START,
		PAGER_SPACE_INTERRUPT, PAGER_VICTIM, PAGER_SETTLE, PAGER_CHECK, PAGER_SPACE_STAT,
		PAGER_MAPS, PAGER_PAGES };
	uint32_t label = labels[record->extra % (sizeof(labels) / sizeof(labels[0]))];
	uint64_t space = any_space(record->who), w1 = any_address(record->zone, record->page);

	if (label == PAGER_SPACE_MAP)
		(void)system_call(label, space, w1, any_length(record->count), any_mapping(record),
			record->other & 1 ? any_object(record->other >> 1) : 0,
			(record->word & 31) * PAGE_SIZE);
	else if (label == PAGER_SPACE_LIMIT)
		(void)system_call(label, space, record->page & 0x1ff, 0, 0, 0, 0);
	else
		(void)system_call(label, space, w1, record->word, 0, 0, space);
}

/* Anything at all, but not about the witness. */
static void do_wild(const struct record *record)
{
	struct machine_request request = {
		.badge = record->flags & 1 ? BADGE_SYSTEM | 1 : any_space(record->who),
		.label = (record->flags & 2 ? 0x100u : 0x200u) + record->extra % 40,
		.w = { any_space(record->zone), record->page, record->count, record->other,
			record->word, any_space(record->zone) },
		.with_handle = record->flags & 4,
	};

	/* Hooks of tests are do_failure's, and what is made must be known to be destroyed. */
	if (request.label == PAGER_TRAP_TEST || request.label == PAGER_SPACE_CREATE ||
		request.label == PAGER_SPACE_FORK || request.label == PAGER_OBJECT_CREATE ||
		request.badge == 0)
		return;
	if (record->flags & 8)
		request.w[record->flags >> 4 & 3] = (uint64_t)record->word << (record->zone & 63);
	for (uint32_t i = 0; i < 6; i++)
		if (request.w[i] == witness)
			return;
	fuzz_count(1);
	(void)machine_call(&request);
}

/* One of the next frames, or pieces of the pager's own memory, is refused. */
static void do_failure(const struct record *record)
{
	if (record->flags & 1)
		machine_fail_heap(record->page % 8);
	else
		(void)system_call(
			PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, record->page % 24, 0, 0, 0, 0);
}

static void do_record(const uint8_t *data)
{
	static void (*const steps[])(const struct record *record) = { do_access, do_access,
		do_access, do_access, do_access, do_access, do_program, do_program, do_program,
		do_program, do_program, do_fork, do_fork, do_create, do_destroy, do_object,
		do_payload, do_payload, do_system, do_system, do_wild, do_failure };
	struct record record;

	memcpy(&record, data, sizeof(record));
	steps[record.code % (sizeof(steps) / sizeof(steps[0]))](&record);
}

/* ---- the witness ---- */

static uint64_t witness_value(uint32_t page)
{
	return 0x5ec2e7000000 + page * 0x10001ull;
}

static void space_begin(uint64_t *space)
{
	const struct machine_answer *answer =
		machine_system(PAGER_SPACE_CREATE, ++next_badge, CLASS_PROGRAM, 0, 0, 0, 0);

	FUZZ_CHECK(answer->status == ST_OK);
	*space = answer->w[0];
	FUZZ_CHECK(
		machine_system(PAGER_SPACE_HEAP, *space, 0x30000000, 0, 0, 0, 0)->status == ST_OK);
}

static void witness_begin(void)
{
	space_begin(&witness);
	FUZZ_CHECK(machine_program(witness, PAGER_MMAP, WITNESS_AT, WITNESS_PAGES * PAGE_SIZE,
			   MAP_READ | MAP_WRITE | MAP_FIXED_AT, 0, 0)
			   ->status == ST_OK);
	for (uint32_t i = 0; i < WITNESS_PAGES; i++) {
		uint64_t word = witness_value(i);

		FUZZ_CHECK(machine_access(witness, WITNESS_AT + i * PAGE_SIZE, FAULT_WRITE,
				   &word) == REASON_NONE);
	}
}

/* Unless it was chosen as a victim, when memory ran out. */
static void witness_check(void)
{
	for (uint32_t i = 0; i < WITNESS_PAGES; i++) {
		uint64_t word = 0;
		uint32_t reason = machine_access(witness, WITNESS_AT + i * PAGE_SIZE, 0, &word);

		if (reason == MACHINE_KILLED)
			return;
		FUZZ_CHECK(reason == REASON_NONE && word == witness_value(i));
	}
}

/* ---- the end: everything goes ---- */

static uint64_t frames_free(void)
{
	const struct machine_answer *answer = machine_system(PAGER_STAT, 0, 0, 0, 0, 0, 0);
	struct pager_stat stat;

	FUZZ_CHECK(answer->status == ST_OK && answer->bytes >= sizeof(stat));
	memcpy(&stat, answer->payload, sizeof(stat));
	FUZZ_CHECK(stat.spaces == 0 && stat.objects == 0 && stat.jobs == 0);
	return stat.frames_free;
}

static void everything_ends(void)
{
	machine_fail_heap(0);
	(void)machine_system(PAGER_TRAP_TEST, PAGER_HOOK_FAIL_FRAMES, 0, 0, 0, 0, 0);
	for (uint32_t i = 0; i < SPACES; i++)
		if (spaces[i] != 0)
			(void)machine_system(PAGER_SPACE_DESTROY, spaces[i], 0, 0, 0, 0, 0);
	(void)machine_system(PAGER_SPACE_DESTROY, witness, 0, 0, 0, 0, 0);
	for (uint32_t i = 0; i < OBJECTS; i++)
		if (objects[i] != 0)
			(void)machine_system(PAGER_OBJECT_DESTROY, objects[i], 0, 0, 0, 0, 0);
	machine_settle();
	machine_check();
}

/* See fuzz.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t count = bytes < HEADER ? 0 : (bytes - HEADER) / sizeof(struct record);
	uint64_t before;

	machine_start(count == 0 || (data[0] & 3) ? 1400 : 500 + data[1] * 2u);
	before = frames_free();
	memset(spaces, 0, sizeof(spaces));
	memset(objects, 0, sizeof(objects));
	next_badge = 0;
	witness_begin();
	space_begin(&spaces[0]);
	space_begin(&spaces[1]);
	for (size_t i = 0; i < count; i++) {
		do_record(data + HEADER + i * sizeof(struct record));
		if (i % CHECK_EVERY == CHECK_EVERY - 1)
			machine_check();
	}
	machine_check();
	witness_check();
	everything_ends();
	if (frames_free() != before)
		fuzz_fail("%llu frames free, %llu at the start", (unsigned long long)frames_free(),
			(unsigned long long)before);
	fuzz_count_input();
	return 0;
}
