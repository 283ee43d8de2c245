# Options of every fuzz target; read by run, check and merge.  The sanitizers report a call stack; what is
# tested frees nothing, so leaks are not searched for.
#
# SPDX-License-Identifier: BSD-2-Clause
UBSAN_OPTIONS=print_stacktrace=1
export UBSAN_OPTIONS
fuzz_options='-max_len=4100 -detect_leaks=0 -timeout=60 -rss_limit_mb=2048 -print_final_stats=1'

# field NAME FILE: the number behind NAME in the last line of a log that has it.
field() {
	sed -n "s/.*$1[: ]* *\([0-9]*\).*/\1/p" "$2" | tail -n 1
}

# corpus NAME: the folder of its kept inputs.  What is compared with a model runs the same inputs as what is not.
corpus() {
	echo "tests/fuzz/corpus/${1%_model}"
}
