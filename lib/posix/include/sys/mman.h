/*
 * Memory mappings.  The values are those of the pager's protocol.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef _SYS_MMAN_H
#define _SYS_MMAN_H

#include <faultline/protocol/pager.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROT_NONE  0
#define PROT_READ  MAP_READ
#define PROT_WRITE MAP_WRITE
#define PROT_EXEC  MAP_EXEC

/* Names that the protocol has, too, are its enumerators; the macros let programs test for them. */
#define MAP_SHARED	    MAP_SHARED
#define MAP_PRIVATE	    (1 << 24)
#define MAP_ANONYMOUS	    (1 << 25)
#define MAP_ANON	    MAP_ANONYMOUS
#define MAP_FIXED	    MAP_FIXED_AT
#define MAP_FIXED_NOREPLACE MAP_NO_REPLACE
#define MAP_STACK MAP_STACK /* filled from its end down, page by page, with a gap below */
#define MAP_POPULATE  MAP_POPULATE
#define MAP_NORESERVE MAP_NO_RESERVE
#define MAP_FAILED    ((void *)-1)

/* mremap().  The values are the wire's. */
#define MREMAP_MAYMOVE REMAP_MAY_MOVE
#define MREMAP_FIXED   REMAP_FIXED

/* madvise().  WILLNEED fetches as much as there is memory for and never fails for lack of it. */
#define MADV_NORMAL   0
#define MADV_DONTNEED ADVICE_DISCARD
#define MADV_WILLNEED ADVICE_POPULATE
#define MADV_HUGEPAGE ADVICE_LARGE
#define MADV_NOHUGEPAGE ADVICE_SMALL
#define MADV_COLLAPSE ADVICE_COLLAPSE

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int munmap(void *address, size_t length);
int mprotect(void *address, size_t length, int protection);
/* With MREMAP_FIXED a fifth argument: the new address. */
void *mremap(void *address, size_t length, size_t new_length, int flags, ...);
int madvise(void *address, size_t length, int advice);

#ifdef __cplusplus
}
#endif

#endif
