/*
 * Slabs: items of one size in one contiguous window (model and rules: slab.h).
 *
 *	base          fresh              backed_bytes              capacity
 *	| used or in the free list | never taken, memory there | no memory yet |
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "slab.h"
#include <faultline/layout.h>

static uint64_t window_bytes(const struct slab *slab)
{
	uint64_t bytes = slab->capacity * slab->item_bytes;

	return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static uint64_t backed_items(const struct slab *slab)
{
	uint64_t items = slab->backed_bytes / slab->item_bytes;

	return items < slab->capacity ? items : slab->capacity;
}

status_t slab_init(struct slab *slab, void *base, uint64_t item_bytes, uint64_t capacity,
		   slab_grow_t *grow)
{
	if ((uintptr_t)base % PAGE_SIZE || !item_bytes || item_bytes % sizeof(void *) || !capacity)
		return ST_BAD_ARGUMENT;
	if (capacity > (UINT64_MAX - (uintptr_t)base - PAGE_SIZE) / item_bytes)
		return ST_BAD_ARGUMENT;
	*slab = (struct slab){
		.base = base, .item_bytes = item_bytes, .capacity = capacity, .grow = grow};
	return ST_OK;
}

uint64_t slab_available(const struct slab *slab)
{
	return backed_items(slab) - slab->used;
}

/* Put `bytes` more memory into the window. */
static status_t grow_by(struct slab *slab, uint64_t bytes)
{
	status_t status = slab->grow(slab->base + slab->backed_bytes, bytes);

	if (status == ST_OK)
		slab->backed_bytes += bytes;
	return status;
}

status_t slab_reserve(struct slab *slab, uint64_t count)
{
	if (slab_available(slab) >= count)
		return ST_OK;
	if (count > slab->capacity - slab->used)
		return ST_NO_MEMORY;

	uint64_t wanted = (slab->used + count) * slab->item_bytes - slab->backed_bytes;
	uint64_t least = (wanted + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	uint64_t room = window_bytes(slab) - slab->backed_bytes;
	uint64_t ahead = room < SLAB_GROW_BYTES ? room : SLAB_GROW_BYTES;

	/* Prefer a larger piece; be content with what is needed when memory is short. */
	if (ahead > least && grow_by(slab, ahead) == ST_OK)
		return ST_OK;
	return grow_by(slab, least);
}

void *slab_take(struct slab *slab)
{
	void **item = slab->free;

	if (item) {
		slab->free = *item;
	} else {
		if (slab->fresh >= backed_items(slab))
			return 0;
		item = slab_at(slab, slab->fresh++);
	}
	slab->used++;
	return item;
}

void slab_give(struct slab *slab, void *item)
{
	*(void **)item = slab->free;
	slab->free = item;
	slab->used--;
}

uint64_t slab_index(const struct slab *slab, const void *item)
{
	return (uint64_t)((const uint8_t *)item - slab->base) / slab->item_bytes;
}

void *slab_at(const struct slab *slab, uint64_t index)
{
	return slab->base + index * slab->item_bytes;
}

/* Is this the address of an item that has been taken once? */
static bool is_item(const struct slab *slab, const void *item)
{
	uintptr_t offset = (uintptr_t)item - (uintptr_t)slab->base;

	return offset % slab->item_bytes == 0 && offset / slab->item_bytes < slab->fresh;
}

bool slab_ok(const struct slab *slab)
{
	uint64_t free_items = 0;

	if (slab->backed_bytes > window_bytes(slab) || slab->backed_bytes % PAGE_SIZE)
		return false;
	if (slab->fresh > backed_items(slab) || slab->used > slab->fresh)
		return false;
	for (void *const *item = slab->free; item; item = *item)
		if (!is_item(slab, item) || ++free_items > slab->fresh)
			return false;
	return slab->used + free_items == slab->fresh;
}
