# Lessons of other systems: each has a test that fails when its rule is removed (tests/lessons/README).
# SPDX-License-Identifier: BSD-2-Clause
.PHONY: lessons
lessons: ## Remove the rule behind each lesson: does its test fail?
	@tools/setup && tests/lessons/run
