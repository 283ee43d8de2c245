# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += message
message_fuzz_SOURCES = tests/fuzz/message_fuzz.c $(KERNEL_MACHINE)
message_fuzz_FLAGS = $(FUZZ_FLAGS) $(FUZZ_NO_COMPARE)
