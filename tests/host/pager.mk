# Host tests of the pager's core over the kernel's table code and simulated RAM.
# SPDX-License-Identifier: BSD-2-Clause
PAGER_CORE := $(filter-out %/main.c %/heap.c %/mmu_kernel.c,$(wildcard servers/pager/*.c))
PAGER_MACHINE := $(PAGER_CORE) tests/host/pager_machine.c tests/host/pager_heap.c $(wildcard kernel/frame*.c kernel/pool*.c kernel/table*.c) \
	kernel/block.c kernel/batch.c $(wildcard tests/host/sim/*.c)

HOST_TESTS += pager pager_property
pager_SOURCES := tests/host/pager_test.c $(PAGER_MACHINE)
pager_property_SOURCES := tests/host/pager_property_test.c $(PAGER_MACHINE)
