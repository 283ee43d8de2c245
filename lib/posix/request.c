/*
 * Requests to servers, and the translation of their answers to errno.
 *
 * Status codes, signals and flags on the wire are the system's own.  They are translated by name,
 * never by value, because C libraries number theirs differently.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <string.h>

/* The errno of a status; absent_errno says what NOT_FOUND is here.  The switch names every status,
   so that the compiler finds a new one missing. */
int posix_errno(status_t status, int absent_errno)
{
	switch (status) {
	case ST_OK:
		return 0;
	case ST_NOT_FOUND:
		return absent_errno;
	case ST_BAD_ARGUMENT:
	case ST_BAD_FRAME:
	case ST_WRONG_TYPE:
	case ST_MISMATCH:
	case ST_BAD_TOKEN:
		return EINVAL;
	case ST_BAD_CALL:
		return ENOSYS;
	case ST_NO_RIGHT:
		return EPERM;
	case ST_NO_ACCESS:
		return EACCES;
	case ST_BUSY:
		return EBUSY;
	case ST_LIMIT:
	case ST_MORE:
	case ST_EMPTY:
	case ST_AGAIN:
		return EAGAIN;
	case ST_NO_PAGE:
	case ST_NO_MEMORY:
		return ENOMEM;
	case ST_EXISTS:
		return EEXIST;
	case ST_BAD_FORMAT:
		return ENOEXEC;
	case ST_INTERRUPTED:
		return EINTR;
	case ST_BAD_HANDLE:
	case ST_DEAD:
	case ST_RESULTS:
		return EIO;
	}
	return EIO;
}

/* Sets errno; -1, so that callers can return it. */
int posix_fail_errno(int number)
{
	errno = number;
	return -1;
}

/* The same from a status. */
int posix_fail(status_t status, int absent_errno)
{
	return posix_fail_errno(posix_errno(status, absent_errno));
}

/* The message page, present: the kernel can put a reply's payload or an upcall into it. */
void *posix_message_page(void)
{
	*(volatile uint8_t *)MESSAGE_PAGE = 0;
	return MESSAGE_PAGE;
}

/*
 * Sends words and payload, waits for the answer, and returns its status: the kernel's when the call
 * did not come through, else the server's.  On OK message holds the reply.
 */
status_t posix_request(
	handle_t server, uint32_t label, uint32_t payload_bytes, struct message *message)
{
	status_t status;

	message->tag = tag_make(label, payload_bytes);
	status = ipc_call(server, message);
	if (status != ST_OK)
		return status;
	return (status_t)TAG_LABEL(message->tag);
}

/* Stores a result through a user's pointer.  0, or -1 with EFAULT. */
int posix_copy_out(void *to, const void *from, size_t bytes)
{
	(void)posix_message_page();
	if (guarded_copy(to, from, bytes))
		return posix_fail_errno(EFAULT);
	return 0;
}

/*
 * Puts a file name into the message page as the archive has it: without "/" or "./" before it.
 * Returns its length without the NUL, or -1 with errno.
 */
int64_t posix_path_to_page(const char *path)
{
	char *page = posix_message_page();
	int64_t bytes = guarded_copy_string(page, path, PAGE_SIZE);
	char *name = page;

	if (bytes < 0)
		return posix_fail_errno(EFAULT);
	if (bytes > (int64_t)PAGE_SIZE)
		return posix_fail_errno(ENAMETOOLONG);
	while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
		name += name[0] == '/' ? 1 : 2;
	bytes -= 1 + (name - page);
	if (bytes == 0)
		return posix_fail_errno(ENOENT);
	memmove(page, name, (size_t)bytes);
	return bytes;
}
