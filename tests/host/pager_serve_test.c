/*
 * Tests of what else a pager hears: exceptions, notifications, cancels, replies that the kernel refuses,
 * faults of the dead, servers that run out of memory; and of requests that ask for too much.
 *
 * PROGRAM is a space of class program, SERVER one of class server; each test begins with both and a
 * file of two and a half pages, the first two written.
 *
 * Usage: pager_serve [NAME]
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"
#include "pager_machine.h"

#include "../../servers/pager/account.h"
#include "../../servers/pager/fault.h"
#include "../../servers/pager/job.h"
#include "../../servers/pager/object.h"
#include "../../servers/pager/request.h"
#include "../../servers/pager/serve.h"
#include "machine/memory.h"
#include "sim/sim.h"
#include <faultline/fault.h>
#include <faultline/slots.h>

#define FRAMES	  2048
#define PAGE	  4096ull
#define LEAF	  (512 * PAGE)
#define BASE	  0x40000000ull
#define RW	  (MAP_READ | MAP_WRITE)
#define SYSTEM	  (BADGE_SYSTEM | 1)
#define FILE_SIZE (2 * PAGE + PAGE / 2)
#define TOKEN	  0x7000000ull

static uint64_t program, server, file, frames_at_start;

/* ---- requests ---- */

static const struct machine_answer *ask(
	uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
	return machine_system(label, w0, w1, w2, w3, 0, 0);
}

static const struct machine_answer *own(
	uint32_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4)
{
	return machine_program(program, label, w0, w1, w2, w3, w4);
}

static status_t map(uint64_t address, uint64_t bytes, uint64_t flags, uint64_t object)
{
	return own(PAGER_MMAP, address, bytes, flags | MAP_NO_REPLACE, object, 0)->status;
}

static uint32_t touch(uint64_t address, uint32_t access)
{
	uint64_t word = address;

	return machine_access(program, address, access, &word);
}

static const struct machine_answer *send_payload(
	uint32_t label, uint64_t w0, uint64_t w1, uint32_t bytes)
{
	static const uint8_t content[PAGE] = { 1 };

	return machine_call(&(struct machine_request){
		.badge = SYSTEM,
		.label = label,
		.w = { w0, w1 },
		.payload = content,
		.bytes = bytes,
	});
}

static status_t with_handle(uint32_t label, uint64_t w0, uint64_t w1)
{
	return machine_call(&(struct machine_request){
				    .badge = SYSTEM,
				    .label = label,
				    .w = { w0, w1 },
				    .with_handle = true,
			    })
		->status;
}

static uint64_t create(uint32_t class)
{
	const struct machine_answer *answer = ask(PAGER_SPACE_CREATE, 1000 + class, class, 0, 0);

	CHECK_EQUAL(answer->status, ST_OK);
	return answer->w[0];
}

static uint64_t frames_free(void)
{
	return frame_pool.free;
}

static void begin(void)
{
	machine_start(FRAMES);
	frames_at_start = frames_free();
	program = create(CLASS_PROGRAM);
	server = create(CLASS_SERVER);
	file = ask(PAGER_OBJECT_CREATE, FILE_SIZE, 0x656c6966, 0, 0)->w[0];
	CHECK_EQUAL(send_payload(PAGER_OBJECT_WRITE, file, 0, PAGE)->status, ST_OK);
	CHECK_EQUAL(send_payload(PAGER_OBJECT_WRITE, file, PAGE, PAGE)->status, ST_OK);
}

static void end(void)
{
	machine_check();
	CHECK_EQUAL(ask(PAGER_SPACE_DESTROY, program, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_DESTROY, server, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_OBJECT_DESTROY, file, 0, 0, 0)->status, ST_OK);
	machine_settle();
	machine_check();
	CHECK_EQUAL(frames_free(), frames_at_start);
}

/* ---- messages ---- */

static enum reply_kind serve(struct message *message)
{
	mmu_count = 0;
	return serve_message(message);
}

static void test_an_exception_of_its_own_clients_is_left_to_others(void)
{
	struct message message = { .tag = LABEL_EXCEPTION | TAG_KERNEL, .badge = program };

	CHECK_EQUAL(serve(&message), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), FAULT_PARK);
}

static void test_a_notification_is_not_answered(void)
{
	struct message message = { .tag = TAG_NOTIFICATION, .w = { 1 } };

	CHECK_EQUAL(serve(&message), REPLY_NONE);
}

static void test_a_cancel_of_nothing_is_not_answered(void)
{
	struct message message = { .tag = TAG_CANCEL, .token = TOKEN };

	CHECK_EQUAL(serve(&message), REPLY_NONE);
}

/* A fault message as the kernel sends it. */
static struct message fault_at(uint64_t badge, uint64_t address)
{
	struct message message = {
		.tag = LABEL_FAULT | TAG_KERNEL,
		.badge = badge,
		.token = TOKEN,
	};

	sim_fault_words(
		space_find(badge)->top, address, FAULT_WRITE | FAULT_USER, 0x400000, message.w);
	return message;
}

/* Stopped for good: its fault comes too late, and is never answered. */
static void test_a_fault_of_a_victim_is_never_answered(void)
{
	struct message message;

	CHECK_EQUAL(map(BASE, PAGE, RW, 0), ST_OK);
	message = fault_at(program, BASE);
	account_kill(space_find(program));
	CHECK_EQUAL(serve(&message), REPLY_NONE);
	CHECK_EQUAL(space_find(program)->waiting, 0);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, RW, 0, 0)->status, ST_NOT_FOUND);
	CHECK_EQUAL(own(PAGER_SPACE_STAT, 0, 0, 0, 0, 0)->status, ST_OK);
	machine_settle(); /* its memory is gone, it is not */
	CHECK_EQUAL(serve(&message), REPLY_NONE);
	CHECK_EQUAL(space_find(program)->waiting, 0);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, RW, 0, 0)->status, ST_NOT_FOUND);
}

/* Another thread's fault, or one at the same time, has cured it already. */
static void test_a_fault_that_is_cured_already_needs_no_operation(void)
{
	struct message message;

	CHECK_EQUAL(map(BASE, PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
	message = fault_at(program, BASE);
	CHECK_EQUAL(serve(&message), REPLY_PLAIN);
	CHECK_EQUAL(message.tag, tag_make(FAULT_RESUME, 0));
	message = fault_at(program, BASE);
	message.w[1] &= ~(uint64_t)FAULT_WRITE;
	CHECK_EQUAL(serve(&message), REPLY_PLAIN);
	CHECK_EQUAL(message.tag, tag_make(FAULT_RESUME, 0));
}

/* ---- replies that the kernel refuses ---- */

static void test_a_plain_reply_that_nobody_takes_is_forgotten(void)
{
	struct message message = { .w = { 0 } };
	const uint64_t sent = tag_make(ST_OK, 64), short_one = tag_make(ST_BUSY, 0);

	CHECK_EQUAL(serve_refused(&message, ST_EMPTY, REPLY_PLAIN, sent), REPLY_NONE);
	CHECK_EQUAL(serve_refused(&message, ST_BAD_TOKEN, REPLY_PLAIN, sent), REPLY_NONE);
	CHECK_EQUAL(serve_refused(&message, ST_BUSY, REPLY_PLAIN, short_one), REPLY_NONE);
}

/* The client has no page for the payload: it gets the status alone. */
static void test_a_payload_that_has_no_page_becomes_a_status(void)
{
	struct message message = { .w = { 0 } };

	CHECK_EQUAL(
		serve_refused(&message, ST_NO_PAGE, REPLY_PLAIN, tag_make(ST_OK, 64)), REPLY_PLAIN);
	CHECK_EQUAL(message.tag, tag_make(ST_NO_PAGE, 0));
}

/* A cure that one call could not finish is finished by calls of the pager's own. */
static void test_a_cure_that_stopped_half_way_is_finished(void)
{
	struct message message;
	uint64_t sent, faults, operations[3];

	CHECK_EQUAL(map(BASE, PAGE, RW, 0), ST_OK);
	message = fault_at(program, BASE);
	CHECK_EQUAL(serve(&message), REPLY_CURE);
	sent = message.tag;
	CHECK(sent & TAG_OPS_IN_PAGE && TAG_OPS(sent) >= 3);
	memcpy(operations, &mmu_ops[0], sizeof(operations));
	CHECK_EQUAL(machine_run(1, (const struct op *)(const void *)operations, 1), ST_OK);
	message.w[0] = 1;
	message.w[1] = message.w[2] = 0;
	CHECK_EQUAL(serve_refused(&message, ST_MORE, REPLY_CURE, sent), REPLY_PLAIN);
	CHECK_EQUAL(TAG_LABEL(message.tag), FAULT_RESUME);
	faults = machine_faults;
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(machine_faults, faults);
}

/* In registers there is nothing that could be gone on with. */
static void test_a_short_cure_that_is_refused_is_taken_back(void)
{
	struct message message;
	uint64_t free;

	CHECK_EQUAL(map(BASE, 2 * PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
	free = frames_free();
	message = fault_at(program, BASE + PAGE);
	CHECK_EQUAL(serve(&message), REPLY_CURE);
	CHECK(!(message.tag & TAG_OPS_IN_PAGE));
	mmu_count = 0; /* it went with the reply */
	CHECK_EQUAL(serve_refused(&message, ST_MORE, REPLY_CURE, message.tag), REPLY_PLAIN);
	CHECK(TAG_LABEL(message.tag) == FAULT_REFUSE && message.w[0] == REASON_NO_MEMORY);
	CHECK_EQUAL(frames_free(), free);
}

static void test_a_cure_for_a_thread_that_is_gone_is_taken_back(void)
{
	struct message message;
	uint64_t free;

	CHECK_EQUAL(map(BASE, PAGE, RW, 0), ST_OK);
	message = fault_at(program, BASE);
	free = frames_free();
	CHECK_EQUAL(serve(&message), REPLY_CURE);
	CHECK(frames_free() < free);
	mmu_count = 0; /* they went with the reply */
	CHECK_EQUAL(serve_refused(&message, ST_BAD_TOKEN, REPLY_CURE, message.tag), REPLY_NONE);
	CHECK_EQUAL(frames_free(), free);
}

/* ---- who waits ---- */

#define MAPPED 400u /* leaf tables, each with a page */

/* Work for many slices. */
static uint64_t begin_unmap(void)
{
	const struct machine_answer *answer;
	uint64_t token;

	CHECK_EQUAL(ask(PAGER_SPACE_LIMIT, program, MAPPED * 512, 0, 0)->status, ST_OK);
	CHECK_EQUAL(map(BASE, MAPPED * LEAF, RW, 0), ST_OK);
	for (uint64_t i = 0; i < MAPPED; i++)
		CHECK_EQUAL(touch(BASE + i * LEAF + PAGE, FAULT_WRITE), REASON_NONE);
	token = machine_send(&(struct machine_request){ .badge = program,
				     .label = PAGER_MUNMAP,
				     .w = { BASE + PAGE, MAPPED * LEAF - PAGE } },
		&answer);
	CHECK(token != 0 && machine_is_busy(program));
	return token;
}

static uint64_t begin_settle(status_t *status)
{
	const struct machine_answer *answer;
	uint64_t token = machine_send(
		&(struct machine_request){ .badge = SYSTEM, .label = PAGER_SETTLE }, &answer);

	*status = token == 0 ? answer->status : ST_OK;
	return token;
}

/* The work goes on, but nobody is told. */
static void test_who_gives_up_is_answered_once(void)
{
	uint64_t token = begin_unmap(), word;
	uint32_t label;

	CHECK(machine_cancel(token));
	CHECK(!machine_cancel(token));
	machine_settle();
	CHECK(!machine_take_late(token, &label, &word));
	CHECK_EQUAL(touch(BASE + PAGE, 0), REASON_NO_REGION);
}

static void test_settlers_give_up_one_by_one(void)
{
	uint64_t tokens[3], word, unmap = begin_unmap();
	uint32_t label;
	status_t status;

	for (uint32_t i = 0; i < 3; i++)
		tokens[i] = begin_settle(&status);
	CHECK(machine_cancel(tokens[1]));
	CHECK(!machine_cancel(tokens[1]));
	while (machine_slice())
		;
	CHECK(machine_take_late(tokens[0], &label, &word) && label == ST_OK);
	CHECK(!machine_take_late(tokens[1], &label, &word));
	CHECK(machine_take_late(tokens[2], &label, &word) && label == ST_OK);
	CHECK(machine_take_late(unmap, &label, &word) && label == ST_OK);
}

static void test_so_many_may_wait_for_the_end_and_no_more(void)
{
	uint32_t waiting = 0;
	status_t status;

	begin_unmap();
	while (begin_settle(&status) != 0)
		waiting++;
	CHECK(waiting == 16 && status == ST_LIMIT);
	while (machine_slice())
		;
	CHECK(begin_settle(&status) == 0 && status == ST_OK);
}

/* The job of one space is dropped, those of others go on. */
static void test_a_space_that_ends_takes_its_own_job_along(void)
{
	uint64_t first = program, token = begin_unmap(), second_token, word;
	uint32_t label;

	program = create(CLASS_PROGRAM);
	second_token = begin_unmap();
	CHECK_EQUAL(ask(PAGER_SPACE_DESTROY, program, 0, 0, 0)->status, ST_OK);
	CHECK(machine_take_late(second_token, &label, &word) && label == ST_NOT_FOUND);
	while (machine_slice())
		;
	CHECK(machine_take_late(token, &label, &word) && label == ST_OK);
	program = first;
}

static struct pager_stat stats(void)
{
	struct pager_stat stat;

	memcpy(&stat, ask(PAGER_STAT, 0, 0, 0, 0)->payload, sizeof(stat));
	return stat;
}

static void test_the_reaper_counts_as_a_job(void)
{
	CHECK_EQUAL(stats().jobs, 0);
	CHECK_EQUAL(map(BASE, PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(own(PAGER_MUNMAP, BASE, PAGE, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(stats().jobs, 1);
	machine_settle();
	CHECK_EQUAL(stats().jobs, 0);
}

/* Who asks while memory is short takes some steps of the reaper first. */
static void test_requests_reap_while_memory_is_short(void)
{
	uint64_t before;

	begin_unmap();
	for (uint32_t i = 0; i < 200 && tables_orphan_count() < 8; i++)
		job_run_slice();
	CHECK(tables_orphan_count() >= 8);
	before = tables_orphan_count();
	CHECK_EQUAL(ask(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, FRAMES, 0, 0)->status, ST_OK);
	CHECK_EQUAL(tables_orphan_count(), before);
	CHECK_EQUAL(ask(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0)->status, ST_OK);
	CHECK(tables_orphan_count() < before && tables_orphan_count() >= before - 20);
	machine_settle();
}

/* Its port is taken apart by a job; until then there is a space without regions. */
static void test_a_space_that_waits_for_its_end_remembers_no_region(void)
{
	CHECK_EQUAL(map(BASE, 2 * PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(ask(PAGER_SPACE_PORT, program, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(touch(BASE + PAGE, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(ask(PAGER_SPACE_DESTROY, program, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(stats().spaces, 2);
	machine_check();
	machine_settle();
	CHECK_EQUAL(stats().spaces, 1);
	program = create(CLASS_PROGRAM);
}

/* ---- memory runs out ---- */

static void keep_all_frames(bool keep)
{
	for (uint32_t class = 0; class < FRAME_CLASSES; class ++)
		frame_pool.reserve[class] = frame_pool.quick[class] = keep ? frame_pool.total : 0;
}

/* No program is left that could be a victim: who waits is refused. */
static void test_where_only_servers_are_left_a_fault_is_refused(void)
{
	uint64_t word = 1;

	CHECK_EQUAL(
		machine_system(PAGER_MMAP, BASE, PAGE, RW | MAP_NO_REPLACE, 0, 0, server)->status,
		ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_DESTROY, program, 0, 0, 0)->status, ST_OK);
	machine_settle();
	keep_all_frames(true);
	CHECK_EQUAL(machine_access(server, BASE, FAULT_WRITE, &word), REASON_NO_MEMORY);
	keep_all_frames(false);
	CHECK_EQUAL(machine_access(server, BASE, FAULT_WRITE, &word), REASON_NONE);
	CHECK_EQUAL(account_victims, 0);
	CHECK_EQUAL(ask(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0)->status, ST_OK);
	program = create(CLASS_PROGRAM);
}

/* A program with less than its share is no victim either; servers do not count. */
static void test_a_program_within_its_share_is_no_victim(void)
{
	CHECK_EQUAL(map(BASE, 2 * PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
	keep_all_frames(true);
	CHECK_EQUAL(touch(BASE + PAGE, FAULT_WRITE), REASON_NO_MEMORY);
	CHECK_EQUAL(send_payload(PAGER_SPACE_WRITE, program, BASE + PAGE, 8)->status, ST_NO_MEMORY);
	CHECK_EQUAL(ask(PAGER_SPACE_PORT, program, 0, 0, 0)->status, ST_NO_MEMORY);
	CHECK_EQUAL(account_victims, 0);
	CHECK_EQUAL(ask(PAGER_TRAP_TEST, PAGER_HOOK_RESERVE, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(touch(BASE + PAGE, FAULT_WRITE), REASON_NONE);
}

/* ---- requests about spaces ---- */

static void test_a_space_of_no_class_or_with_unknown_rights_is_refused(void)
{
	CHECK_EQUAL(ask(PAGER_SPACE_CREATE, 1, CLASS_SERVER + 1, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		ask(PAGER_SPACE_CREATE, 1, CLASS_SERVER, 1ull << 40, 0)->status, ST_BAD_ARGUMENT);
}

static void test_a_program_sees_no_maps_but_its_own(void)
{
	CHECK_EQUAL(own(PAGER_MAPS, program, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(own(PAGER_MAPS, server, 0, 0, 0, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(own(PAGER_PAGES, server, 0, 0, 0, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(own(PAGER_MAPS, 0, 0, 0, 0, 0)->status, ST_OK);
}

static void test_a_heap_begins_within_the_users_part_and_once_it_is_used_stays(void)
{
	const uint64_t refused[] = { 0, LAYOUT_USER_MIN - 1, LAYOUT_USER_END, UINT64_MAX };

	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(
			ask(PAGER_SPACE_HEAP, program, refused[i], 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_BRK, BASE, 0, 0, 0, 0)->status, ST_BAD_ARGUMENT); /* none yet */
	CHECK_EQUAL(ask(PAGER_SPACE_HEAP, program, BASE, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_HEAP, program, BASE + PAGE, 0, 0)->status, ST_OK);
	CHECK_EQUAL(own(PAGER_BRK, BASE, 0, 0, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_BRK, LAYOUT_USER_END + 1, 0, 0, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_BRK, BASE + PAGE + 10, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(own(PAGER_BRK, BASE + PAGE + 20, 0, 0, 0, 0)->w[0], BASE + PAGE + 20);
	CHECK_EQUAL(ask(PAGER_SPACE_HEAP, program, BASE, 0, 0)->status, ST_EXISTS);
}

static void test_a_handle_goes_into_a_slot_that_there_is(void)
{
	CHECK_EQUAL(with_handle(PAGER_SPACE_HANDLE, program, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(with_handle(PAGER_SPACE_HANDLE, program, HANDLE_SLOTS), ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_SPACE_HANDLE, program, SLOT_FREE, 0, 0)->status, ST_BAD_HANDLE);
	CHECK_EQUAL(with_handle(PAGER_SPACE_HANDLE, program, SLOT_FREE), ST_OK);
}

static void test_a_template_gives_what_the_handle_has(void)
{
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, 0, RIGHT_SEND), ST_BAD_ARGUMENT);
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, SLOT_SELF, RIGHT_SEND), ST_BAD_ARGUMENT);
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, SLOT_FILES, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, SLOT_FILES, RIGHT_ALL + 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_TEMPLATE, SLOT_FILES, RIGHT_SEND, 0, 0)->status, ST_BAD_HANDLE);
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, SLOT_FILES, RIGHT_RECEIVE), ST_NO_RIGHT);
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, SLOT_FILES, RIGHT_SEND), ST_OK);
	CHECK_EQUAL(with_handle(PAGER_TEMPLATE, SLOT_INIT, RIGHT_SEND), ST_OK);
}

static void test_a_space_has_one_port(void)
{
	CHECK_EQUAL(ask(PAGER_SPACE_PORT, server, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_PORT, server, 0, 0, 0)->status, ST_EXISTS);
}

static void test_reading_memory_of_a_space_is_bounded_by_a_page(void)
{
	CHECK_EQUAL(map(BASE, 2 * PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_READ, program, BASE, PAGE + 1, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_SPACE_READ, program, BASE + 100, PAGE, 0)->bytes, PAGE);
	CHECK_EQUAL(
		ask(PAGER_SPACE_READ, program, BASE + PAGE + 100, PAGE, 0)->status, ST_NOT_FOUND);
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE, 2 * PAGE, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_READ, program, BASE, 8, 0)->status, ST_NO_ACCESS);
}

/* ---- requests about objects ---- */

static void test_a_range_of_an_object_lies_within_it(void)
{
	CHECK_EQUAL(ask(PAGER_OBJECT_READ, file, 0, PAGE + 1, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_OBJECT_READ, file, FILE_SIZE, 1, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_OBJECT_READ, file, FILE_SIZE - 8, 8, 0)->status, ST_OK);
	CHECK_EQUAL(send_payload(PAGER_OBJECT_WRITE, file, UINT64_MAX, 8)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_OBJECT_CREATE, OBJECT_BYTES_MAX + 1, 0, 0, 0)->status, ST_LIMIT);
	CHECK_EQUAL(ask(PAGER_OBJECT_READ, file + 1, 0, 1, 0)->status, ST_NOT_FOUND);
}

static void test_an_object_smaller_than_what_is_asked_for_gives_nothing(void)
{
	uint64_t small = ask(PAGER_OBJECT_CREATE, 100, 0, 0, 0)->w[0];

	CHECK_EQUAL(ask(PAGER_OBJECT_READ, small, 0, 101, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(ask(PAGER_OBJECT_READ, small, 0, 100, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_OBJECT_DESTROY, small, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_OBJECT_DESTROY, small, 0, 0, 0)->status, ST_NOT_FOUND);
}

/* An object that only its last mapping keeps is gone for everybody else. */
static void test_an_object_is_destroyed_once(void)
{
	uint64_t other = ask(PAGER_OBJECT_CREATE, PAGE, 0, 0, 0)->w[0];

	CHECK_EQUAL(map(BASE, PAGE, MAP_READ, other), ST_OK);
	CHECK_EQUAL(ask(PAGER_OBJECT_DESTROY, other, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(ask(PAGER_OBJECT_DESTROY, other, 0, 0, 0)->status, ST_NOT_FOUND);
	CHECK_EQUAL(touch(BASE, 0), REASON_NONE);
}

/* ---- requests about memory ---- */

static void test_a_mapping_that_cannot_be_is_refused(void)
{
	const uint64_t huge = LAYOUT_USER_END + 1;

	CHECK_EQUAL(own(PAGER_MUNMAP, BASE, huge, 0, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, huge, RW, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, 1ull << 50, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, MAP_READ, file, 1)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, MAP_READ, 0, PAGE)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, MAP_READ, file, OBJECT_BYTES_MAX + PAGE)->status,
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, RW | MAP_STACK, file, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, RW | MAP_STACK | MAP_SHARED, 0, 0)->status,
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, MAP_READ, file + 7, 0)->status, ST_NOT_FOUND);
}

static void test_a_program_writes_no_file_but_a_server_may(void)
{
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, RW | MAP_SHARED, file, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(map(BASE, PAGE, MAP_READ | MAP_SHARED, file), ST_OK);
	CHECK_EQUAL(map(BASE + PAGE, PAGE, MAP_READ, file), ST_OK);
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE, 2 * PAGE, RW, 0, 0)->status, ST_NO_ACCESS);
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE + PAGE, PAGE, RW, 0, 0)->status, ST_OK);
	CHECK_EQUAL(machine_system(PAGER_SPACE_MAP, program, BASE + LEAF, PAGE,
			    RW | MAP_SHARED | MAP_NO_REPLACE, file, 0)
			    ->status,
		ST_OK);
}

static void test_protection_of_what_cannot_be_is_refused(void)
{
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE + 1, PAGE, MAP_READ, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE, PAGE, MAP_SHARED, 0, 0)->status, ST_BAD_ARGUMENT);
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE, PAGE, MAP_READ, 0, 0)->status, ST_NOT_FOUND);
}

static void test_a_server_may_make_a_shared_file_writable(void)
{
	CHECK_EQUAL(map(BASE, PAGE, MAP_READ | MAP_SHARED, file), ST_OK);
	CHECK_EQUAL(machine_system(PAGER_MPROTECT, BASE, PAGE, RW, 0, 0, program)->status, ST_OK);
	CHECK_EQUAL(touch(BASE, FAULT_WRITE), REASON_NONE);
}

/* More pages than one answer holds are listed by several. */
static void test_pages_are_listed_in_answers_of_a_page_each(void)
{
	const uint32_t pages = 300, first = (uint32_t)(PAGE / sizeof(struct pager_page));
	const struct machine_answer *answer;

	CHECK_EQUAL(map(BASE, pages * PAGE, RW | MAP_POPULATE, 0), ST_OK);
	answer = own(PAGER_PAGES, 0, 0, 0, 0, 0);
	CHECK(answer->status == ST_OK && answer->w[0] == first && answer->bytes == PAGE);
	CHECK_EQUAL(answer->w[1], BASE + first * PAGE);
	answer = own(PAGER_PAGES, 0, answer->w[1], 0, 0, 0);
	CHECK(answer->status == ST_OK && answer->w[0] == pages - first);
	answer = own(PAGER_PAGES, 0, LAYOUT_USER_END, 0, 0, 0);
	CHECK(answer->status == ST_OK && answer->w[0] == 0 && answer->w[1] == 0);
}

/* Shared memory of its own may be made writable, also beside private memory. */
static void test_shared_memory_without_a_file_may_be_written(void)
{
	CHECK_EQUAL(map(BASE, PAGE, MAP_READ, 0), ST_OK);
	CHECK_EQUAL(map(BASE + PAGE, PAGE, MAP_READ | MAP_SHARED, 0), ST_OK);
	CHECK_EQUAL(map(BASE + 2 * PAGE, PAGE, MAP_READ, file), ST_OK);
	CHECK_EQUAL(own(PAGER_MPROTECT, BASE, 3 * PAGE, RW, 0, 0)->status, ST_OK);
	CHECK_EQUAL(touch(BASE + PAGE, FAULT_WRITE), REASON_NONE);
}

/* A shared object of somebody's is not named by programs. */
static void test_a_program_names_files_only(void)
{
	const struct region *region;

	CHECK_EQUAL(map(BASE, PAGE, RW | MAP_SHARED, 0), ST_OK);
	region = region_map_lookup(space_find(program)->regions, BASE);
	CHECK_EQUAL(own(PAGER_MMAP, 0, PAGE, MAP_READ, region->object, 0)->status, ST_NO_ACCESS);
}

/* What lies in the room that a stack may grow into is placed elsewhere. */
static void test_a_hint_in_the_room_of_a_stack_is_not_taken(void)
{
	const uint64_t top = BASE + 0x10000000, hint = top - LAYOUT_STACK_LIMIT;

	CHECK_EQUAL(map(top - PAGE, PAGE, RW | MAP_STACK, 0), ST_OK);
	CHECK(own(PAGER_MMAP, hint, PAGE, RW, 0, 0)->w[0] != hint);
	CHECK_EQUAL(own(PAGER_MMAP, BASE, PAGE, RW, 0, 0)->w[0], BASE);
	CHECK(own(PAGER_MMAP, UINT64_MAX, PAGE, RW, 0, 0)->status == ST_OK);
}

static pfn_t page_of_file(uint64_t page)
{
	pfn_t frame;

	CHECK_EQUAL(object_read(object_find(file), page, 1, &frame), 1);
	return frame;
}

static void test_a_file_grows_in_place_and_goes_on_with_its_pages(void)
{
	CHECK_EQUAL(map(BASE, PAGE, MAP_READ, file), ST_OK);
	CHECK_EQUAL(own(PAGER_MREMAP, BASE, PAGE, 2 * PAGE, 0, 0)->w[0], BASE);
	CHECK_EQUAL(touch(BASE + PAGE, 0), REASON_NONE);
	CHECK(machine_entry(program, BASE + PAGE) != machine_entry(program, BASE));
	CHECK_EQUAL(pte_pfn(machine_entry(program, BASE + PAGE)), page_of_file(1));
	CHECK_EQUAL(touch(BASE + 2 * PAGE, 0), REASON_NO_REGION);
}

static void test_a_part_of_the_heap_does_not_grow_in_place(void)
{
	CHECK_EQUAL(ask(PAGER_SPACE_HEAP, program, BASE, 0, 0)->status, ST_OK);
	CHECK_EQUAL(own(PAGER_BRK, BASE + 2 * PAGE, 0, 0, 0, 0)->status, ST_OK);
	CHECK_EQUAL(own(PAGER_MREMAP, BASE, 2 * PAGE, 3 * PAGE, 0, 0)->status, ST_NO_MEMORY);
	CHECK(own(PAGER_MREMAP, BASE, 2 * PAGE, 3 * PAGE, REMAP_MAY_MOVE, 0)->w[0] != BASE);
	CHECK_EQUAL(own(PAGER_MREMAP, BASE + LEAF, PAGE, LAYOUT_USER_END - PAGE, REMAP_MAY_MOVE, 0)
			    ->status,
		ST_NOT_FOUND);
}

/* There is no room that large. */
static void test_a_mapping_that_has_no_room_does_not_move(void)
{
	CHECK_EQUAL(map(BASE, PAGE, MAP_READ, 0), ST_OK);
	CHECK_EQUAL(map(BASE + LEAF, PAGE, MAP_READ, 0), ST_OK);
	CHECK_EQUAL(
		own(PAGER_MREMAP, BASE, PAGE, LAYOUT_USER_END - PAGE, REMAP_MAY_MOVE, 0)->status,
		ST_NO_MEMORY);
}

/* Pages that nobody may access are not made. */
static void test_populating_what_nobody_may_access_makes_nothing(void)
{
	uint64_t resident = space_find(program)->resident;

	CHECK_EQUAL(own(PAGER_MMAP, BASE, 8 * PAGE, MAP_POPULATE | MAP_NO_REPLACE, 0, 0)->status,
		ST_OK);
	CHECK_EQUAL(space_find(program)->resident, resident);
	CHECK_EQUAL(own(PAGER_MMAP, BASE + LEAF, 8 * PAGE, RW | MAP_POPULATE | MAP_NO_REPLACE, 0, 0)
			    ->status,
		ST_OK);
	CHECK_EQUAL(space_find(program)->resident, resident + 8);
}

/* ---- stacks ---- */

/* So low that the limit would lie below 0: then the null guard is the limit. */
static void test_a_stack_at_the_bottom_ends_at_the_null_guard(void)
{
	const uint64_t end = LAYOUT_STACK_LIMIT / 2;

	CHECK_EQUAL(map(end - PAGE, PAGE, RW | MAP_STACK, 0), ST_OK);
	CHECK_EQUAL(touch(end - 4 * PAGE, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(touch(LAYOUT_USER_MIN, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(touch(LAYOUT_USER_MIN - PAGE, FAULT_WRITE), REASON_NULL);
}

/* The gap above a neighbour, the pages behind it, the guard below the limit. */
static void test_what_lies_below_a_stack_is_named(void)
{
	const uint64_t top = BASE + 0x10000000;

	CHECK_EQUAL(map(BASE, PAGE, RW, 0), ST_OK);
	CHECK_EQUAL(map(top - PAGE, PAGE, RW | MAP_STACK, 0), ST_OK);
	CHECK_EQUAL(touch(top - LAYOUT_STACK_LIMIT - PAGE, 0), REASON_STACK_LIMIT);
	CHECK_EQUAL(touch(top - LAYOUT_STACK_LIMIT - LAYOUT_STACK_GAP - PAGE, 0), REASON_NO_REGION);
	CHECK_EQUAL(
		own(PAGER_MMAP, top - 2 * LAYOUT_STACK_GAP, PAGE, RW | MAP_FIXED_AT, 0, 0)->status,
		ST_OK);
	CHECK_EQUAL(touch(top - 2 * LAYOUT_STACK_GAP + PAGE, 0), REASON_GUARD);
}

static void test_a_stack_grows_within_the_promises_of_its_space(void)
{
	const uint64_t top = BASE + 0x10000000;

	CHECK_EQUAL(map(top - PAGE, PAGE, RW | MAP_STACK, 0), ST_OK);
	CHECK_EQUAL(ask(PAGER_SPACE_LIMIT, program, 2, 0, 0)->status, ST_OK);
	CHECK_EQUAL(touch(top - 8 * PAGE, FAULT_WRITE), REASON_NO_MEMORY);
	CHECK_EQUAL(ask(PAGER_SPACE_LIMIT, program, FRAMES, 0, 0)->status, ST_OK);
	CHECK_EQUAL(touch(top - 8 * PAGE, FAULT_WRITE), REASON_NONE);
}

/* ---- the message page ---- */

static void test_the_message_page_is_one_page_and_no_program(void)
{
	CHECK_EQUAL(touch(LAYOUT_MESSAGE, FAULT_FETCH), REASON_PROTECTION);
	CHECK_EQUAL(touch(LAYOUT_MESSAGE + PAGE, FAULT_WRITE), REASON_NO_REGION);
	CHECK_EQUAL(touch(LAYOUT_MESSAGE, FAULT_WRITE), REASON_NONE);
	CHECK_EQUAL(touch(LAYOUT_MESSAGE, FAULT_FETCH), REASON_PROTECTION);
}

/* ---- checks on request ---- */

static void test_a_broken_rule_is_told(void)
{
	CHECK_EQUAL(ask(PAGER_CHECK, 0, 0, 0, 0)->w[0], 0);
	frame_pool.total++;
	CHECK(ask(PAGER_CHECK, 0, 0, 0, 0)->w[0] != 0);
	frame_pool.total--;
}

static const struct check_test tests[] = {
	CHECK_TEST(an_exception_of_its_own_clients_is_left_to_others),
	CHECK_TEST(a_notification_is_not_answered),
	CHECK_TEST(a_cancel_of_nothing_is_not_answered),
	CHECK_TEST(a_fault_of_a_victim_is_never_answered),
	CHECK_TEST(a_fault_that_is_cured_already_needs_no_operation),
	CHECK_TEST(a_cure_for_a_thread_that_is_gone_is_taken_back),
	CHECK_TEST(a_plain_reply_that_nobody_takes_is_forgotten),
	CHECK_TEST(a_payload_that_has_no_page_becomes_a_status),
	CHECK_TEST(a_cure_that_stopped_half_way_is_finished),
	CHECK_TEST(a_short_cure_that_is_refused_is_taken_back),
	CHECK_TEST(who_gives_up_is_answered_once),
	CHECK_TEST(settlers_give_up_one_by_one),
	CHECK_TEST(so_many_may_wait_for_the_end_and_no_more),
	CHECK_TEST(a_space_that_ends_takes_its_own_job_along),
	CHECK_TEST(the_reaper_counts_as_a_job),
	CHECK_TEST(requests_reap_while_memory_is_short),
	CHECK_TEST(a_space_that_waits_for_its_end_remembers_no_region),
	CHECK_TEST(where_only_servers_are_left_a_fault_is_refused),
	CHECK_TEST(a_program_within_its_share_is_no_victim),
	CHECK_TEST(a_space_of_no_class_or_with_unknown_rights_is_refused),
	CHECK_TEST(a_program_sees_no_maps_but_its_own),
	CHECK_TEST(a_heap_begins_within_the_users_part_and_once_it_is_used_stays),
	CHECK_TEST(a_handle_goes_into_a_slot_that_there_is),
	CHECK_TEST(a_template_gives_what_the_handle_has),
	CHECK_TEST(a_space_has_one_port),
	CHECK_TEST(reading_memory_of_a_space_is_bounded_by_a_page),
	CHECK_TEST(a_range_of_an_object_lies_within_it),
	CHECK_TEST(an_object_smaller_than_what_is_asked_for_gives_nothing),
	CHECK_TEST(an_object_is_destroyed_once),
	CHECK_TEST(a_mapping_that_cannot_be_is_refused),
	CHECK_TEST(a_program_writes_no_file_but_a_server_may),
	CHECK_TEST(protection_of_what_cannot_be_is_refused),
	CHECK_TEST(a_server_may_make_a_shared_file_writable),
	CHECK_TEST(pages_are_listed_in_answers_of_a_page_each),
	CHECK_TEST(shared_memory_without_a_file_may_be_written),
	CHECK_TEST(a_program_names_files_only),
	CHECK_TEST(a_hint_in_the_room_of_a_stack_is_not_taken),
	CHECK_TEST(a_file_grows_in_place_and_goes_on_with_its_pages),
	CHECK_TEST(a_part_of_the_heap_does_not_grow_in_place),
	CHECK_TEST(a_mapping_that_has_no_room_does_not_move),
	CHECK_TEST(populating_what_nobody_may_access_makes_nothing),
	CHECK_TEST(a_stack_at_the_bottom_ends_at_the_null_guard),
	CHECK_TEST(what_lies_below_a_stack_is_named),
	CHECK_TEST(a_stack_grows_within_the_promises_of_its_space),
	CHECK_TEST(the_message_page_is_one_page_and_no_program),
	CHECK_TEST(a_broken_rule_is_told),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), begin, end, argc, argv);
}
