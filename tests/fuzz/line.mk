# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += line
line_fuzz_SOURCES = tests/fuzz/line_fuzz.c servers/console/line.c
