# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += ranges
ranges_fuzz_SOURCES = tests/fuzz/ranges_fuzz.c kernel/ranges.c
