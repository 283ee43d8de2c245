/*
 * Tests of objects: pools, spaces, threads, ports: making them, their rights, their end.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"

#define SLOT_A 20u
#define SLOT_B 21u
#define SLOT_C 22u

static uint64_t space_word(uint32_t flags, uint32_t pool)
{
	return flags | (uint64_t)pool << SPACE_POOL_SHIFT;
}

/* ---- pools ---- */

static bool pools_end_only_when_empty(void)
{
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK(pool != boot->pool && pool != boot->root_pool && pool != 0);
	CHECK_OK(op_on(OP_POOL_DESTROY, 0, pool, 0));
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, pool, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, boot->pool, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, boot->root_pool, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, 1ull << 32 | pool, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, pool, 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_POOL_CREATE, 0, 1, 0), ST_BAD_ARGUMENT);
	return true;
}

/* A sub with the pool runs `count` operations that `fill` put into its message page; its status. */
static status_t sub_batch(const struct sub *sub, const struct op *ops, uint32_t count)
{
	struct op *page = message_open(sub->message);
	struct step *step;

	for (uint32_t i = 0; i < count; i++) {
		page[i] = ops[i];
	}
	message_close(sub->message);
	steps_clear();
	step = step_add(0, CALL_BATCH, count, 0, 0, 0);
	if (!sub_start(sub, program_steps, 0, 0) || shared_page.steps_done[0] != 1) {
		return ST_AGAIN;
	}
	if (step->out.rdx < count) {
		coverage_operation(OP_CODE(ops[step->out.rdx].head), (status_t)step->out.rax);
	}
	return (status_t)step->out.rax;
}

static bool a_pool_reaches_its_own_frames_only(void)
{
	struct sub_wish wish = { 0 };
	struct sub sub;
	struct op op;
	uint16_t pool;
	pfn_t ours = frame_take(), theirs = frame_take();

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_on(OP_TRANSFER, theirs, pool, 0));
	wish.pool = pool;
	CHECK(sub_make(&sub, &wish));
	op = (struct op){ op_head(OP_RETYPE, 0, theirs, 0, 1), FRAME_DATA, 0 };
	CHECK_OK(sub_batch(&sub, &op, 1));
	op = (struct op){ op_head(OP_RETYPE, 0, ours, 0, 1), FRAME_DATA, 0 };
	CHECK_EQUAL(sub_batch(&sub, &op, 1), ST_BAD_FRAME);
	op = (struct op){ op_head(OP_DESTROY, 0, sub.space, 0, 1), 0, 0 };
	CHECK_EQUAL(sub_batch(&sub, &op, 1), ST_BAD_FRAME);
	op = (struct op){ op_head(OP_THREAD_STOP, 0, boot->thread, 0, 1), 0, 0 };
	CHECK_EQUAL(sub_batch(&sub, &op, 1), ST_BAD_FRAME);
	op = (struct op){ op_head(OP_TRANSFER, 0, theirs, 0, 1), boot->pool,
		0 }; /* upwards is allowed */
	CHECK_OK(sub_batch(&sub, &op, 1));
	CHECK_EQUAL(FRAMES[theirs].pool, boot->pool);
	return true;
}

static bool pools_are_nested_to_a_limit(void)
{
	struct sub_wish wish = { 0 };
	struct op create = { op_head(OP_POOL_CREATE, 0, 0, 0, 0), 0, 0 };
	uint16_t made[16];
	uint32_t depth = 0;
	status_t status = pool_make(&made[0]);

	while (status == ST_OK && depth < 15) {
		struct sub sub;

		wish.pool = made[depth++];
		CHECK(sub_make(&sub, &wish));
		status = sub_batch(&sub, &create, 1);
		if (status == ST_OK) {
			made[depth] = (uint16_t)((uint64_t *)message_open(
				sub.message))[OP_RESULTS_OFFSET / 8];
			message_close(sub.message);
		}
		CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
		CHECK_OK(op_many(OP_CLEAR, sub.top, 0, 1, 0, 0));
		CHECK_OK(op_many(OP_CLEAR, sub.top, LAYOUT_MESSAGE_SLOT, 1, 0, 0));
		CHECK_OK(op_on(OP_DESTROY, sub.space, 0, 0));
	}
	CHECK_EQUAL(status, ST_LIMIT);
	CHECK(depth >= 4 && depth <= 8);
	if (depth > 1) {
		CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, made[0], 0), ST_BUSY);
	}
	for (uint32_t i = depth; i-- > 0;) {
		CHECK_OK(op_on(OP_POOL_DESTROY, 0, made[i], 0));
	}
	return true;
}

static bool the_number_of_pools_is_limited(void)
{
	static uint16_t made[256];
	uint32_t count = 0;
	status_t status;

	while ((status = op_on(OP_POOL_CREATE, 0, 0, 0)) == ST_OK && count < 256) {
		made[count++] = (uint16_t)results[0];
	}
	CHECK_EQUAL(status, ST_LIMIT);
	CHECK(count > 200);
	while (count > 0) {
		CHECK_OK(op_on(OP_POOL_DESTROY, 0, made[--count], 0));
	}
	return true;
}

static bool a_pool_in_use_by_a_space_stays(void)
{
	struct sub_wish wish = { 0 };
	struct sub sub;
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	wish.pool = pool;
	CHECK(sub_make(&sub, &wish));
	CHECK_EQUAL(op_on(OP_POOL_DESTROY, 0, pool, 0), ST_BUSY);
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, sub.top, 0, 1, 0, 0));
	CHECK_OK(op_many(OP_CLEAR, sub.top, LAYOUT_MESSAGE_SLOT, 1, 0, 0));
	CHECK_OK(op_on(OP_DESTROY, sub.space, 0, 0));
	CHECK_OK(op_on(OP_POOL_DESTROY, 0, pool, 0));
	return true;
}

static bool pool_set_refuses(void)
{
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_SELF, SLOT_A, RIGHT_RECEIVE, 0));
	CHECK_EQUAL(op_on(OP_POOL_SET, 0, boot->root_pool, SLOT_SELF | 1ull << 32), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_SET, 0, 0, SLOT_SELF | 1ull << 32), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_SET, 0, ~0ull, SLOT_SELF | 1ull << 32), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_SET, 0, pool, SLOT_A | 1ull << 32), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_SET, 0, pool, SLOT_B | 1ull << 32), ST_BAD_HANDLE);
	CHECK_EQUAL(op_on(OP_POOL_SET, 0, pool, 0xffffffff | 1ull << 32), ST_BAD_HANDLE);
	CHECK_OK(op_on(OP_POOL_SET, 0, pool, SLOT_SELF | 1ull << 32));
	CHECK_OK(op_on(OP_POOL_SET, 0, pool, 0));
	return true;
}

/* ---- spaces ---- */

static bool a_space_and_its_top_come_and_go_together(void)
{
	pfn_t space = frame_take(), top = frame_take_as(FRAME_DATA);

	CHECK_OK(op_on(OP_SPACE_CREATE, space, top, 0));
	CHECK_EQUAL(FRAMES[space].type, FRAME_SPACE);
	CHECK_EQUAL(FRAMES[top].type, FRAME_TOP);
	CHECK_EQUAL(op_on(OP_DESTROY, top, 0, 0), ST_WRONG_TYPE);
	CHECK_OK(op_on(OP_DESTROY, space, 0, 0));
	CHECK_EQUAL(FRAMES[space].type, FRAME_FREE);
	CHECK_EQUAL(FRAMES[top].type, FRAME_FREE);
	CHECK_OK(op_on(OP_RETYPE, top, FRAME_DATA, 0));
	CHECK(frame_holds(top, 0)); /* nothing of the kernel's entries is left to read */
	CHECK_OK(op_on(OP_RETYPE, space, FRAME_DATA, 0));
	CHECK(frame_holds(space, 0));
	return true;
}

static bool space_create_refuses(void)
{
	pfn_t space = frame_take(), top = frame_take(), busy = frame_take_as(FRAME_DATA);

	CHECK_OK(op_many(OP_HOLD, busy, 0, 0, 0, 0));
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, space, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, top, SPACE_RIGHTS + 1), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, top, 1ull << 31), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, top, space_word(0, 255)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, top, space_word(0, 0xffffffff)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		op_on(OP_SPACE_CREATE, space, top, space_word(0, boot->root_pool)), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, busy, top, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, busy, 0), ST_BUSY);
	CHECK_EQUAL(FRAMES[space].type, FRAME_FREE);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, boot->thread, top, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, boot->top, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, boot->init_space, top, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, boot->init_space, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_SPACE_CREATE, space, 1ull << 40 | top, 0), ST_BAD_FRAME);
	return true;
}

static bool rights_that_a_space_lacks_cannot_be_given_on(void)
{
	static const uint32_t rights[] = { SPACE_SEES_FRAMES, SPACE_DEBUG, SPACE_TIMER,
		SPACE_SHUTDOWN };
	struct sub_wish wish = { 0 };
	struct sub sub;
	struct op op;
	uint16_t pool;
	pfn_t row = frame_take_row(2, 1);

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_many(OP_TRANSFER, row, 0, 2, pool, 0));
	wish.pool = pool;
	CHECK(sub_make(&sub, &wish));
	for (uint32_t i = 0; i < 4; i++) {
		op = (struct op){ op_head(OP_SPACE_CREATE, 0, row, 0, 1), row + 1, rights[i] };
		CHECK_EQUAL(sub_batch(&sub, &op, 1), ST_NO_RIGHT);
	}
	op = (struct op){ op_head(OP_SPACE_CREATE, 0, row, 0, 1), row + 1,
		space_word(0, boot->pool) };
	CHECK_EQUAL(sub_batch(&sub, &op, 1), ST_NO_RIGHT);
	op.b = space_word(0, pool);
	CHECK_OK(sub_batch(&sub, &op, 1));
	return true;
}

static bool a_space_with_a_thread_or_entries_stays(void)
{
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_EQUAL(op_on(OP_DESTROY, sub.space, 0, 0), ST_BUSY);
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_EQUAL(op_on(OP_DESTROY, sub.space, 0, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, sub.top, 0, 1, 0, 0));
	CHECK_EQUAL(op_on(OP_DESTROY, sub.space, 0, 0), ST_BUSY);
	CHECK_OK(op_many(OP_CLEAR, sub.top, LAYOUT_MESSAGE_SLOT, 1, 0, 0));
	CHECK_OK(op_on(OP_DESTROY, sub.space, 0, 0));
	return true;
}

static bool destroy_refuses(void)
{
	CHECK_EQUAL(op_on(OP_DESTROY, boot->init_space, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_DESTROY, boot->space, 0, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_DESTROY, boot->message, 0, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_DESTROY, boot->thread, 0, 0), ST_BUSY); /* the caller itself */
	CHECK_EQUAL(op_on(OP_DESTROY, boot->top, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_DESTROY, frame_take(), 0, 0), ST_WRONG_TYPE);
	return true;
}

static bool grants_cannot_exceed_the_givers_own(void)
{
	struct sub sub;
	const uint64_t clock = RAW_IO_FIRST | (uint64_t)RAW_IO_COUNT << 32;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_on(OP_SPACE_GRANT, sub.space, clock, 1u << RAW_IRQ_LINE));
	CHECK_OK(op_on(OP_SPACE_GRANT, sub.space, 0, 0));
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.space, clock + (1ull << 32), 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.space, 0x3f8 | 8ull << 32, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.space, 0, 1u << (RAW_IRQ_LINE ^ 1)), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.space, 0xffff | 2ull << 32, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.space, 0xffffffff | 0xffffffffull << 32, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.space, 0, 0x10000), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, sub.thread, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_SPACE_GRANT, boot->init_space, 0, 0), ST_BAD_FRAME);
	return true;
}

/* ---- threads ---- */

static bool thread_create_refuses(void)
{
	pfn_t pfn = frame_take(), busy = frame_take_as(FRAME_DATA);

	CHECK_OK(op_many(OP_HOLD, busy, 0, 0, 0, 0));
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, pfn, boot->space, 64), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, pfn, boot->space, ~0ull), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, pfn, boot->thread, 10), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, boot->top, boot->space, 10), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, pfn, boot->init_space, 10), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, boot->init_space, boot->space, 10), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_THREAD_CREATE, busy, boot->space, 10), ST_BUSY);
	CHECK_EQUAL(FRAMES[pfn].type, FRAME_FREE);
	return true;
}

static bool thread_set_refuses(void)
{
	pfn_t port;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_A, SLOT_B,
		RIGHT_SEND | RIGHT_RECEIVE | RIGHT_GIVE, 0));
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELDS, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, 511, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_PRIORITY, 64, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_START, 0x0000800000000000, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_START, 0xffff7fffffffffff, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_FS_BASE, 0x0000800000000000, 0),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_FAULT_PORT, SLOT_C, 0),
		ST_BAD_HANDLE);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_EXCEPTION_PORT, ~0ull, 0),
		ST_BAD_HANDLE);
	CHECK_EQUAL(
		op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_FAULT_PORT, SLOT_B, 0), ST_NO_RIGHT);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, sub.private, 0),
		ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, boot->init_space, 0),
		ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, ~0ull, 0), ST_BAD_FRAME);
	CHECK_EQUAL(
		op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, boot->message, 0), ST_BUSY);
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.space, THREAD_FIELD_NAME, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_THREAD_SET, boot->init_space, THREAD_FIELD_NAME, 0, 0), ST_BAD_FRAME);
	return true;
}

static bool a_message_page_is_held_by_its_thread(void)
{
	pfn_t other = frame_take_as(FRAME_MSG);
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_EQUAL(FRAMES[sub.message].holds, 1);
	CHECK_OK(op_many(OP_CLEAR, sub.message_table, 0, 1, 0, 0));
	CHECK_EQUAL(op_on(OP_RETYPE, sub.message, FRAME_DATA, 0), ST_BUSY);
	CHECK_OK(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, other, 0));
	CHECK_EQUAL(FRAMES[sub.message].holds, 0);
	CHECK_EQUAL(FRAMES[other].holds, 1);
	CHECK_OK(op_on(OP_RETYPE, sub.message, FRAME_DATA, 0));
	CHECK_OK(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, 0, 0));
	CHECK_EQUAL(FRAMES[other].holds, 0);
	CHECK_OK(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, other, 0));
	CHECK_OK(op_on(OP_DESTROY, sub.thread, 0, 0));
	CHECK_EQUAL(FRAMES[other].holds, 0);
	return true;
}

static bool a_message_page_serves_one_thread(void)
{
	pfn_t pfn = frame_take_as(FRAME_MSG);
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	CHECK_OK(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, pfn, 0));
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_MESSAGE, pfn, 0), ST_BUSY);
	CHECK_EQUAL(FRAMES[pfn].holds, 1);
	return true;
}

static bool thread_get_refuses(void)
{
	struct sub_wish wish = { .priority = PRIORITY_BELOW };
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	CHECK_OK(op_on(OP_THREAD_GET, sub.thread, 0, 0));
	CHECK(sub_start(&sub, program_spin, 0, 0));
	CHECK_EQUAL(op_on(OP_THREAD_GET, sub.thread, 0, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_THREAD_GET, boot->thread, 0, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_THREAD_GET, sub.space, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_GET, boot->init_space, 0, 0), ST_BAD_FRAME);
	return true;
}

static bool start_and_stop_refuse(void)
{
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(op_on(OP_THREAD_START, sub.thread, 0, 0), ST_BUSY); /* queued */
	CHECK_EQUAL(op_at(OP_THREAD_SET, sub.thread, THREAD_FIELD_START, 0, 0), ST_BUSY);
	CHECK_OK(receive_now(&message));
	CHECK_EQUAL(op_on(OP_THREAD_START, sub.thread, 0, 0), ST_BUSY); /* served */
	CHECK_EQUAL(op_on(OP_THREAD_START, boot->thread, 0, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_THREAD_START, sub.space, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_STOP, sub.space, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_START, boot->init_space, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_THREAD_STOP, boot->init_space, 0, 0), ST_BAD_FRAME);
	return true;
}

static bool clone_copies_registers_and_ports(void)
{
	struct registers one, two;
	struct message message;
	struct sub from, to;

	CHECK(sub_make(&from, NULL) && sub_make(&to, NULL));
	step_call(0, SUB_SLOT_MAIN, 5, 0x5151, 0);
	CHECK(sub_start(&from, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_on(OP_THREAD_CLONE, to.thread, from.thread, 0));
	CHECK(sub_registers(&from, &one) && sub_registers(&to, &two));
	for (uint32_t i = 0; i < sizeof(one) / 8; i++) {
		CHECK_EQUAL(((const uint64_t *)&two)[i], ((const uint64_t *)&one)[i]);
	}
	CHECK_EQUAL(two.rdx, 0x5151);
	return true;
}

static bool clone_refuses(void)
{
	struct sub_wish wish = { .priority = PRIORITY_BELOW };
	struct sub from, to;

	CHECK(sub_make(&from, &wish) && sub_make(&to, &wish));
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, to.thread, to.thread, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, to.thread, to.space, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, to.space, to.thread, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, to.thread, boot->init_space, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, boot->init_space, to.thread, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, to.thread, 1ull << 33 | from.thread, 0), ST_BAD_FRAME);
	CHECK(sub_start(&from, program_spin, 0, 0));
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, to.thread, from.thread, 0), ST_BUSY);
	CHECK_EQUAL(op_on(OP_THREAD_CLONE, from.thread, to.thread, 0), ST_BUSY);
	return true;
}

/* The way fork answers the child. */
static bool a_clone_of_a_caller_is_answered_by_its_start(void)
{
	struct message message;
	struct sub parent, child;
	uint32_t flags = OP_START_ANSWER;

	CHECK(sub_make(&parent, NULL) && sub_add_thread(&parent, &child, PRIORITY_ABOVE));
	step_call(0, SUB_SLOT_MAIN, 5, 0, 0);
	CHECK(sub_start(&parent, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_OK(op_on(OP_THREAD_CLONE, child.thread, parent.thread, 0));
	CHECK_OK(op_flagged(
		OP_THREAD_START, flags, child.thread, 0, 1, 0x66 | TAG_KERNEL_BITS, 0x1357));
	let_others_run();
	CHECK_EQUAL(shared_page.steps_done[0], 1);
	CHECK_EQUAL(shared_page.steps[0][0].out.rax, ST_OK);
	CHECK_EQUAL(shared_page.steps[0][0].out.rsi, 0x66);
	CHECK_EQUAL(shared_page.steps[0][0].out.rdx, 0x1357);
	return true;
}

/* ---- ports ---- */

static bool port_create_refuses(void)
{
	pfn_t busy = frame_take_as(FRAME_DATA);

	CHECK_OK(op_many(OP_HOLD, busy, 0, 0, 0, 0));
	CHECK_EQUAL(op_at(OP_PORT_CREATE, frame_take(), 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, frame_take(), HANDLE_SLOTS, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, boot->thread, SLOT_A, 0, 0), ST_WRONG_TYPE);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, boot->init_space, SLOT_A, 0, 0), ST_BAD_FRAME);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, busy, SLOT_A, 0, 0), ST_BUSY);
	CHECK_EQUAL(op_at(OP_PORT_CREATE, frame_take(), SLOT_SELF, 0, 0), ST_BUSY);
	CHECK_EQUAL(call4(CALL_HANDLE, HANDLE_LOOK, SLOT_A, 0, 0, 0), ST_BAD_HANDLE);
	return true;
}

static bool threads_are_destroyed_in_every_state(void)
{
	struct message message;
	struct sub stopped, ready, queued, served, receiving, parked;
	struct sub_wish below = { .priority = PRIORITY_BELOW },
			no_ports = { .no_exception_port = true, .no_fault_port = true };
	struct sub *const all[] = { &stopped, &ready, &queued, &served, &receiving, &parked };
	pfn_t port;

	CHECK(sub_make(&stopped, NULL) && sub_make(&ready, &below) && sub_make(&queued, NULL) &&
		sub_make(&served, NULL));
	CHECK(sub_make(&receiving, NULL) && sub_make(&parked, &no_ports));
	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(sub_give(&receiving, SUB_SLOT_MAIN, SLOT_A, RIGHT_RECEIVE, 0));
	CHECK(sub_start(&ready, program_spin, 0, 0));
	step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	CHECK(sub_start(&served, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK(sub_start(&queued, program_steps, 0, 0));
	step_add(1, CALL_REPLY_RECEIVE, SUB_SLOT_MAIN | RR_RECEIVE, 0, 0, 0);
	CHECK(sub_start(&receiving, program_steps, 1, 0));
	CHECK(sub_start(&parked, program_read, SUB_UNUSED, 0));
	for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		CHECK_OK(op_on(OP_DESTROY, all[i]->thread, 0, 0));
		CHECK_OK(call4(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0));
		CHECK_EQUAL(FRAMES[all[i]->thread].type, FRAME_FREE);
		CHECK_EQUAL(FRAMES[all[i]->message].holds, 0);
	}
	CHECK_OK(call4(CALL_NOTIFY, SLOT_A, 1, 0, 0, 0));
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

const struct test tests_objects[] = {
	{ "pools_end_only_when_empty", pools_end_only_when_empty },
	{ "a_pool_reaches_its_own_frames_only", a_pool_reaches_its_own_frames_only },
	{ "pools_are_nested_to_a_limit", pools_are_nested_to_a_limit },
	{ "the_number_of_pools_is_limited", the_number_of_pools_is_limited },
	{ "a_pool_in_use_by_a_space_stays", a_pool_in_use_by_a_space_stays },
	{ "pool_set_refuses", pool_set_refuses },
	{ "a_space_and_its_top_come_and_go_together", a_space_and_its_top_come_and_go_together },
	{ "space_create_refuses", space_create_refuses },
	{ "rights_that_a_space_lacks_cannot_be_given_on",
		rights_that_a_space_lacks_cannot_be_given_on },
	{ "a_space_with_a_thread_or_entries_stays", a_space_with_a_thread_or_entries_stays },
	{ "destroy_refuses", destroy_refuses },
	{ "grants_cannot_exceed_the_givers_own", grants_cannot_exceed_the_givers_own },
	{ "thread_create_refuses", thread_create_refuses },
	{ "thread_set_refuses", thread_set_refuses },
	{ "a_message_page_is_held_by_its_thread", a_message_page_is_held_by_its_thread },
	{ "a_message_page_serves_one_thread", a_message_page_serves_one_thread },
	{ "thread_get_refuses", thread_get_refuses },
	{ "start_and_stop_refuse", start_and_stop_refuse },
	{ "clone_copies_registers_and_ports", clone_copies_registers_and_ports },
	{ "clone_refuses", clone_refuses },
	{ "a_clone_of_a_caller_is_answered_by_its_start",
		a_clone_of_a_caller_is_answered_by_its_start },
	{ "port_create_refuses", port_create_refuses },
	{ "threads_are_destroyed_in_every_state", threads_are_destroyed_in_every_state },
	{ 0 },
};
