# Mutation tests: tests/mutants/run says how, docs/mutants.md what they showed.
# SPDX-License-Identifier: BSD-2-Clause
.PHONY: mutants
mutants: ## Make one mistake at a time in kernel and pager: do the tests see it? (an hour)
	@tools/setup && tests/mutants/run $(foreach option,FILE SAMPLE SEED RESUME STAGES ONLY LIST JOBS OUT,\
		$(if $($(option)),$(option)='$($(option))'))
