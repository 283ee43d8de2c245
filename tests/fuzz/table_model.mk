# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += table_model
table_model_fuzz_SOURCES = tests/fuzz/table_model_fuzz.c tests/fuzz/table_steps.c tests/host/table_model.c $(FUZZ_SIM)
table_model_fuzz_FLAGS = $(FUZZ_FLAGS) $(FUZZ_NO_COMPARE)
