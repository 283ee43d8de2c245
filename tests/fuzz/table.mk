# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += table
table_fuzz_SOURCES = tests/fuzz/table_fuzz.c tests/fuzz/table_steps.c $(FUZZ_SIM)
table_fuzz_FLAGS = $(FUZZ_FLAGS) $(FUZZ_NO_COMPARE)
