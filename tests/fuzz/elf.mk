# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += elf
elf_fuzz_SOURCES = tests/fuzz/elf_fuzz.c lib/format/elf.c
