/*
 * The kernel's memory and string functions under other names (kernel_memcpy ...), beside the host's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define memcpy	kernel_memcpy
#define memmove kernel_memmove
#define memset	kernel_memset
#define memcmp	kernel_memcmp
#define strlen	kernel_strlen

#include "../../kernel/string.c"
