/*
 * snapshot [FILE [GENERATIONS]]: consistent snapshots of a growing index, taken by fork.
 *
 * The words of a text are put into an index on the heap.  In each generation the process forks.
 * The child writes the index, sorted, as it was at the fork, while the parent changes every entry,
 * adds pairs of words, and grows heap, stack and mappings.  The child must see exactly its
 * snapshot: it compares with a checksum that the parent computed before, once while the parent
 * works and once after the parent has changed everything (a flag in a shared page says so).  The
 * child then spoils its own copy, of which the parent must see nothing.
 *
 * Standard output depends on the text only: it is the same on every system.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "index.h"
#include "report.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define GENERATIONS_DEFAULT 6u
#define GENERATIONS_MAX	    1000u
#define BUCKETS_FIRST	    1009u
#define TOP_WORDS	    8u
#define SAMPLE_LINES	    6u
#define SCRATCH_BYTES	    (256u * 1024)
#define MARKS		    4096u
#define STACK_BLOCK_BYTES   2048u
#define STACK_BLOCKS_MOST   1024u /* 2 MiB */

/* What a child must find: by value from before the fork. */
struct expectation {
	unsigned generation;
	uint64_t checksum;
	const uint8_t *scratch; /* SCRATCH_BYTES of a private mapping, filled with the generation */
};

/* The shared page. */
struct meeting {
	/* The generation in which the parent has changed everything; only by __atomic builtins. */
	unsigned changed;
};

static struct text text;
static struct index words;
static struct meeting *meeting;

static bool fail(const char *what)
{
	fprintf(stderr, "snapshot: %s: %s\n", what, strerror(errno));
	return false;
}

/* Grows the stack by so many blocks, and checks on the way back that each holds what was written.
   */
static bool stack_grow(unsigned blocks, unsigned seed)
{
	volatile uint8_t block[STACK_BLOCK_BYTES];
	bool is_good;

	for (unsigned i = 0; i < STACK_BLOCK_BYTES; i += 64)
		block[i] = (uint8_t)(seed + blocks + i / 64);
	is_good = blocks == 0 || stack_grow(blocks - 1, seed);
	for (unsigned i = 0; i < STACK_BLOCK_BYTES; i += 64)
		is_good &= block[i] == (uint8_t)(seed + blocks + i / 64);
	return is_good;
}

static bool is_filled(const uint8_t *bytes, size_t count, unsigned value)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != (uint8_t)value)
			return false;
	return true;
}

/* ---- the child: the sorted index ---- */

/* The index as it is written: a line for each word. */
struct listing {
	uint64_t digest;
	size_t bytes;
};

static size_t put_number(char *to, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	for (size_t i = 0; i < count; i++)
		to[i] = digits[count - 1 - i];
	return count;
}

/* "word weight first-position last-position", with an end of line.  Returns its length. */
static size_t line_format(char *line, const struct entry *entry)
{
	const uint64_t numbers[] = { entry->weight, entry->positions[0],
		entry->positions[entry->count - 1] };
	size_t length = entry->length;

	memcpy(line, entry->text, length);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		line[length++] = ' ';
		length += put_number(line + length, numbers[i]);
	}
	line[length++] = '\n';
	return length;
}

/* Goes through the whole list; prints every so many lines of it. */
static void listing_write(struct listing *listing, struct entry *const *sorted, size_t count)
{
	char line[2 * WORD_BYTES_MAX + 80];
	size_t step = count / SAMPLE_LINES + 1;

	*listing = (struct listing){ .digest = DIGEST_START };
	for (size_t i = 0; i < count; i++) {
		size_t length = line_format(line, sorted[i]);

		listing->digest = digest_add(listing->digest, line, length);
		listing->bytes += length;
		if (i % step == 0) {
			printf("  %8zu: ", i);
			fwrite(line, 1, length, stdout);
		}
	}
}

/* The heaviest words; among equals the first in order. */
static void top_print(struct entry *const *sorted, size_t count)
{
	const struct entry *top[TOP_WORDS];
	unsigned used = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned place = used;

		while (place > 0 && top[place - 1]->weight < sorted[i]->weight)
			place--;
		if (place == TOP_WORDS)
			continue;
		used += used < TOP_WORDS;
		memmove(&top[place + 1], &top[place], (used - place - 1) * sizeof(struct entry *));
		top[place] = sorted[i];
	}
	printf("  most frequent:");
	for (unsigned i = 0; i < used; i++)
		printf(" %.*s %" PRIu64, (int)top[i]->length, top[i]->text, top[i]->weight);
	printf("\n");
}

static bool child_write_index(void)
{
	struct entry **sorted = index_sort(&words);
	struct listing listing;

	if (!sorted)
		return fail("sorted index");
	listing_write(&listing, sorted, words.entry_count);
	top_print(sorted, words.entry_count);
	printf("  sorted index: %zu lines, %zu bytes, digest %016" PRIx64 "\n", words.entry_count,
		listing.bytes, listing.digest);
	free(sorted);
	return true;
}

/* One complaint, when what is seen is not the snapshot. */
static bool child_check(const char *when, const struct expectation *expected, const uint8_t *marks)
{
	uint64_t checksum = index_checksum(&words);

	if (checksum != expected->checksum)
		printf("  WRONG %s: checksum %016" PRIx64 ", at the fork it was %016" PRIx64 "\n",
			when, checksum, expected->checksum);
	else if (!is_filled(expected->scratch, SCRATCH_BYTES, expected->generation))
		printf("  WRONG %s: the private mapping has changed\n", when);
	else if (!is_filled(marks, MARKS, expected->generation))
		printf("  WRONG %s: the stack has changed\n", when);
	else
		return true;
	return false;
}

/* The life of a child; returns its exit status. */
static int child_run(const struct expectation *expected, const uint8_t *marks)
{
	bool is_good;

	printf("generation %u: %zu words, %" PRIu64 " occurrences, checksum %016" PRIx64 "\n",
		expected->generation, words.entry_count, words.occurrences, expected->checksum);
	is_good = child_check("while the parent works", expected, marks);
	while (__atomic_load_n(&meeting->changed, __ATOMIC_ACQUIRE) != expected->generation)
		sched_yield();
	is_good &= child_check("after the parent's changes", expected, marks);
	is_good &= child_write_index();
	is_good &= child_check("after writing the index", expected, marks);
	is_good &= stack_grow(STACK_BLOCKS_MOST / 8, expected->generation);
	index_spoil(&words);
	return is_good ? 0 : 1;
}

/* ---- the parent: changes ---- */

/* Adds the pairs of neighbouring words in this generation's part of the text. */
static bool pairs_add(unsigned generation, unsigned generations)
{
	size_t position = text.count / generations * (generation - 1);
	size_t end = text.count / generations * generation;
	struct word previous = { 0 }, word;
	char pair[2 * WORD_BYTES_MAX + 1];

	for (; text_next_word(&text, &position, end, &word); previous = word) {
		if (previous.length == 0)
			continue;
		memcpy(pair, previous.bytes, previous.length);
		pair[previous.length] = '_';
		memcpy(pair + previous.length + 1, word.bytes, word.length);
		if (!index_add(&words, pair, previous.length + 1 + word.length,
			    (uint32_t)previous.position))
			return fail("pairs of words");
	}
	return true;
}

/* All of the parent's changes.  `marks` lies on its stack, scratch is a mapping of which half goes
   away. */
static bool parent_change(
	unsigned generation, unsigned generations, uint8_t *marks, uint8_t *scratch)
{
	unsigned blocks = STACK_BLOCKS_MOST / generations * generation;

	memset(marks, 0xee, MARKS);
	memset(scratch, 0xdd, SCRATCH_BYTES);
	if (munmap(scratch + SCRATCH_BYTES / 2, SCRATCH_BYTES / 2))
		return fail("munmap");
	index_change(&words, generation);
	if (!index_resize(&words, words.bucket_count * 2 + 1))
		return fail("table of the index");
	if (!pairs_add(generation, generations))
		return false;
	if (!stack_grow(blocks, generation + 1))
		return fail("the stack does not hold what was written");
	return true;
}

/* Waits for the child and says what became of it. */
static bool parent_wait(pid_t child, unsigned generation)
{
	int status = 0;

	if (waitpid(child, &status, 0) != child)
		return fail("waitpid");
	if (status != 0)
		printf("generation %u: WRONG: the child ended with %s %d\n", generation,
			WIFEXITED(status) ? "status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return status == 0;
}

static bool parent_run(pid_t child, const struct expectation *expected, unsigned generations,
	uint8_t *marks, uint8_t *scratch)
{
	unsigned generation = expected->generation;
	bool is_good = parent_change(generation, generations, marks, scratch);
	uint64_t checksum = index_checksum(&words);

	/* Also when that failed: the child waits for it. */
	__atomic_store_n(&meeting->changed, generation, __ATOMIC_RELEASE);
	is_good &= parent_wait(child, generation);
	is_good &= munmap(scratch, SCRATCH_BYTES / 2) == 0;
	if (index_checksum(&words) != checksum || !is_filled(marks, MARKS, 0xee)) {
		printf("generation %u: WRONG: the parent sees what the child wrote\n", generation);
		is_good = false;
	}
	printf("generation %u: parent has %zu words, checksum %016" PRIx64 ", snapshot %s\n",
		generation, words.entry_count, checksum, is_good ? "right" : "WRONG");
	return is_good;
}

static bool generation_run(unsigned generation, unsigned generations)
{
	uint8_t marks[MARKS];
	uint8_t *scratch = mmap(
		NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct expectation expected = {
		.generation = generation, .checksum = index_checksum(&words), .scratch = scratch
	};
	pid_t child;

	if (scratch == MAP_FAILED)
		return fail("private mapping");
	memset(scratch, (int)generation, SCRATCH_BYTES);
	memset(marks, (int)generation, MARKS);
	fflush(stdout);
	report_fork_begin();
	child = fork();
	if (child == 0)
		exit(child_run(&expected, marks));
	report_fork_end();
	if (child < 0)
		return fail("fork");
	return parent_run(child, &expected, generations, marks, scratch);
}

/* ---- start ---- */

static bool words_add_all(void)
{
	size_t position = 0;
	struct word word;

	while (text_next_word(&text, &position, text.count, &word))
		if (!index_add(&words, word.bytes, word.length, (uint32_t)word.position))
			return fail("index");
	printf("text: %zu bytes, digest %016" PRIx64 "\n", text.count,
		digest_add(DIGEST_START, text.bytes, text.count));
	printf("index: %zu words, %" PRIu64 " occurrences\n", words.entry_count, words.occurrences);
	return true;
}

static bool prepare(const char *path)
{
	if (!(path ? text_load(&text, path)
		   : text_load(&text, "text/input.txt") || text_load(&text, "text/default.txt")))
		return fail(path ? path : "text/default.txt");
	meeting = mmap(
		NULL, sizeof(*meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (meeting == MAP_FAILED)
		return fail("shared page");
	if (!index_create(&words, BUCKETS_FIRST))
		return fail("index");
	return words_add_all();
}

int main(int argc, char **argv)
{
	unsigned long generations = argc > 2 ? strtoul(argv[2], NULL, 10) : GENERATIONS_DEFAULT;
	bool is_good;

	if (argc > 3 || generations == 0 || generations > GENERATIONS_MAX) {
		fprintf(stderr, "usage: snapshot [FILE [GENERATIONS]]\n");
		return 2;
	}
	is_good = prepare(argc > 1 ? argv[1] : NULL);
	report_begin();
	for (unsigned generation = 1; is_good && generation <= generations; generation++)
		is_good = generation_run(generation, (unsigned)generations);
	report_end();
	printf("snapshot: %s\n", is_good ? "all generations right" : "FAILED");
	return is_good && fflush(stdout) == 0 ? 0 : 1;
}
