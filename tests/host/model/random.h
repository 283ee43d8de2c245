/*
 * Random numbers that can be replayed: a stream is its state.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_RANDOM_H
#define MODEL_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/* Seeds that differ in one bit give streams that have nothing in common. */
static inline struct random random_from(uint64_t seed)
{
	seed += 0x9e3779b97f4a7c15ull;
	seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ull;
	seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebull;
	seed ^= seed >> 31;
	return (struct random){ seed != 0 ? seed : 1 };
}

static inline uint64_t random_next(struct random *random)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return random->state;
}

static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)((random_next(random) >> 20) % limit);
}

#endif
