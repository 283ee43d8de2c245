/*
 * pager_ok(): the rules that the pager's structures and the machine's tables must keep.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_CHECK_H
#define PAGER_CHECK_H

#include <stdint.h>

/* The rules by number; check.c says each in a sentence. */
enum {
	CHECK_OK,
	CHECK_FREE_QUEUE, /* queue of free frames and its count disagree */
	CHECK_FREE_USED,  /* a free frame is not DATA, or in use */
	CHECK_SLOT,	  /* used slots of a top-level table and the record disagree */
	CHECK_LINK, /* an entry above the leaves names no table of the right level, or lacks U */
	CHECK_SHARED_WRITE,  /* a table with several references is writable in one of them */
	CHECK_NO_REGION,     /* a page outside all regions */
	CHECK_RIGHTS,	     /* a page with rights that its region does not give */
	CHECK_PAGE_SHARED,   /* a private page is writable and has another reference */
	CHECK_PAGE_KIND,     /* a page of a kind that cannot be there */
	CHECK_RESIDENT,	     /* the count of resident pages is wrong */
	CHECK_REGIONS,	     /* a region map is not in order */
	CHECK_REGION_NODES,  /* nodes of region maps leaked or miscounted */
	CHECK_COMMITTED,     /* the account of promises is wrong */
	CHECK_OBJECT_PAGES,  /* an object's pages and its count disagree */
	CHECK_OBJECT_MAPPED, /* an object's mappings and its count disagree */
	CHECK_LEAK,	     /* a frame in use that nothing refers to */
	CHECK_KINDS,	     /* the counts of frames by kind are wrong */
	CHECK_READ,	     /* a table could not be read */
	CHECK_KNOWN,	     /* what a space remembers of its tables or regions is not so */
	CHECK_BLOCKS,	     /* lists, counts or kinds of blocks for large pages are wrong */
	CHECK_RULES
};

/* 0, or the number of a rule that is violated, with *where = a frame, space or object.  Nothing may
   be collected. */
uint32_t pager_check(uint64_t *where);

#endif
