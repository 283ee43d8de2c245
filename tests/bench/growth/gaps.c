/*
 * A plugin of QEMU's software CPU: the times between two receives of the pager, in instructions.
 *
 * The pager answers and receives at one instruction, or few.  From where it has returned from one to
 * where it reaches one again is one gap: all that is executed in between, kernel and
 * interrupts included.  A gap also ends, and the next begins, where the pager has just been told whether a message
 * waits (BATCH_LOOK), because then it goes to receive it.  The plugin counts instructions as blocks of translated code begin, so
 * a gap is right to within some dozen.  Other programs have code at the same addresses: the pager
 * is known by the bytes around the instruction.
 *
 * Arguments: site=ADDRESS:BEFORE:AFTER (any number; the code around it, in hexadecimal), look=... (likewise), out=FILE.
 * Output: lines "GAP floor count" (powers of two) and "WORST instructions".
 *
 * Debian ships no qemu-plugin.h: what is used of it is declared here (version 1 of the interface).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLIC	      __attribute__((visibility("default")))
#define BYTES_MOST    64u
#define SITES_MOST    8u
#define SYSCALL_BYTES 2u
#define PAGE_BYTES    4096u
#define ADD	      0 /* QEMU_PLUGIN_INLINE_ADD_U64 */
#define NO_REGISTERS  0 /* QEMU_PLUGIN_CB_NO_REGS */

struct tb;
struct insn;
typedef void (*insn_callback_t)(unsigned processor, void *data);

extern size_t qemu_plugin_tb_n_insns(const struct tb *tb);
extern struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *insn);
extern void *qemu_plugin_insn_haddr(const struct insn *insn);
extern void qemu_plugin_register_vcpu_tb_trans_cb(
	uint64_t id, void (*callback)(uint64_t, struct tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(
	struct tb *tb, int what, void *word, uint64_t value);
extern void qemu_plugin_register_vcpu_insn_exec_cb(
	struct insn *insn, insn_callback_t callback, int flags, void *data);
extern void qemu_plugin_register_atexit_cb(
	uint64_t id, void (*callback)(uint64_t, void *), void *data);

PUBLIC int qemu_plugin_version = 1;
PUBLIC int qemu_plugin_install(uint64_t id, const void *information, int count, char **arguments);

static uint64_t executed, returned_at, worst, gaps[64];
static struct site {
	uint64_t at;
	uint8_t before[BYTES_MOST], after[BYTES_MOST];
	size_t before_count, after_count;
	bool is_look;
} sites[SITES_MOST];
static uint32_t site_count;
static const char *output;
static bool is_out; /* the pager is between two receives */

static void gap_ends(void)
{
	uint64_t gap = executed - returned_at;

	if (!is_out)
		return;
	gaps[gap ? 63 - __builtin_clzll(gap) : 0]++;
	if (gap > worst)
		worst = gap;
}

static void receive_begins(unsigned processor, void *data)
{
	(void)processor;
	(void)data;
	gap_ends();
	is_out = false;
}

static void receive_returns(unsigned processor, void *data)
{
	(void)processor;
	(void)data;
	returned_at = executed;
	is_out = true;
}

static void look_returns(unsigned processor, void *data)
{
	(void)processor;
	(void)data;
	gap_ends();
	returned_at = executed;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Is the code around this instruction the pager's, as far as its page goes?  (A block of translated code may
   begin right at the instruction.) */
static bool is_pager(const struct site *site, const struct insn *insn)
{
	uint64_t offset = qemu_plugin_insn_vaddr(insn) - site->at; /* 0, or behind the system call */
	size_t in_page = qemu_plugin_insn_vaddr(insn) % PAGE_BYTES;
	const uint8_t *code = qemu_plugin_insn_haddr(insn);
	size_t before, after = smaller(site->after_count, PAGE_BYTES - in_page);

	if (!code)
		return false;
	if (offset == 0) {
		before = smaller(site->before_count, in_page);
		return memcmp(code - before, site->before + site->before_count - before, before) == 0;
	}
	before = smaller(site->before_count, in_page < SYSCALL_BYTES ? 0 : in_page - SYSCALL_BYTES);
	return memcmp(code, site->after, after) == 0 &&
	       memcmp(code - SYSCALL_BYTES - before,
		       site->before + site->before_count - before, before) == 0;
}

static void watch(const struct site *site, struct insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn);

	if (address == site->at && !site->is_look && is_pager(site, insn))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, receive_begins, NO_REGISTERS, NULL);
	if (address == site->at + SYSCALL_BYTES && is_pager(site, insn))
		qemu_plugin_register_vcpu_insn_exec_cb(
			insn, site->is_look ? look_returns : receive_returns, NO_REGISTERS, NULL);
}

static void translate(uint64_t id, struct tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &executed, count);
	for (size_t i = 0; i < count; i++)
		for (uint32_t site = 0; site < site_count; site++)
			watch(&sites[site], qemu_plugin_tb_get_insn(tb, i));
}

static void report(uint64_t id, void *data)
{
	FILE *file = fopen(output, "w");

	(void)id;
	(void)data;
	if (!file)
		return;
	for (unsigned i = 0; i < 64; i++)
		if (gaps[i])
			fprintf(file, "GAP %llu %llu\n", 1ull << i, (unsigned long long)gaps[i]);
	fprintf(file, "WORST %llu\n", (unsigned long long)worst);
	fclose(file);
}

static size_t parse_hex(const char *text, uint8_t *to, size_t most)
{
	size_t count = 0;
	unsigned byte;

	while (count < most && sscanf(text + 2 * count, "%2x", &byte) == 1)
		to[count++] = (uint8_t)byte;
	return count;
}

static bool site_add(const char *text, bool is_look)
{
	const char *before = strchr(text, ':'), *after = before ? strchr(before + 1, ':') : NULL;
	struct site *site = &sites[site_count];

	if (!after || site_count == SITES_MOST)
		return false;
	site->at = strtoull(text, NULL, 16);
	site->before_count = parse_hex(before + 1, site->before, BYTES_MOST);
	site->after_count = parse_hex(after + 1, site->after, BYTES_MOST);
	site->is_look = is_look;
	site_count++;
	return site->before_count > 0 && site->after_count > 0;
}

int qemu_plugin_install(uint64_t id, const void *information, int count, char **arguments)
{
	(void)information;
	for (int i = 0; i < count; i++) {
		if (strncmp(arguments[i], "out=", 4) == 0)
			output = strdup(arguments[i] + 4);
		else if (strncmp(arguments[i], "site=", 5) == 0 && site_add(arguments[i] + 5, false))
			continue;
		else if (strncmp(arguments[i], "look=", 5) != 0 || !site_add(arguments[i] + 5, true))
			return 1;
	}
	if (site_count == 0 || !output)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, report, NULL);
	return 0;
}
