/*
 * The boot script: text to a list of what to start.
 *
 * A pure function of its text, so that tests feed it anything.  The syntax is told in boot.script.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_SCRIPT_H
#define INIT_SCRIPT_H

#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_ENTRIES_MAX     24
#define SCRIPT_NAME_BYTES      16  /* of a server's name, with its NUL */
#define SCRIPT_ARGUMENTS_BYTES 256 /* of a spawn line's words, each with its NUL */
#define SCRIPT_ARGUMENTS_MAX   16
#define SCRIPT_FRAMES_MAX      (1u << 20)

enum script_kind { SCRIPT_SERVER, SCRIPT_RAW, SCRIPT_SPAWN };

struct script_entry {
	enum script_kind kind;
	uint32_t line;
	/* SERVER and RAW */
	char name[SCRIPT_NAME_BYTES];
	bool essential;
	uint32_t io_first, io_count;
	uint32_t irq_mask;
	uint32_t frames;
	/* SPAWN: the words of the line, path first */
	char arguments[SCRIPT_ARGUMENTS_BYTES];
	uint32_t argument_bytes, argument_count;
};

struct script {
	struct script_entry entries[SCRIPT_ENTRIES_MAX];
	uint32_t count;
	/* After BAD_FORMAT: where and what. */
	uint32_t error_line;
	const char *error;
};

/* Reads the whole script.  BAD_FORMAT: see error_line and error; nothing may be started then. */
status_t script_parse(struct script *script, const char *text, uint64_t bytes) MUST_CHECK;

#endif
