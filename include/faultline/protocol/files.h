/*
 * The file server's requests: the boot archive's files, read-only.  File data are objects of the
 * pager; this server keeps names and sizes.  Files are open without state: a file is its object id.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_PROTOCOL_FILES_H
#define FAULTLINE_PROTOCOL_FILES_H

enum {
	FILES_ADD = 0x400, /* system: payload name, w0 object id, w1 size, w2 mode */
	FILES_OPEN,        /* payload name (no NUL needed); out w0 object id, w1 size, w2 mode */
	FILES_READ,        /* w0 object id, w1 offset, w2 bytes (at most 4096); out payload */
	FILES_LIST         /* w0 index; out payload name, w0 object id, w1 size, w2 mode; NOT_FOUND behind the last */
};

#endif
