/*
 * What newlib asks for beyond POSIX names: its state of a thread, and start and end hooks.
 *
 * newlib is built with __DYNAMIC_REENT__: it finds the calling thread's state by __getreent().
 * The pointer is thread-local; the first thread has the global state, because exit() flushes the
 * streams of that one. Locks: the library's own, which do nothing, are right while programs have
 * one thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <posix/posix.h>
#include <reent.h>

static _Thread_local struct _reent *thread_state;

struct _reent *__getreent(void);
void _init(void);
void _fini(void);

/* Binds the first thread to the library's global state. */
void library_thread_start(void)
{
	thread_state = _GLOBAL_REENT;
}

/* Called by the library whenever it needs errno, a stream, or other state of the calling thread. */
struct _reent *__getreent(void)
{
	return thread_state;
}

/* Called by the library before the constructors of .init_array and after the destructors of
   .fini_array; the sections .init and .fini are not used here. */
void _init(void)
{
}

void _fini(void)
{
}
