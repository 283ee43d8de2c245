# SPDX-License-Identifier: BSD-2-Clause
.PHONY: coverage
coverage: ## Which branches of kernel and pager all tests together take
	@tools/setup build coverage && tests/coverage/run
