# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += cpio
cpio_fuzz_SOURCES = tests/fuzz/cpio_fuzz.c lib/format/cpio.c
