/*
 * What the files of lib/posix share: requests to servers, guarded copies, errno.
 *
 * The message page belongs to whatever ran last: every call and every upcall may overwrite it. So a
 * payload is copied in last, right before its call, and a reply's payload is taken out at once.
 * User pointers are followed by guarded copies only; a bad one becomes EFAULT.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef POSIX_POSIX_H
#define POSIX_POSIX_H

#include <call.h>
#include <errno.h>
#include <faultline/slots.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What NOT_FOUND means to the caller of the function that fails. */
enum {
	ABSENT_FILE = ENOENT,
	ABSENT_PROCESS = ESRCH,
	ABSENT_CHILD = ECHILD,
	ABSENT_MEMORY = ENOMEM
};

/* What FS points to.  Compilers use fixed places in it: the stack protector, dynamic linkers. */
struct thread_control {
	struct thread_control *self;
	uint64_t resume; /* upcall_entry.asm: where to go on */
	uint64_t reserved[6];
};

/* guarded.asm: described there. */
int64_t guarded_copy(void *to, const void *from, uint64_t bytes);
int64_t guarded_copy_string(char *to, const char *from, uint64_t limit);

int posix_errno(status_t status, int absent_errno);
int posix_fail(status_t status, int absent_errno);
int posix_fail_errno(int number);
status_t posix_request(handle_t server, uint32_t label, uint32_t payload_bytes,
	struct message *message) MUST_CHECK;
void *posix_message_page(void);
int posix_copy_out(void *to, const void *from, size_t bytes);
int64_t posix_path_to_page(const char *path);

/* signals.c */
int posix_signal_from_wire(unsigned wire);
int posix_signal_to_wire(int number);

/* upcall.c */
void upcall_register(void);

/* Of the C library in use: newlib/thread.c or picolibc/thread.c.  Called once with the thread
   pointer set, before any other function that keeps state. */
void library_thread_start(void);

/* files.c: the object behind a file descriptor, for mmap.  -1 with errno. */
int files_object(int fd, uint64_t *object);

#endif
