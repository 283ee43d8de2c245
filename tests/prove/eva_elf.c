/*
 * Eva: the ELF reader, over a head of any length (up to a page) and any bytes.
 *
 * The lengths that the caller states are arbitrary, too, as long as the head is as long as it says.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <__fc_builtin.h>
#include <faultline/archive.h>

#define HEAD_MAX 4096u

static uint8_t head[HEAD_MAX];

void main(void)
{
	uint64_t head_bytes = Frama_C_unsigned_long_interval(0, HEAD_MAX);
	uint64_t file_bytes = Frama_C_unsigned_long_interval(0, UINT64_MAX);
	struct elf_image image;
	const char *why;

	Frama_C_make_unknown((char *)head, sizeof(head));
	/* The head ends where the array ends, so that a read behind it is one behind the array. */
	if (elf_read(head + HEAD_MAX - head_bytes, head_bytes, file_bytes, &image,
		    Frama_C_interval(0, 1) ? &why : NULL) != ST_OK)
		return;
	//@ check tls: image.tls_align <= 4096;
}
