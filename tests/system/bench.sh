#!/bin/sh
# No operation takes more instructions, kernel entries, CR3 loads or flushes than recorded (tests/bench/limits.tsv).
#
# usage: tests/system/bench.sh
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
export BUILD=build/gcc # the limits are those of this compiler's code
make bench-build < /dev/null >&2
tests/bench/limits check
