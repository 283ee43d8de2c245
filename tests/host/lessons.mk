# Lessons of other systems that the pager's core shows on the host.
# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += lessons
lessons_SOURCES = tests/host/lessons_test.c $(PAGER_MACHINE)
