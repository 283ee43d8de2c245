/*
 * The model of walk_model.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "walk_model.h"
#include <faultline/fault.h>
#include <faultline/frame.h>

#define LEVEL_SHIFT(level) (12 + 9 * ((level)-1))
#define LARGEST_LEAF	   3u /* 1 GiB */

static bool is_leaf(uint64_t entry, uint32_t level)
{
	return level == 1 || (entry & PTE_PS);
}

static bool is_malformed(uint64_t entry, uint32_t level, const struct walk_rules *rules)
{
	uint64_t reserved = PTE_FRAME & ~((1ull << rules->physical_bits) - 1);

	if (level > LARGEST_LEAF)
		reserved |= PTE_PS;
	else if (level > 1 && (entry & PTE_PS)) /* address bits inside the page; bit 12 is PAT */
		reserved |= ((1ull << LEVEL_SHIFT(level)) - 1) & ~0x1fffull;
	return entry & reserved;
}

/* See walk_model.h. */
bool walk_model_ends(uint64_t entry, uint32_t level, const struct walk_rules *rules)
{
	return !(entry & PTE_P) || is_malformed(entry, level, rules) || is_leaf(entry, level);
}

/* The rights of a whole path (W and U of all entries, NX of any) against the access. */
static bool is_allowed(uint64_t all, uint64_t any, const struct walk_rules *rules,
	const struct walk_access *access)
{
	bool user_page = all & PTE_U;

	if (access->fetch && (any & PTE_NX))
		return false;
	if (access->user)
		return user_page && (!access->write || (all & PTE_W));
	if (access->fetch)
		return !(user_page && rules->smep);
	if (user_page && rules->smap && !access->ac)
		return false;
	return !access->write || (all & PTE_W) || !rules->wp;
}

/* See walk_model.h. */
void walk_model(const uint64_t *entry, const struct walk_rules *rules,
	const struct walk_access *access, struct walk_outcome *outcome)
{
	uint64_t all = PTE_W | PTE_U, any = 0, found = 0;
	uint32_t level = rules->levels;

	outcome->error = (access->write ? FAULT_WRITE : 0) | (access->user ? FAULT_USER : 0) |
			 (access->fetch ? FAULT_FETCH : 0);
	for (; level > 0; level--) {
		found = entry[level - 1];
		all &= found;
		any |= found;
		if (walk_model_ends(found, level, rules))
			break;
	}
	outcome->last = level;
	outcome->allowed = false;
	if (!(found & PTE_P))
		return;
	outcome->error |= FAULT_PRESENT;
	if (is_malformed(found, level, rules))
		outcome->error |= FAULT_RESERVED;
	else
		outcome->allowed = is_allowed(all, any, rules, access);
}
