/*
 * The boot archive's files as objects of the pager, and the list of them.
 *
 * The list is init's: a file server that starts anew is told everything again.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_STORE_H
#define INIT_STORE_H

#include "init.h"
#include <faultline/call.h>

#define STORE_FILES_MAX 512u

struct stored_file {
	const char *name; /* inside the archive, which stays mapped */
	uint64_t object;  /* 0: the file is empty */
	uint64_t bytes;
	uint32_t mode;
};

/* Copies every regular file into an object; a damaged archive or a full pager ends the machine. */
void store_unpack(void);

uint32_t store_count(void);
uint64_t store_bytes(void);

/* The file, or NULL. */
const struct stored_file *store_find(const char *name);
const struct stored_file *store_find_in(const char *folder, const char *name);

/* Tells the file server all files. */
status_t store_announce(handle_t file_server) MUST_CHECK;

#endif
