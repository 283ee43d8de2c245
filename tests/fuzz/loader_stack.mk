# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += loader_stack
loader_stack_fuzz_SOURCES = tests/fuzz/loader_stack_fuzz.c lib/loader_stack.c
