/*
 * Memory objects: ids, trees, counts (model: object.h).
 *
 * What the object records of its tree is changed only after the operations have been done, so a
 * refused batch leaves at most empty tables in the tree.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"

#include "account.h"
#include "check.h"
#include "heap.h"
#include "tables.h"

#define OBJECT_GENERATIONS (1u << (32 - OBJECT_INDEX_BITS))
#define OBJECT_LEAF	   (PTE_P | PTE_U | PTE_NX)

static struct slab objects;
uint64_t object_count;

/* See the header. */
status_t object_start(void)
{
	object_count = 0;
	return slab_init(
		&objects, heap_window(HEAP_OBJECTS), sizeof(struct object), OBJECTS_MAX, heap_grow);
}

/* See the header. */
struct object *object_find(uint64_t id)
{
	uint64_t index = id & (OBJECTS_MAX - 1);
	struct object *object;

	if (id == 0 || index >= objects.fresh)
		return 0;
	object = slab_at(&objects, index);
	return object->id == id ? object : 0;
}

/* See the header. */
const struct object_kind *object_of_region(const struct region *region, struct object **object)
{
	*object = 0;
	if (region->object == 0)
		return &object_kind_anonymous;
	*object = object_find(region->object);
	return *object ? (*object)->kind : 0;
}

/* See the header. */
status_t object_create(const struct object_kind *kind, uint64_t bytes, struct object **result)
{
	struct object *object;
	uint32_t generation;
	status_t status;

	if (bytes > OBJECT_BYTES_MAX)
		return ST_LIMIT;
	status = slab_reserve(&objects, 1);
	if (status != ST_OK)
		return status;
	object = slab_take(&objects);
	generation = object->generation % (OBJECT_GENERATIONS - 1) + 1;
	*object = (struct object){
		.id = generation << OBJECT_INDEX_BITS | (uint32_t)slab_index(&objects, object),
		.generation = generation,
		.kind = kind,
		.bytes = bytes,
	};
	object_count++;
	*result = object;
	return ST_OK;
}

/* Nobody names it any more: its tree goes to the reaper. */
static void object_end(struct object *object)
{
	struct space *creator = space_find(object->creator);

	if (creator) {
		creator->shared -= (object->bytes + PAGE_SIZE - 1) / PAGE_SIZE;
		account_update(creator);
	}
	if (object->root != 0)
		tables_orphan(object->root);
	object->id = 0;
	object_count--;
	slab_give(&objects, object);
}

/* See the header. */
void object_doom(struct object *object)
{
	object->is_doomed = true;
	if (object->mappings == 0)
		object_end(object);
}

/* See the header. */
void object_mapping_changed(uint32_t id, int change)
{
	struct object *object = object_find(id);

	if (!object)
		return;
	object->mappings += (uint64_t)(int64_t)change;
	if (object->mappings == 0 && object->is_doomed)
		object_end(object);
}

/* ---- the tree ---- */

/* The chain of tables to a page, from the root down; by level; 0: not there. */
struct chain {
	pfn_t table[OBJECT_LEVELS + 1];
	pfn_t frame;
};

static uint32_t chain_index(uint64_t page, uint32_t level)
{
	return (uint32_t)(page >> (9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

static bool tree_reaches(const struct object *object, uint64_t page)
{
	return object->root != 0 && page >> (9 * object->levels) == 0;
}

/* Read the chain.  The tree must reach the page. */
static status_t chain_read(struct object *object, uint64_t page, struct chain *chain)
{
	pfn_t pfn = object->root;

	*chain = (struct chain){ 0 };
	for (uint32_t level = object->levels; level > 0 && pfn != 0; level--) {
		const uint64_t *entries;
		status_t status = tables_read(pfn, chain_index(page, level), 1, &entries);

		if (status != ST_OK)
			return status;
		chain->table[level] = pfn;
		pfn = entries[0] & PTE_P ? pte_pfn(entries[0]) : 0;
		if (level == 1)
			chain->frame = pfn;
	}
	if (chain->table[1] != 0) {
		object->leaf_span = page / TABLE_ENTRIES + 1;
		object->leaf_table = chain->table[1];
	}
	return ST_OK;
}

/* The leaf table of a page, or 0. */
static pfn_t leaf_table(struct object *object, uint64_t page)
{
	struct chain chain;

	if (object->leaf_span == page / TABLE_ENTRIES + 1)
		return object->leaf_table;
	if (!tree_reaches(object, page) || chain_read(object, page, &chain) != ST_OK)
		return 0;
	return chain.table[1];
}

/* See the header. */
uint32_t object_read(struct object *object, uint64_t page, uint32_t count, pfn_t *frames)
{
	uint32_t rest = TABLE_ENTRIES - chain_index(page, 1);
	pfn_t table = leaf_table(object, page);
	const uint64_t *entries;

	count = count < rest ? count : rest;
	for (uint32_t i = 0; i < count; i++)
		frames[i] = 0;
	if (table == 0 || tables_read(table, chain_index(page, 1), count, &entries) != ST_OK)
		return count;
	for (uint32_t i = 0; i < count; i++)
		frames[i] = entries[i] & PTE_P ? pte_pfn(entries[i]) : 0;
	return count;
}

static pfn_t add_table(uint32_t level)
{
	pfn_t table = frame_pool_take_blank(KIND_TABLE);

	mmu_add(op_head(OP_RETYPE, 0, table, 0, 1), (uint64_t)FRAME_L1 + level - 1, 0);
	return table;
}

/* A higher root, the old one its first entry; or the first root at all. */
static status_t grow_root(struct object *object)
{
	pfn_t root = add_table(object->levels + 1);
	status_t status;

	if (object->root != 0)
		mmu_add(op_head(OP_SET, 0, root, 0, 1), pte_make(object->root, LINK_BITS), 0);
	status = tables_run();
	if (status != ST_OK)
		return status;
	object->root = root;
	object->levels++;
	frame_pool_begin(); /* nothing refers to a root: undoing what follows must not free it */
	return ST_OK;
}

/* The tables that are missing on the chain, and a cleared page. */
static status_t chain_complete(struct object *object, uint64_t page, struct chain *chain)
{
	status_t status;

	for (uint32_t level = object->levels; level > 1; level--) {
		if (chain->table[level - 1] != 0)
			continue;
		chain->table[level - 1] = add_table(level - 1);
		mmu_add(op_head(OP_SET, 0, chain->table[level], chain_index(page, level), 1),
			pte_make(chain->table[level - 1], LINK_BITS), 0);
	}
	chain->frame = frame_pool_take_for_zeroes(KIND_OBJECT);
	mmu_add(op_head(OP_ZERO, 0, chain->frame, 0, 1), 0, 0);
	mmu_add(op_head(OP_SET, 0, chain->table[1], chain_index(page, 1), 1),
		pte_make(chain->frame, OBJECT_LEAF), 0);
	status = tables_run();
	if (status == ST_OK)
		object->pages++;
	return status;
}

/* See the header. */
status_t object_get_page(struct object *object, uint64_t page, pfn_t *frame)
{
	struct chain chain = { 0 };
	status_t status = ST_OK;

	if (tree_reaches(object, page))
		status = chain_read(object, page, &chain);
	if (status == ST_OK && chain.frame == 0) {
		if (!frame_pool_has(OBJECT_FRAMES))
			return ST_NO_MEMORY;
		frame_pool_begin();
		while (status == ST_OK && !tree_reaches(object, page))
			status = grow_root(object);
		if (status == ST_OK)
			status = chain_read(object, page, &chain);
		if (status == ST_OK)
			status = chain_complete(object, page, &chain);
		if (status != ST_OK)
			frame_pool_undo();
	}
	*frame = chain.frame;
	return status;
}

/* See the header. */
enum supply object_supply_page(struct object *object, uint64_t page, pfn_t *frame)
{
	switch (object_get_page(object, page, frame)) {
	case ST_OK:
		return SUPPLY_SHARED;
	case ST_NO_MEMORY:
		return SUPPLY_NO_MEMORY;
	default:
		return SUPPLY_REFUSED;
	}
}

/* ---- checking ---- */

/* See the header. */
uint64_t object_roots(void)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < objects.fresh; i++) {
		const struct object *object = slab_at(&objects, i);

		count += object->id != 0 && object->root != 0 ? 1 : 0;
	}
	return count;
}

static uint64_t walk_pages(pfn_t table, uint32_t level)
{
	uint64_t entries[TABLE_ENTRIES];
	uint64_t pages = 0;

	for (uint32_t half = 0; half < 2; half++) {
		const uint64_t *read;

		if (tables_read(table, half * 256, 256, &read) != ST_OK)
			return UINT64_MAX;
		for (uint32_t i = 0; i < 256; i++)
			entries[half * 256 + i] = read[i];
	}
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		if (!(entries[i] & PTE_P))
			continue;
		pages += level > 1 ? walk_pages(pte_pfn(entries[i]), level - 1)
				   : frame_kind(pte_pfn(entries[i])) == KIND_OBJECT;
	}
	return pages;
}

/* See the header. */
uint32_t object_check(uint64_t *where)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < objects.fresh; i++) {
		const struct object *object = slab_at(&objects, i);

		*where = object->id;
		if (object->id == 0)
			continue;
		count++;
		if (object->root != 0 && walk_pages(object->root, object->levels) != object->pages)
			return CHECK_OBJECT_PAGES;
		if (object->is_doomed && object->mappings == 0)
			return CHECK_OBJECT_MAPPED;
	}
	*where = 0;
	return count == object_count ? CHECK_OK : CHECK_OBJECT_MAPPED;
}
