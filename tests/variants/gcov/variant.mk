# VARIANT=gcov: a kernel that counts how often each branch was taken, and sends the counts at the end.
# Not optimised, so that a branch of the source is a branch of the code.
# SPDX-License-Identifier: BSD-2-Clause
KERNEL_FLAGS := $(filter-out -O2,$(KERNEL_FLAGS)) -O0
COUNTED := -fprofile-arcs -ftest-coverage -fprofile-info-section=gcov_info
$(BUILD)/objects/kernel/kernel/%.c.o: KERNEL_FLAGS += $(COUNTED)
$(BUILD)/objects/kernel/lib/%.c.o: KERNEL_FLAGS += $(COUNTED)
KERNEL_OBJECTS += $(call objects,kernel,tests/variants/gcov/dump.c)
KERNEL_LINK_FLAGS := --wrap=log_drain
KERNEL_LIBS := $(shell gcc -print-file-name=libgcov.a)
KERNEL_FLAGS += -DENTRIES_IN_ASSEMBLY=0
