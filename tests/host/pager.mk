# Host tests of the pager's core over the kernel's table code and simulated RAM.
# SPDX-License-Identifier: BSD-2-Clause
PAGER_CORE := $(filter-out %/main.c %/heap.c %/mmu_kernel.c,$(wildcard servers/pager/*.c))
PAGER_MACHINE := $(PAGER_CORE) tests/host/pager_machine.c tests/host/pager_heap.c $(wildcard kernel/frame*.c kernel/pool*.c kernel/table*.c) \
	kernel/block.c kernel/batch.c $(wildcard tests/host/sim/*.c)

HOST_TESTS += pager
pager_SOURCES := tests/host/pager_test.c $(PAGER_MACHINE)

HOST_TESTS += pager_window
pager_window_SOURCES := tests/host/pager_window_test.c $(PAGER_MACHINE)

HOST_TESTS += pager_stock
pager_stock_SOURCES := tests/host/pager_stock_test.c $(PAGER_MACHINE)

HOST_TESTS += pager_large
pager_large_SOURCES := tests/host/pager_large_test.c $(PAGER_MACHINE)

HOST_TESTS += pager_failure
pager_failure_SOURCES := tests/host/pager_failure_test.c $(PAGER_MACHINE)

# What the pager's checks notice; its start, and what the kernel refuses it.
HOST_TESTS += pager_check pager_start pager_serve pager_refusal
pager_check_SOURCES := tests/host/pager_check_test.c $(PAGER_MACHINE)
pager_start_SOURCES := tests/host/pager_start_test.c $(filter-out %/pager_heap.c,$(PAGER_MACHINE))
pager_serve_SOURCES := tests/host/pager_serve_test.c $(PAGER_MACHINE)
pager_refusal_SOURCES := tests/host/pager_refusal_test.c $(PAGER_MACHINE)

# The model: a program for each variant of histories (tests/host/model/history.h), and one that tests it.
MODEL_SOURCES := $(filter-out %/main_plenty.c %/main_refusing.c %/main_scarce.c %/main_limited.c %/shrink_test.c,\
	$(wildcard tests/host/model/*.c)) $(PAGER_MACHINE)
HOST_TESTS += model_plenty model_refusing model_scarce model_limited model_shrink
model_plenty_SOURCES := tests/host/model/main_plenty.c $(MODEL_SOURCES)
model_refusing_SOURCES := tests/host/model/main_refusing.c $(MODEL_SOURCES)
model_scarce_SOURCES := tests/host/model/main_scarce.c $(MODEL_SOURCES)
model_limited_SOURCES := tests/host/model/main_limited.c $(MODEL_SOURCES)
model_shrink_SOURCES := tests/host/model/shrink_test.c $(filter-out %/main.c,$(MODEL_SOURCES))
