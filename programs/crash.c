/*
 * crash KIND [NUMBER]: does something forbidden, or takes more than there is.
 *
 * Most kinds must end this process, with a report, and nothing else.  A kind that comes back says
 * so and ends with status 3.  fork-bomb and allocate may also end well: they print how far they
 * came.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_SURVIVED 3
#define NON_CANONICAL	0x0000800000000000ull
#define KERNEL_ADDRESS	0xffffffff80000000ull
#define FOREIGN_CALL	0x4242u
#define BOMB_DEFAULT	64u
#define BOMB_MAX	4096u
#define MEBIBYTE	((size_t)1 << 20)

/* A machine instruction (ret) in a place for data. */
static uint8_t code_in_data[16] = { 0xc3 };

static unsigned long number; /* the second argument, or 0 */

/* An address as the compiler cannot know it. */
static void *address(uint64_t value)
{
	__asm__ volatile("" : "+r"(value));
	return (void *)value;
}

static uint8_t read_at(uint64_t value)
{
	return *(volatile uint8_t *)address(value);
}

static void write_at(uint64_t value)
{
	*(volatile uint8_t *)address(value) = 1;
}

static void jump_to(uint64_t value)
{
	((void (*)(void))address(value))();
}

static void null_read(void)
{
	(void)read_at(0);
}

static void null_write(void)
{
	write_at(0);
}

static void null_jump(void)
{
	jump_to(0);
}

static void wild_read(void)
{
	(void)read_at(0x123456789000);
}

static void wild_jump(void)
{
	jump_to(0x123456789abc);
}

static void kernel_read(void)
{
	(void)read_at(KERNEL_ADDRESS);
}

static void non_canonical(void)
{
	(void)read_at(NON_CANONICAL);
}

static void write_text(void)
{
	write_at((uint64_t)write_text);
}

static void execute_data(void)
{
	jump_to((uint64_t)code_in_data);
}

static void execute_stack(void)
{
	volatile uint8_t code[16] = { 0xc3 };

	jump_to((uint64_t)code);
}

static void divide_by_zero(void)
{
	unsigned zero = 0, result = 1;

	__asm__ volatile("xorl %%edx, %%edx; divl %1" : "+a"(result) : "r"(zero) : "edx");
}

static void privileged(void)
{
	__asm__ volatile("hlt");
}

static void port_output(void)
{
	__asm__ volatile("outb %%al, $0x80" : : "a"(0));
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

static void foreign_call(void)
{
	uint64_t rax = FOREIGN_CALL;

	__asm__ volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
}

static unsigned long recurse(unsigned long depth)
{
	volatile uint8_t block[1024];

	block[depth % sizeof(block)] = (uint8_t)depth;
	return depth ? recurse(depth + 1) + block[depth % sizeof(block)] : 0;
}

static void stack_overflow(void)
{
	(void)!recurse(1);
}

static void abort_now(void)
{
	abort();
}

/* Writes to memory until there is none. */
static void allocate(void)
{
	size_t count = 0;
	void *block;

	while ((!number || count < number) && (block = malloc(MEBIBYTE)) != NULL) {
		memset(block, (int)count | 1, MEBIBYTE);
		count++;
	}
	printf("crash: %zu MiB allocated, then %s\n", count,
		number && count == number ? "enough" : strerror(errno));
	exit(0);
}

/* Children that wait to be killed, as many as the system gives, at most `number`. */
static void fork_bomb(void)
{
	static pid_t children[BOMB_MAX];
	unsigned long wanted = number ? number : BOMB_DEFAULT;
	unsigned long count = 0;
	int error = 0;

	if (wanted > BOMB_MAX)
		wanted = BOMB_MAX;
	fflush(stdout);
	for (; count < wanted && !error; count++) {
		children[count] = fork();
		if (children[count] == 0)
			for (;;)
				sleep(1000);
		if (children[count] < 0)
			error = errno;
	}
	count -= error ? 1 : 0;
	printf("crash: %lu children, then %s\n", count, error ? strerror(error) : "enough");
	for (unsigned long i = 0; i < count; i++)
		kill(children[i], SIGKILL);
	while (count > 0 && wait(NULL) > 0)
		count--;
	exit(count ? 1 : 0);
}

static const struct {
	const char *name;
	void (*function)(void);
	const char *help;
} kinds[] = {
	{ "null-read", null_read, "read address 0" },
	{ "null-write", null_write, "write to address 0" },
	{ "null-jump", null_jump, "jump to address 0" },
	{ "wild-read", wild_read, "read where nothing is mapped" },
	{ "wild-jump", wild_jump, "jump to where nothing is mapped" },
	{ "kernel-read", kernel_read, "read an address of the kernel" },
	{ "non-canonical", non_canonical, "read an address that no page table can map" },
	{ "write-text", write_text, "write to the program's own text" },
	{ "execute-data", execute_data, "jump into a variable" },
	{ "execute-stack", execute_stack, "jump into the stack" },
	{ "divide-by-zero", divide_by_zero, "divide by zero" },
	{ "privileged", privileged, "halt the processor" },
	{ "port-output", port_output, "write to an I/O port" },
	{ "undefined", undefined, "an instruction that is none" },
	{ "breakpoint", breakpoint, "a breakpoint without a debugger" },
	{ "foreign-call", foreign_call,
		"a system call with a number that the kernel does not have" },
	{ "stack-overflow", stack_overflow, "recursion without end" },
	{ "abort", abort_now, "abort()" },
	{ "allocate", allocate, "write to memory until there is none, or NUMBER MiB" },
	{ "fork-bomb", fork_bomb, "as many children as there can be, or NUMBER (64)" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int usage(void)
{
	fprintf(stderr, "usage: crash KIND [NUMBER]\n");
	for (size_t i = 0; i < KINDS; i++)
		fprintf(stderr, "  %-16s%s\n", kinds[i].name, kinds[i].help);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return usage();
	if (argc == 3)
		number = strtoul(argv[2], NULL, 10);
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			kinds[i].function();
			fprintf(stderr, "crash: %s: nothing happened\n", argv[1]);
			return STATUS_SURVIVED;
		}
	return usage();
}
