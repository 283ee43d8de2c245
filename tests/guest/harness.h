/*
 * The guest tests' harness: what a test may use.
 *
 * A test is a function in the table of its topic.  It runs in a process of its own, forked from the
 * harness, under a watchdog; it passes by returning.  A CHECK that does not hold, in the test or in
 * any process forked by it, puts its reason into a page shared with the harness and ends the
 * process; the parents in between see it as exit status TEST_FAILED and end in their turn.
 *
 * Before and after each test the pager is settled and checked, together with the kernel, and free
 * frames are compared.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef TESTS_GUEST_HARNESS_H
#define TESTS_GUEST_HARNESS_H

#include <faultline/layout.h>
#include <faultline/protocol/pager.h>
#include <faultline/protocol/proc.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/faultline.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_FAILED 99 /* exit status of a process whose CHECK did not hold */
#define TEST_LONG 1u   /* left out by `tests -q` */
#define TEST_NEEDS_HOOK 2u /* only by name, or by `tests -f`: programs reach the pager's test hooks */

struct test {
	const char *name; /* NULL: end of the table */
	void (*run)(void);
	unsigned flags;
	unsigned seconds; /* allowed; 0: the usual number */
};
#define TEST(function) {.name = #function, .run = function}
#define TEST_SLOW(function, limit) \
	{.name = #function, .run = function, .flags = TEST_LONG, .seconds = (limit)}

#define TEST_HOOKED(function) \
	{.name = #function, .run = function, .flags = TEST_NEEDS_HOOK, .seconds = 600}

/* The topics, one file each. */
extern const struct test tests_protection[], tests_address[], tests_cow[], tests_fork[], tests_heap[],
	tests_stack[], tests_mapping[], tests_shared[], tests_exception[], tests_process[],
	tests_exec[], tests_pointer[], tests_message[], tests_exhaustion[], tests_remap[], tests_large[],
	tests_failure[], tests_fuzz[], tests_lessons[], tests_malice[], tests_flush[], tests_idle[];

/* What exec.c does when the program is started as `tests --exec KIND ...`. */
int exec_helper(int argc, char **argv);

/* ---- checking ---- */

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void test_equal(const char *file, int line, const char *what, int64_t actual, int64_t expected);

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition))                                              \
			test_fail(__FILE__, __LINE__, "not so: %s", #condition); \
	} while (0)
#define CHECK_EQUAL(actual, expected) \
	test_equal(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))
/* The call returns -1 (or MAP_FAILED) with this errno. */
#define CHECK_ERRNO(call, number)                       \
	do {                                            \
		errno = 0;                              \
		CHECK_EQUAL(call, -1);                  \
		CHECK_EQUAL(errno, number);             \
	} while (0)

/* ---- processes ---- */

typedef void child_t(void *argument);

/* Fork a child that runs the function and exits with 0. */
pid_t child_start(child_t *body, void *argument);
/* Wait for a child of ours: its wait status. */
int child_wait(pid_t pid);
/* Wait for it and pass on its failure; it must exit with 0. */
void child_finish(pid_t pid);
/* Both: run it to its end, which must be exit status 0. */
void child_run(child_t *body, void *argument);
/* Run it to its end: its wait status (a CHECK that fails in it ends us, too). */
int child_status(child_t *body, void *argument);
/* The child must be killed by this signal. */
#define CHECK_KILLED(body, argument, signal_number) \
	CHECK_EQUAL(child_status(body, argument), PROC_STATUS_SIGNAL(signal_number))
#define CHECK_LIVES(body, argument) CHECK_EQUAL(child_status(body, argument), 0)

/* Wait until another process has set a word in shared memory. */
void wait_until(const volatile uint32_t *word, uint32_t value);
/* Wait until no process is left that was made after us (nobody can wait for orphans). */
void orphans_wait(void);
/* Processes there are, zombies included. */
unsigned process_count(void);
/* What the list of processes says about one; false: it is not there. */
bool process_find(pid_t pid, struct proc_entry *entry);

/* ---- memory ---- */

#define PAGES(n) ((size_t)(n) * (size_t)PAGE_SIZE)

/* Fresh anonymous pages, readable and writable. */
volatile uint8_t *private_pages(size_t count);
volatile uint8_t *shared_pages(size_t count);

/* This process runs code at random, and may run into a failing check: that shall not be the test's. */
void test_disown(void);
/* Fresh pages that begin at a multiple of `align` bytes, nothing mapped close by. */
volatile uint8_t *aligned_pages(size_t count, size_t align);
/* A value that says which byte of which page this is. */
uint8_t pattern(size_t index, unsigned seed);
/* Fill pages with the pattern; check that they hold it. */
void pattern_fill(volatile uint8_t *memory, size_t bytes, unsigned seed);
bool pattern_holds(const volatile uint8_t *memory, size_t bytes, unsigned seed);
/* All bytes are this one. */
bool all_bytes_are(const volatile uint8_t *memory, size_t bytes, uint8_t value);

/* The region of the own space that holds an address; false: none. */
bool region_at(const volatile void *address, struct pager_region *region);
/* Regions of the own space. */
size_t region_count(void);
/* Frames free after the pager has settled. */
uint64_t frames_free(void);

/* Accesses that the compiler neither moves nor leaves out. */
static inline uint8_t load(uint64_t address)
{
	uint8_t value;

	__asm__ volatile("movb (%1), %0" : "=q"(value) : "r"(address) : "memory");
	return value;
}
static inline void store(uint64_t address, uint8_t value)
{
	__asm__ volatile("movb %0, (%1)" : : "q"(value), "r"(address) : "memory");
}
/* Call the code there; rax holds the address of a writable byte meanwhile. */
static inline void execute(uint64_t address)
{
	uint8_t byte = 0;
	uint8_t *at = &byte;

	/* Out of the red zone, which the call would overwrite. */
	__asm__ volatile("sub $128, %%rsp; call *%1; add $128, %%rsp"
			 : "+a"(at)
			 : "r"(address)
			 : "memory", "cc");
}
#define CODE_RETURN 0xc3 /* the instruction `ret` */

/* The same as children: the argument is the address. */
void load_child(void *address);
void store_child(void *address);
void execute_child(void *address);

/* ---- counting faults ---- */

/* What the pager counted for this process between cost_begin() and cost_end(). */
struct cost {
	uint64_t faults, zero, copy, reuse, file, tables_split, frames_copied;
};
void cost_begin(void);
struct cost cost_end(void);

#endif
