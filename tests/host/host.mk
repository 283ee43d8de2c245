# Host tests of the frame table and the table operations.
# SPDX-License-Identifier: BSD-2-Clause
KERNEL_TABLE_SOURCES := $(wildcard kernel/frame*.c kernel/pool*.c kernel/table*.c kernel/block.c kernel/batch.c)
SIM_SOURCES := $(KERNEL_TABLE_SOURCES) $(wildcard tests/host/sim/*.c)

HOST_TESTS += frame table table_property
frame_SOURCES := tests/host/frame_test.c $(SIM_SOURCES)
table_SOURCES := tests/host/table_test.c $(SIM_SOURCES)
table_property_SOURCES := tests/host/table_property_test.c tests/host/table_model.c $(SIM_SOURCES)
