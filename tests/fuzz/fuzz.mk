# Fuzz targets (docs/fuzzing.md).  A target is a file NAME.mk that says
#
#   FUZZ_TARGETS += NAME
#   NAME_fuzz_SOURCES = tests/fuzz/NAME_fuzz.c ...      (fuzz.c is added)
#   NAME_fuzz_FLAGS = ...                               (if it needs other than FUZZ_FLAGS)
#
# The rules for them are in zz.mk, which is read last.
#
# SPDX-License-Identifier: BSD-2-Clause
.PHONY: fuzz fuzz-check fuzz-merge fuzz-binaries

FUZZ_CC := clang
# With checks between its steps a loop may not be unrolled as it asks for.
FUZZ_FLAGS := $(filter-out -Wno-%,$(WARNINGS)) -Wno-pass-failed -O2 -g -MMD -MP -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-Itests/fuzz -Itests/host -Iinclude -iquote kernel -Ilib -Iservers/pager

# For inputs that are choices, not the very values that the product compares: faster.
FUZZ_NO_COMPARE := -fno-sanitize-coverage=trace-cmp
FUZZ_UNGUIDED := tests/% kernel/frame_check.c servers/pager/check.c

# The kernel's table code on the simulated machine.
FUZZ_SIM = $(wildcard kernel/frame*.c kernel/pool*.c kernel/table*.c tests/host/sim/*.c) kernel/block.c kernel/batch.c

fuzz: fuzz-binaries ## Fuzz for long: NAME=target (default all), TIME=seconds for each (600)
	@tests/fuzz/run $(or $(NAME),$(sort $(FUZZ_TARGETS)))
fuzz-check: fuzz-binaries ## Fuzz a little: kept inputs, then a fixed number of new ones
	@tests/fuzz/check $(or $(NAME),$(sort $(FUZZ_TARGETS)))
fuzz-merge: fuzz-binaries ## Minimise the kept inputs, with those found by `fuzz`
	@tests/fuzz/merge $(or $(NAME),$(sort $(FUZZ_TARGETS)))
