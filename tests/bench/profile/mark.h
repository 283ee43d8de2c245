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

/* A nop with the word as its displacement. */
#define MARK(word) __asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" : : "i"(word) : "memory")

#endif
