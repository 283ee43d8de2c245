/*
 * Wired programs: spaces that init builds itself, every page present before they run.
 *
 * So come the pager, which can have no pager, and raw servers.  What they consist of belongs to one
 * pool: init's own for the pager (which must not be able to take itself apart), the server's own
 * for a raw server.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_WIRED_H
#define INIT_WIRED_H

#include <faultline/archive.h>
#include <faultline/frame.h>
#include <faultline/status.h>
#include <stdint.h>

#define WIRED_TABLES_MAX 24u

struct wired_table {
	uint32_t level;
	uint64_t prefix; /* address bits above what the table covers */
	pfn_t pfn;
};

struct wired {
	const char *name;
	uint32_t pool; /* what it consists of belongs to it */
	pfn_t space, top, thread, message;
	uint64_t entry;
	struct wired_table tables[WIRED_TABLES_MAX];
	uint32_t table_count;
};

/* Kinds of pages. */
#define WIRED_READ_ONLY	 (PTE_P | PTE_U | PTE_NX)
#define WIRED_READ_WRITE (PTE_P | PTE_U | PTE_W | PTE_NX)
#define WIRED_EXECUTE	 (PTE_P | PTE_U)

struct wired_kind {
	const char *name;
	uint32_t pool;       /* of its frames */
	uint64_t space_word; /* SPACE_* rights | pool of its batches << SPACE_POOL_SHIFT */
	uint32_t priority;
};

/* Space, thread and message page; nothing else is mapped. */
status_t wired_create(struct wired *wired, const struct wired_kind *kind) MUST_CHECK;

/* Maps a copy of the program's segments.  *why: as elf_read. */
status_t wired_load(
	struct wired *wired, const struct archive_file *file, const char **why) MUST_CHECK;

/* Maps fresh zeroed pages. */
status_t wired_map_zeros(struct wired *wired, uint64_t address, uint32_t pages) MUST_CHECK;

/* Maps one page with a copy of `bytes` bytes, read-only. */
status_t wired_map_copy(
	struct wired *wired, uint64_t address, const void *source, uint32_t bytes) MUST_CHECK;

/* Puts a table that exists into an entry of the top level. */
status_t wired_link_table(struct wired *wired, uint32_t slot, pfn_t table) MUST_CHECK;

/* Makes init its fault and exception port, under this badge. */
status_t wired_watch(const struct wired *wired, uint64_t badge) MUST_CHECK;

/* Fills a slot of its handle table with init's handle of slot `source`. */
status_t wired_set_handle(const struct wired *wired, uint32_t slot, uint32_t source,
	uint32_t rights, uint64_t badge) MUST_CHECK;

/* Starts its thread at its entry. */
status_t wired_start(const struct wired *wired, uint64_t stack_top, uint64_t argument) MUST_CHECK;

#endif
