/*
 * Status codes: what a kernel call, one operation of a batch, or a server answers.
 *
 * One enum for everything that can refuse.  Zero is success.  The first group is produced by the
 * kernel, the second by servers only (the kernel never returns it).  Names are in status_name().
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef FAULTLINE_STATUS_H
#define FAULTLINE_STATUS_H

/* X(name, value, text for people) */
#define STATUS_LIST(X)                                                                    \
	X(OK, 0, "done")                                                                  \
	X(BAD_CALL, 1, "no such call or operation")                                       \
	X(BAD_ARGUMENT, 2, "argument out of range or reserved bit set")                   \
	X(BAD_HANDLE, 3, "no such handle, or its object is gone")                         \
	X(NO_RIGHT, 4, "handle, pool or space lacks the right")                           \
	X(BAD_FRAME, 5, "not a frame of RAM, or of another pool")                         \
	X(WRONG_TYPE, 6, "frame or object has another type")                              \
	X(BUSY, 7, "still referenced, held, or in use")                                   \
	X(MISMATCH, 8, "entry is not as expected")                                        \
	X(LIMIT, 9, "a counter or table is full")                                         \
	X(MORE, 10, "bound of one call reached; go on at the index returned")             \
	X(EMPTY, 11, "nothing to receive")                                                \
	X(NO_PAGE, 12, "the thread has no message page")                                  \
	X(BAD_TOKEN, 13, "nobody waits for this reply")                                   \
	X(DEAD, 14, "the server died before it answered")                                 \
	X(INTERRUPTED, 15, "the call was withdrawn by interrupt")                         \
	X(RESULTS, 16, "replied; results of the batch must be taken before receiving")    \
	X(NO_MEMORY, 32, "out of memory or over the limit")                               \
	X(NOT_FOUND, 33, "no such process, file, space, region or object")                \
	X(EXISTS, 34, "the range or name is taken")                                       \
	X(NO_ACCESS, 35, "the caller may not do that")                                    \
	X(BAD_FORMAT, 36, "not a valid program or archive")                               \
	X(AGAIN, 37, "not now; try again")

typedef enum {
#define STATUS_ENUM(name, value, text) ST_##name = (value),
	STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
} status_t;

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
