/*
 * Marks: instructions that do nothing, by which a program tells a plugin of the emulator where it
 * is (profile.c).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_BEGIN  0x5e71e501
#define MARK_RESUME 0x5e71e502
#define MARK_PAUSE  0x5e71e503
#define MARK_END    0x5e71e504

/* Parts of an operation: a fork, and the first write after it. */
#define MARK_FORK	0x5e71e505
#define MARK_FORK_END	0x5e71e506
#define MARK_WRITE	0x5e71e507
#define MARK_WRITE_END	0x5e71e508
#define MARK_LAST	MARK_WRITE_END

/* A nop with the word as its displacement. */
#define MARK_TEXT_OF(word) ".byte 0x0f, 0x1f, 0x80\n\t.long " #word "\n\t"
#define MARK_TEXT(word)	   MARK_TEXT_OF(word)
#define MARK(word)	   __asm__ volatile(MARK_TEXT(word) : : : "memory")

#endif
