/*
 * sleep SECONDS: waits; the number may have decimals.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_MAX 1e9

int main(int argc, char **argv)
{
	char *end = NULL;
	double seconds = argc == 2 ? strtod(argv[1], &end) : -1;
	struct timespec time;

	if (argc != 2 || *end || end == argv[1] || !(seconds >= 0 && seconds <= SECONDS_MAX)) {
		fprintf(stderr, "usage: sleep SECONDS\n");
		return 2;
	}
	time.tv_sec = (time_t)seconds;
	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	if (nanosleep(&time, NULL)) {
		fprintf(stderr, "sleep: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
