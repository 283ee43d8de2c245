#!/bin/sh
# The pager's worst time between two receives is at most 50,000 instructions, whatever programs do (tests/bench/growth).
#
# usage: tests/system/pager_gaps.sh
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
export BUILD=build/gcc # the figures are those of this compiler's code
export BENCH=build/bench-gaps
make bench-build < /dev/null >&2
tests/bench/growth/run resident sparse ranges large regions shared private memory >&2
awk -F '\t' '
	$2 <= 50000 { print "ok gaps-" $1; passed++; next }
	{ print "FAIL gaps-" $1 " " $2 " instructions, at most 50000"; failed++ }
	END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }
' $BENCH/gaps.tsv
