/*
 * The region map: a persistent AVL tree of regions (model and rules: region.h).
 *
 * Ownership.  A function of this file that takes a tree to change it takes over one reference to
 * it, and hands back one reference to the result.  node_own() makes the node in hand safe to edit:
 * the node itself if that reference is the only one, else a copy (whose children then have a
 * reference more each, so that they are copied in their turn).  Nodes with one reference on every
 * level above are thus edited in place, shared ones never.
 *
 * All changes are made of three: tree_split() in front of an address, tree_join() of two trees and
 * a node between them, tree_first()/tree_last() that take the outermost node off.  Each handles
 * O(height) nodes; CHANGE_NODES() bounds what one change of a map can copy and create, and is
 * checked before the first edit.  Recursion is as deep as the tree is high: at most 1.45 log2(n).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "region.h"

/*
 * The most nodes that one change takes from the slab in a tree of this height.  Each of at most two
 * splits owns a path, and joins along it own at most as many again on each side plus two for the
 * rotation at each level: 5 a level.  Taking a neighbour off to merge it owns 3 a level, the last
 * joins 2 a level.  Nodes are owned once only, so this is never reached; the tests watch it.
 */
#define CHANGE_NODES(height) (16 * (height) + 16)

static struct slab *slab;
static struct region_node *released; /* linked by ->pending, references 0 */
static struct region_map_counters counters;
static region_watch_t *object_watch;

void region_map_init(struct slab *nodes)
{
	slab = nodes;
	released = 0;
	object_watch = 0;
	counters = (struct region_map_counters){0};
}

void region_map_watch(region_watch_t *watch)
{
	object_watch = watch;
}

const struct region_map_counters *region_map_counters(void)
{
	return &counters;
}

uint64_t region_map_nodes(void)
{
	return slab->used;
}

/* ---- single regions ---- */

static bool is_page_range(uint64_t start, uint64_t end)
{
	return start < end && (start | end) % PAGE_SIZE == 0;
}

bool region_is_valid(const struct region *region)
{
	if (!is_page_range(region->start, region->end) || region->protection & ~REGION_PROTECTION)
		return false;
	if (!region->object)
		return region->offset == 0;
	return region->offset % PAGE_SIZE == 0 &&
	       region->offset <= UINT64_MAX - (region->end - region->start);
}

bool region_can_merge(const struct region *lower, const struct region *upper)
{
	if (lower->end != upper->start || lower->protection != upper->protection ||
	    lower->object != upper->object || lower->kind != upper->kind || lower->tag != upper->tag)
		return false;
	if (lower->protection & MAP_STACK)
		return false;
	return !lower->object || lower->offset + (lower->end - lower->start) == upper->offset;
}

uint64_t region_guarded_start(const struct region *region)
{
	uint64_t gap = region->protection & MAP_STACK ? LAYOUT_STACK_GAP : 0;

	return region->start > gap ? region->start - gap : 0;
}

static bool is_private(const struct region *region)
{
	return !(region->protection & MAP_SHARED);
}

static inline uint64_t committed_bytes(const struct region *region)
{
	uint32_t promise = region->protection & (MAP_SHARED | MAP_WRITE | MAP_NO_RESERVE);

	return promise == MAP_WRITE ? region->end - region->start : 0;
}

uint64_t region_committed(const struct region *region)
{
	return committed_bytes(region);
}

/* What the region adds to the sums. */
static inline struct region_totals region_sums(const struct region *region)
{
	return (struct region_totals){
		.count = 1,
		.bytes = region->end - region->start,
		.private_bytes = is_private(region) ? region->end - region->start : 0,
		.committed_bytes = committed_bytes(region)};
}

/* Cut the region at an address within it; what lies from there on goes to *upper. */
static void region_divide(struct region *region, uint64_t address, struct region *upper)
{
	*upper = *region;
	upper->start = address;
	if (region->object)
		upper->offset += address - region->start;
	region->end = address;
}

/* ---- nodes ---- */

static uint64_t height_of(const struct region_node *node)
{
	return node ? node->height : 0;
}

static void add_totals(struct region_totals *sum, const struct region_totals *more)
{
	sum->count += more->count;
	sum->bytes += more->bytes;
	sum->private_bytes += more->private_bytes;
	sum->committed_bytes += more->committed_bytes;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The room from `from` to `to`, which may lie in front of it. */
static uint64_t room_between(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* Work out height and sums of a node from its region and its children. */
static void node_sum_up(struct region_node *node)
{
	const struct region_node *left = node->left, *right = node->right;
	uint64_t start = region_guarded_start(&node->region), end = node->region.end;
	uint64_t low = start, high = end, gap = 0, height = 0;
	struct region_totals totals = region_sums(&node->region);

	if (left) {
		add_totals(&totals, &left->totals);
		low = left->low;
		height = left->height;
		gap = larger(left->gap, room_between(left->high, start));
	}
	if (right) {
		add_totals(&totals, &right->totals);
		high = right->high;
		height = larger(height, right->height);
		gap = larger(gap, larger(right->gap, room_between(end, right->low)));
	}
	node->totals = totals;
	node->low = low;
	node->high = high;
	node->gap = gap;
	node->height = height + 1;
}

/* A node that names the region's object came or went. */
static void object_changed(const struct region *region, int change)
{
	if (region->object && object_watch)
		object_watch(region->object, change);
}

/* A tree of one node.  A node must have been reserved. */
static struct region_node *node_create(const struct region *region)
{
	struct region_node *node = slab_take(slab);

	node->region = *region;
	node->left = node->right = 0;
	node->references = 1;
	node->seen = 0;
	node->height = 1; /* and node_sum_up() without children: */
	node->totals = region_sums(region);
	node->low = region_guarded_start(region);
	node->high = region->end;
	node->gap = 0;
	object_changed(region, 1);
	return node;
}

/* Give a node back; nothing refers to it, and its children are taken care of. */
static void node_discard(struct region_node *node)
{
	object_changed(&node->region, -1);
	slab_give(slab, node);
}

struct region_node *region_map_share(struct region_node *root)
{
	if (root)
		root->references++;
	return root;
}

/* Drop a reference; the last one's node waits for the reaper. */
static void node_release(struct region_node *node)
{
	if (!node || --node->references)
		return;
	node->pending = released;
	released = node;
}

void region_map_release(struct region_node **root)
{
	node_release(*root);
	*root = 0;
}

bool region_map_reap(uint64_t budget)
{
	while (released && budget--) {
		struct region_node *node = released;

		released = node->pending;
		node_release(node->left);
		node_release(node->right);
		node_discard(node);
	}
	return released;
}

/* The node itself, or a copy of a shared one, to be edited.  Takes over the reference. */
static struct region_node *node_own(struct region_node *node)
{
	counters.visits++;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): callers reserved the node */
	if (node->references == 1)
		return node;

	struct region_node *copy = slab_take(slab);

	counters.copies++;
	*copy = *node;
	copy->references = 1;
	copy->seen = 0;
	object_changed(&copy->region, 1);
	region_map_share(copy->left);
	region_map_share(copy->right);
	node->references--;
	return copy;
}

/* ---- trees ---- */

static struct region_node *rotate_left(struct region_node *node)
{
	struct region_node *top = node_own(node->right);

	node->right = top->left;
	node_sum_up(node);
	top->left = node;
	node_sum_up(top);
	return top;
}

static struct region_node *rotate_right(struct region_node *node)
{
	struct region_node *top = node_own(node->left);

	node->left = top->right;
	node_sum_up(node);
	top->right = node;
	node_sum_up(top);
	return top;
}

/* Sum up an owned node one of whose children has changed its height by at most one. */
static struct region_node *tree_balance(struct region_node *node)
{
	uint64_t left = height_of(node->left), right = height_of(node->right);

	if (left > right + 1) {
		node->left = node_own(node->left);
		if (height_of(node->left->left) < height_of(node->left->right))
			node->left = rotate_left(node->left);
		return rotate_right(node);
	}
	if (right > left + 1) {
		node->right = node_own(node->right);
		if (height_of(node->right->right) < height_of(node->right->left))
			node->right = rotate_right(node->right);
		return rotate_left(node);
	}
	node_sum_up(node);
	return node;
}

/* One tree of a lower tree, an owned node and an upper tree of any heights. */
static struct region_node *tree_join(struct region_node *lower, struct region_node *node,
				     struct region_node *upper)
{
	if (height_of(lower) > height_of(upper) + 1) {
		lower = node_own(lower);
		lower->right = tree_join(lower->right, node, upper);
		return tree_balance(lower);
	}
	if (height_of(upper) > height_of(lower) + 1) {
		upper = node_own(upper);
		upper->left = tree_join(lower, node, upper->left);
		return tree_balance(upper);
	}
	node->left = lower;
	node->right = upper;
	node_sum_up(node);
	return node;
}

/* Divide a tree into what lies below an address and the rest, cutting a region that spans it. */
static void tree_split(struct region_node *tree, uint64_t address, struct region_node **lower,
		       struct region_node **upper)
{
	if (!tree) {
		*lower = *upper = 0;
		return;
	}
	tree = node_own(tree);

	struct region_node *left = tree->left, *right = tree->right;
	struct region above;

	if (address <= tree->region.start) {
		tree_split(left, address, lower, &left);
		*upper = tree_join(left, tree, right);
	} else if (address >= tree->region.end) {
		tree_split(right, address, &right, upper);
		*lower = tree_join(left, tree, right);
	} else {
		region_divide(&tree->region, address, &above);
		*lower = tree_join(left, tree, 0);
		*upper = tree_join(0, node_create(&above), right);
	}
}

/* Take the lowest node off a tree that is not empty; it is owned.  Returns the rest. */
static struct region_node *tree_first(struct region_node *tree, struct region_node **first)
{
	tree = node_own(tree);
	if (!tree->left) {
		*first = tree;
		return tree->right;
	}
	tree->left = tree_first(tree->left, first);
	return tree_balance(tree);
}

/* Take the highest node off. */
static struct region_node *tree_last(struct region_node *tree, struct region_node **last)
{
	tree = node_own(tree);
	if (!tree->right) {
		*last = tree;
		return tree->left;
	}
	tree->right = tree_last(tree->right, last);
	return tree_balance(tree);
}

static const struct region *last_region(const struct region_node *tree)
{
	while (tree->right) {
		counters.visits++;
		tree = tree->right;
	}
	return &tree->region;
}

/* One tree of two, the regions where they meet merged if they can be. */
static struct region_node *tree_concatenate(struct region_node *lower, struct region_node *upper)
{
	struct region_node *first, *last;

	if (!lower || !upper)
		return lower ? lower : upper;
	upper = tree_first(upper, &first);
	if (!region_can_merge(last_region(lower), &first->region))
		return tree_join(lower, first, upper);
	lower = tree_last(lower, &last);
	last->region.end = first->region.end;
	node_discard(first);
	return tree_join(lower, last, upper);
}

/* ---- changes in place ---- */

/*
 * Most changes concern one region, or a part of one, on a path of nodes that no other map shares.
 * These need no split and join.  Each looks first, and returns false without having changed anything
 * when it is not for such a change.
 */

#define STEPS_MAX 32u /* no tree of this height fits into memory */

/* The links from the root down to a place, all to nodes of this map alone. */
struct steps {
	struct region_node **link[STEPS_MAX];
	uint32_t count;
};

static bool steps_take(struct steps *steps, struct region_node **link)
{
	counters.visits++;
	if ((*link)->references != 1 || steps->count == STEPS_MAX)
		return false;
	steps->link[steps->count++] = link;
	return true;
}

/* A child of the last node came or went, or changed its height by one. */
static void steps_balance(const struct steps *steps)
{
	for (uint32_t i = steps->count; i-- > 0;)
		*steps->link[i] = tree_balance(*steps->link[i]);
}

/* The region of the last node, or of one below it, has other borders or rights. */
static void steps_sum_up(const struct steps *steps)
{
	for (uint32_t i = steps->count; i-- > 0;)
		node_sum_up(*steps->link[i]);
}

/* Below the first `count` links nothing has changed but the number of regions and what is committed. */
static void steps_add(const struct steps *steps, uint32_t count, uint64_t regions, uint64_t committed)
{
	while (count-- > 0) {
		struct region_totals *totals = &(*steps->link[count])->totals;

		totals->count += regions;
		totals->committed_bytes += committed;
	}
}

/* Borders have moved below the link `top`, or the region there got another right: no further up. */
static void steps_sum_up_to(const struct steps *steps, uint32_t top)
{
	const struct region_totals *totals = &(*steps->link[top])->totals;
	uint64_t committed = totals->committed_bytes;

	for (uint32_t i = steps->count; i-- > top;)
		node_sum_up(*steps->link[i]);
	steps_add(steps, top, 0, totals->committed_bytes - committed);
}

/* Somewhere below this link a node came or went that is a part of another: so many regions and bytes committed
   more.  Has the height of this one changed? */
static bool link_add(struct region_node **link, uint64_t regions, uint64_t committed)
{
	struct region_node *node = *link;
	uint64_t left = height_of(node->left), right = height_of(node->right), before = node->height;

	if (left > right + 1 || right > left + 1) {
		*link = tree_balance(node);
		return (*link)->height != before;
	}
	node->totals.count += regions;
	node->totals.committed_bytes += committed;
	node->height = larger(left, right) + 1;
	return node->height != before;
}

/* A child of the last node came or went that was or is a part of the region at the link `top`: above that, no
   border has moved. */
static void steps_balance_to(
	const struct steps *steps, uint32_t top, uint64_t regions, uint64_t committed)
{
	bool has_changed = false;
	uint32_t i = steps->count;

	while (i > top) {
		struct region_node **link = steps->link[--i];
		uint64_t height = (*link)->height;

		*link = tree_balance(*link);
		has_changed = (*link)->height != height;
	}
	while (has_changed && i > 0)
		has_changed = link_add(steps->link[--i], regions, committed);
	steps_add(steps, i, regions, committed);
}

/* The node that holds the whole range becomes the last of the steps. */
static struct region_node *steps_to(
	struct steps *steps, struct region_node **link, uint64_t start, uint64_t end)
{
	steps->count = 0; /* no initializer: it would set all the links */
	while (*link) {
		struct region_node *node = *link;

		if (!steps_take(steps, link))
			return 0;
		if (end <= node->region.start)
			link = &node->left;
		else if (start >= node->region.end)
			link = &node->right;
		else
			return node->region.start <= start && end <= node->region.end ? node : 0;
	}
	return 0;
}

/* Take the last node of the steps out of the tree; it has at most one child. */
static void steps_remove(struct steps *steps)
{
	struct region_node **link = steps->link[--steps->count], *node = *link;

	*link = node->left ? node->left : node->right;
	node->left = node->right = 0;
	node_sum_up(node);
	steps_balance(steps);
}

/* Go on to the empty link right behind the last node. */
static struct region_node **steps_behind(struct steps *steps)
{
	struct region_node **link = &(*steps->link[steps->count - 1])->right;

	for (; *link; link = &(*link)->left)
		if (!steps_take(steps, link))
			return 0;
	return link;
}

/* Cut the inner part [start, end) out of the region of the last node. */
static bool cut_inner(struct steps *steps, struct region_node *node, uint64_t start, uint64_t end,
		      struct region_node **removed)
{
	struct region_node **behind = steps_behind(steps);
	struct region part, above;

	if (!behind)
		return false;
	region_divide(&node->region, start, &part);
	region_divide(&part, end, &above);
	*removed = node_create(&part);
	*behind = node_create(&above);
	steps_balance(steps);
	return true;
}

static bool cut_in_place(struct region_node **root, uint64_t start, uint64_t end,
			 struct region_node **removed)
{
	struct steps steps;
	struct region_node *node = steps_to(&steps, root, start, end);
	struct region part;

	if (!node)
		return false;
	if (start == node->region.start && end == node->region.end) {
		if (node->left && node->right)
			return false;
		steps_remove(&steps);
		*removed = node;
		return true;
	}
	if (start != node->region.start && end != node->region.end)
		return cut_inner(&steps, node, start, end, removed);
	if (start == node->region.start) {
		part = node->region;
		region_divide(&part, end, &node->region);
	} else {
		region_divide(&node->region, start, &part);
	}
	*removed = node_create(&part);
	steps_sum_up(&steps);
	return true;
}

/* The node at steps->link[index] takes the neighbouring region over. */
static void extend(struct steps *steps, uint32_t index, const struct region *region)
{
	struct region *old = &(*steps->link[index])->region;

	if (old->end == region->start) {
		old->end = region->end;
	} else {
		old->start = region->start;
		old->offset = region->offset;
	}
	steps->count = index + 1;
	steps_sum_up(steps);
}

/* Insert a region, merged with one neighbour or with none. */
static bool insert_in_place(struct region_node **root, const struct region *region)
{
	struct steps steps;
	struct region_node **link = root;
	uint32_t below = STEPS_MAX, above = STEPS_MAX; /* the neighbours: they are on the path */
	bool merges_below, merges_above;

	steps.count = 0;
	while (*link) {
		const struct region *there = &(*link)->region;

		if (!steps_take(&steps, link))
			return false;
		if (region->end <= there->start) {
			above = steps.count - 1;
			link = &(*link)->left;
		} else if (region->start >= there->end) {
			below = steps.count - 1;
			link = &(*link)->right;
		} else {
			return false;
		}
	}
	merges_below = below < STEPS_MAX && region_can_merge(&(*steps.link[below])->region, region);
	merges_above = above < STEPS_MAX && region_can_merge(region, &(*steps.link[above])->region);
	if (merges_below && merges_above)
		return false;
	if (merges_below || merges_above) {
		extend(&steps, merges_below ? below : above, region);
		return true;
	}
	*link = node_create(region);
	steps_balance(&steps);
	return true;
}

/* ---- reading ---- */

const struct region *region_map_next(const struct region_node *root, uint64_t address)
{
	const struct region *best = 0;

	while (root) {
		counters.visits++;
		if (root->region.end > address) {
			best = &root->region;
			root = root->left;
		} else {
			root = root->right;
		}
	}
	return best;
}

const struct region *region_map_lookup(const struct region_node *root, uint64_t address)
{
	const struct region *region = region_map_next(root, address);

	return region && region->start <= address ? region : 0;
}

const struct region *region_map_previous(const struct region_node *root, uint64_t address)
{
	const struct region *best = 0;

	while (root) {
		counters.visits++;
		if (root->region.end <= address) {
			best = &root->region;
			root = root->right;
		} else {
			root = root->left;
		}
	}
	return best;
}

struct region_totals region_map_totals(const struct region_node *root)
{
	return root ? root->totals : (struct region_totals){0};
}

/* Sums over what lies below an address; the part of a region that spans it counts as a region. */
static struct region_totals totals_below(const struct region_node *node, uint64_t address)
{
	struct region_totals sum = {0};

	while (node) {
		struct region part = node->region;

		counters.visits++;
		if (address <= part.start) {
			node = node->left;
			continue;
		}
		part.end = smaller(part.end, address);
		struct region_totals own = region_sums(&part);

		add_totals(&sum, &own);
		if (node->left)
			add_totals(&sum, &node->left->totals);
		node = node->right;
	}
	return sum;
}

struct region_totals region_map_totals_within(const struct region_node *root, uint64_t start,
					      uint64_t end)
{
	struct region_totals sum = {0};

	if (start >= end)
		return sum;

	struct region_totals below = totals_below(root, start);
	const struct region *spans = region_map_lookup(root, start);

	sum = totals_below(root, end);
	/* A region that goes on across `start` counts on both sides of it. */
	sum.count -= below.count - (spans && spans->start < start);
	sum.bytes -= below.bytes;
	sum.private_bytes -= below.private_bytes;
	sum.committed_bytes -= below.committed_bytes;
	return sum;
}

bool region_map_covers(const struct region_node *root, uint64_t start, uint64_t end)
{
	return start >= end || region_map_totals_within(root, start, end).bytes == end - start;
}

struct gap_search {
	uint64_t length, low, high;
	enum region_direction direction;
	struct region_gap gap; /* found */
};

static bool tree_find_gap(const struct region_node *tree, uint64_t from, uint64_t to,
			  struct gap_search *search);

/* Look for room on the lower side of a node, or on its upper side, unless out of range. */
static bool side_find_gap(const struct region_node *node, enum region_direction side, uint64_t from,
			  uint64_t to, struct gap_search *search)
{
	uint64_t start = smaller(search->high, region_guarded_start(&node->region));
	uint64_t end = larger(search->low, node->region.end);

	if (side == REGION_BOTTOM_UP)
		return node->region.start > search->low && tree_find_gap(node->left, from, start, search);
	return node->region.end < search->high && tree_find_gap(node->right, end, to, search);
}

/*
 * Look for room in and around a tree, between `from` (the end of what lies below it) and `to` (the
 * guarded start of what lies above it).  Trees inside the range searched are entered only if they
 * have room; only the paths to the two ends of that range can be entered in vain.
 */
static bool tree_find_gap(const struct region_node *tree, uint64_t from, uint64_t to,
			  struct gap_search *search)
{
	enum region_direction first = search->direction;

	counters.visits++;
	if (!tree) {
		search->gap = (struct region_gap){from, to};
		return room_between(from, to) >= search->length;
	}

	uint64_t outside = larger(room_between(from, tree->low), room_between(tree->high, to));

	if (larger(tree->gap, outside) < search->length)
		return false;
	return side_find_gap(tree, first, from, to, search) ||
	       side_find_gap(tree, first == REGION_TOP_DOWN ? REGION_BOTTOM_UP : REGION_TOP_DOWN, from,
			     to, search);
}

status_t region_map_find_whole_gap(const struct region_node *root, uint64_t length, uint64_t low,
				   uint64_t high, enum region_direction direction,
				   struct region_gap *gap)
{
	struct gap_search search = {.length = length, .low = low, .high = high, .direction = direction};

	if (!tree_find_gap(root, low, high, &search))
		return ST_NO_MEMORY;
	*gap = search.gap;
	return ST_OK;
}

status_t region_map_find_gap(const struct region_node *root, uint64_t length, uint64_t low,
			     uint64_t high, enum region_direction direction, uint64_t *address)
{
	struct region_gap gap;
	status_t status = region_map_find_whole_gap(root, length, low, high, direction, &gap);

	if (status == ST_OK)
		*address = direction == REGION_TOP_DOWN ? gap.to - length : gap.from;
	return status;
}

/* ---- changing ---- */

/*
 * How high the tree can be before the last of `changes` changes: each adds two nodes at most.  An
 * AVL tree of n nodes is at most 1.45 log2(n + 2) high, and n < 2^height.
 */
static uint64_t height_after(const struct region_node *root, uint64_t changes)
{
	uint64_t height = height_of(root), doublings = 0;

	for (uint64_t rest = changes; rest; rest /= 2)
		doublings++;
	return height + smaller(2 * (changes - 1), height / 2 + 2 * doublings + 3);
}

status_t region_map_reserve(const struct region_node *root, uint64_t changes)
{
	uint64_t nodes = changes * CHANGE_NODES(height_after(root, changes));

	while (slab_available(slab) < nodes && region_map_reap(nodes))
		continue;
	return slab_reserve(slab, nodes);
}

/* Are there enough nodes for one change of this map, `more` of which it says itself? */
static bool is_reserved(const struct region_node *root, uint64_t more)
{
	return slab_available(slab) >= CHANGE_NODES(height_of(root)) + more;
}

bool region_map_is_reserved(const struct region_node *root)
{
	return is_reserved(root, 0);
}

/* Does any region have a part in [start, end)? */
static bool is_taken(const struct region_node *root, uint64_t start, uint64_t end)
{
	const struct region *region = region_map_next(root, start);

	return region && region->start < end;
}

/* The general way: what lies below, the region, what lies above. */
static void insert_by_split(struct region_node **root, const struct region *region)
{
	struct region_node *lower, *upper;

	tree_split(*root, region->start, &lower, &upper);
	lower = tree_concatenate(lower, node_create(region));
	*root = tree_concatenate(lower, upper);
}

status_t region_map_insert(struct region_node **root, const struct region *region)
{
	if (!region_is_valid(region))
		return ST_BAD_ARGUMENT;
	if (is_reserved(*root, 0) && insert_in_place(root, region))
		return ST_OK;
	if (is_taken(*root, region->start, region->end))
		return ST_EXISTS;
	if (!is_reserved(*root, 0))
		return ST_NO_MEMORY;
	insert_by_split(root, region);
	return ST_OK;
}

status_t region_map_cut(struct region_node **root, uint64_t start, uint64_t end,
			struct region_node **removed)
{
	struct region_node *lower, *rest, *upper;

	if (!is_page_range(start, end))
		return ST_BAD_ARGUMENT;
	if (is_reserved(*root, 0) && cut_in_place(root, start, end, removed))
		return ST_OK;
	if (!is_taken(*root, start, end)) {
		*removed = 0;
		return ST_OK;
	}
	if (!is_reserved(*root, 0))
		return ST_NO_MEMORY;
	tree_split(*root, start, &lower, &rest);
	tree_split(rest, end, removed, &upper);
	*root = tree_concatenate(lower, upper);
	return ST_OK;
}

/* Where a change that may touch `budget` regions from `start` on must stop, at most at `end`. */
static uint64_t reach_of(const struct region_node *root, uint64_t start, uint64_t end,
			 uint64_t budget)
{
	const struct region *region = region_map_next(root, start);

	while (region && region->start < end) {
		if (region->end >= end)
			return end;
		if (!--budget)
			return region->end;
		region = region_map_next(root, region->end);
	}
	return end;
}

/* Go on to the neighbour below the last node, or above it, NULL if there is none: it may be on the way already.
   False: other maps share it. */
static inline bool steps_to_neighbour(struct steps *steps, bool is_above, struct region_node **neighbour)
{
	struct region_node *node = *steps->link[steps->count - 1], *from = node;
	struct region_node **link = is_above ? &node->right : &node->left;
	uint32_t i = steps->count - 1;

	*neighbour = 0;
	if (*link) {
		for (; *link; link = is_above ? &(*link)->left : &(*link)->right)
			if (!steps_take(steps, link))
				return false;
		*neighbour = *steps->link[steps->count - 1];
		return true;
	}
	for (; i > 0; from = node) {
		node = *steps->link[--i];
		if ((is_above ? node->left : node->right) == from) {
			*neighbour = node;
			break;
		}
	}
	return true;
}

/* Of a region a part at one end gets other bits, and with them becomes a part of the neighbour there: only the
   border moves.  The steps lead to the region at the link `top`, and on to the neighbour if that is below. */
static void shift_border(const struct steps *steps, uint32_t top, const struct region *part,
			 struct region_node *neighbour)
{
	struct region *region = &(*steps->link[top])->region;

	if (part->end == region->end) {
		region->end = neighbour->region.start = part->start;
		neighbour->region.offset = part->offset;
	} else {
		region->offset += region->object ? part->end - region->start : 0;
		region->start = neighbour->region.end = part->end;
	}
	if (steps->count == top + 1) /* the neighbour is not below, but on the way */
		while (*steps->link[top] != neighbour)
			top--;
	steps_sum_up_to(steps, top);
}

/* Divide the region of the last node; its parts get these bits. */
static bool divide(struct steps *steps, uint64_t address, uint32_t lower, uint32_t upper)
{
	uint32_t top = steps->count - 1;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): steps_to() has put a link there */
	struct region *region = &(*steps->link[top])->region, above;
	struct region_node **behind = steps_behind(steps);
	uint64_t committed = committed_bytes(region);

	if (!behind)
		return false;
	region_divide(region, address, &above);
	region->protection = lower;
	above.protection = upper;
	*behind = node_create(&above);
	steps_balance_to(steps, top, 1, committed_bytes(region) + committed_bytes(&above) - committed);
	return true;
}

/* A part of the region of the last node gets other bits and merges with nothing. */
static bool change_alone(struct region_node **root, struct steps *steps, const struct region *part)
{
	struct region *region = &(*steps->link[steps->count - 1])->region;
	uint32_t before = region->protection;

	if (region->start == part->start && region->end == part->end) {
		region->protection = part->protection;
		steps_sum_up_to(steps, steps->count - 1);
		return true;
	}
	if (region->start == part->start)
		return divide(steps, part->end, part->protection, before);
	if (region->end != part->end) {
		if (!divide(steps, part->end, before, before))
			return false;
		(void)steps_to(steps, root, part->start, part->end); /* the tree may have been balanced */
	}
	return divide(steps, part->start, before, part->protection);
}

/* The region at the link `top`, with these bits, and a neighbour become one.  The steps lead on to the neighbour
   if that is below.  Of the two the one below goes: it has one child at most. */
static void merge_whole(
	struct steps *steps, uint32_t top, struct region_node *neighbour, uint32_t protection)
{
	struct region_node *node = *steps->link[top], **link = steps->link[steps->count - 1];
	bool is_above = neighbour->region.start >= node->region.end;
	struct region merged = is_above ? node->region : neighbour->region;
	uint64_t committed = committed_bytes(&node->region) + committed_bytes(&neighbour->region);

	merged.end = is_above ? neighbour->region.end : node->region.end;
	merged.protection = protection;
	if (steps->count == top + 1) /* the neighbour is not below, but on the way */
		while (*steps->link[top] != neighbour)
			top--;
	(*steps->link[top])->region = merged;
	node = *link;
	*link = node->left ? node->left : node->right;
	node_discard(node);
	steps->count--;
	steps_balance_to(steps, top, (uint64_t)0 - 1, committed_bytes(&merged) - committed);
}

/* The neighbour at one end of the last node's region, if the part there merges with it.  The steps lead to it
   if they do, and to the node else.  False: other maps share it. */
static inline __attribute__((always_inline)) bool find_merging(
	struct steps *steps, const struct region *part, bool is_above, struct region_node **neighbour)
{
	uint32_t count = steps->count;

	if (!steps_to_neighbour(steps, is_above, neighbour))
		return false;
	if (*neighbour && (is_above ? region_can_merge(part, &(*neighbour)->region)
				    : region_can_merge(&(*neighbour)->region, part)))
		return true;
	*neighbour = 0;
	steps->count = count;
	return true;
}

/* A whole region gets other bits and merges with one neighbour or both, which find_merging() has found.  The steps
   lead to it, or on to the neighbour above if that merges and is below in the tree. */
static void merge_neighbours(struct region_node **root, struct steps *steps, const struct region *part,
			     struct region_node *above, bool has_below)
{
	struct region whole = *part;
	uint32_t top = 0;
	struct region_node *below;

	while ((*steps->link[top])->region.start != part->start)
		top++;
	if (above) {
		merge_whole(steps, top, above, part->protection);
		whole = steps_to(steps, root, part->start, part->end)->region;
		top = steps->count - 1;
	}
	if (has_below && find_merging(steps, &whole, false, &below))
		merge_whole(steps, top, below, part->protection);
}

/* Bits of a range within one region.  False: nothing has changed. */
static bool change_in_place(struct region_node **root, uint64_t start, uint64_t end, uint32_t mask, uint32_t bits)
{
	struct steps steps;
	struct region_node *node = steps_to(&steps, root, start, end), *below = 0, *above = 0;
	const uint32_t count = steps.count;
	bool is_whole;
	struct region part;

	if (!node)
		return false;
	part = node->region;
	part.start = start;
	part.end = end;
	part.offset += part.object ? start - node->region.start : 0;
	part.protection = (part.protection & ~mask) | bits;
	if (part.protection == node->region.protection && !(part.protection & MAP_STACK))
		return true; /* (parts of stacks do not merge again) */
	is_whole = start == node->region.start && end == node->region.end;
	if (start == node->region.start && !find_merging(&steps, &part, false, &below))
		return false;
	if (is_whole)
		steps.count = count;
	if (end == node->region.end && !find_merging(&steps, &part, true, &above))
		return false;
	if (!below && !above)
		return change_alone(root, &steps, &part);
	if (!is_whole)
		shift_border(&steps, count - 1, &part, below ? below : above);
	else
		merge_neighbours(root, &steps, &part, above, below != 0);
	return true;
}

/* The same regions with other bits in place of those of the mask, neighbours merged. */
static struct region_node *tree_change(struct region_node *tree, uint32_t mask, uint32_t bits)
{
	struct region_node *result = 0, *node;

	while (tree) {
		tree = tree_first(tree, &node);
		node->left = node->right = 0;
		node->region.protection = (node->region.protection & ~mask) | bits;
		node_sum_up(node);
		result = tree_concatenate(result, node);
	}
	return result;
}

static status_t map_change(struct region_node **root, uint64_t start, uint64_t end, uint32_t mask,
			   uint32_t bits, uint64_t budget, uint64_t *reached)
{
	struct region_node *lower, *middle, *upper;

	if (!is_page_range(start, end) || bits & ~mask || !budget)
		return ST_BAD_ARGUMENT;
	if (is_reserved(*root, 1) && change_in_place(root, start, end, mask, bits)) {
		*reached = end;
		return ST_OK;
	}

	uint64_t reach = reach_of(*root, start, end, budget);
	uint64_t count = region_map_totals_within(*root, start, reach).count;

	if (!is_reserved(*root, count))
		return ST_NO_MEMORY;
	*reached = reach;
	if (!count)
		return ST_OK;
	tree_split(*root, start, &lower, &middle);
	tree_split(middle, reach, &middle, &upper);
	middle = tree_change(middle, mask, bits);
	*root = tree_concatenate(tree_concatenate(lower, middle), upper);
	return ST_OK;
}

status_t region_map_protect(struct region_node **root, uint64_t start, uint64_t end, uint32_t rights,
			    uint64_t budget, uint64_t *reached)
{
	return map_change(root, start, end, REGION_RIGHTS, rights, budget, reached);
}

bool region_map_protect_within(struct region_node **root, uint64_t start, uint64_t end, uint32_t rights)
{
	return is_reserved(*root, 1) &&
	       change_in_place(root, start, end, REGION_RIGHTS, rights);
}

status_t region_map_advise(struct region_node **root, uint64_t start, uint64_t end, uint32_t large,
			   uint64_t budget, uint64_t *reached)
{
	return map_change(root, start, end, MAP_LARGE, large, budget, reached);
}

/* The region with other borders, if they have a part in common and the offset allows it. */
static bool region_move_borders(struct region *region, uint64_t start, uint64_t end)
{
	if (!is_page_range(start, end) || start >= region->end || end <= region->start)
		return false;
	if (region->object && start < region->start && region->start - start > region->offset)
		return false;
	if (region->object)
		region->offset += start - region->start;
	region->start = start;
	region->end = end;
	return region_is_valid(region);
}

status_t region_map_resize(struct region_node **root, uint64_t address, uint64_t start, uint64_t end)
{
	const struct region *old = region_map_lookup(*root, address);
	struct region_node *lower, *node, *upper;

	if (!old)
		return ST_NOT_FOUND;

	struct region moved = *old;

	if (!region_move_borders(&moved, start, end))
		return ST_BAD_ARGUMENT;
	if (start < old->start && is_taken(*root, start, old->start))
		return ST_EXISTS;
	if (end > old->end && is_taken(*root, old->end, end))
		return ST_EXISTS;
	if (!is_reserved(*root, 0))
		return ST_NO_MEMORY;
	tree_split(*root, old->start, &lower, &upper);
	upper = tree_first(upper, &node);
	node_discard(node);
	lower = tree_concatenate(lower, node_create(&moved));
	*root = tree_concatenate(lower, upper);
	return ST_OK;
}

/* ---- checking ---- */

static bool is_same_totals(const struct region_totals *a, const struct region_totals *b)
{
	return a->count == b->count && a->bytes == b->bytes && a->private_bytes == b->private_bytes &&
	       a->committed_bytes == b->committed_bytes;
}

/* Height and sums are what they would be worked out to be now. */
static bool is_summed_up(const struct region_node *node)
{
	struct region_node now = *node;

	node_sum_up(&now);
	return now.height == node->height && now.low == node->low && now.high == node->high &&
	       now.gap == node->gap && is_same_totals(&now.totals, &node->totals);
}

/* Check a subtree; *before is the region in front of it, then its last one. */
static bool tree_ok(const struct region_node *node, const struct region **before)
{
	if (!node)
		return true;

	uint64_t left = height_of(node->left), right = height_of(node->right);

	if (!node->references || left > right + 1 || right > left + 1 || !is_summed_up(node))
		return false;
	if (!region_is_valid(&node->region) || !tree_ok(node->left, before))
		return false;
	if (*before && ((*before)->end > node->region.start || region_can_merge(*before, &node->region)))
		return false;
	*before = &node->region;
	return tree_ok(node->right, before);
}

bool region_map_ok(const struct region_node *root)
{
	const struct region *before = 0;

	return tree_ok(root, &before);
}

uint64_t region_map_count_references(struct region_node *root)
{
	if (!root || root->seen++)
		return 0;
	return 1 + region_map_count_references(root->left) + region_map_count_references(root->right);
}

bool region_map_check_references(struct region_node *root)
{
	if (!root || !root->seen)
		return true;

	bool is_right = root->seen == root->references;

	root->seen = 0;
	/* Both sides always: they must be left with seen = 0. */
	bool left = region_map_check_references(root->left);
	bool right = region_map_check_references(root->right);

	return is_right && left && right;
}
