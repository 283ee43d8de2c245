#!/bin/sh
# A hostile pager, in a pool of its own, attacks every frame of the machine while the system runs
# programs: each of them must pass its test, and the kernel must be well after each round.
#
# usage: tests/system/hostile_pager.sh [BUILD]
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${1:-${BUILD:-build/gcc}}
export BUILD
log=$(mktemp)
trap 'rm -f "$log"' EXIT
tests='child_keeps_its_snapshot binary_tree_of_processes forks_in_turn file_mapping_equals_the_file
malloc_blocks_keep_their_contents exec_in_a_chain stack_grows_by_a_fault_per_page'
# shellcheck disable=SC2086 # a list of words
ICOUNT=1 BOOT=tests/guest/kernel/hostile.script APPEND=hostile TIMEOUT=280 tools/run "$(echo tests $tests)" > "$log" 2>&1
status=$?
tr -d '\r' < "$log" | grep -E '^(ok|FAIL) ' | grep -v '^FAIL hostile'
rounds=$(grep -c 'hostile pager: round .* done' "$log")
name=hostile_pager_changes_nothing_outside_its_pool
if [ "$status" = 0 ] && [ "$rounds" -ge 3 ] && ! grep -q 'FAIL hostile\|panic:' "$log"; then
	echo "ok $name"
	failed=0
else
	echo "FAIL $name status $status, $rounds rounds: $(grep 'FAIL hostile\|panic:' "$log" | head -n 1)"
	failed=1
fi
good=$(tr -d '\r' < "$log" | grep -c '^ok ')
bad=$(tr -d '\r' < "$log" | grep '^FAIL ' | grep -vc '^FAIL hostile')
echo "$((good + 1 - failed)) passed, $((bad + failed)) failed"
exit "$failed"
