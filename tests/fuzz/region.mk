# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += region
region_fuzz_SOURCES = tests/fuzz/region_fuzz.c servers/pager/region.c servers/pager/slab.c
region_fuzz_FLAGS = $(FUZZ_FLAGS) $(FUZZ_NO_COMPARE)
