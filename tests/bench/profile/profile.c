/*
 * A plugin of QEMU's software CPU: which instructions a series of the benchmark executes, how often.
 *
 * Programs mark where a series begins, pauses, goes on and ends by instructions that do nothing
 * (mark.h).  The plugin counts each executed instruction by its virtual address and its place in
 * memory, because different programs have code at the same address.  Whose code a page holds is
 * found by comparing its instructions with the images; kernel addresses are the kernel's.
 *
 * Arguments: series=N (the N-th that ends, from 0) part=all|fork|write out=FILE image=NAME:FILE:BASE
 * (text as raw bytes, any number).  Output: lines "image address count".
 *
 * Debian ships no qemu-plugin.h: what is used of it is declared here (version 1 of the interface).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "mark.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLIC	      __attribute__((visibility("default")))
#define INSN_BYTES    15u
#define BUCKETS	      (1u << 16)
#define PAGE_BUCKETS  (1u << 12)
#define IMAGES_MOST   16u
#define KERNEL_FIRST  0xffff800000000000ull
#define ADD	      0 /* QEMU_PLUGIN_INLINE_ADD_U64 */
#define NO_REGISTERS  0 /* QEMU_PLUGIN_CB_NO_REGS */

struct tb;
struct insn;
typedef void (*insn_callback_t)(unsigned processor, void *data);

extern size_t qemu_plugin_tb_n_insns(const struct tb *tb);
extern struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *insn);
extern void *qemu_plugin_insn_haddr(const struct insn *insn);
extern const void *qemu_plugin_insn_data(const struct insn *insn);
extern size_t qemu_plugin_insn_size(const struct insn *insn);
extern void qemu_plugin_register_vcpu_tb_trans_cb(
	uint64_t id, void (*callback)(uint64_t, struct tb *));
extern void qemu_plugin_register_vcpu_insn_exec_inline(
	struct insn *insn, int what, void *word, uint64_t value);
extern void qemu_plugin_register_vcpu_insn_exec_cb(
	struct insn *insn, insn_callback_t callback, int flags, void *data);

PUBLIC int qemu_plugin_version = 1;
PUBLIC int qemu_plugin_install(uint64_t id, const void *information, int count, char **arguments);

/* An instruction that was translated. */
struct place {
	struct place *next;
	uint64_t address, host, executed, before, counted;
	uint8_t bytes[INSN_BYTES];
	uint8_t size;
};

/* A page of code, and how many of its instructions each image has there. */
struct page {
	struct page *next;
	uint64_t host;
	uint32_t matches[IMAGES_MOST];
};

static struct place *places[BUCKETS];
static struct page *pages[PAGE_BUCKETS];
static struct image {
	const char *name;
	uint8_t *text;
	uint64_t base, bytes;
} images[IMAGES_MOST];
static uint32_t image_count;
static uint32_t wanted_series, ended_series;
static uint32_t part; /* the mark that begins the part to count; 0: all of the series */
static bool is_counting;
static const char *output;

static void *allocate(size_t bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory) {
		fprintf(stderr, "profile: no memory\n");
		exit(1);
	}
	return memory;
}

static struct place *place_of(const struct insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn);
	uint64_t host = (uintptr_t)qemu_plugin_insn_haddr(insn);
	struct place **bucket = &places[(address ^ host >> 12) % BUCKETS], *place = *bucket;

	while (place && (place->address != address || place->host != host))
		place = place->next;
	if (!place) {
		place = allocate(sizeof(*place));
		place->next = *bucket;
		*bucket = place;
		place->address = address;
		place->host = host;
	}
	place->size = (uint8_t)qemu_plugin_insn_size(insn);
	memcpy(place->bytes, qemu_plugin_insn_data(insn),
		place->size < INSN_BYTES ? place->size : INSN_BYTES);
	return place;
}

/* ---- whose code ---- */

static bool image_has(const struct image *image, const struct place *place)
{
	uint64_t offset = place->address - image->base;

	return place->address >= image->base && offset + place->size <= image->bytes &&
	       memcmp(image->text + offset, place->bytes, place->size) == 0;
}

static struct page *page_of(const struct place *place)
{
	uint64_t host = place->host >> 12;
	struct page **bucket = &pages[host % PAGE_BUCKETS], *page = *bucket;

	while (page && page->host != host)
		page = page->next;
	if (!page) {
		page = allocate(sizeof(*page));
		page->next = *bucket;
		page->host = host;
		*bucket = page;
	}
	return page;
}

static void place_vote(struct place *place)
{
	struct page *page = page_of(place);

	for (uint32_t i = 0; i < image_count; i++)
		page->matches[i] += image_has(&images[i], place);
}

static const char *place_owner(struct place *place)
{
	const struct page *page = page_of(place);
	uint32_t best = 0;

	if (place->address >= KERNEL_FIRST)
		return "kernel";
	for (uint32_t i = 1; i < image_count; i++)
		if (page->matches[i] > page->matches[best])
			best = i;
	return image_count && page->matches[best] ? images[best].name : "unknown";
}

/* ---- marks ---- */

static void for_each_place(void (*run)(struct place *))
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		for (struct place *place = places[i]; place; place = place->next)
			run(place);
}

static void place_forget(struct place *place)
{
	place->counted = 0;
}

static void place_start(struct place *place)
{
	place->before = place->executed;
}

static void place_stop(struct place *place)
{
	place->counted += place->executed - place->before;
	place->before = place->executed;
}

static FILE *file;

static void place_print(struct place *place)
{
	if (place->counted)
		fprintf(file, "%s %llx %llu\n", place_owner(place), (unsigned long long)place->address,
			(unsigned long long)place->counted);
}

static void series_write(void)
{
	file = fopen(output, "w");
	if (!file)
		return;
	for_each_place(place_vote);
	for_each_place(place_print);
	fclose(file);
}

static void count_on(void)
{
	if (!is_counting)
		for_each_place(place_start);
	is_counting = true;
}

static void count_off(void)
{
	if (is_counting)
		for_each_place(place_stop);
	is_counting = false;
}

static void marked(unsigned processor, void *data)
{
	uint32_t mark = (uint32_t)(uintptr_t)data;

	(void)processor;
	if (mark == MARK_BEGIN) {
		count_off();
		for_each_place(place_forget);
	}
	if (part ? mark == part : mark == MARK_BEGIN || mark == MARK_RESUME)
		count_on();
	if (part ? mark == part + 1 : mark == MARK_PAUSE || mark == MARK_END)
		count_off();
	if (mark == MARK_END && ended_series++ == wanted_series)
		series_write();
}

/* The word of a mark, or 0: the instruction is nopl DISPLACEMENT(%rax). */
static uint32_t mark_of(const struct insn *insn)
{
	static const uint8_t begin[] = { 0x0f, 0x1f, 0x80 };
	const uint8_t *bytes = qemu_plugin_insn_data(insn);
	uint32_t word;

	if (qemu_plugin_insn_size(insn) != sizeof(begin) + sizeof(word) ||
		memcmp(bytes, begin, sizeof(begin)) != 0)
		return 0;
	memcpy(&word, bytes + sizeof(begin), sizeof(word));
	return word >= MARK_BEGIN && word <= MARK_LAST ? word : 0;
}

static void translate(uint64_t id, struct tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < count; i++) {
		struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t mark = mark_of(insn);

		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD, &place_of(insn)->executed, 1);
		if (mark)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, marked, NO_REGISTERS, (void *)(uintptr_t)mark);
	}
}

/* ---- arguments ---- */

static bool image_add(char *text)
{
	char *path = strchr(text, ':'), *base = path ? strchr(path + 1, ':') : NULL;
	struct image *image = &images[image_count];
	FILE *source;
	long bytes;

	if (!base || image_count == IMAGES_MOST)
		return false;
	*path++ = *base++ = 0;
	source = fopen(path, "rb");
	if (!source || fseek(source, 0, SEEK_END) != 0 || (bytes = ftell(source)) <= 0)
		return false;
	rewind(source);
	*image = (struct image){ .name = strdup(text), .text = allocate((size_t)bytes),
		.base = strtoull(base, NULL, 0), .bytes = (uint64_t)bytes };
	image_count++;
	return fread(image->text, 1, (size_t)bytes, source) == (size_t)bytes && fclose(source) == 0;
}

int qemu_plugin_install(uint64_t id, const void *information, int count, char **arguments)
{
	(void)information;
	for (int i = 0; i < count; i++) {
		char *value = strchr(arguments[i], '=');

		if (!value)
			return 1;
		value++;
		if (strncmp(arguments[i], "series=", 7) == 0)
			wanted_series = (uint32_t)strtoul(value, NULL, 10);
		else if (strncmp(arguments[i], "part=", 5) == 0)
			part = *value == 'f' ? MARK_FORK : *value == 'w' ? MARK_WRITE : 0;
		else if (strncmp(arguments[i], "out=", 4) == 0)
			output = strdup(value);
		else if (strncmp(arguments[i], "image=", 6) != 0 || !image_add(value))
			return 1;
	}
	if (!output)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
