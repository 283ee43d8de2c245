# Proofs (docs/assurance.md): Spin and Frama-C by `make prove`, all states of a tiny machine as a host
# test.
# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += exhaustive
exhaustive_SOURCES = tests/prove/exhaustive.c $(SIM_SOURCES)

.PHONY: prove
prove: ## Check the models and proofs of docs/assurance.md
	@tests/prove/run
