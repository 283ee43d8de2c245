/*
 * Slabs: items of one size in one contiguous window of virtual addresses.
 *
 * The window (base, capacity x item size) is chosen once; memory comes into it from its low end,
 * ahead of use, by the owner's `grow` callback: in the guest it maps frames there, on the host the
 * memory is there already.  Items given back are kept in a free list and used again first; the
 * window never shrinks.
 *
 * slab_reserve(n) is the only function that can fail for lack of memory: it makes sure that the
 * next n slab_take() succeed.  An operation reserves what it may need, then changes things, so it
 * cannot stop half way; what runs on the fault path has been reserved before.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef PAGER_SLAB_H
#define PAGER_SLAB_H

#include <faultline/status.h>
#include <stdbool.h>
#include <stdint.h>

/* Memory is asked for in pieces of this size at least (fewer at the end of the window). */
#define SLAB_GROW_BYTES 16384ull

/* Put memory at [address, address + bytes): page-aligned, whole pages, all of it or nothing. */
typedef status_t slab_grow_t(void *address, uint64_t bytes);

struct slab {
	uint8_t *base;        /* page-aligned */
	uint64_t item_bytes;  /* a multiple of 8, at least 8 */
	uint64_t capacity;    /* items the window has room for */
	slab_grow_t *grow;
	uint64_t backed_bytes;/* memory is at [base, base + backed_bytes) */
	uint64_t fresh;       /* items from this one on have never been taken */
	uint64_t used;        /* items taken and not given back */
	void *free;           /* items given back, linked through their first word */
};

/* Set up an empty slab; nothing is allocated yet.  BAD_ARGUMENT for a base or size that is unfit. */
MUST_CHECK status_t slab_init(struct slab *slab, void *base, uint64_t item_bytes, uint64_t capacity,
			      slab_grow_t *grow);

/* How many items can be taken now without memory from outside. */
uint64_t slab_available(const struct slab *slab);

/*
 * Make sure that the next `count` calls of slab_take() succeed.  Reservations do not add up: who
 * needs three and then four reserves seven.  NO_MEMORY when the window is full, else what grow says.
 */
MUST_CHECK status_t slab_reserve(struct slab *slab, uint64_t count);

/* Take an item (contents undefined); a null pointer only if nothing had been reserved. */
void *slab_take(struct slab *slab);

/* Give an item back, which slab_take() of the same slab returned. */
void slab_give(struct slab *slab, void *item);

/* The number of an item in the window, and back.  For ids made of index and generation. */
uint64_t slab_index(const struct slab *slab, const void *item);
void *slab_at(const struct slab *slab, uint64_t index);

/* Counts, bounds and free list are consistent (walks the free list). */
bool slab_ok(const struct slab *slab);

#endif
