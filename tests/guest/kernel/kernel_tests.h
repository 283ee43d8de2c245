/*
 * Kernel tests: what the test files share.
 *
 * kerneltests is a raw server (<faultline/protocol/raw_boot.h>): it owns a pool and no pager stands
 * between it and the kernel.  A test is a row {name, function}; it returns true when all its CHECKs
 * held.  Before and after each test the kernel checks itself (DEBUG_KERNEL_OK), and everything
 * that the test made is taken apart again by ordinary operations, which refuse when a count has
 * leaked; then the number of frames of each type has to be what it was.
 *
 *   harness.c   reports, batches, frames, windows, taking apart
 *   spaces.c    spaces and threads of tests ("subs"), programs that they run
 *   blobs.asm   what a program cannot say in C
 *   coverage.c  which status of which call and operation was seen
 *   malice.c    an attacker, a victim, and whether anything outside the attacker changed
 *   test_*.c    the tests
 *
 * Subs run below or above the priority of the tests' own thread.  With PRIORITY_ABOVE a sub runs
 * at once when it is started or answered, until it waits; so a test needs no clock: whatever the
 * sub caused lies in the port when the test goes on, and is received without waiting.  (While a
 * message of a sub is not answered the tests' thread has the sub's priority; so sub_start and
 * reply yield.)
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KERNEL_TESTS_H
#define KERNEL_TESTS_H

#include <call.h>
#include <faultline/fault.h>
#include <faultline/info.h>
#include <faultline/protocol/raw_boot.h>
#include <faultline/slots.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- tests and checks ---- */

struct test {
	const char *name;
	bool (*run)(void);
};

/* Each file of tests gives one of these, ended by a row without a name. */
extern const struct test tests_frames[], tests_tables[], tests_copies[], tests_batches[],
	tests_objects[], tests_handles[], tests_messages[], tests_calls[], tests_faults[],
	tests_exceptions[], tests_threads[], tests_devices[], tests_flushes[], tests_wild[],
	tests_malice_frames[], tests_malice_messages[], tests_malice_pools[], tests_lessons[],
	tests_fuzz[], tests_coverage[];

/* Note why the test fails (the first reason counts); false. */
bool fail(const char *file, int line, const char *what, uint64_t got, uint64_t wanted);
/* The test does not apply on this machine: counted as skipped, with the reason.  Returns true. */
bool skip(const char *why);

#define CHECK(condition)                                            \
	do {                                                        \
		if (!(condition)) {                                 \
			fail(__FILE__, __LINE__, #condition, 0, 1); \
			return false;                               \
		}                                                   \
	} while (0)

#define CHECK_EQUAL(expression, value)                                                         \
	do {                                                                                   \
		uint64_t check_got = (uint64_t)(expression), check_wanted = (uint64_t)(value); \
		if (check_got != check_wanted) {                                               \
			fail(__FILE__, __LINE__, #expression, check_got, check_wanted);        \
			return false;                                                          \
		}                                                                              \
	} while (0)

#define CHECK_OK(expression) CHECK_EQUAL(expression, ST_OK)

/* Limits of time are for builds that do the kernel's work alone; test builds that do more say so. */
#ifndef TIME_FACTOR
#define TIME_FACTOR 1u
#endif

/* ---- what init told ---- */

extern const struct raw_boot *boot;
/* Is this a word of the kernel's command line?  "icount": a nanosecond is an instruction, so that
   time may be judged. */
bool command_line_has(const char *word);
#define FRAMES ((const struct frame *)LAYOUT_VMEMMAP)

/* The kernel's information, in a buffer of ours. */
const struct info_boot *boot_information(void);
struct info_counters counters_now(void);
bool machine_has(uint32_t features);

/* ---- calls ---- */

/* All registers of a call; raw_call (blobs.asm) loads them, enters the kernel and stores them. */
struct call_registers {
	uint64_t rax, rdi, rsi, rdx, r10, r8, r9, r12, r13, rbx, r14, r15;
};
void raw_call(struct call_registers *registers);

/* One call, its status noted for the coverage table.  out may be NULL. */
status_t call(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t out[3]);
status_t call4(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);

/* ---- batches ---- */

/* The outcome of the last batch; results lie in results[]. */
extern struct batch_outcome outcome;
extern uint64_t results[OP_RESULTS_MAX];

void batch_begin(void);
void batch_add(uint64_t head, uint64_t a, uint64_t b);
status_t batch_end(void);

/* A batch of one operation. */
status_t op_run(uint64_t head, uint64_t a, uint64_t b);
/* The same for the usual shapes of a head. */
status_t op_on(uint32_t op, pfn_t pfn, uint64_t a, uint64_t b);
status_t op_at(uint32_t op, pfn_t pfn, uint32_t index, uint64_t a, uint64_t b);
status_t op_many(uint32_t op, pfn_t pfn, uint32_t index, uint32_t count, uint64_t a, uint64_t b);
status_t op_flagged(uint32_t op, uint32_t flags, pfn_t pfn, uint32_t index, uint32_t count,
	uint64_t a, uint64_t b);
/* OP_FILL with its list of n frames. */
status_t op_fill(pfn_t table, uint32_t index, uint32_t n, uint64_t bits, uint64_t expected,
	const uint32_t *list);
/* The raw entry `index` of a table. */
uint64_t table_entry(pfn_t table, uint32_t index);

/* ---- frames ---- */

/* An unused FREE frame, or a DATA frame, or an empty table, 0 when none is left (the test fails
   by itself).  Of this pool below ours; 0: our own. */
extern uint16_t frame_pool;
pfn_t frame_take(void);
pfn_t frame_take_as(frame_type_t type);
/* `count` frames in a row, the first a multiple of `align`. */
pfn_t frame_take_row(uint32_t count, uint32_t align);
/* One of the frames that tests take?  (Not of our image, nor what the harness keeps for itself.) */
bool frame_is_own(pfn_t pfn);
/* The kernel's checksum of what any frame holds. */
uint64_t frame_contents_sum(pfn_t pfn);
/* How many of the own frames have this type, in all pools of ours. */
uint32_t frame_count_type(frame_type_t type);
/* A pool made by the test, taken apart at its end. */
status_t pool_make(uint16_t *pool);
status_t pool_make_limited(uint16_t *pool, uint64_t limits);
/* Take apart what the test has made so far, as at its end. */
void test_undo(void);

/* Look into a DATA frame (window 0 or 1): its contents at a fixed address of ours, until closed. */
uint64_t *window_open(uint32_t window, pfn_t pfn);
void window_close(uint32_t window);
/* Put any entry into a window; its status. */
status_t window_set(uint32_t window, uint64_t entry);
/* The same for the message page of a sub: a copy, written back when closed. */
void *message_open(pfn_t message);
void message_close(pfn_t message);
void frame_fill(pfn_t pfn, uint64_t value);
/* Every word of the frame is this; its first word is. */
bool frame_holds(pfn_t pfn, uint64_t value);
bool frame_holds_word(pfn_t pfn, uint64_t value);

/* ---- spaces and threads of tests ---- */

enum { PRIORITY_BELOW = 20, PRIORITY_SAME = RAW_PRIORITY, PRIORITY_ABOVE = 50 };

#define SUB_STACK_PAGES 2
/*
 * A space with one thread.  The test program's own text is mapped read-only and shared_page
 * writable, at the addresses they have here; `private` and the stack are its own.
 */
struct sub {
	uint64_t badge; /* of its fault, exception and call handles to our port */
	pfn_t space, top, thread, message;
	pfn_t image_table;   /* the L1 that maps the image, private page and stack */
	pfn_t message_table; /* the L1 that maps the message page */
	pfn_t private;	     /* DATA, mapped writable at SUB_PRIVATE */
	pfn_t stack[SUB_STACK_PAGES];
	bool is_second; /* the second thread of its space */
};

#define SUB_SLOT_MAIN 1u /* handle to the tests' port, with badge = sub.badge */
#define SUB_SLOT_A    8u
#define SUB_SLOT_B    9u
#define SUB_SLOT_C    10u

typedef void (*program_t)(uint64_t first, uint64_t second);

/* Behind the image, in the same 2 MiB. */
#define SUB_PRIVATE   (((uint64_t)raw_call & ~0x1fffffull) + 0x180000)
#define SUB_STACK_TOP (SUB_PRIVATE + (2 + SUB_STACK_PAGES) * PAGE_SIZE)
#define SUB_UNUSED \
	(SUB_PRIVATE + 16 * PAGE_SIZE) /* an address nothing is mapped at, in the same L1 */

struct sub_wish {
	uint32_t flags;	   /* SPACE_* */
	uint16_t pool;	   /* what its threads may use; 0: none */
	uint32_t priority; /* 0: PRIORITY_ABOVE */
	bool no_message_page, no_fault_port, no_exception_port;
};

/* Builds space, tables, thread, stack; the thread is stopped.  NULL wish: the usual. */
bool sub_make(struct sub *sub, const struct sub_wish *wish);
/* Another thread for its space, with a message page and stack of its own (at most one per space).
   */
bool sub_add_thread(const struct sub *sub, struct sub *second, uint32_t priority);
/* Where the thread begins; starts it. */
bool sub_start(const struct sub *sub, program_t program, uint64_t first, uint64_t second);
bool sub_set(const struct sub *sub, uint32_t field, uint64_t a, uint64_t b);
/* Give it a handle of ours. */
status_t sub_give(
	const struct sub *sub, uint32_t slot, uint32_t source, uint32_t rights, uint64_t badge);
/* Registers of a thread that does not run. */
bool sub_registers(const struct sub *sub, struct registers *registers);
/* A page of its space, by the table that maps the image. */
uint32_t sub_index(uint64_t address);
uint64_t sub_entry(const struct sub *sub, uint64_t address);
/* Put a page of machine code at an address of its image table: a fresh DATA frame, executable. */
bool sub_put_code(
	const struct sub *sub, uint64_t address, const void *code, size_t bytes, uint32_t offset);

/* A table tree of its own: link levels..1 so that `address` is mapped by `pfn` with `bits`. */
bool map_page(pfn_t top, uint64_t address, pfn_t pfn, uint64_t bits);
/* The table of `level` that address goes through, 0 when there is none. */
pfn_t walk_table(pfn_t top, uint64_t address, uint32_t level);
uint32_t table_index(uint64_t address, uint32_t level);

/* ---- what subs run: a list of calls ---- */

#define STEPS 24
struct step {
	struct call_registers in, out;
};
struct shared {
	uint64_t scratch
		[8]; /* for blobs.asm: [0] stack pointer of wild_call, [1] where upcall_handler
	                                writes, [2] set by program_foreign_call, [3] argument of
	                                the upcall,
	                                [4] an FS base */
	struct step steps[2][STEPS]; /* of up to two subs */
	uint32_t step_count[2];
	uint32_t steps_done[2];
	volatile uint64_t word[32];	 /* what the programs like */
	uint64_t calls_seen[CALL_COUNT]; /* by coverage.c: a bit per status */
	uint64_t operations_seen[OP_COUNT];
};
extern struct shared shared_page;

/* Runs shared_page.steps[list], then stops itself. */
void program_steps(uint64_t list, uint64_t unused);
/* Only counts shared_page.word[index], forever. */
void program_spin(uint64_t index, uint64_t unused);
/* Reads, writes or jumps to the address, then stops itself. */
void program_read(uint64_t address, uint64_t unused);
void program_write(uint64_t address, uint64_t value);
void program_jump(uint64_t address, uint64_t unused);
/* Writes value, calls SUB_SLOT_MAIN, writes value + 1, stops itself. */
void program_write_call_write(uint64_t address, uint64_t value);
/* Writes value, runs the one operation in its message page, writes value + 1, stops itself. */
void program_write_batch_write(uint64_t address, uint64_t value);
/* Stops itself. */
_Noreturn void program_stop(void);

/* ---- programs of blobs.asm; see there ---- */
uint64_t wild_call(const uint64_t values[17]);
void blob_call_and_stop(uint64_t handle, uint64_t counters);
void program_keeps_registers(uint64_t result, uint64_t unused);
void program_flags(uint64_t result, uint64_t unused);
void program_vectors(uint64_t count, uint64_t pattern);
void program_wide_vectors(uint64_t count, uint64_t pattern);
void program_red_zone(uint64_t count, uint64_t unused);
void program_bases(uint64_t count, uint64_t base);
void program_gs_bases(uint64_t count, uint64_t base);
void program_takes_upcall(uint64_t entry, uint64_t stack);
void program_foreign_call(uint64_t number, uint64_t unused);
void upcall_handler(void);
void program_read_fs(uint64_t result, uint64_t unused);
void program_takes_vectors(uint64_t result, uint64_t unused);
void program_vectors_over_call(uint64_t result, uint64_t pattern);
extern const uint64_t blob_syscall_bytes;
extern const uint8_t blob_syscall[], program_takes_upcall_at[], program_foreign_call_at[];

/* Clears list 0 or 1, adds calls to it. */
void steps_clear(void);
struct step *step_add(
	uint32_t list, uint32_t number, uint64_t rdi, uint64_t rsi, uint64_t rdx, uint64_t r10);
/* A CALL of SUB_SLOT_MAIN (or slot) with a tag and the first words. */
struct step *step_call(uint32_t list, uint32_t slot, uint64_t tag, uint64_t word0, uint64_t word1);

/* Translations that become stale from now on may be used: they are the test's own business.  False
   when this is not the shadow build, where nobody watches. */
bool shadow_expect(bool expect);

/* ---- messages ---- */

/* The bit of our port that the deadline sets. */
#define NOTIFY_TIMER (1ull << 31)

/* Let ready threads of our priority and above run until they wait: so many calls of YIELD. */
#define TURNS_GIVEN 4
void let_others_run(void);
/* The next message at our port, EMPTY when none has come. */
status_t receive_now(struct message *message);
/* Wait for one, at most for a tenth of a second of the machine's time. */
status_t receive_soon(struct message *message);
/* Reply alone. */
status_t reply(uint64_t token, uint64_t tag, uint64_t word0);
/* Reply with one or two operations in registers. */
status_t reply_with(uint64_t token, uint32_t count, const struct op *ops);
/* REPLY_RECEIVE with everything given, noted for the coverage table. */
status_t reply_receive(uint64_t rdi, struct message *message);
/* A port made by the test with all rights in `slot`. */
bool port_make(uint32_t slot, pfn_t *port);

/* ---- coverage ---- */

void coverage_call(uint32_t number, status_t status);
void coverage_operation(uint32_t op, status_t status);

/* ---- for main.c ---- */

/* Text for the kernel's log (not while a test runs: it goes through the message page). */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The line of a test that failed, by the first reason. */
void report_failure(const char *name);

/* False: nothing can be tested; reported. */
bool harness_start(const struct raw_boot *raw_boot);
/* Run one table, all or those named; count. */
struct tally {
	uint32_t passed, failed, skipped;
};
void harness_run(const struct test *tests, const char *only, struct tally *tally);

#endif
