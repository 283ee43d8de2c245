# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += region
region_SOURCES := tests/host/region_test.c servers/pager/region.c servers/pager/slab.c
