/*
 * Clocks and sleep.
 *
 * The machine's time starts at 0 when it boots, and all clocks show it: there is no clock of the
 * calendar.  Reading the time is one kernel call; sleeping is a request to the time server.
 * Processor time is not kept per process: times() and clock() count from the first question on.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <faultline/protocol/console.h>
#include <sched.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS      1000000000ull
#define MICROSECOND_NS 1000ull
#define TICK_NS	       (SECOND_NS / CLOCKS_PER_SEC)

/* newlib declares these two only for some systems. */
int usleep(useconds_t microseconds);
unsigned sleep(unsigned seconds);

static uint64_t time_now_ns(void)
{
	uint64_t out[3];

	return kernel_call(CALL_TIMER, TIMER_NOW, 0, 0, 0, 0, 0, out) == ST_OK ? out[0] : 0;
}

static int time_sleep_ns(uint64_t nanoseconds)
{
	struct message message = { .w = { nanoseconds } };
	status_t status = posix_request(SLOT_TIME, TIME_SLEEP, 0, &message);

	return status == ST_OK ? 0 : posix_fail(status, EINVAL);
}

/* The time since boot; all clocks are the same. */
int clock_gettime(clockid_t clock_id, struct timespec *result)
{
	uint64_t now = time_now_ns();
	struct timespec time = { .tv_sec = (time_t)(now / SECOND_NS),
		.tv_nsec = (long)(now % SECOND_NS) };

	if (clock_id != CLOCK_REALTIME && clock_id != CLOCK_MONOTONIC)
		return posix_fail_errno(EINVAL);
	return posix_copy_out(result, &time, sizeof(time));
}

/* The same in microseconds; there is no time zone. */
int gettimeofday(struct timeval *restrict result, void *restrict zone)
{
	uint64_t now = time_now_ns();
	struct timeval time = {
		.tv_sec = (time_t)(now / SECOND_NS),
		.tv_usec = (suseconds_t)(now % SECOND_NS / MICROSECOND_NS),
	};

	(void)zone;
	return posix_copy_out(result, &time, sizeof(time));
}

/* Ticks since boot; as user time, those since the first call. */
clock_t times(struct tms *result)
{
	static uint64_t first_ns;
	uint64_t now = time_now_ns();
	struct tms used = { 0 };

	if (!first_ns)
		first_ns = now;
	used.tms_utime = (clock_t)((now - first_ns) / TICK_NS);
	if (posix_copy_out(result, &used, sizeof(used)))
		return (clock_t)-1;
	return (clock_t)(now / TICK_NS);
}

/* Waits for the time asked for.  Nothing interrupts a sleep but the process's end, so nothing is
   left over. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	struct timespec time;

	(void)posix_message_page();
	if (guarded_copy(&time, wanted, sizeof(time)))
		return posix_fail_errno(EFAULT);
	if (time.tv_sec < 0 || time.tv_nsec < 0 || (uint64_t)time.tv_nsec >= SECOND_NS ||
		(uint64_t)time.tv_sec > UINT64_MAX / SECOND_NS - 1)
		return posix_fail_errno(EINVAL);
	(void)left;
	return time_sleep_ns((uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec);
}

/* The same in microseconds. */
int usleep(useconds_t microseconds)
{
	return time_sleep_ns(microseconds * MICROSECOND_NS);
}

/* The same in seconds; returns those not slept. */
unsigned sleep(unsigned seconds)
{
	return time_sleep_ns(seconds * SECOND_NS) ? seconds : 0;
}

/* Lets other threads of the same priority run. */
int sched_yield(void)
{
	status_t status = kernel_call(CALL_YIELD, 0, 0, 0, 0, 0, 0, NULL);

	return status == ST_OK ? 0 : posix_fail(status, EINVAL);
}
