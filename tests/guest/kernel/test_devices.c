/*
 * Tests of what drivers use (interrupts, port I/O, the deadline), and of the information calls.
 *
 * The device is the clock chip (CMOS RTC), which init grants to this program.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernel_tests.h"
#include <server/string.h>

#define CLOCK_INDEX	RAW_IO_FIRST
#define CLOCK_DATA	(RAW_IO_FIRST + 1)
#define CLOCK_STATUS_A	10u
#define CLOCK_STATUS_B	11u
#define CLOCK_STATUS_C	12u
#define CLOCK_RAM	0x40u /* a byte of its memory that nobody uses */
#define CLOCK_PERIODIC	0x40u
#define CLOCK_RATE_1024 0x26u
#define NOTIFY_CLOCK	0x100u
#define SLOT_A		20u
#define SLOT_B		21u

static status_t io(uint32_t what, uint64_t port, uint64_t value, uint64_t *result)
{
	uint64_t out[3];
	status_t status = call(CALL_IO, what, port, value, 0, out);

	if (result) {
		*result = out[0];
	}
	return status;
}

static uint64_t clock_read(uint32_t index)
{
	uint64_t value = 0;

	(void)io(IO_OUT8, CLOCK_INDEX, index, NULL);
	(void)io(IO_IN8, CLOCK_DATA, 0, &value);
	return value;
}

static void clock_write(uint32_t index, uint64_t value)
{
	(void)io(IO_OUT8, CLOCK_INDEX, index, NULL);
	(void)io(IO_OUT8, CLOCK_DATA, value, NULL);
}

#define DEVICE_BITS (PTE_P | PTE_W | PTE_U | PTE_NX | PTE_PCD)
#define DEVICE_WINDOW 0u
#define DEVICE_WINDOW_ADDRESS 0x0000004000000000ull /* window 0 */
#define IOAPIC_INDEX 0u
#define IOAPIC_DATA 4u /* in 32-bit words */
#define IOAPIC_VERSION 1u

/* The registers answer, and nothing is counted: kernel_ok holds before and after. */
static bool a_granted_device_page_is_mapped_uncached(void)
{
	volatile uint32_t *registers = (volatile uint32_t *)DEVICE_WINDOW_ADDRESS;
	uint32_t version;

	CHECK_OK(window_set(DEVICE_WINDOW, pte_make(RAW_DEVICE_PAGE, DEVICE_BITS)));
	CHECK_OK(call4(CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0, 0));
	registers[IOAPIC_INDEX] = IOAPIC_VERSION;
	version = registers[IOAPIC_DATA] & 0xff;
	window_close(DEVICE_WINDOW);
	CHECK(version >= 0x10 && version <= 0x2f);
	return true;
}

static bool device_pages_are_checked(void)
{
	pfn_t frame = frame_take();
	pfn_t apic = 0xfee00;

	/* executable, cached, RAM, the kernel's own, not granted, beyond the limit */
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(RAW_DEVICE_PAGE, DEVICE_BITS & ~PTE_NX)),
		ST_BAD_ARGUMENT);
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(RAW_DEVICE_PAGE, DEVICE_BITS & ~PTE_PCD)),
		ST_BAD_FRAME);
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(frame, DEVICE_BITS)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(apic, DEVICE_BITS)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(RAW_DEVICE_PAGE + 1, DEVICE_BITS)), ST_NO_RIGHT);
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(0xfffffff, DEVICE_BITS)), ST_BAD_ARGUMENT);
	CHECK_EQUAL(window_set(DEVICE_WINDOW, pte_make(RAW_DEVICE_PAGE, DEVICE_BITS | PTE_G)),
		ST_BAD_ARGUMENT);
	return true;
}

/* What a pool has of device pages it can give on, no more, and only downwards. */
static bool device_ranges_go_downwards(void)
{
	uint16_t pool;

	CHECK_OK(pool_make(&pool));
	CHECK_OK(op_on(OP_POOL_DEVICE, RAW_DEVICE_PAGE, pool, RAW_DEVICE_PAGES));
	CHECK_OK(op_on(OP_POOL_DEVICE, 0, pool, 0));
	CHECK_EQUAL(op_on(OP_POOL_DEVICE, RAW_DEVICE_PAGE, pool, RAW_DEVICE_PAGES + 1), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DEVICE, RAW_DEVICE_PAGE - 1, pool, 1), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DEVICE, RAW_DEVICE_PAGE, boot->pool, 1), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DEVICE, RAW_DEVICE_PAGE, boot->root_pool, 1), ST_NO_RIGHT);
	CHECK_EQUAL(op_on(OP_POOL_DEVICE, RAW_DEVICE_PAGE, pool, 1ull << 40), ST_BAD_ARGUMENT);
	return true;
}

static bool granted_ports_reach_the_device(void)
{
	uint64_t old = clock_read(CLOCK_RAM);

	clock_write(CLOCK_RAM, 0x5a);
	CHECK_EQUAL(clock_read(CLOCK_RAM), 0x5a);
	clock_write(CLOCK_RAM, 0xa5);
	CHECK_EQUAL(clock_read(CLOCK_RAM), 0xa5);
	clock_write(CLOCK_RAM, old);
	return true;
}

static bool string_forms_move_the_message_page(void)
{
	uint8_t *page = MESSAGE_PAGE;
	uint64_t old = clock_read(CLOCK_RAM);

	clock_write(CLOCK_RAM, 0x3c);
	memset(page, 0, PAGE_SIZE);
	CHECK_OK(io(IO_INS8, CLOCK_DATA, PAGE_SIZE, NULL));
	CHECK(page[0] == 0x3c && page[PAGE_SIZE - 1] == 0x3c);
	page[0] = 0x11;
	page[1] = 0x22;
	page[2] = 0x33;
	(void)io(IO_OUT8, CLOCK_INDEX, CLOCK_RAM, NULL);
	CHECK_OK(io(IO_OUTS8, CLOCK_DATA, 3, NULL));
	CHECK_EQUAL(clock_read(CLOCK_RAM), 0x33);
	CHECK_OK(io(IO_INS16, CLOCK_INDEX, 1, NULL));
	clock_write(CLOCK_RAM, old);
	return true;
}

static bool io_refuses(void)
{
	for (uint32_t what = IO_IN8; what <= IO_OUTS32; what++) {
		CHECK_EQUAL(io(what, 0x80, 0, NULL), ST_NO_RIGHT);
		CHECK_EQUAL(io(what, CLOCK_INDEX - 1, 0, NULL), ST_NO_RIGHT);
		CHECK_EQUAL(io(what, CLOCK_DATA + 1, 0, NULL), ST_NO_RIGHT);
		CHECK_EQUAL(io(what, 0x10000 + CLOCK_INDEX, 0, NULL), ST_NO_RIGHT);
		CHECK_EQUAL(io(what, ~0ull, 0, NULL), ST_NO_RIGHT);
	}
	CHECK_EQUAL(io(IO_IN16, CLOCK_DATA, 0, NULL), ST_NO_RIGHT); /* reaches over the end */
	CHECK_EQUAL(io(IO_OUT32, CLOCK_INDEX, 0, NULL), ST_NO_RIGHT);
	CHECK_EQUAL(io(IO_INS8, CLOCK_DATA, 4097, NULL), ST_BAD_ARGUMENT);
	CHECK_EQUAL(io(IO_INS16, CLOCK_INDEX, 2049, NULL), ST_BAD_ARGUMENT);
	CHECK_EQUAL(io(IO_OUTS8, CLOCK_DATA, 1ull << 32, NULL), ST_BAD_ARGUMENT);
	CHECK_EQUAL(io(IO_OUTS32 + 1, CLOCK_DATA, 0, NULL), ST_BAD_ARGUMENT);
	CHECK_EQUAL(io(~0u, CLOCK_DATA, 0, NULL), ST_BAD_ARGUMENT);
	return true;
}

static bool string_io_needs_a_message_page(void)
{
	struct sub_wish wish = { .no_message_page = true };
	struct step *step;
	struct sub sub;

	CHECK(sub_make(&sub, &wish));
	CHECK_OK(op_on(OP_SPACE_GRANT, sub.space, RAW_IO_FIRST | (uint64_t)RAW_IO_COUNT << 32, 0));
	step = step_add(0, CALL_IO, IO_INS8, CLOCK_DATA, 1, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(step->out.rax, ST_NO_PAGE);
	return true;
}

/* ---- interrupts ---- */

static bool irq_refuses(void)
{
	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_SELF, SLOT_A, RIGHT_SEND, 0));
	for (uint32_t line = 0; line < 16; line++) {
		if (line != RAW_IRQ_LINE) {
			CHECK_EQUAL(call4(CALL_IRQ, IRQ_BIND, line, SLOT_SELF, 1, 0), ST_NO_RIGHT);
			CHECK_EQUAL(call4(CALL_IRQ, IRQ_ACK, line, 0, 0, 0), ST_NO_RIGHT);
		}
	}
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_BIND, 16, SLOT_SELF, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_ACK, ~0ull, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_ACK + 1, RAW_IRQ_LINE, SLOT_SELF, 1, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, SLOT_SELF, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, SLOT_SELF, 1ull << 32, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, SLOT_B, 1, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, ~0ull, 1, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, SLOT_A, 1, 0), ST_NO_RIGHT);
	return true;
}

/* As receive_soon, but with the processor busy: an emulator that counts instructions lets an idle
   machine's time jump, while its clock chip goes by another clock. */
static status_t receive_busy(struct message *message)
{
	uint64_t now[3], until;
	status_t status = call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now);

	until = now[0] + 200000000;
	while (status == ST_OK && now[0] < until) {
		if (receive_now(message) == ST_OK) {
			return ST_OK;
		}
		status = call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now);
	}
	return ST_EMPTY;
}

static bool an_interrupt_is_a_notification_and_masked_until_acknowledged(void)
{
	struct message message = { 0 };
	uint64_t rate = clock_read(CLOCK_STATUS_A), control = clock_read(CLOCK_STATUS_B);
	status_t first, masked, again;

	CHECK_OK(call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, SLOT_SELF, NOTIFY_CLOCK, 0));
	clock_write(CLOCK_STATUS_A, CLOCK_RATE_1024);
	clock_write(CLOCK_STATUS_B, control | CLOCK_PERIODIC);
	(void)clock_read(CLOCK_STATUS_C);
	first = receive_busy(&message);
	(void)clock_read(CLOCK_STATUS_C);
	masked = receive_busy(&message);
	(void)clock_read(CLOCK_STATUS_C);
	(void)call4(CALL_IRQ, IRQ_ACK, RAW_IRQ_LINE, 0, 0, 0);
	again = receive_busy(&message);
	clock_write(CLOCK_STATUS_B, control);
	clock_write(CLOCK_STATUS_A, rate);
	(void)clock_read(CLOCK_STATUS_C);
	CHECK_OK(first);
	CHECK_EQUAL(masked, ST_EMPTY);
	CHECK_OK(again);
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_EQUAL(message.w[0], NOTIFY_CLOCK);
	return true;
}

/* ---- the deadline ---- */

static bool the_deadline_is_a_notification_at_its_time(void)
{
	struct message message = { 0 };
	uint64_t before[3], after[3];
	const uint64_t wait = 20000000;

	CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, before));
	CHECK_OK(call4(CALL_TIMER, TIMER_SET, before[0] + wait, 0, 0, 0));
	CHECK_OK(reply_receive(SLOT_SELF | RR_RECEIVE, &message));
	CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, after));
	CHECK_EQUAL(message.tag, TAG_NOTIFICATION);
	CHECK_EQUAL(message.w[0], NOTIFY_TIMER);
	CHECK(after[0] >= before[0] + wait);
	return true;
}

static bool a_deadline_that_passed_comes_at_once(void)
{
	struct message message = { 0 };

	CHECK_OK(call4(CALL_TIMER, TIMER_SET, 1, 0, 0, 0));
	CHECK_OK(reply_receive(SLOT_SELF | RR_RECEIVE, &message));
	CHECK_EQUAL(message.w[0], NOTIFY_TIMER);
	return true;
}

static bool a_deadline_can_be_taken_back(void)
{
	struct message message;
	uint64_t now[3];

	CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
	CHECK_OK(call4(CALL_TIMER, TIMER_SET, now[0] + 10000000, 0, 0, 0));
	CHECK_OK(call4(CALL_TIMER, TIMER_SET, 0, 0, 0, 0));
	for (uint64_t until = now[0] + 30000000; now[0] < until;) {
		CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
	}
	CHECK_EQUAL(receive_now(&message), ST_EMPTY);
	return true;
}

static bool a_deadline_in_the_far_future_disturbs_nothing(void)
{
	static const uint64_t far[] = { ~0ull, 1ull << 63, ~0ull >> 1, 1ull << 62 };
	struct sub_wish below = { .priority = PRIORITY_BELOW };
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, &below));
	CHECK(sub_start(&sub, program_spin, 0, 0));
	for (uint32_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		CHECK_OK(call4(CALL_TIMER, TIMER_SET, far[i], 0, 0, 0));
		for (uint32_t k = 0; k < 1000; k++) {
			CHECK_EQUAL(receive_now(&message), ST_EMPTY);
		}
		shared_page.word[0] = 0;
		CHECK_EQUAL(receive_soon(&message), ST_EMPTY);
		CHECK(shared_page.word[0] > 0);
	}
	return true;
}

/* Notifications that the kernel itself sends: to a port that is gone they go nowhere, nor to what
   its frame became. */
static bool bindings_to_a_port_that_died_do_nothing(void)
{
	struct sub_wish no_ports = { .no_exception_port = true, .no_fault_port = true };
	struct message message = { 0 };
	struct sub sub;
	uint64_t now[3];
	pfn_t port;

	CHECK(port_make(SLOT_A, &port));
	CHECK_OK(call4(CALL_TIMER, TIMER_BIND, SLOT_A, 1, 0, 0));
	CHECK_OK(call4(CALL_IRQ, IRQ_BIND, RAW_IRQ_LINE, SLOT_A, 2, 0));
	CHECK_OK(op_on(OP_POOL_SET, 0, boot->pool, SLOT_A | 4ull << 32));
	CHECK_OK(op_on(OP_DESTROY, port, 0, 0));
	CHECK_OK(op_at(OP_PORT_CREATE, port, SLOT_B, 0, 0));
	CHECK(sub_make(&sub, &no_ports));
	CHECK(sub_start(&sub, program_read, SUB_UNUSED, 0)); /* is parked */
	CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
	CHECK_OK(call4(CALL_TIMER, TIMER_SET, now[0] + 1000000, 0, 0, 0));
	for (uint64_t until = now[0] + 5000000; now[0] < until;) {
		CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
	}
	CHECK_EQUAL(reply_receive(SLOT_B | RR_RECEIVE | RR_NONBLOCK, &message), ST_EMPTY);
	CHECK_OK(op_on(OP_POOL_SET, 0, boot->pool, 0));
	CHECK_OK(call4(CALL_TIMER, TIMER_BIND, SLOT_SELF, NOTIFY_TIMER, 0, 0));
	return true;
}

static bool time_never_goes_back(void)
{
	uint64_t last = 0, now[3];

	for (uint32_t i = 0; i < 1000; i++) {
		CHECK_OK(call(CALL_TIMER, TIMER_NOW, 0, 0, 0, now));
		CHECK(now[0] >= last);
		last = now[0];
	}
	return true;
}

static bool timer_refuses(void)
{
	struct step *set, *bind, *now;
	struct sub sub;

	CHECK_OK(call4(CALL_HANDLE, HANDLE_COPY, SLOT_SELF, SLOT_A, RIGHT_SEND, 0));
	CHECK_EQUAL(call4(CALL_TIMER, TIMER_NOW + 1, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_TIMER, TIMER_BIND, SLOT_B, 1, 0, 0), ST_BAD_HANDLE);
	CHECK_EQUAL(call4(CALL_TIMER, TIMER_BIND, SLOT_A, 1, 0, 0), ST_NO_RIGHT);
	CHECK_EQUAL(call4(CALL_TIMER, TIMER_BIND, SLOT_SELF, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK(sub_make(&sub, NULL));
	set = step_add(0, CALL_TIMER, TIMER_SET, 1, 0, 0);
	bind = step_add(0, CALL_TIMER, TIMER_BIND, SUB_SLOT_MAIN, 1, 0);
	now = step_add(0, CALL_TIMER, TIMER_NOW, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(set->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(bind->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(now->out.rax, ST_OK);
	return true;
}

/* ---- information, debugging, the end ---- */

static bool information_is_what_init_told(void)
{
	const struct info_boot *info = boot_information();

	CHECK_EQUAL(info->magic, INFO_MAGIC);
	CHECK_EQUAL(info->frames, boot->frames);
	CHECK_EQUAL(info->zero_frame, boot->zero_frame);
	CHECK_EQUAL(info->levels, LAYOUT_LEVELS);
	CHECK(info->features_used & FEATURE_NX);
	CHECK_EQUAL(info->features_used & ~info->features_found, 0);
	CHECK(info->range_count > 0 && info->range_count <= INFO_RANGES_MAX);
	return true;
}

static bool counters_count_calls(void)
{
	struct info_counters before = counters_now(), after;
	struct message message;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, 1, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_OK(reply(message.token, 0, 0));
	CHECK_OK(call4(CALL_NOTIFY, SLOT_SELF, 1, 0, 0, 0));
	after = counters_now();
	CHECK_EQUAL(after.calls - before.calls, 1);
	CHECK_EQUAL(after.replies - before.replies, 1);
	CHECK_EQUAL(after.notifications - before.notifications, 1);
	CHECK(after.kernel_entries > before.kernel_entries && after.tsc > before.tsc);
	CHECK(after.switches > before.switches);
	return true;
}

static bool records_show_the_last_messages(void)
{
	const struct info_record *records = MESSAGE_PAGE;
	struct message message;
	struct sub sub;
	uint64_t out[3];
	bool seen = false;

	CHECK(sub_make(&sub, NULL));
	step_call(0, SUB_SLOT_MAIN, 0x5eed, 0x1234, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_OK(receive_now(&message));
	CHECK_OK(call(CALL_INFO, INFO_RECORDS, 0, 0, 0, out));
	CHECK(out[0] > 0 && out[0] <= PAGE_SIZE && out[0] % sizeof(struct info_record) == 0);
	for (uint64_t i = 0; i < out[0] / sizeof(struct info_record); i++) {
		CHECK(i == 0 || records[i].tsc >= records[i - 1].tsc);
		seen = seen || (records[i].kind == RECORD_CALL && records[i].label == 0x5eed &&
				       records[i].from == sub.thread && records[i].word0 == 0x1234);
	}
	CHECK(seen);
	return true;
}

static bool info_and_debug_refuse(void)
{
	struct sub_wish wish = { .no_message_page = true, .flags = SPACE_DEBUG };
	struct step *info, *log, *sums;
	struct sub sub;

	CHECK_EQUAL(call4(CALL_INFO, INFO_RECORDS + 1, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_DEBUG, DEBUG_LOG, 4097, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_DEBUG, DEBUG_SUMS + 1, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_DEBUG, DEBUG_SUMS, boot->frames, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(
		call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT + 1, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_REFS_LIMIT, 1ull << 32, 0, 0),
		ST_BAD_ARGUMENT);
	CHECK(sub_make(&sub, &wish));
	info = step_add(0, CALL_INFO, INFO_BOOT, 0, 0, 0);
	log = step_add(0, CALL_DEBUG, DEBUG_LOG, 1, 0, 0);
	sums = step_add(0, CALL_DEBUG, DEBUG_SUMS, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(info->out.rax, ST_NO_PAGE);
	CHECK_EQUAL(log->out.rax, ST_NO_PAGE);
	CHECK_EQUAL(sums->out.rax, ST_NO_PAGE);
	return true;
}

static bool spaces_without_rights_cannot_debug_or_shut_down(void)
{
	struct step *log, *ok, *hook, *end, *sums, *records;
	struct sub sub;

	CHECK(sub_make(&sub, NULL));
	log = step_add(0, CALL_DEBUG, DEBUG_LOG, 0, 0, 0);
	ok = step_add(0, CALL_DEBUG, DEBUG_KERNEL_OK, 0, 0, 0);
	hook = step_add(0, CALL_DEBUG, DEBUG_HOOK, DEBUG_HOOK_NO_FLUSH, 1, 0);
	end = step_add(0, CALL_SHUTDOWN, 0, 0, 0, 0);
	sums = step_add(0, CALL_DEBUG, DEBUG_SUMS, 0, 0, 0);
	records = step_add(0, CALL_INFO, INFO_RECORDS, 0, 0, 0);
	CHECK(sub_start(&sub, program_steps, 0, 0));
	CHECK_EQUAL(sums->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(records->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(log->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(ok->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(hook->out.rax, ST_NO_RIGHT);
	CHECK_EQUAL(end->out.rax, ST_NO_RIGHT);
	return true;
}

static bool shutdown_takes_a_byte(void)
{
	CHECK_EQUAL(call4(CALL_SHUTDOWN, 256, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	CHECK_EQUAL(call4(CALL_SHUTDOWN, ~0ull, 0, 0, 0, 0), ST_BAD_ARGUMENT);
	return true;
}

const struct test tests_devices[] = {
	{ "granted_ports_reach_the_device", granted_ports_reach_the_device },
	{ "string_forms_move_the_message_page", string_forms_move_the_message_page },
	{ "io_refuses", io_refuses },
	{ "string_io_needs_a_message_page", string_io_needs_a_message_page },
	{ "irq_refuses", irq_refuses },
	{ "an_interrupt_is_a_notification_and_masked_until_acknowledged",
		an_interrupt_is_a_notification_and_masked_until_acknowledged },
	{ "the_deadline_is_a_notification_at_its_time",
		the_deadline_is_a_notification_at_its_time },
	{ "a_deadline_that_passed_comes_at_once", a_deadline_that_passed_comes_at_once },
	{ "a_deadline_can_be_taken_back", a_deadline_can_be_taken_back },
	{ "a_deadline_in_the_far_future_disturbs_nothing",
		a_deadline_in_the_far_future_disturbs_nothing },
	{ "bindings_to_a_port_that_died_do_nothing", bindings_to_a_port_that_died_do_nothing },
	{ "time_never_goes_back", time_never_goes_back },
	{ "timer_refuses", timer_refuses },
	{ "information_is_what_init_told", information_is_what_init_told },
	{ "counters_count_calls", counters_count_calls },
	{ "records_show_the_last_messages", records_show_the_last_messages },
	{ "info_and_debug_refuse", info_and_debug_refuse },
	{ "spaces_without_rights_cannot_debug_or_shut_down",
		spaces_without_rights_cannot_debug_or_shut_down },
	{ "a_granted_device_page_is_mapped_uncached", a_granted_device_page_is_mapped_uncached },
	{ "device_pages_are_checked", device_pages_are_checked },
	{ "device_ranges_go_downwards", device_ranges_go_downwards },
	{ "shutdown_takes_a_byte", shutdown_takes_a_byte },
	{ 0 },
};
