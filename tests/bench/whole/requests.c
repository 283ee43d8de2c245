/*
 * A server that forks for each request: the child sees the state as it was, changes its own copy
 * of some of it and answers by its exit status; then the parent changes some of the state.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "whole.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUESTS     200u
#define STATE_BYTES  (16u << 20)
#define WORDS	     (STATE_BYTES / sizeof(uint32_t))
#define READS	     2000u
#define CHILD_WRITES 16u
#define OWN_WRITES   16u
#define ANSWER_MASK  0x7fu

static uint32_t *state;

static uint32_t request_answer(uint32_t seed)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < READS; i++)
		sum += state[random_next(&seed) % WORDS];
	for (uint32_t i = 0; i < CHILD_WRITES; i++)
		state[random_next(&seed) % WORDS] = sum;
	return sum & ANSWER_MASK;
}

/* The same words as the child read, and none of those that it wrote. */
static uint32_t expected_answer(uint32_t seed)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < READS; i++)
		sum += state[random_next(&seed) % WORDS];
	return sum & ANSWER_MASK;
}

static int request_failed(uint32_t seed)
{
	pid_t pid = fork_or_end();
	int status = 0;

	if (pid == 0)
		_exit((int)request_answer(seed));
	return waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	       (uint32_t)WEXITSTATUS(status) != expected_answer(seed);
}

int job_requests(void)
{
	uint32_t seed = 1;

	state = map_or_end(STATE_BYTES, MAP_PRIVATE);
	for (uint32_t i = 0; i < WORDS; i++)
		state[i] = i * 2654435761u;
	for (uint32_t request = 1; request <= REQUESTS; request++) {
		if (request_failed(request))
			return 1;
		for (uint32_t i = 0; i < OWN_WRITES; i++)
			state[random_next(&seed) % WORDS] += request;
	}
	printf("requests: %u answered\n", REQUESTS);
	return 0;
}
