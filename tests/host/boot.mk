# Host tests of the readers of archives and programs, of the boot loader's tables and the firmware's memory
# map, of the kernel's log and its string functions.
# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += archive elf ranges boot
archive_SOURCES := tests/host/archive_test.c lib/format/cpio.c
elf_SOURCES := tests/host/elf_test.c lib/format/elf.c
ranges_SOURCES := tests/host/ranges_test.c kernel/ranges.c
boot_SOURCES := tests/host/boot_test.c tests/host/boot_string.c kernel/ranges.c tests/host/boot_log.c
