/*
 * An attacker, a victim, and whether anything outside the attacker changed; see malice.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "malice.h"

#define FRAMES_MAX   131072u /* of the machine; what lies above is not compared */
#define CHANGES_MAX  16u
#define SUMS_AT_ONCE TABLE_ENTRIES
#define TURNS_MAX    2000000u

static uint32_t sums[FRAMES_MAX]; /* 0: inside */
static uint8_t restless[FRAMES_MAX / 8];
static bool is_learned;
static pfn_t changes[CHANGES_MAX];
static uint32_t change_count;

/* ---- what is outside ---- */

static uint32_t frames_compared(void)
{
	return boot->frames < FRAMES_MAX ? boot->frames : FRAMES_MAX;
}

/* Of a frame's contents and its entry of the frame table; never 0. */
static uint32_t frame_sum(pfn_t pfn, uint64_t contents)
{
	const uint64_t *entry = (const uint64_t *)&FRAMES[pfn];
	uint64_t sum = contents;

	for (uint32_t i = 0; i < sizeof(struct frame) / 8; i++) {
		sum = (sum ^ entry[i]) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
	}
	return (uint32_t)(sum >> 32) | 1;
}

/* Calls the visitor with each frame's sum. */
static bool each_sum(bool (*visit)(pfn_t pfn, uint32_t sum))
{
	bool good = true;

	for (pfn_t first = 0; first < frames_compared(); first += SUMS_AT_ONCE) {
		CHECK_OK(call(CALL_DEBUG, DEBUG_SUMS, first, 0, 0, NULL));
		for (uint32_t i = 0; i < SUMS_AT_ONCE && first + i < frames_compared(); i++) {
			uint64_t contents = ((const volatile uint64_t *)MESSAGE_PAGE)[i];

			good = visit(first + i, frame_sum(first + i, contents)) && good;
		}
	}
	return good;
}

static uint16_t inside_pool;

static bool note_sum(pfn_t pfn, uint32_t sum)
{
	sums[pfn] = FRAMES[pfn].pool == inside_pool && inside_pool ? 0 : sum;
	return true;
}

bool outside_keep(uint16_t pool)
{
	inside_pool = pool;
	change_count = 0;
	return each_sum(note_sum);
}

void outside_may_change(pfn_t pfn)
{
	changes[change_count++ % CHANGES_MAX] = pfn;
}

/* The tests' own: image, stack, thread, space, message page, windows. */
static bool is_tests_own(pfn_t pfn)
{
	return FRAMES[pfn].pool == boot->pool && !frame_is_own(pfn);
}

static bool is_allowed(pfn_t pfn)
{
	for (uint32_t i = 0; i < change_count && i < CHANGES_MAX; i++) {
		if (changes[i] == pfn) {
			return true;
		}
	}
	return is_tests_own(pfn) || (restless[pfn / 8] >> pfn % 8 & 1);
}

static struct {
	uint32_t count;
	pfn_t first;
} changed;

static bool compare_sum(pfn_t pfn, uint32_t sum)
{
	if (sums[pfn] != 0 && sums[pfn] != sum && !is_allowed(pfn) && changed.count++ == 0) {
		changed.first = pfn;
	}
	return true;
}

uint32_t outside_changes(void)
{
	changed.count = 0;
	return each_sum(compare_sum) ? changed.count : UINT32_MAX;
}

bool outside_is_kept(void)
{
	return outside_changes() == 0 ||
	       fail("a frame outside the pool changed", (int)FRAMES[changed.first].type,
		       "type (line), frame, of so many", changed.first, changed.count);
}

bool kernel_is_well(void)
{
	uint64_t out[3];

	return call(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, out) == ST_OK ||
	       fail("kernel_ok", (int)out[1], "rule (line) broken at frame", out[0], 0);
}

/* ---- attacker and victim ---- */

bool attacker_make(struct attacker *attacker, enum shelter shelter, uint64_t limits)
{
	struct sub_wish wish = { .flags = SPACE_SEES_FRAMES };
	bool made;

	CHECK_OK(pool_make_limited(&attacker->pool, limits));
	wish.pool = attacker->pool;
	frame_pool = shelter == SHELTERED ? 0 : attacker->pool;
	made = sub_make(&attacker->sub, &wish);
	frame_pool = attacker->pool;
	for (uint32_t i = 0; i < MALICE_SPARE; i++) {
		attacker->spare[i] = frame_take();
		made = made && attacker->spare[i] != 0;
	}
	frame_pool = 0;
	return made;
}

pfn_t attacker_frame(struct attacker *attacker, frame_type_t type)
{
	for (uint32_t i = 0; i < MALICE_SPARE; i++) {
		pfn_t pfn = attacker->spare[i];

		if (pfn && op_on(OP_RETYPE, pfn, type, 0) == ST_OK) {
			attacker->spare[i] = 0;
			return pfn;
		}
	}
	fail(__FILE__, __LINE__, "the attacker has a spare frame", 0, 1);
	return 0;
}

/* Waits for a notification, then asks the tests with what it finds in its memory. */
static void program_victim(uint64_t pattern, uint64_t unused)
{
	volatile uint64_t *own = (volatile uint64_t *)SUB_PRIVATE;
	uint64_t count = 0;

	(void)unused;
	own[0] = own[511] = pattern;
	for (;;) {
		struct message message = { 0 };

		(void)ipc_reply_receive(SUB_SLOT_A | RR_RECEIVE, &message);
		message = (struct message){ .tag = 1, .w = { own[0], own[511], ++count } };
		if (ipc_call(SUB_SLOT_MAIN, &message) == ST_OK) {
			shared_page.word[WORD_ANSWERS]++;
		}
	}
}

bool victim_make(struct victim *victim)
{
	struct sub_wish wish = { .flags = SPACE_FPU_NONE };
	bool made;

	CHECK_OK(pool_make(&victim->pool));
	frame_pool = victim->pool;
	made = sub_make(&victim->sub, &wish) && port_make(VICTIM_SLOT, &victim->port);
	victim->data = frame_take_as(FRAME_DATA);
	frame_pool = 0;
	CHECK(made && victim->data);
	frame_fill(victim->data, VICTIM_PATTERN);
	CHECK_OK(sub_give(&victim->sub, SUB_SLOT_A, VICTIM_SLOT, RIGHT_RECEIVE, 0));
	return sub_start(&victim->sub, program_victim, VICTIM_PATTERN, 0);
}

/* Asked, it asks back, and goes on when it is answered. */
bool victim_answers(const struct victim *victim)
{
	uint64_t answers;
	struct message message;

	CHECK_OK(call4(CALL_NOTIFY, VICTIM_SLOT, 1, 0, 0, 0));
	let_others_run();
	do {
		CHECK_OK(receive_now(&message)); /* behind what the attacker has left */
	} while (message.badge != victim->sub.badge);
	CHECK_EQUAL(TAG_LABEL(message.tag), 1);
	CHECK_EQUAL(message.w[0], VICTIM_PATTERN);
	CHECK_EQUAL(message.w[1], VICTIM_PATTERN);
	answers = shared_page.word[WORD_ANSWERS];
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_EQUAL(shared_page.word[WORD_ANSWERS], answers + 1);
	return true;
}

/* ---- what the attacker does ---- */

status_t attack_batch(const struct attacker *attacker, const struct op *ops, uint32_t count)
{
	struct op *page = message_open(attacker->sub.message);
	struct step *step;

	for (uint32_t i = 0; i < count; i++) {
		page[i] = ops[i];
	}
	message_close(attacker->sub.message);
	shared_page.step_count[0] = shared_page.steps_done[0] = 0;
	step = step_add(0, CALL_BATCH, count, 0, 0, 0);
	if (!sub_start(&attacker->sub, program_steps, 0, 0) || shared_page.steps_done[0] != 1) {
		return ST_AGAIN;
	}
	coverage_operation(OP_CODE(ops[step->out.rdx < count ? step->out.rdx : 0].head),
		(status_t)step->out.rax);
	return (status_t)step->out.rax;
}

status_t attack_op(const struct attacker *attacker, uint64_t head, uint64_t a, uint64_t b)
{
	struct op op = { head, a, b };

	return attack_batch(attacker, &op, 1);
}

status_t attack_on(const struct attacker *attacker, uint32_t op, pfn_t pfn, uint64_t a, uint64_t b)
{
	return attack_op(attacker, op_head(op, 0, pfn, 0, 1), a, b);
}

status_t attack_at(const struct attacker *attacker, uint32_t op, pfn_t pfn, uint32_t index,
	uint64_t a, uint64_t b)
{
	return attack_op(attacker, op_head(op, 0, pfn, index, 1), a, b);
}

uint64_t attack_result(const struct attacker *attacker, uint32_t index)
{
	const uint64_t *page = message_open(attacker->sub.message);
	uint64_t word = page[OP_RESULTS_OFFSET / 8 + index];

	message_close(attacker->sub.message);
	return word;
}

struct call_registers attack_call(const struct attacker *attacker, const struct call_registers *in)
{
	struct step *step;

	shared_page.step_count[0] = shared_page.steps_done[0] = 0;
	step = step_add(0, 0, 0, 0, 0, 0);
	step->in = *in;
	if (!sub_start(&attacker->sub, program_steps, 0, 0) || shared_page.steps_done[0] != 1) {
		return (struct call_registers){ .rax = ST_AGAIN };
	}
	return step->out;
}

/* Its thread has stopped when it can be started: so that is tried with a field that nobody minds.
 */
static bool attacker_has_stopped(const struct attacker *attacker)
{
	return op_on(OP_THREAD_GET, attacker->sub.thread, 0, 0) == ST_OK;
}

bool attacker_run(
	const struct attacker *attacker, program_t program, uint64_t first, uint64_t second)
{
	CHECK(sub_start(&attacker->sub, program, first, second));
	for (uint32_t turn = 0; !attacker_has_stopped(attacker); turn++) {
		CHECK(turn < TURNS_MAX);
		let_others_run();
	}
	return true;
}

/* ---- flushes that nobody asked for ---- */

/* Writes, runs `count` operations, writes again: the translation of the first write is still there
   if nothing flushed it. */
static void program_write_batches_write(uint64_t address, uint64_t count)
{
	*(volatile uint64_t *)address = 0xa1;
	shared_page.word[0] = kernel_call(CALL_BATCH, count, 0, 0, 0, 0, 0, NULL);
	*(volatile uint64_t *)address = 0xa2;
	shared_page.word[1] = 1; /* it went through */
	program_stop();
}

bool page_make(const struct sub *sub, uint16_t pool, struct page *page, uint64_t address)
{
	page->address = address;
	frame_pool = pool;
	page->pfn = frame_take_as(FRAME_DATA);
	CHECK(page->pfn && map_page(sub->top, address, page->pfn, PAGE_BITS));
	frame_pool = 0;
	page->table = walk_table(sub->top, address, 1);
	page->upper = walk_table(sub->top, address, 2);
	return true;
}

bool second_write_faults(
	const struct sub *sub, const struct page *page, const struct op *ops, uint32_t count)
{
	struct op *message = message_open(sub->message);
	struct message fault;

	for (uint32_t i = 0; i < count; i++) {
		message[i] = ops[i];
	}
	message_close(sub->message);
	shared_page.word[0] = ST_AGAIN;
	shared_page.word[1] = 0;
	CHECK(sub_start(sub, program_write_batches_write, page->address, count));
	CHECK_OK(shared_page.word[0]);
	CHECK_EQUAL(shared_page.word[1], 0);
	CHECK_OK(receive_now(&fault));
	CHECK_EQUAL(TAG_LABEL(fault.tag), LABEL_FAULT);
	CHECK_EQUAL(fault.w[0], page->address);
	CHECK_OK(op_on(OP_THREAD_STOP, sub->thread, 0, 0));
	return true;
}

/* ---- learning what changes by itself ---- */

static bool learn_sum(pfn_t pfn, uint32_t sum)
{
	bool may = FRAMES[pfn].type == FRAME_KERNEL ||
		   (FRAMES[pfn].type == FRAME_PORT && FRAMES[pfn].pool == boot->root_pool);

	if (sums[pfn] == 0 || sums[pfn] == sum || is_tests_own(pfn)) {
		return true;
	}
	restless[pfn / 8] |= (uint8_t)(1u << pfn % 8);
	return may || fail("frame changes by itself", (int)FRAMES[pfn].type, "type (line), frame",
			      pfn, FRAMES[pfn].pool);
}

/* All frames that tests may take into another pool, so that each entry of theirs is another. */
static bool frames_transfer_all(uint32_t from, uint32_t to)
{
	for (uint32_t range = 0; range < boot->range_count; range++) {
		pfn_t first = boot->ranges[range].first;

		for (uint32_t i = 0; i < boot->ranges[range].count; i++) {
			const struct frame *frame = &FRAMES[first + i];

			if (frame->type == FRAME_FREE && frame->pool == from &&
				frame_is_own(first + i)) {
				CHECK_OK(op_on(OP_TRANSFER, first + i, to, 0));
			}
		}
	}
	return true;
}

/* Objects made, messages, a fault, a notification: what every client does. */
static bool live_an_ordinary_life(struct attacker *attacker)
{
	struct message message;
	pfn_t space = attacker_frame(attacker, FRAME_DATA),
	      top = attacker_frame(attacker, FRAME_DATA);

	CHECK_OK(attack_on(attacker, OP_SPACE_CREATE, space, top, 0));
	CHECK_OK(attack_on(attacker, OP_POOL_CREATE, 0, 0, 0));
	CHECK_OK(attack_on(attacker, OP_POOL_DESTROY, 0, attack_result(attacker, 0), 0));
	CHECK_OK(attack_on(attacker, OP_DESTROY, space, 0, 0));
	CHECK_OK(attack_on(attacker, OP_FLUSH, 0, 0, 0));
	for (uint32_t i = 0; i < 80; i++) { /* once round the ring of records */
		CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 1, 0, 0, 0));
		CHECK_OK(receive_now(&message));
	}
	CHECK(sub_start(&attacker->sub, program_write, SUB_UNUSED, 1));
	CHECK_OK(receive_now(&message)); /* not answered: it stays in the list of our port */
	return kernel_is_well();
}

static bool outside_learn(void)
{
	struct attacker attacker;
	struct victim victim;
	uint16_t other;

	CHECK(attacker_make(&attacker, EXPOSED, 0) && victim_make(&victim));
	CHECK(outside_keep(attacker.pool));
	CHECK(live_an_ordinary_life(&attacker));
	CHECK(each_sum(learn_sum));
	CHECK_OK(pool_make(&other));
	CHECK(outside_keep((uint16_t)boot->pool));
	CHECK(frames_transfer_all(boot->pool, other));
	CHECK(each_sum(learn_sum));
	CHECK(frames_transfer_all(other, boot->pool));
	CHECK(victim_answers(&victim));
	CHECK_OK(op_on(OP_THREAD_STOP, attacker.sub.thread, 0, 0));
	is_learned = true;
	return true;
}

/* ---- from beginning to end ---- */

static bool begin(struct attacker *attacker, struct victim *victim, enum shelter shelter)
{
	if (!is_learned) {
		CHECK(outside_learn());
		test_undo();
	}
	CHECK(attacker_make(attacker, shelter, 0) && victim_make(victim) && victim_answers(victim));
	return malice_keep(attacker);
}

bool malice_begin(struct attacker *attacker, struct victim *victim)
{
	return begin(attacker, victim, EXPOSED);
}

bool malice_begin_sheltered(struct attacker *attacker, struct victim *victim)
{
	return begin(attacker, victim, SHELTERED);
}

bool malice_keep(const struct attacker *attacker)
{
	const struct sub *sub = &attacker->sub;

	CHECK(outside_keep(attacker->pool));
	outside_may_change(sub->thread);
	outside_may_change(sub->message);
	outside_may_change(sub->private);
	for (uint32_t i = 0; i < SUB_STACK_PAGES; i++) {
		outside_may_change(sub->stack[i]);
	}
	return true;
}

bool malice_end(const struct attacker *attacker, const struct victim *victim)
{
	(void)attacker;
	CHECK(outside_is_kept());
	CHECK(kernel_is_well());
	return victim_answers(victim);
}
