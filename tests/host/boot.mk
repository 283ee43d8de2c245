# Host tests of the readers of archives and programs, and of the firmware's memory map.
# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += archive elf ranges
archive_SOURCES := tests/host/archive_test.c lib/format/cpio.c
elf_SOURCES := tests/host/elf_test.c lib/format/elf.c
ranges_SOURCES := tests/host/ranges_test.c kernel/ranges.c
