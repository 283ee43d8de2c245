# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += pager
pager_fuzz_SOURCES = tests/fuzz/pager_fuzz.c $(PAGER_MACHINE)
pager_fuzz_FLAGS = $(FUZZ_FLAGS) $(FUZZ_NO_COMPARE)
