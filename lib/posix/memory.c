/*
 * Heap break and mappings: requests to the pager about the own space.
 *
 * The break is remembered here, so that only a change of it costs a message; fork copies it with
 * everything else.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROTECTION_BITS ((uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC))
#define WIRE_FLAGS                                                                           \
	((uint64_t)(MAP_SHARED | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_STACK | MAP_POPULATE | \
		MAP_NORESERVE))

static uint64_t break_now; /* 0: not asked for yet */

/* posix_request() to the pager, in place: the words stay in registers. */
static inline __attribute__((always_inline)) status_t memory_request(
	uint32_t label, struct message *message)
{
	status_t status;

	message->tag = tag_make(label, 0);
	status = ipc_call(SLOT_PAGER, message);
	return status != ST_OK ? status : (status_t)TAG_LABEL(message->tag);
}

/* Sets the break (0: asks for it).  Every refusal is ENOMEM, as POSIX programs expect. */
static int break_set(uint64_t wanted)
{
	struct message message = { .w = { wanted } };
	status_t status = memory_request(PAGER_BRK, &message);

	if (status != ST_OK || (wanted && message.w[0] != wanted))
		return posix_fail_errno(ENOMEM);
	break_now = message.w[0];
	return 0;
}

/* Moves the break by increment bytes; returns the old one. */
void *sbrk(ptrdiff_t increment)
{
	uint64_t old, wanted;

	if (!break_now && break_set(0))
		return (void *)-1;
	old = break_now;
	wanted = old + (uint64_t)increment;
	if ((wanted > old) != (increment > 0)) {
		errno = ENOMEM;
		return (void *)-1;
	}
	if (wanted != old && break_set(wanted))
		return (void *)-1;
	return (void *)old;
}

/* Sets the break. */
int brk(void *address)
{
	return break_set((uint64_t)address);
}

/* The object to map: 0 for anonymous memory.  A file's pages can be shared only for reading. */
static int mapping_object(int protection, int flags, int fd, uint64_t *object)
{
	*object = 0;
	if (flags & MAP_ANONYMOUS)
		return 0;
	if ((flags & MAP_SHARED) && (protection & PROT_WRITE))
		return posix_fail_errno(EACCES);
	return files_object(fd, object);
}

/* Maps memory or a file; exactly one of MAP_SHARED and MAP_PRIVATE. */
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	struct message message = { .w = { (uint64_t)address & ~(PAGE_SIZE - 1), length } };
	bool is_exact = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
	uint64_t object;
	status_t status;

	if (length == 0 || !(flags & MAP_SHARED) == !(flags & MAP_PRIVATE) ||
		((uint64_t)offset & (PAGE_SIZE - 1)) ||
		(is_exact && message.w[0] != (uint64_t)address) ||
		((uint64_t)protection & ~PROTECTION_BITS)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	if (mapping_object(protection, flags, fd, &object))
		return MAP_FAILED;
	message.w[3] = object;
	message.w[2] = ((uint64_t)flags & WIRE_FLAGS) | (uint64_t)protection;
	message.w[4] = (uint64_t)offset;
	status = memory_request(PAGER_MMAP, &message);
	if (status != ST_OK) {
		errno = posix_errno(status, ABSENT_MEMORY);
		return MAP_FAILED;
	}
	return (void *)message.w[0];
}

/* Removes what is mapped in the range. */
int munmap(void *address, size_t length)
{
	struct message message = { .w = { (uint64_t)address, length } };
	status_t status = memory_request(PAGER_MUNMAP, &message);

	return status == ST_OK ? 0 : posix_fail(status, EINVAL);
}

/* Changes what may be done with the pages of the range. */
int mprotect(void *address, size_t length, int protection)
{
	struct message message = { .w = { (uint64_t)address, length, (uint64_t)protection } };
	status_t status = memory_request(PAGER_MPROTECT, &message);

	return status == ST_OK ? 0 : posix_fail(status, ABSENT_MEMORY);
}

/* Resizes a mapping, moving it if it may or must.  EFAULT: the range is not within one mapping. */
void *mremap(void *address, size_t length, size_t new_length, int flags, ...)
{
	struct message message = {
		.w = { (uint64_t)address, length, new_length, (uint64_t)flags },
	};
	status_t status;

	if (flags & MREMAP_FIXED) {
		va_list arguments;

		va_start(arguments, flags);
		message.w[4] = (uint64_t)va_arg(arguments, void *);
		va_end(arguments);
	}
	status = memory_request(PAGER_MREMAP, &message);
	if (status != ST_OK) {
		errno = posix_errno(status, EFAULT);
		return MAP_FAILED;
	}
	return (void *)message.w[0];
}

/* Says what the pages of the range are for: DONTNEED drops them, WILLNEED fetches them, HUGEPAGE lets
   many come at once, COLLAPSE makes large pages of them now. */
int madvise(void *address, size_t length, int advice)
{
	struct message message = { .w = { (uint64_t)address, length, (uint64_t)advice } };
	status_t status;

	if (advice == MADV_NORMAL || (length == 0 && (uint64_t)address % PAGE_SIZE == 0))
		return 0;
	status = memory_request(PAGER_MADVISE, &message);
	return status == ST_OK ? 0 : posix_fail(status, ABSENT_MEMORY);
}
