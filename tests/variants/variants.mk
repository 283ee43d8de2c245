# Targets of the test builds.
# SPDX-License-Identifier: BSD-2-Clause
.PHONY: flushes

flushes: $(LIBC_READY) ## Remove each flush in turn; a test in the shadow build must notice
	@tests/variants/shadow/flushes $(NAMES)
