# SPDX-License-Identifier: BSD-2-Clause
FUZZ_TARGETS += script
script_fuzz_SOURCES = tests/fuzz/script_fuzz.c servers/init/script.c
