/*
 * Host tests of the servers' pure parts: boot script, process table, directory, line editing,
 * readers, sleepers, the initial stack, formatted text.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "check.h"

#include "../../servers/console/line.h"
#include "../../servers/console/readers.h"
#include "../../servers/files/directory.h"
#include "../../servers/init/script.h"
#include "../../servers/proc/process.h"
#include "../../servers/time/sleepers.h"
#include <faultline/protocol/proc.h>
#include <loader.h>
#include <server/print.h>
#include <stdlib.h>

/* A generator with a fixed seed: every run is the same. */
static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % limit;
}

/* ---- boot script ---- */

static struct script script;

static status_t parse(const char *text)
{
	return script_parse(&script, text, strlen(text));
}

static void test_script_reads_every_kind_of_line(void)
{
	CHECK_EQUAL(parse("# comment\n\nserver console restart io 0x3f8 8 irq 4 irq 12\n"
			  "\tserver proc essential\r\nraw probe frames 1024\nspawn /bin/sh -c  go"),
		ST_OK);
	CHECK_EQUAL(script.count, 4);
	CHECK_EQUAL(script.entries[0].kind, SCRIPT_SERVER);
	CHECK(strcmp(script.entries[0].name, "console") == 0);
	CHECK(!script.entries[0].essential);
	CHECK_EQUAL(script.entries[0].io_first, 0x3f8);
	CHECK_EQUAL(script.entries[0].io_count, 8);
	CHECK_EQUAL(script.entries[0].irq_mask, (1u << 4) | (1u << 12));
	CHECK_EQUAL(script.entries[0].line, 3);
	CHECK(script.entries[1].essential);
	CHECK_EQUAL(script.entries[2].kind, SCRIPT_RAW);
	CHECK_EQUAL(script.entries[2].frames, 1024);
	CHECK_EQUAL(script.entries[3].kind, SCRIPT_SPAWN);
	CHECK_EQUAL(script.entries[3].argument_count, 3);
	CHECK_EQUAL(script.entries[3].argument_bytes, 14);
	CHECK(memcmp(script.entries[3].arguments, "/bin/sh\0-c\0go", 14) == 0);
}

static void check_error(const char *text, uint32_t line)
{
	CHECK_EQUAL(parse(text), ST_BAD_FORMAT);
	CHECK_EQUAL(script.error_line, line);
	CHECK(script.error != NULL);
}

static void test_script_names_the_line_of_an_error(void)
{
	check_error("server a restart\nsrver b restart\n", 2);
	check_error("server", 1);
	check_error("\n\nserver a\n", 3);
	check_error("server a sometimes\n", 1);
	check_error("server a restart io 0x3f8\n", 1);
	check_error("server a restart io 0x3f8 0\n", 1);
	check_error("server a restart io 0xffff 2\n", 1);
	check_error("server a restart io 1 1 io 2 2\n", 1);
	check_error("server a restart irq 16\n", 1);
	check_error("server a restart irq -1\n", 1);
	check_error("server a restart irq 4294967300\n", 1);
	check_error("server a restart irq 0x\n", 1);
	check_error("server a/b restart\n", 1);
	check_error("server a2345678901234567 restart\n", 1);
	check_error("server a restart\nserver a essential\n", 2);
	check_error("server a restart\nraw a frames 1\n", 2);
	check_error("raw a frames\n", 1);
	check_error("raw a frames 12 more\n", 1);
	check_error("raw a frames 99999999\n", 1);
	check_error("spawn\n", 1);
	check_error("# nothing\n", 1);
}

static void test_script_refuses_what_does_not_fit(void)
{
	char text[8192] = "spawn ";
	size_t used;

	memset(text + 6, 'x', SCRIPT_ARGUMENTS_BYTES - 1);
	CHECK_EQUAL(parse(text), ST_OK);
	memset(text + 6, 'x', SCRIPT_ARGUMENTS_BYTES);
	check_error(text, 1);

	used = 0;
	for (uint32_t i = 0; i <= SCRIPT_ENTRIES_MAX; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "server s%u restart\n", i);
	check_error(text, SCRIPT_ENTRIES_MAX + 1);
}

static void test_script_survives_random_bytes(void)
{
	static const char words[][10] = { "server ", "raw ", "spawn ", "restart ", "io ", "irq ",
		"frames ", "\n", "# ", "7 ", "0x" };

	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t bytes = 0, wanted = random_below(400);
		char *text = malloc(wanted + 16);

		CHECK(text != NULL);
		while (bytes < wanted) {
			const char *word = words[random_below(11)];

			if (random_below(4) == 0) {
				text[bytes++] = (char)random_below(256);
			} else {
				memcpy(text + bytes, word, strlen(word));
				bytes += (uint32_t)strlen(word);
			}
		}
		text = realloc(text, bytes + 1); /* the sanitizer watches the end */
		if (script_parse(&script, text, bytes) != ST_OK)
			CHECK(script.error != NULL);
		CHECK(script.count <= SCRIPT_ENTRIES_MAX);
		free(text);
	}
}

/* ---- process table ---- */

static void remove_all_processes(void)
{
	while (process_first_from(1)) {
		process_orphan_children(process_first_from(1));
		process_free(process_first_from(1));
	}
}

static void test_process_is_found_by_pid_and_badge(void)
{
	struct process *parent = process_create(NULL);
	struct process *child = process_create(parent);

	CHECK(process_find(child->pid) == child);
	CHECK(process_find_badge(process_badge(child)) == child);
	CHECK(process_find_badge(process_badge(child) + (1ull << 32)) == NULL);
	CHECK(process_find(0) == NULL);
	CHECK(process_find(child->pid + (uint64_t)PROCESS_MAX) == NULL);
	CHECK(process_find(child->pid + (1ull << 32)) == NULL);
	CHECK(process_is_within(child, parent));
	CHECK(!process_is_within(parent, child));
	CHECK(process_table_ok());
	remove_all_processes();
}

static void test_process_table_takes_all_and_no_more(void)
{
	for (uint32_t i = 0; i < PROCESS_MAX; i++)
		CHECK(process_create(NULL) != NULL);
	CHECK(process_create(NULL) == NULL);
	CHECK_EQUAL(process_count(), PROCESS_MAX);
	CHECK(process_table_ok());
	remove_all_processes();
	CHECK_EQUAL(process_count(), 0);
}

static void test_process_ids_are_not_reused_soon(void)
{
	struct process *first = process_create(NULL);
	uint64_t badge = process_badge(first);
	uint32_t pid = first->pid;

	process_free(first);
	for (uint32_t i = 0; i < 3 * PROCESS_MAX; i++) {
		struct process *process = process_create(NULL);

		CHECK(process->pid != pid);
		process_free(process);
	}
	CHECK(process_find_badge(badge) == NULL);
	CHECK(process_find(pid) == NULL);
}

static void test_process_reused_id_has_another_badge(void)
{
	struct process *keeper = process_create(NULL);
	struct process *process = process_create(NULL);
	uint32_t pid = process->pid;
	uint64_t badge = process_badge(process);

	do {
		process_free(process);
		process = process_create(NULL);
	} while (process->pid != pid);
	CHECK(process_badge(process) != badge);
	CHECK(process_find_badge(badge) == NULL);
	CHECK(process_find(keeper->pid) == keeper);
	CHECK(process_table_ok());
	remove_all_processes();
}

static void test_process_list_ascends_after_ids_begin_again(void)
{
	struct process *old = process_create(NULL);
	struct process *process;
	uint32_t pid = old->pid;

	do {
		process = process_create(NULL);
		if (process->pid < pid)
			break;
		process_free(process);
	} while (true);
	CHECK(process_first_from(1) == process);
	CHECK(process->next == old);
	CHECK(process_first_from((uint64_t)process->pid + 1) == old);
	CHECK(process_first_from((uint64_t)old->pid + 1) == NULL);
	CHECK(process_table_ok());
	remove_all_processes();
}

static void test_process_orphans_lose_their_parent(void)
{
	struct process *parent = process_create(NULL);
	struct process *running = process_create(parent);
	struct process *zombie = process_create(parent);
	uint32_t zombie_pid = zombie->pid;

	zombie->state = PROC_ZOMBIE;
	CHECK(process_find_child(parent, 0, true) == zombie);
	CHECK(process_find_child(parent, running->pid, true) == NULL);
	CHECK(process_find_child(parent, running->pid, false) == running);
	process_orphan_children(parent);
	CHECK(running->parent == NULL);
	CHECK(process_find(zombie_pid) == NULL);
	CHECK(process_find_child(parent, 0, false) == NULL);
	CHECK(process_table_ok());
	remove_all_processes();
}

static void test_process_table_ok_sees_a_broken_tree(void)
{
	struct process *parent = process_create(NULL);
	struct process *child = process_create(parent);

	child->parent = child;
	CHECK(!process_table_ok());
	child->parent = parent;
	parent->state = PROC_ZOMBIE;
	CHECK(!process_table_ok());
	parent->state = PROC_RUNNING;
	CHECK(process_table_ok());
	remove_all_processes();
}

static void test_process_random_families_stay_whole(void)
{
	for (uint32_t round = 0; round < 20000; round++) {
		struct process *some = process_first_from(random_below(PROCESS_PID_LIMIT));

		if (!some)
			some = process_first_from(1);
		if (process_count() < 60 && random_below(3) != 0) {
			process_create(some && some->state != PROC_ZOMBIE && random_below(8)
					       ? some
					       : NULL);
		} else if (some) {
			process_orphan_children(some);
			if (some->parent && random_below(2))
				some->state = PROC_ZOMBIE;
			else
				process_free(some);
		}
		CHECK(round % 50 != 0 || process_table_ok());
	}
	remove_all_processes();
}

static void test_process_name_is_cut(void)
{
	struct process *process = process_create(NULL);

	process_set_name(process, "a name that is longer than any name may be");
	CHECK_EQUAL(strlen(process->name), PROCESS_NAME_BYTES - 1);
	remove_all_processes();
}

/* ---- directory ---- */

static void test_directory_finds_by_any_spelling(void)
{
	const struct file contents = { .object = 7, .bytes = 100, .mode = 0100755 };

	CHECK_EQUAL(directory_add("./bin/sh", 8, &contents), ST_OK);
	CHECK(directory_find("bin/sh", 6) != NULL);
	CHECK(directory_find("/bin/sh", 7) == directory_find("./bin/sh", 8));
	CHECK(directory_find("//bin/sh\0\0", 10) == directory_find("bin/sh", 6));
	CHECK(directory_find("bin/s", 5) == NULL);
	CHECK(directory_find("", 0) == NULL);
	CHECK_EQUAL(directory_find_object(7)->bytes, 100);
	CHECK(directory_find_object(8) == NULL);
	directory_clear();
}

static void test_directory_takes_a_name_again(void)
{
	const struct file one = { .object = 1 }, two = { .object = 2 };

	CHECK_EQUAL(directory_add("a", 1, &one), ST_OK);
	CHECK_EQUAL(directory_add("b", 1, &one), ST_OK);
	CHECK_EQUAL(directory_add("/a", 2, &two), ST_OK);
	CHECK_EQUAL(directory_find("a", 1)->object, 2);
	CHECK(directory_at(1) != NULL);
	CHECK(directory_at(2) == NULL);
	CHECK(directory_at(1ull << 40) == NULL);
	directory_clear();
}

static void test_directory_refuses_what_does_not_fit(void)
{
	const struct file contents = { .object = 1 };
	char name[300];

	memset(name, 'x', sizeof(name));
	CHECK_EQUAL(directory_add(name, 256, &contents), ST_BAD_ARGUMENT);
	CHECK_EQUAL(directory_add("", 0, &contents), ST_BAD_ARGUMENT);
	CHECK_EQUAL(directory_add("/./", 3, &contents), ST_BAD_ARGUMENT);
	for (uint32_t i = 0; i < DIRECTORY_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		CHECK_EQUAL(directory_add(name, (uint32_t)strlen(name), &contents), ST_OK);
	}
	CHECK_EQUAL(directory_add("one-more", 8, &contents), ST_LIMIT);
	CHECK_EQUAL(directory_add("f7", 2, &contents), ST_OK);
	directory_clear();
}

/* ---- line editing ---- */

static struct line_editor editor;
static char echoed[65536];
static size_t echoed_bytes;

static void editor_reset(bool echo)
{
	memset(&editor, 0, sizeof(editor));
	editor.echo = echo;
	echoed_bytes = 0;
}

static enum line_event type(const char *text)
{
	enum line_event event = LINE_NOTHING;

	for (; *text; text++) {
		CHECK(line_has_room(&editor));
		event = line_type(&editor, (uint8_t)*text);
		CHECK(editor.shown_bytes <= LINE_ECHO_MAX);
		memcpy(echoed + echoed_bytes, editor.shown, editor.shown_bytes);
		echoed_bytes += editor.shown_bytes;
	}
	echoed[echoed_bytes] = '\0';
	return event;
}

/* The next portion as a string; "<none>" when no line is ready. */
static const char *take(uint32_t most)
{
	static char buffer[LINE_QUEUE_MAX + 1];
	struct line_portion portion;

	if (!line_is_ready(&editor))
		return "<none>";
	portion = line_look(&editor, buffer, most);
	line_drop(&editor, portion);
	buffer[portion.bytes] = '\0';
	return buffer;
}

static void test_line_echoes_and_ends_at_enter(void)
{
	editor_reset(true);
	CHECK_EQUAL(type("hello"), LINE_NOTHING);
	CHECK(strcmp(take(100), "<none>") == 0);
	CHECK_EQUAL(type("\r"), LINE_FINISHED);
	CHECK(strcmp(echoed, "hello\n") == 0);
	CHECK(strcmp(take(100), "hello\n") == 0);
	CHECK(strcmp(take(100), "<none>") == 0);
}

static void test_line_takes_return_newline_as_one_key(void)
{
	editor_reset(false);
	type("a\r\nb\n\nc\r\rd\n");
	CHECK_EQUAL(echoed_bytes, 0);
	CHECK(strcmp(take(100), "a\n") == 0);
	CHECK(strcmp(take(100), "b\n") == 0);
	CHECK(strcmp(take(100), "\n") == 0);
	CHECK(strcmp(take(100), "c\n") == 0);
	CHECK(strcmp(take(100), "\n") == 0);
	CHECK(strcmp(take(100), "d\n") == 0);
	CHECK(strcmp(take(100), "<none>") == 0);
}

static void test_line_backspace_and_kill(void)
{
	editor_reset(true);
	type("ab\x7f\b\b\bxy\r");
	CHECK(strcmp(echoed, "ab\b \b\b \bxy\n") == 0);
	CHECK(strcmp(take(100), "xy\n") == 0);
	editor_reset(true);
	type("abc\x15"
	     "d\r");
	CHECK(strcmp(echoed, "abc\b \b\b \b\b \bd\n") == 0);
	CHECK(strcmp(take(100), "d\n") == 0);
}

static void test_line_backspace_takes_a_whole_character(void)
{
	editor_reset(true);
	type("a\xc3\xa4\xe2\x82\xac");
	echoed_bytes = 0;
	type("\x7f");
	CHECK(strcmp(echoed, "\b \b") == 0);
	type("\x7f\r");
	CHECK(strcmp(take(100), "a\n") == 0);
}

static void test_line_end_of_file(void)
{
	editor_reset(false);
	CHECK_EQUAL(type("\x04"), LINE_FINISHED);
	CHECK(strcmp(take(100), "") == 0);
	type("abc\x04");
	CHECK(strcmp(take(100), "abc") == 0);
	CHECK(strcmp(take(100), "<none>") == 0);
	type("abc\x04\x04");
	CHECK(strcmp(take(3), "abc") == 0);
	CHECK(strcmp(take(100), "") == 0);
	CHECK(strcmp(take(100), "<none>") == 0);
}

static void test_line_interrupt_drops_everything(void)
{
	editor_reset(true);
	type("one\rtwo");
	CHECK_EQUAL(type("\x03"), LINE_INTERRUPT);
	CHECK(strcmp(take(100), "<none>") == 0);
	CHECK(strcmp(echoed, "one\ntwo^C\n") == 0);
	type("three\r");
	CHECK(strcmp(take(100), "three\n") == 0);
}

static void test_line_skips_escape_sequences(void)
{
	editor_reset(true);
	type("a\x1b[Ab\x1b[1;5Cc\x1bOPd\x1bx\x01\x1b\x15"
	     "e\r");
	CHECK(strcmp(take(100), "e\n") == 0);
	type("a\x1b[A\x1b[3~b\r");
	CHECK(strcmp(take(100), "ab\n") == 0);
}

static void test_line_is_given_out_in_portions(void)
{
	editor_reset(false);
	type("abcdef\n");
	CHECK(strcmp(take(3), "abc") == 0);
	CHECK(strcmp(take(3), "def") == 0);
	CHECK(strcmp(take(3), "\n") == 0);
	CHECK(strcmp(take(3), "<none>") == 0);
}

static void test_line_stays_until_it_is_dropped(void)
{
	char buffer[16];
	struct line_portion portion;

	editor_reset(false);
	type("abc\x04");
	portion = line_look(&editor, buffer, sizeof(buffer));
	CHECK_EQUAL(portion.bytes, 3);
	portion = line_look(&editor, buffer, sizeof(buffer));
	CHECK_EQUAL(portion.bytes, 3);
	line_drop(&editor, portion);
	CHECK(!line_is_ready(&editor));
}

static void test_line_has_a_longest_length(void)
{
	editor_reset(true);
	for (uint32_t i = 0; i < LINE_EDIT_MAX; i++)
		type("x");
	echoed_bytes = 0;
	type("y");
	CHECK(strcmp(echoed, "\a") == 0);
	type("\r");
	CHECK_EQUAL(strlen(take(LINE_QUEUE_MAX)), LINE_EDIT_MAX + 1);
}

static void test_line_queue_never_overflows(void)
{
	uint32_t taken = 0;

	editor_reset(true);
	for (uint32_t i = 0; i < 200000; i++) {
		static const char keys[] = "abcdefgh\r\r\n\x7f\x04\x15";

		if (line_has_room(&editor))
			line_type(&editor,
				(uint8_t)(random_below(300) == 0 ? 3 : keys[random_below(14)]));
		else
			CHECK(line_is_ready(&editor));
		CHECK(editor.queue_count <= LINE_QUEUE_MAX);
		CHECK(editor.shown_bytes <= LINE_ECHO_MAX);
		if (random_below(40) == 0 && line_is_ready(&editor))
			taken += take(1 + random_below(64)) != NULL;
	}
	CHECK(taken > 0);
	while (line_is_ready(&editor))
		take(100);
	CHECK_EQUAL(editor.lines, 0);
}

static void test_readers_are_served_in_order(void)
{
	struct reader reader;

	for (uint32_t i = 0; i < READERS_MAX; i++)
		CHECK_EQUAL(readers_add((struct reader){ i, 1 }), ST_OK);
	CHECK_EQUAL(readers_add((struct reader){ 99, 1 }), ST_LIMIT);
	CHECK(readers_remove(1));
	CHECK(!readers_remove(1));
	CHECK(readers_take(&reader));
	CHECK_EQUAL(reader.token, 0);
	CHECK(readers_take(&reader));
	CHECK_EQUAL(reader.token, 2);
	while (readers_take(&reader))
		continue;
	CHECK(!readers_are_waiting());
}

/* ---- sleepers ---- */

static void test_sleepers_wake_by_deadline_then_arrival(void)
{
	uint64_t token;

	CHECK_EQUAL(sleepers_first(), 0);
	CHECK_EQUAL(sleepers_add(30, 1), ST_OK);
	CHECK_EQUAL(sleepers_add(10, 2), ST_OK);
	CHECK_EQUAL(sleepers_add(30, 3), ST_OK);
	CHECK_EQUAL(sleepers_add(20, 4), ST_OK);
	CHECK_EQUAL(sleepers_first(), 10);
	CHECK(!sleepers_take(9, &token));
	CHECK(sleepers_take(10, &token) && token == 2);
	CHECK(!sleepers_take(10, &token));
	CHECK(sleepers_remove(4));
	CHECK(!sleepers_remove(4));
	CHECK(sleepers_take(100, &token) && token == 1);
	CHECK(sleepers_take(100, &token) && token == 3);
	CHECK(!sleepers_take(100, &token));
}

static void test_sleepers_keep_order_at_random(void)
{
	static uint64_t deadlines[SLEEPERS_MAX];
	uint64_t token, before = 0;
	uint32_t woken = 0;

	for (uint32_t i = 0; i < SLEEPERS_MAX; i++) {
		deadlines[i] = 1 + random_below(1000);
		CHECK_EQUAL(sleepers_add(deadlines[i], i), ST_OK);
	}
	CHECK_EQUAL(sleepers_add(1, 0), ST_LIMIT);
	CHECK(sleepers_take_last(&token));
	for (uint32_t i = 0; i < SLEEPERS_MAX; i++)
		CHECK(deadlines[i] <= deadlines[token]);
	for (uint32_t i = 0; i < SLEEPERS_MAX; i += 3)
		CHECK(sleepers_remove(i) || i == token);
	for (; sleepers_take(UINT64_MAX, &token); woken++) {
		CHECK(deadlines[token] >= before);
		before = deadlines[token];
	}
	CHECK(woken >= SLEEPERS_MAX * 2 / 3 - 2);
	CHECK(!sleepers_take_last(&token));
}

/* ---- the initial stack ---- */

#define STACK_TOP 0x7ffffffff000ull

static _Alignas(16) uint8_t stack_buffer[LOADER_STACK_MAX];

static const char *stack_string(const struct loader_stack *stack, uint64_t address)
{
	CHECK(address >= stack->address && address < stack->address + stack->bytes);
	return (const char *)stack->buffer + (address - stack->address);
}

static void test_stack_has_the_form_of_the_abi(void)
{
	const struct elf_image image = {
		.entry = 0x401000, .headers_address = 0x400040, .header_count = 5
	};
	const struct loader_strings strings = { "sh\0-c\0HOME=/", 13, 2, 1 };
	struct loader_stack stack = { .buffer = stack_buffer };
	const uint64_t *word = (const uint64_t *)(const void *)stack_buffer;

	CHECK_EQUAL(loader_stack_build(&stack, STACK_TOP, &strings, &image), ST_OK);
	CHECK_EQUAL(stack.address % 16, 0);
	CHECK_EQUAL(stack.address + stack.bytes, STACK_TOP);
	CHECK_EQUAL(word[0], 2);
	CHECK(strcmp(stack_string(&stack, word[1]), "sh") == 0);
	CHECK(strcmp(stack_string(&stack, word[2]), "-c") == 0);
	CHECK_EQUAL(word[3], 0);
	CHECK(strcmp(stack_string(&stack, word[4]), "HOME=/") == 0);
	CHECK_EQUAL(word[5], 0);
	CHECK_EQUAL(word[6], AT_PHDR);
	CHECK_EQUAL(word[7], 0x400040);
	CHECK_EQUAL(word[8], AT_PHENT);
	CHECK_EQUAL(word[9], 56);
	CHECK_EQUAL(word[10], AT_PHNUM);
	CHECK_EQUAL(word[11], 5);
	CHECK_EQUAL(word[12], AT_PAGESZ);
	CHECK_EQUAL(word[13], 4096);
	CHECK_EQUAL(word[14], AT_ENTRY);
	CHECK_EQUAL(word[15], 0x401000);
	CHECK_EQUAL(word[16], AT_NULL);
}

static void test_stack_takes_no_and_most_strings(void)
{
	const struct elf_image image = { .entry = 0x401000 };
	static const char nuls[LOADER_STRINGS_MAX + 1];
	struct loader_strings strings = { nuls, 0, 0, 0 };
	struct loader_stack stack = { .buffer = stack_buffer };

	CHECK_EQUAL(loader_stack_build(&stack, STACK_TOP, &strings, &image), ST_OK);
	CHECK_EQUAL(stack.address % 16, 0);
	strings = (struct loader_strings){ nuls, LOADER_STRINGS_MAX, LOADER_STRINGS_MAX, 0 };
	CHECK_EQUAL(loader_stack_build(&stack, STACK_TOP, &strings, &image), ST_OK);
	CHECK(stack.bytes <= LOADER_STACK_MAX);
	CHECK_EQUAL(stack.address % 16, 0);
	strings.bytes++;
	strings.argument_count++;
	CHECK_EQUAL(loader_stack_build(&stack, STACK_TOP, &strings, &image), ST_LIMIT);
}

static void test_stack_refuses_miscounted_strings(void)
{
	const struct elf_image image = { .entry = 0x401000 };
	struct loader_stack stack = { .buffer = stack_buffer };
	struct loader_strings strings = { "a\0b", 4, 1, 0 };
	uint32_t count;

	CHECK_EQUAL(loader_stack_build(&stack, STACK_TOP, &strings, &image), ST_BAD_ARGUMENT);
	strings.argument_count = UINT32_MAX;
	strings.environment_count = 3;
	CHECK_EQUAL(loader_stack_build(&stack, STACK_TOP, &strings, &image), ST_BAD_ARGUMENT);
	CHECK_EQUAL(loader_strings_count("ab", 2, &count), ST_BAD_ARGUMENT);
	CHECK_EQUAL(loader_strings_count("ab", 3, &count), ST_OK);
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(loader_strings_count("", 0, &count), ST_OK);
	CHECK_EQUAL(count, 0);
}

/* ---- formatted text ---- */

static char printed[64];

#define PRINTED(...) (print_text(printed, sizeof(printed), __VA_ARGS__), printed)

static void test_print_formats_as_c_does(void)
{
	CHECK(strcmp(PRINTED("%s|%5s|%-5s|%.2s|%c|%%", "ab", "ab", "ab", "abc", 'x'),
		      "ab|   ab|ab   |ab|x|%") == 0);
	CHECK(strcmp(PRINTED("%d %d %u %x", -7, INT32_MIN, UINT32_MAX, 0xbeefu),
		      "-7 -2147483648 4294967295 beef") == 0);
	CHECK(strcmp(PRINTED("%5d|%-5d|%05d|%4x", 42, 42, -42, 10u), "   42|42   |-0042|   a") ==
		0);
	CHECK(strcmp(PRINTED("%ld %lu %016lx", INT64_MIN, UINT64_MAX, (uint64_t)0x1234),
		      "-9223372036854775808 18446744073709551615 0000000000001234") == 0);
	CHECK(strcmp(PRINTED("%*d|%.*s", 4, 7, 3, "abcdef"), "   7|abc") == 0);
	CHECK(strcmp(PRINTED("%p %zu", (void *)(uintptr_t)0x10, (size_t)3), "0x10 3") == 0);
}

static void test_print_never_overruns(void)
{
	char *small = malloc(4);

	CHECK(small != NULL);
	CHECK_EQUAL(print_text(small, 4, "%s", "abcdef"), 3);
	CHECK(strcmp(small, "abc") == 0);
	CHECK_EQUAL(print_text(small, 4, "%09d", 5), 3);
	CHECK_EQUAL(print_text(small, 1, "%s", "x"), 0);
	CHECK_EQUAL(small[0], 0);
	free(small);
}

static const struct check_test tests[] = {
	CHECK_TEST(script_reads_every_kind_of_line),
	CHECK_TEST(script_names_the_line_of_an_error),
	CHECK_TEST(script_refuses_what_does_not_fit),
	CHECK_TEST(script_survives_random_bytes),
	CHECK_TEST(process_is_found_by_pid_and_badge),
	CHECK_TEST(process_table_takes_all_and_no_more),
	CHECK_TEST(process_ids_are_not_reused_soon),
	CHECK_TEST(process_reused_id_has_another_badge),
	CHECK_TEST(process_list_ascends_after_ids_begin_again),
	CHECK_TEST(process_orphans_lose_their_parent),
	CHECK_TEST(process_table_ok_sees_a_broken_tree),
	CHECK_TEST(process_random_families_stay_whole),
	CHECK_TEST(process_name_is_cut),
	CHECK_TEST(directory_finds_by_any_spelling),
	CHECK_TEST(directory_takes_a_name_again),
	CHECK_TEST(directory_refuses_what_does_not_fit),
	CHECK_TEST(line_echoes_and_ends_at_enter),
	CHECK_TEST(line_takes_return_newline_as_one_key),
	CHECK_TEST(line_backspace_and_kill),
	CHECK_TEST(line_backspace_takes_a_whole_character),
	CHECK_TEST(line_end_of_file),
	CHECK_TEST(line_interrupt_drops_everything),
	CHECK_TEST(line_skips_escape_sequences),
	CHECK_TEST(line_is_given_out_in_portions),
	CHECK_TEST(line_stays_until_it_is_dropped),
	CHECK_TEST(line_has_a_longest_length),
	CHECK_TEST(line_queue_never_overflows),
	CHECK_TEST(readers_are_served_in_order),
	CHECK_TEST(sleepers_wake_by_deadline_then_arrival),
	CHECK_TEST(sleepers_keep_order_at_random),
	CHECK_TEST(stack_has_the_form_of_the_abi),
	CHECK_TEST(stack_takes_no_and_most_strings),
	CHECK_TEST(stack_refuses_miscounted_strings),
	CHECK_TEST(print_formats_as_c_does),
	CHECK_TEST(print_never_overruns),
};

int main(int argc, char **argv)
{
	return check_run(tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL, argc, argv);
}
