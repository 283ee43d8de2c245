/*
 * Limits that programs ask for while they run.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 32 /* of files.c */
#define ARGUMENT_BYTES_MAX \
	PAGE_SIZE /* path, arguments and environment travel in one message page */

/* The value of a limit; -1 with EINVAL when it is not known here. */
long sysconf(int name)
{
	switch (name) {
	case _SC_PAGESIZE:
		return (long)PAGE_SIZE;
	case _SC_OPEN_MAX:
		return DESCRIPTORS_MAX;
	case _SC_ARG_MAX:
		return (long)ARGUMENT_BYTES_MAX;
	case _SC_CLK_TCK:
		return CLOCKS_PER_SEC;
#ifdef _SC_NPROCESSORS_ONLN
	case _SC_NPROCESSORS_ONLN:
		return 1;
#endif
	default:
		return posix_fail_errno(EINVAL);
	}
}

/* Bytes of a page. */
int getpagesize(void)
{
	return (int)PAGE_SIZE;
}
