/*
 * What picolibc asks for beyond POSIX names: nothing but thread-local storage, which start.c gives.
 *
 * Used in place of newlib/ by `make PICOLIBC=prefix`.  The library is expected to be built with
 * posix-console (its streams go through read and write) and thread-local storage or any other kind
 * of errno.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <posix/posix.h>

/* errno and all other state of a thread are thread-local variables with initial values. */
void library_thread_start(void)
{
}
