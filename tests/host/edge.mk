# Host tests at the edges of the frame table, the table operations, messages, and the pager.
# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += edge message_edge pager_edge pager_range pager_spare pager_tables
edge_SOURCES = tests/host/edge_test.c $(SIM_SOURCES)
message_edge_SOURCES = tests/host/message_edge_test.c $(KERNEL_MACHINE)
pager_edge_SOURCES = tests/host/pager_edge_test.c $(PAGER_MACHINE)
pager_spare_SOURCES = tests/host/pager_spare_test.c $(PAGER_MACHINE)
pager_tables_SOURCES = tests/host/pager_tables_test.c $(PAGER_MACHINE)
pager_range_SOURCES = tests/host/pager_range_test.c $(PAGER_MACHINE)
